"""Windows of an objective as half-open UTC periods."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from forecasting.history import calendar
from forecasting.terms.service_level import CalendarWindow, Period, RollingWindow, Window


def local_midnight(day: date, zone: str) -> datetime:
    """Return the UTC instant at which a local day begins in the zone called `zone`."""
    return calendar.local_midnight(day, calendar.zone_of(zone))


def _first_day(window: CalendarWindow, day: date) -> date:
    """Return the first local day of the window that contains `day`."""
    match window.unit:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
        case "year":
            return date(day.year, 1, 1)


def _next_first_day(window: CalendarWindow, first: date) -> date:
    """Return the first local day of the window after the one that begins on `first`."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(window.unit)
    if months is None:
        return first + timedelta(days=1 if window.unit == "day" else 7)
    index = first.month - 1 + months
    return date(first.year + index // 12, index % 12 + 1, 1)


def _label(window: CalendarWindow, first: date) -> str:
    """Return the local name of a calendar window."""
    match window.unit:
        case "day":
            return first.isoformat()
        case "week":
            year, week, _ = first.isocalendar()
            return f"{year}-W{week:02d}"
        case "month":
            return f"{first.year}-{first.month:02d}"
        case "quarter":
            return f"{first.year}-Q{(first.month + 2) // 3}"
        case "year":
            return str(first.year)


def _calendar_period(window: CalendarWindow, first: date) -> Period:
    return Period(
        start=local_midnight(first, window.zone),
        end=local_midnight(_next_first_day(window, first), window.zone),
        label=_label(window, first),
    )


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

    Calendar windows follow one another; of a rolling window the non-overlapping ones are given, counted back
    from the last local midnight at or before `as_of` (where clocks changed, up to a day lies between two of them).

    Examples
    --------
    >>> from datetime import UTC
    >>> periods = closed_periods(CalendarWindow(unit="month", zone="UTC"),
    ...                          since=datetime(2026, 1, 15, tzinfo=UTC), as_of=datetime(2026, 4, 1, tzinfo=UTC))
    >>> [p.label for p in periods]
    ['2026-02', '2026-03']
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
    first = _first_day(window, since.astimezone(zone).date())
    if local_midnight(first, window.zone) < since:
        first = _next_first_day(window, first)
    periods = []
    while (period := _calendar_period(window, first)).end <= as_of:
        periods.append(period)
        first = _next_first_day(window, first)
    return tuple(periods)


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
    first = _first_day(window, today)
    periods = []
    for _ in range(ahead + 1):
        periods.append(_calendar_period(window, first))
        first = _next_first_day(window, first)
    return tuple(periods)
