"""The simulation behind Meridian: calendar, demand, incidents, queues. Pure functions of parameters and a generator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from meridian_parameters import CUT_OFF, DAYS_PER_MONTH, ZONE, Demand, Incidents
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def german_holidays(year: int) -> frozenset[date]:
    """Return the public holidays of all German states (Easter by the anonymous Gregorian computus)."""
    a, b, c = year % 19, year // 100, year % 100
    d = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    e = (32 + 2 * (b % 4) + 2 * (c // 4) - d - c % 4) % 7
    f = d + e - 7 * ((a + 11 * d + 22 * e) // 451) + 114
    easter = date(year, f // 31, f % 31 + 1)
    fixed = {date(year, m, n) for m, n in ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))}
    return frozenset(fixed | {easter + timedelta(days=n) for n in (-2, 1, 39, 50)})


def black_friday(year: int) -> date:
    """Return the day after the fourth Thursday of November."""
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 21 + 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Clock:
    """Every hour of a range of local days, and the days themselves.

    Arrays called `hour_*` have one entry per elapsed hour (shape (n_hours,)), `day_*` one per local day (n_days,).
    """

    days: tuple[date, ...]
    hour_at: NDArray[np.datetime64]
    """UTC start of the hour, naive datetime64[us]."""
    hour_day: NDArray[np.int64]
    """Index of the hour's local day in `days`."""
    hour_local: NDArray[np.int64]
    day_months: Floats
    """Months of 30.4375 days from the cut-off to the day's noon, negative in the past."""
    day_week: NDArray[np.int64]
    day_holiday: NDArray[np.bool_]
    day_business: NDArray[np.bool_]
    """Monday to Friday and not a holiday."""
    day_month_end: NDArray[np.bool_]
    """Among the last three days from Monday to Saturday of its month."""

    def day_sum(self, hourly: NDArray[np.generic]) -> NDArray[np.int64]:
        """Add up whole numbers by local day."""
        total = np.zeros(len(self.days), dtype=np.int64)
        np.add.at(total, self.hour_day, np.asarray(hourly, dtype=np.int64))
        return total

    def day_max(self, hourly: Floats) -> Floats:
        """Return the largest hourly value of each local day."""
        top = np.full(len(self.days), -np.inf)
        np.maximum.at(top, self.hour_day, hourly)
        return top

    def in_service_hours(self) -> NDArray[np.bool_]:
        """Return which hours lie in Monday to Saturday, 06:00 to 22:00 local."""
        return (self.day_week[self.hour_day] < 6) & (self.hour_local >= 6) & (self.hour_local < 22)


