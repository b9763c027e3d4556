"""Requests that find every unit taken are lost: Erlang B (M/G/c/c).

References
----------
A. K. Erlang (1917). Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges. The formula holds for any distribution of holding times (B. A. Sevast'yanov, 1957).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.abandonment import log_erlang_b
from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.capacity.erlang_formulae import whole_units
from forecasting.capacity.inverse import fewest_servers, largest_load
from forecasting.terms.catalogue import ErlangBModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class ErlangB:
    """Units against requests per interval that each hold one for a while.

    Examples
    --------
    >>> lines = ErlangB(holding_s=180.0, target=0.99, interval=timedelta(hours=1))
    >>> lines.service_level(10, [160.0]).round(6)
    array([0.878339])
    >>> lines.required(None, [160.0])
    array([15.])
    """

    holding_s: float
    """Mean time that a unit is held, seconds."""
    target: float
    """Share of requests to be served, 0 to 1."""
    interval: timedelta
    """Length of the interval whose requests are counted."""
    name: str = "erlang_b"
    recurrent: bool = True

    def load(self, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the offered load in Erlang of `demand` requests per interval."""
        return quantities("demand", demand) * (self.holding_s / self.interval.total_seconds())

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of requests served, 0 to 1."""
        return _served(self.load(demand), np.asarray(float(whole_units(capacity))))

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the fewest units that serve the share `target`."""
        return fewest_servers(_served, self.load(demand), self.target if target is None else target)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the requests per interval that floor(`capacity`) units carry at the target."""
        units = whole_units(capacity)
        if units == 0:
            return 0.0
        goal, at = self.target if target is None else target, np.asarray(float(units))
        load = largest_load(lambda a: float(_served(np.asarray(a), at)), goal, float(units))
        return load * self.interval.total_seconds() / self.holding_s


def _served(load: NDArray[np.float64], units: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(load > 0, -np.expm1(log_erlang_b(np.maximum(load, 1e-300), units)), 1.0)


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> ErlangB | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    spec = resource.model
    if not isinstance(spec, ErlangBModel):
        return Excuse(reason=f"{resource.name} has a {spec.kind} model", what_would_help="model: {kind: erlang_b, ...}")
    return ErlangB(
        holding_s=positive("holdingTimeSeconds", float(spec.holding_time_s)),
        target=share("target", float(spec.target)),
        interval=timedelta(minutes=positive("intervalMinutes", spec.interval_minutes)),
    )
