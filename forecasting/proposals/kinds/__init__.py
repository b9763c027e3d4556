"""The proposal kinds, one line each; a kind is one file with a class that has `name` and `options`."""

from forecasting.proposals.base import ProposalKind
from forecasting.proposals.kinds.accept_risk import AcceptRisk
from forecasting.proposals.kinds.add_capacity import AddCapacity
from forecasting.proposals.kinds.change_target import ChangeTarget

KINDS: tuple[ProposalKind, ...] = (
    AddCapacity(),
    ChangeTarget(),
    AcceptRisk(),
)
