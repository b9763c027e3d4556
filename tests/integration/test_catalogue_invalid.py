"""Catalogues that cannot be used: each mistake is named with file, line, field, what is allowed and a way out."""

# ruff: noqa: E501 - the table of mistakes reads best with one mistake a line

from __future__ import annotations

import re
import string
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters._catalogue_fields import BLOCKS
from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.agreement import CreditTier, EarnBack, Reliance, RepeatRule, Termination
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import BudgetingMethod, CalendarWindow, Rounding
from forecasting.terms.service_time import ExclusionMode, LocalSpan

SERVICES = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: erp}
spec: {description: ERP}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: desk}
spec: {description: Desk}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: finance}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: shop-hours}
spec:
  description: Shop hours
  zone: Europe/Berlin
  weekly:
    mon-fri: ["06:00-12:00", "13:00-22:00"]
    sat,sun: ["22:00-06:00"]
  holidays: {country: DE, subdivision: BE, hours: ["10:00-16:00"]}
  dates: {2026-12-24: ["06:00-14:00"], 2026-12-31: []}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: desk-hours}
spec:
  zone: Europe/Berlin
  versions:
    - {validFrom: 2026-01-01, weekly: {daily: ["00:00-24:00"]}}
    - {validFrom: 2027-01-01, weekly: {mon-fri: ["08:00-18:00"]}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: slo-answered}
spec:
  service: erp
  indicator:
    metadata: {name: answered}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: forecasting, spec: {metric: good}}}
        total: {metricSource: {type: forecasting, spec: {metric: requests}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: Answered, targetPercent: 99.95}]
---
apiVersion: forecasting/v1
kind: Scenario
metadata: {name: campaign}
spec:
  description: Spring
  effects:
    - {driver: campaign, service: erp, metric: requests, kind: multiplier, start: 2027-03-01, end: 2027-03-08, low: 1.8, mode: 2.0, high: 2.3, rampDays: 2, likelihoodPercent: 90, statement: Twice}
"""
AGREEMENT = """\
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-erp}
spec:
  kind: SLA
  version: "2"
  replaces: sla-erp-2025
  service: erp
  customer: finance
  provider: it
  promise: ERP is up.
  validFrom: 2026-01-01
  validUntil: 2026-12-31
  serviceHours: shop-hours
  maintenance:
    - {weekdays: [sun, mon-tue], span: "02:00-04:00", zone: Europe/Berlin, nthOfMonth: [1, -1], validFrom: 2026-02-01, validUntil: 2026-11-30, reason: patching, mode: drop_events}
  exclusions:
    - {from: "2026-11-03T10:00:00+01:00", until: "2026-11-03T12:30:00+01:00", reason: freeze test, approvedBy: J. Doe, evidence: CHG-1234, mode: count_as_good}
  grace: 5d
  reviewMonths: 3
  lastReview: 2026-09-30
  budgetPolicy: Freeze.
  confidential: true
  reliesOn: [ola-a, {agreements: [uc-a, uc-b], required: 1, independent: true}]
  workloadLimit: {metric: requests, perSlice: 500, effect: target scaled}
  objectives:
    - name: up
      displayName: Up
      indicator: {availability: {metric: up, measures: up}}
      targetPercent: 99.5
      method: Timeslices
      sliceWindow: 2h
      sliceTargetPercent: 95
      noTraffic: carry
      noData: bad
      strict: true
      rounding: {decimals: 2, mode: half_even}
      minimumCoveragePercent: 90
      minimumEvents: 10
      window: {calendar: month, zone: Europe/Berlin, count: 2, anchor: "2026-01-15 12:00:00"}
  credits:
    feePerPeriod: 100000
    capPercent: 40
    capPerYear: 90000
    tiers: [{belowPercent: 99.5, creditPercent: 5}, {belowPercent: 99, amount: 20000}]
    repeat: {multiplier: 2, within: 3, compounding: true}
    earnBack: {windows: 3, reachPercent: 99.9, sharePercent: 50}
    proration: none
    claimWithin: 30d
    termination: {misses: 3, within: 12}
    joint: true
  owner: IT
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-erp-2025}
spec:
  kind: SLA
  service: erp
  customer: finance
  provider: it
  validFrom: 2025-01-01
  validUntil: 2025-12-31
  objectives: [{name: up, indicator: {availability: {metric: up}}, targetPercent: 99, window: {calendar: month, zone: UTC}}]
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: ola-a}
spec:
  kind: OLA
  service: desk
  customer: finance
  provider: desk
  validFrom: 2025-01-01
  objectives:
    - {name: outages, indicator: {availability: {outages: [outage, major-incident], logMetric: up}}, targetPercent: 99, window: {calendar: month, zone: UTC}}
    - {name: fast, indicator: {quantile: {metric: latency, quantilePercent: 95, op: lte, value: 400, slice: 1h}}, targetPercent: 99, window: {rolling: 30d, zone: UTC}}
    - {name: batch, indicator: {deadline: {metric: minutes, by: "06:00", calendar: desk-hours, start: "22:00", startDay: previous}}, targetPercent: 97, window: {calendar: quarter, zone: UTC}}
    - {name: solved, indicator: {ticket: {stage: resolution, within: 8h, calendar: desk-hours, kinds: [incident], priorities: ["1"], pauses: false, countedAt: opened}}, targetPercent: 95, window: {calendar: month, zone: UTC}}
    - {name: raw, indicator: {rawRatio: {metric: share, counts: failure}}, targetPercent: 95, window: {calendar: month, zone: UTC}}
    - {name: ratio, indicator: {ratio: {total: requests, good: good, cumulative: true}}, targetPercent: 95, window: {calendar: month, zone: UTC}}
    - {name: samples, indicator: {threshold: {metric: latency}}, op: lt, value: 500, targetPercent: 95, window: {calendar: month, zone: UTC}}
    - {name: both, indicator: {composite: {required: 1, components: [{objective: slo-answered, weight: 0.6}]}}, targetPercent: 95, window: {calendar: month, zone: UTC}}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: uc-a}
