"""The level of badness in the coming weeks: how far the recent level carries, learnt over the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.badness import DailyBadness

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_LIVES = (7.0, 10.0, 14.0, 21.0, 30.0, 45.0, 60.0, 90.0)
"""Candidate half-lives (days) of the recent level."""
FIRST_ORIGIN = 42
"""Days of history before the first origin that is judged."""
_ORIGIN_STEP = 7
_MOST_ORIGINS = 104
_ORIGIN_HALF_LIFE = 120.0
_FEWEST_ORIGINS = 4
_NOISE_FLOOR = 0.01
_LARGEST_RATIO = 20.0


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelModel:
    """Where the level of badness of a group of services goes, per lead.

    The level is the odds of a bad event relative to the service's long-run odds: future ÷ long run = 1 + carry ×
    (recent ÷ long run − 1), times a shock common to the group, times a shock of the service.
    """

    half_life_days: float
    """Half-life of the recent level; the one with the smallest past error."""
    span_days: int
    """Length of a lead in days: lead 0 covers the first `span_days` of the future, lead 1 the next ones."""
    carry: NDArray[np.float64]
    """Shape (leads,), 0 to 1, not rising."""
    common_sd: NDArray[np.float64]
    """Shape (leads,): standard deviation of the log of the common shock, beyond what the bootstrap itself varies."""
    own_sd: NDArray[np.float64]
    recent: NDArray[np.float64]
    """Shape (members,): log-odds of the recent level."""
    long_run: NDArray[np.float64]
    origins: int
    """Past origins it was learnt from; 0 = no shock could be learnt and the long-run level is taken."""

    def goal(self, member: int) -> NDArray[np.float64]:
        """Return the expected log-odds of a member per lead, shape (leads,)."""
        base = float(self.long_run[member])
        ratio = float(np.exp(np.clip(self.recent[member] - base, -30.0, np.log(_LARGEST_RATIO))))
        return np.asarray(base + np.log(np.maximum(1.0 + self.carry * (ratio - 1.0), 1e-3)), dtype=np.float64)


def log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p ÷ (1 − p)) with p kept inside [1e-9, 1 − 1e-9]."""
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)


def fit_level(members: Sequence[DailyBadness], *, span_days: int, leads: int, block_days: float) -> LevelModel:
    """Learn the level model of one group from its past, every origin judged on what followed it.

    Origins run weekly over history; at each one the recency-weighted level, relative to the long-run level of then,
    is set against that of the following spans. Services whose spans vary much by chance alone (rare outages) weigh
    little. What the block bootstrap itself varies over a span is taken off the error before it is called a shock.

    Parameters
    ----------
    members : sequence of DailyBadness
        The group, on one axis.
    span_days : int
        Days in a lead, 5 to 31.
    leads : int
        Number of leads, at least 1.
    block_days : float
        Mean block length of the bootstrap.
    """
    bad = np.stack([m.bad for m in members])
    total = np.stack([m.total for m in members])
    noise, noise_common = _bootstrap_noise(bad, total, span_days, block_days)
    past = _Past.of(bad, total)
    best: tuple[float, LevelModel] | None = None
    for half_life in HALF_LIVES:
        recent = past.recent_odds(half_life)
        fits = [_fit_lead(past, recent, span_days, lead, noise, noise_common) for lead in range(leads)]
        model = LevelModel(
            half_life_days=half_life,
            span_days=span_days,
            carry=np.minimum.accumulate([f.carry for f in fits]),
            common_sd=_log_sd(np.maximum.accumulate([f.common for f in fits])),
            own_sd=_log_sd(np.maximum.accumulate([f.own for f in fits])),
            recent=np.log(np.maximum(recent[:, -1], 1e-9)),
            long_run=np.log(np.maximum(past.long_run_odds[:, -1], 1e-9)),
            origins=fits[0].origins,
        )
        if best is None or fits[0].error < best[0]:
            best = (fits[0].error, model)
    assert best is not None
    return best[1]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Past:
    """Cumulative counts: column t holds what happened before day t."""

    bad: NDArray[np.float64]
    total: NDArray[np.float64]
    cumulative_bad: NDArray[np.float64]
    cumulative_total: NDArray[np.float64]
    long_run_odds: NDArray[np.float64]

    @classmethod
    def of(cls, bad: NDArray[np.float64], total: NDArray[np.float64]) -> _Past:
        zero = np.zeros((len(bad), 1))
        sums = [np.concatenate((zero, np.cumsum(x, axis=1)), axis=1) for x in (bad, total)]
        return cls(
            bad=bad,
            total=total,
            cumulative_bad=sums[0],
            cumulative_total=sums[1],
            long_run_odds=_odds(sums[0], sums[1]),
        )

    def recent_odds(self, half_life: float) -> NDArray[np.float64]:
        """Return the recency-weighted odds before each day, shape (members, days + 1)."""
        from scipy.signal import lfilter

        decay = 2.0 ** (-1.0 / half_life)
        zero = np.zeros((len(self.bad), 1))
        bad, total = (
            np.concatenate((zero, lfilter([1.0], [1.0, -decay], x, axis=1)), axis=1) for x in (self.bad, self.total)
        )
        return _odds(bad, total)

    def span_odds(self, start: NDArray[np.int64], span: int) -> NDArray[np.float64]:
        """Return the odds over [start, start + span), shape (members, starts)."""
        bad = self.cumulative_bad[:, start + span] - self.cumulative_bad[:, start]
        total = self.cumulative_total[:, start + span] - self.cumulative_total[:, start]
        return _odds(bad, total)


