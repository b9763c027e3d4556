"""How a model learnt from older origins does on the newest: what the pool corrects by, and each series' record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._date_effects import date_effects
from forecasting.forecasts._features import Statistics
from forecasting.forecasts._many_zeros import PRIOR_SHARE, mixture_at, share_of_mixture, with_many_zeros
from forecasting.forecasts._marginals import LEARNT, MIDDLE, at_levels, widened
from forecasting.forecasts._pool_group import Group, PoolSeries, features_at
from forecasting.forecasts._trees import fit_trees
from forecasting.forecasts._windows import nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD_ROWS = 6_000
"""Slices ahead the trees of the held-out check learn from, and at most three times that they are checked on."""
HELD_ITERATIONS = 30
"""Trees per level of the held-out check."""
LEAST_TREE_ROWS = 400
"""With fewer outcomes than this nothing is learnt but the spread of the anchor's errors."""
MIXTURE_WINDOWS = 600
"""Windows with many zeros that the check asks the intermittent mixture about, at most."""
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


def held_out(
    group: Group,
    series: Sequence[PoolSeries],
    miss: NDArray[np.float64],
    row: NDArray[np.int64],
    step: NDArray[np.int64],
    seed: int,
    statistics: Statistics,
) -> tuple[float, float, NDArray[np.float64], NDArray[np.float64], tuple[HeldOut | None, ...]]:
    """Learn from older origins, look at the newest: shrinkage, mixture, widening, levels held, each series' record."""
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
        return 1.0, PRIOR_SHARE, prior_width(), np.full(total, np.nan), nothing
    features, _ = features_at(group, series, row[learn], step[learn] + 1, statistics)
    known = np.full(miss.shape, np.nan)
    known[row[before], step[before]] = miss[row[before], step[before]]
    wanted = known - date_effects(known, windows, [each.first for each in series])
    target = wanted[row[learn], step[learn]]
    target = np.clip(target, *np.quantile(target, [CUT, 1 - CUT]))
    trees = fit_trees(features, target, LEARNT, seed=seed, iterations=HELD_ITERATIONS)
    features, _ = features_at(group, series, row[after], step[after] + 1, statistics)
    found = np.sort(trees.predict(features), axis=1)
    came = miss[row[after], step[after]]
    middle = found[:, MIDDLE]
    shares = np.array([0.25, 0.5, 0.75, 1.0])
    loss = np.array([np.abs(came - share * middle).mean() for share in shares])
    shrink = 0.7 + 0.3 * float(shares[np.argmin(loss)])  # a prior: what is learnt from more will be better
    found = found - (1 - shrink) * middle[:, None]
    mixture, found = _with_mixture(group, series, row[after], step[after], came, found)
    held = (came[:, None] <= found).mean(axis=0)
    width = _widths(came, found)
    records = _records(group, series, row[after], step[after], came, widened(found, width))
    return shrink, mixture, width, held, records


def _with_mixture(
    group: Group,
    series: Sequence[PoolSeries],
    row: NDArray[np.int64],
    step: NDArray[np.int64],
    came: NDArray[np.float64],
    found: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Share of the intermittent mixture for windows with many zeros, and the quantiles with it."""
    asked = np.unique(row)
    rows = asked[with_many_zeros(group.windows, asked)][:MIXTURE_WINDOWS]
    mine = np.flatnonzero(np.isin(row, rows))
    if not len(mine):
        return PRIOR_SHARE, found
    place, ahead = np.searchsorted(rows, row[mine]), step[mine]
    mixture = mixture_at([each.values for each in series], group.windows, rows, group.windows.horizon)[place, ahead]
    mixture = mixture - group.anchor[row[mine], ahead][:, None]
    share = share_of_mixture(came[mine], found[mine], mixture, group.windows.owner[row[mine]])
    found = found.copy()
    found[mine] = (1 - share) * found[mine] + share * mixture
    return share, found


def prior_width() -> NDArray[np.float64]:
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
    by_owner = np.argsort(owner, kind="stable")
    cuts = np.searchsorted(owner[by_owner], np.arange(len(series) + 1))
    for index in range(len(series)):
        mine = by_owner[cuts[index] : cuts[index + 1]]
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
