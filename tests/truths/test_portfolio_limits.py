"""What is said of a portfolio: the limit behind each refusal, prices, a budget that cannot be kept, ties, regret."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import replace

import numpy as np
import pytest

from forecasting.proposals.portfolio import choose
from forecasting.proposals.portfolio.lagrangian import coupled, fallback, subgradient
from forecasting.proposals.portfolio.milp import best_choice, candidates, solve
from forecasting.proposals.portfolio.model import as_model, without_dominated
from forecasting.proposals.portfolio.relaxation import relaxed
from forecasting.terms.portfolio import PortfolioChoice, PortfolioProblem, PortfolioRejection, ServiceOption

_CHOOSE = importlib.import_module("forecasting.proposals.portfolio.choose")  # its name is the function's, too


@pytest.fixture(params=["enumeration", "milp"])
def method(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to the answer: what is said of it must not depend on the way."""
    if request.param == "milp":
        monkeypatch.setattr(_CHOOSE, "MOST_CHOICES", 0)
    return str(request.param)


def _option(service: str, key: str, cost: tuple[float, ...], penalty: float, **more: object) -> ServiceOption:
    return ServiceOption(
        service=service, key=key, label=key, cost=cost, expected_penalty=(penalty, *(0.0,) * (len(cost) - 1)),
        today=key == "today", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _why(found: PortfolioChoice, service: str, key: str) -> PortfolioRejection:
    return next(r for r in found.rejected if (r.service, r.key) == (service, key))


def _two(first: ServiceOption, second: ServiceOption, **limits: object) -> PortfolioProblem:
    """Two services: each has today's option and one that saves money if it may be taken."""
    periods = len(first.cost)
    nothing = tuple(_option(s, "today", (0.0,) * periods, 100.0, promised=0.99, delivered=0.99) for s in ("a", "b"))
    return PortfolioProblem(options=(*nothing, first, second), periods=periods, currency="EUR", **limits)  # type: ignore[arg-type]


def test_the_budget_of_the_second_period_binds(method: str) -> None:
    problem = _two(
        _option("a", "node", (5.0, 40.0), 10.0), _option("b", "node", (5.0, 30.0), 30.0), budget=(50.0, 45.0)
    )
    found = choose(problem)
    assert found.method == method
    assert found.chosen == (("a", "node"), ("b", "today"))
    why = _why(found, "b", "node")
    assert why.binding == "budget 2"
    assert "35" in why.because  # what it would save: 100 − 65
    assert "30 EUR more of the budget of period 2" in why.because
    assert "5 EUR are left" in why.because
    assert _why(found, "a", "today").binding == "worse"
    # By hand, in parts: b's node saves 35 with 30 units of period 2 and comes first; a's saves 45 with 40, of which 15
    # are left, so that one unit more saves 45 ÷ 40.
    assert found.shadow_price == pytest.approx((0.0, 45 / 40))
    assert why.costs_more == 0.0, "at these prices it pays: only whole options are in the way"
    assert _why(found, "a", "today").costs_more == pytest.approx(0.0, abs=1e-9), "at these prices as good"


@pytest.mark.parametrize(
    ("limits", "binding"),
    [
        ({"budget_total": 60.0}, "budget total"),
        ({"carbon_cap_kg": 12.0}, "carbon"),
        ({"contract_changes": 1}, "contract changes"),
        ({"budget_total": 1000.0, "carbon_cap_kg": 12.0, "contract_changes": 5}, "carbon"),
    ],
)
def test_each_limit_is_named_where_it_binds(method: str, limits: dict[str, object], binding: str) -> None:
    more = {"carbon_kg": (8.0,), "contract_changes": (1,)}
    problem = _two(_option("a", "node", (35.0,), 10.0, **more), _option("b", "node", (35.0,), 20.0, **more), **limits)
    found = choose(problem)
    assert (found.method, found.chosen) == (method, (("a", "node"), ("b", "today")))
    assert _why(found, "b", "node").binding == binding
    assert found.carbon_kg == 8.0
    # With the limit away it is taken.
    assert choose(replace(problem, budget_total=None, carbon_cap_kg=None, contract_changes=None)).chosen[1][1] == "node"


def test_a_promise_beyond_what_it_relies_on_is_refused(method: str) -> None:
    stricter = _option("a", "99.9", (5.0,), 0.0, promised=0.999)
    supplier = _option("b", "second site", (300.0,), 0.0, promised=0.99, delivered=0.9995)
    found = choose(_two(stricter, supplier, relies_on=(("a", "b"),)))
    assert found.chosen == (("a", "today"), ("b", "today"))
    why = _why(found, "a", "99.9")
    assert why.binding == "dependency"
    assert "a would promise 99.9 % and b, on which it relies, delivers 99 %" in why.because
    # Where the supplier's second site pays for both, both are taken.
    both = choose(_two(stricter, replace(supplier, cost=(150.0,)), relies_on=(("a", "b"),)))
    assert both.chosen == (("a", "99.9"), ("b", "second site"))
    assert both.method == method


def test_a_supplier_of_whom_nothing_is_known_refuses_nothing_and_it_is_said(method: str) -> None:
    known = _two(_option("a", "99.9", (5.0,), 0.0, promised=0.999), _option("b", "other", (1.0,), 99.5))
    options = tuple(replace(o, delivered=None) if o.service == "b" else o for o in known.options)
    found = choose(replace(known, options=options, relies_on=(("a", "b"),)))
    assert found.chosen[0] == ("a", "99.9")
    assert any("not known" in note and "b" in note for note in found.notes)
    assert found.method == method


def test_what_is_worse_says_by_how_much(method: str) -> None:
    found = choose(_two(_option("a", "node", (130.0,), 10.0), _option("b", "node", (20.0,), 10.0)))
    why = _why(found, "a", "node")
    assert (why.binding, why.costs_more) == ("worse", pytest.approx(40.0))
    assert "40 EUR more" in why.because
    assert found.method == method


def test_a_budget_that_nothing_keeps_is_answered_and_labelled(method: str) -> None:
    """Running cost of today is 80; the lean option needs 50, and the budget is 40."""
    options = (
        _option("a", "today", (80.0,), 10.0),
        _option("a", "lean", (50.0,), 60.0),
        _option("b", "today", (0.0,), 5.0),
        _option("b", "node", (1.0,), 0.0),
    )
    found = choose(PortfolioProblem(options=options, periods=1, currency="EUR", budget=(40.0,)))
    assert found.chosen == (("a", "lean"), ("b", "today"))
    assert found.method == method
    assert found.notes[0].startswith("NOT WITHIN THE LIMITS: no choice keeps every limit")
    assert "the budget of period 1 by 10 EUR" in found.notes[0]
    assert any(n.startswith("today's options break a limit: the budget of period 1 by 40 EUR") for n in found.notes)
    assert (found.objective, found.bound, found.gap) == (pytest.approx(115.0), pytest.approx(115.0), 0.0)
    assert _why(found, "b", "node").binding == "budget 1"
    assert _why(found, "a", "today").binding == "budget 1"


def test_todays_breach_of_a_limit_is_said_where_a_choice_keeps_it(method: str) -> None:
    options = (_option("a", "today", (80.0,), 10.0), _option("a", "lean", (30.0,), 200.0))
    found = choose(PortfolioProblem(options=options, periods=1, currency="EUR", budget=(40.0,)))
    assert found.chosen == (("a", "lean"),)
    assert not any(note.startswith("NOT WITHIN") for note in found.notes)
    assert any("today's options break a limit: the budget of period 1 by 40 EUR" in note for note in found.notes)
    assert (found.method, found.do_nothing) == (method, 90.0)


def _fleet(seed: int, services: int = 12, options: int = 4, periods: int = 2) -> PortfolioProblem:
    """Twelve services of four options: 16.8 million choices."""
    rng = np.random.default_rng(seed)
    found = []
    for s in range(services):
        for k in range(options):
            cost = tuple((rng.uniform(5, 40, periods) * k).round(2).tolist())
            penalty = float(round(rng.uniform(60, 140) / (1 + k), 2))
            found.append(
                _option(
                    f"s{s:02d}", "today" if k == 0 else f"o{k}", cost, penalty,
                    carbon_kg=tuple(rng.uniform(0, 5 * k + 0.01, periods).tolist()),
                    contract_changes=tuple((rng.random(periods) < 0.3 * (k > 0)).astype(int).tolist()),
                    promised=(0.99, 0.99, 0.995, 0.999)[k], delivered=(0.99, 0.995, 0.995, 0.999)[k],
                )
            )  # fmt: skip
    on = rng.random(5) < 0.6
    return PortfolioProblem(
        options=tuple(found), periods=periods, currency="EUR",
        budget=tuple(rng.uniform(40, 120, periods).tolist()) if on[0] else None,
        budget_total=float(rng.uniform(60, 200)) if on[1] else None,
        carbon_cap_kg=float(rng.uniform(5, 30)) if on[2] else None,
        contract_changes=int(rng.integers(1, 3)) if on[3] else None,
        relies_on=(("s00", "s01"), ("s02", "s03"), ("s01", "s03")) if on[4] else (),
    )  # fmt: skip


def _best_by_search(problem: PortfolioProblem) -> float:
    """Return the best objective by depth-first search; a branch ends where no rest can keep a limit or be better."""
    services = sorted({o.service for o in problem.options})
    each = [[o for o in problem.options if o.service == s] for s in services]
    limits: list[tuple[object, float]] = []
    for t in range(problem.periods):
        if problem.budget is not None:
            limits.append((lambda o, t=t: o.cost[t], problem.budget[t]))
        if problem.contract_changes is not None:
            limits.append((lambda o, t=t: o.contract_changes[t], problem.contract_changes))
    if problem.budget_total is not None:
        limits.append((lambda o: sum(o.cost), problem.budget_total))
    if problem.carbon_cap_kg is not None:
        limits.append((lambda o: sum(o.carbon_kg), problem.carbon_cap_kg))
    most = np.array([m for _, m in limits]) + 1e-9
    rows = [[np.array([take(o) for take, _ in limits]) for o in of] for of in each]  # type: ignore[operator]
    worth = [[sum(o.cost) + sum(o.expected_penalty) - o.value for o in of] for of in each]
    lean = [np.sum([np.min(rows[k], axis=0) for k in range(s, len(each))], axis=0) for s in range(len(each) + 1)]
    least = [sum(min(w) for w in worth[s:]) for s in range(len(each) + 1)]
    place = {s: k for k, s in enumerate(services)}
    edges = [(place[a], place[b]) for a, b in problem.relies_on]
    best = np.inf
    picked: list[int] = []

    def go(used: np.ndarray, total: float) -> None:
        nonlocal best
        s = len(picked)
        if total + least[s] >= best or (used + lean[s] > most).any():
            return
        for a, b in edges:
            if max(a, b) == s - 1 and (each[a][picked[a]].promised or 0) > (each[b][picked[b]].delivered or 1):
                return
        if s == len(each):
            best = total
            return
        for k in np.argsort(worth[s]):
            picked.append(int(k))
            go(used + rows[s][k], total + worth[s][k])
            picked.pop()

    go(np.zeros(len(limits)), 0.0)
    return float(best)


def test_the_search_that_is_compared_with_equals_trying_every_choice() -> None:
    for seed in range(12):
        problem = _fleet(seed, services=4)
        problem = replace(problem, relies_on=problem.relies_on)
        services = sorted({o.service for o in problem.options})
        model = as_model(problem)
        at = {(o.service, o.key): i for i, o in enumerate(model.options)}
        values = []
        for choice in itertools.product(*([o for o in problem.options if o.service == s] for s in services)):
            picked = np.array([at[o.service, o.key] for o in choice], dtype=np.intp)
            if model.feasible(picked):
                values.append(model.objective(picked))
        assert _best_by_search(problem) == pytest.approx(min(values), abs=1e-9), seed


@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(s, marks=pytest.mark.nightly) for s in range(8, 60))])
def test_twelve_services_of_four_options_are_solved_exactly(seed: int) -> None:
    problem = _fleet(seed)
    best, found = _best_by_search(problem), choose(problem)
    assert found.method == "milp"
    assert np.isfinite(best)
    assert found.objective == pytest.approx(best, abs=1e-6)
    assert found.gap <= 1e-9
    model = as_model(problem)
    coupling = coupled(model)
    start = subgradient(model, coupling)
    linear = relaxed(model, coupling, time_limit_s=5.0)
    assert linear is not None
    assert start.bound <= linear.bound + 1e-6, "no prices say more than those of the linear relaxation"
    rough = fallback(model, coupling, start, seed=seed)
    assert model.feasible(rough)
    assert start.bound - 1e-6 <= linear.bound <= best + 1e-6 <= model.objective(rough) + 2e-6


