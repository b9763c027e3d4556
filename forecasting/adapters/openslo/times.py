"""Local start times of calendar windows."""

from __future__ import annotations

import re
from datetime import datetime

_START = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[ T]+([0-9]{2}:[0-9]{2})(:[0-9]{2})?)?")


def start_time(text: str) -> datetime | None:
    """Return the local time that `text` stands for, or None where it is none (or carries an offset).

    Examples
    --------
    >>> start_time("2022-01-01 12:00:00"), start_time("2022-01-01T12:00:00Z")
    (datetime.datetime(2022, 1, 1, 12, 0), None)
    """
    match = _START.fullmatch(text)
    if match is None:
        return None
    day, clock, seconds = match.groups()
    try:
        found = datetime.fromisoformat(f"{day}T{clock or '00:00'}{seconds or ':00'}")
    except ValueError:
        return None
    return found if 1970 <= found.year <= 2200 else None
