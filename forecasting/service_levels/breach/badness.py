"""Daily badness: bad and total events per local day, on one axis for the whole fleet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, is_local_days, to_local, zone_of
from forecasting.service_levels.events import Events, counts_slices
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import BudgetingMethod, Indicator, Objective, RatioIndicator, ThresholdIndicator
from forecasting.terms.service_time import ServiceTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM_DAYS = 28
"""Fewer known days with traffic than this give no bootstrap."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DailyBadness:
    """Bad and total events of one indicator of one service per complete local day before the cut-off.

    Services of one `group` (tier and indicator) lend each other history.
    """

    service: str
    group: str
    indicator: Indicator
    first_day: date
    """Local date of index 0."""
    bad: NDArray[np.float64]
    """Shape (days,); 0 where not known."""
    total: NDArray[np.float64]
    known: NDArray[np.bool_]
    """Days whose slices are all known and carry traffic."""
    slices_per_day: float
    """Mean number of slices in a day: the traffic of a threshold indicator."""
    even: bool = True
    """Whether every day has the same slices (no service hours, exclusions or other rules on slices)."""
    observed: NDArray[np.bool_] | None = None
    """Days whose slices are all known, with traffic or without; None = those of `known`."""
    whole_days: bool = False
    """Whether a slice is a whole local day, so that all of today is still to come."""

    @property
    def days(self) -> int:
        """Number of days on the axis."""
        return len(self.bad)

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Bad ÷ total, 0 to 1; NaN where not known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.known, self.bad / self.total, np.nan)

    @cached_property
    def filled_days(self) -> NDArray[np.int64]:
        """Each day, or the nearest known one of its weekday where it is not known (itself without any)."""
        found = np.arange(self.days)
        known = np.flatnonzero(self.known)
        if not len(known):
            return found
        for weekday in range(7):
            days = np.arange(weekday, self.days, 7)
            alike = known[known % 7 == weekday]
            near = alike if len(alike) else known
            at = np.searchsorted(near, days)
            before, after = near[np.maximum(at - 1, 0)], near[np.minimum(at, len(near) - 1)]
            found[days] = np.where(np.abs(days - before) <= np.abs(after - days), before, after)
        return found

    @cached_property
    def filled_ratio(self) -> NDArray[np.float64]:
        """`ratio` of the `filled_days`; 0 where no day is known."""
        return np.nan_to_num(self.ratio[self.filled_days])

    @cached_property
    def recent_traffic(self) -> NDArray[np.float64]:
        """Mean total of the last four observed days of each weekday (of the mean day where there is none), shape (7,).

        Index 0 is Monday. A day on which nothing happens by plan (a desk closed on Sundays) is observed, with 0.
        """
        observed = self.known if self.observed is None else self.observed
        weekday = (self.first_day.weekday() + np.arange(self.days)) % 7
        found = np.zeros(7)
        for k in range(7):
            alike = np.flatnonzero(observed & (weekday == k))[-4:]
            found[k] = self.total[alike].mean() if len(alike) else self.total[self.known].mean()
        return found


def daily_badness(objective: Objective, events: Events, *, tier: str, as_of: datetime) -> DailyBadness | Excuse:
    """Sum the events of an objective per local day of its window's zone, complete days before `as_of` only.

    Parameters
    ----------
    objective : Objective
    events : Events
        From `events_of`; slices of whole days keep the zone they were cut in.
    tier : str
        Services of one tier and indicator lend each other history.
    as_of : datetime
        UTC instant; slices that end after it are not looked at.

    Examples
    --------
    >>> from datetime import UTC
    >>> from decimal import Decimal
    >>> from forecasting.history.calendar import slice_bounds
    >>> from forecasting.terms.history import Metric, MetricKind, Series
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> at, n = datetime(2027, 3, 1, tzinfo=UTC), 30
    >>> calls = Metric(name="calls", kind=MetricKind.COUNT, step=timedelta(days=1))
    >>> grid = Series(service="a", metric=calls, start=at, step=calls.step, values=np.zeros(n))
    >>> bounds = slice_bounds(at, grid.step, "UTC", n)
    >>> events = Events(series=grid, starts=bounds[:-1], ends=bounds[1:], good=np.full(n, 9), total=np.full(n, 10),
    ...                 known=np.ones(n, dtype=bool))
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.8"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> badness = daily_badness(slo, events, tier="standard", as_of=datetime(2027, 3, 30, 12, tzinfo=UTC))
    >>> badness.days, float(badness.ratio[0])
    (29, 0.1)
    """
    step = events.series.step
    if step > timedelta(days=1):
        return Excuse(
            reason=f"objective {objective.name} is measured every {step.days} days",
            what_would_help="`stepped_badness`, which counts in slices of the data's own step",
        )
    zone, local_days = _zone_of_days(objective, events)
    closed = events.ends <= np.datetime64(as_utc(as_of).replace(tzinfo=None), "us")
    day = days_of_slices(objective, events)[closed]
    if not len(day):
        return Excuse(reason=f"no slice of {objective.name} ended before the cut-off", what_would_help="a later as-of")
    first = day[0]
    number = (day - first).astype(np.int64)
    count = int(number[-1]) + 1
    good, total, known, slices = (
        np.bincount(number, weights=np.asarray(x[closed], dtype=np.float64), minlength=count)
        for x in (events.good, events.total, events.known, np.ones(len(events.known)))
    )
    midnight = as_of.astimezone(zone_of(zone)).date()
    complete = min(count, (midnight - first.item()).days)
    if complete <= 0:
        return Excuse(reason=f"no complete day of {objective.name} before the cut-off", what_would_help="a later as-of")
    per_day = float(np.median(slices[:complete]))
    whole = (known[:complete] == slices[:complete]) & (slices[:complete] > 0)
    if not local_days:
        # The grid has no holes, so only its first and its last day can lack slices.
        outside = to_local(np.array([events.starts[0] - np.timedelta64(step), events.ends[-1]]), zone)
        before, after = (int(k) for k in (outside.astype("datetime64[D]") - first).astype(np.int64))
        whole[[k for k in (before, after) if 0 <= k < complete]] = False
    has = whole & (total[:complete] > 0)
    if int(has.sum()) < MINIMUM_DAYS:
        return Excuse(
            reason=f"{int(has.sum())} complete days with traffic for {objective.name}, {MINIMUM_DAYS} needed",
            what_would_help=f"{MINIMUM_DAYS - int(has.sum())} more days of history",
        )
    return DailyBadness(
        service=objective.service,
        group=f"{tier}/{judged_name(objective)}",
        indicator=objective.indicator,
        first_day=first.item(),
        bad=np.where(has, total[:complete] - good[:complete], 0.0),
        total=np.where(has, total[:complete], 0.0),
        known=has,
        slices_per_day=per_day,
        even=judged_name(objective) == indicator_name(objective.indicator),
        observed=whole,
        whole_days=local_days,
    )


