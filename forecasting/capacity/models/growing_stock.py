"""A stock that grows until it passes a usable limit: disk, licences, mailboxes, a commitment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities
from forecasting.terms.catalogue import GrowingStockModel, Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def first_passage(
    paths: NDArray[np.float64], limit: float | NDArray[np.float64], *, at_limit: bool
) -> NDArray[np.int64]:
    """Return the first slice of each path that passes `limit`, or the horizon where none does.

    Parameters
    ----------
    paths : ndarray
        Shape (n_paths, horizon).
    limit : float or ndarray
        Usable limit, in the unit of the paths; one for all, or of the shape of the paths.
    at_limit : bool
        True: at the limit counts as passed (a full stock); False: only above it (a load that still fits). A billionth
        of the limit more or less is "at the limit", so that floating-point noise does not decide.

    Returns
    -------
    ndarray
        Shape (n_paths,), 0 to horizon; `horizon` means "not within the horizon".

    Examples
    --------
    >>> first_passage(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]), 2.0, at_limit=True)
    array([1, 3])
    """
    passed = paths >= limit * (1 - 1e-9) if at_limit else paths > limit * (1 + 1e-9)
    first = np.where(passed.any(axis=1), passed.argmax(axis=1), paths.shape[1])
    return np.asarray(first, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class GrowingStock:
    """A stock fits or it does not: service level 1 below the usable limit, 0 at or above it.

    Examples
    --------
    >>> disk = GrowingStock(per_unit=1.0)
    >>> disk.service_level(1062.5, [918.0, 1062.5])
    array([1., 0.])
    >>> disk.supported(1062.5, None)
    1062.5
    """

    per_unit: float = 1.0
    """Metric units that one capacity unit holds."""
    interval: timedelta | None = None
    name: str = "growing_stock"
    recurrent: bool = False

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return 1 where the stock is below the limit, else 0."""
        return np.where(quantities("demand", demand) < capacity * self.per_unit, 1.0, 0.0)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the units that the stock fills; every target asks for the same, as a stock fits or does not."""
        return quantities("demand", demand) / self.per_unit

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the level at which `capacity` is full."""
        return float(quantities("capacity", capacity)) * self.per_unit


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> GrowingStock | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    if not isinstance(resource.model, GrowingStockModel):
        return Excuse(
            reason=f"{resource.name} has a {resource.model.kind} model",
            what_would_help="model: {kind: growing_stock}",
        )
    return GrowingStock(per_unit=positive("perUnit", float(resource.per_unit)))
