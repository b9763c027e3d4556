"""Add capacity: more units of a resource, from the day they can serve."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from forecasting.capacity.cost import cost_of_units
from forecasting.capacity.headroom import order_date
from forecasting.proposals.base import Problem, cost_on_paths, money
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option

STEPS = (1, 2, 4)
"""Sizes tried for a service level at risk, in purchase steps."""
ENOUGH = 0.1
"""P(exhausted) below which a resource counts as sufficient."""


class AddCapacity:
    """Buy units: the same windows are re-simulated on the same paths with the units in use after the lead time.

    Examples
    --------
    >>> AddCapacity().name
    'add_capacity'
    """

    name = "add_capacity"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return the sizes worth looking at, or why more capacity does not help."""
        if problem.requirement is not None:
            return self._for_resource(problem)
        if not problem.resources:
            return Excuse(
                reason=f"no resource of {problem.service} is in the catalogue",
                what_would_help="a Resource document with the service in `services`",
            )
        options: list[Option] = []
        excuses: list[Excuse] = []
        for resource in problem.resources:
            found = self._for_service(problem, resource)
            if isinstance(found, Excuse):
                excuses.append(found)
            else:
                options.extend(found)
        if options:
            return tuple(options)
        return Excuse(
            reason="; ".join(e.reason for e in excuses), what_would_help="; ".join(e.what_would_help for e in excuses)
        )

    def _for_service(self, problem: Problem, resource: Resource) -> tuple[Option, ...] | Excuse:
        """Return sizes of one resource for an objective at risk."""
        start = _in_use_from(resource, problem)
        if start >= problem.last_day:
            return _too_late(resource)
        worst = problem.worst
        assert worst is not None, "an objective at risk has windows"
        before = cost_on_paths(problem, problem.risks)
        options = []
        for steps in STEPS:
            extra = resource.step_units * steps
            if resource.max_units is not None and resource.units_now + extra > resource.max_units:
                break
            risks = problem.resimulate(resource, extra, start)
            if isinstance(risks, Excuse):
                return risks
            same = problem.same_window(risks)
            assert same is not None, "the same windows are re-simulated"
            saved = before - cost_on_paths(problem, risks)
            credit, loss = money(risks, problem)
            options.append(
                self._option(
                    problem,
                    resource,
                    extra,
                    start,
                    before=worst.probability,
                    after=(same.probability, same.probability_low, same.probability_high),
                    credit=credit,
                    loss=loss,
                    saved=saved,
                    order_by=_order_by(resource, problem),
                )
            )
        return tuple(options) or Excuse(
            reason=f"{resource.name}: {resource.max_units} {resource.unit} is the most there can be",
            what_would_help="another resource or another limit",
        )

    def _for_resource(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return half of what the 90 % demand needs, all of it, and a quarter more; up to the first that is enough."""
        need, resource = problem.requirement, problem.resources[0]
        assert need is not None, "asked only for a capacity problem"
        wanted = max(need.required_p90 - float(resource.units_now), float(resource.step_units))
        steps = max(1, math.ceil(wanted / float(resource.step_units) - 1e-9))
        start = _in_use_from(resource, problem)
        if start >= problem.last_day:
            return _too_late(resource)
        sizes = {max(1, math.ceil(steps / 2)), steps, steps + max(1, math.ceil(steps / 4))}
        if resource.max_units is not None:
            most = int((resource.max_units - resource.units_now) // resource.step_units)
            sizes = {min(count, most) for count in sizes if most > 0}
        options = []
        for count in sorted(sizes):
            extra = resource.step_units * count
            after = problem.reassess(resource, extra)
            if isinstance(after, Excuse):
                return after
            p = after.probability_exhausted
            options.append(
                self._option(
                    problem,
                    resource,
                    extra,
                    start,
                    before=need.probability_exhausted,
                    after=(p, *problem.monte_carlo(p)),
                    credit=0.0,
                    loss=0.0,
                    saved=np.zeros(1),
                    order_by=need.order_by,
                )
            )
            if p <= ENOUGH:
                break
        return tuple(options) or Excuse(
            reason=f"{resource.name}: {resource.max_units} {resource.unit} is the most there can be",
            what_would_help="another limit, less demand, or another resource",
        )

    def _option(
        self,
        problem: Problem,
        resource: Resource,
        extra: Decimal,
        start: date,
        *,
        before: float,
        after: tuple[float, float, float],
        credit: float,
        loss: float,
        saved: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
        order_by: date | None,
    ) -> Option:
        bill = cost_of_units(resource, extra, ordered=problem.today, until=max(problem.last_day, problem.today))
        assert not isinstance(bill, Excuse), "sizes beyond the largest number of units are not asked for"
        cost = float(bill.total)
        return Option(
            kind=self.name,
            label=f"Add {extra.normalize():f} {resource.unit} to {resource.name} "
            f"({resource.units_now.normalize():f} → {(resource.units_now + extra).normalize():f})",
            capex=float(bill.capex),
            opex_per_month=float(bill.opex_per_month),
            cost_over_horizon=cost,
            currency=resource.currency,
            price_date=resource.price_date,
            lead_time_days=resource.lead_time.days,
            probability_before=before,
            probability_after=after[0],
            probability_after_low=after[1],
            probability_after_high=after[2],
            expected_credit_after=credit,
            expected_loss_after=loss,
            benefit_mean=float(saved.mean()),
            benefit_p10=float(np.quantile(saved, 0.1)),
            benefit_p90=float(np.quantile(saved, 0.9)),
            net_benefit=float(saved.mean()) - cost,
            confidence=float((saved > cost).mean()),
            order_by=order_by,
            effective_from=bill.in_use_from,
            side_effects=_side_effects(problem, resource, bill.in_use_from),
        )


def _side_effects(problem: Problem, resource: Resource, in_use_from: date) -> str:
    """Say who else gains, and whether the limit may be passed before the units serve (which P after leaves out)."""
    others = [s for s in resource.services if s != problem.service]
    said = [f"Also serves {', '.join(others)}."] if others else []
    need_by = problem.requirement.need_by if problem.requirement else None
    if need_by is not None and need_by < in_use_from:
        said.append(f"Comes late: the limit may be passed from {need_by} on, the units serve from {in_use_from} on.")
    return " ".join(said)


def _too_late(resource: Resource) -> Excuse:
    """Say that nothing ordered today serves within the horizon."""
    return Excuse(
        reason=f"{resource.name}: a lead time of {resource.lead_time.days} days ends after the horizon",
        what_would_help="a longer horizon, or a shorter lead time",
    )


def _order_by(resource: Resource, problem: Problem) -> date | None:
    """Return the latest order that serves the worst window from its first day, today at the earliest.

    None where an order of today would come after the window.
    """
    worst = problem.worst
    assert worst is not None, "an objective at risk has windows"
    if _in_use_from(resource, problem) >= problem.local_date(worst.period.end):
        return None
    return max(order_date(problem.local_date(worst.period.start), resource.lead_time), problem.today)


def _in_use_from(resource: Resource, problem: Problem) -> date:
    """Return the first day on which an order of today serves; part of a day of lead time counts as the next."""
    return problem.today - timedelta(days=-resource.lead_time // timedelta(days=1))
