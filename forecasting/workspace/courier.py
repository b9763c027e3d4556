"""Carries notices from the outbox to their receivers: oldest first, again with growing pauses, marked once taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from forecasting.ports import Clock, Delivery, Notifier, Outbox, Pause
from forecasting.terms.errors import ForecastingError, NotifierError

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
    """Why it did not take the oldest, or could not be told again what stands; empty where nothing is wrong."""
    failures: int = 0
    """How often it has refused, or could not be reached, since the cycle began."""


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
        self._unrepeated: dict[str, str] = {}
        self._failures: Counter[str] = Counter()

    def take_over(self, before: Courier) -> None:
        """Go on where another one stopped: remember when receivers were told again the last time, and who was not."""
        names = {n.name for n in self.notifiers}
        self._repeated = {name: at for name, at in before._repeated.items() if name in names}
        self._unrepeated = {name: why for name, why in before._unrepeated.items() if name in names}

    def deliver(self, *, due_only: bool = False) -> int:
        """Hand on what waits, one notice at a time, and return how many were taken.

        A notice is marked as soon as the receiver has taken it: only the one that is on its way when the process dies
        can be told again, under the same id. One that is refused keeps those behind it waiting: the order stays. After
        `STUCK_TRIES` it keeps only those of its own warning waiting, and is tried again whenever one behind it is due:
        where it is taken then, the receiver is back, and everything follows in order at once.

        Parameters
        ----------
        due_only : bool
            Leave a receiver alone until the pause after its last refusal is over.
        """
        waiting, taken = self.outbox.waiting(), 0
        for notifier in self.notifiers:
            taken += self._deliver_to(notifier, [d for d in waiting if d.receiver == notifier.name], due_only=due_only)
        return taken

    def _deliver_to(self, notifier: Notifier, queue: Sequence[Delivery], *, due_only: bool) -> int:
        """Hand on what waits for one receiver, oldest first."""
        now = self.clock.now()
        due = [not due_only or d.next_try is None or d.next_try <= now for d in queue]
        back, failed, taken = False, 0, 0
        held = set[str]()
        for number, delivery in enumerate(queue):
            warning, stuck = delivery.notice.warning.id, delivery.tries >= STUCK_TRIES
            if self.pause.ended() or failed > 1:
                break
            if warning in held:
                continue
            asked = due[number] or back or (number == 0 and stuck and any(due))
            if asked and self._hand_on(notifier, delivery):
                taken += 1
                back = back or number == 0
                continue
            if not stuck and (not asked or delivery.tries + 1 < STUCK_TRIES):
                break
            failed += asked
            held.add(warning)
        return taken

    def _hand_on(self, notifier: Notifier, delivery: Delivery) -> bool:
        """Send one notice and note what became of it."""
        problem, wait = "the receiver did not take it", timedelta()
        try:
            taken = delivery.notice.id in notifier.send((delivery.notice,))
        except ForecastingError as error:
            taken, problem = False, str(error)
            if isinstance(error, NotifierError):
                wait = min(timedelta(seconds=error.retry_after_s), LONGEST_PAUSE)
        now = self.clock.now()
        if taken:
            self.outbox.mark_taken(notifier.name, (delivery.notice.id,), at=now)
        else:
            self._failures[notifier.name] += 1
            again = now + max(pause_after(delivery.tries + 1), wait)
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
            every, name = notifier.repeat_every, notifier.name
            if every is None or self.pause.ended():
                continue
            now, last = self.clock.now(), self._repeated.get(name)
            if due_only and last is not None and last <= now < last + every:
                continue
            self._repeated[name] = now
            self._unrepeated.pop(name, None)
            newest = self.outbox.newest_taken(name, standing) if standing else ()
            notices = [d.notice for d in newest if not d.notice.over]
            if not notices:
                continue
            try:
                notifier.repeat(notices)
            except ForecastingError as error:
                self._failures[name] += 1
                self._unrepeated[name] = str(error)
                problems.append(f"{name}: {error}")
        return tuple(problems)

    def due(self, now: datetime) -> datetime | None:
        """Return when standing warnings have to be told again; None where no receiver needs it."""
        times = [self._repeated.get(n.name, now) + n.repeat_every for n in self.notifiers if n.repeat_every is not None]
        return min(times, default=None)

    def status(self) -> tuple[ReceiverStatus, ...]:
        """Return how it stands with every receiver."""
        waiting = self.outbox.waiting()
        return tuple(self._status(n.name, [d for d in waiting if d.receiver == n.name]) for n in self.notifiers)

    def _status(self, name: str, waiting: Sequence[Delivery]) -> ReceiverStatus:
        first = waiting[0] if waiting else None
        return ReceiverStatus(
            name=name,
            waiting=len(waiting),
            oldest=None if first is None else first.notice.at,
            next_try=None if first is None else first.next_try,
            problem=(first.problem if first else "") or self._unrepeated.get(name, ""),
            failures=self._failures[name],
        )
