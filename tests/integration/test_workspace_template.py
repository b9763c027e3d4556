"""`init`: the template works end to end, a workspace is never replaced by accident, a copy is whole or not made."""

from __future__ import annotations

import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import AIRPORTS, digest, quick, run


def write_metrics(path: Path, days: int = 120) -> None:
    """Write hourly requests of a shop with a daily and a weekly rhythm, and a bad day now and then."""
    lines = ["service,metric,at,value"]
    start = datetime(2026, 1, 5, tzinfo=UTC)
    for hour in range(24 * days):
        at = start + timedelta(hours=hour)
        level = 1000 * (1.3 + math.sin(2 * math.pi * at.hour / 24)) * (0.6 if at.weekday() >= 5 else 1.0)
        requests = int(level) + 7 * (hour % 5)
        errors = requests // 50 if hour // 24 % 11 == 3 else requests // 2000
        text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        lines += [f"web-shop,requests,{text},{requests}", f"web-shop,good_requests,{text},{requests - errors}"]
    path.write_text("\n".join(lines) + "\n")


def test_the_template_works_end_to_end(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    made = run("init", folder)
    assert made.code == 0, made.err
    assert f"forecasting ingest -w {folder}" in made.out

    empty = run("ingest", "-w", folder)
    assert empty.code == 2, "the header alone is no data"
    assert "metrics.csv" in empty.err

    write_metrics(folder / "metrics.csv")
    assert run("ingest", "-w", folder).code == 0
    result = quick(folder).plan()
    assert Path(result.files["html"]).is_file()
    risks = result.plan.frames()["risks"]
    assert set(risks["service"]) == {"web-shop"}
    assert risks["probability"].max() > 0.5, "an error day in eleven breaks 99.9 %"
    assert run("doctor", "-w", folder, "--fail-on-findings").code == 0


def test_a_workspace_is_not_replaced_by_accident(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    assert run("init", folder).code == 0
    before = digest(folder)
    again = run("init", folder)
    assert again.code == 2
    assert "--force" in again.err
    assert digest(folder) == before


def test_force_replaces_the_inputs_and_keeps_the_stores(workspace: Path, inputs: Path) -> None:
    (workspace / "catalogue" / "more.yaml").write_text("kind: nothing known\n")
    (workspace / "forecasting.yaml").write_text("spoilt")
    stores = digest(workspace / ".forecasting")
    made = run("init", workspace, "--from", inputs, "--force")
    assert made.code == 0, made.err
    assert digest(workspace / ".forecasting") == stores
    assert digest(workspace / "catalogue") == digest(inputs / "catalogue")
    assert run("ingest", "-w", workspace, "--json").document["data"][0]["rows_new"] == 0

    assert run("init", workspace, "--force").code == 0
    assert digest(workspace / ".forecasting") == stores
    assert [p.name for p in (workspace / "catalogue").iterdir()] == ["web-shop.yaml"]
    assert "my-services" in (workspace / "forecasting.yaml").read_text()


def test_the_airports_example_is_copied_whole(tmp_path: Path) -> None:
    assert run("init", tmp_path / "w", "--from", AIRPORTS).code == 0
    copied = {p.relative_to(tmp_path / "w").as_posix() for p in (tmp_path / "w").rglob("*") if p.is_file()}
    assert {"forecasting.yaml", "metrics.parquet", "weather.parquet", "catalogue/services.yaml"} <= copied
    assert not any(name.endswith(".py") for name in copied)


@pytest.mark.parametrize("damage", ["no data", "no catalogue", "no project", "bad catalogue", "bad project", "itself"])
def test_a_copy_is_whole_or_not_made(damage: str, fresh: Path, tmp_path: Path) -> None:
    match damage:
        case "no data":
            (fresh / "metrics.csv").unlink()
        case "no catalogue":
            shutil.rmtree(fresh / "catalogue")
        case "no project":
            (fresh / "forecasting.yaml").unlink()
        case "bad catalogue":
            (fresh / "catalogue" / "services.yaml").write_text("kind: [")
        case "bad project":
            (fresh / "forecasting.yaml").write_text("kind: [")
    target = fresh if damage == "itself" else tmp_path / "new"
    before = digest(fresh)
    answer = run("init", target, "--from", fresh, "--force")
    assert answer.code == 2, answer
    assert answer.err.startswith("error: ")
    assert digest(fresh) == before
    assert damage == "itself" or not target.exists()


def test_a_file_is_no_folder_for_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        answer = run("init", path)
        assert answer.code == 2
        assert answer.err.count("\n") == 1
