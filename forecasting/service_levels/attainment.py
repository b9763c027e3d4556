"""Attainment: what was delivered in a window, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Literal

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.history.intervals import from_micros, micros
from forecasting.service_levels.events import WHOLE, Events, counts_slices
from forecasting.service_levels.layout import Laid, lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.rounding import rounded_share
from forecasting.service_levels.slices import BILLION, Stretch, first_counted, ratios_of, stretches
from forecasting.service_levels.sums import RatioSums, running
from forecasting.terms.indicator import QuantileIndicator
from forecasting.terms.service_level import Attainment, AttainmentStatus, BudgetingMethod, Objective, Period, Unit

Decided = Literal["open", "breach_certain", "met_certain"]


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


def satisfies(objective: Objective, good: Fraction | int, total: Fraction | int) -> bool:
    """Say whether good ÷ total satisfies the objective: its rounding rule first, a tie unless it is strict.

    Examples
    --------
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator, Rounding
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.999"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> satisfies(slo, 99_895, 100_000)
    False
    >>> satisfies(replace(slo, rounding=Rounding(decimals=2)), 99_895, 100_000)  # 99.895 % becomes 99.90 %
    True
    """
    if objective.rounding is None:
        numerator, denominator = objective.target.as_integer_ratio()
        ahead = good * denominator - numerator * total
    else:
        ahead = rounded_share(Fraction(good) / Fraction(total), objective.rounding) - Fraction(objective.target)
    return bool(ahead > 0 if objective.strict else ahead >= 0)


@dataclass(frozen=True, kw_only=True)
class WindowSums:
    """What is counted in one window; of ratios of slices `good` and `total` are in slices, not billionths."""

    period: Period
    good: Fraction | int
    total: int
    known: int
    elapsed: int
    planned: int
    excluded: int
    planned_time: int
    """Microseconds."""
    last_planned: int
    """End of the last planned slice, microseconds."""
    watermark: datetime | None
    """End of the last planned slice with data."""
    open: int | None
    """What the slices still open could add at most; None where that has no bound."""


def attainments(
    objective: Objective,
    events: Events,
    periods: Sequence[Period],
    *,
    as_of: datetime,
    agreement: str | None = None,
    grace: timedelta = timedelta(0),
    masks: TimeMasks | None = None,
) -> tuple[Attainment, ...]:
    """Return the attainment of each period with what was known at `as_of`.

    The rules are those of `docs/attainment-rules.md`. A slice belongs to the period in which it begins, so that the
    parts of a partition add up to the whole. Slices that end after `as_of` are not looked at. A window is judged once
    its last slice has ended, and final when the grace for late data is over too.

    Parameters
    ----------
    objective : Objective
        Not a composite (see `composite_attainments`).
    events : Events
        From `events_of`.
    periods : sequence of Period
    as_of : datetime
        UTC instant.
    agreement : str or None
        Id of the agreement the objective belongs to.
    grace : timedelta
        Time after a window's end in which late data are awaited.
    masks : TimeMasks, optional
        Shared by the objectives of a run.

    Raises
    ------
    InputError
        The method's time slices do not fit the data slices, or `no_data` cannot be followed.

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
    if not periods:
        return ()
    laid = lay_out(objective, events, periods, as_of, masks or TimeMasks())
    marks = watermarks(laid, periods, as_of)
    judge = Judge(objective=objective, agreement=agreement, as_of=as_of, grace=grace, unit=unit_of(objective, events))
    if not counts_slices(objective):
        return tuple(judge.attainment(sums) for sums in _occurrences(objective, laid, periods, as_of, marks))
    found: dict[int, Attainment] = {}
    for stretch in stretches(objective, laid, periods, as_of):
        found.update(judge_stretch(stretch, periods, judge, marks))
    return tuple(found[k] for k in range(len(periods)))


def unit_of(objective: Objective, events: Events) -> Unit:
    """Return what the attainment of an objective counts."""
    if isinstance(objective.indicator, QuantileIndicator):
        return "slices"
    match objective.method:
        case BudgetingMethod.OCCURRENCES:
            return events.unit
        case BudgetingMethod.TIMESLICES:
            return "slices"
        case BudgetingMethod.RATIO_TIMESLICES:
            return "billionths"


def watermarks(laid: Laid, periods: Sequence[Period], as_of: datetime) -> list[datetime | None]:
    """Return the end of the last planned slice with data of each period, up to `as_of`; None without any."""
    seen = laid.eligible & laid.valid & laid.observed & (laid.ends <= micros(as_of))
    last = np.append(np.maximum.accumulate(np.where(seen, np.arange(len(seen)), -1)), -1)
    edges = np.array([(micros(p.start), micros(p.end)) for p in periods], dtype=np.int64)
    low, high = np.searchsorted(laid.starts, edges[:, 0]), np.searchsorted(laid.starts, edges[:, 1])
    at = last[high - 1]
    return [
        from_micros(int(laid.ends[k])) if high_ > 0 and k >= low_ else None
        for k, low_, high_ in zip(at.tolist(), low.tolist(), high.tolist(), strict=True)
    ]


