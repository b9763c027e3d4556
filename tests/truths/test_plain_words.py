"""Agreements in plain English: every number in them is what the rules of attainment say."""

# ruff: noqa: E501 - what is checked reads best on one line

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.service_levels._worked_example import allowed_bad, worked_example
from forecasting.service_levels.plain_words import describe_agreement
from forecasting.terms.agreement import (
    Agreement,
    AgreementKind,
    Credits,
    CreditTier,
    EarnBack,
    Reliance,
    RepeatRule,
    Termination,
    WorkloadLimit,
)
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import BudgetingMethod, CalendarWindow, Objective, RollingWindow, Rounding
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

BERLIN = CalendarWindow(unit="month", zone="Europe/Berlin")
SIX_DAYS = tuple((LocalSpan(start=time(6), end=time(22)),) if day < 6 else () for day in range(7))
SHOP = ServiceCalendar(name="shop-hours", zone="Europe/Berlin", versions=(CalendarVersion(weekly=SIX_DAYS),))
WEEKDAYS = tuple((LocalSpan(start=time(8), end=time(18)),) if day < 5 else () for day in range(7))
BUSINESS = ServiceCalendar(
    name="business-days", zone="Europe/Berlin", versions=(CalendarVersion(weekly=WEEKDAYS, country="DE"),)
)
CATALOGUE = Catalogue(
    name="c",
    services={"shop": Service(name="shop", display_name="Web shop", zone="Europe/Berlin")},
    metrics={
        "requests": Metric(name="requests", kind=MetricKind.COUNT, unit="requests"),
        "latency": Metric(name="latency", kind=MetricKind.NON_NEGATIVE, unit="ms", step=timedelta(minutes=5)),
        "minutes": Metric(name="minutes", kind=MetricKind.NON_NEGATIVE, unit="min", step=timedelta(days=1)),
    },
    calendars={"business-days": BUSINESS},
    customers={"retail": "Retail"},
)
UP = AvailabilityIndicator(metric="up")


def objective(indicator: Any = UP, target: str = "0.999", **more: Any) -> Objective:
    return Objective(
        name="goal",
        service="shop",
        indicator=indicator,
        target=Decimal(target),
        window=more.pop("window", BERLIN),
        **more,
    )


def example(one: Objective, today: date) -> str:
    as_of = datetime(today.year, today.month, today.day, tzinfo=UTC) - timedelta(hours=2)
    return worked_example(one, CATALOGUE, as_of=as_of)


