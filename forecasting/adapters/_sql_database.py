"""Opens any database that SQLAlchemy knows for reading one SELECT; secrets stay out of every message."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from forecasting.adapters._input_file import inside
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SQLITE = ("sqlite", "sqlite+pysqlite")
_CONNECT_SECONDS = 10
_STATEMENT_SECONDS = 600
_ALLOWED = "a URL of SQLAlchemy such as postgresql://user:password@host/database or sqlite:///metrics.db"


class SqlDatabase:
    """The database of one source; its URL is read from the environment (or the project) each time it is opened.

    Parameters
    ----------
    spec : SourceSpec
        url or url_env, zone.
    root : Path
        Folder that a relative path to a SQLite file starts from.
    environment : mapping or None
        Environment variables; None = those of this process.

    Examples
    --------
    >>> with SqlDatabase(SourceSpec(name="sales", url_env="NOT_SET"), Path("."), {}).reading():
    ...     pass
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: sales: urlEnv NOT_SET: got None; allowed: a URL of SQLAlchemy such as ...
    """

    def __init__(self, spec: SourceSpec, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self.spec, self.root = spec, root
        self._environment = environment

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection in a read-only transaction, which is rolled back at the end.

        Raises
        ------
        InputError
            For a URL that is none, has a password in the project file, or needs a driver that is not there.
        ForecastingError
            Where the database is away, refuses, or cannot run what is asked inside the block.
        """
        from sqlalchemy.exc import DBAPIError, SQLAlchemyError

        engine, secret = self._engine()
        failure: ForecastingError | None = None
        connection: Connection | None = None
        try:
            connection = engine.connect()
            self._begin(connection)
            yield connection
        except DBAPIError as error:
            failure = self._failure(str(error.orig or error), secret)
        except (SQLAlchemyError, OSError) as error:
            failure = self._failure(str(error), secret)
        finally:
            if connection is not None:
                with contextlib.suppress(SQLAlchemyError):  # all of it was read, or the reason is known already
                    connection.close()
            engine.dispose()
        del engine, secret  # a traceback that shows local names must not show it
        if failure is not None:
            raise failure

    def _begin(self, connection: Connection) -> None:
        """Make the transaction read-only where the database has such a thing, and its clock that of the source."""
        if connection.dialect.name != "postgresql":
            return
        connection.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        settings = {"TimeZone": self.spec.zone, "statement_timeout": f"{_STATEMENT_SECONDS}s"}
        for name, value in settings.items():
            connection.exec_driver_sql("SELECT set_config(%s, %s, true)", (name, value))

    def _engine(self) -> tuple[Engine, str]:
        """Return an engine without a pool, and the password that no message may show."""
        from sqlalchemy import create_engine
        from sqlalchemy.exc import SQLAlchemyError
        from sqlalchemy.pool import NullPool

        url = self._url()
        secret, problem = str(url.password or ""), ""
        options: dict[str, Any] = {"poolclass": NullPool, "hide_parameters": True}
        if url.drivername in _SQLITE:
            options["creator"] = self._sqlite(url)
            url = url.set(drivername="sqlite", database=None)
        elif url.drivername in _POSTGRES:
            url = url.set(drivername="postgresql+psycopg")
            options["connect_args"] = {"connect_timeout": _CONNECT_SECONDS, "application_name": "forecasting"}
        try:
            return create_engine(url, **options), secret
        except ImportError as error:
            problem = f"no driver: module {error.name} is not installed"
        except SQLAlchemyError:
            problem = f"an address of {url.drivername}, which is not known here"
        del secret
        raise self._wrong(problem, "install the driver of the database, such as service-forecasting[postgres]")

    def _url(self) -> URL:
        """Return the URL; what is wrong with it is said without showing it."""
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        env = self.spec.url_env
        found = (os.environ if self._environment is None else self._environment).get(env, "") if env else self.spec.url
        if not found.strip():
            raise self._wrong(None, f"set the environment variable {env}" if env else "url, or urlEnv")
        url = None
        with contextlib.suppress(ArgumentError, ValueError):
            url = make_url(found.strip())
        del found
        if url is None:
            raise self._wrong("a text that is no URL (not shown)", "correct it")
        if not env and url.password is not None:
            del url
            raise self._wrong("a URL with a password in the project file", "urlEnv: NAME_OF_A_VARIABLE")
        return url

    def _sqlite(self, url: URL) -> Any:
        """Return what opens a SQLite file for reading; one named in the project must be inside the workspace."""
        import sqlite3

        name = url.database or ""
        if not name or name == ":memory:" or name.startswith("file:") or url.query:
            raise self._wrong(name or "no file", "sqlite:///metrics.db")
        path = Path(name)
        if not (self.spec.url_env and path.is_absolute()):
            path = inside(self.root, name, argument="url", file=self.spec.name)
        if not path.is_file():
            raise self._wrong(path.name, "the path of a SQLite file that is there")

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, timeout=30)
            connection.execute("PRAGMA query_only = ON")
            return connection

        return connect

    def _wrong(self, came: object, hint: str) -> InputError:
        """Make the error for a URL that cannot be used."""
        argument = f"urlEnv {self.spec.url_env}" if self.spec.url_env else "url"
        return InputError(argument=argument, came=came, allowed=_ALLOWED, try_instead=hint, file=self.spec.name)

    def _failure(self, said: str, secret: str) -> ForecastingError:
        """Make the error for a database that is away or refuses."""
        lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no message"]
        text = lines[0].replace(secret, "***") if secret else lines[0]
        return ForecastingError(
            argument="database",
            came=text,
            allowed="a database that answers the query",
            try_instead="check that it runs, the address, the user's rights, and the query in its own shell",
            file=self.spec.name,
        )
