"""How often were we right: past windows predicted with what was known then, beside simpler rules, and scored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from forecasting.early_warning.score import replay_policy
from forecasting.history.intervals import micros
from forecasting.service_levels.breach.baselines import Asked, Past, state_baselines
from forecasting.service_levels.breach.evaluate import evaluate
from forecasting.service_levels.windows import closed_periods
from forecasting.terms.alarm import AlarmPolicy
from forecasting.terms.breach import AlarmScore, BreachRisk, RiskScore
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.service_level import Attainment, AttainmentStatus, CalendarWindow, Period, Window
from forecasting.terms.settings import Settings
from forecasting.terms.track_record import Statement, horizon_name
from forecasting.workflows.composite_risk import Simulation, missing_part, promise_risks
from forecasting.workflows.fleet import build_fleet, part_of
from forecasting.workflows.outlook import attainments_of, without_validity
from forecasting.workflows.prepare import Prepared, Promise
from forecasting.workflows.replayed_events import replayed_events

WARM_DAYS = 90
"""Days of history before the first replayed statement."""
CALIBRATING_SHARE = 3
"""One window in so many, the oldest ones, calibrates and is not scored."""
LONGEST_AHEAD = timedelta(days=400)
"""Windows are stated ahead as far as this at most."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """At which instants past windows are stated again.

    Examples
    --------
    >>> Protocol(elapsed=(0.0, 0.5), ahead=2).horizons
    (-2.0, -1.0, 0.0, 0.5)
    """

    elapsed: tuple[float, ...]
    """Elapsed shares of a window, 0 to below 1."""
    ahead: int
    """Windows ahead that are stated at a window's first instant, where 0 is among the elapsed shares."""
    most_times: int | None = None
    """Decision times replayed at most, the latest ones; None = all."""

    def __post_init__(self) -> None:
        """Refuse what is no share or no number of windows."""
        wrong = [e for e in self.elapsed if not 0 <= e < 1]
        if wrong or not self.elapsed:
            raise InputError(
                argument="elapsed", came=wrong or "nothing", allowed="shares of a window, from 0 to below 1",
                try_instead="0 0.25 0.5 0.75",
            )  # fmt: skip
        if not 0 <= self.ahead <= 12:
            raise InputError(argument="ahead", came=self.ahead, allowed="0 to 12 windows", try_instead="4")

    @property
    def horizons(self) -> tuple[float, ...]:
        """Elapsed shares, and windows ahead as negative numbers, rising."""
        ahead = [-float(k) for k in range(1, self.ahead + 1)] if 0.0 in self.elapsed else []
        return tuple(sorted({*self.elapsed, *ahead}))

    def words(self) -> str:
        """Say what is replayed."""
        inside = ", ".join(horizon_name(e).removesuffix(" %") for e in self.horizons if e >= 0)
        ahead = sum(e < 0 for e in self.horizons)
        before = f" and, at its first instant, for the {ahead} windows after it" if ahead > 1 else (
            " and, at its first instant, for the window after it" if ahead else ""
        )  # fmt: skip
        latest = "" if self.most_times is None else f"; the latest {self.most_times} decision times at most"
        return (
            f"Each past window is stated at {inside} % of its length{before}, with the data up to then: what is learnt "
            f"is learnt anew{latest}. The first third of the windows, and {WARM_DAYS} days, calibrate and are not "
            "scored; outcomes that arithmetic had decided by then are left out. Climatology is the past miss rate of "
            "all windows at the same horizon"
        )


FULL = Protocol(elapsed=(0.0, 0.1, 0.25, 0.5, 0.75, 0.9), ahead=4)
"""What ``score-risk`` replays."""
IN_PLAN = Protocol(elapsed=(0.0, 0.25, 0.5, 0.75), ahead=1, most_times=48)
"""What every plan replays: as much as bounds its time."""
ELAPSED = IN_PLAN.elapsed
PROTOCOL = IN_PLAN.words()


def silent(stage: str) -> None:
    """Show no progress."""


