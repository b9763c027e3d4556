"""A bound that no choice can beat, from prices on the shared limits, and the choice that these prices lead to.

With a price on each limit the services fall apart: each takes the option of least worth + price · what it takes. The
sum of these minima, less price · limit, is at most the objective of every choice that keeps the limits (weak duality),
whatever the prices; the best prices are looked for by steps along the subgradient.

References
----------
M. L. Fisher (1981), "The Lagrangian relaxation method for solving integer programming problems", Management Science 27.
B. T. Polyak (1969), "Minimization of unsmooth functionals", USSR Comp. Math. and Math. Phys. 9 (length of the steps).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from forecasting.proposals.portfolio.model import Choice, Model, as_model, reliance_rows
from forecasting.proposals.portfolio.repair import improved, repaired
from forecasting.terms.portfolio import PortfolioProblem, ServiceOption

__all__ = [
    "Coupling",
    "PortfolioProblem",
    "Priced",
    "ServiceOption",
    "as_model",
    "coupled",
    "fallback",
    "priced",
    "subgradient",
]

_STEPS = 400
_PATIENCE = 15
"""Steps without a better bound after which the length is halved."""
_KICKS = 12
_SPREAD = 0.1
"""Standard deviation of the logarithm of a price when the fallback tries prices nearby."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coupling:
    """All rows that tie services together: limits first, then reliances; a choice keeps ``rows @ z <= most``."""

    rows: sparse.csr_array
    most: NDArray[np.float64]
    factor: NDArray[np.float64]
    """Power of two that brings the largest entry of each row to between 512 and 1,024; solvers see scaled rows."""
    edge_of: NDArray[np.intp]
    """Edge of each reliance row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Priced:
    """Prices of the coupling rows, and what follows from them."""

    prices: NDArray[np.float64]
    """Money for one unit of each row, 0 or more."""
    reduced: NDArray[np.float64]
    """Worth of each option + what it takes at these prices."""
    bound: float
    """No choice that keeps the limits has a smaller objective."""


def power_of_two(size: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the power of two that brings a size to between 512 and 1,024; 1 where it is 0.

    Examples
    --------
    >>> power_of_two(np.array([3.0, 1e6, 0.0])).tolist()
    [256.0, 0.0009765625, 1.0]
    """
    exponent = np.frexp(np.asarray(size, dtype=np.float64))[1]
    return np.asarray(np.where(np.asarray(size) > 0, np.exp2(10.0 - exponent), 1.0))


def coupled(model: Model) -> Coupling:
    """Return the rows that tie services together.

    Parameters
    ----------
    model : Model
    """
    reliances, edge_of = reliance_rows(model)
    rows = sparse.csr_array(sparse.vstack([sparse.csr_array(model.take), reliances], format="csr"))
    largest = np.concatenate([np.abs(model.take).max(axis=1, initial=0.0), np.ones(len(edge_of))])
    return Coupling(
        rows=rows,
        most=np.concatenate([model.most, np.zeros(len(edge_of))]),
        factor=power_of_two(largest),
        edge_of=edge_of,
    )


def priced(model: Model, coupling: Coupling, prices: NDArray[np.float64]) -> Priced:
    """Return the bound at given prices.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    prices : NDArray[np.float64]
        0 or more; below 0 counts as 0.

    Returns
    -------
    Priced

    Examples
    --------
    >>> from forecasting.proposals.portfolio.model import as_model
    >>> from forecasting.terms.portfolio import PortfolioProblem, ServiceOption
    >>> now = ServiceOption(service="shop", key="now", label="", cost=(0.0,), expected_penalty=(9.0,), today=True)
    >>> more = ServiceOption(service="shop", key="more", label="", cost=(4.0,), expected_penalty=(1.0,))
    >>> model = as_model(PortfolioProblem(options=(now, more), periods=1, currency="EUR", budget=(2.0,)))
    >>> priced(model, coupled(model), np.array([1.0])).bound   # half of each: (5 + 9) / 2
    7.0
    """
    kept = np.maximum(prices, 0.0)
    reduced = model.worth + coupling.rows.T @ kept
    least = np.minimum.reduceat(reduced, model.start[:-1])
    return Priced(prices=kept, reduced=reduced, bound=fsum((*least.tolist(), *(-kept * coupling.most).tolist())))


