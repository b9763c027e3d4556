"""Metric rows from a SELECT, on a real SQLite file and a real PostgreSQL: exact, incremental, read-only, no secrets."""

from __future__ import annotations

import itertools
import sqlite3
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from servers import PostgresServer, postgres

from forecasting.adapters.sources.sql_query import SqlQuery
from forecasting.adapters.store import DuckdbMetrics
from forecasting.terms.errors import ForecastingError, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

__all__ = ["postgres"]
CANARY = "c4n4ry-p4ssw0rd"
VARIABLE = "SALES_URL"
METRICS = {name: Metric(name=name, kind=MetricKind.REAL) for name in ("orders", "calls", "latency")}
METRICS["good"] = Metric(name="good", kind=MetricKind.RATIO)
LONG = "SELECT service, metric, at, value FROM fact"
SINCE = LONG + " WHERE at >= :since ORDER BY at"
COUNT = itertools.count()


class Now:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2027, 3, 2, tzinfo=UTC)


class Database:
    """A database of one kind: how to fill it and how to name it."""

    def __init__(self, kind: str, folder: Path, server: PostgresServer | None) -> None:
        self.kind, self.folder, self.server = kind, folder, server
        self.name = "" if server is None else server.empty_database("sales")
        self.environment = {VARIABLE: server.url(self.name)} if server else {}

    def run(self, statement: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        if self.server is None:
            with sqlite3.connect(self.folder / "sales.db") as connection:
                connection.executemany(statement, rows) if rows else connection.execute(statement)
            return
        import psycopg

        with psycopg.connect(self.environment[VARIABLE]) as there, there.cursor() as cursor:
            if rows:
                cursor.executemany(statement.replace("?", "%s"), rows)
            else:
                cursor.execute(statement)

    def table(self, time: str = "timestamp", value: str = "double precision") -> None:
        self.run(f"CREATE TABLE fact (service text, metric text, at {time}, value {value})")

    def add(self, *rows: Sequence[Any]) -> None:
        self.run("INSERT INTO fact VALUES (?, ?, ?, ?)", rows)

    def source(self, query: str = LONG, *, chunk_rows: int = 200_000, **fields: Any) -> SqlQuery:
        fields |= {"url": "sqlite:///sales.db"} if self.server is None else {"url_env": VARIABLE}
        spec = SourceSpec(name="sales", kind="sql", query=query, **fields)
        return SqlQuery(spec, self.folder, METRICS, environment=self.environment, clock=Now(), chunk_rows=chunk_rows)


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return Database(request.param, tmp_path, server)


@pytest.fixture
def on_postgres(postgres: PostgresServer, tmp_path: Path) -> Database:
    return Database("postgres", tmp_path, postgres)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Database:
    return Database("sqlite", tmp_path, None)


def times(rows: pd.DataFrame) -> list[str]:
    return [stamp.isoformat() for stamp in rows["at"]]


def hour(number: int) -> str:
    return str(datetime(2027, 3, 1) + timedelta(hours=number))  # noqa: DTZ001


def refused(source: SqlQuery, kind: type[ForecastingError] = InputError) -> str:
    with pytest.raises(kind) as caught:
        list(source.chunks(None))
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY not in told
    assert CANARY not in repr(caught.value.__cause__ or caught.value.__context__)
    assert caught.value.exit_code == 2
    return str(caught.value)


# --- what is read


def test_long_rows_come_exactly(database: Database) -> None:
    database.table()
    database.add(("b", "orders", hour(1), 0.1), ("a", "calls", hour(0), -3), ("007", "orders", hour(0), None),
                 ("NA", "latency", hour(2), 1e300), ("'; DROP TABLE fact; --", "orders", hour(2), 5e-324))  # fmt: skip
    rows, cleaned = database.source().read()
    assert rows["service"].tolist() == ["'; DROP TABLE fact; --", "007", "NA", "a", "b"]
    assert rows["value"].tolist()[:1] + rows["value"].tolist()[2:] == [5e-324, 1e300, -3.0, 0.1]
    assert pd.isna(rows["value"].iloc[1])
    assert cleaned == {"NULL": 1}
    assert times(rows)[-1] == "2027-03-01T01:00:00"
    assert rows.index.name == "row"
    assert rows.index.tolist() == [5, 3, 4, 2, 1]


def test_wide_rows_with_renamed_columns(database: Database) -> None:
    database.run("CREATE TABLE sale (shop text, slot timestamp, orders integer, calls double precision, note text)")
    database.run(
        "INSERT INTO sale VALUES (?, ?, ?, ?, ?)", [("x", hour(0), 3, None, "n"), ("x", hour(1), None, 2.5, "")]
    )
    source = database.source(
        "SELECT * FROM sale", layout="wide", columns={"service": "shop", "at": "slot"}, metrics=("orders", "calls")
    )
    found, cleaned = source.read()
    assert found[found["value"].notna()][["metric", "value"]].values.tolist() == [["calls", 2.5], ["orders", 3.0]]
    assert cleaned == {"NULL": 2}


@pytest.mark.parametrize(
    ("kind", "zone", "stored", "expected"),
    [
        ("timestamp", "America/New_York", "2027-03-14 12:00", "2027-03-14T16:00:00"),
        ("timestamptz", "America/New_York", "2027-03-14 12:00+02", "2027-03-14T10:00:00"),
        ("date", "America/New_York", "2027-03-14", "2027-03-14T05:00:00"),
        ("text", "America/New_York", "2027-03-14T12:00", "2027-03-14T16:00:00"),
        ("text", "America/New_York", "2027-03-14T12:00Z", "2027-03-14T12:00:00"),
        ("timestamp", "UTC", "2027-03-14 12:00:00.000001", "2027-03-14T12:00:00.000001"),
    ],
)
def test_times_of_every_type_become_utc(
    on_postgres: Database, kind: str, zone: str, stored: str, expected: str
) -> None:
    on_postgres.table(kind)
    on_postgres.add(("a", "orders", stored, 1))
    assert times(on_postgres.source(zone=zone).read()[0]) == [expected]


def test_numbers_of_every_type(on_postgres: Database) -> None:
    on_postgres.table(value="numeric")
    values = [Decimal("0.1"), Decimal("123456789012345678901234567890.5"), Decimal("NaN"), None, 2**62]
    on_postgres.add(*[("a", "orders", hour(n), value) for n, value in enumerate(values)])
    rows, cleaned = on_postgres.source().read()
    assert rows["value"].tolist()[:2] == [0.1, float(values[1] or 0)]
    assert rows["value"].tolist()[4] == float(2**62)
    assert cleaned == {"NaN": 1, "NULL": 1}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("a", "orders", hour(2), "12.5"), "value (row 2): got '12.5'; allowed: a number or NULL"),
        (("a", "orders", hour(2), "inf"), "value (row 2)"),
        ((None, "orders", hour(2), 1), "service (row 2): got None"),
        ((b"a", "orders", hour(2), 1), "service (row 2)"),
        (("a", "ordres", hour(2), 1), "metric (row 2): got 'ordres'"),
        (("a", "orders", None, 1), "at (row 2): got None"),
        (("a", "orders", 1803855600, 1), "looks like seconds since 1970"),
        (("a", "orders", "2027-03-01T02:00Z", 1), "all times with an offset, or none"),
        (("a", "orders", "1027-03-01", 1), "between 1990 and 2100"),
        (("a", "good", hour(2), 1.5), "0 to 1"),
        (("a", "orders", hour(0), 2), "duplicate (row 2)"),
    ],
)
def test_values_that_make_no_sense_are_refused_with_their_row(
    on_sqlite: Database, row: Sequence[Any], said: str
) -> None:
    on_sqlite.run("CREATE TABLE fact (service, metric, at, value)")  # no types: SQLite keeps whatever comes
    on_sqlite.add(("a", "orders", hour(0), 1), row)
    assert said in refused(on_sqlite.source())
    if "duplicate" not in said:  # those of different chunks are the store's to refuse
        assert said in refused(on_sqlite.source(chunk_rows=1))


