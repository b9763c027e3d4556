"""The share of bad of a window's rest, as one distribution for each member: candidates averaged in probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.candidates import CANDIDATES, Candidate, ShareDistribution
from forecasting.service_levels.breach.shares import ShareHistory, Span, count_odds, share_at
from forecasting.service_levels.breach.weights import learn_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DRAWS = 1000
_POINTS = 65
"""Points of the grid around the long-run share, within four log-odds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ShareForecast:
    """Distribution of the share of bad of what remains of a window, of every member of a group."""

    span: Span
    shares: NDArray[np.float64]
    """Shape (members, points), rising from 0."""
    exceed: NDArray[np.float64]
    """Shape (members, points): P(share > `shares`), not rising."""
    by_candidate: NDArray[np.float64]
    """Shape (candidates, members, points): what each candidate says."""
    names: tuple[str, ...]
    weights: NDArray[np.float64]
    windows: int
    """Past windows from which the weights were learnt; 0 = they are those before anything is known."""

    def probability(self, member: int, share: float) -> float:
        """Return P(share of bad of the rest > `share`)."""
        if share < 0:
            return 1.0
        return 0.0 if share >= 1 else float(np.interp(share, self.shares[member], self.exceed[member]))

    def quantiles(self, member: int, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the shares below which the rest stays with probabilities `levels`."""
        below = 1.0 - self.exceed[member]
        # Equal probabilities in a row: the smallest share of them, as for a quantile.
        keep = np.concatenate(([True], np.diff(below) > 0))
        return np.asarray(np.interp(levels, below[keep], self.shares[member][keep]), dtype=np.float64)


def forecast_shares(
    history: ShareHistory,
    span: Span,
    targets: NDArray[np.float64],
    *,
    seed: int,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> ShareForecast:
    """Forecast the share of bad of what remains of a window for every member of a group.

    Parameters
    ----------
    history : ShareHistory
        Up to the cut-off.
    span : Span
    targets : ndarray, shape (members, targets)
        Targets agreed on, NaN where none: they say which past statements the weights are learnt from. The
        distribution holds for any other target too, and a stricter one never has a lower probability.
    seed : int
    candidates : sequence of Candidate

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> total = np.full((2, 400), 1000.0)
    >>> bad = random.binomial(1000, 0.05, (2, 400)).astype(float)
    >>> past = ShareHistory(bad=bad, total=total, known=total > 0, year=364, week=7, block=3, full=365)
    >>> made = forecast_shares(past, Span(elapsed=10, gap=0, length=18), np.full((2, 1), 0.95), seed=1)
    >>> made.probability(0, 0.04) > 0.95, made.probability(0, 0.06) < 0.05
    (True, True)
    """
    fits = [c.fit(history, span, seed, _DRAWS) for c in candidates]
    weights, windows = learn_weights(history, span, targets, candidates, seed=seed)
    shares = _grid(history, span, fits)
    said = np.stack([np.minimum.accumulate(f.exceed(shares), axis=1) for f in fits])
    # At a share of 1 nothing can exceed it; from there down the sum of the candidates never rises.
    return ShareForecast(
        span=span,
        shares=shares,
        exceed=np.tensordot(weights, said, axes=1),
        by_candidate=said,
        names=tuple(c.name for c in candidates),
        weights=weights,
        windows=windows,
    )


def _grid(history: ShareHistory, span: Span, fits: Sequence[ShareDistribution]) -> NDArray[np.float64]:
    """Return the shares at which the distribution is held, shape (members, points): dense where it is."""
    total = history.coming(span).sum(axis=1)[:, None]
    mean = count_odds(history.bad.sum(axis=1), history.total.sum(axis=1))[:, None]
    around = share_at(mean + np.linspace(-4.0, 4.0, _POINTS), total)
    ends = np.broadcast_to([0.0, 1.0], (history.members, 2))
    found = np.concatenate([ends, around, *(fit.support() for fit in fits)], axis=1)
    return np.asarray(np.sort(found, axis=1), dtype=np.float64)
