"""The parameters of Meridian Retail Group: every number the simulation and the expected truths start from.

Levels are values *at the cut-off* (the end of 21 November 2026, Berlin time); growth is compound per month of
30.4375 days unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

ZONE = "Europe/Berlin"
FIRST_DAY = date(2023, 11, 22)
FIRST_HOURLY_DAY = date(2025, 10, 22)
CUT_OFF = date(2026, 11, 22)
"""First day that is not in the data."""
DAYS_PER_MONTH = 30.4375
STALE_DAYS = 9
"""T13: days without a WAN latency sample before the cut-off."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Expected demand: level x growth x hour of day x day of week x calendar events, and the noise around it."""

    now: float
    """Peak-hour level on the busiest weekday at the cut-off."""
    growth: float = 0.0
    hours: tuple[float, ...] = (1.0,) * 24
    """Share of the peak by local hour."""
    week: tuple[float, ...] = (1.0,) * 7
    """Share of the busiest day, Monday first."""
    black_friday: float = 1.0
    """Factor on Black Friday; half of the excess on the three days after it."""
    december: float = 1.0
    """Factor from 1 to 23 December."""
    closed_on_holidays: bool = False
    month_end: float = 1.0
    """Factor on the last three days from Monday to Saturday of a month."""
    day_noise: float = 0.03
    """Standard deviation of the log of the daily factor (autoregressive, coefficient 0.4)."""
    hour_noise: float = 0.01
    """Standard deviation of the log of the hourly factor."""


@dataclass(frozen=True, kw_only=True)
class Incidents:
    """Outages: a Poisson process of first incidents, each with followers, and lognormal durations."""

    per_month: float
    median_s: float
    sigma: float
    followers: float = 0.0
    """Mean number of follow-up incidents of one incident (a burst), 6 hours later on average."""


SHOP_HOURS = (
    0.25, 0.16, 0.11, 0.09, 0.09, 0.13, 0.24, 0.38, 0.52, 0.63, 0.70, 0.74,
    0.76, 0.74, 0.72, 0.73, 0.77, 0.83, 0.90, 0.97, 1.00, 0.94, 0.72, 0.45,
)  # fmt: skip
OFFICE_HOURS = (
    0.02, 0.02, 0.02, 0.02, 0.02, 0.04, 0.22, 0.55, 0.85, 0.98, 1.00, 0.97,
    0.86, 0.90, 0.95, 0.92, 0.82, 0.64, 0.45, 0.32, 0.22, 0.14, 0.06, 0.03,
)  # fmt: skip
DESK_HOURS = (
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.33, 0.70, 0.95, 1.00, 0.90,
    0.72, 0.62, 0.58, 0.52, 0.42, 0.26, 0.10, 0.0, 0.0, 0.0, 0.0, 0.0,
)  # fmt: skip
# Friday stands at 0.95, so that the factors of Black Friday below lead to 3,050 requests and 256 payments a second.
SHOP_WEEK = (0.94, 0.91, 0.90, 0.92, 0.95, 0.97, 1.00)
OFFICE_WEEK = (1.00, 1.00, 0.98, 0.98, 0.94, 0.55, 0.02)
DESK_WEEK = (1.00, 0.98, 0.97, 0.97, 0.96, 0.0, 0.0)

WEB_SHOP = Demand(
    now=2260,
    growth=0.014,
    hours=SHOP_HOURS,
    week=SHOP_WEEK,
    black_friday=3050 / (2260 * 0.95),
    december=1.10,
    day_noise=0.03,
)
PAYMENTS = Demand(
    now=190,
    growth=0.014,
    hours=SHOP_HOURS,
    week=SHOP_WEEK,
    black_friday=256 / (190 * 0.95),
    december=1.10,
    day_noise=0.03,
)
SEARCH = Demand(
    now=1100,
    growth=0.005,
    hours=SHOP_HOURS,
    week=SHOP_WEEK,
    black_friday=3050 / (2260 * 0.95),
    december=1.10,
    day_noise=0.03,
)
GIFT_CARDS = Demand(
    now=12, growth=0.010, hours=SHOP_HOURS, week=SHOP_WEEK, black_friday=1.20, december=2.20, day_noise=0.06
)
VDI = Demand(now=980, hours=OFFICE_HOURS, week=OFFICE_WEEK, closed_on_holidays=True, day_noise=0.008, hour_noise=0.004)
DESK = Demand(now=81.0, hours=DESK_HOURS, week=DESK_WEEK, closed_on_holidays=True, day_noise=0.02, hour_noise=0.0)
"""The mean of the peak hour; with Poisson arrivals the 95th percentile of the daily peak hour is 95 calls."""
ERP = Demand(now=120_000, growth=0.003, hours=OFFICE_HOURS, week=OFFICE_WEEK, month_end=1.35, closed_on_holidays=True)

