"""Improve monitoring: see sooner what goes wrong, or see at all what is not measured."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class ImproveMonitoring:
    """Improve monitoring, by the measures of the catalogue.

    Examples
    --------
    >>> ImproveMonitoring().name
    'improve_monitoring'
    """

    name = "improve_monitoring"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "improve_monitoring")
