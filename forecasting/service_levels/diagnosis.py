"""What the bad days of an objective had in common: weather and other covariates, and the demand of the day.

Each driver becomes one value per local day. A count adds up. Of every other metric the day's highest value is taken
when high values are suspected and its lowest when low ones are: an hour of storm or of fog spoils a day, its mean
does not show it. The days with the worst fifth of the values are set against the rest.

The test looks at the bad events beyond the level of the three weeks around each day, and shuffles whole weeks of the
driver within seasons of about 13 weeks. So a spell of bad weather stays together, a Monday stays a Monday, and a
season, a trend or a bad month is not taken for a relation. In made-up histories of 243 days without a relation 3 to 7
in 100 have p < 0.05; without taking the level out it was up to 18 where both had a season.
Both directions are tried and paid for by comparing with the larger of the two in every shuffle
(maximum of the standardised differences: Westfall and Young 1993, Resampling-Based Multiple Testing, chapter 2);
p-values count the order that was observed as one of the shuffles (Phipson and Smyth 2010), and they are corrected over
the drivers after Holm (1979).

These are associations on past days. They do not say that the driver causes the bad events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.history.calendar import is_local_days, slice_starts, to_local
from forecasting.service_levels.breach.badness import DailyBadness
from forecasting.service_levels.shuffles import block_p_value, holm, local_level, rank_correlation
from forecasting.terms.catalogue import Catalogue, Covariate
from forecasting.terms.diagnosis import Diagnosis, DriverRelation
from forecasting.terms.errors import Excuse
from forecasting.terms.history import MetricKind, Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

MINIMUM_DAYS = 60
"""Days with both a known badness and a value of the driver, below which nothing is said."""
MINIMUM_PERMUTATIONS = 2000
_PERMUTATIONS_PER_DRIVER = 200
"""The smallest p-value is 0.005 after Holm's correction, however many drivers there are."""
_WORST = 0.2
_FEWEST_WORST, _LARGEST_WORST = 8, 0.4
"""Ties may move the worst fifth between these: so many days at least, this share of the days at most."""
_KNOWN_OF_DAY = 0.75
"""A day's highest and lowest value need this share of its slices; a day's sum needs all."""

