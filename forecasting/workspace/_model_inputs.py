"""What a trained model is made from: series, recipe, state, and its league."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from forecasting.adapters.executors import JoblibLoky
from forecasting.adapters.model_log import MlflowRegistry
from forecasting.adapters.served_model import ServedSettings, served_settings, stage_task
from forecasting.forecasts.league import score_league
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import Series
from forecasting.terms.league import League
from forecasting.terms.learned import Learned
from forecasting.terms.registry import ModelVersion
from forecasting.workflows.demand import wanted
from forecasting.workflows.workbench import Bench, make_bench
from forecasting.workspace._model_bench import BENCH_PATHS, Contender, contender_entries
from forecasting.workspace._model_record import instant_of

if TYPE_CHECKING:
    from forecasting.workflows.prepare import Prepared
    from forecasting.workspace.workspace import Workspace

DAY = timedelta(days=1)


def series_of(prepared: Prepared) -> tuple[Series, ...]:
    """The daily series that a plan forecasts, as far as they have data."""
    found = tuple(prepared.daily[key] for key in sorted(wanted(prepared)) if key in prepared.daily)
    if not found:
        raise InputError(
            argument="workspace",
            came="no series that is to be forecast",
            allowed="demand drivers, totals of ratio objectives or resources with data before the cut-off",
            try_instead="a DemandDriver in the catalogue, or a later --as-of",
        )
    return found


def recipe_of(space: Workspace, prepared: Prepared, horizon: int) -> ServedSettings:
    """What a served model has to know of the workspace."""
    services = space.catalogue.services
    return served_settings(
        prepared.settings,
        step=DAY,
        horizon=horizon,
        metrics=space.catalogue.metrics,
        zones={name: service.zone for name, service in services.items()},
        countries={name: service.country for name, service in services.items()},
        zone=space.project.zone,
        paths=prepared.settings.paths,
    )


def state_of(settings: ServedSettings, series: Sequence[Series]) -> tuple[Learned | None, str]:
    """The state that is learnt across the series, or why there is none."""
    from forecasting.forecasts.engine import learn
    from forecasting.forecasts.pooled import POOLED

    if POOLED not in settings.models:
        return None, f"only {POOLED} learns across series; these models are fitted to the history of each request"
    found = learn(stage_task(settings, series, horizon=settings.horizon))
    return (None, found.reason) if isinstance(found, Excuse) else (found, "")


def league_of(
    space: Workspace,
    series: Sequence[Series],
    contenders: Sequence[Contender],
    settings: ServedSettings,
    *,
    horizon: int,
    origins: int,
    models: Sequence[str],
) -> tuple[Bench, League]:
    """Contenders and models on the same origins; the bench's last entries are the contenders."""
    executor = JoblibLoky(space.settings.jobs)
    bench = make_bench(
        series,
        horizon=horizon,
        models=models,
        origins=origins,
        seed=settings.seed,
        countries=tuple(settings.countries.get(one.service, "") for one in series),
        executor=executor,
        timer=time.process_time,
        n_paths=BENCH_PATHS,
    )
    own = contender_entries(bench, series, contenders, executor=executor, timer=time.process_time)
    bench = replace(bench, entries=(*bench.entries, *own))
    league = score_league(
        bench.outcomes,
        bench.reference,
        bench.entries,
        seed=settings.seed,
        excluded=bench.excluded,
        paths=BENCH_PATHS,
        data_sha256=bench.data_sha256,
    )
    return bench, league


def contender_of(registry: MlflowRegistry, version: ModelVersion, name: str) -> Contender:
    """A registered version, ready to take part."""
    settings = registry.settings(version)
    if settings.step != DAY:
        raise InputError(
            argument=f"version {version.version}", came=f"a step of {settings.step}", allowed="a step of 1 day",
            try_instead="log it with this version",
        )  # fmt: skip
    trained = instant_of(version.tags.get("as_of", ""))
    return Contender(name=name, settings=settings, learned=registry.learned(version), trained=trained)
