"""Accuracy of point and quantile forecasts, scaled so that series can be compared.

The first part scores one series. The second part scores many at once: arrays end in (series, origin, step), quantile
forecasts in (series, origin, level, step), and NaN means "not observed" or "not scored".
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVELS: NDArray[np.float64] = np.arange(1, 20) / 20
"""Quantile levels scored: 0.05, 0.10, ..., 0.95."""
LEVELS.setflags(write=False)
DECILES: NDArray[np.float64] = np.arange(1, 10) / 10
"""Levels of the league's scaled quantile loss: 0.1, 0.2, ..., 0.9 (as GIFT-Eval and fev-bench)."""
DECILES.setflags(write=False)
CLIP = (0.01, 100.0)
"""Smallest and largest relative error that one series may add to a geometric mean (fev-bench)."""


def naive_scale(training: NDArray[np.float64], season: int) -> float:
    """Return s = mean |y(t) − y(t−m)| of the training part, NaN left out.

    A series without any such difference (constant or too short) gets the mean absolute value, or 1 where that is 0
    too, so that no score divides by zero.

    Examples
    --------
    >>> naive_scale(np.array([1.0, 2.0, 4.0, 7.0]), 1)
    2.0
    """
    steps = np.abs(training[season:] - training[:-season]) if len(training) > season else np.empty(0)
    steps = steps[~np.isnan(steps)]
    if len(steps) and steps.mean() > 0:
        return float(steps.mean())
    known = np.abs(training[~np.isnan(training)])
    return float(known.mean()) if len(known) and known.mean() > 0 else 1.0


def pinball(actual: ArrayLike, quantile: ArrayLike, level: ArrayLike) -> NDArray[np.float64]:
    """Return the pinball loss of a quantile forecast (Koenker and Bassett 1978), elementwise with broadcasting.

    Examples
    --------
    >>> pinball(10.0, 8.0, 0.9).item(), pinball(8.0, 10.0, 0.9).round(9).item()
    (1.8, 0.2)
    """
    error = np.asarray(actual, dtype=np.float64) - np.asarray(quantile, dtype=np.float64)
    tau = np.asarray(level, dtype=np.float64)
    return np.asarray(np.maximum(tau * error, (tau - 1) * error), dtype=np.float64)


def mase(actual: NDArray[np.float64], median: NDArray[np.float64], scale: float) -> float:
    """Return the mean absolute scaled error (Hyndman and Koehler 2006) over the known outcomes.

    Examples
    --------
    >>> mase(np.array([1.0, np.nan, 5.0]), np.array([2.0, 2.0, 2.0]), 2.0)
    1.0
    """
    return float(np.nanmean(np.abs(actual - median)) / scale)


def sql(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], scale: float, levels: NDArray[np.float64] = LEVELS
) -> float:
    """Return the scaled quantile loss: mean over levels and slices of 2 · pinball ÷ scale.

    Parameters
    ----------
    actual : ndarray, shape (horizon,)
        NaN where unknown.
    quantiles : ndarray, shape (len(levels), horizon)
        Quantile forecasts.
    scale : float
        See `naive_scale`.
    levels : ndarray
        Levels of `quantiles`.

    Examples
    --------
    >>> sql(np.array([3.0]), np.array([[1.0]]), 2.0, np.array([0.5]))  # the absolute error ÷ scale
    1.0
    """
    return float(np.nanmean(2 * pinball(actual[None, :], quantiles, levels[:, None])) / scale)


def wql(actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64] = LEVELS) -> float:
    """Return the weighted quantile loss: sum of 2 · pinball over levels ÷ number of levels ÷ sum |actual|.

    NaN where the outcomes are all zero or unknown.

    Examples
    --------
    >>> wql(np.array([4.0]), np.array([[3.0]]), np.array([0.5]))
    0.25
    """
    total = float(np.nansum(np.abs(actual)))
    loss = float(np.nansum(2 * pinball(actual[None, :], quantiles, levels[:, None]))) / len(levels)
    return loss / total if total > 0 else float("nan")


