"""Time slices of a window (Timeslices, RatioTimeslices, quantiles): judged one by one, summed over windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.history.calendar import to_local
from forecasting.history.intervals import from_micros, micros
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.events import Events
from forecasting.service_levels.indicators.quantile import quantile_holds
from forecasting.service_levels.layout import Laid, lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.sums import RatioSums, ratio_sums, reaches, running
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.indicator import DeadlineIndicator, QuantileIndicator, TicketIndicator
from forecasting.terms.service_level import BudgetingMethod, Objective, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Flags = NDArray[np.bool_]

BILLION = 10**9


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeSlices:
    """Time slices in order of time; arrays of shape (n,). Windows are stretches of them."""

    starts: Counts
    ends: Counts
    planned: Flags
    elapsed: Flags
    known: Flags
    """Elapsed and known, or counted by a rule (`no_data`)."""
    counted: Flags
    """Known and not excluded."""
    carried: Flags
    """Counted only as the slice before it: not counted where that lies before the window."""
    excluded: Flags
    """In hours and validity, but removed, or something in them was dropped."""
    good: Counts
    """Good of `total` of counted slices, by which they are judged; 0 of 1 elsewhere."""
    total: Counts
    holds: Flags
    """Whether a counted slice is good."""

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Windows laid on one run of time slices: first and last slice (exclusive) of each."""

    slices: TimeSlices
    which: tuple[int, ...]
    """Numbers of the periods."""
    first: tuple[int, ...]
    last: tuple[int, ...]


def slice_length(objective: Objective) -> timedelta:
    """Return the length of a time slice.

    Raises
    ------
    InputError
        The objective has none, or its indicator is judged by the day.
    """
    indicator = objective.indicator
    if isinstance(indicator, DeadlineIndicator | TicketIndicator):
        raise InputError(
            argument=f"budgetingMethod of objective {objective.name}",
            came=objective.method.value,
            allowed="Occurrences, because days and tickets are counted",
            try_instead="budgetingMethod: Occurrences",
        )
    if isinstance(indicator, QuantileIndicator):
        return indicator.slice
    if objective.slice_window is None:
        raise InputError(
            argument=f"timeSliceWindow of objective {objective.name}",
            came="nothing",
            allowed=f"a length, because the method is {objective.method.value}",
            try_instead="timeSliceWindow: 5m",
        )
    return objective.slice_window


