"""A workspace: one folder with a project file, a catalogue and what was computed from them. The Python API."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forecasting.adapters._plain import plain
from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.adapters.executors import JoblibLoky
from forecasting.adapters.notifiers import JsonLines
from forecasting.adapters.sources import SOURCES, check_services, open_source
from forecasting.adapters.store import DuckdbMetrics, SqliteLedger
from forecasting.ports import IngestReport
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse, ForecastingError, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.project import Project
from forecasting.terms.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.terms.breach import BreachRisk
    from forecasting.terms.plan import Plan
    from forecasting.workflows.plan import Depth
    from forecasting.workflows.prepare import Prepared

PROJECT_FILE = "forecasting.yaml"
STATE_FOLDER = ".forecasting"
REPORT_FOLDER = "reports"
_INSTANT = "%Y-%m-%dT%H%M%S%z"
_LONGEST_SILENCE = timedelta(days=366)
"""Nothing can be said of an instant whose last year is unknown; most often the date is mistyped."""
_FIRST_YEAR, _LAST_YEAR = 1970, 2200


@dataclass(frozen=True, kw_only=True)
class PlanResult:
    """A plan and the files it was written to."""

    plan: Plan
    files: Mapping[str, str]
    """Path by form: html, markdown, json, csv, warnings (where there are any) and, where kept, mlflow."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of `doctor`."""

    check: str
    ok: bool
    detail: str
    try_instead: str = ""


@cache
def code_version() -> str:
    """Return the version of this package with a hash over its source files.

    Two states of the code under one version number must not share the identity of a run.

    Examples
    --------
    >>> code_version().split("+")[0]
    '0.1.0'
    """
    from forecasting import __version__

    folder = Path(__file__).parents[1]
    sources = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        sources.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{sources.hexdigest()[:8]}"


def no_timer() -> float:
    """The time of a run whose result must not depend on the machine: 0."""
    return 0.0


def _quiet(stage: str) -> None:
    """Show no progress."""


