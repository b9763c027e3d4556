"""What asks for a decision: objectives at risk, resources that run out, and resources of which there is too much."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from forecasting.proposals.base import Change, Problem, money
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Catalogue, Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.measure import Measure
from forecasting.terms.plan import ObjectiveOutlook
from forecasting.terms.service_level import AttainmentStatus
from forecasting.workflows.changes import changed_demand, reassessed
from forecasting.workflows.composite_risk import Simulation, promise_risks, resources_of
from forecasting.workflows.fleet import part_of
from forecasting.workflows.give_back import GivingBack
from forecasting.workflows.outlook import windows_known
from forecasting.workflows.prepare import Promise

if TYPE_CHECKING:
    from forecasting.workflows.plan import Outlooks


def problems(run: Outlooks, needs: Sequence[Requirement]) -> list[Problem]:
    """Return what asks for a decision, largest loss first; what could be given back comes last."""
    found = [*_at_risk(run), *_short(run, needs)]
    found.sort(key=lambda p: (-_at_stake(p), -p.probability, p.service))
    return [*found, *_spare(run, needs)]


def _at_risk(run: Outlooks) -> list[Problem]:
    """Return the objectives with a window that may be missed."""
    prepared, settings = run.prepared, run.prepared.settings
    found: list[Problem] = []
    for promise, outlook in run.promises:
        open_risks = [r for r in outlook.risks if not r.decided]
        if not open_risks or max(r.probability for r in open_risks) < settings.act_at:
            continue
        if promise.agreement is None and any(
            o.agreement is not None and part_of(o.objective) == part_of(promise.objective) for _, o in run.promises
        ):
            continue  # the agreement on the same indicator asks for the decision
        service = promise.objective.service
        found.append(
            Problem(
                service=service,
                objective=promise.objective,
                agreement=promise.agreement,
                risks=outlook.risks,
                resources=tuple(e.resource for e in resources_of(promise, run.effects)),
                requirement=None,
                as_of=prepared.as_of,
                horizon_end=max(r.period.end for r in outlook.risks),
                zone=promise.objective.window.zone,
                currency=prepared.currency,
                past_missed=_past_missed(outlook),
                resimulate=_resimulator(run, promise),
                reassess=_no_reassess,
                measures=_measures(prepared.catalogue, service, None),
                dependents=_dependents(prepared.catalogue, service),
                drivers=_drivers(prepared.catalogue, service, None),
                discount_rate=settings.discount_rate,
                serves=_serving(prepared.catalogue, service),
            )
        )
    return found


def _short(run: Outlooks, needs: Sequence[Requirement]) -> list[Problem]:
    """Return the resources whose usable limit may be passed."""
    return [
        _of_resource(run, need, "shortage")
        for need in needs
        if need.probability_exhausted >= run.prepared.settings.act_at
    ]


def _spare(run: Outlooks, needs: Sequence[Requirement]) -> list[Problem]:
    """Return the resources that cost something and of which more is in place than is needed now and at the horizon."""
    found = []
    for need in needs:
        resource = _resource(run.prepared.catalogue, need.resource)
        if resource.cost_per_unit_month <= 0 or need.probability_exhausted >= run.prepared.settings.act_at:
            continue
        spare = float(need.units_now) - need.required_p90 - float(resource.redundant_units)
        if spare >= 2 * float(resource.step_units):
            found.append(_of_resource(run, need, "reclaim"))
    return found


def _of_resource(run: Outlooks, need: Requirement, aim: str) -> Problem:
    prepared, catalogue = run.prepared, run.prepared.catalogue
    resource = _resource(catalogue, need.resource)
    return Problem(
        service=need.service,
        objective=None,
        agreement=None,
        risks=(),
        resources=(resource,),
        requirement=need,
        as_of=prepared.as_of,
        horizon_end=need.horizon_end,
        zone=catalogue.services[need.service].zone,
        currency=prepared.currency,
        past_missed=None,
        resimulate=_no_resimulation,
        reassess=_reassessor(run),
        priced_elsewhere=any(
            e.resource.name == resource.name and e.acts_on(p.objective.service, p.objective.indicator)
            for e in run.effects
            for p, _ in run.promises
            if p.agreement is not None
        ),
        paths=prepared.settings.paths,
        aim="reclaim" if aim == "reclaim" else "shortage",
        measures=_measures(catalogue, need.service, resource),
        dependents=_dependents(catalogue, need.service),
        drivers=_drivers(catalogue, need.service, resource),
        discount_rate=prepared.settings.discount_rate,
        give_back=GivingBack(run) if aim == "reclaim" else None,
        serves=(resource,),
    )


def _resource(catalogue: Catalogue, name: str) -> Resource:
    return next(r for r in catalogue.resources if r.name == name)


def _measures(catalogue: Catalogue, service: str, resource: Resource | None) -> tuple[Measure, ...]:
    """Return the measures that act on a resource, or on a service."""
    if resource is not None:
        return tuple(m for m in catalogue.measures if m.resource == resource.name)
    return tuple(m for m in catalogue.measures if service in m.services)


def _dependents(catalogue: Catalogue, service: str) -> tuple[str, ...]:
    return tuple(sorted(s.name for s in catalogue.services.values() if service in s.depends_on))


def _serving(catalogue: Catalogue, service: str) -> tuple[Resource, ...]:
    return tuple(r for r in catalogue.resources if service in r.services)


def _drivers(catalogue: Catalogue, service: str, resource: Resource | None) -> tuple[str, ...]:
    """Return the drivers of the register that act on a resource or its use, or on a service."""
    found = []
    for driver in catalogue.horizon_drivers:
        if driver.status == "retired":
            continue
        if resource is None:
            acts = service in driver.services or any(e.service == service for e in driver.effects)
        else:
            acts = any(r.resource == resource.name for r in driver.resource_effects) or any(
                (e.service, e.metric) == (resource.metric_service, resource.metric) for e in driver.effects
            )
        if acts:
            found.append(driver.id)
    return tuple(found)


def _past_missed(outlook: ObjectiveOutlook) -> float | None:
    """Return the share of judged past windows that were missed."""
    judged = [
        a.status is AttainmentStatus.BREACHED
        for a in outlook.attainments
        if (a.final or a.provisional) and a.status in (AttainmentStatus.MET, AttainmentStatus.BREACHED)
    ]
    return sum(judged) / len(judged) if judged else None


def _at_stake(problem: Problem) -> float:
    return sum(money(problem.risks, problem))


def _resimulator(run: Outlooks, promise: Promise) -> Callable[[Change], tuple[BreachRisk, ...] | Excuse]:
    # All past windows, not only those kept for display: the interval is to be that of the risk without the change.
    known = windows_known(promise, as_of=run.prepared.as_of)

    def resimulate(change: Change) -> tuple[BreachRisk, ...] | Excuse:
        simulation = Simulation(
            run.fleet,
            demand=changed_demand(run.demand, change, run.prepared.catalogue),
            effects=run.effects,
            extra=change,
        )
        return promise_risks(promise, simulation, windows_known=known, basis="re-simulated on the same paths")

    return resimulate


def _reassessor(run: Outlooks) -> Callable[[Change], Requirement | Excuse]:
    def reassess(change: Change) -> Requirement | Excuse:
        return reassessed(change, run.prepared, run.demand, run.effects)

    return reassess


def _no_reassess(change: Change) -> Excuse:
    return Excuse(reason="no resource is the problem here", what_would_help="ask for the resource's own proposal")


def _no_resimulation(change: Change) -> Excuse:
    name = change.resource.name if change.resource else "it"
    return Excuse(reason=f"no objective depends on {name} here", what_would_help="a response curve")
