"""Every command and the Python of `docs/score-risk.md` are run, and what the page shows is what they print."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, run
from test_docs_service_levels import assert_shown

from forecasting.service_levels.breach.baselines import BASELINES

PAGE = (ROOT / "docs" / "score-risk.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command with the lines shown below it."""
    for block in re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield command, shown


def test_the_page_names_every_rule() -> None:
    table = PAGE.split("## What it is compared with")[1].split("## How to read")[0]
    named = re.findall(r"^\| ([^|]+?) \|", table, re.MULTILINE)
    assert [name for name in named if name not in ("Rule", "---")] == [b.name for b in BASELINES]


@pytest.mark.nightly
def test_the_commands_and_the_code_do_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    for command, shown in commands():
        answer = run(*shlex.split(command)[1:], columns=130)
        assert answer.code == 0, (command, answer.err)
        assert_shown(command, shown, answer.out)
    assert (tmp_path / "statements.csv").stat().st_size > 100_000
    assert (tmp_path / "reliability.png").read_bytes().startswith(b"\x89PNG")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/score-risk.md", "exec"), {})
    lines = out.getvalue().splitlines()
    assert "0.50: " in out.getvalue()
    assert lines[-3].startswith("forecasting ")
