"""Windows of an objective as half-open UTC periods."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history import calendar
from forecasting.history.intervals import from_micros
from forecasting.history.wall_clock import DAY_US, to_utc, wall_micros
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import CalendarWindow, Period, RollingWindow, Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_LETTERS = {"day": "d", "week": "w", "month": "M", "quarter": "Q", "year": "Y"}


def local_midnight(day: date, zone: str) -> datetime:
    """Return the UTC instant at which a local day begins in the zone called `zone`."""
    return calendar.local_midnight(day, calendar.zone_of(zone))


def _anchor(window: CalendarWindow) -> datetime:
    """Return the wall-clock start of window 0; without an anchor a boundary of the calendar's own."""
    if window.count < 1 or (window.anchor is None and window.count != 1):
        raise InputError(
            argument="window",
            came=f"{window.count} {window.unit}s without an anchor" if window.count > 1 else f"count {window.count}",
            allowed="one unit of the calendar, or several counted from an anchor",
            try_instead='anchor: "2026-01-05 00:00:00", the local start of one of the windows',
        )
    if window.anchor is not None:
        return window.anchor
    return datetime(1970, 1, 5 if window.unit == "week" else 1)  # noqa: DTZ001 - wall clock; 5 January was a Monday


def _own_boundaries(window: CalendarWindow) -> bool:
    """Tell whether the windows are the calendar's own: its days, weeks, months ... as everybody names them."""
    at = _anchor(window)
    if window.count != 1 or at.time() != time(0):
        return False
    match window.unit:
        case "day":
            return True
        case "week":
            return at.weekday() == 0
        case "month":
            return at.day == 1
        case "quarter":
            return at.day == 1 and at.month % 3 == 1
        case "year":
            return at.day == 1 and at.month == 1