TIMESLICES: dict[str, Any] = {
    "method": BudgetingMethod.TIMESLICES, "slice_window": timedelta(minutes=5), "slice_target": Decimal("0.95"),
}  # fmt: skip
MEANS: dict[str, Any] = {"method": BudgetingMethod.RATIO_TIMESLICES, "slice_window": timedelta(hours=1)}
NIGHT = MaintenanceWindow(weekdays=(6,), span=LocalSpan(start=time(2), end=time(4)), zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("one", "today", "said"),
    [
        (objective(), date(2027, 4, 10), "May 2027 has 31 days = 744 h of service time; 99.9 % leave 44 min 38.4 s of downtime."),
        (objective(), date(2027, 5, 10), "June 2027 has 30 days = 720 h of service time; 99.9 % leave 43 min 12 s of downtime."),
        (objective(), date(2027, 1, 10), "February 2027 has 28 days = 672 h of service time; 99.9 % leave 40 min 19.2 s of downtime."),
        # clocks go forward in March, back in October
        (objective(), date(2027, 2, 10), "March 2027 has 31 days = 743 h of service time; 99.9 % leave 44 min 34.8 s of downtime."),
        (objective(), date(2027, 9, 10), "October 2027 has 31 days = 745 h of service time; 99.9 % leave 44 min 42 s of downtime."),
        (objective(target="0.9995"), date(2027, 5, 10), "June 2027 has 30 days = 720 h of service time; 99.95 % leave 21 min 36 s of downtime."),
        # Monday to Saturday 16 h on 26 days: 416 h, 99.8 % leave 49.92 min
        (objective(target="0.998", time=ServiceTime(hours=SHOP)), date(2027, 4, 10), "May 2027 has 31 days = 416 h of service time; 99.8 % leave 49 min 55.2 s of downtime."),
        # four Sundays of two hours are not part of June
        (objective(time=ServiceTime(maintenance=(NIGHT,))), date(2027, 5, 10), "June 2027 has 30 days = 712 h of service time; 99.9 % leave 42 min 43.2 s of downtime."),
        (objective(window=RollingWindow(length=timedelta(days=30), zone="UTC")), date(2027, 5, 1), "of service time; 99.9 % leave 43 min 12 s of downtime."),
        (objective(RatioIndicator(total="requests", good="good")), date(2027, 4, 10), "of 1,000,000 requests in May 2027 1,000 may be bad."),
        (objective(RatioIndicator(total="requests", good="good"), strict=True), date(2027, 4, 10), "of 1,000,000 requests in May 2027 999 may be bad."),
        (objective(**TIMESLICES), date(2027, 4, 10), "744 h of service time = 8,928 slices of 5 minutes; 8 of them may be bad."),
        (objective(target="0.99", **MEANS), date(2027, 4, 10), "744 h of service time = 744 slices of 1 hour; 99 % leave 7.44 slices' worth of bad."),
        (objective(ThresholdIndicator(metric="latency", op="lt", limit=Decimal(400)), "0.99"), date(2027, 4, 10), "8,928 samples, one every 5 minutes; 89 of them may be bad."),
        (objective(ThresholdIndicator(metric="minutes", op="lt", limit=Decimal(400)), "0.9"), date(2027, 4, 10), "31 samples, one every 1 day; 3 of them may be bad."),
        (objective(QuantileIndicator(metric="latency", quantile=Decimal("0.95"), op="lte", limit=Decimal(400), slice=timedelta(hours=1)), "0.99"), date(2027, 4, 10), "744 slices of 1 hour; 7 of them may be bad."),
        (objective(RawRatioIndicator(metric="latency"), "0.99"), date(2027, 4, 10), "8,928 samples"),
        # May 2027: 21 weekdays, without Ascension (6 May) and Whit Monday (17 May); 1 May is a Saturday
        (objective(DeadlineIndicator(metric="minutes", by=time(6), calendar="business-days"), "0.9"), date(2027, 4, 10), "of 19 business days in May 2027 1 may be late."),
        (objective(DeadlineIndicator(metric="minutes", by=time(6)), "0.9", window=CalendarWindow(unit="quarter", zone="Europe/Berlin")), date(2027, 2, 10), "of 91 days in the window from 2027-04-01 to 2027-06-30 9 may be late."),
        (objective(TicketIndicator(stage="response", within=timedelta(hours=1)), "0.95"), date(2027, 4, 10), "of 1,000 tickets in May 2027 50 may be late."),
        (objective(CompositeIndicator(components=(Component(objective="a"),))), date(2027, 4, 10), ""),
        # what has ended, or not begun, is shown in its own days
        (objective(time=ServiceTime(valid_until=date(2026, 12, 31))), date(2027, 4, 10), "December 2026 has 31 days = 744 h"),
        (objective(time=ServiceTime(valid_from=date(2028, 2, 1))), date(2027, 4, 10), "February 2028 has 29 days = 696 h"),
    ],
)  # fmt: skip
def test_the_worked_example_says_exactly_what_is_allowed(one: Objective, today: date, said: str) -> None:
    found = example(one, today)
    assert (said in found) if said else found == ""


def test_allowed_bad_is_the_largest_number_that_still_meets_the_target() -> None:
    for target in ("0.5", "0.9", "0.95", "0.999", "0.9995", "0.9999"):
        for strict in (False, True):
            one = objective(target=target, strict=strict)
            for total in (1, 7, 10, 20, 100, 999, 1000, 8928, 10_000):
                bad = allowed_bad(one, total)
                met = [
                    total - b > one.target * total if strict else total - b >= one.target * total
                    for b in (bad, bad + 1)
                ]
                assert met == [strict is False or met[0], False], (target, strict, total, bad)
                assert met[0] or bad == 0


def agreement(**more: Any) -> Agreement:
    return Agreement(
        id="sla-shop", kind=AgreementKind.SLA, service="shop", customer="retail", provider="it",
        objectives=more.pop("objectives", (objective(),)), valid_from=date(2026, 1, 1),
        valid_until=more.pop("valid_until", None), **more,
    )  # fmt: skip


