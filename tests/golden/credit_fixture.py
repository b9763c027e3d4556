"""Agreements and attainments from the short form of credit_cases.yaml (all scalars are texts)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from forecasting.terms.agreement import (
    Agreement,
    AgreementKind,
    Credits,
    CreditTier,
    EarnBack,
    RepeatRule,
    Termination,
)
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    AvailabilityIndicator,
    CalendarWindow,
    Objective,
    Period,
    RatioIndicator,
    Rounding,
)

Entry = dict[str, Any]


def expand(entry: Entry) -> Iterator[Entry]:
    """Yield one entry a month of `in: 2027-01..2027-03`."""
    first, _, last = entry["in"].partition("..")
    while True:
        yield entry | {"in": first}
        if first == (last or first):
            return
        year, month = map(int, first.split("-"))
        first = f"{year + month // 12}-{month % 12 + 1:02d}"


def period_of(label: str, zone: str) -> Period:
    """Return the window called 2027-03, 2027-Q1, 2027-03-28 or 2027, worked out apart from the package."""

    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    def month_after(day: date, months: int) -> date:
        index = day.year * 12 + day.month - 1 + months
        return date(index // 12, index % 12 + 1, 1)

    if found := re.fullmatch(r"(\d{4})-Q(\d)", label):
        first = date(int(found[1]), 3 * int(found[2]) - 2, 1)
        end = month_after(first, 3)
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", label):
        first = date.fromisoformat(label)
        end = first + timedelta(days=1)
    elif re.fullmatch(r"\d{4}-\d\d", label):
        first = date.fromisoformat(label + "-01")
        end = month_after(first, 1)
    else:
        first, end = date(int(label), 1, 1), date(int(label) + 1, 1, 1)
    return Period(start=midnight(first), end=midnight(end), label=label)


def terms_of(entry: Entry) -> Credits:
    repeat, back, ending = entry.get("repeat"), entry.get("earnBack"), entry.get("termination")
    return Credits(
        fee_per_period=Decimal(entry["fee"]),
        cap_share=Decimal(entry["cap"]),
        cap_per_year=Decimal(entry["capPerYear"]) if "capPerYear" in entry else None,
        tiers=tuple(
            CreditTier(
                below=Decimal(tier["below"]),
                share_of_fee=Decimal(tier.get("share", "0")),
                amount=Decimal(tier["amount"]) if "amount" in tier else None,
            )
            for tier in entry.get("tiers", [])
        ),
        per_hour_share=Decimal(entry.get("perHour", "0")),
        repeat=None
        if repeat is None
        else RepeatRule(
            multiplier=Decimal(repeat["multiplier"]), within=int(repeat["within"]), compounding="compounding" in repeat
        ),
        earn_back=None
        if back is None
        else EarnBack(
            windows=int(back["windows"]), reach=Decimal(back["reach"]), share=Decimal(back.get("share", "1"))
        ),
        proration=entry.get("proration", "time"),
        claim_within=timedelta(days=int(entry["claimDays"])) if "claimDays" in entry else None,
        termination=None if ending is None else Termination(misses=int(ending["misses"]), within=int(ending["within"])),
        joint="joint" in entry,
    )


def objective_of(entry: Entry) -> Objective:
    decimals, _, mode = entry.get("rounding", "").partition(" ")
    by_time = entry.get("unit") == "time"
    return Objective(
        name=entry["name"],
        service="s",
        indicator=AvailabilityIndicator(metric="up") if by_time else RatioIndicator(total="all", good="good"),
        target=Decimal(entry.get("target", "0.999")),
        window=CalendarWindow(unit=entry.get("window", "month"), zone=entry.get("zone", "UTC")),
        strict="strict" in entry,
        rounding=Rounding(decimals=int(decimals), mode=mode) if decimals else None,  # type: ignore[arg-type]
    )


def agreement_of(case: Entry) -> Agreement:
    entry = case.get("agreement", {})
    until = entry.get("until")
    return Agreement(
        id="agreement",
        kind=AgreementKind(entry.get("kind", "SLA")),
        service="s",
        customer="c",
        provider="p",
        objectives=tuple(objective_of(o) for o in entry.get("objectives", [{"name": "a"}])),
        valid_from=date.fromisoformat(entry.get("from", "2026-01-01")),
        valid_until=date.fromisoformat(until) if until else None,
        currency=entry.get("currency", "EUR"),
        credits=terms_of(case["terms"]),
    )


def attainments_of(agreement: Agreement, delivered: list[Entry]) -> list[Attainment]:
    objectives = {o.name: o for o in agreement.objectives}
    return [
        attainment_of(agreement, objectives[entry.get("of", agreement.objectives[0].name)], one)
        for entry in delivered
        for one in expand(entry)
    ]


def attainment_of(agreement: Agreement, objective: Objective, entry: Entry) -> Attainment:
    period = period_of(entry["in"], objective.window.zone)
    if "down" in entry:
        length = (period.end - period.start) // timedelta(microseconds=1)
        total = int(entry["hours"]) * 3_600_000_000 if "hours" in entry else length
        good = total - int(entry["down"]) * 1_000_000
    else:
        good, total = map(int, entry["got"].split("/"))
    known, elapsed = map(int, entry.get("known", "100/100").split("/"))
    value = Context(prec=28).divide(Decimal(good), Decimal(total)) if total else None
    numerator, denominator = objective.target.as_integer_ratio()
    met = good * denominator >= numerator * total
    return Attainment(
        service="s",
        agreement=agreement.id,
        objective=objective.name,
        period=period,
        target=objective.target,
        good=good,
        total=total,
        known_slices=known,
        elapsed_slices=elapsed,
        planned_slices=elapsed,
        value=value,
        lower=Decimal(entry["lower"]) if "lower" in entry else value,
        upper=Decimal(entry["upper"]) if "upper" in entry else value,
        status=AttainmentStatus(entry.get("status", "met" if met else "breached")),
        as_of=period.end,
        final="final" not in entry,
        provisional="final" in entry,
        unit="microseconds" if isinstance(objective.indicator, AvailabilityIndicator) else "events",
    )
