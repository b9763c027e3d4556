"""The score of warnings against a replay counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from forecasting.early_warning.score import ReplayedDecision, alarm_score
from forecasting.terms.errors import InputError

END = datetime(2013, 10, 1, tzinfo=UTC)


def said(window: str, days_before: float, probability: float, breached: bool) -> ReplayedDecision:
    at = END - timedelta(days=days_before)
    return ReplayedDecision(window=window, at=at, probability=probability, window_end=END, breached=breached)


REPLAY = [
    said("a", 30, 0.2, True), said("a", 20, 0.5, True), said("a", 5, 0.1, True),  # warned 20 days ahead
    said("b", 20, 0.3, True), said("b", 3, 0.9, True),  # warned, but only 3 days ahead: a surprise
    said("c", 20, 0.1, True),  # never warned: a surprise
    said("d", 20, 0.6, False), said("d", 10, 0.7, False),  # one false warning, not two
    said("e", 20, 0.1, False),
]  # fmt: skip


def test_the_replay_counted_by_hand() -> None:
    s = alarm_score(REPLAY, threshold=0.35, required_lead_days=7)
    assert (s.windows, s.breaches, s.warned) == (5, 3, 3)
    assert s.precision == pytest.approx(2 / 3)
    assert s.recall == pytest.approx(2 / 3)
    assert s.surprise_rate == pytest.approx(2 / 3)
    assert s.false_per_100_windows == pytest.approx(20.0)
    assert s.median_lead_days == pytest.approx(11.5)


def test_the_order_of_decisions_does_not_matter() -> None:
    assert alarm_score(REPLAY[::-1], threshold=0.35, required_lead_days=7) == alarm_score(
        REPLAY, threshold=0.35, required_lead_days=7
    )


def test_a_threshold_nobody_reaches_gives_no_precision() -> None:
    s = alarm_score(REPLAY, threshold=0.99, required_lead_days=7)
    assert s.precision is None
    assert s.recall == 0.0
    assert s.surprise_rate == 1.0
    assert s.median_lead_days is None


def test_nothing_replayed() -> None:
    s = alarm_score([], threshold=0.35, required_lead_days=7)
    assert (s.windows, s.precision, s.recall, s.surprise_rate, s.false_per_100_windows) == (0, None, None, None, 0.0)


def test_two_outcomes_of_one_window_are_refused() -> None:
    with pytest.raises(InputError, match="one outcome"):
        alarm_score([said("a", 3, 0.5, True), said("a", 2, 0.5, False)], threshold=0.35, required_lead_days=7)
