"""Problems small enough to be worked out by hand: one service, one agreement, four worlds, one resource."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from forecasting.proposals.base import Problem, Reassess, Resimulate
from forecasting.service_levels.credits import credits_on_paths
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.breach import BreachRisk
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Resource, ResponseCurveModel
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option
from forecasting.terms.service_level import CalendarWindow, Objective, Period, RatioIndicator, RollingWindow

ZONE = "Europe/Berlin"
AS_OF = datetime(2027, 3, 10, 12, tzinfo=UTC)
INDICATOR = RatioIndicator(total="total", good="good")
FEE = 1000


def month(number: int) -> Period:
    """Return a calendar month of 2027 in Berlin."""
    start, end = (datetime(2027, n, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC) for n in (number, number + 1))
    return Period(start=start, end=end, label=f"2027-{number:02d}")


def objective(target: str = "0.9", *, name: str = "on-time", service: str = "shop", rolling: bool = False) -> Objective:
    window = RollingWindow(length=timedelta(days=30), zone=ZONE) if rolling else CalendarWindow(unit="month", zone=ZONE)
    return Objective(name=name, service=service, indicator=INDICATOR, target=Decimal(target), window=window)


def agreement(slo: Objective | None = None, *, id_: str = "sla-shop", customer: str = "retail") -> Agreement:
    """Return an agreement: 10 % of the fee of 1000 below 90 %, 25 % below 85 %."""
    slo = slo or objective()
    return Agreement(
        id=id_,
        kind=AgreementKind.SLA,
        service=slo.service,
        customer=customer,
        provider="it",
        objectives=(slo,),
        valid_from=date(2027, 1, 1),
        valid_until=None,
        credits=Credits(
            fee_per_period=Decimal(FEE),
            tiers=(
                CreditTier(below=Decimal("0.9"), share_of_fee=Decimal("0.10")),
                CreditTier(below=Decimal("0.85"), share_of_fee=Decimal("0.25")),
            ),
            cap_share=Decimal("0.25"),
        ),
        loss_per_bad_event=Decimal(1),
        owner="Service level management",
    )


def risk(
    period: Period,
    attainment: Sequence[float],
    *,
    losses: Sequence[float] | None = None,
    agreed: Agreement | None = None,
    slo: Objective | None = None,
    decided: bool = False,
    as_of: datetime = AS_OF,
) -> BreachRisk:
    """Return the risk of a window with these attainments; P(miss) by (1 + missed) ÷ (paths + 2)."""
    slo = slo or (agreed.objectives[0] if agreed else objective())
    paths = np.array(attainment, dtype=np.float64)
    missed = int((paths < float(slo.target) - 1e-12).sum())
    p = float(missed > 0) if decided else (1 + missed) / (len(paths) + 2)
    credit = credits_on_paths(agreed, paths)
    loss = np.zeros(len(paths)) if losses is None else np.array(losses, dtype=np.float64)
    return BreachRisk(
        service=slo.service,
        agreement=agreed.id if agreed else None,
        objective=slo.name,
        period=period,
        as_of=as_of,
        target=slo.target,
        probability=p,
        probability_low=p * 0.8,
        probability_high=min(1.0, p * 1.2),
        decided=decided,
        attainment_paths=paths,
        attainment_p10=float(np.quantile(paths, 0.1)),
        attainment_p50=float(np.quantile(paths, 0.5)),
        attainment_p90=float(np.quantile(paths, 0.9)),
        consumed_good=0,
        consumed_total=0,
        budget_spent=0.0,
        exhaustion_p10=None,
        exhaustion_p50=None,
        expected_credit=float(credit.mean()),
        expected_loss=float(loss.mean()) if agreed else 0.0,
        credit_p95=float(np.quantile(credit, 0.95)),
        currency="EUR",
        fast_probability=p,
        monte_carlo_error=0.0,
        causes=(),
        basis="a hand-made example",
        cost_paths=credit + loss if agreed else None,
    )


def resource(*, lead_days: float = 10, max_units: int | None = None, name: str = "hosts") -> Resource:
    """Return 40 hosts, bought in pairs at 31 each and 62 a month."""
    return Resource(
        name=name,
        services=("shop", "cart"),
        metric_service="shop",
        metric="total",
        model=ResponseCurveModel(good="good", bad=None, total="total"),
        unit="hosts",
        units_now=Decimal(40),
        step_units=Decimal(2),
        max_units=None if max_units is None else Decimal(max_units),
        capex_per_unit=Decimal(31),
        cost_per_unit_month=Decimal(62),
        price_date=date(2027, 1, 1),
        lead_time=timedelta(days=lead_days),
    )


def requirement(
    p: float, *, p90: float = 50.0, need_by: date | None = None, order_by: date | None = None
) -> Requirement:
    return Requirement(
        resource="hosts",
        service="shop",
        model="response_curve",
        unit="hosts",
        as_of=AS_OF,
        horizon_end=month(4).end,
        units_now=Decimal(40),
        usable_units=Decimal(40),
        use_now=35.0,
        use_p50=42.0,
        use_p90=p90,
        headroom_now=5.0,
        headroom_end=-2.0,
        required_p50=42.0,
        required_p90=p90,
        probability_exhausted=p,
        exhaustion_p10=need_by,
        exhaustion_p50=None,
        exhaustion_p90=None,
        need_by=need_by,
        order_by=order_by,
        supported_growth=1.1,
        service_level_now=None,
        service_level_p90=None,
        check="no check",
    )


def unasked(*_: object) -> Excuse:
    """Stand for a question that must not be asked; its answer would show."""
    return Excuse(reason="1 question too many", what_would_help="not asking")


BEFORE = ((0.80, 1000.0), (0.86, 400.0), (0.92, 0.0), (0.95, 0.0))
AFTER = ((0.86, 400.0), (0.91, 0.0), (0.93, 0.0), (0.96, 0.0))
"""(attainment, loss of the customer) of April on four worlds, without and with two more hosts."""


def april(worlds: Sequence[tuple[float, float]], agreed: Agreement | None) -> BreachRisk:
    return risk(month(4), [a for a, _ in worlds], losses=[loss for _, loss in worlds], agreed=agreed)


def march(agreed: Agreement | None, *, decided: bool = False, missed: bool = False) -> BreachRisk:
    """Return the running window: met on every world, or decided."""
    return risk(month(3), [0.89 if missed else 0.99] * 4, agreed=agreed, decided=decided)


def problem(
    *,
    agreed: Agreement | None = None,
    risks: tuple[BreachRisk, ...] | None = None,
    resources: tuple[Resource, ...] = (),
    resimulate: Resimulate = unasked,
    past_missed: float | None = 0.25,
    horizon_end: datetime | None = None,
    slo: Objective | None = None,
    as_of: datetime = AS_OF,
) -> Problem:
    """Return an objective at risk: March is safe, April is BEFORE."""
    slo = slo or (agreed.objectives[0] if agreed else objective())
    return Problem(
        service="shop",
        objective=slo,
        agreement=agreed,
        risks=(march(agreed), april(BEFORE, agreed)) if risks is None else risks,
        resources=resources,
        requirement=None,
        as_of=as_of,
        horizon_end=horizon_end or month(4).end,
        zone=ZONE,
        currency="EUR",
        past_missed=past_missed,
        resimulate=resimulate,
        reassess=unasked,
    )


def with_after(agreed: Agreement | None) -> Resimulate:
    """Return a re-simulation: two hosts or more give AFTER."""
    return lambda change: (march(agreed), april(AFTER, agreed))


def shortage(
    p: float,
    after: Callable[[Decimal], float] = lambda units: 0.05,
    *,
    found: Resource | None = None,
    need: Requirement | None = None,
) -> Problem:
    """Return a resource that runs out with probability `p`, and with `after(units)` where units are added."""
    need = need or requirement(p)
    reassess: Reassess = lambda change: replace(need, probability_exhausted=after(change.units))  # noqa: E731
    return replace(
        problem(),
        objective=None,
        risks=(),
        resources=(found or resource(),),
        requirement=need,
        past_missed=None,
        reassess=reassess,
    )


def option(
    kind: str,
    *,
    after: float = 0.3,
    cost: float = 100.0,
    benefit: float = 0.0,
    label: str = "",
    order: date | None = None,
) -> Option:
    """Return an option with these figures."""
    return Option(
        kind=kind,
        label=label or f"{kind} for {cost:g}",
        capex=cost,
        opex_per_month=0.0,
        cost_over_horizon=cost,
        currency="EUR",
        price_date=None,
        lead_time_days=0,
        probability_before=0.9,
        probability_after=after,
        probability_after_low=after,
        probability_after_high=after,
        expected_credit_after=0.0,
        expected_loss_after=0.0,
        benefit_mean=benefit,
        benefit_p10=benefit,
        benefit_p90=benefit,
        net_benefit=benefit - cost,
        confidence=0.5,
        order_by=order,
        effective_from=None,
    )
