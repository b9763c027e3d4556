"""Accuracy of point and quantile forecasts, scaled so that series can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

LEVELS: NDArray[np.float64] = np.arange(1, 20) / 20
"""Quantile levels scored: 0.05, 0.10, ..., 0.95."""
LEVELS.setflags(write=False)


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
