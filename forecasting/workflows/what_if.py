"""A scenario beside the base case: every resource, limit and promise before and after, on the same paths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from forecasting.capacity.cost import cost_of_units
from forecasting.capacity.lead_time import as_one_lead
from forecasting.history.calendar import zone_of
from forecasting.ports import Executor
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Resource, ResponseCurveModel
from forecasting.terms.errors import Excuse
from forecasting.terms.scenario import DriverEffect, ResourceEffect, Scenario, Signpost
from forecasting.terms.service_level import RollingWindow
from forecasting.terms.what_if import DriverSwing, LimitShift, Outcome, PromiseShift, ResourceShift, WhatIf
from forecasting.workflows.capacity import LoadEffect, assess_resource, load_effects
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.demand import Demand, forecast_demand
from forecasting.workflows.fleet import part_of
from forecasting.workflows.horizon import InForce, base_case, scenario_case, with_effects
from forecasting.workflows.outlook import prepared_fleet, windows_known
from forecasting.workflows.prepare import Prepared, Promise

Answers = dict[str, "Requirement | Excuse"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Case:
    """The forecasts of one case and what follows from them."""

    force: InForce
    demand: Demand
    needs: Answers
    limits: Answers
    risks: dict[tuple[str, str, str], tuple[BreachRisk, ...] | Excuse]


def what_if(
    prepared: Prepared,
    scenario: Scenario,
    *,
    executor: Executor,
    timer: Callable[[], float],
    progress: Callable[[str], None],
    tornado: bool = True,
) -> WhatIf:
    """Return what a scenario changes against the base case.

    Parameters
    ----------
    prepared : Prepared
    scenario : Scenario
    executor : Executor
    timer : callable
        CPU seconds, a module-level function.
    progress : callable
        Told the name of each stage as it begins.
    tornado : bool
        Whether each driver is looked at alone.

    Raises
    ------
    InputError
        For a driver that is not in the register, or an effect that means nothing.
    """
    progress("demand forecasts")
    plain = forecast_demand(prepared, executor=executor, timer=timer)
    effects, _ = load_effects(prepared)
    fleet = prepared_fleet(prepared, executor)
    forces = (base_case(prepared), scenario_case(prepared, scenario))
    made = []
    for name, force in zip(("base case", scenario.name), forces, strict=True):
        progress(name)
        demand = with_effects(plain, force, prepared.settings.seed)
        simulation = Simulation(fleet, demand=demand, effects=effects)
        order = sorted(prepared.promises, key=lambda p: part_of(p.objective))
        made.append(
            _Case(
                force=force,
                demand=demand,
                needs={r.name: assess_resource(r, prepared, demand, effects) for r in prepared.catalogue.resources},
                limits={
                    _limit_name(p): assess_resource(limit, prepared, demand, ())
                    for p in prepared.promises
                    if (limit := limit_resource(p)) is not None
                },
                risks={p.key: _risks(p, simulation, prepared) for p in order},
            )
        )
    before, after = made
    progress("drivers one at a time")
    swings = _tornado(prepared, plain, scenario, forces[1], effects, after.needs) if tornado else ()
    promises = tuple(m for p in prepared.promises if (m := _promise(p, before, after)) is not None)
    return WhatIf(
        name=scenario.name,
        as_of=prepared.as_of,
        horizon_end=prepared.horizon_end,
        currency=prepared.currency,
        statements=_statements(prepared, scenario),
        base_drivers=forces[0].drivers,
        left_out=tuple(dict.fromkeys((*forces[0].left_out, *forces[1].left_out))),
        resources=tuple(
            shift for r in prepared.catalogue.resources if (shift := _resource(r, prepared, before, after)) is not None
        ),
        limits=tuple(found for p in prepared.promises if (found := _limit(p, before, after)) is not None),
        promises=promises,
        tornado=swings,
        expected_cost_before=sum(p.expected_cost_before for p in promises if p.agreement is not None),
        expected_cost_after=sum(p.expected_cost_after for p in promises if p.agreement is not None),
        signposts=tuple(
            (d.id, s.statement, signpost_state(s, prepared))
            for d in prepared.catalogue.horizon_drivers
            if d.id in forces[1].drivers
            for s in d.signposts
        ),
        excuses=_excuses(after),
    )


def _risks(promise: Promise, simulation: Simulation, prepared: Prepared) -> tuple[BreachRisk, ...] | Excuse:
    if not promise.coming:
        return Excuse(reason="no coming window", what_would_help="an agreement that goes on")
    return promise_risks(promise, simulation, windows_known=windows_known(promise, as_of=prepared.as_of))


def limit_resource(promise: Promise) -> Resource | None:
    """Return a workload limit as a resource that demand may pass; None without one."""
    objective = promise.objective
    if objective.workload_metric is None or objective.workload_limit is None:
        return None
    return Resource(
        name=_limit_name(promise),
        services=(objective.service,),
        metric_service=objective.service,
        metric=objective.workload_metric,
        model=ResponseCurveModel(good=None, bad=None, total=""),
        unit="a slice",
        units_now=Decimal(str(objective.workload_limit)),
    )


def _limit_name(promise: Promise) -> str:
    return f"workload limit of {promise.objective.name}" + (f" in {promise.agreement.id}" if promise.agreement else "")


def _outcome(need: Requirement, resource: Resource, prepared: Prepared) -> Outcome:
    """Return the figures of one case, with the cost of what is missing."""
    added = max(Decimal(str(need.required_p90)) - resource.units_now, Decimal(0))
    today = prepared.as_of.astimezone(zone_of(prepared.catalogue.services[need.service].zone)).date()
    until = need.horizon_end.astimezone(zone_of(prepared.catalogue.services[need.service].zone)).date()
    cost = monthly = 0.0
    if added > 0:
        ordered = min(max(today, need.order_by or today), until)
        bill = cost_of_units(as_one_lead(replace(resource, max_units=None)), added, ordered=ordered, until=until)
        if not isinstance(bill, Excuse):
            cost, monthly = float(bill.total), float(bill.opex_per_month)
    return Outcome(
        probability_exhausted=need.probability_exhausted,
        use_p90=need.use_p90,
        required_p90=need.required_p90,
        exhaustion_p10=need.exhaustion_p10,
        exhaustion_p50=need.exhaustion_p50,
        order_by=need.order_by,
        decide_by=need.decide_by,
        added_units=float(added),
        cost_of_added=cost,
        monthly_cost_of_added=monthly,
    )


def _resource(resource: Resource, prepared: Prepared, before: _Case, after: _Case) -> ResourceShift | None:
    was, now = before.needs[resource.name], after.needs[resource.name]
    if isinstance(was, Excuse) or isinstance(now, Excuse):
        return None
    return ResourceShift(
        resource=resource.name,
        service=was.service,
        unit=resource.unit,
        currency=resource.currency,
        units_now=float(resource.units_now),
        before=_outcome(was, resource, prepared),
        after=_outcome(now, resource, prepared),
    )


def _limit(promise: Promise, before: _Case, after: _Case) -> LimitShift | None:
    name, objective = _limit_name(promise), promise.objective
    was, now = before.limits.get(name), after.limits.get(name)
    if not isinstance(was, Requirement) or not isinstance(now, Requirement):
        return None
    assert objective.workload_metric is not None
    assert objective.workload_limit is not None
    return LimitShift(
        service=objective.service,
        objective=objective.name,
        agreement=promise.agreement.id if promise.agreement else None,
        metric=objective.workload_metric,
        limit=float(objective.workload_limit),
        probability_before=was.probability_exhausted,
        probability_after=now.probability_exhausted,
        peak_p90_before=was.use_p90,
        peak_p90_after=now.use_p90,
    )


def _promise(promise: Promise, before: _Case, after: _Case) -> PromiseShift | None:
    was, now = before.risks[promise.key], after.risks[promise.key]
    if isinstance(was, Excuse) or isinstance(now, Excuse):
        return None
    worst = max(range(len(now)), key=lambda k: (not now[k].decided, now[k].probability))
    return PromiseShift(
        service=promise.objective.service,
        objective=promise.objective.name,
        agreement=promise.agreement.id if promise.agreement else None,
        period=now[worst].period.label,
        probability_before=was[worst].probability,
        probability_after=now[worst].probability,
        expected_cost_before=_cost(promise, was),
        expected_cost_after=_cost(promise, now),
    )


def _cost(promise: Promise, risks: Sequence[BreachRisk]) -> float:
    """Return expected credits and losses; of a rolling window the running instance overlaps the next one."""
    rolling = isinstance(promise.objective.window, RollingWindow) and len(risks) > 1
    return float(sum(r.expected_credit + r.expected_loss for r in (risks[1:] if rolling else risks)))


def _tornado(
    prepared: Prepared,
    plain: Demand,
    scenario: Scenario,
    force: InForce,
    effects: Sequence[LoadEffect],
    needs: Answers,
) -> tuple[DriverSwing, ...]:
    """Leave out each driver alone, and assess the resources it touches again; largest swing first."""
    found = []
    names = dict.fromkeys((*(e.driver for e in force.effects), *(e.driver for e in force.resource_effects)))
    for name in names:
        rest = replace(
            force,
            effects=tuple(e for e in force.effects if e.driver != name),
            resource_effects=tuple(e for e in force.resource_effects if e.driver != name),
        )
        touched = {(e.service, e.metric) for e in force.effects if e.driver == name}
        resources = {e.resource for e in force.resource_effects if e.driver == name}
        demand = with_effects(plain, rest, prepared.settings.seed)
        for resource in prepared.catalogue.resources:
            if (resource.metric_service, resource.metric) not in touched and resource.name not in resources:
                continue
            without, with_it = assess_resource(resource, prepared, demand, tuple(effects)), needs[resource.name]
            if isinstance(without, Excuse) or isinstance(with_it, Excuse):
                continue
            then, now = without.exhaustion_p50, with_it.exhaustion_p50
            found.append(
                DriverSwing(
                    driver=name,
                    resource=resource.name,
                    unit=resource.unit,
                    required_without=without.required_p90,
                    required_with=with_it.required_p90,
                    exhaustion_without=then,
                    exhaustion_with=now,
                    days_sooner=(then - now).days if then is not None and now is not None else None,
                )
            )

    def size(swing: DriverSwing) -> tuple[float, int, str, str]:
        whole = max(swing.required_without, swing.required_with, 1e-9)
        relative = abs(swing.required_with - swing.required_without) / whole
        return -relative, -abs(swing.days_sooner or 0), swing.driver, swing.resource

    return tuple(sorted(found, key=size))


def _statements(prepared: Prepared, scenario: Scenario) -> tuple[str, ...]:
    """Return what happens in a scenario, in words."""
    known = {d.id: d for d in prepared.catalogue.horizon_drivers}
    said = [known[name].statement or name for name in scenario.drivers]
    said += [f"without {name}: {known[name].statement}" for name in scenario.without]
    first: dict[str, DriverEffect | ResourceEffect] = {}
    acting: list[DriverEffect | ResourceEffect] = [*scenario.effects, *scenario.resource_effects]
    for effect in acting:
        first.setdefault(effect.driver, effect)  # what follows from it on other series of the service goes unsaid
    said += [e.statement or effect_words(e) for e in first.values()]
    return tuple(dict.fromkeys(said))


def effect_words(effect: DriverEffect | ResourceEffect) -> str:
    """Return an effect in words.

    Examples
    --------
    >>> effect_words(DriverEffect(driver="campaign", service="shop", metric="rps", kind="multiplier",
    ...     start=date(2027, 3, 1), low=2.0, mode=2.0, high=2.0, end=date(2027, 3, 8)))
    'rps of shop × 2 from 2027-03-01 until 2027-03-07'
    """
    size = f"{effect.mode:g}" if effect.low == effect.high else f"{effect.low:g} to {effect.high:g}"
    sign = "×" if effect.kind.endswith("multiplier") else "+"
    if isinstance(effect, DriverEffect):
        what = f"{effect.metric} of {effect.service} {sign} {size}" + (" a day" if effect.kind == "trend" else "")
    else:
        names = {
            "price_multiplier": "price", "units_multiplier": "units", "units_step": "units",
            "lead_time_multiplier": "lead time", "usable_multiplier": "usable share",
        }  # fmt: skip
        what = f"{names[effect.kind]} of {effect.resource} {sign} {size}"
    last = "" if effect.end is None else f" until {date.fromordinal(effect.end.toordinal() - 1)}"
    odds = "" if effect.likelihood == 1 else f" with {effect.likelihood:.0%}"
    return f"{what} from {effect.start}{last}{odds}"


def signpost_state(post: Signpost, prepared: Prepared) -> str:
    """Return how a signpost stands at the cut-off, in words."""
    if not post.metric:
        return "somebody has to look" + (f" by {post.due}" if post.due else "")
    series = prepared.daily.get((post.service, post.metric))
    values = np.array([]) if series is None else series.values[-28:][np.isfinite(series.values[-28:])]
    if len(values) == 0:
        return f"no data of {post.metric} for {post.service} in the last 28 days"
    mean = float(values.mean())
    passed = (post.above is not None and mean > post.above) or (post.below is not None and mean < post.below)
    bar = (
        f"above {post.above:g}" if post.above is not None else f"below {post.below:g}" if post.below is not None else ""
    )
    return f"{'CONFIRMED' if passed else 'not yet'}: mean of the last 28 days {mean:.4g}, sign is {bar}"


def _excuses(case: _Case) -> tuple[tuple[str, str], ...]:
    found = [(name, a.reason) for name, a in (*case.needs.items(), *case.limits.items()) if isinstance(a, Excuse)]
    found += [(" ".join(x for x in key if x), a.reason) for key, a in case.risks.items() if isinstance(a, Excuse)]
    return tuple(found)
