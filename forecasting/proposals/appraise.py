"""What an option brings and costs: benefit on the paths, bill, net present value, energy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.cost import Flow, cost_of_units, monthly_flows, months_between, present_value
from forecasting.capacity.lead_time import as_one_lead, before_order_days, in_use_from, lead_days
from forecasting.proposals.base import Problem, cost_on_paths, counted, money
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.measure import Measure
from forecasting.terms.proposal import Option

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What an option costs over the horizon, and when it is in effect."""

    start: date
    """First day on which it is in effect."""
    lead_days: int
    """From the decision to that day."""
    before_order: int
    """Days of it before the order goes out."""
    once: float
    """Paid with the order."""
    monthly: float
    """Negative = saved."""
    months: float
    """In effect within the horizon."""
    after_horizon: float
    """Still owed after the horizon (a lease)."""
    currency: str
    price_date: date | None
    kwh_month: float = 0.0
    co2_month: float = 0.0

    @property
    def total(self) -> float:
        """What it costs over the horizon, with what it binds to afterwards."""
        return self.once + self.monthly * self.months + self.after_horizon


def bill_of_units(problem: Problem, resource: Resource, units: Decimal) -> Bill | Excuse:
    """Return the bill of more units, decided today."""
    until = max(problem.last_day, problem.today)
    found = cost_of_units(as_one_lead(resource), units, ordered=problem.today, until=until)
    if isinstance(found, Excuse):
        return found
    return Bill(
        start=found.in_use_from,
        lead_days=lead_days(resource),
        before_order=before_order_days(resource),
        once=float(found.capex + found.order_cost),
        monthly=float(found.opex_per_month),
        months=float(found.months),
        after_horizon=float(found.lease_rest),
        currency=found.currency,
        price_date=found.price_date,
        kwh_month=float(resource.kwh_per_unit_month * units),
        co2_month=float(resource.co2_kg_per_unit_month * units),
    )


