"""Series in, calibrated sample paths out: the pooled model for a task, or one series alone by the models named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecasting.forecasts._seeds import seed_of as seed_of
from forecasting.forecasts.backtest import FEW_ORIGINS, NAIVE, Backtest, own_errors, reference_errors, run_backtest
from forecasting.forecasts.base import ForecastContext
from forecasting.forecasts.bounds import clip_to_kind
from forecasting.forecasts.calibrate import ErrorTable, calibrate, error_unit
from forecasting.forecasts.context import make_context, trim
from forecasting.forecasts.guard import guarded_forecast, plausible_range
from forecasting.forecasts.models import get_model
from forecasting.forecasts.paths import error_paths
from forecasting.forecasts.pooled import POOLED, PoolTask, forecast_pooled, learn_pooled, pooled_quantiles
from forecasting.forecasts.select import COMBINATION, Selection, select_model
from forecasting.history.calendar import series_end
from forecasting.terms.covariate import Covariate, Event
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast, ModelChoice
from forecasting.terms.history import Series
from forecasting.terms.learned import Learned

LEAST_OBSERVATIONS = 3
"""Observations without which nothing is said."""
MAX_HORIZON = 20_000
"""Slices ahead at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastTask:
    """A batch of series to be forecast in one process."""

    series: tuple[Series, ...]
    horizon: int
    """Slices after the end of each series."""
    models: tuple[str, ...]
    countries: tuple[str, ...]
    """ISO 3166 code of each series, or empty texts."""
    n_paths: int
    seed: int
    origins: int = 4
    backtest_horizon: int | None = None
    half_life_days: float = 60.0
    mean_block_days: float = 3.0
    timer: Callable[[], float] | None = None
    """A module-level function such as ``time.process_time``, so that the task can be sent to a process."""
    learned: Learned | None = None
    """What the pooled model learnt earlier; None learns from the series of this task."""
    covariates: tuple[tuple[Covariate, ...], ...] = ()
    """Known-ahead covariates of each series; empty = none at all. The pooled model alone uses them."""
    events: tuple[Event, ...] = ()
    """Dated events; those that concern a series are used by the pooled model."""
    explain: bool = False
    """Whether forecasts carry their explanation."""