def replay(
    promises: Sequence[Promise],
    catalogue: Catalogue,
    *,
    as_of: datetime,
    settings: Settings,
    protocol: Protocol = IN_PLAN,
    services: Collection[str] | None = None,
    treated: Collection[tuple[str, str, str, str]] = (),
    progress: Callable[[str], None] = silent,
) -> tuple[Statement, ...]:
    """State the risk of closed windows again, each statement with the data before it only.

    Judged are the objectives of agreements, and those outside any agreement on whose indicator no agreement speaks. At
    a decision time one fleet is prepared for all promises, as in a run of that day, whatever `services` asks for.

    Parameters
    ----------
    promises : sequence of Promise
    catalogue : Catalogue
    as_of : datetime
        Only windows closed by then are stated.
    settings : Settings
        `replay_paths` paths are drawn for each statement.
    protocol : Protocol
    services : collection of str or None
        Services whose statements are made; None takes all.
    treated : collection of (service, agreement or empty, objective, window label)
        Windows of which somebody acted upon a warning.
    progress : callable
        Told of each decision time.

    Returns
    -------
    tuple of Statement
        By decision time; of windows that ended met or missed, decided or not when they were stated.
    """
    whole = [without_validity(p) for p in promises if p.excuse is None]
    asked = _questions([p for p in whole if _judged(p, whole)], services, as_of=as_of, protocol=protocol)
    if not asked:
        return ()
    stated, is_open = state_baselines([(a.past, a.asked) for a in asked], [_kind(a.promise) for a in asked])
    times = _times(asked, protocol.most_times)
    found: list[Statement] = []
    for number, (at, due) in enumerate(times, 1):
        progress(f"{at:%Y-%m-%d}, {number} of {len(times)}")
        for k, where, risk in _risks(whole, catalogue, asked, at, due, settings):
            one = asked[k]
            verdict = one.windows[int(one.asked.window[where])]
            found.append(
                Statement(
                    service=one.promise.objective.service,
                    agreement=one.promise.agreement.id if one.promise.agreement else None,
                    objective=one.promise.objective.name,
                    tier=catalogue.services[one.promise.objective.service].tier,
                    kind=_kind(one.promise),
                    period=verdict.period,
                    at=at,
                    elapsed=float(one.asked.elapsed[where]),
                    probability=risk.probability,
                    breached=verdict.status is AttainmentStatus.BREACHED,
                    decided=risk.decided or not bool(is_open[k][where]),
                    expected_cost=risk.expected_credit + risk.expected_loss,
                    currency=risk.currency,
                    baselines=tuple((name, float(p[where])) for name, p in stated[k].items()),
                    candidates=risk.candidates,
                    treated=(*one.promise.key, verdict.period.label) in treated,
                )
            )
    return tuple(found)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """The questions about one promise."""

    promise: Promise
    windows: tuple[Attainment, ...]
    past: Past
    asked: Asked
    times: tuple[datetime, ...]
    scored: tuple[bool, ...]
    """Whether the model is asked too; the other questions calibrate the baselines."""


def _judged(promise: Promise, whole: Sequence[Promise]) -> bool:
    """Say whether a promise has statements of its own: where an agreement speaks, an SLO beside it does not."""
    mine = promise.objective
    return promise.agreement is not None or not any(
        p.agreement is not None and (p.objective.service, p.objective.indicator) == (mine.service, mine.indicator)
        for p in whole
    )


def _kind(promise: Promise) -> str:
    """Name the windows of a promise."""
    window = promise.objective.window
    if isinstance(window, CalendarWindow):
        return window.unit if window.count == 1 else f"{window.count} {window.unit}s"
    return f"{window.length / timedelta(days=1):g}d"


def _questions(
    judged: Sequence[Promise], services: Collection[str] | None, *, as_of: datetime, protocol: Protocol
) -> list[_Asked]:
    """Lay out every question: each promise, closed window and horizon."""
    windows: dict[Window, list[Promise]] = {}
    for promise in judged:
        windows.setdefault(promise.objective.window, []).append(promise)
    found = []
    for window, members in windows.items():
        first = min(replayed_events(p)[1].series.start for p in members)
        periods = closed_periods(window, since=first - timedelta(hours=26), as_of=as_of)
        if not periods:
            continue
        calibrating = len(periods) // CALIBRATING_SHARE
        since = max(periods[calibrating].start, first + timedelta(days=WARM_DAYS))
        found += [_ask(p, periods, since, services, as_of=as_of, protocol=protocol) for p in members]
    return [a for a in found if len(a.asked)]


