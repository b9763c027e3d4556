"""The courier on both ledgers: what is not said to be taken is kept, in order, through any answer of a receiver."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from servers import PostgresServer, postgres

from forecasting.adapters.clock import SignalPause
from forecasting.adapters.store import PostgresLedger, SqliteLedger
from forecasting.ports import LedgerWithOutbox
from forecasting.terms.errors import ForecastingError, InputError, NotifierError
from forecasting.terms.notice import Notice, NoticeKind
from forecasting.testing.notifier import ListNotifier, make_notice
from forecasting.workspace.courier import LONGEST_PAUSE, STUCK_TRIES, Courier, pause_after

__all__ = ["postgres"]
AT = datetime(2027, 3, 1, tzinfo=UTC)
NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LedgerWithOutbox:
    if request.param == "sqlite":
        return SqliteLedger(tmp_path / "ledger.db")
    server = request.getfixturevalue("postgres")
    assert isinstance(server, PostgresServer)
    monkeypatch.setenv("COURIER_STORE_URL", server.url())
    return PostgresLedger("COURIER_STORE_URL", namespace=f"courier-{next(NUMBERS)}")


@dataclass
class HandClock:
    """A clock that is set by hand."""

    instant: datetime = AT

    def now(self) -> datetime:
        return self.instant


@dataclass
class Answering(ListNotifier):
    """A receiver that answers as a test says: what it returns or raises decides what it has taken."""

    answer: Callable[[Notice], Sequence[str]] = lambda notice: [notice.id]
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__("a")

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        taken = set[str]()
        for notice in notices:
            self.asked.append(notice.id)
            found = self.answer(notice)
            if notice.id in found:
                self.sent.append(notice)
            taken.update(found)
        return frozenset(taken)


def put(outbox: LedgerWithOutbox, *notices: Notice | int) -> None:
    made = [make_notice(n) if isinstance(n, int) else n for n in notices]
    outbox.keep([], [("a", notice) for notice in made], as_of=AT, run_id="r")


def courier_of(ledger: LedgerWithOutbox, receiver: ListNotifier, clock: HandClock) -> Courier:
    return Courier(ledger, [receiver], clock=clock, pause=SignalPause())


def ids(notifier: ListNotifier) -> list[str]:
    return [n.id.removesuffix(":1") for n in notifier.sent]


def refuse(error: ForecastingError) -> Callable[[Notice], Sequence[str]]:
    def answer(notice: Notice) -> Sequence[str]:
        raise error

    return answer


def down(retry_after_s: float = 0.0) -> NotifierError:
    error = NotifierError(argument="notifier a", came="HTTP 503", allowed="", try_instead="")
    error.retry_after_s = retry_after_s
    return error


@pytest.mark.parametrize(
    "answer",
    [
        lambda notice: [],
        lambda notice: ["w2:raised:1", "w1:raised:2", "w1"],
        lambda notice: [notice.id.upper(), notice.id + " "],
        refuse(down()),
        refuse(InputError(argument="url", came="", allowed="", try_instead="")),
    ],
)
def test_an_answer_without_the_id_is_no_yes(
    ledger: LedgerWithOutbox, answer: Callable[[Notice], Sequence[str]]
) -> None:
    receiver, clock = Answering(answer=answer), HandClock()
    courier = courier_of(ledger, receiver, clock)
    put(ledger, 1, 2)
    assert courier.deliver() == 0
    assert receiver.asked == ["w1:raised:1"], "what is behind it waits"
    (status,) = courier.status()
    assert (status.waiting, status.failures, status.next_try) == (2, 1, AT + timedelta(seconds=5))
    assert status.problem
    receiver.answer = lambda notice: [notice.id]
    assert courier_of(ledger, receiver, clock).deliver() == 2
    assert ids(receiver) == ["w1:raised", "w2:raised"]
    assert ledger.waiting() == ()


def test_it_waits_as_long_as_it_is_asked_to(ledger: LedgerWithOutbox) -> None:
    clock = HandClock()
    receiver = Answering(answer=refuse(down(retry_after_s=90)))
    courier = courier_of(ledger, receiver, clock)
    put(ledger, 1)
    courier.deliver()
    assert courier.status()[0].next_try == AT + timedelta(seconds=90)
    clock.instant += timedelta(seconds=89)
    courier.deliver(due_only=True)
    assert len(receiver.asked) == 1
    clock.instant += timedelta(seconds=1)
    receiver.answer = refuse(down(retry_after_s=1e9))
    courier.deliver(due_only=True)
    assert courier.status()[0].next_try == clock.instant + LONGEST_PAUSE, "but not for ever"
    receiver.answer = refuse(down(retry_after_s=1))
    courier.deliver()
    assert courier.status()[0].next_try == clock.instant + pause_after(3), "at least as long as it would anyway"


def outage(ledger: LedgerWithOutbox, receiver: Answering, clock: HandClock) -> None:
    """The receiver is down until everything that waits was refused often."""
    receiver.answer = refuse(down())
    courier = courier_of(ledger, receiver, clock)
    while any(d.tries < STUCK_TRIES for d in ledger.waiting()):
        clock.instant += LONGEST_PAUSE / 8
        courier.deliver(due_only=True)
        assert clock.instant < AT + timedelta(days=10), "nothing is ever left aside"


def test_after_a_long_outage_everything_comes_in_order_as_soon_as_anything_is_due(ledger: LedgerWithOutbox) -> None:
    receiver, clock = Answering(), HandClock()
    put(ledger, 1, 2, 3)
    outage(ledger, receiver, clock)
    put(ledger, make_notice(2, NoticeKind.RESOLVED), 4)
    receiver.answer = lambda notice: [notice.id]
    clock.instant += timedelta(seconds=1)
    assert courier_of(ledger, receiver, clock).deliver(due_only=True) == 5
    assert ids(receiver) == ["w1:raised", "w2:raised", "w3:raised", "w2:resolved", "w4:raised"]


def test_a_receiver_that_is_down_is_asked_seldom(ledger: LedgerWithOutbox) -> None:
    receiver, clock = Answering(), HandClock()
    put(ledger, *range(1, 4))
    outage(ledger, receiver, clock)
    courier = courier_of(ledger, receiver, clock)
    for new in range(100, 104):
        put(ledger, new)
        asked = len(receiver.asked)
        clock.instant += timedelta(seconds=1)
        courier.deliver(due_only=True)
        assert len(receiver.asked) - asked <= 2
    clock.instant += LONGEST_PAUSE
    asked = len(receiver.asked)
    courier.deliver(due_only=True)
    assert len(receiver.asked) - asked <= 2, "also when all of them are due"


@pytest.mark.parametrize("before", [True, False])
def test_what_a_crash_interrupted_is_told_by_the_next_one(ledger: LedgerWithOutbox, before: bool) -> None:
    """Killed before the receiver has it or after: not lost, and again under the same id only where it was after."""

    class Crash(Exception):
        """The process dies."""

    def die(notice: Notice) -> Sequence[str]:
        if not before:
            receiver.sent.append(notice)
        raise Crash

    receiver, clock = Answering(answer=die), HandClock()
    put(ledger, 1, 2)
    with pytest.raises(Crash):
        courier_of(ledger, receiver, clock).deliver()
    receiver.answer = lambda notice: [notice.id]
    courier_of(ledger, receiver, clock).deliver()
    assert ids(receiver) == [*(() if before else ("w1:raised",)), "w1:raised", "w2:raised"]


def test_what_is_told_of_one_warning_is_never_told_out_of_order(ledger: LedgerWithOutbox) -> None:
    """A receiver that cannot take the first notice hears of the others, but not how the first warning ends."""
    clock = HandClock()
    receiver = Answering(answer=lambda notice: [] if notice.id == "w1:raised:1" else [notice.id])
    put(ledger, 1, 2, make_notice(1, NoticeKind.RESOLVED), 3)
    courier = courier_of(ledger, receiver, clock)
    for _ in range(2 * STUCK_TRIES):
        courier.deliver(due_only=True)
        clock.instant += LONGEST_PAUSE
    assert ids(receiver) == ["w2:raised", "w3:raised"]
    assert [d.notice.id for d in ledger.waiting()] == ["w1:raised:1", "w1:resolved:1"]
    receiver.answer = lambda notice: [notice.id]
    courier.deliver()
    assert ids(receiver)[2:] == ["w1:raised", "w1:resolved"]


def test_several_notices_that_are_refused_for_good_block_nobody(ledger: LedgerWithOutbox) -> None:
    clock = HandClock()
    receiver = Answering(answer=lambda notice: [] if notice.warning.id in ("w1", "w2", "w3") else [notice.id])
    put(ledger, 1, 2, 3)
    courier = courier_of(ledger, receiver, clock)
    for number in range(10, 18):
        put(ledger, number)
        clock.instant += timedelta(minutes=10)
        courier.deliver(due_only=True)
    for _ in range(5 * STUCK_TRIES):  # each of the three is tried six times before the next one is tried at all
        clock.instant += timedelta(minutes=10)
        courier.deliver(due_only=True)
    assert ids(receiver) == [f"w{n}:raised" for n in range(10, 18)]
    assert {d.notice.warning.id for d in ledger.waiting()} == {"w1", "w2", "w3"}, "kept all the same"


def test_failures_are_those_since_the_cycle_began_and_trouble_in_repeating_is_told(ledger: LedgerWithOutbox) -> None:
    clock = HandClock()
    forgetful = ListNotifier("a", repeat_every=timedelta(minutes=1))
    courier = courier_of(ledger, forgetful, clock)
    put(ledger, 1)
    assert courier.deliver() == 1
    forgetful.failing = True
    courier.repeat({"w1"})
    (status,) = courier.status()
    assert (status.waiting, status.failures) == (0, 1)
    assert "failing" in status.problem
    next_one = courier_of(ledger, forgetful, clock)
    next_one.take_over(courier)
    next_one.repeat({"w1"}, due_only=True)  # not due: nothing is asked, and it is still not known to be well
    assert (next_one.status()[0].failures, bool(next_one.status()[0].problem)) == (0, True)
    forgetful.failing = False
    next_one.repeat({"w1"})
    assert next_one.status()[0].problem == ""


def test_a_receiver_that_refuses_is_a_partial_result() -> None:
    assert (NotifierError.exit_code, ForecastingError.exit_code) == (3, 2)
