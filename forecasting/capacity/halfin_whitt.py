"""Square-root staffing: c = a + β·√a, for starting points and for explaining economies of scale.

P(wait) → 1 ÷ (1 + β·Φ(β) ÷ φ(β)) as the load grows with β fixed.

References
----------
S. Halfin and W. Whitt (1981). Heavy-traffic limits for queues with many exponential servers. Operations Research 29.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from forecasting.capacity.base import positive, share

_NORMAL = NormalDist()


def waiting_share(beta: float) -> float:
    """Return P(wait) at a safety factor β above 0.

    Examples
    --------
    >>> [round(waiting_share(b), 4) for b in (0.5, 1.0, 2.0)]
    [0.5045, 0.2234, 0.0269]
    """
    b = positive("beta", beta)
    return 1.0 / (1.0 + b * _NORMAL.cdf(b) / _NORMAL.pdf(b)) if b < 30 else 0.0


def safety_factor(waiting: float) -> float:
    """Return β at which the share `waiting` (above 0, below 1) has to wait.

    Examples
    --------
    >>> round(safety_factor(0.1), 6), round(safety_factor(0.2), 6)
    (1.420187, 1.061516)
    """
    from scipy.optimize import brentq

    goal = share("waiting", waiting)
    return float(brentq(lambda b: waiting_share(b) - goal, 1e-12, 29.0, xtol=1e-14, rtol=1e-14))


def servers_by_square_root(load: float, waiting: float) -> int:
    """Return ⌈a + β√a⌉ servers at which about the share `waiting` has to wait.

    Examples
    --------
    >>> servers_by_square_root(100.0, 0.2)
    111
    """
    a = positive("load", load)
    return math.ceil(a + safety_factor(waiting) * math.sqrt(a))