def test_options_that_are_left_out_are_in_no_best_choice() -> None:
    """The best over all options is that over the options left open, and each left out makes it worse when forced."""
    left_out = 0
    for seed in range(6):
        model = as_model(_fleet(seed))
        coupling = coupled(model)
        linear = relaxed(model, coupling, time_limit_s=5.0)
        assert linear is not None
        rough = fallback(model, coupling, linear, seed=1)
        every = np.arange(len(model.options), dtype=np.intp)
        best = solve(model, coupling, every, time_limit_s=20.0)
        assert best.choice is not None
        least = model.objective(best.choice)
        kept = candidates(model, linear, model.objective(rough))
        for option in np.setdiff1d(every, kept):
            left_out += 1
            others = every[(model.owner != model.owner[option]) | (every == option)]
            forced = solve(model, coupling, others, time_limit_s=20.0)
            assert forced.choice is None or model.objective(forced.choice) > least + 1e-9, (seed, option)
        found = best_choice(model, coupling, linear, rough, time_limit_s=20.0)
        assert found.choice is not None
        assert model.objective(found.choice) == pytest.approx(least, abs=1e-6)
        assert without_dominated(model)[best.choice].all()
    assert left_out > 50


def test_prices_are_finite_differences_of_the_relaxation() -> None:
    for seed in (0, 3, 5):
        problem = replace(_fleet(seed), budget=(70.0, 90.0), budget_total=140.0)
        found = choose(problem)

        def value(first: float, second: float, total: float, problem: PortfolioProblem = problem) -> float:
            model = as_model(replace(problem, budget=(first, second), budget_total=total))
            answer = relaxed(model, coupled(model), time_limit_s=5.0)
            assert answer is not None
            return answer.bound

        base, step = value(70.0, 90.0, 140.0), 1e-4
        slopes = [
            (base - value(70.0 + step, 90.0, 140.0)) / step,
            (base - value(70.0, 90.0 + step, 140.0)) / step,
            (base - value(70.0, 90.0, 140.0 + step)) / step,
        ]
        assert [*found.shadow_price, found.shadow_price_total] == pytest.approx(slopes, abs=1e-4)
        assert max(slopes) > 0.1, "some budget binds"


