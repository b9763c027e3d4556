"""From out-of-sample errors to calibrated quantiles: split conformal, recency-weighted, growing with the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.history import MetricKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID: NDArray[np.float64] = np.concatenate(([0.0025, 0.005, 0.01], np.arange(2, 99) / 100, [0.99, 0.995, 0.9975]))
"""Probability levels at which the error distribution is kept."""
GRID.setflags(write=False)

BIAS_KEPT = 0.3
"""Share of the median past error that moves the forecast: a few origins say little about bias."""


WINSOR = 4.0
"""Errors are cut at this multiple of their 90 % quantile."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorTable:
    """Out-of-sample errors (outcome − forecast) ÷ unit, one row per origin.

    NaN marks slices without an outcome.
    """

    origins: NDArray[np.int64]
    """Shape (k,): number of slices known at each origin, ascending."""
    errors: NDArray[np.float64]
    """Shape (k, horizon)."""

    def without(self, keep: NDArray[np.bool_]) -> ErrorTable:
        """Return only the origins where `keep` is True."""
        return ErrorTable(origins=self.origins[keep], errors=self.errors[keep])


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorDistribution:
    """Quantiles of the error by horizon: `growth[h]` × `quantiles[level]`, in units."""

    quantiles: NDArray[np.float64]
    """Shape (len(GRID),), of the error ÷ growth."""
    growth: NDArray[np.float64]
    """Shape (horizon,), positive, never falling."""
    ratio: float
    """Size of the model's errors ÷ the reference's."""

    def at(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the quantiles at `levels`, shape (len(levels), horizon)."""
        return np.asarray(np.interp(levels, GRID, self.quantiles)[:, None] * self.growth[None, :], dtype=np.float64)


def error_unit(forecast: NDArray[np.float64], level: float, season: int, kind: MetricKind) -> NDArray[np.float64]:
    """Return the unit in which errors are carried from one origin to another, shape (horizon,).

    Counts and other values that cannot be negative err in proportion to their level: the unit is the forecast averaged
    over a season, but at least a tenth of `level`. Shares and real numbers err in absolute terms: the unit is 1.

    Examples
    --------
    >>> error_unit(np.array([4.0, 8.0, 4.0, 8.0]), 6.0, 2, MetricKind.COUNT)
    array([6., 6., 6., 6.])
    """
    if kind not in (MetricKind.COUNT, MetricKind.NON_NEGATIVE) or level <= 0:
        return np.ones(len(forecast))
    return np.maximum(season_mean(forecast, season), 0.1 * level)


def season_mean(values: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Return the centred mean over one season along the last axis; ends use the nearest full season.

    Examples
    --------
    >>> season_mean(np.array([0.0, 3.0, 6.0, 9.0]), 3)
    array([3., 3., 6., 6.])
    """
    horizon = values.shape[-1]
    width = min(season, horizon)
    if width <= 1:
        return values.copy()
    total = np.cumsum(values, axis=-1)
    total = np.concatenate((np.zeros((*values.shape[:-1], 1)), total), axis=-1)
    means = (total[..., width:] - total[..., :-width]) / width
    index = np.clip(np.arange(horizon) - (width - 1) // 2, 0, means.shape[-1] - 1)
    return np.asarray(means[..., index], dtype=np.float64)


def carry_forward(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return trajectories with unknown errors replaced by the last known one of the row (0 before the first).

    Examples
    --------
    >>> carry_forward(np.array([[np.nan, 1.0, np.nan]]))
    array([[0., 1., 1.]])
    """
    known = ~np.isnan(errors)
    last = np.maximum.accumulate(np.where(known, np.arange(errors.shape[1]), 0), axis=1)
    return np.nan_to_num(np.take_along_axis(errors, last, axis=1))


def slice_spread(table: ErrorTable, season: int, near_holiday: NDArray[np.bool_], length: int) -> NDArray[np.float64]:
    """Return how much more than usual the outcome of each slice scatters, shape (length,), around 1.

    The mean absolute error of the slice's phase of the season ÷ that of all, drawn halfway to 1 and kept between 0.5
    and 2; near holidays times the ratio of errors near and away from past holidays, likewise drawn halfway, 1 to 2.

    Parameters
    ----------
    table : ErrorTable
        Errors of the reference, in units.
    season : int
        Slices per season.
    near_holiday : ndarray of bool, shape (length,)
        See `forecasting.forecasts.base.ForecastContext`.
    length : int
        Slices of history and horizon together.

    Examples
    --------
    >>> table = ErrorTable(origins=np.array([0]), errors=np.array([[1.0, 3.0, 1.0, 3.0]]))
    >>> slice_spread(table, 2, np.zeros(6, dtype=bool), 6)
    array([0.75, 1.25, 0.75, 1.25, 0.75, 1.25])
    """
    phase = np.arange(length) % season
    if not len(table.errors):
        return np.ones(length)
    growth = growth_curve(table.errors, season, table.errors.shape[1])
    slot = table.origins[:, None] + np.arange(table.errors.shape[1])
    known = ~np.isnan(table.errors) & (slot < length)
    size, slot = (np.abs(table.errors) / growth)[known], slot[known]
    away = ~near_holiday[slot]
    if not away.any() or size[away].mean() <= 0:
        return np.ones(length)
    base = float(size[away].mean())
    count = np.bincount(phase[slot[away]], minlength=season)
    total = np.bincount(phase[slot[away]], weights=size[away], minlength=season)
    means = np.where(count > 0, total / np.maximum(count, 1), base)
    spread = np.clip(0.5 * (1 + means / base), 0.5, 2.0)[phase]
    if (~away).any():
        ratio = float((size[~away] / spread[slot[~away]]).mean()) / base
        holiday = float(np.clip(0.5 * (1 + ratio), 1.0, 2.0))
        spread = np.where(near_holiday, spread * holiday, spread)
    return np.asarray(spread, dtype=np.float64)


def growth_curve(reference: NDArray[np.float64], season: int, horizon: int) -> NDArray[np.float64]:
    """Return how the typical error grows with the horizon, shape (horizon,), positive and never falling.

    Mean absolute errors are averaged over whole seasons, made monotone by pooling neighbours, and continued beyond the
    known horizon with the square root of the distance, as for a level that wanders.

    Examples
    --------
    >>> growth_curve(np.array([[1.0, -1.0, 3.0, 3.0]]), 2, 4).round(2)
    array([1., 1., 3., 3.])
    """
    known = reference.shape[1]
    size = np.array([np.nanmean(np.abs(c)) if not np.isnan(c).all() else np.nan for c in reference.T])
    edges = list(range(0, known, max(season, 1)))
    if len(edges) > 1 and known - edges[-1] < season:
        edges.pop()
    blocks = [size[a:b] for a, b in zip(edges, [*edges[1:], known], strict=True)]
    weights = [len(b) for b in blocks]
    means = [float(np.nanmean(b)) if not np.isnan(b).all() else 0.0 for b in blocks]
    means = _pool_adjacent(means, weights)
    curve = np.repeat(means, weights)
    floor = 1e-9 + 0.05 * curve[-1]
    curve = np.maximum(curve, floor)
    if horizon > known:
        beyond = curve[-1] * np.sqrt(np.arange(known + 1, horizon + 1) / known)
        curve = np.concatenate((curve, beyond))
    return np.asarray(curve[:horizon], dtype=np.float64)


def _pool_adjacent(means: list[float], weights: list[int]) -> list[float]:
    """Never-falling means by pooling adjacent violators (Barlow et al. 1972)."""
    pools: list[tuple[float, int, int]] = []
    for mean, weight in zip(means, weights, strict=True):
        pools.append((mean, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (m1, w1, c1), (m2, w2, c2) = pools[-2:]
            pools[-2:] = [((m1 * w1 + m2 * w2) / (w1 + w2), w1 + w2, c1 + c2)]
    return [mean for mean, _, count in pools for _ in range(count)]


def weighted_quantiles(
    values: NDArray[np.float64], weights: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return quantiles of a weighted sample, with plotting position (cumulative weight − half) ÷ total.

    Examples
    --------
    >>> weighted_quantiles(np.array([1.0, 2.0, 3.0]), np.ones(3), np.array([0.5]))
    array([2.])
    """
    order = np.argsort(values, kind="stable")
    weight = weights[order]
    position = (np.cumsum(weight) - 0.5 * weight) / weight.sum()
    return np.asarray(np.interp(levels, position, values[order]), dtype=np.float64)


def calibrate(
    own: ErrorTable,
    reference: ErrorTable,
    *,
    season: int,
    horizon: int,
    now: int,
    half_life: float,
) -> ErrorDistribution:
    """Return the error distribution of a model from its own few origins and a cheap reference's many.

    The model's own errors say how large its errors are and of what shape; the reference (a model without fitting, run
    at many origins) says how errors grow with the horizon and how far a level can drift, which four origins cannot.
    Its errors are scaled to the size of the model's own and enter with the same total weight.

    Parameters
    ----------
    own, reference : ErrorTable
        Errors in units; `own` may have no rows.
    season, horizon : int
        In slices.
    now : int
        Slices known at the forecast's origin; recency counts from there.
    half_life : float
        Age in slices at which an error counts half.

    Returns
    -------
    ErrorDistribution

    Notes
    -----
    Split conformal prediction (Vovk et al. 2005; Lei et al. 2018) with weights (Barber et al. 2023). With few errors
    its exact correction takes the largest error for every level beyond 1 − 1/n; here quantiles are widened by the
    factor of Student's t instead (`small_sample_factor`), its degrees of freedom being the effective number of windows
    (Kish 1965): errors within one window share a level and do not count apart.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = ErrorTable(origins=np.arange(100, 200), errors=rng.normal(size=(100, 5)))
    >>> d = calibrate(table, table, season=1, horizon=5, now=200, half_life=1e9)
    >>> bool(0.9 < d.at(np.array([0.9]))[0].mean() < 1.5)
    True
    """
    growth = growth_curve(reference.errors if len(reference.errors) else own.errors, season, horizon)
    growth = np.maximum.accumulate(growth * _own_growth(own, reference, growth, season))
    ratio = _size_ratio(own, reference, growth)
    pools: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    for table, scale in ((own, 1.0), (reference, ratio)):
        if not len(table.errors):
            continue
        width = min(table.errors.shape[1], horizon)
        part = table.errors[:, :width] / growth[:width] * scale
        age = np.maximum(now - table.origins, 0)[:, None] * np.ones(width)
        weight = 0.5 ** (age / half_life)
        known = ~np.isnan(part)
        if known.any():
            pools.append(part[known])
            weights.append(weight[known] / weight[known].sum())
    if not pools:
        return ErrorDistribution(quantiles=np.zeros(len(GRID)), growth=growth, ratio=ratio)
    pooled, weight = np.concatenate(pools), np.concatenate(weights)
    typical = float(weighted_quantiles(np.abs(pooled), weight, np.array([0.9]))[0])
    if typical > 0:  # one broken reading must not decide the tails
        pooled = np.clip(pooled, -WINSOR * typical, WINSOR * typical)
    effective = _effective_windows(own, reference, now, half_life)
    quantiles = weighted_quantiles(pooled, weight, GRID)
    middle = float(np.interp(0.5, GRID, quantiles))
    spread = (quantiles - middle) * small_sample_factor(effective)
    return ErrorDistribution(quantiles=spread + BIAS_KEPT * middle, growth=growth, ratio=ratio)


def small_sample_factor(effective: float) -> NDArray[np.float64]:
    """Return how much wider than the sample's own each quantile of `GRID` has to be, shape (len(GRID),).

    Student's t with `effective` degrees of freedom (3 to 1,000) ÷ normal at the same level: what a small sample owes
    its unknown spread. Levels nearer the middle than 25 % take the factor of the quartile.

    Examples
    --------
    >>> small_sample_factor(1000.0).round(2).max(), small_sample_factor(4.0).round(2)[GRID.searchsorted(0.9)]
    (np.float64(1.0), np.float64(1.2))
    """
    from scipy.special import ndtri, stdtrit

    level = np.maximum(np.maximum(GRID, 1 - GRID), 0.75)
    return np.asarray(stdtrit(float(np.clip(effective, 3.0, 1000.0)), level) / ndtri(level), dtype=np.float64)


def _effective_windows(own: ErrorTable, reference: ErrorTable, now: int, half_life: float) -> float:
    """Effective number of windows that do not overlap, old ones counting less; errors within one share a level."""
    width = max(table.errors.shape[1] for table in (own, reference))
    first = min(int(table.origins.min()) for table in (own, reference) if len(table.origins))
    weights = 0.5 ** (np.arange(width, now - first + 1, max(width, 1)) / half_life)
    return float(weights.sum() ** 2 / (weights**2).sum()) if len(weights) else 1.0


def _own_growth(
    own: ErrorTable, reference: ErrorTable, growth: NDArray[np.float64], season: int
) -> NDArray[np.float64]:
    """Factor by which the model's errors grow less than the reference's, 1 at the start, shape (horizon,).

    A model that follows a trend errs much less far ahead than the median of the last seasons. Read off the first and
    the last quarter of long horizons (eight seasons or more); on shorter ones a few origins cannot tell.
    """
    width = min(own.errors.shape[1], reference.errors.shape[1], len(growth))
    if width < 8 * season or len(own.errors) < 2 or not len(reference.errors):
        return np.ones(len(growth))
    quarter = width // 4
    near, far = slice(0, quarter), slice(width - quarter, width)
    sizes = [
        float(np.nanmean(np.abs(table.errors[:, part]))) if not np.isnan(table.errors[:, part]).all() else 0.0
        for table in (own, reference)
        for part in (near, far)
    ]
    if min(sizes) <= 0:
        return np.ones(len(growth))
    flatter = float(np.clip((sizes[1] / sizes[0]) / (sizes[3] / sizes[2]), 0.05, 1.0))
    return np.asarray(np.exp(np.log(flatter) * np.minimum(np.arange(len(growth)) / width, 1.0)), dtype=np.float64)


def _size_ratio(own: ErrorTable, reference: ErrorTable, growth: NDArray[np.float64]) -> float:
    """Typical own error ÷ typical reference error near the same origins, shrunk towards 1."""
    if not len(own.errors) or not len(reference.errors):
        return 1.0
    width = min(own.errors.shape[1], len(growth))
    near = [int(np.argmin(np.abs(reference.origins - origin))) for origin in own.origins]
    mine = np.abs(own.errors[:, :width]) / growth[:width]
    theirs = np.abs(reference.errors[near][:, :width]) / growth[:width]
    if np.isnan(mine).all() or np.isnan(theirs).all():
        return 1.0
    prior = float(np.nanmean(np.abs(reference.errors[:, :width]) / growth[:width])) if width else 1.0
    a, b = float(np.nanmean(mine)), float(np.nanmean(theirs))
    if not np.isfinite(a + b + prior) or b + prior <= 0:
        return 1.0
    small = 1e-3 * (b + prior)  # a model without any error keeps a thousandth
    trust = len(own.origins) / (len(own.origins) + 1)
    return float(np.clip(((a + small) / (b + small)) ** trust, 0.02, 10.0))
