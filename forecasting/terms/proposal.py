"""Proposals: options with cost and P(miss) before and after, and the state they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Period


class ProposalState(StrEnum):
    """Where a proposal stands."""

    DRAFT = "draft"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    DEFERRED = "deferred"
    AMENDED = "amended"
    IN_PROGRESS = "in_progress"
    IMPLEMENTED = "implemented"
    VERIFIED = "verified"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way to answer a problem; every money figure covers the plan's horizon unless it says month."""

    kind: str
    """Proposal kind: ``add_capacity``, ``change_target`` or ``accept_risk``."""
    label: str
    """What is done, in words with its size."""
    capex: float
    opex_per_month: float
    cost_over_horizon: float
    currency: str
    price_date: date | None
    lead_time_days: int
    probability_before: float
    """P(miss) of the worst window of the horizon without it."""
    probability_after: float
    """P(miss) of the same window with it, re-simulated on the same paths."""
    probability_after_low: float
    probability_after_high: float
    expected_credit_after: float
    expected_loss_after: float
    benefit_mean: float
    """Expected credits and losses avoided over the horizon."""
    benefit_p10: float
    benefit_p90: float
    net_benefit: float
    """benefit_mean − cost_over_horizon."""
    confidence: float
    """P(benefit > cost) over the paths, 0 to 1."""
    order_by: date | None
    """Latest start; None where the option takes no time or comes too late for any window."""
    effective_from: date | None
    """First day on which it helps when started at once."""
    side_effects: str = ""
    rejected_because: str | None = None
    """Why it is not recommended; None for the recommended one."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A decision asked for: a problem, at least two options with do-nothing among them, a recommendation."""

    id: str
    """Stable identity over runs: the same problem keeps its id."""
    title: str
    service: str
    agreement: str | None
    objective: str | None
    """Objective at risk; None for a capacity problem without one."""
    resource: str | None
    period: Period | None
    """Worst window of the horizon."""
    problem: str
    probability_now: float
    """P(miss), or P(exhausted) for a capacity problem, of doing nothing."""
    probability_low: float
    probability_high: float
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...]
    assumptions: tuple[str, ...]
    options: tuple[Option, ...]
    """Best first by net benefit; `accept_risk` is always among them."""
    recommended: int
    """Index into `options`."""
    declined: tuple[tuple[str, Excuse], ...]
    """Kinds that do not apply, with their excuses."""
    decide_by: date | None
    owner: str
    success_measure: str
    state: ProposalState = ProposalState.PROPOSED
    data_cut_off: datetime | None = None
    loss_if_not_decided: float = 0.0
    """What not deciding is expected to cost over the horizon: the benefit of the recommended option that would be
    forgone, or, where the risk is to be accepted, the credits and losses that come with it."""
    currency: str = "EUR"

    @property
    def recommendation(self) -> Option:
        """The recommended option."""
        return self.options[self.recommended]
