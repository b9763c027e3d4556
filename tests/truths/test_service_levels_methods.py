"""Every budgeting method, status and rule of attainment, with numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from forecasting.service_levels.attainment import attainments, satisfies
from forecasting.service_levels.burn import alerts, burn_rates, recommended_conditions, refuse_impossible
from forecasting.service_levels.composite import component_of, composite_attainments
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.slices import judged_slices
from forecasting.service_levels.sums import ratio_sums
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RawRatioIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    BudgetingMethod,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    RollingWindow,
    Rounding,
    ThresholdIndicator,
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

NAN = float("nan")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2027, 3, 1, tzinfo=UTC)  # a Monday
SLICES, RATIOS = BudgetingMethod.TIMESLICES, BudgetingMethod.RATIO_TIMESLICES
MET, BREACHED, RUNNING = AttainmentStatus.MET, AttainmentStatus.BREACHED, AttainmentStatus.RUNNING
INSUFFICIENT, UNDETERMINED = AttainmentStatus.INSUFFICIENT_DATA, AttainmentStatus.UNDETERMINED


def series(
    name: str, values: list[float], *, step: timedelta = HOUR, start: datetime = START, zone: str = "UTC"
) -> Series:
    metric = Metric(name=name, kind=MetricKind.NON_NEGATIVE, step=step)
    return Series(service="a", metric=metric, start=start, step=step, values=np.array(values, float), zone=zone)


def slo(**changes: object) -> Objective:
    base = Objective(
        name="o",
        service="a",
        indicator=RatioIndicator(total="total", good="good"),
        target=Decimal("0.9"),
        window=CalendarWindow(unit="day", zone="UTC"),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def sliced(hours: int = 2, **changes: object) -> Objective:
    settings = {"method": SLICES, "slice_window": hours * HOUR, "slice_target": Decimal("0.9"), **changes}
    return slo(**settings)


def counted(objective: Objective, *parts: Series) -> Events:
    found = events_of(
        objective, History(cut_off=datetime(2030, 1, 1, tzinfo=UTC), series={("a", s.metric.name): s for s in parts})
    )
    assert isinstance(found, Events), found
    return found


def window(hours: float) -> Period:
    return Period(start=START, end=START + hours * HOUR, label="w")


def judge(
    objective: Objective,
    *parts: Series,
    hours: float | None = None,
    at: float | None = None,
    grace: timedelta = 0 * HOUR,
) -> Attainment:
    """Judge the first `hours` hours (default: of the data) at hour `at` (default: the window's end)."""
    span = len(parts[0]) * (parts[0].step / HOUR) if hours is None else hours
    as_of = START + (span if at is None else at) * HOUR
    return attainments(objective, counted(objective, *parts), [window(span)], as_of=as_of, grace=grace)[0]


def ratio(objective: Objective, good: list[float], total: list[float], **how: object) -> Attainment:
    return judge(objective, series("good", good), series("total", total), **how)  # type: ignore[arg-type]


# ---------------------------------------------------------------- Timeslices


def test_timeslices_count_slices_not_events() -> None:
    # Slices of two hours: 19/20 = 95 % good, 1/2 = 50 % bad, 9/10 = 90 % good (a tie), 100/100 good: 3 of 4.
    one = ratio(sliced(target=Decimal("0.75")), [10, 9, 1, 0, 4, 5, 50, 50], [10, 10, 1, 1, 5, 5, 50, 50])
    assert (one.good, one.total, one.unit, one.method) == (3, 4, "slices", SLICES)
    assert (one.planned_slices, one.elapsed_slices, one.known_slices) == (4, 4, 4)
    assert (one.value, one.status, one.planned_time) == (Decimal("0.75"), MET, 8 * HOUR)


def test_time_slices_begin_at_the_window_and_end_in_it() -> None:
    # Seven hours hold three slices of two hours; the seventh hour lies in none.
    one = ratio(sliced(), [1, 1, 1, 1, 1, 1, 0], [1] * 7)
    assert (one.good, one.total, one.planned_slices) == (3, 3, 3)
    # A window that begins at 01:00 has the slices 01-03 (2/2) and 03-05 (1/2).
    objective = sliced()
    events = counted(objective, series("good", [0, 1, 1, 1, 0]), series("total", [1] * 5))
    shifted = Period(start=START + HOUR, end=START + 5 * HOUR, label="")
    assert attainments(objective, events, [shifted], as_of=shifted.end)[0].good == 1


def test_data_slices_across_time_slices_are_refused() -> None:
    for objective, start in (
        (sliced(slice_window=timedelta(minutes=90)), START),
        (sliced(), START + timedelta(minutes=30)),
    ):
        events = counted(objective, series("good", [1] * 6, start=start), series("total", [1] * 6, start=start))
        with pytest.raises(InputError, match="timeSliceWindow"):
            attainments(objective, events, [window(4)], as_of=START + DAY)


def test_a_slice_with_one_unknown_hour_is_unknown() -> None:
    # Four slices, one unknown: 2 good of 3 counted; one more slice of either kind: 2/4 to 3/4.
    one = ratio(sliced(), [1, 1, 1, 1, 0, 0, 1, NAN], [1] * 8)
    assert (one.good, one.total, one.known_slices, one.elapsed_slices) == (2, 3, 3, 4)
    assert (one.lower, one.upper) == (Decimal("0.5"), Decimal("0.75"))
    assert one.status is BREACHED  # even all good misses 90 %


@pytest.mark.parametrize(
    ("rule", "good", "total"),
    # The slices are: no traffic, good, no traffic, bad, no traffic.
    # carry: none before the first (excluded), good as the second, bad as the fourth.
    [("exclude", 1, 2), ("good", 4, 5), ("bad", 1, 5), ("carry", 2, 4)],
)
def test_slices_without_traffic(rule: str, good: int, total: int) -> None:
    events = [0, 0, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
    one = ratio(sliced(no_traffic=rule), *events)
    assert (one.good, one.total, one.known_slices, one.planned_slices) == (good, total, 5, 5)


def test_a_slice_is_carried_inside_its_window_only() -> None:
    objective = sliced(no_traffic="carry")
    events = counted(objective, series("good", [1, 1, 0, 0, 0, 0]), series("total", [1, 1, 0, 0, 0, 0]))
    first = Period(start=START, end=START + 4 * HOUR, label="")
    rolling = Period(start=START + 2 * HOUR, end=START + 6 * HOUR, label="")
    one, two = attainments(objective, events, [first, rolling], as_of=START + DAY)
    assert (one.good, one.total) == (2, 2)
    assert (two.good, two.total, two.known_slices, two.status) == (0, 0, 2, AttainmentStatus.NO_TRAFFIC)


@pytest.mark.parametrize(
    ("rule", "good", "total", "elapsed"), [("good", 3, 4, 4), ("bad", 2, 4, 4), ("exclude", 2, 3, 3)]
)
def test_no_data_of_time_slices(rule: str, good: int, total: int, elapsed: int) -> None:
    one = ratio(sliced(no_data=rule), [1, 1, 1, 1, 0, 0, 1, NAN], [1] * 8)
    assert (one.good, one.total, one.elapsed_slices, one.planned_slices) == (good, total, elapsed, 4)
    assert one.lower == one.value == one.upper


# ---------------------------------------------------------------- RatioTimeslices


def test_ratio_timeslices_are_the_mean_of_ratios() -> None:
    # 1/3, 2/3 and 1/2 (as 3/6): the sum is exactly 3/2, the mean 1/2; events would say 6/12 as well, so weigh one.
    objective = sliced(1, method=RATIOS, target=Decimal("0.5"))
    one = ratio(objective, [1, 2, 300], [3, 3, 600])
    assert (one.value, one.status, one.unit) == (Decimal("0.5"), MET, "billionths")
    assert (one.good, one.total) == (1_500_000_000, 3_000_000_000)
    assert ratio(replace(objective, strict=True), [1, 2, 300], [3, 3, 600]).status is BREACHED
    # One event less in the largest slice: 1/3 + 2/3 + 299/600 = 1.498333..., the mean below 1/2.
    less = ratio(objective, [1, 2, 299], [3, 3, 600])
    assert (less.good, less.status) == (1_498_333_333, BREACHED)
    assert less.value == Decimal("0.4994444444444444444444444444")


def test_sums_of_ratios_agree_with_fractions() -> None:
    rng = np.random.default_rng(3)
    for largest in (12, 10**6, 10**12, 2**61):
        total = rng.integers(1, largest, 200)
        good = (total * rng.random(200)).astype(np.int64).clip(0, total)
        expected = sum((Fraction(int(g), int(t)) for g, t in zip(good, total, strict=True)), Fraction(0))
        sums = ratio_sums(good, total)
        low, high = sums.bounds(0, 200)
        assert sums.exact(0, 200) == expected
        assert low <= expected <= high
        assert high - low < Fraction(1, 10**39)


def test_ratio_timeslices_without_traffic_and_data() -> None:
    # 1/2, no traffic, 1, unknown: mean over the counted ones, the unknown slice from 0 to 1.
    good, total = [1, 0, 4, NAN], [2, 0, 4, NAN]
    expected = {"exclude": (3, 2), "good": (5, 3), "bad": (3, 3), "carry": (4, 3)}  # sums in halves, slices
    for rule, (halves, slices) in expected.items():
        one = ratio(sliced(1, method=RATIOS, no_traffic=rule, minimum_coverage=Decimal("0.5")), good, total)
        assert (one.good, one.total) == (halves * 500_000_000, slices * 10**9)
        assert one.lower is not None
        assert one.upper is not None
        assert Fraction(one.lower).limit_denominator(100) == Fraction(halves, 2 * (slices + 1))
        assert Fraction(one.upper).limit_denominator(100) == Fraction(halves + 2, 2 * (slices + 1))


# ---------------------------------------------------------------- indicators


def test_raw_ratios_weigh_the_same() -> None:
    # 0.5 and 1.0 of two samples: 75 %, whatever traffic was behind them; failures are the rest.
    good = slo(indicator=RawRatioIndicator(metric="share"), target=Decimal("0.75"))
    one = judge(good, series("share", [0.5, 1.0]))
    assert (one.good, one.total, one.unit, one.status) == (1_500_000_000, 2_000_000_000, "billionths", MET)
    bad = replace(good, indicator=RawRatioIndicator(metric="share", counts="failure"))
    assert judge(bad, series("share", [0.5, 1.0])).good == 500_000_000
    # 2^-30 is 0.931... billionths: 1; 2.5 billionths cannot be held exactly, 0.5^31 x 10^9 = 0.4656...: 0.
    assert counted(good, series("share", [2.0**-30, 2.0**-31])).good.tolist() == [1, 0]
    with pytest.raises(InputError, match="0 to 1"):
        counted(good, series("share", [99.9]))


def test_running_counters() -> None:
    # Readings 5, 9, 12, 2, 4, nothing, 8: rises 4, 3, a reset to 2 (2 since), 2, unknown twice, the last has no end.
    objective = slo(indicator=RatioIndicator(total="total", good="good", cumulative=True))
    readings = [5.0, 9, 12, 2, 4, NAN, 8]
    found = counted(objective, series("good", readings), series("total", readings))
    assert found.total.tolist() == [4, 3, 2, 2, 0, 0, 0]
    assert found.known.tolist() == [True, True, True, True, False, False, False]


def test_availability_by_metric() -> None:
    up = slo(indicator=AvailabilityIndicator(metric="up"), target=Decimal("0.5"))
    one = judge(up, series("up", [1, 0, 1]))
    assert (one.good, one.total, one.unit) == (2 * 3_600_000_000, 3 * 3_600_000_000, "microseconds")
    with pytest.raises(InputError, match="0 \\(down\\) or 1"):
        counted(up, series("up", [0.5]))
    down = slo(indicator=AvailabilityIndicator(metric="lost", measures="down_seconds"))
    assert counted(down, series("lost", [0.25, 3600, NAN])).good.tolist() == [3_599_750_000, 0, 0]
    seconds = slo(indicator=AvailabilityIndicator(metric="lost", measures="up_seconds"))
    with pytest.raises(InputError, match="length of the slice"):
        counted(seconds, series("lost", [3600.1]))


@pytest.mark.parametrize(
    ("op", "values", "good"),
    [
        # p95 of 20 samples is the 19th smallest: lte 10 needs 19 of them at or below 10.
        ("lte", [10.0] * 19 + [99.0], 1),
        ("lte", [10.0] * 18 + [99.0] * 2, 0),
        ("lt", [10.0] * 20, 0),
        # gte: the 19th smallest is at least 10 where at most 18 samples are below it.
        ("gte", [1.0] * 18 + [10.0] * 2, 1),
        ("gte", [1.0] * 19 + [10.0], 0),
        ("gt", [1.0] * 18 + [10.0] * 2, 0),
    ],
)
def test_quantiles_by_nearest_rank(op: str, values: list[float], good: int) -> None:
    minutes = timedelta(minutes=3)
    indicator = QuantileIndicator(metric="ms", quantile=Decimal("0.95"), op=op, limit=Decimal(10), slice=HOUR)  # type: ignore[arg-type]
    one = judge(slo(indicator=indicator), series("ms", values, step=minutes))
    assert (one.good, one.total, one.unit) == (good, 1, "slices")
    ranked = sorted(values)[19 - 1]
    assert good == {"lte": ranked <= 10, "lt": ranked < 10, "gte": ranked >= 10, "gt": ranked > 10}[op]


def test_deadlines_before_and_after_the_data_are_planned_by_the_calendar() -> None:
    # Done at 5:50 and 6:10 on Monday and Tuesday; due Monday to Friday at 6:00. Judged on Wednesday evening.
    week = tuple((LocalSpan(start=time(0), end=time(0)),) if d < 5 else () for d in range(7))
    working = ServiceCalendar(name="working", zone="UTC", versions=(CalendarVersion(weekly=week),))
    objective = slo(
        indicator=DeadlineIndicator(metric="done", by=time(6), calendar="working"),
        window=CalendarWindow(unit="week", zone="UTC"),
        target=Decimal("0.5"),
    )
    done = series("done", [350, 370], step=DAY)
    history = History(cut_off=START + 2 * DAY, series={("a", "done"): done})
    events = events_of(objective, history, calendars={"working": working})
    assert isinstance(events, Events)
    week_one = Period(start=START, end=START + 7 * DAY, label="")
    one = attainments(objective, events, [week_one], as_of=START + 3 * DAY)[0]
    assert (one.good, one.total, one.unit) == (1, 2, "days")
    assert (one.known_slices, one.elapsed_slices, one.planned_slices) == (2, 3, 5)


def log(*outages: tuple[float, float | None]) -> History:
    """Outage tickets from hour to hour of the first day; None = still open at the cut-off, hour 48."""
    rows = [(START + a * HOUR, None if b is None else START + b * HOUR) for a, b in outages]

    def at(times: list[datetime | None]) -> pd.Series:
        return pd.Series(pd.to_datetime([None if t is None else t.replace(tzinfo=None) for t in times])).astype(
            "datetime64[us]"
        )

    frame = pd.DataFrame(
        {
            "service": "a", "ticket": [str(k) for k in range(len(rows))], "kind": "outage", "priority": "1",
            "opened": at([r[0] for r in rows]), "responded": at([None] * len(rows)),
            "resolved": at([r[1] for r in rows]), "pauses": "[]",
        }
    )  # fmt: skip
    return History(cut_off=START + 2 * DAY, tickets=frame)


OUTAGES = AvailabilityIndicator(outages=("outage",))
MINUTES = 60_000_000


def judge_log(objective: Objective, history: History, hours: float, at: float) -> Attainment:
    events = events_of(objective, history)
    assert isinstance(events, Events)
    return attainments(objective, events, [window(hours)], as_of=START + at * HOUR)[0]


def test_availability_by_outages_is_exact() -> None:
    # 9:30 to 17:15 are service hours (465 minutes); down 9:00-10:00 and 9:45-10:06 (36 of it), 17:10-18:00 (5).
    hours = replace(
        HOURS_9_TO_17,
        versions=(CalendarVersion(weekly=tuple((LocalSpan(start=time(9, 30), end=time(17, 15)),) for _ in range(7))),),
    )
    objective = slo(indicator=OUTAGES, time=ServiceTime(hours=hours))
    one = judge_log(objective, log((9, 10), (9.75, 10.1), (17 + 1 / 6, 18)), 24, 24)
    assert (one.total, one.bad, one.unit) == (465 * MINUTES, 41 * MINUTES, "microseconds")
    assert (one.planned_slices, one.planned_time) == (9, timedelta(minutes=465))  # hours 9 to 17 have some of it
    # Running: at 12:00 150 minutes of two days' 930 have gone; 30 minutes of removed time leave 120 and 900.
    running = judge_log(objective, log((9, 10)), 48, 12)
    assert (running.total, running.bad, running.planned_time) == (150 * MINUTES, 30 * MINUTES, timedelta(minutes=930))
    relief = replace(objective.time, exclusions=(excluded(11, 11.5, ExclusionMode.REMOVE),))
    cut = judge_log(replace(objective, time=relief), log((9, 10)), 48, 12)
    assert (cut.total, cut.planned_time, cut.excluded_slices) == (120 * MINUTES, timedelta(minutes=900), 1)
    # 90 % of 930 minutes allow 93 down: 94 are certain to breach.
    assert judge_log(objective, log((9.5, 9.5 + 93 / 60)), 48, 12).decided == "open"
    assert judge_log(objective, log((9.5, 9.5 + 94 / 60)), 48, 12).decided == "breach_certain"


def test_outages_in_time_slices() -> None:
    # Slices of 20 minutes, good from 95 % (19 minutes): down 9:00-9:01 (19 of 20, good), 9:21-9:43 (19 and 3 minutes).
    objective = sliced(indicator=OUTAGES, slice_window=timedelta(minutes=20), slice_target=Decimal("0.95"))
    one = judge_log(objective, log((9, 9 + 1 / 60), (9.35, 9 + 43 / 60)), 24, 24)
    assert (one.good, one.total, one.planned_slices) == (70, 72, 72)
    # An outage that is still open goes on; time before the first ticket's day and after the cut-off is not known.
    still = judge_log(objective, log((24, None)), 72, 72)
    assert (still.good, still.total, still.elapsed_slices) == (0, 72, 216)


def test_tickets_count_on_their_day() -> None:
    # Eight hours round the clock: the first ticket takes 1 h (good, 1 March), the second 9 h (due 08:00 on 2 March),
    # the third is open for 24 h (due 12:00 on 2 March). Judged on 4 March in a week: five days are still to come.
    objective = slo(
        indicator=TicketIndicator(stage="resolution", within=8 * HOUR),
        window=CalendarWindow(unit="week", zone="UTC"),
        target=Decimal("0.5"),
    )
    events = events_of(objective, log((9, 10), (24, 33), (28, None)))
    assert isinstance(events, Events)
    assert (events.good.tolist(), events.total.tolist()) == ([1, 0], [1, 2])
    one = attainments(objective, events, [window(7 * 24)], as_of=START + 3 * DAY)[0]
    assert (one.good, one.total, one.unit, one.decided) == (1, 3, "tickets", "open")
    assert (one.known_slices, one.elapsed_slices, one.planned_slices, one.planned_time) == (2, 3, 7, 7 * DAY)
    with pytest.raises(InputError, match="Occurrences"):
        attainments(replace(objective, method=SLICES, slice_window=DAY), events, [window(24)], as_of=START + DAY)


# ---------------------------------------------------------------- service time


HOURS_9_TO_17 = ServiceCalendar(
    name="office",
    zone="UTC",
    versions=(CalendarVersion(weekly=tuple((LocalSpan(start=time(9), end=time(17)),) for _ in range(7))),),
)


def test_service_hours_leave_out_slices_that_are_not_wholly_inside() -> None:
    # Grid of 90 minutes from midnight: 9:00, 10:30, 12:00, 13:30, 15:00 lie inside 9-17, 16:30-18:00 does not.
    objective = slo(time=ServiceTime(hours=HOURS_9_TO_17))
    step = timedelta(minutes=90)
    one = judge(objective, series("good", [1.0] * 16, step=step), series("total", [2.0] * 16, step=step))
    assert (one.good, one.total, one.planned_slices, one.excluded_slices) == (5, 10, 5, 0)
    assert one.planned_time == 5 * step


def excluded(first: float, last: float, mode: ExclusionMode) -> Exclusion:
    return Exclusion(start=START + first * HOUR, end=START + last * HOUR, reason="agreed", mode=mode)


def test_exclusions_remove_drop_and_forgive() -> None:
    # Hours 0..5 with 10 events, 5 good each, the last one without data. 0.5-1.5 touches hours 0 and 1.
    good, total = [5.0] * 5 + [NAN], [10.0] * 5 + [NAN]
    figures = {}
    for mode in ExclusionMode:
        objective = slo(time=ServiceTime(exclusions=(excluded(0.5, 1.5, mode), excluded(5, 6, mode))))
        one = ratio(objective, good, total)
        figures[mode] = (
            one.good,
            one.total,
            one.known_slices,
            one.elapsed_slices,
            one.planned_slices,
            one.excluded_slices,
        )
    assert figures[ExclusionMode.REMOVE] == (15, 30, 3, 3, 3, 3)
    assert figures[ExclusionMode.DROP_EVENTS] == (15, 30, 6, 6, 6, 3)
    assert figures[ExclusionMode.COUNT_AS_GOOD] == (35, 50, 6, 6, 6, 0)
    # A sample without data is good where it is forgiven; remove goes before drop, drop before count as good.
    samples = slo(indicator=ThresholdIndicator(metric="ms", op="lt", limit=Decimal(10)))
    forgiven = replace(samples, time=ServiceTime(exclusions=(excluded(0, 2, ExclusionMode.COUNT_AS_GOOD),)))
    one = judge(forgiven, series("ms", [NAN, 99, 99]))
    assert (one.good, one.total, one.known_slices) == (2, 3, 3)
    modes = ExclusionMode.REMOVE, ExclusionMode.DROP_EVENTS, ExclusionMode.COUNT_AS_GOOD
    all_three = tuple(excluded(k, 3, mode) for k, mode in enumerate(modes[::-1]))
    one = judge(replace(samples, time=ServiceTime(exclusions=all_three)), series("ms", [99.0, 99, 99, 99]))
    assert (one.good, one.total, one.planned_slices) == (1, 2, 3)  # forgiven, dropped (0 of 0), removed, plain


def test_rules_reach_beyond_the_data() -> None:
    # No data after hour 2; hours 2 and 3 are forgiven, hour 4 is removed, hour 5 dropped, hour 6 is simply unknown.
    rules = (
        excluded(2, 4, ExclusionMode.COUNT_AS_GOOD),
        excluded(4, 5, ExclusionMode.REMOVE),
        excluded(5, 6, ExclusionMode.DROP_EVENTS),
    )
    samples = slo(
        indicator=ThresholdIndicator(metric="ms", op="lt", limit=Decimal(10)), time=ServiceTime(exclusions=rules)
    )
    one = judge(samples, series("ms", [1, 99]), hours=7)
    assert (one.good, one.total, one.known_slices, one.elapsed_slices, one.planned_slices) == (3, 4, 5, 6, 6)
    assert one.excluded_slices == 2


def test_maintenance_and_time_slices() -> None:
    # Slices of two hours; maintenance 3:00-3:30 on Mondays removes the slice 2-4. Slice 0-2 is bad, 4-6 good.
    patching = MaintenanceWindow(weekdays=(0,), span=LocalSpan(start=time(3), end=time(3, 30)), zone="UTC")
    one = ratio(sliced(time=ServiceTime(maintenance=(patching,))), [0, 1, 1, 1, 1, 1], [1] * 6)
    assert (one.good, one.total, one.planned_slices, one.excluded_slices) == (1, 2, 2, 1)


def test_validity_counts_whole_local_days() -> None:
    # From 2 March on: the first 24 hours of 48 do not count, and a time slice across the bound neither.
    late = ServiceTime(valid_from=date(2027, 3, 2))
    one = ratio(slo(time=late), [1.0] * 48, [1.0] * 48)
    assert (one.total, one.planned_slices, one.excluded_slices) == (24, 24, 0)
    objective = sliced(5, time=late)  # slices at 0, 5, ..., 40: that of 20-25 begins before, so 25, 30, 35, 40 count
    assert ratio(objective, [1.0] * 48, [1.0] * 48).planned_slices == 4
    ends = slo(time=ServiceTime(valid_until=date(2027, 3, 1)))
    assert ratio(ends, [1.0] * 48, [1.0] * 48).planned_slices == 24


# ---------------------------------------------------------------- workload limit


def test_workload_limit() -> None:
    # Limit 100. Hour 0 has 100 (not above), hour 1 200, hour 2 unknown demand, hour 3 150.
    demand = series("total", [100, 200, 50, 150])
    good = series("good", [90, 101, 40, 149])
    load = series("load", [100, 200, NAN, 150])
    limited = slo(workload_metric="load", workload_limit=Decimal(100))
    one = judge(limited, good, demand, load)
    assert (one.good, one.total, one.known_slices, one.excluded_slices) == (130, 150, 4, 2)
    # Scaled: bad 99 x 100/200 = 49.5 becomes 49, bad 1 x 100/150 becomes 0.
    one = judge(replace(limited, workload_effect="scaled"), good, demand, load)
    assert (one.good, one.total, one.excluded_slices) == (90 + 151 + 40 + 150, 500, 0)
    assert judge(replace(limited, workload_effect="priced"), good, demand, load).good == 380
    with pytest.raises(InputError, match="workload limit"):
        counted(limited, good, demand, series("load", [1.0], step=2 * HOUR))


def test_a_silent_slice_that_was_suspended_is_excluded_whatever_no_traffic_says() -> None:
    limited = sliced(1, workload_metric="load", workload_limit=Decimal(100), no_traffic="bad")
    one = judge(limited, series("good", [1, 0, 0]), series("total", [1, 9, 0]), series("load", [1, 101, 1]))
    assert (one.good, one.total, one.known_slices, one.excluded_slices) == (1, 2, 3, 1)


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("mode", "good", "met"),
    [
        ("half_up", 99_895, True),  # 99.895 % becomes 99.90 %
        ("half_up", 99_894, False),
        ("half_even", 99_895, True),  # to the even 99.90
        ("half_even", 99_885, False),  # to the even 99.88
        ("down", 99_899, False),
        ("down", 99_900, True),
        ("up", 99_891, True),
        ("up", 99_890, False),
    ],
)
def test_rounding_by_the_agreement(mode: str, good: int, met: bool) -> None:
    objective = slo(target=Decimal("0.999"), rounding=Rounding(decimals=2, mode=mode))  # type: ignore[arg-type]
    assert satisfies(objective, good, 100_000) is met


def test_strict_and_rounding_together() -> None:
    objective = slo(target=Decimal("0.999"), strict=True)
    assert [satisfies(objective, good, 1000) for good in (999, 1000)] == [False, True]
    rounded = replace(objective, rounding=Rounding(decimals=1))
    # 99.949 % becomes 99.9 (a tie, missed), 99.95 % becomes 100.0.
    assert [satisfies(rounded, good, 100_000) for good in (99_949, 99_950)] == [False, True]


def test_no_data_of_samples_and_of_events() -> None:
    samples = slo(indicator=ThresholdIndicator(metric="ms", op="lt", limit=Decimal(10)), target=Decimal("0.6"))
    figures = {}
    for rule in ("unknown", "exclude", "good", "bad"):
        one = judge(replace(samples, no_data=rule), series("ms", [1, 99, NAN]), hours=5)  # hours 3 and 4 lie after it
        figures[rule] = (one.good, one.total, one.known_slices, one.elapsed_slices, one.status)
    last = judge(replace(samples, no_data="good"), series("ms", [1, 99, NAN]), hours=5)
    assert last.watermark == START + 2 * HOUR
    assert judge(samples, series("ms", [1, 99, NAN]), hours=5, at=1.5).watermark == START + HOUR
    assert judge(samples, series("ms", [1, 99, NAN]), hours=5, at=0.5).watermark is None
    assert figures == {
        "unknown": (1, 2, 2, 5, UNDETERMINED),  # 1/5 to 4/5
        "exclude": (1, 2, 2, 2, BREACHED),
        "good": (4, 5, 5, 5, MET),
        "bad": (1, 5, 5, 5, BREACHED),
    }
    with pytest.raises(InputError, match="no_data"):
        ratio(slo(no_data="good"), [1.0], [1.0])


def test_minimum_sample_is_in_samples_where_billionths_are_counted() -> None:
    objective = slo(indicator=RawRatioIndicator(metric="share"), minimum_events=3)
    assert judge(objective, series("share", [1.0, 1.0])).status is INSUFFICIENT
    assert judge(objective, series("share", [1.0, 1.0, 1.0])).status is MET


def test_grace_makes_a_closed_window_provisional() -> None:
    objective = slo()
    for at, provisional, final in ((9.9, False, False), (10, True, False), (11.9, True, False), (12, False, True)):
        one = ratio(objective, [1.0] * 10, [1.0] * 10, at=at, grace=2 * HOUR)
        assert (one.provisional, one.final) == (provisional, final)
        assert one.status is (MET if at >= 10 else RUNNING)


def test_running_windows_are_decided_early() -> None:
    # 99 % of 100 samples allow one bad: breach is certain with the second, met is certain with 99 good.
    samples = slo(indicator=ThresholdIndicator(metric="ms", op="lt", limit=Decimal(10)), target=Decimal("0.99"))

    def after(values: list[float], **changes: object) -> str:
        return judge(replace(samples, **changes), series("ms", values), hours=100, at=len(values)).decided  # type: ignore[arg-type]

    assert after([99.0]) == "open"
    assert after([99.0, 99.0]) == "breach_certain"
    assert after([1.0] * 98) == "open"
    assert after([1.0] * 99) == "met_certain"
    assert after([1.0] * 97 + [NAN, 1.0]) == "open"  # the unknown one is still open
    assert after([99.0], strict=True) == "breach_certain"
    assert after([99.0, 99.0], minimum_events=3) == "open"
    one = judge(samples, series("ms", [99.0] * 100))
    assert (one.decided, one.status) == ("open", BREACHED)
    # Events to come have no bound; time slices and time have.
    assert ratio(slo(), [0.0], [1.0], hours=100).decided == "open"
    assert ratio(sliced(1), [0.0] * 11, [1.0] * 11, hours=100, at=11).decided == "breach_certain"
    up = slo(indicator=AvailabilityIndicator(metric="up"))
    assert judge(up, series("up", [0.0] * 10), hours=100, at=10).decided == "open"
    assert judge(up, series("up", [0.0] * 11), hours=100, at=11).decided == "breach_certain"


# ---------------------------------------------------------------- composites


def composite(method: BudgetingMethod, *names: str, **changes: object) -> Objective:
    parts = tuple(Component(objective=name, weight=Decimal(k + 1)) for k, name in enumerate(names))
    settings = {
        "name": "all", "method": method, "slice_window": HOUR, "slice_target": Decimal("0.9"),
        "indicator": CompositeIndicator(components=parts), **changes,
    }  # fmt: skip
    return slo(**settings)


def component(
    whole: Objective, name: str, good: list[float], total: list[float], target: str = "0.9"
) -> tuple[Objective, Events]:
    part = slo(name=name, target=Decimal(target))
    return part, counted(component_of(whole, part), series("good", good), series("total", total))


def test_composite_of_time_slices() -> None:
    whole = composite(SLICES, "x", "y")
    # x: good, bad, good, silent, silent, unknown; y: good, good, unknown, good, silent, bad.
    parts = {
        "x": component(whole, "x", [1, 0, 1, 0, 0, NAN], [1, 1, 1, 0, 0, 1]),
        "y": component(whole, "y", [1, 1, NAN, 1, 0, 0], [1, 1, 1, 1, 0, 1]),
    }
    # All needed: good, bad, unknown, good (x silent), excluded (both silent), bad (y bad settles it).
    one = composite_attainments(whole, parts, [window(6)], as_of=START + DAY)[0]
    assert (one.good, one.total, one.known_slices, one.elapsed_slices, one.unit) == (2, 4, 5, 6, "slices")
    # y is bad in 1 of 4 counted slices, x in 1 of 3: 1/3 of the budget of 1/10 is 3.33 times.
    assert one.worst_component is not None
    assert one.worst_component[0] == "x"
    assert round(one.worst_component[1], 6) == Decimal("3.333333")
    # One of two is enough: good, good, good (x good), good, excluded, unknown (x may be good).
    either = replace(whole, indicator=replace(whole.indicator, required=1))  # type: ignore[type-var]
    one = composite_attainments(either, parts, [window(6)], as_of=START + DAY)[0]
    assert (one.good, one.total, one.known_slices) == (4, 4, 5)


def test_composite_of_ratios_and_of_budgets() -> None:
    # Weights 1 and 2. x: slices 1/2 and 1 (mean 3/4, events 11/12); y: 1 and 1/5 (mean 3/5, events 6/10).
    def parts(whole: Objective) -> dict[str, tuple[Objective, Events]]:
        return {
            "x": component(whole, "x", [1, 10], [2, 10], target="0.9"),
            "y": component(whole, "y", [5, 1], [5, 5], target="0.8"),
        }

    ratios = composite(RATIOS, "x", "y", target=Decimal("0.65"))
    one = composite_attainments(ratios, parts(ratios), [window(2)], as_of=START + DAY)[0]
    # 1 - (1/3 x 1/4 + 2/3 x 2/5) = 1 - 7/20
    assert (one.value, one.good, one.status) == (Decimal("0.65"), 650_000_000, MET)
    spent = composite(BudgetingMethod.OCCURRENCES, "x", "y", target=Decimal("0.9"))
    one = composite_attainments(spent, parts(spent), [window(2)], as_of=START + DAY)[0]
    # c_x = (1/12) / 0.1 = 5/6; c_y = (4/10) / 0.2 = 2; c = 5/18 + 4/3 = 29/18; A = 1 - 29/180.
    assert one.value == Decimal(151) / Decimal(180)
    assert (one.status, one.worst_component) == (BREACHED, ("y", Decimal(2)))


def test_components_are_judged_in_the_composites_service_time() -> None:
    whole = composite(RATIOS, "x", time=ServiceTime(exclusions=(excluded(0, 1, ExclusionMode.REMOVE),)))
    one = composite_attainments(whole, {"x": component(whole, "x", [0, 1], [1, 1])}, [window(2)], as_of=START + DAY)[0]
    assert (one.value, one.planned_slices, one.excluded_slices) == (Decimal(1), 1, 1)
    with pytest.raises(InputError, match="components"):
        composite_attainments(whole, {}, [window(2)], as_of=START + DAY)
    own_time = slo(name="x"), counted(slo(name="x"), series("good", [0, 1]), series("total", [1, 1]))
    with pytest.raises(InputError, match="service time"):
        composite_attainments(whole, {"x": own_time}, [window(2)], as_of=START + DAY)


# ---------------------------------------------------------------- burn rates


def test_recommended_thresholds_are_those_of_the_workbook() -> None:
    found = [(str(c.threshold), c.lookback, c.short_lookback) for c in recommended_conditions(30)]
    assert found == [
        ("14.4", HOUR, timedelta(minutes=5)),
        ("6", 6 * HOUR, timedelta(minutes=30)),
        ("3", DAY, 2 * HOUR),
        ("1", 3 * DAY, 6 * HOUR),
    ]
    assert [str(c.threshold) for c in recommended_conditions(28)] == [
        "13.44",
        "5.6",
        "2.8",
        "0.9333333333333333333333333333",
    ]


def test_thresholds_that_can_never_be_exceeded_are_refused() -> None:
    fast = recommended_conditions()[0]  # 14.4 x E: below 1 for E = 0.05, not for E = 0.07
    refuse_impossible(slo(target=Decimal("0.95")), fast)
    with pytest.raises(InputError, match="never"):
        refuse_impossible(slo(target=Decimal("0.93")), fast)
    with pytest.raises(InputError, match="never"):
        refuse_impossible(slo(), replace(fast, threshold=Decimal(10)))  # a tie: everything bad is just 10


def test_burn_rate_over_a_lookback() -> None:
    # 99 %: 144 bad of 1000 in the last hour are 14.4; 144 of 6000 in six hours 2.4; one of the hours is unknown.
    objective = slo(target=Decimal("0.99"))
    good, total = [1000.0, 1000, NAN, 1000, 1000, 1000, 856], [1000.0] * 7
    events = counted(objective, series("good", good), series("total", total))
    end = START + 7 * HOUR
    hour = burn_rates(objective, events, HOUR, [end, START])
    assert (hour[0].rate, hour[0].good, hour[0].total, hour[0].coverage) == (Decimal("14.4"), 856, 1000, 1.0)
    assert (hour[1].rate, hour[1].coverage) == (None, 0.0)
    six = burn_rates(objective, events, 6 * HOUR, [end])[0]
    assert (six.rate, six.total, six.coverage) == (Decimal("2.88"), 5000, 5 / 6)


def test_alerts_hold_where_both_lookbacks_burn() -> None:
    # 90 %: threshold 5 is half of the events bad. Bad hours 3, 4, 5 of 100 events each, all bad in hour 4.
    objective = slo()
    bad = [0.0, 0, 0, 50, 100, 50, 0, 0, 0]
    events = counted(objective, series("good", [100 - b for b in bad]), series("total", [100.0] * 9))

    def held(at: float = 9, **changes: object) -> list[tuple[float, float | None, Decimal]]:
        condition = BurnRateCondition(name="c", threshold=Decimal(5), lookback=2 * HOUR)
        policy = AlertPolicy(name="p", conditions=(replace(condition, **changes),))  # type: ignore[arg-type]
        found = alerts(objective, events, policy, as_of=START + at * HOUR)
        return [((a.start - START) / HOUR, (a.end - START) / HOUR if a.end else None, a.peak) for a in found]

    # Over two hours: 25 % at 4:00, 75 % at 5:00, 75 % at 6:00, 25 % at 7:00.
    assert held() == [(5.0, 7.0, Decimal("7.5"))]
    assert held(at=6) == [(5.0, None, Decimal("7.5"))]
    assert held(threshold=Decimal("7.5")) == [(5.0, 7.0, Decimal("7.5"))]  # a tie holds
    assert held(threshold=Decimal("7.5"), op="gt") == []
    assert held(short_lookback=HOUR, threshold=Decimal("5.1")) == [(5.0, 6.0, Decimal("7.5"))]
    assert held(alert_after=HOUR) == [(6.0, 7.0, Decimal("7.5"))]
    assert held(alert_after=2 * HOUR) == []


# ---------------------------------------------------------------- for the simulation of days


def test_judged_slices_are_the_slices_of_the_window() -> None:
    objective = sliced(2, window=RollingWindow(length=DAY))
    good = [1.0] * 48
    good[5] = 0.0
    events = counted(objective, series("good", good), series("total", [1.0] * 48))
    found = judged_slices(objective, events)
    assert isinstance(found, Events)
    assert (found.unit, found.good.tolist()) == ("slices", [1, 1, 0] + [1] * 21)
    assert found.series.step == 2 * HOUR
    odd = judged_slices(replace(objective, slice_window=7 * HOUR), events)
    assert isinstance(odd, Excuse)
