"""Capacity models: one file each; a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from forecasting.capacity.base import CapacityModel
from forecasting.capacity.models import erlang, growing_stock, response_curve
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse

CAPACITY_MODELS: dict[str, Callable[[Resource, CapacityModel | Excuse | None], CapacityModel | Excuse]] = {
    "erlang_c": erlang.build,
    "response_curve": response_curve.build,
    "growing_stock": growing_stock.build,
}
"""Builder by the `kind` of a resource's model; it takes the resource and the fitted response curve, if any."""
