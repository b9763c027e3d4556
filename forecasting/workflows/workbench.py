"""The back-testing workbench: many series, rolling origins, several ways of forecasting, one league table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from forecasting.forecasts.context import seasons_of
from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.league import (
    LEAGUE_LEVELS,
    REFERENCE,
    EntryForecasts,
    Outcomes,
    most_frequent,
    naive_entry,
    rolling_origins,
    score_league,
)
from forecasting.history.calendar import series_end
from forecasting.ports import Executor
from forecasting.terms.covariate import Event
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.league import League
from forecasting.terms.settings import Settings

DEFAULT = "default"
"""Entry that is the stage's own way: all models of the caller's settings, its choice, its combination."""
LEAST_ORIGINS = 3
"""Rolling origins asked for at least."""

Pool = Literal["cut_off", "all"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """Everything that was forecast, before it is scored: for figures, and for scores of one's own."""

    outcomes: Outcomes
    reference: EntryForecasts
    entries: tuple[EntryForecasts, ...]
    cut_offs: tuple[tuple[datetime | None, ...], ...]
    """UTC instant before which everything known at each origin lies, by series; None = no such origin."""
    excluded: tuple[tuple[tuple[str, str], Excuse], ...]
    data_sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """Forecasts to be made in one process, and where they belong."""

    entry: int
    task: ForecastTask
    slots: tuple[tuple[int, int], ...]
    """(series, origin) of each series of the task."""
    timer: Callable[[], float] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Answer:
    """What came of a job: quantiles instead of paths, so that little goes from process to process."""

    quantiles: tuple[NDArray[np.float64] | None, ...]
    fallback: tuple[bool, ...]
    models: tuple[str | None, ...]
    excuses: tuple[str | None, ...]
    cpu_seconds: float


def run_workbench(
    series: Sequence[Series],
    *,
    horizon: int,
    models: Sequence[str] = (DEFAULT,),
    origins: int = LEAST_ORIGINS,
    seed: int,
    countries: Sequence[str] = (),
    executor: Executor | None = None,
    timer: Callable[[], float] | None = None,
    strata: Sequence[str] = (),
    pool: Pool = "cut_off",
    n_paths: int = 500,
    batch: int = 500,
    settings: Settings | None = None,
    events: Sequence[Event] = (),
    draws: int = 2000,
) -> League:
    """Forecast every series from rolling origins in several ways and score them against seasonal naive.

    At each origin the stage is given the series as it stood then and nothing else; the back-tests, weights and
    intervals of the stage are learnt from that. The protocol is that of GIFT-Eval and fev-bench: see
    `forecasting.forecasts.league.score_league`, and `rolling_origins` for where the origins lie.

    Parameters
    ----------
    series : sequence of Series
        Histories with what came after every origin; NaN where not observed.
    horizon : int
        Slices scored at each origin.
    models : sequence of str
        Entries: names from `forecasting.forecasts.models.MODELS`, each alone on the stage (which falls back to seasonal
        naive and says so), or ``default`` for the stage as it is used.
    origins : int
        Rolling origins, 3 or more; a series too short for 3 is left out.
    seed : int
        Seed of the run.
    countries : sequence of str
        ISO 3166 code of each series; none = no public holidays.
    executor : Executor, optional
        Maps the jobs; None computes them here. The results do not depend on it.
    timer : callable, optional
        Returns CPU seconds: a module-level function such as ``time.process_time``. None records 0.
    strata : sequence of str
        Group of each series for the coverage; none = by step and kind of metric.
    pool : {"cut_off", "all"}
        Which series may be given to the stage at once, which learns across them: those with the same cut-off instant,
        so that nothing of one lies after the cut-off of another; or all, for collections whose dates do not matter to
        each other (such as the M4 competition's).
    n_paths : int
        Sample paths of each forecast.
    batch : int
        Series in one call of the stage at most.
    settings : Settings, optional
        What the stage is used with: its models are those of ``default``; its back-test origins, error half-life and
        mean block length hold for every entry. None = the defaults. Its seed, paths and jobs are not read.
    events : sequence of Event
        Planned events, used at an origin as far as they were known there.
    draws : int
        Bootstrap draws of the intervals over series.

    Returns
    -------
    League

    Raises
    ------
    InputError
        If an argument is out of range, a model unknown, or no series is long enough.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> rng = np.random.default_rng(1)
    >>> week = np.tile([50.0, 60, 60, 62, 70, 30, 20], 16)
    >>> several = [Series(service=f"s{i}", metric=Metric(name="calls", kind=MetricKind.COUNT),
    ...     start=datetime(2027, 3, 1, tzinfo=UTC), step=timedelta(days=1), values=week + rng.normal(0, 3, 112))
    ...     for i in range(4)]
    >>> league = run_workbench(several, horizon=7, models=("seasonal_median",), seed=1, n_paths=100)
    >>> league.entries, league.rows[0].gm_sql < 0.9, league.rows[1].gm_sql
    (('seasonal_median', 'seasonal_naive_gaussian'), True, 1.0)
    """
    bench = make_bench(
        series,
        horizon=horizon,
        models=models,
        origins=origins,
        seed=seed,
        countries=countries,
        executor=executor,
        timer=timer,
        strata=strata,
        pool=pool,
        n_paths=n_paths,
        batch=batch,
        settings=settings,
        events=events,
    )
    return score_league(
        bench.outcomes,
        bench.reference,
        bench.entries,
        seed=seed,
        draws=draws,
        excluded=bench.excluded,
        paths=n_paths,
        data_sha256=bench.data_sha256,
    )


