"""Trained models from learning to drift, with a real registry in the workspace's own database."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import QUICK_MODELS, Answer, run
from model_workspace import SERVICES, SHIFT_AT, SHIFTED, build, day

from forecasting import Settings, Workspace
from forecasting.terms.errors import InputError
from forecasting.workspace.models import log_model, open_registry

TRAINED = 140
CHECK = ("models", "drift", "--alias", "challenger", "--jobs", 1, "-w")


def quiet(step: str) -> None:
    """Show nothing."""


def learn(folder: Path, models: tuple[str, ...], as_of: str, name: str = "shops") -> int:
    """Log a model with a recipe of its own and return its version."""
    space = Workspace(folder, mlflow=False, settings=Settings(models=models, paths=200, jobs=1, seed=1))
    version, _ = log_model(space, open_registry(space), name=name, as_of=as_of, horizon=14, progress=quiet)
    return version.version


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weak champion (version 1) and a better challenger (version 2); copy it before changing anything."""
    folder = build(tmp_path_factory.mktemp("models") / "w")
    assert learn(folder, ("seasonal_naive",), day(TRAINED)) == 1
    assert run("models", "promote", "-w", folder).code == 0
    assert learn(folder, ("seasonal_median",), day(TRAINED)) == 2
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """A copy that a test may change. Its artifacts stay where they were logged."""
    shutil.copytree(trained, tmp_path / "w")
    return tmp_path / "w"


def data(answer: Answer, command: str) -> Any:
    """One document with sorted keys on standard output."""
    assert answer.out == json.dumps(answer.document, sort_keys=True, ensure_ascii=False) + "\n"
    assert answer.document["command"] == command
    return answer.document["data"]


def versions(folder: Path) -> dict[int, list[str]]:
    return {v["version"]: v["aliases"] for v in data(run("models", "list", "-w", folder, "--json"), "models list")}


def test_a_model_is_listed_with_what_it_is_and_what_is_in_force(trained: Path) -> None:
    found = data(run("models", "list", "-w", trained, "--json"), "models list")
    assert [(v["version"], v["aliases"]) for v in found] == [(2, ["challenger"]), (1, ["champion"])]
    assert found[0]["tags"]["as_of"] == f"{day(TRAINED)}T00:00:00Z"
    assert found[0]["tags"]["series"] == "8"
    assert float(found[0]["tags"]["gm_sql"]) < 0.95 < float(found[1]["tags"]["gm_sql"])
    out = run("models", "list", "-w", trained, columns=140).out
    assert "champion" in out
    assert "the first champion" in out
    assert run("models", "list", "-w", trained, "--name", "other").out.startswith("no version of other yet")


def test_a_run_holds_params_metrics_figures_data_hash_settings_and_card(trained: Path) -> None:
    from importlib.metadata import version

    import mlflow
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{trained / '.forecasting' / 'mlflow.db'}")
    (experiment,) = [e for e in client.search_experiments() if e.name == "shops models"]
    newest = client.search_runs([experiment.experiment_id])[0]
    assert newest.info.status == "FINISHED"
    assert newest.data.params["as_of"] == f"{day(TRAINED)}T00:00:00Z"
    assert newest.data.params["models"] in ("seasonal_median", "seasonal_naive")
    assert len(newest.data.params["data_sha256"]) == 64
    entries = {name.split("/")[0] for name in newest.data.metrics}
    assert entries == {"default", "seasonal_naive", "seasonal_naive_gaussian"}
    assert 0 < newest.data.metrics["default/gm_sql"] < 1.5
    assert 0.5 < newest.data.metrics["default/coverage80"] <= 1
    artifacts = Path(newest.info.artifact_uri.removeprefix("file://"))
    kept = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    figures = {"figures/league.svg", "figures/calibration.svg", "figures/coverage.svg"}
    model = {"model/served.py", "model/artifacts/settings.json", "backtest/state.json", "backtest/arrays.npz"}
    assert {"card.md", "league.json"} | figures | model <= kept
    assert not [name for name in kept if name.endswith((".pkl", ".pickle", ".joblib"))]
    needed = [f"mlflow=={mlflow.__version__}", f"service-forecasting=={version('service-forecasting')}"]
    assert (artifacts / "model" / "requirements.txt").read_text().split() == needed
    assert (artifacts / "figures" / "league.svg").read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')


