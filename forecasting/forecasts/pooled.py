"""From series to forecasts by the pooled model: calendar, gaps, holidays and effects around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._marginals import MIDDLE, at_levels, widened
from forecasting.forecasts._pool_check import HeldOut
from forecasting.forecasts._pool_group import Group, PoolSeries
from forecasting.forecasts._pool_paths import paths_of
from forecasting.forecasts._pool_state import pack, unpack
from forecasting.forecasts._seeds import seed_of
from forecasting.forecasts._threads import one_thread
from forecasting.forecasts._windows import Windows
from forecasting.forecasts.backtest import reference_errors
from forecasting.forecasts.base import ForecastContext
from forecasting.forecasts.bounds import clip_to_kind
from forecasting.forecasts.context import cut_context, local_time, make_context, seasons_of, trim
from forecasting.forecasts.effects import Effects, estimate_effects
from forecasting.forecasts.explain import explain_components
from forecasting.forecasts.guard import guarded_forecast, plausible_range
from forecasting.forecasts.models import get_model
from forecasting.forecasts.pool import PoolForecast, PoolLearned, forecast_pool, learn_pool
from forecasting.forecasts.select import relative_to_naive
from forecasting.history.calendar import series_end, slice_bounds
from forecasting.history.gaps import fill_gaps
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.explanation import Explanation
from forecasting.terms.forecast import BacktestScore, Forecast, ModelChoice
from forecasting.terms.history import Series
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.covariate import Covariate, Event

POOLED = "pooled"
"""Name of the default model."""
LEARN_SERIES = 1000
"""Series a group learns from, at most; the others are forecast with what these taught."""
PARTITION = 1000
"""Series forecast at once, at most, so that memory does not grow with their number."""
PARTITION_CELLS = 60_000_000
"""Windows times slices ahead times members of a partition, roughly, at most."""
LEAST_LEARNT = 8
"""Observations below which the pool declines a series."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolTask:
    """What the pooled model is asked; see `forecasting.forecasts.engine.ForecastTask`."""

    series: tuple[Series, ...]
    horizon: int
    countries: tuple[str, ...]
    extra: tuple[str, ...]
    """Models of the table that are members too."""
    n_paths: int
    seed: int
    learned: Learned | None = None
    covariates: tuple[tuple[Covariate, ...], ...] = ()
    events: tuple[Event, ...] = ()
    explain: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class _Prepared:
    """One series with its calendar and effects."""

    place: int
    """In the task."""
    series: Series
    stale: int
    context: ForecastContext
    pool: PoolSeries
    effects: Effects | None
    multiplier: NDArray[np.float64]
    """Shape (reach,): factor of holidays."""
    spread: NDArray[np.float64]
    """Shape (reach,): how much wider intervals are near holidays."""


def forecast_pooled(task: PoolTask) -> tuple[Forecast | Excuse, ...]:
    """Forecast every series of a task with the pooled model, in order.

    Series are grouped by their step; each group learns across its series unless the task brings what was learnt.
    Results depend on the other series of the task, not on their order.
    """
    import sklearn.ensemble  # noqa: F401  loaded before the number of threads is limited, which is for what is loaded

    with one_thread():
        return _forecast_pooled(task)


def _forecast_pooled(task: PoolTask) -> tuple[Forecast | Excuse, ...]:
    found: dict[int, Forecast | Excuse] = {}
    known = unpack(task.learned) if task.learned is not None else None
    for step, places in _by_step(task, found).items():
        lesson = _lesson(task, step, places, known)
        if isinstance(lesson, Excuse):
            found |= dict.fromkeys(places, lesson)
            continue
        learned, held = lesson.learned, lesson.held
        for part in _partitions(places, task.horizon, len(learned.names)):
            same = part == lesson.places
            prepared = lesson.prepared if same else _prepared(task, part)
            reach = task.horizon + max(p.stale for p in prepared)
            answers = forecast_pool(
                [p.pool for p in prepared],
                learned,
                horizon=reach,
                seed=task.seed,
                held=[held.get(p.place) for p in prepared],
                extra=_extra_members(task, prepared) if task.extra else None,
                group=lesson.group if same and reach == task.horizon else None,
            )
            for one, answer in zip(prepared, answers, strict=True):
                found[one.place] = _finished(task, one, answer, learned)
    return tuple(found[place] for place in range(len(task.series)))


def pooled_quantiles(task: PoolTask, levels: Sequence[float]) -> tuple[NDArray[np.float64] | Excuse, ...]:
    """Return only the marginal quantiles of every series, shape (horizon, len(levels)) each, without drawing paths.

    They are what the quantiles of `forecast_pooled`'s paths tend to with more paths; for tables of very many series,
    where nobody asks for sums and peaks, they cost a third.
    """
    wanted = np.asarray(levels, dtype=np.float64)
    answers = forecast_pooled(replace(task, n_paths=0))
    return tuple(a if isinstance(a, Excuse) else at_levels(a.paths, wanted) for a in answers)


