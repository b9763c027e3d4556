"""Drivers of the register in the forecasts: which act at a cut-off, and on which series and resources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from forecasting.history.calendar import zone_of
from forecasting.scenarios.apply import apply_effects
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.scenario import DriverEffect, HorizonDriver, ResourceEffect, Scenario
from forecasting.workflows.demand import Demand, Key
from forecasting.workflows.prepare import Prepared

IN_BASE = frozenset({"plan", "act"})
"""Statuses of drivers that are part of the base case."""


@dataclass(frozen=True, kw_only=True)
class InForce:
    """The effects that act, and why some do not."""

    effects: tuple[DriverEffect, ...] = ()
    resource_effects: tuple[ResourceEffect, ...] = ()
    drivers: tuple[str, ...] = ()
    """Ids of the drivers they come from."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(driver, reason)."""


def base_case(prepared: Prepared) -> InForce:
    """Return the effects of the drivers that are planned for (status plan or act) at the cut-off."""
    chosen = [d for d in prepared.catalogue.horizon_drivers if d.status in IN_BASE]
    return in_force(chosen, prepared)


def scenario_case(prepared: Prepared, scenario: Scenario) -> InForce:
    """Return the effects in a scenario: the base case without what it leaves out, its drivers, its own effects.

    Raises
    ------
    InputError
        For a driver that is not in the register.
    """
    known = {d.id: d for d in prepared.catalogue.horizon_drivers}
    for name in (*scenario.drivers, *scenario.without):
        if name not in known:
            raise InputError(
                argument="driver", came=name,
                allowed=f"one of {', '.join(sorted(known)) or 'none: the register is empty'}",
                try_instead="forecasting catalogue list, or a HorizonDriver document",
            )  # fmt: skip
    chosen = [
        _certain(d) if d.id in scenario.drivers else d
        for d in prepared.catalogue.horizon_drivers
        if d.id in scenario.drivers or (d.status in IN_BASE and d.id not in scenario.without)
    ]
    found = in_force(chosen, prepared)
    return replace(
        found,
        effects=(*found.effects, *scenario.effects),
        resource_effects=(*found.resource_effects, *scenario.resource_effects),
    )


def _certain(driver: HorizonDriver) -> HorizonDriver:
    """Return a driver that happens."""
    return replace(
        driver,
        likelihood=1.0,
        effects=tuple(replace(e, likelihood=1.0) for e in driver.effects),
        resource_effects=tuple(replace(e, likelihood=1.0) for e in driver.resource_effects),
    )


def in_force(drivers: Sequence[HorizonDriver], prepared: Prepared) -> InForce:
    """Return the effects of drivers that were known at the cut-off and are not in the data already.

    What a driver does to a service's demand driver by a factor, it does to the use of its resources and to its traffic,
    unless it says itself what happens to these.
    """
    effects: list[DriverEffect] = []
    resources: list[ResourceEffect] = []
    names: list[str] = []
    left: list[tuple[str, str]] = []
    for driver in drivers:
        today = prepared.as_of.date()
        if driver.outcome is not None and driver.outcome.on <= today:
            left.append((driver.id, f"its outcome is known since {driver.outcome.on}"))
            continue
        if driver.evidence_date is not None and driver.evidence_date > today:
            left.append((driver.id, f"not known before {driver.evidence_date}"))
            continue
        names.append(driver.id)
        for effect in spread(driver.effects, prepared.catalogue):
            zone = prepared.catalogue.services[effect.service].zone
            if effect.start <= prepared.as_of.astimezone(zone_of(zone)).date() and not effect.ramp_days:
                left.append((driver.id, f"{effect.metric} of {effect.service} has it in its data since {effect.start}"))
                continue
            effects.append(effect)
        resources.extend(driver.resource_effects)
    return InForce(
        effects=tuple(effects), resource_effects=tuple(resources), drivers=tuple(names), left_out=tuple(left)
    )


def spread(effects: Sequence[DriverEffect], catalogue: Catalogue) -> tuple[DriverEffect, ...]:
    """Return effects with those on demand drivers carried over to the resources' use and the traffic of the service.

    Only factors are carried over: how many requests a second a step of orders makes is not known.
    """
    named = {(e.service, e.metric) for e in effects}
    found = list(effects)
    for effect in effects:
        driver = catalogue.drivers.get(effect.service)
        if effect.kind != "multiplier" or driver is None or driver.metric != effect.metric:
            continue
        for key in uses_of(effect.service, catalogue):
            if key not in named:
                named.add(key)
                found.append(replace(effect, service=key[0], metric=key[1]))
    return tuple(found)


def uses_of(service: str, catalogue: Catalogue) -> tuple[Key, ...]:
    """Return the series that follow a service's demand: use of resources with daily peaks, totals of its events."""
    found: list[Key] = []
    for resource in catalogue.resources:
        if resource.metric_service == service and resource.model.kind != "growing_stock":
            found.append((service, resource.metric))
    for _, objective in catalogue.all_objectives():
        total = getattr(objective.indicator, "total", None)
        if objective.service == service and isinstance(total, str):
            found.append((service, total))
        if objective.service == service and objective.workload_metric:
            found.append((service, objective.workload_metric))
    driver = catalogue.drivers.get(service)
    return tuple(k for k in dict.fromkeys(found) if driver is None or k != (service, driver.metric))


def with_effects(demand: Demand, force: InForce, seed: int) -> Demand:
    """Return forecasts as they are with the effects; what was applied before stays."""
    if not force.effects and not force.resource_effects:
        return demand
    changed = {
        key: apply_effects(found, force.effects, seed=seed) if isinstance(found, Forecast) else found
        for key, found in demand.forecasts.items()
    }
    return replace(
        demand,
        forecasts=changed,
        before=demand.kept(changed),
        effects=(*demand.effects, *force.effects),
        resource_effects=(*demand.resource_effects, *force.resource_effects),
    )
