"""One realisation of Meridian's metrics: three years by the day, thirteen months by the hour."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

import meridian_parameters as P
import numpy as np
import pandas as pd
from meridian_model import (
    Clock,
    Floats,
    agents_needed,
    erlang_c_service_level,
    failing_share,
    history_incidents,
    latency_p95,
    make_clock,
    noisy_demand,
    outage_seconds,
)
from numpy.typing import NDArray

HISTORY_DAYS = (P.CUT_OFF - P.FIRST_DAY).days
DECIMALS = 4
"""Metrics that are not counts are rounded to this many decimals."""
STREAMS = (
    "web-shop", "payments-api", "product-search", "gift-cards", "email", "vdi", "cdn", "kubernetes-platform",
    "storage", "wan-circuit-a", "wan-circuit-b", "wan-common", "service-desk", "sap-erp", "dwh-batch", "stocks",
)  # fmt: skip
"""Each has a random stream of its own, so that a change to one leaves the others as they are. Append only."""
SALT = 75
"""Chosen once so that with seed 7 the web shop's three years look like its parameters (T1: mean availability 99.95 %,
one month in six missed); rare heavy outages make other histories look better or worse than the truth behind them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Metrics:
    """Everything one run of the generator makes."""

    clock: Clock
    """The days of the daily metrics, up to the cut-off."""
    hours: Clock
    """The hours behind the hourly tables; one day longer, because Berlin's midnight is an hour before UTC's."""
    daily: dict[tuple[str, str], Floats]
    """Values by (service, metric) per local day; NaN = not measured."""
    hourly: dict[str, pd.DataFrame]
    """Wide tables by file name: service, at (UTC), one column per metric."""


def _stream(seed: int, name: str) -> np.random.Generator:
    """Return the random stream of one part of the simulation."""
    return np.random.default_rng(np.random.SeedSequence([seed, SALT, STREAMS.index(name)]))


def capacity_rps(service: str) -> float:
    """Return the requests a second that a web service's capacity carries."""
    return {
        "web-shop": float(P.WEB_PODS * P.RPS_PER_POD),
        "payments-api": float(P.PSP_TPS),
        "product-search": P.SEARCH_NODES * P.QPS_PER_NODE,
        "gift-cards": float(P.GIFT_CARD_RPS),
    }[service]


def _web(clock: Clock, seed: int) -> tuple[dict[tuple[str, str], Floats], dict[str, dict[str, Floats]]]:
    """Simulate the request services: requests, good requests, latency."""
    demands = {
        "web-shop": P.WEB_SHOP,
        "payments-api": P.PAYMENTS,
        "product-search": P.SEARCH,
        "gift-cards": P.GIFT_CARDS,
    }
    daily: dict[tuple[str, str], Floats] = {}
    hourly: dict[str, dict[str, Floats]] = {}
    for name, demand in demands.items():
        rng = _stream(seed, name)
        rate = noisy_demand(demand, clock, rng)
        use = rate / capacity_rps(name)
        requests = np.rint(rate * 3600.0).astype(np.int64)
        share = failing_share(use, P.BASE_BAD_SHARE[name], P.LOAD_BAD_SHARE)
        down = outage_seconds(history_incidents(P.INCIDENTS[name], HISTORY_DAYS, rng), len(rate))
        bad = np.minimum(requests, rng.poisson(requests * share) + np.rint(requests * down / 3600.0).astype(np.int64))
        p95 = latency_p95(use, P.LATENCY_FLOOR_MS[name], P.LATENCY_SLOPE_MS[name])
        p95 = p95 * np.exp(rng.normal(0.0, P.LATENCY_NOISE, len(rate)))
        p99 = p95 * 1.6 * np.exp(rng.normal(0.0, P.LATENCY_NOISE, len(rate)))
        good = requests - bad
        hourly[name] = {
            "requests": requests.astype(float),
            "good_requests": good.astype(float),
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
        }
        daily[name, "requests_daily"] = clock.day_sum(requests).astype(float)
        daily[name, "good_requests_daily"] = clock.day_sum(good).astype(float)
        daily[name, "peak_requests_per_second"] = clock.day_max(rate)
    return daily, hourly


