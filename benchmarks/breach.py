"""The product's P(breach) beside simple rules, in one run of the external harness.

    python benchmarks/breach.py --harness breach_bench.py --data DATA [--results FOLDER] [--only SET,SET]
        [--seeds 0,7] [--page-only]

The harness asks the product's own path (`benchmarks/adapters.py:forecast_breach`) and its baselines the same questions
about past windows, each with what was known then. Statements are kept in `--results`, one file a set and seed, so that
sets may be run apart and the page written again without running anything. The harness and the data may also be named
by the environment variables FORECASTING_BENCH_BREACH and FORECASTING_BENCH_DATA.

Writes `benchmarks/results/breach.json`, `docs/results-breach.md` and `docs/pictures/breach-reliability.png`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from breach_page import OURS, draw, page
from machine import ONE_THREAD, machine, rounded, write_results

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "benchmarks" / "results" / "breach.json"
COST = ROOT / "benchmarks" / "results" / "breach_cost.json"
PAGE = ROOT / "docs" / "results-breach.md"
PICTURE = ROOT / "docs" / "pictures" / "breach-reliability.png"
REAL = ("airports", "emergency_2016", "emergency_2021", "emergency_q", "call_centre")
MADE = ("sim_stationary", "sim_drift", "sim_small")
BASELINES = (
    "climatology", "service_climatology", "extrapolation", "persistence", "iid_binomial", "block_bootstrap",
    "recent_bootstrap",
)  # fmt: skip
SCORES = ("brier", "skill", "logloss", "ece", "pr_auc")
BINS = 5
DRAWS = 2000
SEED = 20130901


def load(path: Path, name: str) -> ModuleType:
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"--harness: {path} is not a Python file")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def state(harness: ModuleType, data: Path, name: str, seed: int, kept: Path) -> None:
    """Ask every question of a set and keep the statements."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    from adapters import forecast_breach

    asked = harness.SETS[name](str(data), seed=seed)
    began = time.process_time()
    rows, cpu = harness.run(asked, {**harness.MODELS, OURS: forecast_breach}, seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    rows.attrs = {}
    rows.assign(cpu_ours=cpu[OURS]).to_parquet(kept)
    print(f"{name}:{seed} {len(rows)} statements, {time.process_time() - began:.0f} s of CPU", file=sys.stderr)


def judge(harness: ModuleType, rows: pd.DataFrame) -> dict[str, Any]:
    """Score the statements of a set that were open, beside its baselines."""
    scored = harness.score(rows.drop(columns="cpu_ours"), DRAWS)
    names = [c[2:] for c in map(str, rows.columns) if c.startswith("p_")]
    windows = sorted(rows["w"].unique())
    open_ = rows[(rows["w"] >= windows[len(windows) // 3]) & rows["open"]].dropna(subset=[f"p_{n}" for n in names])
    best = scored["best_baseline"]
    ours, rule = scored["scores"][OURS], scored["scores"][best]
    p, y = open_[f"p_{OURS}"].to_numpy(), open_["y"].to_numpy()
    return {
        "statements": scored["n"], "services": scored["services"], "windows": scored["windows"],
        "missed": scored["breach"], "best": best,
        "ratio": ours["brier"] / rule["brier"], "low": ours["d_best"][2], "high": ours["d_best"][3],
        "scores": {n: {k: s[k] for k in SCORES} for n, s in scored["scores"].items()},
        "bins": bins(p, y, open_["service"].to_numpy(), open_["w"].to_numpy()),
        "ece_by_luck": ece_by_luck(harness, p, open_["service"].to_numpy(), open_["w"].to_numpy()),
        "ms_a_statement": 1000 * float(rows["cpu_ours"].iloc[0]) / len(rows),
    }  # fmt: skip


def bins(
    p: NDArray[np.float64], y: NDArray[np.float64], service: NDArray[Any], window: NDArray[Any]
) -> list[dict[str, float]]:
    """Return stated against observed by size, with 90 % intervals of a bootstrap over services and windows."""
    random = np.random.default_rng(SEED)
    _, of_service = np.unique(service, return_inverse=True)
    _, of_window = np.unique(window, return_inverse=True)
    found = []
    for part in np.array_split(np.argsort(p, kind="stable"), BINS):
        seen = []
        for _ in range(500):
            weight = np.ones(len(part))
            for ids in (of_service, of_window):
                counts = np.bincount(random.integers(0, ids.max() + 1, ids.max() + 1), minlength=ids.max() + 1)
                weight = weight * counts[ids[part]]
            if weight.sum() > 0:
                seen.append(float((weight * y[part]).sum() / weight.sum()))
        low, high = np.quantile(seen, [0.05, 0.95])
        found.append(
            {"stated": float(p[part].mean()), "observed": float(y[part].mean()), "count": len(part),
             "low": float(low), "high": float(high)}
        )  # fmt: skip
    return found


def ece_by_luck(harness: ModuleType, p: NDArray[np.float64], service: NDArray[Any], window: NDArray[Any]) -> float:
    """Return the mean calibration error that exactly right probabilities would show on as many statements.

    The statements about one window of one service have one outcome; windows are taken as independent, so that
    shocks common to services come on top.
    """
    random = np.random.default_rng(SEED)
    _, one = np.unique(np.char.add(service.astype(str), window.astype(str)), return_inverse=True)
    drawn = [harness.ece(p, (random.random(one.max() + 1)[one] < p).astype(float)) for _ in range(200)]
    return float(np.mean(drawn))


def main() -> None:
    """Run what is missing, score everything kept, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", default=os.environ.get("FORECASTING_BENCH_BREACH"))
    parser.add_argument("--data", default=os.environ.get("FORECASTING_BENCH_DATA"))
    parser.add_argument("--results", default=str(ROOT / "build" / "bench-breach"))
    parser.add_argument("--only", default=",".join((*REAL, *MADE)))
    parser.add_argument("--seeds", default="0", help="of the made-up sets")
    parser.add_argument("--page-only", action="store_true", help="score what is kept; run nothing")
    parser.add_argument("--no-page", action="store_true", help="run and keep; write nothing else")
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    given = parser.parse_args()
    if not given.harness or not given.data:
        raise SystemExit("--harness breach_bench.py and --data DATA are needed (or FORECASTING_BENCH_BREACH, _DATA)")
    os.environ.update(ONE_THREAD)
    harness, kept, made = load(Path(given.harness), "breach_bench"), Path(given.results), machine()
    seeds = [int(s) for s in given.seeds.split(",")]
    wanted = [(n, s) for n in given.only.split(",") for s in (seeds if n in MADE else (0,))]
    if unknown := [n for n, _ in wanted if n not in harness.SETS]:
        raise SystemExit(f"--only: {', '.join(unknown)} not among {', '.join(harness.SETS)}")
    if not given.page_only:
        for name, seed in wanted:
            state(harness, Path(given.data), name, seed, kept / f"{name}_{seed}.parquet")
    if given.no_page:
        return
    import pandas as pd

    found: dict[str, Any] = {}
    for name in (*REAL, *MADE):
        files = sorted(kept.glob(f"{name}_*.parquet"))
        for file in files:
            seed = int(file.stem.rsplit("_", 1)[1])
            found[name if seed == 0 else f"{name} (seed {seed})"] = judge(harness, pd.read_parquet(file))
    if not found:
        raise SystemExit(f"nothing is kept in {kept}: run without --page-only")
    results = rounded({"date": given.date.isoformat(), "machine": made, "sets": found})
    write_results(OUT, results)
    draw(results, PICTURE)
    cost = json.loads(COST.read_text(encoding="utf-8")) if COST.exists() else None
    PAGE.write_text(page(results, picture=f"pictures/{PICTURE.name}", cost=cost), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
