"""The last deviation from the profile, fading at the speed of each window's own memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._profiles import profile_of, repeated, without_profile
from forecasting.forecasts._windows import Windows, nan_mean, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reversion(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Return the median level and profile alone, with the last deviation fading as AR(1), and with a slow mean of it.

    The lag-1 autocorrelation of the deseasonalised values is kept between 0 and 0.999.
    """
    values, horizon = windows.values, windows.horizon
    steps = np.arange(1, horizon + 1)[None, :]
    found: dict[str, NDArray[np.float64]] = {}
    for season in windows.seasons:
        held = values.shape[1] // season
        count = next((c for c in (8, 4, 2) if held >= c), 1)
        profile = profile_of(values, season, count)
        rest = without_profile(values, profile, min(values.shape[1], max(count * season, 8)))
        middle = nan_median(rest, 1)
        off = rest - middle[:, None]
        pair = np.isfinite(off[:, 1:]) & np.isfinite(off[:, :-1])
        late, early = np.where(pair, off[:, 1:], 0.0), np.where(pair, off[:, :-1], 0.0)
        memory = np.clip((late * early).sum(axis=1) / np.maximum((early**2).sum(axis=1), 1e-12), 0.0, 0.999)
        usual = middle[:, None] + repeated(profile, horizon)
        found[f"median level and profile ({season})"] = usual
        found[f"fading deviation ({season})"] = usual + np.nan_to_num(off[:, -1:]) * memory[:, None] ** steps
        recent = np.nan_to_num(nan_mean(off[:, -3:], 1))[:, None]
        found[f"slowly fading deviation ({season})"] = usual + recent * np.exp(-2.0 * steps / max(season, 2))
    return found
