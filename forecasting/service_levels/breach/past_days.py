"""The share of bad of a coming span by resampling past slices, own and of the group, as they were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.shares import ShareHistory, Span

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN_SHARE = 0.8
"""Largest weight of a service's own history; the rest comes from its group."""
_GROUP_DRAWS = 6000


@dataclass(frozen=True, kw_only=True, eq=False)
class ResampledShares:
    """Shares of bad on resampled spans."""

    own: NDArray[np.float64]
    """Shape (members, draws), sorted."""
    group: NDArray[np.float64]
    """Shares of all members together, sorted."""
    own_weight: NDArray[np.float64]
    """Shape (members,)."""

    def exceed(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(share of bad of the span > `share`), shape (members, n) as `share`."""
        edge = share * (1.0 + 1e-12)
        draws = self.own.shape[1]
        own = 1.0 - np.stack([np.searchsorted(o, e, side="right") for o, e in zip(self.own, edge, strict=True)]) / draws
        group = 1.0 - np.searchsorted(self.group, edge, side="right") / len(self.group)
        weight = self.own_weight[:, None]
        mixed = weight * own + (1.0 - weight) * group
        return np.asarray(np.where(share < 0, 1.0, np.where(share >= 1, 0.0, mixed)), dtype=np.float64)


def resample_shares(history: ShareHistory, span: Span, *, draws: int, seed: int) -> ResampledShares:
    """Resample spans in blocks, the same slices for every member, and weigh their shares by the expected traffic.

    Parameters
    ----------
    history : ShareHistory
        A slice that is not known has the member's mean share.
    span : Span
    draws : int
        Resampled spans.
    seed : int

    References
    ----------
    Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17 (1989).

    Examples
    --------
    >>> total = np.full((1, 60), 10.0)
    >>> past = ShareHistory(bad=np.ones((1, 60)), total=total, known=total > 0, year=364, week=7, block=3, full=365)
    >>> resample_shares(past, Span(elapsed=0, gap=0, length=28), draws=98, seed=1).exceed(np.array([[0.05, 0.2]]))
    array([[1., 0.]])
    """
    random = np.random.default_rng([seed, history.slices, span.length])
    has = history.known & (history.total > 0)
    mean = history.bad.sum(axis=1) / np.maximum(history.total.sum(axis=1), 1e-9)
    ratio = np.where(has, history.bad / np.where(has, history.total, 1.0), mean[:, None])
    block = min(history.block, history.slices)
    starts = random.integers(0, history.slices, (draws, -(-span.length // block)))
    index = np.minimum(starts[:, :, None] + np.arange(block), history.slices - 1).reshape(draws, -1)[:, : span.length]
    coming = history.coming(span)
    weight = coming / np.maximum(coming.sum(axis=1, keepdims=True), 1e-9)
    shares = np.stack([ratio[k][index] @ weight[k] for k in range(history.members)])
    began = np.where(has.any(axis=1), has.argmax(axis=1), history.slices)
    own = np.minimum((history.slices - began) / history.full, 1.0)
    few = max(20, _GROUP_DRAWS // history.members)
    return ResampledShares(
        own=np.sort(shares, axis=1),
        group=np.sort(shares[:, :few].ravel()),
        own_weight=OWN_SHARE * own if history.members > 1 else np.ones(1),
    )
