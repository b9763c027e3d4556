"""The forecast benchmarks: their statistics and rules are right, they say what is missing, and they can be resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

BENCHMARKS = ROOT / "benchmarks"
NAMES = ("FORECASTING_BENCH_HARNESS", "FORECASTING_BENCH_FAMILIES", "FORECASTING_BENCH_RESULTS",
         "FORECASTING_BENCH_DATA", "FORECASTING_BENCH_PEERS_PYTHON")  # fmt: skip
DATA, HARNESS = (os.environ.get(f"FORECASTING_BENCH_{name}", "") for name in ("DATA", "HARNESS"))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a benchmark as a script does: with its own folder first on the path."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def one(name: str) -> ModuleType:
        return __import__(name)

    yield one
    for name in ("forecasts", "forecasts_page", "forecast_cost", "m4", "machine"):
        sys.modules.pop(name, None)


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in NAMES}
    line = [sys.executable, str(BENCHMARKS / script), *arguments]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


# ---------------------------------------------------------------- what is missing
@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("forecasts.py", (), "the harness forecast_bench.py is not named"),
        ("forecasts.py", ("--harness", "absent.py"), "is not at absent.py"),
        ("forecasts.py", ("--peers", "csp"), "--peers needs --peers-python"),
        ("m4.py", (), "the folder of the M4 data is not there"),
    ],
)
def test_missing_data_is_said_in_one_line(script: str, arguments: tuple[str, ...], says: str) -> None:
    found = run(script, *arguments)
    assert found.returncode != 0
    assert says in found.stderr
    assert "Traceback" not in found.stderr


# ---------------------------------------------------------------- statistics of the league
def stored(folder: Path, errors: dict[str, np.ndarray]) -> Path:
    """Write what the harness leaves behind for one family, from errors per series."""
    count = len(errors["seasonal_naive"])
    ids = np.array([f"s{i:02d}" for i in range(count)])
    ds = pd.date_range("2026-01-01", periods=6, freq="D")
    data = pd.DataFrame({"unique_id": np.repeat(ids, 6), "ds": np.tile(ds, count), "y": np.tile(np.arange(6.0), count)})
    path = folder / "made.parquet"
    data.to_parquet(path)
    rows, results = [], {}
    for name, values in errors.items():
        rows.append(pd.DataFrame({"forecaster": name, "unique_id": ids[: len(values)], "SQL": values, "MASE": values}))
        ratio = np.clip(values / errors["seasonal_naive"][: len(values)], 0.01, 100)
        mean = float(np.exp(np.log(ratio).mean()))
        results[name] = {
            "gm_SQL": mean, "gm_MASE": mean, "cov80": 0.8, "cov95": 0.95, "MSIS95": 3.0, "gm_MSIS95": 1.0,
            "error": None, "members": None, "warm_cpu_s": 0.0, "peak_rss_mb": 1.0, "cpu_ms_per_forecast": 2.0,
            "series_total": len(values),
        }  # fmt: skip
    told = {"h": 2, "seasons": "7", "windows": 1, "freq": "D", "results": results}
    (folder / "made.json").write_text(json.dumps(told))
    pd.concat(rows).to_parquet(folder / "made_per_series.parquet")
    kept = folder / "fc" / "made"
    kept.mkdir(parents=True)
    late = data[data["ds"] >= ds[4]].assign(mean=4.5, w=0, **{"0.1": 3.0, "0.5": 4.5, "0.9": 6.0})
    late.loc[late.index[0], "0.9"] = np.inf
    late.loc[late.index[1], "0.1"] = -1.0
    late.drop(columns="y").to_parquet(kept / "ours.parquet")
    return path


def test_league_has_ratios_intervals_and_common_series(tmp_path: Path, load: Any) -> None:
    forecasts, page = load("forecasts"), load("forecasts_page")
    random = np.random.default_rng(1)
    naive = random.lognormal(0, 1, 40)
    ours = naive * random.lognormal(np.log(0.5), 0.2, 40)
    worse = ours * 1.25
    partial = (ours * random.lognormal(np.log(1.1), 0.1, 40))[:25]
    errors = {"seasonal_naive": naive, "ours": ours, "worse": worse, "flair": partial}
    found = forecasts.collect([stored(tmp_path, errors)], tmp_path)
    own = found["families"]["made"]["forecasters"]
    score = own["ours"]["gm_SQL"]
    assert score["value"] == pytest.approx(np.exp(np.log(ours / naive).mean()), rel=1e-12)
    # 40 series with a standard deviation of 0.2 in the logarithm: ± 1.96 · 0.2 / √40 = ± 0.062.
    width = np.log(score["high"] / score["low"])
    assert width == pytest.approx(2 * 1.96 * np.log(ours / naive).std() / np.sqrt(40), rel=0.15)
    assert own["worse"]["ours_vs_it"]["SQL"]["ratio"] == pytest.approx(0.8)
    assert own["worse"]["ours_vs_it"]["SQL"]["high"] == pytest.approx(0.8), "the series' spread is common: it cancels"
    assert own["flair"]["ours_vs_it"]["SQL"]["series"] == 25
    common = np.exp(np.log(ours[:25] / partial).mean())
    assert own["flair"]["ours_vs_it"]["SQL"]["ratio"] == pytest.approx(common)
    assert own["ours"]["worse_than_naive"] == np.mean(ours > naive)
    assert (own["ours"]["non_finite"], own["ours"]["below_zero"]) == (1, 1)
    assert page.best_of(own, "gm_SQL") == "ours"
    assert page.ours_is_first(own, "gm_SQL", ensembles=True, surely=True)
    again = forecasts.collect([tmp_path / "made.parquet"], tmp_path)
    assert again == found, "the bootstrap is seeded"
    results = {**load("machine").rounded(found), "machine": load("machine").machine(), "command": "c", "date": "d",
               "peers": {}, "seed": 1, "draws": forecasts.DRAWS, "max_series": 0}  # fmt: skip
    text = page.page(results, cost={}, m4={}, picture="p.png")
    assert "| flaircast | 25 of 40 |" in text
    assert f"**{own['ours']['gm_SQL']['value']:.3f}**" in text
    page.draw(results, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 5_000


def test_scores_that_differ_from_the_harness_stop_the_run(tmp_path: Path, load: Any) -> None:
    path = stored(tmp_path, {"seasonal_naive": np.ones(5), "ours": np.full(5, 0.5)})
    told = json.loads((tmp_path / "made.json").read_text())
    told["results"]["ours"]["gm_SQL"] = 0.4
    (tmp_path / "made.json").write_text(json.dumps(told))
    with pytest.raises(SystemExit, match="is not the harness's"):
        load("forecasts").collect([path], tmp_path)


def test_shares_below_are_the_levels_for_a_true_forecast_of_counts(load: Any) -> None:
    from scipy.stats import norm, poisson

    shares_below, random, levels = load("forecasts").shares_below, np.random.default_rng(3), np.arange(1, 20) / 20
    y = random.normal(size=20_000)
    assert shares_below(y, np.tile(norm.ppf(levels), (20_000, 1)), levels) == pytest.approx(levels, abs=0.015)
    y = random.poisson(0.7, 20_000).astype(float)
    found = shares_below(y, np.tile(poisson.ppf(levels, 0.7), (20_000, 1)), levels)
    assert found == pytest.approx(levels, abs=0.03), "half of the outcomes are zeros"
    low = shares_below(y, np.tile(poisson.ppf(levels, 1.4), (20_000, 1)), levels)
    assert low[9] > 0.62, "too high a forecast has too many outcomes below its median"


# ---------------------------------------------------------------- the rules of M4
def test_naive2_takes_a_multiplicative_season_and_no_season_where_there_is_none(load: Any) -> None:
    m4 = load("m4")
    shape = np.array([0.5, 0.8, 1.2, 1.5])
    values = 100 * np.tile(shape, 12)
    assert m4.is_seasonal(values, 4)
    assert m4.seasonal_indices(values, 4) == pytest.approx(shape)
    assert m4.naive2(values, 6, 4) == pytest.approx(100 * shape[[0, 1, 2, 3, 0, 1]])
    assert m4.naive2(values[:-2], 3, 4) == pytest.approx(100 * shape[[2, 3, 0]]), "phases go on where the data end"
    noise = np.random.default_rng(5).lognormal(0, 0.3, 200)
    assert not m4.is_seasonal(noise, 4)
    assert (m4.naive2(noise, 3, 4) == noise[-1]).all()
    assert not m4.is_seasonal(values[:11], 4), "shorter than three periods"


def test_scores_of_naive2_against_itself(load: Any) -> None:
    m4 = load("m4")
    random = np.random.default_rng(2)
    split = {f"s{i}": (100 + random.normal(0, 1, 80).cumsum(), 100 + random.normal(0, 1, 5)) for i in range(6)}
    made = m4.scores(split, m4.benchmark(split, 1, "Naive2"), 1)
    assert made["OWA"] == 1.0
    assert made == m4.scores(split, m4.benchmark(split, 1, "Naive"), 1)
    with pytest.raises(SystemExit, match="not the M4 rules"):
        m4.must_agree({"Naive": made}, {"Naive": {"MASE": made["MASE"] + 0.001}})


@pytest.mark.skipif(not DATA, reason="FORECASTING_BENCH_DATA does not name the M4 data")
def test_published_scores_of_naive_are_made_again(load: Any) -> None:
    m4 = load("m4")
    split, _, official = m4.read(Path(DATA), m4.WEEKLY)
    made = {name: m4.scores(split, m4.benchmark(split, 1, name), 1) for name in ("Naive", "Naive2")}
    assert official
    assert len(m4.must_agree(made, m4.published(Path(DATA), "Weekly"))) == 7


# ---------------------------------------------------------------- cost
def test_made_series_do_not_depend_on_the_partition_and_keep_their_bounds(load: Any) -> None:
    cost = load("forecast_cost")
    for index in range(2 * len(cost.SHAPES)):
        series = cost.make_series(index, 400)
        assert np.array_equal(series.values, cost.make_series(index, 400).values, equal_nan=True)
        low, high = series.metric.kind.bounds
        known = series.values[~np.isnan(series.values)]
        assert known.min() >= low
        assert high is None or known.max() <= high
        assert len(np.unique(known)) > 2
    assert np.isnan(cost.make_series(7, 400).values).any()


def test_linear_finds_the_line_whatever_the_size_of_the_cases(load: Any) -> None:
    fit = load("forecast_cost").linear([1e3, 1e4, 1e5], [7.0, 52.0, 502.0])
    assert (fit["intercept"], fit["slope"]) == (pytest.approx(2.0), pytest.approx(0.005))
    square = load("forecast_cost").linear([1e3, 1e4, 1e5], [1.0, 100.0, 10_000.0])
    assert square["exponent"] == pytest.approx(2.0)
    assert square["worst"] > 0.5


def test_cost_run_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    progress, out = tmp_path / "progress.jsonl", tmp_path / "cost.json"
    arguments = ("--series", "4", "--lengths", "200", "--partition", "2", "--models", "seasonal_naive",
                 "--progress", str(progress), "--out", str(out))  # fmt: skip
    assert run("forecast_cost.py", *arguments).returncode == 0
    lines = progress.read_text().splitlines()
    assert [json.loads(line)["first"] for line in lines] == [0, 2]
    progress.write_text(lines[0] + "\n" + lines[1][:40])  # stopped while it wrote
    found = run("forecast_cost.py", *arguments)
    assert found.returncode == 0, found.stderr
    whole = [line for line in progress.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line)["first"] for line in whole] == [0, 2]
    assert whole[0] == lines[0], "the first partition was not forecast again"
    case = json.loads(out.read_text())["cases"][0]
    assert (case["series"], case["not_finite"], case["out_of_bounds"], case["declined"]) == (4, 0, 0, 0)
    assert case["cpu_ms_a_series"] > 0
    assert str(tmp_path) not in out.read_text()


# ---------------------------------------------------------------- the harness itself
@pytest.mark.nightly
@pytest.mark.skipif(not HARNESS, reason="FORECASTING_BENCH_HARNESS does not name the harness")
def test_one_family_through_the_harness(tmp_path: Path) -> None:
    families = tmp_path / "families"
    families.mkdir()
    random, days = np.random.default_rng(4), pd.date_range("2026-01-01", periods=200, freq="D")
    shape = np.tile([9.0, 9, 9, 9, 8, 4, 3], 29)[:200]
    parts = [pd.DataFrame({"unique_id": f"s{i}", "ds": days, "y": random.poisson(shape * 5)}) for i in range(3)]
    pd.concat(parts).to_parquet(families / "service_daily.parquet")
    found = run("forecasts.py", "--harness", HARNESS, "--families", str(families), "--results", str(tmp_path / "kept"),
                "--out", str(tmp_path / "out.json"), "--page", str(tmp_path / "page.md"),
                "--picture", str(tmp_path / "p.png"))  # fmt: skip
    assert found.returncode == 0, found.stderr
    results = json.loads((tmp_path / "out.json").read_text())
    ours = results["families"]["service_daily"]["forecasters"]["ours"]
    assert (ours["series"], ours["non_finite"], ours["below_zero"]) == (3, 0, 0)
    assert ours["gm_SQL"]["value"] < 1.0
    assert str(tmp_path) not in json.dumps(results)
