"""Forecasting and capacity planning for service level management.

Examples
--------
>>> import forecasting
>>> sorted(forecasting.__all__)
['Forecast', 'Forecaster', 'Plan', 'Settings', 'Workspace', '__version__', 'create']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.4.0"
__all__ = ["Forecast", "Forecaster", "Plan", "Settings", "Workspace", "__version__", "create"]

if TYPE_CHECKING:
    from forecasting.terms.forecast import Forecast
    from forecasting.terms.plan import Plan
    from forecasting.terms.settings import Settings
    from forecasting.workflows.forecaster import Forecaster
    from forecasting.workspace import Workspace, create

_HOMES = {
    "Forecast": "forecasting.terms.forecast",
    "Forecaster": "forecasting.workflows.forecaster",
    "Plan": "forecasting.terms.plan",
    "Settings": "forecasting.terms.settings",
    "Workspace": "forecasting.workspace",
    "create": "forecasting.workspace",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use, so that ``import forecasting`` stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'forecasting' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
