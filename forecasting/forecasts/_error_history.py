"""How the anchor did at earlier origins of the same series, by slice ahead and by phase of the season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 4
"""Parts of the horizon told apart, at most."""
ROWS = 512
"""Windows whose history is computed at once, roughly."""
LABELS = (
    "past size of errors at this distance",
    "past bias at this distance",
    "past shape of errors at this distance",
    "past size of errors in this phase",
    "past bias in this phase",
)


def error_history(miss: NDArray[np.float64], windows: Windows) -> NDArray[np.float32]:
    """Return what was known at each origin about past errors, shape (B, H, 5): see `LABELS`; NaN where nothing was.

    Only origins whose whole horizon had passed count, newer ones more (half-life 12 horizons and two seasons).

    Parameters
    ----------
    miss : ndarray, shape (B, H)
        Outcome − anchor in scales of the window, NaN where unknown.
    windows : Windows

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows
    >>> w = make_windows([np.arange(4.0)], [np.array([2, 3])], horizon=1, seasons=(1,))
    >>> error_history(np.array([[0.5], [np.nan]]), w)[1, 0].round(2)
    array([0.5, 0.5, 1. , 0.5, 0.5], dtype=float32)
    """
    horizon = windows.horizon
    parts = min(BUCKETS, horizon)
    into = np.eye(parts)[np.arange(horizon) * parts // horizon]
    half_life = 12 * horizon + 2 * windows.season
    found = np.full((len(windows), horizon, len(LABELS)), np.nan, dtype=np.float32)
    starts = np.flatnonzero(np.r_[True, np.diff(windows.owner) != 0, True])
    sizes = np.diff(starts)
    first = 0
    while first < len(sizes):  # series with equally many windows together, as many as stay in the processor's cache
        other = np.flatnonzero(sizes[first:] != sizes[first])
        most = max(ROWS // int(sizes[first]), 1)
        stop = first + min(int(other[0]) if len(other) else len(sizes) - first, most)
        part = slice(int(starts[first]), int(starts[stop]))
        shape = (stop - first, int(sizes[first]))
        found[part] = _history_of(
            miss[part].reshape(*shape, horizon),
            windows.end[part].reshape(shape),
            windows.scale[part].reshape(*shape, 1),
            into,
            windows.season,
            half_life,
        ).reshape(-1, horizon, len(LABELS))
        first = stop
    return found


def _history_of(
    miss: NDArray[np.float64],
    end: NDArray[np.int64],
    size: NDArray[np.float64],
    into: NDArray[np.float64],
    season: int,
    half_life: int,
) -> NDArray[np.float32]:
    """Error histories of S series with k windows each: `miss` (S, k, H), `end` (S, k), `size` (S, k, 1)."""
    horizon = miss.shape[2]
    found = np.full((*miss.shape, len(LABELS)), np.nan, dtype=np.float32)
    passed = (end[:, None, :] <= (end - horizon)[:, :, None]).sum(axis=2)
    if not passed.any():
        return found
    known = np.isfinite(miss)
    # In the units of the series, because every window has a scale of its own.
    error = np.where(known, miss, 0.0) * size
    weight = np.exp2(np.clip((end - end[:, -1:]) / half_life, -60.0, 0.0))[:, :, None]
    bucket = into.argmax(axis=1)

    def until(values: NDArray[np.float64]) -> NDArray[np.float64]:
        zero = np.zeros((len(values), 1, values.shape[2]))
        sums = np.concatenate((zero, np.cumsum(values, axis=1)), axis=1)
        return np.asarray(np.take_along_axis(sums, passed[:, :, None], axis=1))

    heavy, absolute, signed = weight * known, weight * np.abs(error), weight * error
    count = until(heavy @ into)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(count > 0, until(absolute @ into) / count, np.nan)
        bias = np.where(count > 0, until(signed @ into) / count, np.nan)
        shape = np.where(mean > 0, np.sqrt(until((weight * error**2) @ into) / count) / mean, np.nan)
        found[..., 0] = (mean / size)[:, :, bucket]
        found[..., 1] = (bias / size)[:, :, bucket]
        found[..., 2] = shape[:, :, bucket]
        phase = (end[:, :, None] + np.arange(horizon)) % season
        windows = end.size
        cell = (np.arange(windows)[:, None] * season + phase.reshape(windows, horizon)).ravel()
        sums = []
        for values in (heavy, absolute, signed):
            table = np.bincount(cell, values.ravel(), minlength=windows * season).astype(np.float64)
            sums.append(np.take_along_axis(until(table.reshape(*end.shape, season)), phase, axis=2))
        found[..., 3] = np.where(sums[0] > 0, sums[1] / sums[0], np.nan) / size
        found[..., 4] = np.where(sums[0] > 0, sums[2] / sums[0], np.nan) / size
    return found
