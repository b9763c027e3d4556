"""Models of Tier 3 against known truths: what they must recover, when they stop, and what they say then."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting.forecasts._time_box import OutOfTimeError, open_box
from forecasting.forecasts.base import ForecastModel
from forecasting.forecasts.context import make_context
from forecasting.forecasts.models.ets import Ets
from forecasting.forecasts.models.prophet import ProphetModel
from forecasting.forecasts.models.sarimax import Sarimax
from forecasting.forecasts.models.unobserved_components import UnobservedComponents
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import Metric, MetricKind, Series

WEEK = np.array([50.0, 60, 60, 62, 70, 30, 20])
ALL = (Ets, Sarimax, UnobservedComponents, ProphetModel)
STATE_SPACE = (Sarimax, UnobservedComponents)


def make(values: np.ndarray, hours: int = 24, kind: MetricKind = MetricKind.REAL, zone: str = "UTC") -> Series:
    return Series(
        service="a",
        metric=Metric(name="m", kind=kind, step=timedelta(hours=hours)),
        start=datetime(2013, 1, 7, tzinfo=UTC),
        step=timedelta(hours=hours),
        values=np.asarray(values, dtype=np.float64),
        zone=zone,
    )


def answer(model: ForecastModel, series: Series, horizon: int, country: str = "") -> np.ndarray:
    result = model.forecast(series, horizon, context=make_context(series, horizon, country), seed=1)
    assert isinstance(result, np.ndarray), result
    return result


def refusal(model: ForecastModel, series: Series, horizon: int = 14) -> Excuse:
    result = model.forecast(series, horizon, context=make_context(series, horizon, ""), seed=1)
    assert isinstance(result, Excuse), result
    return result


@pytest.mark.parametrize("model", ALL)
def test_a_trend_with_a_week_is_continued(model: Callable[[], ForecastModel]) -> None:
    rng = np.random.default_rng(1)
    truth = 1000 + 0.8 * np.arange(210) + np.tile(WEEK, 30)
    got = answer(model(), make(truth[:196] + rng.normal(0, 2, 196)), 14)
    # 14 days ahead the level alone would be 11 too low at the end, and without the week 20 off.
    np.testing.assert_allclose(got, truth[196:], atol=7)


@pytest.mark.parametrize("model", STATE_SPACE)
def test_a_week_of_hours_is_fitted_without_a_state_of_its_length(model: Callable[[], ForecastModel]) -> None:
    hours = np.arange(168 * 4)
    day, week = np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 168)
    truth = 100 + 20 * day + 10 * week
    noise = np.random.default_rng(2).normal(0, 2, len(hours))
    got = answer(model(), make((truth + noise)[: 168 * 3], hours=1), 168)
    error = np.abs(got - truth[168 * 3 :])
    assert error.mean() < 2.0, "well below the 17 of a flat line"


def test_sarimax_decays_from_a_shock_as_the_process_does() -> None:
    rng = np.random.default_rng(3)
    values = np.zeros(600)
    for t in range(1, 600):
        values[t] = 0.8 * values[t - 1] + rng.normal()
    values[-1] = values[-2] * 0.8 + 6.0
    got = answer(Sarimax(), make(values, hours=24 * 5), 10)  # five days: a grid without any season
    expected = values[-1] * 0.8 ** np.arange(1, 11)
    np.testing.assert_allclose(got, expected, atol=0.9)


def test_sarimax_follows_a_random_walk_from_its_last_value() -> None:
    values = np.cumsum(np.random.default_rng(4).normal(0, 1, 500))
    got = answer(Sarimax(), make(values, hours=24 * 5), 20)
    assert np.abs(got - values[-1]).max() < 2.5


def test_sarimax_knows_the_next_holiday_from_the_ones_before() -> None:
    days = 700
    series = make(np.full(days, 1000.0), kind=MetricKind.REAL, zone="America/New_York")
    series = Series(**{**vars(series), "start": datetime(2013, 1, 7, 5, tzinfo=UTC)})
    context = make_context(series, 30, "US")
    rng = np.random.default_rng(5)
    values = 1000 + rng.normal(0, 30, days) - 300 * context.holiday[:days]
    series = Series(**{**vars(series), "values": values})
    got = answer(Sarimax(), series, 30, "US")
    ahead = make_context(series, 30, "US").holiday[days:]
    assert 1 <= ahead.sum() < 10
    # Were the days quieter, the context would take such dips for errors of measurement.
    np.testing.assert_allclose(got[ahead], 700, atol=60)
    np.testing.assert_allclose(got[~ahead], 1000, atol=30)


def test_unobserved_components_damps_the_slope_ahead() -> None:
    values = 100 + 2.0 * np.arange(200) + np.random.default_rng(6).normal(0, 1, 200)
    got = answer(UnobservedComponents(), make(values), 300)
    early, late = np.mean(np.diff(got[:7])), np.mean(np.diff(got[-60:]))
    assert 1.5 < early < 2.1
    assert 0 <= late < 0.05


@pytest.mark.parametrize("model", ALL)
def test_missing_days_move_the_forecast_only_a_little(model: Callable[[], ForecastModel]) -> None:
    rng = np.random.default_rng(7)
    values = 500 + 4 * np.tile(WEEK, 24) + rng.normal(0, 4, 168)
    holes = values.copy()
    holes[rng.choice(np.arange(1, 167), 25, replace=False)] = np.nan
    whole, gapped = answer(model(), make(values), 14), answer(model(), make(holes), 14)
    assert np.isfinite(gapped).all(), "one NaN turns some libraries' answer into NaN throughout"
    np.testing.assert_allclose(gapped, whole, atol=12)


@pytest.mark.parametrize("model", STATE_SPACE)
def test_missing_stays_missing_and_is_not_learnt_from(model: Callable[[], ForecastModel]) -> None:
    """The fill of the context is a help for others: another fill gives the same forecast."""
    from dataclasses import replace

    values = 500 + np.tile(WEEK, 20) + np.random.default_rng(8).normal(0, 4, 140)
    values[60:75] = np.nan
    series = make(values)
    context = make_context(series, 14, "")
    other = np.where(context.missing, 9e5, context.values)
    changed = replace(context, values=other, regular=other)
    first = model().forecast(series, 14, context=context, seed=1)
    again = model().forecast(series, 14, context=changed, seed=1)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("model", ALL)
def test_a_spent_budget_is_an_excuse_that_says_so(model: Callable[..., ForecastModel]) -> None:
    seconds = itertools.count(0.0, 1.0)  # a second passes at every look at the clock
    excuse = refusal(model(budget_seconds=0.5, timer=lambda: next(seconds)), make(np.tile(WEEK, 20) + 100.0))
    assert "time budget of 0.5 seconds" in excuse.reason
    assert "budget_seconds" in excuse.what_would_help


@pytest.mark.parametrize(("model", "least"), [(Ets, 5), (Sarimax, 5), (UnobservedComponents, 5)])
def test_the_budget_is_asked_in_the_optimiser(model: Callable[..., ForecastModel], least: int) -> None:
    looks = [0.0]

    def timer() -> float:
        looks[0] += 1.0
        return looks[0]

    values = 100 + 5 * np.tile(WEEK, 20) + np.random.default_rng(9).normal(0, 3, 140)
    series = make(values)
    refusal(model(budget_seconds=float(least), timer=timer), series)
    assert looks[0] == least + 2, "it stops at the first look beyond the budget"
    answer(model(budget_seconds=1e6, timer=timer), series, 14)
    assert looks[0] > 3 * least, "several looks in each fit"


def test_the_program_of_prophet_is_stopped_by_the_wall_clock() -> None:
    values = 100 + 5 * np.tile(WEEK, 300) + np.random.default_rng(10).normal(0, 3, 2100)
    excuse = refusal(ProphetModel(budget_seconds=0.01, timer=lambda: 0.0), make(values))
    assert "time budget" in excuse.reason


@pytest.mark.parametrize("model", ALL)
def test_a_budget_that_is_no_number_of_seconds_is_refused(model: Callable[..., ForecastModel]) -> None:
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="budget_seconds"):
            model(budget_seconds=wrong)


@pytest.mark.parametrize(("module", "model"), [("sarimax", Sarimax), ("unobserved_components", UnobservedComponents)])
def test_no_convergence_is_an_excuse_with_the_word_of_the_optimiser(
    module: str, model: Callable[[], ForecastModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"forecasting.forecasts.models.{module}.MOST_ITERATIONS", 0)
    monkeypatch.setattr("forecasting.forecasts.models.sarimax.ORDERS", ((1, 1, 2, False),))
    excuse = refusal(model(), make(100 + np.cumsum(np.random.default_rng(11).normal(0, 3, 140))))
    assert "converged" in excuse.reason
    assert "0 steps were not enough" in excuse.reason


@pytest.mark.parametrize("model", ALL)
def test_no_warning_leaks_and_numbers_of_any_size_are_fitted(model: Callable[[], ForecastModel]) -> None:
    values = 100 + 5 * np.tile(WEEK, 15) + np.random.default_rng(12).normal(0, 3, 105)
    expected = answer(model(), make(values), 7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for factor in (1e-12, 1e13):
            got = answer(model(), make(factor * values), 7) / factor
            np.testing.assert_allclose(got, expected, rtol=0.05)


@pytest.mark.parametrize("model", STATE_SPACE)
def test_too_little_is_declined_with_the_numbers(model: Callable[[], ForecastModel]) -> None:
    values = np.full(40, np.nan)
    values[[0, 9, 20, 39]] = 3.0, 5.0, 4.0, 6.0
    assert refusal(model(), make(values)).reason == "4 observations, 12 needed"


def test_a_time_box_counts_from_its_opening() -> None:
    clock = iter([100.0, 101.0, 103.5, 103.5])
    box = open_box(3.0, lambda: next(clock))
    box.check(np.zeros(3))
    with pytest.raises(OutOfTimeError, match=r"3\.5 s used of 3 s"):
        box.check()
    assert box.left() == 0.0
