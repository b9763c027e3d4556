"""Stores under kill -9, several writers, flipped bits and full disks: nothing acknowledged is lost or altered."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.adapters._rows import rows_sha256
from forecasting.adapters.store import DuckdbMetrics, SqliteLedger
from forecasting.terms.errors import ForecastingError, StoreError
from forecasting.terms.ticket import TICKET_COLUMNS

AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
BATCH = 50
CHUNKS = 3
Chunks = Iterator[tuple[pd.DataFrame, Mapping[str, int]]]

# One server process imports the libraries; every writer is forked from it within milliseconds.
WRITERS = multiprocessing.get_context("forkserver")
WRITERS.set_forkserver_preload(
    ["pandas", "pyarrow", "duckdb", "sqlalchemy.dialects.sqlite", "forecasting.adapters.store"]
)


def make_rows(count: int = 100, first: int = 0, service: str = "shop") -> pd.DataFrame:
    at = pd.to_datetime("2027-01-01") + pd.to_timedelta(np.arange(first, first + count), unit="min")
    return pd.DataFrame({"service": service, "metric": "orders", "at": at.astype("datetime64[us]"),
                         "value": np.arange(first, first + count) * 1.5})  # fmt: skip


def in_chunks(name: str, batch: int) -> Chunks:
    """Give the rows of one batch in several chunks, with a moment between them."""
    for part in range(CHUNKS):
        first = (batch * CHUNKS + part) * BATCH
        yield make_rows(BATCH, first=first, service=name).assign(value=float(batch)), {}
        time.sleep(0.002)


def write_batches(folder: Path, name: str, numbers: range, acknowledge: Connection) -> None:
    store, ledger = DuckdbMetrics(folder / "m.duckdb", wait_seconds=300), SqliteLedger(folder / "l.db")
    for batch in numbers:
        store.append(in_chunks(name, batch), source=name, state=lambda batch=batch: str(batch))
        ledger.record("run", [(f"{name}-{batch}-{i}", {"batch": batch}) for i in range(BATCH)], as_of=AS_OF, run_id="r")
        acknowledge.send(batch)


def start_writer(folder: Path, name: str, numbers: range) -> tuple[BaseProcess, Connection]:
    ours, theirs = WRITERS.Pipe(duplex=False)
    writer = WRITERS.Process(target=write_batches, args=(folder, name, numbers, theirs), daemon=True)
    writer.start()
    theirs.close()
    return writer, ours


def acknowledged_until_the_end(ours: Connection) -> Iterator[int]:
    try:
        while True:
            yield ours.recv()
    except EOFError:
        return


def kill_at_random(folder: Path, kills: int, seed: int) -> None:
    """Kill writers at random moments: what was acknowledged is there, and only whole sources are."""
    rng, acknowledged = random.Random(seed), set[int]()
    store, ledger = DuckdbMetrics(folder / "m.duckdb"), SqliteLedger(folder / "l.db")
    for _ in range(kills):
        first = max(acknowledged, default=-1) + 1
        writer, ours = start_writer(folder, "w", range(first, first + 10_000))
        acknowledged.add(ours.recv())  # the first batch is committed: kill while it works on the next ones
        time.sleep(rng.uniform(0, 0.1))
        writer.kill()
        acknowledged.update(acknowledged_until_the_end(ours))
        writer.join()
        found = store.read().groupby("value").size()
        assert set(found) == {BATCH * CHUNKS}
        assert acknowledged <= {int(value) for value in found.index}
        # The state is of the same moment as the rows.
        assert store.state_of("w") == str(int(found.index.max()))
        kept = pd.Series([entry.payload["batch"] for entry in ledger.entries("run")]).value_counts()
        assert set(kept) == {BATCH}
        assert acknowledged <= set(kept.index)
    assert len(acknowledged) >= kills
    assert store.verify() == ()
    assert ledger.verify() == ()
    DuckdbMetrics(store.path).append(in_chunks("w", 10**6), source="w")
    left = sorted(path.name for path in folder.iterdir() if path.name.startswith("m.duckdb"))
    assert left == ["m.duckdb", "m.duckdb.lock"], "the next writer removes what a killed one left"


def test_kill_9_loses_no_acknowledged_row_and_leaves_no_half_source(tmp_path: Path) -> None:
    kill_at_random(tmp_path, kills=8, seed=11)


@pytest.mark.nightly
def test_kill_9_two_hundred_times(tmp_path: Path) -> None:
    kill_at_random(tmp_path, kills=200, seed=12)


def write_together(folder: Path, writers: int, batches: int) -> None:
    """Let processes write at the same time, and read meanwhile: every read is a whole state."""
    started = [start_writer(folder, f"w{i}", range(batches)) for i in range(writers)]
    store, reads = DuckdbMetrics(folder / "m.duckdb"), 0
    seen = 0
    while any(writer.is_alive() for writer, _ in started):
        if store.path.exists():
            sizes = store.read().groupby(["service", "value"]).size()
            assert set(sizes) == {BATCH * CHUNKS}
            assert len(sizes) >= seen, "a later read shows no less"
            seen, reads = len(sizes), reads + 1
    assert [writer.exitcode for writer, _ in started] == [0] * writers
    assert reads > 3
    rows = store.read()
    assert len(rows) == writers * batches * CHUNKS * BATCH
    assert not rows.duplicated(["service", "metric", "at"]).any()
    ledger = SqliteLedger(folder / "l.db")
    assert [entry.sequence for entry in ledger.entries()] == list(range(1, writers * batches * BATCH + 1))
    assert store.verify() == ()
    assert ledger.verify() == ()


def test_writers_at_the_same_time_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    write_together(tmp_path, writers=4, batches=4)


@pytest.mark.nightly
def test_eight_writers_with_25_batches_each_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    write_together(tmp_path, writers=8, batches=25)


def full_store(path: Path) -> DuckdbMetrics:
    """A store with rows of several series, restated ones, tickets and a source's state."""
    store = DuckdbMetrics(path)
    parts = [(make_rows(2000, service=f"s{i}"), {"empty cell": i}) for i in range(4)]
    store.append(parts, source="a", state=lambda: "state")
    store.append([(make_rows(50).assign(service="s1", value=-1.0), {})], source="b", corrections="restate")
    tickets = pd.DataFrame({name: [f"t{i}" for i in range(40)] for name in TICKET_COLUMNS})
    for name in ("opened", "responded", "resolved"):
        tickets[name] = pd.to_datetime("2027-03-01").as_unit("us")
    store.append_tickets(tickets, source="desk", cleaned={})
    return store


