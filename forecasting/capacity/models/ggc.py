"""Requests wait for one of c units, arrivals and service times of any variability: G/G/c, an approximation (±20 %).

Mean wait of M/M/c times (ca² + cs²) ÷ 2 (Allen–Cunneen), with the correction of Krämer and Langenbach-Belz. More or
fewer than with random arrivals have to wait, as the square-root rule says for a load that varies (1 + ca²) ÷ 2 times
as much (its peakedness); those who wait do so exponentially.

References
----------
A. O. Allen (1990). Probability, Statistics and Queueing Theory, section 5.3. W. Whitt (1993). Approximations for the
GI/G/m queue. Production and Operations Management 2. W. Krämer and M. Langenbach-Belz (1976). Approximate formulae for
the delay in the queueing system GI/G/1. 8th International Teletraffic Congress. H. Sakasegawa (1977). An approximation
formula Lq ≈ α·ρ^β ÷ (1 − ρ). Annals of the Institute of Statistical Mathematics 29.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.abandonment import log_erlang_b
from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.capacity.erlang_formulae import checked_seconds, whole_units
from forecasting.capacity.inverse import fewest_servers, largest_load
from forecasting.terms.catalogue import QueueModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def allen_cunneen(load: ArrayLike, servers: ArrayLike, *, arrival_cv: float, service_cv: float) -> NDArray[np.float64]:
    """Return the mean wait in units of the mean service time: C ÷ (c − a)·(ca² + cs²) ÷ 2·g; infinite where unstable.

    g is 1 for random arrivals, exp(−2(1 − ρ)(1 − ca²)² ÷ (3ρ(ca² + cs²))) for more regular ones and
    exp(−(1 − ρ)(ca² − 1) ÷ (ca² + 4cs²)) for less regular ones.

    Examples
    --------
    >>> allen_cunneen(8.0, 10, arrival_cv=1.0, service_cv=1.0).round(6).item()
    0.20459
    """
    a, c = np.broadcast_arrays(quantities("load", load), np.asarray(servers, dtype=np.float64))
    spare = c - a
    safe = np.where(spare > 0, spare, 1.0)
    vary = _variability(arrival_cv, service_cv)
    ca, cs = arrival_cv**2, service_cv**2
    rho = np.clip(np.where(c > 0, a / np.maximum(c, 1), 1.0), 1e-12, 1.0)
    if ca < 1:
        power = -2 * (1 - rho) * (1 - ca) ** 2 / (3 * rho * max(ca + cs, 1e-12))
    else:
        power = -(1 - rho) * (ca - 1) / (ca + 4 * cs)
    return np.where(spare > 0, waiting(a, c) / safe * vary * np.exp(power), np.inf)


def sakasegawa(load: ArrayLike, servers: ArrayLike, *, arrival_cv: float, service_cv: float) -> NDArray[np.float64]:
    """Return the mean wait in units of the mean service time: (ca² + cs²) ÷ 2·ρ^(√(2(c+1)) − 1) ÷ (c(1 − ρ)).

    Examples
    --------
    >>> sakasegawa(0.8, 1, arrival_cv=1.0, service_cv=1.0).round(6).item()
    4.0
    """
    a, c = np.broadcast_arrays(quantities("load", load), np.asarray(servers, dtype=np.float64))
    rho = np.where(c > 0, a / np.maximum(c, 1), np.inf)
    stable = rho < 1
    safe = np.where(stable, rho, 0.5)
    wait = safe ** (np.sqrt(2 * (c + 1)) - 1) / (np.maximum(c, 1) * (1 - safe))
    return np.where(stable, wait * _variability(arrival_cv, service_cv), np.inf)


def waiting(load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(wait) of M/M/c element by element; 1 where unstable."""
    a, c = np.broadcast_arrays(load, servers)
    blocked = np.exp(log_erlang_b(np.maximum(a, 1e-300), c))
    stable = (a < c) & (c > 0)
    rho = np.where(stable, a / np.maximum(c, 1), 0.0)
    return np.where(a <= 0, 0.0, np.where(stable, blocked / (1 - rho * (1 - blocked)), 1.0))


