"""What asks for a decision, what more units do to it, and all agreements together."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from proposals_fixture import FEE, agreement, march, month, objective, requirement, resource, risk

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from plan_fixture import attainment, manifest

from forecasting.capacity.models.response_curve import ResponseCurve
from forecasting.proposals.base import Change, Problem
from forecasting.proposals.build import build_proposal
from forecasting.proposals.kinds import KINDS
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Resource, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import History, Metric, MetricKind
from forecasting.terms.plan import ObjectiveOutlook
from forecasting.terms.service_level import AttainmentStatus, CalendarWindow, Objective
from forecasting.terms.settings import Settings
from forecasting.workflows.capacity import LoadEffect, daily_values
from forecasting.workflows.demand import Demand
from forecasting.workflows.outlook import (
    Extra,
    build_fleet,
    part_of,
    past_windows,
    prepared_fleet,
    risks_of,
    simulate_part,
)
from forecasting.workflows.plan import Outlooks, portfolio
from forecasting.workflows.prepare import Prepared, Promise, prepare
from forecasting.workflows.problems import _past_missed, problems

AS_OF = datetime(2027, 3, 10, 12, tzinfo=UTC)
SETTINGS = Settings(paths=200)


def _added(found: Resource, units: Decimal, start: date) -> Change:
    return Change(resource=found, units=units, in_use_from=start)


def outlook(
    agreed: Agreement | None, risks: tuple[BreachRisk, ...], slo: Objective | None = None
) -> tuple[Promise, ObjectiveOutlook]:
    slo = slo or (agreed.objectives[0] if agreed else objective())
    no_events = Excuse(reason="0 rows", what_would_help="1 row")
    promise = Promise(agreement=agreed, objective=slo, events=no_events, coming=tuple(r.period for r in risks))
    return promise, ObjectiveOutlook(agreement=agreed, objective=slo, attainments=(), risks=risks)


def run_of(*promises: tuple[Promise, ObjectiveOutlook], resources: tuple[Resource, ...] = ()) -> Outlooks:
    """Return outlooks that were made by hand."""
    catalogue = Catalogue(
        name="hand", services={n: Service(name=n, zone="Europe/Berlin") for n in ("shop", "cart")}, resources=resources
    )
    prepared = Prepared(
        catalogue=catalogue,
        organisation="Hand",
        currency="EUR",
        zone="Europe/Berlin",
        settings=SETTINGS,
        manifest=manifest(),
        history=History(cut_off=AS_OF),
        daily={},
        promises=tuple(p for p, _ in promises),
        quality=(),
        as_of=AS_OF,
        horizon_end=month(4).end,
    )
    fleet = build_fleet((), catalogue, as_of=AS_OF, until=month(4).end, settings=SETTINGS, paths=1)
    return Outlooks(
        prepared=prepared, demand=Demand(forecasts={}), effects=(), effect_excuses=(), fleet=fleet, promises=promises
    )


# ------------------------------------------------------------------ past windows and problems
def test_past_missed_counts_final_judged_windows_only() -> None:
    closed = [attainment("shop", n, share, "0.8", 1000) for n, share in ((1, 0.7), (2, 0.8), (3, 0.9), (4, 0.79))]
    undetermined = replace(closed[0], status=AttainmentStatus.UNDETERMINED)
    quiet = replace(closed[0], status=AttainmentStatus.NO_TRAFFIC)
    running = attainment("shop", 5, 0.1, "0.8", 100, days_known=3)
    lost = replace(running, status=AttainmentStatus.BREACHED)  # settled, but not over
    made = ObjectiveOutlook(
        agreement=None, objective=objective(), attainments=(*closed, undetermined, quiet, running, lost), risks=()
    )
    assert _past_missed(made) == 0.5
    assert _past_missed(replace(made, attainments=(undetermined, running))) is None


def test_an_objective_is_a_problem_from_act_at_on() -> None:
    worlds = [0.99] * 38  # 40 with the two of the rule
    few = (risk(month(4), [*worlds[:35], 0.5, 0.5, 0.5], agreed=agreement()),)  # (1 + 3) / 40
    fewer = (risk(month(4), [*worlds[:36], 0.5, 0.5], agreed=agreement()),)
    assert [p.probability for p in problems(run_of(outlook(agreement(), few)), ())] == [0.1]
    assert problems(run_of(outlook(agreement(), fewer)), ()) == []


def test_what_is_decided_asks_for_no_decision() -> None:
    gone = (march(agreement(), decided=True, missed=True),)
    assert gone[0].probability == 1.0
    assert problems(run_of(outlook(agreement(), gone)), ()) == []
    assert problems(run_of(outlook(agreement(), ())), ()) == []


def test_an_internal_objective_gives_way_to_an_agreement_on_the_same_indicator() -> None:
    bad = [0.5] * 4
    internal = outlook(None, (risk(month(4), bad),), objective("0.95", name="internal"))
    agreed = outlook(agreement(), (risk(month(4), bad, agreed=agreement()),))
    assert [p.agreement for p in problems(run_of(internal), ())] == [None]
    both = problems(run_of(internal, agreed), ())
    assert [p.agreement.id if p.agreement else None for p in both] == ["sla-shop"]
    other = replace(objective("0.95", name="other"), indicator=replace(objective().indicator, good="fast"))
    assert len(problems(run_of(outlook(None, (risk(month(4), bad, slo=other),), other), agreed), ())) == 2


def test_problems_come_by_what_is_at_stake_and_a_rolling_window_counts_once() -> None:
    """Twice 250 of a calendar agreement is more than one 250 of a rolling one whose windows overlap, and 100."""
    rolling = agreement(objective(rolling=True, name="rolling"), id_="rolling")
    calendar = agreement(objective(name="calendar"), id_="calendar")
    low = [0.8] * 4

    def pair(agreed: Agreement, running: list[float], *, losses: float = 0.0) -> tuple[Promise, ObjectiveOutlook]:
        return outlook(
            agreed,
            (
                risk(month(3), running, agreed=agreed, losses=[losses] * 4),
                risk(month(4), low, agreed=agreed, losses=[losses] * 4),
            ),
        )

    # Rolling: 2 × 400 if counted twice, 400 once. Calendar: 250 + 250 = 500.
    found = problems(run_of(pair(rolling, low, losses=150.0), pair(calendar, low)), ())
    assert [p.agreement.id for p in found if p.agreement] == ["calendar", "rolling"]


def test_a_shortage_is_a_problem_of_its_resource() -> None:
    made = run_of(resources=(resource(),))
    (p,) = problems(made, (requirement(0.1),))
    assert (p.objective, p.agreement, p.risks, p.past_missed) == (None, None, (), None)
    assert p.resources == (resource(),)
    assert p.zone == "Europe/Berlin"
    assert p.probability == 0.1
    assert isinstance(p.resimulate(Change(resource=resource(), units=Decimal(2), in_use_from=date(2027, 4, 1))), Excuse)
    assert problems(made, (requirement(0.09),)) == []


# ------------------------------------------------------------------ portfolio
def two(first: list[float], second: list[float]) -> Outlooks:
    a, b = agreement(), agreement(objective(service="cart"), id_="sla-cart")
    return run_of(
        outlook(a, (risk(month(4), first, agreed=a, losses=[100.0, 0, 0, 0]),)),
        outlook(b, (risk(month(4), second, agreed=b, losses=[0.0, 0, 0, 7]),)),
        outlook(None, (risk(month(4), [0.1] * 4),)),  # an internal objective is no agreement
    )


def test_all_met_is_the_joint_share_and_not_the_product() -> None:
    together = portfolio(two([0.5, 0.5, 0.95, 0.95], [0.5, 0.5, 0.95, 0.95]))[0]
    apart = portfolio(two([0.5, 0.5, 0.95, 0.95], [0.95, 0.95, 0.5, 0.5]))[0]
    # Each alone is met on two worlds of four, P = (1 + 2) / (4 + 2); the product would be 0.25 both times.
    assert together.probability_all_met == 3 / 6
    assert apart.probability_all_met == 1 / 6
    assert together.agreements == apart.agreements == 2
    assert together.expected_misses == apart.expected_misses == 1.0
    assert (together.misses_p90, apart.misses_p90) == (2.0, 1.0)


def test_money_of_the_portfolio_is_joint() -> None:
    found = portfolio(two([0.5, 0.5, 0.95, 0.95], [0.95, 0.86, 0.95, 0.5]))[0]
    # Credits 250, 250, 0, 0 and 0, 100, 0, 250; losses 100, 0, 0, 0 and 0, 0, 0, 7.
    assert found.expected_credit == (250 + 250 + 100 + 250) / 4
    assert found.expected_loss == 107 / 4
    assert found.loss_p95 == pytest.approx(np.quantile([350, 350, 0, 257], 0.95))
    assert found.loss_p95 <= 2 * FEE


def test_all_met_is_never_likelier_than_the_least_likely_one() -> None:
    random = np.random.default_rng(4)
    for _ in range(40):
        n = int(random.integers(1, 6))
        worlds = random.choice([0.5, 0.9, 0.95], size=(n, 7), p=random.dirichlet([1, 1, 3]))
        sla = [agreement(objective(name=f"o{k}"), id_=f"sla-{k}") for k in range(n)]
        risks = [risk(month(4), list(w), agreed=a) for w, a in zip(worlds, sla, strict=True)]
        found = portfolio(run_of(*(outlook(a, (r,)) for a, r in zip(sla, risks, strict=True))))[0]
        least = min(1 - r.probability for r in risks)
        assert found.probability_all_met <= least + 1e-12
        assert found.probability_all_met == pytest.approx((1 + (worlds >= 0.9).all(axis=0).sum()) / 9)
        if n == 1:
            assert found.probability_all_met == pytest.approx(least)


def test_only_arithmetic_makes_all_met_certain() -> None:
    def joint(*risks: BreachRisk) -> float:
        sla = [agreement(objective(name=f"o{k}"), id_=f"sla-{k}") for k in range(len(risks))]
        return portfolio(run_of(*(outlook(a, (r,)) for a, r in zip(sla, risks, strict=True))))[0].probability_all_met

    kept, lost = march(agreement(), decided=True), march(agreement(), decided=True, missed=True)
    safe = march(agreement())
    assert joint(kept, kept) == 1.0
    assert joint(kept, lost) == joint(safe, lost) == 0.0
    assert joint(kept, safe) == 5 / 6


def test_windows_are_joined_by_label_in_order_of_time() -> None:
    a, b = agreement(), agreement(objective(service="cart"), id_="sla-cart")
    found = portfolio(
        run_of(
            outlook(a, (risk(month(3), [0.95] * 4, agreed=a), risk(month(4), [0.5] * 4, agreed=a))),
            outlook(b, (risk(month(3), [0.5] * 4, agreed=b),)),
        )
    )
    assert [(p.period.label, p.agreements) for p in found] == [("2027-03", 2), ("2027-04", 1)]
    assert portfolio(run_of()) == ()


# ------------------------------------------------------------------ re-simulation on real events
DAYS = 200
START = datetime(2027, 1, 1, tzinfo=UTC)


def simulated() -> tuple[Outlooks, Promise]:
    """Return a service whose busy days are bad days, judged by the week, with a curve that is known."""
    random = np.random.default_rng(11)
    weekday = (np.arange(DAYS) + START.weekday()) % 7
    total = np.round(np.where(weekday < 5, 400.0, 200.0) * random.uniform(0.8, 1.2, DAYS))
    bad = random.binomial(total.astype(int), 1 / (1 + np.exp(3.0 - 2.0 * total / 400)))
    at = pd.date_range("2027-01-01", periods=DAYS, freq="D")
    rows = pd.concat(
        pd.DataFrame({"service": "shop", "metric": name, "at": at, "value": values.astype(float)})
        for name, values in (("total", total), ("good", total - bad))
    )
    step = timedelta(days=1)
    slo = replace(objective("0.74"), window=CalendarWindow(unit="week", zone="UTC"))
    hosts = replace(resource(), units_now=Decimal(400))
    catalogue = Catalogue(
        name="small",
        services={"shop": Service(name="shop"), "cart": Service(name="cart")},
        metrics={n: Metric(name=n, kind=MetricKind.COUNT, step=step) for n in ("total", "good")},
        agreements=(agreement(slo),),
        resources=(hosts,),
    )
    as_of = START + DAYS * step
    prepared = prepare(
        catalogue, rows, organisation="Small", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip
    horizon = (prepared.horizon_end - as_of).days + 3
    shape = (SETTINGS.paths, horizon)
    coming = (as_of.weekday() + np.arange(horizon)) % 7
    ahead = Forecast(
        service="shop", metric=catalogue.metrics["total"], start=as_of, step=step, zone="UTC",
        paths=np.where(coming < 5, 430.0, 210.0) * random.uniform(0.8, 1.2, shape),
        model="given", cut_off=as_of, seed=1,
    )  # fmt: skip
    effect = LoadEffect(
        resource=hosts,
        curve=ResponseCurve(
            knots=np.array([0.3, 1.3]), logits=np.array([-2.4, -0.4]), slope=2.0, observed_low=0.3, observed_high=1.3,
            slices=DAYS, relation=0.6, log_loss=0.4, log_loss_without=0.41, hours_controlled=False,
        ),
        profile=np.ones((7, 1)),
        history_load=daily_values(prepared.daily[("shop", "total")]),
        indicator=slo.indicator,  # type: ignore[arg-type]
    )  # fmt: skip
    demand, fleet, promise = (
        Demand(forecasts={("shop", "total"): ahead}),
        prepared_fleet(prepared),
        prepared.promises[0],
    )
    past = past_windows(promise, as_of=as_of)
    paths = simulate_part(fleet, part_of(slo), demand=demand, effects=(effect,))
    risks = risks_of(promise, fleet, paths, windows_known=len(past) - 1, basis="its own")
    judged = ObjectiveOutlook(agreement=promise.agreement, objective=slo, attainments=past[-9:], risks=risks)
    return (
        Outlooks(
            prepared=prepared, demand=demand, effects=(effect,), effect_excuses=(), fleet=fleet,
            promises=((promise, judged),),
        ),
        promise,
    )  # fmt: skip


@pytest.fixture(scope="module")
def busy() -> Problem:
    run, _ = simulated()
    (found,) = problems(run, ())
    assert 0.1 < found.probability < 0.95
    return found


def test_no_more_units_give_the_same_risks_to_the_bit(busy: Problem) -> None:
    """Also their intervals: more than eight past weeks stand behind both."""
    again = busy.resimulate(_added(busy.resources[0], Decimal(0), busy.today))
    assert not isinstance(again, Excuse)
    for a, b in zip(busy.risks, again, strict=True):
        assert (a.probability, a.probability_low, a.probability_high) == (
            b.probability,
            b.probability_low,
            b.probability_high,
        )
        assert np.array_equal(a.attainment_paths, b.attainment_paths)
        assert a.period == b.period


def test_more_units_never_make_any_world_worse(busy: Problem) -> None:
    before = busy.risks
    for units in (2, 20, 100, 400):
        after = busy.resimulate(_added(busy.resources[0], Decimal(units), busy.today))
        assert not isinstance(after, Excuse)
        for a, b in zip(before, after, strict=True):
            assert (b.attainment_paths >= a.attainment_paths).all()
            assert b.probability <= a.probability
            assert a.cost_paths is not None
            assert b.cost_paths is not None
            assert (b.cost_paths <= a.cost_paths + 1e-9).all()
        before = after
    assert before[-1].probability < busy.risks[-1].probability  # and it matters in the end


def test_units_leave_alone_what_lies_before_them(busy: Problem) -> None:
    second = busy.risks[1].period
    after = busy.resimulate(
        Change(resource=busy.resources[0], units=Decimal(400), in_use_from=busy.local_date(second.end))
    )
    assert not isinstance(after, Excuse)
    for k in (0, 1):
        assert np.array_equal(after[k].attainment_paths, busy.risks[k].attainment_paths)
    assert (after[2].attainment_paths > busy.risks[2].attainment_paths).any()
    never = busy.resimulate(
        Change(resource=busy.resources[0], units=Decimal(400), in_use_from=busy.last_day + timedelta(days=9))
    )
    assert not isinstance(never, Excuse)
    assert [r.probability for r in never] == [r.probability for r in busy.risks]


def test_another_resource_changes_nothing(busy: Problem) -> None:
    same = busy.resimulate(
        Change(resource=replace(busy.resources[0], name="other"), units=Decimal(400), in_use_from=busy.today)
    )
    assert not isinstance(same, Excuse)
    assert [r.probability for r in same] == [r.probability for r in busy.risks]


def test_the_proposal_for_it_holds_the_simulated_figures(busy: Problem) -> None:
    made = build_proposal(busy, KINDS)
    one = next(o for o in made.options if o.kind == "add_capacity")
    after = busy.resimulate(
        Change(resource=busy.resources[0], units=Decimal(2), in_use_from=busy.today + timedelta(days=10))
    )
    assert not isinstance(after, Excuse)
    same = busy.same_window(after)
    assert same is not None
    sizes = {o.capex: o for o in made.options if o.kind == "add_capacity"}
    assert sizes[62.0].probability_after == same.probability
    assert one.probability_before == made.probability_now == busy.probability


def test_a_fleet_simulates_the_same_twice() -> None:
    (a, promise), (b, _) = simulated(), simulated()
    part = part_of(promise.objective)
    extra = Extra(resource=a.effects[0].resource, units=Decimal(8), in_use_from=a.prepared.as_of.date())
    first, second = (
        simulate_part(run.fleet, part, demand=run.demand, effects=run.effects, extra=extra).loaded for run in (a, b)
    )
    assert np.array_equal(first, second)
