"""Every block of docs/notifiers.md is what it says: projects load, Alertmanager takes its file, texts are sent so."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from forecasting.adapters.catalogues import load_project
from forecasting.adapters.notifiers import DEFAULT, NOTIFIERS
from forecasting.adapters.notifiers.alertmanager import ALERT_NAME, LIVES, annotations_of, labels_of
from forecasting.adapters.notifiers.webhook import slack_message
from forecasting.terms.project import NotifierSpec
from forecasting.testing.notifier import make_notice

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notifiers.md").read_text(encoding="utf-8")
HEAD = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shop}
spec:
  organisation: Shop
  currency: EUR
  catalogue: catalogue
  metrics: {orders: {kind: count, unit: orders, step: 1h}}
  sources: [{name: orders, path: orders.csv}]
"""
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
PROJECTS = [block for block in BLOCKS if block.startswith("notifiers:")]
ROUTES = [block for block in BLOCKS if block not in PROJECTS]


@pytest.mark.parametrize("block", PROJECTS, ids=range(len(PROJECTS)))
def test_every_project_loads(tmp_path: Path, block: str) -> None:
    (tmp_path / "forecasting.yaml").write_text(HEAD + re.sub(r"^", "  ", block, flags=re.MULTILINE).rstrip() + "\n")
    found = load_project(tmp_path).notifiers
    assert len(found) == len(yaml.safe_load(block)["notifiers"])


def test_every_kind_and_field_is_on_the_page() -> None:
    items = [item for block in PROJECTS for item in yaml.safe_load(block)["notifiers"]]
    assert {item["kind"] for item in items} == set(NOTIFIERS)
    for kind, notifier in NOTIFIERS.items():
        shown = {key for item in items if item["kind"] == kind for key in item}
        missing = set(notifier.form.fields) - shown - {"urlEnv", "tokenEnv", "url"}
        assert not missing, f"{kind}: {missing}"
    assert f"`{DEFAULT[0].path}`" in PAGE


def test_what_is_sent_to_slack_is_printed_word_for_word() -> None:
    (block,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert json.loads(block) == slack_message(make_notice())


def test_labels_and_annotations_of_alertmanager_are_those_named() -> None:
    text = PAGE.split("## Alertmanager")[1]
    spec = NotifierSpec(name="ops", kind="alertmanager")
    for name in (*labels_of(make_notice(), spec), *annotations_of(make_notice())):
        assert f"`{name}`" in text, name
    assert f"`{ALERT_NAME}`" in text
    assert {4: "four times `repeatEvery`"}[LIVES] in text


def test_alertmanager_takes_the_routes(tmp_path: Path) -> None:
    (block,) = ROUTES
    routes = yaml.safe_load(block)
    assert routes["route"]["group_by"] == ["notifier", "service", "objective", "window"]
    program = shutil.which("amtool")
    if program is None:
        pytest.skip("the program amtool of the Debian package `prometheus-alertmanager` is not installed")
    config = tmp_path / "alertmanager.yml"
    config.write_text(block)
    done = subprocess.run(
        [program, "check-config", str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for notifier, receiver in (("page", "pager"), ("ops", "chat")):
        spec = NotifierSpec(name=notifier, kind="alertmanager")
        labels = [f"{name}={value}" for name, value in labels_of(make_notice(), spec).items()]
        command = [program, "config", "routes", "test", f"--config.file={config}", *labels]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        assert said.strip() == receiver


def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
    )
    assert done.stdout == "file ['w1:raised:1']\n"
