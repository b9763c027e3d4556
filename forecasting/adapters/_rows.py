"""Canonical rows (service, metric, at, value): checks that need whole rows, duplicates, order and identity."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.adapters._cells import Place
from forecasting.adapters._fields import listed, nearest
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

DuplicatePolicy = Literal["refuse", "last", "mean", "max"]


def canonical_rows(
    *,
    services: tuple[list[str], NDArray[np.int64]],
    metrics: tuple[list[str], NDArray[np.int64]],
    at: NDArray[np.int64],
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: Mapping[str, str],
    known: Mapping[str, Metric],
    duplicates: DuplicatePolicy,
    cleaned: dict[str, int],
    place: Place,
) -> pd.DataFrame:
    """Return checked rows, sorted by service, metric and time, one for each of them.

    Parameters
    ----------
    services, metrics : (list of str, array of shape (n,))
        Sorted names, and for each row the position of its name.
    at : array of shape (n,)
        Microseconds since 1970 UTC.
    values : array of shape (n,)
        NaN = missing.
    rows : array of shape (n,)
        Row of the file (from 0) each came from.
    columns : mapping
        Name in the file of the column that holds a metric (wide), for messages.
    known : mapping
        What the metrics mean.
    duplicates : str
        What to do with two different values at one time.
    cleaned : dict
        Counts by reason; added to.
    place : Place
        For messages.

    Returns
    -------
    DataFrame
        service, metric, at (datetime64[us], naive UTC), value; the index holds the line (or row) of the file.

    Raises
    ------
    InputError
        For impossible values and for duplicates that the policy refuses.
    """
    import pandas as pd

    (service_names, service_codes), (metric_names, metric_codes) = services, metrics
    _check_bounds(metric_names, metric_codes, values, rows, columns, known, place)
    key = service_codes * len(metric_names) + metric_codes
    # The mean of a group must not depend on the order of the file, so its values are put in order first.
    order = np.lexsort((values, at, key) if duplicates == "mean" else (rows, at, key))
    key, at, values, rows = key[order], at[order], values[order], rows[order]
    fresh = np.ones(len(key), dtype=bool)
    fresh[1:] = (key[1:] != key[:-1]) | (at[1:] != at[:-1])
    starts = np.flatnonzero(fresh)
    if len(starts) < len(key):
        names = [f"{s} {m}" for s in service_names for m in metric_names]
        values = _merge(values, at, rows, starts, key, names, duplicates, cleaned, place)
        key, at, rows = key[starts], at[starts], np.minimum.reduceat(rows, starts)
    width = max(len(metric_names), 1)
    index = pd.Index(rows + place.first, name=place.unit)
    return pd.DataFrame(
        {
            "service": pd.Index(service_names).take(key // width).to_numpy(),
            "metric": pd.Index(metric_names).take(key % width).to_numpy(),
            "at": at.view("datetime64[us]"),
            "value": values,
        },
        index=index,
    )


def _merge(
    values: NDArray[np.float64],
    at: NDArray[np.int64],
    rows: NDArray[np.int64],
    starts: NDArray[np.intp],
    key: NDArray[np.int64],
    names: list[str],
    policy: DuplicatePolicy,
    cleaned: dict[str, int],
    place: Place,
) -> NDArray[np.float64]:
    """Return one value for each group of rows of one service, metric and time."""
    sizes = np.diff(np.append(starts, len(values)))
    lowest, highest = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    differing = lowest < highest
    if policy == "refuse" and differing.any():
        groups = np.flatnonzero(differing)
        first = min(groups, key=lambda g: int(rows[starts[g] : starts[g] + sizes[g]].min()))
        part = slice(int(starts[first]), int(starts[first] + sizes[first]))
        by_row = sorted((int(r), float(v)) for r, v in zip(rows[part], values[part], strict=True) if v == v)
        other = next(pair for pair in by_row if pair[1] != by_row[0][1])
        when = str(np.datetime64(int(at[part][0]), "us")).removesuffix(".000000")
        here, there = place.first + by_row[0][0], place.first + other[0]
        first_said, then_said = (f"{v:g} ({place.unit} {n})" for v, n in ((by_row[0][1], here), (other[1], there)))
        came = f"{names[key[part][0]]} at {when}Z: {first_said}, {then_said}"
        allowed = "one value for each service, metric and time"
        raise place.problem(
            "duplicate", other[0], came, allowed, "remove one, or declare duplicates: last, mean or max"
        )
    same = int((sizes[~differing] - 1).sum())
    resolved = int((sizes[differing] - 1).sum())
    if same:
        cleaned["duplicate row, same value"] = cleaned.get("duplicate row, same value", 0) + same
    if resolved:
        reason = f"duplicate row, {policy} taken"
        cleaned[reason] = cleaned.get(reason, 0) + resolved
    if policy == "last":
        position = np.where(np.isnan(values), -1, np.arange(len(values)))
        last = np.maximum.reduceat(position, starts)
        return np.where(last < 0, np.nan, values[last])
    if policy == "mean":
        present = np.add.reduceat((~np.isnan(values)).astype(np.int64), starts)
        total = np.add.reduceat(np.nan_to_num(values), starts)
        mean = np.divide(total, present, out=np.full(len(starts), np.nan), where=present > 0)
        return np.where(differing, mean, highest)
    return np.asarray(highest, dtype=np.float64)


def _check_bounds(
    names: list[str],
    codes: NDArray[np.int64],
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: Mapping[str, str],
    known: Mapping[str, Metric],
    place: Place,
) -> None:
    """Refuse values that the kind of the metric makes impossible."""
    low = np.array([-np.inf if known[n].kind is MetricKind.REAL else 0.0 for n in names])
    high = np.array([1.0 if known[n].kind is MetricKind.RATIO else np.inf for n in names])
    if not len(names):
        return
    wrong = (values < low[codes]) | (values > high[codes])
    if not wrong.any():
        return
    found = np.flatnonzero(wrong)
    at = int(found[np.argmin(rows[found])])
    metric, value = known[names[int(codes[at])]], float(values[at])
    if metric.kind is MetricKind.RATIO:
        hint = (
            "divide by 100 (looks like percent)" if 1 < value <= 100 else "a share; declare another kind if it is none"
        )
        allowed = f"0 to 1 ({metric.name} is a ratio)"
    else:
        hint = "an empty cell where unknown, or declare kind: real if it may be negative"
        allowed = f"0 or more ({metric.name} is of kind {metric.kind.value})"
    raise place.problem(columns.get(metric.name, metric.name), int(rows[at]), value, allowed, hint)


def check_metrics(
    names: list[str], codes: NDArray[np.int64], allowed: Collection[str], place: Place, column: str
) -> None:
    """Refuse metric names that are not declared in the project, naming the first row and the nearest name.

    Raises
    ------
    InputError
        For the name that occurs first.

    Examples
    --------
    >>> place = Place(file="a.csv", unit="line", first=2)
    >>> check_metrics(["orders"], np.zeros(2, dtype=np.int64), ["orders"], place, "metric")
    """
    unknown = np.array([name not in allowed for name in names], dtype=bool)
    if unknown.any():
        row = int(np.flatnonzero(unknown[codes])[0])
        name = names[int(codes[row])]
        hint = nearest(name, allowed) or f"declare {name} in forecasting.yaml"
        raise place.problem(column, row, name, f"a declared metric ({listed(allowed)})", hint)


def check_services(rows: pd.DataFrame, known: Collection[str], source: str) -> None:
    """Refuse rows of a service that the catalogue does not have.

    Parameters
    ----------
    rows : DataFrame
        Canonical rows as a source returns them (the index holds the line or row of the file).
    known : collection of str
        Names of the services in the catalogue.
    source : str
        Name of the file for the message.

    Raises
    ------
    InputError
        For the unknown service that occurs first in the file, with the nearest known name.

    Examples
    --------
    >>> import pandas as pd
    >>> check_services(pd.DataFrame({"service": ["shop"]}, index=pd.Index([2], name="line")), {"shop"}, "a.csv")
    """
    unknown = rows[~rows["service"].isin(list(known))]
    if unknown.empty:
        return
    number = int(unknown.index.min())
    name = str(unknown["service"].iloc[int(np.argmin(unknown.index.to_numpy()))])
    count = unknown["service"].nunique()
    lines = rows.index.name == "line"
    raise InputError(
        argument="service" if lines else f"service (row {number})",
        came=name if count == 1 else f"{name} and {count - 1} more",
        allowed=f"a service of the catalogue ({listed(known)})",
        try_instead=nearest(name, known) or f"add a Service document for {name}",
        file=source,
        line=number if lines else None,
    )


def rows_sha256(rows: pd.DataFrame) -> str:
    """Return the identity of canonical rows: the same whatever their order.

    Parameters
    ----------
    rows : DataFrame
        service, metric, at (naive UTC), value.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"service": ["b", "a"], "metric": ["m", "m"], "value": [1.0, 2.0],
    ...                      "at": pd.to_datetime(["2027-01-01", "2027-01-01"]).astype("datetime64[us]")})
    >>> rows_sha256(rows) == rows_sha256(rows[::-1])
    True
    """
    import pandas as pd

    digest = hashlib.sha256()
    ranks = []
    for column in ("service", "metric"):
        codes, names = pd.factorize(rows[column], sort=True)
        texts = [str(name).encode() for name in names]
        digest.update(b"".join(len(text).to_bytes(4, "little") + text for text in texts) + b"\n")
        ranks.append(codes.astype("<i8"))
    at = rows["at"].to_numpy().astype("datetime64[us]").astype("<i8")
    values = rows["value"].to_numpy(dtype="<f8") + 0.0
    values = np.where(np.isnan(values), np.nan, values)
    order = np.lexsort((values, at, ranks[1], ranks[0]))
    for array in (*ranks, at, values):
        digest.update(np.ascontiguousarray(array[order]).tobytes())
    return digest.hexdigest()
