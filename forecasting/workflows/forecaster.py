"""The forecast engine for tables of one's own: scikit-learn's words (fit, seed) without its inheritance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import numpy as np

from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.explain import explain_forecast
from forecasting.forecasts.models import MODELS, get_model
from forecasting.forecasts.pooled import POOLED
from forecasting.history.calendar import slice_bounds
from forecasting.ports import Executor
from forecasting.terms.covariate import Covariate
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.explanation import Explanation
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import MetricKind, Series
from forecasting.terms.league import League
from forecasting.terms.settings import Settings
from forecasting.workflows.tables import read_covariates, read_series
from forecasting.workflows.workbench import DEFAULT, LEAST_ORIGINS, run_workbench

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Key = tuple[str, str]
PARAMETERS = (
    "models", "horizon", "levels", "seed", "country", "zone", "kind", "step", "unit", "n_paths", "origins",
)  # fmt: skip
"""Arguments of `Forecaster`, each kept under its own name and never changed, as `sklearn.base.clone` needs it."""


class Forecaster:
    """Forecast many series at once as calibrated sample paths.

    Parameters
    ----------
    models : tuple of str
        Names from `forecasting.forecasts.models.MODELS`; the default is that of a plan.
    horizon : int
        Slices ahead.
    levels : tuple of float
        Quantile levels of `forecast`, above 0 and below 1.
    seed : int
        Same seed and data, same numbers.
    country : str
        ISO 3166 code whose public holidays matter, or empty.
    zone : str
        IANA zone of naive timestamps, and of local days.
    kind : str or None
        ``count``, ``ratio``, ``non_negative`` or ``real``: the bounds of the forecasts. None: non_negative where no
        value of the metric is below 0, real otherwise.
    step : timedelta or None
        Length of a slice; None takes the smallest distance between two timestamps.
    unit : str
        Unit in words, for the explanations.
    n_paths : int
        Sample paths.
    origins : int
        Rolling origins of the back-test behind every forecast.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> days = pd.date_range("2027-03-01", periods=140)
    >>> calls = pd.Series(np.tile([5.0, 9, 9, 9, 9, 7, 3], 20), index=days, name="desk")
    >>> forecaster = Forecaster(models=("seasonal_naive",), horizon=3, zone="UTC", n_paths=50).fit(calls)
    >>> forecaster.forecast()[["service", "at", "q0.5"]]
      service                        at  q0.5
    0    desk 2027-07-19 00:00:00+00:00   5.0
    1    desk 2027-07-20 00:00:00+00:00   9.0
    2    desk 2027-07-21 00:00:00+00:00   9.0
    """

    series_: tuple[Series, ...]
    """After `fit`: the series on their grids."""
    forecasts_: Mapping[Key, Forecast]
    """After `forecast`: the forecasts by (service, metric)."""
    excuses_: Mapping[Key, Excuse]
    """After `forecast`: the series that could not be forecast, with the reason."""

    def __init__(
        self,
        *,
        models: tuple[str, ...] = Settings.models,
        horizon: int = 28,
        levels: tuple[float, ...] = (0.1, 0.5, 0.9),
        seed: int = Settings.seed,
        country: str = "",
        zone: str = "",
        kind: MetricKind | str | None = None,
        step: timedelta | None = None,
        unit: str = "",
        n_paths: int = Settings.paths,
        origins: int = Settings.origins,
    ) -> None:
        self.models, self.horizon, self.levels, self.seed = models, horizon, levels, seed
        self.country, self.zone, self.kind, self.step, self.unit = country, zone, kind, step, unit
        self.n_paths, self.origins = n_paths, origins

    def __repr__(self) -> str:
        usual = Forecaster().get_params()
        shown = (f"{name}={value!r}" for name, value in self.get_params().items() if value != usual[name])
        return f"Forecaster({', '.join(shown)})"

    # ------------------------------------------------------------------ scikit-learn's words
    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the arguments by name; `deep` is there for scikit-learn and changes nothing."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def set_params(
        self,
        *,
        models: tuple[str, ...] | None = None,
        horizon: int | None = None,
        levels: tuple[float, ...] | None = None,
        seed: int | None = None,
        country: str | None = None,
        zone: str | None = None,
        kind: MetricKind | str | None = None,
        step: timedelta | None = None,
        unit: str | None = None,
        n_paths: int | None = None,
        origins: int | None = None,
    ) -> Self:
        """Change arguments and return the same object; None leaves one as it is. Call `fit` again afterwards."""
        given = (models, horizon, levels, seed, country, zone, kind, step, unit, n_paths, origins)
        for name, value in zip(PARAMETERS, given, strict=True):
            if value is not None:
                setattr(self, name, value)
        return self

    def fit(self, data: pd.DataFrame | pd.Series | Sequence[Series]) -> Self:
        """Read a table and keep its series; forecasts of an earlier `fit` are forgotten.

        Parameters
        ----------
        data : DataFrame, pandas Series or sequence of Series
            Long: columns service, metric, at, value (at and value at least). Wide: a DatetimeIndex and one column a
            service. NaN, and a slice without a row, is missing; never a 0.

        Raises
        ------
        InputError
            For naive timestamps without `zone`, timestamps off a regular grid, values that are no numbers, and whatever
            else cannot be read without a guess; the message says what to do.
        """
        self._check()
        self.series_ = read_series(data, zone=self.zone, kind=self.kind, step=self.step, unit=self.unit)
        keys = [_key(one) for one in self.series_]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(
                argument="data", came=f"{twice[1]} of {twice[0]} twice", allowed="each service and metric once",
                try_instead="one series for each, or other names",
            )  # fmt: skip
        self._forget()
        return self

    # ------------------------------------------------------------------ results
    def forecast(self, horizon: int | None = None, covariates: pd.DataFrame | None = None) -> pd.DataFrame:
        """Forecast every series.

        Parameters
        ----------
        horizon : int or None
            Slices after the end of the data; None takes that of the object.
        covariates : DataFrame or None
            Known ahead: column at (or a DatetimeIndex), service where it is not for all, one column of numbers for each
            covariate, with rows for the history and the horizon.

        Returns
        -------
        DataFrame
            Columns service, metric, at (UTC start of the slice), mean, and ``q0.1`` ... for each of `levels`. Series
            that cannot be forecast are not in it: `excuses_` says why.

        Raises
        ------
        InputError
            Before `fit`, for a horizon or covariates that cannot be used, or where no series can be forecast.
        """
        import pandas as pd

        self._check()
        series, ahead = self._fitted(), self.horizon if horizon is None else horizon
        task = ForecastTask(
            series=series,
            horizon=ahead,
            models=tuple(self.models),
            countries=(self.country,) * len(series),
            n_paths=self.n_paths,
            seed=self.seed,
            origins=self.origins,
            covariates=known_ahead(covariates, self.models, series, ahead, zone=self.zone),
            explain=True,
        )
        answers = dict(zip((_key(one) for one in series), forecast_batch(task), strict=True))
        self.forecasts_ = {key: answer for key, answer in answers.items() if isinstance(answer, Forecast)}
        self.excuses_ = {key: answer for key, answer in answers.items() if isinstance(answer, Excuse)}
        if not self.forecasts_:
            (service, metric), excuse = next(iter(self.excuses_.items()))
            raise InputError(
                argument=f"{metric} of {service}",
                came=excuse.reason,
                allowed="one series at least that can be forecast",
                try_instead=excuse.what_would_help,
            )
        return pd.concat([self._table(one) for one in self.forecasts_.values()], ignore_index=True)

    def paths(self, service: str | None = None, metric: str | None = None) -> NDArray[np.float64]:
        """Return the sample paths of one series, shape (n_paths, horizon): sums and peaks keep their dependence.

        Parameters
        ----------
        service, metric : str or None
            None where there is only one.

        Raises
        ------
        InputError
            Before `fit`, or where the names do not say which series.
        """
        return self._forecast_of(service, metric).paths

    def explain(self, service: str | None = None, metric: str | None = None) -> Explanation:
        """Return why the forecast of one series is what it is; `describe` in `forecasts.explain` puts it in words.

        Parameters
        ----------
        service, metric : str or None
            None where there is only one.

        Raises
        ------
        InputError
            Before `fit`, or where the names do not say which series.
        """
        found = self._forecast_of(service, metric)
        series = next(one for one in self.series_ if _key(one) == (found.service, found.metric.name))
        return explain_forecast(found, series, country=self.country)

    def backtest(
        self,
        origins: int = LEAST_ORIGINS,
        *,
        executor: Executor | None = None,
        timer: Callable[[], float] | None = None,
    ) -> League:
        """Forecast the past of every series from rolling origins and score it against seasonal naive.

        Entries are ``default`` (what a plan does) and, where the object has other `models`, each of these alone.

        Parameters
        ----------
        origins : int
            Rolling origins, 3 or more.
        executor : Executor or None
            Maps the work; None does it here.
        timer : callable or None
            CPU seconds, a module-level function such as ``time.process_time``; None records 0.

        Raises
        ------
        InputError
            Before `fit`, or where no series is long enough.
        """
        self._check()
        series = self._fitted()
        check_entries(self.models)
        others = () if tuple(self.models) == Settings.models else tuple(dict.fromkeys(self.models))
        return run_workbench(
            series,
            horizon=self.horizon,
            models=(DEFAULT, *others),
            origins=origins,
            seed=self.seed,
            countries=(self.country,) * len(series),
            executor=executor,
            timer=timer,
            n_paths=self.n_paths,
        )

    # ------------------------------------------------------------------ inside
    def _check(self) -> None:
        """Refuse levels that are none; the stage checks the rest."""
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise InputError(
                argument="levels", came=self.levels, allowed="shares above 0 and below 1", try_instead="(0.1, 0.5, 0.9)"
            )
        if isinstance(self.models, str) or not self.models:
            raise InputError(
                argument="models", came=self.models, allowed="a tuple of names", try_instead=str(Settings.models)
            )

    def _fitted(self) -> tuple[Series, ...]:
        """The series, or an error where there are none."""
        if not hasattr(self, "series_"):
            raise InputError(
                argument="forecaster", came="not fitted", allowed="fit before forecast", try_instead=".fit(data)"
            )
        return self.series_

    def _forget(self) -> None:
        """Drop what was forecast from other data."""
        for name in ("forecasts_", "excuses_"):
            if hasattr(self, name):
                delattr(self, name)

    def _forecast_of(self, service: str | None, metric: str | None) -> Forecast:
        """The forecast that the names mean."""
        if not hasattr(self, "forecasts_"):
            self.forecast()
        found = [
            forecast
            for (one, other), forecast in self.forecasts_.items()
            if service in (None, one) and metric in (None, other)
        ]
        if len(found) == 1:
            return found[0]
        excuses = [e for (one, other), e in self.excuses_.items() if service == one and metric in (None, other)]
        if not found and excuses:
            raise InputError(
                argument=f"service {service}", came=excuses[0].reason, allowed="a series that can be forecast",
                try_instead=excuses[0].what_would_help,
            )  # fmt: skip
        known = ", ".join(f"{one} {other}" for one, other in list(self.forecasts_)[:12])
        raise InputError(
            argument="service and metric",
            came=(service, metric),
            allowed=f"one of: {known}",
            try_instead="both names, exactly written",
        )

    def _table(self, forecast: Forecast) -> pd.DataFrame:
        """One forecast as rows."""
        import pandas as pd

        starts = slice_bounds(forecast.start, forecast.step, forecast.zone, forecast.horizon)[:-1]
        quantiles = np.quantile(forecast.paths, self.levels, axis=0)
        return pd.DataFrame(
            {
                "service": forecast.service,
                "metric": forecast.metric.name,
                "at": pd.DatetimeIndex(starts.astype("datetime64[us]")).tz_localize("UTC"),
                "mean": forecast.mean(),
            }
            | {f"q{level:g}": row for level, row in zip(self.levels, quantiles, strict=True)}
        )


def check_entries(names: Sequence[str]) -> None:
    """Refuse names that no entry of a league has before anything is computed.

    Raises
    ------
    InputError
        For the first unknown name.

    Examples
    --------
    >>> check_entries(("default", "seasonal_naive"))
    """
    for name in names:
        if name not in (DEFAULT, *Settings.models, *MODELS):
            get_model(name)


def known_ahead(
    frame: pd.DataFrame | None, models: Sequence[str], series: Sequence[Series], horizon: int, *, zone: str = ""
) -> tuple[tuple[Covariate, ...], ...]:
    """Return the covariates of each series from a table (see `read_covariates`), nothing where there is none.

    Raises
    ------
    InputError
        Where none of the models uses covariates, or the table cannot be read.
    """
    if frame is None:
        return ()
    if POOLED not in models:
        raise InputError(
            argument="covariates",
            came=f"covariates with the models {', '.join(models)}",
            allowed=f"covariates with {POOLED}, which alone uses them",
            try_instead=f"models: {', '.join((POOLED, *models))}",
        )
    return read_covariates(frame, series, horizon, zone=zone)


def _key(series: Series) -> Key:
    """(service, metric) of a series."""
    return series.service, series.metric.name
