"""The risk that an objective is missed, and how good such statements have been."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from forecasting.terms.service_level import Period

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


CROSS_CHECK_LIMIT = 0.15
"""Difference between P(miss) by simulation and by formula from which on readers are told of it."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """A contribution to a risk."""

    name: str
    share: float
    """Share of the expected bad events, 0 to 1."""
    evidence: str
    """The numbers behind it, in words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BreachRisk:
    """P(objective missed at the end of a window), with what it rests on."""

    service: str
    agreement: str | None
    objective: str
    period: Period
    as_of: datetime
    target: Decimal
    probability: float
    """(1 + breaching paths) ÷ (paths + 2); exactly 0 or 1 only where arithmetic has decided."""
    probability_low: float
    """Lower end of the 90 % interval of `probability` (Monte Carlo and the shortness of history)."""
    probability_high: float
    decided: bool
    """True where the outcome is settled already."""
    attainment_paths: NDArray[np.float64]
    """Shape (n_paths,): the window's attainment on each path, 0 to 1; row i of every risk is the same world. 1 where
    the window would not be judged (too few events)."""
    attainment_p10: float
    attainment_p50: float
    attainment_p90: float
    consumed_good: int
    """Good events already in the window (exact)."""
    consumed_total: int
    budget_spent: float
    """Bad so far ÷ bad allowed on the expected total of the window."""
    exhaustion_p10: datetime | None
    """Early quantile of the instant at which the budget is gone, among all paths; None if later than the window."""
    exhaustion_p50: datetime | None
    expected_credit: float
    """Mean service credit of the window, in the agreement's currency."""
    expected_loss: float
    """Mean business loss of the customer, in the agreement's currency."""
    credit_p95: float
    currency: str
    fast_probability: float
    """Cross-check by the moment-matched beta-binomial."""
    monte_carlo_error: float
    """Standard error of `probability` from the number of paths."""
    causes: tuple[Cause, ...]
    basis: str
    """Whose history it rests on, with weights and coverage, in words."""
    cost_paths: NDArray[np.float64] | None = None
    """Shape (n_paths,): credit + business loss on each path, in `currency`; None = no agreement puts a price on it."""
    candidates: tuple[tuple[str, float], ...] = ()
    """P(miss) by each of the models that `probability` was averaged from, by name; empty where there is one model."""
    tier_probabilities: tuple[tuple[Decimal, float], ...] = ()
    """By credit tier, from the highest bound down: its `below`, and the probability that this tier is the one that
    counts; empty where no tiers were agreed."""


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """Predictions of like size against what happened."""

    predicted: float
    observed: float
    count: int
    low: float | None = None
    """Lower end of the 90 % interval of `observed`, by a bootstrap over services and windows; None = not computed."""
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with the 95 % interval of a bootstrap over services and windows."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ModelScore:
    """How one way of stating P(miss) did on a set of statements, beside the others on the same statements."""

    name: str
    kind: Literal["product", "candidate", "baseline"]
    statements: int
    brier: float
    """Mean squared difference of probability and outcome; 0 is perfect."""
    skill: Estimate
    """1 − Brier ÷ Brier of climatology."""
    log_loss: float
    """Mean −log of the probability given to what happened, probabilities kept off 0 and 1 by 1 ÷ (paths + 2)."""
    ece: float
    """Expected calibration error: mean |stated − observed| over ten bins of equal size, 0 to 1."""
    pr_auc: float | None
    """Average precision, 0 to 1; None where nothing was missed."""
    to_climatology: Estimate
    """Brier − Brier of climatology, paired; below 0 is better."""
    to_best: Estimate
    """Brier − Brier of the best baseline, paired; below 0 is better."""
    bins: tuple[ReliabilityBin, ...]
    """Ten bins of equal size, by rising probability."""


@dataclass(frozen=True, kw_only=True)
class StratumScore:
    """The same scores on a part of the statements."""

    by: Literal["horizon", "tier", "outcome", "action"]
    """What divides the parts: elapsed share or windows ahead, service tier, decided or not, acted upon or not."""
    part: str
    """Name of the part, such as ``50 %`` or ``2 ahead``."""
    statements: int
    breaches: int
    models: tuple[ModelScore, ...]


@dataclass(frozen=True, kw_only=True)
class RiskScore:
    """How often breach statements came true, on decisions whose outcome was open."""

    decisions: int
    breaches: int
    brier: float
    brier_climatology: float
    skill: float
    """1 − Brier ÷ Brier of climatology; above 0 is better than knowing only the past breach rate."""
    skill_low: float
    """Lower end of the 95 % block-bootstrap interval of the skill."""
    skill_high: float
    bins: tuple[ReliabilityBin, ...]
    """Statements in groups of like probability, rising."""
    first: datetime
    """Earliest decision time scored."""
    last: datetime
    protocol: str
    """What was replayed, in words."""
    ece: float | None = None
    """Expected calibration error in ten bins of equal size, 0 to 1; None = not computed."""
    log_loss: float | None = None
    pr_auc: float | None = None
    """Average precision, 0 to 1; None = nothing was missed, or not computed."""
    models: tuple[ModelScore, ...] = ()
    """This way of stating P(miss) first, then its candidates, then the baselines, each group by rising Brier score."""
    best_baseline: str = ""
    """Baseline with the smallest Brier score on these statements."""
    strata: tuple[StratumScore, ...] = ()
    services: int = 0
    windows: int = 0
    """Windows scored; windows of several services with one label count once."""
    decided: int = 0
    """Statements left out of all scores because arithmetic had decided the outcome."""
    treated: int = 0
    """Statements left out because somebody acted on a warning of the window; scored apart in `strata`."""

    def of(self, model: str) -> ModelScore | None:
        """Return the score of a model by its name."""
        return next((m for m in self.models if m.name == model), None)


@dataclass(frozen=True, kw_only=True)
class AlarmScore:
    """How early warnings at a threshold would have done in the replayed past."""

    threshold: float
    """P(breach) at which a warning is raised."""
    required_lead_days: float
    windows: int
    breaches: int
    warned: int
    """Windows with a warning."""
    precision: float | None
    recall: float | None
    surprise_rate: float | None
    """Breaches without a warning at least the required lead before ÷ all breaches."""
    false_per_100_windows: float
    median_lead_days: float | None
    lead_p10_days: float | None = None
    """Lead that nine in ten of the warnings that came true had at least."""
    service_months: float | None = None
    """Months covered by scored windows, summed over services; None = not computed."""
    false_per_100_service_months: float | None = None
    warnings_per_service_month: float | None = None
    treated: int = 0
    """Windows left out because somebody acted on a warning of them."""
    treated_breaches: int = 0
