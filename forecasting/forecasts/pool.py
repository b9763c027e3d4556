"""The pooled model: members of every series, weighted, corrected by trees that learn across series.

One group of series with the same step is forecast at once: vectorised members at many origins, weights from their
past errors, and gradient-boosted quantiles of what the weighted mean still misses. What was learnt is kept as plain
arrays and forecasts other or later series without learning again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._error_history import error_history
from forecasting.forecasts._features import features_of
from forecasting.forecasts._marginals import LEARNT, MIDDLE, at_levels, widened
from forecasting.forecasts._network import Network, fit_network, with_harmonics
from forecasting.forecasts._trees import Trees, fit_trees
from forecasting.forecasts._weights import past_errors, pooled_errors, weights_of
from forecasting.forecasts._windows import (
    LEAST_ORIGINS,
    MOST_ORIGINS,
    Windows,
    common_seasons,
    make_windows,
    nan_mean,
    origins_of,
    outcomes_of,
)
from forecasting.forecasts.members import all_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

ExtraMembers = Callable[[Windows], dict[str, "NDArray[np.float64]"]]

TREE_ROWS = 24_000
"""Slices ahead the trees learn from, at most."""
SHOWN = 20
"""Members with the least pooled error that are features of their own."""
NETWORK_ROWS = 36_000
"""Slices ahead the network learns from, at most."""
NETWORK_SHARE = 0.25
"""Share of the network's quantiles in the average with the trees'."""
HELD_ROWS = 6_000
"""Slices ahead the trees of the held-out check learn from, and at most three times that they are checked on."""
HELD_ITERATIONS = 30
"""Trees per level of the held-out check."""
WINDOW_ROWS = 100_000
"""Slices ahead in all windows of a group, roughly."""
LEAST_TREE_ROWS = 400
"""With fewer outcomes than this nothing is learnt but the spread of the anchor's errors."""
HELD_SHARE = 0.3
"""Newest origins of every series that the held-out check keeps apart."""
CUT = 0.0005
"""Share of the most extreme outcomes at either end that is cut before learning."""
WIDTHS = (0.8, 1.6)
"""Intervals are widened by factors within these."""
PRIOR_WIDTH = 1.06
"""Widening before anything was checked: the future differs more from the past than the newest past from the older."""
TAILS = 1.08
"""Further widening of the outermost levels, which rest on the fewest outcomes."""
PRIOR_ROWS = 2_000
"""Checked slices at which half of the largest share, a quarter, of what the check asks for is taken."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolSeries:
    """One series as the pool takes it."""

    name: str
    """Of the service and metric: the seed of its origins."""
    values: NDArray[np.float64]
    """Shape (n,): finite, gaps and errors of measurement filled, holidays and other effects taken out."""
    target: NDArray[np.float64]
    """Shape (n,): as `values`, but NaN where unknown or where an effect was taken out."""
    calendar: NDArray[np.float32]
    """Shape (n + H, 3): hour of the day, time of the week in days, month; NaN where the step makes no use of it."""


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
    width: NDArray[np.float64]
    """Shape (Q,): factor on the distance of each level from the median."""
    plain: NDArray[np.float64]
    """Shape (Q,): quantiles of the anchor's error over the pool, for windows without anything learnt."""
    trajectories: NDArray[np.float32]
    """Shape (t, horizon): past errors of the anchor of other series, finite, in scales."""
    held: NDArray[np.float64]
    """Shape (Q,): share of held-out outcomes below each level before widening; NaN where not checked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOut:
    """What the check on the newest origins found for one series."""

    outcomes: int
    sql: float
    """Scaled quantile loss of the pooled model: in scales of the windows."""
    naive_sql: float
    mae: float
    naive_mae: float
    bias: float
    inside80: float
    inside95: float
    origins: int


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Windows of a group of series with everything computed from them."""

    windows: Windows
    final: NDArray[np.int64]
    """Row of the last window of each series."""
    outcomes: NDArray[np.float64]
    members: NDArray[np.float32]
    names: tuple[str, ...]
    errors: NDArray[np.float64]
    count: NDArray[np.float64]
    anchor: NDArray[np.float64]
    anchor_error: NDArray[np.float64]
    weights: NDArray[np.float64]
    pooled: NDArray[np.float64]
    history: NDArray[np.float32]


