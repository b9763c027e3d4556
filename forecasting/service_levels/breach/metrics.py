"""Scores of probabilities against outcomes, and the bootstrap over services and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

_POINT, _WIDEST = 0.01, 0.2
"""Distance below which two bins look alike, and span above which one is cut."""


def brier(probabilities: Values, outcomes: Values) -> float:
    """Return the mean squared difference of probability and outcome, 0 to 1; 0 is perfect.

    Source: G. W. Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review 78.

    Examples
    --------
    >>> brier(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    0.5
    """
    return float(np.mean((probabilities - outcomes) ** 2))


def log_loss(probabilities: Values, outcomes: Values, *, paths: int) -> float:
    """Return the mean of −log of the probability that was given to what happened; 0 is perfect.

    Probabilities are kept 1 ÷ (paths + 2) off 0 and 1: that is the least that sample paths can tell from nothing, and a
    rule that says 0 or 1 would otherwise lose without bound.

    Source: I. J. Good (1952), Rational decisions, Journal of the Royal Statistical Society B 14.

    Examples
    --------
    >>> round(log_loss(np.array([0.5, 0.5]), np.array([1.0, 0.0]), paths=500), 4)  # log 2
    0.6931
    >>> round(log_loss(np.array([1.0]), np.array([0.0]), paths=98), 4)  # log 100
    4.6052
    """
    least = 1.0 / (paths + 2)
    p = np.clip(probabilities, least, 1.0 - least)
    return float(-np.mean(outcomes * np.log(p) + (1.0 - outcomes) * np.log(1.0 - p)))


def equal_bins(probabilities: Values, bins: int) -> list[NDArray[np.int64]]:
    """Return the places of the probabilities in rising order, cut into bins of equal size (±1); empty ones left out."""
    order = np.argsort(probabilities, kind="stable").astype(np.int64)
    return [part for part in np.array_split(order, bins) if len(part)]


def like_bins(probabilities: Values, *, bins: int = 10, least: int = 10) -> list[NDArray[np.int64]]:
    """Return the places of the probabilities in groups of like probability, for people to look at.

    From bins of equal size, neighbours less than a point apart are put together, and one that spans more than 20
    points is cut at whole multiples of 20 where each part keeps `least` statements: where misses are rare, nine in ten
    statements say next to nothing, and the tenth bin is the one that matters.

    Examples
    --------
    >>> p = np.array([0.001] * 80 + [0.1] * 10 + [0.5] * 5 + [0.9] * 5)
    >>> [(len(k), round(float(p[k].mean()), 3)) for k in like_bins(p, bins=5, least=5)]
    [(80, 0.001), (10, 0.1), (5, 0.5), (5, 0.9)]
    """
    joined: list[NDArray[np.int64]] = []
    for part in equal_bins(probabilities, bins):
        if joined and float(probabilities[part].mean() - probabilities[joined[-1]].mean()) < _POINT:
            joined[-1] = np.concatenate((joined[-1], part))
        else:
            joined.append(part)
    found: list[NDArray[np.int64]] = []
    for part in joined:
        own = probabilities[part]
        if own[-1] - own[0] <= _WIDEST:
            found.append(part)
            continue
        cut = np.searchsorted(own, [k * _WIDEST for k in range(1, 5)])
        pieces = [piece for piece in np.split(part, cut) if len(piece)]
        kept = [pieces[0]]
        for piece in pieces[1:]:
            if min(len(piece), len(kept[-1])) < least:
                kept[-1] = np.concatenate((kept[-1], piece))
            else:
                kept.append(piece)
        found += kept
    return found


def expected_calibration_error(probabilities: Values, outcomes: Values, *, bins: int = 10) -> float:
    """Return the mean of |stated − observed| over bins of equal size, weighted by size, 0 to 1; 0 is calibrated.

    Equal probabilities share their outcomes evenly, so that the order of the statements does not matter where a group
    of equal ones is cut by a bin.

    Source: M. P. Naeini, G. F. Cooper and M. Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian
    binning, AAAI.

    Examples
    --------
    >>> p, y = np.array([0.25] * 4 + [0.5] * 4), np.array([0.0, 0, 0, 1, 1, 1, 1, 0])
    >>> expected_calibration_error(p, y, bins=2)  # 0.25 against 0.25, and 0.5 against 0.75
    0.125
    """
    _, group = np.unique(probabilities, return_inverse=True)
    shared = (np.bincount(group, weights=outcomes) / np.bincount(group))[group]
    parts = equal_bins(probabilities, bins)
    gaps = [abs(float(probabilities[k].mean() - shared[k].mean())) * len(k) for k in parts]
    return float(sum(gaps) / len(probabilities)) if len(probabilities) else float("nan")


def average_precision(probabilities: Values, outcomes: Values) -> float | None:
    """Return the area under the precision-recall curve as a sum of steps, 0 to 1; None where nothing happened.

    Σ (recall − recall before) × precision over the thresholds from the highest probability down; without any skill it
    is the share of what happened.

    Source: J. Davis and M. Goadrich (2006), The relationship between precision-recall and ROC curves, ICML; the step
    sum is that of scikit-learn's ``average_precision_score``.

    Examples
    --------
    >>> average_precision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1.0, 0.0, 1.0, 0.0]))  # 1/2 × 1 + 1/2 × 2/3
    0.8333333333333333
    """
    happened = float(outcomes.sum())
    if happened <= 0:
        return None
    levels, group = np.unique(-probabilities, return_inverse=True)
    hits = np.cumsum(np.bincount(group, weights=outcomes, minlength=len(levels)))
    shown = np.cumsum(np.bincount(group, minlength=len(levels)))
    return float(np.sum(np.diff(hits, prepend=0.0) * hits / shown) / happened)


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """The draws of a bootstrap for some of the statements."""

    service: NDArray[np.int64]
    window: NDArray[np.int64]
    inside: NDArray[np.bool_]
    services: NDArray[np.float64]
    """Shape (draws, services): how often each was drawn."""
    windows: NDArray[np.float64]
    """Shape (draws, windows)."""

    def mean(self, values: Values) -> Values:
        """Return the weighted mean of some values in every draw, shape (draws,); NaN where no statement was drawn."""
        above, below = self._sums(values[self.inside]), self._sums(np.ones(int(self.inside.sum())))
        empty = np.full(len(above), np.nan)
        return np.asarray(np.divide(above, below, out=empty, where=below > 0), dtype=np.float64)

    def _sums(self, values: Values) -> Values:
        shape = (self.services.shape[1], self.windows.shape[1])
        place = self.service[self.inside] * shape[1] + self.window[self.inside]
        table = np.bincount(place, weights=values, minlength=shape[0] * shape[1]).reshape(shape)
        return np.asarray(np.einsum("ds,ds->d", self.services @ table, self.windows), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Blocks:
    """Statements in blocks: those of one service, and those on one window, hang together and are drawn together."""

    service: NDArray[np.int64]
    window: NDArray[np.int64]
    services: NDArray[np.float64]
    windows: NDArray[np.float64]

    @classmethod
    def of(cls, services: Sequence[str], windows: Sequence[str], *, seed: int, draws: int) -> Blocks:
        """Draw services and windows, each with replacement, `draws` times.

        A statement weighs how often its service was drawn × how often its window was (the pigeonhole bootstrap for
        crossed effects: A. B. Owen 2007, Annals of Applied Statistics 1).

        Examples
        --------
        >>> blocks = Blocks.of(["a", "a", "b"], ["1", "2", "1"], seed=1, draws=3)
        >>> blocks.weights(np.ones(3, dtype=bool)).mean(np.full(3, 0.25)).tolist()
        [0.25, 0.25, 0.25]
        """
        random = np.random.default_rng(seed)
        drawn, places = [], []
        for names in (services, windows):
            known, place = np.unique(np.asarray(names), return_inverse=True)
            count = len(known)
            drawn.append(random.multinomial(count, np.full(count, 1.0 / count), size=draws).astype(np.float64))
            places.append(place.astype(np.int64))
        return cls(service=places[0], window=places[1], services=drawn[0], windows=drawn[1])

    def weights(self, inside: NDArray[np.bool_]) -> Weights:
        """Return the draws for some of the statements."""
        return Weights(
            service=self.service, window=self.window, inside=inside, services=self.services, windows=self.windows
        )
