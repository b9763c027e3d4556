"""What was promised and what was delivered: objectives, windows, attainment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_time import ServiceTime

__all__ = [
    "Attainment",
    "AttainmentStatus",
    "AvailabilityIndicator",
    "BudgetingMethod",
    "CalendarWindow",
    "Component",
    "CompositeIndicator",
    "DeadlineIndicator",
    "Indicator",
    "Objective",
    "Period",
    "QuantileIndicator",
    "RatioIndicator",
    "RawRatioIndicator",
    "RollingWindow",
    "Rounding",
    "ThresholdIndicator",
    "TicketIndicator",
    "Unit",
    "Window",
]


@dataclass(frozen=True, kw_only=True)
class CalendarWindow:
    """Windows aligned to the calendar of a zone: day, week (Monday), month, quarter or year.

    With `anchor` the k-th boundary is the anchor's wall-clock time advanced k × `count` units in the zone (month ends
    clamp from the anchor's own day: 31 January, 28 February, 31 March).
    """

    unit: Literal["day", "week", "month", "quarter", "year"]
    zone: str
    """IANA time zone of the contract."""
    count: int = 1
    """Units in one window."""
    anchor: datetime | None = None
    """Local wall-clock start of window 0, without a zone; None = the calendar's own boundaries (needs `count` 1)."""


@dataclass(frozen=True, kw_only=True)
class RollingWindow:
    """A trailing window of fixed length, judged at every day's end in `zone`."""

    length: timedelta
    zone: str = "UTC"


Window = CalendarWindow | RollingWindow


