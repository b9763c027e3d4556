"""Checks that every demand model passes, inside this package or outside; they need nothing but the model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from forecasting.forecasts.base import ForecastContext, ForecastModel
from forecasting.forecasts.context import make_context, trim
from forecasting.forecasts.engine import forecast_series
from forecasting.forecasts.guard import plausible_range
from forecasting.forecasts.models import MODELS
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import MetricKind, Series
from forecasting.testing._series import HOUR, bad_inputs, make_series, usual_days, usual_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLAIMS", "ClaimingModel", "NamedCheck", "bad_inputs", "check_forecaster"]

NamedCheck = tuple[str, Callable[[], None]]
CLAIMS = {
    "scale": "k times the history gives k times the forecast, k above 0",
    "shift": "the history plus c gives the forecast plus c, on metrics of kind real",
}
"""What a model may claim, and what is then checked."""
CLAIM_TOLERANCE = 1e-4
"""Largest departure from a claim, as a share of the range of the history: optimisers stop near the optimum."""
FAR_OUT = 10.0
"""How many widths of the plausible range a raw forecast may lie outside; the stage refuses it well before."""
STAGE_PATHS = 30
COUNTRY = "US"
LONG = 400
"""Slices of the long horizon."""


@runtime_checkable
class ClaimingModel(Protocol):
    """A model that also says how its forecasts follow the unit and the origin of the numbers.

    `claims` is optional: a model without it claims nothing, and nothing of the kind is checked.
    """

    @property
    def claims(self) -> frozenset[str]:
        """Names of `CLAIMS`."""
        ...


def check_forecaster(
    model: ForecastModel,
    *,
    horizons: tuple[int, ...] = (1, 30),
    inputs: Iterable[tuple[str, Series]] | None = None,
) -> Iterator[NamedCheck]:
    """Yield named checks of a model's contract; each raises AssertionError with the finding, or passes.

    A name is ``property: series, horizon ahead``. On every series: the model answers or declines and does not raise
    (``raises nothing``, ``warns nothing``); an excuse has its reason (``excuse``); an answer has the right shape
    (``shape``), is finite (``finite``) and is neither an explosion nor a false zero, where it should decline
    (``plausible``); the same arguments give the same again, also after another series was asked (``repeatable``);
    arguments stay as they were (``arguments unchanged``). Behind the stage every path and quantile is finite, inside
    the bounds of the metric and in order, and a series with nothing to learn from is declined (``stage``). Once: that
    outcomes after the origin move no bit of the forecast from it (``no leakage``), and what the model claims
    (``claims``, see `ClaimingModel`).

    Parameters
    ----------
    model : ForecastModel
        The model to check.
    horizons : tuple of int
        Horizons asked of every series; the last one is asked of the stage too.
    inputs : iterable of (str, Series), optional
        The series; all of `bad_inputs` where left out. A slow model may take a few of them every day.

    Examples
    --------
    >>> from forecasting.forecasts.models import get_model
    >>> for name, check in check_forecaster(get_model("seasonal_naive"), horizons=(30,)):
    ...     check()
    >>> name
    'no leakage: an hourly history'
    """
    yield "name", lambda: _has_a_name(model)
    series_by_name = list(bad_inputs() if inputs is None else inputs)
    for what, series in series_by_name:
        for horizon in horizons:
            yield from _checks_of(model, what, series, horizon)
        yield f"stage: {what}, {horizons[-1]} ahead", _stage(model, series, horizons[-1])
    yield from _checks_of(model, "usual", make_series(usual_days()), LONG)
    yield from _claims(model)
    yield "no leakage: a daily history", _no_leakage(model, make_series(usual_days(150)), 120)
    gapped = np.where(np.arange(150) % 11 == 4, np.nan, usual_days(150))
    yield "no leakage: a history with gaps", _no_leakage(model, make_series(gapped), 119)
    hours = make_series(usual_hours(24 * 16), step=HOUR)
    yield "no leakage: an hourly history", _no_leakage(model, hours, 24 * 14 + 5)


def _has_a_name(model: ForecastModel) -> None:
    """Check that the model can stand in a table and claims only what is known."""
    assert isinstance(model.name, str), "the name is not a text"
    assert model.name.isidentifier(), f"{model.name!r} is no name such as seasonal_naive"
    unknown = _claims_of(model) - set(CLAIMS)
    assert not unknown, f"claims {', '.join(sorted(unknown))}; known claims: {', '.join(CLAIMS)}"


def _claims_of(model: ForecastModel) -> frozenset[str]:
    """What the model claims; nothing where it does not say."""
    return frozenset(model.claims) if isinstance(model, ClaimingModel) else frozenset()


@dataclass(kw_only=True)
class _Run:
    """What a model says to one series and horizon; asked once, judged by many checks."""

    model: ForecastModel
    series: Series
    horizon: int
    asked: bool = False
    error: str = ""
    changed: str = ""
    warned: tuple[str, ...] = ()
    answers: list[NDArray[np.float64] | Excuse] = field(default_factory=list)
    context: ForecastContext | None = None

    def ask(self) -> _Run:
        """Ask twice, with another series between."""
        if not self.asked:
            self.asked = True
            self._ask()
        return self

    def _ask(self) -> None:
        """Ask, noting errors, warnings and changed arguments."""
        other = make_series(3 * usual_days(60, seed=1)[::-1])
        for series in (self.series, other, self.series):
            given = _protected(series)
            context = make_context(given, self.horizon, COUNTRY)
            if series is self.series:
                self.context = context
            before = _copies(given, context)
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    answer = self.model.forecast(given, self.horizon, context=context, seed=1)
            except Exception as error:  # noqa: BLE001  whatever a model raises is the finding
                if "read-only" in str(error):
                    self.changed = f"it tried to write into its arguments ({error})"
                else:
                    self.error = f"{type(error).__name__}: {error}"
                return
            if series is self.series:
                self.answers.append(answer if isinstance(answer, Excuse) else np.array(answer))
                self.warned = self.warned or tuple(f"{w.category.__name__}: {w.message}" for w in caught)
            for name, value, copy in before:
                if not np.array_equal(value, copy, equal_nan=value.dtype.kind == "f"):
                    self.changed = f"it changed {name}"

    def answer(self) -> NDArray[np.float64] | None:
        """The forecast, or None where there is none to judge."""
        self.ask()
        first = self.answers[0] if self.answers else None
        return None if first is None or isinstance(first, Excuse) else first


def _is_forecast(answer: NDArray[np.float64], horizon: int) -> bool:
    """Whether an answer has the form of a forecast, so that its values can be judged."""
    return answer.shape == (horizon,) and answer.dtype.kind == "f" and bool(np.isfinite(answer).all())


def _same_bits(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """Whether two arrays are the same to the last bit."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _protected(series: Series) -> Series:
    """A copy of the series that refuses to be written to."""
    values = series.values.copy()
    values.setflags(write=False)
    return replace(series, values=values)


