"""Attainment: what was delivered in a window, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

from forecasting.history.calendar import as_utc, is_local_days, zone_of
from forecasting.service_levels.events import Events
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective, Period


def meets(good: int, total: int, target: Decimal) -> bool:
    """Say whether good ÷ total reaches the target; a tie is met.

    Integers only: 9,995 good of 10,000 meets 99.95 %, which binary floating point denies.

    Examples
    --------
    >>> meets(9995, 10000, Decimal("0.9995")), meets(9994, 10000, Decimal("0.9995"))
    (True, False)
    """
    numerator, denominator = target.as_integer_ratio()
    return good * denominator >= numerator * total


def attainments(
    objective: Objective,
    events: Events,
    periods: Sequence[Period],
    *,
    as_of: datetime,
    agreement: str | None = None,
) -> tuple[Attainment, ...]:
    """Return the attainment of each period with what was known at `as_of`.

    A slice belongs to the period in which it begins, so that the parts of a partition add up to the whole. Slices
    that end after `as_of` are not looked at. A window is final once its last slice has ended.

    Parameters
    ----------
    objective : Objective
    events : Events
        From `events_of`.
    periods : sequence of Period
    as_of : datetime
        UTC instant.
    agreement : str or None
        Id of the agreement the objective belongs to.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.terms.history import Metric, MetricKind, Series
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> at = datetime(2027, 3, 1, tzinfo=UTC)
    >>> calls = Metric(name="calls", kind=MetricKind.COUNT, step=timedelta(hours=12))
    >>> grid = Series(service="a", metric=calls, start=at, step=calls.step, values=np.array([100.0, 100.0]))
    >>> starts = np.array(["2027-03-01T00", "2027-03-01T12"], "datetime64[us]")
    >>> events = Events(series=grid, starts=starts, ends=starts + np.timedelta64(12, "h"), good=np.array([100, 98]),
    ...                 total=np.array([100, 100]), known=np.array([True, True]))
    >>> slo = Objective(name="answered", service="a", indicator=RatioIndicator(total="calls", good="good"),
    ...                 target=Decimal("0.99"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> day = Period(start=at, end=at + timedelta(days=1), label="2027-03-01")
    >>> [(str(a.value), a.status.value) for a in attainments(slo, events, [day], as_of=day.end)]  # a tie is met
    [('0.99', 'met')]
    """
    closed = events.ends <= _instant(as_of)
    known = events.known & closed
    sums = [
        np.concatenate(([0], np.cumsum(np.where(known, x, 0), dtype=np.int64)))
        for x in (events.good, events.total, np.ones_like(events.good))
    ]
    results = []
    for period in periods:
        low, high = np.searchsorted(events.starts, [_instant(period.start), _instant(period.end)])
        good, total, known_slices = (int(s[high] - s[low]) for s in sums)
        first, last = (_slices_before(events, at) for at in (period.start, period.end))
        planned = max(0, last - first)
        elapsed = min(planned, max(0, _slices_ended(events, as_of) - first))
        results.append(_attainment(objective, agreement, period, as_of, good, total, known_slices, elapsed, planned))
    return tuple(results)


def _attainment(
    objective: Objective,
    agreement: str | None,
    period: Period,
    as_of: datetime,
    good: int,
    total: int,
    known: int,
    elapsed: int,
    planned: int,
) -> Attainment:
    final = period.end <= as_of and elapsed == planned
    unknown = max(0, elapsed - known)
    value = lower = upper = None
    if total:
        value = _decimal(Fraction(good, total))
        # Unknown slices carry the mean traffic of the known ones, all bad or all good.
        whole = Fraction(total * (known + unknown), known)
        lower = _decimal(Fraction(good) / whole)
        upper = _decimal((good + whole - total) / whole)
    return Attainment(
        service=objective.service,
        agreement=agreement,
        objective=objective.name,
        period=period,
        target=objective.target,
        good=good,
        total=total,
        known_slices=known,
        elapsed_slices=elapsed,
        planned_slices=planned,
        value=value,
        lower=lower,
        upper=upper,
        status=_status(objective, good, total, known, unknown, final),
        as_of=as_of,
        final=final,
    )


def _status(objective: Objective, good: int, total: int, known: int, unknown: int, final: bool) -> AttainmentStatus:
    if not final:
        return AttainmentStatus.RUNNING
    covered = Decimal(known) >= objective.minimum_coverage * (known + unknown)
    if known == 0:
        return AttainmentStatus.INSUFFICIENT_DATA
    if total == 0:
        # Missing data is not zero traffic: too many unknown slices leave open whether there was any.
        return AttainmentStatus.NO_TRAFFIC if covered else AttainmentStatus.INSUFFICIENT_DATA
    if total < objective.minimum_events:
        return AttainmentStatus.INSUFFICIENT_DATA
    met = meets(good, total, objective.target)
    if covered:
        return AttainmentStatus.MET if met else AttainmentStatus.BREACHED
    whole = total * (known + unknown)
    worst = meets(good * known, whole, objective.target)
    best = meets(good * known + total * unknown, whole, objective.target)
    if worst:
        return AttainmentStatus.MET
    return AttainmentStatus.UNDETERMINED if best else AttainmentStatus.BREACHED


def _slices_before(events: Events, at: datetime) -> int:
    """Return how many slices of the grid begin before `at`, data or not; negative before the first slice."""
    series = events.series
    if is_local_days(series.step):
        zone = zone_of(series.zone)
        # The day that begins at or after `at`, counted from the day of the first slice.
        day = (as_utc(at) - timedelta(microseconds=1)).astimezone(zone).date() + timedelta(days=1)
        return -((series.start.astimezone(zone).date() - day) // series.step)
    return -((series.start - at) // series.step)  # ceil of (at - series.start) / step


def _slices_ended(events: Events, at: datetime) -> int:
    """Return how many slices of the grid have ended by `at`, data or not; negative before the first slice."""
    series = events.series
    if is_local_days(series.step):
        zone = zone_of(series.zone)
        return (as_utc(at).astimezone(zone).date() - series.start.astimezone(zone).date()) // series.step
    return (at - series.start) // series.step


def _instant(at: datetime) -> np.datetime64:
    """Return a UTC datetime as numpy's datetime64[us]."""
    return np.datetime64(as_utc(at).replace(tzinfo=None), "us")


def _decimal(share: Fraction) -> Decimal:
    """Return a fraction to 28 significant digits, whatever the caller's decimal context."""
    return Context(prec=28).divide(Decimal(share.numerator), Decimal(share.denominator))
