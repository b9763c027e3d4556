"""Change supplier: another level of an internal team's or a supplier's contract."""

from __future__ import annotations

from forecasting.proposals.base import Problem
from forecasting.proposals.measures import options_of
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class ChangeSupplier:
    """Change supplier, by the measures of the catalogue.

    Examples
    --------
    >>> ChangeSupplier().name
    'change_supplier'
    """

    name = "change_supplier"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return an option for each declared measure, or what to declare."""
        return options_of(problem, "change_supplier")
