"""Reads metric rows and tickets from PostgreSQL: the latest version of each, as the store stood after a batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._postgres_copy import copy_out, decode
from forecasting.adapters._ticket_rows import no_tickets
from forecasting.terms.errors import InputError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from psycopg import Connection


def one(connection: Connection, query: str) -> tuple[Any, ...]:
    """Return the single row of a query of ours."""
    found = connection.execute(query).fetchone()
    assert found is not None
    return tuple(found)


def read_rows(
    connection: Connection,
    *,
    until: datetime | None,
    services: Sequence[str] | None,
    metrics: Sequence[str] | None,
    batch: int | None,
) -> pd.DataFrame:
    """Return rows sorted by service, metric and time; parameters as in `MetricStore.read`."""
    import pandas as pd

    names = connection.execute(
        "SELECT id, service, metric FROM series WHERE (%(services)s::text[] IS NULL OR service = ANY(%(services)s))"
        " AND (%(metrics)s::text[] IS NULL OR metric = ANY(%(metrics)s)) ORDER BY service, metric",
        {"services": _storable(services), "metrics": _storable(metrics)},
    ).fetchall()
    some = None if services is None and metrics is None else [row[0] for row in names]
    query, values = _versions(connection, until, batch, some)
    codes, at, value = decode(copy_out(connection, query, values), ("i4", "i8", "f8"), at=1)
    ranks = _ranks(names)[codes] if len(codes) else codes.astype(np.int64)
    order = np.lexsort((at, ranks))
    texts = {
        title: pd.Index([str(row[part]) for row in names], dtype="str").take(ranks[order])
        for part, title in ((1, "service"), (2, "metric"))
    }
    rows = pd.DataFrame({**texts, "at": at[order].view("datetime64[us]"), "value": value[order]})
    return rows.reset_index(drop=True)


def read_extent(connection: Connection, *, until: datetime | None, batch: int | None) -> pd.DataFrame:
    """Return number of rows, first and last time of every series; parameters as in `MetricStore.extent`."""
    import pandas as pd

    query, values = _versions(connection, until, batch, None)
    found = connection.execute(
        "SELECT service, metric, count(*), min(at), max(at)"  # noqa: S608
        f" FROM ({query}) AS r JOIN series AS s ON s.id = r.series GROUP BY service, metric ORDER BY service, metric",
        values,
    ).fetchall()
    frame = pd.DataFrame(found, columns=["service", "metric", "rows", "first", "last"])
    times = {"first": "datetime64[us]", "last": "datetime64[us]"}
    return frame.astype({"service": "str", "metric": "str", "rows": "int64", **times})


def read_latest_tickets(connection: Connection, services: Sequence[str] | None, batch: int | None) -> pd.DataFrame:
    """Return the latest version of every ticket (of some services), sorted by service and ticket."""
    import pandas as pd

    _check_batch(connection, batch)
    rows = connection.execute(
        "SELECT DISTINCT ON (service, ticket) service, ticket, kind, priority, opened, responded, resolved, pauses"
        " FROM ticket_row WHERE (%(services)s::text[] IS NULL OR service = ANY(%(services)s))"
        " AND (%(batch)s::int IS NULL OR batch <= %(batch)s) ORDER BY service, ticket, batch DESC",
        {"services": _storable(services), "batch": batch},
    ).fetchall()
    empty = no_tickets()
    return pd.DataFrame(rows, columns=list(TICKET_COLUMNS)).astype(empty.dtypes.to_dict()) if rows else empty


def _versions(
    connection: Connection, until: datetime | None, batch: int | None, some: list[int] | None
) -> tuple[str, dict[str, object]]:
    """Return the query for the latest version of rows, and its parameters."""
    _check_batch(connection, batch)
    limit = until if until is None or until.tzinfo is None else until.astimezone(UTC).replace(tzinfo=None)
    given: dict[str, object] = {
        "at < %(until)s": limit,
        "batch <= %(batch)s": batch,
        "series = ANY(%(some)s::int[])": some,
    }
    where = " AND ".join(clause for clause, value in given.items() if value is not None) or "true"
    restated = one(connection, "SELECT EXISTS (SELECT 1 FROM batch WHERE what = 'rows' AND rows_restated > 0)")[0]
    values: dict[str, object] = {"until": limit, "batch": batch, "some": some}
    if not restated:  # every time has one version, so that nothing needs to be sorted by the server
        return f"SELECT series, at, value FROM metric_row WHERE {where}", values  # noqa: S608
    latest = f"SELECT DISTINCT ON (series, at) series, at, value FROM metric_row WHERE {where}"  # noqa: S608
    return f"{latest} ORDER BY series, at, batch DESC", values


def _check_batch(connection: Connection, batch: int | None) -> None:
    """Refuse the number of a batch that is not there."""
    head = one(connection, "SELECT coalesce(max(id), 0) FROM batch")[0]
    if batch is not None and not 0 <= batch <= head:
        raise InputError(argument="batch", came=batch, allowed=f"0 to {head}", try_instead=f"{head}, the last one")


def _storable(names: Sequence[str] | None) -> list[str] | None:
    """Return the names that a PostgreSQL database can hold at all; None stays None."""
    if names is None:
        return None
    return [name for name in names if "\0" not in name and name == name.encode("utf-8", "replace").decode("utf-8")]


def _ranks(names: Sequence[tuple[Any, ...]]) -> NDArray[np.int64]:
    """Return the place of each series, by its number, in a list of (number, service, metric)."""
    ranks = np.zeros(max((row[0] for row in names), default=-1) + 1, dtype=np.int64)
    for place, row in enumerate(names):
        ranks[row[0]] = place
    return ranks
