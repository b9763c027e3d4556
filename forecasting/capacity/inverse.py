"""Inverses of service level: the fewest servers that reach a target, the largest load that they carry at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import share
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST = 1 << 24
"""Servers beyond which nobody is asked about."""

Level = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "NDArray[np.float64]"]
"""(load, servers) → service level, element by element; rises with servers, falls with load."""


def fewest_servers(level: Level, load: NDArray[np.float64], target: float) -> NDArray[np.float64]:
    """Return the fewest whole servers that reach a target at each load, by galloping and bisection.

    Parameters
    ----------
    level : callable
    load : ndarray
        Offered loads, 0 or more; 0 needs nobody.
    target : float
        Share above 0 and below 1.

    Raises
    ------
    InputError
        Where no number of servers reaches it.

    Examples
    --------
    >>> fewest_servers(lambda a, c: np.minimum(1.0, c / np.maximum(a, 1e-9)), np.array([0.0, 2.5]), 0.8)
    array([0., 2.])
    """
    goal = share("target", target)
    flat = load.ravel()
    known, place = np.unique(flat, return_inverse=True)
    busy = known > 0
    low, high = np.zeros(len(known)), np.where(busy, np.maximum(1.0, np.ceil(known / 2)), 0.0)
    while True:
        short = busy & (level(known, high) < goal)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, high * 2, high)
        if high.max() > LARGEST:
            raise InputError(
                argument="target",
                came=target,
                allowed="what some number of servers reaches",
                try_instead="a lower target",
            )
    while (high - low > 1).any():
        middle = np.floor((low + high) / 2)
        enough = level(known, middle) >= goal
        open_ = high - low > 1
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle, low)
    return np.asarray(high[place].reshape(load.shape), dtype=np.float64)


def largest_load(level: Callable[[float], float], target: float, start: float) -> float:
    """Return the largest load at which a falling service level reaches a target; 0 where there is none.

    Examples
    --------
    >>> round(largest_load(lambda a: 1 / (1 + a), 0.8, 1.0), 6)
    0.25
    """
    goal = share("target", target)
    high = max(start, 1e-9)
    low = 0.0
    for _ in range(200):
        if level(high) < goal:
            break
        low, high = high, high * 2
    else:
        raise InputError(argument="target", came=target, allowed="a level that load can break", try_instead="0.8")
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if level(middle) >= goal else (low, middle)
    return low
