"""Quantile functions between and beyond a few learnt levels."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEARNT: NDArray[np.float64] = np.array([0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975])
"""Levels that are learnt."""
LEARNT.setflags(write=False)
MIDDLE = 3
"""Place of the median in `LEARNT`."""


def at_levels(learnt: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles at any levels from those at `LEARNT`, along the last axis.

    Linear in the normal score between the learnt levels; beyond the outer two the line through them goes on, so that a
    tail is as long as a normal one of that spread.

    Examples
    --------
    >>> at_levels(np.array([[-1.96, -1.2816, -0.6745, 0.0, 0.6745, 1.2816, 1.96]]), np.array([0.5, 0.8, 0.99])).round(2)
    array([[0.  , 0.84, 2.33]])
    """
    return np.asarray(learnt @ _mixing(tuple(np.asarray(levels, dtype=np.float64).tolist())))


@cache
def _mixing(levels: tuple[float, ...]) -> NDArray[np.float64]:
    """Weights of the learnt quantiles in those at `levels`, shape (len(LEARNT), len(levels))."""
    from scipy.stats import norm

    known, wanted = norm.ppf(LEARNT), norm.ppf(np.clip(levels, 1e-6, 1 - 1e-6))
    right = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    share = (wanted - known[right - 1]) / (known[right] - known[right - 1])
    weights = np.zeros((len(known), len(wanted)))
    weights[right - 1, np.arange(len(wanted))] = 1 - share
    weights[right, np.arange(len(wanted))] += share
    weights.setflags(write=False)
    return weights


def widened(learnt: NDArray[np.float64], factor: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the quantiles with their distance from the median multiplied by `factor` (broadcast), in order.

    Examples
    --------
    >>> widened(np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]), 2.0)
    array([-6., -4., -2.,  0.,  2.,  4.,  6.])
    """
    ordered = np.sort(learnt, axis=-1)
    middle = ordered[..., MIDDLE : MIDDLE + 1]
    return np.asarray(middle + (ordered - middle) * factor)
