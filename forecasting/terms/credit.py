"""Service credits as they fall due, window by window, to the smallest unit of the currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from forecasting.terms.service_level import AttainmentStatus, Period


class ClaimStatus(StrEnum):
    """Where a credit stands."""

    NONE = "none"
    """Nothing is due."""
    AUTOMATIC = "automatic"
    """Due by itself, without a claim."""
    CLAIMABLE = "claimable"
    """Must be claimed, until the end of the local day `claim_by`."""
    LAPSED = "lapsed"
    """The last day to claim has passed, whatever else is open: lost unless it was claimed in time."""
    PROVISIONAL = "provisional"
    """The attainment is not final, or an earn-back is still possible; a deadline to claim runs all the same."""
    UNDETERMINED = "undetermined"
    """Missing data leave open what is due; `low` and `high` bound it."""


@dataclass(frozen=True, kw_only=True)
class CreditLine:
    """The credit of one window of one agreement, with how it was worked out."""

    agreement: str
    objective: str
    """Objective that caused it (the worst one of a joint credit)."""
    period: Period
    status: AttainmentStatus
    attainment: Decimal | None
    fee: Decimal
    """Fee of the window after proration, unrounded."""
    tier_below: Decimal | None
    """Bound of the tier that applies; None = no tier, or credits by the hour."""
    share: Decimal
    """Credit share of the fee before repeats and caps; 0 where the tier names an amount."""
    multiplier: Decimal
    """Factor for repeated misses; 1 = none."""
    gross: Decimal
    """Before caps, rounded to the currency."""
    capped: Decimal
    """After the caps of window and year."""
    earned_back: Decimal
    """Given back because later windows were better."""
    due: Decimal
    """What is to be paid: capped − earned back; of an undetermined window only what is certain (`low`)."""
    low: Decimal
    """Smallest credit that the missing data allow (they were all good); equals `due` where nothing is missing."""
    high: Decimal
    """Largest credit that the missing data allow (they were all bad); equals `due` where nothing is missing."""
    claim: ClaimStatus
    claim_by: date | None
    """Last day to claim, in the zone of the window; None = needs no claim."""
    paid_by: str
    """Provider of the agreement."""
    paid_to: str
    """Customer of the agreement."""
    currency: str
    receivable: bool
    """True where it is paid to us (a UC with a supplier), False where we pay."""
    termination_right: bool
    """Whether the misses up to and with this window give the customer the right to end the agreement."""
    explanation: str
    """The arithmetic in words."""
    joint: bool = False
    """True where the window has one credit for all objectives of the agreement."""
    claim_ends: datetime | None = None
    """UTC instant at which the last day to claim is over; None = needs no claim."""


@dataclass(frozen=True, kw_only=True)
class CreditTotal:
    """Sums of credit lines of one currency, each the exact sum of the lines' own field."""

    currency: str
    lines: int
    gross: Decimal
    capped: Decimal
    earned_back: Decimal
    due: Decimal
    """capped − earned back."""
    low: Decimal
    high: Decimal
    payable: Decimal
    """Part of `due` that we pay."""
    receivable: Decimal
    """Part of `due` that is paid to us; payable + receivable = due."""
    lapsed: Decimal
    """Part of `due` whose claim deadline has passed: lost unless it was claimed in time."""
