"""Truths about the pooled model: what it must get right, must not see, and must be able to give away and take back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from forecasting.forecasts._error_history import error_history
from forecasting.forecasts._marginals import LEARNT, at_levels
from forecasting.forecasts._pool_state import unpack
from forecasting.forecasts._trees import ITERATIONS, fit_trees
from forecasting.forecasts._weights import past_errors, weights_of
from forecasting.forecasts._windows import make_windows, outcomes_of
from forecasting.forecasts.engine import ForecastTask, forecast_batch, forecast_quantiles, forecast_series, learn
from forecasting.forecasts.members import MEMBERS, all_members
from forecasting.forecasts.pooled import history_needed
from forecasting.terms.covariate import Covariate, Event
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEK = np.array([100.0, 110, 105, 100, 120, 60, 50])


def made(name: str, values: NDArray[np.float64], step: timedelta = DAY, kind: MetricKind = MetricKind.REAL) -> Series:
    metric = Metric(name="m", kind=kind, step=step)
    return Series(service=name, metric=metric, start=datetime(2026, 1, 5, tzinfo=UTC), step=step, values=values)


def days(count: int, length: int, seed: int, noise: float = 0.05) -> tuple[Series, ...]:
    """Weekly profile, a slow level and noise that remembers."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        level = rng.uniform(1, 50)
        shock = rng.standard_normal(length + 50)
        slow = np.cumsum(rng.standard_normal(length)) * 0.01
        fast = np.convolve(shock, 0.6 ** np.arange(40))[50 : length + 50] * noise
        values = level * WEEK[(np.arange(length) + index) % 7] * (1 + slow + fast)
        found.append(made(f"s{index}", np.maximum(values, 0.0), kind=MetricKind.NON_NEGATIVE))
    return tuple(found)


def task(series: tuple[Series, ...], horizon: int = 7, **more: object) -> ForecastTask:
    given: dict[str, object] = {"models": ("pooled",), "countries": ("",) * len(series), "n_paths": 200, "seed": 4}
    return ForecastTask(series=series, horizon=horizon, **(given | more))  # type: ignore[arg-type]


def forecasts(job: ForecastTask) -> tuple[Forecast, ...]:
    answers = forecast_batch(job)
    assert all(isinstance(a, Forecast) for a in answers)
    return answers  # type: ignore[return-value]


# --- what it must get right


def test_a_pure_week_is_repeated_exactly() -> None:
    (answer,) = forecasts(task((made("a", np.tile(WEEK, 12)),), 14))
    assert answer.model == "pooled"
    assert np.allclose(answer.paths, np.tile(WEEK, 2), rtol=1e-6)


def test_a_line_with_a_week_goes_on() -> None:
    at = np.arange(140.0)
    values = 200 + 2 * at + WEEK[np.arange(140) % 7]
    (answer,) = forecasts(task((made("a", values),), 14))
    coming = np.arange(140, 154)
    wanted = 200 + 2.0 * coming + WEEK[coming % 7]
    assert np.abs(answer.quantile(0.5) - wanted).mean() < 6  # the season before errs by 14 and 28


def test_intervals_hold_and_the_loss_is_well_below_seasonal_naive() -> None:
    whole = days(40, 190, seed=3)
    known = tuple(replace(s, values=s.values[:176]) for s in whole)
    levels = [0.025, 0.1, 0.5, 0.9, 0.975]
    found = np.stack([q for q in forecast_quantiles(task(known, 14), levels) if not isinstance(q, Excuse)])
    came = np.stack([s.values[176:] for s in whole])
    inside80 = ((came >= found[..., 1]) & (came <= found[..., 3])).mean()
    inside95 = ((came >= found[..., 0]) & (came <= found[..., 4])).mean()
    assert 0.74 < inside80 < 0.88
    assert 0.91 < inside95 < 0.99
    naive = np.stack([np.tile(s.values[-7:], 2) for s in known])
    scale = came.mean(axis=1, keepdims=True)
    ratio = (np.abs(came - found[..., 2]) / scale).mean() / (np.abs(came - naive) / scale).mean()
    assert ratio < 0.8


