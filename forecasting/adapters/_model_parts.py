"""Capacity models of a Resource: each kind with its own fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import MODELS
from forecasting.adapters._fields import Fields
from forecasting.terms.catalogue import (
    BacklogModel,
    CapacityModel,
    ErlangAModel,
    ErlangBModel,
    ErlangCModel,
    GrowingStockModel,
    QueueModel,
    RedundancyModel,
    ResponseCurveModel,
    ScalabilityModel,
    StaffingModel,
)


def read_capacity_model(draft: Draft, spec: Fields) -> CapacityModel | None:
    """Read the capacity model with the fields of its kind; None after noting what is wrong with it."""
    node = spec.node.fields.get("model")
    kind_node = node.fields.get("kind") if node is not None else None
    own = MODELS.get(kind_node.text) if kind_node is not None else None
    every = ["kind", *dict.fromkeys(own if own is not None else (name for f in MODELS.values() for name in f))]
    fields = spec.mapping("model", every, required=True)
    if fields is None:
        return None
    kind = fields.choice("kind", list(MODELS))
    before = len(draft.problems)
    found = _READERS[kind](draft, fields) if kind is not None else None
    return found if len(draft.problems) == before else None


def _above_0(fields: Fields, key: str, *, required: bool = True) -> Decimal | None:
    """Read seconds above 0."""
    return fields.decimal(key, "seconds above 0", required=required, above=0)


def _from_0(fields: Fields, key: str) -> Decimal | None:
    """Read 0 or more seconds, which must be there."""
    return fields.decimal(key, "0 or more seconds", required=True, at_least=0)


def _percent(fields: Fields, key: str, hint: str) -> Decimal | None:
    """Read a percentage that leaves something over, as a share; it must be there."""
    allowed = "a percentage of at least 1 and below 100"
    found = fields.decimal(key, allowed, required=True, at_least=1, below=100, hint=hint)
    return None if found is None else found.scaleb(-2)


def _part(fields: Fields, key: str, *, below: int | None = None) -> Decimal:
    """Read a percentage that may be 0, as a share; 0 where it is missing."""
    allowed = "a percentage from 0 to below 100" if below else "a percentage from 0 to 100"
    found = fields.decimal(key, allowed, at_least=0, below=below, at_most=100, hint="30")
    return Decimal(0) if found is None else found.scaleb(-2)


def _minutes(fields: Fields) -> int:
    """Read the length of the interval whose demand the metric counts."""
    return fields.whole("intervalMinutes", default=60, at_least=1, at_most=1440)


def _erlang_c(draft: Draft, fields: Fields) -> CapacityModel | None:
    handling, within = _above_0(fields, "handlingTimeSeconds"), _from_0(fields, "answerWithinSeconds")
    target, minutes = _percent(fields, "targetPercent", "80"), _minutes(fields)
    occupancy, shrinkage = fields.share("occupancyLimitPercent"), _part(fields, "shrinkagePercent", below=100)
    if handling is None or within is None or target is None:
        return None
    return ErlangCModel(
        handling_time_s=handling,
        answer_within_s=within,
        target=target,
        interval_minutes=minutes,
        occupancy_limit=occupancy,
        shrinkage=shrinkage,
    )


def _erlang_a(draft: Draft, fields: Fields) -> CapacityModel | None:
    handling, within = _above_0(fields, "handlingTimeSeconds"), _from_0(fields, "answerWithinSeconds")
    patience, target = _above_0(fields, "patienceSeconds"), _percent(fields, "targetPercent", "80")
    minutes = _minutes(fields)
    occupancy, shrinkage = fields.share("occupancyLimitPercent"), _part(fields, "shrinkagePercent", below=100)
    if handling is None or within is None or patience is None or target is None:
        return None
    return ErlangAModel(
        handling_time_s=handling,
        patience_s=patience,
        answer_within_s=within,
        target=target,
        interval_minutes=minutes,
        occupancy_limit=occupancy,
        shrinkage=shrinkage,
    )


def _time_varying(draft: Draft, fields: Fields) -> CapacityModel | None:
    handling, within = _above_0(fields, "handlingTimeSeconds"), _from_0(fields, "answerWithinSeconds")
    patience, target = _above_0(fields, "patienceSeconds", required=False), _percent(fields, "targetPercent", "80")
    minutes = _minutes(fields)
    occupancy, shrinkage = fields.share("occupancyLimitPercent"), _part(fields, "shrinkagePercent", below=100)
    if handling is None or within is None or target is None:
        return None
    return StaffingModel(
        handling_time_s=handling,
        answer_within_s=within,
        target=target,
        interval_minutes=minutes,
        patience_s=patience,
        occupancy_limit=occupancy,
        shrinkage=shrinkage,
    )


def _erlang_b(draft: Draft, fields: Fields) -> CapacityModel | None:
    holding, target = _above_0(fields, "holdingTimeSeconds"), _percent(fields, "targetPercent", "99")
    minutes = _minutes(fields)
    if holding is None or target is None:
        return None
    return ErlangBModel(holding_time_s=holding, target=target, interval_minutes=minutes)


def _ggc(draft: Draft, fields: Fields) -> CapacityModel | None:
    service, within = _above_0(fields, "serviceTimeSeconds"), _from_0(fields, "withinSeconds")
    target, minutes = _percent(fields, "targetPercent", "95"), _minutes(fields)
    cvs = [fields.decimal(key, "0 or more; 1 = random", at_least=0, hint="1") for key in ("arrivalCv", "serviceCv")]
    arrival_cv, service_cv = (Decimal(1) if cv is None else cv for cv in cvs)
    if service is None or within is None or target is None:
        return None
    return QueueModel(
        service_time_s=service,
        within_s=within,
        target=target,
        arrival_cv=arrival_cv,
        service_cv=service_cv,
        interval_minutes=minutes,
    )


def _usl(draft: Draft, fields: Fields) -> CapacityModel | None:
    coefficients, metrics = ("gamma", "alpha", "beta"), ("unitsMetric", "throughputMetric")
    numbers, names = ([key for key in keys if fields.has(key)] for keys in (coefficients, metrics))
    if (len(numbers), len(names)) not in ((3, 0), (0, 2)):
        wanted = metrics if names and not numbers else coefficients
        missing = ", ".join(key for key in wanted if not fields.has(key))
        hint = f"remove {' and '.join(names)}" if numbers and names else f"add {missing}"
        came, allowed = [*numbers, *names], "gamma, alpha and beta, or unitsMetric and throughputMetric to fit them"
        fields.note(came[-1] if came else "", ", ".join(came) or None, allowed, hint)
    gamma = fields.decimal("gamma", "a throughput above 0", above=0)
    alpha = fields.decimal("alpha", "contention from 0 to 1", at_least=0, at_most=1, hint="0.02")
    beta = fields.decimal("beta", "crosstalk of 0 or more", at_least=0, hint="0.0001")
    units, throughput = (fields.text(key) or None for key in metrics)
    draft.refer("metric", units or "", fields, "unitsMetric")
    draft.refer("metric", throughput or "", fields, "throughputMetric")
    if units is not None and units == throughput:
        fields.note("throughputMetric", throughput, "another metric than unitsMetric", "name the throughput reached")
    return ScalabilityModel(gamma=gamma, alpha=alpha, beta=beta, units_metric=units, throughput_metric=throughput)


def _redundancy(draft: Draft, fields: Fields) -> CapacityModel | None:
    up, target = _percent(fields, "unitAvailabilityPercent", "99.5"), _percent(fields, "targetPercent", "99.95")
    common, domains = _part(fields, "commonCausePercent"), fields.whole("domains", default=1, at_least=1, at_most=1000)
    if up is None or target is None:
        return None
    return RedundancyModel(unit_availability=up, target=target, common_cause=common, domains=domains)


def _backlog(draft: Draft, fields: Fields) -> CapacityModel | None:
    within, target = fields.duration("within", required=True), _percent(fields, "targetPercent", "95")
    calendar = fields.name("calendar", required=False)
    draft.refer("calendar", calendar, fields, "calendar")
    if within is None or target is None:
        return None
    if within <= timedelta(0):
        fields.note("within", "0", "a length above 0", "8h")
    return BacklogModel(within=within, target=target, calendar=calendar)


def _response_curve(draft: Draft, fields: Fields) -> CapacityModel | None:
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


def _growing_stock(draft: Draft, fields: Fields) -> CapacityModel | None:
    return GrowingStockModel()


_READERS: Final[dict[str, Callable[[Draft, Fields], CapacityModel | None]]] = {
    "erlang_c": _erlang_c,
    "erlang_a": _erlang_a,
    "erlang_b": _erlang_b,
    "ggc": _ggc,
    "usl": _usl,
    "redundancy": _redundancy,
    "backlog": _backlog,
    "time_varying": _time_varying,
    "response_curve": _response_curve,
    "growing_stock": _growing_stock,
}
