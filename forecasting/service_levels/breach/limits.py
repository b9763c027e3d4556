"""The workload limit on paths: which part of a day's traffic lies above it, and what that does to what counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.service_levels.breach.badness import DailyBadness, days_of_slices
from forecasting.service_levels.events import Events, counts_slices
from forecasting.service_levels.grids import on_grid
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History, MetricKind
from forecasting.terms.service_level import Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEKS = 8
"""Weeks whose mean is the level of demand on a weekday."""
_NEIGHBOURS = 4
"""Past days with a little less, and with a little more demand that stand for a demand."""
_GRID = 33
"""Demands of a day at which it is worked out what is left of it; between them a line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Workload:
    """Demand beside every slice that is simulated; arrays of shape (n,)."""

    demand: NDArray[np.float64]
    """What is held against the limit: of a time slice the smallest data slice in it, for it counts as long as anything
    in it does."""
    whole: NDArray[np.float64]
    """Demand of the slice itself: the sum of its data slices, or their mean where they do not add up."""
    forgiven: NDArray[np.float64] | None
    """Bad of the slice that the limit takes away; None = what is above the limit says it."""
    adds_up: bool
    """Whether the demand of a day is the sum of its slices (counts), not their mean."""


def workload_of(
    objective: Objective, history: History, plain: Events, judged: Events, limited: Events
) -> Workload | Excuse | None:
    """Lay the demand of a workload limit beside the slices that are simulated.

    Parameters
    ----------
    objective : Objective
    history : History
    plain : Events
        Data slices without the limit.
    judged, limited : Events
        Slices that count, without and with it (the same as the data slices where the method counts what is in them).

    Returns
    -------
    Workload, Excuse or None
        None without a limit that changes what counts; an excuse where there is no demand before the cut-off.
    """
    if objective.workload_metric is None or objective.workload_limit is None or objective.workload_effect == "priced":
        return None
    series = history.get(objective.service, objective.workload_metric)
    if series is None or not len(series):
        return Excuse(
            reason=f"no data of {objective.workload_metric}, on which the workload limit of {objective.name} depends",
            what_would_help=f"ingest rows of {objective.workload_metric} for {objective.service}",
        )
    demand = on_grid(series, plain.series)
    adds_up = series.metric.kind is MetricKind.COUNT
    if not counts_slices(objective):
        return Workload(demand=demand, whole=demand, forgiven=None, adds_up=adds_up)
    seen = np.isfinite(demand)
    first = np.searchsorted(plain.starts, judged.starts)
    last = np.maximum(np.searchsorted(plain.starts, judged.ends), first + 1)
    inside = np.minimum(np.stack((first, last), axis=1).ravel(), len(demand))
    least = np.minimum.reduceat(np.append(np.where(seen, demand, -np.inf), np.inf), inside)[::2]
    sums = np.add.reduceat(np.append(np.where(seen, demand, 0.0), 0.0), inside)[::2]
    count = np.add.reduceat(np.append(seen, False).astype(np.float64), inside)[::2]
    mean = np.divide(sums, count, out=np.full(len(sums), np.nan), where=count > 0)
    whole = np.asarray(mean * (last - first) if adds_up else mean, dtype=np.float64)
    forgiven = None
    if objective.workload_effect == "scaled":
        same = np.searchsorted(limited.starts, judged.starts).clip(max=max(len(limited.starts) - 1, 0))
        forgiven = np.asarray(limited.good[same] - judged.good, dtype=np.float64).clip(min=0.0)
    return Workload(demand=least, whole=whole, forgiven=forgiven, adds_up=adds_up)


