"""Metric rows and tickets in one DuckDB file: append-only, each batch with its hash, the file replaced whole."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._atomic import publish
from forecasting.adapters._metric_batch import MetricBatch, write_entry, write_state
from forecasting.adapters._metric_schema import SCHEMA_VERSION, create, damages_of, migrate, series_names, version_of
from forecasting.adapters._row_digest import RowDigest
from forecasting.adapters._ticket_rows import checked_tickets, compare_tickets, no_tickets, tickets_sha256
from forecasting.adapters._writer_lock import store_lock
from forecasting.ports import Corrections, IngestReport
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_MARGIN_BYTES = 1 << 20
_BATCHES = "id, source, rows_read, rows_new, rows_known, rows_restated, cleaned, sha256"
_TICKETS = ", ".join(TICKET_COLUMNS)
_LATEST_TICKETS = f"""
SELECT {_TICKETS} FROM (
    SELECT *, row_number() OVER (PARTITION BY service, ticket ORDER BY batch DESC) AS age FROM ticket_row
    WHERE batch <= ?)
WHERE age = 1 ORDER BY service, ticket
"""  # noqa: S608 - names of columns, from a constant
_ADD_TICKETS = f"INSERT INTO ticket_row SELECT {_TICKETS}, ? FROM fresh ORDER BY ALL"  # noqa: S608
_ROWS = 'SELECT w.rank, r."at", r.value FROM metric_row AS r JOIN wanted AS w ON w.series = r.series'
_VALID = """r.batch <= ? AND NOT EXISTS (
    SELECT 1 FROM restatement AS s
    WHERE s.series = r.series AND s."at" = r."at" AND s.replaces = r.batch AND s.batch <= ?)"""

_EXTENT = f"""
SELECT service, metric, rows, first, last FROM series JOIN (
    SELECT r.series, count(*) AS rows, min(r."at") AS first, max(r."at") AS last FROM metric_row AS r
    WHERE {_VALID} AND (r."at" < ? OR CAST(? AS TIMESTAMP) IS NULL) GROUP BY r.series) AS found
