"""What all series of a pool missed alike on the same date: a shock of that date, not a rule to be learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_SERIES = 20
"""Series known on a date below which what they missed alike cannot be told from what each missed."""
DRAWN = 5.0
"""Series at which the common miss of a date is drawn half-way to zero."""
TAKEN_OUT = 0.5
"""Share of the common miss that is taken out."""
EXTREME = 0.005
"""Share of the most extreme misses at either end that is cut before means are taken."""


def date_effects(miss: NDArray[np.float64], windows: Windows, first: Sequence[int | None]) -> NDArray[np.float64]:
    """Return the share of every miss that the pool had in common on its date, shape (B, H); 0 where unknown.

    Series of months share few dates. A slump of one quarter then fills thousands of rows, and a learner takes it for a
    bias of the anchor that will come again. Dates are random effects (Searle, Casella and McCulloch 1992, chapter 7):
    the mean over series, each counting once, drawn to zero.

    Parameters
    ----------
    miss : ndarray, shape (B, H)
        Outcome − anchor in scales of the window, NaN where unknown.
    windows : Windows
    first : sequence of int or None
        Of each series: date of its first value, in slices since a day all share; None where dates play no part.

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows
    >>> w = make_windows([np.arange(4.0)] * 20, [np.array([3])] * 20, horizon=1, seasons=(1,))
    >>> date_effects(np.ones((20, 1)), w, [7] * 20)[0], date_effects(np.ones((20, 1)), w, [None] * 20)[0]
    (array([0.4]), array([0.]))
    """
    found = np.zeros(miss.shape)
    dated = np.array([at is not None for at in first], dtype=np.bool_)
    row, step = np.nonzero(np.isfinite(miss) & dated[windows.owner][:, None])
    if not len(row):
        return found
    size = miss[row, step]
    size = np.clip(size, *np.quantile(size, [EXTREME, 1 - EXTREME]))
    begin = np.array([at or 0 for at in first], dtype=np.int64)
    owner = windows.owner[row]
    date = begin[owner] + windows.end[row] + step
    date -= date.min()
    dates = int(date.max()) + 1
    # A series forecasts a date from several origins; their mean is its one miss of that date.
    each, cell = np.unique(owner * dates + date, return_inverse=True)
    mean = np.bincount(cell, size) / np.bincount(cell)
    count = np.bincount(each % dates, minlength=dates)
    total = np.bincount(each % dates, mean, minlength=dates)
    effect = np.where(count >= LEAST_SERIES, TAKEN_OUT * total / (count + DRAWN), 0.0)
    found[row, step] = effect[date]
    return found
