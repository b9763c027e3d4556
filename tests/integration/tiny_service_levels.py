"""A workspace of seven small services, 70 days up to 1 May 2027, whose attainments are worked out by hand.

The zone is Europe/Berlin: March has 743 hours (clocks go forward in the night to the 28th), April 720.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
from conftest import run

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = datetime(2027, 2, 20, tzinfo=BERLIN), datetime(2027, 5, 1, tzinfo=BERLIN)
APRIL = "2027-04-20"
"""Twenty-one days before the end of the fixture's last month: nothing happens after it."""

DOWN = {
    # shop: 90 minutes in March, 20 minutes in April
    "shop": (("2027-03-12 10:00", "2027-03-12 11:30"), ("2027-04-10 10:00", "2027-04-10 10:20")),
    # mirror: an hour in March; in April ten minutes, within the shop's twenty
    "mirror": (("2027-03-20 10:00", "2027-03-20 11:00"), ("2027-04-10 10:10", "2027-04-10 10:20")),
    # erp: an hour in agreed test time, an hour of which half lies in service hours, an hour of maintenance, a Sunday
    "erp": (
        ("2027-04-08 10:30", "2027-04-08 11:30"),
        ("2027-04-09 21:30", "2027-04-09 22:30"),
        ("2027-04-14 06:00", "2027-04-14 07:00"),
        ("2027-04-11 10:00", "2027-04-11 18:00"),
    ),
    # link: two hours in March
    "link": (("2027-03-15 10:00", "2027-03-15 12:00"),),
}
STEPS = {"shop": 5, "mirror": 5, "erp": 30, "link": 60}
METRICS = {"shop": "up", "mirror": "up", "erp": "erp_up", "link": "link_down_seconds"}


def at(text: str) -> pd.Timestamp:
    """Return the UTC instant of a wall-clock time."""
    return pd.Timestamp(text, tz=BERLIN).tz_convert("UTC")


def _measured(service: str) -> pd.DataFrame:
    step = STEPS[service]
    instants = pd.date_range(FIRST, LAST, freq=f"{step}min", inclusive="left").tz_convert("UTC")
    down = pd.Series(0, index=instants)
    for begin, end in DOWN[service]:
        down[(instants >= at(begin)) & (instants < at(end))] = 1
    values = down * step * 60 if service == "link" else 1 - down
    stamps = instants.strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"service": service, "metric": METRICS[service], "at": stamps, "value": values.to_numpy()})


def _batch() -> pd.DataFrame:
    """Minutes from 22:00 of the evening before: 450 on two days, of which one night has an hour less."""
    days = pd.date_range(FIRST.date(), LAST.date(), freq="D", inclusive="left")
    minutes = [450 if f"{d:%m-%d}" in ("03-28", "03-30") else 300 for d in days]
    stamps = [at(f"{d:%Y-%m-%d} 00:00").strftime("%Y-%m-%dT%H:%M:%SZ") for d in days]
    return pd.DataFrame({"service": "batch", "metric": "batch_minutes", "at": stamps, "value": minutes})


TICKETS = """\
number,service,opened_at,resolved_at,kind,priority
T0,desk,2027-02-22 09:00,2027-02-22 10:00,incident,1
T1,desk,2027-04-01 09:00,2027-04-01 12:00,incident,1
T2,desk,2027-04-02 17:00,2027-04-05 09:00,incident,1
T3,desk,2027-04-06 09:00,2027-04-07 09:00,incident,1
T4,desk,2027-04-12 09:00,2027-04-12 17:00,incident,1
T5,desk,2027-04-13 09:00,2027-04-13 09:30,incident,2
"""
"""Due after 8 business hours of 08:00 to 18:00: T1 and T2 (1 h on Friday, 1 h on Monday) good, T3 late (10 h), T4 good
to the minute, T5 of another priority."""

PROJECT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: tiny}
spec:
  organisation: Tiny
  currency: EUR
  zone: Europe/Berlin
  catalogue: catalogue
  metrics:
    up: {kind: ratio, unit: "1", step: 5m}
    erp_up: {kind: ratio, unit: "1", step: 30m}
    link_down_seconds: {kind: non_negative, unit: s, step: 1h}
    batch_minutes: {kind: non_negative, unit: min, step: 1d}
  sources:
    - {name: monitoring, path: monitoring.csv, layout: long}
    - name: desk
      kind: tickets
      path: tickets.csv
      columns: {ticket: number, opened: opened_at, resolved: resolved_at}
      zone: Europe/Berlin
"""

CATALOGUE = """\
apiVersion: forecasting/v1
kind: Customer
metadata: {name: sales}
spec: {displayName: Sales department}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: it}
spec: {displayName: IT department}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: desk-hours}
spec: {zone: Europe/Berlin, weekly: {mon-fri: ["08:00-18:00"]}}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: erp-hours}
spec:
  zone: Europe/Berlin
  weekly: {mon-sat: ["06:00-22:00"]}
  dates: {2027-04-05: []}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast-burn}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: email}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: fast-burn}]
  notificationTargets: [{targetRef: on-call}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-shop}
