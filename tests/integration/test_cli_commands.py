"""Every command as a person and as a program calls it: tables, one JSON document, exit codes, quiet channels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import AS_OF, Answer, digest, process, run

COMPUTED = {
    "attainment": (),
    "backtest": ("--paths", "200"),
    "forecast": ("lga", "--paths", "200", "--horizon", "7"),
    "risk": ("--paths", "200"),
    "propose": ("--paths", "200"),
    "plan": ("--no-mlflow", "--jobs", "1"),
}
"""Commands that take --as-of and --seed, with arguments that keep them quick."""


def arguments(command: str) -> list[str]:
    jobs = () if command in ("attainment", "forecast", "plan") else ("--jobs", "1")
    return [command, *COMPUTED[command], *jobs, "--as-of", AS_OF, "--seed", "3"]


def assert_one_document(answer: Answer, command: str) -> Any:
    """Standard output is one document with sorted keys and nothing else; standard error is empty."""
    assert answer.code == 0, answer.err
    assert answer.err == ""
    assert answer.out.endswith("\n")
    assert answer.out.count("\n") == 1
    document = answer.document
    assert answer.out == json.dumps(document, sort_keys=True, ensure_ascii=False) + "\n"
    assert document["schema_version"] == 1
    assert document["command"] == command
    return document["data"]


@pytest.mark.usefixtures("by_day_and_night")
@pytest.mark.parametrize("command", [name for name in COMPUTED if name != "plan"])
def test_json_is_one_document_and_nothing_else(command: str, workspace: Path) -> None:
    data = assert_one_document(run(*arguments(command), "-w", workspace, "--json"), command)
    assert data


SLOWER = ("backtest", "propose", "plan")
"""Commands whose tables are looked at by night; their JSON is by day."""


@pytest.mark.usefixtures("by_day_and_night")
@pytest.mark.parametrize(
    "command", [pytest.param(name, marks=pytest.mark.nightly if name in SLOWER else ()) for name in COMPUTED]
)
def test_tables_are_readable_in_a_terminal_of_100_columns(command: str, workspace: Path) -> None:
    answer = run(*arguments(command), "-w", workspace)
    assert answer.code == 0, answer.err
    assert answer.err == ""
    lines = answer.out.splitlines()
    if command == "plan":
        assert Path(lines[-1]).name == "plan.html"
        assert Path(lines[-1]).is_file()
        return
    table = [line for line in lines if "seasonal naive's" not in line]
    assert max(len(line) for line in table) <= 100, max(table, key=len)
    assert "…" not in "".join(line for line in lines if "more rows" not in line), "nothing is cut off"
    assert len(lines) > 5


def test_ingest_init_and_doctor_answer_in_json_too(fresh: Path, tmp_path: Path) -> None:
    made = assert_one_document(run("init", tmp_path / "new", "--json"), "init")
    assert made == {"workspace": str(tmp_path / "new")}
    reports = assert_one_document(run("ingest", "-w", fresh, "--json"), "ingest")
    assert reports[0]["rows_new"] == reports[0]["rows_read"] > 10_000
    findings = assert_one_document(run("doctor", "-w", fresh, "--json"), "doctor")
    assert all(finding["ok"] for finding in findings), findings


@pytest.mark.usefixtures("by_day_and_night")
def test_warn_prints_json_lines_and_json_prints_one_document(workspace: Path) -> None:
    common = ("warn", "-w", workspace, "--as-of", AS_OF, "--jobs", "1")
    found = assert_one_document(run(*common, "--out", workspace / "out.jsonl", "--json"), "warn")
    assert found, "the small workspace has something to warn of"
    appended = [json.loads(line) for line in (workspace / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in appended] == [row["id"] for row in found]

    plain = run(*common, "--fail-on-findings")
    assert plain.code == 1, "findings end with 1 where that was asked for"
    assert plain.err == ""
    rows = [json.loads(line) for line in plain.out.splitlines()]
    assert rows == appended
    assert all(row["schema_version"] == 1 for row in rows)


@pytest.mark.nightly
def test_a_process_of_its_own_is_as_quiet(workspace: Path) -> None:
    done = process("plan", "-w", workspace, "--as-of", AS_OF, "--jobs", "1", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert done.stdout == json.dumps(document, sort_keys=True, ensure_ascii=False) + "\n"
    files = document["data"]["files"]
    assert {"html", "markdown", "json", "csv", "warnings", "mlflow"} == set(files)
    assert all(Path(where).exists() for form, where in files.items() if form != "mlflow")


def test_exit_code_1_only_where_it_was_asked_for(workspace: Path) -> None:
    common = ("-w", workspace, "--as-of", AS_OF)
    assert run("attainment", *common).code == 0
    assert run("attainment", *common, "--fail-on-findings").code == 1, "LaGuardia missed its target in June"
    assert run("doctor", "-w", workspace, "--fail-on-findings").code == 0, "a healthy workspace has no findings"
    assert run("doctor", "-w", workspace, "--as-of", "2013-10-01").code == 0
    assert run("doctor", "-w", workspace, "--as-of", "2013-10-01", "--fail-on-findings").code == 1


@pytest.mark.parametrize(
    "line",
    [
        ["bogus"],
        ["risk", "--bogus"],
        ["risk", "--paths", "3"],
        ["risk", "--seed", "-1"],
        ["risk", "--seed", "many"],
        ["risk", "--jobs", "0"],
        ["forecast"],
        ["forecast", "lga", "--horizon", "0"],
        ["forecast", "lga", "--step", "fortnight"],
        ["forecast", "lga", "--step", "3h"],
        ["forecast", "nowhere"],
        ["forecast", "lga", "--metric", "nothing"],
        ["attainment", "--as-of", "nonsense"],
        ["attainment", "--as-of", ""],
        ["attainment", "--as-of", "2013-02-30"],
        ["attainment", "--as-of", "0001-01-01"],
        ["attainment", "--as-of", "9999-12-31"],
        ["attainment", "--as-of", "2012-12-31"],
        ["plan", "--as-of", "1999-01-01"],
        ["risk", "--as-of", "2060-01-01"],
        ["warn", "--as-of", AS_OF, "--jobs", "1", "--out", "/dev/null/warnings.jsonl"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("quick_models")
def test_bad_arguments_end_with_2_and_change_nothing(line: list[str], workspace: Path) -> None:
    before = digest(workspace)
    answer = run(*line, *(() if line[0] == "bogus" else ("-w", workspace)))
    assert answer.code == 2, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err
    assert answer.err.startswith("error: ") or "Usage: " in answer.err
    if answer.err.startswith("error: "):
        assert answer.err.count("\n") == 1
        assert all(part in answer.err for part in (": got ", "; allowed: ", "; try: "))
    assert digest(workspace) == before


@pytest.mark.parametrize("command", [*COMPUTED, "init", "ingest", "warn", "doctor"])
def test_help_names_every_option_of_a_command(command: str) -> None:
    answer = run(command, "--help")
    assert answer.code == 0
    assert "--json" in answer.out
    if command not in ("init", "ingest"):
        assert "--as-of" in answer.out
    if command not in ("init", "ingest", "doctor"):
        assert "--seed" in answer.out


def test_version_and_no_arguments() -> None:
    from forecasting import __version__

    assert run("--version").out.strip() == __version__
    assert "Usage" in run().out + run().err
