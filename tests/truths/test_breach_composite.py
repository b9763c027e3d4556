"""Breach risk of composites: against arithmetic path by path, and against independent simulations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from forecasting.service_levels.attainment import satisfies
from forecasting.service_levels.breach.rest import rest_of
from forecasting.service_levels.breach.simulate import BadPaths
from forecasting.service_levels.breach.weighted import ComponentRest, assess_weighted
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.plan import ObjectiveOutlook
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    BudgetingMethod,
    CalendarWindow,
    Component,
    CompositeIndicator,
    Objective,
    Period,
    RatioIndicator,
)
from forecasting.terms.settings import Settings
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.demand import Demand
from forecasting.workflows.fleet import Fleet, build_fleet
from forecasting.workflows.plan import Outlooks, portfolio
from forecasting.workflows.prepare import Prepared, prepare
from forecasting.workflows.replay import Protocol, replay

Floats = NDArray[np.float64]
MONTH = CalendarWindow(unit="month", zone="UTC")
RATIO = RatioIndicator(total="total", bad="bad")
START = datetime(2025, 1, 1, tzinfo=UTC)
AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
DAYS = (AS_OF - START).days
SETTINGS = Settings(paths=1000, replay_paths=200)
SLICES: dict[str, Any] = {
    "method": BudgetingMethod.TIMESLICES, "slice_window": timedelta(hours=6), "slice_target": Decimal("0.95")
}  # fmt: skip


def simple(name: str, target: str, **changes: Any) -> Objective:
    base = Objective(name=name, service=name, indicator=RATIO, target=Decimal(target), window=MONTH)
    return replace(base, **changes)


def composite(target: str, names: tuple[str, ...] = ("a", "b"), **changes: Any) -> Objective:
    required = changes.pop("required", None)
    weights = changes.pop("weights", (1,) * len(names))
    parts = tuple(Component(objective=n, weight=Decimal(str(w))) for n, w in zip(names, weights, strict=True))
    base = Objective(
        name="whole", service=names[0], indicator=CompositeIndicator(components=parts, required=required),
        target=Decimal(target), window=MONTH,
    )  # fmt: skip
    return replace(base, **changes)


def agreement(*objectives: Objective, id_: str = "sla") -> Agreement:
    return Agreement(
        id=id_, kind=AgreementKind.SLA, service=objectives[0].service, customer="c", provider="p",
        objectives=objectives, valid_from=date(2020, 1, 1), valid_until=None, loss_per_bad_event=Decimal(3),
        credits=Credits(
            fee_per_period=Decimal(1000), cap_share=Decimal(1),
            tiers=(CreditTier(below=objectives[0].target, share_of_fee=Decimal("0.1")),),
        ),
    )  # fmt: skip


# ------------------------------------------------------------------ arithmetic, path by path
def component(name: str, part: Objective, good: int, total: int, bad: Floats, per_day: float) -> ComponentRest:
    """Return a component of which so much is known, with 10 days to come."""
    window = Period(start=AS_OF, end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    at = datetime(2027, 3, 22, tzinfo=UTC)
    so_far = Attainment(
        service=name, agreement=None, objective=name, period=window, target=part.target, good=good, total=total,
        known_slices=21, elapsed_slices=21, planned_slices=31, value=None, lower=None, upper=None,
        status=AttainmentStatus.RUNNING, as_of=at, final=False,
    )  # fmt: skip
    paths = BadPaths(
        service=name, first_day=at.date(), bad=bad, total=np.full(bad.shape, per_day), own_share=1.0, usual=0.01
    )
    return ComponentRest(name=name, objective=part, so_far=so_far, rest=rest_of(part, so_far, paths))


@pytest.mark.parametrize("method", [BudgetingMethod.OCCURRENCES, BudgetingMethod.RATIO_TIMESLICES])
def test_a_weighted_composite_is_its_formula_on_every_path(method: BudgetingMethod) -> None:
    """A = 1 − Σ w (budget ratio) bad_i ÷ total_i over the whole window, in fractions, and P counts the misses."""
    random = np.random.default_rng(5)
    whole = composite("0.97", weights=(3, 1), method=method, slice_window=timedelta(days=1))
    parts = {"a": simple("a", "0.99"), "b": simple("b", "0.9")}
    bad = {n: random.integers(0, most, (400, 10)).astype(float) for n, most in (("a", 3), ("b", 80))}
    rests = [
        component("a", parts["a"], 2080, 2100, bad["a"], 100.0),
        component("b", parts["b"], 4000, 4200, bad["b"], 200.0),
    ]
    so_far = replace(rests[0].so_far, objective="whole", good=10**9, total=10**9, unit="billionths")
    deal = agreement(whole)
    risk = assess_weighted(whole, deal, so_far, rests, windows_known=9, basis="test")
    share = {"a": Fraction(3, 4), "b": Fraction(1, 4)}
    if method is BudgetingMethod.OCCURRENCES:
        share = {n: w * Fraction(3, 100) / Fraction(parts[n].error_budget_share) for n, w in share.items()}
    expected = []
    for k in range(400):
        a = (20 + Fraction(bad["a"][k].sum())) / 3100
        b = (200 + Fraction(bad["b"][k].sum())) / 6200
        expected.append(1 - share["a"] * a - share["b"] * b)
    np.testing.assert_allclose(risk.attainment_paths, np.array([float(e) for e in expected]), rtol=0, atol=1e-12)
    missed = sum(not satisfies(whole, e, 1) for e in expected)
    assert 20 < missed < 380
    assert risk.probability == (1 + missed) / 402
    assert dict(risk.tier_probabilities) == {Decimal("0.97"): pytest.approx(missed / 400)}
    assert risk.expected_credit == pytest.approx(100 * missed / 400)
    assert abs(risk.fast_probability - risk.probability) < 0.05
    # Causes: what each component is expected to take off.
    lost = {n: float(share[n]) * (bad[n].sum(axis=1).mean() + s) / t for n, s, t in (("a", 20, 3100), ("b", 200, 6200))}
    assert {c.name: c.share for c in risk.causes} == pytest.approx(
        {f"component {n}": x / sum(lost.values()) for n, x in lost.items()}
    )
    # The budget goes on the first day on which the running sum is above it.
    budget = Fraction(3, 100)
    days = []
    for k in range(400):
        a, b = (np.cumsum(bad[n][k]) for n in ("a", "b"))
        spent = [share["a"] * (20 + Fraction(x)) / 3100 + share["b"] * (200 + Fraction(y)) / 6200
                 for x, y in zip(a, b, strict=True)]  # fmt: skip
        days.append(next((d for d, s in enumerate(spent) if s > budget), 99))
    for level, came in ((0.1, risk.exhaustion_p10), (0.5, risk.exhaustion_p50)):
        day = int(np.quantile(days, level, method="inverted_cdf"))
        assert came == (None if day == 99 else datetime(2027, 3, 22, tzinfo=UTC) + timedelta(days=day))


def test_a_silent_component_is_good_and_all_silent_is_not_judged() -> None:
    nothing = np.zeros((50, 10))
    whole = composite("0.97")
    busy = component("a", simple("a", "0.99"), 2000, 2100, nothing, 100.0)
    silent = component("b", simple("b", "0.9"), 0, 0, nothing, 0.0)
    so_far = replace(busy.so_far, objective="whole", good=10**9, total=10**9, unit="billionths")
    one = assess_weighted(whole, None, so_far, [busy, silent], windows_known=9, basis="")
    # 100 of 3,100 bad at a budget of 1 %, of weight one half: 3 % × ½ × 100 ÷ 31.
    assert one.attainment_paths == pytest.approx(np.full(50, 1 - 0.03 * 0.5 * (100 / 3100) / 0.01))
    quiet = assess_weighted(whole, None, so_far, [replace(silent, name="a"), silent], windows_known=9, basis="")
    assert quiet.probability == 1 / 52


# ------------------------------------------------------------------ from data
def rows(name: str, bad: NDArray[np.int64], total: int, start: datetime = START) -> pd.DataFrame:
    """Six-hourly counts of one service."""
    at = pd.date_range(start.replace(tzinfo=None), periods=len(bad), freq="6h")
    pieces = {"total": np.full(len(bad), total), "bad": bad}
    return pd.concat(
        pd.DataFrame({"service": name, "metric": m, "at": at, "value": v.astype(float)}) for m, v in pieces.items()
    )


def prepared(
    data: dict[str, NDArray[np.int64]],
    promised: tuple[Objective, ...],
    targets: dict[str, str],
    *,
    total: int = 100,
    as_of: datetime = AS_OF,
    agreed: tuple[Agreement, ...] | None = None,
) -> Prepared:
    names = sorted(data)
    catalogue = Catalogue(
        name="composite", services={n: Service(name=n) for n in names},
        metrics={
            m: Metric(name=m, kind=MetricKind.COUNT, step=timedelta(hours=6)) for m in ("total", "bad")
        },
        objectives=tuple(simple(n, targets[n]) for n in names),
        agreements=agreed if agreed is not None else tuple(agreement(o, id_=f"sla-{o.name}") for o in promised),
    )  # fmt: skip
    return prepare(
        catalogue, pd.concat(rows(n, b, total) for n, b in data.items()), organisation="C", currency="EUR", zone="UTC",
        as_of=as_of, settings=SETTINGS, code_version="test",
    )  # fmt: skip


def fleet_of(run: Prepared) -> Fleet:
    return build_fleet(
        run.promises, run.catalogue, as_of=run.as_of, until=run.windows_end, settings=SETTINGS, paths=SETTINGS.paths
    )


def judged(run: Prepared) -> dict[str, tuple[BreachRisk, ...]]:
    simulation = Simulation(fleet_of(run), demand=None)
    found = {}
    for promise in run.promises:
        if promise.agreement is not None:
            answer = promise_risks(promise, simulation, windows_known=20)
            assert not isinstance(answer, Excuse), answer
            found[promise.objective.name] = answer
    return found


def outages(random: np.random.Generator, share: float, slices: int = 4 * DAYS) -> NDArray[np.int64]:
    """A slice in so many has 30 of 100 bad, the others none."""
    return np.where(random.random(slices) < share, 30, 0)


def test_joint_slices_keep_independent_failures_apart_and_common_ones_together() -> None:
    """Of 124 slices each is bad with chance 3 % in a and in b: 5.9 % jointly where they are apart, 3 % together."""
    random = np.random.default_rng(11)
    a, other = outages(random, 0.03), outages(random, 0.03)
    target = "0.955"  # 5 bad slices of 124 are allowed (5.58)
    found = {}
    for name, b in (("apart", other), ("together", a)):
        run = prepared({"a": a, "b": b}, (composite(target, **SLICES),), {"a": "0.95", "b": "0.95"})
        found[name] = judged(run)["whole"]
    # Independent code: the joint frequency of the past, and binomial counts of it.
    for name, b in (("apart", other), ("together", a)):
        rate = float(((a > 5) | (b > 5)).mean())
        for risk in found[name]:
            slices = 4 * (risk.period.end - risk.period.start).days
            truth = binom.sf(np.floor(0.045 * slices + 1e-9), slices, rate)
            assert risk.probability == pytest.approx(truth, abs=0.12), (name, risk.period.label)
    assert min(r.probability for r in found["apart"]) > max(r.probability for r in found["together"]) + 0.3
    assert {c.name for c in found["apart"][0].causes} == {"component a", "component b"}


def test_one_of_two_is_bad_only_where_both_are() -> None:
    random = np.random.default_rng(12)
    a, b = outages(random, 0.2), outages(random, 0.2)
    run = prepared({"a": a, "b": b}, (composite("0.96", required=1, **SLICES),), {"a": "0.9", "b": "0.9"})
    rate = float(((a > 5) & (b > 5)).mean())
    for risk in judged(run)["whole"]:
        slices = 4 * (risk.period.end - risk.period.start).days
        truth = binom.sf(np.floor(0.04 * slices + 1e-9), slices, rate)
        assert risk.probability == pytest.approx(truth, abs=0.12)


@pytest.mark.parametrize(("kind", "low", "high"), [("together", 0.85, 1.01), ("apart", -0.25, 0.35)])
def test_weighed_components_fail_together_as_often_as_they_did(kind: str, low: float, high: float) -> None:
    """Var(A) = ¼ (σ_a² + σ_b² + 2 ρ σ_a σ_b) gives ρ: that of two services with the same bad weeks, or with others."""
    random = np.random.default_rng(13)
    weeks = DAYS // 7 + 1

    def bad_weeks() -> NDArray[np.int64]:
        return np.repeat(np.where(random.random(weeks) < 0.25, 8, 1), 28)[: 4 * DAYS]

    level, other = bad_weeks(), bad_weeks()
    a, b = random.binomial(100, level / 100), random.binomial(100, (level if kind == "together" else other) / 100)
    own = tuple(replace(simple(n, "0.96"), name=f"{n}-sla") for n in "ab")
    found = judged(prepared({"a": a, "b": b}, (*own, composite("0.96")), {"a": "0.96", "b": "0.96"}))
    for k in range(1, 5):
        s_a, s_b, s = (float(found[n][k].attainment_paths.std()) for n in ("a-sla", "b-sla", "whole"))
        assert low < (4 * s**2 - s_a**2 - s_b**2) / (2 * s_a * s_b) < high


def test_a_composite_of_one_component_is_that_component() -> None:
    """The same paths and draws: equal on every path, in the running window too; joint slices have their own."""
    random = np.random.default_rng(14)
    level = np.repeat(random.gamma(4.0, 0.01, DAYS), 4)
    a = random.binomial(100, np.minimum(level, 1.0))
    at = datetime(2027, 2, 11, 6, tzinfo=UTC)
    alone = replace(simple("a", "0.96"), name="alone")
    for method in (BudgetingMethod.OCCURRENCES, BudgetingMethod.TIMESLICES):
        sliced = SLICES if method is BudgetingMethod.TIMESLICES else {}
        own = replace(alone, **sliced)
        whole = composite("0.96", names=("a",), **sliced)
        run = prepared({"a": a[: 4 * (at - START).days + 1]}, (own, whole), {"a": "0.96"}, as_of=at)
        found = judged(run)
        for one, other in zip(found["alone"], found["whole"], strict=True):
            if method is BudgetingMethod.TIMESLICES:
                assert one.probability == pytest.approx(other.probability, abs=0.04)
                assert one.attainment_p50 == pytest.approx(other.attainment_p50, abs=0.01)
                continue
            np.testing.assert_allclose(one.attainment_paths, other.attainment_paths, atol=1e-12)
            assert one.probability == other.probability
            assert one.expected_credit == pytest.approx(other.expected_credit)
            assert one.expected_loss == pytest.approx(other.expected_loss)
            assert one.exhaustion_p10 == other.exhaustion_p10
            assert dict(one.candidates) == pytest.approx(dict(other.candidates), abs=0.03)


def test_all_met_is_joint_with_composites() -> None:
    """An SLA on a composite of two SLAs' services is missed where one of them fails: P(all met) is theirs alone."""
    random = np.random.default_rng(15)
    a, b = outages(random, 0.03), outages(random, 0.03)
    own = tuple(replace(simple(n, "0.976", **SLICES), name=f"{n}-sla") for n in "ab")
    # A composite is bad where one is: allowed 3 + 3 slices of 124 would be apart, 2 are not.
    whole = composite("0.98", **SLICES)
    run = prepared({"a": a, "b": b}, (*own, whole), {"a": "0.95", "b": "0.95"})
    fleet = fleet_of(run)
    simulation = Simulation(fleet, demand=None)
    made = []
    for promise in run.promises:
        if promise.agreement is None:
            continue
        answer = promise_risks(promise, simulation, windows_known=20)
        assert not isinstance(answer, Excuse)
        made.append((promise, ObjectiveOutlook(
            agreement=promise.agreement, objective=promise.objective, attainments=(), risks=answer
        )))  # fmt: skip
    run_ = Outlooks(
        prepared=run, demand=Demand(forecasts={}), effects=(), effect_excuses=(), fleet=fleet, promises=tuple(made)
    )
    for k, joint in enumerate(portfolio(run_)):
        met = [p.risks[k].attainment_paths >= float(p.objective.target) - 1e-12 for _, p in made]
        together = int(np.all(met, axis=0).sum())
        assert joint.agreements == 3
        assert joint.probability_all_met == (1 + together) / (SETTINGS.paths + 2)
        worst = max(p.risks[k].probability for _, p in made)
        product = float(np.prod([1 - p.risks[k].probability for _, p in made]))
        # Dependent: the composite's misses are misses of its components.
        assert product < joint.probability_all_met <= 1 - worst + 1e-9
    assert len(portfolio(run_)) == 5


