"""Turns columns of a database's answer into names, instants and numbers; every value is used, missing, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._cells import Place, in_range, read_names, read_times, refuse_infinite, time_hint, to_utc

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NUMBERS = frozenset({int, float, Decimal, type(None)})
_TIME_ALLOWED = "a timestamp, a date or an ISO 8601 text"


def sql_names(column: Sequence[Any], place: Place, name: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct names, sorted, and for each row the position of its name.

    Raises
    ------
    InputError
        For NULL, what is not text, and names that `read_names` refuses; with the row.

    Examples
    --------
    >>> sql_names(["b", "007", "b"], Place(file="sales", unit="row", first=1), "service")[0]
    ['007', 'b']
    """
    import pyarrow as pa

    if set(map(type, column)) - {str}:
        row = next(index for index, value in enumerate(column) if type(value) is not str)
        hint = "fill it in" if column[row] is None else f"CAST({name} AS text): 007 is not 7"
        raise place.problem(name, row, column[row], "a name as text", hint)
    return read_names(pa.array(column, pa.string()), place, name)


def sql_numbers(column: Sequence[Any], place: Place, name: str, cleaned: dict[str, int]) -> NDArray[np.float64]:
    """Return the numbers; NULL and NaN become NaN and are counted in `cleaned`.

    Raises
    ------
    InputError
        For text, booleans, other types and numbers that are not finite; with the row.

    Examples
    --------
    >>> counts = {}
    >>> sql_numbers([1, Decimal("2.5"), None], Place(file="sales", unit="row", first=1), "value", counts).tolist()
    [1.0, 2.5, nan]
    >>> counts
    {'NULL': 1}
    """
    types = set(map(type, column))
    if types - _NUMBERS:
        row = next(index for index, value in enumerate(column) if type(value) not in _NUMBERS)
        raise place.problem(name, row, column[row], "a number or NULL", f"CAST({name} AS double precision)")
    if types & {Decimal, int}:
        column = [_float(value, place, name, row) for row, value in enumerate(column)]
    values = np.array([np.nan if value is None else value for value in column], dtype=np.float64)
    empty = sum(value is None for value in column) if type(None) in types else 0
    for reason, count in (("NULL", empty), ("NaN", int(np.isnan(values).sum()) - empty)):
        if count:
            cleaned[reason] = cleaned.get(reason, 0) + count
    return refuse_infinite(values, place, name)


def _float(value: Any, place: Place, name: str, row: int) -> float | None:
    """Return the nearest float of a number."""
    try:
        if value is None:
            return None
        return float("nan") if isinstance(value, Decimal) and value.is_nan() else float(value)
    except (OverflowError, ValueError):
        raise place.problem(name, row, str(value)[:50], "a finite number", "NULL where unknown") from None


def sql_times(column: Sequence[Any], zone: str, place: Place, name: str, seen: dict[str, bool]) -> NDArray[np.int64]:
    """Return microseconds since 1970 UTC.

    Parameters
    ----------
    column : sequence
        Timestamps all with or all without a zone, dates (the beginning of the local day), or ISO 8601 texts.
    zone : str
        IANA zone of times without a zone of their own.
    place : Place
        For messages.
    name : str
        Name of the column.
    seen : dict
        What earlier parts of the same answer were like; added to.

    Raises
    ------
    InputError
        For NULL, other types, local times that do not exist or exist twice, and outside 1990-2100; with the row.

    Examples
    --------
    >>> place = Place(file="sales", unit="row", first=1)
    >>> sql_times([datetime(2027, 7, 1, 2)], "Europe/Berlin", place, "at", {}).astype("datetime64[us]").tolist()
    [datetime.datetime(2027, 7, 1, 0, 0)]
    """
    import pyarrow as pa

    types = set(map(type, column))
    kind = types.pop() if len(types) == 1 else next((t for t in (datetime, date, str) if t in types), type(None))
    if types or kind not in (datetime, date, str):
        row = next((i for i, value in enumerate(column) if type(value) is not kind or value is None), 0)
        if kind not in (datetime, date, str):
            row = 0
        came = column[row]
        hint = "fill in the time or leave the row out" if came is None else time_hint(str(came))
        shown = came if came is None or isinstance(came, (int, float)) else str(came)
        raise place.problem(name, row, shown, _TIME_ALLOWED, hint)
    if kind is str:
        return read_times(pa.array(column, pa.string()), zone, place, name, seen)
    if kind is date:
        return _local(np.array(column, dtype="datetime64[us]"), zone, place, name, bare=True)
    return _timestamps(column, zone, place, name, seen)


def _timestamps(
    column: Sequence[datetime], zone: str, place: Place, name: str, seen: dict[str, bool]
) -> NDArray[np.int64]:
    """Return the microseconds of timestamps that all have a zone, or all have none."""
    aware = np.array([value.tzinfo is not None for value in column], dtype=bool)
    usual = seen.setdefault("offsets", bool(aware.mean() >= 0.5))
    if (aware != usual).any():
        row = int(np.flatnonzero(aware != usual)[0])
        allowed = "all times with a zone, or none"
        raise place.problem(name, row, str(column[row]), allowed, "one type of timestamp for all rows")
    if not usual:
        return _local(np.array(column, dtype="datetime64[us]"), zone, place, name, bare=False)
    utc = [value.astimezone(UTC).replace(tzinfo=None) for value in column]
    return in_range(np.array(utc, dtype="datetime64[us]").astype(np.int64), place, name)


def _local(stamps: NDArray[Any], zone: str, place: Place, name: str, *, bare: bool) -> NDArray[np.int64]:
    """Return the microseconds of local times in `zone`."""
    import pandas as pd

    in_range(stamps.astype(np.int64), place, name)
    utc, wrong = to_utc(pd.DatetimeIndex(stamps), np.full(len(stamps), bare), zone)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = f"a local time that exists once in {zone} (the clocks change here)"
        raise place.problem(name, row, str(stamps[row]), allowed, "timestamps with a zone, or in UTC")
    micros = utc.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return in_range(np.asarray(micros, dtype=np.int64), place, name)