def _occurrences(
    objective: Objective,
    laid: Laid,
    periods: Sequence[Period],
    as_of: datetime,
    marks: Sequence[datetime | None],
) -> list[WindowSums]:
    """Sum good and total over the eligible known slices of every window."""
    planned = laid.eligible & laid.valid
    ended = planned & (laid.ends <= micros(as_of))
    known = ended & laid.known
    elapsed = known if objective.no_data == "exclude" else ended
    columns = [
        running(np.where(known, laid.good, 0)),
        running(np.where(known, laid.total, 0)),
        running(known),
        running(elapsed),
        running(planned),
        running(laid.inside & laid.valid & (laid.removed | laid.dropped)),
        running(np.where(planned, laid.time, 0)),
    ]
    if laid.worth is not None:
        columns.append(running(np.where(planned & ~known, laid.worth, 0)))
    edges = np.array([(micros(p.start), micros(p.end)) for p in periods], dtype=np.int64)
    low, high = np.searchsorted(laid.starts, edges[:, 0]), np.searchsorted(laid.starts, edges[:, 1])
    high = np.maximum(low, high)
    rows = zip(*((c[high] - c[low]).tolist() for c in columns), strict=True)
    ends = np.append(np.maximum.accumulate(np.where(planned, laid.ends, 0)), 0)[np.maximum(high, 1) - 1].tolist()
    return [
        WindowSums(
            period=period,
            good=row[0],
            total=row[1],
            known=row[2],
            elapsed=row[3],
            planned=row[4],
            excluded=row[5],
            planned_time=row[6],
            last_planned=end if row[4] else 0,
            watermark=mark,
            open=row[7] if laid.worth is not None else None,
        )
        for period, row, end, mark in zip(periods, rows, ends, marks, strict=True)
    ]


def stretch_sums(
    stretch: Stretch, periods: Sequence[Period], ratio: bool, marks: Sequence[datetime | None]
) -> Iterator[tuple[int, WindowSums, RatioSums | None, tuple[int, int]]]:
    """Yield (number of the window, sums, sums of ratios, first and last counted slice) of a stretch.

    Of ratios `good` of the sums is 0: their sum is taken from the ratios, as exactly as it is needed.
    """
    slices = stretch.slices
    columns = [
        running(x)
        for x in (slices.known, slices.elapsed, slices.planned, slices.excluded, slices.counted, slices.holds)
    ]
    time = running(np.where(slices.planned, slices.ends - slices.starts, 0))
    own = first_counted(slices)
    ratios = ratios_of(slices) if ratio else None
    for number, k, j in zip(stretch.which, stretch.first, stretch.last, strict=True):
        f = min(int(own[k]), j)
        known, elapsed, planned, excluded = (int(c[j] - c[k]) for c in columns[:4])
        counted, holds = (int(c[j] - c[f]) for c in columns[4:])
        sums = WindowSums(
            period=periods[number],
            good=0 if ratio else holds,
            total=counted,
            known=known,
            elapsed=elapsed,
            planned=planned,
            excluded=excluded,
            planned_time=int(time[j] - time[k]),
            last_planned=0,
            watermark=marks[number],
            open=planned - known,
        )
        yield number, sums, ratios, (f, j)


def judge_stretch(
    stretch: Stretch, periods: Sequence[Period], judge: Judge, marks: Sequence[datetime | None]
) -> dict[int, Attainment]:
    """Return the attainments of the windows of a stretch by their number."""
    found = {}
    for number, sums, ratios, (f, j) in stretch_sums(stretch, periods, judge.unit == "billionths", marks):
        if ratios is None:
            found[number] = judge.attainment(sums)
            continue
        # Bounds of the sum of ratios say all that is asked for, but where the target or a last digit lies in between.
        low, high = (judge.attainment(replace(sums, good=bound)) for bound in ratios.bounds(f, j))
        found[number] = low if low == high else judge.attainment(replace(sums, good=ratios.exact(f, j)))
    return found


def window_sums(
    objective: Objective, events: Events, periods: Sequence[Period], as_of: datetime, masks: TimeMasks
) -> list[WindowSums]:
    """Return the exact sums of every window."""
    laid = lay_out(objective, events, periods, as_of, masks)
    marks = watermarks(laid, periods, as_of)
    if not counts_slices(objective):
        return _occurrences(objective, laid, periods, as_of, marks)
    found: dict[int, WindowSums] = {}
    ratio = unit_of(objective, events) == "billionths"
    for stretch in stretches(objective, laid, periods, as_of):
        for number, sums, ratios, (f, j) in stretch_sums(stretch, periods, ratio, marks):
            found[number] = sums if ratios is None else replace(sums, good=ratios.exact(f, j))
    return [found[k] for k in range(len(periods))]


