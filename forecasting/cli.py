"""The command line: parse, choose, call the workspace, print, exit code.

Exit codes: 0 ok · 1 findings that need attention (with ``--fail-on-findings``) · 2 bad input · 3 partial result.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from forecasting import __version__
from forecasting.terms.errors import CatalogueError, ForecastingError

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.workspace import Workspace

SCHEMA_VERSION = 1
_PIPE_WIDTH = 120

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
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, max=2**63 - 1, help="Seed of every simulation.")]
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


def _say(text: str) -> None:
    """Print one line as it is: no markup, no wrapping, so that paths can be copied."""
    print(text)  # noqa: T201


def _table(title: str, frame: pd.DataFrame, columns: Mapping[str, str], *, rows: int = 60) -> None:
    """Print chosen columns of a frame as a table; `columns` maps a column to its format.

    The formats are ``text`` (folded where it is long), ``key`` (never folded), ``%``, ``share``, ``money``, ``num``,
    ``ratio`` and ``day``. Nothing is cut off: what is too long goes on in the next line.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, form in columns.items():
        left = form in {"text", "key", "day"}
        table.add_column(
            column.replace("_", " "), justify="left" if left else "right", overflow="fold", no_wrap=form != "text"
        )
    for record in frame.head(rows).to_dict("records"):
        table.add_row(*(Text(_cell(record[column], form)) for column, form in columns.items()))
    Console(soft_wrap=False, width=_width()).print(table)
    if len(frame) > rows:
        _say(f"… {len(frame) - rows} more rows (--json has all, --rows shows more)")


def _width() -> int | None:
    """Return the width of tables where the terminal does not say: in a file or a pipe."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit() else _PIPE_WIDTH


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
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.3g}"
    if form == "ratio":
        return f"{value:.2f}"
    return str(value)[:10] if form == "day" else str(value)


def _interval(value: float, low: float, high: float) -> str:
    """Return a probability with its interval, such as ``72 % (46–90)``."""
    return f"{100 * value:.0f} % ({100 * low:.0f}–{100 * high:.0f})"


def _money_unit(frame: pd.DataFrame) -> str:
    """Return the currency of a frame of results; there is one for a project."""
    known = sorted({str(c) for c in frame["currency"] if c})
    return ", ".join(known)


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
        _say(f"workspace {made} is ready; next: forecasting ingest -w {made}")


@app.command()
def ingest(workspace: WorkspaceOption = Path("."), as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Read the project's sources and store what is new; the same files twice change nothing."""
    space = _open(workspace)
    with _stages(2 * len(space.project.sources)) as advance:
        reports = space.ingest(as_of, progress=advance)
    if as_json:
        from forecasting.adapters._plain import plain

        _print_json("ingest", [plain(r) for r in reports])
        return
    for r in reports:
        cleaned = ", ".join(f"{count} {reason}" for reason, count in sorted(r.cleaned.items()))
        _say(
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
        begun = frame[(frame["total"] > 0) | frame["final"]]
        _table(
            "Attainment, latest windows first",
            begun.sort_values(["start", "service"], ascending=[False, True], kind="stable"),
            {"service": "text", "objective": "text", "period": "key", "good": "money", "total": "money",
             "value": "share", "target": "share", "status": "key"},
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
    shown = frame.assign(chosen=["✓" if c else "" for c in frame["chosen"]]).rename(
        columns={"sql_vs_naive": "SQL", "mase_vs_naive": "MASE", "coverage80": "in 80 %", "coverage95": "in 95 %"}
    )
    _table(
        "Back-tests: loss of quantiles (SQL) and median (MASE); 1 = seasonal naive",
        shown,
        {"service": "text", "model": "key", "chosen": "key", "SQL": "ratio", "MASE": "ratio",
         "in 80 %": "%", "in 95 %": "%", "cpu_seconds": "ratio"},
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
    local = frame["at"].dt.tz_convert(found.zone)
    frame["at"] = local.dt.strftime("%Y-%m-%d %a" if found.step == timedelta(days=1) else "%Y-%m-%d %H:%M %z")
    _table(
        f"{service}: {found.metric.name} ({found.metric.unit}) by {found.model}, {found.zone}",
        frame,
        {"at": "key", **{c: "num" for c in frame.columns if c == "mean" or c.startswith("q")}},
        rows=rows,
    )
    if found.choice:
        _say(found.choice.reason)
    if found.fallback:
        _say(found.fallback)


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
        triples = zip(frame["probability"], frame["probability_low"], frame["probability_high"], strict=True)
        shown = frame.assign(**{"P(miss)": [_interval(*t) for t in triples]}).rename(
            columns={"attainment_p50": "median", "expected_credit": "credit", "expected_loss": "loss"}
        )
        # Without an agreement nobody put a price on a miss: that is not the same as no cost.
        shown.loc[shown["agreement"].isna(), ["credit", "loss"]] = float("nan")
        _table(
            f"Breach risk: P(miss) (90 % interval), expected {_money_unit(frame)} (–: no agreement)",
            shown.sort_values("probability", ascending=False, kind="stable"),
            {"service": "text", "objective": "text", "period": "key", "target": "share", "P(miss)": "key",
             "median": "share", "credit": "money", "loss": "money"},
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
    pairs = zip(frame["probability_before"], frame["probability_after"], strict=True)
    shown = frame.assign(
        **{"P(miss)": [f"{_cell(b, '%')} → {_cell(a, '%')}" for b, a in pairs]},
        advised=["✓" if r else "" for r in frame["recommended"]],
    ).rename(columns={"cost_over_horizon": "cost", "label": "option"})
    _table(
        f"Options: ✓ = recommended, P(miss) before → after, {_money_unit(frame)} over the horizon",
        shown,
        {"service": "text", "advised": "key", "option": "text", "P(miss)": "key", "cost": "money",
         "net_benefit": "money", "order_by": "day"},
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
    if out is not None or not as_json:
        JsonLines(out).send(found.warnings)
    space.record(found)
    _exit(fail and bool(found.warnings))


@app.command()
def doctor(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    fail: FailOption = False,
    as_json: JsonOption = False,
) -> None:
    """Look for damage, missing or stale data and wrong versions, and say what to do."""
    findings = _open(workspace).doctor(as_of)
    if as_json:
        from forecasting.adapters._plain import plain

        _print_json("doctor", [plain(f) for f in findings])
    else:
        for f in findings:
            mark = typer.style("ok  ", fg="green") if f.ok else typer.style("LOOK", fg="yellow", bold=True)
            typer.echo(f"{mark} {f.check}: {f.detail}" + (f" → {f.try_instead}" if f.try_instead else ""))
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
        _refuse(error, as_json="--json" in args)
    except ImportError as error:
        wrong = ForecastingError(
            argument="library",
            came=str(error),
            allowed="every library of service-forecasting",
            try_instead="pip install service-forecasting (forecasting doctor lists what is there)"
            + ("; or --no-mlflow" if (error.name or "").startswith("mlflow") else ""),
        )
        _refuse(wrong, as_json="--json" in args)
    except OSError as error:
        wrong = ForecastingError(
            argument="file",
            came=error.strerror or str(error),
            allowed="files and folders that can be read and written, and free space",
            try_instead="check the path, its permissions and the disk",
            file=None if error.filename is None else os.fsdecode(error.filename),
        )
        _refuse(wrong, as_json="--json" in args)


def _refuse(error: ForecastingError, *, as_json: bool) -> NoReturn:
    """Say what was wrong, once for people and, if asked for, once for programs; exit code 2."""
    if as_json:
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
