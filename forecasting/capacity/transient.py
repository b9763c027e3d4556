"""A queue through a day, exactly: the forward equations of M_t/M/c_t (+M), by an ODE solver.

dP_n/dt = λ(t)·P_{n−1} − (λ(t) + d_n(t))·P_n + d_{n+1}(t)·P_{n+1}, d_n = μ·min(n, c(t)) + θ·max(0, n − c(t)).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Trajectory:
    """A queue over time."""

    times: NDArray[np.float64]
    """Shape (n,)."""
    waiting: NDArray[np.float64]
    """P(all servers busy) at each time, shape (n,): what an arrival then meets."""
    in_time: NDArray[np.float64]
    """P(an arrival of that time is answered within the time asked about), servers as they are then; shape (n,)."""
    mean_number: NDArray[np.float64]
    """Mean number in the system."""
    beyond: float
    """Largest probability of the last state kept: what was cut off."""


def trajectory(
    rate: Callable[[float], float],
    servers: ArrayLike,
    *,
    period: float,
    handling: float,
    within: float = 0.0,
    patience: float | None = None,
    days: int = 2,
    per_period: int = 20,
    room: int | None = None,
) -> Trajectory:
    """Return the queue on the last of `days` repetitions of a schedule, begun empty.

    Parameters
    ----------
    rate : callable
        Time → arrivals per time unit; time counts on through the repetitions.
    servers : array_like
        Servers in each period, whole numbers of 0 or more, shape (n,). Who is being served when servers leave goes back
        to the head of the queue.
    period, handling : float
        Length of a period and mean handling time, in the time unit of the rate.
    within : float
        Wait allowed. In time counts by the servers of the moment: an arrival that finds n ≥ c has to see n − c + 1 of
        them go, an Erlang time.
    patience : float, optional
        Mean patience (exponential); None = nobody gives up.
    days : int
        Repetitions; the queue of the last one is returned.
    per_period : int
        Times looked at in a period.
    room : int, optional
        States kept; None = enough for the load and a backlog.

    Raises
    ------
    InputError
        For negative servers, or a queue that outgrows the states kept.

    Examples
    --------
    >>> found = trajectory(lambda t: 8.0, [10, 10], period=4.0, handling=1.0, days=8)
    >>> round(float(found.waiting[-1]), 4)
    0.4092
    """
    from scipy.integrate import solve_ivp
    from scipy.special import gammaincc

    staff = quantities("servers", servers)
    length, mu = positive("period", period), 1.0 / positive("handling", handling)
    theta = 0.0 if patience is None else 1.0 / positive("patience", patience)
    whole = length * len(staff)
    peak = max(rate(t) for t in np.linspace(0, whole, 200)) / mu
    states = room or int(max(staff.max(), peak) + 12 * np.sqrt(max(peak, 1.0)) + 60)
    n = np.arange(states + 1)
    probability = np.zeros(states + 1)
    probability[0] = 1.0
    times: list[NDArray[np.float64]] = []
    kept: list[NDArray[np.float64]] = []
    agents: list[NDArray[np.float64]] = []
    for repeat in range(days):
        for k, c in enumerate(staff):
            start = repeat * whole + k * length
            death = mu * np.minimum(n, c) + theta * np.maximum(n - c, 0.0)

            def flow(t: float, p: NDArray[np.float64], death: NDArray[np.float64] = death) -> NDArray[np.float64]:
                arriving = rate(t) * p
                arriving[-1] = 0.0
                leaving = death * p
                change = -arriving - leaving
                change[1:] += arriving[:-1]
                change[:-1] += leaving[1:]
                return np.asarray(change, dtype=np.float64)

            wanted = start + length * (np.arange(per_period) + 1) / per_period
            done = solve_ivp(
                flow, (start, start + length), probability, method="LSODA", t_eval=wanted, rtol=1e-8, atol=1e-11,
                lband=1, uband=1,
            )  # fmt: skip
            if not done.success:
                raise InputError(
                    argument="servers", came=str(done.message), allowed="a schedule whose queue can be followed",
                    try_instead="more servers, or patience",
                )  # fmt: skip
            probability = np.clip(done.y[:, -1], 0.0, None)
            probability /= probability.sum()
            if repeat == days - 1:
                times.append(done.t)
                kept.append(done.y.T)
                agents.append(np.full(len(done.t), c))
    states_at, c_at = np.clip(np.concatenate(kept), 0.0, 1.0), np.concatenate(agents)
    beyond = float(states_at[:, -1].max())
    if beyond > 1e-3:
        raise InputError(
            argument="servers", came=staff.tolist(), allowed="a queue that stays within the states kept",
            try_instead="more servers, or room=a larger number",
        )  # fmt: skip
    waiting = np.array([p[int(c) :].sum() for p, c in zip(states_at, c_at, strict=True)])
    answered = 1.0 - waiting
    if within > 0:
        for row, (p, c) in enumerate(zip(states_at, c_at, strict=True)):
            ahead = n[int(c) :] - int(c) + 1
            # Nobody who is ahead gives up in this count, which errs to the safe side where patience is finite.
            soon = 1.0 - gammaincc(ahead, c * mu * within) if c > 0 else np.zeros(len(ahead))
            answered[row] += float((p[int(c) :] * soon).sum())
    return Trajectory(
        times=np.concatenate(times), waiting=waiting, in_time=answered, mean_number=states_at @ n, beyond=beyond
    )
