"""docs/early-warning-page.md says what the code does: its table, its blocks, its claims on numbers of series."""

from __future__ import annotations

import re
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
    made = sorted(p.name for p in tmp_path.iterdir())
    assert made == ["dashboard.json", "early-warnings.html", "forecasting-rules.yml", "forecasting.prom"]


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
