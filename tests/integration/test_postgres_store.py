"""Metric store and ledger in PostgreSQL: nothing acknowledged is lost or doubled, whoever is killed."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pytest
from servers import CutProxy, PostgresServer, postgres, remove, start_postgres

from forecasting.adapters.store import PostgresLedger, PostgresMetrics
from forecasting.terms.errors import InputError, StoreError
from forecasting.testing._inputs import make_rows, make_tickets

__all__ = ["postgres"]
AS_OF = datetime(2027, 3, 1, tzinfo=UTC)
VARIABLE = "TEST_STORE_URL"
CANARY = "c4n4ry-p4ssw0rd"
BATCH = 50
NUMBERS = itertools.count()


@pytest.fixture
def url(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> str:
    address = postgres.url(postgres.empty_database("stores"))
    monkeypatch.setenv(VARIABLE, address)
    return address


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A server of its own for tests that kill or stop it."""
    server = start_postgres()
    yield server
    remove(server)


def open_both(namespace: str = "default", wait_seconds: float = 30.0) -> tuple[PostgresMetrics, PostgresLedger]:
    return (
        PostgresMetrics(VARIABLE, namespace=namespace, wait_seconds=wait_seconds),
        PostgresLedger(VARIABLE, namespace=namespace, wait_seconds=wait_seconds),
    )


def database_of(address: str) -> str:
    return address.rpartition("/")[2]


# --- the server itself refuses changes, and verify finds those it did not refuse


@pytest.mark.parametrize("table", ["ledger", "metric_row", "batch", "series", "ticket_row"])
def test_the_server_refuses_changes_of_rows(url: str, postgres: PostgresServer, table: str) -> None:
    import psycopg

    metrics, ledger = open_both()
    metrics.append([(make_rows(3), {})], source="a")
    metrics.append_tickets(make_tickets(), source="desk", cleaned={})
    ledger.record("risk", [("k", {"p": 1})], as_of=AS_OF, run_id="r")
    column = {"ledger": "payload = ''", "metric_row": "value = 0"}.get(table, "service = ''")
    column = "source = ''" if table == "batch" else column
    for statement in (f"UPDATE {table} SET {column}", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises(psycopg.IntegrityError, match="append-only"):
            postgres.execute("SET search_path = forecasting_default", statement, database=database_of(url))
    assert metrics.verify() == ()
    assert ledger.verify() == ()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ledger SET payload = '{\"p\":9}' WHERE sequence = 3", "row 3"),
        ("DELETE FROM ledger WHERE sequence = 3", "rows 3 to 3 are missing"),
        ("DELETE FROM ledger WHERE sequence = 5", "rows 5 to 5 are missing"),
        ("INSERT INTO ledger SELECT 6, kind, 'new', 1, as_of, run_id, payload, sha256 FROM ledger LIMIT 1", "row 6"),
        ("DELETE FROM ledger_head", "record of the last row is missing"),
        ("UPDATE series SET service = 'shoq'", "batch 1"),
        ("DELETE FROM series", "batch 1"),
        ("DELETE FROM metric_row WHERE value = 1.5", "19 rows, 20 were written"),
        ("DELETE FROM batch WHERE id = 1", "without an entry"),
        ("INSERT INTO metric_row SELECT series, at, value, 7 FROM metric_row LIMIT 1", "batch 7"),
        ("UPDATE ticket_row SET priority = '1'", "batch 2"),
        ("DELETE FROM ticket_row", "0 rows, 5 were written"),
    ],
)
def test_verify_finds_what_was_changed_behind_its_back(
    url: str, postgres: PostgresServer, statement: str, said: str
) -> None:
    metrics, ledger = open_both()
    metrics.append([(make_rows(20), {})], source="a")
    metrics.append_tickets(make_tickets(), source="desk", cleaned={})
    ledger.record("risk", [(f"k{i}", {"p": i}) for i in range(5)], as_of=AS_OF, run_id="r")
    off = "SET search_path = forecasting_default", "SET session_replication_role = replica"  # no triggers
    postgres.execute(*off, statement, database=database_of(url))
    assert said in " | ".join([*metrics.verify(), *ledger.verify()])


