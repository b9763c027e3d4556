"""Section 13: the register of early warnings, and how such warnings have done."""

from __future__ import annotations

from dataclasses import dataclass

from forecasting.reports.base import Block, Cell, Column, Details, KeyFigure, KeyFigures, Paragraph, table
from forecasting.reports.facts import days, fraction, objective_names, service_names
from forecasting.reports.formatting import day, money, name, number, percent, plural, probability, text
from forecasting.terms.breach import AlarmScore
from forecasting.terms.plan import Plan
from forecasting.terms.warning import EarlyWarning, Severity

DETAILS_SHOWN = 30


@dataclass(frozen=True, kw_only=True)
class EarlyWarnings:
    """Section 13."""

    number: int = 13
    title: str = "Early warnings and their score"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return the score, the register and the note of each warning."""
        return (*_score(plan), *_register(plan))


def _score(plan: Plan) -> tuple[Block, ...]:
    """Return how warnings at this threshold would have done."""
    s = plan.alarm_score
    if s is None:
        why = "The warnings have no score yet, because too few closed windows could be replayed."
        return (Paragraph(text=why, tone="attention"),)
    none = "no window was warned of" if not s.warned else "no window was missed"
    lead = f"{s.required_lead_days:g} days"
    items = (
        KeyFigure(label="Precision", cell=fraction(s.precision, none), note="warned windows that were missed"),
        KeyFigure(label="Recall", cell=fraction(s.recall, none), note="missed windows that were warned of"),
        KeyFigure(
            label="Surprises", cell=fraction(s.surprise_rate, none), note=f"misses without a warning {lead} ahead"
        ),
        _false(s),
        KeyFigure(label="Median lead", cell=days(s.median_lead_days, none), note=_least_lead(s)),
    )
    words = (
        f"Replay of {plural(s.windows, 'closed window')} with {plural(s.breaches, 'miss', 'misses')}, warning at "
        f"P(miss) of {percent(s.threshold)}: {plural(s.warned, 'window')} warned of"
    )
    if s.warnings_per_service_month is not None:
        words += f", {number(s.warnings_per_service_month, digits=2).text} warnings a service and month"
    words += "."
    if s.treated:
        words += (
            f" {plural(s.treated, 'further window')}, of which {s.treated_breaches} missed, somebody acted upon: what "
            "would have come of them without is not known, and they are counted in none of these."
        )
    return KeyFigures(items=items), Paragraph(text=words)


def _false(s: AlarmScore) -> KeyFigure:
    """Return false warnings per service-month where it is known, else per window."""
    if s.false_per_100_service_months is None:
        return KeyFigure(label="False warnings", cell=number(s.false_per_100_windows, digits=1), note="per 100 windows")
    cell = number(s.false_per_100_service_months, digits=1)
    return KeyFigure(label="False warnings", cell=cell, note="per 100 months of a service")


def _least_lead(s: AlarmScore) -> str:
    """Say what lead most of the warnings that came true had."""
    if s.lead_p10_days is None:
        return "of warnings that came true"
    return f"of warnings that came true; nine in ten had at least {number(s.lead_p10_days, digits=0).text} days"


def _register(plan: Plan) -> tuple[Block, ...]:
    """Return the table of warnings and their notes."""
    if not plan.warnings:
        return (Paragraph(text="No warning stands, because no window's P(miss) reaches the warning threshold."),)
    names, objectives = service_names(plan), objective_names(plan)
    columns = (
        Column(name="Severity"),
        Column(name="Service and objective"),
        Column(name="Window"),
        Column(name="P(miss)", align="right"),
        Column(name="Before", align="right"),
        Column(name="Budget gone"),
        Column(name="Bad events left", align="right"),
        Column(name="Days left / needed", align="right"),
        Column(name="Decide by"),
        Column(name="Expected credit", align="right"),
        Column(name="Expected loss", align="right"),
        Column(name="State"),
    )
    rows = [_row(w, names, objectives, plan) for w in plan.warnings]
    notes = [_note(w, names) for w in plan.warnings[:DETAILS_SHOWN]]
    more = len(plan.warnings) - len(notes)
    rest = (Paragraph(text=f"Notes of {plural(more, 'further warning')} are in the warning records.", tone="muted"),)
    return (table("Register of early warnings", columns, rows), *notes, *(rest if more > 0 else ()))


def _gone(w: EarlyWarning) -> Cell:
    """Print between which days the budget is expected to be gone."""
    found = [d for d in (w.expected_breach_from, w.expected_breach_to) if d is not None]
    if not found:
        return Cell(text="only at the window's end", tone="muted")
    words = " to ".join(dict.fromkeys(d.isoformat() for d in found))
    return Cell(text=words if w.expected_breach_to else f"{words} or later", value=found[0].isoformat(), unit="date")


def _row(
    w: EarlyWarning, names: dict[str, str], objectives: dict[tuple[str, str], str], plan: Plan
) -> tuple[Cell, ...]:
    """Print one warning in one line."""
    tone = {Severity.CRITICAL: "bad", Severity.WARNING: "attention"}.get(w.severity, "plain")
    before = (
        Cell(text="first time", tone="muted") if w.probability_previous is None else probability(w.probability_previous)
    )
    left = number(w.lead_time_days, digits=0).text
    need = "nothing to do" if w.lead_time_needed_days is None else number(w.lead_time_needed_days, digits=0).text
    return (
        Cell(text=w.severity.value, value=w.severity.value, tone=tone),  # type: ignore[arg-type]
        text(f"{names.get(w.service, name(w.service))}: {objectives.get((w.service, w.objective), name(w.objective))}"),
        text(w.period.label),
        probability(w.probability, w.probability_low, w.probability_high, decided=w.state == "breached", bad=True),
        before,
        _gone(w),
        number(w.margin_events, digits=0, because="the expected total is unknown"),
        Cell(text=f"{left} / {need}", value=w.lead_time_days, unit="days"),
        day(w.decide_by, because="nothing proposed helps in time", as_of=plan.as_of),
        money(w.expected_credit, w.currency),
        money(w.expected_loss, w.currency),
        text(w.state),
    )


def _note(w: EarlyWarning, names: dict[str, str]) -> Block:
    """Return the ready-to-send note with causes, actions and how far to trust it."""
    blocks: list[Block] = [Paragraph(text=w.note)]
    if w.actions:
        columns = (
            Column(name="Action"),
            Column(name="P(miss) after", align="right"),
            Column(name="Cost over the horizon", align="right"),
        )
        rows = [
            (text(a.label), probability(a.probability_after), money(a.cost_over_horizon, w.currency)) for a in w.actions
        ]
        blocks.append(table("What can be done", columns, rows, sortable=False))
    blocks.append(Paragraph(text=f"Confidence: {w.confidence}", tone="muted"))
    blocks.append(Paragraph(text=f"Inform: {', '.join(w.inform) or 'nobody is named'}. Warning {w.id}.", tone="muted"))
    return Details(
        summary=f"{w.severity.value}: {names.get(w.service, name(w.service))}, {w.period.label}", blocks=tuple(blocks)
    )
