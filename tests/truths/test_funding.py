"""Funding: resources that run out first, then what pays most, never more than the budget; by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from proposals_by_hand_options import proposal_of

from forecasting.terms.errors import InputError
from forecasting.workflows.funding import cost_by_month, fund, months_of

TODAY, UNTIL = date(2027, 1, 1), date(2027, 5, 1)


def test_money_by_month_adds_up_to_the_cost() -> None:
    made = proposal_of("a", costs=(100.0,), saves=(300.0,), monthly=10.0, since=date(2027, 2, 15))
    option = next(o for o in made.options if o.kind != "accept_risk")
    months = months_of(TODAY, UNTIL)
    paid = cost_by_month(option, months, UNTIL)
    assert sum(paid) == pytest.approx(option.cost_over_horizon)
    assert paid[0] == pytest.approx(100.0)
    assert paid[1] == pytest.approx(5.0)
    assert paid[2] == pytest.approx(10.0)


def test_what_pays_most_is_funded_within_the_budget() -> None:
    some = [
        proposal_of("a", costs=(100.0,), saves=(300.0,)),
        proposal_of("b", costs=(100.0,), saves=(150.0,)),
        proposal_of("c", costs=(100.0,), saves=(50.0,)),
    ]
    free = fund(some, today=TODAY, until=UNTIL, currency="EUR")
    assert {f.proposal.service for f in free.funded if f.rank is not None} == {"a", "b"}
    tight = fund(some, today=TODAY, until=UNTIL, currency="EUR", budget_total=120.0)
    assert {f.proposal.service for f in tight.funded if f.rank is not None} == {"a"}
    assert sum(tight.spent) == pytest.approx(100.0)
    left = next(f for f in tight.funded if f.proposal.service == "b")
    assert "budget" in left.because
    assert tight.choice is not None
    assert tight.choice.gap == 0
    nothing = fund(some, today=TODAY, until=UNTIL, currency="EUR", budget_total=0.0)
    assert all(f.rank is None for f in nothing.funded)


def test_a_resource_that_runs_out_comes_before_what_pays() -> None:
    disk = proposal_of("disk", costs=(110.0,), saves=(0.0,), resource="disk", before=1.0, after=0.0)
    pays = proposal_of("a", costs=(100.0,), saves=(300.0,))
    found = fund([pays, disk], today=TODAY, until=UNTIL, currency="EUR", budget_total=120.0)
    assert [(f.proposal.service, f.rank) for f in found.funded] == [("disk", 1), ("a", None)]
    assert "budget" in found.funded[1].because
    both = fund([pays, disk], today=TODAY, until=UNTIL, currency="EUR", budget_total=210.0)
    assert [(f.proposal.service, f.rank) for f in both.funded] == [("disk", 1), ("a", 2)]


def test_what_a_resource_weighs_is_never_printed_as_money() -> None:
    disk = proposal_of("disk", costs=(110.0,), saves=(0.0,), resource="disk", before=1.0, after=0.0)
    link = proposal_of("link", costs=(100.0,), saves=(0.0,), resource="link", before=0.6, after=0.0)
    found = fund([disk, link], today=TODAY, until=UNTIL, currency="EUR", budget_total=120.0)
    refused = next(f for f in found.funded if f.rank is None)
    assert refused.proposal.service == "link"
    assert refused.because == (
        "it would lower P(exhausted) from 60% to 0% for 100 EUR, of which 10 are left after resources for which the "
        "budget does more"
    )


def test_a_softer_target_is_only_taken_where_the_proposal_advises_it() -> None:
    made = proposal_of("a", costs=(0.0,), saves=(300.0,))
    soft = tuple(replace(o, kind="change_target") if o.kind != "accept_risk" else o for o in made.options)
    nothing = next(k for k, o in enumerate(soft) if o.kind == "accept_risk")
    asked = replace(made, options=soft, recommended=nothing)
    assert fund([asked], today=TODAY, until=UNTIL, currency="EUR").funded[0].rank is None
    advised = replace(made, options=soft, recommended=1 - nothing)
    assert fund([advised], today=TODAY, until=UNTIL, currency="EUR").funded[0].rank == 1


def test_another_currency_is_left_out_and_said() -> None:
    dollar = proposal_of("a", costs=(100.0,), saves=(300.0,))
    dollar = replace(
        dollar, options=tuple(replace(o, currency="USD") if o.kind != "accept_risk" else o for o in dollar.options)
    )
    found = fund([dollar], today=TODAY, until=UNTIL, currency="EUR")
    assert found.funded[0].rank is None
    assert any("USD" in note for note in found.notes)


def test_bad_limits_are_refused() -> None:
    with pytest.raises(InputError, match="budget"):
        fund([], today=TODAY, until=UNTIL, currency="EUR", budget_total=-1.0)
    with pytest.raises(InputError, match="until"):
        fund([], today=TODAY, until=TODAY, currency="EUR")


def test_no_proposals_cost_nothing() -> None:
    found = fund([], today=TODAY, until=UNTIL, currency="EUR", budget_month=10.0)
    assert found.funded == ()
    assert sum(found.spent) == 0
