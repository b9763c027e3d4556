"""Accept the risk: do nothing, and know what it costs."""

from __future__ import annotations

from forecasting.proposals.base import Problem, money
from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option


class AcceptRisk:
    """The do-nothing case; it always applies.

    Examples
    --------
    >>> AcceptRisk().name
    'accept_risk'
    """

    name = "accept_risk"

    def options(self, problem: Problem) -> tuple[Option, ...] | Excuse:
        """Return the one option of doing nothing, with what it is expected to cost."""
        credit, loss = money(problem.risks, problem)
        worst = problem.worst
        p = problem.probability
        return (
            Option(
                kind=self.name,
                label="Do nothing and accept the risk",
                capex=0.0,
                opex_per_month=0.0,
                cost_over_horizon=0.0,
                currency=problem.currency,
                price_date=None,
                lead_time_days=0,
                probability_before=p,
                probability_after=p,
                probability_after_low=worst.probability_low if worst else problem.monte_carlo(p)[0],
                probability_after_high=worst.probability_high if worst else problem.monte_carlo(p)[1],
                expected_credit_after=credit,
                expected_loss_after=loss,
                benefit_mean=0.0,
                benefit_p10=0.0,
                benefit_p90=0.0,
                net_benefit=0.0,
                confidence=0.0,
                order_by=None,
                effective_from=None,
            ),
        )
