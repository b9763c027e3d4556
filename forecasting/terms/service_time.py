"""When a promise applies: service hours, public holidays, maintenance and agreed exclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum


@dataclass(frozen=True, kw_only=True, order=True)
class LocalSpan:
    """A stretch of local wall-clock time that begins on one day, such as 06:00–22:00 or 22:00–06:00.

    Examples
    --------
    >>> LocalSpan(start=time(22), end=time(6)).overnight, LocalSpan(start=time(0), end=time(0)).overnight
    (True, False)
    """

    start: time
    """Local time, without a zone, whole minutes."""
    end: time
    """Local time; at or before `start` it lies on the next day. 00:00 is the midnight that ends the day."""

    @property
    def overnight(self) -> bool:
        """Whether it goes on after the midnight that ends its day."""
        return self.end <= self.start and self.end != time(0)


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class CalendarVersion:
    """The hours of a calendar from a local day on."""

    weekly: tuple[tuple[LocalSpan, ...], ...]
    """Seven tuples of spans, Monday first; an empty one is a day off."""
    valid_from: date | None = None
    """First local day; None = always."""
    country: str = ""
    """ISO 3166 code whose public holidays count as `holiday_hours`; empty = none."""
    subdivision: str = ""
    """State or province, as the library ``holidays`` names it."""
    holiday_hours: tuple[LocalSpan, ...] = ()
    """Hours on public holidays; empty = closed."""
    dates: Mapping[date, tuple[LocalSpan, ...]] = field(default_factory=dict)
    """Hours of single local days; they go before holidays and the week."""


@dataclass(frozen=True, kw_only=True)
class ServiceCalendar:
    """Service hours or business hours: when the clock of a promise runs.

    Examples
    --------
    >>> week = tuple((LocalSpan(start=time(6), end=time(22)),) if d < 6 else () for d in range(7))
    >>> ServiceCalendar(name="shop-hours", zone="Europe/Berlin", versions=(CalendarVersion(weekly=week),)).zone
    'Europe/Berlin'
    """

    name: str
    zone: str
    """IANA zone of its wall-clock times."""
    versions: tuple[CalendarVersion, ...]
    """Oldest first; the latest one with `valid_from` on or before a day gives that day's hours."""
    description: str = ""


class ExclusionMode(StrEnum):
    """What an exclusion does to the slices it touches."""

    REMOVE = "remove"
    """The time is not part of the window: a slice that overlaps it is not planned."""
    DROP_EVENTS = "drop_events"
    """The slices stay planned, but what happened in them counts neither way."""
    COUNT_AS_GOOD = "count_as_good"
    """What happened in them counts as good, missing data included."""


@dataclass(frozen=True, kw_only=True)
class Exclusion:
    """An agreed stretch of time that does not count against the provider (relief event)."""

    start: datetime
    """UTC instant."""
    end: datetime
    """UTC instant after `start`."""
    reason: str
    approved_by: str = ""
    evidence: str = ""
    """Change number, ticket or link."""
    mode: ExclusionMode = ExclusionMode.REMOVE


@dataclass(frozen=True, kw_only=True)
class MaintenanceWindow:
    """A recurring agreed stretch in which maintenance does not count."""

    weekdays: tuple[int, ...]
    """0 = Monday; days on which it begins."""
    span: LocalSpan
    zone: str
    valid_from: date | None = None
    valid_until: date | None = None
    """Last local day on which it begins."""
    nth_of_month: tuple[int, ...] = ()
    """Only the first (1) ... fifth, or last (-1), such weekday of a month; empty = every week."""
    reason: str = "maintenance"
    mode: ExclusionMode = ExclusionMode.REMOVE


@dataclass(frozen=True, kw_only=True)
class ServiceTime:
    """Everything that decides which time of a window counts.

    Examples
    --------
    >>> ServiceTime().always
    True
    """

    hours: ServiceCalendar | None = None
    """None = round the clock."""
    exclusions: tuple[Exclusion, ...] = ()
    maintenance: tuple[MaintenanceWindow, ...] = ()
    valid_from: date | None = None
    """First local day (in the window's zone) on which the promise applies; None = no limit."""
    valid_until: date | None = None
    """Last local day."""

    @property
    def always(self) -> bool:
        """Whether all time counts."""
        return self == ServiceTime()