spec:
  kind: SLA
  service: shop
  customer: sales
  provider: it
  promise: The shop is up 99.9 % of each month.
  validFrom: 2027-01-01
  currency: EUR
  grace: 5d
  reliesOn: [uc-link]
  objectives:
    - name: shop-up
      targetPercent: 99.9
      alertPolicies: [page]
      indicator: {availability: {metric: up, measures: up}}
      window: {calendar: month, zone: Europe/Berlin}
  credits:
    feePerPeriod: 10000
    capPercent: 25
    tiers: [{belowPercent: 99.9, creditPercent: 5}, {belowPercent: 99.8, creditPercent: 10}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-mirror-old}
spec:
  kind: SLA
  service: mirror
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  validUntil: 2027-03-31
  objectives:
    - name: mirror-up-old
      targetPercent: 99.9
      indicator: {availability: {metric: up, measures: up}}
      window: {calendar: month, zone: Europe/Berlin}
  credits:
    feePerPeriod: 1000
    capPercent: 100
    tiers: [{belowPercent: 99.9, amount: 123.45}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-mirror}
spec:
  kind: SLA
  service: mirror
  customer: sales
  provider: it
  replaces: sla-mirror-old
  validFrom: 2027-04-01
  currency: EUR
  objectives:
    - name: mirror-up
      targetPercent: 99.5
      indicator: {availability: {metric: up, measures: up}}
      window: {calendar: month, zone: Europe/Berlin}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-either}
spec:
  kind: SLA
  service: portal
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  objectives:
    - name: either-up
      targetPercent: 99.9
      method: Timeslices
      sliceWindow: 5m
      sliceTargetPercent: 100
      indicator: {composite: {required: 1, components: [{objective: shop-samples}, {objective: mirror-samples}]}}
      window: {calendar: month, zone: Europe/Berlin}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-erp}
spec:
  kind: SLA
  service: erp
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  serviceHours: erp-hours
  maintenance: [{weekdays: [wed], span: "06:00-07:00", zone: Europe/Berlin, reason: patching}]
  exclusions:
    - {from: "2027-04-08T10:00:00+02:00", until: "2027-04-08T12:00:00+02:00", reason: restore test, approvedBy: J. Doe}
  objectives:
    - name: erp-up
      targetPercent: 99
      indicator: {availability: {metric: erp_up, measures: up}}
      window: {calendar: month, zone: Europe/Berlin}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-desk}
spec:
  kind: SLA
  service: desk
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  objectives:
    - name: desk-resolved
      targetPercent: 80
      indicator: {ticket: {stage: resolution, within: 8h, calendar: desk-hours, priorities: ["1"]}}
      window: {calendar: month, zone: Europe/Berlin}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-batch}
spec:
  kind: SLA
  service: batch
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  objectives:
    - name: batch-in-time
      targetPercent: 97
      indicator: {deadline: {metric: batch_minutes, by: "06:00", start: "22:00", startDay: previous}}
      window: {calendar: month, zone: Europe/Berlin}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: uc-link}
spec:
  kind: UC
  service: link
  customer: it
  provider: carrier
  validFrom: 2027-01-01
  currency: EUR
  objectives:
    - name: link-up
      targetPercent: 99.9
      indicator: {availability: {metric: link_down_seconds, measures: down_seconds}}
      window: {calendar: month, zone: Europe/Berlin}
  credits:
    feePerPeriod: 2000
    capPercent: 50
    claimWithin: 30d
    tiers: [{belowPercent: 99.9, creditPercent: 10}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: ola-shop}
spec:
  kind: OLA
  service: shop
  customer: sales
  provider: it
  validFrom: 2027-01-01
  currency: EUR
  grace: 5d
  objectives:
    - name: shop-trailing
      targetPercent: 99.9
      indicator: {availability: {metric: up, measures: up}}
      window: {rolling: 30d, zone: Europe/Berlin}
"""

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}-samples}}
spec:
  service: {name}
  indicator:
    metadata: {{name: {name}-samples-indicator}}
    spec: {{thresholdMetric: {{metricSource: {{type: forecasting, spec: {{metric: up}}}}}}}}
  timeWindow:
    - {{duration: 1M, isRolling: false, calendar: {{startTime: "2027-01-01 00:00:00", timeZone: Europe/Berlin}}}}
  budgetingMethod: Occurrences
  objectives: [{{op: gte, value: 1, target: 0.99}}]
---
"""

SERVICES = ("shop", "mirror", "portal", "erp", "desk", "batch", "link")


def write(folder: Path) -> Path:
    """Write the inputs: project, catalogue, measurements and tickets."""
    (folder / "catalogue").mkdir(parents=True)
    (folder / "forecasting.yaml").write_text(PROJECT, encoding="utf-8")
    services = "".join(
        f"apiVersion: openslo/v1\nkind: Service\nmetadata:\n  name: {name}\n"
        "  annotations: {forecasting/zone: Europe/Berlin}\nspec: {}\n---\n"
        for name in SERVICES
    )
    slos = "".join(SLO.format(name=name) for name in ("shop", "mirror"))
    (folder / "catalogue" / "all.yaml").write_text(services + slos + CATALOGUE, encoding="utf-8")
    rows = pd.concat([*(_measured(name) for name in STEPS), _batch()])
    rows.to_csv(folder / "monitoring.csv", index=False)
    (folder / "tickets.csv").write_text(TICKETS, encoding="utf-8")
    return folder


def ingested(base: Path) -> Path:
    """Return the workspace with its data in the store, made once for `base`; copy it before changing anything."""
    folder = base / "tiny-service-levels"
    if not folder.exists():
        write(folder)
        answer = run("ingest", "-w", folder)
        assert answer.code == 0, answer.err
    return folder
