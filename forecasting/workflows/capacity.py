"""Every resource of the catalogue: headroom, run-out, order-by date; and how load acts on badness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.growth import growth_forecast
from forecasting.capacity.headroom import RECENT_DAYS, forecast_days
from forecasting.capacity.models.response_curve import ResponseCurve, fit_response_curve
from forecasting.capacity.requirement import assess
from forecasting.capacity.supply import ComingSupply
from forecasting.history.calendar import local_starts, slice_starts
from forecasting.scenarios.apply import apply_effects
from forecasting.scenarios.supply import as_expected, supply
from forecasting.terms.capacity import DriverCapacity, Requirement
from forecasting.terms.catalogue import GrowingStockModel, Resource, ResponseCurveModel
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.service_level import Indicator, RatioIndicator
from forecasting.workflows.demand import Demand
from forecasting.workflows.prepare import Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PROFILE_WEEKS = 8
_FEW_SLICES = 24
"""Slices of a day up to which every load is modelled by itself."""
_PER_OCTAVE = 32
"""Loads between one and its double at which the share of bad is modelled; straight lines between them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadEffect:
    """How the load on a resource acts on the share of bad events of a day."""

    resource: Resource
    curve: ResponseCurve
    profile: NDArray[np.float64]
    """Shape (7, slices): share of a day's load per slice of the day, by weekday."""
    history_load: Mapping[date, float]
    """Load per local day in the past."""
    indicator: RatioIndicator
    """What the curve was fitted on; objectives of other indicators are left alone."""

    def acts_on(self, service: str, indicator: Indicator) -> bool:
        """Say whether the resource acts on an indicator of a service."""
        return service in self.resource.services and indicator == self.indicator

    def day_share(self, load: NDArray[np.float64], weekday: int, units: Decimal) -> NDArray[np.float64]:
        """Return the modelled share of bad of days with these loads, 0 to 1, at `units` of capacity."""
        capacity = float(units * self.resource.per_unit)
        weight = self.profile[weekday]
        if len(weight) <= _FEW_SLICES:
            return self._share(load, weight, capacity)
        # Points that do not depend on the loads asked about, so that a larger load never has a smaller share.
        some = load[load > 0]
        low, high = (float(some.min()), float(some.max())) if len(some) else (1.0, 1.0)
        steps = np.arange(np.floor(_PER_OCTAVE * np.log2(low)), np.ceil(_PER_OCTAVE * np.log2(high)) + 1)
        grid = np.concatenate(([0.0], np.exp2(steps / _PER_OCTAVE)))
        return np.asarray(np.interp(load, grid, self._share(grid, weight, capacity)), dtype=np.float64)

    def _share(self, load: NDArray[np.float64], weight: NDArray[np.float64], capacity: float) -> NDArray[np.float64]:
        """Return the share of bad of days, each slice of a day by its own load."""
        slices = load[:, None] * weight[None, :]
        found = (self.curve.bad_share(slices, capacity) * weight).sum(axis=1) / weight.sum()
        return np.asarray(found, dtype=np.float64)


def load_effects(prepared: Prepared) -> tuple[tuple[LoadEffect, ...], tuple[tuple[str, Excuse], ...]]:
    """Fit the response curve of every resource that has one; resources without a relation come with their excuse."""
    effects: list[LoadEffect] = []
    excuses: list[tuple[str, Excuse]] = []
    for resource in prepared.catalogue.resources:
        if isinstance(resource.model, ResponseCurveModel):
            found = _load_effect(resource, resource.model, prepared)
            if isinstance(found, Excuse):
                excuses.append((resource.name, found))
            else:
                effects.append(found)
    return tuple(effects), tuple(excuses)


