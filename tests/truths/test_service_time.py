"""Service hours, holidays, maintenance and exclusions: exact lengths across changes of clocks, computed by hand."""

from __future__ import annotations

import time as stopwatch
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecasting.history.intervals import from_micros, length, measure, micros
from forecasting.service_levels.service_time import (
    NEVER,
    business_time,
    due_instants,
    eligibility,
    maintenance_intervals,
    open_intervals,
)
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import CalendarWindow
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

MINUTE, HOUR = 60_000_000, 3_600_000_000


def span(text: str) -> LocalSpan:
    start, end = (time.fromisoformat("00:00" if t == "24:00" else t) for t in text.split("-"))
    return LocalSpan(start=start, end=end)


def weekly(*spans: str, days: tuple[int, ...] = tuple(range(7))) -> CalendarVersion:
    return CalendarVersion(weekly=tuple(tuple(map(span, spans)) if d in days else () for d in range(7)))


def calendar(zone: str, *versions: CalendarVersion) -> ServiceCalendar:
    return ServiceCalendar(name="hours", zone=zone, versions=versions)


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def minutes(hours: ServiceCalendar, first: str, after: str) -> float:
    return length(open_intervals(hours, local(first, hours.zone), local(after, hours.zone))) / MINUTE


@pytest.mark.parametrize(
    ("zone", "month", "expected"),
    [
        ("Europe/Berlin", "2027-03", 44_580),  # 31 × 1440 − 60
        ("Europe/Berlin", "2027-10", 44_700),  # 31 × 1440 + 60
        ("America/New_York", "2026-03", 743 * 60),
        ("Australia/Lord_Howe", "2026-04", 30 * 1440 + 30),  # half an hour back on 5 April
        ("Australia/Lord_Howe", "2026-10", 31 * 1440 - 30),
        ("America/Sao_Paulo", "2018-11", 30 * 1440 - 60),  # 4 November began at 01:00
        ("Pacific/Apia", "2011-12", 30 * 1440),  # 30 December did not happen
        ("Pacific/Chatham", "2026-04", 30 * 1440 + 60),
        ("Pacific/Chatham", "2026-09", 30 * 1440 - 60),
        ("UTC", "2024-02", 29 * 1440),
    ],
)
def test_round_the_clock_is_the_whole_month(zone: str, month: str, expected: int) -> None:
    middle = datetime.fromisoformat(f"{month}-15").replace(tzinfo=UTC)
    period = coming_periods(CalendarWindow(unit="month", zone=zone), as_of=middle, ahead=0)[0]
    found = open_intervals(calendar(zone, weekly("00:00-24:00")), period.start, period.end)
    assert found.tolist() == [[micros(period.start), micros(period.end)]]  # in one piece
    assert length(found) == expected * MINUTE


def test_budget_of_march_and_of_a_shop() -> None:
    # 0.1 % of 44,580 min; 0.2 % of 26 Mondays to Saturdays (June 2026 has 30 days and 4 Sundays) of 16 h = 24,960 min
    whole = minutes(calendar("Europe/Berlin", weekly("00:00-24:00")), "2027-03-01", "2027-04-01")
    assert (1 - Decimal("0.999")) * int(whole) == Decimal("44.58")
    shop = minutes(
        calendar("Europe/Berlin", weekly("06:00-22:00", days=(0, 1, 2, 3, 4, 5))), "2026-06-01", "2026-07-01"
    )
    assert shop == 26 * 16 * 60
    assert (1 - Decimal("0.998")) * int(shop) == Decimal("49.92")


