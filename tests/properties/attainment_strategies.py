"""Random objectives, data and instants for comparing attainments with the reference (docs/attainment-rules.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from reference_attainment import (
    MINUTE,
    Data,
    Ticket,
    at_minute,
    attain,
    judged,
    local_day,
    marked_minutes,
    open_minutes,
    rounded,
    wall,
)

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
    BudgetingMethod,
    CalendarWindow,
    Objective,
    RollingWindow,
    Rounding,
)
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

CHANGES = {
    "Europe/Berlin": (date(2027, 3, 28), date(2027, 10, 31)),
    "America/New_York": (date(2027, 3, 14), date(2027, 11, 7)),
    "Australia/Lord_Howe": (date(2027, 4, 4), date(2027, 10, 3)),
    "UTC": (date(2027, 2, 28), date(2028, 2, 29)),
    "Asia/Kolkata": (date(2027, 2, 28), date(2027, 12, 31)),
}
"""Days on which something happens: clocks change, or a month or a year ends."""
ZONES = tuple(CHANGES)
TARGETS = ("0.5", "0.75", "0.8", "0.9", "0.95", "0.999", "0.3333", "0.6666666666666666666666666667")
RARELY = st.sampled_from([False, False, False, True])


# ---------------------------------------------------------------------- strategies
@st.composite
def spans(draw: st.DrawFn) -> LocalSpan:
    half = st.integers(0, 47).map(lambda n: time(n // 2, n % 2 * 30))
    odd = st.builds(time, st.integers(0, 23), st.integers(0, 59))
    known = [(time(8), time(18)), (time(22), time(6)), (time(0), time(0)), (time(2), time(3)), (time(2, 30),) * 2]
    start, end = draw(st.one_of(st.sampled_from(known), st.tuples(half, half), st.tuples(odd, odd)))
    return LocalSpan(start=start, end=end)


@st.composite
def versions(draw: st.DrawFn, around: date) -> CalendarVersion:
    day_off = st.just(())
    hours = st.lists(spans(), min_size=1, max_size=2).map(tuple)
    if draw(st.booleans()):
        weekly = (draw(hours),) * 7
    else:
        weekly = tuple(draw(st.one_of(hours, hours, day_off)) for _ in range(7))
    own = {around + timedelta(days=draw(st.integers(-1, 2))): draw(st.one_of(hours, day_off))} if draw(RARELY) else {}
    return CalendarVersion(weekly=weekly, dates=own)


@st.composite
def calendars(draw: st.DrawFn, zone: str, around: date) -> ServiceCalendar:
    found = [draw(versions(around))]
    if draw(RARELY):
        found.append(replace(draw(versions(around)), valid_from=around + timedelta(days=draw(st.integers(-2, 3)))))
    name = zone if draw(st.booleans()) else draw(st.sampled_from(ZONES))
    return ServiceCalendar(name="hours", zone=name, versions=tuple(found))


@st.composite
def service_times(draw: st.DrawFn, zone: str, around: date, first: int, last: int) -> ServiceTime:
    """Hours, exclusions, maintenance and validity around the minutes [first, last)."""
    modes = st.sampled_from(list(ExclusionMode))
    exclusions, maintenance = [], []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        start = draw(st.integers(first - 600, last))
        end = start + draw(st.one_of(st.integers(1, 90), st.integers(1, 1500)))
        exclusions.append(Exclusion(start=at_minute(start), end=at_minute(end), reason="r", mode=draw(modes)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        days = st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True)
        nth = st.lists(st.sampled_from([1, 2, 3, 4, 5, -1]), max_size=3, unique=True)
        limit = st.one_of(st.none(), st.none(), st.integers(-2, 4).map(lambda n: around + timedelta(days=n)))
        maintenance.append(
            MaintenanceWindow(
                weekdays=tuple(sorted(draw(days))),
                span=draw(spans()),
                zone=draw(st.sampled_from([zone, *ZONES])),
                nth_of_month=tuple(draw(nth)) if draw(st.booleans()) else (),
                valid_from=draw(limit),
                valid_until=draw(limit),
                mode=draw(modes),
            )
        )
    valid_from = around + timedelta(days=draw(st.integers(-2, 2))) if draw(RARELY) else None
    valid_until = around + timedelta(days=draw(st.integers(-1, 3))) if draw(RARELY) else None
    if valid_from is not None and valid_until is not None and valid_until < valid_from:
        valid_until = valid_from
    return ServiceTime(
        hours=draw(calendars(zone, around)) if draw(st.booleans()) else None,
        exclusions=tuple(exclusions),
        maintenance=tuple(maintenance),
        valid_from=valid_from,
        valid_until=valid_until,
    )


@st.composite
def bounds_of_windows(draw: st.DrawFn, zone: str, around: date, kinds: tuple[str, ...]) -> tuple[Any, list[int]]:
    """Return a window and the minutes that bound one to three of them, by the reference's wall clock."""
    kind = draw(st.sampled_from(kinds))
    if kind == "rolling":
        days = draw(st.integers(1, 3))
        end = wall(around + timedelta(days=draw(st.integers(0, 2))), time(0), zone)
        return RollingWindow(length=timedelta(days=days), zone=zone), [end - days * 1440, end]
    if kind == "month":
        first = around.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
        return CalendarWindow(unit="month", zone=zone), [wall(day, time(0), zone) for day in (first, after)]
    if kind == "week":
        monday = around - timedelta(days=around.weekday())
        days_ = [monday + timedelta(days=7 * k) for k in range(2)]
        return CalendarWindow(unit="week", zone=zone), [wall(day, time(0), zone) for day in days_]
    count = draw(st.integers(1, 2))
    clock = draw(st.sampled_from([time(0), time(0), time(2, 30), time(12), time(1, 45)]))
    begin = around + timedelta(days=draw(st.integers(-2, 1)))
    days_ = [begin + timedelta(days=count * k) for k in range(draw(st.integers(2, 4)))]
    anchor = datetime.combine(begin, clock) if clock != time(0) or count > 1 else None
    window = CalendarWindow(unit="day", zone=zone, count=count, anchor=anchor)
    return window, [wall(day, clock, zone) for day in days_]


