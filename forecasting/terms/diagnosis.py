"""What the bad days of the past had in common: relations of daily badness to weather, demand and the like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from forecasting.terms.errors import Excuse

SIGNIFICANT = 0.05
"""Below this adjusted p-value a relation is printed."""


@dataclass(frozen=True, kw_only=True)
class DriverRelation:
    """How the bad share of past days went with one driver. An association: it does not say that one causes the other.

    Examples
    --------
    >>> DriverRelation(driver="lga-wind", label="Wind", service="lga", metric="wind", unit="km/h", daily="max",
    ...     direction="above", threshold=40.0, days=243, worst_days=49, bad_share_worst=0.34, bad_share_rest=0.19,
    ...     excess_share=0.13, correlation=0.4, p_single=0.002, p_value=0.01, known_ahead=False,
    ...     statement="windy days were worse").significant
    True
    """

    driver: str
    """Name of the covariate, or of the demand driver."""
    label: str
    """Its name for people."""
    service: str
    """Service at which it is measured."""
    metric: str
    unit: str
    daily: Literal["sum", "max", "min"]
    """How a day's slices became one value."""
    direction: Literal["above", "below"]
    """Whether the high or the low end is the worse one."""
    threshold: float
    """The worst fifth are the days whose value is at it or beyond, in `unit`."""
    days: int
    """Days with both a known badness and a value of the driver."""
    worst_days: int
    """Days of the worst fifth (ties make it more or less than a fifth)."""
    bad_share_worst: float
    """Bad ÷ all events on the worst fifth, 0 to 1."""
    bad_share_rest: float
    """Bad ÷ all events on the other days, 0 to 1."""
    excess_share: float
    """Share of all bad events that lie on the worst fifth beyond what the level of the other days would give there."""
    correlation: float
    """Rank correlation of the driver with the bad share, days weighted with their traffic, −1 to 1."""
    p_single: float
    """P-value of this driver alone, both directions allowed for."""
    p_value: float
    """The same after Holm's correction over all drivers looked at."""
    known_ahead: bool
    """Whether its future is known or, as demand, forecast, so that it could be planned with."""
    statement: str
    """The relation in one sentence with its numbers."""

    @property
    def significant(self) -> bool:
        """Whether chance alone would seldom give so much, and the worst fifth was worse over the whole past too."""
        return self.p_value < SIGNIFICANT and self.bad_share_worst > self.bad_share_rest


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All drivers looked at for one objective.

    Examples
    --------
    >>> Diagnosis(relations=(), declined=(("lga-wind", Excuse(reason="9 days", what_would_help="51 more days")),)
    ...     ).declined[0][0]
    'lga-wind'
    """

    relations: tuple[DriverRelation, ...]
    """Smallest p-value first."""
    declined: tuple[tuple[str, Excuse], ...]
    """Drivers that could not be judged, with the reason."""
