"""A PostgreSQL database named by an environment variable: connections, retries, errors without secrets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

from forecasting.terms.errors import StoreError

if TYPE_CHECKING:
    from psycopg import Connection, Error
    from sqlalchemy import URL

T = TypeVar("T")
_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
_SSL = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "gssencmode"})
_QUERY = _SSL | {"application_name", "target_session_attrs", "passfile", "host", "port"}
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,98}[a-z0-9])?")
_LONGEST_SCHEMA = 63
_RECEIPT = (
    "CREATE TABLE IF NOT EXISTS receipt (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text NOT NULL)"
)
_FORGET = "DELETE FROM receipt WHERE id <= (SELECT max(id) FROM receipt) - 1000"
"""Receipts are asked for within seconds; a thousand writes later nobody will."""
_OLDEST = 13
_PAUSE_SECONDS = 0.25
_KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A server that is silently gone is noticed within about a minute."""
_AGAIN = ("08", "40", "57P01", "57P02", "57P03", "53300")
"""SQLSTATEs after which a new connection may succeed: lost, conflicting, shut down, starting up, too many."""
_AWAY = re.compile(
    "refused|timeout|timed out|translate host name|name or service|no such file|unreachable|closed the connection"
    "|reset by peer|connection is lost",
    re.IGNORECASE,
)
_SOON = re.compile(
    "starting up|shutting down|recovery mode|not yet accepting|too many (clients|connections)|connection slots",
    re.IGNORECASE,
)
"""What a server says that takes connections in a moment: it is waited for as long as a connection may take."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong with a connection or a statement, as texts that hold no secret."""

    said: str
    state: str = ""
    """SQLSTATE; empty where the server gave none."""
    lost: bool = False
    """True where the connection is gone, so that a new one may succeed."""


@dataclass(frozen=True, kw_only=True)
class _Done(Generic[T]):
    """What a transaction that was committed returned."""

    value: T


