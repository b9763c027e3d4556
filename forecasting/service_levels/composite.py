"""Composite objectives: the attainment of several services as one promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.history.intervals import micros
from forecasting.service_levels.attainment import (
    Judge,
    WindowSums,
    as_decimal,
    bounds_of,
    judge_stretch,
    satisfies,
    watermarks,
    window_sums,
)
from forecasting.service_levels.events import Events
from forecasting.service_levels.layout import lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.slices import BILLION, Stretch, TimeSlices, stretches
from forecasting.terms.errors import InputError
from forecasting.terms.indicator import CompositeIndicator, QuantileIndicator
from forecasting.terms.service_level import Attainment, AttainmentStatus, BudgetingMethod, Objective, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray

Parts = Mapping[str, tuple[Objective, Events]]


def component_of(composite: Objective, part: Objective) -> Objective:
    """Return a component as the composite judges it: its own indicator, the composite's window, time and method.

    Its events must be counted for it (`events_of(component_of(composite, part), history)`), because another service
    time leaves other slices. A component's own slice target goes before the composite's.

    Raises
    ------
    InputError
        A quantile of slices of another length than the composite's.

    Examples
    --------
    >>> from forecasting.terms.indicator import Component, RatioIndicator
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> shop = Objective(name="shop", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                  target=Decimal("0.99"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> both = replace(shop, name="both", indicator=CompositeIndicator(components=(Component(objective="shop"),)),
    ...                window=CalendarWindow(unit="month", zone="UTC"))
    >>> component_of(both, shop).window.unit
    'month'
    """
    indicator = part.indicator
    if isinstance(indicator, CompositeIndicator):
        raise InputError(
            argument=f"components of objective {composite.name}",
            came=f"{part.name}, which is a composite itself",
            allowed="objectives with an indicator of their own",
            try_instead="name the components of that composite",
        )
    if (
        isinstance(indicator, QuantileIndicator)
        and composite.method is not BudgetingMethod.OCCURRENCES
        and indicator.slice != composite.slice_window
    ):
        raise InputError(
            argument=f"components of objective {composite.name}",
            came=f"{part.name}, a quantile of slices of {indicator.slice}",
            allowed=f"slices of {composite.slice_window}",
            try_instead="the same timeSliceWindow for both",
        )
    return replace(
        part,
        window=composite.window,
        time=composite.time,
        method=composite.method,
        slice_window=composite.slice_window,
        slice_target=part.slice_target if part.slice_target is not None else composite.slice_target,
        no_traffic=composite.no_traffic,
        no_data="unknown" if composite.method is BudgetingMethod.TIMESLICES else composite.no_data,
    )


def composite_attainments(
    objective: Objective,
    components: Parts,
    periods: Sequence[Period],
    *,
    as_of: datetime,
    agreement: str | None = None,
    grace: timedelta = timedelta(0),
    masks: TimeMasks | None = None,
) -> tuple[Attainment, ...]:
    """Return the attainment of a composite for each period (`docs/attainment-rules.md`, 9).

    Of RatioTimeslices and Occurrences `total` is 10⁹ and `good` is floor(10⁹ × A), at least 0; `known_slices` is that
    of the component known least. A component without traffic counts as good, unless none has any.

    Parameters
    ----------
    objective : Objective
        With a `CompositeIndicator`.
    components : mapping of str to (Objective, Events)
        By name of the component; events counted for `component_of(objective, part)`.
    periods : sequence of Period
    as_of, agreement, grace, masks
        As for `attainments`.

    Raises
    ------
    InputError
        A component is missing, or its slices do not fit.
    """
    indicator = objective.indicator
    assert isinstance(indicator, CompositeIndicator)
    shared = masks or TimeMasks()
    parts = []
    for component in indicator.components:
        if component.objective not in components:
            raise InputError(
                argument=f"components of objective {objective.name}",
                came=component.objective,
                allowed=", ".join(sorted(components)) or "objectives with data",
                try_instead="ingest the component's metrics",
            )
        part, events = components[component.objective]
        if events.time is not None and events.time != replace(objective.time, valid_from=None, valid_until=None):
            raise InputError(
                argument=f"events of {part.name} in objective {objective.name}",
                came="events counted in another service time",
                allowed="events counted in the composite's service time",
                try_instead="events_of(component_of(composite, part), history)",
            )
        parts.append((component.objective, component_of(objective, part), events))
    if not periods:
        return ()
    if objective.method is BudgetingMethod.TIMESLICES:
        return _joint_slices(objective, indicator, parts, periods, as_of, agreement, grace, shared)
    weights = [Fraction(c.weight) for c in indicator.components]
    whole = sum(weights, Fraction(0))
    rows = [window_sums(part, events, periods, as_of, shared) for _, part, events in parts]
    return tuple(
        _weighted(
            objective,
            [
                _Share(name=name, part=part, weight=w / whole, sums=row[k])
                for (name, part, _), w, row in zip(parts, weights, rows, strict=True)
            ],
            period,
            as_of,
            agreement,
            grace,
        )
        for k, period in enumerate(periods)
    )


def _joint_slices(
    objective: Objective,
    indicator: CompositeIndicator,
    parts: Sequence[tuple[str, Objective, Events]],
    periods: Sequence[Period],
    as_of: datetime,
    agreement: str | None,
    grace: timedelta,
    masks: TimeMasks,
) -> tuple[Attainment, ...]:
    """Judge slices in which enough components must be good at once."""
    alone = objective.no_traffic == "carry"
    laid = [lay_out(part, events, periods, as_of, masks) for _, part, events in parts]
    cut = [stretches(part, grid, periods, as_of, alone=alone) for (_, part, _), grid in zip(parts, laid, strict=True)]
    marks = [_earliest(m) for m in zip(*(watermarks(grid, periods, as_of) for grid in laid), strict=True)]
    judge = Judge(objective=objective, agreement=agreement, as_of=as_of, grace=grace, unit="slices")
    required = indicator.required if indicator.required is not None else len(parts)
    found: dict[int, Attainment] = {}
    for stretch in zip(*cut, strict=True):
        joint = replace(stretch[0], slices=join_slices(objective, [s.slices for s in stretch], required))
        found.update(judge_stretch(joint, periods, judge, marks))
    worst = [_worst(parts, cut, k) for k in range(len(periods))]
    return tuple(replace(found[k], worst_component=worst[k]) for k in range(len(periods)))


def join_slices(objective: Objective, parts: Sequence[TimeSlices], required: int) -> TimeSlices:
    """Join the time slices of components: good where at least `required` are, unknown where that is left open.

    Parameters
    ----------
    objective : Objective
        The composite: its `no_data` says what an unknown slice counts as.
    parts : sequence of TimeSlices
        Of the components, over the same slices.
    required : int
    """
    first = parts[0]

    def count(flags: Sequence[NDArray[np.bool_]]) -> NDArray[np.int64]:
        return np.asarray(np.sum(flags, axis=0), dtype=np.int64)

    excluded = [p.known & ~p.counted for p in parts]
    good = count([p.holds | e for p, e in zip(parts, excluded, strict=True)])
    open_ = count([p.elapsed & ~p.known for p in parts])
    elapsed = first.elapsed
    known = elapsed & ((good >= required) | (good + open_ < required))
    counted = known & ~np.logical_and.reduce(excluded)
    holds = counted & (good >= required)
    missing = elapsed & ~known
    match objective.no_data:
        case "exclude":
            elapsed = known
        case "good" | "bad":
            holds = holds | (missing & (objective.no_data == "good"))
            counted, known = counted | missing, elapsed
    return replace(
        first,
        elapsed=elapsed,
        known=known,
        counted=counted,
        carried=np.zeros(len(first), dtype=np.bool_),
        excluded=np.logical_and.reduce([p.excluded for p in parts]),
        good=holds.astype(np.int64),
        total=np.ones(len(first), dtype=np.int64),
        holds=holds,
    )


def _worst(
    parts: Sequence[tuple[str, Objective, Events]], cut: Sequence[tuple[Stretch, ...]], number: int
) -> tuple[str, Decimal] | None:
    """Return the component that spent most of its own budget in slices of one window."""
    shares = []
    for (name, part, _), own in zip(parts, cut, strict=True):
        stretch = next(s for s in own if number in s.which)
        at = stretch.which.index(number)
        span = slice(stretch.first[at], stretch.last[at])
        counted = int(stretch.slices.counted[span].sum())
        if counted:
            bad = counted - int(stretch.slices.holds[span].sum())
            shares.append((Fraction(bad, counted) / Fraction(part.error_budget_share), name))
    return _largest(shares)


def _earliest(marks: Sequence[datetime | None]) -> datetime | None:
    """Return the instant up to which every component has data; None where one has none."""
    known = [m for m in marks if m is not None]
    return min(known) if len(known) == len(marks) else None


def _largest(shares: Sequence[tuple[Fraction, str]]) -> tuple[str, Decimal] | None:
    """Return the largest share with its name; of a tie the first."""
    if not shares:
        return None
    share, name = max(shares, key=lambda s: s[0])
    return name, as_decimal(share, 1)


@dataclass(frozen=True, kw_only=True)
class _Share:
    """A component in one window."""

    name: str
    part: Objective
    weight: Fraction
    sums: WindowSums

    @property
    def silent(self) -> bool:
        """Known, and nothing happened."""
        return not self.sums.total and self.sums.known == max(self.sums.known, self.sums.elapsed) > 0

    def bad(self) -> tuple[Fraction, Fraction, Fraction] | None:
        """Return the bad share as known, at the most and at the least; None where nothing is known."""
        bounds = bounds_of(self.part, self.sums)
        if bounds is None:
            return (Fraction(0),) * 3 if self.silent else None
        worst, best, whole = (Fraction(x) for x in bounds)
        return 1 - Fraction(self.sums.good) / self.sums.total, 1 - worst / whole, 1 - best / whole


def _weighted(
    objective: Objective,
    shares: Sequence[_Share],
    period: Period,
    as_of: datetime,
    agreement: str | None,
    grace: timedelta,
) -> Attainment:
    """Weigh the components of one window."""
    spent = objective.method is BudgetingMethod.OCCURRENCES
    budget = Fraction(objective.error_budget_share)
    bad = [s.bad() for s in shares]

    def lost(share: _Share) -> Fraction:
        """Weight of a component's bad share: its part of the whole, or of the budget it spends."""
        return share.weight * (budget / Fraction(share.part.error_budget_share) if spent else 1)

    value = low = high = None
    silent = all(s.silent for s in shares)
    if not silent:
        low, high = (
            1 - sum((lost(s) * (b[k] if b else worst) for s, b in zip(shares, bad, strict=True)), Fraction(0))
            for k, worst in ((1, 1), (2, 0))
        )
        if all(b is not None for b in bad):
            value = 1 - sum((lost(s) * b[0] for s, b in zip(shares, bad, strict=True) if b), Fraction(0))
    sums = [s.sums for s in shares]
    now = as_utc(as_of)
    closed = period.end <= now and all(s.last_planned <= micros(now) for s in sums)
    final = closed and period.end + grace <= now
    totals = [s.total for s in sums]
    least = min(sums, key=lambda s: Fraction(s.known, max(s.elapsed, s.known, 1)))
    return Attainment(
        service=objective.service,
        agreement=agreement,
        objective=objective.name,
        period=period,
        target=objective.target,
        good=0 if value is None else max(0, int(value * BILLION // 1)),
        total=0 if value is None else BILLION,
        known_slices=least.known,
        elapsed_slices=least.elapsed,
        planned_slices=least.planned,
        value=None if value is None else as_decimal(value, 1),
        lower=None if low is None else as_decimal(low, 1),
        upper=None if high is None else as_decimal(high, 1),
        status=_status(objective, least, value, low, high, sum(totals) if spent else min(totals))
        if closed
        else AttainmentStatus.RUNNING,
        as_of=as_of,
        final=final,
        unit="billionths",
        method=objective.method,
        provisional=closed and not final,
        excluded_slices=max(s.excluded for s in sums),
        planned_time=timedelta(microseconds=max(s.planned_time for s in sums)),
        watermark=_earliest([s.watermark for s in sums]),
        worst_component=_largest(
            [
                (b[0] / Fraction(s.part.error_budget_share), s.name)
                for s, b in zip(shares, bad, strict=True)
                if b and s.sums.total
            ]
        ),
    )


def _status(
    objective: Objective,
    least: WindowSums,
    value: Fraction | None,
    low: Fraction | None,
    high: Fraction | None,
    total: int,
) -> AttainmentStatus:
    """Judge a closed window by the component that is known least."""
    covered = Decimal(least.known) >= objective.minimum_coverage * max(least.elapsed, least.known)
    if not least.known:
        return AttainmentStatus.INSUFFICIENT_DATA
    if low is None or high is None:
        return AttainmentStatus.NO_TRAFFIC if covered else AttainmentStatus.INSUFFICIENT_DATA
    if total < objective.minimum_events:
        return AttainmentStatus.INSUFFICIENT_DATA
    if covered and value is not None:
        return AttainmentStatus.MET if satisfies(objective, value, 1) else AttainmentStatus.BREACHED
    if satisfies(objective, low, 1):
        return AttainmentStatus.MET
    return AttainmentStatus.UNDETERMINED if satisfies(objective, high, 1) else AttainmentStatus.BREACHED
