"""Weather as a driver of the service level of the airports example, from the files to the drivers of each promise."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.diagnosis import Diagnosis, DriverRelation
from forecasting.terms.project import Project
from forecasting.terms.settings import Settings
from forecasting.workflows.diagnosis import diagnoses
from forecasting.workflows.outlook import Part, prepared_fleet
from forecasting.workflows.prepare import Prepared, prepare

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "airports"
CUT = datetime(2013, 9, 1, 4, tzinfo=UTC)
ON_TIME = "departed_within_15_min/scheduled_departures"
CANCELLED = "1-cancelled/scheduled_departures"


@pytest.fixture(scope="module")
def inputs() -> tuple[Project, Catalogue, pd.DataFrame]:
    project = load_project(FOLDER)
    catalogue = YamlFolder(FOLDER / project.catalogue, project.metrics, currency=project.currency).load()
    wide = pd.read_parquet(FOLDER / "metrics.parquet")
    counts = wide.melt(id_vars=["service", "at"], var_name="metric", value_name="value").astype({"value": float})
    rows = pd.concat([counts, pd.read_parquet(FOLDER / "weather.parquet")], ignore_index=True)
    return project, catalogue, rows


def at(inputs: tuple[Project, Catalogue, pd.DataFrame], rows: pd.DataFrame) -> Prepared:
    project, catalogue, _ = inputs
    return prepare(
        catalogue,
        rows,
        organisation=project.organisation,
        currency=project.currency,
        zone=project.zone,
        as_of=CUT,
        settings=Settings(paths=200),
        code_version="test",
    )


@pytest.fixture(scope="module")
def prepared(inputs: tuple[Project, Catalogue, pd.DataFrame]) -> Prepared:
    return at(inputs, inputs[2])


@pytest.fixture(scope="module")
def found(prepared: Prepared) -> dict[Part, Diagnosis]:
    fleet = prepared_fleet(prepared)
    begin = time.process_time()
    answer = diagnoses(prepared, fleet)
    used = time.process_time() - begin
    print(f"{len(answer)} objectives in {used:.2f} s of CPU")
    assert used < 2.0
    return dict(answer)


def of(found: dict[Part, Diagnosis], service: str, indicator: str) -> dict[str, DriverRelation]:
    return {r.driver: r for r in found[service, indicator, "America/New_York"].relations}


def test_every_agreed_objective_has_its_airports_weather_and_its_demand(found: dict[Part, Diagnosis]) -> None:
    assert len(found) == 33
    for (service, _, _), diagnosis in found.items():
        declined = dict(diagnosis.declined)
        names = {r.driver for r in diagnosis.relations} | set(declined)
        weather = {f"{service[:3]}-{what}" for what in ("temperature", "wind", "precipitation", "visibility")}
        assert names == weather | {f"{service}-departures"}
        # A small carrier flies the same number on most days, which leaves no busiest fifth.
        assert set(declined) <= {f"{service}-departures"}
        assert all("same value on most" in excuse.reason for excuse in declined.values())
    assert sum(len(d.declined) for d in found.values()) <= 3


@pytest.mark.parametrize("indicator", [ON_TIME, CANCELLED])
@pytest.mark.parametrize("airport", ["ewr", "jfk", "lga"])
def test_rain_and_fog_go_with_bad_days_at_every_airport(
    found: dict[Part, Diagnosis], airport: str, indicator: str
) -> None:
    relations = of(found, airport, indicator)
    rain, fog = relations[f"{airport}-precipitation"], relations[f"{airport}-visibility"]
    assert (rain.direction, rain.daily, rain.unit) == ("above", "max", "mm")
    assert (fog.direction, fog.daily, fog.unit) == ("below", "min", "km")
    assert rain.significant
    assert fog.significant
    assert rain.correlation > 0.4
    assert fog.correlation < -0.4


def test_laguardia_in_numbers(found: dict[Part, Diagnosis], inputs: tuple[Project, Catalogue, pd.DataFrame]) -> None:
    """Two of five late departures on wet days, one of five on the others; counted again with pandas."""
    rain = of(found, "lga", ON_TIME)["lga-precipitation"]
    rows = inputs[2][lambda r: (r["service"] == "lga") & (r["at"] < CUT.replace(tzinfo=None))].copy()
    rows["day"] = rows["at"].dt.tz_localize("UTC").dt.tz_convert("America/New_York").dt.date
    by = rows.groupby(["metric", "day"])["value"]
    wettest = by.max()["precipitation_mm"]
    total, good = by.sum()["scheduled_departures"], by.sum()["departed_within_15_min"]
    wet = wettest.index[wettest >= rain.threshold]
    dry = wettest.index[wettest < rain.threshold]
    assert (rain.days, rain.worst_days) == (len(wettest), len(wet)) == (243, 47)
    assert rain.threshold == pytest.approx(1.27)  # 0.05 inches in an hour
    assert rain.bad_share_worst == pytest.approx(1 - good[wet].sum() / total[wet].sum())
    assert rain.bad_share_rest == pytest.approx(1 - good[dry].sum() / total[dry].sum())
    assert (rain.bad_share_worst, rain.bad_share_rest) == pytest.approx((0.394, 0.187), abs=5e-4)
    assert rain.excess_share == pytest.approx(0.181, abs=5e-4)


def test_heat_and_a_full_schedule_are_not_taken_for_weather(found: dict[Part, Diagnosis]) -> None:
    """Summer was warm, full and bad; within a few weeks a warmer or fuller day was not a worse one."""
    for service in ("ewr", "jfk", "lga"):
        relations = of(found, service, ON_TIME)
        assert not relations[f"{service}-temperature"].significant
        assert not relations[f"{service}-departures"].significant
    kinds = [r.driver.rsplit("-", 1)[1] for d in found.values() for r in d.relations if r.significant]
    print({kind: kinds.count(kind) for kind in sorted(set(kinds))})
    assert min(kinds.count("precipitation"), kinds.count("visibility")) >= 30
    assert kinds.count("temperature") + kinds.count("departures") <= 3


def test_nothing_at_or_after_the_cut_off_is_looked_at(
    found: dict[Part, Diagnosis], inputs: tuple[Project, Catalogue, pd.DataFrame]
) -> None:
    later = inputs[2].copy()
    future = later["at"] >= pd.Timestamp(CUT.replace(tzinfo=None))
    weather = later["metric"].isin(["temperature_c", "wind_speed_kmh", "precipitation_mm", "visibility_km"])
    later.loc[future & weather, "value"] = 99.0
    later.loc[future & (later["metric"] == "departed_within_15_min"), "value"] = 0.0
    later = later[~(future & (later["service"] == "lga-us"))]
    assert not later.equals(inputs[2])
    changed = at(inputs, later)
    assert diagnoses(changed, prepared_fleet(changed)) == found