# --- several people at the same time


WRITERS = multiprocessing.get_context("forkserver")
WRITERS.set_forkserver_preload(["pandas", "psycopg", "sqlalchemy.dialects.postgresql", "forecasting.adapters.store"])


def write_batches(address: str, name: str, numbers: range, acknowledge: Connection) -> None:
    os.environ[VARIABLE] = address
    metrics, ledger = open_both()
    for batch in numbers:
        rows = make_rows(BATCH, first=batch * BATCH, service=name).assign(value=float(batch))
        metrics.append([(rows.iloc[:20], {}), (rows.iloc[20:], {})], source=name, state=lambda b=batch: str(b))  # type: ignore[misc]
        entries = [(f"{name}-{batch}-{i}", {"batch": batch}) for i in range(BATCH)]
        ledger.record("run", entries, as_of=AS_OF, run_id="r")
        acknowledge.send(batch)


def start_writer(address: str, name: str, numbers: range) -> tuple[BaseProcess, Connection]:
    ours, theirs = WRITERS.Pipe(duplex=False)
    writer = WRITERS.Process(target=write_batches, args=(address, name, numbers, theirs), daemon=True)
    writer.start()
    theirs.close()
    return writer, ours


def acknowledged_until_the_end(ours: Connection) -> Iterator[int]:
    with contextlib.suppress(EOFError):
        while True:
            yield ours.recv()


def check_whole_batches(metrics: PostgresMetrics, ledger: PostgresLedger, acknowledged: set[int]) -> None:
    found = metrics.read().groupby(["service", "value"]).size()
    assert set(found) == {BATCH}
    assert acknowledged <= {int(value) for _, value in found.index}
    kept: dict[object, int] = {}
    for entry in ledger.entries("run"):
        kept[entry.payload["batch"]] = kept.get(entry.payload["batch"], 0) + 1
    assert set(kept.values()) == {BATCH}
    assert acknowledged <= set(kept)


def test_eight_writers_lose_nothing_and_double_nothing(url: str) -> None:
    each = 3
    writers = [start_writer(url, f"w{i}", range(each)) for i in range(8)]
    metrics, ledger = open_both()
    while any(writer.is_alive() for writer, _ in writers):
        if metrics.head():
            assert set(metrics.read().groupby(["service", "value"]).size()) == {BATCH}  # only whole batches
        time.sleep(0.05)
    assert [writer.exitcode for writer, _ in writers] == [0] * 8
    assert len(metrics.read()) == 8 * each * BATCH
    assert metrics.batches()["id"].tolist() == list(range(1, 8 * each + 1))
    assert [metrics.state_of(f"w{i}") for i in range(8)] == [str(each - 1)] * 8
    assert [entry.sequence for entry in ledger.entries()] == list(range(1, 8 * each * BATCH + 1))
    assert metrics.verify() == ()
    assert ledger.verify() == ()


def test_a_writer_that_waits_too_long_is_told_so(url: str, postgres: PostgresServer) -> None:
    import psycopg

    metrics, ledger = open_both(wait_seconds=0.3)
    with psycopg.connect(url) as holder:
        for part in ("metrics", "ledger"):
            holder.execute("SELECT pg_advisory_xact_lock(%s)", [metrics.database.lock_key(part)])
        began = time.monotonic()
        with pytest.raises(StoreError, match="one writer at a time"):
            metrics.append([(make_rows(3), {})], source="a")
        with pytest.raises(StoreError, match="one writer at a time"):
            ledger.record("risk", [("k", {})], as_of=AS_OF, run_id="r")
        assert time.monotonic() - began < 10
        assert metrics.head() == 0  # readers do not wait
    assert metrics.append([(make_rows(3), {})], source="a").rows_new == 3