def forecast_series(
    series: Series,
    horizon: int,
    *,
    models: tuple[str, ...],
    country: str = "",
    n_paths: int,
    seed: int,
    origins: int = 4,
    backtest_horizon: int | None = None,
    timer: Callable[[], float] | None = None,
    half_life_days: float = 60.0,
    mean_block_days: float = 3.0,
) -> Forecast | Excuse:
    """Back-test the models on one series, choose, and forecast it as calibrated sample paths.

    Parameters
    ----------
    series : Series
        History up to the cut-off, NaN for missing; unknown slices at its end are forecast over.
    horizon : int
        Slices after the end of `series`.
    models : tuple of str
        Names from `forecasting.forecasts.models.MODELS`; seasonal naive always runs too.
    country : str
        ISO 3166 code whose public holidays matter, or empty.
    n_paths : int
        Sample paths, 1 or more.
    seed : int
        Seed of the run; the series' own is derived from it and the names.
    origins : int
        Rolling origins of the back-test.
    backtest_horizon : int or None
        Slices scored at each origin; None takes `horizon`. Shortened to a third of the history where that is less.
    timer : callable or None
        Returns CPU seconds; None records 0.
    half_life_days, mean_block_days : float
        Recency of errors and mean length of error blocks.

    Returns
    -------
    Forecast or Excuse
        The forecast starts where `series` ends. `fallback` says why a simpler model answered, if one did.

    Raises
    ------
    InputError
        If an argument is out of range, or a model or country unknown.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile([5.0, 9, 9, 9, 9, 7, 3], 20))
    >>> f = forecast_series(s, 7, models=("seasonal_naive", "seasonal_median"), n_paths=50, seed=1)
    >>> f.model, f.quantile(0.5).round(6)
    ('seasonal_naive', array([5., 9., 9., 9., 9., 7., 3.]))
    """
    _check(horizon, n_paths, origins, backtest_horizon)
    if POOLED in models:
        task = ForecastTask(
            series=(series,),
            horizon=horizon,
            models=models,
            countries=(country,),
            n_paths=n_paths,
            seed=seed,
            origins=origins,
            backtest_horizon=backtest_horizon,
            half_life_days=half_life_days,
            mean_block_days=mean_block_days,
            timer=timer,
            explain=True,
        )
        return forecast_batch(task)[0]
    names = tuple(dict.fromkeys((NAIVE, *models)))
    chosen_models = [get_model(name) for name in names]
    if np.isinf(series.values).any():
        raise InputError(
            argument=f"values of {series.service} {series.metric.name}",
            came="an infinite value",
            allowed="finite numbers, NaN for missing",
            try_instead="leave unknown values empty",
        )
    trimmed, stale = trim(series)
    observed = int(np.sum(~np.isnan(trimmed.values)))
    if observed < LEAST_OBSERVATIONS:
        return Excuse(
            reason=f"{observed} observation{'' if observed == 1 else 's'}, {LEAST_OBSERVATIONS} needed",
            what_would_help="more history",
        )
    if stale > max(len(trimmed), 1):
        return Excuse(
            reason=f"no data for the last {stale} slices, longer than the {len(trimmed)} slices before",
            what_would_help="newer data",
        )
    reach = horizon + stale
    own_seed = seed_of(seed, series.service, series.metric.name)
    context = make_context(trimmed, reach, country)
    half_life = max(half_life_days * context.slices_per_day, 2.0 * context.season)
    block = max(mean_block_days * context.slices_per_day, 1.0)
    scored = min(backtest_horizon or horizon, max(len(trimmed) // 3, 1))
    test = run_backtest(
        trimmed,
        context,
        chosen_models,
        origins=origins,
        horizon=scored,
        seed=own_seed,
        timer=timer or _no_timer,
    )
    if not isinstance(test, Excuse) and NAIVE not in test.forecasts:
        refused = dict(test.declined)[NAIVE]  # the yardstick itself: nothing can be compared with it
        test = Excuse(reason=refused.reason, what_would_help=refused.what_would_help)
    selection, fallback = None, None
    if isinstance(test, Excuse):
        fallback = f"{NAIVE} without a back-test: {test.reason}"
    else:
        last = slice(-context.season, None)
        ordinary = bool(np.array_equal(context.regular[last], context.values[last]))
        selection = select_model(test, trimmed, half_life=half_life, ordinary=ordinary)
    point, model, trouble = _point(trimmed, reach, context, selection, own_seed)
    raw, spread = _paths(trimmed, context, point, test, selection, reach, n_paths, half_life, block, own_seed)
    level = float(np.mean(np.abs(context.values[-2 * context.season :])))
    unit = error_unit(point, level, context.season, series.metric.kind)
    within = np.clip(point + raw * (unit * spread[len(trimmed) :]), *plausible_range(reach, context))
    paths = clip_to_kind(within, series.metric.kind)[:, stale:]
    start = series_end(series)
    return Forecast(
        service=series.service,
        metric=series.metric,
        start=start,
        step=series.step,
        zone=series.zone,
        paths=np.ascontiguousarray(paths),
        model=model,
        cut_off=start,
        seed=own_seed,
        choice=selection.choice if selection else _untested(series, fallback or ""),
        fallback=trouble or fallback,
    )


def forecast_batch(task: ForecastTask) -> tuple[Forecast | Excuse, ...]:
    """Forecast every series of a task, in order.

    With ``pooled`` among the models, the series of a task learn from each other, and the other models named are members
    of the pool; what the pool declines is answered by the simple models, and says so. Without it every series is
    back-tested and forecast alone, and the results do not depend on how series are put into batches.

    Examples
    --------
    >>> forecast_batch(ForecastTask(series=(), horizon=7, models=("seasonal_naive",), countries=(), n_paths=10, seed=1))
    ()
    """
    if POOLED in task.models:
        return _pooled(task)
    return tuple(
        forecast_series(
            one,
            task.horizon,
            models=task.models,
            country=country,
            n_paths=task.n_paths,
            seed=task.seed,
            origins=task.origins,
            backtest_horizon=task.backtest_horizon,
            timer=task.timer,
            half_life_days=task.half_life_days,
            mean_block_days=task.mean_block_days,
        )
        for one, country in zip(task.series, task.countries, strict=True)
    )


def learn(task: ForecastTask) -> Learned | Excuse:
    """Learn across the series of a task, without forecasting; the result forecasts these or other series later.

    Raises
    ------
    InputError
        If an argument is out of range, or a model or country unknown.

    Examples
    --------
    >>> learn(ForecastTask(series=(), horizon=7, models=("pooled",), countries=(), n_paths=10, seed=1)).reason
    'none of 0 series has 8 observations'
    """
    return learn_pooled(_pool_task(task))


def forecast_quantiles(task: ForecastTask, levels: Sequence[float]) -> tuple[NDArray[np.float64] | Excuse, ...]:
    """Return the quantiles of every slice ahead, shape (horizon, len(levels)) per series, without drawing paths.

    For tables of very many series; sums, peaks and attainment need paths, see `forecast_batch`.

    Parameters
    ----------
    task : ForecastTask
    levels : sequence of float
        0 to 1, exclusive, ascending.

    Raises
    ------
    InputError
        If an argument is out of range, or a model or country unknown.

    Examples
    --------
    >>> forecast_quantiles(ForecastTask(series=(), horizon=7, models=("pooled",), countries=(), n_paths=10, seed=1),
    ...     [0.1, 0.5, 0.9])
    ()
    """
    if not all(0 < level < 1 for level in levels) or list(levels) != sorted(levels) or not levels:
        raise InputError(argument="levels", came=list(levels), allowed="ascending, between 0 and 1", try_instead="0.5")
    if POOLED not in task.models:
        answers = forecast_batch(task)
        return tuple(a if isinstance(a, Excuse) else np.quantile(a.paths, list(levels), axis=0).T for a in answers)
    found: list[NDArray[np.float64] | Excuse] = []
    for series, country, answer in zip(
        task.series, _countries(task), pooled_quantiles(_pool_task(task), levels), strict=True
    ):
        if isinstance(answer, Excuse):
            simple = _simple(task, series, country, answer)
            found.append(simple if isinstance(simple, Excuse) else np.quantile(simple.paths, list(levels), axis=0).T)
        else:
            found.append(answer)
    return tuple(found)


SIMPLE = (NAIVE, "seasonal_median", "trend")
"""Models that answer where the pool declines."""


def _countries(task: ForecastTask) -> tuple[str, ...]:
    return task.countries or ("",) * len(task.series)


def _pool_task(task: ForecastTask) -> PoolTask:
    """The task as the pool takes it, checked."""
    _check(task.horizon, max(task.n_paths, 1), task.origins, task.backtest_horizon)
    extra = tuple(name for name in dict.fromkeys(task.models) if name != POOLED)
    for name in extra:
        get_model(name)
    return PoolTask(
        series=task.series,
        horizon=task.horizon,
        countries=_countries(task),
        extra=extra,
        n_paths=task.n_paths,
        seed=task.seed,
        learned=task.learned,
        covariates=task.covariates,
        events=task.events,
        explain=task.explain,
    )


def _pooled(task: ForecastTask) -> tuple[Forecast | Excuse, ...]:
    """The pool's answers, and the simple models' where it declines."""
    answers = forecast_pooled(_pool_task(task))
    return tuple(
        _simple(task, series, country, answer) if isinstance(answer, Excuse) else answer
        for series, country, answer in zip(task.series, _countries(task), answers, strict=True)
    )


def _simple(task: ForecastTask, series: Series, country: str, excuse: Excuse) -> Forecast | Excuse:
    """Forecast by the simple models, with the pool's excuse on record."""
    answer = forecast_series(
        series,
        task.horizon,
        models=SIMPLE,
        country=country,
        n_paths=max(task.n_paths, 200),
        seed=task.seed,
        origins=task.origins,
        backtest_horizon=task.backtest_horizon,
        timer=task.timer,
        half_life_days=task.half_life_days,
        mean_block_days=task.mean_block_days,
    )
    if isinstance(answer, Excuse):
        return answer
    said = f"{answer.model} instead of {POOLED}: {excuse.reason}"
    return replace(answer, fallback=f"{said}; {answer.fallback}" if answer.fallback else said)


def _no_timer() -> float:
    """The time where nobody measures it."""
    return 0.0


def _check(horizon: int, n_paths: int, origins: int, backtest_horizon: int | None) -> None:
    """Refuse arguments out of range."""
    for argument, came, most in (
        ("horizon", horizon, MAX_HORIZON),
        ("n_paths", n_paths, 100_000),
        ("origins", origins, 1_000),
        ("backtest_horizon", 1 if backtest_horizon is None else backtest_horizon, MAX_HORIZON),
    ):
        if not 1 <= came <= most:
            raise InputError(
                argument=argument, came=came, allowed=f"1 to {most}", try_instead=str(min(max(came, 1), most))
            )


def _untested(series: Series, reason: str) -> ModelChoice:
    """The choice where no back-test was possible."""
    return ModelChoice(
        service=series.service, metric=series.metric.name, chosen=NAIVE, scores=(), declined=(), reason=reason
    )


def _point(
    series: Series, horizon: int, context: ForecastContext, selection: Selection | None, seed: int
) -> tuple[NDArray[np.float64], str, str | None]:
    """Point forecast, the model that answered, and why it is not the chosen one."""
    members = selection.members if selection else (NAIVE,)
    answers: list[NDArray[np.float64]] = []
    troubles: list[str] = []
    for name in members:
        answer = guarded_forecast(get_model(name), series, horizon, context=context, seed=seed)
        if isinstance(answer, Excuse):
            troubles.append(f"{name}: {answer.reason}")
        else:
            answers.append(answer)
    if answers:
        model = selection.choice.chosen if selection else NAIVE
        trouble = f"{COMBINATION} without {'; '.join(troubles)}" if troubles else None
        return np.median(np.stack(answers), axis=0), model, trouble
    last = np.resize(context.values[-context.season :], horizon)
    return clip_to_kind(last, series.metric.kind), NAIVE, f"{NAIVE} instead of {'; '.join(troubles)}"


def _differences(series: Series, context: ForecastContext, horizon: int) -> ErrorTable:
    """Differences between all pairs of the last few values, for series too short for anything better."""
    recent = context.values[-20:]
    i, j = np.nonzero(~np.eye(len(recent), dtype=np.bool_))
    unit = error_unit(np.full(1, recent.mean()), float(np.abs(recent).mean()), 1, series.metric.kind)
    errors = (recent[i] - recent[j]) / unit
    return ErrorTable(origins=np.full(len(i), len(series) - 1), errors=np.repeat(errors[:, None], horizon, axis=1))


def _paths(
    series: Series,
    context: ForecastContext,
    point: NDArray[np.float64],
    test: Backtest | Excuse,
    selection: Selection | None,
    horizon: int,
    n_paths: int,
    half_life: float,
    block: float,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Error paths in units times the spread, shape (n_paths, horizon), and the spread, shape (n + horizon,)."""
    if selection is None or isinstance(test, Excuse):
        reach = max(min(horizon, len(series) // 2), 1)
        reference, spread = reference_errors(series, context, reach, context.season)
        if len(reference.origins) < FEW_ORIGINS:
            reference, spread = _differences(series, context, reach), np.ones(len(context.local))
        own = ErrorTable(origins=np.empty(0, dtype=np.int64), errors=np.empty((0, reach)))
    else:
        reference, spread = test.reference, test.spread
        own, _ = own_errors(test, selection.forecasts, series)
    now = len(series)
    distribution = calibrate(own, reference, season=context.season, horizon=horizon, now=now, half_life=half_life)
    raw = error_paths(
        distribution,
        own,
        reference,
        season=context.season,
        horizon=horizon,
        now=now,
        n_paths=n_paths,
        half_life=half_life,
        mean_block=block,
        seed=seed,
    )
    return raw, spread