def _ask(
    promise: Promise,
    periods: Sequence[Period],
    since: datetime,
    services: Collection[str] | None,
    *,
    as_of: datetime,
    protocol: Protocol,
) -> _Asked:
    """Ask about one promise: every closed window with a verdict, at every horizon at which there were data."""
    objective, events, counted = replayed_events(promise)
    grace = promise.agreement.grace if promise.agreement else timedelta(0)
    verdicts = attainments_of(promise, periods, as_of=as_of)
    rows: list[tuple[datetime, int, float, bool]] = []
    wanted = services is None or promise.objective.service in services
    for number, verdict in enumerate(verdicts):
        if verdict.status not in (AttainmentStatus.MET, AttainmentStatus.BREACHED):
            continue
        for horizon in protocol.horizons:
            origin = number + min(0, round(horizon))
            if origin < 0:
                continue
            period = periods[origin]
            at = period.start + max(0.0, horizon) * (period.end - period.start)
            if at > events.series.start and (horizon >= 0 or verdict.period.end - at <= LONGEST_AHEAD):
                # Strictly after the calibrating windows: a statement ahead is made in a scored window too.
                rows.append((at, number, horizon, wanted and at >= since))
    return _Asked(
        promise=promise,
        windows=verdicts,
        past=Past.of(objective, events, counted, verdicts, grace=grace, as_of=as_of),
        asked=Asked(
            at=np.array([micros(at) for at, *_ in rows], dtype=np.int64),
            window=np.array([number for _, number, *_ in rows], dtype=np.int64),
            elapsed=np.array([horizon for _, _, horizon, _ in rows], dtype=np.float64),
        ),
        times=tuple(at for at, *_ in rows),
        scored=tuple(scored for *_, scored in rows),
    )


def _times(asked: Sequence[_Asked], most: int | None) -> list[tuple[datetime, list[tuple[int, int]]]]:
    """Return the decision times with what is asked at each: (number of the promise, number of its question)."""
    due: dict[datetime, list[tuple[int, int]]] = {}
    for k, one in enumerate(asked):
        for where, (at, scored) in enumerate(zip(one.times, one.scored, strict=True)):
            if scored:
                due.setdefault(at, []).append((k, where))
    times = sorted(due.items())
    return times if most is None else times[-most:]


def _risks(
    whole: Sequence[Promise],
    catalogue: Catalogue,
    asked: Sequence[_Asked],
    at: datetime,
    due: Iterable[tuple[int, int]],
    settings: Settings,
) -> Iterator[tuple[int, int, BreachRisk]]:
    """Make the statements of one decision time."""
    questions: dict[int, list[int]] = {}
    for k, where in due:
        questions.setdefault(k, []).append(where)
    periods = {
        k: {asked[k].windows[int(asked[k].asked.window[w])].period: w for w in places}
        for k, places in questions.items()
    }
    until = max(p.end for some in periods.values() for p in some)
    # As in a run of that day, every promise is there with the windows of its kind, whoever is asked about.
    of_kind: dict[Window, set[Period]] = {}
    for k, windows in periods.items():
        of_kind.setdefault(asked[k].promise.objective.window, set()).update(windows)
    fleet = build_fleet(
        [p.asked(tuple(sorted(of_kind.get(p.objective.window, ())))) for p in whole],
        catalogue,
        as_of=at,
        until=until,
        settings=settings,
        paths=settings.replay_paths,
    )
    simulation = Simulation(fleet, demand=None)
    for k in sorted(periods, key=lambda k: part_of(asked[k].promise.objective)):
        promise = asked[k].promise.asked(tuple(sorted(periods[k])))
        if missing_part(promise, fleet) is not None:
            continue
        known = int((asked[k].past.known_at <= micros(at)).sum())
        risks = promise_risks(promise, simulation, windows_known=known, basis="")
        assert not isinstance(risks, Excuse), "its parts are there"
        for period, risk in zip(promise.coming, risks, strict=True):
            yield k, periods[k][period], risk


@dataclass(frozen=True, kw_only=True)
class Record:
    """The track record of a run."""

    score: RiskScore | Excuse
    alarms: AlarmScore | None
    """How warnings at the run's threshold would have done; None where the statements could not be scored."""
    statements: tuple[Statement, ...]


def track_record(
    prepared: Prepared,
    *,
    protocol: Protocol = IN_PLAN,
    services: Collection[str] | None = None,
    treated: Collection[tuple[str, str, str, str]] = (),
    strata: bool = True,
    progress: Callable[[str], None] = silent,
) -> Record:
    """Replay the past of a prepared run and score it.

    Parameters
    ----------
    prepared : Prepared
    protocol : Protocol
    services, treated, progress
        See `replay`.
    strata : bool
        Whether horizons, tiers, decided and treated statements are scored apart.
    """
    settings = prepared.settings
    statements = replay(
        prepared.promises,
        prepared.catalogue,
        as_of=prepared.as_of,
        settings=settings,
        protocol=protocol,
        services=services,
        treated=treated,
        progress=progress,
    )
    progress("scores")
    score = evaluate(
        statements, protocol=protocol.words(), seed=settings.seed, paths=settings.replay_paths, strata=strata
    )
    policy = AlarmPolicy(raise_at=settings.warn_at, required_lead_days=settings.required_lead_days)
    alarms = None if isinstance(score, Excuse) else replay_policy(statements, policy, thresholds=()).score
    return Record(score=score, alarms=alarms, statements=statements)
