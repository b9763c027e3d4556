"""Objectives, histories and windows from the short form of attainment_cases.yaml (all scalars are texts)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.composite import component_of, composite_attainments
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.windows import closed_periods, coming_periods
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import (
    Attainment,
    BudgetingMethod,
    CalendarWindow,
    Objective,
    Period,
    RollingWindow,
    Rounding,
    Window,
)
from forecasting.terms.service_time import (
    WEEKDAYS,
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

if TYPE_CHECKING:
    import pandas as pd

Entry = dict[str, Any]
UNITS = {"us": 1, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}


def merged(base: Entry, case: Entry) -> Entry:
    """Return a case with what it takes over from its `like`; inner mappings are merged too."""
    out = dict(base)
    for key, value in case.items():
        before = out.get(key)
        out[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return out


def resolved(document: Entry) -> list[Entry]:
    """Return the cases with `like` followed, which names a case above or a base."""
    named: dict[str, Entry] = dict(document.get("bases", {}))
    cases = []
    for case in document["cases"]:
        whole = merged(named[case["like"]], case) if "like" in case else case
        assert case["name"] not in named, case["name"]
        named[case["name"]] = whole
        cases.append(whole)
    return cases


def micros(text: str) -> int:
    """Return a number of events, or of microseconds of ``12h``, ``43.2min``, ``5h 30min``, ``-1us``."""
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    amount = Fraction(0)
    for part in text.split():
        found = re.fullmatch(r"(-?[\d.]+)(us|s|min|h|d)", part)
        assert found, text
        amount += Fraction(found[1]) * UNITS[found[2]]
    assert amount.denominator == 1, text
    return int(amount)


def length(text: str) -> timedelta:
    return timedelta(microseconds=micros(text))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(text: str) -> LocalSpan:
    start, end = text.split("-")
    return LocalSpan(start=time.fromisoformat(start), end=time.fromisoformat(end))


def spans(text: str) -> tuple[LocalSpan, ...]:
    return () if text == "closed" else tuple(span(part) for part in text.split(","))


def days(text: str) -> list[int]:
    first, _, last = text.partition("..")
    return list(range(WEEKDAYS.index(first), WEEKDAYS.index(last or first) + 1))


def day(entry: Entry, key: str) -> date | None:
    return date.fromisoformat(entry[key]) if key in entry else None


def version(entry: Entry) -> CalendarVersion:
    weekly: list[tuple[LocalSpan, ...]] = [()] * 7
    for which, hours in entry["week"].items():
        for number in days(which):
            weekly[number] = spans(hours)
    return CalendarVersion(
        weekly=tuple(weekly),
        valid_from=day(entry, "from"),
        country=entry.get("country", ""),
        subdivision=entry.get("subdivision", ""),
        holiday_hours=spans(entry.get("holidays", "closed")),
        dates={date.fromisoformat(d): spans(hours) for d, hours in entry.get("dates", {}).items()},
    )


def calendar(entry: Entry | None, name: str = "hours") -> ServiceCalendar | None:
    if entry is None:
        return None
    versions = entry.get("versions", [entry])
    return ServiceCalendar(name=name, zone=entry.get("zone", "UTC"), versions=tuple(version(v) for v in versions))


def service_time(case: Entry) -> ServiceTime:
    return ServiceTime(
        hours=calendar(case.get("hours")),
        exclusions=tuple(
            Exclusion(start=instant(x["from"]), end=instant(x["to"]), reason="r", mode=ExclusionMode(x["mode"]))
            for x in case.get("exclude", [])
        ),
        maintenance=tuple(
            MaintenanceWindow(
                weekdays=tuple(number for which in x["days"].split(",") for number in days(which)),
                span=span(x["span"]),
                zone=x.get("zone", "UTC"),
                nth_of_month=tuple(int(n) for n in x.get("nth", [])),
                valid_from=day(x, "from"),
                valid_until=day(x, "until"),
                mode=ExclusionMode(x.get("mode", "remove")),
            )
            for x in case.get("maintenance", [])
        ),
        valid_from=day(case, "valid_from"),
        valid_until=day(case, "valid_until"),
    )


def window_of(case: Entry) -> Window:
    entry = case.get("window", {"calendar": "day"})
    if "rolling" in entry:
        return RollingWindow(length=length(entry["rolling"]), zone=entry.get("zone", "UTC"))
    return CalendarWindow(
        unit=entry["calendar"],
        zone=entry.get("zone", "UTC"),
        count=int(entry.get("count", "1")),
        anchor=datetime.fromisoformat(entry["anchor"]) if "anchor" in entry else None,
    )


def indicator_of(entry: Entry) -> Indicator:
    given = dict(entry)
    match given.pop("kind"):
        case "ratio":
            return RatioIndicator(
                total=given["total"],
                good=given.get("good"),
                bad=given.get("bad"),
                cumulative="cumulative" in given,
            )
        case "raw":
            return RawRatioIndicator(metric="m", counts=given.get("counts", "success"))
        case "threshold":
            return ThresholdIndicator(metric="m", op=given["op"], limit=Decimal(given["limit"]))
        case "quantile":
            return QuantileIndicator(
                metric="m",
                quantile=Decimal(given["quantile"]),
                op=given["op"],
                limit=Decimal(given["limit"]),
                slice=length(given["slice"]),
            )
        case "availability":
            return AvailabilityIndicator(metric="m", measures=given.get("measures", "up"))
        case "outages":
            return AvailabilityIndicator(outages=("outage",), log_metric=given.get("log"))
        case "deadline":
            start = given.get("start")
            return DeadlineIndicator(
                metric="m",
                by=time.fromisoformat(given["by"]),
                calendar=given.get("calendar"),
                start=None if start is None else time.fromisoformat(start),
                start_day_offset=int(given.get("offset", "-1")),
            )
        case "ticket":
            return TicketIndicator(
                stage=given["stage"],
                within=length(given["within"]),
                calendar=given.get("calendar"),
                kinds=tuple(given.get("kinds", ())),
                priorities=tuple(given.get("priorities", ())),
                pauses="no_pauses" not in given,
                counted_at=given.get("counted_at", "due"),
            )
        case "composite":
            required = given.get("required")
            return CompositeIndicator(
                components=tuple(
                    Component(objective=name, weight=Decimal(weight)) for name, weight in given["parts"].items()
                ),
                required=None if required is None else int(required),
            )
    raise AssertionError(entry)


def objective_of(case: Entry) -> Objective:
    decimals, _, mode = case.get("rounding", "").partition(" ")
    workload = case.get("workload")
    return Objective(
        name=case.get("objective", "o"),
        service="s",
        indicator=indicator_of(case["indicator"]),
        target=Decimal(case.get("target", "0.9")),
        window=window_of(case),
        minimum_events=int(case.get("minimum_events", "0")),
        minimum_coverage=Decimal(case.get("minimum_coverage", "0.95")),
        method=BudgetingMethod(case.get("method", "Occurrences")),
        slice_window=length(case["slice"]) if "slice" in case else None,
        slice_target=Decimal(case["slice_target"]) if "slice_target" in case else None,
        no_traffic=case.get("no_traffic", "exclude"),
        no_data=case.get("no_data", "unknown"),
        strict="strict" in case,
        rounding=Rounding(decimals=int(decimals), mode=mode) if decimals else None,  # type: ignore[arg-type]
        time=service_time(case),
        workload_metric=None if workload is None else workload["metric"],
        workload_limit=None if workload is None else Decimal(workload["limit"]),
        workload_effect="suspended" if workload is None else workload["effect"],
    )


def numbers(text: str) -> np.ndarray:
    """Return values of ``1*24 nan 0.5*3``; ``1..4`` counts up."""
    out: list[float] = []
    for part in text.split():
        value, _, times = part.partition("*")
        if ".." in value:
            first, last = value.split("..")
            out += [float(n) for n in range(int(first), int(last) + 1)]
        else:
            out += [float(value)] * int(times or 1)
    return np.array(out, dtype=np.float64)


def tickets_of(rows: Iterable[Entry], cut_off: datetime) -> pd.DataFrame:
    """Return canonical ticket rows with nothing of or after the cut-off."""
    import pandas as pd

    def moment(row: Entry, key: str) -> datetime | None:
        at = instant(row[key]) if key in row else None
        return None if at is None or at >= cut_off else at.replace(tzinfo=None)

    def pauses(row: Entry) -> str:
        texts = [[None if t == "null" else f"{t}:00Z" for t in pair] for pair in row.get("pauses", [])]
        return json.dumps(texts)

    kept = [row for row in rows if instant(row["opened"]) < cut_off]
    frame = pd.DataFrame(
        {
            "service": ["s"] * len(kept),
            "ticket": [str(number) for number in range(len(kept))],
            "kind": [row.get("kind", "outage") for row in kept],
            "priority": [row.get("priority", "") for row in kept],
            "opened": [moment(row, "opened") for row in kept],
            "responded": [moment(row, "responded") for row in kept],
            "resolved": [moment(row, "resolved") for row in kept],
            "pauses": [pauses(row) for row in kept],
        }
    )
    for name in ("opened", "responded", "resolved"):
        frame[name] = frame[name].astype("datetime64[us]")
    return frame


def period_of(case: Entry) -> Period:
    start, end = case.get("period", "2027-03-01T00:00/2027-03-02T00:00").split("/")
    return Period(start=instant(start), end=instant(end), label="w")


def as_of_of(case: Entry) -> datetime:
    return instant(case["as_of"]) if "as_of" in case else period_of(case).end


def history_of(case: Entry) -> History:
    data, cut_off = case.get("data", {}), as_of_of(case)
    step = length(data.get("step", "1h"))
    found = {}
    begin = instant(data["start"]) if "start" in data else period_of(case).start
    starts = data.get("starts", {})
    for name, text in data.get("values", {}).items():
        found["s", name] = Series(
            service="s",
            metric=Metric(name=name, kind=MetricKind.REAL, step=step),
            start=instant(starts[name]) if name in starts else begin,
            step=step,
            values=numbers(text),
            zone=data.get("zone", "UTC"),
        )
    rows = case.get("tickets")
    return History(cut_off=cut_off, series=found, tickets=None if rows is None else tickets_of(rows, cut_off))


def judged(case: Entry) -> Attainment:
    """Return what the package says of a case."""
    objective, period, as_of = objective_of(case), period_of(case), as_of_of(case)
    history = history_of(case)
    grace = length(case.get("grace", "0"))
    calendars = {name: found for name, x in case.get("calendars", {}).items() if (found := calendar(x, name))}
    if not isinstance(objective.indicator, CompositeIndicator):
        events = events_of(objective, history, calendars=calendars)
        assert isinstance(events, Events), events
        return attainments(objective, events, [period], as_of=as_of, grace=grace)[0]
    parts = {}
    for name, entry in case["components"].items():
        part = replace(objective_of(entry), name=name, window=objective.window)
        events = events_of(component_of(objective, part), history, calendars=calendars)
        assert isinstance(events, Events), events
        parts[name] = (part, events)
    return composite_attainments(objective, parts, [period], as_of=as_of, grace=grace)[0]


def window_found(case: Entry) -> tuple[datetime, datetime]:
    """Return the bounds the package gives the window that begins where the case's does."""
    window, period = window_of(case), period_of(case)
    if isinstance(window, RollingWindow):
        found = closed_periods(window, since=period.start, as_of=period.end)[-1]
    else:
        found = coming_periods(window, as_of=period.start, ahead=0)[0]
    return found.start, found.end


