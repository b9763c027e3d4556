"""The demo organisation: the generator does what its parameters say, and the expected truths follow from it."""

from __future__ import annotations

import heapq
import importlib
import json
import math
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "meridian"
MODULES = (
    "meridian_parameters", "meridian_model", "meridian_metrics", "generate", "truths_common", "truths_capacity",
    "truths_catalogue", "truths",
)  # fmt: skip


def _import() -> dict[str, ModuleType]:
    """Import the example's scripts and leave no trace of their plain names."""
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    path = list(sys.path)
    sys.path.insert(0, str(FOLDER))
    try:
        return {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path[:] = path
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


CODE = SimpleNamespace(**_import())
P = CODE.meridian_parameters


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("meridian")
    assert CODE.generate.main(["--out", str(out), "--seed", "7"]) == 0
    return out


@pytest.fixture(scope="module")
def daily(workspace: Path) -> pd.DataFrame:
    return pd.read_csv(workspace / "metrics" / "daily.csv", keep_default_na=False, dtype={"value": str})


@pytest.fixture(scope="module")
def hourly(workspace: Path) -> dict[str, pd.DataFrame]:
    return {path.stem: pd.read_parquet(path) for path in sorted((workspace / "metrics").glob("*.parquet"))}


@pytest.fixture(scope="module")
def metrics() -> Any:
    return CODE.meridian_metrics.simulate(7)


@pytest.fixture(scope="module")
def project(workspace: Path) -> dict[str, Any]:
    return yaml.safe_load((workspace / "forecasting.yaml").read_text())["spec"]


@pytest.fixture(scope="module")
def catalogue(workspace: Path) -> list[dict[str, Any]]:
    return [d for path in sorted((workspace / "catalogue").glob("*.yaml")) for d in yaml.safe_load_all(path.open())]


def months_of(metrics: Any) -> np.ndarray:
    return np.array([day.year * 12 + day.month for day in metrics.clock.days])


# --- Same seed, same bytes -------------------------------------------------------------------------------------------


def test_the_same_seed_writes_the_same_bytes_and_another_seed_does_not(workspace: Path, tmp_path: Path) -> None:
    written = {p.relative_to(workspace): p.read_bytes() for p in workspace.rglob("*") if p.is_file()}
    again, other = tmp_path / "again", tmp_path / "other"
    CODE.generate.write(again, 7)
    CODE.generate.write(other, 8)
    assert {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()} == written
    for name, content in written.items():
        same = (other / name).read_bytes() == content
        assert same == (name.parts[0] != "metrics"), name


def test_the_csv_file_stays_small_and_ascii(workspace: Path) -> None:
    content = (workspace / "metrics" / "daily.csv").read_bytes()
    assert len(content) < 8_000_000
    assert content.isascii()
    assert b"\r" not in content


def test_a_negative_seed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        CODE.generate.main(["--out", str(tmp_path), "--seed", "-1"])
    assert refused.value.code == 2
    assert "allowed: 0 or more" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- Expected truths -------------------------------------------------------------------------------------------------


def test_the_committed_truths_are_those_computed_now() -> None:
    committed = json.loads((FOLDER / "expected_truths.json").read_text())
    computed = CODE.truths.compute()
    assert CODE.truths.differences(committed, computed) == []
    computed["truths"][0]["expected"][0]["value"] += 0.01
    assert len(CODE.truths.differences(committed, computed)) == 1


def test_the_readme_shows_the_committed_truths() -> None:
    committed = json.loads((FOLDER / "expected_truths.json").read_text())
    assert CODE.truths.table(committed) in (FOLDER / "README.md").read_text()


def test_every_planted_truth_is_listed_once_with_a_reason_where_it_cannot_be_found_yet() -> None:
    truths = json.loads((FOLDER / "expected_truths.json").read_text())["truths"]
    wanted = [f"T{n}" for n in range(1, 15)] + ["campaign", "black-friday", "Q1", "Q2", "Q3"]
    assert [truth["id"] for truth in truths] == wanted
    for truth in truths:
        found = [one["testable"] for one in truth["expected"]]
        assert truth["status"] == ("testable" if any(found) else "expected")
        assert all(found) or truth["not_yet"] or truth["id"].startswith("Q"), truth["id"]
        assert all(one["tolerance"] >= 0 for one in truth["expected"])


@pytest.mark.parametrize(
    ("truth", "name", "design", "tolerance"),
    [
        ("T1", "p_miss_99.90_month", 0.15, 0.015),
        ("T1", "mean_availability", 0.9995, 0.00003),
        ("T3", "months_to_80_percent", 12.5, 0.1),
        ("T4", "months_to_85_percent", 10.3, 0.05),
        ("T5", "utilisation_at_peak", 0.18, 0.001),
        ("T5", "removable_nodes", 5, 0),
        ("T9", "months_to_900", 6.3, 0.05),
        ("T10", "service_level_15_agents_95_calls", 0.835, 0.001),
        ("T10", "agents_for_106_calls", 17, 0),
    ],
)
def test_the_computed_figures_are_close_to_the_design(truth: str, name: str, design: float, tolerance: float) -> None:
    truths = json.loads((FOLDER / "expected_truths.json").read_text())["truths"]
    figure = next(f for t in truths if t["id"] == truth for f in t["expected"] if f["name"] == name)
    assert figure["value"] == pytest.approx(design, abs=tolerance)


def test_histories_of_many_seeds_miss_as_often_as_the_truth_says() -> None:
    """The generator's history and the simulation behind T1 are two programs for one process."""
    model, incidents = CODE.meridian_model, P.WEB_SHOP_INCIDENTS
    clock = model.make_clock(date(2025, 1, 1), date(2025, 1, 1) + pd.Timedelta(days=1096).to_pytimedelta())
    weights = model.expected_demand(P.WEB_SHOP, clock)
    block = (np.arange(len(weights)) * 36) // len(weights)
    missed, means = [], []
    for seed in range(60):
        events = model.history_incidents(incidents, 1096, np.random.default_rng(seed))
        lost = weights * model.outage_seconds(events, len(weights)) / 3600.0
        shares = np.bincount(block, lost) / np.bincount(block, weights)
        missed.append((shares > 0.001).mean())
        means.append(shares.mean())
    truths = json.loads((FOLDER / "expected_truths.json").read_text())["truths"]
    expected = {f["name"]: f["value"] for f in truths[0]["expected"]}
    error = float(np.std(missed) / math.sqrt(60))
    assert np.mean(missed) == pytest.approx(expected["p_miss_99.90_month"], abs=4 * error)
    assert 1 - np.mean(means) == pytest.approx(expected["mean_availability"], abs=4 * np.std(means) / math.sqrt(60))


# --- The metrics follow the parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "metric", "growth"),
    [
        ("web-shop", "requests_daily", 0.014),
        ("payments-api", "requests_daily", 0.014),
        ("product-search", "requests_daily", 0.005),
        ("cdn", "cdn_traffic_tb", 0.031),
        ("wan-link", "wan_p95_gbps", 0.022),
        ("service-desk", "calls_offered_daily", 0.0),
    ],
)
def test_growth_rates(metrics: Any, service: str, metric: str, growth: float) -> None:
    """Year over year, so that the seasons cancel."""
    values = metrics.daily[service, metric]
    yearly = values[-364:].sum() / values[-728:-364].sum()
    assert yearly ** (P.DAYS_PER_MONTH / 364) - 1 == pytest.approx(growth, abs=0.001)


