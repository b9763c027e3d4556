"""Where rows and results are kept: one line for each kind of store."""

from forecasting.adapters.store.duckdb_metrics import DuckdbMetrics
from forecasting.adapters.store.sqlite_ledger import SqliteLedger

METRIC_STORES = {"duckdb": DuckdbMetrics}
"""Metric stores by name."""

LEDGERS = {"sqlite": SqliteLedger}
"""Ledgers by name."""

__all__ = ["LEDGERS", "METRIC_STORES", "DuckdbMetrics", "SqliteLedger"]
