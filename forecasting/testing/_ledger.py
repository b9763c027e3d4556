"""The battery of checks for a ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

from forecasting.ports import Ledger
from forecasting.terms.errors import InputError, LedgerMovedError
from forecasting.testing._inputs import AS_OF, NAMES, refused

NamedCheck = tuple[str, Callable[[], None]]


def check_ledger(
    make: Callable[[], Ledger], *, damage: Callable[[Ledger], None] | None = None, big: int = 5_000
) -> Iterator[NamedCheck]:
    """Yield named checks of a ledger's contract; each raises AssertionError with the finding, or passes.

    Parameters
    ----------
    make : function
        Makes a new, empty ledger each time.
    damage : function or None
        Changes the payload of row 3 behind the ledger's back; None = not checked.
    big : int
        Rows of the big batch.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from forecasting.adapters.store import SqliteLedger
    >>> for name, check in check_ledger(lambda: SqliteLedger(Path(tempfile.mkdtemp()) / "ledger.db"), big=10):
    ...     check()
    >>> name
    'a big batch'
    """
    checks: dict[str, Callable[[Ledger], None]] = {
        "an empty ledger": _empty_ledger,
        "versions of a key": _versions,
        "parts of it": _ledger_parts,
        "keys and payloads": _ledger_texts,
        "payloads that are not plain JSON": _bad_payloads,
        "a source that fails half-way": _ledger_atomic,
        "writers at the same time": _ledger_writers,
        "a decision on what was read": _ledger_moved,
        "a big batch": lambda ledger: _ledger_big(ledger, big),
    }
    for name, check in checks.items():
        yield name, _bound_ledger(check, make)
    if damage is not None:
        yield "verify finds a changed row", _bound_ledger(lambda ledger: _ledger_damaged(ledger, damage), make)


def _bound_ledger(check: Callable[[Ledger], None], make: Callable[[], Ledger]) -> Callable[[], None]:
    """Give a check its own new ledger."""
    return lambda: check(make())


def _say(ledger: Ledger, kind: str, rows: Sequence[tuple[str, Mapping[str, object]]], *, day: int = 0) -> int:
    """Record rows."""
    return ledger.record(kind, rows, as_of=AS_OF + timedelta(days=day), run_id=f"r{day}")


def _empty_ledger(ledger: Ledger) -> None:
    """Nothing was ever recorded."""
    assert ledger.head() == (0, "0" * 64), f"head {ledger.head()}"
    assert list(ledger.entries()) == [], "rows in an empty ledger"
    assert list(ledger.verify()) == [], f"damage in an empty ledger: {ledger.verify()}"
    assert _say(ledger, "risk", []) == 0, "nothing to record is not 0 rows"


def _versions(ledger: Ledger) -> None:
    """The same payload is ignored, another one is the next version, the earlier one again is too."""
    assert _say(ledger, "risk", [("a", {"p": 0.1, "q": [1, None]}), ("b", {"p": 0.2})]) == 2, "new rows"
    assert _say(ledger, "risk", [("a", {"q": [1, None], "p": 0.1})], day=31) == 0, "the same payload in another order"
    assert _say(ledger, "risk", [("a", {"p": 0.3}), ("a", {"p": 0.3}), ("a", {"p": 0.1})], day=31) == 2, "new payloads"
    assert _say(ledger, "run", [("a", {"p": 0.1})], day=31) == 1, "another kind is another thing"
    assert _say(ledger, "risk", [("a", {"p": 0.3})], day=32) == 1, "an earlier payload again"
    found = [(e.sequence, e.kind, e.key, e.version) for e in ledger.entries()]
    assert found == [
        (1, "risk", "a", 1), (2, "risk", "b", 1), (3, "risk", "a", 2), (4, "risk", "a", 3), (5, "run", "a", 1),
        (6, "risk", "a", 4),
    ], f"rows {found}"  # fmt: skip
    assert ledger.head() == (6, ledger.entries()[-1].sha256), "the head is not the last row"
    assert not ledger.verify(), f"damage: {ledger.verify()}"


def _ledger_parts(ledger: Ledger) -> None:
    """By kind, key, cut-off and sequence."""
    for day in range(4):
        _say(ledger, "risk", [("a", {"day": day}), ("b", {"day": day})], day=day)
        _say(ledger, "run", [("a", {"day": day})], day=day)
    assert [e.payload["day"] for e in ledger.entries("risk", key="a")] == [0, 1, 2, 3], "versions of a key"
    assert {e.kind for e in ledger.entries(key="a")} == {"risk", "run"}, "a key of every kind"
    until = [e.sequence for e in ledger.entries(until=5)]
    assert until == [1, 2, 3, 4, 5], f"up to a sequence number: {until}"
    moment = (AS_OF + timedelta(days=1)).astimezone(timezone(timedelta(hours=9)))
    days = [e.payload["day"] for e in ledger.entries("risk", as_of=moment, key="b", until=11)]
    assert days == [0, 1], f"all conditions at once: {days}"
    assert not ledger.entries("risk", key="' OR '1'='1"), "a key is SQL"
    assert not ledger.entries("RISK"), "kinds do not depend on case"
    assert not ledger.entries(until=0), "rows before the first"
    assert all(e.as_of.utcoffset() == timedelta(0) for e in ledger.entries()), "as_of is not UTC"


def _ledger_texts(ledger: Ledger) -> None:
    """Keys and payloads come back as they went in."""
    payload: dict[str, object] = {
        "text": list(NAMES), "zero": 0, "float": 0.1, "big": 2**70, "none": None, "flags": [True, False],
        "nested": {"a": {"b": [{}, []]}}, "nul": "a\0b", "é": "\ud800",
    }  # fmt: skip
    rows = [(name, {**payload, "name": name}) for name in NAMES]
    assert _say(ledger, "run", rows) == len(NAMES), "keys fall together"
    found = {e.key: e.payload for e in ledger.entries("run")}
    assert found == dict(rows), "payloads came back changed"
    micros = AS_OF.replace(microsecond=1)
    ledger.record("x", [("k", {})], as_of=micros, run_id="'; DROP TABLE ledger; --")
    last = ledger.entries("x")[0]
    assert (last.as_of, last.run_id) == (micros, "'; DROP TABLE ledger; --"), "as_of or run_id came back changed"
    for key in ("a\0b", "\ud800", "k" * 3000):
        refused(lambda key=key: _say(ledger, "run", [(key, {})]))  # type: ignore[misc]
    assert not ledger.verify(), f"damage: {ledger.verify()}"


def _ledger_moved(ledger: Ledger) -> None:
    """What was decided before others recorded versions of the same keys is not appended; other keys do not matter."""

    def decide(rows: Sequence[tuple[str, Mapping[str, object]]], at: int) -> int:
        return ledger.record("risk", rows, as_of=AS_OF, run_id="r", decided_at=at)

    assert decide([("a", {"p": 1}), ("b", {"p": 1})], 0) == 2, "a new ledger"
    assert decide([("c", {"p": 1})], 0) == 1, "another key was recorded since"
    assert decide([("a", {"p": 2})], 3) == 1, "nothing was recorded since"
    try:
        decide([("d", {"p": 1}), ("a", {"p": 3})], 3)
    except LedgerMovedError:
        pass
    else:
        raise AssertionError("a decision on an older version was appended")
    assert ledger.head()[0] == 4, "a part of what was refused was appended"
    assert ledger.record("run", [("a", {"p": 1})], as_of=AS_OF, run_id="r", decided_at=0) == 1, "another kind"


def _bad_payloads(ledger: Ledger) -> None:
    """What JSON does not have is refused whole."""
    bad: list[dict[object, object]] = [
        {"p": float("nan")}, {"p": float("inf")}, {1: 2}, {"a": {2: 3}}, {"a": AS_OF}, {"a": {1}},
    ]  # fmt: skip
    for payload in bad:
        said = refused(lambda p=payload: _say(ledger, "risk", [("good", {"p": 1}), ("bad", p)]))  # type: ignore[misc]
        assert "plain JSON" in said, f"{payload}: {said}"
    naive = AS_OF.replace(tzinfo=None)
    said = refused(lambda: ledger.record("risk", [("good", {})], as_of=naive, run_id="r"))
    assert "time zone" in said, said
    assert ledger.head()[0] == 0, "a refused record left rows"


def _ledger_atomic(ledger: Ledger) -> None:
    """Rows that break while they are made leave nothing."""

    def broken() -> Iterator[tuple[str, Mapping[str, object]]]:
        yield "a", {"p": 1}
        raise InputError(argument="row", came="x", allowed="a number", try_instead="1")

    refused(lambda: ledger.record("risk", broken(), as_of=AS_OF, run_id="r"))
    assert ledger.head()[0] == 0, "rows of a record that failed"


def _ledger_writers(ledger: Ledger) -> None:
    """The chain stays a chain."""

    def write(number: int) -> int:
        return sum(
            _say(ledger, "run", [(f"{number}-{part}", {"n": number}), ("same", {"n": number, "part": part})])
            for part in range(5)
        )

    with ThreadPoolExecutor(8) as pool:
        new = sum(pool.map(write, range(8)))
    entries = ledger.entries()
    assert new == len(entries) == 80, f"{new} rows reported, {len(entries)} there, 80 are different"
    assert [e.sequence for e in entries] == list(range(1, 81)), "the numbers have gaps"
    assert [e.version for e in ledger.entries(key="same")] == list(range(1, 41)), "versions have gaps"
    assert not ledger.verify(), f"damage: {ledger.verify()}"


def _ledger_big(ledger: Ledger, count: int) -> None:
    """Many rows at once, and none of them again."""
    rows = [(f"key {number}", {"number": number, "text": json.dumps(list(range(10)))}) for number in range(count)]
    assert _say(ledger, "attainment", rows) == count, "rows are missing"
    assert _say(ledger, "attainment", rows[::-1], day=1) == 0, "known rows were recorded again"
    assert ledger.head()[0] == count, "the head does not count them"
    assert not ledger.verify(), f"damage: {ledger.verify()}"


def _ledger_damaged(ledger: Ledger, damage: Callable[[Ledger], None]) -> None:
    """A payload changed behind the ledger's back is found."""
    _say(ledger, "risk", [(f"k{number}", {"p": number}) for number in range(5)])
    assert not ledger.verify(), f"damage before any: {ledger.verify()}"
    damage(ledger)
    found = " | ".join(ledger.verify())
    assert "row 3" in found, f"the changed row is not named: {found!r}"
