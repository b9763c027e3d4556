"""Every event to come is bad with the past rate, independently of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.baselines.base import Asked, Past

if TYPE_CHECKING:
    from numpy.typing import NDArray


def independent_events(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Return P(bad events to come exceed what the budget leaves) under a binomial with the whole past's rate."""
    from scipy.stats import binom

    if not len(past.slice_starts):
        return np.full(len(asked), np.nan)
    good, total = (
        np.asarray(x, dtype=np.float64) for x in past.counts(np.full(len(asked), past.slice_starts[0]), asked.at)
    )
    bad, seen = past.so_far(asked)
    coming = np.rint(past.to_come(asked))
    allowed = np.floor(float(1 - past.objective.target) * (seen + coming) + 1e-9) - bad
    rate = (total - good + 0.5) / (total + 1.0)
    said = np.where(allowed < 0, 1.0, binom.sf(np.maximum(allowed, 0.0), coming, rate))
    return np.where(total > 0, said, np.nan).astype(np.float64)
