"""Sample paths whose slices are jointly right: a drifting level, fast errors in blocks, calibrated marginals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.calibrate import GRID, ErrorDistribution, ErrorTable, carry_forward, season_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


def error_paths(
    distribution: ErrorDistribution,
    own: ErrorTable,
    reference: ErrorTable,
    *,
    season: int,
    horizon: int,
    now: int,
    n_paths: int,
    half_life: float,
    mean_block: float,
    seed: int,
) -> NDArray[np.float64]:
    """Return sample paths of the error in units, shape (n_paths, horizon).

    Each path is the drift of a level (the season mean of a past error trajectory, trajectories chained beyond their
    length) plus fast errors in blocks of random length (stationary bootstrap, Politis and Romano 1994) that keep the
    phase of the season. Ranks of these raw paths arrange the calibrated quantiles (Schaake shuffle, Clark et al. 2004),
    so every slice has the calibrated distribution and sums over slices the spread of the past trajectories.

    Parameters
    ----------
    distribution : ErrorDistribution
        Marginals.
    own, reference : ErrorTable
        Past trajectories in units.
    season, horizon, now : int
        In slices; `now` is the number of slices known.
    n_paths : int
        1 or more.
    half_life : float
        Age in slices at which a trajectory counts half.
    mean_block : float
        Mean block length in slices.
    seed : int
        Same seed, same paths.

    Examples
    --------
    >>> table = ErrorTable(origins=np.arange(20), errors=np.random.default_rng(1).normal(size=(20, 6)))
    >>> d = ErrorDistribution(quantiles=np.linspace(-1, 1, len(GRID)), growth=np.ones(6), ratio=1.0)
    >>> p = error_paths(d, table, table, season=2, horizon=6, now=20, n_paths=99, half_life=60.0, mean_block=3.0,
    ...     seed=7)
    >>> p.shape, bool(np.abs(np.median(p, axis=0)).max() < 1e-9)
    ((99, 6), True)
    """
    rng = np.random.default_rng(seed)
    growth = distribution.growth
    drift = _drift(reference, own, distribution.ratio, season, horizon, now, half_life, n_paths, rng)
    fast = _fast(own if len(own.errors) else reference, season, horizon, now, growth, mean_block, n_paths, rng)
    raw = drift + fast
    raw += 1e-12 * (np.abs(raw).max() + 1) * rng.standard_normal(raw.shape)  # breaks ties, so ranks are all different
    ranks = np.argsort(np.argsort(raw, axis=0, kind="stable"), axis=0, kind="stable")
    marginal = np.interp((np.arange(n_paths) + 0.5) / n_paths, GRID, distribution.quantiles)
    return np.asarray(marginal[ranks] * growth[None, :], dtype=np.float64)


def _drift(
    reference: ErrorTable,
    own: ErrorTable,
    ratio: float,
    season: int,
    horizon: int,
    now: int,
    half_life: float,
    n_paths: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Slow part of the error of every path, shape (n_paths, horizon)."""
    tables = [(t, s) for t, s in ((reference, ratio), (own, 1.0)) if len(t.errors)]
    if not tables:
        return np.zeros((n_paths, horizon))
    length = min(t.errors.shape[1] for t, _ in tables)
    slow, weight = [], []
    for table, scale in tables:
        rows = season_mean(carry_forward(table.errors[:, :length]), season) * scale
        slow.append(rows)
        share = 0.5 ** (np.maximum(now - table.origins, 0) / half_life)
        weight.append(share / share.sum())
    pool, chance = np.concatenate(slow), np.concatenate(weight) / len(weight)
    pool = pool - chance @ pool
    signs = rng.choice((-1.0, 1.0), size=n_paths)  # a drift seen upwards could as well have been downwards
    drift = np.empty((n_paths, horizon))
    done = 0
    base: NDArray[np.float64] = np.zeros(n_paths)
    while done < horizon:
        drawn = rng.choice(len(pool), size=n_paths, p=chance)
        part = pool[drawn] * signs[:, None]
        width = min(length, horizon - done)
        drift[:, done : done + width] = base[:, None] + part[:, :width]
        base = drift[:, done + width - 1]
        signs = rng.choice((-1.0, 1.0), size=n_paths)
        done += width
    return drift


def _fast(
    table: ErrorTable,
    season: int,
    horizon: int,
    now: int,
    growth: NDArray[np.float64],
    mean_block: float,
    n_paths: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Fast part: blocks of past errors around their season mean, in phase, shape (n_paths, horizon)."""
    if not len(table.errors):
        return np.zeros((n_paths, horizon))
    rows = carry_forward(table.errors)
    rows = rows - season_mean(rows, season)
    length = rows.shape[1]
    phases = (table.origins[:, None] + np.arange(length)) % season
    by_phase = [np.flatnonzero((phases == p).ravel()) for p in range(season)]
    flat = rows.ravel()
    at = np.zeros(n_paths, dtype=np.int64)
    fast = np.empty((n_paths, horizon))
    for h in range(horizon):
        choices = by_phase[(now + h) % season]
        if not len(choices):
            choices = np.arange(flat.size)
        fresh = rng.random(n_paths) < 1 / mean_block if h else np.ones(n_paths, dtype=np.bool_)
        fresh |= (at % length) == length - 1
        step = rng.integers(len(choices), size=n_paths)
        at = np.where(fresh, choices[step], at + 1)
        fast[:, h] = flat[np.minimum(at, flat.size - 1)]
    return fast
