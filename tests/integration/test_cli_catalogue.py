"""`catalogue check`, `show` and `export`: on a workspace, on documents alone, and on what is wrong or hostile."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import AIRPORTS, Answer, digest, run
from tiny_service_levels import APRIL, ingested

from forecasting.adapters.catalogues import YamlFolder, load_project

MERIDIAN = AIRPORTS.parent / "meridian"
SLO = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: web}
spec: {}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: web-up}
spec:
  service: web
  indicator:
    metadata: {name: web-ratio}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: sum(good)}}}
        total: {metricSource: {type: Prometheus, spec: {query: sum(all)}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace as ingested; read only."""
    return ingested(tmp_path_factory.getbasetemp())


@pytest.fixture
def space(tiny: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(tiny, tmp_path / "w")
    return tmp_path / "w"


@pytest.fixture
def slo(tmp_path: Path) -> Path:
    """One OpenSLO file."""
    path = tmp_path / "docs" / "slo.yaml"
    path.parent.mkdir()
    path.write_text(SLO, encoding="utf-8")
    return path


def one_document(answer: Answer, command: str) -> Any:
    """Standard output is one document with sorted keys and nothing else."""
    assert answer.out == json.dumps(answer.document, sort_keys=True, ensure_ascii=False) + "\n"
    assert answer.document["command"] == command
    return answer.document["data"]


# ------------------------------------------------------------------------------- check
def test_check_counts_and_finds_gaps(space: Path) -> None:
    answer = run("catalogue", "check", "-w", space, "--as-of", APRIL)
    assert (answer.code, answer.err) == (0, "")
    first, *findings, last = answer.out.splitlines()
    assert first == (
        "tiny: 7 services, 2 objectives outside agreements, 9 agreements, 9 agreed objectives, 2 customers, "
        "2 calendars, 1 alert policy, 1 notification target"
    )
    assert last == f"0 gaps, {len(findings)} hints, 0 notes"
    assert all(line.startswith("hint sla-") and line.endswith("]") for line in findings)
    assert run("catalogue", "check", "-w", space, "--as-of", APRIL, "--fail-on-findings").code == 0, "hints only"

    path = space / "catalogue" / "all.yaml"
    path.write_text(
        path.read_text().replace("validFrom: 2027-04-01", "validFrom: 2027-04-01\n  validUntil: 2027-04-30")
    )
    answer = run("catalogue", "check", "-w", space, "--as-of", APRIL, "--fail-on-findings")
    assert answer.code == 1
    assert "GAP  sla-mirror: sla-mirror ends on 2027-04-30" in answer.out
    data = one_document(run("catalogue", "check", "-w", space, "--as-of", APRIL, "--json"), "catalogue check")
    assert [f["rule"] for f in data["findings"] if f["severity"] == "gap"] == ["agreement-expiring"]
    assert data["counts"]["agreements"] == 9
    assert len(data["version"]) == 64


def test_check_of_a_workspace_without_data_looks_at_the_text(space: Path) -> None:
    shutil.rmtree(space / ".forecasting")
    assert run("catalogue", "check", "-w", space, "--as-of", APRIL).code == 0


def test_documents_alone_are_checked_as_a_folder_or_a_file(slo: Path, tmp_path: Path) -> None:
    for place in (slo, slo.parent):
        answer = run("catalogue", "check", "-d", place)
        assert answer.code == 0, answer.err
        assert answer.out.splitlines()[0].endswith(": 1 service, 1 objective outside agreements, 2 outside queries")
        assert answer.out.splitlines()[-1] == "0 gaps, 0 hints, 0 notes"
    slo.write_text(SLO.replace("name: web-up", "name: Web up"), encoding="utf-8")
    lenient = run("catalogue", "check", "-d", slo)
    assert lenient.code == 0
    assert "note slo.yaml:" in lenient.out.replace(f"{slo.parent}/", "")
    assert lenient.out.endswith("0 gaps, 0 hints, 1 note\n")
    strict = run("catalogue", "check", "-d", slo, "--strict", "--json")
    assert strict.code == 2
    assert [p["argument"] for p in strict.document["problems"]] == ["metadata.name"]
    assert run("catalogue", "check", "-d", tmp_path / "docs", "--strict").code == 2


def test_agreements_in_documents_alone_are_audited(tiny: Path) -> None:
    project = load_project(tiny / "forecasting.yaml", suffixes=(".csv",))
    assert project.metrics
    answer = run("catalogue", "check", "-d", tiny / "catalogue", "--as-of", "2027-04-20")
    assert answer.code == 0, answer.err
    assert "hint sla-shop: sla-shop leaves no time for maintenance" in answer.out


@pytest.mark.parametrize("command", ["check", "export"])
def test_documents_that_are_not_there_are_named(command: str, tmp_path: Path) -> None:
    answer = run("catalogue", command, "-d", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: documents: got ")
    assert "correct the path" in answer.err


# ------------------------------------------------------------------------------- show
def test_show_lists_agreements_as_table_and_as_one_document(tiny: Path) -> None:
    answer = run("catalogue", "show", "-w", tiny, columns=120)
    assert answer.code == 0
    assert (answer.out.count(" sla-"), answer.out.count(" SLA "), answer.out.count(" UC ")) == (7, 7, 1)
    found = one_document(run("catalogue", "show", "-w", tiny, "--json"), "catalogue show")
    assert [a["agreement"] for a in found][:3] == ["sla-shop", "sla-mirror-old", "sla-mirror"]
    assert found[1]["valid_until"] == "2027-03-31"
    assert found[0]["valid_until"] is None


def test_show_says_one_agreement_in_plain_words_by_its_id_or_its_service(tiny: Path) -> None:
    by_id = run("catalogue", "show", "sla-erp", "-w", tiny, "--as-of", APRIL)
    assert by_id == run("catalogue", "show", "erp", "-w", tiny, "--as-of", APRIL)
    assert by_id.out.startswith("sla-erp\n")
    for words in ("06:00", "patching", "restore test", "J. Doe", "For example: "):
        assert words in by_id.out, words
    both = one_document(run("catalogue", "show", "mirror", "-w", tiny, "--json"), "catalogue show")
    assert sorted(both) == ["sla-mirror", "sla-mirror-old"]
    assert all(lines and all(isinstance(line, str) for line in lines) for lines in both.values())


def test_an_unknown_name_is_answered_with_the_nearest(tiny: Path) -> None:
    answer = run("catalogue", "show", "sla-shpo", "-w", tiny)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.endswith("; try: sla-shop\n")


def test_words_of_people_are_printed_as_they_are_and_control_characters_are_refused(space: Path) -> None:
    path = space / "catalogue" / "all.yaml"
    text = path.read_text()
    promise = "promise: The shop is up 99.9 % of each month."
    path.write_text(text.replace(promise, "promise: '[red]<b>99.9 %</b>[/red] {0} %s'"))
    shown = run("catalogue", "show", "sla-shop", "-w", space)
    assert "[red]<b>99.9 %</b>[/red] {0} %s" in shown.out
    path.write_text(text.replace(promise, 'promise: "\\e[31mred\\e]0;title\\a"'))
    answer = run("catalogue", "check", "-w", space)
    assert answer.code == 2
    assert "\x1b" not in answer.err
    assert "without control characters" in answer.err
    named = run("catalogue", "show", "\x1b[2Jx", "-w", space)
    assert named.code == 2
    assert "\x1b" not in named.err


# ------------------------------------------------------------------------------- export
def everything(folder: Path, project: Path) -> Any:
    found = load_project(project, suffixes=(".csv", ".parquet"))
    return YamlFolder(folder, found.metrics, currency=found.currency, name=found.name).load()


@pytest.mark.parametrize("example", ["tiny", "airports", "meridian"])
def test_export_of_all_can_be_read_again_and_is_the_same_catalogue(example: str, tiny: Path, tmp_path: Path) -> None:
    root = {"tiny": tiny, "airports": AIRPORTS, "meridian": MERIDIAN}[example]
    out = tmp_path / "all.yaml"
    answer = run("catalogue", "export", "--all", "-w", root, "--out", out)
    assert answer.out == f"{out}\n", answer.err
    (tmp_path / "read").mkdir()
    shutil.copy(out, tmp_path / "read")
    first = everything(root / "catalogue", root / "forecasting.yaml")
    again = everything(tmp_path / "read", root / "forecasting.yaml")
    for name in ("services", "objectives", "agreements", "resources", "drivers", "covariates", "customers",
                 "calendars", "scenarios", "alert_policies", "notification_targets", "data_sources", "queries",
                 "metrics"):  # fmt: skip
        assert getattr(again, name) == getattr(first, name), name
    assert run("catalogue", "export", "--all", "-w", root).out == out.read_text(encoding="utf-8")


def test_openslo_alone_leaves_out_what_it_has_no_kind_for(tiny: Path, tmp_path: Path) -> None:
    answer = run("catalogue", "export", "-w", tiny)
    assert answer.code == 0
    assert "forecasting/v1" not in answer.out
    path = tmp_path / "openslo.yaml"
    path.write_text(answer.out, encoding="utf-8")
    checked = run("catalogue", "check", "-d", path, "--strict")
    assert checked.code == 0, checked.err


def test_export_of_documents_alone(slo: Path) -> None:
    text = run("catalogue", "export", "-d", slo).out
    slo.write_text(text, encoding="utf-8")
    assert run("catalogue", "export", "-d", slo).out == text


def test_the_schema_is_valid_and_names_every_kind(tmp_path: Path) -> None:
    answer = run("catalogue", "export", "--schema", "-w", tmp_path / "nowhere")
    assert answer.code == 0, "needs no workspace"
    schema = json.loads(answer.out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    text = json.dumps(schema)
    for kind in ("Agreement", "Calendar", "Scenario", "Resource", "SLO", "AlertPolicy"):
        assert f'"{kind}"' in text
    out = tmp_path / "schema.json"
    run("catalogue", "export", "--schema", "--out", out)
    assert json.loads(out.read_text(encoding="utf-8")) == schema


# ------------------------------------------------------------------------------- all of them
@pytest.mark.parametrize(
    "line",
    [["check", "--as-of", APRIL], ["check", "--as-of", APRIL, "--json"], ["show"], ["show", "shop", "--as-of", APRIL],
     ["export"], ["export", "--all"]],
    ids=" ".join,
)  # fmt: skip
def test_the_same_twice_and_nothing_is_written(line: list[str], tiny: Path) -> None:
    before = digest(tiny)
    assert run("catalogue", *line, "-w", tiny) == run("catalogue", *line, "-w", tiny)
    assert digest(tiny) == before


@pytest.mark.parametrize("line", [["check"], ["show"], ["export"]], ids=" ".join)
def test_a_missing_workspace_is_named_with_the_next_step(line: list[str], tmp_path: Path) -> None:
    answer = run("catalogue", *line, "-w", tmp_path / "nowhere")
    assert (answer.code, answer.out) == (2, "")
    assert "forecasting init" in answer.err


@pytest.mark.parametrize("as_of", ["soon", "2027-02-30", "1066-10-14"])
def test_a_wrong_cut_off_is_refused(as_of: str, tiny: Path) -> None:
    for place in (("-w", tiny), ("-d", tiny / "catalogue")):
        answer = run("catalogue", "check", *place, "--as-of", as_of)
        assert answer.code == 2
        assert "as_of" in answer.err
