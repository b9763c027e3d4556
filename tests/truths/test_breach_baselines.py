"""Every simple rule against cases worked out by hand, and none of them looks ahead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from forecasting.history.calendar import slice_bounds
from forecasting.history.intervals import micros
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.baselines import BASELINES, Asked, Calibration, Past, state_baselines
from forecasting.service_levels.breach.baselines.base import as_stated, fitting_conditions, frequencies
from forecasting.service_levels.breach.baselines.climatology import drawn_to_the_base, own_record
from forecasting.service_levels.breach.baselines.holt import holt_states, trend_of_attainment
from forecasting.service_levels.breach.baselines.iid import independent_events
from forecasting.service_levels.breach.baselines.rules import (
    burning_now,
    burnt_so_far,
    extrapolated,
    last_outcome,
    on_a_line,
)
from forecasting.service_levels.events import Events
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import CalendarWindow, Objective, RatioIndicator

START = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday
WEEKS = CalendarWindow(unit="week", zone="UTC")


def past(bad: Sequence[int], total: int = 100, target: str = "0.9", step: timedelta = timedelta(days=1)) -> Past:
    """A promise by the week: so many bad of `total` in each slice."""
    slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
                    target=Decimal(target), window=WEEKS)  # fmt: skip
    n = len(bad)
    metric = Metric(name="calls", kind=MetricKind.COUNT, step=step)
    grid = Series(service="a", metric=metric, start=START, step=step, values=np.zeros(n))
    bounds = slice_bounds(START, step, "UTC", n)
    events = Events(series=grid, starts=bounds[:-1], ends=bounds[1:], good=total - np.array(bad),
                    total=np.full(n, total), known=np.ones(n, dtype=bool))  # fmt: skip
    end = START + n * step
    windows = attainments(slo, events, closed_periods(WEEKS, since=START, as_of=end), as_of=end)
    return Past.of(slo, events, events, windows, grace=timedelta(0), as_of=end)


def ask(*questions: tuple[int, float]) -> Asked:
    """Questions as (number of the week, days from its start; negative = the window is −k weeks ahead of the asking)."""
    at = [START + timedelta(days=7 * w + max(0.0, d)) if d >= 0 else START + timedelta(days=7 * (w + d))
          for w, d in questions]  # fmt: skip
    return Asked(
        at=np.array([micros(a) for a in at]),
        window=np.array([w for w, _ in questions]),
        elapsed=np.array([d / 7 if d >= 0 else d for _, d in questions]),
    )


def test_extrapolation_takes_the_share_so_far() -> None:
    one = past([9, 9, 9, 9, 9, 9, 9, 0, 20, 20, 0, 0, 0, 0])
    # Nothing yet; 9 of 100; in week 1 after two days 20 of 200 (the budget exactly), after three 40 of 300.
    said = extrapolated(one, ask((0, 0), (0, 1), (1, 2), (1, 3)))
    assert np.isnan(said[0])
    assert said[1:].tolist() == [0.0, 0.0, 1.0]


def test_a_line_through_three_days() -> None:
    """Week 1: bad 0, 0, 0, then 16, 16 on days 4 and 5; the budget is 70 bad of 700."""
    one = past([5] * 7 + [0, 0, 0, 16, 16, 0, 0])
    # After day 5 the running sums at the ends of days 3, 4, 5 are 0, 16, 32: slope 16, at the week's end 32 + 2 × 16.
    assert on_a_line(one, ask((1, 5))).tolist() == [0.0]  # 64 is not above 70
    more = past([5] * 7 + [0, 0, 0, 18, 18, 0, 0])
    assert on_a_line(more, ask((1, 5))).tolist() == [1.0]  # 36 + 2 × 18 = 72 is
    # Week 2 asked about from the first instant of week 1: five bad a day, 35 of a budget of 70.
    ahead = past([5] * 7 + [0] * 14)
    assert on_a_line(ahead, ask((2, -1))).tolist() == [0.0]
    assert on_a_line(past([11] * 7 + [0] * 14), ask((2, -1))).tolist() == [1.0]
    assert np.isnan(on_a_line(one, ask((0, 1)))[0])  # one day is no line


def test_burn_rate_alerts_by_the_workbook() -> None:
    """Hourly slices, 99.9 %, weeks: 14.4 × 7/30 = 3.36 in an hour and five minutes, of a budget of 0.1 %."""
    hours = 7 * 24 * 3
    bad = np.zeros(hours, dtype=int)
    bad[24 * 7 + 30] = 50  # hour 30 of week 1: half of a hundred
    one = past(bad.tolist(), target="0.999", step=timedelta(hours=1))
    asked = ask((1, 30 / 24), (1, 31 / 24), (1, 32 / 24), (1, 5), (2, 0), (2, 1))
    # The 3-day condition (1 × 7/30) needs its short lookback of 6 hours too, which ends six hours after the burn.
    assert burning_now(one, asked).tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    so_far = burnt_so_far(one, asked)
    assert so_far[:4].tolist() == [0.0, 1.0, 1.0, 1.0]
    assert np.isnan(so_far[4])  # nothing of week 2 has passed
    assert so_far[5] == 0.0


def test_conditions_that_cannot_be_seen_or_reached_are_left_out() -> None:
    daily = [c.name for c in fitting_conditions(past([0] * 14))]
    assert daily == ["slow-burn", "steady-burn"]  # a day of slices hides an hour and six hours
    weak = fitting_conditions(past([0] * 48 * 7, target="0.2", step=timedelta(hours=1)))
    assert all(c.threshold * Decimal("0.8") < 1 for c in weak)


def test_independent_events_are_a_binomial_with_all_of_the_past() -> None:
    from scipy.stats import binom

    one = past([5] * 7 + [20] + [5] * 6)
    (said,) = independent_events(one, ask((1, 1)))
    # 55 bad of 800 so far; of 700 in the week 70 may be bad, 20 are, 600 events to come.
    assert said == pytest.approx(binom.sf(50, 600, 55.5 / 801))
    spent = past([5] * 7 + [80] + [5] * 6)
    assert independent_events(spent, ask((1, 1))).tolist() == [1.0]


def test_the_last_outcome_is_of_the_last_window_with_a_verdict() -> None:
    one = past([20] * 7 + [5] * 7 + [5] * 7)
    assert np.isnan(last_outcome(one, ask((0, 3)))[0])
    assert last_outcome(one, ask((1, 0), (1, 6), (2, 0))).tolist() == [1.0, 1.0, 0.0]


def test_the_verdict_of_a_window_is_known_after_the_grace() -> None:
    from dataclasses import replace

    one = past([20] * 7 + [5] * 14)
    late = replace(one, known_at=one.ends + 2 * 86_400_000_000)
    assert np.isnan(last_outcome(late, ask((1, 1)))[0])
    assert last_outcome(late, ask((1, 2))).tolist() == [1.0]


def test_own_record_is_drawn_to_climatology_by_four_windows() -> None:
    one = past([20] * 7 + [5] * 7 + [5] * 7)
    record = own_record(one, ask((0, 0), (1, 0), (2, 0)))
    assert record.tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 2.0]]
    horizon = Calibration(group=np.zeros(3, dtype=np.int64), at=ask((0, 0), (1, 0), (2, 0)).at, known_at=one.ends,
                          missed=one.missed)  # fmt: skip
    base = horizon.base()
    assert base.tolist() == pytest.approx([1 / 2, 2 / 3, 2 / 4])
    said = drawn_to_the_base(record, horizon)
    assert said.tolist() == pytest.approx([0.5, (1 + 4 * 2 / 3) / 5, (1 + 4 * 0.5) / 6])


def test_a_rule_becomes_the_frequency_of_what_followed_it() -> None:
    n = 5
    horizon = Calibration(
        group=np.zeros(n, dtype=np.int64),
        at=np.arange(n) * 10,
        known_at=np.arange(n) * 10 + 5,
        missed=np.array([1.0, 0.0, 1.0, np.nan, 1.0]),  # the fourth was decided when it was asked: nothing to learn
    )
    signal = np.array([1.0, 0.0, 1.0, 1.0, 1.0])
    base = [1 / 2, 2 / 3, 2 / 4, 3 / 5, 3 / 5]
    assert horizon.base().tolist() == pytest.approx(base)
    # After a yes: nothing known; then the first (missed); then the first and third, both missed.
    want = [base[0], (0 + 2 * base[1]) / 2, (1 + 2 * base[2]) / 3, (2 + 2 * base[3]) / 4, (2 + 2 * base[4]) / 4]
    assert frequencies(signal, horizon).tolist() == pytest.approx(want)
    assert as_stated(np.array([0.1, np.nan, 0.3, 0.4, 0.5]), horizon)[1] == pytest.approx(base[1])


def test_horizons_and_kinds_of_windows_do_not_teach_each_other() -> None:
    horizon = Calibration(group=np.array([0, 1, 0, 1]), at=np.array([0, 0, 10, 10]), known_at=np.array([5, 5, 15, 15]),
                          missed=np.array([1.0, 0.0, 1.0, 0.0]))  # fmt: skip
    assert horizon.base().tolist() == pytest.approx([0.5, 0.5, 2 / 3, 1 / 3])


def test_holt_is_that_of_statsmodels() -> None:
    from statsmodels.tsa.holtwinters import Holt

    values = np.array([0.91, 0.93, 0.92, 0.95, 0.94, 0.96, 0.95])
    alpha, beta = 0.3, 0.06  # statsmodels' smoothing of the trend is beta ÷ alpha
    model = Holt(values, initialization_method="known", initial_level=values[0], initial_trend=0.0)
    theirs = model.fit(smoothing_level=alpha, smoothing_trend=beta / alpha, optimized=False)
    # Theirs forecasts the first value too, from the initial state; ours begins at it.
    level, trend, _ = holt_states(np.concatenate((values[:1], values)), np.array([alpha]), np.array([beta]))
    assert level[1:, 0] == pytest.approx(theirs.level[-7:], abs=1e-12)
    assert trend[1:, 0] == pytest.approx(theirs.trend[-7:], abs=1e-12)


def test_a_falling_attainment_is_expected_to_be_missed() -> None:
    falling = past([d for w in range(12) for d in [2 + w + (w % 2)] * 7])  # 98 %, 96 % ... past 90 % by week 8
    said = trend_of_attainment(falling, ask((4, 0), (8, 0), (11, -3)))
    assert said[0] < 0.1
    assert said[1] > 0.5
    assert said[2] > 0.5
    assert np.isnan(trend_of_attainment(falling, ask((2, 0)))[0])  # two errors are not three


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda b: b.name)
def test_no_rule_looks_ahead(baseline: object) -> None:
    """Whatever comes after the question, the signal is the same to the bit, and so is every probability."""
    random = np.random.default_rng(5)
    bad = random.integers(0, 25, 7 * 12)
    turned = bad.copy()
    turned[7 * 8 + 3 :] = 99
    asked = ask(*((w, d) for w in range(1, 9) for d in (0, 1, 3)))
    one, other = past(bad.tolist()), past(turned.tolist())
    assert (one.missed[8:] != other.missed[8:]).any()
    signals = [baseline.signal(p, asked) for p in (one, other)]  # type: ignore[attr-defined]
    assert np.array_equal(*signals, equal_nan=True)
    made = [state_baselines([(p, asked)], ["week"]) for p in (one, other)]
    # What was decided when it was asked depends on the true total of the window; what was stated does not.
    earlier = asked.window < 8
    names = [b.name for b in BASELINES]
    for name in names:
        assert np.array_equal(made[0][0][0][name][earlier], made[1][0][0][name][earlier])
    assert np.array_equal(made[0][1][0][earlier], made[1][1][0][earlier])


def test_open_means_that_the_rest_could_still_turn_it() -> None:
    one = past([0] * 6 + [70] + [71, 0, 0, 0, 0, 0, 0])
    # Week 0: 70 of 700 is the budget exactly: met, and open until the last day. Week 1: lost after its first day.
    assert one.missed.tolist() == [0.0, 1.0]
    assert one.is_open(ask((0, 0), (0, 6), (1, 0), (1, 1))).tolist() == [True, True, True, False]
    kept = past([0] * 7)
    assert kept.is_open(ask((0, 6.0))).tolist() == [True]  # a last day of a hundred bad ones would still lose it
    half = past([0] * 7, target="0.5")
    assert half.is_open(ask((0, 3), (0, 4))).tolist() == [True, False]  # 300 bad of 700 cannot
