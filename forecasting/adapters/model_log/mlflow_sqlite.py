"""Back-tests and chosen models in MLflow, kept in a SQLite file and a folder of the workspace."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.adapters._mlflow import DATABASE, metric_name, mlflow_errors, start_database
from forecasting.adapters._plain import plain
from forecasting.terms.forecast import BacktestScore, ModelChoice
from forecasting.terms.plan import Plan

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MOST_METRICS, _MOST_PARAMS = 1000, 100
_LONGEST_PARAM = 500
_RUN_TAG = "forecasting.run_id"


class MlflowSqlite:
    """Model log: one experiment for the workspace, one run for each plan; no server and no network.

    Parameters
    ----------
    folder : Path
        The workspace's ``.forecasting`` folder; ``mlflow.db`` and ``mlflow-artifacts`` are kept there.
    experiment : str
        Name of the experiment, such as the project's name.

    Examples
    --------
    >>> MlflowSqlite(Path("w/.forecasting"), experiment="airports").experiment
    'airports'
    """

    def __init__(self, folder: Path, *, experiment: str) -> None:
        self.folder, self.experiment = folder, experiment

    def log_backtests(self, plan: Plan) -> str | None:
        """Record the scores of every model tried and the choices; a plan that is there already is left as it is.

        Parameters
        ----------
        plan : Plan
            Its manifest becomes parameters, its scores metrics, its choices the artifact ``model_choices.json``.

        Returns
        -------
        str or None
            ``runs:/<id>``; see it with ``mlflow ui --backend-store-uri sqlite:///.../mlflow.db``.

        Raises
        ------
        StoreError
            Where the database is locked, damaged or of another version.
        """
        with mlflow_errors("model log", DATABASE):
            return self._log(plan)

    def _log(self, plan: Plan) -> str:
        """Write the run."""
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        folder = self.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        start_database(folder / DATABASE)
        client = MlflowClient(tracking_uri=f"sqlite:///{folder / DATABASE}")
        experiment = self._experiment_id(client, folder)
        run_id = plan.manifest.run_id
        found = client.search_runs([experiment], f"tags.`{_RUN_TAG}` = '{_plain_name(run_id)}'", max_results=1)
        if found and found[0].info.status == "FINISHED":
            return f"runs:/{found[0].info.run_id}"
        tags = {_RUN_TAG: _plain_name(run_id), "organisation": plan.organisation[:_LONGEST_PARAM]}
        run = client.create_run(experiment, tags=tags, run_name=f"plan {plan.as_of.date().isoformat()}")
        number = run.info.run_id
        at = int(plan.as_of.timestamp() * 1000)
        metrics = [Metric(name, value, at, 0) for name, value in _metrics(plan)]
        params = [Param(key, value[:_LONGEST_PARAM]) for key, value in _params(plan)]
        chosen = [RunTag(f"chosen.{name}", choice.chosen) for name, choice in _choices(plan)][:_MOST_PARAMS]
        client.log_batch(number, metrics=metrics[:_MOST_METRICS], params=params[:_MOST_PARAMS], tags=chosen)
        for start in range(_MOST_METRICS, len(metrics), _MOST_METRICS):
            client.log_batch(number, metrics=metrics[start : start + _MOST_METRICS])
        client.log_dict(number, _table(plan), "model_choices.json")
        client.set_terminated(number, "FINISHED")
        return f"runs:/{number}"

    def _experiment_id(self, client: MlflowClient, folder: Path) -> str:
        """Return the id of the experiment, made at the first run."""
        found = client.get_experiment_by_name(self.experiment)
        if found is not None:
            return str(found.experiment_id)
        place = (folder / "mlflow-artifacts").as_uri()
        return str(client.create_experiment(self.experiment, artifact_location=place))


def _plain_name(text: str) -> str:
    """Return a run id that can stand in a search text."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:120]


def _choices(plan: Plan) -> Iterator[tuple[str, ModelChoice]]:
    """Yield each service's model choice under a name MLflow accepts."""
    for outlook in plan.services:
        if outlook.choice is not None:
            yield metric_name(outlook.service.name), outlook.choice


def _metrics(plan: Plan) -> Iterator[tuple[str, float]]:
    """Yield the scores of each service's chosen model, and the track record of the breach statements."""
    names = [field.name for field in fields(BacktestScore) if field.name != "model"]
    for service, choice in _choices(plan):
        score = choice.score(choice.chosen)
        for name in names if score is not None else ():
            value = float(getattr(score, name))
            if math.isfinite(value):
                yield f"{service}/{name}", value
    record = plan.risk_score
    if record is not None:
        for name in ("decisions", "breaches", "brier", "brier_climatology", "skill", "skill_low", "skill_high"):
            value = float(getattr(record, name))
            if math.isfinite(value):
                yield f"breach/{name}", value


def _params(plan: Plan) -> Iterator[tuple[str, str]]:
    """Yield what the plan was computed from."""
    manifest = plan.manifest
    yield "as_of", manifest.as_of.isoformat()
    for name in ("run_id", "seed", "paths", "code_version", "catalogue_version", "data_version"):
        yield name, str(getattr(manifest, name))
    for key, value in manifest.settings:
        yield f"settings.{metric_name(key)}", value
    for key, value in manifest.libraries:
        yield f"library.{metric_name(key)}", value


def _table(plan: Plan) -> dict[str, Any]:
    """Return every choice with all scores and excuses."""
    rows = [plain(outlook.choice) for outlook in plan.services if outlook.choice is not None]
    return {"schema_version": 1, "run_id": plan.manifest.run_id, "choices": rows}
