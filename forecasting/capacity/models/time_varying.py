"""Agents through a day whose load changes faster than a queue settles.

At a peak that lasts it is Erlang C, or Erlang A where callers give up; through a day periods are staffed by the
modified offered load (`forecasting.capacity.modified_load`) and checked by the forward equations
(`forecasting.capacity.transient`).

References
----------
L. Green, P. Kolesar, W. Whitt (2007). Coping with time-varying demand when setting staffing requirements for a service
system. Production and Operations Management 16.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.abandonment import exponential_patience
from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.capacity.erlang_formulae import checked_seconds, online, paid_for, required_servers, service_level
from forecasting.capacity.inverse import fewest_servers, largest_load
from forecasting.capacity.modified_load import modified_offered_load, period_peaks
from forecasting.terms.catalogue import Resource, StaffingModel
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEPS = 30
"""Steps of a period at which the load is followed."""


@dataclass(frozen=True, kw_only=True)
class Staffing:
    """Agents by period of the day.

    Examples
    --------
    >>> desk = Staffing(handling_s=3600.0, within_s=0.0, target=0.8, interval=timedelta(hours=2))
    >>> desk.by_period([40.0, 60.0, 40.0, 20.0])
    array([26., 33., 33., 25.])
    """

    handling_s: float
    within_s: float
    target: float
    interval: timedelta
    """Length of a period with one number of agents, and of the interval whose calls are counted."""
    patience_s: float | None = None
    max_occupancy: float = 1.0
    shrinkage: Decimal = Decimal(0)
    name: str = "time_varying"
    recurrent: bool = True

    def load(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the offered load in Erlang of `demand` calls per interval that goes on."""
        return quantities("demand", demand) * (self.handling_s / self.interval.total_seconds())

    def by_period(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return paid agents for each period of a day that repeats, by its modified offered load.

        Parameters
        ----------
        demand : array_like
            Calls in each period of the day, shape (n,).
        """
        calls = quantities("demand", demand)
        length = self.interval.total_seconds()
        # Arrivals between the middles of periods follow a straight line: steps would be the fault of the clock.
        n = len(calls)
        at = (np.arange(n * STEPS) + 0.5) / STEPS - 0.5
        rate = np.interp(at, np.arange(-1, n + 1), np.concatenate((calls[-1:], calls, calls[:1]))) / length
        loads = modified_offered_load(rate, step=length / STEPS, handling=self.handling_s)
        return paid_for(self._agents(period_peaks(loads, STEPS), self.target), self.shrinkage)

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of calls answered in time at a demand that lasts, 0 to 1."""
        agents = online(capacity, self.shrinkage)
        return self._level(self.load(demand), np.asarray(float(agents)))

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest paid agents at a demand that lasts."""
        return paid_for(self._agents(self.load(demand), self.target if target is None else target), self.shrinkage)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the calls per interval that `capacity` paid agents carry where they last."""
        agents = online(capacity, self.shrinkage)
        if agents == 0:
            return 0.0
        goal, at = self.target if target is None else target, np.asarray(float(agents))
        load = largest_load(lambda a: float(self._within(np.asarray(a), at)), goal, float(agents))
        return load * self.interval.total_seconds() / self.handling_s

    def _agents(self, load: NDArray[np.float64], target: float) -> NDArray[np.float64]:
        if self.patience_s is None:
            return required_servers(
                load, handling_s=self.handling_s, within_s=self.within_s, target=target,
                max_occupancy=self.max_occupancy,
            ).astype(np.float64)  # fmt: skip
        return fewest_servers(self._within, load, target)

    def _level(self, load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.patience_s is None:
            return service_level(load, int(servers), self.handling_s, self.within_s)
        patience, within = self.patience_s / self.handling_s, self.within_s / self.handling_s
        return exponential_patience(load, servers, patience=patience, within=within)[2]

    def _within(self, load: NDArray[np.float64], servers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the service level, 0 where agents would be busier than allowed."""
        if self.patience_s is None:
            busy, level = load, self._level(load, servers)
        else:
            patience, within = self.patience_s / self.handling_s, self.within_s / self.handling_s
            _, gave_up, level = exponential_patience(load, servers, patience=patience, within=within)
            busy = load * (1 - gave_up)
        return np.where(busy <= self.max_occupancy * servers * (1 + 1e-12), level, 0.0)


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> Staffing | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, StaffingModel):
        return Excuse(
            reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: time_varying, ...}"
        )
    return Staffing(
        handling_s=positive("handlingTimeSeconds", float(spec.handling_time_s)),
        within_s=checked_seconds(float(spec.answer_within_s)),
        target=share("target", float(spec.target)),
        interval=timedelta(minutes=positive("intervalMinutes", spec.interval_minutes)),
        patience_s=None if spec.patience_s is None else positive("patienceSeconds", float(spec.patience_s)),
        max_occupancy=1.0
        if spec.occupancy_limit is None
        else share("occupancyLimit", float(spec.occupancy_limit), one_allowed=True),
        shrinkage=spec.shrinkage,
    )