class Workspace:
    """A folder with ``forecasting.yaml``, its catalogue and its stores.

    Parameters
    ----------
    path : str or Path
        The folder.
    mlflow : bool
        Whether back-tests and chosen models are logged to MLflow (SQLite in the workspace).
    settings : Settings
        Seed, paths, thresholds.

    Examples
    --------
    >>> Workspace("nowhere/at/all")
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: workspace: got 'nowhere/at/all'; allowed: a folder with forecasting.yaml; ...
    """

    def __init__(self, path: str | Path, *, mlflow: bool = True, settings: Settings | None = None) -> None:
        self.root = Path(path)
        if not (self.root / PROJECT_FILE).is_file():
            raise InputError(
                argument="workspace",
                came=str(path),
                allowed=f"a folder with {PROJECT_FILE}",
                try_instead=f"forecasting init {path}",
            )
        self.mlflow = mlflow
        self.settings = settings or Settings()
        self.project: Project = load_project(self.root / PROJECT_FILE, suffixes=tuple(SOURCES))
        self.catalogue: Catalogue = YamlFolder(
            self.root / self.project.catalogue,
            self.project.metrics,
            currency=self.project.currency,
            name=self.project.name,
        ).load()
        state = self.root / STATE_FOLDER
        self.metrics = DuckdbMetrics(state / "metrics.duckdb")
        self.ledger = SqliteLedger(state / "ledger.db")

    # ------------------------------------------------------------------ data in
    def ingest(
        self, as_of: str | date | datetime | None = None, *, progress: Callable[[str], None] = _quiet
    ) -> tuple[IngestReport, ...]:
        """Read every source of the project and add what is new; all sources are read before anything is written.

        Parameters
        ----------
        as_of : str, date, datetime or None
            Rows of slices that begin at or after it are left out, to replay the past; None takes every row.
        progress : callable
            Told the name of each step.

        Raises
        ------
        InputError
            For the first thing wrong in a file; nothing is written then.
        """
        known = sorted(self.catalogue.services)
        before = None if as_of is None else self.instant(as_of).replace(tzinfo=None)
        batches = []
        for spec in self.project.sources:
            progress(f"reading {spec.name}")
            rows, cleaned = open_source(spec, self.root, self.project.metrics).read()
            check_services(rows, known, spec.path)
            if before is not None:
                rows = rows[rows["at"] < before]
            batches.append((spec.name, rows, cleaned))
        reports = []
        for name, rows, cleaned in batches:
            progress(f"storing {name}")
            reports.append(self.metrics.append(rows, source=name, cleaned=cleaned))
        return tuple(reports)

    def instant(self, as_of: str | date | datetime | None) -> datetime:
        """Return the cut-off as a UTC instant.

        A date means its first instant in the project's zone: ``2013-10-01`` knows September and nothing of
        October. None is the end of the last ingested slice.

        Raises
        ------
        InputError
            For anything that is not an ISO date or an instant with offset, or where nothing was ingested.
        """
        if as_of is None:
            return self._end_of_data()
        day = _parsed(as_of) if isinstance(as_of, str) else as_of
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            raise InputError(
                argument="as_of",
                came=str(as_of),
                allowed=f"a year from {_FIRST_YEAR} to {_LAST_YEAR}",
                try_instead="the date as YYYY-MM-DD",
            )
        local = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
        zoned = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(self.project.zone))
        return zoned.astimezone(UTC)

    def _end_of_data(self) -> datetime:
        rows = self._rows(None)
        last = rows.groupby("metric", observed=True)["at"].max()
        ends: list[datetime] = [
            stamp.to_pydatetime().replace(tzinfo=UTC) + self.project.metrics[str(name)].step
            for name, stamp in last.items()
            if str(name) in self.project.metrics
        ]
        return max(ends)

    def _rows(self, until: datetime | None) -> pd.DataFrame:
        if not self.metrics.path.exists():
            raise InputError(
                argument="workspace",
                came=f"{self.root} without any ingested row",
                allowed="a workspace with data",
                try_instead=f"forecasting ingest -w {self.root}",
            )
        return self.metrics.read(until=until)

    def prepare(self, as_of: str | date | datetime | None = None) -> Prepared:
        """Lay out what is known before a cut-off; nothing at or after it is read.

        Raises
        ------
        InputError
            Where nothing is known before the cut-off, or nothing of the year before it.
        """
        from forecasting.workflows.prepare import prepare

        cut_off = self.instant(as_of)
        rows = self._rows(cut_off)
        if len(rows) and cut_off - rows["at"].max().to_pydatetime().replace(tzinfo=UTC) > _LONGEST_SILENCE:
            raise InputError(
                argument="as_of",
                came=str(as_of),
                allowed=f"at most {_LONGEST_SILENCE.days} days after the last row, of {rows['at'].max():%Y-%m-%d}",
                try_instead="ingest newer data, or an earlier --as-of",
            )
        return prepare(
            self.catalogue,
            rows,
            organisation=self.project.organisation,
            currency=self.project.currency,
            zone=self.project.zone,
            as_of=cut_off,
            settings=self.settings,
            code_version=code_version(),
        )

    # ------------------------------------------------------------------ results
    def compute(
        self,
        as_of: str | date | datetime | None = None,
        *,
        depth: Depth = "full",
        timed: bool = False,
        progress: Callable[[str], None] = _quiet,
    ) -> Plan:
        """Compute as much of the chain as is asked for and write nothing.

        Parameters
        ----------
        as_of : str, date, datetime or None
            Cut-off, see `instant`.
        depth : {"attainment", "demand", "risk", "proposals", "full"}
        timed : bool
            Whether CPU seconds of the models are measured; they differ from run to run, a plan does not.
        progress : callable
            Told the name of each stage.

        Returns
        -------
        Plan
            `Plan.frames()` turns it into pandas frames.
        """
        from forecasting.workflows.plan import make_plan

        progress("reading")
        prepared = self.prepare(as_of)
        return make_plan(
            prepared,
            executor=JoblibLoky(self.settings.jobs),
            timer=time.process_time if timed else no_timer,
            previous=self._previous(prepared.as_of),
            depth=depth,
            progress=progress,
        )

    def _previous(self, as_of: datetime) -> dict[str, float]:
        """Return P(breach) of the warnings that stood after the last run with an earlier cut-off."""
        if not self.ledger.path.exists():
            return {}
        runs = [entry for entry in self.ledger.entries("run", as_of=as_of) if entry.as_of < as_of]
        if not runs:
            return {}
        last = max(runs, key=lambda entry: (entry.as_of, entry.sequence))
        found = {}
        for entry in self.ledger.entries("warning", as_of=as_of):
            probability = entry.payload.get("probability")
            if entry.as_of == last.as_of and isinstance(probability, float | int):
                found[entry.key] = float(probability)
        return found

    def forecast(
        self,
        service: str,
        metric: str | None = None,
        *,
        as_of: str | date | datetime | None = None,
        horizon: int = 31,
        step: timedelta = timedelta(days=1),
    ) -> Forecast:
        """Forecast one metric of one service as sample paths.

        Parameters
        ----------
        service : str
        metric : str or None
            None takes the service's demand driver.
        as_of : str, date, datetime or None
        horizon : int
            Slices ahead.
        step : timedelta
            A local day, or the metric's own step.

        Raises
        ------
        InputError
            For an unknown service or metric, or a step that is neither.
        """
        from forecasting.forecasts.engine import forecast_series

        if service not in self.catalogue.services:
            raise _unknown("service", service, sorted(self.catalogue.services))
        driver = self.catalogue.drivers.get(service)
        name = metric or (driver.metric if driver else None)
        if name is None or name not in self.catalogue.metrics:
            raise _unknown("metric", name, sorted(self.catalogue.metrics))
        prepared = self.prepare(as_of)
        native = prepared.history.get(service, name)
        series = prepared.daily.get((service, name)) if step == timedelta(days=1) else native
        if native is None or series is None:
            raise InputError(
                argument="metric",
                came=f"{name} of {service}",
                allowed="a metric with rows before the cut-off",
                try_instead="forecasting ingest, or a later --as-of",
            )
        if step not in (timedelta(days=1), native.step):
            raise InputError(
                argument="step", came=str(step), allowed=f"1 day or {native.step}", try_instead="the metric's own step"
            )
        answer = forecast_series(
            series,
            horizon,
            models=self.settings.models,
            country=self.catalogue.services[service].country,
            n_paths=self.settings.paths,
            seed=self.settings.seed,
            origins=self.settings.origins,
            half_life_days=self.settings.error_half_life_days,
            mean_block_days=self.settings.mean_block_days,
        )
        if isinstance(answer, Excuse):
            raise InputError(
                argument=f"{name} of {service}",
                came=answer.reason,
                allowed="a series that can be forecast",
                try_instead=answer.what_would_help,
            )
        return answer

    def plan(
        self, as_of: str | date | datetime | None = None, *, progress: Callable[[str], None] = _quiet
    ) -> PlanResult:
        """Compute the plan, write it in every form, record it in the ledger and, if on, in MLflow."""
        plan = self.compute(as_of, depth="full", progress=progress)
        progress("writing")
        files = self.write(plan)
        self.record(plan)
        if self.mlflow:
            progress("model log")
            where = self.log(plan)
            if where is not None:
                files["mlflow"] = where
        return PlanResult(plan=plan, files=files)

    def write(self, plan: Plan) -> dict[str, str]:
        """Write a plan as HTML, Markdown, JSON and CSV, and its warnings as JSON lines; return the paths by form."""
        from forecasting.adapters.sinks import CsvFrames, HtmlFile, JsonFile, MarkdownFile
        from forecasting.reports.render import render_html, render_json, render_markdown

        local = plan.as_of.astimezone(ZoneInfo(self.project.zone))
        folder = self.root / REPORT_FOLDER / local.strftime("%Y-%m-%d" if local.time() == time_of_day.min else _INSTANT)
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "html": HtmlFile(folder, render_html).write(plan),
            "markdown": MarkdownFile(folder, render_markdown).write(plan),
            "json": JsonFile(folder, render_json).write(plan),
            "csv": CsvFrames(folder).write(plan),
        }
        warnings = folder / "warnings.jsonl"
        JsonLines(warnings).send(plan.warnings)
        if warnings.exists():
            files["warnings"] = str(warnings)
        return files

    def record(self, plan: Plan) -> int:
        """Append what a plan says to the ledger; the same plan again adds nothing. Return the rows added."""
        run, added = plan.manifest.run_id, 0
        attainments = [
            (_key(a.service, a.agreement, a.objective, a.period.label), _fields(a))
            for s in plan.services
            for o in s.objectives
            for a in o.attainments
            if a.final
        ]
        risks = [
            (_key(r.service, r.agreement, r.objective, r.period.label), _risk(r))
            for s in plan.services
            for o in s.objectives
            for r in o.risks
        ]
        for kind, rows in (
            ("run", [(run, _fields(plan.manifest))]),
            ("attainment", attainments),
            ("risk", risks),
            ("model_choice", [(_key(s.service.name), _fields(s.choice)) for s in plan.services if s.choice]),
            ("proposal", [(p.id, _fields(p)) for p in plan.proposals]),
            ("warning", [(w.id, _fields(w)) for w in plan.warnings]),
        ):
            added += self.ledger.record(kind, rows, as_of=plan.as_of, run_id=run)
        return added

    def log(self, plan: Plan) -> str | None:
        """Log back-tests and chosen models of a plan to MLflow and return where."""
        from forecasting.adapters.model_log import MlflowSqlite

        return MlflowSqlite(self.root / STATE_FOLDER, experiment=self.project.name).log_backtests(plan)

    # ------------------------------------------------------------------ health
    def doctor(self, as_of: str | date | datetime | None = None) -> tuple[Finding, ...]:
        """Look for what would make a run fail or lie: damaged stores, missing data, stale metrics, zone data.

        Parameters
        ----------
        as_of : str, date, datetime or None
            The instant at which data should be fresh; None is the end of the data, which finds only what stopped
            before the rest.
        """
        from forecasting.workspace.checks import check_workspace

        return check_workspace(self, as_of)


