"""What is handed on about an early warning: it stands, it got worse, it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forecasting.terms.warning import EarlyWarning, Severity


class NoticeKind(StrEnum):
    """Why a notice is sent."""

    RAISED = "raised"
    """The warning is new."""
    WORSENED = "worsened"
    """It stands at a higher severity than when it was last told of."""
    BREACHED = "breached"
    """The miss it warned of is settled."""
    RESOLVED = "resolved"
    """It is over: the risk fell below the clearing level, or the window closed and was met."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing to tell about one warning; sent once to every receiver."""

    id: str
    """Identity of the notice: the warning's id, the kind and which time of that kind it is. A receiver that gets one id
    twice has been told once."""
    kind: NoticeKind
    at: datetime
    """UTC instant of the evaluation that caused it."""
    warning: EarlyWarning
    """As it stood at that evaluation; its `id` is the same for all notices of one service, objective and window."""
    over: bool = False
    """True where the warning does not stand any more (resolved, or breached and its window closed)."""
    worst: Severity | None = None
    """Highest severity it was told at since it was raised, also where it stands lower now; None = not known."""
