"""The ledger in SQLite: append-only, versioned, each row hashed together with the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.adapters._writer_lock import store_lock
from forecasting.ports import LedgerEntry
from forecasting.terms.errors import InputError, StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

SCHEMA_VERSION = 1

_START = "0" * 64
_CREATE = (
    "CREATE TABLE schema_version (version INTEGER NOT NULL)",
    "CREATE TABLE head (sequence INTEGER NOT NULL, sha256 TEXT NOT NULL)",
    "CREATE TABLE ledger (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,"
    " version INTEGER NOT NULL, as_of TEXT NOT NULL, run_id TEXT NOT NULL, payload TEXT NOT NULL, sha256 TEXT NOT NULL,"
    " UNIQUE (kind, key, version))",
    "CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
    "CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger"
    " BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END",
)
_INSERT = (
    "INSERT INTO ledger (sequence, kind, key, version, as_of, run_id, payload, sha256)"
    " VALUES (:sequence, :kind, :key, :version, :as_of, :run_id, :payload, :sha256)"
)
_LATEST = (
    "SELECT key, version, payload FROM ledger AS a WHERE kind = :kind AND version ="
    " (SELECT max(version) FROM ledger AS b WHERE b.kind = a.kind AND b.key = a.key)"
)


class SqliteLedger:
    """Ledger in one SQLite file (WAL, synchronous FULL).

    Parameters
    ----------
    path : Path
        The file; made by the first `record`.
    wait_seconds : float
        How long to wait for another process that writes.

    Examples
    --------
    >>> import tempfile
    >>> ledger = SqliteLedger(Path(tempfile.mkdtemp()) / "ledger.db")
    >>> as_of = datetime(2027, 3, 1, tzinfo=UTC)
    >>> ledger.record("risk", [("shop", {"probability": 0.25})], as_of=as_of, run_id="r1")
    1
    >>> ledger.record("risk", [("shop", {"probability": 0.25})], as_of=as_of, run_id="r2")
    0
    >>> ledger.entries("risk")[0].payload, ledger.verify()
    ({'probability': 0.25}, ())
    """

    def __init__(self, path: Path, *, wait_seconds: float = 30.0) -> None:
        self.path, self.wait_seconds = path, wait_seconds

    def record(
        self, kind: str, rows: Iterable[tuple[str, Mapping[str, object]]], *, as_of: datetime, run_id: str
    ) -> int:
        """Append the rows whose payload differs from the latest one of their key, in one transaction.

        Parameters
        ----------
        kind : str
            ``attainment``, ``run``, ``risk``, ``proposal``, ``warning`` or ``model_choice``.
        rows : iterable of (key, payload)
            Payloads of plain JSON values, without NaN or infinity.
        as_of : datetime
            Cut-off of the run, with a time zone.
        run_id : str
            Identity of the run.

        Returns
        -------
        int
            Number of rows appended.

        Raises
        ------
        InputError
            For a payload that is not plain JSON, or an `as_of` without a zone.
        StoreError
            Where the file is in use, damaged or not ours.
        """
        from sqlalchemy import text

        moment = _instant(as_of)
        wanted = [(key, canonical_json(payload, argument=f"{kind} {key}")) for key, payload in rows]
        if not wanted:
            return 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(self.path, wait_seconds=self.wait_seconds), self._transaction(write=True) as connection:
            if not self._is_ready(connection):
                for statement in _CREATE:
                    connection.execute(text(statement))
                connection.execute(text("INSERT INTO schema_version VALUES (:v)"), {"v": SCHEMA_VERSION})
                connection.execute(text("INSERT INTO head VALUES (0, :start)"), {"start": _START})
            latest = {row.key: (row.version, row.payload) for row in connection.execute(text(_LATEST), {"kind": kind})}
            sequence, previous = connection.execute(text("SELECT sequence, sha256 FROM head")).one()
            new: list[dict[str, Any]] = []
            for key, payload in wanted:
                version, known = latest.get(key, (0, None))
                if payload == known:
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
                connection.execute(text("UPDATE head SET sequence = :s, sha256 = :h"), head)
        return len(new)

    def entries(self, kind: str | None = None, *, as_of: datetime | None = None) -> Sequence[LedgerEntry]:
        """Return rows in order of sequence.

        Parameters
        ----------
        kind : str or None
            Only rows of this kind.
        as_of : datetime or None
            Only rows whose cut-off is at or before this instant.

        Raises
        ------
        StoreError
            Where the file is in use, damaged or not ours.
        """
        where, values = [], {}
        if kind is not None:
            where.append("kind = :kind")
            values["kind"] = kind
        if as_of is not None:
            where.append("as_of <= :as_of")
            values["as_of"] = _instant(as_of)
        clause = f" WHERE {' AND '.join(where)}" if where else ""
        return tuple(
            LedgerEntry(
                sequence=row.sequence,
                kind=row.kind,
                key=row.key,
                version=row.version,
                as_of=datetime.fromisoformat(row.as_of),
                run_id=row.run_id,
                payload=json.loads(row.payload),
                sha256=row.sha256,
            )
            for row in self._select(f"SELECT * FROM ledger{clause} ORDER BY sequence", values)  # noqa: S608
        )

    def verify(self) -> Sequence[str]:
        """Return the damages found: rows changed, inserted or removed, also at the end (empty = none)."""
        damages: list[str] = []
        previous, expected = _START, 1
        for row in self._select("SELECT * FROM ledger ORDER BY sequence", {}):
            if row.sequence != expected:
                damages.append(f"rows {expected} to {row.sequence - 1} are missing")
            names = ("sequence", "kind", "key", "version", "as_of", "run_id", "payload")
            computed = _row_sha256(previous, {name: getattr(row, name) for name in names})
            if computed != row.sha256 and row.sequence == expected:
                damages.append(f"row {row.sequence} ({row.kind} {row.key}) is not the one that was written")
            previous, expected = row.sha256, row.sequence + 1
        for head in self._select("SELECT sequence, sha256 FROM head", {}):
            if head.sequence >= expected:
                damages.append(f"rows {expected} to {head.sequence} are missing")
            elif (head.sequence, head.sha256) != (expected - 1, previous):
                damages.append("the last row is not the one that was written last")
        return tuple(damages)

    def _select(self, sql: str, values: Mapping[str, object]) -> list[Any]:
        """Run one query; nothing where no row was ever recorded."""
        from sqlalchemy import text

        if not self.path.exists():
            return []
        with self._transaction(write=False) as connection:
            return list(connection.execute(text(sql), values)) if self._is_ready(connection) else []

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        """Open a short connection with one transaction; committed unless an exception leaves it."""
        from sqlalchemy import URL, create_engine, event
        from sqlalchemy.exc import DatabaseError
        from sqlalchemy.pool import NullPool

        milliseconds = int(self.wait_seconds * 1000)
        engine = create_engine(URL.create("sqlite", database=str(self.path)), poolclass=NullPool)

        def prepare(connection: Any, _: object) -> None:
            """Take over transaction control from the driver, and make a commit mean "on disk"."""
            connection.isolation_level = None
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            if write:
                connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        def begin(connection: Connection) -> None:
            """Writers take the write lock at once, so that what they read stays true until they commit."""
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

        event.listen(engine, "connect", prepare)
        event.listen(engine, "begin", begin)
        try:
            with engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise self._unusable(str(error.orig or error), "forecasting doctor; restore a backup if damaged") from error
        finally:
            engine.dispose()

    def _is_ready(self, connection: Connection) -> bool:
        """Tell whether the tables are there; raise StoreError for a file that is not ours or of another version."""
        from sqlalchemy import text

        found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'"))
        tables = {row.name for row in found}
        if not tables:
            return False
        versions: list[object] = []
        if tables >= {"ledger", "head", "schema_version"}:
            versions = list(connection.execute(text("SELECT version FROM schema_version")).scalars())
        if versions != [SCHEMA_VERSION]:
            came = f"schema version {versions[0]}" if versions else "tables " + ", ".join(sorted(tables)[:5])
            raise self._unusable(came, "another file, or the release that wrote it")
        return True

    def _unusable(self, came: str, try_instead: str) -> StoreError:
        """Make the error for a ledger that cannot be used."""
        allowed = f"a ledger of schema version {SCHEMA_VERSION}"
        return StoreError(argument="ledger", came=came, allowed=allowed, try_instead=try_instead, file=self.path.name)


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
