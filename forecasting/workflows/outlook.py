"""Attainment and breach risk of every promise, on common worlds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import is_local_days, zone_of
from forecasting.ports import Executor
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.by_candidate import candidate_probabilities
from forecasting.service_levels.breach.limits import LimitedDays, limit_words, limited_days
from forecasting.service_levels.breach.rest import columns_of_period, rest_of
from forecasting.service_levels.breach.risk import assess_risk
from forecasting.service_levels.breach.share_forecast import ShareForecast
from forecasting.service_levels.breach.simulate import BadPaths, load_bad, stable_seed
from forecasting.service_levels.breach.warp import warp_rest
from forecasting.service_levels.composite import composite_attainments
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.breach import BreachRisk
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History
from forecasting.terms.service_level import Attainment, Period, RatioIndicator
from forecasting.workflows.capacity import load_paths
from forecasting.workflows.demand import Demand
from forecasting.workflows.fleet import (
    Extra,
    Fleet,
    Part,
    build_fleet,
    part_of,
    simulate_part,
    span_of,
    traffic_of,
)
from forecasting.workflows.prepare import Prepared, Promise

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

__all__ = [
    "Extra",
    "Fleet",
    "Part",
    "WindowPaths",
    "attainments_of",
    "basis_of",
    "build_fleet",
    "known_history",
    "part_of",
    "past_windows",
    "prepared_fleet",
    "risks_of",
    "simulate_part",
    "span_of",
    "window_paths",
    "windows_known",
    "without_validity",
]


def basis_of(fleet: Fleet, part: Part, paths: BadPaths, demand: Demand | None) -> str:
    """Say in words whose history a risk rests on and how the level of badness was forecast."""
    name = fleet.group_of(part)
    peers = len(fleet.groups[name]) - 1
    stepped = fleet.stepped.get(part)
    if stepped is not None:
        own = f"{int(stepped.known.sum())} slices of {stepped.days:g} days of its own history"
    else:
        own = f"{int(fleet.members[part].known.sum())} days of its own history"
    others = f" and {peers} {'service' if peers == 1 else 'services'} of its tier" if peers else ""
    made = [forecast for (group, _), forecast in fleet.shares.items() if group == name]
    said = ""
    if made:
        first = min(made, key=lambda f: (f.span.gap, f.span.length))
        parts = [f"{n} {w:.0%}" for n, w in zip(first.names, first.weights, strict=True) if w >= 0.005]
        said = "; level by " + ", ".join(parts)
        said += (
            f" (weights from {first.windows} past windows)" if first.windows else " (too short a past to learn weights)"
        )
    traffic = ""
    if stepped is not None:
        traffic = "; traffic as in the last twelve slices"
    elif isinstance(fleet.members[part].indicator, RatioIndicator):
        forecast = demand.get(*key) if demand and (key := traffic_of(fleet.members[part])) else None
        traffic = "; traffic as on the last four same weekdays"
        if forecast is not None:
            beyond = fleet.reach.get(part, fleet.days) > forecast.horizon + 3
            traffic = f"; traffic by {forecast.model}" + (", later on as in its last week" if beyond else "")
    planned = ", less what is planned not to count" if part in fleet.planned else ""
    return own + others + said + traffic + planned


def past_windows(promise: Promise, *, as_of: datetime) -> tuple[Attainment, ...]:
    """Return the attainment of every closed window since the first slice, and of the running one.

    Windows of before the agreement (or after it) are none of its windows.
    """
    return tuple(a for a in _windows(promise, as_of=as_of) if a.planned_slices or not (a.final or a.provisional))


def windows_known(promise: Promise, *, as_of: datetime) -> int:
    """Return how many closed windows the data hold, those of before the agreement too: they teach as much."""
    return max(0, len(_windows(without_validity(promise), as_of=as_of)) - 1)


def without_validity(promise: Promise) -> Promise:
    """Return a promise as if it had always applied: what was delivered before it says what to expect of it."""
    time = replace(promise.objective.time, valid_from=None, valid_until=None)
    return replace(
        promise,
        objective=replace(promise.objective, time=time),
        parts=tuple(without_validity(part) for part in promise.parts),
    )


def _windows(promise: Promise, *, as_of: datetime) -> tuple[Attainment, ...]:
    """Return the attainments of every closed window that the data hold, and of the running one."""
    counted = [events for _, events in (promise.components or {}).values()]
    if not isinstance(promise.events, Excuse):
        counted.append(promise.events)
    if not counted:
        return ()
    # A daily slice of another zone may begin within the window's first day.
    since = min(e.series.start - timedelta(hours=26 if is_local_days(e.series.step) else 0) for e in counted)
    closed = closed_periods(promise.objective.window, since=since, as_of=as_of)
    return attainments_of(promise, (*closed, promise.coming[0]), as_of=as_of)


def attainments_of(promise: Promise, periods: Sequence[Period], *, as_of: datetime) -> tuple[Attainment, ...]:
    """Return the attainments of a promise; none without data."""
    agreement = promise.agreement.id if promise.agreement else None
    grace = promise.agreement.grace if promise.agreement else timedelta(0)
    if promise.components is not None:
        return composite_attainments(
            promise.objective, promise.components, periods, as_of=as_of, agreement=agreement, grace=grace
        )
    if isinstance(promise.events, Excuse):
        return ()
    return attainments(promise.objective, promise.events, periods, as_of=as_of, agreement=agreement, grace=grace)


@dataclass(frozen=True, kw_only=True, eq=False)
class WindowPaths:
    """Paths of one window, as its share of bad was forecast."""

    paths: BadPaths
    """Load and workload limit applied; only the columns of the window."""
    share: NDArray[np.float64]
    """Shape (n_paths,): share of bad of the rest before load and limit."""
    forecast: ShareForecast | None
    """None = the window is not one that was asked about, or is closed: paths as they were simulated."""
    member: int
    taken: float
    """Mean share of the traffic to come (scaled: of the bad events to come) that a workload limit takes away."""


def window_paths(
    promise: Promise,
    fleet: Fleet,
    paths: BadPaths,
    period: Period,
    kept: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> WindowPaths:
    """Return a promise's paths of one window with the share of bad as forecast, then the effects of load and limit.

    The forecast is of the load that was usual; what the load of a path changes is applied to it afterwards, so that a
    busier path or less capacity never makes a path better.

    Parameters
    ----------
    promise : Promise
        Not a composite whose components are weighed.
    fleet : Fleet
    paths : BadPaths
        Of its part (`simulate_part`).
    period : Period
    kept : tuple of two ndarray or None
        By what a workload limit multiplies bad and total (`kept_shares`), of the shape of the paths.
    """
    part = part_of(promise.objective)
    columns = columns_of_period(paths, period.start, period.end, part[2])
    bad, total = paths.bad[:, columns], paths.total[:, columns]
    found = fleet.forecast_of(part, period) if columns.stop <= paths.bad.shape[1] else None
    if found is not None and columns.stop > columns.start:
        seed = stable_seed(fleet.settings.seed, "ties", promise.objective.service)
        ties = np.random.default_rng(seed).random(len(bad))
        bad = warp_rest(bad, total, found[0], found[1], ties=ties)
    whole = total.sum(axis=1)
    share = np.divide(bad.sum(axis=1), whole, out=np.zeros(len(bad)), where=whole > 0)
    if paths.odds_factor is not None:
        bad = load_bad(bad, total, paths.odds_factor[:, columns])
    taken = 0.0
    if kept is not None:
        scaled = promise.objective.workload_effect == "scaled"
        before = float((bad if scaled else total).sum())
        total = total * kept[1][:, columns]
        bad = np.minimum(bad * kept[0][:, columns], total)
        taken = 1.0 - float((bad if scaled else total).sum()) / before if before > 0 else 0.0
    return WindowPaths(
        paths=replace(
            paths,
            first_day=paths.first_day + timedelta(days=columns.start) if paths.starts is None else paths.first_day,
            bad=bad,
            total=total,
            odds_factor=None,
            starts=None if paths.starts is None else paths.starts[columns],
        ),
        share=share,
        forecast=None if found is None else found[0],
        member=0 if found is None else found[1],
        taken=taken,
    )


def kept_shares(
    promise: Promise, fleet: Fleet, demand: Demand | None, days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return by what a workload limit multiplies bad and total of each coming day, shape (n_paths, days) each.

    A path's day has the demand that is forecast for it (without a forecast that of its source day, at the level of
    now); of what happens then, as much lies above the limit as on past days with such a demand.

    Parameters
    ----------
    promise : Promise
    fleet : Fleet
    demand : Demand or None
    days : int

    Returns
    -------
    tuple of two ndarray, or None
        None without a limit that changes anything.
    """
    part = part_of(promise.objective)
    if promise.workload is None or isinstance(promise.workload, Excuse) or part not in fleet.members:
        return None
    events, member, objective = promise.simulated, fleet.members[part], promise.objective
    assert not isinstance(events, Excuse), "a workload beside no events"
    assert objective.workload_metric is not None
    past: LimitedDays = limited_days(objective, events, promise.workload, member, as_of=fleet.as_of)
    source = member.filled_days[fleet.worlds[member.days][:, :days]]
    today = fleet.as_of.astimezone(zone_of(part[2])).date()
    forecast = demand.get(objective.service, objective.workload_metric) if demand else None
    if forecast is not None:
        coming = load_paths(forecast, today, days)
    else:
        coming = past.usual(source, past.level_now(today.weekday(), days))
    bad, total = past.kept(source, coming)
    if forecast is None and getattr(objective.indicator, "total", None) == objective.workload_metric:
        # The limit's demand is the traffic itself, which without a forecast is the same on every path.
        mean = np.nanmean(coming, axis=0, keepdims=True)
        share = np.where(np.isfinite(coming) & (mean > 0), coming / np.where(mean > 0, mean, 1.0), 1.0)
        bad, total = bad * share, total * share
    return bad, total


