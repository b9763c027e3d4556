"""Statements of the past and what came of them; what an alarm policy would have made of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forecasting.terms.breach import AlarmScore
from forecasting.terms.service_level import Period


@dataclass(frozen=True, kw_only=True)
class Statement:
    """P(miss) of one window as it was stated, or replayed with the data of then, and what came of the window.

    Examples
    --------
    >>> from datetime import UTC
    >>> may = Period(start=datetime(2027, 5, 1, tzinfo=UTC), end=datetime(2027, 6, 1, tzinfo=UTC), label="2027-05")
    >>> said = Statement(service="shop", agreement="sla-shop", objective="up", tier="gold", kind="month", period=may,
    ...                  at=datetime(2027, 4, 1, tzinfo=UTC), elapsed=-1.0, probability=0.3, breached=True)
    >>> said.ahead, said.horizon, said.lead_days
    (1, '1 ahead', 61.0)
    """

    service: str
    agreement: str | None
    """None for an objective outside any agreement."""
    objective: str
    tier: str
    """Tier of the service; empty where it has none."""
    kind: str
    """What its windows are, such as ``month`` or ``30d``: windows of one kind are compared with each other."""
    period: Period
    at: datetime
    """UTC instant of the statement; nothing after it was looked at."""
    elapsed: float
    """Elapsed share of the window, 0 to 1; −k for the k-th window after the one that begins at `at`."""
    probability: float
    """P(miss) stated then."""
    breached: bool
    """Whether the closed window was missed, in exact arithmetic."""
    decided: bool = False
    """Whether arithmetic had decided the outcome by then, given the true total of the window."""
    expected_cost: float = 0.0
    """Expected service credit and business loss, as stated then."""
    currency: str = ""
    baselines: tuple[tuple[str, float], ...] = ()
    """What simpler rules said at the same instant, by name, each calibrated on windows that had closed by then."""
    candidates: tuple[tuple[str, float], ...] = ()
    """What the models said that `probability` was averaged from."""
    treated: bool = False
    """Whether somebody acted on a warning of this window."""

    @property
    def window(self) -> str:
        """Label of the window."""
        return self.period.label

    @property
    def window_end(self) -> datetime:
        """End of the window (UTC)."""
        return self.period.end

    @property
    def open(self) -> bool:
        """Whether the outcome was open."""
        return not self.decided

    @property
    def climatology(self) -> float:
        """Past miss rate of windows of the kind at the same horizon; NaN where no baseline was computed."""
        return dict(self.baselines).get("climatology", float("nan"))

    @property
    def ahead(self) -> int:
        """Windows between the one that ran then and this one; 0 = it was the running one."""
        return round(max(0.0, -self.elapsed))

    @property
    def horizon(self) -> str:
        """Elapsed share or windows ahead, in words."""
        return horizon_name(self.elapsed)

    @property
    def lead_days(self) -> float:
        """Days from the statement to the window's end."""
        return (self.period.end - self.at).total_seconds() / 86400

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Identity of the window: service, agreement or empty, objective, label."""
        return self.service, self.agreement or "", self.objective, self.period.label


def horizon_name(elapsed: float) -> str:
    """Return how an elapsed share, or a number of windows ahead (negative), is written.

    Examples
    --------
    >>> horizon_name(0.25), horizon_name(-2.0)
    ('25 %', '2 ahead')
    """
    return f"{-elapsed:.0f} ahead" if elapsed < 0 else f"{100 * elapsed:.0f} %"


@dataclass(frozen=True, kw_only=True)
class ReplayedWarning:
    """The first warning that a policy would have raised of a window, and what came of it."""

    service: str
    agreement: str | None
    objective: str
    period: Period
    raised_at: datetime
    probability: float
    """P(miss) stated then."""
    lead_days: float
    """Days from the warning to the window's end."""
    breached: bool
    in_time: bool
    """Whether the lead was at least the one needed."""
    expected_cost: float = 0.0
    currency: str = ""
    severity: str = ""
    """Severity at which it was raised; empty where the policy has none."""
    times_raised: int = 1
    """How often it was raised; more than 1 where it was cleared and came again."""
    treated: bool = False


@dataclass(frozen=True, kw_only=True)
class PolicyReplay:
    """What an alarm policy would have done in the replayed past."""

    score: AlarmScore
    """At the policy's own thresholds."""
    warnings: tuple[ReplayedWarning, ...]
    """First warning of each window warned of, oldest first."""
    sweep: tuple[AlarmScore, ...]
    """The same policy at other thresholds, rising."""
    recommended: float | None
    """Threshold that the cost ratio recommends; None where the costs are not known."""
    first: datetime
    """Earliest decision time replayed."""
    last: datetime
    protocol: str
    """What was replayed, in words."""
