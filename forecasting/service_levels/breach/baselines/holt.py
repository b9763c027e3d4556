"""The series of past attainments forecast by Holt's linear trend; what is consumed of the window counts as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.baselines.base import Asked, Past

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHAS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Smoothing of the level."""
BETAS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""Smoothing of the trend; 0 with a trend of 0 is simple exponential smoothing."""
FEWEST_ERRORS = 3


def holt_states(
    values: NDArray[np.float64], alpha: NDArray[np.float64], beta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return level and trend after each value and the error of forecasting it one step ahead, shape (n, len(alpha)).

    The recursion of ETS(A,A,N) (Hyndman, Koehler, Ord and Snyder 2008, Forecasting with Exponential Smoothing, table
    2.2), from the first value and no trend; a missing value moves the level by the trend and has no error.

    Examples
    --------
    >>> level, trend, error = holt_states(np.array([1.0, 2.0, 2.0]), np.array([0.5]), np.array([0.1]))
    >>> level[:, 0].tolist(), trend[:, 0].round(3).tolist(), error[1:, 0].tolist()
    ([1.0, 1.5, 1.8], [0.0, 0.1, 0.14], [1.0, 0.3999999999999999])
    """
    shape = (len(values), len(alpha))
    levels, trends, errors = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan)
    level: NDArray[np.float64] | None = None
    trend = np.zeros(len(alpha))
    for k, value in enumerate(values.tolist()):
        if level is None:
            if value == value:
                level = np.full(len(alpha), value)
        else:
            ahead = level + trend
            error = value - ahead if value == value else np.zeros(len(alpha))
            level, trend = ahead + alpha * error, trend + beta * error
            if value == value:
                errors[k] = error
        if level is not None:
            levels[k], trends[k] = level, trend
    return levels, trends, errors


def trend_of_attainment(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Return P(miss) where attainment goes on by Holt's method with normal errors, chosen by past squared error.

    At each question the smoothing with the smallest sum of squared one-step errors so far is taken; the variance h
    windows ahead is s² (1 + Σ (α + β j)²), j below h (the same book, table 6.1).
    """
    from scipy.stats import norm

    found = np.full(len(asked), np.nan)
    if not len(past.attained):
        return found
    alpha, beta = (x.ravel() for x in np.meshgrid(ALPHAS, BETAS, indexing="ij"))
    level, trend, error = holt_states(past.attained, alpha, beta)
    known = ~np.isnan(error[:, 0])
    squares = np.cumsum(np.where(known[:, None], error**2, 0.0), axis=0)
    number = np.cumsum(known)
    bad, seen = past.so_far(asked)
    coming = past.to_come(asked)
    target = float(past.objective.target)
    for k, closed in enumerate(past.closed(asked).tolist()):
        last = closed - 1
        if last < 0 or number[last] < FEWEST_ERRORS or coming[k] <= 0:
            continue
        best = int(np.argmin(squares[last]))
        h = max(1, int(asked.window[k]) - last)
        steps = alpha[best] + beta[best] * np.arange(1, h)
        spread = float(np.sqrt(squares[last, best] / number[last] * (1.0 + (steps**2).sum())))
        mean = float(level[last, best] + h * trend[last, best])
        needed = (target * (seen[k] + coming[k]) - (seen[k] - bad[k])) / coming[k]
        found[k] = norm.cdf((needed - mean) / spread) if spread > 0 else float(mean < needed)
    return found
