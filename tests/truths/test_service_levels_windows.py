"""Windows: labels, exact lengths across changes of the clocks, leap days, rolling windows."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from forecasting.service_levels.windows import closed_periods, coming_periods, local_midnight
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import CalendarWindow, Period, RollingWindow

MINUTE = timedelta(minutes=1)


def month(zone: str, year: int, number: int) -> Period:
    at = datetime(year, number, 15, tzinfo=UTC)
    return coming_periods(CalendarWindow(unit="month", zone=zone), as_of=at, ahead=0)[0]


@pytest.mark.parametrize(
    ("zone", "year", "number", "minutes"),
    [
        ("Europe/Berlin", 2027, 3, 44_580),  # 31 d less an hour
        ("Europe/Berlin", 2027, 10, 44_700),  # 31 d and an hour
        ("America/New_York", 2026, 3, 743 * 60),
        ("America/New_York", 2026, 11, 721 * 60),
        ("UTC", 2027, 3, 44_640),
        ("Australia/Lord_Howe", 2026, 4, 30 * 1440 + 30),  # half an hour back on 5 April
        ("Australia/Lord_Howe", 2026, 10, 31 * 1440 - 30),
        ("Pacific/Chatham", 2026, 4, 30 * 1440 + 60),
        ("Pacific/Chatham", 2026, 9, 30 * 1440 - 60),
        ("UTC", 2024, 2, 29 * 1440),  # leap day
        ("UTC", 2100, 2, 28 * 1440),  # a century that is no leap year
        ("Asia/Kathmandu", 2026, 7, 31 * 1440),
        ("America/Sao_Paulo", 2018, 11, 30 * 1440 - 60),  # midnight of 4 November did not exist
    ],
)
def test_exact_length_of_a_month(zone: str, year: int, number: int, minutes: int) -> None:
    period = month(zone, year, number)
    assert (period.end - period.start) / MINUTE == minutes
    assert period.label == f"{year}-{number:02d}"
    assert period.start.tzinfo is UTC


@pytest.mark.parametrize(
    ("target", "days", "budget"),
    [("0.999", 30, "43.2"), ("0.999", 31, "44.64"), ("0.999", 28, "40.32"), ("0.9995", 30, "21.6")],
)
def test_budget_in_minutes(target: str, days: int, budget: str) -> None:
    assert (1 - Decimal(target)) * days * 1440 == Decimal(budget)


def test_budget_of_march_in_berlin() -> None:
    period = month("Europe/Berlin", 2027, 3)
    assert (1 - Decimal("0.999")) * ((period.end - period.start) // MINUTE) == Decimal("44.58")


@pytest.mark.parametrize(
    ("unit", "at", "label", "first", "after"),
    [
        ("day", date(2024, 2, 29), "2024-02-29", date(2024, 2, 29), date(2024, 3, 1)),
        ("week", date(2026, 12, 31), "2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("week", date(2027, 1, 3), "2026-W53", date(2026, 12, 28), date(2027, 1, 4)),
        ("week", date(2027, 1, 4), "2027-W01", date(2027, 1, 4), date(2027, 1, 11)),
        ("month", date(2027, 1, 31), "2027-01", date(2027, 1, 1), date(2027, 2, 1)),
        ("month", date(2026, 12, 31), "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("quarter", date(2027, 12, 31), "2027-Q4", date(2027, 10, 1), date(2028, 1, 1)),
        ("quarter", date(2027, 4, 1), "2027-Q2", date(2027, 4, 1), date(2027, 7, 1)),
        ("year", date(2024, 6, 1), "2024", date(2024, 1, 1), date(2025, 1, 1)),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Chatham"])
def test_labels_and_bounds(unit: str, at: date, label: str, first: date, after: date, zone: str) -> None:
    window = CalendarWindow(unit=unit, zone=zone)  # type: ignore[arg-type]
    noon = local_midnight(at, zone) + timedelta(hours=12)
    period = coming_periods(window, as_of=noon, ahead=0)[0]
    assert (period.label, period.start, period.end) == (label, local_midnight(first, zone), local_midnight(after, zone))


@pytest.mark.parametrize("unit", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"])
def test_calendar_windows_join_without_gap_or_overlap(unit: str, zone: str) -> None:
    window = CalendarWindow(unit=unit, zone=zone)  # type: ignore[arg-type]
    since, as_of = datetime(2016, 1, 1, tzinfo=UTC), datetime(2019, 3, 5, 17, 30, tzinfo=UTC)
    closed = closed_periods(window, since=since, as_of=as_of)
    coming = coming_periods(window, as_of=as_of, ahead=2)
    chain = [*closed, *coming]
    assert all(a.end == b.start for a, b in itertools.pairwise(chain))
    assert closed[0].start >= since
    assert closed[-1].end <= as_of < coming[0].end
    assert coming[0].start <= as_of


def test_a_window_closes_on_its_last_instant_and_not_before() -> None:
    window = CalendarWindow(unit="month", zone="America/New_York")
    end = datetime(2013, 10, 1, 4, tzinfo=UTC)
    since = datetime(2013, 9, 1, 4, tzinfo=UTC)
    assert [p.label for p in closed_periods(window, since=since, as_of=end)] == ["2013-09"]
    assert closed_periods(window, since=since, as_of=end - timedelta(microseconds=1)) == ()
    assert closed_periods(window, since=since + timedelta(microseconds=1), as_of=end) == ()
    assert coming_periods(window, as_of=end, ahead=0)[0].label == "2013-10"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo"])
@pytest.mark.parametrize("length", [timedelta(days=30), timedelta(days=7), timedelta(hours=36), timedelta(hours=6)])
def test_closed_rolling_windows_never_overlap(zone: str, length: timedelta) -> None:
    window = RollingWindow(length=length, zone=zone)
    since, as_of = datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 4, 5, 13, tzinfo=UTC)
    closed = closed_periods(window, since=since, as_of=as_of)
    assert len(closed) >= 14
    assert all(p.end - p.start == length for p in closed)
    assert all(a.end <= b.start <= a.end + timedelta(days=1) for a, b in itertools.pairwise(closed))
    assert closed[0].start >= since
    assert as_of - timedelta(days=1) < closed[-1].end <= as_of


def test_rolling_windows_to_come() -> None:
    as_of = datetime(2027, 3, 10, 15, tzinfo=UTC)
    coming = coming_periods(RollingWindow(length=timedelta(days=30)), as_of=as_of, ahead=2)
    assert [p.label for p in coming] == ["30d to 2027-03-16", "30d to 2027-04-08", "30d to 2027-05-08"]
    assert coming[0].start <= as_of < coming[0].end
    assert coming[0].end == datetime(2027, 3, 17, tzinfo=UTC)


@pytest.mark.parametrize("hours", [6, 24, 36, 48, 168])
def test_rolling_windows_to_come_differ(hours: int) -> None:
    window = RollingWindow(length=timedelta(hours=hours))
    coming = coming_periods(window, as_of=datetime(2027, 3, 10, 15, tzinfo=UTC), ahead=3)
    assert len({p.end for p in coming}) == 4
    assert [p.end for p in coming] == sorted(p.end for p in coming)


def test_unknown_zone_is_refused() -> None:
    with pytest.raises(InputError, match="Mars"):
        closed_periods(
            CalendarWindow(unit="day", zone="Mars/Olympus"),
            since=datetime(2027, 1, 1, tzinfo=UTC),
            as_of=datetime(2027, 1, 3, tzinfo=UTC),
        )


def anchored(unit: str, anchor: str, zone: str = "Europe/Berlin", count: int = 1) -> CalendarWindow:
    return CalendarWindow(unit=unit, zone=zone, count=count, anchor=datetime.fromisoformat(anchor))  # type: ignore[arg-type]


def starts(window: CalendarWindow, as_of: datetime, ahead: int) -> list[str]:
    """Local starts of the running window and the next ones."""
    zone = ZoneInfo(window.zone)
    return [f"{p.start.astimezone(zone):%Y-%m-%d %H:%M}" for p in coming_periods(window, as_of=as_of, ahead=ahead)]


def test_month_ends_clamp_from_the_day_of_the_anchor() -> None:
    window = anchored("month", "2027-01-31 12:00:00")
    running = datetime(2027, 2, 1, tzinfo=UTC)
    assert starts(window, running, 3) == [
        "2027-01-31 12:00",
        "2027-02-28 12:00",
        "2027-03-31 12:00",
        "2027-04-30 12:00",
    ]
    labels = [p.label for p in coming_periods(window, as_of=running, ahead=1)]
    assert labels == ["2027-01-31 12:00", "2027-02-28 12:00"]
    # A leap day that comes back, and quarters from 30 November: 28 February (29 in 2028), 30 May, 30 August
    leap = anchored("year", "2024-02-29")
    assert starts(leap, datetime(2027, 3, 1, tzinfo=UTC), 1) == ["2027-02-28 00:00", "2028-02-29 00:00"]
    quarters = anchored("quarter", "2026-11-30")
    assert starts(quarters, datetime(2027, 12, 1, tzinfo=UTC), 2) == [
        "2027-11-30 00:00",
        "2028-02-29 00:00",
        "2028-05-30 00:00",
    ]


def test_several_units_are_counted_from_the_anchor_both_ways() -> None:
    window = anchored("week", "2026-01-05", count=2)  # a Monday
    assert [p.label for p in coming_periods(window, as_of=datetime(2026, 1, 18, 22, 59, tzinfo=UTC), ahead=1)] == [
        "2w from 2026-01-05",
        "2w from 2026-01-19",
    ]
    assert coming_periods(window, as_of=datetime(2026, 1, 18, 23, tzinfo=UTC), ahead=0)[0].label == "2w from 2026-01-19"
    assert coming_periods(window, as_of=datetime(2026, 1, 4, tzinfo=UTC), ahead=0)[0].label == "2w from 2025-12-22"
    halves = anchored("month", "2026-04-01 06:00", count=6)
    assert [p.label for p in coming_periods(halves, as_of=datetime(2026, 3, 1, tzinfo=UTC), ahead=1)] == [
        "6M from 2025-10-01 06:00",
        "6M from 2026-04-01 06:00",
    ]


@pytest.mark.parametrize(
    ("zone", "anchor", "day", "hours"),
    [
        # 02:30 does not exist on 28 March 2027 and becomes 03:30: 24 h after the day before, 23 h before the day after
        ("Europe/Berlin", "2027-03-01 02:30", datetime(2027, 3, 27, 12, tzinfo=UTC), [24, 23]),
        # 02:30 of 31 October 2027 exists twice, the first one counts
        ("Europe/Berlin", "2027-03-01 02:30", datetime(2027, 10, 30, 12, tzinfo=UTC), [24, 25]),
        # 02:15 of 4 October 2026 becomes 02:45
        ("Australia/Lord_Howe", "2026-01-01 02:15", datetime(2026, 10, 3, 0, tzinfo=UTC), [24, 23.5]),
        # 00:00 of 4 November 2018 becomes 01:00
        ("America/Sao_Paulo", "2018-01-01 00:00", datetime(2018, 11, 3, 12, tzinfo=UTC), [24, 23]),
    ],
)
def test_boundaries_that_do_not_exist_or_exist_twice(zone: str, anchor: str, day: datetime, hours: list[float]) -> None:
    periods = coming_periods(anchored("day", anchor, zone), as_of=day, ahead=1)
    assert [(p.end - p.start) / timedelta(hours=1) for p in periods] == hours


@pytest.mark.parametrize("anchor", [None, datetime.fromisoformat("2011-01-01 12:00")])
def test_a_day_that_was_skipped_is_no_window(anchor: datetime | None) -> None:
    # Samoa had no 30 December 2011. At noon: the boundaries 30 and 31 December 12:00 are one instant.
    window = CalendarWindow(unit="day", zone="Pacific/Apia", anchor=anchor)
    begin, end = datetime(2011, 12, 29, 22, tzinfo=UTC), datetime(2012, 1, 1, 22, tzinfo=UTC)
    closed = closed_periods(window, since=begin - timedelta(days=2), as_of=end)
    labels = [p.label[:10] for p in closed]
    assert ("2011-12-30" in labels, "2011-12-31" in labels, "2011-12-29" in labels) == (False, True, True)
    assert all(a.end == b.start and b.start < b.end for a, b in itertools.pairwise(closed))
    running = coming_periods(window, as_of=begin, ahead=1)
    assert running[0].start <= begin < running[0].end
    assert len(running) == 2


@pytest.mark.parametrize("unit", ["day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"])
@pytest.mark.parametrize(("count", "anchor"), [(1, "2012-02-29 23:45"), (3, "2011-12-31 02:30")])
def test_anchored_windows_join_and_the_running_one_contains_now(unit: str, zone: str, count: int, anchor: str) -> None:
    window = anchored(unit, anchor, zone, count)
    since = datetime(2001, 5, 1, tzinfo=UTC)
    for as_of in (datetime(2011, 12, 30, 9, 59, tzinfo=UTC), datetime(2019, 3, 5, 17, 30, tzinfo=UTC)):
        chain = [*closed_periods(window, since=since, as_of=as_of), *coming_periods(window, as_of=as_of, ahead=2)]
        assert all(a.end == b.start for a, b in itertools.pairwise(chain))
        assert chain[0].start >= since
        assert chain[-3].start <= as_of < chain[-3].end


@pytest.mark.parametrize(
    ("unit", "anchor"),
    [
        ("day", "2013-05-07"),
        ("week", "2013-05-06"),
        ("month", "2013-05-01"),
        ("quarter", "2013-04-01"),
        ("year", "2013-01-01"),
    ],
)
def test_an_anchor_on_the_calendars_own_boundary_changes_nothing(unit: str, anchor: str) -> None:
    since, as_of = datetime(2012, 1, 1, tzinfo=UTC), datetime(2015, 1, 1, tzinfo=UTC)
    plain = CalendarWindow(unit=unit, zone="Europe/Berlin")  # type: ignore[arg-type]
    expected = closed_periods(plain, since=since, as_of=as_of)
    assert closed_periods(anchored(unit, anchor), since=since, as_of=as_of) == expected


def test_several_units_need_an_anchor() -> None:
    window = CalendarWindow(unit="week", zone="UTC", count=2)
    with pytest.raises(InputError, match="anchor"):
        coming_periods(window, as_of=datetime(2026, 1, 1, tzinfo=UTC), ahead=0)


def test_forty_years_of_days_are_quick() -> None:
    begun = time.process_time()
    periods = closed_periods(
        CalendarWindow(unit="day", zone="America/New_York"),
        since=datetime(1990, 1, 1, 5, tzinfo=UTC),
        as_of=datetime(2030, 1, 1, 5, tzinfo=UTC),
    )
    assert time.process_time() - begun < 1.0
    assert len(periods) == 40 * 365 + 10  # ten leap years from 1992 to 2028
