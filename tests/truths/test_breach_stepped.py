"""Breach risk where slices are longer than a day: weekly data, time slices of a week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from forecasting.terms.agreement import Agreement, AgreementKind
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import (
    BudgetingMethod,
    CalendarWindow,
    Indicator,
    Objective,
    RatioIndicator,
    RollingWindow,
    ThresholdIndicator,
    Window,
)
from forecasting.terms.settings import Settings
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.fleet import Fleet, build_fleet
from forecasting.workflows.prepare import Prepared, prepare
from forecasting.workflows.replay import Protocol, replay

START = datetime(2023, 1, 2, tzinfo=UTC)  # a Monday
WEEK = timedelta(days=7)
SETTINGS = Settings(paths=1000, replay_paths=200)
QUARTER = CalendarWindow(unit="quarter", zone="UTC")
RATIO = RatioIndicator(total="total", bad="bad")
METRICS = {n: Metric(name=n, kind=MetricKind.COUNT, step=WEEK) for n in ("total", "bad")} | {
    "level": Metric(name="level", kind=MetricKind.NON_NEGATIVE, step=WEEK),
    "calls": Metric(name="calls", kind=MetricKind.COUNT, step=timedelta(hours=6)),
    "lost": Metric(name="lost", kind=MetricKind.COUNT, step=timedelta(hours=6)),
}


def slo(target: str, window: Window = QUARTER, indicator: Indicator = RATIO, **changes: Any) -> Objective:
    return Objective(name="kept", service="desk", indicator=indicator, target=Decimal(target), window=window, **changes)


def prepared(columns: dict[str, NDArray[Any]], objective: Objective, as_of: datetime) -> Prepared:
    frames = []
    for name, values in columns.items():
        at = pd.date_range(START.replace(tzinfo=None), periods=len(values), freq=METRICS[name].step)
        frames.append(pd.DataFrame({"service": "desk", "metric": name, "at": at, "value": values.astype(float)}))
    deal = Agreement(
        id="sla", kind=AgreementKind.SLA, service="desk", customer="c", provider="p", objectives=(objective,),
        valid_from=date(2020, 1, 1), valid_until=None,
    )  # fmt: skip
    catalogue = Catalogue(name="weeks", services={"desk": Service(name="desk")}, metrics=METRICS, agreements=(deal,))
    return prepare(
        catalogue, pd.concat(frames), organisation="W", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip


def fleet_of(run: Prepared) -> Fleet:
    return build_fleet(
        run.promises, run.catalogue, as_of=run.as_of, until=run.windows_end, settings=SETTINGS, paths=SETTINGS.paths
    )


def judged(run: Prepared) -> tuple[BreachRisk, ...]:
    (promise,) = run.promises
    answer = promise_risks(promise, Simulation(fleet_of(run), demand=None), windows_known=8)
    assert not isinstance(answer, Excuse), answer
    return answer


def weeks(random: np.random.Generator, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    total = random.poisson(800, count)
    return total, random.binomial(total, random.gamma(6.0, 0.05 / 6.0, count).clip(0, 1))


def test_quarters_of_weekly_data_are_missed_as_often_as_stated() -> None:
    """Thirteen weeks whose shares of bad are gamma distributed: P(mean share > 5.4 %), simulated on its own."""
    random = np.random.default_rng(3)
    lost = [b.sum() > 0.054 * t.sum() for t, b in (weeks(random, 13) for _ in range(4000))]
    truth = float(np.mean(lost))
    assert 0.15 < truth < 0.35
    as_of = START + 212 * WEEK
    said = []
    for seed in range(8):
        total, bad = weeks(np.random.default_rng([1, seed]), 212)
        said += [r.probability for r in judged(prepared({"total": total, "bad": bad}, slo("0.946"), as_of))[1:]]
    assert float(np.mean(said)) == pytest.approx(truth, abs=0.1)


def test_the_running_quarter_counts_whole_weeks() -> None:
    """A week belongs to the window in which it begins: the one that runs at the cut-off is still to come as a whole."""
    total, bad = weeks(np.random.default_rng(2), 240)
    as_of = datetime(2027, 5, 20, 12, tzinfo=UTC)  # a Thursday
    (running, coming, *_) = judged(prepared({"total": total, "bad": bad}, slo("0.946"), as_of))
    monday = [START + k * WEEK for k in range(300)]
    begun = [k for k, at in enumerate(monday) if datetime(2027, 4, 1, tzinfo=UTC) <= at and at + WEEK <= as_of]
    assert running.consumed_total == total[begun].sum()
    assert running.consumed_total - running.consumed_good == bad[begun].sum()
    left = sum(as_of < at + WEEK and at < datetime(2027, 7, 1, tzinfo=UTC) for at in monday)
    assert len(begun) + left == 13
    traffic = total[: len([m for m in monday if m + WEEK <= as_of])][-12:].mean()
    whole = running.consumed_total + left * traffic
    # The best and the worst attainment differ by what the weeks to come can change.
    assert 1 - running.attainment_paths.max() >= bad[begun].sum() / whole - 0.01
    # Bad weeks that were not asked about leave it open; the next quarter knows nothing yet.
    assert coming.consumed_total == 0
    assert 0 < running.probability < 1


def test_a_threshold_of_weeks_is_decided_when_no_week_can_change_it() -> None:
    """Of 13 weekly samples at 80 % two may be bad (2.6): the third decides, ten good ones too (10.4 of 13: eleven)."""
    indicator = ThresholdIndicator(metric="level", op="lt", limit=Decimal(10))
    level = np.full(221, 5.0)
    first = next(k for k in range(300) if START + k * WEEK >= datetime(2027, 1, 1, tzinfo=UTC))
    level[[20, 90, 150]] = 20.0
    for bad_weeks, verdict in ((2, None), (3, 1.0)):
        now = level.copy()
        now[first : first + bad_weeks] = 20.0
        as_of = START + (first + 5) * WEEK
        risk = judged(prepared({"level": now[: first + 5]}, slo("0.8", indicator=indicator), as_of))[0]
        assert risk.decided == (verdict is not None)
        assert risk.probability == verdict or verdict is None
        assert verdict is not None or 0 < risk.probability < 1
    quiet = judged(
        prepared({"level": level[: first + 11]}, slo("0.8", indicator=indicator), START + (first + 11) * WEEK)
    )
    assert quiet[0].probability == 0.0


def test_time_slices_of_a_week_are_counted_from_the_start_of_each_month() -> None:
    """Four weeks a month, each bad with chance 15 %: P(more than one is bad), from the frequency of the past."""
    random = np.random.default_rng(9)
    days = 900
    month = CalendarWindow(unit="month", zone="UTC")
    at = [START + timedelta(hours=6) * k for k in range(4 * days)]
    level = np.array([0.06 if random.random() < 0.15 else 0.02 for _ in range(6 * days)])
    number = [(t.year * 12 + t.month) * 5 + min((t.day - 1) // 7, 4) for t in at]
    share = level[np.array(number) - number[0]]
    calls = random.poisson(100, len(at))
    lost = random.binomial(calls, share)
    objective = slo(
        "0.7", month, RatioIndicator(total="calls", bad="lost"), method=BudgetingMethod.TIMESLICES,
        slice_window=WEEK, slice_target=Decimal("0.96"),
    )  # fmt: skip
    as_of = START + timedelta(days=days)
    risks = judged(prepared({"calls": calls, "lost": lost}, objective, as_of))
    slices = {n: (calls[np.array(number) == n].sum(), lost[np.array(number) == n].sum()) for n in set(number)}
    bad = np.mean([b > 0.04 * c for n, (c, b) in slices.items() if n % 5 < 4 and c > 0])
    truth = 1 - (1 - bad) ** 4 - 4 * bad * (1 - bad) ** 3
    for risk in risks[1:]:
        assert np.isin(np.round(risk.attainment_paths * 4), [0, 1, 2, 3, 4]).all()
        assert risk.probability == pytest.approx(truth, abs=0.1)


def test_a_stricter_target_and_a_rolling_window_of_weeks() -> None:
    total, bad = weeks(np.random.default_rng(5), 150)
    as_of = START + 150 * WEEK + timedelta(days=2)
    table = []
    for target in ("0.93", "0.94", "0.95", "0.96"):
        risks = judged(
            prepared({"total": total, "bad": bad}, slo(target, RollingWindow(length=timedelta(days=91))), as_of)
        )
        assert len(risks) == 5
        table.append([r.probability for r in risks])
    for k in range(5):
        column = [row[k] for row in table]
        assert column == sorted(column)
        assert column[0] < column[-1]


def test_weekly_promises_are_replayed() -> None:
    total, bad = weeks(np.random.default_rng(6), 212)
    as_of = START + 212 * WEEK
    run = prepared({"total": total, "bad": bad}, slo("0.95"), as_of)
    said = replay(
        run.promises, run.catalogue, as_of=as_of, settings=SETTINGS, protocol=Protocol(elapsed=(0.0, 0.5), ahead=1)
    )
    assert len(said) > 20
    assert {s.horizon for s in said} == {"0 %", "50 %", "1 ahead"}
    assert all(0 < s.probability < 1 for s in said if not s.decided)
    assert all(s.candidates for s in said if not s.decided)


def test_a_service_watched_by_the_week_is_bad_on_the_paths_on_which_daily_ones_are() -> None:
    """One service measured by the week and one by the hour, with the same bad weeks: their misses go together."""
    random = np.random.default_rng(8)
    count = 160
    level = np.where(random.random(count) < 0.3, 0.12, 0.02)
    total = np.full(count, 4000)
    calls = np.full(28 * count, 150)
    rows = {"total": total, "bad": random.binomial(total, level)}
    hourly = {"calls": calls, "lost": random.binomial(calls, np.repeat(level, 28))}
    frames = []
    for service, columns in (("weekly", rows), ("hourly", hourly)):
        for name, values in columns.items():
            at = pd.date_range(START.replace(tzinfo=None), periods=len(values), freq=METRICS[name].step)
            frames.append(pd.DataFrame({"service": service, "metric": name, "at": at, "value": values.astype(float)}))
    objectives = (
        Objective(name="w", service="weekly", indicator=RATIO, target=Decimal("0.95"), window=QUARTER),
        Objective(
            name="h", service="hourly", indicator=RatioIndicator(total="calls", bad="lost"), target=Decimal("0.95"),
            window=QUARTER,
        ),
    )  # fmt: skip
    catalogue = Catalogue(
        name="two", services={n: Service(name=n) for n in ("weekly", "hourly")}, metrics=METRICS, objectives=objectives
    )
    as_of = START + count * WEEK
    run = prepare(
        catalogue, pd.concat(frames), organisation="W", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip
    fleet = fleet_of(run)
    paths = []
    for promise in run.promises:
        answer = promise_risks(promise, Simulation(fleet, demand=None), windows_known=8)
        assert not isinstance(answer, Excuse)
        paths.append([r.attainment_paths for r in answer])
    for k in (1, 2):
        assert np.corrcoef(paths[0][k], paths[1][k])[0, 1] > 0.3
