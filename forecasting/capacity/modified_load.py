"""Load that changes faster than a queue settles: the mean number busy if nobody had to wait.

m′ = λ(t) − μ·m: what an infinite number of servers would be busy with. Staffed by it, a stationary formula holds where
a period's own arrivals would put agents too early and take them away too soon.

References
----------
O. Jennings, A. Mandelbaum, W. Massey, W. Whitt (1996). Server staffing to meet time-varying demand. Management Science.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def modified_offered_load(
    arrivals: ArrayLike, *, step: float, handling: float, settled: bool = True
) -> NDArray[np.float64]:
    """Return the offered load at the end of each step, in Erlang, of piecewise constant arrivals.

    Parameters
    ----------
    arrivals : array_like
        Arrivals per time unit in each step, shape (n,).
    step, handling : float
        Length of a step and mean handling time, in one time unit.
    settled : bool
        True: the pattern repeats, and the load of its last step precedes the first; False: it starts empty.

    Examples
    --------
    >>> modified_offered_load([10.0, 0.0], step=1.0, handling=1.0, settled=False).round(4)
    array([6.3212, 2.3254])
    """
    rate = quantities("arrivals", arrivals)
    s = positive("handling", handling)
    fade = float(np.exp(-positive("step", step) / s))

    def once(start: float) -> NDArray[np.float64]:
        loads, now = np.empty(len(rate)), start
        for k, each in enumerate(rate):
            now = each * s + (now - each * s) * fade
            loads[k] = now
        return loads

    first = once(0.0)
    if not settled or len(rate) == 0:
        return first
    # The recursion is linear in its start: the start that comes back to itself.
    gone = fade ** len(rate)
    return once(float(first[-1]) / (1.0 - gone))


def period_peaks(loads: ArrayLike, per_period: int) -> NDArray[np.float64]:
    """Return the highest load of each period of `per_period` steps.

    Examples
    --------
    >>> period_peaks([1.0, 3.0, 2.0, 5.0], 2)
    array([3., 5.])
    """
    values = quantities("loads", loads)
    return np.asarray(values.reshape(-1, per_period).max(axis=1), dtype=np.float64)
