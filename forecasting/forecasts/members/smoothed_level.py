"""A level smoothed at several speeds, plus the seasonal profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecasting.forecasts._profiles import profile_of, repeated, smoothed, without_profile
from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SPEEDS = (0.03, 0.1, 0.3, 0.7)
"""Weights of the newest value."""


def smoothed_level(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return simple exponential smoothing of the deseasonalised values, on a fixed grid of speeds and profiles."""
    values, horizon = windows.values, windows.horizon
    found: dict[str, NDArray[np.float64]] = {}
    for season in windows.seasons:
        held = values.shape[1] // season
        counts = [c for c in (2, 4, 8) if held >= c] or [1]
        length = min(values.shape[1], max(4 * season, 3 * horizon))
        for count in sorted({counts[0], counts[-1]}):
            profile = profile_of(values, season, count)
            rest, shape = without_profile(values, profile, length), repeated(profile, horizon)
            for speed in SPEEDS:
                found[f"level {speed}, profile of {count} ({season})"] = smoothed(rest, speed)[:, None] + shape
    return found
