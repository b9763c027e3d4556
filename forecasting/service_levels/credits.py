"""Service credits: the ladder of an agreement applied to an attainment, in exact arithmetic.

The rules of the terms themselves are the docstrings of `forecasting.terms.agreement.Credits`; this module has the
ladder (what one window costs before caps), the smallest units of currencies, and the same ladder on simulated paths.
`forecasting.service_levels.credit_statement` makes statements of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.agreement import Agreement, Credits, CreditTier
from forecasting.terms.service_level import (
    AvailabilityIndicator,
    BudgetingMethod,
    CalendarWindow,
    Objective,
    Rounding,
    Window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR = 3_600_000_000
"""Microseconds of an hour."""

_TIE = 1e-12
"""Shares of paths (binary numbers) closer than this are taken as equal."""

_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_DECIMALS = {code: decimals for decimals, codes in _MINOR_UNITS.items() for code in codes.split()}
_NOMINAL_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}


def minor_unit_decimals(currency: str) -> int:
    """Return the decimals of a currency's smallest unit (ISO 4217); 2 for those it does not list otherwise.

    Examples
    --------
    >>> [minor_unit_decimals(code) for code in ("EUR", "JPY", "KWD")]
    [2, 0, 3]
    """
    return _DECIMALS.get(currency, 2)


def to_units(amount: Fraction, currency: str) -> int:
    """Return an amount in smallest units of its currency, rounded half up.

    Examples
    --------
    >>> to_units(Fraction(5, 1000), "EUR"), to_units(Fraction(5, 1000), "KWD"), to_units(Fraction(3, 2), "JPY")
    (1, 5, 2)
    """
    return int((amount * 10 ** minor_unit_decimals(currency) + Fraction(1, 2)) // 1)


def from_units(units: int, currency: str) -> Decimal:
    """Return smallest units as an amount, whatever the caller's decimal context.

    Examples
    --------
    >>> from_units(925000, "EUR"), from_units(0, "EUR"), from_units(12, "JPY")
    (Decimal('9250.00'), Decimal('0.00'), Decimal('12'))
    """
    return Decimal(f"{units}E-{minor_unit_decimals(currency)}")


@dataclass(frozen=True, kw_only=True)
class Rung:
    """Where on the ladder an attainment stands, and what that costs before repeats and caps."""

    credit: Fraction
    """Exact amount."""
    share: Decimal = Decimal(0)
    """Share of the fee; 0 where the tier names an amount."""
    tier: CreditTier | None = None
    hours: int = 0
    """Begun hours beyond the budget, where credits go by the hour."""


def ladder(
    terms: Credits, attainment: Fraction, *, covered: Fraction = Fraction(1), beyond: Fraction | None = None
) -> Rung:
    """Return the rung of one attainment: the lowest tier whose `below` exceeds it, or the begun hours.

    Parameters
    ----------
    terms : Credits
    attainment : Fraction
        Share, already rounded by the agreement's rule.
    covered : Fraction
        Share of the fee (and of amounts) that counts after proration, 0 to 1.
    beyond : Fraction or None
        Bad time beyond the budget in microseconds, where credits go by the hour; None = by tiers.

    Examples
    --------
    >>> terms = Credits(fee_per_period=Decimal(1000), tiers=(), cap_share=Decimal(1), per_hour_share=Decimal("0.1"))
    >>> ladder(terms, Fraction(99, 100), beyond=Fraction(HOUR + 1)).credit  # two begun hours at 10 %
    Fraction(200, 1)
    """
    fee = Fraction(terms.fee_per_period) * covered
    if beyond is not None:
        hours = max(0, -(-beyond // HOUR))
        share = Fraction(terms.per_hour_share) * hours
        return Rung(credit=fee * share, share=_exact(share), hours=hours)
    reached = [tier for tier in terms.tiers if attainment < Fraction(tier.below)]
    if not reached:
        return Rung(credit=Fraction(0))
    tier = min(reached, key=lambda t: t.below)
    if tier.amount is not None:
        return Rung(credit=Fraction(tier.amount) * covered, tier=tier)
    return Rung(credit=fee * Fraction(tier.share_of_fee), share=tier.share_of_fee, tier=tier)


def _exact(share: Fraction) -> Decimal:
    """Return a share whose denominator is a power of ten as Decimal, without rounding."""
    digits = 0
    while (share * 10**digits).denominator != 1:
        digits += 1
    return Decimal(f"{(share * 10**digits).numerator}E-{digits}")


def credit_due(
    terms: Credits, attainment: Decimal, *, currency: str = "EUR", beyond: Fraction | None = None
) -> Decimal:
    """Return the credit of one whole window alone, to the smallest unit of the currency, rounded half up once.

    Of the tiers whose `below` exceeds the attainment the lowest counts, however they are ordered; the cap of the
    window limits it. What depends on other windows (repeats, the cap of the year, earn-back) is left out: see
    `credit_statement`.

    Parameters
    ----------
    terms : Credits
    attainment : Decimal
        Share, already rounded by the agreement's rule.
    currency : str
        ISO 4217 code.
    beyond : Fraction or None
        Bad time beyond the budget in microseconds, where credits go by the hour.

    Examples
    --------
    >>> from forecasting.terms.agreement import CreditTier
    >>> terms = Credits(fee_per_period=Decimal(185000), cap_share=Decimal("0.25"), tiers=(
    ...     CreditTier(below=Decimal("0.999"), share_of_fee=Decimal("0.05")),
    ...     CreditTier(below=Decimal("0.995"), share_of_fee=Decimal("0.10"))))
    >>> credit_due(terms, Decimal("0.9985")), credit_due(terms, Decimal("0.99")), credit_due(terms, Decimal("0.999"))
    (Decimal('9250.00'), Decimal('18500.00'), Decimal('0.00'))
    """
    return _due(terms, ladder(terms, Fraction(attainment), beyond=beyond), currency)


def _due(terms: Credits, rung: Rung, currency: str) -> Decimal:
    """Return the credit of a rung, capped and rounded."""
    cap = Fraction(terms.fee_per_period) * Fraction(terms.cap_share)
    return from_units(to_units(min(rung.credit, cap), currency), currency)


def credits_on_paths(
    agreement: Agreement | None,
    attainment: NDArray[np.float64],
    *,
    objective: Objective | None = None,
    total: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return `credit_due` on each path, shape (n_paths,), in the agreement's currency; 0 where none was agreed.

    An attainment within 1e-12 of a tier's bound counts as on it, so that an exact tie is not lost in binary; a bad
    time within a microsecond of whole hours counts as whole hours.

    Parameters
    ----------
    agreement : Agreement or None
    attainment : ndarray, shape (n_paths,)
        Shares, unrounded.
    objective : Objective or None
        Whose attainment it is (its target and rounding rule); None = the agreement's first objective.
    total : ndarray, shape (n_paths,), or None
        Time that counted in microseconds, for credits by the hour; None = the nominal length of the window
        (a month of 30 days, round the clock).

    Examples
    --------
    >>> credits_on_paths(None, np.array([0.5, 1.0]))
    array([0., 0.])
    """
    due = np.zeros(attainment.shape)
    if agreement is None or agreement.credits is None:
        return due
    terms, currency = agreement.credits, agreement.currency
    objective = objective or next(iter(agreement.objectives), None)
    judged = attainment if objective is None else _rounded_paths(attainment, objective.rounding)
    if objective is not None and terms.per_hour_share and _counts_time(objective):
        time = _nominal_time(objective.window) if total is None else total
        beyond = (float(objective.target) - attainment) * time
        hours = np.where(judged < float(objective.target) - _TIE, np.ceil((beyond - 1.0) / HOUR), 0.0).clip(min=0.0)
        worth = {
            h: float(_due(terms, ladder(terms, Fraction(0), beyond=Fraction(int(h) * HOUR)), currency))
            for h in np.unique(hours)
        }
        return np.array([worth[h] for h in hours])
    for tier in sorted(terms.tiers, key=lambda tier: tier.below, reverse=True):
        credit = float(_due(terms, ladder(terms, Fraction(tier.below) - Fraction(1, 10**18)), currency))
        due = np.where(judged < float(tier.below) - _TIE, credit, due)
    return due


