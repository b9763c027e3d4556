"""Turns the documents of a catalogue into terms, one function for each kind; see `catalogues.yaml_folder`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_parts import (
    OBJECTIVE_UNSUPPORTED,
    read_agreed_objectives,
    read_capacity_model,
    read_credits,
    read_currency,
    read_indicator,
    read_slo_window,
    read_target,
    read_workload_limit,
)
from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node
from forecasting.terms.agreement import Agreement, AgreementKind
from forecasting.terms.catalogue import Covariate, DemandDriver, Resource, Service
from forecasting.terms.service_level import Objective

_ANNOTATIONS = ("tier", "zone", "country", "depends-on", "owner")


Reader = Callable[[Draft, str, str, Fields, Fields], None]


def read_service(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Service of OpenSLO with our annotations."""
    notes: dict[str, str] = {}
    annotations = metadata.node.fields.get("annotations")
    if annotations is not None and annotations.kind == "map":
        ours = {k: v for k, v in annotations.fields.items() if k.startswith("forecasting/")}
        lines = {k: annotations.key_lines[k] for k in ours}
        node = Node(kind="map", line=annotations.line, fields=ours, key_lines=lines)
        known = [f"forecasting/{key}" for key in _ANNOTATIONS]
        fields = Fields(node, "metadata.annotations", top.file, draft.problems, known)
        notes = {key: fields.text(f"forecasting/{key}") for key in _ANNOTATIONS if key != "zone"}
        notes["zone"] = fields.zone("forecasting/zone")
        depends = [part.strip() for part in notes["depends-on"].split(",") if part.strip()]
        for part in depends:
            draft.refer("service", part, fields, "forecasting/depends-on")
        country = notes["country"]
        if country and not (len(country) in (2, 3) and country.isascii() and country.isupper()):
            fields.note("forecasting/country", country, "an ISO 3166 code such as US or DE", country.upper()[:2])
    spec = top.mapping("spec", ["description"])
    draft.services[name] = Service(
        name=name,
        display_name=display,
        description=spec.text("description") if spec else "",
        tier=notes.get("tier") or "standard",
        depends_on=tuple(p.strip() for p in notes.get("depends-on", "").split(",") if p.strip()),
        zone=notes.get("zone") or "UTC",
        country=notes.get("country", ""),
        owner=notes.get("owner", ""),
    )


def read_slo(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an SLO of OpenSLO: one indicator, one window, one or more targets."""
    known = ["service", "description", "indicator", "timeWindow", "budgetingMethod", "objectives"]
    spec = top.mapping("spec", known, required=True, unsupported=["indicatorRef", "alertPolicies"])
    if spec is None:
        return
    before = len(draft.problems)
    service = spec.name("service")
    draft.refer("service", service, spec, "service")
    window = read_slo_window(draft, spec, service)
    method = spec.scalar("budgetingMethod", "Occurrences", required=False)
    if method not in (None, "Occurrences"):
        spec.note("budgetingMethod", method, "Occurrences", "Occurrences (the other methods are not supported yet)")
    indicator = spec.mapping("indicator", ["metadata", "spec"], required=True)
    known = ["displayName", "target", "targetPercent", "op", "value"]
    targets = spec.mappings("objectives", known, required=True, unsupported=OBJECTIVE_UNSUPPORTED)
    objectives: list[Objective] = []
    for index, fields in enumerate(targets):
        found = read_indicator(draft, indicator, fields) if indicator else None
        target = read_target(fields)
        if found is not None and target is not None and window is not None:
            objective = Objective(
                name=name if index == 0 else f"{name}-{index + 1}",
                service=service,
                indicator=found,
                target=target,
                window=window,
                display_name=fields.text("displayName") or display,
                description=spec.text("description"),
            )
            objectives.append(objective)
    draft.objectives[name] = objectives if len(draft.problems) == before else []


def read_agreement(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an Agreement: an SLA, an OLA or an underpinning contract."""
    known = ["kind", "version", "service", "customer", "provider", "promise", "validFrom", "validUntil", "currency"]
    known += ["priceDate", "objectives", "credits", "lossPerBadEvent", "workloadLimit", "reliesOn", "owner"]
    spec = top.mapping("spec", known, required=True)
    if spec is None:
        return
    before = len(draft.problems)
    kind = spec.choice("kind", [k.value for k in AgreementKind])
    service, customer = spec.name("service"), spec.name("customer")
    draft.refer("service", service, spec, "service")
    draft.refer("customer", customer, spec, "customer")
    first, last = spec.day("validFrom", required=True), spec.day("validUntil")
    if first is not None and last is not None and last < first:
        spec.note("validUntil", str(last), f"a day on or after validFrom ({first})", "swap or correct the dates")
    objectives = read_agreed_objectives(draft, spec, service)
    credits_ = read_credits(spec, objectives)
    loss = spec.decimal("lossPerBadEvent", "an amount of 0 or more", at_least=0)
    relies_on = spec.words("reliesOn")
    for other, line in relies_on:
        draft.refer("agreement", other, spec, "reliesOn", line)
    limit = read_workload_limit(draft, spec)
    currency = read_currency(draft, spec)
    price_date, provider = spec.day("priceDate"), spec.text("provider", required=True)
    if len(draft.problems) == before and kind is not None and first is not None:
        draft.agreements[name] = Agreement(
            id=name,
            kind=AgreementKind(kind),
            service=service,
            customer=customer,
            provider=provider,
            objectives=tuple(objectives),
            valid_from=first,
            valid_until=last,
            version=spec.text("version") or "1",
            promise=spec.text("promise"),
            currency=currency,
            price_date=price_date,
            credits=credits_,
            loss_per_bad_event=loss or Decimal(0),
            workload_limit=limit,
            relies_on=tuple(other for other, _ in relies_on),
            owner=spec.text("owner"),
        )


def read_resource(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Resource: what is finite, what more of it costs and how long it takes."""
    known = ["description", "services", "use", "unit", "unitsNow", "perUnit", "usablePercent", "stepUnits", "maxUnits"]
    known += ["model", "capexPerUnit", "costPerUnitMonth", "currency", "priceDate", "leadTime"]
    spec = top.mapping("spec", known, required=True)
    if spec is None:
        return
    before = len(draft.problems)
    services = spec.words("services", required=True)
    for service, line in services:
        draft.refer("service", service, spec, "services", line)
    use = spec.mapping("use", ["service", "metric"], required=True)
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
    spec = top.mapping("spec", ["service", "metric", "description"], required=True)
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
    spec = top.mapping("spec", ["service", "metric", "knownAhead", "description"], required=True)
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
    spec = top.mapping("spec", ["displayName", "description"])
    draft.customers[name] = (spec.text("displayName") if spec else "") or display or name


READERS: dict[tuple[str, str], Reader] = {
    ("forecasting/v1", "Customer"): read_customer,
    ("openslo/v1", "Service"): read_service,
    ("openslo/v1", "SLO"): read_slo,
    ("forecasting/v1", "Agreement"): read_agreement,
    ("forecasting/v1", "Resource"): read_resource,
    ("forecasting/v1", "DemandDriver"): read_driver,
    ("forecasting/v1", "Covariate"): read_covariate,
}
"""Kinds in the order in which they are read: an Agreement needs the SLOs, an SLO needs the services."""

UNSUPPORTED_KINDS = ("SLI", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
"""Kinds of OpenSLO that this version does not read."""
