"""The ledger in one SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from forecasting.adapters._sql_ledger import SCHEMA_VERSION, START, SqlLedger
from forecasting.adapters._sql_outbox import OUTBOX_COLUMNS
from forecasting.adapters._writer_lock import store_lock
from forecasting.terms.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
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
_OUTBOX = "CREATE TABLE IF NOT EXISTS outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, " + (
    OUTBOX_COLUMNS.format(text="TEXT") + ")"
)


class SqliteLedger(SqlLedger):
    """Ledger and outbox in one SQLite file (WAL, synchronous FULL).

    Parameters
    ----------
    path : Path
        The file; made by the first `record`.
    wait_seconds : float
        How long to wait for another process that writes.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC, datetime
    >>> ledger = SqliteLedger(Path(tempfile.mkdtemp()) / "ledger.db")
    >>> as_of = datetime(2027, 3, 1, tzinfo=UTC)
    >>> ledger.record("risk", [("shop", {"probability": 0.25})], as_of=as_of, run_id="r1")
    1
    >>> ledger.record("risk", [("shop", {"probability": 0.25})], as_of=as_of, run_id="r2")
    0
    >>> ledger.entries("risk", key="shop")[0].payload, ledger.head()[0], ledger.verify()
    ({'probability': 0.25}, 1, ())
    """

    def __init__(self, path: Path, *, wait_seconds: float = 30.0) -> None:
        self.path, self.wait_seconds = path, wait_seconds

    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` under the file's lock and SQLite's own."""
        from sqlalchemy import text

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(self.path, wait_seconds=self.wait_seconds), self._transaction(write=True) as connection:
            if not self._is_ready(connection):
                for statement in _CREATE:
                    connection.execute(text(statement))
                connection.execute(text("INSERT INTO schema_version VALUES (:v)"), {"v": SCHEMA_VERSION})
                connection.execute(text("INSERT INTO head VALUES (0, :start)"), {"start": START})
            return work(connection)

    def _read(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` in one read transaction."""
        if not self.path.exists():
            return empty
        with self._transaction(write=False) as connection:
            return work(connection) if self._is_ready(connection) else empty

    def _write_outbox(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the same file, on an outbox that is there."""
        from sqlalchemy import text

        def ready(connection: Connection) -> T:
            connection.execute(text(_OUTBOX))  # a ledger of an earlier release has none
            return work(connection)

        return self._write(ready)

    def _read_outbox(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` in one read transaction."""
        from sqlalchemy import text

        def there(connection: Connection) -> T:
            found = connection.execute(text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'outbox'"))
            return work(connection) if found.first() is not None else empty

        return self._read(there, empty=empty)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the place of the one that delivers; raises StoreError at once where another process holds it."""
        place = self.path.with_name("watch")
        place.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(place, wait_seconds=0):
            yield

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
