"""Statements on one window by hand: rounding and ties, validity, late data, whole-day slices, planned time, tiers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forecasting.service_levels.attainment import satisfies
from forecasting.service_levels.breach.badness import DailyBadness, daily_badness
from forecasting.service_levels.breach.bar import missed_on_paths
from forecasting.service_levels.breach.by_candidate import candidate_probabilities, candidate_shares
from forecasting.service_levels.breach.planned import planned_time, planned_traffic
from forecasting.service_levels.breach.rest import rest_of
from forecasting.service_levels.breach.risk import assess_risk
from forecasting.service_levels.breach.share_forecast import ShareForecast
from forecasting.service_levels.breach.shares import Span
from forecasting.service_levels.breach.simulate import BadPaths, own_weight
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.masks import TimeMasks
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    Rounding,
)
from forecasting.terms.service_time import CalendarVersion, LocalSpan, ServiceCalendar, ServiceTime

RATIO = RatioIndicator(total="total", bad="bad")
MARCH = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
AT = datetime(2027, 3, 22, tzinfo=UTC)


def slo(target: str = "0.9", **changes: object) -> Objective:
    base = Objective(
        name="o", service="s", indicator=RATIO, target=Decimal(target), window=CalendarWindow(unit="month", zone="UTC")
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def known(good: int, total: int, *, elapsed: int = 21, seen: int | None = None) -> Attainment:
    return Attainment(
        service="s", agreement=None, objective="o", period=MARCH, target=Decimal("0.9"), good=good, total=total,
        known_slices=elapsed if seen is None else seen, elapsed_slices=elapsed, planned_slices=31, value=None,
        lower=None, upper=None, status=AttainmentStatus.RUNNING, as_of=AT, final=False,
    )  # fmt: skip


def paths(bad: list[list[float]] | NDArray[np.float64], total: float = 100.0) -> BadPaths:
    found = np.array(bad, dtype=np.float64)
    return BadPaths(
        service="s", first_day=AT.date(), bad=found, total=np.full(found.shape, total), own_share=1.0, usual=0.05
    )


# ------------------------------------------------------------------ the bar
@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    target=st.sampled_from(["0.9", "0.999", "0.9995", "0.99895", "0.3333", "0.5"]),
    decimals=st.sampled_from([None, 0, 1, 2, 3]),
    mode=st.sampled_from(["half_up", "half_even", "down", "up"]),
    strict=st.booleans(),
    total=st.sampled_from([200, 1000, 2000, 100_000]),
    near=st.integers(-12, 12),
)
def test_a_path_is_missed_where_the_exact_rule_says_so(
    target: str, decimals: int | None, mode: str, strict: bool, total: int, near: int
) -> None:
    """Binary attainments of paths against exact fractions, around every target and rounding rule."""
    rounding = None if decimals is None else Rounding(decimals=decimals, mode=mode)  # type: ignore[arg-type]
    objective = slo(target, rounding=rounding, strict=strict)
    good = min(total, max(0, round(Decimal(target) * total) + near))
    exact = not satisfies(objective, Fraction(good), total)
    assert missed_on_paths(objective, np.array([1.0 - (total - good) / total]))[0] == exact


def test_rounding_and_ties_decide_the_probability() -> None:
    # 10 days x 100 to come, 2,000 known: 3,000 in all. 300, 301 and 315 bad of them: 90, 89.97 and 89.5 %.
    rest = paths([[10.0] * 10, [10.1] * 10, [11.5] * 10])
    so_far = known(1800, 2000)
    for changes, missed in (
        ({}, 2),
        ({"strict": True}, 3),
        ({"rounding": Rounding(decimals=1)}, 1),
        ({"rounding": Rounding(decimals=0)}, 0),
        ({"rounding": Rounding(decimals=0), "strict": True}, 3),
        ({"rounding": Rounding(decimals=1, mode="down")}, 2),
    ):
        risk = assess_risk(slo(**changes), None, so_far, rest, windows_known=9, basis="")
        assert risk.probability == (1 + missed) / 5


# ------------------------------------------------------------------ what counts
def test_days_outside_the_validity_do_not_count() -> None:
    """The agreement ends on 24 March: of ten days to come three count."""
    rest = paths([[50.0] * 3 + [0.0] * 7, [0.0] * 3 + [50.0] * 7])
    ended = slo(time=ServiceTime(valid_until=date(2027, 3, 24)))
    risk = assess_risk(ended, None, known(2000, 2000), rest, windows_known=9, basis="")
    np.testing.assert_allclose(risk.attainment_paths, [1 - 150 / 2300, 1.0])
    begins = slo(time=ServiceTime(valid_from=date(2027, 3, 25)))
    risk = assess_risk(begins, None, known(0, 0, elapsed=0), rest, windows_known=9, basis="")
    np.testing.assert_allclose(risk.attainment_paths, [1.0, 1 - 350 / 700])


def test_slices_without_data_are_simulated_not_assumed_good() -> None:
    """21 days have ended, 19 are known with 100 each: the two carry 100 each and are as bad as the rest of the path."""
    rest = paths([[0.0] * 10, [50.0] * 10])
    so_far = known(1900, 1900, seen=19)
    risk = assess_risk(slo(), None, so_far, rest, windows_known=9, basis="")
    np.testing.assert_allclose(risk.attainment_paths, [1.0, 1 - (100 + 500) / 3100])
    assert {c.name for c in risk.causes} == {"bad days to come", "data not seen yet"}
    assert next(c for c in risk.causes if c.name == "data not seen yet").share == pytest.approx(1 / 6)
    whole = rest_of(slo(), so_far, rest)
    assert whole.all_total.tolist() == [1200.0, 1200.0]
    closed = replace(so_far, final=True, status=AttainmentStatus.MET)
    assert rest_of(slo(), closed, rest).all_total.tolist() == [0.0, 0.0]


def test_tiers_are_those_of_the_attainments() -> None:
    deal = Agreement(
        id="sla", kind=AgreementKind.SLA, service="s", customer="c", provider="p", objectives=(slo(),),
        valid_from=date(2020, 1, 1), valid_until=None,
        credits=Credits(
            fee_per_period=Decimal(1000), cap_share=Decimal(1),
            tiers=(
                CreditTier(below=Decimal("0.9"), share_of_fee=Decimal("0.05")),
                CreditTier(below=Decimal("0.8"), share_of_fee=Decimal("0.2")),
            ),
        ),
    )  # fmt: skip
    # Of 1,000 events 50, 100, 150, 200 and 300 are bad: two ties, which are not below.
    risk = assess_risk(
        slo(), deal, known(0, 0, elapsed=0), paths([[b / 10] * 10 for b in (50, 100, 150, 200, 300)]),
        windows_known=9, basis="",
    )  # fmt: skip
    assert risk.tier_probabilities == ((Decimal("0.9"), pytest.approx(0.4)), (Decimal("0.8"), pytest.approx(0.2)))
    assert risk.expected_credit == pytest.approx(0.4 * 50 + 0.2 * 200)


# ------------------------------------------------------------------ traffic by plan
def hourly(days: int, hours: tuple[int, int]) -> tuple[Objective, Events]:
    """Ten calls in every hour; the promise holds on weekdays between two hours."""
    week = tuple((LocalSpan(start=time(hours[0]), end=time(hours[1])),) * (d < 5) for d in range(7))
    calendar = ServiceCalendar(name="desk", zone="UTC", versions=(CalendarVersion(weekly=week),))
    objective = slo(time=ServiceTime(hours=calendar))
    start = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
    series = {
        ("s", name): Series(
            service="s", metric=Metric(name=name, kind=MetricKind.COUNT), start=start, step=timedelta(hours=1),
            values=np.full(24 * days, value),
        )
        for name, value in (("total", 10.0), ("bad", 1.0))
    }  # fmt: skip
    events = events_of(objective, History(cut_off=start + timedelta(days=days), series=series))
    assert isinstance(events, Events)
    return objective, events


def test_what_is_planned_is_the_traffic_to_come() -> None:
    """From 8 to 18 on weekdays, ten calls an hour; asked on a Wednesday at 14:00."""
    objective, events = hourly(60, (8, 18))
    at = datetime(2027, 3, 3, 14, tzinfo=UTC)
    member = daily_badness(objective, events, tier="t", as_of=at)
    assert isinstance(member, DailyBadness)
    assert int(member.known.sum()) == 42  # weekdays of 58 days
    assert member.observed is not None
    assert int(member.observed.sum()) == 58  # weekends were seen, with nothing
    plan = planned_time(objective, events, until=datetime(2027, 4, 1, tzinfo=UTC), masks=TimeMasks())
    assert plan is not None
    coming = planned_traffic(member, plan, as_of=at, days=8, zone="UTC", first=at.date())
    assert coming == pytest.approx([40, 100, 100, 0, 0, 100, 100, 100])
    assert planned_time(slo(), events, until=at, masks=TimeMasks()) is None


def test_a_desk_that_is_closed_on_sundays_has_no_traffic_on_sundays() -> None:
    n = 70
    total = np.where(np.arange(n) % 7 == 6, 0.0, 50.0)
    member = DailyBadness(
        service="s", group="g", indicator=RATIO, first_day=date(2027, 1, 4), bad=np.zeros(n), total=total,
        known=total > 0, slices_per_day=1.0, observed=np.ones(n, dtype=bool),
    )  # fmt: skip
    assert member.recent_traffic.tolist() == [50.0] * 6 + [0.0]
    assert replace(member, observed=None).recent_traffic.tolist() == [50.0] * 7


def test_own_days_stand_for_those_to_come_where_there_are_enough_bad_ones() -> None:
    n = 730
    base = DailyBadness(
        service="s", group="g", indicator=RATIO, first_day=date(2025, 1, 1), bad=np.zeros(n), total=np.full(n, 100.0),
        known=np.ones(n, dtype=bool), slices_per_day=1.0,
    )  # fmt: skip
    assert own_weight(base) == 0.0
    for outages, weight in ((1, 1 / 6), (5, 0.5), (20, 0.8)):
        assert own_weight(replace(base, bad=np.where(np.arange(n) < outages, 40.0, 0.0))) == pytest.approx(weight)
    half = np.arange(n) < 73
    assert own_weight(replace(base, bad=np.full(n, 3.0), known=half)) < 0.21


# ------------------------------------------------------------------ candidates
def two_candidates(n: int = 401) -> ShareForecast:
    """Shares of bad that are uniform on 0 to 0.1, and on 0 to 0.2."""
    shares = np.linspace(0.0, 1.0, n)[None, :]
    said = np.stack([1.0 - np.minimum(shares / top, 1.0) for top in (0.1, 0.2)])
    weights = np.array([0.5, 0.5])
    return ShareForecast(
        span=Span(elapsed=21, gap=0, length=10), shares=shares, exceed=np.tensordot(weights, said, axes=1),
        by_candidate=said, names=("low", "high"), weights=weights, windows=3,
    )  # fmt: skip


def test_each_candidate_says_what_its_own_distribution_says() -> None:
    """2,000 good so far, 1,000 to come: 300 may be bad, a share of 0.3; with 180 bad so far, 0.12."""
    forecast = two_candidates()
    share = forecast.quantiles(0, (np.arange(1000) + 0.5) / 1000)
    rest = rest_of(slo(), known(2000, 2000), paths(np.repeat(share[:, None] * 100.0, 10, axis=1)))
    said = dict(candidate_probabilities(slo(), known(2000, 2000), rest, forecast, 0, share))
    assert said == {"low": pytest.approx(1 / 1002), "high": pytest.approx(1 / 1002)}
    said = dict(candidate_probabilities(slo(), known(1820, 2000), rest, forecast, 0, share))
    assert said == {"low": pytest.approx(1 / 1002), "high": pytest.approx(0.4, abs=0.01)}
    # A busier path: twice the bad events of every share.
    busy = replace(rest, bad=2 * rest.bad)
    said = dict(candidate_probabilities(slo(), known(1820, 2000), busy, forecast, 0, share))
    assert said == {"low": pytest.approx(0.4, abs=0.01), "high": pytest.approx(0.7, abs=0.01)}
    lost = dict(candidate_probabilities(slo(), known(1500, 2000), rest, forecast, 0, share))
    assert lost == {"low": pytest.approx(1001 / 1002), "high": pytest.approx(1001 / 1002)}


def test_a_path_keeps_its_rank_in_every_candidate() -> None:
    forecast = two_candidates()
    share = forecast.quantiles(0, (np.arange(100) + 0.5) / 100)[::-1].copy()
    low, high = candidate_shares(forecast, 0, share)
    even = (np.arange(100) + 0.5) / 100
    assert low[::-1] == pytest.approx(0.1 * even, abs=0.003)
    assert high[::-1] == pytest.approx(0.2 * even, abs=0.003)
