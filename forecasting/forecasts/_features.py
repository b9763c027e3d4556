"""What the pooled learner knows about one slice ahead: lags, levels, members, the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._error_history import LABELS
from forecasting.forecasts._profiles import seasons_in
from forecasting.forecasts._windows import CHUNK, Windows, nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Statistics:
    """What is the same for all slices ahead of a window, computed once for the windows asked for."""

    place: NDArray[np.int64]
    """Shape (B,): place of each window in the arrays below; −1 where it was not asked for."""
    plain: dict[str, NDArray[np.float64]]
    """By label, shape (b,)."""
    by_phase: tuple[tuple[str, int, bool, NDArray[np.float64]], ...]
    """Label, season, whether relative to the anchor, and the value of each phase ahead, shape (b, at most season)."""


def statistics_of(windows: Windows, which: NDArray[np.int64]) -> Statistics:
    """Return the statistics of some windows: the costly part of the features.

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows
    >>> w = make_windows([np.arange(9.0)], [np.array([7, 8, 9])], horizon=1, seasons=(1,))
    >>> statistics_of(w, np.array([2])).plain["length of the history"]
    array([2.30258509])
    """
    plain: dict[str, list[NDArray[np.float64]]] = {}
    phases: dict[tuple[str, int, bool], list[NDArray[np.float64]]] = {}
    for start in range(0, len(which), CHUNK):
        part = windows.part(which[start : start + CHUNK])
        for label, value in (_levels(part) | _kind_of_series(part)).items():
            plain.setdefault(label, []).append(value)
        for each in windows.seasons:
            for key, value, relative in _phase_statistics(
                part.values, each, 8 if each == windows.season else 4, windows.horizon
            ):
                phases.setdefault((key, each, relative), []).append(value)
    place = np.full(len(windows), -1)
    place[which] = np.arange(len(which))
    return Statistics(
        place=place,
        plain={label: np.concatenate(values) for label, values in plain.items()},
        by_phase=tuple((*key, np.concatenate(values)) for key, values in phases.items()),
    )


def features_of(
    windows: Windows,
    rows: NDArray[np.int64],
    steps: NDArray[np.int64],
    *,
    statistics: Statistics,
    members: NDArray[np.float32],
    names: tuple[str, ...],
    shown: NDArray[np.int64],
    anchor: NDArray[np.float64],
    errors: NDArray[np.float64],
    anchor_error: NDArray[np.float64],
    count: NDArray[np.float64],
    history: NDArray[np.float32],
    calendar: NDArray[np.float32],
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return the features of slices ahead and their names.

    All values are in units of the window's scale and relative to the anchor, so that series of any size and level
    learn from each other; everything but the calendar comes from before the origin.

    Parameters
    ----------
    windows : Windows
    statistics : Statistics
        Of all windows in `rows` at least.
    rows, steps : ndarray of int, shape (R,)
        Window and slice ahead (1 is the first) of each row.
    members : ndarray, shape (B, H, M)
    names : tuple of str
        Of the members.
    shown : ndarray of int
        Places of the members that are features each; the others are in the quartiles and the anchor only.
    anchor : ndarray, shape (B, H)
        Weighted mean of the members.
    errors : ndarray, shape (B, M)
        Past errors of the members.
    anchor_error, count : ndarray, shape (B,)
        Past error of the anchor and the origins it rests on.
    history : ndarray, shape (B, H, 5)
        See `forecasting.forecasts._error_history.error_history`.
    calendar : ndarray, shape (R, 3)
        Hour of the day, time of the week in days, month; NaN where the step makes no use of it.

    Returns
    -------
    features : ndarray of float32, shape (R, K)
    labels : tuple of str
    """
    values, season = windows.values, windows.season
    length = values.shape[1]
    at = anchor[rows, steps - 1]
    columns: list[NDArray[np.floating]] = []
    labels: list[str] = []
    own, plain = statistics.place[rows], statistics.plain

    def add(label: str, column: NDArray[np.floating] | NDArray[np.int64]) -> None:
        labels.append(label)
        columns.append(column.astype(np.float32))

    def add_plain(*wanted: str) -> None:
        for label in wanted:
            add(label, plain[label][own])

    add("slices ahead", steps)
    add("phase ahead", (steps - 1) % season)
    for each in windows.seasons:
        for back in range(4 if each == season else 2):
            place = length - 1 + steps - (-(-steps // each) + back) * each
            lag = np.where(place >= 0, values[rows, np.maximum(place, 0)], np.nan)
            add(f"same phase {back + 1} seasons before ({each})", lag - at)
    for back in range(3):
        add(f"value {back + 1} before the origin", values[rows, length - 1 - back] - at)
    for width in _widths(season):
        add(f"mean of the last {width}", plain[f"mean of the last {width}"][own] - at)
    add_plain("scatter", "change of level", "roughness")
    chosen = members[rows, steps - 1]
    ordered = np.sort(chosen, axis=1)
    for label, quarter in (("lower quartile", 1), ("median", 2), ("upper quartile", 3)):
        add(f"{label} of the members", ordered[:, quarter * (len(names) - 1) // 4] - at)
    for place_of in shown.tolist():
        add(f"member: {names[place_of]}", chosen[:, place_of] - at)
    with np.errstate(all="ignore"):
        best = np.nanmin(np.where(np.isfinite(errors), errors, np.inf), axis=1)
    best = np.log(np.maximum(np.where(np.isfinite(best), best, np.nan), 1e-3))
    add("past error of the best member", best[rows])
    add("past error of the anchor", np.log(np.maximum(anchor_error, 1e-3))[rows])
    add("origins behind the errors", count[rows])
    add_plain("level in scales")
    add("above the lowest", at - plain["lowest"][own])
    add("below the highest", plain["highest"][own] - at)
    for place_of, label in enumerate(LABELS):
        add(label, history[rows, steps - 1, place_of])
    for label, each, relative, by_phase in statistics.by_phase:
        column = by_phase[own, (steps - 1) % each]
        add(f"{label} ({each})", column - at if relative else column)
    add_plain(*(label for label in plain if label not in _ELSEWHERE and not label.startswith("mean of the last")))
    for place_of, label in enumerate(("hour of the day", "time of the week", "month")):
        add(label, calendar[:, place_of])
    found = np.stack(columns, axis=1)
    np.clip(found, -1e4, 1e4, out=found)
    return found, tuple(labels)


_ELSEWHERE = ("scatter", "change of level", "roughness", "level in scales", "lowest", "highest")
"""Statistics that stand at places of their own among the features."""


def _widths(season: int) -> list[int]:
    """Slices of the recent means."""
    return sorted({max(2, season // 8), max(3, season // 3), max(season, 2)})


def _levels(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Recent means, scatter and range."""
    values, season = windows.values, windows.season
    found = {f"mean of the last {width}": nan_mean(values[:, -width:], 1) for width in _widths(season)}
    width = max(season, 8)
    recent = values[:, -width:]
    centre = nan_mean(recent, 1)
    wide = values[:, -4 * width :]
    return found | {
        "scatter": np.sqrt(nan_mean((recent - centre[:, None]) ** 2, 1)),
        "change of level": centre - nan_mean(values[:, -2 * width : -width], 1),
        "roughness": np.sqrt(nan_mean(np.diff(recent, axis=1) ** 2, 1)),
        "level in scales": np.log1p(np.abs(windows.centre / windows.scale)),
        "lowest": np.fmin.reduce(wide, axis=1, initial=np.inf),
        "highest": np.fmax.reduce(wide, axis=1, initial=-np.inf),
    }


def _phase_statistics(
    values: NDArray[np.float64], season: int, count: int, horizon: int
) -> list[tuple[str, NDArray[np.float64], bool]]:
    """Scatter, extremes and level-adjusted mean of each phase over the last seasons, shape (B, phases ahead) each.

    The flag says whether it is a value, to be taken relative to the anchor.
    """
    if values.shape[1] < 2 * season:
        return []
    parts = seasons_in(values, season, count)
    means = nan_mean(parts, 2)
    parts = parts[:, :, : min(season, horizon)]
    moved = parts - means[:, :, None] + means[:, -1:, None]
    mean, even = nan_mean(parts, 1), nan_mean(moved, 1)
    return [
        ("scatter of the phase", np.sqrt(nan_mean((parts - mean[:, None]) ** 2, 1)), False),
        ("scatter of the phase, level taken out", np.sqrt(nan_mean((moved - even[:, None]) ** 2, 1)), False),
        ("lowest of the phase", np.fmin.reduce(parts, axis=1, initial=np.inf), True),
        ("highest of the phase", np.fmax.reduce(parts, axis=1, initial=-np.inf), True),
        ("mean of the phase at the level of now", even, True),
    ]


def _kind_of_series(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """What kind of series a window comes from: roughness, memory, seasonality, counts, zeros, repeated values."""
    values, season = windows.values, windows.season
    moves = np.diff(values, axis=1)
    off = values - nan_mean(values, 1)[:, None]
    variance = nan_mean(off**2, 1)
    raw = values * windows.scale[:, None] + windows.centre[:, None]
    tolerance = 1e-9 * np.fmax.reduce(np.abs(raw), axis=1, keepdims=True, initial=0.0)
    known, moved = np.isfinite(raw), np.isfinite(moves)

    def log(size: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log(np.maximum(size, 1e-12)))

    def share(holds: NDArray[np.bool_], among: NDArray[np.bool_]) -> NDArray[np.float64]:
        number, total = np.count_nonzero(holds & among, axis=1), np.count_nonzero(among, axis=1)
        return np.where(total > 0, number / np.maximum(total, 1), np.nan)

    found = {
        "typical move": log(nan_mean(np.abs(moves), 1)),
        "typical recent move": log(nan_mean(np.abs(moves[:, -4 * season :]), 1)),
        "spread of all values": log(np.sqrt(variance)),
        "memory of moves": nan_mean(moves[:, 1:] * moves[:, :-1], 1) / np.maximum(nan_mean(moves**2, 1), 1e-12),
        "strength of the season": nan_mean(off[:, season:] * off[:, :-season], 1) / np.maximum(variance, 1e-12),
        "share of zeros": share(np.abs(raw) <= tolerance, known),
        "whole numbers": (share(np.abs(raw - np.round(raw)) <= tolerance, known) > 0.99).astype(np.float64),
        "share of repeated values": share(np.abs(moves) <= 1e-9, moved),
        "length of the history": np.log1p(windows.end.astype(np.float64)),
    }
    width = max(2, season // 4)
    newest = nan_mean(values[:, -width:], 1)
    for back in (1, 2):
        stop = values.shape[1] - back * season
        if stop - width >= 0:
            found[f"change against {back} seasons before"] = newest - nan_mean(values[:, stop - width : stop], 1)
    return found
