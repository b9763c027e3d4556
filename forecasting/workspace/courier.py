"""Carries notices from the outbox to their receivers: oldest first, again with growing pauses, marked once taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.ports import Clock, Delivery, Notifier, Outbox, Pause
from forecasting.terms.errors import ForecastingError

FIRST_PAUSE = timedelta(seconds=5)
"""Before a receiver that did not take a notice is tried again; doubled each time."""
LONGEST_PAUSE = timedelta(hours=1)
STUCK_TRIES = 6
"""Refusals after which a notice does not keep those behind it waiting any more: it may be the notice's own fault."""


@dataclass(frozen=True, kw_only=True)
class ReceiverStatus:
    """How it stands with one receiver."""

    name: str
    waiting: int
    """Notices it has not taken."""
    oldest: datetime | None
    """Evaluation that caused the oldest of them (UTC); None where none is waiting."""
    next_try: datetime | None
    problem: str
    """Why it did not take the oldest; empty where nothing is wrong."""


def pause_after(tries: int) -> timedelta:
    """Return how long to wait after so many refusals.

    Examples
    --------
    >>> [pause_after(n).total_seconds() for n in (1, 2, 3, 20)]
    [5.0, 10.0, 20.0, 3600.0]
    """
    return min(FIRST_PAUSE * float(2 ** min(tries - 1, 16)), LONGEST_PAUSE)


class Courier:
    """Delivers what waits in an outbox, and tells again what stands.

    Parameters
    ----------
    outbox : Outbox
    notifiers : sequence of Notifier
        One for each receiver of the project.
    clock : Clock
    pause : Pause
        Asked between two notices whether the end is wanted.
    """

    def __init__(self, outbox: Outbox, notifiers: Sequence[Notifier], *, clock: Clock, pause: Pause) -> None:
        self.outbox, self.notifiers, self.clock, self.pause = outbox, tuple(notifiers), clock, pause
        self._repeated: dict[str, datetime] = {}

    def take_over(self, before: Courier) -> None:
        """Go on where another one stopped: remember when receivers were told again the last time."""
        self._repeated = dict(before._repeated)

    def deliver(self, *, due_only: bool = False) -> int:
        """Hand on what waits, one notice at a time, and return how many were taken.

        A notice is marked as soon as the receiver has taken it: only the one that is on its way when the process dies
        can be told again, under the same id. One that is refused keeps those behind it waiting: the order stays.

        Parameters
        ----------
        due_only : bool
            Leave a receiver alone until the pause after its last refusal is over.
        """
        waiting, taken = self.outbox.waiting(), 0
        for notifier in self.notifiers:
            failed = 0
            for delivery in (d for d in waiting if d.receiver == notifier.name):
                if self.pause.ended():
                    return taken
                if due_only and delivery.next_try is not None and delivery.next_try > self.clock.now():
                    if delivery.tries < STUCK_TRIES:
                        break
                    continue
                if self._hand_on(notifier, delivery):
                    taken += 1
                    continue
                failed += 1
                if delivery.tries + 1 < STUCK_TRIES or failed > 1:
                    break
        return taken

    def _hand_on(self, notifier: Notifier, delivery: Delivery) -> bool:
        """Send one notice and note what became of it."""
        problem = "the receiver did not take it"
        try:
            taken = delivery.notice.id in notifier.send((delivery.notice,))
        except ForecastingError as error:
            taken, problem = False, str(error)
        now = self.clock.now()
        if taken:
            self.outbox.mark_taken(notifier.name, (delivery.notice.id,), at=now)
        else:
            again = now + pause_after(delivery.tries + 1)
            self.outbox.mark_refused(notifier.name, (delivery.notice.id,), next_try=again, problem=problem)
        return taken

    def repeat(self, standing: Collection[str], *, due_only: bool = False) -> tuple[str, ...]:
        """Tell again what stands to receivers that forget it otherwise; return what went wrong, one text a receiver.

        Parameters
        ----------
        standing : collection of str
            Identities of the warnings that stand.
        due_only : bool
            Only receivers whose time has come.
        """
        problems = []
        for notifier in self.notifiers:
            every = notifier.repeat_every
            if every is None or self.pause.ended():
                continue
            now, last = self.clock.now(), self._repeated.get(notifier.name)
            if due_only and last is not None and last <= now < last + every:
                continue
            self._repeated[notifier.name] = now
            newest = self.outbox.newest_taken(notifier.name, standing) if standing else ()
            notices = [d.notice for d in newest if not d.notice.over]
            if not notices:
                continue
            try:
                notifier.repeat(notices)
            except ForecastingError as error:
                problems.append(f"{notifier.name}: {error}")
        return tuple(problems)

    def due(self, now: datetime) -> datetime | None:
        """Return when standing warnings have to be told again; None where no receiver needs it."""
        times = [self._repeated.get(n.name, now) + n.repeat_every for n in self.notifiers if n.repeat_every is not None]
        return min(times, default=None)

    def status(self) -> tuple[ReceiverStatus, ...]:
        """Return how it stands with every receiver."""
        waiting = self.outbox.waiting()
        return tuple(_status(n.name, [d for d in waiting if d.receiver == n.name]) for n in self.notifiers)


def _status(name: str, waiting: Sequence[Delivery]) -> ReceiverStatus:
    first = waiting[0] if waiting else None
    return ReceiverStatus(
        name=name,
        waiting=len(waiting),
        oldest=None if first is None else first.notice.at,
        next_try=None if first is None else first.next_try,
        problem="" if first is None else first.problem,
    )
