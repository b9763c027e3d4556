"""What a proposal kind is asked and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import numpy as np

from forecasting.history.calendar import zone_of
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option
from forecasting.terms.service_level import Objective, RollingWindow

if TYPE_CHECKING:
    from numpy.typing import NDArray

Resimulate = Callable[[Resource, Decimal, date], "tuple[BreachRisk, ...] | Excuse"]
"""(resource, extra units, first day in use) → the risks of the same windows on the same paths with them."""
Reassess = Callable[[Resource, Decimal], "Requirement | Excuse"]
"""(resource, extra units) → its requirement with them in place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """Something that asks for a decision: an objective at risk, or a resource that runs out."""

    service: str
    objective: Objective | None
    agreement: Agreement | None
    risks: tuple[BreachRisk, ...]
    """Coming windows of the objective; empty for a capacity problem."""
    resources: tuple[Resource, ...]
    """Resources the service uses."""
    requirement: Requirement | None
    """The resource's outlook, for a capacity problem."""
    as_of: datetime
    horizon_end: datetime
    zone: str
    """IANA zone of the local dates."""
    currency: str
    past_missed: float | None
    """Share of the judged past windows that were missed, 0 to 1; None where none was judged."""
    resimulate: Resimulate
    reassess: Reassess
    priced_elsewhere: bool = False
    """True where what running short costs is in the proposals of the agreements the resource acts on."""
    paths: int = 0
    """Sample paths behind P(exhausted), for its Monte Carlo interval; 0 = not known."""

    def monte_carlo(self, probability: float) -> tuple[float, float]:
        """Return the 90 % interval of a probability from the number of paths; the probability itself if not known."""
        half = 1.645 * math.sqrt(probability * (1 - probability) / self.paths) if self.paths else 0.0
        return max(0.0, probability - half), min(1.0, probability + half)

    @property
    def today(self) -> date:
        """Local date of the cut-off."""
        return self.local_date(self.as_of)

    @property
    def last_day(self) -> date:
        """Local date after the horizon's last day."""
        return self.local_date(self.horizon_end)

    def local_date(self, instant: datetime) -> date:
        """Return the local date of an instant."""
        return instant.astimezone(zone_of(self.zone)).date()

    @property
    def worst(self) -> BreachRisk | None:
        """The window with the highest P(miss) that is still open (the first of equals)."""
        still_open = [r for r in self.risks if not r.decided] or list(self.risks)
        return max(still_open, key=lambda r: r.probability, default=None)

    @property
    def probability(self) -> float:
        """P(miss) of the worst window, or P(exhausted)."""
        if self.worst is not None:
            return self.worst.probability
        return self.requirement.probability_exhausted if self.requirement else 0.0

    def same_window(self, risks: tuple[BreachRisk, ...]) -> BreachRisk | None:
        """Return the risk in `risks` of the worst window."""
        worst = self.worst
        return next((r for r in risks if worst is not None and r.period == worst.period), None)


class ProposalKind(Protocol):
    """A way to answer a problem."""

    @property
    def name(self) -> str:
        """Name in the table of kinds, such as ``add_capacity``."""
        ...

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return the options of this kind, or why there is none."""
        ...


def cost_on_paths(problem: Problem, risks: tuple[BreachRisk, ...]) -> NDArray[np.float64]:
    """Return credits + losses on each path, summed over windows that do not overlap.

    Of a rolling window the running instance overlaps the next one and is left out.
    """
    rolling = problem.objective is not None and isinstance(problem.objective.window, RollingWindow)
    counted = [r.cost_paths for r in (risks[1:] if rolling and len(risks) > 1 else risks) if r.cost_paths is not None]
    if not counted:
        return np.zeros(len(risks[0].attainment_paths) if risks else 1)
    return np.asarray(np.sum(counted, axis=0), dtype=np.float64)


def money(risks: tuple[BreachRisk, ...], problem: Problem) -> tuple[float, float]:
    """Return expected credits and expected losses over windows that do not overlap."""
    rolling = problem.objective is not None and isinstance(problem.objective.window, RollingWindow)
    counted = risks[1:] if rolling and len(risks) > 1 else risks
    return sum(r.expected_credit for r in counted), sum(r.expected_loss for r in counted)