def test_of_equal_objectives_the_least_regret_is_chosen(method: str) -> None:
    """Two second nodes of equal mean: one helps when it is needed, the other when it is not."""
    worlds = np.array([0.0, 0.0, 0.0, 400.0])
    options = (
        _option("a", "today", (0.0,), 100.0, penalty_paths=worlds),
        _option("a", "even", (20.0,), 60.0, penalty_paths=np.full(4, 60.0)),
        _option("a", "late", (20.0,), 60.0, penalty_paths=np.array([0.0, 0.0, 0.0, 240.0])),
        # The same in the mean, and what is lost against the best of each world is less with "shift".
        _option("a", "shift", (20.0,), 60.0, penalty_paths=np.array([40.0, 40.0, 40.0, 120.0])),
    )
    found = choose(PortfolioProblem(options=options, periods=1, currency="EUR"))
    costs = {o.key: o.cost[0] + np.asarray(o.penalty_paths) for o in options}
    best = np.min(list(costs.values()), axis=0)
    lost = {key: cost - best for key, cost in costs.items()}
    equal = [key for key in costs if key != "today"]
    assert len({round(float(lost[k].mean()), 9) for k in equal}) == 1
    assert found.chosen == (("a", min(equal, key=lambda k: float(lost[k].max()))),)
    assert found.max_regret == pytest.approx(min(float(lost[k].max()) for k in equal))
    assert found.mean_regret == pytest.approx(float(lost["even"].mean()))
    assert found.method == method


