"""The past of every promise at a cut-off, and what it says of the days to come: what breach risk is simulated from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import zone_of
from forecasting.history.intervals import from_micros
from forecasting.ports import Executor
from forecasting.proposals.base import Change
from forecasting.service_levels.breach.badness import DailyBadness, align, daily_badness, judged_name
from forecasting.service_levels.breach.level import FIRST_ORIGIN, LevelModel, fit_level
from forecasting.service_levels.breach.planned import PlannedTime, planned_traffic
from forecasting.service_levels.breach.rest import days_of_period, window_share_left
from forecasting.service_levels.breach.share_forecast import ShareForecast, forecast_shares
from forecasting.service_levels.breach.shares import ShareHistory, Span
from forecasting.service_levels.breach.simulate import BadPaths, simulate_badness, stable_seed
from forecasting.service_levels.breach.stepped import (
    SteppedBadness,
    simulate_steps,
    stepped_badness,
    stepped_history,
)
from forecasting.service_levels.breach.worlds import draw_worlds
from forecasting.service_levels.masks import TimeMasks
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse
from forecasting.terms.service_level import Objective, Period, RatioIndicator, ThresholdIndicator
from forecasting.terms.settings import Settings
from forecasting.workflows.capacity import LoadEffect, load_paths
from forecasting.workflows.changes import load_factor, with_odds
from forecasting.workflows.demand import Demand
from forecasting.workflows.prepare import Promise

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAD_DAYS = 28
"""Days of a lead of the level model; shorter where history does not hold four of them."""
YEAR_DAYS = 364
"""Days after which the same time of year and the same weekday come again."""
FULL_DAYS = 365
"""Days from which on a service's own history has its full weight."""
_DAY = timedelta(days=1)

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
    stepped: Mapping[Part, SteppedBadness] = field(default_factory=dict)
    """Parts whose slices are longer than a day."""
    planned: Mapping[Part, PlannedTime] = field(default_factory=dict)
    """Time that counts by plan, of parts where it differs from day to day."""
    reach: Mapping[Part, int] = field(default_factory=dict)
    """Days that are needed of each part; `days` where it is not in here."""
    first_day: date | None = None
    """First day of the axis of the worlds."""

    def group_of(self, part: Part) -> str:
        """Return the name of the group a part belongs to."""
        member = self.members.get(part)
        return f"{(self.stepped[part] if member is None else member).group}@{part[2]}"

    def has(self, part: Part) -> bool:
        """Say whether a part can be simulated."""
        return part in self.members or part in self.stepped

    def span_of(self, part: Part, period: Period) -> Span:
        """Return where a window of a part stands, in its slices."""
        stepped = self.stepped.get(part)
        return span_of(period, self.as_of, part[2]) if stepped is None else stepped.span_of(period)

    def forecast_of(self, part: Part, period: Period) -> tuple[ShareForecast, int] | None:
        """Return the forecast of the share of bad of a window's rest, and the part's place in it."""
        if period.end <= self.as_of:
            return None
        name = self.group_of(part)
        found = self.shares.get((name, self.span_of(part, period)))
        return None if found is None else (found, self.groups[name].index(part))


def part_of(objective: Objective) -> Part:
    """Return what has to be simulated for an objective."""
    return objective.service, judged_name(objective), objective.window.zone


def simulated_promises(promises: Sequence[Promise]) -> Iterator[Promise]:
    """Yield what is simulated: the promises, and for composites whose components are weighed the components."""
    for promise in promises:
        if promise.parts:
            yield from promise.parts
        else:
            yield promise


