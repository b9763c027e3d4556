"""Front matter: whose plan, until when, from which data, reproducible from what."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, KeyFigure, KeyFigures, Paragraph
from forecasting.reports.facts import LIKELY, decide_by_cell, worst_lines
from forecasting.reports.formatting import day, instant, money, monte_carlo, plural, text
from forecasting.terms.plan import Plan


@dataclass(frozen=True, kw_only=True)
class FrontMatter:
    """Section 0."""

    number: int = 0
    title: str = "Front matter"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return one sentence of news and one line of facts."""
        facts = KeyFigures(
            items=(
                KeyFigure(label="Data until", cell=instant(plan.as_of)),
                KeyFigure(label="Horizon", cell=instant(plan.horizon_end)),
                KeyFigure(
                    label="Measured days", cell=text(f"{day(plan.data_first).text} to {day(plan.data_last).text}")
                ),
                KeyFigure(label="Catalogue", cell=text(plan.manifest.catalogue_version[:12])),
                KeyFigure(label="Run", cell=text(plan.manifest.run_id)),
            ),
            compact=True,
        )
        return Paragraph(text=headline(plan)), facts


def headline(plan: Plan) -> str:
    """Return the plan in one or two sentences."""
    worst = worst_lines(plan, agreements_only=True)
    likely = sum(1 for line in worst if line.risk.probability >= LIKELY)
    parts = []
    if worst:
        parts.append(
            f"{likely} of {plural(len(worst), 'agreed objective')} {'is' if likely == 1 else 'are'} "
            f"more likely than not to be missed in at least one window of the horizon."
        )
    else:
        parts.append("No agreed objective could be forecast.")
    if plan.portfolio:
        first = plan.portfolio[0]
        all_met = monte_carlo(first.probability_all_met, plan.manifest.paths).text
        cost = money(first.expected_credit + first.expected_loss, first.currency).text
        parts.append(f"P(all met) in {first.period.label}: {all_met}; expected credits and loss: {cost}.")
    dated = sorted((p for p in plan.proposals if p.decide_by is not None), key=lambda p: (str(p.decide_by), p.id))
    if dated:
        parts.append(f"First decision due: {decide_by_cell(dated[0], plan).text}.")
    return " ".join(parts)
