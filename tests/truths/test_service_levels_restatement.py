"""What the ledger makes of an attainment computed again: nothing new, final at last, or a restatement with a reason."""

from __future__ import annotations

from itertools import product

import pytest

from forecasting.service_levels.restatement import CIRCUMSTANCES, FACTS, change_reasons, next_stage
from forecasting.terms.errors import InputError
from forecasting.terms.restatement import Stage

ROW: dict[str, object] = {key: f"{key} as it was" for key in (*FACTS, *CIRCUMSTANCES)}


def recorded(stage: Stage) -> dict[str, object]:
    return {**ROW, "stage": stage.value}


def test_the_first_row_is_provisional_in_the_grace_and_final_after_it() -> None:
    assert next_stage(None, ROW, provisional=True) is Stage.PROVISIONAL
    assert next_stage(None, ROW, provisional=False) is Stage.FINAL


def test_the_same_facts_are_recorded_once_whatever_the_circumstances() -> None:
    other = {**ROW, **dict.fromkeys(CIRCUMSTANCES, "another")}
    for stage in (Stage.FINAL, Stage.RESTATED):
        assert next_stage(recorded(stage), other, provisional=False) is None
        assert next_stage(recorded(stage), other, provisional=True) is None
    assert next_stage(recorded(Stage.PROVISIONAL), other, provisional=True) is None


def test_a_provisional_value_becomes_final_with_the_same_facts() -> None:
    assert next_stage(recorded(Stage.PROVISIONAL), ROW, provisional=False) is Stage.FINAL


@pytest.mark.parametrize(("fact", "provisional"), list(product(FACTS, (True, False))))
def test_each_changed_fact_of_a_final_value_is_a_restatement(fact: str, provisional: bool) -> None:
    changed = {**ROW, fact: "something else"}
    for stage in (Stage.FINAL, Stage.RESTATED):
        assert next_stage(recorded(stage), changed, provisional=provisional) is Stage.RESTATED
    # Before it was final, late data are what the grace is for.
    wanted = Stage.PROVISIONAL if provisional else Stage.FINAL
    assert next_stage(recorded(Stage.PROVISIONAL), changed, provisional=provisional) is wanted


def test_rows_of_before_there_were_stages_count_as_final() -> None:
    old = {key: value for key, value in ROW.items() if key != "stage"}
    assert next_stage(old, {**ROW, "good": 1}, provisional=False) is Stage.RESTATED


def test_a_stage_that_nobody_wrote_is_refused() -> None:
    with pytest.raises(InputError, match="ledger: got 'maybe'"):
        next_stage({**ROW, "stage": "maybe"}, ROW, provisional=False)


@pytest.mark.parametrize(
    ("changes", "late", "said", "reason"),
    [
        ({}, [("up", 3)], "", "late data: 3 rows of up"),
        ({"code_version": "2"}, [("up", 3)], "", "late data: 3 rows of up"),
        ({"code_version": "2"}, [], "", "computed by version 2 instead of code_version as it was"),
        ({"definition": "x"}, [], "", "the objective was changed in the catalogue"),
        ({"definition": "x"}, [("up", 1)], "claim 9", "claim 9; the objective was changed in the catalogue; "
         "late data: 1 row of up"),
        ({}, [], "", "recomputed on the same data with another result: look into it"),
        ({}, [], "claim 9", "claim 9"),
    ],
)  # fmt: skip
def test_the_reason_says_what_differs(
    changes: dict[str, object], late: list[tuple[str, int]], said: str, reason: str
) -> None:
    assert change_reasons(ROW, {**ROW, **changes}, late=late, said=said) == reason
