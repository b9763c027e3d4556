"""Straight-line growth of a stock: its forecast years ahead, and a check on dates."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.headroom import DailyUse, daily_use, forecast_days
from forecasting.capacity.trend import draw, explanations
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREND_DAYS = 365
"""Days of history a line is fitted to: a year, so that seasons do not pass for growth."""
FACTOR_DAYS = 540
"""Days of history below which growth by a factor and by an amount cannot be told apart."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearTrend:
    """Least-squares line through daily values."""

    start: float
    """Value of the line on the first day."""
    slope: float
    """Change per day."""
    slope_error: float
    """Standard error of the slope, from both kinds of deviation below."""
    daily_shock: float
    """Standard deviation of what a day adds beyond the slope and that stays (as in a random walk)."""
    noise: float
    """Standard deviation of what passes: measurement noise and weekdays."""

    def day_at(self, limit: float) -> float | None:
        """Return the days after the first at which the line reaches `limit`; None where it never does."""
        if self.start >= limit:
            return 0.0
        return (limit - self.start) / self.slope if self.slope > 0 else None


def linear_trend(days: NDArray[np.float64], values: NDArray[np.float64]) -> LinearTrend:
    """Fit a line by ordinary least squares and say how far levels stray from it.

    Deviations are a random walk plus noise, told apart by how the variance of changes grows with the days between:
    over 7 and 28 days (whole weeks, so that weekdays cancel), or 1 and 7 where there are fewer than 57 days. Shocks
    count where they exceed twice the error with which noise alone would show them, as a shock too many widens a far
    date by weeks. The slope's error is √(1.2·shock² ÷ n + 12·noise² ÷ n³), its exact large-sample value.

    Parameters
    ----------
    days, values : ndarray
        Shape (n,), n ≥ 3: days counted from any origin (the line's day 0 is the first) and the level on each.

    Raises
    ------
    InputError
        For fewer than three values.

    Examples
    --------
    >>> line = linear_trend(np.arange(10.0), 900 + 2.5 * np.arange(10.0))
    >>> round(line.slope, 6), round(line.day_at(1000.0), 6)
    (2.5, 40.0)
    """
    if len(values) < 3:
        raise InputError(argument="values", came=len(values), allowed="at least 3", try_instead="a longer history")
    x = days - days[0]
    centred = x - x.mean()
    slope = float(centred @ values / (centred @ centred))
    start = float(values.mean() - slope * x.mean())
    grid = np.full(round(float(x[-1])) + 1, np.nan)
    grid[np.round(x).astype(np.int64)] = values - start - slope * x
    short, long = (7, 28) if len(grid) >= 57 else (1, 7)
    over_short, over_long = _spread(grid, short), _spread(grid, long)
    shock2 = max((over_long - over_short) / (long - short), 0.0)
    # The mean square of lagged changes of white noise of variance s² has variance 12·s⁴ ÷ n; two of them differ.
    if shock2 < 2 * np.sqrt(24) * over_short / 2 / np.sqrt(len(values)) / (long - short):
        shock2 = 0.0
    noise2 = max((over_short - short * shock2) / 2, 0.0)
    n = len(grid)
    return LinearTrend(
        start=start,
        slope=slope,
        slope_error=float(np.sqrt(1.2 * shock2 / n + 12 * noise2 / n**3)),
        daily_shock=float(np.sqrt(shock2)),
        noise=float(np.sqrt(noise2)),
    )


