"""Every kind of the table answers every problem with options or an excuse, and the proposal holds together."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "truths"))
from proposals_fixture import (
    AFTER,
    BEFORE,
    agreement,
    april,
    march,
    month,
    problem,
    requirement,
    resource,
    risk,
    shortage,
    with_after,
)

from forecasting.proposals.base import Problem, ProposalKind
from forecasting.proposals.build import build_proposal, proposal_id
from forecasting.proposals.kinds import KINDS
from forecasting.terms.errors import Excuse

SLA = agreement()
DIGIT = re.compile(r"\d")


def _decided(missed: bool) -> Problem:
    risks = (march(SLA, decided=True, missed=missed),)
    return problem(agreed=SLA, risks=risks, resources=(resource(lead_days=1),), resimulate=lambda *_: risks)


PROBLEMS: dict[str, Problem] = {
    "agreement and resource": problem(agreed=SLA, resources=(resource(),), resimulate=with_after(SLA)),
    "agreement, no resource": problem(agreed=SLA),
    "no agreement, resource": problem(resources=(resource(),), resimulate=with_after(None)),
    "no agreement, no resource": problem(),
    "two resources, one full": problem(
        agreed=SLA, resources=(resource(max_units=40, name="full"), resource()), resimulate=with_after(SLA)
    ),
    "all windows decided, missed": _decided(True),
    "all windows decided, met": _decided(False),
    "one running window": problem(
        agreed=SLA,
        risks=(risk(month(3), [0.8, 0.86, 0.92, 0.95], agreed=SLA),),
        resources=(resource(),),
        resimulate=lambda *_: (risk(month(3), [0.86, 0.91, 0.93, 0.96], agreed=SLA),),
    ),
    "lead time beyond the horizon": problem(agreed=SLA, resources=(resource(lead_days=400),)),
    "no more units": problem(agreed=SLA, resources=(resource(max_units=41),), resimulate=with_after(SLA)),
    "cannot be re-simulated": problem(agreed=SLA, resources=(resource(),)),
    "every world misses": problem(agreed=SLA, risks=(march(SLA), risk(month(4), [0.1] * 4, agreed=SLA))),
    "nothing ever works": problem(agreed=SLA, risks=(march(SLA), risk(month(4), [0.0] * 4, agreed=SLA))),
    "hopeless and usual": problem(
        agreed=SLA, risks=(march(SLA), risk(month(4), [0.8, 0.82, 0.84, 0.86], agreed=SLA)), past_missed=0.75
    ),
    "shortage": shortage(0.8),
    "shortage, nothing is enough": shortage(0.8, lambda units: 0.45),
    "shortage, nothing helps": shortage(0.8, lambda units: 0.79),
    "shortage, not likely": shortage(0.15, lambda units: 0.12),
    "shortage, no more units": shortage(0.8, found=resource(max_units=40)),
    "shortage, lead time beyond the horizon": shortage(0.8, found=resource(lead_days=400)),
}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_a_kind_answers_options_or_an_excuse(kind: ProposalKind, name: str) -> None:
    answer = kind.options(PROBLEMS[name])
    if isinstance(answer, Excuse):
        assert answer.reason
        assert answer.what_would_help
        return
    assert answer, "no option is an excuse"
    for o in answer:
        assert o.kind == kind.name
        assert o.label
        for p in (o.probability_before, o.probability_after, o.confidence):
            assert 0.0 <= p <= 1.0
        assert 0.0 <= o.probability_after_low <= o.probability_after <= o.probability_after_high <= 1.0
        assert o.benefit_p10 <= o.benefit_mean + 1e-9 or o.benefit_p10 <= o.benefit_p90
        assert o.net_benefit == pytest.approx(o.benefit_mean - o.cost_over_horizon)
        assert min(o.capex, o.opex_per_month, o.cost_over_horizon, o.lead_time_days) >= 0
        figures = (o.benefit_mean, o.net_benefit, o.expected_credit_after, o.expected_loss_after)
        assert all(math.isfinite(x) for x in figures)
        assert o.expected_credit_after >= -1e-9
        assert o.rejected_because is None, "a kind does not judge its own options"


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_proposal_recommends_one_option_and_rejects_the_others_with_numbers(name: str) -> None:
    made = build_proposal(PROBLEMS[name], KINDS)
    assert [o.kind for o in made.options].count("accept_risk") == 1
    assert made.recommendation.rejected_because is None
    for k, o in enumerate(made.options):
        if k != made.recommended:
            assert o.rejected_because is not None
            assert DIGIT.search(o.rejected_because), o.rejected_because
    assert {o.kind for o in made.options} | {n for n, _ in made.declined} == {k.name for k in KINDS}
    nets = [o.net_benefit for o in made.options]
    assert nets == sorted(nets, reverse=True)
    assert 0.0 <= made.probability_low <= made.probability_now <= made.probability_high <= 1.0
    assert made.title
    assert made.problem
    assert made.success_measure
    assert made.owner
    assert made.evidence


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_same_problem_gives_the_same_proposal(name: str) -> None:
    assert build_proposal(PROBLEMS[name], KINDS) == build_proposal(PROBLEMS[name], KINDS)


def test_excuses_name_what_is_missing() -> None:
    declined = {name: dict(build_proposal(p, KINDS).declined) for name, p in PROBLEMS.items()}
    assert "no resource of shop" in declined["agreement, no resource"]["add_capacity"].reason
    assert "without an agreement" in declined["no agreement, resource"]["change_target"].reason
    assert "next window" in declined["one running window"]["change_target"].reason
    assert "400 days" in declined["lead time beyond the horizon"]["add_capacity"].reason
    assert "400 days" in declined["shortage, lead time beyond the horizon"]["add_capacity"].reason
    assert "41" in declined["no more units"]["add_capacity"].reason
    assert "40" in declined["shortage, no more units"]["add_capacity"].reason
    assert "1 question too many" in declined["cannot be re-simulated"]["add_capacity"].reason
    assert "resource, not a target" in declined["shortage"]["change_target"].reason
    assert "add_capacity" not in declined["two resources, one full"]


def test_an_id_belongs_to_the_problem_and_to_nothing_that_changes() -> None:
    base = PROBLEMS["agreement and resource"]
    later = replace(
        base,
        as_of=month(4).start,
        risks=(april(AFTER, SLA),),
        resources=(),
        past_missed=0.9,
        horizon_end=month(6).end,
    )
    assert proposal_id(later) == proposal_id(base) == build_proposal(base, KINDS).id
    assert re.fullmatch(r"P-[0-9a-f]{8}", proposal_id(base))
    other_customer = replace(base, agreement=agreement(id_="sla-shop-wholesale", customer="wholesale"))
    others = (other_customer, replace(base, service="cart"), problem(), shortage(0.8))
    assert len({proposal_id(p) for p in (base, *others)}) == 5
    assert proposal_id(shortage(0.2, need=requirement(0.2))) == proposal_id(shortage(0.8))


def test_accept_risk_may_be_recommended_with_its_loss() -> None:
    dear = replace(resource(), capex_per_unit=resource().capex_per_unit * 1000)
    made = build_proposal(problem(agreed=SLA, resources=(dear,), resimulate=with_after(SLA)), KINDS)
    assert made.recommendation.kind == "accept_risk"
    assert made.loss_if_not_decided == 437.5
    assert april(BEFORE, SLA).expected_credit == 87.5
