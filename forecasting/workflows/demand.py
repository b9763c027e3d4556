"""Which series have to be forecast, and their forecasts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.pooled import POOLED
from forecasting.ports import Executor
from forecasting.terms.covariate import Event
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.scenario import DriverEffect, ResourceEffect
from forecasting.terms.service_level import RatioIndicator
from forecasting.workflows.hierarchies import add_up, trees_with
from forecasting.workflows.planned_events import events_for, told
from forecasting.workflows.prepare import Prepared

Key = tuple[str, str]
BACKTEST_DAYS = 31
"""Days scored at each origin of a back-test: a month, as most agreements count."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """Daily forecasts by (service, metric), and the drivers that are in them."""

    forecasts: Mapping[Key, Forecast | Excuse]
    effects: tuple[DriverEffect, ...] = ()
    """Applied to the forecasts already; stocks, whose growth is forecast elsewhere, take them from here."""
    resource_effects: tuple[ResourceEffect, ...] = ()
    """On units in place, usable share, prices and lead times."""
    before: Mapping[Key, Forecast] = field(default_factory=dict)
    """Forecasts as they were before any driver or change, of the series where it makes a difference."""

    def kept(self, changed: Mapping[Key, Forecast | Excuse]) -> dict[Key, Forecast]:
        """Return `before` with the series that are changed now."""
        first = {
            key: found
            for key, found in self.forecasts.items()
            if isinstance(found, Forecast) and changed.get(key) is not found
        }
        return first | dict(self.before)

    def get(self, service: str, metric: str) -> Forecast | None:
        """Return the forecast, or None where there is none."""
        found = self.forecasts.get((service, metric))
        return found if isinstance(found, Forecast) else None


def wanted(prepared: Prepared) -> dict[Key, int]:
    """Return each daily series to forecast with its horizon in local days.

    These are the demand drivers, the totals of ratio objectives (traffic weighs the days of a window), what workload
    limits are set on, and the use of every resource. Growing stocks take start, seed and paths from here; their growth
    is forecast by `forecasting.capacity.growth`. Where one of them is in a declared hierarchy, so is all of its tree.
    """
    settings = prepared.settings
    reach = -(-(prepared.horizon_end - prepared.as_of) // timedelta(days=1)) + 2
    near = max(settings.horizon_days if not prepared.promises else 0, reach)
    keys: dict[Key, int] = {}
    for driver in prepared.catalogue.drivers.values():
        keys[(driver.service, driver.metric)] = near
    for promise in prepared.promises:
        if isinstance(promise.objective.indicator, RatioIndicator):
            keys[(promise.objective.service, promise.objective.indicator.total)] = near
        limited = (promise.objective.service, promise.objective.workload_metric or "")
        if limited in prepared.history.series:
            keys[limited] = near
    for resource in prepared.catalogue.resources:
        keys[(resource.metric_service, resource.metric)] = near
    for tree in trees_with(prepared.catalogue, keys):
        keys |= dict.fromkeys(tree.keys, near)
    return keys


def forecast_demand(
    prepared: Prepared,
    *,
    executor: Executor,
    timer: Callable[[], float],
    only: Sequence[Key] | None = None,
) -> Demand:
    """Forecast every series that is wanted, in batches on the executor.

    With the pooled model all series of a horizon are one batch, because they learn from each other. The catalogue's
    planned events are taken into account, and what its hierarchies say is made to add up.

    Parameters
    ----------
    prepared : Prepared
    executor : Executor
    timer : callable
        CPU seconds, a module-level function.
    only : sequence of (service, metric), optional
        These and no others.
    """
    settings = prepared.settings
    results: dict[Key, Forecast | Excuse] = {}
    by_horizon: dict[int, list[tuple[Series, str]]] = {}
    for key, horizon in sorted(wanted(prepared).items()):
        if only is not None and key not in only:
            continue
        series = prepared.daily.get(key)
        if series is None:
            results[key] = Excuse(
                reason=f"no row of {key[1]} for {key[0]} before the cut-off",
                what_would_help=f"ingest {key[1]} for {key[0]}",
            )
            continue
        country = prepared.catalogue.services[key[0]].country
        by_horizon.setdefault(horizon, []).append((series, country))
    events = events_for(prepared.catalogue, (series.service for group in by_horizon.values() for series, _ in group))
    tasks = [
        _task(part, horizon, prepared, timer, events)
        for horizon, members in sorted(by_horizon.items())
        for part in _batches(members, 1 if POOLED in settings.models else 2 * settings.jobs)
    ]
    for task, answers in zip(tasks, executor.map(forecast_batch, tasks), strict=True):
        for series, country, answer in zip(task.series, task.countries, answers, strict=True):
            results[(series.service, series.metric.name)] = (
                told(answer, series, events=events, country=country) if events else answer
            )
    trees = trees_with(prepared.catalogue, results)
    if trees and tasks:
        countries = {name: service.country for name, service in prepared.catalogue.services.items()}
        asked = replace(tasks[0], series=(), countries=())
        results = add_up(results, trees, series=prepared.daily, task=asked, countries=countries)
    return Demand(forecasts=results)


def _task(
    members: Sequence[tuple[Series, str]],
    horizon: int,
    prepared: Prepared,
    timer: Callable[[], float],
    events: tuple[Event, ...],
) -> ForecastTask:
    settings = prepared.settings
    return ForecastTask(
        series=tuple(series for series, _ in members),
        horizon=horizon,
        models=settings.models,
        countries=tuple(country for _, country in members),
        n_paths=settings.paths,
        seed=settings.seed,
        origins=settings.origins,
        backtest_horizon=min(horizon, BACKTEST_DAYS),
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
        timer=timer,
        events=events,
    )


def _batches(members: Sequence[tuple[Series, str]], count: int) -> list[Sequence[tuple[Series, str]]]:
    """Deal members into at most `count` batches."""
    return [part for k in range(count) if (part := members[k::count])]
