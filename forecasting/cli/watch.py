"""Commands that keep watch: evaluate, tell the receivers, and take people's answers."""

from __future__ import annotations

import sys
from datetime import timedelta
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
from forecasting.cli._output import cell, print_json, say, show_table, stages
from forecasting.terms.alarm import AlarmStage
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from forecasting.terms.alarm import AlarmState
    from forecasting.workspace import Workspace
    from forecasting.workspace.watching import Cycle

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)


def watch(
    workspace: WorkspaceOption = Path("."),
    every: Annotated[
        str | None, typer.Option("--every", help="Go on until told to end, a cycle every so often: 30s, 5m, 1h, 1d.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One cycle, for a scheduler (the default).")] = False,
    as_of: AsOfOption = None,
    ingest: Annotated[bool, typer.Option("--ingest/--no-ingest", help="Read the sources first.")] = True,
    consecutive: Annotated[
        int, typer.Option("--consecutive", min=1, max=1000, help="Evaluations in a row at the level before a warning.")
    ] = 1,
    by_cost: Annotated[
        bool, typer.Option("--by-cost", help="Warn at the probability from which the proposed action pays.")
    ] = False,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ingest, compute, and tell the receivers of the project what is new: once, or every so often until told to end.

    Nothing is lost or told twice when it is stopped, killed or started again. SIGTERM and SIGINT end it after the
    current step. Exit code 3 after one cycle where a receiver has not taken everything or a source did not answer.
    With --every, a line where something happened; with --json one document a line and cycle.
    """
    from forecasting.adapters.clock import SignalPause, SystemClock
    from forecasting.workspace.alarms import policy_of
    from forecasting.workspace.watching import Watch

    if once and every is not None:
        raise InputError(argument="once", came=f"--every {every}", allowed="one of both", try_instead="--every alone")
    period = None if every is None else _period(every)
    pause = SignalPause()
    opened: list[None] = []

    def opener() -> Workspace:
        opened.append(None)
        return open_workspace(workspace, seed=seed, paths=paths, jobs=jobs, notices=len(opened) == 1)

    last: list[tuple[int, ...]] = []

    def tell(cycle: Cycle) -> None:
        waiting = tuple(r.waiting for r in cycle.receivers)
        same = not (cycle.computed or cycle.notices or cycle.taken or cycle.problems) and last == [waiting]
        last[:] = [waiting]
        if as_json or not same:
            _tell(cycle, as_json=as_json)

    def fail(error: Exception) -> None:
        print(f"error: {error}; tried again in {every}", file=sys.stderr, flush=True)  # noqa: T201

    with pause.until_signal(), stages(11) as advance:
        watching = Watch(
            opener,
            policy=lambda space: policy_of(space.settings, consecutive=consecutive, by_cost=by_cost),
            pause=pause,
            clock=SystemClock(),
            as_of=as_of,
            ingest=ingest,
            progress=advance if period is None else lambda stage: None,
        )
        if period is not None:
            watching.run(period, told=tell, failed=fail)
            return
        cycle = watching.once()
    if cycle is None:
        print("ended before the cycle was finished; the next one goes on from here", file=sys.stderr)  # noqa: T201
        return
    tell(cycle)
    if not cycle.complete:
        raise typer.Exit(3)


def _period(text: str) -> timedelta:
    """Return the time from cycle to cycle."""
    from forecasting.adapters._fields import parse_duration

    seconds = text[:-1] if text.endswith("s") else ""
    found = timedelta(seconds=int(seconds)) if seconds.isascii() and seconds.isdigit() else parse_duration(text)
    if found is None or not _SHORTEST <= found <= _LONGEST:
        raise InputError(argument="every", came=text, allowed="a duration from 1s to 7d", try_instead="5m")
    return found


def _tell(cycle: Cycle, *, as_json: bool) -> None:
    """Say what a cycle came to; problems also on standard error."""
    if as_json:
        print_json("watch", document(cycle))
    else:
        known = "" if cycle.computed else ", nothing new"
        say(
            f"{cycle.as_of.isoformat().replace('+00:00', 'Z')}: {_count(len(cycle.warnings), 'warning')} standing, "
            f"{_count(len(cycle.notices), 'notice')} new, {cycle.taken} delivered{known}"
        )
        for notice in cycle.notices:
            w = notice.warning
            say(f"  {notice.kind.value}: {w.severity.value} {w.id} {w.service} {w.objective} {w.period.label}")
        for r in cycle.receivers:
            if r.waiting:
                say(f"  {r.name}: {_count(r.waiting, 'notice')} waiting; {r.problem}")
    for report in cycle.sources:
        if report.failure:
            print(f"error: {report.source} was left out: {report.failure}", file=sys.stderr)  # noqa: T201
    for problem in cycle.problems:
        print(f"error: {problem}", file=sys.stderr)  # noqa: T201
    sys.stdout.flush()


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def document(cycle: Cycle) -> dict[str, object]:
    """Return a cycle as plain values for ``--json``."""
    from forecasting.adapters._plain import plain

    return {
        "at": plain(cycle.at),
        "as_of": plain(cycle.as_of),
        "run_id": cycle.plan.manifest.run_id,
        "computed": cycle.computed,
        "standing": [plain(w) for w in cycle.warnings],
        "notices": [
            {"id": n.id, "kind": n.kind.value, "over": n.over, "warning": n.warning.id,
             "severity": n.warning.severity.value} for n in cycle.notices
        ],
        "delivered": cycle.taken,
        "receivers": [plain(r) for r in cycle.receivers],
        "sources": [plain(r) for r in cycle.sources],
        "files": list(cycle.files),
        "problems": list(cycle.problems),
        "complete": cycle.complete,
    }  # fmt: skip


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
