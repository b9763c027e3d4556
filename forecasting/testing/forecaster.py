"""A battery of checks for a demand model, for authors of models and for our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.backtest import run_backtest
from forecasting.forecasts.base import ForecastModel
from forecasting.forecasts.context import make_context, trim
from forecasting.forecasts.guard import guarded_forecast
from forecasting.forecasts.models import get_model
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

NamedCheck = tuple[str, Callable[[], None]]
_WEEK = np.array([1.0, 1.1, 1.05, 1.0, 1.2, 0.6, 0.5])


def _series(values: NDArray[np.float64], kind: MetricKind = MetricKind.COUNT, hours: int = 24) -> Series:
    """A series in New York from 1 January 2013 on."""
    return Series(
        service="checked",
        metric=Metric(name="events", kind=kind, step=timedelta(hours=hours)),
        start=datetime(2013, 1, 1, 5, tzinfo=UTC),
        step=timedelta(hours=hours),
        values=np.asarray(values, dtype=np.float64),
        zone="America/New_York",
    )


def bad_inputs() -> Iterator[tuple[str, Series]]:
    """Yield named series of the kinds that break models: short, constant, gapped, intermittent, extreme.

    Examples
    --------
    >>> "all zero" in dict(bad_inputs())
    True
    """
    rng = np.random.default_rng(7)
    days = np.arange(120)
    usual = 200 * _WEEK[days % 7] * (1 + 0.05 * rng.standard_normal(120))
    for length in (1, 2, 3, 5, 7, 13, 14, 15, 21, 30):
        yield f"length {length}", _series(usual[:length])
    yield "usual", _series(usual)
    yield "constant", _series(np.full(120, 42.0))
    yield "almost constant", _series(np.r_[np.full(119, 42.0), 42.0001])
    yield "all zero", _series(np.zeros(120))
    yield "intermittent", _series(np.where(rng.random(120) < 0.15, rng.poisson(3, 120), 0).astype(float))
    yield "one gap", _series(np.where(days == 60, np.nan, usual))
    yield "gap of 30 days", _series(np.where((days > 50) & (days <= 80), np.nan, usual))
    yield "half missing", _series(np.where((rng.random(120) < 0.5) & (days > 0) & (days < 119), np.nan, usual))
    yield "outlier", _series(np.where(days == 100, 1e8, usual))
    yield "level shift", _series(np.where(days > 90, 10 * usual, usual))
    yield "huge", _series(usual * 1e12)
    yield "tiny", _series(usual * 1e-9, MetricKind.NON_NEGATIVE)
    yield "ratio near one", _series(np.clip(0.98 + 0.03 * rng.standard_normal(120), 0, 1), MetricKind.RATIO)
    yield "negative level", _series(-5 + rng.standard_normal(120), MetricKind.REAL)
    yield "growing stock", _series(1000 + 3.0 * days + rng.standard_normal(120), MetricKind.NON_NEGATIVE)
    hours = np.arange(24 * 21)
    hourly = 20 + 10 * np.sin(hours / 24 * 2 * np.pi) + rng.standard_normal(len(hours))
    yield "hourly", _series(hourly, hours=1)
    yield "two days of hours", _series(hourly[:48], hours=1)


def check_forecaster(model: ForecastModel, *, horizons: tuple[int, ...] = (1, 30)) -> Iterator[NamedCheck]:
    """Yield named checks of a model's contract; each raises AssertionError with the finding, or passes.

    Checked on every series of `bad_inputs`: an excuse or a finite forecast of the right shape, without an exception;
    the same again for the same arguments; arguments unchanged; inside the bounds of the metric behind the guard-rails;
    and that nothing after an origin moves the forecast from it.

    Parameters
    ----------
    model : ForecastModel
        The model to check.
    horizons : tuple of int
        Horizons asked.

    Examples
    --------
    >>> for name, check in check_forecaster(get_model("seasonal_naive"), horizons=(7,)):
    ...     check()
    >>> name
    'no leakage'
    """
    for what, series in bad_inputs():
        for horizon in horizons:
            yield f"{what}, {horizon} ahead", _contract(model, series, horizon)
    yield "no leakage", _no_leakage(model)


def _contract(model: ForecastModel, series: Series, horizon: int) -> Callable[[], None]:
    """Check of one series and horizon."""

    def check() -> None:
        one, _ = trim(series)
        context = make_context(one, horizon, "US")
        before = one.values.copy(), context.values.copy()
        first = model.forecast(one, horizon, context=context, seed=1)
        again = model.forecast(one, horizon, context=make_context(one, horizon, "US"), seed=1)
        assert np.array_equal(before[0], one.values, equal_nan=True), "the model changed the history"
        assert np.array_equal(before[1], context.values), "the model changed the context"
        if isinstance(first, Excuse):
            assert first.reason, "the excuse gives no reason"
            assert first.what_would_help, "the excuse does not say what would help"
            assert first == again, "an excuse once, another answer the next time"
            return
        assert not isinstance(again, Excuse), "an answer once, an excuse the next time"
        assert np.asarray(first).shape == (horizon,), f"shape {np.asarray(first).shape}, expected ({horizon},)"
        assert np.isfinite(first).all(), "values that are not finite"
        assert np.array_equal(first, again), "the same arguments gave another forecast"
        guarded = guarded_forecast(model, one, horizon, context=context, seed=1)
        if isinstance(guarded, Excuse):
            return
        low, high = one.metric.kind.bounds
        assert low is None or guarded.min() >= low, f"below {low}"
        assert high is None or guarded.max() <= high, f"above {high}"

    return check


def _no_leakage(model: ForecastModel) -> Callable[[], None]:
    """Check that outcomes after the origins do not move the forecasts from them."""

    def check() -> None:
        rng = np.random.default_rng(3)
        values = 200 * _WEEK[np.arange(150) % 7] * (1 + 0.05 * rng.standard_normal(150))
        altered = values.copy()
        altered[120:] = 3 * altered[120:][::-1]
        results = []
        for one in (_series(values), _series(altered)):
            test = run_backtest(
                one,
                make_context(one, 30, "US"),
                [get_model("seasonal_naive"), model],
                origins=1,
                horizon=30,
                seed=1,
                timer=lambda: 0.0,
            )
            assert not isinstance(test, Excuse), "the back-test did not run"
            assert test.origins.tolist() == [120], "the origin is not where it should be"
            results.append(test.forecasts.get(model.name))
        first, second = results
        assert (first is None) == (second is None), "the future decides whether the model answers"
        if first is not None and second is not None:
            assert np.array_equal(first, second), "the future moved a forecast made before it"

    return check
