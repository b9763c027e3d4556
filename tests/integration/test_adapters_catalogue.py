"""The catalogue loader: the formats load exactly, and each mistake is named with file, line and a way out."""

# ruff: noqa: E501 - the table of mistakes reads best with one mistake a line

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.agreement import AgreementKind, CreditTier
from forecasting.terms.catalogue import Covariate, ErlangCModel, GrowingStockModel, ResponseCurveModel
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import CalendarWindow, RatioIndicator, RollingWindow, ThresholdIndicator

SERVICES = """\
apiVersion: openslo/v1
kind: Service
metadata:
  name: lga-dl
  displayName: Delta at LaGuardia
  annotations: {forecasting/tier: carrier, forecasting/zone: America/New_York, forecasting/country: US,
                forecasting/depends-on: "lga", forecasting/owner: Network planning, team/chat: "#ops"}
spec: {description: Delta}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: lga}
spec: {description: The airport}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: port-authority}
spec: {displayName: Port Authority}
---
apiVersion: forecasting/v1
kind: DemandDriver
metadata: {name: lga-departures}
spec: {service: lga, metric: scheduled, description: Departures}
---
apiVersion: forecasting/v1
kind: Covariate
metadata: {name: lga-wind, displayName: Wind}
spec: {service: lga, metric: wind_kmh, knownAhead: true}
---
apiVersion: forecasting/v1
kind: Covariate
metadata: {name: lga-dl-wind}
spec: {service: lga-dl, metric: wind_kmh, description: Wind at the stand}
"""
SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: lga-dl-on-time, displayName: On time}
spec:
  service: lga-dl
  description: On time
  indicator:
    metadata: {name: lga-dl-on-time-ratio}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: forecasting, spec: {metric: on_time}}}
        total: {metricSource: {type: forecasting, spec: {metric: scheduled}}}
  timeWindow:
    - {duration: 1M, isRolling: false, calendar: {startTime: 2013-01-01 00:00:00, timeZone: America/New_York}}
  budgetingMethod: Occurrences
  objectives:
    - {displayName: On time, target: 0.80}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: lga-latency}
spec:
  service: lga
  indicator: {spec: {thresholdMetric: {metricSource: {type: forecasting, spec: {metric: latency_ms}}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{targetPercent: 99.95, op: lt, value: 350}]
"""
AGREEMENT = """\
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-lga-dl}
spec:
  kind: SLA
  version: 1.10
  service: lga-dl
  customer: port-authority
  provider: delta
  promise: At least 80 % leave on time.
  validFrom: 2013-01-01
  validUntil: "2013-12-31"
  currency: USD
  priceDate: 2013-01-01
  objectives:
    - name: lga-dl-on-time-sla
      slo: lga-dl-on-time
      targetPercent: 80
      window: {calendar: month, zone: America/New_York}
      minimumEvents: 100
  credits:
    feePerPeriod: 250000
    capPercent: 15
    tiers: [{belowPercent: 80, creditPercent: 5}, {belowPercent: 75, creditPercent: 10}]
  lossPerBadEvent: 450
  workloadLimit: {metric: scheduled, perSlice: 3000, effect: target suspended}
  reliesOn: [ola-runway]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: ola-runway}
spec:
  kind: OLA
  service: lga
  customer: port-authority
  provider: faa
  validFrom: 2013-01-01
  objectives:
    - name: latency
      slo: lga-latency
      target: 0.99
      value: 400
      window: {rolling: 30d, zone: UTC}
"""
RESOURCE = """\
apiVersion: forecasting/v1
kind: Resource
metadata: {name: slots}
spec:
  description: Slots
  services: [lga, lga-dl]
  use: {service: lga, metric: scheduled}
  unit: departures per hour
  unitsNow: 40
  usablePercent: 85
  stepUnits: 2
  maxUnits: 60
  model: {kind: response_curve, good: on_time, total: scheduled}
  costPerUnitMonth: 90000
  currency: USD
  leadTime: 63d
---
apiVersion: forecasting/v1
kind: Resource
metadata: {name: agents}
spec:
  services: [lga]
  use: {service: lga, metric: scheduled}
  unit: agents
  unitsNow: 12
  model: {kind: erlang_c, handlingTimeSeconds: 420, answerWithinSeconds: 20, targetPercent: 80, intervalMinutes: 30}
---
apiVersion: forecasting/v1
kind: Resource
metadata: {name: disk}
spec:
  services: [lga]
  use: {service: lga, metric: latency_ms}
  unit: TB
  unitsNow: 1.5
  model: {kind: growing_stock}
