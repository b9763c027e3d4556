"""Section 1: at most seven decisions, each with its date, its cost and what happens without it."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Cell, Column, Paragraph, table
from forecasting.reports.facts import decide_by_cell, option_after, option_cost, service_names
from forecasting.reports.formatting import money, name, number, plural, price_note, probability, text
from forecasting.terms.plan import Plan
from forecasting.terms.proposal import Proposal, ProposalState

MOST = 7
OPEN = {ProposalState.DRAFT, ProposalState.PROPOSED, ProposalState.DEFERRED, ProposalState.AMENDED}


@dataclass(frozen=True, kw_only=True)
class DecisionsRequested:
    """Section 1."""

    number: int = 1
    title: str = "Decisions requested"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the table of decisions, most valuable first; those that only accept a risk come last."""
        waiting = [p for p in plan.proposals if p.state in OPEN]
        if not waiting:
            return (
                Paragraph(
                    text="No decision is requested: no agreement and no resource is at a risk that an option could "
                    "lower at a price worth paying."
                    if plan.services
                    else "No decision is requested, because the plan covers no service."
                ),
            )
        ranked = sorted(waiting, key=lambda p: p.recommendation.kind == "accept_risk")
        shown = ranked[:MOST]
        names = service_names(plan)
        columns = (
            Column(name="No.", align="right"),
            Column(name="Decision"),
            Column(name="Decide by"),
            Column(name="Cost over the horizon", align="right"),
            Column(name="P(miss) before", align="right"),
            Column(name="P(miss) after", align="right"),
            Column(name="If not decided", align="right"),
        )
        rows = [_row(i, p, plan, names) for i, p in enumerate(shown, start=1)]
        note = "P(miss): worst window of the horizon (for a resource: P(exhausted)), with its 90 % interval. "
        note += "If not decided: credits and losses over the horizon that the decision is expected to avoid; where the "
        note += "risk is to be accepted, those that come with it. "
        note += price_note(p.recommendation.price_date for p in shown if p.recommendation.cost_over_horizon)
        blocks: list[Block] = [table("Open decisions, most valuable first", columns, rows, note=note)]
        if len(ranked) > MOST:
            more = len(ranked) - MOST
            blocks.append(
                Paragraph(text=f"{plural(more, 'further proposal')} of less value: see section 10.", tone="muted")
            )
        return tuple(blocks)


def _row(rank: int, proposal: Proposal, plan: Plan, names: dict[str, str]) -> tuple[Cell, ...]:
    """Print one decision."""
    option = proposal.recommendation
    who = names.get(proposal.service, name(proposal.service))
    now = probability(proposal.probability_now, proposal.probability_low, proposal.probability_high, bad=True)
    return (
        number(rank),
        text(f"{who}: {option.label}"),
        decide_by_cell(proposal, plan),
        option_cost(option),
        now,
        option_after(option),
        money(proposal.loss_if_not_decided, proposal.currency),
    )
