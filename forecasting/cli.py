"""The command line: parse, choose, call the workspace, print, exit code.

Exit codes: 0 ok · 1 findings that need attention (with ``--fail-on-findings``) · 2 bad input · 3 partial result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecasting import __version__
from forecasting.terms.errors import CatalogueError, ForecastingError

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.workspace import Workspace

SCHEMA_VERSION = 1

app = typer.Typer(
    name="forecasting",
    help="History of service metrics → demand forecast → service level and breach risk → proposals → report, warnings.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WorkspaceOption = Annotated[
    Path, typer.Option("--workspace", "-w", help="Folder with forecasting.yaml.", envvar="FORECASTING_WORKSPACE")
]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", help="Cut-off, ISO date or instant: nothing at or after it is read. Default: end of data."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on standard output.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of every simulation.")]
PathsOption = Annotated[int | None, typer.Option("--paths", min=200, max=100_000, help="Sample paths.")]
JobsOption = Annotated[int | None, typer.Option("--jobs", min=1, max=256, help="Processes.")]
FailOption = Annotated[bool, typer.Option("--fail-on-findings", help="Exit with 1 when something needs attention.")]
RowsOption = Annotated[int, typer.Option("--rows", min=1, help="Rows shown (JSON always has all).")]


def _open(
    path: Path, *, seed: int | None = None, paths: int | None = None, jobs: int | None = None, mlflow: bool = False
) -> Workspace:
    """Open a workspace with the settings given on the command line."""
    from dataclasses import replace

    from forecasting.terms.settings import Settings
    from forecasting.workspace import Workspace

    settings = Settings()
    if seed is not None:
        settings = replace(settings, seed=seed)
    if paths is not None:
        settings = replace(settings, paths=paths)
    if jobs is not None:
        settings = replace(settings, jobs=jobs)
    return Workspace(path, mlflow=mlflow, settings=settings)


@contextmanager
def _stages(total: int) -> Iterator[Callable[[str], None]]:
    """Show the stages as a progress bar on standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda stage: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=total)

        def advance(stage: str) -> None:
            bar.update(task, description=stage, advance=1)

        yield advance


def _print_json(command: str, data: object) -> None:
    """Print one document with sorted keys."""
    document = {"schema_version": SCHEMA_VERSION, "command": command, "data": data}
    print(json.dumps(document, sort_keys=True, allow_nan=False, ensure_ascii=False, default=str))  # noqa: T201


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values; missing ones are None."""
    text = frame.to_json(orient="records", date_format="iso", date_unit="s")
    rows: list[dict[str, Any]] = json.loads(text or "[]")
    return rows


def _console() -> Any:
    from rich.console import Console

    return Console(soft_wrap=False)


def _table(title: str, frame: pd.DataFrame, columns: Mapping[str, str], *, rows: int = 60) -> None:
    """Print chosen columns of a frame as a table; `columns` maps a column to its format: text, %, money, num, day."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", header_style="bold")
    for column, form in columns.items():
        table.add_column(column.replace("_", " "), justify="left" if form in {"text", "day"} else "right")
    for record in frame.head(rows).to_dict("records"):
        table.add_row(*(Text(_cell(record[column], form)) for column, form in columns.items()))
    console = _console()
    console.print(table)
    if len(frame) > rows:
        console.print(f"… {len(frame) - rows} more rows (--json has all, --rows shows more)")


def _cell(value: Any, form: str) -> str:
    """Return one cell as text; what is missing is a dash."""
    if value is None or value != value:
        return "–"
    if form == "%":
        return f"{100 * value:.0f} %"
    if form == "share":
        return f"{100 * value:.2f} %"
    if form == "money":
        return f"{value:,.0f}"
    if form == "num":
        return f"{value:.4g}"
    return str(value)[:10] if form == "day" else str(value)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)  # noqa: T201
        raise typer.Exit


