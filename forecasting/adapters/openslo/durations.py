"""Duration shorthand of OpenSLO: a whole number and m, h, d, w, M, Q or Y (case-sensitive)."""

from __future__ import annotations

import re
from datetime import timedelta

_SHORTHAND = re.compile(r"([0-9]{1,6})([mhdwMQY])")
_LENGTHS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "M": timedelta(days=30),
    "Q": timedelta(days=90),
    "Y": timedelta(days=365),
}
LONGEST = timedelta(days=36_500)
"""Longest length that is read: longer ones are slips."""
ALLOWED = "a whole number and m (minutes), h, d, w, M (months), Q or Y, such as 30d"


def parse_shorthand(text: str) -> tuple[int, str] | None:
    """Return the number and the unit, or None where `text` is no duration shorthand.

    Examples
    --------
    >>> parse_shorthand("1M"), parse_shorthand("1m"), parse_shorthand("1mo")
    ((1, 'M'), (1, 'm'), None)
    """
    match = _SHORTHAND.fullmatch(text)
    return (int(match.group(1)), match.group(2)) if match else None


def length_of(count: int, unit: str) -> timedelta:
    """Return the length: a month, quarter and year have 30, 90 and 365 days.

    Examples
    --------
    >>> length_of(1, "Q").days
    90
    """
    return count * _LENGTHS[unit]


def shorthand_of(length: timedelta) -> str:
    """Return the shorthand of whole minutes, in the largest of w, d, h and m that fits.

    Examples
    --------
    >>> shorthand_of(timedelta(days=30)), shorthand_of(timedelta(hours=36))
    ('30d', '36h')
    """
    for unit in ("w", "d", "h"):
        if length and not length % _LENGTHS[unit]:
            return f"{length // _LENGTHS[unit]}{unit}"
    return f"{length // _LENGTHS['m']}m"
