"""Past proposals against what happened: P(miss) stated, benefit stated and realised, regret in hindsight.

What was done is known in fact: from the ledger's attainments and credits, and from the agreement's loss per bad event.
What an option that was *not* taken would have cost is not known to anybody; it is worked out by the model of then and
marked so: of the credits and losses that doing nothing cost, an option leaves the share that it was expected to leave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from forecasting.terms.breach import ReliabilityBin
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option, Outcome, Proposal
from forecasting.terms.register import (
    MoneyScore,
    OptionInHindsight,
    ProposalScore,
    RegisterEntry,
    RegisterScore,
    WindowFact,
)

BINS = 5
"""Groups of like P(miss), of equal width."""


def do_nothing(proposal: Proposal) -> Option:
    """Return the option of doing nothing, which every proposal has."""
    return next(o for o in proposal.options if o.kind == "accept_risk")


def share_left(option: Option, proposal: Proposal) -> float:
    """Return which share of the expected credits and losses of doing nothing an option was expected to leave.

    0 where nothing was expected to be lost anyway; above 1 for an option that makes it worse.
    """
    before, after = _penalty(do_nothing(proposal)), _penalty(option)
    return after / before if before > 0 else 0.0


def score_proposal(
    proposal: Proposal,
    windows: Sequence[WindowFact | None],
    entry: RegisterEntry | None,
    *,
    day_of: Callable[[datetime], date],
) -> ProposalScore:
    """Return a past proposal against what happened.

    Parameters
    ----------
    proposal : Proposal
        As a past run made it.
    windows : sequence of WindowFact or None
        Every window of its horizon that the run stated a risk of; None = not closed yet.
    entry : RegisterEntry or None
        Where the proposal stands now.
    day_of : callable
        Returns the local day of an instant, in the zone of the objective's windows.

    Returns
    -------
    ProposalScore
        P(miss) is scored once the proposal's own window is judged; money only once all windows are, since what was
        stated of costs and benefits covers the horizon.
    """
    done = _carried_out(proposal, entry, windows, day_of)
    option = done if isinstance(done, Option) else None
    own = next((w for w in windows if w is not None and proposal.period and w.period == proposal.period), None)
    judged = [w for w in windows if w is not None and w.missed is not None]
    stated = None if isinstance(done, Excuse) else _stated(proposal, option, entry, own, day_of)
    unknown = _unknown_money(proposal, windows) or (done if isinstance(done, Excuse) else None)
    penalty = sum(_cost(w) for w in judged) if unknown is None else None
    options: tuple[OptionInHindsight, ...] = ()
    regret: float | None = None
    not_deciding: float | None = None
    if penalty is not None:
        options, regret, not_deciding = _hindsight(proposal, option, entry, penalty)
    nothing = _penalty(do_nothing(proposal))
    assert proposal.data_cut_off is not None, "a run states its cut-off"
    return ProposalScore(
        id=proposal.id,
        title=proposal.title,
        service=proposal.service,
        agreement=proposal.agreement,
        objective=proposal.objective,
        as_of=proposal.data_cut_off,
        period=proposal.period,
        state=entry.state if entry else proposal.state,
        done=option.label if option else "",
        stated=stated,
        missed=own.missed if own else None,
        windows=len(windows),
        judged=len(judged),
        currency=proposal.currency,
        cost_stated=nothing if proposal.objective else None,
        penalty_in_fact=penalty,
        benefit_stated=option.benefit_mean if option else None,
        benefit_realised=nothing - penalty if option and penalty is not None else None,
        options=options,
        regret=regret,
        cost_of_not_deciding=not_deciding,
        unknown=unknown,
        counted=False,
    )


def score_register(scores: Sequence[ProposalScore], decided_upon: Mapping[str, datetime]) -> RegisterScore:
    """Return how good past proposals were together.

    Parameters
    ----------
    scores : sequence of ProposalScore
    decided_upon : mapping of str to datetime
        Cut-off of the statement that each proposal's decision was about. Its money is counted, and of proposals
        without a decision that of the first statement whose windows have all been judged: several runs speak of the
        same windows.
    """
    ordered = sorted(scores, key=lambda s: (s.as_of, s.id))
    counted: dict[str, datetime] = {}
    for s in ordered:
        if s.penalty_in_fact is not None and (s.id not in counted or decided_upon.get(s.id) == s.as_of):
            counted[s.id] = s.as_of
    ordered = [replace(s, counted=counted.get(s.id) == s.as_of) for s in ordered]
    pairs = [(s.stated, float(s.missed)) for s in ordered if s.stated is not None and s.missed is not None]
    rate = sum(m for _, m in pairs) / len(pairs) if pairs else 0.0
    return RegisterScore(
        scores=tuple(ordered),
        statements=len(pairs),
        windows=len({_window(s) for s in ordered if s.stated is not None and s.missed is not None}),
        missed=int(sum(m for _, m in pairs)),
        brier=sum((p - m) ** 2 for p, m in pairs) / len(pairs) if pairs else None,
        brier_base_rate=sum((rate - m) ** 2 for _, m in pairs) / len(pairs) if pairs else None,
        stated_mean=sum(p for p, _ in pairs) / len(pairs) if pairs else None,
        bins=_bins(pairs),
        money=_money(ordered),
    )


def outcome_of(
    entry: RegisterEntry,
    windows: Sequence[WindowFact],
    *,
    local_days: Sequence[tuple[date, date]],
    by: str,
    at: datetime,
    cost: float | None = None,
    note: str = "",
    regret: float | None = None,
) -> Outcome:
    """Return what the whole, finally judged windows since a proposal was put into effect came to.

    Parameters
    ----------
    entry : RegisterEntry
        Implemented.
    windows : sequence of WindowFact
        Closed windows, oldest first.
    local_days : sequence of (first, last)
        Local days of each of them.
    by, at
        Who measures, and when (UTC).
    cost : float or None
        What the option cost in fact; None = as said before.
    note : str
    regret : float or None
        From `score_proposal`, once the horizon is over.
    """
    since = entry.implemented_on
    kept = [
        (w, days)
        for w, days in zip(windows, local_days, strict=True)
        if since is not None and days[0] >= since and w.final and w.missed is not None
    ]
    facts = [w for w, _ in kept]
    day = since or at.date()
    money = [w.credit + w.loss for w in facts if w.credit is not None and w.loss is not None]
    whole = bool(facts) and len(money) == len(facts)
    costs = float(sum(money)) if whole else None
    stated = [w.stated_cost for w in facts if w.stated_cost is not None]
    realised = sum(stated) - costs if costs is not None and len(stated) == len(facts) else None
    reached = [w.attainment for w in facts if w.attainment is not None]
    missing = [] if whole or not facts else ["what the misses cost is not known of every window"]
    if whole and realised is None:
        missing.append("the benefit is not known: the run decided upon stated nothing on some of these windows")
    return Outcome(
        measured_from=kept[0][1][0] if kept else day,
        measured_to=kept[-1][1][1] if kept else day,
        measured_at=at,
        by=by,
        actual_cost=entry.actual_cost if cost is None else cost,
        windows=len(facts),
        missed=sum(bool(w.missed) for w in facts),
        attainment=min(reached) if reached else None,
        credits_and_losses=costs,
        benefit_realised=realised,
        regret=regret,
        note="; ".join([note, *missing] if note else missing),
    )


def _penalty(option: Option) -> float:
    """Return the expected credits and losses that an option leaves over the horizon."""
    return option.expected_credit_after + option.expected_loss_after


def _cost(window: WindowFact) -> float:
    assert window.credit is not None, "money is known"
    assert window.loss is not None, "money is known"
    return float(window.credit + window.loss)


def _carried_out(
    proposal: Proposal,
    entry: RegisterEntry | None,
    windows: Sequence[WindowFact | None],
    day_of: Callable[[datetime], date],
) -> Option | Excuse | None:
    """Return the option of a statement that was carried out within its horizon; None where none was."""
    if entry is None or entry.implemented_on is None or entry.chosen.kind == "accept_risk":
        return None
    said = proposal.data_cut_off
    last = max((w.period.end for w in windows if w is not None), default=None)
    if said is None or entry.implemented_on <= day_of(said):
        return None  # this run knew it to be in effect: its do-nothing case has it
    if last is not None and entry.implemented_on >= day_of(last):
        return None
    chosen = entry.chosen
    same = [o for o in proposal.options if o.label == chosen.label] or [
        o for o in proposal.options if (o.kind, o.resource, o.units) == (chosen.kind, chosen.resource, chosen.units)
    ]
    if same:
        return same[0]
    return Excuse(
        reason=f"what was carried out ({chosen.label}) is none of the options of this run",
        what_would_help="nothing; the run that was decided upon is scored",
    )


def _stated(
    proposal: Proposal,
    done: Option | None,
    entry: RegisterEntry | None,
    own: WindowFact | None,
    day_of: Callable[[datetime], date],
) -> float | None:
    """Return P(miss) as stated of what was done; None where it took effect within the window."""
    if done is None or entry is None or entry.implemented_on is None or own is None:
        return proposal.probability_now if proposal.objective else None
    if entry.implemented_on <= day_of(own.period.start):
        return done.probability_after
    return None if entry.implemented_on < day_of(own.period.end) else proposal.probability_now


def _unknown_money(proposal: Proposal, windows: Sequence[WindowFact | None]) -> Excuse | None:
    """Return why it is not known what a proposal's horizon cost."""
    if proposal.objective is None:
        return Excuse(
            reason="a resource that runs short: the ledger keeps no use of resources",
            what_would_help="the proposals of the agreements that the resource acts on",
        )
    still_open = sum(w is None for w in windows)
    if still_open or not windows:
        return Excuse(
            reason=f"{still_open or 'all'} of the {len(windows)} windows of its horizon "
            f"{'is' if still_open == 1 else 'are'} not recorded as closed",
            what_would_help="forecasting attainment --record once they are",
        )
    if any(w.missed is None for w in windows if w is not None):
        return Excuse(
            reason="a window of its horizon could never be judged",
            what_would_help="complete data; late data still count",
        )
    if any(w.credit is None or w.loss is None for w in windows if w is not None):
        return Excuse(
            reason="the credit or the loss of a window is not known",
            what_would_help="forecasting attainment --record, with the agreement in the catalogue",
        )
    return None


