"""Options of each kind, their money and probabilities worked out by hand on four worlds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from proposals_fixture import (
    AFTER,
    AS_OF,
    BEFORE,
    agreement,
    april,
    march,
    month,
    objective,
    problem,
    requirement,
    resource,
    risk,
    shortage,
    with_after,
)

from forecasting.capacity.cost import cost_of_units
from forecasting.proposals.base import Change, cost_on_paths, money
from forecasting.proposals.build import build_proposal
from forecasting.proposals.kinds import KINDS
from forecasting.proposals.kinds.accept_risk import AcceptRisk
from forecasting.proposals.kinds.add_capacity import AddCapacity
from forecasting.proposals.kinds.change_target import ChangeTarget, safe_target
from forecasting.terms.breach import BreachRisk
from forecasting.terms.errors import Excuse

SLA = agreement()


def test_add_capacity_on_four_worlds() -> None:
    p = problem(agreed=SLA, resources=(resource(),), resimulate=with_after(SLA))
    found = AddCapacity().options(p)
    assert not isinstance(found, Excuse)
    assert [o.label.split(" hosts")[0] for o in found] == ["Add 2", "Add 4", "Add 8"]
    one = found[0]
    # Credits before 250, 100, 0, 0 and losses 1000, 400, 0, 0; after 100, 0, 0, 0 and 400, 0, 0, 0.
    assert cost_on_paths(p, p.risks).tolist() == [1250.0, 500.0, 0.0, 0.0]
    assert one.benefit_mean == pytest.approx((750 + 500) / 4)
    assert one.benefit_p10 == 0.0
    assert one.benefit_p90 == pytest.approx(500 + 0.7 * 250)  # linear between the ranks
    # In use from 20 March to 30 April: 12/31 + 1 months of 2 × 62, and 2 × 31 once.
    assert one.capex == 62.0
    assert one.opex_per_month == 124.0
    assert one.cost_over_horizon == pytest.approx(62 + 124 * 43 / 31)
    assert one.cost_over_horizon == pytest.approx(234.0)
    assert one.net_benefit == pytest.approx(312.5 - 234)
    assert one.confidence == 0.5  # 750 and 500 are above 234
    assert one.probability_before == 3 / 6
    assert one.probability_after == 2 / 6
    assert one.expected_credit_after == 25.0
    assert one.expected_loss_after == 100.0
    assert one.effective_from == date(2027, 3, 20)
    assert one.order_by == date(2027, 3, 22)  # 1 April in Berlin less ten days
    assert one.lead_time_days == 10
    assert one.side_effects == "Also serves cart."
    assert found[1].confidence == 0.5  # costs 468: 750 and 500 are above it
    assert found[2].confidence == 0.0  # costs 936


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_cost_is_that_of_the_capacity_stage(steps: int) -> None:
    found = AddCapacity().options(problem(agreed=SLA, resources=(resource(),), resimulate=with_after(SLA)))
    assert not isinstance(found, Excuse)
    bill = cost_of_units(resource(), Decimal(2 * steps), ordered=date(2027, 3, 10), until=date(2027, 5, 1))
    assert not isinstance(bill, Excuse)
    by_size = {o.capex: o for o in found}[float(31 * 2 * steps)]
    assert by_size.cost_over_horizon == float(bill.total)
    assert by_size.effective_from == bill.in_use_from
    assert by_size.currency == bill.currency
    assert by_size.price_date == bill.price_date


def test_units_serve_in_the_simulation_from_the_day_they_are_paid_for() -> None:
    """Part of a day of lead time counts as the next day, in the bill and in the simulation."""
    asked: list[date] = []

    def resimulate(change: Change) -> tuple[BreachRisk, ...]:
        asked.append(change.in_use_from)
        return march(SLA), april(AFTER, SLA)

    found = AddCapacity().options(problem(agreed=SLA, resources=(resource(lead_days=1.5),), resimulate=resimulate))
    assert not isinstance(found, Excuse)
    assert set(asked) == {date(2027, 3, 12)}
    assert {o.effective_from for o in found} == set(asked)
    assert {o.order_by for o in found} == {date(2027, 3, 30)}  # 1 April less a day and a half


def test_order_by_is_today_where_the_window_runs_and_none_where_it_would_come_too_late() -> None:
    running = (risk(month(3), [0.8] * 4, agreed=SLA), risk(month(4), [0.99] * 4, agreed=SLA))
    for days, expected in ((10, date(2027, 3, 10)), (21, date(2027, 3, 10)), (22, None), (30, None)):
        p = problem(agreed=SLA, risks=running, resources=(resource(lead_days=days),), resimulate=lambda *_: running)
        found = AddCapacity().options(p)
        assert not isinstance(found, Excuse)
        assert {o.order_by for o in found} == {expected}, days


def test_dates_are_local_where_utc_has_another_day() -> None:
    """1 April begins in Berlin at 22:00 UTC of 31 March; 23:30 UTC of 9 March is the 10th there."""
    late = AS_OF.replace(day=9, hour=23, minute=30)
    p = problem(agreed=SLA, resources=(resource(),), resimulate=with_after(SLA), as_of=late)
    assert p.today == date(2027, 3, 10)
    assert p.last_day == date(2027, 5, 1)
    assert month(4).start.date() == date(2027, 3, 31)
    proposal = build_proposal(p, KINDS)
    bought = next(o for o in proposal.options if o.kind == "add_capacity")
    softer = next(o for o in proposal.options if o.kind == "change_target")
    assert bought.order_by == date(2027, 3, 22)
    assert softer.order_by == softer.effective_from == date(2027, 4, 1)
    nothing = build_proposal(replace(p, resources=()), (AcceptRisk(),))
    assert nothing.decide_by == date(2027, 4, 1)


def test_change_target_on_four_worlds() -> None:
    found = ChangeTarget().options(problem(agreed=SLA))
    assert not isinstance(found, Excuse)
    assert len(found) == 1  # both confidences ask for the worst of four worlds
    one = found[0]
    assert one.label.startswith("Agree on 80 % instead of 90 %")
    # With the tiers ten points lower no world is below one: credits of 250, 100, 0, 0 are avoided.
    assert one.benefit_mean == one.net_benefit == pytest.approx(350 / 4)
    assert one.confidence == 0.5
    assert one.expected_credit_after == pytest.approx(0.0)
    assert one.expected_loss_after == 350.0  # the customer's loss stays
    assert one.probability_before == 3 / 6
    assert one.probability_after == 1 / 6  # a tie is met
    assert one.probability_after_low <= one.probability_after <= one.probability_after_high


def test_change_target_offers_both_confidences_and_counts_their_misses() -> None:
    worlds = [1 - bad / 100 for bad in range(10, 21)]  # 80 % to 90 %, as attainments come: 1 − bad ÷ total
    found = ChangeTarget().options(problem(agreed=SLA, risks=(risk(month(4), worlds, agreed=SLA),)))
    assert not isinstance(found, Excuse)
    assert [o.label.split(" %")[0] for o in found] == ["Agree on 82", "Agree on 81"]
    assert [o.probability_after for o in found] == [3 / 13, 2 / 13]
    # Before: 85 to 89 cost 100 each, 80 to 84 cost 250. Eight points off: 80, 81 are below 82 and cost 100 each.
    assert found[0].benefit_mean == pytest.approx((5 * 100 + 5 * 250 - 2 * 100) / 11)
    assert found[1].benefit_mean == pytest.approx((5 * 100 + 5 * 250 - 1 * 100) / 11)


def test_a_softer_target_does_not_help_the_running_window() -> None:
    risks = (risk(month(3), [0.8] * 4, agreed=SLA), april(BEFORE, SLA))
    found = ChangeTarget().options(problem(agreed=SLA, risks=risks))
    assert not isinstance(found, Excuse)
    assert found[0].probability_before == found[0].probability_after == 5 / 6
    assert found[0].benefit_mean == pytest.approx(350 / 4)  # April's credits only


def test_an_exact_percentage_is_not_lost_in_binary() -> None:
    """1 − 29/100 is 0.7099999… as a float; 71 % of good events meets 71 %."""
    assert safe_target(np.full(10, 1 - 29 / 100), 0.9, Decimal("0.8")) == Decimal("0.71")
    assert safe_target(np.full(10, 0.99951), 0.9, Decimal("0.9999")) == Decimal("0.9995")


def test_no_target_is_safe_where_nothing_works() -> None:
    found = ChangeTarget().options(problem(agreed=SLA, risks=(march(SLA), risk(month(4), [0.0] * 4, agreed=SLA))))
    assert isinstance(found, Excuse)
    assert "0 %" in found.reason
    assert "is met with at least" not in found.reason


def test_accept_risk_states_the_price_of_doing_nothing() -> None:
    found = AcceptRisk().options(problem(agreed=SLA))
    assert not isinstance(found, Excuse)
    (one,) = found
    assert (one.expected_credit_after, one.expected_loss_after) == (87.5, 350.0)
    assert one.probability_before == one.probability_after == 3 / 6
    assert (one.capex, one.cost_over_horizon, one.net_benefit, one.confidence) == (0.0, 0.0, 0.0, 0.0)
    proposal = build_proposal(problem(agreed=SLA), (AcceptRisk(),))
    assert proposal.loss_if_not_decided == 437.5


def test_rolling_windows_are_counted_once() -> None:
    """The running instance of a rolling window overlaps the next one: its money is in there already."""
    slo = objective(rolling=True)
    sla = agreement(slo)
    running = risk(month(3), [0.8, 0.8, 0.8, 0.8], losses=[10.0] * 4, agreed=sla)
    rolling = problem(agreed=sla, risks=(running, april(BEFORE, sla)))
    assert money(rolling.risks, rolling) == (87.5, 350.0)
    assert cost_on_paths(rolling, rolling.risks).tolist() == [1250.0, 500.0, 0.0, 0.0]
    calendar = problem(agreed=SLA, risks=(running, april(BEFORE, SLA)))
    assert money(calendar.risks, calendar) == (87.5 + 250.0, 350.0 + 10.0)
    assert cost_on_paths(calendar, calendar.risks).tolist() == [1510.0, 760.0, 260.0, 260.0]
    alone = problem(agreed=sla, risks=(running,))
    assert money(alone.risks, alone) == (250.0, 10.0)


def test_sizes_for_a_shortage() -> None:
    """Ten more units are five pairs: three, five, and two more if five are not enough."""
    tried: list[Decimal] = []

    def after(units: Decimal) -> float:
        tried.append(units)
        return 0.4 if units < 10 else 0.2 if units < 14 else 0.05

    found = AddCapacity().options(shortage(0.8, after))
    assert not isinstance(found, Excuse)
    assert tried == [6, 10, 14]
    assert [o.probability_after for o in found] == [0.4, 0.2, 0.05]
    assert [o.capex for o in found] == [6 * 31, 10 * 31, 14 * 31]
    stopped = AddCapacity().options(shortage(0.8, lambda units: 0.4 if units < 10 else 0.1))
    assert not isinstance(stopped, Excuse)
    assert len(stopped) == 2  # enough is enough


def test_what_can_still_be_had_is_offered() -> None:
    """50 are wanted and 44 can be had: 4 more are offered, not nothing."""
    found = AddCapacity().options(shortage(0.8, lambda units: 0.5, found=resource(max_units=45)))
    assert not isinstance(found, Excuse)
    assert [o.capex for o in found] == [4 * 31]
    full = AddCapacity().options(shortage(0.8, found=resource(max_units=41)))
    assert isinstance(full, Excuse)
    assert "41" in full.reason


def test_units_that_come_too_late_say_so() -> None:
    need = requirement(0.8, need_by=date(2027, 3, 15), order_by=date(2027, 3, 5))
    found = AddCapacity().options(shortage(0.8, need=need))
    assert not isinstance(found, Excuse)
    assert "from 2027-03-15 on" in found[0].side_effects
    assert "from 2027-03-20 on" in found[0].side_effects
    in_time = AddCapacity().options(shortage(0.8, need=replace(need, need_by=date(2027, 3, 20))))
    assert not isinstance(in_time, Excuse)
    assert in_time[0].side_effects == "Also serves cart."


def test_a_horizon_that_ends_before_the_units_come_is_an_excuse() -> None:
    for days, works in ((51, True), (52, False)):  # 1 May is the day after the horizon
        p = problem(agreed=SLA, resources=(resource(lead_days=days),), resimulate=with_after(SLA))
        found = AddCapacity().options(p)
        assert isinstance(found, Excuse) is not works, days
        if isinstance(found, Excuse):
            assert "52 days" in found.reason


def test_worst_is_an_open_window() -> None:
    decided = risk(month(3), [0.5] * 4, agreed=SLA, decided=True)
    p = problem(agreed=SLA, risks=(decided, april(BEFORE, SLA)))
    assert decided.probability == 1.0
    assert p.worst is p.risks[1]
    assert p.probability == 0.5
    assert p.horizon_end - month(4).end == timedelta(0)
