"""The tables of docs/reference.md are what the code says, and the check is able to fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forecasting.forecasts.models import MODELS
from forecasting.terms.history import MetricKind
from forecasting.terms.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference.md"


def build(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs" / "build.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_reference_is_current() -> None:
    done = build("--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("| `seed` |", "| `sed` |"),
        ("| `ratio` | A share, 0 to 1", "| `ratio` | A share, 0 to 2"),
        ("| `ets` |", "| `est` |"),
    ],
)
def test_a_stale_table_is_noticed_and_repaired(tmp_path: Path, before: str, after: str) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert before in text
    copy = tmp_path / "reference.md"
    copy.write_text(text.replace(before, after), encoding="utf-8")
    assert build("--check", "--reference", str(copy)).returncode == 1
    assert copy.read_text(encoding="utf-8") == text.replace(before, after), "--check writes nothing"
    assert build("--reference", str(copy)).returncode == 0
    assert copy.read_text(encoding="utf-8") == text
    assert build("--reference", str(copy)).stdout == "unchanged\n"


def test_text_outside_the_markers_is_kept(tmp_path: Path) -> None:
    copy = tmp_path / "reference.md"
    written = REFERENCE.read_text(encoding="utf-8").replace("# Reference\n", "# Reference\n\nBy hand.\n")
    copy.write_text(written, encoding="utf-8")
    build("--reference", str(copy))
    assert copy.read_text(encoding="utf-8") == written


@pytest.mark.parametrize("change", ["lost", "twice", "unknown"])
def test_wrong_markers_are_refused_and_nothing_is_written(tmp_path: Path, change: str) -> None:
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
    done = build("--reference", str(copy))
    assert done.returncode == 1
    assert "ttings" in done.stderr
    assert copy.read_text(encoding="utf-8") == wrong


def test_every_item_of_the_code_has_a_row() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    for name in (*MODELS, *(kind.value for kind in MetricKind), *Settings.__dataclass_fields__):
        assert f"| `{name}` |" in text, name
