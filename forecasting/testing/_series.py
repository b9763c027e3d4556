"""Series of the kinds that break models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.history import Metric, MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEK = np.array([1.0, 1.1, 1.05, 1.0, 1.2, 0.6, 0.5])
"""An ordinary week from Tuesday on, as shares of its level."""
NEW_YORK_WINTER = datetime(2013, 1, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def make_series(
    values: NDArray[np.float64],
    kind: MetricKind = MetricKind.COUNT,
    *,
    step: timedelta = DAY,
    start: datetime = NEW_YORK_WINTER,
    zone: str = "America/New_York",
) -> Series:
    """Return a series to check with; in New York from 1 January 2013 on, unless told otherwise.

    Examples
    --------
    >>> len(make_series(np.ones(3)))
    3
    """
    return Series(
        service="checked",
        metric=Metric(name="events", kind=kind, step=step),
        start=start,
        step=step,
        values=np.array(values, dtype=np.float64),
        zone=zone,
    )


def usual_days(length: int = 120, seed: int = 7) -> NDArray[np.float64]:
    """Return counts per day with an ordinary week and 5 % of noise, shape (length,)."""
    rng = np.random.default_rng(seed)
    return np.asarray(200 * WEEK[np.arange(length) % 7] * (1 + 0.05 * rng.standard_normal(length)))


def usual_hours(length: int, seed: int = 8) -> NDArray[np.float64]:
    """Return counts per hour with an ordinary day and noise, shape (length,)."""
    noise = np.random.default_rng(seed).standard_normal(length)
    return np.asarray(20 + 10 * np.sin(np.arange(length) / 24 * 2 * np.pi) + noise)


def bad_inputs() -> Iterator[tuple[str, Series]]:
    """Yield named series of the kinds that break models: short, gapped, extreme, at bounds, on other grids.

    Examples
    --------
    >>> "all zero" in dict(bad_inputs())
    True
    """
    yield from _lengths_and_gaps()
    yield from _levels()
    yield from _kinds()
    yield from _grids()


def _lengths_and_gaps() -> Iterator[tuple[str, Series]]:
    """Short ones and ones with holes."""
    usual, days, rng = usual_days(), np.arange(120), np.random.default_rng(9)
    for length in (1, 2, 3, 5, 7, 13, 14, 15, 21, 30):
        yield f"length {length}", make_series(usual[:length])
    yield "usual", make_series(usual)
    yield "all missing", make_series(np.full(60, np.nan))
    yield "one value known", make_series(np.where(days == 60, usual, np.nan))
    yield "two values known", make_series(np.where((days == 20) | (days == 60), usual, np.nan))
    yield "missing at first", make_series(np.where(days < 40, np.nan, usual))
    yield "missing at last", make_series(np.where(days >= 110, np.nan, usual))
    yield "missing at both ends", make_series(np.where((days < 9) | (days > 112), np.nan, usual))
    yield "one gap", make_series(np.where(days == 60, np.nan, usual))
    yield "gap of 30 days", make_series(np.where((days > 50) & (days <= 80), np.nan, usual))
    yield "half missing", make_series(np.where((rng.random(120) < 0.5) & (days > 0) & (days < 119), np.nan, usual))
    yield "never on Sundays", make_series(np.where(days % 7 == 5, np.nan, usual))


def _levels() -> Iterator[tuple[str, Series]]:
    """Flat, extreme, changing."""
    usual, days, rng = usual_days(), np.arange(120), np.random.default_rng(10)
    yield "constant", make_series(np.full(120, 42.0))
    yield "two constant values", make_series(np.full(2, 42.0))
    yield "almost constant", make_series(np.r_[np.full(119, 42.0), 42.0001])
    yield "all zero", make_series(np.zeros(120))
    yield "zero at last", make_series(np.where(days >= 100, 0.0, usual))
    yield "intermittent", make_series(np.where(rng.random(120) < 0.15, rng.poisson(3, 120), 0).astype(float))
    yield "a third zero", make_series(np.where(rng.random(120) < 0.35, 0.0, np.round(usual)))
    yield "outlier", make_series(np.where(days == 100, 1e8, usual))
    yield "outlier at last", make_series(np.where(days == 119, 1e6, usual))
    yield "level shift", make_series(np.where(days > 90, 10 * usual, usual))
    yield "level shift down", make_series(np.where(days > 100, 0.02 * usual, usual))
    yield "huge", make_series(usual * 1e13)
    yield "tiny", make_series(usual * 1e-14, MetricKind.NON_NEGATIVE)
    yield "exact week twice", make_series(np.tile(100 * WEEK, 2))
    yield "exact week", make_series(np.tile(100 * WEEK, 12))
    yield "exponential growth", make_series(np.exp(days / 12.0), MetricKind.NON_NEGATIVE)


def _kinds() -> Iterator[tuple[str, Series]]:
    """Metrics of every kind, near their bounds."""
    days, rng = np.arange(120), np.random.default_rng(11)
    yield "integer counts", make_series(rng.poisson(2.5 * WEEK[days % 7]).astype(float))
    yield "ratio near one", make_series(np.clip(0.98 + 0.03 * rng.standard_normal(120), 0, 1), MetricKind.RATIO)
    yield "ratio of zeros and ones", make_series((rng.random(120) < 0.7).astype(float), MetricKind.RATIO)
    yield "ratio near zero", make_series(np.clip(0.002 * rng.standard_normal(120), 0, 1), MetricKind.RATIO)
    percent = np.clip(97 + 4 * rng.standard_normal(120), 0, 100)
    yield "percent", make_series(percent, MetricKind.NON_NEGATIVE)
    yield "negative level", make_series(-5 + rng.standard_normal(120), MetricKind.REAL)
    yield "around zero", make_series(rng.standard_normal(120), MetricKind.REAL)
    yield "growing stock", make_series(1000 + 3.0 * days + rng.standard_normal(120), MetricKind.NON_NEGATIVE)
    stock = np.cumsum(rng.poisson(3, 120)).astype(float)
    yield "stock that never falls", make_series(stock, MetricKind.NON_NEGATIVE)


def _grids() -> Iterator[tuple[str, Series]]:
    """Other steps than a day, and clocks that change."""
    yield "hourly", make_series(usual_hours(24 * 21), step=HOUR)
    yield "two days of hours", make_series(usual_hours(48), step=HOUR)
    yield "ten hours", make_series(usual_hours(10), step=HOUR)
    spring, autumn = datetime(2013, 3, 20, tzinfo=UTC), datetime(2013, 10, 16, tzinfo=UTC)
    yield "clocks go forward", make_series(usual_hours(24 * 16), step=HOUR, start=spring, zone="Europe/Berlin")
    yield "clocks go back", make_series(usual_hours(24 * 16), step=HOUR, start=autumn, zone="Europe/Berlin")
    local_midnight = datetime(2013, 9, 30, 22, tzinfo=UTC)
    yield "days over a change of clocks", make_series(usual_days(60), start=local_midnight, zone="Europe/Berlin")
    every_five = np.maximum(50 + 20 * np.sin(np.arange(288 * 4) / 288 * 2 * np.pi), 0)
    every_five += np.random.default_rng(12).random(288 * 4)
    yield "five minutes", make_series(every_five, step=timedelta(minutes=5), zone="UTC")
    weeks = 1000 + 200 * np.sin(np.arange(130) / 52 * 2 * np.pi) + 30 * np.random.default_rng(13).standard_normal(130)
    yield "weekly", make_series(weeks, step=timedelta(days=7))
    yield "twenty weeks", make_series(weeks[:20], step=timedelta(days=7))
    yield "monthly", make_series(weeks[:48] * (1 + 0.2 * np.sin(np.arange(48) / 6 * np.pi)), step=timedelta(days=30))