def learn_pooled(task: PoolTask) -> Learned | Excuse:
    """Learn across the series of a task and return what was learnt; an excuse where no series is long enough."""
    import sklearn.ensemble  # noqa: F401  as above

    groups: dict[timedelta, PoolLearned] = {}
    declined: dict[int, Forecast | Excuse] = {}
    with one_thread():
        for step, places in _by_step(task, declined).items():
            lesson = _lesson(task, step, places, None)
            if not isinstance(lesson, Excuse):
                groups[step] = lesson.learned
    if not groups:
        return Excuse(
            reason=f"none of {len(task.series)} series has {LEAST_LEARNT} observations",
            what_would_help="more history",
        )
    digest = sha256()
    for one in task.series:
        digest.update(f"{one.service}\x1f{one.metric.name}\x1f{one.start.isoformat()}\x1f{one.step}".encode())
        digest.update(np.ascontiguousarray(one.values).tobytes())
    return pack(
        groups,
        about={
            "series": len(task.series),
            "data_sha256": digest.hexdigest(),
            "seed": task.seed,
            "data_until": max(series_end(s) for s in task.series).isoformat(),
        },
    )


def _by_step(task: PoolTask, found: dict[int, Forecast | Excuse]) -> dict[timedelta, list[int]]:
    """Places of the series the pool takes, by step; the others get their excuse in `found`."""
    groups: dict[timedelta, list[int]] = {}
    for place, series in enumerate(task.series):
        excuse = declines(series)
        if excuse is not None:
            found[place] = excuse
        else:
            groups.setdefault(series.step, []).append(place)
    names = [(s.service, s.metric.name) for s in task.series]
    return {step: sorted(places, key=lambda p: (names[p], p)) for step, places in sorted(groups.items())}


def declines(series: Series) -> Excuse | None:
    """Return why the pool does not take a series, or None.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> declines(Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1,
    ...     tzinfo=UTC), step=timedelta(days=1), values=np.array([1.0, np.nan]))).reason
    '1 observation, 8 needed'
    """
    if np.isinf(series.values).any():
        raise InputError(
            argument=f"values of {series.service} {series.metric.name}",
            came="an infinite value",
            allowed="finite numbers, NaN for missing",
            try_instead="leave unknown values empty",
        )
    known = np.flatnonzero(~np.isnan(series.values))
    count = len(known)
    if count < LEAST_LEARNT:
        return Excuse(
            reason=f"{count} observation{'' if count == 1 else 's'}, {LEAST_LEARNT} needed",
            what_would_help="more history",
        )
    length = int(known[-1] - known[0]) + 1
    stale = len(series) - 1 - int(known[-1])
    if stale > length:
        return Excuse(
            reason=f"no data for the last {stale} slices, longer than the {length} slices before",
            what_would_help="newer data",
        )
    return None


