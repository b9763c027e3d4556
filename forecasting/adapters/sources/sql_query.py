"""Metric rows from a SELECT on any SQL database, read in chunks and only what is new."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from forecasting.adapters._cells import Place
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._rows import RawRows, check_metrics, declared_sha256, frames_of, raw_rows, whole_frame
from forecasting.adapters._select import check_select, escaped
from forecasting.adapters._sql_cells import sql_names, sql_numbers, sql_times
from forecasting.adapters._sql_database import SqlDatabase
from forecasting.ports import Clock
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import TextClause

_CHUNK_ROWS = 200_000
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


class SqlQuery:
    """History source: the answer of one SELECT, with the columns of the layout.

    The query may use ``:since`` and ``:until``. The first ingest asks from `SourceSpec.since` (else from 1990) until
    now; each later one from `SourceSpec.overlap` before the latest time it stored. Without ``:since`` everything is
    read each time; the store then keeps what is new. Both are instants. In PostgreSQL they compare with columns of
    either timestamp type, those without a zone taken in the source's zone. In other databases they are texts (SQLite)
    or timestamps without a zone; where the source's zone is not UTC, the span is widened by the difference of both, so
    that nothing is missed whether the column is in UTC or in local time.

    Parameters
    ----------
    spec : SourceSpec
        url or url_env, query, layout, columns, metrics, zone, since, overlap, duplicates.
    root : Path
        The workspace (for the path of a SQLite file).
    metrics : mapping
        What the metrics mean, by name.
    environment : mapping or None
        Environment variables; None = those of this process.
    clock : Clock or None
        Tells what ``:until`` is; None is the computer's clock.
    chunk_rows : int
        Rows read at a time.

    Examples
    --------
    >>> import sqlite3, tempfile
    >>> from forecasting.terms.history import MetricKind
    >>> folder = Path(tempfile.mkdtemp())
    >>> with sqlite3.connect(folder / "sales.db") as database:
    ...     _ = database.execute("CREATE TABLE sale (shop TEXT, at TEXT, orders INTEGER)")
    ...     _ = database.execute("INSERT INTO sale VALUES ('007', '2027-03-01 01:00', 12)")
    >>> spec = SourceSpec(name="sales", kind="sql", url="sqlite:///sales.db", query="SELECT * FROM sale",
    ...                   layout="wide", columns={"service": "shop"}, metrics=("orders",))
    >>> source = SqlQuery(spec, folder, {"orders": Metric(name="orders", kind=MetricKind.COUNT)})
    >>> [rows.to_dict("records") for rows, _ in source.chunks(None)]
    [[{'service': '007', 'metric': 'orders', 'at': Timestamp('2027-03-01 01:00:00'), 'value': 12.0}]]
    """

    def __init__(
        self,
        spec: SourceSpec,
        root: Path,
        metrics: Mapping[str, Metric],
        *,
        environment: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        chunk_rows: int = _CHUNK_ROWS,
    ) -> None:
        self.spec, self.root, self.metrics = spec, root, metrics
        self._database, self._clock, self._chunk_rows = SqlDatabase(spec, root, environment), clock, chunk_rows
        self._latest: datetime | None = None
        self._ends: dict[tuple[str, str], datetime] = {}

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield canonical rows in parts, and values counted as missing by reason; nothing where there is no row.

        Parameters
        ----------
        state : str or None
            What `state` returned after the last ingest that was stored; of another query, it is not looked at.

        Raises
        ------
        InputError
            For a query or URL that cannot be used, and for values that make no sense, with their row.
        ForecastingError
            Where the database is away or refuses.
        """
        self._latest, self._ends = self._known(state), {}
        parts = self._parts(self._latest)
        for rows, cleaned in frames_of(parts, self.spec, self.metrics, self._place(0), self._column("value")):
            present = rows[rows["value"].notna()]
            ends = present.groupby(["service", "metric"], observed=True, as_index=False)["at"].max()
            for service, metric, at in zip(ends["service"], ends["metric"], ends["at"], strict=True):
                last = at.to_pydatetime().replace(tzinfo=UTC)
                key = str(service), str(metric)
                self._ends[key] = max(last, self._ends.get(key, last))
                self._latest = last if self._latest is None else max(last, self._latest)
            yield rows, cleaned

    @property
    def notes(self) -> tuple[str, ...]:
        """Series that end so much before the others that the next ingest would not ask for their late rows.

        The next ingest asks from `overlap` before the latest row of all series; what comes later for a series that
        lags behind by more than that would be missed, so it is said.
        """
        if ":since" not in self.spec.query or self._latest is None:
            return ()
        late = sorted(key for key, end in self._ends.items() if self._latest - end > self.spec.overlap)
        if not late:
            return ()
        shown = ", ".join(
            f"{name} of {service} ({self._ends[service, name]:%Y-%m-%d %H:%M}Z)" for service, name in late[:5]
        )
        more = f" and {len(late) - 5} more" if len(late) > 5 else ""
        return (
            f"{shown}{more} end more than overlap ({self.spec.overlap}) before the latest row, of "
            f"{self._latest:%Y-%m-%d %H:%M}Z: later rows of them are not asked for; raise overlap if some will come",
        )

    def state(self) -> str:
        """Return what to remember: the latest time read, and of which query; valid once the chunks are exhausted."""
        latest = None if self._latest is None else self._latest.isoformat(timespec="microseconds")
        return json.dumps({"declared": self._declared(), "latest": latest}, sort_keys=True)

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return everything the query gives from `SourceSpec.since` on as one frame, and what was cleaned.

        Raises
        ------
        InputError, ForecastingError
            As `chunks`; InputError also where there is no row.
        """
        parts = list(self._parts(None))
        if not parts:
            raise self._problem("query", "no rows", "at least one row", "check the query and `since`")
        return whole_frame(parts, self.spec, self.metrics, self._place(0), self._column("value"))

    def _known(self, state: str | None) -> datetime | None:
        """Return the latest time of a state of this very query."""
        try:
            found = json.loads(state or "{}")
            latest = datetime.fromisoformat(found["latest"]) if found.get("latest") else None
            return latest if found.get("declared") == self._declared() else None
        except (ValueError, TypeError, AttributeError):  # a state of another source or release: all is read again
            return None

    def _declared(self) -> str:
        """Return the identity of what is asked and how it is read."""
        how = declared_sha256(self.spec, self.metrics)
        return hashlib.sha256(f"{how}\n{self.spec.url}\n{self.spec.query}".encode()).hexdigest()

    def _parts(self, latest: datetime | None) -> Iterator[RawRows]:
        """Yield the answer in parts."""
        used = check_select(self.spec.query, self.name)
        since = self.spec.since or _EARLIEST
        if latest is not None:
            since = max(since, latest - self.spec.overlap)
        now = datetime.now(UTC) if self._clock is None else self._clock.now()
        with self._database.reading() as connection:
            statement = self._statement(used, since, now, connection.dialect.name)
            result = connection.execution_options(stream_results=True, max_row_buffer=self._chunk_rows).execute(
                statement
            )
            wanted = self._wanted(list(result.keys()))
            first, seen = 0, dict[str, bool]()
            while rows := result.fetchmany(self._chunk_rows):
                values = list(zip(*rows, strict=True))
                yield self._raw({name: values[place] for name, place in wanted.items()}, first, seen)
                first += len(rows)

    def _statement(self, used: frozenset[str], since: datetime, until: datetime, dialect: str) -> TextClause:
        """Return the statement with its parameters in the form the database compares with."""
        from sqlalchemy import DateTime, String, bindparam, text

        values: dict[str, object] = {"since": since, "until": until}
        kind: Any = DateTime(timezone=True)
        if dialect != "postgresql":
            zone = ZoneInfo(self.spec.zone)
            low, high = (
                sorted(moment.astimezone(where).replace(tzinfo=None) for where in (UTC, zone))
                for moment in (since, until)
            )
            # Without a fraction of a second, so that texts with and without one compare as the times do.
            span = low[0].replace(microsecond=0), high[1].replace(microsecond=0) + timedelta(seconds=1)
            values = dict(zip(("since", "until"), span, strict=True))
            kind = DateTime()
            if dialect == "sqlite":
                values, kind = {name: str(value) for name, value in values.items()}, String()
        found = [bindparam(name, values[name], type_=kind) for name in sorted(used)]
        return text(escaped(self.spec.query)).bindparams(*found)

    def _wanted(self, names: Sequence[str]) -> Mapping[str, int]:
        """Return where in the answer each column is that we read."""
        others = ("metric", "value") if self.spec.layout == "long" else ()
        ours = [self._column(name) for name in ("service", "at", *others)]
        wanted = ours if others else [*ours, *self.spec.metrics]
        for name in wanted:
            if name not in names:
                close = nearest(name, set(names) - set(wanted))
                hint = f"{close} AS {name}, or columns: {{...: {close}}}" if close else f"... AS {name} in the query"
                raise self._problem(f"column {name}", listed(names, 20), f"a column named {name}", hint)
            if list(names).count(name) > 1:
                raise self._problem(f"column {name}", name, "each column once", "name the columns after SELECT")
        return {name: list(names).index(name) for name in wanted}

    def _raw(self, columns: Mapping[str, Sequence[Any]], first: int, seen: dict[str, bool]) -> RawRows:
        """Turn columns, the first of them of a row of the answer, into rows."""
        spec, cleaned, place = self.spec, dict[str, int](), self._place(first)
        service, at_name = self._column("service"), self._column("at")
        services = sql_names(columns[service], place, service)
        at = sql_times(columns[at_name], spec.zone, place, at_name, seen)
        if spec.layout == "long":
            metric, value = self._column("metric"), self._column("value")
            names, codes = sql_names(columns[metric], place, metric)
            check_metrics(names, codes, spec.metrics or tuple(self.metrics), place, metric)
            values = sql_numbers(columns[value], place, value, cleaned)
            return raw_rows(services, at, first, cleaned, long=((names, codes), values))
        wide = {name: sql_numbers(columns[name], place, name, cleaned) for name in sorted(spec.metrics)}
        return raw_rows(services, at, first, cleaned, wide=wide)

    def _column(self, ours: str) -> str:
        """Return the query's name of one of our columns."""
        return self.spec.columns.get(ours, ours)

    def _place(self, first: int) -> Place:
        """Return how to name the rows of the answer from one on."""
        return Place(file=self.name, unit="row", first=first + 1)

    def _problem(self, argument: str, came: object, allowed: str, hint: str) -> InputError:
        """Make an error about the query or its columns."""
        return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=self.name)
