"""The main job: from prepared data to the plan, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forecasting.early_warning.policy import build_warnings
from forecasting.history.calendar import zone_of
from forecasting.ports import Executor
from forecasting.proposals.base import Problem
from forecasting.proposals.build import build_proposal, is_opportunity, ranked
from forecasting.proposals.kinds import KINDS
from forecasting.service_levels.breach.bar import missed_on_paths
from forecasting.terms.breach import AlarmScore, BreachRisk, RiskScore
from forecasting.terms.capacity import Requirement
from forecasting.terms.diagnosis import Diagnosis
from forecasting.terms.errors import Excuse
from forecasting.terms.plan import ObjectiveOutlook, Plan, PortfolioOutlook, ServiceOutlook
from forecasting.terms.proposal import Proposal
from forecasting.terms.service_level import AttainmentStatus, Objective
from forecasting.workflows.capacity import LoadEffect, load_effects, requirements
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.demand import Demand, forecast_demand
from forecasting.workflows.diagnosis import diagnoses
from forecasting.workflows.horizon import base_case, with_effects
from forecasting.workflows.outlook import (
    Fleet,
    Part,
    build_fleet,
    known_history,
    part_of,
    past_windows,
    prepared_fleet,
    windows_known,
)
from forecasting.workflows.prepare import Prepared, Promise
from forecasting.workflows.problems import problems
from forecasting.workflows.replay import track_record

Progress = Callable[[str], None]
_KEPT_WINDOWS = 8


def silent(stage: str) -> None:
    """Show no progress."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outlooks:
    """Demand, capacity effects and risks of a run: what proposals and warnings are made from."""

    prepared: Prepared
    demand: Demand
    effects: tuple[LoadEffect, ...]
    effect_excuses: tuple[tuple[str, Excuse], ...]
    fleet: Fleet
    promises: tuple[tuple[Promise, ObjectiveOutlook], ...]


def outlooks(
    prepared: Prepared, *, executor: Executor, timer: Callable[[], float], progress: Progress = silent
) -> Outlooks:
    """Forecast demand and judge every promise."""
    progress("demand forecasts")
    plain = forecast_demand(prepared, executor=executor, timer=timer)
    return outlooks_of(prepared, with_effects(plain, base_case(prepared), prepared.settings.seed), executor, progress)


def outlooks_of(prepared: Prepared, demand: Demand, executor: Executor, progress: Progress = silent) -> Outlooks:
    """Judge every promise on given forecasts."""
    progress("breach risk")
    effects, excuses = load_effects(prepared)
    fleet = prepared_fleet(prepared, executor)
    drivers = diagnoses(prepared, fleet)
    return Outlooks(
        prepared=prepared,
        demand=demand,
        effects=effects,
        effect_excuses=excuses,
        fleet=fleet,
        promises=_judged(prepared, Simulation(fleet, demand=demand, effects=effects), drivers),
    )


def _judged(
    prepared: Prepared, simulation: Simulation, drivers: Mapping[Part, Diagnosis]
) -> tuple[tuple[Promise, ObjectiveOutlook], ...]:
    """Judge every promise; those on one part one after the other, so that it is simulated once."""
    order = sorted(range(len(prepared.promises)), key=lambda k: part_of(prepared.promises[k].objective))
    found = {k: _outlook(prepared.promises[k], prepared, simulation, drivers) for k in order}
    return tuple((promise, found[k]) for k, promise in enumerate(prepared.promises))


def _outlook(
    promise: Promise, prepared: Prepared, simulation: Simulation, drivers: Mapping[Part, Diagnosis]
) -> ObjectiveOutlook:
    part = part_of(promise.objective)
    past = past_windows(promise, as_of=prepared.as_of)
    made = promise_risks(promise, simulation, windows_known=windows_known(promise, as_of=prepared.as_of))
    risks, excuse = ((), made) if isinstance(made, Excuse) else (made, None)
    found = drivers.get(part) if promise.agreement is not None else None
    return ObjectiveOutlook(
        agreement=promise.agreement,
        objective=promise.objective,
        attainments=past[-_KEPT_WINDOWS - 1 :],
        risks=risks,
        excuse=excuse,
        drivers=found.relations if found else (),
        drivers_declined=found.declined if found else (),
    )


