"""Trained models at rolling origins: what a version says at each, and the errors it makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters.served_model import ServedSettings, stage_task
from forecasting.forecasts.context import seasons_of
from forecasting.forecasts.engine import ForecastTask, forecast_batch
from forecasting.forecasts.league import LEAGUE_LEVELS, EntryForecasts, most_frequent, rolling_origins
from forecasting.history.calendar import slice_bounds
from forecasting.ports import Executor
from forecasting.terms.drift import ErrorRecord
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.workflows.workbench import Bench

BENCH_PATHS = 500
"""Sample paths of each forecast that is only scored."""
MOST_WINDOWS = 26
"""Windows since a model was trained that are looked at; beyond, the latest ones."""
_MEDIAN, _LOW, _HIGH = (int(np.argmin(np.abs(LEAGUE_LEVELS - level))) for level in (0.5, 0.1, 0.9))

Timer = Callable[[], float] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Contender:
    """A model that takes part: a recipe, with the state it learnt."""

    name: str
    settings: ServedSettings
    learned: Learned | None
    trained: datetime
    """Cut-off of what the state was learnt from."""

    def state_at(self, cut_off: datetime) -> Learned | None:
        """Return the state where it knew nothing of what came at or after `cut_off`; else it has to learn anew."""
        return self.learned if self.trained <= cut_off else None


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """Series that one call of the stage forecasts, and where they belong."""

    contender: int
    task: ForecastTask
    slots: tuple[tuple[int, int], ...]
    timer: Timer


def _work(job: _Job) -> tuple[tuple[Forecast | Excuse, ...], float]:
    """Do one job, with its CPU seconds."""
    begun = 0.0 if job.timer is None else job.timer()
    answers = forecast_batch(job.task)
    return answers, 0.0 if job.timer is None else job.timer() - begun


def contender_entries(
    bench: Bench, series: Sequence[Series], contenders: Sequence[Contender], *, executor: Executor, timer: Timer = None
) -> tuple[EntryForecasts, ...]:
    """Forecast from the origins of a bench with every contender, each time from what was known then and nothing else.

    A contender answers with its own state where that was learnt before the origin; where it would know the future, it
    learns anew with its recipe from the series as they stood.

    Parameters
    ----------
    bench : Bench
        Outcomes and origins.
    series : sequence of Series
        The series the bench was made from.
    contenders : sequence of Contender
    executor : Executor
    timer : callable, optional
        Returns CPU seconds; a module-level function.
    """
    count, origins, horizon = bench.outcomes.actual.shape
    by_key = {(one.service, one.metric.name): one for one in series}
    together: dict[tuple[int, timedelta, datetime], list[tuple[int, int]]] = {}
    pasts: dict[tuple[int, int], Series] = {}
    for row, key in enumerate(bench.outcomes.series):
        one = by_key[key]
        places = rolling_origins(len(one), horizon, (*seasons_of(one.step), 1)[0], origins)
        for slot, known in enumerate(places, start=origins - len(places)):
            cut_off = bench.cut_offs[row][slot]
            assert cut_off is not None, "the bench has the same origins"
            pasts[row, slot] = shortened(one, known)
            together.setdefault((slot, one.step, cut_off), []).append((row, slot))
    jobs = [
        _Job(
            contender=number,
            task=stage_task(contender.settings, [pasts[slot] for slot in slots], horizon=horizon,
                            learned=contender.state_at(cut_off), paths=BENCH_PATHS),
            slots=tuple(slots),
            timer=timer,
        )
        for number, contender in enumerate(contenders)
        for (_, _, cut_off), slots in together.items()
    ]  # fmt: skip
    entries = []
    answers = executor.map(_work, jobs)
    for number, contender in enumerate(contenders):
        own = [(job, found) for job, found in zip(jobs, answers, strict=True) if job.contender == number]
        entries.append(_entry(contender.name, own, (count, origins, horizon)))
    return tuple(entries)


def _entry(
    name: str, done: Sequence[tuple[_Job, tuple[tuple[Forecast | Excuse, ...], float]]], shape: tuple[int, int, int]
) -> EntryForecasts:
    """Put the answers of one contender where they belong."""
    count, origins, horizon = shape
    quantiles = np.full((count, origins, len(LEAGUE_LEVELS), horizon), np.nan)
    cpu, fallback = np.zeros((count, origins)), np.zeros((count, origins), dtype=np.bool_)
    models: list[str] = []
    excuses: list[str] = []
    for job, (answers, seconds) in done:
        for place, answer in zip(job.slots, answers, strict=True):
            cpu[place] = seconds / len(answers)
            if isinstance(answer, Forecast):
                quantiles[place] = np.quantile(answer.paths, LEAGUE_LEVELS, axis=0)
                models.append(answer.model)
            trouble = answer.fallback if isinstance(answer, Forecast) else answer.reason
            if trouble is not None:
                fallback[place] = True
                excuses.append(trouble)
    return EntryForecasts(
        name=name,
        quantiles=quantiles,
        cpu_seconds=cpu,
        fallback=fallback,
        answered_by=most_frequent(models),
        excuses=most_frequent(excuses),
    )


def shortened(series: Series, known: int) -> Series:
    """Return the first `known` slices as a series of its own, behind which nothing of the future can be found."""
    from dataclasses import replace

    values = series.values[:known].copy()
    values.setflags(write=False)
    return replace(series, values=values)


def errors_of(
    actual: NDArray[np.float64], quantiles: NDArray[np.float64], scale: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return errors in units of `scale` and whether outcomes were inside the 80 % interval, one origin after the other.

    Parameters
    ----------
    actual : ndarray, shape (O, H)
    quantiles : ndarray, shape (O, len(LEAGUE_LEVELS), H)
    scale : float

    Examples
    --------
    >>> q = np.broadcast_to(LEAGUE_LEVELS[None, :, None], (1, len(LEAGUE_LEVELS), 2))
    >>> errors_of(np.array([[0.75, 0.95]]), q, 0.5)
    (array([0.5, 0.9]), array([ True, False]))
    """
    errors = np.ravel((actual - quantiles[:, _MEDIAN]) / scale)
    inside = (actual >= quantiles[:, _LOW]) & (actual <= quantiles[:, _HIGH])
    return errors, np.asarray(np.ravel(inside), dtype=np.bool_)