def msis(
    actual: NDArray[np.float64],
    lower: NDArray[np.float64],
    upper: NDArray[np.float64],
    scale: float,
    level: float = 0.95,
) -> float:
    """Return the mean scaled interval score (Gneiting and Raftery 2007; M4 competition) of a central interval.

    Examples
    --------
    >>> msis(np.array([5.0]), np.array([0.0]), np.array([4.0]), 2.0, level=0.8)  # (4 + 2 / 0.2 · 1) / 2
    7.0
    """
    alpha = 1 - level
    below, above = np.maximum(lower - actual, 0), np.maximum(actual - upper, 0)
    return float(np.round(np.nanmean(upper - lower + 2 / alpha * (below + above)) / scale, 12))


def coverage(actual: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]) -> float:
    """Return the share of known outcomes inside [lower, upper], 0 to 1.

    Examples
    --------
    >>> coverage(np.array([1.0, 5.0, np.nan]), np.zeros(3), np.full(3, 2.0))
    0.5
    """
    known = ~np.isnan(actual)
    return float(np.mean((actual >= lower)[known] & (actual <= upper)[known])) if known.any() else float("nan")


def exact_scale(training: NDArray[np.float64], season: int) -> float:
    """Return s = mean |y(t) − y(t−m)|, or NaN where the series cannot be scaled by it.

    NaN where there is no such pair, or s is below a billionth of the largest value (a constant series): such a series
    is left out of scaled scores instead of being scaled by something else.

    Examples
    --------
    >>> exact_scale(np.array([1.0, 2.0, 4.0, 7.0]), 1), exact_scale(np.full(5, 3.0), 1)
    (2.0, nan)
    """
    steps = np.abs(training[season:] - training[:-season]) if len(training) > season else np.empty(0)
    steps = steps[~np.isnan(steps)]
    if not len(steps):
        return float("nan")
    largest = float(np.nanmax(np.abs(training)))
    return float(steps.mean()) if steps.mean() > 1e-9 * max(largest, 1e-12) else float("nan")


def known_mean(values: NDArray[np.float64], axis: int | tuple[int, ...] | None = None) -> NDArray[np.float64]:
    """Return the mean over `axis` of what is not NaN, NaN where nothing is.

    Examples
    --------
    >>> known_mean(np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]]), axis=1)
    array([ 2., nan])
    """
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), dtype=np.float64)


def quantile_loss(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64] = DECILES
) -> NDArray[np.float64]:
    """Return the mean over levels of 2 · pinball, for each slice.

    With evenly spaced levels it tends to the continuous ranked probability score (CRPS) as they become dense (Gneiting
    and Raftery 2007, section 4.2).

    Parameters
    ----------
    actual : ndarray, shape (..., horizon)
    quantiles : ndarray, shape (..., len(levels), horizon)
    levels : ndarray

    Returns
    -------
    ndarray, shape (..., horizon)

    Examples
    --------
    >>> quantile_loss(np.array([3.0]), np.array([[1.0]]), np.array([0.5]))  # at the median: the absolute error
    array([2.])
    """
    # Level by level, so that the largest intermediate is as large as `actual`, not as `quantiles`.
    total = np.zeros_like(actual, dtype=np.float64)
    for i, level in enumerate(levels.tolist()):
        total += 2 * pinball(actual, quantiles[..., i, :], level)
    return total / len(levels)


def interval_score(
    actual: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64], level: float = 0.95
) -> NDArray[np.float64]:
    """Return the interval score of a central interval for each slice (Gneiting and Raftery 2007, equation 43).

    Its mean ÷ s is the MSIS of the M4 competition.

    Examples
    --------
    >>> interval_score(np.array([5.0]), np.array([0.0]), np.array([4.0]), 0.8).round(9)  # 4 + 2 / 0.2 · 1
    array([14.])
    """
    below, above = np.maximum(lower - actual, 0), np.maximum(actual - upper, 0)
    return np.asarray(upper - lower + 2 / (1 - level) * (below + above), dtype=np.float64)