def content(store: DuckdbMetrics) -> tuple[object, ...]:
    """Everything a reader can see."""
    rows = [rows_sha256(store.read(batch=batch)) for batch in (None, 1)]
    return (*rows, store.read_tickets().to_json(), store.batches().to_json(), store.state_of("a"))


def flip_bits(folder: Path, flips: int, seed: int) -> int:
    """Flip single bits: the content is the same, or reading or verifying says that it is not; return how often."""
    store = full_store(folder / "m.duckdb")
    expected, data, rng = content(store), store.path.read_bytes(), random.Random(seed)
    copy, found = folder / "copy.duckdb", 0
    for _ in range(flips):
        damaged = bytearray(data)
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        copy.write_bytes(damaged)
        flipped = DuckdbMetrics(copy)
        try:
            same, damages = content(flipped) == expected, flipped.verify()
        except StoreError:
            found += 1
            continue
        assert same or damages
        found += bool(damages)
    return found


def test_a_bit_flip_never_gives_other_data_unnoticed(tmp_path: Path) -> None:
    assert flip_bits(tmp_path, 50, seed=5) > 0


@pytest.mark.nightly
def test_a_thousand_bit_flips_never_give_other_data_unnoticed(tmp_path: Path) -> None:
    assert flip_bits(tmp_path, 1000, seed=6) > 100


