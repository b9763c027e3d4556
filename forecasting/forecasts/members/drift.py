"""The last value and the line through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def drift(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return the last value, and lines through it and the value half a horizon, two horizons and a season ago."""
    values, horizon = windows.values, windows.horizon
    steps = np.arange(1, horizon + 1)[None, :]
    last = values[:, -1:]
    found = {"last value": np.repeat(last, horizon, axis=1)}
    for back, name in ((horizon // 2 + 1, "half"), (2 * horizon, "two"), (windows.season, "season")):
        width = min(back, values.shape[1] - 1)
        slope = np.nan_to_num((last - values[:, -1 - width : values.shape[1] - width]) / width)
        found[f"drift ({name})"] = last + slope * steps
    return found
