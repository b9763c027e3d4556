"""P(breach) without paths: a moment-matched beta-binomial, as a cross-check of the simulation."""

from __future__ import annotations

import math
from decimal import Decimal

_LARGEST_SUM = 20_000


def fast_probability(
    *, consumed_bad: int, consumed_total: int, remaining_total: float, share: float, share_sd: float, target: Decimal
) -> float:
    """Return P(bad in the whole window exceeds the budget) for a beta-distributed share of bad in the rest.

    Parameters
    ----------
    consumed_bad, consumed_total : int
        Exact counts so far.
    remaining_total : float
        Expected events to come.
    share : float
        Mean share of bad in the rest, 0 to 1.
    share_sd : float
        Standard deviation of the underlying share, without the counting noise of single events.
    target : Decimal

    Notes
    -----
    Above `_LARGEST_SUM` events the beta-binomial is replaced by the beta distribution of the same mean and variance,
    cut half an event above the budget, because the exact sum has as many terms as events.

    Examples
    --------
    >>> round(fast_probability(consumed_bad=0, consumed_total=0, remaining_total=1000, share=0.1, share_sd=0.0,
    ...                        target=Decimal("0.9")), 2)
    0.47
    """
    from scipy.stats import beta, betabinom, binom

    remaining = round(remaining_total)
    numerator, denominator = (1 - target).as_integer_ratio()
    allowed = numerator * (consumed_total + remaining) // denominator - consumed_bad
    if allowed < 0:
        return 1.0
    if remaining <= allowed:
        return 0.0
    mean = min(max(share, 1e-12), 1 - 1e-12)
    variance = share_sd**2
    spread = mean * (1 - mean)
    if variance <= 1e-12 * spread or not math.isfinite(variance):
        return float(binom.sf(allowed, remaining, mean))
    size = spread / min(variance, 0.999 * spread) - 1.0
    if remaining > _LARGEST_SUM:
        size = spread / min(variance + (spread - variance) / remaining, 0.999 * spread) - 1.0
        return float(beta.sf((allowed + 0.5) / remaining, mean * size, (1 - mean) * size))
    return float(betabinom.sf(allowed, remaining, mean * size, (1 - mean) * size))
