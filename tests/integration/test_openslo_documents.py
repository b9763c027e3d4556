"""OpenSLO documents of all kinds and versions: what they become, and that nothing is lost on the way out and back."""

from __future__ import annotations

import csv
import json
import os
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition, NotificationTarget
from forecasting.terms.catalogue import Catalogue, DataSource, MetricQuery, Service
from forecasting.terms.errors import CatalogueError, ForecastingError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import (
    BudgetingMethod,
    CalendarWindow,
    Component,
    CompositeIndicator,
    RatioIndicator,
    RawRatioIndicator,
    RollingWindow,
    ThresholdIndicator,
)

METRICS = {
    "good": Metric(name="good", kind=MetricKind.COUNT),
    "all": Metric(name="all", kind=MetricKind.COUNT),
    "ms": Metric(name="ms", kind=MetricKind.NON_NEGATIVE),
}
EVERYTHING = """\
- apiVersion: openslo/v1
  kind: Service
  metadata: {name: shop, displayName: Shop, annotations: {forecasting/zone: Europe/Berlin}}
  spec: {description: Web shop}
- apiVersion: openslo/v1
  kind: DataSource
  metadata: {name: prom}
  spec: {type: Prometheus, connectionDetails: [{url: 'https://prometheus.example.org'}, {apiKey: abc}]}
- apiVersion: openslo/v1
  kind: SLI
  metadata: {name: answer-ratio}
  spec:
    ratioMetric:
      counter: true
      bad: {metricSource: {metricSourceRef: prom, spec: {query: sum(errors)}}}
      total: {metricSource: {metricSourceRef: prom, spec: {query: sum(requests), step: 60}}}
- apiVersion: openslo/v1
  kind: AlertNotificationTarget
  metadata: {name: desk}
  spec: {target: email, description: The desk}
- apiVersion: openslo/v1
  kind: AlertCondition
  metadata: {name: fast-burn, annotations: {forecasting/short-lookback: 5m}}
  spec:
    severity: page
    condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
- apiVersion: openslo/v1
  kind: AlertPolicy
  metadata: {name: page}
  spec:
    alertWhenBreaching: true
    conditions: [{conditionRef: fast-burn}]
    notificationTargets:
      - targetRef: desk
      - {kind: AlertNotificationTarget, metadata: {name: pager}, spec: {target: pager}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers, displayName: Answers}
spec:
  service: shop
  indicatorRef: answer-ratio
  timeWindow: [{duration: 1Q, isRolling: true}]
  budgetingMethod: Timeslices
  objectives:
    - {displayName: Promise, target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 5m}
    - {targetPercent: 99.95, timeSliceTarget: 1, timeSliceWindow: 1h}
  alertPolicies:
    - alertPolicyRef: page
    - kind: AlertPolicy
      metadata: {name: ticket}
      spec:
        conditions:
          - kind: AlertCondition
            metadata: {name: slow-burn}
            spec: {severity: ticket, condition: {kind: burnrate, op: gte, threshold: 1, lookbackWindow: 3d}}
        notificationTargets: [{targetRef: desk}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: satisfaction}
spec:
  service: shop
  indicator:
    metadata: {name: wifi}
    spec: {ratioMetric: {rawType: failure, raw: {metricSource: {type: Graphite, spec: {target: a.b, from: -1h}}}}}
  timeWindow: [{duration: 2w, isRolling: false, calendar: {startTime: '2026-01-07 12:00:00', timeZone: UTC}}]
  budgetingMethod: RatioTimeslices
  objectives: [{target: 0.9, timeSliceWindow: 1d}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: speed, annotations: {forecasting/minimum-events: "50", forecasting/no-data: bad}}
spec:
  service: shop
  indicator: {metadata: {name: ms}, spec: {thresholdMetric: {metricSource: {type: forecasting, spec: {metric: ms}}}}}
  timeWindow: [{duration: 1M, isRolling: false, calendar: {startTime: '2020-05-01 00:00:00', timeZone: UTC}}]
  budgetingMethod: Occurrences
  objectives: [{op: lte, value: 0.1, target: 0.9}]
"""


def load(folder: Path, text: str, *, strict: bool = False, name: str = "a.yaml") -> Catalogue:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_text(text, encoding="utf-8")
    return YamlFolder(folder, METRICS, strict=strict, name="c").load()


def terms(catalogue: Catalogue) -> dict[str, object]:
    """What a catalogue holds, notices and hash apart."""
    names = set(catalogue.__dataclass_fields__) - {"name", "version", "notices"}
    return {name: getattr(catalogue, name) for name in names}