def symmetric_error(actual: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 200 · |y − f| ÷ (|y| + |f|) for each slice, in percent (0 to 200); its mean is the M4 competition's sMAPE.

    Examples
    --------
    >>> symmetric_error(np.array([100.0, 0.0]), np.array([50.0, 0.0])).round(3)
    array([66.667,  0.   ])
    """
    size = np.abs(actual) + np.abs(point)
    return np.asarray(200 * np.abs(actual - point) / np.maximum(size, 1e-12), dtype=np.float64)


def owa(smape: float, mase: float, naive_smape: float, naive_mase: float) -> float:
    """Return the overall weighted average of the M4 competition (Makridakis et al. 2020).

    Mean of sMAPE and MASE, each averaged over all series first and then divided by that of the naive method.

    Examples
    --------
    >>> round(owa(11.374, 1.536, 13.564, 1.912), 3)  # ES-RNN, the winner; Naive2 of the M4 competition
    0.821
    """
    return (smape / naive_smape + mase / naive_mase) / 2


def scaled_mean(losses: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean loss of each series in units of its scale: over steps, ÷ scale, then over origins.

    Parameters
    ----------
    losses : ndarray, shape (series, origins, horizon)
    scales : ndarray, shape (series, origins)
        Of each training part (`exact_scale`); an origin whose scale is NaN is left out.

    Returns
    -------
    ndarray, shape (series,)

    Examples
    --------
    >>> scaled_mean(np.array([[[1.0, 3.0], [4.0, np.nan]]]), np.array([[2.0, 4.0]]))
    array([1.])
    """
    return known_mean(known_mean(losses, axis=-1) / scales, axis=-1)


def relative_error(
    own: NDArray[np.float64], reference: NDArray[np.float64], clip: tuple[float, float] = CLIP
) -> NDArray[np.float64]:
    """Return own ÷ reference for each series, clipped; NaN where either is unknown or the reference is 0.

    Examples
    --------
    >>> relative_error(np.array([1.0, 0.0, 1.0]), np.array([2.0, 2.0, 0.0]))
    array([0.5 , 0.01,  nan])
    """
    usable = reference > 0
    ratio = np.where(usable, own / np.where(usable, reference, 1.0), np.nan)
    return np.asarray(np.clip(ratio, *clip), dtype=np.float64)


def geometric_mean(ratios: NDArray[np.float64]) -> float:
    """Return the geometric mean of what is not NaN, NaN where nothing is; skill = 1 − this.

    Examples
    --------
    >>> round(geometric_mean(np.array([0.5, 2.0, np.nan])), 12)
    1.0
    """
    return float(np.exp(known_mean(np.log(ratios))))


def bootstrap_means(values: NDArray[np.float64], *, draws: int, seed: int) -> NDArray[np.float64]:
    """Return means of `draws` resamples of `values` with replacement (Efron 1979), shape (draws,); NaN left out.

    Examples
    --------
    >>> bootstrap_means(np.array([2.0, 2.0, np.nan]), draws=3, seed=1)
    array([2., 2., 2.])
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(draws, np.nan)
    rng = np.random.default_rng(seed)
    # A few draws at a time: about 16 MB whatever the number of series.
    part = max(2_000_000 // len(known), 1)
    pieces = [
        known[rng.integers(0, len(known), (min(part, draws - first), len(known)))].mean(axis=1)
        for first in range(0, draws, part)
    ]
    return np.concatenate(pieces)


def geometric_interval(
    ratios: NDArray[np.float64], *, draws: int = 2000, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Return the bootstrap interval over series of the geometric mean of `ratios` (percentiles).

    Examples
    --------
    >>> geometric_interval(np.full(5, 0.5), seed=1)
    (0.5, 0.5)
    """
    means = bootstrap_means(np.log(ratios), draws=draws, seed=seed)
    low, high = np.exp(np.quantile(means, [(1 - level) / 2, (1 + level) / 2]))
    return float(low), float(high)


def horizon_buckets(horizon: int, count: int = 4) -> tuple[tuple[int, int], ...]:
    """Return up to `count` buckets of steps ahead, nearly equally long, as (first, last) counted from 1.

    Examples
    --------
    >>> horizon_buckets(48), horizon_buckets(3)
    (((1, 12), (13, 24), (25, 36), (37, 48)), ((1, 1), (2, 2), (3, 3)))
    """
    edges = np.linspace(0, horizon, min(count, horizon) + 1).round().astype(int).tolist()
    return tuple((first + 1, last) for first, last in pairwise(edges))
