"""Load on badness: day profiles, load paths across zones, factors on the odds, against values worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from proposals_fixture import INDICATOR, resource

from forecasting.capacity.models.response_curve import ResponseCurve
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.service_level import RatioIndicator
from forecasting.workflows.capacity import LoadEffect, _day_profile, daily_values, load_paths, odds_factors

CURVE = ResponseCurve(
    knots=np.array([0.5, 1.0]),
    logits=np.array([-3.0, -1.0]),
    slope=4.0,
    observed_low=0.4,
    observed_high=1.1,
    slices=500,
    relation=0.3,
    log_loss=0.41,
    log_loss_without=0.43,
    hours_controlled=False,
)
FIRST = date(2027, 1, 4)  # a Monday
METRIC = Metric(name="total", kind=MetricKind.COUNT)


def effect(history: dict[date, float], profile: np.ndarray | None = None) -> LoadEffect:
    """Return the effect of load on 40 hosts, one slice a day unless said otherwise."""
    return LoadEffect(
        resource=resource(),
        curve=CURVE,
        profile=np.ones((7, 1)) if profile is None else profile,
        history_load=history,
        indicator=INDICATOR,
    )


def factor(found: LoadEffect, ahead: float, source: int = 0, *, extra: int = 0, start: date | None = None) -> float:
    paths, days = np.array([[ahead]]), np.array([[source]])
    answer = odds_factors(found, paths, FIRST, days, FIRST, extra=Decimal(extra), in_use_from=start)
    return float(answer[0, 0])


def test_the_factor_is_the_ratio_of_odds_on_the_curve() -> None:
    """Knots at loads of 20 and 40: logits −3 and −1, and 4 × 0.5 more at 60."""
    found = effect({FIRST: 20.0, FIRST + timedelta(days=1): 40.0})
    assert factor(found, 40.0) == pytest.approx(np.exp(2.0), rel=1e-6)
    assert factor(found, 20.0, 1) == pytest.approx(np.exp(-2.0), rel=1e-6)
    assert factor(found, 40.0, 1) == pytest.approx(1.0, rel=1e-6)
    assert factor(found, 60.0, 1) == pytest.approx(np.exp(2.0), rel=1e-6)
    assert factor(found, 5.0) == pytest.approx(1.0, rel=1e-6)  # below the knots nothing gets better


def test_units_act_like_less_load_from_their_first_day_on() -> None:
    found = effect({FIRST: 40.0})
    assert factor(found, 40.0, extra=40, start=FIRST) == pytest.approx(np.exp(-2.0), rel=1e-6)
    assert factor(found, 40.0, extra=40, start=FIRST - timedelta(days=9)) == factor(found, 40.0, extra=40, start=FIRST)
    assert factor(found, 40.0, extra=40, start=FIRST + timedelta(days=1)) == factor(found, 40.0)
    assert factor(found, 40.0, extra=40) == factor(found, 40.0)
    assert factor(found, 40.0, extra=0, start=FIRST) == factor(found, 40.0)


def test_a_past_day_without_load_stands_for_the_mean_day() -> None:
    day = timedelta(days=1)
    holes = effect({FIRST: 20.0, FIRST + day: float("nan"), FIRST + 3 * day: 60.0})
    mean = effect({FIRST: 20.0, FIRST + day: 40.0, FIRST + 2 * day: 40.0, FIRST + 3 * day: 60.0})
    source, paths = np.array([[0, 1, 2, 3]]), np.array([[33.0, 33.0, 33.0, 33.0]])
    assert np.array_equal(
        odds_factors(holes, paths, FIRST, source, FIRST), odds_factors(mean, paths, FIRST, source, FIRST)
    )
    nothing = odds_factors(effect({}), paths, FIRST, source, FIRST)
    assert np.isfinite(nothing).all()


def test_day_share_weighs_slices_by_their_load() -> None:
    """Three quarters of the load in one slice: its share of bad counts three times."""
    found = effect({}, np.tile(np.array([0.25, 0.75]), (7, 1)))
    low, high = (float(CURVE.bad_share([x], 40.0)[0]) for x in (12.5, 37.5))
    answer = found.day_share(np.array([0.0, 50.0]), 0, Decimal(40))
    assert answer[1] == pytest.approx(0.25 * low + 0.75 * high)
    assert answer[0] == pytest.approx(1 / (1 + np.exp(3.0)))
    assert found.day_share(np.zeros(3), 0, Decimal(40)).shape == (3,)
    many = found.day_share(np.linspace(0, 200, 500), 3, Decimal(40))
    assert (np.diff(many) >= 0).all()
    assert (found.day_share(np.linspace(0, 200, 500), 3, Decimal(42)) <= many).all()


def test_an_effect_acts_on_its_services_and_its_indicator_only() -> None:
    found = effect({})
    assert found.acts_on("shop", INDICATOR)
    assert found.acts_on("cart", INDICATOR)
    assert not found.acts_on("mail", INDICATOR)
    assert not found.acts_on("shop", RatioIndicator(total="total", good="answered"))


def series(values: np.ndarray, *, start: datetime, step: timedelta, zone: str = "UTC") -> Series:
    return Series(service="shop", metric=METRIC, start=start, step=step, values=values, zone=zone)


def test_the_profile_of_a_weekday_is_its_own_and_adds_up_to_one() -> None:
    """Mondays come at 9, other days evenly over four quarters of the day; the last eight weeks count."""
    start = datetime(2026, 12, 28, tzinfo=UTC)  # a Monday
    days = 7 * 12
    hours = np.ones((days, 24))
    hours[::7] = 0.0
    hours[::7, 9] = 50.0
    hours[: 7 * 3] = 0.0
    hours[: 7 * 3, 0] = 1e6  # too long ago to count
    hours[-7, 9] = np.nan  # the last Monday's peak is not known
    profile = _day_profile(series(hours.ravel(), start=start, step=timedelta(hours=1)))
    assert profile.shape == (7, 24)
    assert profile.sum(axis=1) == pytest.approx(np.ones(7))
    assert profile[0, 9] == 1.0
    assert profile[1:] == pytest.approx(np.full((6, 24), 1 / 24))


def test_the_profile_is_local_and_borrows_where_a_weekday_is_unknown() -> None:
    zone = "America/New_York"
    start = datetime(2027, 1, 4, 5, tzinfo=UTC)  # Monday 00:00 there
    hours = np.zeros((28, 24))
    hours[:, 18] = 10.0
    hours[5::7] = np.nan  # no Saturday
    hours[6::7] = 0.0  # Sundays without traffic
    profile = _day_profile(series(hours.ravel(), start=start, step=timedelta(hours=1), zone=zone))
    assert profile[:, 18] == pytest.approx(np.ones(7))
    empty = _day_profile(series(np.zeros(48), start=start, step=timedelta(hours=1), zone=zone))
    assert empty == pytest.approx(np.full((7, 24), 1 / 24))
    assert _day_profile(series(np.ones(9), start=start, step=timedelta(days=1), zone=zone)).tolist() == [[1.0]] * 7


def test_daily_values_leave_out_what_is_not_known() -> None:
    zone = "America/New_York"
    found = daily_values(
        series(
            np.array([1.0, np.nan, 3.0]), start=datetime(2027, 1, 4, 5, tzinfo=UTC), step=timedelta(days=1), zone=zone
        )
    )
    assert found == {date(2027, 1, 4): 1.0, date(2027, 1, 6): 3.0}


def forecast(zone: str, horizon: int = 20, first: date = FIRST) -> Forecast:
    """Return two paths whose value on column k is k and 100 + k."""
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    columns = np.arange(horizon, dtype=np.float64)
    return Forecast(
        service="shop", metric=METRIC, start=start, step=timedelta(days=1), zone=zone,
        paths=np.stack([columns, columns + 100]), model="m", cut_off=start, seed=1,
    )  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"])
def test_load_paths_go_by_the_local_date_of_the_forecast(zone: str) -> None:
    found = load_paths(forecast(zone), FIRST + timedelta(days=2), 3)
    assert found.tolist() == [[2, 3, 4], [102, 103, 104]]


def test_the_day_before_the_forecast_takes_its_first_day() -> None:
    """It is Sunday still in New York when a forecast for Tokyo begins on Monday."""
    assert load_paths(forecast("Asia/Tokyo"), FIRST - timedelta(days=1), 3)[0].tolist() == [0, 0, 1]


def test_days_beyond_the_forecast_take_the_same_weekday_of_its_last_week() -> None:
    found = load_paths(forecast("UTC", horizon=20), FIRST + timedelta(days=17), 18)[0].astype(int)
    assert found[:3].tolist() == [17, 18, 19]
    beyond = found[3:]
    assert beyond.tolist() == [13, 14, 15, 16, 17, 18, 19, 13, 14, 15, 16, 17, 18, 19, 13]
    assert all(a % 7 == (20 + k) % 7 for k, a in enumerate(beyond))
    short = load_paths(forecast("UTC", horizon=3), FIRST, 12)[0].astype(int)
    assert set(short) <= {0, 1, 2}  # less than a week: some day of it
