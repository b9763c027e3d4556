"""Run-outs, order-by dates, units and costs against cases worked out by hand or planted."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.capacity.cost import CapacityCost, cost_of_units, months_between
from forecasting.capacity.growth import extend_growth, growth_forecast, linear_trend
from forecasting.capacity.headroom import busy_days, daily_use, order_date
from forecasting.capacity.requirement import assess, round_up_to_step
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import ErlangCModel, GrowingStockModel, Resource, ResponseCurveModel
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AS_OF = datetime(2026, 11, 22, tzinfo=UTC)

STORAGE = Resource(
    name="storage",
    services=("s11",),
    metric_service="s11",
    metric="tb",
    model=GrowingStockModel(),
    unit="TB",
    units_now=Decimal(1250),
    usable_share=Decimal("0.85"),
    step_units=Decimal(50),
    capex_per_unit=Decimal(420),
    cost_per_unit_month=Decimal(3),
    lead_time=timedelta(weeks=14),
)
DESK = Resource(
    name="desk",
    services=("s7",),
    metric_service="s7",
    metric="calls",
    model=ErlangCModel(handling_time_s=Decimal(420), answer_within_s=Decimal(20), target=Decimal("0.8")),
    unit="agents",
    units_now=Decimal(15),
    lead_time=timedelta(weeks=12),
)
RUNWAY = Resource(
    name="runway",
    services=("lga",),
    metric_service="lga",
    metric="departures",
    model=ResponseCurveModel(good="on_time", bad=None, total="departures"),
    unit="departures per hour",
    units_now=Decimal(40),
    usable_share=Decimal("0.85"),
    step_units=Decimal(2),
    max_units=Decimal(44),
    lead_time=timedelta(days=63),
)


def series(service: str, name: str, kind: MetricKind, values: NDArray[np.float64], step: timedelta) -> Series:
    """A series that ends at AS_OF."""
    metric = Metric(name=name, kind=kind, step=step)
    return Series(service=service, metric=metric, start=AS_OF - len(values) * step, step=step, values=values)


def forecast(like: Series, paths: NDArray[np.float64]) -> Forecast:
    """Daily paths from AS_OF on."""
    return Forecast(
        service=like.service, metric=like.metric, start=AS_OF, step=DAY, zone="UTC", paths=paths, model="planted",
        cut_off=AS_OF, seed=7,
    )  # fmt: skip


def storage(growth: float = 0.5, noise: float = 0.0, seed: int = 0, days: int = 400) -> Series:
    rng = np.random.default_rng(seed)
    return series(
        "s11", "tb", MetricKind.NON_NEGATIVE, 918 - growth * np.arange(days)[::-1] + noise * rng.standard_normal(days),
        DAY,
    )  # fmt: skip


def hourly_calls(peak: float, days: int = 70) -> Series:
    shape = np.zeros(24)
    shape[8:18] = [0.5, 0.8, 1.0, 0.9, 0.7, 0.7, 0.9, 0.8, 0.6, 0.4]
    return series("s7", "calls", MetricKind.COUNT, np.tile(shape * peak, days), HOUR)


def ok(found: Requirement | Excuse) -> Requirement:
    assert isinstance(found, Requirement), found
    return found


def test_order_by_is_exact_without_noise() -> None:
    # 918 TB on 21 November, +0.5 TB a day, limit 85 % of 1250 = 1062.5: day 289 after the 21st is 6 September 2027.
    used = storage()
    line = forecast(used, np.tile(918 + 0.5 * np.arange(1, 401), (50, 1)))
    found = ok(assess(STORAGE, used, line, as_of=AS_OF))
    reached = date(2026, 11, 21) + 289 * DAY
    assert reached == date(2027, 9, 6)
    assert (found.exhaustion_p10, found.exhaustion_p50, found.exhaustion_p90) == (reached, reached, reached)
    assert found.need_by == reached
    assert found.order_by == reached - 98 * DAY == date(2027, 5, 31)
    assert found.probability_exhausted == 1.0
    assert found.usable_units == Decimal("1062.50")
    assert (found.use_now, found.headroom_now) == (918.0, 144.5)
    assert found.use_p50 == 1118.0
    assert found.headroom_end == -55.5
    # 1118 / 0.85 = 1315.3 TB, up to a step of 50 TB.
    assert found.required_p50 == found.required_p90 == 1350.0
    assert found.supported_growth == pytest.approx(1062.5 / 918)
    assert (found.service_level_now, found.service_level_p90) == (1.0, 0.0)
    assert "reaches the limit on 2027-09-06, +0 days" in found.check
    assert found.horizon_end == AS_OF + 400 * DAY
    assert found.daily_use_p50[0] == (date(2026, 11, 22), 918.5)
    assert found.daily_use_history[-1] == (date(2026, 11, 21), 918.0)


def test_a_horizon_too_short_has_no_dates() -> None:
    used = storage()
    found = ok(assess(STORAGE, used, forecast(used, np.tile(918 + 0.5 * np.arange(1, 121), (50, 1))), as_of=AS_OF))
    assert found.probability_exhausted == 0.0
    assert (found.exhaustion_p10, found.exhaustion_p90, found.need_by, found.order_by) == (None,) * 4
    assert "on 2027-09-06, after the horizon's end" in found.check


def test_a_full_stock_is_exhausted_on_the_first_day() -> None:
    used = storage()
    full = dataclasses.replace(STORAGE, units_now=Decimal(1080))
    found = ok(assess(full, used, forecast(used, np.full((50, 30), 917.0)), as_of=AS_OF))
    assert found.need_by == date(2026, 11, 22)
    assert found.order_by == date(2026, 11, 22) - 98 * DAY
    assert found.headroom_now == 0.0


def test_dates_are_local() -> None:
    used = dataclasses.replace(storage(), zone="Pacific/Auckland", start=datetime(2025, 10, 17, 11, tzinfo=UTC))
    now = datetime(2026, 11, 21, 11, tzinfo=UTC)
    line = forecast(used, np.tile(918 + 0.5 * np.arange(1, 401), (50, 1)))
    line = dataclasses.replace(line, zone="Pacific/Auckland", start=now)
    found = ok(assess(STORAGE, used, line, as_of=now))
    assert found.need_by == date(2027, 9, 6)
    assert found.daily_use_history[-1][0] == date(2026, 11, 21)
    assert found.horizon_end == datetime(2027, 12, 26, 11, tzinfo=UTC)


def test_planted_growth_is_recovered() -> None:
    errors = []
    for seed in range(50):
        used = storage(growth=0.5, noise=3.0, seed=seed)
        rng = np.random.default_rng(1000 + seed)
        week = forecast(used, used.values[-28:].mean() + 0.5 * (14.5 + np.arange(14)) + rng.normal(0, 3, (300, 14)))
        longer = extend_growth(week, used, as_of=AS_OF, horizon=500)
        assert isinstance(longer, Forecast)
        found = ok(assess(STORAGE, used, longer, as_of=AS_OF))
        assert found.exhaustion_p50 is not None
        errors.append(abs((found.exhaustion_p50 - date(2027, 9, 6)).days) / 289)
    assert np.median(errors) <= 0.10
    assert max(errors) <= 0.20


def test_the_span_of_extended_paths_covers_the_planted_date() -> None:
    inside = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        # A random walk with drift: each day's growth is uncertain, and stays.
        steps = 0.5 + rng.normal(0, 1.0, 800)
        walk = 800 + np.cumsum(steps)
        used = series("s11", "tb", MetricKind.NON_NEGATIVE, walk[:400], DAY)
        line = forecast(used, walk[399] + 0.5 * np.arange(1, 15) + rng.normal(0, 1, (300, 14)).cumsum(axis=1))
        longer = extend_growth(line, used, as_of=AS_OF, horizon=400)
        assert isinstance(longer, Forecast)
        low, high = np.quantile(longer.paths[:, 200], (0.1, 0.9))
        inside += bool(low <= walk[600] <= high)
    assert inside >= 35


def test_extend_growth_leaves_a_long_forecast_alone_and_keeps_bounds() -> None:
    used = storage(growth=-2.0)
    line = forecast(used, np.full((20, 10), 30.0))
    assert extend_growth(line, used, as_of=AS_OF, horizon=10) is line
    longer = extend_growth(line, used, as_of=AS_OF, horizon=200)
    assert isinstance(longer, Forecast)
    assert longer.paths.shape == (20, 200)
    assert longer.paths.min() == 0.0
    assert (longer.paths[:, :10] == 30.0).all()
    again = extend_growth(line, used, as_of=AS_OF, horizon=200)
    assert isinstance(again, Forecast)
    assert np.array_equal(longer.paths, again.paths)


@pytest.mark.parametrize("by_factor", [True, False])
def test_a_noisy_load_reaches_its_limit_when_planted_whatever_the_demand_model_says(by_factor: bool) -> None:
    """Nights scatter by 8 % around a median that grows by 0.9 % a week: T2 of the demo organisation."""
    errors, first = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        age = np.arange(-1095.0, 1.0)
        median = 385 * np.exp(0.00128 * age) if by_factor else 385 + 0.25 * age
        used = series("s11", "tb", MetricKind.NON_NEGATIVE, median * np.exp(rng.normal(0, 0.08, 1096)), DAY)
        flat = forecast(used, np.full((400, 130), 385.0))
        grown = growth_forecast(flat, used, as_of=AS_OF, horizon=700)
        assert isinstance(grown, Forecast)
        assert grown.paths.shape == (400, 700)
        planted = np.log(480 / 385) / 0.00128 if by_factor else 95 / 0.25
        errors.append(float((grown.quantile(0.5) >= 480).argmax()) - planted)
        first.append(float(np.median((grown.paths >= 480).argmax(axis=1))))
    # One standard error of a year's line is 1.5 % half a year on and 2.4 % a year on: 12 and 46 days of growth.
    assert abs(np.mean(errors)) < (12 if by_factor else 40)
    assert np.std(errors) < (25 if by_factor else 90)
    # The first late night comes long before every second one is late.
    assert np.mean(first) < 0.6 * planted


def test_growth_of_a_short_history_keeps_the_demand_forecast() -> None:
    used = storage(growth=0.5)
    short = series("s11", "tb", MetricKind.NON_NEGATIVE, used.values[-200:], DAY)
    near = forecast(short, np.full((20, 10), 900.0))
    grown = growth_forecast(near, short, as_of=AS_OF, horizon=60)
    same = extend_growth(near, short, as_of=AS_OF, horizon=60)
    assert isinstance(grown, Forecast)
    assert isinstance(same, Forecast)
    assert np.array_equal(grown.paths, same.paths)


def test_noise_alone_is_hardly_ever_taken_for_shocks() -> None:
    found = [
        linear_trend(np.arange(365.0), np.random.default_rng(seed).normal(0, 1, 365)).daily_shock for seed in range(100)
    ]
    assert np.mean(np.array(found) > 0) < 0.1


def test_shocks_that_stay_are_told_from_noise_that_passes() -> None:
    rng = np.random.default_rng(3)
    x = np.arange(20_000.0)
    values = 0.5 * x + np.cumsum(rng.normal(0, 0.7, 20_000)) + rng.normal(0, 2.0, 20_000) + 3 * (x % 7 == 6)
    line = linear_trend(x, values)
    assert line.daily_shock == pytest.approx(0.7, rel=0.1)
    assert line.noise == pytest.approx(2.0, rel=0.1)
    assert abs(line.slope - 0.5) < 3 * line.slope_error
    assert linear_trend(x, 0.5 * x).slope_error == pytest.approx(0.0, abs=1e-9)


def test_busy_hour_by_erlang_c() -> None:
    used = hourly_calls(peak=95.0)
    total = float(used.values[:24].sum())
    # 12 % more from day 10 on: 106.4 calls in the busy hour need 17 agents, 15 answer about two in three in time.
    growth = np.where(np.arange(60) < 10, 1.0, 1.12)
    found = ok(assess(DESK, used, forecast(used, np.tile(total * growth, (80, 1))), as_of=AS_OF))
    assert (found.use_now, found.use_p50, found.use_p90) == (15.0, 17.0, 17.0)
    assert (found.required_p50, found.required_p90) == (17.0, 17.0)
    assert found.service_level_now == pytest.approx(0.835, abs=5e-4)
    assert found.service_level_p90 == pytest.approx(0.66, abs=0.01)
    # 15 agents carry 97.8 calls, 2.95 % more than 95: the mean of 14 days has grown by 12 % · 4 ÷ 14 on the fourth day.
    assert found.need_by == date(2026, 12, 5)
    assert found.order_by == date(2026, 12, 5) - 84 * DAY
    assert found.supported_growth == pytest.approx(97.8 / 95, abs=1e-3)
    assert "106 calls and 17 agents" in found.check
    assert abs(float(found.check.rsplit(":", 1)[1].split()[0])) < 2.0


def test_half_hours_are_added_up_to_the_agreed_interval() -> None:
    hourly = hourly_calls(peak=95.0)
    halves = series("s7", "calls", MetricKind.COUNT, np.repeat(hourly.values / 2, 2), HOUR / 2)
    total = np.full((40, 20), hourly.values[:24].sum())
    fine = ok(assess(DESK, halves, forecast(halves, total), as_of=AS_OF))
    coarse = ok(assess(DESK, hourly, forecast(hourly, total), as_of=AS_OF))
    assert (fine.use_now, fine.use_p90, fine.supported_growth) == (15.0, 15.0, coarse.supported_growth)


def test_calls_per_day_do_not_tell_the_busy_hour() -> None:
    daily = series("s7", "calls", MetricKind.COUNT, np.full(70, 700.0), DAY)
    found = assess(DESK, daily, forecast(daily, np.full((40, 20), 700.0)), as_of=AS_OF)
    assert isinstance(found, Excuse)
    assert "busiest 1:00:00" in found.reason


def test_recurrent_peaks_pass_above_the_limit_only() -> None:
    shape = np.array([0.0] * 12 + [34.0] + [17.0] * 11)
    used = series("lga", "departures", MetricKind.COUNT, np.tile(shape, 60), HOUR)
    level = np.full((10, 30), shape.sum())
    at = ok(assess(RUNWAY, used, forecast(used, level), as_of=AS_OF))
    assert at.probability_exhausted == 0.0
    assert at.headroom_now == pytest.approx(0.0)
    assert at.required_p90 == 40.0
    assert at.service_level_now is None
    level[:2, 16:] *= 36 / 34
    above = ok(assess(RUNWAY, used, forecast(used, level), as_of=AS_OF))
    assert above.probability_exhausted == pytest.approx(0.2)
    assert above.need_by == date(2026, 12, 8)
    assert above.order_by == date(2026, 10, 6)
    assert above.exhaustion_p50 is None
    # 36 / 0.85 = 42.4, in steps of 2 from 40.
    assert (above.required_p50, above.required_p90) == (40.0, 44.0)


def test_more_than_can_be_had_is_said() -> None:
    used = series("lga", "departures", MetricKind.COUNT, np.tile(np.array([0.0] * 23 + [34.0]), 60), HOUR)
    found = ok(assess(RUNWAY, used, forecast(used, np.full((10, 30), 50.0)), as_of=AS_OF))
    assert any("exceed the 44" in a for a in found.assumptions)


def test_the_spread_of_the_busy_hour_is_in_the_paths() -> None:
    rng = np.random.default_rng(5)
    days = np.tile(np.full(24, 10.0), (200, 1))
    days[:, 9] = rng.integers(20, 40, 200)
    used = series("lga", "departures", MetricKind.COUNT, days.ravel(), HOUR)
    month = np.full((400, 28), 260.0)
    found = ok(assess(RUNWAY, used, forecast(used, month), as_of=AS_OF))
    assert 30 < found.daily_use_p50[-1][1] < found.daily_use_p90[-1][1] < 41


def test_daily_noise_is_no_growth() -> None:
    # Demand that scatters by 10 % around the same level for a year does not pass a limit 10 % above its busy days.
    rng = np.random.default_rng(6)
    total = 260 * (1 + 0.1 * rng.standard_normal(300))
    days = np.tile(total[:, None] / 24, (1, 24))
    days[:, 9] += 12.0
    used = series("lga", "departures", MetricKind.COUNT, days.ravel(), HOUR)
    level = days.sum(axis=1).mean() * (1 + 0.1 * rng.standard_normal((400, 365)))
    found = ok(assess(RUNWAY, used, forecast(used, level), as_of=AS_OF))
    assert found.use_p90 < 1.12 * found.use_now


def test_weekdays_do_not_pass_for_growth() -> None:
    days = np.zeros((70, 24))
    days[:, 9], days[:, 10] = 50.0, 50.0
    start = AS_OF - 70 * DAY
    weekend = np.array([(start + i * DAY).weekday() >= 5 for i in range(70)])
    days[weekend] = 0.0
    use = daily_use(series("lga", "departures", MetricKind.COUNT, days.ravel(), HOUR), as_of=AS_OF)
    assert not isinstance(use, Excuse)
    coming = np.array([[0.0 if (AS_OF + i * DAY).weekday() >= 5 else 100.0 for i in range(60)]])
    assert busy_days(use).demand(use.level, coming, seed=1) == pytest.approx(np.full((1, 60), 50.0))


def test_nothing_after_the_cut_off_is_read() -> None:
    used = storage()
    future = dataclasses.replace(used, values=np.concatenate([used.values, [5000.0, 1.0]]))
    line = forecast(used, np.tile(918 + 0.5 * np.arange(1, 401), (50, 1)))
    assert assess(STORAGE, future, line, as_of=AS_OF) == assess(STORAGE, used, line, as_of=AS_OF)


def test_no_history_is_an_excuse() -> None:
    empty = dataclasses.replace(storage(), values=np.full(400, np.nan))
    line = forecast(empty, np.full((5, 5), 900.0))
    found = assess(STORAGE, empty, line, as_of=AS_OF)
    assert isinstance(found, Excuse)
    assert "no value before 2026-11-22" in found.reason
    old = storage().values.copy()
    old[-50:] = np.nan
    found = assess(STORAGE, dataclasses.replace(empty, values=old), line, as_of=AS_OF)
    assert isinstance(found, Excuse)
    assert found.reason.startswith("6 of the last 56 days")


def test_no_use_is_an_excuse() -> None:
    used = hourly_calls(peak=0.0)
    found = assess(DESK, used, forecast(used, np.zeros((5, 5))), as_of=AS_OF)
    assert isinstance(found, Excuse)
    assert found.reason.startswith("no use of desk")


def test_impossible_input_is_refused() -> None:
    used = storage()
    line = forecast(used, np.full((5, 5), 900.0))
    with pytest.raises(InputError, match="allowed: \\('s11', 'tb'\\)"):
        assess(STORAGE, hourly_calls(3.0), line, as_of=AS_OF)
    with pytest.raises(InputError, match="one local day"):
        assess(STORAGE, used, dataclasses.replace(line, step=HOUR), as_of=AS_OF)
    with pytest.raises(InputError, match="finite"):
        assess(STORAGE, used, forecast(used, np.full((5, 5), np.nan)), as_of=AS_OF)
    with pytest.raises(InputError, match="as_of"):
        assess(STORAGE, used, line, as_of=AS_OF.replace(tzinfo=None))
    with pytest.raises(InputError, match="unitsNow"):
        assess(dataclasses.replace(STORAGE, units_now=Decimal(0)), used, line, as_of=AS_OF)
    with pytest.raises(InputError, match="0 or more"):
        assess(STORAGE, dataclasses.replace(used, values=-used.values), line, as_of=AS_OF)


def test_rounding_up_to_what_can_be_bought() -> None:
    # 34 / 0.85 is 40 exactly, and noise in the last bits of a float is no reason to buy two more.
    assert round_up_to_step(RUNWAY, 34.0) == round_up_to_step(RUNWAY, np.nextafter(34.0, 35.0)) == 40
    assert round_up_to_step(RUNWAY, 34.0000001) == 42
    assert round_up_to_step(RUNWAY, 0.0) == 0
    assert round_up_to_step(dataclasses.replace(RUNWAY, units_now=Decimal(41)), 34.0) == 41


def test_order_dates_of_the_demo_organisation() -> None:
    assert order_date(date(2027, 2, 1), timedelta(days=63)) == date(2026, 11, 30)
    assert order_date(date(2027, 3, 29), timedelta(weeks=1)) == date(2027, 3, 22)
    assert order_date(date(2027, 3, 29), timedelta(minutes=1)) == date(2027, 3, 28)


def test_cost_is_exact_and_starts_when_it_serves() -> None:
    cost = cost_of_units(STORAGE, Decimal(100), ordered=date(2026, 9, 25), until=date(2027, 4, 1))
    assert isinstance(cost, CapacityCost)
    assert cost.in_use_from == date(2027, 1, 1)
    assert (cost.capex, cost.opex_per_month, cost.months) == (Decimal(42000), Decimal(300), Fraction(3))
    assert (cost.opex, cost.total) == (Decimal(900), Decimal(42900))
    late = cost_of_units(STORAGE, Decimal(100), ordered=date(2027, 3, 1), until=date(2027, 4, 1))
    assert isinstance(late, CapacityCost)
    assert (late.opex, late.total) == (0, 42000)
    none = cost_of_units(STORAGE, Decimal(0), ordered=date(2026, 9, 25), until=date(2027, 4, 1))
    assert isinstance(none, CapacityCost)
    assert none.total == 0


def test_months_are_pro_rata_by_their_own_days() -> None:
    assert months_between(date(2027, 2, 15), date(2027, 3, 1)) == Fraction(1, 2)
    assert months_between(date(2028, 2, 15), date(2028, 3, 1)) == Fraction(15, 29)
    assert months_between(date(2026, 12, 31), date(2028, 1, 1)) == 12 + Fraction(1, 31)
    assert months_between(date(2027, 2, 1), date(2027, 1, 1)) == 0


def test_cost_of_the_impossible() -> None:
    too_many = cost_of_units(RUNWAY, Decimal(6), ordered=date(2027, 1, 1), until=date(2027, 4, 1))
    assert isinstance(too_many, Excuse)
    assert "at most 4 more" in too_many.what_would_help
    with pytest.raises(InputError, match="steps of 2 departures per hour; try: 4"):
        cost_of_units(RUNWAY, Decimal(3), ordered=date(2027, 1, 1), until=date(2027, 4, 1))
    with pytest.raises(InputError, match="until"):
        cost_of_units(RUNWAY, Decimal(2), ordered=date(2027, 1, 1), until=date(2026, 4, 1))
