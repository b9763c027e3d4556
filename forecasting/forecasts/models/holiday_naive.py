"""Holiday naive: the last ordinary week once more, with the effect of the holidays to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


class HolidayNaive:
    """Seasonal naive on a history without holidays, times the holiday factor of each slice ahead.

    A week with a public holiday in it is a poor pattern for the weeks after; the days around holidays are replaced by
    the same weekday of the weeks around, brought to the present level.
    """

    name = "holiday_naive"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse where no public holiday is known."""
        if not context.holiday.any():
            return Excuse(
                reason="no public holiday in the history or the horizon",
                what_would_help="the service's country in the catalogue (forecasting/country)",
            )
        n = len(context.values)
        last = context.regular[-context.season :]
        return np.resize(last, horizon) * context.holiday_factor[n : n + horizon]
