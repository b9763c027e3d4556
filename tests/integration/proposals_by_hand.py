"""A proposal with round figures: doing nothing costs 1000 over the horizon, two options leave 100 and 500 of it."""

from __future__ import annotations

from datetime import UTC, date, datetime

from forecasting.terms.errors import Excuse
from forecasting.terms.proposal import Option, Proposal
from forecasting.terms.service_level import Period

APRIL = datetime(2027, 4, 1, tzinfo=UTC)


def month(number: int) -> Period:
    """Return a month of 2027 in UTC."""
    start, end = datetime(2027, number, 1, tzinfo=UTC), datetime(2027, number + 1, 1, tzinfo=UTC)
    return Period(start=start, end=end, label=f"2027-{number:02d}")


def option(kind: str, label: str, after: float, cost: float, benefit: float, *, before: float = 0.4) -> Option:
    """Return an option that leaves 1000 − benefit of credits and losses, a quarter of it credits."""
    left = 1000 - benefit
    return Option(
        kind=kind, label=label, capex=cost, opex_per_month=0.0, cost_over_horizon=cost, currency="EUR",
        price_date=date(2027, 1, 1), lead_time_days=10, probability_before=before, probability_after=after,
        probability_after_low=after, probability_after_high=after, expected_credit_after=left / 4,
        expected_loss_after=3 * left / 4, benefit_mean=benefit, benefit_p10=benefit, benefit_p90=benefit,
        net_benefit=benefit - cost, confidence=0.8, order_by=date(2027, 5, 1), effective_from=date(2027, 5, 11),
    )  # fmt: skip


def proposal(p: float, *, window: int = 6) -> Proposal:
    """Return a proposal for the window of a month with P(miss) `p`: add two (recommended), add one, do nothing."""
    return Proposal(
        id="P-1", title="north at risk", service="north", agreement="sla-north", objective="north-in-time",
        resource=None, period=month(window), problem="north may miss 95 %", probability_now=p, probability_low=p - 0.1,
        probability_high=p + 0.1, evidence=("so it was",), counter_evidence=(), assumptions=("as before",),
        options=(
            option("add_capacity", "Add two", 0.1, 200, 900, before=p),
            option("tune", "Add one", 0.2, 50, 500, before=p),
            option("accept_risk", "Do nothing", p, 0, 0, before=p),
        ),
        recommended=0, declined=(("change_target", Excuse(reason="not asked", what_would_help="ask")),),
        decide_by=date(2027, 5, 1), owner="Service owner", success_measure="95 % in June", data_cut_off=APRIL,
        loss_if_not_decided=900.0,
    )  # fmt: skip
