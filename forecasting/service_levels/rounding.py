"""The agreement's own rule for rounding an attainment, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from forecasting.terms.service_level import Rounding


def rounded_share(share: Fraction | Decimal, rounding: Rounding | None) -> Fraction:
    """Return a share rounded to so many decimals of its percentage; unchanged without a rule.

    half_up sends a half away from zero, half_even to the even digit; down cuts off, up goes to the next digit away
    from zero where anything is left. Rational arithmetic: no digit is lost before the rounding.

    Parameters
    ----------
    share : Fraction or Decimal
        0.99895 is 99.895 %.
    rounding : Rounding or None

    Examples
    --------
    >>> share = Decimal("0.99895")
    >>> [str(rounded_share(share, Rounding(decimals=2, mode=m))) for m in ("half_up", "half_even", "down", "up")]
    ['999/1000', '999/1000', '9989/10000', '999/1000']
    >>> rounded_share(share, None) == Fraction(share)
    True
    """
    exact = Fraction(share)
    if rounding is None:
        return exact
    unit = 100 * 10**rounding.decimals
    whole, rest = divmod(abs(exact) * unit, 1)
    up = {
        "half_up": 2 * rest >= 1,
        "half_even": 2 * rest > 1 or (2 * rest == 1 and whole % 2 == 1),
        "down": False,
        "up": rest > 0,
    }[rounding.mode]
    size = Fraction(whole + up, unit)
    return -size if exact < 0 else size
