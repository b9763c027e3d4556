"""What a change does to demand, to the odds of bad and to a requirement, on the same draws."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import zone_of
from forecasting.history.intervals import from_micros
from forecasting.proposals.base import Change
from forecasting.service_levels.breach.simulate import BadPaths, stable_seed
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Catalogue, Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import History, Series
from forecasting.workflows.capacity import LoadEffect, assess_resource, odds_factors
from forecasting.workflows.demand import Demand, Key
from forecasting.workflows.prepare import Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIMES = ("handling_time_s", "service_time_s", "holding_time_s")
"""Fields of queue models that fall where a unit carries more."""


def changed_keys(change: Change, catalogue: Catalogue) -> tuple[Key, ...]:
    """Return the series whose future a change of demand acts on.

    With a resource that is its use; without one the demand drivers of the services and the use of their resources.

    Examples
    --------
    >>> changed_keys(Change(in_use_from=date(2027, 1, 1), services=("shop",)), Catalogue(name="empty"))
    ()
    """
    if change.resource is not None:
        return ((change.resource.metric_service, change.resource.metric),)
    drivers = [(d.service, d.metric) for d in catalogue.drivers.values() if d.service in change.services]
    uses = [(r.metric_service, r.metric) for r in catalogue.resources if r.metric_service in change.services]
    return tuple(dict.fromkeys((*drivers, *uses)))


def changed_demand(demand: Demand, change: Change, catalogue: Catalogue) -> Demand:
    """Return the forecasts with the demand of a change from its first day on; the same object where none changes."""
    if change.demand_multiplier == 1.0:
        return demand
    keys = changed_keys(change, catalogue)
    changed = {
        key: _scaled(found, change.demand_multiplier, change.in_use_from)
        if key in keys and isinstance(found, Forecast)
        else found
        for key, found in demand.forecasts.items()
    }
    return replace(demand, forecasts=changed, before=demand.kept(changed))


def _scaled(forecast: Forecast, factor: float, since: date) -> Forecast:
    begins = forecast.start.astimezone(zone_of(forecast.zone)).date()
    first = min(max(0, (since - begins).days), forecast.horizon)
    paths = forecast.paths.copy()
    paths[:, first:] *= factor
    return replace(forecast, paths=paths)


def flattened(profile: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Return the shares of a day's load with the busiest slices cut to `peak` times the busiest, same total.

    What is cut fills the quieter slices in proportion to their room below the cut; never below an even day.

    Examples
    --------
    >>> flattened(np.array([[0.5, 0.3, 0.2]]), 0.8).round(3)
    array([[0.4  , 0.333, 0.267]])
    """
    highest = profile.max(axis=1, keepdims=True)
    cap = np.maximum(peak * highest, profile.mean(axis=1, keepdims=True))
    cut = np.minimum(profile, cap)
    room = cap - cut
    surplus = (profile - cut).sum(axis=1, keepdims=True)
    whole = room.sum(axis=1, keepdims=True)
    share = np.divide(surplus, whole, out=np.zeros_like(whole), where=whole > 0)
    return np.asarray(cut + room * np.minimum(share, 1.0), dtype=np.float64)


def load_factor(
    effect: LoadEffect,
    load: NDArray[np.float64],
    today: date,
    worlds: NDArray[np.int64],
    source_first: date,
    change: Change | None,
) -> NDArray[np.float64]:
    """Return the factor on the odds of bad from the load on a resource, shape (n_paths, days), with a change of it.

    Parameters
    ----------
    effect : LoadEffect
    load : ndarray, shape (n_paths, days)
        As the demand of the change has it.
    today : date
        Local day of column 0.
    worlds : ndarray, shape (n_paths, days)
        Source days, counted from `source_first`.
    source_first : date
    change : Change or None
        One of another resource acts on this one by its services' peaks alone.
    """
    mine = change is not None and change.resource is not None and change.resource.name == effect.resource.name
    extra, since = Decimal(0), None
    if change is not None and mine:
        now = effect.resource.units_now
        extra = (now + change.units) * Decimal(repr(change.per_unit_multiplier)) - now
        since = change.in_use_from
    factor = odds_factors(effect, load, today, worlds, source_first, extra=extra, in_use_from=since)
    if change is None or change.peak_multiplier == 1.0:
        return factor
    if not (mine or (change.resource is None and effect.resource.metric_service in change.services)):
        return factor
    flat = replace(effect, profile=flattened(effect.profile, change.peak_multiplier))
    for column in range(max(0, (change.in_use_from - today).days), load.shape[1]):
        weekday = (today + timedelta(days=column)).weekday()
        units = effect.resource.units_now + extra
        before, after = (_odds(e.day_share(load[:, column], weekday, units)) for e in (effect, flat))
        factor[:, column] *= after / before
    return factor


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    return np.asarray(inside / (1 - inside), dtype=np.float64)


