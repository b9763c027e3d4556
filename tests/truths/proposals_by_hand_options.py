"""Proposals with a do-nothing option and options of stated cost and saving."""

from __future__ import annotations

from datetime import date

from forecasting.terms.proposal import Option, Proposal


def proposal_of(
    service: str,
    *,
    costs: tuple[float, ...],
    saves: tuple[float, ...],
    monthly: float = 0.0,
    since: date = date(2027, 1, 1),
    resource: str | None = None,
    before: float = 0.5,
    after: float = 0.1,
) -> Proposal:
    """Return a proposal whose loss of doing nothing is the largest saving; `monthly` is paid in half and two months."""
    loss = max(saves)
    running = monthly * 2.5
    options = [_option("accept_risk", 0.0, 0.0, loss, before, since, 0.0, before)]
    for cost, saved in zip(costs, saves, strict=True):
        options.append(_option("add_capacity", cost, saved, loss - saved, after, since, monthly, before, running))
    best = max(range(len(options)), key=lambda k: (options[k].net_benefit, resource is not None and k))
    return Proposal(
        id=f"P-{service}", title=service, service=service, agreement=None, objective=None, resource=resource,
        period=None,
        problem=service, probability_now=before, probability_low=before, probability_high=before, evidence=(),
        counter_evidence=(), assumptions=(), options=tuple(options),
        recommended=len(options) - 1 if resource is not None else best, declined=(), decide_by=None, owner="owner",
        success_measure="it holds",
    )  # fmt: skip


def _option(
    kind: str, cost: float, saved: float, left: float, after: float, since: date, monthly: float, before: float,
    running: float = 0.0,
) -> Option:  # fmt: skip
    return Option(
        kind=kind, label=f"{kind} for {cost:g}", capex=cost, opex_per_month=monthly, cost_over_horizon=cost + running,
        currency="EUR", price_date=None, lead_time_days=0, probability_before=before, probability_after=after,
        probability_after_low=after, probability_after_high=after, expected_credit_after=0.0, expected_loss_after=left,
        benefit_mean=saved, benefit_p10=saved, benefit_p90=saved, net_benefit=saved - cost - running, confidence=0.9,
        order_by=None, effective_from=since,
    )  # fmt: skip
