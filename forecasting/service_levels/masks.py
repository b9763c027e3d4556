"""Which slices of a grid lie in the service hours, and which were removed, dropped or forgiven."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import local_midnight, zone_of
from forecasting.history.intervals import from_micros, inside, measure, micros, overlaps
from forecasting.service_levels.service_time import eligibility
from forecasting.terms.service_time import ServiceTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    Micros = NDArray[np.int64]

_MOST_KEPT = 32
"""Grids whose masks are kept at once: enough for the services of one shape, little memory for minutes of years."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """What the service time says of each slice of a grid; all arrays have shape (n,)."""

    inside: Flags
    """Wholly in the service hours."""
    removed: Flags
    """Overlaps an exclusion or maintenance of mode remove."""
    dropped: Flags
    """Eligible and overlaps one of mode drop_events."""
    forgiven: Flags
    """Eligible, not dropped, and overlaps one of mode count_as_good."""
    time: Micros
    """Eligible time in the slice, in microseconds, hours and removed time cut exactly."""

    @property
    def eligible(self) -> Flags:
        """Wholly in the service hours and touched by nothing that was removed."""
        return self.inside & ~self.removed


class TimeMasks:
    """Masks already worked out in this run: objectives with one service time on one grid share them.

    Examples
    --------
    >>> bounds = np.arange(3) * 3_600_000_000
    >>> TimeMasks().of(ServiceTime(), "UTC", bounds[:-1], bounds[1:]).eligible
    array([ True,  True])
    """

    def __init__(self) -> None:
        self._times: list[ServiceTime] = []
        self._masks: dict[tuple[int, str, int, int, int, int], Masks] = {}

    def of(self, time: ServiceTime, zone: str, starts: Micros, ends: Micros) -> Masks:
        """Return the masks of the slices [starts, ends), which follow one another; validity is not looked at.

        Parameters
        ----------
        time : ServiceTime
        zone : str
            IANA zone of the window.
        starts, ends : ndarray of int64, shape (n,)
            Microseconds UTC of a grid without holes.
        """
        lasting = replace(time, valid_from=None, valid_until=None)
        n = len(starts)
        if lasting.always or not n:
            no = np.zeros(n, dtype=np.bool_)
            return Masks(inside=~no, removed=no, dropped=no, forgiven=no, time=ends - starts)
        try:
            which = self._times.index(lasting)
        except ValueError:
            which = len(self._times)
            self._times.append(lasting)
        # A grid is settled by its ends and its number of slices, unless two zones' days begin and end alike: the
        # middle slice tells them apart.
        key = (which, zone, int(starts[0]), int(ends[-1]), n, int(starts[n // 2]))
        found = self._masks.get(key)
        if found is None:
            found = _masks(lasting, zone, starts, ends)
            while len(self._masks) >= _MOST_KEPT:
                del self._masks[next(iter(self._masks))]
            self._masks[key] = found
        return found


def _masks(time: ServiceTime, zone: str, starts: Micros, ends: Micros) -> Masks:
    """Lay the intervals of a service time on a grid."""
    found = eligibility(time, zone, from_micros(int(starts[0])), from_micros(int(ends[-1])))
    within, removed = inside(found.service_hours, starts, ends), overlaps(found.removed, starts, ends)
    eligible = within & ~removed
    dropped = eligible & overlaps(found.dropped, starts, ends)
    return Masks(
        inside=within,
        removed=removed,
        dropped=dropped,
        forgiven=eligible & ~dropped & overlaps(found.forgiven, starts, ends),
        time=measure(found.eligible, starts, ends),
    )


def validity(time: ServiceTime, zone: str) -> tuple[int, int]:
    """Return the instants [from, until) in microseconds between which a promise applies: whole local days.

    Examples
    --------
    >>> start, end = validity(ServiceTime(valid_from=date(1970, 1, 2), valid_until=date(1970, 1, 2)), "UTC")
    >>> (end - start) // 3_600_000_000
    24
    """
    local = zone_of(zone)

    def midnight(day: date) -> int:
        return micros(local_midnight(day, local))

    first = -(2**62) if time.valid_from is None else midnight(time.valid_from)
    last = 2**62 if time.valid_until is None else midnight(time.valid_until + timedelta(days=1))
    return first, last
