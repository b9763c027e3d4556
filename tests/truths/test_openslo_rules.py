"""The reference rules of OpenSLO v1: what strict mode refuses, and what lenient mode says of it instead."""

# ruff: noqa: E501 - the tables of edits read best with one edit a line

from __future__ import annotations

from pathlib import Path

import pytest

from forecasting.adapters.catalogues import YamlFolder
from forecasting.adapters.openslo.durations import length_of, parse_shorthand
from forecasting.adapters.openslo.references import is_slip
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import Metric, MetricKind

METRICS = {name: Metric(name=name, kind=MetricKind.COUNT) for name in ("good", "all")} | {
    "ms": Metric(name="ms", kind=MetricKind.NON_NEGATIVE)
}
SERVICE = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {description: Web shop}\n---\n"
RATIO = (
    SERVICE
    + """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: answers
  labels: {team: [web, core], env: prod}
  annotations: {example.org/chat: '#ops'}
spec:
  service: shop
  description: Answers without an error
  indicator:
    metadata: {name: answer-ratio}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: forecasting, spec: {metric: good}}}
        total: {metricSource: {type: forecasting, spec: {metric: all}}}
  timeWindow:
    - duration: 1M
      isRolling: false
      calendar: {startTime: '2026-01-01 00:00:00', timeZone: Europe/Berlin}
  budgetingMethod: Timeslices
  objectives:
    - displayName: On time
      target: 0.99
      timeSliceTarget: 0.95
      timeSliceWindow: 5m
  alertPolicies: []
"""
)
THRESHOLD = (
    SERVICE
    + """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: fast}
spec:
  service: shop
  indicator:
    metadata: {name: latency}
    spec: {thresholdMetric: {metricSource: {type: forecasting, spec: {metric: ms}}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{op: lt, value: 400, target: 0.99}]
"""
)
COMPOSITE = (
    SERVICE
    + """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: whole}
spec:
  service: shop
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - target: 0.99
      compositeWeight: 2
      indicator:
        metadata: {name: a}
        spec: {ratioMetric: {counter: true, good: {metricSource: {type: Prometheus, spec: {query: g}}}, total: {metricSource: {type: Prometheus, spec: {query: t}}}}}
    - target: 0.99
      indicatorRef: raw
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: raw}
spec: {ratioMetric: {rawType: success, raw: {metricSource: {type: Prometheus, spec: {query: r}}}}}
"""
)
ALERTS = """\
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: fast-burn}]
  notificationTargets: [{targetRef: desk}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast-burn}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: desk}
spec: {target: email}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://prometheus.example.org'}}
"""
BASES = {"ratio": RATIO, "threshold": THRESHOLD, "composite": COMPOSITE, "alerts": ALERTS}


def load(folder: Path, text: str, *, strict: bool) -> Catalogue:
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return YamlFolder(folder, METRICS, strict=strict).load()


@pytest.mark.parametrize("base", BASES)
def test_documents_that_keep_the_rules_load_in_both_modes_without_a_notice(tmp_path: Path, base: str) -> None:
    for strict in (True, False):
        assert load(tmp_path, BASES[base], strict=strict).notices == ()


