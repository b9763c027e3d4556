"""Section 7: each service: what it delivered, what is to be expected, why, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace

from forecasting.reports.base import Block, Bullets, Cell, Column, Details, Heading, Paragraph, Tone, table
from forecasting.reports.charts import attained_range, attainment_chart, demand_fan
from forecasting.reports.facts import (
    LIKELY,
    attained_cell,
    budget_cell,
    closed,
    is_near_miss,
    key,
    meet_cell,
    objective_name,
    risk_cell,
    running,
    service_name,
    status_cell,
)
from forecasting.reports.formatting import (
    excuse_sentence,
    instant,
    missing,
    money,
    name,
    number,
    percent,
    plural,
    points,
    share,
    target_text,
    text,
)
from forecasting.terms.breach import CROSS_CHECK_LIMIT, BreachRisk
from forecasting.terms.diagnosis import DriverRelation
from forecasting.terms.plan import ObjectiveOutlook, Plan, ServiceOutlook
from forecasting.terms.service_level import AttainmentStatus


@dataclass(frozen=True, kw_only=True)
class ServiceOutlookSection:
    """Section 7."""

    number: int = 7
    title: str = "Service outlook"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return a summary of all objectives, then one part per service."""
        if not plan.services:
            return (Paragraph(text="The plan covers no service, because the catalogue declares none."),)
        parts = [_service(i, s, plan) for i, s in enumerate(plan.services, start=1)]
        return (_summary(plan), *parts)


def _summary(plan: Plan) -> Block:
    """Return one line per objective."""
    columns = (
        Column(name="Service and objective"),
        Column(name="Target", align="right"),
        Column(name="Last closed window", align="right"),
        Column(name="Margin", align="right"),
        Column(name="Missed / near", align="right"),
        Column(name="Budget spent", align="right"),
        Column(name="P(meet), first window", align="right"),
        Column(name="P(meet), worst window", align="right"),
    )
    rows: list[tuple[Cell, ...]] = []
    for s in plan.services:
        rows.extend(_summary_row(s, o) for o in s.objectives)
    bare = [service_name(s) for s in plan.services if not s.objectives]
    note = (
        "Missed / near: of the last eight closed windows. A near miss was met with less than a tenth of its "
        "error budget left. Budget spent: bad so far ÷ bad allowed in the running window."
    )
    if bare:
        note += f" Without an objective: {', '.join(bare)}."
    if not rows:
        return Paragraph(
            text=f"No service level is reported, because no objective is declared.{note.partition('window.')[2]}"
        )
    return table("All objectives", columns, rows, note=note)


def _summary_row(service: ServiceOutlook, outlook: ObjectiveOutlook) -> tuple[Cell, ...]:
    """Print one objective in one line."""
    windows = closed(outlook.attainments)
    last = windows[-1] if windows else None
    lost = sum(1 for a in windows if a.status is AttainmentStatus.BREACHED)
    near = sum(1 for a in windows if is_near_miss(a))
    nothing = "no window has closed"
    worst = max(outlook.risks, key=lambda r: r.probability, default=None)
    no_risk = outlook.excuse.reason if outlook.excuse else "no risk was computed"
    return (
        text(
            f"{service_name(service)}: {objective_name(outlook.objective)}"
            f"{'' if outlook.agreement else ' (no agreement)'}"
        ),
        Cell(text=target_text(outlook.objective.target), value=float(outlook.objective.target), unit="share"),
        attained_cell(last) if last else missing(nothing),
        points(last.margin) if last else missing(nothing),
        Cell(text=f"{lost} / {near} of {len(windows)}", value=lost),
        _budget_now(outlook),
        _meet_in(outlook.risks[0]) if outlook.risks else missing(no_risk),
        _meet_in(worst) if worst else missing(no_risk),
    )


def _meet_in(risk: BreachRisk) -> Cell:
    """Print P(meet) with its window."""
    cell = meet_cell(risk)
    tone: Tone = "bad" if risk.probability >= LIKELY else "plain"
    return replace(cell, text=f"{cell.text} in {risk.period.label}", tone=tone)


def _budget_now(outlook: ObjectiveOutlook) -> Cell:
    """Print the spent budget of the running window, on the expected total where there is a forecast of it."""
    now = running(outlook.attainments)
    if now is None:
        return missing("no window is running")
    risk = next((r for r in outlook.risks if r.period == now.period), None)
    return budget_cell(risk.budget_spent if risk else now.budget_spent, "the running window has no traffic yet")


