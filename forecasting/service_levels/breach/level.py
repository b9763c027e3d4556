"""The level of badness in the coming weeks: how far the recent level carries, learnt over the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.badness import DailyBadness

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_LIVES = (7.0, 10.0, 14.0, 21.0, 30.0, 45.0, 60.0, 90.0)
"""Candidate half-lives (days) of the recent level."""
_FIRST_ORIGIN = 42
_ORIGIN_STEP = 7
_ORIGIN_HALF_LIFE = 120.0
_PRIOR_EVENTS = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class LevelModel:
    """Where the level of badness of a group of services goes, per lead.

    On the log-odds scale: future level = long-run level + carry × (recent level − long-run level) + a shock common
    to the group + a shock of the service.
    """

    half_life_days: float
    """Half-life of the recent level; the one with the smallest past error."""
    span_days: int
    """Length of a lead in days: lead 0 covers the first `span_days` of the future, lead 1 the next ones."""
    carry: NDArray[np.float64]
    """Shape (leads,), 0 to 1, not rising."""
    common_sd: NDArray[np.float64]
    """Shape (leads,): standard deviation of the common shock beyond what the bootstrap itself varies."""
    own_sd: NDArray[np.float64]
    recent: NDArray[np.float64]
    """Shape (members,): log-odds of the recent level."""
    long_run: NDArray[np.float64]
    origins: int
    """Past origins it was learnt from; 0 = the recent level is carried fully, and the shock is the uncertainty of that
    level as the mean of the few days there are."""

    def goal(self, member: int) -> NDArray[np.float64]:
        """Return the expected log-odds of a member per lead, shape (leads,)."""
        away = float(self.recent[member] - self.long_run[member])
        return np.asarray(float(self.long_run[member]) + self.carry * away, dtype=np.float64)


def log_odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(p ÷ (1 − p)) with p kept inside [1e-9, 1 − 1e-9].

    Examples
    --------
    >>> log_odds(np.array([0.5, 0.0])).round(1)
    array([  0. , -20.7])
    """
    inside = np.clip(share, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)


def fit_level(members: Sequence[DailyBadness], *, span_days: int, leads: int, block_days: float) -> LevelModel:
    """Learn the level model of one group from its past, every origin judged on what followed it.

    Origins run weekly over history; at each one the recency-weighted level and the long-run level are set against
    the level of the following spans. What the block bootstrap itself varies over a span is taken off the error
    before it is called a shock.

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

    Examples
    --------
    >>> from datetime import date
    >>> from forecasting.terms.service_level import RatioIndicator
    >>> n = 200
    >>> total, known = np.full(n, 100.0), np.ones(n, dtype=bool)
    >>> steady = DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...     first_day=date(2027, 1, 1), bad=np.full(n, 5.0), total=total, known=known, slices_per_day=24.0)
    >>> level = fit_level([steady], span_days=28, leads=2, block_days=3.0)
    >>> (1 / (1 + np.exp(-level.goal(0)))).round(2)  # 5 % goes on as 5 %
    array([0.05, 0.05])
    """
    bad = np.stack([m.bad for m in members])
    total = np.stack([m.total for m in members])
    days = bad.shape[1]
    pooled = (bad.sum() + _PRIOR_EVENTS) / (total.sum() + 2 * _PRIOR_EVENTS)
    noise_common, noise_own = _bootstrap_noise(bad, total, pooled, span_days, block_days)
    best: tuple[float, LevelModel] | None = None
    for half_life in HALF_LIVES:
        recent, long_run = _levels(bad, total, days, half_life, pooled)
        fits = [_fit_lead(bad, total, pooled, half_life, span_days, lead) for lead in range(leads)]
        error = fits[0].variance if fits[0].origins else 0.0
        if not fits[0].origins:
            few = 1.0 + span_days / days  # taken off again below
            fits = [replace(fit, common=noise_common * few, own=noise_own * few) for fit in fits]
        carry = np.minimum.accumulate([f.carry for f in fits])
        model = LevelModel(
            half_life_days=half_life,
            span_days=span_days,
            carry=np.asarray(carry, dtype=np.float64),
            common_sd=np.sqrt(np.maximum.accumulate([max(f.common - noise_common, 0.0) for f in fits])),
            own_sd=np.sqrt(np.maximum.accumulate([max(f.own - noise_own, 0.0) for f in fits])),
            recent=recent,
            long_run=long_run,
            origins=fits[0].origins,
        )
        if best is None or error < best[0] or (error == best[0] and not fits[0].origins):
            best = (error, model)
    assert best is not None
    return best[1]


