"""The reference rules of an SLO: window, objectives, targets and slices."""

from __future__ import annotations

import re
from decimal import Decimal

from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.checker import TEXT_LIMIT, Checker, check_reference, slug
from forecasting.adapters.openslo.durations import ALLOWED
from forecasting.adapters.openslo.rules_alerts import check_policy
from forecasting.adapters.openslo.rules_indicator import check_holder
from forecasting.adapters.openslo.times import start_time

OPS = ("lt", "lte", "gt", "gte")
METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
_OBJECTIVE: tuple[str, ...] = ("displayName", "op", "value", "target", "targetPercent", "timeSliceTarget")
_OBJECTIVE += ("timeSliceWindow", "indicator", "indicatorRef", "compositeWeight")


def check_slo(checker: Checker, top: Fields) -> None:
    """Check the spec of an SLO."""
    known = ("service", "description", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives")
    spec = checker.part(top, "spec", (*known, "alertPolicies"), required=True)
    if spec is None:
        return
    checker.text(spec, "description")
    service = checker.text(spec, "service", required=True, longest=TEXT_LIMIT)
    if service and not slug(service):
        spec.note("service", service, "the name of a service", "a short name")
    check_holder(checker, spec)
    method: str | None = "Occurrences"
    if spec.has("budgetingMethod"):
        method = checker.choice(spec, "budgetingMethod", METHODS)
    else:
        reading = "read as Occurrences"
        hint = "budgetingMethod: Occurrences"
        checker.find(
            "rule", "budgeting-method-missing", spec, "budgetingMethod", None, " | ".join(METHODS), hint, reading
        )
    _time_window(checker, spec)
    _objectives(checker, spec, method)
    if "alertPolicies" in spec.node.fields and not spec.has("alertPolicies"):
        checker.find("advice", "alert-policies-empty", spec, "alertPolicies", None, "a list", "[]", "read as no policy")
    for index, node in enumerate(checker.items(spec, "alertPolicies")):
        check_reference(checker, spec, f"alertPolicies[{index}]", node, "alertPolicyRef", "AlertPolicy", check_policy)


def _time_window(checker: Checker, spec: Fields) -> None:
    """Check `timeWindow`: exactly one, rolling or by the calendar."""
    items = checker.items(spec, "timeWindow")
    if not items:
        if not spec.has("timeWindow") or spec.node.fields["timeWindow"].kind == "list":
            hint = "timeWindow: [{duration: 30d, isRolling: true}]"
            reading = "read as a rolling window of 30 days"
            checker.find("rule", "time-window-missing", spec, "timeWindow", None, "exactly one window", hint, reading)
        return
    if len(items) > 1:
        spec.note("timeWindow", f"{len(items)} windows", "exactly one", "remove the others")
        return
    if items[0].kind != "map":
        spec.note("timeWindow[0]", items[0].shown(), "a mapping", "{duration: 30d, isRolling: true}", items[0].line)
        return
    window = checker.open(items[0], f"{spec.path}.timeWindow[0]", ("duration", "isRolling", "calendar"))
    checker.length(window, "duration", required=True)
    rolling = checker.flag(window, "isRolling")
    if rolling and window.has("calendar"):
        allowed = "no calendar in a rolling window"
        reading = "read as a rolling window"
        checker.find("rule", "calendar-in-rolling", window, "calendar", "calendar", allowed, "remove one", reading)
    if not rolling and not window.has("calendar"):
        said = window.has("isRolling")
        rule = "calendar-missing" if said else "is-rolling-missing"
        reading = "read as windows of the calendar in the service's zone" if said else "read as a rolling window"
        hint = "calendar: {startTime: 2027-01-01 00:00:00, timeZone: UTC}" if said else "isRolling: true"
        checker.find("rule", rule, window, "calendar", None, "a calendar where isRolling is not true", hint, reading)
    calendar = checker.part(window, "calendar", ("startTime", "timeZone"))
    if calendar is None:
        return
    calendar.zone("timeZone", required=True)
    text = calendar.scalar("startTime", "YYYY-MM-DD HH:MM:SS", required=True)
    if text is None:
        return
    start = start_time(text)
    allowed = "YYYY-MM-DD HH:MM:SS without an offset"
    if start is None:
        calendar.note("startTime", text, allowed, "2027-01-01 00:00:00")
        return
    written = f"{start:%Y-%m-%d %H:%M:%S}"
    if text != written:
        checker.find("rule", "start-time-format", calendar, "startTime", text, allowed, written, f"read as {written}")
    elif not calendar.node.fields["startTime"].quoted:
        hint = f'"{written}" in quotes (other readers make a timestamp of it)'
        checker.find("advice", "start-time-unquoted", calendar, "startTime", text, allowed, hint, "read as local time")


def _objectives(checker: Checker, spec: Fields, method: str | None) -> None:
    """Check the objectives: targets, slices, and an indicator for all of them or for each."""
    nodes = checker.items(spec, "objectives")
    if not nodes and (not spec.has("objectives") or spec.node.fields["objectives"].kind == "list"):
        checker.find(
            "notice", "no-objectives", spec, "objectives", None, "an objective", "add one", "the SLO is left out"
        )
    objectives = []
    for index, node in enumerate(nodes):
        if node.kind != "map":
            spec.note(f"objectives[{index}]", node.shown(), "a mapping", "{target: 0.99}", node.line)
            return
        objectives.append(checker.open(node, f"{spec.path}.objectives[{index}]", _OBJECTIVE))
    whole = spec.has("indicator") or spec.has("indicatorRef")
    composite = any(fields.has("indicator") or fields.has("indicatorRef") for fields in objectives)
    if not whole and not composite:
        spec.note("indicator", None, "indicator or indicatorRef", "add indicator")
    inline = spec.node.fields.get("indicator")
    indicator = inline.fields.get("spec") if inline is not None else None
    kinds = set(indicator.fields) if indicator is not None else set()
    for fields in objectives:
        if composite and whole:
            key = "indicator" if fields.has("indicator") else "indicatorRef"
            if fields.has(key):
                fields.note(key, key, "an indicator of the SLO or of each objective, not both", "remove one of them")
        elif composite and not check_holder(checker, fields):
            fields.note("indicator", None, "an indicator for each objective", "add indicator")
        _objective(checker, fields, method, kinds)


def _objective(checker: Checker, fields: Fields, method: str | None, kinds: set[str]) -> None:
    """Check one objective."""
    checker.text(fields, "displayName", longest=TEXT_LIMIT)
    _target(checker, fields)
    checker.choice(fields, "op", OPS, required=False)
    checker.number(fields, "value", "a number in the metric's unit")
    weight = checker.number(fields, "compositeWeight", "a number above 0")
    if weight is not None and weight <= 0:
        fields.note("compositeWeight", str(weight), "a number above 0", "1")
    for key in ("op", "value"):
        came = fields.node.fields[key].shown() if fields.has(key) else None
        if "ratioMetric" in kinds and came is not None:
            reading = "it is not looked at"
            allowed = "no op or value with ratioMetric"
            checker.find("rule", "op-with-ratio-metric", fields, key, came, allowed, "remove it", reading)
        if kinds & {"thresholdMetric"} and came is None:
            allowed = " | ".join(OPS) if key == "op" else "a number in the metric's unit"
            reading = "the objective is left out"
            checker.find("missing", f"{key}-missing", fields, key, None, allowed, f"add {key}", reading)
    if method in ("Timeslices", "RatioTimeslices"):
        _slices(checker, fields, method)


def _slices(checker: Checker, fields: Fields, method: str) -> None:
    """Check the slices of an objective."""
    if method == "Timeslices":
        share = checker.number(fields, "timeSliceTarget", "a share above 0 and at most 1")
        if share is not None and not 0 < share <= 1:
            text = fields.node.fields["timeSliceTarget"].text
            better = f"{share.scaleb(-2):f}" if 1 < share <= 100 else "0.95"
            fields.note("timeSliceTarget", text, "a share above 0 and at most 1", better)
        elif not fields.has("timeSliceTarget"):
            allowed, reading = "a share above 0 and at most 1", "the objective is left out"
            checker.find("missing", "slice-target-missing", fields, "timeSliceTarget", None, allowed, "add it", reading)
    if not fields.has("timeSliceWindow"):
        reading = "read as the step of the metric"
        checker.find("rule", "slice-window-missing", fields, "timeSliceWindow", None, ALLOWED, "add it", reading)
        return
    node = fields.node.fields["timeSliceWindow"]
    if node.kind in ("number", "text") and re.fullmatch(r"[1-9][0-9]{0,5}", node.text):
        better = f"{node.text}m"
        reading = f"read as minutes ({better})"
        checker.find("rule", "slice-window-number", fields, "timeSliceWindow", node.text, ALLOWED, better, reading)
    else:
        checker.length(fields, "timeSliceWindow")


def _target(checker: Checker, fields: Fields) -> None:
    """Check the target: a share or a percentage, never guessed."""
    share, percent = fields.has("target"), fields.has("targetPercent")
    if share and percent:
        fields.note("targetPercent", "target and targetPercent", "one of the two", "remove one of them")
    elif share:
        text = fields.node.fields["target"].text
        hint = f"targetPercent: {text}" if text[:1] in set("123456789") else "a share such as 0.999"
        _bounded(checker, fields, "target", "a share above 0 and below 1", 1, hint)
    elif percent:
        text = fields.node.fields["targetPercent"].text
        hint = "99.99 (100 leaves no error budget)" if text.startswith("100") else "a percentage such as 99.9"
        number = _bounded(checker, fields, "targetPercent", "a percentage above 0 and below 100", 100, hint)
        if number is not None and 0 < number < 1:
            allowed, reading = "a percentage of at least 1", "read as a percentage"
            checker.find(
                "suspect", "percent-below-1", fields, "targetPercent", text, allowed, f"target: {text}", reading
            )
    else:
        allowed = "target (a share) or targetPercent"
        checker.find(
            "missing", "target-missing", fields, "target", None, allowed, "add targetPercent: 99.9", "left out"
        )


def _bounded(checker: Checker, fields: Fields, key: str, allowed: str, below: int, hint: str) -> Decimal | None:
    """Check a target against its bounds; 0 promises nothing."""
    before = len(checker.problems)
    number = fields.decimal(key, allowed, at_least=0, below=below, hint=hint)
    if len(checker.problems) > before or number is None:
        return None
    if number == 0:
        text = fields.node.fields[key].text
        reading = "a target of 0 promises nothing: the objective is left out"
        checker.find("suspect", "target-zero", fields, key, text, allowed, hint, reading)
    checker.number(fields, key, allowed)
    return number
