"""Planned events and hierarchies of a catalogue: reading them, and checking that services add up without a circle."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, cast
from zoneinfo import ZoneInfo

from forecasting.adapters._catalogue_checks import find_cycle
from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._fields import Fields
from forecasting.adapters._service_time_parts import read_instant
from forecasting.terms.covariate import Occurrence, PlannedEvent
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.hierarchy import DeclaredSum
from forecasting.terms.history import MetricKind

MOST_PERCENT = 10_000
"""Largest stated effect: a hundred times as much. What is larger is mistyped."""


def read_event(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a PlannedEvent: when it takes place, what it concerns, and what is expected of it."""
    spec = top.mapping("spec", fields_of("PlannedEvent"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    services, metrics = _names_or_all(draft, spec, "services"), _names_or_all(draft, spec, "metrics")
    known = draft.services.get(services[0]) if services else None
    zone = ZoneInfo(known.zone if known is not None else "UTC")
    occurrences: list[Occurrence] = []
    for fields in spec.mappings("occurrences", fields_of("occurrence"), required=True):
        one = _occurrence(fields)
        if one is None:
            continue
        start, end = one.instants(zone)
        clash = next((o for o in occurrences if o.instants(zone)[0] < end and start < o.instants(zone)[1]), None)
        if end <= start:
            allowed = f"after from ({one.start})" if isinstance(one.end, datetime) else f"from ({one.start}) or later"
            fields.note("until", str(one.end), allowed, "correct the dates")
        elif clash is not None:
            allowed = f"occurrences that do not overlap ({clash.start} to {clash.end} is there already)"
            fields.note("from", str(one.start), allowed, "join them or correct one")
        occurrences.append(one)
    effect = spec.mapping("effect", fields_of("statedEffect"))
    percent, source = None, ""
    if effect is not None:
        allowed = f"a change in percent from -100 to {MOST_PERCENT}"
        percent = effect.decimal("percent", allowed, required=True, at_least=-100, at_most=MOST_PERCENT, hint="40")
        source = effect.text("source", required=True, longest=300)
    if len(draft.problems) == before:
        draft.events[name] = PlannedEvent(
            name=name,
            occurrences=tuple(occurrences),
            services=services,
            metrics=metrics,
            stated_percent=percent,
            source=source,
            display_name=display,
            description=spec.text("description"),
        )


def read_hierarchy(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Hierarchy: a service whose metric is the sum of that of its parts."""
    spec = top.mapping("spec", fields_of("Hierarchy"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    metric, total = spec.text("metric", required=True), spec.name("total")
    draft.refer("metric", metric, spec, "metric")
    draft.refer("service", total, spec, "total")
    if metric in draft.metrics and draft.metrics[metric].kind is MetricKind.RATIO:
        spec.note("metric", metric, "a metric that adds up (a ratio does not)", "the good and the total events instead")
    parts = spec.words("parts", required=True)
    for part, line in parts:
        draft.refer("service", part, spec, "parts", line)
        if part == total and total:
            spec.note("parts", part, "services other than the total", "remove it", line)
    method = spec.choice("method", words_of("Hierarchy", "method"), default="mint")
    if len(draft.problems) == before and parts:
        draft.places["Hierarchy", name] = spec
        draft.hierarchies[name] = DeclaredSum(
            name=name,
            metric=metric,
            total=total,
            parts=tuple(part for part, _ in parts),
            method=cast(Literal["mint", "bottom-up"], method),
            description=spec.text("description") or display,
        )


def hierarchy_problems(draft: Draft) -> list[ForecastingError]:
    """Return a problem for each service that two hierarchies of a metric count twice, circle, and mix of methods.

    A service is the total of one hierarchy of a metric at most and part of one at most, so that hierarchies which share
    services are one tree.
    """
    problems: list[ForecastingError] = []
    total_of: dict[tuple[str, str], DeclaredSum] = {}
    part_of: dict[tuple[str, str], DeclaredSum] = {}
    for one in draft.hierarchies.values():
        other = total_of.setdefault((one.metric, one.total), one)
        if other is not one:
            allowed = f"one Hierarchy of {one.metric} for a total ({other.name} is there already)"
            problems.append(_at(draft, one, "total", one.total, allowed, "join the two"))
        for part in one.parts:
            other = part_of.setdefault((one.metric, part), one)
            if other is not one:
                allowed = f"a service that is part of one Hierarchy of {one.metric} ({other.name} has it already)"
                problems.append(_at(draft, one, "parts", part, allowed, "remove it from one of the two"))
    for metric in dict.fromkeys(one.metric for one in draft.hierarchies.values()):
        cycle = find_cycle({one.total: one.parts for one in draft.hierarchies.values() if one.metric == metric})
        if cycle is not None:
            at = total_of[metric, cycle[0]]
            hint = "remove one of these links"
            problems.append(_at(draft, at, "parts", " -> ".join(cycle), "no cycle", hint))
    for one in draft.hierarchies.values():
        above = part_of.get((one.metric, one.total))
        if above is not None and above.method != one.method and above is not one:
            allowed = f"{above.method}, as in {above.name}, of which {one.total} is a part"
            problems.append(_at(draft, one, "method", one.method, allowed, f"method: {above.method}"))
    return problems


def _names_or_all(draft: Draft, spec: Fields, key: Literal["services", "metrics"]) -> tuple[str, ...]:
    """Read a list of names; none of them where it says all, or nothing."""
    if spec.has(key) and spec.node.fields[key].kind not in ("list", "map"):
        text = spec.node.fields[key].text
        if text != "all":
            spec.note(key, text, f"a list of {key}, or all", f"{key}: [{text}]")
        return ()
    names = spec.words(key, required=spec.has(key))
    for name, line in names:
        draft.refer(key[:-1], name, spec, key, line)
    return tuple(name for name, _ in names)


def _occurrence(fields: Fields) -> Occurrence | None:
    """Read one occurrence; a day without `until` is that day alone."""
    before = len(fields.problems)
    start = _moment(fields, "from", required=True)
    end = _moment(fields, "until", required=isinstance(start, datetime))
    announced = _moment(fields, "announced", required=False)
    if start is None or len(fields.problems) > before:
        return None
    return Occurrence(start=start, end=end if end is not None else start, announced=announced)


def _moment(fields: Fields, key: str, *, required: bool) -> date | datetime | None:
    """Read a local day, or an instant with its offset."""
    if fields.has(key) and ":" in fields.node.fields[key].text:
        return read_instant(fields, key, required=required)
    return fields.day(key, required=required)


def _at(draft: Draft, one: DeclaredSum, key: str, came: str, allowed: str, hint: str) -> InputError:
    """Make an error at a field of a hierarchy."""
    spec = draft.places["Hierarchy", one.name]
    line = spec.line(key)
    if key == "parts":
        line = next((node.line for node in spec.items(key) if node.text == came), line)
    where = f"{spec.path}.{key}"
    return InputError(argument=where, came=came, allowed=allowed, try_instead=hint, file=spec.file, line=line)
