"""Independent verification of a requirement by capacity model, printed beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.backlog import late_share
from forecasting.capacity.base import CapacityModel
from forecasting.capacity.headroom import DailyUse
from forecasting.capacity.models.backlog import Backlog
from forecasting.capacity.models.erlang import ErlangC
from forecasting.capacity.models.erlang_a import ErlangA
from forecasting.capacity.models.erlang_b import ErlangB
from forecasting.capacity.models.ggc import Queue
from forecasting.capacity.models.redundancy import Redundancy
from forecasting.capacity.models.response_curve import CurveModel
from forecasting.capacity.models.time_varying import Staffing
from forecasting.capacity.simulate import simulate_queue
from forecasting.capacity.verify import check_queue, check_trend
from forecasting.terms.catalogue import Resource

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray

DRAWS = 200_000
"""States of a set of units that are drawn to check its availability."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What the checks look at."""

    resource: Resource
    model: CapacityModel
    history: DailyUse
    measured: NDArray[np.float64]
    limit_demand: float
    demand_p90: float
    needed_p90: float
    date_p50: date | None
    end: date
    seed: int
    arrivals: NDArray[np.float64]
    """Demand of each coming day, shape (n_paths, days)."""


def _online(case: Case, shrinkage: Decimal) -> int:
    from forecasting.capacity.erlang_formulae import online

    return online(case.needed_p90, shrinkage)


def check_erlang_c(case: Case) -> str:
    """The requirement at the 90 % demand, simulated."""
    assert isinstance(case.model, ErlangC)
    return check_queue(
        calls=case.demand_p90,
        load=float(case.model.load(case.demand_p90)),
        servers=_online(case, case.model.shrinkage),
        within=case.model.within_s / case.model.handling_s,
        closed_form=float(case.model.service_level(case.needed_p90, case.demand_p90)),
        seed=case.seed,
    )


def check_erlang_a(case: Case) -> str:
    """The same with callers who give up."""
    assert isinstance(case.model, ErlangA)
    model = case.model
    return _simulated(
        case, load=float(model.load(case.demand_p90)), servers=_online(case, model.shrinkage),
        within=model.within_s / model.handling_s, patience=model.patience_s / model.handling_s,
    )  # fmt: skip


def check_erlang_b(case: Case) -> str:
    """The same with nobody waiting."""
    assert isinstance(case.model, ErlangB)
    load = float(case.model.load(case.demand_p90))
    return _simulated(case, load=load, servers=int(case.needed_p90), within=0.0, patience=0.0)


def check_queue_of_any_variability(case: Case) -> str:
    """The same with gamma times between arrivals and of service."""
    assert isinstance(case.model, Queue)
    model = case.model
    return _simulated(
        case, load=float(model.load(case.demand_p90)), servers=int(case.needed_p90),
        within=model.within_s / model.service_s, arrival_cv=model.arrival_cv, service_cv=model.service_cv,
    )  # fmt: skip


def check_staffing(case: Case) -> str:
    """The requirement at a demand that lasts, simulated."""
    assert isinstance(case.model, Staffing)
    model = case.model
    patience = None if model.patience_s is None else model.patience_s / model.handling_s
    return _simulated(
        case, load=float(model.load(case.demand_p90)), servers=_online(case, model.shrinkage),
        within=model.within_s / model.handling_s, patience=patience,
    )  # fmt: skip


def _simulated(
    case: Case,
    *,
    load: float,
    servers: int,
    within: float,
    patience: float | None = None,
    arrival_cv: float = 1.0,
    service_cv: float = 1.0,
) -> str:
    if load <= 0 or servers < 1:
        return "no demand, nothing to simulate"
    found = simulate_queue(
        load, servers, within=within, seed=case.seed, patience=patience, arrival_cv=arrival_cv, service_cv=service_cv
    )
    formula = float(case.model.service_level(case.needed_p90, case.demand_p90))
    share, error = found.answered_in_time, found.answered_error
    said = f"simulated queue at {case.demand_p90:.4g} an interval and {servers} {case.resource.unit}"
    return (
        f"{said} ({found.calls:,} calls, seed {case.seed}): {100 * share:.1f} % ± {100 * error:.1f} served in time, by "
        f"formula {100 * formula:.1f} %: {100 * (share - formula):+.1f} points"
    )


def check_redundancy(case: Case) -> str:
    """Availability of the units needed, from drawn states of units and of what takes a domain down."""
    assert isinstance(case.model, Redundancy)
    model = case.model
    units, enough = int(case.needed_p90), int(np.ceil(case.demand_p90 / model.per_unit - 1e-9))
    if units < 1:
        return "no demand, nothing to check"
    rng = np.random.default_rng((case.seed, 0x4ED))
    down = 1.0 - model.availability
    common = model.common_cause * down
    alone = (down - common) / (1.0 - common)
    domain = np.arange(units) % model.domains
    up = np.zeros(DRAWS, dtype=np.int64)
    whole = rng.random((DRAWS, model.domains)) >= common
    for unit in range(units):
        up += whole[:, domain[unit]] & (rng.random(DRAWS) >= alone)
    share = float((up >= enough).mean())
    error = float(np.sqrt(max(share * (1 - share), 1 / DRAWS) / DRAWS))
    formula = float(model.service_level(case.needed_p90, case.demand_p90))
    return (
        f"{DRAWS:,} drawn states of {units} {case.resource.unit} of which {enough} have to be up (seed {case.seed}): "
        f"{100 * share:.4f} % ± {100 * error:.4f}, by formula {100 * formula:.4f} %"
    )


def check_backlog(case: Case) -> str:
    """The share in time with the units needed, first come first served on the forecast's own paths."""
    assert isinstance(case.model, Backlog)
    model = case.model
    within = min(int(model.within_days), case.arrivals.shape[1] - 1)
    late = late_share(case.arrivals, case.needed_p90 * model.per_unit, within)
    formula = float(model.service_level(case.needed_p90, case.demand_p90))
    return (
        f"on {len(late)} paths with {case.needed_p90:.4g} {case.resource.unit}, first come first served: "
        f"{100 * (1 - float(late.mean())):.1f} % done within {within} days (10 % of the paths: "
        f"{100 * (1 - float(np.quantile(late, 0.9))):.1f} %), by formula at the 90 % demand {100 * formula:.1f} %"
    )


def check_date(case: Case) -> str:
    """The run-out date by a straight line."""
    return check_trend(
        days=case.history.days, values=case.measured, limit=case.limit_demand, date_p50=case.date_p50, end=case.end
    )


def check_curve(case: Case) -> str:
    """The curve on held-out weeks, and the date by a straight line."""
    assert isinstance(case.model, CurveModel)
    found = "" if case.model.curve is None else case.model.curve.check + "; "
    return found + check_date(case)


CHECKS: dict[str, Callable[[Case], str]] = {
    "erlang_c": check_erlang_c,
    "erlang_a": check_erlang_a,
    "erlang_b": check_erlang_b,
    "ggc": check_queue_of_any_variability,
    "usl": check_date,
    "redundancy": check_redundancy,
    "backlog": check_backlog,
    "time_varying": check_staffing,
    "response_curve": check_curve,
    "growing_stock": check_date,
}
"""Independent verification by capacity model."""
