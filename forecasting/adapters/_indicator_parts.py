"""Indicators of our own kinds, written as ``indicator: {availability: {...}}`` in an Agreement."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Literal, cast

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._fields import Fields
from forecasting.adapters._service_time_parts import read_clock
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    Op,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)

_DAY = timedelta(days=1)


def metric_of(draft: Draft, name: str) -> Metric | None:
    """Return what is known of a metric, be it the project's or asked of an outside source."""
    return draft.metrics.get(name) or draft.outside_metrics.get(name)


def _metric(
    draft: Draft, fields: Fields, key: str, *, kinds: tuple[MetricKind, ...] = (), required: bool = True
) -> str:
    """Read the name of a declared metric of one of the kinds (any kind where there is none)."""
    name = fields.text(key, required=required)
    draft.refer("metric", name, fields, key)
    known = metric_of(draft, name)
    if known is not None and kinds and known.kind not in kinds:
        words = " or ".join(kind.value for kind in kinds)
        allowed = f"a metric of kind {words} ({name} is of kind {known.kind.value})"
        fields.note(key, name, allowed, f"declare {name} as {kinds[0].value}, or name another metric")
    return name


def _ratio(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    if fields.has("good") == fields.has("bad"):
        came = "good and bad" if fields.has("good") else None
        fields.note("good", came, "exactly one of good and bad", "keep one of them")
        return None
    counted = (MetricKind.COUNT,)
    total = _metric(draft, fields, "total", kinds=counted)
    side = "good" if fields.has("good") else "bad"
    part = _metric(draft, fields, side, kinds=counted)
    if part and part == total:
        fields.note(side, part, "another metric than total", "name the metric that counts the part")
    cumulative = fields.flag("cumulative", default=False)
    return RatioIndicator(
        total=total, good=part if side == "good" else None, bad=part if side == "bad" else None, cumulative=cumulative
    )


def _threshold(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    metric = _metric(draft, fields, "metric")
    op = objective.choice("op", words_of("objective", "op"))
    limit = objective.decimal("value", "a number in the metric's unit", required=True)
    return None if op is None or limit is None else ThresholdIndicator(metric=metric, op=cast(Op, op), limit=limit)


def _availability(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    if fields.has("metric") == fields.has("outages"):
        came = "metric and outages" if fields.has("metric") else None
        fields.note("metric", came, "exactly one of metric and outages", "keep one of them")
        return None
    if fields.has("metric"):
        measures = fields.choice("measures", words_of("availability", "measures"), default="up") or "up"
        if fields.has("logMetric"):
            fields.note("logMetric", "logMetric", "logMetric only with outages", "remove it")
        kinds = (
            (MetricKind.COUNT, MetricKind.NON_NEGATIVE, MetricKind.RATIO)
            if measures == "up"
            else (MetricKind.COUNT, MetricKind.NON_NEGATIVE)
        )
        metric = _metric(draft, fields, "metric", kinds=kinds)
        return AvailabilityIndicator(
            metric=metric, measures=cast(Literal["up", "up_seconds", "down_seconds"], measures)
        )
    if fields.has("measures"):
        fields.note("measures", "measures", "measures only with metric", "remove it")
    outages = tuple(word for word, _ in fields.words("outages", required=True))
    log = _metric(draft, fields, "logMetric", required=False) or None
    return AvailabilityIndicator(outages=outages, log_metric=log)


def _quantile(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    metric = _metric(draft, fields, "metric")
    allowed = "a percentage of at least 1 and below 100"
    quantile = fields.decimal("quantilePercent", allowed, required=True, at_least=1, below=100, hint="95")
    op = fields.choice("op", words_of("quantile", "op"))
    limit = fields.decimal("value", "a number in the metric's unit", required=True)
    length = read_length(fields, "slice", required=True)
    check_aligned(draft, fields, "slice", length, (metric,), at_least=2)
    if quantile is None or op is None or limit is None or length is None:
        return None
    return QuantileIndicator(metric=metric, quantile=quantile.scaleb(-2), op=cast(Op, op), limit=limit, slice=length)


def _deadline(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    metric = _metric(draft, fields, "metric", kinds=(MetricKind.NON_NEGATIVE, MetricKind.REAL, MetricKind.COUNT))
    known = metric_of(draft, metric)
    if known is not None and known.step != _DAY:
        allowed = f"a metric with one value a local day (step 1d; {metric} has {length_text(known.step)})"
        fields.note("metric", metric, allowed, "name a daily metric")
    by, start = read_clock(fields, "by", required=True), read_clock(fields, "start")
    if fields.has("startDay") and not fields.has("start"):
        fields.note("startDay", fields.node.fields["startDay"].text, "startDay only with start", "add start: '22:00'")
    day = fields.choice("startDay", words_of("deadline", "startDay"), default="previous")
    calendar = fields.name("calendar", required=False)
    draft.refer("calendar", calendar, fields, "calendar")
    if by is None or day is None:
        return None
    if start is not None and day == "same" and start >= by:
        fields.note("start", f"{start:%H:%M}", f"a time before `by` ({by:%H:%M}) on the same day", "startDay: previous")
    return DeadlineIndicator(
        metric=metric, by=by, calendar=calendar or None, start=start, start_day_offset=0 if day == "same" else -1
    )


def _ticket(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    stage = fields.choice("stage", words_of("ticket", "stage"))
    within = read_length(fields, "within", required=True)
    calendar = fields.name("calendar", required=False)
    draft.refer("calendar", calendar, fields, "calendar")
    kinds = tuple(word for word, _ in fields.words("kinds"))
    priorities = tuple(word for word, _ in fields.words("priorities"))
    pauses = fields.flag("pauses", default=True)
    counted = fields.choice("countedAt", words_of("ticket", "countedAt"), default="due")
    if stage is None or within is None or counted is None:
        return None
    return TicketIndicator(
        stage=cast(Literal["response", "resolution"], stage),
        within=within,
        calendar=calendar or None,
        kinds=kinds,
        priorities=priorities,
        pauses=pauses,
        counted_at=cast(Literal["due", "opened", "done"], counted),
    )


def _raw_ratio(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    metric = _metric(draft, fields, "metric", kinds=(MetricKind.RATIO,))
    counts = fields.choice("counts", words_of("rawRatio", "counts"), default="success") or "success"
    return RawRatioIndicator(metric=metric, counts=cast(Literal["success", "failure"], counts))


def _composite(draft: Draft, fields: Fields, objective: Fields) -> Indicator | None:
    components: dict[str, Component] = {}
    for part in fields.mappings("components", fields_of("component"), required=True):
        name = part.name("objective")
        draft.refer("SLO", name, part, "objective")
        weight = part.decimal("weight", "a number above 0", above=0)
        if name in components:
            part.note("objective", name, "each objective once", "remove it or add the weights up")
        components[name] = Component(objective=name, weight=Decimal(1) if weight is None else weight)
    required = None
    if fields.has("required"):
        allowed = f"a whole number from 1 to the number of components ({len(components)})"
        required = read_whole(fields, "required", allowed, at_least=1, at_most=max(1, len(components)))
    return CompositeIndicator(components=tuple(components.values()), required=required)


_READERS: dict[str, Callable[[Draft, Fields, Fields], Indicator | None]] = {
    "ratio": _ratio,
    "threshold": _threshold,
    "availability": _availability,
    "quantile": _quantile,
    "deadline": _deadline,
    "ticket": _ticket,
    "rawRatio": _raw_ratio,
    "composite": _composite,
}


def read_own_indicator(draft: Draft, holder: Fields, objective: Fields) -> Indicator | None:
    """Read the one indicator of our own that stands in `holder`; `op` and `value` of a threshold in the objective."""
    before = len(draft.problems)
    named = [kind for kind in _READERS if holder.has(kind)]
    others = [key for key in ("metadata", "spec") if holder.has(key)]
    if len(named) != 1 or others:
        came = ", ".join(named + others) or None
        holder.note("", came, "exactly one of " + ", ".join(_READERS) + ", or metadata and spec of OpenSLO", "keep one")
        return None
    kind = named[0]
    if kind != "threshold":
        for key in ("op", "value"):
            if objective.has(key):
                inside = " (those of a quantile stand in it)" if kind == "quantile" else ""
                objective.note(key, key, f"op and value only with threshold{inside}", "remove it")
    fields = holder.mapping(kind, fields_of(kind), required=True)
    found = _READERS[kind](draft, fields, objective) if fields is not None else None
    return found if len(draft.problems) == before else None


def read_whole(fields: Fields, key: str, allowed: str, *, at_least: int, at_most: int) -> int | None:
    """Read a whole number within bounds, or None after noting what is wrong."""
    number = fields.decimal(key, allowed, required=True, at_least=at_least, at_most=at_most)
    if number is not None and number != number.to_integral_value():
        fields.note(key, str(number), allowed, "a whole number")
        return None
    return None if number is None else int(number)


def read_length(fields: Fields, key: str, *, required: bool = False) -> timedelta | None:
    """Read a duration longer than nothing."""
    length = fields.duration(key, required=required)
    if length is not None and not length:
        fields.note(key, fields.node.fields[key].text, "a length above 0", "5m, 1h or 30d")
        return None
    return length


def check_aligned(
    draft: Draft, fields: Fields, key: str, length: timedelta | None, metrics: tuple[str, ...], *, at_least: int = 1
) -> None:
    """Note a slice that is not `at_least` or more whole steps of each metric: no data slice may lie in two of them."""
    for name in metrics if length is not None else ():
        assert length is not None
        known = metric_of(draft, name)
        if known is None or (length % known.step == timedelta(0) and length >= at_least * known.step):
            continue
        step = length_text(known.step)
        more = f", at least {at_least} of them" if at_least > 1 else ""
        allowed = f"a whole number of steps of {name} ({step}){more}"
        least = max(at_least, -(-length // known.step)) * known.step
        fields.note(key, fields.node.fields[key].text, allowed, length_text(least))
        return


def length_text(length: timedelta) -> str:
    """Return a length as it is written in a document.

    Examples
    --------
    >>> length_text(timedelta(hours=36)), length_text(timedelta(weeks=2)), length_text(timedelta(seconds=90))
    ('36h', '14d', '90 s')
    """
    for unit, letter in ((_DAY, "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "m")):
        if length and length % unit == timedelta(0):
            return f"{length // unit}{letter}"
    return f"{length / timedelta(seconds=1):g} s"
