"""Parts of catalogue documents that say when a promise applies: calendars, maintenance windows and exclusions."""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, time, timedelta

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of, words_of
from forecasting.adapters._fields import Fields, listed, nearest
from forecasting.adapters._strict_yaml import Node
from forecasting.terms.service_time import (
    WEEKDAYS,
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
)

CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
SPAN = re.compile(r"([0-2][0-9]:[0-5][0-9])\s*-\s*([0-2][0-9]:[0-5][0-9])")
SPAN_ALLOWED = "a span of local time such as 06:00-22:00 (22:00-06:00 goes on into the next day, 24:00 ends a day)"
INSTANT_ALLOWED = "an instant with its offset, such as 2026-11-03T10:00:00+01:00 or 2026-11-03T09:00:00Z"
_LONG_DAYS = {
    "monday": "mon",
    "tuesday": "tue",
    "wednesday": "wed",
    "thursday": "thu",
    "friday": "fri",
    "saturday": "sat",
    "sunday": "sun",
}


def read_calendar(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Calendar: one week of hours, or several of them one after the other."""
    spec = top.mapping("spec", fields_of("Calendar"), required=True)
    if spec is None:
        return
    before = len(draft.problems)
    zone = spec.zone("zone", required=True)
    versions: list[CalendarVersion] = []
    if spec.has("versions"):
        for key in ("weekly", "holidays", "dates"):
            if spec.has(key):
                spec.note(key, key, "either versions or weekly, holidays and dates", "move it into a version")
        for index, fields in enumerate(spec.mappings("versions", fields_of("version"), required=True)):
            first = fields.day("validFrom", required=index > 0)
            if versions and first is not None:
                last = versions[-1].valid_from
                if last is not None and first <= last:
                    fields.note("validFrom", str(first), f"a day after that of the version before ({last})", "reorder")
            versions.append(_version(fields, first))
    else:
        versions.append(_version(spec, None))
    if len(draft.problems) == before:
        draft.calendars[name] = ServiceCalendar(
            name=name, zone=zone, versions=tuple(versions), description=spec.text("description") or display
        )


def _version(fields: Fields, first: date | None) -> CalendarVersion:
    """Read the hours of one version."""
    weekly = _weekly(fields)
    country, subdivision = "", ""
    hours: tuple[LocalSpan, ...] = ()
    holidays = fields.mapping("holidays", fields_of("holidays"))
    if holidays is not None:
        country, subdivision = _country(holidays)
        hours = read_spans(holidays, "hours")
    return CalendarVersion(
        weekly=weekly,
        valid_from=first,
        country=country,
        subdivision=subdivision,
        holiday_hours=hours,
        dates=_dates(fields),
    )


def _weekly(fields: Fields) -> tuple[tuple[LocalSpan, ...], ...]:
    """Read the hours of each weekday; a day that is not named is closed."""
    week: list[tuple[LocalSpan, ...] | None] = [None] * 7
    node = fields.node.fields.get("weekly")
    keys = list(node.fields) if node is not None and node.kind == "map" else []
    table = fields.mapping("weekly", keys or ["mon-fri"], required=True)
    if table is not None and not keys:
        table.note("", "an empty week", "hours of at least one day", "mon-fri: ['08:00-18:00']")
    for key in keys if table is not None else []:
        assert table is not None
        days = weekdays_of(key)
        line = table.node.key_lines[key]
        if days is None:
            allowed = "mon ... sun, a range such as mon-fri, a list such as sat,sun, or daily"
            table.note(key, key, allowed, _day_hint(key), line)
            continue
        spans = read_spans(table, key)
        for day in days:
            if week[day] is not None:
                table.note(key, key, "each weekday once", f"take {WEEKDAYS[day]} out of one of the two", line)
                break
            week[day] = spans
    return tuple(spans or () for spans in week)


def weekdays_of(text: str) -> list[int] | None:
    """Return the weekdays (0 = Monday) that ``mon-fri``, ``sat,sun`` or ``daily`` stands for; None for anything else.

    Examples
    --------
    >>> weekdays_of("mon-wed"), weekdays_of("fri-mon"), weekdays_of("sat, sun"), weekdays_of("mun")
    ([0, 1, 2], [4, 5, 6, 0], [5, 6], None)
    """
    if text == "daily":
        return list(range(7))
    found: list[int] = []
    for part in text.split(","):
        ends = part.strip().split("-")
        if len(ends) > 2 or any(end.strip() not in WEEKDAYS for end in ends):
            return None
        first, last = WEEKDAYS.index(ends[0].strip()), WEEKDAYS.index(ends[-1].strip())
        found += [(first + k) % 7 for k in range((last - first) % 7 + 1)]
    return found if len(set(found)) == len(found) else None


def _day_hint(text: str) -> str:
    """Say which weekdays were probably meant."""
    known = {**{day: day for day in WEEKDAYS}, **_LONG_DAYS, "daily": "daily"}
    parts = [
        "-".join(known.get(near := nearest(end.strip().casefold(), known) or "mon", near) for end in part.split("-"))
        for part in text.split(",")
    ]
    hint = ",".join(parts)
    return hint if hint != text and weekdays_of(hint) is not None else "mon-fri"


def _dates(fields: Fields) -> dict[date, tuple[LocalSpan, ...]]:
    """Read the hours of single days."""
    node = fields.node.fields.get("dates")
    keys = list(node.fields) if node is not None and node.kind == "map" else []
    table = fields.mapping("dates", keys or ["2026-12-24"])
    found: dict[date, tuple[LocalSpan, ...]] = {}
    for key in keys if table is not None else []:
        assert table is not None
        try:
            day = date.fromisoformat(key) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", key) else None
        except ValueError:
            day = None
        if day is None or not 1990 <= day.year <= 2100:
            line = table.node.key_lines[key]
            table.note(key, key, "a date as YYYY-MM-DD between 1990 and 2100", "2026-12-24", line)
            continue
        found[day] = read_spans(table, key)
    return found


def _country(fields: Fields) -> tuple[str, str]:
    """Read whose public holidays are meant, which must be known to the library of holidays."""
    country = fields.scalar("country", "an ISO 3166 code such as DE", required=True) or ""
    subdivision = fields.text("subdivision", longest=60)
    known = _countries()
    if country and country not in known:
        hint = country.upper()[:2] if country.upper()[:2] in known else "DE"
        fields.note("country", country, "an ISO 3166 code of a country whose holidays are known, such as DE", hint)
        return "", ""
    parts = known.get(country, ())
    if subdivision and country and subdivision not in parts:
        allowed = f"a subdivision of {country} ({listed(parts, 60)})"
        fields.note("subdivision", subdivision, allowed, nearest(subdivision, parts) or "remove it")
    return country, subdivision


@functools.cache
def _countries() -> dict[str, tuple[str, ...]]:
    """Return the subdivisions by country."""
    import holidays

    return {code: tuple(parts) for code, parts in holidays.list_supported_countries().items()}


def parse_span(text: str) -> LocalSpan | None:
    """Return the span that ``06:00-22:00`` stands for, or None for anything else.

    Examples
    --------
    >>> parse_span("22:00-06:00").overnight, parse_span("00:00-24:00").end, parse_span("6-22")
    (True, datetime.time(0, 0), None)
    """
    match = SPAN.fullmatch(text.strip())
    if match is None:
        return None
    first, last = match.groups()
    if not CLOCK.fullmatch(first) or not (CLOCK.fullmatch(last) or last == "24:00"):
        return None
    start, end = time.fromisoformat(first), time(0) if last == "24:00" else time.fromisoformat(last)
    return None if start == end and start != time(0) else LocalSpan(start=start, end=end)


def _span_hint(text: str) -> str:
    """Say how to write the span that was probably meant."""
    ends = [end.strip() for end in re.split(r"\s*(?:-|\u2013|to|until)\s*", text.strip()) if end.strip()]
    written = []
    for end in ends:
        match = re.fullmatch(r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?", end)
        if match and int(match.group(1)) <= 24:
            written.append(f"{int(match.group(1)):02d}:{match.group(2) or '00'}")
    better = "-".join(written)
    return better if len(written) == 2 and better != text and parse_span(better) is not None else "06:00-22:00"


def _take_span(fields: Fields, name: str, node: Node) -> LocalSpan | None:
    """Read one span."""
    span = parse_span(node.text) if node.kind not in ("map", "list", "null") else None
    if span is None:
        text = node.text if node.kind not in ("map", "list", "null") else ""
        fields.note(name, node.shown(), SPAN_ALLOWED, _span_hint(text), node.line)
    return span


def read_span(fields: Fields, key: str) -> LocalSpan | None:
    """Read one span of local time that must be there."""
    if not fields.has(key):
        fields.note(key, None, SPAN_ALLOWED, f"add {key}")
        return None
    return _take_span(fields, key, fields.node.fields[key])


def read_spans(fields: Fields, key: str) -> tuple[LocalSpan, ...]:
    """Read the spans of one day, which must not overlap; none of them means closed."""
    if key in fields.node.fields and fields.node.fields[key].kind not in ("list", "null"):
        node = fields.node.fields[key]
        fields.note(key, node.shown(), f"a list of spans; {SPAN_ALLOWED}", f'{key}: ["06:00-22:00"]', node.line)
        return ()
    found: list[LocalSpan] = []
    for index, node in enumerate(fields.items(key)):
        span = _take_span(fields, f"{key}[{index}]", node)
        if span is None:
            continue
        clash = next((other for other in found if _overlap(other, span)), None)
        if clash is not None:
            allowed = f"spans that do not overlap ({span_text(clash)} is there already)"
            fields.note(f"{key}[{index}]", node.text, allowed, "join them or correct one", node.line)
        found.append(span)
    return tuple(sorted(found))


def _minutes(span: LocalSpan) -> tuple[int, int]:
    """Return a span in minutes from the midnight that begins its day."""
    start, end = span.start.hour * 60 + span.start.minute, span.end.hour * 60 + span.end.minute
    return start, end if end > start else end + 1440


def _overlap(one: LocalSpan, other: LocalSpan) -> bool:
    """Tell whether two spans of a day overlap."""
    (a, b), (c, d) = _minutes(one), _minutes(other)
    return a < d and c < b


def span_text(span: LocalSpan) -> str:
    """Return a span as it is written.

    Examples
    --------
    >>> span_text(parse_span("06:00-24:00"))
    '06:00-24:00'
    """
    end = "24:00" if span.end == time(0) else f"{span.end:%H:%M}"
    return f"{span.start:%H:%M}-{end}"


def read_clock(fields: Fields, key: str, *, required: bool = False) -> time | None:
    """Read a local time of day, ``HH:MM``."""
    found = fields.scalar(key, "a local time of day as HH:MM", required=required)
    if found is None:
        return None
    if CLOCK.fullmatch(found):
        return time.fromisoformat(found)
    match = re.fullmatch(r"([0-9]{1,2})(?:[:.h]([0-5][0-9]))?", found)
    hint = f"{int(match.group(1)):02d}:{match.group(2) or '00'}" if match and int(match.group(1)) < 24 else "06:00"
    fields.note(key, found, "a local time of day as HH:MM", hint)
    return None


def read_instant(fields: Fields, key: str, *, required: bool = False) -> datetime | None:
    """Read an instant with its offset and return it in UTC."""
    found = fields.scalar(key, INSTANT_ALLOWED, required=required)
    if found is None:
        return None
    try:
        instant = datetime.fromisoformat(found) if "T" in found or " " in found else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        naive = instant is not None
        fields.note(key, found, INSTANT_ALLOWED, f"{found}+01:00, with the offset that is meant" if naive else
                    "2026-11-03T10:00:00+01:00")  # fmt: skip
        return None
    if not 1990 <= instant.year <= 2100:
        fields.note(key, found, "an instant between 1990 and 2100", "correct the year")
        return None
    return instant.astimezone(UTC)


def _mode(fields: Fields, block: str) -> ExclusionMode:
    """Read what an exclusion does to the slices it touches."""
    return ExclusionMode(fields.choice("mode", words_of(block, "mode"), default="remove") or "remove")


def read_maintenance(spec: Fields) -> tuple[MaintenanceWindow, ...]:
    """Read the recurring maintenance windows."""
    found: list[MaintenanceWindow] = []
    for fields in spec.mappings("maintenance", fields_of("maintenance")):
        before = len(fields.problems)
        weekdays = _weekday_list(fields)
        span, zone = read_span(fields, "span"), fields.zone("zone", required=True)
        nth = _nth(fields)
        first, last = read_validity(fields)
        reason, mode = fields.text("reason") or "maintenance", _mode(fields, "maintenance")
        if len(fields.problems) == before and span is not None:
            found.append(
                MaintenanceWindow(
                    weekdays=weekdays,
                    span=span,
                    zone=zone,
                    valid_from=first,
                    valid_until=last,
                    nth_of_month=nth,
                    reason=reason,
                    mode=mode,
                )
            )
    return tuple(found)


def _weekday_list(fields: Fields) -> tuple[int, ...]:
    """Read a list of weekdays."""
    found: set[int] = set()
    allowed = "a list of weekdays (mon ... sun, or a range such as mon-fri)"
    for word, line in fields.words("weekdays", required=True):
        days = weekdays_of(word)
        if days is None:
            fields.note("weekdays", word, allowed, _day_hint(word), line)
        found.update(days or ())
    return tuple(sorted(found))


def _nth(fields: Fields) -> tuple[int, ...]:
    """Read which of a month's weekdays are meant."""
    found: list[int] = []
    for word, line in fields.words("nthOfMonth"):
        if word not in ("1", "2", "3", "4", "5", "-1"):
            fields.note("nthOfMonth", word, "1 to 5 for the first to fifth, -1 for the last", "-1 for the last", line)
            continue
        found.append(int(word))
    return tuple(found)


def read_validity(fields: Fields, *, required: bool = False) -> tuple[date | None, date | None]:
    """Read `validFrom` and `validUntil`, in that order of time."""
    first, last = fields.day("validFrom", required=required), fields.day("validUntil")
    if first is not None and last is not None and last < first:
        fields.note("validUntil", str(last), f"a day on or after validFrom ({first})", "swap or correct the dates")
    return first, last


def read_exclusions(spec: Fields) -> tuple[Exclusion, ...]:
    """Read the agreed exclusions."""
    found: list[Exclusion] = []
    for fields in spec.mappings("exclusions", fields_of("exclusion")):
        before = len(fields.problems)
        start, end = read_instant(fields, "from", required=True), read_instant(fields, "until", required=True)
        reason, mode = fields.text("reason", required=True), _mode(fields, "exclusion")
        if start is not None and end is not None:
            came = fields.node.fields["until"].text
            if end <= start:
                fields.note("until", came, "an instant after `from`", "swap or correct the two")
            elif end - start > timedelta(days=366):
                fields.note("until", came, "at most 366 days after `from`", "end the agreement instead")
            if len(fields.problems) == before:
                exclusion = Exclusion(
                    start=start,
                    end=end,
                    reason=reason,
                    approved_by=fields.text("approvedBy"),
                    evidence=fields.text("evidence"),
                    mode=mode,
                )
                found.append(exclusion)
    return tuple(found)
