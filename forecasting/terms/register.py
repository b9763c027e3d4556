"""The register of proposals: where each stands, what was decided, and what the past ones turned out to be worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from forecasting.terms.breach import ReliabilityBin
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option, Proposal, ProposalState
from forecasting.terms.service_level import Period


@dataclass(frozen=True, kw_only=True)
class RegisterEntry:
    """A proposal with its state; each change of it is one row of the ledger."""

    proposal: Proposal
    """With state, decision, outcome, owner and due date. Until a decision its figures are those of the last run that
    made it; from then on those that were decided upon."""
    at: datetime
    """When it came into this state: the instant of what a person said, or the cut-off of a run (UTC)."""
    by: str
    """Who said so; ``forecasting`` for a run."""
    why: str
    round: int = 1
    """How often it was proposed anew after it had been rejected or closed, + 1."""
    started_on: date | None = None
    """Local day on which the work began."""
    implemented_on: date | None = None
    """Local day from which on it is in effect."""
    actual_cost: float | None = None
    """What it cost in fact, in the proposal's currency; None = nobody said so."""

    @property
    def id(self) -> str:
        """Identity of the proposal."""
        return self.proposal.id

    @property
    def state(self) -> ProposalState:
        """Where it stands."""
        return self.proposal.state

    @property
    def chosen(self) -> Option:
        """The option that was decided for; before a decision the recommended one."""
        decision = self.proposal.decision
        label = decision.option if decision else ""
        return next((o for o in self.proposal.options if o.label == label), self.proposal.recommendation)


@dataclass(frozen=True, kw_only=True)
class RegisterRow:
    """An entry as a reader of the register sees it on a day."""

    entry: RegisterEntry
    late: str
    """What is overdue, in words; empty where nothing is."""
    changed: str
    """How the last run differs from what was decided upon, in words; empty where it does not."""
    last_raised: datetime
    """Cut-off of the last run that made the proposal (UTC)."""
    raised_last: bool
    """Whether the last run still made it."""


@dataclass(frozen=True, kw_only=True)
class WindowFact:
    """What came of a closed window, from the ledger."""

    period: Period
    missed: bool | None
    """None = it could never be judged."""
    attainment: float | None
    """0 to 1."""
    credit: Decimal | None
    """Credit due for it; None = open, or no statement was recorded."""
    loss: Decimal | None
    """Business loss by the agreement's loss per bad event; None = not known."""
    final: bool
    """False while late data may still change it."""
    stated_cost: float | None = None
    """Expected credit and loss of doing nothing, as the run stated it; None = the run stated nothing on it."""


@dataclass(frozen=True, kw_only=True)
class OptionInHindsight:
    """What an option of then would have cost in the windows that really came."""

    label: str
    kind: str
    cost: float
    """Its own cost over the horizon; of the option that was carried out, in fact where that was said."""
    penalty: float
    """Credits and business loss."""
    in_fact: bool
    """True for what was done; every other one is what the model says would have been."""

    @property
    def total(self) -> float:
        """Cost and penalty."""
        return self.cost + self.penalty


@dataclass(frozen=True, kw_only=True)
class ProposalScore:
    """A past proposal against what happened."""

    id: str
    title: str
    service: str
    agreement: str | None
    objective: str | None
    as_of: datetime
    """Cut-off of the run that made it (UTC)."""
    period: Period | None
    """The window that its probability is about."""
    state: ProposalState
    """Where it stands in the register by now."""
    done: str
    """Label of the option that was carried out; empty = nothing was."""
    stated: float | None
    """P(miss) of that window as stated for what was done; None where it took effect within the window."""
    missed: bool | None
    """Whether the window was missed; None = open, or never judged."""
    windows: int
    """Windows of its horizon."""
    judged: int
    """Of these, closed and judged."""
    currency: str
    cost_stated: float | None
    """Credits and losses of doing nothing over the horizon, as stated."""
    penalty_in_fact: float | None
    """Credits and losses over the horizon in fact."""
    benefit_stated: float | None
    """Of the option that was carried out; None where nothing was."""
    benefit_realised: float | None
    """cost_stated − penalty_in_fact; None where nothing was carried out."""
    options: tuple[OptionInHindsight, ...]
    """Cheapest first in hindsight; empty where money is not known."""
    regret: float | None
    """Total of what was done − total of the best option in hindsight; 0 or more."""
    cost_of_not_deciding: float | None
    """Where nothing was done: that total − the one of the recommended option; below 0 = not deciding saved money."""
    unknown: Excuse | None
    """Why money or the outcome is not known; None where all is."""
    counted: bool
    """Whether its money is in the totals: one statement a proposal and round, the one decided upon or the first."""


@dataclass(frozen=True, kw_only=True)
class MoneyScore:
    """Sums over the counted proposals of one currency whose windows have all been judged."""

    currency: str
    proposals: int
    done: int
    """Of these, carried out."""
    benefit_stated: float
    benefit_realised: float
    regret: float
    cost_of_not_deciding: float


@dataclass(frozen=True, kw_only=True)
class RegisterScore:
    """How good past proposals were."""

    scores: tuple[ProposalScore, ...]
    """Oldest first."""
    statements: int
    """Those whose window was judged."""
    windows: int
    """Different windows among them."""
    missed: int
    brier: float | None
    """Mean squared difference of stated P(miss) and outcome, 0 is perfect; None without any."""
    brier_base_rate: float | None
    """The same where each statement had been the share that was missed."""
    stated_mean: float | None
    bins: tuple[ReliabilityBin, ...]
    """Up to five groups of like P(miss), of equal width."""
    money: tuple[MoneyScore, ...]
    """One of each currency."""
