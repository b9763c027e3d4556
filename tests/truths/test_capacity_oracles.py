"""Published and independently computed figures of queueing, to their printed digits."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from scipy.stats import gamma, poisson

from forecasting.capacity.abandonment import erlang_a, exponential_patience, patience_metrics
from forecasting.capacity.erlang_formulae import erlang_b, erlang_c, mean_wait, required_servers, with_shrinkage
from forecasting.capacity.halfin_whitt import safety_factor, waiting_share
from forecasting.capacity.models.erlang import ErlangC
from forecasting.capacity.models.erlang_a import ErlangA
from forecasting.capacity.models.erlang_b import ErlangB
from forecasting.capacity.models.ggc import Queue, allen_cunneen, sakasegawa
from forecasting.capacity.models.time_varying import Staffing
from forecasting.capacity.simulate import simulate_queue, times
from forecasting.capacity.transient import Trajectory, trajectory
from forecasting.capacity.uncertain import newsvendor, newsvendor_on_draws, required_at, uncertain_level
from forecasting.terms.errors import InputError

HALF_HOUR = timedelta(minutes=30)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("servers", "load", "blocked", "waits"),
    [
        (2, 1, 0.2, 1 / 3),
        (3, 2, 4 / 19, 4 / 9),
        (5, 3, 0.110054347826, 0.236151603499),
        (10, 8, 0.121661064253, 0.409180150796),
        (14, 10, 0.0568191433865, 0.174131933595),
        (20, 15, 0.0455932155898, 0.160429387417),
        (50, 48, 0.0833373534935, 0.694455611197),
        (100, 95, 0.0488042061787, 0.506456853913),
        (1000, 970, 0.00952919327172, 0.24282333618),
    ],
)
def test_erlang_b_and_c(servers: int, load: float, blocked: float, waits: float) -> None:
    assert float(erlang_b(load, servers)) == pytest.approx(blocked, rel=1e-11)
    assert float(erlang_c(load, servers)) == pytest.approx(waits, rel=1e-11)
    lines = ErlangB(holding_s=60.0, target=0.9, interval=timedelta(minutes=1))
    assert float(lines.service_level(servers, [load])[0]) == pytest.approx(1 - blocked, rel=1e-10)


@pytest.mark.parametrize(
    ("calls", "agents"), [(10, 3), (20, 4), (50, 8), (100, 14), (200, 24), (500, 56), (1000, 107), (2000, 208)]
)
def test_staffing_80_20_with_three_minutes_a_call(calls: int, agents: int) -> None:
    desk = ErlangC(handling_s=180.0, within_s=20.0, target=0.8, interval=HALF_HOUR)
    assert desk.required(None, [calls]).tolist() == [agents]


def test_staffing_with_seven_minutes_a_call() -> None:
    desk = ErlangC(handling_s=420.0, within_s=20.0, target=0.8, interval=HOUR)
    assert desk.required(None, [95, 106, 120, 140]).tolist() == [15, 17, 18, 21]


@pytest.mark.parametrize(("occupancy", "on_line", "paid"), [(0.85, 14, 20), (0.7, 15, 22)])
def test_occupancy_and_shrinkage(occupancy: float, on_line: int, paid: int) -> None:
    found = required_servers([10.0], handling_s=180.0, within_s=0.33 * 60, target=0.8, max_occupancy=occupancy)
    assert found.tolist() == [on_line]
    assert with_shrinkage(on_line, Decimal("0.3")) == paid
    desk = ErlangC(
        handling_s=180.0, within_s=0.33 * 60, target=0.8, interval=HALF_HOUR, max_occupancy=occupancy,
        shrinkage=Decimal("0.3"),
    )  # fmt: skip
    assert desk.required(None, [100]).tolist() == [paid]
    assert desk.service_level(paid, [100.0]) == pytest.approx(
        ErlangC(handling_s=180.0, within_s=0.33 * 60, target=0.8, interval=HALF_HOUR).service_level(on_line, [100.0])
    )


def test_erlang_a() -> None:
    desk = erlang_a(48.0, 50, handling=1.0, patience=2.0, within=20 / 60)
    assert round(desk.abandons, 7) == 0.0309122
    assert round(desk.mean_wait * 60, 5) == 3.70947
    assert round(desk.mean_queue, 5) == 2.96758
    assert round(desk.waits, 6) == 0.467774
    assert round(desk.answered_in_time, 6) == 0.943019
    assert float(erlang_c(48.0, 50)) == pytest.approx(0.694456, abs=5e-7)
    assert float(mean_wait(48.0, 50, 60.0)) == pytest.approx(20.8337, abs=5e-5)


def test_any_patience_agrees_with_erlang_a_where_it_is_exponential() -> None:
    for rate, servers, patience in [(48.0, 50, 2.0), (60.0, 50, 0.5), (10.0, 12, 5.0)]:
        closed = erlang_a(rate, servers, handling=1.0, patience=patience, within=0.3)
        found = patience_metrics(
            rate,
            servers,
            handling=1.0,
            survival=lambda x, m=patience: np.exp(-x / m),
            within=0.3,  # type: ignore[misc]
        )
        for name in ("waits", "abandons", "answered_in_time", "mean_wait", "mean_queue"):
            assert getattr(found, name) == pytest.approx(getattr(closed, name), rel=1e-6, abs=1e-9), name


def test_a_long_time_allowed_does_not_break_the_tail() -> None:
    found = erlang_a(1000 / 30, 102, handling=3.0, patience=5.0, within=30.0)
    assert round(found.answered_in_time, 10) == 0.9738338529
    assert round(found.abandons, 10) == 0.0261661471


def test_the_fewest_may_be_just_above_the_load() -> None:
    assert required_servers([10.6], handling_s=1200.0, within_s=8 * 3600.0, target=0.95).tolist() == [11]


def test_limits_of_erlang_a() -> None:
    waits, gave_up, level = exponential_patience(8.0, 10, patience=1e9, within=0.1)
    assert float(waits) == pytest.approx(float(erlang_c(8.0, 10)), rel=1e-6)
    assert float(gave_up) < 1e-8
    assert float(level) == pytest.approx(1 - float(erlang_c(8.0, 10)) * np.exp(-0.2), rel=1e-6)
    # With patience as long as handling the number in the system is Poisson.
    waits, _, _ = exponential_patience(12.0, 10, patience=1.0, within=0.1)
    assert float(waits) == pytest.approx(float(poisson.sf(9, 12.0)), rel=1e-9)
    # Nobody waits: Erlang B.
    _, gave_up, _ = exponential_patience(8.0, 10, patience=1e-7, within=0.1)
    assert float(gave_up) == pytest.approx(0.121661064253, rel=1e-5)


def test_erlang_a_needs_no_more_than_erlang_c() -> None:
    calls = np.linspace(0, 500, 60)
    patient = ErlangC(handling_s=180.0, within_s=20.0, target=0.8, interval=HALF_HOUR).required(None, calls)
    desk = ErlangA(handling_s=180.0, patience_s=120.0, within_s=20.0, target=0.8, interval=HALF_HOUR)
    assert (desk.required(None, calls) <= patient).all()
    assert desk.required(None, [0.0]).tolist() == [0.0]


def test_square_root_staffing() -> None:
    assert [round(waiting_share(b), 4) for b in (0.5, 1.0, 2.0)] == [0.5045, 0.2234, 0.0269]
    assert round(safety_factor(0.1), 6) == 1.420187
    assert round(safety_factor(0.2), 6) == 1.061516
    # At ten thousand Erlang the limit is reached.
    assert float(erlang_c(10_000.0, 10_100)) == pytest.approx(waiting_share(1.0), abs=0.002)


def test_queues_of_any_variability() -> None:
    # M/G/1: Pollaczek and Khinchine, exact.
    assert float(allen_cunneen(0.8, 1, arrival_cv=1.0, service_cv=0.0)) == pytest.approx(2.0)
    assert float(allen_cunneen(8.0, 10, arrival_cv=1.0, service_cv=1.0)) == pytest.approx(0.409180150796 / 2)
    assert float(sakasegawa(0.8, 1, arrival_cv=1.0, service_cv=1.0)) == pytest.approx(4.0)
    same = float(sakasegawa(8.0, 10, arrival_cv=1.0, service_cv=1.0))
    assert same == pytest.approx(0.409180150796 / 2, rel=0.1)


@pytest.mark.parametrize(("arrival_cv", "service_cv"), [(0.5, 0.5), (1.5, 1.0), (1.0, 1.5), (0.7, 1.2)])
def test_queues_of_any_variability_within_twenty_per_cent(arrival_cv: float, service_cv: float) -> None:
    found = simulate_queue(
        8.5, 10, within=0.1, seed=4, arrival_cv=arrival_cv, service_cv=service_cv, replications=300, calls=800
    )
    stated = float(allen_cunneen(8.5, 10, arrival_cv=arrival_cv, service_cv=service_cv))
    assert stated == pytest.approx(found.mean_wait, rel=0.2, abs=4 * found.mean_wait_error)
    queue = Queue(
        service_s=1.0, within_s=0.1, target=0.8, interval=timedelta(seconds=1), arrival_cv=arrival_cv,
        service_cv=service_cv,
    )  # fmt: skip
    assert float(queue.service_level(10, [8.5])[0]) == pytest.approx(found.answered_in_time, abs=0.06)


def test_uncertain_demand() -> None:
    """Load of mean 50 Erlang and coefficient of variation .1, gamma; by quadrature, so that nothing is random."""
    middle = (np.arange(200_000) + 0.5) / 200_000
    loads = gamma(100, scale=0.5).ppf(middle)
    desk = ErlangC(handling_s=180.0, within_s=20.0, target=0.8, interval=timedelta(seconds=180))
    found = uncertain_level(desk, 56, loads, target=0.8)
    assert round(found.at_the_mean, 4) == 0.8412
    assert round(found.demand_weighted, 4) == 0.6679
    assert round(found.probability_met, 4) == 0.5666
    assert required_at(desk, loads, [0.5, 0.8, 0.9, 0.95, 0.99]).tolist() == [56, 60, 63, 65, 69]


def test_newsvendor() -> None:
    assert [round(x, 4) for x in newsvendor(100.0, 15.0, short=9.0, over=1.0)] == [119.2233, 26.3247]
    rng = np.random.default_rng(1)
    q, cost = newsvendor_on_draws(rng.normal(100, 15, 400_000), short=9.0, over=1.0)
    assert q == pytest.approx(119.2233, abs=0.15)
    assert cost == pytest.approx(26.3247, rel=0.01)


def _daily(t: float) -> float:
    return 20.0 * (1.0 + 0.5 * np.sin(2 * np.pi * t / 24.0))


def _waiting_by_period(found: Trajectory) -> np.ndarray:
    weight = np.array([_daily(t) for t in found.times]).reshape(12, -1)
    return (found.waiting.reshape(12, -1) * weight).sum(axis=1) / weight.sum(axis=1)


@pytest.mark.parametrize(
    ("schedule", "hours", "worst"),
    [
        ([28, 33, 36, 36, 33, 28, 23, 18, 15, 15, 18, 23], 612, 0.418),
        ([26, 31, 35, 36, 35, 31, 26, 20, 16, 15, 16, 20], 614, 0.201),
    ],
)
def test_staffing_through_a_day_by_the_forward_equations(schedule: list[int], hours: int, worst: float) -> None:
    assert sum(schedule) * 2 == hours
    found = trajectory(_daily, schedule, period=2.0, handling=1.0, days=2, per_period=200)
    # Of the arrivals of each period, the share that waits, worst period of the second day. The reference figures were
    # summed over coarser steps; the integral is .416 and .197.
    assert float(_waiting_by_period(found).max()) == pytest.approx(worst, abs=0.005)
    assert found.beyond < 1e-6


def test_the_staffing_model_keeps_its_target_where_staffing_by_period_does_not() -> None:
    desk = Staffing(handling_s=3600.0, within_s=0.0, target=0.8, interval=timedelta(hours=2))
    edges = np.arange(13) * 2.0
    whole = 20.0 * (edges - 12 / (2 * np.pi) * 2 * 0.5 * np.cos(2 * np.pi * edges / 24.0))
    calls = np.diff(whole)
    staffed = desk.by_period(calls)
    found = trajectory(_daily, staffed, period=2.0, handling=1.0, days=2)
    naive = trajectory(_daily, desk.required(None, calls), period=2.0, handling=1.0, days=2)
    assert float(_waiting_by_period(found).max()) <= 0.2
    assert float(_waiting_by_period(naive).max()) > 0.35


def test_a_loss_system_is_a_queue_without_patience() -> None:
    found = simulate_queue(8.0, 10, within=0.0, seed=2, patience=0.0)
    assert found.lost == pytest.approx(0.121661064253, abs=4 * found.lost_error)


def test_simulation_refuses_a_queue_that_never_settles() -> None:
    with pytest.raises(InputError, match="load"):
        simulate_queue(10.0, 10, within=0.1, seed=1)


@pytest.mark.nightly
def test_simulation_agrees_with_closed_forms_in_500_cases() -> None:
    """Within four standard errors in at least 99 of 100 cases: Erlang B, C, A in turn."""
    rng = np.random.default_rng(20261124)
    outside = []
    for case in range(500):
        servers = int(rng.integers(1, 40))
        within = float(rng.uniform(0, 0.5))
        kind = "BCA"[case % 3]
        load = servers * float(rng.uniform(0.3, 0.92 if kind == "C" else 1.3))
        if kind == "B":
            found = simulate_queue(
                load, servers, within=0.0, seed=case, patience=0.0, service_cv=2.0 if case % 2 else 1.0
            )
            pair = (found.lost, found.lost_error, float(erlang_b(load, servers)))
        elif kind == "C":
            found = simulate_queue(load, servers, within=within, seed=case)
            spare = servers - load
            pair = (
                found.answered_in_time, found.answered_error,
                1 - float(erlang_c(load, servers)) * float(np.exp(-spare * within)),
            )  # fmt: skip
        else:
            patience = float(rng.uniform(0.3, 4.0))
            found = simulate_queue(load, servers, within=within, seed=case, patience=patience)
            level = exponential_patience(load, servers, patience=patience, within=within)[2]
            pair = (found.answered_in_time, found.answered_error, float(level))
        # Where hardly any call waits the error over queues is 0 by luck; that of independent calls is known.
        least = float(np.sqrt(max(pair[2] * (1 - pair[2]), 0.0) / found.calls))
        if abs(pair[0] - pair[2]) > 4 * max(pair[1], least):
            outside.append((kind, servers, round(load, 3), pair))
    print(f"\n500 cases: {500 - len(outside)} within four standard errors; outside: {outside}")
    assert len(outside) <= 5


def test_draws_have_the_variability_asked_for() -> None:
    drawn = times(1.7)(np.random.default_rng(1), (200_000,))
    assert drawn.mean() == pytest.approx(1.0, abs=0.02)
    assert drawn.std() == pytest.approx(1.7, abs=0.05)
