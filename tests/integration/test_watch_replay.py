"""`forecasting watch --replay`: an alarm policy tried on the past; nobody is told and nothing is written."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, digest, run
from watch_workspace import Hook, day_of, make_shops

from forecasting import Workspace
from forecasting.adapters._plain import plain
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.errors import Excuse
from forecasting.workspace.scoring import replay_alarms

FAST = ("--paths", "200", "--jobs", "1", "--as-of", day_of(256))
pytestmark = pytest.mark.usefixtures("quick_models")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shops(tmp_path_factory.mktemp("replayed") / "w", 260)
    assert run("ingest", "-w", folder).code == 0
    return folder


@pytest.fixture
def shops(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "w")
    return tmp_path / "w"


def tried(folder: Path, *more: object) -> Answer:
    return run("watch", "--replay", *FAST, "-w", folder, *more)


def score(folder: Path, *more: object) -> dict[str, Any]:
    answer = tried(folder, "--json", *more)
    assert answer.code == 0, answer.err
    found: dict[str, Any] = answer.document["data"]["replay"]["score"]
    return found


def test_nobody_is_told_and_nothing_is_written(shops: Path) -> None:
    with Hook() as hook:
        project = shops / "forecasting.yaml"
        project.write_text(project.read_text(encoding="utf-8") + hook.line, encoding="utf-8")
        before = digest(shops)
        answer = tried(shops)
        assert answer.code == 0, answer.err
        assert digest(shops) == before, "stores, outbox, reports and receivers' files are as they were"
        assert hook.keys == []
    assert "Nobody is told, nothing is written." in answer.out
    assert "This policy" in answer.out
    assert "First warning of each window" in answer.out
    assert "Traceback" not in answer.err


@pytest.mark.nightly
def test_it_says_what_the_library_says_of_the_same_policy(shops: Path) -> None:
    knobs = ("--raise-at", "0.5", "--clear-share", "0.9", "--consecutive", "2", "--lead-days", "20")
    said = tried(shops, "--json", *knobs).document["data"]
    policy = AlarmPolicy(raise_at=0.5, clear_share=0.9, consecutive=2, required_lead_days=20)
    assert said["policy"] == plain(policy)
    space = Workspace(shops, mlflow=False)
    space.settings = replace(space.settings, paths=200, replay_paths=200, jobs=1)
    found = replay_alarms(space, day_of(256), policy)
    assert not isinstance(found, Excuse)
    assert found.score.breaches >= 3
    assert found.warnings, "the policy warns of something"
    assert said["replay"] == plain(found)


@pytest.mark.nightly
def test_every_knob_of_the_policy_counts(shops: Path) -> None:
    usual = score(shops)
    assert usual["threshold"] == 0.35
    high = score(shops, "--raise-at", "0.8")
    assert high["threshold"] == 0.8
    assert high["warned"] < usual["warned"]
    patient = score(shops, "--consecutive", "3")
    assert patient["warned"] < usual["warned"] or patient["median_lead_days"] < usual["median_lead_days"]
    late = score(shops, "--lead-days", "45")
    assert late["required_lead_days"] == 45
    assert late["surprise_rate"] > usual["surprise_rate"]
    flapping = score(shops, "--clear-share", "1")
    assert flapping["warnings_per_service_month"] >= usual["warnings_per_service_month"]


@pytest.mark.nightly
def test_by_cost_takes_the_levels_of_a_plan(shops: Path) -> None:
    before = digest(shops)
    answer = tried(shops, "--by-cost")
    assert answer.code == 0, answer.err
    # Nothing has a price in this catalogue: the level of the policy counts for all.
    assert "0 promises with known costs; elsewhere at P(miss) 0.35" in answer.out
    assert digest(shops) == before


def test_too_short_a_history_is_an_answer(tmp_path: Path) -> None:
    folder = make_shops(tmp_path / "w", 40)
    assert run("ingest", "-w", folder).code == 0
    answer = run("watch", "--replay", "--paths", "200", "-w", folder)
    assert answer.code == 3, answer.err
    assert "nothing replayed" in answer.out
    assert "what would help" in answer.out
    document = run("watch", "--replay", "--paths", "200", "-w", folder, "--json").document["data"]
    assert document["replay"] is None
    assert document["excuse"]["reason"]


def test_without_any_data_it_says_what_to_do(tmp_path: Path) -> None:
    folder = make_shops(tmp_path / "w", 40)
    answer = run("watch", "--replay", "-w", folder)
    assert answer.code == 2
    assert "forecasting ingest" in answer.err
