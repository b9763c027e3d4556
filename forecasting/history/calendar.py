"""Slices as instants and as local wall-clock time; local days of 23, 24 and 25 hours; public holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from forecasting.terms.errors import InputError
from forecasting.terms.history import MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY = timedelta(days=1)


def zone_of(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`.

    Raises
    ------
    InputError
        If there is no such zone.

    Examples
    --------
    >>> zone_of("Europe/Berlin").key
    'Europe/Berlin'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a name that is a folder, such as "Europe"
        raise InputError(
            argument="zone", came=name, allowed="an IANA time zone", try_instead="Europe/Berlin or UTC"
        ) from error


def as_utc(instant: datetime) -> datetime:
    """Return `instant` with zone UTC; a naive one is taken as UTC.

    Examples
    --------
    >>> as_utc(datetime(2027, 3, 1)).isoformat()
    '2027-03-01T00:00:00+00:00'
    """
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def is_local_days(step: timedelta) -> bool:
    """Tell whether `step` is a whole number of days, and so counts local calendar days.

    Examples
    --------
    >>> is_local_days(timedelta(days=7)), is_local_days(timedelta(hours=36))
    (True, False)
    """
    return step >= DAY and step % DAY == timedelta(0)


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which the local `day` begins.

    Where midnight does not exist (clocks put forward at 00:00) this is the instant of the change; where it
    happens twice, the first one.

    Examples
    --------
    >>> local_midnight(date(2027, 7, 1), ZoneInfo("Europe/Berlin")).isoformat()
    '2027-06-30T22:00:00+00:00'
    """
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _micro(instant: datetime) -> np.datetime64:
    """UTC instant as naive datetime64[us]."""
    return np.datetime64(as_utc(instant).replace(tzinfo=None), "us")


def slice_bounds(start: datetime, step: timedelta, zone: str, count: int) -> NDArray[np.datetime64]:
    """Return the boundaries of `count` slices from `start` on.

    Parameters
    ----------
    start : datetime
        UTC instant of the first slice.
    step : timedelta
        Whole days count local days in `zone`; shorter steps count elapsed time.
    zone : str
        IANA zone.
    count : int
        Number of slices, 0 or more.

    Returns
    -------
    ndarray of datetime64[us], shape (count + 1,)
        Naive UTC; slice i is [bounds[i], bounds[i + 1]).

    Raises
    ------
    InputError
        If a daily grid does not start at a local midnight, or the zone is unknown.

    Examples
    --------
    >>> b = slice_bounds(datetime(2027, 3, 27, 23), timedelta(days=1), "Europe/Berlin", 1)
    >>> (b[1] - b[0]).astype("timedelta64[h]")  # clocks go forward on 28 March 2027
    np.timedelta64(23,'h')
    """
    if not is_local_days(step):
        return _micro(start) + np.arange(count + 1) * np.timedelta64(step)
    tz = zone_of(zone)
    first = as_utc(start).astimezone(tz).date()
    if local_midnight(first, tz) != as_utc(start):
        raise InputError(
            argument="start",
            came=as_utc(start).isoformat(),
            allowed=f"a local midnight in {zone}, because slices of whole days are local days",
            try_instead=f"{local_midnight(first, tz).isoformat()}, or declare the zone the data were written in",
        )
    days = step.days
    return np.array([_micro(local_midnight(first + i * days * DAY, tz)) for i in range(count + 1)], "datetime64[us]")


def slice_starts(series: Series) -> NDArray[np.datetime64]:
    """Return the start of every slice as naive UTC datetime64[us], shape (n,).

    Examples
    --------
    >>> from forecasting.terms.history import Metric
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(hours=1), values=np.zeros(2))
    >>> slice_starts(s)[1]
    np.datetime64('2027-03-01T01:00:00.000000')
    """
    return slice_bounds(series.start, series.step, series.zone, len(series))[:-1]


def series_end(series: Series) -> datetime:
    """Return the UTC instant at which the last slice ends (the start of the forecast).

    Examples
    --------
    >>> from forecasting.terms.history import Metric
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.zeros(31))
    >>> series_end(s).date().isoformat()
    '2027-04-01'
    """
    last: datetime = slice_bounds(series.start, series.step, series.zone, len(series))[-1].item()
    return last.replace(tzinfo=UTC)


def to_local(instants: NDArray[np.datetime64], zone: str) -> NDArray[np.datetime64]:
    """Return the local wall-clock time of naive UTC instants.

    Parameters
    ----------
    instants : ndarray of datetime64, shape (n,)
        Naive UTC.
    zone : str
        IANA zone.

    Returns
    -------
    ndarray of datetime64[us], shape (n,)
        Naive local time; an hour that happens twice appears twice.

    Examples
    --------
    >>> to_local(np.array(["2027-07-01T00:00"], "datetime64[us]"), "America/New_York")[0]
    np.datetime64('2027-06-30T20:00:00.000000')
    """
    if zone == "UTC" or len(instants) == 0:
        return instants.astype("datetime64[us]")
    import pandas as pd

    index = pd.DatetimeIndex(instants.astype("datetime64[us]")).tz_localize("UTC").tz_convert(zone_of(zone))
    return np.array(index.tz_localize(None), dtype="datetime64[us]")


