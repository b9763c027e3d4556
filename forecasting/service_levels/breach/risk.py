"""From paths to a statement: P(breach) with its interval, dates, money and causes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.service_levels.attainment import meets
from forecasting.service_levels.breach.bar import Bar, bar_of, missed_on_paths
from forecasting.service_levels.breach.fast import fast_probability
from forecasting.service_levels.breach.rest import Rest, days_of_period, rest_of, window_share_left
from forecasting.service_levels.breach.simulate import BadPaths
from forecasting.service_levels.credits import credits_on_paths, loss_on_paths
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk, Cause
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective, ThresholdIndicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "assess_risk",
    "days_of_period",
    "exhaustion_dates",
    "needed",
    "statement",
    "whole_events",
    "window_share_left",
]

NEVER = 1_000_000
"""Stands for a day after the window."""
_LOSS_UNITS = {"microseconds": 60e6, "billionths": 1e9}
"""What one bad event is in units that are finer: a minute of time, a whole slice or sample."""


def assess_risk(
    objective: Objective,
    agreement: Agreement | None,
    so_far: Attainment,
    paths: BadPaths,
    *,
    windows_known: int,
    basis: str,
    candidates: Sequence[tuple[str, float]] = (),
    causes: tuple[Cause, ...] | None = None,
) -> BreachRisk:
    """Judge one window: what is consumed counts exactly, what remains comes from the paths.

    Events are whole: the bad events still to come on a path are rounded up or down at random in proportion to their
    fraction (one draw for each path and service, the same for every objective and target), so that a tenth of a bad
    event is a bad event on one path in ten. A window is decided once its last slice has ended; one of a threshold
    indicator already when no outcome of the slices to come could change the verdict.

    Parameters
    ----------
    objective : Objective
    agreement : Agreement or None
    so_far : Attainment
        Of the window at the cut-off.
    paths : BadPaths
        Simulated days from the cut-off on; they must reach the window's end.
    windows_known : int
        Closed windows in the history behind the paths; the fewer, the wider the interval.
    basis : str
        Whose history it rests on, in words.
    candidates : sequence of (str, float)
        P(miss) by each of the models behind the paths.
    causes : tuple of Cause or None
        Drivers of the risk; None splits the expected bad events into spent, bad days to come and the everyday level.

    Raises
    ------
    InputError
        `paths` end before the window does.

    Examples
    --------
    >>> from datetime import UTC
    >>> from decimal import Decimal
    >>> from forecasting.terms.service_level import AttainmentStatus, CalendarWindow, Period, RatioIndicator
    >>> slo = Objective(name="kept", service="a", indicator=RatioIndicator(total="calls", bad="lost"),
    ...                 target=Decimal("0.9"), window=CalendarWindow(unit="day", zone="UTC"))
    >>> day = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 3, 2, tzinfo=UTC), label="2027-03-01")
    >>> noon = datetime(2027, 3, 1, 12, tzinfo=UTC)
    >>> so_far = Attainment(service="a", agreement=None, objective="kept", period=day, target=slo.target, good=45,
    ...     total=50, known_slices=12, elapsed_slices=12, planned_slices=24, value=Decimal("0.9"),
    ...     lower=Decimal("0.9"), upper=Decimal("0.9"), status=AttainmentStatus.RUNNING, as_of=noon, final=False)
    >>> rest = BadPaths(service="a", first_day=day.start.date(), bad=np.array([[2.0], [5.0], [6.0], [9.0]]),
    ...                 total=np.full((4, 1), 50.0), own_share=1.0, usual=0.1)
    >>> risk = assess_risk(slo, None, so_far, rest, windows_known=10, basis="its own")
    >>> risk.probability  # 5 + 6 and 5 + 9 bad of 100 breach: (1 + 2) / (4 + 2)
    0.5
    """
    rest = rest_of(objective, so_far, paths)
    n = len(rest.draw)
    total = so_far.total + np.rint(rest.all_total)
    bad = np.minimum(so_far.bad + whole_events(rest.all_bad, rest.draw), total)
    attainment = 1.0 - np.divide(bad, total, out=np.zeros(n), where=total > 0)
    judged = total >= needed(objective, so_far)
    remaining_total = float(rest.all_total.mean())
    share = np.divide(rest.all_bad, rest.all_total, out=np.zeros(n), where=rest.all_total > 0)
    bar = bar_of(objective.target, objective.rounding, strict=objective.strict)
    budget = float(1 - objective.target) * float(total.mean())
    unit = _LOSS_UNITS.get(so_far.unit, 1.0)
    return statement(
        objective,
        agreement,
        so_far,
        attainment=attainment,
        judged=judged,
        loss=loss_on_paths(agreement, bad / unit, total / unit, objective.target),
        time=total if so_far.unit == "microseconds" else None,
        remaining=1.0 - so_far.total / max(float(total.mean()), 1.0),
        budget_spent=so_far.bad / budget if budget > 0 else 0.0,
        exhaustion=_exhaustion(bar, so_far, rest, np.where(judged, total, np.inf)),
        fast=fast_probability(
            consumed_bad=so_far.bad,
            consumed_total=so_far.total,
            remaining_total=remaining_total,
            share=float(share.mean()),
            share_sd=_underlying_sd(share, remaining_total),
            target=bar.share,
        ),
        causes=_causes(so_far, rest, paths) if causes is None else causes,
        windows_known=windows_known,
        basis=basis,
        candidates=candidates,
    )


def statement(
    objective: Objective,
    agreement: Agreement | None,
    so_far: Attainment,
    *,
    attainment: NDArray[np.float64],
    judged: NDArray[np.bool_],
    loss: NDArray[np.float64],
    time: NDArray[np.float64] | None,
    remaining: float,
    budget_spent: float,
    exhaustion: tuple[datetime | None, datetime | None],
    fast: float,
    causes: tuple[Cause, ...],
    windows_known: int,
    basis: str,
    candidates: Sequence[tuple[str, float]],
) -> BreachRisk:
    """Make the statement on a window from its attainment on every path.

    Parameters
    ----------
    objective : Objective
    agreement : Agreement or None
    so_far : Attainment
    attainment : ndarray, shape (n_paths,)
    judged : ndarray of bool, shape (n_paths,)
        Whether the window would be judged at all: paths with too few events are not missed.
    loss : ndarray, shape (n_paths,)
        Business loss.
    time : ndarray or None, shape (n_paths,)
        Time that counted in microseconds, for credits by the hour.
    remaining : float
        Share of the window that is still open.
    budget_spent, exhaustion, fast, causes, windows_known, basis, candidates
        As in `BreachRisk`.
    """
    n = len(attainment)
    attained = np.where(judged, attainment, 1.0)
    breached = missed_on_paths(objective, attained) & judged
    verdict = _settled(objective, so_far)
    decided = verdict is not None
    probability = float(verdict) if verdict is not None else (1 + int(breached.sum())) / (n + 2)
    low, high = (probability, probability) if decided else _interval(probability, n, windows_known, remaining)
    credit = np.where(judged, credits_on_paths(agreement, attainment, objective=objective, total=time), 0.0)
    lost = np.where(judged, loss, 0.0)
    return BreachRisk(
        service=objective.service,
        agreement=agreement.id if agreement else None,
        objective=objective.name,
        period=so_far.period,
        as_of=so_far.as_of,
        target=objective.target,
        probability=probability,
        probability_low=low,
        probability_high=high,
        decided=decided,
        attainment_paths=attained,
        attainment_p10=float(np.quantile(attained, 0.1)),
        attainment_p50=float(np.quantile(attained, 0.5)),
        attainment_p90=float(np.quantile(attained, 0.9)),
        consumed_good=so_far.good,
        consumed_total=so_far.total,
        budget_spent=budget_spent,
        exhaustion_p10=exhaustion[0],
        exhaustion_p50=exhaustion[1],
        expected_credit=float(credit.mean()),
        expected_loss=float(lost.mean()),
        credit_p95=float(np.quantile(credit, 0.95)),
        currency=agreement.currency if agreement else "",
        fast_probability=probability if decided else fast,
        monte_carlo_error=0.0 if decided else float(np.sqrt(probability * (1 - probability) / n)),
        causes=causes,
        basis=basis,
        cost_paths=None if agreement is None else credit + lost,
        candidates=() if decided else tuple(candidates),
        tier_probabilities=_tiers(objective, agreement, attainment, judged),
    )


def _tiers(
    objective: Objective, agreement: Agreement | None, attainment: NDArray[np.float64], judged: NDArray[np.bool_]
) -> tuple[tuple[Decimal, float], ...]:
    """Return the share of paths on which each credit tier is the one that counts, from the highest bound down."""
    if agreement is None or agreement.credits is None:
        return ()
    tiers = sorted({tier.below for tier in agreement.credits.tiers}, reverse=True)
    below = [bar_of(t, objective.rounding).missed(attainment) & judged for t in tiers]
    below.append(np.zeros(len(attainment), dtype=np.bool_))
    return tuple((t, float((below[k] & ~below[k + 1]).mean())) for k, t in enumerate(tiers))


def needed(objective: Objective, so_far: Attainment) -> float:
    """Return the total from which a window is judged, in the unit of its attainment; at least one."""
    scale = 10**9 if so_far.unit == "billionths" else 1
    return float(max(objective.minimum_events * scale, 1))


def _interval(probability: float, paths: int, windows_known: int, remaining: float) -> tuple[float, float]:
    """Return a 90 % Beta interval that holds as many windows as stand behind the statement.

    The part of the window that is consumed is certain, so the evidence counts 1 ÷ (remaining share)² times (the
    variance of what is still open falls so); the paths bound it from above.
    """
    from scipy.stats import beta

    evidence = min(float(paths), (windows_known + 1) / max(1e-3, remaining) ** 2)
    a, b = probability * evidence + 0.5, (1 - probability) * evidence + 0.5
    low, high = (float(beta.ppf(q, a, b)) for q in (0.05, 0.95))
    return min(low, probability), max(high, probability)


def whole_events(events: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return whole events: rounded up on the paths whose uniform draw is below the fraction; 0 stays 0."""
    return np.asarray(np.floor(events + (1.0 - draw) - 1e-9), dtype=np.float64).clip(min=0.0)


