"""The forecast stage as a model that MLflow loads from code and serves: history in, quantiles out, no pickle.

What is logged is `SCRIPT`, which imports this module, the two files of the learned state and a JSON of settings.
The numbers are those of `forecast_batch`, wherever it runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.adapters._served_rows import history_of, step_of
from forecasting.adapters.learned_files import read_learned
from forecasting.history.calendar import slice_bounds
from forecasting.terms.errors import Excuse, ForecastingError, InputError, StoreError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.learned import Learned
from forecasting.terms.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.forecasts.engine import ForecastTask

SCRIPT = '''"""Forecasts of service metrics from their history."""

from mlflow.models import set_model

from forecasting.adapters.served_model import python_model

set_model(python_model())
'''
"""The model's code as MLflow keeps and runs it."""

VERSION = 1
LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Quantiles given where a request names none."""
MOST_LEVELS = 99
MOST_CELLS = 100_000_000
"""Series × horizon × paths of a request: 800 MB."""
MOST_SEED = 2**63 - 1
PARAMS = ("horizon", "levels", "seed", "step")


@dataclass(frozen=True, kw_only=True)
class ServedSettings:
    """What a model was logged with; what a request does not say is taken from here.

    Examples
    --------
    >>> calls = Metric(name="calls", kind=MetricKind.COUNT)
    >>> s = ServedSettings(step=timedelta(days=1), horizon=28, models=("trend",), metrics={"calls": calls})
    >>> settings_from(settings_text(s)) == s
    True
    """

    step: timedelta
    """Length of a slice."""
    horizon: int
    """Slices ahead."""
    models: tuple[str, ...]
    metrics: Mapping[str, Metric]
    """What the numbers mean, by metric: their kind is in every forecast."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """IANA zone by service."""
    countries: Mapping[str, str] = field(default_factory=dict)
    """ISO 3166 code by service; others have no public holidays."""
    zone: str = "UTC"
    """IANA zone of a service that is not known."""
    paths: int = 1000
    seed: int = 20130901
    origins: int = 4
    half_life_days: float = 60.0
    mean_block_days: float = 3.0


def settings_text(settings: ServedSettings) -> str:
    """Return the settings as JSON."""
    document: dict[str, Any] = {one.name: getattr(settings, one.name) for one in fields(ServedSettings)}
    document["step"] = settings.step.total_seconds()
    document["models"] = list(settings.models)
    document["zones"], document["countries"] = dict(settings.zones), dict(settings.countries)
    document["metrics"] = {
        name: {"kind": metric.kind.value, "unit": metric.unit, "step": metric.step.total_seconds()}
        for name, metric in settings.metrics.items()
    }
    return json.dumps({"version": VERSION, **document}, sort_keys=True, indent=1, allow_nan=False) + "\n"


def settings_from(text: str) -> ServedSettings:
    """Return the settings from their JSON.

    Raises
    ------
    StoreError
        Where it is no such JSON, or of another version.
    """
    try:
        document = json.loads(text)
        if document.pop("version") != VERSION:
            raise ValueError("another version")
        metrics = {
            name: Metric(name=name, kind=MetricKind(m["kind"]), unit=m["unit"], step=timedelta(seconds=m["step"]))
            for name, m in document.pop("metrics").items()
        }
        step, models = timedelta(seconds=document.pop("step")), tuple(document.pop("models"))
        made = ServedSettings(step=step, models=models, metrics=metrics, **document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise StoreError(
            argument="model settings",
            came=f"{type(error).__name__}: {str(error)[:100]}",
            allowed=f"settings.json as it was logged, version {VERSION}",
            try_instead="the version of this package that the model was logged with, or log it again",
            file="settings.json",
        ) from error
    return made


def stage_task(
    settings: ServedSettings,
    series: Sequence[Series],
    *,
    horizon: int,
    learned: Learned | None = None,
    seed: int | None = None,
    paths: int | None = None,
) -> ForecastTask:
    """Return what the stage is asked.

    Examples
    --------
    >>> s = ServedSettings(step=timedelta(days=1), horizon=28, models=("trend",), metrics={})
    >>> stage_task(s, (), horizon=7, seed=3).seed
    3
    """
    from forecasting.forecasts.engine import ForecastTask

    return ForecastTask(
        series=tuple(series),
        horizon=horizon,
        models=settings.models,
        countries=tuple(settings.countries.get(one.service, "") for one in series),
        n_paths=settings.paths if paths is None else paths,
        seed=settings.seed if seed is None else seed,
        origins=settings.origins,
        half_life_days=settings.half_life_days,
        mean_block_days=settings.mean_block_days,
        learned=learned,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedForecasts:
    """A logged model, ready to answer."""

    settings: ServedSettings
    learned: Learned | None = None

    def answer(self, rows: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Forecast the series of a table.

        Parameters
        ----------
        rows : DataFrame
            Columns service, metric, at, value: see `forecasting.adapters._served_rows.history_of`.
        params : mapping, optional
            horizon (slices ahead), levels (of the quantiles, between 0 and 1), seed, step (of the slices, such as
            ``1h``); 0, empty and -1 for the seed stand for what the model was logged with.

        Returns
        -------
        DataFrame
            A row for each series and slice: service, metric, at (its start, UTC), a column for each level such as
            ``q0.5``, model, and fallback: why another model answered, or why there are no numbers; None where neither.

        Raises
        ------
        InputError
            For anything in rows or params that cannot be used.

        Examples
        --------
        >>> import pandas as pd
        >>> calls = Metric(name="calls", kind=MetricKind.COUNT)
        >>> served = ServedForecasts(settings=ServedSettings(step=timedelta(days=1), horizon=2, zone="UTC", paths=50,
        ...     models=("seasonal_naive",), metrics={"calls": calls}))
        >>> days = pd.date_range("2027-03-01", periods=28).strftime("%Y-%m-%d")
        >>> rows = pd.DataFrame({"service": "shop", "metric": "calls", "at": days, "value": [5, 9, 9, 9, 9, 7, 3] * 4})
        >>> served.answer(rows, {"levels": [0.5]})[["service", "at", "q0.5", "model"]].to_numpy().tolist()
        [['shop', '2027-03-29T00:00:00Z', 5.0, 'seasonal_naive'], ['shop', '2027-03-30T00:00:00Z', 9.0, ...]]
        """
        import pandas as pd

        from forecasting.forecasts.engine import MAX_HORIZON, forecast_batch

        given = dict(params or {})
        if unknown := [name for name in given if name not in PARAMS]:
            raise InputError(
                argument="params", came=unknown[0], allowed=", ".join(PARAMS), try_instead="horizon, without others"
            )
        horizon = _whole(given, "horizon", 0, MAX_HORIZON) or self.settings.horizon
        seed = _whole(given, "seed", -1, MOST_SEED)
        levels = _levels(given.get("levels"))
        text = given.get("step")
        if text is not None and not isinstance(text, str):
            raise InputError(argument="step", came=text, allowed="text", try_instead="1h")
        series = history_of(
            rows,
            metrics=self.settings.metrics,
            zones=self.settings.zones,
            zone=self.settings.zone,
            step=step_of(text or "", self.settings.step),
        )
        if len(series) * horizon * self.settings.paths > MOST_CELLS:
            raise InputError(
                argument="horizon",
                came=f"{horizon} for {len(series)} series",
                allowed=f"{MOST_CELLS // self.settings.paths} forecast slices in a request",
                try_instead="several requests",
            )
        task = stage_task(self.settings, series, horizon=horizon, learned=self.learned, seed=None if seed < 0 else seed)
        answers = forecast_batch(task)
        parts = [_rows(one, made, horizon, levels) for one, made in zip(series, answers, strict=True)]
        return pd.concat(parts, ignore_index=True)


