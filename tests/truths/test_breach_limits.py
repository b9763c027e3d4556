"""The workload limit in breach risk: by hand, and against simulations of what the attainment will say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from forecasting.service_levels.breach.badness import DailyBadness, daily_badness
from forecasting.service_levels.breach.limits import LimitedDays, Workload, limited_days
from forecasting.service_levels.events import Events
from forecasting.terms.agreement import Agreement, AgreementKind
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import BudgetingMethod, CalendarWindow, Objective, RatioIndicator
from forecasting.terms.settings import Settings
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.demand import Demand
from forecasting.workflows.fleet import build_fleet
from forecasting.workflows.prepare import Prepared, prepare

START = datetime(2026, 1, 5, tzinfo=UTC)
AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
DAYS = (AS_OF - START).days
SLICES = 24 * DAYS
SETTINGS = Settings(paths=1000)
METRICS = {n: Metric(name=n, kind=MetricKind.COUNT) for n in ("total", "bad")}


def slo(target: str, limit: str | None = None, effect: str = "suspended", **changes: Any) -> Objective:
    base = Objective(
        name=f"kept-{limit}", service="shop", indicator=RatioIndicator(total="total", bad="bad"),
        target=Decimal(target), window=CalendarWindow(unit="month", zone="UTC"),
        workload_metric=None if limit is None else "total", workload_limit=None if limit is None else Decimal(limit),
        workload_effect=effect,  # type: ignore[arg-type]
    )  # fmt: skip
    return replace(base, **changes)


def prepared(
    total: NDArray[np.int64], bad: NDArray[np.int64], *objectives: Objective, as_of: datetime = AS_OF
) -> Prepared:
    at = pd.date_range(START.replace(tzinfo=None), periods=len(total), freq="h")
    rows = pd.concat(
        pd.DataFrame({"service": "shop", "metric": m, "at": at, "value": v.astype(float)})
        for m, v in (("total", total), ("bad", bad))
    )
    agreements = tuple(
        Agreement(
            id=f"sla-{k}", kind=AgreementKind.SLA, service="shop", customer="c", provider="p", objectives=(one,),
            valid_from=date(2020, 1, 1), valid_until=None,
        )
        for k, one in enumerate(objectives)
    )  # fmt: skip
    catalogue = Catalogue(
        name="limits", services={"shop": Service(name="shop")}, metrics=METRICS, agreements=agreements
    )
    return prepare(
        catalogue, rows, organisation="L", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip


def judged(run: Prepared, demand: Demand | None = None) -> list[tuple[BreachRisk, ...]]:
    fleet = build_fleet(
        run.promises, run.catalogue, as_of=run.as_of, until=run.windows_end, settings=SETTINGS, paths=SETTINGS.paths
    )
    simulation, found = Simulation(fleet, demand=demand), []
    for promise in run.promises:
        answer = promise_risks(promise, simulation, windows_known=12)
        assert not isinstance(answer, Excuse)
        found.append(answer)
    return found


# ------------------------------------------------------------------ by hand
def by_hand(effect: str) -> LimitedDays:
    """Thirty days of three slices of eight hours: demand 10, 20, 40 with 1, 2, 8 bad; the limit is 25."""
    n = 90
    starts = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n) * np.timedelta64(8, "h")
    total = np.tile([10, 20, 40], 30)
    events = Events(
        series=Series(
            service="shop", metric=METRICS["total"], start=START, step=timedelta(hours=8), values=total.astype(float)
        ),
        starts=starts, ends=starts + np.timedelta64(8, "h"), good=total - np.tile([1, 2, 8], 30), total=total,
        known=np.ones(n, dtype=bool),
    )  # fmt: skip
    objective, at = slo("0.9", "25", effect), START + timedelta(days=30)
    member = daily_badness(objective, events, tier="t", as_of=at)
    assert isinstance(member, DailyBadness)
    demand = total.astype(float)
    workload = Workload(demand=demand, whole=demand, forgiven=None, adds_up=True)
    return limited_days(objective, events, workload, member, as_of=at)


def test_a_demand_never_seen_stretches_the_nearest_days_by_hand() -> None:
    """All days have a demand of 70: other ones stretch their slices 10, 20 and 40."""
    past = by_hand("suspended")
    for ratio, kept, left in (
        (0.5, 1, 1),  # 40 × 0.5 = 20 is below the limit
        (1.0, 3 / 7, 3 / 11),
        (1.25, 3 / 7, 3 / 11),  # 20 × 1.25 = 25 is on it
        (1.26, 1 / 7, 1 / 11),
        (2.5, 1 / 7, 1 / 11),
        (2.51, 0, 0),
    ):
        bad, total = past.kept(np.full((1, 1), 7), np.array([[70 * ratio]]))
        assert total[0, 0] == pytest.approx(kept)
        assert bad[0, 0] == pytest.approx(left)
    scaled = by_hand("scaled")
    # At 1: floor(8 × 25 ÷ 40) = 5 of 8. At 2: 1 of 1 at 20; floor(2 × 25 ÷ 40) = 1; floor(8 × 25 ÷ 80) = 2.
    for ratio, left in ((0.5, 1), (1.0, (1 + 2 + 5) / 11), (2.0, (1 + 1 + 2) / 11)):
        bad, total = scaled.kept(np.full((1, 1), 7), np.array([[70 * ratio]]))
        assert total[0, 0] == 1
        assert bad[0, 0] == pytest.approx(left)


def test_the_level_of_a_weekday_is_that_of_its_last_weeks() -> None:
    past = by_hand("suspended")
    assert past.daily == pytest.approx(np.full(30, 70.0))
    assert past.level_now(2, 3) == pytest.approx([70.0, 70.0, 70.0])
    source = np.array([[5, 6]])
    assert past.usual(source, np.array([140.0, 70.0])) == pytest.approx(np.array([[140.0, 70.0]]))


def test_a_day_of_one_slice_is_above_the_limit_or_not() -> None:
    n = 40
    starts = np.datetime64(START.replace(tzinfo=None), "us") + np.arange(n) * np.timedelta64(1, "D")
    total = np.full(n, 100)
    step = timedelta(days=1)
    events = Events(
        series=Series(service="shop", metric=METRICS["total"], start=START, step=step, values=total.astype(float)),
        starts=starts, ends=starts + np.timedelta64(1, "D"), good=total - 5, total=total, known=np.ones(n, dtype=bool),
    )  # fmt: skip
    objective, at = slo("0.9", "120"), START + timedelta(days=n)
    member = daily_badness(objective, events, tier="t", as_of=at)
    assert isinstance(member, DailyBadness)
    demand = total.astype(float)
    workload = Workload(demand=demand, whole=demand, forgiven=None, adds_up=True)
    past = limited_days(objective, events, workload, member, as_of=at)
    bad, kept = past.kept(np.full((1, 4), 3), np.array([[99.0, 120.0, 121.0, 500.0]]))
    assert bad.tolist() == kept.tolist() == [[1.0, 1.0, 0.0, 0.0]]


# ------------------------------------------------------------------ against what will be judged
def busy_hours(random: np.random.Generator, days: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Eight busy hours a day, busier on some days than on others, in which much more is bad."""
    hour = np.tile(np.arange(24), days)
    day = np.repeat(random.normal(1.0, 0.15, days).clip(0.4, 1.6), 24)
    rush = (hour >= 9) & (hour < 17)
    total = random.poisson(np.where(rush, 100, 40) * day)
    level = np.repeat(random.gamma(8.0, 1 / 8, days), 24)
    bad = random.binomial(total, np.minimum(np.where(total > 100, 0.12, 0.03) * level, 1.0))
    return total, bad


