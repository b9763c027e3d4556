"""The portfolio: equal to trying every choice on 200 small cases with every kind of limit, however it is solved."""

from __future__ import annotations

import importlib
import itertools
from dataclasses import replace

import numpy as np
import pytest

from forecasting.proposals.portfolio import choose
from forecasting.terms.errors import InputError
from forecasting.terms.portfolio import PortfolioProblem, ServiceOption

_CHOOSE = importlib.import_module("forecasting.proposals.portfolio.choose")  # its name is the function's, too


def _option(service: str, key: str, cost: tuple[float, ...], penalty: float, **more: object) -> ServiceOption:
    periods = len(cost)
    return ServiceOption(
        service=service, key=key, label=key, cost=cost, expected_penalty=(penalty / periods,) * periods,
        today=key == "o0", **more,  # type: ignore[arg-type]
    )  # fmt: skip


def _random(seed: int) -> PortfolioProblem:
    """Return up to 7 services of up to 4 options over up to 3 periods; each kind of limit in half of the cases."""
    rng = np.random.default_rng(seed)
    services, periods = int(rng.integers(2, 8)), int(rng.integers(1, 4))
    options = []
    for s in range(services):
        for k in range(int(rng.integers(2, 5))):
            cost = (0.0,) * periods if k == 0 else tuple(np.round(rng.uniform(0, 50, periods), 2).tolist())
            penalty = float(np.round(rng.uniform(40, 150) if k == 0 else rng.uniform(0, 90), 2))
            options.append(
                _option(
                    f"s{s}", f"o{k}", cost, penalty,
                    value=0.0 if k == 0 else float(np.round(rng.uniform(0, 20), 2)),
                    carbon_kg=tuple(np.round(rng.uniform(-5, 10, periods), 2).tolist()) if k else (0.0,) * periods,
                    contract_changes=tuple((rng.random(periods) < 0.3).astype(int).tolist()) if k else (0,) * periods,
                    promised=0.99 if k == 0 else float(rng.choice([0.98, 0.99, 0.995])),
                    delivered=0.995 if k == 0 else float(rng.choice([0.985, 0.995, 0.999])),
                )
            )  # fmt: skip
    on = rng.random(5) < 0.5
    return PortfolioProblem(
        options=tuple(options), periods=periods, currency="EUR",
        budget=tuple(rng.uniform(20, 120, periods).tolist()) if on[0] else None,
        budget_total=float(rng.uniform(40, 250)) if on[1] else None,
        carbon_cap_kg=float(rng.uniform(5, 60)) if on[2] else None,
        contract_changes=int(rng.integers(1, 4)) if on[3] else None,
        relies_on=(("s0", "s1"),) if on[4] else (),
    )  # fmt: skip


def _keeps(problem: PortfolioProblem, choice: tuple[ServiceOption, ...]) -> bool:
    """Say whether a choice keeps every limit, by plain sums."""
    cost = np.sum([o.cost for o in choice], axis=0)
    if problem.budget is not None and (cost > np.array(problem.budget) + 1e-9).any():
        return False
    if problem.budget_total is not None and cost.sum() > problem.budget_total + 1e-9:
        return False
    if problem.carbon_cap_kg is not None and sum(sum(o.carbon_kg) for o in choice) > problem.carbon_cap_kg + 1e-9:
        return False
    changes = np.sum([o.contract_changes for o in choice], axis=0)
    if problem.contract_changes is not None and (changes > problem.contract_changes).any():
        return False
    by = {o.service: o for o in choice}
    for service, other in problem.relies_on:
        promised, delivered = by[service].promised, by[other].delivered
        if promised is not None and delivered is not None and promised > delivered + 1e-12:
            return False
    return True


def _value(choice: tuple[ServiceOption, ...]) -> float:
    return float(sum(sum(o.cost) + sum(o.expected_penalty) - o.value for o in choice))


def _every(problem: PortfolioProblem) -> list[tuple[ServiceOption, ...]]:
    services = sorted({o.service for o in problem.options})
    return list(itertools.product(*([o for o in problem.options if o.service == s] for s in services)))


def _best(problem: PortfolioProblem) -> float | None:
    return min((_value(c) for c in _every(problem) if _keeps(problem, c)), default=None)


