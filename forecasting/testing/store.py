"""Batteries of checks for metric stores and ledgers, for authors of adapters and for our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._rows import rows_sha256
from forecasting.ports import IngestReport, MetricStore
from forecasting.terms.errors import InputError
from forecasting.terms.ticket import TICKET_COLUMNS
from forecasting.testing._inputs import NAMES, NUMBERS, make_rows, make_tickets, refused
from forecasting.testing._ledger import check_ledger

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_ledger", "check_metric_store"]

NamedCheck = tuple[str, Callable[[], None]]


def check_metric_store(
    make: Callable[[], MetricStore], *, damage: Callable[[MetricStore], None] | None = None, big: int = 200_000
) -> Iterator[NamedCheck]:
    """Yield named checks of a metric store's contract; each raises AssertionError with the finding, or passes.

    Parameters
    ----------
    make : function
        Makes a new, empty store each time.
    damage : function or None
        Changes one stored value of the service ``shop`` behind the store's back; None = not checked.
    big : int
        Rows of the big batch.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from forecasting.adapters.store import DuckdbMetrics
    >>> checks = check_metric_store(lambda: DuckdbMetrics(Path(tempfile.mkdtemp()) / "metrics.duckdb"), big=1000)
    >>> name, check = next(checks)
    >>> check()
    >>> name
    'an empty store'
    """
    checks: dict[str, Callable[[MetricStore], None]] = {
        "an empty store": _empty_store,
        "rows come back": _rows_come_back,
        "names": _names,
        "numbers and times": _numbers_and_times,
        "parts of it": _filters,
        "what there is": _extent,
        "the same rows again": _idempotent,
        "chunks": _chunks,
        "a source that fails half-way": _atomic,
        "another value is refused": _conflict,
        "another value is kept as a later version": _restate,
        "missing values": _missing,
        "what a source remembers": _state,
        "rows that are not canonical": _not_canonical,
        "tickets": _tickets,
        "writers at the same time": _writers,
        "a big batch": lambda store: _big(store, big),
    }
    for name, check in checks.items():
        yield name, _bound(check, make)
    if damage is not None:
        yield "verify finds a changed value", _bound(lambda store: _damaged(store, damage), make)


def _bound(check: Callable[[MetricStore], None], make: Callable[[], MetricStore]) -> Callable[[], None]:
    """Give a check its own new store."""
    return lambda: check(make())


def _put(store: MetricStore, *frames: pd.DataFrame, source: str = "a", restate: bool = False) -> IngestReport:
    """Append frames as the chunks of one source."""
    return store.append(
        [(frame, {}) for frame in frames], source=source, corrections="restate" if restate else "refuse"
    )


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare rows, in order."""
    assert list(found.columns) == ["service", "metric", "at", "value"], f"columns {list(found.columns)}"
    assert str(found["at"].dtype) == "datetime64[us]", f"at is {found['at'].dtype}"
    assert found["value"].dtype == np.float64, f"value is {found['value'].dtype}"
    for column in ("service", "metric", "at", "value"):
        assert found[column].tolist() == expected[column].tolist(), f"{column} came back changed"


def _empty_store(store: MetricStore) -> None:
    """Nothing was ever stored."""
    assert store.head() == 0, "the number of the last batch of an empty store is not 0"
    assert store.state_of("a") is None, "an empty store remembers a state"
    tickets = store.read_tickets()
    assert list(tickets.columns) == list(TICKET_COLUMNS), f"columns {list(tickets.columns)}"
    assert tickets.empty, "tickets in an empty store"


def _rows_come_back(store: MetricStore) -> None:
    """Every field, sorted, and the report."""
    import pandas as pd

    rows = pd.concat([make_rows(service="b"), make_rows(service="a"), make_rows(service="a", metric="calls")])
    shuffled = rows.sample(frac=1, random_state=1)
    before = shuffled.copy()
    report = store.append([(shuffled, {"empty cell": 3})], source="a")
    pd.testing.assert_frame_equal(shuffled, before)
    counts = (report.rows_read, report.rows_new, report.rows_known, report.rows_restated)
    assert counts == (300, 300, 0, 0), f"rows read, new, known, restated: {counts}"
    assert report.sha256 == rows_sha256(rows), "the hash is not that of the rows"
    assert not report.unchanged, "rows were read, but it is reported as unchanged"
    first, last = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 5, 3, tzinfo=UTC)
    assert (report.first, report.last) == (first, last), f"from {report.first} to {report.last}"
    _same(store.read(), rows.sort_values(["service", "metric", "at"]))
    assert store.head() == 1, "one append is not one batch"
    batches = store.batches()
    wanted = ["id", "source", "rows_read", "rows_new", "rows_known", "rows_restated", "cleaned", "sha256"]
    assert list(batches.columns)[:8] == wanted, f"columns {list(batches.columns)}"
    assert batches["cleaned"].tolist() == ['{"empty cell": 3}'], "what was cleaned is not kept"
    assert batches["sha256"].tolist() == [report.sha256], "the hash is not kept"
    assert not store.verify(), f"damage in a new store: {store.verify()}"


