"""Where metric rows and tickets come from: one line for each kind of file, by suffix, and for each other kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from forecasting.adapters._rows import check_services, rows_sha256
from forecasting.adapters.clock import SystemClock
from forecasting.adapters.sources.csv_file import CsvFile
from forecasting.adapters.sources.openmetrics import OpenMetricsFile
from forecasting.adapters.sources.parquet_file import ParquetFile
from forecasting.adapters.sources.prometheus import PrometheusServer
from forecasting.adapters.sources.sql_query import SqlQuery
from forecasting.adapters.sources.tickets_file import TicketsCsv, TicketsParquet
from forecasting.ports import Clock, HistorySource, TicketSource
from forecasting.terms.catalogue import MetricQuery
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import QuerySpec, SourceSpec

SOURCES: dict[str, Callable[..., HistorySource]] = {
    ".csv": CsvFile,
    ".parquet": ParquetFile,
    "sql": SqlQuery,
    "prometheus": PrometheusServer,
    "openmetrics": OpenMetricsFile,
}
"""History sources: of kind ``file`` by suffix, all others by kind. Made with (spec, root, metrics)."""

SERVERS = ("sql", "prometheus")
"""Kinds that also take ``environment`` and ``clock``."""

TICKET_SOURCES: dict[str, Callable[[SourceSpec, Path], TicketSource]] = {
    ".csv": TicketsCsv,
    ".parquet": TicketsParquet,
}
"""Ticket sources by file suffix."""


def open_source(
    spec: SourceSpec,
    root: Path,
    metrics: Mapping[str, Metric],
    queries: Sequence[MetricQuery] = (),
    *,
    environment: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> HistorySource:
    """Return the source that reads what `spec` declares.

    Parameters
    ----------
    spec : SourceSpec
        One of the project's sources, of any kind but tickets.
    root : Path
        The workspace.
    metrics : mapping
        What the metrics mean, by name: the project's and those of the catalogue's queries.
    queries : sequence of MetricQuery
        The catalogue's; a Prometheus source without queries of its own takes those of kind Prometheus that name no
        data source, or one of the source's name.
    environment : mapping or None
        Where servers look for URLs and tokens; None = the process's environment.
    clock : Clock or None
        Tells servers what now is; None = the computer's clock.

    Raises
    ------
    InputError
        For a file of another kind, a source of tickets, and a server for which there is no query.

    Examples
    --------
    >>> open_source(SourceSpec(name="a", path="a.csv"), Path("."), {}).name
    'a'
    """
    key = _suffix(spec, SOURCES) if spec.kind == "file" else spec.kind
    if key not in SOURCES:
        raise InputError(
            argument="kind", came=key, allowed=", ".join(SOURCES), try_instead="open_tickets for a source of tickets"
        )
    if spec.kind == "prometheus" and not spec.queries:
        spec = replace(spec, queries=_of_catalogue(spec, queries))
    if spec.kind in SERVERS:
        return SOURCES[key](spec, root, metrics, environment=environment, clock=clock or SystemClock())
    return SOURCES[key](spec, root, metrics)


def open_tickets(spec: SourceSpec, root: Path) -> TicketSource:
    """Return the source that reads the ticket export that `spec` declares.

    Raises
    ------
    InputError
        For a file of another kind.

    Examples
    --------
    >>> open_tickets(SourceSpec(name="desk", kind="tickets", path="desk.csv"), Path(".")).name
    'desk'
    """
    return TICKET_SOURCES[_suffix(spec, TICKET_SOURCES)](spec, root)


def _suffix(spec: SourceSpec, table: Mapping[str, object]) -> str:
    """Return the suffix of the source's file, or refuse one that no source reads."""
    suffix = Path(spec.path).suffix.lower()
    known = [name for name in table if name.startswith(".")]
    if suffix not in known:
        raise InputError(
            argument="path",
            came=spec.path,
            allowed="a file ending in " + " or ".join(known),
            try_instead="convert it to CSV or Parquet",
        )
    return suffix


def _of_catalogue(spec: SourceSpec, queries: Sequence[MetricQuery]) -> tuple[QuerySpec, ...]:
    """Return the catalogue's queries that are meant for a Prometheus source."""
    fitting = [query for query in queries if query.source_kind.lower() == "prometheus"]
    found = tuple(
        QuerySpec(metric=query.metric, query=query.query, service=query.service, cumulative=query.cumulative)
        for query in fitting
        if query.source in ("", spec.name)
    )
    if not found:
        others = ", ".join(sorted({query.source for query in fitting}))
        raise InputError(
            argument=f"source {spec.name}: queries",
            came=f"no query of the catalogue for it (only for {others})" if others else "no query in the catalogue",
            allowed="queries of kind Prometheus that name this source, or no source",
            try_instead=f"name the source {others.split(', ')[0]}"
            if others
            else "queries: [{metric: ..., query: ...}]",
        )
    return found


__all__ = [
    "SERVERS",
    "SOURCES",
    "TICKET_SOURCES",
    "CsvFile",
    "OpenMetricsFile",
    "ParquetFile",
    "PrometheusServer",
    "SqlQuery",
    "TicketsCsv",
    "TicketsParquet",
    "check_services",
    "open_source",
    "open_tickets",
    "rows_sha256",
]