def create(path: str | Path, *, source: str | Path | None = None, force: bool = False) -> Path:
    """Make a workspace: a copy of another folder's project file, catalogue and data, or a commented template.

    Parameters
    ----------
    path : str or Path
        The new folder.
    source : str, Path or None
        A folder with a project file to copy; None writes the template.
    force : bool
        Replace the inputs of a workspace that exists; its stores are kept.

    Raises
    ------
    InputError
        Where the folder is a workspace already, or the source is none.
    """
    from forecasting.workspace.template import write_template

    target = Path(path)
    if target.exists() and not target.is_dir():
        raise InputError(argument="path", came=str(path), allowed="a folder", try_instead="another path")
    if (target / PROJECT_FILE).exists() and not force:
        raise InputError(
            argument="path",
            came=str(path),
            allowed="a folder that is no workspace yet",
            try_instead="another folder, or --force to replace its inputs",
        )
    if source is None:
        write_template(target, replace=force)
        return target
    _copy_inputs(Path(source), target, replace=force)
    return target


def _copy_inputs(origin: Path, target: Path, *, replace: bool) -> None:
    """Copy project file, catalogue and data; everything is read before the first file is written."""
    from forecasting.workspace.template import drop_documents

    if not (origin / PROJECT_FILE).is_file():
        raise InputError(
            argument="from",
            came=str(origin),
            allowed=f"a folder with {PROJECT_FILE}",
            try_instead="examples/airports, or leave --from away for a template",
        )
    project = load_project(origin / PROJECT_FILE, suffixes=tuple(SOURCES))
    YamlFolder(origin / project.catalogue, project.metrics, currency=project.currency, name=project.name).load()
    inputs = [PROJECT_FILE, *(spec.path for spec in project.sources)]
    catalogue = origin / project.catalogue
    inputs += [p.relative_to(origin).as_posix() for p in sorted(catalogue.rglob("*")) if p.suffix in (".yaml", ".yml")]
    for name in inputs:
        if not (origin / name).is_file():
            raise InputError(
                argument="from", came=f"{origin} without {name}", allowed=f"every file that {PROJECT_FILE} names",
                try_instead=f"put {name} there first",
            )  # fmt: skip
    if target.resolve().is_relative_to(origin.resolve()) or origin.resolve().is_relative_to(target.resolve()):
        raise InputError(
            argument="path", came=str(target), allowed="a folder outside of the one copied from",
            try_instead="another folder",
        )  # fmt: skip
    if replace:
        drop_documents(target, project.catalogue)
    for name in dict.fromkeys(inputs):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, target / name)


