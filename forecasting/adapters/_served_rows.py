"""The rows of a request to a served model, checked one by one and put on grids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._fields import DURATION_ALLOWED, listed, nearest, parse_duration
from forecasting.history.calendar import is_local_days, local_midnight, slice_bounds, zone_of
from forecasting.history.grid import build_history
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, Series

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("service", "metric", "at", "value")
MOST_ROWS = 5_000_000
MOST_SERIES = 20_000
MOST_SLICES = 500_000
"""Of one series, from its first row to its last."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_LONGEST_NAME = 200
_LARGEST = 1e300


def step_of(text: str, default: timedelta) -> timedelta:
    """Return the length of a slice that a request asks for; empty = `default`.

    Examples
    --------
    >>> step_of("", timedelta(days=1)), step_of("30m", timedelta(days=1))
    (datetime.timedelta(days=1), datetime.timedelta(seconds=1800))
    """
    step = default if text == "" else parse_duration(text)
    if not step:
        raise InputError(argument="step", came=text, allowed=DURATION_ALLOWED, try_instead="1h")
    return step


def history_of(
    rows: pd.DataFrame, *, metrics: Mapping[str, Metric], zones: Mapping[str, str], zone: str, step: timedelta
) -> tuple[Series, ...]:
    """Return one series for each (service, metric), in the order in which they first come; each ends at its last row.

    Parameters
    ----------
    rows : DataFrame
        Columns service, metric, at, value. `at` is the start of the slice: an ISO instant or a timestamp (without
        offset: UTC), or, for steps of whole days, a date such as ``2027-03-01``, which is a local day of the service.
        `value` is a finite number; null, None or NaN is missing.
    metrics : mapping of str to Metric
    zones : mapping of str to str
        IANA zone by service; another service is in `zone`.
    zone : str
    step : timedelta
        Length of every slice.

    Raises
    ------
    InputError
        With the first row that cannot be used (counted from 1).

    Examples
    --------
    >>> import pandas as pd
    >>> from forecasting.terms.history import MetricKind
    >>> rows = pd.DataFrame({"service": "a", "metric": "calls", "at": ["2027-03-01", "2027-03-03"], "value": [1, 3]})
    >>> calls = Metric(name="calls", kind=MetricKind.COUNT)
    >>> history_of(rows, metrics={"calls": calls}, zones={}, zone="UTC", step=timedelta(days=1))[0].values
    array([ 1., nan,  3.])
    """
    import pandas as pd

    _check_shape(rows)
    for column in ("service", "metric"):
        names = rows[column]
        for i, one in enumerate(names.tolist(), start=1):
            if not isinstance(one, str) or not 0 < len(one) <= _LONGEST_NAME:
                raise _row_error(
                    i, column, one, f"text of 1 to {_LONGEST_NAME} characters", "the name in the catalogue"
                )
    unknown = next((name for name in rows["metric"].unique().tolist() if name not in metrics), None)
    if unknown is not None:
        raise InputError(
            argument="metric", came=unknown, allowed=listed(list(metrics)),
            try_instead=nearest(unknown, metrics) or "a metric the model was logged with",
        )  # fmt: skip
    values = _values(rows["value"])
    own = [zones.get(name, zone) for name in rows["service"].tolist()]
    at = pd.Series(_instants(rows["at"], own, step))
    plain = pd.DataFrame(
        {"service": rows["service"].to_numpy(), "metric": rows["metric"].to_numpy(), "at": at, "value": values}
    )
    groups = plain.groupby(["service", "metric"], sort=False)
    if groups.ngroups > MOST_SERIES:
        raise InputError(
            argument="rows", came=f"{groups.ngroups} series", allowed=f"{MOST_SERIES} in a request",
            try_instead="several requests",
        )  # fmt: skip
    made = []
    for key, part in groups:
        service, metric = (str(text) for text in key)
        made.append(_one(part, service, metrics[metric], zones.get(service, zone), step))
    return tuple(made)


