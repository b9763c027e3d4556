"""The notebooks run from top to bottom, and git holds neither their output nor a path of someone's machine."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
TIMEOUT_S = 600
"""Per cell: far above what one takes, so that only a notebook that hangs is stopped."""
A_PATH = re.compile(r"(?<![\w.])(/(work|home|root|tmp|Users|opt|var)/|[A-Z]:\\)")


def test_there_is_a_notebook_and_no_output_in_git() -> None:
    assert NOTEBOOKS
    assert not [p.name for p in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_text_form_holds_no_output_and_no_absolute_path(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not A_PATH.search(text)
    book = jupytext.read(path)
    assert book.metadata["jupytext"]["text_representation"]["format_name"] == "percent"
    assert book.cells[0].cell_type == "markdown", "the first cell says the question, the data and what was found"
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in book.cells)
    # Written again it is the same text, so that opening and saving it elsewhere changes nothing.
    again = jupytext.reads(jupytext.writes(book, fmt="py:percent"), fmt="py:percent")
    assert [(c.cell_type, c.source) for c in again.cells] == [(c.cell_type, c.source) for c in book.cells]


@pytest.mark.nightly
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_without_an_error(path: Path, tmp_path: Path) -> None:
    """Run in a copy, so that nothing is left in the tree."""
    shutil.copytree(ROOT / "examples" / "airports", tmp_path / "examples" / "airports")
    (tmp_path / "notebooks").mkdir()
    copy = shutil.copy(path, tmp_path / "notebooks")
    book = jupytext.read(copy)
    begin = time.perf_counter()
    client = NotebookClient(
        book, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(tmp_path / "notebooks")}}
    )
    client.execute()  # raises CellExecutionError with the traceback
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error"]
    assert not [o for o in outputs if o.output_type == "stream" and o.name == "stderr"], (
        "a notebook runs without warnings"
    )
    assert any("svg" in o.get("data", {}).get("text/html", "") for o in outputs), "it draws something"
    assert sorted(p.name for p in (tmp_path / "notebooks").iterdir()) == [path.name]
    print(f"{path.name}: {time.perf_counter() - begin:.0f} s")
