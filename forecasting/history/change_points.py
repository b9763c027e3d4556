"""Simple robust detectors of level shifts and of single impossible values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LevelShift:
    """A lasting change of level."""

    index: int
    """First slice of the new level."""
    before: float
    """Median of the window before."""
    after: float
    """Median of the window after."""
    strength: float
    """Change ÷ spread of the values around their medians (robust standard deviations)."""


def find_level_shifts(
    values: NDArray[np.float64], *, season: int = 1, window: int = 28, threshold: float = 6.0, relative: float = 0.15
) -> tuple[LevelShift, ...]:
    """Find lasting level shifts by comparing the medians of the window before and after each slice.

    Windows are whole numbers of seasons, so the season cancels. A shift counts when the medians differ by more than
    `threshold` robust standard deviations of the seasonal differences and by more than `relative` of the level
    before; of neighbouring candidates the strongest stays.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN for missing.
    season : int
        Slices per season.
    window : int
        Least slices compared on either side; rounded up to whole seasons.
    threshold, relative : float
        Least strength and least relative change.

    Returns
    -------
    tuple of LevelShift
        In order of time; empty where the series is shorter than two windows.

    Examples
    --------
    >>> [s.index for s in find_level_shifts(np.r_[np.arange(60) % 7, 50 + np.arange(60) % 7].astype(float), season=7)]
    [60]
    """
    width = max(-(-window // season) * season, 4)
    if len(values) < 2 * width:
        return ()
    known = ~np.isnan(values)
    if known.mean() < 0.5:
        return ()
    filled = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
    medians = np.median(np.lib.stride_tricks.sliding_window_view(filled, width), axis=1)
    before, after = medians[: len(filled) - 2 * width + 1], medians[width:]
    steps = filled[season:] - filled[:-season]
    spread = 1.4826 * float(np.median(np.abs(steps - np.median(steps)))) / np.sqrt(2)
    spread = max(spread, 0.02 * float(np.median(np.abs(filled))), 1e-12)
    strength = np.abs(after - before) / spread
    strength[np.abs(after - before) <= relative * np.abs(before)] = 0.0
    found: list[LevelShift] = []
    while strength.size and strength.max() > threshold:
        at = int(np.argmax(strength))
        index = _sharpen(filled, at + width, width)
        found.append(
            LevelShift(
                index=index, before=float(before[at]), after=float(after[at]), strength=round(float(strength[at]), 1)
            )
        )
        strength[max(at - width, 0) : at + width + 1] = 0.0
    return tuple(sorted(found, key=lambda shift: shift.index))


def _sharpen(values: NDArray[np.float64], near: int, width: int) -> int:
    """Index near `near` that splits the two windows with the least absolute deviation."""
    part = values[near - width : near + width]
    splits = range(max(width // 2, 2), len(part) - max(width // 2, 2) + 1)
    cost = [np.abs(part[:k] - np.median(part[:k])).sum() + np.abs(part[k:] - np.median(part[k:])).sum() for k in splits]
    return near - width + splits[int(np.argmin(cost))]


def _median_of_four(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of what is known in each column of four, at least one of which is; numpy's costs ten times as much."""
    unknown = np.isnan(values)
    a, b, c, d = np.where(unknown, np.inf, values)  # sorted below by five exchanges, unknown ones last
    a, b, c, d = np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)
    low, high = np.maximum(a, c), np.minimum(b, d)
    ordered = np.stack((np.minimum(a, c), np.minimum(low, high), np.maximum(low, high), np.maximum(b, d)))
    if not unknown.any():
        return np.asarray((ordered[1] + ordered[2]) / 2)
    count = 4 - unknown.sum(axis=0)
    at = np.arange(values.shape[1])
    return np.asarray((ordered[(count - 1) // 2, at] + ordered[count // 2, at]) / 2)


def find_spikes(values: NDArray[np.float64], *, season: int = 1, factor: float = 20.0) -> NDArray[np.bool_]:
    """Mark single values so far out that they are more likely errors of measurement than demand.

    A value is a spike when it lies further from the median of its phase in the two seasons before and after than
    `factor` times the 95 % quantile of such distances in the whole series. A run of half a season or more is no spike
    but a change. Series of fewer than 30 slices have none: too little is known of what is usual.

    Parameters
    ----------
    values : ndarray, shape (n,)
        NaN for missing.
    season : int
        Slices per season.
    factor : float
        How many times the usual large distance.

    Returns
    -------
    ndarray of bool, shape (n,)

    Examples
    --------
    >>> find_spikes(np.r_[np.arange(30) % 3, 9000.0, np.arange(30) % 3]).nonzero()[0]
    array([30])
    """
    n = len(values)
    marked = np.zeros(n, dtype=np.bool_)
    if n < 30:
        return marked
    padded = np.concatenate((np.full(2 * season, np.nan), values, np.full(2 * season, np.nan)))
    around = np.stack([padded[k * season : k * season + n] for k in (0, 1, 3, 4)])
    company = ~(np.isnan(around).all(axis=0) | np.isnan(values))
    distance = np.zeros(n)
    if company.all():
        distance = np.abs(values - _median_of_four(around))
    else:
        distance[company] = np.abs(values[company] - _median_of_four(around[:, company]))
    usual = float(np.quantile(distance[company], 0.95)) if company.any() else 0.0
    if usual > 0 and distance.max() > factor * usual:
        marked = distance > factor * usual
        limit = max(season // 2, 2)
        edges = np.flatnonzero(np.diff(np.concatenate(([0], marked.astype(np.int8), [0]))))
        for first, end in zip(edges[::2], edges[1::2], strict=True):
            if end - first >= limit:
                marked[first:end] = False
    return marked
