"""docs/early-warning-page.md says what the code does: its table, its blocks, its claims on numbers of series."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forecasting.adapters.exposition import GAUGES, metrics_text

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from plan_fixture import make_plan

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "early-warning-page.md").read_text(encoding="utf-8")


def test_the_table_has_every_gauge_with_its_labels_and_meaning() -> None:
    rows = re.findall(r"^\| `(forecasting_\w+)` \| (.*?) \| (.*) \|$", TEXT, re.MULTILINE)
    declared = [(g.name, ", ".join(f"`{label}`" for label in g.labels) or "–", g.help) for g in GAUGES]
    assert rows == declared


def test_the_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"plan": make_plan()}
    blocks = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)
    made = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert made == [
        "early-warnings.html",
        "forecasting.prom",
        "grafana/dashboard.json",
        "grafana/forecasting-rules.yml",
    ]


def test_prometheus_takes_the_scrape_configuration(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("the program promtool of the Debian package `prometheus` is not installed")
    (tmp_path / "prometheus.yml").write_text(block, encoding="utf-8")
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_option_that_shows_something_is_there() -> None:
    names = {"--no-page", "--textfile", "--listen", "--dashboard"}
    assert names <= set(re.findall(r"--[a-z-]+", TEXT))


def test_the_number_of_series_is_as_stated() -> None:
    plan = make_plan()
    text = metrics_text(plan)
    windows = [line for line in text.splitlines() if 'service="lga",agreement' in line]
    risks = next(len(o.risks) for s in plan.services for o in s.objectives)
    stated = re.search(r"with five windows makes about (\d+) series", TEXT)
    assert stated is not None
    assert abs(len(windows) / risks * 5 - int(stated[1])) < 10
    resource = [line for line in text.splitlines() if 'resource="lga-departure-slots"' in line]
    assert len(resource) == 4


def test_the_picture_is_there_and_small() -> None:
    assert (ROOT / "docs" / "pictures" / "early-warnings.png").stat().st_size < 200_000
