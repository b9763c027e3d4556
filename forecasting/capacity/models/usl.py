"""Universal Scalability Law: throughput that contention and crosstalk hold back as units are added.

X(N) = γN ÷ (1 + α(N − 1) + βN(N − 1)). α is the share of work that must queue (contention), β what units cost one
another by keeping in step (crosstalk). With β > 0 throughput peaks at N* = √((1 − α) ÷ β) and then falls.

References
----------
N. J. Gunther (2007). Guerrilla Capacity Planning, chapters 4 to 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.terms.catalogue import Resource, ScalabilityModel
from forecasting.terms.errors import Excuse, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FEWEST = 4
"""Measured sizes that a fit of three coefficients needs at least."""
NO_PEAK = 1e-9
"""Crosstalk below this is taken as none."""


def throughput(units: ArrayLike, *, gamma: float, alpha: float, beta: float) -> NDArray[np.float64]:
    """Return X(N), in the unit of `gamma`; X(0) = 0.

    Examples
    --------
    >>> throughput([1, 2, 10], gamma=1.0, alpha=0.02, beta=0.02).round(4)
    array([1.    , 1.8868, 3.3557])
    """
    n = quantities("units", units)
    return np.asarray(gamma * n / np.maximum(1 + alpha * (n - 1) + beta * n * (n - 1), 1e-300), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Scalability:
    """Fitted coefficients with 90 % intervals by profile likelihood."""

    gamma: float
    """Throughput of one unit."""
    alpha: float
    beta: float
    gamma_interval: tuple[float, float]
    alpha_interval: tuple[float, float]
    beta_interval: tuple[float, float]
    r_squared: float
    """Share of variance explained, at most 1."""
    sizes: int
    """Measurements."""
    largest: float
    """Largest number of units measured; beyond it the law extrapolates."""

    @property
    def peak(self) -> float | None:
        """Units at which throughput is largest; None = it has no peak."""
        return peak_units(self.alpha, self.beta)


def peak_units(alpha: float, beta: float) -> float | None:
    """Return N*, at least 1; None without crosstalk.

    Examples
    --------
    >>> peak_units(0.02, 0.02), peak_units(0.05, 0.0)
    (7.0, None)
    """
    return None if beta <= NO_PEAK else max(1.0, math.sqrt(max(0.0, 1 - alpha) / beta))


def fit_usl(units: ArrayLike, throughputs: ArrayLike) -> Scalability | Excuse:
    """Fit the law by least squares within 0 ≤ α ≤ 1, β ≥ 0, γ > 0.

    Parameters
    ----------
    units, throughputs : array_like, shape (n,)
        Measurements; sizes above 0, at least four different ones.

    Returns
    -------
    Scalability or Excuse
        Intervals are the coefficients whose profile of the residual sum of squares stays below the F quantile.

    Raises
    ------
    InputError
        For negative numbers, or arrays of different length.

    Examples
    --------
    >>> found = fit_usl([1, 2, 4, 6, 8, 10], throughput([1, 2, 4, 6, 8, 10], gamma=1.0, alpha=0.02, beta=0.02))
    >>> round(found.alpha, 6), round(found.beta, 6), round(found.gamma, 6)
    (0.02, 0.02, 1.0)
    """
    n, x = quantities("units", units), quantities("throughput", throughputs)
    if n.shape != x.shape:
        raise InputError(
            argument="throughput", came=x.shape, allowed=f"as many as units: {n.shape}", try_instead="pairs"
        )
    keep = n > 0
    n, x = n[keep], x[keep]
    if len(np.unique(n)) < FEWEST or not (x > 0).any():
        return Excuse(
            reason=f"{len(np.unique(n))} different sizes are known, {FEWEST} needed for the scalability law",
            what_would_help="throughput measured at more sizes (load test, autoscaling history)",
        )
    scale_n, scale_x = float(n.max()), float(x.max())
    best, residual = _least(n, x, scale_n, scale_x, None)
    gamma, alpha, beta = best
    total = float(((x - x.mean()) ** 2).sum())
    free = len(n) - 3
    intervals = [
        _profile(n, x, scale_n, scale_x, which, best, residual, free) if free > 0 else (0.0, math.inf)
        for which in range(3)
    ]
    return Scalability(
        gamma=gamma,
        alpha=alpha,
        beta=beta,
        gamma_interval=intervals[0],
        alpha_interval=intervals[1],
        beta_interval=intervals[2],
        r_squared=1.0 - residual / total if total > 0 else 0.0,
        sizes=len(n),
        largest=scale_n,
    )


def _least(
    n: NDArray[np.float64],
    x: NDArray[np.float64],
    scale_n: float,
    scale_x: float,
    fixed: tuple[int, float] | None,
    near: tuple[float, float, float] | None = None,
) -> tuple[tuple[float, float, float], float]:
    """Return the coefficients of least squares and their residual sum of squares; one coefficient may be held."""
    from scipy.optimize import least_squares

    upper = (np.inf, 1.0, np.inf)
    units = np.array([scale_x / scale_n, 1.0, 1.0 / scale_n])
    """Sizes of the coefficients, so that steps are alike."""
    free = [k for k in range(3) if fixed is None or k != fixed[0]]

    def whole(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros(3)
        found[free] = values * units[free]
        if fixed is not None:
            found[fixed[0]] = fixed[1]
        return found

    def off(values: NDArray[np.float64]) -> NDArray[np.float64]:
        gamma, alpha, beta = whole(values)
        return (throughput(n, gamma=gamma, alpha=alpha, beta=beta) - x) / scale_x

    first = float((x / n).max())
    starts = (
        [near]
        if near is not None
        else [(first, a, b) for a in (0.001, 0.05, 0.3) for b in (1e-6, 0.01 / scale_n, 0.5 / scale_n)]
    )
    best: tuple[float, NDArray[np.float64]] | None = None
    for start in starts:
        begin = np.array(start)[free] / units[free]
        high = np.array(upper)[free] / units[free]
        made = least_squares(
            off, np.minimum(begin, high), bounds=(np.zeros(len(free)), high), xtol=1e-14, ftol=1e-14, gtol=1e-14
        )
        if best is None or made.cost < best[0] - 1e-18:
            best = (float(made.cost), whole(made.x))
    assert best is not None
    gamma, alpha, beta = (float(v) for v in best[1])
    return (gamma, alpha, beta), 2 * best[0] * scale_x**2


def _profile(
    n: NDArray[np.float64],
    x: NDArray[np.float64],
    scale_n: float,
    scale_x: float,
    which: int,
    best: tuple[float, float, float],
    residual: float,
    free: int,
) -> tuple[float, float]:
    """Return the 90 % interval of a coefficient, the others fitted anew at each of its values."""
    from scipy.stats import f

    allowed = residual * (1 + float(f.ppf(0.9, 1, free)) / free) + 1e-18 * scale_x**2
    size = (scale_x / scale_n, 1.0, 1.0 / scale_n)[which]
    ends = []
    for sign in (-1.0, 1.0):
        inside, step = best[which], max(best[which], 1e-3 * size) * 0.02
        outside: float | None = None
        for _ in range(60):
            value = inside + sign * step
            limit = 0.0 if sign < 0 else (1.0 if which == 1 else math.inf)
            value = max(value, limit) if sign < 0 else min(value, limit)
            if _least(n, x, scale_n, scale_x, (which, value), best)[1] > allowed:
                outside = value
                break
            inside, step = value, step * 2
            if value == limit:
                break
        for _ in range(18 if outside is not None else 0):
            middle = (inside + (outside or 0.0)) / 2
            if _least(n, x, scale_n, scale_x, (which, middle), best)[1] > allowed:
                outside = middle
            else:
                inside = middle
        ends.append(inside)
    return ends[0], ends[1]


@dataclass(frozen=True, kw_only=True)
class ScalabilityLaw:
    """Units against throughput asked for.

    Service level is the share of the demand that gets through. Units beyond the peak are taken as left idle, so that
    more capacity never carries less; a demand above the peak throughput needs infinitely many (``inf``).

    Examples
    --------
    >>> law = ScalabilityLaw(gamma=1.0, alpha=0.02, beta=0.02)
    >>> law.required(None, [1.0, 3.0, 3.6])
    array([ 1.,  4., inf])
    >>> law.service_level(4, [3.0, 6.0]).round(3)
    array([1.   , 0.513])
    """

    gamma: float
    alpha: float
    beta: float
    interval: timedelta | None = None
    name: str = "usl"
    recurrent: bool = True

    def carried(self, capacity: float) -> float:
        """Return the largest throughput of at most `capacity` whole units."""
        n = math.floor(float(quantities("capacity", capacity)) + 1e-9)
        peak = peak_units(self.alpha, self.beta)
        near = [n] if peak is None or n <= peak else [min(n, math.floor(peak)), min(n, math.ceil(peak))]
        return max(float(throughput(k, gamma=self.gamma, alpha=self.alpha, beta=self.beta)) for k in near)

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of `demand` that gets through, 0 to 1."""
        asked, most = quantities("demand", demand), self.carried(capacity)
        return np.asarray(np.where(asked > most, most / np.maximum(asked, 1e-300), 1.0), dtype=np.float64)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest whole units that carry the share `target` (None = all) of the demand; inf = none do."""
        wanted = 1.0 if target is None else share("target", target, one_allowed=True)
        asked = quantities("demand", demand) * wanted * (1 - 1e-12)
        # X(N) = d ⇔ dβN² + (d(α − β) − γ)N + d(1 − α) = 0; the smaller root is on the rising side.
        a, b, c = asked * self.beta, asked * (self.alpha - self.beta) - self.gamma, asked * (1 - self.alpha)
        under = b * b - 4 * a * c
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.where(b < 0, 2 * c / (-b + np.sqrt(np.maximum(under, 0.0))), np.inf)
        real = np.where((under < 0) & (self.beta > NO_PEAK), np.inf, root)
        found = np.where(asked > 0, np.maximum(np.ceil(real - 1e-9), 1.0), 0.0)
        peak = peak_units(self.alpha, self.beta)
        if peak is not None:
            # Only whole units can be had: the best of them may carry less than the peak of the curve.
            found = np.where(asked > self.carried(math.ceil(peak)), np.inf, found)
        return np.asarray(found, dtype=np.float64)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the largest demand of which the share `target` (None = all) gets through."""
        wanted = 1.0 if target is None else share("target", target, one_allowed=True)
        return self.carried(capacity) / wanted


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> ScalabilityLaw | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind or its coefficients are not known."""
    spec = resource.model
    if not isinstance(spec, ScalabilityModel):
        return Excuse(reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: usl, ...}")
    if spec.gamma is None or spec.alpha is None or spec.beta is None:
        return Excuse(
            reason=f"the scalability law of {resource.name} has no coefficients yet",
            what_would_help="gamma, alpha and beta, or unitsMetric and throughputMetric to fit them on",
        )
    alpha, beta = float(spec.alpha), float(spec.beta)
    if not (0 <= alpha <= 1 and beta >= 0):
        raise InputError(
            argument="alpha, beta", came=(alpha, beta), allowed="alpha 0 to 1, beta 0 or more", try_instead="0.02, 0"
        )
    return ScalabilityLaw(gamma=positive("gamma", float(spec.gamma)), alpha=alpha, beta=beta)
