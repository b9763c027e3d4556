"""At which instants a server is asked for the slices of a metric, so that each answer is one slice of its grid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from forecasting.history.calendar import is_local_days, local_midnight

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Run:
    """Slices of one length, asked for at `first_us`, `first_us` + `step_us`, ... (`count` of them).

    Examples
    --------
    >>> Run(first_us=0, step_us=60, count=5).since(100)
    Run(first_us=120, step_us=60, count=3)
    """

    first_us: int
    step_us: int
    count: int

    @property
    def last_us(self) -> int:
        """The last instant asked for."""
        return self.first_us + (self.count - 1) * self.step_us

    def part(self, begin: int, count: int) -> Run:
        """Return `count` of the slices from number `begin` on."""
        return Run(
            first_us=self.first_us + begin * self.step_us, step_us=self.step_us, count=min(count, self.count - begin)
        )

    def since(self, begin_us: int | None) -> Run:
        """Return the slices that are asked for at or after an instant."""
        skipped = 0 if begin_us is None else max(-((self.first_us - begin_us) // self.step_us), 0)
        return self.part(min(skipped, self.count), self.count)


def slices_to_ask(step: timedelta, since: datetime, now_us: int, zone: str, *, cumulative: bool) -> list[Run]:
    """Return the slices from `since` on that have ended by now (readings: begun), in runs of equal length.

    Parameters
    ----------
    step : timedelta
        Length of a slice; whole days are local days in `zone`.
    since : datetime
        No slice begins before it.
    now_us : int
        Microseconds since 1970 UTC.
    zone : str
        IANA zone of local days.
    cumulative : bool
        Whether the instants asked for are the beginnings of the slices, not their ends.

    Examples
    --------
    >>> since, now = datetime(2027, 3, 26, 23, tzinfo=UTC), datetime(2027, 3, 30, tzinfo=UTC)
    >>> runs = slices_to_ask(timedelta(days=1), since, (now - EPOCH) // MICRO, "Europe/Berlin", cumulative=False)
    >>> [(run.count, run.step_us // 3_600_000_000) for run in runs]
    [(1, 24), (1, 23), (1, 24)]
    """
    since_us, step_us = (since - EPOCH) // MICRO, step // MICRO
    if not is_local_days(step):
        first = -(-since_us // step_us) * step_us + (0 if cumulative else step_us)
        count = (now_us - first) // step_us + 1
        return [Run(first_us=first, step_us=step_us, count=count)] if count > 0 else []
    bounds = _midnights(since, now_us, step.days, zone)
    runs = list[Run]()
    for begin, end in pairwise(bounds):
        asked = begin if cumulative else end
        if asked > now_us:
            break
        run = runs[-1] if runs else None
        if run is not None and run.step_us == end - begin and run.last_us + run.step_us == asked:
            runs[-1] = Run(first_us=run.first_us, step_us=run.step_us, count=run.count + 1)
        else:
            runs.append(Run(first_us=asked, step_us=end - begin, count=1))
    return runs


def _midnights(since: datetime, now_us: int, days: int, zone: str) -> list[int]:
    """Return the bounds of local days (or of groups of them) from `since` to the first one after now."""
    tz = ZoneInfo(zone)
    day: date = since.astimezone(tz).date()
    if local_midnight(day, tz) < since:
        day += timedelta(days=1)
    bounds = list[int]()
    while not bounds or bounds[-1] <= now_us:
        bounds.append((local_midnight(day, tz) - EPOCH) // MICRO)
        day += timedelta(days=days)
    return bounds
