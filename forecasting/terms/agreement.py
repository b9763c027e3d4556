"""Agreements: who promised what to whom, and what a miss costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from forecasting.terms.service_level import Objective


class AgreementKind(StrEnum):
    """SLA to a customer, OLA with an internal team, UC (underpinning contract) with a supplier."""

    SLA = "SLA"
    OLA = "OLA"
    UC = "UC"


@dataclass(frozen=True, kw_only=True)
class CreditTier:
    """A step of the service-credit ladder."""

    below: Decimal
    """The tier applies when the attainment is below this share."""
    share_of_fee: Decimal
    """Credit as a share of the fee of the period, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Credits:
    """Service credits of an agreement.

    Examples
    --------
    >>> Credits(fee_per_period=Decimal(1000), tiers=(CreditTier(below=Decimal("0.8"), share_of_fee=Decimal("0.05")),
    ...     ), cap_share=Decimal("0.25")).cap_share
    Decimal('0.25')
    """

    fee_per_period: Decimal
    """Fee of one window of the agreement, in the agreement's currency."""
    tiers: tuple[CreditTier, ...]
    """From the highest `below` to the lowest; the last one that applies counts."""
    cap_share: Decimal
    """Ceiling of the credit as a share of the fee."""


@dataclass(frozen=True, kw_only=True)
class WorkloadLimit:
    """Demand up to which the target holds."""

    metric: str
    per_slice: Decimal
    """Largest demand in one slice of the metric's own step."""
    effect: str = "target suspended"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One agreement and its objectives."""

    id: str
    kind: AgreementKind
    service: str
    customer: str
    provider: str
    objectives: tuple[Objective, ...]
    valid_from: date
    valid_until: date | None
    """Last day on which it applies; None = open-ended."""
    version: str = "1"
    promise: str = ""
    """The promise in plain words."""
    currency: str = "EUR"
    price_date: date | None = None
    """Date of the prices in it."""
    credits: Credits | None = None
    loss_per_bad_event: Decimal = Decimal(0)
    """Business loss of the customer per bad event beyond the budget, in `currency`."""
    workload_limit: WorkloadLimit | None = None
    relies_on: tuple[str, ...] = ()
    """Ids of the agreements that underpin it."""
    owner: str = ""
