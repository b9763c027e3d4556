"""Past miss rates: of all windows at the same horizon, and the service's own drawn to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.baselines.base import Asked, Calibration, Past

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIOR_WINDOWS = 4.0
"""Windows that the fleet's rate counts for beside a service's own."""


def nothing(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Look at nothing: only the horizon counts."""
    return np.full(len(asked), np.nan)


def own_record(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Return misses and number of the promise's closed windows, shape (n, 2)."""
    judged = ~np.isnan(past.missed)
    misses = np.concatenate(([0.0], np.cumsum(np.where(judged, past.missed, 0.0))))
    number = np.concatenate(([0.0], np.cumsum(judged)))
    closed = past.closed(asked)
    return np.column_stack((misses[closed], number[closed]))


def drawn_to_the_base(signal: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """State the own rate with the base as four more windows (the posterior mean of a beta prior)."""
    base = calibration.base()
    return np.asarray((signal[:, 0] + PRIOR_WINDOWS * base) / (signal[:, 1] + PRIOR_WINDOWS), dtype=np.float64)
