"""Shape demand: less demand, or slower growth of it."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class ShapeDemand:
    """Shape demand, by the measures of the catalogue.

    Examples
    --------
    >>> ShapeDemand().name
    'shape_demand'
    """

    name = "shape_demand"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "shape_demand")