def truth(target: float, limit: float | None, effect: str, *, months: int = 1500) -> float:
    """P(miss) of a month of 31 days by the rules, slice by slice, without anything of the package."""
    random, missed = np.random.default_rng(99), 0
    for _ in range(months):
        total, bad = busy_hours(random, 31)
        if limit is not None:
            above = total > limit
            if effect == "suspended":
                total, bad = total[~above], bad[~above]
            else:
                bad = np.where(above, np.floor(bad * limit / np.maximum(total, 1)), bad)
        missed += bad.sum() > (1 - target) * total.sum()
    return missed / months


@pytest.mark.parametrize(
    ("target", "limit", "effect"),
    [("0.9375", None, "suspended"), ("0.9685", "100", "suspended"), ("0.9595", "80", "scaled")],
)
def test_the_probability_is_that_of_the_attainment_under_the_limit(target: str, limit: str | None, effect: str) -> None:
    """Over some made-up pasts: a year of one past alone moves the level of its days by a few hundredths."""
    expected = truth(float(target), None if limit is None else float(limit), effect)
    assert 0.1 < expected < 0.9  # so that it says something
    said = []
    for seed in range(4):
        total, bad = busy_hours(np.random.default_rng([5, seed]), DAYS)
        (risks,) = judged(prepared(total, bad, slo(target, limit, effect)))
        said += [r.probability for r in risks if (r.period.end - r.period.start).days == 31]
    assert float(np.mean(said)) == pytest.approx(expected, abs=0.12)


