"""The ledger in PostgreSQL, shared by several people and machines."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from forecasting.adapters._postgres import Postgres, append_only
from forecasting.adapters._sql_ledger import SCHEMA_VERSION, START, SqlLedger
from forecasting.adapters._sql_outbox import OUTBOX_COLUMNS, OUTBOX_VERSION
from forecasting.terms.errors import StoreError

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
_PART = "ledger"
# Collation "C": texts compare by their bytes, as in Python and SQLite, whatever the database's language.
_CREATE = (
    "CREATE TABLE ledger_head (sequence bigint NOT NULL, sha256 text NOT NULL)",
    'CREATE TABLE ledger (sequence bigint PRIMARY KEY, kind text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,'
    ' version int NOT NULL, as_of text COLLATE "C" NOT NULL, run_id text COLLATE "C" NOT NULL, payload text NOT NULL,'
    " sha256 text NOT NULL, UNIQUE (kind, key, version))",
    append_only("ledger"),
    f"INSERT INTO ledger_head VALUES (0, '{START}')",  # noqa: S608
)
_OUTBOX_PART = "outbox"
_OUTBOX = (
    "CREATE TABLE outbox (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    + OUTBOX_COLUMNS.format(text='text COLLATE "C"')
    + ")",
)


class PostgresLedger(SqlLedger):
    """Ledger and outbox in a schema of a PostgreSQL database; writers take turns by an advisory lock.

    The lock is held by one transaction at a time, whose statements read what was committed before it (READ COMMITTED),
    so that the hash chain never forks; the server itself refuses UPDATE, DELETE and TRUNCATE of rows.

    Parameters
    ----------
    url_env : str
        Environment variable with the URL, such as ``postgresql://user:password@host:5432/database``.
    namespace : str
        Name of the project; its tables are in a schema of their own, made by the first `record`.
    wait_seconds : float
        How long to wait for another writer.
    statement_seconds : float
        How long one statement may take.

    Examples
    --------
    >>> PostgresLedger("NO_SUCH_VARIABLE").head()
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.StoreError: NO_SUCH_VARIABLE: got 'nothing'; allowed: postgresql://user:password@...
    """

    head_table = "ledger_head"

    def __init__(
        self,
        url_env: str,
        *,
        namespace: str = "default",
        wait_seconds: float = 30.0,
        statement_seconds: float = 600.0,
    ) -> None:
        self.database = Postgres(
            url_env, namespace=namespace, wait_seconds=wait_seconds, statement_seconds=statement_seconds
        )

    def _write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` under the advisory lock of this ledger."""

        def locked(raw: psycopg.Connection, connection: Connection) -> T:
            raw.execute("SELECT pg_advisory_xact_lock(%s)", [self.database.lock_key(_PART)])
            self.database.create_part(raw, _PART, SCHEMA_VERSION, _CREATE)
            return work(connection)

        return self._transaction(locked, write=True)

    def _read(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` on one snapshot."""

        def ready(raw: psycopg.Connection, connection: Connection) -> T:
            return work(connection) if self.database.has_part(raw, _PART, SCHEMA_VERSION) else empty

        return self._transaction(ready, write=False)

    def _write_outbox(self, work: Callable[[Connection], T]) -> T:
        """Run `work` under the same lock, in the same transaction as what it appends to the ledger."""

        def locked(raw: psycopg.Connection, connection: Connection) -> T:
            raw.execute("SELECT pg_advisory_xact_lock(%s)", [self.database.lock_key(_PART)])
            self.database.create_part(raw, _PART, SCHEMA_VERSION, _CREATE)
            self.database.create_part(raw, _OUTBOX_PART, OUTBOX_VERSION, _OUTBOX)
            return work(connection)

        return self._transaction(locked, write=True)

    def _read_outbox(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` on one snapshot."""

        def ready(raw: psycopg.Connection, connection: Connection) -> T:
            return work(connection) if self.database.has_part(raw, _OUTBOX_PART, OUTBOX_VERSION) else empty

        return self._transaction(ready, write=False)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the place of the one that delivers, for as long as its own connection lasts."""
        with self.database.connect() as connection:
            # The server frees it when the connection ends, also that of a killed process.
            taken = connection.execute("SELECT pg_try_advisory_lock(%s)", [self.database.lock_key("watch")]).fetchone()
            if taken is None or not taken[0]:
                raise StoreError(
                    argument="store",
                    came="in use by another watch on the same database",
                    allowed="one watch at a time",
                    try_instead="stop the other one",
                )
            yield

    def _transaction(self, work: Callable[[psycopg.Connection, Connection], T], *, write: bool) -> T:
        """Run `work` in one transaction, on a connection of psycopg and one of SQLAlchemy that stands on it.

        The transaction is begun and ended on the connection of psycopg; SQLAlchemy's only runs statements in it.
        """
        self.database.require_driver()
        import psycopg
        from sqlalchemy.exc import DBAPIError

        opened: list[Connection] = []

        def renewed() -> psycopg.Connection:
            while opened:
                _close(opened.pop())
            try:
                opened.append(self._engine.connect())
            except DBAPIError as error:  # lost while SQLAlchemy asked for the server's version
                raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from None
            raw = opened[-1].connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            return raw

        def unwrapped(raw: psycopg.Connection) -> T:
            try:
                return work(raw, opened[-1])
            except DBAPIError as error:
                raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from None

        try:
            return self.database.transaction(unwrapped, write=write, connect=renewed)
        finally:
            while opened:
                _close(opened.pop())

    @cached_property
    def _engine(self) -> Engine:
        """SQLAlchemy's view of the database; connections are opened by `Postgres` and not kept."""
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        return create_engine(
            "postgresql+psycopg://",
            creator=self.database.connect,
            poolclass=NullPool,
            hide_parameters=True,
            use_native_hstore=False,
        )


def _close(connection: Connection) -> None:
    """Close a connection that may be lost already."""
    from sqlalchemy.exc import SQLAlchemyError

    with contextlib.suppress(SQLAlchemyError):
        connection.close()
