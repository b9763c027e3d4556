"""Forecasts against known truths: exact models, hand-computed scores, coverage on simulated series, stable paths."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting.forecasts.backtest import choose_origins, run_backtest
from forecasting.forecasts.base import ForecastModel
from forecasting.forecasts.calibrate import ErrorTable, growth_curve, weighted_quantiles
from forecasting.forecasts.context import make_context
from forecasting.forecasts.engine import ForecastTask, forecast_batch, forecast_series
from forecasting.forecasts.guard import guarded_forecast
from forecasting.forecasts.models import get_model
from forecasting.forecasts.scores import coverage, mase, msis, naive_scale, pinball, sql, wql
from forecasting.forecasts.select import select_model
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series

CHEAP = ("seasonal_naive", "seasonal_median", "trend")


def daily(values: np.ndarray, kind: MetricKind = MetricKind.COUNT, service: str = "a") -> Series:
    return Series(
        service=service,
        metric=Metric(name="m", kind=kind, step=timedelta(days=1)),
        start=datetime(2013, 1, 1, 5, tzinfo=UTC),
        step=timedelta(days=1),
        values=np.asarray(values, dtype=np.float64),
        zone="America/New_York",
    )


def made(series: Series, horizon: int, models: tuple[str, ...] = CHEAP, **more: object) -> Forecast:
    result = forecast_series(series, horizon, models=models, n_paths=more.pop("n_paths", 400), seed=5, **more)
    assert isinstance(result, Forecast)
    return result


WEEK = np.array([50.0, 60, 60, 62, 70, 30, 20])


def test_seasonal_naive_is_exact_on_a_repeating_week() -> None:
    series = daily(np.tile(WEEK, 20))
    forecast = made(series, 21)
    np.testing.assert_allclose(forecast.quantile(0.5), np.tile(WEEK, 3))
    np.testing.assert_allclose(np.ptp(forecast.paths, axis=0), 0, atol=1e-6)
    assert forecast.model == "seasonal_naive"


@pytest.mark.parametrize(("name", "tolerance"), [("ets", 0.5), ("trend", 0.01), ("prophet", 2.0)])
def test_a_noiseless_trend_with_season_is_continued(name: str, tolerance: float) -> None:
    days = np.arange(210)
    truth = 1000 + 0.5 * days + np.tile(WEEK, 30)
    series = daily(truth[:196], MetricKind.NON_NEGATIVE)
    result = guarded_forecast(get_model(name), series, 14, context=make_context(series, 14, ""), seed=1)
    assert not isinstance(result, Excuse)
    np.testing.assert_allclose(result, truth[196:], atol=tolerance * (4 if name == "ets" else 1))


def test_scores_by_hand() -> None:
    actual, median = np.array([10.0, 12, 8]), np.array([8.0, 12, 12])
    assert mase(actual, median, 2.0) == pytest.approx((2 + 0 + 4) / 3 / 2)
    assert pinball(10, 8, 0.9) == pytest.approx(1.8)
    assert pinball(8, 12, 0.9) == pytest.approx(0.4)
    quantiles = np.array([[8.0, 12, 12], [11.0, 13, 13]])
    levels = np.array([0.5, 0.9])
    by_hand = 2 * ((1 + 0 + 2) + (0.1 * 1 + 0.1 * 1 + 0.1 * 5)) / 6 / 2
    assert sql(actual, quantiles, 2.0, levels) == pytest.approx(by_hand)
    assert wql(actual, quantiles, levels) == pytest.approx(2 * (3 + 0.7) / 2 / 30)
    assert msis(actual, np.array([9.0, 9, 9]), np.array([11.0, 11, 11]), 2.0, 0.8) == pytest.approx(
        np.mean([2, 2 + 10 * 1, 2 + 10 * 1]) / 2
    )
    assert coverage(actual, np.full(3, 9.0), np.full(3, 12.0)) == pytest.approx(2 / 3)
    assert naive_scale(np.array([1.0, 2, 4, 8]), 2) == pytest.approx(4.5)
    assert naive_scale(np.full(9, 3.0), 1) == 3.0


def test_weighted_quantiles_and_growth() -> None:
    assert weighted_quantiles(np.array([3.0, 1, 2]), np.array([1.0, 1, 8]), np.array([0.5]))[0] == pytest.approx(2.0)
    errors = np.abs(np.random.default_rng(1).normal(size=(200, 28))) * np.repeat([1, 2, 3, 4], 7)
    curve = growth_curve(errors, 7, 56)
    assert np.all(np.diff(curve) >= 0)
    assert curve[27] / curve[0] == pytest.approx(4, rel=0.15)
    assert curve[55] / curve[27] == pytest.approx(np.sqrt(2), rel=0.01)


def test_origins_are_not_a_season_apart() -> None:
    for known, horizon in ((243, 30), (120, 28), (500, 91), (60, 14)):
        origins = choose_origins(known, horizon, 7, 4)
        assert origins[-1] == known - horizon
        assert all(gap % 7 for gap in np.diff(origins))
        assert origins[0] >= 14


@pytest.mark.parametrize("process", ["independent", "wandering level"])
def test_intervals_cover_days_and_sums_on_simulated_series(process: str) -> None:
    inside_days, inside_sums = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        level = np.zeros(273) if process == "independent" else np.cumsum(rng.normal(0, 2.0, 273))
        values = np.maximum(300 + np.resize(2 * WEEK, 273) + level + rng.normal(0, 15, 273), 0)
        forecast = made(daily(values[:243], service=f"s{seed}"), 30, n_paths=300)
        low, high = np.quantile(forecast.paths, [0.1, 0.9], axis=0)
        inside_days.append(coverage(values[243:], low, high))
        low_sum, high_sum = np.quantile(forecast.paths.sum(axis=1), [0.1, 0.9])
        inside_sums.append(low_sum <= values[243:].sum() <= high_sum)
    assert 0.74 <= np.mean(inside_days) <= 0.92
    assert 0.62 <= np.mean(inside_sums) <= 0.98


def test_results_do_not_depend_on_the_batch_and_a_task_can_be_sent() -> None:
    rng = np.random.default_rng(2)
    series = tuple(daily(rng.poisson(np.tile(WEEK, 20)), service=f"s{i}") for i in range(3))

    def task(part: tuple[Series, ...]) -> ForecastTask:
        return ForecastTask(series=part, horizon=10, models=CHEAP, countries=("US",) * len(part), n_paths=50, seed=3)

    together = forecast_batch(pickle.loads(pickle.dumps(task(series))))
    backwards = forecast_batch(task(series[::-1]))[::-1]
    for one, other in zip(together, backwards, strict=True):
        assert isinstance(one, Forecast)
        assert isinstance(other, Forecast)
        np.testing.assert_array_equal(one.paths, other.paths)
    first, second = together[:2]
    assert isinstance(first, Forecast)
    assert isinstance(second, Forecast)
    assert first.seed != second.seed


def test_unknown_slices_at_the_end_are_forecast_over() -> None:
    whole = np.tile(WEEK, 20)
    stale = whole.copy()
    stale[-3:] = np.nan
    forecast = made(daily(stale), 7)
    np.testing.assert_allclose(forecast.quantile(0.5), WEEK)
    assert forecast.start == made(daily(whole), 7).start


def test_growth_is_extrapolated_with_a_sensible_interval() -> None:
    days = np.arange(1500)
    truth = 100 + 0.1 * days + np.random.default_rng(5).normal(0, 1.0, 1500)
    forecast = made(daily(truth[:1096], MetricKind.NON_NEGATIVE), 365)
    low, middle, high = forecast.quantile(0.1)[-1], forecast.quantile(0.5)[-1], forecast.quantile(0.9)[-1]
    assert middle == pytest.approx(100 + 0.1 * 1461, rel=0.03)
    assert low < 246 < high
    assert high - low < 100


class Faulty:
    """A model that does what it is told to do wrong."""

    def __init__(self, fault: str) -> None:
        self.name = f"faulty {fault}"
        self.fault = fault

    def forecast(self, history: Series, horizon: int, *, context: object, seed: int) -> np.ndarray | Excuse:
        if self.fault == "raises":
            raise ZeroDivisionError("no")
        return {
            "nan": np.full(horizon, np.nan),
            "huge": np.full(horizon, 1e35),
            "zero": np.zeros(horizon),
            "shape": np.ones((horizon, 2)),
        }[self.fault]


@pytest.mark.parametrize("fault", ["raises", "nan", "huge", "zero", "shape"])
def test_a_faulty_model_is_declined_and_naive_stays(fault: str) -> None:
    series = daily(np.random.default_rng(1).poisson(np.tile(WEEK, 20)))
    context = make_context(series, 30, "US")
    models: list[ForecastModel] = [get_model("seasonal_naive"), Faulty(fault)]
    test = run_backtest(series, context, models, origins=3, horizon=30, seed=1, timer=lambda: 0.0)
    assert not isinstance(test, Excuse)
    assert [name for name, _ in test.declined] == [f"faulty {fault}"]
    choice = select_model(test, series, half_life=60).choice
    assert choice.chosen == "seasonal_naive"
    assert choice.declined[0][1].reason


def test_the_choice_is_never_worse_than_naive_on_its_own_back_test() -> None:
    for seed in range(5):
        values = np.random.default_rng(seed).poisson(np.tile(WEEK, 30))
        choice = made(daily(values), 30).choice
        assert choice is not None
        chosen = choice.score(choice.chosen)
        assert chosen is not None
        assert chosen.sql_vs_naive <= 1.0
        assert choice.score("seasonal_naive") is not None


def test_errors_of_the_user_are_refused() -> None:
    series = daily(np.tile(WEEK, 20))
    for wrong in ({"models": ("arima",)}, {"horizon": 0}, {"n_paths": 0}, {"country": "XX"}):
        arguments = {"horizon": 7, "models": CHEAP, "n_paths": 10, "country": "US", **wrong}
        horizon = arguments.pop("horizon")
        with pytest.raises(InputError):
            forecast_series(series, horizon, seed=1, **arguments)


def test_too_little_history_is_an_excuse_or_a_labelled_fallback() -> None:
    for known in (0, 1, 2):
        result = forecast_series(daily(WEEK[:known]), 7, models=CHEAP, n_paths=10, seed=1)
        assert isinstance(result, Excuse)
    for known in (3, 7, 13):
        forecast = made(daily(np.tile(WEEK, 2)[:known]), 7)
        assert forecast.model == "seasonal_naive"
        assert forecast.fallback or forecast.choice
        assert np.ptp(forecast.paths, axis=0).max() > 0


def test_error_table_keeps_rows() -> None:
    table = ErrorTable(origins=np.arange(3), errors=np.arange(6.0).reshape(3, 2))
    assert table.without(np.array([True, False, True])).errors.tolist() == [[0, 1], [4, 5]]
