"""A requirement where units in place or their usable share are not the same on every coming day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel
from forecasting.terms.catalogue import Resource

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 400
"""Levels of capacity and of demand at which a model is asked; in between the safer neighbour counts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ComingSupply:
    """Units in place and usable share on each coming day, shape (n_paths, days)."""

    units: NDArray[np.float64]
    share: NDArray[np.float64]

    def limits(self, model: CapacityModel, redundant: float) -> NDArray[np.float64]:
        """Return the demand that is carried on each day, shape (n_paths, days)."""
        usable = np.maximum(self.units - redundant, 0.0) * self.share
        known = np.unique(usable)
        if len(known) > GRID:
            known = np.linspace(known[0], known[-1], GRID)
        carried = np.array([model.supported(float(u), None) if u > 0 else 0.0 for u in known])
        place = np.searchsorted(known, usable * (1 + 1e-12), side="right") - 1
        return np.asarray(carried[np.maximum(place, 0)], dtype=np.float64)

    def needed(
        self, resource: Resource, model: CapacityModel, demand: NDArray[np.float64], quantiles: tuple[float, ...]
    ) -> tuple[Decimal, ...]:
        """Return the units to have in place, those that are lost counted as in place, at quantiles over paths.

        Parameters
        ----------
        resource : Resource
        model : CapacityModel
        demand : ndarray, shape (n_paths, days)
        quantiles : tuple of float
        """
        levels = np.linspace(0.0, float(demand.max()), GRID)
        use = model.required(None, levels)
        place = np.minimum(np.searchsorted(levels, demand * (1 - 1e-12), side="left"), GRID - 1)
        share = np.where(self.share > 0, self.share, np.nan)
        lost = float(resource.units_now) - self.units
        nominal = use[place] / share + float(resource.redundant_units) + lost
        worst = np.nanmax(nominal, axis=1)
        return tuple(Decimal(f"{float(q):.9g}") for q in np.quantile(worst, quantiles))

    def usable_end(self, redundant: float) -> float:
        """Return the median usable units on the last day."""
        return float(np.median(np.maximum(self.units[:, -1] - redundant, 0.0) * self.share[:, -1]))
