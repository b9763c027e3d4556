"""Which time counts: service hours, validity, exclusions and maintenance as exact intervals; business time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import public_holidays, zone_of
from forecasting.history.intervals import (
    Intervals,
    clip,
    contains,
    inside,
    intersect,
    measure,
    micros,
    none,
    normalise,
    overlaps,
    subtract,
)
from forecasting.history.wall_clock import DAY_US, day_number, micros_of_day, midnights, to_utc
from forecasting.terms.errors import InputError
from forecasting.terms.service_time import (
    CalendarVersion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEVER = 2**62
"""Due instant of a clock that does not run long enough in the open time given."""

_MARGIN = 3
"""Days looked at on either side: a span may go on into the next day, and a zone may skip a whole day."""


def open_intervals(calendar: ServiceCalendar, start: datetime, end: datetime) -> Intervals:
    """Return the open time of a calendar inside [start, end).

    The hours of a local day come from the latest version valid on that day: first a date of its own, then a public
    holiday, then the weekday; before the first version it is closed. A span belongs to the day on which it begins, so
    one that goes overnight into a holiday is kept. Start and end are wall-clock times turned into UTC one by one:
    22:00–06:00 has 7 or 9 hours on the nights when clocks change. A span that ends before it starts once both were
    turned (02:30–03:15 where 02:00–03:00 does not exist) has no time; one that does not exist as a whole is moved.

    Raises
    ------
    InputError
        If the zone, the country or its part is unknown.

    Examples
    --------
    >>> from datetime import UTC, time
    >>> week = tuple((LocalSpan(start=time(22), end=time(6)),) for _ in range(7))
    >>> nights = ServiceCalendar(name="nights", zone="Europe/Berlin", versions=(CalendarVersion(weekly=week),))
    >>> found = open_intervals(nights, datetime(2027, 3, 26, 12, tzinfo=UTC), datetime(2027, 3, 28, 12, tzinfo=UTC))
    >>> ((found[:, 1] - found[:, 0]) // 3_600_000_000).tolist()  # clocks go forward in the second night
    [8, 7]
    """
    if end <= start:
        return none()
    days = _local_days(calendar.zone, start, end)
    versions = sorted(calendar.versions, key=lambda v: v.valid_from or date.min)  # stable: of a tie the later one wins
    begun = np.array([-(2**40) if v.valid_from is None else day_number(v.valid_from) for v in versions], np.int64)
    which = np.searchsorted(begun, days, side="right") - 1
    walls = [np.empty((0, 2), np.int64)]
    for k, version in enumerate(versions):
        mine = days[which == k]
        if len(mine):
            walls += _version_walls(version, mine)
    wall = np.concatenate(walls)
    return clip(_turned(wall, calendar.zone), micros(start), micros(end))


def _local_days(zone: str, start: datetime, end: datetime) -> NDArray[np.int64]:
    """Return the numbers of the local days whose spans can reach into [start, end)."""
    first, last = (day_number(at.astimezone(zone_of(zone)).date()) for at in (start, end))
    return np.arange(first - _MARGIN, last + _MARGIN + 1, dtype=np.int64)


def _date(number: int) -> date:
    """Return the date of a day number."""
    return date.fromordinal(number + 719_163)


def _span_walls(spans: Sequence[LocalSpan], days: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the spans on every one of the days as wall-clock pairs, one array a span."""
    found = []
    for span in spans:
        start, end = micros_of_day(span.start), micros_of_day(span.end)
        end += DAY_US if end <= start else 0
        found.append(np.stack((days * DAY_US + start, days * DAY_US + end), axis=1))
    return found


def _version_walls(version: CalendarVersion, days: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the open wall-clock pairs of the days on which a version is valid."""
    free: Mapping[date, str] = {}
    if version.country:
        free = public_holidays(version.country, _date(int(days[0])), _date(int(days[-1])), version.subdivision)
    own = np.isin(days, np.array([day_number(d) for d in version.dates], np.int64))
    holiday = np.isin(days, np.array([day_number(d) for d in free], np.int64)) & ~own
    found = _span_walls(version.holiday_hours, days[holiday])
    weekday = (days + 3) % 7  # day 0, 1 January 1970, was a Thursday
    for number, spans in enumerate(version.weekly):
        found += _span_walls(spans, days[(weekday == number) & ~own & ~holiday])
    for day, spans in version.dates.items():
        found += _span_walls(spans, days[days == day_number(day)])
    return found


def _turned(wall: NDArray[np.int64], zone: str) -> Intervals:
    """Return wall-clock pairs as UTC intervals."""
    pairs = np.stack((to_utc(wall[:, 0], zone), to_utc(wall[:, 1], zone)), axis=1)
    return normalise(pairs[pairs[:, 1] > pairs[:, 0]])


def maintenance_intervals(
    windows: Sequence[MaintenanceWindow], start: datetime, end: datetime, mode: ExclusionMode
) -> Intervals:
    """Return the maintenance time of one mode inside [start, end).

    A window belongs to the local day on which it begins: its validity and "the first Sunday of the month" look at that
    day.

    Examples
    --------
    >>> from datetime import UTC, time
    >>> patching = MaintenanceWindow(weekdays=(6,), span=LocalSpan(start=time(2), end=time(4)), zone="UTC",
    ...                              nth_of_month=(1, -1))
    >>> found = maintenance_intervals([patching], datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC),
    ...                               ExclusionMode.REMOVE)
    >>> [str(d) for d in found[:, 0].astype("datetime64[us]").astype("datetime64[h]")]
    ['2027-03-07T02', '2027-03-28T02']
    """
    if end <= start:
        return none()
    found = [none()]
    for window in windows:
        if window.mode is not mode:
            continue
        days = _local_days(window.zone, start, end)
        keep = np.isin((days + 3) % 7, np.array(window.weekdays, np.int64))
        if window.valid_from is not None:
            keep &= days >= day_number(window.valid_from)
        if window.valid_until is not None:
            keep &= days <= day_number(window.valid_until)
        if window.nth_of_month:
            month = days.astype("datetime64[D]").astype("datetime64[M]")
            first = month.astype("datetime64[D]").astype(np.int64)
            after = (month + 1).astype("datetime64[D]").astype(np.int64)
            nth = (days - first) // 7 + 1
            last = (days + 7 >= after) & (-1 in window.nth_of_month)
            keep &= np.isin(nth, np.array(window.nth_of_month, np.int64)) | last
        walls = _span_walls((window.span,), days[keep])
        found.append(_turned(np.concatenate(walls), window.zone))
    return clip(normalise(np.concatenate(found)), micros(start), micros(end))


@dataclass(frozen=True, kw_only=True, eq=False)
class Eligibility:
    """The time of a stretch by what the agreement says about it.

    The stretches of the three modes may overlap each other and lie outside the hours; remove goes before drop_events
    before count_as_good.
    """

    hours: Intervals
    """Service hours inside the validity."""
    removed: Intervals
    """Exclusions and maintenance that are not part of the window."""
    dropped: Intervals
    """Exclusions and maintenance in which events count neither way."""
    forgiven: Intervals
    """Exclusions and maintenance in which everything counts as good."""
    service_hours: Intervals
    """Service hours, the validity not looked at."""
    validity: Intervals
    """The whole local days on which the promise applies: at most one interval."""

    @property
    def eligible(self) -> Intervals:
        """Hours less what was removed."""
        return subtract(self.hours, self.removed)

    def planned(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which data slices count: wholly in the service hours, begun in the validity, touching nothing removed.

        A slice is inside the validity where it begins inside, so that one across the midnight that ends it counts.
        """
        return np.asarray(
            inside(self.service_hours, starts, ends)
            & contains(self.validity, starts)
            & ~overlaps(self.removed, starts, ends),
            np.bool_,
        )


def eligibility(time: ServiceTime, zone: str, start: datetime, end: datetime) -> Eligibility:
    """Return which time of [start, end) counts.

    Parameters
    ----------
    time : ServiceTime
        Service hours, exclusions, maintenance and validity.
    zone : str
        IANA zone of the objective's window, whose local days the validity counts.
    start, end : datetime
        UTC instants.

    Examples
    --------
    >>> from datetime import UTC
    >>> first = ServiceTime(valid_from=date(2027, 3, 28), valid_until=date(2027, 3, 28))
    >>> found = eligibility(first, "Europe/Berlin", datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC))
    >>> int(measure(found.eligible, found.hours[:, 0], found.hours[:, 1])[0]) // 3_600_000_000  # a day of 23 hours
    23
    """
    begin, stop = micros(start), micros(end)
    whole = np.array([[begin, stop]], np.int64) if stop > begin else none()
    valid_first = -NEVER if time.valid_from is None else int(midnights(time.valid_from, 1, zone)[0])
    valid_end = NEVER if time.valid_until is None else int(midnights(time.valid_until, 2, zone)[1])
    validity = clip(whole, valid_first, valid_end)
    service_hours = whole if time.hours is None else open_intervals(time.hours, start, end)

    def agreed(mode: ExclusionMode) -> Intervals:
        pairs = [(micros(e.start), micros(e.end)) for e in time.exclusions if e.mode is mode]
        regular = maintenance_intervals(time.maintenance, start, end, mode)
        return clip(normalise(np.concatenate((np.array(pairs, np.int64).reshape(-1, 2), regular))), begin, stop)

    return Eligibility(
        hours=intersect(service_hours, validity),
        removed=agreed(ExclusionMode.REMOVE),
        dropped=agreed(ExclusionMode.DROP_EVENTS),
        forgiven=agreed(ExclusionMode.COUNT_AS_GOOD),
        service_hours=service_hours,
        validity=validity,
    )


def calendar_called(name: str, calendar_of: Mapping[str, ServiceCalendar], objective: str) -> ServiceCalendar:
    """Return a calendar by name.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> closed = ServiceCalendar(name="closed", zone="UTC", versions=())
    >>> calendar_called("closed", {"closed": closed}, "batch").name
    'closed'
    """
    found = calendar_of.get(name)
    if found is None:
        raise InputError(
            argument=f"calendar of objective {objective}",
            came=name,
            allowed=", ".join(sorted(calendar_of)) or "a Calendar of the catalogue; it has none",
            try_instead="declare the Calendar in the catalogue",
        )
    return found


def business_time(open_time: Intervals, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the open time between each start and end, in microseconds; shape (n,).

    Examples
    --------
    >>> business_time(np.array([[10, 20], [30, 40]]), np.array([15]), np.array([35])).tolist()
    [10]
    """
    return measure(open_time, starts, ends)


def due_instants(
    open_time: Intervals, starts: NDArray[np.int64], within_us: int | NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the instants at which the open time since each start reaches `within_us`.

    Parameters
    ----------
    open_time : Intervals
    starts : ndarray of int64, shape (n,)
        Microseconds since 1970 UTC.
    within_us : int, or ndarray of int64 of shape (n,)
        Open time allowed, in microseconds, 0 or more.

    Returns
    -------
    ndarray of int64, shape (n,)
        The first such instant (the end of an interval rather than the start of the next one); `NEVER` where the open
        time given is too short.

    Examples
    --------
    >>> due_instants(np.array([[10, 20], [30, 40]]), np.array([0, 15, 15, 35]), 10).tolist()[:3]
    [20, 35, 35]
    >>> due_instants(np.array([[10, 20], [30, 40]]), np.array([35]), 10)[0] == NEVER
    np.True_
    """
    starts = np.asarray(starts, np.int64)
    lengths = open_time[:, 1] - open_time[:, 0]
    reached = np.cumsum(lengths)
    passed = measure(open_time, np.full_like(starts, -NEVER), starts)
    wanted = passed + within_us
    at = np.searchsorted(reached, wanted, side="left")
    enough = at < len(reached)
    ends = np.concatenate((open_time[:, 1], [NEVER]))[at]
    over = np.where(enough, np.concatenate((reached, [0]))[at] - wanted, 0)
    due = np.where(enough, np.maximum(ends - over, starts), NEVER)
    return np.asarray(np.where(wanted == passed, starts, due), np.int64)
