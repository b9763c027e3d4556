"""Attainment on random objectives, data and instants: the package agrees with the slice-by-slice reference exactly."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from attainment_strategies import (
    Case,
    Composite,
    Log,
    cases,
    composites,
    deadlines,
    desk_logs,
    outage_logs,
    refusal,
    windows_of,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference_attainment import (
    US,
    Outcome,
    Ticket,
    at_minute,
    attain,
    outage_minutes,
    ticket_counts,
)
from reference_composite import attain_composite

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.composite import component_of, composite_attainments
from forecasting.service_levels.events import Events, events_of
from forecasting.terms.errors import InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.service_level import (
    Attainment,
    BudgetingMethod,
    Period,
)


def quick(examples: int) -> Any:
    return settings(
        derandomize=True,
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


# ---------------------------------------------------------------------- comparison
def history_of(case: Case) -> History:
    data = case.data
    step = timedelta(days=1) if data.step is None else timedelta(minutes=data.step)
    return History(
        cut_off=at_minute(max(case.as_of, case.bounds[-1]) + 10**6),
        series={
            (case.objective.service, name): Series(
                service=case.objective.service,
                metric=Metric(name=name, kind=MetricKind.REAL, step=step),
                start=at_minute(data.start),
                step=step,
                values=np.array([np.nan if v is None else v for v in values]),
                zone=data.zone,
            )
            for name, values in data.values.items()
        },
    )


def decimal(value: Fraction | None) -> Decimal | None:
    if value is None:
        return None
    with localcontext() as context:
        context.prec = 28
        return Decimal(value.numerator) / Decimal(value.denominator)


def fields(one: Attainment) -> dict[str, object]:
    return {
        "good": one.good,
        "total": one.total,
        "known": one.known_slices,
        "elapsed": one.elapsed_slices,
        "planned": one.planned_slices,
        "excluded": one.excluded_slices,
        "planned_time": one.planned_time,
        "value": one.value,
        "lower": one.lower,
        "upper": one.upper,
        "status": str(one.status),
        "final": one.final,
        "provisional": one.provisional,
        "decided": one.decided,
        "watermark": one.watermark,
    }


def periods_of(windows: list[tuple[int, int]]) -> list[Period]:
    return [Period(start=at_minute(a), end=at_minute(b), label="w") for a, b in windows]


def compare(case: Case) -> None:
    """Check every window of a case, judged in one call."""
    windows = windows_of(case.objective, case.bounds)
    periods = periods_of(windows)

    def run() -> tuple[Attainment, ...]:
        events = events_of(case.objective, history_of(case), calendars=case.data.calendars)
        assert isinstance(events, Events)
        grace = timedelta(minutes=case.grace)
        return attainments(case.objective, events, periods, as_of=at_minute(case.as_of), grace=grace)

    if refusal(case.objective, case.data, case.bounds):
        with pytest.raises(InputError):
            run()
        return
    for one, (a, b) in zip(run(), windows, strict=True):
        assert fields(one) == wanted_of(attain(case.objective, case.data, (a, b), case.as_of, case.grace))


def wanted_of(outcome: Outcome) -> dict[str, object]:
    return {
        "good": outcome.good,
        "total": outcome.total,
        "known": outcome.known,
        "elapsed": outcome.elapsed,
        "planned": outcome.planned,
        "excluded": outcome.excluded,
        "planned_time": timedelta(minutes=outcome.planned_minutes),
        "value": decimal(outcome.value),
        "lower": decimal(outcome.lower),
        "upper": decimal(outcome.upper),
        "status": outcome.status,
        "final": outcome.final,
        "provisional": outcome.provisional,
        "decided": outcome.decided,
        "watermark": None if outcome.watermark is None else at_minute(outcome.watermark),
    }


def compare_composite(whole: Composite) -> None:
    """Check every window of a composite; excluded slices and watermarks are the components' own matter."""
    first = whole.parts["a"]
    windows = windows_of(whole.objective, first.bounds)
    own = {name: component_of(whole.objective, case.objective) for name, case in whole.parts.items()}

    def run() -> tuple[Attainment, ...]:
        found = {}
        for name, case in whole.parts.items():
            events = events_of(own[name], history_of(case))
            assert isinstance(events, Events)
            found[name] = (case.objective, events)
        grace = timedelta(minutes=first.grace)
        periods = periods_of(windows)
        return composite_attainments(whole.objective, found, periods, as_of=at_minute(first.as_of), grace=grace)

    if any(refusal(own[name], case.data, case.bounds) for name, case in whole.parts.items()):
        with pytest.raises(InputError):
            run()
        return
    parts = {name: (case.objective, case.data) for name, case in whole.parts.items()}
    for one, (a, b) in zip(run(), windows, strict=True):
        wanted = wanted_of(attain_composite(whole.objective, parts, (a, b), first.as_of, first.grace))
        assert fields(one) | {"excluded": 0, "watermark": None} == wanted


