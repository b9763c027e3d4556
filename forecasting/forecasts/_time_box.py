"""A budget of CPU seconds for one fit, asked at every step of an optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

from forecasting.terms.errors import Excuse, InputError

BUDGET_SECONDS = 10.0
"""CPU seconds that a model of Tier 3 may spend on one forecast of one series, unless its constructor is told."""
Timer = Callable[[], float]
"""Returns seconds that never go back, such as ``time.process_time``."""
CPU_TIMER: Timer = process_time
"""CPU seconds of this process, waiting left out: a busy machine does not make a model decline."""


class OutOfTimeError(Exception):
    """The budget of a time box is spent."""


@dataclass(frozen=True, kw_only=True)
class TimeBox:
    """A budget that began to run at `begun`.

    Examples
    --------
    >>> ticks = iter([0.0, 1.0, 5.0])
    >>> box = open_box(2.0, lambda: next(ticks))
    >>> box.check()
    >>> box.check()
    Traceback (most recent call last):
    forecasting.forecasts._time_box.OutOfTimeError: 5 s used of 2 s
    """

    budget_seconds: float
    timer: Timer
    begun: float

    def check(self, *_: object) -> None:
        """Raise where the budget is spent; takes whatever an optimiser hands to its callback.

        Raises
        ------
        OutOfTimeError
            With the seconds used.
        """
        used = self.timer() - self.begun
        if used > self.budget_seconds:
            raise OutOfTimeError(f"{used:.3g} s used of {self.budget_seconds:g} s")

    def left(self) -> float:
        """Return the seconds left, 0 or more."""
        return max(self.budget_seconds - (self.timer() - self.begun), 0.0)

    def excuse(self, slices: int) -> Excuse:
        """Return the excuse of a model that ran out of time on `slices` slices."""
        return Excuse(
            reason=f"stopped at its time budget of {self.budget_seconds:g} seconds on {slices} slices",
            what_would_help="a larger budget (budget_seconds), a coarser step or a cheaper model",
        )


def open_box(budget_seconds: float, timer: Timer) -> TimeBox:
    """Return a time box that begins now.

    Examples
    --------
    >>> open_box(10.0, lambda: 3.0).left()
    10.0
    """
    return TimeBox(budget_seconds=budget_seconds, timer=timer, begun=timer())


def checked_budget(budget_seconds: float) -> float:
    """Return the budget, or refuse one that is not a positive number of seconds.

    Examples
    --------
    >>> checked_budget(0.5)
    0.5
    """
    if not 0.0 < budget_seconds < float("inf"):
        raise InputError(
            argument="budget_seconds",
            came=budget_seconds,
            allowed="seconds above 0",
            try_instead=f"{BUDGET_SECONDS:g}, the default",
        )
    return budget_seconds
