"""Parts of catalogue documents: targets, windows, indicators, credits, workload limits and capacity models."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields, parse_duration
from forecasting.terms.agreement import Credits, CreditTier, WorkloadLimit
from forecasting.terms.catalogue import CapacityModel, ErlangCModel, GrowingStockModel, ResponseCurveModel
from forecasting.terms.history import MetricKind
from forecasting.terms.service_level import (
    CalendarWindow,
    Indicator,
    Objective,
    RatioIndicator,
    RollingWindow,
    ThresholdIndicator,
    Window,
)

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]


Op = Literal["lt", "lte", "gt", "gte"]


OPS = ("lt", "lte", "gt", "gte")


CALENDAR_UNITS = ("day", "week", "month", "quarter", "year")


OBJECTIVE_UNSUPPORTED = ("timeSliceTarget", "timeSliceWindow", "indicatorRef", "compositeWeight", "rawType")


_WINDOW_UNITS: dict[str, CalendarUnit] = {"d": "day", "w": "week", "M": "month", "Q": "quarter", "Y": "year"}


_ROLLING_DAYS = {"M": 30, "Q": 90, "Y": 365}


def read_target(fields: Fields) -> Decimal | None:
    """Return the target as an exact share, from either `target` or `targetPercent`."""
    share, percent = fields.has("target"), fields.has("targetPercent")
    if share and percent:
        fields.note("targetPercent", "target and targetPercent", "one of the two", "remove one of them")
        return None
    if not share and not percent:
        fields.note("target", None, "target (a share) or targetPercent", "add targetPercent: 99.9")
        return None
    if share:
        text = fields.node.fields["target"].text
        hint = f"targetPercent: {text}" if text[:1] in "123456789" else "a share such as 0.999"
        return fields.decimal("target", "a share above 0 and below 1", above=0, below=1, hint=hint)
    text = fields.node.fields["targetPercent"].text
    hint = "99.99 (100 leaves no error budget)" if text.startswith("100") else "a percentage such as 99.9"
    allowed = "a percentage above 0 and below 100"
    number = fields.decimal("targetPercent", allowed, above=0, below=100, hint=hint)
    if number is not None and number < 1:
        fields.note("targetPercent", text, "a percentage of at least 1", f"target: {text}")
        return None
    return None if number is None else number.scaleb(-2)


def read_currency(draft: Draft, spec: Fields) -> str:
    """Return the currency, the project's where none is given."""
    expected = draft.currency
    found = spec.scalar("currency", "an ISO 4217 code such as EUR", required=expected is None)
    if found is None:
        return expected or ""
    if not (len(found) == 3 and found.isascii() and found.isalpha() and found.isupper()):
        spec.note("currency", found, "an ISO 4217 code such as EUR", expected or "EUR")
    elif expected is not None and found != expected:
        spec.note("currency", found, f"the project's currency ({expected})", f"convert the amounts to {expected}")
    return found


def read_slo_window(draft: Draft, spec: Fields, service: str) -> Window | None:
    """Read `timeWindow`: exactly one, rolling or by the calendar."""
    windows = spec.mappings("timeWindow", ["duration", "isRolling", "calendar"], required=True)
    if len(windows) != 1:
        if windows:
            spec.note("timeWindow", f"{len(windows)} windows", "exactly one", "remove the others")
        return None
    window = windows[0]
    if window.flag("isRolling", default=not window.has("calendar")):
        if window.has("calendar"):
            window.note("calendar", "calendar", "no calendar in a rolling window", "isRolling: false, or remove it")
        zone = draft.services[service].zone if service in draft.services else "UTC"
        return _rolling(window, "duration", zone)
    text = window.scalar("duration", "1d, 1w, 1M, 1Q or 1Y", required=True)
    calendar = window.mapping("calendar", ["startTime", "timeZone"], required=True)
    zone = calendar.zone("timeZone", required=True) if calendar else "UTC"
    unit = _WINDOW_UNITS.get(text[1:]) if text and text[0] == "1" else None
    if text is not None and unit is None:
        hint = "1M for one month (m is a minute)" if text == "1m" else "1M for one month"
        window.note("duration", text, "1d, 1w, 1M, 1Q or 1Y", hint)
    if calendar and unit:
        _check_start(calendar, unit)
    return CalendarWindow(unit=unit, zone=zone) if unit else None


