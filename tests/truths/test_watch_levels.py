"""The level of a promise from its costs, by hand: acting pays from C(action) ÷ (C(breach) × effect) on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from plan_fixture import make_plan

from forecasting.early_warning.levels import cost_levels
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.plan import Plan
from forecasting.terms.proposal import Proposal

POLICY = AlarmPolicy(raise_at=0.35, by_cost=True, lowest=0.01, highest=0.99)


def priced(plan: Plan, *, cost: float, benefit: float) -> tuple[Proposal, ...]:
    """The first proposal alone, with a recommendation that halves P(miss)."""
    (p, *_) = [p for p in plan.proposals if p.objective is not None]
    options = tuple(
        replace(o, kind="add_capacity", cost_over_horizon=cost, benefit_mean=benefit, probability_before=0.8,
                probability_after=0.4) if i == p.recommended else o
        for i, o in enumerate(p.options)
    )  # fmt: skip
    return (replace(p, options=options),)


def test_the_level_by_hand() -> None:
    plan = make_plan()
    (proposal,) = priced(plan, cost=1000.0, benefit=5000.0)
    levels = cost_levels(plan.services, [proposal], POLICY)
    assert levels
    for (service, agreement, objective), level in levels.items():
        assert (service, objective) == (proposal.service, proposal.objective)
        risks = [
            r for s in plan.services for o in s.objectives for r in o.risks
            if (r.service, r.agreement or "", r.objective) == (service, agreement, objective) and not r.decided
        ]  # fmt: skip
        first = min(risks, key=lambda r: r.period.start)
        # Saved: half of P × C(breach) = 5000, so C(breach) = 10000 ÷ P; level = 1000 ÷ (C(breach) × ½) = P ÷ 5.
        assert level == pytest.approx(first.probability / 5)


def test_a_dearer_action_has_a_higher_level_and_bounds_hold() -> None:
    plan = make_plan()
    found = [
        next(iter(cost_levels(plan.services, priced(plan, cost=cost, benefit=5000.0), POLICY).values()))
        for cost in (0.0, 1000.0, 2000.0, 1e9)
    ]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0.01, 0.99)


def test_without_costs_there_is_no_level() -> None:
    plan = make_plan()
    assert cost_levels(plan.services, priced(plan, cost=1000.0, benefit=0.0), POLICY) == {}
    assert cost_levels(plan.services, (), POLICY) == {}