def make_bench(
    series: Sequence[Series],
    *,
    horizon: int,
    models: Sequence[str] = (DEFAULT,),
    origins: int = LEAST_ORIGINS,
    seed: int,
    countries: Sequence[str] = (),
    executor: Executor | None = None,
    timer: Callable[[], float] | None = None,
    strata: Sequence[str] = (),
    pool: Pool = "cut_off",
    n_paths: int = 500,
    batch: int = 500,
    settings: Settings | None = None,
    events: Sequence[Event] = (),
) -> Bench:
    """Return the forecasts and the outcomes that `run_workbench` scores; parameters and errors are the same.

    It takes 8 · series · origins · 15 · horizon bytes for each entry: 17 MB for 1,000 series, 3 origins, 48 steps.

    Examples
    --------
    >>> from datetime import UTC
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> one = Series(service="a", metric=Metric(name="calls", kind=MetricKind.COUNT),
    ...     start=datetime(2027, 3, 1, tzinfo=UTC), step=timedelta(days=1), values=np.arange(60.0))
    >>> bench = make_bench([one], horizon=5, models=("trend",), seed=1, n_paths=50)
    >>> bench.entries[0].quantiles.shape, [f"{at:%d %b}" for at in bench.cut_offs[0]]
    ((1, 3, 15, 5), ['15 Apr', '20 Apr', '25 Apr'])
    """
    names, used = tuple(models), settings or Settings()
    groups = tuple(strata) or tuple(_stratum(one) for one in series)
    codes = tuple(countries) or ("",) * len(series)
    _check(series, horizon, names, origins, codes, groups, batch, pool)
    seasons = [(*seasons_of(one.step), 1)[0] for one in series]
    places = [rolling_origins(len(one), horizon, m, origins) for one, m in zip(series, seasons, strict=True)]
    excuses = [_too_short(one, at, horizon, m) for one, at, m in zip(series, places, seasons, strict=True)]
    kept = [i for i, excuse in enumerate(excuses) if excuse is None]
    if not kept:
        raise InputError(
            argument="series",
            came=f"{len(series)} series, none with {LEAST_ORIGINS} origins",
            allowed="one series at least that is long enough",
            try_instead=next((e.what_would_help for e in excuses if e is not None), "a list of series"),
        )
    pasts = [[_truncated(series[i], known) for known in places[i]] for i in kept]
    reference, scales = naive_entry(
        [[past.values for past in parts] for parts in pasts], [seasons[i] for i in kept], horizon, origins
    )
    actual = np.full((len(kept), origins, horizon), np.nan)
    for row, i in enumerate(kept):
        for slot, known in enumerate(places[i], start=origins - len(places[i])):
            actual[row, slot] = series[i].values[known : known + horizon]
    parts = _parts(pasts, origins, pool, batch)
    jobs = [
        _Job(
            entry=entry,
            task=_task(name, [pasts[row][slot - origins] for row, slot in part], horizon, seed, n_paths, used,
                       tuple(codes[kept[row]] for row, _ in part), tuple(events)),
            slots=tuple(part),
            timer=timer,
        )
        for entry, name in enumerate(names)
        for part in parts
    ]  # fmt: skip
    answers = [_work(job) for job in jobs] if executor is None else executor.map(_work, jobs)
    return Bench(
        outcomes=Outcomes(
            series=tuple((series[i].service, series[i].metric.name) for i in kept),
            strata=tuple(groups[i] for i in kept),
            actual=actual,
            scales=scales,
        ),
        reference=reference,
        entries=_collect(names, jobs, answers, actual.shape),
        cut_offs=tuple((None,) * (origins - len(p)) + tuple(series_end(past) for past in p) for p in pasts),
        excluded=tuple(
            ((one.service, one.metric.name), excuse)
            for one, excuse in zip(series, excuses, strict=True)
            if excuse is not None
        ),
        data_sha256=_hash(series),
    )


