"""Regression on Fourier seasons and holidays with ARIMA errors, the order chosen by AICc."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
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

ORDERS: tuple[tuple[int, int, int, bool], ...] = (
    (1, 0, 0, True),
    (2, 0, 1, True),
    (0, 1, 1, False),
    (1, 1, 1, False),
    (0, 1, 1, True),
    (1, 1, 2, False),
)
"""Candidates (p, d, q, constant); the constant of a differenced series is a drift."""
LONGEST_HISTORY = 1_500
"""Slices fitted at most, or two of the main season where that is more."""
MOST_HARMONICS = 10
"""Fourier pairs of one season at most."""
SLICES_PER_COLUMN = 6
"""Observations needed for each Fourier column."""
MOST_ITERATIONS = 100
"""Steps of the optimiser for each order."""
LEAST = 12
"""Observations without which no order is told from another."""


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """One order fitted to the errors of its regression."""

    aicc: float
    path: NDArray[np.float64]


class Sarimax:
    """Regression with ARIMA errors (Hyndman and Athanasopoulos 2021, chapter 10) with statsmodels.

    Seasons are Fourier regressors on the local clock, never a state of their length, so a week of hours costs no more
    than a day. Public holidays and the days around them are regressors where the past shows at least two. The
    coefficients come from least squares (on differences where the order differences), the ARMA part from the
    likelihood of what is left; the least AICc wins, each likelihood given the first observation so that differenced
    and level orders compare. Missing slices stay missing.

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
    >>> Sarimax(budget_seconds=2.0).name
    'sarimax'
    """

    name = "sarimax"
    claims = frozenset({"scale", "shift"})

    def __init__(self, *, budget_seconds: float = BUDGET_SECONDS, timer: Timer = CPU_TIMER) -> None:
        self.budget_seconds = checked_budget(budget_seconds)
        self.timer = timer

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse: too short, no convergence or out of time."""
        box = open_box(self.budget_seconds, self.timer)
        known = ~context.missing
        need = max(2 * context.season, LEAST)
        if int(known.sum()) < need:
            return Excuse(reason=f"{int(known.sum())} observations, {need} needed", what_would_help="a longer history")
        n = len(context.values)
        skip = max(n - max(LONGEST_HISTORY, 2 * context.season), 0)
        values = np.where(context.missing, np.nan, context.values)[skip:]
        centre = float(np.nanmedian(values))
        spread = float(np.nanmax(np.abs(values - centre)))
        if spread == 0:
            return np.full(horizon, centre)
        scaled = (values - centre) / spread
        columns = _regressors(context, skip, horizon, int(np.sum(~np.isnan(values))))
        try:
            best = _best(scaled, columns, horizon, box)
        except OutOfTimeError:
            return box.excuse(len(values))
        return best if isinstance(best, Excuse) else centre + spread * best


def _best(
    values: NDArray[np.float64], columns: NDArray[np.float64], horizon: int, box: TimeBox
) -> NDArray[np.float64] | Excuse:
    """Path of the order with the least AICc, or an excuse with the optimiser's last word."""
    best: _Fit | None = None
    word = ""
    for p, d, q, constant in ORDERS:
        box.check()
        fitted = _fit(values, columns, (p, d, q), constant, horizon, box)
        if isinstance(fitted, str):
            word = f"({p},{d},{q}): {fitted}"
        elif best is None or fitted.aicc < best.aicc:
            best = fitted
    if best is None:
        return Excuse(reason=f"no order converged; last {word}", what_would_help="a longer or less broken history")
    return best.path


def _fit(
    values: NDArray[np.float64],
    columns: NDArray[np.float64],
    order: tuple[int, int, int],
    constant: bool,
    horizon: int,
    box: TimeBox,
) -> _Fit | str:
    """One order: its AICc and path, or what the optimiser said where it failed."""
    n = len(values)
    if constant:  # the level itself, or the drift of a differenced series
        steps = np.arange(n + horizon) / n if order[1] else np.ones(n + horizon)
        columns = np.column_stack((columns, steps))
    regression = columns @ _coefficients(values, columns[:n], order[1])
    errors = values - regression[:n]
    count = int(np.sum(~np.isnan(errors)))
    level = float(np.nanmean(errors)) if order[1] == 0 else float(errors[~np.isnan(errors)][-1])
    size = float(np.nanmax(np.abs(errors - level)))
    if size < 1e-9:  # the regression is exact; nothing is left whose likelihood would be finite
        return _Fit(aicc=-np.inf, path=regression[n:] + level)
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")  # of convergence, which is asked below
        try:
            model = SARIMAX(errors / size, order=order, concentrate_scale=True, loglikelihood_burn=1)
            result = model.fit(
                method="lbfgs",
                maxiter=MOST_ITERATIONS,
                disp=0,
                callback=box.check,
                low_memory=True,
                cov_type="none",
            )
        except np.linalg.LinAlgError as error:
            return str(error)
        path = np.asarray(result.forecast(horizon), dtype=np.float64)
    flag = int(result.mle_retvals["warnflag"])
    if flag:
        return f"{MOST_ITERATIONS} steps were not enough" if flag == 1 else "the search for a better step failed"
    k = sum(order[::2]) + 1 + columns.shape[1]
    if count - k < 3:
        return f"{count} observations for {k} parameters"
    aicc = -2.0 * (float(result.llf) - (count - 1) * float(np.log(size))) + 2.0 * k * count / (count - k - 1)
    if not (np.isfinite(aicc) and np.isfinite(path).all()):
        return "the likelihood is not finite"
    return _Fit(aicc=aicc, path=regression[n:] + size * path)


def _coefficients(values: NDArray[np.float64], columns: NDArray[np.float64], differences: int) -> NDArray[np.float64]:
    """Least squares with a breath of ridge, on differences where the order differences."""
    if differences:
        values, columns = np.diff(values), np.diff(columns, axis=0)
    known = ~np.isnan(values)
    x, y = columns[known], values[known]
    gram = x.T @ x
    ridge = 1e-8 * max(float(np.trace(gram)) / max(len(gram), 1), 1e-12)
    return np.asarray(np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y), dtype=np.float64)


def _regressors(context: ForecastContext, skip: int, horizon: int, observed: int) -> NDArray[np.float64]:
    """Fourier pairs of every season on the local clock, and holidays; shape (n - skip + horizon, columns)."""
    n = len(context.values)
    local = context.local[skip : n + horizon]
    seconds = (local - local[0]).astype("timedelta64[s]").astype(np.int64)
    clock = seconds * (context.slices_per_day / 86_400.0)
    columns: list[NDArray[np.float64]] = []
    seen: set[float] = set()
    most = observed // SLICES_PER_COLUMN
    pairs = [(k, season) for k in range(1, MOST_HARMONICS + 1) for season in context.seasons if 2 * k <= season]
    for k, season in pairs:
        frequency = k / season  # 7 / 168 and 1 / 24 are the same number
        if frequency in seen or len(columns) + 2 > most:
            continue
        seen.add(frequency)
        columns.append(np.cos(2 * np.pi * frequency * clock))
        if 2 * k != season:
            columns.append(np.sin(2 * np.pi * frequency * clock))
    holiday = context.holiday[skip : n + horizon]
    days = np.unique(local[: n - skip][holiday[: n - skip]].astype("datetime64[D]"))
    if len(days) >= 2 and len(columns) + 2 <= most:
        columns.append(holiday.astype(np.float64))
        beside = context.near_holiday[skip : n + horizon] & ~holiday
        if beside[: n - skip].any():
            columns.append(beside.astype(np.float64))
    return np.column_stack(columns) if columns else np.empty((len(local), 0))
