"""Events on which the baselines of a replay look: those of a promise, or what stands for those of a composite."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import slice_bounds
from forecasting.history.intervals import from_micros
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.breach.badness import days_of_slices
from forecasting.service_levels.breach.weighted import component_weights
from forecasting.service_levels.events import Events
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import BudgetingMethod, Objective, RatioIndicator
from forecasting.workflows.prepare import Promise

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BILLION = 10**9
_DAY = timedelta(days=1)


def replayed_events(promise: Promise) -> tuple[Objective, Events, Events]:
    """Return the objective, events and counted slices that baselines see of a promise.

    Of a composite of method Timeslices these are its jointly judged slices. Of one whose components are weighed they
    are days, as an approximation: what each component's bad events of the day take off the attainment, at the mean
    traffic of its days. The product's own statements and all verdicts are on the events themselves.

    Parameters
    ----------
    promise : Promise
        With data.
    """
    if promise.joint is not None:
        return _plain(promise.objective), promise.joint.events, promise.joint.events
    if promise.parts:
        days = _weighed_days(promise)
        return _plain(promise.objective), days, days
    events, counted = promise.events, promise.simulated
    assert not isinstance(events, Excuse), "only promises with data are replayed"
    # A workload limit changes what counts, not what happens: verdicts and consumption are of the events themselves.
    limited = isinstance(counted, Excuse) or promise.objective.workload_metric is not None
    return promise.objective, events, events if limited or isinstance(counted, Excuse) else counted


def _plain(objective: Objective) -> Objective:
    """Return an objective with the same bar whose events are counted as they are."""
    return replace(
        objective,
        indicator=RatioIndicator(total="all", good="good"),
        method=BudgetingMethod.OCCURRENCES,
        slice_window=None,
        slice_target=None,
        minimum_events=0,
    )


def _weighed_days(promise: Promise) -> Events:
    """Return the days of a composite as billionths of what each takes off the attainment."""
    weights = component_weights(promise.objective, [p.objective for p in promise.parts])
    sums = [_per_day(p) for p in promise.parts]
    first = min(s[0] for s in sums)
    count = max(s[0] + len(s[1]) for s in sums) - first
    bad, known = np.zeros(count), np.ones(count, dtype=np.bool_)
    for weight, (begin, lost, total, seen) in zip(weights, sums, strict=True):
        at = slice(begin - first, begin - first + len(lost))
        usable = seen & (total > 0)
        mean = float(total[usable].mean()) if usable.any() else 0.0
        if mean > 0:
            bad[at] += weight * lost / mean
        there = np.zeros(count, dtype=np.bool_)
        there[at] = seen
        known &= there
    zone = promise.objective.window.zone
    start = from_micros(int(midnights(date(1970, 1, 1) + timedelta(days=first), 1, zone)[0]))
    metric = Metric(name=promise.objective.name, kind=MetricKind.NON_NEGATIVE, step=_DAY)
    series = Series(
        service=promise.objective.service, metric=metric, start=start, step=_DAY, values=np.full(count, np.nan),
        zone=zone,
    )  # fmt: skip
    bounds = slice_bounds(start, _DAY, zone, count)
    total_of = np.where(known, _BILLION, 0)
    return Events(
        series=series,
        starts=bounds[:-1],
        ends=bounds[1:],
        good=np.where(known, np.rint(_BILLION * (1.0 - bad.clip(0.0, 1.0))).astype(np.int64), 0),
        total=total_of,
        known=known,
        unit="billionths",
    )


def _per_day(promise: Promise) -> tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the first day (since 1970) with bad, total and whether all is known, per local day."""
    events = promise.simulated
    assert not isinstance(events, Excuse), "only promises with data are replayed"
    day = days_of_slices(promise.objective, events).astype(np.int64)
    first = int(day[0])
    number, count = day - first, int(day[-1]) - first + 1
    good, total, known = (
        np.asarray(np.bincount(number, weights=np.asarray(x, dtype=np.float64), minlength=count), dtype=np.float64)
        for x in (events.good, events.total, events.known)
    )
    slices = np.bincount(number, minlength=count)
    return first, total - good, total, np.asarray((known == slices) & (slices > 0), dtype=np.bool_)
