"""Horizon drivers and scenarios of a catalogue: what may happen, and what it would do to metrics and resources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._fields import Fields
from forecasting.terms.scenario import (
    DriverCategory,
    DriverEffect,
    DriverOutcome,
    HorizonDriver,
    ResourceEffect,
    Scenario,
    Signpost,
)

BASE_CASE = ("plan", "act")
"""Status of the drivers that are part of the base case."""


def read_horizon_driver(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a HorizonDriver: an entry of the driver register."""
    spec = top.mapping("spec", fields_of("HorizonDriver"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    category = spec.choice("category", words_of("HorizonDriver", "category"))
    statement, evidence = spec.text("statement", required=True), spec.text("evidence")
    evidence_date, owner = spec.day("evidenceDate"), spec.text("owner")
    likelihood = _likelihood(spec)
    horizon = spec.choice("horizon", words_of("HorizonDriver", "horizon"), default="H1")
    status = spec.choice("status", words_of("HorizonDriver", "status"), default="watch")
    services = _named(draft, spec, "services", "service")
    kept = [_effect(draft, fields, name, likelihood) for fields in spec.mappings("effects", fields_of("driverEffect"))]
    effects = tuple(effect for effect in kept if effect is not None)
    acted = [
        _resource_effect(draft, fields, name, likelihood)
        for fields in spec.mappings("resourceEffects", fields_of("driverResourceEffect"))
    ]
    resource_effects = tuple(effect for effect in acted if effect is not None)
    signposts = tuple(_signpost(draft, fields) for fields in spec.mappings("signposts", fields_of("signpost")))
    planned_until = spec.day("plannedUntil")
    outcome = _outcome(spec)
    if len(draft.problems) > before:
        return
    if not (services or effects or resource_effects):
        spec.note("", None, "effects, resourceEffects or services", "say what it touches: services: [...]")
        return
    first = min([*(e.start for e in effects), *(e.start for e in resource_effects)], default=None)
    if planned_until is not None and first is not None and planned_until < first:
        allowed = f"the first day on which it acts ({first}) or later"
        spec.note("plannedUntil", str(planned_until), allowed, f"plannedUntil: {first}")
    if outcome is not None and outcome.size is not None and not (effects or resource_effects):
        allowed = "outcome.size only where an effect says what is measured"
        spec.note("outcome", "size", allowed, "remove size, or add the effect")
    if len(draft.problems) == before:
        draft.horizon_drivers[name] = HorizonDriver(
            id=name,
            category=cast(DriverCategory, category),
            statement=statement,
            effects=effects,
            resource_effects=resource_effects,
            likelihood=likelihood,
            evidence=evidence,
            evidence_date=evidence_date,
            services=services,
            horizon=cast(Literal["H1", "H2", "H3"], horizon),
            signposts=signposts,
            owner=owner,
            status=cast(Literal["watch", "plan", "act", "retired"], status),
            planned_until=planned_until,
            outcome=outcome,
        )


def read_scenario(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Scenario: drivers of the register that happen in it or do not, and effects of its own."""
    spec = top.mapping("spec", fields_of("Scenario"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    effects, resource_effects = [], []
    for fields in spec.mappings("effects", fields_of("effect")):
        effects.append(_effect(draft, fields, fields.text("driver", required=True), _likelihood(fields)))
    for fields in spec.mappings("resourceEffects", fields_of("resourceEffect")):
        driver = fields.text("driver", required=True)
        resource_effects.append(_resource_effect(draft, fields, driver, _likelihood(fields)))
    drivers = _named(draft, spec, "drivers", "horizon driver")
    without = _named(draft, spec, "without", "horizon driver")
    for one, line in spec.words("without") if without else []:
        known = draft.horizon_drivers.get(one)
        if one in drivers:
            spec.note("without", one, "drivers that do not happen in it", "remove it from drivers or without", line)
        elif known is not None and known.status not in BASE_CASE:
            allowed = f"drivers of the base case ({' or '.join(BASE_CASE)}; {one} is of status {known.status})"
            spec.note("without", one, allowed, "remove it", line)
    probability = spec.share("probabilityPercent")
    if len(draft.problems) > before:
        return
    if not (effects or resource_effects or drivers or without):
        spec.note("effects", None, "effects, resourceEffects, drivers or without", "add effects or drivers")
        return
    draft.scenarios[name] = Scenario(
        name=name,
        effects=tuple(effect for effect in effects if effect is not None),
        description=spec.text("description") or display,
        resource_effects=tuple(effect for effect in resource_effects if effect is not None),
        drivers=drivers,
        without=without,
        probability=None if probability is None else float(probability),
    )


@dataclass(frozen=True, kw_only=True)
class _Course:
    """Days and triangular size of an effect."""

    start: date
    end: date | None
    low: float
    mode: float
    high: float


def _likelihood(fields: Fields) -> float:
    """Read a likelihood; certain where nothing is said."""
    found = fields.share("likelihoodPercent")
    return 1.0 if found is None else float(found)


def _named(draft: Draft, spec: Fields, key: str, kind: str) -> tuple[str, ...]:
    """Read a list of names that must be declared."""
    names = spec.words(key)
    for name, line in names:
        draft.refer(kind, name, spec, key, line)
    return tuple(name for name, _ in names)


def _course(fields: Fields, *, factor: bool, unit: str) -> _Course | None:
    """Read from when to when an effect acts and how large it is: triangular between low and high."""
    start, end = fields.day("start", required=True), fields.day("end")
    if start is not None and end is not None and end <= start:
        fields.note("end", str(end), f"a day after start ({start}); it no longer acts on that day", "correct the dates")
    allowed = "a factor of 0 or more" if factor else f"a number in the {unit}"
    low, mode, high = (
        fields.decimal(key, allowed, required=True, at_least=0 if factor else None) for key in ("low", "mode", "high")
    )
    if low is None or mode is None or high is None or start is None:
        return None
    if not low <= mode <= high:
        came = f"{low}, {mode}, {high}"
        fields.note("mode", came, "low at most mode, mode at most high", "reorder the three sizes")
    return _Course(start=start, end=end, low=float(low), mode=float(mode), high=float(high))


def _effect(draft: Draft, fields: Fields, driver: str, likelihood: float) -> DriverEffect | None:
    """Read an effect on a metric of a service."""
    service, metric = fields.name("service"), fields.text("metric")
    if not metric:
        fields.note("metric", None, "a declared metric", "add metric")
    draft.refer("service", service, fields, "service")
    draft.refer("metric", metric, fields, "metric")
    kind = fields.choice("kind", words_of("driverEffect", "kind"))
    course = _course(fields, factor=kind == "multiplier", unit="metric's unit")
    ramp = fields.whole("rampDays", default=0, at_least=0, at_most=3660)
    statement = fields.text("statement")
    if course is None or kind is None:
        return None
    return DriverEffect(
        driver=driver,
        service=service,
        metric=metric,
        kind=cast(Literal["multiplier", "step", "trend"], kind),
        start=course.start,
        low=course.low,
        mode=course.mode,
        high=course.high,
        ramp_days=ramp,
        end=course.end,
        likelihood=likelihood,
        statement=statement,
    )


def _resource_effect(draft: Draft, fields: Fields, driver: str, likelihood: float) -> ResourceEffect | None:
    """Read an effect on the price, the units, the lead time or the usable share of a resource."""
    resource = fields.name("resource")
    draft.refer("resource", resource, fields, "resource")
    kind = fields.choice("kind", words_of("driverResourceEffect", "kind"))
    course = _course(fields, factor=kind != "units_step", unit="resource's unit")
    statement = fields.text("statement")
    if course is None or kind is None:
        return None
    return ResourceEffect(
        driver=driver,
        resource=resource,
        kind=cast(
            Literal["price_multiplier", "units_multiplier", "units_step", "lead_time_multiplier", "usable_multiplier"],
            kind,
        ),
        start=course.start,
        low=course.low,
        mode=course.mode,
        high=course.high,
        end=course.end,
        likelihood=likelihood,
        statement=statement,
    )


def _signpost(draft: Draft, fields: Fields) -> Signpost:
    """Read a signpost: looked at by somebody, or a metric of a service with the level that confirms the driver."""
    service, metric = fields.name("service", required=fields.has("metric")), fields.text("metric")
    draft.refer("service", service, fields, "service")
    draft.refer("metric", metric, fields, "metric")
    above, below = (fields.decimal(key, "a number in the metric's unit") for key in ("above", "below"))
    levels = [key for key in ("above", "below") if fields.has(key)]
    if metric and not levels:
        fields.note("metric", metric, "above or below with it", "add above, the level that confirms the driver")
    if levels and not fields.has("metric"):
        fields.note(levels[0], fields.node.fields[levels[0]].text, "above and below only with metric", "add metric")
    return Signpost(
        statement=fields.text("statement", required=True),
        service=service,
        metric=metric,
        above=None if above is None else float(above),
        below=None if below is None else float(below),
        due=fields.day("due"),
    )


def _outcome(spec: Fields) -> DriverOutcome | None:
    """Read what became of a driver."""
    fields = spec.mapping("outcome", fields_of("outcome"))
    if fields is None:
        return None
    if not fields.has("happened"):
        fields.note("happened", None, "true | false", "add happened")
    happened, on = fields.flag("happened", default=False), fields.day("on", required=True)
    size, note = fields.decimal("size", "a number in the unit of its first effect"), fields.text("note")
    if size is not None and fields.has("happened") and not happened:
        fields.note("size", str(size), "a size only where it happened", "remove it, or happened: true")
    if on is None:
        return None
    return DriverOutcome(happened=happened, on=on, size=None if size is None else float(size), note=note)
