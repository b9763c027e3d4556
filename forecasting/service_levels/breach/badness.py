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
from forecasting.service_levels.events import Events
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
    def filled_ratio(self) -> NDArray[np.float64]:
        """`ratio`, where a day that is not known stands for the nearest known one of its weekday (0 without any)."""
        ratio = self.ratio
        known = np.flatnonzero(self.known)
        if not len(known):
            return np.zeros(self.days)
        for weekday in range(7):
            days = np.arange(weekday, self.days, 7)
            alike = known[known % 7 == weekday]
            near = alike if len(alike) else known
            at = np.searchsorted(near, days)
            before, after = near[np.maximum(at - 1, 0)], near[np.minimum(at, len(near) - 1)]
            ratio[days] = ratio[np.where(np.abs(days - before) <= np.abs(after - days), before, after)]
        return ratio


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
            what_would_help="daily or finer data; the bootstrap resamples days",
        )
    zone = events.series.zone if is_local_days(step) else objective.window.zone
    closed = events.ends <= np.datetime64(as_utc(as_of).replace(tzinfo=None), "us")
    day = to_local(events.starts[closed], zone).astype("datetime64[D]")
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
    if not is_local_days(step):
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
    )


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
        for laid, source in ((bad, member.bad), (total, member.total), (known, member.known)):
            laid[kept] = source[: kept.stop - kept.start]
        aligned.append(replace(member, first_day=first, bad=bad, total=total, known=known))
    return tuple(aligned)