def _partitions(places: list[int], horizon: int, members: int) -> list[list[int]]:
    """Cut the places into parts that fit into memory."""
    size = max(min(PARTITION, PARTITION_CELLS // (7 * horizon * members)), 1)
    return [places[start : start + size] for start in range(0, len(places), size)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lesson:
    """What a group learnt, with what was computed on the way."""

    learned: PoolLearned
    held: Mapping[int, HeldOut | None]
    """By place."""
    places: list[int]
    """Learnt from; empty where it was learnt earlier."""
    prepared: list[_Prepared]
    group: Group | None


def _lesson(
    task: PoolTask, step: timedelta, places: list[int], known: Mapping[timedelta, PoolLearned] | None
) -> _Lesson | Excuse:
    """What a group learnt, now or earlier, and the checks of its series."""
    if known is not None:
        if step in known:
            return _Lesson(learned=known[step], held={}, places=[], prepared=[], group=None)
        return Excuse(reason=f"nothing was learnt about slices of {step}", what_would_help="learn again")
    rng = np.random.default_rng(task.seed)
    most = max(min(LEARN_SERIES, PARTITION_CELLS // (7 * task.horizon * 45)), 1)
    chosen = places if len(places) <= most else sorted(rng.choice(places, size=most, replace=False).tolist())
    prepared = _prepared(task, chosen)
    learned, held, group = learn_pool(
        [p.pool for p in prepared],
        horizon=task.horizon,
        seasons=seasons_of(step),
        seed=task.seed,
        extra=_extra_members(task, prepared) if task.extra else None,
    )
    return _Lesson(
        learned=learned,
        held=dict(zip(chosen, held, strict=True)),
        places=chosen,
        prepared=prepared,
        group=group,
    )


def _prepared(task: PoolTask, places: list[int]) -> list[_Prepared]:
    """Prepare series that are forecast together: as far ahead as the one whose data end earliest needs."""
    trimmed = [trim(task.series[place]) for place in places]
    reach = task.horizon + max(stale for _, stale in trimmed)
    return [_prepare(task, place, reach, *one) for place, one in zip(places, trimmed, strict=True)]


def _prepare(task: PoolTask, place: int, reach: int, series: Series, stale: int) -> _Prepared:
    """Context, effects and the pool's view of one series, `reach` slices beyond its last observation."""
    context = make_context(series, reach, task.countries[place] if task.countries else "")
    n = len(series)
    own = task.horizon + stale  # covariates are known no further
    values, effects, unknown = context.regular, None, context.missing
    mine = [e for e in task.events if e.concerns(series.service, series.metric.name)]
    covariates = task.covariates[place] if task.covariates else ()
    if mine or covariates:
        skipped = int((series.start - task.series[place].start) / series.step)
        cut = tuple(replace(c, values=c.values[skipped:]) for c in covariates)
        at = slice_bounds(series.start, series.step, series.zone, n + own)[:-1]
        effects = estimate_effects(
            np.where(np.isnan(series.values), np.nan, context.regular),
            n_known=n,
            season=context.season,
            seasons=context.seasons,
            covariates=cut,
            events=mine,
            at=at,
            kind=series.metric.kind,
        )
        values, taken_out = fill_gaps(effects.adjusted, context.season)
        unknown = unknown | taken_out
    target = np.where(unknown | context.holiday[:n], np.nan, values)
    spread = np.ones(own)
    if context.near_holiday[n:].any() and context.near_holiday[:n].any():
        spread = _holiday_spread(series, context, own)
    return _Prepared(
        place=place,
        series=series,
        stale=stale,
        context=context,
        pool=PoolSeries(
            name=f"{series.service}\x1f{series.metric.name}",
            values=values,
            target=target,
            calendar=_calendar_of(series.start, series.step, series.zone, len(context.local)),
        ),
        effects=effects,
        multiplier=context.holiday_factor[n : n + own],
        spread=spread,
    )


def _holiday_spread(series: Series, context: ForecastContext, reach: int) -> NDArray[np.float64]:
    """How much wider the days near holidays scatter than the same weekdays away from them, shape (reach,)."""
    _, spread = reference_errors(series, context, max(min(reach, len(series) // 3), 1), context.season)
    phase = np.arange(len(spread)) % context.season
    usual = np.array([spread[(phase == p) & ~context.near_holiday].min(initial=np.inf) for p in range(context.season)])
    ratio = np.where(np.isfinite(usual[phase]), spread / usual[phase], 1.0)
    return np.clip(ratio, 1.0, 2.0)[len(series) : len(series) + reach]


@lru_cache(maxsize=16)
def _calendar_of(start: datetime, step: timedelta, zone: str, count: int) -> NDArray[np.float32]:
    """`_calendar` of slices, read-only; the same for all series of a fleet that begin together."""
    found = _calendar(local_time(start, step, zone, count), step)
    found.setflags(write=False)
    return found


def _calendar(local: NDArray[np.datetime64], step: timedelta) -> NDArray[np.float32]:
    """Hour of the day, time of the week in days, month of local time; NaN where the step makes no use of it."""
    found = np.full((len(local), 3), np.nan, dtype=np.float32)
    seconds = local.astype("datetime64[s]").astype(np.int64)
    if step < timedelta(days=1):
        found[:, 0] = seconds % 86_400 / 3600
    if step <= timedelta(days=1):
        found[:, 1] = (seconds / 86_400 + 3) % 7  # 1970-01-01 was a Thursday
    if step >= timedelta(days=28) and len(local):  # slices of a month, whatever number of days stands for one
        first = int(local[:1].astype("datetime64[M]").astype(np.int64)[0])
        found[:, 2] = (first + np.arange(len(local)) * max(round(step / timedelta(days=30)), 1)) % 12
    return found


def _extra_members(
    task: PoolTask, prepared: Sequence[_Prepared]
) -> Callable[[Windows], dict[str, NDArray[np.float64]]]:
    """Models of the table as members: asked at every origin with what was known there."""

    def members(windows: Windows) -> dict[str, NDArray[np.float64]]:
        rows: dict[str, NDArray[np.float64]] = {
            name: np.full((len(windows), windows.horizon), np.nan) for name in task.extra
        }
        for row, (who, known) in enumerate(zip(windows.owner.tolist(), windows.end.tolist(), strict=True)):
            one = prepared[who]
            if known < LEAST_LEARNT:
                continue
            past = replace(one.series, values=one.series.values[:known])
            if np.isnan(past.values[-1]):
                past, _ = trim(past)
            then = cut_context(
                past, one.context.local, one.context.holiday, len(past), windows.horizon, one.context.country
            )
            shift = known - len(past)
            for name in task.extra:
                answer = guarded_forecast(get_model(name), past, windows.horizon, context=then, seed=task.seed)
                if isinstance(answer, Excuse):
                    continue
                factor = then.holiday_factor[len(past) :]
                plain = np.where(factor > 0, answer / np.where(factor > 0, factor, 1.0), answer)
                plain = np.concatenate((plain[shift:], np.repeat(plain[-1:], shift)))
                rows[name][row] = (plain - windows.centre[row]) / windows.scale[row]
        return rows

    return members


def _finished(task: PoolTask, one: _Prepared, answer: PoolForecast, learned: PoolLearned) -> Forecast | Excuse:
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
    one: _Prepared,
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
