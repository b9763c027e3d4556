"""Scores against closed forms and the published tables of the M4 competition."""

from __future__ import annotations

from itertools import pairwise
from math import erf, exp, pi, sqrt
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import ttest_1samp

from forecasting.forecasts.compare import diebold_mariano
from forecasting.forecasts.league import gaussian_naive, rolling_origins
from forecasting.forecasts.scores import (
    DECILES,
    bootstrap_means,
    exact_scale,
    geometric_interval,
    geometric_mean,
    horizon_buckets,
    interval_score,
    known_mean,
    msis,
    owa,
    quantile_loss,
    relative_error,
    scaled_mean,
    sql,
    symmetric_error,
)

NORMAL = NormalDist()


@pytest.mark.parametrize(
    ("smape", "mase", "published"),
    # Makridakis, Spiliotis, Assimakopoulos (2020), International Journal of Forecasting 36, table of all submissions:
    # Smyl, Montero-Manso et al., the benchmarks Comb and Theta, and Naive 2 itself.
    [
        (11.374, 1.536, 0.821),
        (11.720, 1.551, 0.838),
        (12.555, 1.663, 0.898),
        (12.309, 1.696, 0.897),
        (13.564, 1.912, 1),
    ],
)
def test_owa_of_the_m4_competition(smape: float, mase: float, published: float) -> None:
    assert owa(smape, mase, 13.564, 1.912) == pytest.approx(published, abs=5e-4)


def test_smape_of_the_m4_competition() -> None:
    actual, point = np.array([100.0, 50.0, 0.0]), np.array([110.0, 0.0, 0.0])
    by_hand = [2 * 10 / 210 * 100, 200.0, 0.0]
    np.testing.assert_allclose(symmetric_error(actual, point), by_hand, atol=1e-9)


def test_msis_is_the_formula_of_the_m4_guide() -> None:
    rng = np.random.default_rng(3)
    history, actual = rng.normal(10, 3, 60), rng.normal(10, 3, 8)
    lower, upper = np.full(8, 8.0), np.full(8, 12.0)
    total = 0.0
    for y, low, high in zip(actual, lower, upper, strict=True):
        total += (high - low) + 2 / 0.05 * (low - y) * (y < low) + 2 / 0.05 * (y - high) * (y > high)
    denominator = sum(abs(history[t] - history[t - 12]) for t in range(12, 60)) / (60 - 12)
    expected = total / 8 / denominator
    assert denominator == pytest.approx(exact_scale(history, 12))
    assert float(interval_score(actual, lower, upper).mean()) / denominator == pytest.approx(expected)
    assert msis(actual, lower, upper, denominator) == pytest.approx(expected)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_interval_score_expected_of_a_normal_interval(level: float) -> None:
    """E[score] of the true central interval of N(0, 1) is 4 φ(z) ÷ α."""
    z, alpha = NORMAL.inv_cdf((1 + level) / 2), 1 - level

    def weighted(y: float) -> float:
        return float(interval_score(np.array([y]), np.array([-z]), np.array([z]), level)[0]) * NORMAL.pdf(y)

    parts = sum(quad(weighted, a, b)[0] for a, b in ((-12, -z), (-z, z), (z, 12)))
    assert parts == pytest.approx(4 * NORMAL.pdf(z) / alpha, rel=1e-7)


@pytest.mark.parametrize(("y", "mu", "sigma"), [(0.0, 0.0, 1.0), (1.3, 0.0, 1.0), (20.0, 12.0, 3.0), (-4.0, 0.0, 1.5)])
def test_quantile_loss_tends_to_the_crps_of_a_gaussian(y: float, mu: float, sigma: float) -> None:
    """CRPS(N(mu, sigma²), y) = sigma (z (2 Φ(z) − 1) + 2 φ(z) − 1 ÷ √π) (Gneiting and Raftery 2007, equation 21)."""
    z = (y - mu) / sigma
    crps = sigma * (z * erf(z / sqrt(2)) + 2 * exp(-z * z / 2) / sqrt(2 * pi) - 1 / sqrt(pi))
    errors = []
    for count in (50, 500, 5000):
        levels = (np.arange(count) + 0.5) / count
        quantiles = np.array([[mu + sigma * NORMAL.inv_cdf(q)] for q in levels])
        errors.append(abs(float(quantile_loss(np.array([y]), quantiles, levels)[0]) - crps))
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 1e-3 * sigma


