"""Sample paths with given marginals per slice and the dependence of past error trajectories."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._marginals import at_levels
from forecasting.forecasts.calibrate import GRID, carry_forward, season_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 24
"""Own trajectories from which those of other series are left out."""


def paths_of(
    quantiles: NDArray[np.float64],
    own: NDArray[np.float64],
    others: NDArray[np.float64],
    *,
    season: int,
    n_paths: int,
    seed: int,
) -> NDArray[np.float64]:
    """Return sample paths, shape (n_paths, horizon).

    Each raw path is the slow part of one past error trajectory plus the fast part of another (season mean and rest), so
    a few trajectories give many paths; trajectories follow one another where the horizon is longer. The ranks of the
    raw paths arrange the quantiles of every slice (Schaake shuffle, Clark et al. 2004): marginals are exact, sums and
    peaks have the dependence of the past.

    Parameters
    ----------
    quantiles : ndarray, shape (horizon, Q)
        At the learnt levels, in order.
    own, others : ndarray, shape (t, any horizon)
        Error trajectories of this series (NaN where unknown) and of others, in the same units.
    season : int
    n_paths : int
    seed : int
        Same seed, same paths.

    Examples
    --------
    >>> from forecasting.forecasts._marginals import LEARNT
    >>> q = np.tile(LEARNT, (4, 1))
    >>> past = np.random.default_rng(1).normal(size=(30, 4)).cumsum(axis=1)
    >>> p = paths_of(q, past, past[:0], season=2, n_paths=999, seed=3)
    >>> p.shape, bool(np.allclose(np.median(p, axis=0), 0.5)), bool(np.corrcoef(p[:, 2], p[:, 3])[0, 1] > 0.5)
    ((999, 4), True, True)
    """
    horizon = len(quantiles)
    rng = np.random.default_rng(seed)
    library = _library(own, others, horizon)
    raw = _raw(library, season, horizon, n_paths, rng)
    raw += 1e-9 * (np.abs(raw).max() + 1.0) * rng.standard_normal(raw.shape)  # ties broken, ranks all different
    order = np.argsort(raw.T, axis=1, kind="stable")
    marginal = np.sort(at_levels(quantiles, GRID), axis=1) @ _spread(n_paths)
    paths = np.empty((horizon, n_paths))
    np.put_along_axis(paths, order, marginal, axis=1)
    return np.ascontiguousarray(paths.T)


def _library(own: NDArray[np.float64], others: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Trajectories to draw from: own ones known for at least a quarter of the horizon, others where these are few."""
    kept = own[np.isfinite(own).sum(axis=1) >= max(1, horizon // 4)] if len(own) else own
    parts = [carry_forward(kept)] if len(kept) else []
    if len(kept) < ENOUGH and len(others):
        parts.append(others)
    if not parts:
        return np.zeros((1, horizon))
    width = min(part.shape[1] for part in parts)
    return np.concatenate([part[:, :width] for part in parts])


def _raw(
    library: NDArray[np.float64], season: int, horizon: int, n_paths: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Paths of errors whose ranks matter, not their size."""
    slow = season_mean(library, season)
    fast = library - slow
    slow = slow - slow.mean(axis=0)
    width = library.shape[1]
    raw = np.empty((n_paths, horizon))
    base = np.zeros((n_paths, 1))
    for start in range(0, horizon, width):
        take = min(width, horizon - start)
        signs = rng.choice((-1.0, 1.0), size=(n_paths, 1))  # what drifted up could as well have drifted down
        drift = slow[rng.integers(len(slow), size=n_paths), :take] * signs + base
        raw[:, start : start + take] = drift + fast[rng.integers(len(fast), size=n_paths), :take]
        base = drift[:, -1:]
    return raw


@lru_cache(maxsize=4)
def _spread(n_paths: int) -> NDArray[np.float64]:
    """Weights of the grid's quantiles in `n_paths` equally likely ones, shape (len(GRID), n_paths)."""
    wanted = np.clip((np.arange(n_paths) + 0.5) / n_paths, GRID[0], GRID[-1])
    right = np.clip(np.searchsorted(GRID, wanted), 1, len(GRID) - 1)
    share = (wanted - GRID[right - 1]) / (GRID[right] - GRID[right - 1])
    weights = np.zeros((len(GRID), n_paths))
    weights[right - 1, np.arange(n_paths)] = 1 - share
    weights[right, np.arange(n_paths)] += share
    weights.setflags(write=False)
    return weights
