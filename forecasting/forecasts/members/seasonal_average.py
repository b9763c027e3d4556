"""Means and medians of the same phase in the last seasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecasting.forecasts._profiles import repeated, seasons_in
from forecasting.forecasts._windows import Windows, nan_mean, nan_median

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COUNTS = (1, 2, 4, 7)
"""Seasons averaged."""


def seasonal_average(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return phase-wise means of the last 1, 2, 4 and 7 seasons and the median of the last five."""
    values, horizon = windows.values, windows.horizon
    found: dict[str, NDArray[np.float64]] = {}
    for season in windows.seasons:
        held = values.shape[1] // season
        short = season == windows.season
        for count in COUNTS:
            if held >= count and (short or count <= 4):
                name = f"season before ({season})" if count == 1 else f"mean of {count} seasons ({season})"
                found[name] = repeated(nan_mean(seasons_in(values, season, count), 1), horizon)
        if held >= 3:
            middle = nan_median(seasons_in(values, season, 5 if short else 3), 1)
            found[f"median of seasons ({season})"] = repeated(middle, horizon)
    return found
