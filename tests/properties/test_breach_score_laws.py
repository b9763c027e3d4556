"""Laws of the scores: order and names do not matter, a mistake in one direction always costs."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from forecasting.service_levels.breach.metrics import (
    Blocks,
    average_precision,
    brier,
    expected_calibration_error,
    log_loss,
)

LAWS = settings(max_examples=60, derandomize=True, deadline=None)
SIZES = st.integers(2, 60)


@st.composite
def stated(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(SIZES)
    p = draw(arrays(np.float64, n, elements=st.sampled_from([k / 20 for k in range(21)])))
    y = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0])))
    return p, y


@LAWS
@given(stated(), st.integers(0, 2**32 - 1))
def test_the_order_of_statements_does_not_matter(made: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    p, y = made
    order = np.random.default_rng(seed).permutation(len(p))
    for score in (brier, expected_calibration_error, average_precision, lambda a, b: log_loss(a, b, paths=500)):
        one, other = score(p, y), score(p[order], y[order])
        assert one == other or abs(one - other) < 1e-12


@LAWS
@given(stated())
def test_scores_stay_in_their_range_and_turning_everything_round_changes_nothing(
    made: tuple[np.ndarray, np.ndarray],
) -> None:
    p, y = made
    assert 0 <= brier(p, y) <= 1
    assert 0 <= expected_calibration_error(p, y) <= 1
    assert 0 <= log_loss(p, y, paths=500) <= np.log(502) + 1e-12
    assert abs(brier(p, y) - brier(1 - p, 1 - y)) < 1e-12
    assert abs(log_loss(p, y, paths=500) - log_loss(1 - p, 1 - y, paths=500)) < 1e-9
    found = average_precision(p, y)
    assert found is None or y.mean() - 1e-12 <= max(found, y.mean()) <= 1 + 1e-12


@LAWS
@given(stated())
def test_saying_it_twice_changes_nothing(made: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = made
    twice = np.concatenate((p, p)), np.concatenate((y, y))
    assert abs(brier(p, y) - brier(*twice)) < 1e-12
    one, other = average_precision(p, y), average_precision(*twice)
    assert one == other or abs(one - other) < 1e-12  # type: ignore[operator]


@LAWS
@given(stated())
def test_rising_transformations_keep_the_ranking(made: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = made
    assert average_precision(p, y) == average_precision(0.1 + 0.5 * p, y)


@LAWS
@given(stated())
def test_the_outcome_itself_is_perfect(made: tuple[np.ndarray, np.ndarray]) -> None:
    _, y = made
    assert brier(y, y) == 0
    assert expected_calibration_error(y, y) == 0
    assert average_precision(y, y) in (None, 1.0)


@LAWS
@given(stated(), st.floats(-3, 3))
def test_draws_are_linear_and_keep_constants(made: tuple[np.ndarray, np.ndarray], shift: float) -> None:
    p, _ = made
    blocks = Blocks.of([f"s{k % 3}" for k in range(len(p))], [f"w{k % 4}" for k in range(len(p))], seed=1, draws=20)
    weights = blocks.weights(np.ones(len(p), dtype=bool))
    one, moved = weights.mean(p), weights.mean(p + shift)
    usable = ~np.isnan(one)
    assert np.allclose(moved[usable], one[usable] + shift)