WEB_SHOP_INCIDENTS = Incidents(per_month=0.90, median_s=580, sigma=1.23, followers=0.15)
INCIDENTS: dict[str, Incidents] = {
    "web-shop": WEB_SHOP_INCIDENTS,
    "payments-api": Incidents(per_month=0.30, median_s=300, sigma=0.8),
    "product-search": Incidents(per_month=0.50, median_s=100, sigma=0.5),
    "gift-cards": Incidents(per_month=0.80, median_s=600, sigma=0.9),
    "email": Incidents(per_month=0.80, median_s=330, sigma=0.8),
    "vdi": Incidents(per_month=2.5, median_s=900, sigma=0.8, followers=0.1),
    "cdn": Incidents(per_month=0.20, median_s=40, sigma=0.6),
    "kubernetes-platform": Incidents(per_month=0.30, median_s=70, sigma=0.6),
    "storage": Incidents(per_month=0.05, median_s=50, sigma=0.5),
    "wan-circuit-a": Incidents(per_month=0.50, median_s=500, sigma=0.7),
    "wan-circuit-b": Incidents(per_month=0.50, median_s=500, sigma=0.7),
    "wan-common": Incidents(per_month=0.02, median_s=60, sigma=0.4),
}
BASE_BAD_SHARE = {"web-shop": 1.0e-5, "payments-api": 3.0e-5, "product-search": 5.0e-5, "gift-cards": 1.0e-4}
"""Share of requests that fail outside incidents at low load."""
LOAD_BAD_SHARE = 4.0e-4
"""Extra share that fails at utilisation 1; it falls with the eighth power of utilisation."""

WEB_PODS, RPS_PER_POD = 64, 55
SEARCH_NODES, QPS_PER_NODE = 12, 1100 / 0.18 / 12
PSP_TPS = 450
GIFT_CARD_RPS = 40
WORKLOAD_LIMIT_RPS = 3000
LATENCY_FLOOR_MS = {"web-shop": 150.0, "payments-api": 220.0, "product-search": 90.0, "gift-cards": 160.0}
LATENCY_SLOPE_MS = {"web-shop": 60.0, "payments-api": 90.0, "product-search": 210.0, "gift-cards": 60.0}
"""p95 latency = floor + slope x utilisation / (1 - utilisation)."""
LATENCY_NOISE = 0.04

# Nightly batch: minutes grow with the rows and scatter around them.
BATCH_MEDIAN_MIN, BATCH_P95_MIN, BATCH_WINDOW_MIN = 385.0, 440.0, 480
BATCH_GROWTH_WEEK = 0.009
BATCH_ROWS_MILLIONS = 610.0

# Stocks.
STORAGE_TB, STORAGE_TB_MONTH, STORAGE_TB_INSTALLED, STORAGE_LIMIT_PERCENT = 918.0, 14.0, 1250, 85
STORAGE_DAY_SD = 0.30
CDN_TB_MONTH, CDN_GROWTH, CDN_COMMIT_TB, CDN_DAY_NOISE = 742.0, 0.031, 900, 0.03
CDN_WEEK = (0.97, 0.95, 0.95, 0.97, 1.01, 1.06, 1.09)
WAN_GBPS, WAN_GROWTH, WAN_LINK_GBPS, WAN_LIMIT_PERCENT, WAN_DAY_NOISE = 6.1, 0.022, 10, 80, 0.003
VCPU, VCPU_GROWTH, VCPU_NODES, VCPU_PER_NODE = 1714.0, 0.004, 48, 48
MAILBOXES, MAILBOX_GROWTH = 4200.0, 0.001
SAPS, SAPS_MONTH_END, SAPS_ORDINARY, SAPS_GROWTH = 96_000, 0.71, 0.55, 0.004
VDI_HOSTS, VDI_USERS_PER_HOST, VDI_NAMED = 14, 90, 1450

# Service desk.
DESK_AGENTS, DESK_BUSY_HOUR_CALLS, DESK_AHT_S, DESK_ANSWER_S = 15, 95, 420.0, 20.0
DESK_FTE = 24
DESK_BUSY_SHARE, DESK_PLAN_TARGET = 0.95, 0.78
"""Hours with at least this share of the peak have all agents; the others are planned for this service level."""

# SAP ERP: the watermelon.
ERP_DOWN_LOW, ERP_DOWN_HIGH, ERP_MONTH_END_SHARE = 0.0011, 0.0016, 0.70
CSAT_FIRST, CSAT_LAST = 4.3, 3.4

# Lead times in days.
LEAD_DAYS = {"wan": 140, "storage": 98, "cdn": 60, "vdi": 63, "psp": 45, "saps": 84, "desk": 84}

# Horizon drivers used in the expected truths (documents of their own come with scenarios).
D1_CAMPAIGN = (date(2027, 3, 1), 2.0)
D2_STAFF = (date(2027, 2, 1), 180)
D3_CONTACTS = 1.12
D7_RETENTION_TB = (date(2027, 1, 1), 90.0)
