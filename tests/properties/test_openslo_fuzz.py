"""Damaged OpenSLO catalogues: each is loaded or refused in words, fast; what is loaded survives export and loading."""

# ruff: noqa: E501 - tables of documents

from __future__ import annotations

import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo import export_openslo
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import ForecastingError
from forecasting.terms.history import Metric, MetricKind

METRICS = {
    "up": Metric(name="up", kind=MetricKind.RATIO),
    "requests": Metric(name="requests", kind=MetricKind.COUNT),
    "good": Metric(name="good", kind=MetricKind.COUNT),
    "latency": Metric(name="latency", kind=MetricKind.NON_NEGATIVE),
}
SLOWEST = 2.0
"""Seconds that one document may take."""


def ours(metric: str) -> dict[str, Any]:
    return {"metricSource": {"type": "forecasting", "spec": {"metric": metric}}}


def theirs(query: str) -> dict[str, Any]:
    return {"metricSource": {"metricSourceRef": "prom", "type": "Prometheus", "spec": {"query": query}}}


def document(kind: str, name: str, spec: dict[str, Any], api: str = "openslo/v1") -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": {"team": ["a"]}}, "spec": spec}


CALENDAR = {"startTime": "2026-01-15 12:00:00", "timeZone": "Europe/Berlin"}
CONDITION = {"kind": "burnrate", "op": "gte", "threshold": 14.4, "lookbackWindow": "1h", "alertAfter": "5m"}
BASE: list[dict[str, Any]] = [
    document("Service", "shop", {"description": "Web shop"}),
    document("DataSource", "prom", {"type": "Prometheus", "connectionDetails": [{"url": "http://p"}, {"apiKey": "x"}]}),
    document("AlertNotificationTarget", "desk", {"target": "email"}),
    document("AlertCondition", "fast", {"severity": "page", "condition": CONDITION}),
    document("AlertPolicy", "page", {"conditions": [{"conditionRef": "fast"}],
                                     "notificationTargets": [{"targetRef": "desk"}], "alertWhenNoData": True}),
    document("SLI", "ratio", {"ratioMetric": {"counter": True, "good": theirs("g"), "total": theirs("t")}}),
    document("SLO", "answers", {
        "service": "shop", "indicatorRef": "ratio", "timeWindow": [{"duration": "30d", "isRolling": True}],
        "budgetingMethod": "Occurrences", "objectives": [{"target": 0.999}, {"targetPercent": 99.5}],
        "alertPolicies": [{"alertPolicyRef": "page"}],
    }),
    document("SLO", "slices", {
        "service": "shop", "timeWindow": [{"duration": "1M", "isRolling": False, "calendar": CALENDAR}],
        "indicator": {"metadata": {"name": "fast-pages"}, "spec": {"thresholdMetric": ours("latency")}},
        "budgetingMethod": "Timeslices",
        "objectives": [{"op": "lt", "value": 400, "target": 0.99, "timeSliceTarget": 0.95, "timeSliceWindow": "1h"}],
        "alertPolicies": [{"kind": "AlertPolicy", "metadata": {"name": "inline"}, "spec": {
            "conditions": [{"kind": "AlertCondition", "metadata": {"name": "slow"}, "spec": {
                "severity": "ticket", "condition": CONDITION}}],
            "notificationTargets": [{"targetRef": "desk"}]}}],
    }),
    document("SLO", "whole", {
        "service": "shop", "timeWindow": [{"duration": "1w", "isRolling": True}], "budgetingMethod": "RatioTimeslices",
        "objectives": [
            {"target": 0.99, "timeSliceWindow": "1h", "compositeWeight": 2,
             "indicator": {"metadata": {"name": "a"}, "spec": {"ratioMetric": {"good": ours("good"),
                                                                              "total": ours("requests")}}}},
            {"target": 0.9, "timeSliceWindow": "1h", "indicator": {"metadata": {"name": "b"}, "spec": {
                "ratioMetric": {"rawType": "success", "raw": theirs("r")}}}},
        ],
    }),
    document("SLO", "old", {
        "service": "shop", "timeWindows": [{"unit": "Day", "count": 28, "isRolling": True}],
        "budgetingMethod": "Occurrences", "objectives": [{"target": 0.9, "value": 1, "ratioMetrics": {
            "incremental": True, "good": {"source": "p", "queryType": "q", "query": "g"},
            "total": {"source": "p", "queryType": "q", "query": "t"}}}],
    }, api="openslo/v1alpha"),
    document("SLO", "draft", {
        "serviceRef": "shop", "timeWindow": [{"duration": "28d", "isRolling": True}], "budgetingMethod": "Occurrences",
        "sli": {"metadata": {"name": "d"}, "spec": {"ratioMetric": {
            "bad": {"dataSourceRef": "prom", "spec": {"query": "b"}},
            "total": {"dataSourceSpec": {"type": "X", "connectionDetails": {}}, "spec": {"query": "t"}}}}},
        "objectives": [{"target": 0.9}],
    }, api="openslo.com/v2alpha"),
    document("Customer", "people", {"displayName": "People"}, api="forecasting/v1"),
    document("Agreement", "sla", {
        "kind": "SLA", "service": "shop", "customer": "people", "provider": "us", "validFrom": "2026-01-01",
        "objectives": [{"name": "o", "slo": "answers", "targetPercent": 99, "window": {"rolling": "30d"}}],
        "credits": {"feePerPeriod": 1000, "tiers": [{"belowPercent": 99, "creditPercent": 5}]},
    }, api="forecasting/v1"),
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 5, 0.5, 99.9, 1e300, 10**30, "", " ", "0.99", "99.9%", "1m", "1M", "0d", "999999Y",
    "30d", "yes", "no", "1:30", "2022-01-01", "2022-01-01T00:00:00Z", "UTC", "../etc", "My Name", "x" * 70, "é",
    "\u2028",
    "{", "{}", "null", "gt", "Occurrences", "timeslices", "shop", "shp", "ratio", "prom", [], {}, [None], [[]], [{}],
    {"a": 1}, ["a", "a"], {"": ""}, "forecasting", "AlertPolicy", "openslo/v1", "a\tb", "a\nb", "-", "NaN", "1e9",
]  # fmt: skip
KEYS = ["x-extra", "target", "objectives", "objctives", "spec", "kind", "metadata", "indicator", "annotations", "op",
        "forecasting/zone", "query", "type", "", "a.b", "timeSliceWindow", "calendar", "conditionRef"]  # fmt: skip


