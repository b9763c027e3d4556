"""Time remaining until a limit is passed, as a distribution, and whether more would come in time."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.headroom import passage_date
from forecasting.terms.capacity import TimeRemaining

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRESETS = (("conservative", 0.1), ("expected", 0.5), ("aggressive", 0.9))
"""Points of view: the limit is passed by then on this share of the paths."""


def time_remaining(passages: NDArray[np.int64], days: tuple[date, ...]) -> tuple[TimeRemaining, ...]:
    """Return when the limit is passed, from each point of view.

    Parameters
    ----------
    passages : ndarray, shape (n_paths,)
        First day of each path on which the limit is passed; `len(days)` = not within the horizon.
    days : tuple of date
        The days of the horizon; the first is today.

    Examples
    --------
    >>> days = (date(2027, 3, 1), date(2027, 3, 2))
    >>> [(t.preset, t.days) for t in time_remaining(np.array([0, 1, 2, 2]), days)]
    [('conservative', 0), ('expected', 1), ('aggressive', None)]
    """
    found = []
    for preset, quantile in PRESETS:
        when = passage_date(passages, days, quantile)
        found.append(
            TimeRemaining(
                preset=preset, quantile=quantile, date=when, days=None if when is None else (when - days[0]).days
            )
        )
    return tuple(found)


def exhausted_before(passages: NDArray[np.int64], horizon: int, arrival: NDArray[np.float64]) -> float:
    """Return P(the limit is passed before more could serve), each path with its own length of the order.

    What arrives after the horizon is compared with the paths that pass within it.

    Parameters
    ----------
    passages : ndarray, shape (n_paths,)
    horizon : int
        Days of the horizon.
    arrival : ndarray, shape (n_paths,)
        Days from today to use.

    Examples
    --------
    >>> exhausted_before(np.array([3, 10, 20, 30]), 30, np.array([5.0, 5.0, 25.0, 40.0]))
    0.5
    """
    return float(((passages < horizon) & (passages < arrival)).mean())