def test_the_better_challenger_is_compared_and_promoted(folder: Path) -> None:
    found = data(
        run("models", "compare", "-w", folder, "--as-of", day(160), "--jobs", 1, "--json", "--fail"), "models compare"
    )
    assert found["safe"] is True
    assert found["comparison"]["high"] < 1
    assert found["comparison"]["series"] == len(SERVICES)
    assert {row["entry"] for row in found["rows"]} >= {"version 1", "version 2"}
    answer = run("models", "promote", "-w", folder, "--as-of", day(160), "--jobs", 1, "--json")
    done = data(answer, "models promote")
    assert (done["version"]["version"], done["over"]["version"]) == (2, 1)
    assert "better" in done["because"]
    assert answer.err.startswith("reading …\n")
    assert versions(folder) == {2: ["champion"], 1: ["previous"]}
    tags = data(run("models", "list", "-w", folder, "--json"), "models list")[0]["tags"]
    assert tags["promoted_over"] == "1"
    assert tags["compared_with"] == "1"
    again = run("models", "promote", "-w", folder)
    assert again.code == 2
    assert "none of them the challenger" in again.err


@pytest.mark.usefixtures("quick_models")
def test_a_back_test_logs_its_league_as_a_run_without_a_model(folder: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{folder / '.forecasting' / 'mlflow.db'}")
    before = {run.info.run_id for e in client.search_experiments() for run in client.search_runs([e.experiment_id])}
    line = ("backtest", "--model", "seasonal_median", "--horizon", "14", "--jobs", "1", "--paths", "200", "--seed", "1",
            "--as-of", day(TRAINED), "-w", folder)  # fmt: skip
    found = data(run(*line, "--mlflow", "--json"), "backtest")
    kept = client.get_run(found["logged"].removeprefix("runs:/"))
    after = {run.info.run_id for e in client.search_experiments() for run in client.search_runs([e.experiment_id])}
    assert after - before == {kept.info.run_id}, "one run, and none of a plan"
    assert client.get_experiment(kept.info.experiment_id).name == "shops models", "beside the leagues of the models"
    assert kept.info.status == "FINISHED"
    entries = {row["entry"]: row for row in found["league"]}
    assert {name.split("/")[0] for name in kept.data.metrics} == set(entries)
    for entry, row in entries.items():
        assert kept.data.metrics[f"{entry}/gm_sql"] == pytest.approx(row["gm_sql"])
        assert kept.data.metrics[f"{entry}/coverage80"] == pytest.approx(row["coverage80"])
    params = kept.data.params
    assert params["data_sha256"] == kept.data.tags["data_sha256"] == found["data_sha256"]
    assert (params["as_of"], params["horizon"], params["origins"]) == (f"{day(TRAINED)}T00:00:00Z", "14", "3")
    assert (params["models"], params["paths"], params["seed"]) == (", ".join(QUICK_MODELS), "200", "1")
    assert kept.data.tags["kind"] == "back-test"
    artifacts = Path(kept.info.artifact_uri.removeprefix("file://"))
    files = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    assert files == {"figures/league.svg", "figures/calibration.svg", "figures/coverage.svg", "league.json"}
    assert [row["entry"] for row in json.loads((artifacts / "league.json").read_text())] == list(entries)
    assert versions(folder) == {2: ["challenger"], 1: ["champion"]}, "a league is no version of a model"


def test_the_default_of_a_workspace_s_league_has_the_models_of_its_settings(trained: Path) -> None:
    own = Settings(models=("seasonal_median",), paths=200, jobs=1, seed=1)
    league = Workspace(trained, mlflow=False, settings=own).backtest(models=("default", "seasonal_median"), horizon=14)
    default, alone = league.row("default"), league.row("seasonal_median")
    assert default is not None
    assert alone is not None
    assert default.gm_sql == alone.gm_sql
    assert default.answered_by == alone.answered_by


def test_a_challenger_that_may_be_worse_is_refused_unless_forced_with_a_reason(folder: Path) -> None:
    assert run("models", "promote", "-w", folder, "--force", "--reason", "a start").code == 0
    assert learn(folder, ("seasonal_naive",), day(TRAINED)) == 3
    refused = run("models", "promote", "-w", folder, "--as-of", day(160), "--jobs", 1, "--json")
    assert refused.code == 2
    assert "excludes that it is worse" in refused.document["error"]["allowed"]
    assert "version 3 is worse than version 2" in refused.document["error"]["came"]
    assert versions(folder)[2] == ["champion"]
    unreasoned = run("models", "promote", "-w", folder, "--force")
    assert unreasoned.code == 2
    assert "reason" in unreasoned.err
    forced = run("models", "promote", "-w", folder, "--force", "--reason", "the better one is too dear")
    assert forced.code == 0
    assert "by force: the better one is too dear" in forced.out
    assert versions(folder) == {3: ["champion"], 2: ["previous"], 1: []}


@pytest.mark.nightly
def test_drift_is_found_where_the_level_moved_and_nowhere_else(trained: Path) -> None:
    before = run(*CHECK, trained, "--as-of", day(SHIFT_AT), "--fail", "--json")
    assert before.code == 0, before.out
    assert data(before, "models drift")["drifted"] == 0
    assert data(before, "models drift")["checked"] == len(SERVICES)
    after = run(*CHECK, trained, "--fail", "--json")
    found = data(after, "models drift")
    assert after.code == 1
    (one,) = [s for s in found["series"] if s["finding"].get("kind", "none") != "none"]
    assert one["service"] == SHIFTED
    assert one["finding"]["found"] >= SHIFT_AT - TRAINED
    assert found["advice"].startswith("refit: 1 of 8")
    assert run(*CHECK, trained).code == 0, "only --fail makes a finding an exit code"
    nothing = run(*CHECK, trained, "--as-of", day(TRAINED), columns=160)
    assert nothing.code == 0
    assert "nothing to judge by yet" in nothing.out


def test_drift_is_partial_where_a_series_is_gone(folder: Path) -> None:
    catalogue = folder / "catalogue" / "all.yaml"
    kept = [d for d in catalogue.read_text().split("---\n") if "name: shop-7-calls" not in d]
    catalogue.write_text("---\n".join(kept))
    answer = run(*CHECK, folder, "--as-of", day(SHIFT_AT), columns=160)
    assert answer.code == 3
    assert "not in the data any more" in answer.out


def test_the_card_says_what_it_learnt_from_and_how_good_it_was(folder: Path) -> None:
    found = data(run("models", "card", "2", "-w", folder, "--json"), "models card")
    path = folder / "models" / "shops-v2.md"
    assert Path(found["path"]) == path
    text = path.read_text(encoding="utf-8")
    assert text == found["text"]
    assert text.startswith("# shops, version 2\n")
    for needed in ("8 series", day(TRAINED), day(0), "data sha256", "## League", "| default |", "## Coverage",
                   "| 80.0 % | 1 to 14 |", "## Limits", "## How to refit", "models drift --name shops"):  # fmt: skip
        assert needed in text
    assert run("models", "card", "-w", folder).out.strip().endswith("shops-v1.md"), "the champion's by default"
    wrong = run("models", "card", "9", "-w", folder)
    assert wrong.code == 2
    assert "2, 1" in wrong.err


def test_a_logged_model_answers_in_process_as_the_stage_does(trained: Path) -> None:
    import mlflow.pyfunc
    import pandas as pd

    from forecasting.adapters.served_model import LEVELS
    from forecasting.forecasts.engine import ForecastTask, forecast_batch

    space = Workspace(trained, mlflow=False)
    registry = open_registry(space)
    version = registry.versions("shops")[0]
    settings = registry.settings(version)
    artifacts = next((trained / ".forecasting" / "mlflow-artifacts").glob(f"**/{version.run_id}")) / "artifacts"
    model = mlflow.pyfunc.load_model(str(artifacts / "model"))
    rows = pd.read_csv(trained / "metrics.csv")
    rows = rows[rows["service"].isin(SERVICES[:2])]
    answer = model.predict(rows, params={"horizon": 5})
    prepared = space.prepare()
    series = tuple(prepared.daily[name, "calls"] for name in SERVICES[:2])
    task = ForecastTask(series=series, horizon=5, models=settings.models, countries=("", ""), n_paths=200, seed=1)
    for service, forecast in zip(SERVICES[:2], forecast_batch(task), strict=True):
        part = answer[answer["service"] == service]
        numbers = part[[f"q{level}" for level in LEVELS]].to_numpy(dtype=float)
        assert np.abs(numbers.T - np.quantile(forecast.paths, LEVELS, axis=0)).max() < 1e-9
        assert part["at"].tolist()[0] == f"{day(210)}T00:00:00Z"
        assert set(part["model"]) == {forecast.model}


@pytest.mark.parametrize(
    ("change", "params", "wrong"),
    [
        (lambda r: r.assign(metric="cals"), {}, "calls"),
        (lambda r: r.assign(value="many"), {}, "value of row 1"),
        (lambda r: r.assign(value=float("inf")), {}, "value of row 1"),
        (lambda r: r.assign(at="yesterday"), {}, "at of row 1"),
        (lambda r: r.assign(at="2027-01-04T05:00:00Z"), {}, "local midnight"),
        (lambda r: r.assign(service=None), {}, "service of row 1"),
        (lambda r: r.head(0), {}, "rows"),
        (lambda r: r.assign(value=None), {}, "no known value"),
        (lambda r: r, {"horizon": -1}, "horizon"),
        (lambda r: r, {"horizon": 10**6}, "horizon"),
        (lambda r: r, {"levels": [0.5, 1.5]}, "levels"),
        (lambda r: r, {"seed": -5}, "seed"),
        (lambda r: r, {"step": "soon"}, "step"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_in_our_words(
    trained: Path, change: Any, params: dict[str, object], wrong: str
) -> None:
    import pandas as pd

    from forecasting.adapters.served_model import ServedForecasts

    space = Workspace(trained, mlflow=False)
    registry = open_registry(space)
    served = ServedForecasts(settings=registry.settings(registry.versions("shops")[0]))
    rows = pd.read_csv(trained / "metrics.csv").head(60).astype(object)
    with pytest.raises(InputError) as caught:
        served.answer(change(rows), params)
    assert wrong in str(caught.value)


def test_secrets_of_a_server_are_never_shown(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKING", "http://me:s3cret@127.0.0.1:9/base")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    answer = run("models", "list", "-w", trained, "--tracking-env", "TRACKING", "--json")
    assert answer.code == 2
    assert "s3cret" not in answer.out + answer.err
    assert answer.document["error"]["file"] == "127.0.0.1:9"
    monkeypatch.setenv("TRACKING", "s3cret")
    wrong = run("models", "list", "-w", trained, "--tracking-env", "TRACKING")
    assert wrong.code == 2
    assert "s3cret" not in wrong.err
    unset = run("models", "list", "-w", trained, "--tracking-env", "NO_SUCH_VARIABLE")
    assert unset.code == 2
    assert "NO_SUCH_VARIABLE" in unset.err


@pytest.mark.nightly
def test_log_from_the_command_line_measures_and_registers(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "w")
    answer = run("models", "log", "-w", tmp_path / "w", "--as-of", day(100), "--horizon", "7", "--jobs", "1",
                 "--paths", "200", "--entry", "seasonal_median", "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    found = data(answer, "models log")
    assert found["version"]["version"] == 3
    assert {row["entry"] for row in found["league"]} == {
        "default", "seasonal_naive", "seasonal_median", "seasonal_naive_gaussian"
    }  # fmt: skip
    assert found["where"] == "mlflow.db"
    compared = run("models", "compare", "-w", tmp_path / "w", "--as-of", day(160), "--fail", columns=140)
    assert compared.code == (0 if "may be promoted" in compared.out else 1)
    assert "version 3 is" in compared.out or "no clear difference" in compared.out
    assert run("models", "log", "-w", tmp_path / "w", "--name", "a/b", "--as-of", day(100)).code == 2


def test_local_days_and_offsets_of_a_request_land_on_the_same_grid() -> None:
    from datetime import timedelta

    import pandas as pd

    from forecasting.adapters._served_rows import history_of
    from forecasting.terms.history import Metric, MetricKind

    calls = {"calls": Metric(name="calls", kind=MetricKind.COUNT)}
    zones = {"desk": "America/New_York"}

    def series(at: list[object], step: timedelta = timedelta(days=1)) -> Any:
        rows = pd.DataFrame({"service": "desk", "metric": "calls", "at": at, "value": [1.0, 2.0, None]}, dtype=object)
        (one,) = history_of(rows, metrics=calls, zones=zones, zone="UTC", step=step)
        return one

    # The clocks go forward on 14 March 2027: the day begins at 5:00 UTC, the next one at 4:00.
    days = series(["2027-03-13", "2027-03-14", "2027-03-15"])
    instants = series(["2027-03-13T05:00:00Z", "2027-03-14T00:00:00-05:00", pd.Timestamp("2027-03-15 04:00")])
    for one in (days, instants):
        assert one.start.isoformat() == "2027-03-13T05:00:00+00:00"
        assert one.zone == "America/New_York"
        assert one.values.tolist()[:2] == [1.0, 2.0]
        assert len(one) == 3, "a last row without a value is a slice that is forecast over"
    hours = series(["2027-03-14T05:00Z", "2027-03-14T06:00Z", "2027-03-14T08:00Z"], timedelta(hours=1))
    assert len(hours) == 4
    with pytest.raises(InputError, match="at of row 1"):
        series(["2027-03-14", "2027-03-15", "2027-03-16"], timedelta(hours=1))


def test_a_state_is_not_asked_about_what_it_knew() -> None:
    from datetime import UTC, datetime, timedelta

    from forecasting.adapters.served_model import ServedSettings
    from forecasting.terms.learned import Learned
    from forecasting.workspace._model_bench import Contender

    state, trained = Learned(meta={}, arrays={}), datetime(2027, 5, 1, tzinfo=UTC)
    settings = ServedSettings(step=timedelta(days=1), horizon=7, models=("pooled",), metrics={})
    one = Contender(name="a", settings=settings, learned=state, trained=trained)
    assert one.state_at(trained) is state
    assert one.state_at(trained - timedelta(days=1)) is None
