"""The entry: one option for each service, with its gap to the best, its price, its regret and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum, isfinite

import numpy as np
from numpy.typing import NDArray

from forecasting.proposals.portfolio.brute_force import MOST_CHOICES, best_choices, choices_of, every_choice, excesses
from forecasting.proposals.portfolio.checks import check_problem
from forecasting.proposals.portfolio.explain import broken_limits, rejections, shadow_prices
from forecasting.proposals.portfolio.lagrangian import coupled, fallback, subgradient
from forecasting.proposals.portfolio.milp import EXCESS_ROOM, best_choice, least_violating
from forecasting.proposals.portfolio.model import Choice, Model, as_model, raised
from forecasting.proposals.portfolio.regret import (
    PathCosts,
    best_by_enumeration,
    bound_by_prices,
    path_costs,
    regret,
    settled,
)
from forecasting.proposals.portfolio.relaxation import relaxed
from forecasting.proposals.portfolio.repair import improved
from forecasting.terms.errors import InputError
from forecasting.terms.portfolio import PortfolioChoice, PortfolioProblem

_NO_CHOICE = "NOT WITHIN THE LIMITS"
"""First words of the first note where the choice breaks a limit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """A choice and how it was found."""

    choice: Choice
    model: Model
    """In which the choice keeps every limit: those that it breaks are raised to what it uses."""
    bound: float
    method: str
    notes: tuple[str, ...] = ()
    best_on_paths: NDArray[np.float64] | None = None
    """Cost of the best choice on each path, where choices were enumerated."""


def choose(problem: PortfolioProblem, *, time_limit_s: float = 15.0, seed: int = 0) -> PortfolioChoice:
    """Return one option for each service so that cost + expected penalty − value is least within the limits.

    Up to 4,096 choices are enumerated. More are left to a mixed-integer solver, over the options that a bound and a
    choice found before leave open; where it does not end in its time, the better of what it found and of what was
    found before is returned, with the gap to the best bound. There is always an answer: where no choice keeps every
    limit, the one that breaks them least, and the first note says so.

    Parameters
    ----------
    problem : PortfolioProblem
    time_limit_s : float
        Of the solver's search for the choice, above 0; the linear relaxation has as much again, and so has each of two
        more searches where nothing keeps the limits. Only a search that is stopped can differ between machines; a
        note says so.
    seed : int
        Of the prices that the fallback tries, 0 or more.

    Returns
    -------
    PortfolioChoice

    Raises
    ------
    InputError
        For figures that do not fit together, a time limit that is not above 0, or a negative seed.

    Examples
    --------
    >>> from forecasting.terms.portfolio import ServiceOption
    >>> def option(service, key, cost, penalty):
    ...     return ServiceOption(service=service, key=key, label=key, cost=(cost,), expected_penalty=(penalty,),
    ...                          today=key == "today")
    >>> problem = PortfolioProblem(
    ...     options=(option("pay", "today", 0.0, 90.0), option("pay", "second node", 40.0, 10.0),
    ...              option("shop", "today", 0.0, 50.0), option("shop", "second node", 30.0, 5.0)),
    ...     periods=1, currency="EUR", budget=(50.0,))
    >>> best = choose(problem)
    >>> best.chosen, best.objective, best.gap
    ((('pay', 'second node'), ('shop', 'today')), 100.0, 0.0)
    >>> [(r.service, r.key, r.binding) for r in best.rejected]
    [('pay', 'today', 'worse'), ('shop', 'second node', 'budget 1')]
    >>> best.rejected[1].because
    'would save 15 EUR more, but takes 30 EUR more of the budget of period 1, of which 10 EUR are left'
    """
    check_problem(problem)
    if not (isfinite(time_limit_s) and time_limit_s > 0):
        raise InputError(argument="time_limit_s", came=time_limit_s, allowed="above 0", try_instead="15")
    if seed < 0:
        raise InputError(argument="seed", came=seed, allowed="0 or more", try_instead="0")
    model = as_model(problem)
    costs = path_costs(model)
    if choices_of(model) <= MOST_CHOICES:
        found = _enumerated(model, costs)
    else:
        found = _solved(model, costs, time_limit_s=time_limit_s, seed=seed)
    return _told(problem, model, found, costs, time_limit_s=time_limit_s)


def _enumerated(model: Model, costs: PathCosts | None) -> _Found:
    """Return the best of all choices; of equals that of least mean, then max regret."""
    choices = every_choice(model)
    tied = best_choices(model, choices)
    if not model.feasible(tied[0]):
        tied = tied[:1]
    within = raised(model, tied[0])
    best = None
    if costs is not None:
        best = best_by_enumeration(costs, choices[excesses(within, choices) == 0])
        regrets = np.array([regret(costs, choice, best) for choice in tied])
        same = 1e-9 * max(1.0, abs(model.objective(tied[0])))
        tied = tied[regrets[:, 0] <= regrets[:, 0].min() + same]
        regrets = regrets[regrets[:, 0] <= regrets[:, 0].min() + same]
        tied = tied[regrets[:, 1] <= regrets[:, 1].min() + same]
    chosen = tied[0]
    notes = _not_within(model, chosen, proven=True)
    return _Found(
        choice=chosen,
        model=raised(model, chosen),
        bound=model.objective(chosen),
        method="enumeration",
        notes=notes,
        best_on_paths=best,
    )


