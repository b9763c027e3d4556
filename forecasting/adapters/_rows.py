"""Canonical rows (service, metric, at, value): checks that need whole rows, duplicates, order and identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.adapters._cells import Place
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._row_digest import rows_sha256 as rows_sha256
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

DuplicatePolicy = Literal["refuse", "last", "mean", "max"]

MOST_ROWS_WHOLE = 20_000_000
"""Most rows where duplicates are resolved: that needs all rows of the file at once."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RawRows:
    """Rows as a part of a file has them: unsorted, perhaps with duplicates."""

    services: tuple[list[str], NDArray[np.int64]]
    """Sorted names, and for each row the position of its name."""
    metrics: tuple[list[str], NDArray[np.int64]]
    at: NDArray[np.int64]
    """Microseconds since 1970 UTC."""
    values: NDArray[np.float64]
    """NaN = missing."""
    rows: NDArray[np.int64]
    """Row of the file, from 0."""
    cleaned: dict[str, int] = field(default_factory=dict)


def raw_rows(
    services: tuple[list[str], NDArray[np.int64]],
    at: NDArray[np.int64],
    first: int,
    cleaned: dict[str, int],
    *,
    long: tuple[tuple[list[str], NDArray[np.int64]], NDArray[np.float64]] | None = None,
    wide: Mapping[str, NDArray[np.float64]] | None = None,
) -> RawRows:
    """Return the rows of a part: of its metric and value columns (long), or of one column for each metric (wide)."""
    row = np.arange(first, first + len(at))
    if long is not None:
        metrics, values = long
        return RawRows(services=services, metrics=metrics, at=at, values=values, rows=row, cleaned=cleaned)
    columns = wide or {}
    names = sorted(columns)
    return RawRows(
        services=(services[0], np.tile(services[1], len(names))),
        metrics=(names, np.repeat(np.arange(len(names)), len(row))),
        at=np.tile(at, len(names)),
        values=np.concatenate([columns[name] for name in names]),
        rows=np.tile(row, len(names)),
        cleaned=cleaned,
    )


def frames_of(
    parts: Iterable[RawRows], spec: SourceSpec, known: Mapping[str, Metric], place: Place, value: str
) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
    """Yield each part as canonical rows; all in one where duplicates are resolved.

    Parameters
    ----------
    parts : iterable of RawRows
    spec : SourceSpec
    known : mapping
        What the metrics mean.
    place : Place
        Of the first row of the file.
    value : str
        Column of the values in the long layout, for messages.

    Raises
    ------
    InputError
        For impossible values, duplicates that the policy refuses, and more rows than can be resolved.
    """
    if spec.duplicates == "refuse":
        for part in parts:
            yield _canonical(part, spec, known, place, value)
        return
    collected, count = [], 0
    for part in parts:
        collected.append(part)
        count += len(part.at)
        if count > MOST_ROWS_WHOLE:
            raise InputError(
                argument="rows",
                came=f"more than {MOST_ROWS_WHOLE} rows with duplicates: {spec.duplicates}",
                allowed=f"at most {MOST_ROWS_WHOLE} rows where duplicates are resolved",
                try_instead="duplicates: refuse, or split the file",
                file=place.file,
            )
    if collected:
        yield _canonical(_joined(collected), spec, known, place, value)


def whole_frame(
    parts: Iterable[RawRows], spec: SourceSpec, known: Mapping[str, Metric], place: Place, value: str
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """Return all parts as one frame of canonical rows; parameters as in `frames_of`."""
    return _canonical(_joined(list(parts)), spec, known, place, value)


def _canonical(
    part: RawRows, spec: SourceSpec, known: Mapping[str, Metric], place: Place, value: str
) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """Return rows in canonical form with what was cleaned."""
    frame = canonical_rows(
        services=part.services,
        metrics=part.metrics,
        at=part.at,
        values=part.values,
        rows=part.rows,
        columns=dict.fromkeys(part.metrics[0], value) if spec.layout == "long" else {},
        known=known,
        duplicates=spec.duplicates,
        cleaned=part.cleaned,
        place=place,
    )
    return frame, part.cleaned


def _joined(parts: list[RawRows]) -> RawRows:
    """Return several parts as one."""
    if len(parts) == 1:
        return parts[0]
    cleaned: dict[str, int] = {}
    for part in parts:
        for reason, count in part.cleaned.items():
            cleaned[reason] = cleaned.get(reason, 0) + count
    return RawRows(
        services=_joined_names([part.services for part in parts]),
        metrics=_joined_names([part.metrics for part in parts]),
        at=np.concatenate([part.at for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        cleaned=cleaned,
    )


def _joined_names(parts: list[tuple[list[str], NDArray[np.int64]]]) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of all parts, sorted, and the positions of all rows among them."""
    names = sorted({name for found, _ in parts for name in found})
    place = {name: index for index, name in enumerate(names)}
    moved = [np.array([place[name] for name in found], dtype=np.int64)[codes] for found, codes in parts]
    return names, np.concatenate(moved)


def declared_sha256(spec: SourceSpec, metrics: Mapping[str, Metric]) -> str:
    """Return the identity of how a file is read: what was read otherwise is not known by its content alone.

    Examples
    --------
    >>> spec = SourceSpec(name="a", path="a.csv")
    >>> declared_sha256(spec, {}) == declared_sha256(SourceSpec(name="a", path="a.csv", zone="Europe/Berlin"), {})
    False
    """
    kinds = {name: metric.kind.value for name, metric in sorted(metrics.items())}
    how = [spec.layout, dict(sorted(spec.columns.items())), list(spec.metrics), spec.zone, spec.duplicates, kinds]
    return hashlib.sha256(json.dumps(how).encode()).hexdigest()


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
