"""Early warnings: dated, probabilistic, actionable statements about a future breach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from forecasting.terms.breach import Cause
from forecasting.terms.service_level import Period


class Severity(StrEnum):
    """How urgent, from expected loss and lead time."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, kw_only=True)
class RankedAction:
    """Something that can be done and what it does to P(miss)."""

    label: str
    probability_after: float
    cost_over_horizon: float


@dataclass(frozen=True, kw_only=True)
class EarlyWarning:
    """One warning; its identity is (service, objective, window), never a changing value."""

    id: str
    raised_at: datetime
    """The run's as-of instant (UTC)."""
    data_cut_off: datetime
    service: str
    agreement: str | None
    objective: str
    period: Period
    probability: float
    probability_low: float
    probability_high: float
    probability_previous: float | None
    """P(breach) of the last run for the same window; None the first time."""
    expected_breach_from: date | None
    """10 % quantile of the day on which the budget is gone; None = only at the window's end."""
    expected_breach_to: date | None
    """50 % quantile."""
    margin_events: float
    """Bad events still allowed in the window (negative = overspent)."""
    lead_time_days: float
    """Days from `raised_at` to the window's end."""
    lead_time_needed_days: float | None
    """Lead time of the recommended action; None where there is none."""
    decide_by: date | None
    severity: Severity
    main_cause: Cause
    customers: tuple[str, ...]
    expected_credit: float
    expected_loss: float
    currency: str
    actions: tuple[RankedAction, ...]
    inform: tuple[str, ...]
    """Who must know."""
    note: str
    """Ready-to-send note in plain words."""
    confidence: str
    """How far to trust it: track record and blind spots, in words."""
    state: str = "new"
    dedup_key: str = ""