def _check_start(calendar: Fields, unit: CalendarUnit) -> None:
    """Refuse a start that is not the beginning of a calendar unit."""
    from datetime import datetime

    text = calendar.scalar("startTime", "YYYY-MM-DD HH:MM:SS", required=True)
    if text is None:
        return
    try:
        start = datetime.strptime(text, "%Y-%m-%d %H:%M:%S" if " " in text else "%Y-%m-%d")  # noqa: DTZ007 - zone apart
    except ValueError:
        calendar.note("startTime", text, "YYYY-MM-DD HH:MM:SS without an offset", "2027-01-01 00:00:00")
        return
    first = {
        "day": True,
        "week": start.weekday() == 0,
        "month": start.day == 1,
        "quarter": start.day == 1 and start.month % 3 == 1,
        "year": start.day == 1 and start.month == 1,
    }[unit]
    if not first or start.hour or start.minute or start.second:
        allowed = f"midnight at the beginning of a {unit}" + (" (Monday)" if unit == "week" else "")
        calendar.note("startTime", text, allowed, "2027-01-01 00:00:00 (other starts are not supported yet)")


def _rolling(fields: Fields, key: str, zone: str) -> Window | None:
    """Read the length of a rolling window: whole days."""
    allowed = "whole days such as 30d, or 4w, 1M (30 days), 1Q (90 days), 1Y (365 days)"
    text = fields.scalar(key, allowed, required=True)
    if text is None:
        return None
    length = parse_duration(text)
    if length is None and text[-1:] in _ROLLING_DAYS and text[:-1].isdigit() and len(text) < 5:
        length = timedelta(days=_ROLLING_DAYS[text[-1]] * int(text[:-1]))
    if length is None or length % timedelta(days=1) or not timedelta(days=1) <= length <= timedelta(days=1100):
        hint = text[:-1] + "M (m is a minute)" if text.endswith("m") else "30d"
        fields.note(key, text, allowed, hint)
        return None
    return RollingWindow(length=length, zone=zone)


def read_indicator(draft: Draft, holder: Fields, objective: Fields) -> Indicator | None:
    """Read an indicator; `op` and `value` of a threshold stand in the objective."""
    before = len(draft.problems)
    spec = holder.mapping("spec", ["ratioMetric", "thresholdMetric", "description"], required=True)
    if spec is None:
        return None
    ratio, threshold = spec.has("ratioMetric"), spec.has("thresholdMetric")
    if ratio == threshold:
        came = "both" if ratio else None
        spec.note("ratioMetric", came, "exactly one of ratioMetric and thresholdMetric", "keep one")
        return None
    if threshold:
        metric = _metric(draft, spec, "thresholdMetric", counted=False)
        op = objective.choice("op", OPS)
        limit = objective.decimal("value", "a number in the metric's unit", required=True)
        if len(draft.problems) > before or op is None or limit is None:
            return None
        return ThresholdIndicator(metric=metric, op=cast(Op, op), limit=limit)
    fields = spec.mapping("ratioMetric", ["counter", "good", "bad", "total"], unsupported=["raw", "rawType"])
    if fields is None:
        return None
    fields.flag("counter", default=True)
    for key in ("op", "value"):
        if objective.has(key):
            objective.note(key, key, "no op or value with ratioMetric", "remove it")
    if fields.has("good") == fields.has("bad"):
        came = "good and bad" if fields.has("good") else None
        fields.note("good", came, "exactly one of good and bad", "keep one of them")
        return None
    total = _metric(draft, fields, "total", counted=True)
    side = "good" if fields.has("good") else "bad"
    counted = _metric(draft, fields, side, counted=True)
    if len(draft.problems) > before:
        return None
    return RatioIndicator(total=total, good=counted if side == "good" else None, bad=counted if side == "bad" else None)


def _metric(draft: Draft, fields: Fields, key: str, *, counted: bool) -> str:
    """Read ``{metricSource: {type: forecasting, spec: {metric: NAME}}}``."""
    holder = fields.mapping(key, ["metricSource"], required=True)
    source = holder.mapping("metricSource", ["type", "spec", "metricSourceRef"], required=True) if holder else None
    if source is None:
        return ""
    kind = source.scalar("type", "forecasting", required=False)
    if kind not in (None, "forecasting"):
        source.note("type", kind, "forecasting", "forecasting (other sources are not supported yet)")
        return ""
    spec = source.mapping("spec", ["metric"], required=True)
    metric = spec.text("metric", required=True) if spec else ""
    if spec:
        draft.refer("metric", metric, spec, "metric")
        known = draft.metrics.get(metric)
        if counted and known is not None and known.kind is not MetricKind.COUNT:
            spec.note("metric", metric, "a metric of kind count", f"declare {metric} as count, or use thresholdMetric")
    return metric


