"""Attainment slice by slice and minute by minute: the second implementation of docs/attainment-rules.md.

Written from the rules alone, for being obviously right and not for speed: plain loops over slices and minutes, exact
fractions, no array, nothing of `forecasting.service_levels` or `forecasting.history`. Instants are whole minutes since
1970 UTC; every time in a case is a whole minute.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP
from fractions import Fraction
from zoneinfo import ZoneInfo

from forecasting.terms.indicator import (
    AvailabilityIndicator,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
    metrics_of,
)
from forecasting.terms.service_level import BudgetingMethod, Objective, Rounding
from forecasting.terms.service_time import ExclusionMode, ServiceCalendar

MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
US = 60_000_000
"""Microseconds of a minute."""
BILLION = 10**9
Number = float | None


def minute(at: datetime) -> int:
    assert (at - EPOCH) % MINUTE == timedelta(0), at
    return (at - EPOCH) // MINUTE


def at_minute(number: int) -> datetime:
    return EPOCH + number * MINUTE


def wall(day: date, clock: time, zone: str) -> int:
    """Wall-clock time as an instant: pushed forward where it does not exist, the first where there are two."""
    local = datetime.combine(day, clock)
    first = local.replace(tzinfo=ZoneInfo(zone), fold=0)
    return minute(first.astimezone(UTC))


def local_day(number: int, zone: str) -> date:
    return at_minute(number).astimezone(ZoneInfo(zone)).date()


# ---------------------------------------------------------------------- service time, minute by minute
def open_minutes(calendar: ServiceCalendar | None, first: int, last: int) -> set[int] | None:
    """Return every open minute in [first, last); None = all are."""
    if calendar is None:
        return None
    found: set[int] = set()
    day = local_day(first, calendar.zone) - timedelta(days=2)
    while day <= local_day(last, calendar.zone) + timedelta(days=1):
        version = None
        for candidate in calendar.versions:
            if candidate.valid_from is None or candidate.valid_from <= day:
                version = candidate
        if version is not None:
            assert not version.country, "public holidays are not in these cases"
            spans = version.dates[day] if day in version.dates else version.weekly[day.weekday()]
            for span in spans:
                ends_on = day + timedelta(days=1) if span.end <= span.start or span.end == time(0) else day
                start, end = wall(day, span.start, calendar.zone), wall(ends_on, span.end, calendar.zone)
                found |= {m for m in range(start, end) if first <= m < last}
        day += timedelta(days=1)
    return found


def marked_minutes(objective: Objective, mode: ExclusionMode, first: int, last: int) -> set[int]:
    """Return every minute of exclusions and maintenance of a mode."""
    found: set[int] = set()
    for exclusion in objective.time.exclusions:
        if exclusion.mode is mode:
            found |= set(range(max(first, minute(exclusion.start)), min(last, minute(exclusion.end))))
    for window in objective.time.maintenance:
        if window.mode is not mode:
            continue
        day = local_day(first, window.zone) - timedelta(days=2)
        while day <= local_day(last, window.zone) + timedelta(days=1):
            if day.weekday() in window.weekdays and _in_force(window.valid_from, window.valid_until, day):
                nth = (day.day - 1) // 7 + 1
                is_last = (day + timedelta(days=7)).month != day.month
                if not window.nth_of_month or nth in window.nth_of_month or (-1 in window.nth_of_month and is_last):
                    late = window.span.end <= window.span.start
                    ends_on = day + timedelta(days=1) if late or window.span.end == time(0) else day
                    start, end = wall(day, window.span.start, window.zone), wall(ends_on, window.span.end, window.zone)
                    found |= {m for m in range(start, end) if first <= m < last}
            day += timedelta(days=1)
    return found


def _in_force(first: date | None, last: date | None, day: date) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


# ---------------------------------------------------------------------- slices
@dataclass
class Cell:
    """One data slice after the rules of sections 3 to 5."""

    start: int
    end: int
    good: int = 0
    total: int = 0
    known: bool = False
    observed: bool = False
    eligible: bool = True
    in_hours: bool = True
    removed: bool = False
    dropped: bool = False


@dataclass
class Outcome:
    """What the rules make of one window."""

    good: int
    total: int
    known: int
    elapsed: int
    planned: int
    excluded: int
    planned_minutes: int
    value: Fraction | None
    lower: Fraction | None
    upper: Fraction | None
    status: str
    final: bool
    provisional: bool
    decided: str
    watermark: int | None = None
    """End of the last observed slice that counts, by the instant of judging."""
    verdicts: dict[int, Fraction | str] = field(default_factory=dict)
    """Time slices: what the slice that begins at a minute counts as, or unknown, excluded, open."""


@dataclass
class Data:
    """Metrics of one service on one grid: values by name, None = missing."""

    start: int
    """First slice."""
    step: int | None
    """Minutes, or None for local days of `zone`."""
    zone: str
    values: dict[str, list[Number]]
    calendars: dict[str, ServiceCalendar] = field(default_factory=dict)
    """Calendars of due days, none of them with hours over midnight."""

    def slice_at(self, index: int) -> tuple[int, int]:
        if self.step is not None:
            return self.start + index * self.step, self.start + (index + 1) * self.step
        day = local_day(self.start, self.zone) + timedelta(days=index)
        return wall(day, time(0), self.zone), wall(day + timedelta(days=1), time(0), self.zone)

    def length(self, objective: Objective) -> int:
        """Return how many slices the grid of the indicator has."""
        return max(len(self.values[name]) for name in metrics_of(objective.indicator))

    def value(self, name: str, index: int) -> Number:
        values = self.values[name]
        return values[index] if 0 <= index < len(values) else None


def cells(objective: Objective, data: Data, first: int, last: int) -> list[Cell]:
    """Return the data slices that begin in [first, last), data or not."""
    hours = open_minutes(objective.time.hours, first - 2880, last + 2880)
    removed, dropped, forgiven = (
        marked_minutes(objective, mode, first - 2880, last + 2880)
        for mode in (ExclusionMode.REMOVE, ExclusionMode.DROP_EVENTS, ExclusionMode.COUNT_AS_GOOD)
    )
    index = 0
    while data.slice_at(index)[0] > first:
        index -= 1
    while data.slice_at(index)[0] < first:
        index += 1
    found = []
    while data.slice_at(index)[0] < last:
        start, end = data.slice_at(index)
        cell = Cell(start=start, end=end)
        minutes = range(start, end)
        if isinstance(objective.indicator, DeadlineIndicator):
            due = due_at(objective.indicator, data, start)
            cell.in_hours, minutes = due is not None, range(due or 0, (due or 0) + 1)
        else:
            cell.in_hours = hours is None or all(m in hours for m in minutes)
        cell.removed = any(m in removed for m in minutes)
        cell.eligible = cell.in_hours and not cell.removed
        pair = judged(objective, data, index)
        cell.known = cell.observed = pair is not None
        cell.good, cell.total = pair or (0, 0)
        if cell.eligible:
            _exclude(
                objective, data, index, cell, any(m in dropped for m in minutes), any(m in forgiven for m in minutes)
            )
        found.append(cell)
        index += 1
    return found


def due_at(indicator: DeadlineIndicator, data: Data, start: int) -> int | None:
    """Return the minute of the deadline on the local day that begins at `start`; None where nothing is due."""
    day = local_day(start, data.zone)
    if indicator.calendar is not None:
        calendar = data.calendars[indicator.calendar]
        begin = wall(day, time(0), calendar.zone)
        if not open_minutes(calendar, begin, wall(day + timedelta(days=1), time(0), calendar.zone)):
            return None
    return wall(day, indicator.by, data.zone)


def _exclude(objective: Objective, data: Data, index: int, cell: Cell, drop: bool, forgive: bool) -> None:
    """Apply drop_events, count_as_good and the workload limit to an eligible slice."""
    demand = None if objective.workload_metric is None else data.value(objective.workload_metric, index)
    if not 0 <= index < data.length(objective):
        demand = None  # outside the grid of the indicator
    above = demand is not None and demand > float(objective.workload_limit or 0)
    if drop or (above and objective.workload_effect == "suspended"):
        cell.known, cell.dropped, cell.good, cell.total = True, True, 0, 0
    elif forgive:
        if not cell.known:
            cell.total = worth(objective, cell)
            cell.known = True
        cell.good = cell.total
    elif above and objective.workload_effect == "scaled" and cell.known:
        assert demand is not None
        assert objective.workload_limit is not None
        bad = math.floor((cell.total - cell.good) * Fraction(objective.workload_limit) / Fraction(demand))
        cell.good = cell.total - bad


def worth(objective: Objective, cell: Cell) -> int:
    """Return what one slice counts where that does not depend on events; 0 where it does."""
    match objective.indicator:
        case ThresholdIndicator() | QuantileIndicator() | DeadlineIndicator():
            return 1
        case RawRatioIndicator():
            return BILLION
        case AvailabilityIndicator():
            return (cell.end - cell.start) * US
        case _:
            return 0


def judged(objective: Objective, data: Data, index: int) -> tuple[int, int] | None:
    """Return (good, total) of a data slice by its indicator; None = unknown."""
    i = objective.indicator
    if isinstance(i, RatioIndicator):
        part_name = i.good if i.good is not None else i.bad
        assert part_name is not None
        if i.cumulative:
            total, part = (_delta(data, name, index) for name in (i.total, part_name))
        else:
            total, part = data.value(i.total, index), data.value(part_name, index)
        if total is None or part is None:
            return None
        return (int(part) if i.good is not None else int(total) - int(part)), int(total)
    assert not isinstance(i, TicketIndicator | CompositeIndicator)
    assert i.metric is not None
    value = data.value(i.metric, index)
    if value is None:
        return None
    if isinstance(i, DeadlineIndicator):
        day = local_day(data.slice_at(index)[0], data.zone)
        if i.start is None:
            return int(value <= i.by.hour * 60 + i.by.minute), 1
        begun = wall(day + timedelta(days=i.start_day_offset), i.start, data.zone)
        return int(begun + Fraction(value) <= wall(day, i.by, data.zone)), 1
    if isinstance(i, RawRatioIndicator):
        good = round(Fraction(value) * BILLION)  # to even
        return (good if i.counts == "success" else BILLION - good), BILLION
    if isinstance(i, ThresholdIndicator | QuantileIndicator):
        limit = float(i.limit)
        met = {"lt": value < limit, "lte": value <= limit, "gt": value > limit, "gte": value >= limit}[i.op]
        return int(met), 1
    start, end = data.slice_at(index)
    whole = (end - start) * US
    if i.measures == "up":
        return int(value) * whole, whole
    seconds = round(Fraction(value) * 1_000_000)
    return (seconds if i.measures == "up_seconds" else whole - seconds), whole


def _delta(data: Data, name: str, index: int) -> Number:
    now, following = data.value(name, index), data.value(name, index + 1)
    if now is None or following is None:
        return None
    return following if following < now else following - now


# ---------------------------------------------------------------------- windows
def attain(objective: Objective, data: Data, window: tuple[int, int], as_of: int, grace: int = 0) -> Outcome:
    """Return what the rules make of one window."""
    a, b = window
    valid = _validity(objective, a, b)
    if isinstance(objective.indicator, QuantileIndicator) or objective.method is not BudgetingMethod.OCCURRENCES:
        return _by_slices(objective, data, a, b, valid, as_of, grace)
    inside = [c for c in cells(objective, data, a, b) if valid[0] <= c.start < valid[1]]
    eligible = [c for c in inside if c.eligible]
    excluded = sum(1 for c in inside if c.in_hours and (c.removed or c.dropped))
    elapsed = [c for c in eligible if c.end <= as_of]
    known = []
    open_worth = sum(worth(objective, c) for c in eligible if c.end > as_of)
    counted = 0
    for c in elapsed:
        if c.known:
            counted += 1
            known.append((c.good, c.total))
        elif objective.no_data == "exclude":
            open_worth += worth(objective, c)
        elif objective.no_data in ("good", "bad"):
            counted += 1
            whole = worth(objective, c)
            assert whole, "refused before"
            known.append((whole if objective.no_data == "good" else 0, whole))
        else:
            counted += 1
            open_worth += worth(objective, c)
    k, u = len(known), counted - len(known)
    good, total = sum(g for g, _ in known), sum(t for _, t in known)
    value = lower = upper = None
    if total:
        value = Fraction(good, total)
        whole_traffic = Fraction(total * (k + u), k)
        lower, upper = good / whole_traffic, (good + Fraction(total * u, k)) / whole_traffic
    closed = b <= as_of and all(c.end <= as_of for c in eligible)
    countable = worth(objective, Cell(start=0, end=1)) > 0
    return Outcome(
        good=good,
        total=total,
        known=k,
        elapsed=counted,
        planned=len(eligible),
        excluded=excluded,
        planned_minutes=sum(c.end - c.start for c in eligible),
        value=value,
        lower=lower,
        upper=upper,
        status=_status(objective, k, u, total, value, lower, upper, closed),
        watermark=max((c.end for c in elapsed if c.observed), default=None),
        final=closed and b + grace <= as_of,
        provisional=closed and b + grace > as_of,
        decided=_decided(objective, good, total, open_worth) if not closed and countable else "open",
    )


def _validity(objective: Objective, a: int, b: int) -> tuple[int, int]:
    zone = objective.window.zone
    first, last = objective.time.valid_from, objective.time.valid_until
    return (
        a if first is None else max(a, wall(first, time(0), zone)),
        b if last is None else min(b, wall(last + timedelta(days=1), time(0), zone)),
    )


def _by_slices(
    objective: Objective, data: Data, a: int, b: int, valid: tuple[int, int], as_of: int, grace: int
) -> Outcome:
    """Timeslices, RatioTimeslices and quantiles."""
    length = objective.slice_window
    if isinstance(objective.indicator, QuantileIndicator):
        length = objective.indicator.slice
    assert length is not None
    size = length // MINUTE
    found = cells(objective, data, a, b)
    ours = [c for c in found if c.eligible and valid[0] <= c.start < valid[1]]
    ratios: list[Fraction] = []
    known = elapsed = planned = excluded = planned_minutes = still = 0
    last: Fraction | None = None
    verdicts: dict[int, Fraction | str] = {}
    closed = b <= as_of
    start = a
    while start + size <= b:
        end = start + size
        part = []
        while found and found[0].start < end:
            part.append(found.pop(0))
        assert part[0].start == start, "the data must fit the slices"
        assert part[-1].end == end, "the data must fit the slices"
        start = end
        if not (valid[0] <= end - size and end <= valid[1] and all(c.in_hours for c in part)):
            continue
        if any(c.removed for c in part):
            excluded += 1
            continue
        planned += 1
        planned_minutes += size
        verdicts[end - size] = "open"
        excluded += any(c.dropped for c in part)
        if end > as_of:
            still += 1
            closed = False
            continue
        ratio: Fraction | None
        if not all(c.known for c in part):
            verdicts[end - size] = "unknown"
            if objective.no_data == "exclude":
                still += 1
                continue
            elapsed += 1
            if objective.no_data == "unknown":
                still += 1
                continue
            known += 1
            ratio = Fraction(objective.no_data == "good")
        else:
            elapsed += 1
            known += 1
            ratio = _ratio(objective, part, last)
        verdicts[end - size] = "excluded" if ratio is None else ratio
        if ratio is not None:
            ratios.append(ratio)
            last = ratio
    unknown = elapsed - known
    c, value, lower, upper = len(ratios), None, None, None
    total_ratio = sum(ratios, Fraction(0))
    if c:
        value, lower = total_ratio / c, total_ratio / (c + unknown)
        upper = (total_ratio + unknown) / (c + unknown)
    unit = BILLION if means(objective) else 1
    return Outcome(
        good=math.floor(total_ratio * unit),
        total=c * unit,
        known=known,
        elapsed=elapsed,
        planned=planned,
        excluded=excluded,
        planned_minutes=planned_minutes,
        value=value,
        lower=lower,
        upper=upper,
        status=_status(objective, known, unknown, c * unit, value, lower, upper, closed),
        final=closed and b + grace <= as_of,
        provisional=closed and b + grace > as_of,
        decided="open" if closed else _decided(objective, total_ratio, Fraction(c), Fraction(still)),
        verdicts=verdicts,
        watermark=max((c.end for c in ours if c.observed and c.end <= as_of), default=None),
    )


def _ratio(objective: Objective, part: list[Cell], last: Fraction | None) -> Fraction | None:
    """Return what a known slice counts as, 0 to 1; None = it is not counted."""
    good, total = sum(c.good for c in part), sum(c.total for c in part)
    if total == 0:
        if any(c.dropped for c in part):
            return None
        return {"exclude": None, "good": Fraction(1), "bad": Fraction(0), "carry": last}[objective.no_traffic]
    i = objective.indicator
    if isinstance(i, QuantileIndicator):
        rank = math.ceil(Fraction(i.quantile) * total)
        met = good >= rank if i.op in ("lt", "lte") else total - good <= rank - 1
        return Fraction(met)
    if objective.method is BudgetingMethod.RATIO_TIMESLICES:
        return Fraction(good, total)
    assert objective.slice_target is not None
    return Fraction(Fraction(good, total) >= Fraction(objective.slice_target))


# ---------------------------------------------------------------------- verdicts
_MODES = {"half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN, "down": ROUND_DOWN, "up": ROUND_UP}


def rounded(value: Fraction, rule: Rounding | None) -> Fraction:
    """Round 100 × value by the rule, exactly, and return it as a share again."""
    if rule is None:
        return value
    scaled = value * 100 * 10**rule.decimals
    below = math.floor(scaled)
    rest = scaled - below
    match rule.mode:
        case "down":
            whole = below
        case "up":
            whole = below + (rest > 0)
        case "half_up":
            whole = below + (rest >= Fraction(1, 2))
        case "half_even":
            whole = below + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1))
    return Fraction(whole, 100 * 10**rule.decimals)


def meets(objective: Objective, value: Fraction) -> bool:
    shown, target = rounded(value, objective.rounding), Fraction(objective.target)
    return shown > target if objective.strict else shown >= target


def _status(
    objective: Objective,
    k: int,
    u: int,
    total: int,
    value: Fraction | None,
    lower: Fraction | None,
    upper: Fraction | None,
    closed: bool,
) -> str:
    if not closed:
        return "running"
    if k == 0:
        return "insufficient_data"
    covered = Fraction(k, k + u) >= Fraction(objective.minimum_coverage)
    if total == 0:
        return "no_traffic" if covered else "insufficient_data"
    if total < least(objective):
        return "insufficient_data"
    assert value is not None
    assert lower is not None
    assert upper is not None
    if covered:
        return "met" if meets(objective, value) else "breached"
    if meets(objective, lower):
        return "met"
    return "undetermined" if meets(objective, upper) else "breached"


def means(objective: Objective) -> bool:
    """Say whether ratios of slices are averaged."""
    quantile = isinstance(objective.indicator, QuantileIndicator)
    return objective.method is BudgetingMethod.RATIO_TIMESLICES and not quantile


def least(objective: Objective) -> int:
    """Return the minimum sample in the unit of `total`."""
    raw = isinstance(objective.indicator, RawRatioIndicator) and objective.method is BudgetingMethod.OCCURRENCES
    return objective.minimum_events * (BILLION if means(objective) or raw else 1)


def _decided(objective: Objective, good: Fraction | int, total: Fraction | int, still: Fraction | int) -> str:
    whole = Fraction(total + still)
    counted = total * BILLION if means(objective) else total
    if total == 0 or counted < least(objective):
        return "open"
    if not meets(objective, (good + still) / whole):
        return "breach_certain"
    return "met_certain" if meets(objective, good / whole) else "open"


# ---------------------------------------------------------------------- outages and tickets
@dataclass
class Ticket:
    """A ticket in whole minutes."""

    opened: int
    done: int | None
    pauses: tuple[tuple[int, int | None], ...] = ()

    def pauses_json(self) -> str:
        return json.dumps([[_text(a), None if b is None else _text(b)] for a, b in self.pauses])


def _text(number: int) -> str:
    return at_minute(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def outage_minutes(objective: Objective, tickets: list[Ticket], window: tuple[int, int], as_of: int) -> tuple[int, int]:
    """Return (up, eligible) minutes of a closed window by outages."""
    a, b = window
    valid = _validity(objective, a, b)
    hours = open_minutes(objective.time.hours, a, b)
    removed, dropped, forgiven = (
        marked_minutes(objective, mode, a, b)
        for mode in (ExclusionMode.REMOVE, ExclusionMode.DROP_EVENTS, ExclusionMode.COUNT_AS_GOOD)
    )
    down: set[int] = set()
    for ticket in tickets:
        end = as_of if ticket.done is None else ticket.done
        paused = {m for p, q in ticket.pauses for m in range(p, end if q is None else min(q, end))}
        down |= {m for m in range(max(ticket.opened, a), min(end, b)) if m not in paused}
    up = total = 0
    for m in range(max(a, valid[0]), min(b, valid[1])):
        if (hours is not None and m not in hours) or m in removed or m in dropped:
            continue
        total += 1
        up += m not in down or m in forgiven
    return up, total


def ticket_counts(
    objective: Objective, tickets: list[Ticket], calendar: ServiceCalendar | None, window: tuple[int, int], as_of: int
) -> tuple[int, int]:
    """Return (in time, counted) tickets of a window, what is known at `as_of`."""
    i = objective.indicator
    assert isinstance(i, TicketIndicator)
    allowed = i.within // MINUTE
    valid = _validity(objective, *window)

    def marked(mode: ExclusionMode, moment: int) -> bool:
        return moment in marked_minutes(objective, mode, moment, moment + 1)

    good = total = 0
    for ticket in tickets:
        if ticket.opened >= as_of:
            continue
        done = ticket.done if ticket.done is not None and ticket.done < as_of else None
        clock, due, t = 0, None, ticket.opened
        limit = min(ticket.opened + 40 * 1440, as_of + 1)  # due later is not late yet
        hours = open_minutes(calendar, ticket.opened, limit)
        removed = marked_minutes(objective, ExclusionMode.REMOVE, ticket.opened, limit)
        # The clock shows `allowed` at the end of its last counted minute; of no time at all it is due at once.
        paused: set[int] = set()
        if i.pauses:
            for p, q in ticket.pauses:
                paused |= set(range(p, limit if q is None else q))
        if allowed == 0:
            due = ticket.opened
        while due is None and t < limit:
            if (hours is None or t in hours) and t not in removed and t not in paused:
                clock += 1
                if clock == allowed:
                    due = t + 1
            t += 1
        if due is None:
            due = 10**12
        in_time = done is not None and done <= due
        if not in_time and done is None and due >= as_of:
            continue  # neither done nor late yet
        if not in_time and due >= as_of:
            continue
        counted = {"due": done if in_time else due, "opened": ticket.opened, "done": done if done is not None else due}
        moment = counted[i.counted_at]
        assert moment is not None
        day = local_day(moment, objective.window.zone)
        start, end = (wall(day + timedelta(days=n), time(0), objective.window.zone) for n in (0, 1))
        inside = valid[0] <= start < valid[1] and window[0] <= start < window[1] and end <= as_of
        if inside and not marked(ExclusionMode.DROP_EVENTS, moment):
            total += 1
            good += in_time or marked(ExclusionMode.COUNT_AS_GOOD, moment)
    return good, total