@st.composite
def indicators(draw: st.DrawFn, step: int) -> Indicator:
    op = st.sampled_from(["lt", "lte", "gt", "gte"])
    limit = st.sampled_from(["0.3", "50", "300"]).map(Decimal)
    kinds = ["ratio", "ratio", "counter", "raw", "threshold", "up", "up_seconds", "down_seconds", "quantile"]
    match draw(st.sampled_from(kinds if step else kinds[:-1])):
        case "ratio":
            return RatioIndicator(total="t", **{draw(st.sampled_from(["good", "bad"])): "p"})
        case "counter":
            return RatioIndicator(total="t", cumulative=True, **{draw(st.sampled_from(["good", "bad"])): "p"})
        case "raw":
            return RawRatioIndicator(metric="m", counts=draw(st.sampled_from(["success", "failure"])))
        case "threshold":
            return ThresholdIndicator(metric="m", op=draw(op), limit=draw(limit))
        case "quantile":
            times = draw(st.sampled_from([1, 2, 3, 4, 6, 12]))
            share = draw(st.sampled_from(["0.5", "0.75", "0.9", "0.95", "0.99", "0.333"]))
            return QuantileIndicator(
                metric="m",
                quantile=Decimal(share),
                op=draw(op),
                limit=draw(limit),
                slice=timedelta(minutes=step * times),
            )
        case measures:
            return AvailabilityIndicator(metric="m", measures=measures)


