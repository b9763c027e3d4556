"""Queues whose callers give up: M/M/c with any patience, in steady state.

V is the wait that a caller who never gives up would have. Its density is λ·p·exp(λ∫₀ˣ Ḡ − cμx), Ḡ the share of callers
still willing to wait after x; p = 1 ÷ (E + λJ), J = ∫₀^∞ of the exponential, E = 1 ÷ B(c − 1, a) with Erlang B.

References
----------
F. Baccelli and G. Hebuterne (1981). On queues with impatient customers. Performance '81.
A. Mandelbaum and S. Zeltyn (2007). Service engineering in action: the Palm/Erlang-A queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import positive, quantities
from forecasting.capacity.erlang_formulae import checked_seconds
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_TERMS = 20_000
_GRID = 40_001


@dataclass(frozen=True, kw_only=True)
class Impatience:
    """What happens to callers, as shares of all who call."""

    waits: float
    """P(a caller has to wait)."""
    abandons: float
    """P(a caller gives up)."""
    answered_in_time: float
    """P(a caller is answered within the time asked about)."""
    mean_wait: float
    """Mean time in the queue of all callers, of those who give up too, in the time unit of the rates."""
    mean_queue: float
    """Mean number in the queue (Little: arrival rate × mean wait)."""


def log_erlang_b(load: ArrayLike, servers: ArrayLike) -> NDArray[np.float64]:
    """Return ln B(c, a) element by element, stable at any size: Poisson probability ÷ distribution function.

    Examples
    --------
    >>> np.exp(log_erlang_b([2.0, 970.0], [1, 1000])).round(8)
    array([0.66666667, 0.00952919])
    """
    from scipy.stats import poisson

    a, c = quantities("load", load), np.asarray(servers, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return np.asarray(poisson.logpmf(c, a) - poisson.logcdf(c, a), dtype=np.float64)


def exponential_patience(
    load: ArrayLike, servers: ArrayLike, *, patience: float, within: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return P(wait), P(abandon) and P(answered in time) of Erlang A, element by element.

    Times are in units of the mean handling time (μ = 1), so that the arrival rate is the load.

    Parameters
    ----------
    load : array_like
        Offered load a, Erlang, 0 or more.
    servers : array_like
        Whole numbers of 0 or more.
    patience : float
        Mean patience ÷ mean handling time, above 0.
    within : float
        Wait allowed ÷ mean handling time, 0 or more.

    Examples
    --------
    >>> [x.round(6).item() for x in exponential_patience(48.0, 50, patience=2.0, within=20 / 60)]
    [0.467774, 0.030912, 0.943019]
    """
    a, c = np.broadcast_arrays(quantities("load", load), np.asarray(servers, dtype=np.float64))
    theta = 1.0 / positive("patience", patience)
    t = checked_seconds(within)
    waits, gave_up, in_time = np.zeros(a.shape), np.zeros(a.shape), np.ones(a.shape)
    none = (c < 1) & (a > 0)
    if none.any():
        waits[none], gave_up[none], in_time[none] = 1.0, 1.0, 0.0
    some = (c >= 1) & (a > 0)
    if not some.any():
        return waits, gave_up, in_time
    x, n = a[some], c[some]
    eta, kappa = x / theta, n / theta
    log_e = -log_erlang_b(x, n - 1)
    log_j = _log_gamma_part(kappa, eta) - np.log(theta)
    # λJ ÷ (E + λJ) and the like, from their logarithms: E and J alone may be beyond any number.
    log_lj = np.log(x) + log_j
    total = np.logaddexp(log_e, log_lj)
    waits[some] = np.exp(log_lj - total)
    # Those who wait and are answered in time: λp∫₀ᵗ Ḡ exp(...); with u = e^{−θx} an incomplete gamma function, too.
    shrunk = eta * np.exp(-theta * t)
    whole = np.log(x) - np.log(theta) + _log_gamma_part(kappa + 1, eta)
    later = np.log(x) - np.log(theta) + _log_gamma_part(kappa + 1, shrunk) - (kappa + 1) * theta * t + (eta - shrunk)
    part = np.exp(whole - total) - np.exp(later - total)
    in_time[some] = np.clip(1.0 - waits[some] + part, 0.0, 1.0)
    gave_up[some] = np.clip(waits[some] - np.exp(whole - total), 0.0, 1.0)
    return waits, gave_up, in_time


