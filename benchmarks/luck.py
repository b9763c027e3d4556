"""How many series a forecaster would lose to seasonal naive by luck alone, if its distributions were exactly right.

    python benchmarks/luck.py --results RESULTS [--only FAMILY,FAMILY]

RESULTS is the folder in which `benchmarks/forecasts.py` keeps forecasts. Outcomes are drawn from our own quantiles,
with errors of one window correlated by 0, 0.5 and 0.9; printed is the share of series on which the quantile loss of
seasonal naive is the smaller one: what no forecaster with these distributions can stay below, over so few windows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

LEVELS = np.array([0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975])
SCORED = slice(1, 10)
DRAWS = 20
SEED = 20130901


def loss(outcome: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the scored levels of twice the pinball loss, shape (rows,)."""
    off = outcome[:, None] - quantiles
    return np.asarray((2 * np.maximum(LEVELS * off, (LEVELS - 1) * off))[:, SCORED].mean(axis=1))


def drawn(
    quantiles: NDArray[np.float64], window: NDArray[np.int64], rho: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Outcomes from the quantiles, their normal scores correlated by `rho` within a window."""
    common = rng.standard_normal(int(window.max()) + 1)[window]
    share = norm.cdf(np.sqrt(rho) * common + np.sqrt(1 - rho) * rng.standard_normal(len(window)))
    place = np.clip(np.searchsorted(LEVELS, share) - 1, 0, len(LEVELS) - 2)
    part = np.clip((share - LEVELS[place]) / (LEVELS[place + 1] - LEVELS[place]), -0.5, 1.5)
    rows = np.arange(len(window))
    low, high = quantiles[rows, place], quantiles[rows, place + 1]
    return np.asarray(low + part * (high - low))


def shares(folder: Path) -> list[float]:
    """Share of series of one family lost by luck at each correlation."""
    keys, columns = ["unique_id", "ds", "w"], [str(level) for level in LEVELS]
    own = pd.read_parquet(folder / "ours.parquet").sort_values(["unique_id", "w", "ds"])
    naive = own[keys].merge(pd.read_parquet(folder / "seasonal_naive.parquet"), on=keys, how="left")
    ours, base = own[columns].to_numpy(), naive[columns].to_numpy()
    series, _ = pd.factorize(own["unique_id"])
    window = own.groupby(["unique_id", "w"], sort=False).ngroup().to_numpy()
    rng = np.random.default_rng(SEED)
    found = []
    for rho in (0.0, 0.5, 0.9):
        lost = []
        for _ in range(DRAWS):
            outcome = drawn(ours, window, rho, rng)
            lost.append(np.bincount(series, loss(outcome, ours)) > np.bincount(series, loss(outcome, base)))
        found.append(float(np.mean(lost)))
    return found


def main() -> None:
    """Print a line a family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    only = set(filter(None, given.only.split(",")))
    for folder in sorted((given.results / "fc").iterdir()):
        if folder.is_dir() and (not only or folder.name in only):
            texts = [f"{share:.1%}" for share in shares(folder)]
            print(f"{folder.name}: worse than seasonal naive by luck {', '.join(texts)} (correlation 0, 0.5, 0.9)")


if __name__ == "__main__":
    main()
