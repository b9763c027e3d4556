"""Tickets responded to or resolved within a business time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, zone_of
from forecasting.history.intervals import (
    Intervals,
    contains,
    from_micros,
    measure,
    micros,
    none,
    subtract,
)
from forecasting.history.tickets import merged_pauses, micros_of, tickets_known
from forecasting.history.wall_clock import day_number, midnights
from forecasting.service_levels.judged import Judged
from forecasting.service_levels.service_time import (
    NEVER,
    calendar_called,
    due_instants,
    eligibility,
    open_intervals,
)
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History, Metric, MetricKind, Series
from forecasting.terms.indicator import TicketIndicator
from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceCalendar

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

DAY = timedelta(days=1)
_METRIC = Metric(name="tickets", kind=MetricKind.COUNT, unit="tickets", step=DAY)


def ticket_days(
    objective: Objective, history: History, calendar_of: Mapping[str, ServiceCalendar], until: datetime
) -> Judged | Excuse:
    """Return the tickets judged on each local day, and those that were dealt with in time.

    The clock of a ticket runs from its opening, in the open time of its calendar (the indicator's, else the service
    hours, else always) less removed exclusions and maintenance, and less its own pauses; it is due when the clock
    reaches `within`, and done at exactly that instant is in time. Only what was known at the history's cut-off counts:
    a ticket not done is bad once its due instant lies before the cut-off, and does not count before.

    A ticket counts on the local day (zone of the window) of its `counted_at` instant: ``due`` = when it was done, or
    when it was due where that is earlier; ``opened``; ``done`` = when it was done, also late (one not done and past its
    due instant counts when it was due). Where that instant lies in dropped time the ticket counts neither way, in
    forgiven time it is good. Every day inside the validity is eligible, and known once it has ended.

    Parameters
    ----------
    objective : Objective
        Its indicator is a `TicketIndicator`.
    history : History
        With tickets.
    calendar_of : mapping of str to ServiceCalendar
        Calendars by name.
    until : datetime
        UTC instant; days from the first ticket of the service on that begin before it are given.

    Returns
    -------
    Judged or Excuse
        `good` and `total` in tickets; an excuse where the service has no ticket at all.

    Raises
    ------
    InputError
        If the calendar is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import UTC
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> def at(*texts): return pd.to_datetime(list(texts)).astype("datetime64[us]")
    >>> desk = pd.DataFrame({"service": "desk", "ticket": ["1", "2"], "kind": "incident", "priority": "1",
    ...     "opened": at("2027-03-01 08:00", "2027-03-01 20:00"), "responded": at(None, None),
    ...     "resolved": at("2027-03-01 16:00", None), "pauses": "[]"})
    >>> slo = Objective(name="fixed", service="desk", target=Decimal("0.9"),
    ...                 indicator=TicketIndicator(stage="resolution", within=timedelta(hours=8)),
    ...                 window=CalendarWindow(unit="month", zone="UTC"))
    >>> cut = datetime(2027, 3, 3, tzinfo=UTC)
    >>> found = ticket_days(slo, History(cut_off=cut, tickets=desk), {}, cut)
    >>> found.good.tolist(), found.total.tolist()
    ([1, 0], [1, 1])
    """
    indicator = objective.indicator
    assert isinstance(indicator, TicketIndicator)
    none_known = Excuse(
        reason=f"no ticket of service {objective.service} before the cut-off",
        what_would_help=f"ingest the tickets of {objective.service}",
    )
    if history.tickets is None:
        return none_known
    tickets = tickets_known(history.tickets, history.cut_off)
    tickets = tickets.loc[tickets["service"] == objective.service]
    if not len(tickets):
        return none_known
    cut = micros(history.cut_off)
    begin = int(micros_of(tickets["opened"]).min())
    tickets = _chosen(tickets, indicator)

    agreed = eligibility(objective.time, objective.window.zone, from_micros(begin), from_micros(cut))
    open_time = _open_time(objective, indicator, calendar_of, begin, cut)
    opened = micros_of(tickets["opened"])
    done = _times(tickets["responded" if indicator.stage == "response" else "resolved"])
    due = _due(subtract(open_time, agreed.removed), tickets, indicator, cut)
    # What happens at the cut-off itself is not known yet: done at that very instant it would be in time.
    due = np.where(due >= cut, NEVER, due)
    in_time = done <= due
    decided = (done < NEVER) | (due < NEVER)  # a due instant at or after the cut-off is NEVER
    at = {
        "due": np.minimum(done, due),
        "opened": opened,
        "done": np.where(done < NEVER, done, due),
    }[indicator.counted_at]
    zone = objective.window.zone
    first, stop = (moment.astimezone(zone_of(zone)) for moment in (from_micros(begin), as_utc(until)))
    count = max(day_number(stop.date()) - day_number(first.date()) + (stop.time() > time(0)), 0)
    bounds = midnights(first.date(), count + 1, zone)
    starts, ends = bounds[:-1], bounds[1:]
    horizon = eligibility(objective.time, zone, from_micros(int(bounds[0])), from_micros(int(bounds[-1])))
    eligible = contains(horizon.validity, starts) & (ends > starts)
    known = eligible & (ends <= cut)
    lost = decided & contains(horizon.dropped, at)
    forgiven = contains(horizon.forgiven, at)
    total = _per_day(at[decided & ~lost], bounds)
    good = _per_day(at[decided & ~lost & (in_time | forgiven)], bounds)
    return Judged(
        series=Series(
            service=objective.service,
            metric=_METRIC,
            start=from_micros(int(bounds[0])),
            step=DAY,
            values=np.full(count, np.nan),
            zone=zone,
        ),
        starts=starts.astype("datetime64[us]"),
        ends=ends.astype("datetime64[us]"),
        good=np.where(known, good, 0),
        total=np.where(known, total, 0),
        known=known,
        eligible=eligible,
        dropped=eligible & (_per_day(at[lost], bounds) > 0),
        unit="tickets",
    )


def _chosen(tickets: pd.DataFrame, indicator: TicketIndicator) -> pd.DataFrame:
    """Return the tickets of the kinds and priorities that count."""
    keep = np.ones(len(tickets), np.bool_)
    if indicator.kinds:
        keep &= tickets["kind"].isin(list(indicator.kinds)).to_numpy()
    if indicator.priorities:
        keep &= tickets["priority"].isin(list(indicator.priorities)).to_numpy()
    return tickets.loc[keep]


def _times(column: pd.Series) -> NDArray[np.int64]:
    """Return a column of times as microseconds since 1970, `NEVER` where it has not happened."""
    return np.where(column.isna().to_numpy(), NEVER, micros_of(column))


def _per_day(instants: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many instants lie in each day."""
    day = np.searchsorted(bounds, instants, side="right") - 1
    inside = (day >= 0) & (day < len(bounds) - 1)
    return np.bincount(day[inside], minlength=len(bounds) - 1).astype(np.int64)