OCCURRENCES, TIMESLICES, RATIOS = BudgetingMethod


@quick(80)
@given(cases(OCCURRENCES))
def test_occurrences_agree(case: Case) -> None:
    compare(case)


@quick(60)
@given(cases(TIMESLICES))
def test_time_slices_agree(case: Case) -> None:
    compare(case)


@quick(40)
@given(cases(RATIOS))
def test_means_of_ratios_agree(case: Case) -> None:
    compare(case)


@quick(30)
@given(deadlines())
def test_deadlines_agree(case: Case) -> None:
    compare(case)


@pytest.mark.nightly
@quick(1000)
@given(deadlines())
def test_a_thousand_deadlines(case: Case) -> None:
    compare(case)


@pytest.mark.nightly
@quick(4000)
@given(cases(OCCURRENCES))
def test_four_thousand_by_occurrences(case: Case) -> None:
    compare(case)


@pytest.mark.nightly
@quick(3500)
@given(cases(TIMESLICES))
def test_three_and_a_half_thousand_by_time_slices(case: Case) -> None:
    compare(case)


@pytest.mark.nightly
@quick(2500)
@given(cases(RATIOS))
def test_two_and_a_half_thousand_by_means_of_ratios(case: Case) -> None:
    compare(case)


@quick(30)
@given(st.sampled_from([OCCURRENCES, TIMESLICES, RATIOS]).flatmap(composites))
def test_composites_agree(whole: Composite) -> None:
    compare_composite(whole)


@pytest.mark.nightly
@quick(1000)
@given(st.sampled_from([OCCURRENCES, TIMESLICES, RATIOS]).flatmap(composites))
def test_a_thousand_composites(whole: Composite) -> None:
    compare_composite(whole)


# ---------------------------------------------------------------------- outages and tickets
def rows(tickets: list[Ticket], kind: str, early: int, cut: int) -> pd.DataFrame:
    """Return ticket rows with nothing of or after the cut; the first one is early and of another kind."""
    known = [t for t in tickets if t.opened < cut]
    opened = [early, *(t.opened for t in known)]
    done = [early + 1, *(t.done if t.done is not None and t.done < cut else None for t in known)]

    def column(minutes: list[int | None]) -> Any:
        texts = [None if m is None else at_minute(m).replace(tzinfo=None) for m in minutes]
        return pd.Series(texts, dtype="datetime64[us]")

    return pd.DataFrame(
        {
            "service": "a",
            "ticket": [str(number) for number in range(len(opened))],
            "kind": ["question", *(kind for _ in known)],
            "priority": "",
            "opened": column([*opened]),
            "responded": column([None] * len(opened)),
            "resolved": column(done),
            "pauses": ["[]", *(t.pauses_json() for t in known)],
        }
    )


def judged_log(log: Log, kind: str, early: int) -> tuple[Attainment, ...]:
    history = History(cut_off=at_minute(log.as_of), tickets=rows(log.tickets, kind, early, log.as_of))
    calendar = {} if log.calendar is None else {"desk": log.calendar}
    events = events_of(log.objective, history, calendars=calendar)
    assert isinstance(events, Events)
    periods = periods_of(list(pairwise(log.bounds)))
    return attainments(log.objective, events, periods, as_of=at_minute(log.as_of))


def compare_outages(log: Log) -> None:
    early = log.bounds[0] - 5 * 1440
    for one, (a, b) in zip(judged_log(log, "outage", early), pairwise(log.bounds), strict=True):
        up, total = outage_minutes(log.objective, log.tickets, (a, b), log.as_of)
        assert (one.good, one.total, one.known_slices) == (up * US, total * US, one.elapsed_slices)
        assert one.value == (decimal(Fraction(up, total)) if total else None)
        if total:
            assert str(one.status) == ("met" if Fraction(up, total) >= Fraction("0.9") else "breached")


def compare_tickets(log: Log) -> None:
    early = min(log.bounds[0], log.as_of) - 6 * 1440
    clock = log.calendar if log.calendar is not None else log.objective.time.hours
    for one, (a, b) in zip(judged_log(log, "incident", early), pairwise(log.bounds), strict=True):
        good, total = ticket_counts(log.objective, log.tickets, clock, (a, b), log.as_of)
        assert (one.good, one.total, one.known_slices) == (good, total, one.elapsed_slices)


@quick(30)
@given(outage_logs())
def test_outages_agree(log: Log) -> None:
    compare_outages(log)


@quick(40)
@given(desk_logs())
def test_tickets_agree(log: Log) -> None:
    compare_tickets(log)


@pytest.mark.nightly
@quick(1000)
@given(outage_logs())
def test_a_thousand_logs_of_outages(log: Log) -> None:
    compare_outages(log)


@pytest.mark.nightly
@quick(1000)
@given(desk_logs())
def test_a_thousand_desks(log: Log) -> None:
    compare_tickets(log)