def build_fleet(
    promises: Sequence[Promise],
    catalogue: Catalogue,
    *,
    as_of: datetime,
    until: datetime,
    settings: Settings,
    paths: int,
    executor: Executor | None = None,
) -> Fleet:
    """Prepare the simulation of all promises at a cut-off; events that end after `as_of` are not looked at.

    Parameters
    ----------
    promises : sequence of Promise
        Their `coming` windows are those whose share of bad is forecast.
    catalogue : Catalogue
    as_of, until : datetime
        Cut-off, and end of the last window.
    settings : Settings
    paths : int
    executor : Executor or None
        Where the shares of bad are forecast; None = here, one after the other.
    """
    masks = TimeMasks()
    all_of = list(simulated_promises(promises))
    found: dict[Part, DailyBadness | SteppedBadness] = {}
    excuses: dict[Part, Excuse] = {}
    planned: dict[Part, PlannedTime] = {}
    reach: dict[Part, int] = {}
    for promise in all_of:
        part = part_of(promise.objective)
        if promise.coming:
            reach[part] = max(reach.get(part, 1), *(_days_to(p.end, as_of) for p in promise.coming))
        if part in found or part in excuses:
            continue
        answer = _badness(promise, all_of, part, catalogue, as_of, masks)
        if isinstance(answer, Excuse):
            excuses[part] = answer
            continue
        found[part] = answer
        if promise.planned is not None:
            planned[part] = promise.planned
    days = _days_to(until, as_of)
    today = {part: as_of.astimezone(zone_of(part[2])).date() for part in found}
    daily = {part: m for part, m in found.items() if isinstance(m, DailyBadness)}
    stepped = {part: m for part, m in found.items() if isinstance(m, SteppedBadness)}
    begun = [m.first_day for m in daily.values()] or [
        from_micros(int(m.starts[0])).astimezone(zone_of(part[2])).date() for part, m in stepped.items()
    ]
    members = _aligned(daily, min(begun), today) if daily else {}
    groups: dict[str, tuple[Part, ...]] = {}
    for part in sorted(found):
        # Only services of one zone share an axis to the day.
        name = f"{found[part].group}@{part[2]}"
        groups[name] = (*groups.get(name, ()), part)
    longest = max((m.days for m in members.values()), default=0)
    span = int(np.clip((longest - FIRST_ORIGIN) // 4, 5, LEAD_DAYS))
    leads = max(1, -(-days // span))
    levels = {
        name: fit_level(
            [members[p] for p in parts], span_days=span, leads=min(leads, 6), block_days=settings.mean_block_days
        )
        for name, parts in groups.items()
        if parts[0] in members
    }
    lengths = {(today[part] - min(begun)).days for part in found}
    worlds = {
        length: draw_worlds(
            history_days=length,
            first_weekday=min(begun).weekday(),
            horizon=days,
            paths=paths,
            mean_block_days=settings.mean_block_days,
            half_life_days=settings.half_life_days,
            seed=settings.seed,
        )
        for length in sorted(lengths)
    }
    return Fleet(
        as_of=as_of,
        days=days,
        members=members,
        groups=groups,
        levels=levels,
        worlds=worlds,
        shares=_share_forecasts(all_of, members, stepped, groups, as_of=as_of, settings=settings, executor=executor),
        excuses=excuses,
        settings=settings,
        paths=paths,
        stepped=stepped,
        planned=planned,
        reach={part: min(days, n) for part, n in reach.items()},
        first_day=min(begun) if begun else None,
    )


def _days_to(end: datetime, as_of: datetime) -> int:
    """Return how many days are simulated to reach an instant, in whatever zone."""
    return max(1, -(-(end - as_of) // _DAY) + 2)


def _badness(
    promise: Promise,
    all_of: Sequence[Promise],
    part: Part,
    catalogue: Catalogue,
    as_of: datetime,
    masks: TimeMasks,
) -> DailyBadness | SteppedBadness | Excuse:
    """Return the past of one part by day, or by slice where slices are longer."""
    events, objective = promise.simulated, promise.objective
    if isinstance(events, Excuse):
        return events
    tier = catalogue.services[objective.service].tier
    if events.series.step <= _DAY:
        return daily_badness(objective, events, tier=tier, as_of=as_of)
    same = [p for other in all_of if part_of(other.objective) == part for p in other.coming]
    return stepped_badness(objective, events, sorted(set(same)), tier=tier, as_of=as_of, masks=masks)


def _aligned(found: Mapping[Part, DailyBadness], first: date, today: Mapping[Part, date]) -> dict[Part, DailyBadness]:
    """Lay the days of all parts on axes that begin together and end before each part's today."""
    members = {}
    for part, member in found.items():
        # A leading filler would not be needed if all began alike; `align` lays them on one axis.
        filler = DailyBadness(
            service="", group="", indicator=member.indicator, first_day=first, bad=np.zeros(0),
            total=np.zeros(0), known=np.zeros(0, dtype=np.bool_), slices_per_day=0.0,
        )  # fmt: skip
        members[part] = align((filler, member), today[part])[1]
    return members


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
    stepped: Mapping[Part, SteppedBadness],
    groups: Mapping[str, tuple[Part, ...]],
    *,
    as_of: datetime,
    settings: Settings,
    executor: Executor | None,
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
                span = span_of(period, as_of, part[2]) if part in members else stepped[part].span_of(period)
                goals = asked.setdefault((name, span), {})
                goals.setdefault(k, set()).add(float(promise.objective.target))
    histories = {
        name: _share_history([members[p] for p in groups[name]])
        if groups[name][0] in members
        else stepped_history([stepped[p] for p in groups[name]])
        for name in dict.fromkeys(name for name, _ in asked)
    }
    tasks = []
    for (name, span), goals in asked.items():
        targets = np.full((len(groups[name]), max(map(len, goals.values()))), np.nan)
        for k, some in goals.items():
            targets[k, : len(some)] = sorted(some)
        seed = stable_seed(settings.seed, "shares", name) % 2**31
        tasks.append(_ShareTask(history=histories[name], span=span, targets=targets, seed=seed))
    made = [_forecast(task) for task in tasks] if executor is None else executor.map(_forecast, tasks)
    return dict(zip(asked, made, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class _ShareTask:
    """One forecast of the share of bad, of all members of a group."""

    history: ShareHistory
    span: Span
    targets: NDArray[np.float64]
    seed: int


def _forecast(task: _ShareTask) -> ShareForecast:
    return forecast_shares(task.history, task.span, task.targets, seed=task.seed)


def _share_history(members: Sequence[DailyBadness]) -> ShareHistory:
    return ShareHistory(
        bad=np.stack([m.bad for m in members]),
        total=np.stack([m.total for m in members]),
        known=np.stack([m.known for m in members]),
        year=YEAR_DAYS, week=7, block=3, full=FULL_DAYS,
    )  # fmt: skip


Extra = Change
"""What a what-if changes: units of a resource, demand, what a unit carries, the odds of bad."""


def simulate_part(
    fleet: Fleet,
    part: Part,
    *,
    demand: Demand | None,
    effects: Sequence[LoadEffect] = (),
    extra: Change | None = None,
) -> BadPaths:
    """Simulate one service's badness on the fleet's worlds.

    Parameters
    ----------
    fleet : Fleet
    part : Part
        One that the fleet `has`.
    demand : Demand or None
        Forecasts of totals and loads; None takes the mean of the last four same weekdays (replay).
    effects : sequence of LoadEffect
        Loads that act on badness.
    extra : Change or None
        What is changed, on the same draws. Its demand has to be in `demand` already (`changes.changed_demand`).
    """
    today = fleet.as_of.astimezone(zone_of(part[2])).date()
    days = fleet.reach.get(part, fleet.days)
    if part in fleet.stepped:
        assert fleet.first_day is not None
        worlds = fleet.worlds[(today - fleet.first_day).days]
        steps = simulate_steps(
            fleet.stepped[part], worlds=worlds, first_past_day=fleet.first_day, today=today, zone=part[2]
        )
        return with_odds(steps, part[0], part[2], extra, fleet.settings.seed)
    member = fleet.members[part]
    name = fleet.group_of(part)
    group = fleet.groups[name]
    worlds = fleet.worlds[member.days][:, :days]
    totals = _totals(member, fleet, part, demand, today, days)
    factor: NDArray[np.float64] | None = None
    for effect in effects:
        if demand is None or not effect.acts_on(member.service, member.indicator):
            continue
        forecast = demand.get(effect.resource.metric_service, effect.resource.metric)
        if forecast is None:
            continue
        one = load_factor(effect, load_paths(forecast, today, days), today, worlds, member.first_day, extra)
        factor = one if factor is None else factor * one
    exact = part in fleet.planned or member.whole_days
    paths = simulate_badness(
        [fleet.members[p] for p in group],
        group.index(part),
        fleet.levels[name],
        worlds=worlds,
        totals=totals,
        first_day=today,
        first_day_share=1.0 if exact else window_share_left(today, fleet.as_of, part[2]),
        half_life_days=fleet.settings.half_life_days,
        seed=fleet.settings.seed,
        odds_factor=factor,
    )
    return with_odds(paths, part[0], part[2], extra, fleet.settings.seed)


def _totals(
    member: DailyBadness, fleet: Fleet, part: Part, demand: Demand | None, today: date, days: int
) -> NDArray[np.float64]:
    """Return total events per coming day, shape (n_paths, days)."""
    shape = (fleet.paths, days)
    planned = fleet.planned.get(part)
    if planned is not None:
        mean = planned_traffic(member, planned, as_of=fleet.as_of, days=days, zone=part[2], first=today)
        return np.broadcast_to(mean, shape).copy()
    if isinstance(member.indicator, ThresholdIndicator) and member.even:
        return np.full(shape, member.slices_per_day)
    forecast = demand.get(*key) if demand and (key := traffic_of(member)) else None
    if forecast is not None:
        return load_paths(forecast, today, days)
    coming = (today.weekday() + np.arange(days)) % 7
    return np.broadcast_to(member.recent_traffic[coming], shape).copy()


def traffic_of(member: DailyBadness) -> tuple[str, str] | None:
    """Return the (service, metric) whose forecast is the traffic to come; None where rules on slices change it."""
    indicator = member.indicator
    if isinstance(indicator, RatioIndicator) and not indicator.cumulative and member.even:
        return member.service, indicator.total
    return None