spec:
  kind: UC
  service: desk
  customer: finance
  provider: carrier
  validFrom: 2025-01-01
  objectives: [{name: line-a, indicator: {availability: {metric: seconds, measures: up_seconds}}, targetPercent: 99.9, window: {calendar: month, zone: UTC}}]
  credits: {feePerPeriod: 3400, perHourPercent: 10}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: uc-b}
spec:
  kind: UC
  service: desk
  customer: finance
  provider: carrier
  validFrom: 2025-01-01
  objectives: [{name: line-b, indicator: {ratio: {total: requests, bad: bad}}, targetPercent: 99.9, window: {calendar: month, zone: UTC}}]
"""
FILES = {"a.yaml": SERVICES, "b.yaml": AGREEMENT}
HOUR = timedelta(hours=1)
METRICS = {
    m.name: m
    for m in (
        Metric(name="requests", kind=MetricKind.COUNT, unit="requests", step=HOUR),
        Metric(name="good", kind=MetricKind.COUNT, step=HOUR),
        Metric(name="bad", kind=MetricKind.COUNT, step=HOUR),
        Metric(name="up", kind=MetricKind.NON_NEGATIVE, step=HOUR),
        Metric(name="seconds", kind=MetricKind.COUNT, unit="s", step=HOUR),
        Metric(name="share", kind=MetricKind.RATIO, step=HOUR),
        Metric(name="latency", kind=MetricKind.NON_NEGATIVE, unit="ms", step=timedelta(minutes=5)),
        Metric(name="minutes", kind=MetricKind.NON_NEGATIVE, unit="min", step=timedelta(days=1)),
    )
}


def load(folder: Path, files: dict[str, str]) -> Catalogue:
    target = folder / "catalogue"
    target.mkdir(exist_ok=True)
    for name, text in files.items():
        (target / name).write_text(text, encoding="utf-8")
    return YamlFolder(target, METRICS, currency="EUR").load()


def test_every_new_field_is_read_exactly(tmp_path: Path) -> None:
    catalogue = load(tmp_path, FILES)
    assert catalogue.notices == ()
    known = {a.id: a for a in catalogue.agreements}
    sla, ola = known["sla-erp"], known["ola-a"]
    assert (sla.version, sla.replaces, sla.grace, sla.review_months, sla.last_review, sla.budget_policy, sla.confidential) == (
        "2", "sla-erp-2025", timedelta(days=5), 3, date(2026, 9, 30), "Freeze.", True,
    )  # fmt: skip
    assert sla.relies_on == ("ola-a", "uc-a", "uc-b")
    assert sla.reliance == (
        Reliance(agreements=("ola-a",)),
        Reliance(agreements=("uc-a", "uc-b"), required=1, independent=True),
    )
    up = sla.objectives[0]
    assert up.indicator == AvailabilityIndicator(metric="up")
    assert (up.method, up.slice_window, up.slice_target) == (BudgetingMethod.TIMESLICES, 2 * HOUR, Decimal("0.95"))
    assert (up.no_traffic, up.no_data, up.strict, up.rounding) == (
        "carry",
        "bad",
        True,
        Rounding(decimals=2, mode="half_even"),
    )
    assert (up.minimum_coverage, up.minimum_events) == (Decimal("0.9"), 10)
    assert up.window == CalendarWindow(unit="month", zone="Europe/Berlin", count=2, anchor=datetime(2026, 1, 15, 12))  # noqa: DTZ001
    assert (up.workload_metric, up.workload_limit, up.workload_effect) == ("requests", Decimal(500), "scaled")
    assert up.time == sla.time
    assert (up.time.valid_from, up.time.valid_until) == (date(2026, 1, 1), date(2026, 12, 31))
    assert up.time.hours is catalogue.calendars["shop-hours"]
    window, exclusion = up.time.maintenance[0], up.time.exclusions[0]
    assert (window.weekdays, window.nth_of_month, window.mode) == ((0, 1, 6), (1, -1), ExclusionMode.DROP_EVENTS)
    assert window.span == LocalSpan(start=time(2), end=time(4))
    assert (exclusion.start, exclusion.end) == (
        datetime(2026, 11, 3, 9, tzinfo=UTC), datetime(2026, 11, 3, 11, 30, tzinfo=UTC),
    )  # fmt: skip
    assert (exclusion.approved_by, exclusion.evidence, exclusion.mode) == (
        "J. Doe",
        "CHG-1234",
        ExclusionMode.COUNT_AS_GOOD,
    )
    terms = sla.credits
    assert terms is not None
    assert terms.tiers == (
        CreditTier(below=Decimal("0.995"), share_of_fee=Decimal("0.05")),
        CreditTier(below=Decimal("0.99"), amount=Decimal(20000)),
    )
    assert (terms.repeat, terms.earn_back) == (
        RepeatRule(multiplier=Decimal(2), within=3, compounding=True),
        EarnBack(windows=3, reach=Decimal("0.999"), share=Decimal("0.5")),
    )
    assert (terms.cap_per_year, terms.proration, terms.claim_within, terms.termination, terms.joint) == (
        Decimal(90000), "none", timedelta(days=30), Termination(misses=3, within=12), True,
    )  # fmt: skip
    found = {o.name: o.indicator for o in ola.objectives}
    assert found == {
        "outages": AvailabilityIndicator(outages=("outage", "major-incident"), log_metric="up"),
        "fast": QuantileIndicator(metric="latency", quantile=Decimal("0.95"), op="lte", limit=Decimal(400), slice=HOUR),
        "batch": DeadlineIndicator(metric="minutes", by=time(6), calendar="desk-hours", start=time(22)),
        "solved": TicketIndicator(stage="resolution", within=8 * HOUR, calendar="desk-hours", kinds=("incident",),
                                  priorities=("1",), pauses=False, counted_at="opened"),
        "raw": RawRatioIndicator(metric="share", counts="failure"),
        "ratio": RatioIndicator(total="requests", good="good", cumulative=True),
        "samples": ThresholdIndicator(metric="latency", op="lt", limit=Decimal(500)),
        "both": CompositeIndicator(components=(Component(objective="slo-answered", weight=Decimal("0.6")),), required=1),
    }  # fmt: skip
    assert known["uc-a"].credits is not None
    assert known["uc-a"].credits.per_hour_share == Decimal("0.1")
    shop, desk = catalogue.calendars["shop-hours"].versions, catalogue.calendars["desk-hours"].versions
    assert shop[0].weekly[0] == (LocalSpan(start=time(6), end=time(12)), LocalSpan(start=time(13), end=time(22)))
    assert shop[0].weekly[6] == (LocalSpan(start=time(22), end=time(6)),)
    assert (shop[0].country, shop[0].subdivision, shop[0].dates[date(2026, 12, 31)]) == ("DE", "BE", ())
    assert [v.valid_from for v in desk] == [date(2026, 1, 1), date(2027, 1, 1)]
    effect = catalogue.scenarios[0].effects[0]
    assert (effect.low, effect.mode, effect.high, effect.ramp_days, effect.likelihood) == (1.8, 2.0, 2.3, 2, 0.9)
    assert (effect.start, effect.end, effect.statement) == (date(2027, 3, 1), date(2027, 3, 8), "Twice")


A, B = "a.yaml", "b.yaml"
MISTAKES = [
    # file, what is there, what a person writes instead, text on the line it must point at, words of the message
    # -- calendars
    (A, "zone: Europe/Berlin\n  weekly", "zone: Europe/Berln\n  weekly", "Europe/Berln", "try: Europe/Berlin"),
    (A, "  zone: Europe/Berlin\n  weekly:", "  weekly:", "description: Shop hours", "add zone"),
    (A, "mon-fri: [\"06:00-12", "mon-fry: [\"06:00-12", "mon-fry", "try: mon-fri"),
    (A, "mon-fri: [\"06:00-12", "Mon-Fri: [\"06:00-12", "Mon-Fri", "try: mon-fri"),
    (A, "mon-fri: [\"06:00-12", "monday: [\"06:00-12", "monday", "try: mon"),
    (A, "sat,sun: [", "fri,sat: [", "fri,sat", "each weekday once"),
    (A, "\"06:00-12:00\", ", "\"6:00-12:00\", ", "6:00-12:00", "try: 06:00-12:00"),
    (A, "\"06:00-12:00\", ", "\"6-12\", ", "6-12", "try: 06:00-12:00"),
    (A, "\"06:00-12:00\", ", "\"06:00 to 12:00\", ", "06:00 to 12:00", "try: 06:00-12:00"),
    (A, "\"06:00-12:00\", ", "\"06:00-25:00\", ", "06:00-25:00", "24:00 ends a day"),
    (A, "\"06:00-12:00\", ", "\"12:00-12:00\", ", "12:00-12:00", "a span of local time"),
    (A, "\"06:00-12:00\", ", "\"06:00-14:00\", ", "06:00-14:00", "do not overlap (06:00-14:00"),
    (A, "[\"06:00-12:00\", \"13:00-22:00\"]", "06:00-22:00", "mon-fri: 06:00-22:00", "a list of spans"),
    (A, "country: DE", "country: Germany", "country: Germany", "ISO 3166"),
    (A, "country: DE", "country: de", "country: de", "try: DE"),
    (A, "subdivision: BE", "subdivision: Berlin", "subdivision: Berlin", "a subdivision of DE"),
    (A, "2026-12-31: []", "31.12.2026: []", "31.12.2026", "YYYY-MM-DD"),
    (A, "2026-12-31: []", "2026-02-30: []", "2026-02-30", "YYYY-MM-DD"),
    (A, "validFrom: 2027-01-01, weekly", "validFrom: 2025-01-01, weekly", "2025-01-01", "after that of the version before"),
    (A, "{validFrom: 2027-01-01, weekly", "{weekly", "weekly: {mon-fri", "add validFrom"),
    (A, "  versions:\n", "  weekly: {daily: []}\n  versions:\n", "weekly: {daily: []}", "either versions or weekly"),
    # -- scenarios
    (A, "metric: requests, kind: multiplier", "metric: requestz, kind: multiplier", "requestz", "try: requests"),
    (A, "kind: multiplier", "kind: factor", "factor", "multiplier | step | trend"),
    (A, "low: 1.8", "low: 2.1", "low: 2.1", "low at most mode"),
    (A, "low: 1.8", "low: -1", "low: -1", "a factor of 0 or more"),
    (A, "end: 2027-03-08", "end: 2027-03-01", "2027-03-01", "a day after start"),
    (A, "likelihoodPercent: 90", "likelihoodPercent: 0.9%", "0.9%", "try: 0.9"),
    (A, "rampDays: 2", "rampDays: 2.5", "rampDays: 2.5", "a whole number"),
    # -- when the agreement applies
    (B, "serviceHours: shop-hours", "serviceHours: shop-hour", "shop-hour", "try: shop-hours"),
    (B, "weekdays: [sun, mon-tue]", "weekdays: [sunday]", "sunday", "try: sun"),
    (B, "span: \"02:00-04:00\"", "span: \"2-4\"", "2-4", "try: 02:00-04:00"),
    (B, "nthOfMonth: [1, -1]", "nthOfMonth: [1, last]", "last", "-1 for the last"),
    (B, "mode: drop_events", "mode: drop", "mode: drop", "try: drop_events"),
    (B, "validUntil: 2026-11-30", "validUntil: 2026-01-30", "2026-01-30", "on or after validFrom"),
    (B, "\"2026-11-03T10:00:00+01:00\"", "\"2026-11-03T10:00:00\"", "2026-11-03T10:00:00\"", "with the offset that is meant"),
    (B, "\"2026-11-03T10:00:00+01:00\"", "2026-11-03", "from: 2026-11-03,", "an instant with its offset"),
    (B, "\"2026-11-03T12:30:00+01:00\"", "\"2026-11-03T09:30:00+01:00\"", "09:30", "an instant after `from`"),
    (B, "reason: freeze test, ", "", "approvedBy", "add reason"),
    (B, "grace: 5d", "grace: 5", "grace: 5", "a whole number and m (minutes)"),
    (B, "reviewMonths: 3", "reviewMonths: 0", "reviewMonths: 0", "from 1 to 120"),
    (B, "validUntil: 2026-12-31\n  serviceHours", "validUntil: 2025-12-31\n  serviceHours", "2025-12-31", "on or after validFrom (2026-01-01)"),
    (B, "confidential: true", "confidential: yes", "confidential: yes", "true | false"),
    # -- what it follows and relies on
    (B, "replaces: sla-erp-2025", "replaces: sla-erp-2052", "sla-erp-2052", "try: sla-erp-2025"),
    (B, "replaces: sla-erp-2025", "replaces: sla-erp", "replaces: sla-erp", "another agreement"),
    (B, "replaces: sla-erp-2025", "replaces: ola-a", "replaces: ola-a", "a SLA of erp (ola-a is a OLA of desk)"),
    (B, "validUntil: 2025-12-31", "validUntil: 2026-01-31", "validFrom: 2026-01-01", "try: validUntil: 2025-12-31 in sla-erp-2025"),
    (B, "  replaces: sla-erp-2025\n  service: erp\n  customer: finance\n  provider: it\n  promise: ERP is up.\n  validFrom: 2026-01-01", "  service: erp\n  customer: finance\n  provider: it\n  promise: ERP is up.\n  validFrom: 2025-06-01", "validFrom: 2025-06-01", "sla-erp-2025 does not apply (it applies from 2025-01-01 to 2025-12-31)"),
    (B, "validFrom: 2025-01-01\n  validUntil: 2025-12-31", "validFrom: 2026-03-01", "validFrom: 2026-01-01", "sla-erp applies from 2026-01-01 to 2026-12-31"),
    (B, "[uc-a, uc-b]", "[uc-a, uc-c]", "uc-c", "a declared agreement"),
    (B, "required: 1, independent", "required: 3, independent", "required: 3", "number of agreements (2)"),
    (B, "reliesOn: [ola-a,", "reliesOn: [uc-a,", "[uc-a, {", "each agreement once"),
    (B, "reliesOn: [ola-a,", "reliesOn: [[ola-a],", "[[ola-a]", "an agreement's id"),
    (B, "  owner: IT\n", "  owner: IT\n---\napiVersion: forecasting/v1\nkind: Agreement\nmetadata: {name: uc-b}\nspec: {}\n", "metadata: {name: uc-b}", "one Agreement of that name"),
    (B, "metadata: {name: ola-a}\nspec:\n", "metadata: {name: ola-a}\nspec:\n  reliesOn: [sla-erp]\n", "ola-a}", "no cycle"),
    # -- workload limit
    (B, "effect: target scaled", "effect: scaled", "effect: scaled", "try: target scaled"),
    (B, "perSlice: 500", "perSlice: 0", "perSlice: 0", "a number above 0"),
    (B, "workloadLimit: {metric: requests", "workloadLimit: {metric: minutes", "metric: minutes, perSlice", "the step of up (1h)"),
    # -- objectives
    (B, "method: Timeslices", "method: TimeSlices", "TimeSlices", "try: Timeslices"),
    (B, "sliceWindow: 2h", "sliceWindow: 90m", "sliceWindow: 90m", "a whole number of steps of up (1h); try: 2h"),
    (B, "sliceWindow: 2h", "sliceWindow: 5m", "sliceWindow: 5m", "a whole number of steps of up (1h); try: 1h"),
    (B, "sliceWindow: 2h", "sliceWindow: 1M", "sliceWindow: 1M", "a whole number and m"),
    (B, "sliceWindow: 2h", "sliceWindow: 60d", "sliceWindow: 60d", "shorter than the window"),
    (B, "      sliceWindow: 2h\n", "", "name: up", "add sliceWindow"),
    (B, "      sliceTargetPercent: 95\n", "", "name: up", "add sliceTargetPercent"),
    (B, "sliceTargetPercent: 95", "sliceTargetPercent: 0", "sliceTargetPercent: 0", "a percentage above 0"),
    (B, "method: Timeslices", "method: RatioTimeslices", "sliceTargetPercent: 95", "only with Timeslices"),
    (B, "      method: Timeslices\n", "", "sliceWindow: 2h", "only with method Timeslices or RatioTimeslices"),
    (B, "noTraffic: carry", "noTraffic: ignore", "noTraffic: ignore", "exclude | good | bad | carry"),
    (B, "noData: bad", "noData: zero", "noData: zero", "unknown | exclude | good | bad"),
    (B, "strict: true", "strict: 1", "strict: 1", "true | false"),
    (B, "decimals: 2", "decimals: 12", "decimals: 12", "0 to 10"),
    (B, "mode: half_even", "mode: halfeven", "mode: halfeven", "try: half_even"),
    (B, "minimumCoveragePercent: 90", "minimumCoveragePercent: 190", "190", "from 0 to 100"),
    (B, "      noData: bad\n", "      noData: bad\n      alertPolicies: [fast-burn]\n", "fast-burn", "a declared alert policy"),
    (B, "count: 2, anchor: \"2026-01-15 12:00:00\"", "count: 2", "count: 2}", "an anchor where count is above 1"),
    (B, "anchor: \"2026-01-15 12:00:00\"", "anchor: \"2026-01-15T12:00:00Z\"", "12:00:00Z", "local time without an offset"),
    (B, "window: {rolling: 30d, zone: UTC}", "window: {rolling: 30d, zone: UTC, count: 2}", "count: 2}", "count only with calendar"),
    (B, "window: {rolling: 30d, zone: UTC}", "window: {rolling: 30m, zone: UTC}", "rolling: 30m", "try: 30M (m is a minute)"),
    # -- indicators
    (B, "indicator: {availability: {metric: up, measures: up}}", "indicator: {availabilty: {metric: up}}", "availabilty", "try: availability"),
    (B, "indicator: {availability: {metric: up, measures: up}}", "indicator: {availability: {metric: up}, ratio: {total: requests, good: good}}", "indicator: {avail", "exactly one of ratio, threshold"),
    (B, "{metric: up, measures: up}", "{metric: up, outages: [outage]}", "outages: [outage]", "exactly one of metric and outages"),
    (B, "measures: up}}", "measures: uptime}}", "uptime", "up | up_seconds | down_seconds"),
    (B, "{metric: seconds, measures: up_seconds}", "{metric: share, measures: up_seconds}", "metric: share", "a metric of kind count or non_negative"),
    (B, "slice: 1h}", "slice: 7m}", "slice: 7m", "a whole number of steps of latency (5m), at least 2 of them; try: 10m"),
    (B, "quantilePercent: 95", "quantilePercent: 0.95", "quantilePercent: 0.95", "at least 1 and below 100"),
    (B, "by: \"06:00\"", "by: \"6am\"", "6am", "HH:MM"),
    (B, "by: \"06:00\"", "by: \"6:00\"", "6:00", "try: 06:00"),
    (B, "start: \"22:00\", startDay: previous", "startDay: same", "startDay: same", "startDay only with start"),
    (B, "startDay: previous", "startDay: same", "start: \"22:00\"", "a time before `by` (06:00) on the same day"),
    (B, "deadline: {metric: minutes", "deadline: {metric: up", "metric: up, by", "one value a local day"),
    (B, "calendar: desk-hours, start", "calendar: desk, start", "calendar: desk,", "try: desk-hours"),
    (B, "stage: resolution", "stage: resoluton", "stage: resoluton", "try: resolution"),
    (B, "within: 8h", "within: 0h", "within: 0h", "a length above 0"),
    (B, "rawRatio: {metric: share", "rawRatio: {metric: requests", "metric: requests, counts", "a metric of kind ratio (requests is of kind count)"),
    (B, "total: requests, good: good, cum", "total: requests, good: requests, cum", "good: requests", "another metric than total"),
    (B, "total: requests, good: good, cum", "total: requests, good: latency, cum", "good: latency", "a metric of kind count"),
    (B, "total: requests, bad: bad", "total: requests, bad: bat", "bad: bat", "try: bad"),
    (B, "op: lt, value: 500, ", "op: '<', value: 500, ", "op: '<'", "lt | lte | gt | gte"),
    (B, "op: lt, value: 500, ", "op: lt, ", "op: lt", "add value"),
    (B, "cumulative: true}}, target", "cumulative: true}}, op: lt, target", "op: lt", "op and value only with threshold"),
    (B, "objective: slo-answered", "objective: slo-answerd", "slo-answerd", "try: slo-answered"),
    (B, "required: 1, components", "required: 2, components", "required: 2", "number of components (1)"),
    (B, "countedAt: opened}}, ", "countedAt: opened}}, method: Timeslices, sliceWindow: 1h, sliceTargetPercent: 90, ", "method: Timeslices, sl", "judged one by one"),
    (B, "bad: bad}}, ", "bad: bad}}, noData: good, ", "noData: good", "unknown or exclude where events"),
    # -- credits
    (B, "perHourPercent: 10}", "perHourPercent: 10, tiers: [{belowPercent: 99, creditPercent: 5}]}", "tiers: [{belowPercent: 99, c", "exactly one of tiers and perHourPercent"),
    (B, "{belowPercent: 99, amount: 20000}", "{belowPercent: 99, amount: 20000, creditPercent: 20}", "creditPercent: 20", "exactly one of creditPercent and amount"),
    (B, "amount: 20000", "amount: 4000", "amount: 4000", "more credit the lower the tier"),
    (B, "amount: 20000", "amount: 50000", "amount: 50000", "at most capPercent (40) of the fee"),
    (B, "amount: 20000", "amount: 20,000", "amount: 20,000", "remove it"),
    (B, "amount: 20000", "amount: \"20,000\"", "20,000", "try: 20000"),
    (B, "belowPercent: 99,", "belowPercent: 99.7,", "belowPercent: 99.7", "from the highest belowPercent"),
    (B, "capPerYear: 90000", "capPerYear: 900", "capPerYear: 900", "at least the largest credit of one window"),
    (B, "multiplier: 2", "multiplier: 1", "multiplier: 1", "a factor above 1"),
    (B, "windows: 3, reach", "windows: 0, reach", "windows: 0", "from 1 to 60"),
    (B, "reachPercent: 99.9", "reachPercent: 99", "reachPercent: 99", "at least the target (99.5)"),
    (B, "misses: 3", "misses: 13", "misses: 13", "at most `within` (12)"),
    (B, "proration: none", "proration: never", "proration: never", "time | none"),
    (B, "claimWithin: 30d", "claimWithin: 1 month", "1 month", "a whole number and m"),
    (B, "window: {calendar: month, zone: Europe/Berlin, count: 2, anchor: \"2026-01-15 12:00:00\"}", "window: {rolling: 30d, zone: UTC}", "earnBack: {", "earnBack only with calendar windows"),
    (B, "joint: true", "joint: both", "joint: both", "true | false"),
    (B, "measures: up_seconds}}, target", "measures: up_seconds}}, description: [a], target", "description: [a]", "write one value"),
    (B, "indicator: {availability: {metric: seconds, measures: up_seconds}}", "indicator: {ratio: {total: requests, good: good}}", "perHourPercent: 10", "only with availability indicators"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "good", "bad", "at", "said"), MISTAKES)
def test_each_mistake_is_named_with_its_line_and_a_way_out(
    tmp_path: Path, file: str, good: str, bad: str, at: str, said: str
) -> None:
    assert FILES[file].count(good) >= 1, "the table is wrong"
    text = FILES[file].replace(good, bad, 1)
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


def test_the_table_is_long_and_no_mistake_is_listed_twice() -> None:
    assert len({(file, good, bad) for file, good, bad, _, _ in MISTAKES}) == len(MISTAKES) >= 60


def test_a_gap_and_an_exclusion_outside_the_validity_are_notices(tmp_path: Path) -> None:
    text = AGREEMENT.replace("validUntil: 2025-12-31", "validUntil: 2025-11-30")
    text = text.replace("2026-11-03T1", "2024-11-03T1")
    notices = load(tmp_path, {**FILES, "b.yaml": text}).notices
    assert [(n.rule, n.file) for n in notices] == [
        ("validity-gap", "catalogue/b.yaml"), ("exclusion-outside-validity", "catalogue/b.yaml"),
    ]  # fmt: skip
    assert "from 2025-12-01 to 2025-12-31" in notices[0].message
    assert "2024-11-03 09:00 UTC (freeze test)" in notices[1].message


def test_slices_and_indicator_come_from_the_slo_that_is_named(tmp_path: Path) -> None:
    named = AGREEMENT.replace("indicator: {ratio: {total: requests, bad: bad}}", "slo: slo-answered").replace(
        "service: desk\n  customer: finance\n  provider: carrier\n  validFrom: 2025-01-01\n  objectives: [{name: line-b",
        "service: erp\n  customer: finance\n  provider: carrier\n  validFrom: 2025-01-01\n  objectives: [{name: line-b",
    )
    catalogue = load(tmp_path, {**FILES, "b.yaml": named})
    objective = next(a for a in catalogue.agreements if a.id == "uc-b").objectives[0]
    assert objective.indicator == RatioIndicator(total="requests", good="good")
    assert objective.method is BudgetingMethod.OCCURRENCES


WRITTEN = [
    (file, name) for file, text in FILES.items()
    for name in dict.fromkeys(re.findall(r"(?<![\w.-])([a-z][A-Za-z]+):", text))
    if any(name in fields for fields in BLOCKS.values())
]  # fmt: skip


def edits(name: str) -> list[str]:
    """Return the name with one edit each: a letter lost, doubled, swapped with the next, replaced, one at the end."""
    middle = len(name) // 2
    return [
        name[:middle] + name[middle + 1 :],
        name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :],
        name[:middle] + name[middle] + name[middle:],
        name[:middle] + string.ascii_lowercase[(ord(name[middle].lower()) - 96) % 26] + name[middle + 1 :],
        name + "s" if not name.endswith("s") else name[:-1],
    ]


NIGHTLY = pytest.mark.nightly


@pytest.mark.parametrize("kind", [0, *(pytest.param(k, marks=NIGHTLY) for k in range(1, 5))])
def test_a_typo_of_any_field_name_gets_the_right_suggestion(tmp_path: Path, kind: int) -> None:
    right = wrong = 0
    misled: list[str] = []
    for file, name in WRITTEN:
        typo = edits(name)[kind]
        if typo == name or any(typo in fields for fields in BLOCKS.values()) or len(name) < 3:
            continue
        text = re.sub(rf"(?<![\w.-]){name}:", f"{typo}:", FILES[file], count=1)
        with pytest.raises(CatalogueError) as caught:
            load(tmp_path, {**FILES, file: text})
        if any(p.try_instead == name and p.came == typo for p in caught.value.problems):
            right += 1
        else:
            wrong += 1
            misled.append(f"{typo} -> {[p.try_instead for p in caught.value.problems if p.came == typo]}")
    assert right >= 90, right
    assert right / (right + wrong) >= 0.95, misled