@dataclass(frozen=True, kw_only=True)
class _LeadFit:
    carry: float
    variance: float
    common: float
    own: float
    origins: int


def _levels(
    bad: NDArray[np.float64], total: NDArray[np.float64], origin: int, half_life: float, pooled: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return recent and long-run log-odds before `origin`, pulled to the pooled level by half an event."""
    weight = np.exp2(-(origin - np.arange(origin) - 0.5) / half_life)
    prior = _PRIOR_EVENTS / pooled
    recent = ((bad[:, :origin] * weight).sum(1) + _PRIOR_EVENTS) / ((total[:, :origin] * weight).sum(1) + prior)
    long_run = (bad[:, :origin].sum(1) + _PRIOR_EVENTS) / (total[:, :origin].sum(1) + prior)
    return log_odds(recent), log_odds(long_run)


def _fit_lead(
    bad: NDArray[np.float64], total: NDArray[np.float64], pooled: float, half_life: float, span: int, lead: int
) -> _LeadFit:
    """Regress the deviation of a later span on the recent deviation, over past origins."""
    days = bad.shape[1]
    origins = np.arange(_FIRST_ORIGIN, days - span * (lead + 1) + 1, _ORIGIN_STEP)
    while lead and len(origins) < 4:  # too short a past for this lead: the last one that can be judged
        lead -= 1
        origins = np.arange(_FIRST_ORIGIN, days - span * (lead + 1) + 1, _ORIGIN_STEP)
    if len(origins) < 4:
        return _LeadFit(carry=1.0, variance=0.0, common=0.0, own=0.0, origins=0)
    x, y = [], []
    prior = _PRIOR_EVENTS / pooled
    for origin in origins:
        recent, long_run = _levels(bad, total, int(origin), half_life, pooled)
        window = slice(int(origin) + span * lead, int(origin) + span * (lead + 1))
        later = (bad[:, window].sum(1) + _PRIOR_EVENTS) / (total[:, window].sum(1) + prior)
        x.append(recent - long_run)
        y.append(log_odds(later) - long_run)
    deviation, outcome = np.array(x), np.array(y)
    weight = np.exp2(-(origins[-1] - origins) / _ORIGIN_HALF_LIFE)[:, None]
    spread = float((weight * deviation**2).sum())
    carry = float(np.clip((weight * deviation * outcome).sum() / spread, 0.0, 1.0)) if spread > 0 else 0.0
    error = outcome - carry * deviation
    mass = float(weight.sum())
    variance = float((weight * error**2).sum()) / (mass * len(bad))
    # With one member nothing is common; with few origins the estimate itself is uncertain.
    common = float((weight[:, 0] * error.mean(axis=1) ** 2).sum()) / mass if len(bad) > 1 else 0.0
    independent = max((days - _FIRST_ORIGIN) / span, 2.0)
    inflate = 1.0 + 1.0 / independent
    return _LeadFit(
        carry=carry,
        variance=variance,
        common=common * inflate,
        own=max(variance - common, 0.0) * inflate,
        origins=len(origins),
    )


def _bootstrap_noise(
    bad: NDArray[np.float64], total: NDArray[np.float64], pooled: float, span: int, block_days: float
) -> tuple[float, float]:
    """Return the variance of a span's log-odds under the block bootstrap: common part and own part."""
    random = np.random.default_rng(20)
    days, draws = bad.shape[1], 200
    blocks = max(1, round(span / block_days))
    starts = random.integers(0, days, (draws, blocks))
    index = (starts[:, :, None] + np.arange(max(1, round(span / blocks)))).reshape(draws, -1) % days
    prior = _PRIOR_EVENTS / pooled
    level = log_odds((bad[:, index].sum(2) + _PRIOR_EVENTS) / (total[:, index].sum(2) + prior))
    common = float(level.mean(axis=0).var()) if len(bad) > 1 else 0.0
    return common, max(float(level.var(axis=1).mean()) - common, 0.0)