def _settled(objective: Objective, so_far: Attainment) -> bool | None:
    """Return whether the objective is missed where that is settled already, else None.

    Traffic to come has no bound, so a ratio stays open until the window's last slice has ended. A threshold
    indicator has at most one sample in each slice to come.
    """
    enough = so_far.total >= max(objective.minimum_events, 1)
    if so_far.final or so_far.provisional:
        if so_far.status in (AttainmentStatus.MET, AttainmentStatus.BREACHED):
            return so_far.status is AttainmentStatus.BREACHED
        return enough and not meets(so_far.good, so_far.total, objective.target)
    if so_far.decided != "open":
        return so_far.decided == "breach_certain"
    if not isinstance(objective.indicator, ThresholdIndicator):
        return None
    to_come = so_far.planned_slices - so_far.elapsed_slices
    if enough and not meets(so_far.good + to_come, so_far.total + to_come, objective.target):
        return True
    if so_far.total and meets(so_far.good, so_far.total + to_come, objective.target):
        return False
    return None


def _underlying_sd(share: NDArray[np.float64], events: float) -> float:
    """Return the standard deviation of the share of bad over paths without the counting noise of its events."""
    mean = float(share.mean())
    if events <= 1:
        return 0.0
    beyond = float(share.var()) - mean * (1 - mean) / events
    return float(np.sqrt(max(beyond, 0.0) * events / (events - 1)))


