"""Attainment and breach risk of every promise, on common worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import is_local_days, zone_of
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.breach.badness import DailyBadness, align, daily_badness, judged_name
from forecasting.service_levels.breach.level import FIRST_ORIGIN, LevelModel, fit_level
from forecasting.service_levels.breach.risk import assess_risk, days_of_period, window_share_left
from forecasting.service_levels.breach.share_forecast import ShareForecast, forecast_shares
from forecasting.service_levels.breach.shares import ShareHistory, Span
from forecasting.service_levels.breach.simulate import BadPaths, load_bad, simulate_badness, stable_seed
from forecasting.service_levels.breach.warp import warp_rest
from forecasting.service_levels.breach.worlds import draw_worlds
from forecasting.service_levels.composite import composite_attainments
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Catalogue, Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History
from forecasting.terms.service_level import Attainment, Objective, Period, RatioIndicator, ThresholdIndicator
from forecasting.terms.settings import Settings
from forecasting.workflows.capacity import LoadEffect, load_paths, odds_factors
from forecasting.workflows.demand import Demand
from forecasting.workflows.prepare import Prepared, Promise

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAD_DAYS = 28
"""Days of a lead of the level model; shorter where history does not hold four of them."""

YEAR_DAYS = 364
"""Days after which the same time of year and the same weekday come again."""
FULL_DAYS = 365
"""Days from which on a service's own history has its full weight."""

