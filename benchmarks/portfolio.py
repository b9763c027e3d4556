"""What the choice of a portfolio costs at full size: seconds, gap and bound, of the solver and of the fallback.

    python benchmarks/portfolio.py [--services 1000] [--options 10] [--periods 12] [--time-limit 15] [--paths 500]

Made-up services from a fixed seed: each option of a service costs more and is missed less than the one before. The
first case has a budget in each period; the second has besides a budget over all, a carbon cap, contract changes in
each period and services that rely on others; the third is the first with penalties on paths, for regret. Writes
`benchmarks/results/portfolio.json`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine, write_results

from forecasting.proposals.portfolio import choose
from forecasting.proposals.portfolio.lagrangian import coupled, fallback, subgradient
from forecasting.proposals.portfolio.milp import best_choice
from forecasting.proposals.portfolio.model import as_model
from forecasting.proposals.portfolio.relaxation import relaxed
from forecasting.terms.portfolio import PortfolioProblem, ServiceOption

OUT = Path(__file__).resolve().parent / "results" / "portfolio.json"
SEED = 20260901
SHARE = 0.35
"""Budgets are this share of what the dearest options would take."""


def made_up(services: int, options: int, periods: int, *, every_limit: bool, paths: int = 0) -> PortfolioProblem:
    """Return a problem of made-up services."""
    random = np.random.default_rng(SEED)
    found: list[ServiceOption] = []
    worlds = random.gamma(2.0, 0.5, paths) if paths else None
    for s in range(services):
        size = random.lognormal(9.0, 1.0)
        risk = size * random.uniform(0.5, 4.0)
        for k in range(options):
            step = k / (options - 1)
            start = random.integers(0, max(1, periods // 2))
            cost = np.zeros(periods)
            if k:
                cost[start] = size * step * random.uniform(0.6, 1.4)
                cost[start + 1 :] = cost[start] * random.uniform(0.005, 0.03)
            left = risk * (1 - step) ** random.uniform(1.0, 3.0) * random.uniform(0.9, 1.1)
            penalty = np.full(periods, risk / periods)
            penalty[start:] = left / periods
            changes = [0] * periods
            if every_limit and k and random.random() < 0.3:
                changes[start] = 1
            on_paths = None
            if worlds is not None:
                on_paths = penalty.sum() * worlds * random.gamma(4.0, 0.25, paths)
            found.append(
                ServiceOption(
                    service=f"s{s:04d}",
                    key=f"o{k:02d}",
                    label=f"step {k}",
                    cost=tuple(cost.round(2).tolist()),
                    expected_penalty=tuple(penalty.round(2).tolist()),
                    penalty_paths=on_paths,
                    carbon_kg=tuple((cost * random.uniform(0.1, 0.3)).round(2).tolist()) if every_limit else (),
                    contract_changes=tuple(changes),
                    promised=None if not every_limit or s % 3 else float(np.round(0.99 + 0.008 * step, 4)),
                    delivered=None if not every_limit else float(np.round(0.9905 + 0.009 * step, 4)),
                    today=k == 0,
                )
            )
    dearest: dict[str, np.ndarray[Any, Any]] = {}
    for option in found:
        dearest[option.service] = np.maximum(dearest.get(option.service, 0.0), option.cost)
    most = np.sum(list(dearest.values()), axis=0)
    budget = tuple((SHARE * most / options * 3).round(0).tolist())
    if not every_limit:
        return PortfolioProblem(options=tuple(found), periods=periods, currency="EUR", budget=budget)
    relies = tuple(
        (f"s{s:04d}", f"s{int(t):04d}")
        for s in range(0, services, 3)
        for t in random.choice([t for t in range(services) if t % 3], size=min(2, services - 1), replace=False)
    )
    return PortfolioProblem(
        options=tuple(found),
        periods=periods,
        currency="EUR",
        budget=budget,
        budget_total=float(np.round(0.8 * sum(budget))),
        carbon_cap_kg=float(np.round(0.8 * sum(budget) * 0.17)),
        contract_changes=max(1, services // 40),
        relies_on=relies,
    )


def measured(name: str, problem: PortfolioProblem, time_limit_s: float) -> dict[str, Any]:
    """Return seconds and gaps of one problem, in its parts and in whole."""
    at = time.perf_counter()
    model = as_model(problem)
    coupling = coupled(model)
    made = time.perf_counter() - at

    at = time.perf_counter()
    alone = subgradient(model, coupling)
    subgradient_s = time.perf_counter() - at
    at = time.perf_counter()
    rough = fallback(model, coupling, alone, seed=1)
    fallback_s = time.perf_counter() - at
    known = model.objective(rough) if model.feasible(rough) else np.inf

    at = time.perf_counter()
    start = relaxed(model, coupling, time_limit_s=time_limit_s)
    relaxation_s = time.perf_counter() - at
    assert start is not None, "the linear relaxation has an optimum"
    better = fallback(model, coupling, start, seed=1)

    at = time.perf_counter()
    solved = best_choice(model, coupling, start, better, time_limit_s=time_limit_s)
    solver_s = time.perf_counter() - at

    at = time.perf_counter()
    best = choose(problem, time_limit_s=time_limit_s, seed=1)
    whole_s = time.perf_counter() - at
    row = {
        "case": name,
        "services": len(model.services),
        "options": len(model.options),
        "rows": len(coupling.most),
        "model_s": made,
        "relaxation_s": relaxation_s,
        "solver_s": solver_s,
        "proven": solved.optimal,
        "choose_s": whole_s,
        "method": best.method,
        "objective": best.objective,
        "bound": best.bound,
        "gap": best.gap,
        "do_nothing": best.do_nothing,
        "mean_regret": best.mean_regret,
        "max_regret": best.max_regret,
        "subgradient_s": subgradient_s,
        "subgradient_bound": alone.bound,
        "fallback_s": fallback_s,
        "fallback_objective": known,
        "fallback_gap": (known - alone.bound) / max(1.0, abs(known)),
        "notes": list(best.notes),
    }
    print(
        f"{name}: {row['services']} services, {row['options']} options, {row['rows']} rows\n"
        f"  choose {whole_s:.2f} s ({best.method}): objective {best.objective:,.0f}, bound {best.bound:,.0f}, "
        f"gap {best.gap:.2e}; do nothing {best.do_nothing:,.0f}\n"
        f"  relaxation {relaxation_s:.2f} s, solver {solver_s:.2f} s, "
        f"{'proven' if solved.optimal else 'stopped'}\n"
        f"  fallback: bound {subgradient_s:.2f} s, choice {fallback_s:.2f} s, gap {row['fallback_gap']:.2e}"
    )
    if best.mean_regret is not None and best.max_regret is not None:
        print(f"  regret at most: mean {best.mean_regret:,.0f}, max {best.max_regret:,.0f}")
    for note in best.notes:
        print(f"  note: {note[:300]}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--options", type=int, default=10)
    parser.add_argument("--periods", type=int, default=12)
    parser.add_argument("--paths", type=int, default=500)
    parser.add_argument("--time-limit", type=float, default=15.0, help="seconds of each run of the solver")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    size = (asked.services, asked.options, asked.periods)
    cases = {
        "period budgets": made_up(*size, every_limit=False),
        "every limit": made_up(*size, every_limit=True),
        "period budgets, paths": made_up(*size, every_limit=False, paths=asked.paths),
    }
    rows = [measured(name, problem, asked.time_limit) for name, problem in cases.items()]
    write_results(asked.out, {"machine": machine(), "time_limit_s": asked.time_limit, "cases": rows})
    print(asked.out)


if __name__ == "__main__":
    main()