def _odds(bad: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bad ÷ good, at most 1e9; 0 without traffic."""
    good = np.maximum(total - bad, 0.0)
    # Weights of the distant past shrink to nothing: what is less than a billionth of an event is none.
    return np.divide(bad, np.maximum(good, bad * 1e-9), out=np.zeros_like(bad), where=total > 1e-9)


@dataclass(frozen=True, kw_only=True)
class _LeadFit:
    carry: float
    error: float
    common: float
    own: float
    origins: int


_NOTHING = _LeadFit(carry=0.0, error=0.0, common=0.0, own=0.0, origins=0)


def _fit_lead(
    past: _Past,
    recent: NDArray[np.float64],
    span: int,
    lead: int,
    noise: NDArray[np.float64],
    noise_common: float,
) -> _LeadFit:
    """Regress the relative level of a later span on the recent relative level, over past origins."""
    days = past.bad.shape[1]
    while lead and days - span * (lead + 1) - FIRST_ORIGIN < _ORIGIN_STEP * (_FEWEST_ORIGINS - 1):
        lead -= 1  # too short a past for this lead: the last one that can be judged
    origins = np.arange(days - span * (lead + 1), FIRST_ORIGIN - 1, -_ORIGIN_STEP)[:_MOST_ORIGINS]
    if len(origins) < _FEWEST_ORIGINS:
        return _NOTHING
    base = past.long_run_odds[:, origins]
    usable = base > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(usable, np.minimum(recent[:, origins] / base, _LARGEST_RATIO) - 1.0, 0.0)
        later = past.span_odds(origins + span * lead, span)
        y = np.where(usable, np.minimum(later / base, _LARGEST_RATIO) - 1.0, 0.0)
    age = (origins[0] - origins) / _ORIGIN_HALF_LIFE
    weight = usable * np.exp2(-age)[None, :] / (noise + _NOISE_FLOOR)[:, None]
    spread = float((weight * x * x).sum())
    carry = float(np.clip((weight * x * y).sum() / spread, 0.0, 1.0)) if spread > 0 else 0.0
    spans = max((days - FIRST_ORIGIN) / span, 2.0)
    carry *= _trust(weight, x, y - carry * x, carry, spans)
    error = y - carry * x
    mass = float(weight.sum())
    if mass <= 0:
        return _NOTHING
    mean_error = float((weight * error**2).sum()) / mass
    # In units of the whole history's level: the base of an early origin may have missed every outage so far.
    missed = error * base / np.maximum(past.long_run_odds[:, -1:], 1e-300)
    excess = _reliable(weight, missed**2 - noise[:, None], spans)
    # With one member nothing is common; few independent spans make the estimate itself uncertain.
    column = weight.sum(axis=0)
    by_origin = np.divide((weight * missed).sum(axis=0), column, out=np.zeros_like(column), where=column > 0)
    common = float((column * by_origin**2).sum()) / mass - noise_common if len(past.bad) > 1 else 0.0
    # The mean of services that move by themselves moves too: the fewer they are, the more.
    share = _alone(weight)
    common = (common - share * max(excess, 0.0)) / (1.0 - share) if share < 1 else 0.0
    common = float(np.clip(common, 0.0, max(excess, 0.0)))
    inflate = 1.0 + 1.0 / spans
    return _LeadFit(
        carry=carry,
        error=mean_error,
        common=common * inflate,
        own=max(excess - common, 0.0) * inflate,
        origins=len(origins),
    )


def _alone(weight: NDArray[np.float64]) -> float:
    """Return the variance of the weighted mean of independent errors ÷ that of one: 1 ÷ members of equal weight."""
    column = weight.sum(axis=0)
    squares = np.divide((weight**2).sum(axis=0), column**2, out=np.zeros_like(column), where=column > 0)
    return float((column * squares).sum() / column.sum())


def _trust(
    weight: NDArray[np.float64], x: NDArray[np.float64], error: NDArray[np.float64], carry: float, spans: float
) -> float:
    """Return how much of an estimated carry to keep, 0 to 1: carry² ÷ (carry² + its squared standard error).

    Overlapping origins count as `spans` independent ones, and services as far as their errors are not common (design
    effect, Kish 1965).
    """
    column, mass = weight.sum(axis=0), float(weight.sum())
    total = float((weight * error**2).sum()) / mass if mass > 0 else 0.0
    spread = float((weight * x * x).sum()) / mass if mass > 0 else 0.0
    if carry <= 0 or total <= 0 or spread <= 0:
        return 1.0 if total <= 0 else 0.0
    mean = np.divide((weight * error).sum(axis=0), column, out=np.zeros_like(column), where=column > 0)
    common = float((column * mean**2).sum()) / mass / total
    members = len(weight)
    independent = spans * members / (1.0 + (members - 1) * common)
    return carry**2 / (carry**2 + total / (spread * independent))


def _reliable(weight: NDArray[np.float64], surplus: NDArray[np.float64], spans: float) -> float:
    """Return the mean surplus of squared error over noise, drawn to 0 by its own error (positive-part James-Stein).

    Origins overlap, so that only `spans` of them count; a heavy-tailed history (rare outages) has a few large squares
    and a large error, a shifting level has a surplus at most origins.
    """
    column = weight.sum(axis=0)
    by_origin = np.divide((weight * surplus).sum(axis=0), column, out=np.zeros_like(column), where=column > 0)
    mean = float((column * by_origin).sum() / column.sum())
    if mean <= 0:
        return 0.0
    spread = float((column * (by_origin - mean) ** 2).sum() / column.sum())
    return mean * max(0.0, 1.0 - spread / max(spans, 1.0) / mean**2)


def _log_sd(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of the log of a shock whose relative variance is given."""
    return np.asarray(np.sqrt(np.log1p(np.maximum(variance, 0.0))), dtype=np.float64)


def _bootstrap_noise(
    bad: NDArray[np.float64], total: NDArray[np.float64], span: int, block_days: float
) -> tuple[NDArray[np.float64], float]:
    """Return the relative variance of a span's odds under the block bootstrap: of each member, and the common part."""
    random = np.random.default_rng(20)
    days, draws = bad.shape[1], 200
    blocks = max(1, round(span / block_days))
    starts = random.integers(0, days, (draws, blocks))
    index = (starts[:, :, None] + np.arange(max(1, round(span / blocks)))).reshape(draws, -1) % days
    odds = _odds(bad[:, index].sum(2), total[:, index].sum(2))
    mean = odds.mean(axis=1, keepdims=True)
    relative = np.divide(np.minimum(odds, _LARGEST_RATIO * mean), mean, out=np.ones_like(odds), where=mean > 0)
    noise = relative.var(axis=1)
    weight = 1.0 / (noise + _NOISE_FLOOR)
    common = float(((weight[:, None] * relative).sum(axis=0) / weight.sum()).var()) if len(bad) > 1 else 0.0
    return noise, common
