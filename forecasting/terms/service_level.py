"""What was promised and what was delivered: indicators, objectives, windows, attainment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class RatioIndicator:
    """SLI: good events ÷ total events, both counted per slice (exactly one of `good` and `bad`)."""

    total: str
    """Metric that counts all events."""
    good: str | None = None
    """Metric that counts good events."""
    bad: str | None = None
    """Metric that counts bad events."""


@dataclass(frozen=True, kw_only=True)
class ThresholdIndicator:
    """SLI: share of samples whose value satisfies ``value op limit``."""

    metric: str
    """Metric whose samples are judged."""
    op: Literal["lt", "lte", "gt", "gte"]
    """Comparison that makes a sample good."""
    limit: Decimal
    """Right-hand side of the comparison, in the metric's unit."""


Indicator = RatioIndicator | ThresholdIndicator


@dataclass(frozen=True, kw_only=True)
class CalendarWindow:
    """Windows aligned to the calendar of a zone: day, week (Monday), month, quarter or year."""

    unit: Literal["day", "week", "month", "quarter", "year"]
    zone: str
    """IANA time zone of the contract."""


@dataclass(frozen=True, kw_only=True)
class RollingWindow:
    """A trailing window of fixed length, judged at every day's end in `zone`."""

    length: timedelta
    zone: str = "UTC"


Window = CalendarWindow | RollingWindow


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
    """Good events (ratio) or samples (threshold) among the known slices."""
    total: int
    """All events or samples among the known slices."""
    known_slices: int
    elapsed_slices: int
    """Slices of the window that ended by `as_of`."""
    planned_slices: int
    """Slices of the whole window."""
    value: Decimal | None
    """good ÷ total unrounded (28 digits); None where total is 0."""
    lower: Decimal | None
    upper: Decimal | None
    status: AttainmentStatus
    as_of: datetime
    final: bool
    """True once the window closed by `as_of`."""

    @property
    def bad(self) -> int:
        """Events that were not good."""
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
        """Bad events allowed on the events seen so far."""
        return (1 - self.target) * self.total

    @property
    def budget_spent(self) -> float | None:
        """Bad ÷ allowed on the events seen so far (1 = all spent); None without traffic."""
        return float(self.bad / self.budget_events) if self.total else None
