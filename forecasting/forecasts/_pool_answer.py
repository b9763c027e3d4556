"""From what the pool says of a series to its forecast: bounds, holidays, effects, paths, explanation, record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._marginals import MIDDLE, widened
from forecasting.forecasts._pool_paths import paths_of
from forecasting.forecasts._pool_prepare import PoolTask, Prepared
from forecasting.forecasts._seeds import seed_of
from forecasting.forecasts.bounds import clip_to_kind
from forecasting.forecasts.explain import explain_components
from forecasting.forecasts.guard import plausible_range
from forecasting.forecasts.pool import PoolForecast, PoolLearned
from forecasting.forecasts.select import relative_to_naive
from forecasting.history.calendar import series_end
from forecasting.terms.errors import Excuse
from forecasting.terms.explanation import Explanation
from forecasting.terms.forecast import BacktestScore, Forecast, ModelChoice
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


POOLED = "pooled"
"""Name of the default model."""


def finished(task: PoolTask, one: Prepared, answer: PoolForecast, learned: PoolLearned) -> Forecast | Excuse:
    """The forecast of a series: bounds, holidays, effects, paths, record."""
    series, stale, n = one.series, one.stale, len(one.series)
    reach = task.horizon + stale
    quantiles = widened(answer.quantiles[:reach], one.spread[:, None])
    low, high = plausible_range(reach, one.context)
    held_back = bool((quantiles < low).any() or (quantiles > high).any())
    quantiles = np.clip(quantiles, low, high)
    if not np.isfinite(quantiles).all():
        return Excuse(reason="the pooled model gave values that are not finite", what_would_help="look at the history")
    if task.n_paths:
        raw = paths_of(
            quantiles,
            answer.trajectories,
            learned.trajectories.astype(np.float64) * answer.scale,
            season=one.context.season,
            n_paths=task.n_paths,
            seed=seed_of(task.seed, series.service, series.metric.name),
        )
    else:
        raw = np.ascontiguousarray(quantiles.T)
    raw = raw * one.multiplier
    if one.effects is not None:
        raw = one.effects.put_back(raw)
    bounded = clip_to_kind(raw, series.metric.kind)
    stated = np.quantile(bounded, 0.5, axis=0) if task.n_paths else np.empty(0)
    paths = bounded[:, stale:]
    if not task.n_paths:
        paths = np.ascontiguousarray(paths.T)
    start = series_end(task.series[one.place])
    explanation = None
    notes = []
    if held_back:
        notes.append("intervals were cut at the range that the recent past makes plausible")
    if task.horizon > learned.horizon:
        notes.append(f"the learnt correction is held beyond {learned.horizon} slices; intervals widen from there")
    if task.explain:
        explanation = _explanation(task, one, answer, quantiles, stated, notes)
    return Forecast(
        service=series.service,
        metric=series.metric,
        start=start,
        step=series.step,
        zone=series.zone,
        paths=np.ascontiguousarray(paths),
        model=POOLED,
        cut_off=start,
        seed=seed_of(task.seed, series.service, series.metric.name),
        choice=_choice(series, answer, learned, n),
        fallback=None,
        explanation=explanation,
    )


def _explanation(
    task: PoolTask,
    one: Prepared,
    answer: PoolForecast,
    quantiles: NDArray[np.float64],
    stated: NDArray[np.float64],
    notes: list[str],
) -> Explanation:
    """Components, weights and record of one forecast; `stated` is the median of its paths, shape (reach,) or empty."""
    n, reach = len(one.series), len(quantiles)
    median, anchor = quantiles[:, MIDDLE] * one.multiplier, answer.anchor[:reach] * one.multiplier
    effects: dict[str, NDArray[np.float64]] = {}
    declined: tuple[tuple[str, Excuse], ...] = ()
    if one.effects is not None:
        dated = {event.name for event in task.events}
        changed = median
        for label, wanted in (("events", True), ("covariates", False)):
            parts_of = [part for name, part in one.effects.parts.items() if (name in dated) == wanted]
            before = changed
            for part in parts_of:
                changed = changed * part if one.effects.mode == "multiply" else changed + part
            if parts_of:
                effects[label] = changed - before
        anchor = anchor + (changed - median)
        median, declined = changed, one.effects.declined
    parts = explain_components(
        median,
        history=one.pool.values,
        season=one.context.season,
        seasons=one.context.seasons,
        holiday_factor=np.concatenate((np.ones(n), one.multiplier)),
        effects=effects or None,
        anchor=anchor,
    )
    if not stated.shape[0]:
        stated = clip_to_kind(median, one.series.metric.kind)
    # Bounds, and the order of the paths, move the median a little after the parts were told apart.
    parts["learned"] = parts.get("learned", np.zeros(reach)) + (stated - sum(parts.values()))
    held = answer.held
    coverage: tuple[tuple[float, float, int], ...] = ()
    value_added = None
    if held is not None:
        coverage = ((0.8, held.inside80, held.outcomes), (0.95, held.inside95, held.outcomes))
        value_added = 1 - held.sql / held.naive_sql if held.naive_sql > 0 else None
    return Explanation(
        components={name: values[one.stale :] for name, values in parts.items()},
        weights=tuple((name, weight) for name, weight in answer.weights if weight >= 0.005),
        declined=declined,
        value_added=value_added,
        coverage=coverage,
        notes=tuple(notes),
    )


def _choice(series: Series, answer: PoolForecast, learned: PoolLearned, known: int) -> ModelChoice:
    """The record of why this model answered, with its out-of-fold scores."""
    held = answer.held
    first = ", ".join(f"{name} {weight:.0%}" for name, weight in answer.weights[:3])
    if held is None:
        scores: tuple[BacktestScore, ...] = ()
        reason = f"pooled: {first}; not checked out of fold on this series ({known} slices known)"
    else:
        unknown = float("nan")
        naive = _score("seasonal_naive", held.naive_mae, held.naive_sql, held.origins, unknown, unknown, unknown)
        own = _score(POOLED, held.mae, held.sql, held.origins, held.inside80, held.inside95, held.bias)
        own, naive = relative_to_naive(own, naive), relative_to_naive(naive, naive)
        scores = tuple(sorted((own, naive), key=lambda s: s.sql))
        reason = (
            f"pooled ({first}) has {own.sql_vs_naive:.2f} of seasonal naive's scaled quantile loss on "
            f"{held.outcomes} slices of the newest {held.origins} origins, learnt from what came before them"
        )
    return ModelChoice(
        service=series.service,
        metric=series.metric.name,
        chosen=POOLED,
        scores=scores,
        declined=(),
        reason=reason,
    )


def _score(
    model: str, mae: float, sql: float, origins: int, inside80: float, inside95: float, bias: float
) -> BacktestScore:
    """A score whose ratios to seasonal naive are still to be filled in."""
    return BacktestScore(
        model=model,
        origins=origins,
        mase=mae,
        sql=sql,
        mase_vs_naive=1.0,
        sql_vs_naive=1.0,
        coverage80=inside80,
        coverage95=inside95,
        bias=bias,
        cpu_seconds=0.0,
    )
