"""docs/add-a-model.md works as printed: its file and its line are put into a copy of the package and used there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-a-model.md").read_text(encoding="utf-8")
FILE, CODE = re.findall(r"^New file `([^`]+)`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)[0]
TABLE_FILE, LINE = re.findall(r"^Line in `([^`]+)`, table `MODELS`:\n\n```text\n(.*?)```", PAGE, re.DOTALL | re.M)[0]
BATTERY, LEAGUE = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if block != CODE)


def run(copy: Path, *arguments: str) -> str:
    """Run Python in the copy and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with the model of the page in it."""
    folder = tmp_path_factory.mktemp("added")
    shutil.copytree(ROOT / "forecasting", folder / "forecasting", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    assert not (folder / FILE).exists(), f"{FILE} exists: print another example"
    (folder / FILE).write_text(CODE, encoding="utf-8")
    table = folder / TABLE_FILE
    before = table.read_text(encoding="utf-8")
    head, brace, tail = before.partition('\n}\n"""Model by name')
    assert brace, f"{TABLE_FILE} has no table MODELS that ends with its docstring"
    table.write_text(head + "\n" + LINE.rstrip("\n") + brace + tail, encoding="utf-8")
    return folder


def test_the_page_is_one_page_with_one_short_file_and_one_line() -> None:
    assert len(PAGE.splitlines()) < 160
    assert len(CODE.splitlines()) < 60
    assert len(LINE.strip().splitlines()) == 1
    assert Path(FILE).parent == Path(TABLE_FILE).parent


def test_the_battery_runs_as_printed_and_finds_nothing(copy: Path) -> None:
    where = f"import forecasting; assert forecasting.__file__.startswith({str(copy)!r}), forecasting.__file__\n"
    assert run(copy, "-c", where + BATTERY).strip() == "no findings"


@pytest.mark.nightly
def test_the_battery_as_printed_finds_a_fault(copy: Path) -> None:
    path = copy / FILE
    try:
        path.write_text(CODE.replace("context.regular, ", "history.values, "), encoding="utf-8")
        assert "finite: half missing, 30 ahead" in run(copy, "-c", BATTERY)
    finally:
        path.write_text(CODE, encoding="utf-8")


def test_the_league_table_shows_the_model(copy: Path) -> None:
    printed = run(copy, "-c", LEAGUE)
    rows = dict(line.split() for line in printed.splitlines() if not line.startswith("chosen"))
    assert set(rows) >= {"seasonal_naive", "seasonal_median", "weighted_seasons"}
    assert float(rows["seasonal_naive"]) == 1.0
    assert float(rows["weighted_seasons"]) < 0.95, "on a level week with noise a mean of seasons beats the last one"


def test_the_table_in_the_page_names_the_properties_of_the_battery() -> None:
    from forecasting.forecasts.models import get_model
    from forecasting.testing.forecaster import check_forecaster

    names = {name.split(":")[0] for name, _ in check_forecaster(get_model("seasonal_naive"))}
    table = PAGE.split("| Property |")[1].split("\n\n")[0]
    shown = {name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert names - {"name"} == shown - {"claims"}


def test_the_file_is_typed_linted_and_imports_no_sibling(copy: Path) -> None:
    run(copy, "-m", "ruff", "check", FILE, TABLE_FILE)
    run(copy, "-m", "ruff", "format", "--check", FILE, TABLE_FILE)
    linted = run(copy, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
    assert "0 broken" in linted, linted


@pytest.mark.nightly
def test_the_file_passes_mypy_strict(copy: Path) -> None:
    run(copy, "-m", "mypy", "--follow-imports=silent", FILE, TABLE_FILE)