def strength(change: Change, paths: int, seed: int) -> NDArray[np.float64]:
    """Return the factor on the odds of bad on each path, shape (n_paths,): known, or drawn from its triangle.

    Examples
    --------
    >>> strength(Change(in_use_from=date(2027, 1, 1), bad_multiplier=0.5), 3, 1)
    array([0.5, 0.5, 0.5])
    """
    low = change.bad_multiplier if change.bad_low is None else change.bad_low
    high = change.bad_multiplier if change.bad_high is None else change.bad_high
    if high <= low:
        return np.full(paths, change.bad_multiplier)
    mode = min(max(change.bad_multiplier, low), high)
    return np.random.default_rng(stable_seed(seed, "change", change.name)).triangular(low, mode, high, paths)


def with_odds(paths: BadPaths, service: str, zone: str, change: Change | None, seed: int) -> BadPaths:
    """Return paths with the factor of a change on the odds of bad of a service from its first day on."""
    if change is None or service not in change.services:
        return paths
    if change.bad_multiplier == 1.0 and change.bad_low is None and change.bad_high is None:
        return paths
    count, columns = paths.bad.shape
    if paths.starts is None:
        since = np.arange(columns) >= (change.in_use_from - paths.first_day).days
    else:
        days = [from_micros(int(s)).astimezone(zone_of(zone)).date() for s in paths.starts]
        since = np.array([day >= change.in_use_from for day in days])
    factor = np.where(since[None, :], strength(change, count, seed)[:, None], 1.0)
    return replace(paths, odds_factor=factor if paths.odds_factor is None else paths.odds_factor * factor)


def reassessed(
    change: Change, prepared: Prepared, demand: Demand, effects: tuple[LoadEffect, ...]
) -> Requirement | Excuse:
    """Return the requirement of a change's resource as if the change had always been in effect.

    P(exhausted) is then that of the changed world; when the change comes too late is for the caller to say. A lower
    peak counts where peaks are what counts, more per unit where units serve.
    """
    resource = change.resource
    if resource is None:
        return Excuse(reason="the measure names no resource", what_would_help="`resource` in the Measure document")
    key = (resource.metric_service, resource.metric)
    factor = change.demand_multiplier
    if resource.model.kind != "growing_stock":
        factor *= change.peak_multiplier
    if factor != 1.0:
        prepared, demand = _scaled_past(prepared, key, factor), _scaled_all(demand, key, factor)
    if change.per_unit_multiplier != 1.0:
        resource = _carrying(resource, change.per_unit_multiplier)
    return assess_resource(resource, prepared, demand, effects, extra=change.units)


def _carrying(resource: Resource, factor: float) -> Resource:
    """Return a resource whose units carry more."""
    by = Decimal(repr(factor))
    model = resource.model
    for name in _TIMES:
        value = getattr(model, name, None)
        if value is not None:
            return replace(resource, model=replace(model, **{name: value / by}))
    return replace(resource, per_unit=resource.per_unit * by)


def _scaled_past(prepared: Prepared, key: Key, factor: float) -> Prepared:
    series = {k: _times(s, factor) if k == key else s for k, s in prepared.history.series.items()}
    daily = {k: _times(s, factor) if k == key else s for k, s in prepared.daily.items()}
    history = History(cut_off=prepared.history.cut_off, series=series)
    return replace(prepared, history=history, daily=daily)


def _times(series: Series, factor: float) -> Series:
    return replace(series, values=series.values * factor)


def _scaled_all(demand: Demand, key: Key, factor: float) -> Demand:
    found = demand.forecasts.get(key)
    if not isinstance(found, Forecast):
        return demand
    scaled = {key: replace(found, paths=found.paths * factor)}
    plain = demand.before.get(key)
    before = {} if plain is None else {key: replace(plain, paths=plain.paths * factor)}
    return replace(demand, forecasts={**demand.forecasts, **scaled}, before={**demand.before, **before})
