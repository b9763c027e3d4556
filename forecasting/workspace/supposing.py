"""What-if questions to a workspace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from forecasting.adapters.executors import JoblibLoky
from forecasting.terms.errors import InputError
from forecasting.terms.scenario import Scenario
from forecasting.terms.what_if import WhatIf
from forecasting.workspace.scoring import quiet
from forecasting.workspace.workspace import no_timer

if TYPE_CHECKING:
    from forecasting.terms.catalogue import Catalogue
    from forecasting.workspace.workspace import Workspace


def suppose(
    space: Workspace,
    scenario: Scenario,
    *,
    moved: tuple[tuple[str, date], ...] = (),
    as_of: str | date | datetime | None = None,
    tornado: bool = True,
    progress: Callable[[str], None] = quiet,
) -> WhatIf:
    """Return what a scenario changes against the base case; nothing is written.

    Parameters
    ----------
    space : Workspace
    scenario : Scenario
        Drivers of the register that happen or do not, and effects of its own.
    moved : tuple of (driver id, date)
        Drivers that begin on another day; their ramps and ends move alike.
    as_of : str, date, datetime or None
        Cut-off; None = end of the data.
    tornado : bool
        Whether each driver is looked at alone.
    progress : callable
        Told the name of each stage.

    Raises
    ------
    InputError
        For a driver, service, metric or resource that is not in the catalogue.

    Examples
    --------
    >>> suppose.__name__
    'suppose'
    """
    from forecasting.workflows.horizon import spread
    from forecasting.workflows.what_if import what_if

    progress("reading")
    prepared = space.prepare(as_of)
    _check(scenario, prepared.catalogue)
    whole = replace(scenario, effects=spread(scenario.effects, prepared.catalogue))
    for name, day in moved:
        whole = _moved(whole, name, day, prepared.catalogue)
    return what_if(
        prepared,
        whole,
        executor=JoblibLoky(space.settings.jobs),
        timer=no_timer,
        progress=progress,
        tornado=tornado,
    )


def named_scenario(catalogue: Catalogue, name: str) -> Scenario:
    """Return a scenario of the catalogue.

    Raises
    ------
    InputError
        Where there is none of that name.
    """
    found = next((s for s in catalogue.scenarios if s.name == name), None)
    if found is None:
        known = ", ".join(s.name for s in catalogue.scenarios)
        raise InputError(
            argument="--scenario",
            came=name,
            allowed=f"one of {known}" if known else "a Scenario document; the catalogue has none",
            try_instead=known.split(", ")[0] or "--multiply SERVICE=2@2027-03-01",
        )
    return found


def _check(scenario: Scenario, catalogue: Catalogue) -> None:
    """Refuse effects on what is not in the catalogue."""
    for effect in scenario.effects:
        if effect.service not in catalogue.services:
            raise InputError(
                argument="service", came=effect.service, allowed=f"one of {', '.join(sorted(catalogue.services))}",
                try_instead="forecasting catalogue list",
            )  # fmt: skip
        if effect.metric not in catalogue.metrics:
            raise InputError(
                argument="metric", came=effect.metric, allowed=f"one of {', '.join(sorted(catalogue.metrics))}",
                try_instead="the metric of the service's demand driver or resource",
            )  # fmt: skip
    resources = sorted(r.name for r in catalogue.resources)
    for change in scenario.resource_effects:
        if change.resource not in resources:
            raise InputError(
                argument="resource", came=change.resource, allowed=f"one of {', '.join(resources)}",
                try_instead="forecasting catalogue list",
            )  # fmt: skip


def _moved(scenario: Scenario, name: str, day: date, catalogue: Catalogue) -> Scenario:
    """Return a scenario in which a driver of the register begins on another day: without it, with its moved effects."""
    driver = next((d for d in catalogue.horizon_drivers if d.id == name), None)
    if driver is None:
        known = ", ".join(d.id for d in catalogue.horizon_drivers)
        raise InputError(
            argument="--move", came=name, allowed=f"one of {known or 'none: the register is empty'}",
            try_instead="a HorizonDriver document",
        )  # fmt: skip
    from forecasting.workflows.horizon import spread

    starts = [e.start for e in driver.effects] + [e.start for e in driver.resource_effects]
    if not starts:
        raise InputError(
            argument="--move",
            came=name,
            allowed="a driver with effects in numbers",
            try_instead="effects: in its document",
        )
    by = day - min(starts)

    def later(moment: date | None) -> date | None:
        return None if moment is None else moment + by

    effects = tuple(replace(e, start=e.start + by, end=later(e.end)) for e in driver.effects)
    resources = tuple(replace(e, start=e.start + by, end=later(e.end)) for e in driver.resource_effects)
    in_base = driver.status in {"plan", "act"}
    return replace(
        scenario,
        effects=(*scenario.effects, *spread(effects, catalogue)),
        resource_effects=(*scenario.resource_effects, *resources),
        drivers=tuple(d for d in scenario.drivers if d != name),
        without=(*scenario.without, name) if in_base and name not in scenario.without else scenario.without,
    )
