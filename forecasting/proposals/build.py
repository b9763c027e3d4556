"""From problems to proposals: ask every kind, compare, recommend one, keep the others with their reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from forecasting.capacity.lead_time import dated_steps
from forecasting.proposals.base import Problem, ProposalKind, money
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Milestone, Option, Proposal

PRESSING_DAYS = 60
"""Days before an order-by date from which a resource that runs out comes before everything else."""


def build_proposal(problem: Problem, kinds: Sequence[ProposalKind]) -> Proposal:
    """Return the proposal for a problem: options best first, do-nothing among them, one recommended.

    Parameters
    ----------
    problem : Problem
    kinds : sequence of ProposalKind
        The table `forecasting.proposals.kinds.KINDS`, which holds `accept_risk`.
    """
    options: list[Option] = []
    declined: list[tuple[str, Excuse]] = []
    for kind in kinds:
        answer = kind.options(problem)
        if isinstance(answer, Excuse):
            declined.append((kind.name, answer))
        else:
            options.extend(answer)
    options.sort(key=lambda o: (-o.net_benefit, o.cost_over_horizon, o.label))
    chosen = _recommend(problem, options)
    judged = tuple(o if o is chosen else replace(o, rejected_because=_why_not(o, chosen, problem)) for o in options)
    worst, need = problem.worst, problem.requirement
    credit, loss = money(problem.risks, problem)
    return Proposal(
        id=proposal_id(problem),
        title=_title(problem),
        service=problem.service,
        agreement=problem.agreement.id if problem.agreement else None,
        objective=problem.objective.name if problem.objective else None,
        resource=need.resource if need else None,
        period=worst.period if worst else None,
        problem=_problem_text(problem),
        probability_now=problem.probability,
        probability_low=worst.probability_low if worst else problem.monte_carlo(problem.probability)[0],
        probability_high=worst.probability_high if worst else problem.monte_carlo(problem.probability)[1],
        evidence=_evidence(problem),
        counter_evidence=_counter_evidence(problem),
        assumptions=_assumptions(problem, options),
        options=judged,
        recommended=next(k for k, o in enumerate(options) if o is chosen),
        declined=tuple(declined),
        decide_by=_decide_by(problem, chosen),
        owner=problem.agreement.owner if problem.agreement and problem.agreement.owner else "service owner",
        success_measure=_success(problem),
        data_cut_off=problem.as_of,
        loss_if_not_decided=_forgone(problem, chosen, credit + loss),
        currency=problem.currency,
        drivers=problem.drivers,
        milestones=_milestones(problem, chosen),
        need_by=need.need_by if need else None,
    )


def ranked(proposals: Sequence[Proposal], *, today: date) -> tuple[Proposal, ...]:
    """Return proposals in the order in which they should be read.

    First resources that are likelier than not to run out and whose order-by date is within 60 days or past, then
    actions by what not deciding costs, then accepted risks by what they cost.
    """

    def place(p: Proposal) -> tuple[int, float, float, str]:
        chosen = p.recommendation
        order = chosen.order_by or p.decide_by
        pressing = (
            p.resource is not None
            and chosen.kind != "accept_risk"
            and p.probability_now >= 0.5
            and order is not None
            and (order - today).days <= PRESSING_DAYS
        )
        group = 0 if pressing else 1 if chosen.kind != "accept_risk" else 2
        return group, -p.loss_if_not_decided, -p.probability_now, p.id

    return tuple(sorted(proposals, key=place))


def _forgone(problem: Problem, chosen: Option, at_stake: float) -> float:
    """Return what not deciding costs over the horizon."""
    if problem.aim == "reclaim":
        return max(0.0, -chosen.cost_over_horizon)
    return at_stake if chosen.kind == "accept_risk" else chosen.benefit_mean


def is_opportunity(proposal: Proposal) -> bool:
    """Say whether there is something to gain: any option beside doing nothing."""
    return any(o.kind != "accept_risk" for o in proposal.options)


def proposal_id(problem: Problem) -> str:
    """Return an identity that stays the same over runs: service, agreement, objective, resource, and opposite aims."""
    parts: tuple[str, ...] = (
        problem.service,
        problem.agreement.id if problem.agreement else "",  # two agreements may name their objectives alike
        problem.objective.name if problem.objective else "",
        problem.requirement.resource if problem.requirement else "",
        *((problem.aim,) if problem.aim in {"reclaim", "tighten"} else ()),
    )
    return "P-" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:8]


def _recommend(problem: Problem, options: Sequence[Option]) -> Option:
    """Return the option to recommend.

    A resource that runs out is judged by probability, since no loss is known for it: the cheapest option that
    brings P(exhausted) to a tenth, where doing nothing leaves it above. A resource that acts on agreements by a
    response curve is not bought for its limit: it pays or not in the proposals of these agreements. Otherwise the
    highest expected net benefit wins, if it is positive; a softer target only where nothing that helps the customer
    pays, at least half of the past windows were missed and every coming one is more likely missed than met.
    """
    nothing = next(o for o in options if o.kind == "accept_risk")
    if problem.aim == "reclaim":
        return max(options, key=lambda o: o.net_benefit)
    if problem.requirement is not None and problem.priced_elsewhere:
        return nothing
    if problem.requirement is not None:
        enough = [o for o in options if o.kind != "accept_risk" and o.probability_after <= 0.1]
        if problem.probability > 0.1 and enough:
            return min(enough, key=lambda o: o.cost_over_horizon)
        helps = [o for o in options if o.probability_after < problem.probability - 0.1]
        return min(helps, key=lambda o: o.probability_after) if problem.probability > 0.5 and helps else nothing
    real = [o for o in options if o.kind not in {"accept_risk", "change_target"} and o.net_benefit > 0]
    if real:
        return max(real, key=lambda o: o.net_benefit)
    coming = [r for r in problem.risks if r.period.start > problem.as_of]
    softer = [o for o in options if o.kind == "change_target" and o.net_benefit > 0]
    missed = problem.past_missed
    structural = missed is not None and missed >= 0.5 and all(r.probability >= 0.5 for r in coming)
    if softer and structural:
        return min(softer, key=lambda o: o.net_benefit)  # the smallest concession that is safe enough
    return nothing


def _why_not(option: Option, chosen: Option, problem: Problem) -> str:
    """Return the reason why an option is not the recommended one, with its numbers."""
    if problem.aim == "reclaim":
        return (
            f"saves {-option.cost_over_horizon:,.0f} {option.currency} over the horizon against "
            f"{-chosen.cost_over_horizon:,.0f} at the same promises"
        )
    if option.kind == "accept_risk":
        if problem.requirement is not None:
            return f"P(exhausted) stays at {problem.probability:.0%}"
        return f"{chosen.net_benefit:,.0f} {chosen.currency} of expected net benefit would be forgone"
    if option.kind == "change_target":
        if chosen.kind == "change_target":
            return (
                f"gives up more than needed: credits avoided {option.benefit_mean:,.0f} against "
                f"{chosen.benefit_mean:,.0f} {option.currency}"
            )
        return (
            "would pass the loss on to the customer; worth asking only if the price concession is below the "
            f"{option.benefit_mean:,.0f} {option.currency} of credits avoided"
        )
    if problem.requirement is not None and problem.priced_elsewhere:
        return (
            f"{option.cost_over_horizon:,.0f} {option.currency} for a limit of its own; what it saves is counted in "
            "the proposals of the agreements it serves"
        )
    if problem.requirement is not None:
        if option.probability_after > 0.1:
            return f"P(exhausted) would still be {option.probability_after:.0%}"
        return f"costs {option.cost_over_horizon - chosen.cost_over_horizon:,.0f} {option.currency} more than needed"
    if option.net_benefit <= 0:
        return (
            f"expected benefit {option.benefit_mean:,.0f} is below the cost {option.cost_over_horizon:,.0f} "
            f"{option.currency} over the horizon"
        )
    return f"net benefit {option.net_benefit:,.0f} against {chosen.net_benefit:,.0f} {option.currency}"


def _title(problem: Problem) -> str:
    if problem.requirement is not None and problem.aim == "reclaim":
        return f"{problem.requirement.resource} has more than it needs"
    if problem.requirement is not None:
        return f"{problem.requirement.resource} may run short"
    name = problem.objective.display_name or problem.objective.name if problem.objective else problem.service
    window = f" in {problem.worst.period.label}" if problem.worst else ""
    return f"{problem.service}: {name} at risk{window}"


def _problem_text(problem: Problem) -> str:
    if problem.requirement is not None:
        need = problem.requirement
        if problem.aim == "reclaim":
            return (
                f"{need.resource} has {need.units_now.normalize():f} {need.unit}; the 90 % demand of the horizon needs "
                f"{need.required_p90:.4g}"
            )
        when = f", median {need.exhaustion_p50.isoformat()}" if need.exhaustion_p50 else ""
        by = problem.local_date(need.horizon_end).isoformat()
        return (
            f"{need.resource} passes its usable limit of {need.usable_units.normalize():f} {need.unit} "
            f"with probability {need.probability_exhausted:.0%} by {by}{when}"
        )
    worst, objective = problem.worst, problem.objective
    assert worst is not None
    assert objective is not None
    return (
        f"{problem.service} misses {(100 * objective.target).normalize():f} % in {worst.period.label} with probability "
        f"{worst.probability:.0%} ({worst.probability_low:.0%} to {worst.probability_high:.0%})"
    )


def _evidence(problem: Problem) -> tuple[str, ...]:
    if problem.requirement is not None:
        need = problem.requirement
        return (
            f"use now {need.use_now:.4g}, in the horizon {need.use_p50:.4g} (90 %: {need.use_p90:.4g}) {need.unit}",
            need.check,
        )
    worst = problem.worst
    assert worst is not None
    return (
        f"attainment expected {worst.attainment_p50:.4f} "
        f"(10 % {worst.attainment_p10:.4f}, 90 % {worst.attainment_p90:.4f})",
        *(f"{c.name}: {c.share:.0%} of expected bad events – {c.evidence}" for c in worst.causes),
        f"rests on {worst.basis}",
    )


def _counter_evidence(problem: Problem) -> tuple[str, ...]:
    worst = problem.worst
    if worst is None:
        return ()
    found = []
    if abs(worst.fast_probability - worst.probability) > 0.15:
        found.append(
            f"the closed-form cross-check says {worst.fast_probability:.0%} instead of {worst.probability:.0%}"
        )
    if worst.probability_high - worst.probability_low > 0.4:
        found.append("the interval is wide: few closed windows stand behind it")
    return tuple(found)


def _assumptions(problem: Problem, options: Sequence[Option]) -> tuple[str, ...]:
    found = ["badness of the coming weeks behaves as the fleet's past did from one month to the next"]
    if any(o.kind == "add_capacity" for o in options):
        found.append(
            "bad events respond to load ÷ capacity as the fitted response curve says, cause and not coincidence"
        )
        found.append("units serve from order date + lead time on; prices as in the catalogue")
    if problem.requirement is not None:
        found.extend(problem.requirement.assumptions)
    return tuple(found)


def _decide_by(problem: Problem, chosen: Option) -> date | None:
    if chosen.order_by is not None:
        return chosen.order_by
    if problem.aim == "reclaim":
        return None  # nothing is lost but the saving of the days that pass
    worst = problem.worst
    if worst is None or worst.period.start <= problem.as_of:
        return None
    return problem.local_date(worst.period.start)


def _milestones(problem: Problem, chosen: Option) -> tuple[Milestone, ...]:
    """Return the dated steps of the chosen option when it is decided today."""
    if chosen.kind == "accept_risk" or chosen.effective_from is None:
        return ()
    bought = next((r for r in (*problem.resources, *problem.serves) if r.name == chosen.resource), None)
    if chosen.kind == "add_capacity" and bought is not None:
        return tuple(Milestone(name=name, due=day) for name, day in dated_steps(bought, problem.today))
    return (Milestone(name="in effect", due=chosen.effective_from),)


def _success(problem: Problem) -> str:
    if problem.requirement is not None and problem.aim == "reclaim":
        return f"running cost of {problem.requirement.resource} falls and every promise on it stays met"
    if problem.requirement is not None:
        return f"{problem.requirement.resource} stays below its usable limit on every day of the horizon"
    worst, objective = problem.worst, problem.objective
    assert worst is not None
    assert objective is not None
    return f"{objective.name} reaches {(100 * objective.target).normalize():f} % in {worst.period.label}"
