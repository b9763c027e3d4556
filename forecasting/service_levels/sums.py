"""Exact sums over stretches of slices: cumulative sums that do not overflow, and sums of ratios."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

_ROOM = 2.0**62
_BITS = 140
"""Bits kept after the point of a sum of ratios: more than 40 decimal digits."""


def running(values: NDArray[Any]) -> NDArray[Any]:
    """Return cumulative sums with a leading 0, shape (n + 1,); Python integers where int64 could overflow.

    Examples
    --------
    >>> running(np.array([1, 2, 3]))
    array([0, 1, 3, 6])
    >>> int(running(np.full(4, 2**62))[4]) == 2**64
    True
    """
    if values.dtype != np.bool_ and len(values) and _largest(values) * len(values) >= _ROOM:
        values = values.astype(object)
    sums = np.zeros(len(values) + 1, dtype=object if values.dtype == object else np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


def _largest(values: NDArray[Any]) -> float:
    """Return the largest absolute value."""
    return max(abs(float(values.max())), abs(float(values.min())))


def safe(factor: int, values: NDArray[Any]) -> NDArray[Any]:
    """Return factor × values, with Python integers where int64 could overflow.

    Examples
    --------
    >>> safe(10, np.array([1, 2])), int(safe(2**40, np.array([2**40]))[0]) == 2**80
    (array([10, 20]), True)
    """
    largest = _largest(values) if len(values) else 0.0
    if abs(factor) >= _ROOM or largest * abs(factor) >= _ROOM:
        values = values.astype(object)
    return values * factor


@dataclass(frozen=True, kw_only=True, eq=False)
class RatioSums:
    """Sums of good ÷ total over stretches [k, j) of slices: bounds at once, the exact sum when it is asked for."""

    limbs: tuple[NDArray[Any], ...]
    """Cumulative sums of the digits, most significant first."""
    bits: int
    """Bits of a digit."""
    cut: NDArray[Any]
    """Cumulative number of ratios whose digits do not end."""
    good: Counts
    total: Counts

    def bounds(self, k: int, j: int) -> tuple[Fraction, Fraction]:
        """Return bounds of the sum over [k, j); they are equal where it is known exactly."""
        whole = 0
        for limb in self.limbs:
            whole = (whole << self.bits) + int(limb[j] - limb[k])
        scale = 1 << (self.bits * (len(self.limbs) - 1))
        return Fraction(whole, scale), Fraction(whole + int(self.cut[j] - self.cut[k]), scale)

    def exact(self, k: int, j: int) -> Fraction:
        """Return the sum over [k, j): one term for each distinct total."""
        totals, where = np.unique(self.total[k:j], return_inverse=True)
        order = np.argsort(where, kind="stable")
        sums = running(self.good[k:j][order])
        edges = np.concatenate(([0], np.cumsum(np.bincount(where, minlength=len(totals)))))
        terms = [
            Fraction(int(sums[edges[i + 1]] - sums[edges[i]]), int(total)) for i, total in enumerate(totals.tolist())
        ]
        while len(terms) > 1:  # in pairs, so that the long denominators meet only at the end
            terms = [sum(terms[i : i + 2], Fraction(0)) for i in range(0, len(terms), 2)]
        return terms[0] if terms else Fraction(0)


def ratio_sums(good: Counts, total: Counts) -> RatioSums:
    """Prepare sums of good ÷ total, which needs total ≥ 1; slices that do not count are given as 0 of 1.

    The ratios are written as binary digits by long division, `_BITS` of them or more after the point.

    Examples
    --------
    >>> sums = ratio_sums(np.array([1, 1, 1, 3]), np.array([3, 3, 3, 4]))
    >>> low, high = sums.bounds(0, 3)
    >>> low < 1 < high, sums.exact(0, 3), sums.bounds(3, 4)
    (True, Fraction(1, 1), (Fraction(3, 4), Fraction(3, 4)))
    """
    largest = int(total.max()) if len(total) else 1
    bits = min(31, 62 - largest.bit_length())
    rest: NDArray[Any]
    if bits < 8:
        bits, rest, divisor = 62, good.astype(object), total.astype(object)
    else:
        rest, divisor = good, total
    limbs = []
    for _ in range(-(-_BITS // bits) + 1):
        digit = rest // divisor
        rest = (rest - digit * divisor) * (1 << bits)
        limbs.append(running(digit))
    return RatioSums(limbs=tuple(limbs), bits=bits, cut=running(np.asarray(rest != 0)), good=good, total=total)


def reaches(good: NDArray[Any], total: NDArray[Any], share: Fraction) -> NDArray[np.bool_]:
    """Say where good ÷ total ≥ share, exactly.

    Examples
    --------
    >>> reaches(np.array([9995, 9994]), np.array([10000, 10000]), Fraction("0.9995"))
    array([ True, False])
    """
    return np.asarray(safe(share.denominator, good) >= safe(share.numerator, total), dtype=np.bool_)
