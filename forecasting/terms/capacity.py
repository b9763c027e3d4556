"""Headroom, time remaining and what has to be ordered by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A number of a capacity model learnt from history."""

    name: str
    value: float
    low: float
    """90 % interval."""
    high: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How well a capacity model fits what happened, and where it may be believed."""

    model: str
    parameters: tuple[Parameter, ...]
    observations: int
    goodness: float
    """Share of variance explained on held-out slices, at most 1."""
    valid_from: float
    """Range of demand that was observed; beyond it the model extrapolates."""
    valid_to: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class TimeRemaining:
    """When the usable limit is passed, from one point of view."""

    preset: str
    """``conservative`` (10 % of paths), ``expected`` (half) or ``aggressive`` (90 %)."""
    quantile: float
    date: date | None
    """None = not within the horizon."""
    days: int | None


@dataclass(frozen=True, kw_only=True)
class DriverCapacity:
    """How much more of a business driver the resource carries today."""

    driver: str
    unit: str
    now: float
    residual: float
    """Units of the driver that can be added before the usable limit."""
    supported_growth: float


@dataclass(frozen=True, kw_only=True)
class Swing:
    """What an assumption does to the requirement: one bar of the tornado."""

    assumption: str
    low_label: str
    high_label: str
    required_low: float
    """Units required at the low end of the assumption."""
    required_high: float
    date_low: date | None = None
    """Run-out date (median) at the low end."""
    date_high: date | None = None


@dataclass(frozen=True, kw_only=True)
class LeadStage:
    """One step of the lead-time chain, laid back from the need-by date."""

    name: str
    days_p50: int
    days_p90: int
    start_by: date


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What one resource needs over the horizon.

    All quantities are in the resource's capacity unit unless the name says otherwise.
    """

    resource: str
    service: str
    model: str
    """Capacity model: ``erlang_c``, ``response_curve`` or ``growing_stock``."""
    unit: str
    as_of: datetime
    horizon_end: datetime
    units_now: Decimal
    usable_units: Decimal
    """Usable limit: units × usable share."""
    use_now: float
    """Peak use of the recent past (95th percentile of daily peaks, or the latest level of a stock)."""
    use_p50: float
    """Median of the peak use within the horizon."""
    use_p90: float
    headroom_now: float
    """Usable limit − use now."""
    headroom_end: float
    """Usable limit − median use at its peak in the horizon."""
    required_p50: float
    """Units that carry the median peak at the target."""
    required_p90: float
    """Units that are enough with probability 0.9."""
    probability_exhausted: float
    """P(the usable limit is passed within the horizon), by first passage on paths."""
    exhaustion_p10: date | None
    """Dates by which the limit is passed on 10, 50 and 90 % of the paths; None = not within the horizon."""
    exhaustion_p50: date | None
    exhaustion_p90: date | None
    need_by: date | None
    """Date by which more has to serve (the 10 % date: nine times in ten it is not needed sooner)."""
    order_by: date | None
    """need_by − lead time; in the past means too late already."""
    supported_growth: float
    """Largest factor on today's peak demand that the usable limit carries."""
    service_level_now: float | None
    """Modelled service level at today's peak and capacity, 0 to 1; None where the model has none."""
    service_level_p90: float | None
    """The same at the 90 % demand of the horizon."""
    check: str
    """Independent verification (simulation or another formula) and the disagreement, in words."""
    assumptions: tuple[str, ...] = ()
    daily_use_p50: tuple[tuple[date, float], ...] = ()
    """Median use per local day of the horizon, for the chart."""
    daily_use_p90: tuple[tuple[date, float], ...] = ()
    daily_use_history: tuple[tuple[date, float], ...] = ()
    decide_by: date | None = None
    """order_by − the steps before the order (90 % of their length)."""
    lead_days_p50: int | None = None
    """Days from the decision to use; None = no lead time is known."""
    lead_days_p90: int | None = None
    lead_stages: tuple[LeadStage, ...] = ()
    probability_exhausted_before_arrival: float | None = None
    """P(the limit is passed before more could serve, were it decided today)."""
    time_remaining: tuple[TimeRemaining, ...] = ()
    driver_capacity: tuple[DriverCapacity, ...] = ()
    swings: tuple[Swing, ...] = ()
    """Largest first; the first is the binding assumption."""
    calibration: Calibration | None = None
    expected_level_p50: float | None = None
    """Demand-weighted expected service level over the paths with the units in place, E[A·SL] ÷ E[A]."""
