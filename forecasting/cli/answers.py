"""Commands on early warnings: which stand, and what people say of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecasting.cli._options import JsonOption, RowsOption, WorkspaceOption, open_workspace
from forecasting.cli._output import cell, print_json, say, show_table
from forecasting.terms.alarm import AlarmStage

if TYPE_CHECKING:
    from datetime import datetime

    from forecasting.terms.alarm import AlarmState

app = typer.Typer(help="Early warnings that stand, and what people say of them.")

IdArgument = Annotated[str, typer.Argument(help="Id of a warning, or its first digits (forecasting warning list).")]
ByOption = Annotated[str, typer.Option("--by", help="Who says so.")]
NoteOption = Annotated[str, typer.Option("--note", help="Why, or what is done.")]


@app.command("list")
def list_(
    workspace: WorkspaceOption = Path("."),
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over, and what came of them.")] = False,
    rows: RowsOption = 60,
    as_json: JsonOption = False,
) -> None:
    """List the warnings that stand, the earliest window first; with --all every one and its outcome."""
    import pandas as pd

    from forecasting.adapters._plain import plain
    from forecasting.early_warning.alarms import standing
    from forecasting.workspace.alarms import alarm_outcomes, alarm_states

    space = open_workspace(workspace, notices=False)
    states = alarm_states(space.ledger)
    told = [s for s in states.values() if s.stage is not AlarmStage.WATCHED]
    shown = sorted(told, key=lambda s: (s.period.end, s.id)) if everything else list(standing(states))
    outcomes = {o.id: o for o in alarm_outcomes(space.ledger)} if everything else {}
    if as_json:
        print_json(
            "warning list",
            [{**_mapping(plain(s)), "outcome": plain(outcomes.get(s.id))} for s in shown],
        )
        return
    if not shown:
        say("no warning stands" if not everything else "nobody was ever warned of anything")
        return
    frame = pd.DataFrame(
        [(s.id, s.service, s.objective, s.period.label, cell(s.probability, "%"),
          "" if s.warning is None else s.warning.severity.value, _stage(s),
          outcomes[s.id].verdict if s.id in outcomes else None) for s in shown],
        columns=["id", "service", "objective", "window", "P(miss)", "severity", "state", "outcome"],
    )  # fmt: skip
    columns = dict.fromkeys(frame.columns, "key") | {"service": "name", "objective": "name", "state": "text"}
    if not everything:
        columns.pop("outcome")
    show_table("Early warnings" + ("" if everything else " that stand"), frame, columns, rows=rows)


def _stage(state: AlarmState) -> str:
    """Return a stage with who put it there."""
    until = "" if state.until is None else f" until {state.until:%Y-%m-%d %H:%MZ}"
    return f"{state.stage.value}{until}" + (f" by {state.by}" if state.by else "")


@app.command()
def ack(
    which: IdArgument, by: ByOption, workspace: WorkspaceOption = Path("."), note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Say that you have seen a warning."""
    _answer(workspace, which, AlarmStage.ACKNOWLEDGED, by=by, note=note, as_json=as_json)


@app.command()
def act(
    which: IdArgument, by: ByOption, workspace: WorkspaceOption = Path("."), note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Say that something is done about it; its window then counts as treated when warnings are scored."""
    _answer(workspace, which, AlarmStage.ACTING, by=by, note=note, as_json=as_json)


@app.command()
def snooze(
    which: IdArgument,
    by: ByOption,
    until: Annotated[str, typer.Option("--until", help="ISO date or instant, of the data: silent up to this cut-off.")],
    workspace: WorkspaceOption = Path("."),
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Hear nothing of a warning until then, unless it worsens or the objective is missed."""
    from forecasting.workspace.workspace import utc_instant

    space = open_workspace(workspace, notices=False)
    instant = utc_instant(until, space.project.zone)
    _answer(workspace, which, AlarmStage.SNOOZED, by=by, note=note, until=instant, as_json=as_json)


@app.command("false")
def false_(
    which: IdArgument, by: ByOption, workspace: WorkspaceOption = Path("."), note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Say that a warning is none: it is over, and comes back only after the probability has been low again."""
    _answer(workspace, which, AlarmStage.FALSE, by=by, note=note, as_json=as_json)


def _answer(
    workspace: Path,
    which: str,
    stage: AlarmStage,
    *,
    by: str,
    note: str,
    as_json: bool,
    until: datetime | None = None,
) -> None:
    """Record an answer and say so."""
    from forecasting.adapters._plain import plain
    from forecasting.workspace.alarms import answer_alarm

    space = open_workspace(workspace, notices=False)
    state = answer_alarm(space, which, stage, by=by, until=until, note=note)
    if as_json:
        print_json("warning", plain(state))
    else:
        say(f"{state.id} {state.service} {state.objective} {state.period.label}: {_stage(state)}")


def _mapping(found: object) -> dict[str, object]:
    assert isinstance(found, dict), "a dataclass becomes a mapping"
    return found