def _wall_starts(window: CalendarWindow, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the wall-clock starts of the numbered windows, in microseconds since 1970."""
    anchor = _anchor(window)
    at = wall_micros(anchor)
    if window.unit in ("day", "week"):
        return at + numbers * (window.count * (7 if window.unit == "week" else 1) * DAY_US)
    month = (anchor.year - 1970) * 12 + anchor.month - 1 + numbers * (window.count * _MONTHS[window.unit])
    first = month.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days = (month + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - first
    return np.asarray((first + np.minimum(anchor.day, days) - 1) * DAY_US + at % DAY_US, np.int64)


def _number_near(window: CalendarWindow, instant: datetime) -> int:
    """Return the number of the window that contains an instant, or of the one before or after it."""
    local = instant.astimezone(calendar.zone_of(window.zone)).replace(tzinfo=None)
    anchor = _anchor(window)
    if window.unit in ("day", "week"):
        return (local - anchor) // timedelta(days=window.count * (7 if window.unit == "week" else 1))
    months = (local.year - anchor.year) * 12 + local.month - anchor.month
    return months // (window.count * _MONTHS[window.unit])


def _calendar_periods(window: CalendarWindow, first: int, last: int) -> list[Period]:
    """Return the windows numbered `first` to `last` (included), less those that have no time.

    A day that the zone skipped whole (Samoa had no 30 December 2011) is a window without time.
    """
    walls = _wall_starts(window, np.arange(first, last + 2, dtype=np.int64))
    bounds = to_utc(walls, window.zone)
    own = _own_boundaries(window)
    instants = [from_micros(bound) for bound in bounds.tolist()]
    return [
        Period(start=start, end=end, label=_label(window, own, from_micros(wall).replace(tzinfo=None)))
        for wall, start, end in zip(walls.tolist(), instants[:-1], instants[1:], strict=False)
        if start < end
    ]


def _label(window: CalendarWindow, own: bool, at: datetime) -> str:
    """Return the local name of the calendar window that begins at the wall-clock time `at`."""
    if not own:
        text = (
            at.date().isoformat()
            if at.time() == time(0)
            else at.isoformat(sep=" ", timespec="auto").removesuffix(":00")
        )
        return text if window.count == 1 else f"{window.count}{_LETTERS[window.unit]} from {text}"
    match window.unit:
        case "day":
            return at.date().isoformat()
        case "week":
            year, week, _ = at.isocalendar()
            return f"{year}-W{week:02d}"
        case "month":
            return f"{at.year}-{at.month:02d}"
        case "quarter":
            return f"{at.year}-Q{(at.month + 2) // 3}"
        case "year":
            return str(at.year)


def _rolling_period(window: RollingWindow, last_midnight: date) -> Period:
    """Return the rolling window that ends at local midnight of `last_midnight`."""
    end = local_midnight(last_midnight, window.zone)
    return Period(
        start=end - window.length,
        end=end,
        label=f"{_days(window.length)} to {(last_midnight - timedelta(days=1)).isoformat()}",
    )


def _days(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return f"{days:g}d"


def closed_periods(window: Window, *, since: datetime, as_of: datetime) -> tuple[Period, ...]:
    """Return the windows that lie wholly inside [since, as_of], oldest first.

    Calendar windows follow one another (those with an anchor also before it); of a rolling window the non-overlapping
    ones are given, counted back from the last local midnight at or before `as_of` (where clocks changed, up to a day
    lies between two of them).

    Examples
    --------
    >>> from datetime import UTC
    >>> periods = closed_periods(CalendarWindow(unit="month", zone="UTC"),
    ...                          since=datetime(2026, 1, 15, tzinfo=UTC), as_of=datetime(2026, 4, 1, tzinfo=UTC))
    >>> [p.label for p in periods]
    ['2026-02', '2026-03']
    >>> sprints = CalendarWindow(unit="week", zone="UTC", count=2, anchor=datetime(2026, 1, 5))
    >>> [p.label for p in closed_periods(sprints, since=datetime(2026, 1, 15, tzinfo=UTC),
    ...                                  as_of=datetime(2026, 2, 16, tzinfo=UTC))]
    ['2w from 2026-01-19', '2w from 2026-02-02']
    """
    zone = calendar.zone_of(window.zone)
    if isinstance(window, RollingWindow):
        day = as_of.astimezone(zone).date()
        found: list[Period] = []
        while (period := _rolling_period(window, day)).start >= since:
            if period.end <= as_of:
                found.append(period)
                day = period.start.astimezone(zone).date()  # the last midnight at or before it: no overlap
            else:
                day -= timedelta(days=1)
        return tuple(reversed(found))
    near = _calendar_periods(window, _number_near(window, since) - 1, _number_near(window, as_of) + 1)
    return tuple(period for period in near if period.start >= since and period.end <= as_of)


def coming_periods(window: Window, *, as_of: datetime, ahead: int) -> tuple[Period, ...]:
    """Return the running window and the `ahead` next ones.

    The first period contains `as_of` (or begins at it). Of a rolling window the running one is that which ends a
    quarter of its length (at most 7 days) after `as_of`: most of it is known, some can still be changed; the next
    ones end one, two ... whole lengths after `as_of`.

    Examples
    --------
    >>> from datetime import UTC
    >>> [p.label for p in coming_periods(CalendarWindow(unit="month", zone="UTC"),
    ...                                  as_of=datetime(2026, 12, 10, tzinfo=UTC), ahead=1)]
    ['2026-12', '2027-01']
    """
    zone = calendar.zone_of(window.zone)
    today = as_of.astimezone(zone).date()
    if isinstance(window, RollingWindow):
        near = min(timedelta(days=7), window.length / 4)
        near_days = max(1, near // timedelta(days=1))
        length_days = max(1, -(-window.length // timedelta(days=1)))
        ends = [today + timedelta(days=near_days)]
        behind = 0 if near_days < length_days else 1  # of a length up to a day the running one is the first
        ends += [today + timedelta(days=(behind + k) * length_days) for k in range(1, ahead + 1)]
        return tuple(_rolling_period(window, end) for end in ends)
    number = _number_near(window, as_of)
    around = _calendar_periods(window, number - 2, number + ahead + 3)
    return tuple(period for period in around if period.end > as_of)[: ahead + 1]
