"""Keeping forecasts inside what is physically possible."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.history import MetricKind

if TYPE_CHECKING:
    from numpy.typing import NDArray


def clip_to_kind(values: NDArray[np.float64], kind: MetricKind) -> NDArray[np.float64]:
    """Return `values` inside the bounds of the metric's kind (a new array).

    Examples
    --------
    >>> clip_to_kind(np.array([-0.2, 0.5, 1.3]), MetricKind.RATIO)
    array([0. , 0.5, 1. ])
    """
    low, high = kind.bounds
    return np.clip(values, -np.inf if low is None else low, np.inf if high is None else high)
