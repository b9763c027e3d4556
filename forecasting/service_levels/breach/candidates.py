"""The ways in which the share of bad of a coming span is forecast, each with its weight before any is known better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from forecasting.service_levels.breach.carried import BOUNDED, TREND, fit_shares
from forecasting.service_levels.breach.past_days import resample_shares
from forecasting.service_levels.breach.shares import ShareHistory, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DRAWS = 300
"""Resampled spans of each member."""


class ShareDistribution(Protocol):
    """Predictive distribution of the share of bad of a span, of every member of a group."""

    def exceed(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(share of bad > `share`), shape (members, n) as `share`; it must not rise with `share`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to forecast a share of bad."""

    name: str
    says: str
    """What it takes the coming share to be, for the basis of a risk."""
    weight: float
    """Before the past says more."""
    fit: Callable[[ShareHistory, Span, int], ShareDistribution]
    """(history, span, seed) → distribution."""


CANDIDATES = (
    Candidate(
        name="carried level",
        says="recent levels carried on as far as they did so far",
        weight=0.4,
        fit=lambda history, span, seed: fit_shares(history, span, BOUNDED),
    ),
    Candidate(
        name="trend",
        says="moves between levels, the season and the group's moves continued",
        weight=0.1,
        fit=lambda history, span, seed: fit_shares(history, span, TREND),
    ),
    Candidate(
        name="past days",
        says="past days, own and of the group, drawn as they were",
        weight=0.5,
        fit=lambda history, span, seed: resample_shares(history, span, draws=DRAWS, seed=seed),
    ),
)
