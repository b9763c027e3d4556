"""Turns the documents of a catalogue into terms, one function for each kind; see `catalogues.yaml_folder`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._agreement_parts import read_agreement
from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._catalogue_parts import read_capacity_model, read_currency
from forecasting.adapters._fields import Fields
from forecasting.adapters._planned_parts import read_event, read_hierarchy
from forecasting.adapters._service_time_parts import read_calendar
from forecasting.adapters.openslo import (
    read_condition,
    read_data_source,
    read_policy,
    read_service,
    read_sli,
    read_slo,
    read_target,
)
from forecasting.terms.catalogue import Covariate, DemandDriver, Resource
from forecasting.terms.scenario import DriverEffect, Scenario

Reader = Callable[[Draft, str, str, Fields, Fields], None]


def read_resource(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Resource: what is finite, what more of it costs and how long it takes."""
    spec = top.mapping("spec", fields_of("Resource"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    services = spec.words("services", required=True)
    for service, line in services:
        draft.refer("service", service, spec, "services", line)
    use = spec.mapping("use", fields_of("use"), required=True)
    use_service, use_metric = (use.name("service"), use.text("metric", required=True)) if use else ("", "")
    if use:
        draft.refer("service", use_service, use, "service")
        draft.refer("metric", use_metric, use, "metric")
    model = read_capacity_model(draft, spec)
    unit = spec.text("unit", required=True)
    units_now = spec.decimal("unitsNow", "0 or more units", required=True, at_least=0)
    per_unit = spec.decimal("perUnit", "a number above 0", above=0)
    usable = spec.share("usablePercent")
    step = spec.decimal("stepUnits", "a number above 0", above=0)
    most = spec.decimal("maxUnits", "a number above 0", above=0)
    if most is not None and units_now is not None and most < units_now:
        spec.note("maxUnits", str(most), f"at least unitsNow ({units_now})", str(units_now))
    capex = spec.decimal("capexPerUnit", "an amount of 0 or more", at_least=0)
    cost = spec.decimal("costPerUnitMonth", "an amount of 0 or more", at_least=0)
    lead = spec.duration("leadTime")
    currency, price_date = read_currency(draft, spec), spec.day("priceDate")
    if len(draft.problems) == before and model is not None and units_now is not None:
        draft.resources[name] = Resource(
            name=name,
            services=tuple(service for service, _ in services),
            metric_service=use_service,
            metric=use_metric,
            model=model,
            unit=unit,
            units_now=units_now,
            per_unit=per_unit if per_unit is not None else Decimal(1),
            usable_share=usable if usable is not None else Decimal(1),
            step_units=step if step is not None else Decimal(1),
            max_units=most,
            capex_per_unit=capex or Decimal(0),
            cost_per_unit_month=cost or Decimal(0),
            currency=currency,
            price_date=price_date,
            lead_time=lead or timedelta(0),
            description=spec.text("description") or display,
        )


def read_driver(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a DemandDriver; a service has at most one."""
    spec = top.mapping("spec", fields_of("DemandDriver"), required=True)
    if spec is None:
        return
    service, metric = spec.name("service"), spec.text("metric", required=True)
    draft.refer("service", service, spec, "service")
    draft.refer("metric", metric, spec, "metric")
    if service in draft.drivers:
        other = draft.drivers[service].name
        spec.note("service", service, f"one DemandDriver a service ({other} is there already)", "remove one of them")
        return
    text = spec.text("description") or display
    draft.drivers[service] = DemandDriver(name=name, service=service, metric=metric, description=text)


def read_covariate(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Covariate; a metric of a service is one at most once."""
    spec = top.mapping("spec", fields_of("Covariate"), required=True)
    if spec is None:
        return
    service, metric = spec.name("service"), spec.text("metric", required=True)
    draft.refer("service", service, spec, "service")
    draft.refer("metric", metric, spec, "metric")
    known_ahead = spec.flag("knownAhead", default=False)
    other = next((c for c in draft.covariates.values() if (c.service, c.metric) == (service, metric)), None)
    if other is not None and metric:
        allowed = f"one Covariate a metric of a service ({other.name} is there already)"
        spec.note("metric", metric, allowed, "remove one of them")
        return
    text = spec.text("description") or display
    draft.covariates[name] = Covariate(
        name=name, service=service, metric=metric, known_ahead=known_ahead, description=text
    )


def read_customer(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Customer."""
    spec = top.mapping("spec", fields_of("Customer"))
    draft.customers[name] = (spec.text("displayName") if spec else "") or display or name


def read_scenario(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Scenario: what may happen, and what it would do to which metrics."""
    spec = top.mapping("spec", fields_of("Scenario"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    effects = [_effect(draft, fields) for fields in spec.mappings("effects", fields_of("effect"), required=True)]
    if len(draft.problems) == before:
        found = tuple(effect for effect in effects if effect is not None)
        draft.scenarios[name] = Scenario(name=name, effects=found, description=spec.text("description") or display)


def _effect(draft: Draft, fields: Fields) -> DriverEffect | None:
    """Read one effect: a triangular size between low and high, from a day on."""
    driver, service, metric = fields.text("driver", required=True), fields.name("service"), fields.text("metric")
    if not metric:
        fields.note("metric", None, "a declared metric", "add metric")
    draft.refer("service", service, fields, "service")
    draft.refer("metric", metric, fields, "metric")
    kind = fields.choice("kind", words_of("effect", "kind"))
    start, end = fields.day("start", required=True), fields.day("end")
    if start is not None and end is not None and end <= start:
        fields.note("end", str(end), f"a day after start ({start}); it no longer acts on that day", "correct the dates")
    sizes = {}
    for key in ("low", "mode", "high"):
        allowed = "a factor of 0 or more" if kind == "multiplier" else "a number in the metric's unit"
        sizes[key] = fields.decimal(key, allowed, required=True, at_least=0 if kind == "multiplier" else None)
    low, mode, high = sizes["low"], sizes["mode"], sizes["high"]
    ramp = fields.whole("rampDays", default=0, at_least=0, at_most=3660)
    likelihood = fields.share("likelihoodPercent")
    if low is None or mode is None or high is None or kind is None or start is None:
        return None
    if not low <= mode <= high:
        came, allowed = f"{low}, {mode}, {high}", "low at most mode, mode at most high"
        fields.note("mode", came, allowed, "reorder the three sizes")
    return DriverEffect(
        driver=driver,
        service=service,
        metric=metric,
        kind=cast(Literal["multiplier", "step", "trend"], kind),
        start=start,
        low=float(low),
        mode=float(mode),
        high=float(high),
        ramp_days=ramp,
        end=end,
        likelihood=1.0 if likelihood is None else float(likelihood),
        statement=fields.text("statement"),
    )


READERS: dict[tuple[str, str], Reader] = {
    ("forecasting/v1", "Customer"): read_customer,
    ("openslo/v1", "Service"): read_service,
    ("forecasting/v1", "Calendar"): read_calendar,
    ("openslo/v1", "DataSource"): read_data_source,
    ("openslo/v1", "AlertNotificationTarget"): read_target,
    ("openslo/v1", "AlertCondition"): read_condition,
    ("openslo/v1", "AlertPolicy"): read_policy,
    ("openslo/v1", "SLI"): read_sli,
    ("openslo/v1", "SLO"): read_slo,
    ("forecasting/v1", "Agreement"): read_agreement,
    ("forecasting/v1", "Resource"): read_resource,
    ("forecasting/v1", "DemandDriver"): read_driver,
    ("forecasting/v1", "Covariate"): read_covariate,
    ("forecasting/v1", "Scenario"): read_scenario,
    ("forecasting/v1", "PlannedEvent"): read_event,
    ("forecasting/v1", "Hierarchy"): read_hierarchy,
}
"""Kinds in the order in which they are read: an Agreement needs the SLOs and calendars, an SLO needs the services."""
