"""Formulae of Erlang B and C: calls that are lost, or wait for one of c agents.

Offered load a = arrivals per second × mean handling time (in Erlang); c agents; occupancy a ÷ c. Arrivals are Poisson,
handling times exponential, callers wait for ever (Erlang C) or not at all (Erlang B).

References
----------
A. K. Erlang (1917). Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges. G. Koole (2013). Call Center Optimization, chapters 3 to 4.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities, share
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def erlang_b(load: ArrayLike, servers: int) -> NDArray[np.float64]:
    """Return the probability that a call finds all servers busy and is lost.

    B(0) = 1, B(k) = a·B(k−1) ÷ (k + a·B(k−1)): stable for any size.

    Parameters
    ----------
    load : array_like
        Offered load in Erlang, 0 or more, any shape.
    servers : int
        Number of servers, 0 or more.

    Returns
    -------
    ndarray
        Shape of `load`, 0 to 1.

    Raises
    ------
    InputError
        For a load that is negative or not finite, or a negative number of servers.

    Examples
    --------
    >>> erlang_b([1.0, 2.0], 3).round(6)
    array([0.0625  , 0.210526])
    """
    a = quantities("load", load)
    blocked = np.ones_like(a)
    for k in range(1, _servers(servers) + 1):
        blocked = a * blocked / (k + a * blocked)
    return blocked


def erlang_c(load: ArrayLike, servers: int) -> NDArray[np.float64]:
    """Return the probability that a call has to wait: C = B ÷ (1 − ρ(1 − B)) for ρ = a ÷ c below 1, else 1.

    At a ≥ c the queue is unstable (it grows for ever) and everyone waits, hence the 1.

    Examples
    --------
    >>> erlang_c([2.0, 3.0, 3.5], 3).round(6)
    array([0.444444, 1.      , 1.      ])
    """
    a = quantities("load", load)
    return waiting(a, float(_servers(servers)), erlang_b(a, servers))


def mean_wait(load: ArrayLike, servers: int, handling_s: float) -> NDArray[np.float64]:
    """Return the mean wait Wq = C·S ÷ (c − a) in seconds over all calls; infinite where unstable.

    Examples
    --------
    >>> mean_wait([8.0, 10.0], 10, 60.0).round(4)
    array([12.2754,     inf])
    """
    a, s = quantities("load", load), positive("handling_s", handling_s)
    spare = _spare(a, servers)
    return np.where(spare > 0, erlang_c(a, servers) * s / np.where(spare > 0, spare, 1.0), np.inf)


def wait_exceeds(load: ArrayLike, servers: int, handling_s: float, seconds: float) -> NDArray[np.float64]:
    """Return P(wait > `seconds`) = C·exp(−(c − a)·t ÷ S); 1 where unstable.

    Examples
    --------
    >>> float(1 - wait_exceeds(95 * 420 / 3600, 15, 420.0, 20.0).round(3))
    0.835
    """
    a, s = quantities("load", load), positive("handling_s", handling_s)
    spare = np.maximum(_spare(a, servers), 0.0)
    return erlang_c(a, servers) * np.exp(-spare * checked_seconds(seconds) / s)


def service_level(load: ArrayLike, servers: int, handling_s: float, within_s: float) -> NDArray[np.float64]:
    """Return the share of calls answered within `within_s`; 0 where unstable, 1 without calls.

    Examples
    --------
    >>> service_level([0.0, 9.0, 12.0], 12, 180.0, 20.0).round(3)
    array([1.   , 0.809, 0.   ])
    """
    return 1.0 - wait_exceeds(load, servers, handling_s, within_s)


def wait_percentile(load: ArrayLike, servers: int, handling_s: float, level: float) -> NDArray[np.float64]:
    """Return the wait in seconds that the share `level` of calls does not exceed.

    W_p = 0 where C ≤ 1 − p, else S ÷ (c − a)·ln(C ÷ (1 − p)); infinite where unstable.

    Examples
    --------
    >>> wait_percentile([5.0, 8.0], 10, 60.0, 0.9).round(2)
    array([ 0.  , 42.27])
    """
    a, s, p = quantities("load", load), positive("handling_s", handling_s), share("level", level)
    spare, waiting = _spare(a, servers), erlang_c(a, servers)
    wait = s / np.where(spare > 0, spare, 1.0) * np.log(np.maximum(waiting / (1 - p), 1.0))
    return np.where(spare > 0, wait, np.inf)


def sojourn_exceeds(load: ArrayLike, servers: int, handling_s: float, seconds: float) -> NDArray[np.float64]:
    """Return P(wait + handling > `seconds`); 1 where unstable.

    e^{−μt}·(1 + C·(1 − e^{−μt(c−1−a)}) ÷ (c − 1 − a)), with its limit e^{−μt}(1 + C·μt) at a = c − 1.

    Examples
    --------
    >>> sojourn_exceeds([8.0, 9.0], 10, 60.0, 60.0).round(4)
    array([0.463 , 0.6139])
    """
    a, t = quantities("load", load), checked_seconds(seconds) / positive("handling_s", handling_s)
    spare = _spare(a, servers) - 1.0
    near = np.abs(spare) < 1e-9
    safe = np.where(near, 1.0, spare)
    factor = np.where(near, t, -np.expm1(-t * np.maximum(safe, -1.0)) / safe)
    return np.where(spare > -1.0, np.exp(-t) * (1 + erlang_c(a, servers) * factor), 1.0)


def required_servers(
    load: ArrayLike, *, handling_s: float, within_s: float, target: float, max_occupancy: float = 1.0
) -> NDArray[np.int64]:
    """Return the fewest servers that answer the share `target` of calls within `within_s`.

    Starts at floor(a) + 1, the fewest that are stable, and carries the Erlang B recursion on from there, so the cost
    of one inverse is that of one forward evaluation, for all loads together.

    Parameters
    ----------
    load : array_like
        Offered load in Erlang, 0 or more, any shape.
    handling_s, within_s : float
        Mean handling time and the wait allowed, seconds.
    target : float
        Share above 0 and below 1.
    max_occupancy : float
        Largest a ÷ c allowed, above 0, at most 1.

    Returns
    -------
    ndarray
        Whole numbers in the shape of `load`; 0 where there are no calls.

    Raises
    ------
    InputError
        For values outside the ranges above.

    Examples
    --------
    >>> required_servers([11.0833, 12.3667], handling_s=420.0, within_s=20.0, target=0.8)
    array([15, 17])
    """
    a = quantities("load", load)
    s, t = positive("handling_s", handling_s), checked_seconds(within_s)
    allowed = 1.0 - share("target", target)
    cap = share("max_occupancy", max_occupancy, one_allowed=True)
    order = np.argsort(a, axis=None, kind="stable")
    loads = a.reshape(-1)[order]
    needed = np.zeros(len(loads), dtype=np.int64)
    low = int(np.searchsorted(loads, 0.0, side="right"))
    blocked = np.ones_like(loads)
    k = 0
    # Sorted loads: those answered well enough with k servers are always a prefix, which is dropped as k grows.
    while low < len(loads):
        k += 1
        rest = loads[low:]
        blocked = rest * blocked[-len(rest) :] / (k + rest * blocked[-len(rest) :])
        stable = int(np.searchsorted(rest, k, side="left"))
        if stable == 0:
            continue
        some = rest[:stable]
        late = waiting(some, float(k), blocked[:stable]) * np.exp(-(k - some) * t / s)
        enough = (late <= allowed) & (some <= cap * k * (1 + 1e-12))
        done = stable if bool(enough.all()) else int(np.argmin(enough))
        needed[low : low + done] = k
        low += done
    result = np.empty_like(needed)
    result[order] = needed
    return result.reshape(a.shape)


def with_shrinkage(servers: int, shrinkage: Decimal) -> int:
    """Return how many to roster so that `servers` are there when the share `shrinkage` is away; exact.

    Examples
    --------
    >>> with_shrinkage(14, Decimal("0.3")), with_shrinkage(7, Decimal("0.3"))
    (20, 10)
    """
    if not (0 <= shrinkage < 1):
        raise InputError(argument="shrinkage", came=shrinkage, allowed="0 or more, below 1", try_instead="0.3")
    return math.ceil(Decimal(_servers(servers)) / (1 - shrinkage))


def supported_load(
    servers: int, *, handling_s: float, within_s: float, target: float, max_occupancy: float = 1.0
) -> float:
    """Return the largest load in Erlang that `servers` carry at the target; 0 where there is none.

    Examples
    --------
    >>> round(supported_load(15, handling_s=420.0, within_s=20.0, target=0.8) * 3600 / 420, 1)
    97.8
    """
    c = _servers(servers)
    allowed = 1.0 - share("target", target)
    high = c * share("max_occupancy", max_occupancy, one_allowed=True)
    if c == 0:
        return 0.0
    low = 0.0
    for _ in range(200):
        if not low < (middle := (low + high) / 2) < high:
            break
        if float(wait_exceeds(middle, c, handling_s, within_s)) <= allowed:
            low = middle
        else:
            high = middle
    # The upper end itself may be carried where occupancy, not waiting, is what binds.
    return high if float(wait_exceeds(high, c, handling_s, within_s)) <= allowed else low


def waiting(a: NDArray[np.float64], c: float, blocked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Erlang C from Erlang B."""
    if c == 0:
        return np.where(a > 0, 1.0, 0.0)
    free = 1.0 - a / c * (1.0 - blocked)
    stable = a < c
    return np.where(stable, blocked / np.where(stable, free, 1.0), 1.0)


