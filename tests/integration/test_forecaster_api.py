"""`forecasting.Forecaster`: tables in, tables out, scikit-learn's words, and errors that say what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecasting
from forecasting import Forecaster
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.settings import Settings
from forecasting.workflows.tables import read_covariates, read_series

WEEK = np.array([50.0, 90, 90, 90, 90, 70, 30])
MODELS = ("seasonal_naive", "seasonal_median")


def daily(n: int = 140, *, start: str = "2027-03-01", name: str = "desk", tz: str | None = None) -> pd.Series:
    """Calls a day with a week in them and some noise."""
    noise = np.random.default_rng(len(name)).normal(0, 2, n)
    return pd.Series(np.resize(WEEK, n) + noise, index=pd.date_range(start, periods=n, tz=tz), name=name)


def quick(**changes: Any) -> Forecaster:
    return Forecaster(models=MODELS, n_paths=200, zone="UTC").set_params(**changes)


def test_a_long_frame_gives_one_row_a_slice_and_series() -> None:
    parts = [
        pd.DataFrame({"service": service, "metric": metric, "at": one.index, "value": one.to_numpy()})
        for service, metric in (("desk", "calls"), ("desk", "mails"), ("shop", "calls"))
        for one in [daily(name=service + metric)]
    ]
    data = pd.concat(parts).sample(frac=1, random_state=1)  # any order of rows
    before = data.copy()
    forecaster = quick(horizon=9, levels=(0.05, 0.5, 0.95)).fit(data)
    table = forecaster.forecast()
    pd.testing.assert_frame_equal(data, before)
    assert list(table.columns) == ["service", "metric", "at", "mean", "q0.05", "q0.5", "q0.95"]
    assert len(table) == 3 * 9
    assert table["at"].dtype == "datetime64[us, UTC]"
    assert table.groupby(["service", "metric"])["at"].min().unique() == [pd.Timestamp("2027-07-19", tz="UTC")]
    assert (table["q0.05"] <= table["q0.5"]).all()
    assert (table["q0.5"] <= table["q0.95"]).all()
    desk = table[(table["service"] == "desk") & (table["metric"] == "calls")]
    assert np.allclose(desk["q0.5"], np.resize(WEEK, 9), atol=8)
    pd.testing.assert_frame_equal(forecaster.forecast(), table)
    assert len(forecaster.forecast(horizon=2)) == 6


def test_long_wide_and_our_own_series_mean_the_same() -> None:
    wide = pd.DataFrame({"desk": daily(), "shop": daily(name="shop")})
    long = wide.rename_axis("at").reset_index().melt("at", var_name="service")
    tables = [quick().fit(data).forecast() for data in (wide, long, read_series(wide, zone="UTC"))]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2])
    assert set(tables[0]["metric"]) == {"value"}


def test_missing_values_and_rows_are_missing_and_never_zero() -> None:
    holes = daily()
    holes.iloc[[10, 50]] = np.nan
    sparse = holes.drop(holes.index[[20, 21, 22]])
    (series,) = read_series(sparse, zone="UTC")
    assert len(series) == 140
    assert np.flatnonzero(np.isnan(series.values)).tolist() == [10, 20, 21, 22, 50]
    assert quick().fit(sparse).forecast()["q0.1"].min() > 10


def test_series_that_end_earlier_are_forecast_over_the_same_slices() -> None:
    wide = pd.DataFrame({"desk": daily(), "shop": daily(137, name="shop")})
    table = quick(horizon=5).fit(wide).forecast()
    assert table.groupby("service")["at"].agg(["min", "max"]).nunique().tolist() == [1, 1]


def test_local_days_keep_their_midnights_over_a_clock_change() -> None:
    aware = daily(60, start="2027-02-01", tz="Europe/Berlin")
    naive = daily(60, start="2027-02-01")
    one, other = Forecaster(models=MODELS, n_paths=200), Forecaster(models=MODELS, n_paths=200, zone="Europe/Berlin")
    table = one.fit(aware).forecast(horizon=3)
    pd.testing.assert_frame_equal(table, other.fit(naive).forecast(horizon=3))
    assert [f"{at:%m-%dT%H}" for at in table["at"]] == ["04-01T22", "04-02T22", "04-03T22"]
    # Midnight does not exist on that day in Beirut: the day begins at one o'clock.
    beirut = daily(40, start="2027-03-10").tz_localize("Asia/Beirut", nonexistent="shift_forward")
    assert one.fit(beirut).series_[0].step == timedelta(days=1)
    assert len(one.series_[0]) == 40


def test_hours_and_weeks_find_their_step() -> None:
    hours = pd.Series(np.arange(400.0), index=pd.date_range("2027-03-01", periods=400, freq="h", tz="UTC"))
    assert read_series(hours)[0].step == timedelta(hours=1)
    weeks = pd.Series(np.arange(60.0), index=pd.date_range("2026-01-05", periods=60, freq="7D"))
    assert read_series(weeks, zone="UTC")[0].step == timedelta(days=7)
    assert read_series(hours, step=timedelta(minutes=30))[0].step == timedelta(minutes=30)


def test_the_kind_bounds_the_forecast() -> None:
    falling = pd.Series(np.maximum(140.0 - np.arange(140), 1), index=pd.date_range("2027-03-01", periods=140))
    assert quick(horizon=60, models=("trend",)).fit(falling).forecast()["q0.1"].min() >= 0
    share = pd.Series(np.linspace(0.5, 0.99, 140), index=falling.index)
    made = quick(horizon=60, models=("trend",), kind="ratio").fit(share)
    assert made.forecast()["q0.9"].max() <= 1
    assert made.series_[0].metric.kind is MetricKind.RATIO
    assert quick().fit(falling - 70).series_[0].metric.kind is MetricKind.REAL


def test_sklearn_clones_it_and_reads_and_sets_its_parameters() -> None:
    from sklearn.base import clone

    forecaster = quick(horizon=7).fit(daily())
    copy = clone(forecaster)
    assert isinstance(copy, Forecaster)
    assert copy is not forecaster
    assert copy.get_params() == forecaster.get_params()
    assert not hasattr(copy, "series_"), "a clone is not fitted"
    copy.set_params(horizon=3, seed=9)
    assert (copy.horizon, copy.seed, forecaster.horizon) == (3, 9, 7)
    assert set(Forecaster().get_params(deep=False)) == set(Forecaster.__init__.__kwdefaults__)
    assert Forecaster().models == Settings.models
    with pytest.raises(TypeError, match="horizons"):
        copy.set_params(horizons=3)  # type: ignore[call-arg]
    assert "sklearn" not in str(Forecaster.__mro__)
    assert repr(copy).startswith("Forecaster(models=('seasonal_naive', 'seasonal_median'), horizon=3")


def test_paths_explanation_and_seed() -> None:
    forecaster = quick(horizon=14, unit="calls").fit(pd.DataFrame({"desk": daily(), "shop": daily(name="shop")}))
    table = forecaster.forecast()
    paths = forecaster.paths("desk")
    assert paths.shape == (200, 14)
    own = table[table["service"] == "desk"]
    assert np.allclose(np.quantile(paths, 0.9, axis=0), own["q0.9"])
    why = forecaster.explain("shop", "value")
    assert np.allclose(why.total(), table[table["service"] == "shop"]["q0.5"], atol=1e-9)
    assert why.components["level"][0] == pytest.approx(WEEK.mean(), abs=3)
    again = {seed: quick(horizon=14, seed=seed).fit(daily()).paths() for seed in (7, forecaster.seed)}
    assert not np.array_equal(again[7], paths), "another seed draws other paths"
    assert np.allclose(again[forecaster.seed], paths), "what lies beside it in the table changes nothing here"
    assert quick().fit(daily()).paths().shape == (200, 28), "asking for paths forecasts first"


def test_fit_again_forgets_the_old_forecasts() -> None:
    forecaster = quick(horizon=3).fit(daily())
    forecaster.forecast()
    forecaster.fit(daily(150))
    assert not hasattr(forecaster, "forecasts_")
    assert len(forecaster.paths()[0]) == 3


def test_a_series_that_cannot_be_forecast_is_named_and_the_others_are_there() -> None:
    wide = pd.DataFrame({"desk": daily(), "new": daily(name="new").where(lambda s: s.index >= "2027-07-17")})
    forecaster = quick(horizon=3).fit(wide)
    assert set(forecaster.forecast()["service"]) == {"desk"}
    assert "observations" in forecaster.excuses_["new", "value"].reason
    with pytest.raises(InputError, match="more history"):
        forecaster.explain("new")
    with pytest.raises(InputError, match="observations"):
        quick().fit(wide[["new"]]).forecast()


def test_backtest_is_a_league_against_seasonal_naive() -> None:
    wide = pd.DataFrame({f"desk{i}": daily(90, name="x" * i) for i in range(1, 4)})
    league = quick(horizon=7, models=("seasonal_median",)).fit(wide).backtest(origins=3)
    assert {"default", "seasonal_median", league.reference} == set(league.entries)
    row = league.row("seasonal_median")
    assert row is not None
    assert row.gm_sql < 1
    assert (league.origins, league.horizon, len(league.series)) == (3, 7, 3)


def test_covariates_are_put_on_the_grid_of_each_series() -> None:
    series = read_series(pd.DataFrame({"desk": daily(20), "shop": daily(20)}), zone="Europe/Berlin")
    known = pd.DataFrame(
        {
            "at": pd.date_range("2027-03-03", periods=21),
            "service": "desk",
            "campaign": [1, 0, 0] * 7,
            "price": np.linspace(1, 2, 21),
        }
    )
    campaign, price = read_covariates(known, series, 3)[0]
    assert read_covariates(known, series, 3)[1] == ()
    assert (campaign.kind, price.kind) == ("flag", "real")
    assert len(campaign.values) == 23
    assert np.isnan(campaign.values[:2]).all(), "no row, not known"
    assert campaign.values[2:].tolist() == ([1, 0, 0] * 7)
    assert campaign.known_ahead(20, 3)
    everyone = known.drop(columns="service").set_index("at")
    assert [len(one) for one in read_covariates(everyone, series, 3)] == [2, 2]


def shifted(minutes: int) -> pd.Series:
    """Hours of which one is off the grid."""
    at = pd.date_range("2027-03-01", periods=48, freq="h", tz="UTC").to_list()
    at[20] += pd.Timedelta(minutes=minutes)
    return pd.Series(np.arange(48.0), index=pd.DatetimeIndex(at))


months = pd.Series(np.arange(30.0), index=pd.date_range("2025-01-01", periods=30, freq="MS", tz="UTC"))
autumn = pd.Series(np.arange(900.0), index=pd.date_range("2027-10-01", periods=900, freq="h"))
BAD: dict[str, tuple[object, dict[str, object], str]] = {
    "naive": (daily(), {"zone": ""}, "zone='UTC'"),
    "unknown zone": (daily(), {"zone": "Europe/Berlim"}, "IANA"),
    "ambiguous hours": (autumn, {"zone": "Europe/Berlin"}, "utc=True"),
    "off the grid": (shifted(7), {}, "resample"),
    "off the step given": (shifted(7), {"step": timedelta(hours=1)}, "slice starts every"),
    "months": (months, {}, "calendar months differ"),
    "not midnight": (daily(tz="UTC"), {"zone": "America/New_York"}, "begin at midnight in America/New_York"),
    "one row": (daily(1), {}, "two timestamps"),
    "empty": (daily(5) * np.nan, {}, "more data"),
    "texts": (pd.Series(["a", "b"], index=pd.date_range("2027-03-01", periods=2)), {}, "to_numeric"),
    "infinite": (daily().replace(daily().iloc[3], np.inf), {}, "finite"),
    "no index of times": (pd.Series([1.0, 2.0]), {}, "DatetimeIndex"),
    "other columns": (pd.DataFrame({"ds": [1], "y": [2]}), {}, "service, metric, at, value"),
    "times as text": (pd.DataFrame({"at": ["2027-03-01"], "value": [2]}), {}, "to_datetime"),
    "two values": (pd.concat([daily(), daily() + 1]), {}, "one value for each slice"),
    "missing service": (
        pd.DataFrame({"at": daily().index, "value": 1.0, "service": [None] * 140}), {}, "a name in every row",
    ),
    "a dict": ({"desk": [1, 2]}, {}, "DatetimeIndex"),
    "a list of numbers": ([1, 2, 3], {}, "DatetimeIndex"),
    "kind": (daily(), {"kind": "counts"}, "count, ratio"),
    "outside the kind": (daily(), {"kind": "ratio"}, "0.0 to 1.0"),
    "levels": (daily(), {"levels": (10, 50, 90)}, "above 0 and below 1"),
    "models": (daily(), {"models": "trend"}, "a tuple of names"),
    "step": (daily(), {"step": timedelta(0)}, "above 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_refused_with_what_to_do(case: str) -> None:
    data, changes, hint = BAD[case]
    with pytest.raises(InputError) as caught:
        quick(**changes).fit(data)  # type: ignore[arg-type]
    assert hint in str(caught.value)


def test_errors_of_forecast_say_what_to_do() -> None:
    with pytest.raises(InputError, match="fit"):
        quick().forecast()
    forecaster = quick().fit(pd.DataFrame({"desk": daily(), "shop": daily(name="shop")}))
    with pytest.raises(InputError, match="horizon"):
        forecaster.forecast(horizon=0)
    with pytest.raises(InputError, match="desk value, shop value"):
        forecaster.explain()
    with pytest.raises(InputError, match="nodel"):
        quick(models=("nodel",)).fit(daily()).forecast()
    twice = read_series(daily(), zone="UTC") * 2
    with pytest.raises(InputError, match="twice"):
        quick().fit(twice)


@pytest.mark.parametrize(
    ("frame", "hint"),
    [
        (pd.DataFrame({"day": [1], "x": [1]}), "rename the column"),
        (pd.DataFrame({"at": pd.date_range("2027-03-01", periods=3)}), "one column for each"),
        (pd.DataFrame({"at": pd.date_range("2027-03-01", periods=2), "x": ["a", "b"]}), "numbers"),
        (pd.DataFrame({"at": pd.date_range("2027-03-01 06:00", periods=3), "x": 1.0}), "one row a slice"),
        (pd.DataFrame({"at": pd.to_datetime(["2027-03-01"] * 2), "x": 1.0}), "one row a slice"),
    ],
)
def test_covariates_that_do_not_fit_are_refused(frame: pd.DataFrame, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        read_covariates(frame, read_series(daily(20), zone="UTC"), 3)


def test_our_own_series_are_taken_as_they_are() -> None:
    one = Series(
        service="desk",
        metric=Metric(name="calls", kind=MetricKind.COUNT, unit="calls", step=timedelta(days=1)),
        start=datetime(2027, 3, 1, tzinfo=UTC),
        step=timedelta(days=1),
        values=daily().to_numpy(),
    )
    forecaster = forecasting.Forecaster(models=MODELS, n_paths=200).fit([one])
    assert forecaster.series_ == (one,)
    assert forecaster.forecast(horizon=2)["metric"].tolist() == ["calls", "calls"]
