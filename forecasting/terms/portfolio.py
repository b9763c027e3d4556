"""The choice of one option for each service under a budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceOption:
    """One way to run a service over the planning periods: a service level, a redundancy, a phased plan of capacity.

    Money is in the portfolio's currency, per period; positive = paid.
    """

    service: str
    key: str
    """Identity within the service, stable over runs."""
    label: str
    cost: tuple[float, ...]
    """What is paid in each period: orders and running cost."""
    expected_penalty: tuple[float, ...]
    """Expected credits and business losses in each period, from the breach simulation."""
    value: float = 0.0
    """Value to the business beside avoided penalties, over all periods."""
    penalty_paths: NDArray[np.float64] | None = None
    """Credits and losses over all periods on each path, shape (n_paths,); row i is the same world in every service."""
    carbon_kg: tuple[float, ...] = ()
    """CO2 in each period; empty = 0."""
    contract_changes: tuple[int, ...] = ()
    """Contract changes that start in each period; empty = none."""
    promised: float | None = None
    """Availability or service level that it promises, 0 to 1; None = nothing is promised."""
    delivered: float | None = None
    """Level that it gives to services that rely on it, 0 to 1 (its 10 % quantile); None = not known."""
    today: bool = False
    """True for today's contract and capacity (do nothing)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PortfolioProblem:
    """What is to be chosen, and within which limits."""

    options: tuple[ServiceOption, ...]
    periods: int
    currency: str
    budget: tuple[float, ...] | None = None
    """Most that may be spent in each period; None = no limit."""
    budget_total: float | None = None
    carbon_cap_kg: float | None = None
    """Over all periods."""
    contract_changes: int | None = None
    """Most contract changes in a period."""
    relies_on: tuple[tuple[str, str], ...] = ()
    """(service, service it relies on): the first must not promise more than the second delivers."""


@dataclass(frozen=True, kw_only=True)
class PortfolioRejection:
    """An option that was not chosen, with the limit that binds."""

    service: str
    key: str
    label: str
    because: str
    binding: str
    """``worse``, ``budget <period>``, ``budget total``, ``carbon``, ``dependency`` or ``contract changes``."""
    costs_more: float
    """How much worse the portfolio would be with it, by the prices of the limits."""


@dataclass(frozen=True, kw_only=True)
class PortfolioChoice:
    """One option for each service, how good the choice is at most from the best, and what the limits cost."""

    chosen: tuple[tuple[str, str], ...]
    """(service, key), sorted by service."""
    objective: float
    """Cost + expected penalty − value over all periods; smaller is better."""
    bound: float
    """No choice can be below this."""
    gap: float
    """(objective − bound) ÷ max(1, |objective|), 0 or more."""
    method: str
    """``milp``, ``lagrangian`` or ``enumeration``."""
    spent: tuple[float, ...]
    shadow_price: tuple[float, ...]
    """What one more unit of money in each period would save; 0 where the budget does not bind."""
    shadow_price_total: float
    carbon_kg: float
    do_nothing: float
    """The objective of today's options."""
    mean_regret: float | None
    """Mean over paths of cost − that of the best choice for the path, with today's alternatives; None without paths."""
    max_regret: float | None
    rejected: tuple[PortfolioRejection, ...]
    notes: tuple[str, ...] = ()
