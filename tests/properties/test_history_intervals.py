"""Interval algebra against sets of whole numbers; wall-clock times against the library zoneinfo, one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.history import intervals as iv
from forecasting.history.wall_clock import to_utc, to_wall, wall_micros
from forecasting.service_levels.service_time import NEVER, business_time, due_instants
from forecasting.terms.errors import InputError

SPAN = 40
pairs = st.lists(st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)).map(lambda p: (min(p), max(p))), max_size=8)
lawful = settings(derandomize=True, max_examples=150, deadline=None)


def points(found: iv.Intervals | list[tuple[int, int]]) -> set[int]:
    return {t for a, b in np.asarray(found, dtype=np.int64).reshape(-1, 2).tolist() for t in range(a, b)}


def is_canonical(found: iv.Intervals) -> bool:
    flat = found.reshape(-1)
    return found.dtype == np.int64 and found.shape[1:] == (2,) and bool(np.all(np.diff(flat) > 0))


@lawful
@given(pairs, pairs)
def test_the_algebra_is_that_of_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = iv.normalise(one), iv.normalise(other)
    for found, expected in (
        (a, points(one)),
        (iv.union(a, b), points(one) | points(other)),
        (iv.intersect(a, b), points(one) & points(other)),
        (iv.subtract(a, b), points(one) - points(other)),
        (iv.clip(a, 7, 23), points(one) & set(range(7, 23))),
    ):
        assert is_canonical(found)
        assert points(found) == expected
        assert iv.length(found) == len(expected)


@lawful
@given(pairs, pairs)
def test_slices_are_measured_point_by_point(one: list[tuple[int, int]], slices: list[tuple[int, int]]) -> None:
    a = iv.normalise(one)
    starts = np.array([s for s, _ in slices], np.int64)
    ends = np.array([e for _, e in slices], np.int64)
    counted = points(one)
    wanted = [set(range(s, e)) for s, e in slices]
    assert iv.measure(a, starts, ends).tolist() == [len(w & counted) for w in wanted]
    assert iv.inside(a, starts, ends).tolist() == [w <= counted for w in wanted]
    assert iv.overlaps(a, starts, ends).tolist() == [bool(w & counted) for w in wanted]
    assert iv.contains(a, starts).tolist() == [s in counted for s, _ in slices]


@lawful
@given(pairs, st.lists(st.integers(0, SPAN), max_size=6), st.integers(0, SPAN))
def test_due_is_the_first_instant_with_enough_open_time(
    one: list[tuple[int, int]], opened: list[int], within: int
) -> None:
    open_time = iv.normalise(one)
    starts = np.array(opened, np.int64)
    counted = points(one)
    expected = [
        next((t for t in range(s, SPAN + 1) if len(counted & set(range(s, t))) >= within), NEVER) for s in opened
    ]
    due = due_instants(open_time, starts, within)
    assert due.tolist() == expected
    reached = due < NEVER
    assert np.all(business_time(open_time, starts[reached], due[reached]) == within)


def test_a_pair_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="5 to 4"):
        iv.normalise([[0, 3], [5, 4]])


def test_instants_are_kept_to_the_microsecond() -> None:
    at = datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert iv.from_micros(iv.micros(at)) == at
    assert iv.micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1
    assert iv.micros(at.astimezone(ZoneInfo("Asia/Kathmandu"))) == iv.micros(at)


def reference(local: datetime, zone: ZoneInfo) -> int:
    """The offset before a change (fold 0) holds in a gap and in the first of two equal readings."""
    return iv.micros(local.replace(tzinfo=zone, fold=0).astimezone(UTC))


ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Africa/Casablanca",  # four changes a year around Ramadan
    "Asia/Pyongyang",
    "America/Caracas",
    "Europe/Dublin",  # winter time is the exception there
    "UTC",
)


@pytest.mark.parametrize("zone", ZONES)
def test_wall_clock_times_are_turned_as_zoneinfo_does(zone: str) -> None:
    tz = ZoneInfo(zone)
    # Every 9 h 10 min of 24 years meets all times of the day, and every 10 min all of two years with odd changes.
    long, close = datetime.fromisoformat("2006-01-01"), datetime.fromisoformat("2011-01-01")
    locals_ = [long + k * timedelta(minutes=550) for k in range(23_000)]
    locals_ += [close + k * timedelta(minutes=10) for k in range(53_000)]
    found = to_utc(np.array([wall_micros(at) for at in locals_]), zone)
    assert found.tolist() == [reference(at, tz) for at in locals_]
    back = to_wall(found, zone)
    assert back.tolist() == [wall_micros(iv.from_micros(t).astimezone(tz).replace(tzinfo=None)) for t in found.tolist()]
