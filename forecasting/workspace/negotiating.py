"""Term sheets of a workspace's promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from forecasting.adapters.executors import JoblibLoky
from forecasting.terms.errors import Excuse
from forecasting.terms.negotiation import TermSheet
from forecasting.workspace.scoring import quiet
from forecasting.workspace.workspace import no_timer

if TYPE_CHECKING:
    from forecasting.workspace.workspace import Workspace


def negotiate(
    space: Workspace,
    service: str,
    *,
    objective: str | None = None,
    asked: Decimal | None = None,
    targets: Sequence[Decimal] = (),
    as_of: str | date | datetime | None = None,
    progress: Callable[[str], None] = quiet,
) -> TermSheet | Excuse:
    """Return what can be promised for an objective, at which confidence, and what it exposes the provider to.

    Nothing is written.

    Parameters
    ----------
    space : Workspace
    service : str
    objective : str, optional
        Needed where the service's agreements have several.
    asked : Decimal, optional
        Target that was asked for, a share; None = today's.
    targets : sequence of Decimal
        Further targets of the curve.
    as_of : str, date, datetime or None
        Cut-off; None = end of the data.
    progress : callable
        Told the name of each stage.

    Raises
    ------
    InputError
        For an unknown service or objective, or a target that is no share.

    Examples
    --------
    >>> negotiate.__name__
    'negotiate'
    """
    from forecasting.workflows.negotiation import term_sheet

    progress("reading")
    return term_sheet(
        space.prepare(as_of),
        service=service,
        objective=objective,
        asked=asked,
        targets=targets,
        executor=JoblibLoky(space.settings.jobs),
        timer=no_timer,
        progress=progress,
    )
