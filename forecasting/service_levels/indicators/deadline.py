"""Deadlines: days on which a job was done by a local time of day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, zone_of
from forecasting.history.intervals import contains, from_micros, measure
from forecasting.history.wall_clock import DAY_US, day_number, micros_of_day, to_utc
from forecasting.service_levels.judged import Judged
from forecasting.service_levels.service_time import calendar_called, eligibility, open_intervals
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History
from forecasting.terms.indicator import DeadlineIndicator
from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceCalendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MINUTE_US = 60_000_000


def deadline_days(
    objective: Objective, history: History, calendar_of: Mapping[str, ServiceCalendar], until: datetime
) -> Judged | Excuse:
    """Return the due days and those on which the job was done in time, one slice for each local day of the metric.

    A day is due where the calendar has open time on the same date in its own zone; without a calendar every day is.
    Exclusions and maintenance are looked at on the instant of the deadline alone: a due day is removed, dropped or
    forgiven where that instant lies in such a stretch (its start belongs to it, its end does not). Service hours do
    not matter: the deadline is an instant, not a stretch of service.

    Parameters
    ----------
    objective : Objective
        Its indicator is a `DeadlineIndicator`.
    history : History
        With the metric in slices of one local day; a due day without a value is unknown.
    calendar_of : mapping of str to ServiceCalendar
        Calendars by name.
    until : datetime
        UTC instant; days that begin before it are given (without a value where the history ends earlier).

    Returns
    -------
    Judged or Excuse
        `good` and `total` in days; an excuse where there is no data.

    Raises
    ------
    InputError
        If the metric's slices are not single days, or the calendar is not known.

    Examples
    --------
    >>> from datetime import UTC
    >>> from decimal import Decimal
    >>> from forecasting.terms.history import Metric, MetricKind, Series
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> run = Metric(name="run", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1))
    >>> days = Series(service="dwh", metric=run, start=datetime(2027, 3, 26, 23, tzinfo=UTC), step=run.step,
    ...               values=np.array([480.0, 470.0]), zone="Europe/Berlin")
    >>> slo = Objective(name="batch", service="dwh", target=Decimal("0.9"),
    ...                 indicator=DeadlineIndicator(metric="run", by=time(6), start=time(22)),
    ...                 window=CalendarWindow(unit="month", zone="Europe/Berlin"))
    >>> cut = datetime(2027, 3, 28, 22, tzinfo=UTC)
    >>> deadline_days(slo, History(cut_off=cut, series={("dwh", "run"): days}), {}, cut).good.tolist()
    [1, 0]
    """
    indicator = objective.indicator
    assert isinstance(indicator, DeadlineIndicator)
    series = history.get(objective.service, indicator.metric)
    if series is None or not len(series):
        return Excuse(
            reason=f"no data of metric {indicator.metric} for service {objective.service} before the cut-off",
            what_would_help=f"ingest rows of {indicator.metric} for {objective.service}",
        )
    if series.step != timedelta(days=1):
        raise InputError(
            argument=f"step of metric {indicator.metric}",
            came=str(series.step),
            allowed="one day, as a deadline is kept or missed once a day",
            try_instead="step: 1d",
        )
    zone = zone_of(series.zone)
    first = day_number(series.start.astimezone(zone).date())
    stop = as_utc(until).astimezone(zone)
    count = max(len(series), day_number(stop.date()) - first + (stop.time() > time(0)))
    days = first + np.arange(count, dtype=np.int64)
    bounds = to_utc(np.append(days, days[-1] + 1) * DAY_US, series.zone)
    starts, ends = bounds[:-1], bounds[1:]
    values = np.full(count, np.nan)
    values[: len(series)] = series.values

    counts = eligibility(
        objective.time, objective.window.zone, from_micros(int(bounds[0])), from_micros(int(bounds[-1]))
    )
    deadline = to_utc(_wall(days, indicator.by), series.zone)
    eligible = (
        _due(days, indicator, calendar_of, objective.name)
        & contains(counts.validity, starts)
        & ~contains(counts.removed, deadline)
        & (ends > starts)
    )
    dropped = eligible & contains(counts.dropped, deadline)
    forgiven = eligible & ~dropped & contains(counts.forgiven, deadline)
    with np.errstate(invalid="ignore"):
        in_time = values <= _allowed_minutes(days, indicator, series.zone)
    known = eligible & (np.isfinite(values) | dropped | forgiven)
    counted = known & ~dropped
    return Judged(
        series=replace(series, values=np.full(count, np.nan)),
        starts=starts.astype("datetime64[us]"),
        ends=ends.astype("datetime64[us]"),
        good=(counted & (in_time | forgiven)).astype(np.int64),
        total=counted.astype(np.int64),
        known=known,
        eligible=eligible,
        dropped=dropped,
        unit="days",
        observed=np.isfinite(values),
    )


def _wall(days: NDArray[np.int64], at: time) -> NDArray[np.int64]:
    """Return a wall-clock time on each day, in microseconds since 1970-01-01 00:00 on the wall clock."""
    return np.asarray(days * DAY_US + micros_of_day(at), np.int64)


def _allowed_minutes(days: NDArray[np.int64], indicator: DeadlineIndicator, zone: str) -> NDArray[np.float64]:
    """Return the largest value that is in time on each day.

    Exact where times of day and changes of clocks are whole minutes, as a float holds every whole number of them.
    """
    if indicator.start is None:
        return np.full(len(days), micros_of_day(indicator.by) / _MINUTE_US)
    begun = to_utc(_wall(days + indicator.start_day_offset, indicator.start), zone)
    return np.asarray((to_utc(_wall(days, indicator.by), zone) - begun) / _MINUTE_US, np.float64)


def _due(
    days: NDArray[np.int64],
    indicator: DeadlineIndicator,
    calendar_of: Mapping[str, ServiceCalendar],
    objective: str,
) -> NDArray[np.bool_]:
    """Tell which dates are due."""
    if indicator.calendar is None:
        return np.ones(len(days), np.bool_)
    calendar = calendar_called(indicator.calendar, calendar_of, objective)
    bounds = to_utc(np.append(days, days[-1] + 1) * DAY_US, calendar.zone)
    open_time = open_intervals(calendar, from_micros(int(bounds[0])), from_micros(int(bounds[-1])))
    return np.asarray(measure(open_time, bounds[:-1], bounds[1:]) > 0, np.bool_)
