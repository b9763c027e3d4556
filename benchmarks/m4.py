"""The M4 competition's scores of the product's forecasts, beside the published ones.

    python benchmarks/m4.py --data FOLDER [--max-series N] [--only weekly]

FOLDER (or the environment variable FORECASTING_BENCH_DATA) holds `m4_weekly.parquet`, `m4_hourly.parquet` (series_id,
timestamp, value, split) and `m4_results.csv` (method, measure, frequency, score: what the competition published). Each
series is forecast by the same function that every benchmark uses, the product's default path. sMAPE, MASE, OWA and
MSIS follow the competition: Makridakis, Spiliotis and Assimakopoulos (2020), "The M4 Competition: 100,000 time series
and 61 forecasting methods", International Journal of Forecasting 36; Naive2 with its test of seasonality at 90 % and
classical multiplicative decomposition. Before anything of ours is scored, the scores of Naive are made again from the
data and must be the published ones. Writes `benchmarks/results/m4.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from machine import ONE_THREAD, machine, write_results
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

OUT = Path(__file__).resolve().parent / "results" / "m4.json"
Values = NDArray[np.float64]
CRITICAL = 1.645
"""Of the normal distribution, for a test at 90 %."""
Z95 = NormalDist().inv_cdf(0.975)
EXACT = 5e-4
"""Published scores have three digits."""


@dataclass(frozen=True, kw_only=True)
class Frequency:
    """One frequency of the competition."""

    name: str
    file: str
    horizon: int
    period: int
    """The competition's seasonal period: 1 for weekly series."""
    freq: str
    seasons: tuple[int, ...]


WEEKLY = Frequency(name="Weekly", file="m4_weekly", horizon=13, period=1, freq="7D", seasons=(52,))
HOURLY = Frequency(name="Hourly", file="m4_hourly", horizon=48, period=24, freq="h", seasons=(24, 168))


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """Point forecast and 95 % interval of one series."""

    point: Values
    lower: Values
    upper: Values


# ---------------------------------------------------------------- the competition's benchmarks
def is_seasonal(values: Values, period: int) -> bool:
    """Test for seasonality at 90 %: |autocorrelation at `period`| against Bartlett's limit, as the competition did.

    Shorter than three periods, or than a correlogram of 10·log10(n) lags reaches, counts as not seasonal.
    """
    n = len(values)
    if period <= 1 or n < 3 * period or period > int(10 * np.log10(n)):
        return False
    x = values - values.mean()
    total = float(x @ x)
    if total == 0:
        return False
    acf = np.array([float(x[lag:] @ x[: n - lag]) / total for lag in range(1, period + 1)])
    limit = CRITICAL / np.sqrt(n) * np.sqrt(1 + 2 * float(np.sum(acf[:-1] ** 2)))
    return bool(abs(acf[-1]) > limit)


def seasonal_indices(values: Values, period: int) -> Values:
    """Return the seasonal indices of the first `period` slices by classical multiplicative decomposition."""
    weights = np.ones(period) if period % 2 else np.r_[0.5, np.ones(period - 1), 0.5]
    half = len(weights) // 2
    trend = np.full(len(values), np.nan)
    trend[half : len(values) - half] = np.convolve(values, weights / period, mode="valid")
    ratio = values / trend
    figure = np.array([np.nanmean(ratio[phase::period]) for phase in range(period)])
    return np.asarray(figure / figure.mean(), dtype=np.float64)


def naive(values: Values, horizon: int) -> Answer:
    """The last value, with Gaussian intervals of a random walk."""
    point = np.full(horizon, values[-1])
    spread = Z95 * np.sqrt(np.mean(np.diff(values) ** 2)) * np.sqrt(np.arange(1, horizon + 1))
    return Answer(point=point, lower=point - spread, upper=point + spread)


def naive2(values: Values, horizon: int, period: int) -> Values:
    """Naive on the seasonally adjusted series, where the series is seasonal (Naive2)."""
    if not is_seasonal(values, period):
        return np.full(horizon, values[-1])
    n = len(values)
    index = np.resize(seasonal_indices(values, period), n + period)
    # As the competition's code has it: the last period of indices is repeated from the forecast's first slice on.
    ahead = np.resize(index[n - period : n], horizon)
    return np.asarray(values[-1] / index[n - 1] * ahead, dtype=np.float64)


# ---------------------------------------------------------------- the competition's measures
def smape(actual: Values, point: Values) -> float:
    """Return the symmetric mean absolute percentage error, 0 to 200."""
    return float(np.mean(200 * np.abs(actual - point) / (np.abs(actual) + np.abs(point))))


def scale_of(training: Values, period: int) -> float:
    """Return the in-sample mean absolute error of seasonal naive."""
    return float(np.mean(np.abs(training[period:] - training[:-period])))


