"""Commands for trained models: log, list, compare, promote, card, drift."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import (
    AsOfOption,
    JobsOption,
    JsonOption,
    PathsOption,
    RowsOption,
    SeedOption,
    WorkspaceOption,
    open_workspace,
)
from forecasting.cli._output import exit_if, print_json, say, show_table, stages

if TYPE_CHECKING:
    from forecasting.adapters.model_log import MlflowRegistry
    from forecasting.terms.drift import DriftFinding
    from forecasting.terms.errors import Excuse
    from forecasting.terms.league import LeagueRow
    from forecasting.workspace import Workspace

app = typer.Typer(help="Trained models: learn, measure, register, compare, promote, watch; kept in MLflow.")

NameOption = Annotated[str | None, typer.Option("--name", help="Registered model. Default: the project's name.")]
TrackingOption = Annotated[
    str | None,
    typer.Option(
        "--tracking-env",
        envvar="FORECASTING_TRACKING_ENV",
        help="Environment variable with the URI of an MLflow tracking server. Default: the workspace's own database.",
    ),
]
OriginsOption = Annotated[int, typer.Option("--origins", min=3, max=100, help="Rolling origins.")]


@contextmanager
def _told(total: int) -> Iterator[Callable[[str], None]]:
    """Show the steps on standard error: as a bar on a terminal, else a line each."""
    if sys.stderr.isatty():
        with stages(total) as advance:
            yield advance
        return
    yield lambda step: print(f"{step} …", file=sys.stderr)  # noqa: T201


def _registry(space: Workspace, tracking_env: str | None) -> MlflowRegistry:
    from forecasting.workspace.models import open_registry

    return open_registry(space, tracking_env=tracking_env)


@app.command()
def log(
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    as_of: AsOfOption = None,
    horizon: Annotated[int, typer.Option("--horizon", min=1, max=366, help="Days ahead that are scored.")] = 28,
    origins: OriginsOption = 3,
    entry: Annotated[list[str] | None, typer.Option("--entry", help="Another model in the league; repeatable.")] = None,
    tracking_env: TrackingOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn on the workspace's series, measure it on rolling origins, keep both, and register it as challenger."""
    from forecasting.adapters._plain import plain
    from forecasting.workspace.models import log_model

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    registry = _registry(space, tracking_env)
    with _told(4) as advance:
        version, league = log_model(
            space, registry, name=name or space.project.name, as_of=as_of, horizon=horizon, origins=origins,
            entries=tuple(entry or ()), progress=advance,
        )  # fmt: skip
    if as_json:
        excluded = [[*key, excuse.reason] for key, excuse in league.excluded]
        data = {"version": plain(version), "where": registry.place, "league": plain(league.rows), "excluded": excluded}
        print_json("models log", data)
        return
    _show_league(f"League, {league.horizon} days ahead, {len(league.series)} series", league.rows)
    for (service, metric), excuse in league.excluded:
        say(f"not scored: {service} {metric}: {excuse.reason}")
    say(f"logged {version.label} in {registry.place}; next: forecasting models compare -w {workspace}, then promote")


