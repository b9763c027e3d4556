"""Work that waits for days: tickets, orders, reviews; the share of it that is done in time.

A unit works off `per_unit` items a day, items come at random with mean λ a day, C = units × per_unit can be done a day.
What waits has an exponential tail in heavy traffic, P(backlog > x) ≈ exp(−2(C − λ)·x ÷ λ); an item is late when w
days of work lie before it, x = w·C.

References
----------
J. F. C. Kingman (1962). On queues in heavy traffic. Journal of the Royal Statistical Society B 24.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.terms.catalogue import BacklogModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Share of items that are done within some days, once the queue has settled (an approximation).

    Examples
    --------
    >>> desk = Backlog(per_unit=20.0, within_days=2.0, target=0.95)
    >>> desk.required(None, [100.0, 200.0]).round(3)
    array([ 5.037, 10.037])
    >>> desk.service_level(10.0, [199.0, 200.0]).round(3)
    array([0.982, 0.   ])
    """

    per_unit: float
    """Items that a unit works off a day, above 0."""
    within_days: float
    """Open days after which an item is late, above 0."""
    target: float
    """Share of items in time, 0 to 1."""
    interval: timedelta | None = None
    name: str = "backlog"
    recurrent: bool = True

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of items in time; 0 where more comes than can be done."""
        came = quantities("demand", demand)
        can = float(quantities("capacity", capacity)) * self.per_unit
        spare = np.maximum(can - came, 0.0)
        power = np.divide(2 * spare * self.within_days * can, came, out=np.full_like(came, np.inf), where=came > 0)
        return np.asarray(-np.expm1(-power), dtype=np.float64)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the least units at which the share in time is the target: 2wC² − 2wλC − λ·ln(1 ÷ (1 − t)) = 0."""
        came = quantities("demand", demand)
        allowed = self._tail(target)
        can = (came + np.sqrt(came**2 + 2 * came * allowed / self.within_days)) / 2
        return np.asarray(can / self.per_unit, dtype=np.float64)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the items a day at which `capacity` still reaches the target."""
        can = float(quantities("capacity", capacity)) * self.per_unit
        room = 2 * self.within_days * can
        return room * can / (room + self._tail(target)) if can else 0.0

    def _tail(self, target: float | None) -> float:
        return -math.log1p(-share("target", self.target if target is None else target))


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> Backlog | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    model = resource.model
    if not isinstance(model, BacklogModel):
        return Excuse(
            reason=f"{resource.name} has a {model.kind} model",
            what_would_help="model: {kind: backlog, within: 2d, target: 0.95}",
        )
    return Backlog(
        per_unit=positive("perUnit", float(resource.per_unit)),
        within_days=positive("within", model.within / timedelta(days=1)),
        target=share("target", float(model.target)),
    )
