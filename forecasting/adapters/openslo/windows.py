"""Reads the time window of an SLO and the length of its slices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.durations import length_of, parse_shorthand
from forecasting.adapters.openslo.indicators import open_part, scalar
from forecasting.adapters.openslo.times import start_time
from forecasting.terms.service_level import CalendarWindow, RollingWindow, Window

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]
UNITS: dict[str, CalendarUnit] = {"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}
LONGEST = timedelta(days=1100)
"""Longest rolling window."""
_DAY = timedelta(days=1)


def read_window(draft: Draft, spec: Fields, zone: str) -> Window | None:
    """Return the window of a checked SLO; None after a problem.

    Rolling windows are judged at day ends, so that they are whole days; calendar windows are whole days, weeks, months,
    quarters or years. Others are refused, whatever the mode: the engine has nothing like them.

    Parameters
    ----------
    draft : Draft
        Takes problems and notices.
    spec : Fields
        The SLO's spec.
    zone : str
        IANA zone of rolling windows.
    """
    node = spec.node.fields.get("timeWindow")
    if node is None or node.kind not in ("map", "list") or (node.kind == "list" and not node.items):
        return RollingWindow(length=30 * _DAY, zone=zone)
    first = node.items[0] if node.kind == "list" else node
    window = Fields(first, f"{spec.path}.timeWindow[0]", spec.file, spec.problems, list(first.fields))
    parsed = parse_shorthand(scalar(window, "duration"))
    if parsed is None:
        return None
    count, unit = parsed
    calendar = open_part(window, "calendar")
    rolling = window.flag("isRolling", default=calendar is None)
    if rolling:
        length = length_of(count, unit)
        if length % _DAY or not _DAY <= length <= LONGEST:
            allowed = f"whole days from 1d to {LONGEST.days}d (a rolling window is judged at day ends)"
            window.note("duration", f"{count}{unit}", allowed, f"{count}M (m is a minute)" if unit == "m" else "30d")
            return None
        return RollingWindow(length=length, zone=zone)
    if unit == "m" and count <= 36 and not draft.strict:
        message = f"{count}m is {count} minutes; read as {count}M (months), for a calendar has no windows of minutes"
        draft.notice("minutes-for-months", window, "duration", message)
        unit = "M"
    if unit not in UNITS or count > 400:
        allowed = "whole days, weeks, months, quarters or years of the calendar, such as 1d, 1w, 1M, 1Q or 1Y"
        window.note("duration", f"{count}{unit}", allowed, f"{count}M (m is a minute)" if unit == "m" else "1d")
        return None
    start = start_time(scalar(calendar, "startTime")) if calendar is not None else None
    if calendar is not None and start is None:
        return None
    if start is None and count > 1:
        window.note("calendar", None, f"the startTime that windows of {count}{unit} are counted from", "add calendar")
        return None
    where = scalar(calendar, "timeZone") if calendar is not None else zone
    if start is None or (count == 1 and is_boundary(start, UNITS[unit])):
        return CalendarWindow(unit=UNITS[unit], zone=where)
    return CalendarWindow(unit=UNITS[unit], zone=where, count=count, anchor=start)


def is_boundary(start: datetime, unit: CalendarUnit) -> bool:
    """Tell whether a local time is a boundary of the calendar's own units.

    Examples
    --------
    >>> is_boundary(datetime(2024, 1, 1), "week"), is_boundary(datetime(2022, 1, 1, 12), "week")
    (True, False)
    """
    if start.hour or start.minute or start.second:
        return False
    return {
        "day": True,
        "week": start.weekday() == 0,
        "month": start.day == 1,
        "quarter": start.day == 1 and start.month % 3 == 1,
        "year": start.day == 1 and start.month == 1,
    }[unit]


def read_slice_window(objective: Fields) -> timedelta | None:
    """Return the length of a slice of a checked objective (a plain number is minutes); None where it is not said."""
    text = scalar(objective, "timeSliceWindow")
    parsed = parse_shorthand(f"{text}m" if text.isdigit() else text)
    return length_of(*parsed) if parsed is not None else None


def shortest(window: Window) -> timedelta:
    """Return the length of a window, the shortest one of the calendar's units.

    Examples
    --------
    >>> shortest(CalendarWindow(unit="month", zone="UTC")).days
    28
    """
    if isinstance(window, RollingWindow):
        return window.length
    days = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}[window.unit]
    return window.count * days * _DAY - timedelta(hours=1 if window.unit == "day" else 0)
