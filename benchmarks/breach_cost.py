"""What breach risk costs: wall and CPU time and memory by number of services, through the product's own path.

    python benchmarks/breach_cost.py [--services 100,300,1000] [--paths 2000] [--windows 5] [--date YYYY-MM-DD]

Two years of daily good and total events of made-up services in eight tiers, with bursty outages, from a fixed seed.
Each service has three objectives on calendar months: two targets of one indicator and one of a second indicator. Every
one is judged for the running window and those after it. Each size runs in a process of its own, with workers of one
thread each for the shares of bad; CPU time and memory are those of the process without its workers. Writes
`benchmarks/results/breach_cost.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from machine import ONE_THREAD, machine, rounded, write_results

OUT = Path(__file__).resolve().parent / "results" / "breach_cost.json"
DAY = timedelta(days=1)
DAYS = 740
"""The cut-off lies ten days into a month."""
START = datetime(2024, 9, 1, tzinfo=UTC)
TIERS = 8
SEED = 20260901
TARGETS = {"requests": (Decimal("0.999"), Decimal("0.995")), "orders": (Decimal("0.99"),)}


def made_up(services: int) -> tuple[Any, Any]:
    """Return the catalogue and the promises of a fleet, without their coming windows."""
    from forecasting.service_levels.events import events_of
    from forecasting.terms.agreement import Agreement, AgreementKind
    from forecasting.terms.catalogue import Catalogue, Service
    from forecasting.terms.history import History, Metric, MetricKind, Series
    from forecasting.terms.service_level import CalendarWindow, Objective, RatioIndicator
    from forecasting.workflows.prepare import Promise

    random = np.random.default_rng(SEED)
    weekday = np.where((START.weekday() + np.arange(DAYS)) % 7 < 5, 1.0, 0.6)
    promises, named = [], {}
    for k in range(services):
        name = f"s{k:05d}"
        named[name] = Service(name=name, tier=f"tier {k % TIERS}")
        for kind, targets in TARGETS.items():
            total = random.poisson(random.lognormal(9, 1) * weekday).astype(np.float64)
            out = random.random(DAYS) < random.gamma(1.0, 0.02)
            share = np.minimum(
                2e-4 * np.exp(random.normal(0, 0.5, DAYS)) + out * random.lognormal(-4.5, 1.2, DAYS), 1.0
            )
            good = total - random.binomial(total.astype(np.int64), share)
            series = {
                (name, metric): Series(
                    service=name, metric=Metric(name=metric, kind=MetricKind.COUNT, step=DAY), start=START, step=DAY,
                    values=values,
                )
                for metric, values in ((f"{kind}", total), (f"{kind}_good", good))
            }  # fmt: skip
            history = History(cut_off=START + DAYS * DAY, series=series)
            for target in targets:
                objective = Objective(
                    name=f"{kind}-{target}", service=name, target=target,
                    indicator=RatioIndicator(total=kind, good=f"{kind}_good"),
                    window=CalendarWindow(unit="month", zone="UTC"),
                )  # fmt: skip
                agreement = Agreement(
                    id=f"sla-{name}-{kind}-{target}", kind=AgreementKind.SLA, service=name, customer="", provider="",
                    objectives=(objective,), valid_from=date(2020, 1, 1), valid_until=None,
                )  # fmt: skip
                promises.append(
                    Promise(agreement=agreement, objective=objective, events=events_of(objective, history), coming=())
                )
    return Catalogue(name="made up", services=named), promises


def case(services: int, windows: int, paths: int, jobs: int) -> dict[str, Any]:
    """Judge one fleet; what was made up is not counted."""
    from forecasting.adapters.executors import JoblibLoky
    from forecasting.service_levels.windows import coming_periods
    from forecasting.terms.settings import Settings
    from forecasting.workflows.composite_risk import Simulation, promise_risks
    from forecasting.workflows.fleet import build_fleet

    catalogue, promises = made_up(services)
    as_of = START + DAYS * DAY
    coming = coming_periods(promises[0].objective.window, as_of=as_of, ahead=windows - 1)
    promises = [replace(p, coming=coming) for p in promises]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    fleet = build_fleet(
        promises, catalogue, as_of=as_of, until=coming[-1].end, settings=Settings(), paths=paths,
        executor=JoblibLoky(jobs),
    )  # fmt: skip
    shares = time.perf_counter() - wall
    simulation = Simulation(fleet, demand=None)
    stated, total = 0, 0.0
    for promise in promises:
        risks = promise_risks(promise, simulation, windows_known=24, basis="")
        assert not hasattr(risks, "reason"), risks
        stated += len(risks)
        total += sum(r.probability for r in risks)
    return {
        "services": services,
        "statements": stated,
        "mean_probability": total / stated,
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "shares_wall_s": shares,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "memory_before_mib": before / 1024,
    }


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="100,300,1000")
    parser.add_argument("--paths", type=int, default=2000)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="processes that forecast the shares of bad")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(case(given.one, given.windows, given.paths, given.jobs)))
        return
    made, cases = machine(), []
    for services in map(int, given.services.split(",")):
        line = [sys.executable, __file__, "--one", str(services), "--paths", str(given.paths)]
        line += ["--windows", str(given.windows), "--jobs", str(given.jobs)]
        found = subprocess.run(line, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
        if found.returncode:
            raise SystemExit(found.stderr)
        cases.append(json.loads(found.stdout))
        print(json.dumps(rounded(cases[-1])), file=sys.stderr, flush=True)
    write_results(
        given.out,
        rounded({"date": given.date.isoformat(), "machine": made, "paths": given.paths,
                 "windows": given.windows, "jobs": given.jobs, "cases": cases}),
    )  # fmt: skip
    print(given.out)


if __name__ == "__main__":
    main()
