"""Exponential smoothing with damped trend and additive season, the variant chosen by AICc."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._threads import one_thread
from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_STATE = 24
"""Longest season kept as a state; a longer one is taken out first."""
LONGEST_HISTORY = 400
"""Slices fitted at most: older ones hardly move a smoothed level."""


class Ets:
    """Additive-error exponential smoothing (Hyndman et al. 2008) with statsmodels.

    Candidates: level only and damped trend, each with additive season, on the values and, where all are positive, on
    log(1 + y). The least AICc wins (with the Jacobian of the log added, so that the two scales compare).
    """

    name = "ets"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse where it is too short or nothing converges."""
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
        best, best_score = None, np.inf
        for log in scales:
            data = np.log1p(values) if log else values
            for damped in (False, True):
                fitted = _fit(data, season, damped, horizon)
                if fitted is None:
                    continue
                aicc, path = fitted
                score = aicc + (2 * float(np.log1p(values).sum()) if log else 0.0)
                if score < best_score:
                    best, best_score = (np.expm1(np.minimum(path, 700)) if log else path), score
        if best is None:
            return Excuse(reason="no variant converged", what_would_help="a longer or less broken history")
        return (best + profile) * context.holiday_factor[len(context.values) : len(context.values) + horizon]


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
    data: NDArray[np.float64], season: int, damped: bool, horizon: int
) -> tuple[float, NDArray[np.float64]] | None:
    """AICc and forecast of one variant, or None where the fit failed."""
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
        result = model.fit(optimized=True, use_brute=False, minimize_kwargs={"options": {"maxiter": 60}})
    path = np.asarray(result.forecast(horizon), dtype=np.float64)
    ok = np.isfinite(result.aicc) and np.isfinite(path).all()
    return (float(result.aicc), path) if ok else None
