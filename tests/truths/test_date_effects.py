"""A slump that all series of months had in common is not learnt as something that comes again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecasting.forecasts._date_effects import date_effects
from forecasting.forecasts._pool_group import PoolSeries
from forecasting.forecasts._windows import make_windows
from forecasting.forecasts.pool import forecast_pool, learn_pool


def _fleet(slump: float) -> list[PoolSeries]:
    """60 series of 48 months: a season, noise, and in months 40 to 42 a common slump that is over."""
    rng = np.random.default_rng(3)
    calendar = np.full((54, 3), np.nan, dtype=np.float32)
    calendar[:, 2] = np.arange(54) % 12
    found = []
    for index in range(60):
        values = 100 + 20 * np.sin(np.arange(48) / 12 * 2 * np.pi + index) + rng.normal(0, 4, 48)
        values[40:43] -= slump
        found.append(PoolSeries(name=f"s{index}", values=values, target=values, calendar=calendar, first=600))
    return found


def _bias(series: list[PoolSeries]) -> float:
    """Mean difference between forecast medians and the fleet's usual mean."""
    learned, _, _ = learn_pool(series, horizon=6, seasons=(12,), seed=1)
    medians = np.stack([f.quantiles[:, 3] for f in forecast_pool(series, learned, horizon=6, seed=1)])
    return float(medians.mean()) - float(np.mean([s.values[[*range(40), *range(43, 48)]].mean() for s in series]))


def test_a_common_slump_pulls_the_forecasts_down_less() -> None:
    series = _fleet(30.0)
    with_dates, without = _bias(series), _bias([replace(s, first=None) for s in series])
    assert without < -1
    assert with_dates > without


def test_the_effect_is_the_mean_over_series_each_once_drawn_to_zero() -> None:
    """25 series, two origins of one: 25 / (25 + 5) of the mean, half of it."""
    origins = [np.array([3, 4])] + [np.array([4])] * 24
    windows = make_windows([np.arange(6.0)] * 25, origins, horizon=2, seasons=(1,))
    miss = np.full((26, 2), np.nan)
    miss[0, 1], miss[1, 0] = 4.0, 2.0  # date 4 of the first series, from two origins: 3 in the mean
    miss[2:, 0] = 1.0
    found = date_effects(miss, windows, [7] * 25)
    assert found[2:, 0] == pytest.approx(0.5 * (3 + 24) / 30, abs=0.01)
    assert found[0, 1] == found[2, 0]
    assert not found[np.isnan(miss)].any()
    assert not date_effects(miss, windows, [7] * 10 + [None] * 15).any()  # ten are too few
    apart = date_effects(miss, windows, list(range(25)))  # every series on a date of its own
    assert not apart.any()
