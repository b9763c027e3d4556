"""Reads DataSource, AlertNotificationTarget, AlertCondition and AlertPolicy documents into terms."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node
from forecasting.adapters.openslo.checker import slug
from forecasting.adapters.openslo.durations import length_of, parse_shorthand
from forecasting.adapters.openslo.extras import described, is_secret, our_annotations
from forecasting.adapters.openslo.indicators import open_part, scalar
from forecasting.adapters.openslo.references import resolve
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition, NotificationTarget
from forecasting.terms.catalogue import DataSource

_USER_INFO = re.compile(r"(?<=://)[^/@\s]+@")


def read_data_source(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a DataSource; secrets in it are left out."""
    spec = open_part(top, "spec")
    notes = our_annotations(metadata, "DataSource")
    if spec is None or ("DataSource", name) in draft.damaged:
        return
    details: dict[str, str] = {}
    node = spec.node.fields.get("connectionDetails")
    secrets = _flatten(node, "", details) if node is not None else []
    if secrets:
        keys = ", ".join(sorted(secrets))
        message = f"left out: {keys}; a secret does not belong into a catalogue"
        draft.notice("secret-left-out", spec, "connectionDetails", message)
    draft.data_sources[name] = DataSource(
        name=name, kind=scalar(spec, "type"), details=details, description=described(spec, notes)
    )


def _flatten(node: Node, path: str, details: dict[str, str]) -> list[str]:
    """Put the scalars below `node` into `details` by their path; return the paths of secrets."""
    if node.kind == "map":
        pairs = [(f"{path}.{key}" if path else key, value) for key, value in node.fields.items()]
    elif node.kind == "list":
        plain = all(item.kind == "map" for item in node.items) and not _repeated(node.items)
        pairs = [(path if plain else f"{path}.{i}".lstrip("."), item) for i, item in enumerate(node.items)]
    elif node.kind == "null":
        return []
    else:
        bare = _USER_INFO.sub("", node.text)
        if bare != node.text or is_secret(path.rsplit(".", 1)[-1]):
            if bare != node.text:
                details[path] = bare
            return [path]
        details[path] = node.text
        return []
    return [secret for where, value in pairs for secret in _flatten(value, where, details)]


def _repeated(items: list[Node]) -> bool:
    """Tell whether two mappings of a list have a key in common."""
    keys = [key for item in items for key in item.fields]
    return len(keys) != len(set(keys))