def _open_time(
    objective: Objective,
    indicator: TicketIndicator,
    calendar_of: Mapping[str, ServiceCalendar],
    begin: int,
    stop: int,
) -> Intervals:
    """Return the time in which the clock of tickets runs."""
    calendar = objective.time.hours
    if indicator.calendar is not None:
        calendar = calendar_called(indicator.calendar, calendar_of, objective.name)
    if calendar is None:
        return np.array([[begin, stop]], np.int64) if stop > begin else none()
    return open_intervals(calendar, from_micros(begin), from_micros(stop))


def _due(open_time: Intervals, tickets: pd.DataFrame, indicator: TicketIndicator, cut: int) -> NDArray[np.int64]:
    """Return the due instant of each ticket; `NEVER` where it lies after the cut-off.

    A pause that begins before the due instant found so far gives the clock as much time back as was open in it; pauses
    are taken in their order, the n-th of all tickets at once.
    """
    opened = micros_of(tickets["opened"])
    within = np.full(len(opened), indicator.within // timedelta(microseconds=1), np.int64)
    due = due_instants(open_time, opened, within)
    if not indicator.pauses:
        return due
    row, starts, ends = merged_pauses(tickets, opened, np.full(len(opened), cut))
    rank = np.arange(len(row)) - np.searchsorted(row, row, side="left")
    for n in range(int(rank.max(initial=-1)) + 1):
        nth = rank == n
        mine = row[nth]
        waited = measure(open_time, starts[nth], ends[nth])
        within[mine] += np.where(starts[nth] < due[mine], waited, 0)
        due[mine] = due_instants(open_time, opened[mine], within[mine])
    return due
