"""The share of bad of a coming span from how often slices are bad of late, and how bad they then are.

A discrete form of a marked point process: the rate moves with what happened at several time scales (self-exciting),
the marks are past bad slices, own ones and those of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.shares import KNOWN_SHARE, ShareHistory, Span, fading

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_LIVES = (0.25, 1.0, 3.0, 9.0)
"""Half-lives of the recent frequencies, in lengths of the window."""
MEMORY = 6.0
"""Age of an origin, in lengths of the window, at which it counts half."""
OWN_MARKS = 15.0
"""Own bad slices at which half of the marks are drawn from them, the other half from the group."""
_OF_GROUP = slice(1, 3)
"""Half-lives whose group mean is an input too."""
_WEAK = 1.0
"""Slices of the long-run frequency that every recent frequency holds."""
_BURST = 3.0
"""Variance of counts beyond that of independent slices, for telling differences between services from chance."""
_FEWEST_OWN, _MOST_OWN = 2.0, 400.0
"""Bounds of the number of slices with which the group's frequency counts beside a service's own."""
_PENALTY = 2.0
_MOST_ORIGINS, _STRIDES, _FEWEST_ORIGINS = 160, 8, 4
_STEADY, _WILD = 0.02, 5.0
"""Bounds of the squared coefficient of variation of the rate."""
_UNKNOWN_VARIATION = 0.5
_RARE = 1e-5
_SUPPORT = 65


@dataclass(frozen=True, kw_only=True, eq=False)
class BadSliceRate:
    """How often slices of a span will be bad."""

    mean: NDArray[np.float64]
    """Shape (members,): expected share of the span's slices, 0 to 1."""
    variation: float
    """Squared coefficient of variation of the rate from span to span (gamma distributed)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnShares:
    """Shares of bad on drawn spans."""

    own: NDArray[np.float64]
    """Shape (members, draws), sorted."""

    def exceed(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(share of bad of the span > `share`), shape (members, n) as `share`; it never rises with `share`."""
        draws = self.own.shape[1]
        edge = share * (1.0 + 1e-12)
        below = np.stack([np.searchsorted(o, e, side="right") for o, e in zip(self.own, edge, strict=True)])
        said = 1.0 - below / draws
        return np.asarray(np.where(share < 0, 1.0, np.where(share >= 1, 0.0, said)), dtype=np.float64)

    def support(self) -> NDArray[np.float64]:
        """Return shares between which the distribution may be taken as straight, shape (members, points)."""
        at = np.linspace(0, self.own.shape[1] - 1, _SUPPORT).round().astype(np.int64)
        return self.own[:, at]


def draw_bad_slices(history: ShareHistory, span: Span, *, draws: int, seed: int) -> DrawnShares:
    """Draw spans of bad slices, as often as they are expected and as bad as they were, between ordinary ones.

    A slice is bad whose share is above the service's long-run share and that of the group: of services whose bad
    events come in outages, the outages; of services that are always somewhat bad, their worse slices.

    Parameters
    ----------
    history : ShareHistory
    span : Span
    draws : int
        Drawn spans, the same random numbers for every member.
    seed : int

    References
    ----------
    Hawkes, Spectra of some self-exciting and mutually exciting point processes, Biometrika 58 (1971) 83-90.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> total = np.full((1, 700), 1000.0)
    >>> out = random.random((1, 700)) < 0.02  # an outage on one day in fifty, a tenth of the day's events lost
    >>> past = ShareHistory(bad=np.where(out, 100.0, 1.0), total=total, known=total > 0, year=364, week=7, block=3,
    ...                     full=365)
    >>> made = draw_bad_slices(past, Span(elapsed=0, gap=0, length=30), draws=1000, seed=1)
    >>> none, two = made.exceed(np.array([[0.002, 0.0060]]))[0].tolist()
    >>> 0.3 < none < 0.6, 0.05 < two < 0.25
    (True, True)
    """
    random = np.random.default_rng([seed, history.slices, span.length, 7])
    has = history.known & (history.total > 0)
    mean = history.bad.sum(axis=1) / np.maximum(history.total.sum(axis=1), 1e-9)
    counted = has.any(axis=1)
    usual = float(mean[counted].mean()) if counted.any() else 0.0
    share = np.where(has, history.bad / np.where(has, history.total, 1.0), 0.0)
    bad = has & (share > np.maximum(mean, usual)[:, None] * (1.0 + 1e-12))
    rate = bad_slice_rate(bad, has, history, span)
    # One gamma level of the rate for each drawn span, at even probabilities so that few draws suffice.
    levels = _gamma_levels(rate.variation, draws)[random.permutation(draws)]
    hit, which, mark, ordinary = (random.random((draws, span.length)) for _ in range(4))
    whose = random.random((draws, 1))
    group = np.sort(share[bad])
    coming = history.coming(span)
    weight = coming / np.maximum(coming.sum(axis=1, keepdims=True), 1e-9)
    found = np.empty((history.members, draws))
    for k in range(history.members):
        chance = np.minimum(rate.mean[k] * levels, 1.0)[:, None]
        own, good = share[k][bad[k]], share[k][has[k] & ~bad[k]]
        marks = _pick(group, mark)
        if len(own):
            from_own = whose < (len(own) / (len(own) + OWN_MARKS) if history.members > 1 else 1.0)
            marks = np.where(from_own, _pick(own, which), marks)
        rest = _pick(good, ordinary) if len(good) else np.full_like(mark, mean[k])
        found[k] = np.where(hit < chance, marks, rest) @ weight[k]
    return DrawnShares(own=np.sort(found, axis=1))