# --- who is killed


def kill_clients(address: str, kills: int, seed: int) -> None:
    rng, acknowledged = random.Random(seed), set[int]()
    metrics, ledger = open_both()
    for _ in range(kills):
        first = max(acknowledged, default=-1) + 1
        writer, ours = start_writer(address, "w", range(first, first + 10_000))
        acknowledged.add(ours.recv())
        time.sleep(rng.uniform(0, 0.15))
        writer.kill()
        acknowledged.update(acknowledged_until_the_end(ours))
        writer.join()
        check_whole_batches(metrics, ledger, acknowledged)
    assert metrics.verify() == ()
    assert ledger.verify() == ()


def test_kill_9_of_the_client_leaves_no_half_batch(url: str) -> None:
    kill_clients(url, kills=4, seed=11)


@pytest.mark.nightly
def test_kill_9_of_the_client_two_hundred_times(url: str) -> None:
    kill_clients(url, kills=200, seed=12)


def kill_backends(server: PostgresServer, address: str, kills: int, seed: int, how: signal.Signals) -> None:
    """The client lives on and writes again on a new connection: everything is there once.

    It gives a batch up after three lost connections, so the next kill waits until it has written one more: on a
    machine where a batch takes longer than the pause, every try would be killed.
    """
    rng, metrics, ledger = random.Random(seed), *open_both()
    count = 400
    writer, ours = start_writer(address, "w", range(count))
    acknowledged = {0, ours.recv()}
    killed = 0
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database_of(address)}' AND pid <> pg_backend_pid()"
    while killed < kills:
        assert ours.poll(60), "the writer wrote nothing more"
        acknowledged.add(ours.recv())
        time.sleep(rng.uniform(0.02, 0.1))
        with contextlib.suppress(Exception):  # the server is just starting again
            for (pid,) in server.execute(query):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, how)
                    killed += 1
    writer.kill()
    acknowledged.update(acknowledged_until_the_end(ours))
    writer.join()
    assert killed >= kills
    check_whole_batches(metrics, ledger, acknowledged)
    assert acknowledged == set(range(max(acknowledged) + 1))
    assert metrics.verify() == ()
    assert ledger.verify() == ()


