"""From series to forecasts by the pooled model, a group and a partition at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._marginals import at_levels
from forecasting.forecasts._pool_answer import POOLED, finished
from forecasting.forecasts._pool_check import HeldOut
from forecasting.forecasts._pool_group import Group
from forecasting.forecasts._pool_prepare import LEAST_LEARNT, PoolTask, Prepared, declines, extra_members, prepare_all
from forecasting.forecasts._pool_state import pack, unpack
from forecasting.forecasts._threads import one_thread
from forecasting.forecasts._windows import reach_of
from forecasting.forecasts.context import seasons_of
from forecasting.forecasts.pool import PoolLearned, forecast_pool, learn_pool
from forecasting.history.calendar import series_end
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.forecast import Forecast
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = [
    "LEAST_LEARNT",
    "POOLED",
    "PoolTask",
    "forecast_pooled",
    "history_needed",
    "learn_pooled",
    "pooled_quantiles",
]

LEARN_SERIES = 1000
"""Series a group learns from, at most; the others are forecast with what these taught."""
STATE_SLICES = 2560
"""Slices of a series that are kept with a state, roughly, at most: 10 kB as float32."""
PARTITION = 1000
"""Series forecast at once, at most, so that memory does not grow with their number."""
PARTITION_CELLS = 60_000_000
"""Windows times slices ahead times members of a partition, roughly, at most."""


def forecast_pooled(task: PoolTask) -> tuple[Forecast | Excuse, ...]:
    """Forecast every series of a task with the pooled model, in order.

    Series are grouped by their step; each group learns across its series unless the task brings what was learnt.
    Results depend on the other series of the task, not on their order.
    """
    import sklearn.ensemble  # noqa: F401  loaded before the number of threads is limited, which is for what is loaded

    with one_thread():
        return _forecast_pooled(task)


def _forecast_pooled(task: PoolTask) -> tuple[Forecast | Excuse, ...]:
    found: dict[int, Forecast | Excuse] = {}
    known = unpack(task.learned) if task.learned is not None else None
    for step, places in _by_step(task, found).items():
        lesson = _lesson(task, step, places, known)
        if isinstance(lesson, Excuse):
            found |= dict.fromkeys(places, lesson)
            continue
        learned, held = lesson.learned, lesson.held
        for part in _partitions(places, task.horizon, len(learned.names)):
            same = part == lesson.places
            prepared = lesson.prepared if same else prepare_all(task, part)
            reach = task.horizon + max(p.stale for p in prepared)
            answers = forecast_pool(
                [p.pool for p in prepared],
                learned,
                horizon=reach,
                seed=task.seed,
                held=[held.get(p.place) for p in prepared],
                extra=extra_members(task, prepared) if task.extra else None,
                group=lesson.group if same and reach == task.horizon else None,
            )
            for one, answer in zip(prepared, answers, strict=True):
                found[one.place] = finished(task, one, answer, learned)
    return tuple(found[place] for place in range(len(task.series)))


def pooled_quantiles(task: PoolTask, levels: Sequence[float]) -> tuple[NDArray[np.float64] | Excuse, ...]:
    """Return only the marginal quantiles of every series, shape (horizon, len(levels)) each, without drawing paths.

    They are what the quantiles of `forecast_pooled`'s paths tend to with more paths; for tables of very many series,
    where nobody asks for sums and peaks, they cost a third.
    """
    wanted = np.asarray(levels, dtype=np.float64)
    answers = forecast_pooled(replace(task, n_paths=0))
    return tuple(a if isinstance(a, Excuse) else at_levels(a.paths, wanted) for a in answers)


def learn_pooled(task: PoolTask) -> Learned | Excuse:
    """Learn across the series of a task and return what was learnt; an excuse where no series is long enough."""
    import sklearn.ensemble  # noqa: F401  as above

    groups: dict[timedelta, PoolLearned] = {}
    declined: dict[int, Forecast | Excuse] = {}
    with one_thread():
        for step, places in _by_step(task, declined).items():
            lesson = _lesson(task, step, places, None)
            if not isinstance(lesson, Excuse):
                groups[step] = lesson.learned
    if not groups:
        return Excuse(
            reason=f"none of {len(task.series)} series has {LEAST_LEARNT} observations",
            what_would_help="more history",
        )
    digest = sha256()
    for one in task.series:
        digest.update(f"{one.service}\x1f{one.metric.name}\x1f{one.start.isoformat()}\x1f{one.step}".encode())
        digest.update(np.ascontiguousarray(one.values).tobytes())
    return pack(
        groups,
        about={
            "series": len(task.series),
            "data_sha256": digest.hexdigest(),
            "seed": task.seed,
            "data_until": max(series_end(s) for s in task.series).isoformat(),
        },
    )


def _by_step(task: PoolTask, found: dict[int, Forecast | Excuse]) -> dict[timedelta, list[int]]:
    """Places of the series the pool takes, by step; the others get their excuse in `found`."""
    groups: dict[timedelta, list[int]] = {}
    for place, series in enumerate(task.series):
        excuse = declines(series)
        if excuse is not None:
            found[place] = excuse
        else:
            groups.setdefault(series.step, []).append(place)
    names = [(s.service, s.metric.name) for s in task.series]
    return {step: sorted(places, key=lambda p: (names[p], p)) for step, places in sorted(groups.items())}


def _partitions(places: list[int], horizon: int, members: int) -> list[list[int]]:
    """Cut the places into parts that fit into memory."""
    size = max(min(PARTITION, PARTITION_CELLS // (7 * horizon * members)), 1)
    return [places[start : start + size] for start in range(0, len(places), size)]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lesson:
    """What a group learnt, with what was computed on the way."""

    learned: PoolLearned
    held: Mapping[int, HeldOut | None]
    """By place."""
    places: list[int]
    """Learnt from; empty where it was learnt earlier."""
    prepared: list[Prepared]
    group: Group | None


def _lesson(
    task: PoolTask, step: timedelta, places: list[int], known: Mapping[timedelta, PoolLearned] | None
) -> _Lesson | Excuse:
    """What a group learnt, now or earlier, and the checks of its series."""
    if known is not None:
        if step in known:
            return _Lesson(learned=known[step], held={}, places=[], prepared=[], group=None)
        return Excuse(reason=f"nothing was learnt about slices of {step}", what_would_help="learn again")
    rng = np.random.default_rng(task.seed)
    most = max(min(LEARN_SERIES, PARTITION_CELLS // (7 * task.horizon * 45)), 1)
    chosen = places if len(places) <= most else sorted(rng.choice(places, size=most, replace=False).tolist())
    prepared = prepare_all(task, chosen)
    learned, held, group = learn_pool(
        [p.pool for p in prepared],
        horizon=task.horizon,
        seasons=seasons_of(step),
        seed=task.seed,
        extra=extra_members(task, prepared) if task.extra else None,
    )
    return _Lesson(
        learned=learned,
        held=dict(zip(chosen, held, strict=True)),
        places=chosen,
        prepared=prepared,
        group=group,
    )


def history_needed(step: timedelta, horizon: int) -> int:
    """Return how many of the newest slices of a series a forecast with an earlier state needs.

    A state (`forecasting.forecasts.engine.learn`) holds what was learnt across series; of a series itself only its
    newest slices matter: the windows its members look at, and some horizons before to see how they did. Kept as float32
    they are about 10 kB a series. Measured on four sets of hourly, daily and 5-minute series, forecasts from so much
    lose at most 1.7 % against forecasts from all of the history, and less than 1 % on three of them.

    Parameters
    ----------
    step : timedelta
        Of the series.
    horizon : int
        Slices ahead, at least 1.

    Examples
    --------
    >>> history_needed(timedelta(hours=1), 48), history_needed(timedelta(days=1), 28)
    (1248, 448)
    >>> history_needed(timedelta(minutes=5), 288)
    2880
    """
    if horizon < 1:
        raise InputError(argument="horizon", came=horizon, allowed="1 or more slices", try_instead="1")
    window = reach_of(seasons_of(step))
    return window + max(min(12 * horizon, STATE_SLICES - window), 2 * horizon)
