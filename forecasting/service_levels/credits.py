"""Service credits: the ladder of an agreement applied to an attainment."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.agreement import Agreement, Credits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CENT = Decimal("0.01")


def credit_due(terms: Credits, attainment: Decimal) -> Decimal:
    """Return the credit for one window, to the cent.

    Of the tiers whose `below` exceeds the attainment the lowest counts, however they are ordered; the cap limits it.

    Examples
    --------
    >>> from forecasting.terms.agreement import CreditTier
    >>> ladder = Credits(fee_per_period=Decimal(185000), cap_share=Decimal("0.25"), tiers=(
    ...     CreditTier(below=Decimal("0.999"), share_of_fee=Decimal("0.05")),
    ...     CreditTier(below=Decimal("0.995"), share_of_fee=Decimal("0.10"))))
    >>> credit_due(ladder, Decimal("0.9985")), credit_due(ladder, Decimal("0.99")), credit_due(ladder, Decimal("0.999"))
    (Decimal('9250.00'), Decimal('18500.00'), Decimal('0.00'))
    """
    reached = [tier for tier in terms.tiers if attainment < tier.below]
    return _to_the_cent(terms, min(reached, key=lambda tier: tier.below).share_of_fee if reached else Decimal(0))


def _to_the_cent(terms: Credits, share: Decimal) -> Decimal:
    """Return a share of the fee, capped, rounded half up."""
    return (terms.fee_per_period * min(share, terms.cap_share)).quantize(_CENT, rounding=ROUND_HALF_UP)


def credits_on_paths(agreement: Agreement | None, attainment: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the credit on each path, shape (n_paths,), in the agreement's currency; 0 where none was agreed.

    An attainment within 1e-12 of a tier's bound counts as on it, so that an exact tie is not lost in binary.

    Examples
    --------
    >>> credits_on_paths(None, np.array([0.5, 1.0]))
    array([0., 0.])
    """
    due = np.zeros(attainment.shape)
    if agreement is None or agreement.credits is None:
        return due
    for tier in sorted(agreement.credits.tiers, key=lambda tier: tier.below, reverse=True):
        credit = float(_to_the_cent(agreement.credits, tier.share_of_fee))
        due = np.where(attainment < float(tier.below) - 1e-12, credit, due)
    return due


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