Direction = Literal["above", "below"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A driver that may go with bad days, with its series."""

    name: str
    label: str
    series: Series
    known_ahead: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class DailyDriver:
    """A candidate as values per local day; NaN where not known."""

    candidate: Candidate
    highest: Floats
    """Shape (days,): the day's highest value (of a count: its sum)."""
    lowest: Floats
    """Shape (days,): the day's lowest value (of a count: its sum)."""


def covariates_of(catalogue: Catalogue, service: str) -> tuple[Covariate, ...]:
    """Return the covariates that act on a service: its own, and those of every service it depends on, however far.

    Examples
    --------
    >>> from forecasting.terms.catalogue import Service
    >>> services = {"a": Service(name="a", depends_on=("b",)), "b": Service(name="b", depends_on=("c",)),
    ...             "c": Service(name="c"), "d": Service(name="d")}
    >>> wind = tuple(Covariate(name=f"wind-{s}", service=s, metric="wind") for s in services)
    >>> [c.name for c in covariates_of(Catalogue(name="x", services=services, covariates=wind), "a")]
    ['wind-a', 'wind-b', 'wind-c']
    """
    reached: list[str] = [service]
    for name in reached:
        known = catalogue.services.get(name)
        reached.extend(other for other in (known.depends_on if known else ()) if other not in reached)
    return tuple(c for name in reached for c in catalogue.covariates if c.service == name)


def daily_driver(candidate: Candidate, badness: DailyBadness, zone: str) -> DailyDriver | Excuse:
    """Lay a candidate on the day axis of a badness.

    Parameters
    ----------
    candidate : Candidate
        Its values after the last day of `badness` are not looked at.
    badness : DailyBadness
    zone : str
        IANA zone of the days of `badness`; a series of whole days keeps the zone it was cut in.

    Returns
    -------
    DailyDriver or Excuse
        A count adds up and needs all slices of the day; anything else gives its highest and its lowest value and needs
        three quarters of them.

    Examples
    --------
    >>> from datetime import UTC, date, datetime
    >>> from forecasting.terms.history import Metric
    >>> from forecasting.terms.service_level import RatioIndicator
    >>> badness = DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...     first_day=date(2027, 3, 1), bad=np.ones(2), total=np.full(2, 9.0), known=np.ones(2, dtype=bool),
    ...     slices_per_day=4.0)
    >>> wind = Series(service="a", metric=Metric(name="wind", kind=MetricKind.NON_NEGATIVE), step=timedelta(hours=6),
    ...     start=datetime(2027, 3, 1, tzinfo=UTC), values=np.array([1.0, 9, 2, 3, 4, 5, np.nan, np.nan]))
    >>> found = daily_driver(Candidate(name="wind", label="Wind", series=wind), badness, "UTC")
    >>> found.highest, found.lowest
    (array([ 9., nan]), array([ 1., nan]))
    """
    series = candidate.series
    if series.step > timedelta(days=1):
        return Excuse(
            reason=f"{candidate.name} is measured every {series.step.days} days",
            what_would_help="daily or finer data",
        )
    local = to_local(slice_starts(series), series.zone if is_local_days(series.step) else zone)
    day = (local.astype("datetime64[D]") - np.datetime64(badness.first_day)).astype(np.int64)
    inside = (day >= 0) & (day < badness.days)
    day, values = day[inside], series.values[inside]
    seen = np.isfinite(values)
    known = np.bincount(day[seen], minlength=badness.days)
    per_day = max(round(timedelta(days=1) / series.step), 1)
    summed = series.metric.kind is MetricKind.COUNT
    highest = np.full(badness.days, np.nan)
    lowest = np.full(badness.days, np.nan)
    if summed:
        # A day of 23 hours has fewer slices; the grid has no holes, so only its ends can lack some.
        slices = np.bincount(day, minlength=badness.days)
        whole = (known == slices) & (slices * (series.step / timedelta(hours=1)) >= 23)
        highest[whole] = np.bincount(day[seen], weights=values[seen], minlength=badness.days)[whole]
        lowest = highest
    else:
        np.fmax.at(highest, day[seen], values[seen])
        np.fmin.at(lowest, day[seen], values[seen])
        few = known < _KNOWN_OF_DAY * per_day
        highest[few] = lowest[few] = np.nan
    return DailyDriver(candidate=candidate, highest=highest, lowest=lowest)


def diagnose(badness: DailyBadness, drivers: Sequence[DailyDriver | tuple[str, Excuse]], *, seed: int) -> Diagnosis:
    """Say how the bad share of past days went with each driver. An association, not a cause.

    Parameters
    ----------
    badness : DailyBadness
        Of one objective, complete days before the cut-off only.
    drivers : sequence
        From `daily_driver` on the same badness; an excuse is passed on under its name.
    seed : int
        Of the shuffles; the same seed gives the same p-values.

    Returns
    -------
    Diagnosis
        Smallest p-value first; drivers with fewer than 60 days are declined.

    Examples
    --------
    >>> from datetime import UTC, date, datetime
    >>> from forecasting.terms.history import Metric
    >>> from forecasting.terms.service_level import RatioIndicator
    >>> storm = np.random.default_rng(1).random(140) < 0.2
    >>> badness = DailyBadness(service="a", group="g", indicator=RatioIndicator(total="calls", bad="lost"),
    ...     first_day=date(2027, 3, 1), bad=np.where(storm, 30.0, 10.0), total=np.full(140, 100.0),
    ...     known=np.ones(140, dtype=bool), slices_per_day=1.0)
    >>> wind = Series(service="a", metric=Metric(name="wind", kind=MetricKind.NON_NEGATIVE, unit="km/h"),
    ...     start=datetime(2027, 3, 1, tzinfo=UTC), step=timedelta(days=1), values=np.where(storm, 60.0, 20.0))
    >>> driver = daily_driver(Candidate(name="wind", label="Wind", series=wind), badness, "UTC")
    >>> found = diagnose(badness, [driver], seed=1).relations[0]
    >>> found.direction, found.threshold, found.bad_share_worst, found.bad_share_rest, found.significant
    ('above', 60.0, 0.3, 0.1, True)
    """
    declined: list[tuple[str, Excuse]] = []
    relations: list[DriverRelation] = []
    count = max(MINIMUM_PERMUTATIONS, _PERMUTATIONS_PER_DRIVER * len(drivers))
    for driver in drivers:
        if isinstance(driver, tuple):
            declined.append(driver)
            continue
        answer = _relation(badness, driver, count, seed)
        if isinstance(answer, Excuse):
            declined.append((driver.candidate.name, answer))
        else:
            relations.append(answer)
    adjusted = holm([r.p_single for r in relations])
    found = [replace(r, p_value=p, statement=_statement(r, p)) for r, p in zip(relations, adjusted, strict=True)]
    found.sort(key=lambda r: (r.p_value, -r.excess_share, r.driver))
    return Diagnosis(relations=tuple(found), declined=tuple(declined))


def _relation(badness: DailyBadness, driver: DailyDriver, count: int, seed: int) -> DriverRelation | Excuse:
    """Return one driver's relation, its p-value not yet corrected."""
    name = driver.candidate.name
    both = badness.known & np.isfinite(driver.highest)
    days = int(both.sum())
    if days < MINIMUM_DAYS:
        return Excuse(
            reason=f"{days} days with both a known service level and {name}, {MINIMUM_DAYS} needed",
            what_would_help=f"{MINIMUM_DAYS - days} more days of both",
        )
    bad, total = np.where(both, badness.bad, 0.0), np.where(both, badness.total, 0.0)
    if not 0 < bad.sum() < total.sum():
        return Excuse(reason=f"no day differs from another in {days} days", what_would_help="days of both kinds")
    sides: list[tuple[Direction, Floats, Flags]] = []
    for direction, values in (("above", driver.highest), ("below", driver.lowest)):
        worst = worst_fifth(values, both, direction)  # type: ignore[arg-type]
        if worst is not None:
            sides.append((direction, values, worst))  # type: ignore[arg-type]
    if not sides:
        return Excuse(
            reason=f"{name} has the same value on most of {days} days, so no fifth of them stands out",
            what_would_help="days that differ more",
        )
    span = np.flatnonzero(both)
    kept = slice(int(span[0]), int(span[-1]) + 1)
    beyond = bad - total * local_level(bad, total)
    p, side = block_p_value(beyond[kept], total[kept], [worst[kept] for _, _, worst in sides], both[kept], count, seed)
    direction, values, worst = sides[side]
    metric = driver.candidate.series.metric
    share_worst, share_rest = bad[worst].sum() / total[worst].sum(), bad[~worst].sum() / total[~worst].sum()
    return DriverRelation(
        driver=name,
        label=driver.candidate.label or name,
        service=driver.candidate.series.service,
        metric=metric.name,
        unit=metric.unit,
        daily="sum" if metric.kind is MetricKind.COUNT else "max" if direction == "above" else "min",
        direction=direction,
        threshold=float(values[worst].min() if direction == "above" else values[worst].max()),
        days=days,
        worst_days=int(worst.sum()),
        bad_share_worst=float(share_worst),
        bad_share_rest=float(share_rest),
        excess_share=float(max((share_worst - share_rest) * total[worst].sum() / bad.sum(), 0.0)),
        correlation=rank_correlation(values[both], bad[both] / total[both], total[both]),
        p_single=p,
        p_value=p,
        known_ahead=driver.candidate.known_ahead,
        statement="",
    )


def worst_fifth(values: Floats, known: Flags, direction: Direction) -> Flags | None:
    """Mark the fifth of the known days with the highest (or lowest) values; None where ties leave none that stands out.

    Days of one value stay together: they are all in or all out, whichever comes nearer to a fifth.

    Examples
    --------
    >>> rain = np.array([0.0] * 45 + [2.0] * 5 + [7.0] * 10)
    >>> int(worst_fifth(rain, np.ones(60, dtype=bool), "above").sum())
    10
    >>> worst_fifth(rain, np.ones(60, dtype=bool), "below") is None
    True
    """
    size = np.where(known, values if direction == "above" else -values, -np.inf)
    days = int(known.sum())
    wanted = _WORST * days
    edge = np.sort(size[known])[days - max(round(wanted), 1)]
    options = [size >= edge, size > edge]
    best = min(options, key=lambda flags: abs(int(flags.sum()) - wanted))
    return best if _FEWEST_WORST <= int(best.sum()) <= _LARGEST_WORST * days else None


_OF_DAY = {"sum": "the day's sum", "max": "the day's highest", "min": "the day's lowest"}


def _statement(r: DriverRelation, p: float) -> str:
    """Say a relation in one sentence, without a claim about causes."""
    at = f"{r.threshold:g} {r.unit}".strip() + (" or more" if r.direction == "above" else " or less")
    return (
        f"On the {r.worst_days} of {r.days} days with {r.label} ({_OF_DAY[r.daily]}) at {at} "
        f"{r.bad_share_worst:.1%} of the events were bad, on the others {r.bad_share_rest:.1%}; "
        f"{r.excess_share:.0%} of all bad events are the difference (p = {p:.3f})."
    )
