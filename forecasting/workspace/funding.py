"""Which proposals of a workspace to fund under a budget."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING

from forecasting.history.calendar import zone_of
from forecasting.workspace.scoring import quiet

if TYPE_CHECKING:
    from forecasting.workflows.funding import Funding
    from forecasting.workspace.workspace import Workspace


def fund_proposals(
    space: Workspace,
    *,
    budget_total: float | None = None,
    budget_month: float | None = None,
    carbon_cap_kg: float | None = None,
    contract_changes: int | None = None,
    as_of: str | date | datetime | None = None,
    progress: Callable[[str], None] = quiet,
) -> Funding:
    """Return what to fund of the proposals of now; nothing is written.

    Parameters
    ----------
    space : Workspace
    budget_total, budget_month : float, optional
        Most that may be spent over all, and in each period.
    carbon_cap_kg : float, optional
    contract_changes : int, optional
        Most contract changes in a period.
    as_of : str, date, datetime or None
        Cut-off; None = end of the data.
    progress : callable
        Told the name of each stage.

    Raises
    ------
    InputError
        For a negative budget.

    Examples
    --------
    >>> fund_proposals.__name__
    'fund_proposals'
    """
    from forecasting.workflows.funding import fund

    plan = space.compute(as_of, depth="proposals", progress=progress)
    progress("portfolio")
    zone = zone_of(space.project.zone)
    return fund(
        plan.proposals,
        today=plan.as_of.astimezone(zone).date(),
        until=plan.horizon_end.astimezone(zone).date(),
        currency=plan.currency,
        budget_month=budget_month,
        budget_total=budget_total,
        carbon_cap_kg=carbon_cap_kg,
        contract_changes=contract_changes,
    )
