"""Backlogs on paths: what is left at the end of each day, what comes late, and how many units keep it in time.

Work is done first come, first served, from the start of the day after it came or on the day itself: of what is there on
a day as much is done as the day's capacity allows. B(t) = max(0, B(t−1) + A(t) − C(t)) (D. V. Lindley, 1952, The theory
of queues with a single server. Proc. Cambridge Phil. Soc. 48).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities, share
from forecasting.terms.errors import Excuse, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def backlog_paths(arrivals: ArrayLike, capacity: ArrayLike, start: float = 0.0) -> NDArray[np.float64]:
    """Return the work left at the end of each day, shape (n_paths, days).

    Parameters
    ----------
    arrivals : array_like
        Items a day, shape (n_paths, days), 0 or more.
    capacity : array_like
        Items that can be done a day; a number, shape (days,) or (n_paths, days); 0 on days off.
    start : float
        Items left from before.

    Raises
    ------
    InputError
        For negative or unknown numbers.

    Examples
    --------
    >>> backlog_paths([[10, 0, 8, 0]], 5.0)
    array([[5., 0., 3., 0.]])
    """
    came = np.atleast_2d(quantities("arrivals", arrivals))
    can = np.broadcast_to(quantities("capacity", capacity), came.shape)
    left = np.empty_like(came)
    now = np.full(len(came), float(quantities("start", start)))
    for day in range(came.shape[1]):
        now = np.maximum(0.0, now + came[:, day] - can[:, day])
        left[:, day] = now
    return left


def late_share(arrivals: ArrayLike, capacity: ArrayLike, within_days: int, start: float = 0.0) -> NDArray[np.float64]:
    """Return the share of items of each path that are not done by the end of the `within_days`-th day after they came.

    Items of the last `within_days` days are left out: their time is not up.

    Parameters
    ----------
    arrivals, capacity, start
        As in `backlog_paths`; what is left from before is served first and not counted.
    within_days : int
        0 = done on the day itself.

    Returns
    -------
    ndarray
        Shape (n_paths,), 0 to 1; 0 where nothing came.

    Raises
    ------
    InputError
        For negative numbers, or no day whose time is up.

    Examples
    --------
    >>> late_share([[10, 0, 8, 0]], 5.0, 0), late_share([[10, 0, 8, 0]], 5.0, 1)
    (array([0.44444444]), array([0.]))
    """
    came = np.atleast_2d(quantities("arrivals", arrivals))
    days = came.shape[1]
    if not 0 <= within_days < days:
        raise InputError(
            argument="within_days", came=within_days, allowed=f"0 to {days - 1}, below the days looked at",
            try_instead="more days",
        )  # fmt: skip
    left = backlog_paths(came, capacity, start)
    asked = np.cumsum(came, axis=1) + start
    done = asked - left
    due = days - within_days
    # First come, first served: what came on day t and is not done by t + w is what the work done has not reached.
    unreached = asked[:, :due] - done[:, within_days:]
    late = np.clip(unreached, 0.0, came[:, :due]).sum(axis=1)
    total = came[:, :due].sum(axis=1)
    return np.asarray(np.divide(late, total, out=np.zeros_like(late), where=total > 0), dtype=np.float64)


def required_on_paths(
    arrivals: ArrayLike,
    open_days: ArrayLike,
    *,
    within_days: int,
    target: float,
    confidence: float,
    start: float = 0.0,
) -> float | Excuse:
    """Return the least capacity a day at which the share in time reaches a target on a share of the paths.

    Parameters
    ----------
    arrivals : array_like
        Items a day, shape (n_paths, days).
    open_days : array_like
        1 where work is done, 0 where not, shape (days,); parts of a day allowed.
    within_days : int
    target : float
        Share of items in time, above 0, at most 1.
    confidence : float
        Share of paths, above 0, below 1.
    start : float
        Items left from before.

    Returns
    -------
    float or Excuse
        Items an open day; an excuse where no capacity does it (all days closed for longer than items may take).

    Examples
    --------
    >>> round(required_on_paths([[10, 0, 10, 0]], [1, 1, 1, 1], within_days=1, target=1.0, confidence=0.5), 6)
    5.0
    """
    came = np.atleast_2d(quantities("arrivals", arrivals))
    on = quantities("open_days", open_days)
    goal, sure = share("target", target, one_allowed=True), share("confidence", confidence)

    def enough(capacity: float) -> bool:
        in_time = 1.0 - late_share(came, capacity * on, within_days, start)
        return bool((in_time >= goal - 1e-12).mean() >= sure - 1e-12)

    high = float(came.sum(axis=1).max() + start)
    if high <= 0:
        return 0.0
    worked = on[on > 0]
    if len(worked) == 0 or not enough(high / float(worked.min())):
        return Excuse(
            reason=f"no capacity brings {100 * goal:g} % in time: closed for longer than {within_days} days",
            what_would_help="more open days, or a longer time allowed",
        )
    low, high = 0.0, high / float(worked.min())
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
        if high - low <= 1e-9 * high:
            break
    return high


def days_to_clear(start: float, arrivals_per_day: float, capacity_per_day: float) -> float:
    """Return the days until a backlog is gone; infinite where more comes than can be done.

    Examples
    --------
    >>> days_to_clear(100.0, 40.0, 50.0)
    10.0
    """
    spare = positive("capacity_per_day", capacity_per_day) - float(quantities("arrivals_per_day", arrivals_per_day))
    left = float(quantities("start", start))
    if left == 0:
        return 0.0
    return left / spare if spare > 0 else float("inf")
