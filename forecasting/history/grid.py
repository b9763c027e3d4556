"""From canonical rows to series on complete regular grids, with nothing from at or after the cut-off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc, is_local_days, local_midnight, to_local, zone_of
from forecasting.terms.errors import InputError
from forecasting.terms.history import History, Metric, Series

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

COLUMNS = ("service", "metric", "at", "value")
"""Columns of canonical rows; `at` is the naive UTC start of the slice."""

MAX_SLICES = 10_000_000
"""Longest grid; one row with a wrong year must not take all memory."""

_MICRO = np.timedelta64(1, "us")
_DAY_US = 86_400_000_000


def build_history(
    rows: pd.DataFrame, metrics: Mapping[str, Metric], zones: Mapping[str, str], cut_off: datetime
) -> History:
    """Put canonical rows on complete grids, one series for each (service, metric).

    A series runs from its first observation to the last slice that has ended by the cut-off; what is missing in
    between and at its end is NaN. Rows at or after the cut-off are left out, and so is a slice that had not ended.

    Parameters
    ----------
    rows : DataFrame
        Columns service, metric, at (naive UTC, any resolution), value; any order; NaN values are missing.
    metrics : mapping of str to Metric
        What each metric's numbers mean, with its step.
    zones : mapping of str to str
        IANA zone of each service; a service that is not in it is refused.
    cut_off : datetime
        UTC instant.

    Returns
    -------
    History

    Raises
    ------
    InputError
        For a missing column, an unknown service or metric, timestamps off the grid (with the offending rows), an
        infinite value, or two different values for one slice.

    Examples
    --------
    >>> import pandas as pd
    >>> from forecasting.terms.history import MetricKind
    >>> rows = pd.DataFrame({"service": "a", "metric": "calls", "value": [1.0, 3.0, 9.0],
    ...     "at": pd.to_datetime(["2027-03-01 00:00", "2027-03-01 02:00", "2027-03-01 03:00"])})
    >>> history = build_history(rows, {"calls": Metric(name="calls", kind=MetricKind.COUNT)}, {"a": "UTC"},
    ...     datetime(2027, 3, 1, 3, 30, tzinfo=UTC))
    >>> history.get("a", "calls").values  # the slice that ends at 04:00 is not in
    array([ 1., nan,  3.])
    """
    import pandas as pd

    cut = as_utc(cut_off)
    if absent := [name for name in COLUMNS if name not in rows.columns]:
        raise InputError(
            argument="columns of rows", came=list(rows.columns), allowed=", ".join(COLUMNS), try_instead=f"add {absent}"
        )
    at = rows["at"]
    if not pd.api.types.is_datetime64_any_dtype(at.dtype) or getattr(at.dt, "tz", None) is not None or at.isna().any():
        raise InputError(
            argument="at", came=str(at.dtype), allowed="naive UTC timestamps without gaps", try_instead="convert to UTC"
        )
    instants = at.to_numpy().astype("datetime64[us]").astype(np.int64)
    values = rows["value"].to_numpy(dtype=np.float64)
    service_codes, services = pd.factorize(rows["service"], sort=True)
    metric_codes, names = pd.factorize(rows["metric"], sort=True)
    _refuse_unknown("service", services, zones)
    _refuse_unknown("metric", names, metrics)
    limit = int((cut.replace(tzinfo=None) - datetime(1970, 1, 1)) / timedelta(microseconds=1))  # noqa: DTZ001
    keep = (instants < limit) & ~np.isnan(values)
    group = service_codes.astype(np.int64) * max(len(names), 1) + metric_codes
    order = np.flatnonzero(keep)[np.lexsort((instants[keep], group[keep]))]
    group, instants, values = group[order], instants[order], values[order]
    edges = np.concatenate(([0], np.flatnonzero(np.diff(group)) + 1, [len(group)])) if len(group) else np.array([0])
    series: dict[tuple[str, str], Series] = {}
    for a, b in pairwise(edges.tolist()):
        service, metric = str(services[group[a] // len(names)]), metrics[str(names[group[a] % len(names)])]
        made = _one(service, metric, zones[service], instants[a:b], values[a:b], cut)
        if made is not None:
            series[service, metric.name] = made
    return History(cut_off=cut, series=series)


def _refuse_unknown(what: str, came: pd.Index, known: Mapping[str, object]) -> None:
    """Raise for names that are not declared."""
    if unknown := [str(name) for name in came if str(name) not in known]:
        shown = ", ".join(sorted(known)[:20]) or "none declared"
        raise InputError(
            argument=what, came=unknown[:10], allowed=shown, try_instead=f"declare the {what} or leave it out"
        )


def _text(instant_us: int) -> str:
    """Microseconds since 1970 as text."""
    return str(np.datetime64(int(instant_us), "us").astype("datetime64[s]")) + "Z"


def _off_grid(service: str, metric: Metric, instants: NDArray[np.int64], allowed: str, hint: str) -> InputError:
    """The error for timestamps off the grid, naming the first of them."""
    shown = ", ".join(_text(i) for i in instants[:5]) + (f" and {len(instants) - 5} more" if len(instants) > 5 else "")
    return InputError(argument=f"at ({service}, {metric.name})", came=shown, allowed=allowed, try_instead=hint)


def _slots(
    service: str, metric: Metric, zone: str, instants: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slot of each row counted from the first one, and the instants they should have."""
    step_us = int(metric.step / timedelta(microseconds=1))
    if not is_local_days(metric.step):
        phases, counts = np.unique(instants % step_us, return_counts=True)
        phase = phases[np.argmax(counts)]
        if len(phases) > 1:
            raise _off_grid(
                service,
                metric,
                instants[instants % step_us != phase],
                f"slice starts every {metric.step}, like {_text(instants[instants % step_us == phase][0])}",
                "the metric's step in the project file, or the file's zone",
            )
        return (instants - instants[0]) // step_us, instants
    local = to_local(instants.astype("datetime64[us]"), zone).astype(np.int64)
    days = local // _DAY_US
    tz = zone_of(zone)
    unique, where = np.unique(days, return_inverse=True)
    midnights = np.array(
        [
            int(
                (local_midnight(np.datetime64(int(d), "D").item(), tz) - datetime(1970, 1, 1, tzinfo=UTC))
                / timedelta(microseconds=1)
            )
            for d in unique
        ],
        dtype=np.int64,
    )[where]
    phases, counts = np.unique(days % metric.step.days, return_counts=True)
    wrong = (instants != midnights) | (days % metric.step.days != phases[np.argmax(counts)])
    if wrong.any():
        raise _off_grid(
            service,
            metric,
            instants[wrong],
            f"local midnights in {zone}, every {metric.step.days} day(s)",
            f"zone: {zone} for the file, if its dates are local days",
        )
    return (days - days[0]) // metric.step.days, instants


