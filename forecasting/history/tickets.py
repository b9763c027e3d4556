"""Tickets as they stood at a cut-off."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import as_utc
from forecasting.history.intervals import micros
from forecasting.terms.errors import InputError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def pauses_of(text: str) -> list[tuple[datetime, datetime | None]]:
    """Return the pauses of a ticket as UTC instants; an end of None = still paused.

    Raises
    ------
    InputError
        If the text is not a JSON list of pairs of instants with a zone, or a pause ends before it begins.

    Examples
    --------
    >>> [(a.hour, b) for a, b in pauses_of('[["2027-03-01T08:00:00Z", null]]')]
    [(8, None)]
    """
    if text == "[]":
        return []
    try:
        pairs = [(start, end) for start, end in json.loads(text)]
        found = [(_instant(a), None if b is None else _instant(b)) for a, b in pairs]
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(text) from error
    if any(end is not None and end < start for start, end in found):
        raise _unusable(text)
    return found


def micros_of(column: pd.Series) -> NDArray[np.int64]:
    """Return a column of times as microseconds since 1970 UTC, shape (n,); the smallest integer where it is NaT.

    Examples
    --------
    >>> import pandas as pd
    >>> micros_of(pd.Series(pd.to_datetime(["1970-01-01 00:01"]))).tolist()
    [60000000]
    """
    return np.asarray(column.to_numpy().astype("datetime64[us]").astype(np.int64), np.int64)


def merged_pauses(
    tickets: pd.DataFrame, opened: NDArray[np.int64], closed: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the pauses of many tickets in one table: sorted by ticket and time, overlapping ones as one.

    Parameters
    ----------
    tickets : DataFrame
        With the column pauses.
    opened, closed : ndarray of int64, shape (n,)
        Stretch of each ticket to which its pauses are cut; a pause without an end lasts to `closed`.

    Returns
    -------
    rows, starts, ends : ndarray of int64, shape (k,)
        Position of the ticket, start and end of the pause in microseconds since 1970 UTC.

    Examples
    --------
    >>> import pandas as pd
    >>> text = '[["1970-01-01T00:00:03Z", null], ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z"]]'
    >>> two = pd.DataFrame({"pauses": ["[]", text]})
    >>> [a.tolist() for a in merged_pauses(two, np.array([0, 0]), np.array([9_000_000, 9_000_000]))]
    [[1, 1], [1000000, 3000000], [2000000, 9000000]]
    """
    rows: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    texts = tickets["pauses"].tolist()
    for k in np.flatnonzero((tickets["pauses"] != "[]").to_numpy()).tolist():
        first, last = int(opened[k]), int(closed[k])
        reach = first
        for start, end in sorted(
            (max(micros(a), first), last if b is None else min(micros(b), last)) for a, b in pauses_of(str(texts[k]))
        ):
            if end <= start or end <= reach:
                continue
            if rows and rows[-1] == k and start <= reach:
                ends[-1] = end
            else:
                rows.append(k)
                starts.append(start)
                ends.append(end)
            reach = end
    return np.array(rows, np.int64), np.array(starts, np.int64), np.array(ends, np.int64)


def _instant(text: str) -> datetime:
    """Return an instant from its text, which must say its zone."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return as_utc(at)


def _unusable(text: str) -> InputError:
    """The error for pauses that cannot be read."""
    return InputError(
        argument="pauses of a ticket",
        came=text,
        allowed="a JSON list of [start, end] pairs of UTC instants, end null = still paused, no end before its start",
        try_instead='[["2027-03-01T08:00:00Z", "2027-03-01T09:30:00Z"]]',
    )


def tickets_known(frame: pd.DataFrame, cut_off: datetime) -> pd.DataFrame:
    """Return the tickets as they stood at a cut-off: nothing that happened at or after it.

    Tickets opened at or after it are left out, responses and resolutions at or after it are NaT, a pause that begins
    at or after it is dropped, and one that ends at or after it is still open.

    Parameters
    ----------
    frame : DataFrame
        Columns of `terms.ticket.TICKET_COLUMNS`; not changed.
    cut_off : datetime
        UTC instant.

    Raises
    ------
    InputError
        If a column is missing or pauses cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import UTC
    >>> def at(*texts): return pd.to_datetime(list(texts)).astype("datetime64[us]")
    >>> two = pd.DataFrame({"service": "a", "ticket": ["1", "2"], "kind": "incident", "priority": "1",
    ...     "opened": at("2027-03-01 08:00", "2027-03-01 12:00"), "responded": at(None, None),
    ...     "resolved": at("2027-03-01 11:00", None), "pauses": "[]"})
    >>> known = tickets_known(two, datetime(2027, 3, 1, 10, tzinfo=UTC))
    >>> known["ticket"].tolist(), known["resolved"].isna().tolist()
    (['1'], [True])
    """
    import pandas as pd

    if absent := [name for name in TICKET_COLUMNS if name not in frame.columns]:
        raise InputError(
            argument="columns of tickets",
            came=list(frame.columns),
            allowed=", ".join(TICKET_COLUMNS),
            try_instead=f"add {', '.join(absent)}",
        )
    cut = as_utc(cut_off)
    limit = pd.Timestamp(cut.replace(tzinfo=None))
    known = frame.loc[frame["opened"] < limit].copy()
    for column in ("responded", "resolved"):
        known[column] = known[column].where(known[column] < limit)
    paused = known["pauses"] != "[]"
    if paused.any():
        known.loc[paused, "pauses"] = [_pauses_known(text, cut) for text in known.loc[paused, "pauses"]]
    return known


def _pauses_known(text: str, cut: datetime) -> str:
    """Return the pauses of a ticket as they stood at the cut-off; the same text where nothing changes."""
    pauses = pauses_of(text)
    begun = [(start, end if end is not None and end < cut else None) for start, end in pauses if start < cut]
    if begun == pauses:
        return text
    return json.dumps([[_text(start), None if end is None else _text(end)] for start, end in begun])


def _text(at: datetime) -> str:
    """Return an instant as text."""
    return at.isoformat().replace("+00:00", "Z")
