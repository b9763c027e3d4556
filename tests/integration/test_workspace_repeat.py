"""The same inputs give the same bytes; what is done twice is done once; MLflow changes no number."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from conftest import AS_OF, digest, process, quick, reports, run


@pytest.fixture(scope="module")
def planned(planned_once: Path) -> Path:
    """A workspace with a plan, MLflow off; not to be changed."""
    return planned_once


def test_a_plan_made_twice_has_the_same_bytes_and_adds_no_row(planned: Path, tmp_path: Path) -> None:
    shutil.copytree(planned, tmp_path / "w")
    first, space = reports(planned), quick(tmp_path / "w")
    entries = space.ledger.entries()
    result = space.plan(AS_OF)
    assert reports(tmp_path / "w") == first
    assert space.ledger.entries() == entries
    assert space.record(result.plan) == 0
    assert space.ledger.verify() == ()


def test_two_processes_give_the_bytes_of_one(planned: Path, ingested: Path, tmp_path: Path) -> None:
    shutil.copytree(ingested, tmp_path / "w")
    quick(tmp_path / "w", jobs=2).plan(AS_OF)
    assert reports(tmp_path / "w") == reports(planned)


def test_another_seed_changes_probabilities_but_little(ingested: Path) -> None:
    from dataclasses import replace

    from forecasting import Workspace

    frames = []
    for seed in (1, 2):
        settings = replace(quick(ingested, seed=seed).settings, paths=2000)
        frames.append(Workspace(ingested, mlflow=False, settings=settings).compute(AS_OF, depth="risk").frames())
    one, other = (f["risks"].set_index(["service", "agreement", "objective", "period"]) for f in frames)
    difference = (one["probability"] - other["probability"]).abs()
    assert len(difference) > 15
    assert 0 < difference.max() < 0.06, difference.sort_values().tail()
    # What is known is not drawn.
    assert frames[0]["attainment"].equals(frames[1]["attainment"])


def test_ingesting_twice_adds_nothing(workspace: Path) -> None:
    before = (workspace / ".forecasting" / "metrics.duckdb").read_bytes()
    report = run("ingest", "-w", workspace, "--json").document["data"][0]
    assert report["rows_new"] == 0
    assert report["rows_known"] == report["rows_read"]
    assert (workspace / ".forecasting" / "metrics.duckdb").read_bytes() == before


def test_ingest_up_to_a_date_leaves_the_rest_for_later(fresh: Path) -> None:
    early = run("ingest", "-w", fresh, "--as-of", "2013-03-01", "--json").document["data"][0]
    stored = quick(fresh).metrics.read()
    assert 0 < early["rows_new"] == early["rows_read"] == len(stored)
    # 1 March begins at 05:00 UTC in New York.
    assert str(stored["at"].max()) == "2013-03-01 04:00:00"
    late = run("ingest", "-w", fresh, "--json").document["data"][0]
    assert late["rows_known"] == early["rows_new"]
    assert late["rows_new"] == late["rows_read"] - early["rows_read"] > 0
    nothing = run("ingest", "-w", fresh, "--as-of", "1999-01-01", "--json").document["data"][0]
    assert (nothing["rows_read"], nothing["rows_new"]) == (0, 0)


def test_computing_writes_nothing(workspace: Path) -> None:
    before = digest(workspace)
    quick(workspace).compute(AS_OF)
    quick(workspace).forecast("lga", as_of=AS_OF, horizon=3)
    assert digest(workspace) == before


@pytest.mark.nightly
def test_mlflow_keeps_one_run_with_the_scores_and_changes_no_number(
    planned: Path, ingested: Path, tmp_path: Path
) -> None:
    shutil.copytree(ingested, tmp_path / "w")
    space = quick(tmp_path / "w", mlflow=True)
    result = space.plan(AS_OF)
    assert space.plan(AS_OF).files["mlflow"] == result.files["mlflow"]
    assert reports(tmp_path / "w") == reports(planned)
    assert not (planned / ".forecasting" / "mlflow.db").exists()

    with sqlite3.connect(tmp_path / "w" / ".forecasting" / "mlflow.db") as database:
        runs = database.execute("SELECT run_uuid, status FROM runs").fetchall()
        scores = dict(database.execute("SELECT key, value FROM latest_metrics").fetchall())
        params = dict(database.execute("SELECT key, value FROM params").fetchall())
    assert [f"runs:/{run_id}" for run_id, _ in runs] == [result.files["mlflow"]]
    assert runs[0][1] == "FINISHED"
    choices = {s.service.name: s.choice for s in result.plan.services}
    for service, choice in choices.items():
        assert choice is not None
        score = choice.score(choice.chosen)
        assert score is not None
        assert scores[f"{service}/sql_vs_naive"] == pytest.approx(score.sql_vs_naive)
    assert params["data_version"] == result.plan.manifest.data_version


WITHOUT_MLFLOW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "mlflow":
            raise ImportError("mlflow is not installed", name=name)

sys.meta_path.insert(0, Refuse())
from forecasting.cli import main
main(sys.argv[1:])
"""


@pytest.mark.nightly
def test_everything_works_without_mlflow(workspace: Path) -> None:
    done = process(
        "plan", "-w", workspace, "--as-of", AS_OF, "--jobs", "1", "--no-mlflow", "--json", code=WITHOUT_MLFLOW
    )
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["data"]["files"]
    assert "mlflow" not in files
    assert json.loads(Path(files["json"]).read_text())


@pytest.mark.nightly
def test_asking_for_mlflow_where_there_is_none_says_what_to_do(workspace: Path) -> None:
    refused = process("backtest", "-w", workspace, "--as-of", AS_OF, "--paths", "200", "--mlflow", code=WITHOUT_MLFLOW)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "--no-mlflow" in refused.stderr
