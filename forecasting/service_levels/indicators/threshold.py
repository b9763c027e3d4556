"""Threshold: a sample is good where its value satisfies a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.grids import metric_values, whole_slices
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History
from forecasting.terms.service_level import Objective, QuantileIndicator, ThresholdIndicator

if TYPE_CHECKING:
    from forecasting.service_levels.judged import Judged


def threshold_slices(objective: Objective, history: History) -> Judged | Excuse:
    """Return 1 of 1 per observed sample that satisfies ``value op limit``, else 0 of 1."""
    indicator = objective.indicator
    assert isinstance(indicator, ThresholdIndicator | QuantileIndicator)
    found = metric_values(objective, history)
    if isinstance(found, Excuse):
        return found
    grid, _, (values,) = found
    known, limit = np.isfinite(values), float(indicator.limit)
    with np.errstate(invalid="ignore"):
        match indicator.op:
            case "lt":
                met = values < limit
            case "lte":
                met = values <= limit
            case "gt":
                met = values > limit
            case "gte":
                met = values >= limit
    return whole_slices(grid, (met & known).astype(np.int64), known.astype(np.int64), known, "samples")
