"""What a forecast costs: CPU, wall time and memory by number of series and length, through the product's batch path.

    python benchmarks/forecast_cost.py [--series 1000,10000,100000] [--lengths 500,1000,2000,4000]
    python benchmarks/forecast_cost.py --series 1000000 --lengths 1000 --progress FILE   # resumable, in the background

Hourly series of several realistic shapes are made from a fixed seed, a partition at a time; each partition is forecast
by `forecast_batch` with the default settings and dropped, so that memory does not grow. Each case runs in a process of
its own with one thread; seasonal naive takes the same path as the baseline. Numbers of series are measured at the first
length named with 1,000 (or the first), lengths at the smallest number of series. With `--progress` every partition
appends a line of JSON to that file, and a case that was stopped goes on where it was. Cases add to those that
`benchmarks/results/forecast_cost.json` already holds when `--keep` is given.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import ONE_THREAD, machine, write_results
from numpy.typing import NDArray

if TYPE_CHECKING:
    from forecasting.forecasts.engine import ForecastTask
    from forecasting.terms.history import Series
    from forecasting.terms.learned import Learned

OUT = Path(__file__).resolve().parent / "results" / "forecast_cost.json"
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SEED = 20260105
NAIVE = "seasonal_naive"
DEFAULT = "default"
QUANTILES = "quantiles"
"""The default path without drawing paths."""
LEVELS = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
BASELINE_UP_TO = 10_000
"""Series up to which the baseline is measured too."""


# ---------------------------------------------------------------- made series
def _waves(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A daily and a weekly profile around 1."""
    day = 0.5 * np.sin(2 * np.pi * (hours / 24 - rng.uniform())) + 0.15 * np.sin(
        4 * np.pi * (hours / 24 - rng.uniform())
    )
    week = np.where((hours // 24) % 7 >= 5, rng.uniform(0.4, 1.1), 1.0)
    return np.asarray(np.maximum((1 + day) * week, 0.02))


def _web(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Requests: day and week, Poisson around a wandering level."""
    level = np.exp(np.cumsum(rng.normal(0, 0.01, len(hours))))
    return rng.poisson(rng.lognormal(5, 1) * level * _waves(hours, rng)).astype(np.float64)


def _office(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Calls in office hours: zero at night and on Sundays."""
    open_ = ((hours % 24) >= 8) & ((hours % 24) < 18) & ((hours // 24) % 7 < 6)
    return rng.poisson(rng.lognormal(3, 0.7) * open_ * _waves(hours, rng)).astype(np.float64)


def _growth(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Stored data with growth and a weekly clean-up."""
    slope = rng.lognormal(-2, 0.5)
    return np.asarray(100 + slope * hours - 10 * ((hours % 168) / 168) + rng.normal(0, 0.5, len(hours)))


def _shifts(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Utilisation with level shifts and autocorrelated noise, as a share."""
    level = rng.uniform(0.2, 0.7, 4)[np.minimum((hours * 4 // len(hours)).astype(int), 3)]
    noise = rng.normal(0, 0.02, len(hours) + 48)
    smooth = np.convolve(noise, 0.93 ** np.arange(49), mode="valid")
    return np.asarray(np.clip(level * (0.8 + 0.2 * _waves(hours, rng)) + smooth, 0, 1))


def _rare(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Incidents: mostly zero."""
    return rng.poisson(rng.uniform(0.02, 0.4) * _waves(hours, rng)).astype(np.float64)


def _latency(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Latency: skewed, follows the load, with bursts."""
    bursts = np.where(rng.uniform(size=len(hours)) < 0.01, rng.pareto(2.5, len(hours)) + 1, 1.0)
    load = 0.7 + 0.3 * _waves(hours, rng)
    return np.asarray(rng.lognormal(4, 0.5) * load * rng.lognormal(0, 0.15, len(hours)) * bursts)


def _success(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Share of good events, close to one."""
    total = np.maximum(rng.poisson(2000 * _waves(hours, rng)), 1)
    return np.asarray(1 - rng.binomial(total, rng.lognormal(-6, 0.5)) / total)


def _gaps(hours: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """A queue that is measured with gaps."""
    values = rng.lognormal(3, 0.3) * _waves(hours, rng) * rng.lognormal(0, 0.2, len(hours))
    values[rng.uniform(size=len(hours)) < 0.02] = np.nan
    begin = int(rng.integers(0, max(len(hours) - 36, 1)))
    values[begin : begin + 12] = np.nan
    return np.asarray(values)


SHAPES: tuple[tuple[str, str, Callable[[NDArray[np.float64], np.random.Generator], NDArray[np.float64]]], ...] = (
    ("requests", "count", _web),
    ("calls", "count", _office),
    ("stored", "non_negative", _growth),
    ("utilisation", "ratio", _shifts),
    ("incidents", "count", _rare),
    ("latency", "non_negative", _latency),
    ("success", "ratio", _success),
    ("queue", "non_negative", _gaps),
)


def make_series(index: int, length: int) -> Series:
    """Make one series; the same index and length give the same values in every partition."""
    from forecasting.terms.history import Metric, MetricKind, Series

    name, kind, make = SHAPES[index % len(SHAPES)]
    values = make(np.arange(length, dtype=np.float64), np.random.default_rng((SEED, index, length)))
    metric = Metric(name=name, kind=MetricKind(kind), step=HOUR)
    return Series(service=f"service-{index:07d}", metric=metric, start=START, step=HOUR, values=values)


# ---------------------------------------------------------------- one case, in a process of its own
def task_of(series: Sequence[Series], horizon: int, models: str, learned: Learned | None = None) -> ForecastTask:
    """Return the task that a run of the product makes of these series."""
    from forecasting import Settings
    from forecasting.forecasts.engine import ForecastTask

    settings = Settings()
    return ForecastTask(
        series=tuple(series),
        horizon=horizon,
        models=settings.models if models in (DEFAULT, QUANTILES) else tuple(models.split(",")),
        learned=learned,
        countries=("",) * len(series),
        n_paths=settings.paths,
        seed=settings.seed,
        origins=settings.origins,
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
    )


def peak_mib() -> float:
    """Return the peak resident memory of this process alone."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):  # not Linux: what the process began with may count too
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def learn_first(count: int, length: int, horizon: int, models: str) -> tuple[Learned, float, float]:
    """Learn from the first series of a case; the state, and CPU and wall seconds."""
    from forecasting.forecasts.engine import learn
    from forecasting.terms.errors import Excuse

    task = task_of([make_series(i, length) for i in range(count)], horizon, models)
    wall, cpu = time.perf_counter(), time.process_time()
    state = learn(task)
    if isinstance(state, Excuse):
        raise SystemExit(state.reason)
    return state, time.process_time() - cpu, time.perf_counter() - wall


def forecast_partition(
    first: int, count: int, length: int, horizon: int, models: str, learned: Learned | None = None
) -> dict[str, Any]:
    """Make, forecast and drop one partition; only forecasting is timed."""
    from forecasting.forecasts.engine import forecast_batch, forecast_quantiles
    from forecasting.terms.errors import Excuse

    task = task_of([make_series(i, length) for i in range(first, first + count)], horizon, models, learned)
    wall, cpu = time.perf_counter(), time.process_time()
    if models == QUANTILES:
        rows = forecast_quantiles(task, LEVELS)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        known = [row for row in rows if not isinstance(row, Excuse)]
        return {
            "first": first, "count": count, "cpu_s": cpu, "wall_s": wall, "peak_mib": peak_mib(),
            "declined": count - len(known), "fallbacks": 0,
            "not_finite": int(sum((~np.isfinite(row)).sum() for row in known)),
            "out_of_bounds": int(sum((row < 0).sum() for row in known)),
        }  # fmt: skip
    answers = forecast_batch(task)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_mib()
    declined = not_finite = outside = fallbacks = 0
    for answer in answers:
        if isinstance(answer, Excuse):
            declined += 1
            continue
        low, high = answer.metric.kind.bounds
        fallbacks += answer.fallback is not None
        not_finite += int((~np.isfinite(answer.paths)).sum())
        outside += int((answer.paths < (-math.inf if low is None else low)).sum())
        outside += int((answer.paths > (math.inf if high is None else high)).sum())
    return {
        "first": first, "count": count, "cpu_s": cpu, "wall_s": wall, "peak_mib": peak, "declined": declined,
        "fallbacks": fallbacks, "not_finite": not_finite, "out_of_bounds": outside,
    }  # fmt: skip


def case_key(given: argparse.Namespace) -> dict[str, Any]:
    """Return what makes a line of progress part of a case."""
    from forecasting import __version__

    return {
        "series": given.case_series, "length": given.case_length, "horizon": given.horizon,
        "partition": given.partition, "models": given.case_models, "forecasting": __version__,
    }  # fmt: skip


def lines_of(path: Path, key: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a case; the last one may have been cut when the process was stopped."""
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            continue
        if line["case"] == key:
            yield line


def run_case(given: argparse.Namespace) -> None:
    """Forecast the partitions of a case that are not in the progress file yet, a line each."""
    key = case_key(given)
    done = {line["first"] for line in lines_of(given.progress, key)}
    total, began, run = given.case_series, time.perf_counter(), 0
    # Imports and what is computed once per process are not part of the cost of a series.
    forecast_partition(0, min(len(SHAPES), total), given.case_length, given.horizon, given.case_models)
    warm = time.process_time()
    with given.progress.open("a+b") as stream:
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a line was cut
                stream.write(b"\n")
    learned, cpu, wall = None, 0.0, 0.0
    if total > given.partition and given.case_models in (DEFAULT, QUANTILES) and len(done) * given.partition < total:
        # What a run over very many series does: learn from some of them, forecast all with that, part by part.
        learned, cpu, wall = learn_first(given.partition, given.case_length, given.horizon, given.case_models)
    for first in range(0, total, given.partition):
        if first in done:
            continue
        count = min(given.partition, total - first)
        found = forecast_partition(first, count, given.case_length, given.horizon, given.case_models, learned)
        found["cpu_s"] += cpu
        found["wall_s"] += wall
        cpu = wall = 0.0
        line = {"case": key, **found, "warm_cpu_s": warm}
        with given.progress.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        run += count
        speed = run / (time.perf_counter() - began)
        left = (total - first - count) / speed
        print(
            f"{given.case_models}, length {given.case_length}: {first + count:,} of {total:,} series, "
            f"{1000 * found['cpu_s'] / count:.2f} CPU ms a series, peak {found['peak_mib']:,.0f} MiB, "
            f"{left / 60:.0f} min to go",
            file=sys.stderr,
            flush=True,
        )


# ---------------------------------------------------------------- all cases
def run_and_sum(series: int, length: int, models: str, given: argparse.Namespace, progress: Path) -> dict[str, Any]:
    """Run one case in a process of its own and add up its partitions."""
    arguments = [
        "--case-series", series, "--case-length", length, "--case-models", models,
        "--horizon", given.horizon, "--partition", given.partition, "--progress", progress,
    ]  # fmt: skip
    line = [sys.executable, __file__, *map(str, arguments)]
    subprocess.run(line, check=True, env={**os.environ, **ONE_THREAD})
    own = argparse.Namespace(
        case_series=series, case_length=length, case_models=models, horizon=given.horizon, partition=given.partition
    )
    lines = list(lines_of(progress, case_key(own)))
    done = sum(part["count"] for part in lines)
    if done != series:
        raise SystemExit(f"{done} of {series} series in {progress}: remove it and measure again")
    cpu, wall = sum(part["cpu_s"] for part in lines), sum(part["wall_s"] for part in lines)
    return {
        "series": series,
        "length": length,
        "models": models,
        "cpu_ms_a_series": 1000 * cpu / series,
        "cpu_s": cpu,
        "wall_s": wall,
        "warm_cpu_s": lines[0]["warm_cpu_s"],
        "peak_mib_first": lines[0]["peak_mib"],
        "peak_mib": max(part["peak_mib"] for part in lines),
        **{k: sum(part[k] for part in lines) for k in ("declined", "fallbacks", "not_finite", "out_of_bounds")},
    }


def linear(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """Fit y = a + b·x by least squares relative to y, and the exponent of y ~ x^p.

    Examples
    --------
    >>> {k: round(v, 6) for k, v in linear([1.0, 10.0, 100.0], [3.0, 21.0, 201.0]).items()}
    {'intercept': 1.0, 'slope': 2.0, 'worst': 0.0, 'exponent': 0.913027}
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    # Relative errors: otherwise the largest case alone would set the line.
    (a, b), *_ = np.linalg.lstsq(np.stack([1 / ys, xs / ys], axis=1), np.ones(len(ys)), rcond=None)
    exponent = np.polyfit(np.log(xs), np.log(ys), 1)[0]
    worst = float(np.max(np.abs((a + b * xs) / ys - 1)))
    return {"intercept": float(a), "slope": float(b), "worst": worst, "exponent": float(exponent)}


def fits_of(cases: Sequence[dict[str, Any]], models: str) -> tuple[dict[str, Any], list[str]]:
    """Return the fits of CPU time over series and over length, and what they say in words."""
    own = [c for c in cases if c["models"] == models]
    found: dict[str, Any] = {}
    says: list[str] = []
    length = max((c["length"] for c in own), key=lambda n: sum(c["length"] == n for c in own), default=0)
    by_series = sorted((c for c in own if c["length"] == length), key=lambda c: int(c["series"]))
    if len(by_series) >= 2:
        fit = linear([c["series"] for c in by_series], [c["cpu_s"] for c in by_series])
        found["by_series"] = {"length": length, **fit}
        million = fit["intercept"] + fit["slope"] * 1e6
        found["million_cpu_s"] = million
        measured = max(c["series"] for c in by_series)
        says.append(
            f"CPU over series at length {length:,}: {fit['intercept']:.1f} s + {1000 * fit['slope']:.2f} ms a series "
            f"(worst case {100 * fit['worst']:.0f} % off the line; exponent {fit['exponent']:.2f}). "
            + (f"Extrapolated: 1,000,000 series {million / 3600:.1f} CPU hours." if measured < 1e6 else "")
        )
    count = min((c["series"] for c in own), default=0)
    by_length = sorted((c for c in own if c["series"] == count), key=lambda c: int(c["length"]))
    if len(by_length) >= 2:
        fit = linear([c["length"] for c in by_length], [c["cpu_ms_a_series"] for c in by_length])
        found["by_length"] = {"series": count, **fit}
        says.append(
            f"CPU over length at {count:,} series: {fit['intercept']:.2f} ms + {1000 * fit['slope']:.2f} ms per 1,000 "
            f"slices (worst case {100 * fit['worst']:.0f} % off the line; exponent {fit['exponent']:.2f})."
        )
    return found, says


def baselines(cases: list[dict[str, Any]]) -> None:
    """Add to each case how many times seasonal naive costs as much."""
    naive = {(c["series"], c["length"]): c["cpu_ms_a_series"] for c in cases if c["models"] == NAIVE}
    for case in cases:
        base = naive.get((case["series"], case["length"]))
        case["times_naive"] = case["cpu_ms_a_series"] / base if base and case["models"] != NAIVE else None


def whole_numbers(text: str) -> list[int]:
    """Read ``1000,10000``."""
    return [int(part.replace("_", "")) for part in text.split(",")]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=whole_numbers, default=[1_000, 10_000, 100_000])
    parser.add_argument("--lengths", type=whole_numbers, default=[500, 1_000, 2_000, 4_000])
    parser.add_argument("--horizon", type=int, default=48)
    parser.add_argument("--partition", type=int, default=250, help="series at a time (2,000 paths of 48 are 0.8 MB)")
    parser.add_argument("--models", default=DEFAULT, help="default: those of the settings")
    parser.add_argument("--baseline-up-to", type=int, default=BASELINE_UP_TO)
    parser.add_argument("--progress", type=Path, help="file of JSON lines; a stopped run goes on where it was")
    parser.add_argument("--keep", action="store_true", help="keep the other cases of the last results")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat(), help="date printed in the results")
    parser.add_argument("--out", type=Path, default=OUT)
    for hidden, kind in (("--case-series", int), ("--case-length", int), ("--case-models", str)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    given.date = date.fromisoformat(given.date).isoformat()
    return given


def measure(given: argparse.Namespace, arguments: Sequence[str], progress: Path) -> dict[str, Any]:
    """Run every case that was asked for."""
    from forecasting import Settings

    before = machine()
    at = 1_000 if 1_000 in given.lengths else given.lengths[0]
    wanted = [(n, at) for n in given.series]
    wanted += [(min(given.series), length) for length in given.lengths if length != at]
    cases = []
    for series, length in wanted:
        if series <= given.baseline_up_to and given.models != NAIVE:
            cases.append(run_and_sum(series, length, NAIVE, given, progress))
        cases.append(run_and_sum(series, length, given.models, given, progress))
    if given.keep and given.out.exists():
        new = {(c["series"], c["length"], c["models"]) for c in cases}
        old = json.loads(given.out.read_text(encoding="utf-8"))["cases"]
        cases += [c for c in old if (c["series"], c["length"], c["models"]) not in new]
    cases.sort(key=lambda c: (c["models"] == NAIVE, c["length"] != at, c["length"], c["series"]))
    baselines(cases)
    fits, says = fits_of(cases, given.models)
    shown = [part.rsplit("/", 1)[-1] if part.startswith(("/", ".", "~")) else part for part in arguments]
    return {
        "command": " ".join(["python benchmarks/forecast_cost.py", *shown]),
        "date": given.date,
        "machine": before,
        "horizon": given.horizon,
        "paths": Settings().paths,
        "partition": given.partition,
        "shapes": len(SHAPES),
        "cases": cases,
        "fit": fits,
        "fits": says,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = parse(arguments)
    if given.case_series:
        run_case(given)
        return
    with tempfile.TemporaryDirectory(prefix="forecasting-cost-") as temporary:
        progress = given.progress.resolve() if given.progress else Path(temporary) / "progress.jsonl"
        results = measure(given, arguments, progress)
    write_results(given.out, results)
    for case in results["cases"]:
        ratio = f", {case['times_naive']:.1f} × naive" if case["times_naive"] else ""
        print(
            f"{case['series']:,} × {case['length']:,} {case['models']}: {case['cpu_ms_a_series']:.2f} CPU ms a series"
            f"{ratio}, wall {case['wall_s']:.1f} s, peak {case['peak_mib']:,.0f} MiB"
        )
    print("\n".join(results["fits"]))


if __name__ == "__main__":
    main()
