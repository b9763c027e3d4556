"""One battery for every metric store and one for every ledger, whatever keeps them."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from servers import PostgresServer, postgres

from forecasting.adapters.store import DuckdbMetrics, PostgresLedger, PostgresMetrics, SqliteLedger
from forecasting.ports import Ledger, MetricStore
from forecasting.testing.store import check_ledger, check_metric_store

__all__ = ["postgres"]
NUMBERS = itertools.count()


def no_store() -> MetricStore:
    raise AssertionError("names only")


def no_ledger() -> Ledger:
    raise AssertionError("names only")


METRIC_CHECKS = [name for name, _ in check_metric_store(no_store, damage=lambda store: None)]
LEDGER_CHECKS = [name for name, _ in check_ledger(no_ledger, damage=lambda ledger: None)]


def damage_duckdb(store: MetricStore) -> None:
    import duckdb

    assert isinstance(store, DuckdbMetrics)
    with duckdb.connect(str(store.path)) as connection:
        connection.execute("UPDATE metric_row SET value = value + 1 WHERE value = 15 AND batch = 1")


def damage_sqlite(ledger: Ledger) -> None:
    assert isinstance(ledger, SqliteLedger)
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("DROP TRIGGER ledger_no_update")
        connection.execute("UPDATE ledger SET payload = '{\"p\":9}' WHERE sequence = 3")


class Made:
    """Makes stores in PostgreSQL, each in a schema of its own, and damages them."""

    def __init__(self, server: PostgresServer, variable: str) -> None:
        self.server, self.variable, self.database = server, variable, "postgres"

    def metrics(self) -> MetricStore:
        return PostgresMetrics(self.variable, namespace=f"contract-{next(NUMBERS)}")

    def ledger(self) -> Ledger:
        return PostgresLedger(self.variable, namespace=f"contract-{next(NUMBERS)}")

    def change(self, schema: str, table: str, statement: str) -> None:
        self.server.execute(
            f"SET search_path = {schema}", f"ALTER TABLE {table} DISABLE TRIGGER append_only", statement
        )

    def damage_metrics(self, store: MetricStore) -> None:
        assert isinstance(store, PostgresMetrics)
        statement = "UPDATE metric_row SET value = value + 1 WHERE value = 15 AND batch = 1"
        self.change(store.database.schema, "metric_row", statement)

    def damage_ledger(self, ledger: Ledger) -> None:
        assert isinstance(ledger, PostgresLedger)
        self.change(ledger.database.schema, "ledger", "UPDATE ledger SET payload = '{\"p\":9}' WHERE sequence = 3")


@pytest.fixture
def made(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.setenv("CONTRACT_STORE_URL", postgres.url())
    return Made(postgres, "CONTRACT_STORE_URL")


def files(folder: Path, ending: str) -> Callable[[], Path]:
    return lambda: folder / f"{next(NUMBERS)}{ending}"


@pytest.mark.parametrize("name", METRIC_CHECKS)
def test_duckdb_keeps_the_contract_of_a_metric_store(name: str, tmp_path: Path) -> None:
    path = files(tmp_path, ".duckdb")
    dict(check_metric_store(lambda: DuckdbMetrics(path()), damage=damage_duckdb))[name]()


@pytest.mark.parametrize("name", METRIC_CHECKS)
def test_postgres_keeps_the_contract_of_a_metric_store(name: str, made: Made) -> None:
    dict(check_metric_store(made.metrics, damage=made.damage_metrics))[name]()


@pytest.mark.parametrize("name", LEDGER_CHECKS)
def test_sqlite_keeps_the_contract_of_a_ledger(name: str, tmp_path: Path) -> None:
    path = files(tmp_path, ".db")
    dict(check_ledger(lambda: SqliteLedger(path()), damage=damage_sqlite))[name]()


@pytest.mark.parametrize("name", LEDGER_CHECKS)
def test_postgres_keeps_the_contract_of_a_ledger(name: str, made: Made) -> None:
    dict(check_ledger(made.ledger, damage=made.damage_ledger))[name]()
