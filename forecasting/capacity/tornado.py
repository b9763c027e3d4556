"""What each assumption does to a requirement, one at a time: the bars of a tornado, the first is binding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.capacity.base import CapacityModel
from forecasting.capacity.headroom import passage_date
from forecasting.capacity.models.growing_stock import first_passage
from forecasting.terms.capacity import Swing
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

Build = Callable[[Resource], "CapacityModel | Excuse"]

TIMES = {"handling_time_s": "handling time", "service_time_s": "service time", "holding_time_s": "holding time"}
FACTORS: dict[str, tuple[str, Decimal, Decimal]] = {
    **{field: (words, Decimal("0.9"), Decimal("1.1")) for field, words in TIMES.items()},
    "patience_s": ("patience", Decimal("0.5"), Decimal(2)),
    "arrival_cv": ("arrival variability", Decimal("0.75"), Decimal("1.25")),
    "service_cv": ("service variability", Decimal("0.75"), Decimal("1.25")),
}
"""Factors looked at: times as they are usually known (10 %), variability 25 %, patience half and double."""
SHARE = Decimal("0.05")
"""By how much the usable share may be another, in points of 1."""


def swings(
    resource: Resource,
    build: Build,
    demand: NDArray[np.float64],
    days: tuple[date, ...],
    *,
    units: Callable[[Resource, float], float],
) -> tuple[Swing, ...]:
    """Return by how much the requirement moves with each assumption, largest first.

    Parameters
    ----------
    resource : Resource
    build : callable
        resource → its capacity model.
    demand : ndarray, shape (n_paths, days)
        Daily demand that has to be carried.
    days : tuple of date
    units : callable
        (resource, usable units needed) → units to have in place.
    """
    highest = demand.max(axis=1)
    low, middle, high = (float(q) for q in np.quantile(highest, (0.1, 0.5, 0.9)))
    base = build(resource)
    if isinstance(base, Excuse):
        return ()

    def needed(changed: Resource, at: float) -> float:
        model = build(changed)
        return float("nan") if isinstance(model, Excuse) else units(changed, float(model.required(None, [at])[0]))

    def passed(changed: Resource, factor: float = 1.0) -> date | None:
        model = build(changed)
        if isinstance(model, Excuse):
            return None
        usable = float((changed.units_now - changed.redundant_units) * changed.usable_share)
        limit = model.supported(max(usable, 0.0), None)
        return passage_date(first_passage(demand * factor, limit, at_limit=not model.recurrent), days, 0.5)

    near, far = (low / middle, high / middle) if middle > 0 else (1.0, 1.0)
    found = [
        Swing(
            assumption="forecast of demand",
            low_label=f"10 % of the paths: {low:.4g}",
            high_label=f"90 % of the paths: {high:.4g}",
            required_low=needed(resource, low),
            required_high=needed(resource, high),
            date_low=passed(resource, near),
            date_high=passed(resource, far),
        )
    ]
    for words, labels, pair in _changes(resource):
        found.append(
            Swing(
                assumption=words,
                low_label=labels[0],
                high_label=labels[1],
                required_low=needed(pair[0], middle),
                required_high=needed(pair[1], middle),
                date_low=passed(pair[0]),
                date_high=passed(pair[1]),
            )
        )
    shown = [s for s in found if np.isfinite(s.required_low) and np.isfinite(s.required_high)]
    shown.sort(key=lambda s: (-abs(s.required_high - s.required_low), -_moved(s, days), s.assumption))
    return tuple(shown)


def _moved(swing: Swing, days: tuple[date, ...]) -> int:
    """Return by how many days the run-out date moves; a date beyond the horizon counts as the day after it."""
    end = days[-1] + timedelta(days=1)
    return abs(((swing.date_low or end) - (swing.date_high or end)).days)


def _changes(resource: Resource) -> list[tuple[str, tuple[str, str], tuple[Resource, Resource]]]:
    """Return each assumption of the model and the resource with its two ends."""
    found: list[tuple[str, tuple[str, str], tuple[Resource, Resource]]] = []
    for field, (words, down, up) in FACTORS.items():
        value = getattr(resource.model, field, None)
        if not value:
            continue
        ends = tuple(value * f for f in (down, up))
        found.append((words, (_plain(ends[0]), _plain(ends[1])), _models(resource, field, ends[0], ends[1])))
    up_share = getattr(resource.model, "unit_availability", None)
    if up_share is not None:
        worse, better = 1 - (1 - up_share) * 2, 1 - (1 - up_share) / 2
        if worse > 0:
            labels = (f"{100 * worse:.4g} %", f"{100 * better:.4g} %")
            found.append(("availability of a unit", labels, _models(resource, "unit_availability", worse, better)))
    if not any(getattr(resource.model, field, None) for field in TIMES):
        less, more = (resource.per_unit * f for f in (Decimal("0.9"), Decimal("1.1")))
        pair = (replace(resource, per_unit=less), replace(resource, per_unit=more))
        found.append((f"what one of the {resource.unit} carries", (_plain(less), _plain(more)), pair))
    if resource.usable_share < 1:
        lower, upper = max(resource.usable_share - SHARE, SHARE), min(resource.usable_share + SHARE, Decimal(1))
        pair = (replace(resource, usable_share=lower), replace(resource, usable_share=upper))
        found.append(("usable share", (f"{100 * lower:.3g} %", f"{100 * upper:.3g} %"), pair))
    if resource.redundant_units:
        fewer, one_more = max(resource.redundant_units - 1, Decimal(0)), resource.redundant_units + 1
        pair = (replace(resource, redundant_units=fewer), replace(resource, redundant_units=one_more))
        found.append(("units kept free for failures", (_plain(fewer), _plain(one_more)), pair))
    return found


def _models(resource: Resource, field: str, low: Decimal, high: Decimal) -> tuple[Resource, Resource]:
    """Return the resource with one number of its model at two ends."""
    return _with(resource, field, low), _with(resource, field, high)


def _with(resource: Resource, field: str, value: Decimal) -> Resource:
    model: Any = resource.model  # the field is one of this model's, as its value was read
    return replace(resource, model=replace(model, **{field: value}))


def _plain(value: Decimal) -> str:
    return f"{float(value):.4g}"
