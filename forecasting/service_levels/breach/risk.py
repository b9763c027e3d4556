"""From paths to a statement: P(breach) with its interval, dates, money and causes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, local_midnight, zone_of
from forecasting.service_levels.attainment import meets
from forecasting.service_levels.breach.fast import fast_probability
from forecasting.service_levels.breach.simulate import BadPaths, stable_seed
from forecasting.service_levels.credits import credits_on_paths, loss_on_paths
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk, Cause
from forecasting.terms.errors import InputError
from forecasting.terms.service_level import Attainment, AttainmentStatus, Objective, ThresholdIndicator

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NEVER = 1_000_000
"""Stands for a day after the window."""


def days_of_period(first_day: date, start: datetime, end: datetime, zone: str) -> slice:
    """Return the columns of days from `first_day` on that lie in [start, end); the day of the cut-off counts as begun.

    Columns are whole local days: a window that begins within a day (a rolling one across a change of the clocks, or
    of a length that is not whole days) begins with the day whose midnight is nearest, but has at least one day.

    Examples
    --------
    >>> from datetime import UTC
    >>> today = date(2027, 3, 10)
    >>> days_of_period(today, datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC), "UTC")
    slice(0, 22, None)
    >>> days_of_period(today, datetime(2027, 4, 1, tzinfo=UTC), datetime(2027, 4, 3, tzinfo=UTC), "UTC")
    slice(22, 24, None)
    """
    local = zone_of(zone)
    last = ((end - timedelta(microseconds=1)).astimezone(local).date() - first_day).days + 1
    first = ((start.astimezone(local) + timedelta(hours=12)).date() - first_day).days
    return slice(max(0, min(first, last - 1)), max(0, last))


def assess_risk(
    objective: Objective,
    agreement: Agreement | None,
    so_far: Attainment,
    paths: BadPaths,
    *,
    windows_known: int,
    basis: str,
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
    period, target = so_far.period, float(objective.target)
    span = days_of_period(paths.first_day, period.start, period.end, objective.window.zone)
    if so_far.final or so_far.provisional:
        span = slice(0, 0)
    elif span.stop > paths.bad.shape[1]:
        raise InputError(
            argument="paths",
            came=f"{paths.bad.shape[1]} days from {paths.first_day}",
            allowed=f"at least {span.stop} days, to the end of the window {period.label}",
            try_instead="a longer horizon, or fewer windows ahead",
        )
    day_bad, day_total = paths.bad[:, span], paths.total[:, span]
    n = len(day_bad)
    draw = np.random.default_rng(stable_seed(0, "whole events", objective.service)).random(n)
    total = so_far.total + np.rint(day_total.sum(axis=1))
    bad = np.minimum(so_far.bad + _whole(day_bad.sum(axis=1), draw), total)
    attainment = 1.0 - np.divide(bad, total, out=np.zeros(n), where=total > 0)
    judged = total >= max(objective.minimum_events, 1)
    breached = (attainment < target - 1e-12) & judged
    verdict = _settled(objective, so_far)
    decided = verdict is not None
    probability = float(verdict) if verdict is not None else (1 + int(breached.sum())) / (n + 2)
    low, high = (probability, probability) if decided else _interval(probability, n, windows_known, so_far, total)
    credit = np.where(judged, credits_on_paths(agreement, attainment), 0.0)
    loss = np.where(judged, loss_on_paths(agreement, bad, total, objective.target), 0.0)
    rest_total = day_total.sum(axis=1)
    remaining_total = float(rest_total.mean())
    rest = np.divide(day_bad.sum(axis=1), rest_total, out=np.zeros(n), where=rest_total > 0)
    early, middle = _exhaustion(objective, so_far, paths, span, draw, np.where(judged, total, np.inf))
    budget = float(1 - objective.target) * float(total.mean())
    return BreachRisk(
        service=objective.service,
        agreement=agreement.id if agreement else None,
        objective=objective.name,
        period=period,
        as_of=so_far.as_of,
        target=objective.target,
        probability=probability,
        probability_low=low,
        probability_high=high,
        decided=decided,
        attainment_paths=attainment,
        attainment_p10=float(np.quantile(attainment, 0.1)),
        attainment_p50=float(np.quantile(attainment, 0.5)),
        attainment_p90=float(np.quantile(attainment, 0.9)),
        consumed_good=so_far.good,
        consumed_total=so_far.total,
        budget_spent=so_far.bad / budget if budget > 0 else 0.0,
        exhaustion_p10=early,
        exhaustion_p50=middle,
        expected_credit=float(credit.mean()),
        expected_loss=float(loss.mean()),
        credit_p95=float(np.quantile(credit, 0.95)),
        currency=agreement.currency if agreement else "",
        fast_probability=fast_probability(
            consumed_bad=so_far.bad,
            consumed_total=so_far.total,
            remaining_total=remaining_total,
            share=float(rest.mean()),
            share_sd=_underlying_sd(rest, remaining_total),
            target=objective.target,
        ),
        monte_carlo_error=0.0 if decided else float(np.sqrt(probability * (1 - probability) / n)),
        causes=_causes(so_far, paths, span),
        basis=basis,
        cost_paths=None if agreement is None else credit + loss,
    )


def _interval(
    probability: float, paths: int, windows_known: int, so_far: Attainment, total: NDArray[np.float64]
) -> tuple[float, float]:
    """Return a 90 % Beta interval that holds as many windows as stand behind the statement.

    The part of the window that is consumed is certain, so the evidence counts 1 ÷ (remaining share)² times (the
    variance of what is still open falls so); the paths bound it from above.
    """
    from scipy.stats import beta

    remaining = max(1e-3, 1.0 - so_far.total / max(float(total.mean()), 1.0))
    evidence = min(float(paths), (windows_known + 1) / remaining**2)
    a, b = probability * evidence + 0.5, (1 - probability) * evidence + 0.5
    low, high = (float(beta.ppf(q, a, b)) for q in (0.05, 0.95))
    return min(low, probability), max(high, probability)


def _whole(events: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.float64]:
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
    objective: Objective,
    so_far: Attainment,
    paths: BadPaths,
    span: slice,
    draw: NDArray[np.float64],
    total: NDArray[np.float64],
) -> tuple[datetime | None, datetime | None]:
    """Return the 10 % and 50 % quantile of the day on which the window's budget goes: its midnight, or the cut-off.

    The budget is that of the whole window, so a path has a day exactly where it ends in a breach.
    """
    if span.stop <= span.start:
        return None, None
    allowed = float(1 - objective.target) * total
    cumulative = so_far.bad + _whole(np.cumsum(paths.bad[:, span], axis=1), draw[:, None])
    gone = cumulative > allowed[:, None] + 1e-9 * np.maximum(1.0, allowed[:, None])
    day = np.where(gone.any(axis=1), gone.argmax(axis=1), _NEVER)
    found: list[datetime | None] = []
    for level in (0.1, 0.5):
        k = int(np.quantile(day, level, method="inverted_cdf"))
        if k >= _NEVER:
            found.append(None)
            continue
        local = paths.first_day + timedelta(days=span.start + k)
        found.append(max(as_utc(local_midnight(local, zone_of(objective.window.zone))), as_utc(so_far.as_of)))
    return found[0], found[1]


def _causes(so_far: Attainment, paths: BadPaths, span: slice) -> tuple[Cause, ...]:
    """Split the expected bad events into spent already, bad days to come and the everyday level."""
    day_bad, day_total = paths.bad[:, span], paths.total[:, span]
    to_come = float(day_bad.sum(axis=1).mean())
    expected = so_far.bad + to_come
    if expected <= 0:
        return ()
    is_bad_day = day_bad > 2 * paths.usual * day_total
    spikes = float(np.where(is_bad_day, day_bad, 0.0).sum(axis=1).mean())
    everyday = to_come - spikes
    days = float(is_bad_day.sum(axis=1).mean())
    causes = [
        Cause(
            name="already spent",
            share=so_far.bad / expected,
            evidence=f"{so_far.bad} bad of {so_far.total} events so far in the window",
        ),
        Cause(
            name="bad days to come",
            share=spikes / expected,
            evidence=f"{_number(days)} days expected with more than twice the usual {100 * paths.usual:.3g} % of bad"
            " events",
        ),
        Cause(
            name="everyday level",
            share=everyday / expected,
            evidence=f"{_number(everyday)} bad events expected on the other days",
        ),
    ]
    return tuple(sorted((c for c in causes if c.share > 1e-9), key=lambda c: -c.share))


def _number(count: float) -> str:
    """Return a count for a sentence: whole from 10 on, else two digits."""
    return f"{count:.0f}" if count >= 10 else f"{count:.2g}"


def window_share_left(day: date, as_of: datetime, zone: str) -> float:
    """Return which share of the local day of `as_of` is still to come, above 0 and at most 1.

    Examples
    --------
    >>> from datetime import UTC
    >>> window_share_left(date(2027, 1, 1), datetime(2027, 1, 1, 18, tzinfo=UTC), "UTC")
    0.25
    """
    local = zone_of(zone)
    start, end = (as_utc(local_midnight(d, local)) for d in (day, day + timedelta(days=1)))
    return float((end - as_of) / (end - start))
