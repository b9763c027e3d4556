"""The outbox of every ledger: in one transaction with it, in order, once; and the courier that empties it."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from servers import PostgresServer, postgres

from forecasting.adapters.clock import SignalPause
from forecasting.adapters.store import PostgresLedger, SqliteLedger
from forecasting.ports import LedgerWithOutbox
from forecasting.terms.errors import InputError, LedgerMovedError, StoreError
from forecasting.terms.notice import NoticeKind
from forecasting.testing.notifier import ListNotifier, make_notice
from forecasting.workspace.courier import STUCK_TRIES, Courier

__all__ = ["postgres"]
AT = datetime(2027, 3, 1, tzinfo=UTC)
NUMBERS = itertools.count()
Make = Callable[[], LedgerWithOutbox]


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    if request.param == "sqlite":
        return lambda: SqliteLedger(tmp_path / str(next(NUMBERS)) / "ledger.db")
    server = request.getfixturevalue("postgres")
    assert isinstance(server, PostgresServer)
    monkeypatch.setenv("OUTBOX_STORE_URL", server.url())
    return lambda: PostgresLedger("OUTBOX_STORE_URL", namespace=f"outbox-{next(NUMBERS)}")


def put(outbox: LedgerWithOutbox, *numbers: int, receivers: tuple[str, ...] = ("a",)) -> None:
    outbox.keep([], [(r, make_notice(n)) for n in numbers for r in receivers], as_of=AT, run_id="r")


def test_rows_and_notices_come_together_or_not_at_all(make: Make) -> None:
    ledger = make()
    rows = [("alarm", "x", {"p": 0.5}), ("alarm_outcome", "x", {"verdict": "true alarm"}), ("alarm", "y", {"p": 0.1})]
    notice = make_notice()
    assert ledger.keep(rows, [("a", notice), ("b", notice)], as_of=AT, run_id="r") == 3
    assert [(e.kind, e.key) for e in ledger.entries()] == [("alarm", "x"), ("alarm", "y"), ("alarm_outcome", "x")]
    assert [(d.receiver, d.notice, d.tries, d.taken_at) for d in ledger.waiting()] == [
        ("a", notice, 0, None),
        ("b", notice, 0, None),
    ]
    other = [("a", make_notice(2))]
    with pytest.raises(LedgerMovedError):
        ledger.keep([("alarm", "x", {"p": 0.9})], other, as_of=AT, run_id="r", decided_at=0)
    with pytest.raises(InputError):
        ledger.keep([("alarm", "z", {"p": 0.9}), ("alarm", "x", {"p": float("nan")})], other, as_of=AT, run_id="r")
    assert len(ledger.waiting()) == 2
    assert ledger.head()[0] == 3
    assert ledger.verify() == ()


def test_a_notice_is_put_in_once_and_taken_once(make: Make) -> None:
    ledger = make()
    assert ledger.waiting() == ()
    assert ledger.newest_taken("a", ["w1"]) == ()
    put(ledger, 1, 2, receivers=("a", "b"))
    put(ledger, 2, 3)
    assert [(d.receiver, d.notice.warning.id) for d in ledger.waiting()] == [
        ("a", "w1"), ("b", "w1"), ("a", "w2"), ("b", "w2"), ("a", "w3"),
    ]  # fmt: skip
    ledger.mark_refused("a", ["w1:raised:1"], next_try=AT + timedelta(hours=1), problem="503\0 \ud800")
    first = ledger.waiting()[0]
    assert (first.tries, first.next_try) == (1, AT + timedelta(hours=1))
    assert first.problem.startswith("503")
    ledger.mark_taken("a", ["w1:raised:1", "w2:raised:1"], at=AT)
    put(ledger, 1, 2)
    assert [(d.receiver, d.notice.warning.id) for d in ledger.waiting()] == [("b", "w1"), ("b", "w2"), ("a", "w3")]
    ledger.mark_refused("a", ["w1:raised:1"], next_try=AT, problem="late")
    assert [d.notice.warning.id for d in ledger.newest_taken("a", ["w1", "w2", "w3"])] == ["w1", "w2"]


def test_the_newest_that_was_taken_is_what_stands(make: Make) -> None:
    ledger = make()
    kinds = (NoticeKind.RAISED, NoticeKind.WORSENED, NoticeKind.RESOLVED)
    ledger.keep([], [("a", make_notice(1, kind)) for kind in kinds], as_of=AT, run_id="r")
    ledger.mark_taken("a", ["w1:raised:1", "w1:worsened:1"], at=AT)
    assert [d.notice.kind for d in ledger.newest_taken("a", [f"w{n}" for n in range(2000)])] == [NoticeKind.WORSENED]


def test_the_newest_version_of_each_key(make: Make) -> None:
    ledger = make()
    for day in range(3):
        for key in "xy":
            ledger.record("alarm", [(key, {"p": day})], as_of=AT + timedelta(days=day), run_id="r")
    ledger.record("run", [("x", {"p": 9})], as_of=AT, run_id="r")
    assert [(e.key, e.payload["p"], e.version) for e in ledger.newest("alarm")] == [("x", 2, 3), ("y", 2, 3)]
    assert [e.payload["p"] for e in ledger.newest("alarm", as_of=AT + timedelta(days=1))] == [1, 1]
    assert [e.payload["p"] for e in ledger.newest("alarm", until=3)] == [0, 1]


def test_only_one_delivers(make: Make) -> None:
    ledger = make()
    with ledger.alone():
        with pytest.raises(StoreError), ledger.alone():
            raise AssertionError("two at once")
        put(ledger, 1)  # answers of people are kept meanwhile
    with ledger.alone():
        assert len(ledger.waiting()) == 1


def test_a_ledger_of_an_earlier_release_gets_its_outbox(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    ledger.record("run", [("r", {"p": 1})], as_of=AT, run_id="r")
    with sqlite3.connect(ledger.path) as connection:
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchall()
    assert ledger.waiting() == ()
    put(ledger, 1)
    assert len(ledger.waiting()) == 1
    assert ledger.verify() == ()


@dataclass
class HandClock:
    """A clock that is set by hand."""

    instant: datetime = AT

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "ledger.db")


def ids(notifier: ListNotifier) -> list[str]:
    return [n.warning.id for n in notifier.sent]


def test_a_receiver_that_is_down_gets_everything_later_in_order(ledger: SqliteLedger) -> None:
    up, down, clock = ListNotifier("up"), ListNotifier("down", failing=True), HandClock()
    courier = Courier(ledger, [down, up], clock=clock, pause=SignalPause())
    put(ledger, 1, 2, receivers=("down", "up"))
    assert courier.deliver() == 2
    assert ids(up) == ["w1", "w2"]
    (status, fine) = courier.status()
    assert (status.name, status.waiting, status.next_try) == ("down", 2, AT + timedelta(seconds=5))
    assert status.problem
    assert (fine.waiting, fine.problem) == (0, "")
    put(ledger, 3, receivers=("down",))
    down.failing = False
    assert courier.deliver(due_only=True) == 0, "left alone until the pause is over"
    clock.instant += timedelta(seconds=5)
    assert courier.deliver(due_only=True) == 3
    assert ids(down) == ["w1", "w2", "w3"]
    assert courier.status()[0].waiting == 0


def test_pauses_grow_and_one_refused_notice_does_not_stop_the_others_for_ever(ledger: SqliteLedger) -> None:
    class Picky(ListNotifier):
        """Takes anything but the first warning."""

        def send(self, notices):  # type: ignore[no-untyped-def]
            return frozenset() if notices[0].warning.id == "w1" else super().send(notices)

    picky, clock = Picky("a"), HandClock()
    courier = Courier(ledger, [picky], clock=clock, pause=SignalPause())
    put(ledger, 1, 2)
    pauses = []
    for _ in range(STUCK_TRIES):
        assert ids(picky) == []
        courier.deliver(due_only=True)
        next_try = courier.status()[0].next_try
        assert next_try is not None
        pauses.append((next_try - clock.instant).total_seconds())
        clock.instant = next_try
    assert pauses == [5.0 * 2**n for n in range(STUCK_TRIES)]
    assert ids(picky) == ["w2"]
    assert courier.status()[0].waiting == 1, "it is kept all the same"


def test_standing_ones_are_repeated_in_time_only_where_they_were_taken(ledger: SqliteLedger) -> None:
    clock = HandClock()
    forgetful, other = ListNotifier("a", repeat_every=timedelta(minutes=1)), ListNotifier("b")
    courier = Courier(ledger, [forgetful, other], clock=clock, pause=SignalPause())
    put(ledger, 1, 2, 3, receivers=("a", "b"))
    forgetful.failing = True
    courier.deliver()
    forgetful.failing = False
    assert courier.repeat({"w1"}) == ()
    assert forgetful.repeated == []
    courier.deliver()
    assert courier.repeat({"w1", "w2"}, due_only=True) == ()
    assert forgetful.repeated == [], "not due yet"
    assert courier.due(clock.instant) == AT + timedelta(minutes=1)
    clock.instant += timedelta(minutes=1)
    courier.repeat({"w1", "w2"}, due_only=True)
    assert [[n.warning.id for n in r] for r in forgetful.repeated] == [["w1", "w2"]]
    assert other.repeated == []
    ledger.keep([], [("a", make_notice(1, NoticeKind.RESOLVED))], as_of=AT, run_id="r")
    courier.deliver()
    forgetful.failing = True
    assert "a:" in courier.repeat({"w1", "w2"})[0]
    forgetful.failing = False
    courier.repeat({"w1", "w2"})
    assert [n.warning.id for n in forgetful.repeated[-1]] == ["w2"], "what was told to be over is not told again"


def test_the_end_is_noticed_between_two_notices(ledger: SqliteLedger) -> None:
    pause = SignalPause()

    class Ending(ListNotifier):
        def send(self, notices):  # type: ignore[no-untyped-def]
            pause.end()
            return super().send(notices)

    ending = Ending("a")
    put(ledger, 1, 2)
    courier = Courier(ledger, [ending], clock=HandClock(), pause=pause)
    assert courier.deliver() == 1
    assert len(ledger.waiting()) == 1


def test_what_was_on_its_way_in_a_crash_is_told_again_under_the_same_id(ledger: SqliteLedger) -> None:
    class Crash(Exception):
        """The process dies after the receiver has answered."""

    class Dying(ListNotifier):
        def send(self, notices):  # type: ignore[no-untyped-def]
            super().send(notices)
            raise Crash

    dying = Dying("a")
    put(ledger, 1, 2)
    with pytest.raises(Crash):
        Courier(ledger, [dying], clock=HandClock(), pause=SignalPause()).deliver()
    again = ListNotifier("a")
    Courier(ledger, [again], clock=HandClock(), pause=SignalPause()).deliver()
    assert ids(dying) == ["w1"]
    assert [n.id for n in again.sent] == ["w1:raised:1", "w2:raised:1"]


def test_a_notice_comes_back_as_it_was(make: Make) -> None:
    ledger = make()
    notice = replace(make_notice(service="ü 服务 👩\u200d🚒 <script>"), over=True)
    ledger.keep([], [("a", notice)], as_of=AT, run_id="r")
    assert ledger.waiting()[0].notice == notice