def cheapest(model: Model, reduced: NDArray[np.float64]) -> Choice:
    """Return the option of least reduced worth of each service; the first of equals."""
    least = np.minimum.reduceat(reduced, model.start[:-1])
    hits = np.flatnonzero(reduced <= least[model.owner])
    _, first = np.unique(model.owner[hits], return_index=True)
    return np.asarray(hits[first], dtype=np.intp)


def subgradient(
    model: Model, coupling: Coupling, *, start: NDArray[np.float64] | None = None, steps: int = _STEPS
) -> Priced:
    """Return good prices and their bound.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    start : NDArray[np.float64], optional
        Prices to begin with; None = 0.
    steps : int
        Steps at most, 1 or more.

    Returns
    -------
    Priced
        The best found; a valid bound after any number of steps.
    """
    prices = np.zeros(len(coupling.most)) if start is None else np.maximum(start, 0.0)
    best = priced(model, coupling, prices)
    if not len(prices):
        return best
    scaled = sparse.csr_array(sparse.diags_array(coupling.factor) @ coupling.rows)
    most = coupling.most * coupling.factor
    # What a step aims at: an objective that can be reached, as far as it is known.
    spread = float(np.ptp(model.worth)) if len(model.worth) else 0.0
    target = max(best.bound + max(spread, 1e-9), _reachable(model))
    length, waited, at = 1.0, 0, prices / coupling.factor
    for _ in range(steps):
        now = priced(model, coupling, at * coupling.factor)
        if now.bound > best.bound + 1e-12 * max(1.0, abs(best.bound)):
            best, waited = now, 0
        else:
            waited += 1
            if waited >= _PATIENCE:
                length, waited, at = length / 2, 0, best.prices / coupling.factor
        taken = cheapest(model, now.reduced)
        slope = np.asarray(scaled[:, taken].sum(axis=1)).ravel() - most
        slope = np.where((at <= 0) & (slope < 0), 0.0, slope)
        size = float(slope @ slope)
        if size == 0.0 or length < 1e-6:
            break
        at = np.maximum(at + length * max(target - now.bound, 0.0) / size * slope, 0.0)
        target = max(target, best.bound)
    return best


def _reachable(model: Model) -> float:
    """Return the objective of today's options where they keep the limits, −inf otherwise."""
    return model.objective(model.today) if model.feasible(model.today) else -np.inf


def fallback(model: Model, coupling: Coupling, start: Priced, *, seed: int) -> Choice:
    """Return a good choice without a solver: what the prices lead to, repaired and improved, from several prices.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    start : Priced
        Of `subgradient` or the linear relaxation.
    seed : int
        Of the prices nearby that are tried too.

    Returns
    -------
    Choice
        The best that keeps every limit; where none was found, the one that breaks them least. At least as good as
        today's options.
    """
    random = np.random.default_rng(seed)
    best = improved(model, model.today)
    worth = start.reduced
    for kick in range(_KICKS + 1):
        if kick:
            shaken = start.prices * np.exp(_SPREAD * random.standard_normal(len(start.prices)))
            worth = priced(model, coupling, shaken).reduced
        best = _better(model, best, improved(model, repaired(model, cheapest(model, worth), worth)))
    if not model.feasible(best):
        best = _better(model, best, improved(model, repaired(model, model.today, model.worth)))
    return best


def _better(model: Model, one: Choice, other: Choice) -> Choice:
    """Return the choice that breaks limits less, and of two that keep them that of the smaller objective."""
    first, second = (model.excess(one), model.objective(one)), (model.excess(other), model.objective(other))
    return other if second < first else one