def waiting_share(load: NDArray[np.float64], servers: NDArray[np.float64], vary: float) -> NDArray[np.float64]:
    """Return P(wait) where the load varies `vary` times (above 0) as much as a random one; 1 where unstable.

    That of M/M/c times the ratio of the limits of Halfin and Whitt at β ÷ √vary and at β = (c − a) ÷ √a.
    """
    a, c = np.broadcast_arrays(load, servers)
    beta = np.maximum(c - a, 0.0) / np.sqrt(np.maximum(a, 1e-300))
    with np.errstate(divide="ignore"):
        log_waiting = np.log(waiting(a, c)) + _log_limit(beta / np.sqrt(vary)) - _log_limit(beta)
    return np.asarray(np.exp(np.minimum(np.where(a > 0, log_waiting, -np.inf), 0.0)), dtype=np.float64)


def _log_limit(beta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln of 1 ÷ (1 + β·Φ(β) ÷ φ(β))."""
    from scipy.stats import norm

    with np.errstate(divide="ignore"):
        return np.asarray(-np.logaddexp(0.0, np.log(beta) + norm.logcdf(beta) - norm.logpdf(beta)), dtype=np.float64)


def _variability(arrival_cv: float, service_cv: float) -> float:
    squares = [float(quantities(name, cv)) ** 2 for name, cv in (("arrivalCv", arrival_cv), ("serviceCv", service_cv))]
    return sum(squares) / 2


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Units against requests per interval (±20 % of the wait).

    Examples
    --------
    >>> queue = Queue(service_s=60.0, within_s=30.0, target=0.9, interval=timedelta(hours=1), arrival_cv=1.5)
    >>> queue.required(None, [480.0])
    array([11.])
    """

    service_s: float
    """Mean service time, seconds."""
    within_s: float
    """Wait allowed, seconds."""
    target: float
    """Share that waits at most so long, 0 to 1."""
    interval: timedelta
    arrival_cv: float = 1.0
    """Standard deviation ÷ mean of the time between arrivals."""
    service_cv: float = 1.0
    name: str = "ggc"
    recurrent: bool = True

    def load(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the offered load of `demand` requests per interval."""
        return quantities("demand", demand) * (self.service_s / self.interval.total_seconds())

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of requests that wait at most `within_s`, 0 to 1; 0 where unstable."""
        return self._level(self.load(demand), np.asarray(float(whole_units(capacity))))

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest units at which the share `target` waits at most `within_s`."""
        return fewest_servers(self._level, self.load(demand), self.target if target is None else target)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the requests per interval that floor(`capacity`) units carry at the target."""
        units = whole_units(capacity)
        if units == 0:
            return 0.0
        goal, at = self.target if target is None else target, np.asarray(float(units))
        load = largest_load(lambda a: float(self._level(np.asarray(a), at)), goal, float(units))
        return load * self.interval.total_seconds() / self.service_s

    def _level(self, load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
        a, c = np.broadcast_arrays(load, servers)
        waits = waiting_share(a, c, (1 + self.arrival_cv**2) / 2)
        wait = allen_cunneen(a, c, arrival_cv=self.arrival_cv, service_cv=self.service_cv)
        time = self.within_s / self.service_s
        some = (waits > 0) & np.isfinite(wait) & (wait > 0)
        each = np.where(some, wait / np.where(some, waits, 1.0), 1.0)  # mean wait of those who wait
        late = np.where(some, np.exp(-time / each), 0.0)
        return np.where(a <= 0, 1.0, np.where(a < c, 1.0 - waits * late, 0.0))


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> Queue | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, QueueModel):
        return Excuse(reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: ggc, ...}")
    return Queue(
        service_s=positive("serviceTimeSeconds", float(spec.service_time_s)),
        within_s=checked_seconds(float(spec.within_s)),
        target=share("target", float(spec.target)),
        interval=timedelta(minutes=positive("intervalMinutes", spec.interval_minutes)),
        arrival_cv=float(quantities("arrivalCv", float(spec.arrival_cv))),
        service_cv=float(quantities("serviceCv", float(spec.service_cv))),
    )
