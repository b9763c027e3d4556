"""Reads SLO documents: one objective for each target, or a composite with its parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields
from forecasting.adapters.openslo.alerts import inline_policies
from forecasting.adapters.openslo.checker import slug
from forecasting.adapters.openslo.extras import PREFIX, described, our_annotations
from forecasting.adapters.openslo.indicators import Owner, indicator_of, metric_step, open_part, scalar, weight_of
from forecasting.adapters.openslo.references import resolve
from forecasting.adapters.openslo.rules_slo import METHODS
from forecasting.adapters.openslo.windows import read_slice_window, read_window, shortest
from forecasting.terms.catalogue import Service
from forecasting.terms.service_level import (
    BudgetingMethod,
    Component,
    CompositeIndicator,
    Indicator,
    Objective,
    Window,
)
from forecasting.terms.service_time import ServiceTime


def read_slo(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an SLO: one objective for each target, or a composite where each target has its own indicator."""
    draft.objectives[name] = []
    spec = open_part(top, "spec")
    if spec is None or ("SLO", name) in draft.damaged:
        return
    before = len(draft.problems)
    notes = our_annotations(metadata, "SLO")
    service = _service(draft, spec)
    zone = draft.services[service].zone if service in draft.services else "UTC"
    if notes is not None and notes.has(PREFIX + "zone"):
        zone = notes.zone(PREFIX + "zone")
    window = read_window(draft, spec, zone)
    policies = inline_policies(draft, name, spec)
    extras = _extras(draft, notes)
    if window is None or not service or len(draft.problems) > before:
        return
    reading = _Reading(
        draft=draft,
        name=name,
        service=service,
        window=window,
        method=_method(spec),
        cumulative=scalar(notes, PREFIX + "cumulative") == "true",
        display=display,
        description=described(spec, notes),
        policies=policies,
        extras=extras,
        spec=spec,
    )
    targets = _targets(spec)
    asked = set(draft.queries), set(draft.asked), set(draft.outside_metrics)
    composite = any(fields.has("indicator") or fields.has("indicatorRef") for fields in targets)
    objectives = reading.composite(targets) if composite else reading.plain(targets)
    if len(draft.problems) > before:
        return
    draft.objectives[name] = objectives
    if not objectives:
        _forget(draft, *asked)
        draft.left_out[name] = "it has no objective that can be judged"
        draft.notice("slo-left-out", spec, "objectives", f"the SLO '{name}' has no objective that can be judged")


def _forget(draft: Draft, queries: set[tuple[str, str]], asked: set[str], metrics: set[str]) -> None:
    """Drop the queries that an SLO which is left out has added."""
    draft.queries = {key: query for key, query in draft.queries.items() if key in queries}
    draft.asked = {key: form for key, form in draft.asked.items() if key in asked}
    draft.outside_metrics = {key: metric for key, metric in draft.outside_metrics.items() if key in metrics}


def _service(draft: Draft, spec: Fields) -> str:
    """Return the service of an SLO, which is made where no document declares it."""
    written = scalar(spec, "service")
    name = slug(written)
    if name != written:
        draft.notice("name-not-rfc1123", spec, "service", f"'{written}' is read as '{name}'")
    if name in draft.services or ("Service", name) in draft.damaged:
        return name
    declared = [other for other in draft.services if other not in draft.implied]
    before = len(draft.problems)
    resolve(draft, "Service", written, spec, "service", declared)
    if len(draft.problems) > before:
        return ""
    message = f"no document declares the Service '{name}'; it is made with nothing but its name"
    draft.notice("service-not-declared", spec, "service", message)
    draft.services[name] = Service(name=name)
    draft.implied.add(name)
    return name


def _method(spec: Fields) -> BudgetingMethod:
    """Return the budgeting method of a checked SLO."""
    written = scalar(spec, "budgetingMethod").casefold()
    return next((BudgetingMethod(word) for word in METHODS if word.casefold() == written), BudgetingMethod.OCCURRENCES)


def _targets(spec: Fields) -> list[Fields]:
    """Return the objectives of a checked SLO."""
    node = spec.node.fields.get("objectives")
    nodes = node.items if node is not None and node.kind == "list" else [node] if node is not None else []
    return [
        Fields(item, f"{spec.path}.objectives[{index}]", spec.file, spec.problems, list(item.fields))
        for index, item in enumerate(nodes)
        if item.kind == "map"
    ]


