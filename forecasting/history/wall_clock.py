"""Wall-clock times of a zone turned into UTC instants, many at once and exactly."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import zone_of

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

DAY_US = 86_400_000_000
"""Microseconds of a day on the wall clock."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_US = 1_000_000
_DAY_S = 86_400


def day_number(day: date) -> int:
    """Return the days from 1970-01-01 to `day`.

    Examples
    --------
    >>> day_number(date(1970, 2, 1))
    31
    """
    return day.toordinal() - 719_163


def wall_micros(local: datetime) -> int:
    """Return a wall-clock time (without a zone) as microseconds since 1970-01-01 00:00 on the same wall clock.

    Examples
    --------
    >>> wall_micros(datetime(1970, 1, 2))
    86400000000
    """
    return (local.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def micros_of_day(at: time) -> int:
    """Return a time of day as microseconds after midnight on the wall clock.

    Examples
    --------
    >>> micros_of_day(time(0, 1))
    60000000
    """
    return ((at.hour * 60 + at.minute) * 60 + at.second) * _SECOND_US + at.microsecond


def _offset(second: int, zone: ZoneInfo) -> int:
    """UTC offset in microseconds at a number of seconds since 1970."""
    found = (_EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert found is not None, "a zone has an offset at every instant"
    return found // timedelta(microseconds=1)


@lru_cache(maxsize=8192)
def _year(zone_name: str, year: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Offset at the start of a UTC year, and its changes as (instant, offset from then on).

    Looked for day by day: no zone of the IANA database changes its offset twice within three days.
    """
    zone = zone_of(zone_name)
    first = day_number(date(year, 1, 1)) * _DAY_S
    days = day_number(date(year, 12, 31)) + 1 - day_number(date(year, 1, 1))
    at_start = before = _offset(first, zone)
    changes = []
    for second in range(first + _DAY_S, first + (days + 1) * _DAY_S, _DAY_S):
        after = _offset(second, zone)
        if after != before:
            low, high = second - _DAY_S, second
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
            changes.append((high * _SECOND_US, after))
            before = after
    return at_start, tuple(changes)


def offset_changes(zone: str, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when the UTC offset of a zone changes, and the offsets between the changes.

    Parameters
    ----------
    zone : str
        IANA zone.
    first, last : int
        Microseconds since 1970 UTC; the years around them are covered.

    Returns
    -------
    changes : ndarray of int64, shape (k,)
        Instants of the changes, in microseconds since 1970 UTC.
    offsets : ndarray of int64, shape (k + 1,)
        Offsets in microseconds before the first change, between them and after the last one.

    Examples
    --------
    >>> march = day_number(date(2027, 3, 1)) * DAY_US
    >>> changes, offsets = offset_changes("Europe/Berlin", march, march)
    >>> [str(np.datetime64(int(c), "us").astype("datetime64[m]")) for c in changes]
    ['2027-03-28T01:00', '2027-10-31T01:00']
    >>> (offsets // 3_600_000_000).tolist()
    [1, 2, 1]
    """
    if zone == "UTC":
        return np.empty(0, np.int64), np.zeros(1, np.int64)
    years = [int(np.clip(_year_of(t), 2, 9998)) for t in (first - 2 * DAY_US, last + 2 * DAY_US)]
    parts = [_year(zone, year) for year in range(years[0], years[1] + 1)]
    changes = [change for _, found in parts for change in found]
    return (
        np.array([at for at, _ in changes], np.int64),
        np.array([parts[0][0], *(offset for _, offset in changes)], np.int64),
    )


def _year_of(micro: int) -> int:
    """UTC year of an instant."""
    return int(np.datetime64(micro, "us").astype("datetime64[Y]").astype(np.int64)) + 1970


def to_utc(local: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return the UTC instants of wall-clock times.

    A time that does not exist is moved forward by the length of the gap; of one that exists twice the first is meant.

    Parameters
    ----------
    local : ndarray of int64, shape (n,)
        Microseconds since 1970-01-01 00:00 on the wall clock of the zone.
    zone : str
        IANA zone.

    Returns
    -------
    ndarray of int64, shape (n,)
        Microseconds since 1970 UTC.

    Raises
    ------
    InputError
        If the zone is unknown.

    Examples
    --------
    >>> missing = wall_micros(datetime(2027, 3, 28, 2, 30))  # clocks go from 02:00 to 03:00
    >>> str(to_utc(np.array([missing]), "Europe/Berlin").astype("datetime64[us]").astype("datetime64[m]")[0])
    '2027-03-28T01:30'
    """
    local = np.asarray(local, np.int64)
    if not len(local):
        return local.copy()
    changes, offsets = offset_changes(zone, int(local.min()), int(local.max()))
    # On the wall clock a change is over once the later of the two readings is reached: what lies in a gap still has
    # the offset before it (and so moves forward), and what exists twice has it too (and so is the first).
    over = changes + np.maximum(offsets[:-1], offsets[1:])
    return local - offsets[np.searchsorted(over, local, side="right")]


def to_wall(instants: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Return the wall-clock times of UTC instants, both in microseconds since 1970; shape (n,).

    Examples
    --------
    >>> noon = np.array([wall_micros(datetime(2027, 7, 1, 12))])
    >>> bool(to_wall(to_utc(noon, "Asia/Tokyo"), "Asia/Tokyo") == noon)
    True
    """
    instants = np.asarray(instants, np.int64)
    if not len(instants):
        return instants.copy()
    changes, offsets = offset_changes(zone, int(instants.min()), int(instants.max()))
    return instants + offsets[np.searchsorted(changes, instants, side="right")]


def midnights(first: date, count: int, zone: str) -> NDArray[np.int64]:
    """Return the UTC instants at which `count` local days begin, from `first` on; shape (count,).

    Examples
    --------
    >>> (np.diff(midnights(date(2027, 3, 27), 3, "Europe/Berlin")) // 3_600_000_000).tolist()
    [24, 23]
    """
    return to_utc((day_number(first) + np.arange(count, dtype=np.int64)) * DAY_US, zone)
