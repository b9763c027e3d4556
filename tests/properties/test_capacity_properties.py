"""What holds for every capacity model, whatever the numbers."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.capacity.cost import CapacityCost, cost_of_units
from forecasting.capacity.erlang_formulae import (
    erlang_b,
    erlang_c,
    required_servers,
    service_level,
    supported_load,
    wait_percentile,
)
from forecasting.capacity.models.growing_stock import first_passage
from forecasting.capacity.models.response_curve import ResponseCurve
from forecasting.capacity.requirement import assess, round_up_to_step
from forecasting.scenarios.apply import apply_effects
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import ErlangCModel, GrowingStockModel, Resource
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.scenario import DriverEffect

LOADS = st.lists(st.floats(0, 120), min_size=1, max_size=20)
TARGETS = st.floats(0.05, 0.99)
HANDLING = st.floats(10, 1200)
WITHIN = st.floats(0, 600)
COMMON = settings(derandomize=True, max_examples=60, deadline=None)
AS_OF = datetime(2026, 11, 22, tzinfo=UTC)


def by_trying(load: float, handling_s: float, within_s: float, target: float) -> int:
    """The fewest servers, found by trying one number after the other."""
    servers = 0
    while load > 0 and not (servers > load and float(service_level(load, servers, handling_s, within_s)) >= target):
        servers += 1
    return servers


@COMMON
@given(LOADS, HANDLING, WITHIN, TARGETS)
def test_required_is_the_fewest_that_are_enough(
    loads: list[float], handling_s: float, within_s: float, target: float
) -> None:
    needed = required_servers(loads, handling_s=handling_s, within_s=within_s, target=target)
    for load, servers in zip(loads, needed.tolist(), strict=True):
        late = 1 - float(service_level(load, servers, handling_s, within_s))
        assert late <= (1 - target) * (1 + 1e-9) + 1e-12
        expected = by_trying(load, handling_s, within_s, target)
        near = abs(float(service_level(load, min(expected, servers), handling_s, within_s)) - target) < 1e-12
        assert servers == expected or near


@COMMON
@given(LOADS, HANDLING, WITHIN, TARGETS, TARGETS)
def test_more_demand_and_tighter_targets_never_need_less(
    loads: list[float], handling_s: float, within_s: float, one: float, two: float
) -> None:
    lax, tight = sorted((one, two))
    a = np.sort(loads)
    needed = required_servers(a, handling_s=handling_s, within_s=within_s, target=lax)
    assert (np.diff(needed) >= 0).all()
    assert (required_servers(a, handling_s=handling_s, within_s=within_s, target=tight) >= needed).all()
    assert (required_servers(a, handling_s=handling_s, within_s=within_s / 2, target=lax) >= needed).all()
    capped = required_servers(a, handling_s=handling_s, within_s=within_s, target=lax, max_occupancy=0.8)
    assert (capped >= needed).all()


@COMMON
@given(st.integers(1, 80), HANDLING, WITHIN, TARGETS)
def test_supported_is_the_largest_load_that_is_carried(
    servers: int, handling_s: float, within_s: float, target: float
) -> None:
    carried = supported_load(servers, handling_s=handling_s, within_s=within_s, target=target)
    desk = {"handling_s": handling_s, "within_s": within_s, "target": target}
    if carried > 1e-6:
        assert int(required_servers(carried * (1 - 1e-9), **desk)) <= servers
    assert int(required_servers(carried * (1 + 1e-9) + 1e-9, **desk)) > servers or carried * (1 + 1e-9) >= servers


@COMMON
@given(LOADS, st.integers(1, 100))
def test_probabilities_are_ordered(loads: list[float], servers: int) -> None:
    a = np.sort(loads)
    lost, waiting, fewer = erlang_b(a, servers), erlang_c(a, servers), erlang_c(a, servers + 1)
    assert ((lost >= 0) & (lost <= waiting) & (waiting <= 1)).all()
    assert (fewer <= waiting).all()
    assert (np.diff(waiting) >= 0).all()
    assert (wait_percentile(a, servers, 60, 0.9) >= wait_percentile(a, servers, 60, 0.5)).all()


@COMMON
@given(st.integers(0, 1000), TARGETS, st.floats(0.02, 0.98))
def test_the_quantile_of_demand_gives_the_capacity_that_is_enough_with_that_probability(
    seed: int, target: float, p: float
) -> None:
    load = np.random.default_rng(seed).gamma(20, 1.0, size=101)
    desk = {"handling_s": 180.0, "within_s": 20.0, "target": target}
    needed = int(required_servers(np.quantile(load, p, method="inverted_cdf"), **desk))
    enough = [(required_servers(load, **desk) <= c).mean() >= p - 1e-12 for c in range(needed + 3)]
    assert enough == [c >= needed for c in range(needed + 3)]


CURVES = st.builds(
    lambda xs, ls, slope: ResponseCurve(
        knots=np.cumsum(xs),
        logits=np.cumsum(ls) - 4,
        slope=slope,
        observed_low=0.0,
        observed_high=float(sum(xs)),
        slices=500,
        relation=0.2,
        log_loss=0.4,
        log_loss_without=0.5,
        hours_controlled=True,
    ),
    st.lists(st.floats(0.05, 0.4), min_size=4, max_size=4),
    st.lists(st.floats(0.01, 2.0), min_size=4, max_size=4),
    st.floats(0.1, 5.0),
)


@COMMON
@given(
    CURVES, st.lists(st.floats(0, 200), min_size=2, max_size=10), st.lists(st.floats(1, 100), min_size=2, max_size=6)
)
def test_a_curve_rises_with_load_and_relief_falls_with_capacity(
    curve: ResponseCurve, loads: list[float], capacities: list[float]
) -> None:
    load, rooms = np.sort(loads), sorted(capacities)
    share = curve.bad_share(load, rooms[0])
    assert ((share > 0) & (share < 1)).all()
    assert (np.diff(share) >= 0).all()
    relief = [curve.relief(load, rooms[0], room) for room in rooms]
    assert (relief[0] == 1.0).all()
    for less, more in pairwise(relief):
        assert (more <= less).all()
        assert ((more > 0) & (more <= 1)).all()


@COMMON
@given(CURVES, st.floats(1, 100), TARGETS)
def test_a_curve_inverts(curve: ResponseCurve, demand: float, target: float) -> None:
    needed = float(curve.required(target, demand))
    if np.isfinite(needed):
        assert float(curve.service_level(needed * (1 + 1e-9), demand)) >= target - 1e-9
        assert abs(curve.supported(needed, target) - demand) <= 1e-6 * demand
        assert float(curve.service_level(needed * 0.98, demand)) < target + 1e-9
    else:
        assert curve.supported(50.0, target) == 0.0


@COMMON
@given(st.integers(0, 1000), st.floats(0.5, 40), st.floats(0, 5))
def test_a_higher_limit_is_passed_later(seed: int, limit: float, more: float) -> None:
    paths = np.random.default_rng(seed).normal(0.3, 1.0, (30, 60)).cumsum(axis=1)
    at, above = (first_passage(paths, limit, at_limit=flag) for flag in (True, False))
    assert (first_passage(paths, limit + more, at_limit=True) >= at).all()
    assert (above >= at).all()
    assert ((at >= 0) & (at <= 60)).all()


@COMMON
@given(st.floats(0.001, 500), st.floats(0, 100), st.integers(1, 10), st.integers(1, 100))
def test_rounding_covers_the_use_with_less_than_a_step_to_spare(
    use: float, more: float, step: int, percent: int
) -> None:
    resource = dataclasses.replace(STOCK, step_units=Decimal(step), usable_share=Decimal(percent) / 100)
    units = round_up_to_step(resource, use)
    needed = float(Decimal(str(use)) / resource.usable_share)
    assert float(units) >= needed * (1 - 1e-11)
    assert float(units) - needed < step * (1 + 1e-9)
    assert (units - resource.units_now) % step == 0 or units == 0
    assert round_up_to_step(resource, use + more) >= units


STOCK = Resource(
    name="disk", services=("s",), metric_service="s", metric="tb", model=GrowingStockModel(), unit="TB",
    units_now=Decimal(150), capex_per_unit=Decimal("4.2"), cost_per_unit_month=Decimal("0.3"),
    lead_time=timedelta(days=20),
)  # fmt: skip
DESK = dataclasses.replace(
    STOCK,
    metric="calls",
    model=ErlangCModel(handling_time_s=Decimal(420), answer_within_s=Decimal(20), target=Decimal("0.8")),
    units_now=Decimal(12),
)


def assessed(resource: Resource, seed: int, factor: float = 1.0) -> Requirement:
    """A requirement from made-up history and paths."""
    rng = np.random.default_rng(seed)
    if resource.metric == "tb":
        metric = Metric(name="tb", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1))
        values, step = 100 + 0.3 * np.arange(80) + rng.normal(0, 1, 80), timedelta(days=1)
        paths = 124 + rng.normal(0.4, 1.5, (60, 90)).cumsum(axis=1)
    else:
        metric = Metric(name="calls", kind=MetricKind.COUNT, step=timedelta(hours=1))
        values, step = rng.poisson(60, 80 * 24).astype(np.float64), timedelta(hours=1)
        paths = rng.normal(24 * 60, 100, (60, 90)) * np.linspace(1, 1.2, 90)
    used = Series(service="s", metric=metric, start=AS_OF - len(values) * step, step=step, values=values)
    line = Forecast(
        service="s", metric=metric, start=AS_OF, step=timedelta(days=1), zone="UTC", paths=paths * factor,
        model="made up", cut_off=AS_OF, seed=seed,
    )  # fmt: skip
    found = assess(resource, used, line, as_of=AS_OF)
    assert isinstance(found, Requirement), found
    return found


@settings(derandomize=True, max_examples=12, deadline=None)
@given(st.integers(0, 500), st.sampled_from([STOCK, DESK]), st.floats(1.0, 1.3))
def test_requirements_are_consistent(seed: int, resource: Resource, factor: float) -> None:
    found = assessed(resource, seed)
    again, more = assessed(resource, seed), assessed(resource, seed, factor)
    assert found == again
    assert found.required_p50 <= found.required_p90
    assert found.use_p50 <= found.use_p90
    assert found.required_p90 <= more.required_p90
    assert found.probability_exhausted <= more.probability_exhausted
    for earlier, later in (
        (found.exhaustion_p10, found.exhaustion_p50),
        (found.exhaustion_p50, found.exhaustion_p90),
        (more.exhaustion_p10, found.exhaustion_p10),
    ):
        assert (earlier or date.max) <= (later or date.max)
    assert (found.need_by is None) == (found.probability_exhausted < 0.1 - 1e-9)
    if found.need_by is not None:
        assert found.order_by == found.need_by - timedelta(days=20)
    assert (found.headroom_now >= 0) == (found.supported_growth >= 1) or found.headroom_now == 0
    assert found.check


@COMMON
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 400), st.integers(0, 400))
def test_cost_adds_up_and_never_falls(one: int, two: int, days: int, longer: int) -> None:
    ordered = date(2027, 1, 13)

    def cost(units: int, days: int) -> CapacityCost:
        found = cost_of_units(STOCK, Decimal(units), ordered=ordered, until=ordered + timedelta(days=days))
        assert isinstance(found, CapacityCost)
        return found

    assert cost(one + two, days).capex == cost(one, days).capex + cost(two, days).capex
    assert abs(cost(one + two, days).opex - cost(one, days).opex - cost(two, days).opex) < Decimal("1e-20")
    assert cost(one, days + longer).total >= cost(one, days).total


@COMMON
@given(
    st.sampled_from(["multiplier", "step", "trend"]),
    st.tuples(*[st.floats(0, 50)] * 3),
    st.integers(-10, 20),
    st.integers(0, 15),
    st.floats(0, 1),
    st.integers(0, 100),
)
def test_effects_keep_shape_bounds_and_the_days_before(
    kind: str, sizes: tuple[float, float, float], offset: int, ramp: int, likelihood: float, seed: int
) -> None:
    low, mode, high = sorted(sizes)
    base = Forecast(
        service="s", metric=Metric(name="tb", kind=MetricKind.NON_NEGATIVE), start=AS_OF, step=timedelta(days=1),
        zone="UTC", paths=np.random.default_rng(seed).gamma(5, 2, (20, 15)), model="made up", cut_off=AS_OF, seed=1,
    )  # fmt: skip
    effect = DriverEffect(
        driver="d", service="s", metric="tb", kind=kind, start=AS_OF.date() + timedelta(days=offset),  # type: ignore[arg-type]
        low=low, mode=mode, high=high, ramp_days=ramp, likelihood=likelihood,
    )  # fmt: skip
    found = apply_effects(base, [effect], seed=seed)
    assert found.paths.shape == base.paths.shape
    assert np.isfinite(found.paths).all()
    assert (found.paths >= 0).all()
    before = max(min(offset, 15), 0)
    assert np.array_equal(found.paths[:, :before], base.paths[:, :before])
    if kind != "multiplier":
        assert (found.paths >= base.paths).all()