def local_starts(series: Series) -> NDArray[np.datetime64]:
    """Return the local wall-clock start of every slice, naive datetime64[us], shape (n,).

    Examples
    --------
    >>> from forecasting.terms.history import Metric
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 7, 1, tzinfo=UTC),
    ...     step=timedelta(hours=1), values=np.zeros(1), zone="Asia/Tokyo")
    >>> local_starts(s)[0]
    np.datetime64('2027-07-01T09:00:00.000000')
    """
    return to_local(slice_starts(series), series.zone)


def resample_days(series: Series) -> Series:
    """Return `series` as one value per local day of its zone.

    Counts add up, everything else is averaged. A day enters only with all of its slices (23, 24 or 25 for hourly
    data): one missing slice makes the whole day NaN, because a partial sum is not a day's demand and scaling it up
    would invent traffic. The first and last day are dropped where the series does not cover them from midnight
    to midnight. A daily series is returned as it is.

    Raises
    ------
    InputError
        If the step is longer than a day or slices straddle a local midnight.

    Examples
    --------
    >>> from forecasting.terms.history import Metric
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(hours=6), values=np.array([1.0, 2, 3, 4, 5, 6, np.nan, 8]))
    >>> resample_days(s).values
    array([10., nan])
    """
    if series.step == DAY:
        return series
    tz = zone_of(series.zone)
    bounds = slice_bounds(series.start, series.step, series.zone, len(series))
    first = as_utc(series.start).astimezone(tz).date()
    last = bounds[-1].item().replace(tzinfo=UTC).astimezone(tz).date()
    edges = [local_midnight(first + i * DAY, tz) for i in range((last - first).days + 1)]
    edges = [edge for edge in edges if edge >= as_utc(series.start)]
    instants = np.array([_micro(edge) for edge in edges], "datetime64[us]")
    at = np.searchsorted(bounds, instants)
    if series.step > DAY or np.any(bounds[at] != instants):
        raise InputError(
            argument=f"step of {series.service} {series.metric.name}",
            came=str(series.step),
            allowed=f"slices of at most a day that end at local midnight in {series.zone}",
            try_instead="a shorter step, or the zone the slices were cut in",
        )
    values = np.empty(max(len(at) - 1, 0))
    for i in range(len(values)):
        part = series.values[at[i] : at[i + 1]]  # a NaN inside makes the sum and the mean NaN, as wanted
        values[i] = part.sum() if series.metric.kind is MetricKind.COUNT else part.mean()
    return Series(
        service=series.service,
        metric=series.metric,
        start=edges[0] if edges else as_utc(series.start),
        step=DAY,
        values=values,
        zone=series.zone,
    )


@lru_cache(maxsize=256)
def _holidays_in(country: str, subdivision: str, first_year: int, last_year: int) -> dict[date, str]:
    """Public holidays of a country or of a part of it, by local date."""
    import holidays

    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=range(first_year, last_year + 1))
    except NotImplementedError as error:
        parts = holidays.list_supported_countries(include_aliases=True).get(country)
        if parts is None:
            raise InputError(
                argument="country",
                came=country,
                allowed="an ISO 3166 code known to the library holidays",
                try_instead="US",
            ) from error
        raise InputError(
            argument="subdivision",
            came=subdivision,
            allowed=", ".join(parts) or f"none: the library holidays knows no parts of {country}",
            try_instead=parts[0] if parts else "leave it out",
        ) from error
    return {day: str(name) for day, name in found.items()}


def public_holidays(country: str, first: date, last: date, subdivision: str = "") -> dict[date, str]:
    """Return the public holidays of `country` from `first` to `last`, by local date, in order.

    Parameters
    ----------
    country : str
        ISO 3166 code; empty gives no holidays.
    first, last : date
        Both included.
    subdivision : str
        State or province, as the library ``holidays`` names it; empty gives those of the whole country only.

    Raises
    ------
    InputError
        If the country or its part is not known to the library ``holidays``.

    Examples
    --------
    >>> public_holidays("US", date(2013, 11, 1), date(2013, 11, 30))
    {datetime.date(2013, 11, 11): 'Veterans Day', datetime.date(2013, 11, 28): 'Thanksgiving Day'}
    >>> list(public_holidays("DE", date(2027, 3, 1), date(2027, 3, 10), "BE"))
    [datetime.date(2027, 3, 8)]
    """
    if not country:
        return {}
    known = _holidays_in(country, subdivision, first.year, last.year)
    return {day: known[day] for day in sorted(known) if first <= day <= last}
