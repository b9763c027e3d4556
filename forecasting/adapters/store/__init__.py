"""Where rows and results are kept: one line for each kind of store."""

from forecasting.adapters.store.duckdb_metrics import DuckdbMetrics
from forecasting.adapters.store.postgres_ledger import PostgresLedger
from forecasting.adapters.store.postgres_metrics import PostgresMetrics
from forecasting.adapters.store.sqlite_ledger import SqliteLedger

METRIC_STORES = {"duckdb": DuckdbMetrics, "postgres": PostgresMetrics}
"""Metric stores by name."""

LEDGERS = {"sqlite": SqliteLedger, "postgres": PostgresLedger}
"""Ledgers by name."""

__all__ = ["LEDGERS", "METRIC_STORES", "DuckdbMetrics", "PostgresLedger", "PostgresMetrics", "SqliteLedger"]
