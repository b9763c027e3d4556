"""The best choice by a mixed-integer solver (HiGHS through SciPy), over options that can still be in it.

References
----------
Q. Huangfu, J. A. J. Hall (2018), "Parallelizing the dual revised simplex method", Math. Prog. Comp. 10 (HiGHS).
P. Sinha, A. Zoltners (1979), "The multiple-choice knapsack problem", Operations Research 27 (fixing by bounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from forecasting.proposals.portfolio.lagrangian import Coupling, Priced
from forecasting.proposals.portfolio.model import Choice, Model, without_dominated
from forecasting.proposals.portfolio.relaxation import above_least, one_of_each

_OPTIMAL, _STOPPED, _INFEASIBLE = 0, 1, 2
_TIGHTEN = 4
"""Times that a limit is tightened by what the solver's rounding let through."""
_MANY = 500
"""Options from which a coarse run comes first."""
_COARSE = 1e-3
"""Relative gap of the coarse run."""
EXCESS_ROOM = 1e-6
"""Choices whose excess differs by less than this are equally far from keeping the limits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeastViolating:
    """A choice where none keeps every limit."""

    choice: Choice
    optimal: bool
    """True = it is proven that none breaks limits less, and of those that break them no more none is better."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """What the solver said."""

    choice: Choice | None
    """None where it found none in its time, or none keeps the limits."""
    bound: float
    """No choice that keeps the limits has a smaller objective, says the solver; inf where none keeps them."""
    optimal: bool
    infeasible: bool = False


def candidates(model: Model, start: Priced | None, known: float) -> NDArray[np.intp]:
    """Return the options that can be in a best choice.

    Left out is what another option of its service beats in everything, and what cannot be in a choice as good as one
    that is known: the bound with that option forced in is the bound + its reduced worth above the service's least.

    Parameters
    ----------
    model : Model
    start : Priced or None
        Prices and their bound; None = nothing is left out by bounds.
    known : float
        Objective of a choice that keeps every limit; inf = none is known.

    Returns
    -------
    NDArray[np.intp]
        At least one of each service where a choice keeps the limits.
    """
    keep = without_dominated(model)
    if start is not None and np.isfinite(known):
        least = np.minimum.reduceat(start.reduced, model.start[:-1])
        forced = start.bound + start.reduced - least[model.owner]
        keep &= forced <= known + 1e-7 * max(1.0, abs(known), float(np.abs(model.worth).max()))
    return np.flatnonzero(keep)


def best_choice(model: Model, coupling: Coupling, start: Priced, rough: Choice, *, time_limit_s: float) -> Solved:
    """Return the best choice, from prices and a choice that are known.

    Where many options are left open, a first run of a third of the time stops at a gap of a thousandth: the better
    choice that it finds closes most of them, and the second run is exact.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    start : Priced
        Prices and their bound.
    rough : Choice
        It need not keep the limits.
    time_limit_s : float
        Of the solver in all, above 0.

    Returns
    -------
    Solved
        With a bound over all options, not only those that were left open; `choice` is `rough` where nothing better
        was found and it keeps the limits.
    """
    known = model.objective(rough) if model.feasible(rough) else np.inf
    found, left = (rough if np.isfinite(known) else None), time_limit_s
    options = candidates(model, start, known)
    if len(options) > _MANY:
        first = solve(model, coupling, options, time_limit_s=time_limit_s / 3, gap=_COARSE)
        left = time_limit_s * 2 / 3
        if first.infeasible and found is None:
            return first
        if first.choice is not None and model.objective(first.choice) < known:
            found, known = first.choice, model.objective(first.choice)
            options = candidates(model, start, known)
    answer = solve(model, coupling, options, time_limit_s=left)
    if answer.infeasible and found is None:
        return answer
    if answer.choice is not None and model.objective(answer.choice) <= known:
        found = answer.choice
    # An option that was left out is in no choice below `known`.
    bound = max(start.bound, min(answer.bound, known))
    return Solved(choice=found, bound=bound, optimal=answer.optimal)


def solve(
    model: Model, coupling: Coupling, options: NDArray[np.intp], *, time_limit_s: float, gap: float = 0.0
) -> Solved:
    """Return the best choice among given options.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    options : NDArray[np.intp]
        Those that may be chosen.
    time_limit_s : float
        Above 0.
    gap : float
        Relative gap at which the solver may stop, 0 or more.

    Returns
    -------
    Solved
        Whose choice keeps every limit exactly, not only within the solver's rounding.
    """
    above, factor = above_least(model)
    scaled = sparse.csr_array(sparse.diags_array(coupling.factor) @ coupling.rows)[:, options]
    most = coupling.most * coupling.factor
    base = float(np.minimum.reduceat(model.worth, model.start[:-1]).sum())
    bound = -np.inf
    for attempt in range(_TIGHTEN):
        answer = milp(
            above[options] * factor,
            integrality=np.ones(len(options), dtype=np.int8),
            bounds=Bounds(0, 1),
            constraints=_constraints(model, options, scaled, most),
            options={"time_limit": time_limit_s, "mip_rel_gap": gap},
        )
        if answer.status == _INFEASIBLE:
            return Solved(choice=None, bound=bound if attempt else np.inf, optimal=False, infeasible=not attempt)
        if not attempt:
            bound = base + _number(answer.mip_dual_bound) / factor
        if answer.x is None:
            return Solved(choice=None, bound=bound, optimal=False)
        choice = _largest(model, options, np.asarray(answer.x))
        if model.feasible(choice):
            return Solved(choice=choice, bound=bound, optimal=answer.status == _OPTIMAL)
        over = (
            np.asarray(scaled @ np.isin(options, choice).astype(np.float64)).ravel() - coupling.most * coupling.factor
        )
        most = np.where(over > 0, most - 2 * over, most)
    return Solved(choice=None, bound=bound, optimal=False)


def _number(bound: float | None) -> float:
    """Return a bound of the solver; what it did not say bounds nothing."""
    return -np.inf if bound is None or not np.isfinite(bound) else float(bound)


def _constraints(
    model: Model, options: NDArray[np.intp], rows: sparse.csr_array, most: NDArray[np.float64]
) -> list[LinearConstraint]:
    """Return one option of each service, and the coupling rows."""
    found = [LinearConstraint(one_of_each(model, options), 1.0, 1.0)]
    return [*found, LinearConstraint(rows, -np.inf, most)] if len(most) else found


def _largest(model: Model, options: NDArray[np.intp], shares: NDArray[np.float64]) -> Choice:
    """Return the option of the largest share of each service: a solver's 0.9999999 is a 1."""
    owner = model.owner[options]
    first = np.searchsorted(owner, np.arange(len(model.services) + 1))
    return np.array([options[a + np.argmax(shares[a:b])] for a, b in pairwise(first)], dtype=np.intp)


