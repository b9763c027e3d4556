"""Yes-or-no rules on the budget so far: extrapolation, a line through the last days, burn-rate alerts, last outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.baselines.base import DAY_US, Asked, Past

if TYPE_CHECKING:
    from numpy.typing import NDArray

LINE_DAYS = 3
"""Lookback of the line, as in the usual ``predict_linear(…[3d], …)``."""
_FEWEST_POINTS = 2


def extrapolated(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Say whether the share of the budget spent ÷ elapsed share is above 1: the window goes on as it went so far."""
    bad, total = past.so_far(asked)
    said = bad > float(1 - past.objective.target) * total * (1 + 1e-12)
    return np.where(total > 0, said, np.nan).astype(np.float64)


def on_a_line(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Say whether a straight line through the bad events of the last three days overspends the budget.

    Least squares through the running sum at every slice end of the lookback, read off at the window's end: Prometheus'
    ``predict_linear(budget_consumption[3d], …)``. The traffic to come is that of the last four weeks.
    """
    budget = float(1 - past.objective.target)
    bad_sum = np.asarray(past.total - past.good, dtype=np.float64)
    bad, total = past.so_far(asked)
    whole = total + past.to_come(asked)
    found = np.full(len(asked), np.nan)
    for k, now in enumerate(asked.at.tolist()):
        first, last = np.searchsorted(past.slice_ends, (now - LINE_DAYS * DAY_US, now), side="right")
        if last - first < _FEWEST_POINTS or whole[k] <= 0:
            continue
        days = (past.slice_ends[first:last] - now) / DAY_US
        sums = bad_sum[first + 1 : last + 1] - bad_sum[last]
        centre = days.mean()
        slope = float(((days - centre) * (sums - sums.mean())).sum() / ((days - centre) ** 2).sum())
        level = float(sums.mean() - slope * centre)
        start, end = ((int(x[asked.window[k]]) - now) / DAY_US for x in (past.starts, past.ends))
        coming = level + slope * end if start <= 0 else slope * (end - start)
        found[k] = bad[k] + coming > budget * whole[k]
    return found


def burning_now(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Say whether a multi-window burn-rate alert fires at the instant."""
    begun, over = past.firing
    return np.array([float(((begun <= now) & (over > now)).any()) for now in asked.at.tolist()])


def burnt_so_far(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Say whether one has fired in the window so far; nothing is said before the window begins."""
    begun, over = past.firing
    found = np.full(len(asked), np.nan)
    for k, now in enumerate(asked.at.tolist()):
        start = int(past.starts[asked.window[k]])
        if start < now:
            found[k] = ((begun <= now) & (over > start)).any()
    return found


def last_outcome(past: Past, asked: Asked) -> NDArray[np.float64]:
    """Return the verdict on the last closed window that has one."""
    judged = np.flatnonzero(~np.isnan(past.missed))
    at = np.searchsorted(judged, past.closed(asked), side="left") - 1
    return np.where(at >= 0, past.missed[judged[np.maximum(at, 0)]] if len(judged) else np.nan, np.nan)
