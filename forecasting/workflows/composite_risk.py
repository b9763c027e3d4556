"""Breach risk of any promise: of one indicator, of slices judged jointly, of components that are weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.rest import rest_of
from forecasting.service_levels.breach.simulate import BadPaths
from forecasting.service_levels.breach.weighted import ComponentRest, assess_weighted
from forecasting.terms.breach import BreachRisk, Cause
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Indicator
from forecasting.workflows.capacity import LoadEffect
from forecasting.workflows.demand import Demand
from forecasting.workflows.fleet import Extra, Fleet, Part, part_of, simulate_part
from forecasting.workflows.outlook import attainments_of, basis_of, kept_shares, risks_of, window_paths
from forecasting.workflows.prepare import Promise

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECENT_DAYS = 365
"""Days whose jointly bad slices say which component makes a composite bad."""


class Simulation:
    """Paths of the parts of a fleet; the last ones are kept, because several objectives are judged on one part."""

    def __init__(
        self,
        fleet: Fleet,
        *,
        demand: Demand | None,
        effects: Sequence[LoadEffect] = (),
        extra: Extra | None = None,
        keep: int = 4,
    ) -> None:
        self.fleet, self.demand = fleet, demand
        self._effects, self._extra, self._keep = effects, extra, keep
        self._made: dict[Part, BadPaths] = {}

    def paths(self, part: Part) -> BadPaths:
        """Return the paths of a part."""
        found = self._made.pop(part, None)
        if found is None:
            found = simulate_part(self.fleet, part, demand=self.demand, effects=self._effects, extra=self._extra)
        self._made[part] = found
        while len(self._made) > self._keep:
            del self._made[next(iter(self._made))]
        return found


def missing_part(promise: Promise, fleet: Fleet) -> Excuse | None:
    """Return why a promise cannot be simulated; None where it can."""
    if promise.excuse is not None:
        return promise.excuse
    for one in promise.parts or (promise,):
        part = part_of(one.objective)
        if not fleet.has(part):
            return fleet.excuses.get(part) or Excuse(
                reason=f"{one.objective.name} was not prepared", what_would_help="a run that covers it"
            )
    return None


def promise_risks(
    promise: Promise, simulation: Simulation, *, windows_known: int, basis: str | None = None
) -> tuple[BreachRisk, ...] | Excuse:
    """Judge the coming windows of a promise.

    A composite of method Timeslices is simulated as the series of its jointly judged slices; one whose components are
    weighed on paths of its components in the same worlds, so that they fail together as often as they did.

    Parameters
    ----------
    promise : Promise
    simulation : Simulation
    windows_known : int
        Closed windows in the history behind the paths.
    basis : str or None
        Whose history it rests on; None = in the words of `basis_of`.

    Returns
    -------
    tuple of BreachRisk, or Excuse
        An excuse where there are no data, or too few.
    """
    excuse = missing_part(promise, simulation.fleet)
    if excuse is not None:
        return excuse
    if promise.parts:
        return _weighted(promise, simulation, windows_known, basis)
    fleet, part = simulation.fleet, part_of(promise.objective)
    paths = simulation.paths(part)
    said = basis_of(fleet, part, paths, simulation.demand) if basis is None else basis
    if promise.joint is not None and basis is None:
        said = "slices judged jointly, so that components fail together as they did; " + said
    risks = risks_of(promise, fleet, paths, windows_known=windows_known, basis=said, demand=simulation.demand)
    return risks if promise.joint is None else tuple(_by_component(promise, fleet, risk) for risk in risks)


def resources_of(promise: Promise, effects: Sequence[LoadEffect]) -> tuple[LoadEffect, ...]:
    """Return the loads that act on a promise, on any of its components where these are weighed."""
    return tuple(
        e
        for e in effects
        if any(e.acts_on(one.objective.service, _indicator(one)) for one in promise.parts or (promise,))
    )


def _indicator(promise: Promise) -> Indicator:
    return promise.objective.indicator


def _weighted(
    promise: Promise, simulation: Simulation, windows_known: int, basis: str | None
) -> tuple[BreachRisk, ...]:
    """Judge a composite whose components are weighed."""
    fleet, as_of = simulation.fleet, simulation.fleet.as_of
    so_far = attainments_of(promise, promise.coming, as_of=as_of)
    rests: list[list[ComponentRest]] = [[] for _ in promise.coming]
    said = []
    assert promise.components is not None
    for name, one in zip(_names(promise), promise.parts, strict=True):
        assert not isinstance(one.events, Excuse), "components without data have no paths"
        part = part_of(one.objective)
        paths = simulation.paths(part)
        kept = kept_shares(one, fleet, simulation.demand, paths.bad.shape[1])
        # The composite's validity is that of its components.
        judged = replace(one, objective=replace(one.objective, time=promise.objective.time))
        own = attainments(judged.objective, one.events, promise.coming, as_of=as_of)
        for k, attainment in enumerate(own):
            window = window_paths(judged, fleet, paths, attainment.period, kept)
            rests[k].append(
                ComponentRest(
                    name=name,
                    objective=judged.objective,
                    so_far=attainment,
                    rest=rest_of(judged.objective, attainment, window.paths),
                    share=None if window.forecast is None else window.share,
                    forecast=window.forecast,
                    member=window.member,
                )
            )
        said.append(f"{name}: {basis_of(fleet, part, paths, simulation.demand)}")
    words = "components simulated in the same worlds and weighed; " + "; ".join(said) if basis is None else basis
    return tuple(
        assess_weighted(
            promise.objective, promise.agreement, attainment, rest, windows_known=windows_known, basis=words
        )
        for attainment, rest in zip(so_far, rests, strict=True)
    )


def _names(promise: Promise) -> tuple[str, ...]:
    """Return the names of a composite's components, in its order."""
    components = getattr(promise.objective.indicator, "components", ())
    return tuple(c.objective for c in components)