def _service(index: int, service: ServiceOutlook, plan: Plan) -> Block:
    """Return the part of one service."""
    who = service_name(service)
    blocks: list[Block] = [Paragraph(text=service.recommendation or "No recommendation was made.")]
    facts = [f"{label}: {value}" for label, value in _facts(service) if value]
    blocks.append(Paragraph(text=" · ".join(facts), tone="muted"))
    for j, outlook in enumerate(service.objectives, start=1):
        blocks.extend(_objective(index, j, outlook, plan))
    if not service.objectives:
        blocks.append(
            Paragraph(text="There is no service level to report, because no objective is declared.", tone="muted")
        )
    blocks.append(Heading(text="Demand", level=4))
    blocks.extend(_demand(index, service))
    worst = max((r for o in service.objectives for r in o.risks), key=lambda r: r.probability, default=None)
    says = f"worst P(miss) {risk_cell(worst).text} in {worst.period.label}" if worst else "no risk figure"
    return Details(summary=f"{who}: {says}", blocks=tuple(blocks))


def _facts(service: ServiceOutlook) -> tuple[tuple[str, str], ...]:
    """Return what the catalogue says of the service."""
    s = service.service
    return (
        ("Service", name(s.name)),
        ("tier", s.tier),
        ("owner", s.owner),
        ("zone", s.zone),
        ("depends on", ", ".join(s.depends_on)),
    )


def _objective(index: int, j: int, outlook: ObjectiveOutlook, plan: Plan) -> list[Block]:
    """Return attainment, outlook, causes and drawing of one objective."""
    promise = outlook.agreement.promise if outlook.agreement else outlook.objective.description
    title = f"{objective_name(outlook.objective)}: target {target_text(outlook.objective.target)}"
    if outlook.agreement:
        title += f" ({outlook.agreement.kind} {outlook.agreement.id}, version {outlook.agreement.version})"
    blocks: list[Block] = [Heading(text=title, level=4)]
    if promise:
        blocks.append(Paragraph(text=promise))
    figure = attainment_chart(key("attainment", index, j), outlook, plan.as_of)
    if figure is not None:
        blocks.append(figure)
    blocks.append(_windows(outlook))
    if outlook.risks:
        blocks.append(_coming(outlook))
        causes = [
            f"{c.name}: {percent(c.share)} of the expected bad events ({c.evidence})" for c in outlook.risks[0].causes
        ]
        blocks.append(
            Bullets(title="Causes", items=tuple(causes) or ("No cause stands out from the history of this service.",))
        )
        blocks.append(Paragraph(text=f"Basis: {outlook.risks[0].basis}", tone="muted"))
    elif outlook.excuse:
        blocks.append(Paragraph(text=f"P(meet) is {excuse_sentence(outlook.excuse)}.", tone="attention"))
    else:
        blocks.append(Paragraph(text="P(meet) is not available, because no risk was computed.", tone="muted"))
    blocks.extend(_drivers(outlook))
    return blocks


_DAILY = {"sum": "day's sum", "max": "day's highest", "min": "day's lowest"}


def _drivers(outlook: ObjectiveOutlook) -> list[Block]:
    """Return what bad days have in common: the drivers that stand out, or that none does."""
    blocks: list[Block] = []
    clear = [d for d in outlook.drivers if d.significant]
    if clear:
        columns = (
            Column(name="Driver"),
            Column(name="Worst fifth of days"),
            Column(name="Days", align="right"),
            Column(name="Bad then", align="right"),
            Column(name="Bad otherwise", align="right"),
            Column(name="Of all bad, beyond", align="right"),
            Column(name="Rank correlation", align="right"),
            Column(name="p", align="right"),
        )
        rows = [
            (
                text(f"{d.label}, {_DAILY[d.daily]}"),
                _threshold(d),
                Cell(text=f"{d.worst_days} of {d.days}", value=d.worst_days),
                share(d.bad_share_worst),
                share(d.bad_share_rest),
                Cell(text=percent(d.excess_share), value=d.excess_share, unit="share"),
                number(d.correlation, digits=2),
                Cell(text="< 0.001" if d.p_value < 0.001 else f"{d.p_value:.3f}", value=d.p_value),
            )
            for d in clear
        ]
        note = (
            "An association on past days, not a cause; drivers overlap, so their parts do not add up. "
            "Of all bad, beyond: share of all bad events above what the other days' level gives on the worst fifth. "
            "p: beyond the level of the weeks around, whole weeks shuffled, corrected for "
            f"{plural(len(outlook.drivers), 'driver')} looked at."
        )
        unforeseen = [name(d.label) for d in clear if not d.known_ahead]
        if unforeseen:
            note += f" Not known ahead, so the outlook does not use it: {', '.join(unforeseen)}."
        blocks.append(table("What bad days have in common", columns, rows, note=note, sortable=False))
    elif outlook.drivers:
        looked = ", ".join(name(d.label) for d in outlook.drivers)
        blocks.append(
            Paragraph(
                text=f"What bad days have in common: nothing beyond chance among {looked} "
                f"({plural(outlook.drivers[0].days, 'day')}).",
                tone="muted",
            )
        )
    for label, excuse in outlook.drivers_declined:
        blocks.append(Paragraph(text=f"The relation to {name(label)} is {excuse_sentence(excuse)}.", tone="muted"))
    return blocks


