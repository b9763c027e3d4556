"""Data slices of an objective on a grid that reaches over whole windows: before the data, and to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, is_local_days, zone_of
from forecasting.history.intervals import from_micros, micros
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.events import (
    Events,
    counts_slices,
    forgive,
    refuse_no_data,
    slice_worth,
    timed_by_itself,
)
from forecasting.service_levels.indicators.deadline import deadline_days
from forecasting.service_levels.judged import Judged
from forecasting.service_levels.masks import TimeMasks, validity
from forecasting.terms.history import History
from forecasting.terms.indicator import DeadlineIndicator, TicketIndicator
from forecasting.terms.service_level import Objective, Period, Unit
from forecasting.terms.service_time import ServiceTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """Data slices over all windows; arrays of shape (n,), the slices follow one another without holes."""

    starts: Counts
    """Microseconds UTC."""
    ends: Counts
    step_us: int | None
    """Length of every slice; None for local days."""
    good: Counts
    total: Counts
    known: Flags
    """Observed, or known by a rule (dropped, forgiven, no_data)."""
    observed: Flags
    """Where there were data."""
    eligible: Flags
    """Counts, the validity not looked at."""
    valid: Flags
    """Begins inside the validity."""
    inside: Flags
    """Wholly in the service hours."""
    removed: Flags
    dropped: Flags
    worth: Counts | None
    """What a whole slice counts, where that is known ahead."""
    time: Counts
    """Eligible time of a planned slice, in microseconds."""
    unit: Unit
    valid_from: int
    valid_until: int


def lay_out(objective: Objective, events: Events, periods: Sequence[Period], as_of: datetime, masks: TimeMasks) -> Laid:
    """Lay the slices of an objective on a grid from its first window or datum to its last one.

    Slices without data are unknown, unless the service time or `no_data` says what they count as. Raises InputError
    for a `no_data` rule that the indicator cannot follow.
    """
    starts, ends, before = _grid(events, periods)
    n, after = len(starts), len(starts) - before - len(events.good)
    good, total = (np.pad(np.asarray(x, dtype=np.int64), (before, after)) for x in (events.good, events.total))
    data = np.pad(np.ones(len(events.good), dtype=np.bool_), (before, after))
    known = np.pad(events.known, (before, after))
    laid = masks.of(objective.time, objective.window.zone, starts, ends)
    worth = slice_worth(events.unit, laid.time)
    inside, removed, eligible, dropped = laid.inside, laid.removed, laid.eligible, laid.dropped
    if isinstance(objective.indicator, DeadlineIndicator):
        good, total, known, eligible, dropped, removed = _deadlines(objective, events, starts, good, total, known, data)
        inside = eligible | removed
    elif isinstance(objective.indicator, TicketIndicator):
        eligible, inside = ends > starts, np.ones(n, dtype=np.bool_)
        removed = dropped = np.zeros(n, dtype=np.bool_)
    elif timed_by_itself(objective):
        eligible = laid.time > 0
    if events.eligible is not None:
        eligible = np.where(data, np.pad(events.eligible, (before, after)), eligible)
    if events.dropped is not None:
        dropped = np.where(data, np.pad(events.dropped, (before, after)), dropped & eligible)
    bare = ~data & (laid.dropped | laid.forgiven) & eligible
    if bare.any() and events.unit not in ("days", "tickets"):
        good, total = forgive(good, total, known, bare & ~laid.dropped, worth)
        known = known | bare
    if not counts_slices(objective) and objective.no_data in ("good", "bad"):
        if worth is None:
            refuse_no_data(objective, events.unit)
        else:
            missing = ~known
            total = np.where(missing, worth, total)
            good = np.where(missing & (objective.no_data == "good"), worth, good)
            known = np.ones(n, dtype=np.bool_)
    first, last = validity(objective.time, objective.window.zone)
    return Laid(
        starts=starts,
        ends=ends,
        step_us=None if is_local_days(events.series.step) else events.series.step // timedelta(microseconds=1),
        good=good,
        total=total,
        known=known,
        observed=np.pad(events.known if events.observed is None else events.observed, (before, after)),
        eligible=eligible,
        valid=(starts >= first) & (starts < last),
        inside=inside,
        removed=removed,
        dropped=dropped,
        worth=worth,
        time=ends - starts if events.unit in ("days", "tickets") else laid.time,
        unit=events.unit,
        valid_from=first,
        valid_until=last,
    )


def _grid(events: Events, periods: Sequence[Period]) -> tuple[Counts, Counts, int]:
    """Return starts and ends of the slices over data and windows, and how many lie before the data."""
    series, n = events.series, len(events.good)
    low = min((micros(p.start) for p in periods), default=micros(series.start))
    high = max((micros(p.end) for p in periods), default=micros(series.start))
    if not is_local_days(series.step):
        step, begin = series.step // timedelta(microseconds=1), micros(series.start)
        before = max(0, (begin - low) // step)
        count = max(n, -((begin - high) // step)) + before
        starts = begin + (np.arange(count, dtype=np.int64) - before) * step
        return starts, starts + step, before
    zone, days = zone_of(series.zone), series.step.days
    first = as_utc(series.start).astimezone(zone).date()
    before = max(0, -(-(first - from_micros(low).astimezone(zone).date()).days // days))
    after = max(0, -(-((from_micros(high).astimezone(zone).date() - first).days + 1) // days) - n)
    count = before + n + after
    begin_day = first - timedelta(days=before * days)
    bounds = midnights(begin_day, count * days + 1, series.zone)[::days]
    return bounds[:-1], bounds[1:], before


def _deadlines(
    objective: Objective, events: Events, starts: Counts, good: Counts, total: Counts, known: Flags, data: Flags
) -> tuple[Counts, Counts, Flags, Flags, Flags, Flags]:
    """Return due days as planned by their calendar where there is no data; last, which due days were removed."""
    indicator = objective.indicator
    assert isinstance(indicator, DeadlineIndicator)
    unseen = replace(events.series, start=from_micros(int(starts[0])), values=np.full(len(starts), np.nan))
    history = History(cut_off=unseen.start, series={(objective.service, indicator.metric): unseen})
    lasting = replace(objective.time, valid_from=None, valid_until=None)
    planned, due = (
        deadline_days(replace(objective, time=time), history, events.calendars, unseen.start)
        for time in (lasting, ServiceTime())
    )
    assert isinstance(planned, Judged)
    assert isinstance(due, Judged)
    return (
        np.where(data, good, planned.good),
        np.where(data, total, planned.total),
        np.where(data, known, planned.known),
        planned.eligible,
        planned.dropped,
        due.eligible & ~planned.eligible,
    )