def test_levels_at_the_cut_off(metrics: Any) -> None:
    assert metrics.daily["storage", "storage_used_tb"][-1] == pytest.approx(918)
    assert metrics.daily["storage", "storage_used_tb"][0] == pytest.approx(918 - 14 * 1095 / P.DAYS_PER_MONTH)
    assert metrics.daily["cdn", "cdn_month_tb"][-1] == pytest.approx(742, rel=0.02)
    assert metrics.daily["wan-link", "wan_p95_gbps"][-28:].mean() == pytest.approx(6.1, rel=0.015)
    assert metrics.daily["kubernetes-platform", "vcpu_requested"][-1] == 1714
    minutes = np.log(metrics.daily["dwh-batch", "batch_minutes"] / CODE.meridian_metrics.batch_medians(metrics.clock))
    assert minutes.mean() == pytest.approx(0.0, abs=4 * 0.0812 / math.sqrt(1096))
    assert math.exp(1.645 * minutes.std()) * 385 == pytest.approx(440, rel=0.02)


def test_mean_availability_of_every_service_is_that_of_its_outages(metrics: Any) -> None:
    for service in ("email", "cdn", "kubernetes-platform", "storage"):
        process = P.INCIDENTS[service]
        mean = process.per_month * process.median_s * math.exp(process.sigma**2 / 2)
        one = process.median_s * math.exp(process.sigma**2) * math.sqrt(process.per_month * 36) / 36
        good = metrics.daily[service, "available_seconds_daily"].sum()
        total = metrics.daily[service, "service_seconds_daily"].sum()
        assert total == 1096 * 86_400
        assert (total - good) / 36.0 == pytest.approx(mean, abs=4 * one), service


