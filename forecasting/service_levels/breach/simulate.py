"""Bad events on sample paths of the coming days: worlds × level × load."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.badness import DailyBadness
from forecasting.service_levels.breach.level import LevelModel, log_odds

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_DAYS = 365
"""Known days from which on a service's own history can have its full weight."""
OWN_BAD_DAYS = 5.0
"""Own bad days at which half of the paths take their days from the service's own history, the others from its group."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BadPaths:
    """Bad and total events of one indicator on sample paths of coming local days."""

    service: str
    first_day: date
    """Local date of column 0 (the day of the cut-off; only its rest is in it)."""
    bad: NDArray[np.float64]
    """Shape (n_paths, days)."""
    total: NDArray[np.float64]
    """Shape (n_paths, days)."""
    own_share: float
    """Weight of the service's own history, 0 to 1."""
    usual: float
    """Share of bad on the median known day of history, 0 to 1."""
    odds_factor: NDArray[np.float64] | None = None
    """Shape (n_paths, days): factor on the odds of bad from the load of the path, not yet applied to `bad`."""
    starts: NDArray[np.int64] | None = None
    """Where columns are no days but longer slices: their starts, microseconds UTC, shape (columns,)."""

    @property
    def loaded(self) -> NDArray[np.float64]:
        """Bad events with the effect of the load, shape (n_paths, days)."""
        return self.bad if self.odds_factor is None else load_bad(self.bad, self.total, self.odds_factor)


def stable_seed(seed: int, *names: str) -> int:
    """Return a seed that depends on names, not on order or process.

    Examples
    --------
    >>> stable_seed(1, "a") == stable_seed(1, "a"), stable_seed(1, "a") == stable_seed(1, "b")
    (True, False)
    """
    digest = hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def scale_odds(share: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply the odds of shares: 0 stays 0, 1 stays 1, everything stays inside.

    Examples
    --------
    >>> scale_odds(np.array([0.0, 0.5, 1.0]), np.array([3.0, 3.0, 3.0]))
    array([0.  , 0.75, 1.  ])
    """
    whole = 1.0 - share + share * factor
    return np.divide(share * factor, whole, out=np.ones_like(whole), where=whole > 0)


def load_bad(bad: NDArray[np.float64], total: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bad events whose odds are multiplied.

    Examples
    --------
    >>> load_bad(np.array([[5.0]]), np.array([[10.0]]), np.array([[3.0]]))
    array([[7.5]])
    """
    share = np.divide(bad, total, out=np.zeros_like(bad), where=total > 0)
    return np.asarray(scale_odds(share, factor) * total, dtype=np.float64)


def own_weight(member: DailyBadness) -> float:
    """Return on which share of the paths a service's own days stand for those to come, 0 to 1.

    Days of other services come in where its own past is short or has few bad days (outages) to draw from; else its own
    days do, so that it is bad together with other services as often as it was.

    Examples
    --------
    >>> from forecasting.terms.service_level import RatioIndicator
    >>> total, known = np.full(365, 100.0), np.ones(365, dtype=bool)
    >>> one_outage = DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...     first_day=date(2027, 1, 1), bad=np.eye(1, 365)[0] * 50, total=total, known=known, slices_per_day=24.0)
    >>> round(own_weight(one_outage), 3)  # 1 ÷ (1 + 5)
    0.167
    """
    squares = float((member.bad**2).sum())
    # Days that carry the bad events: n where all carry the same, 1 where one day carries them all.
    carried = float(member.bad.sum()) ** 2 / squares if squares > 0 else 0.0
    return min(int(member.known.sum()) / FULL_DAYS, 1.0) * carried / (carried + OWN_BAD_DAYS)


def simulate_badness(
    group: Sequence[DailyBadness],
    member: int,
    level: LevelModel,
    *,
    worlds: NDArray[np.int64],
    totals: NDArray[np.float64],
    first_day: date,
    first_day_share: float,
    half_life_days: float,
    seed: int,
    odds_factor: NDArray[np.float64] | None = None,
) -> BadPaths:
    """Simulate one member of a group.

    Parameters
    ----------
    group : sequence of DailyBadness
        On one axis that ends the day before `first_day`.
    member : int
        Index of the service in the group.
    level : LevelModel
        Of the group.
    worlds : ndarray, shape (n_paths, days)
        Source days, common to all services.
    totals : ndarray, shape (n_paths, days)
        Total events of each coming day; path i is world i.
    first_day : date
    first_day_share : float
        Share of the first day that is still to come, above 0 and at most 1.
    half_life_days : float
        Of the weights with which the worlds were drawn.
    seed : int
    odds_factor : ndarray or None, shape (n_paths, days)
        Factor on the odds of bad from the load, 1 = as on the source day; kept beside `bad`, see `BadPaths.loaded`.

    Examples
    --------
    >>> from forecasting.service_levels.breach.level import fit_level
    >>> from forecasting.terms.service_level import RatioIndicator
    >>> n = 200
    >>> total, known = np.full(n, 100.0), np.ones(n, dtype=bool)
    >>> steady = DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...     first_day=date(2027, 1, 1), bad=np.full(n, 5.0), total=total, known=known, slices_per_day=24.0)
    >>> level = fit_level([steady], span_days=28, leads=1, block_days=3.0)
    >>> paths = simulate_badness([steady], 0, level, worlds=np.zeros((3, 2), dtype=np.int64),
    ...     totals=np.full((3, 2), 1000.0), first_day=date(2027, 7, 20), first_day_share=0.5,
    ...     half_life_days=60.0, seed=1)
    >>> paths.bad.mean(axis=0).round()
    array([25., 50.])
    """
    paths, days = worlds.shape
    own = group[member]
    common = np.random.default_rng(stable_seed(seed, "level", own.group)).standard_normal((paths,))
    random = np.random.default_rng(stable_seed(seed, "own", own.group, own.service))
    shock = random.standard_normal((paths,))
    own_share = own_weight(own) if len(group) > 1 else 1.0
    # By name, so that the draws do not depend on the order of the group.
    by_name = sorted(range(len(group)), key=lambda k: group[k].service)
    peers = np.array([k for k in by_name if k != member] or [member])
    source = np.where(random.random(paths) < own_share, member, peers[random.integers(0, len(peers), paths)])

    ratios = np.stack([m.filled_ratio for m in group])
    age = own.days - np.arange(own.days) - 0.5
    weight = np.exp2(-age / half_life_days)
    mean_level: NDArray[np.float64] = log_odds(
        np.array([(weight * m.bad).sum() / max(float((weight * m.total).sum()), 1e-300) for m in group])
    )
    lead = np.minimum(np.arange(days) // level.span_days, len(level.carry) - 1)
    shift = (
        level.goal(member)[lead][None, :]
        - mean_level[source][:, None]
        + _mean_one(common, level.common_sd[lead])
        + _mean_one(shock, level.own_sd[lead])
    )
    factor = np.exp(np.clip(shift, -20.0, 20.0))
    share = scale_odds(ratios[source[:, None], worlds], factor)
    total = totals.astype(np.float64, copy=True)
    total[:, 0] *= first_day_share
    known = own.ratio[own.known]
    return BadPaths(
        service=own.service,
        first_day=first_day,
        bad=share * total,
        total=total,
        own_share=own_share,
        usual=float(np.median(known)) if len(known) else 0.0,
        odds_factor=odds_factor,
    )


def _mean_one(draws: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm of lognormal factors of mean 1, shape (n_paths, days)."""
    return np.asarray(draws[:, None] * spread[None, :] - spread[None, :] ** 2 / 2, dtype=np.float64)
