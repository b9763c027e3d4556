"""Numbers, times and names as people write them in an agreement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from fractions import Fraction

from forecasting.history.calendar import zone_of
from forecasting.terms.service_level import CalendarWindow, Period, Window
from forecasting.terms.service_time import LocalSpan

WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_UNITS = ((3_600_000_000, "h"), (60_000_000, "min"))


def percent(share: Decimal) -> str:
    """Return a share as a percentage, exactly.

    Examples
    --------
    >>> percent(Decimal("0.9990")), percent(Decimal("0.8"))
    ('99.9 %', '80 %')
    """
    return f"{(share * 100).normalize():f} %"


def money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency, with decimals only where there are some.

    Examples
    --------
    >>> money(Decimal("9250.00"), "EUR"), money(Decimal("9250.5"), "EUR")
    ('EUR 9,250', 'EUR 9,250.50')
    """
    whole = amount == amount.to_integral_value()
    if whole:
        return f"{currency} {int(amount):,}"
    _, _, exponent = amount.normalize().as_tuple()
    decimals = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{currency} {amount:,.{decimals}f}"


def elapsed(micro: Fraction) -> str:
    """Return a length of time, exact to the microsecond (what is below is cut off).

    Examples
    --------
    >>> elapsed(Fraction(2_678_400_000)), elapsed(Fraction(3_600_000_000)), elapsed(Fraction(0))
    ('44 min 38.4 s', '1 h', '0 s')
    """
    rest, parts = int(micro), []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    if rest or not parts:
        parts.append(f"{(Decimal(rest) / 1_000_000).normalize():f} s")
    return " ".join(parts)


def hours(micro: int) -> str:
    """Return a length in hours.

    Examples
    --------
    >>> hours(744 * 3_600_000_000), hours(5_400_000_000)
    ('744 h', '1.5 h')
    """
    exact = Fraction(micro, 3_600_000_000)
    return f"{int(exact):,} h" if exact.denominator == 1 else f"{float(exact):,.10g} h"


def length(span: timedelta) -> str:
    """Return a length as people say it.

    Examples
    --------
    >>> length(timedelta(minutes=5)), length(timedelta(days=30)), length(timedelta(hours=1))
    ('5 minutes', '30 days', '1 hour')
    """
    for size, unit in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        if span and span % size == timedelta(0):
            return counted(span // size, unit)
    return f"{span.total_seconds():g} seconds"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "window"), counted(3, "day")
    ('1 window', '3 days')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def joined(words: Sequence[str], last: str = "and") -> str:
    """Return words as a list in a sentence.

    Examples
    --------
    >>> joined(["a", "b", "c"]), joined(["a"])
    ('a, b and c', 'a')
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "none"


def ordinal(number: int) -> str:
    """Return which weekday of a month is meant.

    Examples
    --------
    >>> ordinal(1), ordinal(-1)
    ('first', 'last')
    """
    return {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(number, "last")


def clock(at: time) -> str:
    """Return a time of day.

    Examples
    --------
    >>> clock(time(6))
    '06:00'
    """
    return f"{at:%H:%M}"


def spans(found: Sequence[LocalSpan]) -> str:
    """Return the hours of a day.

    Examples
    --------
    >>> spans([LocalSpan(start=time(6), end=time(0))]), spans([])
    ('06:00–24:00', 'closed')
    """
    if len(found) == 1 and found[0].start == found[0].end == time(0):
        return "all day"
    written = [f"{clock(s.start)}–{'24:00' if s.end == time(0) else clock(s.end)}" for s in found]
    return joined(written) if written else "closed"


def window_words(window: Window) -> str:
    """Return a window as people say it.

    Examples
    --------
    >>> window_words(CalendarWindow(unit="month", zone="Europe/Berlin"))
    'each calendar month (Europe/Berlin)'
    """
    if not isinstance(window, CalendarWindow):
        return f"any {length(window.length)} that end at midnight ({window.zone})"
    many = "" if window.count == 1 else f"{window.count} "
    unit = window.unit if window.count == 1 else f"{window.unit}s"
    if window.anchor is not None:
        return f"each {many}{unit} counted from {window.anchor:%Y-%m-%d %H:%M} ({window.zone})"
    return f"each calendar {many}{unit} ({window.zone})"


def period_words(window: Window, period: Period) -> str:
    """Return a window instance with its local days.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> month = Period(start=datetime(2027, 5, 1, tzinfo=UTC), end=datetime(2027, 6, 1, tzinfo=UTC), label="2027-05")
    >>> period_words(CalendarWindow(unit="month", zone="UTC"), month)
    'May 2027 has 31 days'
    """
    zone = zone_of(window.zone)
    first, end = period.start.astimezone(zone), period.end.astimezone(zone)
    days = (end.date() - first.date()).days
    own = isinstance(window, CalendarWindow) and window.anchor is None and window.count == 1
    if own and isinstance(window, CalendarWindow) and window.unit == "month":
        return f"{_MONTHS[first.month - 1]} {first.year} has {counted(days, 'day')}"
    if first.time() == end.time() == time(0):
        last = (end - timedelta(days=1)).date()
        return f"The window from {first.date()} to {last} has {counted(days, 'day')}"
    return f"The window from {first:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
