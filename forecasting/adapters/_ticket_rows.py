"""Ticket rows (columns of `terms.ticket.TICKET_COLUMNS`) on their way to a store: checks, comparison, identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.errors import InputError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_TIMES = ("opened", "responded", "resolved")
_NAMES = ("service", "ticket")


@dataclass(frozen=True, kw_only=True)
class TicketChanges:
    """Which tickets of a delivery are new, which are known in another state, and how many are known as they are."""

    new: pd.DataFrame
    restated: pd.DataFrame
    known: int


def checked_tickets(tickets: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the columns of tickets in their types.

    Parameters
    ----------
    tickets : DataFrame
        Columns of `TICKET_COLUMNS`.
    source : str
        Name for messages.

    Raises
    ------
    InputError
        For a missing column, a time that is no naive UTC time, a ticket without name or opening, or one twice.

    Examples
    --------
    >>> import pandas as pd
    >>> tickets = pd.DataFrame({name: ["a"] for name in TICKET_COLUMNS})
    >>> for name in ("opened", "responded", "resolved"):
    ...     tickets[name] = pd.to_datetime(["2027-03-01"])
    >>> str(checked_tickets(tickets, "desk")["opened"].dtype)
    'datetime64[us]'
    """
    missing = [column for column in TICKET_COLUMNS if column not in tickets.columns]
    if missing:
        raise _refused(source, f"no column {missing[0]}", ", ".join(TICKET_COLUMNS))
    frame = tickets[list(TICKET_COLUMNS)].reset_index(drop=True)
    for column in TICKET_COLUMNS:
        if column in _TIMES:
            if not str(frame[column].dtype).startswith("datetime64") or frame[column].dt.tz is not None:
                raise _refused(source, f"{column}: {frame[column].dtype}", "naive UTC times")
            frame[column] = frame[column].astype("datetime64[us]")
        elif frame[column].isna().any() or not all(isinstance(text, str) for text in frame[column].unique()):
            raise _refused(source, f"{column}: something that is not text", "text, empty where unknown")
    if frame["opened"].isna().any():
        raise _refused(source, "a ticket without the time it was opened", "opened in every row")
    if (frame[list(_NAMES)] == "").any().any():
        raise _refused(source, "a ticket without service or name", "both in every row")
    twice = frame.duplicated(list(_NAMES))
    if twice.any():
        name = frame.loc[twice, "ticket"].iloc[0]
        raise _refused(source, f"ticket {name} twice", "one row for each ticket of a service")
    return frame


def compare_tickets(tickets: pd.DataFrame, stored: pd.DataFrame) -> TicketChanges:
    """Split checked tickets by what is stored of them (the latest version of each).

    Examples
    --------
    >>> import pandas as pd
    >>> tickets = pd.DataFrame({name: ["a"] for name in TICKET_COLUMNS})
    >>> for name in ("opened", "responded", "resolved"):
    ...     tickets[name] = pd.to_datetime(["2027-03-01"])
    >>> changes = compare_tickets(tickets, tickets.assign(priority="1"))
    >>> len(changes.new), len(changes.restated), changes.known
    (0, 1, 0)
    """
    latest = {(text[0], text[1]): text for text in _contents(stored)}
    states = np.zeros(len(tickets), dtype=np.int8)
    for index, content in enumerate(_contents(tickets)):
        known = latest.get((content[0], content[1]))
        states[index] = 0 if known is None else 1 if known == content else 2
    return TicketChanges(new=tickets[states == 0], restated=tickets[states == 2], known=int((states == 1).sum()))


def tickets_sha256(tickets: pd.DataFrame) -> str:
    """Return the identity of tickets: the same whatever their order.

    Examples
    --------
    >>> import pandas as pd
    >>> tickets = pd.DataFrame({name: ["a", "b"] for name in TICKET_COLUMNS})
    >>> for name in ("opened", "responded", "resolved"):
    ...     tickets[name] = pd.to_datetime(["2027-03-01", None])
    >>> tickets_sha256(tickets) == tickets_sha256(tickets[::-1])
    True
    """
    texts = sorted(json.dumps(content, separators=(",", ":")) for content in _contents(tickets))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def no_tickets() -> pd.DataFrame:
    """Return ticket rows without any row.

    Examples
    --------
    >>> list(no_tickets().columns) == list(TICKET_COLUMNS)
    True
    """
    import pandas as pd

    kinds = {name: "datetime64[us]" if name in _TIMES else "str" for name in TICKET_COLUMNS}
    return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})


def _contents(tickets: pd.DataFrame) -> list[tuple[str | int | None, ...]]:
    """Return each row as plain values; times are microseconds since 1970, None where there is none."""
    columns: list[list[str | int | None]] = []
    for name in TICKET_COLUMNS:
        if name in _TIMES:
            stamps = tickets[name].to_numpy().astype("datetime64[us]")
            missing = np.isnat(stamps)
            columns.append(
                [None if no else micros for no, micros in zip(missing, stamps.astype(np.int64).tolist(), strict=True)]
            )
        else:
            columns.append([str(text) for text in tickets[name]])
    return list(zip(*columns, strict=True))


def _refused(source: str, came: str, allowed: str) -> InputError:
    """Make the error for tickets that are not canonical."""
    return InputError(
        argument="tickets", came=came, allowed=allowed, try_instead="read them with a source", file=source
    )