def risks_of(
    promise: Promise,
    fleet: Fleet,
    paths: BadPaths,
    *,
    windows_known: int,
    basis: str,
    demand: Demand | None = None,
) -> tuple[BreachRisk, ...]:
    """Judge the coming windows of a promise on simulated days.

    Parameters
    ----------
    promise : Promise
        Not a composite whose components are weighed (see `composite_risk.promise_risks`).
    fleet : Fleet
    paths : BadPaths
        Of its part.
    windows_known : int
    basis : str
    demand : Demand or None
        Forecasts, for its workload limit.
    """
    assert not isinstance(promise.simulated, Excuse), "a promise without data has no paths"
    kept = kept_shares(promise, fleet, demand, paths.bad.shape[1])
    found = []
    for so_far in attainments_of(promise, promise.coming, as_of=fleet.as_of):
        window = window_paths(promise, fleet, paths, so_far.period, kept)
        words = basis + _limit_said(promise, window.taken, simulated=kept is not None)
        candidates: tuple[tuple[str, float], ...] = ()
        if window.forecast is not None:
            rest = rest_of(promise.objective, so_far, window.paths)
            candidates = candidate_probabilities(
                promise.objective, so_far, rest, window.forecast, window.member, window.share
            )
        found.append(
            assess_risk(
                promise.objective,
                promise.agreement,
                so_far,
                window.paths,
                windows_known=windows_known,
                basis=words,
                candidates=candidates,
            )
        )
    return tuple(found)


def _limit_said(promise: Promise, taken: float, *, simulated: bool) -> str:
    """Say what the workload limit of a promise does, if it has one that changes what counts."""
    if promise.workload is None:
        return ""
    if isinstance(promise.workload, Excuse):
        return f"; {promise.workload.reason}, so the limit is left out"
    if not simulated:
        return "; the workload limit is left out, because its slices are longer than a day"
    return limit_words(promise.objective, taken)


def known_history(history: History) -> tuple[date, date]:
    """Return the first and the last local day with data."""
    from forecasting.history.calendar import series_end

    first = min(s.start.astimezone(zone_of(s.zone)).date() for s in history.series.values())
    last = max(
        (series_end(s) - timedelta(microseconds=1)).astimezone(zone_of(s.zone)).date() for s in history.series.values()
    )
    return first, last


def prepared_fleet(prepared: Prepared, executor: Executor | None = None) -> Fleet:
    """Return the fleet of a prepared run at its cut-off."""
    return build_fleet(
        prepared.promises,
        prepared.catalogue,
        as_of=prepared.as_of,
        until=prepared.windows_end,
        settings=prepared.settings,
        paths=prepared.settings.paths,
        executor=executor,
    )