def _exhaustion(
    bar: Bar, so_far: Attainment, rest: Rest, total: NDArray[np.float64]
) -> tuple[datetime | None, datetime | None]:
    """Return the 10 % and 50 % quantile of the day on which the window's budget goes: its midnight, or the cut-off.

    The budget is that of the whole window, so a path has a day exactly where it ends in a breach.
    """
    judged = np.isfinite(total)
    allowed = np.where(judged, float(1 - bar.share) * np.where(judged, total, 0.0), np.inf)
    unseen = rest.unseen_bad[:, None]
    spent = so_far.bad + whole_events(np.cumsum(rest.bad, axis=1) + unseen, rest.draw[:, None])
    return exhaustion_dates(spent, allowed, rest.days, so_far, tie_gone=not bar.tie_meets)


def exhaustion_dates(
    spent: NDArray[np.float64],
    allowed: NDArray[np.float64],
    days: Sequence[datetime],
    so_far: Attainment,
    *,
    tie_gone: bool = False,
) -> tuple[datetime | None, datetime | None]:
    """Return the 10 % and 50 % quantile of the first day with more spent than allowed, None where it is later.

    Parameters
    ----------
    spent : ndarray, shape (n_paths, days)
        Running sum up to each day.
    allowed : ndarray, shape (n_paths,)
    days : sequence of datetime
        Start of each day; a budget that is gone already is gone at the cut-off.
    so_far : Attainment
    tie_gone : bool
        Whether a budget that is spent to the last event is gone.
    """
    if not len(days):
        return None, None
    slack = 1e-9 * np.maximum(1.0, allowed)
    edge = (allowed - slack if tie_gone else allowed + slack)[:, None]
    gone = spent >= edge if tie_gone else spent > edge
    day = np.where(gone.any(axis=1), gone.argmax(axis=1), NEVER)
    found: list[datetime | None] = []
    for level in (0.1, 0.5):
        k = int(np.quantile(day, level, method="inverted_cdf"))
        found.append(None if k >= NEVER else max(days[k], as_utc(so_far.as_of)))
    return found[0], found[1]


