"""What an objective allows in one coming window, and what one miss would cost, with the numbers."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import numpy as np

from forecasting.history import intervals
from forecasting.history.calendar import is_local_days, local_midnight, zone_of
from forecasting.history.wall_clock import midnights
from forecasting.service_levels import _words as words
from forecasting.service_levels.credits import credit_due
from forecasting.service_levels.service_time import Eligibility, calendar_called, eligibility, open_intervals
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.agreement import Agreement
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    TicketIndicator,
    metrics_of,
)
from forecasting.terms.service_level import BudgetingMethod, Objective, Period

_ROUND_NUMBER = 1_000_000
_MANY_TICKETS = 1_000


def allowed_bad(objective: Objective, total: int) -> int:
    """Return how many of `total` may be bad so that the target is still met.

    Examples
    --------
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> half = Objective(name="a", service="s", indicator=RatioIndicator(total="n", good="g"), target=Decimal("0.5"),
    ...                  window=CalendarWindow(unit="month", zone="UTC"))
    >>> allowed_bad(half, 5), allowed_bad(half, 4)
    (2, 2)
    """
    budget = Fraction(1 - objective.target) * total
    return max(0, ceil(budget) - 1) if objective.strict else floor(budget)


def next_period(objective: Objective, as_of: datetime) -> Period:
    """Return the first window that begins after `as_of` and inside the validity, else one that lies in it in part."""
    zone, time = zone_of(objective.window.zone), objective.time
    day = as_of.astimezone(zone).date()
    if time.valid_until is not None and day > time.valid_until:
        as_of = local_midnight(time.valid_until, zone)
    if time.valid_from is not None and day < time.valid_from:
        as_of = local_midnight(time.valid_from, zone)
    running, coming = coming_periods(objective.window, as_of=as_of, ahead=1)
    last = time.valid_until
    ends = last is not None and coming.start.astimezone(zone).date() > last
    return running if ends or (running.start == as_of and day < running.start.astimezone(zone).date()) else coming


def worked_example(objective: Objective, catalogue: Catalogue, *, as_of: datetime) -> str:
    """Return what the objective allows in its next window, in one sentence; empty where nothing can be said."""
    period = next_period(objective, as_of)
    time = eligibility(objective.time, objective.window.zone, period.start, period.end)
    service_time = intervals.length(time.eligible)
    share, where = words.percent(objective.target), words.period_words(objective.window, period)
    if not service_time:
        return f"{where}, none of which counts."
    whole = f"{where} = {words.hours(service_time)} of service time"
    if objective.method is not BudgetingMethod.OCCURRENCES and objective.slice_window is not None:
        count = _slices(period, time, objective.slice_window)
        slices = f"{whole} = {words.counted(count, 'slice')} of {words.length(objective.slice_window)}"
        if objective.method is BudgetingMethod.TIMESLICES:
            return f"{slices}; {allowed_bad(objective, count):,} of them may be bad."
        lost = Fraction(1 - objective.target) * count
        return f"{slices}; {share} leave {_decimal(lost)} slices' worth of bad."
    match objective.indicator:
        case AvailabilityIndicator():
            budget = Fraction(1 - objective.target) * service_time
            return f"{whole}; {share} leave {words.elapsed(budget)} of downtime."
        case RatioIndicator(total=total):
            may = allowed_bad(objective, _ROUND_NUMBER)
            unit = _unit(catalogue, total)
            return f"of {_ROUND_NUMBER:,} {unit} in {_in(objective, period)} {may:,} may be bad."
        case TicketIndicator():
            may = allowed_bad(objective, _MANY_TICKETS)
            return f"of {_MANY_TICKETS:,} tickets in {_in(objective, period)} {may:,} may be late."
        case DeadlineIndicator(calendar=calendar):
            due = _due_days(objective, catalogue, period, time, calendar)
            noun = "business day" if calendar else "day"
            said = f"of {words.counted(due, noun)} in {_in(objective, period)}"
            return f"{said} {allowed_bad(objective, due):,} may be late."
        case QuantileIndicator(slice=length):
            count = _slices(period, time, length)
            said = f"{whole} = {words.counted(count, 'slice')} of {words.length(length)}"
            return f"{said}; {allowed_bad(objective, count):,} of them may be bad."
        case CompositeIndicator():
            return ""
        case _:
            return _samples(objective, catalogue, period, time, whole)


def _samples(objective: Objective, catalogue: Catalogue, period: Period, time: Eligibility, whole: str) -> str:
    """Say how many samples may be bad, where the metric's step is known."""
    metric = catalogue.metrics.get(metrics_of(objective.indicator)[0])
    if metric is None:
        return ""
    service = catalogue.services.get(objective.service)
    zone = service.zone if service is not None else "UTC"
    if is_local_days(metric.step):
        count = _days(period, time, zone, metric.step.days)
    else:
        count = _slices(period, time, metric.step)
    said = f"{whole} = {words.counted(count, 'sample')}, one every {words.length(metric.step)}"
    return f"{said}; {allowed_bad(objective, count):,} of them may be bad."