@pytest.mark.parametrize(
    ("zone", "hours", "first", "after", "expected"),
    [
        ("Europe/Berlin", "22:00-06:00", "2027-03-27T12:00", "2027-03-28T12:00", 7 * 60),
        ("Europe/Berlin", "22:00-06:00", "2027-10-30T12:00", "2027-10-31T12:00", 9 * 60),
        ("Europe/Berlin", "22:00-06:00", "2027-06-30T12:00", "2027-07-01T12:00", 8 * 60),
        ("Europe/Berlin", "22:00-06:00", "2027-03-28T00:00", "2027-03-28T12:00", 5 * 60),  # begun the day before
        ("Europe/Berlin", "02:15-02:45", "2027-03-28T00:00", "2027-03-29T00:00", 30),  # becomes 03:15-03:45
        ("Europe/Berlin", "02:30-03:15", "2027-03-28T00:00", "2027-03-29T00:00", 0),  # 03:30 to 03:15
        ("Europe/Berlin", "01:30-02:30", "2027-03-28T00:00", "2027-03-29T00:00", 60),  # to 03:30, an hour later
        ("Europe/Berlin", "02:00-03:00", "2027-10-31T00:00", "2027-11-01T00:00", 120),  # 02:00 happens twice
        ("Europe/Berlin", "02:30-02:45", "2027-10-31T00:00", "2027-11-01T00:00", 15),  # the first of them
        ("Australia/Lord_Howe", "01:00-03:00", "2026-10-04T00:00", "2026-10-05T00:00", 90),
        ("Australia/Lord_Howe", "01:00-03:00", "2026-04-05T00:00", "2026-04-06T00:00", 150),
        ("Pacific/Chatham", "02:00-04:00", "2026-09-27T00:00", "2026-09-28T00:00", 60),  # 02:45 becomes 03:45
        ("America/Sao_Paulo", "00:00-06:00", "2018-11-04T00:00", "2018-11-05T00:00", 300),  # begins at 01:00
        # Samoa went from 29 to 31 December 2011: 22:00 to 24:00 and 00:00 to 06:00, then the night of the 31st
        ("Pacific/Apia", "22:00-06:00", "2011-12-29T12:00", "2011-12-31T12:00", 8 * 60),
        ("Pacific/Apia", "22:00-06:00", "2011-12-29T12:00", "2012-01-01T12:00", 16 * 60),
    ],
)
def test_spans_across_changes_of_clocks(zone: str, hours: str, first: str, after: str, expected: int) -> None:
    assert minutes(calendar(zone, weekly(hours)), first, after) == expected


def test_several_spans_a_day_and_what_is_cut_at_the_ends() -> None:
    desk = calendar("UTC", weekly("08:00-12:00", "13:00-17:00", days=(0,)))
    found = open_intervals(desk, datetime(2027, 3, 1, 9, tzinfo=UTC), datetime(2027, 3, 1, 14, tzinfo=UTC))
    assert [[str(from_micros(t).time()) for t in row] for row in found.tolist()] == [
        ["09:00:00", "12:00:00"],
        ["13:00:00", "14:00:00"],
    ]
    moment = datetime(2027, 3, 1, 9, tzinfo=UTC)
    assert open_intervals(desk, moment, moment).shape == (0, 2)


def test_versions_begin_on_their_day() -> None:
    # Sunday 28 February 2027 has 10 h of the old version, Monday 1 March 4 h of the new one
    old, new = weekly("08:00-18:00"), replace(weekly("08:00-12:00"), valid_from=date(2027, 3, 1))
    assert minutes(calendar("Europe/Berlin", old, new), "2027-02-28", "2027-03-02") == 14 * 60
    assert minutes(calendar("Europe/Berlin", new), "2027-02-28", "2027-03-02") == 4 * 60  # closed before the first


def test_holidays_and_days_of_their_own() -> None:
    week = replace(weekly("22:00-06:00"), country="DE", subdivision="BE")
    hours = calendar("Europe/Berlin", week)
    # 8 March 2027 is a holiday in Berlin only: of the nights of 7, 8 and 9 March the second falls out
    assert minutes(hours, "2027-03-07T12:00", "2027-03-10T12:00") == 2 * 8 * 60
    bavaria = calendar("Europe/Berlin", replace(week, subdivision="BY"))
    assert minutes(bavaria, "2027-03-07T12:00", "2027-03-10T12:00") == 3 * 8 * 60
    # 25 and 26 December are holidays; the night of the 24th goes on into the 25th
    assert minutes(hours, "2026-12-24T12:00", "2026-12-27T00:00") == 8 * 60
    on_call = replace(
        week,
        holiday_hours=(span("10:00-12:00"),),
        dates={date(2026, 12, 26): (), date(2026, 12, 24): (span("06:00-14:00"),)},
    )
    # 24th: 8 h of its own; 25th: 2 h on call; 26th: a date of its own goes before the holiday
    assert minutes(calendar("Europe/Berlin", on_call), "2026-12-24T06:00", "2026-12-27T00:00") == 10 * 60


