"""Components of a forecast against series made of known parts, and the sentences about them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.forecasts.engine import forecast_series
from forecasting.forecasts.explain import describe, explain_components, explain_forecast
from forecasting.terms.errors import Excuse
from forecasting.terms.explanation import COMPONENTS, Explanation
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series

WEEK = np.array([5.0, 9, 9, 9, 9, 7, 1]) - 7.0
"""A profile whose mean is 0."""


def total(parts: dict[str, np.ndarray]) -> np.ndarray:
    return np.sum(list(parts.values()), axis=0)


def test_a_constant_series_is_its_level() -> None:
    parts = explain_components(np.full(5, 42.0), history=np.full(30, 42.0), season=7)
    assert np.allclose(parts["level"], 42.0, atol=1e-9)
    assert np.allclose(parts["trend"], 0.0, atol=1e-9)
    assert np.allclose(parts["season"], 0.0, atol=1e-9)
    assert "calendar" not in parts
    assert "learned" not in parts


@pytest.mark.parametrize(("known", "horizon"), [(70, 14), (73, 10), (15, 3), (300, 1)])
def test_a_pure_season_is_level_and_profile_at_any_phase(known: int, horizon: int) -> None:
    values = 100 + np.resize(WEEK, known + horizon)
    parts = explain_components(values[known:], history=values[:known], season=7)
    assert np.allclose(parts["level"], 100, atol=1e-9)
    assert np.allclose(parts["trend"], 0, atol=1e-9)
    assert np.allclose(parts["season"], np.resize(WEEK, known + horizon)[known:], atol=1e-9)


@pytest.mark.parametrize("horizon", [5, 14, 60])
def test_trend_and_season_are_told_apart(horizon: int) -> None:
    known = 75
    at = np.arange(known + horizon)
    season = np.resize(WEEK, known + horizon)
    values = 50 + 0.5 * at + season
    parts = explain_components(values[known:], history=values[:known], season=7)
    assert np.allclose(parts["level"], 50 + 0.5 * (known - 1), atol=1e-6)
    assert np.allclose(parts["trend"], 0.5 * np.arange(1, horizon + 1), atol=1e-6)
    assert np.allclose(parts["season"], season[known:], atol=1e-6)


def test_the_day_and_the_week_are_told_apart() -> None:
    day = 10 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    week = np.repeat([3.0, 3, 3, 3, 3, -5, -10], 24)
    at = np.arange(24 * 7 * 6 + 5)
    values = 200 + day[at % 24] + week[at % 168]
    known = len(values) - 168
    parts = explain_components(values[known:], history=values[:known], season=168, seasons=(24, 168))
    assert list(parts) == ["level", "trend", "season_day", "season_week"]
    assert np.allclose(parts["season_day"], day[at[known:] % 24], atol=1e-6)
    assert np.allclose(parts["season_week"], week[at[known:] % 168], atol=1e-6)
    # The same where the shorter one is the main one.
    again = explain_components(values[known:], history=values[:known], season=24, seasons=(24, 168))
    assert np.allclose(again["season_week"], parts["season_week"], atol=1e-9)


def test_a_flat_forecast_of_a_seasonal_series_has_no_season() -> None:
    """What the forecast does not have is not invented from the history."""
    history = 100 + np.resize(WEEK, 70)
    parts = explain_components(np.full(28, 100.0), history=history, season=7)
    assert np.max(np.abs(parts["season"])) < 0.6
    assert np.max(np.abs(parts["trend"])) < 0.6


def test_a_holiday_dip_is_the_calendars() -> None:
    ordinary = 100 + np.resize(WEEK, 84)
    factor = np.ones(84)
    factor[[75, 76]] = (0.5, 0.9)
    parts = explain_components((ordinary * factor)[70:], history=ordinary[:70], season=7, holiday_factor=factor)
    expected = np.zeros(14)
    expected[5], expected[6] = -0.5 * ordinary[75], -0.1 * ordinary[76]
    assert np.allclose(parts["calendar"], expected, atol=1e-9)
    assert np.allclose(parts["season"], np.resize(WEEK, 84)[70:], atol=1e-9)


def test_a_day_on_which_nothing_happens_is_the_calendars_too() -> None:
    """A factor of 0 leaves nothing to divide."""
    ordinary = 100 + np.resize(WEEK, 84)
    factor = np.ones(14)
    factor[3] = 0.0
    parts = explain_components(ordinary[70:] * factor, history=ordinary[:70], season=7, holiday_factor=factor)
    assert parts["calendar"][3] == pytest.approx(-ordinary[73], rel=1e-6)
    assert np.allclose(total(parts), ordinary[70:] * factor, atol=1e-9)


def test_events_covariates_and_the_learned_part_are_as_given() -> None:
    values = 100 + np.resize(WEEK, 84)
    event, driver = np.zeros(14), np.linspace(0, 7, 14)
    event[2:5] = 30
    anchor = values[70:] + event + driver
    median = anchor + 2.5
    parts = explain_components(
        median, history=values[:70], season=7, effects={"covariates": driver, "events": event}, anchor=anchor
    )
    assert list(parts) == ["level", "trend", "season", "events", "covariates", "learned"]
    assert np.array_equal(parts["events"], event)
    assert np.array_equal(parts["covariates"], driver)
    assert np.allclose(parts["learned"], 2.5, atol=1e-9)
    assert np.allclose(parts["season"], np.resize(WEEK, 84)[70:], atol=1e-9)


def test_gaps_in_the_history_change_nothing_of_a_repeating_series() -> None:
    values = 100 + np.resize(WEEK, 84)
    holes = values[:70].copy()
    holes[[3, 20, 41, 69]] = np.nan
    whole = explain_components(values[70:], history=values[:70], season=7)
    parts = explain_components(values[70:], history=holes, season=7)
    assert all(np.allclose(parts[name], whole[name], atol=1e-9) for name in whole)


numbers = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(numbers, min_size=1, max_size=60),
    st.lists(numbers, min_size=1, max_size=40),
    st.sampled_from([(1, ()), (7, (7,)), (4, (4, 12)), (12, (4, 12)), (3, (2, 3))]),
    st.floats(min_value=0, max_value=3),
    st.booleans(),
)
def test_the_components_always_add_up(
    history: list[float], median: list[float], cycle: tuple[int, tuple[int, ...]], factor: float, learned: bool
) -> None:
    said = np.array(median)
    factors = np.ones(len(said))
    factors[0] = factor
    given_history = np.array(history)
    parts = explain_components(
        said,
        history=given_history,
        season=cycle[0],
        seasons=cycle[1],
        holiday_factor=factors,
        effects={"events": np.ones(len(said))},
        anchor=said * 0.9 if learned else None,
    )
    assert np.allclose(total(parts), said, rtol=0, atol=1e-9 * max(1.0, np.abs(said).max(), np.abs(history).max()))
    assert all(values.shape == said.shape and np.isfinite(values).all() for values in parts.values())
    assert {name.split("_")[0] for name in parts} <= set(COMPONENTS)
    assert np.array_equal(given_history, history)


@pytest.fixture(scope="module")
def made() -> tuple[Forecast, Series]:
    rng = np.random.default_rng(4)
    series = Series(
        service="shop",
        metric=Metric(name="orders", kind=MetricKind.COUNT, unit="orders", step=timedelta(days=1)),
        start=datetime(2026, 3, 2, tzinfo=UTC),
        step=timedelta(days=1),
        values=np.concatenate((200 + 10 * np.resize(WEEK, 300) + rng.normal(0, 5, 300), [np.nan, np.nan])),
    )
    found = forecast_series(series, 28, models=("seasonal_median",), country="US", n_paths=200, seed=1)
    assert isinstance(found, Forecast)
    return found, series


def test_a_forecast_of_the_stage_is_explained_after_the_fact(made: tuple[Forecast, Series]) -> None:
    forecast, series = made
    found = explain_forecast(forecast, series, country="US")
    assert np.allclose(found.total(), forecast.quantile(0.5), atol=1e-9)
    assert found.components["level"][0] == pytest.approx(200, abs=8)
    assert sum(weight for _, weight in found.weights) == pytest.approx(1)
    assert found.value_added is not None
    assert found.value_added > 0.1, "a median of seasons beats the last one where there is noise"
    assert {level for level, _, _ in found.coverage} >= {0.8}
    assert all(0 <= share <= 1 and outcomes > 0 for _, share, outcomes in found.coverage)


def test_an_explanation_that_is_there_is_kept(made: tuple[Forecast, Series]) -> None:
    from dataclasses import replace

    forecast, series = made
    own = Explanation(components={}, weights=(), declined=(), value_added=None, coverage=(), notes=())
    assert explain_forecast(replace(forecast, explanation=own), series) is own


def test_what_the_drawing_of_paths_changed_is_in_the_learned_part(made: tuple[Forecast, Series]) -> None:
    from dataclasses import replace

    forecast, series = made
    median = forecast.quantile(0.5)
    own = Explanation(
        components={"level": median - 1.5, "learned": np.ones(len(median))},
        weights=(), declined=(), value_added=None, coverage=(), notes=(),
    )  # fmt: skip
    found = explain_forecast(replace(forecast, explanation=own), series)
    assert np.allclose(found.components["learned"], 1.5, atol=1e-9)
    assert np.allclose(found.total(), median, atol=1e-9)
    assert np.array_equal(own.components["learned"], np.ones(len(median)))


def test_many_members_are_counted() -> None:
    weights = tuple((f"m{i}", 0.1) for i in range(10))
    found = Explanation(components={}, weights=weights, declined=(), value_added=None, coverage=(), notes=())
    assert describe(found).splitlines()[0] == "Made of m0 10 %; m1 10 %; m2 10 %; m3 10 %; m4 10 %; and 5 more 50 %."


def test_the_words_have_the_numbers() -> None:
    found = Explanation(
        components={
            "level": np.full(4, 1234.0),
            "trend": np.array([0.0, 10, 20, 30]),
            "season_day": np.array([-5.0, 5, -5, 5]),
            "season_week": np.zeros(4),
            "calendar": np.array([0.0, -600, 0, 0]),
            "learned": np.array([-1.0, 2, 0, 0]),
        },
        weights=(("theta", 0.62), ("ets", 0.38)),
        declined=(("sarimax", Excuse(reason="9 slices, 14 needed", what_would_help="five more days")),),
        value_added=-0.04,
        coverage=((0.8, 0.79, 1240),),
        notes=("held at the last level beyond 90 slices",),
    )
    lines = describe(found, "calls").splitlines()
    assert lines == [
        "The last level, without season, is 1,234 calls.",
        "The trend changes it by +30 calls until the last slice (+2.4 %).",
        "The time of day moves it between -5 and +5 calls.",
        "Public holidays change 1 of 4 slices, by -600 calls at most.",
        "What was learnt across series changes it by -1 to +2 calls.",
        "Made of theta 62 %; ets 38 %.",
        "Out of sample its quantile loss was 4 % above seasonal naive's.",
        "The 80 % interval held 79 % of 1,240 outcomes out of sample.",
        "sarimax declined: 9 slices, 14 needed (what would help: five more days).",
        "Note: held at the last level beyond 90 slices.",
    ]
