"""Section 4: what is covered, how it was computed, how accurate that was, and what was assumed."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from forecasting.forecasts.pooled import POOLED
from forecasting.reports.base import Block, Bullets, Column, Details, Paragraph, table
from forecasting.reports.formatting import day, instant, interval, number, percent, plural, text
from forecasting.terms.plan import Plan


@dataclass(frozen=True, kw_only=True)
class ScopeAndMethods:
    """Section 4."""

    number: int = 4
    title: str = "Scope, methods and assumptions"

    def blocks(self, plan: Plan) -> tuple[Block, ...]:
        """Return scope, methods with measured accuracy, assumptions and the manifest."""
        agreements = {o.agreement.id for s in plan.services for o in s.objectives if o.agreement is not None}
        objectives = sum(len(s.objectives) for s in plan.services)
        resources = len(plan.requirements) + len(plan.capacity_excuses)
        scope = (
            f"{plural(len(plan.services), 'service')}, {plural(objectives, 'objective')} in "
            f"{plural(len(agreements), 'agreement')}, {plural(resources, 'resource')}. "
            f"Measured from {day(plan.data_first).text} to {day(plan.data_last).text}; nothing at or after "
            f"{instant(plan.as_of).text} was read. Days are local days of each service; instants are UTC (Z)."
        )
        assumptions = plan.assumptions or ("Nothing was recorded beyond the methods above.",)
        return (
            Paragraph(text=scope),
            _methods(plan),
            Bullets(title="Assumptions", items=tuple(assumptions)),
            *_data_quality(plan),
            Details(summary="Run manifest: what reproduces every number", blocks=(_manifest(plan),)),
        )


def _methods(plan: Plan) -> Block:
    """Return the methods with what was measured of each."""
    ratios = [
        score.sql_vs_naive
        for s in plan.services
        if s.choice is not None and (score := s.choice.score(s.choice.chosen)) is not None
    ]
    covers = [
        score.coverage80
        for s in plan.services
        if s.choice is not None and (score := s.choice.score(s.choice.chosen)) is not None
    ]
    demand = "not available, because no model was back-tested"
    if ratios:
        demand = (
            f"median quantile loss {number(median(ratios), digits=2).text} of seasonal naive; "
            f"80 % bands held {percent(median(covers))} of outcomes ({plural(len(ratios), 'series', 'series')})"
        )
    risk = "not available, because too few closed windows could be replayed"
    if plan.risk_score is not None:
        s = plan.risk_score
        risk = (
            f"Brier skill {number(s.skill, digits=2).text} ({interval(s.skill_low, s.skill_high)}) "
            f"against the past miss rate, {plural(s.decisions, 'decision')}"
        )
    models = sorted({r.model for r in plan.requirements})
    checks = (
        "each requirement is checked by a second method; see section 8"
        if models
        else "not available, because no resource was assessed"
    )
    exact = "exact integer and decimal arithmetic on the contract's windows; unknown slices give a range"
    paths = _demand_method({s.choice.chosen for s in plan.services if s.choice is not None})
    boot = "the past part exact, the rest by block bootstrap on the demand paths, shared over services"
    passage = f"first passage of the usable limit on the same paths ({', '.join(models) or 'none used'})"
    again = "each option re-simulated on the same paths; cost and avoided loss over the horizon"
    rows = [
        ("Attainment", exact, "exact"),
        ("Demand", paths, demand),
        ("P(miss)", boot, risk),
        ("Capacity", passage, checks),
        ("Options", again, "the interval of P(miss) after"),
    ]
    columns = (Column(name="Result"), Column(name="Method"), Column(name="Measured accuracy"))
    return table("Methods", columns, [tuple(text(c) for c in row) for row in rows], sortable=False)


def _demand_method(chosen: set[str]) -> str:
    """Say how the demand models came to be: one across all series, one chosen for each series, or both."""
    pooled = (
        "closed-form forecasts weighted by their past errors and corrected by what was learnt across series (pooled), "
        "checked on the newest origins; sample paths"
    )
    each = "model chosen per series by rolling-origin back-test against seasonal naive; conformal sample paths"
    if POOLED not in chosen:
        return each
    return pooled if chosen == {POOLED} else f"{pooled}; where it declined: {each}"


def _data_quality(plan: Plan) -> tuple[Block, ...]:
    """Return the series with something to remark."""
    series = [q for s in plan.services for q in s.quality]
    if not series:
        return (Paragraph(text="No data quality was recorded.", tone="muted"),)
    odd = [q for q in series if q.missing or q.notes or q.stale_slices > 1]
    whole = f"{plural(len(series), 'series', 'series')} read, {len(odd)} of them with something to remark."
    if not odd:
        return (Paragraph(text=whole),)
    columns = (
        Column(name="Service"),
        Column(name="Metric"),
        Column(name="Observed", align="right"),
        Column(name="Missing slices", align="right"),
        Column(name="Longest gap", align="right"),
        Column(name="Last observed"),
        Column(name="Remarks"),
    )
    rows = [
        (
            text(q.service),
            text(q.metric),
            text(f"{q.coverage * 100:.1f} %"),
            number(q.missing),
            number(q.longest_gap),
            instant(q.last),
            text("; ".join(q.notes) or "none"),
        )
        for q in odd
    ]
    return Paragraph(text=whole), Details(
        summary="Data quality by series", blocks=(table("Data quality", columns, rows),)
    )


def _manifest(plan: Plan) -> Block:
    """Return the manifest as a table."""
    m = plan.manifest
    rows = [
        ("run", m.run_id),
        ("as of", instant(m.as_of).text),
        ("seed", str(m.seed)),
        ("sample paths", f"{m.paths:,}"),
        ("code version", m.code_version),
        ("catalogue version", m.catalogue_version),
        ("data version", m.data_version),
        *((f"library {lib}", version) for lib, version in m.libraries),
        *((f"setting {key}", value) for key, value in m.settings),
    ]
    columns = (Column(name="Item"), Column(name="Value"))
    return table("Run manifest", columns, [tuple(text(c) for c in row) for row in rows], sortable=False)
