"""Prophet: piecewise trend, weekly season and the holidays of the country."""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._time_box import BUDGET_SECONDS, CPU_TIMER, OutOfTimeError, Timer, checked_budget, open_box
from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

YEARLY_FROM_DAYS = 1.8 * 365.25
"""History from which a yearly season is fitted; with less it would be read off the trend."""
LONGEST_HISTORY = 3_000
"""Slices fitted at most."""
MOST_ITERATIONS, MOST_NEWTON_ITERATIONS = 2_000, 300
"""Steps of Stan at most; Prophet takes Newton's method below `NEWTON_BELOW` rows. A series without noise has no optimum
of its likelihood and would run to 10,000."""
NEWTON_BELOW = 100


class ProphetModel:
    """Prophet (Taylor and Letham 2018) at its maximum a posteriori, without sampling.

    All public holidays share one effect for the day itself and one for each neighbour day, since a first year shows
    every holiday once only.

    Parameters
    ----------
    budget_seconds : float
        Seconds for one forecast, above 0; the model declines when they are spent. Its optimiser is a program of its
        own, whose time is taken by the wall clock and not by `timer`.
    timer : callable
        Returns CPU seconds of this process.

    Raises
    ------
    InputError
        If the budget is not a positive number.

    Examples
    --------
    >>> ProphetModel(budget_seconds=2.0).name
    'prophet'
    """

    name = "prophet"

    def __init__(self, *, budget_seconds: float = BUDGET_SECONDS, timer: Timer = CPU_TIMER) -> None:
        self.budget_seconds = checked_budget(budget_seconds)
        self.timer = timer

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse: too short, out of time or Stan's own word."""
        n = len(context.values)
        if n < max(2 * context.season, 14):
            return Excuse(
                reason=f"{n} slices, {max(2 * context.season, 14)} needed", what_would_help="a longer history"
            )
        import pandas as pd

        with redirect_stderr(StringIO()):  # it remarks on plotting libraries it does not find
            import cmdstanpy
            from prophet import Prophet, forecaster
            from prophet import models as backends

        for logger in (cmdstanpy.utils.get_logger(), forecaster.logger, backends.logger):
            logger.disabled = True  # they remark on every fit on stderr
        box = open_box(self.budget_seconds, self.timer)  # the first import of the process is no fault of the series
        skip = max(n - LONGEST_HISTORY, 0)
        local = context.local[skip:]
        n -= skip
        span_days = n / context.slices_per_day
        model = Prophet(
            growth="linear",
            n_changepoints=min(25, n // 8),
            changepoint_prior_scale=0.1,
            yearly_seasonality=10 if span_days >= YEARLY_FROM_DAYS else False,
            weekly_seasonality=3 if context.slices_per_day >= 1 and span_days >= 14 else False,
            daily_seasonality=4 if context.slices_per_day >= 4 and span_days >= 2 else False,
            holidays=_holidays(context, skip),
            uncertainty_samples=0,
        )
        known = ~context.missing[skip:]
        frame = pd.DataFrame({"ds": local[:n][known], "y": context.values[skip:][known]})
        # An hour that happens twice keeps its first value only; Prophet would fit the same instant twice.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its use of pandas, not ours; the result is checked by the guard-rails
            try:
                box.check()
                rows = frame.drop_duplicates("ds")
                steps = MOST_NEWTON_ITERATIONS if len(rows) < NEWTON_BELOW else MOST_ITERATIONS
                model.fit(rows, seed=seed % 2**31, iter=steps, timeout=max(box.left(), 1e-3))
                box.check()
                future = model.predict(pd.DataFrame({"ds": local[n : n + horizon]}))
            except (OutOfTimeError, TimeoutError):
                return box.excuse(n)
            except RuntimeError as error:  # Stan found no optimum, twice
                word = str(error).strip().splitlines() or ["no reason given"]
                return Excuse(reason=f"no optimum: {word[-1][:200]}", what_would_help="a longer or less broken history")
        return np.array(future["yhat"], dtype=np.float64)


def _holidays(context: ForecastContext, skip: int) -> object:
    """Prophet's table of holidays, or None where the past has fewer than two."""
    import pandas as pd

    n = len(context.values)
    days = np.unique(context.local[skip:][context.holiday[skip:]].astype("datetime64[D]"))
    first_future = context.local[n - 1].astype("datetime64[D]")
    if np.sum(days < first_future) < 2 or context.slices_per_day < 1:
        return None
    return pd.DataFrame(
        {"holiday": "public holiday", "ds": pd.to_datetime(days), "lower_window": -2, "upper_window": 1}
    )