@app.command()
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
        _print_json("init", {"workspace": str(made)})
    else:
        _console().print(f"workspace {made} is ready; next: forecasting ingest -w {made}")


@app.command()
def ingest(workspace: WorkspaceOption = Path("."), as_json: JsonOption = False) -> None:
    """Read the project's sources and store what is new; the same files twice change nothing."""
    space = _open(workspace)
    with _stages(2 * len(space.project.sources)) as advance:
        reports = space.ingest(progress=advance)
    if as_json:
        from forecasting.adapters._plain import plain

        _print_json("ingest", [plain(r) for r in reports])
        return
    for r in reports:
        cleaned = ", ".join(f"{count} {reason}" for reason, count in sorted(r.cleaned.items()))
        _console().print(
            f"{r.source}: {r.rows_read:,} rows read, {r.rows_new:,} new, {r.rows_known:,} known already"
            + (f"; made missing: {cleaned}" if cleaned else "")
        )


@app.command()
def attainment(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    rows: RowsOption = 60,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was delivered against every objective, window by window."""
    space = _open(workspace, seed=seed)
    with _stages(2) as advance:
        frame = space.compute(as_of, depth="attainment", progress=advance).frames()["attainment"]
    if as_json:
        _print_json("attainment", _records(frame))
    else:
        _table(
            "Attainment",
            frame.sort_values(["start", "service"], ascending=[False, True]),
            {"service": "text", "objective": "text", "period": "text", "good": "money", "total": "money",
             "value": "share", "target": "share", "status": "text"},
            rows=rows,
        )  # fmt: skip
    _exit(fail and bool((frame["status"] == "breached").any()))


@app.command()
def backtest(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    mlflow: Annotated[bool, typer.Option("--mlflow/--no-mlflow", help="Log to the workspace's MLflow store.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Back-test the demand models on rolling origins and show which one each service gets."""
    space = _open(workspace, seed=seed, paths=paths, jobs=jobs, mlflow=mlflow)
    with _stages(3) as advance:
        plan = space.compute(as_of, depth="demand", timed=True, progress=advance)
        if mlflow:
            advance("model log")
            space.log(plan)
    frame = plan.frames()["choices"]
    if as_json:
        _print_json("backtest", _records(frame))
        return
    _table(
        "Back-tests (1 = seasonal naive; lower is better)",
        frame,
        {"service": "text", "model": "text", "chosen": "text", "sql_vs_naive": "num", "mase_vs_naive": "num",
         "coverage80": "%", "coverage95": "%", "cpu_seconds": "num"},
        rows=rows,
    )  # fmt: skip


@app.command()
def forecast(
    service: Annotated[str, typer.Argument(help="Service to forecast.")],
    metric: Annotated[str | None, typer.Option("--metric", help="Default: the service's demand driver.")] = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=2000, help="Slices ahead.")] = 31,
    step: Annotated[str, typer.Option("--step", help="1d (local days) or the metric's own step, such as 1h.")] = "1d",
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Forecast one metric of one service with calibrated intervals."""
    from forecasting.adapters._fields import parse_duration

    space = _open(workspace, seed=seed, paths=paths)
    length = parse_duration(step)
    if length is None:
        raise ForecastingError(argument="step", came=step, allowed="a duration such as 1h or 1d", try_instead="1d")
    with _stages(1) as advance:
        advance("demand forecast")
        found = space.forecast(service, metric, as_of=as_of, horizon=horizon, step=length)
    from forecasting.terms.frames import forecast_frame

    frame = forecast_frame(found)
    if as_json:
        _print_json("forecast", {"model": found.model, "fallback": found.fallback, "slices": _records(frame)})
        return
    _table(
        f"{service}: {found.metric.name} ({found.metric.unit}) by {found.model}",
        frame,
        {"at": "text", **{c: "num" for c in frame.columns if c == "mean" or c.startswith("q")}},
        rows=rows,
    )
    if found.choice:
        _console().print(found.choice.reason)


@app.command()
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
    space = _open(workspace, seed=seed, paths=paths, jobs=jobs)
    with _stages(4) as advance:
        frame = space.compute(as_of, depth="risk", progress=advance).frames()["risks"]
    if as_json:
        _print_json("risk", _records(frame))
    else:
        _table(
            "Breach risk (90 % interval)",
            frame.sort_values("probability", ascending=False),
            {"service": "text", "objective": "text", "period": "text", "target": "share", "probability": "%",
             "probability_low": "%", "probability_high": "%", "attainment_p50": "share", "expected_credit": "money",
             "expected_loss": "money", "currency": "text"},
            rows=rows,
        )  # fmt: skip
    _exit(fail and bool((frame["probability"] >= space.settings.warn_at).any()))


@app.command()
def propose(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """Work out options with cost, P(miss) before and after, and order-by dates."""
    space = _open(workspace, seed=seed, paths=paths, jobs=jobs)
    with _stages(6) as advance:
        frame = space.compute(as_of, depth="proposals", progress=advance).frames()["options"]
    if as_json:
        _print_json("propose", _records(frame))
        return
    shown = [c for c in ("service", "label", "recommended") if c in frame.columns]
    _table(
        "Options",
        frame,
        {**dict.fromkeys(shown, "text"), "probability_before": "%", "probability_after": "%",
         "cost_over_horizon": "money", "net_benefit": "money", "order_by": "day"},
        rows=rows,
    )  # fmt: skip


@app.command()
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
    space = _open(workspace, seed=seed, paths=paths, jobs=jobs, mlflow=mlflow)
    with _stages(8) as advance:
        result = space.plan(as_of, progress=advance)
    if as_json:
        _print_json("plan", {"files": dict(result.files), "run_id": result.plan.manifest.run_id})
    else:
        from forecasting.reports.render import summary_text

        print(summary_text(result.plan))  # noqa: T201
        print()  # noqa: T201
        for form, where in result.files.items():
            if form != "html":
                print(f"{form}: {where}")  # noqa: T201
        print(result.files["html"])  # noqa: T201
    _exit(fail and bool(result.plan.warnings))


@app.command()
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
    from forecasting.adapters.notifiers import JsonLines

    space = _open(workspace, seed=seed, paths=paths, jobs=jobs)
    with _stages(7) as advance:
        found = space.compute(as_of, depth="full", progress=advance)
    if as_json:
        _print_json("warn", [plain(w) for w in found.warnings])
    else:
        JsonLines(out).send(found.warnings)
    space.record(found)
    _exit(fail and bool(found.warnings))


@app.command()
def doctor(workspace: WorkspaceOption = Path("."), fail: FailOption = False, as_json: JsonOption = False) -> None:
    """Look for damage, missing or stale data and wrong versions, and say what to do."""
    findings = _open(workspace).doctor()
    if as_json:
        from forecasting.adapters._plain import plain

        _print_json("doctor", [plain(f) for f in findings])
    else:
        from rich.text import Text

        for f in findings:
            line = Text("ok   " if f.ok else "LOOK ", style="green" if f.ok else "bold yellow")
            line.append(f"{f.check}: {f.detail}", style="default")
            if f.try_instead:
                line.append(f" → {f.try_instead}", style="italic")
            _console().print(line)
    _exit(fail and not all(f.ok for f in findings))


def _exit(found: bool) -> None:
    if found:
        raise typer.Exit(1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors of the user become one clear message and exit code 2."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=args, standalone_mode=True)
    except ForecastingError as error:
        if "--json" in args:
            problems = error.problems if isinstance(error, CatalogueError) else ()
            document = {
                "schema_version": SCHEMA_VERSION,
                "error": error.as_dict(),
                "problems": [p.as_dict() for p in problems],
            }
            print(json.dumps(document, sort_keys=True, ensure_ascii=False))  # noqa: T201
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
