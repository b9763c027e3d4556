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
class Scenario:
    """A named set of driver effects that are looked at together."""

    name: str
    effects: tuple[DriverEffect, ...]
    description: str = ""
