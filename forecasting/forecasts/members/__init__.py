"""The table of vectorised members: closed forms computed for all windows of a pool at once.

A member is a function from `Windows` to point forecasts by name, each of shape (B, horizon) in the units of the
windows; NaN where a window is too short for it. It sees nothing but the windows, so it cannot see the future.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

Member = Callable[[Windows], dict[str, "NDArray[np.float64]"]]

MEMBERS: dict[str, str] = {
    "seasonal_average": "forecasting.forecasts.members.seasonal_average:seasonal_average",
    "smoothed_level": "forecasting.forecasts.members.smoothed_level:smoothed_level",
    "damped_trend": "forecasting.forecasts.members.damped_trend:damped_trend_and_theta",
    "reversion": "forecasting.forecasts.members.reversion:reversion",
    "seasonal_difference": "forecasting.forecasts.members.seasonal_difference:seasonal_difference",
    "drift": "forecasting.forecasts.members.drift:drift",
    "recent_level": "forecasting.forecasts.members.recent_level:recent_level",
}
"""Member family by name, as ``module:function``."""


def all_members(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return the point forecasts of every member in units of the windows, finite, shape (B, horizon) each.

    Where a member has no answer for a window, the season before stands in for it, and where there is none, the last
    value: its weight then comes from how that did.

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows
    >>> w = make_windows([np.tile([1.0, 2.0, 3.0], 9)], [np.array([27])], horizon=3, seasons=(3,))
    >>> float(np.abs(all_members(w)["season before (3)"] * w.scale + w.centre - [1, 2, 3]).max()) < 1e-9
    True
    """
    found: dict[str, NDArray[np.float64]] = {}
    for path in MEMBERS.values():
        module, _, attribute = path.partition(":")
        member: Member = getattr(import_module(module), attribute)
        found |= member(windows)
    last = np.repeat(np.nan_to_num(windows.values[:, -1:]), windows.horizon, axis=1)
    before = found.get(f"season before ({windows.season})", last)
    spare = np.where(np.isfinite(before), before, last)
    return {name: _finite(rows, spare) for name, rows in found.items()}


def _finite(rows: NDArray[np.float64], spare: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(rows)
    return rows if known.all() else np.where(known, rows, spare)