def read_target(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an AlertNotificationTarget."""
    spec = open_part(top, "spec")
    notes = our_annotations(metadata, "AlertNotificationTarget")
    if spec is not None and ("AlertNotificationTarget", name) not in draft.damaged:
        target = NotificationTarget(name=name, target=scalar(spec, "target"), description=described(spec, notes))
        draft.notification_targets[name] = target


def read_condition(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an AlertCondition."""
    if ("AlertCondition", name) not in draft.damaged:
        found = _condition(name, metadata, top)
        if found is not None:
            draft.alert_conditions[name] = found


def _condition(name: str, metadata: Fields, top: Fields) -> BurnRateCondition | None:
    """Return a burn-rate condition of checked fields."""
    before = len(top.problems)
    notes = our_annotations(metadata, "AlertCondition")
    spec = open_part(top, "spec")
    condition = open_part(spec, "condition") if spec is not None else None
    if spec is None or condition is None:
        return None
    threshold = condition.decimal("threshold", "a burn rate such as 14.4", required=True)
    if threshold is not None and threshold <= 0:
        condition.note("threshold", str(threshold), "a burn rate above 0", "14.4")
    lookback = _length(condition, "lookbackWindow")
    op: Literal["gt", "gte"] = "gt" if scalar(condition, "op").casefold() in ("gt", "lt") else "gte"
    short = parse_shorthand(scalar(notes, "forecasting/short-lookback")) if notes else None
    if len(top.problems) > before or threshold is None or lookback is None:
        return None
    return BurnRateCondition(
        name=name,
        threshold=threshold,
        lookback=lookback,
        short_lookback=length_of(*short) if short else None,
        op=op,
        alert_after=_length(condition, "alertAfter") or timedelta(0),
        severity="" if scalar(notes, "forecasting/no-severity") else scalar(spec, "severity"),
        description=described(spec, notes),
    )


def _length(fields: Fields, key: str) -> timedelta | None:
    """Return a checked duration; None where it is missing."""
    parsed = parse_shorthand(scalar(fields, key))
    return length_of(*parsed) if parsed is not None else None


def read_policy(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an AlertPolicy with its conditions and targets, in place or by name."""
    if ("AlertPolicy", name) in draft.damaged:
        return
    found = policy_of(draft, name, metadata, top)
    if found is not None:
        draft.alert_policies[name] = found


def policy_of(draft: Draft, name: str, metadata: Fields, top: Fields) -> AlertPolicy | None:
    """Return the policy of checked fields; None after a problem."""
    before = len(draft.problems)
    notes = our_annotations(metadata, "AlertPolicy")
    spec = open_part(top, "spec")
    if spec is None:
        return None
    conditions: list[BurnRateCondition] = []
    missing: list[str] = []
    entries = _entries(spec, "conditions", "conditionRef")
    entries += [_Entry(label=text, inline=None, fields=spec, key="conditions") for text in _more(notes)]
    for entry in entries:
        if entry.inline is not None:
            inner = open_part(entry.inline, "metadata") or entry.inline
            found = _condition(entry.label, inner, entry.inline)
            conditions += [_declared_inline(draft, name, found, entry.inline)] if found is not None else []
            continue
        wanted = resolve(draft, "AlertCondition", entry.label, entry.fields, entry.key, draft.alert_conditions)
        if wanted is not None:
            conditions.append(draft.alert_conditions[wanted])
        elif slug(entry.label) not in missing:
            missing.append(slug(entry.label))
    targets: list[str] = []
    for entry in _entries(spec, "notificationTargets", "targetRef"):
        if entry.inline is not None:
            inner_notes = our_annotations(open_part(entry.inline, "metadata"), "AlertNotificationTarget")
            if not scalar(inner_notes, "forecasting/nobody"):
                targets.append(_inline_target(draft, name, entry.label, entry.inline))
            continue
        known = draft.notification_targets
        wanted = resolve(draft, "AlertNotificationTarget", entry.label, entry.fields, entry.key, known)
        targets.append(wanted or slug(entry.label))
    if len(draft.problems) > before:
        return None
    return AlertPolicy(
        name=name,
        conditions=tuple(conditions),
        targets=tuple(dict.fromkeys(targets)),
        alert_when_breaching=spec.flag("alertWhenBreaching", default=False),
        alert_when_resolved=spec.flag("alertWhenResolved", default=False),
        alert_when_no_data=spec.flag("alertWhenNoData", default=False),
        description=described(spec, notes),
        missing_conditions=tuple(missing),
    )


def _more(notes: Fields | None) -> list[str]:
    """Return the conditions after the first, which the standard has no place for."""
    return [part.strip() for part in scalar(notes, "forecasting/more-conditions").split(",") if part.strip()]


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """An entry of a list of references."""

    label: str
    """Name of the document, as written where it is a reference."""
    inline: Fields | None
    """The document itself, where it is written in place."""
    fields: Fields
    """Where the reference is written."""
    key: str


def _entries(spec: Fields, key: str, ref: str) -> list[_Entry]:
    """Return the entries of a checked list of references."""
    node = spec.node.fields.get(key)
    nodes = node.items if node is not None and node.kind == "list" else [node] if node is not None else []
    found: list[_Entry] = []
    for index, item in enumerate(nodes):
        if item.kind == "map":
            inner = Fields(item, f"{spec.path}.{key}[{index}]", spec.file, spec.problems, list(item.fields))
            if inner.has(ref):
                found.append(_Entry(label=scalar(inner, ref), inline=None, fields=inner, key=ref))
            elif inner.has("metadata"):
                label = slug(scalar(open_part(inner, "metadata"), "name"))
                found.append(_Entry(label=label, inline=inner, fields=inner, key="metadata"))
        elif item.kind not in ("list", "null"):
            found.append(_Entry(label=item.text, inline=None, fields=spec, key=key))
    return found


def _declared_inline(draft: Draft, policy: str, found: BurnRateCondition, inline: Fields) -> BurnRateCondition:
    """Declare the condition that is written in place, under another name where its name means something else."""
    taken = draft.alert_conditions.get(found.name)
    if taken is not None and taken != found:
        label = f"{policy}-{found.name}"[:63].rstrip("-")
        message = f"the condition's name means another one: it is called '{label}'"
        draft.notice("inline-name-taken", inline, "metadata", message)
        found = replace(found, name=label)
    draft.alert_conditions[found.name] = found
    return found


def _inline_target(draft: Draft, policy: str, label: str, inline: Fields) -> str:
    """Declare the target that is written in place; return its name, another one where the name means something else."""
    spec = open_part(inline, "spec")
    inner = open_part(inline, "metadata")
    notes = our_annotations(inner, "AlertNotificationTarget") if inner is not None else None
    target = NotificationTarget(name=label, target=scalar(spec, "target"), description=described(spec, notes))
    taken = draft.notification_targets.get(label)
    if taken is not None and taken != target:
        label = f"{policy}-{label}"[:63].rstrip("-")
        message = f"the target's name means another one: it is called '{label}'"
        draft.notice("inline-name-taken", inline, "metadata", message)
        target = NotificationTarget(name=label, target=target.target, description=target.description)
    draft.notification_targets[label] = target
    return label


def inline_policies(draft: Draft, slo: str, spec: Fields) -> tuple[str, ...]:
    """Return the names of an SLO's alert policies, declaring those that are written in place."""
    names: list[str] = []
    for entry in _entries(spec, "alertPolicies", "alertPolicyRef"):
        label, inline = entry.label, entry.inline
        if inline is None:
            wanted = resolve(draft, "AlertPolicy", label, entry.fields, entry.key, draft.alert_policies)
            names += [wanted] if wanted is not None else []
            continue
        policy = policy_of(draft, label, open_part(inline, "metadata") or inline, inline)
        if policy is None:
            continue
        taken = draft.alert_policies.get(label)
        if taken is not None and taken != policy:
            label = f"{slo}-{label}"[:63].rstrip("-")
            message = f"the policy's name means another one: it is called '{label}'"
            draft.notice("inline-name-taken", inline, "metadata", message)
            policy = replace(policy, name=label)
        draft.alert_policies[label] = policy
        names.append(label)
    return tuple(dict.fromkeys(names))
