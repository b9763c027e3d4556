"""Time slices as events, where they do not begin at every local midnight, and joined ones of composites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.history.calendar import to_local
from forecasting.history.intervals import from_micros, micros
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.composite import Parts, component_of, join_slices
from forecasting.service_levels.events import Events, counts_slices
from forecasting.service_levels.layout import lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.slices import BILLION, TimeSlices, judged_slices, slice_length, stretches
from forecasting.service_levels.windows import closed_periods, coming_periods
from forecasting.terms.errors import Excuse
from forecasting.terms.indicator import CompositeIndicator, QuantileIndicator
from forecasting.terms.service_level import BudgetingMethod, Objective, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray


def simulated_slices(objective: Objective, events: Events, *, as_of: datetime, masks: TimeMasks) -> Events:
    """Return what an objective's attainment counts, slice by slice: the events, or its time slices up to `as_of`.

    Time slices are counted from local midnights where they begin at every one of them (`judged_slices`), else as the
    objective's own windows cut them.

    Parameters
    ----------
    objective : Objective
        Not a composite.
    events : Events
    as_of : datetime
    masks : TimeMasks
    """
    if not counts_slices(objective):
        return events
    judged = judged_slices(objective, events, masks=masks)
    if not isinstance(judged, Excuse):
        return judged
    lasting = _lasting(objective)
    periods = _windows(lasting, from_micros(int(events.starts_us[0])), as_of)
    laid = lay_out(lasting, events, periods, as_of, masks)
    made = [s.slices for s in stretches(lasting, laid, periods, as_of)]
    columns = {name: np.concatenate([getattr(s, name) for s in made]) for name in _COLUMNS}
    order = np.argsort(columns["starts"], kind="stable")
    elapsed = order[columns["ends"][order] <= min(int(events.ends_us[-1]), micros(as_of))]
    kept = TimeSlices(**{name: values[elapsed] for name, values in columns.items()})
    return _as_events(kept, events, slice_length(objective), ratio=_counts_ratios(objective))


@dataclass(frozen=True, kw_only=True, eq=False)
class JointSlices:
    """Slices of a composite in which enough components must be good at once."""

    events: Events
    """0 or 1 of 1."""
    bad: Mapping[str, NDArray[np.bool_]]
    """By component: in which of the slices it was bad."""


def joint_slices(objective: Objective, components: Parts, *, as_of: datetime, masks: TimeMasks) -> JointSlices:
    """Judge the slices of a composite of method Timeslices over all of its history.

    What is simulated of it is this joint series, so that its components fail together as often as they did.

    Parameters
    ----------
    objective : Objective
        With a `CompositeIndicator` and method Timeslices.
    components : mapping of str to (Objective, Events)
        As for `composite_attainments`.
    as_of : datetime
    masks : TimeMasks
    """
    indicator = objective.indicator
    assert isinstance(indicator, CompositeIndicator)
    lasting = _lasting(objective)
    names = [c.objective for c in indicator.components]
    parts = [(component_of(lasting, components[name][0]), components[name][1]) for name in names]
    first = min(int(events.starts_us[0]) for _, events in parts)
    last = max(int(events.ends_us[-1]) for _, events in parts)
    periods = _whole(lasting, first, last) or _windows(lasting, from_micros(first), as_of)
    cut = [stretches(part, lay_out(part, e, periods, as_of, masks), periods, as_of) for part, e in parts]
    required = indicator.required if indicator.required is not None else len(parts)
    joined, bad = [], []
    for stretch in zip(*cut, strict=True):
        own = [s.slices for s in stretch]
        joined.append(join_slices(lasting, own, required))
        bad.append([s.counted & ~s.holds for s in own])
    columns = {name: np.concatenate([getattr(s, name) for s in joined]) for name in _COLUMNS}
    order = np.argsort(columns["starts"], kind="stable")
    order = order[columns["ends"][order] <= min(last, micros(as_of))]
    kept = TimeSlices(**{name: values[order] for name, values in columns.items()})
    return JointSlices(
        events=_as_events(kept, parts[0][1], slice_length(objective), ratio=False),
        bad={name: np.concatenate([b[k] for b in bad])[order] for k, name in enumerate(names)},
    )


_COLUMNS = ("starts", "ends", "planned", "elapsed", "known", "counted", "carried", "excluded", "good", "total", "holds")


def _whole(objective: Objective, first: int, last: int) -> tuple[Period, ...]:
    """Return one stretch over all data, from a local midnight on; empty where slices do not begin at every one."""
    step, zone = slice_length(objective) // timedelta(microseconds=1), objective.window.zone
    anchor = getattr(objective.window, "anchor", None)
    odd = getattr(objective.window, "length", timedelta(0)) % slice_length(objective) != timedelta(0)
    days = to_local(np.array([first, last], dtype="datetime64[us]"), zone).astype("datetime64[D]")
    night = midnights(days[0].item(), int((days[1] - days[0]).astype(np.int64)) + 2, zone)
    apart = len(np.unique(night % step)) > 1
    if odd or apart or step >= 86_400_000_000 or (anchor is not None and anchor.time() != datetime.min.time()):
        return ()
    begin = int(night[0] + -((night[0] - first) // step) * step)
    return (Period(start=from_micros(begin), end=from_micros(begin + (last - begin) // step * step), label=""),)


def _windows(objective: Objective, first: datetime, as_of: datetime) -> tuple[Period, ...]:
    """Return the windows of an objective from that of its first datum to the running one, none twice."""
    window = objective.window
    running = coming_periods(window, as_of=as_of, ahead=0)[0]
    closed = closed_periods(window, since=first, as_of=as_of)
    before = coming_periods(window, as_of=first, ahead=0)[0]
    found = {p.start: p for p in (before, *closed, running) if p.start <= as_of}
    kept: list[Period] = []
    for period in sorted(found.values()):
        if not kept or period.start >= kept[-1].end:
            kept.append(period)
    return tuple(kept)


def _as_events(slices: TimeSlices, source: Events, length: timedelta, *, ratio: bool) -> Events:
    """Return time slices as events, as `judged_slices` does."""
    if ratio:
        pairs = zip(slices.good.tolist(), slices.total.tolist(), strict=True)
        good: NDArray[Any] = np.array([g * BILLION // t for g, t in pairs], dtype=np.int64)
    else:
        good = slices.holds.astype(np.int64)
    start = from_micros(int(slices.starts[0])) if len(slices) else source.series.start
    return Events(
        series=replace(source.series, start=start.astimezone(UTC), step=length, values=np.full(len(slices), np.nan)),
        starts=slices.starts.astype("datetime64[us]"),
        ends=slices.ends.astype("datetime64[us]"),
        good=np.where(slices.counted, good, 0),
        total=np.where(slices.counted, BILLION if ratio else 1, 0),
        known=slices.known | ~slices.planned,
        eligible=slices.planned,
        unit="billionths" if ratio else "slices",
        calendars=source.calendars,
    )


def _counts_ratios(objective: Objective) -> bool:
    """Say whether a slice counts by its ratio, not as good or bad."""
    ratio = objective.method is BudgetingMethod.RATIO_TIMESLICES
    return ratio and not isinstance(objective.indicator, QuantileIndicator)


def _lasting(objective: Objective) -> Objective:
    return replace(objective, time=replace(objective.time, valid_from=None, valid_until=None))


def slice_starts_of(objective: Objective, periods: Sequence[Period]) -> NDArray[np.int64]:
    """Return the starts of the time slices of coming windows, microseconds UTC, none twice.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import CalendarWindow, RatioIndicator
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="month", zone="UTC"),
    ...                 method=BudgetingMethod.TIMESLICES, slice_window=timedelta(days=7), slice_target=Decimal("0.9"))
    >>> march = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    >>> len(slice_starts_of(slo, [march]))  # 31 days hold four weeks
    4
    """
    step = slice_length(objective) // timedelta(microseconds=1)
    parts = [
        micros(p.start) + step * np.arange((micros(p.end) - micros(p.start)) // step, dtype=np.int64) for p in periods
    ]
    return np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
