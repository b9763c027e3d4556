"""Tune: make each unit carry more, or fail less often, without buying units."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class Tune:
    """Tune, by the measures of the catalogue.

    Examples
    --------
    >>> Tune().name
    'tune'
    """

    name = "tune"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "tune")
