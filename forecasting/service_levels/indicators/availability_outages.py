"""Availability by outages: time that counts less the time an outage ticket was open, exact to the microsecond."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import slice_bounds, zone_of
from forecasting.history.intervals import (
    Intervals,
    contains,
    from_micros,
    intersect,
    measure,
    micros,
    none,
    normalise,
    overlaps,
    subtract,
)
from forecasting.history.tickets import merged_pauses, micros_of, tickets_known
from forecasting.history.wall_clock import midnights
from forecasting.service_levels.judged import Judged
from forecasting.service_levels.service_time import eligibility
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import AvailabilityIndicator
from forecasting.terms.service_level import Objective

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

HOUR = timedelta(hours=1)
_HOUR_US = 3_600_000_000
_METRIC = Metric(name="outages", kind=MetricKind.NON_NEGATIVE, unit="µs", step=HOUR)


def outage_slices(
    objective: Objective,
    history: History,
    until: datetime,
    slice_starts: NDArray[np.int64] | None = None,
    slice_ends: NDArray[np.int64] | None = None,
) -> Judged | Excuse:
    """Return the time up and the time that counts of every slice.

    Down is every instant at which an outage of the service was open: from opened to resolved (to the history's cut-off
    where it is not), less its own pauses; two at once count once. Hours, exclusions and maintenance are cut exactly:
    removed and dropped time leaves the total, forgiven time counts as up. A slice is eligible where any of its time is
    in the service hours and not removed, and it begins inside the validity; it is dropped where any of that time was
    dropped. Slices that end after the cut-off are unknown, and so are those without an observation of `log_metric`
    (where there is one), unless all of their time was dropped or forgiven.

    Parameters
    ----------
    objective : Objective
        Its indicator is an `AvailabilityIndicator` with `outages`.
    history : History
        With tickets.
    until : datetime
        UTC instant; slices that begin before it are given.
    slice_starts, slice_ends : ndarray of int64, shape (n,), optional
        Slices to judge, microseconds since 1970 UTC, all of one length; without them hours from the first local
        midnight (zone of the window) at or before the first ticket of the service or observation of `log_metric`.

    Returns
    -------
    Judged or Excuse
        `good` and `total` in microseconds; an excuse where nothing tells from when on outages were logged.

    Raises
    ------
    InputError
        If a ticket was resolved before it was opened, or only one of `slice_starts` and `slice_ends` is given.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import UTC
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> def at(text): return pd.to_datetime([text]).astype("datetime64[us]")
    >>> log = pd.DataFrame({"service": "shop", "ticket": ["7"], "kind": "outage", "priority": "1",
    ...     "opened": at("2027-03-01 00:50"), "responded": at(None), "resolved": at("2027-03-01 01:06"),
    ...     "pauses": "[]"})
    >>> slo = Objective(name="up", service="shop", indicator=AvailabilityIndicator(outages=("outage",)),
    ...                 target=Decimal("0.999"), window=CalendarWindow(unit="month", zone="UTC"))
    >>> cut = datetime(2027, 3, 1, 3, tzinfo=UTC)
    >>> (outage_slices(slo, History(cut_off=cut, tickets=log), cut).good // 60_000_000).tolist()
    [50, 54, 60]
    """
    indicator = objective.indicator
    assert isinstance(indicator, AvailabilityIndicator)
    if (slice_starts is None) != (slice_ends is None):
        raise InputError(
            argument="slices", came="starts or ends alone", allowed="both or none", try_instead="give both of them"
        )
    log = None if indicator.log_metric is None else history.get(objective.service, indicator.log_metric)
    watched = None if indicator.log_metric is None else _observed(log)
    tickets = None
    if history.tickets is not None:
        tickets = tickets_known(history.tickets, history.cut_off)
        tickets = tickets.loc[tickets["service"] == objective.service]
    first = _first_of_log(tickets, watched)
    if first is None:
        return Excuse(
            reason=f"no ticket of service {objective.service} before the cut-off, so it is not known from when on its "
            "outages were logged",
            what_would_help=f"ingest the tickets of {objective.service}, or name a logMetric whose values show that it "
            "was watched",
        )
    zone = objective.window.zone
    if slice_starts is None or slice_ends is None:
        day: date = from_micros(first).astimezone(zone_of(zone)).date()
        begin = int(midnights(day, 1, zone)[0])
        count = max(-((begin - micros(until)) // _HOUR_US), 0)
        starts = begin + np.arange(count, dtype=np.int64) * _HOUR_US
        ends = starts + _HOUR_US
    else:
        starts, ends = np.asarray(slice_starts, np.int64), np.asarray(slice_ends, np.int64)
    return _judged(objective, history.cut_off, _down(tickets, indicator, history.cut_off), watched, starts, ends)


def _observed(log: Series | None) -> Intervals:
    """Return the time of the slices of a metric that were observed."""
    if log is None or not len(log):
        return none()
    bounds = slice_bounds(log.start, log.step, log.zone, len(log)).astype("datetime64[us]").astype(np.int64)
    seen = np.isfinite(log.values)
    return normalise(np.stack((bounds[:-1][seen], bounds[1:][seen]), axis=1))


def _first_of_log(tickets: pd.DataFrame | None, watched: Intervals | None) -> int | None:
    """Return the first instant of which a ticket or the log metric tells something."""
    found = [] if watched is None else [int(at) for at in watched[:1, 0]]
    if tickets is not None and len(tickets):
        found.append(int(micros_of(tickets["opened"]).min()))
    return min(found) if found else None


def _down(tickets: pd.DataFrame | None, indicator: AvailabilityIndicator, cut_off: datetime) -> Intervals:
    """Return the time in which an outage was open and not paused."""
    if tickets is None:
        return none()
    outages = tickets.loc[tickets["kind"].isin(list(indicator.outages))]
    opened, cut = micros_of(outages["opened"]), micros(cut_off)
    closed = np.where(outages["resolved"].isna().to_numpy(), cut, micros_of(outages["resolved"]))
    if (wrong := closed < opened).any():
        row = outages.iloc[int(np.argmax(wrong))]
        raise InputError(
            argument=f"resolved of ticket {row['ticket']} ({row['service']})",
            came=f"{row['resolved']}, opened {row['opened']}",
            allowed="at or after opened",
            try_instead="correct the ticket",
        )
    # Between its pauses a ticket is down: from its opening to the first one, from the end of each to the next one, and
    # from the last one to its close. In the order of ticket and time the n-th start belongs to the n-th end.
    rows, pause_starts, pause_ends = merged_pauses(outages, opened, closed)
    whole = np.arange(len(opened))
    owner = np.concatenate((whole, rows))
    starts, ends = np.concatenate((opened, pause_ends)), np.concatenate((pause_starts, closed))
    ends_owner = np.concatenate((rows, whole))
    return normalise(np.stack((starts[np.lexsort((starts, owner))], ends[np.lexsort((ends, ends_owner))]), axis=1))


def _judged(
    objective: Objective,
    cut_off: datetime,
    down: Intervals,
    watched: Intervals | None,
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> Judged:
    """Return what counts and what was up in each slice."""
    zone = objective.window.zone
    begin, stop = (int(starts.min()), int(ends.max())) if len(starts) else (micros(cut_off), micros(cut_off))
    time = eligibility(objective.time, zone, from_micros(begin), from_micros(stop))
    inside = contains(time.validity, starts)
    planned = subtract(time.service_hours, time.removed)
    counted = subtract(planned, time.dropped)
    left = subtract(counted, time.forgiven)
    length, planned_length = measure(counted, starts, ends), measure(planned, starts, ends)
    eligible = inside & (planned_length > 0)
    seen = np.ones(len(starts), np.bool_) if watched is None else overlaps(watched, starts, ends)
    known = eligible & (ends <= micros(cut_off)) & (seen | (measure(left, starts, ends) == 0))
    total = np.where(known, length, 0)
    good = np.where(known, length - measure(intersect(down, left), starts, ends), 0)
    step = from_micros(int(ends[0])) - from_micros(int(starts[0])) if len(starts) else HOUR
    return Judged(
        series=Series(
            service=objective.service,
            metric=_METRIC,
            start=from_micros(begin),
            step=step,
            values=np.full(len(starts), np.nan),
            zone=zone,
        ),
        starts=starts.astype("datetime64[us]"),
        ends=ends.astype("datetime64[us]"),
        good=good.astype(np.int64),
        total=total.astype(np.int64),
        known=known,
        eligible=eligible,
        dropped=eligible & (length < planned_length),
        unit="microseconds",
        observed=seen & (ends <= micros(cut_off)),
    )