def test_values_that_make_no_sense_are_refused_on_postgres(on_postgres: Database) -> None:
    cases = {
        "boolean": ("true", "value (row 1): got True"), "double precision": ("'Infinity'", "a finite number"),
        "text": ("'5'", "a number or NULL"), "interval": ("'1 h'", "a number or NULL"), "json": ("'[1]'", "a number"),
    }  # fmt: skip
    start = "SELECT 'a' AS service, 'orders' AS metric, timestamp '2027-03-01' AS at"
    for kind, (value, part) in cases.items():
        assert part in refused(on_postgres.source(f"{start}, {value}::{kind} AS value"))
    where = "SELECT 'a' AS service, 'orders' AS metric, 1 AS value"
    for moment, part in (("1803855600", "seconds since 1970"), ("timestamp 'infinity'", "at"), ("'01:00'::time", "at"),
                       ("timestamp '2027-03-14 02:30'", "exists once"), ("true", "at (row 1)")):  # fmt: skip
        said = refused(on_postgres.source(f"{where}, {moment} AS at", zone="America/New_York"), ForecastingError)
        assert part in said, (moment, said)


def test_columns_are_found_or_named(database: Database) -> None:
    database.table()
    database.add(("a", "orders", hour(0), 1))
    assert "column value" in refused(database.source("SELECT service, metric, at, value AS valeu FROM fact"))
    assert "valeu AS value" in refused(database.source("SELECT service, metric, at, value AS valeu FROM fact"))
    assert "each column once" in refused(database.source("SELECT *, value FROM fact"))