def least_violating(model: Model, coupling: Coupling, *, time_limit_s: float) -> LeastViolating | None:
    """Return, where no choice keeps the limits, the best of those that break them least.

    Least is the sum over limits of the share by which each is exceeded + the number of reliances broken
    (`Model.excess`); among choices whose excess is equal to a millionth, that of the smallest objective.

    Parameters
    ----------
    model : Model
    coupling : Coupling
    time_limit_s : float
        Of each of two runs of the solver, above 0.

    Returns
    -------
    LeastViolating or None
        None where the solver found nothing in its time.
    """
    options = np.flatnonzero(without_dominated(model))
    limits, edges, n = len(model.limits), len(model.edges), len(options)
    # What a limit may be exceeded by, in the unit of `Model.excess`; every row of a reliance shares its edge's.
    slack = np.concatenate([model.scale * coupling.factor[:limits], np.ones(len(coupling.edge_of))])
    column = np.concatenate([np.arange(limits), limits + coupling.edge_of]).astype(np.intp)
    relief = sparse.csr_array((slack, (np.arange(len(column)), column)), shape=(len(column), limits + edges))
    scaled = sparse.csr_array(sparse.diags_array(coupling.factor) @ coupling.rows)[:, options]
    nothing = sparse.csr_array((len(model.services), limits + edges), dtype=np.float64)
    choose = sparse.csr_array(sparse.hstack([one_of_each(model, options), nothing]))
    within = sparse.csr_array(sparse.hstack([scaled, -relief]))
    rows = [LinearConstraint(choose, 1.0, 1.0), LinearConstraint(within, -np.inf, coupling.most * coupling.factor)]
    integral = np.concatenate([np.ones(n), np.zeros(limits + edges)]).astype(np.int8)
    bounds = Bounds(0, np.concatenate([np.ones(n), np.full(limits + edges, np.inf)]))
    count = np.concatenate([np.zeros(n), np.ones(limits + edges)])
    above, factor = above_least(model)
    first = milp(
        count,
        integrality=integral,
        bounds=bounds,
        constraints=rows,
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    if first.x is None:
        return None
    nearest = _largest(model, options, np.asarray(first.x)[:n])
    at_most = LinearConstraint(sparse.csr_array(count[None, :]), -np.inf, model.excess(nearest) + EXCESS_ROOM / 2)
    second = milp(
        np.concatenate([above[options] * factor, np.zeros(limits + edges)]),
        integrality=integral,
        bounds=bounds,
        constraints=[*rows, at_most],
        options={"time_limit": time_limit_s, "mip_rel_gap": 0.0},
    )
    if second.x is None:
        return LeastViolating(choice=nearest, optimal=False)
    found = _largest(model, options, np.asarray(second.x)[:n])
    if model.excess(found) > model.excess(nearest) + EXCESS_ROOM:
        return LeastViolating(choice=nearest, optimal=False)
    return LeastViolating(choice=found, optimal=first.status == second.status == _OPTIMAL)
