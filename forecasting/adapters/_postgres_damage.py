"""Compares what is stored in PostgreSQL with what the batches say was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._postgres_copy import blocks, copy_out
from forecasting.adapters._postgres_intake import FIELDS
from forecasting.adapters._row_digest import RowDigest, series_keys
from forecasting.adapters._ticket_rows import no_tickets, tickets_sha256
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from psycopg import Connection


def damages_of(connection: Connection) -> tuple[str, ...]:
    """Return what was changed, removed or added since it was written (empty = nothing)."""
    facts = connection.execute(
        "SELECT id, what, source, rows_new + rows_restated, stored_sha256 FROM batch ORDER BY id"
    ).fetchall()
    content, tickets = _content(connection), _tickets_by_batch(connection)
    damages = []
    for number, what, source, written, digest in facts:
        if what == "tickets":
            part = tickets.pop(number, None)
            count, found = (0, "") if part is None else (len(part), tickets_sha256(part))
        else:
            sums = content.pop(number, RowDigest())
            count, found = sums.count, sums.hexdigest()
        if count != written:
            damages.append(f"batch {number} ({source}): {count} rows, {written} were written")
        elif found != digest:
            damages.append(f"batch {number} ({source}): its rows are not those that were written")
    for number in sorted({*content, *tickets}):
        damages.append(f"batch {number}: rows without an entry in the list of batches")
    if [fact[0] for fact in facts] != list(range(1, len(facts) + 1)):
        damages.append("the numbers of the batches have gaps")
    return tuple(damages)


def _content(connection: Connection) -> dict[int, RowDigest]:
    """Return what the rows of each batch add up to, read in blocks."""
    keys = stored_keys(connection)
    digests: dict[int, RowDigest] = {}
    query = "SELECT series, at, value, batch FROM metric_row ORDER BY batch"
    for codes, at, values, batch in blocks(copy_out(connection, query), (*FIELDS[:3], "i4"), at=1):
        starts = np.flatnonzero(np.diff(batch, prepend=-1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(batch)], strict=True):
            some = slice(start, end)
            listed = codes[some] < len(keys)
            digest = digests.setdefault(int(batch[start]), RowDigest())
            digest.add(keys, codes[some][listed], at[some][listed], values[some][listed])
            digest.count += int((~listed).sum())
    return digests


def _tickets_by_batch(connection: Connection) -> dict[int, pd.DataFrame]:
    """Return the rows of tickets by the batch they came in."""
    import pandas as pd

    rows = connection.execute(f"SELECT {', '.join(TICKET_COLUMNS)}, batch FROM ticket_row ORDER BY batch").fetchall()  # noqa: S608
    if not rows:
        return {}
    frame = pd.DataFrame(rows, columns=[*TICKET_COLUMNS, "batch"]).astype(no_tickets().dtypes.to_dict())
    return {int(str(number)): part.drop(columns="batch") for number, part in frame.groupby("batch")}


def stored_keys(connection: Connection) -> NDArray[np.uint64]:
    """Return the keys of all stored series, by number (see `series_keys`)."""
    names = {row[0]: (row[1], row[2]) for row in connection.execute("SELECT id, service, metric FROM series")}
    return series_keys([names.get(code, ("", "")) for code in range(max(names, default=-1) + 1)])
