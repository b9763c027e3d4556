"""Every command and block of `docs/early-warnings.md` is run, and what it shows is what is printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, run

PAGE = ROOT / "docs" / "early-warnings.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, list[str]]]:
    """Each command with the lines shown below it."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *shown = part.rstrip("\n").split("\n")
            found.append((command, shown))
    return found


def test_the_python_on_the_page_holds() -> None:
    (code,) = blocks("python")
    exec(compile(code, str(PAGE), "exec"), {})


def test_the_receivers_on_the_page_can_be_declared(fresh: Path) -> None:
    (block,) = blocks("yaml")
    lines = block.splitlines()[1:]
    project = fresh / "forecasting.yaml"
    project.write_text(project.read_text(encoding="utf-8") + "\n".join(lines) + "\n", encoding="utf-8")
    answer = run("warning", "list", "-w", fresh)
    assert (answer.code, answer.out) == (0, "no warning stands\n"), answer.err
    assert len(yaml.safe_load(block)["spec"]["notifiers"]) == 3


def test_the_table_of_states_has_every_state() -> None:
    from forecasting.terms.alarm import AlarmStage

    text = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r"^\| (\w+) \| .* \| .* \|$", text, re.MULTILINE)) >= set(AlarmStage) - {"watched"}


@pytest.mark.nightly
@pytest.mark.usefixtures("quick_models")
def test_the_commands_work_and_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    ids: list[str] = []
    for command, shown in commands():
        words = shlex.split(command.replace("ID", ids[0] if ids else "ID"))
        answer = run(*words[1:])
        assert answer.code == 0, (command, answer.out, answer.err)
        for line in shown:
            assert line == "…" or line in answer.out.splitlines(), (command, line, answer.out)
        if words[1:3] == ["warning", "list"]:
            ids = re.findall(r"^ ([0-9a-f]{16}) ", answer.out, re.MULTILINE)
            assert ids, answer.out
    notices = (tmp_path / "build" / "watched" / "warnings" / "notices.jsonl").read_text(encoding="utf-8")
    assert f"{ids[0]}:" in notices
