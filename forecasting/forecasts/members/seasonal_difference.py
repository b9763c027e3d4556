"""The level of now, moved as it moved from the same phase in past seasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._profiles import repeated, seasons_in
from forecasting.forecasts._windows import Windows, nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTOR = (0.5, 2.0)
"""Growth from season to season is kept within these."""


def seasonal_difference(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return the last level plus past moves from this phase (1 to 3 seasons), and the season before, grown."""
    values, horizon = windows.values, windows.horizon
    length = values.shape[1]
    steps = np.arange(horizon)
    now = nan_mean(values[:, -3:], 1)[:, None]
    offset = (windows.centre / windows.scale)[:, None]
    found: dict[str, NDArray[np.float64]] = {}
    for season in windows.seasons:
        moves: list[NDArray[np.float64]] = []
        for back in (1, 2, 3):
            start = length - back * season
            if start - 1 < 0:
                break
            then = nan_mean(values[:, max(start - 3, 0) : start], 1)[:, None]
            reach = steps if horizon <= back * season else steps % season
            moves.append(values[:, start + reach] - then)
            found[f"moves of {back} seasons ({season})"] = now + nan_mean(np.stack(moves), 0)
        if length >= 2 * season and season > 1:
            newest = nan_mean(values[:, -season:], 1)[:, None] + offset
            older = nan_mean(values[:, -2 * season : -season], 1)[:, None] + offset
            with np.errstate(divide="ignore", invalid="ignore"):
                growth = np.where(older > 0, newest / older, 1.0)
            growth = np.where(np.isfinite(growth), np.clip(growth, *FACTOR), 1.0)
            before = repeated(nan_mean(seasons_in(values, season, 1), 1), horizon) + offset
            found[f"season before times growth ({season})"] = before * growth - offset
    return found
