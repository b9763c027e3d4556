"""The outbox of notices beside the ledger: kept in one transaction with the states that caused them, marked when taken.

One row for each notice and receiver. The ledger is append-only; the outbox is not, because a row of it says only
whether a receiver has taken what the ledger knows anyway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from forecasting.adapters._plain import plain
from forecasting.adapters._typed import typed
from forecasting.ports import Delivery
from forecasting.terms.notice import Notice

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
OUTBOX_VERSION = 1
OUTBOX_COLUMNS = (
    "notice {text} NOT NULL, receiver {text} NOT NULL, warning {text} NOT NULL, payload {text} NOT NULL,"
    " tries integer NOT NULL, next_try {text} NOT NULL, problem {text} NOT NULL, taken_at {text},"
    " UNIQUE (notice, receiver)"
)
"""Columns beside the number; taken_at is NULL until the receiver has taken the notice."""

_ROW = "number, notice, receiver, payload, tries, next_try, problem, taken_at"
_PUT = (
    "INSERT INTO outbox (notice, receiver, warning, payload, tries, next_try, problem)"
    " VALUES (:notice, :receiver, :warning, :payload, 0, '', '') ON CONFLICT (notice, receiver) DO NOTHING"
)
_WAITING = f"SELECT {_ROW} FROM outbox WHERE taken_at IS NULL ORDER BY number"  # noqa: S608
_NEWEST = (
    f"SELECT {_ROW} FROM outbox WHERE number IN (SELECT max(number) FROM outbox"  # noqa: S608
    " WHERE receiver = :receiver AND taken_at IS NOT NULL AND warning IN :warnings GROUP BY warning) ORDER BY number"
)
_TAKEN = "UPDATE outbox SET taken_at = :at, problem = '' WHERE receiver = :receiver AND notice = :notice"
_REFUSED = (
    "UPDATE outbox SET tries = tries + 1, next_try = :at, problem = :problem"
    " WHERE receiver = :receiver AND notice = :notice AND taken_at IS NULL"
)
_LONGEST_PROBLEM = 500
_AT_ONCE = 500


class SqlOutbox:
    """What outboxes in SQL databases have in common; a subclass runs the transactions and makes the table."""

    def _write_outbox(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as the only writer of ledger and outbox, in one transaction on tables that are there."""
        raise NotImplementedError

    def _read_outbox(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` on one snapshot; `empty` where no notice was ever kept."""
        raise NotImplementedError

    def _append_checked(
        self,
        connection: Connection,
        rows: Sequence[tuple[str, str, Mapping[str, object]]],
        as_of: datetime,
        run_id: str,
        decided_at: int | None,
    ) -> int:
        """Append rows (kind, key, payload) to the ledger inside a transaction."""
        raise NotImplementedError

    def keep(
        self,
        rows: Sequence[tuple[str, str, Mapping[str, object]]],
        letters: Sequence[tuple[str, Notice]],
        *,
        as_of: datetime,
        run_id: str,
        decided_at: int | None = None,
    ) -> int:
        """Append ledger rows and put notices into the outbox, all or nothing; on disk when it returns.

        Parameters
        ----------
        rows : sequence of (kind, key, payload)
            As in `record`, of any kinds.
        letters : sequence of (receiver, Notice)
            In the order in which they are to be told; one that is there already is left as it is.
        as_of, run_id, decided_at
            As in `record`.

        Returns
        -------
        int
            Ledger rows appended.

        Raises
        ------
        InputError, LedgerMovedError, StoreError
            As in `record`; nothing is kept then.
        """
        from sqlalchemy import text

        put = [
            {
                "notice": notice.id,
                "receiver": receiver,
                "warning": notice.warning.id,
                "payload": json.dumps(plain(notice), sort_keys=True, allow_nan=False),
            }
            for receiver, notice in letters
        ]
        if not rows and not put:
            return 0

        def work(connection: Connection) -> int:
            added = self._append_checked(connection, rows, as_of, run_id, decided_at)
            for letter in put:  # one by one: the order of the numbers is the order of telling
                connection.execute(text(_PUT), letter)
            return added

        return self._write_outbox(work)

    def waiting(self) -> Sequence[Delivery]:
        """Return what no receiver has taken yet, oldest first."""
        return tuple(_delivery(row) for row in self._select_outbox(_WAITING, {}, None))

    def newest_taken(self, receiver: str, warnings: Collection[str]) -> Sequence[Delivery]:
        """Return the newest notice that a receiver has taken of each of some warnings, oldest first."""
        found = self._select_outbox(_NEWEST, {"receiver": receiver}, warnings)
        return tuple(sorted((_delivery(row) for row in found), key=lambda d: d.number))

    def mark_taken(self, receiver: str, notices: Sequence[str], *, at: datetime) -> None:
        """Note that a receiver has taken notices (ids), so that they are not sent again."""
        self._each(_TAKEN, [{"receiver": receiver, "notice": one, "at": _text(at)} for one in notices])

    def mark_refused(self, receiver: str, notices: Sequence[str], *, next_try: datetime, problem: str) -> None:
        """Note that a receiver has not taken notices (ids), why, and when they are to be tried again."""
        self._each(
            _REFUSED,
            [
                {"receiver": receiver, "notice": one, "at": _text(next_try), "problem": _short(problem)}
                for one in notices
            ],
        )

    def _each(self, sql: str, values: Sequence[Mapping[str, object]]) -> None:
        """Run one statement for each set of values, in one transaction."""
        from sqlalchemy import text

        def work(connection: Connection) -> None:
            for one in values:
                connection.execute(text(sql), dict(one))

        if values:
            self._write_outbox(work)

    def _select_outbox(self, sql: str, values: Mapping[str, object], warnings: Collection[str] | None) -> list[Any]:
        """Run a query, for some warnings at a time where it is about them; one snapshot."""
        from sqlalchemy import bindparam, text

        def work(connection: Connection) -> list[Any]:
            if warnings is None:
                return list(connection.execute(text(sql), dict(values)))
            names, query = sorted(warnings), text(sql).bindparams(bindparam("warnings", expanding=True))
            rows: list[Any] = []
            for start in range(0, len(names), _AT_ONCE):
                rows += connection.execute(query, {**values, "warnings": names[start : start + _AT_ONCE]})
            return rows

        nothing: list[Any] = []
        return self._read_outbox(work, empty=nothing)


def _delivery(row: Any) -> Delivery:
    """Return a row of the outbox."""
    return Delivery(
        number=row.number,
        receiver=row.receiver,
        notice=typed(Notice, json.loads(row.payload)),
        tries=row.tries,
        next_try=datetime.fromisoformat(row.next_try) if row.next_try else None,
        problem=row.problem,
        taken_at=datetime.fromisoformat(row.taken_at) if row.taken_at else None,
    )


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _short(problem: str) -> str:
    """Return a text that every database keeps: no NUL, no halves of surrogate pairs, not too long."""
    return problem.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")[:_LONGEST_PROBLEM]
