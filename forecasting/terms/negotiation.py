"""The negotiation desk: what can be promised, at which confidence, and what it exposes the provider to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from forecasting.terms.errors import Excuse


@dataclass(frozen=True, kw_only=True)
class TargetPoint:
    """One target on the curve of target, probability and exposure."""

    target: Decimal
    probability_met: float
    """P(met) of a coming whole window, each as likely asked about as the others, 0 to 1."""
    probability_low: float
    """90 % interval of `probability_met`, by the shortness of history and the number of paths."""
    probability_high: float
    probability_all: float
    """P(every coming whole window is met)."""
    credit_mean: float
    """Mean credit of one window, with the credit tiers moved by as much as the target, in the agreement's currency."""
    credit_p95: float
    exposure_mean: float
    """Mean of credit + business loss of one window; the loss does not depend on the target."""
    exposure_p95: float
    beyond_supply: bool
    """True where the agreements it relies on do not add up to it, however well they are kept."""


@dataclass(frozen=True, kw_only=True)
class SafeTarget:
    """The strictest round target that is met with a confidence."""

    confidence: float
    target: Decimal | None
    """None = no target above 0 is."""
    probability_met: float


@dataclass(frozen=True, kw_only=True)
class CounterOffer:
    """Another way to answer a request: other terms at the same target."""

    kind: str
    """``window``, ``service_hours``, ``workload_limit``, ``exclusion`` or ``tier``."""
    label: str
    target: Decimal
    probability_met: float
    probability_low: float
    probability_high: float
    exposure_mean: float
    """Per window of the terms of today (a month of a quarter's window), credit + business loss."""
    exposure_p95: float | None
    """None where windows differ in length and no quantile of one can be given."""
    note: str


@dataclass(frozen=True, kw_only=True)
class SupplyLink:
    """What a reliance promises, and what it would have to promise for the target asked about."""

    agreements: tuple[str, ...]
    promised: Decimal
    """Share of time that the link can hold by its agreements."""
    needed: Decimal | None
    """What it would have to hold, all other links as promised; None = no promise of it would be enough."""


@dataclass(frozen=True, kw_only=True)
class TermSheet:
    """Everything that is brought to the table for one objective."""

    service: str
    agreement: str
    objective: str
    customer: str
    as_of: datetime
    asked: Decimal
    """Target that was asked about."""
    today: Decimal
    """Target of the contract."""
    windows: tuple[str, ...]
    """Labels of the coming whole windows."""
    currency: str
    curve: tuple[TargetPoint, ...]
    """From the softest target to the strictest; P(met) never rises."""
    safe: tuple[SafeTarget, ...]
    offers: tuple[CounterOffer, ...]
    """The three that are likeliest to be met, best first."""
    declined: tuple[tuple[str, Excuse], ...]
    """Kinds of counter-offer that do not apply, with the reason."""
    supply: tuple[SupplyLink, ...]
    supply_ceiling: Decimal | None
    """Largest share that the agreements it relies on allow; None where it relies on none of its kind."""
    supply_independent: bool
    """Whether the ceiling is a product of failures declared independent, or the bound that always holds."""
    supply_as_one: Decimal | None
    """The same where redundant groups count as their weakest member; below the ceiling where topology matters."""
    extra_cost: tuple[tuple[str, float, float], ...]
    """Options that make it safer: (label, cost over the horizon, P(miss) of the worst window after)."""
    basis: str

    def at(self, target: Decimal) -> TargetPoint | None:
        """Return the point of a target, if the curve has it."""
        return next((p for p in self.curve if p.target == target), None)
