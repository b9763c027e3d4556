"""The pooled model: members of every series, weighted, corrected by trees that learn across series.

One group of series with the same step is forecast at once: vectorised members at many origins, weights from their
past errors, and gradient-boosted quantiles of what the weighted mean still misses. What was learnt is kept as plain
arrays and forecasts other or later series without learning again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._date_effects import date_effects
from forecasting.forecasts._features import statistics_of
from forecasting.forecasts._many_zeros import PRIOR_SHARE, mixture_at, with_many_zeros
from forecasting.forecasts._marginals import LEARNT, MIDDLE, widened
from forecasting.forecasts._network import Network, fit_network, with_harmonics
from forecasting.forecasts._pool_check import CUT, LEAST_TREE_ROWS, HeldOut, held_out, prior_width
from forecasting.forecasts._pool_group import ExtraMembers, Group, PoolSeries, features_at, grouped
from forecasting.forecasts._trees import Trees, fit_trees
from forecasting.forecasts._windows import common_seasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

TREE_ROWS = 24_000
"""Slices ahead the trees learn from, at most."""
NETWORK_ROWS = 36_000
"""Slices ahead the network learns from, at most."""
NETWORK_SHARE = 0.25
"""Share of the network's quantiles in the average with the trees'."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolLearned:
    """What one group learnt."""

    names: tuple[str, ...]
    """Members."""
    labels: tuple[str, ...]
    """Features."""
    seasons: tuple[int, ...]
    horizon: int
    pooled: NDArray[np.float64]
    """Shape (M,): mean log error of the members."""
    trees: Trees | None
    """None where there was too little to learn from."""
    network: Network | None
    """None where there are no trees."""
    shrink: float
    """Share of the learnt correction of the median that is used."""
    mixture: float
    """Share of the intermittent mixture in the quantiles of series with many zeros."""
    width: NDArray[np.float64]
    """Shape (Q,): factor on the distance of each level from the median."""
    plain: NDArray[np.float64]
    """Shape (Q,): quantiles of the anchor's error over the pool, for windows without anything learnt."""
    trajectories: NDArray[np.float32]
    """Shape (t, horizon): past errors of the anchor of other series, finite, in scales."""
    held: NDArray[np.float64]
    """Shape (Q,): share of held-out outcomes below each level before widening; NaN where not checked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolForecast:
    """Forecast of one series before effects are put back."""

    quantiles: NDArray[np.float64]
    """Shape (H, Q): at the levels `LEARNT`, in units of the series, in order."""
    anchor: NDArray[np.float64]
    """Shape (H,): weighted mean of the members."""
    weights: tuple[tuple[str, float], ...]
    """Members, largest weight first."""
    trajectories: NDArray[np.float64]
    """Shape (t, H): past error trajectories in units of the series, NaN where unknown."""
    scale: float
    held: HeldOut | None


def learn_pool(
    series: Sequence[PoolSeries],
    *,
    horizon: int,
    seasons: tuple[int, ...],
    seed: int,
    extra: ExtraMembers | None = None,
) -> tuple[PoolLearned, tuple[HeldOut | None, ...], Group]:
    """Learn from a group of series with the same step.

    Parameters
    ----------
    series : sequence of PoolSeries
        At least one.
    horizon : int
        Slices ahead.
    seasons : tuple of int
        What the calendar suggests, shortest first.
    seed : int
    extra : function, optional
        Further members by name for given windows, NaN where they decline; asked at few origins, because they are dear.

    Returns
    -------
    PoolLearned
    tuple of HeldOut or None
        For each series how a model learnt from its older origins did on the newest; None where nothing was checked.
    Group
        Everything computed on the way, which `forecast_pool` may take over for the same series.
    """
    kept = common_seasons([len(s.values) for s in series], seasons)
    group = grouped(series, horizon, kept, seed, None, extra)
    rng = np.random.default_rng(seed)
    miss = group.outcomes - group.anchor
    row, step = np.nonzero(np.isfinite(miss))
    plain = np.quantile(miss[row, step], LEARNT) if len(row) else np.zeros(len(LEARNT))
    learned = PoolLearned(
        names=group.names,
        labels=(),
        seasons=kept,
        horizon=horizon,
        pooled=group.pooled,
        trees=None,
        network=None,
        shrink=1.0,
        mixture=PRIOR_SHARE,
        width=prior_width(),
        plain=plain,
        trajectories=_some_trajectories(miss, group, rng),
        held=np.full(len(LEARNT), np.nan),
    )
    if len(row) < LEAST_TREE_ROWS:
        return learned, (None,) * len(series), group
    order = rng.permutation(len(row))
    row, step = row[order], step[order]
    statistics = statistics_of(group.windows, np.arange(len(group.windows)))
    checked = held_out(group, series, miss, row, step, seed, statistics)
    use = slice(0, NETWORK_ROWS)
    features, labels = features_at(group, series, row[use], step[use] + 1, statistics)
    wanted = miss - date_effects(miss, group.windows, [each.first for each in series])
    target = wanted[row[use], step[use]]
    target = np.clip(target, *np.quantile(target, [CUT, 1 - CUT]))
    trees = fit_trees(features[:TREE_ROWS], target[:TREE_ROWS], LEARNT, seed=seed)
    network = fit_network(with_harmonics(features, labels, kept[0]), target, LEARNT, seed=seed)
    shrink, mixture, width, held, each = checked
    return (
        PoolLearned(
            names=group.names,
            labels=labels,
            seasons=kept,
            horizon=horizon,
            pooled=group.pooled,
            trees=trees,
            network=network,
            shrink=shrink,
            mixture=mixture,
            width=width,
            plain=plain,
            trajectories=learned.trajectories,
            held=held,
        ),
        each,
        group,
    )


def _some_trajectories(miss: NDArray[np.float64], group: Group, rng: np.random.Generator) -> NDArray[np.float32]:
    """Up to 100 error trajectories known to their end, of all series."""
    whole = np.flatnonzero(np.isfinite(miss).all(axis=1))
    chosen = np.sort(rng.choice(whole, size=min(len(whole), 100), replace=False)) if len(whole) else whole
    return miss[chosen].astype(np.float32)


def forecast_pool(
    series: Sequence[PoolSeries],
    learned: PoolLearned,
    *,
    horizon: int,
    seed: int,
    held: Sequence[HeldOut | None] | None = None,
    extra: ExtraMembers | None = None,
    group: Group | None = None,
) -> tuple[PoolForecast, ...]:
    """Forecast every series of a group with what was learnt, from these series or from others.

    Slices beyond the horizon that was learnt keep the correction of its last slice, and their spread grows with the
    square root of the distance.

    Parameters
    ----------
    series : sequence of PoolSeries
    learned : PoolLearned
    horizon : int
    seed : int
    held : sequence of HeldOut or None
        The check of each series, to be carried along.
    extra : function, optional
        As for `learn_pool`.
    group : Group, optional
        From `learn_pool` with the same series and horizon.
    """
    if group is None:
        group = grouped(series, horizon, learned.seasons, seed, learned.pooled, extra)
    rows = np.repeat(group.final, horizon)
    steps = np.tile(np.arange(1, horizon + 1), len(series))
    reach = np.minimum(steps, learned.horizon)
    if learned.trees is None:
        offsets = np.repeat(learned.plain[None, :], len(rows), axis=0)
    else:
        offsets = np.empty((len(rows), len(LEARNT)))
        statistics = statistics_of(group.windows, group.final)
        for start in range(0, len(rows), 100_000):
            part = slice(start, start + 100_000)
            features, _ = features_at(group, series, rows[part], steps[part], statistics)
            features[:, 0] = reach[part]
            found_by = np.sort(learned.trees.predict(features), axis=1)
            if learned.network is not None:
                waves = with_harmonics(features, learned.labels, learned.seasons[0])
                second = np.sort(learned.network.predict(waves), axis=1)
                found_by = (1 - NETWORK_SHARE) * found_by + NETWORK_SHARE * second
            offsets[part] = found_by
    offsets = np.sort(offsets, axis=1)
    offsets -= (1 - learned.shrink) * offsets[:, MIDDLE : MIDDLE + 1]
    beyond = np.sqrt(steps / reach)[:, None]
    offsets = widened(offsets, learned.width[None, :] * beyond)
    windows = group.windows
    zeros = np.flatnonzero(with_many_zeros(windows, group.final))
    if len(zeros):
        histories = [each.values for each in series]
        mixture = (
            mixture_at(histories, windows, group.final[zeros], horizon) - group.anchor[group.final[zeros], :, None]
        )
        by_series = offsets.reshape(len(series), horizon, len(LEARNT))
        by_series[zeros] = (1 - learned.mixture) * by_series[zeros] + learned.mixture * mixture
    found = []
    for index in range(len(series)):
        last = int(group.final[index])
        centre, scale = windows.centre[last], windows.scale[last]
        anchor = group.anchor[last]
        own = offsets[index * horizon : (index + 1) * horizon]
        first = int(group.final[index - 1]) + 1 if index else 0
        past = slice(first, last)
        size = windows.scale[past, None]
        trajectories = (group.outcomes[past] - group.anchor[past]) * size
        order = np.argsort(-group.weights[last], kind="stable")
        found.append(
            PoolForecast(
                quantiles=centre + scale * (anchor[:, None] + own),
                anchor=centre + scale * anchor,
                weights=tuple((group.names[m], float(group.weights[last, m])) for m in order.tolist()),
                trajectories=trajectories[np.isfinite(trajectories).any(axis=1)],
                scale=float(scale),
                held=held[index] if held else None,
            )
        )
    return tuple(found)
