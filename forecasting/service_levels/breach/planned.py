"""How much time of each coming day counts by plan: service hours, holidays, maintenance, exclusions, due days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.intervals import micros
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.breach.badness import DailyBadness
from forecasting.service_levels.events import Events
from forecasting.service_levels.layout import lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.terms.indicator import DeadlineIndicator, TicketIndicator
from forecasting.terms.service_level import Objective, Period
from forecasting.terms.service_time import ServiceTime

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class PlannedTime:
    """Time that counts in each data slice, from the first datum to the end of the last coming window."""

    starts: NDArray[np.int64]
    """Shape (n,): microseconds UTC."""
    ends: NDArray[np.int64]
    time: NDArray[np.int64]
    """Shape (n + 1,): running sum of the microseconds that count."""

    def per_day(self, first: date, days: int, zone: str) -> NDArray[np.float64]:
        """Return the time that counts of the slices that begin in each local day from `first` on, shape (days,)."""
        at = np.searchsorted(self.starts, midnights(first, days + 1, zone))
        return np.asarray(self.time[at[1:]] - self.time[at[:-1]], dtype=np.float64)

    def to_come(self, as_of: datetime, days: int, zone: str, first: date) -> NDArray[np.float64]:
        """Return the same for coming days; of slices that have ended by `as_of` nothing is to come, shape (days,)."""
        found = self.per_day(first, days, zone)
        begun, over = midnights(first, 1, zone)[0], micros(as_of)
        low = int(np.searchsorted(self.starts, begun))
        high = int(np.searchsorted(self.ends, over, side="right"))
        found[0] -= float(self.time[max(low, high)] - self.time[low])
        return found


def has_plan(objective: Objective) -> bool:
    """Say whether the time that counts differs from day to day by plan.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> has_plan(Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                    target=Decimal("0.9"), window=CalendarWindow(unit="day", zone="UTC")))
    False
    """
    if isinstance(objective.indicator, TicketIndicator):
        return False
    if isinstance(objective.indicator, DeadlineIndicator):
        return True
    return _lasting(objective.time) != ServiceTime()


def planned_time(objective: Objective, events: Events, *, until: datetime, masks: TimeMasks) -> PlannedTime | None:
    """Lay out the time that counts; None where all of it does.

    Parameters
    ----------
    objective : Objective
        Its validity is not looked at.
    events : Events
        From `events_of`, of the data slices.
    until : datetime
        End of the last coming window.
    masks : TimeMasks
    """
    if not has_plan(objective):
        return None
    lasting = replace(objective, time=_lasting(objective.time))
    period = Period(start=events.series.start, end=until, label="")
    laid = lay_out(lasting, events, (period,), until, masks)
    counts = np.where(laid.eligible & ~laid.dropped, laid.time, 0)
    return PlannedTime(starts=laid.starts, ends=laid.ends, time=np.concatenate(([0], np.cumsum(counts))))


def planned_traffic(
    member: DailyBadness, planned: PlannedTime, *, as_of: datetime, days: int, zone: str, first: date
) -> NDArray[np.float64]:
    """Return the expected total of each coming day: what a microsecond of its weekday had of late × time to come.

    Parameters
    ----------
    member : DailyBadness
        Of the past, on days of `zone`.
    planned : PlannedTime
    as_of : datetime
    days : int
        Coming days, that of the cut-off among them.
    zone : str
    first : date
        Local day of the cut-off.
    """
    past = planned.per_day(member.first_day, member.days, zone)
    rates = _rates(member, past)
    coming = planned.to_come(as_of, days, zone, first)
    return np.asarray(rates[(first.weekday() + np.arange(days)) % 7] * coming, dtype=np.float64)


def _rates(member: DailyBadness, time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return total ÷ time that counted of the last four observed days of each weekday, shape (7,)."""
    observed = member.known if member.observed is None else member.observed
    usable = observed & (time > 0)
    weekday = (member.first_day.weekday() + np.arange(member.days)) % 7
    overall = float(member.total[usable].sum() / time[usable].sum()) if usable.any() else 0.0
    found = np.full(7, overall)
    for k in range(7):
        alike = np.flatnonzero(usable & (weekday == k))[-4:]
        if len(alike):
            found[k] = member.total[alike].sum() / time[alike].sum()
    return found


def _lasting(time: ServiceTime) -> ServiceTime:
    return replace(time, valid_from=None, valid_until=None)
