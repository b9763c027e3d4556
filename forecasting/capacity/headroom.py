"""Daily peaks, from history and on paths, and the dates at which a limit is passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import DAY, as_utc, is_local_days, local_starts, slice_bounds, zone_of
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECENT_DAYS = 56
"""Days that count as the recent past: eight weeks, so that each weekday is seen eight times."""
MINIMUM_DAYS = 14
"""Days with data among the recent ones below which nothing is said."""
SUSTAINED_DAYS = 28
"""Days over whose busy days capacity has to last: four weeks."""
MEAN_DAYS = 14
"""Days over which a path's level is averaged: whole weeks, few enough to see a step within one."""
LEARNT_DAYS = 182
"""Days the busy-day factor is learnt from: half a year."""
COMPLETE = 0.9
"""A day counts where it has at least this share of the observed slices of the median day."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DailyUse:
    """Use per local day: its total (counts) or mean (levels), and its busiest slice."""

    days: NDArray[np.datetime64]
    """Shape (n,), datetime64[D], local calendar days in order; only days with data."""
    level: NDArray[np.float64]
    """Shape (n,): total of the day for counts, mean for the rest."""
    peak: NDArray[np.float64]
    """Shape (n,): busiest slice of the day."""

    def recent(self, as_of: date) -> DailyUse:
        """Return the days of the eight weeks before `as_of`."""
        keep = self.days >= np.datetime64(as_of, "D") - RECENT_DAYS
        return DailyUse(days=self.days[keep], level=self.level[keep], peak=self.peak[keep])


@dataclass(frozen=True, kw_only=True, eq=False)
class BusyDays:
    """How high the busy days of four weeks stand above their mean day.

    Examples
    --------
    >>> flat = BusyDays(factors=np.array([0.1]), days=56)
    >>> flat.demand(np.full(13, 100.0), np.array([[100.0, 240.0]]), seed=1)
    array([[10., 11.]])
    """

    factors: NDArray[np.float64]
    """Shape (k,): 95 % quantile of the daily peaks ÷ mean of the daily levels, one for each four weeks looked at."""
    days: int
    """Days they were learnt from."""

    def demand(self, history: NDArray[np.float64], paths: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
        """Return the busy-day demand on each coming day, shape (n_paths, days).

        It is the mean level of the two weeks up to the day times a factor drawn for the path. A single day's peak would
        be an extreme among hundreds of simulated days, which grows with the horizon whatever demand does; capacity is
        short when busy days are short of it, and that is also how use now is measured.

        Parameters
        ----------
        history : ndarray, shape (n,)
            Daily levels up to the cut-off.
        paths : ndarray, shape (n_paths, days)
            Daily levels of the coming days.
        seed : int
        """
        before = history[-(MEAN_DAYS - 1) :]
        joined = np.concatenate([np.broadcast_to(before, (len(paths), len(before))), paths], axis=1)
        total = np.concatenate([np.zeros((len(paths), 1)), np.cumsum(joined, axis=1)], axis=1)
        end = np.arange(len(before) + 1, joined.shape[1] + 1)
        start = np.maximum(end - MEAN_DAYS, 0)
        level = (total[:, end] - total[:, start]) / (end - start)
        rng = np.random.default_rng((seed, 0x9EAC))
        drawn = self.factors[rng.integers(0, len(self.factors), size=len(paths))]
        return np.asarray(level * drawn[:, None], dtype=np.float64)


def busy_days(use: DailyUse) -> BusyDays:
    """Return the busy-day factors of the four-week windows of the last half year, one a week.

    Examples
    --------
    >>> days = np.arange("2027-01-01", "2027-03-01", dtype="datetime64[D]")
    >>> busy_days(DailyUse(days=days, level=np.full(59, 200.0), peak=np.full(59, 25.0))).factors
    array([0.125, 0.125, 0.125, 0.125, 0.125])
    """
    level, peak = use.level[-LEARNT_DAYS:], use.peak[-LEARNT_DAYS:]
    width = min(SUSTAINED_DAYS, len(level))
    ends = range(len(level), width - 1, -7)
    factors = [
        float(np.quantile(peak[end - width : end], 0.95) / level[end - width : end].mean())
        for end in ends
        if level[end - width : end].mean() > 0
    ]
    return BusyDays(factors=np.array(factors or [1.0]), days=len(level))


def daily_use(use: Series, *, as_of: datetime, interval: timedelta | None = None) -> DailyUse | Excuse:
    """Return total or mean and peak of `use` per local day before `as_of`.

    Parameters
    ----------
    use : Series
        Use at its own step; NaN = not observed. No slice that ends after `as_of` is read.
    as_of : datetime
        Cut-off instant.
    interval : timedelta, optional
        Length of the slice whose peak is meant; a whole number of steps (counts add up, levels are averaged).

    Returns
    -------
    DailyUse or Excuse
        An excuse where the step is longer than the interval, or fewer than 14 of the last 56 days have data.

    Raises
    ------
    InputError
        For infinite values, or negative ones in a metric that cannot be negative.
    """
    values = np.asarray(use.values, dtype=np.float64)
    ends = slice_bounds(use.start, use.step, use.zone, len(use))[1:]
    keep = ends <= np.datetime64(as_utc(as_of).replace(tzinfo=None), "us")
    values, local = values[keep], local_starts(use)[keep]
    wrong = np.isinf(values) | (values < 0)
    if wrong.any():
        raise InputError(
            argument=f"{use.service} {use.metric.name}",
            came=float(values[wrong][0]),
            allowed="finite use of 0 or more, or NaN where it was not observed",
            try_instead="check the metric: capacity is used up by quantities of 0 or more",
        )
    counts = use.metric.kind is MetricKind.COUNT
    if interval is not None and interval != use.step:
        if interval % use.step or is_local_days(use.step):
            return Excuse(
                reason=f"{use.metric.name} is measured every {use.step}, which does not tell the busiest {interval}",
                what_would_help=f"the metric every {interval} or finer",
            )
        width = interval // use.step
        values, local = _merge(values, width, counts), local[: len(values) // width * width : width]
    days = local.astype("datetime64[D]")
    seen = np.isfinite(values)
    if not seen.any():
        return Excuse(
            reason=f"{use.metric.name} of {use.service} has no value before {as_of:%Y-%m-%d}",
            what_would_help="history of its use",
        )
    unique, place = np.unique(days[seen], return_inverse=True)
    number = np.bincount(place)
    total = np.bincount(place, values[seen]).astype(np.float64)
    peak = np.zeros(len(unique))
    np.maximum.at(peak, place, values[seen])
    # Some metrics have no rows at quiet hours, so a day is complete when it has about as many slices as other days.
    full = number >= COMPLETE * float(np.median(number))
    found = DailyUse(days=unique[full], level=(total if counts else total / number)[full], peak=peak[full])
    last = as_utc(as_of).astimezone(zone_of(use.zone)).date()
    if len(found.recent(last).days) < MINIMUM_DAYS:
        return Excuse(
            reason=f"{len(found.recent(last).days)} of the last {RECENT_DAYS} days have values of {use.metric.name}, "
            f"{MINIMUM_DAYS} needed",
            what_would_help=f"{MINIMUM_DAYS} days of recent history",
        )
    return found


def forecast_days(forecast: Forecast) -> tuple[date, ...]:
    """Return the local day of every slice of a daily forecast.

    Raises
    ------
    InputError
        Where the step is not one local day or a path is not finite.
    """
    if forecast.step != DAY:
        raise InputError(
            argument="forecast.step", came=str(forecast.step), allowed="one local day", try_instead="timedelta(days=1)"
        )
    if forecast.paths.ndim != 2 or 0 in forecast.paths.shape or not np.isfinite(forecast.paths).all():
        raise InputError(
            argument="forecast.paths",
            came=forecast.paths.shape,
            allowed="at least one path and day, all values finite",
            try_instead="a forecast from forecasting.forecasts",
        )
    first = as_utc(forecast.start).astimezone(zone_of(forecast.zone)).date()
    return tuple(first + i * DAY for i in range(forecast.horizon))


def passage_date(passages: NDArray[np.int64], days: tuple[date, ...], level: float) -> date | None:
    """Return the day by which the share `level` of all paths has passed the limit; None if not within the horizon.

    Examples
    --------
    >>> passage_date(np.array([0, 1, 2, 2]), (date(2027, 3, 1), date(2027, 3, 2)), 0.5)
    datetime.date(2027, 3, 2)
    """
    by = np.cumsum(np.bincount(passages, minlength=len(days) + 1)[:-1])
    enough = by >= level * len(passages) - 1e-9
    return days[int(enough.argmax())] if enough.any() else None


def order_date(need_by: date, lead_time: timedelta) -> date:
    """Return the latest local day on which to order what has to serve from the start of day `need_by`.

    Wall-clock arithmetic in the service's zone; part of a day counts as the day before.

    Examples
    --------
    >>> order_date(date(2027, 2, 1), timedelta(days=63)), order_date(date(2027, 2, 1), timedelta(hours=30))
    (datetime.date(2026, 11, 30), datetime.date(2027, 1, 30))
    """
    if lead_time < timedelta(0):
        raise InputError(argument="leadTime", came=str(lead_time), allowed="0 or more", try_instead="63d")
    return (datetime(need_by.year, need_by.month, need_by.day) - lead_time).date()  # noqa: DTZ001 - wall clock


def _merge(values: NDArray[np.float64], width: int, counts: bool) -> NDArray[np.float64]:
    """Neighbouring slices as one; one unknown part makes the whole unknown."""
    parts = values[: len(values) // width * width].reshape(-1, width)
    return np.asarray(parts.sum(axis=1) if counts else parts.mean(axis=1), dtype=np.float64)