def _spare(a: NDArray[np.float64], servers: int) -> NDArray[np.float64]:
    """Servers beyond the load; at most 0 where the queue is unstable."""
    return np.asarray(float(_servers(servers)) - a, dtype=np.float64)


def _servers(servers: int) -> int:
    """A number of servers, checked."""
    if servers != int(servers) or servers < 0:
        raise InputError(argument="servers", came=servers, allowed="a whole number of 0 or more", try_instead="1")
    return int(servers)


def checked_seconds(seconds: float) -> float:
    """A duration, checked."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise InputError(argument="seconds", came=seconds, allowed="a finite number of 0 or more", try_instead="20")
    return float(seconds)


def whole_units(capacity: float) -> int:
    """Agents that can take calls: part of an agent answers nothing."""
    return math.floor(float(quantities("capacity", capacity)) + 1e-9)


def online(paid: float, shrinkage: Decimal) -> int:
    """Return how many of `paid` agents are on line when the share `shrinkage` of paid time is away.

    Examples
    --------
    >>> online(20.0, Decimal("0.3")), online(19.9, Decimal(0))
    (14, 19)
    """
    return whole_units(float(quantities("capacity", paid)) * float(1 - shrinkage))


def paid_for(servers: ArrayLike, shrinkage: Decimal) -> NDArray[np.float64]:
    """Return how many have to be paid so that `servers` are on line, element by element; exact as `with_shrinkage`.

    Examples
    --------
    >>> paid_for([14.0, 0.0], Decimal("0.3"))
    array([20.,  0.])
    """
    needed = np.asarray(servers, dtype=np.float64)
    if shrinkage == 0:
        return needed
    known, place = np.unique(needed, return_inverse=True)
    return np.array([float(with_shrinkage(int(n), shrinkage)) for n in known])[place].reshape(needed.shape)