def test_regret_by_prices_is_never_less_than_regret_by_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    options = []
    for s, k in itertools.product(range(5), range(4)):
        penalty = 100.0 / (1 + k)
        paths = penalty * rng.gamma(0.7, 1 / 0.7, 300)
        options.append(
            _option(f"s{s}", "today" if k == 0 else f"o{k}", (18.0 * k,), float(paths.mean()), penalty_paths=paths)
        )
    problem = PortfolioProblem(options=tuple(options), periods=1, currency="EUR", budget=(90.0,))
    exact = choose(problem)
    monkeypatch.setattr(_CHOOSE, "MOST_CHOICES", 0)
    bounded = choose(problem)
    assert exact.chosen == bounded.chosen
    assert exact.mean_regret is not None
    assert exact.max_regret is not None
    assert bounded.mean_regret is not None
    assert bounded.max_regret is not None
    assert exact.mean_regret <= bounded.mean_regret + 1e-9
    assert exact.max_regret <= bounded.max_regret + 1e-9
    assert bounded.mean_regret <= 1.5 * exact.mean_regret, "the bound is of use"


def test_the_same_input_gives_the_same_answer(method: str) -> None:
    problem = _fleet(1, services=4 if method == "enumeration" else 12)
    assert choose(problem, seed=3) == choose(problem, seed=3)
