"""The what-if command on real schedules: what changes, what does not, and every wrong question."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from conftest import AS_OF, ROOT, digest, run

pytestmark = pytest.mark.usefixtures("quick_models")
QUICK = ("--paths", "200", "--jobs", "1", "--as-of", AS_OF, "--seed", "3")


def test_more_departures_use_more_of_the_airport_and_of_nothing_else(workspace: Path) -> None:
    before = digest(workspace)
    answer = run("what-if", "-w", workspace, "--multiply", "lga=1.5@2013-10-07..2013-10-20", *QUICK, "--json")
    assert answer.code == 0, answer.err
    found = answer.document["data"]
    changed = [r for r in found["resources"] if r["before"] != r["after"]]
    assert [r["resource"] for r in changed] == ["lga-departure-capacity"]
    (lga,) = changed
    assert lga["after"]["use_p90"] == pytest.approx(1.5 * lga["before"]["use_p90"], rel=0.05)
    assert lga["after"]["probability_exhausted"] >= lga["before"]["probability_exhausted"]
    assert lga["after"]["required_p90"] > lga["before"]["required_p90"]
    assert {s["resource"] for s in found["tornado"]} == {"lga-departure-capacity"}
    assert digest(workspace) == before


def test_busier_days_are_never_better_for_the_promises_they_act_on(workspace: Path) -> None:
    answer = run("what-if", "-w", workspace, "--multiply", "lga=1.5@2013-10-07", *QUICK, "--no-tornado", "--json")
    assert answer.code == 0, answer.err
    found = answer.document["data"]
    assert found["tornado"] == []
    for promise in found["promises"]:
        if promise["service"].startswith("lga"):  # the airport's capacity serves its airlines
            assert promise["probability_after"] >= promise["probability_before"] - 0.02
        else:
            assert promise["probability_after"] == pytest.approx(promise["probability_before"], abs=1e-9)


def test_lost_capacity_and_its_price(workspace: Path) -> None:
    answer = run(
        "what-if", "-w", workspace, "--lose", "lga-departure-capacity=0.5@2013-11-01",
        "--price", "lga-departure-capacity=2@2013-10-01", *QUICK,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "lga-departure-capacity" in answer.out
    assert "units of lga-departure-capacity × 0.5 from 2013-11-01" in answer.out
    assert "100%" in answer.out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ((), "nothing that would be different"),
        (("--multiply", "lga"), "SERVICE[/METRIC]=SIZE@DATE"),
        (("--multiply", "lga=two@2013-10-07"), "a number of 0 or more"),
        (("--multiply", "lga=2@2013-13-07"), "a day"),
        (("--multiply", "nowhere=2@2013-10-07"), "nowhere=2@2013-10-07"),
        (("--multiply", "nowhere/x=2@2013-10-07"), "one of"),
        (("--add", "lga/no_such=5@2013-10-07"), "no_such"),
        (("--lose", "no-such@2013-10-07"), "lga-departure-capacity"),
        (("--lose", "lga-departure-capacity=1.5@2013-10-07"), "at most 1"),
        (("--price", "lga-departure-capacity@2013-10-07"), "RESOURCE[=SIZE]@DATE"),
        (("--driver", "campaign"), "register is empty"),
        (("--move", "campaign=2013-10-09"), "register is empty"),
        (("--scenario", "storm"), "the catalogue has none"),
        (("--multiply", "lga=2@2013-10-09..2013-10-07"), "after its start"),
    ],
)
def test_a_wrong_question_is_refused(workspace: Path, wrong: tuple[str, ...], said: str) -> None:
    answer = run("what-if", "-w", workspace, *wrong, *QUICK)
    assert answer.code == 2, answer.out
    assert said in " ".join(answer.err.split())


def test_the_commands_of_the_page_work(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace.parent)
    page = (ROOT / "docs" / "what-if.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ forecasting (.*)$", page, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        answer = run(*shlex.split(command.replace("-w airports", f"-w {workspace}")), "--paths", "200", "--jobs", "1")
        assert answer.code == 0, (command, answer.err)


def test_every_option_of_the_page_is_one_of_the_command() -> None:
    page = (ROOT / "docs" / "what-if.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"`(--[a-z]+)", page))
    known = set(re.findall(r"--[a-z-]+", run("what-if", "--help").out))
    assert shown
    assert shown <= known
