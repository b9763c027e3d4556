"""Quantile: a slice is good where the nearest-rank quantile of its samples satisfies a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.indicators.threshold import threshold_slices
from forecasting.terms.service_level import QuantileIndicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

quantile_samples = threshold_slices
"""Samples are judged as by a threshold; `quantile_holds` judges the slices made of them."""


def quantile_holds(
    indicator: QuantileIndicator, good: NDArray[np.int64], samples: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say of each slice whether its quantile satisfies the comparison, from how many samples do.

    The nearest-rank quantile is the ⌈q·n⌉-th smallest sample, so it is below the limit exactly where that many
    samples are, and above it where fewer than that many are not.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from decimal import Decimal
    >>> p95 = QuantileIndicator(metric="ms", quantile=Decimal("0.95"), op="lte", limit=Decimal(300),
    ...                         slice=timedelta(minutes=5))
    >>> quantile_holds(p95, np.array([95, 94]), np.array([100, 100]))
    array([ True, False])
    """
    numerator, denominator = indicator.quantile.as_integer_ratio()
    rank = (
        -((-numerator * samples.astype(object)) // denominator)
        if denominator > 2**20
        else -((-numerator * samples) // denominator)
    )
    if indicator.op in ("lt", "lte"):
        return np.asarray(good >= rank, dtype=np.bool_)
    return np.asarray(samples - good <= rank - 1, dtype=np.bool_)
