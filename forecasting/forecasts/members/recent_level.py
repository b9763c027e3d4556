"""Medians of the recent values, without any season."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray


def recent_level(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return the median of the last season (8 slices at least) and of the last four."""
    one = max(windows.season, 8)
    return {
        f"median of {name}": np.repeat(nan_median(windows.values[:, -width:], 1)[:, None], windows.horizon, axis=1)
        for name, width in (("the last season", one), ("the last four seasons", 4 * one))
    }