def test_daily_counts_are_the_sums_of_the_hourly_ones(daily: pd.DataFrame, hourly: dict[str, pd.DataFrame]) -> None:
    first = P.FIRST_HOURLY_DAY.isoformat()
    pairs = (
        ("web_hourly", "requests"), ("web_hourly", "good_requests"), ("availability_hourly", "available_seconds"),
        ("availability_hourly", "service_seconds"), ("desk_hourly", "calls_offered"),
        ("desk_hourly", "calls_answered_within_20_s"),
    )  # fmt: skip
    for table, metric in pairs:
        frame = hourly[table]
        frame = frame[frame["at"] < pd.Timestamp("2026-11-21 23:00")]  # the last whole local day ends here
        local = frame["at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin").dt.strftime("%Y-%m-%d")
        summed = frame.groupby([frame["service"], local])[metric].sum()
        twin = daily[(daily["metric"] == f"{metric}_daily") & (daily["at"] >= first)]
        expected = twin.assign(value=twin["value"].astype(np.int64)).set_index(["service", "at"])["value"]
        assert summed.sort_index().tolist() == expected.sort_index().tolist(), metric


def test_daylight_saving_days_have_23_and_25_hours(daily: pd.DataFrame) -> None:
    seconds = daily[(daily["service"] == "email") & (daily["metric"] == "service_seconds_daily")].set_index("at")[
        "value"
    ]
    assert seconds["2026-03-29"] == str(23 * 3600)
    assert seconds["2025-10-26"] == str(25 * 3600)
    assert seconds["2026-11-21"] == str(24 * 3600)


def test_sap_meets_every_month_and_loses_most_at_month_end(metrics: Any) -> None:
    keys = months_of(metrics)
    good, total = (metrics.daily["sap-erp", f"{n}_seconds_daily"] for n in ("available", "service"))
    ends = metrics.clock.day_month_end
    for key in np.unique(keys)[1:-1]:
        here = keys == key
        assert 0.9983 <= good[here].sum() / total[here].sum() <= 0.999
        lost = total - good
        assert 0.65 <= lost[here & ends].sum() / lost[here].sum() <= 1.0
    assert (
        metrics.daily["sap-erp", "csat_score"][-90:].mean() < metrics.daily["sap-erp", "csat_score"][:90].mean() - 0.7
    )


def test_latency_rises_with_utilisation(hourly: dict[str, pd.DataFrame]) -> None:
    shop = hourly["web_hourly"].query("service == 'web-shop'")
    assert shop["requests"].corr(shop["latency_p95_ms"], method="spearman") > 0.9