class BudgetingMethod(StrEnum):
    """How a window's attainment is made of its slices (OpenSLO v1)."""

    OCCURRENCES = "Occurrences"
    """Good ÷ total over all events of the window."""
    TIMESLICES = "Timeslices"
    """Good slices ÷ slices; a slice is good where its own ratio reaches `slice_target`."""
    RATIO_TIMESLICES = "RatioTimeslices"
    """Mean of the ratios of the slices."""


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The agreement's own rule for rounding an attainment before it is compared with the target.

    Examples
    --------
    >>> Rounding(decimals=2, mode="half_up").decimals
    2
    """

    decimals: int
    """Decimals of the percentage, 0 to 10."""
    mode: Literal["half_up", "half_even", "down", "up"] = "half_up"


Unit = Literal["events", "samples", "slices", "microseconds", "tickets", "days", "billionths"]
"""What `Attainment.good` and `total` count; billionths are 10⁻⁹ of a slice or sample (means of ratios)."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A target for an indicator in a window (an SLO, or the objective inside an SLA).

    Examples
    --------
    >>> Objective(name="lga-on-time", service="LGA", target=Decimal("0.8"),
    ...           indicator=RatioIndicator(total="departures", good="on_time"),
    ...           window=CalendarWindow(unit="month", zone="America/New_York")).error_budget_share
    Decimal('0.2')
    """

    name: str
    service: str
    indicator: Indicator
    target: Decimal
    """Share of good that must be reached, above 0 and below 1; a tie is met."""
    window: Window
    display_name: str = ""
    """Name for people; empty means `name`."""
    description: str = ""
    minimum_events: int = 0
    """Below this total a window is INSUFFICIENT_DATA."""
    minimum_coverage: Decimal = Decimal("0.95")
    """Below this observed share of slices a window is judged by its interval only."""
    method: BudgetingMethod = BudgetingMethod.OCCURRENCES
    slice_window: timedelta | None = None
    """Timeslices, RatioTimeslices: length of a slice, counted from the start of each window."""
    slice_target: Decimal | None = None
    """Timeslices: ratio above 0 and at most 1 from which a slice is good."""
    no_traffic: Literal["exclude", "good", "bad", "carry"] = "exclude"
    """Timeslices, RatioTimeslices: what a slice without any event counts as; carry = as the slice before it."""
    no_data: Literal["unknown", "exclude", "good", "bad"] = "unknown"
    """What a slice without data counts as; unknown gives the interval [lower, upper]."""
    strict: bool = False
    """True where the target must be exceeded: a tie is then a miss."""
    rounding: Rounding | None = None
    """Rule of the agreement for rounding before comparing; None = compared unrounded."""
    time: ServiceTime = field(default_factory=ServiceTime)
    """Which time of the window counts: service hours, exclusions, maintenance, validity."""
    workload_metric: str | None = None
    """Metric whose value per slice decides on the workload limit; None = no limit."""
    workload_limit: Decimal | None = None
    """Demand per slice up to which the target holds."""
    workload_effect: Literal["suspended", "scaled", "priced"] = "suspended"
    """Of a slice above the limit: not counted; bad events forgiven in the share above the limit; or nothing."""
    alert_policies: tuple[str, ...] = ()
    """Names of the alert policies that watch it."""

    @property
    def error_budget_share(self) -> Decimal:
        """Share of events that may be bad: 1 − target."""
        return 1 - self.target


@dataclass(frozen=True, kw_only=True, order=True)
class Period:
    """One half-open window instance [start, end) in UTC.

    Examples
    --------
    >>> from datetime import UTC
    >>> Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03").label
    '2027-03'
    """

    start: datetime
    end: datetime
    label: str
    """Local name of the window, such as ``2013-09`` or ``2013-Q3`` or ``30d to 2013-09-30``."""


class AttainmentStatus(StrEnum):
    """Verdict on one window."""

    MET = "met"
    BREACHED = "breached"
    UNDETERMINED = "undetermined"
    """The unknown slices could turn the verdict."""
    NO_TRAFFIC = "no_traffic"
    INSUFFICIENT_DATA = "insufficient_data"
    RUNNING = "running"
    """The window has not closed and the outcome is still open."""


@dataclass(frozen=True, kw_only=True)
class Attainment:
    """What was delivered in one window, exactly.

    `lower` and `upper` differ from `value` only where slices are unknown: unknown counted as all bad and as all
    good, at the mean traffic of the known slices.
    """

    service: str
    agreement: str | None
    """Agreement the objective belongs to; None for an SLO outside any agreement."""
    objective: str
    period: Period
    target: Decimal
    good: int
    """Good among the known slices, in `unit`."""
    total: int
    """All among the known slices, in `unit`."""
    known_slices: int
    """Eligible slices of the window that ended by `as_of` and were observed."""
    elapsed_slices: int
    """Eligible slices of the window that ended by `as_of`."""
    planned_slices: int
    """Eligible slices of the whole window."""
    value: Decimal | None
    """Attainment unrounded (28 digits); None where total is 0."""
    lower: Decimal | None
    upper: Decimal | None
    status: AttainmentStatus
    as_of: datetime
    final: bool
    """True once the window closed by `as_of` and the time for late data (grace) is over."""
    unit: Unit = "events"
    method: BudgetingMethod = BudgetingMethod.OCCURRENCES
    provisional: bool = False
    """True between the window's end and the end of the grace for late data: judged, but not yet final."""
    excluded_slices: int = 0
    """Slices of the whole window left out by exclusions, maintenance or the workload limit (hours apart)."""
    planned_time: timedelta = timedelta(0)
    """Length of the eligible slices of the whole window."""
    watermark: datetime | None = None
    """UTC end of the last observed slice of the window by `as_of`; None where nothing was observed."""
    decided: Literal["open", "breach_certain", "met_certain"] = "open"
    """Of a running window: whether the slices to come can still change the verdict (known for methods that count
    slices, time or days; events to come are not known)."""
    worst_component: tuple[str, Decimal] | None = None
    """Of a composite: the component that spent the largest share of its own error budget, and that share."""

    @property
    def bad(self) -> int:
        """What was not good, in `unit`."""
        return self.total - self.good

    @property
    def margin(self) -> Decimal | None:
        """Value − target, in share points ÷ 100; None without traffic."""
        return None if self.value is None else self.value - self.target

    @property
    def coverage(self) -> float:
        """Known share of the elapsed slices, 0 to 1."""
        return self.known_slices / self.elapsed_slices if self.elapsed_slices else 0.0

    @property
    def budget_events(self) -> Decimal:
        """Bad allowed on what was seen so far, in `unit`."""
        return (1 - self.target) * self.total

    @property
    def budget_spent(self) -> float | None:
        """Bad ÷ allowed on what was seen so far (1 = all spent); None without traffic."""
        return float(self.bad / self.budget_events) if self.total else None
