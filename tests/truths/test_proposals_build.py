"""Which option is recommended, why the others are not, and in which order proposals are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from proposals_fixture import agreement, march, month, option, problem, requirement, risk, shortage

from forecasting.proposals.base import Problem
from forecasting.proposals.build import PRESSING_DAYS, build_proposal, ranked
from forecasting.proposals.kinds.accept_risk import AcceptRisk
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option, Proposal

SLA = agreement()
TODAY = date(2027, 3, 10)


@dataclass(frozen=True)
class Ready:
    """A kind whose options are given."""

    found: tuple[Option, ...]
    name: str = "ready"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        return self.found


def made(p: Problem, *options: Option) -> Proposal:
    return build_proposal(p, (Ready(options), AcceptRisk()))


def capacity(label: str, **figures: float) -> Option:
    return option("add_capacity", label=label, **figures)  # type: ignore[arg-type]


def softer(label: str, benefit: float) -> Option:
    return option("change_target", label=label, cost=0.0, benefit=benefit)


def hopeless(past_missed: float | None) -> Problem:
    """April is missed on three worlds of four; the running month does not matter for a contract."""
    risks = (march(SLA), risk(month(4), [0.8, 0.81, 0.82, 0.95], agreed=SLA))
    return problem(agreed=SLA, risks=risks, past_missed=past_missed)


def test_a_shortage_gets_the_cheapest_option_that_is_enough() -> None:
    chosen = made(
        shortage(0.8),
        capacity("small", after=0.3, cost=10),
        capacity("dear", after=0.01, cost=90, benefit=85),
        capacity("right", after=0.1, cost=50),
    )
    assert chosen.recommendation.label == "right"
    why = {o.label: o.rejected_because or "" for o in chosen.options}
    assert "30%" in why["small"]
    assert "40 EUR more than needed" in why["dear"]
    assert "80%" in why["Do nothing and accept the risk"]


def test_a_limit_is_not_bought_for_itself_where_the_agreements_price_it() -> None:
    priced = replace(shortage(0.8), priced_elsewhere=True)
    chosen = made(priced, capacity("right", after=0.1, cost=50))
    assert chosen.recommendation.kind == "accept_risk"
    assert "50 EUR for a limit of its own" in next(
        o.rejected_because or "" for o in chosen.options if o.label == "right"
    )


def test_the_interval_of_a_shortage_is_that_of_its_paths() -> None:
    # 1.645 · √(.8 · .2 / 1600) = .01645
    found = made(replace(shortage(0.8), paths=1600))
    assert found.probability_low == pytest.approx(0.8 - 0.01645)
    assert found.probability_high == pytest.approx(0.8 + 0.01645)
    unknown = made(shortage(0.8))
    assert unknown.probability_low == unknown.probability_high == 0.8


def test_a_shortage_gets_what_helps_most_where_nothing_is_enough_and_it_is_likely() -> None:
    options = (capacity("some", after=0.5, cost=10), capacity("most", after=0.3, cost=90))
    assert made(shortage(0.8), *options).recommendation.label == "most"
    assert made(shortage(0.51), *options).recommendation.label == "most"
    assert made(shortage(0.5), *options).recommendation.kind == "accept_risk"


def test_a_shortage_is_accepted_where_nothing_helps_or_it_is_unlikely() -> None:
    barely = capacity("barely", after=0.71, cost=1)
    assert made(shortage(0.8), barely).recommendation.kind == "accept_risk"
    gone = capacity("gone", after=0.0, cost=1)
    assert made(shortage(0.1), gone).recommendation.kind == "accept_risk"
    assert made(shortage(0.11), gone).recommendation.label == "gone"


def test_an_objective_gets_the_highest_net_benefit() -> None:
    chosen = made(
        problem(agreed=SLA),
        capacity("good", cost=100, benefit=150),
        capacity("best", cost=300, benefit=400),
        capacity("loss", cost=500, benefit=450),
    )
    assert chosen.recommendation.label == "best"
    assert chosen.loss_if_not_decided == 400
    why = {o.label: o.rejected_because or "" for o in chosen.options}
    assert why["good"] == "net benefit 50 against 100 EUR"
    assert "450 is below the cost 500" in why["loss"]
    assert "100 EUR of expected net benefit" in why["Do nothing and accept the risk"]
    assert [o.label for o in chosen.options][:2] == ["best", "good"]


def test_an_objective_is_accepted_where_nothing_pays() -> None:
    even = made(problem(agreed=SLA), capacity("even", cost=100, benefit=100))
    assert even.recommendation.kind == "accept_risk"
    assert even.loss_if_not_decided == 437.5


def test_a_softer_target_only_where_the_promise_is_hopeless() -> None:
    targets = (softer("80 %", 60.0), softer("79 %", 80.0))
    assert made(hopeless(0.5), *targets).recommendation.label == "80 %"  # the smaller concession
    for past in (None, 0.0, 0.49):
        assert made(hopeless(past), *targets).recommendation.kind == "accept_risk", past
    hopeful = problem(
        agreed=SLA,
        risks=(*hopeless(0.9).risks, risk(month(5), [0.95, 0.95, 0.95, 0.95], agreed=SLA)),
        past_missed=0.9,
    )
    assert made(hopeful, *targets).recommendation.kind == "accept_risk"
    pays = capacity("pays", cost=100, benefit=101)
    assert made(hopeless(0.9), *targets, pays).recommendation.label == "pays"
    assert made(hopeless(0.9), softer("80 %", 0.0)).recommendation.kind == "accept_risk"


def test_a_rejected_target_names_the_money() -> None:
    by_target = made(hopeless(0.5), softer("80 %", 60.0), softer("79 %", 80.0))
    assert "80 against 60 EUR" in (by_target.options[0].rejected_because or "")
    by_capacity = made(hopeless(0.5), softer("80 %", 60.0), capacity("pays", cost=100, benefit=101))
    why = next(o.rejected_because for o in by_capacity.options if o.kind == "change_target")
    assert "customer" in (why or "")
    assert "60 EUR of credits" in (why or "")


def test_decide_by() -> None:
    order = date(2027, 3, 22)
    bought = made(problem(agreed=SLA), replace(capacity("buy", cost=1, benefit=2), order_by=order))
    assert bought.decide_by == order
    assert made(problem(agreed=SLA)).decide_by == date(2027, 4, 1)  # April begins, in Berlin
    running = problem(agreed=SLA, risks=(risk(month(3), [0.8] * 4, agreed=SLA),))
    assert made(running).decide_by is None
    assert made(shortage(0.8)).decide_by is None


def test_what_is_said_of_the_problem() -> None:
    p = made(problem(agreed=SLA))
    assert p.probability_now == 0.5
    assert p.period == month(4)
    assert (p.agreement, p.objective, p.resource) == ("sla-shop", "on-time", None)
    assert p.owner == "Service level management"
    assert "90 % in 2027-04" in p.problem
    assert p.success_measure == "on-time reaches 90 % in 2027-04"
    wide = replace(problem(agreed=SLA).risks[1], probability_low=0.1, probability_high=0.9, fast_probability=0.9)
    against = made(problem(agreed=SLA, risks=(wide,))).counter_evidence
    assert len(against) == 2
    assert "90% instead of 50%" in against[0]


def _proposal(name: str, *, resource: str | None, p: float, order: date | None, loss: float, kind: str) -> Proposal:
    base = made(problem(agreed=SLA))
    chosen = option(kind, order=order)
    return replace(
        base,
        id=name,
        resource=resource,
        probability_now=p,
        options=(chosen,),
        recommended=0,
        decide_by=None,
        loss_if_not_decided=loss,
    )


def test_pressing_resources_come_first_then_actions_by_loss_then_accepted_risks() -> None:
    soon, far = TODAY + timedelta(days=PRESSING_DAYS), TODAY + timedelta(days=PRESSING_DAYS + 1)
    buy, keep = "add_capacity", "accept_risk"
    expected = (
        _proposal("past", resource="b", p=0.9, order=TODAY - timedelta(days=30), loss=0, kind=buy),
        _proposal("soon", resource="a", p=0.5, order=soon, loss=0, kind=buy),
        _proposal("rich", resource=None, p=0.2, order=None, loss=900, kind=buy),
        _proposal("objective, soon", resource=None, p=0.9, order=TODAY, loss=500, kind=buy),
        _proposal("far", resource="c", p=0.9, order=far, loss=1, kind=buy),
        _proposal("unlikely", resource="d", p=0.49, order=TODAY, loss=0, kind=buy),
        _proposal("costly risk", resource=None, p=0.9, order=None, loss=9999, kind=keep),
        _proposal("accepted shortage", resource="e", p=0.95, order=TODAY, loss=0, kind=keep),
    )
    assert [p.id for p in ranked(expected[::-1], today=TODAY)] == [p.id for p in expected]
    assert ranked(expected, today=TODAY) == ranked(expected[::-1], today=TODAY)


def test_the_order_by_date_decides_what_presses() -> None:
    """A shortage whose order is two months off waits behind an objective; one day later it does not."""
    need = requirement(0.9, need_by=date(2027, 5, 20), order_by=TODAY + timedelta(days=PRESSING_DAYS + 1))
    enough = replace(capacity("enough", after=0.0, cost=5), order_by=need.order_by)
    late = made(shortage(0.9, need=need), enough)
    objective = made(problem(agreed=SLA), capacity("buy", cost=1, benefit=2))
    assert [p.resource for p in ranked((late, objective), today=TODAY)] == [None, "hosts"]
    assert [p.resource for p in ranked((late, objective), today=TODAY + timedelta(days=1))] == ["hosts", None]


@pytest.mark.parametrize("nets", [(5.0, 1.0, 3.0), (1.0, 5.0, 3.0)])
def test_options_are_listed_best_first(nets: tuple[float, ...]) -> None:
    p = made(problem(agreed=SLA), *(capacity(str(n), cost=1, benefit=1 + n) for n in nets))
    assert [o.net_benefit for o in p.options] == [5.0, 3.0, 1.0, 0.0]
