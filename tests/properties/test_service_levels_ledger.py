"""Attainment: parts add up, a minute-by-minute count agrees, scale and shift, stricter targets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham", "America/Sao_Paulo")
TARGETS = ("0.5", "0.9", "0.95", "0.999", "0.9995")
QUICK = settings(derandomize=True, max_examples=60, deadline=None)


def objective(target: str = "0.9", unit: str = "day", zone: str = "UTC") -> Objective:
    return Objective(
        name="o",
        service="a",
        indicator=RatioIndicator(total="total", good="good"),
        target=Decimal(target),
        window=CalendarWindow(unit=unit, zone=zone),  # type: ignore[arg-type]
    )


def events(good: np.ndarray, total: np.ndarray, start: datetime, step: timedelta, zone: str = "UTC") -> Events:
    series = {
        ("a", name): Series(
            service="a",
            metric=Metric(name=name, kind=MetricKind.COUNT, step=step),
            start=start,
            step=step,
            values=values,
            zone=zone,
        )
        for name, values in (("good", good), ("total", total))
    }
    found = events_of(objective(), History(cut_off=datetime(2040, 1, 1, tzinfo=UTC), series=series))
    assert isinstance(found, Events)
    return found


def random_counts(seed: int, n: int, gaps: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw good and total per slice, some missing, some without traffic."""
    rng = np.random.default_rng(seed)
    total = rng.poisson(rng.choice([0.3, 3.0, 400.0]), n).astype(float)
    good = rng.binomial(total.astype(int), rng.choice([0.5, 0.9, 0.999])).astype(float)
    good[rng.random(n) < gaps] = np.nan
    total[rng.random(n) < gaps / 2] = np.nan
    return good, total


@QUICK
@given(
    seed=st.integers(0, 10**6),
    gaps=st.sampled_from([0.0, 0.03, 0.4]),
    cuts=st.lists(st.integers(0, 200 * 60), max_size=8),
    at=st.integers(-60, 260 * 60),
)
def test_parts_add_up_to_the_whole(seed: int, gaps: float, cuts: list[int], at: int) -> None:
    """Any partition, its bounds at any minute, also inside slices and outside the data: every event counts once."""
    start = datetime(2027, 3, 25, tzinfo=UTC)
    found = events(*random_counts(seed, 200, gaps), start, timedelta(hours=1))
    bounds = [-600, *sorted(cuts), 230 * 60]
    instants = [start + timedelta(minutes=m) for m in bounds]
    parts = [Period(start=a, end=b, label="") for a, b in pairwise(instants)]
    whole = Period(start=instants[0], end=instants[-1], label="")
    as_of = start + timedelta(minutes=at)
    pieces = attainments(objective(), found, parts, as_of=as_of)
    one = attainments(objective(), found, [whole], as_of=as_of)[0]

    def figures(a: Attainment) -> tuple[int, ...]:
        return a.good, a.total, a.known_slices, a.elapsed_slices, a.planned_slices

    assert tuple(np.sum([figures(p) for p in pieces], axis=0)) == figures(one)
    assert all(0 <= p.known_slices <= p.elapsed_slices <= p.planned_slices for p in pieces)


def by_hand(found: Events, period: Period, as_of: datetime, target: Decimal) -> tuple[int, int, int, bool | None]:
    """Count slice by slice with plain Python numbers."""
    good = total = known = 0
    for k in range(len(found.starts)):
        begin = found.starts[k].item().replace(tzinfo=UTC)
        end = found.ends[k].item().replace(tzinfo=UTC)
        if period.start <= begin < period.end and end <= as_of and found.known[k]:
            good, total, known = good + int(found.good[k]), total + int(found.total[k]), known + 1
    return good, total, known, (Fraction(good, total) >= Fraction(target) if total else None)


