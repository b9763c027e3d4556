"""`forecasting doctor`: what would make a run fail, or worse, lie."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecasting.terms.errors import Excuse, ForecastingError, StoreError
from forecasting.terms.history import SeriesQuality

if TYPE_CHECKING:
    from forecasting.workflows.prepare import Prepared
    from forecasting.workspace.workspace import Finding, Workspace

LIBRARIES = (
    "numpy", "scipy", "pandas", "statsmodels", "prophet", "scikit-learn", "matplotlib", "mlflow", "duckdb", "pyarrow",
    "sqlalchemy", "jinja2", "pyyaml", "typer", "rich", "joblib", "holidays",
)  # fmt: skip


def check_workspace(workspace: Workspace, as_of: str | date | datetime | None = None) -> tuple[Finding, ...]:
    """Return every check with its result; nothing is changed."""
    return (
        _python(),
        _libraries(),
        *_zones(workspace),
        _metrics(workspace),
        _ledger(workspace),
        *_series(workspace, as_of),
        _writable(workspace.root),
    )


def _finding(check: str, ok: bool, detail: str, try_instead: str = "") -> Finding:
    from forecasting.workspace.workspace import Finding

    return Finding(check=check, ok=ok, detail=detail, try_instead="" if ok else try_instead)


def _python() -> Finding:
    found = ".".join(str(part) for part in sys.version_info[:3])
    return _finding("python", sys.version_info >= (3, 11), found, "Python 3.11 or later")


def _libraries() -> Finding:
    missing, found = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return _finding(
        "libraries",
        not missing,
        f"missing: {', '.join(missing)}" if missing else ", ".join(found),
        "pip install service-forecasting",
    )


def _zones(workspace: Workspace) -> list[Finding]:
    names = {workspace.project.zone, *(s.zone for s in workspace.catalogue.services.values())}
    bad = []
    for name in sorted(names):
        try:
            ZoneInfo(name)
        except ZoneInfoNotFoundError:
            bad.append(name)
    detail = f"no data for {', '.join(bad)}" if bad else f"data for {', '.join(sorted(names))}"
    return [_finding("time zones", not bad, detail, "pip install tzdata")]


def _metrics(workspace: Workspace) -> Finding:
    store = workspace.metrics
    try:
        if store.head() == 0:
            return _finding("metric store", False, "no row was ingested yet", f"forecasting ingest -w {workspace.root}")
        damages = store.verify()
    except ForecastingError as error:
        return _finding("metric store", False, str(error), error.try_instead)
    detail = "; ".join(damages[:5]) if damages else "every batch has its rows and its hash"
    return _finding("metric store", not damages, detail, "restore it from a backup, or delete it and ingest again")


def _ledger(workspace: Workspace) -> Finding:
    try:
        if workspace.ledger.head()[0] == 0:
            return _finding("ledger", True, "empty: no plan was recorded yet")
        damages = workspace.ledger.verify()
    except ForecastingError as error:
        return _finding("ledger", False, str(error), error.try_instead)
    detail = "; ".join(damages[:5]) if damages else "the hash chain is whole"
    return _finding("ledger", not damages, detail, "restore it from a backup: a row was changed after it was written")


def _series(workspace: Workspace, as_of: str | date | datetime | None) -> list[Finding]:
    """Check that what the catalogue names is there, and fresh."""
    try:
        if workspace.metrics.head() == 0:
            return []
        prepared = workspace.prepare(as_of)
    except ForecastingError as error:
        if isinstance(error, StoreError):
            return []  # has a line of its own
        return [_finding("series", False, str(error), error.try_instead)]
    findings = [
        _finding(f"objective {p.objective.name}", False, p.events.reason, p.events.what_would_help)
        for p in prepared.promises
        if isinstance(p.events, Excuse)
    ]
    findings += _planned(workspace, prepared)
    findings += _freshness(prepared.quality, {n: m.step for n, m in workspace.catalogue.metrics.items()})
    without = sorted(set(workspace.catalogue.services) - {a.service for a in workspace.catalogue.agreements})
    if without:
        findings.append(
            _finding("agreements", False, f"no agreement covers {', '.join(without)}", "an Agreement document")
        )
    if not findings:
        findings.append(_finding("series", True, f"{len(prepared.quality)} series, all objectives have fresh data"))
    return findings


def _planned(workspace: Workspace, prepared: Prepared) -> list[Finding]:
    """Return planned events that no forecast can use, and hierarchies whose parts have no data."""
    findings, zone = [], ZoneInfo(workspace.project.zone)
    for event in workspace.catalogue.events:
        starts = [one.instants(zone)[0] for one in event.occurrences]
        if event.stated_percent is None and min(starts) >= prepared.as_of:
            day = prepared.as_of.astimezone(zone).strftime("%Y-%m-%d")
            detail = f"no occurrence before {day} and no stated effect: no forecast uses it"
            findings.append(
                _finding(
                    f"planned event {event.name}", False, detail, "effect: {percent: ..., source: ...}, or past ones"
                )
            )
    totals = {(one.total, one.metric) for one in workspace.catalogue.hierarchies}
    for one in workspace.catalogue.hierarchies:
        keys = [(part, one.metric) for part in one.parts]
        lost = [part for part, metric in keys if (part, metric) not in totals and (part, metric) not in prepared.daily]
        if lost:
            detail = f"no row of {one.metric} for {', '.join(lost)}: total and parts are not made to add up"
            findings.append(_finding(f"hierarchy {one.name}", False, detail, "ingest them, or take them out of parts"))
    return findings


def _freshness(quality: Sequence[SeriesQuality], steps: dict[str, timedelta]) -> list[Finding]:
    """Return what is stale or has holes; services whose metric stopped at the same time share a line."""
    stale: dict[tuple[str, datetime, int], list[str]] = {}
    findings = []
    for q in quality:
        if q.stale_slices > 1 and q.stale_slices * steps[q.metric] > timedelta(days=1):
            stale.setdefault((q.metric, q.last, q.stale_slices), []).append(q.service)
        elif q.coverage < 0.95:
            findings.append(
                _finding(
                    f"{q.metric} of {q.service}",
                    False,
                    f"{q.missing} of {q.rows} slices are missing",
                    "check the source; windows below 95 % coverage are judged by their interval",
                )
            )
    for (metric, last, slices), services in stale.items():
        detail = f"stale: no value in the last {slices} slices; the last one is of {last:%Y-%m-%d %H:%M} UTC"
        findings.append(
            _finding(f"{metric} of {', '.join(services)}", False, detail, "check its source, then ingest again")
        )
    return findings


def _writable(root: Path) -> Finding:
    import os

    ok = os.access(root, os.W_OK)
    return _finding("workspace", ok, "can be written" if ok else "cannot be written", "check the folder's permissions")
