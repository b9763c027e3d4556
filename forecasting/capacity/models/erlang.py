"""Calls wait for one of c agents, for ever: Erlang C."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.capacity.erlang_formulae import (
    checked_seconds,
    online,
    paid_for,
    required_servers,
    service_level,
    supported_load,
)
from forecasting.terms.catalogue import ErlangCModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class ErlangC:
    """Agents against calls per interval, by Erlang C.

    Examples
    --------
    >>> desk = ErlangC(handling_s=420.0, within_s=20.0, target=0.8, interval=timedelta(hours=1))
    >>> desk.required(None, [95, 106, 120, 140])
    array([15., 17., 18., 21.])
    >>> desk.service_level(15, [106]).round(2)
    array([0.67])

    Reference: G. Koole (2013). Call Center Optimization, chapter 3.
    """

    handling_s: float
    """Mean handling time, seconds."""
    within_s: float
    """Wait allowed, seconds."""
    target: float
    """Share to be answered in time, 0 to 1."""
    interval: timedelta
    """Length of the interval whose calls are counted."""
    max_occupancy: float = 1.0
    """Largest share of an agent's time spent on calls."""
    shrinkage: Decimal = Decimal(0)
    """Share of paid time away from calls; capacity is in paid agents."""
    name: str = "erlang_c"
    recurrent: bool = True

    def load(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the offered load in Erlang of `demand` calls per interval."""
        return quantities("demand", demand) * (self.handling_s / self.interval.total_seconds())

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of calls answered in time with floor(`capacity`) agents, 0 to 1."""
        return service_level(self.load(demand), online(capacity, self.shrinkage), self.handling_s, self.within_s)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest agents that answer the share `target` in time."""
        agents = required_servers(
            self.load(demand),
            handling_s=self.handling_s,
            within_s=self.within_s,
            target=self.target if target is None else target,
            max_occupancy=self.max_occupancy,
        )
        return paid_for(agents, self.shrinkage)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the calls per interval that floor(`capacity`) agents carry at the target."""
        load = supported_load(
            online(capacity, self.shrinkage),
            handling_s=self.handling_s,
            within_s=self.within_s,
            target=self.target if target is None else target,
            max_occupancy=self.max_occupancy,
        )
        return load * self.interval.total_seconds() / self.handling_s


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> ErlangC | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, ErlangCModel):
        return Excuse(reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: erlang_c, ...}")
    return ErlangC(
        handling_s=positive("handlingTimeSeconds", float(spec.handling_time_s)),
        within_s=checked_seconds(float(spec.answer_within_s)),
        target=share("target", float(spec.target)),
        interval=timedelta(minutes=positive("intervalMinutes", spec.interval_minutes)),
        max_occupancy=1.0
        if spec.occupancy_limit is None
        else share("occupancyLimit", float(spec.occupancy_limit), one_allowed=True),
        shrinkage=spec.shrinkage,
    )