def _check_shape(rows: pd.DataFrame) -> None:
    """Refuse a table without the columns or with no row or too many."""
    import pandas as pd

    if not isinstance(rows, pd.DataFrame):
        raise InputError(
            argument="input", came=type(rows).__name__, allowed="a table", try_instead="dataframe_split or _records"
        )
    if absent := [name for name in COLUMNS if list(rows.columns).count(name) != 1]:
        raise InputError(
            argument="columns", came=[str(c) for c in rows.columns], allowed=", ".join(COLUMNS),
            try_instead=f"{', '.join(absent)}, each once",
        )  # fmt: skip
    if not 0 < len(rows) <= MOST_ROWS:
        raise InputError(
            argument="rows", came=len(rows), allowed=f"1 to {MOST_ROWS}", try_instead="the history of some series"
        )


def _row_error(row: int, column: str, came: object, allowed: str, try_instead: str) -> InputError:
    """The error for one cell."""
    return InputError(argument=f"{column} of row {row}", came=came, allowed=allowed, try_instead=try_instead)


def _values(column: pd.Series) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Numbers, NaN for missing."""
    import pandas as pd

    out = np.empty(len(column))
    for i, one in enumerate(column.tolist()):
        if one is None or one is pd.NA:
            out[i] = np.nan
        elif isinstance(one, (int, float)) and not isinstance(one, bool) and (one != one or abs(one) < _LARGEST):
            out[i] = one
        else:
            raise _row_error(i + 1, "value", one, "a finite number, or null for missing", "null where it is not known")
    return out


def _instants(column: pd.Series, zones: list[str], step: timedelta) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """Naive UTC starts."""
    days = is_local_days(step)
    out = np.empty(len(column), dtype="datetime64[us]")
    known: dict[tuple[str, str], np.datetime64] = {}
    for i, one in enumerate(column.tolist()):
        key = (one, zones[i]) if isinstance(one, str) else None
        if key is not None and key in known:
            out[i] = known[key]
            continue
        found = _instant(one, zones[i] if days else None)
        if found is None:
            raise _row_error(
                i + 1, "at", one,
                "the start of the slice, ISO 8601, from 1900 to 2200" + (", or a local day" if days else ""),
                "2027-03-01" if days else "2027-03-01T14:00:00Z",
            )  # fmt: skip
        out[i] = np.datetime64(found.replace(tzinfo=None), "us")
        if key is not None:
            known[key] = out[i]
    return out


def _instant(one: object, zone: str | None) -> datetime | None:
    """One start in UTC; None where it is none. A date alone is a local day of `zone`, where there is one."""
    try:
        if isinstance(one, str):
            if len(one) > 40:
                return None
            if _DAY.fullmatch(one):
                if zone is None:
                    return None
                moment = local_midnight(date.fromisoformat(one), zone_of(zone))
            else:
                moment = datetime.fromisoformat(one)
        elif isinstance(one, datetime):  # a pandas Timestamp is one too
            moment = one
        elif type(one) is date and zone is not None:
            moment = local_midnight(one, zone_of(zone))
        else:
            return None
        utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if 1900 <= utc.year <= 2200 else None


def _one(rows: pd.DataFrame, service: str, metric: Metric, zone: str, step: timedelta) -> Series:
    """One series, which ends with its last row even where that row has no value."""
    from dataclasses import replace

    first, last = rows["at"].min().to_pydatetime(), rows["at"].max().to_pydatetime()
    label = f"{service} {metric.name}"
    if (last - first) / step > MOST_SLICES:
        raise InputError(
            argument=f"at of {label}", came=f"{first.isoformat()} to {last.isoformat()}",
            allowed=f"at most {MOST_SLICES} slices of {step}", try_instead="look for a wrong year, or name the step",
        )  # fmt: skip
    try:
        end = slice_bounds(last.replace(tzinfo=UTC), step, zone, 1)[1].item().replace(tzinfo=UTC)
        made = build_history(rows, {metric.name: replace(metric, step=step)}, {service: zone}, end)
    except InputError as error:
        if not error.argument.startswith(("at", "start")):
            raise
        raise InputError(
            argument=f"at of {label}", came=error.came,
            allowed=f"starts of slices of {step} in {zone}; {error.allowed}",
            try_instead="a date alone for whole days, or params step, such as 1h",
        ) from error  # fmt: skip
    found = made.get(service, metric.name)
    if found is None:
        raise InputError(
            argument=f"value of {label}", came="no known value", allowed="one at least", try_instead="leave it out"
        )
    return found
