"""The state machine with its rules, and scores of past proposals, worked out by hand."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from forecasting.adapters.sinks.ticket_markdown import ticket_body
from forecasting.proposals.outcome import outcome_of, score_proposal, score_register
from forecasting.proposals.register import DECISIONS, MOVES, decide, measured, progress
from forecasting.proposals.register_runs import raised
from forecasting.terms.errors import InputError
from forecasting.terms.proposal import Outcome
from forecasting.terms.proposal import ProposalState as S
from forecasting.terms.register import RegisterEntry, WindowFact

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from proposals_by_hand import APRIL, month, proposal

TODAY = date(2027, 4, 1)
NOW = datetime(2027, 4, 1, 12, tzinfo=UTC)


def entry(state: S = S.PROPOSED, p: float = 0.4, **also: object) -> RegisterEntry:
    found = RegisterEntry(proposal=replace(proposal(p), state=state), at=APRIL, by="x", why="y")
    return replace(found, **also)  # type: ignore[arg-type]


def fact(number: int, *, missed: bool, credit: int = 0, loss: int = 0, stated: float | None = 500.0) -> WindowFact:
    return WindowFact(period=month(number), missed=missed, attainment=0.9 if missed else 0.97, credit=Decimal(credit),
                      loss=Decimal(loss), final=True, stated_cost=stated)  # fmt: skip


def outcome(**also: object) -> Outcome:
    found = Outcome(measured_from=date(2027, 6, 1), measured_to=date(2027, 6, 30), measured_at=NOW, by="Bo", windows=1)
    return replace(found, **also)  # type: ignore[arg-type]


@pytest.mark.parametrize(("now", "to"), [(a, b) for a in S for b in S])
def test_every_pair_of_states_is_moved_or_refused(now: S, to: S) -> None:
    before = entry(now, implemented_on=date(2027, 5, 20) if now is S.IMPLEMENTED else None)

    def act() -> RegisterEntry:
        if to in DECISIONS:
            return decide(before, to, by="Ann", at=NOW, why="because", today=TODAY, due=date(2027, 6, 1))
        if to is S.VERIFIED:
            return measured(before, outcome())
        return progress(before, to, by="Ann", at=NOW, why="because", on=TODAY)

    if to in MOVES[now]:
        assert act().state is to
    else:
        with pytest.raises(InputError) as caught:
            act()
        assert "P-1" in caught.value.argument
        assert now.value in str(caught.value)


def test_a_decision_says_who_why_which_option_owner_and_due() -> None:
    ok = {"by": "Ann", "at": NOW, "why": "pays", "today": TODAY}
    for wrong in ({"by": " "}, {"why": ""}, {"option": "4"}, {"option": "Add"}, {"due": date(2027, 3, 31)}):
        with pytest.raises(InputError):
            decide(entry(), S.APPROVED, **{**ok, **wrong})  # type: ignore[arg-type]
    made = decide(entry(), S.APPROVED, **ok)  # type: ignore[arg-type]
    assert (made.proposal.owner, made.proposal.due) == ("Service owner", date(2027, 5, 11)), "effective_from"
    assert made.proposal.decision is not None
    assert made.chosen.label == "Add two"
    late = {**ok, "today": date(2027, 7, 1)}
    with pytest.raises(InputError, match="--due"):
        decide(entry(), S.APPROVED, **late)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="owner"):
        decide(replace(entry(), proposal=replace(proposal(0.4), owner="")), S.APPROVED, **ok)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="another option"):
        decide(entry(), S.AMENDED, **ok)  # type: ignore[arg-type]
    amended = decide(entry(), S.AMENDED, option="2", **ok)  # type: ignore[arg-type]
    assert decide(amended, S.APPROVED, **ok).chosen.label == "Add one"  # type: ignore[arg-type]
    with pytest.raises(InputError, match="reject"):
        decide(entry(), S.REJECTED, option="1", **ok)  # type: ignore[arg-type]


def test_a_measured_outcome_must_follow_implemented() -> None:
    done = entry(S.IMPLEMENTED, implemented_on=date(2027, 5, 20))
    assert measured(done, outcome()).state is S.VERIFIED
    assert measured(done, outcome(missed=1)).state is S.FAILED
    early = (
        outcome(windows=0),
        outcome(measured_from=date(2027, 5, 19)),
        outcome(measured_at=datetime(2027, 3, 1, tzinfo=UTC)),
    )
    for wrong in early:
        with pytest.raises(InputError):
            measured(done, wrong)


def test_a_run_changes_only_what_the_rule_says() -> None:
    def run(before: RegisterEntry | None, p: float, *, later: bool = True, today: date = TODAY) -> RegisterEntry:
        cut_off = datetime(2027, 5, 1, tzinfo=UTC) if later else APRIL
        return raised(before, replace(proposal(p), data_cut_off=cut_off), at=cut_off, today=today)

    assert run(None, 0.4).state is S.PROPOSED
    assert run(entry(), 0.6).proposal.probability_now == 0.6, "nobody has decided: new figures"
    for state in (S.APPROVED, S.IN_PROGRESS, S.IMPLEMENTED, S.VERIFIED, S.FAILED):
        assert run(entry(state), 0.9) == entry(state)
    assert run(entry(S.REJECTED), 0.49).state is S.REJECTED
    assert run(entry(S.REJECTED), 0.50).round == 2
    assert run(entry(S.REJECTED), 0.90, later=False).state is S.REJECTED, "a run of the past teaches nothing new"
    assert run(entry(S.REJECTED), 0.10).state is S.REJECTED, "a smaller problem is no reason to ask again"
    dearer = replace(proposal(0.4), loss_if_not_decided=1350.0, data_cut_off=datetime(2027, 5, 1, tzinfo=UTC))
    assert raised(entry(S.REJECTED), dearer, at=NOW, today=TODAY).round == 2
    other = replace(dearer, loss_if_not_decided=900.0, recommended=1)
    assert "Add one" in raised(entry(S.REJECTED), other, at=NOW, today=TODAY).why
    accept = replace(other, recommended=2)
    assert raised(entry(S.REJECTED), accept, at=NOW, today=TODAY).state is S.REJECTED
    deferred = replace(entry(S.DEFERRED), proposal=replace(proposal(0.4), state=S.DEFERRED, due=date(2027, 5, 1)))
    assert run(deferred, 0.4, today=date(2027, 4, 30)).state is S.DEFERRED
    assert run(deferred, 0.4, today=date(2027, 5, 1)).state is S.PROPOSED
    assert run(entry(S.CLOSED, implemented_on=date(2027, 4, 2)), 0.2).round == 2, "it was solved and is there again"


def score(p: float, facts: list[WindowFact | None], found: RegisterEntry | None = None):  # type: ignore[no-untyped-def]
    return score_proposal(proposal(p), facts, found, day_of=lambda instant: instant.date())


def test_nothing_done_and_missed_by_hand() -> None:
    """Nothing: 0 + 1500. Add two leaves 10 %: 200 + 150 = 350. Add one leaves half: 50 + 750 = 800."""
    found = score(0.4, [fact(5, missed=False), fact(6, missed=True, credit=300, loss=1200)])
    assert [(o.label, o.total, o.in_fact) for o in found.options] == [
        ("Add two", pytest.approx(350), False), ("Add one", pytest.approx(800), False), ("Do nothing", 1500, True)
    ]  # fmt: skip
    assert (found.stated, found.missed, found.penalty_in_fact, found.cost_stated) == (0.4, True, 1500, 1000)
    assert found.regret == pytest.approx(1150)
    assert found.cost_of_not_deciding == pytest.approx(1150)
    assert found.benefit_realised is None


def test_nothing_done_and_met_by_hand() -> None:
    """Nothing cost nothing; the recommended option would have cost its 200."""
    found = score(0.4, [fact(5, missed=False), fact(6, missed=False)])
    assert (found.options[0].label, found.regret, found.cost_of_not_deciding) == ("Do nothing", 0.0, -200)


def test_carried_out_by_hand() -> None:
    """Add two, 240 in fact, 60 of penalty: 300. Do nothing: 60 + 900 = 960. Add one: 50 + half of 960 = 530."""
    approved = decide(entry(), S.APPROVED, by="A", at=NOW, why="x", today=TODAY)
    done = replace(approved, implemented_on=date(2027, 5, 11), actual_cost=240.0)
    found = score(0.4, [fact(5, missed=True, credit=60), fact(6, missed=False)], done)
    assert {o.label: o.total for o in found.options} == pytest.approx(
        {"Add two": 300, "Add one": 530, "Do nothing": 960}
    )
    assert (found.regret, found.benefit_stated, found.benefit_realised) == (0.0, 900, 940)
    assert (found.stated, found.cost_of_not_deciding) == (0.1, None), "P(miss) with it"
    within = replace(done, implemented_on=date(2027, 6, 10))
    assert score(0.4, [fact(5, missed=True), fact(6, missed=False)], within).stated is None, "neither with nor without"


def test_what_is_not_known_is_said() -> None:
    still_open = score(0.4, [fact(6, missed=True), None])
    assert still_open.unknown is not None
    assert "1 of the 2 windows" in still_open.unknown.reason
    assert (still_open.stated, still_open.missed, still_open.options, still_open.regret) == (0.4, True, (), None)
    unpriced = score(0.4, [replace(fact(6, missed=True), credit=None)])
    assert unpriced.unknown is not None
    assert "credit" in unpriced.unknown.reason


def test_brier_bins_and_totals_by_hand() -> None:
    """Stated 0.4, 0.4 and 0.9; missed, met, missed: Brier (.36 + .16 + .01) ÷ 3; base rate 2/3: 2/9."""
    first = score(0.4, [fact(6, missed=True, credit=1000)])
    again = replace(score(0.4, [fact(6, missed=False)]), id="P-2", objective="other")
    high = replace(score(0.9, [fact(6, missed=True, credit=1000)]), as_of=datetime(2027, 5, 1, tzinfo=UTC))
    found = score_register([high, first, again], {})
    assert found.brier == pytest.approx(0.53 / 3)
    assert found.brier_base_rate == pytest.approx(2 / 9)
    assert (found.statements, found.windows, found.missed) == (3, 2, 2)
    assert [(round(b.predicted, 9), b.observed, b.count) for b in found.bins] == [(0.4, 0.5, 2), (0.9, 1.0, 1)]
    (money,) = found.money
    assert (money.proposals, money.done) == (2, 0), "two runs on one window are counted once"
    # Add two 200 + 100 against 1000: regret 700; the other one was met: 0, and not deciding saved 200.
    assert (money.regret, money.cost_of_not_deciding) == (pytest.approx(700), pytest.approx(500))
    decided = score_register([high, first, again], {"P-1": high.as_of})
    assert [s.counted for s in decided.scores if s.id == "P-1"] == [False, True]


def test_an_outcome_by_hand() -> None:
    """June and July after 20 May: stated 500 each, in fact 60 and 0: realised 940."""
    done = entry(S.IMPLEMENTED, implemented_on=date(2027, 5, 20), actual_cost=240.0)
    facts = [fact(5, missed=True, credit=999), fact(6, missed=True, credit=60), fact(7, missed=False)]
    days = [(date(2027, m, 1), date(2027, m, 30)) for m in (5, 6, 7)]
    found = outcome_of(done, facts, local_days=days, by="Bo", at=NOW)
    assert (found.windows, found.missed, found.attainment) == (2, 1, 0.9)
    assert (found.credits_and_losses, found.benefit_realised, found.actual_cost) == (60, 940, 240)
    unstated = [facts[0], facts[1], replace(facts[2], stated_cost=None)]
    other = outcome_of(done, unstated, local_days=days, by="Bo", at=NOW)
    assert other.benefit_realised is None
    assert "benefit is not known" in other.note


@pytest.mark.parametrize(
    "payload",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://a.b/c.png)", "a\n# Heading",
        "a\r\n- [ ] b",
        "a | b | c", "```\ncode", "@team look", "http://evil.example", "www.evil.example", "*b* _i_ ~s~ `c`",
        "a\x1b[31m",
        "\u202eabc", "/close", "--- \n---", "<!-- hidden",
    ],
)  # fmt: skip
def test_no_text_becomes_markup_in_a_ticket(payload: str) -> None:
    plain = ticket_body(entry()).splitlines()
    p = replace(proposal(0.4), title=payload, problem=payload, owner=payload, evidence=(payload,))
    p = replace(p, options=(replace(p.options[0], label=payload, rejected_because=payload), *p.options[1:]))
    hostile = ticket_body(replace(entry(), proposal=p)).splitlines()
    assert len(hostile) == len(plain), "no line more"
    for before, after in zip(plain, hostile, strict=True):
        assert before.split(" ")[0] == after.split(" ")[0], "each line begins as it should"
    text = "\n".join(hostile)
    bars = [line.replace(r"\|", "").count("|") for line in hostile if line.startswith("|")]
    assert set(bars) == {8}
    for live in ("<script", "<!--", "](", "```", "@team", "://", "www.evil", "\x1b", "\u202e", " *b*", "`c`"):
        assert live not in text.replace("\\[", "").replace("\\]", ""), live
