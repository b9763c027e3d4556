"""The battery itself: each planted fault is found under the name of what is wrong, and a sound model passes."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest

from forecasting.forecasts.base import ForecastContext, ForecastModel
from forecasting.forecasts.models import MODELS, get_model
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series
from forecasting.testing.forecaster import bad_inputs, check_forecaster

SMALL = ("length 2", "usual", "half missing", "all missing", "ratio near one", "two days of hours", "huge")
INPUTS = [(what, series) for what, series in bad_inputs() if what in SMALL]
Answer = np.ndarray | Excuse


class Sound:
    """The median of the last two seasons, repeated; every faulty model differs from it in one thing."""

    name = "planted"

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        if len(context.values) < 4:
            return Excuse(reason=f"{len(context.values)} slices, 4 needed", what_would_help="more history")
        return np.full(horizon, float(np.median(context.values[-2 * context.season :])))


class LeaksTheFuture(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        behind = history.values.base
        if behind is not None and len(behind) > len(history):
            return np.nan_to_num(np.resize(behind[len(history) :], horizon), nan=1.0)
        return super().forecast(history, horizon, context=context, seed=seed)


class DeclinesByTheFuture(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        behind = history.values.base
        if behind is not None and np.isnan(behind[-1]):
            return Excuse(reason="it will end", what_would_help="nothing")
        return super().forecast(history, horizon, context=context, seed=seed)


class RemembersTheLongestHistory(Sound):
    def __init__(self) -> None:
        self.longest = np.zeros(0)

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        if len(history) > len(self.longest):
            self.longest = context.values
        return np.full(horizon, float(np.median(self.longest[-7:])))


class WritesIntoTheHistory(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        history.values[0] = 0.0
        return super().forecast(history, horizon, context=context, seed=seed)


class ForcesItsWayIntoTheContext(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        context.values.setflags(write=True)
        context.values[-1] += 1.0
        return super().forecast(history, horizon, context=context, seed=seed)


class RandomWithoutSeed(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        point = super().forecast(history, horizon, context=context, seed=seed)
        return point if isinstance(point, Excuse) else point * (1 + 1e-9 * np.random.default_rng().random(horizon))


class CountsItsCalls(Sound):
    def __init__(self) -> None:
        self.calls = 0

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        self.calls += 1
        point = super().forecast(history, horizon, context=context, seed=seed)
        return point if isinstance(point, Excuse) else point * (1 + 0.001 * self.calls)


class ExcuseEverySecondTime(Sound):
    def __init__(self) -> None:
        self.calls = 0

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        self.calls += 1
        if self.calls % 3 == 0:
            return Excuse(reason="tired", what_would_help="a rest")
        return super().forecast(history, horizon, context=context, seed=seed)


class LetsGapsThrough(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return np.full(horizon, float(np.mean(history.values)))


class Infinite(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return np.full(horizon, np.inf)


class OneTooMany(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return super().forecast(history, horizon + 1, context=context, seed=seed)


class AlwaysThirty(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return super().forecast(history, 30, context=context, seed=seed)


class AColumn(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        point = super().forecast(history, horizon, context=context, seed=seed)
        return point if isinstance(point, Excuse) else point[:, None]


class Texts(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return np.full(horizon, "12.5")


class Explodes(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        point = super().forecast(history, horizon, context=context, seed=seed)
        return point if isinstance(point, Excuse) else point * 2.0 ** np.arange(horizon)


class FarBelowTheBounds(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        point = super().forecast(history, horizon, context=context, seed=seed)
        return point if isinstance(point, Excuse) else -1e3 * np.abs(point)


class ZeroWhereItKnowsNothing(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return np.zeros(horizon)


class RaisesOnShort(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        if len(history) < 7:
            raise IndexError("index 6 is out of bounds")
        return super().forecast(history, horizon, context=context, seed=seed)


class Warns(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        warnings.warn("Maximum Likelihood optimization failed to converge", UserWarning, stacklevel=1)
        return super().forecast(history, horizon, context=context, seed=seed)


class SilentExcuse(Sound):
    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return Excuse(reason="", what_would_help="")


class InTheUnitOfOrders(Sound):
    claims = frozenset({"scale"})

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return np.full(horizon, float(np.expm1(np.mean(np.log1p(np.maximum(context.values, 0.0))))))


class HalfTheWayToZero(Sound):
    claims = frozenset({"shift"})

    def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
        return 0.999 * np.full(horizon, float(np.mean(context.values[-14:])))


class ClaimsTooMuch(Sound):
    claims = frozenset({"best"})


class NoNameForATable(Sound):
    name = "my model!"


FAULTS: list[tuple[Callable[[], ForecastModel], str]] = [
    (LeaksTheFuture, "no leakage"),
    (DeclinesByTheFuture, "no leakage"),
    (RemembersTheLongestHistory, "no leakage"),
    (WritesIntoTheHistory, "arguments unchanged"),
    (ForcesItsWayIntoTheContext, "arguments unchanged"),
    (RandomWithoutSeed, "repeatable"),
    (CountsItsCalls, "repeatable"),
    (ExcuseEverySecondTime, "repeatable"),
    (LetsGapsThrough, "finite: half missing"),
    (Infinite, "finite"),
    (OneTooMany, "shape"),
    (AlwaysThirty, "shape"),
    (AColumn, "shape"),
    (Texts, "shape"),
    (Explodes, "plausible"),
    (FarBelowTheBounds, "plausible"),
    (ZeroWhereItKnowsNothing, "plausible"),
    (RaisesOnShort, "raises nothing: length 2"),
    (Warns, "warns nothing"),
    (SilentExcuse, "excuse"),
    (InTheUnitOfOrders, "claims scale"),
    (HalfTheWayToZero, "claims shift"),
    (ClaimsTooMuch, "name"),
    (NoNameForATable, "name"),
]


def findings(model: ForecastModel) -> dict[str, str]:
    """Name of every check that failed, with its finding; anything but a finding gets through."""
    found = {}
    for name, check in check_forecaster(model, horizons=(1, 30), inputs=INPUTS):
        try:
            check()
        except AssertionError as error:
            found[name] = str(error)
    return found


def test_a_sound_model_passes() -> None:
    assert findings(Sound()) == {}


@pytest.mark.parametrize(("fault", "name"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_planted_fault_is_found_under_its_name(fault: Callable[[], ForecastModel], name: str) -> None:
    found = findings(fault())
    assert any(check.startswith(name) for check in found), found
    # The name leads to the fault: what else fails follows from it and does not hide it among other properties.
    assert len({check.split(":")[0] for check in found}) <= 3, found


def test_a_true_claim_passes_and_is_only_checked_where_it_is_made() -> None:
    class Claimed:
        name = "planted"
        claims = frozenset({"scale", "shift"})

        def forecast(self, history: Series, horizon: int, *, context: ForecastContext, seed: int) -> Answer:
            return Sound().forecast(history, horizon, context=context, seed=seed)

    assert findings(Claimed()) == {}
    names = [name for name, _ in check_forecaster(Claimed(), inputs=INPUTS)]
    assert sum(name.startswith("claims") for name in names) == 10
    assert not [name for name, _ in check_forecaster(Sound(), inputs=INPUTS) if name.startswith("claims")]


def test_names_of_checks_are_all_different() -> None:
    names = [name for name, _ in check_forecaster(Sound())]
    assert len(names) == len(set(names))
    assert len(names) > 800


def test_the_table_of_models_is_as_before() -> None:
    before = dict(MODELS)
    checks = dict(check_forecaster(RaisesOnShort(), inputs=INPUTS))
    checks["stage: usual, 30 ahead"]()
    assert before == MODELS
    assert list(before) == list(MODELS)


def test_a_model_may_have_the_name_of_one_in_the_table() -> None:
    class Naive(Sound):
        name = "seasonal_naive"

    assert findings(Naive()) == {}
    assert type(get_model("seasonal_naive")).__name__ == "SeasonalNaive"
