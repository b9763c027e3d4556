"""`forecasting forecast` and `forecasting backtest`: what they show, write and refuse."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF, ROOT, digest, run

from forecasting.terms.explanation import COMPONENTS

QUICK = ("--paths", "200", "--as-of", AS_OF)
ONE = ("forecast", "lga", "--model", "seasonal_median", "--horizon", "7", *QUICK)


@pytest.fixture(scope="module")
def explained(ingested: Path) -> Any:
    return run(*ONE, "--explain", "--json", "-w", ingested).document["data"]


def test_the_table_says_what_the_interval_rests_on(ingested: Path) -> None:
    answer = run(*ONE, "-w", ingested)
    assert answer.code == 0, answer.err
    assert "scheduled_departures (flights)" in answer.out
    assert "median" in answer.out
    assert " to " in answer.out
    assert "The 80 % interval held " in answer.out
    assert "seasonal naive's" in answer.out
    assert "2013-07-01 Mon" in answer.out, "days in the service's zone"
    assert max(map(len, answer.out.splitlines())) <= 100


def test_explain_adds_components_and_sentences(ingested: Path) -> None:
    answer = run(*ONE, "--explain", "-w", ingested)
    assert "Components of the median (flights); they add up" in " ".join(answer.out.split())
    assert "The last level, without season, is " in answer.out
    assert "Made of " in answer.out


def test_json_has_coverage_value_and_components_that_add_up(explained: Any) -> None:
    slices = explained["slices"]
    assert [row["at"] for row in slices[:2]] == ["2013-07-01T04:00:00Z", "2013-07-02T04:00:00Z"], "UTC"
    assert explained["unit"] == "flights"
    assert explained["zone"] == "America/New_York"
    (eighty,) = [cell for cell in explained["coverage"] if cell["level"] == 0.8]
    assert 0 <= eighty["share"] <= 1
    assert eighty["outcomes"] > 0
    assert explained["value_added"] < 1
    total = np.sum(list(explained["explanation"]["components"].values()), axis=0)
    assert np.allclose(total, [row["q0.5"] for row in slices], atol=1e-6)
    assert sum(one["weight"] for one in explained["explanation"]["weights"]) == pytest.approx(1)
    assert explained["explanation"]["words"][0].startswith("The last level")


def test_without_explain_json_is_short(ingested: Path) -> None:
    data = run(*ONE, "--json", "-w", ingested).document["data"]
    assert "explanation" not in data
    assert {"model", "fallback", "slices", "coverage", "declined", "value_added"} <= set(data)


def test_the_metric_is_an_argument_or_an_option(ingested: Path) -> None:
    common = ("--json", "--model", "seasonal_naive", "--horizon", "2", *QUICK, "-w", ingested)
    argument = run("forecast", "lga", "cancelled", *common)
    option = run("forecast", "lga", "--metric", "cancelled", *common)
    assert argument.code == 0, argument.err
    assert argument.out == option.out
    assert argument.document["data"]["metric"] == "cancelled"
    both = run("forecast", "lga", "cancelled", "--metric", "scheduled_departures", *common)
    assert both.code == 2
    assert "one metric" in both.err


def test_hours_are_shown_with_their_offset(ingested: Path) -> None:
    answer = run(
        "forecast", "lga", "--step", "1h", "--model", "seasonal_naive", "--horizon", "3", *QUICK, "-w", ingested
    )
    assert answer.code == 0, answer.err
    assert "2013-07-01 00:00 -0400" in answer.out


def test_the_file_has_local_times_and_no_formula(workspace: Path, tmp_path: Path) -> None:
    project = workspace / "forecasting.yaml"
    project.write_text(project.read_text().replace("unit: flights, step: 1h}", "unit: '=1+1', step: 1h}", 1))
    out = tmp_path / "next.csv"
    answer = run(*ONE, "--explain", "--out", out, "-w", workspace)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[-1] == str(out)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 7
    assert rows[0]["at"] == "2013-07-01T00:00:00-04:00"
    assert rows[0]["unit"] == "'=1+1"
    assert float(rows[0]["level"]) + float(rows[0]["trend"]) + float(rows[0]["season"]) == pytest.approx(
        float(rows[0]["q0.5"])
    )
    assert run(*ONE, "--json", "--out", out, "-w", workspace).document["data"]["out"] == str(out)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("day,x\n2013-07-01,1\n", "a column at"),
        ("at,x\nsoon,1\n", "ISO times"),
        ("at,x\n2013-07-01,many\n", "numbers"),
        ("at\n2013-07-01\n", "one column for each"),
        ("at,x\n2013-07-01T06:00:00,1\n", "one row a slice"),
        ("at,x\n2013-07-01,1\n2013-07-01,2\n", "one row a slice"),
        ("", "CSV"),
        ("\x00\x01\xff", "column at"),
    ],
)
def test_a_file_of_covariates_that_cannot_be_used_is_refused(
    text: str, hint: str, ingested: Path, tmp_path: Path
) -> None:
    path = tmp_path / "known.csv"
    path.write_text(text, encoding="utf-8")
    answer = run("forecast", "lga", "--horizon", "7", *QUICK, "--covariates", path, "-w", ingested)
    assert answer.code == 2
    assert answer.out == ""
    assert hint in answer.err
    assert answer.err.count("\n") == 1


def test_a_file_that_is_not_there_or_no_parquet(ingested: Path, tmp_path: Path) -> None:
    assert run(*ONE, "--covariates", tmp_path / "no.csv", "-w", ingested).code == 2
    broken = tmp_path / "known.parquet"
    broken.write_bytes(b"PAR1 nothing")
    answer = run(*ONE, "--covariates", broken, "-w", ingested)
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_covariates_are_refused_where_no_model_uses_them(ingested: Path, tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    path.write_text("at,x\n2013-07-01,1\n")
    answer = run(*ONE, "--covariates", path, "-w", ingested)
    assert answer.code == 2
    assert "which alone uses them" in answer.err


def test_an_unknown_model_is_named(ingested: Path) -> None:
    for line in (("forecast", "lga"), ("backtest",)):
        answer = run(*line, "--model", "seasonal_mediam", *QUICK, "-w", ingested)
        assert answer.code == 2, line
        assert "seasonal_median" in answer.err


@pytest.fixture(scope="module")
def league(ingested: Path) -> Any:
    line = ("backtest", "--model", "seasonal_median", "--horizon", "7", "--jobs", "1", *QUICK, "-w", ingested, "--json")
    before = digest(ingested)
    answer = run(*line)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert digest(ingested) == before, "a back-test writes nothing"
    return answer.document["data"]


def test_backtest_is_a_league_with_comparisons_coverage_and_cost(league: Any) -> None:
    entries = {row["entry"] for row in league["league"]}
    assert {"default", "seasonal_median", league["reference"]} == entries
    rows = {row["entry"]: row for row in league["league"]}
    assert rows[league["reference"]]["gm_sql"] == 1
    assert rows["default"]["gm_sql_low"] <= rows["default"]["gm_sql"] <= rows["default"]["gm_sql_high"]
    assert rows["default"]["cpu_ms"] > 0
    assert {(one["first"], one["second"]) for one in league["comparisons"]} == {
        ("default", name) for name in entries - {"default"}
    }
    assert all(one["verdict"] for one in league["comparisons"])
    steps = {(cell["first_step"], cell["last_step"]) for cell in league["coverage"] if not cell["stratum"]}
    assert (1, 7) in steps
    assert len(steps) > 2
    assert {row["service"] for row in league["series"]} == {"lga", "lga-us"}
    assert (league["origins"], league["horizon"]) == (3, 7)
    assert len(league["data_sha256"]) == 64


@pytest.mark.nightly
def test_the_league_is_readable_and_services_can_be_chosen(ingested: Path) -> None:
    answer = run("backtest", "--service", "lga-us", "--horizon", "7", "--jobs", "1", *QUICK, "-w", ingested)
    assert answer.code == 0, answer.err
    assert "Share of outcomes inside the 80 % interval" in " ".join(answer.out.split())
    assert "default" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_services_that_are_not_there_or_too_short(ingested: Path) -> None:
    answer = run("backtest", "--service", "lgq", *QUICK, "-w", ingested)
    assert answer.code == 2
    assert "try: lga" in answer.err
    answer = run("backtest", "--horizon", "500", *QUICK, "-w", ingested)
    assert answer.code == 2
    assert "slices of history at least, or a shorter horizon" in answer.err
    assert run("backtest", "--origins", "2", *QUICK, "-w", ingested).code == 2


PAGE = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf-8")


@pytest.mark.nightly
def test_the_python_of_the_page_runs_as_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # what was learnt is written there
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)  # one after the other, as a reader runs them
    printed = capsys.readouterr().out
    assert "service-desk" in printed
    assert "calls in 14 days, 80 %:" in printed
    assert "The last level, without season, is " in printed
    assert "960 slices of history; (24, 3)" in printed
    assert (tmp_path / "learned" / "state.json").is_file()


@pytest.mark.nightly
def test_the_commands_of_the_page_run_as_printed(
    ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second block shows the output of a made-up shop; tests/integration/test_planned_workspace.py has its like.
    block, _ = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    lines = [line.removeprefix("$ ").split() for line in block.splitlines()]
    assert len(lines) == 4
    monkeypatch.chdir(tmp_path)
    known = pd.DataFrame({"at": pd.date_range("2013-01-01", periods=300).astype(str), "campaign": 0})
    known.loc[::9, "campaign"] = 1
    known.to_csv("known.csv", index=False)
    for program, *line in lines:
        assert program == "forecasting"
        answer = run(*line, *QUICK, "-w", ingested)
        assert answer.code == 0, (line, answer.err)
        assert len(answer.out.splitlines()) > 10
    assert (tmp_path / "next.csv").is_file()


def test_the_page_names_every_component() -> None:
    for name in COMPONENTS:
        assert f"`{name}`" in PAGE
