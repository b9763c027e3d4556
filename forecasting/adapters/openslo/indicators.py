"""Reads an OpenSLO indicator; metrics of outside sources become metrics of the workspace with a query."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.checker import Checker, slug
from forecasting.adapters.openslo.extras import is_secret
from forecasting.adapters.openslo.references import resolve
from forecasting.adapters.openslo.rules_indicator import check_indicator
from forecasting.terms.catalogue import MetricQuery
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import Indicator, Op, RatioIndicator, RawRatioIndicator, ThresholdIndicator

STEP = timedelta(minutes=1)
"""Length of a slice of the metrics that are asked of outside sources."""
_KINDS = {
    "good": MetricKind.COUNT,
    "bad": MetricKind.COUNT,
    "total": MetricKind.COUNT,
    "raw": MetricKind.RATIO,
    "value": MetricKind.REAL,
}


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The SLO (or objective of an agreement) that an indicator is read for."""

    name: str
    service: str
    sli: str
    """Name of the indicator; the owner's where it has none."""
    cumulative: bool = False
    """Whether metrics of our own are running counters."""


def open_part(fields: Fields, key: str) -> Fields | None:
    """Return the mapping below `key`, whatever fields it has; they were checked before."""
    node = fields.node.fields.get(key)
    if node is None or node.kind != "map":
        return None
    path = f"{fields.path}.{key}" if fields.path else key
    return Fields(node, path, fields.file, fields.problems, list(node.fields))


def scalar(fields: Fields | None, key: str) -> str:
    """Return the text of a scalar ("" where it is missing)."""
    node = fields.node.fields.get(key) if fields is not None else None
    return node.text if node is not None and node.kind not in ("map", "list", "null") else ""


def read_indicator(draft: Draft, holder: Fields, objective: Fields, *, service: str = "") -> Indicator | None:
    """Read the OpenSLO indicator of an agreement's objective, by the reference rules.

    Parameters
    ----------
    draft : Draft
        What has been read so far; problems and queries are added.
    holder : Fields
        What holds ``spec`` (and perhaps ``metadata``).
    objective : Fields
        The objective: its name, and `op` and `value` of a threshold.
    service : str
        The agreement's service, of which outside sources are asked.
    """
    before = len(draft.problems)
    spec = holder.mapping("spec", ["ratioMetric", "thresholdMetric", "description"], required=True)
    if spec is None:
        return None
    checker = Checker(file=holder.file)
    check_indicator(checker, spec)
    draft.problems += checker.problems
    draft.problems += [f.problem for f in checker.findings if f.severity == "rule"]
    for key in ("op", "value"):
        if spec.has("ratioMetric") and objective.has(key):
            objective.note(key, key, "no op or value with ratioMetric", "remove it")
    if len(draft.problems) > before:
        return None
    name = slug(scalar(objective, "name")) or "indicator"
    label = slug(scalar(open_part(holder, "metadata"), "name"))
    return indicator_of(draft, spec, objective, Owner(name=name, service=service, sli=label or name))


def indicator_of(draft: Draft, spec: Fields, objective: Fields, owner: Owner) -> Indicator | None:
    """Read the checked spec of an indicator; None after a problem or where `op` or `value` is missing."""
    before = len(draft.problems)
    if spec.has("thresholdMetric"):
        metrics = _metrics(draft, spec, {"thresholdMetric": "value"}, owner)
        op = objective.choice("op", ("lt", "lte", "gt", "gte"))
        limit = objective.decimal("value", "a number in the metric's unit", required=True)
        if len(draft.problems) > before or op is None or limit is None:
            return None
        return ThresholdIndicator(metric=metrics["thresholdMetric"], op=cast(Op, op), limit=limit)
    ratio = open_part(spec, "ratioMetric")
    if ratio is None:
        return None
    if ratio.has("raw"):
        metrics = _metrics(draft, ratio, {"raw": "raw"}, owner)
        counts = "failure" if scalar(ratio, "rawType").casefold() == "failure" else "success"
        if len(draft.problems) > before:
            return None
        return RawRatioIndicator(metric=metrics["raw"], counts="failure" if counts == "failure" else "success")
    side = "good" if ratio.has("good") else "bad"
    counter = ratio.flag("counter", default=False)
    metrics = _metrics(draft, ratio, {"total": "total", side: side}, owner, counter=counter)
    if len(draft.problems) > before:
        return None
    outside = any(name in draft.asked for name in metrics.values())
    return RatioIndicator(
        total=metrics["total"],
        good=metrics[side] if side == "good" else None,
        bad=metrics[side] if side == "bad" else None,
        cumulative=counter if outside else owner.cumulative,
    )


