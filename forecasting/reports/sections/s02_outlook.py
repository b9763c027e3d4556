"""Section 2: the outlook in one page."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Bullets, Cell, Column, KeyFigure, KeyFigures, Paragraph, table
from forecasting.reports.charts import risk_matrix
from forecasting.reports.facts import (
    LIKELY,
    cost_of,
    date_range,
    exhausted_cell,
    order_cell,
    risk_cell,
    risk_lines,
    worst_lines,
)
from forecasting.reports.formatting import (
    excuse_sentence,
    interval,
    missing,
    money,
    monte_carlo,
    name,
    number,
    percent,
    plural,
    text,
)
from forecasting.terms.breach import CROSS_CHECK_LIMIT
from forecasting.terms.plan import Plan

AT_RISK_SHOWN = 10
UNCERTAINTIES_SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """Section 2."""

    number: int = 2
    title: str = "Outlook"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return key figures, the periods, what is most at risk, run-outs and the largest uncertainties."""
        return (
            _key_figures(plan),
            *_periods(plan),
            *_at_risk(plan),
            *_run_outs(plan),
            Bullets(title="Largest uncertainties", items=_uncertainties(plan)),
        )


def _key_figures(plan: Plan) -> KeyFigures:
    """Return the row of numbers an executive reads first."""
    worst = worst_lines(plan, agreements_only=True)
    likely = sum(1 for line in worst if line.risk.probability >= LIKELY)
    short = sum(1 for r in plan.requirements if r.probability_exhausted >= LIKELY)
    horizon = f"sum of {plural(len(plan.portfolio), 'period')}"
    because = "no agreement could be forecast"
    if plan.portfolio:
        first = plan.portfolio[0]
        all_met = monte_carlo(first.probability_all_met, plan.manifest.paths)
        credit = money(sum(p.expected_credit for p in plan.portfolio), plan.currency)
        loss = money(sum(p.expected_loss for p in plan.portfolio), plan.currency)
        label = f"P(all agreements met), {first.period.label}"
    else:
        all_met = credit = loss = missing(because)
        label, horizon = "P(all agreements met)", ""
    return KeyFigures(
        items=(
            KeyFigure(label=label, cell=all_met, note="with Monte Carlo interval"),
            KeyFigure(
                label="Agreed objectives at risk",
                cell=Cell(text=f"{likely} of {len(worst)}", value=likely, tone="bad" if likely else "good"),
                note=f"P(miss) of {percent(LIKELY)} or more in a window",
            ),
            KeyFigure(label="Expected service credits", cell=credit, note=horizon),
            KeyFigure(label="Expected business loss", cell=loss, note=horizon),
            KeyFigure(
                label="Resources running out",
                cell=Cell(text=f"{short} of {len(plan.requirements)}", value=short, tone="bad" if short else "good"),
                note=f"P(exhausted) of {percent(LIKELY)} or more",
            ),
            KeyFigure(label="Early warnings", cell=number(len(plan.warnings)), note="see section 13"),
        )
    )


def _periods(plan: Plan) -> tuple[Block, ...]:
    """Return all agreements together, by period."""
    if not plan.portfolio:
        return (Paragraph(text="There is no joint outlook, because no agreement could be forecast.", tone="muted"),)
    columns = (
        Column(name="Period"),
        Column(name="Agreements", align="right"),
        Column(name="P(all met)", align="right"),
        Column(name="Expected misses", align="right"),
        Column(name="Misses, 90 %", align="right"),
        Column(name="Expected credits", align="right"),
        Column(name="Expected loss", align="right"),
        Column(name="Credits and loss, 95 %", align="right"),
    )
    rows = [
        (
            text(p.period.label),
            number(p.agreements),
            monte_carlo(p.probability_all_met, plan.manifest.paths),
            number(p.expected_misses, digits=1),
            number(p.misses_p90, digits=0),
            money(p.expected_credit, p.currency),
            money(p.expected_loss, p.currency),
            money(p.loss_p95, p.currency),
        )
        for p in plan.portfolio
    ]
    note = "All agreements share the same simulated worlds, so that bad days hit together as they do in the data. "
    note += "The interval is that of the simulation."
    return (table("All agreements together", columns, rows, note=note),)


