"""What the product is worth on the bundled airports: demand, breach risk, time and memory.

    python benchmarks/airports.py [--date YYYY-MM-DD] [--skip-timings]

Everything runs through the product's own path in a fresh temporary workspace, with the default settings and nothing
known at a cut-off but what lies before it. Months 9 to 12 of 2013 judge; the targets were set on months 1 to 8.
Writes `benchmarks/results/airports.json` and `docs/results-airports.md`. Apart from the timings, the same input gives
the same bytes.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from airports_page import page

from forecasting import Settings, Workspace, create
from forecasting.adapters.executors import JoblibLoky
from forecasting.forecasts.engine import forecast_series
from forecasting.forecasts.scores import LEVELS, mase, naive_scale, sql
from forecasting.history.calendar import local_starts
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.score import Decision, climatology, score_decisions
from forecasting.service_levels.events import Events
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.service_level import Attainment, AttainmentStatus, Period
from forecasting.workflows.capacity import load_effects
from forecasting.workflows.demand import Demand, forecast_demand
from forecasting.workflows.outlook import part_of, past_windows, prepared_fleet, risks_of, simulate_part
from forecasting.workflows.prepare import Prepared, Promise
from forecasting.workspace.workspace import no_timer

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "airports"
RESULTS = ROOT / "benchmarks" / "results" / "airports.json"
PAGE = ROOT / "docs" / "results-airports.md"
ZONE = ZoneInfo("America/New_York")
MONTHS = (9, 10, 11, 12)
ELAPSED = (0.0, 0.25, 0.5, 0.75)
PLAN_AS_OF = "2013-10-01"
LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "prophet", "scikit-learn", "duckdb", "matplotlib", "mlflow")
BREACHED, MET = AttainmentStatus.BREACHED, AttainmentStatus.MET
RECENT_DAYS = 28


def month(number: int) -> Period:
    """Return a month of 2013 in local time."""
    start = datetime(2013, number, 1, tzinfo=ZONE)
    end = datetime(2013 + number // 12, number % 12 + 1, 1, tzinfo=ZONE)
    return Period(start=start.astimezone(UTC), end=end.astimezone(UTC), label=f"2013-{number:02d}")


# ---------------------------------------------------------------- demand
def score_demand(prepared: Prepared, demand: Demand, truth: Prepared, period: Period) -> list[dict[str, Any]]:
    """Score one month of every service's demand driver: the chosen model, and seasonal naive from the same origin."""
    settings, rows = prepared.settings, []
    for name in sorted(prepared.catalogue.services):
        metric = prepared.catalogue.drivers[name].metric
        series, chosen = prepared.daily[(name, metric)], demand.get(name, metric)
        assert chosen is not None, f"{name} has no forecast"
        naive = forecast_series(
            series,
            chosen.horizon,
            models=("seasonal_naive",),
            country=prepared.catalogue.services[name].country,
            n_paths=settings.paths,
            seed=settings.seed,
            origins=settings.origins,
            backtest_horizon=min(chosen.horizon, 31),
            half_life_days=settings.error_half_life_days,
            mean_block_days=settings.mean_block_days,
        )
        assert isinstance(naive, Forecast), f"{name}: {naive}"
        assert chosen.start == naive.start == period.start, f"{name} starts at {chosen.start}"
        whole = truth.daily[(name, metric)]
        starts = local_starts(whole).astype("datetime64[D]")
        first, end = (np.datetime64(at.astimezone(ZONE).date(), "D") for at in (period.start, period.end))
        actual = whole.values[(starts >= first) & (starts < end)]
        assert len(actual) == int((end - first).astype(int)), f"{name} has no full {period.label}"
        scale = naive_scale(series.values, 7)
        row: dict[str, Any] = {"service": name, "month": period.label, "model": chosen.model}
        for who, forecast in (("chosen", chosen), ("naive", naive)):
            row[who] = score_paths(forecast.paths[:, : len(actual)], actual, scale)
        rows.append(row)
    return rows


def score_paths(paths: np.ndarray, actual: np.ndarray, scale: float) -> dict[str, float]:
    """Return MASE of the median, SQL, the covered shares per day and whether the month's sum is covered."""
    found = {
        "mase": mase(actual, np.quantile(paths, 0.5, axis=0), scale),
        "sql": sql(actual, np.quantile(paths, LEVELS, axis=0), scale),
    }
    for percent, low, high in ((80, 0.1, 0.9), (95, 0.025, 0.975)):
        lower, upper = np.quantile(paths, [low, high], axis=0)
        found[f"cover{percent}"] = float(np.mean((actual >= lower) & (actual <= upper)))
        sums = np.quantile(paths.sum(axis=1), [low, high])
        found[f"sum{percent}"] = float(sums[0] <= actual.sum() <= sums[1])
    found["bias_of_sum"] = float(np.median(paths.sum(axis=1)) / actual.sum() - 1)
    return found


