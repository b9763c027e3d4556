"""A synthetic but realistic plan, built from terms with a fixed seed; hostile names among the services.

No number here depends on a model or a library's version beyond numpy's PCG64 uniform and standard normal draws,
so the golden files change only when the reports do.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
from track_record_fixture import models, strata

from forecasting.early_warning.policy import build_warnings, warning_id
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.audit import CatalogueFinding
from forecasting.terms.breach import AlarmScore, BreachRisk, Cause, ReliabilityBin, RiskScore
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Service
from forecasting.terms.credit import ClaimStatus, CreditLine
from forecasting.terms.diagnosis import DriverRelation
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import BacktestScore, Forecast, ModelChoice
from forecasting.terms.history import Metric, MetricKind, Series, SeriesQuality
from forecasting.terms.plan import ObjectiveOutlook, Plan, PortfolioOutlook, RunManifest, ServiceOutlook
from forecasting.terms.proposal import Option, Proposal
from forecasting.terms.restatement import Restatement
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
)

ZONE = "America/New_York"
AS_OF = datetime(2013, 9, 11, 4, tzinfo=UTC)
PATHS, HORIZON, HISTORY = 300, 120, 250
HOSTILE = ("<script>alert(1)</script>", "$x_$", "=1+1")
METRIC = Metric(name="scheduled_departures", kind=MetricKind.COUNT, unit="flights", step=timedelta(days=1))
WINDOW = CalendarWindow(unit="month", zone=ZONE)
CUSTOMERS = {"port-authority": "Port Authority", "hostile": '"><img src=x onerror=alert(2)>'}


def month(number: int) -> Period:
    """Return a calendar month of 2013 (13 = January 2014) in New York."""
    from zoneinfo import ZoneInfo

    def first(n: int) -> datetime:
        return datetime(2013 + (n - 1) // 12, (n - 1) % 12 + 1, 1, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)

    label = f"{2013 + (number - 1) // 12}-{(number - 1) % 12 + 1:02d}"
    return Period(start=first(number), end=first(number + 1), label=label)


def objective(service: str, target: str) -> Objective:
    return Objective(
        name=f"{service}-on-time",
        service=service,
        indicator=RatioIndicator(total="scheduled_departures", good="departed_within_15_min"),
        target=Decimal(target),
        window=WINDOW,
        display_name="On time",
    )


def agreement(service: str, target: str, fee: int, customer: str = "port-authority") -> Agreement:
    return Agreement(
        id=f"sla-{service}",
        kind=AgreementKind.SLA,
        service=service,
        customer=customer,
        provider="carrier",
        objectives=(objective(service, target),),
        valid_from=date(2013, 1, 1),
        valid_until=None,
        promise=f"At least {Decimal(target) * 100:f} % of scheduled departures leave within 15 minutes, each month.",
        currency="USD",
        price_date=date(2013, 1, 1),
        credits=Credits(
            fee_per_period=Decimal(fee),
            tiers=(CreditTier(below=Decimal(target), share_of_fee=Decimal("0.05")),),
            cap_share=Decimal("0.15"),
        ),
        loss_per_bad_event=Decimal(450),
        owner="Service level management",
    )


def attainment(service: str, number: int, share: float, target: str, total: int, days_known: int = 0) -> Attainment:
    period = month(number)
    planned = round((period.end - period.start) / timedelta(hours=1))
    elapsed = planned if not days_known else days_known * 24
    good = round(share * total)
    value = Decimal(good) / Decimal(total) if total else None
    known = elapsed - (12 if number == 2 else 0)
    status = AttainmentStatus.RUNNING if days_known else AttainmentStatus.NO_TRAFFIC
    if value is not None and not days_known:
        status = AttainmentStatus.MET if value >= Decimal(target) else AttainmentStatus.BREACHED
    return Attainment(
        service=service,
        agreement=f"sla-{service}",
        objective=f"{service}-on-time",
        period=period,
        target=Decimal(target),
        good=good,
        total=total,
        known_slices=known,
        elapsed_slices=elapsed,
        planned_slices=planned,
        value=value,
        lower=value if known == elapsed or value is None else value - Decimal("0.011"),
        upper=value if known == elapsed or value is None else value + Decimal("0.004"),
        status=status,
        as_of=AS_OF,
        final=not days_known,
    )


def risk(service: str, number: int, mean: float, target: str, rng: np.random.Generator, money: float) -> BreachRisk:
    spread = 0.012 + 0.006 * max(number - 9, 0)
    paths = np.clip(mean + spread * rng.standard_normal(PATHS), 0.0, 1.0)
    missed = paths < float(target)
    p = float((1 + missed.sum()) / (PATHS + 2))
    loss = np.where(missed, (float(target) - paths) * 7400 * 450.0, 0.0) * (money > 0)
    q10, q50, q90 = (float(v) for v in np.quantile(paths, (0.1, 0.5, 0.9)))
    running = number == 9
    return BreachRisk(
        service=service,
        agreement=f"sla-{service}",
        objective=f"{service}-on-time",
        period=month(number),
        as_of=AS_OF,
        target=Decimal(target),
        probability=p,
        probability_low=max(p - 0.05 - 0.1 * p * (1 - p), 0.001),
        probability_high=min(p + 0.05 + 0.1 * p * (1 - p), 0.999),
        decided=False,
        attainment_paths=paths,
        attainment_p10=q10,
        attainment_p50=q50,
        attainment_p90=q90,
        consumed_good=1900 if running else 0,
        consumed_total=2470 if running else 0,
        budget_spent=0.385 if running else 0.0,
        exhaustion_p10=month(number).start + timedelta(days=17) if p > 0.1 else None,
        exhaustion_p50=month(number).start + timedelta(days=26) if p > 0.5 else None,
        expected_credit=float(money * 0.05 * missed.mean()),
        expected_loss=float(loss.mean()),
        credit_p95=float(money * 0.05 * (p > 0.05)),
        currency="USD",
        tier_probabilities=((Decimal(target), float(missed.mean())),) if money > 0 else (),
        fast_probability=min(p + (0.2 if number == 12 else 0.02), 1.0),
        monte_carlo_error=float(np.sqrt(p * (1 - p) / PATHS)),
        causes=(
            Cause(name="evening peak", share=0.46, evidence="18:00 to 21:00 holds 21 % of flights and 46 % of delays"),
            Cause(name="weather", share=0.19, evidence="days with precipitation are late 1.7 times as often"),
        ),
        basis="own history of 250 days (weight 0.55), 3 services of the tier carrier (0.45), 99.1 % observed",
    )


def series(service: str, level: float, growth: float, rng: np.random.Generator) -> tuple[Series, Forecast, ModelChoice]:
    days = np.arange(HISTORY + HORIZON)
    base = level * (1 + growth * days / 365) * (1 - 0.14 * (days % 7 == 5))
    past = np.round(base[:HISTORY] + 0.03 * level * rng.standard_normal(HISTORY))
    past[200] = np.nan
    drift = np.cumsum(0.004 * level * rng.standard_normal((PATHS, HORIZON)), axis=1)
    future = np.maximum(base[HISTORY:] + drift + 0.03 * level * rng.standard_normal((PATHS, HORIZON)), 0.0)

    def score(model: str, ratio: float) -> BacktestScore:
        return BacktestScore(
            model=model,
            origins=4,
            mase=0.92 * ratio,
            sql=0.71 * ratio,
            mase_vs_naive=ratio,
            sql_vs_naive=ratio * 0.98,
            coverage80=0.79,
            coverage95=0.93,
            bias=0.02,
            cpu_seconds=0.4,
        )

    choice = ModelChoice(
        service=service,
        metric=METRIC.name,
        chosen="ets",
        scores=(score("ets", 0.81), score("hist_gradient_boosting", 0.88), score("seasonal_naive", 1.0)),
        declined=(
            ("prophet", Excuse(reason="250 days, 365 needed for a yearly season", what_would_help="115 more days")),
        ),
        reason="ets: quantile loss 0.79 of seasonal naive over 4 origins, the lowest of 3 models.",
    )
    start = AS_OF - timedelta(days=HISTORY)
    demand = Series(service=service, metric=METRIC, start=start, step=timedelta(days=1), values=past, zone=ZONE)
    forecast = Forecast(
        service=service,
        metric=METRIC,
        start=AS_OF,
        step=timedelta(days=1),
        zone=ZONE,
        paths=future,
        model="ets",
        cut_off=AS_OF,
        seed=7,
        choice=choice,
    )
    return demand, forecast, choice


def relation(driver: str, label: str, unit: str, threshold: float, worst: float, p: float) -> DriverRelation:
    """Return how bad days at LaGuardia went with a driver."""
    return DriverRelation(
        driver=driver,
        label=label,
        service="lga",
        metric=driver,
        unit=unit,
        daily="max",
        direction="above",
        threshold=threshold,
        days=HISTORY,
        worst_days=50,
        bad_share_worst=worst,
        bad_share_rest=0.187,
        excess_share=(worst - 0.187) * 0.2 / (worst * 0.2 + 0.187 * 0.8),
        correlation=0.5,
        p_single=p / 2,
        p_value=p,
        known_ahead=False,
        statement=f"On days with much {label} more was late.",
    )


def outlook(
    service: str,
    display: str,
    target: str,
    mean: float,
    fee: int,
    rng: np.random.Generator,
    customer: str = "port-authority",
    drivers: tuple[DriverRelation, ...] = (),
) -> ServiceOutlook:
    demand, forecast, choice = series(service, 240.0, 0.12, rng)
    shares = mean + 0.02 * np.sin(np.arange(1, 9) * 1.7) + (0.004 if mean > float(target) else 0.0)
    closed = [attainment(service, n, float(shares[n - 1]), target, 7300 + 40 * n) for n in range(1, 9)]
    promised = agreement(service, target, fee, customer)
    windows = ObjectiveOutlook(
        agreement=promised,
        objective=promised.objectives[0],
        attainments=(*closed, attainment(service, 9, 1900 / 2470, target, 2470, days_known=10)),
        risks=tuple(risk(service, n, mean - 0.003 * (n - 9), target, rng, fee) for n in (9, 10, 11, 12)),
        drivers=drivers,
        drivers_declined=(("lga-fog", Excuse(reason="9 days, 60 needed", what_would_help="51 more days")),)
        if drivers
        else (),
    )
    return ServiceOutlook(
        service=Service(
            name=service,
            display_name=display,
            tier="carrier",
            zone=ZONE,
            country="US",
            owner="Network planning",
            depends_on=("lga",) if service != "lga" else (),
        ),
        demand=demand,
        forecast=forecast,
        choice=choice,
        objectives=(windows,),
        quality=(
            SeriesQuality(
                service=service,
                metric=METRIC.name,
                rows=6000,
                missing=24,
                longest_gap=24,
                first=demand.start,
                last=AS_OF - timedelta(hours=1),
                stale_slices=0,
                notes=("one day without a value",),
            ),
        ),
        recommendation="Add two departure slots an hour before the evening peak of October."
        if mean < float(target) + 0.02
        else "Keep as it is.",
    )


def option(
    kind: str, label: str, before: float, after: float, cost: float, benefit: float, because: str | None
) -> Option:
    return Option(
        kind=kind,
        label=label,
        capex=cost / 4,
        opex_per_month=cost / 4,
        cost_over_horizon=cost,
        currency="USD",
        price_date=date(2013, 1, 1),
        lead_time_days=63 if kind == "add_capacity" else 0,
        probability_before=before,
        probability_after=after,
        probability_after_low=max(after - 0.06, 0.002),
        probability_after_high=min(after + 0.06, 1.0),
        expected_credit_after=9000 * after,
        expected_loss_after=120000 * after,
        benefit_mean=benefit,
        benefit_p10=benefit * 0.2,
        benefit_p90=benefit * 1.9,
        net_benefit=benefit - cost,
        confidence=0.71 if benefit > cost else 0.12,
        order_by=date(2013, 9, 20) if kind == "add_capacity" else None,
        effective_from=date(2013, 11, 13) if kind == "add_capacity" else None,
        side_effects="Delta at LaGuardia: P(miss) falls by 3 points" if kind == "add_capacity" else "",
        rejected_because=because,
    )


def proposal(service: str, title: str, p: float, resource: str | None = None) -> Proposal:
    return Proposal(
        id=f"prop-{service}",
        title=title,
        service=service,
        agreement=f"sla-{service}",
        objective=f"{service}-on-time",
        resource=resource,
        period=month(12),
        problem=f"The evening peak passes the usable departure slots on more days each month; title {title}.",
        probability_now=p,
        probability_low=max(p - 0.07, 0.0),
        probability_high=min(p + 0.07, 1.0),
        evidence=("8 closed windows, 5 of them missed", "peak use at 97 % of the usable limit"),
        counter_evidence=("weather explains 19 % of delays and is not cured by slots",),
        assumptions=("demand grows by 12 % a year; at 6 % the slots are needed 4 months later",),
        options=(
            option("add_capacity", "Add 2 departure slots an hour", p, p * 0.3, 180000.0, 264000.0, None),
            option("change_target", "Renegotiate the target to 76 %", p, p * 0.4, 40000.0, 90000.0, "less net benefit"),
            option("accept_risk", "Do nothing", p, p, 0.0, 0.0, "expected loss exceeds the price of slots"),
        ),
        recommended=0,
        declined=(
            ("shift_demand", Excuse(reason="no shiftable demand is declared", what_would_help="a shiftable share")),
        ),
        decide_by=date(2013, 9, 20),
        owner="Network planning",
        success_measure="attainment of 80 % or more in 2013-11 and 2013-12",
        data_cut_off=AS_OF,
        loss_if_not_decided=310000.0,
        currency="USD",
    )


def requirement(name: str, exhausted: float, rng: np.random.Generator) -> Requirement:
    days = [AS_OF.date() + timedelta(days=i) for i in range(-HISTORY, HORIZON)]
    use = [31 + 0.035 * i + 1.5 * float(v) for i, v in enumerate(rng.standard_normal(len(days)))]
    short = exhausted > 0.5
    return Requirement(
        resource=name,
        service="lga",
        model="response_curve",
        unit="departures per hour",
        as_of=AS_OF,
        horizon_end=month(12).end,
        units_now=Decimal(52),
        usable_units=Decimal("44.2") if short else Decimal("80.5"),
        use_now=41.0,
        use_p50=44.6,
        use_p90=47.9,
        headroom_now=3.2 if short else 39.5,
        headroom_end=-0.4 if short else 35.9,
        required_p50=53.0,
        required_p90=57.0,
        probability_exhausted=exhausted,
        exhaustion_p10=date(2013, 11, 22) if short else None,
        exhaustion_p50=date(2013, 12, 19) if short else None,
        exhaustion_p90=None,
        need_by=date(2013, 11, 22) if short else None,
        order_by=date(2013, 9, 20) if short else None,
        supported_growth=1.08 if short else 1.96,
        service_level_now=0.792 if short else None,
        service_level_p90=0.751 if short else None,
        check="a second response curve by isotonic regression needs 56 units: disagreement of 1 unit",
        assumptions=("the curve was fitted on 250 days and holds up to 50 departures an hour",),
        daily_use_history=tuple(zip(days[:HISTORY], use[:HISTORY], strict=True)),
        daily_use_p50=tuple((d, 31 + 0.035 * i) for i, d in enumerate(days) if i >= HISTORY),
        daily_use_p90=tuple((d, 34 + 0.035 * i) for i, d in enumerate(days) if i >= HISTORY),
    )


def all_met(risks: list[BreachRisk]) -> float:
    """Return P(all met) on the joint paths."""
    return float(np.mean(np.all([r.attainment_paths >= float(r.target) for r in risks], axis=0)))


def restatements() -> tuple[Restatement, ...]:
    """Return a restatement that turned a verdict and one that did not, with hostile words."""
    return (
        Restatement(
            service="lga", agreement="sla-lga", objective="lga-on-time", period="2013-07", version=2, as_of=AS_OF,
            value_before=Decimal("0.8004"), value_after=Decimal("0.7991"), status_before="met",
            status_after="breached", reason=f"{HOSTILE[0]}; late data: 31 rows of departed_within_15_min of lga",
        ),
        Restatement(
            service="ewr-ua", agreement=None, objective="ewr-ua-on-time", period="2013-06", version=3, as_of=AS_OF,
            value_before=None, value_after=Decimal("0.7612"), status_before="met", status_after="met",
            reason="the objective was changed in the catalogue",
        ),
    )  # fmt: skip


def findings() -> tuple[CatalogueFinding, ...]:
    """Return a gap and a hint."""
    return (
        CatalogueFinding(
            rule="service-without-agreement", severity="gap", subject="lobby",
            message=f"no agreement covers {HOSTILE[2]}", evidence="0 agreements in force",
            try_instead="add an Agreement document",
        ),
        CatalogueFinding(
            rule="no-workload-limit", severity="hint", subject="sla-lga", message="the target holds at any demand",
            evidence="workloadLimit is not agreed", try_instead="agree a workloadLimit",
        ),
    )  # fmt: skip


def credit_lines() -> tuple[CreditLine, ...]:
    """Return a credit that we owe, one that a supplier owes us and can still be claimed, one that lapsed, and none."""
    common = CreditLine(
        agreement="sla-lga", objective="lga-on-time", period=month(7), status=AttainmentStatus.BREACHED,
        attainment=Decimal("0.7991"), fee=Decimal(250000), tier_below=Decimal("0.8"), share=Decimal("0.05"),
        multiplier=Decimal(1), gross=Decimal("12500.00"), capped=Decimal("12500.00"), earned_back=Decimal("0.00"),
        due=Decimal("12500.00"), low=Decimal("12500.00"), high=Decimal("12500.00"), claim=ClaimStatus.AUTOMATIC,
        claim_by=None, paid_by="Airports", paid_to=HOSTILE[0], currency="USD", receivable=False,
        termination_right=True, explanation="79.91 % is below 80 %: 5 % of USD 250,000.00 = USD 12,500.00",
    )  # fmt: skip
    claimable = replace(
        common, agreement="uc-tower", receivable=True, claim=ClaimStatus.CLAIMABLE, claim_by=date(2013, 9, 30),
        due=Decimal("7500.25"), low=Decimal("7500.25"), high=Decimal("7500.25"), termination_right=False,
        period=month(8), paid_by="Tower", paid_to="Airports",
    )  # fmt: skip
    lapsed = replace(claimable, period=month(5), claim=ClaimStatus.LAPSED, claim_by=date(2013, 6, 30))
    none = replace(
        common, period=month(6), status=AttainmentStatus.MET, attainment=Decimal("0.81"), tier_below=None,
        share=Decimal(0), gross=Decimal(0), capped=Decimal(0), due=Decimal(0), low=Decimal(0), high=Decimal(0),
        claim=ClaimStatus.NONE, termination_right=False, explanation="81 % is not below 80 %: nothing is due",
    )  # fmt: skip
    return lapsed, none, common, claimable


def make_plan(copies: int = 1) -> Plan:
    """Return the plan; `copies` repeats its services under other names, for measurements of size and time."""
    rng = np.random.default_rng(20130901)
    services: list[ServiceOutlook] = []
    for c in range(copies):
        tail = f"-{c}" if c else ""
        services += [
            outlook(
                f"lga{tail}",
                "LaGuardia",
                "0.8",
                0.785,
                250000,
                rng,
                drivers=(
                    relation("precipitation_mm", "Precipitation at LaGuardia", "mm", 1.27, 0.394, 0.0005),
                    relation("wind_speed_kmh", HOSTILE[0], "km/h", 35.188, 0.265, 0.018),
                    relation("temperature_c", "Temperature at LaGuardia", "°C", 27.8, 0.21, 0.58),
                ),
            ),
            outlook(f"ewr-ua{tail}", HOSTILE[0], "0.75", 0.764, 180000, rng, customer="hostile"),
        ]
    quiet = ServiceOutlook(
        service=Service(name="jfk-new", display_name=HOSTILE[1], zone=ZONE),
        demand=None,
        forecast=None,
        choice=None,
        objectives=(
            ObjectiveOutlook(
                agreement=None,
                objective=objective("jfk-new", "0.9"),
                attainments=(attainment("jfk-new", 8, 0.0, "0.9", 0),),
                risks=(),
                excuse=Excuse(reason="9 days of history, 14 needed", what_would_help="five more days"),
            ),
        ),
        quality=(),
        recommendation="Measure for five more days.",
        excuse=Excuse(reason="9 days of history, 14 needed", what_would_help="five more days"),
    )
    no_demand = ServiceOutlook(
        service=Service(name="lobby", display_name=HOSTILE[2], zone=ZONE, owner="Facilities"),
        demand=None,
        forecast=None,
        choice=None,
        objectives=(),
        quality=(),
        recommendation="Declare an objective.",
    )
    services += [quiet, no_demand]
    score = RiskScore(
        decisions=312,
        breaches=121,
        brier=0.171,
        brier_climatology=0.232,
        skill=0.263,
        skill_low=0.118,
        skill_high=0.371,
        bins=tuple(
            ReliabilityBin(predicted=p, observed=o, count=n)
            for p, o, n in ((0.05, 0.08, 60), (0.18, 0.15, 62), (0.37, 0.41, 64), (0.62, 0.58, 63), (0.9, 0.86, 63))
        ),
        first=month(5).start,
        last=month(8).end,
        protocol="Months 5 to 8 replayed with the data of then, at 0, 25, 50 and 75 % of each window.",
        ece=0.034,
        log_loss=0.511,
        pr_auc=0.74,
        models=models(),
        best_baseline="extrapolation",
        strata=strata(),
        services=26,
        windows=4,
        decided=41,
    )
    alarms = AlarmScore(
        threshold=0.35,
        required_lead_days=7.0,
        windows=104,
        breaches=41,
        warned=44,
        precision=0.75,
        recall=0.805,
        surprise_rate=0.244,
        false_per_100_windows=10.6,
        median_lead_days=19.0,
        lead_p10_days=8.0,
        service_months=104.0,
        false_per_100_service_months=10.6,
        warnings_per_service_month=0.43,
    )
    proposals = (
        proposal("lga", "Departure slots at LaGuardia", 0.83, "lga-departure-slots"),
        proposal("ewr-ua", HOSTILE[0], 0.46),
    )
    previous = {warning_id("lga", "sla-lga", "lga-on-time", month(9)): 0.72}
    warnings = build_warnings(
        services, proposals, as_of=AS_OF, warn_at=0.35, previous=previous, track_record=score, customers=CUSTOMERS
    )
    agreed = [o for s in services for o in s.objectives if o.risks]
    portfolio = tuple(
        PortfolioOutlook(
            period=month(n),
            agreements=len(agreed),
            probability_all_met=all_met([o.risks[n - 9] for o in agreed]),
            expected_misses=sum(o.risks[n - 9].probability for o in agreed),
            misses_p90=float(len(agreed)),
            expected_credit=sum(o.risks[n - 9].expected_credit for o in agreed),
            expected_loss=sum(o.risks[n - 9].expected_loss for o in agreed),
            loss_p95=264000.0 + 1000 * n,
            currency="USD",
        )
        for n in (9, 10, 11, 12)
    )
    return Plan(
        organisation="New York airports",
        manifest=manifest(),
        as_of=AS_OF,
        horizon_end=month(12).end,
        currency="USD",
        services=tuple(services),
        portfolio=portfolio,
        requirements=(requirement("lga-departure-slots", 0.62, rng), requirement("jfk-gates", 0.03, rng)),
        capacity_excuses=(
            ("ewr-deicers", Excuse(reason="no use is measured", what_would_help="a metric of fluid used")),
        ),
        proposals=proposals,
        warnings=warnings,
        risk_score=score,
        alarm_score=alarms,
        assumptions=("No holiday schedule was given; school holidays are not in the forecast.",),
        data_first=date(2013, 1, 1),
        data_last=date(2013, 9, 10),
        restatements=restatements(),
        credits=credit_lines(),
        findings=findings(),
    )


def manifest() -> RunManifest:
    return RunManifest(
        run_id="5f0c1d2e3a4b5c6d",
        as_of=AS_OF,
        seed=20130901,
        paths=PATHS,
        code_version="0.1.0",
        catalogue_version="c0ffee" * 10 + "c0ff",
        data_version="da7a" * 16,
        libraries=(("numpy", "2.0.0"), ("pandas", "3.0.0")),
        settings=(("windows_ahead", "4"), ("warn_at", "0.35")),
    )


def empty_plan() -> Plan:
    """Return a plan of a workspace that has almost nothing."""
    return Plan(
        organisation="Nobody yet",
        manifest=manifest(),
        as_of=AS_OF,
        horizon_end=month(12).end,
        currency="EUR",
        services=(),
        portfolio=(),
        requirements=(),
        capacity_excuses=(),
        proposals=(),
        warnings=(),
        risk_score=None,
        alarm_score=None,
        assumptions=(),
        data_first=date(2013, 1, 1),
        data_last=date(2013, 9, 10),
    )