def interval_score(actual: Values, answer: Answer) -> float:
    """Return the mean interval score of a 95 % interval."""
    below, above = np.maximum(answer.lower - actual, 0), np.maximum(actual - answer.upper, 0)
    return float(np.mean(answer.upper - answer.lower + 2 / 0.05 * (below + above)))


Split = Mapping[str, tuple[Values, Values]]
"""Training and test part of each series."""


def scores(split: Split, answers: Mapping[str, Answer], period: int) -> dict[str, float]:
    """Return sMAPE, MASE, MSIS and the covered share, each the mean over series, and OWA against Naive2."""
    rows, reference = [], []
    for name, answer in answers.items():
        training, actual = split[name]
        scale = scale_of(training, period)
        inside = np.mean((actual >= answer.lower) & (actual <= answer.upper))
        error = float(np.mean(np.abs(actual - answer.point))) / scale
        rows.append((smape(actual, answer.point), error, interval_score(actual, answer) / scale, float(inside)))
        second = naive2(training, len(actual), period)
        reference.append((smape(actual, second), float(np.mean(np.abs(actual - second))) / scale))
    own, base = np.mean(rows, axis=0), np.mean(reference, axis=0)
    return {
        "sMAPE": float(own[0]),
        "MASE": float(own[1]),
        "OWA": float((own[0] / base[0] + own[1] / base[1]) / 2),
        "MSIS": float(own[2]),
        "coverage": float(own[3]),
    }


def benchmark(split: Split, period: int, which: str) -> dict[str, Answer]:
    """Return the answers of Naive or Naive2 (which has the intervals of Naive around its own points)."""
    found = {}
    for name, (training, actual) in split.items():
        answer = naive(training, len(actual))
        if which == "Naive2":
            point = naive2(training, len(actual), period)
            shift = point - answer.point
            answer = Answer(point=point, lower=answer.lower + shift, upper=answer.upper + shift)
        found[name] = answer
    return found


# ---------------------------------------------------------------- the product
def ours(split: Split, starts: Mapping[str, pd.Timestamp], frequency: Frequency) -> dict[str, Answer]:
    """Return the product's medians and 95 % intervals, all series in one call."""
    import pandas as pd
    from adapters import forecast

    parts = [
        pd.DataFrame({
            "unique_id": name,
            "ds": pd.date_range(starts[name], periods=len(training), freq=frequency.freq),
            "y": training,
        })
        for name, (training, _) in split.items()
    ]  # fmt: skip
    levels = [0.025, 0.5, 0.975]
    table = forecast(pd.concat(parts, ignore_index=True), frequency.horizon, frequency.freq, frequency.seasons, levels)
    found = {}
    for name, own in table.groupby("unique_id", sort=False, observed=True):
        lower, point, upper = (own[str(level)].to_numpy(dtype=float) for level in levels)
        found[str(name)] = Answer(point=point, lower=lower, upper=upper)
    return found


# ---------------------------------------------------------------- data
def read(folder: Path, frequency: Frequency) -> tuple[Split, dict[str, Any], bool]:
    """Return training and test parts, the first instants, and whether the test part is the competition's own."""
    import pandas as pd

    path = folder / f"{frequency.file}.parquet"
    if not path.exists():
        raise SystemExit(f"no {path.name} in {folder}: name the folder of the M4 data by --data; nothing was measured")
    table = pd.read_parquet(path).sort_values(["series_id", "timestamp"])
    official = bool((table["split"] == "test").any())
    split: dict[str, tuple[Values, Values]] = {}
    starts: dict[str, Any] = {}
    for name, own in table.groupby("series_id", sort=True):
        values = own["value"].to_numpy(dtype=float)
        test = (own["split"] == "test").to_numpy() if official else np.arange(len(own)) >= len(own) - frequency.horizon
        if int(test.sum()) != frequency.horizon:
            raise SystemExit(f"{path.name}: {name} has {int(test.sum())} test slices, {frequency.horizon} needed")
        split[str(name)] = (values[~test], values[test])
        starts[str(name)] = own["timestamp"].iloc[0]
    return split, starts, official


def published(folder: Path, frequency: str) -> dict[str, dict[str, float]]:
    """Return the published scores by method and measure, empty where there is no file."""
    import pandas as pd

    path = folder / "m4_results.csv"
    if not path.exists():
        return {}
    table = pd.read_csv(path)
    table = table[(table["frequency"] == frequency) & table["score"].notna()]
    found: dict[str, dict[str, float]] = {}
    for method, measure, score in zip(table["method"], table["measure"], table["score"], strict=True):
        found.setdefault(str(method), {})[str(measure)] = float(score)
    return found


