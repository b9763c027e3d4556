"""Badness in slices longer than a day (weekly or monthly data, time slices of weeks), on an axis of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import zone_of
from forecasting.history.intervals import from_micros, micros
from forecasting.service_levels.breach.badness import judged_name
from forecasting.service_levels.breach.cut import slice_starts_of
from forecasting.service_levels.breach.shares import ShareHistory, Span
from forecasting.service_levels.breach.simulate import BadPaths
from forecasting.service_levels.events import Events, counts_slices
from forecasting.service_levels.layout import lay_out
from forecasting.service_levels.masks import TimeMasks
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Indicator, Objective, Period

if TYPE_CHECKING:
    from numpy.typing import NDArray

MINIMUM_SLICES = 8
"""Fewer known slices with traffic than this give no statement."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SteppedBadness:
    """Bad and total events of one indicator of one service per slice, past and to come."""

    service: str
    group: str
    """Services of one group have slices that begin and end together."""
    indicator: Indicator
    starts: NDArray[np.int64]
    """Shape (slices,): past slices, microseconds UTC, oldest first."""
    bad: NDArray[np.float64]
    """Shape (slices,); 0 where not known."""
    total: NDArray[np.float64]
    known: NDArray[np.bool_]
    """Slices that are known and carry traffic."""
    coming: NDArray[np.int64]
    """Shape (columns,): starts of the slices that had not ended at the cut-off; the first may have begun."""
    planned: NDArray[np.float64]
    """Shape (columns,): 1 where the slice counts by plan, else 0."""
    days: float
    """Mean length of a slice in days."""

    def span_of(self, period: Period) -> Span:
        """Return where a window stands, in slices."""
        columns = self.columns_of(period)
        elapsed = int((self.starts >= micros(period.start)).sum())
        return Span(elapsed=elapsed, gap=columns.start, length=max(1, columns.stop - columns.start))

    def columns_of(self, period: Period) -> slice:
        """Return the coming slices that begin in a window."""
        low, high = np.searchsorted(self.coming, (micros(period.start), micros(period.end)))
        return slice(int(low), int(max(low, high)))


def stepped_badness(
    objective: Objective,
    events: Events,
    coming: Sequence[Period],
    *,
    tier: str,
    as_of: datetime,
    masks: TimeMasks,
) -> SteppedBadness | Excuse:
    """Lay out the events of an objective slice by slice, complete slices before `as_of` only.

    Parameters
    ----------
    objective : Objective
    events : Events
        What its attainment counts, in slices longer than a day.
    coming : sequence of Period
        Windows asked about.
    tier : str
        Services of one tier and indicator lend each other history.
    as_of : datetime
    masks : TimeMasks
    """
    now = micros(as_of)
    closed = events.ends_us <= now
    total = np.where(events.known & closed, events.total, 0).astype(np.float64)
    bad = np.where(events.known & closed, events.total - events.good, 0).astype(np.float64)
    known = events.known & closed & (total > 0)
    days = events.series.step.total_seconds() / 86400
    count = int(known.sum())
    if count < MINIMUM_SLICES:
        return Excuse(
            reason=f"{count} complete slices of {days:g} days with traffic for {objective.name}, "
            f"{MINIMUM_SLICES} needed",
            what_would_help=f"{MINIMUM_SLICES - count} more slices of history, or daily data",
        )
    first = int(np.argmax(known))
    keep = slice(first, int(closed.sum()))
    starts, planned = _coming_slices(objective, events, coming, as_of, masks)
    return SteppedBadness(
        service=objective.service,
        group=f"{tier}/{judged_name(objective)} every {days:g} d to {int(events.starts_us[closed][-1])}",
        indicator=objective.indicator,
        starts=events.starts_us[keep],
        bad=np.where(known, bad, 0.0)[keep],
        total=np.where(known, total, 0.0)[keep],
        known=known[keep],
        coming=starts,
        planned=planned,
        days=days,
    )


def _coming_slices(
    objective: Objective, events: Events, coming: Sequence[Period], as_of: datetime, masks: TimeMasks
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the starts of the slices that have not ended at `as_of`, and whether each counts by plan."""
    now = micros(as_of)
    ahead = [p for p in coming if p.end > as_of]
    if counts_slices(objective):
        starts = slice_starts_of(objective, ahead)
        starts = starts[starts + events.series.step.total_seconds() * 1e6 > now]
        return starts, np.ones(len(starts))
    laid = lay_out(objective, events, tuple(ahead), as_of, masks)
    open_ = laid.ends > now
    return laid.starts[open_], (laid.eligible & ~laid.dropped)[open_].astype(np.float64)


def stepped_history(members: Sequence[SteppedBadness]) -> ShareHistory:
    """Return what the share of bad of a group is forecast from, on the axis of its slices.

    Parameters
    ----------
    members : sequence of SteppedBadness
        Of one group: their slices end together.
    """
    length = max(len(m.starts) for m in members)

    def laid(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.stack([np.pad(x, (length - len(x), 0)) for x in values])

    days = members[0].days
    year = max(2, round(365 / days))
    return ShareHistory(
        bad=laid([m.bad for m in members]),
        total=laid([m.total for m in members]),
        known=laid([m.known.astype(np.float64) for m in members]) > 0,
        year=year, week=1, block=3, full=2 * year,
    )  # fmt: skip


def simulate_steps(
    member: SteppedBadness,
    *,
    worlds: NDArray[np.int64],
    first_past_day: date,
    today: date,
    zone: str,
) -> BadPaths:
    """Let past slices stand for those to come, in the common worlds: the mean of the slices in which the past days lie
    that stand for the days of the coming one.

    So a slice is bad on the paths on which other services have bad days; how bad, the forecast of the share says.

    Parameters
    ----------
    member : SteppedBadness
    worlds : ndarray, shape (n_paths, days)
        Source days from `first_past_day` on, for coming days from `today` on.
    first_past_day, today : date
    zone : str
    """
    local = zone_of(zone)
    past = np.array([from_micros(int(s)).astimezone(local).date().toordinal() for s in member.starts])
    ahead = np.array([from_micros(int(s)).astimezone(local).date().toordinal() for s in member.coming], dtype=np.int64)
    begins = (ahead - today.toordinal()).clip(0, worlds.shape[1] - 1)
    over = (ahead - today.toordinal() + max(1, round(member.days))).clip(begins + 1, worlds.shape[1])
    at = (np.searchsorted(past, worlds + first_past_day.toordinal(), side="right") - 1).clip(0, len(past) - 1)
    ratio = np.divide(member.bad, member.total, out=np.zeros(len(past)), where=member.known)
    index = np.where(member.known, np.arange(len(past)), -1)
    filled = ratio[np.maximum.accumulate(index)]  # the first slice is known
    history = stepped_history([member])
    traffic = history.traffic[0, 0] * member.planned
    total = np.broadcast_to(traffic, (len(worlds), len(traffic))).astype(np.float64)
    sums = np.concatenate((np.zeros((len(worlds), 1)), np.cumsum(filled[at], axis=1)), axis=1)
    shares = ratio[member.known]
    return BadPaths(
        service=member.service,
        first_day=today,
        bad=(sums[:, over] - sums[:, begins]) / (over - begins) * total,
        total=total,
        own_share=1.0,
        usual=float(np.median(shares)),
        starts=member.coming,
    )