def read_agreed_objectives(draft: Draft, spec: Fields, service: str) -> list[Objective]:
    """Read the objectives of an agreement, taking the indicator from an SLO where one is named."""
    known = ["name", "displayName", "description", "slo", "indicator", "target", "targetPercent", "op", "value"]
    known += ["window", "minimumEvents"]
    objectives: dict[str, Objective] = {}
    for fields in spec.mappings("objectives", known, required=True, unsupported=OBJECTIVE_UNSUPPORTED):
        name, target = fields.name("name"), read_target(fields)
        window = _agreed_window(fields)
        minimum = fields.whole("minimumEvents", default=0, at_least=0, at_most=10**12)
        indicator = _agreed_indicator(draft, fields, service)
        if name in objectives:
            fields.note("name", name, "a name used once in the agreement", f"{name}-2")
        elif name and target is not None and window is not None and indicator is not None:
            objectives[name] = Objective(
                name=name,
                service=service,
                indicator=indicator,
                target=target,
                window=window,
                display_name=fields.text("displayName"),
                description=fields.text("description"),
                minimum_events=minimum,
            )
    return list(objectives.values())


def _agreed_indicator(draft: Draft, fields: Fields, service: str) -> Indicator | None:
    """Return the indicator of an agreement's objective."""
    if fields.has("slo") == fields.has("indicator"):
        came = "slo and indicator" if fields.has("slo") else None
        fields.note("slo", came, "exactly one of slo and indicator", "name an SLO")
        return None
    if not fields.has("slo"):
        holder = fields.mapping("indicator", ["metadata", "spec"])
        return read_indicator(draft, holder, fields) if holder else None
    slo = fields.name("slo")
    draft.refer("SLO", slo, fields, "slo")
    found = draft.objectives.get(slo)
    if not found:
        return None
    if found[0].service != service and service:
        fields.note("slo", slo, f"an SLO of {service} ({slo} is of {found[0].service})", "name an SLO of the service")
        return None
    indicator = found[0].indicator
    if not fields.has("op") and not fields.has("value"):
        return indicator
    if isinstance(indicator, RatioIndicator):
        fields.note("op" if fields.has("op") else "value", slo, "no op or value with ratioMetric", "remove it")
        return None
    op = fields.choice("op", OPS, default=indicator.op)
    limit = fields.decimal("value", "a number in the metric's unit")
    if op is None or (fields.has("value") and limit is None):
        return None
    return ThresholdIndicator(
        metric=indicator.metric, op=cast(Op, op), limit=indicator.limit if limit is None else limit
    )


def _agreed_window(fields: Fields) -> Window | None:
    """Read ``{calendar: month, zone: ...}`` or ``{rolling: 30d, zone: ...}``."""
    window = fields.mapping("window", ["calendar", "rolling", "zone"], required=True)
    if window is None:
        return None
    if window.has("calendar") == window.has("rolling"):
        came = "calendar and rolling" if window.has("calendar") else None
        window.note("calendar", came, "exactly one of calendar and rolling", "calendar: month")
        return None
    zone = window.zone("zone", required=window.has("calendar"))
    if window.has("rolling"):
        return _rolling(window, "rolling", zone)
    text = window.scalar("calendar", " | ".join(CALENDAR_UNITS), required=True)
    if text in ("1M", "1m"):
        window.note("calendar", text, " | ".join(CALENDAR_UNITS), "month")
        return None
    unit = window.choice("calendar", CALENDAR_UNITS)
    return None if unit is None else CalendarWindow(unit=cast(CalendarUnit, unit), zone=zone)


