"""Rolling-origin back-tests: every model on the same origins, each forecast from what was known then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext, ForecastModel
from forecasting.forecasts.calibrate import ErrorTable, calibrate, carry_forward, error_unit, season_mean, slice_spread
from forecasting.forecasts.context import cut_context
from forecasting.forecasts.guard import guarded_forecast
from forecasting.forecasts.scores import LEVELS, coverage, naive_scale, sql
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import BacktestScore
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE_ORIGINS = 60
"""Origins of the unfitted reference, at most."""
FEW_ORIGINS = 8
"""Below this many trajectories the reference says nothing about a steady drift or about spread."""
NAIVE = "seasonal_naive"


@dataclass(frozen=True, kw_only=True, eq=False)
class Backtest:
    """Forecasts of every model at every origin, with what came."""

    origins: NDArray[np.int64]
    """Shape (k,): slices known at each origin, ascending."""
    horizon: int
    season: int
    actual: NDArray[np.float64]
    """Shape (k, horizon); NaN where not observed."""
    scales: NDArray[np.float64]
    """Shape (k,): naive scale of each training part."""
    levels: NDArray[np.float64]
    """Shape (k,): mean level of each training part's last seasons."""
    forecasts: dict[str, NDArray[np.float64]]
    """Shape (k, horizon) by model."""
    cpu: dict[str, float]
    """CPU seconds of one fit and forecast by model."""
    declined: tuple[tuple[str, Excuse], ...]
    reference: ErrorTable
    """Errors of the unfitted reference at many origins, in units times `spread`."""
    spread: NDArray[np.float64]
    """Shape (n + horizon of the context,): see `forecasting.forecasts.calibrate.slice_spread`."""


