"""What bad days have in common: planted relations are found, chance and seasons are not, p-values are exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import permutations, product

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.service_levels.breach.badness import DailyBadness
from forecasting.service_levels.diagnosis import (
    Candidate,
    covariates_of,
    daily_driver,
    diagnose,
    worst_fifth,
)
from forecasting.service_levels.shuffles import block_p_value, holm, rank_correlation, week_orders
from forecasting.terms.catalogue import Catalogue, Covariate, Service
from forecasting.terms.diagnosis import DriverRelation
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import RatioIndicator

Floats = NDArray[np.float64]
FIRST = date(2025, 1, 6)
START = datetime(2025, 1, 6, tzinfo=UTC)
ALLOWED = 0.07
"""Share of false positives over all kinds of chance; one kind may have 12 of 100 among 200 histories."""


def badness_of(bad: Floats, total: Floats, first: date = FIRST) -> DailyBadness:
    return DailyBadness(
        service="s", group="g", indicator=RatioIndicator(total="all", bad="bad"), first_day=first, bad=bad,
        total=total, known=total > 0, slices_per_day=24.0,
    )  # fmt: skip


def daily(name: str, values: Floats, kind: MetricKind = MetricKind.REAL, start: datetime = START) -> Candidate:
    metric = Metric(name=name, kind=kind, unit="u", step=timedelta(days=1))
    series = Series(service="s", metric=metric, start=start, step=metric.step, values=values)
    return Candidate(name=name, label=name, series=series)


def judged(badness: DailyBadness, *candidates: Candidate, seed: int = 1) -> dict[str, DriverRelation]:
    laid = [daily_driver(c, badness, "UTC") for c in candidates]
    assert not any(isinstance(driver, Excuse) for driver in laid)
    return {r.driver: r for r in diagnose(badness, laid, seed=seed).relations}  # type: ignore[arg-type]


def autoregressive(random: np.random.Generator, days: int, phi: float) -> Floats:
    shocks = random.standard_normal(days + 100)
    values = np.zeros(days + 100)
    for k in range(1, len(values)):
        values[k] = phi * values[k - 1] + np.sqrt(1 - phi * phi) * shocks[k]
    return values[100:]


def history(log_odds: Floats, random: np.random.Generator) -> DailyBadness:
    """Draw a service of about 200 events a day, fewer on Saturdays."""
    total = random.poisson(200 * (1 - 0.2 * (np.arange(len(log_odds)) % 7 == 5))) + 1
    return badness_of(random.binomial(total, 1 / (1 + np.exp(1.4 - log_odds))).astype(float), total.astype(float))


# A planted relation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sign", "direction", "daily_kind"), [(1.0, "above", "max"), (-1.0, "below", "min")])
def test_a_planted_relation_is_found_with_its_direction_and_size(sign: float, direction: str, daily_kind: str) -> None:
    found, chance = 0, 0
    for seed in range(40):
        random = np.random.default_rng([seed, 5])
        x = autoregressive(random, 243, 0.5)
        worst = x >= np.quantile(x, 0.8)
        badness = history(0.8 * worst + 0.3 * autoregressive(random, 243, 0.5), random)
        both = judged(badness, daily("wind", sign * x), daily("nothing", autoregressive(random, 243, 0.5)))
        wind = both["wind"]
        assert (wind.direction, wind.daily) == (direction, daily_kind)
        assert wind.correlation * sign > 0
        assert wind.days == 243
        assert wind.worst_days == pytest.approx(243 / 5, abs=1)
        assert wind.threshold * sign == pytest.approx(x[worst].min())
        on, off = badness.bad[worst].sum() / badness.total[worst].sum(), badness.bad[~worst].sum()
        assert wind.bad_share_worst == pytest.approx(on)
        assert wind.bad_share_rest == pytest.approx(off / badness.total[~worst].sum())
        level = wind.bad_share_rest * badness.total[worst].sum()
        assert wind.excess_share == pytest.approx((badness.bad[worst].sum() - level) / badness.bad.sum())
        found += wind.significant
        chance += both["nothing"].significant
    assert found == 40
    assert chance <= 4


NULLS = ("independent", "spells", "weekdays", "season", "regimes")


def false_positives(kind: str, days: int, seeds: int) -> int:
    """Count significant relations between a service and a driver that have nothing, or only a calendar, in common."""
    count = 0
    for seed in range(seeds):
        random = np.random.default_rng([seed, 77])
        day = np.arange(days)
        season, friday = np.sin(2 * np.pi * day / 365), day % 7 == 4
        if kind == "independent":
            odds, x = 0.5 * random.standard_normal(days), random.standard_normal(days)
        elif kind == "spells":
            odds, x = 0.5 * autoregressive(random, days, 0.6), autoregressive(random, days, 0.6)
        elif kind == "weekdays":
            odds = 0.4 * random.standard_normal(days) + 0.6 * friday
            x = random.standard_normal(days) + 2 * friday
        elif kind == "season":
            odds = 0.4 * season + 0.4 * autoregressive(random, days, 0.5)
            x = 3 * season + autoregressive(random, days, 0.7)
        else:
            odds = 0.4 * season + 0.25 * autoregressive(random, days, 0.97)
            x = 2.5 * season + autoregressive(random, days, 0.7)
        count += judged(history(odds, random), daily("x", x))["x"].p_value < 0.05
    return count


def test_chance_weekdays_and_seasons_are_not_taken_for_a_relation() -> None:
    counts = {kind: false_positives(kind, 243, 200) for kind in NULLS}
    print(counts)
    assert sum(counts.values()) <= ALLOWED * 200 * len(NULLS)
    assert max(counts.values()) <= 0.12 * 200


@pytest.mark.nightly
@pytest.mark.parametrize("days", [90, 243, 365])
@pytest.mark.parametrize("kind", NULLS)
def test_false_positives_at_several_lengths(kind: str, days: int) -> None:
    count = false_positives(kind, days, 1000)
    print(f"{kind}, {days} days: {count} of 1000")
    assert count <= 75


def test_several_drivers_are_paid_for() -> None:
    """One of five unrelated drivers stands out in at most 7 of 100 histories."""
    count = 0
    for seed in range(100):
        random = np.random.default_rng([seed, 78])
        badness = history(0.5 * autoregressive(random, 243, 0.5), random)
        drivers = [daily(f"x{k}", autoregressive(random, 243, 0.5)) for k in range(5)]
        count += any(r.significant for r in judged(badness, *drivers).values())
    print(f"{count} of 100")
    assert count <= 7


# The p-value ---------------------------------------------------------------------------------------------------------


def brute_force(bad: Floats, total: Floats, sides: list[NDArray[np.bool_]], seasons: list[int]) -> tuple[float, int]:
    """Work out the p-value order by order, with whole arrays put together anew for each."""
    ranges, at = [], 0
    for length in seasons:
        ranges.append(list(permutations(range(at, at + length))))
        at += length
    found = []
    for parts in product(*ranges):
        row = []
        for side in sides:
            moved = np.concatenate([side[7 * w : 7 * w + 7] for part in parts for w in part])
            row.append(bad[moved].sum() / total[moved].sum() - bad[~moved].sum() / total[~moved].sum())
        found.append(row)
    table = np.array(found)
    z = (table - table.mean(axis=0)) / table.std(axis=0)
    return float((z.max(axis=1) >= z[0].max() - 1e-9).mean()), int(z[0].argmax())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("weeks", "seasons"), [(3, [3]), (5, [5]), (4, [4])])
def test_the_p_value_is_exact_where_all_orders_are_counted(weeks: int, seasons: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    total = random.integers(50, 150, 7 * weeks).astype(float)
    bad = random.binomial(total.astype(int), 0.2).astype(float)
    x = random.standard_normal(7 * weeks)
    sides = [x >= np.quantile(x, 0.8), x <= np.quantile(x, 0.2)]
    came = block_p_value(bad, total, sides, np.ones(7 * weeks, dtype=bool), 500, seed=3)
    assert came == pytest.approx(brute_force(bad, total, sides, seasons), abs=1e-12)


def test_drawn_orders_come_close_to_all_orders() -> None:
    random = np.random.default_rng(4)
    total = np.full(42, 100.0)
    bad = random.binomial(100, 0.2, 42).astype(float)
    side = np.arange(42) % 5 == 0
    known = np.ones(42, dtype=bool)
    exact, _ = block_p_value(bad, total, [side], known, 720, seed=1)  # 6! orders: all of them
    assert exact == pytest.approx(brute_force(bad, total, [side], [6])[0], abs=1e-12)
    assert len(week_orders(6, 720, seed=1)) == 720
    assert len(week_orders(6, 719, seed=1)) == 720  # the observed one and 719 drawn
    assert 0.05 < exact < 0.95
    for seed in range(5):
        drawn, _ = block_p_value(bad, total, [side], known, 700, seed=seed)
        assert drawn == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 700) ** 0.5)


def test_weeks_move_within_their_season_only_and_the_seed_decides() -> None:
    orders = week_orders(34, 500, seed=7)
    assert orders.shape == (501, 34)
    assert (orders[0] == np.arange(34)).all()
    assert (np.sort(orders, axis=1) == np.arange(34)).all()
    assert (np.sort(orders[:, :12], axis=1) == np.arange(12)).all()  # 34 weeks: three seasons of 12, 11 and 11
    assert np.abs(orders - np.arange(34)).max() == 11
    assert (orders == week_orders(34, 500, seed=7)).all()
    assert not (orders == week_orders(34, 500, seed=8)).all()


def test_holm_by_hand() -> None:
    assert holm([]) == []
    assert holm([0.01, 0.02, 0.03, 0.9]) == pytest.approx([0.04, 0.06, 0.06, 0.9])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


def test_rank_correlation_by_hand() -> None:
    one = np.ones(4)
    assert rank_correlation(np.array([1.0, 2, 3, 4]), np.array([4.0, 3, 2, 1]), one) == pytest.approx(-1)
    # Ranks 1 2.5 2.5 4 against 1 2 3 4: 4.5 ÷ √(4.5 · 5).
    assert rank_correlation(np.array([1.0, 7, 7, 9]), np.array([1.0, 2, 3, 4]), one) == pytest.approx(4.5 / 22.5**0.5)
    assert rank_correlation(one, np.arange(4.0), one) == 0.0
    # A day without weight does not count.
    weight = np.array([1.0, 1, 1, 0])
    assert rank_correlation(np.array([1.0, 2, 3, 0]), np.array([1.0, 2, 3, 9]), weight) > 0.8


# Days ----------------------------------------------------------------------------------------------------------------


def test_ties_stay_together_and_a_constant_driver_is_declined() -> None:
    known = np.ones(100, dtype=bool)
    rain = np.concatenate((np.zeros(85), np.full(15, 2.0)))
    worst = worst_fifth(rain, known, "above")
    assert worst is not None
    assert worst.sum() == 15  # not all 100 days at the 80 % quantile of 0
    assert worst_fifth(rain, known, "below") is None
    assert worst_fifth(np.where(np.arange(100) < 5, 1.0, 0.0), known, "above") is None  # five days are too few
    badness = badness_of(np.tile([5.0, 9.0], 50), np.full(100, 100.0))
    driver = daily_driver(daily("flat", np.full(100, 3.0)), badness, "UTC")
    assert not isinstance(driver, Excuse)
    found = diagnose(badness, [driver, ("fog", Excuse(reason="none", what_would_help="some"))], seed=1)
    assert found.relations == ()
    assert [name for name, _ in found.declined] == ["flat", "fog"]
    assert "same value" in found.declined[0][1].reason


def test_fewer_than_sixty_days_give_an_excuse_with_the_numbers() -> None:
    random = np.random.default_rng(1)
    for days, spoken in ((59, False), (60, True)):
        badness = history(random.standard_normal(days), random)
        driver = daily_driver(daily("x", random.standard_normal(days)), badness, "UTC")
        assert not isinstance(driver, Excuse)
        found = diagnose(badness, [driver], seed=1)
        assert bool(found.relations) is spoken
        assert [e.reason[:7] for _, e in found.declined] == ([] if spoken else ["59 days"])


def test_a_service_without_bad_events_gives_an_excuse() -> None:
    badness = badness_of(np.zeros(90), np.full(90, 10.0))
    driver = daily_driver(daily("x", np.arange(90.0)), badness, "UTC")
    assert not isinstance(driver, Excuse)
    assert diagnose(badness, [driver], seed=1).relations == ()


def test_days_are_those_of_the_zone_with_sums_only_of_whole_days() -> None:
    # The clocks of New York go forward on 9 March 2025: that day has 23 hours.
    badness = badness_of(np.ones(4), np.full(4, 10.0), first=date(2025, 3, 8))
    begin = datetime(2025, 3, 8, 5, tzinfo=UTC)  # midnight in New York
    values = np.arange(24 + 23 + 24 + 10, dtype=float)
    hourly = Metric(name="x", kind=MetricKind.COUNT)
    count = Candidate(
        name="x",
        label="x",
        series=Series(service="s", metric=hourly, start=begin, step=hourly.step, values=values),
    )
    found = daily_driver(count, badness, "America/New_York")
    assert not isinstance(found, Excuse)
    expected = [values[:24].sum(), values[24:47].sum(), values[47:71].sum(), np.nan]
    assert found.highest == pytest.approx(expected, nan_ok=True)
    level = replace(count, series=replace(count.series, metric=replace(hourly, kind=MetricKind.NON_NEGATIVE)))
    found = daily_driver(level, badness, "America/New_York")
    assert not isinstance(found, Excuse)
    assert found.highest == pytest.approx([23, 46, 70, np.nan], nan_ok=True)  # 10 of 24 hours are too few
    assert found.lowest == pytest.approx([0, 24, 47, np.nan], nan_ok=True)
    values[30] = np.nan
    summed, kept = (daily_driver(c, badness, "America/New_York") for c in (count, level))
    assert not isinstance(summed, Excuse)
    assert not isinstance(kept, Excuse)
    assert np.isnan(summed.highest[1])
    assert kept.highest[1] == 46


def test_weekly_series_are_declined() -> None:
    weekly = daily("x", np.arange(20.0))
    weekly = replace(weekly, series=replace(weekly.series, step=timedelta(days=7)))
    answer = daily_driver(weekly, badness_of(np.ones(140), np.full(140, 9.0)), "UTC")
    assert isinstance(answer, Excuse)
    assert "every 7 days" in answer.reason


def test_nothing_after_the_last_day_of_badness_is_looked_at() -> None:
    random = np.random.default_rng(3)
    badness = history(random.standard_normal(120), random)
    x = random.standard_normal(200)
    other = x.copy()
    other[120:] = 1e9
    assert judged(badness, daily("x", x)) == judged(badness, daily("x", other))
    other[119] = 1e9
    assert judged(badness, daily("x", x)) != judged(badness, daily("x", other))


def test_same_input_same_output_and_unknown_days_do_not_count() -> None:
    random = np.random.default_rng(6)
    badness = history(random.standard_normal(150), random)
    x = random.standard_normal(150)
    assert judged(badness, daily("x", x)) == judged(badness, daily("x", x))
    holes = x.copy()
    holes[40:50] = np.nan
    total = badness.total.copy()
    total[10:15] = 0
    some = judged(badness_of(np.where(total > 0, badness.bad, 0.0), total), daily("x", holes))["x"]
    assert some.days == 135
    # What stands on an unknown day cannot matter.
    wild = holes.copy()
    wild[10:15] = 1e6
    assert judged(badness_of(np.where(total > 0, badness.bad, 0.0), total), daily("x", wild))["x"] == some


def test_covariates_reach_a_service_through_what_it_depends_on() -> None:
    services = {
        "carrier": Service(name="carrier", depends_on=("airport", "fuel")),
        "airport": Service(name="airport", depends_on=("grid",)),
        "fuel": Service(name="fuel", depends_on=("grid",)),
        "grid": Service(name="grid"),
        "elsewhere": Service(name="elsewhere"),
    }
    covariates = tuple(Covariate(name=f"w-{s}", service=s, metric="w") for s in services)
    catalogue = Catalogue(name="c", services=services, covariates=covariates)
    assert [c.name for c in covariates_of(catalogue, "carrier")] == ["w-carrier", "w-airport", "w-fuel", "w-grid"]
    assert [c.name for c in covariates_of(catalogue, "grid")] == ["w-grid"]
    assert covariates_of(replace(catalogue, covariates=()), "carrier") == ()
