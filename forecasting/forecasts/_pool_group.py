"""A group of series with everything that is computed for all their windows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._error_history import error_history
from forecasting.forecasts._features import Statistics, features_of
from forecasting.forecasts._weights import past_errors, pooled_errors, weights_of
from forecasting.forecasts._windows import (
    CHUNK,
    LEAST_ORIGINS,
    MOST_ORIGINS,
    Windows,
    make_windows,
    origins_of,
    outcomes_of,
)
from forecasting.forecasts.members import all_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

ExtraMembers = Callable[[Windows], dict[str, "NDArray[np.float64]"]]

SHOWN = 20
"""Members with the least pooled error that are features of their own."""
WINDOW_ROWS = 100_000
"""Slices ahead in all windows of a group, roughly."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolSeries:
    """One series as the pool takes it."""

    name: str
    """Of the service and metric: the seed of its origins."""
    values: NDArray[np.float64]
    """Shape (n,): finite, gaps and errors of measurement filled, holidays and other effects taken out."""
    target: NDArray[np.float64]
    """Shape (n,): as `values`, but NaN where unknown or where an effect was taken out."""
    calendar: NDArray[np.float32]
    """Shape (n + H, 3): hour of the day, time of the week in days, month; NaN where the step makes no use of it."""
    first: int | None = None
    """Date of the first value in slices since a day all series share; None where dates play no part."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Windows of a group of series with everything computed from them."""

    windows: Windows
    final: NDArray[np.int64]
    """Row of the last window of each series."""
    outcomes: NDArray[np.float64]
    members: NDArray[np.float32]
    names: tuple[str, ...]
    errors: NDArray[np.float64]
    count: NDArray[np.float64]
    anchor: NDArray[np.float64]
    anchor_error: NDArray[np.float64]
    weights: NDArray[np.float64]
    pooled: NDArray[np.float64]
    history: NDArray[np.float32]


def grouped(
    series: Sequence[PoolSeries],
    horizon: int,
    seasons: tuple[int, ...],
    seed: int,
    pooled: NDArray[np.float64] | None,
    extra: ExtraMembers | None,
) -> Group:
    """Windows, members, weights and anchor of a group."""
    most = MOST_ORIGINS if extra is None else LEAST_ORIGINS
    wanted = int(np.clip(WINDOW_ROWS / (len(series) * horizon), LEAST_ORIGINS, most))
    origins = []
    for each in series:
        rng = np.random.default_rng([seed, *each.name.encode()])
        found = origins_of(len(each.values), horizon, seasons[0], wanted, rng)
        origins.append(np.append(found, len(each.values)))
    windows = make_windows([s.values for s in series], origins, horizon=horizon, seasons=seasons)
    outcomes = outcomes_of([s.target for s in series], windows)
    names, members = _members(windows, extra)
    errors, count = past_errors(members, outcomes, windows)
    prior = pooled_errors(errors) if pooled is None else pooled
    weights = weights_of(errors, count, prior)
    anchor = np.einsum("bhm,bm->bh", members, weights.astype(np.float32)).astype(np.float64)
    anchor_error, _ = past_errors(anchor[:, :, None], outcomes, windows)
    return Group(
        windows=windows,
        final=np.cumsum([len(o) for o in origins]) - 1,
        outcomes=outcomes,
        members=members,
        names=names,
        errors=errors,
        count=count,
        anchor=anchor,
        anchor_error=anchor_error[:, 0],
        weights=weights,
        pooled=prior,
        history=error_history(outcomes - anchor, windows),
    )


def _members(windows: Windows, extra: ExtraMembers | None) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names and point forecasts of all members, shape (B, H, M), a part of the windows at a time."""
    further = {} if extra is None else extra(windows)
    names: tuple[str, ...] = ()
    members = np.empty((0, 0, 0), dtype=np.float32)
    for start in range(0, len(windows), CHUNK):
        part = slice(start, start + CHUNK)
        by_name = all_members(windows.part(part))
        if further:
            spare = by_name[f"season before ({windows.season})"]
            own = {name: rows[part] for name, rows in further.items()}
            by_name |= {name: np.where(np.isfinite(rows), rows, spare) for name, rows in own.items()}
        if not start:
            names = tuple(by_name)
            members = np.empty((len(windows), windows.horizon, len(names)), dtype=np.float32)
        block = np.stack([rows.astype(np.float32) for rows in by_name.values()])
        np.clip(block, -1e6, 1e6, out=block)
        members[part] = np.moveaxis(block, 0, 2)
    return names, members


def features_at(
    group: Group,
    series: Sequence[PoolSeries],
    rows: NDArray[np.int64],
    steps: NDArray[np.int64],
    statistics: Statistics,
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Features of slices ahead of windows."""
    windows = group.windows
    calendar = np.empty((len(rows), 3), dtype=np.float32)
    at = windows.end[rows] + steps - 1
    owner = windows.owner[rows]
    order = np.argsort(owner, kind="stable")
    cuts = np.searchsorted(owner[order], np.arange(len(series) + 1))
    for index, each in enumerate(series):
        mine = order[cuts[index] : cuts[index + 1]]
        if len(mine):
            calendar[mine] = each.calendar[at[mine]]
    return features_of(
        windows,
        rows,
        steps,
        statistics=statistics,
        members=group.members,
        names=group.names,
        shown=np.sort(np.argsort(group.pooled, kind="stable")[:SHOWN]),
        anchor=group.anchor,
        errors=group.errors,
        anchor_error=group.anchor_error,
        count=group.count,
        history=group.history,
        calendar=calendar,
    )
