"""Where back-tests and chosen models are kept: one line for each place."""

from forecasting.adapters.model_log.mlflow_registry import MlflowRegistry
from forecasting.adapters.model_log.mlflow_sqlite import MlflowSqlite
from forecasting.adapters.model_log.none import NoModelLog

MODEL_LOGS: dict[str, type[MlflowSqlite] | type[NoModelLog]] = {"mlflow": MlflowSqlite, "none": NoModelLog}
"""Model logs by name."""

__all__ = ["MODEL_LOGS", "MlflowRegistry", "MlflowSqlite", "NoModelLog"]
