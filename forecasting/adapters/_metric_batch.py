"""One ingest under way in a DuckDB draft: each chunk is compared with what is there, what is new is added."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._metric_schema import series_names
from forecasting.adapters._row_codes import CodedRows, coded_rows, conflict
from forecasting.adapters._row_digest import RowDigest, series_keys
from forecasting.adapters._row_quality import RowQuality
from forecasting.ports import Corrections, IngestReport

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = np.iinfo(np.int64).max
_STORED = """
SELECT i.position, r.value, r.batch FROM incoming AS i JOIN {table} AS r ON r.series = i.series AND r."at" = i."at"
WHERE r.series BETWEEN ? AND ? AND r."at" BETWEEN make_timestamp(?) AND make_timestamp(?)
"""


class MetricBatch:
    """Adds the chunks of one source to an open draft of the store; nothing else may write there.

    Parameters
    ----------
    connection : duckdb connection
        Open for writing, with the tables of this version.
    source : str
        Name for messages and the list of batches.
    corrections : str
        ``refuse`` or ``restate``.
    """

    def __init__(self, connection: Any, source: str, corrections: Corrections) -> None:
        self.connection, self.source, self.corrections = connection, source, corrections
        self.number = int(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM batch").fetchone()[0])
        self.names = [name for _, name in sorted(series_names(connection).items())]
        self.codes = {name: code for code, name in enumerate(self.names)}
        self.keys = series_keys(self.names)
        self.first, self.last = self._spans()
        self.read_digest, self.stored_digest, self.quality = RowDigest(), RowDigest(), RowQuality()
        self.cleaned: dict[str, int] = {}
        self.rows_read = self.rows_new = self.rows_known = self.rows_restated = 0
        if corrections == "restate":
            connection.execute(
                'CREATE TEMP TABLE confirmed (series INTEGER, "at" TIMESTAMP, value DOUBLE, batch INTEGER)'
            )

    def _spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the earliest and latest stored time of each series: rows outside need no comparison."""
        first, last = np.full(len(self.names), _NEVER), np.full(len(self.names), -_NEVER)
        found = self.connection.execute(
            'SELECT series, epoch_us(min("at")) AS first, epoch_us(max("at")) AS last FROM metric_row GROUP BY series'
        ).fetchnumpy()
        first[found["series"]], last[found["series"]] = found["first"], found["last"]
        return first, last

    def add(self, rows: pd.DataFrame, cleaned: Mapping[str, int]) -> None:
        """Add what is new of one chunk.

        Raises
        ------
        InputError
            For rows that are not canonical, for another value at a stored time where corrections are refused, and for
            two values at one time in what came.
        """
        for reason, count in cleaned.items():
            self.cleaned[reason] = self.cleaned.get(reason, 0) + count
        coded = coded_rows(rows, self.codes, self.source)
        self._add_series()
        self.rows_read += len(coded.at)
        present = coded.take(np.flatnonzero(~np.isnan(coded.value)))
        inside = np.flatnonzero((present.at >= self.first[present.series]) & (present.at <= self.last[present.series]))
        fresh = np.ones(len(present.at), dtype=bool)
        restated, replaced = inside[:0], np.empty(0, dtype=np.int32)
        if len(inside):
            position, value, batch = self._stored("metric_row", present, inside)
            here = inside[position]
            fresh[here] = False
            own, same = batch == self.number, value == present.value[here]
            self._refuse(present, here, value, own & ~same, own=True)
            self._drop_repeated(present, here[own])
            if self.corrections == "refuse":
                self._refuse(present, here, value, ~own & ~same, own=False)
            restated, replaced = here[~own & ~same], batch[~own & ~same]
            known = here[~own & same]
            self.rows_known += len(known)
            if self.corrections == "restate":
                self._confirm(present, known, restated)
            counted = np.ones(len(present.at), dtype=bool)
            counted[here[own]] = False
            self._count(present.take(np.flatnonzero(counted)))
        else:
            self._count(present)
        self.rows_new += int(fresh.sum())
        self.rows_restated += len(restated)
        self._write(present, fresh, restated, replaced)

    def _add_series(self) -> None:
        """Write the names of series that were not there before."""
        new = list(self.codes)[len(self.names) :]
        if not new:
            return
        self.connection.executemany("INSERT INTO series VALUES (?, ?, ?)", [[self.codes[name], *name] for name in new])
        self.names += new
        self.keys = np.concatenate([self.keys, series_keys(new)])
        self.first = np.append(self.first, np.full(len(new), _NEVER))
        self.last = np.append(self.last, np.full(len(new), -_NEVER))

    def _stored(
        self, table: str, rows: CodedRows, which: NDArray[np.intp]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int32]]:
        """Return for those of the rows that are stored: position in `which`, latest value and its batch."""
        series, at = rows.series[which], rows.at[which]
        self._register("incoming", series, at, position=np.arange(len(which)))
        span = [int(series.min()), int(series.max()), int(at.min()), int(at.max())]
        found = self.connection.execute(_STORED.format(table=table), span).fetchnumpy()
        self.connection.unregister("incoming")
        order = np.lexsort((found["batch"], found["position"]))
        position = found["position"][order]
        latest = np.append(position[1:] != position[:-1], True)[: len(position)]
        order = order[latest]
        return found["position"][order], found["value"][order], found["batch"][order]

    def _refuse(
        self,
        rows: CodedRows,
        here: NDArray[np.intp],
        stored: NDArray[np.float64],
        wrong: NDArray[np.bool_],
        *,
        own: bool,
    ) -> None:
        """Refuse rows that say something else than what is stored."""
        if wrong.any():
            raise conflict(rows.take(here[wrong]), stored[wrong], self.names, self.source, own=own)

    def _drop_repeated(self, rows: CodedRows, repeated: NDArray[np.intp]) -> None:
        """Count rows that came in an earlier chunk with the same value as what they are: one row."""
        if len(repeated):
            reason = "duplicate row, same value"
            self.cleaned[reason] = self.cleaned.get(reason, 0) + len(repeated)
            self.rows_read -= len(repeated)

    def _confirm(self, rows: CodedRows, known: NDArray[np.intp], restated: NDArray[np.intp]) -> None:
        """Refuse a restated value whose old one came in an earlier chunk of the same source: two values at one time."""
        if len(restated):
            position, value, _ = self._stored("confirmed", rows, restated)
            self._refuse(rows, restated[position], value, np.ones(len(position), dtype=bool), own=True)
        if len(known):
            self._register("known", rows.series[known], rows.at[known], value=rows.value[known])
            self.connection.execute('INSERT INTO confirmed SELECT series, "at", value, 0 FROM known')
            self.connection.unregister("known")

    def _count(self, rows: CodedRows) -> None:
        """Take rows into the identity of what was read and into its quality."""
        self.read_digest.add(self.keys, rows.series, rows.at, rows.value)
        self.quality.add(rows.series, rows.at, len(self.names))

    def _write(
        self, rows: CodedRows, fresh: NDArray[np.bool_], restated: NDArray[np.intp], replaced: NDArray[np.int32]
    ) -> None:
        """Write the new rows and the later versions of known ones."""
        if len(restated):
            self._register("later", rows.series[restated], rows.at[restated], replaces=replaced)
            self.connection.execute(
                'INSERT INTO restatement SELECT series, "at", replaces, ? FROM later', [self.number]
            )
            self.connection.unregister("later")
            fresh = fresh.copy()
            fresh[restated] = True
        if not fresh.any():
            return
        new = rows if fresh.all() else rows.take(np.flatnonzero(fresh))
        self._register("fresh", new.series, new.at, value=new.value)
        self.connection.execute('INSERT INTO metric_row SELECT series, "at", value, ? FROM fresh', [self.number])
        self.connection.unregister("fresh")
        self.stored_digest.add(self.keys, new.series, new.at, new.value)
        starts = np.flatnonzero(np.diff(new.series, prepend=-1))
        ends = np.append(starts[1:], len(new.series)) - 1
        who = new.series[starts]
        self.first[who] = np.minimum(self.first[who], new.at[starts])
        self.last[who] = np.maximum(self.last[who], new.at[ends])

    def _register(self, name: str, series: NDArray[np.int32], at: NDArray[np.int64], **columns: NDArray[Any]) -> None:
        """Show arrays to DuckDB as a table."""
        import pyarrow as pa

        stamps = pa.array(at.view("datetime64[us]"), pa.timestamp("us"))
        self.connection.register(name, pa.table({"series": series, "at": stamps, **columns}))

    def finish(self, state: str | None) -> tuple[IngestReport, bool]:
        """Write the batch's entry and the source's state; return the report and whether anything changed."""
        span = self.quality.span()
        report = IngestReport(
            source=self.source,
            rows_read=self.rows_read,
            rows_new=self.rows_new,
            rows_known=self.rows_known,
            rows_restated=self.rows_restated,
            cleaned=self.cleaned,
            sha256=self.read_digest.hexdigest(),
            quality=self.quality.findings(self.names),
            first=None if span is None else _EPOCH + timedelta(microseconds=span[0]),
            last=None if span is None else _EPOCH + timedelta(microseconds=span[1]),
        )
        changed = self.rows_new + self.rows_restated > 0
        if changed:
            write_entry(self.connection, "rows", report, self.stored_digest.hexdigest())
        return report, write_state(self.connection, self.source, state) or changed


def write_entry(connection: Any, what: str, report: IngestReport, stored_sha256: str) -> None:
    """Write the entry of a batch that added something."""
    cleaned = json.dumps(dict(report.cleaned), sort_keys=True)
    counts = [report.rows_read, report.rows_new, report.rows_known, report.rows_restated]
    connection.execute(
        "INSERT INTO batch SELECT coalesce(max(id), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM batch",
        [what, report.source, *counts, cleaned, report.sha256, stored_sha256],
    )


def write_state(connection: Any, source: str, state: str | None) -> bool:
    """Write what a source wants to remember; return whether that is something else than before."""
    if (
        state is None
        or connection.execute("SELECT 1 FROM source_state WHERE source = ? AND state = ?", [source, state]).fetchone()
    ):
        return False
    connection.execute("DELETE FROM source_state WHERE source = ?", [source])
    connection.execute("INSERT INTO source_state VALUES (?, ?)", [source, state])
    return True