def test_everything_that_was_agreed_is_said() -> None:
    time_ = ServiceTime(
        hours=ServiceCalendar(
            name="shop-hours", zone="Europe/Berlin",
            versions=(CalendarVersion(weekly=SIX_DAYS, country="DE", subdivision="BE",
                                      dates={date(2026, 12, 24): (LocalSpan(start=time(6), end=time(14)),)}),),
        ),
        maintenance=(replace(NIGHT, nth_of_month=(1, -1), reason="patching"),),
        exclusions=(Exclusion(start=datetime(2026, 11, 3, 9, tzinfo=UTC), end=datetime(2026, 11, 3, 11, tzinfo=UTC),
                              reason="freeze test", approved_by="J. Doe", evidence="CHG-1", mode=ExclusionMode.COUNT_AS_GOOD),),
    )  # fmt: skip
    terms = Credits(
        fee_per_period=Decimal(185000), cap_share=Decimal("0.25"), cap_per_year=Decimal(300000),
        tiers=(CreditTier(below=Decimal("0.999"), share_of_fee=Decimal("0.05")),
               CreditTier(below=Decimal("0.995"), amount=Decimal(20000))),
        repeat=RepeatRule(multiplier=Decimal(2), within=3, compounding=True),
        earn_back=EarnBack(windows=3, reach=Decimal("0.9995"), share=Decimal("0.5")),
        claim_within=timedelta(days=30), termination=Termination(misses=3, within=12), joint=True, proration="none",
    )  # fmt: skip
    found = agreement(
        objectives=(objective(time=time_, rounding=Rounding(decimals=2), no_data="bad", minimum_events=100),),
        valid_until=date(2027, 12, 31), version="2", replaces="sla-old", promise="The shop is up.", credits=terms,
        loss_per_bad_event=Decimal("0.0075"), time=time_, confidential=True, budget_policy="No changes.", owner="IT",
        workload_limit=WorkloadLimit(metric="requests", per_slice=Decimal(10_800_000)), grace=timedelta(days=5),
        reliance=(Reliance(agreements=("ola-a",)), Reliance(agreements=("uc-a", "uc-b"), required=1)),
        review_months=3, last_review=date(2026, 9, 30),
    )  # fmt: skip
    text = "\n".join(describe_agreement(found, CATALOGUE, today=date(2027, 4, 10)))
    for said in (
        "sla-shop (service level agreement, version 2): it promises Retail a level of the service Web shop. It follows sla-old.",
        "confidential", "It applies from 2026-01-01 to 2027-12-31", "The shop is up.",
        "at least 99.9 % of the service time up, by up, in each calendar month (Europe/Berlin)",
        "rounded half up to 2 decimals", "equal to the target is met", "Missing data count as bad", "fewer than 100",
        "Monday to Saturday 06:00–22:00; Sunday closed; public holidays (DE-BE) closed; 2026-12-24 06:00–14:00",
        "Maintenance (patching) on the first and last Sunday of a month, 02:00–04:00 Europe/Berlin, is not part of the window",
        "2026-11-03 09:00 to 2026-11-03 11:00 UTC (freeze test, approved by J. Doe, CHG-1) counts as good",
        "The target holds up to 10,800,000 requests of requests in 1 hour; what happens above it is not counted",
        "Credits on a fee of EUR 185,000 a window: 5 % below 99.9 %, EUR 20,000 below 99.5 %; at most 25 % of the fee of a window and EUR 300,000 a calendar year",
        "A miss after a miss in one of the 3 windows before costs 2 times as much, again for each further one",
        "50 % of a credit is given back where the next 3 windows all reach 99.95 %",
        "claimed within 30 days", "After 3 misses within 12 windows", "not cut", "worst one", "EUR 0.0075",
        "It relies on ola-a; at least 1 of uc-a and uc-b", "5 days", "No changes.", "every 3 months, last on 2026-09-30", "IT",
        "at 99.85 % the credit is 5 % of EUR 185,000 = EUR 9,250",
    ):  # fmt: skip
        assert said in text, said


def test_a_bare_agreement_says_what_is_not_agreed() -> None:
    text = "\n".join(describe_agreement(agreement(), CATALOGUE, today=date(2027, 4, 10)))
    for said in (
        "without an end",
        "round the clock",
        "No maintenance and no exclusion",
        "No service credit",
        "no other",
    ):
        assert said in text, said
    hourly = agreement(
        credits=Credits(fee_per_period=Decimal(3400), tiers=(), cap_share=Decimal(1), per_hour_share=Decimal("0.1"))
    )
    text = "\n".join(describe_agreement(hourly, CATALOGUE, today=date(2027, 4, 10)))
    assert "10 % for each begun hour of bad time beyond the budget" in text
    assert "with 90 min beyond the budget the credit is 2 × 10 % of EUR 3,400 = EUR 680" in text


@pytest.mark.parametrize("name", ["airports", "meridian"])
def test_every_agreement_of_the_examples_can_be_told(name: str) -> None:
    folder = Path(__file__).resolve().parents[2] / "examples" / name
    project = load_project(folder)
    catalogue = YamlFolder(folder / "catalogue", project.metrics, currency=project.currency).load()
    told = {a.id: describe_agreement(a, catalogue, today=date(2026, 11, 22)) for a in catalogue.agreements}
    for agreement_id, lines in told.items():
        assert lines[0].startswith(agreement_id)
        assert any(line.startswith("For example: of 1,000,000") for line in lines), agreement_id
        assert all(line.strip() and "None" not in line for line in lines), agreement_id
    if name == "meridian":
        assert "For example: of 1,000,000 requests in December 2026 1,000 may be bad." in told["sla-web-shop"]
        assert "For example: at 99.85 % the credit is 5 % of EUR 185,000 = EUR 9,250." in told["sla-web-shop"]
        assert "For example: at 99.925 % the credit is EUR 40,000." in told["sla-payments-api"]
