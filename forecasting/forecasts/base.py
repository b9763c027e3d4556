"""What a demand model is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastContext:
    """What is known beside the values: the calendar of past and future, gaps already filled, bounds.

    n is the length of the history and H the horizon.
    """

    values: NDArray[np.float64]
    """Shape (n,): history with gaps and spikes filled from the same phase of other seasons; finite."""
    regular: NDArray[np.float64]
    """Shape (n,): `values` with days around public holidays replaced by what an ordinary day would have been."""
    missing: NDArray[np.bool_]
    """Shape (n,): True where `values` was filled."""
    season: int
    """Slices of the main season (7 for days, 24 or 168 for hours); 1 means none."""
    seasons: tuple[int, ...]
    """All seasons the calendar suggests, shortest first."""
    local: NDArray[np.datetime64]
    """Shape (n + H,): local wall-clock start of every slice, past and future."""
    holiday: NDArray[np.bool_]
    """Shape (n + H,): True on public holidays (local date)."""
    holiday_factor: NDArray[np.float64]
    """Shape (n + H,): expected value on this slice ÷ value of an ordinary one; 1 away from holidays."""
    near_holiday: NDArray[np.bool_]
    """Shape (n + H,): True on days that a public holiday may change (long weekends); daily series only."""
    country: str
    """ISO 3166 code, or empty."""
    slices_per_day: float
    """Slices in a day of 24 hours (1/7 for weekly data)."""
    low: float | None
    """Smallest possible value, or None."""
    high: float | None
    """Largest possible value, or None."""


class ForecastModel(Protocol):
    """A demand model: point forecasts only; uncertainty, bounds and guard-rails belong to the stage.

    Implementations keep no state between calls, do not change their arguments and give the same result for the same
    arguments.
    """

    @property
    def name(self) -> str:
        """Name in the table of models."""
        ...

    def forecast(
        self, history: Series, horizon: int, *, context: ForecastContext, seed: int
    ) -> NDArray[np.float64] | Excuse:
        """Return the median forecast of the slices after `history`, shape (horizon,), or an excuse.

        `history` begins and ends with an observed slice; `context.values` is the same without gaps.
        """
        ...