def _check(
    series: Sequence[Series],
    horizon: int,
    names: Sequence[str],
    origins: int,
    countries: Sequence[str],
    strata: Sequence[str],
    batch: int,
    pool: str,
) -> None:
    """Refuse arguments that do not fit."""
    for argument, came, least in (("horizon", horizon, 1), ("origins", origins, LEAST_ORIGINS), ("batch", batch, 1)):
        if came < least:
            raise InputError(argument=argument, came=came, allowed=f"{least} or more", try_instead=str(least))
    if not names or len(set(names)) < len(names) or REFERENCE in names:
        raise InputError(
            argument="models",
            came=tuple(names),
            allowed=f"one name at least, each once; {REFERENCE} always runs by itself",
            try_instead=f"({DEFAULT!r}, 'seasonal_naive')",
        )
    for argument, texts in (("countries", countries), ("strata", strata)):
        if len(texts) != len(series):
            raise InputError(
                argument=argument,
                came=f"{len(texts)} for {len(series)} series",
                allowed="one for each series, or none",
                try_instead=f"leave {argument} out",
            )
    if pool not in ("cut_off", "all"):
        raise InputError(argument="pool", came=pool, allowed="cut_off or all", try_instead="cut_off")


def _stratum(series: Series) -> str:
    """Step and kind of a series in words, such as ``1 h count``."""
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1))):
        if series.step % length == timedelta(0):
            return f"{series.step // length} {unit} {series.metric.kind.value}"
    return f"{series.step.total_seconds():g} s {series.metric.kind.value}"


def _too_short(series: Series, origins: Sequence[int], horizon: int, season: int) -> Excuse | None:
    """Why a series cannot be scored, or None."""
    if len(origins) >= LEAST_ORIGINS:
        known = ~np.isnan(series.values)
        if not known[: origins[0]].any():
            return Excuse(reason="nothing observed before the first origin", what_would_help="a longer history")
        if not any(known[o : o + horizon].any() for o in origins):
            return Excuse(reason="nothing observed after any origin", what_would_help="newer data")
        return None
    # The distance between origins may grow by one so as not to be a multiple of the season.
    need = max(2 * season, 8) + horizon + 2 * (LEAST_ORIGINS - 1)
    return Excuse(
        reason=f"{len(series)} slices, too few for {LEAST_ORIGINS} origins with {horizon} slices ahead",
        what_would_help=f"{need} slices of history at least, or a shorter horizon",
    )


def _truncated(series: Series, known: int) -> Series:
    """The series as it was after `known` slices: a copy, behind which nothing of the future can be found."""
    values = series.values[:known].copy()
    values.setflags(write=False)
    return Series(
        service=series.service,
        metric=series.metric,
        start=series.start,
        step=series.step,
        values=values,
        zone=series.zone,
    )


