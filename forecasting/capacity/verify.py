"""Independent checks of a requirement: simulation of the queue, held-out data, another formula for the date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities
from forecasting.capacity.growth import TREND_DAYS, linear_trend
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulate_answered(
    load: float, servers: int, *, within: float, seed: int, replications: int = 200, calls: int = 500
) -> tuple[float, float]:
    """Return the share answered in time in a simulated M/M/c queue, and its standard error.

    First come, first served, by the recursion of Kiefer and Wolfowitz on the servers' remaining work, many independent
    queues at once. Each starts empty and runs in for several relaxation times before its calls count, so that the
    standard error over replications is honest.

    Parameters
    ----------
    load : float
        Offered load in Erlang, above 0 and below `servers`.
    servers : int
        Number of servers.
    within : float
        Wait allowed ÷ mean handling time, 0 or more.
    seed : int
        Same seed, same result.
    replications, calls : int
        Independent queues, and calls counted in each.

    Raises
    ------
    InputError
        For a load at which the queue never settles.

    References
    ----------
    J. Kiefer and J. Wolfowitz (1955). On the theory of queues with many servers. Trans. AMS 78.

    Examples
    --------
    >>> share, error = simulate_answered(8.0, 10, within=0.1, seed=1)
    >>> abs(share - 0.66499) < 4 * error
    True
    """
    if not 0 < load < servers:
        raise InputError(
            argument="load", came=load, allowed=f"above 0 and below the {servers} servers", try_instead="more servers"
        )
    wait = positive("within", within) if within else 0.0
    rng = np.random.default_rng((seed, 0xDE5))
    # Relaxation time of M/M/c in handling times is about 1 / (sqrt(c) - sqrt(a))^2; a is the arrivals in one of them.
    run_in = int(min(6 * load / (np.sqrt(servers) - np.sqrt(load)) ** 2 + 10 * servers, 20_000))
    work = np.zeros((replications, servers))
    answered = np.zeros(replications)
    for call in range(run_in + calls):
        if call >= run_in:
            answered += work[:, 0] <= wait
        work[:, 0] += rng.standard_exponential(replications)
        work -= rng.standard_exponential((replications, 1)) / load
        np.maximum(work, 0.0, out=work)
        work.sort(axis=1)
    shares = answered / calls
    return float(shares.mean()), float(shares.std(ddof=1) / np.sqrt(replications))


def check_queue(*, calls: float, load: float, servers: int, within: float, closed_form: float, seed: int) -> str:
    """Return the simulated service level beside the closed form, with the disagreement in points."""
    if load <= 0:
        return "no calls, nothing to simulate"
    share, error = simulate_answered(load, servers, within=within, seed=seed)
    return (
        f"simulated queue at {calls:.0f} calls and {servers} agents (100,000 calls, seed {seed}): {100 * share:.1f} % "
        f"± {100 * error:.1f} in time, by formula {100 * closed_form:.1f} %: {100 * (share - closed_form):+.1f} points"
    )


def check_trend(
    *, days: NDArray[np.datetime64], values: NDArray[np.float64], limit: float, date_p50: date | None, end: date
) -> str:
    """Return the date at which a straight line through the last year reaches the limit, beside the median date."""
    recent = days > days[-1] - TREND_DAYS
    x, y = days[recent].astype(np.float64), quantities("values", values[recent])
    if len(y) < 3:
        return "too few days for a straight line as a check"
    line = linear_trend(x, y)
    ahead = line.day_at(limit)
    stated = "not within the horizon" if date_p50 is None else f"{date_p50:%Y-%m-%d}"
    if ahead is None or ahead > 36_500:
        return f"a straight line through the last {len(y)} days never reaches the limit; paths: median {stated}"
    when: date = (days[recent][0] + np.timedelta64(int(np.ceil(ahead)), "D")).item()
    if date_p50 is not None:
        beside = f"{(when - date_p50).days:+d} days from the paths' median {stated}"
    elif when > end:
        beside = f"after the horizon's end {end:%Y-%m-%d}, as on the median path"
    else:
        beside = f"but the median path does not pass it before {end:%Y-%m-%d}"
    return f"a straight line through the last {len(y)} days reaches the limit on {when:%Y-%m-%d}, {beside}"