def test_composites_are_replayed_like_everything_else() -> None:
    random = np.random.default_rng(16)
    a, b = (np.concatenate([outages(random, s, 4 * 190) for s in (0.02, 0.05)]) for _ in "ab")
    at = START + timedelta(days=380)
    whole = (
        composite("0.94", **SLICES),
        replace(composite("0.985"), name="budgets"),
        replace(simple("a", "0.985"), name="a-sla"),
    )
    run = prepared({"a": a, "b": b}, whole, {"a": "0.985", "b": "0.985"}, as_of=at)
    said = replay(
        run.promises, run.catalogue, as_of=at, settings=SETTINGS, protocol=Protocol(elapsed=(0.0, 0.5), ahead=0)
    )
    by_name = {n: [s for s in said if s.objective == n] for n in ("whole", "budgets", "a-sla")}
    assert len({len(found) for found in by_name.values()}) == 1
    assert len(by_name["whole"]) > 10
    for s in said:
        assert 0 <= s.probability <= 1
        assert s.decided or 0 < s.probability < 1
        assert len(s.baselines) == 9
        assert s.decided or len(s.candidates) > 1
    for name in ("whole", "budgets"):  # windows that are missed are stated as riskier than windows that are met
        still = [s for s in by_name[name] if s.open and s.elapsed == 0.5]
        assert {s.breached for s in still} == {True, False}
        missed, met = (np.mean([s.probability for s in still if s.breached is v]) for v in (True, False))
        assert missed > met + 0.1
    # What is stated of the past rests on the past: later data change nothing.
    turned = prepared({"a": np.where(np.arange(1520) < 1200, a, 60), "b": b}, whole, {"a": "0.985", "b": "0.985"},
                      as_of=at)  # fmt: skip
    again = replay(
        turned.promises, turned.catalogue, as_of=at, settings=SETTINGS, protocol=Protocol(elapsed=(0.0, 0.5), ahead=0)
    )
    before = START + timedelta(days=300)
    assert [s for s in said if s.window_end <= before] == [s for s in again if s.window_end <= before]


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["joint", "budgets"])
def test_composites_are_calibrated_over_many_made_up_pasts(kind: str) -> None:
    """Forty pairs of services with drifting outages: stated and observed misses of the next month agree."""
    stated, seen = [], []
    for seed in range(40):
        random = np.random.default_rng([77, seed])
        months = 14
        common = random.gamma(2.0, 0.5, months * 31)
        made = {}
        for n in "ab":
            level = np.repeat(np.minimum(0.02 * common * random.gamma(4.0, 0.25, len(common)), 1.0), 4)
            made[n] = random.binomial(100, level)
        whole = composite("0.86", **SLICES) if kind == "joint" else composite("0.977")
        targets = {"a": "0.977", "b": "0.977"}
        for cut in (START + timedelta(days=31 + 28 + 31 + 30 + 31 + 30), datetime(2025, 10, 1, tzinfo=UTC)):
            known = {n: x[: 4 * (cut - START).days] for n, x in made.items()}
            risk = judged(prepared(known, (whole,), targets, as_of=cut))["whole"][0]
            end = risk.period.end
            after = prepared({n: x[: 4 * (end - START).days] for n, x in made.items()}, (whole,), targets, as_of=end)
            promise = next(p for p in after.promises if p.agreement is not None)
            closed = promise_risks(promise.asked((risk.period,)), Simulation(fleet_of(after), demand=None),
                                   windows_known=1)  # fmt: skip
            assert not isinstance(closed, Excuse)
            stated.append(risk.probability)
            seen.append(closed[0].probability)
    print(kind, np.mean(stated), np.mean(seen), np.mean((np.array(stated) - np.array(seen)) ** 2))
    assert abs(np.mean(stated) - np.mean(seen)) < 0.1
    # The made-up months do not depend on those before: nothing beats their frequency, and little is lost to it.
    base = float(np.mean(seen))
    assert np.mean((np.array(stated) - np.array(seen)) ** 2) < base * (1 - base) + 0.05