def read_credits(spec: Fields, objectives: list[Objective]) -> Credits | None:
    """Read the ladder of service credits: falling thresholds, rising credits, all below the target and the cap."""
    fields = spec.mapping("credits", ["feePerPeriod", "capPercent", "tiers"])
    if fields is None:
        return None
    fee = fields.decimal("feePerPeriod", "an amount above 0", required=True, above=0)
    cap = fields.share("capPercent")
    cap = Decimal(1) if cap is None else cap
    tiers: list[CreditTier] = []
    highest = max((o.target for o in objectives), default=None)
    for tier in fields.mappings("tiers", ["belowPercent", "creditPercent"], required=True):
        below, credit = tier.share("belowPercent", required=True), tier.share("creditPercent", required=True)
        if below is None or credit is None:
            continue
        came = tier.node.fields["belowPercent"].text
        if tiers and below >= tiers[-1].below:
            tier.note("belowPercent", came, "tiers from the highest belowPercent to the lowest", "reorder the tiers")
        if tiers and credit <= tiers[-1].share_of_fee:
            percent = tier.node.fields["creditPercent"].text
            tier.note("creditPercent", percent, "more credit the lower the tier", "raise it or reorder the tiers")
        if highest is not None and below > highest:
            allowed = f"at most the target ({(highest * 100).normalize():f})"
            tier.note("belowPercent", came, allowed, "a credit starts below the target")
        if credit > cap:
            percent = tier.node.fields["creditPercent"].text
            tier.note("creditPercent", percent, f"at most capPercent ({(cap * 100).normalize():f})", "raise capPercent")
        tiers.append(CreditTier(below=below, share_of_fee=credit))
    return None if fee is None else Credits(fee_per_period=fee, tiers=tuple(tiers), cap_share=cap)


def read_workload_limit(draft: Draft, spec: Fields) -> WorkloadLimit | None:
    """Read the demand up to which the target holds."""
    fields = spec.mapping("workloadLimit", ["metric", "perSlice", "effect"])
    if fields is None:
        return None
    metric = fields.text("metric", required=True)
    draft.refer("metric", metric, fields, "metric")
    per_slice = fields.decimal("perSlice", "a number above 0", required=True, above=0)
    effect = fields.text("effect") or "target suspended"
    return None if per_slice is None else WorkloadLimit(metric=metric, per_slice=per_slice, effect=effect)


_ERLANG_FIELDS = ("handlingTimeSeconds", "answerWithinSeconds", "targetPercent", "intervalMinutes")


_MODEL_FIELDS = {
    "erlang_c": _ERLANG_FIELDS,
    "response_curve": ("good", "bad", "total"),
    "growing_stock": (),
}


def read_capacity_model(draft: Draft, spec: Fields) -> CapacityModel | None:
    """Read the capacity model with the fields of its kind."""
    node = spec.node.fields.get("model")
    kind_node = node.fields.get("kind") if node is not None else None
    own = _MODEL_FIELDS.get(kind_node.text) if kind_node is not None else None
    every = ["kind", *(own if own is not None else sum(_MODEL_FIELDS.values(), ()))]
    fields = spec.mapping("model", every, required=True)
    if fields is None:
        return None
    kind = fields.choice("kind", list(_MODEL_FIELDS))
    if kind == "growing_stock":
        return GrowingStockModel()
    if kind == "erlang_c":
        handling = fields.decimal("handlingTimeSeconds", "seconds above 0", required=True, above=0)
        within = fields.decimal("answerWithinSeconds", "0 or more seconds", required=True, at_least=0)
        allowed = "a percentage of at least 1 and below 100"
        target = fields.decimal("targetPercent", allowed, required=True, at_least=1, below=100, hint="80")
        minutes = fields.whole("intervalMinutes", default=60, at_least=1, at_most=1440)
        if handling is None or within is None or target is None:
            return None
        return ErlangCModel(
            handling_time_s=handling, answer_within_s=within, target=target.scaleb(-2), interval_minutes=minutes
        )
    if kind == "response_curve":
        if fields.has("good") == fields.has("bad"):
            came = "good and bad" if fields.has("good") else None
            fields.note("good", came, "exactly one of good and bad", "keep one of them")
            return None
        side = "good" if fields.has("good") else "bad"
        counted, total = fields.text(side, required=True), fields.text("total", required=True)
        draft.refer("metric", counted, fields, side)
        draft.refer("metric", total, fields, "total")
        return ResponseCurveModel(
            good=counted if side == "good" else None, bad=counted if side == "bad" else None, total=total
        )
    return None