@pytest.mark.parametrize("solver", ["enumeration", "milp"])
def test_equal_to_trying_every_choice(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if solver == "milp":
        monkeypatch.setattr(_CHOOSE, "MOST_CHOICES", 0)
    kept = 0
    for seed in range(200):
        problem = _random(seed)
        best, found = _best(problem), choose(problem)
        chosen = tuple(o for o in problem.options if (o.service, o.key) in found.chosen)
        assert len(chosen) == len({o.service for o in problem.options}), seed
        assert found.objective == pytest.approx(_value(chosen), abs=1e-6), seed
        assert found.bound <= found.objective + 1e-6, seed
        if best is None:
            assert not _keeps(problem, chosen)
            assert found.notes[0].startswith("NOT WITHIN THE LIMITS"), seed
            continue
        kept += 1
        assert _keeps(problem, chosen), seed
        assert found.objective == pytest.approx(best, abs=1e-6), seed
        assert found.gap <= 1e-6, seed
        assert len(found.rejected) == len(problem.options) - len(chosen), seed
        assert all(r.because and r.binding for r in found.rejected), seed
    print(f"\n{solver}: equal to trying every choice in {kept} of {kept} cases; {200 - kept} cannot keep their limits")
    assert kept >= 120


def test_the_bound_and_the_fallback_stand_on_either_side_of_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time for the solver there is an answer all the same, with its gap."""
    monkeypatch.setattr(_CHOOSE, "MOST_CHOICES", 0)
    for seed in range(60):
        problem = _random(seed)
        best = _best(problem)
        if best is None:
            continue
        found = choose(problem, time_limit_s=1e-6)
        chosen = tuple(o for o in problem.options if (o.service, o.key) in found.chosen)
        assert _keeps(problem, chosen), seed
        assert found.bound - 1e-6 <= best <= found.objective + 1e-6, seed
        assert found.gap >= 0, seed


def test_the_price_of_the_budget_is_what_a_little_more_of_it_saves() -> None:
    """Twenty services with one divisible step each: the last that is funded pays back 3 a unit."""
    options = []
    for k in range(20):
        options += [
            _option(f"s{k:02}", "o0", (0.0,), 100.0),
            _option(f"s{k:02}", "o1", (10.0,), 100.0 - 10.0 * (k + 1)),
        ]
    problem = PortfolioProblem(options=tuple(options), periods=1, currency="EUR", budget=(165.0,))
    found = choose(problem)
    # Funded: those that save most; with 165 there is room for 16 of them, and half of the next, which saves 4 a unit.
    assert found.spent == (160.0,)
    assert found.shadow_price[0] == pytest.approx(4.0 - 1.0, abs=1e-6)
    more = choose(replace(problem, budget=(1000.0,)))
    assert more.shadow_price[0] == pytest.approx(0.0, abs=1e-9)
    assert more.objective < found.objective


def test_more_budget_is_never_worse_and_every_option_more_is_never_worse() -> None:
    for seed in range(40):
        problem = replace(_random(seed), contract_changes=None, carbon_cap_kg=None, relies_on=(), budget=None)
        costs = [choose(replace(problem, budget_total=b)).objective for b in (20.0, 60.0, 150.0, 1e6)]
        assert all(a >= b - 1e-6 for a, b in itertools.pairwise(costs)), seed


def test_money_in_cents_is_the_same_choice() -> None:
    for seed in range(20):
        problem = _random(seed)
        cents = replace(
            problem,
            options=tuple(
                replace(
                    o, cost=tuple(100 * c for c in o.cost), value=100 * o.value,
                    expected_penalty=tuple(100 * c for c in o.expected_penalty),
                )
                for o in problem.options
            ),
            budget=None if problem.budget is None else tuple(100 * b for b in problem.budget),
            budget_total=None if problem.budget_total is None else 100 * problem.budget_total,
        )  # fmt: skip
        assert choose(cents).chosen == choose(problem).chosen, seed


def test_regret_is_what_a_better_choice_would_have_saved() -> None:
    """Two worlds: in one the outage comes and the second node would have paid, in the other it would not."""
    today = _option("s", "o0", (0.0,), 50.0, penalty_paths=np.array([100.0, 0.0]))
    node = _option("s", "o1", (30.0,), 0.0, penalty_paths=np.array([0.0, 0.0]))
    found = choose(PortfolioProblem(options=(today, node), periods=1, currency="EUR"))
    assert found.chosen == (("s", "o1"),)
    assert found.mean_regret == pytest.approx(15.0)
    assert found.max_regret == pytest.approx(30.0)


def test_bad_input_says_what_is_wrong() -> None:
    option = _option("s", "o0", (0.0,), 1.0)
    with pytest.raises(InputError):
        choose(PortfolioProblem(options=(), periods=1, currency="EUR"))
    with pytest.raises(InputError):
        choose(PortfolioProblem(options=(option, option), periods=1, currency="EUR"))
    with pytest.raises(InputError):
        choose(PortfolioProblem(options=(replace(option, cost=(0.0, 1.0)),), periods=1, currency="EUR"))
    with pytest.raises(InputError):
        choose(PortfolioProblem(options=(replace(option, cost=(float("nan"),)),), periods=1, currency="EUR"))
    with pytest.raises(InputError):
        choose(PortfolioProblem(options=(option,), periods=1, currency="EUR"), time_limit_s=0.0)
