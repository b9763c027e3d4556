"""Availability by a metric that says how long, or whether, it was up in each slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import slice_bounds
from forecasting.service_levels.grids import metric_values, rounded, whole_slices
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History
from forecasting.terms.service_level import AvailabilityIndicator, Objective

if TYPE_CHECKING:
    from forecasting.service_levels.judged import Judged


def availability_slices(objective: Objective, history: History) -> Judged | Excuse:
    """Return microseconds up of the length of each observed slice.

    Raises
    ------
    InputError
        A value of ``up`` is neither 0 nor 1, or seconds are below 0 or above the slice's length.
    """
    indicator = objective.indicator
    assert isinstance(indicator, AvailabilityIndicator)
    found = metric_values(objective, history)
    if isinstance(found, Excuse):
        return found
    grid, _, arrays = found
    values = arrays[0]
    known = np.isfinite(values)
    seen = np.where(known, values, 0.0)
    bounds = slice_bounds(grid.start, grid.step, grid.zone, len(grid))
    length = (bounds[1:] - bounds[:-1]).astype(np.int64)
    if indicator.measures == "up":
        wrong = np.flatnonzero((seen != 0) & (seen != 1))
        part = np.where(seen == 1, length, 0)
        allowed = "0 (down) or 1 (up)"
    else:
        inside = (seen >= 0) & (seen <= 1e8)
        part = rounded(np.where(inside, seen, 0.0), 10**6)
        wrong = np.flatnonzero(~inside | (part > length))
        allowed = "seconds, 0 to the length of the slice"
    if len(wrong):
        raise InputError(
            argument=f"{indicator.metric} of {objective.service}",
            came=f"{float(seen[wrong[0]])!r} ({len(wrong)} such slices)",
            allowed=allowed,
            try_instead="measures: up, up_seconds or down_seconds, as the metric means it",
        )
    up = length - part if indicator.measures == "down_seconds" else part
    return whole_slices(grid, np.where(known, up, 0), np.where(known, length, 0), known, "microseconds")
