"""Nothing at or after --as-of is read: a plan, its ledger rows and its warnings do not know what came later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import AS_OF, quick, reports, run

CUT = "2013-07-01T04:00:00Z"
"""The first instant of 2013-07-01 in New York."""


def other_future(inputs: Path, target: Path) -> Path:
    """Copy the inputs with another future: other values from the cut on, holes, and more of one service."""
    shutil.copytree(inputs, target)
    path = target / "metrics.csv"
    kept, changed = [], 0
    for k, line in enumerate(path.read_text().splitlines()):
        service, at, *values = line.split(",")
        if k and at >= CUT:
            changed += 1
            if service == "lga-us" or changed % 7 == 0:
                continue
            scheduled = int(values[0]) * 3 + 1
            line = f"{service},{at},{scheduled},0,{scheduled}"
        kept.append(line)
    assert changed > 1000
    kept.append("lga-us,2013-09-09T12:00:00Z,5,5,0")
    path.write_text("\n".join(kept) + "\n")
    return target


@pytest.fixture(scope="module")
def pair(inputs: Path, ingested: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two workspaces in other folders that differ only in rows at or after the cut."""
    folder = tmp_path_factory.mktemp("leakage")
    one, other = folder / "one", other_future(inputs, folder / "elsewhere")
    shutil.copytree(ingested, one)
    assert run("ingest", "-w", other).code == 0
    return one, other


@pytest.fixture(scope="module")
def planned(pair: tuple[Path, Path], planned_once: Path) -> tuple[Path, Path]:
    """The one with its plan, and the other with a plan of its own."""
    quick(pair[1]).plan(AS_OF)
    return planned_once, pair[1]


def test_the_two_workspaces_hold_other_rows(pair: tuple[Path, Path]) -> None:
    one, other = (quick(path).metrics.read() for path in pair)
    assert not one.equals(other)
    early = [rows[rows["at"] < "2013-07-01 04:00"].reset_index(drop=True) for rows in (one, other)]
    assert early[0].equals(early[1])


def test_every_report_is_the_same_byte_for_byte(planned: tuple[Path, Path]) -> None:
    one, other = (reports(path) for path in planned)
    assert {"plan.html", "plan.json", "plan.md"} <= {Path(name).name for name in one}
    assert len([name for name in one if name.endswith(".csv")]) >= 8
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def test_the_ledger_and_the_warnings_are_the_same(planned: tuple[Path, Path]) -> None:
    one, other = (quick(path) for path in planned)
    assert len(one.ledger.entries()) > 20
    assert one.ledger.entries() == other.ledger.entries()
    assert one.ledger.entries("warning"), "the small workspace has something to warn of"


def test_the_manifest_covers_the_rows_before_the_cut_only(planned: tuple[Path, Path]) -> None:
    one, other = (quick(path) for path in planned)
    assert one.prepare(AS_OF).manifest == other.prepare(AS_OF).manifest
    assert one.prepare("2013-07-02").manifest.data_version != other.prepare("2013-07-02").manifest.data_version
    assert one.prepare("2013-06-30").manifest.data_version != one.prepare(AS_OF).manifest.data_version


def test_one_row_before_the_cut_changes_the_data_version(fresh: Path) -> None:
    before = quick(fresh)
    before.ingest()
    version = before.prepare(AS_OF).manifest.data_version
    shutil.rmtree(fresh / ".forecasting")
    path = fresh / "metrics.csv"
    text = path.read_text()
    at = "lga,2013-07-01T03:00:00Z,"
    assert at in text
    path.write_text(text.replace(at, f"{at}1"))
    quick(fresh).ingest()
    assert quick(fresh).prepare(AS_OF).manifest.data_version != version


@pytest.mark.usefixtures("by_day_and_night")
@pytest.mark.parametrize("command", [("attainment",), ("forecast", "lga", "--paths", "200", "--horizon", "5")])
def test_the_commands_do_not_know_the_future_either(command: tuple[str, ...], pair: tuple[Path, Path]) -> None:
    one, other = (run(*command, "-w", path, "--as-of", AS_OF, "--json") for path in pair)
    assert one.code == 0
    assert one.out == other.out
    late, later = (run("attainment", "-w", path, "--as-of", "2013-07-20", "--json") for path in pair)
    assert late.out != later.out, "the futures do differ"


@pytest.mark.nightly
def test_a_later_run_does_not_change_an_earlier_cut_off(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(pair[0], tmp_path / "w", ignore=shutil.ignore_patterns("reports", "ledger.db*"))
    space = quick(tmp_path / "w")
    space.plan(AS_OF)
    first = reports(tmp_path / "w")
    space.plan("2013-07-20")
    space.plan(AS_OF)
    again = reports(tmp_path / "w")
    assert {name: data for name, data in again.items() if name.startswith(AS_OF)} == first
    late = json.loads(again["2013-07-20/warnings.jsonl"].splitlines()[0])
    assert late["probability_previous"] is not None, "the later run knows the earlier one"
