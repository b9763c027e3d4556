"""What is still to come of a window on every path: its days, those outside the agreement, and data not seen yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, local_midnight, zone_of
from forecasting.history.intervals import from_micros, micros
from forecasting.service_levels.breach.simulate import BadPaths, stable_seed
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import Attainment, Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray


def days_of_period(first_day: date, start: datetime, end: datetime, zone: str) -> slice:
    """Return the columns of days from `first_day` on that lie in [start, end); the day of the cut-off counts as begun.

    Columns are whole local days: a window that begins within a day (a rolling one across a change of the clocks, or
    of a length that is not whole days) begins with the day whose midnight is nearest, but has at least one day.

    Examples
    --------
    >>> from datetime import UTC
    >>> today = date(2027, 3, 10)
    >>> days_of_period(today, datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC), "UTC")
    slice(0, 22, None)
    >>> days_of_period(today, datetime(2027, 4, 1, tzinfo=UTC), datetime(2027, 4, 3, tzinfo=UTC), "UTC")
    slice(22, 24, None)
    """
    local = zone_of(zone)
    last = ((end - timedelta(microseconds=1)).astimezone(local).date() - first_day).days + 1
    first = ((start.astimezone(local) + timedelta(hours=12)).date() - first_day).days
    return slice(max(0, min(first, last - 1)), max(0, last))


def columns_of_period(paths: BadPaths, start: datetime, end: datetime, zone: str) -> slice:
    """Return the columns of paths that lie in [start, end): days, or slices that begin in it."""
    if paths.starts is None:
        return days_of_period(paths.first_day, start, end, zone)
    low, high = np.searchsorted(paths.starts, (micros(start), micros(end)))
    return slice(int(low), int(max(low, high)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Rest:
    """What is still to come of one window on every path, and what of it will be seen."""

    bad: NDArray[np.float64]
    """Shape (n_paths, columns)."""
    total: NDArray[np.float64]
    days: tuple[datetime, ...]
    """Start of each column (UTC)."""
    unseen_bad: NDArray[np.float64]
    """Shape (n_paths,): bad of slices that have ended but whose data are missing."""
    unseen_total: NDArray[np.float64]
    draw: NDArray[np.float64]
    """Shape (n_paths,): uniform draws that round fractions of events, common to all objectives of a service."""

    @property
    def all_bad(self) -> NDArray[np.float64]:
        """Bad to come and unseen, shape (n_paths,)."""
        return np.asarray(self.bad.sum(axis=1) + self.unseen_bad, dtype=np.float64)

    @property
    def all_total(self) -> NDArray[np.float64]:
        """Total to come and unseen, shape (n_paths,)."""
        return np.asarray(self.total.sum(axis=1) + self.unseen_total, dtype=np.float64)


def rest_of(objective: Objective, so_far: Attainment, paths: BadPaths) -> Rest:
    """Return the part of a window that is not known, on every path; nothing where the window is closed.

    Days outside the validity of the agreement do not count. Slices that have ended but are not known (late data) are
    simulated, not assumed good: they carry the mean traffic of the known ones and are as bad as the rest of the path.

    Parameters
    ----------
    objective : Objective
    so_far : Attainment
        Of the window at the cut-off.
    paths : BadPaths

    Raises
    ------
    InputError
        `paths` end before the window does.
    """
    period, zone = so_far.period, objective.window.zone
    span = columns_of_period(paths, period.start, period.end, zone)
    if so_far.final or so_far.provisional:
        span = slice(0, 0)
    elif span.stop > paths.bad.shape[1]:
        raise InputError(
            argument="paths",
            came=f"{paths.bad.shape[1]} days from {paths.first_day}",
            allowed=f"at least {span.stop} days, to the end of the window {period.label}",
            try_instead="a longer horizon, or fewer windows ahead",
        )
    bad, total = paths.bad[:, span], paths.total[:, span]
    days, starts = _column_days(paths, span, zone)
    first, last = objective.time.valid_from, objective.time.valid_until
    outside = [(first is not None and d < first) or (last is not None and d > last) for d in days]
    if any(outside):
        counts = ~np.array(outside)
        bad, total = bad * counts, total * counts
    n = len(bad)
    unknown = 0 if so_far.final or so_far.provisional else max(0, so_far.elapsed_slices - so_far.known_slices)
    unseen_total, unseen_bad = np.zeros(n), np.zeros(n)
    if unknown:
        coming = total.sum(axis=1)
        left = so_far.planned_slices - so_far.elapsed_slices
        known = so_far.total / so_far.known_slices if so_far.known_slices else 0.0
        each = np.full(n, known) if known > 0 else coming / max(left, 1)
        share = np.divide(bad.sum(axis=1), coming, out=np.full(n, paths.usual), where=coming > 0)
        unseen_total = unknown * each
        unseen_bad = unseen_total * share
    return Rest(
        bad=bad,
        total=total,
        days=starts,
        unseen_bad=unseen_bad,
        unseen_total=unseen_total,
        draw=np.random.default_rng(stable_seed(0, "whole events", objective.service)).random(n),
    )


def _column_days(paths: BadPaths, span: slice, zone: str) -> tuple[tuple[date, ...], tuple[datetime, ...]]:
    """Return the local day of each column of a span, and the instant at which it begins."""
    local = zone_of(zone)
    if paths.starts is None:
        days = tuple(paths.first_day + timedelta(days=k) for k in range(span.start, span.stop))
        return days, tuple(as_utc(local_midnight(day, local)) for day in days)
    starts = tuple(from_micros(int(s)) for s in paths.starts[span])
    return tuple(s.astimezone(local).date() for s in starts), starts


def window_share_left(day: date, as_of: datetime, zone: str) -> float:
    """Return which share of the local day of `as_of` is still to come, above 0 and at most 1.

    Examples
    --------
    >>> from datetime import UTC
    >>> window_share_left(date(2027, 1, 1), datetime(2027, 1, 1, 18, tzinfo=UTC), "UTC")
    0.25
    """
    local = zone_of(zone)
    start, end = (as_utc(local_midnight(d, local)) for d in (day, day + timedelta(days=1)))
    return float((end - as_of) / (end - start))
