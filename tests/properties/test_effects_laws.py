"""Laws of effects: scale, shift, order, no look ahead, nothing changed, parts add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forecasting.forecasts.effects import Effects, estimate_effects
from forecasting.terms.covariate import Covariate, Event
from forecasting.terms.history import MetricKind

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
N, AHEAD = 160, 10
AT = np.datetime64(FIRST.replace(tzinfo=None), "us") + np.arange(N + AHEAD) * np.timedelta64(1, "D")
KINDS = (MetricKind.COUNT, MetricKind.NON_NEGATIVE, MetricKind.REAL, MetricKind.RATIO)


def world(seed: int, kind: MetricKind) -> tuple[NDArray[np.float64], tuple[Covariate, ...], tuple[Event, ...]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N + AHEAD)
    flag = (rng.random(N + AHEAD) < 0.2).astype(float)
    week = np.resize([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4], N + AHEAD)
    effect = 0.2 * x - 0.3 * flag + 0.15 * rng.normal(size=N + AHEAD)
    if kind is MetricKind.RATIO:
        values = np.clip(0.5 * week / 1.3 + 0.2 * effect, 0, 1)
    elif kind is MetricKind.REAL:
        values = 10 * week + 5 * effect - 6
    else:
        values = 30 * week * np.exp(effect)
        values = np.floor(values) if kind is MetricKind.COUNT else values
    values[rng.integers(0, N, 6)] = np.nan
    x[rng.integers(0, N, 6)] = np.nan
    covariates = (
        Covariate(name="x", values=x),
        Covariate(name="flag", values=flag, kind="flag"),
        Covariate(name="noise", values=rng.normal(size=N + AHEAD)),
    )
    places = np.array([10, 60, 110]) + rng.integers(0, 30, 3)
    events = (
        *(
            Event(name="sale", start=FIRST + timedelta(days=int(p)), end=FIRST + timedelta(days=int(p) + 3))
            for p in places
        ),
        Event(name="sale", start=FIRST + timedelta(days=N - 1), end=FIRST + timedelta(days=N + 2)),
        Event(
            name="move",
            start=FIRST + timedelta(days=N + 1, hours=6),
            end=FIRST + timedelta(days=N + 5),
            kind="ramp",
            multiplier=1.5,
        ),
    )
    return values, covariates, events


def run(
    values: NDArray[np.float64], covariates: tuple[Covariate, ...], events: tuple[Event, ...], kind: MetricKind
) -> Effects:
    return estimate_effects(
        values, n_known=N, season=7, seasons=(7,), covariates=covariates, events=events, at=AT, kind=kind
    )


worlds = given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS))
small = settings(derandomize=True, max_examples=25, deadline=None)


@small
@worlds
def test_shapes_bounds_parts_and_nothing_changed(seed: int, kind: MetricKind) -> None:
    values, covariates, events = world(seed, kind)
    before = values.copy(), [c.values.copy() for c in covariates]
    effects = run(values, covariates, events, kind)
    assert np.array_equal(values, before[0], equal_nan=True)
    assert all(np.array_equal(c.values, b, equal_nan=True) for c, b in zip(covariates, before[1], strict=True))
    assert effects.adjusted.shape == (N,)
    assert np.isfinite(effects.future).all()
    assert np.array_equal(np.isnan(effects.adjusted) & ~np.isnan(values[:N]), np.zeros(N, dtype=bool))
    low, high = kind.bounds
    known = effects.adjusted[~np.isnan(effects.adjusted)]
    assert low is None or known.min() >= low
    assert high is None or known.max() <= high
    if effects.mode == "multiply":
        assert effects.future == pytest.approx(np.prod(list(effects.parts.values()), axis=0))
        assert (effects.future > 0).all()
    else:
        assert effects.future == pytest.approx(np.sum(list(effects.parts.values()), axis=0))
    assert set(effects.parts) <= set(effects.kept)
    assert {c.name for c in covariates} <= set(effects.kept) | {name for name, _ in effects.declined}
    again = run(values, covariates, events, kind)
    assert np.array_equal(again.adjusted, effects.adjusted, equal_nan=True)
    assert np.array_equal(again.future, effects.future)


@small
@worlds
def test_the_future_of_the_metric_is_not_looked_at(seed: int, kind: MetricKind) -> None:
    values, covariates, events = world(seed, kind)
    other = values.copy()
    other[N:] = 1e6
    one, two = run(values, covariates, events, kind), run(other, covariates, events, kind)
    assert np.array_equal(one.adjusted, two.adjusted, equal_nan=True)
    assert np.array_equal(one.future, two.future)
    assert (one.kept, one.declined, one.method) == (two.kept, two.declined, two.method)


@small
@worlds
def test_the_unit_does_not_matter(seed: int, kind: MetricKind) -> None:
    values, covariates, events = world(seed, kind)
    by = 4.0 if kind is not MetricKind.RATIO else 0.5
    one, two = run(values, covariates, events, kind), run(values * by, covariates, events, kind)
    assert one.kept == two.kept
    if kind is not MetricKind.RATIO:  # its upper bound does not move with the unit
        assert two.adjusted == pytest.approx(one.adjusted * by, nan_ok=True)
    factor = 1.0 if one.mode == "multiply" else by
    for name in set(one.parts) - {"move"} if kind is MetricKind.RATIO else one.parts:
        assert two.parts[name] == pytest.approx(one.parts[name] * factor, abs=1e-9)


@small
@worlds
def test_the_unit_of_a_covariate_and_the_order_do_not_matter(seed: int, kind: MetricKind) -> None:
    values, covariates, events = world(seed, kind)
    moved = tuple(
        Covariate(name=c.name, values=c.values if c.kind == "flag" else 32 * c.values + 64, kind=c.kind)
        for c in reversed(covariates)
    )
    one, two = run(values, covariates, events, kind), run(values, moved, tuple(reversed(events)), kind)
    assert set(one.kept) == set(two.kept)
    assert two.future == pytest.approx(one.future, rel=1e-6, abs=1e-9)
    assert two.adjusted == pytest.approx(one.adjusted, rel=1e-6, abs=1e-9, nan_ok=True)


@small
@worlds
def test_without_anything_known_nothing_happens(seed: int, kind: MetricKind) -> None:
    values, _, _ = world(seed, kind)
    effects = run(values, (), (), kind)
    assert np.array_equal(effects.adjusted, values[:N], equal_nan=True)
    assert effects.put_back(np.arange(AHEAD, dtype=float)).tolist() == list(range(AHEAD))
    assert not effects.kept
    assert not effects.declined


@pytest.mark.parametrize("n", [1, 2, 3, 6, 13, 20, 50])
@pytest.mark.parametrize("fill", [0.0, 5.0, np.nan])
@pytest.mark.parametrize("kind", KINDS)
def test_short_and_dull_histories_are_answered(n: int, fill: float, kind: MetricKind) -> None:
    if kind is MetricKind.RATIO and fill == 5:
        fill = 1.0
    x = np.random.default_rng(1).normal(size=n + 5)
    events = [
        Event(name="a", start=FIRST + timedelta(days=n - 1), end=FIRST + timedelta(days=n + 1)),
        Event(name="b", start=FIRST + timedelta(days=1), end=FIRST + timedelta(days=2), kind="step"),
        Event(name="c", start=FIRST, end=FIRST + timedelta(days=n + 2), kind="ramp", multiplier=2.0),
    ]
    effects = estimate_effects(
        np.full(n, fill),
        n_known=n,
        season=7,
        seasons=(7, 30),
        covariates=(Covariate(name="x", values=x),),
        events=events,
        at=AT[: n + 5],
        kind=kind,
    )
    assert np.isfinite(effects.future).all()
    assert "x" not in effects.kept