def _one(
    service: str, metric: Metric, zone: str, instants: NDArray[np.int64], values: NDArray[np.float64], cut: datetime
) -> Series | None:
    """One series from its sorted rows, or None where nothing is known before the cut-off."""
    if np.isinf(values).any():
        bad = instants[np.isinf(values)]
        raise InputError(
            argument=f"value ({service}, {metric.name})",
            came=f"an infinite value at {_text(bad[0])}",
            allowed="finite numbers",
            try_instead="leave the cell empty if the value is unknown",
        )
    slots, instants = _slots(service, metric, zone, instants)
    same = np.flatnonzero(np.diff(slots) == 0)
    both = values[same], values[same + 1]
    if np.any(clash := ~((both[0] == both[1]) | (np.isnan(both[0]) & np.isnan(both[1])))):
        i = int(same[np.argmax(clash)])
        raise InputError(
            argument=f"value ({service}, {metric.name})",
            came=f"{values[i]:g} and {values[i + 1]:g} at {_text(instants[i])}",
            allowed="one value for each slice",
            try_instead="duplicates: last, mean or max in the project file",
        )
    start = np.datetime64(int(instants[0]), "us").item().replace(tzinfo=UTC)
    count = _complete_slices(start, metric.step, zone, cut)
    if max(count, int(slots[-1])) > MAX_SLICES:
        raise InputError(
            argument=f"at ({service}, {metric.name})",
            came=f"{_text(instants[0])} to {_text(instants[-1])}",
            allowed=f"at most {MAX_SLICES} slices of {metric.step}",
            try_instead="look for a wrong year, or epoch milliseconds read as seconds",
        )
    grid = np.full(count, np.nan)
    inside = slots < count
    grid[slots[inside]] = values[inside]
    known = np.flatnonzero(~np.isnan(grid))
    return (
        Series(service=service, metric=metric, start=start, step=metric.step, values=grid, zone=zone)
        if len(known)
        else None
    )


def _complete_slices(start: datetime, step: timedelta, zone: str, cut: datetime) -> int:
    """Slices from `start` on that have ended by the cut-off."""
    if not is_local_days(step):
        return max((cut - start) // step, 0)
    tz = zone_of(zone)
    first, last = start.astimezone(tz).date(), cut.astimezone(tz).date()  # `last` has begun, so days before it ended
    return max((last - first).days // step.days, 0)