def _metrics(
    draft: Draft, fields: Fields, parts: dict[str, str], owner: Owner, *, counter: bool = False
) -> dict[str, str]:
    """Return the metric of each part, all outside ones below one prefix that is free (or says the same already)."""
    names: dict[str, str] = {}
    outside: dict[str, MetricQuery] = {}
    for key, part in parts.items():
        source = open_part(open_part(fields, key) or fields, "metricSource")
        spec = open_part(source, "spec") if source is not None else None
        if source is None or spec is None:
            continue
        if _is_ours(source, spec):
            names[key] = _own_metric(draft, spec, counted=part in ("good", "bad", "total"))
        else:
            outside[key] = replace(_query(draft, source, spec, owner), cumulative=counter)
    stems = [owner.sli, owner.name, *(f"{owner.name}-{number}" for number in range(2, 1000))]
    for stem in stems:
        planned = {key: f"{stem}.{parts[key]}" for key in outside}
        if all(draft.asked.get(planned[key], _form(query)) == _form(query) for key, query in outside.items()):
            break
    for key, query in outside.items():
        name = names[key] = planned[key]
        draft.asked[name] = _form(query)
        draft.queries[owner.service, name] = replace(query, metric=name)
        if name not in draft.metrics:
            draft.outside_metrics[name] = Metric(name=name, kind=_KINDS[parts[key]], step=STEP)
    return names


def _form(query: MetricQuery) -> tuple[str, ...]:
    """Return what makes two queries the same."""
    return (query.source_kind, query.source, query.query, query.details, str(query.cumulative))


def _is_ours(source: Fields, spec: Fields) -> bool:
    """Tell whether a metric source names a metric of the workspace."""
    kind = scalar(source, "type")
    unsaid = not kind and not source.has("metricSourceRef") and set(spec.node.fields) == {"metric"}
    return kind == "forecasting" or unsaid


def _own_metric(draft: Draft, spec: Fields, *, counted: bool) -> str:
    """Read ``{metric: NAME}``."""
    for key, line in spec.node.key_lines.items():
        if key != "metric":
            spec.note(key, key, "metric", "remove it", line)
    metric = spec.text("metric", required=True)
    draft.refer("metric", metric, spec, "metric")
    known = draft.metrics.get(metric)
    if counted and known is not None and known.kind is not MetricKind.COUNT:
        spec.note("metric", metric, "a metric of kind count", f"declare {metric} as count, or use thresholdMetric")
    return metric


def _query(draft: Draft, source: Fields, spec: Fields, owner: Owner) -> MetricQuery:
    """Return what is asked of an outside source, still without the metric's name."""
    place = ""
    if source.has("metricSourceRef"):
        written = scalar(source, "metricSourceRef")
        place = resolve(draft, "DataSource", written, source, "metricSourceRef", draft.data_sources) or slug(written)
    kind = scalar(source, "type")
    if not kind and place in draft.data_sources:
        kind = draft.data_sources[place].kind
    dropped: set[str] = set()
    fields = _bare(spec.node.plain(), dropped)
    assert isinstance(fields, dict)
    if dropped:
        keys = ", ".join(sorted(dropped))
        draft.notice("secret-left-out", source, "spec", f"left out: {keys}; a secret does not belong into a catalogue")
    query, details = fields.get("query", "" if not fields else None), ""
    if isinstance(query, str):
        others = {key: value for key, value in fields.items() if key != "query"}
        # Where the query itself looks like fields, empty details say that it is none.
        details = _json(others) if others or query.startswith("{") else ""
    else:
        query = _json(fields)
    return MetricQuery(metric="", service=owner.service, source_kind=kind, source=place, query=query, details=details)


def _bare(value: object, dropped: set[str]) -> object:
    """Return plain values without the fields that are called like secrets, whose names go into `dropped`."""
    if isinstance(value, list):
        return [_bare(item, dropped) for item in value]
    if not isinstance(value, dict):
        return value
    dropped.update(key for key in value if is_secret(key))
    return {key: _bare(item, dropped) for key, item in value.items() if not is_secret(key)}


def _json(fields: dict[str, object]) -> str:
    """Return fields as JSON, every scalar as its text."""
    return json.dumps(fields, ensure_ascii=False)


def metric_step(draft: Draft, indicator: Indicator) -> timedelta | None:
    """Return the step of the metric that gives an indicator its grid."""
    name = getattr(indicator, "total", None) or getattr(indicator, "metric", None)
    metric = draft.metrics.get(name or "") or draft.outside_metrics.get(name or "")
    return metric.step if metric is not None else None


def weight_of(objective: Fields) -> Decimal:
    """Return the composite weight of a checked objective."""
    found = objective.decimal("compositeWeight", "a number above 0")
    return Decimal(1) if found is None else found