def places(node: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) in a tree."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        found.append((node, key))
        places(node[key], found)
    return found


def damage(documents: list[Any], rng: random.Random) -> None:
    """Change one thing somewhere."""
    holder, key = rng.choice(places(documents, []))
    change = rng.randrange(8)
    if change == 0:
        del holder[key]
    elif change <= 3:
        holder[key] = copy.deepcopy(rng.choice(VALUES))
    elif change == 4:
        other, name = rng.choice(places(documents, []))
        holder[key] = copy.deepcopy(other[name])
    elif change == 5 and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = holder.pop(key)
    elif change == 6 and isinstance(holder, dict):
        holder[rng.choice(KEYS)] = copy.deepcopy(rng.choice(VALUES))
    else:
        holder[key] = [holder[key], copy.deepcopy(holder[key])]


def spoil(data: bytes, rng: random.Random) -> bytes:
    """Change some bytes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6) if changed else 0):
        at = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[at] = rng.randrange(256)
        elif kind == 1:
            del changed[at : at + rng.randint(1, 30)]
        elif kind == 2:
            changed[at:at] = rng.choice(
                [b"\n", b"---\n", b"&a ", b"*a", b"!!x ", b"\x00", b"\xff", b"'", b'"', b"\t", b": "]
            )
        else:
            changed[at:at] = changed[max(0, at - 40) : at]
        if not changed:
            break
    return bytes(changed) or b"{}"


def text_of(seed: int) -> tuple[str, bytes]:
    """The file of one example: its name and content."""
    import yaml

    rng = random.Random(seed)
    documents = copy.deepcopy(rng.sample(BASE, rng.randint(1, len(BASE))))
    for _ in range(rng.choice((0, 1, 1, 2, 3, 8))):
        if documents:
            damage(documents, rng)
    if rng.random() < 0.5:
        name, data = "a.json", json.dumps(documents, ensure_ascii=rng.random() < 0.5).encode("utf-8", "replace")
    else:
        name, data = "a.yaml", yaml.safe_dump_all(documents, sort_keys=False).encode("utf-8", "replace")
    return name, spoil(data, rng) if rng.random() < 0.3 else data


def same(one: Catalogue, other: Catalogue) -> bool:
    """Whether two catalogues hold the same terms (what was noticed on the way apart)."""
    names = set(one.__dataclass_fields__) - {"name", "version", "notices"}
    return all(getattr(one, name) == getattr(other, name) for name in names)


def check(folder: Path, seeds: range) -> int:
    """Load each example in both modes; return how many were accepted."""
    accepted = 0
    for seed in seeds:
        for old in folder.iterdir():
            old.unlink()
        name, data = text_of(seed)
        (folder / name).write_bytes(data)
        for strict in (False, True):
            began = time.process_time()
            try:
                found = YamlFolder(folder, METRICS, currency="EUR", strict=strict, name="x").load()
            except ForecastingError:
                continue
            finally:
                assert time.process_time() - began < SLOWEST, seed
            accepted += 1
            if seed % 4 == 0:  # the way back costs as much again
                (folder / name).unlink()
                (folder / "b.yaml").write_text(export_openslo(found, ours=True), encoding="utf-8")
                again = YamlFolder(folder, METRICS, currency="EUR", strict=True, name="x").load()
                assert same(found, again), seed
                (folder / "b.yaml").unlink()
                (folder / name).write_bytes(data)
    return accepted


def test_damaged_catalogues_are_loaded_or_refused_in_words(tmp_path: Path) -> None:
    assert check(tmp_path, range(300)) > 30


@pytest.mark.nightly
def test_ten_thousand_damaged_catalogues(tmp_path: Path) -> None:
    assert check(tmp_path, range(1_000, 11_000)) > 1_000


@pytest.mark.parametrize(
    "text",
    [
        "[" + "~," * 50_000 + "~]",
        "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a}\nspec: {" + ",".join(f"k{i}: 1" for i in range(30_000)) + "}",
        "{" + ",".join(f"k{i}: 1" for i in range(30_000)) + "}",
        "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: " + "a" * 10**6 + "}\nspec: {description: " + "b" * 10**6 + "}",
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: a}\nspec: {service: a, objectives: [" + "{target: 2}," * 20_000 + "]}",
    ],
    ids=["nulls", "unknown fields", "unknown top", "long texts", "objectives"],
)  # fmt: skip
def test_large_nonsense_is_refused_in_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(ForecastingError):
        YamlFolder(tmp_path, METRICS, name="x").load()
    assert time.process_time() - began < SLOWEST