ON found.series = series.series ORDER BY service, metric
"""  # noqa: S608 - a condition, from a constant


class DuckdbMetrics:
    """Metric store in a DuckDB file; a row without a value is counted but not kept (absence says the same).

    The file is never written in place: an ingest works on a copy beside it, which replaces the file whole once
    everything is on disk. Readers need no lock and see the state before or after.

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
    >>> [store.append([(rows, {})], source="orders").rows_new for _ in range(2)]
    [1, 0]
    >>> later = [(rows.assign(value=13.0), {})]
    >>> store.append(later, source="orders", corrections="restate").rows_restated
    1
    >>> store.read()["value"].tolist(), store.read(batch=1)["value"].tolist(), store.verify()
    ([13.0], [12.0], ())
    """

    def __init__(self, path: Path, *, memory_limit: str = "768MB", wait_seconds: float = 30.0) -> None:
        self.path, self.memory_limit, self.wait_seconds = path, memory_limit, wait_seconds

    def append(
        self,
        chunks: Iterable[tuple[pd.DataFrame, Mapping[str, int]]],
        *,
        source: str,
        state: Callable[[], str] | None = None,
        corrections: Corrections = "refuse",
    ) -> IngestReport:
        """Add what is new of all chunks, all or nothing; when it returns, the rows are on disk.

        Parameters
        ----------
        chunks : iterable of (DataFrame, mapping)
            service, metric, at (naive UTC), value (NaN = missing), other columns are not looked at; and the cells
            cleaned while reading, by reason. Read one at a time, so memory is bounded by the largest chunk.
        source : str
            Name for the report and for `state_of`.
        state : callable or None
            Asked once the chunks are exhausted for what to remember of the source.
        corrections : str
            ``refuse`` another value for a stored time, or ``restate``: keep it as a later version.

        Returns
        -------
        IngestReport
            `sha256` is over the rows with a value. A row that was stored before and comes in two chunks of one source
            counts twice; any other that comes twice with one value counts once, and as cleaned.

        Raises
        ------
        InputError
            Where a time is stored already with another value, or came twice with different values.
        StoreError
            Where the folder cannot be written (found before anything is read) or has no room, or the file is in use,
            damaged or not ours. Nothing is changed then.
        """
        with self._turn():
            iterator = iter(chunks)
            first = next(iterator, None)
            if first is None:
                return self._nothing_new(source, state)
            with self._draft() as draft:
                with self._open(draft, read_only=False) as connection:
                    self._prepare(connection)
                    batch = MetricBatch(connection, source, corrections)
                    batch.add(*first)
                    first = None
                    for rows, cleaned in iterator:
                        batch.add(rows, cleaned)
                    report, changed = batch.finish(None if state is None else state())
                    if changed:
                        connection.execute("CHECKPOINT")
                if changed:
                    publish(draft, self.path)
        return report

    def append_tickets(self, tickets: pd.DataFrame, *, source: str, cleaned: Mapping[str, int]) -> IngestReport:
        """Add new tickets and new states of known ones (a later version of the ticket), all or nothing.

        Parameters
        ----------
        tickets : DataFrame
            Columns of `terms.ticket.TICKET_COLUMNS`, one row a ticket.
        source : str
            Name for the report.
        cleaned : mapping
            Cells cleaned while reading, by reason.

        Raises
        ------
        InputError
            For rows that are not canonical.
        StoreError
            As in `append`.
        """
        frame = checked_tickets(tickets, source)
        with self._turn(), self._draft() as draft:
            with self._open(draft, read_only=False) as connection:
                self._prepare(connection)
                changes = compare_tickets(frame, _latest_tickets(connection, _head(connection)))
                report = IngestReport(
                    source=source,
                    rows_read=len(frame),
                    rows_new=len(changes.new),
                    rows_known=changes.known,
                    rows_restated=len(changes.restated),
                    cleaned=dict(cleaned),
                    sha256=tickets_sha256(frame),
                    first=None if frame.empty else frame["opened"].min().to_pydatetime().replace(tzinfo=UTC),
                    last=None if frame.empty else frame["opened"].max().to_pydatetime().replace(tzinfo=UTC),
                )
                changed = report.rows_new + report.rows_restated > 0
                if changed:
                    _write_tickets(connection, [changes.new, changes.restated], report)
                    connection.execute("CHECKPOINT")
            if changed:
                publish(draft, self.path)
        return report

    def state_of(self, source: str) -> str | None:
        """Return what the source asked to remember; None where nothing was stored of it."""
        if not self.path.exists():
            return None
        with self._reading() as connection:
            found = connection.execute("SELECT state FROM source_state WHERE source = ?", [source]).fetchone()
            return None if found is None else str(found[0])

    def head(self) -> int:
        """Return the number of the last batch; 0 = nothing was stored yet."""
        if not self.path.exists():
            return 0
        with self._reading() as connection:
            return _head(connection)

    def read(
        self,
        *,
        until: datetime | None = None,
        services: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        batch: int | None = None,
    ) -> pd.DataFrame:
        """Return the rows, sorted by service, metric and time, the latest version of each.

        Parameters
        ----------
        until : datetime or None
            Only rows before this instant; naive means UTC.
        services, metrics : sequence of str or None
            Only these; None = all. Names that are not stored give no rows.
        batch : int or None
            As the store stood after that batch; None = now.

        Returns
        -------
        DataFrame
            service (text), metric (text), at (datetime64[us], naive UTC), value (float64, never NaN).

        Raises
        ------
        StoreError
            Where nothing has been ingested yet, or the file is damaged or not ours.
        InputError
            For a batch that is not there.
        """
        import pyarrow as pa

        limit = _naive(until)
        with self._reading() as connection:
            number = _checked_batch(batch, _head(connection))
            wanted = sorted(
                (*name, code)
                for code, name in series_names(connection).items()
                if (services is None or name[0] in set(services)) and (metrics is None or name[1] in set(metrics))
            )
            codes = np.array([code for _, _, code in wanted], dtype=np.int32)
            if not len(codes):
                return _rows_frame([], np.empty(0, dtype=np.int32), np.empty(0, dtype="M8[us]"), np.empty(0))
            ranks = np.arange(len(codes), dtype=np.int32)
            connection.register("wanted", pa.table({"series": codes, "rank": ranks}))
            # The bounds let DuckDB skip blocks without any of the series.
            clauses, values = [_VALID, "r.series BETWEEN ? AND ?"], [number, number, int(codes.min()), int(codes.max())]
            if limit is not None:
                clauses, values = [*clauses, 'r."at" < ?'], [*values, limit]  # type: ignore[list-item]
            found = connection.execute(
                f'{_ROWS} WHERE {" AND ".join(clauses)} ORDER BY w.rank, r."at"', values
            ).fetchnumpy()
            connection.unregister("wanted")
        return _rows_frame([name[:2] for name in wanted], found["rank"], found["at"], found["value"])

    def extent(self, *, until: datetime | None = None, batch: int | None = None) -> pd.DataFrame:
        """Return what there is of every series, sorted.

        Parameters
        ----------
        until : datetime or None
            Only rows before this instant; naive means UTC.
        batch : int or None
            As the store stood after that batch; None = now.

        Returns
        -------
        DataFrame
            service (text), metric (text), rows (int64), first and last (datetime64[us], naive UTC).

        Raises
        ------
        StoreError, InputError
            As in `read`.
        """
        limit = _naive(until)
        with self._reading() as connection:
            number = _checked_batch(batch, _head(connection))
            frame: pd.DataFrame = connection.execute(_EXTENT, [number, number, limit, limit]).df()
        times = {"first": "datetime64[us]", "last": "datetime64[us]"}
        return frame.astype({"service": "str", "metric": "str", "rows": "int64", **times})

    def read_tickets(self, *, batch: int | None = None) -> pd.DataFrame:
        """Return the latest version of every ticket, sorted by service and ticket; empty without any.

        Parameters
        ----------
        batch : int or None
            As the store stood after that batch; None = now.

        Returns
        -------
        DataFrame
            Columns of `terms.ticket.TICKET_COLUMNS`.
        """
        if not self.path.exists():
            return no_tickets()
        with self._reading() as connection:
            return _latest_tickets(connection, _checked_batch(batch, _head(connection)))

    def batches(self) -> pd.DataFrame:
        """Return the batches in the order in which they came (id, source, rows_*, cleaned as JSON, sha256)."""
        with self._reading() as connection:
            frame: pd.DataFrame = connection.execute(f"SELECT {_BATCHES} FROM batch ORDER BY id").df()  # noqa: S608
            return frame

    def verify(self) -> Sequence[str]:
        """Return the damages found: rows changed, removed, added or doubled since they were written (empty = none)."""
        with self._reading() as connection:
            return damages_of(connection)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other process writes; find out that nothing can be written before anything is read."""
        with ExitStack() as stack:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(store_lock(self.path, wait_seconds=self.wait_seconds))
                self._clear()
                self._incoming.touch()
                self._incoming.unlink()
            except OSError as error:
                raise self._not_written(error) from error
            yield

    @property
    def _incoming(self) -> Path:
        """The copy that an ingest writes to."""
        return self.path.with_name(self.path.name + ".incoming")

    def _clear(self) -> None:
        """Remove what a killed ingest left behind, or this one."""
        for suffix in ("", ".wal"):
            self._incoming.with_name(self._incoming.name + suffix).unlink(missing_ok=True)
        spilled = self._incoming.with_name(self._incoming.name + ".tmp")
        if spilled.is_dir():
            shutil.rmtree(spilled)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """Give a copy of the file to write to; what is not published of it is removed.

        The store's own file is never written in place: a process killed while DuckDB rewrites its blocks was seen to
        leave a file with a wrong checksum (once in about 700 kills). A copy that replaces the file whole cannot.
        """
        try:
            try:
                size = self.path.stat().st_size if self.path.exists() else 0
                free = shutil.disk_usage(self.path.parent).free
                if free < size + _MARGIN_BYTES:
                    raise self._no_room(size, free)
                if size:
                    shutil.copyfile(self.path, self._incoming)
            except OSError as error:
                raise self._not_written(error) from error
            yield self._incoming
        finally:
            self._clear()

    def _prepare(self, connection: Any) -> None:
        """Make the tables of a draft, or bring those of an older version to this one, with a backup of the file."""
        version = version_of(connection, self.path.name)
        if version is None:
            create(connection)
        elif version < SCHEMA_VERSION:
            migrate(connection, self.path.name)
            self._keep_backup(version)

    def _keep_backup(self, version: int) -> None:
        """Keep the file as it was under a second name; it is replaced, never written, so a link is a copy."""
        backup = self.path.with_name(f"{self.path.name}.v{version}-backup")
        if backup.exists():
            return
        try:
            os.link(self.path, backup)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            half = backup.with_name(backup.name + ".half")
            shutil.copyfile(self.path, half)
            publish(half, backup)

    def _nothing_new(self, source: str, state: Callable[[], str] | None) -> IngestReport:
        """Say that a source had nothing new; keep what it wants to remember."""
        words = None if state is None else state()
        if words is not None and self.path.exists() and words != self.state_of(source):
            with self._draft() as draft:
                with self._open(draft, read_only=False) as connection:
                    self._prepare(connection)
                    write_state(connection, source, words)
                    connection.execute("CHECKPOINT")
                publish(draft, self.path)
        return IngestReport(
            source=source,
            rows_read=0,
            rows_new=0,
            rows_known=0,
            cleaned={},
            sha256=RowDigest().hexdigest(),
            unchanged=True,
        )

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """Open the store as it stands; one of an older version is read through a copy in this version's form."""
        if not self.path.exists():
            raise self._unusable("no such store", "forecasting ingest")
        with self._open(self.path, read_only=True) as connection:
            version = version_of(connection, self.path.name)
            if version == SCHEMA_VERSION:
                yield connection
                return
        if version is None:
            raise self._unusable("an empty store", "forecasting ingest")
        with tempfile.TemporaryDirectory(prefix="forecasting-") as folder:
            copy = Path(folder) / self.path.name
            shutil.copyfile(self.path, copy)
            with self._open(copy, read_only=False) as connection:
                migrate(connection, self.path.name)
                yield connection

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
                before, late = _identity(path), time.monotonic() >= end
                try:
                    connection = duckdb.connect(str(path), read_only=read_only, config=config)
                except duckdb.Error as error:
                    replaced = read_only and before != _identity(path)
                    # Or another program, such as the DuckDB shell, has it open.
                    if late or not (replaced or (isinstance(error, duckdb.IOException) and "lock" in str(error))):
                        raise
                else:
                    # DuckDB opens the file more than once: where an ingest replaced it meanwhile, it mixes two files.
                    if not read_only or before == _identity(path):
                        break
                    connection.close()
                    if late:
                        raise self._unusable("a store that is replaced again and again", "when fewer ingests run")
                time.sleep(0.05)
            try:
                yield connection
            finally:
                connection.close()
        except duckdb.Error as error:
            first = (str(error).splitlines() or [""])[0]
            if not read_only and any(
                words in first for words in ("No space left", "File too large", "Could not write")
            ):
                raise self._no_room(path.stat().st_size if path.exists() else 0, None) from error
            raise self._unusable(first, "forecasting doctor; restore a backup if it is damaged") from error

    def _unusable(self, came: str, try_instead: str) -> StoreError:
        """Make the error for a store that cannot be used."""
        allowed = "a metric store of this version"
        return StoreError(argument="store", came=came, allowed=allowed, try_instead=try_instead, file=self.path.name)

    def _no_room(self, size: int, free: int | None) -> StoreError:
        """Make the error for a disk that is full, or a file that may not get larger."""
        found = "no space left" if free is None else f"{free} bytes free"
        return StoreError(
            argument="store",
            came=found,
            allowed=f"more than {size + _MARGIN_BYTES} bytes free: a copy of the store and the new rows",
            try_instead="free some space or move the workspace; what was stored before is unchanged",
            file=self.path.name,
        )

    def _not_written(self, error: OSError) -> StoreError:
        """Make the error for a folder or file that cannot be written."""
        return StoreError(
            argument="store",
            came=error.strerror or str(error),
            allowed="a folder that can be written, with room for a copy of the store and the new rows",
            try_instead="check permissions and free space; what was stored before is unchanged",
            file=self.path.name,
        )


