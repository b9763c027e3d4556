"""The commands of `ledger` as a person, a program and an auditor use them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, digest, quick, run
from tiny_service_levels import APRIL, ingested

KEY = "link/uc-link/link-up/2027-03"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace as ingested; nothing recorded; read only."""
    return ingested(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def planned(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace with one report of 20 April; read only."""
    folder = tmp_path_factory.mktemp("ledger") / "w"
    shutil.copytree(tiny, folder)
    quick(folder).plan(APRIL)
    return folder


@pytest.fixture
def space(planned: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(planned, tmp_path / "w")
    return tmp_path / "w"


def one_document(answer: Answer, command: str) -> Any:
    """Standard output is one document with sorted keys and nothing else."""
    assert answer.out == json.dumps(answer.document, sort_keys=True, ensure_ascii=False) + "\n"
    assert answer.document["command"] == command
    return answer.document["data"]


def test_runs_are_listed_with_what_they_were_made_of(planned: Path, tiny: Path) -> None:
    (run_row,) = one_document(run("ledger", "runs", "-w", planned, "--json"), "ledger runs")
    assert run_row["as_of"] == "2027-04-19T22:00:00Z"
    assert set(run_row["inputs"]) == {"forecasting.yaml", "catalogue/all.yaml"}
    assert "plan.html" in run_row["files"]
    out = run("ledger", "runs", "-w", planned, columns=120).out
    assert run_row["run_id"] in out
    assert "2027-04-19 22:00Z" in out
    assert run("ledger", "runs", "-w", tiny).out == f"no report was made yet: forecasting plan -w {tiny}\n"


def test_show_gives_every_version_of_a_key_or_of_all_that_begin_so(planned: Path) -> None:
    (entry,) = one_document(run("ledger", "show", KEY, "-w", planned, "--json"), "ledger show")
    assert (entry["key"], entry["version"], entry["kind"]) == (KEY, 1, "attainment")
    assert (entry["payload"]["status"], entry["payload"]["stage"]) == ("breached", "final")
    out = run("ledger", "show", KEY, "-w", planned, columns=140).out
    assert out.startswith(f"Recorded under {KEY}")
    assert "99.7308 %  breached  final  743/743" in out
    many = one_document(run("ledger", "show", "shop/", "-w", planned, "--json"), "ledger show")
    assert {e["key"].split("/")[0] for e in many} == {"shop"}
    assert len(many) > 1
    assert f"{len(many) - 1} more rows" in run("ledger", "show", "shop/", "-w", planned, "--rows", "1").out


def test_other_kinds_are_shown_whole(planned: Path) -> None:
    out = run("ledger", "show", "uc-link", "--kind", "credit", "-w", planned, columns=80).out
    lines = out.splitlines()
    assert lines[0].startswith("uc-link/link-up/2027-03, version 1, as of 2027-04-19 22:00Z, run ")
    assert "  due: 200.00" in lines
    assert "  claim: claimable" in lines
    explanation = "99.7308 % is below 99.9 %: 10 % of EUR 2,000.00 = EUR 200.00; to be claimed by 2027-04-30"
    assert f"  explanation: {explanation}" in lines, "nothing is cut off"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["show", "link/uc-lnk"], f"try: {KEY}"),
        (["show", "zzzzzzzzz"], "ledger export --kind attainment"),
        (["show", "x", "--kind", "credits"], "try: credit"),
        (["export", "--kind", "attainments"], "try: attainment"),
        (["reproduce", "nothing", "--out", "again"], "forecasting ledger runs"),
        (["reproduce", "", "--out", "again"], "forecasting ledger runs"),
        (["reproduce", "abc"], "Missing option"),
        (["show"], "Missing argument"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_bad_input_ends_with_2_and_says_what_is_allowed(
    line: list[str], says: str, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = digest(planned)
    answer = run("ledger", *line, "-w", planned)
    assert (answer.code, answer.out) == (2, ""), answer
    assert says in answer.err
    assert digest(planned) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", ["runs", "show x", "restatements", "verify", "export", "reproduce x --out y"])
def test_a_missing_workspace_is_named_with_the_next_step(line: str, tmp_path: Path) -> None:
    answer = run("ledger", *line.split(), "-w", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert "forecasting init" in answer.err


@pytest.mark.parametrize("options", ["runs", "show shop/", "restatements", "verify", "export", "verify --json"])
def test_the_same_twice_and_nothing_is_written(options: str, planned: Path) -> None:
    before = digest(planned)
    first = run("ledger", *options.split(), "-w", planned)
    assert first == run("ledger", *options.split(), "-w", planned)
    assert (first.code, first.err) == (0, "")
    assert digest(planned) == before


def test_export_is_one_object_a_line_whose_chain_an_auditor_can_follow(planned: Path) -> None:
    rows = [json.loads(line) for line in run("ledger", "export", "-w", planned).out.splitlines()]
    assert [r["sequence"] for r in rows] == list(range(1, len(rows) + 1))
    assert len({r["sha256"] for r in rows}) == len(rows)
    head = one_document(run("ledger", "verify", "-w", planned, "--json"), "ledger verify")["head"]
    assert head == {"sequence": rows[-1]["sequence"], "sha256": rows[-1]["sha256"]}
    credits_ = [json.loads(x) for x in run("ledger", "export", "--kind", "credit", "-w", planned).out.splitlines()]
    assert credits_ == [r for r in rows if r["kind"] == "credit"]
    assert run("ledger", "export", "--kind", "proposal", "-w", planned).code == 0


def test_verify_says_where_the_ledger_was_changed(space: Path) -> None:
    whole = run("ledger", "verify", "-w", space)
    assert whole.code == 0
    assert whole.out.startswith("ledger: whole\nmetric store: whole\nhead: row ")
    connection = sqlite3.connect(space / ".forecasting" / "ledger.db")
    connection.execute("DROP TRIGGER ledger_no_update")
    connection.execute("UPDATE ledger SET payload = replace(payload, '200.00', '2.00') WHERE kind = 'credit'")
    connection.commit()
    connection.close()
    changed = run("ledger", "verify", "-w", space)
    assert changed.code == 1
    assert changed.out.startswith("ledger: damaged in ")
    assert one_document(run("ledger", "verify", "-w", space, "--json"), "ledger verify")["ledger"]


def test_a_ledger_without_rows_is_whole(tiny: Path) -> None:
    out = run("ledger", "verify", "-w", tiny).out
    assert out.splitlines()[-1].startswith("head: row 0, ")
    assert run("ledger", "export", "-w", tiny).out == ""
    assert run("ledger", "restatements", "-w", tiny).out == "no final attainment was ever replaced\n"
    assert one_document(run("ledger", "restatements", "-w", tiny, "--json"), "ledger restatements") == []


def test_a_restatement_that_turns_a_verdict_is_a_finding(space: Path) -> None:
    project = space / "forecasting.yaml"
    project.write_text(project.read_text().replace("layout: long", "layout: long, corrections: restate"))
    data = space / "monitoring.csv"
    text = data.read_text()
    for hour in (9, 10):
        text = text.replace(f"2027-03-15T{hour:02}:00:00Z,3600", f"2027-03-15T{hour:02}:00:00Z,0")
    data.write_text(text)
    assert ", 2 restated" in run("ingest", "-w", space).out
    recorded = run("attainment", "--record", "--service", "link", "--as-of", APRIL, "-w", space)
    assert recorded.out.endswith("rows added to the ledger\n")
    answer = run("ledger", "restatements", "--fail-on-findings", "-w", space, columns=140)
    assert answer.code == 1
    assert "99.7308 %  100.00 %  breached → met" in answer.out
    assert "late data: 2 rows of link_down_seconds of link" in answer.out
    versions = one_document(run("ledger", "show", "uc-link", "--kind", "credit", "-w", space, "--json"), "ledger show")
    assert [(v["version"], v["payload"]["due"]) for v in versions] == [(1, "200.00"), (2, "0.00")]


def test_a_report_is_made_again_and_a_difference_is_a_finding(space: Path, tmp_path: Path) -> None:
    (row,) = one_document(run("ledger", "runs", "-w", space, "--json"), "ledger runs")
    before = digest(space)
    out = tmp_path / "again"
    answer = run("ledger", "reproduce", row["run_id"][:8], "--out", out, "-w", space)
    assert answer.code == 0, answer
    count = len(row["files"])
    assert answer.out == f"{count} of {count} files have the same bytes as then\n{out}\n"
    for name, sha in row["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha
    assert digest(space) == before
    again = run("ledger", "reproduce", row["run_id"], "--out", out, "-w", space)
    assert again.code == 2, "a folder with files is refused"