@pytest.mark.parametrize(("agents", "calls", "share"), [(15, 95, 0.83494), (15, 106, 0.66635), (17, 106, 0.87466)])
def test_erlang_c_and_its_simulation(agents: int, calls: int, share: float) -> None:
    """The closed form against the waiting times of a queue of customers, one after the other."""
    level = CODE.meridian_model.erlang_c_service_level(agents, np.array([float(calls)]), 420.0, 20.0)[0]
    assert level == pytest.approx(share, abs=1e-5)
    rng = np.random.default_rng(11)
    n = 300_000
    arrivals = np.cumsum(rng.exponential(3600.0 / calls, n)).tolist()
    service = rng.exponential(420.0, n).tolist()
    free = [0.0] * agents
    answered = 0
    for arrival, length in zip(arrivals, service, strict=True):
        start = max(free[0], arrival)
        answered += start - arrival <= 20.0
        heapq.heapreplace(free, start + length)
    assert level == pytest.approx(answered / n, abs=0.015)


# --- Bounds, gaps, declarations --------------------------------------------------------------------------------------


def test_physical_bounds(metrics: Any, daily: pd.DataFrame, hourly: dict[str, pd.DataFrame]) -> None:
    values = pd.to_numeric(daily["value"])
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    share = metrics.daily["cdn", "cdn_cache_hit_share"]
    assert ((share >= 0) & (share <= 1)).all()
    for service, good, total in (
        *((s, "good_requests_daily", "requests_daily") for s in P.BASE_BAD_SHARE),
        *((s, "available_seconds_daily", "service_seconds_daily") for s in ("email", "vdi", "sap-erp", "wan-link")),
        ("wan-link", "circuit_a_available_seconds", "service_seconds_daily"),
        ("wan-link", "circuit_b_available_seconds", "service_seconds_daily"),
        ("service-desk", "calls_answered_within_20_s_daily", "calls_offered_daily"),
        ("dwh-batch", "batch_nights_on_time", "batch_nights"),
    ):
        assert (metrics.daily[service, good] <= metrics.daily[service, total]).all(), (service, good)
    for name, frame in hourly.items():
        numbers = frame.drop(columns=["service", "at"]).to_numpy(dtype=float)
        assert np.isfinite(numbers).all(), name
        assert (numbers >= 0).all(), name
    late = (metrics.daily["dwh-batch", "batch_minutes"] > 480) & (metrics.daily["dwh-batch", "batch_nights"] == 1)
    assert (
        metrics.daily["dwh-batch", "batch_nights_on_time"] == metrics.daily["dwh-batch", "batch_nights"] - late
    ).all()


def test_only_the_wan_latency_is_silent_and_for_nine_days(metrics: Any, daily: pd.DataFrame) -> None:
    for key, values in metrics.daily.items():
        missing = np.flatnonzero(np.isnan(values)).tolist()
        assert missing == (list(range(1087, 1096)) if key == ("wan-link", "wan_latency_p95_ms") else []), key
    last = daily.groupby(["service", "metric"])["at"].agg(["min", "max", "count"])
    stale = last[last["max"] != "2026-11-21"]
    assert stale.index.tolist() == [("wan-link", "wan_latency_p95_ms")]
    assert stale["max"].tolist() == ["2026-11-12"]
    assert (last["min"] == "2023-11-22").all()
    assert not daily.duplicated(["service", "metric", "at"]).any()


def test_hourly_tables_are_complete_and_end_at_the_cut_off(hourly: dict[str, pd.DataFrame]) -> None:
    for name, frame in hourly.items():
        for service, part in frame.groupby("service"):
            at = part["at"]
            assert at.iloc[0] == pd.Timestamp("2025-10-21 22:00"), (name, service)
            assert at.iloc[-1] == pd.Timestamp("2026-11-21 23:00"), (name, service)
            assert (at.diff().dropna() == pd.Timedelta(hours=1)).all(), (name, service)


