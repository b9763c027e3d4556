"""Error budgets of running windows: what may fail, what has failed, and how fast it goes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from forecasting.terms.alerting import Alert, BurnRate
from forecasting.terms.service_level import Attainment


@dataclass(frozen=True, kw_only=True)
class ErrorBudget:
    """The error budget of one objective's running window."""

    attainment: Attainment
    """Of the window so far."""
    allowed: Decimal | None
    """Bad allowed in the whole window, in the attainment's unit: exact where slices, time or days are counted; None
    where it depends on the events still to come."""
    allowed_so_far: Decimal
    """Bad allowed on what was seen so far."""
    spent: int
    """Bad so far."""
    spent_share: float | None
    """Spent ÷ allowed (of the whole window where that is known, else so far); 1 = all spent; None without traffic."""
    burn: tuple[BurnRate, ...]
    """Over the last hour, six hours, day and three days."""
    alerts: tuple[Alert, ...]
    """Alerts that hold now."""

    @property
    def left(self) -> Decimal | None:
        """Allowed in the whole window less spent; negative when overspent."""
        return None if self.allowed is None else self.allowed - self.spent
