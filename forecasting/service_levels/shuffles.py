"""Tests by shuffling whole weeks, and the small statistics around them; used by `service_levels.diagnosis`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations as orders_of
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

BLOCK_DAYS = 7
LEVEL_DAYS = 21
"""The test looks at bad events beyond the level of so many days around each day."""
SEASON_WEEKS = 13
"""Weeks change places within seasons of about this length only."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction, in the order given.

    Source: Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = largest
    return adjusted


def local_level(bad: Floats, total: Floats) -> Floats:
    """Return bad ÷ all events of the three weeks around each day, shape (days,); 0 where they have no traffic.

    Whole weeks, so that weekdays cancel; fewer days at the ends.

    Examples
    --------
    >>> local_level(np.array([1.0] * 20 + [8.0]), np.full(21, 10.0))[10]
    np.float64(0.13333333333333333)
    """
    half = LEVEL_DAYS // 2
    at = np.arange(len(bad))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(bad))
    sums = [np.concatenate(([0.0], np.cumsum(x))) for x in (bad, total)]
    around_bad, around = (s[last] - s[first] for s in sums)
    level: Floats = np.divide(around_bad, around, out=np.zeros(len(bad)), where=around > 0)
    return level


def week_orders(weeks: int, count: int, seed: int) -> NDArray[np.int64]:
    """Return orders of `weeks` weeks in which a week changes places within its season only; the first is as observed.

    All orders where there are at most `count`, else `count` of them at random besides the observed one.

    Returns
    -------
    ndarray of int, shape (orders, weeks)

    Examples
    --------
    >>> week_orders(3, 500, seed=1).tolist()
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    >>> week_orders(26, 500, seed=1).shape
    (501, 26)
    """
    seasons = np.array_split(np.arange(weeks), max(1, round(weeks / SEASON_WEEKS)))
    if math.prod(math.factorial(len(s)) for s in seasons) <= count:
        every = [orders_of(s.tolist()) for s in seasons]
        return np.array([[week for part in parts for week in part] for parts in product(*every)], dtype=np.int64)
    random = np.random.default_rng([seed, 0xD1A6])
    drawn = [random.permuted(np.tile(season, (count, 1)), axis=1) for season in seasons]
    return np.vstack((np.arange(weeks), np.hstack(drawn)))


def block_p_value(
    bad: Floats, total: Floats, sides: Sequence[Flags], known: Flags, count: int, seed: int
) -> tuple[float, int]:
    """Test whether marked days are worse than the rest, by shuffling the marks week by week.

    Parameters
    ----------
    bad, total : ndarray, shape (days,)
        Events per day; 0 where not known.
    sides : sequence of ndarray of bool, shape (days,)
        Marks of each direction that is tried.
    known : ndarray of bool, shape (days,)
        Days on which badness and driver are known; marks travel with the driver's known days.
    count : int
        Shuffles, or all of them where there are no more.
    seed : int

    Returns
    -------
    (float, int)
        One-sided p-value, the larger of the sides taken in every shuffle, and the side that was larger as observed.
        The oldest days that do not fill a week are left out.

    Examples
    --------
    >>> storm = np.zeros(28, dtype=bool)
    >>> storm[[3, 11, 12]] = True
    >>> p, side = block_p_value(np.where(storm, 5.0, 1.0), np.full(28, 9.0), [storm], np.ones(28, dtype=bool), 500, 1)
    >>> p == 2 / 24  # 4! orders; the two weeks without a storm may change places unseen
    True
    """
    weeks = len(bad) // BLOCK_DAYS
    first = len(bad) - weeks * BLOCK_DAYS
    b, t, valid = (np.asarray(x[first:], dtype=np.float64).reshape(weeks, BLOCK_DAYS) for x in (bad, total, known))
    orders = week_orders(weeks, count, seed)
    at = np.arange(weeks)

    def shuffled(events: Floats, marks: Floats) -> Floats:
        """Events on marked days in every order: sum over weeks of what week i has under the marks of another week."""
        return np.asarray((events @ marks.T)[at, orders].sum(axis=1), dtype=np.float64)

    all_bad, all_total = shuffled(b, valid), shuffled(t, valid)
    scores = []
    for side in sides:
        marks = np.asarray(side[first:], dtype=np.float64).reshape(weeks, BLOCK_DAYS)
        on_bad, on_total = shuffled(b, marks), shuffled(t, marks)
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = on_bad / on_total - (all_bad - on_bad) / (all_total - on_total)
        apart = np.where(np.isfinite(apart), apart, 0.0)
        spread = apart.std()
        scores.append((apart - apart.mean()) / spread if spread > 1e-12 else np.zeros(len(orders)))
    largest = np.max(scores, axis=0)
    # Orders that differ only in weeks alike give the same score up to rounding.
    return float((largest >= largest[0] - 1e-9).mean()), int(np.argmax([s[0] for s in scores]))


def rank_correlation(x: Floats, y: Floats, weight: Floats) -> float:
    """Return Spearman's rank correlation with weighted days: Pearson's of the mid-ranks; 0 where one is constant.

    Examples
    --------
    >>> round(rank_correlation(np.array([1.0, 5, 9]), np.array([0.1, 0.2, 0.9]), np.ones(3)), 6)
    1.0
    """
    ranks = []
    for values in (x, y):
        _, where, size = np.unique(values, return_inverse=True, return_counts=True)
        middle = np.cumsum(size) - (size - 1) / 2
        rank = middle[where]
        ranks.append(rank - np.average(rank, weights=weight))
    a, b = ranks
    scale = math.sqrt(float((weight * a * a).sum() * (weight * b * b).sum()))
    return float((weight * a * b).sum() / scale) if scale > 0 else 0.0
