"""Temporary tables of one append in PostgreSQL, filled again where a connection is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from forecasting.adapters._postgres import Failure, Postgres
from forecasting.adapters._postgres_copy import copy_in

if TYPE_CHECKING:
    from psycopg import Connection

T = TypeVar("T")
_NAME = 'text COLLATE "C" NOT NULL'
_STAGE = (
    "CREATE TEMP TABLE incoming (code int NOT NULL, at timestamp NOT NULL, value double precision NOT NULL,"
    " number bigint NOT NULL)",
    f"CREATE TEMP TABLE incoming_series (code int NOT NULL, service {_NAME}, metric {_NAME})",
)
_KEPT_BYTES = 128 * 1024**2


class Stage:
    """The temporary tables of one append, filled again on a new connection where one is lost."""

    def __init__(self, database: Postgres) -> None:
        self.database = database
        self.connection: Connection | None = None
        self.size = 0
        self.kept: list[bytes] | None = []
        """What was copied so far, for a new connection; None where that became too much to keep."""

    def put(self, data: bytes) -> None:
        """Copy rows into the temporary table."""
        self.size += len(data)
        if self.kept is not None:
            self.kept.append(data)
            if self.size > _KEPT_BYTES and len(self.kept) > 1:
                self.kept = None
        self._filled(data)

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction on a connection that has the rows staged."""
        return self.database.transaction(work, write=True, connect=self._filled)

    def _filled(self, data: bytes | None = None) -> Connection:
        """Return the connection with `data` copied as well; a new one gets everything that was kept."""
        import psycopg

        failure = Failure(said="not tried")
        for _ in range(self.database.tries):
            old = self.connection if self.connection is not None and not self.connection.closed else None
            if old is None and self.kept is None:
                said = "the connection was lost in the middle of many rows; nothing was written"
                raise self.database.error(Failure(said=said, lost=True))
            connection = old or self.database.connect()
            try:
                if old is None:
                    for statement in _STAGE:
                        connection.execute(statement)
                for part in (self.kept or []) if old is None else [] if data is None else [data]:
                    copy_in(connection, "incoming", part)
                self.connection = connection
                return connection
            except psycopg.Error as error:
                failure = self.database.failure(error, lost=connection.closed)
                connection.close()
            if not failure.lost:
                break
        raise self.database.error(failure)

    def close(self) -> None:
        """Drop everything that was not committed."""
        if self.connection is not None:
            self.connection.close()
