"""Writes a catalogue as openslo/v1 documents, with our own kinds beside them where they are wanted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from forecasting.adapters.openslo.durations import shorthand_of
from forecasting.adapters.openslo.emit import emit
from forecasting.adapters.openslo.ours import our_documents
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition
from forecasting.terms.catalogue import Catalogue, MetricQuery, Service
from forecasting.terms.indicator import (
    CompositeIndicator,
    Indicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    metrics_of,
)
from forecasting.terms.service_level import BudgetingMethod, Objective, RollingWindow, Window

Plain = dict[str, object]
_HELD = (RatioIndicator, RawRatioIndicator, ThresholdIndicator, CompositeIndicator)
_UNITS = {"day": "d", "week": "w", "month": "M", "quarter": "Q", "year": "Y"}
_START = "2024-01-01 00:00:00"
"""A Monday and the first of a year: a boundary of every calendar unit."""


def export_openslo(catalogue: Catalogue, *, ours: bool = False) -> str:
    """Return a catalogue as YAML documents of openslo/v1.

    What the standard has no field for stands in ``forecasting/...`` annotations. Loading the text again gives the same
    terms, and the reference rules hold for it.

    Parameters
    ----------
    catalogue : Catalogue
        What was loaded.
    ours : bool
        Whether agreements, calendars, resources, demand drivers, covariates, customers, scenarios, planned events and
        hierarchies are written as forecasting/v1 documents; otherwise they are left out.

    Returns
    -------
    str
        The same catalogue always gives the same text.

    Examples
    --------
    >>> print(export_openslo(Catalogue(name="c", services={"shop": Service(name="shop", tier="web")})), end="")
    apiVersion: openslo/v1
    kind: Service
    metadata:
      name: shop
      annotations:
        forecasting/tier: web
    spec: {}
    """
    writer = _Writer(catalogue, ours=ours)
    documents = writer.documents()
    left_out = ", ".join(writer.left_out)
    comment = f"left out, because OpenSLO has no such indicator: {left_out}" if left_out else ""
    return emit(documents, comment=comment) if documents else "# an empty catalogue\n"


def document(kind: str, metadata: Plain, spec: Plain, *, api: str = "openslo/v1") -> Plain:
    """Return one document."""
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def _metadata(name: str, notes: Mapping[str, str], display: str = "") -> Plain:
    """Return metadata, a display name that is too long for the standard in an annotation."""
    notes = {**notes, "display-name": display if len(display) > 63 else ""}
    kept = {f"forecasting/{key}": text for key, text in notes.items() if text}
    found: Plain = {"name": name}
    if display and len(display) <= 63:
        found["displayName"] = display
    if kept:
        found["annotations"] = kept
    return found


def _described(description: str) -> tuple[Plain, dict[str, str]]:
    """Return the description as a field of the spec, or as an annotation where it is too long for the standard."""
    if len(description) > 1050:
        return {}, {"description": description}
    return ({"description": description} if description else {}), {}


class _Writer:
    """One catalogue being written."""

    def __init__(self, catalogue: Catalogue, *, ours: bool) -> None:
        self.catalogue, self.ours = catalogue, ours
        self.queries = {(query.service, query.metric): query for query in catalogue.queries}
        self.left_out: list[str] = []

    def documents(self) -> list[Plain]:
        """Return all documents, each kind before what refers to it."""
        catalogue = self.catalogue
        found = [self._service(service) for service in catalogue.services.values()]
        for source in catalogue.data_sources.values():
            described, notes = _described(source.description)
            spec = {**described, "type": source.kind, "connectionDetails": dict(source.details)}
            found.append(document("DataSource", _metadata(source.name, notes), spec))
        for target in catalogue.notification_targets.values():
            described, notes = _described(target.description)
            spec = {**described, "target": target.target}
            found.append(document("AlertNotificationTarget", _metadata(target.name, notes), spec))
        conditions = {one.name: one for policy in catalogue.alert_policies.values() for one in policy.conditions}
        conditions |= catalogue.alert_conditions
        found += [self._condition(condition) for condition in conditions.values()]
        found += [self._policy(policy) for policy in catalogue.alert_policies.values()]
        objectives = {objective.name: objective for objective in catalogue.objectives}
        parts = {name for objective in objectives.values() for name in _own_parts(objective, objectives)}
        for objective in catalogue.objectives:
            if objective.name in parts:
                continue
            if not isinstance(objective.indicator, _HELD) or (
                isinstance(objective.indicator, CompositeIndicator) and not _own_parts(objective, objectives)
            ):
                self.left_out.append(objective.name)
                continue
            found.append(self._slo(objective, objectives))
        if self.ours:
            found += our_documents(catalogue, self._inline)
        return found

    def _service(self, service: Service) -> Plain:
        """Return a Service."""
        described, notes = _described(service.description)
        notes |= {
            "tier": "" if service.tier == "standard" else service.tier,
            "zone": "" if service.zone == "UTC" else service.zone,
            "country": service.country,
            "depends-on": ", ".join(service.depends_on),
            "owner": service.owner,
        }
        return document("Service", _metadata(service.name, notes, service.display_name), described)

    def _condition(self, condition: BurnRateCondition) -> Plain:
        """Return an AlertCondition."""
        described, notes = _described(condition.description)
        short = condition.short_lookback
        notes["short-lookback"] = shorthand_of(short) if short is not None else ""
        notes["no-severity"] = "" if condition.severity else "true"
        rule: Plain = {"kind": "burnrate", "op": condition.op, "threshold": condition.threshold}
        rule["lookbackWindow"] = shorthand_of(condition.lookback)
        if condition.alert_after:
            rule["alertAfter"] = shorthand_of(condition.alert_after)
        spec = {**described, "severity": condition.severity or "none", "condition": rule}
        return document("AlertCondition", _metadata(condition.name, notes), spec)

    def _policy(self, policy: AlertPolicy) -> Plain:
        """Return an AlertPolicy; conditions after the first, which the standard has no place for, in an annotation."""
        described, notes = _described(policy.description)
        names = [*(condition.name for condition in policy.conditions), *policy.missing_conditions]
        notes["more-conditions"] = ", ".join(names[1:])
        nobody = {
            "kind": "AlertNotificationTarget",
            "metadata": _metadata("nobody", {"nobody": "true"}),
            "spec": {"target": "none"},
        }
        flags = {
            "alertWhenNoData": policy.alert_when_no_data,
            "alertWhenBreaching": policy.alert_when_breaching,
            "alertWhenResolved": policy.alert_when_resolved,
        }
        spec: Plain = {
            **described,
            **{key: True for key, on in flags.items() if on},
        }
        spec["conditions"] = [{"conditionRef": name} for name in names[:1]]
        spec["notificationTargets"] = [{"targetRef": name} for name in policy.targets] or [nobody]
        return document("AlertPolicy", _metadata(policy.name, notes), spec)

    def _slo(self, objective: Objective, objectives: Mapping[str, Objective]) -> Plain:
        """Return an SLO: one objective, or a composite with its parts."""
        described, notes = _described(objective.description)
        service = self.catalogue.services.get(objective.service)
        zone = service.zone if service is not None else "UTC"
        coverage = objective.minimum_coverage
        hours = objective.time.hours
        notes |= {
            "zone": objective.window.zone
            if isinstance(objective.window, RollingWindow) and objective.window.zone != zone
            else "",
            "service-hours": hours.name if hours is not None else "",
            "no-traffic": "" if objective.no_traffic == "exclude" else objective.no_traffic,
            "no-data": "" if objective.no_data == "unknown" else objective.no_data,
            "minimum-events": str(objective.minimum_events) if objective.minimum_events else "",
            "minimum-coverage-percent": "" if coverage == Decimal("0.95") else f"{coverage.scaleb(2):f}",
        }
        spec: Plain = {**described, "service": objective.service}
        indicator = objective.indicator
        if isinstance(indicator, CompositeIndicator):
            display = objective.display_name
            targets = [
                {
                    **self._target(objectives[part.objective]),
                    "indicator": self._inline(objectives[part.objective].indicator, part.objective, objective.service),
                    "compositeWeight": part.weight,
                }
                for part in indicator.components
            ]
        else:
            display, targets = "", [self._target(objective)]
            spec["indicator"] = self._inline(indicator, objective.name, objective.service)
        spec["timeWindow"] = [_window(objective.window)]
        spec["budgetingMethod"] = objective.method.value
        spec["objectives"] = targets
        if objective.alert_policies:
            spec["alertPolicies"] = [{"alertPolicyRef": name} for name in objective.alert_policies]
        return document("SLO", _metadata(objective.name, notes, display), spec)

    def _target(self, objective: Objective) -> Plain:
        """Return the entry of an objective in its SLO."""
        found: Plain = {"displayName": objective.display_name} if objective.display_name else {}
        if isinstance(objective.indicator, ThresholdIndicator):
            found |= {"op": objective.indicator.op, "value": objective.indicator.limit}
        found["target"] = objective.target
        if objective.method is BudgetingMethod.TIMESLICES and objective.slice_target is not None:
            found["timeSliceTarget"] = objective.slice_target
        if objective.method is not BudgetingMethod.OCCURRENCES and objective.slice_window is not None:
            found["timeSliceWindow"] = shorthand_of(objective.slice_window)
        return found

    def _inline(self, indicator: Indicator, owner: str, service: str) -> Plain:
        """Return an indicator in place; outside metrics are called after it when it is read."""
        outside = [name for name in metrics_of(indicator) if (service, name) in self.queries]
        label = outside[0].rsplit(".", 1)[0] if outside else owner
        notes: dict[str, str] = {}
        if isinstance(indicator, RatioIndicator):
            side = "good" if indicator.good is not None else "bad"
            counted = indicator.good if indicator.good is not None else indicator.bad
            if indicator.cumulative and not outside:
                notes["cumulative"] = "true"
            spec: Plain = {
                "ratioMetric": {
                    "counter": indicator.cumulative or not outside,
                    side: self._source(counted or "", service),
                    "total": self._source(indicator.total, service),
                }
            }
        elif isinstance(indicator, RawRatioIndicator):
            raw = {"rawType": indicator.counts, "raw": self._source(indicator.metric, service)}
            spec = {"ratioMetric": raw}
        else:
            metric = metrics_of(indicator)[0]
            spec = {"thresholdMetric": self._source(metric, service)}
        return {"metadata": _metadata(label, notes), "spec": spec}

    def _source(self, metric: str, service: str) -> Plain:
        """Return the source of a metric."""
        query = self.queries.get((service, metric))
        if query is None:
            return {"metricSource": {"type": "forecasting", "spec": {"metric": metric}}}
        source: Plain = {"metricSourceRef": query.source} if query.source else {}
        if query.source_kind:
            source["type"] = query.source_kind
        source["spec"] = _asked(query)
        return {"metricSource": source}


def _asked(query: MetricQuery) -> Plain:
    """Return the fields of what is asked."""
    if query.details:
        others: Plain = json.loads(query.details)
        return {"query": query.query, **others}
    if query.query.startswith("{"):
        try:
            fields = json.loads(query.query)
        except ValueError:
            fields = None  # a query language that begins with a brace
        if isinstance(fields, dict) and fields and not isinstance(fields.get("query"), str):
            return {str(key): value for key, value in fields.items()}
    return {"query": query.query}


def _window(window: Window) -> Plain:
    """Return a time window."""
    if isinstance(window, RollingWindow):
        return {"duration": shorthand_of(window.length), "isRolling": True}
    start = f"{window.anchor:%Y-%m-%d %H:%M:%S}" if window.anchor is not None else _START
    calendar = {"startTime": start, "timeZone": window.zone}
    return {"duration": f"{window.count}{_UNITS[window.unit]}", "isRolling": False, "calendar": calendar}


def _own_parts(objective: Objective, objectives: Mapping[str, Objective]) -> tuple[str, ...]:
    """Return the names of a composite's parts where it was one SLO document with an indicator for each target."""
    if not isinstance(objective.indicator, CompositeIndicator):
        return ()
    names = tuple(part.objective for part in objective.indicator.components)
    numbered = tuple(f"{objective.name}-{index + 1}" for index in range(len(names)))
    return names if names == numbered and all(name in objectives for name in names) else ()