def choose_origins(known: int, horizon: int, season: int, count: int) -> NDArray[np.int64]:
    """Return up to `count` origins, ascending, whose distance is not a multiple of the season.

    The last origin leaves exactly `horizon` slices. Earlier ones follow at a distance near the horizon, so that the
    scored windows hardly overlap, but closer where the history is short: each leaves half of it to learn from, or where
    that is too much two seasons (8 slices at least).

    Examples
    --------
    >>> choose_origins(243, 30, 7, 4)
    array([123, 153, 183, 213])
    """
    least = max(2 * season, 8)
    last = known - horizon
    least = max(least, min(known // 2, last - max(season, 4)))
    if last < least or count < 1:
        return np.empty(0, dtype=np.int64)
    step = horizon if count == 1 else max(min(horizon, (last - least) // (count - 1)), 1)
    if season > 1 and step % season == 0:
        step = step - 1 if step > 1 else step + 1
    origins = last - step * np.arange(count)
    return np.asarray(origins[origins >= least][::-1], dtype=np.int64)


def _level(values: NDArray[np.float64], season: int) -> float:
    """Mean absolute level of the last two seasons."""
    return float(np.mean(np.abs(values[-2 * season :])))


def reference_errors(
    series: Series, context: ForecastContext, horizon: int, season: int
) -> tuple[ErrorTable, NDArray[np.float64]]:
    """Return errors of the median of the last three seasons at many origins, and the spread of every slice.

    Errors are in units times the spread; the spread has the length of the context's calendar.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile(np.arange(7.0), 8))
    >>> float(np.abs(reference_errors(s, make_context(s, 7, ""), 7, 7)[0].errors).max())
    0.0
    """
    n = len(series)
    first, last = max(season, 2), n - max(min(horizon, 2 * season, n // 3), 1)
    if last < first:
        return ErrorTable(origins=np.empty(0, dtype=np.int64), errors=np.empty((0, horizon))), np.ones(
            len(context.local)
        )
    origins = np.unique(np.linspace(first, last, min(REFERENCE_ORIGINS, last - first + 1)).round().astype(np.int64))
    errors = np.full((len(origins), horizon), np.nan)
    padded = np.concatenate((series.values, np.full(horizon, np.nan)))
    for row, origin in enumerate(origins.tolist()):
        depth = min(origin // season, 3)
        past = context.values[origin - depth * season : origin].reshape(depth, season)
        forecast = np.resize(np.median(past, axis=0), horizon)
        unit = error_unit(forecast, _level(context.values[:origin], season), season, series.metric.kind)
        errors[row] = (padded[origin : origin + horizon] - forecast) / unit
    if len(origins) >= FEW_ORIGINS:  # a steady drift is no surprise; what is left of it is
        errors -= _steady_drift(carry_forward(errors), season, (n - first) / horizon)
    length = len(context.local)
    spread = slice_spread(ErrorTable(origins=origins, errors=errors), season, context.near_holiday, length)
    slots = np.minimum(origins[:, None] + np.arange(horizon), length - 1)
    return ErrorTable(origins=origins, errors=errors / spread[slots]), spread


def _steady_drift(errors: NDArray[np.float64], season: int, windows: float) -> NDArray[np.float64]:
    """Mean error by horizon as far as it is clearly not chance, shape (horizon,); `windows` do not overlap."""
    mean = season_mean(errors.mean(axis=0), season)
    chance = float(errors.var(axis=0).mean()) / max(windows, 1.0)
    signal = float(np.mean(mean**2))
    return mean * max(0.0, 1.0 - 4.0 * chance / signal) if signal > 0 else mean


def run_backtest(
    series: Series,
    context: ForecastContext,
    models: Sequence[ForecastModel],
    *,
    origins: int,
    horizon: int,
    seed: int,
    timer: Callable[[], float],
) -> Backtest | Excuse:
    """Run every model at every origin.

    Parameters
    ----------
    series : Series
        Begins and ends with an observation.
    context : ForecastContext
        Of `series`.
    models : sequence of ForecastModel
        Seasonal naive first.
    origins, horizon : int
        Number of origins and slices scored at each.
    seed : int
        Passed on to the models.
    timer : callable
        Returns CPU seconds, such as ``time.process_time``; the core has no clock of its own.

    Returns
    -------
    Backtest or Excuse
        A model that declines or fails at any origin is not compared; its excuse is in `declined`.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.forecasts.models import get_model
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile(np.arange(7.0), 8))
    >>> t = run_backtest(s, make_context(s, 7, ""), [get_model("seasonal_naive")], origins=2, horizon=10, seed=1,
    ...     timer=lambda: 0.0)
    >>> t.origins, float(np.abs(t.actual - t.forecasts["seasonal_naive"]).max())
    (array([36, 46]), 0.0)
    """
    season = context.season
    at = choose_origins(len(series), horizon, season, origins)
    at = at[[bool((~np.isnan(series.values[o : o + horizon])).any()) for o in at.tolist()]] if len(at) else at
    if len(at) == 0:
        need = horizon + max(2 * season, 8)
        return Excuse(
            reason=f"{len(series)} slices, {need} needed to score {horizon} ahead",
            what_would_help=f"{need - len(series)} more slices of history",
        )
    pasts = []
    for known in at.tolist():
        past = Series(
            service=series.service,
            metric=series.metric,
            start=series.start,
            step=series.step,
            values=series.values[:known],
            zone=series.zone,
        )
        pasts.append((past, cut_context(series, context.local, context.holiday, known, horizon, context.country)))
    forecasts: dict[str, NDArray[np.float64]] = {}
    cpu: dict[str, float] = {}
    declined: list[tuple[str, Excuse]] = []
    for model in models:
        rows: list[NDArray[np.float64]] = []
        begun = timer()
        for past, then in pasts:
            row = guarded_forecast(model, past, horizon, context=then, seed=seed)
            if isinstance(row, Excuse):
                declined.append((model.name, row))
                break
            rows.append(row)
        else:
            forecasts[model.name] = np.stack(rows)
            cpu[model.name] = (timer() - begun) / len(at)
    reference, spread = reference_errors(series, context, horizon, season)
    return Backtest(
        origins=at,
        horizon=horizon,
        season=season,
        actual=np.stack([series.values[o : o + horizon] for o in at.tolist()]),
        scales=np.array([naive_scale(series.values[:o], season) for o in at.tolist()]),
        levels=np.array([_level(then.values, season) for _, then in pasts]),
        forecasts=forecasts,
        cpu=cpu,
        declined=tuple(declined),
        reference=reference,
        spread=spread,
    )


def own_errors(
    test: Backtest, forecasts: NDArray[np.float64], series: Series
) -> tuple[ErrorTable, NDArray[np.float64]]:
    """Return the errors of `forecasts` (k, horizon) in units, and the units."""
    units = np.stack(
        [
            error_unit(row, level, test.season, series.metric.kind)
            for row, level in zip(forecasts, test.levels, strict=True)
        ]
    )
    units *= test.spread[test.origins[:, None] + np.arange(test.horizon)]
    return ErrorTable(origins=test.origins, errors=(test.actual - forecasts) / units), units


def score_forecasts(
    name: str, test: Backtest, forecasts: NDArray[np.float64], series: Series, *, half_life: float, cpu: float
) -> BacktestScore:
    """Score point forecasts with intervals calibrated on the other origins only.

    The reference's trajectories that overlap a scored window are left out with it. Ratios to seasonal naive are 1 here;
    `relative_to_naive` fills them in.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.forecasts.models import get_model
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile(np.arange(7.0), 8))
    >>> t = run_backtest(s, make_context(s, 7, ""), [get_model("seasonal_naive")], origins=2, horizon=10, seed=1,
    ...     timer=lambda: 0.0)
    >>> score_forecasts("seasonal_naive", t, t.forecasts["seasonal_naive"], s, half_life=60.0, cpu=0.0).mase
    0.0
    """
    own, units = own_errors(test, forecasts, series)
    levels = np.concatenate((LEVELS, [0.1, 0.9, 0.025, 0.975]))
    losses, inside80, inside95 = [], [], []
    low, high = series.metric.kind.bounds
    for i, origin in enumerate(test.origins.tolist()):
        others = np.arange(len(test.origins)) != i
        apart = np.abs(test.reference.origins - origin) >= test.horizon
        reference = test.reference.without(apart) if apart.any() else test.reference
        distribution = calibrate(
            own.without(others),
            reference,
            season=test.season,
            horizon=test.horizon,
            now=origin,
            half_life=half_life,
        )
        quantiles = forecasts[i] + distribution.at(levels) * units[i]
        quantiles = np.clip(quantiles, -np.inf if low is None else low, np.inf if high is None else high)
        losses.append(sql(test.actual[i], quantiles[: len(LEVELS)], float(test.scales[i])))
        inside80.append(coverage(test.actual[i], quantiles[-4], quantiles[-3]))
        inside95.append(coverage(test.actual[i], quantiles[-2], quantiles[-1]))
    error = (forecasts - test.actual) / test.scales[:, None]
    return BacktestScore(
        model=name,
        origins=len(test.origins),
        mase=float(np.nanmean(np.abs(error))),
        sql=float(np.nanmean(losses)),
        mase_vs_naive=1.0,
        sql_vs_naive=1.0,
        coverage80=float(np.nanmean(inside80)),
        coverage95=float(np.nanmean(inside95)),
        bias=float(np.nanmean(error)),
        cpu_seconds=cpu,
    )
