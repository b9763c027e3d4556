"""The ways in which the share of bad of a coming span is forecast, each with its weight before any is known better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from forecasting.service_levels.breach.bad_slices import draw_bad_slices
from forecasting.service_levels.breach.carried import BOUNDED, TREND, fit_shares
from forecasting.service_levels.breach.shares import ShareHistory, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ShareDistribution(Protocol):
    """Predictive distribution of the share of bad of a span, of every member of a group."""

    def exceed(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(share of bad > `share`), shape (members, n) as `share`; it must not rise with `share`."""
        ...

    def support(self) -> NDArray[np.float64]:
        """Return shares between which the distribution may be taken as straight, shape (members, points)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to forecast a share of bad."""

    name: str
    says: str
    """What it takes the coming share to be, for the basis of a risk."""
    weight: float
    """Before the past says more."""
    fit: Callable[[ShareHistory, Span, int, int], ShareDistribution]
    """(history, span, seed, draws of those that draw) → distribution."""


CANDIDATES = (
    Candidate(
        name="carried level",
        says="recent levels carried on as far as they did so far",
        weight=0.3,
        fit=lambda history, span, seed, draws: fit_shares(history, span, BOUNDED),
    ),
    Candidate(
        name="trend",
        says="moves between levels, the season and the group's moves continued",
        weight=0.1,
        fit=lambda history, span, seed, draws: fit_shares(history, span, TREND),
    ),
    Candidate(
        name="bad slices",
        says="slices bad as often as of late, and as bad as those before, own and of the group",
        weight=0.6,
        fit=lambda history, span, seed, draws: draw_bad_slices(history, span, draws=draws, seed=seed),
    ),
)
