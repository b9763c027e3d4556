"""When an attainment misses an objective: its target with the agreement's rule for rounding and for ties."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.service_level import Objective, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-12
"""Attainments of paths (binary numbers) closer than this are taken as equal."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The unrounded attainment at which an objective turns from missed to met."""

    share: Decimal
    tie_meets: bool

    def missed(self, attainment: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of attainments on paths whether they miss it."""
        edge = float(self.share)
        return np.asarray(attainment < edge - TIE if self.tie_meets else attainment <= edge + TIE, dtype=np.bool_)


def bar_of(target: Decimal, rounding: Rounding | None = None, *, strict: bool = False) -> Bar:
    """Return the bar of a target with the agreement's rounding rule.

    Parameters
    ----------
    target : Decimal
    rounding : Rounding or None
    strict : bool
        Whether the target must be exceeded.

    Examples
    --------
    >>> bar_of(Decimal("0.999"), Rounding(decimals=2))  # 99.895 % becomes 99.90 %
    Bar(share=Decimal('0.99895'), tie_meets=True)
    >>> bar_of(Decimal("0.9"), strict=True)
    Bar(share=Decimal('0.9'), tie_meets=False)
    """
    if rounding is None:
        return Bar(share=target, tie_meets=not strict)
    unit = 100 * 10**rounding.decimals
    scaled = Fraction(target) * unit
    # The smallest rounded value that satisfies the target.
    least = scaled.numerator // scaled.denominator + 1 if strict else -(-scaled.numerator // scaled.denominator)
    match rounding.mode:
        case "half_up":
            edge, tie = Fraction(least) - Fraction(1, 2), True
        case "half_even":
            edge, tie = Fraction(least) - Fraction(1, 2), least % 2 == 0
        case "down":
            edge, tie = Fraction(least), True
        case "up":
            edge, tie = Fraction(least - 1), False
    share = edge / unit
    return Bar(share=Decimal(share.numerator) / Decimal(share.denominator), tie_meets=tie)


def missed_on_paths(objective: Objective, attainment: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of attainments on paths whether they miss an objective, by its rounding rule and its rule on ties.

    Examples
    --------
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> missed_on_paths(slo, np.array([0.89, 0.9, 0.91])).tolist()
    [True, False, False]
    """
    return bar_of(objective.target, objective.rounding, strict=objective.strict).missed(attainment)
