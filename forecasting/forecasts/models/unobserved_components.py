"""Level, trend and trigonometric seasons as states that move, the trend damped ahead."""

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

LEVELS = ("llevel", "lldtrend", "lltrend")
"""Local level, and local level with a slope that stays or moves (the slope is damped ahead)."""
DAMPING = 0.9
"""Share of the slope that is left after one season (after seven slices where there is none)."""
MOST_HARMONICS = 3
"""Pairs of trigonometric states of one season at most."""
LONGEST_HISTORY = 800
"""Slices fitted at most, or two of the main season where that is more."""
MOST_ITERATIONS = 100
"""Steps of the optimiser for each level."""
LEAST = 12
"""Observations without which level and trend are not told apart."""


class UnobservedComponents:
    """Structural time series model (Harvey 1989) with statsmodels: level or level with trend, and seasons.

    Every season of the context gets at most three harmonics, so a week of hours is six states and not 168. The least
    AICc of local level, local level with a slope and local linear trend wins; the slope fades ahead. Holidays are taken
    out before and put back after (daily series only); missing slices stay missing.

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
    >>> UnobservedComponents(budget_seconds=2.0).name
    'unobserved_components'
    """

    name = "unobserved_components"

    def __init__(self, *, budget_seconds: float = BUDGET_SECONDS, timer: Timer = CPU_TIMER) -> None:
        self.budget_seconds = checked_budget(budget_seconds)
        self.timer = timer

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse: too short, no convergence or out of time."""
        box = open_box(self.budget_seconds, self.timer)
        known = int(np.sum(~context.missing))
        need = max(2 * context.season, LEAST)
        if known < need:
            return Excuse(reason=f"{known} observations, {need} needed", what_would_help="a longer history")
        n = len(context.values)
        longest = max(LONGEST_HISTORY, 2 * context.season)
        values = np.where(context.missing, np.nan, context.regular)[-longest:]
        centre = float(np.nanmedian(values))
        spread = float(np.nanmax(np.abs(values - centre)))
        if spread == 0:
            return np.full(horizon, centre)
        seasons = tuple(s for s in context.seasons if len(values) >= 2 * s)
        damping = DAMPING ** (1.0 / (context.season if context.season > 1 else 7))
        try:
            best = _best((values - centre) / spread, seasons, damping, horizon, box)
        except OutOfTimeError:
            return box.excuse(len(values))
        if isinstance(best, Excuse):
            return best
        return (centre + spread * best) * context.holiday_factor[n : n + horizon]


def _best(
    values: NDArray[np.float64], seasons: tuple[int, ...], damping: float, horizon: int, box: TimeBox
) -> NDArray[np.float64] | Excuse:
    """Path of the level with the least AICc, or an excuse with the optimiser's last word."""
    best: NDArray[np.float64] | None = None
    best_score, word = np.inf, ""
    for level in LEVELS:
        box.check()
        fitted = _fit(values, level, seasons, damping, horizon, box)
        if isinstance(fitted, str):
            word = f"{level}: {fitted}"
        elif best is None or fitted[0] < best_score:
            best_score, best = fitted
    if best is None:
        return Excuse(reason=f"no variant converged; last {word}", what_would_help="a longer or less broken history")
    return best


def _fit(
    values: NDArray[np.float64], level: str, seasons: tuple[int, ...], damping: float, horizon: int, box: TimeBox
) -> tuple[float, NDArray[np.float64]] | str:
    """AICc and path of one kind of level, or what the optimiser said where it failed."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents as Structural

    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")  # of convergence, which is asked below
        try:
            model = Structural(
                values,
                level=level,
                freq_seasonal=[{"period": s, "harmonics": min(MOST_HARMONICS, s // 2)} for s in seasons] or None,
                use_exact_diffuse=False,
            )
            result = model.fit(
                method="lbfgs",
                optim_score="approx",  # by complex steps: at a variance of zero plain differences find no way
                maxiter=MOST_ITERATIONS,
                disp=0,
                callback=box.check,
                low_memory=True,
                cov_type="none",
            )
        except np.linalg.LinAlgError as error:
            return str(error)
        path = np.asarray(result.forecast(horizon), dtype=np.float64)
        slope = float(result.filter_results.predicted_state[1, -1]) if level != "llevel" else 0.0
    flag = int(result.mle_retvals["warnflag"])
    if flag:
        return f"{MOST_ITERATIONS} steps were not enough" if flag == 1 else "the search for a better step failed"
    ahead = np.arange(1, horizon + 1)
    path = path - slope * (ahead - np.cumsum(damping**ahead))
    score = float(result.aicc)
    if not (np.isfinite(score) and np.isfinite(path).all()):
        return "the likelihood is not finite"
    return score, path
