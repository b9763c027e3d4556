"""What a slice would have been: the same phase of neighbouring seasons, and how far the slice was from that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.gaps import fill_gaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 2
"""Seasons looked at on either side."""
UNSEASONAL = 3
"""Distance of neighbours, in slices, where there is no season."""


def neighbour_distance(n: int, season: int, seasons: tuple[int, ...]) -> int:
    """Return the longest season with three repetitions in `n` slices, the main one first; else a few slices."""
    for candidate in (season, *sorted(seasons, reverse=True)):
        if candidate > 1 and 3 * candidate <= n:
            return candidate
    return max(min(UNSEASONAL, n // 3), 1)


def _offsets(n: int, distance: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First seasons, where both sides are not complete: slices and their neighbours, shape (J, slices)."""
    full = min(-(-n // distance), 2 * SIDE)
    edge = np.arange(n)
    if n >= (2 * SIDE + 1) * distance:
        edge = np.concatenate((edge[: SIDE * distance], edge[n - SIDE * distance :]))
    order = sorted((k for k in range(-full, full + 1) if k), key=lambda k: (abs(k), k))
    at = edge[None, :] + np.array(order)[:, None] * distance
    inside = (at >= 0) & (at < n)
    # The nearest neighbours inside; phases with fewer repeat their nearest one.
    rank = np.argsort(~inside, axis=0, kind="stable")[: 2 * SIDE]
    chosen = np.take_along_axis(at, rank, axis=0)
    usable = np.take_along_axis(inside, rank, axis=0)
    return edge, np.where(usable, chosen, chosen[:1])


def around(rows: NDArray[np.float64], distance: int, *, robust: bool) -> NDArray[np.float64]:
    """Median (robust: mean of the middle two) or mean of the four nearest slices of the same phase, never itself.

    `rows` has shape (p, n) and is finite.
    """
    n = rows.shape[1]
    result = np.empty_like(rows)
    edge, neighbours = _offsets(n, distance)

    def combine(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        total = sum(parts[1:], parts[0].copy())
        if not robust or len(parts) < 2 * SIDE:
            return total / len(parts)
        low, high = np.minimum(parts[0], parts[1]), np.maximum(parts[0], parts[1])
        for part in parts[2:]:
            np.minimum(low, part, out=low)
            np.maximum(high, part, out=high)
        return (total - low - high) / (2 * SIDE - 2)

    result[:, edge] = combine([rows[:, index] for index in neighbours])
    reach = SIDE * distance
    if n >= (2 * SIDE + 1) * distance:
        shifts = [k * distance for k in range(-SIDE, SIDE + 1) if k]
        result[:, reach : n - reach] = combine([rows[:, reach + k : n - reach + k] for k in shifts])
    return result


def _quick_fill(values: NDArray[np.float64], distance: int) -> NDArray[np.float64]:
    """Fill gaps with the mean of the known slices of the same phase one and two seasons away; others stay."""
    gaps = np.flatnonzero(np.isnan(values))
    if len(gaps) == 0:
        return values
    at = gaps + distance * np.array([[k] for k in range(-SIDE, SIDE + 1) if k])
    inside = (at >= 0) & (at < len(values))
    near = np.where(inside, values[np.where(inside, at, 0)], np.nan)
    count = np.sum(~np.isnan(near), axis=0)
    filled = values.copy()
    filled[gaps[count > 0]] = np.nansum(near, axis=0)[count > 0] / count[count > 0]
    return filled


def expected_values(
    values: NDArray[np.float64], skip: NDArray[np.bool_], distance: int, season: int
) -> NDArray[np.float64]:
    """Return the value expected of every slice, shape (n,), from other slices; those in `skip` do not count."""
    hidden = np.where(skip, np.nan, values) if skip.any() else values
    if np.isnan(hidden).all():
        return np.full(len(values), np.nan)
    filled = _quick_fill(hidden, distance)
    if np.isnan(filled).any():
        filled, _ = fill_gaps(filled, season)
    return np.asarray(around(filled[None, :], distance, robust=True)[0], dtype=np.float64)


def offset_of(values: NDArray[np.float64]) -> float:
    """A small amount, in the unit of the values, that keeps logarithms of zeros finite; 0 where all are positive."""
    known = values[~np.isnan(values)]
    positive = known[known > 0]
    if len(positive) == 0 or len(positive) == len(known):
        return 0.0
    return float(np.quantile(positive, 0.1)) / 4


def deviations(
    values: NDArray[np.float64], expected: NDArray[np.float64], *, multiplicative: bool, offset: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log ratio (or difference) to the expected values, 0 where unknown, and the weight of every slice.

    Weights are 0 where unknown; of a ratio they grow with the expected value, so that what is small counts little.
    """
    if not multiplicative:
        known = ~np.isnan(values) & ~np.isnan(expected)
        return np.where(known, values - expected, 0.0), known.astype(np.float64)
    up, down = values + offset, expected + offset
    known = (up > 0) & (down > 0)  # NaN compares false
    z = np.zeros(len(values))
    z[known] = np.log(up[known] / down[known])
    typical = float(np.mean(down[known])) if known.any() else 1.0
    return z, np.where(known, down / (down + typical), 0.0)
