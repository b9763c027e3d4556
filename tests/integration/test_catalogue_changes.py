"""Models, resources, measures, horizon drivers and scenarios as documents: what is read, refused and written back."""

# ruff: noqa: E501 - the table of mistakes reads best with one mistake a line

from __future__ import annotations

import re
import sys
from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters._catalogue_fields import BLOCKS, MODELS
from forecasting.adapters._strict_yaml import parse_yaml
from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.catalogue import (
    BacklogModel,
    Catalogue,
    ErlangAModel,
    ErlangBModel,
    ErlangCModel,
    GrowingStockModel,
    LeadStep,
    QueueModel,
    RedundancyModel,
    Resource,
    ResponseCurveModel,
    ScalabilityModel,
    StaffingModel,
)
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.measure import Measure
from forecasting.terms.scenario import (
    DriverEffect,
    DriverOutcome,
    HorizonDriver,
    ResourceEffect,
    Scenario,
    Signpost,
)

METRICS = {
    name: Metric(name=name, kind=MetricKind.COUNT)
    for name in ("requests", "good", "bad", "calls", "units", "throughput", "tb", "tickets")
}
BASE = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: shop}
spec: {description: Shop}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: desk}
spec: {description: Desk}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: sales}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: office}
spec: {zone: Europe/Berlin, weekly: {mon-fri: ["08:00-18:00"]}}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: uc-mail}
spec:
  kind: UC
  service: desk
  customer: sales
  provider: carrier
  validFrom: 2026-01-01
  objectives: [{name: mail-up, indicator: {ratio: {total: requests, good: good}}, targetPercent: 99.9, window: {calendar: month, zone: UTC}}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-shop}
spec:
  kind: SLA
  service: shop
  customer: sales
  provider: it
  validFrom: 2026-01-01
  objectives: [{name: shop-up, indicator: {ratio: {total: requests, good: good}}, targetPercent: 99.9, window: {calendar: month, zone: UTC}}]
"""
MODEL_TEXTS = {
    "plain-desk": "{kind: erlang_c, handlingTimeSeconds: 420, answerWithinSeconds: 20, targetPercent: 80}",
    "paid-desk": "{kind: erlang_c, handlingTimeSeconds: 420, answerWithinSeconds: 20, targetPercent: 80, intervalMinutes: 30, occupancyLimitPercent: 85, shrinkagePercent: 30}",
    "patient-desk": "{kind: erlang_a, handlingTimeSeconds: 300, patienceSeconds: 180, answerWithinSeconds: 0, targetPercent: 82.5, intervalMinutes: 15, occupancyLimitPercent: 90, shrinkagePercent: 12.5}",
    "lines": "{kind: erlang_b, holdingTimeSeconds: 180, targetPercent: 99.5, intervalMinutes: 30}",
    "hosts": "{kind: ggc, serviceTimeSeconds: 0.25, withinSeconds: 0.5, targetPercent: 95, arrivalCv: 1.4, serviceCv: 0, intervalMinutes: 5}",
    "nodes": "{kind: usl, gamma: 995.5, alpha: 0.02, beta: 0.0001}",
    "fitted-nodes": "{kind: usl, unitsMetric: units, throughputMetric: throughput}",
    "circuits": "{kind: redundancy, unitAvailabilityPercent: 99.9, targetPercent: 99.99, commonCausePercent: 5, domains: 2}",
    "queue": "{kind: backlog, within: 2d, targetPercent: 95, calendar: office}",
    "day-desk": "{kind: time_varying, handlingTimeSeconds: 420, answerWithinSeconds: 20, targetPercent: 80, intervalMinutes: 30, patienceSeconds: 240, occupancyLimitPercent: 88, shrinkagePercent: 30}",
    "pods": "{kind: response_curve, good: good, total: requests}",
    "bad-pods": "{kind: response_curve, bad: bad, total: requests}",
    "disk": "{kind: growing_stock}",
}
RESOURCES = "\n---\n".join(
    f"apiVersion: forecasting/v1\nkind: Resource\nmetadata: {{name: {name}}}\n"
    f"spec:\n  services: [shop]\n  use: {{service: shop, metric: requests}}\n  unit: u\n  unitsNow: 10\n  model: {text}"
    for name, text in MODEL_TEXTS.items()
)
FULL = """\
apiVersion: forecasting/v1
kind: Resource
metadata: {name: storage}
spec:
  description: Disk
  services: [shop, desk]
  use: {service: shop, metric: tb}
  unit: TB
  unitsNow: 1250
  perUnit: 1
  usablePercent: 85
  stepUnits: 50
  maxUnits: 4000
  redundantUnits: 50
  minUnits: 400
  model: {kind: growing_stock}
  capexPerUnit: 420
  orderCost: 5000
  costPerUnitMonth: 3.17
  leaseMonths: 36
  kwhPerUnitMonth: 2.6
  co2KgPerUnitMonth: 0.98
  currency: EUR
  priceDate: 2026-11-01
  leadTime: 14w
  leadSteps:
    - {name: approval, low: 1w, mode: 2w, high: 4w, beforeOrder: true}
    - {name: delivery, low: 7w, mode: 8w, high: 12w}
    - {name: installation, low: 28d, mode: 28d, high: 28d}