def test_every_kind_becomes_terms(tmp_path: Path) -> None:
    found = load(tmp_path / "c", EVERYTHING)
    assert [notice.rule for notice in found.notices] == ["secret-left-out"]
    assert found.data_sources == {
        "prom": DataSource(name="prom", kind="Prometheus", details={"url": "https://prometheus.example.org"})
    }
    fast = BurnRateCondition(
        name="fast-burn", threshold=Decimal("14.4"), lookback=timedelta(hours=1), short_lookback=timedelta(minutes=5),
        op="gt", alert_after=timedelta(minutes=5), severity="page",
    )  # fmt: skip
    slow = BurnRateCondition(name="slow-burn", threshold=Decimal(1), lookback=timedelta(days=3), severity="ticket")
    assert found.alert_conditions == {"fast-burn": fast, "slow-burn": slow}
    assert found.alert_policies["page"] == AlertPolicy(
        name="page", conditions=(fast,), targets=("desk", "pager"), alert_when_breaching=True
    )
    assert found.alert_policies["ticket"].conditions == (slow,)
    assert found.notification_targets["pager"] == NotificationTarget(name="pager", target="pager")
    promise, second, raw, speed = found.objectives
    assert (promise.name, second.name, promise.display_name, second.display_name) == (
        "answers", "answers-2", "Promise", "Answers",
    )  # fmt: skip
    assert promise.indicator == second.indicator
    assert promise.indicator == RatioIndicator(total="answer-ratio.total", bad="answer-ratio.bad", cumulative=True)
    assert promise.window == RollingWindow(length=timedelta(days=90), zone="Europe/Berlin")
    assert (promise.method, promise.slice_window, promise.slice_target) == (
        BudgetingMethod.TIMESLICES, timedelta(minutes=5), Decimal("0.95"),
    )  # fmt: skip
    assert (second.target, second.alert_policies) == (Decimal("0.9995"), ("page", "ticket"))
    assert raw.indicator == RawRatioIndicator(metric="wifi.raw", counts="failure")
    assert raw.window == CalendarWindow(unit="week", zone="UTC", count=2, anchor=datetime(2026, 1, 7, 12))  # noqa: DTZ001
    assert raw.method is BudgetingMethod.RATIO_TIMESLICES
    assert speed.indicator == ThresholdIndicator(metric="ms", op="lte", limit=Decimal("0.1"))
    assert speed.window == CalendarWindow(unit="month", zone="UTC")
    assert (speed.minimum_events, speed.no_data) == (50, "bad")


def test_outside_sources_become_metrics_with_queries(tmp_path: Path) -> None:
    found = load(tmp_path / "c", EVERYTHING)
    total, bad, raw = found.queries
    assert bad == MetricQuery(
        metric="answer-ratio.bad",
        service="shop",
        source_kind="Prometheus",
        source="prom",
        query="sum(errors)",
        cumulative=True,
    )
    assert (total.query, json.loads(total.details)) == ("sum(requests)", {"step": "60"})
    assert (raw.metric, raw.source_kind, json.loads(raw.query)) == (
        "wifi.raw", "Graphite", {"target": "a.b", "from": "-1h"},
    )  # fmt: skip
    kinds = {name: metric.kind for name, metric in found.metrics.items() if "." in name}
    assert kinds == {
        "answer-ratio.total": MetricKind.COUNT, "answer-ratio.bad": MetricKind.COUNT, "wifi.raw": MetricKind.RATIO,
    }  # fmt: skip
    assert found.metrics["wifi.raw"].step == timedelta(minutes=1)


