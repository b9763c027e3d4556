"""Capacity models: one file each; a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable

from forecasting.capacity.base import CapacityModel
from forecasting.capacity.models import (
    backlog,
    erlang,
    erlang_a,
    erlang_b,
    ggc,
    growing_stock,
    redundancy,
    response_curve,
    time_varying,
    usl,
)
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse

CAPACITY_MODELS: dict[str, Callable[[Resource, CapacityModel | Excuse | None], CapacityModel | Excuse]] = {
    "erlang_c": erlang.build,
    "erlang_a": erlang_a.build,
    "erlang_b": erlang_b.build,
    "ggc": ggc.build,
    "usl": usl.build,
    "redundancy": redundancy.build,
    "backlog": backlog.build,
    "time_varying": time_varying.build,
    "response_curve": response_curve.build,
    "growing_stock": growing_stock.build,
}
"""Builder by the `kind` of a resource's model; it takes the resource and the fitted response curve, if any."""
