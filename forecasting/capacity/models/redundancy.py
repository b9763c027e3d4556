"""k of n: enough units must be up, where units fail alone and, within a failure domain, together.

References
----------
IEC 61508-6:2010, annex D (beta factor); M. Rausand and A. Høyland (2004). System Reliability Theory, chapters 4 and 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.terms.catalogue import RedundancyModel, Resource
from forecasting.terms.errors import Excuse, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_UNITS = 20_000
"""Units up to which a requirement is searched."""


def units_up(units: int, *, availability: float, common_cause: float = 0.0, domains: int = 1) -> NDArray[np.float64]:
    """Return the distribution of the number of units up, shape (units + 1,).

    Units are spread evenly over failure domains. A domain is down as a whole for the share β(1 − A) of the time; what
    remains of a unit's unavailability is its own, so that each unit alone is up for the share A.

    Parameters
    ----------
    units : int
        0 or more.
    availability : float
        A: share of time one unit is up, above 0 and at most 1.
    common_cause : float
        β: share of its unavailability that it has in common with its domain, 0 to 1.
    domains : int
        1 or more.

    Raises
    ------
    InputError
        For numbers outside their range.

    Examples
    --------
    >>> units_up(2, availability=0.9).round(4)
    array([0.01, 0.18, 0.81])
    >>> units_up(2, availability=0.9, common_cause=1.0).round(4)
    array([0.1, 0. , 0.9])
    """
    from scipy.stats import binom

    up = share("availability", availability, one_allowed=True)
    if not 0 <= common_cause <= 1:
        raise InputError(argument="commonCause", came=common_cause, allowed="0 to 1", try_instead="0.05")
    if domains != int(domains) or domains < 1:
        raise InputError(argument="domains", came=domains, allowed="a whole number of 1 or more", try_instead="2")
    if units != int(units) or units < 0:
        raise InputError(argument="units", came=units, allowed="a whole number of 0 or more", try_instead="3")
    together = common_cause * (1 - up)
    alone = up / (1 - together)
    sizes, counts = np.unique(
        [units // domains + (d < units % domains) for d in range(min(domains, max(units, 1)))], return_counts=True
    )
    found = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        one = (1 - together) * binom.pmf(np.arange(size + 1), size, alone)
        one[0] += together
        for _ in range(count):
            found = np.convolve(found, one)
    return found


@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """Units against a demand of which each carries `per_unit`; service level is P(enough units are up).

    Examples
    --------
    >>> pair = Redundancy(per_unit=1.0, availability=0.99, target=0.999)
    >>> pair.service_level(3, [2.0]).round(6)
    array([0.999702])
    >>> pair.required(None, [2.0, 4.0])
    array([3., 5.])
    """

    per_unit: float
    availability: float
    target: float
    common_cause: float = 0.0
    domains: int = 1
    interval: timedelta | None = None
    name: str = "redundancy"
    recurrent: bool = True

    def needed(self, demand: ArrayLike) -> NDArray[np.int64]:
        """Return k: the units that must be up to carry `demand`."""
        asked = quantities("demand", demand) / self.per_unit
        return np.asarray(np.ceil(asked * (1 - 1e-12)), dtype=np.int64)

    def at_least(self, units: int) -> NDArray[np.float64]:
        """Return P(at least k of `units` are up) for k = 0 to `units`."""
        up = units_up(units, availability=self.availability, common_cause=self.common_cause, domains=self.domains)
        return np.asarray(np.minimum(up[::-1].cumsum()[::-1], 1.0), dtype=np.float64)

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of time in which enough of floor(`capacity`) units are up, 0 to 1."""
        k, level = self.needed(demand), self.at_least(_whole(capacity))
        return np.asarray(np.where(k < len(level), level[np.minimum(k, len(level) - 1)], 0.0), dtype=np.float64)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest units of which enough are up for the share `target`; inf where no number is enough."""
        wanted = self.target if target is None else share("target", target)
        k = self.needed(demand)
        found = {int(one): self._fewest(int(one), wanted) for one in np.unique(k)}
        return np.array([found[int(one)] for one in k.ravel()], dtype=np.float64).reshape(k.shape)

    def _fewest(self, k: int, target: float) -> float:
        """Gallop and bisect: P(at least k up) rises with the number of units."""
        if k == 0:
            return 0.0
        together = self.common_cause * (1 - self.availability)
        if 1 - together**self.domains < target:
            return math.inf
        low, high = k - 1, max(k, self.domains)
        while self.at_least(high)[k] < target:
            if high > MOST_UNITS:
                return math.inf
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if middle >= k and self.at_least(middle)[k] >= target:
                high = middle
            else:
                low = middle
        return float(high)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the largest demand for which enough of floor(`capacity`) units are up for the share `target`."""
        wanted = self.target if target is None else share("target", target)
        level = self.at_least(_whole(capacity))
        return float((level >= wanted).sum() - 1) * self.per_unit


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> Redundancy | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, RedundancyModel):
        return Excuse(
            reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: redundancy, ...}"
        )
    return Redundancy(
        per_unit=positive("perUnit", float(resource.per_unit)),
        availability=share("unitAvailability", float(spec.unit_availability), one_allowed=True),
        target=share("target", float(spec.target)),
        common_cause=float(spec.common_cause),
        domains=spec.domains,
    )


def _whole(capacity: float) -> int:
    return math.floor(float(quantities("capacity", capacity)) + 1e-9)
