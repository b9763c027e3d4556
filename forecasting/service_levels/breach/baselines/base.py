"""What a baseline may look at: one promise's counts up to an instant, and the frequencies of closed windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.history.intervals import micros
from forecasting.service_levels.attainment import satisfies
from forecasting.service_levels.burn import alerts, recommended_conditions
from forecasting.service_levels.events import Events
from forecasting.service_levels.sums import running
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Values = NDArray[np.float64]

DAY_US = 86_400_000_000
RECENT_DAYS = 28
"""Days whose traffic stands for the traffic to come."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """Questions about one promise: at these instants, about these windows. Shapes (n,)."""

    at: Counts
    """Instants, microseconds since 1970; nothing after them may be looked at."""
    window: Counts
    """Number of the window among `Past.starts`."""
    elapsed: Values
    """Elapsed share of the window; −k = k windows ahead."""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """Everything about one promise; baselines read it through functions that take the instant of the question."""

    objective: Objective
    events: Events
    """The events themselves, for burn-rate alerts (judged at slice ends, with lookbacks only)."""
    slice_starts: Counts
    slice_ends: Counts
    good: NDArray[Any]
    """Shape (slices + 1,): running sums over slices, exact."""
    total: NDArray[Any]
    starts: Counts
    """Windows, oldest first, microseconds."""
    ends: Counts
    known_at: Counts
    """When the verdict of each window is final: its end and the grace for late data."""
    missed: Values
    """1 missed, 0 met, NaN undetermined."""
    attained: Values
    """Attainment of each window, 0 to 1; NaN without any."""
    as_of: datetime
    """End of what is known at all."""

    @classmethod
    def of(
        cls, objective: Objective, events: Events, counted: Events, windows: Sequence[Attainment], *, grace: timedelta,
        as_of: datetime,
    ) -> Past:  # fmt: skip
        """Lay out a promise.

        Parameters
        ----------
        objective : Objective
        events : Events
            Of the data slices.
        counted : Events
            What the attainment counts: `events`, or the time slices where the method counts them.
        windows : sequence of Attainment
            Final attainments of the closed windows, oldest first.
        grace : timedelta
            Time after a window's end until its verdict is final.
        as_of : datetime
        """
        verdicts = {AttainmentStatus.BREACHED: 1.0, AttainmentStatus.MET: 0.0}
        ends = np.array([micros(w.period.end) for w in windows], dtype=np.int64)
        return cls(
            objective=objective,
            events=events,
            slice_starts=counted.starts_us,
            slice_ends=counted.ends_us,
            good=running(np.where(counted.known, counted.good, 0)),
            total=running(np.where(counted.known, counted.total, 0)),
            starts=np.array([micros(w.period.start) for w in windows], dtype=np.int64),
            ends=ends,
            known_at=ends + grace // timedelta(microseconds=1),
            missed=np.array([verdicts.get(w.status, np.nan) for w in windows]),
            attained=np.array([np.nan if w.value is None else float(w.value) for w in windows]),
            as_of=as_of,
        )

    def counts(self, since: Counts, until: Counts) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return good and total of the slices that lie wholly in [since, until), exactly."""
        low = np.searchsorted(self.slice_starts, since, side="left")
        high = np.maximum(low, np.searchsorted(self.slice_ends, until, side="right"))
        return self.good[high] - self.good[low], self.total[high] - self.total[low]

    def so_far(self, asked: Asked) -> tuple[Values, Values]:
        """Return the bad and all events of the window up to each question."""
        good, total = self.counts(self.starts[asked.window], asked.at)
        return np.asarray(total - good, dtype=np.float64), np.asarray(total, dtype=np.float64)

    def to_come(self, asked: Asked) -> Values:
        """Return the events to come in each window after the question, at the traffic of the last four weeks."""
        start = np.maximum(asked.at - RECENT_DAYS * DAY_US, self.slice_starts[0] if len(self.slice_starts) else 0)
        _, total = self.counts(start, asked.at)
        rate = np.asarray(total, dtype=np.float64) / np.maximum(asked.at - start, 1)
        left = self.ends[asked.window] - np.maximum(asked.at, self.starts[asked.window])
        return np.asarray(rate * left, dtype=np.float64)

    def closed(self, asked: Asked) -> Counts:
        """Return how many windows had a final verdict at each question."""
        return np.asarray(np.searchsorted(self.known_at, asked.at, side="right"), dtype=np.int64)

    def is_open(self, asked: Asked) -> NDArray[np.bool_]:
        """Say whether the outcome was open at each question, given the true total of the window (exact)."""
        good, total = self.counts(self.starts[asked.window], asked.at)
        _, whole = self.counts(self.starts[asked.window], self.ends[asked.window])
        found = np.zeros(len(asked), dtype=np.bool_)
        for k, (g, t, n) in enumerate(zip(good.tolist(), total.tolist(), whole.tolist(), strict=True)):
            # All still to come good against all still to come bad.
            found[k] = n > 0 and satisfies(self.objective, g + n - t, n) and not satisfies(self.objective, g, n)
        return found

    @cached_property
    def firing(self) -> tuple[Counts, Counts]:
        """When burn-rate alerts begin and end, microseconds; at an instant they rest on what was before it only."""
        conditions = fitting_conditions(self)
        policy = AlertPolicy(name="recommended", conditions=conditions)
        found = alerts(self.objective, self.events, policy, as_of=self.as_of) if conditions else ()
        never = np.iinfo(np.int64).max
        begun = np.array([micros(a.start) for a in found], dtype=np.int64)
        return begun, np.array([never if a.end is None else micros(a.end) for a in found], dtype=np.int64)