def must_agree(made: Mapping[str, Mapping[str, float]], known: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return the scores compared with the published ones; stop where one differs in its third digit."""
    compared = []
    for method, own in made.items():
        for measure in ("sMAPE", "MASE", "OWA", "MSIS"):
            score = known.get(method, {}).get(measure)
            if score is None:
                continue
            if abs(own[measure] - score) > EXACT * 1.001:
                raise SystemExit(f"{measure} of {method} is {own[measure]:.4f}, published {score}: not the M4 rules")
            compared.append(f"{measure} of {method} {own[measure]:.3f}")
    return compared


def part_of(folder: Path, frequency: Frequency, limit: int) -> dict[str, Any]:
    """Return the table of one frequency."""
    split, starts, official = read(folder, frequency)
    known = published(folder, frequency.name)
    made = {name: scores(split, benchmark(split, frequency.period, name), frequency.period)
            for name in ("Naive", "Naive2")}  # fmt: skip
    compared = must_agree(made, known) if official else []
    chosen = dict(list(split.items())[: limit or None])
    answers = ours(chosen, starts, frequency)
    own = scores(split, answers, frequency.period)
    if not all(np.isfinite(list(own.values()))):
        raise SystemExit(f"{frequency.name}: a forecast is not finite")
    note = f"{len(answers)} of {len(split)} series, {frequency.horizon} slices ahead. "
    rows: list[dict[str, Any]] = [{"method": "this package", **own}]
    if official:
        note += "The competition's own test part. "
        if compared:
            note += f"Made again from the data and equal to the published scores: {', '.join(compared)}. "
        entries = {m: s for m, s in known.items() if "OWA" in s}
        if len(answers) == len(split) and entries:
            rank = 1 + sum(s["OWA"] < own["OWA"] for s in entries.values())
            note += f"By OWA it would be number {rank} among the {len(entries)} published methods. "
    else:
        note += (
            "**A substitute**: the data hold only the training part, so its last "
            f"{frequency.horizon} slices are forecast from those before. The published scores are of another window "
            "and are shown for orientation only; Naive and Naive2 are of this window. "
        )
        rows += [{"method": f"{name} (this window)", **score} for name, score in made.items()]
    best: list[str] = []
    for measure in ("OWA", "MASE", "sMAPE", "MSIS"):
        with_it = {m: s for m, s in known.items() if measure in s}
        best += sorted(with_it, key=lambda m: with_it[m][measure])[: 3 if measure == "OWA" else 1]
    for method in dict.fromkeys([*best, "Theta", "ETS", "ARIMA", "Naive2", "Naive"]):
        if method in known:
            empty = dict.fromkeys(("sMAPE", "MASE", "OWA", "MSIS"))
            rows.append({"method": f"{method}, published", **empty, **known[method]})
    return {
        "frequency": frequency.name,
        "official_test": official,
        "series": len(answers),
        "series_total": len(split),
        "note": note.strip(),
        "rows": rows,
        "made": made,
    }


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = os.environ.get("FORECASTING_BENCH_DATA")
    parser.add_argument("--data", type=Path, default=Path(known) if known else None, help="folder of the M4 data")
    parser.add_argument("--only", choices=("weekly", "hourly"))
    parser.add_argument("--max-series", type=int, default=0, help="only the first series (to try the tooling)")
    parser.add_argument("--date", default=datetime.now(tz=UTC).date().isoformat(), help="date printed in the results")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args(arguments)
    given.date = date.fromisoformat(given.date).isoformat()
    if given.data is None or not given.data.is_dir():
        raise SystemExit("the folder of the M4 data is not there: give --data or set FORECASTING_BENCH_DATA; "
                         "nothing was measured")  # fmt: skip
    return given


def main(arguments: Sequence[str] | None = None) -> None:
    """Score, write the results and print them."""
    arguments = sys.argv[1:] if arguments is None else arguments
    os.environ.update(ONE_THREAD)
    given = parse(arguments)
    before = machine()
    wanted = [f for f in (WEEKLY, HOURLY) if given.only in (None, f.name.lower())]
    parts = [part_of(given.data, frequency, given.max_series) for frequency in wanted]
    shown = [part.rstrip("/").rsplit("/", 1)[-1] if part.startswith(("/", ".", "~")) else part for part in arguments]
    command = " ".join(["python benchmarks/m4.py", *shown])
    write_results(given.out, {"command": command, "date": given.date, "machine": before, "parts": parts})
    for part in parts:
        print(f"{part['frequency']}: {part['note']}")
        for row in part["rows"]:
            cells = (f"{k} {row[k]:.3f}" for k in ("sMAPE", "MASE", "OWA", "MSIS") if row[k] is not None)
            print(f"  {row['method']}: {', '.join(cells)}")


if __name__ == "__main__":
    main()
