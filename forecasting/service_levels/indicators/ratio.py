"""Ratio of counts: good ÷ total events, or 1 − bad ÷ total; plain counts or running counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import slice_starts
from forecasting.service_levels.grids import metric_values, whole_slices
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History
from forecasting.terms.service_level import Objective, RatioIndicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.service_levels.judged import Judged

_LARGEST_COUNT = 2.0**53
"""Above it a float no longer holds every whole number."""


def ratio_slices(objective: Objective, history: History) -> Judged | Excuse:
    """Return good and total events per slice of a ratio of counts.

    A running counter is read at the start of each slice: the slice has the rise to the next reading, and after a
    reset the next reading itself, because counting began again at 0.

    Raises
    ------
    InputError
        A count is fractional or negative, or more events are good (or bad) than there are.

    Examples
    --------
    >>> rises(np.array([5.0, 9.0, 2.0, np.nan]))
    array([ 4.,  2., nan, nan])
    """
    indicator = objective.indicator
    assert isinstance(indicator, RatioIndicator)
    found = metric_values(objective, history)
    if isinstance(found, Excuse):
        return found
    grid, names, arrays = found
    for name, values in zip(names, arrays, strict=True):
        _check(objective, name, values)
    if indicator.cumulative:
        arrays = tuple(rises(values) for values in arrays)
    known = np.isfinite(arrays[0]) & np.isfinite(arrays[1])
    total, part = (np.where(known, values, 0.0).astype(np.int64) for values in arrays)
    wrong = np.flatnonzero(part > total)
    if len(wrong):
        k = int(wrong[0])
        raise InputError(
            argument=f"{names[1]} of {objective.service}",
            came=f"{part[k]} at {slice_starts(grid)[k]}Z with {names[0]} {total[k]} ({len(wrong)} such slices)",
            allowed=f"at most {names[0]} in every slice",
            try_instead="correct the source; an indicator's part cannot exceed its whole",
        )
    good = part if indicator.good is not None else total - part
    return whole_slices(grid, good, total, known, "events")


def rises(readings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a running counter counted in each slice; NaN where one of the two readings is missing."""
    counted = np.full(len(readings), np.nan)
    now, then = readings[:-1], readings[1:]
    counted[:-1] = np.where(then < now, then, then - now)
    counted[:-1][~(np.isfinite(now) & np.isfinite(then))] = np.nan
    return counted


def _check(objective: Objective, name: str, values: NDArray[np.float64]) -> None:
    """Refuse what is not a whole count."""
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(
            (np.rint(values) != values) & ~np.isnan(values) | (values < 0) | (values > _LARGEST_COUNT)
        )
    if len(wrong):
        raise InputError(
            argument=f"{name} of {objective.service}",
            came=f"{float(values[wrong[0]])!r} ({len(wrong)} such slices)",
            allowed="whole numbers of events, 0 to 2^53",
            try_instead="give counts, not rates, as the parts of a ratio indicator",
        )
