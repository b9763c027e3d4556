"""A planned event with three past occurrences moves the forecast by what it did; without a past, by what is stated."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forecasting.forecasts.effects import estimate_effects
from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.planned import event_effects
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.covariate import Event, Occurrence, PlannedEvent
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.workflows.planned_events import events_for, tell_events

FIRST = date(2026, 1, 5)
N, AHEAD = 120, 14
RUNS = ((20, 24), (52, 56), (90, 94), (N + 5, N + 9))
SALE = slice(5, 9)
"""The sale ahead, in slices of the horizon."""


def world(kind: MetricKind = MetricKind.COUNT) -> tuple[Series, NDArray[np.float64]]:
    """120 days of orders that a sale doubles, and the truth of the 14 days after."""
    week = np.array([1.0, 1.2, 1.2, 1.1, 1.3, 0.6, 0.4])
    values = 200 * np.resize(week, N + AHEAD) * np.exp(np.random.default_rng(1).normal(0, 0.05, N + AHEAD))
    for first, last in RUNS:
        values[first:last] *= 2
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    metric = Metric(name="orders", kind=kind, unit="orders")
    series = Series(service="shop", metric=metric, start=start, step=timedelta(days=1), values=np.round(values[:N]))
    return series, values[N:]


def sale(runs: tuple[tuple[int, int], ...], **more: Any) -> Catalogue:
    days = [(FIRST + timedelta(days=a), FIRST + timedelta(days=b - 1)) for a, b in runs]
    event = PlannedEvent(name="sale", occurrences=tuple(Occurrence(start=a, end=b) for a, b in days), **more)
    return Catalogue(name="c", services={"shop": Service(name="shop")}, events=(event,))


def forecast(series: Series, events: tuple[Event, ...]) -> Forecast:
    task = ForecastTask(
        series=(series,), horizon=AHEAD, models=("pooled",), countries=("",), n_paths=200, seed=1, events=events
    )
    (answer,) = forecast_batch(task)
    assert isinstance(answer, Forecast)
    return tell_events(answer, series, events=events, country="")


def test_a_sale_that_doubled_orders_three_times_doubles_them_again() -> None:
    series, truth = world()
    told = forecast(series, events_for(sale(RUNS), ["shop"]))
    assert np.all(np.abs(told.quantile(0.5)[SALE] / truth[SALE] - 1) < 0.15)
    assert told.choice is not None
    assert "sale × 1.8" in told.choice.reason
    assert "on 4 of 14 slices, learnt from 3 past events" in told.choice.reason

    plain = forecast(series, ())
    assert np.all(plain.quantile(0.5)[SALE] / truth[SALE] < 0.6), "nobody told it"
    other = np.r_[0:5, 9:AHEAD]
    assert np.allclose(plain.quantile(0.5)[other], told.quantile(0.5)[other], rtol=0.1), "the other days stay"


def test_without_a_past_the_stated_effect_holds_and_without_one_nothing_is_made_up() -> None:
    series, _ = world()
    stated = events_for(sale(RUNS[3:], stated_percent=Decimal(40), source="plan"), ["shop"])
    (effect,) = event_effects(series, AHEAD, events=stated)
    assert effect.sentence == "sale × 1.40 on 4 of 14 slices, as stated"
    (effect,) = event_effects(series, AHEAD, events=events_for(sale(RUNS[3:]), ["shop"]))
    assert effect.size is None
    assert "no earlier event of this name was observed" in effect.sentence
    assert "a stated effect" in effect.sentence


def test_what_was_observed_is_worth_more_than_what_was_stated() -> None:
    series, _ = world()
    events = events_for(sale(RUNS, stated_percent=Decimal(900), source="hope"), ["shop"])
    (effect,) = event_effects(series, AHEAD, events=events)
    assert effect.size is not None
    assert 1.7 < effect.size < 2.1
    assert effect.known_by == "learnt from 3 past events"


def test_an_event_elsewhere_or_far_away_changes_nothing() -> None:
    series, _ = world()
    for catalogue in (
        sale(RUNS, metrics=("visits",)),
        sale(RUNS, services=("depot",)),
        sale(((N + AHEAD + 5, N + AHEAD + 9),)),
    ):
        events = events_for(catalogue, ["shop", "depot"])
        assert event_effects(series, AHEAD, events=events) == ()
        answer = forecast_batch(
            ForecastTask(series=(series,), horizon=AHEAD, models=("trend",), countries=("",), n_paths=50, seed=1)
        )[0]
        assert isinstance(answer, Forecast)
        assert tell_events(answer, series, events=events, country="") is answer


def test_a_model_that_knows_no_events_says_so() -> None:
    series, _ = world()
    task = ForecastTask(series=(series,), horizon=AHEAD, models=("trend",), countries=("",), n_paths=50, seed=1)
    answer = forecast_batch(task)[0]
    assert isinstance(answer, Forecast)
    told = tell_events(answer, series, events=events_for(sale(RUNS), ["shop"]), country="")
    assert told.choice is not None
    assert told.choice.reason.endswith(f"sale not used: {answer.model} knows no planned events, pooled does")
    assert np.array_equal(told.paths, answer.paths)


def test_a_stated_effect_is_a_share_of_the_level_where_effects_are_differences() -> None:
    rng = np.random.default_rng(2)
    values = 50 + rng.normal(0, 1, 70)
    at = np.datetime64("2027-03-01", "us") + np.arange(77) * np.timedelta64(1, "D")
    start = datetime(2027, 5, 12, tzinfo=UTC)
    event = Event(name="move", start=start, end=start + timedelta(days=2), stated=1.2)
    found = estimate_effects(
        values, n_known=70, season=7, seasons=(7,), covariates=(), events=(event,), at=at, kind=MetricKind.REAL
    )
    assert found.future[2:4] == pytest.approx([10, 10], rel=0.05)
    assert found.future[[0, 1, 4, 5, 6]] == pytest.approx(0)
    assert found.known_by == {"move": "as stated"}
    assert found.method.endswith("move as stated")


def test_what_is_not_announced_yet_is_not_used() -> None:
    series, _ = world()
    start = datetime(2026, 5, 10, tzinfo=UTC)
    late = Event(name="sale", start=start, end=start + timedelta(days=2), stated=2.0, known_from=start)
    (effect,) = event_effects(series, AHEAD, events=(late,))
    assert effect.size is None
    assert "not known before" in effect.sentence


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_a_stated_factor_that_is_none_is_refused(factor: float) -> None:
    start = datetime(2026, 5, 10, tzinfo=UTC)
    with pytest.raises(InputError, match="stated effect of event sale"):
        Event(name="sale", start=start, end=start + timedelta(days=2), stated=factor)