def stretches(
    objective: Objective, laid: Laid, periods: Sequence[Period], as_of: datetime, *, alone: bool = False
) -> tuple[Stretch, ...]:
    """Cut windows into time slices and judge them; windows whose slices coincide share them.

    Parameters
    ----------
    objective : Objective
    laid : Laid
    periods : sequence of Period
    as_of : datetime
    alone : bool
        Whether every window gets slices of its own.
    """
    length = slice_length(objective) // timedelta(microseconds=1)
    if laid.step_us is not None and length % laid.step_us:
        raise _no_fit(objective, laid, length)
    begin = [micros(p.start) for p in periods]
    count = [max(0, (micros(p.end) - a) // length) for p, a in zip(periods, begin, strict=True)]
    groups: dict[tuple[int, int], list[int]] = {}
    for k, a in enumerate(begin):
        groups.setdefault((a % length, k if alone else 0), []).append(k)
    found = []
    for members in groups.values():
        starts, first = _runs(members, begin, count, length)
        slices = judge_slices(objective, laid, starts, starts + length, as_of)
        found.append(
            Stretch(
                slices=slices,
                which=tuple(members),
                first=tuple(first),
                last=tuple(f + count[k] for f, k in zip(first, members, strict=True)),
            )
        )
    return tuple(found)


def _runs(members: Sequence[int], begin: Sequence[int], count: Sequence[int], length: int) -> tuple[Counts, list[int]]:
    """Return the starts of all slices of windows of one phase, each once, and where each window begins in them."""
    order = sorted(members, key=lambda k: begin[k])
    runs: list[list[int]] = []  # first instant, last instant
    for k in order:
        end = begin[k] + count[k] * length
        if runs and begin[k] <= runs[-1][1]:
            runs[-1][1] = max(runs[-1][1], end)
        else:
            runs.append([begin[k], end])
    starts = (
        np.concatenate([np.arange(a, b, length, dtype=np.int64) for a, b in runs]) if runs else np.zeros(0, np.int64)
    )
    at = np.searchsorted(starts, [begin[k] for k in members])
    return starts, [int(k) for k in at]


def judge_slices(objective: Objective, laid: Laid, starts: Counts, ends: Counts, as_of: datetime) -> TimeSlices:
    """Judge time slices by the data slices in them.

    Raises
    ------
    InputError
        Where a data slice lies in two of them.
    """
    low, high = np.searchsorted(laid.starts, starts), np.searchsorted(laid.starts, ends)
    _check_fit(objective, laid, starts, ends, low, high)

    def inside(values: NDArray[Any]) -> NDArray[Any]:
        sums = running(values)
        return np.asarray(sums[high] - sums[low])

    n = high - low
    removed, dropped = inside(laid.removed) > 0, inside(laid.dropped) > 0
    ours = (inside(laid.inside) == n) & (n > 0) & (starts >= laid.valid_from) & (ends <= laid.valid_until)
    planned = ours & ~removed
    elapsed = planned & (ends <= micros(as_of))
    known = elapsed & (inside(laid.known) == n)
    missing = elapsed & ~known
    good, total = inside(laid.good), inside(laid.total)
    counted, carried = known & (total > 0), np.zeros(len(starts), dtype=np.bool_)
    one = np.ones(len(starts), dtype=good.dtype)
    good, total = np.where(counted, good, 0 * one), np.where(counted, total, one)
    silent = known & ~counted & ~dropped
    match objective.no_data:
        case "exclude":
            elapsed = known
        case "good" | "bad":
            good = np.where(missing, one if objective.no_data == "good" else 0 * one, good)
            counted, known = counted | missing, elapsed
    forced = missing if objective.no_data in ("good", "bad") else np.zeros(len(starts), dtype=np.bool_)
    match objective.no_traffic:
        case "good" | "bad":
            good = np.where(silent, one if objective.no_traffic == "good" else 0 * one, good)
            counted, forced = counted | silent, forced | silent
        case "carry":
            source = np.maximum.accumulate(np.where(counted, np.arange(len(starts)), -1))
            carried = silent & (source >= 0)
            good = np.where(carried, good[source], good)
            total = np.where(carried, total[source], total)
            forced = np.where(carried, forced[source], forced)
            counted = counted | carried
    return TimeSlices(
        starts=starts,
        ends=ends,
        planned=planned,
        elapsed=elapsed,
        known=known,
        counted=counted,
        carried=carried,
        excluded=ours & (removed | dropped),
        good=good,
        total=total,
        holds=counted & np.where(forced, good == total, _holds(objective, good, total)),
    )


def _holds(objective: Objective, good: Counts, total: Counts) -> Flags:
    """Say of each slice whether it is good."""
    if isinstance(objective.indicator, QuantileIndicator):
        return quantile_holds(objective.indicator, good, total)
    if objective.method is BudgetingMethod.RATIO_TIMESLICES:
        return np.zeros(len(good), dtype=np.bool_)
    if objective.slice_target is None:
        raise InputError(
            argument=f"timeSliceTarget of objective {objective.name}",
            came="nothing",
            allowed="a share above 0 and at most 1, because the method is Timeslices",
            try_instead="timeSliceTarget: 0.99",
        )
    return reaches(good, total, Fraction(objective.slice_target))


def _check_fit(objective: Objective, laid: Laid, starts: Counts, ends: Counts, low: Counts, high: Counts) -> None:
    """Refuse data slices that lie across the bounds of time slices."""
    if not len(starts) or not len(laid.starts):
        return
    last = len(laid.starts) - 1
    apart = laid.starts[np.minimum(low, last)] != starts
    across = laid.ends[np.maximum(high - 1, 0)] != ends
    if apart.any() or across.any():
        raise _no_fit(objective, laid, int(ends[0] - starts[0]))


def _no_fit(objective: Objective, laid: Laid, length: int) -> InputError:
    step = "local days" if laid.step_us is None else f"slices of {timedelta(microseconds=laid.step_us)}"
    return InputError(
        argument=f"timeSliceWindow of objective {objective.name}",
        came=f"{timedelta(microseconds=length)}, with data in {step} from {from_micros(int(laid.starts[0]))}",
        allowed="time slices, counted from the start of each window, that hold whole slices of the data",
        try_instead="a multiple of the data's step, or finer data",
    )


def ratios_of(slices: TimeSlices) -> RatioSums:
    """Return the sums of the ratios of counted slices."""
    return ratio_sums(np.asarray(slices.good), np.asarray(slices.total))


def first_counted(slices: TimeSlices) -> Counts:
    """Return for each slice the next one that is counted by itself (n without any): carries before it do not count."""
    n = len(slices)
    own = np.where(slices.counted & ~slices.carried, np.arange(n), n)
    after = np.minimum.accumulate(own[::-1])[::-1] if n else own
    return np.append(after, n)


def judged_slices(objective: Objective, events: Events, *, masks: TimeMasks | None = None) -> Events | Excuse:
    """Return time slices as events, for the simulation of days: 0 or 1 of 1, or billionths of 10⁹.

    Slices are counted from local midnights, so that windows of whole days are made of the same ones.

    Returns
    -------
    Events or Excuse
        `events` itself where the method counts what is in slices.
    """
    from forecasting.service_levels.events import counts_slices

    if not counts_slices(objective):
        return events
    length = slice_length(objective)
    zone, step = objective.window.zone, length // timedelta(microseconds=1)
    anchor = getattr(objective.window, "anchor", None)
    whole = getattr(objective.window, "length", timedelta(0)) % length == timedelta(0)
    days = to_local(np.array([events.starts[0], events.ends[-1]]), zone).astype("datetime64[D]")
    count = int((days[1] - days[0]).astype(np.int64)) + 2
    night = midnights(days[0].item(), count, zone)
    if length >= timedelta(days=1) or (anchor is not None and anchor.time() != datetime.min.time()) or not whole:
        phases = 2
    else:
        phases = len(np.unique(night % step))
    if phases > 1:
        return Excuse(
            reason=f"the slices of {objective.name} ({length}) do not begin at every local midnight",
            what_would_help="a timeSliceWindow that divides every local day",
        )
    first = int(night[0] + -((night[0] - events.starts_us[0]) // step) * step)
    end = int(first + (events.ends_us[-1] - first) // step * step)
    lasting = replace(objective, time=replace(objective.time, valid_from=None, valid_until=None))
    period = Period(start=from_micros(first), end=from_micros(end), label="")
    as_of = from_micros(end)
    laid = lay_out(lasting, events, (period,), as_of, masks or TimeMasks())
    slices = stretches(lasting, laid, (period,), as_of)[0].slices
    ratio = objective.method is BudgetingMethod.RATIO_TIMESLICES and not isinstance(
        objective.indicator, QuantileIndicator
    )
    whole_of = BILLION if ratio else 1
    good = (
        np.array([g * BILLION // t for g, t in zip(slices.good.tolist(), slices.total.tolist(), strict=True)], np.int64)
        if ratio
        else slices.holds.astype(np.int64)
    )
    return Events(
        series=replace(
            events.series, start=from_micros(first).astimezone(UTC), step=length, values=np.full(len(slices), np.nan)
        ),
        starts=slices.starts.astype("datetime64[us]"),
        ends=slices.ends.astype("datetime64[us]"),
        good=np.where(slices.counted, good, 0),
        total=np.where(slices.counted, whole_of, 0),
        known=slices.known | ~slices.planned,
        eligible=slices.planned,
        unit="billionths" if ratio else "slices",
        calendars=events.calendars,
    )