def portfolio(run: Outlooks) -> tuple[PortfolioOutlook, ...]:
    """Return the joint outlook of all agreements per window label, from the joint paths."""
    by_label: dict[str, list[tuple[BreachRisk, Promise]]] = {}
    for promise, outlook in run.promises:
        if promise.agreement is None:
            continue
        for risk in outlook.risks:
            by_label.setdefault(risk.period.label, []).append((risk, promise))
    joint = []
    for _, members in sorted(by_label.items(), key=lambda item: (item[1][0][0].period.start, item[0])):
        risks = [r for r, _ in members]
        missed = np.sum([_missed(r, p.objective) for r, p in members], axis=0)
        costs = np.sum([r.cost_paths for r in risks if r.cost_paths is not None], axis=0)
        joint.append(
            PortfolioOutlook(
                period=risks[0].period,
                agreements=len({r.agreement for r in risks}),
                probability_all_met=_all_met(risks, missed),
                expected_misses=float(missed.mean()),
                misses_p90=float(np.quantile(missed, 0.9)),
                expected_credit=sum(r.expected_credit for r in risks),
                expected_loss=sum(r.expected_loss for r in risks),
                loss_p95=float(np.quantile(costs, 0.95)),
                currency=run.prepared.currency,
            )
        )
    return tuple(joint)


def _all_met(risks: Sequence[BreachRisk], missed: NDArray[np.int64]) -> float:
    """Return P(all met) by the rule of `BreachRisk.probability`: exactly 0 or 1 only where arithmetic has decided."""
    if all(r.decided for r in risks) or any(r.decided and r.probability >= 1 for r in risks):
        return float(all(r.probability <= 0 for r in risks))
    return (1 + int((missed == 0).sum())) / (len(missed) + 2)


def _missed(risk: BreachRisk, objective: Objective) -> NDArray[np.bool_]:
    """Return on which paths a window is missed; of one that is decided, on all or none."""
    if risk.decided:
        return np.full(len(risk.attainment_paths), risk.probability >= 1, dtype=np.bool_)
    return missed_on_paths(objective, risk.attainment_paths)


Depth = Literal["attainment", "demand", "risk", "proposals", "full"]
"""How far the chain is computed; each stage needs those before it."""
_ORDER: tuple[Depth, ...] = ("attainment", "demand", "risk", "proposals", "full")


def make_plan(
    prepared: Prepared,
    *,
    executor: Executor,
    timer: Callable[[], float],
    previous: Mapping[str, float],
    depth: Depth = "full",
    progress: Progress = silent,
) -> Plan:
    """Compute the plan, or as much of it as is asked for.

    Parameters
    ----------
    prepared : Prepared
    executor : Executor
        Where the forecasts are computed.
    timer : callable
        CPU seconds, a module-level function.
    previous : mapping of str to float
        P(breach) of the last run by warning identity, for hysteresis.
    depth : str
        ``attainment`` reads only the past; ``demand`` adds forecasts; ``risk`` adds breach risk; ``proposals`` adds
        capacity and proposals; ``full`` adds the track record and early warnings.
    progress : callable
        Told the name of each stage as it begins.
    """
    rank = _ORDER.index(depth)
    if rank >= _ORDER.index("risk"):
        run = outlooks(prepared, executor=executor, timer=timer, progress=progress)
    else:
        progress("attainment" if depth == "attainment" else "demand forecasts")
        run = _past_only(
            prepared,
            Demand(forecasts={})
            if depth == "attainment"
            else with_effects(
                forecast_demand(prepared, executor=executor, timer=timer),
                base_case(prepared),
                prepared.settings.seed,
            ),
        )
    needs: tuple[Requirement, ...] = ()
    need_excuses: tuple[tuple[str, Excuse], ...] = ()
    proposals: tuple[Proposal, ...] = ()
    if rank >= _ORDER.index("proposals"):
        progress("capacity")
        needs, need_excuses = requirements(prepared, run.demand, run.effects)
        progress("proposals")
        proposals = ranked(
            _proposals(problems(run, needs)),
            today=prepared.as_of.astimezone(zone_of(prepared.zone)).date(),
        )
    score: RiskScore | None = None
    alarms: AlarmScore | None = None
    if depth == "full":
        progress("track record")
        record = track_record(prepared)
        score = None if isinstance(record.score, Excuse) else record.score
        alarms = record.alarms
    services = _services(run, proposals)
    first, last = known_history(prepared.history)
    return Plan(
        organisation=prepared.organisation,
        manifest=prepared.manifest,
        as_of=prepared.as_of,
        horizon_end=prepared.horizon_end,
        currency=prepared.currency,
        services=services,
        portfolio=portfolio(run),
        requirements=needs,
        capacity_excuses=(*need_excuses, *((f"{name} (response curve)", e) for name, e in run.effect_excuses)),
        proposals=proposals,
        warnings=build_warnings(
            services,
            proposals,
            as_of=prepared.as_of,
            warn_at=prepared.settings.warn_at,
            previous=previous,
            track_record=score,
            customers=prepared.catalogue.customers,
        ),
        risk_score=score,
        alarm_score=alarms,
        assumptions=_assumptions(run),
        data_first=first,
        data_last=last,
    )