def make_clock(first: date, end: date) -> Clock:
    """Make the clock of the local days first <= day < end."""
    days = tuple(first + timedelta(days=n) for n in range((end - first).days))
    hours = pd.date_range(pd.Timestamp(first, tz=ZONE), pd.Timestamp(end, tz=ZONE), freq="h", inclusive="left")
    local = hours.tz_localize(None)
    epoch = np.datetime64(first, "D")
    ordinal = np.asarray(local.to_numpy().astype("datetime64[D]") - epoch).astype(np.int64)
    years = {day.year for day in days}
    holidays = frozenset[date]().union(*(german_holidays(year) for year in years))
    week = np.array([day.weekday() for day in days], dtype=np.int64)
    holiday = np.array([day in holidays for day in days])
    ends = set()
    for year, month in {(day.year, day.month) for day in days}:
        last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
        working = [last - timedelta(days=n) for n in range(5)]
        ends.update([day for day in working if day.weekday() < 6][:3])
    return Clock(
        days=days,
        hour_at=np.asarray(hours.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")),
        hour_day=ordinal,
        hour_local=np.asarray(local.hour, dtype=np.int64),
        day_months=np.array([((day - CUT_OFF).days + 0.5) / DAYS_PER_MONTH for day in days]),
        day_week=week,
        day_holiday=holiday,
        day_business=(week < 5) & ~holiday,
        day_month_end=np.array([day in ends for day in days]),
    )


def event_factor(demand: Demand, day: date) -> float:
    """Return the calendar factor of a day: Black Friday and the three days after it, December."""
    after = (day - black_friday(day.year)).days
    factor = 1.0
    if after == 0:
        factor = demand.black_friday
    elif 1 <= after <= 3:
        factor = 1.0 + (demand.black_friday - 1.0) / 2.0
    if day.month == 12 and day.day <= 23:
        factor = max(factor, demand.december)
    return factor


def expected_demand(demand: Demand, clock: Clock) -> Floats:
    """Return the demand of every hour without noise, in the unit of `demand.now`."""
    events = np.array([event_factor(demand, day) for day in clock.days])
    daily = demand.now * (1.0 + demand.growth) ** clock.day_months * np.array(demand.week)[clock.day_week] * events
    if demand.closed_on_holidays:
        daily = np.where(clock.day_holiday, 0.02 * daily, daily)
    daily = np.where(clock.day_month_end, demand.month_end * daily, daily)
    return np.asarray(daily[clock.hour_day] * np.array(demand.hours)[clock.hour_local])


def noisy_demand(demand: Demand, clock: Clock, rng: np.random.Generator) -> Floats:
    """Return one realisation of the demand: mean-one lognormal factors by day (autoregressive) and by hour."""
    phi, n = 0.4, len(clock.days)
    shocks = rng.normal(0.0, demand.day_noise * math.sqrt(1.0 - phi**2), n)
    log_day = np.empty(n)
    previous = rng.normal(0.0, demand.day_noise)
    for i in range(n):
        previous = phi * previous + shocks[i]
        log_day[i] = previous
    log_hour = rng.normal(0.0, 1.0, len(clock.hour_at)) * demand.hour_noise
    spread = demand.day_noise**2 + demand.hour_noise**2
    return np.asarray(expected_demand(demand, clock) * np.exp(log_day[clock.hour_day] + log_hour - spread / 2.0))


# --- Incidents -------------------------------------------------------------------------------------------------------


def _normal_quantile(p: Floats) -> Floats:
    """Invert the normal distribution function (Acklam 2003, relative error below 1.2e-9)."""
    a = (-3.969683028665376e01, 2.209460984245205e02, -2.759285104469687e02, 1.383577518672690e02,
         -3.066479806614716e01, 2.506628277459239e00)  # fmt: skip
    b = (-5.447609879822406e01, 1.615858368580409e02, -1.556989798598866e02, 6.680131188771972e01,
         -1.328068155288572e01, 1.0)  # fmt: skip
    c = (-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e00, -2.549732539343734e00,
         4.374664141464968e00, 2.938163982698783e00)  # fmt: skip
    d = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00, 1.0)
    tail = np.sqrt(-2.0 * np.log(np.minimum(p, 1.0 - p)))
    outer = np.sign(0.5 - p) * np.polyval(c, tail) / np.polyval(d, tail)
    q = p - 0.5
    inner = np.polyval(a, q * q) * q / np.polyval(b, q * q)
    return np.where(np.minimum(p, 1.0 - p) < 0.02425, outer, inner)


def _balanced_uniforms(n: int, rng: np.random.Generator) -> Floats:
    """Return one uniform from each of n equal strata, shuffled: n draws that represent the distribution well."""
    return np.asarray(rng.permutation((np.arange(n) + rng.random(n)) / n))


def _poisson_quantile(mean: float, uniforms: Floats) -> NDArray[np.int64]:
    """Invert the Poisson distribution function."""
    counts = np.zeros(len(uniforms), dtype=np.int64)
    term = cumulated = math.exp(-mean)
    for k in range(1, 60):
        counts[uniforms > cumulated] = k
        term *= mean / k
        cumulated += term
    return counts


