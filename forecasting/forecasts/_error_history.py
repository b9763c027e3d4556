"""How the anchor did at earlier origins of the same series, by slice ahead and by phase of the season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BUCKETS = 4
"""Parts of the horizon told apart, at most."""
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
    horizon, season = windows.horizon, windows.season
    parts = min(BUCKETS, horizon)
    bucket = np.arange(horizon) * parts // horizon
    into = np.eye(parts)[bucket]
    half_life = 12 * horizon + 2 * season
    found = np.full((len(windows), horizon, len(LABELS)), np.nan, dtype=np.float32)
    starts = np.flatnonzero(np.r_[True, np.diff(windows.owner) != 0])
    for first, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(windows)], strict=True):
        end = windows.end[first:stop]
        passed = np.searchsorted(end, end - horizon, side="right")
        if passed[-1] == 0:
            continue
        known = np.isfinite(miss[first:stop])
        # In the units of the series, because every window has a scale of its own.
        size = windows.scale[first:stop, None]
        error = np.where(known, miss[first:stop], 0.0) * size
        weight = np.exp2(np.clip((end - end[-1]) / half_life, -60.0, 0.0))[:, None]

        def until(values: NDArray[np.float64], passed: NDArray[np.int64] = passed) -> NDArray[np.float64]:
            zero = np.zeros((1, *values.shape[1:]))
            return np.concatenate((zero, np.cumsum(values, axis=0)))[passed]

        count = until((weight * known) @ into)
        absolute, signed = until((weight * np.abs(error)) @ into), until((weight * error) @ into)
        square = until((weight * error**2) @ into)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(count > 0, absolute / count, np.nan)
            bias = np.where(count > 0, signed / count, np.nan)
            shape = np.where(mean > 0, np.sqrt(square / count) / mean, np.nan)
            found[first:stop, :, 0] = (mean / size)[:, bucket]
            found[first:stop, :, 1] = (bias / size)[:, bucket]
            found[first:stop, :, 2] = shape[:, bucket]
            phase = (end[:, None] + np.arange(horizon)) % season
            row = np.repeat(np.arange(len(end))[:, None], horizon, axis=1)
            sums = []
            for values in (weight * known, weight * np.abs(error), weight * error):
                table = np.zeros((len(end), season))
                np.add.at(table, (row, phase), values)
                sums.append(until(table)[row, phase])
            found[first:stop, :, 3] = np.where(sums[0] > 0, sums[1] / sums[0], np.nan) / size
            found[first:stop, :, 4] = np.where(sums[0] > 0, sums[2] / sums[0], np.nan) / size
    return found
