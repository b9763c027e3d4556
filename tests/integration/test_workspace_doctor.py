"""`doctor` finds what would make a run fail or lie, and says what to do; it changes nothing."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from conftest import AS_OF, digest, run


@pytest.fixture
def planned(planned_once: Path, tmp_path: Path) -> Path:
    """A copy of a workspace with a plan."""
    shutil.copytree(planned_once, tmp_path / "planned")
    return tmp_path / "planned"


def looked_at(workspace: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Return the findings that are not fine, by check; doctor itself changes nothing."""
    before = digest(workspace)
    answer = run("doctor", "-w", workspace, *arguments, "--json")
    assert answer.code == 0, answer.err
    assert digest(workspace) == before
    found = {f["check"]: f for f in answer.document["data"] if not f["ok"]}
    assert all(f["try_instead"] for f in found.values()), "every finding says what to do"
    plain = run("doctor", "-w", workspace, *arguments, "--fail-on-findings")
    assert plain.code == (1 if found else 0)
    assert plain.out.count("LOOK ") == len(found)
    assert all(f"{check}: " in plain.out for check in found)
    return found


def test_a_healthy_workspace(workspace: Path, planned: Path) -> None:
    assert looked_at(workspace) == {}
    assert looked_at(planned) == {}
    assert "hash chain is whole" in run("doctor", "-w", planned).out


def test_no_data(fresh: Path) -> None:
    found = looked_at(fresh)
    assert list(found) == ["metric store"]
    assert found["metric store"]["try_instead"] == f"forecasting ingest -w {fresh}"


def test_a_metric_that_stopped(fresh: Path) -> None:
    path = fresh / "metrics.csv"
    kept = [line for line in path.read_text().splitlines() if not line.startswith("lga-us,2013-07-2")]
    kept = [line for line in kept if not line.startswith("lga-us,2013-07-3")]
    path.write_text("\n".join(kept) + "\n")
    assert run("ingest", "-w", fresh).code == 0
    found = looked_at(fresh)
    assert set(found) == {f"{m} of lga-us" for m in ("scheduled_departures", "departed_within_15_min", "cancelled")}
    detail = found["cancelled of lga-us"]["detail"]
    assert "stale" in detail
    assert "2013-07-19 23:00 UTC" in detail


@pytest.mark.nightly
def test_everything_that_stopped_before_today(workspace: Path) -> None:
    found = looked_at(workspace, "--as-of", "2013-09-01")
    assert set(found) == {
        f"{m} of lga, lga-us" for m in ("scheduled_departures", "departed_within_15_min", "cancelled")
    }
    assert "366 days" in looked_at(workspace, "--as-of", "2020-01-01")["series"]["detail"]


def test_holes(fresh: Path) -> None:
    path = fresh / "metrics.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(x for k, x in enumerate(lines) if k == 0 or "lga-us" not in x or k % 8) + "\n")
    assert run("ingest", "-w", fresh).code == 0
    found = looked_at(fresh)
    assert set(found) == {f"{m} of lga-us" for m in ("scheduled_departures", "departed_within_15_min", "cancelled")}
    assert "slices are missing" in found["cancelled of lga-us"]["detail"]


def test_an_objective_without_data_and_a_service_without_agreement(workspace: Path) -> None:
    (workspace / "catalogue" / "more.yaml").write_text(
        "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: lga-new}\nspec: {description: New}\n"
    )
    path = workspace / "catalogue" / "objectives.yaml"
    first = path.read_text().split("\n---\n")[0].replace("service: lga", "service: lga-new")
    assert "lga-on-time" in first
    (workspace / "catalogue" / "slo.yaml").write_text(first.replace("name: lga-on-time", "name: lga-new-on-time"))
    found = looked_at(workspace)
    assert set(found) == {"objective lga-new-on-time", "agreements"}
    assert "lga-new" in found["agreements"]["detail"]


def test_a_ledger_row_that_was_changed(planned: Path) -> None:
    database = sqlite3.connect(planned / ".forecasting" / "ledger.db")
    database.execute("DROP TRIGGER ledger_no_update")
    database.execute("UPDATE ledger SET payload = '{}' WHERE sequence = 3")
    database.commit()
    database.close()
    found = looked_at(planned)
    assert list(found) == ["ledger"]
    assert "row 3" in found["ledger"]["detail"]
    assert "backup" in found["ledger"]["try_instead"]


def test_a_ledger_that_is_no_database(workspace: Path) -> None:
    (workspace / ".forecasting" / "ledger.db").write_bytes(b"not a database at all" * 100)
    assert list(looked_at(workspace)) == ["ledger"]
    answer = run("plan", "-w", workspace, "--as-of", AS_OF)
    assert answer.code == 2
    assert "Traceback" not in answer.err


def test_a_metric_store_that_was_cut_off(workspace: Path) -> None:
    path = workspace / ".forecasting" / "metrics.duckdb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = looked_at(workspace)
    assert "metric store" in found
    for command in ("attainment", "ingest"):
        answer = run(command, "-w", workspace)
        assert answer.code == 2
        assert "Traceback" not in answer.err


def test_a_metric_store_whose_value_was_changed(workspace: Path) -> None:
    import duckdb

    with duckdb.connect(str(workspace / ".forecasting" / "metrics.duckdb")) as database:
        database.execute(
            "UPDATE metric_row SET value = value + 1 WHERE \"at\" < '2013-01-02'"
            " AND series IN (SELECT series FROM series WHERE service = 'lga')"
        )
    found = looked_at(workspace)
    assert "batch 1 (flights)" in found["metric store"]["detail"]
