"""From the project's sources into the metric store: only what is new, each source all or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from forecasting.adapters.sources import check_services, open_source, open_tickets
from forecasting.ports import HistorySource, IngestReport
from forecasting.terms.errors import ForecastingError
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.workspace.workspace import Workspace

Chunk = tuple["pd.DataFrame", Mapping[str, int]]

READ_AHEAD_ROWS = 5_000_000
"""Rows of all files together that are read before anything is written; beyond, each source stands for itself."""

SERVERS = ("sql", "prometheus")
"""Kinds of sources that can be out of reach without anything being wrong with the project."""


def ingest_sources(
    workspace: Workspace, *, before: datetime | None, progress: Callable[[str], None]
) -> tuple[IngestReport, ...]:
    """Read every source and store what is new.

    Parameters
    ----------
    workspace : Workspace
    before : datetime or None
        Rows of slices that begin at or after it are left out, to replay the past.
    progress : callable
        Told the name of each step.

    Raises
    ------
    ForecastingError
        For the first thing wrong in a file or with the store; where servers were the only sources, also for the first
        one that failed.
    """
    known = sorted(workspace.catalogue.services)
    reports: dict[str, IngestReport] = {}
    failures: list[ForecastingError] = []
    waiting: list[tuple[SourceSpec, Callable[[], IngestReport]]] = []
    room = READ_AHEAD_ROWS
    for spec in workspace.project.sources:
        progress(f"reading {spec.name}")
        try:
            if spec.kind == "tickets":
                waiting.append((spec, _tickets(workspace, spec, known, before)))
                continue
            source = _open(workspace, spec)
            state = workspace.metrics.state_of(spec.name) if before is None else None
            chunks = _checked(source.chunks(state), known, spec, before)
            ahead: list[Chunk] = []
            for chunk in chunks:
                ahead.append(chunk)
                room -= len(chunk[0])
                if room < 0:
                    break
            waiting.append((spec, _rows(workspace, spec, source, ahead, chunks, keep_state=before is None)))
        except ForecastingError as error:
            if spec.kind not in SERVERS:
                raise
            failures.append(error)
            reports[spec.name] = _failed(spec, error)
    for spec, store in waiting:
        progress(f"storing {spec.name}")
        try:
            reports[spec.name] = store()
        except ForecastingError as error:
            if spec.kind not in SERVERS:
                raise
            failures.append(error)
            reports[spec.name] = _failed(spec, error)
    if failures and len(failures) == len(workspace.project.sources):
        raise failures[0]
    return tuple(reports[spec.name] for spec in workspace.project.sources)


def _open(workspace: Workspace, spec: SourceSpec) -> HistorySource:
    """Open a source with what it may need: the project's metrics, the catalogue's queries, secrets and the clock."""
    return open_source(
        spec,
        workspace.root,
        workspace.catalogue.metrics,
        queries=workspace.catalogue.queries,
        environment=os.environ,
        clock=workspace.clock,
    )


def _checked(chunks: Iterable[Chunk], known: list[str], spec: SourceSpec, before: datetime | None) -> Iterator[Chunk]:
    """Refuse rows of unknown services, and leave out what is at or after the cut-off."""
    shown = spec.path or spec.name
    for rows, cleaned in chunks:
        check_services(rows, known, shown)
        yield (rows if before is None else rows[rows["at"] < before.replace(tzinfo=None)]), cleaned


def _rows(
    workspace: Workspace,
    spec: SourceSpec,
    source: HistorySource,
    ahead: list[Chunk],
    rest: Iterator[Chunk],
    *,
    keep_state: bool,
) -> Callable[[], IngestReport]:
    """Return what stores a source: the chunks read ahead, then those still to be read."""

    def all_chunks() -> Iterator[Chunk]:
        while ahead:
            yield ahead.pop(0)
        yield from rest

    def store() -> IngestReport:
        # Of a replayed past only a part was stored: to remember the whole file as known would lose the rest.
        report = workspace.metrics.append(
            all_chunks(), source=spec.name, state=source.state if keep_state else None, corrections=spec.corrections
        )
        notes = tuple(getattr(source, "notes", ()))  # what a server said beside its answer
        return replace(report, quality=(*notes, *report.quality)) if notes else report

    return store


def _tickets(
    workspace: Workspace, spec: SourceSpec, known: list[str], before: datetime | None
) -> Callable[[], IngestReport]:
    """Read a ticket export and return what stores it."""
    from forecasting.history.tickets import tickets_known

    rows, cleaned = open_tickets(spec, workspace.root).read_tickets()
    check_services(rows, known, spec.path)
    if before is not None:
        rows = tickets_known(rows, before)
    return lambda: workspace.metrics.append_tickets(rows, source=spec.name, cleaned=cleaned)


def _failed(spec: SourceSpec, error: ForecastingError) -> IngestReport:
    """Return the report of a source that could not be read."""
    return IngestReport(
        source=spec.name, rows_read=0, rows_new=0, rows_known=0, cleaned={}, sha256="", failure=str(error)
    )
