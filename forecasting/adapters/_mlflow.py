"""What every use of MLflow shares: its environment, names it accepts, its database, and its errors in our words."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from forecasting.terms.errors import StoreError

ENVIRONMENT = {
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Always set: no pickle, no telemetry, no chatter."""
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
"""Set where nothing else is: MLflow itself would try a server that is gone for minutes."""
DATABASE = "mlflow.db"


@contextmanager
def mlflow_errors(what: str, place: str) -> Iterator[None]:
    """Set MLflow up, and turn its errors into one `StoreError` that holds no secret.

    Parameters
    ----------
    what : str
        What is being used, such as ``model log``.
    place : str
        File or server as it may be shown.
    """
    # Read by MLflow while it is imported, so they have to be there before.
    os.environ.update(ENVIRONMENT)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    from alembic.util.exc import CommandError
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    # Silent steps: a hundred migrations of a new database would otherwise be listed on the screen.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    wrong: StoreError | None = None
    try:
        yield
    except (MlflowException, SQLAlchemyError, CommandError, OSError, RequestException) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        wrong = StoreError(
            argument=what,
            came=without_secrets(first),
            allowed="an MLflow database or server of this version that is not in use and can be reached",
            try_instead="switch the model log off, or move the file away"
            if place == DATABASE
            else "check that the server answers and the name is one it has",
            file=place,
        )
    if wrong is not None:
        # Outside of the except block: what MLflow said, and with it an address, must not hang on to our error.
        raise wrong


def without_secrets(text: str) -> str:
    """Return a message in which no address shows its account, password or query.

    Examples
    --------
    >>> without_secrets("no answer of https://me:p4ss@mlflow.example/api?token=abc after 2 tries")
    'no answer of https://***@mlflow.example/api?*** after 2 tries'
    """
    hidden = re.sub(r"(://)[^\s/]*@", r"\1***@", text)
    return re.sub(r"(://[^\s?'\"]*)\?[^\s'\")]*", r"\1?***", hidden)


def metric_name(text: str) -> str:
    """Return a name MLflow accepts for any service name; unusual ones get a hash, so that no two become one.

    Examples
    --------
    >>> metric_name("lga-dl"), metric_name("shop [eu]")
    ('lga-dl', 'shop _eu_-7e79ace0')
    """
    safe = re.sub(r"[^A-Za-z0-9_ .-]", "_", text)[:120].strip(" .")
    if safe == text and safe:
        return safe
    return f"{safe or 'x'}-{hashlib.sha256(text.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"


def start_database(path: Path) -> None:
    """Begin a new database in WAL mode: MLflow's first migrations then wait for the disk 283 instead of 1,084 times."""
    if not path.exists():
        import sqlite3

        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