def bounds_of(objective: Objective, sums: WindowSums) -> tuple[Fraction | int, Fraction | int, Fraction | int] | None:
    """Return good at the least, good at the most and their common total; None without a total."""
    if not sums.total:
        return None
    unknown = max(0, sums.elapsed - sums.known)
    if not unknown:
        return sums.good, sums.good, sums.total
    if counts_slices(objective):
        return sums.good, sums.good + unknown, sums.total + unknown
    # Unknown slices carry the mean traffic of the known ones, all bad or all good (both sides times known).
    worst = sums.good * sums.known
    return worst, worst + sums.total * unknown, sums.total * (sums.known + unknown)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Turns the sums of a window into its attainment and verdict."""

    objective: Objective
    agreement: str | None
    as_of: datetime
    grace: timedelta
    unit: Unit

    def attainment(self, sums: WindowSums) -> Attainment:
        """Return the attainment of one window."""
        objective, period = self.objective, sums.period
        now = as_utc(self.as_of)
        closed = period.end <= now and sums.last_planned <= micros(now)
        final = closed and period.end + self.grace <= now
        value = lower = upper = None
        bounds = bounds_of(objective, sums)
        if bounds is not None:
            worst, best, whole = bounds
            value = lower = upper = as_decimal(sums.good, sums.total)
            if sums.elapsed > sums.known:
                lower, upper = as_decimal(worst, whole), as_decimal(best, whole)
        scaled = self.unit == "billionths" and counts_slices(objective)
        return Attainment(
            service=objective.service,
            agreement=self.agreement,
            objective=objective.name,
            period=period,
            target=objective.target,
            good=int(sums.good * BILLION // 1) if scaled else int(sums.good),
            total=sums.total * BILLION if scaled else sums.total,
            known_slices=sums.known,
            elapsed_slices=sums.elapsed,
            planned_slices=sums.planned,
            value=value,
            lower=lower,
            upper=upper,
            status=self._status(sums, bounds) if closed else AttainmentStatus.RUNNING,
            as_of=self.as_of,
            final=final,
            unit=self.unit,
            method=objective.method,
            provisional=closed and not final,
            excluded_slices=sums.excluded,
            planned_time=timedelta(microseconds=sums.planned_time),
            watermark=sums.watermark,
            decided="open" if closed else self._decided(sums),
        )

    def _enough(self, total: int) -> bool:
        """Say whether a total reaches the minimum sample (of billionths: in samples or slices)."""
        whole = WHOLE.get(self.unit, 1) if not counts_slices(self.objective) else 1
        return total >= self.objective.minimum_events * whole

    def _status(
        self, sums: WindowSums, bounds: tuple[Fraction | int, Fraction | int, Fraction | int] | None
    ) -> AttainmentStatus:
        objective = self.objective
        if not sums.known:
            return AttainmentStatus.INSUFFICIENT_DATA
        covered = Decimal(sums.known) >= objective.minimum_coverage * max(sums.elapsed, sums.known)
        if bounds is None:
            # Missing data is not zero traffic: too many unknown slices leave open whether there was any.
            return AttainmentStatus.NO_TRAFFIC if covered else AttainmentStatus.INSUFFICIENT_DATA
        if not self._enough(sums.total):
            return AttainmentStatus.INSUFFICIENT_DATA
        worst, best, whole = bounds
        if covered:
            met = satisfies(objective, sums.good, sums.total)
            return AttainmentStatus.MET if met else AttainmentStatus.BREACHED
        if satisfies(objective, worst, whole):
            return AttainmentStatus.MET
        return AttainmentStatus.UNDETERMINED if satisfies(objective, best, whole) else AttainmentStatus.BREACHED

    def _decided(self, sums: WindowSums) -> Decided:
        """Say whether what is still open can change the verdict of a running window."""
        if sums.open is None or not sums.total or not self._enough(sums.total):
            return "open"
        whole = sums.total + sums.open
        if not satisfies(self.objective, sums.good + sums.open, whole):
            return "breach_certain"
        return "met_certain" if satisfies(self.objective, sums.good, whole) else "open"


def as_decimal(good: Fraction | int, total: Fraction | int) -> Decimal:
    """Return good ÷ total to 28 significant digits, whatever the caller's decimal context.

    Examples
    --------
    >>> as_decimal(2, 3)
    Decimal('0.6666666666666666666666666667')
    """
    if type(good) is not int or type(total) is not int:
        share = Fraction(good) / Fraction(total)
        good, total = share.numerator, share.denominator
    return Context(prec=28).divide(Decimal(good), Decimal(total))
