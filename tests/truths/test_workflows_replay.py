"""The track record: what was said in the past was said with the data of then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from proposals_fixture import agreement, objective

from forecasting.service_levels.breach.baselines import BASELINES
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.service_level import CalendarWindow
from forecasting.terms.settings import Settings
from forecasting.terms.track_record import Statement
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.fleet import build_fleet
from forecasting.workflows.prepare import Prepared, prepare
from forecasting.workflows.replay import ELAPSED, IN_PLAN, WARM_DAYS, Protocol, replay

START = datetime(2027, 1, 1, tzinfo=UTC)
DAYS = 190  # to 10 July
SETTINGS = Settings(paths=200, replay_paths=200)
SERVICES = ("cart", "shop")


def decisions(
    bad_from: int | None = None,
    *,
    days: int = DAYS,
    seed: int = 3,
    protocol: Protocol = IN_PLAN,
    services: tuple[str, ...] | None = None,
    treated: tuple[tuple[str, str, str, str], ...] = (),
) -> tuple[Statement, ...]:
    """Replay two services judged by the month; from day `bad_from` on everything is other than it was."""
    prepared = run_at(START + timedelta(days=days), bad_from, days=days, seed=seed)
    return replay(
        prepared.promises, prepared.catalogue, as_of=prepared.as_of, settings=SETTINGS, protocol=protocol,
        services=services, treated=treated,
    )  # fmt: skip


def run_at(as_of: datetime, bad_from: int | None = None, *, days: int = DAYS, seed: int = 3) -> Prepared:
    """Prepare the two services with what was known at an instant."""
    random = np.random.default_rng(seed)
    frames = []
    for name in SERVICES:
        total = random.integers(300, 500, DAYS)
        level = np.repeat(random.uniform(0.08, 0.12, DAYS // 10 + 1), 10)[:DAYS]
        bad = random.binomial(total, level)
        if bad_from is not None:
            total[bad_from:] *= 3
            bad[bad_from:] = total[bad_from:] * 15 // 100
        for metric, values in (("total", total), ("good", total - bad)):
            at = pd.date_range("2027-01-01", periods=days, freq="D")
            frames.append(
                pd.DataFrame({"service": name, "metric": metric, "at": at, "value": values[:days].astype(float)})
            )
    window = CalendarWindow(unit="month", zone="UTC")
    catalogue = Catalogue(
        name="two",
        services={name: Service(name=name) for name in SERVICES},
        metrics={n: Metric(name=n, kind=MetricKind.COUNT, step=timedelta(days=1)) for n in ("total", "good")},
        objectives=(replace(objective("0.9", name="internal"), window=window),),
        agreements=tuple(
            agreement(replace(objective("0.9", service=name), window=window), id_=f"sla-{name}") for name in SERVICES
        ),
    )
    return prepare(
        catalogue, pd.concat(frames), organisation="Two", currency="EUR", zone="UTC", as_of=as_of, settings=SETTINGS,
        code_version="test",
    )  # fmt: skip


def test_a_replayed_statement_is_the_one_that_a_run_of_that_day_makes() -> None:
    """With the data and the traffic of then: the same probability to the last digit, of every candidate too."""
    checked = 0
    for said in decisions():
        if said.elapsed not in (0.0, 0.5) or said.window not in ("2027-05", "2027-06"):
            continue
        live = run_at(said.at)
        fleet = build_fleet(
            live.promises, live.catalogue, as_of=said.at, until=live.windows_end, settings=SETTINGS, paths=200
        )
        promise = next(p for p in live.promises if p.agreement is not None and p.objective.service == said.service)
        risks = promise_risks(promise, Simulation(fleet, demand=None), windows_known=5)
        assert not isinstance(risks, Excuse)
        risk = next(r for r in risks if r.period == said.period)
        assert said.probability == risk.probability
        assert said.candidates == risk.candidates
        assert len(said.candidates) > 1
        checked += 1
    assert checked == 8


def test_later_data_change_no_earlier_statement() -> None:
    june = (datetime(2027, 6, 1, tzinfo=UTC) - START).days
    as_it_was, turned = decisions(), decisions(june)
    cut = START + timedelta(days=june)
    before, same = ([d for d in found if d.window_end <= cut] for found in (as_it_was, turned))
    assert len(before) >= 10
    assert before == same  # to the bit, outcome and climatology too
    then, after = ({(d.service, d.at): d for d in found if d.window_end > cut} for found in (as_it_was, turned))
    assert all(d.breached for d in after.values())  # the change is felt
    for name in SERVICES:  # a statement made as June begins knows nothing of June
        assert after[name, cut].probability == then[name, cut].probability
        quarter = cut + timedelta(days=7.5)
        assert after[name, quarter].probability > then[name, quarter].probability


def test_a_later_cut_off_changes_no_earlier_statement() -> None:
    """What is replayed in July of April and May is what was replayed at the end of May."""
    then, now = decisions(days=(datetime(2027, 6, 1, tzinfo=UTC) - START).days), decisions()
    assert then
    assert tuple(d for d in now if d.window_end <= datetime(2027, 6, 1, tzinfo=UTC)) == then


def test_statements_are_made_at_quarters_of_closed_windows_after_the_warm_up() -> None:
    made = decisions()
    assert {d.service for d in made} == set(SERVICES)
    assert {d.objective for d in made} == {"on-time"}  # an agreement speaks on the indicator of the internal one
    assert {d.elapsed for d in made} == {-1.0, *ELAPSED}
    assert {d.horizon for d in made} == {"1 ahead", "0 %", "25 %", "50 %", "75 %"}
    assert min(d.at for d in made) >= START + timedelta(days=WARM_DAYS)
    assert {d.window for d in made} <= {"2027-04", "2027-05", "2027-06"}  # July has not closed
    for d in made:
        if d.elapsed < 0:  # at the first instant of the window before it
            assert d.at == datetime(2027, d.period.start.month - 1, 1, tzinfo=UTC)
        else:
            assert d.at == d.period.start + d.elapsed * (d.period.end - d.period.start)
        assert d.decided or 0.0 < d.probability < 1.0
        assert 0.0 < d.climatology < 1.0
        assert [name for name, _ in d.baselines] == [b.name for b in BASELINES]
        assert all(0.0 <= p <= 1.0 for _, p in d.baselines)
    assert len({(d.service, d.window, d.at) for d in made}) == len(made)


def test_climatology_counts_windows_that_had_closed_by_then_at_the_same_horizon() -> None:
    """At the beginning of April three months of both services are known, less those that were decided when asked."""
    made = decisions()
    first = [d for d in made if d.at == datetime(2027, 4, 1, tzinfo=UTC) and d.elapsed == 0.0]
    # January's first instant is before any data: February and March of two services, all open at their first instant.
    possible = {(misses + 1) / (4 + 2) for misses in range(5)}
    assert first
    assert all(min(abs(d.climatology - p) for p in possible) < 1e-12 for d in first)


def test_the_first_third_of_the_windows_calibrates_only() -> None:
    """Six months before July: two calibrate; the warm-up ends on 1 April, so April is the first one scored."""
    assert min(d.period.start for d in decisions()) == datetime(2027, 4, 1, tzinfo=UTC)


def test_windows_ahead_and_latest_times_are_those_of_the_protocol() -> None:
    made = decisions(protocol=Protocol(elapsed=(0.0, 0.9), ahead=2))
    assert {d.elapsed for d in made} == {-2.0, -1.0, 0.0, 0.9}
    assert {d.window for d in made if d.elapsed == -2.0} == {"2027-06"}  # stated on 1 April
    latest = decisions(protocol=Protocol(elapsed=(0.0, 0.9), ahead=2, most_times=2))
    assert {d.at for d in latest} == set(sorted({d.at for d in made})[-2:])
    assert set(latest) <= set(made)
    none = decisions(protocol=Protocol(elapsed=(0.5,), ahead=4))
    assert {d.elapsed for d in none} == {0.5}  # windows ahead are asked about at a window's first instant


def test_one_service_is_stated_as_among_all() -> None:
    one = decisions(services=("shop",))
    assert one == tuple(d for d in decisions() if d.service == "shop")


def test_treated_windows_are_marked() -> None:
    key = ("shop", "sla-shop", "on-time", "2027-05")
    made = decisions(treated=(key,))
    assert {d.key for d in made if d.treated} == {key}
    assert any(d.treated for d in made)


@pytest.mark.parametrize(("elapsed", "ahead"), [((1.0,), 0), ((-0.1,), 0), ((), 0), ((0.5,), 13), ((0.5,), -1)])
def test_a_protocol_that_cannot_be_meant_is_refused(elapsed: tuple[float, ...], ahead: int) -> None:
    with pytest.raises(InputError):
        Protocol(elapsed=elapsed, ahead=ahead)
