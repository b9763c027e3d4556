"""Queues simulated call by call, to check formulae with something that shares nothing with them.

First come, first served, by the recursion of Kiefer and Wolfowitz on the servers' remaining work, many independent
queues at once: a call waits for the server that is free first, unless that is longer than its patience.

References
----------
J. Kiefer and J. Wolfowitz (1955). On the theory of queues with many servers. Trans. AMS 78.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Draw = Callable[[np.random.Generator, "tuple[int, ...]"], "NDArray[np.float64]"]
"""(generator, shape) → times of mean 1."""


@dataclass(frozen=True, kw_only=True)
class SimulatedQueue:
    """What happened to the calls that counted, with standard errors over independent queues."""

    answered_in_time: float
    answered_error: float
    waited: float
    waited_error: float
    lost: float
    """Share of calls that gave up, or found no server."""
    lost_error: float
    mean_wait: float
    """Of all calls, in mean service times; those who give up waited as long as their patience."""
    mean_wait_error: float
    calls: int


def times(cv: float) -> Draw:
    """Return draws of mean 1 and a coefficient of variation: constant, exponential, or gamma.

    Examples
    --------
    >>> times(0.0)(np.random.default_rng(1), (2,))
    array([1., 1.])
    """
    vary = float(quantities("cv", cv))
    if vary == 0:
        return lambda rng, shape: np.ones(shape)
    if vary == 1:
        return lambda rng, shape: rng.standard_exponential(shape)
    form = 1.0 / vary**2
    return lambda rng, shape: rng.standard_gamma(form, shape) / form


def simulate_queue(
    load: float,
    servers: int,
    *,
    within: float,
    seed: int,
    patience: Draw | float | None = None,
    arrival_cv: float = 1.0,
    service_cv: float = 1.0,
    replications: int = 200,
    calls: int = 500,
) -> SimulatedQueue:
    """Simulate a queue in steady state.

    Parameters
    ----------
    load : float
        Offered load in Erlang, above 0; below the servers where nobody gives up.
    servers : int
        1 or more.
    within : float
        Wait allowed ÷ mean service time, 0 or more.
    seed : int
        Same seed, same result.
    patience : callable, float or None
        Draws in mean service times, their exponential mean, or None for callers who wait for ever; 0 = nobody waits.
    arrival_cv, service_cv : float
        Standard deviation ÷ mean of the times between arrivals, and of service times.
    replications, calls : int
        Independent queues, and calls counted in each.

    Raises
    ------
    InputError
        For a load at which the queue never settles.

    Examples
    --------
    >>> found = simulate_queue(8.0, 10, within=0.1, seed=1)
    >>> abs(found.answered_in_time - 0.66499) < 4 * found.answered_error
    True
    """
    a = positive("load", load)
    if servers < 1 or (patience is None and a >= servers):
        raise InputError(
            argument="load", came=load, allowed=f"below the {servers} servers, where nobody gives up",
            try_instead="more servers",
        )  # fmt: skip
    wait_allowed = float(quantities("within", within))
    rng = np.random.default_rng((seed, 0xDE5))
    between, service = times(arrival_cv), times(service_cv)
    leave = _patience(patience)
    run_in = _run_in(a, servers, patience is None)
    work = np.zeros((replications, servers))
    sums = np.zeros((4, replications))
    for call in range(run_in + calls):
        wait = work[:, 0].copy()
        willing = None if leave is None else leave(rng, (replications,))
        stays = np.ones(replications, dtype=np.bool_) if willing is None else wait <= willing
        if call >= run_in:
            sums[0] += stays & (wait <= wait_allowed)
            sums[1] += wait > 0
            sums[2] += ~stays
            sums[3] += wait if willing is None else np.minimum(wait, willing)
        work[:, 0] += np.where(stays, service(rng, (replications,)), 0.0)
        work -= between(rng, (replications, 1)) / a
        np.maximum(work, 0.0, out=work)
        work.sort(axis=1)
    means = sums / calls
    errors = means.std(axis=1, ddof=1) / math.sqrt(replications)
    centre = means.mean(axis=1)
    return SimulatedQueue(
        answered_in_time=float(centre[0]), answered_error=float(errors[0]),
        waited=float(centre[1]), waited_error=float(errors[1]),
        lost=float(centre[2]), lost_error=float(errors[2]),
        mean_wait=float(centre[3]), mean_wait_error=float(errors[3]),
        calls=calls * replications,
    )  # fmt: skip


def _patience(patience: Draw | float | None) -> Draw | None:
    if patience is None or callable(patience):
        return patience
    mean = float(quantities("patience", patience))
    return lambda rng, shape: mean * rng.standard_exponential(shape)


def _run_in(load: float, servers: int, for_ever: bool) -> int:
    """Return calls before those that count: several relaxation times, 1 ÷ (√c − √a)² in service times."""
    if not for_ever:
        return int(min(8 * load + 20 * servers + 200, 20_000))
    return int(min(6 * load / (math.sqrt(servers) - math.sqrt(load)) ** 2 + 10 * servers, 20_000))
