"""Bad input, each case through the real command line: one clear message, exit code 2, nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import AS_OF, digest, process, run


def replace(name: str, old: str, new: str, count: int = 1) -> Callable[[Path], None]:
    """Return a change of one text in one file that must be there."""

    def change(workspace: Path) -> None:
        path = workspace / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, count), encoding="utf-8")

    return change


def cut(name: str, keep: float) -> Callable[[Path], None]:
    """Return a change that leaves the first part of a file only, as a killed writer does."""

    def change(workspace: Path) -> None:
        path = workspace / name
        data = path.read_bytes()
        path.write_bytes(data[: int(keep * len(data))])

    return change


def append(name: str, text: str) -> Callable[[Path], None]:
    def change(workspace: Path) -> None:
        with (workspace / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def as_parquet(keep: float) -> Callable[[Path], None]:
    """Return a change that makes the source Parquet and keeps its first part."""

    def change(workspace: Path) -> None:
        import pandas as pd

        pd.read_csv(workspace / "metrics.csv", parse_dates=["at"]).to_parquet(workspace / "metrics.parquet")
        cut("metrics.parquet", keep)(workspace)
        replace("forecasting.yaml", "metrics.csv", "metrics.parquet")(workspace)

    return change


FIRST = "2013-01-01T05:00:00Z"
CASES: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "missing column": (replace("metrics.csv", "cancelled", "canceled"), ["metrics.csv", "cancelled"]),
    "bad date": (replace("metrics.csv", FIRST, "2013-13-45T05:00:00Z"), ["metrics.csv:2", "2013-13-45"]),
    "no number": (replace("metrics.csv", f"{FIRST},0,", f"{FIRST},none at all,"), ["metrics.csv:2", "none at all"]),
    "negative count": (replace("metrics.csv", f"{FIRST},0,", f"{FIRST},-1,"), ["metrics.csv:2", "-1"]),
    "duplicate row": (append("metrics.csv", f"lga,{FIRST},7,0,0\n"), ["metrics.csv", "lga"]),
    "service unknown to the catalogue": (append("metrics.csv", f"lgb,{FIRST},7,0,0\n"), ["lgb", "lga"]),
    "service of an agreement unknown": (
        replace("catalogue/agreements.yaml", "  service: lga-us\n", "  service: lga-uss\n"),
        ["agreements.yaml", "lga-uss", "try: lga-us"],
    ),
    "target meant as percent": (
        replace("catalogue/objectives.yaml", "targetPercent: 80.5", "target: 80.5"),
        ["objectives.yaml", "80.5", "targetPercent"],
    ),
    "unknown metric": (
        replace("catalogue/objectives.yaml", "metric: cancelled", "metric: canceled"),
        ["objectives.yaml", "canceled", "try: cancelled"],
    ),
    "unknown field": (
        replace("catalogue/agreements.yaml", "  customer:", "  custommer:"),
        ["agreements.yaml", "custommer", "customer"],
    ),
    "empty file": (cut("metrics.csv", 0), ["metrics.csv"]),
    "half-written file": (cut("metrics.csv", 0.5003), ["metrics.csv"]),
    "half-written Parquet": (as_parquet(0.5), ["metrics.parquet"]),
    "empty Parquet": (as_parquet(0), ["metrics.parquet"]),
    "no file": (lambda w: (w / "metrics.csv").unlink(), ["metrics.csv"]),
    "project file missing": (lambda w: (w / "forecasting.yaml").unlink(), ["forecasting.yaml", "forecasting init"]),
    "project file empty": (cut("forecasting.yaml", 0), ["forecasting.yaml"]),
    "half-written project": (cut("forecasting.yaml", 0.5), ["forecasting.yaml"]),
    "project file of bytes": (
        lambda w: (w / "forecasting.yaml").write_bytes(b"\xff\xfe\x00bad"),  # type: ignore[func-returns-value]
        ["forecasting.yaml"],
    ),
    "half-written catalogue": (cut("catalogue/agreements.yaml", 0.6), ["agreements.yaml"]),
    "no catalogue": (lambda w: (w / "catalogue").rename(w / "elsewhere"), ["catalogue"]),
    "path out of the workspace": (
        replace("forecasting.yaml", "metrics.csv", "../../x.csv"),
        ["forecasting.yaml", ".."],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_refused_and_nothing_is_written(case: str, fresh: Path) -> None:
    change, parts = CASES[case]
    change(fresh)
    before = digest(fresh)
    answer = run("ingest", "-w", fresh)
    assert answer.code == 2, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) <= 10, "a message, not a list of everything that follows from it"
    assert all(text in answer.err for text in (": got ", "; allowed: ", "; try: ", *parts)), answer.err
    assert digest(fresh) == before


def test_the_same_refusal_as_one_json_document_in_a_process(fresh: Path) -> None:
    CASES["bad date"][0](fresh)
    done = process("ingest", "-w", fresh, "--json")
    assert done.returncode == 2
    document = json.loads(done.stdout)
    assert document["error"]["file"] == "metrics.csv"
    assert document["error"]["line"] == 2
    assert set(document["error"]) == {"argument", "came", "allowed", "try", "file", "line"}
    assert document["schema_version"] == 1
    assert done.stderr.startswith("error: metrics.csv:2: ")


@pytest.mark.parametrize("text", ["", "nan", "NaN"])
def test_missing_numbers_are_missing_with_a_reason_and_never_zero(text: str, fresh: Path) -> None:
    lines = (fresh / "metrics.csv").read_text().splitlines()
    number = next(k for k, line in enumerate(lines) if line.startswith("lga,2013-03-05T15:00"))
    service, at, *values = lines[number].split(",")
    assert int(values[0]) > 0
    lines[number] = ",".join([service, at, text, *values[1:]])
    (fresh / "metrics.csv").write_text("\n".join(lines) + "\n")
    answer = run("ingest", "-w", fresh, "--json")
    assert answer.code == 0, answer.err
    report = answer.document["data"][0]
    assert sum(report["cleaned"].values()) == 1
    assert report["rows_new"] == report["rows_read"] - 1
    assert "unchanged since the last ingest" in run("ingest", "-w", fresh).out
    shutil.rmtree(fresh / ".forecasting")
    assert "made missing: 1 " in run("ingest", "-w", fresh).out

    from forecasting import Workspace

    rows = Workspace(fresh).metrics.read()
    here = rows[(rows["service"] == "lga") & (rows["at"] == "2013-03-05 15:00")]
    assert sorted(here["metric"]) == ["cancelled", "departed_within_15_min"]


def test_another_value_for_what_is_stored_is_refused(workspace: Path) -> None:
    path = workspace / "metrics.csv"
    path.write_text(path.read_text().replace(f"lga,{FIRST},0,", f"lga,{FIRST},9,"))
    before = digest(workspace)
    answer = run("ingest", "-w", workspace)
    assert answer.code == 2
    assert "stored 0, now 9" in answer.err
    assert digest(workspace) == before


@pytest.mark.parametrize("command", ["attainment", "backtest", "forecast", "risk", "propose", "plan", "warn"])
def test_a_workspace_without_data_says_what_to_do(command: str, fresh: Path) -> None:
    before = digest(fresh)
    for as_of in ((), ("--as-of", AS_OF)):
        answer = run(command, *(("lga",) if command == "forecast" else ()), "-w", fresh, *as_of)
        assert answer.code == 2
        assert f"forecasting ingest -w {fresh}" in answer.err
        assert answer.err.count("\n") == 1
    assert digest(fresh) == before


def test_every_problem_of_a_catalogue_is_named_at_once(fresh: Path) -> None:
    CASES["unknown metric"][0](fresh)
    CASES["service of an agreement unknown"][0](fresh)
    answer = run("plan", "-w", fresh, "--json")
    assert answer.code == 2
    assert {problem["file"] for problem in answer.document["problems"]} == {
        "catalogue/agreements.yaml",
        "catalogue/objectives.yaml",
    }