# --- in parts, and only what is new


def test_chunks_are_bounded_and_add_up(database: Database) -> None:
    database.table()
    database.add(*[("a", "orders", hour(n), n) for n in range(25)])
    source = database.source(chunk_rows=10)
    chunks = [rows for rows, _ in source.chunks(None)]
    assert [len(rows) for rows in chunks] == [10, 10, 5]
    assert [index for rows in chunks for index in rows.index] == list(range(1, 26))
    pd.testing.assert_frame_equal(pd.concat(chunks), source.read()[0])


def test_duplicates_are_resolved_across_chunks(database: Database) -> None:
    database.table()
    database.add(*[("a", "orders", hour(0), n) for n in range(25)])
    (rows, cleaned), *rest = database.source(chunk_rows=10, duplicates="max").chunks(None)
    assert (rows["value"].tolist(), cleaned, rest) == ([24.0], {"duplicate row, max taken": 24}, [])


def ingest(database: Database, store: DuckdbMetrics, query: str = SINCE, **fields: Any) -> tuple[int, int]:
    source = database.source(query, **fields)
    report = store.append(source.chunks(store.state_of("sales")), source="sales", state=source.state)
    return report.rows_read, report.rows_new


def test_each_ingest_asks_only_for_what_is_new(database: Database, tmp_path: Path) -> None:
    store = DuckdbMetrics(tmp_path / "m.duckdb")
    database.table()
    database.add(*[("a", "orders", hour(n), n) for n in range(10)])
    assert ingest(database, store) == (10, 10)
    assert ingest(database, store) == (2, 0)  # the hour before the latest is asked for again
    database.add(("b", "orders", hour(8), 8), ("a", "orders", hour(10), 10))
    assert ingest(database, store) == (4, 2)
    assert ingest(database, store, overlap=timedelta(hours=20)) == (12, 0)
    assert ingest(database, store, LONG) == (12, 0)  # another query: everything is asked for
    assert ingest(database, store, LONG) == (12, 0)  # without :since always
    assert len(store.read()) == 12
    window = LONG + " WHERE at >= :since AND at < :until"
    source = database.source(window, since=datetime(2027, 3, 1, 5, tzinfo=UTC))
    assert sum(len(rows) for rows, _ in source.chunks(None)) == 7
    database.run("DELETE FROM fact")
    before = store.state_of("sales")
    assert ingest(database, store, LONG) == (0, 0)
    assert store.state_of("sales") == before  # nothing came: what was known is remembered
    with pytest.raises(InputError, match="no rows"):
        database.source().read()


