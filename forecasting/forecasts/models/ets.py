"""Exponential smoothing with damped trend and additive season, the variant chosen by AICc."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._threads import one_thread
from forecasting.forecasts._time_box import (
    BUDGET_SECONDS,
    CPU_TIMER,
    OutOfTimeError,
    TimeBox,
    Timer,
    checked_budget,
    open_box,
)
from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_STATE = 24
"""Longest season kept as a state; a longer one is taken out first."""
LONGEST_HISTORY = 400
"""Slices fitted at most: older ones hardly move a smoothed level."""
MOST_ITERATIONS = 60
"""Steps of the optimiser for each variant; a fit stopped there is used, since the errors hardly change any more."""
CONVERGED, STOPPED = 0, 1
"""The optimiser's status where it found an optimum, and where `MOST_ITERATIONS` stopped it."""


class Ets:
    """Additive-error exponential smoothing (Hyndman et al. 2008) with statsmodels.

    Candidates: level only and damped trend, each with additive season, on the values and, where all are positive, on
    log(1 + y). The least AICc wins (with the Jacobian of the log added, so that the two scales compare).

    Parameters
    ----------
    budget_seconds : float
        CPU seconds for one forecast, above 0; the model declines when they are spent.
    timer : callable
        Returns CPU seconds.

    Raises
    ------
    InputError
        If the budget is not a positive number.

    Examples
    --------
    >>> Ets(budget_seconds=2.0).name
    'ets'
    """

    name = "ets"

    def __init__(self, *, budget_seconds: float = BUDGET_SECONDS, timer: Timer = CPU_TIMER) -> None:
        self.budget_seconds = checked_budget(budget_seconds)
        self.timer = timer

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse: too short, nothing converges or out of time."""
        box = open_box(self.budget_seconds, self.timer)
        values = context.regular
        season = context.season
        if len(values) < max(2 * season, 8):
            need = max(2 * season, 8)
            return Excuse(reason=f"{len(values)} slices, {need} needed", what_would_help="a longer history")
        if np.ptp(values) == 0:
            return np.full(horizon, values[-1])
        profile = np.zeros(horizon)
        if season > LONGEST_STATE:
            values, profile = _take_out(values, season, horizon)
            season = 1
        values = values[-max(LONGEST_HISTORY, 4 * season) :]
        scales = [False, True] if context.low == 0.0 and values.min() > 0 and season == context.season else [False]
        try:
            best = _best(values, season, scales, horizon, box)
        except OutOfTimeError:
            return box.excuse(len(values))
        if isinstance(best, Excuse):
            return best
        return (best + profile) * context.holiday_factor[len(context.values) : len(context.values) + horizon]


def _best(
    values: NDArray[np.float64], season: int, scales: list[bool], horizon: int, box: TimeBox
) -> NDArray[np.float64] | Excuse:
    """Path of the variant with the least AICc, or an excuse with the optimiser's last word."""
    best: NDArray[np.float64] | None = None
    best_score, word = np.inf, ""
    for log in scales:
        data = np.log1p(values) if log else values
        for damped in (False, True):
            box.check()
            fitted = _fit(data, season, damped, horizon, box)
            if isinstance(fitted, str):
                word = fitted
                continue
            aicc, path = fitted
            score = aicc + (2 * float(np.log1p(values).sum()) if log else 0.0)
            if score < best_score:
                best, best_score = (np.expm1(np.minimum(path, 700)) if log else path), score
    if best is None:
        return Excuse(reason=f"no variant converged: {word}", what_would_help="a longer or less broken history")
    return best


def _take_out(
    values: NDArray[np.float64], season: int, horizon: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values without their median seasonal profile, and the profile of the horizon."""
    n = len(values)
    depth = min(n // season, 8)
    recent = values[n - depth * season :].reshape(depth, season)
    centre = np.median(recent, axis=1, keepdims=True)
    profile = np.median(recent - centre, axis=0)
    phase = (np.arange(n + horizon) - (n - depth * season)) % season
    return values - profile[phase[:n]], profile[phase[n:]]


def _fit(
    data: NDArray[np.float64], season: int, damped: bool, horizon: int, box: TimeBox
) -> tuple[float, NDArray[np.float64]] | str:
    """AICc and forecast of one variant, or what the optimiser said where the fit failed."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        model = ExponentialSmoothing(
            data,
            trend="add" if damped else None,
            damped_trend=damped,
            seasonal="add" if season > 1 else None,
            seasonal_periods=season if season > 1 else None,
            initialization_method="heuristic" if len(data) >= max(10, 2 * season + 4) else "estimated",
        )
        result = model.fit(
            optimized=True,
            use_brute=False,
            minimize_kwargs={"options": {"maxiter": MOST_ITERATIONS}, "callback": box.check},
        )
        path = np.asarray(result.forecast(horizon), dtype=np.float64)
        aicc = float(result.aicc)
    if result.mle_retvals.status not in (CONVERGED, STOPPED):
        return str(result.mle_retvals.message)
    return (aicc, path) if np.isfinite(aicc) and np.isfinite(path).all() else "the errors are not finite"
