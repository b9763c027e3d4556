"""How often were we right: past windows predicted with what was known then, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.score import Decision, climatology
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Attainment, AttainmentStatus, Period, Window
from forecasting.terms.settings import Settings
from forecasting.workflows.outlook import build_fleet, part_of, risks_of, simulate_part, without_validity
from forecasting.workflows.prepare import Promise

ELAPSED = (0.0, 0.25, 0.5, 0.75)
"""Elapsed shares of a window at which a statement is replayed."""
WARM_DAYS = 90
"""Days of history before the first replayed statement."""
_LONGEST = 40
"""Windows longer than this many days leave too few of them to score."""
_MOST_DECISION_TIMES = 96
"""Decision times replayed at most, the latest ones."""

PROTOCOL = (
    "each past window predicted at 0, 25, 50 and 75 % of its length with the data up to then (level and worlds learnt "
    "anew, traffic as on the last four same weekdays); windows already decided by then are left out; climatology is "
    "the past miss rate of the service, pulled to that of the fleet"
)


def replay(
    promises: Sequence[Promise], catalogue: Catalogue, *, as_of: datetime, settings: Settings
) -> tuple[Decision, ...]:
    """Replay the risk of every closed window of every agreement's objective, on data before each decision only.

    Parameters
    ----------
    promises : sequence of Promise
    catalogue : Catalogue
    as_of : datetime
        Only windows closed by then are replayed.
    settings : Settings
        `replay_paths` paths are drawn for each statement.
    """
    judged = [without_validity(p) for p in promises if p.agreement is not None and not isinstance(p.events, Excuse)]
    decisions: list[Decision] = []
    windows: dict[Window, list[Promise]] = {}
    for promise in judged:
        windows.setdefault(promise.objective.window, []).append(promise)
    for window, members in windows.items():
        starts = [p.events.series.start for p in members if not isinstance(p.events, Excuse)]
        first = min(starts)
        periods = [
            p
            for p in closed_periods(window, since=first - timedelta(hours=26), as_of=as_of)
            if p.end - p.start <= timedelta(days=_LONGEST)
        ]
        outcomes = {p.key: _by_label(p, periods, as_of) for p in members}
        times = [
            (period, share, period.start + share * (period.end - period.start))
            for period in periods
            for share in ELAPSED
            if period.start + share * (period.end - period.start) >= first + timedelta(days=WARM_DAYS)
        ]
        for period, share, at in times[-_MOST_DECISION_TIMES:]:
            decisions.extend(_decide(members, catalogue, periods, period, share, at, outcomes, settings))
    return tuple(decisions)


def _by_label(promise: Promise, periods: Sequence[Period], as_of: datetime) -> dict[str, Attainment]:
    assert not isinstance(promise.events, Excuse), "only promises with data are replayed"
    found = attainments(promise.objective, promise.events, periods, as_of=as_of)
    return {a.period.label: a for a in found}


def _decide(
    members: Sequence[Promise],
    catalogue: Catalogue,
    periods: Sequence[Period],
    period: Period,
    share: float,
    at: datetime,
    outcomes: dict[tuple[str, str, str], dict[str, Attainment]],
    settings: Settings,
) -> list[Decision]:
    """Make the statements of one decision time."""
    from dataclasses import replace

    running = [replace(p, coming=(period,)) for p in members]
    fleet = build_fleet(running, catalogue, as_of=at, until=period.end, settings=settings, paths=settings.replay_paths)
    closed = [p for p in periods if p.end <= at]
    past = {p.key: [outcomes[p.key][c.label].status for c in closed] for p in members}
    breached, met = AttainmentStatus.BREACHED, AttainmentStatus.MET
    fleet_bad = sum(s is breached for statuses in past.values() for s in statuses)
    fleet_all = sum(s in (breached, met) for statuses in past.values() for s in statuses)
    decisions = []
    for promise in running:
        part, final = part_of(promise.objective), outcomes[promise.key][period.label]
        if part not in fleet.members or final.status not in (breached, met):
            continue
        paths = simulate_part(fleet, part, demand=None)
        risk = risks_of(promise, fleet, paths, windows_known=len(closed), basis="")[0]
        spent = risk.consumed_total - risk.consumed_good
        allowed = (1 - final.target) * final.total
        if spent > allowed or spent + (final.total - risk.consumed_total) <= allowed or risk.decided:
            continue
        own = past[promise.key]
        decisions.append(
            Decision(
                service=promise.objective.service,
                objective=promise.objective.name,
                window=period.label,
                window_end=period.end,
                at=at,
                elapsed=share,
                probability=risk.probability,
                climatology=climatology(
                    sum(s is breached for s in own),
                    sum(s in (breached, met) for s in own),
                    fleet_bad,
                    fleet_all,
                ),
                breached=final.status is breached,
            )
        )
    return decisions