def load_served(settings_file: Path, learned_folder: Path | None) -> ServedForecasts:
    """Return a logged model from its files."""
    settings = settings_from(settings_file.read_text(encoding="utf-8"))
    return ServedForecasts(settings=settings, learned=None if learned_folder is None else read_learned(learned_folder))


def _whole(given: Mapping[str, object], name: str, least: int, most: int) -> int:
    """A whole number of the params; absent = the least, which stands for the logged one."""
    value = given.get(name)
    if value is None:
        return least
    try:
        number = int(value) if not isinstance(value, (bool, str)) else None  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or number != value or not least <= number <= most:
        raise InputError(
            argument=name, came=value, allowed=f"a whole number, {max(least, 0)} to {most}", try_instead="28"
        )
    return int(number)


def _levels(value: object) -> tuple[float, ...]:
    """The levels asked for, ascending."""
    if value is None:
        return LEVELS
    try:
        found = tuple(sorted(float(one) for one in value))  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        found = (math.nan,)
    if not found:
        return LEVELS
    if not all(0 < one < 1 for one in found) or len(set(found)) < len(found) or len(found) > MOST_LEVELS:
        raise InputError(
            argument="levels",
            came=str(value)[:200],
            allowed=f"1 to {MOST_LEVELS} different numbers between 0 and 1",
            try_instead="[0.1, 0.5, 0.9]",
        )
    return found


