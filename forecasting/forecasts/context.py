"""Making the context of a model: seasons from the step, gaps filled, holidays marked, nothing from the future."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._holidays import holiday_factors, near_holidays
from forecasting.forecasts.base import ForecastContext
from forecasting.history.calendar import public_holidays, slice_bounds, to_local
from forecasting.history.change_points import find_spikes
from forecasting.history.gaps import fill_gaps
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray


def seasons_of(step: timedelta) -> tuple[int, ...]:
    """Return the seasons the calendar suggests for slices of `step`, shortest first.

    Examples
    --------
    >>> seasons_of(timedelta(days=1)), seasons_of(timedelta(hours=1)), seasons_of(timedelta(days=30))
    ((7,), (24, 168), (12,))
    """
    day, week = timedelta(days=1), timedelta(days=7)
    if step < day:
        return tuple(p // step for p in (day, week) if p % step == timedelta(0))
    if step == day:
        return (7,)
    if step == week:
        return (52,)
    return (12,) if timedelta(days=28) <= step <= timedelta(days=31) else ()


def main_season(values: NDArray[np.float64], seasons: tuple[int, ...]) -> int:
    """Return the season whose repetition errs least in the data, 1 where there are not two of any.

    Examples
    --------
    >>> main_season(np.tile([1.0, 2.0, 3.0], 5), (2, 3))
    3
    """
    best, best_error = 1, np.inf
    for season in seasons:
        if len(values) >= 2 * season:
            steps = np.abs(values[season:] - values[:-season])
            error = float(steps.mean())
            if np.isnan(error) and not np.isnan(steps).all():
                error = float(np.nanmean(steps))
            if error < best_error:
                best, best_error = season, error
    return best


def trim(series: Series) -> tuple[Series, int]:
    """Return `series` from its first to its last observation, and how many unknown slices were cut at the end.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.array([np.nan, 2.0, np.nan]))
    >>> trimmed, cut = trim(s)
    >>> trimmed.start.day, trimmed.values, cut
    (2, array([2.]), 1)
    """
    known = np.flatnonzero(~np.isnan(series.values))
    if len(known) == 0 or (known[0] == 0 and known[-1] == len(series) - 1):
        return series, 0 if len(known) else len(series)
    first, last = int(known[0]), int(known[-1])
    start = series.start
    if first:
        bounds = slice_bounds(series.start, series.step, series.zone, first)
        start = bounds[-1].item().replace(tzinfo=series.start.tzinfo)
    kept = Series(
        service=series.service,
        metric=series.metric,
        start=start,
        step=series.step,
        values=series.values[first : last + 1],
        zone=series.zone,
    )
    return kept, len(series) - 1 - last


def make_context(series: Series, horizon: int, country: str) -> ForecastContext:
    """Return the context of a series that begins and ends with an observation.

    Raises
    ------
    InputError
        If the country or zone is unknown, or a daily grid does not start at local midnight.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.arange(21.0))
    >>> make_context(s, 7, "US").holiday.nonzero()[0]  # 4 July, and 5 July because it is a Sunday
    array([3, 4])
    """
    local = local_time(series.start, series.step, series.zone, len(series) + horizon)
    holiday = np.zeros(len(local), dtype=np.bool_)
    if country and len(local) and series.step <= timedelta(days=1):
        dates = local.astype("datetime64[D]")
        days = list(public_holidays(country, dates[0].item(), dates[-1].item()))
        holiday = np.isin(dates, np.array(days, dtype="datetime64[D]"))
    return cut_context(series, local, holiday, len(series), horizon, country)


@lru_cache(maxsize=16)
def local_time(start: datetime, step: timedelta, zone: str, count: int) -> NDArray[np.datetime64]:
    """Return the local start of every slice, read-only; kept, because series of a fleet mostly begin together.

    Examples
    --------
    >>> str(local_time(datetime(2027, 7, 1), timedelta(hours=1), "Europe/Berlin", 2)[0])
    '2027-07-01T02:00:00.000000'
    """
    local = to_local(slice_bounds(start, step, zone, count)[:-1], zone)
    local.setflags(write=False)
    return local


def cut_context(
    series: Series,
    local: NDArray[np.datetime64],
    holiday: NDArray[np.bool_],
    known: int,
    horizon: int,
    country: str,
) -> ForecastContext:
    """Return the context as it was after `known` slices; everything learnt comes from before.

    Values so far out that they must be errors of measurement are filled like gaps.

    Parameters
    ----------
    series : Series
        The whole history; only its first `known` slices are used.
    local, holiday : ndarray, shape (at least known + horizon,)
        The calendar, which is known ahead.
    known, horizon : int
        Length of the past and of the future.
    country : str
        ISO 3166 code or empty.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.arange(21.0))
    >>> full = make_context(s, 7, "")
    >>> len(cut_context(s, full.local, full.holiday, 14, 7, "").values)
    14
    """
    past = series.values[:known]
    seasons = seasons_of(series.step)
    season = main_season(past, seasons)
    spikes = find_spikes(past, season=season)
    filled, missing = fill_gaps(np.where(spikes, np.nan, past) if spikes.any() else past, season)
    local, holiday = local[: known + horizon], holiday[: known + horizon]
    low, high = series.metric.kind.bounds
    daily = series.step == timedelta(days=1)
    if daily and holiday.any() and low == 0.0 and season == 7:
        regular, factor = holiday_factors(filled, holiday)
    else:
        regular, factor = filled, np.ones(len(local))
    near = near_holidays(holiday) if daily else np.zeros(len(holiday), dtype=np.bool_)
    for array in (filled, regular, missing, local, holiday, factor, near):
        array.setflags(write=False)
    return ForecastContext(
        values=filled,
        regular=regular,
        missing=missing,
        season=season,
        seasons=tuple(s for s in seasons if known >= 2 * s),
        local=local,
        holiday=holiday,
        holiday_factor=factor,
        near_holiday=near,
        country=country,
        slices_per_day=timedelta(days=1) / series.step,
        low=low,
        high=high,
    )