def test_every_metric_is_declared_with_one_step_and_written(
    project: dict[str, Any], daily: pd.DataFrame, hourly: dict[str, pd.DataFrame]
) -> None:
    declared = project["metrics"]
    for metric in declared.values():
        assert set(metric) == {"kind", "unit", "step", "description"}
        assert metric["kind"] in {"count", "ratio", "non_negative", "real"}
    by_hour = {column for frame in hourly.values() for column in frame.columns} - {"service", "at"}
    by_day = set(daily["metric"])
    assert not by_hour & by_day
    assert {name for name, metric in declared.items() if metric["step"] == "1h"} == by_hour
    assert {name for name, metric in declared.items() if metric["step"] == "1d"} == by_day
    sources = {source["path"]: source for source in project["sources"]}
    assert set(sources) == {"metrics/daily.csv", *(f"metrics/{name}.parquet" for name in hourly)}
    for name, frame in hourly.items():
        assert ["service", "at", *sources[f"metrics/{name}.parquet"]["metrics"]] == frame.columns.tolist()
    counts = {name for name, metric in declared.items() if metric["kind"] == "count"}
    written = daily[daily["metric"].isin(counts)]
    assert written["value"].str.fullmatch(r"\d+").all()


def _metrics_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("metric", "good", "bad", "total") and isinstance(inner, str):
                yield inner
            else:
                yield from _metrics_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _metrics_in(inner)


def test_every_reference_of_the_catalogue_resolves(
    catalogue: list[dict[str, Any]], project: dict[str, Any], daily: pd.DataFrame, hourly: dict[str, pd.DataFrame]
) -> None:
    measured = set(zip(daily["service"], daily["metric"], strict=True))
    for frame in hourly.values():
        for service in frame["service"].unique():
            measured |= {(service, column) for column in frame.columns[2:]}
    names: dict[str, list[str]] = {}
    for document in catalogue:
        names.setdefault(document["kind"], []).append(document["metadata"]["name"])
    assert all(len(set(one)) == len(one) for one in names.values())
    assert len(names["Service"]) == 13
    for document in catalogue:
        kind, spec = document["kind"], document["spec"]
        where = f"{kind} {document['metadata']['name']}"
        if kind == "Service":
            needs = document["metadata"]["annotations"].get("forecasting/depends-on", "")
            assert set(filter(None, needs.split(","))) <= set(names["Service"]), where
            continue
        if kind == "Customer":
            continue
        if kind in ("HorizonDriver", "Scenario", "Measure"):
            assert set(spec.get("services", [])) <= set(names["Service"]), where
            acts = [*spec.get("effects", []), *(s for s in spec.get("signposts", []) if "metric" in s)]
            for one in acts:
                assert (one["service"], one["metric"]) in measured, (where, one)
            resources = {one["resource"] for one in spec.get("resourceEffects", [])} | {spec.get("resource")}
            assert resources - {None} <= set(names["Resource"]), where
            assert {spec.get("supplierAgreement")} - {None} <= set(names["Agreement"]), where
            named = {*spec.get("drivers", []), *spec.get("without", [])}
            assert named <= set(names["HorizonDriver"]), where
            continue
        service = spec["use"]["service"] if kind == "Resource" else spec["service"]
        assert service in names["Service"], where
        for metric in _metrics_in(spec):
            assert metric in project["metrics"], (where, metric)
            assert (service, metric) in measured, (where, metric)
        if kind == "Resource":
            assert set(spec["services"]) <= set(names["Service"]), where
            assert spec["currency"] == "EUR", where
            steps = {project["metrics"][m]["step"] for m in _metrics_in(spec)}
            assert len(steps) == 1, where
        if kind == "Agreement":
            assert spec["customer"] in names["Customer"], where
            links = [link if isinstance(link, str) else link["agreements"] for link in spec.get("reliesOn", [])]
            named = {key for link in links for key in ([link] if isinstance(link, str) else link)}
            assert named <= set(names["Agreement"]), where
            assert spec["priceDate"] == date(2026, 11, 1), where
    with_slo = {d["spec"]["service"] for d in catalogue if d["kind"] == "SLO"}
    with_driver = {d["spec"]["service"] for d in catalogue if d["kind"] == "DemandDriver"}
    with_agreement = {d["spec"]["service"] for d in catalogue if d["kind"] == "Agreement"}
    assert with_slo == with_driver == set(names["Service"])
    assert set(names["Service"]) - with_agreement == {"gift-cards"}
