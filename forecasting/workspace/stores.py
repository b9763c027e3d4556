"""Which stores a workspace uses: files of its own, or a shared PostgreSQL."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from forecasting.ports import Ledger, LedgerWithOutbox, MetricStore
from forecasting.terms.errors import InputError
from forecasting.terms.project import Project


@dataclass(frozen=True, kw_only=True, eq=False)
class Past:
    """The stores as they stood at a past run."""

    metrics: MetricStore
    ledger: Ledger
    batch: int
    """Last batch of the metric store that counts."""
    sequence: int
    """Last row of the ledger that counts."""


def open_stores(project: Project, state: Path) -> tuple[MetricStore, LedgerWithOutbox]:
    """Return the metric store and the ledger of a project.

    Parameters
    ----------
    project : Project
    state : Path
        Folder of the workspace's own files.

    Raises
    ------
    InputError
        Where the project names an environment variable for a shared store that is not set.
    """
    from forecasting.adapters.store import DuckdbMetrics, PostgresLedger, PostgresMetrics, SqliteLedger

    if not project.store_url_env:
        return DuckdbMetrics(state / "metrics.duckdb"), SqliteLedger(state / "ledger.db")
    if not os.environ.get(project.store_url_env):
        raise InputError(
            argument=f"environment variable {project.store_url_env}",
            came=None,
            allowed="postgresql://user:password@host/database",
            try_instead=f"export {project.store_url_env}=..., or remove storeUrlEnv to use files in the workspace",
        )
    return (
        PostgresMetrics(url_env=project.store_url_env, namespace=project.name),
        PostgresLedger(url_env=project.store_url_env, namespace=project.name),
    )