@dataclass(frozen=True, kw_only=True, eq=False)
class _UsualDays:
    """What is left of usual days of a weekday, by demand; arrays of shape (n,)."""

    demand: NDArray[np.float64]
    """Rising."""
    kept: NDArray[np.float64]
    """Share of the traffic that counts."""
    bad_of_kept: NDArray[np.float64]
    """Share of bad of what counts."""
    bad_of_all: NDArray[np.float64]
    """Share of bad of the whole day."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LimitedDays:
    """What a workload limit did, and would do at another demand, on every day of the past."""

    limit: float
    scaled: bool
    order: NDArray[np.int64]
    """First slice of each day among the slices sorted by day and demand, shape (days + 1,)."""
    demand: NDArray[np.float64]
    """Of the sorted slices, shape (slices,)."""
    total: NDArray[np.float64]
    """Running sums over the sorted slices, shape (slices + 1,)."""
    bad: NDArray[np.float64]
    """Likewise of bad."""
    each: NDArray[np.float64]
    """Bad of the sorted slices, shape (slices,)."""
    forgiven: NDArray[np.float64] | None
    """Share of the bad of each day that the limit took away as it was, shape (days,); None = by demand."""
    daily: NDArray[np.float64]
    """Demand of each day, shape (days,); NaN where not known."""
    level: NDArray[np.float64]
    """Mean of the same weekday over the last weeks up to each day, shape (days,)."""
    weekday: NDArray[np.int64]
    """Of each day, Monday = 0."""

    def kept(
        self, source: NDArray[np.int64], demand: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return by what bad and total of a day are multiplied, so that only what counts is left.

        What a demand leaves of a day is read off past days of the same weekday with nearly that demand, because busy
        slices may be bad for being busy; only a demand that was never seen stretches the days with the nearest one.
        How bad the coming day is against a usual one of its source day's demand, its kept part is against a usual one.

        Parameters
        ----------
        source : ndarray of int64, shape (n_paths, days)
            Past day that stands for each coming one.
        demand : ndarray, shape (n_paths, days)
            Demand of the coming day; NaN = as on that past day.
        """
        filled = self._filled_daily()
        own = filled[source]
        asked = np.where(np.isfinite(demand), demand, own)
        if np.diff(self.order).max(initial=0) <= 1:  # a day is one slice: its demand says it all
            if self.scaled:
                share = np.divide(self.limit, asked, out=np.ones(own.shape), where=asked > self.limit)
                return share, np.ones(own.shape)
            counts = np.where(asked > self.limit * (1 + 1e-12), 0.0, 1.0)
            return counts, counts
        bad, total = np.ones(source.shape), np.ones(source.shape)
        for weekday in range(7):
            here = self.weekday[source] == weekday
            if not here.any():
                continue
            usual = self._usual_days(weekday, filled, asked[here], own[here])
            left = np.interp(asked[here], usual.demand, usual.kept)
            rate = np.interp(asked[here], usual.demand, usual.bad_of_kept)
            before = np.interp(own[here], usual.demand, usual.bad_of_all)
            total[here] = left
            bad[here] = left * np.divide(rate, before, out=np.ones(len(left)), where=before > 0)
        return bad, total

    def _filled_daily(self) -> NDArray[np.float64]:
        """Return the demand of each day, where it is not known the mean one of its weekday."""
        known = np.isfinite(self.daily)
        found = self.daily.copy()
        for weekday in range(7):
            alike = self.weekday == weekday
            same = self.daily[known & alike]
            found[alike & ~known] = same.mean() if len(same) else (self.daily[known].mean() if known.any() else 0.0)
        return found

    def _usual_days(self, weekday: int, daily: NDArray[np.float64], *asked: NDArray[np.float64]) -> _UsualDays:
        """Return what is left of a usual day of a weekday at demands that span those asked about."""
        there = np.diff(self.order) > 0
        same = np.flatnonzero(there & (self.weekday == weekday))
        pool = same if len(same) > 2 * _NEIGHBOURS else np.flatnonzero(there)
        pool = pool[np.argsort(daily[pool], kind="stable")]
        seen = daily[pool]
        grid = np.linspace(min(float(x.min()) for x in asked), max(float(x.max()) for x in asked), _GRID)
        sums = np.zeros((4, _GRID))  # total, kept total, bad, kept bad
        for k, level in enumerate(grid):
            first = int(np.searchsorted(seen, level)) - _NEIGHBOURS
            near = np.arange(first, first + 2 * _NEIGHBOURS + 1).clip(0, len(pool) - 1)
            for at in np.unique(near):
                stretched = level / seen[at] if not seen[0] <= level <= seen[-1] and seen[at] > 0 else 1.0
                sums[:, k] += self._of_day(int(pool[at]), float(stretched))
        total, kept, bad, kept_bad = sums
        none = np.zeros(_GRID)
        return _UsualDays(
            demand=grid,
            kept=np.divide(kept, total, out=np.ones(_GRID), where=total > 0),
            bad_of_kept=np.divide(kept_bad, kept, out=none.copy(), where=kept > 0),
            bad_of_all=np.divide(bad, total, out=none.copy(), where=total > 0),
        )

    def _of_day(self, day: int, ratio: float) -> tuple[float, float, float, float]:
        """Return total, kept total, bad and kept bad of one past day with all its demand multiplied."""
        a, b = int(self.order[day]), int(self.order[day + 1])
        total, bad = float(self.total[b] - self.total[a]), float(self.bad[b] - self.bad[a])
        if self.forgiven is not None:
            return total, total, bad, bad * (1.0 - float(self.forgiven[day]))
        demand = self.demand[a:b] * ratio
        at = a + int(np.searchsorted(demand, self.limit * (1 + 1e-12), side="right"))
        if self.scaled:
            above = np.floor(self.each[at:b] * self.limit / demand[at - a :] + 1e-9).sum()
            return total, total, bad, float(self.bad[at] - self.bad[a] + above)
        return total, float(self.total[at] - self.total[a]), bad, float(self.bad[at] - self.bad[a])

    def usual(self, source: NDArray[np.int64], now: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the demand of coming days where there is no forecast: that of the source day, at the level of now.

        Parameters
        ----------
        source : ndarray of int64, shape (n_paths, days)
        now : ndarray, shape (days,)
            Level of each coming day: mean of its weekday over the last weeks.
        """
        then = self.level[source]
        ratio = np.divide(now[None, :], then, out=np.full(then.shape, np.nan), where=then > 0)
        return np.asarray(self.daily[source] * ratio, dtype=np.float64)

    def level_now(self, weekday: int, days: int) -> NDArray[np.float64]:
        """Return the level of the weekdays of coming days, shape (days,).

        Parameters
        ----------
        weekday : int
            Weekday of the first coming day, Monday = 0.
        days : int
        """
        now = np.array([self.level[self.weekday == k][-1] if (self.weekday == k).any() else np.nan for k in range(7)])
        return np.asarray(now[(weekday + np.arange(days)) % 7], dtype=np.float64)


def limited_days(
    objective: Objective, events: Events, workload: Workload, member: DailyBadness, *, as_of: datetime
) -> LimitedDays:
    """Sort the slices of every past day by demand.

    Parameters
    ----------
    objective : Objective
        With a workload limit.
    events : Events
        What is simulated, without the limit.
    workload : Workload
        Beside them.
    member : DailyBadness
        The same events by day; gives the axis.
    as_of : datetime
        Slices that end after it are not looked at.
    """
    closed = events.ends <= np.datetime64(as_utc(as_of).replace(tzinfo=None), "us")
    day = (days_of_slices(objective, events) - np.datetime64(member.first_day, "D")).astype(np.int64)
    use = closed & (day >= 0) & (day < member.days)
    day, raw, least = day[use], workload.whole[use], workload.demand[use]
    demand = np.where(np.isfinite(least), least, -np.inf)
    good, total = (np.asarray(x[use], dtype=np.float64) for x in (events.good, events.total))
    bad = total - good
    sort = np.lexsort((demand, day))
    count = np.bincount(day, minlength=member.days)
    seen = np.isfinite(raw)
    summed = np.bincount(day, weights=np.where(seen, raw, 0.0), minlength=member.days)
    known = np.bincount(day, weights=seen, minlength=member.days)
    mean = np.divide(summed, known, out=np.full(member.days, np.nan), where=known > 0)
    daily = mean * count if workload.adds_up else mean
    forgiven = None
    if workload.forgiven is not None:
        taken = np.bincount(day, weights=workload.forgiven[use], minlength=member.days)
        there = np.bincount(day, weights=bad, minlength=member.days)
        forgiven = np.divide(taken, there, out=np.zeros(member.days), where=there > 0).clip(0.0, 1.0)

    def running(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate(([0.0], np.cumsum(values[sort])))

    assert objective.workload_limit is not None
    return LimitedDays(
        limit=float(objective.workload_limit),
        scaled=objective.workload_effect == "scaled",
        order=np.concatenate(([0], np.cumsum(count))),
        demand=demand[sort],
        total=running(total),
        bad=running(bad),
        each=bad[sort],
        forgiven=forgiven,
        daily=daily,
        level=_levels(daily),
        weekday=(member.first_day.weekday() + np.arange(member.days)) % 7,
    )


def _levels(daily: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the same weekday over the last weeks up to each day; NaN where none is known."""
    shifted = np.full((WEEKS, len(daily)), np.nan)
    for k in range(min(WEEKS, -(-len(daily) // 7))):
        shifted[k, 7 * k :] = daily[: len(daily) - 7 * k]
    known = np.isfinite(shifted)
    count = known.sum(axis=0)
    found: NDArray[np.float64] = np.where(known, shifted, 0.0).sum(axis=0)
    return np.asarray(np.divide(found, count, out=np.full(len(daily), np.nan), where=count > 0), dtype=np.float64)


def limit_words(objective: Objective, share: float) -> str:
    """Say in words what the workload limit does to the paths.

    Parameters
    ----------
    objective : Objective
    share : float
        Mean share of the traffic to come (suspended) or of the bad events to come (scaled) that it takes away.
    """
    above = f"above {objective.workload_limit} of {objective.workload_metric} a slice"
    taken = 100 * max(share, 0.0) + 0.0  # rounding may leave a negative zero
    if objective.workload_effect == "scaled":
        return f"; {above} bad events are forgiven in proportion: {taken:.1f} % of those to come"
    return f"; {above} the target is suspended: {taken:.1f} % of the traffic to come"
