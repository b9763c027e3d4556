"""Horizon drivers and scenarios: what may happen, and what it would do to a series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class DriverEffect:
    """What a driver does to one metric of one service from a date on, as a distribution.

    The size is triangular between `low` and `high` with its peak at `mode`; all equal means a known size. Effects of
    one driver share its draws, so that it happens to all its metrics on the same paths.

    Examples
    --------
    >>> DriverEffect(driver="campaign", service="shop", metric="rps", kind="multiplier", start=date(2027, 3, 1),
    ...     low=1.8, mode=2.0, high=2.3, end=date(2027, 3, 8)).likelihood
    1.0
    """

    driver: str
    """Identity of the driver, such as ``retention-law``."""
    service: str
    metric: str
    kind: Literal["multiplier", "step", "trend"]
    """multiplier: demand × size; step: demand + size; trend: demand + size per day since the start."""
    start: date
    """First local day on which it acts."""
    low: float
    """Smallest size: a factor of 0 or more (multiplier), or metric units (step, trend).

    Of a count the units are per local day, spread evenly over its slices."""
    mode: float
    high: float
    ramp_days: int = 0
    """Days over which it grows in a straight line from nothing to its full size; 0 = at once."""
    end: date | None = None
    """First local day on which it no longer acts; None = it stays."""
    likelihood: float = 1.0
    """P(it happens at all), 0 to 1."""
    statement: str = ""
    """What is expected, in one sentence for reports."""


@dataclass(frozen=True, kw_only=True)
class ResourceEffect:
    """What a driver does to a resource: its price, the units in place or its lead time, from a date on.

    Sizes are triangular as those of `DriverEffect`, and drawn with the same draws of the driver.
    """

    driver: str
    resource: str
    kind: Literal["price_multiplier", "units_multiplier", "units_step", "lead_time_multiplier", "usable_multiplier"]
    """price: capex and monthly cost × size; units: units in place × or + size (0 = the supplier is lost); lead time ×
    size; usable: usable share × size (a shorter batch window)."""
    start: date
    low: float
    mode: float
    high: float
    end: date | None = None
    likelihood: float = 1.0
    statement: str = ""


@dataclass(frozen=True, kw_only=True)
class Signpost:
    """Something that can be observed and confirms or retires a driver.

    Examples
    --------
    >>> Signpost(statement="CDN traffic passes 800 TB", service="cdn", metric="traffic_tb", above=800.0).below is None
    True
    """

    statement: str
    service: str = ""
    metric: str = ""
    """Metric that is looked at; empty = somebody has to look."""
    above: float | None = None
    """Confirmed where the latest 28-day mean is above; None = not this way."""
    below: float | None = None
    due: date | None = None
    """Day by which it should show; None = open."""


@dataclass(frozen=True, kw_only=True)
class DriverOutcome:
    """What became of a driver, once known."""

    happened: bool
    on: date
    """Day on which it was known."""
    size: float | None = None
    """Size that was seen, in the unit of its first effect; None = not measured."""
    note: str = ""


DriverCategory = Literal[
    "technical", "market", "industrial", "socio-economic", "legislative", "sustainability", "internal"
]


@dataclass(frozen=True, kw_only=True)
class HorizonDriver:
    """An entry of the driver register: something that may happen, why we think so, and what it would do."""

    id: str
    category: DriverCategory
    statement: str
    effects: tuple[DriverEffect, ...] = ()
    """On demand; each carries this driver's id and likelihood."""
    resource_effects: tuple[ResourceEffect, ...] = ()
    likelihood: float = 1.0
    """P(it happens within its horizon), 0 to 1."""
    evidence: str = ""
    evidence_date: date | None = None
    services: tuple[str, ...] = ()
    """Services that it touches, where no effect is known in numbers."""
    horizon: Literal["H1", "H2", "H3"] = "H1"
    """H1: within a year, H2: in one to three, H3: in three to five."""
    signposts: tuple[Signpost, ...] = ()
    owner: str = ""
    status: Literal["watch", "plan", "act", "retired"] = "watch"
    """Drivers of status plan and act are part of the base case; those that are watched only of scenarios."""
    planned_until: date | None = None
    """Day by which it should have happened and be scored; None = the end of its horizon."""
    outcome: DriverOutcome | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A named set of driver effects that are looked at together."""

    name: str
    effects: tuple[DriverEffect, ...]
    description: str = ""
    resource_effects: tuple[ResourceEffect, ...] = ()
    drivers: tuple[str, ...] = ()
    """Ids of drivers of the register that happen in it (with likelihood 1), beside the effects of its own."""
    without: tuple[str, ...] = ()
    """Ids of drivers of the base case that do not happen in it."""
    probability: float | None = None
    """Probability of the scenario, where somebody states one."""