def _counts_time(objective: Objective) -> bool:
    """Say whether the objective's attainment is time up ÷ time."""
    return isinstance(objective.indicator, AvailabilityIndicator) and objective.method is BudgetingMethod.OCCURRENCES


def _nominal_time(window: Window) -> float:
    """Return the usual length of a window in microseconds."""
    if isinstance(window, CalendarWindow):
        return float(24 * HOUR * _NOMINAL_DAYS[window.unit] * window.count)
    return window.length.total_seconds() * 1e6


def _rounded_paths(attainment: NDArray[np.float64], rounding: Rounding | None) -> NDArray[np.float64]:
    """Round shares by the agreement's rule; halves and wholes that binary numbers miss are met first."""
    if rounding is None:
        return attainment
    unit = 100.0 * 10.0**rounding.decimals
    scaled = attainment * unit
    halves = np.rint(2 * scaled) / 2
    scaled = np.where(np.abs(scaled - halves) < _TIE * unit, halves, scaled)
    match rounding.mode:
        case "half_up":
            whole = np.floor(scaled + 0.5)
        case "half_even":
            whole = np.rint(scaled)
        case "down":
            whole = np.floor(scaled)
        case "up":
            whole = np.ceil(scaled)
    return np.asarray(whole / unit, dtype=np.float64)


def loss_on_paths(
    agreement: Agreement | None, bad: NDArray[np.float64], total: NDArray[np.float64], target: Decimal
) -> NDArray[np.float64]:
    """Return the business loss on each path: bad events beyond the budget × loss per event; 0 without agreement.

    Examples
    --------
    >>> loss_on_paths(None, np.array([5.0]), np.array([100.0]), Decimal("0.99"))
    array([0.])
    """
    if agreement is None:
        return np.zeros(bad.shape)
    beyond = np.maximum(0.0, bad - float(1 - target) * total)
    return np.asarray(beyond * float(agreement.loss_per_bad_event), dtype=np.float64)
