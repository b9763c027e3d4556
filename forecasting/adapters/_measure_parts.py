"""Measures of a catalogue: what could be done beside buying more units, with effect and cost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._catalogue_parts import read_currency
from forecasting.adapters._fields import Fields
from forecasting.terms.agreement import AgreementKind
from forecasting.terms.measure import Measure, MeasureKind

_ONE: Final = Decimal(1)
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "tune": ("perUnitMultiplier", "badMultiplier"),
    "shift_demand": ("peakMultiplier",),
    "shape_demand": ("demandMultiplier",),
    "add_redundancy": ("badMultiplier",),
}
"""Fields of which one at least says what a measure of the kind changes; the other kinds need none of them."""
_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "promisedPercent": ("change_supplier",),
    "supplierAgreement": ("change_supplier", "commit"),
    "savesOpexOfResource": ("retire",),
}
"""Fields that only measures of some kinds have."""


def read_measure(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Measure: its kind, what it acts on, its effect, cost and lead time."""
    spec = top.mapping("spec", fields_of("Measure"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    kind = spec.choice("kind", words_of("Measure", "kind"))
    label = spec.text("label", required=True, longest=300)
    services = spec.words("services", required=True)
    for service, line in services:
        draft.refer("service", service, spec, "services", line)
    resource = spec.name("resource", required=False)
    draft.refer("resource", resource, spec, "resource")
    demand = spec.decimal("demandMultiplier", "a factor of 0 or more", at_least=0, hint="0.9 for a tenth less")
    peak = spec.decimal("peakMultiplier", "a factor above 0 and at most 1", above=0, at_most=1, hint="0.9")
    per_unit = spec.decimal("perUnitMultiplier", "a factor above 0", above=0, hint="1.15 for 15 % more")
    bad, low, high = (
        spec.decimal(key, "a factor of 0 or more", at_least=0, hint="0.5 for half the odds")
        for key in ("badMultiplier", "badMultiplierLow", "badMultiplierHigh")
    )
    _range(spec, bad, low, high)
    allowed = "a percentage of at least 1 and below 100"
    promised = spec.decimal("promisedPercent", allowed, at_least=1, below=100, hint="99.95")
    supplier = spec.name("supplierAgreement", required=False)
    _supplier(draft, spec, supplier)
    if kind is not None:
        _fits_kind(spec, kind)
    if per_unit is not None and not resource:
        spec.note("perUnitMultiplier", str(per_unit), "perUnitMultiplier only with resource", "add resource")
    capex = spec.decimal("capex", "an amount of 0 or more", at_least=0)
    opex = spec.decimal("opexPerMonth", "an amount; negative = saved")
    saves = spec.flag("savesOpexOfResource", default=False)
    lead, available = spec.duration("leadTime"), spec.day("availableFrom")
    currency, price_date = read_currency(draft, spec), spec.day("priceDate")
    energy = spec.decimal("kwhPerMonth", "kWh; negative = saved")
    co2 = spec.decimal("co2KgPerMonth", "kg; negative = saved")
    words = [spec.text(key) for key in ("reversibility", "risk", "sideEffects")]
    if len(draft.problems) == before:
        draft.measures[name] = Measure(
            name=name,
            kind=cast(MeasureKind, kind),
            services=tuple(service for service, _ in services),
            label=label,
            resource=resource or None,
            demand_multiplier=_ONE if demand is None else demand,
            peak_multiplier=_ONE if peak is None else peak,
            per_unit_multiplier=_ONE if per_unit is None else per_unit,
            bad_multiplier=_ONE if bad is None else bad,
            bad_multiplier_low=low,
            bad_multiplier_high=high,
            promised=None if promised is None else promised.scaleb(-2),
            supplier_agreement=supplier or None,
            capex=capex or Decimal(0),
            opex_per_month=opex or Decimal(0),
            saves_opex_of_resource=saves,
            lead_time=lead or timedelta(0),
            available_from=available,
            currency=currency,
            price_date=price_date,
            kwh_per_month=energy or Decimal(0),
            co2_kg_per_month=co2 or Decimal(0),
            reversibility=words[0],
            risk=words[1],
            side_effects=words[2],
        )


def _range(spec: Fields, bad: Decimal | None, low: Decimal | None, high: Decimal | None) -> None:
    """Check the range within which the effect on bad events lies."""
    ends = [key for key in ("badMultiplierLow", "badMultiplierHigh") if spec.has(key)]
    if not ends:
        return
    missing = [k for k in ("badMultiplier", "badMultiplierLow", "badMultiplierHigh") if not spec.has(k)]
    if missing:
        allowed = "badMultiplier with badMultiplierLow and badMultiplierHigh"
        spec.note(ends[0], spec.node.fields[ends[0]].text, allowed, f"add {' and '.join(missing)}")
    elif bad is not None and low is not None and high is not None and not low <= bad <= high:
        allowed = "badMultiplierLow at most badMultiplier, that at most badMultiplierHigh"
        spec.note("badMultiplier", f"{low}, {bad}, {high}", allowed, "reorder the three factors")


def _supplier(draft: Draft, spec: Fields, supplier: str) -> None:
    """Check that the agreement that is changed is one with a supplier or an internal team."""
    draft.refer("agreement", supplier, spec, "supplierAgreement")
    known = draft.agreements.get(supplier)
    if known is not None and known.kind is AgreementKind.SLA:
        allowed = f"an OLA or UC ({supplier} is an SLA, a promise of ours)"
        spec.note("supplierAgreement", supplier, allowed, "name the contract underneath it")


def _fits_kind(spec: Fields, kind: str) -> None:
    """Check that a measure says what one of its kind needs, and nothing of other kinds."""
    needed = _NEEDED.get(kind, ())
    if needed and not any(spec.has(key) for key in needed):
        spec.note("kind", kind, f"{' or '.join(needed)} with it", f"add {needed[0]}")
    for key, kinds in _ONLY.items():
        if spec.has(key) and kind not in kinds:
            said = f"{key} only with kind {' or '.join(kinds)}"
            spec.note(key, spec.node.fields[key].text, said, f"remove it, or kind: {kinds[0]}")
    if kind == "change_supplier":
        for key in ("promisedPercent", "supplierAgreement"):
            if not spec.has(key):
                spec.note("kind", kind, f"{key} with it", f"add {key}")