def _parsed(text: str) -> date | datetime:
    """Return an ISO date or an instant."""
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(
            argument="as_of",
            came=text,
            allowed="a date such as 2013-10-01 or an instant such as 2013-10-01T12:00:00Z",
            try_instead="the date as YYYY-MM-DD",
        ) from error


def _unknown(what: str, came: object, known: list[str]) -> InputError:
    import difflib

    near = difflib.get_close_matches(str(came), known, n=1)
    return InputError(
        argument=what,
        came=came,
        allowed=", ".join(known[:12]) + (" …" if len(known) > 12 else ""),
        try_instead=near[0] if near else "one of these",
    )


def _key(*parts: str | None) -> str:
    return "/".join(part or "-" for part in parts)


def _fields(record: object) -> dict[str, object]:
    """Return a frozen dataclass as plain JSON values."""
    found = plain(record)
    if not isinstance(found, dict):
        raise ForecastingError(
            argument="record", came=type(record).__name__, allowed="a dataclass", try_instead="a terms class"
        )
    return found


def _risk(risk: BreachRisk) -> dict[str, object]:
    """Return a risk without its paths, which the seed reproduces."""
    kept = (f.name for f in fields(risk) if f.name not in {"attainment_paths", "cost_paths"})
    return {name: plain(getattr(risk, name)) for name in kept}