def bill_of_measure(problem: Problem, measure: Measure) -> Bill:
    """Return the bill of a measure, decided today and begun as soon as it can be."""
    begun = max(problem.today, measure.available_from or problem.today)
    start = begun + timedelta(days=-(-measure.lead_time // timedelta(days=1)))
    monthly = float(measure.opex_per_month)
    if measure.saves_opex_of_resource:
        ended = [r for r in problem.serves if set(r.services) <= set(measure.services)]
        monthly -= float(sum((r.units_now * r.cost_per_unit_month for r in ended), Decimal(0)))
    return Bill(
        start=start,
        lead_days=(start - problem.today).days,
        before_order=0,
        once=float(measure.capex),
        monthly=monthly,
        months=float(months_between(start, problem.last_day)),
        after_horizon=0.0,
        currency=measure.currency,
        price_date=measure.price_date,
        kwh_month=float(measure.kwh_per_month),
        co2_month=float(measure.co2_kg_per_month),
    )


def value_today(problem: Problem, bill: Bill, after: tuple[BreachRisk, ...] = ()) -> float:
    """Return the net present value: benefits at the end of their windows, costs on the days on which they are paid.

    Parameters
    ----------
    problem : Problem
    bill : Bill
    after : tuple of BreachRisk
        The windows of the problem with the option; empty = no benefit in money is known.
    """
    flows = [Flow(on=problem.today, amount=-bill.once)]
    flows += [Flow(on=f.on, amount=-f.amount) for f in monthly_flows(bill.monthly, bill.start, problem.last_day)]
    if bill.after_horizon and bill.monthly:
        flows.append(Flow(on=max(problem.last_day, bill.start), amount=-bill.after_horizon))
    for was, now in zip(counted(problem.risks, problem), counted(after, problem), strict=False):
        saved = _mean(was.cost_paths) - _mean(now.cost_paths)
        flows.append(Flow(on=problem.local_date(was.period.end), amount=saved))
    return present_value(flows, today=problem.today, rate=problem.discount_rate)


def _mean(paths: NDArray[np.float64] | None) -> float:
    return 0.0 if paths is None else float(paths.mean())


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is said of an option beside its numbers."""

    kind: str
    label: str
    side_effects: str = ""
    reversibility: str = ""
    risk: str = ""


def option_on_paths(
    problem: Problem,
    words: Words,
    bill: Bill,
    after: tuple[BreachRisk, ...],
    *,
    resource: str | None = None,
    units: Decimal | None = None,
) -> Option:
    """Return an option whose windows were simulated again on the same paths."""
    worst, same = problem.worst, problem.same_window(after)
    assert worst is not None, "an objective has windows"
    assert same is not None, "the same windows are simulated again"
    saved = cost_on_paths(problem, problem.risks) - cost_on_paths(problem, after)
    credit, loss = money(after, problem)
    order = _order_by(problem, bill)
    return _option(
        problem,
        words,
        bill,
        before=worst.probability,
        after=(same.probability, same.probability_low, same.probability_high),
        credit=credit,
        loss=loss,
        saved=saved,
        order_by=order,
        value=value_today(problem, bill, after),
        resource=resource,
        units=units,
    )


def option_on_limit(
    problem: Problem,
    words: Words,
    bill: Bill,
    after: Requirement,
    *,
    resource: str | None = None,
    units: Decimal | None = None,
    order_by: date | None = None,
) -> Option:
    """Return an option for a resource that runs out, judged by P(exhausted): no loss is known for it."""
    need = problem.requirement
    assert need is not None, "asked for a resource"
    p = after.probability_exhausted
    return _option(
        problem,
        words,
        bill,
        before=need.probability_exhausted,
        after=(p, *problem.monte_carlo(p)),
        credit=0.0,
        loss=0.0,
        saved=np.zeros(1),
        order_by=order_by,
        value=value_today(problem, bill),
        resource=resource,
        units=units,
    )


def _order_by(problem: Problem, bill: Bill) -> date | None:
    """Return the latest order that serves the worst window from its first day, today at the earliest.

    None where a decision of today would come after the window.
    """
    worst = problem.worst
    assert worst is not None, "an objective at risk has windows"
    if bill.start >= problem.local_date(worst.period.end):
        return None
    after_order = bill.lead_days - bill.before_order
    return max(problem.local_date(worst.period.start) - timedelta(days=after_order), problem.today)


def _option(
    problem: Problem,
    words: Words,
    bill: Bill,
    *,
    before: float,
    after: tuple[float, float, float],
    credit: float,
    loss: float,
    saved: NDArray[np.float64],
    order_by: date | None,
    value: float,
    resource: str | None,
    units: Decimal | None,
) -> Option:
    benefit, cost = float(saved.mean()), bill.total
    decide = None if order_by is None else order_by - timedelta(days=bill.before_order)
    if decide is not None and problem.requirement is None:
        decide = max(decide, problem.today)  # of a resource that runs out it is said how long it is overdue
    return Option(
        kind=words.kind,
        label=words.label,
        capex=bill.once,
        opex_per_month=bill.monthly,
        cost_over_horizon=cost,
        currency=bill.currency,
        price_date=bill.price_date,
        lead_time_days=bill.lead_days,
        probability_before=before,
        probability_after=after[0],
        probability_after_low=after[1],
        probability_after_high=after[2],
        expected_credit_after=credit,
        expected_loss_after=loss,
        benefit_mean=benefit,
        benefit_p10=float(np.quantile(saved, 0.1)),
        benefit_p90=float(np.quantile(saved, 0.9)),
        net_benefit=benefit - cost,
        confidence=float((saved > cost).mean()),
        order_by=order_by,
        effective_from=bill.start,
        side_effects=words.side_effects,
        net_present_value=value,
        energy_kwh=bill.kwh_month * bill.months,
        co2_kg=bill.co2_month * bill.months,
        reversibility=words.reversibility,
        risk=words.risk,
        decide_by=decide,
        resource=resource,
        units=units,
    )


def who_else(problem: Problem, resource: Resource | None = None) -> str:
    """Say which other services feel it: those that share the resource, and those that rely on the service."""
    sharing = [s for s in resource.services if s != problem.service] if resource else []
    said = [f"Also serves {', '.join(sharing)}."] if sharing else []
    relying = [s for s in problem.dependents if s not in sharing]
    return " ".join([*said, *([f"{', '.join(relying)} rely on {problem.service}."] if relying else [])])


def start_of(problem: Problem, resource: Resource) -> date:
    """Return the first day on which what is decided today serves."""
    return in_use_from(resource, problem.today)