"""
MEASURES = """\
apiVersion: forecasting/v1
kind: Measure
metadata: {name: tune-disk}
spec:
  kind: tune
  label: Compress cold data
  services: [shop]
  resource: storage
  demandMultiplier: 0.9
  peakMultiplier: 0.95
  perUnitMultiplier: 1.15
  badMultiplier: 0.8
  badMultiplierLow: 0.6
  badMultiplierHigh: 1
  capex: 38000
  opexPerMonth: -250.5
  leadTime: 4w
  availableFrom: 2027-01-15
  currency: EUR
  priceDate: 2026-11-01
  kwhPerMonth: -120
  co2KgPerMonth: -45.6
  reversibility: Undone in a day
  risk: Reads get slower
  sideEffects: Backups take longer
---
apiVersion: forecasting/v1
kind: Measure
metadata: {name: better-mail}
spec:
  kind: change_supplier
  label: Contract at 99.95 %
  services: [desk]
  badMultiplier: 0.5
  promisedPercent: 99.95
  supplierAgreement: uc-mail
---
apiVersion: forecasting/v1
kind: Measure
metadata: {name: close-shop}
spec: {kind: retire, label: Close it, services: [shop], demandMultiplier: 0, savesOpexOfResource: true}
"""
DRIVERS = """\
apiVersion: forecasting/v1
kind: HorizonDriver
metadata: {name: d1-campaign}
spec:
  category: market
  statement: A campaign doubles demand
  evidence: Marketing plan
  evidenceDate: 2026-11-02
  likelihoodPercent: 90
  horizon: H2
  status: plan
  owner: Sales
  services: [shop, desk]
  effects:
    - {service: shop, metric: requests, kind: multiplier, start: 2027-03-01, end: 2027-03-08, low: 1.8, mode: 2, high: 2.3, rampDays: 2, statement: Twice}
    - {service: desk, metric: calls, kind: trend, start: 2027-03-01, low: -0.5, mode: 0, high: 1}
  resourceEffects:
    - {resource: storage, kind: price_multiplier, start: 2027-04-01, end: 2027-05-01, low: 0.9, mode: 1, high: 1.2, statement: Dearer}
    - {resource: storage, kind: units_step, start: 2027-04-01, low: -50, mode: -50, high: -50}
  signposts:
    - {statement: Orders pass the plan, service: shop, metric: requests, above: 2000.5, below: 100, due: 2027-02-01}
    - {statement: The board decides, due: 2026-12-15}
  plannedUntil: 2027-03-31
  outcome: {happened: true, on: 2027-03-09, size: 1.9, note: A little less}
---
apiVersion: forecasting/v1
kind: HorizonDriver
metadata: {name: d9-licence}
spec: {category: industrial, statement: Licences get dearer, services: [desk]}
---
apiVersion: forecasting/v1
kind: HorizonDriver
metadata: {name: d2-law}
spec:
  category: legislative
  statement: Keep data for ten years
  status: act
  effects: [{service: shop, metric: tb, kind: step, start: 2027-01-01, low: 90, mode: 90, high: 90, rampDays: 31}]
"""
SCENARIOS = """\
apiVersion: forecasting/v1
kind: Scenario
metadata: {name: dear-year}
spec:
  description: All at once
  drivers: [d1-campaign, d9-licence]
  without: [d2-law]
  probabilityPercent: 12.5
  effects:
    - {driver: strike, service: desk, metric: calls, kind: multiplier, start: 2027-02-01, end: 2027-02-15, low: 1.1, mode: 1.2, high: 1.3, rampDays: 1, likelihoodPercent: 40, statement: More calls}
  resourceEffects:
    - {driver: strike, resource: storage, kind: lead_time_multiplier, start: 2027-02-01, end: 2027-06-01, low: 1, mode: 1.5, high: 2, likelihoodPercent: 40, statement: Later}
