"""How public holidays change a daily, weekly seasonal series; learnt from the holidays seen so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 2
"""Days before and after a holiday that it may change (a long weekend)."""
PRIOR = 2
"""Weight of "no effect", in holidays: a few noisy holidays must not rule the next one."""
WEEKS = (-21, -14, -7, 7, 14, 21)
"""Where ordinary days of the same weekday are looked for, in days."""
AROUND = 4
"""Days before and after over which the present level is compared with that of another week."""


def _ordinary(values: NDArray[np.float64], near: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the days near holidays would have been: same weekday of ordinary weeks, brought to the present level."""
    n = len(values)
    days = np.flatnonzero(near)
    index = days[:, None] + np.array(WEEKS)
    around = np.arange(-AROUND, AROUND + 1)
    clean = np.concatenate((np.where(near, np.nan, values), [np.nan]))  # the last one stands for "outside"

    def pick(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return clean[np.where((at >= 0) & (at < n), at, n)]

    here = np.broadcast_to(pick(days[:, None] + around)[:, None, :], (len(days), len(WEEKS), len(around)))
    there = pick(index[:, :, None] + around)
    both = ~np.isnan(here) & ~np.isnan(there)
    total = np.where(both, there, 0.0).sum(axis=2)
    level = np.where(total > 0, np.where(both, here, 0.0).sum(axis=2) / np.where(total > 0, total, 1.0), 1.0)
    candidates = pick(index) * level
    has = ~np.isnan(candidates).all(axis=1)
    result = values.copy()
    if has.any():
        result[days[has]] = np.nanmedian(candidates[has], axis=1)
    return result


def _usual_departure(values: NDArray[np.float64]) -> float:
    """Typical relative change from one week to the next."""
    if len(values) < 8:
        return 0.0
    steps = np.abs(values[7:] - values[:-7])
    level = float(np.mean(np.abs(values)))
    return float(np.mean(steps)) / level if level > 0 else 0.0


def near_holidays(holiday: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Days that a holiday may change: itself and `REACH` days before and after."""
    reach = np.ones(2 * REACH + 1)
    return np.convolve(holiday.astype(np.float64), reach)[REACH : REACH + len(holiday)] > 0


def holiday_factors(
    values: NDArray[np.float64], holiday: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split holidays out of the past and give the factor expected on the next ones.

    `values` has shape (n,), `holiday` (n + horizon,). Returns `values` with the days around holidays replaced by
    ordinary ones where they stood out, and the factor of every slice, shape (n + horizon,): 1 away from holidays.
    """
    n = len(values)
    near = near_holidays(holiday)[:n]
    ordinary = _ordinary(values, near)
    ratio = np.where(ordinary > 0, values / np.where(ordinary > 0, ordinary, 1.0), 1.0)
    odd = max(0.05, 1.5 * _usual_departure(values))
    regular = np.where(near & (np.abs(ratio - 1) > odd), ordinary, values)
    factor = np.ones(len(holiday))
    days = np.flatnonzero(holiday)
    past, future = days[days < n - REACH], days[days >= n - REACH]
    if len(past) == 0:
        return regular, factor
    for offset in range(-REACH, REACH + 1):
        at = past + offset
        at = at[(at >= 0) & (at < n)]
        seen = ratio[at]
        effect = float(np.median(np.concatenate((seen, np.ones(PRIOR))))) if len(at) else 1.0
        ahead = future + offset
        ahead = ahead[(ahead >= n) & (ahead < len(holiday))]
        # Where holidays lie close together the stronger effect rules.
        stronger = ahead[np.abs(effect - 1) > np.abs(factor[ahead] - 1)]
        factor[stronger] = effect
    return regular, factor
