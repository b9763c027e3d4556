"""Every section of the table prints blocks for a full plan and says why for an almost empty one."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "golden"))

from plan_fixture import empty_plan, make_plan

from forecasting.reports.base import Block, Cell, Column, Details, Section, table
from forecasting.reports.document import build_document
from forecasting.reports.markdown import markdown
from forecasting.reports.sections import SECTIONS

BY_NUMBER = {s.number: s for s in SECTIONS}
REASONS = {
    1: "because the plan covers no service",
    2: "because no agreement could be forecast",
    3: "because no later data or correction changed one",
    4: "because no model was back-tested",
    7: "because the catalogue declares none",
    8: "because the catalogue declares none",
    10: "because the plan covers no service",
    11: "because every promise has what a promise needs",
    12: "because no agreement with credits has a closed window",
    13: "because too few closed windows could be replayed",
    16: "because too few closed windows could be replayed",
}


def flat(blocks: tuple[Block, ...]) -> list[Block]:
    return [b for block in blocks for b in ([block, *flat(block.blocks)] if isinstance(block, Details) else [block])]


def test_the_table_is_in_order_and_each_file_carries_its_number() -> None:
    numbers = [s.number for s in SECTIONS]
    assert numbers == [0, 1, 2, 3, 4, 7, 8, 10, 11, 12, 13, 16]
    for s in SECTIONS:
        assert type(s).__module__.rsplit(".", 1)[1].startswith(f"s{s.number:02d}_")
        assert s.title


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.title)
def test_a_full_plan_gives_blocks(section: Section) -> None:
    plan = make_plan()
    blocks = flat(section.blocks(plan))
    assert blocks
    if section.number:
        assert any(type(b).__name__ in {"Table", "KeyFigures"} for b in blocks)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda s: s.title)
def test_an_empty_plan_says_why(section: Section) -> None:
    text = markdown(build_document(empty_plan(), [section]))
    assert section.blocks(empty_plan())
    if section.number:
        assert REASONS[section.number] in text


def test_no_warnings_no_proposals_no_score_says_why_for_each() -> None:
    plan = replace(make_plan(), warnings=(), proposals=(), risk_score=None, alarm_score=None)
    says = {n: markdown(build_document(plan, [BY_NUMBER[n]])) for n in (1, 2, 10, 13, 16)}
    assert "No decision is requested" in says[1]
    assert "no track record yet" in says[2]
    assert "There is no proposal, because" in says[10]
    assert "No warning stands, because" in says[13]
    assert "no score yet, because" in says[13]
    assert "no track record yet, because" in says[16]


def test_every_option_is_printed_with_do_nothing_and_the_reasons() -> None:
    text = markdown(build_document(make_plan(), [BY_NUMBER[10]]))
    for words in (
        "Add 2 departure slots an hour, recommended",
        "Do nothing",
        "less net benefit",
        "no shiftable demand",
    ):
        assert words in text


def test_probabilities_carry_an_interval_in_the_decisions() -> None:
    text = markdown(build_document(make_plan(), [BY_NUMBER[1]]))
    assert len(re.findall(r"\d+ % \(\d+–\d+\)", text)) == 4


def test_only_drivers_beyond_chance_are_printed_and_no_cause_is_claimed() -> None:
    plan = make_plan()
    text = markdown(build_document(plan, [BY_NUMBER[7]]))
    assert text.count("What bad days have in common") == 1
    printed = text.replace("\\", "")
    assert "Precipitation at LaGuardia, day's highest | 1.27 mm or more | 50 of 250 | 39.40 % | 18.70 %" in printed
    assert "Temperature at LaGuardia" not in text
    assert "not a cause" in text
    assert "The relation to lga-fog is not available, because 9 days, 60 needed" in text
    lga = plan.services[0]
    chance = replace(lga.objectives[0], drivers=lga.objectives[0].drivers[2:])
    none = replace(plan, services=(replace(lga, objectives=(chance,)), *plan.services[1:]))
    text = markdown(build_document(none, [BY_NUMBER[7]]))
    assert "nothing beyond chance among Temperature at LaGuardia (250 days)" in text


def test_a_row_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 columns"):
        table("x", [Column(name="a"), Column(name="b")], [[Cell(text="1")]])


def test_credits_are_printed_to_the_cent_with_the_last_day_to_claim() -> None:
    text = markdown(build_document(make_plan(), [BY_NUMBER[12]]))
    for words in ("USD 12,500.00", "USD 7,500.25", "2013-09-30", "may end sla-lga", "no claim is needed"):
        assert words in text.replace("\\", "")
    # What lapsed is told, and is not among what can be claimed.
    claims = text.split("To claim, most urgent first", 1)[1].split("Every credit", 1)[0]
    assert "2013-06-30" not in claims


def test_a_restatement_shows_before_after_and_why() -> None:
    text = markdown(build_document(make_plan(), [BY_NUMBER[3]])).replace("\\", "")
    for words in ("80.04 %", "79.91 %", "met → breached", "late data: 31 rows", "1 changed the verdict"):
        assert words in text


def test_gaps_stand_before_hints() -> None:
    text = markdown(build_document(make_plan(), [BY_NUMBER[11]])).replace("\\", "")
    assert text.index("no agreement covers") < text.index("the target holds at any demand")
    assert "1 gap: promises" in text
