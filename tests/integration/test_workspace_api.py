"""The Python API as a notebook uses it: results are objects that turn into pandas frames."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import AS_OF, quick, run

import forecasting
from forecasting.terms.errors import ForecastingError, InputError


def test_the_fifteen_lines_of_the_readme(inputs: Path, tmp_path: Path) -> None:
    space = forecasting.Workspace(
        forecasting.create(tmp_path / "w", source=inputs),
        mlflow=False,
        settings=forecasting.Settings(models=("seasonal_naive", "trend"), paths=300, replay_paths=200, jobs=1),
    )
    (report,) = space.ingest()
    assert report.rows_new > 10_000
    plan = space.compute(as_of="2013-07-01")
    frames = plan.frames()
    risks = frames["risks"].sort_values("probability", ascending=False)
    assert risks["probability"].between(0, 1).all()
    assert (risks["probability_low"] <= risks["probability"]).all()
    assert (risks["probability"] <= risks["probability_high"]).all()
    assert str(risks["start"].dtype) == "datetime64[us, UTC]"

    demand = space.forecast("lga", horizon=14, as_of="2013-07-01")
    assert demand.paths.shape == (300, 14)
    low, middle, high = (demand.quantile(q) for q in (0.1, 0.5, 0.9))
    assert (low <= middle).all()
    assert (middle <= high).all()
    week = pd.Series(demand.paths[:, :7].sum(axis=1))
    assert low[:7].sum() < week.median() < high[:7].sum()

    result = space.plan("2013-07-01")
    assert Path(result.files["html"]).read_text().startswith("<!")
    assert result.plan.manifest == plan.manifest


def test_frames_say_the_same_as_the_command_line(ingested: Path) -> None:
    frame = quick(ingested).compute(AS_OF, depth="attainment").frames()["attainment"]
    rows = run("attainment", "-w", ingested, "--as-of", AS_OF, "--json").document["data"]
    assert [row["objective"] for row in rows] == frame["objective"].tolist()
    assert [row["good"] for row in rows] == frame["good"].tolist()
    june = frame[(frame["objective"] == "lga-on-time-sla") & (frame["period"] == "2013-06")].iloc[0]
    rows_of_june = quick(ingested).metrics.read()
    rows_of_june = rows_of_june[
        (rows_of_june["service"] == "lga")
        & rows_of_june["at"].between("2013-06-01 04:00", "2013-07-01 04:00", inclusive="left")
    ]
    total = rows_of_june.groupby("metric")["value"].sum()
    assert (june["good"], june["total"]) == (total["departed_within_15_min"], total["scheduled_departures"])
    assert june["final"]


def test_one_instant_in_many_forms(ingested: Path) -> None:
    space = quick(ingested)
    wanted = datetime(2013, 7, 1, 4, tzinfo=UTC)
    forms = [
        "2013-07-01", "20130701", "2013-07-01T00:00", "2013-07-01T04:00:00Z", "2013-07-01T06:00:00+02:00",
        date(2013, 7, 1), datetime(2013, 7, 1), wanted,  # noqa: DTZ001
    ]  # fmt: skip
    assert {space.instant(form) for form in forms} == {wanted}
    assert space.instant(None) == datetime(2013, 8, 1, tzinfo=UTC)


def test_a_forecast_by_the_hour_and_by_the_day(ingested: Path) -> None:
    space = quick(ingested)
    hours = space.forecast("lga", "cancelled", as_of=AS_OF, horizon=24, step=timedelta(hours=1))
    assert hours.step == timedelta(hours=1)
    assert hours.start == datetime(2013, 7, 1, 4, tzinfo=UTC)
    assert (hours.paths >= 0).all()
    assert np.isfinite(hours.paths).all()


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        (lambda s: s.forecast("lgq"), "lga"),
        (lambda s: s.forecast("lga", "departures"), "scheduled_departures"),
        (lambda s: s.forecast("lga", step=timedelta(hours=3)), "1 day"),
        (lambda s: s.forecast("lga", horizon=0), "1"),
        (lambda s: s.forecast("lga", as_of="2012-01-01"), "ingested"),
        (lambda s: s.compute("soon"), "YYYY-MM-DD"),
        (lambda s: s.compute("2040-01-01"), "366 days"),
    ],
)
def test_errors_name_the_argument_and_what_is_allowed(wrong: object, part: str, ingested: Path) -> None:
    with pytest.raises(ForecastingError) as caught:
        wrong(quick(ingested))  # type: ignore[operator]
    assert part in f"{caught.value.allowed} {caught.value.try_instead}"
    assert isinstance(caught.value, InputError | ForecastingError)


@pytest.mark.nightly
def test_an_instant_inside_a_day_has_a_folder_of_its_own(workspace: Path) -> None:
    space = quick(workspace)
    day, noon = space.plan(AS_OF), space.plan("2013-07-01T12:00")
    assert Path(day.files["html"]).parent.name == "2013-07-01"
    assert Path(noon.files["html"]).parent.name == "2013-07-01T120000-0400"
