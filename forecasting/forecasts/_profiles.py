"""Seasonal profiles and simple levels of many windows at once."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seasons_in(values: NDArray[np.float64], season: int, count: int) -> NDArray[np.float64]:
    """Return the last `count` seasons (fewer where the window is shorter), shape (B, count, season).

    Examples
    --------
    >>> seasons_in(np.arange(5.0)[None], 2, 2)
    array([[[1., 2.],
            [3., 4.]]])
    """
    kept = max(min(count, values.shape[1] // season), 1)
    return values[:, values.shape[1] - kept * season :].reshape(len(values), kept, season)


def repeated(profile: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Return a profile (B, m) repeated over the horizon, shape (B, horizon)."""
    return profile[:, np.arange(horizon) % profile.shape[1]]


def profile_of(values: NDArray[np.float64], season: int, count: int) -> NDArray[np.float64]:
    """Return the additive seasonal profile of the last `count` seasons, shape (B, season), trend taken out.

    Examples
    --------
    >>> profile_of(np.array([[1.0, 3.0, 3.0, 5.0, 5.0, 7.0]]), 2, 3)  # +2 a season, and 0, +1 within it
    array([[-0.5,  0.5]])
    """
    parts = seasons_in(values, season, count)
    means = nan_mean(parts, 2)
    kept = parts.shape[1]
    slope = np.zeros(len(values))
    if kept > 1:
        whole = (means[:, -1] - means[:, 0]) / (kept - 1)
        slope = np.nan_to_num(np.where(np.isfinite(whole), whole, nan_mean(np.diff(means, axis=1), 1)))
    tilt = slope[:, None] * ((np.arange(season) - (season - 1) / 2) / season)[None, :]
    return np.nan_to_num(nan_mean(parts - means[:, :, None], 1) - tilt)


def without_profile(values: NDArray[np.float64], profile: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the last `length` values less the profile, shape (B, length)."""
    season = profile.shape[1]
    return values[:, -length:] - np.tile(profile, -(-length // season))[:, -length:]


def smoothed(values: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the exponentially weighted mean at the end of each row, shape (B,); NaN has no weight.

    Examples
    --------
    >>> smoothed(np.array([[np.nan, 0.0, 1.0]]), 0.5)
    array([0.66666667])
    """
    weight = (1 - alpha) ** np.arange(values.shape[1])[::-1]
    total = values @ weight
    if np.isfinite(total).all():
        return np.asarray(total / weight.sum())
    known = np.isfinite(values)
    total = np.where(known, values, 0.0) @ weight
    return np.asarray(total / np.maximum(known @ weight, 1e-12))


def damped_trend(
    values: NDArray[np.float64], horizon: int, *, alpha: float, beta: float, phi: float
) -> NDArray[np.float64]:
    """Return damped-trend exponential smoothing of every row at once, shape (B, horizon).

    Holt's linear method with damping (Gardner and McKenzie 1985) with fixed parameters; a row begins at its first
    known value.

    Examples
    --------
    >>> damped_trend(np.array([[1.0, 1.0, 1.0]]), 2, alpha=0.3, beta=0.1, phi=0.9)
    array([[1., 1.]])
    """
    known = np.isfinite(values)
    first = np.argmax(known, axis=1)
    level = np.nan_to_num(values[np.arange(len(values)), first])
    ahead = np.cumsum(phi ** np.arange(1, horizon + 1))[None, :]
    length = values.shape[1]
    if length and (known.sum(axis=1) == length - first).all():
        # Without gaps it is linear: what each value adds, and what the first adds more because it is the first level.
        impulse, begun = _responses(length, alpha, beta, phi)
        state = (values if not first.any() else np.where(known, values, 0.0)) @ impulse
        state += level[:, None] * (begun[length - 1 - first] - impulse[first])
        return np.asarray(state[:, :1] + state[:, 1:] * ahead)
    slope = np.zeros(len(values))
    for at in range(length):
        use = known[:, at] & (at > first)
        usual = level + phi * slope
        error = np.where(use, np.where(known[:, at], values[:, at], 0.0) - usual, 0.0)
        level = np.where(use, usual + alpha * error, level)
        slope = np.where(use, phi * slope + alpha * beta * error, slope)
    return np.asarray(level[:, None] + slope[:, None] * ahead)


@lru_cache(maxsize=64)
def _responses(length: int, alpha: float, beta: float, phi: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level and slope after a row, by the place of a single 1 in it, and the slices since a level of 1."""
    move = np.array([[1 - alpha, (1 - alpha) * phi], [-alpha * beta, phi - alpha * beta * phi]])
    impulse, begun = np.empty((length, 2)), np.empty((length, 2))
    one, level = np.array([alpha, alpha * beta]), np.array([1.0, 0.0])
    for ago in range(length):
        impulse[length - 1 - ago], begun[ago] = one, level
        one, level = move @ one, move @ level
    impulse.setflags(write=False)
    begun.setflags(write=False)
    return impulse, begun
