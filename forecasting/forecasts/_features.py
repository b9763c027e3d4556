"""What the pooled learner knows about one slice ahead: lags, levels, members, the calendar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._error_history import LABELS
from forecasting.forecasts._profiles import seasons_in
from forecasting.forecasts._windows import Windows, nan_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray


def features_of(
    windows: Windows,
    rows: NDArray[np.int64],
    steps: NDArray[np.int64],
    *,
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

    def add(label: str, column: NDArray[np.floating] | NDArray[np.int64]) -> None:
        labels.append(label)
        columns.append(column.astype(np.float32))

    def add_row(label: str, column: NDArray[np.floating]) -> None:
        add(label, column[rows])

    add("slices ahead", steps)
    add("phase ahead", (steps - 1) % season)
    for each in windows.seasons:
        for back in range(4 if each == season else 2):
            place = length - 1 + steps - (-(-steps // each) + back) * each
            lag = np.where(place >= 0, values[rows, np.maximum(place, 0)], np.nan)
            add(f"same phase {back + 1} seasons before ({each})", lag - at)
    for back in range(3):
        add(f"value {back + 1} before the origin", values[rows, length - 1 - back] - at)
    for width in sorted({max(2, season // 8), max(3, season // 3), max(season, 2)}):
        add(f"mean of the last {width}", nan_mean(values[:, -width:], 1)[rows] - at)
    width = max(season, 8)
    recent = values[:, -width:]
    centre = nan_mean(recent, 1)
    add_row("scatter", np.sqrt(nan_mean((recent - centre[:, None]) ** 2, 1)))
    add_row("change of level", centre - nan_mean(values[:, -2 * width : -width], 1))
    moves = np.diff(recent, axis=1)
    add_row("roughness", np.sqrt(nan_mean(moves**2, 1)))
    chosen = members[rows, steps - 1]
    ordered = np.sort(chosen, axis=1)
    for label, quarter in (("lower quartile", 1), ("median", 2), ("upper quartile", 3)):
        add(f"{label} of the members", ordered[:, quarter * (len(names) - 1) // 4] - at)
    for place_of in shown.tolist():
        add(f"member: {names[place_of]}", chosen[:, place_of] - at)
    with np.errstate(all="ignore"):
        best = np.nanmin(np.where(np.isfinite(errors), errors, np.inf), axis=1)
    add_row("past error of the best member", np.log(np.maximum(np.where(np.isfinite(best), best, np.nan), 1e-3)))
    add_row("past error of the anchor", np.log(np.maximum(anchor_error, 1e-3)))
    add_row("origins behind the errors", count)
    offset = windows.centre / windows.scale
    add_row("level in scales", np.log1p(np.abs(offset)))
    wide = values[:, -4 * width :]
    lowest = np.nanmin(np.where(np.isfinite(wide), wide, np.inf), axis=1)
    highest = np.nanmax(np.where(np.isfinite(wide), wide, -np.inf), axis=1)
    add("above the lowest", at - lowest[rows])
    add("below the highest", highest[rows] - at)
    for place_of, label in enumerate(LABELS):
        add(label, history[rows, steps - 1, place_of])
    for each in windows.seasons:
        for label, by_phase, relative in _phase_statistics(values, each, 8 if each == season else 4):
            column = by_phase[rows, (steps - 1) % each]
            add(f"{label} ({each})", column - at if relative else column)
    for label, per_window in _kind_of_series(windows).items():
        add_row(label, per_window)
    for place_of, label in enumerate(("hour of the day", "time of the week", "month")):
        add(label, calendar[:, place_of])
    found = np.stack(columns, axis=1)
    np.clip(found, -1e4, 1e4, out=found)
    return found, tuple(labels)


def _phase_statistics(
    values: NDArray[np.float64], season: int, count: int
) -> list[tuple[str, NDArray[np.float64], bool]]:
    """Scatter, extremes and level-adjusted mean of each phase over the last seasons, shape (B, season) each.

    The flag says whether it is a value, to be taken relative to the anchor.
    """
    if values.shape[1] < 2 * season:
        return []
    parts = seasons_in(values, season, count)
    means = nan_mean(parts, 2)
    moved = parts - means[:, :, None] + means[:, -1:, None]
    known = np.isfinite(parts)
    mean, even = nan_mean(parts, 1), nan_mean(moved, 1)
    return [
        ("scatter of the phase", np.sqrt(nan_mean((parts - mean[:, None]) ** 2, 1)), False),
        ("scatter of the phase, level taken out", np.sqrt(nan_mean((moved - even[:, None]) ** 2, 1)), False),
        ("lowest of the phase", np.where(known, parts, np.inf).min(axis=1), True),
        ("highest of the phase", np.where(known, parts, -np.inf).max(axis=1), True),
        ("mean of the phase at the level of now", even, True),
    ]


def _kind_of_series(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """What kind of series a window comes from: roughness, memory, seasonality, counts, zeros, repeated values."""
    values, season = windows.values, windows.season
    moves = np.diff(values, axis=1)
    off = values - nan_mean(values, 1)[:, None]
    variance = nan_mean(off**2, 1)
    raw = values * windows.scale[:, None] + windows.centre[:, None]
    known = np.isfinite(raw)
    tolerance = 1e-9 * np.nanmax(np.where(known, np.abs(raw), 0.0), axis=1, keepdims=True)

    def log(size: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log(np.maximum(size, 1e-12)))

    def share(holds: NDArray[np.bool_], among: NDArray[np.bool_]) -> NDArray[np.float64]:
        return nan_mean(np.where(among, holds.astype(np.float64), np.nan), 1)

    found = {
        "typical move": log(nan_mean(np.abs(moves), 1)),
        "typical recent move": log(nan_mean(np.abs(moves[:, -4 * season :]), 1)),
        "spread of all values": log(np.sqrt(variance)),
        "memory of moves": nan_mean(moves[:, 1:] * moves[:, :-1], 1) / np.maximum(nan_mean(moves**2, 1), 1e-12),
        "strength of the season": nan_mean(off[:, season:] * off[:, :-season], 1) / np.maximum(variance, 1e-12),
        "share of zeros": share(np.abs(raw) <= tolerance, known),
        "whole numbers": (share(np.abs(raw - np.round(raw)) <= tolerance, known) > 0.99).astype(np.float64),
        "share of repeated values": share(np.abs(moves) <= 1e-9, np.isfinite(moves)),
        "length of the history": np.log1p(windows.end.astype(np.float64)),
    }
    width = max(2, season // 4)
    newest = nan_mean(values[:, -width:], 1)
    for back in (1, 2):
        stop = values.shape[1] - back * season
        if stop - width >= 0:
            found[f"change against {back} seasons before"] = newest - nan_mean(values[:, stop - width : stop], 1)
    return found
