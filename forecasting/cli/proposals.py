"""Commands on proposals: work them out, decide, record what came of them, and the register of all."""

from __future__ import annotations

import textwrap
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from forecasting.cli._output import (
    cell,
    console_width,
    exit_if,
    inert,
    more_rows,
    print_json,
    records,
    say,
    show_table,
    stages,
)
from forecasting.terms.errors import InputError
from forecasting.terms.proposal import ProposalState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecasting.terms.register import ProposalScore, RegisterEntry, RegisterRow, RegisterScore

IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Proposal, or its first digits (forecasting register list).")
]
ByOption = Annotated[str, typer.Option("--by", help="Who says so.")]
DueOption = Annotated[
    str | None, typer.Option("--due", help="ISO date: by when it serves; defer: when to decide again.")
]

_DECISIONS = {
    "approve": ProposalState.APPROVED,
    "reject": ProposalState.REJECTED,
    "defer": ProposalState.DEFERRED,
    "amend": ProposalState.AMENDED,
    "reopen": ProposalState.PROPOSED,
}
_STEPS = {
    "start": ProposalState.IN_PROGRESS,
    "implemented": ProposalState.IMPLEMENTED,
    "failed": ProposalState.FAILED,
    "close": ProposalState.CLOSED,
}


def propose(
    workspace: WorkspaceOption = Path("."),
    as_of: AsOfOption = None,
    seed: SeedOption = None,
    paths: PathsOption = None,
    jobs: JobsOption = None,
    rows: RowsOption = 60,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Keep them in the ledger, and as files in reports/proposals.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Work out options with cost, P(miss) before and after, and order-by dates; keep them in the register."""
    from zoneinfo import ZoneInfo

    from forecasting.workspace.register import keep_proposals, register_rows
    from forecasting.workspace.register_export import write_proposals

    space = open_workspace(workspace, seed=seed, paths=paths, jobs=jobs)
    with stages(6) as advance:
        plan = space.compute(as_of, depth="proposals", progress=advance)
    if record:
        keep_proposals(space, plan)
    states = {row.entry.id: row for row in register_rows(space, as_of)}
    frame = plan.frames()["options"]
    shown = [states[p.id] for p in plan.proposals if p.id in states]
    if record:
        local = plan.as_of.astimezone(ZoneInfo(space.project.zone))
        whole = (local.hour, local.minute, local.second) == (0, 0, 0)
        write_proposals(space.root, local.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H%M%S%z"), shown)
    if as_json:
        frame["state"] = [states[i].entry.state.value if i in states else "draft" for i in frame["proposal"]]
        print_json("propose", records(frame))
        return
    if not plan.proposals:
        say("nothing asks for a decision")
    for p in plan.proposals[:rows]:
        row = states.get(p.id)
        _show_proposal(p, "draft" if row is None else _state(row.entry), rows=rows)
    more_rows(len(plan.proposals), rows)


def _show_proposal(p: object, state: str, *, rows: int) -> None:
    """Print one proposal: problem, options, recommendation, dates."""
    import pandas as pd

    from forecasting.terms.proposal import Proposal

    assert isinstance(p, Proposal), "a proposal"
    wrapped(f"{p.id} {p.title} [{state}]")
    wrapped(p.problem, "  ")
    frame = pd.DataFrame(
        [(n, "✓" if n == p.recommended + 1 else "", o.label, f"{cell(o.probability_before, '%')} → "
          f"{cell(o.probability_after, '%')}", o.cost_over_horizon, o.net_benefit, o.order_by)
         for n, o in enumerate(p.options, 1)],
        columns=["#", "advised", "option", "P(miss)", "cost", "net_benefit", "order_by"],
    )  # fmt: skip
    columns = {"#": "key", "advised": "key", "option": "text", "P(miss)": "key", "cost": "money",
               "net_benefit": "money", "order_by": "day"}  # fmt: skip
    show_table(
        f"Options: ✓ = recommended, P(miss) before → after, {p.currency} over the horizon", frame, columns, rows=rows
    )
    wrapped(f"Recommended: {p.recommendation.label}", "  ")
    by = p.decide_by.isoformat() if p.decide_by else "no date"
    wrapped(f"Decide by: {by}; owner: {p.owner}; success: {p.success_measure}", "  ")
    say("")


def decide(
    which: IdArgument,
    what: Annotated[
        Literal["approve", "reject", "defer", "amend", "reopen"],
        typer.Argument(metavar="DECISION", help="approve, reject, defer, amend (another option or terms), or reopen."),
    ],
    by: ByOption,
    why: Annotated[str, typer.Option("--why", help="The reason, for the record.")],
    workspace: WorkspaceOption = Path("."),
    option: Annotated[str, typer.Option("--option", help="Label or number of the option; default: recommended.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="Who carries it out; default: the proposal's owner.")] = "",
    due: DueOption = None,
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide on a proposal; who decided, when and why is kept in the ledger."""
    from forecasting.workspace.register import decide_proposal, move_proposal

    space = open_workspace(workspace, notices=False)
    if what == "reopen":
        if option or owner or due:
            raise InputError(
                argument="option", came=option or owner or due, allowed="only --by and --why for reopen",
                try_instead="reopen, then approve or amend",
            )  # fmt: skip
        row = move_proposal(space, which, ProposalState.PROPOSED, by=by, note=why, as_of=as_of)
    else:
        day = _day("due", due)
        row = decide_proposal(
            space, which, _DECISIONS[what], by=by, why=why, option=option, owner=owner, due=day, as_of=as_of
        )
    _answer("decide", row, as_json=as_json)


def outcome(
    which: IdArgument,
    step: Annotated[
        Literal["start", "implemented", "measured", "failed", "close"],
        typer.Argument(metavar="STEP", help="start, implemented, measured (from the ledger), failed or close."),
    ],
    by: ByOption,
    workspace: WorkspaceOption = Path("."),
    on: Annotated[
        str | None, typer.Option("--on", help="ISO date since when; default: the day of the cut-off.")
    ] = None,
    cost: Annotated[float | None, typer.Option("--cost", min=0, help="What it cost in fact.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why, or what was seen.")] = "",
    as_of: AsOfOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how the work on a proposal goes, and measure what it came to by recorded attainments and credits."""
    from forecasting.workspace.register import measure_proposal, move_proposal

    space = open_workspace(workspace, notices=False)
    if on is not None and step not in ("start", "implemented"):
        raise InputError(argument="on", came=on, allowed=f"none for {step}", try_instead="start or implemented")
    if step == "measured":
        row = measure_proposal(space, which, by=by, note=note, cost=cost, as_of=as_of)
    else:
        row = move_proposal(
            space, which, _STEPS[step], by=by, note=note, on=_day("on", on), cost=cost, as_of=as_of
        )  # fmt: skip
    _answer("outcome", row, as_json=as_json)


app = typer.Typer(help="Every proposal with its state, decision and outcome; how good past ones were.")


@app.command("list")
def list_(
    workspace: WorkspaceOption = Path("."),
    state: Annotated[
        list[str] | None, typer.Option("--state", help="Only this state, or open, actions, done; may be repeated.")
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late.")] = False,
    as_of: AsOfOption = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write them to this CSV file of the workspace.")] = None,
    tickets: Annotated[
        Path | None,
        typer.Option("--tickets", help="Write each as a Markdown ticket into this folder of the workspace."),
    ] = None,
    rows: RowsOption = 60,
    fail: Annotated[bool, typer.Option("--fail-on-overdue", help="Exit with 1 where something is late.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List proposals: what is to be decided, what is being done, what is late, what is done."""
    from forecasting.workspace.register import register_rows
    from forecasting.workspace.register_export import register_document, write_register

    space = open_workspace(workspace, notices=False)
    wanted = _states(state or [])
    found = [
        row
        for row in register_rows(space, as_of)
        if (not wanted or row.entry.state in wanted) and (row.late or not overdue)
    ]
    files = write_register(space.root, found, csv=csv, tickets=tickets)
    if as_json:
        print_json("register list", register_document(found))
    else:
        _show_register(found, rows=rows)
        for file in files:
            say(file)
    exit_if(fail and any(row.late for row in found))


@app.command()
def show(
    which: IdArgument, workspace: WorkspaceOption = Path("."), as_of: AsOfOption = None, as_json: JsonOption = False
) -> None:
    """Show one proposal as a ticket (Markdown), with every change of its state."""
    from forecasting.adapters._plain import plain
    from forecasting.adapters.sinks.ticket_markdown import ticket_body
    from forecasting.workspace.register import find_row, history, register_rows
    from forecasting.workspace.register_export import register_document

    space = open_workspace(workspace, notices=False)
    row = find_row(register_rows(space, as_of), which)
    past = history(space.ledger, row.entry.id)
    if as_json:
        changes = [
            {"state": e.state.value, "round": e.round, "at": plain(e.at), "by": e.by, "why": e.why} for e in past
        ]
        print_json("register show", register_document([row])[0] | {"history": changes})
        return
    for line in ticket_body(row.entry).splitlines():
        say(line)
    say("")
    for note in (row.late, row.changed, "" if row.raised_last else f"not raised since {row.last_raised:%Y-%m-%d}"):
        if note:
            wrapped(f"Note: {note}")
    for e in past:
        wrapped(f"{e.at:%Y-%m-%d %H:%MZ} {_state(e)} by {e.by}: {e.why or '–'}")


@app.command()
def score(
    workspace: WorkspaceOption = Path("."), as_of: AsOfOption = None, rows: RowsOption = 60, as_json: JsonOption = False
) -> None:
    """Score past proposals: P(miss) against what happened, benefit realised, regret in hindsight.

    What was done is known from the ledger. What an option that was not taken would have cost is by the model of then.
    Exit code 3 where no window of any proposal is closed and judged yet.
    """
    from forecasting.adapters._plain import plain
    from forecasting.workspace.register import score_past

    found = score_past(open_workspace(workspace, notices=False), as_of)
    if as_json:
        print_json("register score", plain(found))
    else:
        _show_scores(found, rows=rows)
    if not found.statements and not found.money:
        raise typer.Exit(3)


def _show_register(found: Sequence[RegisterRow], *, rows: int) -> None:
    import pandas as pd

    if not found:
        say("no proposal is in the register that was asked for")
        return
    frame = pd.DataFrame(
        [(r.entry.id, _state(r.entry), r.entry.proposal.title, r.entry.chosen.label, r.entry.proposal.owner,
          r.entry.proposal.due or r.entry.proposal.decide_by, _note(r)) for r in found],
        columns=["id", "state", "title", "option", "owner", "by", "note"],
    )  # fmt: skip
    columns = {"id": "key", "state": "text", "title": "text", "option": "text", "owner": "text", "by": "day"}
    if any(frame["note"]):
        columns["note"] = "text"
    show_table("Proposals: by = due date, or until decided the decide-by date", frame, columns, rows=rows)
    open_, late = sum(r.entry.state in _GROUPS["open"] for r in found), sum(bool(r.late) for r in found)
    acting, done = (sum(r.entry.state in _GROUPS[g] for r in found) for g in ("actions", "done"))
    say(f"{open_} to decide, {acting} in hand, {done} done, {late} late")


def _note(row: RegisterRow) -> str:
    gone = "" if row.raised_last or row.entry.state not in _GROUPS["open"] else "not raised by the last run"
    return "; ".join(text for text in (f"LATE: {row.late}" if row.late else "", row.changed, gone) if text)


def _state(entry: RegisterEntry) -> str:
    again = f" (round {entry.round})" if entry.round > 1 else ""
    return entry.state.value.replace("_", " ") + again


def _show_scores(found: RegisterScore, *, rows: int) -> None:
    """Print scores, the totals first; what is by the model is said to be."""
    import pandas as pd

    if not found.scores:
        say("no proposal was recorded yet")
        return
    if found.brier is not None and found.stated_mean is not None:
        wrapped(
            f"P(miss): {found.statements} statements on {found.windows} windows, {found.missed} of the statements came "
            f"true; stated on average {cell(found.stated_mean, '%')}; Brier {found.brier:.3f} "
            f"(base rate in hindsight: {found.brier_base_rate:.3f})"
        )
        for b in found.bins:
            wrapped(f"stated {cell(b.predicted, '%')}: missed {cell(b.observed, '%')} of {b.count}", "  ")
    for m in found.money:
        wrapped(
            f"{m.currency}: {m.proposals} proposals with all windows judged, {m.done} carried out; benefit stated "
            f"{m.benefit_stated:,.0f}, realised {m.benefit_realised:,.0f}; regret {m.regret:,.0f}; not deciding cost "
            f"{m.cost_of_not_deciding:,.0f}"
        )
    frame = pd.DataFrame([_score_cells(s) for s in found.scores], columns=list(_SCORE_COLUMNS))
    show_table("Past proposals against what happened", frame, _SCORE_COLUMNS, rows=rows)
    for s in found.scores[:rows]:
        if s.options:
            wrapped(f"{s.id} of {s.as_of:%Y-%m-%d}, in hindsight:")
            for o in s.options:
                how = "in fact" if o.in_fact else "by the model of then"
                wrapped(f"{o.total:,.0f} {s.currency} ({how}): {o.label}", "  ")
        elif s.unknown is not None:
            wrapped(f"{s.id} of {s.as_of:%Y-%m-%d}: {s.unknown.reason}; what would help: {s.unknown.what_would_help}")


_SCORE_COLUMNS = {"id": "key", "run": "key", "window": "key", "state": "text", "P(miss)": "key", "came": "key",
                  "cost_stated": "money", "in_fact": "money", "regret": "money"}  # fmt: skip


def _score_cells(s: ProposalScore) -> tuple[object, ...]:
    came = "open" if s.missed is None else "missed" if s.missed else "met"
    return (
        s.id, f"{s.as_of:%Y-%m-%d}", s.period.label if s.period else "–", s.state.value.replace("_", " "),
        "–" if s.stated is None else cell(s.stated, "%"), came, s.cost_stated, s.penalty_in_fact, s.regret,
    )  # fmt: skip


def _answer(command: str, row: RegisterRow, *, as_json: bool) -> None:
    """Say where a proposal stands after a change."""
    from forecasting.workspace.register_export import register_document

    if as_json:
        print_json(command, register_document([row])[0])
        return
    e = row.entry
    p, d, o = e.proposal, e.proposal.decision, e.proposal.outcome
    wrapped(f"{e.id} {p.title}: {_state(e)} by {e.by}")
    if d is not None and d.option and o is None:
        wrapped(f"{d.option}; owner {p.owner}; due {p.due.isoformat() if p.due else 'not named'}", "  ")
    if o is not None:
        known = [
            f"{name} {amount:,.0f} {p.currency}"
            for name, amount in (
                ("cost", o.actual_cost), ("credits and losses", o.credits_and_losses),
                ("benefit realised", o.benefit_realised), ("regret", o.regret),
            )
            if amount is not None
        ]  # fmt: skip
        wrapped(
            f"{o.missed} of {o.windows} windows missed, {o.measured_from} to {o.measured_to}; " + "; ".join(known), "  "
        )
        if o.note:
            wrapped(o.note, "  ")


_GROUPS = {
    "open": (ProposalState.DRAFT, ProposalState.PROPOSED, ProposalState.AMENDED, ProposalState.DEFERRED),
    "actions": (ProposalState.APPROVED, ProposalState.IN_PROGRESS, ProposalState.IMPLEMENTED),
    "done": (ProposalState.REJECTED, ProposalState.VERIFIED, ProposalState.FAILED, ProposalState.CLOSED),
}


def _states(names: Sequence[str]) -> frozenset[ProposalState]:
    """Return the states that names stand for."""
    found: set[ProposalState] = set()
    known = [*_GROUPS, *(s.value for s in ProposalState)]
    for name in names:
        if name not in known:
            raise InputError(argument="state", came=name, allowed=", ".join(known), try_instead="open")
        found.update(_GROUPS.get(name) or (ProposalState(name),))
    return frozenset(found)


def _day(argument: str, text: str | None) -> date | None:
    """Return an ISO date."""
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise InputError(
            argument=argument, came=text, allowed="a date such as 2027-03-01", try_instead="the date as YYYY-MM-DD"
        ) from error


def wrapped(text: str, indent: str = "") -> None:
    """Print text within the width of the terminal."""
    more = indent + "  "
    width = max(40, console_width())
    print(textwrap.fill(inert(text), width, initial_indent=indent, subsequent_indent=more, break_long_words=False))  # noqa: T201
