"""Good and total of an objective per data slice: what its indicator says, with the service time applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.grids import apart, on_grid
from forecasting.service_levels.indicators import INDICATORS
from forecasting.service_levels.masks import TimeMasks
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Series
from forecasting.terms.indicator import CompositeIndicator, DeadlineIndicator, QuantileIndicator, TicketIndicator
from forecasting.terms.service_level import BudgetingMethod, Objective, Unit
from forecasting.terms.service_time import ServiceCalendar, ServiceTime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

WHOLE: Mapping[Unit, int] = {"samples": 1, "days": 1, "billionths": 10**9}
"""What one slice is worth in units that count samples; time is worth its length, events are not known ahead."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Events:
    """Good and total of one objective per data slice of its grid.

    `good` and `total` are whole numbers; both are 0 where `known` is False. A slice that is not eligible (outside the
    service hours, or removed) has 0 of 0 and is known; an agreement's validity is looked at by `attainments` only,
    because the past before an agreement says what to expect of it.
    """

    series: Series
    """The series that gives the grid (its values are not used)."""
    starts: NDArray[np.datetime64]
    """Shape (n,): UTC start of each slice, datetime64[us]."""
    ends: NDArray[np.datetime64]
    """Shape (n,): UTC end of each slice."""
    good: Counts
    total: Counts
    known: Flags
    eligible: Flags | None = None
    """Shape (n,): whether a slice counts; None = all do."""
    dropped: Flags | None = None
    """Shape (n,): eligible slices of 0 of 0, by an exclusion or the workload limit; None = none."""
    unit: Unit = "events"
    """What `good` and `total` count."""
    calendars: Mapping[str, ServiceCalendar] = field(default_factory=dict, repr=False)
    """Calendars by name, for the slices to come."""
    observed: Flags | None = field(default=None, repr=False)
    """Shape (n,): where there were data, whatever the rules made of it; None = where known."""
    time: ServiceTime | None = field(default=None, repr=False)
    """Service time that was applied (without validity); None = not said."""

    @property
    def starts_us(self) -> Counts:
        """Starts in microseconds."""
        return self.starts.astype("datetime64[us]").astype(np.int64)

    @property
    def ends_us(self) -> Counts:
        """Ends in microseconds."""
        return self.ends.astype("datetime64[us]").astype(np.int64)


def counts_slices(objective: Objective) -> bool:
    """Say whether slices of the method are counted (Timeslices, RatioTimeslices, a quantile), not what is in them.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> counts_slices(Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                         target=Decimal("0.9"), window=CalendarWindow(unit="day", zone="UTC")))
    False
    """
    return objective.method is not BudgetingMethod.OCCURRENCES or isinstance(objective.indicator, QuantileIndicator)


