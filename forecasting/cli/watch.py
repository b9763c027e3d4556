"""The command that keeps watch: evaluate, tell the receivers, show what stands; or try its policy on the past."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecasting.cli._options import (
    AsOfOption,
    JobsOption,
    JsonOption,
    RowsOption,
    SeedOption,
    WorkspaceOption,
    open_workspace,
)
from forecasting.cli._output import more_rows, print_json, say, stages
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecasting.terms.alarm import AlarmPolicy
    from forecasting.terms.settings import Settings
    from forecasting.workspace import Workspace
    from forecasting.workspace.cycle import Cycle, Hook

_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=7)
_STEPS = 11
"""Stages shown of a cycle."""
_RUN, _SHOW, _POLICY = "How it runs", "What is shown beside the notices", "When people are told"


def watch(
    workspace: WorkspaceOption = Path("."),
    every: Annotated[
        str | None,
        typer.Option(
            "--every", help="Go on until told to end, a cycle every so often: 30s, 5m, 1h, 1d.", rich_help_panel=_RUN
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="One cycle, for a scheduler (the default).", rich_help_panel=_RUN)
    ] = False,
    as_of: AsOfOption = None,
    ingest: Annotated[
        bool, typer.Option("--ingest/--no-ingest", help="Read the sources first.", rich_help_panel=_RUN)
    ] = True,
    replay: Annotated[
        bool,
        typer.Option(
            "--replay",
            help="Try the policy on the closed windows of the past and tell nobody; nothing is written.",
            rich_help_panel=_RUN,
        ),
    ] = False,
    raise_at: Annotated[
        float | None,
        typer.Option(
            "--raise-at", help="P(miss) at which a warning is raised.", show_default="0.35", rich_help_panel=_POLICY
        ),
    ] = None,
    clear_share: Annotated[
        float | None,
        typer.Option(
            "--clear-share",
            help="Share of that level below which a warning is cleared.",
            show_default="0.6",
            rich_help_panel=_POLICY,
        ),
    ] = None,
    consecutive: Annotated[
        int,
        typer.Option(
            "--consecutive",
            min=1,
            max=1000,
            help="Evaluations in a row at the level before a warning.",
            rich_help_panel=_POLICY,
        ),
    ] = 1,
    by_cost: Annotated[
        bool,
        typer.Option(
            "--by-cost",
            help="Warn at the probability from which the proposed action pays.",
            rich_help_panel=_POLICY,
        ),
    ] = False,
    lead_days: Annotated[
        float | None,
        typer.Option(
            "--lead-days",
            help="Days before a window's end by which a warning must come to count as in time.",
            show_default="7",
            rich_help_panel=_POLICY,
        ),
    ] = None,
    page: Annotated[
        bool,
        typer.Option("--page/--no-page", help="Write reports/early-warnings.html each cycle.", rich_help_panel=_SHOW),
    ] = True,
    textfile: Annotated[
        Path | None,
        typer.Option(
            "--textfile",
            help="Write metrics each cycle to this .prom file, for node_exporter's textfile collector.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            help="With --every: serve /metrics, /healthz and / (the page) at host:port, such as 127.0.0.1:9464. "
            "Without password or encryption: keep it on loopback.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    dashboard: Annotated[
        Path | None,
        typer.Option(
            "--dashboard",
            help="Write the Grafana dashboard and the Prometheus alert rules into this folder, and do nothing else.",
            rich_help_panel=_SHOW,
        ),
    ] = None,
    rows: RowsOption = 60,
    seed: SeedOption = None,
    paths: Annotated[
        int | None,
        typer.Option("--paths", min=200, max=100_000, help="Sample paths; with --replay, of each statement."),
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ingest, compute, and tell the receivers of the project what is new: once, or every so often until told to end.

    Nothing is lost or told twice when it is stopped, killed or started
    again. SIGTERM and SIGINT end it after the current step. Exit code 3
    after one cycle where a receiver has not taken everything, a source did
    not answer or a page could not be written. With --every, a line where
    something happened; with --json one document a line and cycle.

    With --replay, what the same policy would have told in the past; exit
    code 3 where the history is too short.
    """
    from dataclasses import replace

    from forecasting.cli.policy_replay import replay_policy
    from forecasting.terms.settings import Settings
    from forecasting.workspace.alarms import policy_of

    if dashboard is not None:
        _refuse_beside("dashboard", every=every, once=once, replay=replay, textfile=textfile, listen=listen)
        _write_dashboard(dashboard, as_json=as_json)
        return
    if replay:
        _refuse_beside("replay", every=every, once=once, textfile=textfile, listen=listen)
    if once and every is not None:
        raise InputError(argument="once", came=f"--every {every}", allowed="one of both", try_instead="--every alone")
    if listen is not None and every is None:
        raise InputError(
            argument="listen", came=listen, allowed="with --every: one cycle is over before it is asked",
            try_instead="--every 5m, or --textfile",
        )  # fmt: skip
    period = None if every is None else _period(every)

    def settled(settings: Settings) -> Settings:
        # What the plan says of its own warnings is by the same policy.
        return replace(
            settings,
            warn_at=settings.warn_at if raise_at is None else raise_at,
            required_lead_days=settings.required_lead_days if lead_days is None else lead_days,
            replay_paths=paths if replay and paths is not None else settings.replay_paths,
        )

    def policy(settings: Settings) -> AlarmPolicy:
        return policy_of(settings, consecutive=consecutive, by_cost=by_cost, clear_share=clear_share)

    policy(settled(Settings()))  # what cannot be meant is refused before anything is done
    opened: list[None] = []

    def opener() -> Workspace:
        opened.append(None)
        space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs, notices=len(opened) == 1)
        space.settings = settled(space.settings)
        return space

    if replay:
        space = opener()
        replay_policy(space, as_of, policy(space.settings), rows=rows, as_json=as_json)
        return
    with ExitStack() as stack:
        hooks = _hooks(stack, page=page, textfile=textfile, listen=listen)
        _keep_watch(
            opener,
            lambda space: policy(space.settings),
            period=period,
            every=every,
            as_of=as_of,
            ingest=ingest,
            hooks=hooks,
            rows=rows,
            as_json=as_json,
        )