def _rows(series: Series, answer: Forecast | Excuse, horizon: int, levels: Sequence[float]) -> pd.DataFrame:
    """The answer's rows of one series."""
    import numpy as np
    import pandas as pd

    if isinstance(answer, Forecast):
        quantiles = np.quantile(answer.paths, levels, axis=0).astype(object)
        start, model, fallback = answer.start, answer.model, answer.fallback
    else:
        quantiles = np.full((len(levels), horizon), None, dtype=object)
        start = slice_bounds(series.start, series.step, series.zone, len(series))[-1].item().replace(tzinfo=UTC)
        model, fallback = None, f"{answer.reason}; what would help: {answer.what_would_help}"
    starts = slice_bounds(start, series.step, series.zone, horizon)[:-1]
    columns: dict[str, object] = {
        "service": [series.service] * horizon,
        "metric": [series.metric.name] * horizon,
        "at": [_text(at) for at in starts.tolist()],
    }
    columns |= {f"q{level!r}": quantiles[i] for i, level in enumerate(levels)}
    columns |= {"model": [model] * horizon, "fallback": [fallback] * horizon}
    # As objects: what is missing is None, and no NaN gets into an answer, which is JSON.
    return pd.DataFrame(columns, dtype=object)


def _text(at: datetime) -> str:
    """An instant as ISO 8601 in UTC."""
    return f"{at.isoformat()}Z"


def python_model() -> Any:
    """Return the model that MLflow loads; MLflow is imported here."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST, INTERNAL_ERROR
    from mlflow.pyfunc import PythonModel

    class Forecasts(PythonModel):  # type: ignore[misc]
        """The stage behind MLflow's interface."""

        # MLflow would ask, on standard error, for type hints to make a signature of; ours is written by hand.
        _skip_type_hint_validation = True

        def load_context(self, context: Any) -> None:
            """Read settings and state."""
            artifacts = context.artifacts
            learned = artifacts.get("learned")
            self.served = load_served(Path(artifacts["settings"]), None if learned is None else Path(learned))

        # Without type hints: MLflow would take them for a signature.
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            """Answer; whatever is wrong is said in our words and without a trace, which would name paths."""
            try:
                return self.served.answer(model_input, params)
            except ForecastingError as error:
                raise MlflowException(str(error), error_code=BAD_REQUEST) from None
            except Exception as error:  # noqa: BLE001 - MLflow would send the whole trace to whoever asked
                name = type(error).__name__
                raise MlflowException(f"the forecast failed ({name})", error_code=INTERNAL_ERROR) from None

    return Forecasts()


def served_settings(
    settings: Settings,
    *,
    step: timedelta,
    horizon: int,
    metrics: Mapping[str, Metric],
    zones: Mapping[str, str],
    countries: Mapping[str, str],
    zone: str,
    paths: int = 1000,
) -> ServedSettings:
    """Return what to log for a run's settings."""
    return ServedSettings(
        step=step,
        horizon=horizon,
        models=settings.models,
        metrics=metrics,
        zones=zones,
        countries={name: code for name, code in countries.items() if code},
        zone=zone,
        paths=paths,
        seed=settings.seed,
        origins=settings.origins,
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
    )