@pytest.mark.parametrize(
    ("kind", "zone"),
    [("timestamp", "America/New_York"), ("timestamp", "Asia/Tokyo"), ("timestamptz", "America/New_York")],
)
def test_nothing_new_is_missed_in_any_zone(database: Database, kind: str, zone: str) -> None:
    database.table(kind)
    ending = "+00:00" if kind == "timestamptz" else ""
    state, known = None, set[str]()
    for part in range(8):
        database.add(*[("a", "orders", hour(n) + ending, n) for n in range(part * 6, part * 6 + 6)])
        source = database.source(SINCE, zone=zone, overlap=timedelta(0))
        found = [stamp for rows, _ in source.chunks(state) for stamp in times(rows)]
        known, state = known | set(found), source.state()
        assert len(known) == 6 * part + 6
        assert part < 5 or len(found) < 6 * part  # and not everything is read each time


# --- it only reads


@pytest.mark.parametrize(
    "query",
    [
        "", "  ", "DELETE FROM fact", "SELECT 1; DROP TABLE fact", "SELECT * INTO other FROM fact",
        "WITH gone AS (DELETE FROM fact RETURNING *) SELECT * FROM gone", "INSERT INTO fact SELECT * FROM fact",
        "select 1 -- x\n; delete from fact", "/* SELECT */ DROP TABLE fact", "SELECT 'a", "SELECT 1 /* open",
        "EXPLAIN ANALYZE DELETE FROM fact", "WITH x AS (SELECT 1) UPDATE fact SET value = 0", "PRAGMA user_version = 7",
        "SELECT * FROM fact FOR UPDATE", "VACUUM", "SELECT :password", "COPY fact TO '/tmp/x'", "SELECT 1\0",
    ],
)  # fmt: skip
def test_statements_that_are_no_plain_select_are_refused(database: Database, query: str) -> None:
    database.table()
    database.add(("a", "orders", hour(0), 1))
    assert "query: got" in refused(database.source(query))
    assert len(database.source().read()[0]) == 1


def test_words_in_quotes_and_comments_are_no_statements(database: Database) -> None:
    database.table()
    database.add(("; DROP TABLE fact :x", "orders", hour(0), 1))
    query = """SELECT service, metric, at, value AS "update" FROM fact -- delete :this; now
        WHERE service = '; DROP TABLE fact :x' /* truncate; :that */ AND at >= :since;"""
    rows, _ = database.source(query, columns={"value": "update"}).read()
    assert rows["service"].tolist() == ["; DROP TABLE fact :x"]


