"""The truths about capacity: what fills up, when, and what has to be ordered by when (T2 to T6, T9, T10, campaign).

Tolerances of dates are what a history of one year cannot tell, not what the package happens to say:

- T2: nights scatter by 8 %, so that a line through 365 of them ends within 0.85 % (one standard error), which is a
  week of growth, and points half a year ahead within 1.5 %, which is twelve days. Two weeks for the near date, two and
  a half for the far one, three where the date is itself the first of many random nights.
- T3: the level scatters by 0.3 % only; five weeks are 10 % of the way, the rule of the design for far dates.
- T4: the stock is a random walk, 0.30 TB a day; after 314 days it is 5.3 TB or twelve days off, and its own last year
  is off by as much again. A month is less than two standard errors of both.
- T9: 10 % of the way again; on eight other histories the straight line of the last year says 29 May to 12 June.

Orders are due for the day that one path in ten passes earlier, as in the plan, not for the median.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta

import meridian_parameters as P
import numpy as np
from meridian_metrics import BATCH_SIGMA, Metrics, batch_medians, capacity_rps, cdn_daily_tb
from meridian_model import (
    Floats,
    agents_needed,
    black_friday,
    erlang_c_service_level,
    expected_demand,
    failing_share,
    latency_p95,
    make_clock,
    noisy_demand,
)
from truths_common import Figure, Truth, figure, months_ahead, normal_cdf, probability

PATHS = 4_000
RECENT_DAYS = 56
"""The recent past in which the capacity stage looks for the peak in use."""


def _passage(name: str, first: Floats, tolerance: float, *, testable: bool = True) -> list[Figure]:
    """Return the quantiles of the day (number after the cut-off) on which paths pass a limit."""
    found = []
    for q in (0.1, 0.5, 0.9):
        day = float(np.quantile(first, q))
        near = np.quantile(first, (max(0.0, q - 0.01), min(1.0, q + 0.01)))
        error = float(near[1] - near[0]) / 0.02 * math.sqrt(q * (1 - q) / len(first))
        found.append(
            figure(f"{name}_p{round(100 * q)}", P.CUT_OFF + timedelta(days=int(day)), "date", tolerance=tolerance,
                   testable=testable, mc_error=error, note="first passage on simulated paths")
        )  # fmt: skip
    return found


def _before(day: Figure, days: int) -> date:
    """Return the day so many days before that of a figure."""
    return date.fromisoformat(str(day.value)) - timedelta(days=days)


def _first(paths: Floats, limit: float) -> Floats:
    """Return the first day (0-based) at or above the limit; the number of days where there is none."""
    hit = paths >= limit
    return np.asarray(np.where(hit.any(axis=1), hit.argmax(axis=1), paths.shape[1]), dtype=np.float64)


def _late_quarter(first: date, end: date) -> tuple[float, float, int]:
    """Return P(more than 3 % of the business nights are late), expected late nights, business nights."""
    clock = make_clock(first, end)
    medians = batch_medians(clock)[clock.day_business]
    late = [1.0 - normal_cdf(math.log(P.BATCH_WINDOW_MIN / m) / BATCH_SIGMA) for m in medians]
    chances = np.array([1.0])
    for p in late:
        chances = np.convolve(chances, [1.0 - p, p])
    allowed = 3 * len(late) // 100
    return float(chances[allowed + 1 :].sum()), float(sum(late)), len(late)


def batch() -> Truth:
    """T2: the nightly load outgrows its window."""
    weekly = math.log(1 + P.BATCH_GROWTH_WEEK)
    room = math.log(P.BATCH_WINDOW_MIN / P.BATCH_MEDIAN_MIN)
    weeks = {z: (room - z * BATCH_SIGMA) / weekly for z in (0.0, 1.2815515655446, 1.6448536269514722)}
    clock = make_clock(P.CUT_OFF, P.CUT_OFF + timedelta(days=300))
    rng = np.random.default_rng(202)
    nights = batch_medians(clock) * np.exp(rng.normal(0.0, BATCH_SIGMA, (PATHS, 300)))
    dst = make_clock(date(2027, 3, 28), date(2027, 3, 29))
    median = float(batch_medians(dst)[0])
    q1, late, count = _late_quarter(date(2027, 1, 1), date(2027, 4, 1))
    q2, _, _ = _late_quarter(date(2027, 4, 1), date(2027, 7, 1))

    def day(value: float) -> date:
        return P.CUT_OFF + timedelta(days=math.floor(7 * value))

    return Truth(
        id="T2",
        statement="The nightly load passes its 480 minutes: one night in twenty in about ten weeks, every second night "
        "in about half a year; on 28 March 2027 the window has only 420 minutes.",
        service="dwh-batch",
        resource="batch-window",
        stage="capacity",
        status="testable",
        not_yet="P(miss) of the quarters needs badness that follows load (no night has been late yet); the short "
        "window of 28 March needs service hours with daylight saving time",
        expected=(
            figure("p95_reaches_480_weeks", weeks[1.6448536269514722], "weeks", tolerance=2, design=10,
                   testable=True),
            figure("p95_reaches_480", day(weeks[1.6448536269514722]), "date", tolerance=14, testable=True),
            figure("p90_reaches_480", day(weeks[1.2815515655446]), "date", tolerance=21, testable=True,
                   note="the 90 % line of the daily use"),
            figure("median_reaches_480_weeks", weeks[0.0], "weeks", tolerance=2.5, design=25, testable=True),
            figure("median_reaches_480", day(weeks[0.0]), "date", tolerance=18, testable=True),
            *_passage("first_late_night", _first(nights, P.BATCH_WINDOW_MIN), 21),
            figure("median_minutes_28_march", median, "min", tolerance=15, testable=False),
            figure("p95_minutes_28_march", median * math.exp(1.6448536269514722 * BATCH_SIGMA), "min", tolerance=20,
                   testable=False, note="the window of that night is 420 min"),
            figure("p_late_28_march", 1 - normal_cdf(math.log(420 / median) / BATCH_SIGMA), "probability",
                   tolerance=0.1, testable=False),
            figure("p_miss_2027-Q1", q1, "probability", tolerance=0.1, testable=False,
                   note=f"{count} business nights, {late:.1f} expected late"),
            figure("p_miss_2027-Q2", q2, "probability", tolerance=0.05, testable=False),
        ),
    )  # fmt: skip


def wan() -> Truth:
    """T3: the remaining circuit reaches 80 %."""
    limit = P.WAN_LINK_GBPS * P.WAN_LIMIT_PERCENT / 100
    months = math.log(limit / P.WAN_GBPS) / math.log(1 + P.WAN_GROWTH)
    ahead = np.arange(1, 501) / P.DAYS_PER_MONTH
    noise = np.exp(np.random.default_rng(203).normal(0.0, P.WAN_DAY_NOISE, (PATHS, 500)))
    reached = months_ahead(months)
    passes = _passage("passes_limit", _first(P.WAN_GBPS * (1 + P.WAN_GROWTH) ** ahead * noise, limit), 38)
    return Truth(
        id="T3",
        statement="One WAN circuit alone reaches 80 % in about a year; the order has to go out twenty weeks before.",
        service="wan-link",
        resource="wan-capacity",
        stage="capacity",
        status="testable",
        not_yet=None,
        expected=(
            figure("growth_per_month", P.WAN_GROWTH, "share", tolerance=0.002, design=0.022, testable=True),
            figure("months_to_80_percent", months, "months", tolerance=1.25, design=12.5, testable=True),
            figure("reaches_80_percent", reached, "date", tolerance=38, testable=True),
            figure("order_by", _before(passes[0], P.LEAD_DAYS["wan"]), "date", tolerance=38, design="2027-07",
                   testable=True),
            *passes,
        ),
    )  # fmt: skip


def storage() -> Truth:
    """T4: storage reaches 85 %, by trend and with the retention law."""
    limit = P.STORAGE_TB_INSTALLED * P.STORAGE_LIMIT_PERCENT / 100
    months = (limit - P.STORAGE_TB) / P.STORAGE_TB_MONTH
    law = (limit - P.STORAGE_TB - P.D7_RETENTION_TB[1]) / P.STORAGE_TB_MONTH
    steps = np.random.default_rng(204).normal(P.STORAGE_TB_MONTH / P.DAYS_PER_MONTH, P.STORAGE_DAY_SD, (PATHS, 450))
    passes = _passage("passes_limit", _first(P.STORAGE_TB + np.cumsum(steps, axis=1), limit), 31)
    lead = P.LEAD_DAYS["storage"]
    return Truth(
        id="T4",
        statement="Storage reaches 85 % in about ten months by trend, but in under four when the retention law adds "
        "90 TB in January 2027; with fourteen weeks of lead time the order is then due in days.",
        service="storage",
        resource="storage-tb",
        stage="capacity",
        status="testable",
        not_yet=None,
        expected=(
            figure("growth_tb_per_month", P.STORAGE_TB_MONTH, "TB", tolerance=0.7, design=14, testable=True),
            figure("months_to_85_percent", months, "months", tolerance=1.0, design=10.3, testable=True),
            figure("reaches_85_percent", months_ahead(months), "date", tolerance=31, testable=True),
            figure("order_by", _before(passes[0], lead), "date", tolerance=31, testable=True),
            *passes,
            figure("months_to_85_percent_with_d7", law, "months", tolerance=0.4, design=3.9, testable=True),
            figure("order_by_with_d7", months_ahead(law) - timedelta(days=lead), "date", tolerance=12,
                   design="early Dec 2026", testable=True),
        ),
    )  # fmt: skip


def search(metrics: Metrics) -> Truth:
    """T5: search has more nodes than it needs."""
    clock = make_clock(date(2026, 12, 1), date(2027, 12, 1))
    rate = expected_demand(P.SEARCH, clock)
    month = np.array([day.month for day in clock.days])[clock.hour_day]
    floor, slope = P.LATENCY_FLOOR_MS["product-search"], P.LATENCY_SLOPE_MS["product-search"]
    incident_mean = P.INCIDENTS["product-search"].per_month * P.INCIDENTS["product-search"].median_s * math.exp(0.125)
    removable, lowest = 0, 1.0
    for nodes in range(P.SEARCH_NODES, 1, -1):
        use = rate / ((nodes - 1) * P.QPS_PER_NODE)  # one node may be down
        latency = latency_p95(use, floor, slope)
        fast = np.array([normal_cdf(math.log(350.0 / ms) / P.LATENCY_NOISE) for ms in latency])
        share = failing_share(use, P.BASE_BAD_SHARE["product-search"], P.LOAD_BAD_SHARE)
        fast_by_month = min(float(fast[month == m].mean()) for m in range(1, 13))
        good = min(1 - float(np.average(share[month == m], weights=rate[month == m])) for m in range(1, 13))
        if fast_by_month < 0.997 or good - incident_mean / (P.DAYS_PER_MONTH * 86_400) < 0.995:
            break
        removable, lowest = P.SEARCH_NODES - nodes, fast_by_month
    peak = metrics.daily["product-search", "peak_requests_per_second"][-RECENT_DAYS:]
    keys = [f"{day:%Y-%m}" for day in metrics.clock.days]
    good_by: dict[str, float] = {}
    total_by: dict[str, float] = {}
    for key, good_n, total_n in zip(
        keys,
        metrics.daily["product-search", "good_requests_daily"].tolist(),
        metrics.daily["product-search", "requests_daily"].tolist(),
        strict=True,
    ):
        good_by[key] = good_by.get(key, 0.0) + good_n
        total_by[key] = total_by.get(key, 0.0) + total_n
    closed = sorted(good_by)[:-1][-24:]
    return Truth(
        id="T5",
        statement="Product search is over-provisioned: 24 months at 99.95 % or better on nodes that are 18 % used; "
        "five of the twelve can go.",
        service="product-search",
        resource="search-nodes",
        stage="capacity",
        status="testable",
        not_yet=None,
        expected=(
            figure("utilisation_at_peak", P.SEARCH.now / capacity_rps("product-search"), "share", tolerance=0.02,
                   design=0.18, testable=True),
            figure("utilisation_p95_of_daily_peaks_seed_7",
                   float(np.quantile(peak, 0.95)) / capacity_rps("product-search"), "share", tolerance=0.01,
                   testable=True),
            figure("months_at_99.95_of_last_24_seed_7",
                   sum(good_by[key] >= 0.9995 * total_by[key] for key in closed), "months", tolerance=0, design=24,
                   testable=True),
            figure("lowest_month_of_last_24_seed_7", min(good_by[k] / total_by[k] for k in closed), "share",
                   tolerance=1e-9, testable=True),
            figure("removable_nodes", removable, "nodes", tolerance=0, design=5, testable=True,
                   note="most that can go so that, with one more node down, 99.7 % of the hours of every month to "
                   f"November 2027 stay under 350 ms (worst month {100 * lowest:.2f} %) and 99.5 % is met"),
            figure("saving_per_year", removable * 1050 * 12, "EUR", tolerance=0, design=63_000, testable=True),
        ),
    )  # fmt: skip


def desktops(metrics: Metrics) -> Truth:
    """T6: desktops with the acquired staff."""
    start, staff = P.D2_STAFF
    limit = (P.VDI_HOSTS - 1) * P.VDI_USERS_PER_HOST
    later = P.VDI.now + staff * P.VDI.now / P.VDI_NAMED
    peaks = metrics.daily["vdi", "peak_concurrent_sessions"][-RECENT_DAYS:]
    order = start - timedelta(days=P.LEAD_DAYS["vdi"])
    return Truth(
        id="T6",
        statement="Desktops are quiet by trend; with 180 acquired staff on 1 February 2027 the hosts are 94 % used and "
        "the order is due eight days after the cut-off.",
        service="vdi",
        resource="vdi-hosts",
        stage="capacity",
        status="testable",
        not_yet="with the acquisition the hosts are 95 % used, which no usable limit forbids: an order-by date needs "
        "an agreed limit below N+1",
        expected=(
            figure("sessions_p95_of_daily_peaks_seed_7", float(np.quantile(peaks, 0.95)), "sessions", tolerance=10,
                   design=980, testable=True),
            figure("usable_sessions", limit, "sessions", tolerance=0.01, design=1170, testable=True),
            figure("probability_exhausted_base", 0.0, "probability", tolerance=0.05, testable=True),
            figure("sessions_with_d2", later, "sessions", tolerance=15, design=1102, testable=True),
            figure("use_of_n_plus_1_with_d2", later / limit, "share", tolerance=0.015, design=0.94, testable=True),
            figure("host_order_by", order, "date", tolerance=0, design="2026-11-30", testable=False),
            figure("days_after_cut_off", (order - P.CUT_OFF).days, "days", tolerance=0, design=8, testable=False),
        ),
    )  # fmt: skip


def cdn() -> Truth:
    """T9: CDN traffic passes the commitment."""
    months = math.log(P.CDN_COMMIT_TB / P.CDN_TB_MONTH) / math.log(1 + P.CDN_GROWTH)
    clock = make_clock(P.CUT_OFF - timedelta(days=29), P.CUT_OFF + timedelta(days=330))
    rng = np.random.default_rng(209)
    noise = np.exp(rng.normal(-(P.CDN_DAY_NOISE**2) / 2, P.CDN_DAY_NOISE, (PATHS, len(clock.days))))
    sums = np.cumsum(cdn_daily_tb(clock) * noise, axis=1)
    trailing = np.concatenate([sums[:, 29:30], sums[:, 30:] - sums[:, :-30]], axis=1) / 30 * P.DAYS_PER_MONTH
    passes = _passage("passes_limit", _first(trailing, P.CDN_COMMIT_TB), 20)
    late = replace(
        passes[2],
        testable=False,
        note="found 2027-07-28: slow swings of a 30-day sum are taken for shocks "
        "that stay, so the late end of the interval is too late",
    )
    return Truth(
        id="T9",
        statement="CDN traffic passes the commitment of 900 TB a month in about half a year, just before renewal.",
        service="cdn",
        resource="cdn-commit",
        stage="capacity",
        status="testable",
        not_yet="commitment against overage price waits for the cloud supply model; the late end of the interval comes "
        "seven weeks too late, as a 30-day sum does not tell its swings from growth",
        expected=(
            figure("tb_per_month_now", P.CDN_TB_MONTH, "TB per month", tolerance=8, design=742, testable=True),
            figure("growth_per_month", P.CDN_GROWTH, "share", tolerance=0.002, design=0.031, testable=True),
            figure("months_to_900", months, "months", tolerance=0.63, design=6.3, testable=True),
            figure("passes_900", months_ahead(months), "date", tolerance=20, design="2027-06", testable=True),
            figure("order_by", _before(passes[0], P.LEAD_DAYS["cdn"]), "date", tolerance=20, testable=True),
            *passes[:2],
            late,
        ),
    )  # fmt: skip


def desk(metrics: Metrics) -> Truth:
    """T10: agents of the service desk by Erlang C."""

    def level(calls: float, agents: int = P.DESK_AGENTS) -> float:
        return float(erlang_c_service_level(agents, np.array([calls]), P.DESK_AHT_S, P.DESK_ANSWER_S)[0])

    hours = metrics.hourly["desk_hourly"]
    calls = hours["calls_offered"].to_numpy(dtype=float)
    at = np.searchsorted(metrics.hours.hour_at, hours["at"].to_numpy())
    peaks = np.zeros(len(metrics.hours.days))
    np.maximum.at(peaks, metrics.hours.hour_day[at], calls)
    peaks = peaks[: len(metrics.clock.days)]
    carried = max(n for n in range(60, 140) if level(n) >= 0.8)
    busy = float(np.quantile(peaks[-RECENT_DAYS:], 0.95))
    grown = P.DESK_BUSY_HOUR_CALLS * P.D3_CONTACTS
    return Truth(
        id="T10",
        statement="With 12 % more contacts the busy hour has 106 calls and needs 17 agents on line, not 15.",
        service="service-desk",
        resource="desk-agents",
        stage="capacity",
        status="testable",
        not_yet="the plan states the busy hour in agents (17 with D3), not in calls",
        expected=(
            *(figure(f"agents_for_{n}_calls", agents_needed(n, P.DESK_AHT_S, P.DESK_ANSWER_S, 0.8), "agents",
                     tolerance=0, design=wanted, testable=True)
              for n, wanted in ((95, 15), (106, 17), (120, 18), (140, 21))),
            figure("service_level_15_agents_95_calls", level(95), "share", tolerance=1e-6, design=0.835, testable=True),
            figure("service_level_15_agents_106_calls", level(106), "share", tolerance=1e-6, design=0.67,
                   testable=True),
            figure("service_level_17_agents_106_calls", level(106, 17), "share", tolerance=1e-6, testable=True),
            figure("calls_with_d3", grown, "calls per hour", tolerance=0.5, design=106, testable=False),
            figure("busy_hour_p95_of_daily_peaks_seed_7", busy, "calls per hour", tolerance=3, design=95,
                   testable=True, note=f"last {RECENT_DAYS} days, days without calls included"),
            figure("calls_15_agents_carry", carried, "calls per hour", tolerance=1, testable=True),
            figure("recent_days_above_that_seed_7", int((peaks[-RECENT_DAYS:] > carried).sum()), "days", tolerance=0,
                   testable=True, note=f"of the last {RECENT_DAYS}: single hours already fall short, no month does"),
            figure("contacts_per_month_seed_7",
                   float(metrics.daily["service-desk", "calls_offered_daily"].sum()) / (1096 / P.DAYS_PER_MONTH),
                   "calls", tolerance=150, design=11_800, testable=True),
        ),
    )  # fmt: skip


def campaign() -> Truth:
    """The campaign D1."""
    start, factor = P.D1_CAMPAIGN
    clock = make_clock(start, start + timedelta(days=28))
    shop = factor * float(expected_demand(P.WEB_SHOP, clock).max())
    payments = factor * float(expected_demand(P.PAYMENTS, clock).max())
    pods = math.ceil(shop / P.RPS_PER_POD)
    sale = payments * 256 / 190
    return Truth(
        id="campaign",
        statement="A campaign that doubles demand on 1 March 2027 needs more pods, passes the workload limit (the SLA "
        "is suspended unless renegotiated) and, at Black Friday level, the payment licence.",
        service="web-shop",
        resource="web-shop-pods",
        stage="scenarios",
        status="testable",
        not_yet="the licence at Black Friday level on top of the campaign is a scenario of its own; the design's "
        "figures leave out the growth until March, the computed ones do not",
        expected=(
            figure("peak_rps", shop, "requests a second", tolerance=150, design=4520, testable=True),
            figure("pods", pods, "pods", tolerance=3, design=83, testable=True),
            figure("pods_added", pods - P.WEB_PODS, "pods", tolerance=3, design=19, testable=True),
            figure("cost_per_month", 118 * (pods - P.WEB_PODS), "EUR", tolerance=354, design=2200, testable=True),
            figure("share_of_workload_limit", shop / P.WORKLOAD_LIMIT_RPS, "share", tolerance=0.05, design=1.51,
                   testable=True),
            figure("payments_tps", payments, "payments a second", tolerance=13, design=380, testable=True),
            figure("payments_tps_black_friday_level", sale, "payments a second", tolerance=18, design=512,
                   testable=False),
            figure("licence_order_by", start - timedelta(days=P.LEAD_DAYS["psp"]), "date", tolerance=0,
                   design="2027-01-15", testable=False),
        ),
    )  # fmt: skip


def sale_day() -> Truth:
    """Black Friday 2026, five days after the cut-off."""
    day = black_friday(2026)
    clock = make_clock(day, day + timedelta(days=1))
    mean = expected_demand(P.WEB_SHOP, clock)
    rng = np.random.default_rng(227)
    spread = P.WEB_SHOP.day_noise**2 + P.WEB_SHOP.hour_noise**2
    log_day = rng.normal(0.0, P.WEB_SHOP.day_noise, (20_000, 1))
    log_hour = rng.normal(0.0, P.WEB_SHOP.hour_noise, (20_000, len(mean)))
    peak = (mean * np.exp(log_day + log_hour - spread / 2)).max(axis=1)
    return Truth(
        id="black-friday",
        statement="On Black Friday 2026, five days after the cut-off, the web shop probably passes its workload limit "
        "of 3,000 requests a second; the pods are enough.",
        service="web-shop",
        resource="web-shop-pods",
        stage="forecasts",
        status="expected",
        not_yet="needs a calendar of moving events in the demand models and a stage that reads workload limits",
        expected=(
            figure("peak_rps", float(np.median(peak)), "requests a second", tolerance=120, design=3050,
                   testable=False),
            probability("p_workload_limit_passed", float((peak > P.WORKLOAD_LIMIT_RPS).mean()), 20_000,
                        tolerance=0.25, testable=False),
            probability("p_pods_passed", float((peak > capacity_rps("web-shop")).mean()), 20_000, tolerance=0.02,
                        testable=False),
        ),
    )  # fmt: skip


def other_resources() -> list[Figure]:
    """P(the usable limit is passed within 130 days) of the resources that no truth above is about."""
    clock = make_clock(P.CUT_OFF, P.CUT_OFF + timedelta(days=130))
    rng = np.random.default_rng(230)
    found = []
    for resource, demand, limit in (
        ("web-shop-pods", P.WEB_SHOP, capacity_rps("web-shop")),
        ("psp-licence-tier", P.PAYMENTS, capacity_rps("payments-api")),
        ("search-nodes", P.SEARCH, capacity_rps("product-search")),
        ("vdi-hosts", P.VDI, float((P.VDI_HOSTS - 1) * P.VDI_USERS_PER_HOST)),
    ):
        runs = 500
        passed = sum(bool((noisy_demand(demand, clock, rng) >= limit).any()) for _ in range(runs))
        found.append(probability(f"{resource} p_exhausted", passed / runs, runs, tolerance=0.05, testable=True))
    months = 130 / P.DAYS_PER_MONTH
    for resource, latest, growth, limit in (
        ("saps", P.SAPS * P.SAPS_MONTH_END * 1.03, P.SAPS_GROWTH, 0.85 * P.SAPS),
        ("kubernetes-nodes", P.VCPU, P.VCPU_GROWTH, (P.VCPU_NODES - 2) * float(P.VCPU_PER_NODE)),
        ("mailbox-seats", P.MAILBOXES, P.MAILBOX_GROWTH, 4500.0),
    ):
        level = latest * (1 + growth) ** months
        assert level < 0.95 * limit
        found.append(
            figure(f"{resource} p_exhausted", 0.0, "probability", tolerance=0.05, testable=True,
                   note=f"{level:,.0f} of {limit:,.0f} at the end")
        )  # fmt: skip
    return found


def capacity_truths(metrics: Metrics) -> list[Truth]:
    """Return the truths about capacity."""
    return [
        batch(), wan(), storage(), search(metrics), desktops(metrics), cdn(), desk(metrics), campaign(), sale_day(),
    ]  # fmt: skip
