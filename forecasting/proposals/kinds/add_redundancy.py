"""Add redundancy: a second of something, so that one failure is no longer a bad event."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class AddRedundancy:
    """Add redundancy, by the measures of the catalogue.

    Examples
    --------
    >>> AddRedundancy().name
    'add_redundancy'
    """

    name = "add_redundancy"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "add_redundancy")
