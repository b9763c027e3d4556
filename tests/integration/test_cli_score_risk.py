"""`forecasting score-risk`: the replayed past of a small workspace as table, document, file and picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Answer, digest, quick, run

from forecasting.service_levels.breach.baselines import BASELINES
from forecasting.service_levels.breach.candidates import CANDIDATES
from forecasting.service_levels.breach.metrics import brier, expected_calibration_error
from forecasting.terms.alarm import AlarmPolicy, AlarmStage, AlarmState
from forecasting.terms.errors import Excuse
from forecasting.workspace.records import as_row
from forecasting.workspace.scoring import replay_alarms, score_risk, treated_windows

LAST = "2013-08-01"
ASKED = ("--as-of", LAST, "--elapsed", "0", "--elapsed", "0.5", "--ahead", "1", "--paths", "200")


@pytest.fixture(scope="module")
def answered(ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, pd.DataFrame, Path]:
    """The document, the statements and the folder of one run."""
    folder = tmp_path_factory.mktemp("score-risk")
    answer = run("score-risk", "-w", ingested, *ASKED, "--json", "--out", folder / "s.csv", "--plot", folder / "r.png")
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert answer.out == json.dumps(answer.document, sort_keys=True, ensure_ascii=False) + "\n"
    assert answer.document["command"] == "score-risk"
    return answer.document["data"], pd.read_csv(folder / "s.csv"), folder


def test_the_scores_are_those_of_the_statements_in_the_file(answered: tuple[Any, pd.DataFrame, Path]) -> None:
    data, rows, _ = answered
    assert data["statements"] == len(rows)
    kept = rows[~rows["decided"] & ~rows["treated"]]
    p, y = kept["probability"].to_numpy(), kept["breached"].to_numpy(dtype=float)
    score = data["score"]
    assert score["decisions"] == len(kept)
    assert score["breaches"] == y.sum()
    assert score["decided"] == rows["decided"].sum()
    assert score["brier"] == pytest.approx(brier(p, y))
    assert score["ece"] == pytest.approx(expected_calibration_error(p, y))
    assert score["brier_climatology"] == pytest.approx(brier(kept["p_climatology"].to_numpy(), y))
    assert score["skill"] == pytest.approx(1 - score["brier"] / score["brier_climatology"])
    assert score["skill_low"] <= score["skill"] <= score["skill_high"]
    by_name = {m["name"]: m for m in score["models"]}
    assert set(by_name) == {"forecasting", *(c.name for c in CANDIDATES), *(b.name for b in BASELINES)}
    for b in BASELINES:
        stated = kept[f"p_{b.name.replace(' ', '_')}"].to_numpy()
        assert by_name[b.name]["brier"] == pytest.approx(brier(stated, y))
    assert score["best_baseline"] == min((b.name for b in BASELINES), key=lambda n: by_name[n]["brier"])


def test_the_statements_are_those_of_the_protocol(answered: tuple[Any, pd.DataFrame, Path]) -> None:
    _, rows, _ = answered
    assert set(zip(rows["elapsed"], rows["ahead"], strict=True)) == {(0.0, 0), (0.5, 0), (0.0, 1)}
    assert set(rows["service"]) == {"lga", "lga-us"}
    assert set(rows["period"]) <= {"2013-04", "2013-05", "2013-06", "2013-07"}
    assert (pd.to_datetime(rows["at"]) < pd.to_datetime(rows["end"])).all()


def test_the_picture_is_one(answered: tuple[Any, pd.DataFrame, Path], ingested: Path, tmp_path: Path) -> None:
    from matplotlib.image import imread

    picture = imread(answered[2] / "r.png")
    assert picture.shape[0] > 400
    assert float(np.asarray(picture)[0, 0, :3].min()) == 1.0, "white, not transparent"
    assert run("score-risk", "-w", ingested, *ASKED, "--plot", tmp_path / "r.svg").code == 0
    assert (tmp_path / "r.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_tables_fit_a_terminal_and_nothing_is_written(workspace: Path) -> None:
    before = digest(workspace)
    answer = run("score-risk", "-w", workspace, *ASKED)
    assert answer.code == 0, answer.err
    assert digest(workspace) == before
    lines = answer.out.splitlines()
    tables = [line for line in lines if "each past window" not in line.lower() and "open statements" not in line]
    assert max(len(line) for line in tables) <= 100, max(tables, key=len)
    for words in ("How often were we right", "Reliability", "horizon", "extrapolation", "Early warnings"):
        assert words in answer.out


def test_the_exit_code_says_whether_the_skill_is_enough(ingested: Path) -> None:
    assert run("score-risk", "-w", ingested, *ASKED, "--fail-below", "1.1").code == 1
    assert run("score-risk", "-w", ingested, *ASKED, "--fail-below", "-99").code == 0


def test_too_short_a_history_is_said_and_ends_with_3(ingested: Path) -> None:
    answer = run("score-risk", "-w", ingested, "--as-of", "2013-03-01", "--json")
    assert answer.code == 3
    data = answer.document["data"]
    assert data["score"] is None
    assert "open statements" in data["excuse"]["reason"]
    assert "longer history" in run("score-risk", "-w", ingested, "--as-of", "2013-03-01").out


@pytest.mark.parametrize(
    "line",
    [("--elapsed", "1.5"), ("--ahead", "99"), ("--service", "lgx"), ("--plot", "r.gif"), ("--out", "nowhere/all.csv"),
     ("--paths", "3"), ("--fail-below", "much")],
    ids=" ".join,
)  # fmt: skip
def test_bad_arguments_end_with_2(ingested: Path, line: tuple[str, ...]) -> None:
    answer: Answer = run("score-risk", "-w", ingested, "--as-of", LAST, *line)
    assert answer.code == 2
    assert answer.out == ""
    assert "Traceback" not in answer.err


def test_a_policy_is_tried_on_the_past(ingested: Path) -> None:
    space = quick(ingested)
    found = replay_alarms(space, LAST, AlarmPolicy(raise_at=0.35), services=("lga",))
    assert not isinstance(found, Excuse)
    assert len({(w.agreement, w.objective, w.period) for w in found.warnings}) == found.score.warned > 0
    assert 0.35 in [s.threshold for s in found.sweep]
    assert len(found.sweep) == 18
    assert {w.service for w in found.warnings} <= {"lga"}
    assert all(w.raised_at < w.period.end for w in found.warnings)
    assert isinstance(replay_alarms(space, "2013-02-15", AlarmPolicy(raise_at=0.35)), Excuse)


def test_windows_that_somebody_acted_upon_stand_apart(workspace: Path) -> None:
    space = quick(workspace)
    whole = score_risk(space, LAST, elapsed=(0.0, 0.25, 0.5))
    some = whole.statements[-1]
    state = AlarmState(
        id="a", service=some.service, agreement=some.agreement, objective=some.objective, period=some.period,
        stage=AlarmStage.RESOLVED, since=some.at, at=some.at, probability=0.5, acted=True,
    )  # fmt: skip
    space.ledger.record("alarm", [("a", as_row(state))], as_of=some.at, run_id="test")
    assert treated_windows(space, space.instant(LAST)) == {some.key}
    again = score_risk(space, LAST, elapsed=(0.0, 0.25, 0.5))
    assert {s.key for s in again.statements if s.treated} == {some.key}
    assert not isinstance(again.score, Excuse)
    assert not isinstance(whole.score, Excuse)
    assert again.score.treated >= 1
    assert again.score.decisions == whole.score.decisions - again.score.treated


@pytest.mark.nightly
def test_the_airports_by_the_full_protocol(tmp_path: Path) -> None:
    from conftest import AIRPORTS

    from forecasting import Workspace, create

    space = Workspace(create(tmp_path / "w", source=AIRPORTS), mlflow=False)
    space.ingest()
    record = score_risk(space, "2014-01-01")
    score = record.score
    assert not isinstance(score, Excuse)
    assert score.decisions > 3000
    assert score.windows == 8
    assert {s.part for s in score.strata if s.by == "horizon"} == {
        "4 ahead", "3 ahead", "2 ahead", "1 ahead", "0 %", "10 %", "25 %", "50 %", "75 %", "90 %"
    }  # fmt: skip
    climatology = score.of("climatology")
    assert climatology is not None
    assert score.brier < climatology.brier
    decided = next(s for s in score.strata if s.part == "decided")
    assert decided.models[0].brier < 0.02
