"""Backlogs: identities of the recursion, first come first served by hand, and the formula beside simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.capacity.backlog import backlog_paths, days_to_clear, late_share, required_on_paths
from forecasting.capacity.models.backlog import Backlog
from forecasting.terms.errors import Excuse, InputError


def _fifo_late(arrivals: list[int], capacity: list[int], within: int) -> float:
    """Serve item by item: the slow way that is easy to believe."""
    queue: list[int] = []
    late = total = 0
    for day, (came, can) in enumerate(zip(arrivals, capacity, strict=True)):
        queue += [day] * came
        for _ in range(min(can, len(queue))):
            born = queue.pop(0)
            if born < len(arrivals) - within:
                late += day - born > within
    late += sum(born < len(arrivals) - within for born in queue)
    total = sum(arrivals[: len(arrivals) - within])
    return late / total if total else 0.0


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9)), min_size=4, max_size=14), st.integers(0, 3))
@settings(max_examples=300)
def test_late_items_are_those_that_item_by_item_service_finds(days: list[tuple[int, int]], within: int) -> None:
    arrivals, capacity = [a for a, _ in days], [c for _, c in days]
    assert late_share([arrivals], capacity, within)[0] == pytest.approx(_fifo_late(arrivals, capacity, within))


def test_what_came_is_done_or_left() -> None:
    rng = np.random.default_rng(1)
    came = rng.poisson(50, (20, 60)).astype(float)
    left = backlog_paths(came, 52.0, start=30.0)
    before = np.concatenate([np.full((20, 1), 30.0), left[:, :-1]], axis=1)
    done = before + came - left
    assert (done <= 52.0 + 1e-9).all()
    assert (done >= 0).all()


def test_required_capacity_is_the_least_that_is_enough() -> None:
    rng = np.random.default_rng(2)
    came = rng.poisson(100, (200, 90)).astype(float)
    week = np.array([1, 1, 1, 1, 1, 0, 0] * 13)[:90].astype(float)
    need = required_on_paths(came, week, within_days=4, target=0.95, confidence=0.9)
    assert isinstance(need, float)
    assert ((1 - late_share(came, need * week, 4)) >= 0.95).mean() >= 0.9
    assert ((1 - late_share(came, 0.999 * need * week, 4)) >= 0.95).mean() < 0.9
    assert need > 130  # five days do nearly the work of seven
    higher = required_on_paths(came, week, within_days=4, target=0.99, confidence=0.9)
    assert isinstance(higher, float)
    assert higher >= need


def test_nothing_helps_a_house_that_is_closed_too_long() -> None:
    found = required_on_paths([[5.0, 5.0, 5.0, 5.0]], [1, 0, 0, 0], within_days=1, target=0.9, confidence=0.5)
    assert isinstance(found, Excuse)
    assert "closed" in found.reason


@pytest.mark.parametrize(("rate", "units", "within"), [(100.0, 10.5, 1.0), (40.0, 2.1, 2.0), (300.0, 30.3, 0.5)])
def test_the_formula_is_near_simulated_days(rate: float, units: float, within: float) -> None:
    """A day is cut into 24 parts, so that the day's rounding does not hide what is compared."""
    per_unit = 10.0 if rate != 40.0 else 20.0
    model = Backlog(per_unit=per_unit, within_days=within, target=0.9)
    rng = np.random.default_rng(3)
    parts = 24
    came = rng.poisson(rate / parts, (60, 400 * parts)).astype(float)
    late = late_share(came, units * per_unit / parts, round(within * parts))[0:60].mean()
    assert model.service_level(units, [rate])[0] == pytest.approx(1 - late, abs=0.06)


def test_time_to_clear() -> None:
    assert days_to_clear(100.0, 40.0, 50.0) == 10.0
    assert days_to_clear(100.0, 50.0, 50.0) == float("inf")
    assert days_to_clear(0.0, 60.0, 50.0) == 0.0


def test_bad_input_says_what_is_wrong() -> None:
    with pytest.raises(InputError, match="within_days"):
        late_share([[1.0, 2.0]], 1.0, 2)
    with pytest.raises(InputError, match="arrivals"):
        backlog_paths([[-1.0]], 1.0)
    with pytest.raises(InputError, match="target"):
        Backlog(per_unit=1.0, within_days=1.0, target=0.9).required(1.2, [1.0])