---
apiVersion: forecasting/v1
kind: Scenario
metadata: {name: no-law}
spec: {without: [d2-law]}
"""
FILES = {
    "base.yaml": BASE,
    "models.yaml": RESOURCES,
    "full.yaml": FULL,
    "measures.yaml": MEASURES,
    "drivers.yaml": DRIVERS,
    "scenarios.yaml": SCENARIOS,
}


def load(folder: Path, files: dict[str, str]) -> Catalogue:
    target = folder / "catalogue"
    target.mkdir(exist_ok=True)
    for name, text in files.items():
        (target / name).write_text(text, encoding="utf-8")
    return YamlFolder(target, METRICS, currency="EUR", name="c").load()


def exactly(text: str) -> Decimal:
    return Decimal(text)


def test_every_model_is_read_exactly(tmp_path: Path) -> None:
    models = {r.name: r.model for r in load(tmp_path, FILES).resources}
    calls = {"handling_time_s": exactly("420"), "answer_within_s": exactly("20"), "target": exactly("0.8")}
    assert {name: models[name] for name in MODEL_TEXTS} == {
        "plain-desk": ErlangCModel(**calls),
        "paid-desk": ErlangCModel(
            **calls, interval_minutes=30, occupancy_limit=exactly("0.85"), shrinkage=exactly("0.3")
        ),
        "patient-desk": ErlangAModel(
            handling_time_s=exactly("300"), patience_s=exactly("180"), answer_within_s=exactly("0"),
            target=exactly("0.825"), interval_minutes=15, occupancy_limit=exactly("0.9"), shrinkage=exactly("0.125"),
        ),
        "lines": ErlangBModel(holding_time_s=exactly("180"), target=exactly("0.995"), interval_minutes=30),
        "hosts": QueueModel(
            service_time_s=exactly("0.25"), within_s=exactly("0.5"), target=exactly("0.95"),
            arrival_cv=exactly("1.4"), service_cv=exactly("0"), interval_minutes=5,
        ),
        "nodes": ScalabilityModel(gamma=exactly("995.5"), alpha=exactly("0.02"), beta=exactly("0.0001")),
        "fitted-nodes": ScalabilityModel(units_metric="units", throughput_metric="throughput"),
        "circuits": RedundancyModel(
            unit_availability=exactly("0.999"), target=exactly("0.9999"), common_cause=exactly("0.05"), domains=2
        ),
        "queue": BacklogModel(within=timedelta(days=2), target=exactly("0.95"), calendar="office"),
        "day-desk": StaffingModel(
            **calls, interval_minutes=30, patience_s=exactly("240"), occupancy_limit=exactly("0.88"),
            shrinkage=exactly("0.3"),
        ),
        "pods": ResponseCurveModel(good="good", bad=None, total="requests"),
        "bad-pods": ResponseCurveModel(good=None, bad="bad", total="requests"),
        "disk": GrowingStockModel(),
    }  # fmt: skip
    assert {model.kind for model in models.values()} == set(MODELS), "the table misses a kind"


def test_every_field_of_a_resource_is_read_exactly(tmp_path: Path) -> None:
    found = next(r for r in load(tmp_path, FILES).resources if r.name == "storage")
    week = timedelta(weeks=1)
    assert found == Resource(
        name="storage", services=("shop", "desk"), metric_service="shop", metric="tb", model=GrowingStockModel(),
        unit="TB", units_now=Decimal(1250), per_unit=Decimal(1), usable_share=exactly("0.85"), step_units=Decimal(50),
        max_units=Decimal(4000), capex_per_unit=Decimal(420), cost_per_unit_month=exactly("3.17"), currency="EUR",
        price_date=date(2026, 11, 1), lead_time=14 * week, description="Disk",
        lead_steps=(
            LeadStep(name="approval", low=week, mode=2 * week, high=4 * week, before_order=True),
            LeadStep(name="delivery", low=7 * week, mode=8 * week, high=12 * week),
            LeadStep(name="installation", low=4 * week, mode=4 * week, high=4 * week),
        ),
        redundant_units=Decimal(50), min_units=Decimal(400), lease_months=36, kwh_per_unit_month=exactly("2.6"),
        co2_kg_per_unit_month=exactly("0.98"), order_cost=Decimal(5000),
    )  # fmt: skip
    assert not plain_defaults(found), "the document says every field"


def plain_defaults(found: object) -> list[str]:
    """Fields of a term that still have their default (`perUnit` and `currency` are written as they are)."""
    return [
        f.name for f in fields(found)  # type: ignore[arg-type]
        if f.name not in ("per_unit", "currency") and getattr(found, f.name) == f.default
    ]  # fmt: skip


def test_the_lead_time_is_the_sum_of_its_steps(tmp_path: Path) -> None:
    text = FULL.replace("  leadTime: 14w\n", "")
    found = load(tmp_path, {**FILES, "full.yaml": text})
    assert next(r for r in found.resources if r.name == "storage").lead_time == timedelta(weeks=14)
    assert next(r for r in found.resources if r.name == "disk").lead_steps == ()


def test_every_field_of_a_measure_is_read_exactly(tmp_path: Path) -> None:
    tune, mail, close = load(tmp_path, FILES).measures
    assert tune == Measure(
        name="tune-disk", kind="tune", services=("shop",), label="Compress cold data", resource="storage",
        demand_multiplier=exactly("0.9"), peak_multiplier=exactly("0.95"), per_unit_multiplier=exactly("1.15"),
        bad_multiplier=exactly("0.8"), bad_multiplier_low=exactly("0.6"), bad_multiplier_high=Decimal(1),
        capex=Decimal(38000), opex_per_month=exactly("-250.5"), lead_time=timedelta(weeks=4),
        available_from=date(2027, 1, 15), currency="EUR", price_date=date(2026, 11, 1), kwh_per_month=Decimal(-120),
        co2_kg_per_month=exactly("-45.6"), reversibility="Undone in a day", risk="Reads get slower",
        side_effects="Backups take longer",
    )  # fmt: skip
    assert mail == Measure(
        name="better-mail", kind="change_supplier", services=("desk",), label="Contract at 99.95 %",
        bad_multiplier=exactly("0.5"), promised=exactly("0.9995"), supplier_agreement="uc-mail", currency="EUR",
    )  # fmt: skip
    assert close == Measure(
        name="close-shop", kind="retire", services=("shop",), label="Close it", demand_multiplier=Decimal(0),
        saves_opex_of_resource=True, currency="EUR",
    )  # fmt: skip


def test_every_field_of_a_driver_is_read_and_its_effects_carry_its_id_and_likelihood(tmp_path: Path) -> None:
    campaign, licence, law = load(tmp_path, FILES).horizon_drivers
    assert campaign == HorizonDriver(
        id="d1-campaign", category="market", statement="A campaign doubles demand", evidence="Marketing plan",
        evidence_date=date(2026, 11, 2), likelihood=0.9, horizon="H2", status="plan", owner="Sales",
        services=("shop", "desk"),
        effects=(
            DriverEffect(
                driver="d1-campaign", service="shop", metric="requests", kind="multiplier", start=date(2027, 3, 1),
                end=date(2027, 3, 8), low=1.8, mode=2.0, high=2.3, ramp_days=2, likelihood=0.9, statement="Twice",
            ),
            DriverEffect(
                driver="d1-campaign", service="desk", metric="calls", kind="trend", start=date(2027, 3, 1), low=-0.5,
                mode=0.0, high=1.0, likelihood=0.9,
            ),
        ),
        resource_effects=(
            ResourceEffect(
                driver="d1-campaign", resource="storage", kind="price_multiplier", start=date(2027, 4, 1),
                end=date(2027, 5, 1), low=0.9, mode=1.0, high=1.2, likelihood=0.9, statement="Dearer",
            ),
            ResourceEffect(
                driver="d1-campaign", resource="storage", kind="units_step", start=date(2027, 4, 1), low=-50.0,
                mode=-50.0, high=-50.0, likelihood=0.9,
            ),
        ),
        signposts=(
            Signpost(statement="Orders pass the plan", service="shop", metric="requests", above=2000.5, below=100.0,
                     due=date(2027, 2, 1)),
            Signpost(statement="The board decides", due=date(2026, 12, 15)),
        ),
        planned_until=date(2027, 3, 31),
        outcome=DriverOutcome(happened=True, on=date(2027, 3, 9), size=1.9, note="A little less"),
    )  # fmt: skip
    assert not plain_defaults(campaign), "the document says every field"
    assert licence == HorizonDriver(
        id="d9-licence", category="industrial", statement="Licences get dearer", services=("desk",)
    )
    assert (law.status, law.effects[0].driver, law.effects[0].likelihood) == ("act", "d2-law", 1.0)


def test_every_field_of_a_scenario_is_read_exactly(tmp_path: Path) -> None:
    first, second = load(tmp_path, FILES).scenarios
    assert first == Scenario(
        name="dear-year", description="All at once", drivers=("d1-campaign", "d9-licence"), without=("d2-law",),
        probability=0.125,
        effects=(
            DriverEffect(
                driver="strike", service="desk", metric="calls", kind="multiplier", start=date(2027, 2, 1),
                end=date(2027, 2, 15), low=1.1, mode=1.2, high=1.3, ramp_days=1, likelihood=0.4,
                statement="More calls",
            ),
        ),
        resource_effects=(
            ResourceEffect(
                driver="strike", resource="storage", kind="lead_time_multiplier", start=date(2027, 2, 1),
                end=date(2027, 6, 1), low=1.0, mode=1.5, high=2.0, likelihood=0.4, statement="Later",
            ),
        ),
    )  # fmt: skip
    assert not plain_defaults(first), "the document says every field"
    assert second == Scenario(name="no-law", effects=(), without=("d2-law",))


def test_export_gives_the_same_terms_again(tmp_path: Path) -> None:
    first = load(tmp_path, FILES)
    text = export_openslo(first, ours=True)
    again = tmp_path / "again"
    again.mkdir()
    second = load(again, {"all.yaml": text})
    for name in ("resources", "measures", "horizon_drivers", "scenarios"):
        assert getattr(second, name) == getattr(first, name), name
    assert export_openslo(second, ours=True) == text
    assert not {"Measure", "HorizonDriver"} & set(re.findall(r"kind: (\w+)", export_openslo(first)))


def test_a_measure_that_changes_nothing_survives_the_round_trip(tmp_path: Path) -> None:
    text = MEASURES.replace("  kind: tune\n", "  kind: shape_demand\n")
    kinds = ("tune", "shift_demand", "shape_demand", "add_redundancy", "commit", "improve_monitoring", "retire")
    first = load(tmp_path, {**FILES, "measures.yaml": text})
    still = [
        replace(first.measures[2], name=f"m-{number}", kind=kind, demand_multiplier=Decimal(1), saves_opex_of_resource=False)
        for number, kind in enumerate(kinds)
    ]  # fmt: skip
    same = replace(first, measures=tuple(still))
    (tmp_path / "again").mkdir()
    assert load(tmp_path / "again", {"all.yaml": export_openslo(same, ours=True)}).measures == same.measures


def test_the_schema_takes_every_document_and_every_field_is_tried() -> None:
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from test_catalogue_schema import kind_schema, plain, wrong
    finally:
        sys.path.pop(0)
    for file, text in FILES.items():
        for node in parse_yaml(text, file=file)[0]:
            document = plain(node)
            assert wrong(document, kind_schema(document), document["metadata"]["name"]) is None
    broken = plain(parse_yaml(RESOURCES, file="m")[0][0])
    assert wrong(broken, kind_schema(broken)) is None
    broken["spec"]["model"]["patienceSeconds"] = 180
    assert wrong(broken, kind_schema(broken)) is not None, "a field of another kind of model"
    mine = ("Resource", "leadStep", "Measure", "HorizonDriver", "driverEffect", "driverResourceEffect", "signpost",
            "outcome", "Scenario", "effect", "resourceEffect")  # fmt: skip
    names = {name for block in mine for name in BLOCKS[block]} | {name for model in MODELS.values() for name in model}
    unsaid = {name for name in names if not re.search(rf"(?<![\w.-]){name}:", "\n".join(FILES.values()))}
    assert unsaid == set()


M, F, A, D, S = "models.yaml", "full.yaml", "measures.yaml", "drivers.yaml", "scenarios.yaml"
MISTAKES = [
    # file, old, new, text in the line that is named, what is said
    # -- models
    (M, "{kind: usl, gamma: 995.5, alpha: 0.02, beta: 0.0001}", "{kind: usl}", "kind: usl}", "add gamma, alpha, beta"),
    (M, "gamma: 995.5, alpha: 0.02, beta: 0.0001", "gamma: 995.5, beta: 0.0001", "gamma: 995.5", "try: add alpha"),
    (M, "unitsMetric: units, throughputMetric: throughput", "unitsMetric: units", "unitsMetric: units}", "add throughputMetric"),
    (M, "beta: 0.0001}", "beta: 0.0001, unitsMetric: units}", "unitsMetric: units}", "remove unitsMetric"),
    (M, "throughputMetric: throughput", "throughputMetric: thruput", "thruput", "try: throughput"),
    (M, "throughputMetric: throughput", "throughputMetric: units", "throughputMetric: units", "another metric than unitsMetric"),
    (M, "gamma: 995.5", "gamma: 0", "gamma: 0", "a throughput above 0"),
    (M, "alpha: 0.02", "alpha: 2", "alpha: 2", "contention from 0 to 1"),
    (M, "beta: 0.0001", "beta: -1", "beta: -1", "crosstalk of 0 or more"),
    (M, "calendar: office", "calendar: offices", "offices", "try: office"),
    (M, "within: 2d", "within: 0d", "within: 0d", "a length above 0"),
    (M, "within: 2d, ", "", "kind: backlog", "add within"),
    (M, "patienceSeconds: 180, ", "", "kind: erlang_a", "add patienceSeconds"),
    (M, "patienceSeconds: 180", "patienceSeconds: 0", "patienceSeconds: 0", "seconds above 0"),
    (M, "patienceSeconds: 240", "patienceSeconds: -1", "patienceSeconds: -1", "seconds above 0"),
    (M, "occupancyLimitPercent: 85", "occupancyLimitPercent: 0", "occupancyLimitPercent: 0", "above 0 and at most 100"),
    (M, "occupancyLimitPercent: 85", "occupancyLimit: 0.85", "occupancyLimit: 0.85", "try: occupancyLimitPercent"),
    (M, "shrinkagePercent: 12.5", "shrinkagePercent: 100", "shrinkagePercent: 100", "from 0 to below 100"),
    (M, "holdingTimeSeconds: 180", "handlingTimeSeconds: 180", "handlingTimeSeconds: 180, targetPercent: 99.5", "try: holdingTimeSeconds"),
    (M, "holdingTimeSeconds: 180", "holdingTimeSeconds: 0", "holdingTimeSeconds: 0", "seconds above 0"),
    (M, "targetPercent: 99.5", "targetPercent: 100", "targetPercent: 100", "below 100"),
    (M, "serviceTimeSeconds: 0.25", "serviceTimeSeconds: fast", "serviceTimeSeconds: fast", "seconds above 0"),
    (M, "withinSeconds: 0.5, ", "", "kind: ggc", "add withinSeconds"),
    (M, "arrivalCv: 1.4", "arrivalCv: -1", "arrivalCv: -1", "0 or more; 1 = random"),
    (M, "unitAvailabilityPercent: 99.9", "unitAvailabilityPercent: 0.999", "0.999", "at least 1 and below 100"),
    (M, "commonCausePercent: 5", "commonCausePercent: 105", "commonCausePercent: 105", "from 0 to 100"),
    (M, "domains: 2", "domains: 0", "domains: 0", "from 1 to 1000"),
    (M, "kind: redundancy", "kind: redundant", "kind: redundant", "try: redundancy"),
    # -- resources
    (F, "redundantUnits: 50", "redundantUnits: 1250", "redundantUnits: 1250", "fewer than unitsNow (1250)"),
    (F, "redundantUnits: 50", "redundantUnits: -1", "redundantUnits: -1", "0 or more units"),
    (F, "minUnits: 400", "minUnits: 1300", "minUnits: 1300", "at most unitsNow (1250)"),
    (F, "leaseMonths: 36", "leaseMonths: 3.5", "leaseMonths: 3.5", "a whole number from 0 to 600"),
    (F, "orderCost: 5000", "orderCost: -1", "orderCost: -1", "an amount of 0 or more"),
    (F, "kwhPerUnitMonth: 2.6", "kWhPerUnitMonth: 2.6", "kWhPerUnitMonth", "try: kwhPerUnitMonth"),
    (F, "co2KgPerUnitMonth: 0.98", "co2KgPerUnitMonth: -2", "co2KgPerUnitMonth: -2", "0 or more kg"),
    (F, "low: 1w, mode: 2w, high: 4w", "low: 3w, mode: 2w, high: 4w", "low: 3w", "low at most mode, mode at most high"),
    (F, "low: 7w, mode: 8w, high: 12w", "low: 7w, mode: 8w, high: 7w", "high: 7w", "reorder the three lengths"),
    (F, "low: 7w, mode: 8w, high: 12w", "low: 7w, mode: 8w", "name: delivery", "add high"),
    (F, "mode: 8w", "mode: 2M", "mode: 2M", "30d for about a month"),
    (F, "leadTime: 14w", "leadTime: 12w", "leadTime: 12w", "try: leadTime: 14w"),
    (F, "name: installation", "name: delivery", "mode: 28d", "each step once"),
    (F, "high: 28d}", "high: 28d, beforeOrder: true}", "mode: 28d", "only steps before the order in front of it"),
    (F, "beforeOrder: true", "beforeOrder: yes", "beforeOrder: yes", "true | false"),
    (F, "{name: delivery, ", "{", "low: 7w", "add name"),
    # -- measures
    (A, "kind: tune", "kind: tuning", "kind: tuning", "try: tune"),
    (A, "label: Compress cold data", "labl: Compress cold data", "labl:", "try: label"),
    (A, "services: [desk]", "services: [desc]", "services: [desc]", "try: desk"),
    (A, "services: [desk]", "services: []", "services: []", "a list with at least one item"),
    (A, "resource: storage", "resource: storrage", "storrage", "a declared resource"),
    (A, "  resource: storage\n", "", "perUnitMultiplier: 1.15", "perUnitMultiplier only with resource"),
    (A, "demandMultiplier: 0.9", "demandMultiplier: -0.1", "demandMultiplier: -0.1", "a factor of 0 or more"),
    (A, "peakMultiplier: 0.95", "peakMultiplier: 1.05", "peakMultiplier: 1.05", "above 0 and at most 1"),
    (A, "perUnitMultiplier: 1.15", "perUnitMultiplier: 0", "perUnitMultiplier: 0", "a factor above 0"),
    (A, "badMultiplierLow: 0.6", "badMultiplierLow: 0.9", "badMultiplier: 0.8", "reorder the three factors"),
    (A, "  badMultiplierHigh: 1\n", "", "badMultiplierLow: 0.6", "add badMultiplierHigh"),
    (A, "  badMultiplier: 0.8\n", "", "badMultiplierLow: 0.6", "add badMultiplier"),
    (A, "promisedPercent: 99.95", "promisedPercent: 0.9995", "promisedPercent: 0.9995", "try: 99.95"),
    (A, "  promisedPercent: 99.95\n", "", "kind: change_supplier", "add promisedPercent"),
    (A, "  supplierAgreement: uc-mail\n", "", "kind: change_supplier", "add supplierAgreement"),
    (A, "supplierAgreement: uc-mail", "supplierAgreement: uc-male", "uc-male", "try: uc-mail"),
    (A, "supplierAgreement: uc-mail", "supplierAgreement: sla-shop", "sla-shop", "an OLA or UC"),
    (A, "kind: change_supplier", "kind: commit", "promisedPercent", "promisedPercent only with kind change_supplier"),
    (A, "kind: retire", "kind: shape_demand", "savesOpexOfResource", "only with kind retire"),
    (A, "kind: retire, label: Close it, services: [shop], demandMultiplier: 0", "kind: shift_demand, label: Close it, services: [shop]", "kind: shift_demand", "add peakMultiplier"),
    (A, "capex: 38000", "capex: -38000", "capex: -38000", "an amount of 0 or more"),
    (A, "opexPerMonth: -250.5", "opexPerMonth: 1.250,5", "1.250,5", "negative = saved"),
    (A, "leadTime: 4w", "leadTime: 4 weeks", "4 weeks", "a whole number and m"),
    (A, "availableFrom: 2027-01-15", "availableFrom: 15.1.2027", "15.1.2027", "a date as YYYY-MM-DD"),
    (A, "currency: EUR", "currency: CHF", "currency: CHF", "the project's currency (EUR)"),
    # -- drivers
    (D, "category: market", "category: marketing", "category: marketing", "try: market"),
    (D, "  statement: A campaign doubles demand\n", "", "category: market", "add statement"),
    (D, "horizon: H2", "horizon: 2", "horizon: 2", "H1 | H2 | H3"),
    (D, "status: plan", "status: planned", "status: planned", "try: plan"),
    (D, "likelihoodPercent: 90", "likelihoodPercent: 0", "likelihoodPercent: 0", "above 0 and at most 100"),
    (D, "likelihoodPercent: 90", "likelihood: 0.9", "likelihood: 0.9", "try: likelihoodPercent"),
    (D, "services: [shop, desk]", "services: [shop, dsk]", "dsk", "try: desk"),
    (D, "{service: shop, metric: requests, kind: multiplier", "{service: shop, metric: request, kind: multiplier", "metric: request,", "try: requests"),
    (D, "{service: desk, metric: calls", "{service: dessk, metric: calls", "dessk", "try: desk"),
    (D, "{service: desk, metric: calls", "{service: desk", "kind: trend", "add metric"),
    (D, "{service: shop, metric: requests, kind: multiplier", "{driver: x, service: shop, metric: requests, kind: multiplier", "driver: x", "got 'driver'"),
    (D, "kind: trend", "kind: trends", "kind: trends", "try: trend"),
    (D, "end: 2027-03-08", "end: 2027-03-01", "end: 2027-03-01", "a day after start"),
    (D, "low: 1.8, mode: 2,", "low: -1, mode: 2,", "low: -1", "a factor of 0 or more"),
    (D, "low: 1.8, mode: 2,", "low: 2.1, mode: 2,", "low: 2.1", "low at most mode"),
    (D, "start: 2027-03-01, low: -0.5", "low: -0.5", "kind: trend", "add start"),
    (D, "rampDays: 2", "rampDays: 0.5", "rampDays: 0.5", "a whole number from 0"),
    (D, "resource: storage, kind: price_multiplier", "resource: storag, kind: price_multiplier", "storag,", "try: storage"),
    (D, "kind: price_multiplier", "kind: price", "kind: price", "price_multiplier | units_multiplier"),
    (D, "low: 0.9, mode: 1, high: 1.2", "low: -0.9, mode: 1, high: 1.2", "low: -0.9", "a factor of 0 or more"),
    (D, "above: 2000.5, below: 100, ", "", "Orders pass", "above or below with it"),
    (D, "service: shop, metric: requests, above", "above", "above: 2000.5", "above and below only with metric"),
    (D, "service: shop, metric: requests, above", "metric: requests, above", "Orders pass", "add service"),
    (D, "{statement: The board decides, ", "{", "due: 2026-12-15", "add statement"),
    (D, "due: 2027-02-01", "due: soon", "due: soon", "a date as YYYY-MM-DD"),
    (D, "plannedUntil: 2027-03-31", "plannedUntil: 2027-02-28", "plannedUntil: 2027-02-28", "try: plannedUntil: 2027-03-01"),
    (D, "happened: true, ", "", "outcome: {", "add happened"),
    (D, "happened: true", "happened: 'true'", "outcome: {", "true | false"),
    (D, "happened: true", "happened: false", "size: 1.9", "a size only where it happened"),
    (D, "on: 2027-03-09, ", "", "outcome: {", "add on"),
    (D, "services: [desk]}", "outcome: {happened: true, on: 2027-01-01, size: 2}, services: [desk]}", "outcome: {happened: true, on: 2027-01-01", "only where an effect says"),
    (D, ", services: [desk]}", "}", "Licences get dearer", "effects, resourceEffects or services"),
    (D, "name: d9-licence", "name: d1-campaign", "d1-campaign", "one HorizonDriver of that name"),
    # -- scenarios
    (S, "drivers: [d1-campaign, d9-licence]", "drivers: [d1-campain, d9-licence]", "d1-campain", "a declared horizon driver"),
    (S, "without: [d2-law]\n  prob", "without: [d9-licence]\n  prob", "without: [d9-licence]", "drivers that do not happen in it"),
    (S, "spec: {without: [d2-law]}", "spec: {without: [d9-licence]}", "without: [d9-licence]", "d9-licence is of status watch"),
    (S, "spec: {without: [d2-law]}", "spec: {description: Nothing}", "description: Nothing", "add effects or drivers"),
    (S, "probabilityPercent: 12.5", "probabilityPercent: 112", "probabilityPercent: 112", "above 0 and at most 100"),
    (S, "probabilityPercent: 12.5", "probability: 0.125", "probability: 0.125", "try: probabilityPercent"),
    (S, "{driver: strike, resource", "{resource", "kind: lead_time_multiplier", "add driver"),
    (S, "resource: storage", "resource: store", "resource: store", "try: storage"),
    (S, "end: 2027-06-01", "end: 2027-01-01", "end: 2027-01-01", "a day after start"),
    (S, "metric: calls", "metric: cals", "metric: cals", "try: calls"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "at", "said"), MISTAKES, ids=lambda value: str(value)[:40])
def test_each_mistake_is_named_with_its_line_and_a_way_out(
    file: str, old: str, new: str, at: str, said: str, tmp_path: Path
) -> None:
    assert FILES[file].count(old) >= 1, "the table is wrong"
    text = FILES[file].replace(old, new, 1)
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, {**FILES, file: text})
    matching = [p for p in caught.value.problems if said in str(p)]
    assert matching, str(caught.value)
    problem = matching[0]
    assert problem.file == f"catalogue/{file}"
    assert problem.line is not None
    assert at in text.splitlines()[problem.line - 1], f"line {problem.line}: {problem}"
    assert problem.argument
    assert problem.allowed
    assert problem.try_instead


def test_no_mistake_is_listed_twice() -> None:
    assert len({(file, old, new) for file, old, new, _, _ in MISTAKES}) == len(MISTAKES)


def test_a_catalogue_without_them_has_none(tmp_path: Path) -> None:
    found = load(tmp_path, {"base.yaml": BASE})
    assert (found.resources, found.measures, found.horizon_drivers, found.scenarios) == ((), (), (), ())
