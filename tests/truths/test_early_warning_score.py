"""The score of warnings against a replay counted by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from forecasting.early_warning.score import replay_policy, service_months, sweep_thresholds
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import Period
from forecasting.terms.track_record import Statement

START, END = datetime(2013, 9, 1, tzinfo=UTC), datetime(2013, 10, 1, tzinfo=UTC)
SEPTEMBER = Period(start=START, end=END, label="2013-09")
OCTOBER = Period(start=END, end=datetime(2013, 11, 1, tzinfo=UTC), label="2013-10")
POLICY = AlarmPolicy(raise_at=0.35)


def said(service: str, days_before: float, probability: float, breached: bool, period: Period = SEPTEMBER) -> Statement:
    at = period.end - timedelta(days=days_before)
    elapsed = (at - period.start) / (period.end - period.start)
    return Statement(service=service, agreement="sla", objective="o", tier="", kind="month", period=period, at=at,
                     elapsed=elapsed if elapsed >= 0 else -1.0, probability=probability, breached=breached)  # fmt: skip


REPLAY = [
    said("a", 30, 0.2, True), said("a", 20, 0.5, True), said("a", 5, 0.1, True),  # warned 20 days ahead
    said("b", 20, 0.3, True), said("b", 3, 0.9, True),  # warned, but only 3 days ahead: a surprise
    said("c", 20, 0.1, True),  # never warned: a surprise
    said("d", 20, 0.6, False), said("d", 10, 0.7, False),  # one false warning, not two
    said("e", 20, 0.1, False),
]  # fmt: skip


def test_the_replay_counted_by_hand() -> None:
    s = replay_policy(REPLAY, POLICY).score
    assert (s.windows, s.breaches, s.warned) == (5, 3, 3)
    assert s.precision == pytest.approx(2 / 3)
    assert s.recall == pytest.approx(2 / 3)
    assert s.surprise_rate == pytest.approx(2 / 3)
    assert s.false_per_100_windows == pytest.approx(20.0)
    assert s.median_lead_days == pytest.approx(11.5)
    assert s.lead_p10_days == pytest.approx(3 + 0.1 * 17)  # between 3 and 20 days
    months = 5 * 30 / (365.25 / 12)
    assert s.service_months == pytest.approx(months)
    assert s.false_per_100_service_months == pytest.approx(100 / months)
    assert s.warnings_per_service_month == pytest.approx(3 / months)


def test_each_warning_says_what_came_of_it() -> None:
    found = {w.service: w for w in replay_policy(REPLAY, POLICY).warnings}
    assert set(found) == {"a", "b", "d"}
    assert (found["a"].lead_days, found["a"].in_time, found["a"].probability) == (20.0, True, 0.5)
    assert (found["b"].in_time, found["b"].breached) == (False, True)
    assert (found["d"].raised_at, found["d"].breached) == (END - timedelta(days=20), False)


def test_the_order_of_statements_does_not_matter() -> None:
    assert replay_policy(REPLAY[::-1], POLICY) == replay_policy(REPLAY, POLICY)


def test_a_threshold_nobody_reaches_gives_no_precision() -> None:
    s = replay_policy(REPLAY, AlarmPolicy(raise_at=0.99)).score
    assert s.precision is None
    assert s.recall == 0.0
    assert s.surprise_rate == 1.0
    assert s.median_lead_days is None
    assert s.lead_p10_days is None


def test_nothing_replayed_is_refused_and_a_sweep_of_it_is_empty() -> None:
    with pytest.raises(InputError, match="at least one statement"):
        replay_policy([], POLICY)
    (s,) = sweep_thresholds([], POLICY, (0.35,))
    assert (s.windows, s.precision, s.recall, s.surprise_rate, s.false_per_100_windows) == (0, None, None, None, 0.0)


def test_two_outcomes_of_one_window_are_refused() -> None:
    with pytest.raises(InputError, match="one outcome"):
        replay_policy([said("a", 3, 0.5, True), said("a", 2, 0.5, False)], POLICY)


def test_hysteresis_and_repetition_are_those_of_the_policy() -> None:
    wave = [said("a", 20, 0.4, False), said("a", 15, 0.3, False), said("a", 10, 0.4, False)]
    held = replay_policy(wave, POLICY).warnings
    assert [w.times_raised for w in held] == [1]  # 0.3 is above 0.6 × 0.35
    cleared = replay_policy([*wave[:1], said("a", 15, 0.2, False), *wave[2:]], POLICY)
    assert [w.times_raised for w in cleared.warnings] == [2]
    assert cleared.score.warned == 1
    assert cleared.score.warnings_per_service_month == pytest.approx(2 / (30 / (365.25 / 12)))
    late = replay_policy(wave, AlarmPolicy(raise_at=0.35, consecutive=2))
    assert late.warnings == ()  # never twice in a row
    twice = [said("a", 20, 0.4, False), said("a", 15, 0.5, False)]
    found = replay_policy(twice, AlarmPolicy(raise_at=0.35, consecutive=2))
    assert [w.lead_days for w in found.warnings] == [15.0]


def test_a_later_window_waits_for_the_earlier_one() -> None:
    """October is stated at the first instant of September, where September stands; it is raised once that is over."""
    both = [
        said("a", 30, 0.9, True), said("a", 61, 0.9, True, OCTOBER),
        said("a", 31, 0.9, True, OCTOBER),
    ]  # fmt: skip
    assert both[1].at == both[0].at
    assert both[1].ahead == 1
    found = {w.period.label: w.lead_days for w in replay_policy(both, POLICY).warnings}
    assert found == {"2013-09": 30.0, "2013-10": 31.0}
    alone = {w.period.label: w.lead_days for w in replay_policy(both[1:], POLICY).warnings}
    assert alone == {"2013-10": 61.0}


def test_outside_an_agreement_nobody_is_told_before_the_window_runs() -> None:
    ahead = replace(said("a", 61, 0.9, True, OCTOBER), agreement=None)
    running = replace(said("a", 20, 0.9, True, OCTOBER), agreement=None)
    assert [w.lead_days for w in replay_policy([ahead, running], POLICY).warnings] == [20.0]


def test_what_arithmetic_has_settled_is_no_early_warning() -> None:
    settled = replace(said("a", 10, 1.0, True), decided=True)
    s = replay_policy([said("a", 20, 0.1, True), settled], POLICY).score
    assert (s.warned, s.breaches, s.surprise_rate) == (0, 1, 1.0)


def test_treated_windows_are_counted_apart() -> None:
    acted = [replace(s, treated=s.service in ("a", "d")) for s in REPLAY]
    found = replay_policy(acted, POLICY)
    s = found.score
    assert (s.windows, s.breaches, s.warned, s.treated, s.treated_breaches) == (3, 2, 1, 2, 1)
    assert s.precision == 1.0
    assert s.surprise_rate == 1.0
    assert {w.service for w in found.warnings if w.treated} == {"a", "d"}


def test_the_sweep_holds_the_policy_and_the_level_that_costs_recommend() -> None:
    policy = AlarmPolicy(raise_at=0.35, by_cost=True)
    levels = {(name, "sla", "o"): 0.65 for name in "abcde"}
    found = replay_policy(REPLAY, policy, levels=levels, thresholds=(0.2, 0.5))
    assert found.recommended == 0.65
    assert [s.threshold for s in found.sweep] == [0.2, 0.35, 0.5, 0.65]
    assert (found.score.threshold, found.score.warned) == (0.65, 2)  # b at 0.9 and d at 0.7
    assert found.sweep[-1] == found.score
    plain = replay_policy(REPLAY, AlarmPolicy(raise_at=0.35), levels=levels)
    assert (plain.recommended, plain.score.warned) == (None, 3)  # costs were not asked for
    counts = [s.warned for s in plain.sweep]
    assert counts == sorted(counts, reverse=True)


def test_months_of_a_service_count_once_where_its_windows_overlap() -> None:
    quarter = Period(start=datetime(2013, 7, 1, tzinfo=UTC), end=END, label="2013-Q3")
    month = 365.25 / 12
    assert service_months([said("a", 20, 0.1, True), said("a", 20, 0.1, True, quarter)]) == pytest.approx(92 / month)
    assert service_months([said("a", 20, 0.1, True), said("b", 20, 0.1, True)]) == pytest.approx(60 / month)
    gap = [said("a", 20, 0.1, True), said("a", 20, 0.1, True, OCTOBER)]
    assert service_months(gap) == pytest.approx(61 / month)