def _by_component(promise: Promise, fleet: Fleet, risk: BreachRisk) -> BreachRisk:
    """Split the expected bad slices of a jointly judged composite among the components that make them bad.

    What is spent already by the slices of the window, what is to come by those of the last year; a slice that several
    made bad counts for each in equal parts.
    """
    assert promise.joint is not None
    events, now = promise.joint.events, np.datetime64(fleet.as_of.replace(tzinfo=None), "us")
    ended = events.ends <= now
    bad = ended & events.known & (events.total > events.good)
    begun = np.datetime64(risk.period.start.replace(tzinfo=None), "us")
    inside = bad & (events.starts >= begun)
    recent = bad & (events.starts >= now - np.timedelta64(RECENT_DAYS, "D"))
    spent = sum(c.share for c in risk.causes if c.name == "already spent")
    so_far, usual = (_split(promise.joint.bad, which) for which in (inside, recent))
    if not risk.causes or not (so_far or usual):
        return risk
    names = list(promise.joint.bad)
    shares = {
        name: spent * (so_far or usual).get(name, 0.0) + (1.0 - spent) * (usual or so_far).get(name, 0.0)
        for name in names
    }
    causes = [
        Cause(
            name=f"component {name}",
            share=share,
            evidence=f"it was bad in {int((promise.joint.bad[name] & inside).sum())} of the {int(inside.sum())} bad "
            f"slices of the window so far, and in {int((promise.joint.bad[name] & recent).sum())} of the "
            f"{int(recent.sum())} of the last {RECENT_DAYS} days",
        )
        for name, share in shares.items()
    ]
    return replace(risk, causes=tuple(sorted((c for c in causes if c.share > 1e-9), key=lambda c: -c.share)))


def _split(bad: Mapping[str, NDArray[np.bool_]], which: NDArray[np.bool_]) -> dict[str, float]:
    """Return which share of some bad slices each component made, empty where there is none."""
    together = np.sum([b[which] for b in bad.values()], axis=0)
    if not which.any() or not together.any():
        return {}
    parts = {name: float((b[which] / np.maximum(together, 1)).sum()) for name, b in bad.items()}
    whole = sum(parts.values())
    return {name: part / whole for name, part in parts.items()}