def values_of(indicator: Indicator, n: int, lengths: list[int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw what the indicator's metrics and the demand show; `lengths` in minutes."""
    gaps = rng.choice([0.0, 0.0, 0.03, 0.3])

    def missing(values: np.ndarray) -> np.ndarray:
        values = values.astype(float)
        values[rng.random(n) < gaps] = np.nan
        return values

    found: dict[str, np.ndarray] = {"d": missing(rng.integers(0, 200, n) if rng.random() < 0.5 else np.full(n, 50))}
    match indicator:
        case RatioIndicator():
            total = rng.poisson(rng.choice([0.0, 0.5, 3.0, 40.0, 40.0, 10.0**9]), n)
            total[rng.random(n) < rng.choice([0.0, 0.3])] = 0
            part = rng.binomial(total, rng.choice([0.0, 0.1, 0.5, 0.8, 0.9, 1.0]))
            if indicator.good is not None and rng.random() < 0.7:
                part = total - np.minimum(part, total) // 4
            if indicator.cumulative:
                reset = rng.random(n) < rng.choice([0.0, 0.1])
                reset |= np.arange(n) == 0
                for counts in (total, part):
                    since = np.maximum.accumulate(np.where(reset, np.arange(n), 0))
                    sums = np.cumsum(counts)
                    counts[:] = sums - (sums - counts)[since]
            found |= {"t": missing(total), "p": missing(part)}
        case RawRatioIndicator():
            found["m"] = missing(rng.choice([0.0, 1.0, 0.5, 0.9, 2.0**-10, 3 * 2.0**-10, 0.1, rng.random()], n))
        case ThresholdIndicator() | QuantileIndicator():
            found["m"] = missing(rng.choice([0.1, 0.1 + 0.2, 0.3, 50.0, 49.0, 300.0, 1000.0], n))
        case _:
            assert isinstance(indicator, AvailabilityIndicator)
            if indicator.measures == "up":
                found["m"] = missing(rng.random(n) < rng.choice([0.5, 0.9, 1.0]))
            else:
                share = rng.choice([0.0, 1.0, 0.5, 0.9, 1 / 3, 2.0**-20], n)
                found["m"] = missing(share * 60 * np.array(lengths))
    if gaps == 0 or rng.random() < 0.5:  # the series then begins with a value
        for name in found:
            found[name][0] = np.where(np.isnan(found[name][0]), 0.0, found[name][0])
    return found


@dataclass(frozen=True, kw_only=True)
class Case:
    """A random objective with its data."""

    objective: Objective
    data: Data
    bounds: list[int]
    as_of: int
    grace: int

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def __repr__(self) -> str:
        values = {name: list(v) for name, v in self.data.values.items()}
        return (
            f"{self.objective}\n{at_minute(self.data.start)} every {self.data.step} {values}\n"
            f"windows {[str(at_minute(b)) for b in self.bounds]} as of {at_minute(self.as_of)} grace {self.grace}"
        )


@st.composite
def cases(draw: st.DrawFn, method: BudgetingMethod) -> Case:
    zone = draw(st.sampled_from(ZONES))
    around = draw(st.sampled_from(CHANGES[zone]))
    counts_slices = method is not BudgetingMethod.OCCURRENCES
    kinds = ("day", "day", "day", "rolling", "week", "month")
    window, bounds = draw(bounds_of_windows(zone, around, kinds))
    span = bounds[-1] - bounds[0]
    long = span > 8 * 1440
    step = draw(st.sampled_from([60] if long else [5, 10, 15, 20, 30, 60, 60] if span < 2000 else [15, 30, 60]))
    by_day = not counts_slices and draw(st.sampled_from([False] * 4 + [True]))
    data_zone = draw(st.sampled_from([zone, zone, "UTC", *ZONES])) if by_day else "UTC"
    if by_day:
        first_day = local_day(bounds[0], data_zone) + timedelta(days=draw(st.integers(-2, 2)))
        start = wall(first_day, time(0), data_zone)
        slices = span // 1440
    else:
        odd = draw(st.integers(0, step - 1)) if not counts_slices and draw(RARELY) else 0
        start = bounds[0] + odd + step * draw(st.sampled_from([0, 0, 0, -1, -7, 1, 5, 30]))
        if counts_slices and draw(st.sampled_from([False] * 15 + [True])):
            start += draw(st.integers(1, step - 1))  # does not fit
        slices = span // step
    n = max(1, slices + draw(st.sampled_from([0, 0, 1, 3, 40, -1, -10, -(slices // 2)])))
    indicator = draw(indicators(0 if by_day else step))
    data = Data(start=start, step=None if by_day else step, zone=data_zone, values={})
    lengths = [end - begin for begin, end in (data.slice_at(k) for k in range(n))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for name, values in values_of(indicator, n, lengths, rng).items():
        data.values[name] = [None if np.isnan(v) else float(v) for v in values]
    effect = draw(st.sampled_from([None, None, None, "suspended", "scaled", "priced"]))
    times = draw(st.sampled_from([1, 1, 2, 3, 4, 6]))
    objective = Objective(
        name="o",
        service="a",
        indicator=indicator,
        target=Decimal(draw(st.sampled_from(TARGETS))),
        window=window,
        minimum_events=draw(st.sampled_from([0, 0, 0, 1, 7, 100])),
        minimum_coverage=Decimal(draw(st.sampled_from(["0.95", "0.5", "1", "0"]))),
        method=method,
        slice_window=timedelta(minutes=step * times) if counts_slices else None,
        slice_target=Decimal(draw(st.sampled_from(["0.5", "0.9", "1", "0.8"])))
        if method is BudgetingMethod.TIMESLICES
        else None,
        no_traffic=draw(st.sampled_from(["exclude", "good", "bad", "carry"])),
        no_data=draw(st.sampled_from(["unknown", "unknown", "exclude", "good", "bad"])),
        strict=draw(RARELY),
        rounding=Rounding(
            decimals=draw(st.integers(0, 4)), mode=draw(st.sampled_from(["half_up", "half_even", "down", "up"]))
        )
        if draw(RARELY)
        else None,
        time=draw(service_times(zone, around, bounds[0], bounds[-1])) if draw(st.booleans()) else ServiceTime(),
        workload_metric="d" if effect else None,
        workload_limit=Decimal(draw(st.sampled_from(["100", "50", "66.6"]))) if effect else None,
        workload_effect=effect or "suspended",
    )
    late = bounds[-1] + draw(st.sampled_from([0, 0, 1, 59, 1440, 10000]))
    as_of = draw(st.one_of(st.just(late), st.just(late), st.integers(bounds[0] - 60, bounds[-1])))
    grace = draw(st.sampled_from([0, 0, 60, 1440, 4320]))
    if draw(st.booleans()) and (ties := tied_targets(objective, data, bounds, as_of)):
        objective = replace(objective, target=draw(st.sampled_from(ties)))
    return Case(objective=objective, data=data, bounds=bounds, as_of=as_of, grace=grace)


def windows_of(objective: Objective, bounds: list[int]) -> list[tuple[int, int]]:
    """Return the windows between bounds; of a rolling one also those of the days around it, which overlap."""
    found = list(pairwise(bounds))
    if isinstance(objective.window, RollingWindow):
        (start, end), zone = found[0], objective.window.zone
        for k in (1, -1):
            moved = wall(local_day(end, zone) + timedelta(days=k), time(0), zone)
            found.append((moved - (end - start), moved))
    return found


def tied_targets(objective: Objective, data: Data, bounds: list[int], as_of: int) -> list[Decimal]:
    """Return targets that the value or a bound of a window ties with exactly, rounded by the objective's rule."""
    if refusal(objective, data, bounds):
        return []
    found = set()
    for window in windows_of(objective, bounds):
        one = attain(objective, data, window, as_of)
        found |= {rounded(x, objective.rounding) for x in (one.value, one.lower, one.upper) if x is not None}
    return sorted(Decimal(x.numerator) / x.denominator for x in found if 0 < x < 1 and 10**12 % x.denominator == 0)


def refusal(objective: Objective, data: Data, bounds: list[int]) -> bool:
    """Say whether the rules refuse an objective."""
    counts_slices = objective.method is not BudgetingMethod.OCCURRENCES
    counts_slices |= isinstance(objective.indicator, QuantileIndicator)
    if isinstance(objective.indicator, RatioIndicator):
        if not counts_slices and objective.no_data in ("good", "bad"):
            return True
        for index in range(data.length(objective)):
            pair = judged(objective, data, index)
            if pair is not None and not 0 <= pair[0] <= pair[1]:
                return True
    if not counts_slices:
        return False
    length = objective.slice_window
    if isinstance(objective.indicator, QuantileIndicator):
        length = objective.indicator.slice
    assert length is not None
    assert data.step is not None
    size = length // MINUTE
    return any((a - data.start) % data.step != 0 and a + size <= b for a, b in windows_of(objective, bounds))


@st.composite
def deadlines(draw: st.DrawFn) -> Case:
    """A job of every local day, or of the open days of a calendar."""
    base = draw(cases(BudgetingMethod.OCCURRENCES))
    zone = draw(st.sampled_from(ZONES))
    first = local_day(base.bounds[0], zone) + timedelta(days=draw(st.sampled_from([0, 0, 1, -2])))
    start = draw(st.sampled_from([None, time(22), time(2), time(2, 30), time(1, 45)]))
    by = draw(st.sampled_from([time(6), time(6), time(2, 30), time(23, 59)]))
    offset = draw(st.sampled_from([-1, -1, 0])) if start is None or start < by else -1
    weekly = tuple(draw(st.sampled_from([(), (LocalSpan(start=time(8), end=time(18)),)])) for _ in range(7))
    calendar = ServiceCalendar(name="due", zone=zone, versions=(CalendarVersion(weekly=weekly),))
    named = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = (base.bounds[-1] - base.bounds[0]) // 1440 + draw(st.integers(1, 3))
    close = rng.choice(
        [-30.0, 150, 180, 210, 240, 270, 300, 330, 360, 361, 420, 421, 480, 480.5, 481, 540, 541, 1700], n
    )
    values = [None if rng.random() < 0.1 else float(v) for v in close]
    indicator = DeadlineIndicator(
        metric="m", by=by, calendar="due" if named else None, start=start, start_day_offset=offset
    )
    return replace(
        base,
        objective=replace(base.objective, indicator=indicator, workload_metric=None, workload_limit=None),
        data=Data(
            start=wall(first, time(0), zone), step=None, zone=zone, values={"m": values}, calendars={"due": calendar}
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Composite:
    """A random composite: components on one grid, each of a service of its own."""

    objective: Objective
    parts: dict[str, Case]


@st.composite
def composites(draw: st.DrawFn, method: BudgetingMethod) -> Composite:
    base = draw(cases(method).filter(lambda c: not isinstance(c.objective.indicator, QuantileIndicator)))
    parts = {"a": replace(base, objective=replace(base.objective, name="a", service="a"))}
    n = max(len(values) for values in base.data.values.values())
    lengths = [end - begin for begin, end in (base.data.slice_at(k) for k in range(n))]
    for name in "bc"[: draw(st.integers(1, 2))]:
        indicator = draw(indicators(0))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        values = values_of(indicator, n, lengths, rng)
        data = replace(base.data, values={k: [None if np.isnan(x) else float(x) for x in v] for k, v in values.items()})
        slice_target = base.objective.slice_target
        objective = replace(
            base.objective,
            name=name,
            service=name,
            indicator=indicator,
            target=Decimal(draw(st.sampled_from(TARGETS))),
            slice_target=draw(st.sampled_from([None, slice_target, slice_target and Decimal("0.6")])),
        )
        parts[name] = replace(base, objective=objective, data=data)
    weights = st.sampled_from(["1", "1", "2", "0.3"]).map(Decimal)
    indicator = CompositeIndicator(
        components=tuple(Component(objective=name, weight=draw(weights)) for name in parts),
        required=draw(st.sampled_from([None, *range(1, len(parts) + 1)])),
    )
    return Composite(
        objective=replace(base.objective, name="whole", indicator=indicator, workload_metric=None, workload_limit=None),
        parts=parts,
    )


# ---------------------------------------------------------------------- outages and tickets
@dataclass(frozen=True, kw_only=True)
class Log:
    """A random objective on tickets, and the tickets."""

    objective: Objective
    tickets: list[Ticket]
    calendar: ServiceCalendar | None
    bounds: list[int]
    as_of: int

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def __repr__(self) -> str:
        windows = [str(at_minute(b)) for b in self.bounds]
        tickets = [(str(at_minute(t.opened)), t.done and str(at_minute(t.done)), t.pauses_json()) for t in self.tickets]
        return f"{self.objective}\n{self.calendar}\n{tickets}\n{windows} as of {at_minute(self.as_of)}"


@st.composite
def ticket_lists(draw: st.DrawFn, first: int, last: int, longest: int) -> list[Ticket]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        opened = draw(st.integers(first, last))
        lasted = draw(st.one_of(st.none(), *[st.integers(0, 600)] * 2, *[st.integers(0, longest)] * 2))
        pauses: list[tuple[int, int | None]] = []
        for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
            begin = opened + draw(st.integers(-60, 900))
            never = draw(st.integers(0, 9)) == 0
            pauses.append((begin, None if never else begin + draw(st.integers(1, 900))))
        found.append(Ticket(opened=opened, done=None if lasted is None else opened + lasted, pauses=tuple(pauses)))
    return found


@st.composite
def outage_logs(draw: st.DrawFn) -> Log:
    """Outages under random service time; not on Lord Howe, whose days do not begin with an hour of the grid."""
    zone = draw(st.sampled_from([z for z in ZONES if z != "Australia/Lord_Howe"]))
    around = draw(st.sampled_from(CHANGES[zone]))
    window, bounds = draw(bounds_of_windows(zone, around, ("day", "rolling", "week")))
    if isinstance(window, CalendarWindow) and window.anchor is not None and window.anchor.minute:
        window = replace(window, anchor=None, count=1)
        bounds = [wall(around, time(0), zone), wall(around + timedelta(days=1), time(0), zone)]
    at = draw(service_times(zone, around, bounds[0], bounds[-1])) if draw(st.integers(0, 3)) else ServiceTime()
    return Log(
        objective=Objective(
            name="o",
            service="a",
            indicator=AvailabilityIndicator(outages=("outage",)),
            target=Decimal("0.9"),
            window=window,
            time=at,
        ),
        tickets=draw(ticket_lists(bounds[0] - 2000, bounds[-1] + 60, 4000)),
        calendar=None,
        bounds=bounds,
        as_of=bounds[-1] + draw(st.sampled_from([0, 0, 1, 600])),
    )


@st.composite
def desk_logs(draw: st.DrawFn) -> Log:
    """Tickets with business time."""
    zone = draw(st.sampled_from(ZONES))
    around = draw(st.sampled_from(CHANGES[zone]))
    window, bounds = draw(bounds_of_windows(zone, around, ("week", "month", "rolling")))
    calendar = draw(st.one_of(st.none(), calendars(zone, around)))
    time_ = draw(service_times(zone, around, bounds[0], bounds[-1])) if draw(st.booleans()) else ServiceTime()
    if calendar is None:
        calendar_name, clock = None, time_.hours
    else:
        calendar_name, clock = "desk", calendar
    within = draw(st.sampled_from([1, 30, 60, 240, 480, 1440]))
    indicator = TicketIndicator(
        stage="resolution",
        within=timedelta(minutes=within),
        calendar=calendar_name,
        kinds=("incident",),
        pauses=draw(st.booleans()),
        counted_at=draw(st.sampled_from(["due", "opened", "done"])),
    )
    objective = Objective(
        name="o", service="a", indicator=indicator, target=Decimal("0.5"), window=window, time=time_, minimum_events=0
    )
    near = wall(around, time(0), zone)
    tickets = draw(ticket_lists(near - 3000, near + 3000, 4000))
    if tickets and draw(st.booleans()):  # one that is done to the minute
        ticket = tickets[0]
        tickets[0] = replace(ticket, done=due_minute(objective, ticket, clock))
    late, early = bounds[-1] + draw(st.sampled_from([0, 1, 1440])), near + draw(st.integers(0, 5000))
    return Log(
        objective=objective,
        tickets=tickets,
        calendar=calendar,
        bounds=bounds,
        as_of=draw(st.sampled_from([late, early])),
    )


def due_minute(objective: Objective, ticket: Ticket, clock: ServiceCalendar | None) -> int | None:
    """Return the minute at which a ticket without pauses is due."""
    assert isinstance(objective.indicator, TicketIndicator)
    left = objective.indicator.within // MINUTE
    last = ticket.opened + 5 * 1440
    hours = open_minutes(clock, ticket.opened, last)
    removed = marked_minutes(objective, ExclusionMode.REMOVE, ticket.opened, last)
    for m in range(ticket.opened, last):
        left -= (hours is None or m in hours) and m not in removed
        if left == 0:
            return m + 1
    return None
