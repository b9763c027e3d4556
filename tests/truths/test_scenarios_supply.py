"""What drivers do to units in place, and what a requirement makes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from forecasting.capacity.models.growing_stock import GrowingStock
from forecasting.capacity.requirement import assess
from forecasting.capacity.supply import ComingSupply
from forecasting.scenarios.apply import apply_effects
from forecasting.scenarios.supply import as_expected, supply
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import ErlangCModel, GrowingStockModel, LeadStep, Resource, ResponseCurveModel
from forecasting.terms.errors import InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Metric, MetricKind, Series
from forecasting.terms.scenario import DriverEffect, ResourceEffect

START = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POOL = Resource(
    name="pool", services=("s",), metric_service="s", metric="load",
    model=ResponseCurveModel(good=None, bad=None, total=""),
    unit="nodes", units_now=Decimal(10), per_unit=Decimal(10), lead_time=timedelta(days=7),
    cost_per_unit_month=Decimal(100), capex_per_unit=Decimal(1000),
)  # fmt: skip
DAYS = tuple(date(2027, 1, 1) + k * DAY for k in range(60))


def _effect(kind: str, size: float, start: date, end: date | None = None, **more: float) -> ResourceEffect:
    return ResourceEffect(
        driver="d", resource="pool", kind=kind, start=start, end=end, low=size, mode=size, high=size,  # type: ignore[arg-type]
        likelihood=more.get("likelihood", 1.0),
    )  # fmt: skip


def _forecast(level: float, paths: int = 50) -> Forecast:
    return Forecast(
        service="s", metric=Metric(name="load", kind=MetricKind.NON_NEGATIVE), step=DAY, zone="UTC", start=START,
        paths=np.full((paths, len(DAYS)), level), model="flat", cut_off=START, seed=1,
    )  # fmt: skip


def _history(level: float) -> Series:
    return Series(
        service="s", metric=Metric(name="load", kind=MetricKind.NON_NEGATIVE), start=START - 200 * DAY, step=DAY,
        zone="UTC", values=np.full(200, level),
    )  # fmt: skip


def _assessed(resource: Resource, effects: list[ResourceEffect], level: float = 60.0) -> Requirement:
    found = supply(resource, effects, DAYS, paths=50, seed=1)
    coming = None if found is None else ComingSupply(units=found.units, share=found.share)
    answer = assess(resource, _history(level), _forecast(level), as_of=START, coming=coming)
    assert isinstance(answer, Requirement)
    return answer


def test_a_lost_half_runs_short_on_its_first_day_and_has_to_be_bought_again() -> None:
    plain = _assessed(POOL, [])
    lost = _assessed(POOL, [_effect("units_multiplier", 0.5, date(2027, 2, 1))])
    assert (plain.probability_exhausted, plain.required_p90) == (0.0, 6.0)
    assert lost.probability_exhausted == 1.0
    assert lost.exhaustion_p50 == date(2027, 2, 1)
    assert lost.order_by == date(2027, 1, 25)
    assert lost.required_p90 == 11.0  # six to serve, and the five that are counted as in place
    assert lost.headroom_end == pytest.approx(5.0 - 6.0)


def test_a_loss_that_ends_leaves_the_days_after_it_alone() -> None:
    found = _assessed(POOL, [_effect("units_multiplier", 0.0, date(2027, 2, 1), date(2027, 2, 3))], level=1.0)
    assert found.exhaustion_p50 == date(2027, 2, 1)
    assert found.headroom_end == pytest.approx(10.0 - 0.1)


def test_a_shorter_window_on_one_night() -> None:
    window = replace(POOL, model=GrowingStockModel(), units_now=Decimal(480), per_unit=Decimal(1))
    short = _effect("usable_multiplier", 0.875, date(2027, 2, 10), date(2027, 2, 11))
    found = _assessed(window, [short], level=450.0)
    assert found.exhaustion_p50 == date(2027, 2, 10)
    assert found.probability_exhausted == 1.0


def test_an_unsure_loss_passes_on_its_share_of_the_paths() -> None:
    unsure = _effect("units_multiplier", 0.0, date(2027, 2, 1), likelihood=0.3)
    found = supply(POOL, [unsure], DAYS, paths=20_000, seed=5)
    assert found is not None
    assert (found.units[:, -1] == 0).mean() == pytest.approx(0.3, abs=0.015)
    assert (found.units[:, 0] == 10).all()


def test_a_driver_happens_to_demand_and_supply_on_the_same_paths() -> None:
    forecast = _forecast(100.0, paths=4000)
    demand = DriverEffect(
        driver="d", service="s", metric="load", kind="multiplier", start=date(2027, 2, 1), low=2, mode=2, high=2,
        likelihood=0.4,
    )  # fmt: skip
    both = apply_effects(forecast, [demand], seed=9).paths[:, -1] == 200
    lost = supply(POOL, [_effect("units_step", -3, date(2027, 2, 1), likelihood=0.4)], DAYS, paths=4000, seed=9)
    assert lost is not None
    assert (both == (lost.units[:, -1] == 7)).all()


def test_a_queue_with_fewer_agents_carries_what_the_formula_says() -> None:
    desk = replace(
        POOL, model=ErlangCModel(handling_time_s=Decimal(420), answer_within_s=Decimal(20), target=Decimal("0.8")),
        units_now=Decimal(17), per_unit=Decimal(1),
    )  # fmt: skip
    from forecasting.capacity.models import CAPACITY_MODELS

    model = CAPACITY_MODELS["erlang_c"](desk, None)
    found = supply(desk, [_effect("units_step", -2, date(2027, 2, 1))], DAYS, paths=3, seed=1)
    assert found is not None
    limits = ComingSupply(units=found.units, share=found.share).limits(model, 0.0)  # type: ignore[arg-type]
    assert limits[0, 0] == pytest.approx(model.supported(17.0, None))  # type: ignore[union-attr]
    assert limits[0, -1] == pytest.approx(model.supported(15.0, None))  # type: ignore[union-attr]


def test_prices_and_lead_times_as_expected() -> None:
    dearer = _effect("price_multiplier", 1.6, date(2027, 1, 31), likelihood=0.5)
    longer = _effect("lead_time_multiplier", 2.0, date(2027, 1, 3))
    found = as_expected(POOL, [dearer, longer], date(2027, 1, 1), date(2027, 3, 2))
    assert found.cost_per_unit_month == pytest.approx(Decimal(115))
    assert found.lead_time == timedelta(days=14)
    late = _effect("lead_time_multiplier", 2.0, date(2027, 2, 1))
    assert as_expected(POOL, [late], date(2027, 1, 1), date(2027, 3, 2)) is POOL


def test_steps_of_a_chain_grow_alike() -> None:
    chain = replace(POOL, lead_steps=(LeadStep(name="tender", low=7 * DAY, mode=7 * DAY, high=14 * DAY),))
    found = as_expected(
        chain, [_effect("lead_time_multiplier", 2.0, date(2027, 1, 1))], date(2027, 1, 1), date(2027, 3, 1)
    )
    assert found.lead_steps[0].high == 28 * DAY


def test_an_effect_that_means_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="low"):
        supply(POOL, [_effect("units_multiplier", -1.0, date(2027, 2, 1))], DAYS, paths=2, seed=1)
    with pytest.raises(InputError, match="likelihood"):
        supply(POOL, [_effect("units_multiplier", 1.0, date(2027, 2, 1), likelihood=1.5)], DAYS, paths=2, seed=1)


def test_a_campaign_of_a_week_raises_the_peak_by_its_whole_factor() -> None:
    plain = _forecast(60.0)
    campaign = DriverEffect(
        driver="campaign", service="s", metric="load", kind="multiplier", start=date(2027, 2, 1), end=date(2027, 2, 8),
        low=2, mode=2, high=2,
    )  # fmt: skip
    with_it = apply_effects(plain, [campaign], seed=1)
    found = assess(POOL, _history(60.0), with_it, as_of=START, plain=plain)
    assert isinstance(found, Requirement)
    assert found.use_p90 == pytest.approx(12.0)
    assert found.exhaustion_p50 == date(2027, 2, 1)


def test_a_grid_of_capacities_errs_to_the_safe_side() -> None:
    rng = np.random.default_rng(1)
    units = rng.uniform(5, 9, (300, 20))
    model = GrowingStock(per_unit=10.0)
    limits = ComingSupply(units=units, share=np.ones_like(units)).limits(model, 1.0)
    exact = (units - 1.0) * 10.0
    assert (limits <= exact + 1e-9).all()
    assert (limits >= exact - 10.0 * 4 / 399 - 1e-9).all()
