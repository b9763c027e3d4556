"""Metric store and ledger: nothing acknowledged is lost, nothing is there twice, every change is found."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from forecasting.adapters._rows import rows_sha256
from forecasting.adapters._writer_lock import store_lock
from forecasting.adapters.store import DuckdbMetrics, SqliteLedger
from forecasting.terms.errors import InputError, StoreError

AS_OF = datetime(2027, 3, 1, tzinfo=UTC)


def make_rows(count: int = 100, first: int = 0, service: str = "shop") -> pd.DataFrame:
    at = pd.to_datetime("2027-01-01") + pd.to_timedelta(np.arange(first, first + count), unit="h")
    return pd.DataFrame({"service": service, "metric": "orders", "at": at.astype("datetime64[us]"),
                         "value": np.arange(first, first + count) * 1.5})  # fmt: skip


def test_rows_come_back_exactly_and_sorted_up_to_a_cut_off(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "new" / "m.duckdb"), make_rows()
    report = store.append([(rows.sample(frac=1, random_state=1), {"empty cell": 3})], source="a")
    assert (report.rows_read, report.rows_new, report.rows_known) == (100, 100, 0)
    assert report.sha256 == rows_sha256(rows)
    back = store.read()
    pd.testing.assert_frame_equal(back, rows, check_dtype=False)
    assert str(back["at"].dtype) == "datetime64[us]"
    until = datetime(2027, 1, 1, 7, tzinfo=timezone(timedelta(hours=2)))
    assert store.read(until=until)["at"].max() == pd.Timestamp("2027-01-01 04:00")
    assert store.read(until=datetime(2020, 1, 1, tzinfo=UTC)).empty
    assert store.batches()["cleaned"].tolist() == ['{"empty cell": 3}']
    assert store.verify() == ()


def test_the_same_rows_again_in_any_order_or_part_change_nothing(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(60)
    rng = np.random.default_rng(3)
    for _ in range(12):  # overlapping parts, shuffled
        part = rows.sample(n=int(rng.integers(5, 40)), random_state=int(rng.integers(1000)))
        store.append([(part, {})], source="part")
    store.append([(rows, {})], source="all")
    before = (rows_sha256(store.read()), len(store.batches()))
    assert before[0] == rows_sha256(rows)
    for again in (rows, rows[::-1], rows.iloc[10:20]):
        report = store.append([(again, {})], source="again")
        assert (report.rows_new, report.rows_known) == (0, len(again))
    assert (rows_sha256(store.read()), len(store.batches())) == before
    assert store.verify() == ()


def test_another_value_is_refused_and_nothing_of_the_batch_is_written(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(10)
    store.append([(rows, {})], source="a")
    changed = make_rows(20).assign(value=lambda f: f["value"].where(f.index != 7, -1.0))
    changed.index = pd.Index(changed.index + 2, name="line")
    with pytest.raises(InputError) as caught:
        store.append([(changed, {})], source="b.csv")
    assert "shop orders 2027-01-01T07:00:00Z: stored 10.5, now -1 (line 9)" in str(caught.value)
    assert rows_sha256(store.read()) == rows_sha256(rows)
    assert store.append([(make_rows(20), {})], source="b.csv").rows_new == 10


def test_missing_values_are_not_kept_and_a_later_value_fills_the_gap(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(10)
    gap = rows.assign(value=rows["value"].where(rows.index != 4))
    report = store.append([(gap, {"empty cell": 1})], source="a")
    assert (report.rows_read, report.rows_new, report.rows_known) == (10, 9, 0)
    assert store.append([(rows, {})], source="b").rows_new == 1
    assert store.append([(gap, {})], source="c").rows_new == 0
    assert rows_sha256(store.read()) == rows_sha256(rows)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.drop(columns="at"),
        lambda f: f.assign(at=f["at"].dt.tz_localize("UTC")),
        lambda f: f.assign(value=np.inf),
        lambda f: f.assign(service=None),
        lambda f: pd.concat([f, f]),
    ],
)
def test_rows_that_are_not_canonical_are_refused(tmp_path: Path, change: object) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    with pytest.raises(InputError):
        store.append([(change(make_rows(3)), {})], source="a")  # type: ignore[operator]
    assert not store.path.exists()
    assert store.head() == 0


def test_names_are_data_and_never_sql(tmp_path: Path) -> None:
    names = ["'; DROP TABLE metric_row; --", '"', "NA", "007", "=1", "ü\u202e", "a" * 200]
    rows = pd.concat([make_rows(1, service=name) for name in names], ignore_index=True)
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    store.append([(rows, {"'": 1})], source="'; DROP TABLE batch; --")
    assert sorted(store.read()["service"]) == sorted(names)
    assert store.verify() == ()


def change_store(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE metric_row SET value = value + 1 WHERE value = 15", "batch 1"),
        ("UPDATE series SET service = 'shoq'", "batch 1"),
        ("UPDATE metric_row SET series = 1 WHERE value = 15", "not listed"),
        ("DELETE FROM series", "not listed"),
        ("UPDATE metric_row SET \"at\" = \"at\" + INTERVAL 1 SECOND WHERE value = 15", "batch 1"),
        ("DELETE FROM metric_row WHERE value = 15", "19 rows, 20 were written"),
        ("DELETE FROM batch WHERE id = 1", "without an entry"),
        ("INSERT INTO metric_row SELECT * FROM metric_row LIMIT 1", "21 rows"),
        ("INSERT INTO metric_row SELECT series, \"at\", value, 2 FROM metric_row LIMIT 1", "has one already"),
    ],
)  # fmt: skip
def test_verify_finds_what_was_changed_behind_its_back(tmp_path: Path, statement: str, said: str) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    store.append([(make_rows(20), {})], source="a")
    store.append([(make_rows(20, first=20), {})], source="b")
    change_store(store.path, statement)
    assert said in " | ".join(store.verify())


def test_missing_foreign_and_damaged_stores_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="forecasting ingest"):
        DuckdbMetrics(tmp_path / "none.duckdb").read()
    change_store(tmp_path / "foreign.duckdb", "CREATE TABLE x (a INTEGER)")
    change_store(tmp_path / "newer.duckdb", "CREATE TABLE metric_row (a INTEGER)", "CREATE TABLE batch (a INTEGER)",
                 "CREATE TABLE schema_version (version INTEGER)", "INSERT INTO schema_version VALUES (99)")  # fmt: skip
    (tmp_path / "text.duckdb").write_text("not a database " * 500)
    for name in ("foreign", "newer", "text"):
        with pytest.raises(StoreError, match=f"{name}.duckdb"):
            DuckdbMetrics(tmp_path / f"{name}.duckdb").read()
        with pytest.raises(StoreError):
            DuckdbMetrics(tmp_path / f"{name}.duckdb").append([(make_rows(1), {})], source="a")
    with sqlite3.connect(tmp_path / "foreign.db") as connection:
        connection.execute("CREATE TABLE x (a INTEGER)")
    (tmp_path / "text.db").write_text("not a database " * 500)
    for name in ("foreign", "text"):
        with pytest.raises(StoreError, match=f"{name}.db"):
            SqliteLedger(tmp_path / f"{name}.db").entries()
        with pytest.raises(StoreError):
            SqliteLedger(tmp_path / f"{name}.db").record("risk", [("k", {})], as_of=AS_OF, run_id="r")


def test_the_ledger_keeps_versions_and_ignores_what_it_knows(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "l.db")
    assert ledger.entries() == ()
    assert ledger.verify() == ()
    later = AS_OF + timedelta(days=31)
    assert ledger.record("risk", [("a", {"p": 0.1, "q": [1, None]}), ("b", {"p": 0.2})], as_of=AS_OF, run_id="r1") == 2
    assert ledger.record("risk", [("a", {"q": [1, None], "p": 0.1})], as_of=later, run_id="r2") == 0
    assert (
        ledger.record("risk", [("a", {"p": 0.3}), ("a", {"p": 0.3}), ("a", {"p": 0.4})], as_of=later, run_id="r2") == 2
    )
    assert ledger.record("run", [("a", {"p": 0.3})], as_of=later, run_id="r2") == 1
    assert [(e.sequence, e.kind, e.key, e.version) for e in ledger.entries()] == [
        (1, "risk", "a", 1), (2, "risk", "b", 1), (3, "risk", "a", 2), (4, "risk", "a", 3), (5, "run", "a", 1),
    ]  # fmt: skip
    assert [e.key for e in ledger.entries("risk", as_of=AS_OF)] == ["a", "b"]
    assert ledger.entries("run")[0].as_of == later
    assert ledger.entries("risk")[0].payload == {"p": 0.1, "q": [1, None]}
    assert ledger.verify() == ()


@pytest.mark.parametrize(
    "payload", [{"p": float("nan")}, {"p": float("inf")}, {1: 2}, {"a": {2: 3}}, {"a": AS_OF}, {"a": {1}}]
)
def test_payloads_that_are_not_plain_json_are_refused_whole(tmp_path: Path, payload: dict[str, object]) -> None:
    ledger = SqliteLedger(tmp_path / "l.db")
    with pytest.raises(InputError, match="plain JSON"):
        ledger.record("risk", [("good", {"p": 1}), ("bad", payload)], as_of=AS_OF, run_id="r")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="time zone"):
        ledger.record("risk", [("good", {"p": 1})], as_of=datetime(2027, 1, 1), run_id="r")  # noqa: DTZ001


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ledger SET payload = '{\"p\":9}' WHERE sequence = 3", "row 3"),
        ("UPDATE ledger SET key = 'z' WHERE sequence = 3", "row 3"),
        ("UPDATE ledger SET as_of = '2020-01-01' WHERE sequence = 3", "row 3"),
        ("DELETE FROM ledger WHERE sequence = 3", "rows 3 to 3 are missing"),
        ("DELETE FROM ledger WHERE sequence = 1", "rows 1 to 1 are missing"),
        ("DELETE FROM ledger WHERE sequence = 5", "rows 5 to 5 are missing"),
        ("INSERT INTO ledger SELECT 6, kind, 'new', 1, as_of, run_id, payload, sha256 FROM ledger LIMIT 1", "row 6"),
    ],
)
def test_the_hash_chain_finds_changed_and_removed_rows(tmp_path: Path, statement: str, said: str) -> None:
    ledger = SqliteLedger(tmp_path / "l.db")
    ledger.record("risk", [(f"k{i}", {"p": i}) for i in range(5)], as_of=AS_OF, run_id="r")
    connection = sqlite3.connect(ledger.path)
    if not statement.startswith("INSERT"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    connection.execute("DROP TRIGGER ledger_no_update")
    connection.execute("DROP TRIGGER ledger_no_delete")
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert said in " | ".join(ledger.verify())


HOLDER = """
import sys, time
from pathlib import Path
from forecasting.adapters._writer_lock import store_lock
with store_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_waits_is_told_who_and_takes_over_from_the_dead(tmp_path: Path) -> None:
    path = tmp_path / "m.duckdb"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"in use by process {holder.pid}"):
            DuckdbMetrics(path, wait_seconds=0.2).append([(make_rows(1), {})], source="a")
        with pytest.raises(StoreError, match=f"in use by process {holder.pid}"), store_lock(path, wait_seconds=0.1):
            pass
    finally:
        holder.kill()
        holder.wait()
    began = time.monotonic()
    DuckdbMetrics(path).append([(make_rows(1), {})], source="a")
    assert time.monotonic() - began < 1