def write_limited(folder: Path, limit: int, answer: Connection) -> None:
    """Write more rows than a file may hold, until it is refused."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    store = DuckdbMetrics(folder / "m.duckdb")
    try:
        for batch in itertools.count():
            rng = np.random.default_rng(batch)
            rows = [
                (make_rows(5000, first=(batch * 3 + i) * 5000).assign(value=rng.random(5000)), {}) for i in range(3)
            ]
            store.append(rows, source="w")
            answer.send(batch)
    except ForecastingError as error:
        answer.send(str(error))


def fill_up(folder: Path, limits: list[int]) -> None:
    """Let writers run into a limit of the file size: a plain refusal, and everything acknowledged is kept."""
    for index, limit in enumerate(limits):
        place = folder / str(index)
        place.mkdir()
        store = full_store(place / "m.duckdb") if index % 2 else DuckdbMetrics(place / "m.duckdb")
        ours, theirs = WRITERS.Pipe(duplex=False)
        writer = WRITERS.Process(target=write_limited, args=(place, limit, theirs), daemon=True)
        writer.start()
        theirs.close()
        *acknowledged, said = acknowledged_until_the_end(ours)
        writer.join()
        assert writer.exitcode == 0
        assert "stored before is unchanged" in str(said), said
        assert "allowed: " in str(said)
        assert not [path.name for path in place.iterdir() if "incoming" in path.name]
        if store.path.exists():
            kept = store.read(services=["shop"])
            assert len(kept) == 15_000 * len(acknowledged)
            assert store.verify() == ()
        else:
            assert not acknowledged


def test_a_full_disk_is_refused_with_what_is_needed_and_loses_nothing(tmp_path: Path) -> None:
    fill_up(tmp_path, [0, 100_000, 400_000, 900_000, 1_500_000])


@pytest.mark.nightly
def test_a_full_disk_at_fifty_sizes(tmp_path: Path) -> None:
    fill_up(tmp_path, [random.Random(i).randrange(3_000_000) for i in range(50)])


def append_as_nobody(folder: Path, answer: Connection) -> None:
    """Try to write where only others may, saying whether a row was asked for."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)

    def chunks() -> Chunks:
        answer.send("read")
        yield make_rows(1), {}

    try:
        DuckdbMetrics(folder / "m.duckdb").append(chunks(), source="a")
    except StoreError as error:
        answer.send(str(error))
    else:
        answer.send("written")


@pytest.mark.parametrize("lock_is_there", [False, True])
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_read(
    tmp_path_factory: pytest.TempPathFactory, lock_is_there: bool
) -> None:
    folder = tmp_path_factory.mktemp("closed")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    if lock_is_there:
        (folder / "m.duckdb.lock").touch()
        (folder / "m.duckdb.lock").chmod(0o666)
    folder.chmod(0o555)
    ours, theirs = WRITERS.Pipe(duplex=False)
    writer = WRITERS.Process(target=append_as_nobody, args=(folder, theirs), daemon=True)
    writer.start()
    theirs.close()
    [said] = acknowledged_until_the_end(ours)
    writer.join()
    folder.chmod(0o755)
    assert "Permission denied" in str(said)
    assert "folder that can be written" in str(said)


def test_a_source_that_fails_half_way_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store = full_store(tmp_path / "m.duckdb")
    before, expected = store.path.read_bytes(), content(store)

    def broken() -> Chunks:
        yield make_rows(100, service="new"), {}
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        store.append(broken(), source="broken")
    with pytest.raises(RuntimeError, match="no state"):
        store.append(in_chunks("new", 1), source="broken", state=no_state)
    assert store.path.read_bytes() == before
    assert content(store) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.duckdb", "m.duckdb.lock"]


def no_state() -> str:
    raise RuntimeError("no state")
