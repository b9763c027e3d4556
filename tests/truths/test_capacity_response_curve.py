"""The response curve against planted relations, and its typed noes where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.capacity.models.response_curve import ResponseCurve, fit_response_curve
from forecasting.terms.errors import Excuse, InputError

Arrays = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


def planted(seed: int, slope: float, days: int = 300, by_hour: float = 0.0) -> Arrays:
    """Hourly load of 40 a slice at most, bad events with logit -3 + slope × load/40 + by_hour × (hour - 12)."""
    rng = np.random.default_rng(seed)
    hour = np.tile(np.arange(24), days)
    load = rng.integers(4, 41, size=len(hour)).astype(np.float64)
    logit = -3.0 + slope * load / 40 + by_hour * (hour - 12)
    return load, rng.binomial(load.astype(int), 1 / (1 + np.exp(-logit))).astype(np.float64), hour


def fitted(found: ResponseCurve | Excuse) -> ResponseCurve:
    assert isinstance(found, ResponseCurve), found
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_curve_is_recovered(seed: int) -> None:
    load, bad, hour = planted(seed, slope=2.0)
    curve = fitted(fit_response_curve(load, bad, load, 40.0, hour=hour))
    at = np.array([8.0, 16.0, 24.0, 32.0, 38.0])
    assert curve.bad_share(at, 40.0) == pytest.approx(1 / (1 + np.exp(3 - 2 * at / 40)), rel=0.12)
    # 20 % more capacity at a load of 36: from logit -1.2 to -1.5.
    expected = (1 + np.exp(1.2)) / (1 + np.exp(1.5))
    assert float(curve.relief([36.0], 40.0, 48.0)[0]) == pytest.approx(expected, rel=0.1)
    assert curve.log_loss < curve.log_loss_without


def test_the_time_of_day_is_not_taken_for_load() -> None:
    # Delays pile up over the day and evenings are busy; load itself does nothing.
    rng = np.random.default_rng(1)
    hour = np.tile(np.arange(24), 300)
    load = rng.poisson(10 + hour).astype(np.float64) + 1
    bad = rng.binomial(load.astype(int), 0.05 + 0.012 * hour).astype(np.float64)
    naive = fitted(fit_response_curve(load, bad, load, 40.0))
    assert float(naive.relief([35.0], 40.0, 50.0)[0]) < 0.9
    assert isinstance(fit_response_curve(load, bad, load, 40.0, hour=hour), Excuse)


def test_a_curve_hidden_by_the_time_of_day_is_found() -> None:
    # Mornings are busy and good: without the hour the relation looks like none or the reverse.
    rng = np.random.default_rng(2)
    hour = np.tile(np.arange(24), 300)
    load = rng.poisson(34 - hour).astype(np.float64) + 1
    logit = -4.0 + 2.0 * load / 40 + 0.15 * hour
    bad = rng.binomial(load.astype(int), 1 / (1 + np.exp(-logit))).astype(np.float64)
    assert isinstance(fit_response_curve(load, bad, load, 40.0), Excuse)
    curve = fitted(fit_response_curve(load, bad, load, 40.0, hour=hour))
    assert curve.hours_controlled
    ratio = float(curve.bad_share(30.0, 40.0) / curve.bad_share(15.0, 40.0))
    assert 1.5 < ratio < 2.5


def test_beyond_what_was_seen_it_goes_on_and_says_so() -> None:
    load, bad, hour = planted(0, slope=2.0)
    curve = fitted(fit_response_curve(load, bad, load, 40.0, hour=hour))
    assert curve.extrapolated([40.0, 41.0], 40.0).tolist() == [False, True]
    assert float(curve.bad_share(60.0, 40.0)) > float(curve.bad_share(40.0, 40.0)) + 0.1
    assert float(curve.bad_share(0.0, 40.0)) == float(curve.bad_share(3.0, 40.0)) > 0
    assert np.isfinite(curve.bad_share([1e9], 40.0)).all()


def test_no_relation_is_an_excuse() -> None:
    refused = 0
    for seed in range(20):
        load, bad, hour = planted(seed, slope=0.0, days=60)
        refused += isinstance(fit_response_curve(load, bad, load, 40.0, hour=hour), Excuse)
    assert refused >= 19
    load, bad, hour = planted(0, slope=-2.0)
    assert isinstance(fit_response_curve(load, bad, load, 40.0, hour=hour), Excuse)


def test_too_little_is_an_excuse() -> None:
    load, bad, hour = planted(0, slope=2.0)
    few = fit_response_curve(load[:199], bad[:199], load[:199], 40.0, hour=hour[:199])
    assert isinstance(few, Excuse)
    assert few.reason == "199 slices with traffic, 200 needed"
    same = fit_response_curve(np.full(500, 20.0), bad[:500] % 3, np.full(500, 20.0), 40.0)
    assert isinstance(same, Excuse)
    assert "hardly varies" in same.reason
    perfect = fit_response_curve(load, bad * 0, load, 40.0)
    assert isinstance(perfect, Excuse)
    assert "no rate" in perfect.reason
    assert isinstance(fit_response_curve(load * np.nan, bad, load, 40.0), Excuse)


def test_slices_that_were_not_observed_or_had_no_traffic_do_not_count() -> None:
    load, bad, hour = planted(4, slope=2.0)
    holes = load.copy()
    holes[::7] = np.nan
    total = load.copy()
    total[3::7] = 0.0
    kept = np.isfinite(holes) & (total > 0)
    curve = fitted(fit_response_curve(holes, bad, total, 40.0, hour=hour))
    assert curve.slices == int(kept.sum())


def test_impossible_counts_are_refused() -> None:
    load, bad, _ = planted(0, slope=2.0)
    with pytest.raises(InputError, match="between 0 and all events"):
        fit_response_curve(load, load + 1, load, 40.0)
    with pytest.raises(InputError, match="between 0 and all events"):
        fit_response_curve(load, -bad, load, 40.0)
    with pytest.raises(InputError, match="one length"):
        fit_response_curve(load, bad[1:], load, 40.0)
    with pytest.raises(InputError, match="capacity"):
        fit_response_curve(load, bad, load, 0.0)
    curve = fitted(fit_response_curve(load, bad, load, 40.0))
    with pytest.raises(InputError, match="capacity"):
        curve.bad_share([1.0], 0.0)
    with pytest.raises(InputError, match="load"):
        curve.bad_share([np.nan], 40.0)


def test_same_input_same_curve() -> None:
    load, bad, hour = planted(0, slope=2.0)
    one, two = (fitted(fit_response_curve(load, bad, load, 40.0, hour=hour)) for _ in range(2))
    assert np.array_equal(one.logits, two.logits)
    assert one.check == two.check
