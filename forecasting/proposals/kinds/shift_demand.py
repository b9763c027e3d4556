"""Shift demand: move load from busy to quiet hours, at the same total."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class ShiftDemand:
    """Shift demand, by the measures of the catalogue.

    Examples
    --------
    >>> ShiftDemand().name
    'shift_demand'
    """

    name = "shift_demand"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "shift_demand")