@pytest.mark.nightly
def test_series_learn_from_each_other() -> None:
    """A step up every 28 days that no single member knows of: many series teach it, one alone cannot."""
    rng = np.random.default_rng(5)

    def one(index: int) -> Series:
        at = np.arange(150) + index  # every series is at another place of the pattern
        level = 100 + 80 * ((at // 7) % 4 == 3)
        return made(f"s{index:02}", level + rng.standard_normal(150))

    many = tuple(one(i) for i in range(40))
    target = made("t", 100 + 80 * ((np.arange(157) // 7) % 4 == 3) + np.zeros(157))
    # The last known week is an ordinary one; the next is the high one.
    stop = next(n for n in range(120, 157) if (n // 7) % 4 == 3 and n % 7 == 0)
    target = replace(target, values=target.values[:stop] + 0.1 * rng.standard_normal(stop))
    together = forecasts(task((*many, target)))[-1].quantile(0.5)
    assert together.mean() > 130


def test_a_count_near_zero_stays_above_it_and_a_share_below_one() -> None:
    rng = np.random.default_rng(2)
    count = made("a", rng.poisson(0.4, 120).astype(float), kind=MetricKind.COUNT)
    share = made("b", np.clip(0.99 + 0.02 * rng.standard_normal(120), 0, 1), kind=MetricKind.RATIO)
    for answer, low, high in zip(forecasts(task((count, share), 20)), (0, 0), (np.inf, 1), strict=True):
        assert answer.paths.min() >= low
        assert answer.paths.max() <= high


# --- what it must not see


@pytest.mark.parametrize("cut", [60, 83])
def test_nothing_after_an_origin_moves_what_is_computed_at_it(cut: int) -> None:
    rng = np.random.default_rng(7)
    past = 10 + rng.standard_normal(120).cumsum()
    other = past.copy()
    other[cut:] = 1e6 * rng.standard_normal(120 - cut)
    ends = np.array([30, 41, 55, cut, 101, 120])
    found = []
    for values in (past, other):
        windows = make_windows([values], [ends], horizon=9, seasons=(7,))
        members = np.stack([m.astype(np.float32) for m in all_members(windows).values()], axis=2)
        outcomes = outcomes_of([values], windows)
        errors, count = past_errors(members, outcomes, windows)
        history = error_history(outcomes - members[:, :, 0], windows)
        found.append((windows.values, windows.scale, members, errors, count, history))
    seen = ends <= cut
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first[seen], second[seen])


def test_past_errors_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    series = [rng.standard_normal(60), rng.standard_normal(45)]
    ends = [np.array([20, 24, 31, 40, 60]), np.array([20, 45])]
    windows = make_windows(series, ends, horizon=6, seasons=(1,))
    outcomes = outcomes_of(series, windows)
    outcomes[1, 2] = np.nan
    members = rng.standard_normal((len(windows), 6, 2))
    errors, count = past_errors(members, outcomes, windows)
    for row in range(len(windows)):
        weight, total, used = 0.0, np.zeros(2), 0
        for earlier in range(row):
            ago = int(windows.end[row] - windows.end[earlier])
            come = min(ago, 6)
            if windows.owner[earlier] != windows.owner[row] or come < 1:
                continue
            known = [h for h in range(come) if np.isfinite(outcomes[earlier, h])]
            used += 1
            share = 2.0 ** (-ago / 48) * len(known)
            weight += share
            total += share * np.mean([np.abs(members[earlier, h] - outcomes[earlier, h]) for h in known], axis=0)
        assert count[row] == used
        if used:
            np.testing.assert_allclose(errors[row], total / weight)
        else:
            assert np.isnan(errors[row]).all()


# --- laws


def test_units_and_order_do_not_matter() -> None:
    series = days(4, 110, seed=1)
    plain = forecasts(task(series))
    larger = forecasts(task(tuple(replace(s, values=s.values * 1024.0) for s in series)))
    for a, b in zip(plain, larger, strict=True):
        np.testing.assert_allclose(a.paths * 1024.0, b.paths, rtol=1e-5, atol=1e-6)
    backwards = forecasts(task(series[::-1]))[::-1]
    for a, b in zip(plain, backwards, strict=True):
        np.testing.assert_array_equal(a.paths, b.paths)


def test_the_same_task_gives_the_same_bits_and_other_seeds_other_paths() -> None:
    series = days(2, 100, seed=2)
    first, again, other = (forecasts(task(series, seed=s)) for s in (1, 1, 2))
    assert all(np.array_equal(a.paths, b.paths) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.paths, b.paths) for a, b in zip(first, other, strict=True))


def test_inputs_are_left_alone() -> None:
    series = days(3, 90, seed=9)
    before = [s.values.copy() for s in series]
    for s in series:
        s.values.setflags(write=False)
    forecasts(task(series))
    assert all(np.array_equal(a, s.values) for a, s in zip(before, series, strict=True))


def test_paths_have_the_marginals_and_the_dependence_of_the_past() -> None:
    series = days(3, 150, seed=6, noise=0.2)
    quantiles = forecast_quantiles(task(series, 14), [0.1, 0.5, 0.9])
    for answer, wanted in zip(forecasts(task(series, 14, n_paths=2000)), quantiles, strict=True):
        assert not isinstance(wanted, Excuse)
        found = np.quantile(answer.paths, [0.1, 0.5, 0.9], axis=0).T
        np.testing.assert_allclose(found, wanted, rtol=0.02, atol=0.02 * np.abs(wanted).mean())
        assert np.corrcoef(answer.paths[:, 0], answer.paths[:, 1])[0, 1] > 0.15


def test_weights_favour_what_erred_less_and_add_up_to_one() -> None:
    errors = np.array([[1.0, 2.0, 4.0]])
    weights = weights_of(errors, np.array([20.0]), np.zeros(3))
    assert weights.sum() == pytest.approx(1)
    assert weights[0, 0] > 0.9
    few = weights_of(errors, np.array([1.0]), np.zeros(3))
    assert few[0, 0] < weights[0, 0]


def test_quantiles_between_the_learnt_ones_are_in_order_and_normal_ones_are_met() -> None:
    from scipy.stats import norm

    levels = np.linspace(0.001, 0.999, 300)
    np.testing.assert_allclose(at_levels(norm.ppf(LEARNT)[None], levels)[0], norm.ppf(levels), atol=1e-9)
    skewed = at_levels(np.sort(np.random.default_rng(1).exponential(size=7))[None], levels)[0]
    assert (np.diff(skewed) >= -1e-12).all()


# --- trees and state


def test_trees_as_arrays_say_what_scikit_learn_says() -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(3)
    x = rng.standard_normal((3000, 6)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 5] = 7.0
    y = np.nan_to_num(x[:, 0]) * 2 + rng.standard_normal(3000) * (1 + np.abs(np.nan_to_num(x[:, 1])))
    trees = fit_trees(x, y, np.array([0.2, 0.9]), seed=5)
    model = HistGradientBoostingRegressor(
        loss="quantile", quantile=0.9, max_iter=ITERATIONS, learning_rate=0.07, max_leaf_nodes=15, min_samples_leaf=60,
        l2_regularization=10.0, max_features=0.25, max_bins=63, early_stopping="auto", random_state=5,
    ).fit(x[:, :5], y)  # fmt: skip
    np.testing.assert_allclose(trees.predict(x)[:, 1], model.predict(x[:, :5]), rtol=1e-12)


@pytest.fixture(scope="module")
def learnt() -> tuple[tuple[Series, ...], Learned]:
    series = days(15, 150, seed=8)
    found = learn(task(series))
    assert isinstance(found, Learned)
    return series, found


def test_what_was_learnt_forecasts_again_without_learning(learnt: tuple[tuple[Series, ...], Learned]) -> None:
    series, state = learnt
    fresh = forecasts(task(series))
    copied = Learned(meta=state.meta, arrays={name: array.copy() for name, array in state.arrays.items()})
    for a, b in zip(fresh, forecasts(task(series, learned=copied)), strict=True):
        np.testing.assert_array_equal(a.paths, b.paths)
    (alone,) = forecasts(task(series[3:4], learned=state))
    np.testing.assert_allclose(alone.quantile(0.5), fresh[3].quantile(0.5), rtol=0.05)


def test_what_was_learnt_answers_for_other_series_and_says_no_for_other_steps(
    learnt: tuple[tuple[Series, ...], Learned],
) -> None:
    _, state = learnt
    (new,) = forecasts(task(days(1, 120, seed=77), learned=state))
    assert new.model == "pooled"
    hourly = made("h", 5 + np.sin(np.arange(200) / 24 * 2 * np.pi), HOUR)
    (other,) = forecasts(task((hourly,), learned=state))
    assert other.model != "pooled"
    assert "nothing was learnt about slices of 1:00:00" in (other.fallback or "")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("0/width", lambda a: a[:-1]),
        ("0/pooled", lambda a: a * np.nan),
        ("0/trees/feature", lambda a: a + 10_000),
        ("0/trees/left", lambda a: np.zeros_like(a)),
        ("0/trees/right", lambda a: a + 1_000_000),
        ("0/trees/roots", lambda a: a - 5),
        ("0/trees/value", lambda a: a[1:]),
        ("0/network/w1", lambda a: a[:, 1:]),
        ("0/network/b2", lambda a: a + np.inf),
        ("0/trajectories", lambda a: a[0]),
    ],
)
def test_a_damaged_state_is_refused(learnt: tuple[tuple[Series, ...], Learned], name: str, change: object) -> None:
    _, state = learnt
    assert callable(change)
    with pytest.raises(InputError, match="learn again"):
        unpack(Learned(meta=state.meta, arrays={**state.arrays, name: change(state.arrays[name])}))


@pytest.mark.parametrize("meta", [{}, {"format": "forecasting/pool", "version": 99}, {"groups": 3}])
def test_a_state_of_something_else_is_refused(meta: dict[str, object]) -> None:
    with pytest.raises(InputError, match="learned"):
        unpack(Learned(meta=meta, arrays={}))


# --- what it is told


def test_a_planted_covariate_and_a_planned_event_are_used() -> None:
    rng = np.random.default_rng(11)
    flag = (rng.random(147) < 0.3).astype(float)
    values = np.tile(WEEK, 21) * (1 + 0.5 * flag) * (1 + 0.02 * rng.standard_normal(147))
    series = made("a", values[:140], kind=MetricKind.NON_NEGATIVE)
    told = forecasts(task((series,), covariates=((Covariate(name="sale", values=flag, kind="flag"),),)))[0]
    error = np.abs(told.quantile(0.5) / values[140:] - 1)
    assert error.max() < 0.15
    end = series.start + 140 * DAY
    event = Event(name="campaign", start=end + DAY, end=end + 3 * DAY, service="a", metric=None, multiplier=2.0)
    job = task((made("a", np.tile(WEEK, 20), kind=MetricKind.NON_NEGATIVE),), events=(event,), explain=True)
    (planned,) = forecasts(job)
    np.testing.assert_allclose(planned.quantile(0.5), WEEK * np.array([1, 2, 2, 1, 1, 1, 1.0]), rtol=0.02)
    assert planned.explanation is not None
    np.testing.assert_allclose(planned.explanation.components["events"], WEEK * [0, 1, 1, 0, 0, 0, 0], atol=1.0)
    assert "covariates" not in planned.explanation.components


def test_a_model_of_the_table_becomes_a_member() -> None:
    noise = np.random.default_rng(1).standard_normal(300)
    answer = forecast_series(
        made("a", 50 + 3.0 * np.arange(300) + 30 * noise), 7, models=("pooled", "trend"), n_paths=50, seed=1
    )
    assert isinstance(answer, Forecast)
    assert answer.explanation is not None
    assert "trend" in dict(answer.explanation.weights)
    assert sum(w for _, w in answer.explanation.weights) > 0.9


def test_an_explanation_adds_up_and_says_what_was_held_out() -> None:
    answer = forecast_series(days(1, 200, seed=5)[0], 14, models=("pooled",), n_paths=400, seed=1)
    assert isinstance(answer, Forecast)
    assert answer.explanation is not None
    assert answer.explanation.value_added is not None
    assert [level for level, _, _ in answer.explanation.coverage] == [0.8, 0.95]
    np.testing.assert_allclose(answer.explanation.total(), answer.quantile(0.5), rtol=1e-9)
    assert answer.choice is not None
    assert {s.model for s in answer.choice.scores} == {"pooled", "seasonal_naive"}


# --- what it declines


def test_a_short_series_is_answered_by_a_simple_model_that_says_why() -> None:
    short, usual = made("a", WEEK[:5]), made("b", np.tile(WEEK, 10))
    first, second = forecasts(task((short, usual)))
    assert first.fallback is not None
    assert "instead of pooled: 5 observations, 8 needed" in first.fallback
    assert second.fallback is None


def test_gaps_at_the_end_are_forecast_over() -> None:
    values = np.tile(WEEK, 12)
    values[-5:] = np.nan
    answer, beside = forecasts(task((made("a", values), made("b", np.tile(WEEK, 12))), 7))
    np.testing.assert_allclose(beside.quantile(0.5), WEEK, rtol=1e-3)
    assert answer.start == datetime(2026, 1, 5, tzinfo=UTC) + 84 * DAY
    np.testing.assert_allclose(answer.quantile(0.5), WEEK, rtol=1e-3)


def test_the_horizon_may_be_longer_than_what_was_learnt(learnt: tuple[tuple[Series, ...], Learned]) -> None:
    series, state = learnt
    (answer,) = forecasts(task(series[:1], 40, learned=state, explain=True))
    assert np.isfinite(answer.paths).all()
    width = answer.quantile(0.9) - answer.quantile(0.1)
    assert width[-7:].mean() > width[:7].mean()
    assert answer.explanation is not None
    assert any("held beyond 7 slices" in note for note in answer.explanation.notes)


def test_every_member_of_the_table_answers_finitely_on_every_kind_of_window() -> None:
    rng = np.random.default_rng(1)
    series = [
        np.zeros(40),
        np.full(40, 3.0),
        rng.standard_normal(9),
        np.r_[np.zeros(39), 1e12],
        rng.poisson(0.1, 300).astype(float),
    ]
    for seasons in ((7,), (24, 168), (1,), (12,)):
        windows = make_windows(series, [np.array([len(s)]) for s in series], horizon=5, seasons=seasons)
        for name, rows in all_members(windows).items():
            assert np.isfinite(rows).all(), name
    assert len(MEMBERS) >= 7


def test_the_newest_slices_are_enough_for_a_state() -> None:
    """The loss of forecasts from what a state asks for is that of forecasts from everything, within 2 %."""
    rng = np.random.default_rng(11)
    hours = np.arange(2600)
    shape = 1 + 0.4 * np.sin(hours / 24 * 2 * np.pi) + 0.1 * np.sin(hours / 168 * 2 * np.pi)
    values = [100 * shape + 3 * np.cumsum(rng.standard_normal(2600)) * 0.2 + rng.normal(0, 5, 2600) for _ in range(12)]
    count = history_needed(HOUR, 24)
    assert count < 1100
    whole = tuple(made(f"h{i}", v[:-24], HOUR) for i, v in enumerate(values))
    short = tuple(made(f"h{i}", v[-24 - count : -24], HOUR) for i, v in enumerate(values))
    short = tuple(replace(s, start=s.start + (2600 - 24 - count) * HOUR) for s in short)
    state = learn(task(whole, 24))
    assert isinstance(state, Learned)
    came = np.stack([v[-24:] for v in values])[:, :, None]
    loss = []
    for series in (whole, short):
        found = np.stack(forecast_quantiles(task(series, 24, learned=state), LEARNT.tolist()))  # type: ignore[arg-type]
        loss.append(float(np.maximum(LEARNT * (came - found), (LEARNT - 1) * (came - found)).mean()))
    assert loss[1] == pytest.approx(loss[0], rel=0.02)
    with pytest.raises(InputError, match="horizon"):
        history_needed(HOUR, 0)