def test_a_connection_ended_by_the_server_is_opened_again(
    mortal: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = mortal.url(mortal.new_database())
    monkeypatch.setenv(VARIABLE, address)
    kill_backends(mortal, address, kills=6, seed=5, how=signal.SIGTERM)


def test_kill_9_of_a_server_process_leaves_no_half_batch(
    mortal: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = mortal.url(mortal.new_database())
    monkeypatch.setenv(VARIABLE, address)
    kill_backends(mortal, address, kills=2, seed=6, how=signal.SIGKILL)


@pytest.mark.nightly
def test_kill_9_of_server_processes_thirty_times(mortal: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(10):
        address = mortal.url(mortal.new_database())
        monkeypatch.setenv(VARIABLE, address)
        kill_backends(mortal, address, kills=3, seed=seed, how=signal.SIGKILL)


@pytest.mark.parametrize("forwarded", [True, False])
def test_a_connection_lost_in_a_commit_counts_once(url: str, monkeypatch: pytest.MonkeyPatch, forwarded: bool) -> None:
    """The server may have committed without the client hearing of it; it is asked what became of the transaction."""
    metrics, ledger = open_both()
    port = int(url.rpartition(":")[2].partition("/")[0])
    with CutProxy(port, word=b"COMMIT", forward=forwarded) as proxy:
        monkeypatch.setenv(VARIABLE, url.replace(f":{port}/", f":{proxy.port}/") + "?sslmode=disable")
        rows = [("a", {"p": 1}), ("a", {"p": 2})]
        proxy.cuts = 1
        assert ledger.record("risk", rows, as_of=AS_OF, run_id="r") == 2
        assert proxy.cuts == 0
        proxy.cuts = 1
        report = metrics.append([(make_rows(10), {})], source="a")
        assert (report.rows_new, proxy.cuts) == (10, 0)
    monkeypatch.setenv(VARIABLE, url)
    assert [(e.key, e.version, e.payload) for e in ledger.entries()] == [("a", 1, {"p": 1}), ("a", 2, {"p": 2})]
    assert (metrics.head(), len(metrics.read())) == (1, 10)
    assert ledger.verify() == ()


def test_a_server_that_starts_again_is_waited_for(mortal: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, mortal.url(mortal.new_database()))
    metrics, ledger = open_both()
    metrics.append([(make_rows(3), {})], source="a")
    mortal.stop()
    starter = threading.Timer(0.2, mortal.start)
    starter.start()
    try:
        assert metrics.head() == 1
    finally:
        starter.join()
    mortal.stop()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError, match="a PostgreSQL server that answers"):
            ledger.head()
        assert time.monotonic() - began < 10
    finally:
        mortal.start()


# --- clear errors without secrets


def said_by(work: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        work()
    assert caught.value.exit_code == 2
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    chained = caught.value.__cause__ or caught.value.__context__
    for text in (str(caught.value), repr(caught.value), told, repr(caught.value.as_dict()), repr(chained)):
        assert CANARY not in text
    return str(caught.value)


def test_errors_are_clear_and_show_no_password(
    url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(url)
    user = f"u{next(NUMBERS)}"
    postgres.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{CANARY}'")
    port = postgres.port
    cases = {
        f"postgresql://{user}:{CANARY}@127.0.0.1:1/{database}": "a PostgreSQL server that answers",
        f"postgresql://{user}:{CANARY}@nowhere.invalid/{database}": "a PostgreSQL server that answers",
        f"postgresql://{user}:{CANARY}x@127.0.0.1:{port}/{database}": "user and password the server knows",
        f"postgresql://nobody:{CANARY}@127.0.0.1:{port}/{database}": "user and password the server knows",
        f"postgresql://{user}@127.0.0.1:{port}/{database}": "user and password the server knows",
        f"postgresql://{user}:{CANARY}@127.0.0.1:{port}/other": "a database that exists",
        f"postgresql://{user}:{CANARY}@127.0.0.1:{port}": "without a database",
        f"mysql://{user}:{CANARY}@127.0.0.1/{database}": "an address of mysql",
        f"postgresql://{user}:{CANARY}@127.0.0.1:{port}/{database}?options={CANARY}": "option options",
        f"postgresql://{user}:{CANARY}@127.0.0.1:{port}/{database}?sslmode={CANARY}": "invalid sslmode",
        f"postgresql://{user}:x@127.0.0.1:{CANARY}/{database}": "not shown",
        CANARY: "not shown",
        "": "nothing",
    }
    metrics, ledger = open_both()
    for address, part in cases.items():
        monkeypatch.setenv(VARIABLE, address)
        works = metrics.head, ledger.head, lambda: metrics.append([(make_rows(1), {})], source="a")
        for work in works[: 1 if "answers" in part else 3]:  # those are tried again, which takes time
            assert part in said_by(work), address.replace(CANARY, "...")
    monkeypatch.setenv(VARIABLE, f"postgresql://{user}:{CANARY}@127.0.0.1:{port}/{database}")
    assert metrics.head() == 0
    assert "rights on the schema" in said_by(lambda: metrics.append([(make_rows(1), {})], source="a"))
    assert "rights on the schema" in said_by(lambda: ledger.record("x", [("k", {})], as_of=AS_OF, run_id="r"))
    for thing in (metrics, ledger, metrics.database, vars(metrics.database)):
        assert CANARY not in repr(thing)


def test_a_reader_without_the_right_to_write_reads(
    url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, ledger = open_both()
    metrics.append([(make_rows(3), {})], source="a")
    ledger.record("risk", [("k", {})], as_of=AS_OF, run_id="r")
    database, user = database_of(url), f"reader_{next(NUMBERS)}"
    postgres.execute(
        f"CREATE ROLE {user} LOGIN PASSWORD '{CANARY}'",
        f"GRANT USAGE ON SCHEMA forecasting_default TO {user}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA forecasting_default TO {user}",
        database=database,
    )
    monkeypatch.setenv(VARIABLE, f"postgresql://{user}:{CANARY}@127.0.0.1:{postgres.port}/{database}")
    assert (len(metrics.read()), ledger.head()[0]) == (3, 1)
    assert "rights on the schema" in said_by(lambda: metrics.append([(make_rows(9), {})], source="a"))
    assert "rights on the schema" in said_by(lambda: ledger.record("x", [("k", {})], as_of=AS_OF, run_id="r"))


def test_other_versions_foreign_tables_and_encodings_are_named(
    url: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(url)
    metrics, ledger = open_both("old")
    metrics.append([(make_rows(3), {})], source="a")
    ledger.record("risk", [("k", {})], as_of=AS_OF, run_id="r")
    postgres.execute("UPDATE forecasting_old.schema_version SET version = 99", database=database)
    foreign = open_both("foreign")
    postgres.execute(
        "CREATE SCHEMA forecasting_foreign", "CREATE TABLE forecasting_foreign.x (a int)", database=database
    )
    for (store, book), part in (((metrics, ledger), "version 99"), (foreign, "tables x")):
        for work in (store.head, book.head, lambda s=store: s.append([(make_rows(1), {})], source="a")):
            assert part in said_by(work)
    name = f"latin_{database}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    monkeypatch.setenv(VARIABLE, postgres.url(name))
    assert "a database in LATIN1" in said_by(lambda: open_both()[0].append([(make_rows(1), {})], source="a"))


def test_names_that_postgres_cannot_keep_are_refused(url: str) -> None:
    metrics, _ = open_both()
    for name in ("a\0b", "é" * 501):
        with pytest.raises(InputError, match="without NUL"):
            metrics.append([(make_rows(1, service=name), {})], source="a")
    for name in ("a\0b", "\ud800", "é" * 501):
        with pytest.raises(InputError, match="without NUL"):
            metrics.append([(make_rows(1), {})], source=name)
    metrics.append([(make_rows(1), {})], source="a")
    assert metrics.read(services=["a\0b", "\ud800"]).empty


def test_a_session_does_not_depend_on_the_defaults_of_the_server(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres.new_database()
    monkeypatch.setenv(VARIABLE, postgres.url(database))
    for setting in ("synchronous_commit = off", "timezone = 'Asia/Tokyo'", "datestyle = 'German'",
                    "default_transaction_isolation = serializable", "extra_float_digits = 0"):  # fmt: skip
        postgres.execute(f"ALTER DATABASE {database} SET {setting}")
    metrics, ledger = open_both()
    with metrics.database.connect() as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("synchronous_commit", "timezone")]
    assert shown == [("on",), ("UTC",)]
    rows = make_rows(50).assign(value=lambda f: f["value"] / 3)
    metrics.append([(rows, {})], source="a")
    metrics.append_tickets(make_tickets(), source="desk", cleaned={})
    assert metrics.read()["value"].tolist() == rows["value"].tolist()
    assert metrics.read()["at"].tolist() == rows["at"].tolist()
    assert metrics.read_tickets()["opened"].tolist() == make_tickets()["opened"].tolist()
    ledger.record("x", [("k", {"p": 0.1})], as_of=AS_OF, run_id="r")
    assert (metrics.verify(), ledger.verify()) == ((), ())


def test_a_statement_that_takes_too_long_is_stopped(url: str) -> None:
    metrics, _ = open_both()
    metrics.append([(make_rows(10), {})], source="a")
    slow = PostgresMetrics(VARIABLE, statement_seconds=0.05)
    said = said_by(lambda: slow.database.transaction(lambda c: c.execute("SELECT pg_sleep(5)"), write=False))
    assert "within the time limit" in said