# Broken rules that can be read in one way: strict mode refuses them, lenient mode gives the named notice.
NAMED = [
    ("ratio", "target: 0.99", "target: 0.99\n      op: gt", "op-with-ratio-metric"),
    ("ratio", "target: 0.99", "target: 0.99\n      value: 1", "op-with-ratio-metric"),
    ("ratio", "name: answers", "name: My Answers", "name-not-rfc1123"),
    ("ratio", "name: answers", "name: answers_2", "name-not-rfc1123"),
    ("ratio", "name: answers", "name: 2026", "text-expected"),
    ("ratio", "name: answers", f"name: {'a' * 64}", "name-not-rfc1123"),
    ("ratio", "  budgetingMethod: Timeslices\n", "", "budgeting-method-missing"),
    ("ratio", "budgetingMethod: Timeslices", "budgetingMethod: timeslices", "letter-case"),
    ("ratio", "timeSliceWindow: 5m", "timeSliceWindow: 5", "slice-window-number"),
    ("ratio", "      timeSliceWindow: 5m\n", "", "slice-window-missing"),
    ("ratio", "'2026-01-01 00:00:00'", "'2026-01-01T00:00:00'", "start-time-format"),
    ("ratio", "'2026-01-01 00:00:00'", "'2026-01-01'", "start-time-format"),
    ("ratio", "target: 0.99", "target: '0.99'", "number-as-text"),
    ("ratio", "alertPolicies: []", "alertPolicies: [page]", "bare-name"),
    ("ratio", "alertPolicies: []", "markdown: text", "unknown-field"),
    ("ratio", "alertPolicies: []", "x-team: text", "unknown-field"),
    ("ratio", "description: Answers without an error", f"description: {'a' * 1051}", "text-too-long"),
    ("ratio", "description: Answers without an error", "description: 5", "text-expected"),
    ("ratio", "labels: {team: [web, core], env: prod}", f"displayName: {'a' * 64}", "text-too-long"),
    ("ratio", "env: prod", "env: 5", "label-form"),
    ("ratio", "example.org/chat: '#ops'", "example.org/chat: 5", "annotation-form"),
    ("ratio", "    metadata: {name: answer-ratio}\n", "", "metadata-missing"),
    (
        "ratio",
        "      isRolling: false\n      calendar: {startTime: '2026-01-01 00:00:00', timeZone: Europe/Berlin}\n",
        "",
        "is-rolling-missing",
    ),
    ("ratio", "      calendar: {startTime: '2026-01-01 00:00:00', timeZone: Europe/Berlin}\n", "", "calendar-missing"),
    (
        "ratio",
        "    - duration: 1M\n      isRolling: false",
        "    - duration: 30d\n      isRolling: true",
        "calendar-in-rolling",
    ),
    ("threshold", "  timeWindow: [{duration: 30d, isRolling: true}]\n", "", "time-window-missing"),
    (
        "threshold",
        "timeWindow: [{duration: 30d, isRolling: true}]",
        "timeWindow: {duration: 30d, isRolling: true}",
        "list-expected",
    ),
    (
        "alerts",
        "[{conditionRef: fast-burn}]",
        "[{conditionRef: fast-burn}, {conditionRef: fast-burn}]",
        "many-conditions",
    ),
    ("alerts", "[{conditionRef: fast-burn}]", "[fast-burn]", "bare-name"),
    ("alerts", "  notificationTargets: [{targetRef: desk}]\n", "", "no-target"),
    ("alerts", "  severity: page\n", "", "severity-missing"),
    ("alerts", "op: gte, ", "", "op-missing"),
    ("alerts", "kind: burnrate", "kind: burnRate", "letter-case"),
    ("alerts", ", connectionDetails: {url: 'http://prometheus.example.org'}", "", "connection-missing"),
]


@pytest.mark.parametrize(("base", "good", "bad", "rule"), NAMED)
def test_a_broken_rule_is_an_error_in_strict_mode_and_a_named_notice_in_lenient_mode(
    tmp_path: Path, base: str, good: str, bad: str, rule: str
) -> None:
    assert good in BASES[base]
    text = BASES[base].replace(good, bad, 1)
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, text, strict=True)
    notices = [notice for notice in load(tmp_path, text, strict=False).notices if notice.rule == rule]
    assert notices, rule
    lines = {problem.line for problem in caught.value.problems}
    assert notices[0].line in lines
    assert notices[0].file.endswith("/a.yaml")