def _copies(series: Series, context: ForecastContext) -> list[tuple[str, NDArray[np.generic], NDArray[np.generic]]]:
    """Every array the model is given, with a copy."""
    found = [("history.values", series.values)]
    found += [(f"context.{name}", value) for name, value in vars(context).items() if isinstance(value, np.ndarray)]
    return [(name, value, value.copy()) for name, value in found]


def _checks_of(model: ForecastModel, what: str, series: Series, horizon: int) -> Iterator[NamedCheck]:
    """The checks of one series and horizon; none where nothing was observed, which no model is ever asked."""
    trimmed, _ = trim(series)
    if np.isnan(trimmed.values).all():
        return
    run = _Run(model=model, series=trimmed, horizon=horizon)

    def raises_nothing() -> None:
        assert not run.ask().error, run.error

    def warns_nothing() -> None:
        assert not run.ask().warned, "; ".join(run.warned)

    def arguments_unchanged() -> None:
        assert not run.ask().changed, run.changed

    def excuse() -> None:
        for answer in run.ask().answers:
            if isinstance(answer, Excuse):
                assert answer.reason, "the excuse gives no reason"
                assert answer.what_would_help, "the excuse does not say what would help"

    def shape() -> None:
        answer = run.answer()
        if answer is not None:
            assert answer.shape == (horizon,), f"shape {answer.shape}, expected ({horizon},)"
            assert answer.dtype.kind == "f", f"{answer.dtype}, expected float64"

    def finite() -> None:
        answer = run.answer()
        if answer is not None and answer.dtype.kind == "f":
            bad = int(np.sum(~np.isfinite(answer)))
            assert not bad, f"{bad} of {answer.size} values are not finite"

    def repeatable() -> None:
        run.ask()
        if len(run.answers) == 2:
            first, again = run.answers
            if isinstance(first, Excuse) or isinstance(again, Excuse):
                assert type(first) is type(again), "an answer once, an excuse the next time"
                assert first == again, "another excuse the next time"
            else:
                assert _same_bits(first, again), "the same arguments gave another forecast"

    def plausible() -> None:
        answer = run.answer()
        if answer is not None and run.context is not None and _is_forecast(answer, horizon):
            least, most = plausible_range(horizon, run.context)
            room = FAR_OUT * (most - least)
            worst = float(answer[np.argmax(np.abs(answer - (least + most) / 2))])
            assert least - room <= worst <= most + room, f"{worst:.4g}, where {least:.4g} to {most:.4g} is plausible"
            assert answer.any() or run.context.values.min() <= 0, "zero throughout, where the history has no zero"

    where = f"{what}, {horizon} ahead"
    yield f"raises nothing: {where}", raises_nothing
    yield f"warns nothing: {where}", warns_nothing
    yield f"arguments unchanged: {where}", arguments_unchanged
    yield f"excuse: {where}", excuse
    yield f"shape: {where}", shape
    yield f"finite: {where}", finite
    yield f"repeatable: {where}", repeatable
    yield f"plausible: {where}", plausible


_STAGED: list[ForecastModel] = []
"""The models inside `_in_the_table`, innermost last."""


def staged() -> ForecastModel:
    """Return the model that is in the table for the length of a check."""
    return _STAGED[-1]


