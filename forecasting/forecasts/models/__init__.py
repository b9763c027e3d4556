"""The table of demand models: one line each. Importing it loads none of them."""

from __future__ import annotations

from importlib import import_module

from forecasting.forecasts.base import ForecastModel
from forecasting.terms.errors import InputError

MODELS: dict[str, str] = {
    "seasonal_naive": "forecasting.forecasts.models.seasonal_naive:SeasonalNaive",
    "holiday_naive": "forecasting.forecasts.models.holiday_naive:HolidayNaive",
    "seasonal_median": "forecasting.forecasts.models.seasonal_median:SeasonalMedian",
    "ets": "forecasting.forecasts.models.ets:Ets",
    "prophet": "forecasting.forecasts.models.prophet:ProphetModel",
    "hist_gradient_boosting": "forecasting.forecasts.models.hist_gradient_boosting:HistGradientBoosting",
    "trend": "forecasting.forecasts.models.trend:Trend",
    "sarimax": "forecasting.forecasts.models.sarimax:Sarimax",
    "unobserved_components": "forecasting.forecasts.models.unobserved_components:UnobservedComponents",
}
"""Model by name, as ``module:Class``."""


def get_model(name: str) -> ForecastModel:
    """Return the model called `name`.

    Raises
    ------
    InputError
        If the table has no such name.

    Examples
    --------
    >>> get_model("seasonal_naive").name
    'seasonal_naive'
    """
    if name not in MODELS:
        raise InputError(
            argument="models", came=name, allowed=", ".join(MODELS), try_instead="a name of the table, exactly written"
        )
    module, _, attribute = MODELS[name].partition(":")
    model: ForecastModel = getattr(import_module(module), attribute)()
    return model
