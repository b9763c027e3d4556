"""Gradient-boosted trees on phase-aligned lags and the calendar, one model for all horizons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._threads import one_thread
from forecasting.forecasts.base import ForecastContext
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_ROWS = 4_000
"""Training rows at most; origins are thinned evenly to stay below."""
DEPTH = 4
"""Seasons of history behind each feature row."""
LONGEST_HISTORY = 3_000
"""Slices used at most."""


class HistGradientBoosting:
    """Direct multi-horizon forecast with scikit-learn's HistGradientBoostingRegressor.

    The target is (y − anchor) ÷ scale, so that trees, which cannot extrapolate, need not. The anchor is the same phase
    of the last season before the origin, or the median of the last three, whichever errs less over the history; the
    scale is the mean level of the last season. Features: steps ahead, local weekday and minute of the day, the last
    four values of the phase, level and slope. Holidays are taken out before and multiplied in after.
    """

    name = "hist_gradient_boosting"

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the forecast, shape (horizon,), or an excuse where the history is too short to learn from."""
        season = context.season
        skip = max(len(context.values) - LONGEST_HISTORY, 0)
        values = context.regular[skip:]
        n = len(values)
        need = (DEPTH + 2) * season + 14
        if n < need:
            return Excuse(reason=f"{n} slices, {need} needed", what_would_help="a longer history")
        if np.ptp(values) == 0:
            return np.full(horizon, values[-1])
        from sklearn.ensemble import HistGradientBoostingRegressor

        reach = min(horizon, (n - DEPTH * season) // 2)
        steps = np.unique(np.linspace(1, reach, min(reach, 30)).round().astype(int))
        first, last = DEPTH * season, n - 1
        count = max(min(MAX_ROWS // len(steps), last - first + 1), 2)
        origins = np.unique(np.linspace(first, last, count).round().astype(int))
        rows = [(o, h) for o in origins for h in steps if o + h - 1 < n]
        at, ahead = np.array(rows).T
        calendar = _calendar(context, skip)
        outcome = values[at + ahead - 1]
        tried = [_features(values, season, at, ahead, calendar, steady) for steady in (False, True)]
        steady = bool(np.abs(outcome - tried[1][1]).mean() < np.abs(outcome - tried[0][1]).mean())
        features, anchor, scale = tried[steady]
        target = (outcome - anchor) / scale
        model = HistGradientBoostingRegressor(
            loss="absolute_error",
            max_iter=60,
            learning_rate=0.08,
            max_leaf_nodes=12,
            min_samples_leaf=max(20, len(at) // 60),
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed % 2**32,
        )
        with one_thread():
            model.fit(features, np.clip(target, -3, 3))
        steps = np.arange(1, horizon + 1)
        future, anchor, scale = _features(values, season, np.full(horizon, n), steps, calendar, steady, reach)
        with one_thread():
            path = anchor + scale * model.predict(future)
        return np.asarray(path * context.holiday_factor[len(context.values) :][:horizon], dtype=np.float64)


def _calendar(context: ForecastContext, skip: int) -> NDArray[np.float64]:
    """Local weekday and minute of the day of every slice, past and future, shape (n + H, 2)."""
    local = context.local[skip:]
    days = local.astype("datetime64[D]")
    return np.column_stack(
        ((days.astype(np.int64) + 3) % 7, (local - days).astype("timedelta64[m]").astype(np.float64))
    ).astype(np.float64)


def _features(
    values: NDArray[np.float64],
    season: int,
    origin: NDArray[np.int64],
    ahead: NDArray[np.int64],
    calendar: NDArray[np.float64],
    steady: bool,
    reach: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Feature rows, anchors and scales of the slices `ahead` steps after the origins (1 = the origin itself).

    `steady` takes the median of three seasons as anchor instead of the last one.
    """
    slot = origin + ahead - 1
    latest = slot - season * ((slot - origin) // season + 1)
    lags = np.stack([values[latest - k * season] for k in range(DEPTH)], axis=1)
    anchor = np.median(lags[:, :3], axis=1) if steady else lags[:, 0]
    total = np.concatenate(([0.0], np.cumsum(values)))
    levels = np.stack(
        [(total[origin - k * season] - total[origin - (k + 1) * season]) / season for k in range(DEPTH)], 1
    )
    scale = np.maximum(np.abs(levels[:, 0]), 0.1 * np.abs(values).mean() + 1e-9)
    features = np.column_stack(
        (
            ahead if reach is None else np.minimum(ahead, reach),
            calendar[slot],
            (lags - anchor[:, None]) / scale[:, None],
            (levels[:, :1] - levels[:, 1:]) / scale[:, None],
            anchor / scale,
        )
    )
    return features, anchor, scale
