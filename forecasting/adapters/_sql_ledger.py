"""The ledger in any SQL database: append-only, versioned, each row hashed together with the one before."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from forecasting.adapters._sql_outbox import SqlOutbox
from forecasting.ports import LedgerEntry
from forecasting.terms.errors import InputError, LedgerMovedError

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
SCHEMA_VERSION = 1
START = "0" * 64
"""The hash before the first row."""

_COLUMNS = "sequence, kind, key, version, as_of, run_id, payload, sha256"
_INSERT = (
    f"INSERT INTO ledger ({_COLUMNS})"  # noqa: S608
    " VALUES (:sequence, :kind, :key, :version, :as_of, :run_id, :payload, :sha256)"
)
_LATEST = (
    "SELECT key, version, payload, sequence FROM ledger AS a WHERE kind = :kind AND key IN :keys AND version ="
    " (SELECT max(version) FROM ledger AS b WHERE b.kind = a.kind AND b.key = a.key)"
)
_KEYS_AT_ONCE = 500
_LONGEST_TEXT = 2000


class SqlLedger(SqlOutbox, ABC):
    """What ledgers in SQL databases have in common; a subclass runs the transactions and makes the tables.

    The tables are ``ledger`` (columns of `LedgerEntry`; as_of and payload as text) and one with a single row, the
    sequence number and hash of the last row of the ledger, so that rows cut off at the end are missed.
    """

    head_table = "head"

    @abstractmethod
    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as the only writer, in one transaction on tables that are there; on disk when it returns."""

    @abstractmethod
    def _read(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` on one snapshot; `empty` where no row was ever recorded."""

    def record(
        self,
        kind: str,
        rows: Iterable[tuple[str, Mapping[str, object]]],
        *,
        as_of: datetime,
        run_id: str,
        decided_at: int | None = None,
    ) -> int:
        """Append the rows whose payload differs from the latest one of their key, in one transaction.

        Parameters
        ----------
        kind : str
            ``attainment``, ``credit``, ``run``, ``input``, ``risk``, ``proposal``, ``warning`` or ``model_choice``.
        rows : iterable of (key, payload)
            Payloads of plain JSON values, without NaN or infinity.
        as_of : datetime
            Cut-off of the run, with a time zone.
        run_id : str
            Identity of the run.
        decided_at : int or None
            Last row of the ledger that was read to decide what to append; None = it was not read.

        Returns
        -------
        int
            Number of rows appended.

        Raises
        ------
        InputError
            For a payload that is not plain JSON, an `as_of` without a zone, or a key that is no storable text.
        LedgerMovedError
            Where a key has a version later than `decided_at`; nothing is appended then.
        StoreError
            Where the ledger is in use, away, damaged or not ours.
        """
        moment = _instant(as_of)
        wanted = _checked(kind, rows, run_id)
        if not wanted:
            return 0
        return self._write(lambda connection: self._append(connection, kind, wanted, moment, run_id, decided_at))

    def _append_checked(
        self,
        connection: Connection,
        rows: Sequence[tuple[str, str, Mapping[str, object]]],
        as_of: datetime,
        run_id: str,
        decided_at: int | None,
    ) -> int:
        """Append rows of any kinds, under the writer's lock."""
        moment, added = _instant(as_of), 0
        for kind in dict.fromkeys(kind for kind, _, _ in rows):
            wanted = _checked(kind, [(key, payload) for of, key, payload in rows if of == kind], run_id)
            added += self._append(connection, kind, wanted, moment, run_id, decided_at)
        return added

    def _append(
        self,
        connection: Connection,
        kind: str,
        wanted: Sequence[tuple[str, str]],
        moment: str,
        run_id: str,
        decided_at: int | None,
    ) -> int:
        """Append what is new, under the writer's lock."""
        from sqlalchemy import bindparam, text

        keys = sorted({key for key, _ in wanted})
        query = text(_LATEST).bindparams(bindparam("keys", expanding=True))
        latest: dict[str, tuple[int, str]] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = {"kind": kind, "keys": keys[start : start + _KEYS_AT_ONCE]}
            for known in connection.execute(query, some):
                if decided_at is not None and known.sequence > decided_at:
                    raise _moved(f"row {known.sequence}, a newer {kind} {known.key}", decided_at)
                latest[known.key] = (known.version, known.payload)
        sequence, previous = connection.execute(text(f"SELECT sequence, sha256 FROM {self.head_table}")).one()  # noqa: S608
        new: list[dict[str, Any]] = []
        for key, payload in wanted:
            version, said = latest.get(key, (0, None))
            if payload == said:
                continue
            sequence += 1
            row = {
                "sequence": sequence,
                "kind": kind,
                "key": key,
                "version": version + 1,
                "as_of": moment,
                "run_id": run_id,
                "payload": payload,
            }
            previous = _row_sha256(previous, row)
            new.append({**row, "sha256": previous})
            latest[key] = (version + 1, payload)
        if new:
            connection.execute(text(_INSERT), new)
            head = {"s": sequence, "h": previous}
            connection.execute(text(f"UPDATE {self.head_table} SET sequence = :s, sha256 = :h"), head)  # noqa: S608
        return len(new)

    def entries(
        self,
        kind: str | None = None,
        *,
        as_of: datetime | None = None,
        key: str | None = None,
        until: int | None = None,
    ) -> Sequence[LedgerEntry]:
        """Return rows in order of sequence.

        Parameters
        ----------
        kind : str or None
            Only rows of this kind.
        as_of : datetime or None
            Only rows whose cut-off is at or before this instant.
        key : str or None
            Only versions of this key.
        until : int or None
            Only rows up to this sequence number: the ledger as it stood then.

        Raises
        ------
        StoreError
            Where the ledger is in use, away, damaged or not ours.
        """
        values = {
            "kind = :kind": ("kind", kind),
            "key = :key": ("key", key),
            "as_of <= :as_of": ("as_of", None if as_of is None else _instant(as_of)),
            "sequence <= :until": ("until", until),
        }
        given = {clause: pair for clause, pair in values.items() if pair[1] is not None}
        where = f" WHERE {' AND '.join(given)}" if given else ""
        found = self._select(f"SELECT {_COLUMNS} FROM ledger{where} ORDER BY sequence", dict(given.values()))  # noqa: S608
        return tuple(_entry(row) for row in found)

    def newest(self, kind: str, *, as_of: datetime | None = None, until: int | None = None) -> Sequence[LedgerEntry]:
        """Return the last version of each key of a kind, in order of sequence.

        Parameters
        ----------
        kind : str
        as_of, until
            As in `entries`: the last version among those rows.
        """
        where, values = "kind = :kind", dict[str, object](kind=kind)
        if as_of is not None:
            where, values = f"{where} AND as_of <= :as_of", {**values, "as_of": _instant(as_of)}
        if until is not None:
            where, values = f"{where} AND sequence <= :until", {**values, "until": until}
        last = f"SELECT max(sequence) FROM ledger WHERE {where} GROUP BY key"  # noqa: S608
        sql = f"SELECT {_COLUMNS} FROM ledger WHERE sequence IN ({last}) ORDER BY sequence"  # noqa: S608
        return tuple(_entry(row) for row in self._select(sql, values))

    def head(self) -> tuple[int, str]:
        """Return the sequence number and the hash of the last row; (0, 64 zeros) for an empty ledger.

        Raises
        ------
        StoreError
            Where the ledger is in use, away, damaged or not ours.
        """
        found = self._select(f"SELECT sequence, sha256 FROM {self.head_table}", {})  # noqa: S608
        return (found[0].sequence, found[0].sha256) if found else (0, START)

    def verify(self) -> Sequence[str]:
        """Return the damages found: rows changed, inserted or removed, also at the end (empty = none)."""
        from sqlalchemy import text

        def both(connection: Connection) -> tuple[list[Any], list[Any]]:
            rows = connection.execute(text(f"SELECT {_COLUMNS} FROM ledger ORDER BY sequence"))  # noqa: S608
            heads = connection.execute(text(f"SELECT sequence, sha256 FROM {self.head_table}"))  # noqa: S608
            return list(rows), list(heads)

        nothing: tuple[list[Any], list[Any]] = ([], [])
        rows, heads = self._read(both, empty=nothing)
        return _damages(rows, heads)

    def _select(self, sql: str, values: Mapping[str, object]) -> list[Any]:
        """Run one query; nothing where no row was ever recorded."""
        from sqlalchemy import text

        nothing: list[Any] = []
        return self._read(lambda connection: list(connection.execute(text(sql), dict(values))), empty=nothing)


def _entry(row: Any) -> LedgerEntry:
    """Return a row of the table."""
    return LedgerEntry(
        sequence=row.sequence,
        kind=row.kind,
        key=row.key,
        version=row.version,
        as_of=datetime.fromisoformat(row.as_of),
        run_id=row.run_id,
        payload=json.loads(row.payload),
        sha256=row.sha256,
    )


def _checked(kind: str, rows: Iterable[tuple[str, Mapping[str, object]]], run_id: str) -> list[tuple[str, str]]:
    """Return keys and canonical payloads; refuse what cannot be stored."""
    _check_text("kind", kind)
    _check_text("run_id", run_id)
    wanted = []
    for key, payload in rows:
        _check_text(f"key of a {kind}", key)
        wanted.append((key, canonical_json(payload, argument=f"{kind} {key}")))
    return wanted


def _damages(rows: Iterable[Any], heads: Sequence[Any]) -> tuple[str, ...]:
    """Return what is wrong with a chain of rows and the head that was written with the last of them."""
    damages: list[str] = []
    previous, expected = START, 1
    for row in rows:
        if row.sequence != expected:
            damages.append(f"rows {expected} to {row.sequence - 1} are missing")
        names = ("sequence", "kind", "key", "version", "as_of", "run_id", "payload")
        computed = _row_sha256(previous, {name: getattr(row, name) for name in names})
        if computed != row.sha256 and row.sequence == expected:
            damages.append(f"row {row.sequence} ({row.kind} {row.key}) is not the one that was written")
        previous, expected = row.sha256, row.sequence + 1
    for head in heads:
        if head.sequence >= expected:
            damages.append(f"rows {expected} to {head.sequence} are missing")
        elif (head.sequence, head.sha256) != (expected - 1, previous):
            damages.append("the last row is not the one that was written last")
    if rows and not heads:
        damages.append("the record of the last row is missing")
    return tuple(damages)


def canonical_json(payload: Mapping[str, object], *, argument: str = "payload") -> str:
    """Return the one JSON text of a payload: sorted keys, no spaces, no NaN.

    Raises
    ------
    InputError
        For NaN, infinity, keys that are not text, or values that JSON does not have.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [None, "é"]})
    '{"a":[null,"\\\\u00e9"],"b":1}'
    """
    try:
        _refuse_other_keys(payload)
        return json.dumps(payload, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InputError(
            argument=argument,
            came=str(error),
            allowed="plain JSON values: text, finite numbers, true, false, null, lists, mappings with text keys",
            try_instead="null for a number that is not available",
        ) from error


def _refuse_other_keys(value: object) -> None:
    """Raise TypeError for a key that is not text: JSON would turn 1 into "1" and so change the payload."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise TypeError(f"key {key!r} is not text")
            _refuse_other_keys(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _refuse_other_keys(inner)


def _check_text(argument: str, text: str) -> None:
    """Refuse what not every database keeps as it is: NUL, halves of surrogate pairs, texts too long for an index."""
    whole = "\0" not in text and text == text.encode("utf-8", "replace").decode("utf-8")
    if not whole or len(text.encode()) > _LONGEST_TEXT:
        raise InputError(
            argument=argument,
            came=text,
            allowed=f"text of at most {_LONGEST_TEXT} bytes in UTF-8, without NUL characters",
            try_instead="a shorter name of printable characters",
        )


def _moved(came: str, decided_at: int) -> LedgerMovedError:
    """Make the error for a ledger that has newer versions than were read."""
    return LedgerMovedError(
        argument="ledger", came=came, allowed=f"no version after row {decided_at}", try_instead="the same command again"
    )


def _row_sha256(previous: str, row: Mapping[str, object]) -> str:
    """Return the hash of a row together with that of the row before."""
    content = json.dumps(row, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


def _instant(moment: datetime) -> str:
    """Return an instant as text of fixed width, so that texts sort as instants do."""
    if moment.tzinfo is None:
        raise InputError(
            argument="as_of",
            came=moment,
            allowed="an instant with a time zone",
            try_instead="datetime(..., tzinfo=UTC)",
        )
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
