"""Series with many zeros: closed-form members and quantiles of a mixture, for a whole matrix of series at once.

Windows are right-aligned: the last column is the last known slice of every series, shorter ones begin with NaN. Values
at or below 0 count as "no demand", NaN as unknown wherever it stands. No function changes its arguments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

ZEROS = 0.3
"""Share of zeros above which these methods are meant."""
SMOOTHING = 0.1
"""Smoothing constant of sizes, intervals and probabilities (Syntetos and Boylan 2005 use 0.05 to 0.2)."""
HALF_LIFE = 60
"""Slices after which a value counts half in the level of demand, at least; and four of the longest season."""
PROFILE_LIFE = 8
"""A profile over the season changes more slowly than the level: its half-life is so many times longer."""
UNLIKELY = 0.01
"""A run of zeros less likely than this, at the end, says that demand has changed."""


def zero_share(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of zeros among the known slices of every series, shape (B,); NaN where nothing is known.

    Examples
    --------
    >>> zero_share(np.array([[np.nan, 0.0, 0.0, 2.0, 0.0], [1.0, 2.0, 3.0, 4.0, 0.0]]))
    array([0.75, 0.2 ])
    """
    known = np.sum(~np.isnan(windows), axis=1)
    zeros = np.sum(windows <= 0, axis=1)
    return np.where(known > 0, zeros / np.maximum(known, 1), np.nan)


def _check(windows: NDArray[np.float64], horizon: int) -> None:
    """Refuse what is not a matrix of windows or no horizon."""
    if windows.ndim != 2 or windows.shape[1] == 0:
        raise InputError(
            argument="windows",
            came=f"shape {windows.shape}",
            allowed="shape (B, L), L of 1 or more",
            try_instead="[None, :]",
        )
    if horizon < 1:
        raise InputError(argument="h", came=horizon, allowed="1 or more slices", try_instead="1")


def _smoothed_sizes(
    values: NDArray[np.float64], demand: NDArray[np.bool_], first: NDArray[np.float64], alpha: float
) -> NDArray[np.float64]:
    """Exponential smoothing over the slices with demand only, begun at `first`; shape (B,)."""
    after = demand[:, ::-1].cumsum(axis=1)[:, ::-1] - demand  # demands that follow
    weights = np.where(demand, alpha * (1 - alpha) ** after, 0.0)
    left = (1 - alpha) ** demand.sum(axis=1)
    return np.asarray(left * first + np.sum(weights * np.where(demand, values, 0.0), axis=1), dtype=np.float64)


def tsb(
    windows: NDArray[np.float64], h: int, *, alpha: float = SMOOTHING, beta: float = SMOOTHING
) -> NDArray[np.float64]:
    """Return mean demand per slice after Teunter, Syntetos and Babai (2011), shape (B, h), the same for every slice.

    The probability of demand is smoothed in every known slice, the size where there is demand; so that a series that
    dies out goes to 0. Both begin at their mean over the window. NaN where nothing is known.

    Parameters
    ----------
    windows : ndarray, shape (B, L)
        Right-aligned, NaN for unknown.
    h : int
        Slices ahead.
    alpha, beta : float
        Smoothing constants of the size and of the probability, above 0 and at most 1.

    Raises
    ------
    InputError
        If the shape or the horizon is wrong.

    Examples
    --------
    >>> tsb(np.array([[0.0, 4.0, 0.0, 4.0]]), 1, alpha=0.5, beta=0.5)  # probability .5, .25, .625, .3125, .65625
    array([[2.625]])
    """
    _check(windows, h)
    known = ~np.isnan(windows)
    demand = windows > 0
    count, demands = known.sum(axis=1), demand.sum(axis=1)
    share = demands / np.maximum(count, 1)
    after = known[:, ::-1].cumsum(axis=1)[:, ::-1] - known
    weights = np.where(known, beta * (1 - beta) ** after, 0.0)
    probability = (1 - beta) ** count * share + np.sum(weights * demand, axis=1)
    mean = np.sum(np.where(demand, windows, 0.0), axis=1) / np.maximum(demands, 1)
    flat = np.where(count > 0, probability * _smoothed_sizes(windows, demand, mean, alpha), np.nan)
    return np.repeat(flat[:, None], h, axis=1)


def sba(windows: NDArray[np.float64], h: int, *, alpha: float = SMOOTHING) -> NDArray[np.float64]:
    """Return mean demand per slice after Syntetos and Boylan (2005), shape (B, h): Croston with its bias taken out.

    Sizes and intervals between demands are smoothed where there is demand, begun at the first size and interval; the
    ratio is multiplied by 1 − alpha/2. 0 without any demand, NaN where nothing is known.

    Examples
    --------
    >>> sba(np.array([[0.0, 4.0, 0.0, 0.0, 0.0, 6.0]]), 1, alpha=0.5)  # size 4 -> 5, interval 2 -> 3
    array([[1.25]])
    """
    _check(windows, h)
    known = ~np.isnan(windows)
    demand = windows > 0
    place = known.cumsum(axis=1)
    last = np.maximum.accumulate(np.where(demand, place, 0), axis=1)
    before = np.concatenate((np.zeros((len(windows), 1), dtype=last.dtype), last[:, :-1]), axis=1)
    intervals = (place - before).astype(np.float64)
    some = demand.any(axis=1)
    first = np.where(some, demand.argmax(axis=1), 0)
    rows = np.arange(len(windows))
    size = _smoothed_sizes(windows, demand, np.where(some, windows[rows, first], 0.0), alpha)
    interval = _smoothed_sizes(intervals, demand, intervals[rows, first], alpha)
    flat = np.where(some, (1 - alpha / 2) * size / np.where(some, interval, 1.0), 0.0)
    return np.repeat(np.where(known.any(axis=1), flat, np.nan)[:, None], h, axis=1)


