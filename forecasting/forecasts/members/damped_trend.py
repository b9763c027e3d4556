"""Trends of the deseasonalised values: damped smoothing and the theta method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._profiles import damped_trend, profile_of, repeated, smoothed, without_profile
from forecasting.forecasts._windows import Windows, nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


def damped_trend_and_theta(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return damped trends of two speeds and theta (Assimakopoulos and Nikolopoulos 2000) plus the profile."""
    values, horizon = windows.values, windows.horizon
    found: dict[str, NDArray[np.float64]] = {}
    for season in windows.seasons:
        held = values.shape[1] // season
        counts = [c for c in (2, 4, 8) if held >= c] or [1]
        length = min(values.shape[1], max(4 * season, 3 * horizon))
        for count in sorted({counts[0], counts[-1]}):
            profile = profile_of(values, season, count)
            rest, shape = without_profile(values, profile, length), repeated(profile, horizon)
            tag = f"profile of {count} ({season})"
            calm = rest[:, -min(length, 3 * season + 8, 200) :]
            found[f"damped trend, {tag}"] = damped_trend(calm, horizon, alpha=0.3, beta=0.1, phi=0.95) + shape
            quick = rest[:, -min(length, 2 * season + 8, 100) :]
            found[f"quick damped trend, {tag}"] = damped_trend(quick, horizon, alpha=0.7, beta=0.2, phi=0.9) + shape
            line = 0.5 * _slope(rest)[:, None] * np.arange(1, horizon + 1)[None, :]
            found[f"theta, {tag}"] = smoothed(rest, 0.5)[:, None] + line + shape
    return found


def _slope(rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares slope a slice of what is known in each row, shape (B,)."""
    known = np.isfinite(rest)
    if known.all():
        time = np.arange(rest.shape[1]) - (rest.shape[1] - 1) / 2
        return np.asarray(rest @ time / np.maximum((time**2).sum(), 1e-9))
    at = np.where(known, np.arange(rest.shape[1], dtype=np.float64)[None, :], np.nan)
    at = np.where(known, at - nan_mean(at, 1)[:, None], 0.0)
    around = np.where(known, rest - nan_mean(rest, 1)[:, None], 0.0)
    return np.asarray((around * at).sum(axis=1) / np.maximum((at**2).sum(axis=1), 1e-9))
