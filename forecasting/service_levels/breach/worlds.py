"""Worlds: which past day stands for each future day, the same for every service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_worlds(
    *,
    history_days: int,
    first_weekday: int,
    horizon: int,
    paths: int,
    mean_block_days: float,
    half_life_days: float,
    seed: int,
) -> NDArray[np.int64]:
    """Draw source days by the stationary block bootstrap, aligned by weekday and weighted by recency.

    A block begins on a past day of the same weekday as the future day, drawn with weight 2^(−age ÷ half-life), and
    goes on day by day; it ends with probability 1 ÷ `mean_block_days` each day, or at the end of history. One
    array serves all services, so that a storm that hit them together hits them together again.

    Parameters
    ----------
    history_days : int
        Days on the common axis; the future begins right after it.
    first_weekday : int
        Weekday of day 0 of history, Monday = 0.
    horizon : int
        Future days.
    paths : int
        Worlds.
    mean_block_days : float
        At least 1.
    half_life_days : float
        Above 0.
    seed : int

    Returns
    -------
    ndarray of int64, shape (paths, horizon)
        Index of the past day.

    References
    ----------
    Politis and Romano, The stationary bootstrap, JASA 89 (1994) 1303-1313.

    Examples
    --------
    >>> worlds = draw_worlds(history_days=70, first_weekday=0, horizon=14, paths=5, mean_block_days=3.0,
    ...                      half_life_days=60.0, seed=1)
    >>> bool((worlds % 7 == (70 + np.arange(14)) % 7).all())
    True
    """
    random = np.random.default_rng([seed, 0x5EED])
    weekday = (first_weekday + np.arange(history_days + horizon)) % 7
    age = history_days - np.arange(history_days) - 0.5
    weight = np.exp2(-age / half_life_days)
    days = [np.flatnonzero(weekday[:history_days] == d) for d in range(7)]
    cumulative = [np.cumsum(weight[d]) for d in days]
    worlds = np.empty((paths, horizon), dtype=np.int64)
    for ahead in range(horizon):
        today = int(weekday[history_days + ahead])
        candidates = days[today] if len(days[today]) else np.arange(history_days)
        mass = cumulative[today] if len(days[today]) else np.cumsum(weight)
        fresh = candidates[np.searchsorted(mass, random.random(paths) * mass[-1], side="right").clip(max=len(mass) - 1)]
        ends = random.random(paths) < 1.0 / mean_block_days
        if ahead == 0:
            worlds[:, 0] = fresh
            continue
        following = worlds[:, ahead - 1] + 1
        worlds[:, ahead] = np.where(ends | (following >= history_days), fresh, following)
    return worlds
