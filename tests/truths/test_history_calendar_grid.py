"""History on grids: days of 23, 24 and 25 hours, nothing after the cut-off, off-grid rows refused."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from forecasting.history.calendar import local_midnight, public_holidays, resample_days, slice_bounds, zone_of
from forecasting.history.change_points import find_level_shifts, find_spikes
from forecasting.history.gaps import fill_gaps, find_gaps
from forecasting.history.grid import build_history
from forecasting.history.quality import assess_quality
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind, Series

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CALLS = Metric(name="calls", kind=MetricKind.COUNT, step=HOUR)
DAILY = Metric(name="users", kind=MetricKind.NON_NEGATIVE, step=DAY)


def rows(at: list[str], values: list[float], service: str = "a", metric: str = "calls") -> pd.DataFrame:
    return pd.DataFrame({"service": service, "metric": metric, "at": pd.to_datetime(at), "value": values})


def hourly(zone: str, first: date, days: int, step: timedelta = HOUR, kind: MetricKind = MetricKind.COUNT) -> Series:
    start = local_midnight(first, zone_of(zone))
    end = local_midnight(first + days * DAY, zone_of(zone))
    metric = Metric(name="calls", kind=kind, step=step)
    return Series(
        service="a", metric=metric, start=start, step=step, values=np.ones(int((end - start) / step)), zone=zone
    )


@pytest.mark.parametrize(
    ("zone", "spring", "autumn", "short", "long"),
    [
        ("Europe/Berlin", date(2027, 3, 28), date(2027, 10, 31), 46, 50),
        ("America/New_York", date(2013, 3, 10), date(2013, 11, 3), 46, 50),
        ("Australia/Lord_Howe", date(2027, 10, 3), date(2027, 4, 4), 47, 49),
    ],
)
def test_days_have_the_length_of_their_zone(zone: str, spring: date, autumn: date, short: int, long: int) -> None:
    half = timedelta(minutes=30)
    for day, expected in ((spring, short), (autumn, long), (date(2027, 1, 15), 48)):
        series = hourly(zone, day - DAY, 3, half)
        days = resample_days(series)
        assert days.values.tolist() == [48, expected, 48]
        assert slice_bounds(days.start, DAY, zone, 3)[1] == np.datetime64(
            local_midnight(day, zone_of(zone)).replace(tzinfo=None), "us"
        )


def test_levels_are_averaged_and_one_missing_slice_makes_the_day_missing() -> None:
    series = hourly("Europe/Berlin", date(2027, 3, 27), 3, kind=MetricKind.RATIO)
    values = series.values * 0.5
    values[30] = np.nan  # inside the day of 23 hours
    days = resample_days(Series(**{**vars(series), "values": values}))
    np.testing.assert_array_equal(days.values, [0.5, np.nan, 0.5])


def test_partial_first_and_last_days_are_dropped() -> None:
    series = hourly("Europe/Berlin", date(2027, 5, 1), 4)
    cut = Series(**{**vars(series), "start": series.start + 5 * HOUR, "values": series.values[5:-3]})
    days = resample_days(cut)
    assert days.values.tolist() == [24, 24]
    assert days.start == local_midnight(date(2027, 5, 2), zone_of("Europe/Berlin"))


def test_nothing_at_or_after_the_cut_off_and_no_running_slice() -> None:
    table = rows(["2027-03-01 00:00", "2027-03-01 01:00", "2027-03-01 02:00", "2027-03-01 03:00"], [1, 2, 3, 4])
    for minute, expected in ((0, [1, 2]), (59, [1, 2])):
        history = build_history(table, {"calls": CALLS}, {"a": "UTC"}, datetime(2027, 3, 1, 2, minute, tzinfo=UTC))
        assert history.series["a", "calls"].values.tolist() == expected
    none = build_history(table, {"calls": CALLS}, {"a": "UTC"}, datetime(2027, 3, 1, 0, 30, tzinfo=UTC))
    assert none.series == {}


def test_what_is_missing_up_to_the_cut_off_is_nan() -> None:
    table = rows(["2027-03-01 03:00", "2027-03-01 00:00"], [4, 1])
    series = build_history(table, {"calls": CALLS}, {"a": "UTC"}, datetime(2027, 3, 1, 6, tzinfo=UTC)).series[
        "a", "calls"
    ]
    np.testing.assert_array_equal(series.values, [1, np.nan, np.nan, 4, np.nan, np.nan])


def test_the_order_of_rows_does_not_matter() -> None:
    at = pd.date_range("2027-01-01", periods=200, freq="h")
    table = pd.DataFrame({"service": "a", "metric": "calls", "at": at, "value": np.arange(200.0)})
    cut = datetime(2027, 2, 1, tzinfo=UTC)
    first = build_history(table, {"calls": CALLS}, {"a": "UTC"}, cut)
    second = build_history(table.sample(frac=1, random_state=1), {"calls": CALLS}, {"a": "UTC"}, cut)
    np.testing.assert_array_equal(first.series["a", "calls"].values, second.series["a", "calls"].values)


def test_off_grid_rows_are_refused_by_name() -> None:
    table = rows(["2027-03-01 00:00", "2027-03-01 01:00", "2027-03-01 02:17"], [1, 2, 3])
    with pytest.raises(InputError, match="2027-03-01T02:17:00Z"):
        build_history(table, {"calls": CALLS}, {"a": "UTC"}, datetime(2027, 3, 2, tzinfo=UTC))


def test_a_daily_grid_is_local_midnights() -> None:
    at = ["2013-03-09 05:00", "2013-03-10 05:00", "2013-03-11 04:00"]
    table = rows(at, [1, 2, 3], metric="users")
    zones = {"a": "America/New_York"}
    series = build_history(table, {"users": DAILY}, zones, datetime(2013, 3, 12, 4, tzinfo=UTC)).series["a", "users"]
    assert series.values.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="local midnights in America/New_York"):
        build_history(
            rows(["2013-03-09", "2013-03-10"], [1, 2], metric="users"), {"users": DAILY}, zones, series.start + 9 * DAY
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"service": "b"}, "service"),
        ({"metric": "cals"}, "metric"),
        ({"value": np.inf}, "infinite"),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, object], message: str) -> None:
    table = rows(["2027-03-01 00:00"], [1]).assign(**change)
    with pytest.raises(InputError, match=message):
        build_history(table, {"calls": CALLS}, {"a": "UTC"}, datetime(2027, 3, 2, tzinfo=UTC))


def test_two_values_for_a_slice_are_refused_and_equal_ones_are_one() -> None:
    cut = datetime(2027, 3, 2, tzinfo=UTC)
    same = rows(["2027-03-01 00:00", "2027-03-01 00:00"], [5, 5])
    one = build_history(same, {"calls": CALLS}, {"a": "UTC"}, cut).series["a", "calls"]
    assert int(np.sum(~np.isnan(one.values))) == 1
    with pytest.raises(InputError, match="5 and 6"):
        build_history(same.assign(value=[5.0, 6.0]), {"calls": CALLS}, {"a": "UTC"}, cut)


def test_a_wrong_year_does_not_take_all_memory() -> None:
    minute = Metric(name="calls", kind=MetricKind.COUNT, step=timedelta(minutes=1))
    table = rows(["1970-01-01 00:00", "2027-03-01 00:00"], [1, 2])
    with pytest.raises(InputError, match="wrong year"):
        build_history(table, {"calls": minute}, {"a": "UTC"}, datetime(2027, 3, 2, tzinfo=UTC))


def test_a_year_of_hours_of_78_series_takes_less_than_a_second() -> None:
    at = pd.date_range("2013-01-01 05:00", periods=8760, freq="h")
    names = [f"s{i}" for i in range(26)]
    metrics = {m: Metric(name=m, kind=MetricKind.COUNT) for m in ("x", "y", "z")}
    index = pd.MultiIndex.from_product([names, list(metrics), at], names=["service", "metric", "at"])
    table = pd.DataFrame({"value": 1.0}, index=index).reset_index()
    begun = time.process_time()
    history = build_history(
        table, metrics, dict.fromkeys(names, "America/New_York"), datetime(2014, 1, 1, 5, tzinfo=UTC)
    )
    assert time.process_time() - begun < 1.0
    assert len(history.series) == 78
    assert all(len(s) == 8760 for s in history.series.values())


def test_holidays() -> None:
    assert date(2013, 9, 2) in public_holidays("US", date(2013, 9, 1), date(2013, 9, 30))
    assert public_holidays("", date(2013, 9, 1), date(2013, 9, 30)) == {}
    with pytest.raises(InputError, match="XX"):
        public_holidays("XX", date(2013, 9, 1), date(2013, 9, 30))


def test_gaps_are_filled_by_phase() -> None:
    week = np.tile(np.arange(7.0), 6)
    holes = week.copy()
    holes[[9, 17, 18, 19, 20, 21, 22, 23, 24, 25]] = np.nan
    filled, missing = fill_gaps(holes, 7)
    np.testing.assert_allclose(filled, week)
    assert find_gaps(holes) == ((9, 1), (17, 9))
    assert missing.sum() == 10


def test_level_shifts_are_found_and_clean_series_have_none() -> None:
    false, found = 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clean = 100 + 20 * np.isin(np.arange(180) % 7, (5, 6)) + rng.normal(0, 8, 180)
        false += bool(find_level_shifts(clean, season=7))
        shifted = np.where(np.arange(180) >= 90, 10 * clean, clean)
        found += any(abs(shift.index - 90) <= 3 for shift in find_level_shifts(shifted, season=7))
    assert found >= 36
    assert false <= 2


def test_spikes_are_single_values() -> None:
    rng = np.random.default_rng(1)
    values = 100 + rng.normal(0, 5, 120)
    assert not find_spikes(values, season=7).any()
    values[50] = 1e8
    assert find_spikes(values, season=7).nonzero()[0].tolist() == [50]
    assert not find_spikes(np.where(np.arange(120) > 60, 1e4, values), season=7)[61:].any()


def test_quality_says_what_it_found() -> None:
    values = np.r_[np.full(40, 10.0), [-1.0], np.arange(10.0), np.full(3, np.nan)]
    series = Series(
        service="a",
        metric=Metric(name="calls", kind=MetricKind.COUNT),
        start=datetime(2027, 3, 1, tzinfo=UTC),
        step=DAY,
        values=values,
    )
    quality = assess_quality(series, datetime(2027, 4, 27, 12, tzinfo=UTC))
    assert (quality.rows, quality.missing, quality.stale_slices) == (51, 0, 6)
    notes = " | ".join(quality.notes)
    assert "constant 10 for 40 days from 2027-03-01" in notes
    assert "1 negative value in a count" in notes
    assert "last 6 slices" in notes
