"""Outages and tickets: time up and business time by hand, nothing known before it happened."""

from __future__ import annotations

import json
import time as stopwatch
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.history.intervals import from_micros, micros
from forecasting.history.tickets import pauses_of, tickets_known
from forecasting.service_levels.indicators.availability_outages import outage_slices
from forecasting.service_levels.indicators.ticket import ticket_days
from forecasting.service_levels.judged import Judged
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import AvailabilityIndicator, TicketIndicator
from forecasting.terms.service_level import CalendarWindow, Objective
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    ServiceCalendar,
    ServiceTime,
)
from forecasting.terms.ticket import TICKET_COLUMNS

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, HOUR = 60_000_000, 3_600_000_000


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def hours(name: str, start: str, end: str, days: int) -> ServiceCalendar:
    spans = (LocalSpan(start=time.fromisoformat(start), end=time.fromisoformat(end)),)
    week = tuple(spans if d < days else () for d in range(7))
    return ServiceCalendar(name=name, zone="Europe/Berlin", versions=(CalendarVersion(weekly=week),))


DESK = hours("desk", "09:00", "17:00", 5)
NIGHT = hours("night", "22:00", "06:00", 7)
CALENDARS = {"desk": DESK, "night": NIGHT}


def ticket(
    number: str,
    opened: str,
    resolved: str | None = None,
    *,
    pauses: tuple[tuple[str, str | None], ...] = (),
    responded: str | None = None,
    kind: str = "incident",
    priority: str = "1",
    service: str = "shop",
) -> dict[str, object]:
    """A ticket with wall-clock times of Berlin."""

    def naive(text: str | None) -> datetime | None:
        return None if text is None else local(text).replace(tzinfo=None)

    def said(text: str | None) -> str | None:
        return None if text is None else local(text).isoformat().replace("+00:00", "Z")

    return {
        "service": service,
        "ticket": number,
        "kind": kind,
        "priority": priority,
        "opened": naive(opened),
        "responded": naive(responded),
        "resolved": naive(resolved),
        "pauses": json.dumps([[said(a), said(b)] for a, b in pauses]),
    }


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    made = pd.DataFrame(list(rows), columns=list(TICKET_COLUMNS))
    for column in ("opened", "responded", "resolved"):
        made[column] = pd.to_datetime(made[column]).astype("datetime64[us]")
    return made