def test_the_database_itself_refuses_writes(database: Database) -> None:
    """A function that writes looks like a SELECT; the read-only transaction stops it."""
    database.table()
    if database.server is None:
        with (
            pytest.raises(ForecastingError, match="readonly"),
            database.source()._database.reading() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM fact")
        assert not list(database.folder.glob("sales.db-*"))
        return
    database.run("CREATE SEQUENCE numbers")
    database.run("CREATE FUNCTION wipe() RETURNS int LANGUAGE sql AS 'DELETE FROM fact RETURNING 1'")
    for call in ("nextval('numbers')", "wipe()"):
        said = refused(database.source(f"SELECT 'a' AS service, 'orders' AS metric, now() AS at, {call} AS value"),
                       ForecastingError)  # fmt: skip
        assert "read-only transaction" in said


# --- what is wrong is said, secrets are not


def test_addresses_that_cannot_be_used(on_sqlite: Database, tmp_path: Path) -> None:
    on_sqlite.table()
    outside = tmp_path.parent / f"outside-{next(COUNT)}.db"
    sqlite3.connect(outside).close()
    (tmp_path / "link.db").symlink_to(outside)
    cases = {
        "sqlite:///../" + outside.name: "..", f"sqlite:///{outside}": "relative path", "sqlite:///link.db": "workspace",
        "sqlite://": "no file", "sqlite:///:memory:": ":memory:", "sqlite:///none.db": "that is there",
        "sqlite:///file:sales.db?mode=rwc&uri=true": "sqlite:///metrics.db", "nothing": "no URL",
        f"postgresql://u:{CANARY}@127.0.0.1/x": "a password in the project file", "": "url, or urlEnv",
        "oracle+nonsense://h/x": "not known here",
    }  # fmt: skip
    for url, part in cases.items():
        source = SqlQuery(SourceSpec(name="sales", kind="sql", url=url, query=LONG), tmp_path, METRICS)
        with pytest.raises(InputError) as caught:
            list(source.chunks(None))
        assert part in str(caught.value), url
        assert CANARY not in str(caught.value)
    assert not (tmp_path / "none.db").exists()


def test_failures_of_the_database_are_clear_and_show_no_password(on_postgres: Database) -> None:
    server = on_postgres.server
    assert server is not None
    on_postgres.table()
    there = f"127.0.0.1:{server.port}/{on_postgres.name}"
    cases = {
        f"postgresql://admin:{CANARY}@{there}": "password authentication failed",
        f"postgresql+psycopg://admin:{CANARY}@127.0.0.1:1/x": "refused",
        server.url("none"): "does not exist",
        f"postgresql://admin:{CANARY}@127.0.0.1:x{CANARY}/none": "not shown",
        f"nonsense://admin:{CANARY}@h/x": "not known here",
        CANARY: "not shown",
        "": f"set the environment variable {VARIABLE}",
    }
    for url, part in cases.items():
        on_postgres.environment = {VARIABLE: url}
        said = refused(on_postgres.source(), ForecastingError)
        assert part in said
        assert server.password not in said
    on_postgres.environment = {VARIABLE: server.url(on_postgres.name)}
    for query, part in {"SELECT * FROM none": "does not exist", "SELECT 1/0 AS service": "division by zero"}.items():
        said = refused(on_postgres.source(query), ForecastingError)
        assert part in said
        assert server.password not in said


def test_a_damaged_file_is_named(on_sqlite: Database) -> None:
    (on_sqlite.folder / "sales.db").write_text("not a database " * 500)
    assert "not a database" in refused(on_sqlite.source(), ForecastingError)


def test_a_connection_is_closed_where_reading_stops_half_way(database: Database) -> None:
    database.table()
    database.add(*[("a", "orders", hour(n), n) for n in range(30)])
    chunks = database.source(chunk_rows=5).chunks(None)
    next(iter(chunks))
    close: Callable[[], None] = getattr(chunks, "close")  # noqa: B009
    close()
    if database.server is not None:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}'"
        assert _until_zero(lambda: database.server.execute(query)[0][0])  # type: ignore[union-attr]
    database.run("DROP TABLE fact")


def _until_zero(count: Callable[[], int]) -> bool:
    for _ in range(60):
        if count() == 0:
            return True
        time.sleep(0.05)
    return False


def test_a_series_that_lags_beyond_the_overlap_is_named(tmp_path: Path) -> None:
    import sqlite3
    from datetime import timedelta

    from forecasting.adapters.sources.sql_query import SqlQuery
    from forecasting.terms.history import Metric, MetricKind
    from forecasting.terms.project import SourceSpec

    with sqlite3.connect(tmp_path / "m.db") as connection:
        connection.execute("CREATE TABLE m (service TEXT, metric TEXT, at TEXT, value REAL)")
        rows = [("shop", "orders", f"2026-03-0{d} 00:00:00", d) for d in range(1, 8)] + [
            ("desk", "orders", "2026-03-01 00:00:00", 1), ("till", "orders", "2026-03-06 23:00:00", 1),
        ]  # fmt: skip
        connection.executemany("INSERT INTO m VALUES (?, ?, ?, ?)", rows)
    spec = SourceSpec(
        name="db",
        kind="sql",
        url="sqlite:///m.db",
        query="SELECT service, metric, at, value FROM m WHERE at >= :since AND at < :until",
        overlap=timedelta(days=1),
    )
    source = SqlQuery(spec, tmp_path, {"orders": Metric(name="orders", kind=MetricKind.COUNT)})
    list(source.chunks(None))
    (note,) = source.notes
    assert note.startswith("orders of desk (2026-03-01 00:00Z) end more than overlap (1 day, 0:00:00)")
    assert "till" not in note