def _erp_outages(clock: Clock, rng: np.random.Generator) -> NDArray[np.int64]:
    """Plant T11: 0.11 to 0.16 % of each month's service seconds are lost, 70 % of them in month-end hours.

    Month-end hours are 08:00 to 18:00 of the last three days from Monday to Saturday of the month.
    """
    served = clock.in_service_hours()
    ends = clock.day_month_end[clock.hour_day] & (clock.hour_local >= 8) & (clock.hour_local < 18) & served
    month = np.array([day.year * 12 + day.month for day in clock.days])[clock.hour_day]
    down = np.zeros(len(month), dtype=np.int64)
    for value in np.unique(month):
        here = month == value
        lost = rng.uniform(P.ERP_DOWN_LOW, P.ERP_DOWN_HIGH) * 3600.0 * float((here & served).sum())
        for pool, part in ((here & ends, P.ERP_MONTH_END_SHARE), (here & served & ~ends, 1 - P.ERP_MONTH_END_SHARE)):
            hours = np.flatnonzero(pool)
            if len(hours) == 0:  # the running month has no month-end yet
                continue
            pieces = rng.dirichlet(np.full(3, 4.0)) * lost * part
            down[rng.choice(hours, 3, replace=False)] += np.rint(pieces).astype(np.int64)
    return np.minimum(down, 3600)


def _availability(clock: Clock, seed: int) -> tuple[dict[tuple[str, str], Floats], dict[str, dict[str, Floats]]]:
    """Simulate the services measured in seconds of service."""
    hours = len(clock.hour_at)
    always = np.full(hours, 3600, dtype=np.int64)
    office = np.where(clock.in_service_hours(), 3600, 0).astype(np.int64)
    down: dict[str, NDArray[np.int64]] = {}
    for name in ("email", "vdi", "cdn", "kubernetes-platform", "storage"):
        down[name] = outage_seconds(history_incidents(P.INCIDENTS[name], HISTORY_DAYS, _stream(seed, name)), hours)
    down["sap-erp"] = _erp_outages(clock, _stream(seed, "sap-erp"))
    events = {
        name: history_incidents(P.INCIDENTS[name], HISTORY_DAYS, _stream(seed, name))
        for name in ("wan-circuit-a", "wan-circuit-b", "wan-common")
    }
    common = outage_seconds(events["wan-common"], hours)
    circuits = {
        letter: np.minimum(3600, outage_seconds(events[f"wan-circuit-{letter}"], hours) + common) for letter in "ab"
    }
    both = [
        (max(a, b), min(a + s, b + t) - max(a, b))
        for a, s in events["wan-circuit-a"]
        for b, t in events["wan-circuit-b"]
        if min(a + s, b + t) > max(a, b)
    ]
    down["wan-link"] = np.minimum(3600, common + outage_seconds(both, hours))
    daily: dict[tuple[str, str], Floats] = {}
    hourly: dict[str, dict[str, Floats]] = {}
    for name in sorted(down):
        service = office if name in ("vdi", "sap-erp") else always
        available = service - np.minimum(service, down[name])
        hourly[name] = {"available_seconds": available.astype(float), "service_seconds": service.astype(float)}
        daily[name, "available_seconds_daily"] = clock.day_sum(available).astype(float)
        daily[name, "service_seconds_daily"] = clock.day_sum(service).astype(float)
    for letter, lost in circuits.items():
        daily["wan-link", f"circuit_{letter}_available_seconds"] = clock.day_sum(always - lost).astype(float)
    return daily, hourly


def desk_plan() -> tuple[int, ...]:
    """Return the agents on line by local hour: all 15 in the two busy hours, else Erlang C on the mean calls."""
    return tuple(
        0
        if share == 0
        else P.DESK_AGENTS
        if share >= P.DESK_BUSY_SHARE
        else agents_needed(P.DESK.now * share, P.DESK_AHT_S, P.DESK_ANSWER_S, P.DESK_PLAN_TARGET)
        for share in P.DESK_HOURS
    )


def desk_agents(clock: Clock) -> NDArray[np.int64]:
    """Return the agents on line in each elapsed hour."""
    return np.where(clock.day_business[clock.hour_day], np.array(desk_plan())[clock.hour_local], 0)


def _desk(clock: Clock, seed: int) -> tuple[dict[tuple[str, str], Floats], dict[str, dict[str, Floats]]]:
    """Simulate the service desk: Poisson calls, Erlang C answers."""
    rng = _stream(seed, "service-desk")
    agents = desk_agents(clock)
    rate = np.where(agents > 0, noisy_demand(P.DESK, clock, rng), 0.0)
    level = np.zeros(len(rate))
    for count in np.unique(agents[agents > 0]):
        here = agents == count
        level[here] = erlang_c_service_level(int(count), rate[here], P.DESK_AHT_S, P.DESK_ANSWER_S)
    offered = rng.poisson(rate)
    answered = rng.binomial(offered, level)
    abandoned = rng.binomial(offered - answered, 0.12)
    hourly = {
        "service-desk": {
            "calls_offered": offered.astype(float),
            "calls_answered_within_20_s": answered.astype(float),
            "calls_abandoned": abandoned.astype(float),
            "agents_on_line": agents.astype(float),
        }
    }
    daily = {
        ("service-desk", "calls_offered_daily"): clock.day_sum(offered).astype(float),
        ("service-desk", "calls_answered_within_20_s_daily"): clock.day_sum(answered).astype(float),
    }
    return daily, hourly