def _grouped(
    series: Sequence[PoolSeries],
    horizon: int,
    seasons: tuple[int, ...],
    seed: int,
    pooled: NDArray[np.float64] | None,
    extra: ExtraMembers | None,
) -> Group:
    """Windows, members, weights and anchor of a group."""
    most = MOST_ORIGINS if extra is None else LEAST_ORIGINS
    wanted = int(np.clip(WINDOW_ROWS / (len(series) * horizon), LEAST_ORIGINS, most))
    origins = []
    for each in series:
        rng = np.random.default_rng([seed, *each.name.encode()])
        found = origins_of(len(each.values), horizon, seasons[0], wanted, rng)
        origins.append(np.append(found, len(each.values)))
    windows = make_windows([s.values for s in series], origins, horizon=horizon, seasons=seasons)
    outcomes = outcomes_of([s.target for s in series], windows)
    by_name = all_members(windows)
    if extra is not None:
        spare = by_name[f"season before ({windows.season})"]
        by_name |= {name: np.where(np.isfinite(rows), rows, spare) for name, rows in extra(windows).items()}
    members = np.stack([rows.astype(np.float32) for rows in by_name.values()], axis=2)
    np.clip(members, -1e6, 1e6, out=members)
    errors, count = past_errors(members, outcomes, windows)
    prior = pooled_errors(errors) if pooled is None else pooled
    weights = weights_of(errors, count, prior)
    anchor = np.einsum("bhm,bm->bh", members, weights.astype(np.float32)).astype(np.float64)
    anchor_error, _ = past_errors(anchor[:, :, None], outcomes, windows)
    return Group(
        windows=windows,
        final=np.cumsum([len(o) for o in origins]) - 1,
        outcomes=outcomes,
        members=members,
        names=tuple(by_name),
        errors=errors,
        count=count,
        anchor=anchor,
        anchor_error=anchor_error[:, 0],
        weights=weights,
        pooled=prior,
        history=error_history(outcomes - anchor, windows),
    )


