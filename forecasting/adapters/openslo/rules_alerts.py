"""The reference rules of alert policies, conditions and notification targets."""

from __future__ import annotations

from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.checker import TEXT_LIMIT, Checker, check_reference

_OPS = ("lt", "lte", "gt", "gte")


def check_policy(checker: Checker, top: Fields) -> None:
    """Check the spec of an AlertPolicy."""
    known = ("description", "alertWhenNoData", "alertWhenBreaching", "alertWhenResolved", "conditions")
    spec = checker.part(top, "spec", (*known, "notificationTargets"), required=True)
    if spec is None:
        return
    checker.text(spec, "description")
    for key in known[1:4]:
        checker.flag(spec, key)
    conditions = checker.items(spec, "conditions")
    if not conditions and (not spec.has("conditions") or spec.node.fields["conditions"].kind == "list"):
        spec.note("conditions", None, "exactly one condition", "conditions: [{conditionRef: ...}]")
    elif len(conditions) > 1:
        came, reading = f"{len(conditions)} conditions", "it alerts when one of them holds"
        hint = "one policy a condition"
        checker.find("rule", "many-conditions", spec, "conditions", came, "exactly one", hint, reading)
    for index, node in enumerate(conditions):
        check_reference(checker, spec, f"conditions[{index}]", node, "conditionRef", "AlertCondition", check_condition)
    targets = checker.items(spec, "notificationTargets")
    if not targets:
        checker.find(
            "rule", "no-target", spec, "notificationTargets", None, "at least one", "add one", "nobody is told"
        )
    for index, node in enumerate(targets):
        check_reference(
            checker, spec, f"notificationTargets[{index}]", node, "targetRef", "AlertNotificationTarget", check_target
        )


def check_condition(checker: Checker, top: Fields) -> None:
    """Check the spec of an AlertCondition."""
    spec = checker.part(top, "spec", ("description", "severity", "condition"), required=True)
    if spec is None:
        return
    checker.text(spec, "description")
    if not checker.text(spec, "severity", longest=TEXT_LIMIT).strip():
        hint, reading = "severity: page", "read as no severity"
        checker.find("rule", "severity-missing", spec, "severity", None, "a word such as page", hint, reading)
    known = ("kind", "op", "threshold", "lookbackWindow", "alertAfter")
    condition = checker.part(spec, "condition", known, required=True)
    if condition is None:
        return
    if condition.has("kind"):
        checker.choice(condition, "kind", ("burnrate",))
    else:
        hint, reading = "kind: burnrate", "read as burnrate"
        checker.find("rule", "kind-missing", condition, "kind", None, "burnrate", hint, reading)
    if condition.has("op"):
        op = checker.choice(condition, "op", _OPS)
        if op in ("lt", "lte"):
            better = op.replace("l", "g")
            reading = f"a burn rate is too high, not too low: read as {better}"
            checker.find("notice", "burn-rate-below", condition, "op", op, "gt | gte", better, reading)
    else:
        checker.find("rule", "op-missing", condition, "op", None, " | ".join(_OPS), "op: gte", "read as gte")
    checker.number(condition, "threshold", "a burn rate such as 14.4", required=True)
    checker.length(condition, "lookbackWindow", required=True)
    checker.length(condition, "alertAfter", zero=True)


def check_target(checker: Checker, top: Fields) -> None:
    """Check the spec of an AlertNotificationTarget."""
    spec = checker.part(top, "spec", ("description", "target"), required=True)
    if spec:
        checker.text(spec, "description")
        checker.text(spec, "target", required=True, longest=TEXT_LIMIT)
