"""Every adapter in a table offers what its port asks for, and naming them loads nothing heavy."""

from __future__ import annotations

import inspect
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from forecasting import ports
from forecasting.adapters.catalogues import CATALOGUES
from forecasting.adapters.clock import CLOCKS, PAUSES, FixedClock, SystemClock
from forecasting.adapters.executors import EXECUTORS
from forecasting.adapters.model_log import MODEL_LOGS
from forecasting.adapters.notifiers import NOTIFIERS
from forecasting.adapters.sinks import FRAME_SINKS, RENDERED_SINKS
from forecasting.adapters.sources import SOURCES
from forecasting.adapters.store import LEDGERS, METRIC_STORES
from forecasting.terms.errors import InputError

TABLES = {
    ports.HistorySource: SOURCES,
    ports.CatalogueSource: CATALOGUES,
    ports.MetricStore: METRIC_STORES,
    ports.Ledger: LEDGERS,
    ports.ReportSink: {**RENDERED_SINKS, **FRAME_SINKS},
    ports.ModelLog: MODEL_LOGS,
    ports.Notifier: NOTIFIERS,
    ports.Executor: EXECUTORS,
    ports.Clock: CLOCKS,
    ports.Outbox: LEDGERS,
    ports.Pause: PAUSES,
}
CASES = [(port, name, adapter) for port, table in TABLES.items() for name, adapter in table.items()]


@pytest.mark.parametrize(("port", "name", "adapter"), CASES, ids=[f"{p.__name__}-{n}" for p, n, _ in CASES])
def test_an_adapter_has_every_method_with_the_names_of_its_port(port: type, name: str, adapter: type) -> None:
    wanted = {key: value for key, value in vars(port).items() if not key.startswith("_")}
    assert wanted
    for method, declared in wanted.items():
        offered = inspect.getattr_static(adapter, method)
        if isinstance(declared, property):
            assert isinstance(offered, property)
        else:
            assert list(inspect.signature(offered).parameters) == list(inspect.signature(declared).parameters)


def test_the_tables_are_read_without_heavy_libraries() -> None:
    code = (
        "import sys, importlib\n"
        "for part in 'catalogues clock executors model_log notifiers sinks sources store'.split():\n"
        "    importlib.import_module('forecasting.adapters.' + part)\n"
        "heavy = 'pandas pyarrow duckdb sqlalchemy mlflow joblib yaml scipy matplotlib pydantic'.split()\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_clocks_tell_utc() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)
    berlin = datetime.fromisoformat("2027-07-01T02:00:00+02:00")
    assert FixedClock(berlin).now() == berlin
    assert FixedClock(berlin).now().utcoffset() == timedelta(0)
    with pytest.raises(InputError, match="zone"):
        FixedClock(datetime(2027, 1, 1))  # noqa: DTZ001
