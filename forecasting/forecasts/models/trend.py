"""Robust trend with season: for stocks and levels that grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

SLOPE_SEASONS = 52
"""Seasons at most over which the slope is measured."""
LEVEL_SEASONS = 4
"""Seasons over which the present level is measured."""


class Trend:
    """Theil-Sen slope of the seasonal means, the present level, and the seasonal profile around them.

    The slope is the median over all pairs of seasons (Theil 1950, Sen 1968), so single odd weeks do not move it.
    """

    name = "trend"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse where there are fewer than six seasons."""
        values = context.regular
        season = context.season if context.season > 1 else max(min(len(values) // 12, 7), 1)
        count = len(values) // season
        if count < 6:
            return Excuse(reason=f"{len(values)} slices, {6 * season} needed", what_would_help="six full seasons")
        table = values[len(values) - count * season :].reshape(count, season)
        means = table.mean(axis=1)
        used = means[-min(count, SLOPE_SEASONS) :]
        i, j = np.triu_indices(len(used), 1)
        slope = float(np.median((used[j] - used[i]) / (j - i)))
        recent = min(LEVEL_SEASONS, count)
        age = np.arange(recent - 1, -1, -1)
        level = float(np.median(means[-recent:] + slope * age))
        per_slice = slope / season
        within = np.arange(season) - (season - 1) / 2
        depth = min(count, 12)
        profile = np.median(table[-depth:] - means[-depth:, None] - per_slice * within, axis=0)
        if context.season == 1:
            profile = np.zeros(season)
        ahead = np.arange(1, horizon + 1) + (season - 1) / 2
        path = level + per_slice * ahead + np.resize(profile, horizon)
        return path * context.holiday_factor[len(values) : len(values) + horizon]
