"""Model cards, declared candidates, the table of models and the default of a run agree."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from forecasting.forecasts.models import MODELS as TABLE
from forecasting.forecasts.pooled import POOLED
from forecasting.terms.history import MetricKind
from forecasting.terms.settings import Settings

MODELS = {**TABLE, POOLED: "forecasting.forecasts.pooled:PoolTask"}
"""The table, and the default, which is no file of it."""
ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models"
CARDS = {path.stem: path.read_text(encoding="utf-8") for path in (FOLDER / "cards").glob("*.md")}
GROUPS = yaml.safe_load((FOLDER / "candidates.yaml").read_text(encoding="utf-8"))["spec"]["groups"]
ROWS = ("What it is", "Source", "Code", "Use it for", "Declines when", "Cost", "Random")


def test_every_model_has_a_card_and_every_card_a_model() -> None:
    assert set(CARDS) == set(MODELS), "add or remove models/cards/<name>.md"


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_says_what_a_reader_needs(name: str) -> None:
    card = CARDS[name]
    assert card.startswith(f"# {name}\n")
    rows = dict(re.findall(r"^\| \*\*(.+?)\*\* \| (.+?) \|$", card, re.MULTILINE))
    assert tuple(rows) == ROWS
    assert all(rows.values())
    assert rows["Code"] == f"`{MODELS[name].split(':')[0].replace('.', '/')}.py`"
    assert (ROOT / rows["Code"].strip("`")).is_file()
    limits = card.split("## Limits\n")[1]
    assert len(re.findall(r"^- ", limits, re.MULTILINE)) >= 2


def _code_of(module: str) -> list[ast.Module]:
    """A model's module, and the parts of the pool where it is in several files."""
    files = [ROOT / (module.replace(".", "/") + ".py")]
    if module.endswith(".pooled"):
        files += [files[0].with_name("pool.py"), *sorted(files[0].parent.glob("_pool_*.py"))]
    return [ast.parse(file.read_text(encoding="utf-8")) for file in files]


@pytest.mark.parametrize("name", sorted(CARDS))
def test_a_card_tells_whether_the_model_declines_and_draws_as_the_code_does(name: str) -> None:
    nodes = [node for tree in _code_of(MODELS[name].split(":")[0]) for node in ast.walk(tree)]
    called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    seeded = any(isinstance(node, ast.Name) and node.id == "seed" for node in nodes)
    assert ("Excuse" in called) == ("| **Declines when** | Never. |" not in CARDS[name])
    assert seeded == ("| **Random** | No. |" not in CARDS[name])


def test_candidates_exist_and_every_model_is_one_somewhere() -> None:
    named = {model for group in GROUPS for model in group["models"]}
    assert named == set(MODELS)
    for group in GROUPS:
        if POOLED not in group["models"]:
            assert "seasonal_naive" in group["models"], f"{group['name']}: the reference is always tried"
        assert len(group["models"]) == len(set(group["models"]))
        assert {MetricKind(kind) for kind in group["kinds"]}
        assert not set(group.get("why_not", {})) & set(group["models"])
        assert set(group.get("why_not", {})) <= set(MODELS)
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)
    assert {kind for group in GROUPS for kind in group["kinds"]} == {kind.value for kind in MetricKind}


def test_the_default_of_a_run_is_the_declared_group() -> None:
    (default,) = (group for group in GROUPS if group["name"] == "default")
    assert set(default["models"]) == set(Settings().models)


def test_the_readme_lists_every_card() -> None:
    listed = re.findall(r"^\| (\w+) \| \[card\]\(cards/(\w+)\.md\)", (FOLDER / "README.md").read_text("utf-8"), re.M)
    assert all(name == card for name, card in listed)
    assert {name for name, _ in listed} == set(MODELS)


def test_there_are_no_binaries() -> None:
    assert {path.suffix for path in FOLDER.rglob("*") if path.is_file()} <= {".md", ".yaml"}
