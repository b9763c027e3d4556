"""What a resource needs over the horizon, and by when it has to be ordered."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel
from forecasting.capacity.check import CHECKS, Case
from forecasting.capacity.headroom import (
    BusyDays,
    DailyUse,
    busy_days,
    daily_use,
    forecast_days,
    order_date,
    passage_date,
)
from forecasting.capacity.lead_time import chain_days, days_after_order, lead_days, lead_draws, lead_stages
from forecasting.capacity.models import CAPACITY_MODELS
from forecasting.capacity.models.backlog import Backlog
from forecasting.capacity.models.erlang import ErlangC
from forecasting.capacity.models.growing_stock import first_passage
from forecasting.capacity.models.response_curve import CurveModel, ResponseCurve
from forecasting.capacity.remaining import exhausted_before, time_remaining
from forecasting.capacity.supply import ComingSupply
from forecasting.capacity.tornado import swings
from forecasting.history.calendar import DAY, as_utc, zone_of
from forecasting.terms.capacity import Calibration, Requirement
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHART_DAYS = 400
"""Days of history handed on for the chart."""


def assess(
    resource: Resource,
    use_history: Series,
    forecast: Forecast,
    *,
    as_of: datetime,
    curve: ResponseCurve | Excuse | None = None,
    calibration: Calibration | None = None,
    coming: ComingSupply | None = None,
    plain: Forecast | None = None,
) -> Requirement | Excuse:
    """Say how much headroom a resource has, when it runs out, how much is needed and by when it must be ordered.

    Parameters
    ----------
    resource : Resource
        The resource and its capacity model.
    use_history : Series
        Use (or demand) at its own step, hourly or daily; nothing at or after `as_of` is read.
    forecast : Forecast
        Daily forecast of the same metric, of any horizon: the day's total for counts, its mean for levels.
    as_of : datetime
        Cut-off instant, with zone.
    curve : ResponseCurve or Excuse, optional
        Fitted response curve of the service (for its service level), or why there is none.
    calibration : Calibration, optional
        How well the model fits history, where that was looked at.
    coming : ComingSupply, optional
        Units and usable share on each coming day, where they are not those of today.
    plain : Forecast, optional
        The forecast without drivers, on the same paths: how high busy days stand above the mean is a matter of usual
        weeks, what a driver does to a day's demand it does to that day's peak.

    Returns
    -------
    Requirement or Excuse
        Dates are None where the horizon is too short to see them. An excuse where history is too short or its step
        too coarse, or there was no use at all.

    Raises
    ------
    InputError
        Where history and forecast are of another metric, the forecast is not daily, or a value cannot be.

    Notes
    -----
    With recurrent peaks what counts on a day is the busy-day demand (`BusyDays`), and the limit is passed on the first
    day on which that is above it. A stock passes on the first day at or above it. Quantities are pooled over the
    horizon on each path first, then a quantile is taken, then it is turned into units, and rounded last. Because
    service level falls with demand, the units at the 90 % quantile of demand are enough with probability 0.9.
    """
    days = _same_metric(resource, use_history, forecast, as_of)
    model = CAPACITY_MODELS[resource.model.kind](resource, curve)
    if isinstance(model, Excuse):
        return model
    history = daily_use(use_history, as_of=as_of, interval=model.interval)
    if isinstance(history, Excuse):
        return history
    today = as_utc(as_of).astimezone(zone_of(use_history.zone)).date()
    measured, demand, busy = _daily_demand(history, forecast, model, plain)
    recent = measured[len(measured) - len(history.recent(today).days) :]
    demand_now = float(np.quantile(recent, 0.95)) if model.recurrent else float(measured[-1])
    if demand_now <= 0:
        return Excuse(
            reason=f"no use of {resource.name} in the {len(recent)} days with data before {today:%Y-%m-%d}",
            what_would_help="history in which it is used",
        )
    usable = max(resource.units_now - resource.redundant_units, Decimal(0)) * resource.usable_share
    limit = model.supported(float(usable), None)
    limits = limit if coming is None else coming.limits(model, float(resource.redundant_units))
    passages = first_passage(demand, limits, at_limit=not model.recurrent)
    if not model.recurrent and demand_now >= limit:
        passages = np.zeros_like(passages)
    highest = demand.max(axis=1)
    peaks = (demand_now, *(float(q) for q in np.quantile(highest, (0.5, 0.9))))
    use_now, use_p50, use_p90 = (float(u) for u in model.required(None, peaks))
    level_now, _, level_p90 = (float(s) for s in model.service_level(float(usable), peaks))
    need_by = passage_date(passages, days, 0.1)
    date_p50 = passage_date(passages, days, 0.5)
    case = Case(
        resource=resource,
        model=model,
        history=history,
        measured=measured,
        limit_demand=limit,
        demand_p90=peaks[2],
        needed_p90=use_p90,
        date_p50=date_p50,
        end=days[-1],
        seed=forecast.seed,
        arrivals=np.maximum(forecast.paths, 0.0),
    )
    if coming is None:
        required = [round_up_to_step(resource, u) for u in (use_p50, use_p90)]
    else:
        required = [up_to_step(resource, n) for n in coming.needed(resource, model, demand, (0.5, 0.9))]
    usable_end = float(usable) if coming is None else coming.usable_end(float(resource.redundant_units))
    daily = [model.required(None, np.quantile(demand, q, axis=0)) for q in (0.5, 0.9)]
    shown = model.required(None, measured[-CHART_DAYS:])
    return Requirement(
        resource=resource.name,
        service=resource.metric_service,
        model=model.name,
        unit=resource.unit,
        as_of=as_of,
        horizon_end=datetime.combine(days[-1] + DAY, time(), tzinfo=zone_of(forecast.zone)).astimezone(UTC),
        units_now=resource.units_now,
        usable_units=usable,
        use_now=use_now,
        use_p50=use_p50,
        use_p90=use_p90,
        headroom_now=float(usable) - use_now,
        headroom_end=usable_end - use_p50,
        required_p50=float(required[0]),
        required_p90=float(required[1]),
        probability_exhausted=float((passages < len(days)).mean()),
        exhaustion_p10=need_by,
        exhaustion_p50=date_p50,
        exhaustion_p90=passage_date(passages, days, 0.9),
        need_by=need_by,
        order_by=None if need_by is None else _order_by(resource, need_by),
        supported_growth=limit / demand_now,
        service_level_now=None if math.isnan(level_now) else level_now,
        service_level_p90=None if math.isnan(level_p90) else level_p90,
        check=CHECKS[model.name](case),
        assumptions=_assumptions(case, forecast, busy, curve, required[1], today),
        daily_use_p50=tuple(zip(days, daily[0].tolist(), strict=True)),
        daily_use_p90=tuple(zip(days, daily[1].tolist(), strict=True)),
        daily_use_history=tuple(zip(history.days[-CHART_DAYS:].tolist(), shown.tolist(), strict=True)),
        decide_by=None if need_by is None else _decide_by(resource, need_by),
        lead_days_p50=chain_days(resource.lead_steps, 0.5) if resource.lead_steps else lead_days(resource),
        lead_days_p90=lead_days(resource),
        lead_stages=() if need_by is None else lead_stages(resource, need_by),
        probability_exhausted_before_arrival=exhausted_before(
            passages, len(days), lead_draws(resource, len(passages), forecast.seed)
        ),
        time_remaining=time_remaining(passages, days),
        swings=swings(resource, lambda r: CAPACITY_MODELS[r.model.kind](r, curve), demand, days, units=_in_place),
        calibration=calibration,
        expected_level_p50=_expected_level(model, float(usable), demand),
    )


def _expected_level(model: CapacityModel, usable: float, demand: NDArray[np.float64]) -> float | None:
    """Return E[A·SL] ÷ E[A] over paths and days; None where there is no service level by load."""
    if not model.recurrent or demand.sum() <= 0:
        return None
    level = model.service_level(usable, demand.ravel())
    if np.isnan(level).any():
        return None
    return float((demand.ravel() * level).sum() / demand.sum())


def _in_place(resource: Resource, use: float) -> float:
    return float(round_up_to_step(resource, use))


def _order_by(resource: Resource, need_by: date) -> date:
    """Return the latest order: a known lead time by the wall clock, steps by 90 % of their length."""
    if resource.lead_steps:
        return need_by - DAY * days_after_order(resource)
    return order_date(need_by, resource.lead_time)


def _decide_by(resource: Resource, need_by: date) -> date:
    """Return the latest decision: before the order there may be steps."""
    return need_by - DAY * lead_days(resource) if resource.lead_steps else _order_by(resource, need_by)


def round_up_to_step(resource: Resource, use: float) -> Decimal:
    """Return the units that carry `use` usable units: ÷ usable share, those kept free, up to what can be bought.

    What can be bought is the units in place plus or minus whole steps, never below 0. `use` counts to 12 significant
    digits: the last bits of floating-point noise shall not buy a step.

    Examples
    --------
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> hosts = Resource(name="h", services=("s",), metric_service="s", metric="m", model=GrowingStockModel(),
    ...     unit="hosts", units_now=Decimal(15), usable_share=Decimal("0.85"), step_units=Decimal(2))
    >>> round_up_to_step(hosts, 14.45), round_up_to_step(hosts, 12.75), round_up_to_step(hosts, 11.0)
    (Decimal('17'), Decimal('15'), Decimal('13'))
    """
    needed = Decimal(f"{use:.12g}") / resource.usable_share + resource.redundant_units
    return up_to_step(resource, needed)


def up_to_step(resource: Resource, needed: Decimal) -> Decimal:
    """Return the units that can be had that are at least `needed`: those in place plus or minus whole steps."""
    steps = ((needed - resource.units_now) / resource.step_units).to_integral_value(rounding=ROUND_CEILING)
    return max(resource.units_now + steps * resource.step_units, Decimal(0))


def _same_metric(resource: Resource, use: Series, forecast: Forecast, as_of: datetime) -> tuple[date, ...]:
    """Local days of the forecast, after checking that everything is about the same thing."""
    asked = (resource.metric_service, resource.metric)
    for argument, came in (
        ("use_history", (use.service, use.metric.name)),
        ("forecast", (forecast.service, forecast.metric.name)),
    ):
        if came != asked:
            raise InputError(argument=argument, came=came, allowed=f"{asked}", try_instead=f"the metric {asked[1]}")
    if as_of.tzinfo is None:
        raise InputError(argument="as_of", came=as_of.isoformat(), allowed="an instant with zone", try_instead="UTC")
    for name, number in (("unitsNow", resource.units_now), ("stepUnits", resource.step_units)):
        if number <= 0:
            raise InputError(argument=name, came=number, allowed="above 0", try_instead="1")
    return forecast_days(forecast)


def _daily_demand(
    history: DailyUse, forecast: Forecast, model: CapacityModel, plain: Forecast | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], BusyDays | None]:
    """Demand of the day that capacity has to carry: in history (n,), on paths (n_paths, days), and the busy days."""
    paths = np.maximum(forecast.paths, 0.0)
    if not model.recurrent:
        return history.level, paths, None
    busy = busy_days(history)
    if isinstance(model, Backlog):
        # Work that may wait is carried by the days' mean, not by the busiest of them.
        busy = BusyDays(factors=np.ones(1), days=busy.days)
    usual = paths if plain is None else np.maximum(plain.paths, 0.0)
    demand = busy.demand(history.level, usual, seed=forecast.seed)
    if plain is not None:
        demand = demand * np.divide(paths, usual, out=np.ones_like(paths), where=usual > 0)
    return (history.level if isinstance(model, Backlog) else history.peak), demand, busy


def _assumptions(
    case: Case,
    forecast: Forecast,
    busy: BusyDays | None,
    curve: ResponseCurve | Excuse | None,
    required_p90: Decimal,
    today: date,
) -> tuple[str, ...]:
    """What the figures rest on, in words."""
    resource, model = case.resource, case.model
    said = [f"use forecast by {forecast.model} from data up to {forecast.cut_off:%Y-%m-%d}"]
    if busy is not None:
        low, high = np.quantile(busy.factors, (0.1, 0.9))
        of = f"{100 * low:.1f} to {100 * high:.1f} % of the mean day's total"
        if forecast.metric.kind is not MetricKind.COUNT:
            of = f"{low:.2f} to {high:.2f} times the mean day's mean"
        said.append(f"busy days (95 % quantile of the daily peaks of four weeks) as in the last {busy.days} days: {of}")
    if isinstance(model, ErlangC):
        said.append(
            f"calls arrive at random within the interval, callers wait, handling times vary like an exponential with "
            f"mean {model.handling_s:.0f} s"
        )
    if isinstance(model, CurveModel):
        if model.curve is not None:
            said.append("more capacity acts like less load: capacity itself never changed in the data")
            if model.curve.hours_controlled:
                said.append("service level by load is that of an average hour of the day")
            room = float(resource.units_now * resource.per_unit)
            if bool(model.curve.extrapolated(case.demand_p90, room).any()):
                said.append("service level at the 90 % demand is extrapolated: no such load was observed")
        elif isinstance(curve, Excuse):
            said.append(f"no service level by load: {curve.reason}")
    if resource.max_units is not None and required_p90 > resource.max_units:
        said.append(f"required units exceed the {resource.max_units} {resource.unit} that can be had")
    stale = (today - case.history.days[-1].item()).days - 1
    if stale >= 7:
        said.append(f"latest use is {stale} days old")
    return tuple(said)