# What cannot be read in one way is refused in both modes, with a way out.
REFUSED = [
    ("ratio", "target: 0.99", "target: 99.9", "try: targetPercent: 99.9"),
    ("ratio", "target: 0.99", "target: 1", "above 0 and below 1"),
    ("ratio", "target: 0.99", "target: -0.1", "above 0 and below 1"),
    ("ratio", "target: 0.99", "targetPercent: 100", "99.99"),
    ("ratio", "target: 0.99", "target: 0.99\n      targetPercent: 99", "one of the two"),
    ("ratio", "      target: 0.99\n", "", "add targetPercent"),
    ("ratio", "timeSliceTarget: 0.95", "timeSliceTarget: 95", "try: 0.95"),
    ("ratio", "timeSliceTarget: 0.95", "timeSliceTarget: 0", "above 0"),
    ("ratio", "      timeSliceTarget: 0.95\n", "", "timeSliceTarget"),
    ("ratio", "timeSliceWindow: 5m", "timeSliceWindow: 5min", "such as 30d"),
    ("ratio", "duration: 1M", "duration: 1mo", "M (months)"),
    ("ratio", "duration: 1M", "duration: 0d", "above 0"),
    ("ratio", "timeZone: Europe/Berlin", "timeZone: Europe/Berln", "try: Europe/Berlin"),
    ("ratio", "'2026-01-01 00:00:00'", "'2026-01-01 00:00:00Z'", "without an offset"),
    ("ratio", "'2026-01-01 00:00:00'", "'2026-02-30 00:00:00'", "without an offset"),
    ("ratio", "budgetingMethod: Timeslices", "budgetingMethod: Timeslice", "try: Timeslices"),
    ("ratio", "  service: shop\n", "", "spec.service"),
    ("ratio", "service: shop", "service: sohp", "try: shop"),
    ("ratio", "alertPolicies: []", "objctives: []", "try: objectives"),
    (
        "ratio",
        "        good: {",
        "        bad: {metricSource: {spec: {query: x}}}\n        good: {",
        "exactly one of good and bad",
    ),
    (
        "ratio",
        "        total: {metricSource: {type: forecasting, spec: {metric: all}}}\n",
        "",
        "exactly one of total and raw",
    ),
    ("ratio", "spec: {metric: all}", "spec: {}", "what to ask"),
    (
        "ratio",
        "      ratioMetric:",
        "      thresholdMetric: {metricSource: {spec: {query: x}}}\n      ratioMetric:",
        "exactly one of ratioMetric",
    ),
    ("ratio", "  indicator:\n", "  indicatorRef: other\n  indicator:\n", "exactly one of indicator and indicatorRef"),
    ("ratio", "alertPolicies: []", "alertPolicies: [{alertPolicyRef: a, metadata: {name: b}}]", "not both"),
    ("ratio", "metadata:\n", "metadaten:\n", "try: metadata"),
    ("threshold", "op: lt, ", "", "objectives[0].op"),
    ("threshold", "value: 400, ", "", "objectives[0].value"),
    ("threshold", "op: lt", "op: less", "lt | lte"),
    ("threshold", "value: 400", "value: fast", "a number"),
    (
        "threshold",
        "[{duration: 30d, isRolling: true}]",
        "[{duration: 1d, isRolling: true}, {duration: 1d, isRolling: true}]",
        "exactly one",
    ),
    ("composite", "      indicatorRef: raw\n", "", "an indicator for each objective"),
    ("composite", "compositeWeight: 2", "compositeWeight: 0", "above 0"),
    ("composite", "  budgetingMethod:", "  indicatorRef: raw\n  budgetingMethod:", "not both"),
    ("composite", "rawType: success", "rawType: good", "success | failure"),
    ("composite", "rawType: success, ", "", "rawType"),
    ("alerts", "  conditions: [{conditionRef: fast-burn}]\n", "", "exactly one condition"),
    ("alerts", "conditionRef: fast-burn", "conditionRef: fast-brun", "try: fast-burn"),
    ("alerts", "kind: burnrate", "kind: latency", "burnrate"),
    ("alerts", "threshold: 14.4, ", "", "threshold"),
    ("alerts", "lookbackWindow: 1h, ", "", "lookbackWindow"),
    ("alerts", "lookbackWindow: 1h", "lookbackWindow: 1H", "such as 30d"),
    ("alerts", "{target: email}", "{}", "spec.target"),
    ("alerts", "{type: Prometheus, ", "{", "spec.type"),
    ("alerts", "apiVersion: openslo/v1\n", "apiVersion: openslo/v9\n", "openslo/v1 | openslo/v1alpha"),
]


@pytest.mark.parametrize(("base", "good", "bad", "said"), REFUSED)
def test_what_cannot_be_read_is_refused_in_both_modes(
    tmp_path: Path, base: str, good: str, bad: str, said: str
) -> None:
    assert good in BASES[base]
    text = BASES[base].replace(good, bad, 1)
    for strict in (True, False):
        with pytest.raises(CatalogueError) as caught:
            load(tmp_path, text, strict=strict)
        assert any(said in str(problem) for problem in caught.value.problems), str(caught.value)
        assert all(problem.line for problem in caught.value.problems)


# What the rules allow, but people should know: a notice in both modes (or in lenient mode only).
ALLOWED = [
    ("ratio", "'2026-01-01 00:00:00'", "2026-01-01 00:00:00", "start-time-unquoted", False),
    ("ratio", "alertPolicies: []", "alertPolicies:", "alert-policies-empty", False),
    ("ratio", "service: shop", "service: web", "service-not-declared", True),
    ("ratio", "alertPolicies: []", "alertPolicies: [{alertPolicyRef: nothing}]", "reference-not-declared", True),
    ("ratio", "  objectives:\n    - displayName: On time\n      target: 0.99\n      timeSliceTarget: 0.95\n      timeSliceWindow: 5m\n", "", "no-objectives", True),
    ("ratio", "    - duration: 1M\n", "    - duration: 1d\n", None, True),
    ("ratio", "timeSliceWindow: 5m", "timeSliceWindow: 1M", "window-within-slice", True),
    ("composite", "indicatorRef: raw\n", "indicatorRef: nothing\n", "slo-left-out", True),
    ("composite", "    - target: 0.99\n      indicatorRef", "    - target: 0.9\n      indicatorRef", "composite-target", True),
    ("alerts", "op: gte", "op: lte", "burn-rate-below", True),
    ("alerts", "{conditionRef: fast-burn}", "{conditionRef: something-else}", "reference-not-declared", True),
    ("alerts", "{targetRef: desk}", "{targetRef: somebody}", "reference-not-declared", True),
    ("alerts", "{url: 'http://prometheus.example.org'}", "{url: 'http://u:p@prometheus.example.org', token: x}", "secret-left-out", True),
]  # fmt: skip