def _solved(model: Model, costs: PathCosts | None, *, time_limit_s: float, seed: int) -> _Found:
    """Return the best choice by the solver, or the best that was found without."""
    coupling = coupled(model)
    start = relaxed(model, coupling, time_limit_s=time_limit_s) or subgradient(model, coupling)
    rough = fallback(model, coupling, start, seed=seed)
    answer = best_choice(model, coupling, start, rough, time_limit_s=time_limit_s)
    stopped = f"the solver was stopped after {time_limit_s:g} s: a repeat can find another choice of a like objective"
    if answer.choice is None:
        return _least(model, rough, proven=answer.infeasible, time_limit_s=time_limit_s, stopped=stopped)
    return _Found(
        choice=improved(model, answer.choice),
        model=model,
        bound=answer.bound,
        method="lagrangian" if answer.choice is rough and not answer.optimal else "milp",
        notes=() if answer.optimal else (stopped,),
    )


def _least(model: Model, rough: Choice, *, proven: bool, time_limit_s: float, stopped: str) -> _Found:
    """Return the choice that breaks limits least: by the solver where it proved that none keeps them, else `rough`."""
    least = least_violating(model, coupled(model), time_limit_s=time_limit_s) if proven else None
    solved = least is not None and model.excess(least.choice) <= model.excess(rough) + EXCESS_ROOM
    choice = improved(model, least.choice if least is not None and solved else rough)
    within = raised(model, choice)
    optimal = least is not None and least.optimal
    if optimal:
        bound = model.objective(choice)
    else:
        anew = coupled(within)
        bound = (relaxed(within, anew, time_limit_s=time_limit_s) or subgradient(within, anew)).bound
    notes = _not_within(model, choice, proven=optimal)
    return _Found(
        choice=choice,
        model=within,
        bound=bound,
        method="milp" if solved else "lagrangian",
        notes=notes if optimal else (*notes, stopped),
    )


def _not_within(model: Model, choice: Choice, *, proven: bool) -> tuple[str, ...]:
    """Return the note that a choice breaks limits, and which; empty where it keeps them."""
    broken = broken_limits(model, choice)
    if not broken:
        return ()
    why = (
        "no choice keeps every limit; this one breaks them least" if proven else "none that keeps every limit was found"
    )
    return (
        f"{_NO_CHOICE}: {why}: {'; '.join(broken)}. "
        "Bound, prices, reasons and regret hold with these limits raised to what the choice uses",
    )


def _told(
    problem: PortfolioProblem, model: Model, found: _Found, costs: PathCosts | None, *, time_limit_s: float
) -> PortfolioChoice:
    """Return the choice with everything that is said of it."""
    within, choice, notes = found.model, found.choice, list(found.notes)
    coupling = coupled(within)
    dual = relaxed(within, coupling, time_limit_s=time_limit_s)
    if dual is None:
        notes.append("prices of the limits are those of the Lagrangian bound: the linear relaxation was not solved")
    start = dual or subgradient(within, coupling)
    mean = most = None
    if costs is not None:
        costs = PathCosts(model=within, paths=costs.paths, fixed=costs.fixed)
        best = found.best_on_paths
        if best is None:
            best = bound_by_prices(costs, coupling, start)
            choice = settled(within, choice, costs, best)
            notes.append(
                "regret is at most what is stated: the best choice for a path is bounded by the limits' prices"
            )
        mean, most = regret(costs, choice, best)
    if broken := broken_limits(model, model.today):
        notes.append(f"today's options break a limit: {'; '.join(broken)}")
    if unknown := sorted({model.services[b] for _, b in model.edges if _unknown(model, int(b))}):
        notes.append(f"what it delivers is not known, so that nothing was refused for it: {', '.join(unknown)}")
    objective = model.objective(choice)
    bound = min(found.bound, objective)
    by_period, total = shadow_prices(within, problem.periods, start)
    chosen = [model.options[i] for i in choice]
    return PortfolioChoice(
        chosen=tuple((option.service, option.key) for option in chosen),
        objective=objective,
        bound=bound,
        gap=(objective - bound) / max(1.0, abs(objective)),
        method=found.method,
        spent=tuple(fsum(option.cost[t] for option in chosen) for t in range(problem.periods)),
        shadow_price=by_period,
        shadow_price_total=total,
        carbon_kg=fsum(kg for option in chosen for kg in option.carbon_kg),
        do_nothing=model.objective(model.today),
        mean_regret=mean,
        max_regret=most,
        rejected=rejections(within, choice, start, problem.currency),
        notes=tuple(notes),
    )


def _unknown(model: Model, service: int) -> bool:
    """Return whether what a service delivers is not known of an option."""
    return bool(np.isinf(model.delivered[model.start[service] : model.start[service + 1]]).any())
