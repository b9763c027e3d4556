"""Section 10: every proposal with all its options, do nothing among them, and why the others were rejected."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Bullets, Cell, Column, Details, KeyFigure, KeyFigures, Paragraph, table
from forecasting.reports.facts import days, decide_by_cell, option_after, option_cost, service_names
from forecasting.reports.formatting import (
    day,
    excuse_sentence,
    instant,
    money,
    name,
    plural,
    price_note,
    probability,
    text,
)
from forecasting.terms.plan import Plan
from forecasting.terms.proposal import Option, Proposal


@dataclass(frozen=True, kw_only=True)
class OptionsAndProposals:
    """Section 10."""

    number: int = 10
    title: str = "Options and proposals"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return one part per proposal, most valuable first."""
        if not plan.proposals:
            why = "because no objective and no resource is at a risk worth an option"
            return (
                Paragraph(
                    text=f"There is no proposal, {why}."
                    if plan.services
                    else "There is no proposal, because the plan covers no service."
                ),
            )
        intro = (
            f"{plural(len(plan.proposals), 'proposal')}, most valuable first. Each was compared with doing "
            "nothing on the same simulated worlds. Money covers the horizon unless it says month."
        )
        names = service_names(plan)
        return (Paragraph(text=intro), *(_proposal(p, plan, names) for p in plan.proposals))


def _proposal(p: Proposal, plan: Plan, names: dict[str, str]) -> Block:
    """Return one proposal."""
    best = p.recommendation
    now = probability(p.probability_now, p.probability_low, p.probability_high, bad=True)
    key_figures = KeyFigures(
        items=(
            KeyFigure(label="Recommended", cell=text(best.label)),
            KeyFigure(label="Decide by", cell=decide_by_cell(p, plan)),
            KeyFigure(label="P now", cell=now),
            KeyFigure(label="P after", cell=option_after(best)),
            KeyFigure(label="If not decided", cell=money(p.loss_if_not_decided, p.currency)),
            KeyFigure(label="Owner", cell=text(p.owner)),
            KeyFigure(label="State", cell=text(p.state.value.replace("_", " "))),
        ),
        compact=True,
    )
    who = names.get(p.service, name(p.service))
    where = who + (f", window {p.period.label}" if p.period else "")
    where += f", resource {name(p.resource)}" if p.resource else ""
    blocks: list[Block] = [Paragraph(text=f"{where}. {p.problem}"), key_figures, *_options(p)]
    blocks.append(Bullets(title="Evidence", items=p.evidence or ("Nothing was recorded.",)))
    if p.counter_evidence:
        blocks.append(Bullets(title="Counter-evidence", items=p.counter_evidence))
    if p.assumptions:
        blocks.append(Bullets(title="Assumptions", items=p.assumptions))
    rejected = [f"{o.label}: {o.rejected_because}" for o in p.options if o.rejected_because]
    rejected += [f"{kind.replace('_', ' ')}: {excuse_sentence(e)}" for kind, e in p.declined]
    blocks.append(Bullets(title="Rejected, and why", items=tuple(rejected) or ("No other option exists.",)))
    cut = f" Data until {instant(p.data_cut_off).text}." if p.data_cut_off else ""
    blocks.append(
        Paragraph(
            text=f"Success measure: {p.success_measure or 'none was stated'}. Proposal {p.id}.{cut}", tone="muted"
        )
    )
    return Details(summary=f"{name(p.title)}: {best.label}", blocks=tuple(blocks))


def _options(p: Proposal) -> tuple[Block, ...]:
    """Return what each option brings, and what it costs and takes."""
    brings = (
        Column(name="Option"),
        Column(name="Cost over the horizon", align="right"),
        Column(name="P before", align="right"),
        Column(name="P after", align="right"),
        Column(name="Benefit (10–90 %)", align="right"),
        Column(name="Net benefit", align="right"),
        Column(name="P(benefit > cost)", align="right"),
    )
    takes = (
        Column(name="Option"),
        Column(name="Capex", align="right"),
        Column(name="Opex a month", align="right"),
        Column(name="Lead time", align="right"),
        Column(name="Order by"),
        Column(name="Helps from"),
        Column(name="Expected credits after", align="right"),
        Column(name="Expected loss after", align="right"),
        Column(name="Side effects"),
    )
    note = price_note(o.price_date for o in p.options if o.cost_over_horizon)
    benefit = "Benefit: expected credits and losses avoided over the horizon."
    return (
        table(
            "Options",
            brings,
            [_brings(o, i == p.recommended) for i, o in enumerate(p.options)],
            note=f"{benefit} {note}",
        ),
        table("What each option takes", takes, [_takes(o) for o in p.options], note=note),
    )


def _label(o: Option) -> str:
    """Return the option's name; accepting the risk is called what it is."""
    return f"{o.label} (do nothing)" if o.kind == "accept_risk" and "nothing" not in o.label.lower() else o.label


def _brings(o: Option, recommended: bool) -> tuple[Cell, ...]:
    """Print the effect of an option."""
    low, high = money(o.benefit_p10, o.currency), money(o.benefit_p90, o.currency)
    short = [c.text.removeprefix(f"{c.unit} ") for c in (low, high)]
    benefit = Cell(
        text=f"{money(o.benefit_mean, o.currency).text} ({short[0]} to {short[1]})",
        value=o.benefit_mean,
        low=o.benefit_p10,
        high=o.benefit_p90,
        unit=low.unit,
    )
    label = _label(o)
    return (
        text(f"{label}, recommended" if recommended else label, tone="good" if recommended else "plain"),
        option_cost(o),
        probability(o.probability_before),
        option_after(o),
        benefit,
        money(o.net_benefit, o.currency, tone="bad" if o.net_benefit < 0 else "plain"),
        probability(o.confidence),
    )


def _takes(o: Option) -> tuple[Cell, ...]:
    """Print what an option costs and when it helps."""
    idle = o.kind == "accept_risk"
    nothing = Cell(text="nothing to start", tone="muted")
    return (
        text(_label(o)),
        money(o.capex, o.currency, o.price_date),
        money(o.opex_per_month, o.currency, o.price_date),
        days(o.lead_time_days, ""),
        nothing if idle and o.order_by is None else day(o.order_by, because="it takes no time or comes too late"),
        nothing if idle and o.effective_from is None else day(o.effective_from, because="no date was computed"),
        money(o.expected_credit_after, o.currency),
        money(o.expected_loss_after, o.currency),
        text(o.side_effects or "none known"),
    )
