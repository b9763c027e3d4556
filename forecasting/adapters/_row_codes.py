"""Canonical rows as arrays: a number for each series, microseconds, values; sorted, with what is wrong refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_COLUMNS = ("service", "metric", "at", "value")
_MOST_SHOWN = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class CodedRows:
    """Rows sorted by series and time, each time once."""

    series: NDArray[np.int32]
    at: NDArray[np.int64]
    """Microseconds since 1970 UTC."""
    value: NDArray[np.float64]
    """NaN = missing."""
    number: NDArray[np.int64] | None
    """Line or row of the input, where the source says it."""
    unit: str
    """``line`` or ``row``."""

    def take(self, which: NDArray[Any]) -> CodedRows:
        """Return some of the rows."""
        number = None if self.number is None else self.number[which]
        return CodedRows(
            series=self.series[which], at=self.at[which], value=self.value[which], number=number, unit=self.unit
        )


def coded_rows(rows: pd.DataFrame, known: dict[tuple[str, str], int], source: str) -> CodedRows:
    """Return rows as arrays; series that are not in `known` yet get the next numbers there.

    Parameters
    ----------
    rows : DataFrame
        service, metric, at (naive UTC), value (NaN = missing); an index named ``line`` or ``row`` says where each
        came from.
    known : dict
        Number of each (service, metric); added to.
    source : str
        Name for messages.

    Raises
    ------
    InputError
        For what no source should hand over: other columns or types, names that are empty, infinity, a time twice.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"service": ["b", "a"], "metric": ["m", "m"], "value": [1.0, 2.0],
    ...                      "at": pd.to_datetime(["2027-01-01", "2027-01-01"]).astype("datetime64[us]")})
    >>> known = {("a", "m"): 0}
    >>> coded_rows(rows, known, "a.csv").value.tolist(), known
    ([2.0, 1.0], {('a', 'm'): 0, ('b', 'm'): 1})
    """
    missing = [column for column in _COLUMNS if column not in rows.columns]
    if missing:
        raise _refused(source, f"no column {missing[0]}", ", ".join(_COLUMNS))
    stamps = rows["at"]
    if not str(stamps.dtype).startswith("datetime64") or stamps.dt.tz is not None or stamps.isna().any():
        raise _refused(source, f"at: {stamps.dtype}", "naive UTC times, none missing")
    at = stamps.to_numpy().astype("datetime64[us]").astype(np.int64)
    value = rows["value"].to_numpy(dtype=np.float64) + 0.0
    if np.isinf(value).any():
        raise _refused(source, "an infinite value", "finite numbers or NaN")
    series = _series(rows, known, source)
    unit = str(rows.index.name)
    number = rows.index.to_numpy().astype(np.int64) if unit in ("line", "row") else None
    found = CodedRows(series=series, at=at, value=value, number=number, unit=unit)
    if not _is_sorted(series, at):
        # Sources sort by name, so that sorting by number mostly moves whole series.
        order = np.argsort(series, kind="stable")
        if not _is_sorted(series[order], at[order]):
            order = np.lexsort((at, series))
        found = found.take(order)
    if ((found.series[1:] == found.series[:-1]) & (found.at[1:] == found.at[:-1])).any():
        raise _refused(source, "a time twice", "one value for each service, metric and time")
    return found


def _series(rows: pd.DataFrame, known: dict[tuple[str, str], int], source: str) -> NDArray[np.int32]:
    """Return the number of each row's series, giving new ones to new series."""
    import pandas as pd

    codes, names = [], []
    for column in ("service", "metric"):
        code, name = pd.factorize(rows[column], sort=True)
        if (code < 0).any() or not all(isinstance(text, str) and text for text in name):
            raise _refused(source, f"{column} without a name", "text that is not empty")
        codes.append(code.astype(np.int64))
        names.append(list(name))
    width = max(len(names[1]), 1)
    key = codes[0] * width + codes[1]
    there = np.zeros(len(names[0]) * width, dtype=bool)
    there[key] = True
    table = np.full(len(there), -1, dtype=np.int32)
    for pair in np.flatnonzero(there).tolist():
        table[pair] = known.setdefault((names[0][pair // width], names[1][pair % width]), len(known))
    return np.asarray(table[key], dtype=np.int32)


def _is_sorted(series: NDArray[np.int32], at: NDArray[np.int64]) -> bool:
    """Tell whether the rows are in order of series and time."""
    step = series[1:] - series[:-1]
    return bool(((step > 0) | ((step == 0) & (at[1:] >= at[:-1]))).all())


def conflict(
    rows: CodedRows, stored: NDArray[np.float64], names: list[tuple[str, str]], source: str, *, own: bool
) -> InputError:
    """Make the error for rows whose time is stored with another value.

    Parameters
    ----------
    rows : CodedRows
        The rows that came.
    stored : array
        For each of them the value that is stored.
    names : list
        Service and metric by number of the series.
    source : str
        Name for the message.
    own : bool
        True where the other value came from the same source in the same ingest.

    Examples
    --------
    >>> rows = CodedRows(series=np.zeros(1, dtype=np.int32), at=np.zeros(1, dtype=np.int64), value=np.ones(1),
    ...     number=np.array([7]), unit="line")
    >>> conflict(rows, np.zeros(1), [("shop", "orders")], "a.csv", own=False).came
    'shop orders 1970-01-01T00:00:00Z: stored 0, now 1 (line 7)'
    """
    order = np.arange(len(rows.at)) if rows.number is None else np.argsort(rows.number, kind="stable")
    shown = []
    for index in order[:_MOST_SHOWN].tolist():
        service, metric = names[int(rows.series[index])]
        when = str(np.datetime64(int(rows.at[index]), "us")).removesuffix(".000000")
        where = "" if rows.number is None else f" ({rows.unit} {rows.number[index]})"
        word = "before" if own else "stored"
        shown.append(f"{service} {metric} {when}Z: {word} {stored[index]:g}, now {rows.value[index]:g}{where}")
    more = f" and {len(rows.at) - _MOST_SHOWN} more" if len(rows.at) > _MOST_SHOWN else ""
    line = int(rows.number[order[0]]) if rows.number is not None and rows.unit == "line" else None
    if own:
        argument, allowed = "duplicate", "one value for each service, metric and time (nothing was written)"
        hint = "remove one, or declare duplicates: last, mean or max"
    else:
        argument, allowed = f"{len(rows.at)} rows", "the value that is stored (nothing was written)"
        hint = "correct the file, or declare corrections: restate to keep both with the later one valid"
    return InputError(
        argument=argument, came="; ".join(shown) + more, allowed=allowed, try_instead=hint, file=source, line=line
    )


def _refused(source: str, came: str, allowed: str) -> InputError:
    """Make the error for rows that are not canonical."""
    return InputError(argument="rows", came=came, allowed=allowed, try_instead="read them with a source", file=source)
