"""Metric rows in one DuckDB file: append-only, each batch with its hash, the file replaced whole."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._atomic import publish
from forecasting.adapters._rows import rows_sha256
from forecasting.adapters._writer_lock import store_lock
from forecasting.ports import IngestReport
from forecasting.terms.errors import InputError, StoreError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1

_COLUMNS = ("service", "metric", "at", "value")
_TABLES = {"metric_row", "batch", "schema_version"}
_CREATE = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE batch (
    id INTEGER NOT NULL, source VARCHAR NOT NULL, rows_read BIGINT NOT NULL, rows_new BIGINT NOT NULL,
    rows_known BIGINT NOT NULL, cleaned VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, stored_sha256 VARCHAR NOT NULL);
CREATE TABLE metric_row (
    service VARCHAR NOT NULL, metric VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL, value DOUBLE NOT NULL,
    batch INTEGER NOT NULL);
"""
_NEW = """
SELECT service, metric, "at", value FROM incoming AS new WHERE NOT EXISTS (
    SELECT 1 FROM metric_row AS known
    WHERE known.service = new.service AND known.metric = new.metric AND known."at" = new."at")
"""
_CONFLICTS = """
SELECT new.service, new.metric, new."at", known.value, new.value, new.position FROM incoming AS new
JOIN metric_row AS known ON known.service = new.service AND known.metric = new.metric AND known."at" = new."at"
WHERE known.value <> new.value ORDER BY new.position
"""
_MOST_SHOWN = 5