def _load_effect(resource: Resource, model: ResponseCurveModel, prepared: Prepared) -> LoadEffect | Excuse:
    history = prepared.history
    part_name = model.good or model.bad or ""
    load, total, part = (
        history.get(resource.metric_service, name) for name in (resource.metric, model.total, part_name)
    )
    if load is None or total is None or part is None:
        return Excuse(
            reason=f"no data of {resource.metric}, {model.total} or {part_name} for {resource.metric_service}",
            what_would_help="ingest these metrics",
        )
    if not (len(load) == len(total) == len(part) and load.start == total.start == part.start):
        return Excuse(
            reason=f"{resource.metric}, {model.total} and {part_name} do not cover the same slices",
            what_would_help="ingest them from the same time on with one step",
        )
    bad = part.values if model.bad else total.values - part.values
    known = np.isfinite(load.values) & np.isfinite(bad) & np.isfinite(total.values)
    hour = local_starts(load)[known].astype("datetime64[h]").astype(np.int64) % 24
    curve = fit_response_curve(
        load.values[known],
        bad[known],
        total.values[known],
        float(resource.units_now * resource.per_unit),
        hour=hour if load.step < timedelta(days=1) else None,
    )
    if isinstance(curve, Excuse):
        return curve
    return LoadEffect(
        resource=resource,
        curve=curve,
        profile=_day_profile(load),
        history_load=daily_values(prepared.daily[(resource.metric_service, resource.metric)]),
        indicator=RatioIndicator(total=model.total, good=model.good, bad=model.bad),
    )


def daily_values(series: Series) -> dict[date, float]:
    """Return the value of each known local day of a daily series."""
    days = local_starts(series).astype("datetime64[D]")
    return {day.item(): float(value) for day, value in zip(days, series.values, strict=True) if np.isfinite(value)}


def _day_profile(load: Series) -> NDArray[np.float64]:
    """Return the share of a day's load per slice of the day by weekday, from the last weeks."""
    if load.step >= timedelta(days=1):
        return np.ones((7, 1))
    per_day = int(timedelta(days=1) / load.step)
    local = local_starts(load)
    recent = slice_starts(load) > slice_starts(load)[-1] - np.timedelta64(_PROFILE_WEEKS * 7, "D")
    use = recent & np.isfinite(load.values)
    day = local.astype("datetime64[D]")
    weekday = (day.astype(np.int64) + 3) % 7
    of_day = ((local - day) / np.timedelta64(1, "us")).astype(np.int64) // (load.step // timedelta(microseconds=1))
    profile = np.zeros((7, per_day))
    np.add.at(profile, (weekday[use], of_day[use]), load.values[use])
    overall = profile.sum(axis=0)
    for k in range(7):
        row = profile[k] if profile[k].sum() > 0 else overall
        profile[k] = row / row.sum() if row.sum() > 0 else 1.0 / per_day
    return profile


def odds_factors(
    effect: LoadEffect,
    paths: NDArray[np.float64],
    first_day: date,
    source_days: NDArray[np.int64],
    source_first: date,
    *,
    extra: Decimal = Decimal(0),
    in_use_from: date | None = None,
) -> NDArray[np.float64]:
    """Return the factor on the odds of bad, shape (n_paths, days): the path's load against the source day's.

    Parameters
    ----------
    effect : LoadEffect
    paths : ndarray, shape (n_paths, days)
        Load per coming local day on each path.
    first_day : date
        Local day of column 0.
    source_days : ndarray, shape (n_paths, days)
        Index of the past day that stands for each coming one, counted from `source_first`.
    extra : Decimal
        Units added.
    in_use_from : date or None
        First day on which they serve.
    """
    now = effect.resource.units_now
    past_days = int(source_days.max()) + 1
    past = np.array([effect.history_load.get(source_first + timedelta(days=k), np.nan) for k in range(past_days)])
    past = np.where(np.isfinite(past), past, np.nanmean(past) if np.isfinite(past).any() else 0.0)
    factor = np.ones(paths.shape)
    for column in range(paths.shape[1]):
        day = first_day + timedelta(days=column)
        weekday = day.weekday()
        units = now + extra if in_use_from is not None and day >= in_use_from else now
        ahead = _odds(effect.day_share(paths[:, column], weekday, units))
        behind = _odds(effect.day_share(past[source_days[:, column]], weekday, now))
        factor[:, column] = ahead / behind
    return factor


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    return np.asarray(inside / (1 - inside), dtype=np.float64)