@dataclass(frozen=True, kw_only=True)
class _Extras:
    """What our annotations say of an SLO."""

    time: ServiceTime
    no_traffic: Literal["exclude", "good", "bad", "carry"]
    no_data: Literal["unknown", "exclude", "good", "bad"]
    minimum_events: int
    minimum_coverage: Decimal


def _extras(draft: Draft, notes: Fields | None) -> _Extras:
    """Read our annotations of an SLO."""
    time, no_traffic, no_data, events, coverage = ServiceTime(), "exclude", "unknown", 0, Decimal("0.95")
    if notes is not None:
        hours = scalar(notes, PREFIX + "service-hours")
        if hours:
            draft.refer("calendar", hours, notes, PREFIX + "service-hours")
            time = ServiceTime(hours=draft.calendars.get(hours))
        no_traffic = (
            notes.choice(PREFIX + "no-traffic", ("exclude", "good", "bad", "carry"), default="exclude") or "exclude"
        )
        no_data = notes.choice(PREFIX + "no-data", ("unknown", "exclude", "good", "bad"), default="unknown") or ""
        events = notes.whole(PREFIX + "minimum-events", default=0, at_least=0, at_most=10**12)
        share = notes.decimal(
            PREFIX + "minimum-coverage-percent", "a percentage from 0 to 100", at_least=0, at_most=100
        )
        coverage = coverage if share is None else share.scaleb(-2)
    return _Extras(
        time=time,
        no_traffic=cast(Literal["exclude", "good", "bad", "carry"], no_traffic),
        no_data=cast(Literal["unknown", "exclude", "good", "bad"], no_data),
        minimum_events=events,
        minimum_coverage=coverage,
    )


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One SLO being read."""

    draft: Draft
    name: str
    service: str
    window: Window
    method: BudgetingMethod
    cumulative: bool
    display: str
    description: str
    policies: tuple[str, ...]
    extras: _Extras
    spec: Fields

    def plain(self, targets: list[Fields]) -> list[Objective]:
        """Return the objectives of an SLO with one indicator."""
        found = []
        for index, fields in enumerate(targets):
            label = self.name if index == 0 else f"{self.name}-{index + 1}"
            objective = self._objective(label, fields, self.spec, self.name)
            if objective is not None:
                found.append(objective)
        return found

    def composite(self, targets: list[Fields]) -> list[Objective]:
        """Return the composite and its components, which are objectives of their own.

        The composite's target is the mean of the targets by weight, which leaves it the mean of their error budgets.
        """
        parts, weights = [], []
        for index, fields in enumerate(targets):
            label = f"{self.name}-{index + 1}"
            objective = self._objective(label, fields, fields, label, part=True)
            if objective is None:
                return []
            parts.append(objective)
            weights.append(weight_of(fields))
        if not parts:
            return []
        target = sum((w * p.target for w, p in zip(weights, parts, strict=True)), Decimal(0)) / sum(weights)
        if len({part.target for part in parts}) == 1:
            target = parts[0].target
        else:
            message = f"the composite's target is the mean of its objectives' targets by weight, {target:f}"
            self.draft.notice("composite-target", self.spec, "objectives", message)
        components = tuple(
            Component(objective=part.name, weight=weight) for part, weight in zip(parts, weights, strict=True)
        )
        whole = self._made(
            self.name,
            CompositeIndicator(components=components),
            target,
            self.display,
            parts[0].slice_window,
            parts[0].slice_target,
        )
        return [whole, *parts]

    def _indicator(self, holder: Fields, objective: Fields, owner: str) -> Indicator | None:
        """Read the indicator that is written in `holder`, in place or by name."""
        if holder.has("indicatorRef"):
            written = scalar(holder, "indicatorRef")
            label = resolve(self.draft, "SLI", written, holder, "indicatorRef", self.draft.indicators)
            self.draft.used_indicators.add(label or "")
            node = self.draft.indicators.get(label or "")
            if node is None or label is None:
                return None
            top = Fields(node, "", holder.file, self.draft.problems, list(node.fields))
            spec, notes = open_part(top, "spec"), our_annotations(open_part(top, "metadata"), "SLI")
        else:
            inline = open_part(holder, "indicator")
            inner = open_part(inline, "metadata") if inline is not None else None
            spec = open_part(inline, "spec") if inline is not None else None
            label, notes = slug(scalar(inner, "name")) or owner, our_annotations(inner, "SLI")
        if spec is None or not self._judgeable(spec, objective):
            return None
        cumulative = self.cumulative or scalar(notes, PREFIX + "cumulative") == "true"
        named = Owner(name=owner, service=self.service, sli=label, cumulative=cumulative)
        return indicator_of(self.draft, spec, objective, named)

    def _judgeable(self, spec: Fields, objective: Fields) -> bool:
        """Tell whether the objective says what its kind of indicator needs; note what it does not."""
        threshold = spec.has("thresholdMetric")
        own = objective.has("indicator") or objective.has("indicatorRef")
        if not threshold and (own or self.spec.has("indicatorRef")):
            for key in ("op", "value"):
                if objective.has(key):
                    self.draft.notice("op-with-ratio-metric", objective, key, "not looked at with a ratio metric")
        missing = [key for key in ("op", "value") if threshold and not objective.has(key)]
        if missing:
            words = " and ".join(missing)
            message = f"a threshold needs {words}; the objective is left out"
            self.draft.notice(f"{missing[0]}-missing", objective, missing[0], message)
        return not missing

    def _objective(
        self, label: str, fields: Fields, holder: Fields, owner: str, *, part: bool = False
    ) -> Objective | None:
        """Return one objective; None where its target, its slices or its indicator are missing."""
        key = "target" if fields.has("target") else "targetPercent"
        number = fields.decimal(key, "a number")
        share = None
        if self.method is BudgetingMethod.TIMESLICES:
            share = fields.decimal("timeSliceTarget", "a share above 0 and at most 1")
        if number is None or number == 0 or (share is None and self.method is BudgetingMethod.TIMESLICES):
            return None
        indicator = self._indicator(holder, fields, owner)
        if indicator is None:
            return None
        target = number if key == "target" else number.scaleb(-2)
        length = None
        if self.method is not BudgetingMethod.OCCURRENCES:
            length = read_slice_window(fields) or metric_step(self.draft, indicator)
            if length is not None and length >= shortest(self.window):
                message = f"the window is not longer than a slice ({length}): is the window's M written as m?"
                self.draft.notice("window-within-slice", fields, "timeSliceWindow", message)
        display = scalar(fields, "displayName") or self.display
        return self._made(label, indicator, target, display, length, share, part=part)

    def _made(
        self,
        label: str,
        indicator: Indicator,
        target: Decimal,
        display: str,
        length: timedelta | None,
        share: Decimal | None,
        *,
        part: bool = False,
    ) -> Objective:
        """Return the objective with what it has from its SLO."""
        return Objective(
            name=label,
            service=self.service,
            indicator=indicator,
            target=target,
            window=self.window,
            display_name=display,
            description=self.description,
            minimum_events=self.extras.minimum_events,
            minimum_coverage=self.extras.minimum_coverage,
            method=self.method,
            slice_window=length,
            slice_target=share,
            no_traffic=self.extras.no_traffic,
            no_data=self.extras.no_data,
            time=self.extras.time,
            alert_policies=tuple(policy for policy in self.policies if self._can_alert(policy, target, part=part)),
        )

    def _can_alert(self, name: str, target: Decimal, *, part: bool) -> bool:
        """Tell whether a policy can ever alert at this target: with everything bad the burn rate is 1 ÷ budget.

        What cannot is an error in lenient mode; the reference rules allow it, so that strict mode leaves it out.
        """
        budget = 1 - target
        policy = self.draft.alert_policies[name]
        for condition in policy.conditions:
            if condition.threshold * budget < 1:
                continue
            came = f"{condition.threshold:f} × an error budget of {budget:f}"
            allowed = "a product below 1: with everything bad the budget burns no faster"
            if self.draft.strict or part:
                message = f"{condition.name} of {name} can never alert here ({came}): the policy is left out"
                self.draft.notice("alert-never", self.spec, "alertPolicies", message)
                return False
            hint = "a lower threshold of the condition, or a higher target"
            self.spec.note("alertPolicies", f"{name}: {condition.name}: {came}", allowed, hint)
        return True


def repeated_names(draft: Draft) -> list[str]:
    """Return the names of objectives that two SLO documents give."""
    counts = Counter(objective.name for group in draft.objectives.values() for objective in group)
    return sorted(name for name, count in counts.items() if count > 1)
