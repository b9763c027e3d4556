"""Every capacity model in the table keeps the contract."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from forecasting.capacity.base import CapacityModel
from forecasting.capacity.models import CAPACITY_MODELS
from forecasting.capacity.models.response_curve import ResponseCurve
from forecasting.capacity.requirement import CHECKS
from forecasting.terms import catalogue
from forecasting.terms.catalogue import (
    BacklogModel,
    ErlangAModel,
    ErlangBModel,
    ErlangCModel,
    GrowingStockModel,
    QueueModel,
    RedundancyModel,
    Resource,
    ResponseCurveModel,
    ScalabilityModel,
    StaffingModel,
)
from forecasting.terms.errors import Excuse, InputError

SPECS: dict[str, catalogue.CapacityModel] = {
    "erlang_c": ErlangCModel(handling_time_s=Decimal(420), answer_within_s=Decimal(20), target=Decimal("0.8")),
    "erlang_a": ErlangAModel(
        handling_time_s=Decimal(420), patience_s=Decimal(300), answer_within_s=Decimal(20), target=Decimal("0.8")
    ),
    "erlang_b": ErlangBModel(holding_time_s=Decimal(420), target=Decimal("0.9")),
    "ggc": QueueModel(
        service_time_s=Decimal(420), within_s=Decimal(60), target=Decimal("0.8"), arrival_cv=Decimal("1.5")
    ),
    "usl": ScalabilityModel(gamma=Decimal(10), alpha=Decimal("0.02"), beta=Decimal("0.0001")),
    "redundancy": RedundancyModel(
        unit_availability=Decimal("0.99"), target=Decimal("0.999"), common_cause=Decimal("0.02"), domains=2
    ),
    "backlog": BacklogModel(within=timedelta(days=2), target=Decimal("0.9")),
    "time_varying": StaffingModel(
        handling_time_s=Decimal(420), answer_within_s=Decimal(20), target=Decimal("0.8"), patience_s=Decimal(300)
    ),
    "response_curve": ResponseCurveModel(good="good", bad=None, total="total"),
    "growing_stock": GrowingStockModel(),
}
RESOURCE = Resource(
    name="r",
    services=("s",),
    metric_service="s",
    metric="m",
    model=GrowingStockModel(),
    unit="units",
    units_now=Decimal(20),
    per_unit=Decimal(5),
    usable_share=Decimal("0.8"),
)
CURVE = ResponseCurve(
    knots=np.array([0.2, 0.5, 1.0]),
    logits=np.array([-4.0, -3.0, -1.0]),
    slope=4.0,
    observed_low=0.1,
    observed_high=1.1,
    slices=500,
    relation=0.3,
    log_loss=0.41,
    log_loss_without=0.43,
    hours_controlled=True,
)


def model(kind: str, curve: ResponseCurve | None = CURVE) -> CapacityModel:
    found = CAPACITY_MODELS[kind](dataclasses.replace(RESOURCE, model=SPECS[kind]), curve)
    assert not isinstance(found, Excuse)
    return found


def test_the_table_has_every_kind_a_catalogue_can_name() -> None:
    named = {spec.__dataclass_fields__["kind"].default for spec in get_args(catalogue.CapacityModel)}
    assert set(CAPACITY_MODELS) == named == set(SPECS) == set(CHECKS)


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
def test_the_name_is_the_one_in_the_table(kind: str) -> None:
    assert model(kind).name == kind


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
def test_another_models_resource_is_an_excuse(kind: str) -> None:
    other = next(spec for name, spec in SPECS.items() if name != kind)
    found = CAPACITY_MODELS[kind](dataclasses.replace(RESOURCE, model=other), None)
    assert isinstance(found, Excuse)
    assert found.reason
    assert found.what_would_help


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
@pytest.mark.parametrize("target", [None, 0.7, 0.9])
def test_required_and_supported_belong_together(kind: str, target: float | None) -> None:
    each = model(kind)
    for capacity in (4.0, 11.0, 16.0):
        demand = each.supported(capacity, target)
        assert demand > 0
        assert float(each.required(target, demand * (1 - 1e-9))) <= capacity * (1 + 1e-9)
        assert float(each.required(target, demand * 1.001)) > capacity


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
@pytest.mark.parametrize("target", [None, 0.7, 0.9])
def test_more_demand_never_needs_less(kind: str, target: float | None) -> None:
    demand = np.linspace(0, 90, 400)
    needed = model(kind).required(target, demand)
    assert needed.shape == demand.shape
    assert (np.diff(needed) >= 0).all()
    assert needed[0] == 0


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
def test_a_tighter_target_never_needs_less(kind: str) -> None:
    demand = np.linspace(1, 90, 50)
    each = model(kind)
    needed = [each.required(target, demand) for target in (0.5, 0.8, 0.95, 0.97)]
    assert all((tight >= lax).all() for lax, tight in pairwise(needed))


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
def test_service_level_is_a_share_that_falls_with_demand_and_rises_with_capacity(kind: str) -> None:
    demand = np.linspace(0, 150, 300)
    each = model(kind)
    levels = [each.service_level(capacity, demand) for capacity in (4.0, 8.0, 16.0)]
    for level in levels:
        assert ((level >= 0) & (level <= 1)).all()
        assert (np.diff(level) <= 0).all()
    assert all((more >= less).all() for less, more in pairwise(levels))


@pytest.mark.parametrize("kind", CAPACITY_MODELS)
@pytest.mark.parametrize("demand", [[-1.0], [np.nan], [np.inf]])
def test_impossible_demand_is_refused(kind: str, demand: list[float]) -> None:
    with pytest.raises(InputError, match="demand"):
        model(kind).service_level(5.0, demand)
    with pytest.raises(InputError, match="demand"):
        model(kind).required(None, demand)


def test_without_a_curve_there_is_no_service_level() -> None:
    plain = model("response_curve", None)
    assert np.isnan(plain.service_level(16.0, [30.0])).all()
    assert plain.supported(16.0, None) == 80.0