def _zone_of_days(objective: Objective, events: Events) -> tuple[str, bool]:
    """Return the zone whose days the slices are counted in, and whether a slice is a whole local day."""
    local_days = is_local_days(events.series.step)
    return (events.series.zone if local_days and not counts_slices(objective) else objective.window.zone), local_days


def days_of_slices(objective: Objective, events: Events) -> NDArray[np.datetime64]:
    """Return the local day that each slice counts on: that in which it begins; of a time slice that of its middle.

    Time slices of a day begin at another hour once the clocks have changed, but most of each lies in one day.
    """
    at = events.starts + (events.ends - events.starts) // 2 if counts_slices(objective) else events.starts
    return np.asarray(to_local(at, _zone_of_days(objective, events)[0]).astype("datetime64[D]"))


def judged_name(objective: Objective) -> str:
    """Return a name that is equal where different services are judged alike: indicator, method and service time.

    Validity does not matter: the past before an agreement says what to expect of it. Nor does a workload limit: what is
    simulated is what happens, limit or not.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import BudgetingMethod, CalendarWindow
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> judged_name(slo) == indicator_name(slo.indicator)
    True
    >>> from datetime import timedelta
    >>> sliced = replace(slo, method=BudgetingMethod.TIMESLICES, slice_window=timedelta(minutes=5),
    ...                  slice_target=Decimal("0.99"))
    >>> judged_name(sliced).startswith("1-lost/calls, ")
    True
    """
    rules = (
        objective.method,
        objective.slice_window,
        objective.slice_target,
        objective.no_traffic if objective.method is not BudgetingMethod.OCCURRENCES else "",
        objective.no_data if objective.no_data != "exclude" else "unknown",
        replace(objective.time, valid_from=None, valid_until=None),
    )
    plain = (BudgetingMethod.OCCURRENCES, None, None, "", "unknown", ServiceTime())
    name = indicator_name(objective.indicator)
    return name if rules == plain else f"{name}, {hashlib.sha256(repr(rules).encode()).hexdigest()[:12]}"


def indicator_name(indicator: Indicator) -> str:
    """Return a name that is equal for the same indicator of different services.

    Examples
    --------
    >>> indicator_name(RatioIndicator(total="calls", bad="lost"))
    '1-lost/calls'
    """
    if isinstance(indicator, RatioIndicator):
        counters = " (counters)" if indicator.cumulative else ""
        return f"{indicator.good or '1-' + str(indicator.bad)}/{indicator.total}{counters}"
    if isinstance(indicator, ThresholdIndicator):
        return f"{indicator.metric} {indicator.op}"
    return f"{type(indicator).__name__} {hashlib.sha256(repr(indicator).encode()).hexdigest()[:12]}"


def align(fleet: Sequence[DailyBadness], last_day: date) -> tuple[DailyBadness, ...]:
    """Lay all members on one day axis that ends before `last_day`; days a member lacks are not known.

    Examples
    --------
    >>> def of(first, n):
    ...     return DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                         first_day=first, bad=np.ones(n), total=np.full(n, 9.0), known=np.ones(n, dtype=bool),
    ...                         slices_per_day=24.0)
    >>> [m.known.tolist() for m in align([of(date(2027, 3, 1), 4), of(date(2027, 3, 3), 1)], date(2027, 3, 4))]
    [[True, True, True], [False, False, True]]
    """
    first = min(member.first_day for member in fleet)
    length = (last_day - first).days
    aligned = []
    for member in fleet:
        offset = (member.first_day - first).days
        kept = slice(offset, max(offset, min(length, offset + member.days)))
        bad, total, known = np.zeros(length), np.zeros(length), np.zeros(length, dtype=np.bool_)
        observed = None if member.observed is None else np.zeros(length, dtype=np.bool_)
        parts = [(bad, member.bad), (total, member.total), (known, member.known)]
        if observed is not None and member.observed is not None:
            parts.append((observed, member.observed))
        for laid, source in parts:
            laid[kept] = source[: kept.stop - kept.start]
        aligned.append(replace(member, first_day=first, bad=bad, total=total, known=known, observed=observed))
    return tuple(aligned)
