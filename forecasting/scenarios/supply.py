"""Units in place and usable on each coming day, with what drivers do to them; prices and lead times as expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.scenarios.apply import checked, draws
from forecasting.terms.catalogue import Resource
from forecasting.terms.scenario import ResourceEffect

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_SUPPLY = frozenset({"units_multiplier", "units_step", "usable_multiplier"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Supply:
    """A resource's supply on each coming day of each path."""

    units: NDArray[np.float64]
    """Units in place, shape (n_paths, days)."""
    share: NDArray[np.float64]
    """Usable share, shape (n_paths, days)."""

    def usable(self, redundant: float) -> NDArray[np.float64]:
        """Return usable units, with `redundant` units kept free."""
        return np.asarray(np.maximum(self.units - redundant, 0.0) * self.share, dtype=np.float64)


def supply(
    resource: Resource, effects: Sequence[ResourceEffect], days: Sequence[date], *, paths: int, seed: int
) -> Supply | None:
    """Return units and usable share on each day; None where no effect changes them.

    Draws are those of the driver in every forecast: where it happens to demand it happens to supply.

    Parameters
    ----------
    resource : Resource
    effects : sequence of ResourceEffect
        Those of other resources, on prices and on lead times are left out.
    days : sequence of date
        Local days.
    paths, seed : int

    Raises
    ------
    InputError
        For sizes out of order or a likelihood outside 0 to 1.

    Examples
    --------
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> pods = Resource(name="pods", services=("s",), metric_service="s", metric="rps", model=GrowingStockModel(),
    ...     unit="pods", units_now=Decimal(64))
    >>> lost = ResourceEffect(driver="outage", resource="pods", kind="units_multiplier", start=date(2027, 3, 2),
    ...     low=0.5, mode=0.5, high=0.5)
    >>> supply(pods, [lost], [date(2027, 3, 1), date(2027, 3, 2)], paths=1, seed=1).units
    array([[64., 32.]])
    """
    mine = [e for e in effects if e.resource == resource.name and e.kind in _ON_SUPPLY]
    if not mine:
        return None
    units = np.full((paths, len(days)), float(resource.units_now))
    share = np.full((paths, len(days)), float(resource.usable_share))
    for effect in sorted(mine, key=lambda e: (e.kind == "units_step", e.driver, e.start)):
        checked(effect)
        size, happens = draws(effect, paths, seed)
        acts = np.array([effect.start <= day and (effect.end is None or day < effect.end) for day in days])
        world = happens[:, None] & acts[None, :]
        if effect.kind == "usable_multiplier":
            share *= np.where(world, size[:, None], 1.0)
        elif effect.kind == "units_multiplier":
            units *= np.where(world, size[:, None], 1.0)
        else:
            units += np.where(world, size[:, None], 0.0)
    return Supply(units=np.maximum(units, 0.0), share=np.clip(share, 0.0, None))


def as_expected(resource: Resource, effects: Sequence[ResourceEffect], today: date, until: date) -> Resource:
    """Return a resource with the prices and the lead time that are expected.

    A price is the mean over the days of the horizon; a lead time is another where its driver acts by the day on which
    an order of today would arrive. Sizes are means of their triangles, weighed by the likelihood.

    Examples
    --------
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> pods = Resource(name="pods", services=("s",), metric_service="s", metric="rps", model=GrowingStockModel(),
    ...     unit="pods", units_now=Decimal(64), cost_per_unit_month=Decimal(100))
    >>> dearer = ResourceEffect(driver="licence", resource="pods", kind="price_multiplier", start=date(2027, 1, 6),
    ...     low=1.6, mode=1.6, high=1.6, likelihood=0.5)
    >>> as_expected(pods, [dearer], date(2027, 1, 1), date(2027, 1, 11)).cost_per_unit_month
    Decimal('115.000000')
    """
    price, lead = 1.0, 1.0
    length = max((until - today).days, 1)
    for effect in effects:
        if effect.resource != resource.name:
            continue
        checked(effect)
        change = effect.likelihood * ((effect.low + effect.mode + effect.high) / 3 - 1)
        end = until if effect.end is None else min(effect.end, until)
        if effect.kind == "price_multiplier":
            price *= 1 + change * max((end - max(effect.start, today)).days, 0) / length
        elif effect.kind == "lead_time_multiplier" and effect.start <= today + resource.lead_time < (
            effect.end or date.max
        ):
            lead *= 1 + change
    if price == 1.0 and lead == 1.0:
        return resource
    by, longer = Decimal(f"{price:.6f}"), lead
    return replace(
        resource,
        capex_per_unit=resource.capex_per_unit * by,
        cost_per_unit_month=resource.cost_per_unit_month * by,
        order_cost=resource.order_cost * by,
        lead_time=_whole_days(resource.lead_time * longer) if lead != 1.0 else resource.lead_time,
        lead_steps=tuple(
            replace(s, low=s.low * longer, mode=s.mode * longer, high=s.high * longer) for s in resource.lead_steps
        )
        if lead != 1.0
        else resource.lead_steps,
    )


def _whole_days(length: timedelta) -> timedelta:
    return timedelta(days=round(length / timedelta(days=1)))