def _proposals(found: Sequence[Problem]) -> list[Proposal]:
    """Return a proposal for each problem; where there might be an opportunity, only if there is one."""
    made = [build_proposal(p, KINDS) for p in found]
    return [m for m, p in zip(made, found, strict=True) if p.aim in {"risk", "shortage"} or is_opportunity(m)]


def _past_only(prepared: Prepared, demand: Demand) -> Outlooks:
    """Return outlooks without any statement about the future."""
    return Outlooks(
        prepared=prepared,
        demand=demand,
        effects=(),
        effect_excuses=(),
        fleet=build_fleet(
            (),
            prepared.catalogue,
            as_of=prepared.as_of,
            until=prepared.horizon_end,
            settings=prepared.settings,
            paths=1,
        ),
        promises=tuple(
            (
                p,
                ObjectiveOutlook(
                    agreement=p.agreement,
                    objective=p.objective,
                    attainments=past_windows(p, as_of=prepared.as_of),
                    risks=(),
                    excuse=p.excuse,
                ),
            )
            for p in prepared.promises
        ),
    )


def _services(run: Outlooks, proposals: Sequence[Proposal]) -> tuple[ServiceOutlook, ...]:
    prepared = run.prepared
    found = []
    for name, service in sorted(prepared.catalogue.services.items()):
        driver = prepared.catalogue.drivers.get(name)
        answer = run.demand.forecasts.get((name, driver.metric)) if driver else None
        forecast = None if isinstance(answer, Excuse) else answer
        objectives = tuple(o for p, o in run.promises if p.objective.service == name)
        found.append(
            ServiceOutlook(
                service=service,
                demand=prepared.daily.get((name, driver.metric)) if driver else None,
                forecast=forecast,
                choice=forecast.choice if forecast else None,
                objectives=objectives,
                quality=tuple(q for q in prepared.quality if q.service == name),
                recommendation=_recommendation(name, objectives, proposals),
                excuse=answer if isinstance(answer, Excuse) else _no_driver(name) if driver is None else None,
            )
        )
    return tuple(found)


def _no_driver(name: str) -> Excuse:
    return Excuse(
        reason=f"{name} has no demand driver in the catalogue", what_would_help="a DemandDriver document for it"
    )


def _recommendation(name: str, objectives: Sequence[ObjectiveOutlook], proposals: Sequence[Proposal]) -> str:
    """Say in one sentence what to do about a service."""
    own = [p for p in proposals if p.service == name]
    act = [p for p in own if p.recommendation.kind != "accept_risk"]
    if act:
        return f"{act[0].recommendation.label} (proposal {act[0].id})."
    if own:
        worst = max(own, key=lambda p: p.probability_now)
        window = worst.period.label if worst.period else "the horizon"
        return f"Accept the risk: P(miss) is {worst.probability_now:.0%} in {window}, and no option is worth its cost."
    if not objectives:
        return "Nothing is promised for this service: agree on a target or retire it from the catalogue."
    if all(o.excuse is not None for o in objectives):
        return "No statement is possible; see what is missing."
    return "No action: every coming window is expected to be met."


def _assumptions(run: Outlooks) -> tuple[str, ...]:
    settings = run.prepared.settings
    found = [
        "The past's storms, outages and good weeks come again in blocks of about "
        f"{settings.mean_block_days:g} days, on the weekdays they fell on, for all services together.",
        "The recent level of bad events carries on as far as it did in the past; its uncertainty is in the paths.",
        "Demand follows the chosen models; errors behave like those of the back-test.",
        "Prices, fees, credits and losses are those of the catalogue.",
    ]
    if run.effects:
        found.append("Where a response curve was found, a busier day is a worse day to the extent the curve says.")
    undetermined = [
        f"{o.objective.name} {a.period.label}"
        for _, o in run.promises
        for a in o.attainments
        if a.status is AttainmentStatus.UNDETERMINED
    ]
    if undetermined:
        found.append(f"{len(undetermined)} past windows stay undetermined for missing data and count neither way.")
    return tuple(found)
