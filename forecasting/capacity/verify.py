"""Independent checks of a requirement: simulation of the queue, held-out data, another formula for the date."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import quantities
from forecasting.capacity.growth import TREND_DAYS, linear_trend
from forecasting.capacity.simulate import simulate_queue
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulate_answered(
    load: float, servers: int, *, within: float, seed: int, replications: int = 200, calls: int = 500
) -> tuple[float, float]:
    """Return the share answered in time in a simulated M/M/c queue, and its standard error.

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
    found = simulate_queue(load, servers, within=within, seed=seed, replications=replications, calls=calls)
    return found.answered_in_time, found.answered_error


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