def grows_by_factor(days: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Tell whether a stock grows by a constant factor rather than by a constant amount.

    Both lines are fitted to all but the last quarter of history and judged on that quarter; the factor has to halve
    the squared error there, since it promises more the further one looks. Histories under 18 months, or with values
    that are not positive, are never told apart.

    Parameters
    ----------
    days, values : ndarray
        Shape (n,): days in order, and the level on each.

    Examples
    --------
    >>> day = np.arange(1000.0)
    >>> grows_by_factor(day, 500 * 1.001**day), grows_by_factor(day, 500 + 0.5 * day)
    (True, False)
    """
    if len(values) < FACTOR_DAYS or values.min() <= 0:
        return False
    kept = days < days[-1] - (days[-1] - days[0]) / 4
    errors = []
    for forward, back in ((np.asarray, np.asarray), (np.log, np.exp)):
        slope, start = np.polyfit(days[kept] - days[0], forward(values[kept]), 1)
        errors.append(float(np.mean((back(start + slope * (days[~kept] - days[0])) - values[~kept]) ** 2)))
    return errors[1] < errors[0] / 2


def _spread(grid: NDArray[np.float64], lag: int) -> float:
    """Mean square of the changes over `lag` days; 0 where none was observed."""
    change = grid[lag:] - grid[:-lag]
    change = change[np.isfinite(change)]
    return float(np.mean(change**2)) if len(change) else 0.0


def growth_forecast(forecast: Forecast, history: Series, *, as_of: datetime, horizon: int) -> Forecast | Excuse:
    """Forecast a stock by its own growth from the cut-off on.

    A demand model is chosen by how it does a month ahead, where a stock has hardly moved; a stock has to be right on a
    far day. There the explanations of `trend.explanations` are weighed against each other (straight in the level or in
    its logarithm, with or without a bend and a yearly season, straying by noise, shocks that stay or swings that
    pass), and every path follows one of them with what history leaves open of it. With less than a year of history the
    demand forecast is kept and continued by `extend_growth`.

    Parameters
    ----------
    forecast : Forecast
        Daily forecast of the stock; gives start, seed and number of paths.
    history : Series
        The same metric at its own step.
    as_of : datetime
        Cut-off instant; no slice that ends after it is read.
    horizon : int
        Days the result shall cover, 1 or more.

    Returns
    -------
    Forecast or Excuse
        Inside the metric's bounds; an excuse where history is too short.

    Raises
    ------
    InputError
        Where the forecast is not daily.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> disk = Metric(name="tb", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1))
    >>> start, now = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 2, 5, tzinfo=UTC)
    >>> used = Series(service="s", metric=disk, start=start, step=timedelta(days=1), values=700 + 0.5 * np.arange(400))
    >>> week = Forecast(service="s", metric=disk, start=now, step=timedelta(days=1), zone="UTC", model="flat",
    ...     paths=np.full((200, 7), 899.5), cut_off=now, seed=1)
    >>> growth_forecast(week, used, as_of=now, horizon=365).quantile(0.5)[[0, 99, 364]].round(1)
    array([ 900. ,  949.5, 1082. ])
    """
    days = forecast_days(forecast)
    use = daily_use(history, as_of=as_of)
    if isinstance(use, Excuse):
        return use
    if (use.days[-1] - use.days[0]).astype(int) + 1 < TREND_DAYS:
        return extend_growth(forecast, history, as_of=as_of, horizon=horizon)
    day = use.days.astype(np.int64)
    found, forms = explanations(day, use.level)
    rng = np.random.default_rng((forecast.seed, 0x6120))
    first = int((np.datetime64(days[0], "D") - use.days[-1]).astype(int))
    paths = draw(found, forms, first=first, horizon=horizon, paths=len(forecast.paths), rng=rng)
    by_factor = sum(c.weight for c in found if c.form == "factor") > 0.5
    return dataclasses.replace(forecast, paths=_bounded(paths, forecast), model=_named(by_factor))


def _last_year(use: DailyUse) -> tuple[LinearTrend, bool, NDArray[np.bool_]]:
    """Line through the last year, whether it is one in the logarithm, and which days it was fitted to."""
    days = use.days.astype(np.float64)
    by_factor = grows_by_factor(days, use.level)
    recent = use.days > use.days[-1] - TREND_DAYS
    return linear_trend(days[recent], (np.log(use.level) if by_factor else use.level)[recent]), by_factor, recent


def _ahead(line: LinearTrend, ahead: NDArray[np.float64], paths: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Growth and straying of each path after `ahead` days, shape (paths, len(ahead))."""
    slopes = line.slope + line.slope_error * rng.standard_normal((paths,))
    wander = np.cumsum(line.daily_shock * rng.standard_normal((paths, len(ahead))), axis=1)
    noise = line.noise * rng.standard_normal((paths, len(ahead)))
    return np.asarray(slopes[:, None] * ahead[None, :] + wander + noise, dtype=np.float64)


def _bounded(paths: NDArray[np.float64], forecast: Forecast) -> NDArray[np.float64]:
    """Return paths inside the bounds of the metric."""
    low, high = forecast.metric.kind.bounds
    return paths if low is None and high is None else np.clip(paths, low, high)


def _named(by_factor: bool) -> str:
    """Say how it grows."""
    return "growth by a constant factor" if by_factor else "straight-line growth"


def extend_growth(forecast: Forecast, history: Series, *, as_of: datetime, horizon: int) -> Forecast | Excuse:
    """Continue the daily paths of a stock in straight lines, so that far run-outs are seen.

    Where history fits growth by a constant factor better (see `grows_by_factor`), the lines are straight in the
    logarithm. Every path goes on from its own level (mean of its last 7 days) with a slope drawn from that of the
    history's last year and its standard error, and strays from it as history did: shocks that stay, and noise
    that passes (both normal). Growth that will bend (saturation, a new customer) is not in it: that is what scenarios
    are for.

    Parameters
    ----------
    forecast : Forecast
        Daily forecast of the stock.
    history : Series
        The same metric at its own step.
    as_of : datetime
        Cut-off instant; no slice that ends after it is read.
    horizon : int
        Days the result shall cover; a forecast that is long enough is returned as it is.

    Returns
    -------
    Forecast or Excuse
        Inside the metric's bounds, with the model's name extended; an excuse where history is too short.

    Raises
    ------
    InputError
        Where the forecast is not daily.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> disk = Metric(name="tb", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1))
    >>> start, now = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 3, 2, tzinfo=UTC)
    >>> used = Series(service="s", metric=disk, start=start, step=timedelta(days=1), values=900 + 0.5 * np.arange(60))
    >>> week = Forecast(service="s", metric=disk, start=now, step=timedelta(days=1), zone="UTC", model="flat line",
    ...     paths=930 + 0.5 * np.arange(7) + np.zeros((200, 1)), cut_off=now, seed=1)
    >>> longer = extend_growth(week, used, as_of=now, horizon=365)
    >>> longer.quantile(0.5)[[6, 7, 364]].round(1)
    array([ 933. ,  933.5, 1112. ])
    """
    more = horizon - forecast.horizon
    if more <= 0:
        return forecast
    forecast_days(forecast)
    use = daily_use(history, as_of=as_of)
    if isinstance(use, Excuse):
        return use
    line, by_factor, _ = _last_year(use)
    rng = np.random.default_rng((forecast.seed, 0x6120))
    window = min(7, forecast.horizon)
    ends = np.asarray(forecast.paths[:, -window:], dtype=np.float64)
    level = (np.log(np.maximum(ends, use.level.min())) if by_factor else ends).mean(axis=1)
    ahead = np.arange(1.0, more + 1.0) + (window - 1) / 2
    longer = level[:, None] + _ahead(line, ahead, len(forecast.paths), rng)
    longer = _bounded(np.exp(longer) if by_factor else longer, forecast)
    return dataclasses.replace(
        forecast,
        paths=np.concatenate([forecast.paths, longer], axis=1),
        model=f"{forecast.model}, then {_named(by_factor)}",
    )
