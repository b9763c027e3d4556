"""Intermittent demand in the pool: the mixture helps where it should, and touches nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecasting.forecasts._many_zeros import with_many_zeros
from forecasting.forecasts._marginals import LEARNT
from forecasting.forecasts._pool_group import PoolSeries
from forecasting.forecasts._windows import make_windows
from forecasting.forecasts.pool import PoolForecast, forecast_pool, learn_pool

HORIZON, LENGTH = 14, 300


def _pool(values: list[np.ndarray], known: int) -> list[PoolSeries]:
    calendar = np.full((known + HORIZON, 3), np.nan, dtype=np.float32)
    calendar[:, 1] = np.arange(known + HORIZON) % 7
    return [
        PoolSeries(name=f"s{i}", values=v[:known], target=v[:known], calendar=calendar) for i, v in enumerate(values)
    ]


def _rare(rng: np.random.Generator) -> np.ndarray:
    """Parts asked for on few days, in clumps."""
    asked = rng.random(LENGTH) < rng.uniform(0.05, 0.3)
    return np.where(asked, 1.0 + rng.negative_binomial(1.5, 0.3, LENGTH), 0.0)


def _loss(forecasts: tuple[PoolForecast, ...], came: list[np.ndarray]) -> float:
    off = np.stack([c[-HORIZON:, None] - np.maximum(f.quantiles, 0) for c, f in zip(came, forecasts, strict=True)])
    return float(np.maximum(LEARNT * off, (LEARNT - 1) * off).mean())


def test_the_mixture_lowers_the_loss_of_rare_demand_and_leaves_other_series_alone() -> None:
    rng = np.random.default_rng(4)
    rare = [_rare(rng) for _ in range(60)]
    usual = [50 + 10 * np.sin(np.arange(LENGTH) / 7 * 2 * np.pi) + rng.normal(0, 2, LENGTH) for _ in range(20)]
    series = _pool([*rare, *usual], LENGTH - HORIZON)
    learned, _, _ = learn_pool(series, horizon=HORIZON, seasons=(7,), seed=1)
    assert 0.25 < learned.mixture <= 0.5
    mixed = forecast_pool(series, learned, horizon=HORIZON, seed=1)
    plain = forecast_pool(series, replace(learned, mixture=0.0), horizon=HORIZON, seed=1)
    assert _loss(mixed[:60], rare) < _loss(plain[:60], rare)
    for one, other in zip(mixed[60:], plain[60:], strict=True):
        assert np.array_equal(one.quantiles, other.quantiles)


def test_days_without_any_demand_are_forecast_as_such() -> None:
    """Nothing is ever asked for at weekends."""
    rng = np.random.default_rng(2)
    day = np.arange(LENGTH) % 7
    values = [np.where(day < 5, rng.poisson(0.8, LENGTH), 0).astype(float) for _ in range(16)]
    series = _pool(values, LENGTH - HORIZON)
    learned, _, _ = learn_pool(series, horizon=HORIZON, seasons=(7,), seed=1)
    found = np.stack([f.quantiles for f in forecast_pool(series, learned, horizon=HORIZON, seed=1)])
    weekend = day[-HORIZON:] >= 5
    assert np.abs(found[:, weekend, 1:-1]).mean(axis=(0, 1)).max() < 0.1
    assert found[:, ~weekend, -1].mean() > 1.5


@pytest.mark.parametrize(
    ("values", "answer"),
    [
        (np.tile([0.0, 0.0, 5.0], 30), True),
        (np.tile([0.0, 0.0, 5e-7], 30), True),
        (np.tile([0.0, 0.0, 5e9], 30), True),
        (np.tile([0.0, -1.0, 5.0], 30), False),
        (np.zeros(90), False),
        (np.tile([1.0, 2.0, 5.0], 30), False),
        (np.tile([0.0, 2.0, 5.0, 4.0], 30), False),
    ],
)
def test_only_rare_demand_counts_as_such(values: np.ndarray, answer: bool) -> None:
    windows = make_windows([values], [np.array([len(values)])], horizon=1, seasons=(3,))
    assert with_many_zeros(windows, np.array([0])).tolist() == [answer]