def fraction(text: str) -> Decimal | None:
    """Return an exact fraction at 28 digits; ``none`` where there is none."""
    if text == "none":
        return None
    exact = Fraction(text)
    with localcontext() as context:
        context.prec = 28
        return Decimal(exact.numerator) / Decimal(exact.denominator)


FIELDS = {
    "known": "known_slices",
    "elapsed": "elapsed_slices",
    "planned": "planned_slices",
    "excluded": "excluded_slices",
}


def shown(one: Attainment, key: str) -> object:
    """Return a field of an attainment in the form of `expected`."""
    if key == "budget":
        return one.budget_events
    if key == "worst":
        assert one.worst_component is not None
        return one.worst_component[0]
    if key == "worst_share":
        assert one.worst_component is not None
        return one.worst_component[1]
    found = getattr(one, FIELDS.get(key, key))
    return str(found) if key in ("status", "unit", "decided") else found


def expected(key: str, text: str) -> object:
    """Return what a case says of a field."""
    if key in ("value", "lower", "upper", "worst_share"):
        return fraction(text)
    if key in ("status", "unit", "decided", "worst"):
        return text
    if key in ("final", "provisional"):
        return text == "yes"
    if key == "planned_time":
        return length(text)
    if key == "watermark":
        return None if text == "none" else instant(text)
    if key == "budget":
        number, _, unit = text.partition(" ")
        return Decimal(number) * UNITS.get(unit, 1)
    return micros(text)
