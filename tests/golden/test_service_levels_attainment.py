"""Attainment worked out by hand: ties, gaps, statuses, daily slices in a zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from forecasting.service_levels.attainment import attainments, meets
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    ThresholdIndicator,
)

NAN = float("nan")
HOUR = timedelta(hours=1)
START = datetime(2027, 3, 1, tzinfo=UTC)


def series(
    name: str, values: list[float], *, start: datetime = START, step: timedelta = HOUR, zone: str = "UTC"
) -> Series:
    return Series(
        service="a",
        metric=Metric(name=name, kind=MetricKind.COUNT, step=step),
        start=start,
        step=step,
        values=np.array(values, dtype=np.float64),
        zone=zone,
    )


def slo(target: str = "0.9", **changes: object) -> Objective:
    base = Objective(
        name="o",
        service="a",
        indicator=RatioIndicator(total="total", good="good"),
        target=Decimal(target),
        window=CalendarWindow(unit="day", zone="UTC"),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def history(*parts: Series) -> History:
    return History(cut_off=datetime(2030, 1, 1, tzinfo=UTC), series={("a", s.metric.name): s for s in parts})


def counted(objective: Objective, *parts: Series) -> Events:
    found = events_of(objective, history(*parts))
    assert isinstance(found, Events)
    return found


def judge(
    good: list[float], total: list[float], *, hours: int | None = None, at: float | None = None, **changes: object
) -> Attainment:
    """Judge the first `hours` hours at hour `at` (default: their end)."""
    objective = slo(**changes)  # type: ignore[arg-type]
    n = len(total) if hours is None else hours
    period = Period(start=START, end=START + n * HOUR, label="w")
    events = counted(objective, series("good", good), series("total", total))
    return attainments(objective, events, [period], as_of=START + (n if at is None else at) * HOUR)[0]


@pytest.mark.parametrize("percent", ["99.95", "99.99", "99.999", "99.75", "99.9", "80", "71.5"])
def test_a_tie_is_met_and_one_event_less_is_not(percent: str) -> None:
    target = Decimal(percent) / 100
    for total in (100_000, 200_000, 300_000, 10**12, 7 * 10**12):
        good = int(target * total)
        assert meets(good, total, target)
        assert not meets(good - 1, total, target)
        assert meets(good + 1, total, target)


def test_target_is_not_rounded() -> None:
    # 99.895 % is not 99.90 %: 99,895 of 100,000 misses 99.9 %, however it is displayed.
    assert not meets(99_895, 100_000, Decimal("0.999"))
    assert meets(99_895, 100_000, Decimal("0.99895"))


def test_budget_of_minutes() -> None:
    """99.9 % of 30 days of minutes: 43 bad minutes are met, 44 are not (budget 43.2)."""
    minutes = 30 * 1440
    for bad, status in ((43, AttainmentStatus.MET), (44, AttainmentStatus.BREACHED)):
        up = np.ones(minutes)
        up[:bad] = 0
        objective = slo("0.999", indicator=ThresholdIndicator(metric="up", op="gte", limit=Decimal(1)))
        found = counted(objective, series("up", up.tolist(), step=timedelta(minutes=1)))
        period = Period(start=START, end=START + timedelta(days=30), label="30d")
        one = attainments(objective, found, [period], as_of=period.end)[0]
        assert (one.total, one.bad, one.status) == (minutes, bad, status)
        assert one.budget_events == Decimal("43.2")


@pytest.mark.parametrize(
    ("zone", "at", "slices"),
    [
        ("Europe/Berlin", datetime(2027, 3, 15, tzinfo=UTC), 44_580),
        ("Europe/Berlin", datetime(2027, 10, 15, tzinfo=UTC), 44_700),
        ("America/New_York", datetime(2026, 3, 15, tzinfo=UTC), 44_580),
        ("Australia/Lord_Howe", datetime(2026, 4, 15, tzinfo=UTC), 43_230),
    ],
)
def test_planned_minutes_across_the_change_of_the_clocks(zone: str, at: datetime, slices: int) -> None:
    window = CalendarWindow(unit="month", zone=zone)
    objective = slo("0.999", window=window, indicator=ThresholdIndicator(metric="up", op="gt", limit=Decimal("0.5")))
    period = coming_periods(window, as_of=at, ahead=0)[0]
    n = slices + 4000
    start = period.start - timedelta(minutes=2000)
    found = counted(objective, series("up", [1.0] * n, start=start, step=timedelta(minutes=1)))
    one = attainments(objective, found, [period], as_of=period.end)[0]
    assert (one.planned_slices, one.elapsed_slices, one.known_slices, one.total) == (slices,) * 4
    assert one.status is AttainmentStatus.MET


def test_statuses_by_hand() -> None:
    full = [10.0] * 10
    assert judge([9.0] * 10, full).status is AttainmentStatus.MET  # 90 of 100, a tie
    assert judge([9.0] * 9 + [8.0], full).status is AttainmentStatus.BREACHED  # 89 of 100
    assert judge([0.0] * 10, [0.0] * 10).status is AttainmentStatus.NO_TRAFFIC
    assert judge([9.0] * 10, full, minimum_events=101).status is AttainmentStatus.INSUFFICIENT_DATA
    assert judge([9.0] * 10, full, minimum_events=100).status is AttainmentStatus.MET
    assert judge([9.0] * 10, full, at=9.999).status is AttainmentStatus.RUNNING
    assert judge([NAN] * 10 + [1.0], [NAN] * 10 + [1.0], hours=10).status is AttainmentStatus.INSUFFICIENT_DATA


def test_missing_slices_widen_the_interval_and_never_count_as_good() -> None:
    # Five of ten hours known with 10 events each, 46 of 50 good = 92 %. Unknown: 5 x 10 events, all bad or all good:
    # 46 / 100 and 96 / 100. 90 % lies between: undetermined.
    good, total = [10.0, 10, 10, 10, 6] + [NAN] * 5, [10.0] * 5 + [NAN] * 5
    one = judge([*good, 1.0], [*total, 1.0], hours=10)
    assert (one.good, one.total, one.known_slices, one.elapsed_slices) == (46, 50, 5, 10)
    assert (one.value, one.lower, one.upper) == (Decimal("0.92"), Decimal("0.46"), Decimal("0.96"))
    assert one.status is AttainmentStatus.UNDETERMINED
    assert one.coverage == 0.5
    # With a target of 97 % even all-good misses; with 46 % all-bad meets (a tie).
    assert judge([*good, 1.0], [*total, 1.0], hours=10, target="0.97").status is AttainmentStatus.BREACHED
    assert judge([*good, 1.0], [*total, 1.0], hours=10, target="0.46").status is AttainmentStatus.MET
    assert judge([*good, 1.0], [*total, 1.0], hours=10, target="0.4601").status is AttainmentStatus.UNDETERMINED
    # Coverage that the agreement accepts: judged on what is known.
    accepted = judge([*good, 1.0], [*total, 1.0], hours=10, minimum_coverage=Decimal("0.5"))
    assert accepted.status is AttainmentStatus.MET


def test_coverage_at_the_limit_is_enough() -> None:
    # 19 of 20 slices = 95 %.
    good, total = [10.0] * 19 + [NAN, 1.0], [10.0] * 19 + [NAN, 1.0]
    assert judge(good, total, hours=20).status is AttainmentStatus.MET
    assert judge([*good[:18], NAN, NAN, 1.0], [*total[:18], NAN, NAN, 1.0], hours=20).coverage == 0.9


def test_silence_is_no_traffic_only_where_it_was_observed() -> None:
    # No event in the five known hours of ten: whether there was traffic in the others is not known.
    zeros = [0.0] * 5 + [NAN] * 5 + [1.0]
    assert judge(zeros, zeros, hours=10).status is AttainmentStatus.INSUFFICIENT_DATA
    assert judge(zeros, zeros, hours=5).status is AttainmentStatus.NO_TRAFFIC


def test_one_unknown_metric_makes_the_slice_unknown() -> None:
    one = judge([9.0, NAN, 5.0], [10.0, 10.0, NAN])
    assert (one.good, one.total, one.known_slices) == (9, 10, 1)


def test_data_that_stops_early_leaves_unknown_slices() -> None:
    # Four hours of data, window of ten: at hour ten six slices are unknown.
    one = judge([10.0] * 4, [10.0] * 4, hours=10)
    assert (one.known_slices, one.elapsed_slices, one.planned_slices) == (4, 10, 10)
    assert (one.lower, one.upper) == (Decimal("0.4"), Decimal(1))
    assert one.status is AttainmentStatus.UNDETERMINED


def test_data_that_begins_late_leaves_unknown_slices() -> None:
    objective = slo()
    late = START + 6 * HOUR
    events = counted(objective, series("good", [10.0] * 4, start=late), series("total", [10.0] * 4, start=late))
    period = Period(start=START, end=START + 10 * HOUR, label="w")
    one = attainments(objective, events, [period], as_of=period.end)[0]
    assert (one.known_slices, one.elapsed_slices, one.planned_slices) == (4, 10, 10)
    assert one.status is AttainmentStatus.UNDETERMINED
    before = Period(start=START, end=late, label="before")
    assert attainments(objective, events, [before], as_of=period.end)[0].elapsed_slices == 6


@pytest.mark.parametrize(("at", "elapsed"), [(0.0, 0), (0.5, 0), (0.999, 0), (1.0, 1), (3.5, 3), (9.99, 9), (10.0, 10)])
def test_elapsed_counts_slices_that_ended(at: float, elapsed: int) -> None:
    one = judge([9.0] * 10, [10.0] * 10, at=at)
    assert (one.elapsed_slices, one.known_slices, one.planned_slices) == (elapsed, elapsed, 10)
    assert one.final is (at >= 10)
    if elapsed:
        assert one.value == one.lower == one.upper == Decimal("0.9")  # a slice under way is not a gap


def test_slices_after_the_as_of_are_never_looked_at() -> None:
    rng = np.random.default_rng(5)
    total = rng.integers(0, 50, 72).astype(float)
    good = np.floor(total * rng.random(72))
    days = [Period(start=START + k * 24 * HOUR, end=START + (k + 1) * 24 * HOUR, label=str(k)) for k in range(3)]
    for at in (10.0, 24.0, 30.5, 47.99, 60.0):
        altered_good, altered_total = good.copy(), total.copy()
        future = np.arange(72) + 1 > at
        altered_good[future], altered_total[future] = 0.0, 999.0
        known = [
            attainments(
                slo(),
                counted(slo(), series("good", g.tolist()), series("total", t.tolist())),
                days,
                as_of=START + at * HOUR,
            )
            for g, t in ((good, total), (altered_good, altered_total))
        ]
        assert known[0] == known[1]


def test_daily_slices_in_a_zone() -> None:
    """Daily rows of New York: the days of the month are the slices, whatever their length in hours."""
    zone, start = "America/New_York", datetime(2013, 3, 1, 5, tzinfo=UTC)
    window = CalendarWindow(unit="month", zone=zone)
    objective = slo(window=window)
    day = timedelta(days=1)
    total = [float(k + 1) for k in range(61)]  # 1 March to 30 April
    events = counted(
        objective,
        series("good", total, start=start, step=day, zone=zone),
        series("total", total, start=start, step=day, zone=zone),
    )
    march, april = coming_periods(window, as_of=start, ahead=1)
    one, two = attainments(objective, events, [march, april], as_of=april.end)
    assert (one.total, one.planned_slices) == (31 * 32 // 2, 31)
    assert (two.total, two.planned_slices) == (61 * 62 // 2 - 31 * 32 // 2, 30)
    # On 10 March, noon, nine days have ended.
    running = attainments(objective, events, [march], as_of=datetime(2013, 3, 10, 16, tzinfo=UTC))[0]
    assert (running.elapsed_slices, running.known_slices, running.total) == (9, 9, 45)
    # A month of another zone takes the days that begin in it: UTC's March has 1 to 31 March of New York too.
    utc = coming_periods(CalendarWindow(unit="month", zone="UTC"), as_of=datetime(2013, 3, 5, tzinfo=UTC), ahead=0)
    assert attainments(objective, events, utc, as_of=april.end)[0].total == 31 * 32 // 2


def test_weekly_slices_count_from_the_first_one() -> None:
    week = timedelta(days=7)
    start = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
    objective = slo(window=CalendarWindow(unit="month", zone="UTC"))
    values = [10.0] * 8
    events = counted(
        objective, series("good", values, start=start, step=week), series("total", values, start=start, step=week)
    )
    january, february = coming_periods(objective.window, as_of=start, ahead=1)
    # Mondays 4, 11, 18, 25 January and 1, 8, 15, 22 February.
    one, two = attainments(objective, events, [january, february], as_of=february.end)
    assert (one.planned_slices, one.known_slices, two.planned_slices, two.known_slices) == (4, 4, 4, 4)


def test_a_window_is_final_only_when_its_last_slice_has_ended() -> None:
    week = timedelta(days=7)
    start = datetime(2027, 1, 4, tzinfo=UTC)
    objective = slo(window=CalendarWindow(unit="month", zone="UTC"))
    events = counted(
        objective,
        series("good", [10.0] * 9, start=start, step=week),
        series("total", [10.0] * 9, start=start, step=week),
    )
    march = coming_periods(objective.window, as_of=datetime(2027, 3, 2, tzinfo=UTC), ahead=0)[
        0
    ]  # last slice to 5 April
    early = attainments(objective, events, [march], as_of=march.end)[0]
    late = attainments(objective, events, [march], as_of=datetime(2027, 4, 5, tzinfo=UTC))[0]
    assert (early.final, early.status, late.final) == (False, AttainmentStatus.RUNNING, True)


@pytest.mark.parametrize(("op", "good"), [("lt", 1), ("lte", 2), ("gt", 1), ("gte", 2)])
def test_threshold_counts_each_sample_once(op: str, good: int) -> None:
    indicator = ThresholdIndicator(metric="latency", op=op, limit=Decimal("0.3"))  # type: ignore[arg-type]
    found = counted(slo(indicator=indicator), series("latency", [0.1, 0.3, 0.5, NAN]))
    assert (int(found.good.sum()), int(found.total.sum()), int(found.known.sum())) == (good, 3, 3)


def test_bad_events_are_taken_from_the_total() -> None:
    objective = slo(indicator=RatioIndicator(total="total", bad="lost"))
    found = counted(objective, series("total", [10.0, 5.0, NAN]), series("lost", [1.0, 5.0, 0.0]))
    assert found.good.tolist() == [9, 0, 0]
    assert found.known.tolist() == [True, True, False]


def test_metrics_that_begin_apart_share_one_grid() -> None:
    found = counted(slo(), series("good", [1.0, 2.0], start=START + HOUR), series("total", [9.0, 3.0]))
    assert found.known.tolist() == [False, True, False]
    assert (found.good.tolist(), found.total.tolist()) == ([0, 1, 0], [0, 3, 0])


@pytest.mark.parametrize(
    ("good", "total", "words"),
    [
        ([2.0, 3.0], [2.0, 2.0], "at most total"),
        ([0.5, 1.0], [2.0, 2.0], "whole numbers"),
        ([-1.0, 1.0], [2.0, 2.0], "whole numbers"),
        ([1.0, 1.0], [2.0, 1e300], "whole numbers"),
    ],
)
def test_impossible_counts_are_refused(good: list[float], total: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        events_of(slo(), history(series("good", good), series("total", total)))


def test_two_grids_are_refused() -> None:
    with pytest.raises(InputError, match="one grid"):
        events_of(slo(), history(series("good", [1.0]), series("total", [2.0], step=timedelta(minutes=30))))
    half = START + timedelta(minutes=30)
    with pytest.raises(InputError, match="begin together"):
        events_of(slo(), history(series("good", [1.0, 1.0], start=half), series("total", [2.0, 2.0])))


def test_absent_metric_is_an_excuse() -> None:
    found = events_of(slo(), history(series("total", [2.0])))
    assert isinstance(found, Excuse)
    assert "good" in found.reason