def events_of(
    objective: Objective,
    history: History,
    *,
    calendars: Mapping[str, ServiceCalendar] | None = None,
    masks: TimeMasks | None = None,
) -> Events | Excuse:
    """Return the good and total per data slice of an objective.

    After this the service hours, exclusions, maintenance, the workload limit and `no_data` have been applied to every
    slice of the data (`docs/attainment-rules.md`, 3 to 5 and 7).

    Parameters
    ----------
    objective : Objective
    history : History
    calendars : mapping of str to ServiceCalendar, optional
        Calendars that deadlines and tickets name.
    masks : TimeMasks, optional
        Shared by the objectives of a run: a service time is laid on a grid once.

    Returns
    -------
    Events or Excuse
        An excuse without data, and for a composite (see `composite_attainments`).

    Raises
    ------
    InputError
        A value that the indicator cannot mean (a fractional count, more good than total), metrics that are not on one
        grid, or a `no_data` rule that needs counted slices on an indicator of events.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from decimal import Decimal
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
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
    if isinstance(objective.indicator, CompositeIndicator):
        return Excuse(
            reason=f"objective {objective.name} is made of other objectives",
            what_would_help="the attainments of its components; composite_attainments joins them",
        )
    lasting = replace(objective, time=replace(objective.time, valid_from=None, valid_until=None))
    judged = INDICATORS[type(objective.indicator)](lasting, history, calendars or {})
    if isinstance(judged, Excuse):
        return judged
    starts, ends = (x.astype("datetime64[us]").astype(np.int64) for x in (judged.starts, judged.ends))
    good, total, known = judged.good, judged.total, judged.known
    eligible, dropped = judged.eligible, judged.dropped
    laid = (masks or TimeMasks()).of(objective.time, objective.window.zone, starts, ends)
    worth = slice_worth(judged.unit, laid.time)
    out = np.zeros(len(starts), dtype=np.bool_)  # slices of 0 of 0
    if not timed_by_itself(objective):
        eligible, dropped = laid.eligible, laid.dropped
        out, known = dropped, known | laid.forgiven
        good, total = forgive(good, total, judged.known, laid.forgiven, worth)
    above, factor = _workload(objective, history, judged.series)
    if above is not None and objective.workload_effect == "suspended":
        out = out | (above & eligible)
        dropped = dropped | out
    elif above is not None and objective.workload_effect == "scaled":
        good = np.where(above, total - _scaled(total - good, above, factor), good)
    keep = eligible & ~out
    good, total, known = np.where(keep & known, good, 0), np.where(keep & known, total, 0), known | ~keep
    if not counts_slices(objective) and objective.no_data in ("good", "bad"):
        if worth is None:
            refuse_no_data(objective, judged.unit)
        else:
            total = np.where(known, total, worth)
            good = np.where(known | (objective.no_data == "bad"), good, worth)
            known = np.ones(len(known), dtype=np.bool_)
    return Events(
        series=judged.series,
        starts=judged.starts,
        ends=judged.ends,
        good=np.asarray(good, dtype=np.int64),
        total=np.asarray(total, dtype=np.int64),
        known=known,
        eligible=eligible,
        dropped=dropped,
        unit=judged.unit,
        calendars=calendars or {},
        observed=judged.known if judged.observed is None else judged.observed,
        time=lasting.time,
    )


def timed_by_itself(objective: Objective) -> bool:
    """Say whether the indicator applies the service time itself: it cuts time exactly, or runs on business time."""
    indicator = objective.indicator
    return isinstance(indicator, DeadlineIndicator | TicketIndicator) or bool(getattr(indicator, "outages", ()))


def slice_worth(unit: Unit, time: Counts) -> Counts | None:
    """Return what each slice would count as a whole, or None where that is not known ahead (events, tickets)."""
    if unit == "microseconds":
        return time
    return np.full(len(time), WHOLE[unit], dtype=np.int64) if unit in WHOLE else None


def forgive(good: Counts, total: Counts, known: Flags, forgiven: Flags, worth: Counts | None) -> tuple[Counts, Counts]:
    """Return good and total with all of the forgiven slices good; where nothing was known, a whole sample or time."""
    if not forgiven.any():
        return good, total
    if worth is not None:
        total = np.where(forgiven & ~known, worth, total)
    return np.where(forgiven, total, good), total


def refuse_no_data(objective: Objective, unit: Unit) -> None:
    """Refuse to count missing events as good or bad: how many there were is not known."""
    raise InputError(
        argument=f"no_data of objective {objective.name}",
        came=objective.no_data,
        allowed=f"unknown or exclude, because its indicator counts {unit}",
        try_instead="method Timeslices, which counts slices",
    )


def _workload(objective: Objective, history: History, grid: Series) -> tuple[Flags | None, NDArray[np.float64]]:
    """Return where the demand is above the workload limit, and the demand; None without a limit or its data."""
    none = np.zeros(0)
    if objective.workload_metric is None or objective.workload_limit is None:
        return None, none
    demand = history.get(objective.service, objective.workload_metric)
    if demand is None or not len(demand):
        return None, none
    if demand.step != grid.step or demand.zone != grid.zone or apart(grid, demand) % grid.step:
        raise InputError(
            argument=f"workload limit of objective {objective.name}",
            came=f"{objective.workload_metric} every {demand.step} from {demand.start} in {demand.zone}",
            allowed=f"the grid of the indicator: every {grid.step} from {grid.start} in {grid.zone}",
            try_instead="a workload metric with the step of the indicator's metrics",
        )
    values = on_grid(demand, grid)
    with np.errstate(invalid="ignore"):
        return np.asarray(values > float(objective.workload_limit)), _with_limit(values, objective)


def _with_limit(values: NDArray[np.float64], objective: Objective) -> NDArray[np.float64]:
    """Return the demand as object fractions limit ÷ demand where it is above the limit, else 1."""
    assert objective.workload_limit is not None
    limit = Fraction(objective.workload_limit)
    factor = np.ones(len(values), dtype=object)
    above = np.flatnonzero(values > float(objective.workload_limit))
    factor[above] = [limit / Fraction(value) for value in values[above].tolist()]
    return factor


def _scaled(bad: Counts, above: Flags, factor: NDArray[np.float64]) -> Counts:
    """Return floor(bad × limit ÷ demand) where the demand is above the limit."""
    scaled = bad.copy()
    at = np.flatnonzero(above & (bad > 0))
    scaled[at] = [int(b) * f.numerator // f.denominator for b, f in zip(bad[at].tolist(), factor[at], strict=True)]
    return scaled