def test_the_true_median_and_quantiles_score_best() -> None:
    rng = np.random.default_rng(1)
    outcomes = rng.normal(size=(1, 4000))
    truth = np.array([NORMAL.inv_cdf(q) for q in DECILES])

    def score(quantiles: NDArray[np.float64]) -> float:
        return float(quantile_loss(outcomes, np.broadcast_to(quantiles[None, :, None], (1, 9, 4000))).mean())

    best = score(truth)
    assert all(best < score(other) for other in (truth + 0.2, truth - 0.2, truth * 0.7, truth * 1.4, truth * 0))


def test_vectorised_scores_equal_the_scores_of_one_series() -> None:
    rng = np.random.default_rng(2)
    actual = rng.normal(size=(3, 2, 5))
    actual[1, 0, 2] = np.nan
    quantiles = np.sort(rng.normal(size=(3, 2, 9, 5)), axis=2)
    scales = rng.uniform(1, 2, (3, 2))
    together = scaled_mean(quantile_loss(actual, quantiles, DECILES), scales)
    for i in range(3):
        alone = [sql(actual[i, j], quantiles[i, j], scales[i, j], DECILES) for j in range(2)]
        assert together[i] == pytest.approx(np.mean(alone))


def test_what_cannot_be_scaled_is_left_out() -> None:
    assert np.isnan(exact_scale(np.full(30, 7.0), 7))
    assert np.isnan(exact_scale(np.arange(5.0), 7))
    assert np.isnan(exact_scale(np.full(30, np.nan), 7))
    assert exact_scale(np.array([1.0, np.nan, 3.0, 7.0]), 1) == 4.0
    np.testing.assert_array_equal(scaled_mean(np.ones((1, 2, 3)), np.array([[np.nan, 2.0]])), [0.5])
    assert np.isnan(known_mean(np.array([np.nan])))


def test_relative_errors_are_clipped_and_averaged_on_the_log_scale() -> None:
    ratios = relative_error(np.array([4.0, 1e-9, 1e9, 1.0]), np.array([1.0, 1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(ratios, [4, 0.01, 100, np.nan])
    assert geometric_mean(ratios) == pytest.approx((4 * 0.01 * 100) ** (1 / 3))


def test_bootstrap_interval_has_the_width_of_the_normal_theory() -> None:
    logs = np.random.default_rng(5).normal(-0.3, 0.5, 400)
    low, high = geometric_interval(np.exp(logs), draws=4000, seed=1)
    half = 1.96 * logs.std() / sqrt(400)
    assert np.log(low) == pytest.approx(logs.mean() - half, abs=0.15 * half)
    assert np.log(high) == pytest.approx(logs.mean() + half, abs=0.15 * half)
    # Drawn in parts where there are many series, all the same draws are made.
    assert bootstrap_means(np.arange(1.5e6), draws=3, seed=1).shape == (3,)


def test_gaussian_naive_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 5.0, 2.0, 6.0])
    out = gaussian_naive(values, 5, 3, np.array([0.5, 0.975]))
    sigma = sqrt((4**2 + 0**2 + 3**2) / 3)
    np.testing.assert_allclose(out[0], [5, 2, 6, 5, 2])
    np.testing.assert_allclose(out[1] - out[0], 1.959963985 * sigma * np.sqrt([1, 1, 1, 2, 2]))
    np.testing.assert_allclose(gaussian_naive(values[:3], 2, 7, np.array([0.5]))[0], [3, 3])
    assert np.isfinite(gaussian_naive(np.array([np.nan, 4.0, np.nan, 5.0, 6.0, np.nan]), 4, 2)).all()


@pytest.mark.parametrize(("length", "horizon", "season", "count"), [(500, 24, 24, 10), (90, 7, 7, 3), (60, 13, 7, 5)])
def test_rolling_origins(length: int, horizon: int, season: int, count: int) -> None:
    origins = rolling_origins(length, horizon, season, count)
    assert len(origins) == count
    assert origins[-1] == length - horizon
    assert all((b - a) % season for a, b in pairwise(origins))
    assert len({o % season for o in origins}) == count
    assert origins[0] >= 2 * season


def test_horizon_buckets_cover_every_step_once() -> None:
    for horizon in (1, 2, 3, 4, 5, 28, 288):
        steps = [s for first, last in horizon_buckets(horizon) for s in range(first, last + 1)]
        assert steps == list(range(1, horizon + 1))


def test_diebold_mariano_one_step_ahead_is_the_t_test() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.gamma(2, 1, 50), rng.gamma(2, 1.2, 50)
    statistic, p = diebold_mariano(first, second)
    reference = ttest_1samp(first - second, 0.0)
    assert (statistic, p) == pytest.approx((float(reference.statistic), float(reference.pvalue)))
    assert np.isnan(diebold_mariano(first, first)[0])
    assert diebold_mariano(second, first, horizon=4)[0] == pytest.approx(-diebold_mariano(first, second, horizon=4)[0])
