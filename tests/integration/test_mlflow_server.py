"""A real MLflow tracking server and a real scoring server: what is served are the numbers of the process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from model_workspace import build, day
from servers import free_port

from forecasting import Settings, Workspace
from forecasting.adapters.model_log import MlflowRegistry
from forecasting.adapters.served_model import LEVELS, ServedForecasts
from forecasting.workspace.models import check_models, compare_models, log_model, open_registry, promote_model

pytestmark = pytest.mark.nightly

BIN = Path(sys.executable).parent
SETTINGS = Settings(models=("pooled",), paths=300, jobs=1, seed=3)


def quiet(step: str) -> None:
    """Show nothing."""


@contextlib.contextmanager
def serving(arguments: list[str], url: str, folder: Path, **environment: str) -> Iterator[str]:
    """Run an MLflow command until its health page answers; end it and its children by their process group."""
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "PYTHONDONTWRITEBYTECODE": "1",
           "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment}  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [str(BIN / "mlflow"), *arguments], cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
                    if answer.status == 200:
                        break
                assert process.poll() is None, (folder / "server.log").read_text()[-2000:]
                time.sleep(0.3)
            else:
                pytest.fail((folder / "server.log").read_text()[-2000:])
            yield url
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(build(tmp_path_factory.mktemp("served") / "w"), mlflow=False, settings=SETTINGS)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tracking server on SQLite that keeps the artifacts itself."""
    folder = tmp_path_factory.mktemp("tracking")
    port = free_port()
    arguments = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
                 "--backend-store-uri", f"sqlite:///{folder / 'server.db'}",
                 "--artifacts-destination", str(folder / "artifacts")]  # fmt: skip
    with serving(arguments, f"http://127.0.0.1:{port}", folder) as url:
        yield url


@pytest.fixture(scope="module")
def registry(space: Workspace, tracking: str) -> Iterator[MlflowRegistry]:
    """The registry on the server, with a champion that learnt across the series."""
    os.environ["FORECASTING_TEST_TRACKING"] = tracking
    try:
        made = open_registry(space, tracking_env="FORECASTING_TEST_TRACKING")
        version, league = log_model(space, made, name="shops", as_of=day(150), horizon=14, progress=quiet)
        assert version.aliases == ("challenger",)
        assert league.rows[0].gm_sql < 1
        promote_model(space, made, name="shops", progress=quiet)
        yield made
    finally:
        del os.environ["FORECASTING_TEST_TRACKING"]


