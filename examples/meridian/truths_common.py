"""How an expected truth is written down, and a few helpers of the computations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

from meridian_parameters import CUT_OFF, DAYS_PER_MONTH

SAMPLES = 100_000
"""Simulated windows behind a probability."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One expected number or date."""

    name: str
    value: float | str
    unit: str
    tolerance: float
    """Largest difference a finding may have, in `unit` (days for dates)."""
    testable: bool
    """True where the stages of the package can find it today."""
    mc_error: float | None = None
    """Standard error of `value` where it was simulated."""
    design: float | str | None = None
    """The figure of the design, where there is one; the computed one stands."""
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Truth:
    """One planted truth."""

    id: str
    statement: str
    service: str
    resource: str | None
    stage: str
    """Stage of the package that can (or will) find it."""
    status: str
    """``testable`` when at least one figure is, else ``expected``."""
    not_yet: str | None
    """Why the rest cannot be found yet; None when nothing is left."""
    expected: tuple[Figure, ...]


def figure(
    name: str,
    value: float | str | date,
    unit: str,
    *,
    tolerance: float,
    testable: bool,
    mc_error: float | None = None,
    design: float | str | None = None,
    note: str | None = None,
) -> Figure:
    """Make a figure; a date becomes ISO text."""
    plain = value.isoformat() if isinstance(value, date) else value
    return Figure(
        name=name, value=plain, unit=unit, tolerance=tolerance, testable=testable, mc_error=mc_error, design=design,
        note=note,
    )  # fmt: skip


def probability(
    name: str,
    value: float,
    n: int,
    *,
    tolerance: float,
    testable: bool,
    design: float | None = None,
    note: str | None = None,
) -> Figure:
    """Make a simulated probability with its Monte Carlo error."""
    error = math.sqrt(max(value * (1 - value), 1.0 / n) / n)
    return figure(
        name, value, "probability", tolerance=tolerance, testable=testable, mc_error=error, design=design, note=note
    )


def months_ahead(months: float) -> date:
    """Return the local day that lies so many months of 30.4375 days after the cut-off."""
    return CUT_OFF + timedelta(days=math.floor(months * DAYS_PER_MONTH))


def normal_cdf(x: float) -> float:
    """Return the normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))