def _threshold(d: DriverRelation) -> Cell:
    """Print where the worst fifth begins."""
    side = "or more" if d.direction == "above" else "or less"
    return Cell(text=f"{number(d.threshold, d.unit).text} {side}", value=d.threshold, unit=d.unit)


def _windows(outlook: ObjectiveOutlook) -> Block:
    """Return the table of the last closed windows and the running one."""
    windows = [*closed(outlook.attainments)]
    now = running(outlook.attainments)
    if now is not None:
        windows.append(now)
    if not windows:
        return Paragraph(text="No window is reported, because none has begun.", tone="muted")
    columns = (
        Column(name="Window"),
        Column(name="Attained", align="right"),
        Column(name="Margin", align="right"),
        Column(name="Verdict"),
        Column(name="Good / all", align="right"),
        Column(name="Budget spent", align="right"),
        Column(name="Observed", align="right"),
    )
    rows = [
        (
            text(a.period.label),
            attained_cell(a),
            points(a.margin),
            status_cell(a),
            Cell(text=f"{a.good:,} / {a.total:,}", value=a.total),
            budget_cell(a.budget_spent, "there was no traffic"),
            Cell(text=f"{a.coverage * 100:.1f} %", value=a.coverage, unit="share"),
        )
        for a in windows
    ]
    note = "Budget spent: bad ÷ allowed on the events seen so far."
    return table("Delivered", columns, rows, note=note, sortable=False)


def _coming(outlook: ObjectiveOutlook) -> Block:
    """Return the table of coming windows."""
    tiers = any(r.tier_probabilities for r in outlook.risks)
    columns = (
        Column(name="Window"),
        Column(name="P(meet)", align="right"),
        Column(name="Attainment, 80 %", align="right"),
        Column(name="Budget spent", align="right"),
        Column(name="Budget gone (10 / 50 % of paths)"),
        *([Column(name="P(credit tier)", align="right")] if tiers else []),
        Column(name="Expected credit", align="right"),
        Column(name="Credit, 95 %", align="right"),
        Column(name="Expected loss", align="right"),
    )
    rows = []
    for r in outlook.risks:
        gone = [e for e in (r.exhaustion_p10, r.exhaustion_p50) if e is not None]
        shown = " / ".join(instant(e).text for e in gone) + (" / later" if len(gone) == 1 else "")
        rows.append(
            (
                text(r.period.label),
                meet_cell(r),
                attained_range(r),
                budget_cell(r.budget_spent, "nothing has been measured"),
                Cell(text=shown, value=instant(gone[0]).value)
                if gone
                else Cell(text="not within the window", tone="muted"),
                *([_tiers(r)] if tiers else []),
                money(r.expected_credit, r.currency),
                money(r.credit_p95, r.currency),
                money(r.expected_loss, r.currency),
            )
        )
    agreement = outlook.agreement
    note = "Budget spent: bad so far ÷ bad allowed on the expected total of the window."
    if agreement is not None and agreement.price_date is not None:
        note += f" Prices of {agreement.price_date.isoformat()}."
    apart = [
        f"{percent(r.fast_probability)} in {r.period.label}"
        for r in outlook.risks
        if not r.decided and abs(r.fast_probability - r.probability) > CROSS_CHECK_LIMIT
    ]
    if apart:
        note += f" By formula instead of simulation P(miss) would be {' and '.join(apart)}."
    return table("Coming windows", columns, rows, note=note, sortable=False)


def _tiers(risk: BreachRisk) -> Cell:
    """Print with which probability each credit tier is the one that counts."""
    if not risk.tier_probabilities:
        return missing("no credit tiers were agreed")
    shown = " · ".join(f"{percent(p)} below {target_text(below)}" for below, p in risk.tier_probabilities)
    return Cell(text=shown, value=sum(p for _, p in risk.tier_probabilities), unit="share")


def _demand(index: int, service: ServiceOutlook) -> list[Block]:
    """Return the demand fan and how its model was chosen, or why there is none."""
    if service.forecast is None:
        if service.excuse is not None:
            return [Paragraph(text=f"The demand forecast is {excuse_sentence(service.excuse)}.", tone="attention")]
        return [
            Paragraph(text="The demand forecast is not available, because no demand driver is declared.", tone="muted")
        ]
    blocks: list[Block] = [demand_fan(key("demand", index), service.forecast, service.demand)]
    choice = service.choice or service.forecast.choice
    score = choice.score(choice.chosen) if choice else None
    if choice is not None:
        words = choice.reason
        if score is not None:
            words += (
                f" Back-test over {plural(score.origins, 'origin')}: error "
                f"{number(score.mase_vs_naive, digits=2).text} of seasonal naive, "
                f"bias {number(score.bias, digits=2).text}."
            )
        blocks.append(Paragraph(text=words, tone="muted"))
    if service.forecast.fallback:
        blocks.append(Paragraph(text=f"A stand-in answered: {service.forecast.fallback}", tone="attention"))
    return blocks