def history_incidents(incidents: Incidents, days: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Draw (start, duration) in seconds from the first day on, sorted.

    Counts per month and durations are stratified draws within each twelve months, so that every year of history
    represents the process and what is read off it can be compared with the truth; starts are uniform.
    """
    blocks = max(1, round(days / DAYS_PER_MONTH))
    length = days * 86_400.0 / blocks
    events: list[tuple[float, float]] = []
    for year in range(0, blocks, 12):
        months = min(12, blocks - year)
        starts: list[float] = []
        counts = _poisson_quantile(incidents.per_month, _balanced_uniforms(months, rng))
        for block, count in enumerate(counts, start=year):
            for first in np.sort(rng.random(int(count))) * length + block * length:
                starts.append(float(first))
                later = rng.exponential(6 * 3600.0, int(rng.poisson(incidents.followers)))
                starts.extend(float(first + gap) for gap in later)
        quantiles = _normal_quantile(_balanced_uniforms(len(starts), rng))
        durations = np.exp(math.log(incidents.median_s) + incidents.sigma * quantiles)
        events.extend(zip(starts, durations.tolist(), strict=True))
    return sorted(events)


def outage_seconds(events: list[tuple[float, float]], hours: int) -> NDArray[np.int64]:
    """Spread outages over the elapsed hours, at most 3,600 s each (overlaps count once per hour's limit)."""
    down = np.zeros(hours)
    for start, duration in events:
        end = min(start + duration, hours * 3600.0)
        hour = int(start // 3600)
        while hour < hours and hour * 3600.0 < end:
            down[hour] += min(end, (hour + 1) * 3600.0) - max(start, hour * 3600.0)
            hour += 1
    return np.minimum(np.rint(down), 3600).astype(np.int64)


def attainment_samples(
    incidents: Incidents, weights: Floats, base_bad_share: float, n: int, rng: np.random.Generator
) -> Floats:
    """Simulate n windows: the share of good events when outages hit demand `weights` per hour. Shape (n,).

    An outage that begins in the window is cut at the window's end; one that began before it is not counted.
    """
    hours = len(weights)
    cumulated = np.concatenate([[0.0], np.cumsum(weights)])
    grid = np.arange(hours + 1, dtype=np.float64)
    months = hours / 24.0 / DAYS_PER_MONTH
    counts = rng.poisson(incidents.per_month * months, n)
    owner = np.repeat(np.arange(n), counts)
    start = rng.random(len(owner)) * hours
    follow = rng.poisson(incidents.followers, len(owner))
    owner = np.concatenate([owner, np.repeat(owner, follow)])
    start = np.concatenate([start, np.repeat(start, follow) + rng.exponential(6.0, int(follow.sum()))])
    length = np.exp(rng.normal(math.log(incidents.median_s), incidents.sigma, len(owner))) / 3600.0
    lost = np.interp(start + length, grid, cumulated) - np.interp(start, grid, cumulated)
    bad = np.bincount(owner, weights=lost, minlength=n) / cumulated[-1]
    return np.asarray(1.0 - np.minimum(1.0, bad + base_bad_share))


def failing_share(utilisation: Floats, base: float, at_full_load: float) -> Floats:
    """Return the share of requests that fail outside incidents: base + at_full_load x utilisation^8."""
    return np.asarray(np.minimum(1.0, base + at_full_load * utilisation**8))


def latency_p95(utilisation: Floats, floor_ms: float, slope_ms: float) -> Floats:
    """Return the p95 latency in ms: floor + slope x u / (1 - u), u at most 0.97 (beyond it requests are shed)."""
    u = np.minimum(utilisation, 0.97)
    return np.asarray(floor_ms + slope_ms * u / (1.0 - u))


# --- Queues ----------------------------------------------------------------------------------------------------------


def erlang_c_service_level(agents: int, calls_per_hour: Floats, aht_s: float, within_s: float) -> Floats:
    """Return the share of calls answered within `within_s` of the M/M/c queue (0 where it is unstable)."""
    load = np.asarray(calls_per_hour, dtype=np.float64) * aht_s / 3600.0
    blocked = np.ones_like(load)
    for k in range(1, agents + 1):
        blocked = load * blocked / (k + load * blocked)
    rho = load / agents
    stable = rho < 1.0
    safe = np.where(stable, rho, 0.0)
    waits = blocked / (1.0 - safe * (1.0 - blocked))
    level = 1.0 - waits * np.exp(-(agents - safe * agents) * within_s / aht_s)
    return np.where(stable, level, 0.0)


def agents_needed(calls_per_hour: float, aht_s: float, within_s: float, target: float) -> int:
    """Return the smallest number of agents whose Erlang C service level reaches the target."""
    agents = int(calls_per_hour * aht_s / 3600.0) + 1
    while float(erlang_c_service_level(agents, np.array([calls_per_hour]), aht_s, within_s)[0]) < target:
        agents += 1
    return agents