@app.command("list")
def list_(
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    tracking_env: TrackingOption = None,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """List the versions of a model, latest first, with what is in force."""
    import pandas as pd

    from forecasting.adapters._plain import plain

    space = open_workspace(workspace)
    known = name or space.project.name
    found = _registry(space, tracking_env).versions(known)
    if as_json:
        print_json("models list", [plain(one) for one in found])
        return
    if not found:
        say(f"no version of {known} yet: forecasting models log -w {workspace}")
        return
    frame = pd.DataFrame(
        [(one.version, ", ".join(one.aliases), one.tags.get("as_of", "")[:10], one.tags.get("series"),
          one.tags.get("horizon"), _number(one.tags, "gm_sql"), _number(one.tags, "coverage80"), one.tags.get("state"),
          one.tags.get("promoted_because") or None)
         for one in found],
        columns=["version", "alias", "as_of", "series", "ahead", "relative_loss", "within_80", "state", "promoted"],
    )  # fmt: skip
    columns = dict.fromkeys(("version", "alias", "as_of", "series", "ahead"), "key")
    columns |= {"relative_loss": "num", "within_80": "%", "state": "key", "promoted": "text"}
    show_table(f"Versions of {known}, latest first", frame, columns, rows=rows)
    say("relative loss: quantile loss of the back-test ÷ that of repeating the last week; below 1 is better")


@app.command()
def compare(
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    as_of: AsOfOption = None,
    origins: OriginsOption = 3,
    tracking_env: TrackingOption = None,
    seed: SeedOption = None,
    jobs: JobsOption = None,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 where promote would refuse.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the challenger with the champion on the same rolling origins, by paired bootstrap over series."""
    from forecasting.adapters._plain import plain
    from forecasting.workspace.models import compare_models

    space = open_workspace(workspace, seed=seed, jobs=jobs)
    with _told(2) as advance:
        judged = compare_models(
            space, _registry(space, tracking_env), name=name or space.project.name, as_of=as_of, origins=origins,
            progress=advance,
        )  # fmt: skip
    if as_json:
        print_json("models compare", {**_mapping(plain(judged)), "safe": judged.safe})
    else:
        _show_league(f"The same {judged.origins} origins, {judged.horizon} days ahead", judged.rows)
        say(judged.comparison.verdict)
        say(
            f"the challenger (version {judged.challenger.version}) may be promoted"
            if judged.safe
            else f"keep the champion (version {judged.champion.version}): it is not shown that version "
            f"{judged.challenger.version} is not worse"
        )
    exit_if(fail and not judged.safe)


@app.command()
def promote(
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    as_of: AsOfOption = None,
    origins: OriginsOption = 3,
    force: Annotated[bool, typer.Option("--force", help="Whatever the comparison says; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why, kept with the version.")] = "",
    tracking_env: TrackingOption = None,
    seed: SeedOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put the challenger in force; refused (exit code 2) unless the comparison excludes that it is worse."""
    from forecasting.adapters._plain import plain
    from forecasting.workspace.models import promote_model

    space = open_workspace(workspace, seed=seed, jobs=jobs)
    with _told(3) as advance:
        done = promote_model(
            space, _registry(space, tracking_env), name=name or space.project.name, as_of=as_of, force=force,
            reason=reason, origins=origins, progress=advance,
        )  # fmt: skip
    if as_json:
        print_json("models promote", plain(done))
        return
    before = "" if done.over is None else f"; version {done.over.version} is kept as previous"
    say(f"{done.version.label} is in force{before}: {done.because}")


@app.command()
def card(
    version: Annotated[int | None, typer.Argument(help="Version; default: the champion, else the challenger.")] = None,
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    tracking_env: TrackingOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model card of a version into the workspace's models folder."""
    from forecasting.adapters._atomic import write_atomic
    from forecasting.adapters._plain import plain
    from forecasting.workspace.models import CARD_FOLDER, model_card

    space = open_workspace(workspace)
    found, text = model_card(_registry(space, tracking_env), name=name or space.project.name, version=version)
    path = write_atomic(space.root, f"{found.name}-v{found.version}.md", text, folder=CARD_FOLDER)
    if as_json:
        print_json("models card", {"version": plain(found), "path": str(path), "text": text})
    else:
        say(str(path))


@app.command()
def drift(
    workspace: WorkspaceOption = Path("."),
    name: NameOption = None,
    as_of: AsOfOption = None,
    alias: Annotated[str, typer.Option("--alias", help="champion, challenger or previous.")] = "champion",
    tracking_env: TrackingOption = None,
    seed: SeedOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 when it is time to refit.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether the errors since a model was trained are still those of its back-test, and so when to refit.

    Exit code 3 where series the model was measured on are not in the data any more.
    """
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.workspace.models import check_models

    space = open_workspace(workspace, seed=seed, jobs=jobs)
    with _told(3) as advance:
        found = check_models(
            space, _registry(space, tracking_env), name=name or space.project.name, alias=alias, as_of=as_of,
            progress=advance,
        )  # fmt: skip
    if as_json:
        more = {"drifted": len(found.drifted), "checked": found.checked, "advice": found.advice}
        print_json("models drift", {**_mapping(plain(found)), **more})
    else:
        frame = pd.DataFrame(
            [(one.service, one.metric, one.outcomes, *_finding(one.finding)) for one in found.series],
            columns=["service", "metric", "outcomes", "drift", "since", "what_to_do"],
        )
        columns = {"service": "name", "metric": "text", "outcomes": "key", "drift": "key", "since": "key",
                   "what_to_do": "text"}  # fmt: skip
        show_table(f"Errors of {found.version.label} since {found.trained:%Y-%m-%d}", frame, columns, rows=rows)
        say(found.advice)
    exit_if(fail and bool(found.drifted))
    if any(one.gone for one in found.series):
        raise typer.Exit(3)


def _finding(finding: DriftFinding | Excuse) -> tuple[str, str | None, str]:
    """Kind, beginning and advice of a finding."""
    from forecasting.terms.errors import Excuse

    if isinstance(finding, Excuse):
        return "not checked", None, f"{finding.reason}; {finding.what_would_help}"
    since = None if finding.since_at is None else f"{finding.since_at:%Y-%m-%d}"
    return finding.kind, since, finding.what_to_do


def _show_league(title: str, league: tuple[LeagueRow, ...]) -> None:
    """Print the rows of a league."""
    import pandas as pd

    frame = pd.DataFrame(
        [(row.entry, f"{row.gm_sql:.3f}", f"{row.gm_sql_low:.3f}–{row.gm_sql_high:.3f}", f"{row.gm_mase:.3f}",
          row.coverage_at(0.8), row.coverage_at(0.95), row.bias, row.fallback_rate) for row in league],
        columns=["entry", "relative_loss", "95 % interval", "relative_MASE", "within_80", "within_95", "bias",
                 "fallback"],
    )  # fmt: skip
    columns = {"entry": "key", "relative_loss": "key", "95 % interval": "key", "relative_MASE": "key",
               "within_80": "%", "within_95": "%", "bias": "ratio", "fallback": "%"}  # fmt: skip
    show_table(title, frame, columns)


def _number(tags: Mapping[str, str], key: str) -> float | None:
    """A number kept as text; None where there is none."""
    try:
        return float(tags[key])
    except (KeyError, ValueError):
        return None


def _mapping(found: object) -> dict[str, object]:
    assert isinstance(found, dict), "a dataclass becomes a mapping"
    return found
