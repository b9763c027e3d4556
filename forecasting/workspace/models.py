"""Trained models of a workspace: learnt, measured, registered, compared, promoted, watched for drift."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._plain import plain
from forecasting.adapters.executors import JoblibLoky
from forecasting.adapters.model_log import MlflowRegistry
from forecasting.adapters.served_model import settings_text
from forecasting.forecasts.compare import FEW_SERIES, compare_entries
from forecasting.forecasts.drift import check_drift
from forecasting.terms.drift import ErrorRecord
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.league import League
from forecasting.terms.learned import Learned
from forecasting.terms.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelRecord, ModelVersion
from forecasting.workflows.workbench import DEFAULT, LEAST_ORIGINS
from forecasting.workspace._model_bench import Contender, errors_since
from forecasting.workspace._model_card import card_text
from forecasting.workspace._model_inputs import contender_of, league_of, recipe_of, series_of, state_of
from forecasting.workspace._model_record import (
    error_arrays,
    instant_text,
    league_metrics,
    params_of,
    record_head,
    row_of,
    texts_of,
)
from forecasting.workspace._model_results import Judged, ModelDrift, Promoted, SeriesDrift

if TYPE_CHECKING:
    from forecasting.workspace.workspace import Workspace

HORIZON = 28
"""Days ahead that are scored, where nobody says otherwise."""
BASELINE = "seasonal_naive"
"""Simplest model, measured beside every trained one."""
FALSE_ALARMS = 0.05
"""Chance that any series of a model without drift is ever called drifted."""
STATE_FOLDER, CARD_FOLDER = ".forecasting", "models"

Progress = Callable[[str], None]


def open_registry(space: Workspace, *, tracking_env: str | None = None) -> MlflowRegistry:
    """Return the registry of a workspace: its own database, or the tracking server an environment variable names.

    Parameters
    ----------
    space : Workspace
    tracking_env : str, optional
        Name of the environment variable with the server's URI, whose secrets are never shown.

    Raises
    ------
    InputError
        Where the variable is not set, or holds no http address.
    """
    server = ""
    if tracking_env:
        server = os.environ.get(tracking_env, "")
        if not server:
            raise InputError(
                argument="tracking server",
                came=f"environment variable {tracking_env}, which is not set",
                allowed="the name of a variable with the URI of a tracking server",
                try_instead=f"export {tracking_env}=http://..., or leave it out to use the workspace's own database",
            )
    return MlflowRegistry(space.root / STATE_FOLDER, experiment=f"{space.project.name} models", server=server)


def log_model(
    space: Workspace,
    registry: MlflowRegistry,
    *,
    name: str,
    as_of: str | None = None,
    horizon: int = HORIZON,
    origins: int = LEAST_ORIGINS,
    entries: Sequence[str] = (),
    progress: Progress,
) -> tuple[ModelVersion, League]:
    """Learn on the workspace's daily series, measure that on rolling origins, keep both, and make it the challenger.

    Parameters
    ----------
    space : Workspace
    registry : MlflowRegistry
    name : str
        Name in the registry.
    as_of : str, optional
        Cut-off; nothing at or after it is learnt from.
    horizon, origins : int
        Days ahead that are scored, and from how many rolling origins.
    entries : sequence of str
        Models that take part in the league besides.
    progress : callable
        Told the name of each step.

    Raises
    ------
    InputError
        Where there is nothing to learn from, or no series is long enough.
    StoreError
        Where the registry refuses.
    """
    progress("reading")
    prepared = space.prepare(as_of)
    series = series_of(prepared)
    settings = recipe_of(space, prepared, horizon)
    progress("learning")
    learned, why_not = state_of(settings, series)
    own = Contender(name=DEFAULT, settings=settings, learned=learned, trained=prepared.as_of)
    progress("back-test")
    others = tuple(dict.fromkeys((BASELINE, *(e for e in entries if e != DEFAULT))))
    bench, league = league_of(space, series, (own,), settings, horizon=horizon, origins=origins, models=others)
    progress("logging")
    row = league.row(DEFAULT)
    assert row is not None, "the contender is in the league"
    meta = {
        "name": name,
        "project": space.project.name,
        "as_of": instant_text(prepared.as_of),
        "first": instant_text(min(one.start for one in series)),
        "series": len(series),
        "slices": sum(int(np.sum(~np.isnan(one.values))) for one in series),
        "step_seconds": settings.step.total_seconds(),
        "horizon": horizon,
        "origins": league.origins,
        "paths": settings.paths,
        "seed": settings.seed,
        "models": list(settings.models),
        "code_version": prepared.manifest.code_version,
        "catalogue_version": prepared.manifest.catalogue_version,
        "data_sha256": league.data_sha256,
        "state": "" if learned is None else "kept",
        "no_state": why_not,
        "libraries": dict(prepared.manifest.libraries),
        "league": plain(league.rows),
        "excluded": [[*key, excuse.reason] for key, excuse in league.excluded],
        "keys": [list(key) for key in bench.outcomes.series],
    }
    record = ModelRecord(
        name=name,
        run_name=f"{name} {prepared.as_of.date().isoformat()}",
        params=params_of(meta),
        metrics=dict(league_metrics(league)),
        tags={
            "as_of": str(meta["as_of"]),
            "series": str(meta["series"]),
            "horizon": str(horizon),
            "gm_sql": f"{row.gm_sql:.6f}",
            "coverage80": f"{row.coverage_at(0.8):.6f}",
            "data_sha256": league.data_sha256,
            "code_version": prepared.manifest.code_version,
            "state": "kept" if learned is not None else "none",
        },
        texts=texts_of(meta, league),
        settings=settings_text(settings),
        backtest=Learned(meta=meta, arrays=error_arrays(bench, series)),
        at_ms=int(prepared.as_of.timestamp() * 1000),
        learned=learned,
    )
    version = registry.log(record)
    registry.set_alias(version, CHALLENGER)
    return replace(version, aliases=(CHALLENGER,)), league


def compare_models(
    space: Workspace,
    registry: MlflowRegistry,
    *,
    name: str,
    as_of: str | None = None,
    origins: int = LEAST_ORIGINS,
    progress: Progress,
) -> Judged:
    """Compare challenger and champion on the same rolling origins of the series as they are now.

    At each origin a version answers with its own state if that knew nothing of what came after; otherwise it learns
    anew with its settings from what was known then. The verdict is by paired bootstrap over series.

    Raises
    ------
    InputError
        Where one of the two does not exist.
    """
    progress("reading")
    versions = registry.versions(name)
    champion, challenger = alias_of(versions, CHAMPION, name), alias_of(versions, CHALLENGER, name)
    if champion.version == challenger.version:
        raise InputError(
            argument="challenger", came=f"version {challenger.version}, which is the champion",
            allowed="another version", try_instead=f"forecasting models log --name {name}",
        )  # fmt: skip
    series = series_of(space.prepare(as_of))
    both = tuple(contender_of(registry, one, f"version {one.version}") for one in (champion, challenger))
    horizon = both[1].settings.horizon
    progress("back-test")
    bench, league = league_of(
        space, series, both, both[1].settings, horizon=horizon, origins=origins, models=(BASELINE,)
    )
    found = compare_entries(league, both[1].name, both[0].name, seed=space.settings.seed)
    judged = Judged(
        champion=champion, challenger=challenger, comparison=found, rows=league.rows, horizon=horizon,
        origins=league.origins, data_sha256=bench.data_sha256,
    )  # fmt: skip
    registry.tag(challenger, {"compared_with": str(champion.version), "verdict": found.verdict})
    return judged


def promote_model(
    space: Workspace,
    registry: MlflowRegistry,
    *,
    name: str,
    as_of: str | None = None,
    force: bool = False,
    reason: str = "",
    origins: int = LEAST_ORIGINS,
    progress: Progress,
) -> Promoted:
    """Put the challenger in force, if the comparison excludes that it is worse, or by force with a reason.

    Raises
    ------
    InputError
        Where there is no challenger, where the interval does not exclude worse, or for force without a reason.
    """
    if force and not reason.strip():
        raise InputError(
            argument="reason", came=reason, allowed="why, in words", try_instead='--reason "launch of a new service"'
        )
    versions = registry.versions(name)
    challenger = alias_of(versions, CHALLENGER, name)
    champion = next((one for one in versions if CHAMPION in one.aliases), None)
    if champion is None:
        because = "the first champion: there was nothing to compare with"
    elif force:
        because = f"by force: {reason.strip()}"
    else:
        judged = compare_models(space, registry, name=name, as_of=as_of, origins=origins, progress=progress)
        if not judged.safe:
            raise InputError(
                argument="challenger",
                came=f"version {challenger.version}: {judged.comparison.verdict}",
                allowed=f"a challenger whose 95 % interval excludes that it is worse, on {FEW_SERIES} series or more",
                try_instead='keep the champion, or --force --reason "..." where you know better',
            )
        because = judged.comparison.verdict
    progress("promoting")
    now = space.clock.now().astimezone(UTC).replace(microsecond=0)
    over = "" if champion is None else str(champion.version)
    registry.tag(challenger, {"promoted_at": instant_text(now), "promoted_because": because, "promoted_over": over})
    if champion is not None:
        registry.set_alias(champion, PREVIOUS)
    registry.set_alias(challenger, CHAMPION)
    registry.drop_alias(name, CHALLENGER)
    return Promoted(version=replace(challenger, aliases=(CHAMPION,)), over=champion, because=because)


def check_models(
    space: Workspace,
    registry: MlflowRegistry,
    *,
    name: str,
    alias: str = CHAMPION,
    as_of: str | None = None,
    progress: Progress,
) -> ModelDrift:
    """Say whether the errors since a model was trained are still those of its back-test, series by series.

    The false alarm rate is shared among the series: with 5 % for the model, 20 series get 0.25 % each.

    Raises
    ------
    InputError
        Where there is no such version.
    StoreError
        Where its record of errors is damaged.
    """
    progress("reading")
    version = alias_of(registry.versions(name), alias, name)
    kept = registry.backtest(version)
    keys, scales, trained, horizon = record_head(kept)
    contender = replace(contender_of(registry, version, alias), trained=trained)
    known = {(one.service, one.metric.name): one for one in series_of(space.prepare(as_of))}
    present = [i for i, key in enumerate(keys) if key in known]
    progress("errors since")
    since = errors_since(
        [known[keys[i]] for i in present], contender, [scales[i] for i in present], horizon=horizon,
        executor=JoblibLoky(space.settings.jobs),
    )  # fmt: skip
    progress("drift")
    by_row = dict(zip(present, since, strict=True))
    rate = FALSE_ALARMS / max(len(present), 1)
    found: list[SeriesDrift] = []
    for i, (service, metric) in enumerate(keys):
        one = by_row.get(i)
        if one is None:
            gone = Excuse(reason="not in the data any more", what_would_help="ingest it, or refit without it")
            found.append(SeriesDrift(service=service, metric=metric, finding=gone, outcomes=0, gone=True))
        elif isinstance(one, Excuse):
            found.append(SeriesDrift(service=service, metric=metric, finding=one, outcomes=0))
        else:
            errors, times = one
            before = ErrorRecord(errors=row_of(kept, "errors", i), inside=row_of(kept, "inside", i).astype(np.bool_))
            answer = check_drift(before, errors, seed=space.settings.seed, false_alarm_rate=rate, times=times)
            found.append(SeriesDrift(service=service, metric=metric, finding=answer, outcomes=errors.known))
    return ModelDrift(version=version, trained=trained, series=tuple(found))


def model_card(registry: MlflowRegistry, *, name: str, version: int | None = None) -> tuple[ModelVersion, str]:
    """Return a version (the champion, or the challenger where there is none) and its model card as Markdown."""
    versions = registry.versions(name)
    if version is not None:
        found = next((one for one in versions if one.version == version), None)
        if found is None:
            raise InputError(
                argument="version", came=version,
                allowed=", ".join(str(one.version) for one in versions[:20]) or f"none: there is no model {name}",
                try_instead="forecasting models list",
            )  # fmt: skip
    else:
        named = [one for alias in (CHAMPION, CHALLENGER) for one in versions if alias in one.aliases]
        found = named[0] if named else alias_of(versions, CHAMPION, name)
    return found, card_text(registry.backtest(found).meta, found)


def alias_of(versions: Sequence[ModelVersion], alias: str, name: str) -> ModelVersion:
    """Return the version that an alias means.

    Raises
    ------
    InputError
        Where there is none.
    """
    found = next((one for one in versions if alias in one.aliases), None)
    if found is None:
        how = f"forecasting models {'promote' if alias == CHAMPION and versions else 'log'} --name {name}"
        raise InputError(
            argument=alias,
            came=f"model {name} with {len(versions)} versions, none of them the {alias}",
            allowed=f"a registered model with a {alias}",
            try_instead=how,
        )
    return found