def test_unknown_country_part_and_zone_are_refused() -> None:
    with pytest.raises(InputError, match="subdivision"):
        minutes(
            calendar("UTC", replace(weekly("00:00-24:00"), country="DE", subdivision="XX")), "2027-01-01", "2027-02-01"
        )
    with pytest.raises(InputError, match="country"):
        minutes(calendar("UTC", replace(weekly("00:00-24:00"), country="XX")), "2027-01-01", "2027-02-01")
    with pytest.raises(InputError, match="zone"):
        open_intervals(calendar("Europe/Berlyn", weekly("00:00-24:00")), local("2027-01-01"), local("2027-02-01"))


@pytest.mark.parametrize(
    ("nth", "days"),
    [
        ((), [7, 14, 21, 28]),  # the Sundays of March 2027
        ((1, 3), [7, 21]),
        ((-1,), [28]),
        ((4, -1), [28]),
        ((5,), []),
    ],
)
def test_maintenance_of_a_month(nth: tuple[int, ...], days: list[int]) -> None:
    window = MaintenanceWindow(weekdays=(6,), span=span("01:00-04:00"), zone="Europe/Berlin", nth_of_month=nth)
    found = maintenance_intervals([window], local("2027-03-01"), local("2027-04-01"), ExclusionMode.REMOVE)
    assert [from_micros(t).astimezone(ZoneInfo("Europe/Berlin")).day for t in found[:, 0].tolist()] == days
    # 01:00 to 04:00 has 2 h on the 28th, when clocks go forward
    assert [int(b - a) // HOUR for a, b in found.tolist()] == [2 if day == 28 else 3 for day in days]
    assert not len(maintenance_intervals([window], local("2027-03-01"), local("2027-04-01"), ExclusionMode.DROP_EVENTS))


def test_maintenance_is_valid_on_the_day_it_begins() -> None:
    window = MaintenanceWindow(
        weekdays=(5, 6),
        span=span("22:00-02:00"),
        zone="UTC",
        valid_from=date(2027, 3, 7),  # a Sunday
        valid_until=date(2027, 3, 13),  # a Saturday
    )
    found = maintenance_intervals(
        [window], datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 3, 14, 1, tzinfo=UTC), ExclusionMode.REMOVE
    )
    assert [(from_micros(a).day, (b - a) // HOUR) for a, b in found.tolist()] == [
        (7, 4),
        (13, 3),
    ]  # the last one is cut


def test_what_counts_is_hours_in_the_validity_less_what_was_removed() -> None:
    def agreed(start: str, end: str, mode: ExclusionMode) -> Exclusion:
        return Exclusion(start=local(start), end=local(end), reason="test", mode=mode)

    agreement = ServiceTime(
        hours=calendar("Europe/Berlin", weekly("06:00-22:00")),
        exclusions=(
            agreed("2027-03-02T05:00", "2027-03-02T07:00", ExclusionMode.REMOVE),
            agreed("2027-03-02T06:30", "2027-03-02T08:00", ExclusionMode.REMOVE),
            agreed("2027-03-02T09:00", "2027-03-02T10:00", ExclusionMode.DROP_EVENTS),
            agreed("2027-03-02T11:00", "2027-03-02T11:30", ExclusionMode.COUNT_AS_GOOD),
        ),
        maintenance=(MaintenanceWindow(weekdays=(2,), span=span("21:00-23:00"), zone="Europe/Berlin"),),
        valid_from=date(2027, 3, 2),
        valid_until=date(2027, 3, 3),
    )
    found = eligibility(agreement, "Europe/Berlin", local("2027-03-01"), local("2027-03-05"))
    assert length(found.service_hours) == 4 * 16 * HOUR
    assert length(found.hours) == 2 * 16 * HOUR
    assert length(found.validity) == 48 * HOUR
    assert length(found.removed) == (3 + 2) * HOUR  # 05:00-08:00 on the 2nd, 21:00-23:00 on Wednesday the 3rd
    assert (length(found.dropped), length(found.forgiven)) == (HOUR, HOUR // 2)
    assert length(found.eligible) == 32 * HOUR - 2 * HOUR - HOUR  # 06:00-08:00 and 21:00-22:00 lie in the hours
    # Slices of an hour on the 2nd: 06:00 and 07:00 are removed, 21:00 counts, 22:00 is outside the hours; the 1st and
    # the 4th lie outside the validity
    starts = np.array(
        [
            micros(local(f"2027-03-{t}"))
            for t in ("02T06:00", "02T07:00", "02T08:00", "02T21:00", "02T22:00", "01T08:00", "04T08:00")
        ]
    )
    assert found.planned(starts, starts + HOUR).tolist() == [False, False, True, True, False, False, False]


def test_the_validity_counts_local_days_of_the_window() -> None:
    march_28 = ServiceTime(valid_from=date(2027, 3, 28), valid_until=date(2027, 3, 28))
    found = eligibility(march_28, "Europe/Berlin", local("2027-03-01"), local("2027-04-01"))
    assert found.hours.tolist() == [[micros(local("2027-03-28")), micros(local("2027-03-29"))]]
    assert length(found.hours) == 23 * HOUR
    # A slice across the midnight that begins the day is outside, one across the midnight that ends it inside
    edge = np.array(found.hours[0]) - HOUR // 2
    assert found.planned(edge, edge + HOUR).tolist() == [False, True]


def test_without_anything_all_time_counts() -> None:
    found = eligibility(ServiceTime(), "UTC", local("2027-03-01"), local("2027-04-01"))
    assert length(found.eligible) == 44_580 * MINUTE


def test_business_time_and_due_instants_of_a_desk() -> None:
    # Friday 5 March 2027 16:00 + 8 h of Monday to Friday 09:00-17:00: one hour on Friday, seven on Monday
    desk = calendar("Europe/Berlin", weekly("09:00-17:00", days=(0, 1, 2, 3, 4)))
    hours = open_intervals(desk, local("2027-03-01"), local("2027-03-10"))
    start = np.array(
        [micros(local(t)) for t in ("2027-03-05T16:00", "2027-03-06T03:00", "2027-03-05T09:00", "2027-03-09T10:00")]
    )
    due = due_instants(hours, start, 8 * HOUR)
    # Saturday 03:00 begins to run on Monday; Friday 09:00 is due at 17:00, not on Monday morning; the last one has 7 h
    assert due[:3].tolist() == [micros(local(t)) for t in ("2027-03-08T16:00", "2027-03-08T17:00", "2027-03-05T17:00")]
    assert due[3] == NEVER
    assert business_time(hours, start[:3], due[:3]).tolist() == [8 * HOUR] * 3
    assert due_instants(hours, start, 0).tolist() == start.tolist()


def test_ten_years_of_hours_are_quick() -> None:
    shop = calendar("Europe/Berlin", weekly("06:00-22:00", days=(0, 1, 2, 3, 4, 5)))
    begun = stopwatch.process_time()
    found = open_intervals(shop, local("2017-01-01"), local("2027-01-01"))
    assert stopwatch.process_time() - begun < 0.1
    assert len(found) == 3130  # 3,652 days less 522 Sundays (1 January 2017 to 27 December 2026)
    slices = micros(local("2017-01-01")) + np.arange(87_648) * HOUR
    assert int(measure(found, slices, slices + HOUR).sum()) == 3130 * 16 * HOUR
    assert timedelta(microseconds=length(found)) == timedelta(hours=3130 * 16)
