"""Paths brought to a forecast share: each keeps its rank, its bad days and what it shares with other services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.share_forecast import ShareForecast

if TYPE_CHECKING:
    from numpy.typing import NDArray


def warp_rest(
    bad: NDArray[np.float64],
    total: NDArray[np.float64],
    forecast: ShareForecast,
    member: int,
    *,
    ties: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the bad events of the days of a window's rest, so that their share is distributed as forecast.

    The path with the k-th smallest share gets the k-th quantile, so that paths that are bad together for several
    services stay so. A share that falls takes bad events off in proportion; one that rises adds them in proportion
    where they fit, and otherwise makes the good ones fewer in proportion.

    Parameters
    ----------
    bad, total : ndarray, shape (n_paths, days)
        Simulated events.
    forecast : ShareForecast
    member : int
        Index of the service in the forecast.
    ties : ndarray, shape (n_paths,)
        Order of paths of equal share.

    Returns
    -------
    ndarray, shape (n_paths, days)
        Between 0 and `total`.
    """
    n = len(bad)
    rest = total.sum(axis=1)
    share = np.divide(bad.sum(axis=1), rest, out=np.zeros(n), where=rest > 0)
    rank = np.empty(n)
    rank[np.lexsort((ties, share))] = np.arange(n)
    goal = forecast.quantiles(member, (rank + 0.5) / n)
    factor = np.divide(goal, share, out=np.zeros(n), where=share > 0)
    grown = bad * factor[:, None]
    fits = (share > 0) & (grown <= total).all(axis=1)
    good = np.divide(1.0 - goal, 1.0 - share, out=np.zeros(n), where=share < 1)
    spread = total - (total - bad) * good[:, None]
    # A day that is all bad on the path has no good event to lose; the rest of the window takes the difference.
    made = np.where((fits | (goal <= share))[:, None], grown, spread)
    return np.asarray(np.clip(made, 0.0, total), dtype=np.float64)
