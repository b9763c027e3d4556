"""Right-aligned windows of many series at many origins: what every vectorised member is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_REACH = 112
"""Slices of history a window holds at least (NaN where a series is shorter)."""
LONG_REACH = 1024
"""Above this, a window holds eight of the shortest season, or the longest and one more, not four of the longest."""
CHUNK = 512
"""Windows whose members and features are computed at once."""
LEAST_ORIGINS = 6
MOST_ORIGINS = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """Values known at B origins of S series, each in units of its own scale around its own level.

    A window never holds anything after its origin, so whatever is computed from `values` cannot leak.
    """

    owner: NDArray[np.int64]
    """Shape (B,): index of the series."""
    end: NDArray[np.int64]
    """Shape (B,): number of slices known at the origin."""
    values: NDArray[np.float64]
    """Shape (B, L), right-aligned: (value − centre) ÷ scale, NaN before the start of the series."""
    centre: NDArray[np.float64]
    """Shape (B,): mean of the last season."""
    scale: NDArray[np.float64]
    """Shape (B,): mean absolute difference to the season before, positive."""
    horizon: int
    seasons: tuple[int, ...]
    """Shortest first; (1,) where the calendar suggests none."""

    @property
    def season(self) -> int:
        """The shortest season, in slices."""
        return self.seasons[0]

    def __len__(self) -> int:
        return len(self.end)

    def part(self, rows: slice | NDArray[np.int64]) -> Windows:
        """Return some of the windows."""
        return replace(
            self,
            owner=self.owner[rows],
            end=self.end[rows],
            values=self.values[rows],
            centre=self.centre[rows],
            scale=self.scale[rows],
        )


def nan_mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the mean of what is known, NaN where nothing is; without warnings.

    Examples
    --------
    >>> nan_mean(np.array([[1.0, np.nan], [np.nan, np.nan]]), 1)
    array([ 1., nan])
    """
    with np.errstate(invalid="ignore"):
        total = values.sum(axis=axis)
    bad = ~np.isfinite(total)
    if values.shape[axis]:
        total /= values.shape[axis]
    if not bad.any():
        return np.asarray(total)  # all is known, which the sum tells at a quarter of the cost
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1)) if axis else np.arange(0)
    if axis and 2 * len(rows) < len(bad):
        total[rows] = _mean_of_known(values[rows], axis)
        return np.asarray(total)
    return _mean_of_known(values, axis)


