"""How often were we right: the score of past statements on breaches, beside the rules that anybody could have used."""

from __future__ import annotations

from forecasting.reports.base import (
    Block,
    Cell,
    Column,
    Details,
    Heading,
    KeyFigure,
    KeyFigures,
    Paragraph,
    Tone,
    table,
)
from forecasting.reports.charts_reliability import reliability_diagram
from forecasting.reports.formatting import MINUS, instant, interval, name, number, percent, plural, probability
from forecasting.terms.breach import Estimate, ModelScore, RiskScore, StratumScore
from forecasting.terms.plan import Plan

_NAMES = {"product": "this plan's model", "candidate": "one of its models", "baseline": "simple rule"}
_PARTS = {"horizon": "horizon", "tier": "tier", "outcome": "arithmetic", "action": "action"}


def track_record(plan: Plan) -> tuple[Block, ...]:
    """Return the track record of P(miss): figures, words, the models beside each other and the reliability diagram."""
    s = plan.risk_score
    if s is None:
        why = "P(miss) has no track record yet, because too few closed windows could be replayed."
        return (Heading(text="How often were we right"), Paragraph(text=why, tone="attention"))
    times = f"Decision times from {instant(s.first).text} to {instant(s.last).text}; only outcomes that were open then."
    blocks: list[Block] = [Heading(text="How often were we right"), _figures(s), Paragraph(text=verdict(s))]
    if s.bins:
        blocks.append(reliability_diagram("reliability", s, plan.as_of))
    else:
        blocks.append(Paragraph(text="There is no reliability diagram, because no bin was filled."))
    if s.models:
        blocks.append(_models(s))
    parts = [x for x in s.strata if x.models]
    if parts:
        blocks.append(Details(summary="The same by horizon, tier and what was left out", blocks=(_strata(s, parts),)))
    blocks.append(Paragraph(text=f"{s.protocol.rstrip('.')}. {times}", tone="muted"))
    return tuple(blocks)


def verdict(s: RiskScore) -> str:
    """Say in plain words how good the statements were, with what they were compared and what was left out.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from forecasting.terms.breach import ReliabilityBin
    >>> day = datetime(2027, 3, 1, tzinfo=UTC)
    >>> verdict(RiskScore(decisions=20, breaches=5, brier=0.1, brier_climatology=0.2, skill=0.5, skill_low=0.2,
    ...                   skill_high=0.7, bins=(ReliabilityBin(predicted=0.2, observed=0.25, count=20),), first=day,
    ...                   last=day, protocol="an example"))
    'Of 20 statements, 5 were followed by a miss; where 20 % was stated, 25 % of the windows were missed. The state...'
    """
    said = f"Of {plural(s.decisions, 'statement')}, {s.breaches:,} were followed by a miss"
    if s.bins:
        low, high = s.bins[0], s.bins[-1]
        said += f"; where {percent(low.predicted)} was stated, {percent(low.observed)} of the windows were missed"
        if len(s.bins) > 1:
            said += f", and where {percent(high.predicted)} was stated, {percent(high.observed)}"
    better = "beat" if s.skill_low > 0 else "are worse than" if s.skill_high < 0 else "do not yet beat"
    beyond = "" if s.skill_low > 0 or s.skill_high < 0 else " beyond chance"
    found = [f"{said}.", f"The statements {better} the past miss rate{beyond}."]
    best, ours = s.of(s.best_baseline) if s.best_baseline else None, s.models[0] if s.models else None
    if best is not None and ours is not None:
        gap = ours.to_best
        against = (
            "better than" if gap.high < 0 else "worse than" if gap.low > 0 else "not distinguishable by luck alone from"
        )
        found.append(
            f"They are {against} the best simple rule, {name(best.name)}: Brier score "
            f"{number(ours.brier, digits=3).text} against {number(best.brier, digits=3).text}, "
            f"difference {_estimate(gap, digits=3)}."
        )
    if s.decided:
        found.append(
            f"{plural(s.decided, 'further statement')} had been decided by arithmetic and "
            f"{'is' if s.decided == 1 else 'are'} left out."
        )
    if s.treated:
        found.append(f"{plural(s.treated, 'statement')} on windows that somebody acted upon are scored apart.")
    return " ".join(found)


