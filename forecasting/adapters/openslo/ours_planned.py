"""Resources, measures, horizon drivers and scenarios as forecasting/v1 documents."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from forecasting.adapters.openslo.durations import shorthand_of
from forecasting.adapters.openslo.ours_plain import Plain, day, document, exact, kept, length, percent
from forecasting.terms.catalogue import (
    BacklogModel,
    CapacityModel,
    Catalogue,
    ErlangAModel,
    ErlangBModel,
    ErlangCModel,
    GrowingStockModel,
    QueueModel,
    RedundancyModel,
    Resource,
    ResponseCurveModel,
    ScalabilityModel,
    StaffingModel,
)
from forecasting.terms.measure import Measure
from forecasting.terms.scenario import DriverEffect, DriverOutcome, HorizonDriver, ResourceEffect, Scenario, Signpost

_EFFECT: Final[dict[str, str]] = {
    "tune": "badMultiplier",
    "shift_demand": "peakMultiplier",
    "shape_demand": "demandMultiplier",
    "add_redundancy": "badMultiplier",
}
"""Field that a measure of the kind has even where it changes nothing."""


def resource_documents(catalogue: Catalogue) -> list[Plain]:
    """Return a document for each resource."""
    return [document("Resource", one.name, _resource(one)) for one in catalogue.resources]


def change_documents(catalogue: Catalogue) -> list[Plain]:
    """Return what may happen and what could be done: horizon drivers, scenarios, measures."""
    return [
        *(document("HorizonDriver", one.id, _driver(one)) for one in catalogue.horizon_drivers),
        *(document("Scenario", one.name, _scenario(one)) for one in catalogue.scenarios),
        *(document("Measure", one.name, _measure(one)) for one in catalogue.measures),
    ]


def _resource(resource: Resource) -> Plain:
    """Return the spec of a Resource."""
    steps: list[Plain] = [
        {"name": step.name, "low": shorthand_of(step.low), "mode": shorthand_of(step.mode)}
        | {"high": shorthand_of(step.high)}
        | ({"beforeOrder": True} if step.before_order else {})
        for step in resource.lead_steps
    ]
    return kept(
        {
            "description": resource.description,
            "services": list(resource.services),
            "use": {"service": resource.metric_service, "metric": resource.metric},
            "unit": resource.unit,
            "unitsNow": resource.units_now,
            "perUnit": resource.per_unit,
            "usablePercent": percent(resource.usable_share),
            "stepUnits": resource.step_units,
            "maxUnits": resource.max_units,
            "redundantUnits": resource.redundant_units or None,
            "minUnits": resource.min_units or None,
            "model": {"kind": resource.model.kind, **_model(resource.model)},
            "capexPerUnit": resource.capex_per_unit,
            "orderCost": resource.order_cost or None,
            "costPerUnitMonth": resource.cost_per_unit_month,
            "leaseMonths": resource.lease_months or None,
            "kwhPerUnitMonth": resource.kwh_per_unit_month or None,
            "co2KgPerUnitMonth": resource.co2_kg_per_unit_month or None,
            "currency": resource.currency,
            "priceDate": day(resource.price_date),
            "leadTime": length(resource.lead_time),
            "leadSteps": steps,
        }
    )


def _model(model: CapacityModel) -> Plain:
    """Return the fields of a capacity model beside its kind."""
    match model:
        case ErlangCModel() | ErlangAModel() | StaffingModel():
            calls: Plain = {
                "handlingTimeSeconds": model.handling_time_s,
                "answerWithinSeconds": model.answer_within_s,
                "targetPercent": percent(model.target),
                "intervalMinutes": model.interval_minutes,
                "patienceSeconds": None if isinstance(model, ErlangCModel) else model.patience_s,
                "occupancyLimitPercent": None if model.occupancy_limit is None else percent(model.occupancy_limit),
                "shrinkagePercent": percent(model.shrinkage) if model.shrinkage else None,
            }
            return kept(calls)
        case ErlangBModel():
            lost: Plain = {"holdingTimeSeconds": model.holding_time_s, "targetPercent": percent(model.target)}
            return {**lost, "intervalMinutes": model.interval_minutes}
        case QueueModel():
            return {
                "serviceTimeSeconds": model.service_time_s,
                "withinSeconds": model.within_s,
                "targetPercent": percent(model.target),
                "arrivalCv": model.arrival_cv,
                "serviceCv": model.service_cv,
                "intervalMinutes": model.interval_minutes,
            }
        case ScalabilityModel():
            fitted: Plain = {"unitsMetric": model.units_metric, "throughputMetric": model.throughput_metric}
            return kept({"gamma": model.gamma, "alpha": model.alpha, "beta": model.beta, **fitted})
        case RedundancyModel():
            up: Plain = {"unitAvailabilityPercent": percent(model.unit_availability)}
            up |= {"targetPercent": percent(model.target), "domains": model.domains}
            return up | ({"commonCausePercent": percent(model.common_cause)} if model.common_cause else {})
        case BacklogModel():
            waits: Plain = {"within": shorthand_of(model.within), "targetPercent": percent(model.target)}
            return kept({**waits, "calendar": model.calendar})
        case ResponseCurveModel():
            return kept({"good": model.good, "bad": model.bad, "total": model.total})
        case GrowingStockModel():
            return {}


def _measure(measure: Measure) -> Plain:
    """Return the spec of a Measure."""
    factors = {
        "demandMultiplier": measure.demand_multiplier,
        "peakMultiplier": measure.peak_multiplier,
        "perUnitMultiplier": measure.per_unit_multiplier,
        "badMultiplier": measure.bad_multiplier,
    }
    said = {key: factor for key, factor in factors.items() if factor != 1}
    if measure.bad_multiplier_low is not None:
        said["badMultiplier"] = measure.bad_multiplier
    elif not said and measure.kind in _EFFECT:
        said = {_EFFECT[measure.kind]: Decimal(1)}
    return kept(
        {
            "kind": measure.kind,
            "label": measure.label,
            "services": list(measure.services),
            "resource": measure.resource,
            **said,
            "badMultiplierLow": measure.bad_multiplier_low,
            "badMultiplierHigh": measure.bad_multiplier_high,
            "promisedPercent": None if measure.promised is None else percent(measure.promised),
            "supplierAgreement": measure.supplier_agreement,
            "capex": measure.capex or None,
            "opexPerMonth": measure.opex_per_month or None,
            "savesOpexOfResource": True if measure.saves_opex_of_resource else None,
            "leadTime": length(measure.lead_time),
            "availableFrom": day(measure.available_from),
            "currency": measure.currency,
            "priceDate": day(measure.price_date),
            "kwhPerMonth": measure.kwh_per_month or None,
            "co2KgPerMonth": measure.co2_kg_per_month or None,
            "reversibility": measure.reversibility,
            "risk": measure.risk,
            "sideEffects": measure.side_effects,
        }
    )


def _driver(driver: HorizonDriver) -> Plain:
    """Return the spec of a HorizonDriver; its effects have its id and likelihood."""
    return kept(
        {
            "category": driver.category,
            "statement": driver.statement,
            "evidence": driver.evidence,
            "evidenceDate": day(driver.evidence_date),
            "likelihoodPercent": _likelihood(driver.likelihood),
            "horizon": driver.horizon,
            "status": driver.status,
            "owner": driver.owner,
            "services": list(driver.services),
            "effects": [_effect(effect) for effect in driver.effects],
            "resourceEffects": [_resource_effect(effect) for effect in driver.resource_effects],
            "signposts": [_signpost(signpost) for signpost in driver.signposts],
            "plannedUntil": day(driver.planned_until),
            "outcome": _outcome(driver.outcome) if driver.outcome is not None else None,
        }
    )


def _scenario(scenario: Scenario) -> Plain:
    """Return the spec of a Scenario; each effect says its driver and likelihood."""
    return kept(
        {
            "description": scenario.description,
            "effects": [
                {"driver": e.driver, **_effect(e), "likelihoodPercent": _likelihood(e.likelihood)}
                for e in scenario.effects
            ],
            "resourceEffects": [
                {"driver": e.driver, **_resource_effect(e), "likelihoodPercent": _likelihood(e.likelihood)}
                for e in scenario.resource_effects
            ],
            "drivers": list(scenario.drivers),
            "without": list(scenario.without),
            "probabilityPercent": None if scenario.probability is None else _likelihood(scenario.probability),
        }
    )


def _likelihood(share: float) -> Decimal:
    """Return a likelihood as a percentage."""
    return percent(Decimal(repr(share)))


def _effect(effect: DriverEffect) -> Plain:
    """Return an effect on a metric; its sizes with all their digits."""
    return kept(
        {
            "service": effect.service,
            "metric": effect.metric,
            "kind": effect.kind,
            "start": day(effect.start),
            "end": day(effect.end),
            "low": exact(effect.low),
            "mode": exact(effect.mode),
            "high": exact(effect.high),
            "rampDays": effect.ramp_days or None,
            "statement": effect.statement,
        }
    )


def _resource_effect(effect: ResourceEffect) -> Plain:
    """Return an effect on a resource; its sizes with all their digits."""
    return kept(
        {
            "resource": effect.resource,
            "kind": effect.kind,
            "start": day(effect.start),
            "end": day(effect.end),
            "low": exact(effect.low),
            "mode": exact(effect.mode),
            "high": exact(effect.high),
            "statement": effect.statement,
        }
    )


def _signpost(signpost: Signpost) -> Plain:
    """Return a signpost."""
    return kept(
        {
            "statement": signpost.statement,
            "service": signpost.service,
            "metric": signpost.metric,
            "above": exact(signpost.above),
            "below": exact(signpost.below),
            "due": day(signpost.due),
        }
    )


def _outcome(outcome: DriverOutcome) -> Plain:
    """Return what became of a driver."""
    found: Plain = {"happened": outcome.happened, "on": day(outcome.on)}
    return {**found, **kept({"size": exact(outcome.size), "note": outcome.note})}