def _log_gamma_part(kappa: NDArray[np.float64], eta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln of ∫₀¹ u^{κ−1}·e^{η(1−u)} du = e^η·η^{−κ}·γ(κ, η).

    For η ≤ κ the series Σ η^k ÷ (κ)_{k+1}, whose terms fall; above it the incomplete gamma function, which is not small
    there.
    """
    from scipy.special import gammainc, gammaln

    result = np.empty(kappa.shape)
    small = eta <= kappa
    if small.any():
        k, e = kappa[small], eta[small]
        term = 1.0 / k
        total = term.copy()
        for j in range(1, _TERMS):
            term = term * e / (k + j)
            total += term
            if (term <= 1e-17 * total).all():
                break
        result[small] = np.log(total)
    large = ~small
    if large.any():
        k, e = kappa[large], eta[large]
        result[large] = e - k * np.log(e) + gammaln(k) + np.log(gammainc(k, e))
    return result


def erlang_a(rate: float, servers: int, *, handling: float, patience: float, within: float) -> Impatience:
    """Return what happens to callers with exponential patience.

    Parameters
    ----------
    rate : float
        Calls per time unit.
    servers : int
    handling, patience, within : float
        Mean handling time, mean patience and the wait allowed, in the same time unit.

    Examples
    --------
    >>> desk = erlang_a(48.0, 50, handling=1.0, patience=2.0, within=20 / 60)
    >>> round(desk.mean_wait * 60, 5), round(desk.mean_queue, 5)
    (3.70947, 2.96758)
    """
    s = positive("handling", handling)
    load = float(quantities("rate", rate)) * s
    waits, gave_up, in_time = exponential_patience(load, servers, patience=patience / s, within=within / s)
    wait = float(gave_up) * patience  # of exponential patience: abandonment rate θ × mean number waiting
    return Impatience(
        waits=float(waits), abandons=float(gave_up), answered_in_time=float(in_time), mean_wait=wait,
        mean_queue=wait * rate,
    )  # fmt: skip


def patience_metrics(
    rate: float, servers: int, *, handling: float, survival: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    within: float,
) -> Impatience:  # fmt: skip
    """Return what happens to callers with any patience, by two quadratures.

    Parameters
    ----------
    rate : float
        Calls per time unit, above 0.
    servers : int
        1 or more.
    handling : float
        Mean handling time (exponential).
    survival : callable
        Share of callers still willing to wait after x, Ḡ(x): 1 at 0 (or less: balking), never rising.
    within : float
        Wait allowed.

    Raises
    ------
    InputError
        Where Ḡ rises or leaves 0 to 1, or the queue never settles because too few give up.

    Examples
    --------
    >>> found = patience_metrics(48.0, 50, handling=1.0, survival=lambda x: np.exp(-x / 2), within=20 / 60)
    >>> round(found.abandons, 6), round(found.answered_in_time, 6), round(found.mean_queue, 4)
    (0.030912, 0.943019, 2.9676)
    """
    from scipy.integrate import cumulative_simpson, simpson

    lam, s, t = positive("rate", rate), positive("handling", handling), checked_seconds(within)
    if servers < 1:
        raise InputError(argument="servers", came=servers, allowed="1 or more", try_instead="1")
    drain = servers / s

    def exponent(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        left = np.asarray(survival(points), dtype=np.float64)
        if not (((left >= -1e-12) & (left <= 1 + 1e-12)).all() and (np.diff(left) <= 1e-12).all()):
            raise InputError(
                argument="survival", came=float(left.max()), allowed="a share that never rises, 0 to 1",
                try_instead="lambda x: np.exp(-x / patience)",
            )  # fmt: skip
        willing = cumulative_simpson(left, x=points, initial=0.0)
        return left, lam * willing - drain * points

    reach = max(t, s) * 4
    for _ in range(60):
        grid = np.linspace(0.0, reach, _GRID)
        left, phi = exponent(grid)
        if phi[-1] < phi.max() - 45 and lam * left[-1] < drain:
            break
        reach *= 2
    else:
        raise InputError(
            argument="rate", came=rate, allowed=f"below {drain:g} of those who never give up",
            try_instead="more servers, or a patience that ends",
        )  # fmt: skip
    # The interesting part may be short: the grid is laid anew over what matters.
    matters = grid[np.flatnonzero(phi >= phi.max() - 45)[-1]] * 1.02
    points = np.union1d(np.linspace(0.0, max(matters, t), _GRID), [t])
    left, phi = exponent(points)
    top = float(phi.max())
    weight = np.exp(phi - top)
    log_e = -float(log_erlang_b(lam * s, servers - 1))
    whole = lam * float(simpson(weight, x=points))
    scale = np.exp(log_e - top) + whole  # (E + λJ)·e^{−top}
    willing = left * weight
    until = points <= t
    answered_all = lam * float(simpson(willing, x=points)) / scale
    answered = lam * float(simpson(willing[until], x=points[until])) / scale if until.sum() > 1 else 0.0
    waits = float(whole / scale)
    # A caller waits min(V, patience): E = ∫ P(V > x)·Ḡ(x) dx.
    above = whole - lam * cumulative_simpson(weight, x=points, initial=0.0)
    wait = float(simpson(np.maximum(above, 0.0) / scale * left, x=points))
    return Impatience(
        waits=waits,
        abandons=max(0.0, waits - float(answered_all)),
        answered_in_time=min(1.0, 1.0 - waits + float(answered)),
        mean_wait=wait,
        mean_queue=wait * lam,
    )
