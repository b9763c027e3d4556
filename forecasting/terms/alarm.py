"""Alarms: what a policy asks for before people are told, and what is known of each warning from one evaluation on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from forecasting.terms.errors import InputError
from forecasting.terms.service_level import Period
from forecasting.terms.warning import EarlyWarning, Severity


class AlarmStage(StrEnum):
    """Where an alarm stands."""

    WATCHED = "watched"
    """The probability is looked at; nobody was told of anything."""
    NEW = "new"
    """Raised; nobody has answered."""
    ACKNOWLEDGED = "acknowledged"
    """Somebody has seen it."""
    ACTING = "acting"
    """Somebody does something about it: its window counts as treated in every score."""
    SNOOZED = "snoozed"
    """Somebody wants to hear of it again at a stated time, or when it worsens."""
    RESOLVED = "resolved"
    """Over: the probability fell below the clearing level, or the window closed and was met."""
    BREACHED = "breached"
    """The miss is settled."""
    FALSE = "false"
    """Somebody said that it is none; it is not told again unless it was cleared first."""


STANDING = frozenset({AlarmStage.NEW, AlarmStage.ACKNOWLEDGED, AlarmStage.ACTING, AlarmStage.SNOOZED})
"""Stages of a raised alarm that is not over."""


@dataclass(frozen=True, kw_only=True)
class AlarmPolicy:
    """When people are told.

    Raises
    ------
    InputError
        For levels that are no probabilities, no evaluation at all, or a negative lead.

    Examples
    --------
    >>> AlarmPolicy(raise_at=0.35).clear_at(0.35)
    0.21
    """

    raise_at: float
    """P(miss) at which an alarm is raised, above 0, at most 1; where costs are used, the level where none is known."""
    clear_share: float = 0.6
    """An alarm that stands is cleared below this share of the level at which it was raised (hysteresis)."""
    consecutive: int = 1
    """Evaluations in a row, of later and later cut-offs, that must reach the level."""
    required_lead_days: float = 7.0
    """Days before the window's end by which a warning must have come to count as in time."""
    by_cost: bool = False
    """Take the level of a window from its costs where they are known: C(action) ÷ (C(breach) × effect)."""
    lowest: float = 0.2
    """Where costs are used: no alarm below this level, or nobody would believe the next one."""
    highest: float = 0.8
    """Where costs are used: an alarm at this level at the latest."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        wrong = [
            (name, getattr(self, name))
            for name in ("raise_at", "clear_share", "lowest", "highest")
            if not 0 < getattr(self, name) <= 1
        ]
        if wrong or self.lowest > self.highest:
            name, came = wrong[0] if wrong else ("lowest", self.lowest)
            raise InputError(argument=name, came=came, allowed="a share above 0, at most 1", try_instead="0.35")
        if self.consecutive < 1:
            raise InputError(argument="consecutive", came=self.consecutive, allowed="1 or more", try_instead="1")
        if not self.required_lead_days >= 0:
            raise InputError(
                argument="required_lead_days", came=self.required_lead_days, allowed="0 days or more", try_instead="7"
            )

    def clear_at(self, raised_at: float) -> float:
        """Return the level below which an alarm raised at `raised_at` is cleared."""
        return self.clear_share * raised_at


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is said of one window at one cut-off."""

    id: str
    """Identity of the warning: service, agreement, objective and window."""
    service: str
    agreement: str | None
    objective: str
    period: Period
    probability: float
    """P(miss), 0 to 1."""
    severity: Severity = Severity.INFO
    missed: bool | None = None
    """The outcome, where it is settled; None = open, or never to be known where the window is over."""
    closed: bool = False
    """True once the window is over and judged, or nothing is promised for it any more."""
    raise_at: float | None = None
    """Level of this window from its costs; None = the policy's."""
    warning: EarlyWarning | None = None
    """What can be told of it; a replay that only counts needs none."""


@dataclass(frozen=True, kw_only=True)
class AlarmState:
    """What is known of one warning after an evaluation; the next one needs nothing else of the past."""

    id: str
    service: str
    agreement: str | None
    objective: str
    period: Period
    stage: AlarmStage
    since: datetime
    """When the stage began: an evaluation's cut-off, or the instant of a person's answer (UTC)."""
    at: datetime
    """Cut-off of the last evaluation (UTC)."""
    probability: float
    """P(miss) then."""
    probability_before: float | None = None
    """P(miss) at the evaluation before it; None at the first."""
    above: int = 0
    """Evaluations in a row that reached the level."""
    raise_at: float | None = None
    """Level at which it was raised; the clearing level follows from it for as long as it stands."""
    told: Severity | None = None
    """Highest severity told since it was raised; None = nothing was."""
    raised: int = 0
    """Notices sent of each kind."""
    worsened: int = 0
    breached: int = 0
    resolved: int = 0
    raised_at: datetime | None = None
    """Cut-off at which it was first raised (UTC); None = never."""
    by: str = ""
    """Who answered last."""
    note: str = ""
    """What they said."""
    until: datetime | None = None
    """Snoozed: until then (a cut-off, UTC)."""
    acted: bool = False
    """Whether somebody ever said that something is done about it: a treated window."""
    called_false: bool = False
    """Whether somebody ever said that it is none."""
    closed: bool = False
    """True once the window is over: nothing changes any more, unless its attainment is restated."""
    missed: bool | None = None
    """Outcome, where it is settled."""
    warning: EarlyWarning | None = None
    """As it was last written."""

    @property
    def stands(self) -> bool:
        """Whether it was raised and is not over."""
        return self.stage in STANDING


@dataclass(frozen=True, kw_only=True)
class AlarmOutcome:
    """What came of a warned window, or of one that was missed without a warning."""

    id: str
    service: str
    agreement: str | None
    objective: str
    period: Period
    verdict: str
    """``true alarm``, ``false alarm``, ``surprise`` (missed, never warned of) or ``unknown`` (never judged)."""
    missed: bool | None
    raised_at: datetime | None
    lead_days: float | None
    """Days from the first notice to the end of the window; None where there was none."""
    in_time: bool
    """True where that lead was at least the one that is required."""
    treated: bool
    """Something was done about it: what would have come without is not known, so it is reported apart."""
    called_false: bool
    """Whether somebody had said that it was none."""
