"""The negotiation desk from the command line, on real punctuality."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from conftest import AS_OF, digest, run

pytestmark = pytest.mark.usefixtures("quick_models")
QUICK = ("--paths", "200", "--jobs", "1", "--as-of", AS_OF, "--seed", "3")


def test_a_stricter_target_is_never_likelier_and_safe_targets_fall_with_confidence(workspace: Path) -> None:
    before = digest(workspace)
    answer = run(
        "negotiate",
        "lga",
        "--objective",
        "lga-on-time-sla",
        "-w",
        workspace,
        "--target",
        "85",
        "--also",
        "70",
        *QUICK,
        "--json",
    )
    assert answer.code == 0, answer.err
    sheet = answer.document["data"]["sheet"]
    curve = sorted((float(p["target"]), p["probability_met"], p["exposure_mean"]) for p in sheet["curve"])
    assert {0.7, 0.85} <= {round(t, 6) for t, _, _ in curve}
    assert all(a[1] >= b[1] for a, b in pairwise(curve))
    safe = [float(s["target"]) for s in sheet["safe"] if s["target"] is not None]
    assert safe == sorted(safe, reverse=True)
    assert digest(workspace) == before


def test_the_tables_say_the_answer_first(workspace: Path) -> None:
    answer = run("negotiate", "lga", "--objective", "lga-on-time-sla", "-w", workspace, *QUICK)
    assert answer.code == 0, answer.err
    lines = answer.out.splitlines()
    assert lines[0].startswith("lga · ")
    assert "would be met in a coming window with" in answer.out
    assert "Safe to offer" in answer.out
    assert max(map(len, lines)) <= 100 or "basis:" in answer.out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("nowhere",), "nowhere"),
        (("lga", "--target", "101"), "above 0 and below 100"),
        (("lga", "--also", "many"), "above 0 and below 100"),
        (("lga", "--objective", "no-such"), "no-such"),
    ],
)
def test_a_wrong_question_is_refused(workspace: Path, wrong: tuple[str, ...], said: str) -> None:
    answer = run("negotiate", *wrong, "-w", workspace, *QUICK)
    assert answer.code == 2, answer.out
    assert said in " ".join(answer.err.split())
