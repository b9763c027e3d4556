"""The product's forecasts beside those of other forecasters, in one run of the external harness.

    python benchmarks/forecasts.py --harness forecast_bench.py --families FAMILIES --results RESULTS
        [--peers-python PYTHON --peers a,b,c --flair-adapter FILE] [--skip-ours] [--only FAMILY,FAMILY]

FAMILIES is a folder with one file a family (`unique_id, ds, y`), RESULTS one in which forecasts are kept: those stored
there by earlier runs, ours or peers', are scored again together with the new ones. `ours` runs in this interpreter,
peers in the one named, each in a process of its own with one thread. Medians of stored forecasts are scored as
ensembles. The harness, the families and the results may also be named by the environment variables
FORECASTING_BENCH_HARNESS, FORECASTING_BENCH_FAMILIES, FORECASTING_BENCH_RESULTS and FORECASTING_BENCH_PEERS_PYTHON.

Writes `benchmarks/results/forecasts.json`, `docs/results-forecasts.md` and `docs/pictures/forecast-calibration.png`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from forecasts_page import OURS, REFERENCE, draw, page
from machine import ONE_THREAD, machine, rounded, versions_of, write_results
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "results-forecasts.md"
PICTURE = ROOT / "docs" / "pictures" / "forecast-calibration.png"
ADAPTER = ROOT / "benchmarks" / "adapters.py"
COMBINATIONS = {
    "median_swa_lgbm_mfles": ("floor_swa", "lgbm_direct_q", "mfles"),
    "median_lgbm_flair_swa_mfles": ("lgbm_direct_q", "flair", "floor_swa", "mfles"),
    "median_ets_theta_ces": ("auto_ets", "theta", "ces"),
}
"""Ensembles of stored forecasts: the median of each quantile."""
PEER_PACKAGES = (
    "statsforecast", "mlforecast", "lightgbm", "prophet", "statsmodels", "scikit-learn", "flaircast", "pandas", "numpy",
)  # fmt: skip
CLIP = (1e-2, 100.0)
"""Bounds of a series' error relative to seasonal naive, as the harness has them."""
DRAWS = 2000
SEED = 20130901


