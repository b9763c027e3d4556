"""Attainment and risk on the airports example: exact integers against a pandas group-by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.history.grid import build_history
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.badness import DailyBadness, align, daily_badness
from forecasting.service_levels.breach.level import fit_level
from forecasting.service_levels.breach.risk import assess_risk
from forecasting.service_levels.breach.simulate import simulate_badness
from forecasting.service_levels.breach.worlds import draw_worlds
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.windows import closed_periods, coming_periods
from forecasting.terms.history import History, Metric, MetricKind
from forecasting.terms.service_level import AttainmentStatus, CalendarWindow, Objective, RatioIndicator

ZONE = "America/New_York"
AIRPORTS = ("ewr", "jfk", "lga")
WINDOW = CalendarWindow(unit="month", zone=ZONE)
CUT = datetime(2014, 1, 1, 5, tzinfo=UTC)
FILE = Path(__file__).resolve().parents[2] / "examples" / "airports" / "metrics.parquet"
COUNTS = ["scheduled_departures", "departed_within_15_min", "cancelled"]


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    return pd.read_parquet(FILE)


@pytest.fixture(scope="module")
def history(wide: pd.DataFrame) -> History:
    rows = wide.melt(id_vars=["service", "at"], value_vars=COUNTS, var_name="metric").astype({"value": float})
    metrics = {name: Metric(name=name, kind=MetricKind.COUNT) for name in COUNTS}
    return build_history(rows, metrics, dict.fromkeys(wide["service"].unique(), ZONE), CUT)


def objective(service: str, target: str = "0.75") -> Objective:
    return Objective(
        name=f"{service}-on-time",
        service=service,
        indicator=RatioIndicator(total="scheduled_departures", good="departed_within_15_min"),
        target=Decimal(target),
        window=WINDOW,
    )


def test_months_equal_a_group_by(wide: pd.DataFrame, history: History) -> None:
    local = wide["at"].dt.tz_localize("UTC").dt.tz_convert(ZONE)
    monthly = wide.groupby(["service", local.dt.strftime("%Y-%m").rename("month")])[COUNTS].sum()
    since = datetime(2013, 1, 1, 5, tzinfo=UTC)
    periods = closed_periods(WINDOW, since=since, as_of=CUT)
    assert len(periods) == 12
    for service in sorted(wide["service"].unique()):
        found = events_of(objective(service), history)
        assert isinstance(found, Events)
        for one in attainments(objective(service), found, periods, as_of=CUT):
            row = monthly.loc[(service, one.period.label)]
            good, total = int(row["departed_within_15_min"]), int(row["scheduled_departures"])
            assert (one.good, one.total) == (good, total)
            assert one.known_slices == one.elapsed_slices == one.planned_slices
            if total:
                assert one.status is (AttainmentStatus.MET if 4 * good >= 3 * total else AttainmentStatus.BREACHED)


def test_cancelled_departures_as_bad_events(history: History) -> None:
    promise = Objective(
        name="completion",
        service="lga",
        indicator=RatioIndicator(total="scheduled_departures", bad="cancelled"),
        target=Decimal("0.98"),
        window=WINDOW,
    )
    found = events_of(promise, history)
    assert isinstance(found, Events)
    bad = history.get("lga", "cancelled")
    assert bad is not None
    assert int((found.total - found.good).sum()) == int(bad.values.sum())


def test_breach_risk_from_the_middle_of_a_month(history: History) -> None:
    """A rehearsal of the whole chain on 16 September 2013, with the traffic of the last weeks."""
    as_of = datetime(2013, 9, 16, 4, tzinfo=UTC)
    today = as_of.date()
    members = []
    for service in AIRPORTS:
        found = events_of(objective(service), history)
        assert isinstance(found, Events)
        one = daily_badness(objective(service), found, tier="airport", as_of=as_of)
        assert isinstance(one, DailyBadness)
        members.append(one)
    group = align(members, today)
    assert {m.days for m in group} == {258}  # 1 January to 15 September
    level = fit_level(group, span_days=28, leads=2, block_days=3.0)
    worlds = draw_worlds(
        history_days=258, first_weekday=group[0].first_day.weekday(), horizon=46, paths=300,
        mean_block_days=3.0, half_life_days=60.0, seed=1,
    )  # fmt: skip
    for k, service in enumerate(AIRPORTS):
        found = events_of(objective(service), history)
        assert isinstance(found, Events)
        paths = simulate_badness(
            group, k, level, worlds=worlds, totals=np.full((300, 46), group[k].total[-28:].mean()),
            first_day=today, first_day_share=1.0, half_life_days=60.0, seed=1,
        )  # fmt: skip
        probabilities = []
        for target in ("0.6", "0.75", "0.97"):
            promise = objective(service, target)
            periods = coming_periods(WINDOW, as_of=as_of, ahead=1)
            running, coming = (
                assess_risk(promise, None, so_far, paths, windows_known=8, basis="test")
                for so_far in attainments(promise, found, periods, as_of=as_of)
            )
            assert running.consumed_total == attainments(promise, found, periods, as_of=as_of)[0].total > 0
            assert coming.consumed_total == 0
            assert not running.decided
            assert 0 < running.probability_low <= running.probability <= running.probability_high < 1
            assert abs(sum(c.share for c in running.causes) - 1) < 1e-9
            probabilities.append((running.probability, coming.probability))
        assert probabilities == sorted(probabilities)
        # By mid-month no airport was below 75 %, and none ever ran a month at 97 % or below 60 %.
        assert probabilities[0][0] < 0.05
        assert probabilities[2][0] > 0.95
    assert timedelta(days=30) == running.period.end - running.period.start
