"""Every command and block of `docs/early-warnings.md` is run, and what it shows is what is printed."""

from __future__ import annotations

import re
import shlex
import signal
import time
from pathlib import Path

import pytest
import yaml
from alertmanager_server import DIRECT
from conftest import ROOT, run
from prometheus_server import free_port
from watch_workspace import begin

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


def test_every_option_of_watch_is_on_the_page() -> None:
    options = set(re.findall(r"--[a-z][a-z-]+", run("watch", "--help").out)) - {
        "--help",
        "--workspace",
        "--page",
        "--ingest",
    }
    assert len(options) > 15
    text = PAGE.read_text(encoding="utf-8")
    assert {option for option in options if not re.search(rf"`[^`\n]*{option}\b", text)} == set()


def goes_on_until_it_is_ended(words: list[str], folder: Path) -> None:
    """Run a command that never ends by itself: its page, metrics and health are there; SIGTERM ends it with 0."""
    port = free_port()
    words = [re.sub(r":9464$", f":{port}", word) for word in words]
    watching = begin(*words, out=folder / "out.txt")
    try:
        end = time.monotonic() + 240
        while True:
            try:
                with DIRECT.open(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                    assert answer.read() == b"ok\n"
                break
            except OSError:
                assert time.monotonic() < end, "it does not answer"
                time.sleep(0.2)
        for path, has in (("", b"Early warnings"), ("metrics", b"forecasting_breach_probability{")):
            with DIRECT.open(f"http://127.0.0.1:{port}/{path}", timeout=10) as answer:
                assert has in answer.read()
    finally:
        watching.send_signal(signal.SIGTERM)
        _, err = watching.communicate(timeout=60)
    assert watching.returncode == 0, err


@pytest.mark.nightly
@pytest.mark.usefixtures("quick_models")
def test_the_commands_work_and_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    ids: list[str] = []
    for command, shown in commands():
        words = shlex.split(command.replace("ID", ids[0] if ids else "ID"))
        if "--every" in words:
            goes_on_until_it_is_ended(words[1:], tmp_path)
            continue
        answer = run(*words[1:])
        assert answer.code == 0, (command, answer.out, answer.err)
        for line in shown:
            printed = [one.rstrip() for one in answer.out.splitlines()]
            assert line == "…" or line in printed, (command, line, answer.out)
        if words[1:3] == ["warning", "list"]:
            ids = re.findall(r"^ ([0-9a-f]{16}) ", answer.out, re.MULTILINE)
            assert ids, answer.out
    made = [
        (tmp_path / "build" / name).read_text(encoding="utf-8")
        for name in ("forecasting.prom", "grafana/dashboard.json")
    ]
    assert all(made)
    page = (tmp_path / "build" / "watched" / "reports" / "early-warnings.html").read_text(encoding="utf-8")
    assert "</html>" in page
    notices = (tmp_path / "build" / "watched" / "warnings" / "notices.jsonl").read_text(encoding="utf-8")
    assert f"{ids[0]}:" in notices
