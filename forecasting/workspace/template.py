"""The files of a new workspace: a commented project file, a small catalogue and the header of a metric file."""

from __future__ import annotations

from pathlib import Path

PROJECT = """\
# What the numbers mean and where they are. `forecasting ingest` reads the sources, `forecasting plan` does the rest.
apiVersion: forecasting/v1
kind: Project
metadata: {name: my-services}
spec:
  organisation: My organisation
  currency: EUR
  zone: Europe/Berlin            # where a date given as --as-of begins
  catalogue: catalogue
  metrics:
    # kind: count (events, add up) | ratio (0 to 1) | non_negative (levels, durations) | real
    requests: {kind: count, unit: requests, step: 1h, description: Requests in the hour}
    good_requests: {kind: count, unit: requests, step: 1h, description: Requests answered without error}
  sources:
    - {name: requests, path: metrics.csv, layout: long, zone: UTC}   # columns service,metric,at,value
"""

CATALOGUE = """\
apiVersion: openslo/v1
kind: Service
metadata:
  name: web-shop
  displayName: Web shop
  annotations: {forecasting/zone: Europe/Berlin, forecasting/country: DE}
spec: {description: The shop that customers order in}
---
apiVersion: forecasting/v1
kind: DemandDriver
metadata: {name: web-shop-requests}
spec: {service: web-shop, metric: requests}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: sales}
spec: {displayName: Sales}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: web-shop-success, displayName: Successful requests}
spec:
  service: web-shop
  description: Share of requests answered without error
  indicator:
    metadata: {name: web-shop-success-ratio}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: forecasting, spec: {metric: good_requests}}}
        total: {metricSource: {type: forecasting, spec: {metric: requests}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: Success, targetPercent: 99.95}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-web-shop}
spec:
  kind: SLA
  version: "1"
  service: web-shop
  customer: sales
  provider: platform
  promise: 99.9 % of requests succeed in each calendar month.
  validFrom: 2020-01-01
  currency: EUR
  objectives:
    - name: web-shop-success-sla
      slo: web-shop-success
      targetPercent: 99.9
      window: {calendar: month, zone: Europe/Berlin}
  credits:
    feePerPeriod: 10000
    capPercent: 25
    tiers: [{belowPercent: 99.9, creditPercent: 5}, {belowPercent: 99.5, creditPercent: 10}]
  owner: service level manager
# What is planned moves the forecast: its past occurrences teach what the next one does.
# ---
# apiVersion: forecasting/v1
# kind: PlannedEvent
# metadata: {name: spring-sale}
# spec:
#   services: [web-shop]                       # left out: all; so with metrics
#   occurrences:
#     - {from: 2026-03-02, until: 2026-03-08}  # local days, both included
#     - {from: 2027-03-01, until: 2027-03-07}
#   effect: {percent: 40, source: Marketing plan 2027}   # used only while the past has none of it
# Services that add up: forecasts of the total and of its parts agree on every path.
# ---
# apiVersion: forecasting/v1
# kind: Hierarchy
# metadata: {name: shop-requests}
# spec: {metric: requests, total: web-shop, parts: [web-shop-de, web-shop-at], method: mint}   # or bottom-up
"""

METRICS = "service,metric,at,value\n"


def write_template(folder: Path, *, replace: bool = False) -> None:
    """Write the template into a folder; files that exist are kept unless they are to be replaced."""
    if replace:
        drop_documents(folder, "catalogue")
    for name, text in (
        ("forecasting.yaml", PROJECT),
        ("catalogue/web-shop.yaml", CATALOGUE),
        ("metrics.csv", METRICS),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if replace or not path.exists():
            path.write_text(text, encoding="utf-8")


def drop_documents(folder: Path, catalogue: str) -> None:
    """Remove the documents of a catalogue that is replaced: they would speak of services that are gone."""
    if (folder / catalogue).resolve() == folder.resolve():
        return  # a catalogue in the workspace's own folder: what else lies there is not ours to remove
    for old in sorted((folder / catalogue).rglob("*")):
        if old.suffix in (".yaml", ".yml") and old.is_file():
            old.unlink()
