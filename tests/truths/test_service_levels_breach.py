"""Breach risk against truths: hand-computed cases, closed forms and simulated services."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from forecasting.service_levels.breach.badness import DailyBadness, daily_badness
from forecasting.service_levels.breach.fast import fast_probability
from forecasting.service_levels.breach.level import LevelModel, fit_level
from forecasting.service_levels.breach.risk import assess_risk, days_of_period
from forecasting.service_levels.breach.score import Decision, brier, climatology, score_decisions
from forecasting.service_levels.breach.simulate import BadPaths, scale_odds, simulate_badness
from forecasting.service_levels.breach.worlds import draw_worlds
from forecasting.service_levels.events import Events
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.breach import BreachRisk
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    ThresholdIndicator,
)

Floats = NDArray[np.float64]
RATIO = RatioIndicator(total="total", bad="bad")
FIRST = date(2025, 1, 6)
START = datetime(2027, 3, 1, tzinfo=UTC)
MARCH = Period(start=START, end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")


def objective(target: str = "0.9", **changes: object) -> Objective:
    base = Objective(
        name="o",
        service="s0",
        indicator=RATIO,
        target=Decimal(target),
        window=CalendarWindow(unit="month", zone="UTC"),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def so_far(
    good: int = 0, total: int = 0, *, at: datetime = START, period: Period = MARCH, planned: int = 31, elapsed: int = 0
) -> Attainment:
    final = period.end <= at
    return Attainment(
        service="s0", agreement=None, objective="o", period=period, target=Decimal("0.9"), good=good, total=total,
        known_slices=elapsed, elapsed_slices=elapsed, planned_slices=planned, value=None, lower=None, upper=None,
        status=AttainmentStatus.RUNNING, as_of=at, final=final,
    )  # fmt: skip


def flat(
    bad: Floats | list[list[float]], total: float = 100.0, first: date = date(2027, 3, 1), usual: float = 0.1
) -> BadPaths:
    found = np.array(bad, dtype=np.float64)
    return BadPaths(
        service="s0", first_day=first, bad=found, total=np.full(found.shape, total), own_share=1.0, usual=usual
    )


def judge(promise: Objective, known: Attainment, paths: BadPaths, agreement: Agreement | None = None) -> BreachRisk:
    return assess_risk(promise, agreement, known, paths, windows_known=10, basis="test")


def members_of(bad: Floats, total: Floats) -> list[DailyBadness]:
    return [
        DailyBadness(
            service=f"s{k}", group="g", indicator=RATIO, first_day=FIRST, bad=bad[k].astype(float),
            total=total[k].astype(float), known=total[k] > 0, slices_per_day=24.0,
        )
        for k in range(len(bad))
    ]  # fmt: skip


def predict(bad: Floats, total: Floats, target: str, seed: int, *, n: int = 400) -> tuple[list[BreachRisk], LevelModel]:
    """Judge the next 30 days of every service, with traffic as before."""
    members = members_of(bad, total)
    days = bad.shape[1]
    level = fit_level(members, span_days=28, leads=2, block_days=3.0)
    worlds = draw_worlds(
        history_days=days, first_weekday=0, horizon=30, paths=n, mean_block_days=3.0, half_life_days=60.0, seed=seed
    )
    today = FIRST + timedelta(days=days)
    begin = datetime(today.year, today.month, today.day, tzinfo=UTC)
    window = Period(start=begin, end=begin + timedelta(days=30), label="w")
    risks = []
    for k in range(len(bad)):
        paths = simulate_badness(
            members, k, level, worlds=worlds, totals=np.full((n, 30), total[k].mean()), first_day=today,
            first_day_share=1.0, half_life_days=60.0, seed=seed,
        )  # fmt: skip
        risks.append(judge(objective(target, service=f"s{k}"), so_far(at=begin, period=window), paths))
    return risks, level


# Hand-computed statements -------------------------------------------------------------------------------------------


def test_closed_window_is_exactly_nought_or_one() -> None:
    paths = flat(np.full((50, 40), 99.0), first=date(2027, 4, 1))
    for good, expected in ((900, 0.0), (899, 1.0)):  # a tie is met
        risk = judge(objective(), so_far(good, 1000, at=MARCH.end), paths)
        assert risk.decided
        assert risk.probability == risk.probability_low == risk.probability_high == expected
        assert risk.fast_probability == expected
        assert risk.monte_carlo_error == 0.0
        assert set(risk.attainment_paths.tolist()) == {1 - (1000 - good) / 1000}
    assert judge(objective(minimum_events=1001), so_far(0, 1000, at=MARCH.end), paths).probability == 0.0
    assert judge(objective(), so_far(0, 0, at=MARCH.end), paths).probability == 0.0


def test_open_window_is_never_nought_or_one() -> None:
    for bad, expected in ((0.0, 1 / 202), (100.0, 201 / 202)):
        risk = judge(objective(), so_far(), flat(np.full((200, 31), bad)))
        assert not risk.decided
        assert risk.probability == expected
        assert 0 < risk.probability_low <= expected <= risk.probability_high < 1
    quiet = judge(objective(), so_far(95, 100), flat(np.zeros((200, 31)), total=0.0))
    assert not quiet.decided  # a forecast of no traffic is a forecast
    assert quiet.probability == 1 / 202


def test_consumed_part_counts_exactly() -> None:
    # 30 bad of 1,000 so far; 10 days x 100 to come; 2,000 in all, 200 may be bad: 170 to come are met, 171 are not.
    at = datetime(2027, 3, 22, tzinfo=UTC)
    rest = np.repeat([[16.9], [17.0], [17.1], [18.0]], 10, axis=1)
    paths = flat(rest, first=at.date())
    risk = judge(objective(), so_far(970, 1000, at=at), paths)
    assert (risk.consumed_good, risk.consumed_total) == (970, 1000)
    np.testing.assert_allclose(risk.attainment_paths, 1 - np.array([199, 200, 201, 210]) / 2000)
    assert risk.probability == 3 / 6
    assert risk.budget_spent == pytest.approx(30 / 200)


def test_threshold_indicator_is_decided_by_arithmetic() -> None:
    """Of 31 daily samples at 90 % three may be bad (3.1): the fourth decides, and so do 28 good ones."""
    promise = objective(indicator=ThresholdIndicator(metric="m", op="lt", limit=Decimal(1)))
    at = datetime(2027, 3, 11, tzinfo=UTC)
    paths = flat(np.tile([[0.0], [1.0]], (50, 21)), total=1.0, first=at.date())
    lost = judge(promise, so_far(6, 10, at=at, elapsed=10), paths)
    assert (lost.decided, lost.probability) == (True, 1.0)
    open_still = judge(promise, so_far(7, 10, at=at, elapsed=10), paths)
    assert not open_still.decided
    assert 0 < open_still.probability < 1
    late = datetime(2027, 3, 30, tzinfo=UTC)
    safe = judge(promise, so_far(28, 29, at=late, elapsed=29), flat(np.ones((9, 2)), total=1.0, first=late.date()))
    assert (safe.decided, safe.probability) == (True, 0.0)


def test_fraction_of_an_event_is_an_event_on_that_fraction_of_paths() -> None:
    # 0.31 bad events on every path; none is allowed of 310 at 99.9 %.
    risk = judge(objective("0.999"), so_far(), flat(np.full((4000, 31), 0.01), total=10.0))
    assert risk.probability == pytest.approx(0.31, abs=0.03)
    whole = judge(objective("0.99"), so_far(), flat(np.full((500, 31), 0.1), total=10.0))
    assert np.unique(np.round((1 - whole.attainment_paths) * 310, 6)).tolist() == [3.0, 4.0]


def test_minimum_events_hold_for_risk_and_credit() -> None:
    deal = Agreement(
        id="sla", kind=AgreementKind.SLA, service="s0", customer="c", provider="p", objectives=(),
        valid_from=FIRST, valid_until=None, currency="EUR", loss_per_bad_event=Decimal(2),
        credits=Credits(
            fee_per_period=Decimal(1000), cap_share=Decimal(1),
            tiers=(CreditTier(below=Decimal("0.9"), share_of_fee=Decimal("0.1")),),
        ),
    )  # fmt: skip
    paths = flat(np.full((100, 31), 5.0), total=10.0)  # half of 310 events is bad
    promised = judge(objective(), so_far(), paths, deal)
    # 155 bad, 31 allowed: 124 x 2.
    assert (promised.expected_credit, promised.expected_loss, promised.currency) == (100.0, pytest.approx(248.0), "EUR")
    exempt = judge(objective(minimum_events=311), so_far(), paths, deal)
    assert (exempt.expected_credit, exempt.expected_loss, exempt.credit_p95) == (0.0, 0.0, 0.0)
    assert exempt.probability == 1 / 102
    assert exempt.exhaustion_p50 is None


def test_exhaustion_dates_of_a_steady_burn() -> None:
    # 31 days x 100 at 90 %: 310 may be bad. 20 a day: day 16 brings 320, so the budget goes on 16 March.
    risk = judge(objective(), so_far(), flat(np.full((20, 31), 20.0)))
    assert risk.exhaustion_p10 == risk.exhaustion_p50 == datetime(2027, 3, 16, tzinfo=UTC)
    # 11 of 20 paths burn, the others do not: the early and the middle date are there; with 9 only the early one.
    for burning, middle in ((11, datetime(2027, 3, 16, tzinfo=UTC)), (9, None)):
        bad = np.zeros((20, 31))
        bad[:burning] = 20.0
        risk = judge(objective(), so_far(), flat(bad))
        assert risk.exhaustion_p10 == datetime(2027, 3, 16, tzinfo=UTC)
        assert risk.exhaustion_p50 == middle
    assert judge(objective(), so_far(), flat(np.full((20, 31), 10.0))).exhaustion_p10 is None  # a tie


def test_budget_gone_already_is_gone_now_not_before() -> None:
    at = datetime(2027, 3, 22, 18, tzinfo=UTC)
    risk = judge(objective(), so_far(0, 2000, at=at), flat(np.zeros((20, 10)), first=at.date()))
    assert risk.exhaustion_p10 == at


def test_causes_by_hand() -> None:
    # 100 bad so far; 30 days with 5 bad of 100 and one with 50: usual 5 %, so the one is a bad day.
    bad = np.full((10, 31), 5.0)
    bad[:, 7] = 50.0
    risk = judge(objective(), so_far(900, 1000), flat(bad, usual=0.05))
    shares = {c.name: c.share for c in risk.causes}
    expected = {"everyday level": 150 / 300, "already spent": 100 / 300, "bad days to come": 50 / 300}
    assert shares == pytest.approx(expected)
    assert list(shares) == list(expected)  # largest first
    assert "1 days" in risk.causes[2].evidence
    assert judge(objective(), so_far(), flat(np.zeros((10, 31)))).causes == ()


def test_interval_narrows_with_history_and_with_the_window() -> None:
    bad = np.zeros((100, 31))
    bad[:40] = 20.0
    paths = flat(bad)
    widths = []
    for windows in (0, 5, 50):
        risk = assess_risk(objective(), None, so_far(), paths, windows_known=windows, basis="")
        assert risk.probability_low < risk.probability < risk.probability_high
        widths.append(risk.probability_high - risk.probability_low)
    assert widths == sorted(widths, reverse=True)
    late = datetime(2027, 3, 22, tzinfo=UTC)
    near = judge(objective(), so_far(1800, 2000, at=late), flat(bad[:, :10], first=late.date()))
    assert near.probability_high - near.probability_low < widths[1]


def test_paths_that_end_too_early_are_refused() -> None:
    with pytest.raises(InputError, match="end of the window"):
        judge(objective(), so_far(), flat(np.zeros((5, 30))))


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_columns_of_a_rolling_window_across_the_clocks(zone: str) -> None:
    from forecasting.service_levels.windows import coming_periods
    from forecasting.terms.service_level import RollingWindow

    for month in (3, 10):
        as_of = datetime(2027, month, 10, 12, tzinfo=UTC)
        paths = flat(np.zeros((1, 120)), first=as_of.date())
        window = RollingWindow(length=timedelta(days=30), zone=zone)
        spans = [
            days_of_period(paths.first_day, p.start, p.end, zone) for p in coming_periods(window, as_of=as_of, ahead=3)
        ]
        assert spans == [slice(0, 7), slice(0, 30), slice(30, 60), slice(60, 90)]


# Parts ---------------------------------------------------------------------------------------------------------------


def test_worlds_keep_weekday_blocks_and_recency() -> None:
    worlds = draw_worlds(
        history_days=5000, first_weekday=3, horizon=300, paths=300, mean_block_days=4.0, half_life_days=1e6, seed=2
    )
    assert ((worlds - (5000 + np.arange(300))) % 7 == 0).all()
    assert worlds.min() >= 0
    assert worlds.max() < 5000
    breaks = (np.diff(worlds, axis=1) != 1).mean()
    assert 1 / breaks == pytest.approx(4.0, rel=0.03)
    ages = 400 - draw_worlds(
        history_days=400, first_weekday=0, horizon=7, paths=4000, mean_block_days=1.0, half_life_days=60.0, seed=2
    )
    assert np.median(ages) == pytest.approx(60, abs=5)  # half of the draws from the last half-life (of 400 days: 59)


def test_scaled_odds() -> None:
    assert scale_odds(np.array([0.5]), np.array([4.0])).tolist() == [0.8]
    assert scale_odds(np.array([0.0, 1.0]), np.array([1e300, 0.0])).tolist() == [0.0, 1.0]


def test_partial_days_are_not_days() -> None:
    """Minute data from 06:00 on: the first day and the day under way are left out, the 23-hour day is whole."""
    begin, minutes = datetime(2027, 3, 1, 6, tzinfo=UTC), 45 * 1440
    metric = Metric(name="total", kind=MetricKind.COUNT, step=timedelta(minutes=1))
    grid = Series(service="s0", metric=metric, start=begin, step=metric.step, values=np.zeros(minutes))
    starts = np.datetime64(begin.replace(tzinfo=None), "us") + np.arange(minutes) * np.timedelta64(1, "m")
    ones = np.ones(minutes, dtype=np.int64)
    events = Events(
        series=grid, starts=starts, ends=starts + np.timedelta64(1, "m"), good=ones, total=ones, known=ones > 0
    )
    promise = objective(window=CalendarWindow(unit="month", zone="Europe/Berlin"))
    found = daily_badness(promise, events, tier="t", as_of=datetime(2027, 4, 10, 12, tzinfo=UTC))
    assert isinstance(found, DailyBadness)
    assert found.known.tolist() == [False] + [True] * 39
    assert sorted(set(found.total[1:])) == [1380.0, 1440.0]
    assert isinstance(daily_badness(promise, events, tier="t", as_of=datetime(2027, 3, 20, tzinfo=UTC)), Excuse)


def test_unknown_day_stands_for_the_nearest_of_its_weekday() -> None:
    one = members_of(np.arange(28.0)[None, :], np.full((1, 28), 100.0))[0]
    known = np.ones(28, dtype=bool)
    known[[9, 10, 27]] = False
    filled = replace(one, known=known).filled_ratio
    assert filled[[9, 10, 27]].tolist() == [0.02, 0.03, 0.20]  # a week before (a tie goes to the earlier)


def test_level_is_carried_where_it_persists_and_not_where_it_does_not() -> None:
    rng = np.random.default_rng(8)
    days, traffic = 420, 2000
    # Persistent: a random walk of the log-odds by month; not persistent: independent day by day.
    walk = np.repeat(np.cumsum(rng.normal(0, 0.5, (8, days // 60)), axis=1), 60, axis=1) - 3.0
    restless = rng.normal(-3.0, 0.5, (8, days))
    carried = {}
    for name, odds in (("walk", walk), ("restless", restless)):
        bad = rng.binomial(traffic, 1 / (1 + np.exp(-odds))).astype(float)
        carried[name] = fit_level(
            members_of(bad, np.full(bad.shape, float(traffic))), span_days=28, leads=2, block_days=3.0
        ).carry
    assert carried["walk"][0] > 0.6
    assert carried["restless"][0] < 0.35
    assert (np.diff(carried["walk"]) <= 0).all()


def test_regime_change_is_believed_after_some_weeks() -> None:
    """Services that step from 5 % to 10 % and stay there now and then: after six weeks at 10 % a target of 92.5 %
    will be missed; without the step it will be met."""
    rng = np.random.default_rng(4)
    share = np.full((6, 420), 0.05)
    for k in range(6):
        share[k, 60 + 40 * k : 180 + 40 * k] = 0.10  # the fleet's past teaches that levels last
    share[0, -42:] = 0.10
    share[1, -42:] = 0.05
    bad = rng.binomial(1000, share).astype(float)
    risks, level = predict(bad, np.full(bad.shape, 1000.0), "0.925", 1)
    assert level.carry[0] > 0.5
    assert risks[0].probability > 0.7
    assert risks[1].probability < 0.2


# Fast path and calibration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "p", "target"), [(1000, 0.1, "0.9"), (30_000, 0.02, "0.98"), (500, 0.001, "0.999")])
def test_fast_probability_is_the_binomial_tail(n: int, p: float, target: str) -> None:
    allowed = int((1 - Decimal(target)) * n)
    fast = fast_probability(
        consumed_bad=0, consumed_total=0, remaining_total=n, share=p, share_sd=0.0, target=Decimal(target)
    )
    assert fast == pytest.approx(float(binom.sf(allowed, n, p)), rel=1e-10)


def test_fast_probability_edges_and_large_counts() -> None:
    def at(**changes: float) -> float:
        given = dict(consumed_bad=0, consumed_total=0, remaining_total=1000.0, share=0.1, share_sd=0.02) | changes  # noqa: C408
        return fast_probability(target=Decimal("0.9"), **given)  # type: ignore[arg-type]

    assert at(consumed_bad=200, consumed_total=900) == 1.0
    assert at(consumed_bad=0, consumed_total=10_000) == 0.0
    assert at(remaining_total=0.0, consumed_bad=11, consumed_total=100) == 1.0
    assert at(remaining_total=0.0, consumed_bad=10, consumed_total=100) == 0.0
    # Beta-binomial and its continuous stand-in agree where they meet, and a billion events are no burden.
    assert at(remaining_total=20_000.0) == pytest.approx(at(remaining_total=20_001.0), abs=1e-3)
    assert 0.4 < at(remaining_total=1e9) < 0.6


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_good_and_all_bad_history(share: float) -> None:
    total = np.full((1, 200), 100.0)
    risks, _ = predict(share * total, total, "0.9", 3, n=300)
    assert risks[0].probability == (1 / 302 if share == 0 else 301 / 302)
    assert set(risks[0].attainment_paths.tolist()) == {1 - share}


def test_service_without_a_bad_event_stays_nearly_safe_among_failing_peers() -> None:
    rng = np.random.default_rng(6)
    total = np.full((6, 400), 10_000.0)
    bad = np.where(rng.random((6, 400)) < 1 / 40, rng.binomial(10_000, 0.1, (6, 400)), 0).astype(float)
    bad[0] = 0.0
    risks, _ = predict(bad, total, "0.999", 5)
    assert risks[0].probability < 0.02
    assert min(r.probability for r in risks[1:]) > 0.05


@pytest.mark.parametrize(("p", "target"), [(0.05, "0.95"), (0.05, "0.945"), (0.001, "0.999"), (0.0005, "0.9995")])
def test_iid_service_is_calibrated(p: float, target: str) -> None:
    """100 events a day, each bad with probability p: P(breach) is a binomial tail."""
    check_iid(p, target, seeds=16, tolerance=0.09)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("p", "target"), [(0.05, "0.95"), (0.05, "0.945"), (0.05, "0.955"), (0.001, "0.999"), (0.0005, "0.9995")]
)
def test_iid_service_is_calibrated_over_many_seeds(p: float, target: str) -> None:
    check_iid(p, target, seeds=200, tolerance=0.05)


def check_iid(p: float, target: str, *, seeds: int, tolerance: float) -> None:
    rng = np.random.default_rng(1)
    truth = float(binom.sf(int((1 - Decimal(target)) * 3000), 3000, p))
    found = []
    for seed in range(seeds):
        bad = rng.binomial(100, p, (1, 400)).astype(float)
        found += predict(bad, np.full(bad.shape, 100.0), target, seed)[0]
    assert abs(np.mean([r.probability for r in found]) - truth) < tolerance
    assert np.mean([abs(r.probability - r.fast_probability) for r in found]) < 0.03
    # With a handful of bad events a month counts are lumpy and the two smooth them differently.
    worst = np.quantile([abs(r.probability - r.fast_probability) for r in found], 0.9)
    assert worst < (0.05 if p * 3000 >= 20 else 0.08)


@pytest.mark.nightly
def test_fleet_of_differing_services_is_calibrated() -> None:
    """Levels, drifts and bursts drawn at random; the 30 days that follow decide. Mean forecast = observed rate."""
    rng = np.random.default_rng(12)
    predicted, happened = [], []
    for seed in range(60):
        level = rng.normal(-3.0, 0.3, (6, 1)) + np.cumsum(rng.normal(0, 0.02, (6, 430)), axis=1)
        burst = np.where(rng.random((6, 430)) < 0.03, 1.5, 0.0)
        bad = rng.binomial(500, 1 / (1 + np.exp(-level - burst))).astype(float)
        total = np.full(bad.shape, 500.0)
        risks, _ = predict(bad[:, :400], total[:, :400], "0.94", seed, n=300)
        predicted += [r.probability for r in risks]
        happened += (bad[:, 400:].sum(axis=1) > 0.06 * 15_000).tolist()
    p, y = np.array(predicted), np.array(happened, dtype=float)
    assert abs(p.mean() - y.mean()) < 0.07
    assert brier(p, y) < 0.8 * brier(np.full(len(y), y.mean()), y)


# Scores ---------------------------------------------------------------------------------------------------------------


def decisions(rows: list[tuple[str, int, float, float, bool]]) -> list[Decision]:
    end = datetime(2027, 1, 1, tzinfo=UTC)
    return [
        Decision(
            service=s, objective="o", window=f"w{w:02d}", window_end=end, at=end - timedelta(days=30 - w), elapsed=0.5,
            probability=p, climatology=q, breached=y,
        )
        for s, w, p, q, y in rows
    ]  # fmt: skip


def test_score_by_hand() -> None:
    # 20 statements: 10 of 0.8 of which 8 came true, 10 of 0.2 of which 2 did; climatology 0.5 throughout.
    # Brier: 16 x 0.04 + 4 x 0.64 = 3.2, / 20 = 0.16. Climatology 0.25. Skill 1 - 0.64 = 0.36.
    rows = [("ab"[w % 2], w, 0.8, 0.5, w < 8) for w in range(10)]
    rows += [("ab"[w % 2], w + 10, 0.2, 0.5, w < 2) for w in range(10)]
    score = score_decisions(decisions(rows), protocol="by hand", seed=1, draws=400, bins=2)
    assert not isinstance(score, Excuse)
    assert (score.decisions, score.breaches) == (20, 10)
    assert score.brier == pytest.approx(0.16)
    assert score.brier_climatology == 0.25
    assert score.skill == pytest.approx(0.36)
    assert -1.0 < score.skill_low < 0.36 < score.skill_high <= 0.84 + 1e-9  # all true: 1 - 0.04 / 0.25
    assert [(round(b.predicted, 9), round(b.observed, 9), b.count) for b in score.bins] == [
        (0.2, 0.2, 10),
        (0.8, 0.8, 10),
    ]
    assert score.last - score.first == timedelta(days=19)
    assert score_decisions(decisions(rows), protocol="by hand", seed=1, draws=400, bins=2) == score


def test_score_of_too_little_is_an_excuse() -> None:
    few = [("a", w, 0.5, 0.5, True) for w in range(19)]
    assert isinstance(score_decisions(decisions(few), protocol="", seed=1), Excuse)
    one_window = [(f"s{k}", 1, 0.5, 0.5, True) for k in range(30)]
    assert isinstance(score_decisions(decisions(one_window), protocol="", seed=1), Excuse)
    perfect = [("a", w, 0.5, 1.0, True) for w in range(30)]
    assert isinstance(score_decisions(decisions(perfect), protocol="", seed=1), Excuse)


def test_climatology_by_hand() -> None:
    assert climatology(0, 0, 0, 0) == 0.5
    # Fleet (9 + 1) / (98 + 2) = 0.1; own 3 of 8: (3 + 0.2) / 10.
    assert climatology(3, 8, 9, 98) == pytest.approx(0.32)
