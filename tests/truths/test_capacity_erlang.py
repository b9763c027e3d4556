"""Erlang B and C against published values, arithmetic by other means, and simulation."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from forecasting.capacity.erlang_formulae import (
    erlang_b,
    erlang_c,
    mean_wait,
    required_servers,
    service_level,
    sojourn_exceeds,
    supported_load,
    wait_exceeds,
    wait_percentile,
    with_shrinkage,
)
from forecasting.capacity.models.erlang import ErlangC
from forecasting.capacity.verify import simulate_answered
from forecasting.terms.errors import InputError

PUBLISHED = [
    (2, 1, "0.2", "0.333333333333"),
    (3, 2, "0.210526315789", "0.444444444444"),
    (5, 3, "0.110054347826", "0.236151603499"),
    (10, 8, "0.121661064253", "0.409180150796"),
    (14, 10, "0.0568191433865", "0.174131933595"),
    (20, 15, "0.0455932155898", "0.160429387417"),
    (50, 48, "0.0833373534935", "0.694455611197"),
    (100, 95, "0.0488042061787", "0.506456853913"),
    (1000, 970, "0.00952919327172", "0.24282333618"),
]


@pytest.mark.parametrize(("servers", "load", "blocked", "waiting"), PUBLISHED)
def test_published_probabilities_to_every_printed_digit(servers: int, load: float, blocked: str, waiting: str) -> None:
    for value, printed in ((erlang_b(load, servers), blocked), (erlang_c(load, servers), waiting)):
        half_a_digit = 0.5 * 10.0 ** -len(printed.split(".")[1])
        assert abs(float(value) - float(printed)) <= half_a_digit * 1.001


@pytest.mark.parametrize(("servers", "load"), [(1, 1), (3, 2), (7, 5), (30, 24)])
def test_against_the_sum_in_exact_fractions(servers: int, load: int) -> None:
    terms = [Fraction(1)]
    for k in range(1, servers + 1):
        terms.append(terms[-1] * load / k)
    assert float(erlang_b(load, servers)) == pytest.approx(float(terms[-1] / sum(terms)), rel=1e-14)


def test_unstable_queues_say_so() -> None:
    assert erlang_c([3.0, 4.0], 3).tolist() == [1.0, 1.0]
    assert mean_wait([3.0, 4.0], 3, 60).tolist() == [np.inf, np.inf]
    assert service_level([3.0, 4.0], 3, 60, 20).tolist() == [0.0, 0.0]
    assert wait_percentile([3.0, 4.0], 3, 60, 0.9).tolist() == [np.inf, np.inf]
    assert sojourn_exceeds([3.0, 4.0], 3, 60, 20).tolist() == [1.0, 1.0]


def test_no_calls() -> None:
    assert float(erlang_c(0.0, 0)) == 0.0
    assert float(service_level(0.0, 5, 180, 20)) == 1.0
    assert required_servers([0.0], handling_s=180, within_s=20, target=0.8).tolist() == [0]


@pytest.mark.parametrize(
    ("calls", "agents"),
    [(10, 3), (20, 4), (50, 8), (100, 14), (200, 24), (500, 56), (1000, 107), (2000, 208)],
)
def test_staffing_table_80_20_half_hours(calls: int, agents: int) -> None:
    assert int(required_servers(calls * 180 / 1800, handling_s=180, within_s=20, target=0.8)) == agents


def test_staffing_of_the_service_desk() -> None:
    desk = ErlangC(handling_s=420, within_s=20, target=0.8, interval=timedelta(hours=1))
    assert desk.required(None, [95, 106, 120, 140]).tolist() == [15, 17, 18, 21]
    assert desk.service_level(15, [95, 106]).round(3).tolist() == [0.835, 0.666]
    assert desk.supported(15, None) == pytest.approx(97.8, abs=0.05)


def test_occupancy_and_shrinkage() -> None:
    desk = {"handling_s": 180.0, "within_s": 0.33 * 60, "target": 0.8}
    at_85 = int(required_servers(10.0, max_occupancy=0.85, **desk))
    at_70 = int(required_servers(10.0, max_occupancy=0.7, **desk))
    assert (at_85, with_shrinkage(at_85, Decimal("0.3"))) == (14, 20)
    assert (at_70, with_shrinkage(at_70, Decimal("0.3"))) == (15, 22)
    assert int(required_servers(14.0, handling_s=180, within_s=3600, target=0.1, max_occupancy=0.7)) == 20
    assert supported_load(15, max_occupancy=0.5, **desk) == 7.5


def test_starts_above_the_load_and_never_rounds_it() -> None:
    # A lax target is reached by the first stable number of servers, floor(a) + 1.
    assert required_servers([2.0, 2.4, 2.6, 3.0], handling_s=60, within_s=1e6, target=0.01).tolist() == [3, 3, 3, 4]


def test_percentile_inverts_the_tail() -> None:
    for p in (0.5, 0.8, 0.9, 0.99):
        wait = float(wait_percentile(8.0, 10, 60, p))
        tail = float(wait_exceeds(8.0, 10, 60, wait))
        assert tail == pytest.approx(1 - p, rel=1e-12) if wait > 0 else tail <= 1 - p


def test_sojourn_is_wait_plus_handling() -> None:
    from scipy.integrate import trapezoid

    # By integration of P(W > t - s) over the handling time, including the limit a = c - 1 and values beside it.
    rate, t = 1 / 60.0, 100.0
    s = np.linspace(0, t, 200_001)
    for load in (8.0, 8.9999, 9.0, 9.0001, 9.5):
        tail = np.array(erlang_c(load, 10)) * np.exp(-(10 - load) * rate * (t - s))
        expected = np.exp(-rate * t) + trapezoid(rate * np.exp(-rate * s) * tail, s)
        assert float(sojourn_exceeds(load, 10, 60, t)) == pytest.approx(float(expected), rel=1e-6)


def test_one_server_has_an_exponential_sojourn() -> None:
    assert float(sojourn_exceeds(0.7, 1, 60, 90)) == pytest.approx(np.exp(-0.3 * 90 / 60), rel=1e-12)


def test_uncertain_demand_needs_the_quantile_of_demand() -> None:
    from scipy.stats import gamma

    load = gamma(a=100, scale=0.5)
    levels = [0.5, 0.8, 0.9, 0.95, 0.99]
    needed = required_servers(load.ppf(levels), handling_s=180, within_s=20, target=0.8)
    assert needed.tolist() == [56, 60, 63, 65, 69]
    assert float(service_level(50.0, 56, 180, 20)) == pytest.approx(0.8412, abs=5e-5)
    carried = supported_load(56, handling_s=180, within_s=20, target=0.8)
    assert float(load.cdf(carried)) == pytest.approx(0.5666, abs=5e-5)
    grid = load.ppf((np.arange(20_000) + 0.5) / 20_000)
    weighted = float((grid * service_level(grid, 56, 180, 20)).sum() / grid.sum())
    assert weighted == pytest.approx(0.6679, abs=2e-4)


CASES = [
    (c, round(c * rho, 3), within)
    for c, rho in (
        (1, 0.5),
        (1, 0.8),
        (2, 0.7),
        (3, 0.6),
        (5, 0.8),
        (8, 0.85),
        (10, 0.9),
        (15, 0.8),
        (17, 0.73),
        (25, 0.9),
    )
    for within in (0.0, 0.111)
]


@pytest.mark.parametrize(("servers", "load", "within"), CASES)
def test_simulation_agrees_with_the_closed_form(servers: int, load: float, within: float) -> None:
    found, error = simulate_answered(load, servers, within=within, seed=20130901, replications=150, calls=150)
    expected = float(service_level(load, servers, 1.0, within))
    assert error < 0.03
    assert abs(found - expected) <= 4 * error


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(60))
def test_simulation_agrees_on_many_queues(seed: int) -> None:
    rng = np.random.default_rng(seed)
    servers, within = int(rng.integers(1, 40)), float(rng.choice([0.0, 0.05, 0.2, 1.0]))
    # Late calls must not be so rare that their number per replication tells nothing of its own spread.
    loads = servers * np.arange(0.3, 0.93, 0.01)
    expected = service_level(loads, servers, 1.0, within)
    usual = np.flatnonzero((expected > 0.05) & (expected < 0.99))
    pick = int(rng.choice(usual)) if len(usual) else len(loads) - 1
    found, error = simulate_answered(float(loads[pick]), servers, within=within, seed=seed, replications=300, calls=300)
    assert abs(found - float(expected[pick])) <= 4 * error


@pytest.mark.nightly
def test_an_independent_simulator_agrees() -> None:
    import ciw

    answered = []
    for seed in range(20):
        network = ciw.create_network(
            arrival_distributions=[ciw.dists.Exponential(rate=106 / 3600)],
            service_distributions=[ciw.dists.Exponential(rate=1 / 420)],
            number_of_servers=[17],
        )
        ciw.seed(seed)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_time(400_000)
        waits = [r.waiting_time for r in simulation.get_all_records() if 30_000 < r.arrival_date < 390_000]
        answered.append(np.mean(np.array(waits) <= 20))
    expected = float(service_level(106 * 420 / 3600, 17, 420, 20))
    error = np.std(answered, ddof=1) / np.sqrt(len(answered))
    assert abs(np.mean(answered) - expected) <= 4 * error
    assert error < 0.01


@pytest.mark.parametrize("bad", [[-1.0], [np.nan], [np.inf]])
def test_impossible_loads_are_refused(bad: list[float]) -> None:
    for call in (
        lambda: erlang_b(bad, 3),
        lambda: wait_exceeds(bad, 3, 60, 20),
        lambda: required_servers(bad, handling_s=60, within_s=20, target=0.8),
    ):
        with pytest.raises(InputError, match="load"):
            call()


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(InputError, match=r"try: 0\.8"):
        required_servers(3.0, handling_s=60, within_s=20, target=80)
    with pytest.raises(InputError, match="handling_s"):
        wait_exceeds(3.0, 4, 0.0, 20)
    with pytest.raises(InputError, match="shrinkage"):
        with_shrinkage(10, Decimal(1))
    with pytest.raises(InputError, match="servers"):
        erlang_b(3.0, -1)
    with pytest.raises(InputError, match="above 0 and below the 3 servers"):
        simulate_answered(3.0, 3, within=0.1, seed=1)
