"""Proposals: options with cost and P(miss) before and after, and the state they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
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
class Sensitivity:
    """What an assumption would have to be for the recommendation to change."""

    assumption: str
    stated: float
    switches_at: float | None
    """Value at which another option would be recommended; None = none in the range looked at."""
    unit: str
    sentence: str
    """In words: "if growth is below 1 % a month, not needed before 2027-09-01"."""


@dataclass(frozen=True, kw_only=True)
class Milestone:
    """A dated step on the way to an option in use."""

    name: str
    due: date


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What somebody decided on a proposal."""

    state: ProposalState
    """approved, rejected, deferred or amended."""
    by: str
    at: datetime
    why: str
    option: str = ""
    """Label of the option that was chosen; empty = the recommended one."""
    owner: str = ""
    due: date | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was measured after a proposal was put into effect."""

    measured_from: date
    measured_to: date
    """Last day, inclusive."""
    measured_at: datetime
    by: str
    actual_cost: float | None = None
    windows: int = 0
    """Judged windows in between."""
    missed: int = 0
    attainment: float | None = None
    """Lowest attainment of these windows, 0 to 1."""
    credits_and_losses: float | None = None
    """What the misses cost in fact."""
    benefit_realised: float | None = None
    """Expected cost of doing nothing (as stated) − what it cost in fact."""
    regret: float | None = None
    """Cost in fact − that of the best option in hindsight, by the replayed past; 0 or more."""
    note: str = ""


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
    net_present_value: float | None = None
    """Discounted benefits − discounted costs over the horizon; None where it was not computed."""
    energy_kwh: float = 0.0
    """Added energy over the horizon; negative = saved."""
    co2_kg: float = 0.0
    reversibility: str = ""
    """How it can be taken back: "at any time", "after 12 months of lease", "not"."""
    risk: str = ""
    """What could go wrong with it, in one sentence."""
    decide_by: date | None = None
    """Latest decision: order-by − the steps before the order; None = as order_by."""
    resource: str | None = None
    """Resource whose units it changes."""
    units: Decimal | None = None
    """Units it adds (negative: gives back)."""


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
    drivers: tuple[str, ...] = ()
    """Ids of horizon drivers that it rests on."""
    sensitivities: tuple[Sensitivity, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    """Of the recommended option, in order of date."""
    need_by: date | None = None
    """Day by which the recommended option has to serve."""
    due: date | None = None
    decision: Decision | None = None
    outcome: Outcome | None = None
    rank: int | None = None
    """Place under the budget, 1 = first; None = not ranked or not funded."""

    @property
    def recommendation(self) -> Option:
        """The recommended option."""
        return self.options[self.recommended]
