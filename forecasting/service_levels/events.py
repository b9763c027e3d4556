"""Good and total events per slice: what an indicator counts, from the series it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import is_local_days, slice_bounds, slice_starts, zone_of
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Series
from forecasting.terms.service_level import Indicator, Objective, RatioIndicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_COUNT = 2.0**53
"""Above it a float no longer holds every whole number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Events of one objective per slice of its grid.

    `good` and `total` are whole numbers; both are 0 where `known` is False.
    """

    series: Series
    """The series that gives the grid (its values are not used)."""
    starts: NDArray[np.datetime64]
    """Shape (n,): UTC start of each slice, datetime64[us]."""
    ends: NDArray[np.datetime64]
    """Shape (n,): UTC end of each slice."""
    good: NDArray[np.int64]
    total: NDArray[np.int64]
    known: NDArray[np.bool_]


def events_of(objective: Objective, history: History) -> Events | Excuse:
    """Return the good and total events per slice of an objective.

    A ratio indicator counts events; a threshold indicator counts each observed sample once. A slice is known only
    where every metric it needs was observed.

    Raises
    ------
    InputError
        A count is fractional, more events are good (or bad) than there are, or the metrics are not on one grid.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> def counted(name, values):
    ...     return Series(service="a", metric=Metric(name=name, kind=MetricKind.COUNT),
    ...                   start=datetime(2027, 3, 1, tzinfo=UTC), step=timedelta(hours=1), values=np.array(values))
    >>> history = History(cut_off=datetime(2027, 3, 2, tzinfo=UTC), series={
    ...     ("a", "calls"): counted("calls", [10.0, 20.0, 5.0]), ("a", "lost"): counted("lost", [1.0, np.nan, 0.0])})
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> found = events_of(slo, history)
    >>> found.good.tolist(), found.total.tolist(), found.known.tolist()
    ([9, 0, 5], [10, 0, 5], [True, False, True])
    """
    indicator = objective.indicator
    names = _metric_names(indicator)
    found = {name: history.get(objective.service, name) for name in names}
    missing = [name for name, series in found.items() if series is None or not len(series)]
    if missing:
        return Excuse(
            reason=f"no data of metric {', '.join(missing)} for service {objective.service} before the cut-off",
            what_would_help=f"ingest rows of {', '.join(missing)} for {objective.service}",
        )
    series = [s for s in (found[name] for name in names) if s is not None]
    grid = _common_grid(objective, series)
    arrays = [_on_grid(s, grid) for s in series]
    known = np.logical_and.reduce([np.isfinite(a) for a in arrays])
    if isinstance(indicator, RatioIndicator):
        counted = [_counts(objective, n, a, known) for n, a in zip(names, arrays, strict=True)]
        total, part = counted
        wrong = np.flatnonzero(part > total)
        if len(wrong):
            k = int(wrong[0])
            raise InputError(
                argument=f"{names[1]} of {objective.service}",
                came=f"{part[k]} at {slice_starts(grid)[k]}Z with {names[0]} {total[k]} ({len(wrong)} such slices)",
                allowed=f"at most {names[0]} in every slice",
                try_instead="correct the source; an indicator's part cannot exceed its whole",
            )
        good = part if indicator.good is not None else total - part
    else:
        values, limit = arrays[0], float(indicator.limit)
        with np.errstate(invalid="ignore"):
            met = {
                "lt": values < limit,
                "lte": values <= limit,
                "gt": values > limit,
                "gte": values >= limit,
            }[indicator.op]
        total = known.astype(np.int64)
        good = (met & known).astype(np.int64)
    bounds = slice_bounds(grid.start, grid.step, grid.zone, len(grid))
    return Events(series=grid, starts=bounds[:-1], ends=bounds[1:], good=good, total=total, known=known)


def _metric_names(indicator: Indicator) -> tuple[str, ...]:
    """Return the metrics an indicator needs; for a ratio the total first."""
    if isinstance(indicator, RatioIndicator):
        part = indicator.good if indicator.good is not None else indicator.bad
        assert part is not None, "a ratio has good or bad"
        return (indicator.total, part)
    return (indicator.metric,)


def _common_grid(objective: Objective, series: list[Series]) -> Series:
    """Return a series spanning all given ones, which must share step, zone and phase."""
    first = series[0]
    for other in series[1:]:
        if other.step != first.step or other.zone != first.zone:
            raise InputError(
                argument=f"objective {objective.name}",
                came=f"{first.metric.name} every {first.step} in {first.zone}, "
                f"{other.metric.name} every {other.step} in {other.zone}",
                allowed="metrics of one indicator on one grid",
                try_instead="declare and ingest both metrics with the same step",
            )
        if _apart(first, other) % first.step:
            raise InputError(
                argument=f"objective {objective.name}",
                came=f"slices of {first.metric.name} from {first.start}, of {other.metric.name} from {other.start}",
                allowed=f"metrics of one indicator whose slices of {first.step} begin together",
                try_instead="cut both metrics at the same instants",
            )
    if len(series) == 1:
        return first
    begin = min(series, key=lambda s: s.start)
    length = max(_apart(begin, s) // s.step + len(s) for s in series)
    return replace(first, start=begin.start, values=np.full(length, np.nan))


def _apart(first: Series, other: Series) -> timedelta:
    """Return by how much `other` begins after `first`: local days for steps of whole days, else elapsed time."""
    if is_local_days(first.step):
        zone = zone_of(first.zone)
        days: list[date] = [s.start.astimezone(zone).date() for s in (first, other)]
        return days[1] - days[0]
    return other.start - first.start


def _on_grid(series: Series, grid: Series) -> NDArray[np.float64]:
    """Return the values of a series laid on a longer grid of the same step."""
    values = np.full(len(grid), np.nan)
    at = _apart(grid, series) // grid.step
    values[at : at + len(series)] = series.values
    return values


def _counts(
    objective: Objective, name: str, values: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return whole counts, 0 where unknown."""
    filled = np.where(known, values, 0.0)
    counts = np.rint(filled)
    wrong = np.flatnonzero((counts != filled) | (counts < 0) | (counts > _LARGEST_COUNT))
    if len(wrong):
        raise InputError(
            argument=f"{name} of {objective.service}",
            came=f"{filled[wrong[0]]!r} ({len(wrong)} such slices)",
            allowed="whole numbers of events, 0 to 2^53",
            try_instead="give counts, not rates, as the parts of a ratio indicator",
        )
    return np.asarray(counts, dtype=np.int64)
