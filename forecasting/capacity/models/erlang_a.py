"""Callers wait for one of c agents and some give up: Erlang A (M/M/c+M).

References
----------
C. Palm (1946). Research on telephone traffic carried by full availability groups. Tele.
O. Garnett, A. Mandelbaum, M. Reiman (2002). Designing a call center with impatient customers. M&SOM 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.abandonment import exponential_patience
from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.capacity.erlang_formulae import checked_seconds, online, paid_for
from forecasting.capacity.inverse import fewest_servers, largest_load
from forecasting.terms.catalogue import ErlangAModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class ErlangA:
    """Agents against calls per interval, with callers who give up; those who do count as not answered in time.

    Examples
    --------
    >>> desk = ErlangA(handling_s=60.0, patience_s=120.0, within_s=20.0, target=0.9, interval=timedelta(minutes=1))
    >>> desk.service_level(50, [48.0]).round(6)
    array([0.943019])
    >>> desk.required(None, [48.0])
    array([49.])
    """

    handling_s: float
    """Mean handling time, seconds."""
    patience_s: float
    """Mean patience, seconds."""
    within_s: float
    """Wait allowed, seconds."""
    target: float
    """Share of all callers to be answered in time, 0 to 1."""
    interval: timedelta
    """Length of the interval whose calls are counted."""
    max_occupancy: float = 1.0
    """Largest share of an agent's time spent on calls."""
    shrinkage: Decimal = Decimal(0)
    """Share of paid time away from calls; capacity is in paid agents."""
    name: str = "erlang_a"
    recurrent: bool = True

    def load(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the offered load in Erlang of `demand` calls per interval."""
        return quantities("demand", demand) * (self.handling_s / self.interval.total_seconds())

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of callers answered in time, 0 to 1."""
        return self._level(self.load(demand), np.asarray(float(online(capacity, self.shrinkage))))

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest paid agents that answer the share `target` in time, within the occupancy allowed."""
        agents = fewest_servers(self._within, self.load(demand), self.target if target is None else target)
        return paid_for(agents, self.shrinkage)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the calls per interval that `capacity` paid agents carry at the target."""
        agents = online(capacity, self.shrinkage)
        if agents == 0:
            return 0.0
        goal = self.target if target is None else target
        at = np.asarray(float(agents))
        load = largest_load(lambda a: float(self._within(np.asarray(a), at)), goal, float(agents))
        return load * self.interval.total_seconds() / self.handling_s

    def _level(self, load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
        patience, within = self.patience_s / self.handling_s, self.within_s / self.handling_s
        return exponential_patience(load, servers, patience=patience, within=within)[2]

    def _within(self, load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the service level, 0 where agents would be busier than allowed."""
        patience, within = self.patience_s / self.handling_s, self.within_s / self.handling_s
        _, gave_up, level = exponential_patience(load, servers, patience=patience, within=within)
        if self.max_occupancy >= 1:
            return level
        return np.where(load * (1 - gave_up) <= self.max_occupancy * servers * (1 + 1e-12), level, 0.0)


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> ErlangA | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, ErlangAModel):
        return Excuse(reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: erlang_a, ...}")
    return ErlangA(
        handling_s=positive("handlingTimeSeconds", float(spec.handling_time_s)),
        patience_s=positive("patienceSeconds", float(spec.patience_s)),
        within_s=checked_seconds(float(spec.answer_within_s)),
        target=share("target", float(spec.target)),
        interval=timedelta(minutes=positive("intervalMinutes", spec.interval_minutes)),
        max_occupancy=1.0
        if spec.occupancy_limit is None
        else share("occupancyLimit", float(spec.occupancy_limit), one_allowed=True),
        shrinkage=spec.shrinkage,
    )