def _by_phase(rows: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """Sums over the slices of every phase, shape (B, season); phase 0 is that of the first slice ahead."""
    short = -rows.shape[1] % season
    padded = np.concatenate((np.zeros((len(rows), short)), rows), axis=1) if short else rows
    return np.asarray(padded.reshape(len(rows), -1, season).sum(axis=1), dtype=np.float64)


def _shrunk(
    total: NDArray[np.float64],
    weight: NDArray[np.float64],
    parent: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Means by phase, drawn to `parent` as far as their differences can be noise (empirical Bayes); shape (B, season).

    `variance` is that of one value around its phase, shape (B, 1) or (B, season).
    """
    has = weight > 0
    mean = np.where(has, total / np.where(has, weight, 1.0), parent)
    phases = np.maximum(has.sum(axis=1, keepdims=True), 1)
    noise = np.where(has, variance / np.where(has, weight, 1.0), 0.0)
    between = np.sum(np.where(has, (mean - parent) ** 2 - noise, 0.0), axis=1, keepdims=True) / phases
    between = np.maximum(between, 0.0)
    trust = np.where(has & (between > 0), between / (between + np.where(noise > 0, noise, 1e-300)), 0.0)
    return parent + trust * (mean - parent)


def _phases(
    windows: NDArray[np.float64], seasons: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Probability of demand and factor of its size by phase of the longest usable season, weights of slices, season."""
    length = windows.shape[1]
    usable = sorted({season for season in seasons if season > 1 and 3 * season <= length})
    longest = usable[-1] if usable else 1
    known, demand = ~np.isnan(windows), windows > 0
    age = np.arange(length - 1, -1, -1) / max(HALF_LIFE, 4 * longest)
    recent, slow = 0.5**age, 0.5 ** (age / PROFILE_LIFE)
    now_on = np.where(demand, recent, 0.0)
    weights, on = np.where(known, slow, 0.0), np.where(demand, slow, 0.0)
    sizes = np.where(demand, windows, 0.0)
    total, hits = weights.sum(axis=1, keepdims=True), on.sum(axis=1, keepdims=True)
    usual = np.where(total > 0, hits / np.where(total > 0, total, 1.0), np.nan)
    newest = np.where(known, recent, 0.0).sum(axis=1, keepdims=True)
    overall = np.where(newest > 0, now_on.sum(axis=1, keepdims=True) / np.where(newest > 0, newest, 1.0), np.nan)
    level = np.sum(on * sizes, axis=1, keepdims=True) / np.where(hits > 0, hits, 1.0)
    scaled = sizes / np.where(level > 0, level, 1.0)
    spread = np.sum(on * (scaled - 1) ** 2, axis=1, keepdims=True) / np.where(hits > 0, hits, 1.0)
    probability, factor, inner = usual, np.ones_like(usual), 1
    for season in usable:
        # Phases of the season before repeat within this one where it divides it; else they start from their mean.
        pick = np.arange(season) % inner if season % inner == 0 else np.zeros(season, dtype=np.int64)
        if season % inner:
            probability, factor = usual, np.ones_like(usual)
        probability, factor = probability[:, pick], factor[:, pick]
        noise = np.maximum(probability * (1 - probability), 1e-12)
        probability = np.clip(_shrunk(_by_phase(on, season), _by_phase(weights, season), probability, noise), 0.0, 1.0)
        factor = np.maximum(_shrunk(_by_phase(on * scaled, season), _by_phase(on, season), factor, spread), 0.05)
        inner = season
    # The level of now: the odds of every phase move as those of the whole did.
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = (overall / (1 - overall)) / (usual / (1 - usual))
        moved = np.where(np.isfinite(moved) & (moved > 0), moved, 1.0)
    probability = np.where(probability < 1, moved * probability / (1 + (moved - 1) * probability), probability)
    # A run of zeros at the end that these probabilities hardly allow: demand is rarer now, about once in such a run.
    run = np.where(
        demand.any(axis=1), known[:, ::-1].cumsum(axis=1)[np.arange(len(windows)), demand[:, ::-1].argmax(1)] - 1, 0
    )
    none = np.log1p(-np.minimum(overall[:, 0], 1 - 1e-12)) * run
    now = 1 / (run + 1.0)
    fall = np.where(
        (none < np.log(UNLIKELY)) & (overall[:, 0] > now), now / np.where(overall[:, 0] > 0, overall[:, 0], 1), 1.0
    )
    return probability * fall[:, None], factor, now_on, longest


def _mixture(
    windows: NDArray[np.float64], h: int, seasons: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Probability and size factor of the slices ahead, (B, h); sizes without factor and their weights, (B, L)."""
    probability, factor, weights, season = _phases(windows, seasons)
    ahead = np.arange(h) % season
    back = np.arange(-windows.shape[1], 0) % season
    plain = np.where(windows > 0, windows, 0.0) / factor[:, back]
    return probability[:, ahead], factor[:, ahead], plain, weights


def intermittent_quantiles(
    W: NDArray[np.float64],
    h: int,
    seasons: tuple[int, ...],
    levels: ArrayLike,
) -> NDArray[np.float64]:
    """Return quantiles of demand in every slice ahead, shape (B, h, Q): zero, or one of the sizes seen.

    The probability of demand and the size of a phase are recency-weighted shares and means of that phase of the season
    (short seasons first, long ones inside them), drawn together as far as their differences can be noise; the profile
    over a season remembers longer than its level. Sizes are the
    weighted empirical distribution of past sizes without their phase's factor. Whole numbers where all values are.

    Parameters
    ----------
    W : ndarray, shape (B, L)
        Right-aligned windows, NaN for unknown.
    h : int
        Slices ahead.
    seasons : tuple of int
        Seasons in slices; those with fewer than three repetitions in L are left out.
    levels : array_like, shape (Q,)
        Above 0 and below 1.

    Returns
    -------
    ndarray, shape (B, h, Q)
        NaN for series of which nothing is known; 0 throughout where there never was demand.

    Raises
    ------
    InputError
        If the shape, the horizon or a level is wrong.

    Examples
    --------
    >>> intermittent_quantiles(np.array([[0.0, 0.0, 3.0, 0.0] * 25]), 4, (4,), [0.5, 0.9])[0]
    array([[0., 0.],
           [0., 0.],
           [3., 3.],
           [0., 0.]])
    """
    _check(W, h)
    wanted = np.asarray(levels, dtype=np.float64)
    if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
        raise InputError(
            argument="levels", came=levels, allowed="numbers above 0 and below 1", try_instead="(0.1, 0.5, 0.9)"
        )
    probability, factor, plain, weights = _mixture(W, h, seasons)
    rows = len(W)
    order = np.argsort(np.where(weights > 0, plain, np.inf), axis=1, kind="stable")
    sizes = np.take_along_axis(plain, order, axis=1)
    share = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    total = share[:, -1:]
    share = share / np.where(total > 0, total, 1.0)
    p = np.where(np.isnan(probability), 0.0, probability)[:, :, None]
    inside = (wanted - (1 - p)) / np.where(p > 0, p, 1.0)
    # One search for all series: every row's shares lie in an interval of their own.
    lane = 2.0 * np.arange(rows)[:, None]
    asked = np.clip(inside.reshape(rows, -1), 0.0, 1.0) - 1e-12
    found = np.searchsorted((share + lane).ravel(), (asked + lane).ravel(), side="left").reshape(rows, -1)
    last = np.maximum((weights > 0).sum(axis=1, keepdims=True) - 1, 0)
    column = np.clip(found - W.shape[1] * np.arange(rows)[:, None], 0, last)
    size = np.take_along_axis(sizes, column, axis=1).reshape(inside.shape) * factor[:, :, None]
    broken = np.sum(np.floor(W) != W, axis=1, keepdims=True) - np.sum(np.isnan(W), axis=1, keepdims=True)
    size = np.where(broken[:, :, None] == 0, np.maximum(np.rint(size), 1.0), size)
    result = np.where((inside > 1e-12) & (p > 0) & (total[:, :, None] > 0), size, 0.0)
    unknown = np.sum(~np.isnan(W), axis=1, keepdims=True) == 0
    result = np.where(unknown[:, :, None], np.nan, result)
    return np.asarray(result, dtype=np.float64)


def intermittent_members(
    W: NDArray[np.float64],
    h: int,
    seasons: tuple[int, ...],
) -> dict[str, NDArray[np.float64]]:
    """Return point forecasts by name of the method, shape (B, h) each.

    ``tsb``, ``sba`` and ``hurdle_mean`` (probability of demand × mean size, by phase) are means, the right answer for
    squared errors and sums; ``hurdle_median`` is the median of `intermittent_quantiles`, the right one for absolute
    errors, and mostly 0.

    Examples
    --------
    >>> members = intermittent_members(np.array([[0.0, 0.0, 3.0, 0.0] * 25]), 4, (4,))
    >>> sorted(members), members["hurdle_mean"].round()
    (['hurdle_mean', 'hurdle_median', 'sba', 'tsb'], array([[0., 0., 3., 0.]]))
    """
    _check(W, h)
    probability, factor, plain, weights = _mixture(W, h, seasons)
    total = weights.sum(axis=1, keepdims=True)
    mean = np.sum(weights * plain, axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    return {
        "tsb": tsb(W, h),
        "sba": sba(W, h),
        "hurdle_mean": probability * factor * mean,
        "hurdle_median": intermittent_quantiles(W, h, seasons, (0.5,))[:, :, 0],
    }
