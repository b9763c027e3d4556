"""Where batches are computed: one line for each way."""

from forecasting.adapters.executors.joblib_loky import JoblibLoky
from forecasting.adapters.executors.serial import Serial

EXECUTORS: dict[str, type[Serial] | type[JoblibLoky]] = {"serial": Serial, "joblib_loky": JoblibLoky}
"""Executors by name."""

__all__ = ["EXECUTORS", "JoblibLoky", "Serial"]
