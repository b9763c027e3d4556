"""A portfolio problem as arrays: what each option is worth, what it takes of each limit, who relies on whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from forecasting.terms.portfolio import PortfolioProblem, ServiceOption

Choice = NDArray[np.intp]
"""Index of the chosen option of each service, in order of the services."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit that all services share."""

    binding: str
    """As in `PortfolioRejection.binding`."""
    words: str
    """Name in a sentence: "the budget of period 3"."""
    unit: str
    period: int | None = None
    """0 = first; None = over all periods."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """The problem as arrays over options, which are sorted by service and key: the order that came does not matter."""

    services: tuple[str, ...]
    options: tuple[ServiceOption, ...]
    start: NDArray[np.intp]
    """Options of service s are start[s] to start[s + 1] − 1; shape (services + 1,)."""
    owner: NDArray[np.intp]
    """Service of each option."""
    worth: NDArray[np.float64]
    """Cost + expected penalty − value of each option; smaller is better."""
    limits: tuple[Limit, ...]
    take: NDArray[np.float64]
    """What an option takes of a limit, shape (limits, options)."""
    most: NDArray[np.float64]
    """Most of each limit."""
    edges: NDArray[np.intp]
    """(service, service it relies on), shape (edges, 2)."""
    promised: NDArray[np.float64]
    """−inf where nothing is promised."""
    delivered: NDArray[np.float64]
    """+inf where it is not known: what is not known refuses nothing."""
    today: Choice

    @cached_property
    def room(self) -> NDArray[np.float64]:
        """What may be exceeded by rounding: a billionth of the limit."""
        return np.asarray(1e-9 * np.maximum(1.0, np.abs(self.most)))

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """What an excess is measured in: the limit, or the largest option where that is more; above 0."""
        return np.asarray(np.maximum(np.abs(self.most), np.abs(self.take).max(axis=1, initial=0.0)).clip(1e-9))

    def used(self, choice: Choice) -> NDArray[np.float64]:
        """Return what a choice takes of each limit."""
        return np.asarray(self.take[:, choice].sum(axis=1))

    def objective(self, choice: Choice) -> float:
        """Return cost + expected penalty − value of a choice."""
        return fsum(self.worth[choice].tolist())

    def broken(self, choice: Choice) -> NDArray[np.bool_]:
        """Return which reliances a choice breaks: more promised than is delivered."""
        a, b = self.edges[:, 0], self.edges[:, 1]
        return np.asarray(self.promised[choice[a]] > self.delivered[choice[b]])

    def excess(self, choice: Choice) -> float:
        """Return by how much a choice breaks its limits: the sum of the shares exceeded + the reliances broken."""
        over = self.used(choice) - self.most
        shares = np.where(over > self.room, over / self.scale, 0.0)
        return fsum(shares.tolist()) + int(self.broken(choice).sum())

    def feasible(self, choice: Choice) -> bool:
        """Return whether a choice keeps every limit."""
        return bool((self.used(choice) <= self.most + self.room).all()) and not bool(self.broken(choice).any())


def as_model(problem: PortfolioProblem) -> Model:
    """Return a checked problem as arrays.

    Parameters
    ----------
    problem : PortfolioProblem

    Returns
    -------
    Model

    Examples
    --------
    >>> now = ServiceOption(service="shop", key="today", label="as now", cost=(0.0,), expected_penalty=(9.0,),
    ...                     today=True)
    >>> more = ServiceOption(service="shop", key="more", label="more", cost=(4.0,), expected_penalty=(1.0,))
    >>> model = as_model(PortfolioProblem(options=(now, more), periods=1, currency="EUR", budget=(3.0,)))
    >>> model.worth.tolist(), model.take.tolist(), [limit.words for limit in model.limits]
    ([5.0, 9.0], [[4.0, 0.0]], ['the budget of period 1'])
    """
    options = tuple(sorted(problem.options, key=lambda option: (option.service, option.key)))
    services = tuple(sorted({option.service for option in options}))
    at = {service: position for position, service in enumerate(services)}
    owner = np.array([at[option.service] for option in options], dtype=np.intp)
    worth = np.array([fsum((*o.cost, *o.expected_penalty, -o.value)) for o in options])
    limits, rows, most = _limits(problem, options)
    edges = sorted({(at[a], at[b]) for a, b in problem.relies_on})
    return Model(
        services=services,
        options=options,
        start=np.searchsorted(owner, np.arange(len(services) + 1)).astype(np.intp),
        owner=owner,
        worth=worth,
        limits=tuple(limits),
        take=np.array(rows, dtype=np.float64).reshape(len(rows), len(options)),
        most=np.array(most, dtype=np.float64),
        edges=np.array(edges, dtype=np.intp).reshape(len(edges), 2),
        promised=np.array([-np.inf if o.promised is None else o.promised for o in options]),
        delivered=np.array([np.inf if o.delivered is None else o.delivered for o in options]),
        today=np.array([i for i, o in enumerate(options) if o.today], dtype=np.intp),
    )


def _limits(
    problem: PortfolioProblem, options: tuple[ServiceOption, ...]
) -> tuple[list[Limit], list[list[float]], list[float]]:
    """Return the limits that there are, what each option takes of each, and the most."""
    limits: list[Limit] = []
    rows: list[list[float]] = []
    most: list[float] = []
    if problem.budget is not None:
        for t, budget in enumerate(problem.budget):
            limits.append(
                Limit(binding=f"budget {t + 1}", words=f"the budget of period {t + 1}", unit=problem.currency, period=t)
            )
            rows.append([option.cost[t] for option in options])
            most.append(budget)
    if problem.budget_total is not None:
        limits.append(Limit(binding="budget total", words="the budget over all periods", unit=problem.currency))
        rows.append([fsum(option.cost) for option in options])
        most.append(problem.budget_total)
    if problem.carbon_cap_kg is not None:
        limits.append(Limit(binding="carbon", words="the carbon cap", unit="kg"))
        rows.append([fsum(option.carbon_kg) for option in options])
        most.append(problem.carbon_cap_kg)
    if problem.contract_changes is not None:
        for t in range(problem.periods):
            words = f"the contract changes of period {t + 1}"
            limits.append(Limit(binding="contract changes", words=words, unit="changes", period=t))
            rows.append([float(o.contract_changes[t]) if o.contract_changes else 0.0 for o in options])
            most.append(float(problem.contract_changes))
    return limits, rows, most


def reliance_rows(model: Model) -> tuple[sparse.csr_array, NDArray[np.intp]]:
    """Return the reliances as rows of a linear programme, and the edge of each row.

    For each level p that the first service can promise and the second cannot always deliver: the options that promise
    p or more, together, are at most the options of the second that deliver p or more. Among whole choices this says
    the same as the pairs; among shares of options it is tighter than one row for each option.

    Parameters
    ----------
    model : Model

    Returns
    -------
    sparse.csr_array
        Shape (rows, options); a choice keeps a row where its sum is 0 or less.
    NDArray[np.intp]
        Position in `model.edges` of each row.
    """
    positions: list[NDArray[np.intp]] = []
    values: list[NDArray[np.float64]] = []
    edge_of: list[int] = []
    for e, (a, b) in enumerate(model.edges):
        ours = np.arange(model.start[a], model.start[a + 1])
        theirs = np.arange(model.start[b], model.start[b + 1])
        levels = np.unique(model.promised[ours])
        for level in levels[levels > model.delivered[theirs].min()]:
            promise = ours[model.promised[ours] >= level]
            deliver = theirs[model.delivered[theirs] >= level]
            positions.append(np.concatenate([promise, deliver]).astype(np.intp))
            values.append(np.concatenate([np.ones(len(promise)), -np.ones(len(deliver))]))
            edge_of.append(e)
    shape = (len(edge_of), len(model.options))
    if not edge_of:
        return sparse.csr_array(shape, dtype=np.float64), np.zeros(0, dtype=np.intp)
    pointer = np.concatenate([[0], np.cumsum([len(p) for p in positions])])
    rows = sparse.csr_array((np.concatenate(values), np.concatenate(positions), pointer), shape=shape)
    return rows, np.array(edge_of, dtype=np.intp)


def raised(model: Model, choice: Choice) -> Model:
    """Return the model with the limits that a choice breaks raised to what it uses, and broken reliances left out.

    Among what keeps no limit, this is the problem that the least violating choice solves.

    Parameters
    ----------
    model : Model
    choice : Choice

    Returns
    -------
    Model
        Of which `choice` is feasible.
    """
    over = model.used(choice) > model.most + model.room
    return replace(model, most=np.where(over, model.used(choice), model.most), edges=model.edges[~model.broken(choice)])


def without_dominated(model: Model) -> NDArray[np.bool_]:
    """Return which options can be in a best choice: not those that another of the service beats in everything.

    An option goes only where another of its service is strictly better in the objective, takes no more of any limit,
    promises no more and delivers no less. Put in its place, that other keeps every limit that was kept: so no best
    choice is lost, and none of equal objective either.

    Parameters
    ----------
    model : Model

    Returns
    -------
    NDArray[np.bool_]
        True = kept; shape (options,).
    """
    keep = np.ones(len(model.options), dtype=bool)
    for first, last in pairwise(model.start):
        mine = slice(first, last)
        worth = model.worth[mine]
        clear = 1e-9 * np.maximum(1.0, np.abs(worth))
        better = worth[:, None] < (worth - clear)[None, :]
        take = model.take[:, mine]
        better &= (take[:, :, None] <= take[:, None, :]).all(axis=0)
        better &= model.promised[mine][:, None] <= model.promised[mine][None, :]
        better &= model.delivered[mine][:, None] >= model.delivered[mine][None, :]
        keep[mine] = ~better.any(axis=0)
    return keep
