"""Forecasts of one metric, and the league table of ways to forecast, on the data of a workspace."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from forecasting.adapters.executors import JoblibLoky
from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.explain import explain_forecast
from forecasting.forecasts.pooled import POOLED
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.league import League
from forecasting.terms.registry import RunRecord
from forecasting.workflows.demand import BACKTEST_DAYS, wanted
from forecasting.workflows.forecaster import check_entries, known_ahead
from forecasting.workflows.hierarchies import add_up, trees_with
from forecasting.workflows.planned_events import events_for, tell_events
from forecasting.workflows.workbench import run_workbench
from forecasting.workspace._model_record import instant_text, league_metrics, league_texts, params_of
from forecasting.workspace.workspace import Workspace, unknown

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.adapters.model_log import MlflowRegistry
    from forecasting.terms.covariate import Covariate
    from forecasting.workflows.prepare import Prepared

DAY = timedelta(days=1)
MOST_COMPANIONS = 100
"""Other series that one forecast learns from, at most: what more of them teach is little, what they cost is not."""


def forecast_one(
    space: Workspace,
    service: str,
    metric: str | None,
    *,
    as_of: str | date | datetime | None,
    horizon: int,
    step: timedelta,
    models: Sequence[str] | None,
    covariates: pd.DataFrame | None,
) -> Forecast:
    """Forecast one metric of one service; see `Workspace.forecast`."""
    if service not in space.catalogue.services:
        raise unknown("service", service, sorted(space.catalogue.services))
    driver = space.catalogue.drivers.get(service)
    name = metric or (driver.metric if driver else None)
    if name is None or name not in space.catalogue.metrics:
        raise unknown("metric", name, sorted(space.catalogue.metrics))
    prepared = space.prepare(as_of)
    key = (service, name)
    trees = trees_with(space.catalogue, [key])
    tree = tuple(node for one in trees for node in one.keys)
    lent = next((k for k in (key, *tree) if k in prepared.history.series), key)  # a total may have no history
    native = prepared.history.series.get(lent)
    if native is None:
        raise InputError(
            argument="metric",
            came=f"{name} of {service}",
            allowed="a metric with rows before the cut-off",
            try_instead="forecasting ingest, or a later --as-of",
        )
    if step not in (DAY, native.step):
        raise InputError(
            argument="step", came=str(step), allowed=f"1 day or {native.step}", try_instead="the metric's own step"
        )
    known = prepared.daily if step == DAY else prepared.history.series
    settings, names = space.settings, tuple(models or space.settings.models)
    together = {one: known[one] for one in (key, *tree) if one in known}
    companions = _companions(prepared, known[lent]) if names == (POOLED,) else {}
    pool = tuple((together | {one: companions[one] for one in companions if one not in together}).values())
    asked = pool[: 1 if key in together else len(together)]  # a total without history: what is known of its parts
    task = ForecastTask(
        series=pool,
        horizon=horizon,
        models=names,
        countries=tuple(space.catalogue.services[one.service].country for one in pool),
        n_paths=settings.paths,
        seed=settings.seed,
        origins=settings.origins,
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
        covariates=_of_the_first(known_ahead(covariates, names, asked, horizon), len(pool)),
        events=events_for(space.catalogue, (one.service for one in pool)),
        explain=True,
    )
    answers = {
        one: answer if isinstance(answer, Excuse) else _explained(answer, task, place)
        for place, (one, answer) in enumerate(zip(together, forecast_batch(task), strict=False))
    }
    if trees:
        countries = {one: found.country for one, found in space.catalogue.services.items()}
        bare = replace(task, series=(), countries=(), covariates=())
        answers = add_up(answers, trees, series=together, task=bare, countries=countries)
    answer = answers.get(key)
    if not isinstance(answer, Forecast):
        raise InputError(
            argument=f"{name} of {service}",
            came="no row before the cut-off" if answer is None else answer.reason,
            allowed="a series that can be forecast",
            try_instead="forecasting ingest" if answer is None else answer.what_would_help,
        )
    return answer


def _explained(answer: Forecast, task: ForecastTask, place: int) -> Forecast:
    """A forecast of a task with its explanation, and what planned events do to it."""
    series, country = task.series[place], task.countries[place]
    told = replace(answer, explanation=explain_forecast(answer, series, country=country))
    covariates = task.covariates[place] if task.covariates else ()
    return tell_events(told, series, events=task.events, country=country, covariates=covariates)


def _companions(prepared: Prepared, series: Series) -> dict[tuple[str, str], Series]:
    """Demand series of the same step that the pooled model learns from too, as a plan does; the nearest names first."""
    known = prepared.daily if series.step == DAY else prepared.history.series
    keys = [k for k in sorted(wanted(prepared)) if k in known and known[k].step == series.step]
    own = series.metric.name
    keys.sort(key=lambda key: key[1] != own)
    return {key: known[key] for key in keys[:MOST_COMPANIONS] if key != (series.service, own)}


def _of_the_first(covariates: tuple[tuple[Covariate, ...], ...], count: int) -> tuple[tuple[Covariate, ...], ...]:
    """Covariates of the first of several series; the others have none."""
    return covariates + ((),) * (count - len(covariates)) if covariates else ()


def league_of(
    space: Workspace,
    as_of: str | date | datetime | None,
    *,
    services: Sequence[str] | None,
    models: Sequence[str],
    origins: int,
    horizon: int | None,
    native: bool,
    timed: bool,
) -> League:
    """Back-test entries on the demand series; see `Workspace.backtest`."""
    for service in services or ():
        if service not in space.catalogue.services:
            raise unknown("service", service, sorted(space.catalogue.services))
    check_entries(models)
    prepared = space.prepare(as_of)
    known = prepared.history.series if native else prepared.daily
    keys = [key for key in sorted(wanted(prepared)) if key in known and (not services or key[0] in services)]
    if not keys:
        raise InputError(
            argument="services",
            came=", ".join(services) if services else "none with demand",
            allowed="services with a demand driver, a ratio objective or a resource, and rows before the cut-off",
            try_instead="a DemandDriver document in the catalogue",
        )
    series = [known[key] for key in keys]
    week = timedelta(days=7) // min(one.step for one in series)
    return run_workbench(
        series,
        horizon=horizon if horizon is not None else max(week, 1) if native else BACKTEST_DAYS,
        models=tuple(models),
        origins=origins,
        seed=space.settings.seed,
        countries=[space.catalogue.services[service].country for service, _ in keys],
        executor=JoblibLoky(space.settings.jobs),
        timer=time.process_time if timed else None,
        n_paths=space.settings.paths,
        settings=space.settings,
        events=events_for(space.catalogue, (service for service, _ in keys)),
    )


def log_league(
    space: Workspace, registry: MlflowRegistry, league: League, *, as_of: str | date | datetime | None
) -> str:
    """Keep a league as a run beside those of trained models, with the same names; return ``runs:/<id>``.

    Parameters
    ----------
    space : Workspace
    registry : MlflowRegistry
    league : League
        What `league_of` found at this cut-off.
    as_of : str, date, datetime or None

    Raises
    ------
    StoreError
        Where the registry refuses.
    """
    prepared = space.prepare(as_of)
    meta = {
        "as_of": instant_text(prepared.as_of),
        "series": len(league.series),
        "horizon": league.horizon,
        "origins": league.origins,
        "paths": league.paths,
        "seed": league.seed,
        "models": list(space.settings.models),
        "code_version": prepared.manifest.code_version,
        "catalogue_version": prepared.manifest.catalogue_version,
        "data_sha256": league.data_sha256,
        "libraries": dict(prepared.manifest.libraries),
    }
    params = params_of(meta)
    record = RunRecord(
        run_name=f"back-test {prepared.as_of.date().isoformat()}",
        params=params,
        metrics=dict(league_metrics(league)),
        tags={"kind": "back-test"} | {name: params[name] for name in ("as_of", "series", "horizon", "data_sha256")},
        texts=league_texts(league),
        at_ms=int(prepared.as_of.timestamp() * 1000),
    )
    return registry.log_run(record)
