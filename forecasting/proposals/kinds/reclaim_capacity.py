"""Reclaim capacity: give back units of which there are more than the promises need."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from forecasting.capacity.cost import months_between
from forecasting.proposals.appraise import Bill, Words, option_on_limit, who_else
from forecasting.proposals.base import GiveBack, Problem
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option

SAFE = 0.99
"""P(every objective is met) and P(enough) that have to be left after units are given back."""


class ReclaimCapacity:
    """Give units back: as many as leave every promise met and the limit not passed with 99 %, and half of them.

    Examples
    --------
    >>> ReclaimCapacity().name
    'reclaim_capacity'
    """

    name = "reclaim_capacity"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return the two sizes, or what forbids giving any back."""
        if problem.aim != "reclaim" or problem.give_back is None:
            return Excuse(
                reason="nothing is in place beyond what is needed", what_would_help="nothing; it answers over-provision"
            )
        resource = problem.resources[0]
        step = resource.step_units
        floor = max(resource.min_units, resource.redundant_units, step)
        most = int((resource.units_now - floor) // step)
        answers: dict[int, GiveBack] = {}
        refused: Excuse | None = None

        def safe(count: int) -> bool:
            nonlocal refused
            answer = problem.give_back(resource, step * count) if problem.give_back else None
            if answer is None or isinstance(answer, Excuse):
                refused = answer if isinstance(answer, Excuse) else refused
                return False
            answers[count] = answer
            known = not answer.unseen or answer.modelled
            return known and answer.probability_met >= SAFE and answer.probability_enough >= SAFE

        # Fewer units are never safer, so the largest safe number is found by bisection.
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if safe(middle) else (low, middle - 1)
        if low == 0:
            return self._none(resource, answers.get(1), refused, most)
        if low not in answers:
            safe(low)
        sizes = [low] if low == 1 else [low, max(1, low // 2)]
        made = []
        for count in sizes:
            if count not in answers:
                safe(count)
            made.append(self._option(problem, resource, step * count, answers[count]))
        return tuple(made)

    def _none(self, resource: Resource, one: GiveBack | None, refused: Excuse | None, most: int) -> Excuse:
        if most < 1:
            return Excuse(
                reason=f"{resource.name} stands at its smallest size", what_would_help="a smaller `minUnits`, if wrong"
            )
        if one is None and refused is not None:
            return refused
        why = "it was not looked at"
        if one is not None:
            why = one.binding if one.modelled or not one.unseen else one.unseen
        return Excuse(
            reason=f"not one step of {resource.step_units.normalize():f} {resource.unit} can go at {SAFE:.0%}: {why}",
            what_would_help="a softer target, or less demand",
        )

    def _option(self, problem: Problem, resource: Resource, units: Decimal, left: GiveBack) -> Option:
        need = problem.requirement
        assert need is not None, "asked for a resource"
        start = problem.today + timedelta(days=1)
        if resource.lease_months:
            start = problem.today + timedelta(days=31 * resource.lease_months)
        bill = Bill(
            start=start,
            lead_days=(start - problem.today).days,
            before_order=0,
            once=0.0,
            monthly=-float(resource.cost_per_unit_month * units),
            months=float(months_between(start, problem.last_day)) if start < problem.last_day else 0.0,
            after_horizon=0.0,
            currency=resource.currency,
            price_date=resource.price_date,
            kwh_month=-float(resource.kwh_per_unit_month * units),
            co2_month=-float(resource.co2_kg_per_unit_month * units),
        )
        yearly = float(resource.cost_per_unit_month * units) * 12
        words = Words(
            kind=self.name,
            label=f"Give back {units.normalize():f} of {resource.units_now.normalize():f} {resource.unit} of "
            f"{resource.name} (saves {yearly:,.0f} {resource.currency} a year)",
            side_effects=" ".join(
                x
                for x in (
                    f"With {left.spare.normalize():f} {resource.unit} down besides, P(every promise met) "
                    f"{left.probability_met:.1%}, P(enough) {left.probability_enough:.1%}; binding: {left.binding}.",
                    f"{left.unseen[:1].upper()}{left.unseen[1:]}." if left.unseen else "",
                    who_else(problem, resource),
                )
                if x
            ),
            reversibility=f"bought again within {problem.resources[0].lead_time.days} days",
            risk="Demand may grow faster than in the last year; then units have to be bought again.",
        )
        after = replace(need, probability_exhausted=1.0 - left.probability_enough)
        return option_on_limit(problem, words, bill, after, resource=resource.name, units=-units)