class Postgres:
    """A PostgreSQL database; the password stays in the environment and is read only to connect.

    Parameters
    ----------
    url_env : str
        Environment variable with the URL, such as ``postgresql://user:password@host:5432/database``.
    namespace : str
        Name of the project; its tables are in a schema of their own, made by the first write.
    wait_seconds : float
        How long to wait for another writer.
    connect_seconds, statement_seconds : float
        How long a connection and one statement may take.
    tries : int
        How often a lost connection is opened in all.

    Raises
    ------
    StoreError
        For a namespace that is not a plain name.

    Examples
    --------
    >>> Postgres("FORECASTING_STORE_URL", namespace="new-york-airports").schema
    'forecasting_new_york_airports'
    """

    def __init__(
        self,
        url_env: str,
        *,
        namespace: str = "default",
        wait_seconds: float = 30.0,
        connect_seconds: float = 10.0,
        statement_seconds: float = 600.0,
        tries: int = 3,
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            allowed = "small letters, digits and dashes, 100 at most"
            raise StoreError(argument="namespace", came=namespace, allowed=allowed, try_instead="airports")
        schema = "forecasting_" + namespace.replace("-", "_")
        if len(schema) > _LONGEST_SCHEMA:
            schema = f"{schema[:50]}_{hashlib.sha256(namespace.encode()).hexdigest()[:12]}"
        self.url_env, self.schema, self.wait_seconds = url_env, schema, wait_seconds
        self.connect_seconds, self.statement_seconds, self.tries = connect_seconds, statement_seconds, max(tries, 1)

    def lock_key(self, part: str) -> int:
        """Return the number of the advisory lock that writers of a part of this schema take."""
        return int.from_bytes(hashlib.sha256(f"{self.schema}/{part}".encode()).digest()[:8], "big", signed=True)

    def connect(self) -> Connection:
        """Return a new connection in autocommit mode, prepared for this store; tried again while the server is away.

        Raises
        ------
        StoreError
            Where the variable is not set or no address, or the server is away or refuses.
        """
        self.require_driver()
        began, attempt = time.monotonic(), 0
        while True:
            found = self._open()
            if not isinstance(found, Failure):
                return found
            attempt += 1
            soon = bool(_SOON.search(found.said)) and time.monotonic() - began < self.connect_seconds
            if not soon and (attempt >= self.tries or not found.lost):
                break
            time.sleep(min(_PAUSE_SECONDS * 2**attempt, 1.0))
        raise self.error(found)

    def transaction(
        self,
        work: Callable[[Connection], T],
        *,
        write: bool,
        connect: Callable[[], Connection] | None = None,
    ) -> T:
        """Run `work` in one transaction and return what it returns; again on a new connection where one is lost.

        A connection lost while it commits leaves open whether the transaction counts. Every write leaves a receipt
        in its own transaction, and the server is then asked for that, so that nothing is done twice.

        Parameters
        ----------
        work : function of a psycopg connection
            Must be safe to call again after its transaction was rolled back.
        write : bool
            False: one read-only snapshot for all statements.
        connect : function or None
            Gives the connection to use, which its owner closes; None = a new one each time, closed here.

        Raises
        ------
        StoreError
            Where the server stays away, refuses, or stops a statement.
        """
        self.require_driver()
        failure = Failure(said="not tried")
        for attempt in range(self.tries):
            if attempt:
                time.sleep(_PAUSE_SECONDS * 2**attempt)
            connection = self._begun(connect or self.connect)
            if isinstance(connection, Failure):
                failure = connection
                continue
            try:
                outcome = self._attempt(connection, work, write)
            finally:
                if connect is None:
                    connection.close()
            if isinstance(outcome, _Done):
                return outcome.value
            failure = outcome
            if not (failure.lost or failure.state.startswith(_AGAIN)):
                break
        raise self.error(failure)

    def _begun(self, connect: Callable[[], Connection]) -> Connection | Failure:
        """Return a connection, or how it was lost while it was prepared."""
        import psycopg

        try:
            return connect()
        except psycopg.Error as error:
            return self.failure(error, lost=True)

    def require_driver(self) -> None:
        """Raise StoreError where the driver is not installed."""
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise StoreError(
                argument=self.url_env,
                came=_first_line(str(error)),
                allowed="PostgreSQL's driver psycopg",
                try_instead="pip install 'service-forecasting[postgres]'",
            ) from error

    def _attempt(self, connection: Connection, work: Callable[[Connection], T], write: bool) -> _Done[T] | Failure:
        """Run the transaction once."""
        import psycopg

        number, done, token = None, None, str(uuid4())
        try:
            connection.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                value = work(connection)
                if write:
                    found = connection.execute("SELECT pg_current_xact_id_if_assigned()::text").fetchone()
                    number = found[0] if found else None
                if number is not None:
                    connection.execute("INSERT INTO receipt (token) VALUES (%s)", [token])
                    connection.execute(_FORGET)
            except BaseException:
                if not connection.closed:
                    connection.execute("ROLLBACK")
                raise
            done = _Done(value=value)
            connection.execute("COMMIT")
            return done
        except psycopg.Error as error:
            failure = self.failure(error, lost=connection.closed)
        if done is not None and number is not None and failure.lost and self._was_committed(number, token):
            return done
        return failure

    def _was_committed(self, number: str, token: str) -> bool:
        """Ask the server, on a new connection, for the receipt of a transaction whose commit was not acknowledged.

        The number alone does not tell: a server that crashed before it wrote the commit gives the number again, and
        another transaction under it may have committed.
        """
        import psycopg

        end = time.monotonic() + self.wait_seconds
        while True:
            with self.connect() as connection:
                try:
                    found = connection.execute("SELECT pg_xact_status(%s::text::xid8)", [number]).fetchone()
                    running = found is not None and found[0] == "in progress"
                except psycopg.errors.InvalidParameterValue:  # the crashed server has never heard of the number
                    running = False
                if not running:
                    # Of the very first write the table itself may have been lost with it.
                    table = connection.execute("SELECT to_regclass('receipt')").fetchone()
                    if table is None or table[0] is None:
                        return False
                    there = connection.execute("SELECT 1 FROM receipt WHERE token = %s", [token]).fetchone()
                    return there is not None
            if time.monotonic() >= end:
                raise self.error(Failure(said=f"transaction {number} still in progress after a lost connection"))
            time.sleep(_PAUSE_SECONDS)

    def _open(self) -> Connection | Failure:
        """Open one connection and prepare its session."""
        import psycopg

        url = self._url()
        secret = str(url.password or "")
        parts = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
        options: dict[str, Any] = {
            "application_name": "forecasting",
            **{name: str(value) for name, value in url.query.items()},
            **{name: value for name, value in parts.items() if value not in (None, "")},
            **_KEEPALIVE,
            "dbname": url.database,
            "client_encoding": "utf8",
            "connect_timeout": max(int(self.connect_seconds), 2),
        }
        del url, parts
        try:
            connection = psycopg.connect(autocommit=True, prepare_threshold=None, **options)
        except (psycopg.Error, ValueError, TypeError) as error:
            said = _first_line(str(error).replace(secret, "***") if secret else str(error))
            return Failure(said=said, lost=bool(_AWAY.search(said) or _SOON.search(said)))
        try:
            self._prepare(connection)
        except psycopg.Error as error:
            failure = self.failure(error, lost=connection.closed)
            connection.close()
            return failure
        if connection.info.server_version < _OLDEST * 10_000:
            connection.close()
            return Failure(said=f"PostgreSQL {connection.info.server_version // 10_000}", state="old")
        return connection

    def _prepare(self, connection: Connection) -> None:
        """Set what must not depend on the server's or the user's defaults."""
        settings = {
            "search_path": f'"{self.schema}"',
            "timezone": "UTC",
            "synchronous_commit": "on",
            "work_mem": "64MB",
            "temp_buffers": "64MB",
            "default_transaction_isolation": "read committed",
            "statement_timeout": str(int(self.statement_seconds * 1000)),
            "lock_timeout": str(max(int(self.wait_seconds * 1000), 1)),
            "idle_in_transaction_session_timeout": str(int(self.statement_seconds * 1000)),
        }
        calls = ", ".join("set_config(%s, %s, false)" for _ in settings)
        connection.execute(f"SELECT {calls}", [text for pair in settings.items() for text in pair])

    def _url(self) -> URL:
        """Return the address in the environment variable; what is wrong with it is said without showing it."""
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        url, problem = None, ""
        text = os.environ.get(self.url_env, "").strip()
        with contextlib.suppress(ArgumentError, ValueError):
            url = make_url(text) if text else None
        del text
        if url is None:
            problem = "nothing" if not os.environ.get(self.url_env, "").strip() else "no address (not shown)"
        elif url.drivername not in _DRIVERS:
            problem = f"an address of {url.drivername.split('+')[0]}"
        elif not url.database:
            problem = "an address without a database"
        elif set(url.query) - _QUERY:
            problem = f"option {min(set(url.query) - _QUERY)}"
        if url is None or problem:
            del url
            raise StoreError(
                argument=self.url_env,
                came=problem,
                allowed="postgresql://user:password@host:5432/database, with options of libpq after a ?",
                try_instead=f"set the environment variable {self.url_env}",
            )
        return url

    def failure(self, error: Error, *, lost: bool) -> Failure:
        """Return what an error of the driver says."""
        state = error.sqlstate or ""
        return Failure(said=_first_line(str(error)), state=state, lost=lost or state.startswith(("08", "57P0")))

    def error(self, failure: Failure) -> StoreError:
        """Make the error for the user."""
        said, state = failure.said, failure.state
        allowed, try_instead = "a PostgreSQL database that can be used", "forecasting doctor"
        for pattern, rule, hint in _HINTS:
            if re.search(pattern, state or "none") or re.search(pattern, said, re.IGNORECASE):
                allowed, try_instead = rule, hint
                break
        else:
            if failure.lost:
                allowed, try_instead = (
                    "a PostgreSQL server that answers",
                    "start it, or correct host and port; then again",
                )
        return StoreError(argument=self.url_env, came=said, allowed=allowed, try_instead=try_instead)

    def unusable(self, came: str, *, allowed: str, try_instead: str) -> StoreError:
        """Make the error for tables that are not as they should be."""
        return StoreError(
            argument=f"schema {self.schema} ({self.url_env})", came=came, allowed=allowed, try_instead=try_instead
        )

    def has_part(self, connection: Connection, part: str, version: int) -> bool:
        """Tell whether the tables of a part (``metrics`` or ``ledger``) are there.

        Raises
        ------
        StoreError
            For tables of another version, or of somebody else.
        """
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [self.schema]).fetchall()
        tables = {str(row[0]) for row in rows}
        if not tables:
            return False
        found = None
        if "schema_version" in tables:
            found = connection.execute("SELECT version FROM schema_version WHERE part = %s", [part]).fetchone()
            if found is None:
                return False
        if found is None or found[0] != version:
            came = f"version {found[0]} of {part}" if found else "tables " + ", ".join(sorted(tables)[:5])
            allowed = f"tables of version {version} of {part}, or an empty schema"
            raise self.unusable(came, allowed=allowed, try_instead="another schema, or the release that wrote it")
        return True

    def create_part(self, connection: Connection, part: str, version: int, statements: Sequence[str]) -> None:
        """Make the tables of a part where they are not there yet; call it with the part's advisory lock held.

        Raises
        ------
        StoreError
            For tables of another version, or of somebody else, or a database that is not in UTF-8.
        """
        if self.has_part(connection, part, version):
            return
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            came = f"a database in {encoding}"
            raise self.unusable(came, allowed="a database in UTF8", try_instead="CREATE DATABASE ... ENCODING 'UTF8'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [self.lock_key("schema")])
        if connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [self.schema]).fetchone() is None:
            connection.execute(f'CREATE SCHEMA "{self.schema}"')
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (part text PRIMARY KEY, version int NOT NULL)")
        connection.execute(_RECEIPT)
        connection.execute(_APPEND_ONLY)
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_version VALUES (%s, %s)", [part, version])


