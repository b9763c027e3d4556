"""What a new run means for the register: known proposals keep their state until their problem changes materially."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from forecasting.proposals.register import ACTIONS, UNDECIDED, move
from forecasting.terms.proposal import Proposal, ProposalState
from forecasting.terms.register import RegisterEntry

_S = ProposalState
RISEN = 0.10
"""Rise of P(miss) from which on a problem is another one than the one that was rejected."""
DEARER = 1.5
"""Growth of what not deciding costs from which on it is."""
RUN = "forecasting"
"""Who is said to have changed a state where no person did."""


def material_change(before: Proposal, after: Proposal) -> str:
    """Return how a problem has become another one since it was decided upon; empty where it has not.

    It has where P(miss) has risen by 10 points or more, another option is recommended (another kind, resource or
    number of units; not: to accept the risk, which is what a rejection did), or what not deciding costs has grown by
    half or more. A problem that became smaller is no reason to ask again.

    Examples
    --------
    >>> from forecasting.terms.proposal import Option
    >>> nothing = Option(kind="accept_risk", label="Do nothing", capex=0, opex_per_month=0, cost_over_horizon=0,
    ...     currency="EUR", price_date=None, lead_time_days=0, probability_before=0.4, probability_after=0.4,
    ...     probability_after_low=0.3, probability_after_high=0.5, expected_credit_after=0, expected_loss_after=0,
    ...     benefit_mean=0, benefit_p10=0, benefit_p90=0, net_benefit=0, confidence=0, order_by=None,
    ...     effective_from=None)
    >>> then = Proposal(id="P-1", title="", service="shop", agreement=None, objective=None, resource=None, period=None,
    ...     problem="", probability_now=0.4, probability_low=0.3, probability_high=0.5, evidence=(),
    ...     counter_evidence=(), assumptions=(), options=(nothing,), recommended=0, declined=(), decide_by=None,
    ...     owner="", success_measure="")
    >>> material_change(then, replace(then, probability_now=0.52))
    'P(miss) has risen from 40 % to 52 %'
    >>> material_change(then, replace(then, probability_now=0.45))
    ''
    """
    found = []
    # In whole hundredths of a point, so that a rise of just ten points counts whatever binary makes of it.
    if round((after.probability_now - before.probability_now) * 10_000) >= round(RISEN * 10_000):
        found.append(
            f"P(miss) has risen from {100 * before.probability_now:.0f} % to {100 * after.probability_now:.0f} %"
        )
    old, new = before.recommendation, after.recommendation
    if new.kind != "accept_risk" and (new.kind, new.resource, new.units) != (old.kind, old.resource, old.units):
        found.append(f"now recommended: {new.label}")
    cost, dearer = before.loss_if_not_decided, after.loss_if_not_decided
    if before.currency == after.currency and dearer > 0 and dearer >= DEARER * cost and dearer > cost:
        found.append(f"not deciding costs {dearer:,.0f} instead of {cost:,.0f} {after.currency}")
    return "; ".join(found)


def raised(entry: RegisterEntry | None, proposal: Proposal, *, at: datetime, today: date) -> RegisterEntry:
    """Return the entry of a proposal after a run made it.

    - One that is not known is proposed.
    - One that nobody has decided upon keeps its state and takes the new figures; a deferred one is proposed again on
      the day to which it was deferred, or before where its problem changed materially.
    - One that was rejected stays rejected, and a rejected one that was closed stays closed, until its problem changes
      materially: then it is proposed again, in a new round, with a note of what changed.
    - One that was carried out and closed is proposed again in a new round: the problem is there again.
    - All others keep their state, their figures and their decision.

    Parameters
    ----------
    entry : RegisterEntry or None
        As the register has it.
    proposal : Proposal
        As the last run made it.
    at : datetime
        Cut-off of that run (UTC).
    today : date
        Local day of the cut-off at which the register is looked at.
    """
    if entry is None:
        made = move(replace(proposal, state=_S.DRAFT, decision=None, outcome=None), _S.PROPOSED)
        return RegisterEntry(proposal=made, at=at, by=RUN, why="proposed by a run")
    known = entry.proposal
    newer = _newer(known, proposal)
    if entry.state is _S.DEFERRED:
        again = known.due is not None and known.due <= today
        why = f"deferred until {known.due}, which has come" if again else ""
        why = why or (material_change(known, proposal) if newer else "")
        if why:
            figures = proposal if newer else known
            made = move(replace(figures, state=_S.DEFERRED, decision=None, outcome=None), _S.PROPOSED)
            return RegisterEntry(proposal=made, at=max(at, entry.at), by=RUN, why=why, round=entry.round)
        return entry  # its figures stay those that the deferral was about, for the comparison
    if not newer:
        return entry
    if entry.state in UNDECIDED:
        kept = replace(proposal, state=known.state, decision=known.decision, owner=known.owner or proposal.owner)
        if known.decision is not None and known.decision.option not in {o.label for o in proposal.options}:
            return entry  # the option it was amended to is not among the new ones
        return replace(entry, proposal=replace(kept, due=known.due or proposal.due))
    if entry.state in (_S.REJECTED, _S.CLOSED):
        carried_out = entry.implemented_on is not None
        why = "the problem is there again" if carried_out else material_change(known, proposal)
        if why:
            made = move(replace(proposal, state=_S.DRAFT, decision=None, outcome=None), _S.PROPOSED)
            was = "carried out and closed" if carried_out else "rejected"
            return RegisterEntry(
                proposal=made, at=max(at, entry.at), by=RUN, why=f"proposed again after it was {was}: {why}",
                round=entry.round + 1,
            )  # fmt: skip
    return entry


def changed_since(entry: RegisterEntry, proposal: Proposal) -> str:
    """Return how the last run differs from what is carried out or was rejected, in words; empty where it does not."""
    if entry.state not in ACTIONS or not _newer(entry.proposal, proposal):
        return ""
    return material_change(entry.proposal, proposal)


def late(entry: RegisterEntry, today: date) -> str:
    """Return what is overdue on a day, in words; empty where nothing is.

    Approved and not in effect by its due date; not decided by its decide-by date; deferred to a day that is over.
    """
    p = entry.proposal
    if entry.state in (_S.APPROVED, _S.IN_PROGRESS) and p.due is not None and p.due < today:
        return f"due {p.due.isoformat()}, {_days(p.due, today)}"
    if entry.state in (_S.PROPOSED, _S.AMENDED) and p.decide_by is not None and p.decide_by < today:
        return f"decide by {p.decide_by.isoformat()}, {_days(p.decide_by, today)}"
    if entry.state is _S.DEFERRED and p.due is not None and p.due < today:
        return f"deferred until {p.due.isoformat()}, {_days(p.due, today)}"
    return ""


def _days(then: date, today: date) -> str:
    days = (today - then).days
    return f"{days} {'day' if days == 1 else 'days'} ago"


def _newer(known: Proposal, proposal: Proposal) -> bool:
    """Tell whether a proposal was made with later data than the one in the register."""
    if known.data_cut_off is None or proposal.data_cut_off is None:
        return proposal.data_cut_off is not None
    return proposal.data_cut_off > known.data_cut_off
