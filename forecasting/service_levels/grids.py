"""Series laid on one grid, and exact whole numbers out of their values."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import is_local_days, slice_bounds, zone_of
from forecasting.service_levels.judged import Judged
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, Series
from forecasting.terms.indicator import metrics_of
from forecasting.terms.service_level import Objective, Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]


def metric_values(
    objective: Objective, history: History
) -> tuple[Series, tuple[str, ...], tuple[Values, ...]] | Excuse:
    """Return the grid of an indicator's metrics, their names and their values on it; NaN = not observed.

    Raises
    ------
    InputError
        The metrics are not on one grid.
    """
    names = metrics_of(objective.indicator)
    found = {name: history.get(objective.service, name) for name in names}
    missing = [name for name, series in found.items() if series is None or not len(series)]
    if missing:
        return Excuse(
            reason=f"no data of metric {', '.join(missing)} for service {objective.service} before the cut-off",
            what_would_help=f"ingest rows of {', '.join(missing)} for {objective.service}",
        )
    series = [s for s in (found[name] for name in names) if s is not None]
    grid = common_grid(objective, series)
    return grid, names, tuple(on_grid(s, grid) for s in series)


def whole_slices(
    grid: Series, good: NDArray[np.int64], total: NDArray[np.int64], known: NDArray[np.bool_], unit: Unit
) -> Judged:
    """Return what an indicator says of every slice of a grid, before the service time is applied."""
    bounds = slice_bounds(grid.start, grid.step, grid.zone, len(grid))
    return Judged(
        series=grid,
        starts=bounds[:-1],
        ends=bounds[1:],
        good=good,
        total=total,
        known=known,
        eligible=np.ones(len(grid), dtype=np.bool_),
        dropped=np.zeros(len(grid), dtype=np.bool_),
        unit=unit,
    )


def common_grid(objective: Objective, series: list[Series]) -> Series:
    """Return a series spanning all given ones, which must share step, zone and phase."""
    first = series[0]
    for other in series[1:]:
        if other.step != first.step or other.zone != first.zone:
            raise InputError(
                argument=f"objective {objective.name}",
                came=f"{first.metric.name} every {first.step} in {first.zone}, "
                f"{other.metric.name} every {other.step} in {other.zone}",
                allowed="metrics of one indicator on one grid",
                try_instead="declare and ingest both metrics with the same step",
            )
        if apart(first, other) % first.step:
            raise InputError(
                argument=f"objective {objective.name}",
                came=f"slices of {first.metric.name} from {first.start}, of {other.metric.name} from {other.start}",
                allowed=f"metrics of one indicator whose slices of {first.step} begin together",
                try_instead="cut both metrics at the same instants",
            )
    if all(other.start == first.start and len(other) == len(first) for other in series[1:]):
        return first
    begin = min(series, key=lambda s: s.start)
    length = max(apart(begin, s) // s.step + len(s) for s in series)
    return replace(first, start=begin.start, values=np.full(length, np.nan))


def apart(first: Series, other: Series) -> timedelta:
    """Return by how much `other` begins after `first`: local days for steps of whole days, else elapsed time."""
    if is_local_days(first.step):
        zone = zone_of(first.zone)
        days: list[date] = [s.start.astimezone(zone).date() for s in (first, other)]
        return days[1] - days[0]
    return other.start - first.start


def on_grid(series: Series, grid: Series) -> Values:
    """Return the values of a series laid on a grid of the same step and phase; NaN where it has none."""
    at = apart(grid, series) // grid.step
    if at == 0 and len(series) == len(grid):
        return series.values
    values = np.full(len(grid), np.nan)
    low, high = max(at, 0), min(at + len(series), len(grid))
    if low < high:
        values[low:high] = series.values[low - at : high - at]
    return values


def rounded(values: Values, scale: int) -> NDArray[np.int64]:
    """Return scale × value rounded half to even, on the exact binary value; values are finite, the result < 2^50.

    Examples
    --------
    >>> rounded(np.array([0.5, 1.5, 0.3]), 1), rounded(np.array([0.999999999]), 10**9)
    (array([0, 2, 0]), array([999999999]))
    """
    product = values * float(scale)
    whole = np.rint(product).astype(np.int64)
    # The product itself was rounded: near a half only the exact value tells.
    near = np.flatnonzero(np.abs(np.abs(product - np.floor(product)) - 0.5) < 1e-2)
    if len(near):
        whole[near] = [round(Fraction(value) * scale) for value in values[near].tolist()]
    return whole
