"""Guard-rails after every model: nothing that is not finite, in shape and plausible gets past."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.base import ForecastContext, ForecastModel
from forecasting.forecasts.bounds import clip_to_kind
from forecasting.terms.errors import Excuse, ForecastingError
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANGE_MARGIN = 2.0
"""How many spans of the recent past a forecast may leave its range by, plus one for each length of it ahead."""


def guarded_forecast(
    model: ForecastModel, history: Series, horizon: int, *, context: ForecastContext, seed: int
) -> NDArray[np.float64] | Excuse:
    """Ask a model and check what it says.

    Parameters
    ----------
    model : ForecastModel
        Any model, also one from outside this package.
    history : Series
        Begins and ends with an observation.
    horizon : int
        1 or more.
    context : ForecastContext
        Of `history`.
    seed : int
        Passed on.

    Returns
    -------
    ndarray of shape (horizon,), finite and inside the metric's bounds, or Excuse
        An excuse where the model declined, raised, or gave something that is not a plausible forecast.

    Raises
    ------
    ForecastingError
        Only a user's mistake, such as an unknown country, gets through.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> class Broken:
    ...     name = "broken"
    ...     def forecast(self, history, horizon, *, context, seed):
    ...         return np.full(horizon, np.nan)
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.arange(21.0))
    >>> guarded_forecast(Broken(), s, 7, context=make_context(s, 7, ""), seed=1).reason
    'broken gave 7 of 7 values that are not finite'
    """
    help_text = "another model answers meanwhile; look at the history of this series"
    try:
        with warnings.catch_warnings():
            # What matters of a warning (an overflow, a failed convergence) is checked below on the result itself.
            warnings.simplefilter("ignore")
            result = model.forecast(history, horizon, context=context, seed=seed)
    except ForecastingError:
        raise
    except Exception as error:  # noqa: BLE001  any library may raise anything; one series must not stop the others
        return Excuse(reason=f"{model.name} failed: {type(error).__name__}: {error}"[:300], what_would_help=help_text)
    if isinstance(result, Excuse):
        return result
    values = np.array(result, dtype=np.float64)
    reason = _objection(model.name, values, horizon, context)
    if reason:
        return Excuse(reason=reason, what_would_help=help_text)
    return clip_to_kind(values, history.metric.kind)


def plausible_range(horizon: int, context: ForecastContext) -> tuple[float, float]:
    """Return the least and the largest value that a forecast or a path may take.

    The range of the recent past (eight seasons, 60 slices or the horizon, whichever is longest), widened on both sides
    by `RANGE_MARGIN` spans and one more for each length of the recent past that is forecast.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.context import make_context
    >>> from forecasting.terms.history import Metric, MetricKind, Series
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.arange(61.0) % 11)
    >>> plausible_range(30, make_context(s, 30, ""))
    (-25.0, 35.0)
    """
    recent = _recent(horizon, context)
    low, high = float(recent.min()), float(recent.max())
    span = max(high - low, 0.25 * max(abs(low), abs(high)), 1e-9)
    room = span * (RANGE_MARGIN + horizon / max(len(recent), 1))
    return low - room, high + room


def _recent(horizon: int, context: ForecastContext) -> NDArray[np.float64]:
    """The past that says what is plausible."""
    return context.values[-max(8 * context.season, 60, min(horizon, len(context.values))) :]


def _objection(name: str, values: NDArray[np.float64], horizon: int, context: ForecastContext) -> str:
    """What is wrong with a forecast, or empty."""
    if values.shape != (horizon,):
        return f"{name} gave the shape {values.shape} where ({horizon},) was asked"
    bad = int(np.sum(~np.isfinite(values)))
    if bad:
        return f"{name} gave {bad} of {horizon} values that are not finite"
    recent = _recent(horizon, context)
    low, high = float(recent.min()), float(recent.max())
    least, most = plausible_range(horizon, context)
    if values.min() < least or values.max() > most:
        worst = values[np.argmax(np.maximum(values - high, low - values))]
        return f"{name} gave {worst:.4g} where the recent past lay between {low:.4g} and {high:.4g}"
    if not values.any() and float(np.median(recent)) != 0:
        return f"{name} gave zero throughout where the recent median is {float(np.median(recent)):.4g}"
    return ""
