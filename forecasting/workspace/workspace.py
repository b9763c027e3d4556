"""A workspace: one folder with a project file, a catalogue and what was computed from them. The Python API."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forecasting.adapters._atomic import write_atomic
from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.adapters.clock import SystemClock
from forecasting.adapters.executors import JoblibLoky
from forecasting.adapters.notifiers import warning_lines
from forecasting.adapters.sources import SOURCES
from forecasting.ports import Clock, IngestReport, Ledger, MetricStore, Outbox
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.project import Project
from forecasting.terms.settings import Settings
from forecasting.workspace.archive import Archive, input_files
from forecasting.workspace.stores import Past, open_stores

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.terms.audit import CatalogueFinding
    from forecasting.terms.budget import ErrorBudget
    from forecasting.terms.credit import CreditLine
    from forecasting.terms.league import League
    from forecasting.terms.plan import Plan
    from forecasting.workflows.delivered import Delivered
    from forecasting.workflows.plan import Depth
    from forecasting.workflows.prepare import Prepared

PROJECT_FILE = "forecasting.yaml"
STATE_FOLDER = ".forecasting"
REPORT_FOLDER = "reports"
FILE_SUFFIXES = tuple(name for name in SOURCES if name.startswith("."))
_INSTANT = "%Y-%m-%dT%H%M%S%z"
LONGEST_SILENCE = timedelta(days=366)
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
    '0.4.0'
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
    strict : bool
        Read OpenSLO documents by the reference rules alone, whatever the project says.
    past : Past or None
        Stores as they stood at a past run; None opens the workspace's own, as they stand now.
    clock : Clock or None
        Tells servers up to when they are asked, and an empty workspace what day it is; None is the computer's clock.

    Examples
    --------
    >>> Workspace("nowhere/at/all")
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: workspace: got 'nowhere/at/all'; allowed: a folder with forecasting.yaml; ...
    """

    def __init__(
        self,
        path: str | Path,
        *,
        mlflow: bool = True,
        settings: Settings | None = None,
        strict: bool = False,
        past: Past | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.root = Path(path)
        if not (self.root / PROJECT_FILE).is_file():
            raise InputError(
                argument="workspace",
                came=str(path),
                allowed=f"a folder with {PROJECT_FILE}",
                try_instead=f"forecasting init {path}",
            )
        self.mlflow = mlflow
        self.clock = clock or SystemClock()
        self.settings = settings or Settings()
        self.project: Project = load_project(self.root / PROJECT_FILE, suffixes=FILE_SUFFIXES)
        self.catalogue: Catalogue = YamlFolder(
            self.root / self.project.catalogue,
            self.project.metrics,
            currency=self.project.currency,
            name=self.project.name,
            strict=strict or self.project.mode == "strict",
        ).load()
        # As they are now, not as they will be when a long run is recorded.
        self.inputs = input_files(self.root, PROJECT_FILE, self.project.catalogue)
        self._past = past
        self._extents: dict[tuple[datetime | None, int], pd.DataFrame] = {}
        self.metrics: MetricStore
        self.ledger: Ledger
        self.outbox: Outbox | None = None
        """Notices on their way; None for the past, of which nobody is told again."""
        if past is not None:
            self.metrics, self.ledger = past.metrics, past.ledger
        else:
            self.metrics, ledger = open_stores(self.project, self.root / STATE_FOLDER)
            self.ledger, self.outbox = ledger, ledger
        self.archive = Archive(self.ledger)

    # ------------------------------------------------------------------ data in
    def ingest(
        self, as_of: str | date | datetime | None = None, *, progress: Callable[[str], None] = _quiet
    ) -> tuple[IngestReport, ...]:
        """Read every source of the project and add what is new.

        Files are read before anything is written, up to some millions of rows; what is larger is read and stored in
        one pass, all or nothing for each source. A server that does not answer does not keep the others from being
        stored: its failure is in its report.

        Parameters
        ----------
        as_of : str, date, datetime or None
            Rows of slices that begin at or after it are left out, to replay the past; None takes every row.
        progress : callable
            Told the name of each step.

        Raises
        ------
        InputError
            For the first thing wrong in a file; nothing of that source is written then.
        """
        from forecasting.workspace.ingest import ingest_sources

        before = None if as_of is None else self.instant(as_of)
        return ingest_sources(self, before=before, progress=progress)

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
        return utc_instant(as_of, self.project.zone)

    def _end_of_data(self) -> datetime:
        from forecasting.workspace.delivery import freshness

        self.need_rows()
        ends = freshness(self, None).values()
        if not ends:
            raise InputError(
                argument="as_of", came=None, allowed="a cut-off, where no stored metric is declared any more",
                try_instead="--as-of with a date",
            )  # fmt: skip
        return max(ends)

    def need_rows(self) -> None:
        """Refuse to say anything where nothing was ingested."""
        if self.position()[0] == 0:
            raise InputError(
                argument="workspace",
                came=f"{self.root} without any ingested row",
                allowed="a workspace with data",
                try_instead=f"forecasting ingest -w {self.root}",
            )

    def _rows(self, until: datetime | None) -> pd.DataFrame:
        self.need_rows()
        return self.metrics.read(until=until, batch=self.position()[0])

    def extent(self, until: datetime | None) -> pd.DataFrame:
        """Return what there is of every series (service, metric, rows, first, last) before an instant, as it stands."""
        key = until, self.position()[0]
        if key not in self._extents:  # a batch never changes, so neither does what there is up to it
            self._extents[key] = self.metrics.extent(until=until, batch=key[1])
        return self._extents[key]

    def position(self) -> tuple[int, int]:
        """Return the last batch of the metric store and the last row of the ledger that are read."""
        if self._past is not None:
            return self._past.batch, self._past.sequence
        return self.metrics.head(), self.ledger.head()[0]

    def prepare(self, as_of: str | date | datetime | None = None) -> Prepared:
        """Lay out what is known before a cut-off; nothing at or after it is read.

        Raises
        ------
        InputError
            Where nothing is known before the cut-off, or nothing of the year before it.
        """
        from forecasting.workflows.prepare import prepare

        cut_off = self.instant(as_of)
        batch, sequence = self.position()
        rows = self._rows(cut_off)
        if len(rows) and cut_off - rows["at"].max().to_pydatetime().replace(tzinfo=UTC) > LONGEST_SILENCE:
            raise InputError(
                argument="as_of",
                came=str(as_of),
                allowed=f"at most {LONGEST_SILENCE.days} days after the last row, of {rows['at'].max():%Y-%m-%d}",
                try_instead="ingest newer data, or an earlier --as-of",
            )
        prepared = prepare(
            self.catalogue,
            rows,
            tickets=self.metrics.read_tickets(batch=batch),
            organisation=self.project.organisation,
            currency=self.project.currency,
            zone=self.project.zone,
            as_of=cut_off,
            settings=self.settings,
            code_version=code_version(),
        )
        return replace(prepared, manifest=replace(prepared.manifest, batch=batch, sequence=sequence))

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
        plan = make_plan(
            prepared,
            executor=JoblibLoky(self.settings.jobs),
            timer=time.process_time if timed else no_timer,
            previous=self._previous(prepared.as_of, prepared.manifest.sequence),
            depth=depth,
            progress=progress,
        )
        progress("records")
        return self._with_records(plan, prepared, full=depth == "full")

    def _with_records(self, plan: Plan, prepared: Prepared, *, full: bool) -> Plan:
        """Add what the ledger and the catalogue say: every closed window, restatements, credits, the audit."""
        from forecasting.terms.plan import ObjectiveOutlook
        from forecasting.workflows.delivered import credits_of, delivered
        from forecasting.workspace.records import known_restatements
        from forecasting.workspace.runs import pending_of

        # Not from what is printed: a repeated miss or a yearly cap looks back further, and what an agreement owed
        # does not end with it.
        plan = replace(
            plan,
            record=tuple(
                ObjectiveOutlook(
                    agreement=d.agreement, objective=d.objective, attainments=d.attainments, risks=(), excuse=d.excuse
                )
                for d in delivered(self.catalogue, prepared.history, as_of=plan.as_of)
            ),
        )
        entries = self.ledger.entries("attainment", as_of=plan.as_of, until=plan.manifest.sequence)
        restated = known_restatements(entries) + pending_of(self, plan).restatements
        plan = replace(plan, restatements=tuple(r for r in restated if plan.as_of - r.as_of <= LONGEST_SILENCE))
        if not full:
            return plan
        return replace(plan, credits=credits_of(plan.record, as_of=plan.as_of), findings=self.audit(plan.as_of))

    def delivered(
        self,
        as_of: str | date | datetime | None = None,
        *,
        services: Sequence[str] | None = None,
        progress: Callable[[str], None] = _quiet,
    ) -> tuple[Delivered, ...]:
        """Return what was delivered in every window of every promise; services are read group by group.

        Parameters
        ----------
        as_of : str, date, datetime or None
            Cut-off, see `instant`.
        services : sequence of str or None
            None takes all.
        progress : callable
            Told the name of each step.

        Raises
        ------
        InputError
            For an unknown service, or where nothing was ingested.
        """
        from forecasting.workspace.delivery import read_delivered

        return read_delivered(
            self, as_of, services=services, each=lambda one: replace(one, events=None), progress=progress
        )

    def close(self, found: Sequence[Delivered], as_of: str | date | datetime | None = None, *, reason: str = "") -> int:
        """Record the closed windows of what was delivered, and the credits they make due; return the rows added.

        Parameters
        ----------
        found : sequence of Delivered
            From `delivered` at the same cut-off.
        as_of : str, date, datetime or None
        reason : str
            Why a final attainment changes, where one does.
        """
        from forecasting.workspace.runs import record_delivered

        return record_delivered(self, found, as_of=self.instant(as_of), reason=reason)

    def budgets(
        self,
        as_of: str | date | datetime | None = None,
        *,
        service: str | None = None,
        progress: Callable[[str], None] = _quiet,
    ) -> tuple[ErrorBudget, ...]:
        """Return the error budget of every running window, with burn rates and the alerts that hold."""
        from forecasting.workflows.delivered import budgets
        from forecasting.workspace.delivery import read_delivered

        instant = self.instant(as_of)
        made = read_delivered(
            self,
            as_of,
            services=None if service is None else (service,),
            each=lambda one: budgets(self.catalogue, (one,), as_of=instant),
            progress=progress,
        )
        return tuple(budget for several in made for budget in several)

    def credits(
        self, as_of: str | date | datetime | None = None, *, progress: Callable[[str], None] = _quiet
    ) -> tuple[tuple[CreditLine, ...], datetime]:
        """Return the credits of every agreement's closed windows, and the instant they are seen from."""
        from forecasting.workflows.delivered import credits_of

        instant = self.instant(as_of)
        found = self.delivered(as_of, progress=progress)
        progress("credits")
        return credits_of(found, as_of=instant), instant

    def audit(self, as_of: str | date | datetime | None = None) -> tuple[CatalogueFinding, ...]:
        """Return what the audit of the catalogue finds; without any data, what its text alone shows."""
        from forecasting.service_levels.audit import audit
        from forecasting.workspace.delivery import freshness

        if self.position()[0] == 0:
            now = self.clock.now() if as_of is None else self.instant(as_of)
            return audit(self.catalogue, as_of=now, freshness=None)
        instant = self.instant(as_of)
        return audit(self.catalogue, as_of=instant, freshness=freshness(self, instant))

    def today(self, as_of: str | date | datetime | None = None) -> date:
        """Return the local day of a cut-off in the project's zone; without data and cut-off, the day it is."""
        if as_of is None and self.position()[0] == 0:
            return self.clock.now().astimezone(ZoneInfo(self.project.zone)).date()
        return self.instant(as_of).astimezone(ZoneInfo(self.project.zone)).date()

    def _previous(self, as_of: datetime, sequence: int) -> dict[str, float]:
        """Return P(breach) of the warnings that stood before: after the last run with an earlier cut-off, and of those
        that `watch` keeps the alarms of, as it left them."""
        from forecasting.workspace.alarms import alarm_states, probability_before

        found = {}
        runs = [entry for entry in self.ledger.entries("run", as_of=as_of, until=sequence) if entry.as_of < as_of]
        if runs:
            last = max(runs, key=lambda entry: (entry.as_of, entry.sequence))
            for entry in self.ledger.entries("warning", as_of=as_of, until=sequence):
                probability = entry.payload.get("probability")
                if entry.as_of == last.as_of and isinstance(probability, float | int):
                    found[entry.key] = float(probability)
        for key, state in alarm_states(self.ledger, as_of=as_of, until=sequence).items():
            before = probability_before(state, as_of)
            if state.stands and before is not None:
                found[key] = before
            else:
                found.pop(key, None)
        return found

    def forecast(
        self,
        service: str,
        metric: str | None = None,
        *,
        as_of: str | date | datetime | None = None,
        horizon: int = 31,
        step: timedelta = timedelta(days=1),
        models: Sequence[str] | None = None,
        covariates: pd.DataFrame | None = None,
    ) -> Forecast:
        """Forecast one metric of one service as sample paths, with its explanation.

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
        models : sequence of str or None
            None takes those of the settings.
        covariates : DataFrame or None
            What is known ahead: column at, service where it is not for all, one column of numbers for each covariate;
            naive times are the service's local ones.

        Raises
        ------
        InputError
            For an unknown service or metric, a step that is neither, or covariates that do not fit.
        """
        from forecasting.workspace.demand import forecast_one

        return forecast_one(
            self, service, metric, as_of=as_of, horizon=horizon, step=step, models=models, covariates=covariates
        )

    def backtest(
        self,
        as_of: str | date | datetime | None = None,
        *,
        services: Sequence[str] | None = None,
        models: Sequence[str] = ("default",),
        origins: int = 3,
        horizon: int | None = None,
        native: bool = False,
        timed: bool = False,
    ) -> League:
        """Back-test ways of forecasting on the workspace's demand series from rolling origins: one league table.

        Parameters
        ----------
        as_of : str, date, datetime or None
            Cut-off, see `instant`.
        services : sequence of str or None
            None takes all.
        models : sequence of str
            Entries: names of models, each alone, or ``default`` for what a plan does.
        origins : int
            Rolling origins, 3 or more.
        horizon : int or None
            Slices scored at each origin; None is a month of days, or a week of the metric's own slices.
        native : bool
            On each metric's own step instead of local days.
        timed : bool
            Whether CPU seconds are measured; they differ from run to run.

        Raises
        ------
        InputError
            For an unknown service or model, or where no series is long enough.
        """
        from forecasting.workspace.demand import league_of

        return league_of(
            self, as_of, services=services, models=models, origins=origins, horizon=horizon, native=native, timed=timed
        )

    def plan(
        self,
        as_of: str | date | datetime | None = None,
        *,
        reason: str = "",
        progress: Callable[[str], None] = _quiet,
    ) -> PlanResult:
        """Compute the plan, write it in every form, record it in the ledger and, if on, in MLflow.

        `reason` is recorded where a final attainment changes.
        """
        plan = self.compute(as_of, depth="full", progress=progress)
        progress("writing")
        files = self.write(plan)
        self.record(plan, files, reason=reason)
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
        # Whole, like every form of a report: what an earlier run of the same day said is in the ledger.
        if plan.warnings:
            files["warnings"] = str(write_atomic(folder, "warnings.jsonl", warning_lines(plan.warnings)))
        else:
            (folder / "warnings.jsonl").unlink(missing_ok=True)
        return files

    def record(self, plan: Plan, files: Mapping[str, str] | None = None, *, reason: str = "") -> int:
        """Append what a plan says to the ledger; the same plan again adds nothing. Return the rows added.

        Parameters
        ----------
        plan : Plan
        files : mapping of str to str or None
            Paths of the reports written, whose hashes go into the run's row.
        reason : str
            Why a final attainment changes, where it does.
        """
        from forecasting.workspace.runs import record_plan

        return record_plan(self, plan, files or {}, reason=reason)

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
    project = load_project(origin / PROJECT_FILE, suffixes=FILE_SUFFIXES)
    YamlFolder(origin / project.catalogue, project.metrics, currency=project.currency, name=project.name).load()
    inputs = [PROJECT_FILE, *(spec.path for spec in project.sources if spec.path)]  # a server has none
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


def utc_instant(as_of: str | date | datetime, zone: str) -> datetime:
    """Return a cut-off as a UTC instant; a date is its first instant in the zone.

    Examples
    --------
    >>> utc_instant("2013-10-01", "America/New_York").isoformat()
    '2013-10-01T04:00:00+00:00'
    """
    day = _parsed(as_of) if isinstance(as_of, str) else as_of
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise InputError(
            argument="as_of",
            came=str(as_of),
            allowed=f"a year from {_FIRST_YEAR} to {_LAST_YEAR}",
            try_instead="the date as YYYY-MM-DD",
        )
    local = day if isinstance(day, datetime) else datetime(day.year, day.month, day.day)  # noqa: DTZ001
    zoned = local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))
    return zoned.astimezone(UTC)


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


def unknown(what: str, came: object, known: Sequence[str]) -> InputError:
    """Return the error for a name that is not known, with the nearest one that is.

    Examples
    --------
    >>> unknown("service", "lgq", ["ewr", "lga"]).try_instead
    'lga'
    """
    import difflib

    near = difflib.get_close_matches(str(came), known, n=1)
    return InputError(
        argument=what,
        came=came,
        allowed=", ".join(known[:12]) + (" …" if len(known) > 12 else ""),
        try_instead=near[0] if near else "one of these",
    )
