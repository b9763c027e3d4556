"""Regret: what a choice would have cost on a path, less the best choice for just that path.

On path w a choice costs the cost − value of its options + their penalties on w. The best choice for w keeps the same
limits and knows w. Over few choices it is found by enumeration, and the regret is exact. Over many, the Lagrangian
bound takes its place: with the prices of the limits (times 0, ½, 1, 2 and 4, whichever says most on that path) no
choice costs less than the bound on w, so that regret is *at most* cost − bound. That is cheap: one minimum a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray

from forecasting.proposals.portfolio.lagrangian import Coupling, Priced
from forecasting.proposals.portfolio.model import Choice, Model
from forecasting.proposals.portfolio.repair import excess_after_swaps

_TIMES = (0.0, 0.5, 1.0, 2.0, 4.0)
_PAIRS_UP_TO = 400
"""Options up to which swaps of two services are looked at for a tie."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PathCosts:
    """What each option costs on each path, beside the arrays that the options hold."""

    model: Model
    paths: int
    fixed: NDArray[np.float64]
    """Cost − value of each option, with the expected penalty where it has no paths."""

    def of(self, option: int) -> NDArray[np.float64]:
        """Return cost − value + penalty of an option on each path."""
        penalty = self.model.options[option].penalty_paths
        if penalty is None:
            return np.full(self.paths, self.fixed[option])
        return np.asarray(self.fixed[option] + penalty, dtype=np.float64)

    def of_choice(self, choice: Choice) -> NDArray[np.float64]:
        """Return what a choice costs on each path."""
        return np.asarray(np.sum([self.of(option) for option in choice], axis=0), dtype=np.float64)

    def means(self) -> NDArray[np.float64]:
        """Return the mean over the paths of each option."""
        return np.array([float(self.of(option).mean()) for option in range(len(self.model.options))])


def path_costs(model: Model) -> PathCosts | None:
    """Return what options cost on paths; None where no option has paths.

    Parameters
    ----------
    model : Model
    """
    lengths = {len(o.penalty_paths) for o in model.options if o.penalty_paths is not None}
    if not lengths:
        return None
    fixed = [
        fsum((*o.cost, -o.value)) if o.penalty_paths is not None else float(worth)
        for o, worth in zip(model.options, model.worth, strict=True)
    ]
    return PathCosts(model=model, paths=lengths.pop(), fixed=np.array(fixed))


def best_by_enumeration(costs: PathCosts, choices: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return what the best of given choices costs on each path.

    Parameters
    ----------
    costs : PathCosts
    choices : NDArray[np.intp]
        Every choice that keeps the limits, one a row.
    """
    every = np.array([costs.of(option) for option in range(len(costs.model.options))])
    best = np.full(costs.paths, np.inf)
    for choice in choices:
        np.minimum(best, every[choice].sum(axis=0), out=best)
    return best


def bound_by_prices(costs: PathCosts, coupling: Coupling, start: Priced) -> NDArray[np.float64]:
    """Return what no choice that keeps the limits can go below on each path.

    Parameters
    ----------
    costs : PathCosts
    coupling : Coupling
    start : Priced
        Prices of the coupling rows.
    """
    model = costs.model
    times = np.array(_TIMES if start.prices.any() else _TIMES[:1])
    charged = np.asarray(coupling.rows.T @ start.prices)
    below = np.repeat(-times[:, None] * float(start.prices @ coupling.most), costs.paths, axis=1)
    for first, last in zip(model.start[:-1], model.start[1:], strict=True):
        mine = np.array([costs.of(option) for option in range(first, last)])
        for k, factor in enumerate(times):
            below[k] += (mine + factor * charged[first:last, None]).min(axis=0)
    return np.asarray(below.max(axis=0))


def regret(costs: PathCosts, choice: Choice, best: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and max regret of a choice.

    Parameters
    ----------
    costs : PathCosts
    choice : Choice
    best : NDArray[np.float64]
        Cost of the best choice for each path, or a bound below it.

    Returns
    -------
    tuple of float
        Mean and max over the paths, 0 or more.

    Examples
    --------
    >>> from forecasting.proposals.portfolio.model import as_model
    >>> from forecasting.terms.portfolio import PortfolioProblem, ServiceOption
    >>> now = ServiceOption(service="shop", key="now", label="", cost=(0.0,), expected_penalty=(6.0,), today=True,
    ...                     penalty_paths=np.array([0.0, 12.0]))
    >>> more = ServiceOption(service="shop", key="more", label="", cost=(4.0,), expected_penalty=(0.0,),
    ...                      penalty_paths=np.array([0.0, 0.0]))
    >>> model = as_model(PortfolioProblem(options=(now, more), periods=1, currency="EUR"))
    >>> costs = path_costs(model)
    >>> best = best_by_enumeration(costs, np.array([[0], [1]]))
    >>> regret(costs, np.array([0]), best)      # "more", where the first path would not have needed it
    (2.0, 4.0)
    """
    lost = np.maximum(costs.of_choice(choice) - best, 0.0)
    return float(lost.mean()), float(lost.max())


def settled(model: Model, choice: Choice, costs: PathCosts, best: NDArray[np.float64]) -> Choice:
    """Return a choice of equal objective with less mean, then less max regret, where swaps lead to one.

    Swaps of one service are looked at, and of two services where there are up to 400 options.

    Parameters
    ----------
    model : Model
    choice : Choice
        One that keeps every limit.
    costs : PathCosts
    best : NDArray[np.float64]
        Cost of the best choice for each path, or a bound below it.
    """
    now, means = choice.copy(), costs.means()
    same = 1e-9 * max(1.0, abs(model.objective(choice)))
    while (swap := _less_mean(model, now, means, same)) is not None:
        now[model.owner[swap]] = swap
    while True:
        held = now[model.owner]
        equal = (np.abs(model.worth - model.worth[held]) <= same) & (np.abs(means - means[held]) <= same)
        equal &= (excess_after_swaps(model, now) == 0.0) & (held != np.arange(len(held)))
        most = regret(costs, now, best)[1]
        for option in np.flatnonzero(equal):
            tried = now.copy()
            tried[model.owner[option]] = option
            if regret(costs, tried, best)[1] < most - same:
                now = tried
                break
        else:
            return now


def _less_mean(model: Model, now: Choice, means: NDArray[np.float64], same: float) -> list[int] | None:
    """Return the options, of one or two services, of equal worth and less mean cost; None where there are none."""
    held = now[model.owner]
    worth, mean = model.worth - model.worth[held], means - means[held]
    one = (np.abs(worth) <= same) & (mean < -same) & (excess_after_swaps(model, now) == 0.0)
    if one.any():
        return [int(np.flatnonzero(one)[np.argmin(mean[one])])]
    if len(worth) > _PAIRS_UP_TO:
        return None
    moved = np.flatnonzero(held != np.arange(len(held)))
    pair = (np.abs(worth[moved][:, None] + worth[moved]) <= same) & (mean[moved][:, None] + mean[moved] < -same)
    pair &= model.owner[moved][:, None] < model.owner[moved]
    for i, j in np.argwhere(pair):
        tried = now.copy()
        tried[model.owner[[moved[i], moved[j]]]] = moved[[i, j]]
        if model.feasible(tried):
            return [int(moved[i]), int(moved[j])]
    return None