def test_one_name_never_means_two_queries(tmp_path: Path) -> None:
    slo = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: shop
  indicator:
    metadata: {{name: same}}
    spec: {{thresholdMetric: {{metricSource: {{type: Any, spec: {{query: {query}}}}}}}}}
  timeWindow: [{{duration: 30d, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{op: lt, value: 1, target: 0.9}}]
---
"""
    text = slo.format(name="a", query="x") + slo.format(name="b", query="x") + slo.format(name="c", query="y")
    found = load(tmp_path / "c", text)
    assert [o.indicator.metric for o in found.objectives if isinstance(o.indicator, ThresholdIndicator)] == [
        "same.value", "same.value", "c.value",
    ]  # fmt: skip
    assert len(found.queries) == 2
    assert terms(load(tmp_path / "d", export_openslo(found), strict=True)) == terms(found)


def test_a_composite_has_its_parts_beside_it(tmp_path: Path) -> None:
    text = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: whole, displayName: Whole}
spec:
  service: shop
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: A, target: 0.99, compositeWeight: 3, indicatorRef: one}
    - {target: 0.95, indicator: {metadata: {name: two}, spec: {ratioMetric: {rawType: success, raw: {metricSource:
       {type: Any, spec: {query: r}}}}}}}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: one}
spec: {ratioMetric: {good: {metricSource: {type: forecasting, spec: {metric: good}}},
                     total: {metricSource: {type: forecasting, spec: {metric: all}}}}}
"""
    found = load(tmp_path / "c", text)
    whole, first, second = found.objectives
    parts = (Component(objective="whole-1", weight=Decimal(3)), Component(objective="whole-2"))
    assert whole.indicator == CompositeIndicator(components=parts)
    assert whole.target == Decimal("0.98")  # (3 × 0.99 + 0.95) ÷ 4
    assert (first.name, first.display_name, second.name, second.target) == ("whole-1", "A", "whole-2", Decimal("0.95"))
    assert [notice.rule for notice in found.notices] == ["service-not-declared", "composite-target"]
    assert found.services == {"shop": Service(name="shop")}
    assert terms(load(tmp_path / "d", export_openslo(found), strict=True)) == terms(found)


ALPHA = """\
apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: answers, displayName: Answers}
spec:
  service: shop
  timeWindows: [{unit: Month, count: 1, isRolling: false, calendar: {startTime: '2021-05-01 00:00:00', timeZone: UTC}}]
  budgetingMethod: Occurrences
  objectives:
    - displayName: A
      target: 0.98
      value: 1
      ratioMetrics:
        incremental: true
        good: &g {source: datadog, queryType: q, query: g}
        total: &t {source: datadog, queryType: q, query: t}
    - {displayName: B, target: 0.99, value: 1, ratioMetrics: {incremental: true, good: *g, total: *t}}
    - {displayName: C, target: 0.9, value: 1, ratioMetrics: {incremental: false, good: *g, total: *t}}
---
apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: speed}
spec:
  service: shop
  timeWindows: [{unit: Second, count: 604800, isRolling: true}]
  budgetingMethod: Occurrences
  indicator: {thresholdMetric: {source: prometheus, queryType: promql, query: latency}}
  objectives: [{displayName: Fast, target: 0.99, op: lte, value: 2000}]
"""


def test_v1alpha_is_converted_with_a_notice(tmp_path: Path) -> None:
    found = load(tmp_path / "c", ALPHA)
    assert [n.rule for n in found.notices].count("converted-from") == 3
    first, second, third, speed = found.objectives
    assert [o.name for o in found.objectives] == ["answers", "answers-2", "answers-3", "speed"]
    assert first.indicator == second.indicator
    assert isinstance(third.indicator, RatioIndicator)
    assert not third.indicator.cumulative
    assert first.window == CalendarWindow(unit="month", zone="UTC")
    assert speed.window == RollingWindow(length=timedelta(days=7))
    assert speed.indicator == ThresholdIndicator(metric="speed.value", op="lte", limit=Decimal(2000))
    assert found.queries[-1].source_kind == "prometheus"
    assert terms(load(tmp_path / "d", export_openslo(found), strict=True)) == terms(found)


def test_v2alpha_is_converted_with_a_notice(tmp_path: Path) -> None:
    text = """\
apiVersion: openslo.com/v2alpha
kind: SLO
metadata: {name: answers, labels: {env: prod}}
spec:
  serviceRef: shop
  sli:
    metadata: {name: ratio}
    spec:
      ratioMetric:
        counter: true
        good: {dataSourceRef: prom, spec: {query: g}}
        total: {dataSourceSpec: {type: redshift, connectionDetails: {password: p}}, spec: {query: t}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.98}]
---
apiVersion: openslo.com/v2alpha
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://p'}}
"""
    found = load(tmp_path / "c", text, strict=True)
    assert [n.rule for n in found.notices].count("converted-from") == 2
    assert {(q.metric, q.source_kind, q.source) for q in found.queries} == {
        ("ratio.good", "Prometheus", "prom"), ("ratio.total", "redshift", ""),
    }  # fmt: skip
    assert "password" not in export_openslo(found)


def test_secrets_stay_out_of_the_catalogue(tmp_path: Path) -> None:
    text = EVERYTHING.replace("{target: a.b, from: -1h}", "{target: a.b, login: {apiKey: hush}, access_key: hush}")
    found = load(tmp_path / "c", text.replace("https://prom", "https://user:hush@prom"))
    assert [n.rule for n in found.notices] == ["secret-left-out"] * 2
    assert "hush" not in repr(found)
    assert "hush" not in export_openslo(found)
    assert found.data_sources["prom"].details == {"url": "https://prometheus.example.org"}


def test_names_are_the_same_however_they_are_written(tmp_path: Path) -> None:
    text = EVERYTHING.replace("name: shop,", "name: My Shop,").replace("service: shop", "service: My Shop")
    found = load(tmp_path / "c", text)
    assert list(found.services) == ["my-shop"]
    assert {o.service for o in found.objectives} == {"my-shop"}
    assert {n.rule for n in found.notices} == {"secret-left-out", "name-not-rfc1123"}


def test_json_with_tabs_and_pairs_of_half_characters(tmp_path: Path) -> None:
    text = '[\n\t{"apiVersion": "openslo/v1",\t"kind": "Service", "metadata": {"name": "shop"},\n'
    text += '\t"spec": {"description": "\\ud83d\\ude00 a\\/b \\u00e9"}}\n]'
    found = load(tmp_path / "c", text, name="a.json", strict=True)
    assert found.services["shop"].description == "😀 a/b é"


def test_a_name_used_twice_is_an_error_unless_the_service_says_the_same(tmp_path: Path) -> None:
    service = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {description: %s}\n---\n"
    assert [n.rule for n in load(tmp_path / "c", service % "a" + service % "a").notices] == ["declared-twice"]
    with pytest.raises(CatalogueError, match="one Service of that name"):
        load(tmp_path / "c", service % "a" + service % "b")
    slos = EVERYTHING + "---\n" + EVERYTHING[EVERYTHING.index("apiVersion: openslo/v1\nkind: SLO") :].split("---")[0]
    with pytest.raises(CatalogueError, match="one SLO of that name"):
        load(tmp_path / "c", slos)
    with pytest.raises(CatalogueError, match="targets are called"):
        load(tmp_path / "c", EVERYTHING.replace("name: satisfaction", "name: answers-2"))


def test_an_agreement_cannot_rest_on_an_slo_that_was_left_out(tmp_path: Path) -> None:
    text = (
        EVERYTHING.replace("  indicatorRef: answer-ratio", "  indicatorRef: something-else")
        + """\
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: people}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla}
spec:
  {kind: SLA, service: shop, customer: people, provider: us, validFrom: 2026-01-01, currency: EUR,
   objectives: [{name: o, slo: answers, target: 0.9, window: {rolling: 30d}}]}
"""
    )
    with pytest.raises(CatalogueError, match="an SLO that can be judged"):
        load(tmp_path / "c", text)


def test_everything_survives_export_and_loading(tmp_path: Path) -> None:
    found = load(tmp_path / "c", EVERYTHING)
    text = export_openslo(found)
    again = load(tmp_path / "d", text, strict=True)
    assert terms(again) == terms(found)
    assert export_openslo(again) == text
    assert "apiKey" not in text


@pytest.mark.parametrize("example", ["airports", "meridian"])
def test_the_examples_survive_export_and_loading(tmp_path: Path, example: str) -> None:
    root = Path(__file__).parents[2] / "examples" / example
    project = load_project(root)
    found = YamlFolder(root / project.catalogue, project.metrics, currency=project.currency, strict=True).load()
    (tmp_path / "all.yaml").write_text(export_openslo(found, ours=True), encoding="utf-8")
    again = YamlFolder(tmp_path, project.metrics, currency=project.currency, strict=True).load()
    assert terms(again) == terms(found)
    (tmp_path / "all.yaml").write_text(export_openslo(found), encoding="utf-8")
    bare = YamlFolder(tmp_path, project.metrics, currency=project.currency, strict=True).load()
    assert (bare.services, bare.objectives, bare.agreements) == (found.services, found.objectives, ())


DOCUMENTS = os.environ.get("FORECASTING_OPENSLO_DOCS", "")


@pytest.mark.skipif(not DOCUMENTS, reason="FORECASTING_OPENSLO_DOCS names no folder with the standard's own documents")
def test_the_standards_own_documents(tmp_path: Path) -> None:
    root = Path(DOCUMENTS)
    with (root / "MANIFEST.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    wrong = []
    for row in rows:
        source = root / row["file"]
        text = source.read_text(encoding="utf-8")
        verdicts = {}
        for strict in (True, False):
            try:
                found = load(tmp_path / "c", text, strict=strict, name=source.name)
            except ForecastingError:
                verdicts[strict] = "reject"
            else:
                verdicts[strict] = "accept"
                assert terms(load(tmp_path / "d", export_openslo(found), strict=True)) == terms(found), row["file"]
        lenient = "reject" if "unsupported apiVersion" in row["reasons"] else "accept"
        if (verdicts[True], verdicts[False]) != (row["strict_verdict_by_rule_reading"], lenient):
            wrong.append((row["file"], verdicts))
    assert wrong == []
