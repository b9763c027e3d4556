"""`forecasting doctor`: what would make a run fail, or worse, lie."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from forecasting.terms.errors import ForecastingError

if TYPE_CHECKING:
    from forecasting.workspace.workspace import Finding, Workspace

LIBRARIES = (
    "numpy", "scipy", "pandas", "statsmodels", "prophet", "scikit-learn", "matplotlib", "mlflow", "duckdb", "pyarrow",
    "sqlalchemy", "jinja2", "pyyaml", "typer", "rich", "joblib", "holidays",
)  # fmt: skip


def check_workspace(workspace: Workspace) -> tuple[Finding, ...]:
    """Return every check with its result; nothing is changed."""
    return (
        _python(),
        _libraries(),
        *_zones(workspace),
        _metrics(workspace),
        _ledger(workspace),
        *_series(workspace),
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
    detail = f"no data for {', '.join(bad)}" if bad else f"{len(names)} zones known"
    return [_finding("time zones", not bad, detail, "pip install tzdata")]


def _metrics(workspace: Workspace) -> Finding:
    store = workspace.metrics
    if not store.path.exists():
        return _finding("metric store", False, "no row was ingested yet", f"forecasting ingest -w {workspace.root}")
    try:
        damages = store.verify()
    except ForecastingError as error:
        return _finding("metric store", False, str(error), error.try_instead)
    detail = "; ".join(damages[:5]) if damages else "every batch has its rows and its hash"
    return _finding("metric store", not damages, detail, "restore it from a backup, or delete it and ingest again")


def _ledger(workspace: Workspace) -> Finding:
    if not workspace.ledger.path.exists():
        return _finding("ledger", True, "empty: no plan was recorded yet")
    try:
        damages = workspace.ledger.verify()
    except ForecastingError as error:
        return _finding("ledger", False, str(error), error.try_instead)
    detail = "; ".join(damages[:5]) if damages else "the hash chain is whole"
    return _finding("ledger", not damages, detail, "restore it from a backup: a row was changed after it was written")


def _series(workspace: Workspace) -> list[Finding]:
    """Check that what the catalogue names is there, and fresh."""
    if not workspace.metrics.path.exists():
        return []
    try:
        prepared = workspace.prepare(None)
    except ForecastingError as error:
        return [_finding("series", False, str(error), error.try_instead)]
    findings = []
    for promise in prepared.promises:
        from forecasting.terms.errors import Excuse

        if isinstance(promise.events, Excuse):
            findings.append(
                _finding(
                    f"objective {promise.objective.name}",
                    False,
                    promise.events.reason,
                    promise.events.what_would_help,
                )
            )
    for quality in prepared.quality:
        if quality.stale_slices > 24:
            findings.append(
                _finding(
                    f"{quality.metric} of {quality.service}",
                    False,
                    f"stale: no value in the last {quality.stale_slices} slices, since {quality.last.isoformat()}",
                    "check the source",
                )
            )
        elif quality.coverage < 0.95:
            findings.append(
                _finding(
                    f"{quality.metric} of {quality.service}",
                    False,
                    f"{quality.missing} of {quality.rows} slices are missing",
                    "check the source; windows below 95 % coverage are judged by their interval",
                )
            )
    without = sorted(set(workspace.catalogue.services) - {a.service for a in workspace.catalogue.agreements})
    if without:
        findings.append(
            _finding("agreements", False, f"no agreement covers {', '.join(without)}", "an Agreement document")
        )
    if not findings:
        findings.append(_finding("series", True, f"{len(prepared.quality)} series, all objectives have fresh data"))
    return findings


def _writable(root: Path) -> Finding:
    import os

    ok = os.access(root, os.W_OK)
    return _finding("workspace", ok, "can be written" if ok else "cannot be written", "check the folder's permissions")
