"""What is wrong or remarkable in the data of one series, in numbers and words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, slice_bounds, slice_starts, to_local
from forecasting.history.change_points import find_level_shifts, find_spikes
from forecasting.history.gaps import find_gaps
from forecasting.terms.history import MetricKind, Series, SeriesQuality

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONG_CONSTANT_DAYS = 7
"""A run of one and the same value of at least this many days is worth a note."""


def _longest_constant(values: NDArray[np.float64]) -> tuple[int, int]:
    """First index and length of the longest run of one value (NaN breaks runs)."""
    best, start = (0, 1), 0
    same = np.concatenate((values[1:] == values[:-1], [False]))
    for i in np.flatnonzero(~same):
        if i + 1 - start > best[1]:
            best = (start, int(i) + 1 - start)
        start = int(i) + 1
    return best


def assess_quality(series: Series, cut_off: datetime) -> SeriesQuality:
    """Assess the data of one series.

    Parameters
    ----------
    series : Series
        Any length, NaN for missing.
    cut_off : datetime
        UTC instant up to which data could be there; decides what is stale.

    Returns
    -------
    SeriesQuality
        `rows` counts slices from the first to the last observation; `stale_slices` the complete slices between
        the last observation and the cut-off. A series without any observation has `rows` 0.

    Examples
    --------
    >>> from datetime import timedelta
    >>> from forecasting.terms.history import Metric
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.array([1.0, np.nan, -3.0]))
    >>> q = assess_quality(s, datetime(2027, 3, 6, tzinfo=UTC))
    >>> q.missing, q.stale_slices, q.notes
    (1, 2, ('1 negative value in a count', 'no data in the last 2 slices before the cut-off'))
    """
    known = np.flatnonzero(~np.isnan(series.values))
    common = {"service": series.service, "metric": series.metric.name}
    if len(known) == 0:
        start = as_utc(series.start)
        return SeriesQuality(
            **common,
            rows=0,
            missing=0,
            longest_gap=0,
            first=start,
            last=start,
            stale_slices=len(series),
            notes=("no observation at all",),
        )
    starts = slice_starts(series)
    inside = series.values[known[0] : known[-1] + 1]
    gaps = find_gaps(inside)
    stale = _stale_slices(series, starts[known[-1]].item().replace(tzinfo=UTC), cut_off)
    return SeriesQuality(
        **common,
        rows=len(inside),
        missing=int(np.isnan(inside).sum()),
        longest_gap=max((length for _, length in gaps), default=0),
        first=starts[known[0]].item().replace(tzinfo=UTC),
        last=starts[known[-1]].item().replace(tzinfo=UTC),
        stale_slices=stale,
        notes=_notes(series, inside, starts[known[0] : known[-1] + 1], stale),
    )


def _stale_slices(series: Series, last: datetime, cut_off: datetime) -> int:
    """Complete slices after the one that starts at `last` and before the cut-off."""
    reach = max(int((as_utc(cut_off) - last) / series.step) + 2, 1)
    bounds = slice_bounds(last, series.step, series.zone, reach)
    return max(int(np.sum(bounds[1:] <= np.datetime64(as_utc(cut_off).replace(tzinfo=None), "us"))) - 1, 0)


def _plural(count: int, noun: str) -> str:
    """'1 slice', '2 slices'."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _notes(series: Series, values: NDArray[np.float64], starts: NDArray[np.datetime64], stale: int) -> tuple[str, ...]:
    """Findings in words."""
    notes: list[str] = []
    low, high = series.metric.kind.bounds
    name = {MetricKind.COUNT: "a count", MetricKind.RATIO: "a share"}.get(
        series.metric.kind, "a level that has no sign"
    )
    if low is not None and (negative := int(np.nansum(values < low))):
        notes.append(f"{_plural(negative, 'negative value')} in {name}")
    if high is not None and (above := int(np.nansum(values > high))):
        notes.append(f"{_plural(above, 'value')} above {high:g} in {name}")
    first, length = _longest_constant(values)
    days = length * series.step.total_seconds() / 86_400
    if np.nanmin(values) == np.nanmax(values) and len(values) > 1:
        notes.append(f"constant {values[first]:g} throughout")
    elif days >= LONG_CONSTANT_DAYS:
        since = to_local(starts[first : first + 1], series.zone)[0].astype("datetime64[D]")
        notes.append(f"constant {values[first]:g} for {days:.0f} days from {since}")
    per_day = 86_400 / series.step.total_seconds()
    season = 7 if per_day == 1 else max(round(7 * per_day), 1)
    for shift in find_level_shifts(values, season=season, window=4 * season if per_day > 1 else 28):
        day = to_local(starts[shift.index : shift.index + 1], series.zone)[0].astype("datetime64[D]")
        notes.append(f"level shift near {day}: from about {shift.before:.4g} to about {shift.after:.4g}")
    spikes = np.flatnonzero(find_spikes(values, season=season))
    if len(spikes):
        day = to_local(starts[spikes[:1]], series.zone)[0].astype("datetime64[D]")
        notes.append(f"{_plural(len(spikes), 'value')} far out of range, such as {values[spikes[0]]:.6g} on {day}")
    if stale:
        notes.append(f"no data in the last {_plural(stale, 'slice')} before the cut-off")
    return tuple(notes)
