"""Driver effects on paths against arithmetic by hand."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecasting.scenarios.apply import apply_effects
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.scenario import DriverEffect

BASE = Forecast(
    service="shop",
    metric=Metric(name="orders", kind=MetricKind.COUNT, step=timedelta(days=1)),
    start=datetime(2027, 3, 1, tzinfo=UTC),
    step=timedelta(days=1),
    zone="UTC",
    paths=np.full((4000, 8), 100.0),
    model="ets",
    cut_off=datetime(2027, 3, 1, tzinfo=UTC),
    seed=1,
)
STEP = DriverEffect(
    driver="law", service="shop", metric="orders", kind="step", start=date(2027, 3, 3), low=90, mode=90, high=90
)


def test_a_step_starts_on_its_day_and_stays() -> None:
    assert apply_effects(BASE, [STEP], seed=1).paths[0].tolist() == [100, 100] + [190] * 6


def test_an_end_ends_it() -> None:
    over = dataclasses.replace(STEP, end=date(2027, 3, 5))
    assert apply_effects(BASE, [over], seed=1).paths[0].tolist() == [100, 100, 190, 190, 100, 100, 100, 100]


def test_a_ramp_grows_in_a_straight_line() -> None:
    slow = dataclasses.replace(STEP, ramp_days=3)
    assert apply_effects(BASE, [slow], seed=1).paths[0].tolist() == pytest.approx([100, 100, 130, 160] + [190] * 4)


def test_a_trend_adds_up_by_the_day() -> None:
    trend = dataclasses.replace(STEP, kind="trend", low=5, mode=5, high=5)
    assert apply_effects(BASE, [trend], seed=1).paths[0].tolist() == [100, 100, 100, 105, 110, 115, 120, 125]


def test_a_trend_that_ramps_gains_its_slope() -> None:
    trend = dataclasses.replace(STEP, kind="trend", low=6, mode=6, high=6, ramp_days=3)
    assert apply_effects(BASE, [trend], seed=1).paths[0].tolist() == pytest.approx(
        [100, 100, 100, 101, 104, 109, 115, 121]
    )


def test_an_effect_from_before_the_forecast_is_there_from_the_first_day() -> None:
    early = dataclasses.replace(STEP, start=date(2027, 2, 1))
    assert apply_effects(BASE, [early], seed=1).paths[0].tolist() == [190] * 8


def test_multipliers_come_before_what_is_added_in_any_order() -> None:
    double = dataclasses.replace(STEP, driver="campaign", kind="multiplier", low=2, mode=2, high=2)
    one, two = apply_effects(BASE, [STEP, double], seed=1), apply_effects(BASE, [double, STEP], seed=1)
    assert one.paths[0, 2] == 290.0
    assert np.array_equal(one.paths, two.paths)
    assert one.model == "ets with campaign, law"


def test_hours_share_the_step_of_a_day_and_start_at_local_midnight() -> None:
    hours = dataclasses.replace(
        BASE,
        step=timedelta(hours=1),
        zone="Europe/Berlin",
        start=datetime(2027, 3, 2, 20, tzinfo=UTC),
        paths=np.zeros((3, 8)),
    )
    # Midnight in Berlin is 23:00 UTC; 90 a day is 3.75 an hour.
    assert apply_effects(hours, [STEP], seed=1).paths[0].tolist() == [0, 0, 0] + [3.75] * 5


def test_a_level_does_not_share_it() -> None:
    level = dataclasses.replace(
        BASE, metric=Metric(name="orders", kind=MetricKind.NON_NEGATIVE), step=timedelta(hours=1)
    )
    assert apply_effects(level, [dataclasses.replace(STEP, start=date(2027, 3, 1))], seed=1).paths[0, 0] == 190.0


def test_sizes_are_triangular_and_likelihood_is_a_share_of_paths() -> None:
    unsure = dataclasses.replace(STEP, low=10, mode=20, high=60, likelihood=0.3)
    added = apply_effects(BASE, [unsure], seed=3).paths[:, 5] - 100
    assert (added > 0).mean() == pytest.approx(0.3, abs=0.025)
    sizes = added[added > 0]
    assert (sizes.min() >= 10, sizes.max() <= 60) == (True, True)
    assert sizes.mean() == pytest.approx(30, abs=1.3)
    # P(size <= mode) of a triangular law is (mode - low) / (high - low).
    assert (sizes <= 20).mean() == pytest.approx(0.2, abs=0.04)


def test_common_random_numbers() -> None:
    unsure = dataclasses.replace(STEP, low=10, mode=20, high=60, likelihood=0.3)
    other = dataclasses.replace(unsure, driver="price", kind="multiplier", low=0.8, mode=0.9, high=1.0)
    alone = apply_effects(BASE, [unsure], seed=3).paths
    both = apply_effects(BASE, [other, unsure], seed=3).paths
    without = apply_effects(BASE, [other], seed=3).paths
    # The draws of a driver are the same whatever else is in the scenario …
    assert np.allclose(both - without, alone - 100.0)
    # … and in every service it touches, and however many worlds there are.
    elsewhere = dataclasses.replace(BASE, service="pay", paths=np.full((4000, 8), 500.0))
    there = apply_effects(elsewhere, [dataclasses.replace(unsure, service="pay")], seed=3).paths
    assert np.allclose(there - 500.0, alone - 100.0)
    fewer = apply_effects(dataclasses.replace(BASE, paths=BASE.paths[:50]), [unsure], seed=3).paths
    assert np.array_equal(fewer, alone[:50])
    assert not np.array_equal(alone, apply_effects(BASE, [unsure], seed=4).paths)


def test_bounds_hold() -> None:
    down = dataclasses.replace(STEP, low=-500, mode=-500, high=-500)
    assert apply_effects(BASE, [down], seed=1).paths.min() == 0.0
    ratio = dataclasses.replace(BASE, metric=Metric(name="orders", kind=MetricKind.RATIO), paths=np.full((2, 8), 0.7))
    assert apply_effects(ratio, [STEP], seed=1).paths.max() == 1.0


def test_what_is_meant_for_others_changes_nothing() -> None:
    assert apply_effects(BASE, [dataclasses.replace(STEP, metric="visits")], seed=1) is BASE
    assert apply_effects(BASE, [], seed=1) is BASE


def test_the_forecast_given_is_left_as_it_was() -> None:
    before = BASE.paths.copy()
    apply_effects(BASE, [STEP], seed=1)
    assert np.array_equal(BASE.paths, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": 99.0}, "rising order"),
        ({"high": float("nan")}, "rising order"),
        ({"kind": "multiplier", "low": -1.0}, "factor of 0 or more"),
        ({"likelihood": 1.5}, "likelihood"),
        ({"ramp_days": -1}, "ramp_days"),
        ({"end": date(2027, 3, 3)}, "after its start"),
    ],
)
def test_effects_that_mean_nothing_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        apply_effects(BASE, [dataclasses.replace(STEP, **change)], seed=1)  # type: ignore[arg-type]