# ---------------------------------------------------------------- running the harness
def run_harness(python: Path, harness: Path, data: Path, results: Path, arguments: Sequence[str]) -> None:
    """Run the harness on one family; its scores and forecasts go to `results`."""
    line = [str(python), str(harness), "--data", str(data), "--out", str(results / f"{data.stem}.json"), *arguments]
    found = subprocess.run(line, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    sys.stderr.write("".join(f"{row}\n" for row in found.stdout.splitlines() if " wall " in row))
    sys.stderr.flush()
    if found.returncode:
        raise SystemExit(f"the harness failed on {data.stem}:\n{found.stderr[-2000:]}")


def run_family(data: Path, given: argparse.Namespace) -> None:
    """Run ours and the peers that were asked for, then score everything stored for the family."""
    store = given.results / "fc" / data.stem
    limit = ["--max-series", str(given.max_series)] if given.max_series else []
    budget = ["--budget-cpu", str(given.budget_cpu), "--no-score"]
    ours = [] if given.skip_ours else [OURS]
    ours += [name for name in (REFERENCE, "floor_swa") if not (store / f"{name}.parquet").exists()]
    # Told to see all series at once, the harness would hand over all of them whatever the limit.
    whole = "" if given.max_series else ":global"
    adapter = ["--adapter", f"{OURS}={given.adapter}:forecast{whole}"]
    if ours:
        names = ["--forecasters", ",".join(ours)]
        for name in ours:
            # What an earlier run left must not be taken for the result of one that failed.
            (store / f"{name}.parquet").unlink(missing_ok=True)
        # All series at once cannot be stopped half-way: ours has the wall time it needs.
        wall = ["--hard-wall", str(given.hard_wall)]
        run_harness(
            Path(sys.executable), given.harness, data, given.results, [*names, *adapter, *budget, *wall, *limit]
        )
        for name in ours:
            if not (store / f"{name}.parquet").exists():
                log = store / f"{name}.parquet.log"
                said = log.read_text(encoding="utf-8")[-2000:] if log.exists() else ""
                raise SystemExit(f"{name} made no forecast of {data.stem}:\n{said}")
    if given.peers:
        flair = ["--adapter", f"flair={given.flair_adapter}:forecast"] if given.flair_adapter else []
        peers = ["--forecasters", given.peers, *flair, *budget, *limit]
        run_harness(given.peers_python, given.harness, data, given.results, peers)
    combined = [f"{name}={'+'.join(members)}" for name, members in COMBINATIONS.items()]
    score = ["--score-only", *(part for one in combined for part in ("--combine", one))]
    run_harness(Path(sys.executable), given.harness, data, given.results, score)


# ---------------------------------------------------------------- statistics
def relative(own: pd.DataFrame, reference: pd.DataFrame, score: str) -> pd.Series[float]:
    """Return each series' error ÷ that of seasonal naive, clipped, for the series that can be scored."""
    base = reference.reindex(own.index)
    usable = own["SQL"].notna() & (base["SQL"] > 0) & (base[score] > 0)
    return (own[score] / base[score])[usable].clip(*CLIP)


def draws_of(logs: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return `DRAWS` bootstrap means over series (with replacement) of values, shape (n,)."""
    random = np.random.default_rng(seed)
    if not len(logs):
        return np.full(DRAWS, np.nan)
    return np.array([logs[random.integers(0, len(logs), len(logs))].mean() for _ in range(DRAWS)])


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % interval of bootstrap draws."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def geometric(values: pd.Series[float], seed: int) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Return the geometric mean with its 95 % interval over series, and its bootstrap draws."""
    logs = np.log(values.to_numpy(dtype=float))
    draws = np.exp(draws_of(logs, seed))
    low, high = interval(draws)
    return {"value": float(np.exp(logs.mean())) if len(logs) else float("nan"), "low": low, "high": high}, draws


def paired(ours: pd.Series[float], other: pd.Series[float], seed: int) -> dict[str, Any]:
    """Return ours ÷ other as a ratio of geometric means over the common series, with its 95 % interval."""
    common = ours.index.intersection(other.index)
    found, _ = geometric(ours[common] / other[common], seed)
    return {"ratio": found["value"], "low": found["low"], "high": found["high"], "series": len(common)}


def shares_below(y: NDArray[np.float64], quantiles: NDArray[np.float64], levels: NDArray[np.float64]) -> Any:
    """Return the share of outcomes below each quantile, shape (levels,); quantiles have shape (outcomes, levels).

    An outcome equal to several quantiles, such as the zeros of a count, counts in part, as in the non-randomised PIT
    of Czado, Gneiting and Held (2009): the mass between the levels around the tie is spread evenly.
    """
    if not len(y):
        return np.full(len(levels), np.nan)
    less, tied = quantiles < y[:, None], quantiles == y[:, None]
    between = np.r_[0.0, (levels[1:] + levels[:-1]) / 2, (levels[-1] + 1) / 2]
    first = less.sum(axis=1)
    low, high = between[first], between[np.minimum(first + tied.sum(axis=1), len(levels))]
    part = (levels[None, :] - low[:, None]) / np.where(high > low, high - low, 1.0)[:, None]
    return np.where(tied, part, ~less).mean(axis=0)


def checked(forecasts: pd.DataFrame, data: pd.DataFrame) -> dict[str, Any]:
    """Count what no forecast may be, and the share of outcomes at or below each quantile.

    Non-finite counts quantiles that are NaN or infinite; below zero counts quantiles under 0 of series that were never
    negative before the first forecast slice.
    """
    levels = [c for c in forecasts.columns if c not in ("unique_id", "ds", "mean", "w")]
    values = forecasts[levels].to_numpy(dtype=float)
    begins = forecasts.groupby("unique_id", observed=True)["ds"].min()
    past = data[data["ds"] < data["unique_id"].map(begins)]
    lowest = past.groupby("unique_id", observed=True)["y"].agg(["min", "max"]).reindex(forecasts["unique_id"])
    least, most = (lowest[c].to_numpy(dtype=float) for c in ("min", "max"))
    slack = 1e-9 * np.maximum(np.abs(most), 1e-12)
    never = least >= 0
    below = never[:, None] & (values < -slack[:, None])
    y = forecasts[["unique_id", "ds"]].merge(data[["unique_id", "ds", "y"]], how="left")["y"].to_numpy(dtype=float)
    known = np.isfinite(values).all(axis=1) & np.isfinite(y)
    shares = shares_below(y[known], values[known], np.array([float(level) for level in levels]))
    return {
        "non_finite": int((~np.isfinite(values)).sum()),
        "below_zero": int(below.sum()),
        "quantiles": int(values.size),
        "share_below": {level: float(share) for level, share in zip(levels, shares, strict=True)},
    }


def family_scores(data: Path, results: Path, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the harness and the bootstrap say of every forecaster of a family, and the bootstrap draws."""
    import pandas as pd

    told = json.loads((results / f"{data.stem}.json").read_text(encoding="utf-8"))
    table = pd.read_parquet(results / f"{data.stem}_per_series.parquet")
    per = {str(name): own.set_index("unique_id") for name, own in table.groupby("forecaster", sort=False)}
    rows = pd.read_parquet(data, columns=["unique_id", "ds", "y"]).astype({"unique_id": str})
    rows["ds"] = rows["ds"].astype("datetime64[ns]")
    sql, mase = ({n: relative(own, per[REFERENCE], s) for n, own in per.items()} for s in ("SQL", "MASE"))
    found: dict[str, Any] = {}
    draws: dict[str, Any] = {}
    for name, own in per.items():
        said = told["results"][name]
        gm_sql, sql_draws = geometric(sql[name], seed)
        gm_mase, mase_draws = geometric(mase[name], seed)
        for what, ours in (("gm_SQL", gm_sql), ("gm_MASE", gm_mase)):
            if said[what] is not None and abs(said[what] - ours["value"]) > 1e-6:
                raise SystemExit(f"{data.stem}, {name}: {what} {ours['value']} is not the harness's {said[what]}")
        stored = results / "fc" / data.stem / f"{name}.parquet"
        row: dict[str, Any] = {
            "series": len(own),
            "series_total": int(rows["unique_id"].nunique()),
            "scored": len(sql[name]),
            "failed": bool(said["error"]),
            "members": said["members"],
            "gm_SQL": gm_sql,
            "gm_MASE": gm_mase,
            "cov80": said["cov80"],
            "cov95": said["cov95"],
            "MSIS": said["MSIS95"],
            "gm_MSIS": said["gm_MSIS95"],
            "cpu_ms": said.get("cpu_ms_per_forecast"),
            "warm_cpu_s": said["warm_cpu_s"],
            "peak_rss_mib": said["peak_rss_mb"],
            "worse_than_naive": float((sql[name] > 1 + 1e-12).mean()),
        }
        if stored.exists():
            forecasts = pd.read_parquet(stored).astype({"unique_id": str})
            forecasts["ds"] = forecasts["ds"].astype("datetime64[ns]")
            row |= checked(forecasts, rows)
        if name != OURS and OURS in per:
            row["ours_vs_it"] = {
                "SQL": paired(sql[OURS], sql[name], seed), "MASE": paired(mase[OURS], mase[name], seed),
            }  # fmt: skip
        found[name] = row
        draws[name] = (sql_draws, mase_draws)
    keys = ("h", "seasons", "windows", "freq")
    return {"series": int(rows["unique_id"].nunique()), **{k: told[k] for k in keys}, "forecasters": found}, draws


def equal_weight(families: dict[str, Any], draws: dict[str, Any]) -> dict[str, Any]:
    """Return the arithmetic mean over families of each forecaster that has something in every family."""
    names = set.intersection(*(set(f["forecasters"]) for f in families.values()))
    order = [n for n in next(iter(families.values()))["forecasters"] if n in names]
    found: dict[str, Any] = {}
    for name in order:
        rows = [f["forecasters"][name] for f in families.values()]
        row: dict[str, Any] = {"partial": any(r["series"] < r["series_total"] for r in rows)}
        for at, score in enumerate(("gm_SQL", "gm_MASE")):
            low, high = interval(np.mean([draws[f][name][at] for f in families], axis=0))
            row[score] = {"value": float(np.mean([r[score]["value"] for r in rows])), "low": low, "high": high}
        costs = [r["cpu_ms"] for r in rows]
        row["cpu_ms"] = float(np.mean(costs)) if all(c is not None for c in costs) else None
        weights = np.array([r["scored"] for r in rows], dtype=float)
        for key in ("cov80", "cov95", "worse_than_naive"):
            row[key] = float(np.mean([r[key] for r in rows]))
            row[f"{key}_by_series"] = float(np.average([r[key] for r in rows], weights=weights))
        for key in ("non_finite", "below_zero"):
            row[key] = sum(r[key] for r in rows) if all(key in r for r in rows) else None
        found[name] = row
    return found


def collect(files: Sequence[Path], results: Path, seed: int = SEED) -> dict[str, Any]:
    """Return the families' scores and the equal-weight row from scored results."""
    families, draws = {}, {}
    for at, data in enumerate(files):
        families[data.stem], draws[data.stem] = family_scores(data, results, seed + at)
    return {"families": families, "equal_weight": equal_weight(families, draws)}


# ---------------------------------------------------------------- the run
def named(value: Path | None, what: str, variable: str) -> Path:
    """Return a path that was given and exists, or stop with what to do."""
    if value is None:
        raise SystemExit(f"{what} is not named: give it as an argument or set {variable}; nothing was measured")
    if not value.exists():
        raise SystemExit(f"{what} is not at {value}: give it as an argument or set {variable}; nothing was measured")
    return value.resolve()


def variable(name: str) -> Path | None:
    """Return the path in an environment variable, None where it is not set."""
    return Path(os.environ[name]) if os.environ.get(name) else None


def command(arguments: Sequence[str]) -> str:
    """Return the command as it was given, paths by their last part only."""
    shown = [part.rstrip("/").rsplit("/", 1)[-1] if part.startswith(("/", ".", "~")) else part for part in arguments]
    return " ".join(["python benchmarks/forecasts.py", *shown])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    env = "FORECASTING_BENCH_"
    parser.add_argument("--harness", type=Path, default=variable(f"{env}HARNESS"), help="forecast_bench.py")
    parser.add_argument("--families", type=Path, default=variable(f"{env}FAMILIES"), help="folder of family files")
    parser.add_argument("--results", type=Path, default=variable(f"{env}RESULTS"), help="folder of kept forecasts")
    parser.add_argument("--only", help="families, comma separated")
    parser.add_argument("--skip-ours", action="store_true", help="score what is stored; do not run ours again")
    parser.add_argument(
        "--adapter", type=Path, default=ADAPTER, help="another file with `forecast`, to compare versions"
    )
    parser.add_argument("--peers-python", type=Path, default=variable(f"{env}PEERS_PYTHON"))
    parser.add_argument("--peers", default="", help="peers to run, comma separated; without it stored ones are scored")
    parser.add_argument("--flair-adapter", type=Path)
    parser.add_argument("--budget-cpu", type=float, default=480.0, help="CPU seconds a peer has per family")
    parser.add_argument("--hard-wall", type=float, default=14_400.0, help="seconds ours has per family")
    parser.add_argument("--max-series", type=int, default=0, help="only the first series (to try the tooling)")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat(), help="date printed in the results")
    parser.add_argument("--out", type=Path, default=RESULTS / "forecasts.json")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--page-only", action="store_true", help="page and picture again from the kept results")
    given = parser.parse_args(arguments)
    given.date = date.fromisoformat(given.date).isoformat()
    if given.peers and given.peers_python is None:
        parser.error("--peers needs --peers-python, the interpreter of the peers' environment")
    for key in ("adapter", "flair_adapter", "peers_python"):
        # Not resolved: the python of a virtual environment is a link whose own place matters.
        path = getattr(given, key)
        setattr(given, key, path and Path(os.path.abspath(path)))
    return given


def measure(given: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    """Run, score and collect everything."""
    given.harness = named(given.harness, "the harness forecast_bench.py", "FORECASTING_BENCH_HARNESS")
    given.families = named(given.families, "the folder of families", "FORECASTING_BENCH_FAMILIES")
    if given.results is None:
        raise SystemExit("give --results or set FORECASTING_BENCH_RESULTS: a folder in which forecasts are kept")
    given.results.mkdir(parents=True, exist_ok=True)
    given.results = given.results.resolve()
    files = sorted(given.families.glob("*.parquet"))
    if given.only:
        files = [f for f in files if f.stem in given.only.split(",")]
    if not files:
        raise SystemExit(f"no family (*.parquet) in {given.families}")
    before = machine()
    for data in files:
        run_family(data, given)
    peers = versions_of(given.peers_python, PEER_PACKAGES) if given.peers_python else {}
    return {
        "command": command(arguments),
        "date": given.date,
        "machine": before,
        "peers": peers,
        "seed": SEED,
        "draws": DRAWS,
        "max_series": given.max_series,
        **collect(files, given.results),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the results, the page and the picture."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = parse(arguments)
    if given.page_only:
        results = json.loads(given.out.read_text(encoding="utf-8"))
    else:
        results = rounded(measure(given, arguments))
        write_results(given.out, results)
    beside = {
        name: json.loads(path.read_text(encoding="utf-8"))
        if (path := given.out.parent / f"{name}.json").exists()
        else {}
        for name in ("forecast_cost", "m4")
    }
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    draw(results, given.picture)
    picture = os.path.relpath(given.picture, given.page.parent)
    text = page(results, cost=beside["forecast_cost"], m4=beside["m4"], picture=Path(picture).as_posix())
    given.page.write_text(text, encoding="utf-8")
    print(text.split("## ")[1])


if __name__ == "__main__":
    main()