def _figures(s: RiskScore) -> KeyFigures:
    base = "beats the past miss rate" if s.skill_low > 0 else "does not yet beat the past miss rate beyond chance"
    skill = Cell(
        text=f"{number(s.skill, digits=2).text} ({interval(s.skill_low, s.skill_high)})", value=s.skill,
        low=s.skill_low, high=s.skill_high, tone="good" if s.skill_low > 0 else "attention",
    )  # fmt: skip
    items = [
        KeyFigure(label="Brier skill", cell=skill, note=f"95 % interval; {base}"),
        KeyFigure(label="Brier score", cell=number(s.brier, digits=3), note="0 is perfect"),
        KeyFigure(label="Brier of the past miss rate", cell=number(s.brier_climatology, digits=3)),
    ]
    if s.ece is not None:
        items.append(KeyFigure(label="Calibration error", cell=_points(s.ece), note="mean |stated − missed|"))
    misses = f"{plural(s.breaches, 'miss', 'misses')} among them"
    items.append(KeyFigure(label="Statements scored", cell=number(s.decisions), note=misses))
    return KeyFigures(items=tuple(items))


def _models(s: RiskScore) -> Block:
    """Return every model's scores on the same statements."""
    columns = (
        Column(name="Stated by"),
        Column(name="What it is"),
        Column(name="Brier", align="right"),
        Column(name="Skill, 95 %", align="right"),
        Column(name="Brier − the best rule's, 95 %", align="right"),
        Column(name="Log loss", align="right"),
        Column(name="Calibration error", align="right"),
        Column(name="PR-AUC", align="right"),
    )
    rows = [
        (
            Cell(text=name(m.name), value=m.name),
            Cell(text=_NAMES[m.kind] + (", the best" if m.name == s.best_baseline else ""), value=m.kind),
            number(m.brier, digits=3),
            Cell(text=_estimate(m.skill), value=_finite(m.skill.value), low=m.skill.low, high=m.skill.high),
            Cell(text=_estimate(m.to_best, digits=3), value=m.to_best.value, low=m.to_best.low, high=m.to_best.high,
                 tone=_tone(m)),
            number(m.log_loss, digits=3),
            _points(m.ece),
            number(m.pr_auc, digits=2, because="nothing was missed"),
        )
        for m in s.models
    ]  # fmt: skip
    note = (
        "All on the same statements; rules that say yes or no are turned into past frequencies. Below 0 beats the best "
        "simple rule; intervals by a bootstrap over services and windows."
    )
    return table("How often were we right: beside simple rules", columns, rows, note=note)


def _strata(s: RiskScore, parts: list[StratumScore]) -> Block:
    """Return the scores of the parts."""
    columns = (
        Column(name="By"),
        Column(name="Part"),
        Column(name="Statements", align="right"),
        Column(name="Missed", align="right"),
        Column(name="Brier", align="right"),
        Column(name="Skill, 95 %", align="right"),
        Column(name="Brier − the best rule's, 95 %", align="right"),
        Column(name="Calibration error", align="right"),
    )
    rows = []
    for part in parts:
        m = part.models[0]
        rows.append(
            (
                Cell(text=_PARTS[part.by], value=part.by),
                Cell(text=name(part.part), value=part.part),
                number(part.statements),
                probability(part.breaches / part.statements),
                number(m.brier, digits=3),
                Cell(text=_estimate(m.skill), value=_finite(m.skill.value)),
                Cell(text=_estimate(m.to_best, digits=3), value=m.to_best.value, tone=_tone(m)),
                _points(m.ece),
            )
        )
    note = f"The best rule is {name(s.best_baseline)}." if s.best_baseline else ""
    return table("Track record by part", columns, rows, note=note)


def _tone(m: ModelScore) -> Tone:
    """Return the tone of the difference of our own model to the best rule."""
    if m.kind != "product":
        return "plain"
    return "good" if m.to_best.high < 0 else "attention"


def _estimate(e: Estimate, *, digits: int = 2) -> str:
    """Print a number with its interval."""
    if e.value != e.value:
        return "not defined"
    texts = [f"{x:.{digits}f}".replace("-", MINUS) for x in (e.value, e.low, e.high)]
    zero = f"{MINUS}{0:.{digits}f}"
    value, low, high = (t.removeprefix(MINUS) if t == zero else t for t in texts)
    return f"{value} ({low} to {high})"


def _finite(value: float) -> float | None:
    return value if value == value else None


def _points(share: float) -> Cell:
    """Print a distance of shares in points."""
    return Cell(text=f"{100 * share:.1f} points", value=share, unit="share")
