"""Every model of the table against the public battery, and the whole stage on the same bad inputs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from forecasting.forecasts.engine import forecast_series
from forecasting.forecasts.models import MODELS, get_model
from forecasting.terms.errors import Excuse
from forecasting.terms.history import MetricKind, Series
from forecasting.terms.settings import Settings
from forecasting.testing.forecaster import bad_inputs, check_forecaster

INPUTS = dict(bad_inputs())


SLOW = ("ets", "prophet", "hist_gradient_boosting", "sarimax", "unobserved_components")
"""Models that are asked a few series every day and the whole matrix at night."""
FEW = ("length 3", "usual", "half missing", "all missing")
ON_REQUEST = ("sarimax", "unobserved_components")
"""Slow models that nobody gets without asking: all of them at night."""
AT_NIGHT = ("claims", "no leakage: a history with gaps", "no leakage: an hourly history")
"""Checks that ask a slow model so often that they wait for the night."""


def findings(
    name: str, horizons: tuple[int, ...], inputs: dict[str, Series], leave_out: tuple[str, ...] = ()
) -> list[str]:
    """What the battery finds in a model of the table, without the checks whose names begin with `leave_out`."""
    model = get_model(name)
    assert model.name == name
    failed = []
    for what, check in check_forecaster(model, horizons=horizons, inputs=inputs.items()):
        try:
            if not leave_out or not what.startswith(leave_out):
                check()
        except AssertionError as error:
            failed.append(f"{what}: {error}")
    return failed


@pytest.mark.parametrize("name", [name for name in MODELS if name not in SLOW])
def test_model_keeps_its_contract(name: str) -> None:
    assert not findings(name, (1, 30), INPUTS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.nightly if name in ON_REQUEST else ()) for name in SLOW]
)
def test_a_slow_model_keeps_its_contract_on_a_few_series(name: str) -> None:
    assert not findings(name, (30,), {what: INPUTS[what] for what in FEW}, AT_NIGHT)


@pytest.mark.nightly
@pytest.mark.parametrize("name", SLOW)
def test_a_slow_model_keeps_its_contract(name: str) -> None:
    assert not findings(name, (1, 30), INPUTS)


def test_what_is_tried_by_default_is_unchanged_by_the_models_on_request() -> None:
    assert not set(ON_REQUEST) & set(Settings().models)


def test_the_battery_can_fail() -> None:
    class Bad:
        name = "bad"

        def forecast(self, history: Series, horizon: int, *, context: object, seed: int) -> np.ndarray:
            history.values[0] = 0
            return np.full(horizon, np.nan)

    failed = 0
    for _, check in check_forecaster(Bad(), horizons=(7,)):
        try:
            check()
        except AssertionError:
            failed += 1
    assert failed > 20


@pytest.mark.parametrize("what", list(INPUTS))
def test_stage_gives_finite_bounded_repeatable_paths(what: str) -> None:
    series = INPUTS[what]
    before = series.values.copy()
    models = ("seasonal_naive", "holiday_naive", "seasonal_median", "trend")
    results = [
        forecast_series(series, 40, models=models, country="US", n_paths=60, seed=9, backtest_horizon=20)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(series.values, before)
    first, again = results
    if isinstance(first, Excuse) or isinstance(again, Excuse):
        assert first == again
        assert np.sum(~np.isnan(before)) < 3
        return
    np.testing.assert_array_equal(first.paths, again.paths)
    assert first.paths.shape == (60, 40)
    assert np.isfinite(first.paths).all()
    low, high = series.metric.kind.bounds
    assert low is None or first.paths.min() >= low
    assert high is None or first.paths.max() <= high
    if series.metric.kind is not MetricKind.REAL and np.nanmin(before) > 0:
        assert first.quantile(0.5).max() > 0
    if np.nanmax(before) == np.nanmin(before):
        np.testing.assert_allclose(first.paths, before[0], atol=1e-9)


def test_the_table_of_models_loads_nothing_heavy() -> None:
    code = (
        "import sys, forecasting.forecasts.models, forecasting.forecasts.engine;"
        "print([m for m in ('pandas', 'prophet', 'statsmodels', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("what", "horizon"), [("zero at last", 1), ("zero at last", 7), ("a third zero", 1)])
def test_stage_answers_where_even_the_naive_is_refused(what: str, horizon: int) -> None:
    result = forecast_series(INPUTS[what], horizon, models=("trend",), country="US", n_paths=30, seed=9, origins=1)
    assert np.isfinite(result.paths).all()