_APPEND_ONLY = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the % is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def append_only(table: str) -> str:
    """Return the statement that makes the server refuse changes of a table (one of ours, never a name from outside).

    Examples
    --------
    >>> append_only("ledger")[:50]
    'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE'
    """
    return (
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


_RIGHTS = "GRANT CREATE ON DATABASE (or make the schema and GRANT USAGE, CREATE on it), and SELECT, INSERT, UPDATE"
_HINTS = (
    ("password|28P01|no pg_hba|28000|role .* does not exist", "a user and password the server knows",
     "correct the user or the password in the variable"),
    ("^3D000|database .* does not exist", "a database that exists", "CREATE DATABASE, or correct its name"),
    ("^42501|permission denied", "a user with rights on the schema", _RIGHTS),
    ("^25006", "a server that takes writes", "the primary server (target_session_attrs=read-write)"),
    ("^55P03", "one writer at a time", "wait until the other writer has ended"),
    ("^57014", "statements within the time limit", "try again when the server is less busy"),
    ("^53100|^53", "a server with free space and memory", "free space on the server, then again"),
    ("^old$", f"PostgreSQL {_OLDEST} or newer", "upgrade the server"),
    ("^(22|23)|^54", "values PostgreSQL can keep", "correct the value; nothing was written"),
)  # fmt: skip


def _first_line(text: str) -> str:
    """Return the first line of a message."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "no message")