"""
FILES = {"a-services.yaml": SERVICES, "b-slo.yaml": SLO, "c-sla.yaml": AGREEMENT, "d-resource.yaml": RESOURCE}
METRICS = {
    "scheduled": Metric(name="scheduled", kind=MetricKind.COUNT),
    "on_time": Metric(name="on_time", kind=MetricKind.COUNT),
    "latency_ms": Metric(name="latency_ms", kind=MetricKind.NON_NEGATIVE),
    "wind_kmh": Metric(name="wind_kmh", kind=MetricKind.NON_NEGATIVE),
}


def write(folder: Path, files: dict[str, str]) -> YamlFolder:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return YamlFolder(folder, METRICS, currency="USD")


def test_every_kind_loads_with_exact_numbers(tmp_path: Path) -> None:
    catalogue = write(tmp_path / "catalogue", FILES).load()
    service = catalogue.services["lga-dl"]
    assert (service.tier, service.depends_on, service.zone, service.owner, service.country) == (
        "carrier", ("lga",), "America/New_York", "Network planning", "US",
    )  # fmt: skip
    assert catalogue.customers == {"port-authority": "Port Authority"}
    assert catalogue.drivers["lga"].metric == "scheduled"
    assert catalogue.covariates == (
        Covariate(name="lga-wind", service="lga", metric="wind_kmh", known_ahead=True, description="Wind"),
        Covariate(name="lga-dl-wind", service="lga-dl", metric="wind_kmh", description="Wind at the stand"),
    )
    on_time, latency = catalogue.objectives
    assert on_time.target == Decimal("0.80")
    assert on_time.indicator == RatioIndicator(good="on_time", total="scheduled")
    assert on_time.window == CalendarWindow(unit="month", zone="America/New_York")
    assert latency.target == Decimal("0.9995")
    assert latency.indicator == ThresholdIndicator(metric="latency_ms", op="lt", limit=Decimal(350))
    assert latency.window == RollingWindow(length=timedelta(days=30), zone="UTC")
    sla, ola = catalogue.agreements
    assert (sla.kind, sla.version, sla.valid_from, sla.valid_until) == (
        AgreementKind.SLA, "1.10", date(2013, 1, 1), date(2013, 12, 31),
    )  # fmt: skip
    assert sla.objectives[0].minimum_events == 100
    assert sla.credits is not None
    assert sla.credits.tiers[1] == CreditTier(below=Decimal("0.75"), share_of_fee=Decimal("0.10"))
    assert (sla.credits.cap_share, sla.loss_per_bad_event, sla.relies_on) == (Decimal("0.15"), 450, ("ola-runway",))
    assert ola.objectives[0].indicator == ThresholdIndicator(metric="latency_ms", op="lt", limit=Decimal(400))
    assert (ola.currency, ola.valid_until) == ("USD", None)
    slots, agents, disk = catalogue.resources
    assert slots.model == ResponseCurveModel(good="on_time", bad=None, total="scheduled")
    assert (slots.lead_time, slots.usable_share, slots.max_units) == (timedelta(days=63), Decimal("0.85"), 60)
    assert isinstance(agents.model, ErlangCModel)
    assert (agents.model.target, agents.model.interval_minutes) == (Decimal("0.80"), 30)
    assert (disk.model, disk.units_now, disk.usable_share) == (GrowingStockModel(), Decimal("1.5"), 1)


def test_version_changes_with_content_and_not_with_comments(tmp_path: Path) -> None:
    first = write(tmp_path / "catalogue", FILES).load().version
    commented = {**FILES, "b-slo.yaml": "# a comment\n\n" + SLO}
    assert write(tmp_path / "catalogue", commented).load().version == first
    changed = {**FILES, "b-slo.yaml": SLO.replace("0.80", "0.81")}
    assert write(tmp_path / "catalogue", changed).load().version != first


MISTAKES = [
    # file, what is there, what a person writes instead, line text it must point at, words of the message
    ("b-slo.yaml", "target: 0.80", "target: 99.9", "99.9", "try: targetPercent: 99.9"),
    ("b-slo.yaml", "target: 0.80", "target: 99.9%", "99.9%", "targetPercent: 99.9"),
    ("b-slo.yaml", "target: 0.80", 'target: "0,8"', "0,8", "0.8 (a decimal point)"),
    ("b-slo.yaml", "target: 0.80", "target: 0.80, targetPercent: 80", "targetPercent: 80", "one of the two"),
    ("b-slo.yaml", "target: 0.80", "target: 1", "target: 1}", "above 0 and below 1"),
    ("b-slo.yaml", "target: 0.80", "target: 0", "target: 0}", "above 0 and below 1"),
    ("b-slo.yaml", "target: 0.80", "target: -1", "target: -1", "above 0 and below 1"),
    ("b-slo.yaml", "target: 0.80", "target: .nan", ".nan", "above 0 and below 1"),
    ("b-slo.yaml", "target: 0.80", "target: .inf", ".inf", "above 0 and below 1"),
    ("b-slo.yaml", "target: 0.80", "targetPercent: 100", "targetPercent: 100", "99.99"),
    ("b-slo.yaml", "target: 0.80", "targetPercent: 0.999", "targetPercent: 0.999", "try: target: 0.999"),
    ("b-slo.yaml", "displayName: On time, target: 0.80", "displayName: On time", "displayName: On time}", "add target"),
    ("b-slo.yaml", "objectives:\n    - {disp", "objctives:\n    - {disp", "objctives", "try: objectives"),
    ("b-slo.yaml", "kind: SLO", "kind: SLQ", "kind: SLQ", "try: SLO"),
    ("b-slo.yaml", "kind: SLO", "kind: AlertPolicy", "service: lga-dl", "exactly one condition"),
    ("b-slo.yaml", "apiVersion: openslo/v1", "apiVersion: openslo/v2alpha", "v2alpha", "openslo/v1"),
    ("b-slo.yaml", "service: lga-dl", "service: lga-d1", "service: lga-d1", "try: lga-dl"),
    ("b-slo.yaml", "metric: on_time", "metric: ontime", "metric: ontime", "try: on_time"),
    ("b-slo.yaml", "metric: on_time", "metric: latency_ms", "metric: latency_ms", "kind count"),
    ("b-slo.yaml", "        good: {", "        bad: {metricSource: {spec: {metric: on_time}}}\n        good: {", "good: {",
     "exactly one of good and bad"),
    ("b-slo.yaml", "type: forecasting, spec: {metric: on_time}", "type: Prometheus, spec: {}", "Prometheus",
     "what to ask the source"),
    ("b-slo.yaml", "duration: 1M", "duration: 24h", "duration: 24h", "1M"),
    ("b-slo.yaml", "duration: 30d", "duration: 1m", "duration: 1m", "1M"),
    ("b-slo.yaml", "2013-01-01 00:00:00", "2013-01-32 00:00:00", "2013-01-32", "without an offset"),
    ("b-slo.yaml", "timeZone: America/New_York", "timeZone: America/New_Yrok", "New_Yrok", "try: America/New_York"),
    ("b-slo.yaml", "budgetingMethod: Occurrences", "budgetingMethod: Timeslices", "displayName: On time, target: 0.80", "timeSliceTarget"),
    ("b-slo.yaml", "op: lt, value: 350", "value: 350", "targetPercent: 99.95", "objectives[0].op"),
    ("b-slo.yaml", "op: lt, value: 350", "op: lt", "op: lt", "objectives[0].value"),
    ("b-slo.yaml", "op: lt", "op: less", "op: less", "lt | lte"),
    ("b-slo.yaml", "target: 0.80", "target: 0.80, op: under", "op: under", "lt | lte"),
    ("b-slo.yaml", "counter: true", "counter: yes", "counter: yes", "true | false"),
    ("b-slo.yaml", "name: lga-latency", "name: lga-dl-on-time", "{name: lga-dl-on-time}", "first at catalogue/b-slo.yaml:3"),
    ("b-slo.yaml", "name: lga-latency", 'name: "***"', "***", "a short name"),
    ("c-sla.yaml", "slo: lga-dl-on-time", "slo: lga-dl-ontime", "lga-dl-ontime", "try: lga-dl-on-time"),
    ("c-sla.yaml", "slo: lga-dl-on-time", "slo: lga-latency", "slo: lga-latency", "is of lga"),
    ("c-sla.yaml", "customer: port-authority\n  provider: delta", "customer: port\n  provider: delta", "customer: port\n",
     "port-authority"),
    ("c-sla.yaml", "reliesOn: [ola-runway]", "reliesOn: [ola-runaway]", "ola-runaway", "try: ola-runway"),
    ("c-sla.yaml", "provider: faa", "provider: faa\n  reliesOn: [sla-lga-dl]", "name: ola-runway}", "no cycle"),
    ("c-sla.yaml", 'validUntil: "2013-12-31"', "validUntil: 2012-12-31", "2012-12-31", "on or after validFrom"),
    ("c-sla.yaml", "priceDate: 2013-01-01", "priceDate: 01/02/2013", "01/02/2013", "YYYY-MM-DD"),
    ("c-sla.yaml", "priceDate: 2013-01-01", "priceDate: 2013-02-30", "2013-02-30", "YYYY-MM-DD"),
    ("c-sla.yaml", "currency: USD", "currency: EUR", "currency: EUR", "project's currency (USD)"),
    ("c-sla.yaml", "belowPercent: 80, creditPercent: 5}, {belowPercent: 75", "belowPercent: 75, creditPercent: 5}, "
     "{belowPercent: 80", "belowPercent: 75", "highest belowPercent"),
    ("c-sla.yaml", "belowPercent: 80, creditPercent: 5", "belowPercent: 85, creditPercent: 5", "belowPercent: 85", "target"),
    ("c-sla.yaml", "capPercent: 15", "capPercent: 7", "creditPercent: 10", "capPercent (7)"),
    ("c-sla.yaml", "feePerPeriod: 250000", "feePerPeriod: 250,000", "250,000", "250000"),
    ("c-sla.yaml", "lossPerBadEvent: 450", "lossPerBadEvent: -450", "-450", "0 or more"),
    ("c-sla.yaml", "calendar: month", "calendar: monthly", "monthly", "try: month"),
    ("c-sla.yaml", "rolling: 30d", "rolling: 36h", "36h", "whole days"),
    ("c-sla.yaml", "kind: OLA", "kind: ola", "kind: ola", "try: OLA"),
    ("c-sla.yaml", "metric: scheduled", "metric: schedulled", "schedulled", "try: scheduled"),
    ("d-resource.yaml", "leadTime: 63d", "leadTime: 2M", "leadTime: 2M", "30d for about a month"),
    ("d-resource.yaml", "leadTime: 63d", "leadTime: 63 days", "63 days", "whole number and m"),
    ("d-resource.yaml", "maxUnits: 60", "maxUnits: 30", "maxUnits: 30", "at least unitsNow"),
    ("d-resource.yaml", "usablePercent: 85", "usablePercent: 120", "usablePercent: 120", "at most 100"),
    ("d-resource.yaml", "kind: growing_stock", "kind: growing_stok", "growing_stok", "try: growing_stock"),
    ("d-resource.yaml", "kind: growing_stock", "kind: growing_stock, total: scheduled", "total: scheduled}\n", "kind"),
    ("d-resource.yaml", "services: [lga, lga-dl]", "services: [lga, lgadl]", "lgadl", "try: lga-dl"),
    ("d-resource.yaml", "answerWithinSeconds: 20", "answerWithin: 20", "answerWithin: 20", "answerWithinSeconds"),
    ("a-services.yaml", 'depends-on: "lga"', 'depends-on: "lga, jfk"', "jfk", "a declared service"),
    ("a-services.yaml", "forecasting/tier", "forecasting/teir", "forecasting/teir", "try: forecasting/tier"),
    ("a-services.yaml", "zone: America/New_York", "zone: ../../etc/passwd", "etc/passwd", "IANA"),
    ("a-services.yaml", "metadata: {name: lga}", "metadata: {name: lga, annotations: {forecasting/depends-on: lga-dl}}",
     "name: lga,", "lga -> lga-dl -> lga"),
    ("a-services.yaml", "metadata: {name: lga}", "metadata: {name: lga-dl}", "{name: lga-dl}", "one Service"),
    ("a-services.yaml", "{service: lga, metric", "{service: lga, service: lga, metric", "service: lga, service", "each key"),
    ("a-services.yaml", "kind: Covariate", "kind: Covarite", "Covarite", "try: Covariate"),
    ("a-services.yaml", "apiVersion: forecasting/v1\nkind: Covariate", "apiVersion: openslo/v1\nkind: Covariate", "openslo/v1",
     "try: forecasting/v1"),
    ("a-services.yaml", "metric: wind_kmh, knownAhead", "metric: wind_khm, knownAhead", "wind_khm", "try: wind_kmh"),
    ("a-services.yaml", "service: lga, metric: wind_kmh", "service: lgaa, metric: wind_kmh", "lgaa", "try: lga"),
    ("a-services.yaml", "metric: wind_kmh, knownAhead: true", "knownAhead: true", "knownAhead: true", "spec.metric"),
    ("a-services.yaml", "{service: lga, metric: wind_kmh, ", "{metric: wind_kmh, ", "knownAhead: true", "spec.service"),
    ("a-services.yaml", "knownAhead: true", "knownAhead: yes", "knownAhead: yes", "true | false"),
    ("a-services.yaml", "knownAhead: true", 'knownAhead: "true"', "knownAhead", "true | false"),
    ("a-services.yaml", "knownAhead: true", "knownAhed: true", "knownAhed", "try: knownAhead"),
    ("a-services.yaml", "metadata: {name: lga-dl-wind}", "metadata: {name: lga-wind}", "name: lga-wind}", "one Covariate"),
    ("a-services.yaml", "metadata: {name: lga-dl-wind}", "metadata: {name: LGA wind}", "LGA wind", "try: lga-wind"),
    ("a-services.yaml", "{service: lga-dl, metric: wind_kmh", "{service: lga, metric: wind_kmh", "{service: lga, metric",
     "one Covariate a metric of a service (lga-wind is there already)"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "good", "bad", "points_at", "said"), MISTAKES)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, file: str, good: str, bad: str, points_at: str, said: str
) -> None:
    assert FILES[file].count(good) >= 1
    text = FILES[file].replace(good, bad, 1)
    source = write(tmp_path / "catalogue", {**FILES, file: text})
    with pytest.raises(CatalogueError) as caught:
        source.load()
    lines = text.splitlines(keepends=True)
    matching = [p for p in caught.value.problems if said in str(p)]
    assert matching, str(caught.value)
    pointed = matching[0]
    assert pointed.file == f"catalogue/{file}"
    assert pointed.line is not None
    nearby = "".join(lines[pointed.line - 1 : pointed.line])
    assert points_at in nearby, f"{pointed} points at {nearby!r}"


def test_all_problems_come_at_once_in_the_order_of_the_files(tmp_path: Path) -> None:
    files = {
        **FILES,
        "b-slo.yaml": SLO.replace("0.80", "99.9").replace("350", "fast"),
        "c-sla.yaml": AGREEMENT.replace("provider: delta", "povider: delta"),
        "e-broken.yaml": "kind: [\n",
    }
    with pytest.raises(CatalogueError) as caught:
        write(tmp_path / "catalogue", files).load()
    found = [(p.file or "").split("/")[1] for p in caught.value.problems]
    assert found == ["b-slo.yaml", "b-slo.yaml", "c-sla.yaml", "c-sla.yaml", "e-broken.yaml"]
    assert str(caught.value).count("\n") == 4


def test_a_damaged_slo_is_not_reported_again_as_unknown(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError) as caught:
        write(tmp_path / "catalogue", {**FILES, "b-slo.yaml": SLO.replace("0.80", "99.9")}).load()
    assert len(caught.value.problems) == 1


def test_two_drivers_for_one_service_are_refused(tmp_path: Path) -> None:
    second = "---\napiVersion: forecasting/v1\nkind: DemandDriver\nmetadata: {name: x}\nspec: {service: lga, metric: on_time}\n"
    with pytest.raises(CatalogueError, match="one DemandDriver a service"):
        write(tmp_path / "catalogue", {**FILES, "a-services.yaml": SERVICES + second}).load()


def test_missing_and_empty_folders_and_links_out_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such folder"):
        YamlFolder(tmp_path / "nowhere", METRICS).load()
    (tmp_path / "empty").mkdir()
    with pytest.raises(CatalogueError, match=r"no \*\.yaml file"):
        YamlFolder(tmp_path / "empty", METRICS).load()
    (tmp_path / "secret.yaml").write_text(SERVICES)
    (tmp_path / "empty" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(CatalogueError, match="inside the workspace"):
        YamlFolder(tmp_path / "empty", METRICS).load()


def test_typos_in_field_names_get_the_right_suggestion(tmp_path: Path) -> None:
    words = [
        "customer",
        "provider",
        "validFrom",
        "objectives",
        "lossPerBadEvent",
        "workloadLimit",
        "reliesOn",
        "credits",
    ]
    right = 0
    for word in words:
        typo = word[:2] + word[3:]
        text = AGREEMENT.replace(f"  {word}:", f"  {typo}:", 1)
        with pytest.raises(CatalogueError) as caught:
            write(tmp_path / "catalogue", {**FILES, "c-sla.yaml": text}).load()
        right += any(p.try_instead == word for p in caught.value.problems)
    assert right == len(words)