class DuckdbMetrics:
    """Metric store in a DuckDB file; a row without a value is counted but not kept (absence says the same).

    Parameters
    ----------
    path : Path
        The file; made by the first `append`.
    memory_limit : str
        Memory DuckDB may use, such as ``1GB``.
    wait_seconds : float
        How long to wait for another process that writes.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> store = DuckdbMetrics(Path(tempfile.mkdtemp()) / "metrics.duckdb")
    >>> rows = pd.DataFrame({"service": ["shop"], "metric": ["orders"], "value": [12.0],
    ...                      "at": pd.to_datetime(["2027-03-01"]).astype("datetime64[us]")})
    >>> [store.append(rows, source="orders", cleaned={}).rows_new for _ in range(2)]
    [1, 0]
    >>> store.read()["value"].tolist(), store.verify()
    ([12.0], ())
    """

    def __init__(self, path: Path, *, memory_limit: str = "1GB", wait_seconds: float = 30.0) -> None:
        self.path, self.memory_limit, self.wait_seconds = path, memory_limit, wait_seconds

    def append(self, rows: pd.DataFrame, *, source: str, cleaned: Mapping[str, int]) -> IngestReport:
        """Add what is new, all or nothing; when it returns, the rows are on disk.

        Parameters
        ----------
        rows : DataFrame
            service, metric, at (naive UTC), value (NaN = missing); other columns are not looked at.
        source : str
            Name for the report.
        cleaned : mapping
            Cells cleaned while reading, by reason.

        Raises
        ------
        InputError
            Where a time is stored already with another value, or twice in `rows`.
        StoreError
            Where the file is in use, damaged or not ours.
        """
        frame = _checked(rows, source)
        digest = rows_sha256(frame)
        present = frame[frame["value"].notna()].reset_index(drop=True)
        numbers = rows.index[rows["value"].notna()] if rows.index.name in ("line", "row") else None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(self.path, wait_seconds=self.wait_seconds), self._next_state() as draft:
            with self._open(draft, read_only=False) as connection:
                connection.execute("BEGIN TRANSACTION")
                if not _is_ready(connection, self.path):
                    connection.execute(_CREATE)
                    connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])
                connection.register("incoming", _as_arrow(present.assign(position=np.arange(len(present)))))
                _refuse_conflicts(connection, source, numbers)
                batch = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM batch").fetchone()[0]
                new = connection.execute(_NEW).df()
                report = IngestReport(
                    source=source,
                    rows_read=len(frame),
                    rows_new=len(new),
                    rows_known=len(present) - len(new),
                    cleaned=dict(cleaned),
                    sha256=digest,
                )
                if not len(new):
                    connection.execute("ROLLBACK")
                    return report
                connection.register("fresh", _as_arrow(new))
                connection.execute(
                    'INSERT INTO metric_row SELECT service, metric, "at", value, ? FROM fresh ORDER BY ALL', [batch]
                )
                facts = [batch, source, len(frame), len(new), report.rows_known]
                facts += [json.dumps(report.cleaned, sort_keys=True), digest, rows_sha256(new)]
                connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", facts)
                connection.execute("COMMIT")
                connection.execute("CHECKPOINT")
            publish(draft, self.path)
        return report

    @contextmanager
    def _next_state(self) -> Iterator[Path]:
        """Give a copy of the file to write to; what is not published of it is removed.

        The store's own file is never written in place: a process killed while DuckDB rewrites its blocks was seen to
        leave a file with a wrong checksum (once in about 700 kills). A copy that replaces the file whole cannot.
        """
        draft = self.path.with_name(self.path.name + ".incoming")
        log = draft.with_name(draft.name + ".wal")
        for left_over in (draft, log):
            left_over.unlink(missing_ok=True)
        try:
            if self.path.exists():
                shutil.copyfile(self.path, draft)
            yield draft
        finally:
            for left_over in (draft, log):
                left_over.unlink(missing_ok=True)

    def read(self, *, until: datetime | None = None) -> pd.DataFrame:
        """Return the rows, sorted by service, metric and time.

        Parameters
        ----------
        until : datetime or None
            Only rows before this instant; naive means UTC.

        Returns
        -------
        DataFrame
            service (text), metric (text), at (datetime64[us], naive UTC), value (float64, never NaN).

        Raises
        ------
        StoreError
            Where nothing has been ingested yet, or the file is in use, damaged or not ours.
        """
        limit = None if until is None else until if until.tzinfo is None else until.astimezone(UTC).replace(tzinfo=None)
        where = "" if limit is None else 'WHERE "at" < ?'
        sql = f'SELECT service, metric, "at", value FROM metric_row {where} ORDER BY service, metric, "at"'  # noqa: S608
        frame = self._query(sql, [] if limit is None else [limit])
        return frame.astype({"at": "datetime64[us]", "value": "float64"})

    def batches(self) -> pd.DataFrame:
        """Return the batches in the order in which they came (id, source, rows_*, cleaned as JSON, sha256)."""
        return self._query("SELECT * FROM batch ORDER BY id", [])

    def verify(self) -> Sequence[str]:
        """Return the damages found: rows changed, removed, added or doubled since they were written (empty = none)."""
        rows = self._query('SELECT service, metric, "at", value, batch FROM metric_row', [])
        batches = self.batches()
        damages = []
        codes = rows["batch"].to_numpy()
        order = np.argsort(codes, kind="stable")
        numbers, starts = np.unique(codes[order], return_index=True)
        groups = dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=False))
        for facts in batches.to_dict("records"):
            part = rows.take(groups.pop(facts["id"], np.empty(0, dtype=np.int64)))
            named = f"batch {facts['id']} ({facts['source']})"
            if len(part) != facts["rows_new"]:
                damages.append(f"{named}: {len(part)} rows, {facts['rows_new']} were written")
            elif rows_sha256(part) != facts["stored_sha256"]:
                damages.append(f"{named}: its rows are not those that were written")
        damages += [f"batch {number}: rows without an entry in the list of batches" for number in sorted(groups)]
        if list(batches["id"]) != list(range(1, len(batches) + 1)):
            damages.append("the numbers of the batches have gaps")
        doubled = int(rows.duplicated(["service", "metric", "at"]).sum())
        if doubled:
            damages.append(f"{doubled} rows for a service, metric and time that has one already")
        return tuple(damages)

    def _query(self, sql: str, parameters: list[object]) -> pd.DataFrame:
        """Run one query on a short read-only connection."""
        if not self.path.exists():
            raise self._unusable("no such store", "forecasting ingest")
        with (
            store_lock(self.path, shared=True, wait_seconds=self.wait_seconds),
            self._open(self.path, read_only=True) as connection,
        ):
            if not _is_ready(connection, self.path):
                raise self._unusable("an empty store", "forecasting ingest")
            frame: pd.DataFrame = connection.execute(sql, parameters).df()
            return frame

    @contextmanager
    def _open(self, path: Path, *, read_only: bool) -> Iterator[Any]:
        """Open the file for a short time; an open transaction is rolled back."""
        import duckdb

        config = {
            "memory_limit": self.memory_limit,
            "enable_external_access": "false",
            "lock_configuration": "true",
            "threads": "2",
        }
        end = time.monotonic() + self.wait_seconds
        try:
            while True:
                try:
                    connection = duckdb.connect(str(path), read_only=read_only, config=config)
                    break
                except duckdb.IOException as error:  # another program, such as the DuckDB shell, has it open
                    if "lock" not in str(error) or time.monotonic() >= end:
                        raise
                    time.sleep(0.05)
            try:
                yield connection
            finally:
                connection.close()
        except duckdb.Error as error:
            first = (str(error).splitlines() or [""])[0]
            raise self._unusable(first, "forecasting doctor; restore a backup if it is damaged") from error

    def _unusable(self, came: str, try_instead: str) -> StoreError:
        """Make the error for a store that cannot be used."""
        allowed = "a metric store of this version"
        return StoreError(argument="store", came=came, allowed=allowed, try_instead=try_instead, file=self.path.name)