def _keep_watch(
    opener: Callable[[], Workspace],
    policy: Callable[[Workspace], AlarmPolicy],
    *,
    period: timedelta | None,
    every: str | None,
    as_of: str | None,
    ingest: bool,
    hooks: list[Hook],
    rows: int,
    as_json: bool,
) -> None:
    """Do one cycle, or one every so often."""
    from forecasting.adapters.clock import SignalPause, SystemClock
    from forecasting.workspace.watching import Watch

    pause = SignalPause()
    last: list[tuple[tuple[int, bool], ...]] = []

    def tell(cycle: Cycle) -> None:
        receivers = tuple((r.waiting, bool(r.problem)) for r in cycle.receivers)
        same = not (cycle.computed or cycle.notices or cycle.taken or cycle.problems) and last == [receivers]
        last[:] = [receivers]
        if as_json or not same:
            _tell(cycle, rows=rows, as_json=as_json)

    def fail(error: Exception) -> None:
        print(f"error: {error}; tried again in {every}", file=sys.stderr, flush=True)  # noqa: T201

    with pause.until_signal(), stages(_STEPS) as advance:
        watching = Watch(
            opener,
            policy=policy,
            pause=pause,
            clock=SystemClock(),
            as_of=as_of,
            ingest=ingest,
            hooks=hooks,
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


def _refuse_beside(alone: str, **others: Any) -> None:
    """Refuse options that mean nothing beside another one."""
    for name, value in others.items():
        if value not in (None, False):
            raise InputError(
                argument=alone, came=f"--{name}", allowed=f"--{alone} without --{name}", try_instead=f"--{alone} alone"
            )


def _hooks(stack: ExitStack, *, page: bool, textfile: Path | None, listen: str | None) -> list[Hook]:
    """Return what tells of each cycle; the server is stopped with the stack."""
    from forecasting.workspace.publishing import PageFile, Pages, Served, TextFile

    pages = Pages()
    found: list[Hook] = [PageFile(pages)] if page else []
    if textfile is not None:
        found.append(TextFile(textfile))
    if listen is not None:
        from forecasting.adapters.exposition import serve

        server = stack.enter_context(serve(listen))
        open_to = "" if server.local else "; whoever can reach it can read it: there is no password and no encryption"
        print(f"note: listening at {server.url}{open_to}", file=sys.stderr, flush=True)  # noqa: T201
        found.append(Served(server, pages))  # last: it tells of the trouble of the others
    return found


def _write_dashboard(folder: Path, *, as_json: bool) -> None:
    """Write what ships for Grafana and Prometheus."""
    from forecasting.adapters.exposition import write_dashboard

    made = [str(path) for path in write_dashboard(folder)]
    if as_json:
        print_json("watch", {"files": made})
    else:
        for path in made:
            say(path)


def _period(text: str) -> timedelta:
    """Return the time from cycle to cycle."""
    from forecasting.adapters._fields import parse_duration

    seconds = text[:-1] if text.endswith("s") else ""
    found = timedelta(seconds=int(seconds)) if seconds.isascii() and seconds.isdigit() else parse_duration(text)
    if found is None or not _SHORTEST <= found <= _LONGEST:
        raise InputError(argument="every", came=text, allowed="a duration from 1s to 7d", try_instead="5m")
    return found


def _tell(cycle: Cycle, *, rows: int, as_json: bool) -> None:
    """Say what a cycle came to; problems also on standard error."""
    if as_json:
        print_json("watch", document(cycle))
    else:
        known = "" if cycle.computed else ", nothing new"
        say(
            f"{cycle.as_of.isoformat().replace('+00:00', 'Z')}: {_count(len(cycle.warnings), 'warning')} standing, "
            f"{_count(len(cycle.notices), 'notice')} new, {cycle.taken} delivered{known}"
        )
        for notice in cycle.notices[:rows]:
            w = notice.warning
            say(f"  {notice.kind.value}: {w.severity.value} {w.id} {w.service} {w.objective} {w.period.label}")
        more_rows(len(cycle.notices), rows)
        for r in cycle.receivers:
            if r.waiting or r.problem:
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
