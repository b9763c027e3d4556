"""What the ledger says of a closed window: provisional, final, or restated with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Stage(StrEnum):
    """How firm a recorded attainment is."""

    PROVISIONAL = "provisional"
    """The window has closed, but late data are still taken (grace)."""
    FINAL = "final"
    RESTATED = "restated"
    """A final value was replaced, with a reason; the old one is kept."""


@dataclass(frozen=True, kw_only=True)
class Restatement:
    """A final attainment that was replaced by another one.

    Examples
    --------
    >>> from datetime import UTC
    >>> Restatement(service="shop", agreement="sla-shop", objective="available", period="2027-03", version=2,
    ...             as_of=datetime(2027, 4, 20, tzinfo=UTC), value_before=Decimal("0.9991"),
    ...             value_after=Decimal("0.9987"), status_before="met", status_after="breached",
    ...             reason="late data: 3 rows of up").turned
    True
    """

    service: str
    agreement: str | None
    objective: str
    period: str
    """Label of the window."""
    version: int
    """Version of the new value in the ledger; the first restatement is at least 2."""
    as_of: datetime
    """Cut-off of the run that restated it."""
    value_before: Decimal | None
    value_after: Decimal | None
    status_before: str
    status_after: str
    reason: str

    @property
    def turned(self) -> bool:
        """Whether the verdict changed."""
        return self.status_before != self.status_after