def demand_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Aggregate over the months, per service and over all."""

    def mean(who: str, score: str, of: Iterable[dict[str, Any]]) -> float:
        return float(np.mean([r[who][score] for r in of]))

    services = []
    for name in sorted({r["service"] for r in rows}):
        own = [r for r in rows if r["service"] == name]
        services.append(
            {
                "service": name,
                "models": [r["model"] for r in own],
                **{f"{s}_{who}": mean(who, s, own) for s in ("sql", "mase") for who in ("chosen", "naive")},
            }
        )
    months = sorted({r["month"] for r in rows})
    without = {label: float(np.mean([lost(rows, s["service"], label) < 0 for s in services])) for label in months}
    wins = [s for s in services if s["sql_chosen"] < s["sql_naive"]]
    ratios = [s["sql_chosen"] / s["sql_naive"] for s in services]
    return {
        "services": services,
        "beats_naive_sql": len(wins) / len(services),
        "beats_naive_sql_without": without,
        "beats_naive_mase": sum(s["mase_chosen"] < s["mase_naive"] for s in services) / len(services),
        "sql_ratio_geometric_mean": float(np.exp(np.mean(np.log(ratios)))),
        "chosen_models": dict(sorted(Counter(r["model"] for r in rows).items())),
        "all": {who: {score: mean(who, score, rows) for score in rows[0][who]} for who in ("chosen", "naive")},
        "by_month": [
            {
                "month": label,
                "beats_naive_sql": float(np.mean([r["chosen"]["sql"] < r["naive"]["sql"] for r in part])),
                **{who: {score: mean(who, score, part) for score in part[0][who]} for who in ("chosen", "naive")},
            }
            for label in sorted({r["month"] for r in rows})
            if (part := [r for r in rows if r["month"] == label])
        ],
    }


def lost(rows: Sequence[dict[str, Any]], service: str, left_out: str) -> float:
    """Return the summed SQL of the chosen model − that of seasonal naive for a service, one month left out."""
    kept = (r for r in rows if r["service"] == service and r["month"] != left_out)
    return float(sum(r["chosen"]["sql"] - r["naive"]["sql"] for r in kept))


# ---------------------------------------------------------------- breach risk
def outcomes_of(truth: Prepared) -> dict[tuple[str, str, str], dict[str, Attainment]]:
    """Return the final attainment of every month of every agreement's objective."""
    found = {}
    for promise in truth.promises:
        if promise.agreement is None or isinstance(promise.events, Excuse):
            continue
        periods = closed_periods(promise.objective.window, since=month(1).start, as_of=truth.as_of)
        done = attainments(promise.objective, promise.events, periods, as_of=truth.as_of)
        found[promise.key] = {a.period.label: a for a in done}
    return found


def decide(
    prepared: Prepared,
    demand: Demand,
    outcomes: dict[tuple[str, str, str], dict[str, Attainment]],
    elapsed: float,
) -> list[dict[str, Any]]:
    """State P(miss) of the running month and, from a month's first instant, of the next ones; with the baselines."""
    at = prepared.as_of
    effects, _ = load_effects(prepared)
    fleet = prepared_fleet(prepared)
    closed = {key: [a.status for a in months.values() if a.period.end <= at] for key, months in outcomes.items()}
    judged = {key: [s for s in past if s in (BREACHED, MET)] for key, past in closed.items()}
    fleet_bad, fleet_all = (sum(past.count(s) for past in judged.values()) for s in (BREACHED, MET))
    fleet_all += fleet_bad
    after: dict[AttainmentStatus, list[bool]] = {BREACHED: [], MET: []}
    for past in judged.values():
        for before, later in pairwise(past):
            after[before].append(later is BREACHED)
    base = (fleet_bad + 1) / (fleet_all + 2)
    rows: list[dict[str, Any]] = []
    for promise in prepared.promises:
        if promise.agreement is None or isinstance(promise.events, Excuse):
            continue
        part, past = part_of(promise.objective), judged[promise.key]
        paths = simulate_part(fleet, part, demand=demand, effects=effects)
        known = len(past_windows(promise, as_of=at)) - 1
        for ahead, risk in enumerate(risks_of(promise, fleet, paths, windows_known=known, basis="")):
            final = outcomes[promise.key].get(risk.period.label)
            if final is None or (ahead and elapsed) or final.status not in (BREACHED, MET):
                continue
            spent, allowed = risk.consumed_total - risk.consumed_good, (1 - final.target) * final.total
            is_open = spent <= allowed < spent + (final.total - risk.consumed_total)
            last = after[past[-1]]
            rows.append(
                {
                    "service": promise.objective.service,
                    "objective": promise.objective.name,
                    "month": risk.period.label,
                    "elapsed": -float(ahead) if ahead else elapsed,
                    "at": at.isoformat(),
                    "open": bool(is_open and not risk.decided),
                    "product": risk.probability,
                    "climatology": climatology(past.count(BREACHED), len(past), fleet_bad, fleet_all),
                    "last_outcome": (sum(last) + 2 * base) / (len(last) + 2),
                    "iid_binomial": iid_binomial(promise, promise.events, risk.period, at),
                    "missed": final.status is BREACHED,
                }
            )
    return rows


