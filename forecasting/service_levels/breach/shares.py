"""What the share of bad events is forecast from: counts per slice of a whole group, and the question asked of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_EVENT = 0.5
"""Added to bad and to good events before their log-odds are taken, so that no event has finite odds."""


KNOWN_SHARE = 0.8
"""Share of the slices usually known that a past span must have to teach anything."""
_SHORTEST = 0.7
"""Shortest half-life, in slices."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A window as it stands at the cut-off, in slices of the history."""

    elapsed: int
    """Slices of the window that lie before the cut-off."""
    gap: int
    """Slices between the cut-off and the window's start; 0 once it has begun."""
    length: int
    """Slices of the window that are still to come, at least 1."""

    @property
    def window(self) -> int:
        """Length of the whole window in slices."""
        return self.elapsed + self.length


@dataclass(frozen=True, kw_only=True, eq=False)
class ShareHistory:
    """Bad and total events per slice of every member of a group, up to a cut-off."""

    bad: NDArray[np.float64]
    """Shape (members, slices); 0 where not known."""
    total: NDArray[np.float64]
    known: NDArray[np.bool_]
    year: int
    """Slices after which the same time of year comes again, a whole number of weeks for days (364, 52, 12)."""
    week: int
    """Slices after which the same day of the week comes again; 1 where slices are no days."""
    block: int
    """Slices that are resampled together."""
    full: int
    """Slices of own history from which on it gets its largest weight against the group's."""
    whole: ShareHistory | None = None
    """The history that this is the beginning of: running sums of it serve here too."""
    _faded: dict[float, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict, repr=False)

    @property
    def members(self) -> int:
        """Number of services."""
        return int(self.bad.shape[0])

    @property
    def slices(self) -> int:
        """Number of slices before the cut-off."""
        return int(self.bad.shape[1])

    def until(self, slices: int) -> ShareHistory:
        """Return what was known after the first `slices` slices."""
        return ShareHistory(
            bad=self.bad[:, :slices], total=self.total[:, :slices], known=self.known[:, :slices],
            year=self.year, week=self.week, block=self.block, full=self.full, whole=self.whole or self,
        )  # fmt: skip

    def of(self, members: NDArray[np.int64]) -> ShareHistory:
        """Return some of the members."""
        return ShareHistory(
            bad=self.bad[members], total=self.total[members], known=self.known[members],
            year=self.year, week=self.week, block=self.block, full=self.full,
        )  # fmt: skip

    @cached_property
    def sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Bad, total and known slices before each slice, each of shape (members, slices + 1)."""
        if self.whole is not None:
            first, second, third = (x[:, : self.slices + 1] for x in self.whole.sums)
            return first, second, third
        zero = np.zeros((self.members, 1))
        bad, total, known = (
            np.asarray(np.concatenate((zero, np.cumsum(x, axis=1)), axis=1), dtype=np.float64)
            for x in (self.bad, self.total, self.known)
        )
        return bad, total, known

    def faded(self, half_life: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return recency-weighted bad and total before each slice, each of shape (members, slices + 1)."""
        if self.whole is not None:
            bad, total = self.whole.faded(half_life)
            return bad[:, : self.slices + 1], total[:, : self.slices + 1]
        found = self._faded.get(half_life)
        if found is None:
            found = fading(self.bad, half_life), fading(self.total, half_life)
            self._faded[half_life] = found
        return found

    @cached_property
    def usual(self) -> NDArray[np.float64]:
        """Share of known slices since each member's first, shape (members,); 5 ÷ 7 for a desk closed at weekends."""
        began = np.where(self.known.any(axis=1), self.known.argmax(axis=1), self.slices)
        return np.asarray(self.known.sum(axis=1) / np.maximum(self.slices - began, 1), dtype=np.float64)

    @cached_property
    def traffic(self) -> NDArray[np.float64]:
        """Expected total of each slice of a coming week, shape (members, week); index 0 follows the last slice.

        The mean of the last eight weeks (twelve slices where there is no week), the mean of all known slices where a
        weekday had none.
        """
        recent = slice(max(0, self.slices - (8 * self.week if self.week > 1 else 12)), self.slices)
        weekday = (np.arange(self.slices)[recent] - self.slices) % self.week
        total, known = self.total[:, recent], self.known[:, recent]
        count = np.maximum(self.known.sum(axis=1), 1)
        mean = np.where(self.known, self.total, 0.0).sum(axis=1) / count
        found = np.empty((self.members, self.week))
        for k in range(self.week):
            of_day = weekday == k
            days = known[:, of_day].sum(axis=1)
            summed = np.where(known[:, of_day], total[:, of_day], 0.0).sum(axis=1)
            found[:, k] = np.where((days > 0) & (summed > 0), summed / np.maximum(days, 1), mean)
        return found

    def coming(self, span: Span) -> NDArray[np.float64]:
        """Return the expected total of the slices that remain of a window, shape (members, span.length)."""
        return np.asarray(self.traffic[:, (span.gap + np.arange(span.length)) % self.week], dtype=np.float64)

    def allowed(self, span: Span, targets: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest share of bad of what remains with which a target is still met; below 0 it is lost.

        Parameters
        ----------
        span : Span
        targets : ndarray, shape (members, targets)
            Share of good in the whole window that must be reached.
        """
        bad, total, _ = self.sums
        now = self.slices
        bad_so_far = bad[:, now] - bad[:, now - span.elapsed]
        so_far = total[:, now] - total[:, now - span.elapsed]
        rest = np.maximum(self.coming(span).sum(axis=1), 1e-9)
        left = (1.0 - targets) * (so_far + rest)[:, None] - bad_so_far[:, None]
        return np.asarray(left / rest[:, None], dtype=np.float64)


def fading(values: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Return recency-weighted sums before each slice, shape (members, slices + 1).

    Examples
    --------
    >>> fading(np.array([[1.0, 0.0, 1.0]]), 1.0)
    array([[0.  , 1.  , 0.5 , 1.25]])
    """
    from scipy.signal import lfilter

    decay = 0.5 ** (1.0 / max(_SHORTEST, half_life))
    zero = np.zeros((len(values), 1))
    return np.asarray(np.concatenate((zero, lfilter([1.0], [1.0, -decay], values, axis=1)), axis=1), dtype=np.float64)


def count_odds(bad: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-odds of bad events with half an event added to either side.

    Examples
    --------
    >>> float(count_odds(np.array([4.5]), np.array([9.0]))[0])
    0.0
    """
    return np.asarray(np.log((bad + HALF_EVENT) / (np.maximum(total - bad, 0.0) + HALF_EVENT)), dtype=np.float64)


def share_at(odds: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of bad whose `count_odds` out of `total` events is `odds`, kept within 0 and 1.

    Examples
    --------
    >>> float(share_at(count_odds(np.array([3.0]), np.array([30.0])), np.array([30.0]))[0])
    0.1
    """
    inside = 1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0)))
    bad = inside * (total + 2 * HALF_EVENT) - HALF_EVENT
    return np.asarray(np.clip(bad / np.maximum(total, 1e-9), 0.0, 1.0), dtype=np.float64)
