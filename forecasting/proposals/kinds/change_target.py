"""Change the target: agree on what can be promised at a chosen confidence."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

import numpy as np

from forecasting.proposals.base import Problem, cost_on_paths, money
from forecasting.service_levels.credits import credits_on_paths
from forecasting.terms.agreement import Agreement
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option

TIE = 1e-12
"""An attainment within this of a target counts as on it, so that an exact tie is not lost in binary."""
CONFIDENCES = (0.8, 0.9)
"""P(met) at which a target counts as safe to offer."""


class ChangeTarget:
    """Relax the target of an agreement from the next window on, with its credit tiers moved alike.

    The customer's business loss does not change with a number in a contract: only the credits do, and so the
    benefit is at the same time the most that a price concession may cost.

    Examples
    --------
    >>> ChangeTarget().name
    'change_target'
    """

    name = "change_target"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return one option per confidence, or why a softer target cannot help."""
        worst, objective, agreement = problem.worst, problem.objective, problem.agreement
        if objective is None or worst is None:
            return Excuse(reason="the problem is a resource, not a target", what_would_help="an objective at risk")
        if agreement is None:
            return Excuse(
                reason=f"{objective.name} is an internal objective without an agreement",
                what_would_help="nothing to negotiate; change the objective in the catalogue if it is wrong",
            )
        coming = tuple(r for r in problem.risks if r.period.start > problem.as_of)
        if not coming:
            return Excuse(
                reason="a contract change applies from the next window on, and none lies within the horizon",
                what_would_help="a longer horizon",
            )
        hardest = max(coming, key=lambda r: r.probability)
        options, seen = [], {objective.target}
        safe = [safe_target(hardest.attainment_paths, confidence, objective.target) for confidence in CONFIDENCES]
        for confidence, target in zip(CONFIDENCES, safe, strict=True):
            if target in seen or target >= objective.target or target <= 0:
                continue
            seen.add(target)
            options.append(self._option(problem, agreement, target, confidence))
        if not options and safe[-1] <= 0:
            return Excuse(
                reason=f"no target above 0 % is met with {100 * CONFIDENCES[-1]:.0f} % in {hardest.period.label}",
                what_would_help="something that makes the service work; no number in a contract does",
            )
        if not options:
            return Excuse(
                reason=f"today's target is met with at least {100 * CONFIDENCES[-1]:.0f} % in every coming window",
                what_would_help="nothing; no softer target is needed from the next window on",
            )
        return tuple(options)

    def _option(self, problem: Problem, agreement: Agreement, target: Decimal, confidence: float) -> Option:
        worst, objective = problem.worst, problem.objective
        assert worst is not None
        assert objective is not None
        before = cost_on_paths(problem, problem.risks)
        saved = np.zeros(len(before))
        for risk in problem.risks:
            if risk.period.start > problem.as_of:
                moved = risk.attainment_paths + float(objective.target - target)
                saved += credits_on_paths(agreement, risk.attainment_paths) - credits_on_paths(agreement, moved)
        applies = worst.period.start > problem.as_of
        missed = int((worst.attainment_paths < float(target) - TIE).sum())
        after = (1 + missed) / (len(worst.attainment_paths) + 2) if applies else worst.probability
        ratio = after / worst.probability if worst.probability > 0 else 1.0
        credit, loss = money(problem.risks, problem)
        first = min((r.period.start for r in problem.risks if r.period.start > problem.as_of), default=None)
        return Option(
            kind=self.name,
            label=f"Agree on {(100 * target).normalize():f} % instead of {(100 * objective.target).normalize():f} % "
            f"(met with {100 * confidence:.0f} % in the hardest coming window)",
            capex=0.0,
            opex_per_month=0.0,
            cost_over_horizon=0.0,
            currency=problem.currency,
            price_date=None,
            lead_time_days=0,
            probability_before=worst.probability,
            probability_after=after,
            probability_after_low=worst.probability_low * ratio,
            probability_after_high=min(1.0, max(after, worst.probability_high * ratio)),
            expected_credit_after=credit - float(saved.mean()),
            expected_loss_after=loss,
            benefit_mean=float(saved.mean()),
            benefit_p10=float(np.quantile(saved, 0.1)),
            benefit_p90=float(np.quantile(saved, 0.9)),
            net_benefit=float(saved.mean()),
            confidence=float((saved > 0).mean()),
            order_by=problem.local_date(first) if first else None,
            effective_from=problem.local_date(first) if first else None,
            side_effects="Needs the customer's consent; the customer's own loss stays. "
            "The credits avoided are the most that a price concession may cost.",
        )


def safe_target(attainment: np.ndarray[tuple[int], np.dtype[np.float64]], confidence: float, near: Decimal) -> Decimal:
    """Return a round target met on at least `confidence` of the paths, the strictest but for one path and rounding.

    Rounded down to a step a contract would name: the last decimal of the present target, at least 0.1 points.

    Examples
    --------
    >>> safe_target(np.linspace(0.7, 0.8, 101), 0.9, Decimal("0.8"))
    Decimal('0.710')
    >>> safe_target(np.full(10, 1 - 29 / 100), 0.9, Decimal("0.8"))  # 71 %, though 1 - 0.29 is a bit less in binary
    Decimal('0.710')
    """
    exponent = near.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a target is finite"
    step = Decimal(1).scaleb(min(exponent, -3))
    worse = int((len(attainment) - 1) * (1.0 - confidence) + 1e-9)  # paths that may miss; 100 × (1 − 0.9) is 9.99…
    level = Decimal(float(np.sort(attainment)[worse]) + TIE)
    return level.quantize(step, rounding=ROUND_FLOOR)
