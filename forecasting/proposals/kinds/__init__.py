"""The proposal kinds, one line each; a kind is one file with a class that has `name` and `options`."""

from forecasting.proposals.base import ProposalKind
from forecasting.proposals.kinds.accept_risk import AcceptRisk
from forecasting.proposals.kinds.add_capacity import AddCapacity
from forecasting.proposals.kinds.add_redundancy import AddRedundancy
from forecasting.proposals.kinds.change_supplier import ChangeSupplier
from forecasting.proposals.kinds.change_target import ChangeTarget
from forecasting.proposals.kinds.commit import Commit
from forecasting.proposals.kinds.improve_monitoring import ImproveMonitoring
from forecasting.proposals.kinds.reclaim_capacity import ReclaimCapacity
from forecasting.proposals.kinds.retire import Retire
from forecasting.proposals.kinds.shape_demand import ShapeDemand
from forecasting.proposals.kinds.shift_demand import ShiftDemand
from forecasting.proposals.kinds.tune import Tune

KINDS: tuple[ProposalKind, ...] = (
    AddCapacity(),
    ReclaimCapacity(),
    Tune(),
    ShiftDemand(),
    ShapeDemand(),
    AddRedundancy(),
    ChangeTarget(),
    ChangeSupplier(),
    Commit(),
    Retire(),
    ImproveMonitoring(),
    AcceptRisk(),
)
