"""Metric store: later versions beside earlier ones, tickets, states of sources, and stores of the first release."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from forecasting.adapters._metric_schema import _sha256_of_1
from forecasting.adapters._rows import rows_sha256
from forecasting.adapters.store import DuckdbMetrics
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.ticket import TICKET_COLUMNS


def make_rows(count: int = 100, first: int = 0, service: str = "shop", metric: str = "orders") -> pd.DataFrame:
    at = pd.to_datetime("2027-01-01") + pd.to_timedelta(np.arange(first, first + count), unit="h")
    return pd.DataFrame({"service": service, "metric": metric, "at": at.astype("datetime64[us]"),
                         "value": np.arange(first, first + count) * 1.5})  # fmt: skip


def lines(rows: pd.DataFrame, first: int = 2) -> tuple[pd.DataFrame, Mapping[str, int]]:
    return rows.set_index(pd.RangeIndex(first, first + len(rows), name="line")), {}


def test_restating_keeps_both_values_and_every_earlier_state_is_readable(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(20)
    states = [rows]
    store.append([(rows, {})], source="a")
    for batch in (2, 3, 4):
        changed = rows.assign(value=rows["value"].where(rows.index % batch != 0, 1000.0 + batch))
        report = store.append([lines(changed)], source="a", corrections="restate")
        differing = int((changed["value"] != states[-1]["value"]).sum())
        assert (report.rows_read, report.rows_new, report.rows_restated) == (20, 0, differing)
        assert report.rows_known == 20 - differing
        states.append(changed)
    for batch, state in enumerate(states, start=1):
        assert rows_sha256(store.read(batch=batch)) == rows_sha256(state)
    assert rows_sha256(store.read()) == rows_sha256(states[-1])
    assert store.read(batch=0).empty
    assert store.append([(states[-1], {})], source="a", corrections="restate").rows_known == 20
    assert store.head() == 4
    assert store.batches()["rows_restated"].tolist() == [0, 10, 13, 10]
    assert store.verify() == ()
    with pytest.raises(InputError, match="0 to 4"):
        store.read(batch=5)


def test_back_to_the_first_value_is_a_version_too(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(3)
    other = rows.assign(value=[0.0, -1.0, 3.0])
    for state in (rows, other, rows):
        store.append([(state, {})], source="a", corrections="restate")
    found = [store.read(batch=batch)["value"].tolist() for batch in (1, 2, 3)]
    assert found == [[0.0, 1.5, 3.0], [0.0, -1.0, 3.0], [0.0, 1.5, 3.0]]
    assert store.verify() == ()


def test_two_values_in_one_source_are_no_correction_in_whatever_chunks_they_come(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(10)
    store.append([(rows, {})], source="a")
    other, beyond = rows.assign(value=-1.0).iloc[4:5], make_rows(3, first=50)
    for chunks in (
        [lines(rows), lines(other, 12)],  # the stored value, then another
        [lines(other), lines(rows, 3)],  # another, then the stored value
        [lines(beyond), lines(beyond.assign(value=7.0), 5)],  # both new
    ):
        with pytest.raises(InputError, match=r"duplicate: got .*before .*, now .*\(line \d+\)"):
            store.append(chunks, source="b.csv", corrections="restate")
    report = store.append([lines(rows), lines(rows.iloc[2:5], 12), lines(beyond, 15)], source="b.csv")
    assert (report.rows_read, report.rows_new, report.rows_known) == (16, 3, 13)
    fresh = make_rows(4, first=80)
    third = store.append([lines(fresh), lines(fresh.iloc[1:3], 8)], source="d.csv")
    assert (third.rows_read, third.rows_new, third.cleaned) == (4, 4, {"duplicate row, same value": 2})
    assert store.verify() == ()


def test_a_conflict_names_the_first_lines_and_what_to_declare(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(10)
    store.append([(rows, {})], source="a")
    with pytest.raises(InputError) as caught:
        store.append([lines(rows), lines(rows.assign(value=-1.0)[::-1], 12)], source="b.csv")
    assert caught.value.line == 12
    assert "10 rows" in str(caught.value)
    assert "(line 12); shop orders 2027-01-01T08:00:00Z: stored 12, now -1 (line 13)" in str(caught.value)
    assert str(caught.value.came).endswith("and 5 more")
    assert "restate" in caught.value.try_instead


def test_reading_some_services_and_metrics_up_to_a_time(tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    rows = pd.concat([make_rows(30, service=s, metric=m) for s in ("b", "a", "c") for m in ("y", "x")])
    store.append([(rows, {})], source="a")
    until = datetime(2027, 1, 1, 5, tzinfo=UTC)
    found = store.read(services=["c", "a", "unknown"], metrics=["x"], until=until)
    assert found.groupby(["service", "metric"]).size().to_dict() == {("a", "x"): 5, ("c", "x"): 5}
    assert found["at"].is_monotonic_increasing is False
    assert store.read(services=["unknown"]).empty
    assert store.read(services=[]).empty
    empty, full = store.read(metrics=["z"]), store.read()
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert full.equals(full.sort_values(["service", "metric", "at"], ignore_index=True))


def test_the_extent_of_every_series_is_that_of_its_rows(tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    with pytest.raises(StoreError, match="no such store"):
        store.extent()
    rows = pd.concat([make_rows(n, service=s, metric=m) for n, s, m in ((30, "b", "x"), (5, "a", "y"), (9, "a", "x"))])
    store.append([(rows, {})], source="a")
    changed = pd.concat([make_rows(40, service="b", metric="x").assign(value=-1.0), make_rows(1, service="c")])
    store.append([(changed, {})], source="a", corrections="restate")
    for batch, until in ((None, None), (1, None), (0, None), (2, datetime(2027, 1, 1, 7, tzinfo=UTC))):
        found = store.extent(until=until, batch=batch)
        read = store.read(until=until, batch=batch)
        expected = read.groupby(["service", "metric"])["at"].agg(["size", "min", "max"]).reset_index()
        assert list(found.columns) == ["service", "metric", "rows", "first", "last"]
        assert found.to_numpy().tolist() == expected.to_numpy().tolist()
        assert found.dtypes[["service", "metric"]].tolist() == read.dtypes[["service", "metric"]].tolist()
        assert found.dtypes.astype(str).tolist()[2:] == ["int64", "datetime64[us]", "datetime64[us]"]
    assert store.extent()["rows"].tolist() == [9, 5, 40, 1]


def test_gaps_and_irregular_steps_are_found_while_rows_pass(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(744)
    gappy = rows.drop(index=[*range(100, 105), 200, 300, 301, 302, 303, 700, 701])
    odd = make_rows(50, service="odd").assign(at=lambda f: f["at"] + pd.to_timedelta(f.index**2 % 7, unit="min"))
    odd["at"] = odd["at"].astype("datetime64[us]")
    daily = pd.date_range("2027-03-01", periods=60, freq="D", tz="Europe/Berlin").tz_convert("UTC").tz_localize(None)
    local = pd.DataFrame({"service": "daily", "metric": "orders", "at": daily.astype("datetime64[us]"), "value": 1.0})
    chunks = [(gappy.iloc[:90], {}), (pd.concat([gappy.iloc[90:], odd, local, make_rows(9, service="whole")]), {})]
    report = store.append(chunks, source="a")
    assert report.quality[1:] == ("shop orders: 12 of 744 slices missing, longest gap 5",)
    assert report.quality[0].startswith("odd orders: no regular step")
    assert report.first == datetime(2027, 1, 1, tzinfo=UTC)
    assert report.last == datetime(2027, 4, 28, 22, tzinfo=UTC)
    missing = make_rows(10, service="late").assign(value=lambda f: f["value"].where(f.index % 5 != 3))
    assert store.append([(missing, {})], source="b").quality == ("late orders: 2 of 10 slices missing, longest gap 1",)
    many = pd.concat([make_rows(10, service=f"s{i:03d}").drop(index=4) for i in range(80)])
    assert store.append([(many, {})], source="c").quality[-1] == "and 30 more series"


def test_states_are_kept_with_the_rows_and_alone(tmp_path: Path) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(10)
    assert store.state_of("a") is None
    assert store.append([], source="a", state=lambda: "0").unchanged
    assert not store.path.exists()
    assert store.append([(rows, {})], source="a", state=lambda: "1").unchanged is False
    assert (store.state_of("a"), store.state_of("b")) == ("1", None)
    store.append([(rows, {})], source="a", state=lambda: "2")  # nothing new, but another file
    assert (store.state_of("a"), store.head()) == ("2", 1)
    before = store.path.stat().st_ino
    report = store.append(iter([]), source="a", state=lambda: "2")
    assert (report.unchanged, report.rows_read, store.path.stat().st_ino) == (True, 0, before)
    store.append([], source="a", state=lambda: "3")
    assert store.state_of("a") == "3"
    with pytest.raises(InputError):
        store.append([(rows.assign(value=-1.0), {})], source="a", state=lambda: "4")
    assert store.state_of("a") == "3"


def make_tickets(count: int, **changes: object) -> pd.DataFrame:
    opened = pd.to_datetime("2027-03-01") + pd.to_timedelta(np.arange(count), unit="h")
    frame = pd.DataFrame({"service": "desk", "ticket": [f"INC{i:03d}" for i in range(count)], "kind": "incident",
                          "priority": "2", "opened": opened, "responded": pd.NaT, "resolved": pd.NaT,
                          "pauses": "[]"})  # fmt: skip
    return frame.assign(**changes).astype(dict.fromkeys(["opened", "responded", "resolved"], "datetime64[us]"))


def test_tickets_are_new_known_or_have_a_later_state(tmp_path: Path) -> None:
    store, tickets = DuckdbMetrics(tmp_path / "m.duckdb"), make_tickets(5)
    assert store.read_tickets().empty
    first = store.append_tickets(tickets.sample(frac=1, random_state=1), source="desk", cleaned={"empty cell": 2})
    assert (first.rows_read, first.rows_new, first.rows_known, first.rows_restated) == (5, 5, 0, 0)
    pd.testing.assert_frame_equal(store.read_tickets(), tickets, check_dtype=False)
    assert store.append_tickets(tickets, source="desk", cleaned={}).rows_known == 5
    assert store.head() == 1
    done = make_tickets(7)
    done.loc[[1, 3], "resolved"] = pd.Timestamp("2027-03-02 10:00")
    second = store.append_tickets(done, source="desk", cleaned={})
    assert (second.rows_new, second.rows_known, second.rows_restated) == (2, 3, 2)
    assert second.first == datetime(2027, 3, 1, tzinfo=UTC)
    pd.testing.assert_frame_equal(store.read_tickets(), done, check_dtype=False)
    pd.testing.assert_frame_equal(store.read_tickets(batch=1), tickets, check_dtype=False)
    assert store.read_tickets(batch=0).empty
    assert list(store.read_tickets(batch=0).columns) == list(TICKET_COLUMNS)
    assert store.read().empty
    store.append([(make_rows(5), {})], source="rows")
    assert store.batches()["rows_new"].tolist() == [5, 2, 5]
    assert store.batches()["source"].tolist() == ["desk", "desk", "rows"]
    assert store.verify() == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.drop(columns="pauses"),
        lambda f: f.assign(opened=f["opened"].dt.tz_localize("UTC")),
        lambda f: f.assign(opened=pd.NaT).astype({"opened": "datetime64[us]"}),
        lambda f: f.assign(ticket="same"),
        lambda f: f.assign(service=""),
        lambda f: f.assign(kind=None),
    ],
)
def test_tickets_that_are_not_canonical_are_refused(tmp_path: Path, change: object) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    with pytest.raises(InputError):
        store.append_tickets(change(make_tickets(3)), source="desk", cleaned={})  # type: ignore[operator]
    assert not store.path.exists()


VERSION_1 = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE batch (
    id INTEGER NOT NULL, source VARCHAR NOT NULL, rows_read BIGINT NOT NULL, rows_new BIGINT NOT NULL,
    rows_known BIGINT NOT NULL, cleaned VARCHAR NOT NULL, sha256 VARCHAR NOT NULL, stored_sha256 VARCHAR NOT NULL);
CREATE TABLE metric_row (
    service VARCHAR NOT NULL, metric VARCHAR NOT NULL, "at" TIMESTAMP NOT NULL, value DOUBLE NOT NULL,
    batch INTEGER NOT NULL);
"""


