"""Seasonal naive: the last season once more. The reference every other model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SeasonalNaive:
    """ŷ(t+h) = the last observed value of the same phase; without a season, the last value.

    Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., section 5.2.
    """

    name = "seasonal_naive"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the last season, repeated, shape (horizon,)."""
        last = context.values[-context.season :]
        return np.asarray(np.resize(last, horizon), dtype=np.float64)
