"""What a proposal kind is asked and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from forecasting.history.calendar import zone_of
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.measure import Measure
from forecasting.terms.proposal import Option
from forecasting.terms.service_level import Objective, Period, RollingWindow

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an option does to the world from a day on; everything else stays as it was drawn.

    Multipliers of 1 leave things as they are. Effects on demand act on the use of `resource`, or, without one, on the
    demand drivers of `services` and the resources that these use.

    Examples
    --------
    >>> Change(in_use_from=date(2027, 3, 1), services=("shop",), bad_multiplier=0.25).units
    Decimal('0')
    """

    in_use_from: date
    """First local day on which it is in effect."""
    resource: Resource | None = None
    units: Decimal = Decimal(0)
    """Units of `resource` added; negative = given back."""
    services: tuple[str, ...] = ()
    """Services whose bad events and, without a resource, whose demand it acts on."""
    demand_multiplier: float = 1.0
    """Factor on demand, 0 or more."""
    peak_multiplier: float = 1.0
    """Factor on the busiest slices of a day at the same total of the day, above 0, at most 1."""
    per_unit_multiplier: float = 1.0
    """Factor on what one unit of `resource` carries, above 0."""
    bad_multiplier: float = 1.0
    """Factor on the odds of bad, 0 or more."""
    bad_low: float | None = None
    """Ends of the range of `bad_multiplier`: it is drawn once for each path from the triangle over them."""
    bad_high: float | None = None
    name: str = ""
    """What the draws depend on, so that the same measure has the same strength on a path wherever it acts."""


@dataclass(frozen=True, kw_only=True)
class GiveBack:
    """What is left when units are given back: the last year's demand, grown for two years, on fewer units."""

    units: Decimal
    """Units given back, above 0."""
    spare: Decimal
    """Units counted as down beside them."""
    probability_met: float
    """P(every objective of the services it serves is met in its hardest window of the year), the lowest of them."""
    probability_enough: float
    """P(the usable limit is not passed within two years)."""
    peak_use: float
    """99 % quantile over paths of the highest use within two years, in units."""
    usable: Decimal
    """Usable limit that is left, in units."""
    binding: str
    """What allows the least, in words with its numbers."""
    unseen: str = ""
    """What the estimate could not look at, in words; empty where there is nothing."""
    modelled: bool = True
    """Whether it is known what use beyond what was seen does to a promise, by theory or by a fitted relation."""


Resimulate = Callable[[Change], "tuple[BreachRisk, ...] | Excuse"]
"""change → the risks of the same windows on the same paths with it."""
Reassess = Callable[[Change], "Requirement | Excuse"]
"""change → the requirement of its resource with it in effect."""
TryGiveBack = Callable[[Resource, Decimal], "GiveBack | Excuse"]
"""(resource, units) → what is left when they are given back."""
Aim = Literal["risk", "shortage", "reclaim", "tighten"]
"""What a problem is about: an objective at risk, a resource that runs out, too much of it, a promise far exceeded."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LongerWindow:
    """The same objective judged over a longer window, on the same paths."""

    label: str
    """What the window would be, such as ``quarter``."""
    periods: tuple[Period, ...]
    probabilities: tuple[float, ...]
    """P(miss) of each."""
    credit_paths: NDArray[np.float64]
    """Credits over all periods on each path at as many fees as windows are joined, shape (n_paths,)."""
    credit_before: NDArray[np.float64]
    """Credits of the windows that are joined, shape (n_paths,)."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Demand against what is agreed or can be carried."""

    metric: str
    agreed: float | None
    """Workload limit agreed today, per slice; None = none."""
    carried: float | None
    """Demand a slice that the usable capacity carries; None = not known."""
    peak_p90: float
    """90 % quantile over paths of the highest demand a slice within the horizon."""
    load_driven: bool
    """Whether bad events were found to rise with the load."""


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
    aim: Aim = "risk"
    measures: tuple[Measure, ...] = ()
    """Measures of the catalogue that act on the service or on the resource."""
    dependents: tuple[str, ...] = ()
    """Services that rely on the service."""
    drivers: tuple[str, ...] = ()
    """Ids of horizon drivers that act on the service or the resource."""
    discount_rate: float = 0.08
    """A year, 0 or more."""
    give_back: TryGiveBack | None = None
    """Asked where a resource may be over-provisioned."""
    longer_window: LongerWindow | Excuse | None = None
    workload: Workload | Excuse | None = None
    serves: tuple[Resource, ...] = ()
    """Resources of the services, whether or not a relation with bad events was found."""

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


def counted(risks: tuple[BreachRisk, ...], problem: Problem) -> tuple[BreachRisk, ...]:
    """Return the windows whose money counts: of a rolling window the running instance overlaps the next one."""
    rolling = problem.objective is not None and isinstance(problem.objective.window, RollingWindow)
    return risks[1:] if rolling and len(risks) > 1 else risks


def cost_on_paths(problem: Problem, risks: tuple[BreachRisk, ...]) -> NDArray[np.float64]:
    """Return credits + losses on each path, summed over windows that do not overlap."""
    costs = [r.cost_paths for r in counted(risks, problem) if r.cost_paths is not None]
    if not costs:
        return np.zeros(len(risks[0].attainment_paths) if risks else 1)
    return np.asarray(np.sum(costs, axis=0), dtype=np.float64)


def money(risks: tuple[BreachRisk, ...], problem: Problem) -> tuple[float, float]:
    """Return expected credits and expected losses over windows that do not overlap."""
    found = counted(risks, problem)
    return sum(r.expected_credit for r in found), sum(r.expected_loss for r in found)


def not_for_opportunity(problem: Problem) -> Excuse | None:
    """Return why a kind that answers a risk has nothing to say to an opportunity; None where there is a risk."""
    if problem.aim not in {"reclaim", "tighten"}:
        return None
    return Excuse(
        reason="there is more than enough, nothing is at risk", what_would_help="nothing; it answers a risk or shortage"
    )
