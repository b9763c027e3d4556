"""Raw ratio: a metric that is itself the share of good or of bad; every sample weighs the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.grids import metric_values, rounded, whole_slices
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History
from forecasting.terms.service_level import Objective, RawRatioIndicator

if TYPE_CHECKING:
    from forecasting.service_levels.judged import Judged

BILLION = 10**9


def raw_ratio_slices(objective: Objective, history: History) -> Judged | Excuse:
    """Return billionths of good per slice, 10⁹ for each observed sample.

    Raises
    ------
    InputError
        A value is below 0 or above 1.
    """
    indicator = objective.indicator
    assert isinstance(indicator, RawRatioIndicator)
    found = metric_values(objective, history)
    if isinstance(found, Excuse):
        return found
    grid, _, (values,) = found
    known = np.isfinite(values)
    share = np.where(known, values, 0.0)
    wrong = np.flatnonzero((share < 0) | (share > 1))
    if len(wrong):
        raise InputError(
            argument=f"{indicator.metric} of {objective.service}",
            came=f"{float(share[wrong[0]])!r} ({len(wrong)} such slices)",
            allowed="a share, 0 to 1",
            try_instead="divide percentages by 100, or use a threshold on the value",
        )
    part = rounded(share, BILLION)
    total = known * np.int64(BILLION)
    good = part if indicator.counts == "success" else total - part
    return whole_slices(grid, np.where(known, good, 0), total, known, "billionths")
