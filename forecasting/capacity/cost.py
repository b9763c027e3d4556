"""What adding units costs over a horizon."""

from __future__ import annotations

import calendar
import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse, InputError


@dataclass(frozen=True, kw_only=True)
class CapacityCost:
    """Cost of added units from the order to the end of a horizon, in `currency` at prices of `price_date`."""

    units: Decimal
    """Units added."""
    ordered: date
    in_use_from: date
    """First local day on which they serve: the order + lead time, part of a day counting as the next."""
    capex: Decimal
    """Paid with the order."""
    opex_per_month: Decimal
    months: Fraction
    """Months in use within the horizon, part months by their days; exact."""
    opex: Decimal
    """opex_per_month × months."""
    total: Decimal
    """capex + order cost + opex + lease rest."""
    currency: str
    price_date: date | None
    order_cost: Decimal = Decimal(0)
    """Paid once for the order, whatever its size."""
    lease_rest: Decimal = Decimal(0)
    """Running cost after the horizon that the lease still binds to."""


def cost_of_units(resource: Resource, units: Decimal, *, ordered: date, until: date) -> CapacityCost | Excuse:
    """Return the cost of ordering `units` more of a resource on `ordered`, up to the day before `until`.

    What a lease still binds to after the horizon is part of the cost: it is owed whatever comes.

    Parameters
    ----------
    resource : Resource
        Prices, lead time, step and largest number of units.
    units : Decimal
        Units to add: 0 or more whole steps.
    ordered : date
        Local day of the order.
    until : date
        First day after the horizon.

    Returns
    -------
    CapacityCost or Excuse
        An excuse where more would be had than there is (`max_units`).

    Raises
    ------
    InputError
        For a negative number or part of a step, or a horizon that ends before the order.

    Examples
    --------
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> disk = Resource(name="disk", services=("s",), metric_service="s", metric="tb", model=GrowingStockModel(),
    ...     unit="TB", units_now=Decimal(1250), capex_per_unit=Decimal(420), cost_per_unit_month=Decimal("3.17"),
    ...     lead_time=timedelta(weeks=2))
    >>> cost = cost_of_units(disk, Decimal(100), ordered=date(2027, 1, 2), until=date(2027, 4, 1))
    >>> cost.in_use_from, cost.months, cost.total
    (datetime.date(2027, 1, 16), Fraction(78, 31), Decimal('42797.61290322580645161290323'))
    """
    if units < 0 or units % resource.step_units != 0:
        raise InputError(
            argument="units",
            came=units,
            allowed=f"0 or more, in steps of {resource.step_units} {resource.unit}",
            try_instead=str(max(Decimal(0), math.ceil(units / resource.step_units) * resource.step_units)),
        )
    if until < ordered:
        raise InputError(
            argument="until", came=until.isoformat(), allowed=f"{ordered} or later", try_instead="the horizon's end"
        )
    if resource.max_units is not None and resource.units_now + units > resource.max_units:
        return Excuse(
            reason=f"{resource.units_now} + {units} {resource.unit} is more than the {resource.max_units} that can "
            "be had",
            what_would_help=f"at most {max(resource.max_units - resource.units_now, Decimal(0))} more, or another "
            "resource",
        )
    arrival = datetime(ordered.year, ordered.month, ordered.day) + resource.lead_time  # noqa: DTZ001 - wall clock
    in_use_from = (arrival + timedelta(days=1) - timedelta(microseconds=1)).date()
    months = months_between(in_use_from, until)
    capex, monthly = resource.capex_per_unit * units, resource.cost_per_unit_month * units
    opex = monthly * months.numerator / months.denominator
    once = resource.order_cost if units > 0 else Decimal(0)
    left = max(Fraction(0), resource.lease_months - months)  # the lease binds, whatever the horizon
    rest = monthly * left.numerator / left.denominator
    return CapacityCost(
        units=units,
        ordered=ordered,
        in_use_from=in_use_from,
        capex=capex,
        opex_per_month=monthly,
        months=months,
        opex=opex,
        total=capex + once + opex + rest,
        currency=resource.currency,
        price_date=resource.price_date,
        order_cost=once,
        lease_rest=rest,
    )


def months_between(start: date, end: date) -> Fraction:
    """Return the calendar months from `start` to the day before `end`, part months by their own days; 0 if none.

    Examples
    --------
    >>> months_between(date(2027, 1, 1), date(2027, 4, 1)), months_between(date(2027, 1, 17), date(2027, 3, 15))
    (Fraction(3, 1), Fraction(60, 31))
    """
    months, day = Fraction(0), start
    while day < end:
        length = calendar.monthrange(day.year, day.month)[1]
        last = min(date(day.year, day.month, length) + timedelta(days=1), end)
        months += Fraction((last - day).days, length)
        day = last
    return months


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Money on a day; positive = paid."""

    on: date
    amount: float


def monthly_flows(monthly: float, start: date, end: date) -> tuple[Flow, ...]:
    """Return a running cost as payments at the end of each calendar month, part months by their days.

    Examples
    --------
    >>> [(f.on.isoformat(), f.amount) for f in monthly_flows(31.0, date(2027, 1, 17), date(2027, 3, 1))]
    [('2027-02-01', 15.0), ('2027-03-01', 31.0)]
    """
    flows, day = [], start
    while day < end:
        length = calendar.monthrange(day.year, day.month)[1]
        last = min(date(day.year, day.month, length) + timedelta(days=1), end)
        flows.append(Flow(on=last, amount=monthly * (last - day).days / length))
        day = last
    return tuple(flows)


def present_value(flows: Iterable[Flow], *, today: date, rate: float) -> float:
    """Return the value today of payments: amount ÷ (1 + rate)^(days ÷ 365) each; past days count as today.

    Parameters
    ----------
    flows : iterable of Flow
    today : date
    rate : float
        Discount rate a year, above −1.

    Raises
    ------
    InputError
        For a rate of −1 or less.

    Examples
    --------
    >>> present_value([Flow(on=date(2028, 1, 1), amount=108.0)], today=date(2027, 1, 1), rate=0.08)
    100.0
    """
    if rate <= -1:
        raise InputError(argument="rate", came=rate, allowed="above -1", try_instead="0.08")
    return sum((f.amount / (1 + rate) ** (max(0, (f.on - today).days) / 365) for f in flows), 0.0)
