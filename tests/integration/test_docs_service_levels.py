"""Every command of `docs/service-levels.md` is run, and prints what the page shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, run

PAGE = ROOT / "docs" / "service-levels.md"
SLOW = re.compile(r"forecasting (plan|ledger runs|ledger reproduce) ")
LEFT_OUT = "…"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command with the lines shown below it."""
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        assert block.startswith("$ ")
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            yield command, shown


def assert_shown(command: str, shown: list[str], out: str) -> None:
    """The lines shown are those printed, in order; … stands for any number of lines."""
    printed = [line.rstrip() for line in out.rstrip("\n").splitlines()]
    parts = re.split(rf"^{LEFT_OUT}$", "\n".join(shown).rstrip("\n"), flags=re.MULTILINE)
    text, where = "\n".join(printed).rstrip("\n"), 0
    for part in (p.strip("\n") for p in parts):
        found = text.find(part, where)
        assert found >= 0, f"{command}: not printed any more:\n{part}\nbut:\n{out}"
        assert found == 0 or text[found - 1] == "\n" or not part
        where = found + len(part)
    if shown and LEFT_OUT not in shown:
        assert text == "\n".join(shown).rstrip("\n"), command


def follow(folder: Path, monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> int:
    """Run the page in a folder; return how many commands ran."""
    (folder / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(folder)
    ran, report = 0, ""
    for command, shown in commands():
        if SLOW.match(command) and not slow:
            continue
        words = shlex.split(re.sub(r"(?<=reproduce )[0-9a-f]+", report[:8], command))
        ran += 1
        if words[0] != "forecasting":
            program = sys.executable if words[0] == "python" else words[0]
            subprocess.run([program, *words[1:]], check=True, capture_output=True)
            continue
        answer = run(*words[1:], columns=100)
        assert answer.code == 0, (command, answer)
        assert_shown(command, shown, answer.out)
        if words[1:3] == ["ledger", "runs"]:
            found = re.search(r"^ ([0-9a-f]{16}) ", answer.out, re.MULTILINE)
            assert found
            report = found[1]
    return ran


def test_the_page_has_ten_steps_and_commands() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [int(n) for n in re.findall(r"^## (\d+)\. ", text, re.MULTILINE)] == list(range(1, 11))
    assert sum(command.startswith("forecasting ") for command, _ in commands()) >= 15


@pytest.mark.nightly
def test_the_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(tmp_path, monkeypatch, slow=False) == len(list(commands())) - 3


@pytest.mark.nightly
def test_the_whole_page_with_its_report_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report of the whole example takes longer than a person waits for in a test run."""
    assert follow(tmp_path, monkeypatch, slow=True) == len(list(commands()))