@pytest.mark.parametrize(("base", "good", "bad", "rule", "strict_too"), ALLOWED)
def test_what_the_rules_allow_is_accepted_in_both_modes(
    tmp_path: Path, base: str, good: str, bad: str, rule: str | None, strict_too: bool
) -> None:
    assert good in BASES[base]
    text = BASES[base].replace(good, bad, 1)
    lenient, strict = load(tmp_path, text, strict=False), load(tmp_path, text, strict=True)
    assert (rule is None) == (lenient.notices == ())
    assert rule is None or rule in {notice.rule for notice in lenient.notices}
    assert rule is None or (rule in {notice.rule for notice in strict.notices}) == strict_too


def test_a_month_written_as_a_minute_is_read_in_lenient_mode_only(tmp_path: Path) -> None:
    text = RATIO.replace("duration: 1M", "duration: 1m")
    lenient = load(tmp_path, text, strict=False)
    assert [notice.rule for notice in lenient.notices] == ["minutes-for-months"]
    assert lenient.objectives == load(tmp_path, RATIO, strict=False).objectives
    with pytest.raises(CatalogueError, match="1M"):
        load(tmp_path, text, strict=True)


def test_targets_the_rules_allow_but_nobody_means(tmp_path: Path) -> None:
    for bad, said in (("target: 0", "a share such as"), ("targetPercent: 0.99", "target: 0.99")):
        text = THRESHOLD.replace("target: 0.99", bad)
        with pytest.raises(CatalogueError, match=said):
            load(tmp_path, text, strict=False)
        assert load(tmp_path, text, strict=True).notices


@pytest.mark.parametrize(("text", "days"), [("1d", 1), ("4w", 28), ("1M", 30), ("1Q", 90), ("1Y", 365), ("48h", 2)])
def test_lengths_of_durations(text: str, days: int) -> None:
    parsed = parse_shorthand(text)
    assert parsed is not None
    assert length_of(*parsed).days == days


@pytest.mark.parametrize(
    "text", ["", "1", "d", "1D", "1 d", "-1d", "1.5h", "1H", "1min", "P1D", "1s", "1M1d", "١d", "1dd"]
)
def test_what_is_no_duration(text: str) -> None:
    assert parse_shorthand(text) is None


@pytest.mark.parametrize(
    ("one", "other", "slip"),
    [("shop", "shp", True), ("sohp", "shop", True), ("api-1", "api-2", False), ("lga-d1", "lga-dl", True),
     ("web", "wob", False), ("checkout-service", "chekout-servce", True), ("payments", "checkout", False)],
)  # fmt: skip
def test_slips_of_names(one: str, other: str, slip: bool) -> None:
    assert is_slip(one, other) is slip


def test_an_alert_that_can_never_come_is_refused_or_left_out(tmp_path: Path) -> None:
    text = RATIO.replace("alertPolicies: []", "alertPolicies: [{alertPolicyRef: page}]") + "---\n" + ALERTS
    assert load(tmp_path, text, strict=False).objectives[0].alert_policies == ("page",)
    never = text.replace("threshold: 14.4", "threshold: 100")  # a budget of 1 % burns 100 times as fast at most
    with pytest.raises(CatalogueError, match="a product below 1"):
        load(tmp_path, never, strict=False)
    strict = load(tmp_path, never, strict=True)
    assert (strict.objectives[0].alert_policies, [n.rule for n in strict.notices]) == ((), ["alert-never"])


def test_documents_without_a_project_may_use_any_metric(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text(RATIO, encoding="utf-8")
    found = YamlFolder(file, None, strict=True).load()
    assert (len(found.objectives), found.metrics, found.notices) == (1, {}, ())
    with pytest.raises(CatalogueError, match="a declared metric"):
        YamlFolder(file, {}).load()