def store_of_version_1(path: Path) -> pd.DataFrame:
    """Make a store as the first release did; return its rows."""
    parts = [
        pd.concat([make_rows(50, service=s) for s in ("shop", "ü 'x'", "NA")], ignore_index=True),
        make_rows(30, first=50),
    ]
    with duckdb.connect(str(path)) as connection:
        connection.execute(VERSION_1)
        for number, part in enumerate(parts, start=1):
            facts = [number, f"source {number}", len(part) + 2, len(part), 0, json.dumps({"empty cell": 2}),
                     "f" * 64, _sha256_of_1(part)]  # fmt: skip
            connection.execute("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?)", facts)
            rows = [(r.service, r.metric, r.at.to_pydatetime(), r.value, number) for r in part.itertuples()]
            connection.executemany("INSERT INTO metric_row VALUES (?, ?, ?, ?, ?)", rows)
    return pd.concat(parts, ignore_index=True)


def test_the_hash_of_version_1_is_the_one_that_release_wrote() -> None:
    """Computed by release 0.1.0 from the same rows."""
    assert _sha256_of_1(make_rows(5)) == "c5d1a523fe3a8ff58c0143674642780008405a5e9ce4ff128db3020efb042905"


def test_a_store_of_version_1_is_read_as_it_is_and_brought_forward_by_the_next_write(tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    rows = store_of_version_1(store.path)
    before = store.path.read_bytes()
    assert rows_sha256(store.read()) == rows_sha256(rows)
    assert len(store.read(batch=1)) == 150
    assert (store.head(), store.state_of("source 1"), len(store.read_tickets())) == (2, None, 0)
    assert store.batches()["rows_restated"].tolist() == [0, 0]
    assert store.verify() == ()
    assert store.path.read_bytes() == before, "reading does not write"
    with pytest.raises(InputError, match="stored"):
        store.append([(rows.assign(value=-1.0), {})], source="a")
    assert store.path.read_bytes() == before, "a refused write changes nothing"
    report = store.append([(pd.concat([rows, make_rows(10, first=80)]), {})], source="a", state=lambda: "s")
    assert (report.rows_new, report.rows_known) == (10, 180)
    backup = tmp_path / "m.duckdb.v1-backup"
    assert backup.read_bytes() == before
    assert len(store.read()) == 190
    assert store.batches()["cleaned"].tolist() == ['{"empty cell": 2}'] * 2 + ["{}"]
    assert store.batches()["sha256"].tolist()[:2] == ["f" * 64] * 2
    assert (store.head(), store.state_of("a"), store.verify()) == (3, "s", ())
    store.append_tickets(make_tickets(2), source="desk", cleaned={})
    assert backup.read_bytes() == before
    assert rows_sha256(DuckdbMetrics(backup).read()) == rows_sha256(rows), "the backup is a store of version 1"


ONE_WRITE = """
import sys
from pathlib import Path
import duckdb, pandas, pyarrow
from forecasting.adapters.store import DuckdbMetrics
at = pandas.to_datetime(["2027-12-01"]).astype("datetime64[us]")
rows = pandas.DataFrame({"service": ["new"], "metric": ["m"], "at": at, "value": [1.0]})
print("go", flush=True)
DuckdbMetrics(Path(sys.argv[1])).append([(rows, {})], source="a")
"""


@pytest.mark.nightly
def test_a_kill_while_a_store_is_brought_forward_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    rng, store = random.Random(4), DuckdbMetrics(tmp_path / "m.duckdb")
    rows = store_of_version_1(store.path)
    before, states = store.path.read_bytes(), set[bool]()
    for _ in range(25):
        store.path.write_bytes(before)
        line = [sys.executable, "-c", ONE_WRITE, str(store.path)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "go\n"
            time.sleep(rng.uniform(0, 0.3))
            writer.kill()
        states.add(store.path.read_bytes() == before)
        assert rows_sha256(store.read(services=list(rows["service"].unique()))) == rows_sha256(rows)
        assert len(store.read(services=["new"])) == store.head() - 2
        assert store.verify() == ()
    subprocess.run([sys.executable, "-c", ONE_WRITE, str(store.path)], check=True)
    assert (store.head(), store.verify()) == (3, ())
    assert (tmp_path / "m.duckdb.v1-backup").read_bytes() == before
    assert True in states


def test_a_damaged_store_of_version_1_is_not_brought_forward(tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    store_of_version_1(store.path)
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("UPDATE metric_row SET value = value + 1 WHERE value = 15")
    before = store.path.read_bytes()
    for use in (store.read, store.verify, lambda: store.append([(make_rows(1), {})], source="a")):
        with pytest.raises(StoreError, match="batch 1"):
            use()
    assert store.path.read_bytes() == before
    assert not (tmp_path / "m.duckdb.v1-backup").exists()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM restatement", "4 rows for a service, metric and time that has one already"),
        ("UPDATE restatement SET replaces = 7", "without their record"),
        ("UPDATE restatement SET \"at\" = \"at\" + INTERVAL 1 HOUR", "without a value"),
        ("DELETE FROM metric_row WHERE batch = 2", "0 rows, 4 were written"),
        ("UPDATE ticket_row SET priority = '1' WHERE ticket = 'INC001'", "batch 3 (desk)"),
        ("DELETE FROM ticket_row", "0 rows, 3 were written"),
        ("UPDATE series SET series = series + 5", "list of series"),
        ("UPDATE batch SET id = 9 WHERE id = 3", "gaps"),
    ],
)  # fmt: skip
def test_verify_finds_changed_versions_and_tickets(tmp_path: Path, statement: str, said: str) -> None:
    store, rows = DuckdbMetrics(tmp_path / "m.duckdb"), make_rows(20)
    store.append([(rows, {})], source="a")
    store.append([(rows.iloc[3:7].assign(value=-1.0), {})], source="a", corrections="restate")
    store.append_tickets(make_tickets(3), source="desk", cleaned={})
    assert store.verify() == ()
    with duckdb.connect(str(store.path)) as connection:
        connection.execute(statement)
    assert said in " | ".join(store.verify())
