"""Series made ready for the pool: calendar, gaps, holidays, effects, and models of the table as members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._pool_group import PoolSeries
from forecasting.forecasts._windows import Windows
from forecasting.forecasts.backtest import reference_errors
from forecasting.forecasts.base import ForecastContext
from forecasting.forecasts.context import cut_context, local_time, make_context, trim
from forecasting.forecasts.effects import Effects, estimate_effects
from forecasting.forecasts.guard import guarded_forecast
from forecasting.forecasts.models import get_model
from forecasting.history.calendar import slice_bounds
from forecasting.history.gaps import fill_gaps
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import Series
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.covariate import Covariate, Event


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
class Prepared:
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


def prepare_all(task: PoolTask, places: list[int]) -> list[Prepared]:
    """Prepare series that are forecast together: as far ahead as the one whose data end earliest needs."""
    trimmed = [trim(task.series[place]) for place in places]
    reach = task.horizon + max(stale for _, stale in trimmed)
    return [_prepare(task, place, reach, *one) for place, one in zip(places, trimmed, strict=True)]


def _prepare(task: PoolTask, place: int, reach: int, series: Series, stale: int) -> Prepared:
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
    return Prepared(
        place=place,
        series=series,
        stale=stale,
        context=context,
        pool=PoolSeries(
            name=f"{series.service}\x1f{series.metric.name}",
            values=values,
            target=target,
            calendar=_calendar_of(series.start, series.step, series.zone, len(context.local)),
            first=_first_month(context.local, series.step),
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


def _first_month(local: NDArray[np.datetime64], step: timedelta) -> int | None:
    """Date of the first slice in slices of a month or longer; None for shorter ones, whose pools see many dates."""
    if step < timedelta(days=28) or not len(local):
        return None
    return int(local[:1].astype("datetime64[M]").astype(np.int64)[0]) // max(round(step / timedelta(days=30)), 1)


def extra_members(task: PoolTask, prepared: Sequence[Prepared]) -> Callable[[Windows], dict[str, NDArray[np.float64]]]:
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
