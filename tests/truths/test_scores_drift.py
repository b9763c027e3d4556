"""The drift check: false alarms and power by simulation, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.forecasts.drift import LEAST_RECORD, check_drift, error_record
from forecasting.terms.drift import DriftFinding, ErrorRecord
from forecasting.terms.errors import Excuse, InputError

HORIZON = 28
RECORDED = 4 * HORIZON  # four origins of a back-test
SERIES = 200


def record(errors: NDArray[np.float64], half_width: float = 1.2816) -> ErrorRecord:
    return ErrorRecord(errors=errors, inside=np.abs(errors) <= half_width)


def finding(errors: NDArray[np.float64], *, recorded: int = RECORDED, seed: int = 1) -> DriftFinding:
    made = check_drift(record(errors[:recorded]), record(errors[recorded:]), seed=seed)
    assert isinstance(made, DriftFinding)
    return made


def memory(rng: np.random.Generator, count: int, rho: float) -> NDArray[np.float64]:
    """Unit-variance errors with the lag-1 autocorrelation `rho`."""
    fresh = rng.normal(size=count) * np.sqrt(1 - rho**2)
    for i in range(1, count):
        fresh[i] += rho * fresh[i - 1] if i > 1 else rho * fresh[0]
    return fresh


@pytest.mark.parametrize(
    ("name", "rho"), [("normal", 0.0), ("normal", 0.3), ("student", 0.0), ("poisson", 0.0), ("lognormal", 0.0)]
)
def test_fewer_than_5_percent_false_alarms_over_200_stable_series(name: str, rho: float) -> None:
    """Looked at after every slice for four horizons."""
    alarms = 0
    for k in range(SERIES):
        rng = np.random.default_rng([k, 17])
        count = RECORDED + 4 * HORIZON
        errors = {
            "normal": memory(rng, count, rho),
            "student": rng.standard_t(3, count),
            "poisson": rng.poisson(2, count) - 2.0,
            "lognormal": rng.lognormal(0, 1, count),
        }[name]
        alarms += finding(errors, seed=k).drifted
    assert alarms < 0.05 * SERIES


@pytest.mark.nightly
def test_false_alarms_stay_rare_over_36_horizons() -> None:
    alarms = sum(
        finding(np.random.default_rng([k, 3]).normal(size=RECORDED + 1000), seed=k).drifted for k in range(200)
    )
    assert alarms < 0.05 * SERIES


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_4_of_5_shifts_by_one_sigma_are_found_within_two_horizons(sign: float) -> None:
    found, as_bias, began = 0, 0, []
    for k in range(SERIES):
        errors = np.random.default_rng([k, 5]).normal(size=RECORDED + 2 * HORIZON)
        errors[RECORDED:] += sign
        made = finding(errors, seed=k)
        found += made.drifted
        as_bias += made.kind == "bias"
        began += [made.since] if made.since is not None else []
    assert found >= 0.8 * SERIES
    assert as_bias >= 0.9 * found
    assert np.median(began) <= 3


def test_a_late_shift_is_found_and_dated() -> None:
    """After ten stable horizons the test is as ready as on the first day."""
    found, began = 0, []
    for k in range(50):
        errors = np.random.default_rng([k, 7]).normal(size=RECORDED + 12 * HORIZON)
        errors[RECORDED + 10 * HORIZON :] += 1.0
        made = finding(errors, seed=k)
        found += made.found is not None and made.found >= 10 * HORIZON
        began += [made.since] if made.since is not None else []
    assert found >= 0.8 * 50
    assert abs(float(np.median(began)) - 10 * HORIZON) <= 5


def test_errors_twice_as_large_are_called_scale() -> None:
    kinds = []
    for k in range(50):
        errors = np.random.default_rng([k, 9]).normal(size=RECORDED + 2 * HORIZON)
        errors[RECORDED:] *= 2
        kinds.append(finding(errors, seed=k).kind)
    assert kinds.count("scale") >= 0.6 * 50
    assert kinds.count("none") <= 0.2 * 50


def test_intervals_that_no_longer_hold_are_called_coverage() -> None:
    """Errors as before, but the intervals given out since are half as wide."""
    kinds, advice = [], set()
    for k in range(50):
        errors = np.random.default_rng([k, 13]).normal(size=RECORDED + 2 * HORIZON)
        made = check_drift(record(errors[:RECORDED]), record(errors[RECORDED:], 0.5), seed=k)
        assert isinstance(made, DriftFinding)
        kinds.append(made.kind)
        advice |= {made.what_to_do[:22]} if made.kind == "coverage" else set()
    assert kinds.count("coverage") >= 0.8 * 50
    assert advice == {"the 80 % interval held"}


def test_the_unit_of_the_errors_does_not_matter() -> None:
    errors = np.random.default_rng(21).normal(size=RECORDED + 20) + np.repeat([0.0, 0.8], [RECORDED, 20])
    for factor in (1e-6, 1e6):
        other = check_drift(
            record(errors[:RECORDED] * factor, 1.28 * factor), record(errors[RECORDED:] * factor, 1.28 * factor), seed=3
        )
        same = check_drift(record(errors[:RECORDED], 1.28), record(errors[RECORDED:], 1.28), seed=3)
        assert isinstance(other, DriftFinding)
        assert isinstance(same, DriftFinding)
        assert (other.kind, other.since, other.found) == (same.kind, same.since, same.found)
        assert other.statistic == pytest.approx(same.statistic, rel=1e-6)


def test_nothing_new_and_nothing_known() -> None:
    rng = np.random.default_rng(1)
    before = record(rng.normal(size=60))
    empty = check_drift(before, record(np.empty(0)), seed=1)
    assert isinstance(empty, DriftFinding)
    assert (empty.kind, empty.limit) == ("none", pytest.approx(60.0))
    unknown = check_drift(before, record(np.full(30, np.nan)), seed=1)
    assert isinstance(unknown, DriftFinding)
    assert not unknown.drifted
    few = check_drift(record(rng.normal(size=LEAST_RECORD - 1)), before, seed=1)
    assert isinstance(few, Excuse)
    assert "19 errors" in few.reason


def test_constant_errors_are_no_drift() -> None:
    assert not finding(np.zeros(RECORDED + 100)).drifted


def test_gaps_are_stepped_over_and_times_named() -> None:
    errors = np.random.default_rng(2).normal(size=RECORDED + 60)
    errors[RECORDED:] += 2.0
    with_gap = np.insert(errors, RECORDED, np.full(10, np.nan))
    times = [datetime(2027, 3, 1, tzinfo=UTC) + timedelta(days=d) for d in range(70)]
    plain = finding(errors)
    made = check_drift(record(with_gap[:RECORDED]), record(with_gap[RECORDED:]), seed=1, times=times)
    assert isinstance(made, DriftFinding)
    assert plain.found is not None
    assert plain.since is not None
    assert (made.found, made.since) == (plain.found + 10, plain.since + 10)
    assert made.since_at == times[plain.since + 10]
    assert "mean error went from" in made.what_to_do


def test_arguments_out_of_range_are_refused() -> None:
    before = record(np.random.default_rng(1).normal(size=60))
    with pytest.raises(InputError, match="false_alarm_rate"):
        check_drift(before, before, seed=1, false_alarm_rate=0.0)
    with pytest.raises(InputError, match="times"):
        check_drift(before, before, seed=1, times=[datetime(2027, 3, 1, tzinfo=UTC)])


def test_a_record_of_forecasts_is_laid_out_in_the_order_of_time() -> None:
    actual = np.array([[5.0, np.nan], [9.0, 2.0]])
    median, lower, upper = np.full((2, 2), 4.0), np.full((2, 2), 2.0), np.full((2, 2), 6.0)
    made = error_record(actual, median, lower, upper, scale=2.0)
    np.testing.assert_array_equal(made.errors, [0.5, np.nan, 2.5, -1.0])
    assert made.known == 3
    assert made.coverage80 == pytest.approx(2 / 3)  # on the edge counts as inside
    assert made.bias == pytest.approx(2 / 3)
    assert made.scale == pytest.approx(4 / 3)
    with pytest.raises(InputError, match="scale"):
        error_record(actual, median, lower, upper, scale=0.0)
