"""Measures: what could be done about a service or resource beside buying more of it, with cost and effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

MeasureKind = Literal[
    "tune",
    "shift_demand",
    "shape_demand",
    "change_supplier",
    "commit",
    "retire",
    "improve_monitoring",
    "add_redundancy",
]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A known way to act on a service or a resource: its effect, cost and lead time as somebody has estimated them.

    An effect of 1 leaves things as they are. Effects on demand act on the use of `resource` (or, without one, on the
    demand driver of the services); the effect on bad events acts on the odds of bad of the services' events.

    Examples
    --------
    >>> Measure(name="second-region", kind="add_redundancy", services=("shop",), label="Serve from a second region",
    ...     bad_multiplier=Decimal("0.25"), opex_per_month=Decimal(18000)).demand_multiplier
    Decimal('1')
    """

    name: str
    kind: MeasureKind
    services: tuple[str, ...]
    label: str
    """What is done, in words with its size."""
    resource: str | None = None
    demand_multiplier: Decimal = Decimal(1)
    """Factor on the demand or use from the day on which it is in effect, 0 or more."""
    peak_multiplier: Decimal = Decimal(1)
    """Factor on the busiest slices alone, at the same total (shifting load to quiet hours), above 0, at most 1."""
    per_unit_multiplier: Decimal = Decimal(1)
    """Factor on what one unit of the resource carries (tuning), above 0."""
    bad_multiplier: Decimal = Decimal(1)
    """Factor on the odds of bad events, 0 or more."""
    bad_multiplier_low: Decimal | None = None
    """Ends of the range within which the estimate of `bad_multiplier` lies (triangular); None = known."""
    bad_multiplier_high: Decimal | None = None
    promised: Decimal | None = None
    """change_supplier: level that the supplier or internal team would promise, 0 to 1."""
    supplier_agreement: str | None = None
    """change_supplier, commit: id of the OLA or supplier contract that is changed."""
    capex: Decimal = Decimal(0)
    opex_per_month: Decimal = Decimal(0)
    """Added running cost; negative = saved."""
    saves_opex_of_resource: bool = False
    """retire: whether the running cost of the services' resources ends with it."""
    lead_time: timedelta = timedelta(0)
    available_from: date | None = None
    """First day on which it can be started; None = today."""
    currency: str = "EUR"
    price_date: date | None = None
    kwh_per_month: Decimal = Decimal(0)
    co2_kg_per_month: Decimal = Decimal(0)
    reversibility: str = ""
    risk: str = ""
    side_effects: str = ""