def test_a_limit_changes_the_risk_as_much_as_it_will_change_the_attainment() -> None:
    """The same history with and without a limit, and with time slices: certain without it, hardly with it."""
    total, bad = busy_hours(np.random.default_rng(4), DAYS)
    sliced: dict[str, Any] = {
        "method": BudgetingMethod.TIMESLICES, "slice_window": timedelta(hours=1), "slice_target": Decimal("0.92")
    }  # fmt: skip
    free, limited, free_slices, limited_slices = judged(
        prepared(
            total, bad, slo("0.955"), slo("0.955", "100"), slo("0.87", **sliced), slo("0.87", "100", **sliced)
        )
    )  # fmt: skip
    for plain, under in ((free, limited), (free_slices, limited_slices)):
        assert min(r.probability for r in plain) > 0.9
        assert max(r.probability for r in under) < 0.1
        assert "target is suspended" in under[0].basis
        assert "suspended" not in plain[0].basis


def test_more_demand_than_ever_suspends_the_target() -> None:
    """A forecast of twice the demand puts the busy hours above a limit that was never reached, one of half none."""
    total, bad = busy_hours(np.random.default_rng(4), DAYS)
    run = prepared(total, bad, slo("0.942", "170"))
    days = (run.windows_end - AS_OF).days + 3
    coming = total.reshape(-1, 24).sum(axis=1).mean()
    found = {}
    for times in (0.5, 1.0, 2.0):
        ahead = Forecast(
            service="shop", metric=METRICS["total"], start=AS_OF, step=timedelta(days=1), zone="UTC",
            paths=np.full((SETTINGS.paths, days), times * coming), model="given", cut_off=AS_OF, seed=1,
        )  # fmt: skip
        found[times] = judged(run, Demand(forecasts={("shop", "total"): ahead}))[0]
    assert [r.basis.rsplit(": ", 1)[1] for r in found[0.5]] == ["0.0 % of the traffic to come"] * 5
    shares = [float(r.basis.rsplit(": ", 1)[1].split("%")[0]) for r in found[2.0]]
    assert 40 < min(shares) <= max(shares) < 75  # 800 of 1,440 calls a day are in busy hours
    for calm, busy in zip(found[1.0], found[2.0], strict=True):
        assert busy.probability < 0.1 < calm.probability
        assert busy.attainment_p50 > calm.attainment_p50


def test_without_data_of_the_demand_the_limit_is_left_out_and_that_is_said() -> None:
    total, bad = busy_hours(np.random.default_rng(4), DAYS)
    one = replace(slo("0.937", "100"), workload_metric="visits")
    free, limited = judged(prepared(total, bad, slo("0.937"), one))
    assert [r.probability for r in free] == [r.probability for r in limited]
    assert "no data of visits" in limited[0].basis


def test_the_running_window_counts_what_was_suspended_exactly() -> None:
    total, bad = busy_hours(np.random.default_rng(4), DAYS)
    at = datetime(2027, 2, 15, 12, tzinfo=UTC)
    hours = int((at - START) / timedelta(hours=1))
    (risks,) = judged(prepared(total[:hours], bad[:hours], slo("0.965", "100"), as_of=at))
    begun = int((datetime(2027, 2, 1, tzinfo=UTC) - START) / timedelta(hours=1))
    inside = slice(begun, hours)
    kept = total[inside] <= 100
    assert risks[0].consumed_total == total[inside][kept].sum()
    assert risks[0].consumed_total - risks[0].consumed_good == bad[inside][kept].sum()
    # What remains is judged on as much traffic a day as was kept so far.
    rest = risks[0].consumed_total / 14.5 * 13.5
    lost = 1 - risks[0].attainment_paths.mean()
    assert 0.5 < lost * (risks[0].consumed_total + rest) / bad[inside][kept].sum() < 3
