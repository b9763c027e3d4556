"""Commands from a new workspace to the plan."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import (
    AsOfOption,
    FailOption,
    JobsOption,
    JsonOption,
    PathsOption,
    RowsOption,
    SeedOption,
    WorkspaceOption,
    open_workspace,
)
from forecasting.cli._output import (
    WIDE,
    console_width,
    exit_if,
    interval,
    money_unit,
    print_json,
    records,
    say,
    show_table,
    stages,
)
from forecasting.terms.errors import ForecastingError

if TYPE_CHECKING:
    from forecasting.ports import IngestReport


def init(
    path: Annotated[Path, typer.Argument(help="The new workspace.")],
    source: Annotated[
        Path | None, typer.Option("--from", help="Folder to copy project, catalogue and data from.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the inputs of a workspace that exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: a commented template, or a copy of an example."""
    from forecasting.workspace import create

    made = create(path, source=source, force=force)
    if as_json:
        print_json("init", {"workspace": str(made)})
    else:
        say(f"workspace {made} is ready; next: forecasting ingest -w {made}")


def ingest(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    shown: Annotated[int, typer.Option("--findings", min=0, help="Data-quality findings shown a source.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """Read the project's sources and store what is new; the same files twice change nothing.

    Exit code 3 where a server did not answer and the other sources were stored.
    """
    space = open_workspace(workspace)
    with stages(2 * len(space.project.sources)) as advance:
        reports = space.ingest(as_of, progress=advance)
    if as_json:
        from forecasting.adapters._plain import plain

        print_json("ingest", [plain(r) for r in reports])
        if any(r.failure for r in reports):
            raise typer.Exit(3)
        return
    for r in reports:
        _say_report(r, most=shown)
    failed = [r for r in reports if r.failure]
    if failed:
        raise typer.Exit(3)


def _say_report(report: IngestReport, *, most: int) -> None:
    """Say what an ingest of one source did, and what is remarkable in its series."""
    if report.failure:
        print(f"error: {report.source} was left out: {report.failure}", file=sys.stderr)  # noqa: T201
        return
    if report.unchanged:
        say(f"{report.source}: unchanged since the last ingest")
        return
    restated = f", {report.rows_restated:,} restated" if report.rows_restated else ""
    cleaned = ", ".join(f"{count} {reason}" for reason, count in sorted(report.cleaned.items()))
    say(
        f"{report.source}: {report.rows_read:,} rows read, {report.rows_new:,} new, "
        f"{report.rows_known:,} known already{restated}" + (f"; made missing: {cleaned}" if cleaned else "")
    )
    for finding in report.quality[:most]:
        say(f"  {finding}")
    if len(report.quality) > most:
        say(f"  … {len(report.quality) - most} more findings (--json has all, --findings shows more)")


def attainment(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Only this service; may be repeated.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Record the closed windows in the ledger.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why a final value changes, where one does.")] = "",
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was delivered against every objective, window by window; record closed windows, if asked to."""
    from forecasting.terms.frames import amount_text, attainment_frame

    space = open_workspace(workspace, seed=seed)  # nothing is drawn here; every command of the chain takes it
    with stages(2) as advance:
        found = space.delivered(as_of, services=service or None, progress=advance)
        added = space.close(found, as_of, reason=reason) if record else 0
    frame = attainment_frame(a for d in found for a in d.attainments)
    if as_json:
        print_json("attainment", records(frame))
    else:
        frame["bad"] = frame["total"] - frame["good"]
        for name in ("bad", "total"):
            amounts = [amount_text(n, unit) for n, unit in zip(frame[name], frame["unit"], strict=True)]
            frame[f"{name}_text"] = [text.removesuffix(" events") for text in amounts]
        begun = frame[(frame["total"] > 0) | frame["final"]]
        begun = begun.drop(columns=["bad"]).rename(columns={"bad_text": "bad", "total_text": "of"})
        amount_columns = ("bad", "of") if console_width() >= WIDE else ("bad",)
        show_table(
            "Attainment, latest windows first",
            begun.sort_values(["start", "service"], ascending=[False, True], kind="stable"),
            {"service": "name", "objective": "name", "period": "text", **dict.fromkeys(amount_columns, "text"),
             "value": "share", "target": "share", "status": "key"},
            rows=rows,
        )  # fmt: skip
        if record:
            say(f"{added} {'row' if added == 1 else 'rows'} added to the ledger")
    exit_if(fail and bool((frame["status"] == "breached").any()))


def backtest(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Only this service; may be repeated.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model beside the default, alone; may be repeated.")
    ] = None,
    origins: Annotated[int, typer.Option("--origins", min=3, max=100, help="Rolling origins.")] = 3,
    horizon: Annotated[
        int | None, typer.Option("--horizon", min=1, max=2000, help="Slices scored at each origin; default: a month.")
    ] = None,
    metric_step: Annotated[
        bool, typer.Option("--metric-step", help="On each metric's own step instead of days; default horizon: a week.")
    ] = False,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    mlflow: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log to the workspace's MLflow store.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Back-test ways of forecasting demand from rolling origins: league table, paired comparisons, coverage, cost."""
    from forecasting.cli._forecasts import league_document, show_league
    from forecasting.forecasts.compare import compare_entries
    from forecasting.workflows.workbench import DEFAULT
    from forecasting.workspace.demand import log_league
    from forecasting.workspace.models import open_registry

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs, mlflow=mlflow)
    registry, where = open_registry(space) if mlflow else None, ""
    with stages(1 + mlflow) as advance:
        if registry is not None:
            registry.check()  # before the long part
        advance("back-tests")
        league = space.backtest(
            as_of,
            services=service or None,
            models=tuple(dict.fromkeys((DEFAULT, *(model or ())))),
            origins=origins,
            horizon=horizon,
            native=metric_step,
            timed=True,
        )
        if registry is not None:
            advance("model log")
            where = log_league(space, registry, league, as_of=as_of)
    others = [name for name in league.entries if name != DEFAULT]
    comparisons = [compare_entries(league, DEFAULT, name, seed=league.seed) for name in others]
    if as_json:
        document = league_document(league, comparisons)
        print_json("backtest", document | {"logged": where} if where else document)
    else:
        show_league(league, comparisons, rows=rows)
        if registry is not None:
            say(f"logged as {where} in {registry.place}")


def forecast(
    service: Annotated[str, typer.Argument(help="Service to forecast.")],
    metric_name: Annotated[
        str | None, typer.Argument(metavar="[METRIC]", help="Default: the service's demand driver.")
    ] = None,
    metric: Annotated[str | None, typer.Option("--metric", help="The same as METRIC.")] = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=2000, help="Slices ahead.")] = 31,
    step: Annotated[str, typer.Option("--step", help="1d (local days) or the metric's own step, such as 1h.")] = "1d",
    model: Annotated[
        list[str] | None, typer.Option("--model", help="This model instead of the default; may be repeated.")
    ] = None,
    covariates: Annotated[
        Path | None, typer.Option("--covariates", help="CSV or Parquet known ahead: at, a column for each; service.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why: components, members, who declined.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the slices to this CSV file, local times.")] = None,
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Forecast one metric of one service with calibrated intervals, and say what they rest on."""
    from forecasting.adapters._fields import parse_duration
    from forecasting.cli._forecasts import forecast_document, read_known_ahead, show_forecast, write_forecast

    if metric_name is not None and metric not in (None, metric_name):
        raise ForecastingError(
            argument="metric", came=f"{metric_name} and {metric}", allowed="one metric", try_instead=str(metric_name)
        )
    space = open_workspace(workspace, seed=seed, paths=paths)
    length = parse_duration(step)
    if length is None:
        raise ForecastingError(argument="step", came=step, allowed="a duration such as 1h or 1d", try_instead="1d")
    known = None if covariates is None else read_known_ahead(covariates)
    with stages(1) as advance:
        advance("demand forecast")
        found = space.forecast(
            service,
            metric_name or metric,
            as_of=as_of,
            horizon=horizon,
            step=length,
            models=model or None,
            covariates=known,
        )
    from forecasting.terms.frames import forecast_frame

    frame = forecast_frame(found)
    written = None if out is None else write_forecast(found, frame, out, explain=explain)
    if as_json:
        document = forecast_document(found, frame, explain=explain)
        print_json("forecast", document if written is None else document | {"out": written})
        return
    show_forecast(found, frame, rows=rows, explain=explain)
    if written is not None:
        say(written)


def risk(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show P(breach) of every objective for the running window and the next ones."""
    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    with stages(4) as advance:
        frame = space.compute(as_of, depth="risk", progress=advance).frames()["risks"]
    if as_json:
        print_json("risk", records(frame))
    else:
        triples = zip(frame["probability"], frame["probability_low"], frame["probability_high"], strict=True)
        shown = frame.assign(**{"P(miss)": [interval(*t) for t in triples]}).rename(
            columns={"attainment_p50": "median", "expected_credit": "credit", "expected_loss": "loss"}
        )
        # Without an agreement nobody put a price on a miss: that is not the same as no cost.
        shown.loc[shown["agreement"].isna(), ["credit", "loss"]] = float("nan")
        show_table(
            f"Breach risk: P(miss) (90 % interval), expected {money_unit(frame)} (–: no agreement)",
            shown.sort_values("probability", ascending=False, kind="stable"),
            {"service": "text", "objective": "text", "period": "key", "target": "share", "P(miss)": "key",
             "median": "share", "credit": "money", "loss": "money"},
            rows=rows,
        )  # fmt: skip
    exit_if(fail and bool((frame["probability"] >= space.settings.warn_at).any()))


def plan(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    mlflow: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log back-tests and models to MLflow.")] = True,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make the plan: HTML, Markdown, JSON, CSV and early warnings; the last line is the path of the report."""
    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs, mlflow=mlflow)
    with stages(8) as advance:
        result = space.plan(as_of, progress=advance)
    if as_json:
        print_json("plan", {"files": dict(result.files), "run_id": result.plan.manifest.run_id})
    else:
        from forecasting.reports.render import summary_text

        print(summary_text(result.plan))  # noqa: T201
        print()  # noqa: T201
        for form, where in result.files.items():
            if form != "html":
                print(f"{form}: {where}")  # noqa: T201
        print(result.files["html"])  # noqa: T201
    exit_if(fail and bool(result.plan.warnings))


def warn(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Append to this file instead of standard output.")] = None,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Give early warnings as JSON lines, one object a line (with --json: one document)."""
    from forecasting.adapters._plain import plain
    from forecasting.adapters.notifiers import append_warnings

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    with stages(7) as advance:
        found = space.compute(as_of, depth="full", progress=advance)
    if as_json:
        print_json("warn", [plain(w) for w in found.warnings])
    if out is not None or not as_json:
        append_warnings(out, found.warnings)
    space.record(found)
    exit_if(fail and bool(found.warnings))


def doctor(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Look for damage, missing or stale data and wrong versions, and say what to do."""
    findings = open_workspace(workspace).doctor(as_of)
    if as_json:
        from forecasting.adapters._plain import plain

        print_json("doctor", [plain(f) for f in findings])
    else:
        for f in findings:
            mark = typer.style("ok  ", fg="green") if f.ok else typer.style("LOOK", fg="yellow", bold=True)
            typer.echo(f"{mark} {f.check}: {f.detail}" + (f" → {f.try_instead}" if f.try_instead else ""))
    exit_if(fail and not all(f.ok for f in findings))