def _checked(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the four columns in their types, refusing what no source should hand over."""
    missing = [column for column in _COLUMNS if column not in rows.columns]
    if missing:
        raise _bad_rows(source, f"no column {missing[0]}", ", ".join(_COLUMNS))
    frame = rows[list(_COLUMNS)].reset_index(drop=True)
    if str(frame["at"].dtype).startswith("datetime64") and frame["at"].dt.tz is None and frame["at"].notna().all():
        frame = frame.astype({"at": "datetime64[us]", "value": "float64"})
    else:
        raise _bad_rows(source, f"at: {frame['at'].dtype}", "naive UTC times, none missing")
    for column in ("service", "metric"):
        texts = frame[column]
        if texts.isna().any() or not all(isinstance(name, str) and name for name in texts.unique()):
            raise _bad_rows(source, f"{column} without a name", "text that is not empty")
    frame["value"] = frame["value"] + 0.0
    if np.isinf(frame["value"].to_numpy()).any():
        raise _bad_rows(source, "an infinite value", "finite numbers or NaN")
    if frame.duplicated(["service", "metric", "at"]).any():
        raise _bad_rows(source, "a time twice", "one value for each service, metric and time")
    return frame


def _as_arrow(frame: pd.DataFrame) -> Any:
    """Return the frame as an Arrow table; DuckDB fails on pandas text columns that are views of others."""
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()


def _bad_rows(source: str, came: str, allowed: str) -> InputError:
    """Make the error for rows that are not canonical."""
    return InputError(argument="rows", came=came, allowed=allowed, try_instead="read them with a source", file=source)


def _is_ready(connection: Any, path: Path) -> bool:
    """Tell whether the tables are there; raise StoreError for a file that is not ours or of another version."""
    tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables:
        return False
    versions: list[Any] = []
    if tables >= _TABLES:
        versions = [row[0] for row in connection.execute("SELECT version FROM schema_version").fetchall()]
    if versions != [SCHEMA_VERSION]:
        came = f"schema version {versions[0]}" if versions else "tables " + ", ".join(sorted(tables)[:5])
        raise StoreError(
            argument="store",
            came=came,
            allowed=f"a metric store of schema version {SCHEMA_VERSION}",
            try_instead="another file, or the release that wrote it",
            file=path.name,
        )
    return True


def _refuse_conflicts(connection: Any, source: str, numbers: Any) -> None:
    """Refuse rows whose service, metric and time are stored with another value."""
    found = connection.execute(_CONFLICTS).fetchall()
    if not found:
        return
    shown = [
        f"{service} {metric} {at.isoformat()}Z: stored {old:g}, now {new:g}"
        + ("" if numbers is None else f" ({numbers.name} {numbers[position]})")
        for service, metric, at, old, new, position in found[:_MOST_SHOWN]
    ]
    more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    raise InputError(
        argument=f"{len(found)} rows",
        came="; ".join(shown) + more,
        allowed="the value that is stored (nothing was written)",
        try_instead="correct the file; the store never changes a value",
        file=source,
    )
