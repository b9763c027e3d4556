"""A battery of checks for notifiers, for authors of adapters and for our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from forecasting.ports import Notifier
from forecasting.terms.breach import Cause
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import Notice, NoticeKind
from forecasting.terms.service_level import Period
from forecasting.terms.warning import EarlyWarning, RankedAction, Severity

__all__ = ["HOSTILE", "ListNotifier", "check_notifier", "make_notice"]

NamedCheck = tuple[str, Callable[[], None]]
Received = Callable[[Notifier], Sequence[str]]

AT = datetime(2027, 3, 1, 6, tzinfo=UTC)
MARCH = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")

HOSTILE = (
    "shop\r\nBcc: everybody@example.org", "shop\nSubject: free", "a\r\n.\r\nMAIL FROM:<x@y>",
    "<script>alert(1)</script>",
    "<!channel> <@U123> <https://evil.example|your bank>", "@channel @here @everyone", "*bold* _it_ `code` ~no~",
    "{{ 7*7 }} ${7*7} %s {0}", '"}], "text": "x', "a\x00b\x1b[31mc", "\u202egnp.exe", "\ud800", "a,b;c=d", "=1+1",
    "ü 服务 👩\u200d🚒", "x" * 300, "", "../../etc/passwd",
)  # fmt: skip
"""Names that break receivers that paste: none of them may be lost, run, or begin a header."""


def make_notice(
    number: int = 1,
    kind: NoticeKind = NoticeKind.RAISED,
    *,
    service: str = "shop",
    note: str = "shop is expected to miss on-time in 2027-03 with a probability of 40 %.",
    severity: Severity = Severity.WARNING,
    over: bool | None = None,
    at: datetime = AT,
) -> Notice:
    """Return a notice of warning ``w<number>``.

    Examples
    --------
    >>> make_notice(2, NoticeKind.RESOLVED).id, make_notice(2, NoticeKind.RESOLVED).over
    ('w2:resolved:1', True)
    """
    warning = EarlyWarning(
        id=f"w{number}", raised_at=at, data_cut_off=at, service=service, agreement="sla-shop",
        objective="on-time" if number == 1 else f"on-time-{number}",
        period=MARCH, probability=0.4, probability_low=0.3, probability_high=0.5, probability_previous=None,
        expected_breach_from=date(2027, 3, 20), expected_breach_to=None, margin_events=12.5, lead_time_days=30.0,
        lead_time_needed_days=14.0, decide_by=date(2027, 3, 18), severity=severity,
        main_cause=Cause(name="demand", share=0.7, evidence="+9 %"), customers=("port",), expected_credit=1000.0,
        expected_loss=2500.0, currency="EUR",
        actions=(RankedAction(label="one unit more", probability_after=0.1, cost_over_horizon=900.0),),
        inform=("ops",), note=note, confidence="no track record yet.",
        state="resolved" if kind is NoticeKind.RESOLVED else "new", dedup_key=f"w{number}",
    )  # fmt: skip
    is_over = kind is NoticeKind.RESOLVED if over is None else over
    return Notice(id=f"w{number}:{kind.value}:1", kind=kind, at=at, warning=warning, over=is_over)


class ListNotifier:
    """Notifier that keeps notices in memory, each id once; for tests of what hands notices on.

    Parameters
    ----------
    name : str
    failing : bool
        Whether it takes nothing; may be changed at any time.
    repeat_every : timedelta or None

    Examples
    --------
    >>> notifier = ListNotifier()
    >>> sorted(notifier.send([make_notice(), make_notice()])), len(notifier.sent)
    (['w1:raised:1'], 1)
    """

    def __init__(self, name: str = "list", *, failing: bool = False, repeat_every: timedelta | None = None) -> None:
        self._name, self._repeat_every, self.failing = name, repeat_every, failing
        self.sent: list[Notice] = []
        self.repeated: list[tuple[Notice, ...]] = []

    @property
    def name(self) -> str:
        """Name of the receiver."""
        return self._name

    @property
    def repeat_every(self) -> timedelta | None:
        """How often standing warnings must be told again."""
        return self._repeat_every

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Keep the notices that are not kept yet."""
        self._fail()
        known = {notice.id for notice in self.sent}
        for notice in notices:
            if notice.id not in known:
                known.add(notice.id)
                self.sent.append(notice)
        return frozenset(notice.id for notice in notices)

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Keep what stands."""
        self._fail()
        self.repeated.append(tuple(standing))

    def _fail(self) -> None:
        if self.failing:
            raise NotifierError(
                argument=f"notifier {self._name}", came="failing", allowed="a receiver", try_instead="failing=False"
            )


def check_notifier(
    make: Callable[[], Notifier],
    *,
    received: Received | None = None,
    once: bool = True,
    unreachable: Callable[[], Notifier] | None = None,
    secrets: Sequence[str] = (),
) -> Iterator[NamedCheck]:
    """Yield named checks of a notifier's contract; each raises AssertionError with the finding, or passes.

    Parameters
    ----------
    make : function
        Makes a notifier of a new, empty receiver each time.
    received : function or None
        Returns what the receiver of a notifier has, one text for each message; None = not looked at.
    once : bool
        Whether a notice that is sent twice is there once; False where the receiver tells them apart by their id.
    unreachable : function or None
        Makes a notifier whose receiver does not answer; None = not checked.
    secrets : sequence of str
        Tokens and passwords of the notifiers made, which no message of theirs may hold.

    Examples
    --------
    >>> checks = check_notifier(ListNotifier, received=lambda notifier: [n.id for n in notifier.sent])
    >>> [name for name, check in checks if check()]
    []
    """
    look = received or (lambda notifier: [])
    checks: dict[str, Callable[[], None]] = {
        "it has a name and a rhythm": lambda: _named(make()),
        "nothing to tell": lambda: _nothing(make(), look),
        "one notice": lambda: _one(make(), look, looked=received is not None),
        "several notices": lambda: _several(make(), look, looked=received is not None),
        "the same notice again": lambda: _again(make(), look, exactly=received is not None and once),
        "a warning from beginning to end": lambda: _life(make()),
        "hostile names and notes": lambda: _hostile(make(), look, looked=received is not None),
        "a very long note": lambda: _long(make(), look),
        "what stands is told again": lambda: _repeat(make(), look, exactly=received is not None and once),
    }
    if unreachable is not None:
        checks["a receiver that does not answer"] = lambda: _unreachable(unreachable(), secrets)
    yield from checks.items()


def _named(notifier: Notifier) -> None:
    """Name and rhythm are properties that stay the same."""
    name, every = notifier.name, notifier.repeat_every
    assert isinstance(name, str), f"the name is {name!r}"
    assert name, "the name is empty"
    assert every is None or every >= timedelta(seconds=1), f"repeat_every is {every}"
    assert (notifier.name, notifier.repeat_every) == (name, every), "name or rhythm changed"


def _nothing(notifier: Notifier, look: Received) -> None:
    """Nothing is taken, nothing arrives."""
    taken = notifier.send([])
    assert taken == frozenset(), f"of no notice {taken!r} was taken"
    notifier.repeat([])
    assert not look(notifier), "a message without a notice"


def _sent(notifier: Notifier, notices: Sequence[Notice]) -> None:
    """Send notices that must all be taken, and find them unchanged."""
    before = list(notices)
    taken = notifier.send(notices)
    assert isinstance(taken, frozenset), f"send returned {type(taken).__name__}, not a frozenset of ids"
    wanted = {notice.id for notice in notices}
    assert taken == wanted, f"not taken: {sorted(wanted - taken)}; never sent: {sorted(taken - wanted)}"
    assert list(notices) == before, "the notices handed over were changed"


def _one(notifier: Notifier, look: Received, *, looked: bool) -> None:
    """One message, which names the service and says when, or which notice it is."""
    _sent(notifier, [make_notice()])
    if looked:
        found = look(notifier)
        assert len(found) == 1, f"{len(found)} messages of one notice"
        assert "w1" in found[0], f"the message does not say which warning it is of: {found[0][:500]!r}"


def _several(notifier: Notifier, look: Received, *, looked: bool) -> None:
    """All of them arrive."""
    _sent(notifier, [make_notice(number, service=f"service-{number}") for number in (10, 11, 12)])
    if looked:
        found = "\n".join(look(notifier))
        places = [found.find(f"w{number}") for number in (10, 11, 12)]
        assert -1 not in places, f"{places.count(-1)} of 3 warnings did not arrive"


def _again(notifier: Notifier, look: Received, *, exactly: bool) -> None:
    """What was taken is taken again: whoever calls may not know that it was."""
    _sent(notifier, [make_notice(1), make_notice(2)])
    _sent(notifier, [make_notice(2), make_notice(3)])
    if exactly:
        found = look(notifier)
        assert len(found) == 3, f"{len(found)} messages of 3 notices, one of which was sent twice"


def _life(notifier: Notifier) -> None:
    """Every kind of notice is taken, one by one and all at once."""
    life = [
        make_notice(1, NoticeKind.RAISED),
        make_notice(1, NoticeKind.WORSENED, severity=Severity.CRITICAL, at=AT + timedelta(days=1)),
        make_notice(1, NoticeKind.BREACHED, severity=Severity.CRITICAL, at=AT + timedelta(days=2)),
        make_notice(1, NoticeKind.RESOLVED, at=AT + timedelta(days=3)),
    ]
    for notice in life:
        _sent(notifier, [notice])
    _sent(notifier, [replace(notice, id=f"{notice.id}-again") for notice in life])


def _hostile(notifier: Notifier, look: Received, *, looked: bool) -> None:
    """No name keeps a notice from being taken, or becomes more than a name."""
    notices = [make_notice(n, service=text, note=f"{text} is at risk.") for n, text in enumerate(HOSTILE, start=100)]
    _sent(notifier, notices)
    if looked:
        found = "\n".join(look(notifier))
        lost = [notice.warning.id for notice in notices if notice.warning.id not in found]
        assert not lost, f"did not arrive: {lost}"
        for character in ("\x00", "\x1b", "\u202e"):
            assert character not in found, f"the control character {character!r} was passed on"
    odd = replace(make_notice(), id="w1:raised:1\r\nX-Header: 1")
    _sent(notifier, [odd])


def _long(notifier: Notifier, look: Received) -> None:
    """A note without end is cut, not refused; a message stays within what people read."""
    _sent(notifier, [make_notice(note="<&@> " * 60_000)])
    for text in look(notifier):
        assert len(text) < 1_000_000, f"a message of {len(text):,} characters"


def _repeat(notifier: Notifier, look: Received, *, exactly: bool) -> None:
    """Telling again what stands makes no second message of it."""
    standing = [make_notice(1), make_notice(2)]
    _sent(notifier, standing)
    for _ in range(3):
        notifier.repeat(standing)
    notifier.repeat([])
    if exactly:
        assert len(look(notifier)) == 2, f"{len(look(notifier))} messages of 2 notices that were repeated"


def _unreachable(notifier: Notifier, secrets: Sequence[str]) -> None:
    """NotifierError, nothing taken, no secret in it; nothing to tell needs no receiver."""
    assert notifier.send([]) == frozenset(), "nothing to send, and yet something was taken"
    try:
        taken = notifier.send([make_notice()])
    except NotifierError as error:
        said = f"{error} {error.as_dict()} {error.args} {error.__context__ if not error.__suppress_context__ else ''}"
        for secret in secrets:
            assert secret not in said, "the error shows a secret"
        assert notifier.name in said, f"the error does not name the notifier: {said}"
        return
    raise AssertionError(f"NotifierError was not raised; taken: {sorted(taken)}")
