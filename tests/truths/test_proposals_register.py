"""The state machine of a proposal: every legal move, and every other one refused with what is allowed."""

from __future__ import annotations

import pytest
from proposals_fixture import agreement, problem

from forecasting.proposals.build import build_proposal
from forecasting.proposals.kinds import KINDS
from forecasting.proposals.register import MOVES, move
from forecasting.terms.errors import InputError
from forecasting.terms.proposal import ProposalState as S

LEGAL = {
    (S.DRAFT, S.PROPOSED),
    (S.PROPOSED, S.APPROVED),
    (S.PROPOSED, S.REJECTED),
    (S.PROPOSED, S.DEFERRED),
    (S.PROPOSED, S.AMENDED),
    (S.AMENDED, S.PROPOSED),
    (S.AMENDED, S.APPROVED),
    (S.AMENDED, S.REJECTED),
    (S.DEFERRED, S.PROPOSED),
    (S.DEFERRED, S.REJECTED),
    (S.APPROVED, S.IN_PROGRESS),
    (S.APPROVED, S.REJECTED),
    (S.IN_PROGRESS, S.IMPLEMENTED),
    (S.IN_PROGRESS, S.FAILED),
    (S.IMPLEMENTED, S.VERIFIED),
    (S.IMPLEMENTED, S.FAILED),
    (S.VERIFIED, S.CLOSED),
    (S.FAILED, S.CLOSED),
    (S.FAILED, S.PROPOSED),
    (S.REJECTED, S.CLOSED),
}
BASE = build_proposal(problem(agreed=agreement()), KINDS)


@pytest.mark.parametrize(("now", "to"), [(a, b) for a in S for b in S])
def test_a_move_is_made_or_refused_with_the_allowed_states(now: S, to: S) -> None:
    from dataclasses import replace

    before = replace(BASE, state=now)
    if (now, to) in LEGAL:
        after = move(before, to)
        assert after.state is to
        assert replace(after, state=now) == before  # nothing else changed
        return
    with pytest.raises(InputError) as caught:
        move(before, to)
    allowed = [b.value for a, b in LEGAL if a is now]
    assert before.id in caught.value.argument
    assert caught.value.came == to.value
    if allowed:
        assert sorted(caught.value.allowed.split(", ")) == sorted(allowed)
    else:
        assert now is S.CLOSED
        assert "closed is final" in caught.value.allowed


def test_every_state_is_in_the_table_and_reachable_and_a_new_proposal_is_proposed() -> None:
    assert set(MOVES) == set(S)
    reached, edge = {S.DRAFT}, [S.DRAFT]
    while edge:
        edge = [t for s in edge for t in MOVES[s] if t not in reached]
        reached.update(edge)
    assert reached == set(S)
    assert BASE.state is S.PROPOSED


def test_verified_comes_only_after_implemented() -> None:
    assert [s for s in S if S.VERIFIED in MOVES[s]] == [S.IMPLEMENTED]
