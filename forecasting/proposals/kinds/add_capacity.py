"""Add capacity: more units of a resource, from the day they can serve."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

from forecasting.capacity.lead_time import lead_days
from forecasting.proposals.appraise import (
    Bill,
    Words,
    bill_of_units,
    option_on_limit,
    option_on_paths,
    start_of,
    who_else,
)
from forecasting.proposals.base import Change, Problem, not_for_opportunity
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
        if (declined := not_for_opportunity(problem)) is not None:
            return declined
        if problem.requirement is not None:
            return self._for_resource(problem)
        if not problem.resources:
            return Excuse(
                reason=f"no resource of {problem.service} is in the catalogue"
                if not problem.serves
                else f"no resource of {problem.service} was found to act on this objective "
                f"({', '.join(r.name for r in problem.serves)} were looked at)",
                what_would_help="a Resource document with the service in `services`"
                if not problem.serves
                else "a response_curve model on the objective's metrics, where its load is a cause",
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
        start = start_of(problem, resource)
        if start >= problem.last_day:
            return _too_late(resource)
        options = []
        for steps in STEPS:
            extra = resource.step_units * steps
            if resource.max_units is not None and resource.units_now + extra > resource.max_units:
                break
            risks = problem.resimulate(Change(resource=resource, units=extra, in_use_from=start))
            if isinstance(risks, Excuse):
                return risks
            words, bill = self._said(problem, resource, extra)
            options.append(option_on_paths(problem, words, bill, risks, resource=resource.name, units=extra))
        return tuple(options) or _no_more(resource, "another resource or another limit")

    def _for_resource(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return half of what the 90 % demand needs, all of it, and a quarter more; up to the first that is enough."""
        need, resource = problem.requirement, problem.resources[0]
        assert need is not None, "asked only for a capacity problem"
        wanted = max(need.required_p90 - float(resource.units_now), float(resource.step_units))
        steps = max(1, math.ceil(wanted / float(resource.step_units) - 1e-9))
        start = start_of(problem, resource)
        if start >= problem.last_day:
            return _too_late(resource)
        sizes = {max(1, math.ceil(steps / 2)), steps, steps + max(1, math.ceil(steps / 4))}
        if resource.max_units is not None:
            most = int((resource.max_units - resource.units_now) // resource.step_units)
            sizes = {min(count, most) for count in sizes if most > 0}
        options = []
        for count in sorted(sizes):
            extra = resource.step_units * count
            after = problem.reassess(Change(resource=resource, units=extra, in_use_from=start))
            if isinstance(after, Excuse):
                return after
            words, bill = self._said(problem, resource, extra)
            made = option_on_limit(
                problem, words, bill, after, resource=resource.name, units=extra, order_by=need.order_by
            )
            options.append(replace(made, decide_by=need.decide_by) if need.decide_by is not None else made)
            if after.probability_exhausted <= ENOUGH:
                break
        return tuple(options) or _no_more(resource, "another limit, less demand, or another resource")

    def _said(self, problem: Problem, resource: Resource, extra: Decimal) -> tuple[Words, Bill]:
        """Return what is said of a size, and its bill."""
        bill = bill_of_units(problem, resource, extra)
        assert not isinstance(bill, Excuse), "sizes beyond the largest number of units are not asked for"
        sunk = bill.once > 0
        if resource.lease_months:
            back = f"after {resource.lease_months} months of lease"
        elif bill.monthly:
            back = "at any time" + ("; what was paid with the order is spent" if sunk else "")
        else:
            back = "not: it is paid once"
        if problem.requirement is not None:
            risk = "Demand may grow more slowly than forecast; then it was bought too early."
        else:
            risk = "Helps only as far as load is the cause, which was learnt from history and not from a trial."
        words = Words(
            kind=self.name,
            label=f"Add {extra.normalize():f} {resource.unit} to {resource.name} "
            f"({resource.units_now.normalize():f} → {(resource.units_now + extra).normalize():f})",
            side_effects=" ".join(x for x in (who_else(problem, resource), _late(problem, bill)) if x),
            reversibility=back,
            risk=risk,
        )
        return words, bill


def _late(problem: Problem, bill: Bill) -> str:
    """Say where the limit may be passed before the units serve, which P after leaves out."""
    need_by = problem.requirement.need_by if problem.requirement else None
    if need_by is None or need_by >= bill.start:
        return ""
    return f"Comes late: the limit may be passed from {need_by} on, the units serve from {bill.start} on."


def _no_more(resource: Resource, instead: str) -> Excuse:
    return Excuse(
        reason=f"{resource.name}: {resource.max_units} {resource.unit} is the most there can be",
        what_would_help=instead,
    )


def _too_late(resource: Resource) -> Excuse:
    """Say that nothing ordered today serves within the horizon."""
    return Excuse(
        reason=f"{resource.name}: a lead time of {lead_days(resource)} days ends after the horizon",
        what_would_help="a longer horizon, or a shorter lead time",
    )
