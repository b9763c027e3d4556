"""Laws of the portfolio: more room or more to choose from is never worse; units and order do not matter."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.proposals.portfolio import choose
from forecasting.proposals.portfolio.lagrangian import coupled, fallback, priced, subgradient
from forecasting.proposals.portfolio.model import as_model
from forecasting.terms.portfolio import PortfolioChoice, PortfolioProblem, ServiceOption

_CHOOSE = importlib.import_module("forecasting.proposals.portfolio.choose")  # its name is the function's, too
LAWS = settings(derandomize=True, max_examples=60, deadline=None)
MONEY = st.integers(0, 200).map(float)


@contextmanager
def _most_choices(count: int) -> Iterator[None]:
    """Enumerate up to so many choices; 0 = leave everything to the solver."""
    before = _CHOOSE.MOST_CHOICES
    _CHOOSE.MOST_CHOICES = count
    try:
        yield
    finally:
        _CHOOSE.MOST_CHOICES = before


@st.composite
def problems(draw: st.DrawFn) -> PortfolioProblem:
    """Up to 5 services of up to 4 options over 1 or 2 periods; today's options cost nothing and keep every limit."""
    periods = draw(st.integers(1, 2))
    names = [f"s{k}" for k in range(draw(st.integers(1, 5)))]
    options = []
    for name in names:
        options.append(_option(name, "o0", (0.0,) * periods, draw(MONEY), today=True, promised=0.9, delivered=0.95))
        for k in range(draw(st.integers(0, 3))):
            cost = tuple(draw(st.lists(MONEY, min_size=periods, max_size=periods)))
            level = draw(st.sampled_from([0.9, 0.95, 0.99]))
            options.append(
                replace(
                    _option(name, f"o{k + 1}", cost, draw(MONEY), promised=level, delivered=level),
                    carbon_kg=(float(draw(st.integers(-5, 10))),) * periods,
                    contract_changes=(draw(st.integers(0, 1)),) * periods,
                )
            )
    limit = st.none() | MONEY
    pairs = [(a, b) for a in names for b in names if a != b]
    return PortfolioProblem(
        options=tuple(options),
        periods=periods,
        currency="EUR",
        budget=draw(st.none() | st.lists(MONEY, min_size=periods, max_size=periods).map(tuple)),
        budget_total=draw(limit),
        carbon_cap_kg=draw(limit),
        contract_changes=draw(st.none() | st.integers(0, 3)),
        relies_on=tuple(draw(st.lists(st.sampled_from(pairs), max_size=2))) if pairs else (),
    )


def _option(service: str, key: str, cost: tuple[float, ...], penalty: float, **more: object) -> ServiceOption:
    share = (penalty / len(cost),) * len(cost)
    return ServiceOption(service=service, key=key, label=key, cost=cost, expected_penalty=share, **more)  # type: ignore[arg-type]


def _both(problem: PortfolioProblem) -> tuple[PortfolioChoice, PortfolioChoice]:
    """Choose by enumeration and by the solver."""
    with _most_choices(4096):
        every = choose(problem)
    with _most_choices(0):
        return every, choose(problem)


@LAWS
@given(problem=problems())
def test_the_solver_agrees_with_enumeration_and_nothing_is_worse_than_today(problem: PortfolioProblem) -> None:
    every, solved = _both(problem)
    assert (every.method, solved.method) == ("enumeration", "milp")
    assert solved.objective == pytest.approx(every.objective, abs=1e-6)
    assert every.objective <= every.do_nothing + 1e-9
    assert solved.gap <= 1e-9


@LAWS
@given(problem=problems(), more=st.integers(1, 100), solver=st.booleans())
def test_a_bigger_budget_is_never_worse(problem: PortfolioProblem, more: int, solver: bool) -> None:
    bigger = replace(
        problem,
        budget=None if problem.budget is None else tuple(b + more for b in problem.budget),
        budget_total=None if problem.budget_total is None else problem.budget_total + more,
    )
    with _most_choices(0 if solver else 4096):
        assert choose(bigger).objective <= choose(problem).objective + 1e-6


@LAWS
@given(problem=problems(), cost=MONEY, penalty=MONEY, solver=st.booleans())
def test_one_option_more_is_never_worse(problem: PortfolioProblem, cost: float, penalty: float, solver: bool) -> None:
    added = _option("s0", "added", (cost,) + (0.0,) * (problem.periods - 1), penalty, promised=0.9, delivered=0.9)
    with _most_choices(0 if solver else 4096):
        assert choose(replace(problem, options=(*problem.options, added))).objective <= choose(problem).objective + 1e-6


@LAWS
@given(problem=problems(), factor=st.sampled_from([0.001, 0.37, 1000.0, 1e6]), solver=st.booleans())
def test_money_in_another_unit_scales_the_answer(problem: PortfolioProblem, factor: float, solver: bool) -> None:
    def scaled(amounts: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(factor * a for a in amounts)

    other = replace(
        problem,
        options=tuple(
            replace(o, cost=scaled(o.cost), expected_penalty=scaled(o.expected_penalty)) for o in problem.options
        ),
        budget=None if problem.budget is None else scaled(problem.budget),
        budget_total=None if problem.budget_total is None else factor * problem.budget_total,
    )
    with _most_choices(0 if solver else 4096):
        assert choose(other).objective == pytest.approx(factor * choose(problem).objective, rel=1e-7, abs=1e-7 * factor)


@LAWS
@given(problem=problems(), order=st.randoms(use_true_random=False), solver=st.booleans())
def test_the_order_that_options_come_in_does_not_matter(
    problem: PortfolioProblem, order: np.random.Generator, solver: bool
) -> None:
    options = list(problem.options)
    order.shuffle(options)  # type: ignore[arg-type]
    with _most_choices(0 if solver else 4096):
        assert choose(replace(problem, options=tuple(options))) == choose(problem)


@LAWS
@given(problem=problems(), names=st.permutations(range(5)))
def test_the_names_of_services_do_not_matter(problem: PortfolioProblem, names: list[int]) -> None:
    def named(service: str) -> str:
        return f"s{names[int(service[1:])]}"

    other = replace(
        problem,
        options=tuple(replace(o, service=named(o.service)) for o in problem.options),
        relies_on=tuple((named(a), named(b)) for a, b in problem.relies_on),
    )
    for one, two in zip(_both(problem), _both(other), strict=True):
        assert two.objective == pytest.approx(one.objective, abs=1e-6)


@LAWS
@given(problem=problems(), seed=st.integers(0, 9))
def test_the_best_lies_between_any_bound_and_the_fallback(problem: PortfolioProblem, seed: int) -> None:
    model = as_model(problem)
    coupling = coupled(model)
    best = choose(problem).objective
    start = subgradient(model, coupling)
    rough = fallback(model, coupling, start, seed=seed)
    assert model.feasible(rough), "today's options keep every limit"
    assert start.bound - 1e-6 <= best <= model.objective(rough) + 1e-6
    prices = np.random.default_rng(seed).exponential(2.0, len(coupling.most))
    assert priced(model, coupling, prices).bound <= best + 1e-6, "any prices give a bound"