def outages(**changes: object) -> Objective:
    made = Objective(
        name="up",
        service="shop",
        indicator=AvailabilityIndicator(outages=("outage",)),
        target=Decimal("0.999"),
        window=CalendarWindow(unit="month", zone="Europe/Berlin"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def outage(number: str, opened: str, resolved: str | None = None, **more: object) -> dict[str, object]:
    return ticket(number, opened, resolved, kind="outage", **more)  # type: ignore[arg-type]


def of_hour(found: Judged | Excuse, at: str) -> tuple[int, int, bool, bool, bool]:
    """Minutes up, minutes that count, known, eligible, dropped of the slice that begins at a local time."""
    assert isinstance(found, Judged)
    k = found.starts.tolist().index(local(at).replace(tzinfo=None))
    good, total = int(found.good[k]), int(found.total[k])
    assert good % MINUTE == total % MINUTE == 0
    return good // MINUTE, total // MINUTE, bool(found.known[k]), bool(found.eligible[k]), bool(found.dropped[k])


def exclusion(start: str, end: str, mode: ExclusionMode) -> Exclusion:
    return Exclusion(start=local(start), end=local(end), reason="agreed", mode=mode)


def test_outages_are_cut_to_the_minute() -> None:
    log = frame(
        outage("1", "2027-03-01T05:30", "2027-03-01T07:15"),
        # The pause of 2 changes nothing while 1 is open, only from 07:15 to 07:17
        outage("2", "2027-03-01T07:00", "2027-03-01T07:20", pauses=(("2027-03-01T07:05", "2027-03-01T07:17"),)),
        outage("3", "2027-03-01T08:10", "2027-03-01T08:20"),
        outage("4", "2027-03-01T09:20", "2027-03-01T09:50"),
        ticket("5", "2027-03-01T10:00", "2027-03-01T11:00"),  # no outage
        outage("6", "2027-03-01T10:00", "2027-03-01T11:00", service="other"),
    )
    agreed = ServiceTime(
        hours=hours("shop", "06:00", "22:00", 6),
        exclusions=(
            exclusion("2027-03-01T07:30", "2027-03-01T07:40", ExclusionMode.REMOVE),
            exclusion("2027-03-01T08:00", "2027-03-01T08:15", ExclusionMode.DROP_EVENTS),
            exclusion("2027-03-01T09:00", "2027-03-01T09:30", ExclusionMode.COUNT_AS_GOOD),
        ),
    )
    cut = local("2027-03-02T00:00")
    found = outage_slices(outages(time=agreed), History(cut_off=cut, tickets=log), cut)
    assert isinstance(found, Judged)
    assert (len(found), found.unit, found.series.zone) == (24, "microseconds", "Europe/Berlin")
    assert found.starts[0] == np.datetime64(local("2027-03-01").replace(tzinfo=None), "us")
    assert of_hour(found, "2027-03-01T05:00") == (0, 0, False, False, False)  # outside the hours
    assert of_hour(found, "2027-03-01T06:00") == (0, 60, True, True, False)
    assert of_hour(found, "2027-03-01T07:00") == (32, 50, True, True, False)  # down 00-15, 17-20; 10 min removed
    assert of_hour(found, "2027-03-01T08:00") == (40, 45, True, True, True)  # down 10-20, of which 15-20 counts
    assert of_hour(found, "2027-03-01T09:00") == (40, 60, True, True, False)  # down 20-50, of which 20-30 is forgiven
    assert of_hour(found, "2027-03-01T10:00") == (60, 60, True, True, False)
    assert int(found.eligible.sum()) == 16


def test_an_open_outage_lasts_to_the_cut_off_and_later_news_are_not_known() -> None:
    log = frame(outage("1", "2027-03-01T01:30", "2027-03-01T02:30"), outage("2", "2027-03-01T03:30"))
    cut = local("2027-03-01T02:00")
    found = outage_slices(outages(), History(cut_off=cut, tickets=log), local("2027-03-01T04:00"))
    assert of_hour(found, "2027-03-01T00:00") == (60, 60, True, True, False)
    assert of_hour(found, "2027-03-01T01:00") == (30, 60, True, True, False)
    assert of_hour(found, "2027-03-01T02:00") == (0, 0, False, True, False)  # has not ended: planned, not known
    later = outage_slices(outages(), History(cut_off=local("2027-03-01T05:00"), tickets=log), local("2027-03-01T05:00"))
    assert [of_hour(later, f"2027-03-01T0{h}:00")[0] for h in range(5)] == [60, 30, 30, 30, 0]


def test_a_log_metric_says_when_the_service_was_watched() -> None:
    beat = Metric(name="beat", kind=MetricKind.COUNT, step=timedelta(minutes=30))
    values = np.array([1.0, np.nan, np.nan, np.nan, np.nan, 1.0, np.nan, np.nan])  # from 01:00 on: 01, 03 were watched
    series = Series(service="shop", metric=beat, start=local("2027-03-01T01:00"), step=beat.step, values=values)
    watched = AvailabilityIndicator(outages=("outage",), log_metric="beat")
    cut = local("2027-03-01T05:00")
    agreed = ServiceTime(
        exclusions=(
            exclusion("2027-03-01T02:00", "2027-03-01T02:30", ExclusionMode.COUNT_AS_GOOD),
            exclusion("2027-03-01T04:00", "2027-03-01T05:00", ExclusionMode.COUNT_AS_GOOD),
        )
    )
    history = History(
        cut_off=cut,
        series={("shop", "beat"): series},
        tickets=frame(outage("1", "2027-03-01T03:15", "2027-03-01T03:30"), outage("2", "2027-03-01T04:10")),
    )
    found = outage_slices(outages(indicator=watched, time=agreed), history, cut)
    assert of_hour(found, "2027-03-01T00:00")[2] is False
    assert of_hour(found, "2027-03-01T01:00") == (60, 60, True, True, False)
    assert of_hour(found, "2027-03-01T02:00") == (0, 0, False, True, False)  # half of it is forgiven, half unknown
    assert of_hour(found, "2027-03-01T03:00") == (45, 60, True, True, False)
    assert of_hour(found, "2027-03-01T04:00") == (60, 60, True, True, False)  # nobody watched, all forgiven
    quiet = outage_slices(outages(indicator=watched), replace(history, tickets=None), cut)
    assert of_hour(quiet, "2027-03-01T03:00") == (60, 60, True, True, False)  # watched, and no ticket


def test_given_slices_and_the_first_midnight_of_the_zone() -> None:
    log = frame(outage("1", "2027-03-28T01:50", "2027-03-28T03:10"))  # 20 min: 02:00-03:00 does not exist
    cut = local("2027-03-29")
    start = micros(local("2027-03-28T01:45")) + np.arange(3) * 15 * MINUTE
    found = outage_slices(outages(), History(cut_off=cut, tickets=log), cut, start, start + 15 * MINUTE)
    assert isinstance(found, Judged)
    assert (found.good // MINUTE).tolist() == [5, 5, 15]
    assert found.series.step == timedelta(minutes=15)
    whole = outage_slices(outages(), History(cut_off=cut, tickets=log), cut)
    assert isinstance(whole, Judged)
    assert (len(whole), int(whole.total.sum()) // MINUTE, int(whole.good.sum()) // MINUTE) == (23, 1380, 1360)


def test_slices_begin_inside_the_validity() -> None:
    log = frame(outage("1", "2027-03-01T01:00", "2027-03-01T02:00"))
    agreed = ServiceTime(valid_from=date(2027, 3, 2), valid_until=date(2027, 3, 2))
    cut = local("2027-03-04")
    found = outage_slices(outages(time=agreed), History(cut_off=cut, tickets=log), cut)
    assert isinstance(found, Judged)
    assert found.eligible.tolist() == [False] * 24 + [True] * 24 + [False] * 24


def test_outages_without_a_beginning_or_with_a_wrong_end() -> None:
    cut = local("2027-03-02")
    assert isinstance(outage_slices(outages(), History(cut_off=cut), cut), Excuse)
    other = frame(outage("1", "2027-03-01T01:00", service="other"))
    assert isinstance(outage_slices(outages(), History(cut_off=cut, tickets=other), cut), Excuse)
    wrong = frame(outage("17", "2027-03-01T03:00", "2027-03-01T01:00"))
    with pytest.raises(InputError, match="17"):
        outage_slices(outages(), History(cut_off=cut, tickets=wrong), cut)


def resolved_within(hours_allowed: float, **changes: object) -> Objective:
    indicator = TicketIndicator(stage="resolution", within=timedelta(hours=hours_allowed), calendar="desk")
    return outages(indicator=replace(indicator, **changes))  # type: ignore[arg-type]


def judged(objective: Objective, log: pd.DataFrame, cut: str, until: str | None = None) -> dict[str, tuple[int, int]]:
    """Good and total by local day, of days with tickets."""
    history = History(cut_off=local(cut), tickets=log)
    found = ticket_days(objective, history, CALENDARS, local(until or cut))
    assert isinstance(found, Judged)
    assert found.unit == "tickets"
    days = [from_micros(t).astimezone(BERLIN).strftime("%m-%d") for t in found.starts.astype(np.int64).tolist()]
    rows = zip(days, found.good.tolist(), found.total.tolist(), strict=True)
    return {day: (good, total) for day, good, total in rows if total}


# Friday 5 March 2027 16:00 and 8 h of desk hours: one hour on Friday, seven on Monday 8 March, due at 16:00
OPENED, DUE = "2027-03-05T16:00", "2027-03-08T16:00"


@pytest.mark.parametrize(
    ("resolved", "expected"),
    [
        (DUE, {"03-08": (1, 1)}),  # a tie is in time
        ("2027-03-08T16:00:00.000001", {"03-08": (0, 1)}),
        ("2027-03-06T11:00", {"03-06": (1, 1)}),  # done on Saturday: counted when it was done
        ("2027-03-10T10:00", {"03-08": (0, 1)}),  # late: counted when it was due
        (None, {"03-08": (0, 1)}),
    ],
)
def test_a_ticket_counts_when_its_verdict_is_known(resolved: str | None, expected: dict[str, tuple[int, int]]) -> None:
    assert judged(resolved_within(8), frame(ticket("1", OPENED, resolved)), "2027-03-12") == expected


@pytest.mark.parametrize(
    ("counted_at", "resolved", "expected"),
    [
        ("opened", "2027-03-10T10:00", {"03-05": (0, 1)}),
        ("opened", "2027-03-08T10:00", {"03-05": (1, 1)}),
        ("opened", None, {"03-05": (0, 1)}),
        ("done", "2027-03-10T10:00", {"03-10": (0, 1)}),
        ("done", "2027-03-08T10:00", {"03-08": (1, 1)}),
        ("done", None, {"03-08": (0, 1)}),  # still open and past due: counted when it was due
    ],
)
def test_other_instants_to_count_at(
    counted_at: Literal["opened", "done"], resolved: str | None, expected: dict[str, tuple[int, int]]
) -> None:
    slo = resolved_within(8, counted_at=counted_at)
    assert judged(slo, frame(ticket("1", OPENED, resolved)), "2027-03-12") == expected


@pytest.mark.parametrize("counted_at", ["due", "opened", "done"])
def test_nothing_counts_before_it_is_known(counted_at: Literal["due", "opened", "done"]) -> None:
    slo = resolved_within(8, counted_at=counted_at)
    log = frame(ticket("1", OPENED, "2027-03-10T10:00"))
    assert judged(slo, log, "2027-03-08T15:59") == {}  # neither done nor due
    # Due on the 8th at 16:00: bad from the end of that day on, though the file already knows of the 10th
    assert judged(slo, log, "2027-03-09") == {"03-05" if counted_at == "opened" else "03-08": (0, 1)}
    early = frame(ticket("1", OPENED, "2027-03-08T10:00"))
    assert judged(slo, early, "2027-03-08T09:00") == {}  # the resolution is still to come


def test_days_that_have_not_ended_are_planned_and_unknown() -> None:
    history = History(cut_off=local("2027-03-08T18:00"), tickets=frame(ticket("1", OPENED)))
    found = ticket_days(resolved_within(8), history, CALENDARS, local("2027-03-10"))
    assert isinstance(found, Judged)
    assert found.known.tolist() == [True] * 3 + [False] * 2  # 5, 6, 7 March; the 8th has not ended
    assert found.eligible.all()
    assert found.total.sum() == 0


@pytest.mark.parametrize(
    ("pauses", "due"),
    [
        ((("2027-03-08T10:00", "2027-03-08T12:00"),), "2027-03-09T10:00"),  # Monday has 6 h, one is left
        ((("2027-03-06T10:00", "2027-03-07T12:00"),), DUE),  # the desk was closed
        ((("2027-03-08T16:00", "2027-03-08T17:00"),), DUE),  # begins when the time is used up
        # 15:59 to 16:30: a minute was left, the clock goes on at 16:30
        ((("2027-03-08T15:59", "2027-03-08T16:30"),), "2027-03-08T16:31"),
        # Overlapping pauses stop the clock once: 10:00-12:00
        ((("2027-03-08T10:00", "2027-03-08T11:30"), ("2027-03-08T11:00", "2027-03-08T12:00")), "2027-03-09T10:00"),
        # Paused from before the opening: only 16:00-16:30 of Friday matters
        ((("2027-03-05T09:00", "2027-03-05T16:30"),), "2027-03-08T16:30"),
    ],
)
def test_waiting_stops_the_clock(pauses: tuple[tuple[str, str | None], ...], due: str) -> None:
    earlier = ticket("0", "2027-03-01T09:00", "2027-03-01T09:00")  # so that the desk was open before
    day = due[5:10]
    tie = frame(earlier, ticket("1", OPENED, due, pauses=pauses))
    assert judged(resolved_within(8), tie, "2027-03-12") == {"03-01": (1, 1), day: (1, 1)}
    late = frame(earlier, ticket("1", OPENED, f"{due}:00.000001", pauses=pauses))
    assert judged(resolved_within(8), late, "2027-03-12") == {"03-01": (1, 1), day: (0, 1)}


def test_a_ticket_that_still_waits_is_not_due_and_pauses_can_be_left_out() -> None:
    log = frame(ticket("1", OPENED, pauses=(("2027-03-08T15:00", None),)))
    assert judged(resolved_within(8), log, "2027-03-20") == {}
    assert judged(resolved_within(8, pauses=False), log, "2027-03-20") == {"03-08": (0, 1)}


def test_the_clock_of_a_night_desk_when_clocks_go_forward() -> None:
    # Saturday 27 March 2027 22:00 to 06:00 has 7 h; the eighth hour is over on Sunday at 23:00
    slo = resolved_within(8, calendar="night")
    opened = "2027-03-27T22:00"
    assert judged(slo, frame(ticket("1", opened, "2027-03-28T23:00")), "2027-04-01") == {"03-28": (1, 1)}
    assert judged(slo, frame(ticket("1", opened, "2027-03-28T23:01")), "2027-04-01") == {"03-28": (0, 1)}


def test_without_a_calendar_the_service_hours_or_all_time() -> None:
    round_clock = resolved_within(8, calendar=None)
    log = frame(ticket("1", OPENED, "2027-03-06T00:00"), ticket("2", OPENED, "2027-03-06T00:01"))
    # 16:00 + 8 h = midnight: the first is good and counts on the 6th, as the second, due at that midnight
    assert judged(round_clock, log, "2027-03-12") == {"03-06": (1, 2)}
    at_desk = replace(round_clock, time=ServiceTime(hours=DESK))
    assert judged(at_desk, frame(ticket("1", OPENED, DUE)), "2027-03-12") == {"03-08": (1, 1)}


def test_exclusions_stop_the_clock_drop_tickets_or_forgive_them() -> None:
    def with_exclusion(mode: ExclusionMode, start: str, end: str) -> Objective:
        return replace(resolved_within(8), time=ServiceTime(exclusions=(exclusion(start, end, mode),)))

    late = frame(ticket("1", OPENED, "2027-03-08T16:30"))
    assert judged(resolved_within(8), late, "2027-03-12") == {"03-08": (0, 1)}
    removed = with_exclusion(ExclusionMode.REMOVE, "2027-03-08T10:00", "2027-03-08T10:30")
    assert judged(removed, late, "2027-03-12") == {"03-08": (1, 1)}  # due half an hour later: a tie
    # It counts at 16:00, when it was due
    dropped = with_exclusion(ExclusionMode.DROP_EVENTS, "2027-03-08T15:00", "2027-03-08T17:00")
    assert judged(dropped, late, "2027-03-12") == {}
    history = History(cut_off=local("2027-03-12"), tickets=late)
    found = ticket_days(dropped, history, CALENDARS, local("2027-03-12"))
    assert isinstance(found, Judged)
    assert found.dropped.tolist() == [False] * 3 + [True] + [False] * 3
    forgiven = with_exclusion(ExclusionMode.COUNT_AS_GOOD, "2027-03-08T15:00", "2027-03-08T17:00")
    assert judged(forgiven, late, "2027-03-12") == {"03-08": (1, 1)}


def test_kinds_priorities_and_stages_are_chosen() -> None:
    log = frame(
        ticket("1", OPENED, "2027-03-08T12:00", responded="2027-03-05T16:10"),
        ticket("2", OPENED, "2027-03-08T12:00", responded="2027-03-05T16:10", kind="request"),
        ticket("3", OPENED, "2027-03-08T12:00", responded="2027-03-05T16:40", priority="2"),
        ticket("4", OPENED, "2027-03-08T12:00", responded="2027-03-05T16:40"),
    )
    response = resolved_within(0.5, stage="response", kinds=("incident",), priorities=("1",))
    assert judged(response, log, "2027-03-12") == {"03-05": (1, 2)}
    nobody = resolved_within(8, kinds=("change",))
    assert judged(nobody, log, "2027-03-12") == {}
    cut = local("2027-03-12")
    assert isinstance(ticket_days(nobody, History(cut_off=cut), CALENDARS, cut), Excuse)
    with pytest.raises(InputError, match="desk"):
        ticket_days(response, History(cut_off=cut, tickets=log), {}, cut)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    st.integers(0, 3 * 96),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(0, 3 * 96), st.integers(0, 60)), max_size=4),
    st.integers(0, 5 * 96),
)
def test_business_time_is_counted_quarter_by_quarter(
    opened: int, within: int, pauses: list[tuple[int, int]], done: int
) -> None:
    """Against a loop over the quarters of an hour from Thursday 4 March 2027 on."""
    first = local("2027-03-04")

    def text(quarter: int) -> str:
        return (first + quarter * timedelta(minutes=15)).astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M")

    done = opened + done
    rows = tuple((text(a), text(a + n)) for a, n in pauses)
    log = frame(ticket("1", text(opened), text(done), pauses=rows))
    waiting = {q for a, n in pauses for q in range(a, a + n)}
    used, due = 0, opened
    while used < within:
        weekday, of_day = (3 + due // 96) % 7, due % 96
        used += weekday < 5 and 36 <= of_day < 68 and due not in waiting  # 09:00 to 17:00
        due += 1
    good = done <= due
    day = (first + min(done, due) * timedelta(minutes=15)).astimezone(BERLIN).strftime("%m-%d")
    assert judged(resolved_within(within / 4), log, "2027-03-25") == {day: (int(good), 1)}


quarters = st.tuples(st.integers(0, 90), st.integers(0, 30))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(st.tuples(quarters, st.lists(quarters, max_size=3), st.booleans()), min_size=1, max_size=4))
def test_time_down_is_counted_quarter_by_quarter(
    rows: list[tuple[tuple[int, int], list[tuple[int, int]], bool]],
) -> None:
    """Against sets of quarters of an hour of 4 March 2027; the cut-off is the end of the day."""

    def text(quarter: int) -> str:
        return (local("2027-03-04") + quarter * timedelta(minutes=15)).astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M")

    down: set[int] = set()
    made = []
    for k, ((opened, lasted), pauses, done) in enumerate(rows):
        closed = min(opened + lasted, 96) if done else 96
        down |= set(range(opened, closed)) - {q for a, n in pauses for q in range(a, a + n)}
        waits = tuple((text(a), text(a + n)) for a, n in pauses)
        made.append(outage(str(k), text(opened), text(closed) if done else None, pauses=waits))
    cut = local("2027-03-05")
    found = outage_slices(outages(), History(cut_off=cut, tickets=frame(*made)), cut)
    assert isinstance(found, Judged)
    expected = [sum(15 for q in range(4 * h, 4 * h + 4) if q not in down) for h in range(24)]
    assert (found.good // MINUTE).tolist() == expected


def test_tickets_as_they_stood_at_a_cut_off() -> None:
    log = frame(
        ticket(
            "1",
            "2027-03-01T08:00",
            "2027-03-01T12:00",
            responded="2027-03-01T09:00",
            pauses=(
                ("2027-03-01T08:30", "2027-03-01T08:45"),
                ("2027-03-01T09:30", "2027-03-01T11:00"),
                ("2027-03-01T11:10", None),
            ),
        ),
        ticket("2", "2027-03-01T10:00"),
        ticket("3", "2027-03-01T07:00", "2027-03-01T09:59:59"),
    )
    before = log.copy()
    known = tickets_known(log, local("2027-03-01T10:00"))
    assert known["ticket"].tolist() == ["1", "3"]  # what happens at the cut-off is not known
    assert known["resolved"].isna().tolist() == [True, False]
    assert known["responded"].isna().tolist() == [False, True]
    assert pauses_of(known["pauses"].iloc[0]) == [
        (local("2027-03-01T08:30"), local("2027-03-01T08:45")),
        (local("2027-03-01T09:30"), None),
    ]
    for cut, expected in (
        ("2027-03-01T08:45", [(local("2027-03-01T08:30"), None)]),  # its end is not known yet
        ("2027-03-01T08:30", []),  # nor is its beginning
    ):
        assert pauses_of(tickets_known(log, local(cut))["pauses"].iloc[0]) == expected
    pd.testing.assert_frame_equal(log, before)
    pd.testing.assert_frame_equal(tickets_known(log, local("2027-03-02")), log)
    assert list(tickets_known(log.iloc[:0], local("2027-03-02")).columns) == list(TICKET_COLUMNS)
    with pytest.raises(InputError, match="pauses"):
        tickets_known(log.drop(columns="pauses"), local("2027-03-02"))


@pytest.mark.parametrize(
    "text",
    ["", "x", "[1]", '[["2027-03-01T08:00:00"]]', '[["2027-03-01T08:00:00", null]]',
     '[["2027-03-01T08:00:00Z", "2027-03-01T07:00:00Z"]]', "{}x", "[[null, null]]"],
)  # fmt: skip
def test_pauses_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="pauses of a ticket"):
        pauses_of(text)


def test_a_hundred_thousand_tickets_are_quick() -> None:
    n = 100_000
    opened = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) * 15, unit="min")
    log = pd.DataFrame(
        {
            "service": "shop",
            "ticket": [str(k) for k in range(n)],
            "kind": "incident",
            "priority": "1",
            "opened": opened.astype("datetime64[us]"),
            "responded": pd.NaT,
            "resolved": (opened + pd.Timedelta(hours=20)).astype("datetime64[us]"),
            "pauses": ["[]"] * n,
        }
    ).astype({"responded": "datetime64[us]"})
    cut = local("2027-01-01")
    begun = stopwatch.process_time()
    found = ticket_days(resolved_within(8), History(cut_off=cut, tickets=log), CALENDARS, cut)
    assert stopwatch.process_time() - begun < 2.0
    assert isinstance(found, Judged)
    assert 0.9 * n < int(found.total.sum()) <= n