def _naive(until: datetime | None) -> datetime | None:
    """Return an instant as naive UTC."""
    return until if until is None or until.tzinfo is None else until.astimezone(UTC).replace(tzinfo=None)


def _head(connection: Any) -> int:
    """Return the number of the last batch."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM batch").fetchone()[0])


def _checked_batch(batch: int | None, head: int) -> int:
    """Return the batch a reader means."""
    if batch is None or 0 <= batch <= head:
        return head if batch is None else batch
    raise InputError(argument="batch", came=batch, allowed=f"0 to {head}", try_instead=f"{head}, the last one")


def _rows_frame(names: list[tuple[str, ...]], ranks: Any, at: Any, values: Any) -> pd.DataFrame:
    """Return canonical rows from the number of each row's series in the sorted list of names."""
    import pandas as pd

    columns = {
        column: pd.Index([name[part] for name in names], dtype="str").take(ranks)
        for part, column in enumerate(("service", "metric"))
    }
    return pd.DataFrame({**columns, "at": at.astype("datetime64[us]"), "value": values.astype(np.float64)})


def _latest_tickets(connection: Any, batch: int) -> pd.DataFrame:
    """Return the latest version of every ticket as of a batch."""
    frame: pd.DataFrame = connection.execute(_LATEST_TICKETS, [batch]).df()
    if frame.empty:
        return no_tickets()
    return frame.astype(no_tickets().dtypes.to_dict())


def _identity(path: Path) -> tuple[int, ...]:
    """Return what changes when a file is replaced."""
    found = path.stat() if path.exists() else None
    return () if found is None else (found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size)


def _write_tickets(connection: Any, parts: list[pd.DataFrame], report: IngestReport) -> None:
    """Write tickets and the entry of their batch."""
    import pandas as pd
    import pyarrow as pa

    written = pd.concat(parts, ignore_index=True)
    connection.register("fresh", pa.Table.from_pandas(written, preserve_index=False).combine_chunks())
    connection.execute(_ADD_TICKETS, [_head(connection) + 1])
    connection.unregister("fresh")
    write_entry(connection, "tickets", report, tickets_sha256(written))
