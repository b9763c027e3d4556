"""The tables of docs/reference.md are what the code says, and the check is able to fail."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from forecasting.forecasts.models import MODELS
from forecasting.terms.history import MetricKind
from forecasting.terms.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """docs/build.py, loaded once: a process of its own would import every library each time."""
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(script: ModuleType, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call it as the command line does."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = script.main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            err.write("" if isinstance(end.code, int) else f"{end.code}\n")
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_the_reference_is_current() -> None:
    command = [sys.executable, str(ROOT / "docs" / "build.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("| `seed` |", "| `sed` |"),
        ("| `ratio` | A share, 0 to 1", "| `ratio` | A share, 0 to 2"),
        ("| `ets` |", "| `est` |"),
    ],
)
def test_a_stale_table_is_noticed_and_repaired(script: ModuleType, tmp_path: Path, before: str, after: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert before in text
    copy = tmp_path / "reference.md"
    copy.write_text(text.replace(before, after), encoding="utf-8")
    assert build(script, "--check", "--reference", str(copy)).returncode == 1
    assert copy.read_text(encoding="utf-8") == text.replace(before, after), "--check writes nothing"
    assert build(script, "--reference", str(copy)).returncode == 0
    assert copy.read_text(encoding="utf-8") == text
    assert build(script, "--reference", str(copy)).stdout == "unchanged\n"


def test_text_outside_the_markers_is_kept(script: ModuleType, tmp_path: Path) -> None:
    copy = tmp_path / "reference.md"
    written = REFERENCE.read_text(encoding="utf-8").replace("# Reference\n", "# Reference\n\nBy hand.\n")
    copy.write_text(written, encoding="utf-8")
    build(script, "--reference", str(copy))
    assert copy.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("change", ["lost", "twice", "unknown"])
def test_wrong_markers_are_refused_and_nothing_is_written(script: ModuleType, tmp_path: Path, change: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    block = text[text.index("<!-- begin: settings -->") :]
    block = block[: block.index("<!-- end: settings -->") + len("<!-- end: settings -->")]
    wrong = {
        "lost": text.replace("<!-- begin: settings -->", ""),
        "twice": text + block + "\n",
        "unknown": text + block.replace("settings -->", "sattings -->") + "\n",
    }[change]
    copy = tmp_path / "reference.md"
    copy.write_text(wrong, encoding="utf-8")
    done = build(script, "--reference", str(copy))
    assert done.returncode == 1
    assert "ttings" in done.stderr
    assert copy.read_text(encoding="utf-8") == wrong


def test_every_item_of_the_code_has_a_row() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name in (*MODELS, *(kind.value for kind in MetricKind), *Settings.__dataclass_fields__):
        assert f"| `{name}` |" in text, name