Part = tuple[str, str, str]
"""(service, indicator, zone): what is simulated once and serves every objective on it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """Badness of all promises at one cut-off, with levels and worlds."""

    as_of: datetime
    days: int
    """Days simulated, the day of the cut-off among them."""
    members: Mapping[Part, DailyBadness]
    groups: Mapping[str, tuple[Part, ...]]
    levels: Mapping[str, LevelModel]
    worlds: Mapping[int, NDArray[np.int64]]
    """Worlds by length of history in days (services in other zones may be a day ahead)."""
    shares: Mapping[tuple[str, Span], ShareForecast]
    """Share of bad of the rest of each window asked about, by group and by where the window stands."""
    excuses: Mapping[Part, Excuse]
    settings: Settings
    paths: int

    def group_of(self, part: Part) -> str:
        """Return the name of the group a part belongs to."""
        return f"{self.members[part].group}@{part[2]}"


def part_of(objective: Objective) -> Part:
    """Return what has to be simulated for an objective."""
    return objective.service, judged_name(objective), objective.window.zone


def build_fleet(
    promises: Sequence[Promise],
    catalogue: Catalogue,
    *,
    as_of: datetime,
    until: datetime,
    settings: Settings,
    paths: int,
) -> Fleet:
    """Prepare the simulation of all promises at a cut-off; events that end after `as_of` are not looked at."""
    found: dict[Part, DailyBadness] = {}
    excuses: dict[Part, Excuse] = {}
    for promise in promises:
        part = part_of(promise.objective)
        if part in found or part in excuses:
            continue
        answer = (
            promise.simulated
            if isinstance(promise.simulated, Excuse)
            else daily_badness(
                promise.objective,
                promise.simulated,
                tier=catalogue.services[promise.objective.service].tier,
                as_of=as_of,
            )
        )
        if isinstance(answer, Excuse):
            excuses[part] = answer
        else:
            found[part] = answer
    days = -(-(until - as_of) // timedelta(days=1)) + 2
    members: dict[Part, DailyBadness] = {}
    today = {part: as_of.astimezone(zone_of(part[2])).date() for part in found}
    if found:
        first = min(m.first_day for m in found.values())
        for part, member in found.items():
            # A leading filler would not be needed if all began alike; `align` lays them on one axis.
            filler = DailyBadness(
                service="", group="", indicator=member.indicator, first_day=first, bad=np.zeros(0),
                total=np.zeros(0), known=np.zeros(0, dtype=np.bool_), slices_per_day=0.0,
            )  # fmt: skip
            members[part] = align((filler, member), today[part])[1]
    groups: dict[str, tuple[Part, ...]] = {}
    for part in sorted(members):
        # Only services of one zone share an axis to the day.
        name = f"{members[part].group}@{part[2]}"
        groups[name] = (*groups.get(name, ()), part)
    longest = max((m.days for m in members.values()), default=0)
    span = int(np.clip((longest - FIRST_ORIGIN) // 4, 5, LEAD_DAYS))
    leads = max(1, -(-days // span))
    levels = {
        name: fit_level(
            [members[p] for p in parts], span_days=span, leads=min(leads, 6), block_days=settings.mean_block_days
        )
        for name, parts in groups.items()
    }
    worlds = {
        length: draw_worlds(
            history_days=length,
            first_weekday=first.weekday(),
            horizon=days,
            paths=paths,
            mean_block_days=settings.mean_block_days,
            half_life_days=settings.half_life_days,
            seed=settings.seed,
        )
        for length in sorted({m.days for m in members.values()})
    }
    return Fleet(
        as_of=as_of,
        days=days,
        members=members,
        groups=groups,
        levels=levels,
        worlds=worlds,
        shares=_share_forecasts(promises, members, groups, as_of=as_of, settings=settings),
        excuses=excuses,
        settings=settings,
        paths=paths,
    )


def span_of(period: Period, as_of: datetime, zone: str) -> Span:
    """Return where a window stands at the cut-off, in local days; the day of the cut-off is the first to come.

    Examples
    --------
    >>> from datetime import UTC
    >>> march = Period(start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 4, 1, tzinfo=UTC), label="2027-03")
    >>> span_of(march, datetime(2027, 3, 11, 6, tzinfo=UTC), "UTC")
    Span(elapsed=10, gap=0, length=21)
    """
    today = as_of.astimezone(zone_of(zone)).date()
    columns = days_of_period(today, period.start, period.end, zone)
    begun = (period.start.astimezone(zone_of(zone)) + timedelta(hours=12)).date()
    return Span(elapsed=max(0, (today - begun).days), gap=columns.start, length=max(1, columns.stop - columns.start))


def _share_forecasts(
    promises: Sequence[Promise],
    members: Mapping[Part, DailyBadness],
    groups: Mapping[str, tuple[Part, ...]],
    *,
    as_of: datetime,
    settings: Settings,
) -> dict[tuple[str, Span], ShareForecast]:
    """Forecast the share of bad of the rest of every coming window of every group."""
    place = {part: (name, k) for name, parts in groups.items() for k, part in enumerate(parts)}
    asked: dict[tuple[str, Span], dict[int, set[float]]] = {}
    for promise in promises:
        part = part_of(promise.objective)
        if part not in place:
            continue
        name, k = place[part]
        for period in promise.coming:
            if period.end > as_of:
                goals = asked.setdefault((name, span_of(period, as_of, part[2])), {})
                goals.setdefault(k, set()).add(float(promise.objective.target))
    found, histories = {}, {name: _share_history([members[p] for p in groups[name]]) for name, _ in asked}
    for (name, span), goals in asked.items():
        targets = np.full((len(groups[name]), max(map(len, goals.values()))), np.nan)
        for k, some in goals.items():
            targets[k, : len(some)] = sorted(some)
        found[name, span] = forecast_shares(
            histories[name], span, targets, seed=stable_seed(settings.seed, "shares", name) % 2**31
        )
    return found


def _share_history(members: Sequence[DailyBadness]) -> ShareHistory:
    return ShareHistory(
        bad=np.stack([m.bad for m in members]),
        total=np.stack([m.total for m in members]),
        known=np.stack([m.known for m in members]),
        year=YEAR_DAYS, week=7, block=3, full=FULL_DAYS,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Extra:
    """Units of a resource added for a what-if."""

    resource: Resource
    units: Decimal
    in_use_from: date


def simulate_part(
    fleet: Fleet,
    part: Part,
    *,
    demand: Demand | None,
    effects: Sequence[LoadEffect] = (),
    extra: Extra | None = None,
) -> BadPaths:
    """Simulate one service's badness on the fleet's worlds.

    Parameters
    ----------
    fleet : Fleet
    part : Part
        One of `fleet.members`.
    demand : Demand or None
        Forecasts of totals and loads; None takes the mean of the last four same weekdays (replay).
    effects : sequence of LoadEffect
        Loads that act on badness.
    extra : Extra or None
        Capacity added.
    """
    member = fleet.members[part]
    name = next(n for n, parts in fleet.groups.items() if part in parts)
    group = fleet.groups[name]
    today = fleet.as_of.astimezone(zone_of(part[2])).date()
    worlds = fleet.worlds[member.days]
    totals = _totals(member, demand, today, fleet)
    factor: NDArray[np.float64] | None = None
    for effect in effects:
        if demand is None or not effect.acts_on(member.service, member.indicator):
            continue
        forecast = demand.get(effect.resource.metric_service, effect.resource.metric)
        if forecast is None:
            continue
        added = extra if extra is not None and extra.resource.name == effect.resource.name else None
        one = odds_factors(
            effect,
            load_paths(forecast, today, fleet.days),
            today,
            worlds,
            member.first_day,
            extra=added.units if added else Decimal(0),
            in_use_from=added.in_use_from if added else None,
        )
        factor = one if factor is None else factor * one
    return simulate_badness(
        [fleet.members[p] for p in group],
        group.index(part),
        fleet.levels[name],
        worlds=worlds,
        totals=totals,
        first_day=today,
        first_day_share=window_share_left(today, fleet.as_of, part[2]),
        half_life_days=fleet.settings.half_life_days,
        seed=fleet.settings.seed,
        odds_factor=factor,
    )


def _totals(member: DailyBadness, demand: Demand | None, today: date, fleet: Fleet) -> NDArray[np.float64]:
    """Return total events per coming day, shape (n_paths, days)."""
    shape = (fleet.paths, fleet.days)
    if isinstance(member.indicator, ThresholdIndicator) and member.even:
        return np.full(shape, member.slices_per_day)
    forecast = demand.get(*key) if demand and (key := _traffic(member)) else None
    if forecast is not None:
        return load_paths(forecast, today, fleet.days)
    weekday = (member.first_day.weekday() + np.arange(member.days)) % 7
    mean = np.zeros(7)
    for k in range(7):
        alike = np.flatnonzero(member.known & (weekday == k))[-4:]
        mean[k] = member.total[alike].mean() if len(alike) else member.total[member.known].mean()
    coming = (today.weekday() + np.arange(fleet.days)) % 7
    return np.broadcast_to(mean[coming], shape).copy()


def _traffic(member: DailyBadness) -> tuple[str, str] | None:
    """Return the (service, metric) whose forecast is the traffic to come; None where rules on slices change it."""
    counted = isinstance(member.indicator, RatioIndicator) and not member.indicator.cumulative and member.even
    return (member.service, member.indicator.total) if counted else None  # type: ignore[union-attr]


def basis_of(fleet: Fleet, part: Part, paths: BadPaths, demand: Demand | None) -> str:
    """Say in words whose history a risk rests on and how the level of badness was forecast."""
    member = fleet.members[part]
    name = fleet.group_of(part)
    peers = len(fleet.groups[name]) - 1
    own = f"{int(member.known.sum())} days of its own history"
    others = f" and {peers} services of its tier" if peers and paths.own_share < 1 else ""
    made = [forecast for (group, span), forecast in fleet.shares.items() if group == name]
    said = ""
    if made:
        first = min(made, key=lambda f: (f.span.gap, f.span.length))
        parts = [f"{n} {w:.0%}" for n, w in zip(first.names, first.weights, strict=True) if w >= 0.005]
        said = "; level by " + ", ".join(parts)
        said += (
            f" (weights from {first.windows} past windows)" if first.windows else " (too short a past to learn weights)"
        )
    traffic = ""
    if isinstance(member.indicator, RatioIndicator):
        forecast = demand.get(*key) if demand and (key := _traffic(member)) else None
        traffic = f"; traffic by {forecast.model}" if forecast else "; traffic as on the last four same weekdays"
    return own + others + said + traffic


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
    return replace(promise, objective=replace(promise.objective, time=time))


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


def risks_of(
    promise: Promise,
    fleet: Fleet,
    paths: BadPaths,
    *,
    windows_known: int,
    basis: str,
) -> tuple[BreachRisk, ...]:
    """Judge the coming windows of a promise on simulated days."""
    assert not isinstance(promise.events, Excuse), "a promise without data has no paths"
    so_far = attainments_of(promise, promise.coming, as_of=fleet.as_of)
    paths = forecast_paths(promise, fleet, paths)
    return tuple(
        assess_risk(
            promise.objective,
            promise.agreement,
            attainment,
            paths,
            windows_known=windows_known,
            basis=basis,
        )
        for attainment in so_far
    )


def forecast_paths(promise: Promise, fleet: Fleet, paths: BadPaths) -> BadPaths:
    """Return a promise's paths with the share of bad of each coming window as forecast, then the effect of the load.

    The forecast is of the load that was usual; what the load of a path changes is applied to it afterwards, so that a
    busier path or less capacity never makes a path better.
    """
    part = part_of(promise.objective)
    name, zone = fleet.group_of(part), part[2]
    member = fleet.groups[name].index(part)
    bad = paths.bad.copy()
    ties = np.random.default_rng(stable_seed(fleet.settings.seed, "ties", promise.objective.service)).random(len(bad))
    for period in promise.coming:
        forecast = fleet.shares.get((name, span_of(period, fleet.as_of, zone))) if period.end > fleet.as_of else None
        columns = days_of_period(paths.first_day, period.start, period.end, zone)
        if forecast is not None and columns.stop <= bad.shape[1]:
            bad[:, columns] = warp_rest(bad[:, columns], paths.total[:, columns], forecast, member, ties=ties)
    if paths.odds_factor is not None:
        bad = load_bad(bad, paths.total, paths.odds_factor)
    return replace(paths, bad=bad, odds_factor=None)


def known_history(history: History) -> tuple[date, date]:
    """Return the first and the last local day with data."""
    from forecasting.history.calendar import series_end

    first = min(s.start.astimezone(zone_of(s.zone)).date() for s in history.series.values())
    last = max(
        (series_end(s) - timedelta(microseconds=1)).astimezone(zone_of(s.zone)).date() for s in history.series.values()
    )
    return first, last


def prepared_fleet(prepared: Prepared) -> Fleet:
    """Return the fleet of a prepared run at its cut-off."""
    return build_fleet(
        prepared.promises,
        prepared.catalogue,
        as_of=prepared.as_of,
        until=prepared.horizon_end,
        settings=prepared.settings,
        paths=prepared.settings.paths,
    )