def iid_binomial(promise: Promise, events: Events, period: Period, at: datetime) -> float:
    """P(miss) if every event to come is bad with the rate of the last four weeks, independently of the others."""
    from scipy.stats import binom

    def sums(since: datetime) -> tuple[int, int]:
        low, high = (np.datetime64(t.replace(tzinfo=None), "us") for t in (since, at))
        inside = (events.starts >= low) & (events.ends <= high)
        total = int(events.total[inside].sum())
        return total - int(events.good[inside].sum()), total

    bad, total = sums(at - timedelta(days=RECENT_DAYS))
    spent, seen = sums(period.start)
    left = (period.end - max(at, period.start)) / timedelta(days=1)
    coming = round(total / RECENT_DAYS * left)
    allowed = math.floor((1 - promise.objective.target) * (seen + coming)) - spent
    return float(binom.sf(allowed, coming, (bad + 0.5) / (total + 1)))


def breach_summary(rows: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Score the product and the baselines on open decisions: all, by elapsed share, by month, by indicator."""
    names = ("product", "last_outcome", "iid_binomial")
    running = [r for r in rows if r["open"] and r["elapsed"] >= 0]

    def scored(part: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
        p, q, y = (np.array([float(r[k]) for r in part]) for k in (name, "climatology", "missed"))
        loss, reference = float(np.mean((p - y) ** 2)), float(np.mean((q - y) ** 2))
        found: dict[str, Any] = {
            "decisions": len(part),
            "missed": float(y.mean()),
            "stated": float(p.mean()),
            "brier": loss,
            "reference": reference,
            "skill": 1 - loss / reference,
        }
        score = score_decisions([decision(r, name) for r in part], protocol="benchmark", seed=seed)
        if not isinstance(score, Excuse):
            found |= {"skill_low": score.skill_low, "skill_high": score.skill_high}
            found["bins"] = [[b.predicted, b.observed, b.count] for b in score.bins]
        return found

    def split(part: Sequence[dict[str, Any]], key: str) -> list[dict[str, Any]]:
        return [
            {key: value, **{n: scored([r for r in part if r[key] == value], n) for n in names}}
            for value in sorted({r[key] for r in part})
        ]

    by_indicator = [{**r, "indicator": "completion" if "completion" in r["objective"] else "on time"} for r in running]
    ahead = [{**r, "ahead": int(-r["elapsed"])} for r in rows if r["open"] and r["elapsed"] < 0]
    now = [r for r in rows if r["elapsed"] >= 0]
    return {
        "decisions": len(now),
        "open_share": len(running) / len(now),
        "all": {name: scored(running, name) for name in names},
        "against": {name: paired(running, name, seed) for name in ("climatology", *names[1:])},
        "by_elapsed": split(running, "elapsed"),
        "by_month": split(running, "month"),
        "by_month_and_elapsed": [
            {"month": m, **part} for m in sorted({r["month"] for r in running})
            for part in split([r for r in running if r["month"] == m], "elapsed")
        ],
        "by_indicator": split(by_indicator, "indicator"),
        "months_ahead": split(ahead, "ahead"),
        "columns": list(rows[0]),
        "rows": [[round(v, 4) if isinstance(v, float) else v for v in r.values()] for r in rows],
    }  # fmt: skip


def paired(rows: Sequence[dict[str, Any]], name: str, seed: int, draws: int = 2000) -> dict[str, float]:
    """Return Brier of the product − Brier of a baseline, with the 95 % interval over resampled services × months.

    A difference, because a ratio to a baseline that is nearly perfect in most months has no useful interval.
    """
    services, months = (sorted({r[key] for r in rows}) for key in ("service", "month"))
    total, count = np.zeros((len(services), len(months))), np.zeros((len(services), len(months)))
    for r in rows:
        at = services.index(r["service"]), months.index(r["month"])
        total[at] += (r["product"] - r["missed"]) ** 2 - (r[name] - r["missed"]) ** 2
        count[at] += 1
    random, found = np.random.default_rng(seed), []
    for _ in range(draws):
        some = np.ix_(random.integers(0, len(services), len(services)), random.integers(0, len(months), len(months)))
        found.append(total[some].sum() / count[some].sum())
    low, high = np.quantile(found, [0.025, 0.975])
    return {"difference": float(total.sum() / count.sum()), "low": float(low), "high": float(high)}


def decision(row: dict[str, Any], name: str) -> Decision:
    """Return a row as what `score_decisions` takes."""
    return Decision(
        service=row["service"],
        objective=row["objective"],
        window=row["month"],
        window_end=month(int(row["month"][-2:])).end,
        at=datetime.fromisoformat(row["at"]),
        elapsed=row["elapsed"],
        probability=row[name],
        climatology=row["climatology"],
        breached=row["missed"],
    )


# ---------------------------------------------------------------- time and memory
def measure(command: Sequence[str]) -> dict[str, float]:
    """Run a command and return wall and CPU seconds, the largest process and the peak of all its processes together.

    `ru_maxrss` knows only the largest process; the sum is sampled from /proc every 0.1 s (0 where there is none).
    Pages shared by the processes count in each, so the sum is an upper bound.
    """
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], resident(child.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    done.set()
    watcher.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{Path(command[0]).name} {' '.join(command[1:3])} ended with {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "wall_s": round(wall, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "largest_process_mib": round(usage.ru_maxrss * unit / 2**20),
        "all_processes_mib": round(peak[0] / 2**20),
    }


def resident(pid: int) -> int:
    """Return the resident bytes of a process and its descendants, 0 where /proc does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        threads = Path(f"/proc/{pid}/task").iterdir()
        children = [int(c) for t in threads for c in (t / "children").read_text().split()]
    except (OSError, IndexError):  # the process has just ended, or there is no /proc
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(resident(c) for c in children)


def timings(folder: Path) -> dict[str, Any]:
    """Measure the commands a user waits for, each in its own process."""
    program = [sys.executable, "-m", "forecasting.cli"]
    space = str(folder / "timed")
    found = {
        "init": measure([*program, "init", space, "--from", str(EXAMPLE)]),
        "ingest": measure([*program, "ingest", "-w", space]),
        "plan": measure([*program, "plan", "-w", space, "--as-of", PLAN_AS_OF]),
    }
    for name, command in (
        ("python", [sys.executable, "-c", "pass"]),
        ("import forecasting", [sys.executable, "-c", "import forecasting"]),
        ("forecasting --help", [*program, "--help"]),
    ):
        found[name] = {"wall_s": statistics.median(measure(command)["wall_s"] for _ in range(5))}
    return found


def machine() -> dict[str, Any]:
    """Return what the figures depend on besides code and data; nothing that names the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "forecasting": version("service-forecasting"),
    }


# ---------------------------------------------------------------- the run
def run(folder: Path, settings: Settings, progress: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Make every statement at every decision time; return the rows of demand and of breach risk."""
    space = Workspace(create(folder / "judged", source=EXAMPLE), mlflow=False, settings=settings)
    space.ingest()
    truth = space.prepare()
    outcomes = outcomes_of(truth)
    demand_rows: list[dict[str, Any]] = []
    breach_rows: list[dict[str, Any]] = []
    for number in MONTHS:
        period = month(number)
        for share in ELAPSED:
            begin = time.perf_counter()
            prepared = space.prepare(period.start + share * (period.end - period.start))
            demand = forecast_demand(prepared, executor=JoblibLoky(settings.jobs), timer=no_timer)
            if share == 0.0:
                demand_rows += score_demand(prepared, demand, truth, period)
            breach_rows += decide(prepared, demand, outcomes, share)
            if progress:
                print(f"{period.label} at {share:.0%}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    return demand_rows, breach_rows


def rounded(value: Any) -> Any:
    """Round every float to 6 digits, so that the file does not depend on the last bits."""
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Measure, write the results and the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat(), help="date printed in the results")
    parser.add_argument("--skip-timings", action="store_true", help="keep the timings of the last results")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    day = date.fromisoformat(arguments.date).isoformat()
    settings = replace(Settings(), jobs=2)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.skip_timings:
            timed = json.loads(arguments.results.read_text())["timings"] if arguments.results.exists() else {}
        else:
            timed = timings(Path(temporary))
        demand_rows, breach_rows = run(Path(temporary), settings, progress=True)
    results = {
        "command": "python benchmarks/airports.py",
        "date": day,
        "machine": machine(),
        "settings": {"seed": settings.seed, "paths": settings.paths, "windows_ahead": settings.windows_ahead},
        "demand": {**demand_summary(demand_rows), "rows": demand_rows},
        "breach": breach_summary(breach_rows, settings.seed),
        "timings": timed if arguments.skip_timings else {**timed, "benchmark_s": round(time.perf_counter() - begin)},
    }
    results = rounded(results)
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(results, indent=1, sort_keys=False)
    arguments.results.write_text(text + "\n", encoding="utf-8")
    arguments.page.write_text(page(results), encoding="utf-8")
    print(page(results).split("## ")[1])


if __name__ == "__main__":
    main()