def _office(clock: Clock, seed: int) -> tuple[dict[tuple[str, str], Floats], dict[str, dict[str, dict[str, Floats]]]]:
    """Simulate VDI sessions and the dialog load and response of SAP ERP."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, SALT, STREAMS.index("vdi"), 1]))
    sessions = np.rint(noisy_demand(P.VDI, clock, rng))
    full = sessions / (P.VDI_HOSTS * P.VDI_USERS_PER_HOST)
    logon = (16.0 + 6.0 * full / (1.0 - full)) * np.exp(rng.normal(0.0, 0.04, len(full)))
    rng = np.random.default_rng(np.random.SeedSequence([seed, SALT, STREAMS.index("sap-erp"), 1]))
    steps = np.rint(noisy_demand(P.ERP, clock, rng))
    response = (0.42 + 0.16 * (steps / P.ERP.now) ** 3) * np.exp(rng.normal(0.0, 0.05, len(steps)))
    share = np.where(clock.day_month_end, P.SAPS_MONTH_END, P.SAPS_ORDINARY)
    quiet = np.where(clock.day_business, 1.0, 0.6)
    saps = P.SAPS * share * quiet * (1.0 + P.SAPS_GROWTH) ** clock.day_months
    saps = saps * np.exp(rng.normal(0.0, 0.008, len(share)))
    progress = np.arange(len(clock.days)) / (len(clock.days) - 1)
    csat = P.CSAT_FIRST + (P.CSAT_LAST - P.CSAT_FIRST) * progress + rng.normal(0.0, 0.12, len(progress))
    daily = {
        ("vdi", "peak_concurrent_sessions"): clock.day_max(sessions),
        ("sap-erp", "saps_used"): saps,
        ("sap-erp", "csat_score"): np.clip(csat, 1.0, 5.0),
    }
    return daily, {
        "vdi_hourly": {"vdi": {"concurrent_sessions": sessions, "logon_p90_s": logon}},
        "erp_hourly": {"sap-erp": {"dialog_steps": steps, "dialog_response_s": response}},
    }


def batch_medians(clock: Clock) -> Floats:
    """Return the median minutes of the batch that ends in the morning of each day."""
    weeks = clock.day_months * P.DAYS_PER_MONTH / 7.0
    return np.asarray(P.BATCH_MEDIAN_MIN * (1.0 + P.BATCH_GROWTH_WEEK) ** weeks)


BATCH_SIGMA = math.log(P.BATCH_P95_MIN / P.BATCH_MEDIAN_MIN) / 1.6448536269514722


def _batch(clock: Clock, seed: int) -> dict[tuple[str, str], Floats]:
    """Simulate the nightly batch of the data warehouse; at = the local day on whose morning it ends."""
    rng = _stream(seed, "dwh-batch")
    minutes = np.round(batch_medians(clock) * np.exp(rng.normal(0.0, BATCH_SIGMA, len(clock.days))), 1)
    rows = batch_medians(clock) / P.BATCH_MEDIAN_MIN * P.BATCH_ROWS_MILLIONS
    counted = clock.day_business.astype(float)
    return {
        ("dwh-batch", "batch_minutes"): minutes,
        ("dwh-batch", "batch_rows_millions"): rows * np.exp(rng.normal(0.0, 0.01, len(rows))),
        ("dwh-batch", "batch_nights"): counted,
        ("dwh-batch", "batch_nights_on_time"): np.where(minutes <= P.BATCH_WINDOW_MIN, counted, 0.0),
    }


def _bridge(n: int, sd: float, rng: np.random.Generator) -> Floats:
    """Return a random walk pinned to 0 at both ends, so that the level now and the mean growth are as planted."""
    walk = np.cumsum(rng.normal(0.0, sd, n))
    return np.asarray(walk - walk[0] - (walk[-1] - walk[0]) * np.arange(n) / (n - 1))


def cdn_daily_tb(clock: Clock) -> Floats:
    """Return the expected CDN traffic per day: 742 TB in the 30.4375 days to the cut-off at +3.1 % a month."""
    recent = np.log(1.0 + P.CDN_GROWTH)
    level = P.CDN_TB_MONTH / P.DAYS_PER_MONTH * recent / -np.expm1(-recent)
    return np.asarray(level * (1.0 + P.CDN_GROWTH) ** clock.day_months * np.array(P.CDN_WEEK)[clock.day_week])


def _stocks(clock: Clock, seed: int) -> dict[tuple[str, str], Floats]:
    """Simulate what fills up: storage, CDN commit, WAN, vCPU, mailboxes."""
    rng = _stream(seed, "stocks")
    n, months = len(clock.days), clock.day_months
    latest = months - months[-1]
    storage = P.STORAGE_TB + P.STORAGE_TB_MONTH * latest + _bridge(n, P.STORAGE_DAY_SD, rng)
    earlier = make_clock(clock.days[0] - timedelta(days=29), clock.days[-1] + timedelta(days=1))
    cdn = cdn_daily_tb(earlier) * np.exp(rng.normal(0.0, P.CDN_DAY_NOISE, n + 29) - P.CDN_DAY_NOISE**2 / 2)
    trailing = np.convolve(cdn, np.ones(30), mode="valid") / 30.0 * P.DAYS_PER_MONTH
    wan = P.WAN_GBPS * (1.0 + P.WAN_GROWTH) ** latest
    wan = wan * np.exp(rng.normal(0.0, P.WAN_DAY_NOISE, n))
    latency = (4.0 + 2.0 * wan / P.WAN_LINK_GBPS) * np.exp(rng.normal(0.0, 0.05, n))
    latency[-P.STALE_DAYS :] = np.nan  # T13
    disk = (1.6 + 1.2 * storage / P.STORAGE_TB_INSTALLED) * np.exp(rng.normal(0.0, 0.06, n))
    vcpu = P.VCPU * (1.0 + P.VCPU_GROWTH) ** latest + _bridge(n, 2.0, rng)
    mailboxes = P.MAILBOXES * (1.0 + P.MAILBOX_GROWTH) ** latest + _bridge(n, 1.0, rng)
    return {
        ("storage", "storage_used_tb"): storage,
        ("storage", "storage_latency_p95_ms"): disk,
        ("cdn", "cdn_traffic_tb"): cdn[29:],
        ("cdn", "cdn_month_tb"): trailing,
        ("cdn", "cdn_cache_hit_share"): np.clip(0.94 + rng.normal(0.0, 0.004, n), 0.0, 1.0),
        ("wan-link", "wan_p95_gbps"): wan,
        ("wan-link", "wan_latency_p95_ms"): latency,
        ("kubernetes-platform", "vcpu_requested"): np.rint(vcpu),
        ("email", "mailboxes"): np.rint(mailboxes),
    }


COUNTS = frozenset(
    {
        "requests", "good_requests", "available_seconds", "service_seconds", "calls_offered",
        "calls_answered_within_20_s", "calls_abandoned", "agents_on_line", "concurrent_sessions", "dialog_steps",
        "batch_nights", "batch_nights_on_time", "peak_concurrent_sessions", "vcpu_requested", "mailboxes",
        "circuit_a_available_seconds", "circuit_b_available_seconds",
    }
)  # fmt: skip
"""Metrics written as whole numbers (their `_daily` twins too)."""


def is_whole(metric: str) -> bool:
    """Tell whether a metric is written as a whole number."""
    return metric.removesuffix("_daily") in COUNTS


def _table(clock: Clock, services: dict[str, dict[str, Floats]]) -> pd.DataFrame:
    """Make the wide table of the last thirteen months, up to midnight UTC of the cut-off."""
    first = P.FIRST_HOURLY_DAY
    keep = (clock.hour_day >= (first - clock.days[0]).days) & (clock.hour_at < np.datetime64(P.CUT_OFF, "us"))
    parts = []
    for name, columns in services.items():
        frame = pd.DataFrame({"service": name, "at": clock.hour_at[keep]})
        for metric, values in columns.items():
            part = values[keep]
            frame[metric] = np.rint(part).astype(np.int64) if is_whole(metric) else np.round(part, DECIMALS)
        parts.append(frame)
    return pd.concat(parts, ignore_index=True)


def simulate(seed: int) -> Metrics:
    """Run the simulation.

    Parameters
    ----------
    seed : int
        0 or more; the same seed gives the same numbers.

    Returns
    -------
    Metrics
        Daily values of all services and the wide hourly tables.
    """
    clock = make_clock(P.FIRST_DAY, P.CUT_OFF)
    hours = make_clock(P.FIRST_DAY, P.CUT_OFF + timedelta(days=1))
    web_daily, web_hourly = _web(hours, seed)
    availability_daily, availability_hourly = _availability(hours, seed)
    desk_daily, desk_hourly = _desk(hours, seed)
    office_daily, office_hourly = _office(hours, seed)
    summed = web_daily | availability_daily | desk_daily | office_daily
    daily = {key: values[:HISTORY_DAYS] for key, values in summed.items()}
    groups = {
        "web_hourly": web_hourly,
        "availability_hourly": availability_hourly,
        "desk_hourly": desk_hourly,
        **office_hourly,
    }
    return Metrics(
        clock=clock,
        hours=hours,
        daily=daily | _batch(clock, seed) | _stocks(clock, seed),
        hourly={name: _table(hours, part) for name, part in groups.items()},
    )