def errors_since(
    series: Sequence[Series], contender: Contender, scales: Sequence[float], *, horizon: int, executor: Executor
) -> tuple[tuple[ErrorRecord, tuple[datetime, ...]] | Excuse, ...]:
    """Forecast again and again from the cut-off of a trained model on, and return its errors with their times.

    Every forecast is `horizon` slices long and made from what was known at its start, with the state of the model;
    windows do not overlap, and the last one may be unfinished.

    Parameters
    ----------
    series : sequence of Series
        As they stand now.
    contender : Contender
    scales : sequence of float
        Unit of the errors of each series.
    horizon : int
    executor : Executor
    """
    starts = [_known_at(one, contender.trained) for one in series]
    jobs: list[_Job] = []
    for window in range(max((-(-(len(one) - s) // horizon) for one, s in zip(series, starts, strict=True)), default=0)):
        slots = [
            (row, window)
            for row, (one, start) in enumerate(zip(series, starts, strict=True))
            if start > 0 and start + window * horizon < len(one) and _recent(one, start, window, horizon)
        ]
        if slots:
            pasts = [shortened(series[row], starts[row] + window * horizon) for row, _ in slots]
            task = stage_task(contender.settings, pasts, horizon=horizon, paths=BENCH_PATHS,
                              learned=contender.learned)  # fmt: skip
            jobs.append(_Job(contender=0, task=task, slots=tuple(slots), timer=None))
    found: dict[int, list[tuple[NDArray[np.float64], NDArray[np.bool_], list[datetime]]]] = {}
    for job, (answers, _) in zip(jobs, executor.map(_work, jobs), strict=True):
        for (row, window), answer in zip(job.slots, answers, strict=True):
            one, first = series[row], starts[row] + window * horizon
            actual = one.values[first : first + horizon]
            if isinstance(answer, Excuse):
                continue
            quantiles = np.quantile(answer.paths, LEAGUE_LEVELS, axis=0)[:, : len(actual)]
            errors, inside = errors_of(actual[None], quantiles[None], scales[row])
            bounds = slice_bounds(answer.start, one.step, one.zone, len(actual))[:-1]
            found.setdefault(row, []).append((errors, inside, [at.replace(tzinfo=UTC) for at in bounds.tolist()]))
    return tuple(_since(found.get(row), one, starts[row]) for row, one in enumerate(series))


def _since(
    windows: Sequence[tuple[NDArray[np.float64], NDArray[np.bool_], list[datetime]]] | None, series: Series, start: int
) -> tuple[ErrorRecord, tuple[datetime, ...]] | Excuse:
    """The windows of one series as one record."""
    if windows is None:
        if start == 0:
            return Excuse(reason="nothing of it is older than the model", what_would_help="log a model of its own time")
        if start >= len(series):
            return Excuse(reason="no data since the model was trained", what_would_help="forecasting ingest")
        return Excuse(reason="no forecast could be made since", what_would_help="a longer history")
    record = ErrorRecord(
        errors=np.concatenate([errors for errors, _, _ in windows]),
        inside=np.concatenate([inside for _, inside, _ in windows]),
    )
    return record, tuple(at for _, _, times in windows for at in times)


def _known_at(series: Series, instant: datetime) -> int:
    """Slices of a series that had ended by an instant."""
    ends = slice_bounds(series.start, series.step, series.zone, len(series))[1:]
    limit = np.datetime64(instant.astimezone(UTC).replace(tzinfo=None), "us")
    return int(np.searchsorted(ends, limit, side="right"))


def _recent(series: Series, start: int, window: int, horizon: int) -> bool:
    """Whether a window is among the latest ones."""
    windows = -(-(len(series) - start) // horizon)
    return window >= windows - MOST_WINDOWS