def fitting_conditions(past: Past) -> tuple[BurnRateCondition, ...]:
    """Return the recommended burn-rate conditions that the data slices can show and the target can exceed.

    Slices longer than a lookback hide it: a condition is left out where its long lookback is shorter than a slice, and
    its short one is at least a slice. One that not even an outage would reach (a low target) is left out too.
    """
    step = past.events.series.step
    length = timedelta(microseconds=int((past.ends - past.starts).max())) if len(past.ends) else timedelta(days=30)
    return tuple(
        replace(c, short_lookback=max(c.short_lookback or step, step))
        for c in recommended_conditions(max(1, round(length / timedelta(days=1))))
        if c.lookback >= step and c.threshold * past.objective.error_budget_share < 1
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Frequencies of what happened at the same horizon in windows that had closed by each question. Shapes (n,)."""

    group: Counts
    """Number of the kind of window and horizon of each question."""
    at: Counts
    known_at: Counts
    """When the outcome of each question's window was known."""
    missed: Values
    """Outcome; NaN where it cannot be learnt from (undetermined, or decided when it was asked)."""

    def _counts(self, which: NDArray[np.bool_]) -> tuple[Values, Values]:
        """Return misses and number of the earlier questions in `which`, per question."""
        misses, number = np.zeros(len(self.at)), np.zeros(len(self.at))
        usable = which & ~np.isnan(self.missed)
        for group in np.unique(self.group):
            here = self.group == group
            past = np.flatnonzero(here & usable)
            past = past[np.argsort(self.known_at[past], kind="stable")]
            sums = np.concatenate(([0.0], np.cumsum(self.missed[past])))
            known = np.searchsorted(self.known_at[past], self.at[here], side="right")
            misses[here], number[here] = sums[known], known
        return misses, number

    def base(self) -> Values:
        """Return (misses + 1) ÷ (number + 2) of each question's horizon: Laplace's rule of succession.

        Examples
        --------
        >>> earlier = Calibration(group=np.zeros(3, dtype=np.int64), at=np.array([10, 20, 30]),
        ...                       known_at=np.array([15, 25, 35]), missed=np.array([1.0, 0.0, 1.0]))
        >>> [round(float(p), 3) for p in earlier.base()]  # nothing; one miss of one; one of two
        [0.5, 0.667, 0.5]
        """
        misses, number = self._counts(np.ones(len(self.at), dtype=np.bool_))
        return (misses + 1.0) / (number + 2.0)

    def frequency(self, signal: Values) -> Values:
        """Return how often windows with the same signal (0 or 1) were missed, drawn to the base by two windows.

        A question without a signal (NaN) gets the base.
        """
        base = self.base()
        found = base.copy()
        for value in (0.0, 1.0):
            same = signal == value
            misses, number = self._counts(same)
            found[same] = ((misses + 2.0 * base) / (number + 2.0))[same]
        return found


Signal = Callable[[Past, Asked], "NDArray[np.float64]"]
"""What a baseline sees of one promise, shape (n,) or (n, 2); NaN = nothing."""
Stated = Callable[["NDArray[np.float64]", Calibration], "NDArray[np.float64]"]
"""Turns the signals of all promises into probabilities, shape (n,)."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One simple way of stating P(miss)."""

    name: str
    title: str
    """What it says, in a few words."""
    signal: Signal
    state: Stated


def frequencies(signal: Values, calibration: Calibration) -> Values:
    """State how often the same signal was followed by a miss: for rules that say yes or no."""
    return calibration.frequency(signal)


def as_stated(signal: Values, calibration: Calibration) -> Values:
    """State the signal itself, and the base where there is none: for rules that give a probability."""
    return np.asarray(np.where(np.isnan(signal), calibration.base(), signal), dtype=np.float64)