@QUICK
@given(
    seed=st.integers(0, 10**6),
    zone=st.sampled_from(ZONES),
    unit=st.sampled_from(["day", "week"]),
    target=st.sampled_from(TARGETS),
    minutes=st.sampled_from([15, 30, 60]),
    spring=st.booleans(),
)
def test_slice_by_slice_count_agrees(seed: int, zone: str, unit: str, target: str, minutes: int, spring: bool) -> None:
    """Around both changes of the clocks, in zones with whole, half and odd offsets."""
    start = datetime(2018, 3 if spring else 10, 20, tzinfo=UTC)
    step = timedelta(minutes=minutes)
    n = 20 * 24 * 60 // minutes
    found = events(*random_counts(seed, n, 0.02), start, step)
    promise = objective(target, unit, zone)
    as_of = start + timedelta(minutes=int(np.random.default_rng(seed).integers(n * minutes // 2, n * minutes)))
    periods = closed_periods(promise.window, since=start, as_of=as_of)
    for period, one in zip(periods, attainments(promise, found, periods, as_of=as_of), strict=True):
        good, total, known, met = by_hand(found, period, as_of, promise.target)
        assert (one.good, one.total, one.known_slices) == (good, total, known)
        begun = [k for k in range(n + 999) if period.start <= start + k * step < period.end]
        ended = sum(start + (k + 1) * step <= as_of for k in begun)
        assert (one.planned_slices, one.elapsed_slices) == (len(begun), ended)
        if one.status in (AttainmentStatus.MET, AttainmentStatus.BREACHED) and known == ended:
            assert (one.status is AttainmentStatus.MET) is met
        if total:
            assert one.lower is not None
            assert one.value is not None
            assert one.upper is not None
            assert 0 <= one.lower <= one.value <= one.upper <= 1


@QUICK
@given(seed=st.integers(0, 10**6), zone=st.sampled_from(ZONES), first=st.dates(date(2018, 1, 1), date(2018, 11, 30)))
def test_daily_slices_fall_into_their_local_month(seed: int, zone: str, first: date) -> None:
    tz = ZoneInfo(zone)
    start = datetime(first.year, first.month, first.day, tzinfo=tz).astimezone(UTC)
    good, total = random_counts(seed, 100, 0.02)
    found = events(good, total, start, timedelta(days=1), zone)
    promise = objective("0.9", "month", zone)
    as_of = start + timedelta(days=150)
    periods = closed_periods(promise.window, since=start, as_of=as_of)
    months = [f"{first + timedelta(days=k):%Y-%m}" for k in range(100)]
    both = ~np.isnan(good) & ~np.isnan(total)
    for one in attainments(promise, found, periods, as_of=as_of):
        mine = np.array([m == one.period.label for m in months]) & both
        assert (one.good, one.total, one.known_slices) == (good[mine].sum(), total[mine].sum(), mine.sum())


@QUICK
@given(seed=st.integers(0, 10**6), factor=st.integers(2, 1000), gaps=st.sampled_from([0.0, 0.3]))
def test_scale_and_shift_leave_the_verdict(seed: int, factor: int, gaps: float) -> None:
    """k times the traffic, or the same a week later: the same attainment, exactly."""
    start, week = datetime(2027, 6, 7, tzinfo=UTC), timedelta(days=7)
    good, total = random_counts(seed, 96, gaps)
    days = [Period(start=start + timedelta(days=k), end=start + timedelta(days=k + 1), label="") for k in range(4)]
    moved = [replace(p, start=p.start + week, end=p.end + week) for p in days]
    as_of = start + timedelta(days=4)
    hour = timedelta(hours=1)
    plain = attainments(objective(), events(good, total, start, hour), days, as_of=as_of)
    scaled = attainments(objective(), events(good * factor, total * factor, start, hour), days, as_of=as_of)
    shifted = attainments(objective(), events(good, total, start + week, hour), moved, as_of=as_of + week)
    for a, b, c in zip(plain, scaled, shifted, strict=True):
        assert (a.value, a.lower, a.upper, a.status) == (b.value, b.lower, b.upper, b.status)
        assert (b.good, b.total) == (a.good * factor, a.total * factor)
        assert (a.good, a.total, a.value, a.lower, a.upper, a.status) == (
            c.good, c.total, c.value, c.lower, c.upper, c.status,
        )  # fmt: skip


@QUICK
@given(
    seed=st.integers(0, 10**6),
    gaps=st.sampled_from([0.0, 0.03, 0.4]),
    targets=st.lists(st.decimals("0.001", "0.99999", places=5), min_size=2, max_size=6, unique=True),
)
def test_a_stricter_target_never_turns_a_breach_into_met(seed: int, gaps: float, targets: list[Decimal]) -> None:
    start = datetime(2027, 6, 7, tzinfo=UTC)
    found = events(*random_counts(seed, 48, gaps), start, timedelta(hours=1))
    period = Period(start=start, end=start + timedelta(days=2), label="")
    order = {AttainmentStatus.MET: 0, AttainmentStatus.UNDETERMINED: 1, AttainmentStatus.BREACHED: 2}
    verdicts = [attainments(objective(str(t)), found, [period], as_of=period.end)[0].status for t in sorted(targets)]
    if all(v in order for v in verdicts):
        ranks = [order[v] for v in verdicts]
        assert ranks == sorted(ranks)
    else:
        assert len(set(verdicts)) == 1  # no traffic or too little data, whatever the target
