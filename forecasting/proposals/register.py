"""The life of a proposal: which state may follow which."""

from __future__ import annotations

from dataclasses import replace

from forecasting.terms.errors import InputError
from forecasting.terms.proposal import Proposal, ProposalState

_S = ProposalState
MOVES: dict[ProposalState, tuple[ProposalState, ...]] = {
    _S.DRAFT: (_S.PROPOSED,),
    _S.PROPOSED: (_S.APPROVED, _S.REJECTED, _S.DEFERRED, _S.AMENDED),
    _S.AMENDED: (_S.PROPOSED, _S.APPROVED, _S.REJECTED),
    _S.DEFERRED: (_S.PROPOSED, _S.REJECTED),
    _S.APPROVED: (_S.IN_PROGRESS, _S.REJECTED),
    _S.IN_PROGRESS: (_S.IMPLEMENTED, _S.FAILED),
    _S.IMPLEMENTED: (_S.VERIFIED, _S.FAILED),
    _S.VERIFIED: (_S.CLOSED,),
    _S.FAILED: (_S.CLOSED, _S.PROPOSED),
    _S.REJECTED: (_S.CLOSED,),
    _S.CLOSED: (),
}


def move(proposal: Proposal, to: ProposalState) -> Proposal:
    """Return the proposal in its next state.

    Raises
    ------
    InputError
        Where the state machine has no such move.

    Examples
    --------
    >>> [s.value for s in MOVES[ProposalState.APPROVED]]
    ['in_progress', 'rejected']
    """
    allowed = MOVES[proposal.state]
    if to not in allowed:
        raise InputError(
            argument=f"state of {proposal.id}",
            came=to.value,
            allowed=", ".join(s.value for s in allowed) or f"nothing; {proposal.state.value} is final",
            try_instead="one of the allowed states",
        )
    return replace(proposal, state=to)