def _hindsight(
    proposal: Proposal, done: Option | None, entry: RegisterEntry | None, penalty: float
) -> tuple[tuple[OptionInHindsight, ...], float, float | None]:
    """Return the options of then at the cost of the windows that came, the regret, and the cost of not deciding."""
    # Of what doing nothing would have cost where something was done, only the expectation of then is known.
    nothing = penalty if done is None else penalty + done.benefit_mean
    taken = done or do_nothing(proposal)
    found = []
    for o in proposal.options:
        in_fact = o is taken
        cost = o.cost_over_horizon
        if in_fact and done is not None and entry is not None and entry.actual_cost is not None:
            cost = entry.actual_cost
        left = penalty if in_fact else nothing * (1.0 if o.kind == "accept_risk" else share_left(o, proposal))
        found.append(OptionInHindsight(label=o.label, kind=o.kind, cost=cost, penalty=left, in_fact=in_fact))
    real = next(f for f in found if f.in_fact)
    best = min(f.total for f in found)
    advised = found[proposal.recommended]
    not_deciding = real.total - advised.total if done is None and advised is not real else None
    return tuple(sorted(found, key=lambda f: (f.total, f.label))), real.total - best, not_deciding


def _bins(pairs: Sequence[tuple[float, float]]) -> tuple[ReliabilityBin, ...]:
    """Return statements of like P(miss) against what happened, in bins of equal width."""
    found = []
    for k in range(BINS):
        own = [(p, m) for p, m in pairs if min(int(p * BINS), BINS - 1) == k]
        if own:
            predicted, observed = (sum(x) / len(own) for x in zip(*own, strict=True))
            found.append(ReliabilityBin(predicted=predicted, observed=observed, count=len(own)))
    return tuple(found)


def _money(scores: Sequence[ProposalScore]) -> tuple[MoneyScore, ...]:
    counted = [s for s in scores if s.counted]
    return tuple(
        MoneyScore(
            currency=currency,
            proposals=len(own),
            done=sum(bool(s.done) for s in own),
            benefit_stated=sum(s.benefit_stated or 0.0 for s in own),
            benefit_realised=sum(s.benefit_realised or 0.0 for s in own),
            regret=sum(s.regret or 0.0 for s in own),
            cost_of_not_deciding=sum(s.cost_of_not_deciding or 0.0 for s in own),
        )
        for currency in sorted({s.currency for s in counted})
        for own in [[s for s in counted if s.currency == currency]]
    )


def _window(score: ProposalScore) -> tuple[str, str, str, str]:
    label = score.period.label if score.period else ""
    return score.service, score.agreement or "", score.objective or "", label