@contextmanager
def _in_the_table(model: ForecastModel) -> Iterator[None]:
    """Put the model into the table of models for the length of a block, as the stage takes models by name."""
    before = dict(MODELS)
    MODELS[model.name] = f"{__name__}:{staged.__name__}"
    _STAGED.append(model)
    try:
        yield
    finally:
        _STAGED.pop()
        MODELS.clear()
        MODELS.update(before)


def _stage(model: ForecastModel, series: Series, horizon: int) -> Callable[[], None]:
    """Check the paths and quantiles that come out of the stage when this model is a candidate."""

    def check() -> None:
        given = _protected(series)
        try:
            with _in_the_table(model):
                result = forecast_series(
                    given, horizon, models=(model.name,), country=COUNTRY, n_paths=STAGE_PATHS, seed=9, origins=1
                )
        except Exception as error:  # the stage has an answer to every model, so whatever it raises is the finding
            raise AssertionError(f"the stage failed: {type(error).__name__}: {error}") from error
        known = int(np.sum(~np.isnan(series.values)))
        if isinstance(result, Excuse):
            assert result.reason, "the excuse gives no reason"
            return
        assert known >= 2, f"a forecast from {known} observed values"
        _judge(result, horizon)

    return check


def _judge(result: Forecast, horizon: int) -> None:
    """Check the paths of one forecast."""
    assert result.paths.shape == (STAGE_PATHS, horizon), f"paths of shape {result.paths.shape}"
    assert np.isfinite(result.paths).all(), "paths that are not finite"
    low, high = result.metric.kind.bounds
    assert low is None or result.paths.min() >= low, f"paths below {low}"
    assert high is None or result.paths.max() <= high, f"paths above {high}"
    quantiles = np.stack([np.asarray(result.quantile(level)) for level in (0.025, 0.1, 0.5, 0.9, 0.975)])
    assert (np.diff(quantiles, axis=0) >= 0).all(), "quantiles that cross"


def _claims(model: ForecastModel) -> Iterator[NamedCheck]:
    """The checks of what the model claims."""
    claimed = _claims_of(model)
    flat, hours = usual_days(140, seed=5), usual_hours(24 * 14)
    histories = {"daily": (flat, timedelta(days=1)), "hourly": (hours, HOUR)}
    for what, (values, step) in histories.items():
        if "scale" in claimed:
            for factor in (1e-6, 3.0, 1e6):
                series = make_series(values, MetricKind.NON_NEGATIVE, step=step)
                yield f"claims scale: {what}, {factor:g} times", _follows(model, series, factor, 0.0)
        if "shift" in claimed:
            for shift in (-1e4, 250.0):
                series = make_series(values, MetricKind.REAL, step=step)
                yield f"claims shift: {what}, {shift:+g}", _follows(model, series, 1.0, shift)


def _follows(model: ForecastModel, series: Series, factor: float, shift: float) -> Callable[[], None]:
    """Check that the forecast of `factor` × history + `shift` is that of the forecast."""

    def check() -> None:
        answers = []
        for values in (series.values, factor * series.values + shift):
            one = replace(series, values=values)
            answers.append(model.forecast(one, 14, context=make_context(one, 14, COUNTRY), seed=1))
        first, moved = answers
        if isinstance(first, Excuse) or isinstance(moved, Excuse):
            assert isinstance(first, Excuse), "declines only after the change"
            assert isinstance(moved, Excuse), "declines only before the change"
            return
        allowed = CLAIM_TOLERANCE * factor * float(np.ptp(series.values))
        off = float(np.max(np.abs(moved - (factor * first + shift))))
        assert off <= allowed, f"{factor:g} × history {shift:+g}: off by {off:.3g}, {allowed:.3g} allowed"

    return check


def _no_leakage(model: ForecastModel, series: Series, origin: int) -> Callable[[], None]:
    """Check that outcomes after the origin do not move the forecast from it, as a back-test gives them."""

    def check() -> None:
        horizon = len(series) - origin
        future = series.values[origin:]
        answers: list[NDArray[np.float64] | Excuse] = []
        for altered in (future, 3 * future[::-1], np.full(horizon, np.nan), 1e9 + future):
            whole = np.concatenate((series.values[:origin], altered))
            one = replace(series, values=whole[:origin])  # a view: what is behind it is there for whoever looks
            known, _ = trim(one)
            between = () if answers else (replace(series, values=whole), known)  # a model that remembers shows here
            for asked in (known, *between):
                if not np.isnan(asked.values[-1]):
                    context = make_context(asked, horizon, COUNTRY)
                    answer = model.forecast(asked, horizon, context=context, seed=1)
                    if asked is known:
                        answers.append(answer if isinstance(answer, Excuse) else np.array(answer))
        first = answers[0]
        for answer in answers[1:]:
            if isinstance(first, Excuse) or isinstance(answer, Excuse):
                both = isinstance(first, Excuse) and isinstance(answer, Excuse)
                assert both, "the future decides whether the model answers"
                assert first == answer, "the future is told in the excuse"
            else:
                assert _same_bits(first, answer), "the future moved a forecast made before it"

    return check
