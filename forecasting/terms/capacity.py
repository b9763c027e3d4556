"""Headroom, time remaining and what has to be ordered by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


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
