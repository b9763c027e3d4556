"""Breach risk of every kind of SLI, method, window and service time: a P for open windows, a verdict on closed ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecasting.terms.agreement import Agreement, AgreementKind, Credits, CreditTier
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    Component,
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
)
from forecasting.terms.service_level import (
    Attainment,
    AttainmentStatus,
    BudgetingMethod,
    CalendarWindow,
    Objective,
    RollingWindow,
)
from forecasting.terms.service_time import (
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)
from forecasting.terms.settings import Settings
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.fleet import build_fleet
from forecasting.workflows.outlook import past_windows
from forecasting.workflows.prepare import Prepared, Promise, prepare

ZONE = "Europe/Berlin"
START = datetime(2026, 9, 1, tzinfo=UTC) - timedelta(hours=2)  # local midnight
AS_OF = datetime(2027, 3, 10, 9, 30, tzinfo=UTC)
HOURS = int((AS_OF - START) / timedelta(hours=1))
SETTINGS = Settings(paths=200)
MONTH = CalendarWindow(unit="month", zone=ZONE)
WEEKDAYS = ServiceCalendar(
    name="desk",
    zone=ZONE,
    versions=(CalendarVersion(weekly=tuple((LocalSpan(start=time(8), end=time(18)),) * (d < 5) for d in range(7))),),
)
KINDS = {
    "calls": MetricKind.COUNT, "good": MetricKind.COUNT, "bad": MetricKind.COUNT, "counter": MetricKind.COUNT,
    "counter_bad": MetricKind.COUNT, "share": MetricKind.RATIO, "ms": MetricKind.NON_NEGATIVE,
    "ms5": MetricKind.NON_NEGATIVE, "up": MetricKind.NON_NEGATIVE, "down": MetricKind.NON_NEGATIVE,
    "done": MetricKind.REAL, "week_calls": MetricKind.COUNT, "week_bad": MetricKind.COUNT,
}  # fmt: skip
STEPS = {
    "ms5": timedelta(minutes=15), "done": timedelta(days=1), "week_calls": timedelta(days=7),
    "week_bad": timedelta(days=7),
}  # fmt: skip
METRICS = {n: Metric(name=n, kind=k, step=STEPS.get(n, timedelta(hours=1))) for n, k in KINDS.items()}


def rows_of(service: str, seed: int, hours: int = HOURS) -> pd.DataFrame:
    """Hourly metrics of a service that is bad now and then, with days that differ."""
    random = np.random.default_rng(seed)
    level = np.repeat(random.gamma(2.0, 0.02, hours // 24 + 2), 24)[:hours]
    calls = random.poisson(40, hours)
    bad = random.binomial(calls, np.minimum(level, 1.0))
    at = pd.date_range(START.replace(tzinfo=None), periods=hours, freq="h")
    down = np.where(random.random(hours) < 0.01, random.uniform(60, 3000, hours), 0.0)
    columns = {
        "calls": calls, "bad": bad, "good": calls - bad, "counter": np.cumsum(calls), "counter_bad": np.cumsum(bad),
        "share": 1.0 - np.minimum(level, 1.0), "ms": random.gamma(4.0, 60.0, hours), "up": random.random(hours) > 0.02,
        "down": np.round(down, 3),
    }  # fmt: skip
    frames = [_long(service, name, at, values) for name, values in columns.items()]
    fine = pd.date_range(at[0], periods=hours * 4, freq="15min") if hours else at
    frames.append(_long(service, "ms5", fine, random.gamma(4.0, 60.0, len(fine)) * np.repeat(1 + 4 * level, 4)))
    days = pd.date_range(START.replace(tzinfo=None), periods=hours // 24, freq="D", tz="UTC")
    local = (days + pd.Timedelta(hours=2)).tz_localize(None).normalize().tz_localize(ZONE).tz_convert("UTC")
    frames.append(_long(service, "done", local.tz_localize(None), random.normal(340.0, 25.0, len(local))))
    weeks = local[::7].tz_localize(None)
    volume = random.poisson(7000, len(weeks))
    frames.append(_long(service, "week_calls", weeks, volume))
    frames.append(_long(service, "week_bad", weeks, random.binomial(volume, random.gamma(2.0, 0.02, len(weeks)))))
    return pd.concat(frames, ignore_index=True)


def _long(service: str, name: str, at: Any, values: Any) -> pd.DataFrame:
    return pd.DataFrame({"service": service, "metric": name, "at": at, "value": np.asarray(values, dtype=float)})


def tickets_of(service: str, seed: int, days: int = HOURS // 24) -> pd.DataFrame:
    """Outages of about an hour, and requests of which most are answered within a day."""
    random = np.random.default_rng(seed)
    made = []
    for kind, count, mean in (("outage", days // 5, 1.0), ("request", days * 4, 4.0)):
        opened = pd.Timestamp(START.replace(tzinfo=None)) + pd.to_timedelta(
            np.sort(random.uniform(1, days * 24, count)), unit="h"
        )
        resolved = opened + pd.to_timedelta(random.exponential(mean, count), unit="h")
        made.append(
            pd.DataFrame(
                {
                    "service": service, "ticket": [f"{kind}-{k}" for k in range(count)], "kind": kind, "priority": "",
                    "opened": opened.astype("datetime64[us]"), "responded": pd.NaT,
                    "resolved": resolved.astype("datetime64[us]"), "pauses": "[]",
                }
            )
        )  # fmt: skip
    found = pd.concat(made, ignore_index=True)
    found["responded"] = found["responded"].astype("datetime64[us]")
    return found


def slo(indicator: Indicator, target: str, **changes: Any) -> Objective:
    base = Objective(name="kept", service="shop", indicator=indicator, target=Decimal(target), window=MONTH)
    return replace(base, **changes)


RATIO = RatioIndicator(total="calls", good="good")
SLICED: dict[str, Any] = {
    "method": BudgetingMethod.TIMESLICES, "slice_window": timedelta(hours=1), "slice_target": Decimal("0.9")
}  # fmt: skip
RATIOS: dict[str, Any] = {"method": BudgetingMethod.RATIO_TIMESLICES, "slice_window": timedelta(hours=1)}
HOURS_OF = ServiceTime(hours=WEEKDAYS)
PATCHED = ServiceTime(
    maintenance=(MaintenanceWindow(weekdays=(5,), span=LocalSpan(start=time(2), end=time(6)), zone=ZONE),)
)


def excluded(mode: ExclusionMode) -> ServiceTime:
    spans = ((datetime(2027, 3, 4, tzinfo=UTC), 30), (datetime(2027, 3, 20, tzinfo=UTC), 12))
    return ServiceTime(
        exclusions=tuple(Exclusion(start=s, end=s + timedelta(hours=h), reason="agreed", mode=mode) for s, h in spans)
    )


CASES: dict[str, Objective] = {
    "ratio, good of total": slo(RATIO, "0.96"),
    "ratio, bad of total": slo(RatioIndicator(total="calls", bad="bad"), "0.96"),
    "cumulative counters": slo(RatioIndicator(total="counter", bad="counter_bad", cumulative=True), "0.96"),
    "raw ratio": slo(RawRatioIndicator(metric="share"), "0.96"),
    "threshold": slo(ThresholdIndicator(metric="ms", op="lt", limit=Decimal(400)), "0.9"),
    "quantile": slo(
        QuantileIndicator(metric="ms5", quantile=Decimal("0.75"), op="lt", limit=Decimal(350),
                          slice=timedelta(hours=1)), "0.8",
    ),
    "availability, up or down": slo(AvailabilityIndicator(metric="up"), "0.98"),
    "availability, seconds down": slo(AvailabilityIndicator(metric="down", measures="down_seconds"), "0.996"),
    "availability, outages": slo(AvailabilityIndicator(outages=("outage",)), "0.992"),
    "deadline": slo(DeadlineIndicator(metric="done", by=time(6), calendar="desk"), "0.8"),
    "ticket": slo(TicketIndicator(stage="resolution", within=timedelta(hours=8), kinds=("request",)), "0.86"),
    "time slices": slo(RATIO, "0.9", **SLICED),
    "ratio of time slices": slo(RATIO, "0.96", **RATIOS),
    "time slices, no traffic is bad": slo(RATIO, "0.9", no_traffic="bad", **SLICED),
    "time slices of seven hours": slo(RATIO, "0.8", **{**SLICED, "slice_window": timedelta(hours=7)}),
    "time slices of a day": slo(
        RATIO, "0.8", **{**SLICED, "slice_window": timedelta(days=1), "slice_target": Decimal("0.94")}
    ),
    "service hours": slo(RATIO, "0.96", time=HOURS_OF),
    "service hours, availability": slo(AvailabilityIndicator(metric="up"), "0.98", time=HOURS_OF),
    "service hours, time slices": slo(RATIO, "0.9", time=HOURS_OF, **SLICED),
    "maintenance": slo(RATIO, "0.96", time=PATCHED),
    "exclusion removed": slo(RATIO, "0.96", time=excluded(ExclusionMode.REMOVE)),
    "exclusion drops events": slo(RATIO, "0.96", time=excluded(ExclusionMode.DROP_EVENTS)),
    "exclusion counts as good": slo(RATIO, "0.96", time=excluded(ExclusionMode.COUNT_AS_GOOD)),
    "workload limit, suspended": slo(
        RATIO, "0.96", workload_metric="calls", workload_limit=Decimal(45), workload_effect="suspended"
    ),
    "workload limit, scaled": slo(
        RATIO, "0.965", workload_metric="calls", workload_limit=Decimal(35), workload_effect="scaled"
    ),
    "workload limit, priced": slo(
        RATIO, "0.96", workload_metric="calls", workload_limit=Decimal(45), workload_effect="priced"
    ),
    "workload limit, time slices": slo(
        RATIO, "0.9", workload_metric="calls", workload_limit=Decimal(45), **SLICED
    ),
    "weekly data": slo(
        RatioIndicator(total="week_calls", bad="week_bad"), "0.96", window=CalendarWindow(unit="quarter", zone=ZONE)
    ),
    "time slices of a week": slo(
        RATIO, "0.7", **{**SLICED, "slice_window": timedelta(days=7), "slice_target": Decimal("0.955")}
    ),
    "rolling": slo(RATIO, "0.96", window=RollingWindow(length=timedelta(days=30), zone=ZONE)),
    "weeks": slo(RATIO, "0.96", window=CalendarWindow(unit="week", zone=ZONE)),
    "quarters": slo(RATIO, "0.96", window=CalendarWindow(unit="quarter", zone=ZONE)),
    "composite, joint slices": slo(
        CompositeIndicator(components=(Component(objective="one"), Component(objective="two"))), "0.8", **SLICED
    ),
    "composite, one of two": slo(
        CompositeIndicator(components=(Component(objective="one"), Component(objective="two")), required=1), "0.98",
        **SLICED,
    ),
    "composite, budgets": slo(
        CompositeIndicator(
            components=(Component(objective="one", weight=Decimal(3)), Component(objective="two"))
        ), "0.96",
    ),
    "composite, ratios": slo(
        CompositeIndicator(components=(Component(objective="one"), Component(objective="two"))), "0.96", **RATIOS
    ),
    "strict": slo(RATIO, "0.96", strict=True),
}  # fmt: skip


def prepared_of(*, as_of: datetime = AS_OF, hours: int = HOURS, cases: tuple[str, ...] = tuple(CASES)) -> Prepared:
    """Prepare one service with an agreement on every kind, beside another one for the composites."""
    parts = tuple(
        replace(slo(RATIO, "0.95"), name=name, service=service, window=MONTH)
        for name, service in (("one", "shop"), ("two", "pay"))
    )
    agreements = tuple(
        Agreement(
            id=case, kind=AgreementKind.SLA, service="shop", customer="c", provider="p", objectives=(objective,),
            valid_from=date(2020, 1, 1), valid_until=None, loss_per_bad_event=Decimal(2),
            credits=Credits(
                fee_per_period=Decimal(1000), cap_share=Decimal(1),
                tiers=(
                    CreditTier(below=objective.target, share_of_fee=Decimal("0.1")),
                    CreditTier(below=objective.target - Decimal("0.02"), share_of_fee=Decimal("0.2")),
                ),
            ),
        )
        for case, objective in CASES.items()
        if case in cases
    )  # fmt: skip
    catalogue = Catalogue(
        name="kinds", services={n: Service(name=n, zone=ZONE) for n in ("shop", "pay", "other")}, metrics=METRICS,
        objectives=parts, agreements=agreements, calendars={"desk": WEEKDAYS},
    )  # fmt: skip
    # Another service has data, so that a service without any is one of many.
    rows = [_long("other", "calls", pd.date_range(START.replace(tzinfo=None), periods=24, freq="h"), np.ones(24))]
    rows += [rows_of("shop", 1, hours), rows_of("pay", 2, hours)] if hours else []
    tickets = tickets_of("shop", 1, hours // 24) if hours >= 24 else None
    return prepare(
        catalogue, pd.concat(rows), organisation="Kinds", currency="EUR", zone=ZONE, as_of=as_of, settings=SETTINGS,
        code_version="test", tickets=tickets,
    )  # fmt: skip


Answers = dict[str, tuple[BreachRisk, ...] | Excuse]


def risks_of_all(prepared: Prepared, *, closed: bool = False) -> Answers:
    """Judge every agreement: its coming windows, or its last three closed ones."""
    promises = [p for p in prepared.promises if p.agreement is not None]
    if closed:
        promises = [p.asked(tuple(a.period for a in last_closed(p, prepared.as_of))) for p in promises]
    fleet = build_fleet(
        promises, prepared.catalogue, as_of=prepared.as_of, until=prepared.windows_end, settings=SETTINGS,
        paths=SETTINGS.paths,
    )  # fmt: skip
    simulation = Simulation(fleet, demand=None)
    return {p.agreement.id: promise_risks(p, simulation, windows_known=6) for p in promises if p.agreement is not None}


def last_closed(promise: Promise, as_of: datetime) -> list[Attainment]:
    return [a for a in past_windows(promise, as_of=as_of) if a.final][-3:]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_of()


@pytest.fixture(scope="module")
def coming(prepared: Prepared) -> Answers:
    return risks_of_all(prepared)


@pytest.fixture(scope="module")
def closed(prepared: Prepared) -> Answers:
    return risks_of_all(prepared, closed=True)


@pytest.mark.parametrize("case", CASES)
def test_an_open_window_has_a_probability_and_so_have_the_next_four(coming: Answers, case: str) -> None:
    found = coming[case]
    assert not isinstance(found, Excuse), found
    assert len(found) == 5
    for risk in found:
        check_open(risk)
    assert found[0].consumed_total > 0


def check_open(risk: BreachRisk) -> None:
    """An open window: everything is finite and inside its bounds, and the parts add up."""
    assert not risk.decided
    assert 0 < risk.probability_low <= risk.probability <= risk.probability_high < 1
    assert np.isfinite(risk.attainment_paths).all()
    assert 0 <= risk.fast_probability <= 1
    assert risk.attainment_p10 <= risk.attainment_p50 <= risk.attainment_p90 <= 1
    stated = [p for _, p in risk.candidates]
    assert len(stated) > 1
    assert all(0 < p < 1 for p in stated)
    assert min(stated) - 0.1 <= risk.probability <= max(stated) + 0.1
    assert sum(c.share for c in risk.causes) == pytest.approx(1.0)
    assert risk.basis
    (top, p_top), (bottom, p_bottom) = risk.tier_probabilities
    assert top > bottom
    assert 0 <= p_top + p_bottom <= 1
    assert risk.expected_credit == pytest.approx(100 * p_top + 200 * p_bottom)
    assert risk.cost_paths is not None
    assert risk.cost_paths.mean() == pytest.approx(risk.expected_credit + risk.expected_loss)


@pytest.mark.parametrize("case", CASES)
def test_a_closed_window_is_what_the_attainment_says(prepared: Prepared, closed: Answers, case: str) -> None:
    found = closed[case]
    assert not isinstance(found, Excuse), found
    promise = next(p for p in prepared.promises if p.agreement is not None and p.agreement.id == case)
    past = last_closed(promise, prepared.as_of)
    assert past
    for attainment, risk in zip(past, found, strict=True):
        assert attainment.status in (AttainmentStatus.MET, AttainmentStatus.BREACHED)
        assert risk.decided
        assert risk.probability == float(attainment.status is AttainmentStatus.BREACHED)
        assert np.unique(risk.attainment_paths) == pytest.approx([float(attainment.value or 1)], abs=1e-9)
        assert risk.candidates == ()


SHORT = (
    "ratio, good of total", "time slices", "weekly data", "composite, joint slices", "composite, budgets", "deadline",
)  # fmt: skip


@pytest.mark.parametrize("days", [0, 1, 5])
def test_too_short_a_history_is_declined_in_words(days: int) -> None:
    answers = risks_of_all(prepared_of(as_of=START + timedelta(days=65), hours=24 * days, cases=SHORT))
    assert set(answers) == set(SHORT)
    for answer in answers.values():
        assert isinstance(answer, Excuse)
        assert answer.what_would_help
        assert any(word in answer.reason for word in ("days", "no data", "no slice", "no complete")), answer.reason
    # A log of outages is complete: days without a ticket are days without an outage, so that only time makes it long.
    cases = ("availability, outages",)
    young = risks_of_all(prepared_of(as_of=START + timedelta(days=max(days, 1)), hours=24 * days, cases=cases))
    assert isinstance(young["availability, outages"], Excuse)


def test_four_weeks_are_enough_where_there_are_days_and_eight_slices_where_there_are_weeks() -> None:
    def answer(case: str, days: int) -> tuple[BreachRisk, ...] | Excuse:
        at = START + timedelta(days=days + 10, hours=9)
        return risks_of_all(prepared_of(as_of=at, hours=24 * days, cases=(case,)))[case]

    enough, short = (answer("ratio, good of total", n) for n in (29, 27))
    assert not isinstance(enough, Excuse)
    assert all(0 < r.probability < 1 for r in enough)
    assert isinstance(short, Excuse)
    assert "28 needed" in short.reason
    assert not isinstance(answer("weekly data", 60), Excuse)
    few = answer("weekly data", 42)
    assert isinstance(few, Excuse)
    assert "8 needed" in few.reason
