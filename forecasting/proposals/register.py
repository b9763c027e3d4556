"""The life of a proposal: which state may follow which, and what a decision and an outcome must hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from forecasting.terms.errors import InputError
from forecasting.terms.proposal import Decision, Outcome, Proposal, ProposalState
from forecasting.terms.register import RegisterEntry

_S = ProposalState
MOVES: dict[ProposalState, tuple[ProposalState, ...]] = {
    _S.DRAFT: (_S.PROPOSED,),
    _S.PROPOSED: (_S.APPROVED, _S.REJECTED, _S.DEFERRED, _S.AMENDED),
    _S.AMENDED: (_S.PROPOSED, _S.APPROVED, _S.REJECTED),
    _S.DEFERRED: (_S.PROPOSED, _S.REJECTED),
    _S.APPROVED: (_S.IN_PROGRESS, _S.REJECTED),
    _S.IN_PROGRESS: (_S.IMPLEMENTED, _S.FAILED),
    _S.IMPLEMENTED: (_S.VERIFIED, _S.FAILED),
    _S.VERIFIED: (_S.CLOSED,),
    _S.FAILED: (_S.CLOSED, _S.PROPOSED),
    _S.REJECTED: (_S.CLOSED,),
    _S.CLOSED: (),
}
DECISIONS = (_S.APPROVED, _S.REJECTED, _S.DEFERRED, _S.AMENDED)
"""States that only a decision leads to."""
UNDECIDED = frozenset({_S.DRAFT, _S.PROPOSED, _S.AMENDED, _S.DEFERRED})
"""States in which somebody still has to decide."""
ACTIONS = frozenset({_S.APPROVED, _S.IN_PROGRESS, _S.IMPLEMENTED})
"""States of what was decided to be done and is not proven yet."""
DONE = frozenset({_S.VERIFIED, _S.FAILED, _S.CLOSED, _S.REJECTED})
"""States in which nobody has to do anything but look back."""
_LONGEST_TEXT = 2000


def move(proposal: Proposal, to: ProposalState) -> Proposal:
    """Return the proposal in its next state.

    Raises
    ------
    InputError
        Where the state machine has no such move.

    Examples
    --------
    >>> [s.value for s in MOVES[ProposalState.APPROVED]]
    ['in_progress', 'rejected']
    """
    allowed = MOVES[proposal.state]
    if to not in allowed:
        raise InputError(
            argument=f"state of {proposal.id}, which is {proposal.state.value}",
            came=to.value,
            allowed=", ".join(s.value for s in allowed) or f"nothing; {proposal.state.value} is final",
            try_instead="one of the allowed states",
        )
    return replace(proposal, state=to)


def decide(
    entry: RegisterEntry,
    to: ProposalState,
    *,
    by: str,
    at: datetime,
    why: str,
    today: date,
    option: str = "",
    owner: str = "",
    due: date | None = None,
) -> RegisterEntry:
    """Return an entry with a decision.

    Parameters
    ----------
    entry : RegisterEntry
    to : ProposalState
        Approved, rejected, deferred or amended.
    by, why : str
        Who decided and why; neither may be empty.
    at : datetime
        Instant of the decision (UTC).
    today : date
        Day before which nothing can be due.
    option : str
        Label of an option of the proposal, or its number as listed (from 1); empty = the one amended to, or else the
        recommended one. Approving and amending only.
    owner : str
        Who carries it out; empty = the one named before.
    due : date or None
        Approved: by when it is to serve; deferred: when it is to be decided again. None = as named before, or what
        the proposal needs.

    Raises
    ------
    InputError
        For an illegal move; a decision without by or why; an unknown option; an amendment that changes nothing;
        approving without an owner or a due date; a due date in the past.
    """
    if to not in DECISIONS:
        raise InputError(
            argument="decision", came=to.value, allowed=", ".join(s.value for s in DECISIONS), try_instead="approved"
        )
    moved = move(entry.proposal, to)
    by, why = said("by", by, "who decided"), said("why", why, "the reason of the decision")
    before = moved.decision if entry.state is _S.AMENDED else None
    label = option_label(moved, option) if option else before.option if before else moved.recommendation.label
    holder = owner.strip() or (before.owner if before else "") or moved.owner
    if due is not None and due < today:
        raise _past("due", due, today)
    if to in (_S.REJECTED, _S.DEFERRED) and option:
        raise InputError(
            argument="option",
            came=option,
            allowed=f"none for {to.value}",
            try_instead="approve or amend, which name one",
        )
    if to is _S.AMENDED and label == moved.recommendation.label and not owner.strip() and due is None:
        raise InputError(
            argument="option",
            came=option or None,
            allowed="another option than the recommended one, another owner, or another due date",
            try_instead="approve, to take the recommendation as it is",
        )
    if to is _S.APPROVED:
        due = due or (before.due if before and before.due and before.due >= today else None)
        due = due or default_due(moved, label, today)
        if due is None:
            raise InputError(
                argument="due",
                came=None,
                allowed="a day by which it is to serve; the proposal names none that is still to come",
                try_instead="--due YYYY-MM-DD",
            )
        if not holder:
            raise InputError(argument="owner", came="", allowed="who carries it out", try_instead="--owner NAME")
    named = "" if to in (_S.REJECTED, _S.DEFERRED) else label
    decision = Decision(state=to, by=by, at=at, why=why, option=named, owner=holder, due=due)
    return replace(
        entry, proposal=replace(moved, decision=decision, owner=holder, due=due), at=at, by=by, why=why
    )  # fmt: skip


def default_due(proposal: Proposal, label: str, today: date) -> date | None:
    """Return the day by which an option is to serve where nobody named one: the first of these that is to come.

    The proposal's own due date, the day by which it is needed, and the first day on which the option helps when it is
    started at once.
    """
    chosen = next((o for o in proposal.options if o.label == label), proposal.recommendation)
    # What is needed holds of the recommended option; another one has its own dates.
    own = (proposal.due, proposal.need_by) if chosen is proposal.recommendation else (proposal.due,)
    found = (*own, chosen.effective_from, chosen.order_by, proposal.decide_by)
    return next((day for day in found if day is not None and day >= today), None)


def progress(
    entry: RegisterEntry,
    to: ProposalState,
    *,
    by: str,
    at: datetime,
    why: str = "",
    on: date | None = None,
    cost: float | None = None,
) -> RegisterEntry:
    """Return an entry whose work has begun, is done, has failed, is over, or is proposed again.

    Parameters
    ----------
    entry : RegisterEntry
    to : ProposalState
        In progress, implemented, failed, closed or proposed.
    by : str
    at : datetime
    why : str
        Needed for failed and proposed.
    on : date or None
        In progress, implemented: local day since when; needed there.
    cost : float or None
        What it cost in fact, 0 or more.

    Raises
    ------
    InputError
        For an illegal move, one that needs a decision or a measured outcome, or something missing.
    """
    if to in DECISIONS or to is _S.VERIFIED:
        raise InputError(
            argument="state", came=to.value, allowed="in_progress, implemented, failed, closed, proposed",
            try_instead="a decision" if to in DECISIONS else "an outcome measured after it was implemented",
        )  # fmt: skip
    moved = move(entry.proposal, to)
    by = said("by", by, "who says so")
    if to in (_S.FAILED, _S.PROPOSED):
        why = said("note", why, f"why it is {to.value}")
    _not_negative(cost)
    if to in (_S.IN_PROGRESS, _S.IMPLEMENTED) and on is None:
        raise InputError(argument="on", came=None, allowed="the day since when", try_instead="YYYY-MM-DD")
    if to is _S.IMPLEMENTED and on and entry.started_on and on < entry.started_on:
        raise _past("on", on, entry.started_on)
    if to is _S.PROPOSED:  # what was decided before holds no longer
        fresh = replace(moved, decision=None, outcome=None)
        return RegisterEntry(proposal=fresh, at=at, by=by, why=why, round=entry.round)
    return replace(
        entry,
        proposal=moved,
        at=at,
        by=by,
        why=said("note", why, "text", needed=False),
        started_on=on if to is _S.IN_PROGRESS else entry.started_on,
        implemented_on=on if to is _S.IMPLEMENTED else entry.implemented_on,
        actual_cost=entry.actual_cost if cost is None else cost,
    )


def measured(entry: RegisterEntry, outcome: Outcome) -> RegisterEntry:
    """Return an implemented entry with its outcome: verified where no judged window was missed, else failed.

    Raises
    ------
    InputError
        Where it is not implemented, the outcome was measured before that, or no whole window was judged since.
    """
    moved = move(entry.proposal, _S.FAILED if outcome.missed else _S.VERIFIED)
    since = entry.implemented_on
    if entry.state is not _S.IMPLEMENTED or since is None:
        raise InputError(
            argument=f"state of {entry.id}", came=entry.state.value, allowed="implemented",
            try_instead="say since when it is in effect first",
        )  # fmt: skip
    _not_negative(outcome.actual_cost)
    said("by", outcome.by, "who measured")
    if outcome.measured_from < since or outcome.measured_at < entry.at:
        raise InputError(
            argument="outcome",
            came=outcome.measured_from.isoformat(),
            allowed=f"windows that begin on or after {since.isoformat()}, measured after it was implemented",
            try_instead="wait for the first whole window",
        )
    if outcome.windows < 1:
        raise InputError(
            argument="outcome",
            came=f"no judged window since {since.isoformat()}",
            allowed="at least one whole window that began after it was implemented and is judged for good",
            try_instead="forecasting attainment --record once the window is closed and final",
        )
    return replace(
        entry,
        proposal=replace(moved, outcome=outcome),
        at=outcome.measured_at,
        by=outcome.by,
        why=outcome.note,
        actual_cost=entry.actual_cost if outcome.actual_cost is None else outcome.actual_cost,
    )


def option_label(proposal: Proposal, which: str) -> str:
    """Return the label of an option named by it or by its number from 1.

    Raises
    ------
    InputError
        Where there is none.
    """
    labels = [o.label for o in proposal.options]
    if which in labels:
        return which
    if which.isascii() and which.isdigit() and 1 <= int(which[:9]) <= len(labels):
        return labels[int(which) - 1]
    listed = "; ".join(f"{n}: {label}" for n, label in enumerate(labels, 1))
    raise InputError(argument="option", came=which, allowed=f"a label or number of {listed}", try_instead="1")


def said(argument: str, text: str, what: str, *, needed: bool = True) -> str:
    """Return a person's text without blanks around it; refuse none, where one is needed, and an endless one."""
    text = text.strip()
    if (needed and not text) or len(text) > _LONGEST_TEXT:
        raise InputError(
            argument=argument, came=text, allowed=f"{what}, at most {_LONGEST_TEXT} characters",
            try_instead=f"--{argument} TEXT",
        )  # fmt: skip
    return text


def _not_negative(cost: float | None) -> None:
    if cost is not None and not 0 <= cost < float("inf"):
        raise InputError(argument="cost", came=cost, allowed="an amount, 0 or more", try_instead="--cost 12000")


def _past(argument: str, came: date, first: date) -> InputError:
    return InputError(
        argument=argument,
        came=came.isoformat(),
        allowed=f"a day from {first.isoformat()} on",
        try_instead="a later day",
    )