def _features(
    group: Group, series: Sequence[PoolSeries], rows: NDArray[np.int64], steps: NDArray[np.int64]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Features of slices ahead of windows."""
    windows = group.windows
    calendar = np.empty((len(rows), 3), dtype=np.float32)
    at = windows.end[rows] + steps - 1
    owner = windows.owner[rows]
    order = np.argsort(owner, kind="stable")
    cuts = np.searchsorted(owner[order], np.arange(len(series) + 1))
    for index, each in enumerate(series):
        mine = order[cuts[index] : cuts[index + 1]]
        if len(mine):
            calendar[mine] = each.calendar[at[mine]]
    return features_of(
        windows,
        rows,
        steps,
        members=group.members,
        names=group.names,
        shown=np.sort(np.argsort(group.pooled, kind="stable")[:SHOWN]),
        anchor=group.anchor,
        errors=group.errors,
        anchor_error=group.anchor_error,
        count=group.count,
        history=group.history,
        calendar=calendar,
    )


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
    group = _grouped(series, horizon, kept, seed, None, extra)
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
        width=_prior_width(),
        plain=plain,
        trajectories=_some_trajectories(miss, group, rng),
        held=np.full(len(LEARNT), np.nan),
    )
    if len(row) < LEAST_TREE_ROWS:
        return learned, (None,) * len(series), group
    order = rng.permutation(len(row))
    row, step = row[order], step[order]
    checked = _held_out(group, series, miss, row, step, seed)
    use = slice(0, NETWORK_ROWS)
    features, labels = _features(group, series, row[use], step[use] + 1)
    target = miss[row[use], step[use]]
    target = np.clip(target, *np.quantile(target, [CUT, 1 - CUT]))
    trees = fit_trees(features[:TREE_ROWS], target[:TREE_ROWS], LEARNT, seed=seed)
    network = fit_network(with_harmonics(features, labels, kept[0]), target, LEARNT, seed=seed)
    shrink, width, held, each = checked
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


def _held_out(
    group: Group,
    series: Sequence[PoolSeries],
    miss: NDArray[np.float64],
    row: NDArray[np.int64],
    step: NDArray[np.int64],
    seed: int,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64], tuple[HeldOut | None, ...]]:
    """Learn from older origins, look at the newest: shrinkage, widening, levels held, and each series' record."""
    windows, total = group.windows, len(LEARNT)
    newest = np.zeros(len(windows), dtype=np.bool_)
    first = np.zeros(len(series), dtype=np.int64)
    start = 0
    for index, stop in enumerate((group.final + 1).tolist()):
        count = stop - 1 - start
        kept = max(round(HELD_SHARE * count), 1) if count > 1 else 0
        newest[stop - 1 - kept : stop - 1] = True
        first[index] = windows.end[stop - 1 - kept] if kept else windows.end[stop - 1]
        start = stop
    before = ~newest[row] & (windows.end[row] + step < first[windows.owner[row]])
    after = np.flatnonzero(newest[row])[: 3 * HELD_ROWS]
    learn = np.flatnonzero(before)[:HELD_ROWS]
    nothing: tuple[HeldOut | None, ...] = (None,) * len(series)
    if len(learn) < LEAST_TREE_ROWS or len(after) < 50:
        return 1.0, _prior_width(), np.full(total, np.nan), nothing
    features, _ = _features(group, series, row[learn], step[learn] + 1)
    target = miss[row[learn], step[learn]]
    target = np.clip(target, *np.quantile(target, [CUT, 1 - CUT]))
    trees = fit_trees(features, target, LEARNT, seed=seed, iterations=HELD_ITERATIONS)
    features, _ = _features(group, series, row[after], step[after] + 1)
    found = np.sort(trees.predict(features), axis=1)
    came = miss[row[after], step[after]]
    middle = found[:, MIDDLE]
    shares = np.array([0.25, 0.5, 0.75, 1.0])
    loss = np.array([np.abs(came - share * middle).mean() for share in shares])
    shrink = 0.7 + 0.3 * float(shares[np.argmin(loss)])  # a prior: what is learnt from more will be better
    found = found - (1 - shrink) * middle[:, None]
    held = (came[:, None] <= found).mean(axis=0)
    width = _widths(came, found)
    return shrink, width, held, _records(group, series, row[after], step[after], came, widened(found, width))


def _prior_width() -> NDArray[np.float64]:
    """Widening of every level where nothing was checked."""
    return np.array([PRIOR_WIDTH * (TAILS if i in (0, len(LEARNT) - 1) else 1.0) for i in range(len(LEARNT))])


def _widths(came: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factor on the distance of each level from the median that held-out outcomes ask for, drawn to the prior.

    Split conformal calibration (Romano, Patterson and Candès 2019) with a multiplicative score, one factor for the
    levels above the median and one for those below, so that the order of levels stays.
    """
    middle = found[:, MIDDLE]
    width = np.full(len(LEARNT), PRIOR_WIDTH)
    trust = len(came) / (len(came) + PRIOR_ROWS)
    for side, places in ((1.0, (4, 5, 6)), (-1.0, (2, 1, 0))):
        asked = []
        for place in places:
            reach = np.maximum(side * (found[:, place] - middle), 1e-6)
            level = LEARNT[place] if side > 0 else 1 - LEARNT[place]
            asked.append(float(np.quantile(side * (came - middle) / reach, level)))
        factor = float(np.clip(np.median(asked), *WIDTHS))
        width[list(places)] = PRIOR_WIDTH * factor ** (0.25 * trust)
    width[MIDDLE] = 1.0
    width[[0, -1]] *= TAILS
    return width


def _records(
    group: Group,
    series: Sequence[PoolSeries],
    row: NDArray[np.int64],
    step: NDArray[np.int64],
    came: NDArray[np.float64],
    found: NDArray[np.float64],
) -> tuple[HeldOut | None, ...]:
    """How the held-out forecasts of each series did, beside seasonal naive with normal intervals."""
    from scipy.stats import norm

    windows = group.windows
    season = windows.season
    name = f"season before ({season})"
    place = group.names.index(name)
    error = came + group.anchor[row, step]  # the outcome itself, in scales
    naive = group.members[row, step, place].astype(np.float64)
    moves = windows.values[:, season:] - windows.values[:, :-season]
    spread = np.sqrt(np.nan_to_num(nan_mean(moves**2, 1), nan=1.0))[row] * np.sqrt(step // season + 1)
    tenth = np.arange(1, 10) / 10
    own_q = at_levels(found, tenth)
    naive_q = naive[:, None] + spread[:, None] * norm.ppf(tenth)[None, :]
    own_loss = _pinball(came, own_q, tenth)
    naive_loss = _pinball(error, naive_q, tenth)
    owner = windows.owner[row]
    records: list[HeldOut | None] = []
    for index in range(len(series)):
        mine = np.flatnonzero(owner == index)
        if not len(mine):
            records.append(None)
            continue
        records.append(
            HeldOut(
                outcomes=len(mine),
                sql=float(own_loss[mine].mean()),
                naive_sql=float(naive_loss[mine].mean()),
                mae=float(np.abs(came[mine] - found[mine, MIDDLE]).mean()),
                naive_mae=float(np.abs(error[mine] - naive[mine]).mean()),
                bias=float((found[mine, MIDDLE] - came[mine]).mean()),
                inside80=float(((came[mine] >= found[mine, 1]) & (came[mine] <= found[mine, 5])).mean()),
                inside95=float(((came[mine] >= found[mine, 0]) & (came[mine] <= found[mine, 6])).mean()),
                origins=len(np.unique(row[mine])),
            )
        )
    return tuple(records)


def _pinball(
    came: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over levels of twice the pinball loss of each row."""
    off = came[:, None] - quantiles
    return np.asarray(2 * np.maximum(levels * off, (levels - 1) * off).mean(axis=1))


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
        group = _grouped(series, horizon, learned.seasons, seed, learned.pooled, extra)
    rows = np.repeat(group.final, horizon)
    steps = np.tile(np.arange(1, horizon + 1), len(series))
    reach = np.minimum(steps, learned.horizon)
    if learned.trees is None:
        offsets = np.repeat(learned.plain[None, :], len(rows), axis=0)
    else:
        offsets = np.empty((len(rows), len(LEARNT)))
        for start in range(0, len(rows), 100_000):
            part = slice(start, start + 100_000)
            features, _ = _features(group, series, rows[part], steps[part])
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