def _parts(pasts: Sequence[Sequence[Series]], origins: int, pool: Pool, batch: int) -> list[list[tuple[int, int]]]:
    """(series, origin) that go to the stage together: of one step and origin, and where asked of one cut-off."""
    together: dict[tuple[int, timedelta, datetime | None], list[tuple[int, int]]] = {}
    for row, parts in enumerate(pasts):
        for slot, past in enumerate(parts, start=origins - len(parts)):
            key = (slot, past.step, series_end(past) if pool == "cut_off" else None)
            together.setdefault(key, []).append((row, slot))
    return [slots[first : first + batch] for slots in together.values() for first in range(0, len(slots), batch)]


def _task(
    name: str,
    pasts: Sequence[Series],
    horizon: int,
    seed: int,
    n_paths: int,
    settings: Settings,
    countries: tuple[str, ...],
    events: tuple[Event, ...],
) -> ForecastTask:
    """What the stage is asked, as a plan with these settings asks it."""
    return ForecastTask(
        series=tuple(pasts),
        horizon=horizon,
        models=settings.models if name == DEFAULT else (name,),
        countries=countries,
        n_paths=n_paths,
        seed=seed,
        origins=settings.origins,
        half_life_days=settings.error_half_life_days,
        mean_block_days=settings.mean_block_days,
        events=events,
    )


def _work(job: _Job) -> _Answer:
    """Do one job; only this is timed."""
    begun = 0.0 if job.timer is None else job.timer()
    answers = forecast_batch(job.task)
    quantiles = tuple(
        np.quantile(answer.paths, LEAGUE_LEVELS, axis=0) if isinstance(answer, Forecast) else None for answer in answers
    )
    spent = 0.0 if job.timer is None else job.timer() - begun
    return _Answer(
        quantiles=quantiles,
        fallback=tuple(not isinstance(a, Forecast) or a.fallback is not None for a in answers),
        models=tuple(a.model if isinstance(a, Forecast) else None for a in answers),
        excuses=tuple(a.reason if isinstance(a, Excuse) else a.fallback for a in answers),
        cpu_seconds=spent,
    )


def _collect(
    names: Sequence[str], jobs: Sequence[_Job], answers: Sequence[_Answer], shape: tuple[int, ...]
) -> tuple[EntryForecasts, ...]:
    """Put the answers where they belong."""
    count, origins, horizon = shape
    entries = []
    for entry, name in enumerate(names):
        quantiles = np.full((count, origins, len(LEAGUE_LEVELS), horizon), np.nan)
        cpu, fallback = np.zeros((count, origins)), np.zeros((count, origins), dtype=np.bool_)
        models: list[str] = []
        excuses: list[str] = []
        for job, answer in zip(jobs, answers, strict=True):
            if job.entry != entry:
                continue
            models += [model for model in answer.models if model is not None]
            excuses += [excuse for excuse in answer.excuses if excuse is not None]
            for k, (row, slot) in enumerate(job.slots):
                made = answer.quantiles[k]
                if made is not None:
                    quantiles[row, slot] = made
                cpu[row, slot] = answer.cpu_seconds / len(job.slots)
                fallback[row, slot] = answer.fallback[k]
        entries.append(
            EntryForecasts(
                name=name,
                quantiles=quantiles,
                cpu_seconds=cpu,
                fallback=fallback,
                answered_by=most_frequent(models),
                excuses=most_frequent(excuses),
            )
        )
    return tuple(entries)


def _hash(series: Sequence[Series]) -> str:
    """SHA-256 over names, times and values."""
    digest = sha256()
    for one in series:
        head = (one.service, one.metric.name, one.start.isoformat(), str(one.step), one.zone, str(len(one)))
        digest.update("\x1f".join(head).encode())
        # Every NaN the same: its bits have no meaning.
        digest.update(np.where(np.isnan(one.values), np.nan, one.values).astype("<f8").tobytes())
    return digest.hexdigest()
