"""Covariates as columns to regress on: checked, held inside what was seen, with a few shapes to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.covariate import Covariate
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_OBSERVATIONS = 40
"""Slices of the history with a value of the metric and of the covariate."""
LEAST_FLAGS = 3
"""Slices in which a flag is up, and in which it is down."""
HELD = 0.1
"""Share of the range seen that a covariate may lie beyond it; further out it is held there."""
LINE: tuple[int, ...] = (0,)
SHAPES: tuple[tuple[int, ...], ...] = (LINE, (0, 1), (0, 2, 3))
"""Columns of a line, a parabola, and a line with bends at both thirds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Usable:
    """A covariate that can be tried."""

    name: str
    flag: bool
    columns: NDArray[np.float64]
    """Shape (q, n + H): columns, 0 at their mean over the history and where unknown."""
    shapes: tuple[tuple[int, ...], ...]
    """Alternative sets of columns."""


def _why_not(covariate: Covariate, observed: NDArray[np.bool_], n: int, horizon: int) -> Excuse | None:
    """Why a covariate cannot be tried, or None."""
    x = covariate.values
    if len(x) < n + horizon:
        return Excuse(
            reason=f"{len(x)} values, {n + horizon} needed: the history and the horizon",
            what_would_help="values for the whole horizon",
        )
    if not covariate.known_ahead(n, horizon):
        missing = int(np.isnan(x[n : n + horizon]).sum())
        return Excuse(
            reason=f"unknown in {missing} of {horizon} slices of the horizon",
            what_would_help="its forecast or plan for the whole horizon",
        )
    past = x[:n]
    both = observed & ~np.isnan(past)
    count = int(both.sum())
    if np.isnan(past).all():
        return Excuse(reason="no value in the history", what_would_help="its past values")
    if count < LEAST_OBSERVATIONS:
        return Excuse(
            reason=f"{count} slices with a value of it and of the metric, {LEAST_OBSERVATIONS} needed",
            what_would_help=f"{LEAST_OBSERVATIONS - count} more slices of history",
        )
    seen = past[both]
    if float(seen.max()) == float(seen.min()):
        return Excuse(reason=f"constant at {seen[0]:g} in the history", what_would_help="history in which it changes")
    if covariate.kind == "flag":
        fewest = min(int((seen == 1).sum()), int((seen == 0).sum()))
        if fewest < LEAST_FLAGS:
            return Excuse(
                reason=f"{fewest} slices with the rarer value, {LEAST_FLAGS} needed",
                what_would_help="more of them, or an event with a planned multiplier",
            )
    return None


def _columns(covariate: Covariate, observed: NDArray[np.bool_], n: int, total: int) -> Usable:
    """Make the columns of a covariate that can be tried."""
    x = np.asarray(covariate.values[:total], dtype=np.float64)
    unknown = np.isnan(x)
    seen = x[:n][observed & ~unknown[:n]]
    low, high = float(seen.min()), float(seen.max())
    reach = HELD * (high - low)
    u = (np.clip(x, low - reach, high + reach) - (low + high) / 2) / (high - low)
    scaled = (seen - (low + high) / 2) / (high - low)
    rows = [u]
    curved = covariate.kind == "real" and len(np.unique(scaled[:1000])) > 5
    if curved:
        first, second = np.quantile(scaled, (1 / 3, 2 / 3))
        rows += [u**2, np.maximum(u - first, 0.0), np.maximum(u - second, 0.0)]
    columns = np.stack(rows)
    columns[:, unknown] = 0.0
    use = observed & ~unknown[:n]
    columns -= np.mean(columns[:, :n][:, use], axis=1, keepdims=True)
    columns[:, unknown] = 0.0
    return Usable(
        name=covariate.name, flag=covariate.kind == "flag", columns=columns, shapes=SHAPES if curved else (LINE,)
    )


def usable_covariates(
    covariates: Sequence[Covariate], observed: NDArray[np.bool_], horizon: int
) -> tuple[list[Usable], dict[str, Excuse]]:
    """Return the covariates that can be tried and why the others cannot; `observed` marks known slices of the past."""
    n = len(observed)
    usable: list[Usable] = []
    declined: dict[str, Excuse] = {}
    for covariate in covariates:
        excuse = _why_not(covariate, observed, n, horizon)
        if excuse is None:
            usable.append(_columns(covariate, observed, n, n + horizon))
        else:
            declined[covariate.name] = excuse
    return usable, declined
