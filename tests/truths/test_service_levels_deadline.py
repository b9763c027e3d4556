"""Deadlines by hand: ties, days that are not due, nights of 7 and 9 hours, exclusions at the instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from forecasting.service_levels.indicators.deadline import deadline_days
from forecasting.service_levels.judged import Judged
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import DeadlineIndicator
from forecasting.terms.service_level import CalendarWindow, Objective
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    ServiceCalendar,
    ServiceTime,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
BATCH = Metric(name="batch", kind=MetricKind.REAL, unit="min", step=DAY)
NAN = float("nan")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def done(first: str, values: list[float], metric: Metric = BATCH) -> History:
    series = Series(
        service="dwh",
        metric=metric,
        start=local(first),
        step=metric.step,
        values=np.array(values),
        zone="Europe/Berlin",
    )
    end = datetime.fromisoformat(first).date() + len(values) * DAY
    return History(cut_off=local(end.isoformat()), series={("dwh", "batch"): series})


def by(at: time = time(6), *, agreed: ServiceTime | None = None, **more: object) -> Objective:
    return Objective(
        name="batch-done",
        service="dwh",
        indicator=replace(DeadlineIndicator(metric="batch", by=at), **more),  # type: ignore[arg-type]
        target=Decimal("0.95"),
        window=CalendarWindow(unit="month", zone="Europe/Berlin"),
        time=agreed or ServiceTime(),
    )


WEEK = tuple((LocalSpan(start=time(9), end=time(17)),) if d < 5 else () for d in range(7))
OFFICE = {
    "office": ServiceCalendar(
        name="office",
        zone="Europe/Berlin",
        versions=(CalendarVersion(weekly=WEEK, country="DE", subdivision="BE"),),
    )
}


def judged(objective: Objective, history: History, until: datetime | None = None) -> Judged:
    found = deadline_days(objective, history, OFFICE, until or history.cut_off)
    assert isinstance(found, Judged)
    assert found.unit == "days"
    return found


def test_minutes_after_midnight() -> None:
    # 06:00 is minute 360; a tie is in time; negative = the evening before; 1500 = 01:00 of the next day
    found = judged(by(), done("2027-03-01", [360.0, 360.5, NAN, -30.0, 1500.0]))
    assert found.good.tolist() == [1, 0, 0, 1, 0]
    assert found.total.tolist() == [1, 1, 0, 1, 1]
    assert found.known.tolist() == [True, True, False, True, True]
    assert found.eligible.all()


def test_days_that_are_not_due() -> None:
    # Saturday 6 and Sunday 7 March 2027; Monday the 8th is a holiday in Berlin
    found = judged(by(calendar="office"), done("2027-03-05", [300.0, 300.0, NAN, 300.0, NAN]))
    assert found.eligible.tolist() == [True, False, False, False, True]
    assert found.total.tolist() == [1, 0, 0, 0, 0]
    assert found.known.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    ("day", "at", "minutes", "good"),
    [
        ("2027-03-28", time(6, 50), 470.0, 1),  # 22:00 + 470 min = 05:50 on the old clock, 06:50 on the new one
        ("2027-03-28", time(6, 49), 470.0, 0),
        ("2027-03-28", time(6), 420.0, 1),  # the night has 7 h
        ("2027-03-28", time(6), 421.0, 0),
        ("2027-10-31", time(6), 540.0, 1),  # the night has 9 h
        ("2027-10-31", time(6), 540.001, 0),
        ("2027-07-01", time(6), 480.0, 1),
        ("2027-07-01", time(6), 481.0, 0),
    ],
)
def test_run_times_are_elapsed_time(day: str, at: time, minutes: float, good: int) -> None:
    assert judged(by(at, start=time(22)), done(day, [minutes])).good.tolist() == [good]


def test_a_start_on_the_same_day() -> None:
    # 01:00 to 06:00 on 28 March 2027 has 4 h
    objective = by(start=time(1), start_day_offset=0)
    assert judged(objective, done("2027-03-27", [300.0, 241.0])).good.tolist() == [1, 0]
    assert judged(objective, done("2027-03-27", [301.0, 240.0])).good.tolist() == [0, 1]


def test_exclusions_count_at_the_instant_of_the_deadline() -> None:
    def around(day: int, start: str, end: str, mode: ExclusionMode) -> Exclusion:
        return Exclusion(
            start=local(f"2027-03-0{day}T{start}"), end=local(f"2027-03-0{day}T{end}"), reason="agreed", mode=mode
        )

    agreed = ServiceTime(
        exclusions=(
            around(1, "02:00", "06:00", ExclusionMode.REMOVE),  # over when it is 06:00
            around(2, "06:00", "06:01", ExclusionMode.REMOVE),
            around(3, "05:00", "07:00", ExclusionMode.DROP_EVENTS),
            around(4, "05:00", "07:00", ExclusionMode.COUNT_AS_GOOD),
            around(5, "05:00", "07:00", ExclusionMode.COUNT_AS_GOOD),
        ),
        valid_until=date(2027, 3, 6),
    )
    found = judged(by(agreed=agreed), done("2027-03-01", [400.0, 400.0, 400.0, 400.0, NAN, 300.0, 300.0]))
    assert found.eligible.tolist() == [True, False, True, True, True, True, False]
    assert found.dropped.tolist() == [False, False, True, False, False, False, False]
    assert found.known.tolist() == [True, False, True, True, True, True, False]
    assert found.good.tolist() == [0, 0, 0, 1, 1, 1, 0]
    assert found.total.tolist() == [1, 0, 0, 1, 1, 1, 0]


def test_days_to_come_are_planned_and_unknown() -> None:
    found = judged(by(), done("2027-03-27", [300.0]), until=local("2027-03-30"))
    assert found.eligible.tolist() == [True] * 3
    assert found.known.tolist() == [True, False, False]
    assert np.diff(found.starts).astype("timedelta64[h]").astype(int).tolist() == [24, 23]
    assert len(judged(by(), done("2027-03-27", [300.0]), until=local("2027-03-30T00:01"))) == 4


def test_what_cannot_be_judged() -> None:
    history = done("2027-03-01", [300.0])
    assert isinstance(deadline_days(by(), replace(history, series={}), {}, history.cut_off), Excuse)
    with pytest.raises(InputError, match="office"):
        deadline_days(by(calendar="office"), history, {}, history.cut_off)
    hourly = done("2027-03-01", [300.0], replace(BATCH, step=timedelta(hours=1)))
    with pytest.raises(InputError, match="step"):
        deadline_days(by(), hourly, {}, history.cut_off)
