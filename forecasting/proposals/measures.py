"""Options from the catalogue's measures: what somebody has declared could be done, with effect and cost."""

from __future__ import annotations

from forecasting.proposals.appraise import (
    Words,
    bill_of_measure,
    option_on_limit,
    option_on_paths,
    who_else,
)
from forecasting.proposals.base import Change, Problem, not_for_opportunity
from forecasting.terms.errors import Excuse
from forecasting.terms.measure import Measure, MeasureKind
from forecasting.terms.proposal import Option

DECLARE: dict[MeasureKind, str] = {
    "tune": "perUnitMultiplier or badMultiplier",
    "shift_demand": "peakMultiplier",
    "shape_demand": "demandMultiplier",
    "add_redundancy": "badMultiplier",
    "change_supplier": "badMultiplier, promisedPercent and supplierAgreement",
    "commit": "opexPerMonth and supplierAgreement",
    "retire": "demandMultiplier, and savesOpexOfResource where running costs end",
    "improve_monitoring": "badMultiplier with its range (faster detection), or what it lets be seen",
}
"""What a measure of each kind has to say to be compared."""
DEFAULT_RISKS: dict[MeasureKind, str] = {
    "tune": "The gain is an estimate until it is measured under load.",
    "shift_demand": "Those whose work is moved have to agree.",
    "shape_demand": "Demand may come back when it is no longer held down.",
    "add_redundancy": "What fails together with the first gains nothing from the second.",
    "change_supplier": "A promise of a supplier is not yet its delivery.",
    "commit": "Use below the commitment is paid all the same.",
    "retire": "Somebody may still use it.",
    "improve_monitoring": "Seeing more does not repair more.",
}


def change_of(measure: Measure, problem: Problem) -> Change:
    """Return what a measure changes, from the day on which it is in effect when it is begun today."""
    bill = bill_of_measure(problem, measure)
    resource = next((r for r in (*problem.resources, *problem.serves) if r.name == measure.resource), None)
    return Change(
        in_use_from=bill.start,
        resource=resource,
        services=measure.services,
        demand_multiplier=float(measure.demand_multiplier),
        peak_multiplier=float(measure.peak_multiplier),
        per_unit_multiplier=float(measure.per_unit_multiplier),
        bad_multiplier=float(measure.bad_multiplier),
        bad_low=None if measure.bad_multiplier_low is None else float(measure.bad_multiplier_low),
        bad_high=None if measure.bad_multiplier_high is None else float(measure.bad_multiplier_high),
        name=measure.name,
    )


def options_of(problem: Problem, kind: MeasureKind) -> tuple[Option, ...] | Excuse:
    """Return an option for each measure of a kind that acts on the problem, or what to declare to have one."""
    if (declined := not_for_opportunity(problem)) is not None:
        return declined
    about = problem.requirement.resource if problem.requirement else problem.service
    measures = [m for m in problem.measures if m.kind == kind]
    if not measures:
        return Excuse(
            reason=f"no measure of kind {kind} is declared for {about}",
            what_would_help=f"a Measure document with kind: {kind}, {about} in it, its cost, lead time and "
            f"{DECLARE[kind]}",
        )
    made = [_option(problem, m) for m in measures]
    options = tuple(o for o in made if not isinstance(o, Excuse))
    excuses = [e for e in made if isinstance(e, Excuse)]
    if options:
        return options
    return Excuse(
        reason="; ".join(e.reason for e in excuses), what_would_help="; ".join(e.what_would_help for e in excuses)
    )


def _option(problem: Problem, measure: Measure) -> Option | Excuse:
    change, bill = change_of(measure, problem), bill_of_measure(problem, measure)
    if bill.currency != problem.currency and (bill.once or bill.monthly):
        return Excuse(
            reason=f"{measure.name} is priced in {bill.currency}, the plan is in {problem.currency}",
            what_would_help=f"its price in {problem.currency}",
        )
    if bill.start >= problem.last_day:
        return Excuse(
            reason=f"{measure.name} is in effect from {bill.start} on, after the horizon",
            what_would_help="a longer horizon, or an earlier start",
        )
    side = " ".join(
        x
        for x in (
            measure.side_effects,
            f"Changes {measure.supplier_agreement}"
            + (f" to {(100 * measure.promised).normalize():f} %." if measure.promised is not None else ".")
            if measure.supplier_agreement
            else "",
            who_else(problem, change.resource),
        )
        if x
    )
    words = Words(
        kind=measure.kind,
        label=measure.label or measure.name,
        side_effects=side,
        reversibility=measure.reversibility,
        risk=measure.risk or DEFAULT_RISKS[measure.kind],
    )
    if problem.requirement is not None:
        after = problem.reassess(change)
        if isinstance(after, Excuse):
            return after
        order = problem.requirement.need_by
        limit = None if order is None else order - (bill.start - problem.today)
        return option_on_limit(problem, words, bill, after, resource=measure.resource, order_by=limit)
    risks = problem.resimulate(change)
    if isinstance(risks, Excuse):
        return risks
    return option_on_paths(problem, words, bill, risks, resource=measure.resource)