def requirements(
    prepared: Prepared, demand: Demand, effects: tuple[LoadEffect, ...]
) -> tuple[tuple[Requirement, ...], tuple[tuple[str, Excuse], ...]]:
    """Assess every resource; what cannot be assessed comes with its reason."""
    found: list[Requirement] = []
    excuses: list[tuple[str, Excuse]] = []
    for resource in prepared.catalogue.resources:
        answer = assess_resource(resource, prepared, demand, effects)
        if isinstance(answer, Excuse):
            excuses.append((resource.name, answer))
        else:
            found.append(replace(answer, driver_capacity=driver_capacity(answer, resource, prepared)))
    return tuple(found), tuple(excuses)


def driver_capacity(need: Requirement, resource: Resource, prepared: Prepared) -> tuple[DriverCapacity, ...]:
    """Return how much more of each business driver the resource carries, were its use to grow with it.

    The driver's own figure is the 95 % quantile of its days in the last eight weeks, as that of the use.
    """
    if isinstance(resource.model, GrowingStockModel) or not np.isfinite(need.supported_growth):
        return ()
    found = []
    for service in dict.fromkeys((resource.metric_service, *resource.services)):
        driver = prepared.catalogue.drivers.get(service)
        series = prepared.daily.get((service, driver.metric)) if driver else None
        if driver is None or series is None:
            continue
        recent = series.values[-RECENT_DAYS:]
        recent = recent[np.isfinite(recent)]
        if len(recent) == 0:
            continue
        now = float(np.quantile(recent, 0.95))
        found.append(
            DriverCapacity(
                driver=driver.name,
                unit=driver.metric,
                now=now,
                residual=now * (need.supported_growth - 1.0),
                supported_growth=need.supported_growth,
            )
        )
    return tuple(found)


def assess_resource(
    resource: Resource,
    prepared: Prepared,
    demand: Demand,
    effects: tuple[LoadEffect, ...],
    *,
    extra: Decimal = Decimal(0),
) -> Requirement | Excuse:
    """Assess one resource, with `extra` units added to those in place."""
    use = prepared.history.get(resource.metric_service, resource.metric)
    forecast = demand.forecasts.get((resource.metric_service, resource.metric))
    if use is None or forecast is None:
        return Excuse(
            reason=f"no data of {resource.metric} for {resource.metric_service}", what_would_help="ingest this metric"
        )
    if isinstance(forecast, Excuse):
        return forecast
    if isinstance(resource.model, GrowingStockModel):
        grown_use = growth_forecast(forecast, use, as_of=prepared.as_of, horizon=prepared.settings.stock_horizon_days)
        if isinstance(grown_use, Excuse):
            return grown_use
        forecast = apply_effects(grown_use, demand.effects, seed=prepared.settings.seed)
    curve = next((e.curve for e in effects if e.resource.name == resource.name), None)
    plain = None if isinstance(resource.model, GrowingStockModel) else demand.before.get((use.service, use.metric.name))
    days = forecast_days(forecast)
    grown = replace(
        as_expected(resource, demand.resource_effects, days[0], days[-1]), units_now=resource.units_now + extra
    )
    found = supply(grown, demand.resource_effects, days, paths=len(forecast.paths), seed=prepared.settings.seed)
    coming = None if found is None else ComingSupply(units=found.units, share=found.share)
    return assess(grown, use, forecast, as_of=prepared.as_of, curve=curve, coming=coming, plain=plain)


def load_paths(forecast: Forecast, first_day: date, days: int) -> NDArray[np.float64]:
    """Return the paths of `days` local days from `first_day` on, shape (n_paths, days).

    A day just before the forecast begins (another zone's yesterday) takes its first day, a day after its end the
    same weekday a week earlier.
    """
    from forecasting.history.calendar import zone_of

    begins = forecast.start.astimezone(zone_of(forecast.zone)).date()
    columns = (first_day - begins).days + np.arange(days)
    last = forecast.horizon - 1
    beyond = columns > last
    columns[beyond] -= 7 * (-(-(columns[beyond] - last) // 7))
    return forecast.paths[:, np.clip(columns, 0, last)]