def _at_risk(plan: Plan) -> tuple[Block, ...]:
    """Return the windows most at risk, and the risk matrix of all objectives' worst windows."""
    worst = worst_lines(plan, agreements_only=True) or worst_lines(plan)
    if not worst:
        return (Paragraph(text="No risk could be computed; section 7 says why for each service.", tone="muted"),)
    columns = (
        Column(name="Service and objective"),
        Column(name="Worst window"),
        Column(name="P(miss)", align="right"),
        Column(name="Expected credits", align="right"),
        Column(name="Expected loss", align="right"),
        Column(name="Main cause"),
    )
    rows = [
        (
            text(line.title),
            text(line.risk.period.label),
            risk_cell(line.risk),
            money(line.risk.expected_credit, line.risk.currency),
            money(line.risk.expected_loss, line.risk.currency),
            text(line.risk.causes[0].name) if line.risk.causes else missing("no cause stood out"),
        )
        for line in worst[:AT_RISK_SHOWN]
    ]
    marks = sorted(worst, key=lambda x: (-cost_of(x.risk), -x.risk.probability))[:20]
    figure = risk_matrix(
        "risk-matrix", [m.risk for m in marks], [m.title for m in marks], plan.as_of, name(plan.currency)
    )
    note = "P(miss) with its 90 % interval."
    if len(worst) > AT_RISK_SHOWN:
        note += f" {AT_RISK_SHOWN} of {len(worst)} are shown; section 7 has all, and those outside agreements."
    kind = "Agreed objectives" if worst[0].objective.agreement is not None else "Objectives outside agreements"
    caption = f"{kind}, most at risk first"
    return table(caption, columns, rows, note=note), figure


def _run_outs(plan: Plan) -> tuple[Block, ...]:
    """Return the resources that may run out."""
    short = [r for r in plan.requirements if r.order_by is not None or r.probability_exhausted >= 0.1]
    if not plan.requirements:
        return (Paragraph(text="No resource is described in the catalogue or could be assessed.", tone="muted"),)
    if not short:
        return (Paragraph(text="No resource is likely to run out within the horizon."),)
    columns = (
        Column(name="Resource"),
        Column(name="P(exhausted)", align="right"),
        Column(name="Limit passed (10 / 50 / 90 % of paths)"),
        Column(name="Order by"),
    )
    rows = [
        (text(name(r.resource)), exhausted_cell(r), date_range(r), order_cell(r, plan))
        for r in sorted(short, key=lambda r: (-r.probability_exhausted, r.resource))
    ]
    return (table("Resources that may run out", columns, rows),)


def _uncertainties(plan: Plan) -> tuple[str, ...]:
    """Return what could change the picture most, in words with numbers."""
    found: list[str] = []
    score = plan.risk_score
    if score is None:
        found.append("There is no track record yet: too few closed windows to replay, so probabilities are untested.")
    elif score.skill_low <= 0:
        found.append(
            f"The track record does not exclude chance: Brier skill {number(score.skill).text} "
            f"({interval(score.skill_low, score.skill_high)}) on {plural(score.decisions, 'decision')}."
        )
    for line in sorted(risk_lines(plan), key=lambda x: x.risk.probability_low - x.risk.probability_high)[:2]:
        width = line.risk.probability_high - line.risk.probability_low
        if not line.risk.decided and width > 0.1:
            found.append(
                f"Widest interval: {line.title}, {line.risk.period.label}: P(miss) {risk_cell(line.risk).text}."
            )
    for line in risk_lines(plan):
        if abs(line.risk.fast_probability - line.risk.probability) > CROSS_CHECK_LIMIT and not line.risk.decided:
            found.append(
                f"Two methods disagree: {line.title}, {line.risk.period.label}: P(miss) "
                f"{percent(line.risk.probability)} by simulation, {percent(line.risk.fast_probability)} by formula."
            )
    for service in plan.services:
        if service.forecast is not None and service.forecast.fallback:
            found.append(f"{name(service.service.name)}: forecast by a stand-in: {service.forecast.fallback}")
        if service.excuse is not None:
            found.append(f"{name(service.service.name)}: demand forecast {excuse_sentence(service.excuse)}.")
    for resource, excuse in plan.capacity_excuses:
        found.append(f"{name(resource)}: capacity outlook {excuse_sentence(excuse)}.")
    rest = len(found) - UNCERTAINTIES_SHOWN
    if rest > 0:
        found = [*found[:UNCERTAINTIES_SHOWN], f"{plural(rest, 'further point')}: see sections 7, 8 and 16."]
    return tuple(found) or ("Nothing stands out: intervals are narrow, methods agree and no data is missing.",)
