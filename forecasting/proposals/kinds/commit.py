"""Commit: buy or renegotiate a commitment with a supplier."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class Commit:
    """Commit, by the measures of the catalogue.

    Examples
    --------
    >>> Commit().name
    'commit'
    """

    name = "commit"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "commit")
