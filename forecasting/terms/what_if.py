"""What a scenario changes: dates, units, probabilities and money, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A resource, or a limit on demand, in one case."""

    probability_exhausted: float
    """P(the usable limit is passed within the horizon)."""
    use_p90: float
    """90 % quantile of the highest busy-day use within the horizon, in units."""
    required_p90: float
    """Units to have in place."""
    exhaustion_p10: date | None
    exhaustion_p50: date | None
    order_by: date | None
    decide_by: date | None
    added_units: float
    """required_p90 − units in place, 0 or more, in whole steps."""
    cost_of_added: float
    """Capex, order and running cost of these over the horizon, were they ordered by `order_by` or today."""
    monthly_cost_of_added: float


@dataclass(frozen=True, kw_only=True)
class ResourceShift:
    """What a scenario does to a resource."""

    resource: str
    service: str
    unit: str
    currency: str
    units_now: float
    before: Outcome
    after: Outcome

    @property
    def moved(self) -> bool:
        """Whether anything differs."""
        return self.before != self.after


@dataclass(frozen=True, kw_only=True)
class LimitShift:
    """What a scenario does to demand against a workload limit that was agreed."""

    service: str
    objective: str
    agreement: str | None
    metric: str
    limit: float
    probability_before: float
    """P(a busy day passes the limit within the horizon)."""
    probability_after: float
    peak_p90_before: float
    peak_p90_after: float


@dataclass(frozen=True, kw_only=True)
class PromiseShift:
    """What a scenario does to a promise in its worst window."""

    service: str
    objective: str
    agreement: str | None
    period: str
    """Window with the highest P(miss) after."""
    probability_before: float
    probability_after: float
    expected_cost_before: float
    """Credits and losses over all coming windows."""
    expected_cost_after: float


@dataclass(frozen=True, kw_only=True)
class DriverSwing:
    """One bar of the tornado: what one driver alone does to a resource, all else as in the scenario."""

    driver: str
    resource: str
    unit: str
    required_without: float
    required_with: float
    exhaustion_without: date | None
    """Median run-out date."""
    exhaustion_with: date | None
    days_sooner: int | None
    """Days by which the median date comes sooner; None where there is none without it or none at all."""


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """A scenario beside the base case, on the same paths."""

    name: str
    as_of: datetime
    horizon_end: datetime
    currency: str
    statements: tuple[str, ...]
    """What happens in it, in words."""
    base_drivers: tuple[str, ...]
    """Drivers of the register that are in the base case."""
    left_out: tuple[tuple[str, str], ...]
    """(driver, why it does not act)."""
    resources: tuple[ResourceShift, ...]
    limits: tuple[LimitShift, ...]
    promises: tuple[PromiseShift, ...]
    tornado: tuple[DriverSwing, ...]
    expected_cost_before: float
    """Credits and losses of all agreements over all coming windows."""
    expected_cost_after: float
    signposts: tuple[tuple[str, str, str], ...]
    """(driver, what to watch, how it stands)."""
    excuses: tuple[tuple[str, str], ...]
    """(resource or promise, why nothing can be said)."""
