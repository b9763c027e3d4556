"""Resources of a catalogue: what is finite, what more of it costs and how long it takes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of
from forecasting.adapters._catalogue_parts import read_currency
from forecasting.adapters._fields import Fields
from forecasting.adapters._model_parts import read_capacity_model
from forecasting.adapters.openslo.durations import shorthand_of
from forecasting.terms.catalogue import LeadStep, Resource


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
    redundant, least = _kept_back(spec, units_now)
    capex = spec.decimal("capexPerUnit", "an amount of 0 or more", at_least=0)
    cost = spec.decimal("costPerUnitMonth", "an amount of 0 or more", at_least=0)
    order = spec.decimal("orderCost", "an amount of 0 or more", at_least=0)
    lease = spec.whole("leaseMonths", default=0, at_least=0, at_most=600)
    energy = spec.decimal("kwhPerUnitMonth", "0 or more kWh", at_least=0)
    co2 = spec.decimal("co2KgPerUnitMonth", "0 or more kg", at_least=0)
    lead, steps = _lead(spec)
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
            lead_time=lead,
            description=spec.text("description") or display,
            lead_steps=steps,
            redundant_units=redundant,
            min_units=least,
            lease_months=lease,
            kwh_per_unit_month=energy or Decimal(0),
            co2_kg_per_unit_month=co2 or Decimal(0),
            order_cost=order or Decimal(0),
        )


def _kept_back(spec: Fields, units_now: Decimal | None) -> tuple[Decimal, Decimal]:
    """Read the units that stay free for failures, and the fewest that may be kept."""
    redundant = spec.decimal("redundantUnits", "0 or more units", at_least=0)
    least = spec.decimal("minUnits", "0 or more units", at_least=0)
    if redundant is not None and units_now is not None and redundant and redundant >= units_now:
        spec.note("redundantUnits", str(redundant), f"fewer than unitsNow ({units_now})", "1 for N+1")
    if least is not None and units_now is not None and least > units_now:
        spec.note("minUnits", str(least), f"at most unitsNow ({units_now})", str(units_now))
    return redundant or Decimal(0), least or Decimal(0)


def _lead(spec: Fields) -> tuple[timedelta, tuple[LeadStep, ...]]:
    """Read the lead time and its steps; with steps it is the sum of their likeliest lengths."""
    lead = spec.duration("leadTime")
    before = len(spec.problems)
    steps: list[LeadStep] = []
    for fields in spec.mappings("leadSteps", fields_of("leadStep")):
        step = _lead_step(fields)
        if step is None:
            continue
        if any(other.name == step.name for other in steps):
            fields.note("name", step.name, "each step once", "rename or join the two")
        if step.before_order and any(not other.before_order for other in steps):
            allowed = "only steps before the order in front of it"
            fields.note("beforeOrder", "true", allowed, "move it in front of the order, or beforeOrder: false")
        steps.append(step)
    if not steps or len(spec.problems) > before:
        return lead or timedelta(0), ()
    whole = sum((step.mode for step in steps), timedelta(0))
    if lead is not None and lead != whole:
        allowed = f"the sum of mode over leadSteps ({shorthand_of(whole)}), or nothing"
        spec.note("leadTime", spec.node.fields["leadTime"].text, allowed, f"leadTime: {shorthand_of(whole)}")
    return whole, tuple(steps)


def _lead_step(fields: Fields) -> LeadStep | None:
    """Read one step of the lead time."""
    name, before_order = fields.text("name", required=True, longest=100), fields.flag("beforeOrder", default=False)
    low, mode, high = (fields.duration(key, required=True) for key in ("low", "mode", "high"))
    if low is None or mode is None or high is None:
        return None
    if not low <= mode <= high:
        came = ", ".join(fields.node.fields[key].text for key in ("low", "mode", "high"))
        fields.note("mode", came, "low at most mode, mode at most high", "reorder the three lengths")
    return LeadStep(name=name, low=low, mode=mode, high=high, before_order=before_order)
