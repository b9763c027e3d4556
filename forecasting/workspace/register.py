"""The register of proposals in the ledger: each change of a state is a row; runs, decisions, outcomes and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from forecasting.adapters._fields import nearest
from forecasting.adapters._typed import typed
from forecasting.ports import Ledger
from forecasting.proposals.register import decide, measured, progress
from forecasting.proposals.register_runs import changed_since, late, raised
from forecasting.terms.errors import Excuse, ForecastingError, InputError, LedgerMovedError
from forecasting.terms.proposal import Proposal, ProposalState
from forecasting.terms.register import RegisterEntry, RegisterRow, RegisterScore
from forecasting.workspace.records import Row, as_row, attainment_key, record_decided, risk_row

if TYPE_CHECKING:
    from forecasting.terms.plan import Plan
    from forecasting.workspace.workspace import Workspace

KIND = "proposal_state"
"""Kind of the ledger's rows that hold the states; what runs propose is of kind ``proposal``."""
_MOST_TRIES = 100
"""How often a change is tried again while runs record the same proposal."""

Change = Callable[[RegisterEntry, date], RegisterEntry]
"""(entry, local day of the register) → the entry as changed."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """A proposal as a run made it."""

    proposal: Proposal
    as_of: datetime
    """Cut-off of the run (UTC)."""


# ---------------------------------------------------------------------- reading
def proposal_of(payload: Mapping[str, Any]) -> Proposal:
    """Return a proposal from its row; fields that did not exist when it was written have their defaults.

    Raises
    ------
    StoreError
        For a row that is none.
    """
    found = typed(Proposal, {**payload, "declined": ()})
    declined = tuple((str(kind), typed(Excuse, excuse)) for kind, excuse in payload.get("declined", ()))
    return replace(found, declined=declined)


def entry_of(payload: Mapping[str, Any]) -> RegisterEntry:
    """Return an entry of the register from its row."""
    proposal = dict(payload["proposal"])
    found = typed(RegisterEntry, {**payload, "proposal": {**proposal, "declined": ()}})
    return replace(found, proposal=proposal_of(proposal))


def stored_entries(
    ledger: Ledger, *, as_of: datetime | None = None, until: int | None = None
) -> dict[str, RegisterEntry]:
    """Return the entries as they were last recorded, by id; of rows as in `Ledger.entries`."""
    return {e.key: entry_of(e.payload) for e in ledger.newest(KIND, as_of=as_of, until=until)}


def made_proposals(
    ledger: Ledger, *, as_of: datetime | None = None, until: int | None = None
) -> tuple[dict[str, Made], datetime | None]:
    """Return each proposal as the run with the latest cut-off made it, and the latest cut-off of any run."""
    newest: dict[str, Any] = {}
    last: datetime | None = None
    for entry in ledger.entries("proposal", as_of=as_of, until=until):
        known = newest.get(entry.key)
        if known is None or entry.as_of >= known.as_of:
            newest[entry.key] = entry
    cut_offs = [e.as_of for e in newest.values()]
    cut_offs += [e.as_of for e in ledger.newest("run", as_of=as_of, until=until)]
    last = max(cut_offs, default=None)
    return {key: Made(proposal=proposal_of(e.payload), as_of=e.as_of) for key, e in newest.items()}, last


def register_rows(
    space: Workspace, as_of: str | date | datetime | None = None, *, until: int | None = None
) -> tuple[RegisterRow, ...]:
    """Return the register: every proposal with its state, what is late, and how the last run differs.

    Parameters
    ----------
    space : Workspace
    as_of : str, date, datetime or None
        Day for which lateness is told; runs with a later cut-off are left out. None = the end of the data.
    until : int or None
        Row of the ledger up to which it is read; None = all.

    Returns
    -------
    tuple of RegisterRow
        Open ones first, by decide-by and due date.
    """
    today = space.today(as_of)
    instant = None if as_of is None else space.instant(as_of)
    rows = _rows(space.ledger, today, as_of=instant, until=until)
    return tuple(sorted(rows.values(), key=_place))


def find_row(rows: Sequence[RegisterRow], which: str) -> RegisterRow:
    """Return the row whose id begins with `which`.

    Raises
    ------
    InputError
        Where there is none, or more than one.
    """
    found = [row for row in rows if row.entry.id.startswith(which)] if which else []
    exact = [row for row in found if row.entry.id == which]
    if len(exact or found) != 1:
        raise InputError(
            argument="id",
            came=which,
            allowed="one proposal of the register" + (f", not {len(found)}" if found else ""),
            try_instead=nearest(which, sorted(row.entry.id for row in rows)) or "forecasting register list",
        )
    return (exact or found)[0]


def history(ledger: Ledger, which: str) -> tuple[RegisterEntry, ...]:
    """Return every recorded state of a proposal, oldest first."""
    return tuple(entry_of(e.payload) for e in ledger.entries(KIND, key=which))


def with_states(plan: Plan, ledger: Ledger, *, today: date) -> Plan:
    """Return a plan whose proposals have the state, decision and outcome of the register as the plan's run read it.

    Parameters
    ----------
    plan : Plan
    ledger : Ledger
        Read up to the cut-off and the row of the plan's manifest, so that a past plan can be made again.
    today : date
        Local day of the cut-off.
    """
    known = stored_entries(ledger, as_of=plan.as_of, until=plan.manifest.sequence)
    found = []
    for p in plan.proposals:
        entry = raised(known.get(p.id), p, at=plan.as_of, today=today)
        kept = entry.proposal
        found.append(
            replace(
                p,
                state=kept.state,
                decision=kept.decision,
                outcome=kept.outcome,
                owner=kept.owner,
                due=kept.due or p.due,
            )
        )
    return replace(plan, proposals=tuple(found))


def _rows(
    ledger: Ledger, today: date, *, as_of: datetime | None = None, until: int | None = None
) -> dict[str, RegisterRow]:
    """Return the rows by id, after the rules of `raised`."""
    stored = stored_entries(ledger, as_of=as_of, until=until)
    made, last = made_proposals(ledger, as_of=as_of, until=until)
    found = {}
    for key in sorted({*stored, *made}):
        newest = made.get(key)
        before = stored.get(key)
        entry = before if newest is None else raised(before, newest.proposal, at=newest.as_of, today=today)
        assert entry is not None, "an id comes from a row"
        seen = newest.as_of if newest else entry.at
        found[key] = RegisterRow(
            entry=entry,
            late=late(entry, today),
            changed="" if newest is None else changed_since(entry, newest.proposal),
            last_raised=seen,
            raised_last=last is None or seen >= last,
        )
    return found


def _place(row: RegisterRow) -> tuple[int, date, str]:
    order = list(ProposalState)
    p = row.entry.proposal
    state = order.index(row.entry.state)
    return state, p.due or p.decide_by or date.max, row.entry.id


# ---------------------------------------------------------------------- writing
def keep_proposals(space: Workspace, plan: Plan) -> int:
    """Record the risks and proposals of a run and what they change in the register; return the rows added.

    A plan that was made to the same depth of the same data records the same rows.
    """
    ledger, run = space.ledger, plan.manifest.run_id
    risks = [
        (attainment_key(r.service, r.agreement, r.objective, r.period.label), risk_row(r))
        for s in plan.services
        for o in s.objectives
        for r in o.risks
    ]
    added = ledger.record("risk", risks, as_of=plan.as_of, run_id=run)
    rows = [(p.id, as_row(p)) for p in plan.proposals]
    added += ledger.record("proposal", rows, as_of=plan.as_of, run_id=run)
    return added + sync_register(space, plan.as_of, run_id=run)


def sync_register(space: Workspace, as_of: datetime, *, run_id: str) -> int:
    """Record the states that runs up to a cut-off led to by themselves; return the rows added."""
    today = space.today(as_of)

    def new(sequence: int) -> list[Row]:
        stored = stored_entries(space.ledger, until=sequence)
        rows = _rows(space.ledger, today, as_of=as_of, until=sequence)
        return [(key, as_row(row.entry)) for key, row in rows.items() if _other_state(stored.get(key), row.entry)]

    return record_decided(space.ledger, KIND, new, as_of=as_of, run_id=run_id)


def decide_proposal(
    space: Workspace,
    which: str,
    to: ProposalState,
    *,
    by: str,
    why: str,
    option: str = "",
    owner: str = "",
    due: date | None = None,
    as_of: str | date | datetime | None = None,
) -> RegisterRow:
    """Record a decision and return the proposal's row.

    Parameters
    ----------
    space : Workspace
    which : str
        Id of a proposal; the first digits suffice where they are unique.
    to, by, why, option, owner, due
        As in `proposals.register.decide`.
    as_of : str, date, datetime or None
        The day on which it is decided; None = the end of the data.

    Raises
    ------
    InputError
        For an unknown proposal, an illegal move, a decision that is not complete, or one that somebody else took
        meanwhile: the first one stands.
    """

    def change(entry: RegisterEntry, today: date) -> RegisterEntry:
        return decide(
            entry, to, by=by, at=space.clock.now(), why=why, today=today, option=option, owner=owner, due=due
        )  # fmt: skip

    return change_entry(space, which, change, as_of=as_of)


def move_proposal(
    space: Workspace,
    which: str,
    to: ProposalState,
    *,
    by: str,
    note: str = "",
    on: date | None = None,
    cost: float | None = None,
    as_of: str | date | datetime | None = None,
) -> RegisterRow:
    """Record that work has begun, is in effect, has failed or is over, or that it is proposed again.

    Parameters
    ----------
    space : Workspace
    which : str
    to, by, cost
        As in `proposals.register.progress`.
    note : str
        Why.
    on : date or None
        Since when; None = the day of `as_of`.
    as_of : str, date, datetime or None
        None = the end of the data.
    """
    needs_day = to in (ProposalState.IN_PROGRESS, ProposalState.IMPLEMENTED)

    def change(entry: RegisterEntry, today: date) -> RegisterEntry:
        day = (on or today) if needs_day else None
        return progress(entry, to, by=by, at=space.clock.now(), why=note, on=day, cost=cost)

    return change_entry(space, which, change, as_of=as_of)


def measure_proposal(
    space: Workspace,
    which: str,
    *,
    by: str,
    note: str = "",
    cost: float | None = None,
    as_of: str | date | datetime | None = None,
) -> RegisterRow:
    """Record what an implemented proposal came to, from the attainments and credits in the ledger.

    Raises
    ------
    InputError
        Where no whole window was recorded and judged for good since it was implemented.
    """
    from forecasting.workspace.register_scores import measure

    def change(entry: RegisterEntry, today: date) -> RegisterEntry:
        return measured(entry, measure(space, entry, by=by, at=space.clock.now(), cost=cost, note=note, as_of=as_of))

    return change_entry(space, which, change, as_of=as_of)


def score_past(space: Workspace, as_of: str | date | datetime | None = None) -> RegisterScore:
    """Return how good the proposals of past runs were; see `proposals.outcome`."""
    from forecasting.workspace.register_scores import score_past

    return score_past(space, as_of)


def change_entry(
    space: Workspace, which: str, change: Change, *, as_of: str | date | datetime | None = None
) -> RegisterRow:
    """Record one change of an entry, unless somebody else changed it meanwhile: then theirs stands.

    Raises
    ------
    InputError
        As `change` does; for an unknown proposal; where it was changed between reading and recording.
    """
    today = space.today(as_of)
    seen: RegisterEntry | None = None
    for _ in range(_MOST_TRIES):
        head = space.ledger.head()[0]
        row = find_row(list(_rows(space.ledger, today, until=head).values()), which)
        if seen is not None and _other_state(seen, row.entry):
            raise _meanwhile(row.entry)
        seen = row.entry
        after = change(seen, today)
        stored = stored_entries(space.ledger, until=head).get(seen.id)
        # What runs led to by themselves is a state of its own, so that the history has no gap.
        states = [after] if not _other_state(stored, seen) else [seen, after]
        try:
            space.ledger.record(
                KIND,
                [(after.id, as_row(state)) for state in states],
                as_of=row.last_raised,
                run_id="register",
                decided_at=head,
            )
        except LedgerMovedError as error:
            moved = error
            continue
        return replace(row, entry=after, late=late(after, today), changed="")
    raise moved


def _other_state(before: RegisterEntry | None, after: RegisterEntry) -> bool:
    """Tell whether an entry was changed by somebody, not only given the figures of a newer run."""

    def mark(e: RegisterEntry) -> tuple[object, ...]:
        return e.state, e.round, e.at, e.by, e.why, e.proposal.decision, e.proposal.outcome

    return before is None or mark(before) != mark(after)


def _meanwhile(entry: RegisterEntry) -> ForecastingError:
    return InputError(
        argument=f"proposal {entry.id}",
        came=f"{entry.state.value} meanwhile by {entry.by} at {entry.at:%Y-%m-%d %H:%M:%SZ}: {entry.why}",
        allowed="a change of the state that was read",
        try_instead=f"forecasting register show {entry.id}, then decide again",
    )
