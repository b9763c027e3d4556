"""Agreements: who promised what to whom, when it applies, and what underpins it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import INDICATORS, fields_of, words_of
from forecasting.adapters._catalogue_parts import (
    CalendarUnit,
    read_currency,
    read_rolling,
    read_target,
)
from forecasting.adapters._credit_parts import read_credits, read_workload_limit
from forecasting.adapters._fields import Fields
from forecasting.adapters._indicator_parts import (
    check_aligned,
    length_text,
    metric_of,
    read_length,
    read_own_indicator,
    read_whole,
)
from forecasting.adapters._service_time_parts import read_exclusions, read_maintenance, read_validity
from forecasting.adapters.openslo import read_indicator
from forecasting.terms.agreement import Agreement, AgreementKind, Reliance, WorkloadLimit
from forecasting.terms.indicator import (
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    Op,
    QuantileIndicator,
    RatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
    metrics_of,
)
from forecasting.terms.service_level import (
    BudgetingMethod,
    CalendarWindow,
    Objective,
    RollingWindow,
    Rounding,
    Window,
)
from forecasting.terms.service_time import ServiceTime

_EFFECTS: dict[str, Literal["suspended", "scaled", "priced"]] = {
    "target suspended": "suspended",
    "target scaled": "scaled",
    "priced": "priced",
}
_LONGEST = {"day": 1, "week": 7, "month": 28, "quarter": 90, "year": 365}
"""Fewest days of a window of each unit."""


def read_agreement(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read an Agreement: an SLA, an OLA or an underpinning contract."""
    spec = top.mapping("spec", fields_of("Agreement"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    kind = spec.choice("kind", words_of("Agreement", "kind"))
    service, customer = spec.name("service"), spec.name("customer")
    draft.refer("service", service, spec, "service")
    draft.refer("customer", customer, spec, "customer")
    first, last = read_validity(spec, required=True)
    time = _service_time(draft, spec)
    time = replace(time, valid_from=first, valid_until=last)
    limit = read_workload_limit(draft, spec)
    objectives = [_with_time(o, time, limit) for o in read_agreed_objectives(draft, spec, service, limit)]
    credits_ = read_credits(spec, objectives)
    loss = spec.decimal("lossPerBadEvent", "an amount of 0 or more", at_least=0)
    reliance = read_reliance(draft, spec)
    currency = read_currency(draft, spec)
    price_date, provider = spec.day("priceDate"), spec.text("provider", required=True)
    replaces = spec.name("replaces", required=False)
    draft.refer("agreement", replaces, spec, "replaces")
    if replaces == name and name:
        spec.note("replaces", replaces, "another agreement", "name the agreement that this one follows")
    grace = spec.duration("grace")
    months = None
    if spec.has("reviewMonths"):
        months = read_whole(spec, "reviewMonths", "a whole number of months from 1 to 120", at_least=1, at_most=120)
    last_review = spec.day("lastReview")
    confidential = spec.flag("confidential", default=False)
    if len(draft.problems) == before and kind is not None and first is not None:
        draft.places["Agreement", name] = spec
        draft.agreements[name] = Agreement(
            id=name,
            kind=AgreementKind(kind),
            service=service,
            customer=customer,
            provider=provider,
            objectives=tuple(objectives),
            valid_from=first,
            valid_until=last,
            version=spec.text("version") or "1",
            promise=spec.text("promise"),
            currency=currency,
            price_date=price_date,
            credits=credits_,
            loss_per_bad_event=loss or Decimal(0),
            workload_limit=limit,
            relies_on=tuple(dict.fromkeys(one for link in reliance for one in link.agreements)),
            owner=spec.text("owner"),
            reliance=reliance,
            time=time,
            grace=grace or timedelta(0),
            replaces=replaces,
            review_months=months,
            last_review=last_review,
            budget_policy=spec.text("budgetPolicy"),
            confidential=confidential,
        )


def _service_time(draft: Draft, spec: Fields) -> ServiceTime:
    """Read when the promise applies."""
    hours = spec.name("serviceHours", required=False)
    draft.refer("calendar", hours, spec, "serviceHours")
    return ServiceTime(
        hours=draft.calendars.get(hours), exclusions=read_exclusions(spec), maintenance=read_maintenance(spec)
    )


def _with_time(objective: Objective, time: ServiceTime, limit: WorkloadLimit | None) -> Objective:
    """Return the objective with what its agreement says for all of them."""
    if limit is None:
        return replace(objective, time=time)
    effect = _EFFECTS[limit.effect]
    return replace(
        objective, time=time, workload_metric=limit.metric, workload_limit=limit.per_slice, workload_effect=effect
    )


def read_reliance(draft: Draft, spec: Fields) -> tuple[Reliance, ...]:
    """Read the agreements that underpin this one: ids, or k of n."""
    found: list[Reliance] = []
    seen: set[str] = set()
    allowed = "an agreement's id, or {agreements: [...], required: 1, independent: true}"
    for index, node in enumerate(spec.items("reliesOn")):
        path = f"reliesOn[{index}]"
        if node.kind == "map":
            link = Fields(node, f"{spec.path}.{path}", spec.file, spec.problems, fields_of("reliance"))
            words = link.words("agreements", required=True)
            required = None
            if link.has("required"):
                bound = f"a whole number from 1 to the number of agreements ({len(words)})"
                required = read_whole(link, "required", bound, at_least=1, at_most=max(1, len(words)))
            if len(words) == 1 and link.has("independent"):
                link.note("independent", "one agreement", "independent of at least two agreements", "remove it")
            independent = link.flag("independent", default=False)
            found.append(Reliance(agreements=tuple(w for w, _ in words), required=required, independent=independent))
        elif node.kind in ("list", "null") or not node.text.strip():
            spec.note(path, node.shown(), allowed, "one id an item", node.line)
            continue
        else:
            words = [(node.text, node.line)]
            found.append(Reliance(agreements=(node.text,)))
        for other, line in words:
            draft.refer("agreement", other, spec, path, line)
            if other in seen:
                spec.note(path, other, "each agreement once", "remove it", line)
            seen.add(other)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Slices:
    """How an objective's windows are cut into slices and what empty ones count as."""

    method: BudgetingMethod
    window: timedelta | None
    target: Decimal | None
    no_traffic: Literal["exclude", "good", "bad", "carry"]
    no_data: Literal["unknown", "exclude", "good", "bad"]


def read_agreed_objectives(draft: Draft, spec: Fields, service: str, limit: WorkloadLimit | None) -> list[Objective]:
    """Read the objectives of an agreement, taking indicator and slices from an SLO where one is named."""
    objectives: dict[str, Objective] = {}
    known = fields_of("objective")
    for fields in spec.mappings("objectives", known, required=True):
        before = len(draft.problems)
        name, target = fields.name("name"), read_target(fields)
        window = _agreed_window(fields)
        minimum = fields.whole("minimumEvents", default=0, at_least=0, at_most=10**12)
        coverage = fields.decimal("minimumCoveragePercent", "a percentage from 0 to 100", at_least=0, at_most=100)
        indicator, slo = _agreed_indicator(draft, fields, service)
        slices = _slices(draft, fields, slo, indicator, window)
        strict, rounding = fields.flag("strict", default=False), _rounding(fields)
        policies = fields.words("alertPolicies")
        for policy, line in policies:
            draft.refer("alert policy", policy, fields, "alertPolicies", line)
        if indicator is not None and limit is not None:
            _check_limit(draft, spec, fields, indicator, limit)
        if name in objectives:
            fields.note("name", name, "a name used once in the agreement", f"{name}-2")
        elif len(draft.problems) == before and target is not None and window is not None and indicator is not None:
            objective = Objective(
                name=name,
                service=service,
                indicator=indicator,
                target=target,
                window=window,
                display_name=fields.text("displayName"),
                description=fields.text("description"),
                minimum_events=minimum,
                method=slices.method,
                slice_window=slices.window,
                slice_target=slices.target,
                no_traffic=slices.no_traffic,
                no_data=slices.no_data,
                strict=strict,
                rounding=rounding,
                alert_policies=tuple(policy for policy, _ in policies),
            )
            if coverage is not None:
                objective = replace(objective, minimum_coverage=coverage.scaleb(-2))
            objectives[name] = objective
    return list(objectives.values())


def _slices(
    draft: Draft, fields: Fields, slo: Objective | None, indicator: Indicator | None, window: Window | None
) -> _Slices:
    """Read the budgeting method; what is not written is that of the SLO whose indicator is taken."""
    method = slo.method if slo is not None else BudgetingMethod.OCCURRENCES
    length, target = (slo.slice_window, slo.slice_target) if slo is not None else (None, None)
    written = fields.choice("method", words_of("objective", "method"), default=method.value)
    if written is not None and written != method.value:
        method, length, target = BudgetingMethod(written), None, None
    sliced = method is not BudgetingMethod.OCCURRENCES
    judged_whole = (DeadlineIndicator, TicketIndicator, QuantileIndicator)
    if sliced and isinstance(indicator, judged_whole):
        allowed = "Occurrences (days, tickets and quantiles are judged one by one)"
        fields.note("method", method.value, allowed, "method: Occurrences")
    if not sliced:
        for key in ("sliceWindow", "sliceTargetPercent", "noTraffic"):
            if fields.has(key):
                fields.note(key, key, f"{key} only with method Timeslices or RatioTimeslices", "method: Timeslices")
    elif method is BudgetingMethod.RATIO_TIMESLICES and fields.has("sliceTargetPercent"):
        fields.note("sliceTargetPercent", "sliceTargetPercent", "sliceTargetPercent only with Timeslices", "remove it")
    if fields.has("sliceWindow") or (sliced and length is None):
        length = read_length(fields, "sliceWindow", required=True)
        if length is not None and sliced:
            _check_slice(draft, fields, length, indicator, window)
    needs = method is BudgetingMethod.TIMESLICES and not isinstance(indicator, CompositeIndicator)
    if fields.has("sliceTargetPercent") or (needs and target is None):
        target = fields.share("sliceTargetPercent", required=True)
    no_traffic = fields.choice("noTraffic", words_of("objective", "noTraffic"), default=slo.no_traffic if slo else
                               "exclude")  # fmt: skip
    no_data = fields.choice("noData", words_of("objective", "noData"), default=slo.no_data if slo else "unknown")
    if no_data in ("good", "bad") and not sliced and isinstance(indicator, (RatioIndicator, TicketIndicator)):
        allowed = "unknown or exclude where events or tickets are counted (how many are missing is not known)"
        fields.note("noData", no_data, allowed, "noData: unknown, or method: Timeslices")
    return _Slices(
        method=method,
        window=length if sliced else None,
        target=target if method is BudgetingMethod.TIMESLICES else None,
        no_traffic=cast(Literal["exclude", "good", "bad", "carry"], no_traffic or "exclude"),
        no_data=cast(Literal["unknown", "exclude", "good", "bad"], no_data or "unknown"),
    )


def _check_slice(
    draft: Draft, fields: Fields, length: timedelta, indicator: Indicator | None, window: Window | None
) -> None:
    """Note slices that the metric's data do not fit into, or that do not fit into the window."""
    if indicator is not None:
        check_aligned(draft, fields, "sliceWindow", length, metrics_of(indicator))
    fewest = (
        window.length
        if isinstance(window, RollingWindow)
        else timedelta(days=_LONGEST[window.unit] * window.count)
        if window is not None
        else None
    )
    if fewest is not None and length >= fewest:
        text = fields.node.fields["sliceWindow"].text
        fields.note("sliceWindow", text, f"shorter than the window ({length_text(fewest)})", "5m (m is a minute)")


def _check_limit(draft: Draft, spec: Fields, fields: Fields, indicator: Indicator, limit: WorkloadLimit) -> None:
    """Note a workload limit on another grid than the objective's: it is judged slice by slice."""
    demand, names = metric_of(draft, limit.metric), metrics_of(indicator)
    grid = metric_of(draft, names[0]) if names else None
    if demand is None or grid is None or demand.step == grid.step:
        return
    allowed = f"a metric with the step of {grid.name} ({length_text(grid.step)}), slice by slice as {fields.path} is"
    node = spec.node.fields["workloadLimit"]
    line = node.fields["metric"].line if "metric" in node.fields else node.line
    came = f"{limit.metric} ({length_text(demand.step)})"
    spec.note("workloadLimit.metric", came, allowed, f"a metric of demand every {length_text(grid.step)}", line)


def _rounding(fields: Fields) -> Rounding | None:
    """Read the agreement's own rule for rounding."""
    rule = fields.mapping("rounding", fields_of("rounding"))
    if rule is None:
        return None
    decimals = read_whole(rule, "decimals", "a whole number of decimals from 0 to 10", at_least=0, at_most=10)
    mode = rule.choice("mode", words_of("rounding", "mode"), default="half_up")
    if decimals is None or mode is None:
        return None
    return Rounding(decimals=decimals, mode=cast(Literal["half_up", "half_even", "down", "up"], mode))


def _agreed_indicator(draft: Draft, fields: Fields, service: str) -> tuple[Indicator | None, Objective | None]:
    """Return the indicator of an agreement's objective, and the SLO it is from where it is from one."""
    if fields.has("slo") == fields.has("indicator"):
        came = "slo and indicator" if fields.has("slo") else None
        fields.note("slo", came, "exactly one of slo and indicator", "name an SLO")
        return None, None
    if not fields.has("slo"):
        before = len(draft.problems)
        holder = fields.mapping("indicator", ["metadata", "spec", *INDICATORS])
        if holder is None or len(draft.problems) > before:
            return None, None
        if holder.has("spec") and not any(holder.has(kind) for kind in INDICATORS):
            return read_indicator(draft, holder, fields, service=service), None
        return read_own_indicator(draft, holder, fields), None
    slo = fields.name("slo")
    draft.refer("SLO", slo, fields, "slo")
    found = draft.objectives.get(slo)
    if not found:
        return None, None
    if found[0].service != service and service:
        fields.note("slo", slo, f"an SLO of {service} ({slo} is of {found[0].service})", "name an SLO of the service")
        return None, None
    indicator = found[0].indicator
    if not fields.has("op") and not fields.has("value"):
        return indicator, found[0]
    if not isinstance(indicator, ThresholdIndicator):
        fields.note("op" if fields.has("op") else "value", slo, "no op or value with ratioMetric", "remove it")
        return None, None
    op = fields.choice("op", words_of("objective", "op"), default=indicator.op)
    limit = fields.decimal("value", "a number in the metric's unit")
    if op is None or (fields.has("value") and limit is None):
        return None, None
    own = replace(indicator, op=cast(Op, op), limit=indicator.limit if limit is None else limit)
    return own, found[0]


def _agreed_window(fields: Fields) -> Window | None:
    """Read ``{calendar: month, zone: ...}`` or ``{rolling: 30d, zone: ...}``."""
    window = fields.mapping("window", fields_of("window"), required=True)
    if window is None:
        return None
    if window.has("calendar") == window.has("rolling"):
        came = "calendar and rolling" if window.has("calendar") else None
        window.note("calendar", came, "exactly one of calendar and rolling", "calendar: month")
        return None
    zone = window.zone("zone", required=window.has("calendar"))
    if window.has("rolling"):
        for key in ("count", "anchor"):
            if window.has(key):
                window.note(key, key, f"{key} only with calendar", "remove it")
        return read_rolling(window, "rolling", zone)
    words = words_of("window", "calendar")
    text = window.scalar("calendar", " | ".join(words), required=True)
    if text in ("1M", "1m"):
        window.note("calendar", text, " | ".join(words), "month")
        return None
    before = len(fields.problems)
    unit = window.choice("calendar", words)
    count = window.whole("count", default=1, at_least=1, at_most=120)
    anchor = _anchor(window)
    if count > 1 and not window.has("anchor"):
        window.note("anchor", None, "an anchor where count is above 1 (from when the windows are counted)",
                    'anchor: "2026-01-01 00:00:00"')  # fmt: skip
    if unit is None or len(fields.problems) > before:
        return None
    return CalendarWindow(unit=cast(CalendarUnit, unit), zone=zone, count=count, anchor=anchor)


def _anchor(window: Fields) -> datetime | None:
    """Read the wall-clock start of window 0, without a zone."""
    allowed = "local time without an offset as YYYY-MM-DD HH:MM:SS"
    text = window.scalar("anchor", allowed, required=False)
    if text is None:
        return None
    try:
        start = datetime.strptime(text, "%Y-%m-%d %H:%M:%S" if len(text) > 10 else "%Y-%m-%d")  # noqa: DTZ007 - zone apart
    except ValueError:
        start = None
    if start is None or not 1990 <= start.year <= 2100:
        window.note("anchor", text, allowed, "2026-01-15 12:00:00")
        return None
    return start