def _in(objective: Objective, period: Period) -> str:
    """Return the name of a window inside a sentence."""
    name = words.period_words(objective.window, period).split(" has ")[0]
    return name[0].lower() + name[1:] if name.startswith("The ") else name


def _unit(catalogue: Catalogue, metric: str) -> str:
    found = catalogue.metrics.get(metric)
    unit = found.unit if found is not None else ""
    return {"s": "seconds", "": "events"}.get(unit, unit)


def _slices(period: Period, time: Eligibility, length: timedelta) -> int:
    """Count the whole slices from the start of the window on that count."""
    step = length // timedelta(microseconds=1)
    begin, end = intervals.micros(period.start), intervals.micros(period.end)
    starts = begin + step * np.arange(max(0, (end - begin) // step), dtype=np.int64)
    return int(time.planned(starts, starts + step).sum())


def _days(period: Period, time: Eligibility, zone: str, days: int) -> int:
    """Count the local days (or runs of days) that begin in the window and count."""
    bounds = _midnights(period, zone)[::days]
    starts, ends = bounds[:-1], bounds[1:]
    inside = (starts >= intervals.micros(period.start)) & (starts < intervals.micros(period.end))
    return int((inside & time.planned(starts, ends)).sum())


def _due_days(
    objective: Objective, catalogue: Catalogue, period: Period, time: Eligibility, calendar: str | None
) -> int:
    """Count the days of the window on which the job is due."""
    service = catalogue.services.get(objective.service)
    zone = service.zone if service is not None else objective.window.zone
    bounds = _midnights(period, zone)
    starts, ends = bounds[:-1], bounds[1:]
    begin, end = intervals.micros(period.start), intervals.micros(period.end)
    due = (starts >= begin) & (starts < end) & time.planned(starts, ends)
    if calendar is not None:
        found = calendar_called(calendar, catalogue.calendars, objective.name)
        margin = timedelta(days=2)
        due &= intervals.overlaps(open_intervals(found, period.start - margin, period.end + margin), starts, ends)
    return int(due.sum())


def _midnights(period: Period, zone: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the local midnights from the window's first day to the day after its last."""
    first, last = (at.astimezone(zone_of(zone)).date() for at in (period.start, period.end))
    return midnights(first, (last - first).days + 2, zone)


def _decimal(number: Fraction) -> str:
    """Return a number of slices with at most 3 decimals, cut."""
    return f"{(Decimal(floor(number * 1000)) / 1000).normalize():f}"


def credit_example(agreement: Agreement) -> str:
    """Return what one miss would cost, in one sentence; empty without credits.

    The attainment is half the error budget below the target of the first objective.

    Examples
    --------
    >>> from datetime import date
    >>> from forecasting.terms.agreement import AgreementKind, Credits, CreditTier
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> up = Objective(name="a", service="s", indicator=RatioIndicator(total="n", good="g"), target=Decimal("0.999"),
    ...                window=CalendarWindow(unit="month", zone="UTC"))
    >>> terms = Credits(fee_per_period=Decimal(185000), tiers=(CreditTier(below=Decimal("0.999"),
    ...                 share_of_fee=Decimal("0.05")),), cap_share=Decimal(1))
    >>> credit_example(Agreement(id="sla", kind=AgreementKind.SLA, service="s", customer="c", provider="p",
    ...                objectives=(up,), valid_from=date(2026, 1, 1), valid_until=None, credits=terms))
    'at 99.85 % the credit is 5 % of EUR 185,000 = EUR 9,250.'
    """
    terms = agreement.credits
    if terms is None or not agreement.objectives:
        return ""
    currency, fee = agreement.currency, words.money(terms.fee_per_period, agreement.currency)
    if terms.per_hour_share:
        begun = 2
        due = credit_due(terms, Decimal(0), currency=currency, beyond=Fraction(90 * 60_000_000))
        said = f"with 90 min beyond the budget the credit is {begun} × {words.percent(terms.per_hour_share)} of {fee}"
        return f"{said} = {words.money(due, currency)}."
    target = agreement.objectives[0].target
    attained = target - (1 - target) / 2
    reached = [tier for tier in terms.tiers if attained < tier.below]
    if not reached:
        attained = min(tier.below for tier in terms.tiers) - (1 - target) / 2
        reached = [tier for tier in terms.tiers if attained < tier.below]
    tier = min(reached, key=lambda one: one.below)
    paid = words.money(credit_due(terms, attained, currency=currency), currency)
    if tier.amount is not None:
        return f"at {words.percent(attained)} the credit is {paid}."
    return f"at {words.percent(attained)} the credit is {words.percent(tier.share_of_fee)} of {fee} = {paid}."
