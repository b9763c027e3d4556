"""How early warnings would have done in the replayed past."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from forecasting.terms.breach import AlarmScore
from forecasting.terms.errors import InputError


@dataclass(frozen=True, kw_only=True)
class ReplayedDecision:
    """One statement made in the past (or replayed with only the data of then) and what came of it."""

    window: str
    """Identity of the window: service, objective and period in one key."""
    at: datetime
    """UTC instant at which the statement was made."""
    probability: float
    """P(miss) stated then."""
    window_end: datetime
    breached: bool
    """Whether the closed window was missed."""


def alarm_score(decisions: Sequence[ReplayedDecision], *, threshold: float, required_lead_days: float) -> AlarmScore:
    """Return how warnings raised at `threshold` would have done, counting the first warning of each window only.

    Parameters
    ----------
    decisions : sequence of ReplayedDecision
        All statements of all scored windows, in any order; those below the threshold count too.
    threshold : float
        P(miss) at which a warning is raised, 0 to 1.
    required_lead_days : float
        Days before the window's end by which a warning must come to prevent a surprise.

    Returns
    -------
    AlarmScore
        Precision = missed ÷ warned windows; recall = warned misses ÷ misses; surprise rate = misses without a
        warning at least the required lead before ÷ misses. None where the denominator is zero.

    Raises
    ------
    InputError
        If one window carries two outcomes.

    Examples
    --------
    >>> from datetime import UTC
    >>> end = datetime(2013, 10, 1, tzinfo=UTC)
    >>> early = datetime(2013, 9, 11, tzinfo=UTC)
    >>> score = alarm_score(
    ...     [ReplayedDecision(window="a", at=early, probability=0.6, window_end=end, breached=True),
    ...      ReplayedDecision(window="b", at=early, probability=0.5, window_end=end, breached=False)],
    ...     threshold=0.35, required_lead_days=7)
    >>> score.precision, score.recall, score.surprise_rate, score.false_per_100_windows, score.median_lead_days
    (0.5, 1.0, 0.0, 50.0, 20.0)
    """
    outcome: dict[str, tuple[bool, datetime]] = {}
    first: dict[str, datetime] = {}
    for d in decisions:
        known = outcome.setdefault(d.window, (d.breached, d.window_end))
        if known != (d.breached, d.window_end):
            raise InputError(
                argument="decisions",
                came=d.window,
                allowed="one outcome and one end per window",
                try_instead="put service, objective and period into the window key",
            )
        if d.probability >= threshold and (d.window not in first or d.at < first[d.window]):
            first[d.window] = d.at
    lost = {w for w, (breached, _) in outcome.items() if breached}
    leads = {w: (outcome[w][1] - at).total_seconds() / 86400 for w, at in first.items()}
    true_leads = [lead for w, lead in leads.items() if w in lost]
    in_time = sum(1 for lead in true_leads if lead >= required_lead_days)
    false = len(leads) - len(true_leads)
    return AlarmScore(
        threshold=threshold,
        required_lead_days=required_lead_days,
        windows=len(outcome),
        breaches=len(lost),
        warned=len(leads),
        precision=len(true_leads) / len(leads) if leads else None,
        recall=len(true_leads) / len(lost) if lost else None,
        surprise_rate=(len(lost) - in_time) / len(lost) if lost else None,
        false_per_100_windows=100 * false / len(outcome) if outcome else 0.0,
        median_lead_days=median(true_leads) if true_leads else None,
    )
