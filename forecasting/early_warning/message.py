"""What an early warning says, in plain words that can be sent as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime

from forecasting.terms.alarm import Evaluation
from forecasting.terms.breach import BreachRisk, Cause, RiskScore
from forecasting.terms.warning import EarlyWarning, RankedAction

CROSS_CHECK_LIMIT = 0.15
ACTIONS_NAMED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Facts:
    """What a note is written from."""

    service: str
    objective: str
    promise: str
    risk: BreachRisk
    previous: float | None
    breached: bool
    expected_from: date | None
    expected_to: date | None
    last_day: date
    margin_events: float
    cause: Cause
    customers: tuple[str, ...]
    actions: tuple[RankedAction, ...]
    too_late: bool
    """Proposals exist, but nothing in them helps before the window ends."""
    decide_by: date | None
    lead_days: float | None
    inform: tuple[str, ...]
    as_of: datetime


def percent(share: float) -> str:
    """Return a probability as words that never claim certainty.

    Examples
    --------
    >>> percent(0.341), percent(0.001), percent(0.999)
    ('34 %', 'less than 1 %', 'more than 99 %')
    """
    if 0 < share < 0.005:
        return "less than 1 %"
    return "more than 99 %" if 0.995 < share < 1 else f"{share * 100:.0f} %"


def note_text(f: Facts) -> str:
    """Return the note: what, when, how sure, why, what it costs, what can be done by when, who must know."""
    risk = f.risk
    target = f"{(risk.target * 100).normalize():f} %"
    window, cut = risk.period.label, risk.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
    if f.breached:
        parts = [
            f"{f.service} has missed {f.objective} ({target}) in {window}: the rest of the window cannot repair it."
        ]
    else:
        low, high = risk.probability_low * 100, risk.probability_high * 100
        moved = ""
        if f.previous is not None:
            moved = f"; {percent(f.previous)} at the last run"
        parts = [
            f"{f.service} is expected to miss {f.objective} ({target}) in {window} with a probability of "
            f"{percent(risk.probability)} (90 % interval {low:.0f} to {high:.0f} %{moved})."
        ]
    if f.promise:
        parts.append(f"The promise: {f.promise.rstrip('.')}.")
    parts.append(_when(f))
    parts.append(f"Main cause: {f.cause.name} ({f.cause.evidence.rstrip('.')}).")
    parts.append(_cost(f))
    parts.append(_what_to_do(f))
    if f.inform:
        parts.append(f"Must know: {', '.join(f.inform)}.")
    parts.append(f"Data until {cut}.")
    return " ".join(p for p in parts if p)


def over_note(warning: EarlyWarning, evaluation: Evaluation) -> str:
    """Return the note of a warning that is over: the window was met or missed, or the probability fell."""
    what = f"{warning.service}, {warning.objective}, {warning.period.label}"
    if not evaluation.closed:
        return (
            f"The warning of {what} is over: the probability of a miss has fallen to "
            f"{percent(evaluation.probability)}. It is told again only if it rises to the warning level again."
        )
    if evaluation.missed is None:
        return f"The warning of {what} is over: the window has ended without a verdict, or is not promised any more."
    said = "missed" if evaluation.missed else "met"
    return f"The window of {what} is over: the objective was {said}."


def _when(f: Facts) -> str:
    """Say when the budget is gone and what is left of it."""
    if f.breached:
        return f"The window ends on {f.last_day.isoformat()}."
    days = (f.risk.period.end - f.as_of).total_seconds() / 86400
    left = f"The window ends on {f.last_day.isoformat()}, {days:.0f} {'day' if round(days) == 1 else 'days'} from now"
    if math.isfinite(f.margin_events):
        count = abs(f.margin_events)
        side = "more bad events are allowed" if f.margin_events >= 0 else "bad events too many have happened"
        left += f"; about {count:,.0f} {side}"
    if f.expected_from is not None:
        until = f" to {f.expected_to.isoformat()}" if f.expected_to else " or later"
        gone = (
            f"{f.expected_from.isoformat()}{until}" if f.expected_to != f.expected_from else f.expected_from.isoformat()
        )
        return f"{left}. The error budget is likely to be gone by {gone}."
    return f"{left}."


def _cost(f: Facts) -> str:
    """Say what it is expected to cost, and whom."""
    risk, who = f.risk, f" for {', '.join(f.customers)}" if f.customers else ""
    if risk.expected_credit + risk.expected_loss <= 0:
        return "No credit and no business loss is stated for it."
    return (
        f"Expected cost: {risk.currency} {risk.expected_credit:,.0f} in service credits and "
        f"{risk.currency} {risk.expected_loss:,.0f} of business loss{who}."
    )


def _what_to_do(f: Facts) -> str:
    """Say what can be done and by when."""
    if f.breached:
        return "Nothing can be done about this window any more; the next ones are judged on their own."
    if f.too_late:
        return "Nothing that is proposed takes effect before the window ends; the risk has to be accepted for this one."
    if not f.actions:
        return "No action that would help is proposed; the risk has to be accepted or the catalogue completed."
    best = "; ".join(
        f"{a.label} (P(miss) then {percent(a.probability_after)}, cost {f.risk.currency} {a.cost_over_horizon:,.0f})"
        for a in f.actions[:ACTIONS_NAMED]
    )
    by = ""
    if f.decide_by is not None:
        late = " and that day has passed" if f.decide_by < f.as_of.date() else ""
        by = f" Decide by {f.decide_by.isoformat()}{late}"
        by += f"; it takes {f.lead_days:.0f} days to take effect." if f.lead_days is not None else "."
    return f"What can be done: {best}.{by}"


def confidence_text(risk: BreachRisk, track: RiskScore | None) -> str:
    """Return how far to trust a statement: its track record, its interval and its blind spots."""
    if track is None:
        parts = ["No track record yet: too few closed windows could be replayed."]
    else:
        sure = (
            "better than the past miss rate" if track.skill_low > 0 else "not yet proven better than the past miss rate"
        )
        parts = [
            f"Track record on {track.decisions:,} past statements: Brier skill {track.skill:.2f} "
            f"({track.skill_low:.2f} to {track.skill_high:.2f}), {sure}."
        ]
        near = min(track.bins, key=lambda b: abs(b.predicted - risk.probability), default=None)
        if near is not None and not risk.decided:
            parts.append(
                f"Of {near.count:,} statements near {percent(near.predicted)}, {percent(near.observed)} came true."
            )
    if not risk.decided and abs(risk.fast_probability - risk.probability) > CROSS_CHECK_LIMIT:
        parts.append(f"A second method says {percent(risk.fast_probability)}: treat it with care.")
    parts.append(f"Basis: {risk.basis.rstrip('.')}.")
    return " ".join(parts)


def to_record(warning: EarlyWarning) -> dict[str, object]:
    """Return a warning as plain JSON values, for one line of JSON lines; what is unknown is null.

    Parameters
    ----------
    warning : EarlyWarning
        Any warning; identity and labels hold no changing value.

    Returns
    -------
    dict
        Only str, int, float, bool, None, list and dict; every float is finite.
    """
    w = warning
    return {
        "schema_version": 1,
        "id": w.id,
        "dedup_key": w.dedup_key,
        "state": w.state,
        "severity": w.severity.value,
        "raised_at": _utc(w.raised_at),
        "data_cut_off": _utc(w.data_cut_off),
        "service": w.service,
        "agreement": w.agreement,
        "objective": w.objective,
        "window": {"label": w.period.label, "start": _utc(w.period.start), "end": _utc(w.period.end)},
        "probability": _finite(w.probability),
        "probability_low": _finite(w.probability_low),
        "probability_high": _finite(w.probability_high),
        "probability_previous": _finite(w.probability_previous),
        "expected_breach_from": _day(w.expected_breach_from),
        "expected_breach_to": _day(w.expected_breach_to),
        "margin_events": _finite(w.margin_events),
        "lead_time_days": _finite(w.lead_time_days),
        "lead_time_needed_days": _finite(w.lead_time_needed_days),
        "decide_by": _day(w.decide_by),
        "main_cause": {
            "name": w.main_cause.name,
            "share": _finite(w.main_cause.share),
            "evidence": w.main_cause.evidence,
        },
        "customers": list(w.customers),
        "expected_credit": _finite(w.expected_credit),
        "expected_loss": _finite(w.expected_loss),
        "currency": w.currency,
        "actions": [
            {
                "label": a.label,
                "probability_after": _finite(a.probability_after),
                "cost_over_horizon": _finite(a.cost_over_horizon),
            }
            for a in w.actions
        ],
        "inform": list(w.inform),
        "note": w.note,
        "confidence": w.confidence,
    }


def _finite(value: float | None) -> float | None:
    """Return a plain float, or None where there is no number."""
    return None if value is None or not math.isfinite(value) else float(value)


def _day(value: date | None) -> str | None:
    """Return an ISO date."""
    return None if value is None else value.isoformat()


def _utc(value: datetime) -> str:
    """Return an ISO instant in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