def _names(store: MetricStore) -> None:
    """Names are data: never guessed at, never SQL, sorted by code point."""
    import pandas as pd

    expected = pd.concat([make_rows(2, service=name, metric=name) for name in sorted(NAMES)])
    half = len(expected) // 2
    parts = [(expected.iloc[half:], dict.fromkeys(NAMES, 1)), (expected.iloc[:half], {})]
    assert store.append(parts, source="all").rows_new == len(expected), "names fall together"
    sources = [name for name in NAMES if not name.isalnum()][::3]
    for number, name in enumerate(sources):
        store.append([(make_rows(1, first=number, service="x"), {})], source=name, state=lambda: "'--")
        assert store.state_of(name) == "'--", f"the state of {name!r} is not found"
    _same(store.read(services=NAMES), expected)
    for name in NAMES[:: len(NAMES) // 8]:
        assert set(store.read(services=[name], metrics=[name])["service"]) == {name}, f"{name!r} is not found"
    assert store.batches()["source"].tolist() == ["all", *sources], "names of sources came back changed"
    assert not store.verify(), f"damage: {store.verify()}"


def _numbers_and_times(store: MetricStore) -> None:
    """Every bit of a number and every microsecond."""
    rows = make_rows(len(NUMBERS)).assign(value=list(NUMBERS))
    stamps = ["1990-01-01T00:00:00.000000", "2099-12-31T23:59:59.999999", "2027-02-28T23:59:59.000001"]
    at = np.sort(np.concatenate([rows["at"].to_numpy()[3:], np.array(stamps, dtype="datetime64[us]")]))
    rows["at"] = at
    _put(store, rows)
    _same(store.read(), rows)
    assert _put(store, make_rows(1, service="zero").assign(value=-0.0)).rows_new == 1, "a zero was not kept"
    assert _put(store, make_rows(1, service="zero").assign(value=0.0)).rows_known == 1, "-0.0 and 0.0 are not the same"


def _filters(store: MetricStore) -> None:
    """Up to a time, of some names, as of a batch."""
    for number, service in enumerate(("a", "b", "c")):
        _put(store, make_rows(10, service=service), make_rows(10, service=service, metric=f"m{number}"))
    until = datetime(2027, 1, 1, 7, tzinfo=timezone(timedelta(hours=2)))
    assert store.read(until=until)["at"].max() == np.datetime64("2027-01-01T04:00", "us"), "until is not exclusive"
    naive = store.read(until=until.astimezone(UTC).replace(tzinfo=None))
    assert len(naive) == len(store.read(until=until)) == 30, "a naive time does not mean UTC"
    assert store.read(until=datetime(2020, 1, 1, tzinfo=UTC)).empty, "rows before the first"
    assert set(store.read(services=["a", "c"])["service"]) == {"a", "c"}, "other services"
    assert set(store.read(metrics=["m1", "m2"])["metric"]) == {"m1", "m2"}, "other metrics"
    both = store.read(services=["a", "b"], metrics=["orders"], until=until)
    assert (len(both), set(both["metric"]), set(both["service"])) == (10, {"orders"}, {"a", "b"}), "not both filters"
    for nothing in (store.read(services=[]), store.read(metrics=["' OR '1'='1"]), store.read(services=["A"])):
        assert nothing.empty, "rows of services that were not asked for"
        assert str(nothing["at"].dtype) == "datetime64[us]", "an empty answer has other types"
    assert set(store.read(batch=2)["service"]) == {"a", "b"}, "rows of a later batch"
    assert store.read(batch=0).empty, "rows before the first batch"
    for number in (-1, 4):
        refused(lambda number=number: store.read(batch=number))  # type: ignore[misc]
        refused(lambda number=number: store.read_tickets(batch=number))  # type: ignore[misc]


def _extent(store: MetricStore) -> None:
    """Number of rows, first and last time of every series, up to a time and as of a batch."""
    _put(store, make_rows(10, service="b"), make_rows(5, first=3, service="a"))
    _put(store, make_rows(10, service="b").assign(value=-1.0), make_rows(1, service="c"), restate=True)
    found = store.extent()
    assert list(found.columns) == ["service", "metric", "rows", "first", "last"], f"columns {list(found.columns)}"
    assert {str(found[name].dtype) for name in ("first", "last")} == {"datetime64[us]"}, "times of another type"
    assert found["service"].tolist() == ["a", "b", "c"], f"services {found['service'].tolist()}"
    assert found["rows"].tolist() == [5, 10, 1], f"rows {found['rows'].tolist()}: each time counts once"
    last = [stamp.isoformat() for stamp in found["last"]]
    assert last == ["2027-01-01T07:00:00", "2027-01-01T09:00:00", "2027-01-01T00:00:00"], f"last {last}"
    before = store.extent(until=datetime(2027, 1, 1, 4, tzinfo=UTC), batch=1)
    assert before["rows"].tolist() == [1, 4], f"up to a time: {before['rows'].tolist()}"
    assert before["first"].tolist()[0].hour == 3, "the first time is another"
    assert store.extent(until=datetime(2020, 1, 1, tzinfo=UTC)).empty, "series without rows are listed"


def _idempotent(store: MetricStore) -> None:
    """The same rows in any part and order change nothing."""
    rows, rng = make_rows(60), np.random.default_rng(3)
    for _ in range(4):
        size, seed = int(rng.integers(5, 40)), int(rng.integers(1000))
        _put(store, rows.sample(n=size, random_state=seed))
    _put(store, rows)
    before = (rows_sha256(store.read()), store.head(), len(store.batches()))
    assert before[0] == rows_sha256(rows), "parts do not add up to the whole"
    for again in (rows, rows[::-1], rows.iloc[10:20]):
        report = _put(store, again, source="again")
        assert (report.rows_new, report.rows_known) == (0, len(again)), f"known rows counted as new: {report}"
    assert (rows_sha256(store.read()), store.head(), len(store.batches())) == before, "known rows changed the store"
    assert not store.verify(), f"damage: {store.verify()}"


def _chunks(store: MetricStore) -> None:
    """A source in chunks is one batch; the same row may come in two of them, another value may not."""
    rows = make_rows(90)
    report = _put(store, rows.iloc[60:], rows.iloc[:40], rows.iloc[30:70])
    assert (report.rows_read, report.rows_new) == (90, 90), f"read {report.rows_read}, new {report.rows_new}"
    assert report.cleaned == {"duplicate row, same value": 20}, f"repeated rows are not counted: {report.cleaned}"
    assert report.sha256 == rows_sha256(rows), "the hash depends on how the rows were cut"
    assert store.head() == 1, "chunks of one source became several batches"
    _same(store.read(), rows)
    twice = make_rows(5, service="twice")
    said = refused(lambda: _put(store, twice, twice.assign(value=9.5)))
    assert "twice" in said, f"the row is not named: {said}"
    refused(lambda: _put(store, make_rows(5), make_rows(5).assign(value=9.5), restate=True))
    assert set(store.read()["service"]) == {"shop"}, "a refused batch left rows"
    nothing = store.append([], source="a", state=None)
    assert nothing.unchanged, "no chunk at all is not reported as unchanged"
    assert (nothing.rows_read, store.head()) == (0, 1), "no chunk at all made a batch"
    assert not _put(store, rows.iloc[:0]).unchanged, "a chunk without rows was read all the same"
    assert store.head() == 1, "a chunk without rows made a batch"


def _atomic(store: MetricStore) -> None:
    """A source that breaks after some chunks leaves nothing."""
    store.append([(make_rows(10), {})], source="a", state=lambda: "one")

    def broken() -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        yield make_rows(10, first=10), {}
        raise InputError(argument="line", came="x", allowed="a number", try_instead="12.5")

    refused(lambda: store.append(broken(), source="a", state=lambda: "two"))
    changed = make_rows(10).assign(value=-1.0)
    refused(lambda: store.append([(make_rows(10, first=10), {}), (changed, {})], source="a", state=lambda: "two"))
    assert store.state_of("a") == "one", "the state of a source that failed was kept"
    assert store.head() == 1, "a source that failed made a batch"
    _same(store.read(), make_rows(10))


def _conflict(store: MetricStore) -> None:
    """The message names service, metric, time, both values and the line."""
    _put(store, make_rows(10))
    changed = make_rows(20).assign(value=lambda f: f["value"].where(f["value"] != 10.5, -1.0))
    said = refused(lambda: _put(store, changed, source="b.csv"))
    for part in ("b.csv", "shop orders 2027-01-01T07:00:00Z", "stored 10.5", "now -1", "line 9", "nothing was written"):
        assert part in said, f"{part!r} is not in the message: {said}"
    _same(store.read(), make_rows(10))
    assert _put(store, make_rows(20), source="b.csv").rows_new == 10, "the corrected file was not taken"


def _restate(store: MetricStore) -> None:
    """Each batch's view stays readable; the earlier value again is one more version."""
    rows = make_rows(10)
    changed = make_rows(12).assign(value=lambda f: f["value"].where(f["value"] != 10.5, -1.0))
    _put(store, rows)
    report = _put(store, changed, restate=True)
    counts = (report.rows_read, report.rows_new, report.rows_known, report.rows_restated)
    assert counts == (12, 2, 9, 1), f"rows read, new, known, restated: {counts}"
    assert _put(store, changed, restate=True).rows_restated == 0, "the same correction again made a version"
    assert _put(store, rows, restate=True).rows_restated == 1, "the first value again is no version"
    assert store.head() == 3, f"{store.head()} batches instead of 3"
    for batch, expected in ((1, rows), (2, changed), (3, make_rows(12))):
        _same(store.read(batch=batch), expected)
    _same(store.read(), make_rows(12))
    assert store.batches()["rows_restated"].tolist() == [0, 1, 1], "the batches do not say what was restated"
    refused(lambda: _put(store, changed))
    assert not store.verify(), f"damage: {store.verify()}"


def _missing(store: MetricStore) -> None:
    """No value is not kept, fills later, and takes nothing back."""
    rows = make_rows(10)
    gap = rows.assign(value=rows["value"].where(rows["value"] != 6.0))
    report = store.append([(gap, {"empty cell": 1})], source="a")
    assert (report.rows_read, report.rows_new, report.rows_known) == (10, 9, 0), f"a missing value was kept: {report}"
    assert report.sha256 == rows_sha256(gap[gap["value"].notna()]), "the hash is not that of the values"
    assert _put(store, rows).rows_new == 1, "a later value did not fill the gap"
    for restate in (False, True):
        report = _put(store, gap, restate=restate)
        assert (report.rows_new, report.rows_restated) == (0, 0), "a missing value changed a stored one"
    _same(store.read(), rows)


def _state(store: MetricStore) -> None:
    """Kept with the rows, by source, also where no row was new."""
    text = '{"sha256": "é\\u0000", "latest": "2027-01-01T00:00:00Z"}'
    store.append([(make_rows(5), {})], source="a", state=lambda: "one")
    store.append([(make_rows(5), {})], source="b", state=lambda: text)
    assert (store.state_of("a"), store.state_of("b"), store.state_of("c")) == ("one", text, None), "states are mixed up"
    store.append([(make_rows(5), {})], source="a", state=lambda: "two")
    assert store.state_of("a") == "two", "the state is not kept where no row was new"
    _put(store, make_rows(6), source="a")
    assert store.state_of("a") == "two", "an append without a state took the old one away"
    exhausted: list[int] = []

    def chunks() -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        yield make_rows(7), {}
        exhausted.append(1)

    store.append(chunks(), source="a", state=lambda: f"after {len(exhausted)}")
    assert store.state_of("a") == "after 1", "the state was asked before the chunks were exhausted"


def _not_canonical(store: MetricStore) -> None:
    """What no source should hand over is refused whole."""
    import pandas as pd

    rows = make_rows(3)
    bad: Mapping[str, pd.DataFrame] = {
        "a missing column": rows.drop(columns="at"),
        "times with a zone": rows.assign(at=rows["at"].dt.tz_localize("UTC")),
        "a time that is none": rows.assign(at=rows["at"].where(rows["value"] < 3.0)),
        "infinity": rows.assign(value=np.inf),
        "no service": rows.assign(service=None),
        "an empty service": rows.assign(service=""),
        "a service that is a number": rows.assign(service=7),
        "a time twice": pd.concat([rows, rows]),
    }
    _put(store, make_rows(3, service="known"))
    for what, frame in bad.items():
        try:
            refused(lambda frame=frame: _put(store, frame))  # type: ignore[misc]
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from None
    assert (store.head(), len(store.read())) == (1, 3), "refused rows left something"


def _tickets(store: MetricStore) -> None:
    """New ones, new states of known ones, each batch's view."""
    import pandas as pd

    tickets = make_tickets()
    report = store.append_tickets(tickets[::-1], source="desk", cleaned={"empty cell": 2})
    assert (report.rows_read, report.rows_new, report.rows_known) == (5, 5, 0), f"first time: {report}"
    again = store.append_tickets(tickets, source="desk", cleaned={})
    assert (again.rows_new, again.rows_known, again.rows_restated) == (0, 5, 0), f"the same again: {again}"
    assert again.sha256 == report.sha256, "the hash depends on the order"
    changed = make_tickets(6)
    changed.loc[2, "resolved"] = pd.Timestamp("2027-01-02T00:00:00.000001")
    changed.loc[3, "priority"] = "'; DROP TABLE ticket_row; --"
    changed.loc[4, "service"] = "NA"
    report = store.append_tickets(changed, source="desk", cleaned={})
    counts = (report.rows_new, report.rows_known, report.rows_restated)
    assert counts == (2, 2, 2), f"new, known, restated: {counts}"
    assert store.head() == 2, f"{store.head()} batches instead of 2"
    _same_tickets(store.read_tickets(batch=1), tickets)
    expected = pd.concat([changed, tickets.iloc[4:5]]).sort_values(["service", "ticket"])
    _same_tickets(store.read_tickets(), expected)
    refused(lambda: store.append_tickets(pd.concat([tickets, tickets]), source="desk", cleaned={}))
    _put(store, make_rows(3))
    assert store.batches()["rows_restated"].tolist() == [0, 2, 0], "tickets and rows do not share the list of batches"
    assert not store.verify(), f"damage: {store.verify()}"


def _same_tickets(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare tickets, in order."""
    assert list(found.columns) == list(TICKET_COLUMNS), f"columns {list(found.columns)}"
    for column in TICKET_COLUMNS:
        if column in ("opened", "responded", "resolved"):
            assert str(found[column].dtype) == "datetime64[us]", f"{column} is {found[column].dtype}"
        came, wanted = found[column].astype("str").tolist(), expected[column].astype("str").tolist()
        assert came == wanted, f"{column} came back changed: {came}, {wanted}"


def _writers(store: MetricStore) -> None:
    """Nothing is lost, nothing is there twice, readers see whole batches."""

    def write(number: int) -> int:
        return sum(_put(store, make_rows(20, first=20 * part, service=f"s{number % 3}")).rows_new for part in range(4))

    with ThreadPoolExecutor(6) as pool:
        new = sum(pool.map(write, range(6)))
    assert new == 240, f"{new} rows reported as new, 240 are different"
    found = store.read()
    assert len(found) == 240, f"{len(found)} rows instead of 240"
    assert store.head() == 12, f"{store.head()} batches instead of 12"
    assert not store.verify(), f"damage: {store.verify()}"


def _big(store: MetricStore, count: int) -> None:
    """Many rows in chunks."""
    import pandas as pd

    each = count // 20
    rows = pd.concat([make_rows(each, service=f"s{number:02d}") for number in range(20)], ignore_index=True)
    step = max(count // 4 + 1, 1)
    parts = [rows.iloc[start : start + step] for start in range(0, len(rows), step)]
    report = _put(store, *parts)
    assert report.rows_new == len(rows), f"{report.rows_new} rows new instead of {len(rows)}"
    assert report.sha256 == rows_sha256(rows), "the hash depends on how the rows were cut"
    assert rows_sha256(store.read()) == report.sha256, "the rows came back changed"
    assert _put(store, *parts[::-1]).rows_known == len(rows), "the same rows again are not known"
    assert not store.verify(), f"damage: {store.verify()}"


def _damaged(store: MetricStore, damage: Callable[[MetricStore], None]) -> None:
    """One value changed behind the store's back is found."""
    _put(store, make_rows(20))
    _put(store, make_rows(20, service="other"))
    assert not store.verify(), f"damage before any: {store.verify()}"
    damage(store)
    found = " | ".join(store.verify())
    assert "batch 1" in found, f"the changed batch is not named: {found!r}"
    assert "batch 2" not in found, f"a batch that is as it was is named: {found!r}"
