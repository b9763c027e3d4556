"""Seasonal median: an ordinary recent week, robust to one odd one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTS = (3, 2, 1, 1, 1)
"""Weight of the last, the last but one ... season in the median."""


class SeasonalMedian:
    """Weighted median of the same phase of the last five seasons, away from holidays, times the holiday factor."""

    name = "seasonal_median"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,)."""
        season, values = context.season, context.regular
        depth = min(len(values) // season, len(WEIGHTS))
        if depth < 2:
            return Excuse(
                reason=f"{len(values)} slices, {2 * season} needed", what_would_help="two full seasons of history"
            )
        recent = values[len(values) - depth * season :].reshape(depth, season)[::-1]
        profile = np.median(np.repeat(recent, WEIGHTS[:depth], axis=0), axis=0)
        return np.resize(profile, horizon) * context.holiday_factor[len(values) : len(values) + horizon]