def _mean_of_known(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    known = np.isfinite(values)
    count = np.count_nonzero(known, axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def nan_median(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the median of what is known, NaN where nothing is; without warnings.

    Examples
    --------
    >>> nan_median(np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, np.nan]]), 1)
    array([ 3., nan])
    """
    known = np.isfinite(values)
    if known.all():
        return np.asarray(np.median(values, axis=axis))
    count = known.sum(axis=axis, keepdims=True)
    ordered = np.sort(values, axis=axis)  # NaN last
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis=axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, values.shape[axis] - 1), axis=axis)
    return np.where(count > 0, (low + high) / 2, np.nan).squeeze(axis)


def reach_of(seasons: tuple[int, ...]) -> int:
    """Return the length of a window in slices.

    Examples
    --------
    >>> reach_of((7,)), reach_of((24, 168)), reach_of((288, 2016))
    (112, 672, 2304)
    """
    longest = 4 * seasons[-1]
    return max(LEAST_REACH, longest if longest <= LONG_REACH else max(seasons[-1] + seasons[0], 8 * seasons[0]))


def common_seasons(lengths: Sequence[int], seasons: tuple[int, ...]) -> tuple[int, ...]:
    """Return the seasons that at least half of the series have two of (one and a half of the shortest), or (1,).

    Examples
    --------
    >>> common_seasons([100, 400, 500], (24, 168)), common_seasons([5], (7,)), common_seasons([18], (12,))
    ((24, 168), (1,), (12,))
    """
    least = {s: 1.5 * s if s == seasons[0] else 2 * s for s in seasons}
    kept = tuple(s for s in seasons if 2 * sum(n >= least[s] for n in lengths) >= len(lengths))
    return kept or (1,)


def origins_of(length: int, horizon: int, season: int, wanted: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return up to `wanted` origins of one series, ascending, spread over what is long enough to learn from.

    Each is the number of slices known there. The last quarter of a horizon is left for outcomes; distances are
    jittered, so that they are not multiples of a season.

    Examples
    --------
    >>> origins_of(40, 7, 7, 5, np.random.default_rng(1))
    array([16, 22, 29, 35, 37])
    """
    lowest = min(2 * season + 2, max(length - horizon, 2))
    lowest = max(lowest, min(season + 2, length - 1))
    highest = length - max(1, horizon // 4)
    if highest < lowest:
        return np.empty(0, dtype=np.int64)
    count = min(wanted, highest - lowest + 1)
    origins = np.round(np.linspace(lowest, highest, count)).astype(np.int64)
    step = (highest - lowest) // count
    if step > 3:
        origins = np.clip(origins + rng.integers(-(step // 2), step // 2 + 1, count), lowest, highest)
    return np.unique(origins)


def make_windows(
    series: Sequence[NDArray[np.float64]],
    origins: Sequence[NDArray[np.int64]],
    *,
    horizon: int,
    seasons: tuple[int, ...],
) -> Windows:
    """Return the windows of every series at its origins.

    Parameters
    ----------
    series : sequence of ndarray
        Finite values of each series.
    origins : sequence of ndarray of int
        Of each series: numbers of slices known, 1 to its length.
    horizon : int
    seasons : tuple of int

    Examples
    --------
    >>> w = make_windows([np.array([2.0, 4.0, 6.0])], [np.array([3])], horizon=1, seasons=(1,))
    >>> w.values[0, -3:], w.centre, w.scale
    (array([-2., -1.,  0.]), array([6.]), array([2.]))
    """
    reach = reach_of(seasons)
    owner = np.repeat(np.arange(len(series)), [len(o) for o in origins])
    end = np.concatenate([np.empty(0, dtype=np.int64), *origins])
    raw = np.empty((len(end), reach))
    for row, (who, known) in enumerate(zip(owner.tolist(), end.tolist(), strict=True)):
        width = min(reach, known)
        raw[row, : reach - width] = np.nan
        raw[row, reach - width :] = series[who][known - width : known]
    centre, scale = np.empty(len(end)), np.empty(len(end))
    for start in range(0, len(end), CHUNK):  # parts that stay in the processor's cache
        part = raw[start : start + CHUNK]
        centre[start : start + CHUNK] = np.nan_to_num(nan_mean(part[:, -seasons[0] :], 1))
        scale[start : start + CHUNK] = scale_of(part, seasons[0])
        part -= centre[start : start + CHUNK, None]
        part /= scale[start : start + CHUNK, None]
    return Windows(
        owner=owner,
        end=end,
        values=raw,
        centre=centre,
        scale=scale,
        horizon=horizon,
        seasons=seasons,
    )


def scale_of(raw: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return the mean absolute seasonal difference of each row, shape (B,), never 0.

    A row without any such difference takes its slice-to-slice differences, then its level, then 1.

    Examples
    --------
    >>> scale_of(np.array([[1.0, 2.0, 3.0, 5.0], [0.0, 0.0, 0.0, 0.0]]), 2)
    array([2.5, 1. ])
    """
    size = np.fmax.reduce(np.abs(raw), axis=1, initial=0.0)
    size = np.where(np.isfinite(size), size, np.abs(np.where(np.isfinite(raw), raw, 0.0)).max(axis=1))
    floor = np.maximum(1e-9 * size, 1e-300)
    scale = nan_mean(np.abs(raw[:, season:] - raw[:, :-season]), 1)
    rest = np.flatnonzero(~(np.isfinite(scale) & (scale > floor)))
    if len(rest):
        scale[rest] = nan_mean(np.abs(np.diff(raw[rest], axis=1)), 1)
        scale = np.where(np.isfinite(scale) & (scale > floor), scale, size)
    return np.where(np.isfinite(scale) & (scale > floor), scale, 1.0)


def outcomes_of(
    targets: Sequence[NDArray[np.float64]], windows: Windows, horizon: int | None = None
) -> NDArray[np.float64]:
    """Return what came after each origin in units of the window, shape (B, horizon); NaN where unknown.

    Examples
    --------
    >>> w = make_windows([np.array([2.0, 4.0, 6.0])], [np.array([2])], horizon=2, seasons=(1,))
    >>> outcomes_of([np.array([2.0, 4.0, 6.0])], w)
    array([[ 1., nan]])
    """
    reach = horizon or windows.horizon
    came = np.full((len(windows), reach), np.nan)
    for row, (who, known) in enumerate(zip(windows.owner.tolist(), windows.end.tolist(), strict=True)):
        part = targets[who][known : known + reach]
        came[row, : len(part)] = part
    return (came - windows.centre[:, None]) / windows.scale[:, None]
