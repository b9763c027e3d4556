"""Every command of `docs/register.md` is run, and its table of states is the state machine."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import ROOT, run
from watch_workspace import make_shops

from forecasting.proposals.register import MOVES

PAGE = ROOT / "docs" / "register.md"


def test_the_table_of_states_is_the_state_machine() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*)\|$", text, re.MULTILINE))
    found = {state: re.findall(r"`(\w+)`", after) for state, after in rows.items()}
    assert found == {state.value: [to.value for to in after] for state, after in MOVES.items()}


@pytest.mark.usefixtures("quick_models")
def test_the_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("ingest", "-w", make_shops(tmp_path / "shops", 500)).code == 0
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    commands = re.findall(r"^\$ forecasting (.*)$", "\n".join(blocks), re.MULTILINE)
    assert len(commands) == 13
    known = ""
    for command in commands:
        answer = run(*shlex.split(command.replace("ID", known)))
        assert answer.code == 0, (command, answer.out, answer.err)
        if not known:
            known = re.findall(r"^(P-[0-9a-f]{8}) ", answer.out, re.MULTILINE)[0]
    assert (tmp_path / "shops" / "reports" / "tickets" / f"{known}.md").is_file()
    assert (tmp_path / "shops" / "reports" / "register.csv").is_file()