def _pick(values: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values drawn with uniform numbers; 0 where there are none."""
    if not len(values):
        return np.zeros_like(uniform)
    return np.asarray(values[(uniform * len(values)).astype(np.int64)], dtype=np.float64)


def _gamma_levels(variation: float, draws: int) -> NDArray[np.float64]:
    """Return levels of mean 1 at even probabilities."""
    from scipy.special import gammaincinv

    made = gammaincinv(1.0 / variation, (np.arange(draws) + 0.5) / draws) * variation
    return np.asarray(made / made.mean(), dtype=np.float64)


def bad_slice_rate(bad: NDArray[np.bool_], known: NDArray[np.bool_], history: ShareHistory, span: Span) -> BadSliceRate:
    """Learn how often slices of a span are bad from every past origin of all members together.

    The frequency of a span is the service's long-run frequency, drawn to the group's as far as services do not differ
    by more than chance (empirical Bayes), plus weights that are not negative and sum to at most one on how far recent
    frequencies, own and of the group, are from it.

    Parameters
    ----------
    bad, known : ndarray of bool, shape (members, slices)
    history : ShareHistory
    span : Span

    References
    ----------
    Robbins, An empirical Bayes approach to statistics, Proc. Third Berkeley Symposium (1956) 157-163.
    """
    z = bad.astype(np.float64)
    zero = np.zeros((len(z), 1))
    seen, there = (np.concatenate((zero, np.cumsum(x, axis=1)), axis=1) for x in (z, known.astype(np.float64)))
    now, window = z.shape[1], span.window
    ahead = span.gap + span.length
    group = (seen[:, -1].sum() + 0.5) / (there[:, -1].sum() + 1.0)
    prior = _prior_slices(seen[:, -1], there[:, -1], float(group))
    recent = [(fading(z, h * window), fading(known.astype(np.float64), h * window)) for h in HALF_LIVES]

    def inputs(at: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        long_run = (seen[:, at] + prior * group) / (there[:, at] + prior)
        own = [(a[:, at] + _WEAK * long_run) / (b[:, at] + _WEAK) - long_run for a, b in recent]
        common = [np.broadcast_to(x.mean(axis=0), x.shape) for x in own[_OF_GROUP]]
        return np.stack([*own, *common], axis=-1), long_run

    newest, long_run_now = inputs(np.array([now]))
    stride = max(1, window // _STRIDES)
    origins = np.arange(now - ahead, max(2, min(2 * window, now // 4)), -stride)[:_MOST_ORIGINS]
    unlearnt = BadSliceRate(mean=np.clip(long_run_now[:, 0], _RARE, 1.0 - _RARE), variation=_UNKNOWN_VARIATION)
    if len(origins) < _FEWEST_ORIGINS:
        return unlearnt
    x, long_run = inputs(origins)
    days = there[:, origins + ahead] - there[:, origins + span.gap]
    later = np.divide(
        seen[:, origins + ahead] - seen[:, origins + span.gap], days, out=np.zeros_like(days), where=days > 0
    )
    enough = (days >= KNOWN_SHARE * span.length * history.usual[:, None]) & (
        there[:, origins] >= (14 if history.week > 1 else 6)
    )
    faded = enough * 0.5 ** ((origins[0] - origins) / (MEMORY * window))[None, :]
    if faded.sum() <= 0:
        return unlearnt
    weight = faded / (long_run * (1.0 - long_run) + 0.02)
    spans = len(origins) * stride / max(span.length, stride)
    beta = _bounded(x, later - long_run, weight, independent=max(4.0, spans * np.sqrt(len(z))))
    expected = np.clip(long_run + x @ beta, _RARE, 1.0 - _RARE)
    beyond = ((later - expected) * span.length) ** 2 - expected * (1.0 - expected) * span.length
    variation = float((faded * beyond).sum() / max(float((faded * (expected * span.length) ** 2).sum()), 1e-9))
    return BadSliceRate(
        mean=np.clip(long_run_now[:, 0] + (newest @ beta)[:, 0], _RARE, 1.0 - _RARE),
        variation=float(np.clip(variation, _STEADY, _WILD)),
    )


def _prior_slices(seen: NDArray[np.float64], there: NDArray[np.float64], group: float) -> float:
    """Return how many slices the group's frequency counts beside a service's own: few where services differ."""
    slices = max(float(there.sum()), 1.0)
    rate = np.where(there > 0, seen / np.maximum(there, 1.0), group)
    chance = _BURST * group * (1.0 - group)
    between = float(((rate - group) ** 2 * there).sum()) / slices - chance * len(seen) / slices
    return float(np.clip(chance / max(between, 1e-4 * group**2), _FEWEST_OWN, _MOST_OWN))


def _bounded(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], *, independent: float
) -> NDArray[np.float64]:
    """Return weights of inputs that are not negative and sum to at most 1."""
    from scipy.optimize import nnls

    rows, w = x.reshape(-1, x.shape[-1]), weight.ravel() / weight.sum()
    gram = (rows * w[:, None]).T @ rows
    moment = (rows * w[:, None]).T @ y.ravel()
    size = np.diag(gram) + 1e-12
    root = np.linalg.cholesky(gram + np.diag(size * (_PENALTY / independent) + 1e-12))
    beta = nnls(root.T, np.linalg.solve(root, moment))[0]
    return np.asarray(beta / max(1.0, float(beta.sum())), dtype=np.float64)
