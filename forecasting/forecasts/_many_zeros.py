"""Windows with many zeros: the intermittent mixture beside the pool's quantiles, by a share that the past decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._marginals import LEARNT
from forecasting.forecasts._windows import Windows
from forecasting.forecasts.intermittent import ZEROS, intermittent_quantiles, zero_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES: NDArray[np.float64] = np.array([0.0, 0.25, 0.5])
"""Shares of the intermittent mixture that are compared; no more than half, because the trees of the check learn from
less than those that forecast, so that the check flatters the mixture."""
SHARES.setflags(write=False)
HISTORY = 1000
"""Slices of history the mixture looks at, at least where a series has them."""
PRIOR_SHARE = 0.25
PRIOR_SERIES = 5
"""Series whose check counts as much as the prior."""


def with_many_zeros(windows: Windows, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the windows are of intermittent demand: nothing below zero, more zeros than `ZEROS`.

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows
    >>> w = make_windows([np.tile([0.0, 0.0, 4.0], 9), np.arange(27.0)], [np.array([27])] * 2, horizon=1, seasons=(3,))
    >>> with_many_zeros(w, np.array([0, 1]))
    array([ True, False])
    """
    centre, scale = windows.centre[rows, None], windows.scale[rows, None]
    raw = windows.values[rows] * scale + centre
    raw[np.abs(raw) <= 1e-9 * (np.abs(centre) + scale)] = 0.0  # what rounding left of a zero
    share = zero_share(raw)
    return np.asarray((np.nanmin(raw, axis=1, initial=0.0) >= 0) & (share > ZEROS) & (share < 1))


def mixture_at(
    series: Sequence[NDArray[np.float64]], windows: Windows, rows: NDArray[np.int64], horizon: int
) -> NDArray[np.float64]:
    """Return the mixture's quantiles at the learnt levels in units of the windows, shape (len(rows), horizon, Q).

    It looks further back than a window, because what is rare needs a long history; never beyond the origin.
    """
    reach = max(HISTORY, windows.values.shape[1])
    found = np.empty((len(rows), horizon, len(LEARNT)))
    for start in range(0, len(rows), 200):
        part = rows[start : start + 200]
        raw = np.full((len(part), reach), np.nan)
        for place, row in enumerate(part.tolist()):
            known = int(windows.end[row])
            width = min(reach, known)
            raw[place, reach - width :] = series[int(windows.owner[row])][known - width : known]
        found[start : start + 200] = intermittent_quantiles(raw, horizon, windows.seasons, LEARNT)
    return (found - windows.centre[rows, None, None]) / windows.scale[rows, None, None]


def share_of_mixture(
    came: NDArray[np.float64], pool: NDArray[np.float64], mixture: NDArray[np.float64], owner: NDArray[np.int64]
) -> float:
    """Return the share of the mixture with the least pinball loss on what was held out, drawn to one quarter.

    Parameters
    ----------
    came : ndarray, shape (n,)
        Outcomes, in scales of their windows.
    pool, mixture : ndarray, shape (n, Q)
        Quantiles of both at the learnt levels.
    owner : ndarray of int, shape (n,)
        Series of each outcome.

    Examples
    --------
    >>> came, good, bad = np.zeros(40), np.zeros((40, 7)), np.ones((40, 7))
    >>> owner = np.repeat(np.arange(20), 2)
    >>> round(share_of_mixture(came, bad, good, owner), 2), round(share_of_mixture(came, good, bad, owner), 2)
    (0.45, 0.05)
    """
    who = len(np.unique(owner))
    loss = []
    for share in SHARES.tolist():
        off = came[:, None] - ((1 - share) * pool + share * mixture)
        loss.append(np.maximum(LEARNT * off, (LEARNT - 1) * off).sum())
    best = float(SHARES[np.argmin(loss)])
    return (who * best + PRIOR_SERIES * PRIOR_SHARE) / (who + PRIOR_SERIES)