@pytest.fixture(scope="module")
def scoring(registry: MlflowRegistry, tracking: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The champion behind `mlflow models serve`."""
    folder = tmp_path_factory.mktemp("scoring")
    port = free_port()
    arguments = ["models", "serve", "-m", "models:/shops@champion", "--env-manager", "local",
                 "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    with serving(arguments, f"http://127.0.0.1:{port}", folder, MLFLOW_TRACKING_URI=tracking) as url:
        yield url


def post(url: str, body: object, *, kind: str = "application/json") -> tuple[int, Any]:
    """Ask the scoring server."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/invocations", data=content, headers={"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def without_traces(answer: object) -> None:
    text = json.dumps(answer)
    for trace in ("Traceback", 'File \\"', "site-packages", sys.prefix):
        assert trace not in text


def split(rows: pd.DataFrame) -> dict[str, object]:
    columns = ["service", "metric", "at", "value"]
    return {"columns": columns, "data": rows[columns].to_numpy(dtype=object).tolist()}


def history(space: Workspace, days: int = 200) -> pd.DataFrame:
    rows = pd.read_csv(space.root / "metrics.csv")
    return rows[rows["at"] < f"{day(days)}"]


def test_the_served_champion_gives_the_numbers_of_the_process(
    space: Workspace, registry: MlflowRegistry, scoring: str
) -> None:
    version = next(v for v in registry.versions("shops") if "champion" in v.aliases)
    learned = registry.learned(version)
    assert learned is not None, "the pooled model learns a state"
    params = {"horizon": 10, "levels": list(LEVELS), "seed": 5, "step": "1d"}
    rows = history(space)
    own = ServedForecasts(settings=registry.settings(version), learned=learned).answer(rows, params)
    status, answer = post(scoring, {"dataframe_split": split(rows), "params": params})
    assert status == 200, answer
    got = pd.DataFrame(answer["predictions"])
    assert list(got.columns) == list(own.columns)
    assert (
        got[["service", "metric", "at", "model"]].to_numpy().tolist()
        == own[["service", "metric", "at", "model"]].to_numpy().tolist()
    )
    levels = [f"q{level}" for level in LEVELS]
    numbers = got[levels].to_numpy(dtype=float)
    assert len(got) == 80
    assert np.isfinite(numbers).all()
    assert (np.diff(numbers, axis=1) >= 0).all()
    assert np.abs(numbers - own[levels].to_numpy(dtype=float)).max() < 1e-9
    assert set(got["fallback"]) == {None}


def test_records_missing_values_and_defaults_are_taken(space: Workspace, scoring: str) -> None:
    rows = history(space).query("service == 'shop-0'")[["service", "metric", "at", "value"]].astype(object)
    rows.loc[rows.index[10], "value"] = None
    rows["at"] = rows["at"].str[:10]
    status, answer = post(scoring, {"dataframe_records": rows.to_dict("records")})
    assert status == 200, answer
    assert len(answer["predictions"]) == 14, "the horizon it was logged with"
    assert {f"q{level}" for level in LEVELS} <= set(answer["predictions"][0])


@pytest.mark.parametrize(
    ("change", "params", "said"),
    [
        ({"metric": "cals"}, {}, "metric: got 'cals'"),
        ({"value": "many"}, {}, "value of row 1: got 'many'"),
        ({"at": "yesterday"}, {}, "at of row 1: got 'yesterday'"),
        ({"service": 5}, {}, "service of row 1: got 5"),
        ({}, {"horizon": -3}, "horizon: got -3"),
        ({}, {"horizon": 10**8}, "horizon: got 100000000"),
        ({}, {"levels": [7.0]}, "levels: got"),
        ({}, {"step": "soon"}, "step: got 'soon'"),
    ],
)
def test_a_bad_request_is_a_400_in_our_words_without_paths_or_traces(
    space: Workspace, scoring: str, change: dict[str, object], params: dict[str, object], said: str
) -> None:
    rows = history(space).head(40).assign(**change)
    status, answer = post(scoring, {"dataframe_split": split(rows), "params": params})
    assert status == 400, answer
    assert said in answer["message"]
    without_traces(answer)
    assert str(space.root) not in json.dumps(answer)


@pytest.mark.parametrize("body", ["{", "[]", "{}", '{"dataframe_split": {"columns": ["service"], "data": [["a"]]}}'])
def test_what_is_no_request_is_a_400_without_paths_or_traces(scoring: str, body: str) -> None:
    status, answer = post(scoring, body)
    assert status == 400
    without_traces(answer)


def test_a_challenger_is_compared_on_the_server_and_drift_is_found(space: Workspace, registry: MlflowRegistry) -> None:
    weak = Workspace(space.root, mlflow=False, settings=Settings(models=("seasonal_naive",), paths=300, jobs=1, seed=3))
    log_model(weak, registry, name="shops", as_of=day(150), horizon=14, progress=quiet)
    judged = compare_models(space, registry, name="shops", as_of=day(170), progress=quiet)
    assert judged.comparison.ratio > 1
    assert not judged.safe
    with pytest.raises(Exception, match="excludes that it is worse"):
        promote_model(space, registry, name="shops", as_of=day(170), progress=quiet)
    drift = check_models(space, registry, name="shops", progress=quiet)
    assert [one.service for one in drift.drifted] == ["shop-3"]
    assert check_models(space, registry, name="shops", as_of=day(172), progress=quiet).drifted == ()
