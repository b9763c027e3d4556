"""Error-budget alerts: burn-rate conditions, the policies that join them, and who is told (OpenSLO kinds)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class BurnRateCondition:
    """The error budget burns at `threshold` times the even rate or faster, over a lookback.

    Examples
    --------
    >>> BurnRateCondition(name="fast-burn", threshold=Decimal("14.4"), lookback=timedelta(hours=1)).op
    'gte'
    """

    name: str
    threshold: Decimal
    """Burn rate: bad share over the lookback ÷ error budget share; 1 = the budget lasts exactly the window."""
    lookback: timedelta
    short_lookback: timedelta | None = None
    """A second, shorter lookback that must be over the threshold too, so that the alert ends soon after the burn."""
    op: Literal["gt", "gte"] = "gte"
    alert_after: timedelta = timedelta(0)
    """How long the condition must hold."""
    severity: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class NotificationTarget:
    """Somebody or something that is told."""

    name: str
    target: str
    """Kind of the target, such as ``email`` or ``slack``, as written."""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """Conditions and who is told when one of them holds."""

    name: str
    conditions: tuple[BurnRateCondition, ...]
    targets: tuple[str, ...] = ()
    """Names of notification targets."""
    alert_when_breaching: bool = False
    alert_when_resolved: bool = False
    alert_when_no_data: bool = False
    description: str = ""
    missing_conditions: tuple[str, ...] = ()
    """Names of conditions that it refers to but that no document declares."""


@dataclass(frozen=True, kw_only=True)
class BurnRate:
    """How fast the error budget of an objective burns at an instant."""

    service: str
    objective: str
    at: datetime
    lookback: timedelta
    good: int
    total: int
    rate: Decimal | None
    """Bad share ÷ error budget share, unrounded (28 digits); None without traffic or data in the lookback."""
    coverage: float
    """Known share of the lookback's eligible slices, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A stretch of time in which a condition held."""

    service: str
    objective: str
    policy: str
    condition: str
    start: datetime
    """Instant from which it held (after `alert_after`)."""
    end: datetime | None
    """First instant at which it no longer held; None = it still holds."""
    peak: Decimal
    """Highest burn rate of the long lookback in it."""
    severity: str = ""