def _causes(so_far: Attainment, rest: Rest, paths: BadPaths) -> tuple[Cause, ...]:
    """Split the expected bad events into spent already, bad days to come and the everyday level."""
    usual, column = paths.usual, "days" if paths.starts is None else "slices"
    unseen = float(rest.unseen_bad.mean())
    to_come = float(rest.bad.sum(axis=1).mean())
    expected = so_far.bad + unseen + to_come
    if expected <= 0:
        return ()
    is_bad_day = rest.bad > 2 * usual * rest.total
    spikes = float(np.where(is_bad_day, rest.bad, 0.0).sum(axis=1).mean())
    everyday = to_come - spikes
    days = float(is_bad_day.sum(axis=1).mean())
    causes = [
        Cause(
            name="already spent",
            share=so_far.bad / expected,
            evidence=f"{so_far.bad} bad of {so_far.total} events so far in the window",
        ),
        Cause(
            name="data not seen yet",
            share=unseen / expected,
            evidence=f"{so_far.elapsed_slices - so_far.known_slices} slices of the window have ended without data",
        ),
        Cause(
            name=f"bad {column} to come",
            share=spikes / expected,
            evidence=f"{_number(days)} {column} expected with more than twice the usual {100 * usual:.3g} % of bad"
            " events",
        ),
        Cause(
            name="everyday level",
            share=everyday / expected,
            evidence=f"{_number(everyday)} bad events expected on the other {column}",
        ),
    ]
    return tuple(sorted((c for c in causes if c.share > 1e-9), key=lambda c: -c.share))


def _number(count: float) -> str:
    """Return a count for a sentence: whole from 10 on, else two digits."""
    return f"{count:.0f}" if count >= 10 else f"{count:.2g}"
