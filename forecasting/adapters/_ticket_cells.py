"""From the columns of a ticket export to canonical ticket rows: times, order of events, pauses, doubles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.adapters._cells import MISSING, Place, read_names, read_times
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

REQUIRED = ("service", "ticket", "opened", "resolved")
OPTIONAL = ("kind", "priority", "responded", "pauses", "paused_from", "paused_until")
TIMES = ("opened", "responded", "resolved")
_NAT = int(np.iinfo(np.int64).min)
_LONGEST_TEXT = 200
_MOST_PAUSES = 10_000


@dataclass(frozen=True, kw_only=True)
class Lines(Place):
    """Names the line each record begins in, where records may have several.

    Examples
    --------
    >>> print(Lines(file="a.csv", unit="line", first=2, numbers=np.array([2, 7])).problem("kind", 1, "x", "y", "z"))
    a.csv:7: kind: got 'x'; allowed: y; try: z
    """

    numbers: NDArray[np.int64]
    """Shape (n,): line or row of each record."""

    def problem(self, argument: str, row: int, came: object, allowed: str, try_instead: str) -> InputError:
        """Make the error for a cell of record `row`, counted from 0."""
        number = int(self.numbers[row])
        line = number if self.unit == "line" else None
        shown = argument if line else f"{argument} (row {number})"
        return InputError(
            argument=shown, came=came, allowed=allowed, try_instead=try_instead, file=self.file, line=line
        )

    def of(self, rows: NDArray[np.int64]) -> Lines:
        """Return the same for some of the records."""
        return Lines(file=self.file, unit=self.unit, first=self.first, numbers=self.numbers[rows])


def read_optional_times(
    texts: Sequence[str | None], zone: str, place: Lines, column: str, cleaned: dict[str, int], *, required: bool
) -> NDArray[np.int64]:
    """Return microseconds since 1970 UTC, the smallest number (NaT) where a cell says "not yet", counted by reason.

    Raises
    ------
    InputError
        For another format, and for a missing time that is required.

    Examples
    --------
    >>> cleaned = {}
    >>> place = Lines(file="a", unit="line", first=2, numbers=np.arange(2))
    >>> times = read_optional_times(["2027-03-01T00:00Z", ""], "UTC", place, "resolved", cleaned, required=False)
    >>> times.view("datetime64[us]").astype(str).tolist(), cleaned
    (['2027-03-01T00:00:00.000000', 'NaT'], {'resolved: empty cell': 1})
    """
    import pyarrow as pa

    reasons = [MISSING.get((text or "").strip().lower()) for text in texts]
    present = np.array([reason is None for reason in reasons], dtype=bool)
    for row, reason in enumerate(reasons):
        if reason is not None:
            if required:
                raise place.problem(column, row, texts[row], "a time", "fill in the time or remove the ticket")
            key = f"{column}: {reason}"
            cleaned[key] = cleaned.get(key, 0) + 1
    found = np.full(len(texts), _NAT, dtype=np.int64)
    rows = np.flatnonzero(present)
    if len(rows):
        column_texts = pa.array([texts[int(row)] for row in rows], type=pa.string())
        found[rows] = read_times(column_texts, zone, place.of(rows), column)
    return found


def ticket_rows(
    texts: Mapping[str, Sequence[str | None]],
    times: Mapping[str, NDArray[np.int64]],
    names: Mapping[str, str],
    zone: str,
    place: Lines,
    cleaned: dict[str, int],
) -> pd.DataFrame:
    """Return checked ticket rows, sorted by service and ticket.

    Parameters
    ----------
    texts : mapping
        Columns of text by our name, one cell a ticket: service, ticket and what there is of kind, priority, pauses,
        paused_from and paused_until.
    times : mapping
        opened, responded, resolved: microseconds since 1970 UTC, the smallest number = has not happened.
    names : mapping
        The file's name of each column, for messages.
    zone : str
        IANA zone of pauses without an offset.
    place : Lines
        For messages.
    cleaned : dict
        Counts by reason; added to.

    Raises
    ------
    InputError
        For an empty service or ticket, a ticket resolved or responded to before it was opened, wrong pauses, and two
        different rows of one ticket.
    """
    import pandas as pd
    import pyarrow as pa

    count = len(texts["ticket"])
    services, tickets = (
        read_names(pa.array(texts[ours], type=pa.string()), place, names[ours]) for ours in ("service", "ticket")
    )
    kind, priority = (_plain(texts.get(ours), count, place, names.get(ours, ours)) for ours in ("kind", "priority"))
    opened = times["opened"]
    for ours in ("resolved", "responded"):
        early = (times[ours] != _NAT) & (times[ours] < opened)
        if early.any():
            row = int(np.argmax(early))
            came = f"{_text(int(times[ours][row]))}, opened {_text(int(opened[row]))}"
            raise place.problem(names[ours], row, came, "a time not before opened", "correct one of the two times")
    pauses = _pauses(texts, times, names, zone, place, cleaned)
    frame = pd.DataFrame(
        {
            "service": pd.Index(services[0]).take(services[1]).to_numpy(),
            "ticket": pd.Index(tickets[0]).take(tickets[1]).to_numpy(),
            "kind": kind,
            "priority": priority,
            **{ours: times[ours].view("datetime64[us]") for ours in TIMES},
            "pauses": pauses,
        },
        index=pd.Index(place.numbers, name=place.unit),
    )
    return _once(frame, names["ticket"], place, cleaned)


def _plain(texts: Sequence[str | None] | None, count: int, place: Lines, column: str) -> list[str]:
    """Return texts exactly as written; null is empty."""
    if texts is None:
        return [""] * count
    for row, text in enumerate(texts):
        if text is not None and (len(text) > _LONGEST_TEXT or not text.isprintable()):
            allowed = f"at most {_LONGEST_TEXT} printable characters"
            raise place.problem(column, row, text, allowed, "name another column")
    return [text or "" for text in texts]


def _once(frame: pd.DataFrame, column: str, place: Lines, cleaned: dict[str, int]) -> pd.DataFrame:
    """Return one row for each ticket of a service, sorted; the same row again is counted, another one refused."""
    twice = frame.duplicated(["service", "ticket"], keep="first")
    if twice.any():
        differs = twice & ~frame.duplicated(keep="first")
        if differs.any():
            row = int(np.argmax(differs.to_numpy()))
            service, ticket = frame["service"].iloc[row], frame["ticket"].iloc[row]
            first = int(np.argmax(((frame["service"] == service) & (frame["ticket"] == ticket)).to_numpy()))
            came = f"{ticket} of {service} again, with other cells than in {place.unit} {int(place.numbers[first])}"
            raise place.problem(
                column, row, came, "each ticket once, as it stands now", "export the latest state of each ticket only"
            )
        cleaned["duplicate row, same values"] = int(twice.sum())
        frame = frame[~twice]
    return frame.sort_values(["service", "ticket"], kind="stable")


# ---------------------------------------------------------------------- pauses
def _pauses(
    texts: Mapping[str, Sequence[str | None]],
    times: Mapping[str, NDArray[np.int64]],
    names: Mapping[str, str],
    zone: str,
    place: Lines,
    cleaned: dict[str, int],
) -> list[str]:
    """Return each ticket's pauses as JSON: sorted, joined where they overlap, within opened to resolved."""
    import pyarrow as pa

    count = len(texts["ticket"])
    if "pauses" in texts:
        written = [_listed(text, row, place, names["pauses"]) for row, text in enumerate(texts["pauses"])]
        column = names["pauses"]
    elif "paused_from" in texts and "paused_until" in texts:
        column = names["paused_until"]
        pairs = zip(texts["paused_from"], texts["paused_until"], strict=True)
        written = [_paired(begin, end, row, place, column) for row, (begin, end) in enumerate(pairs)]
    else:
        return ["[]"] * count
    cells = [(row, text) for row, pauses in enumerate(written) for pair in pauses for text in pair if text is not None]
    if not cells:
        return ["[]"] * count
    rows = np.array([row for row, _ in cells], dtype=np.int64)
    instants = iter(
        read_times(pa.array([text for _, text in cells], type=pa.string()), zone, place.of(rows), column).tolist()
    )
    found = list[str]()
    for row, pauses in enumerate(written):
        spans = [(next(instants), _NAT if end is None else next(instants)) for _, end in pauses]
        for begin, end in spans:
            if end != _NAT and end < begin:
                came = f"{_text(begin)} to {_text(end)}"
                raise place.problem(column, row, came, "a pause that ends after it begins", "correct the times")
        kept = _within(spans, int(times["opened"][row]), int(times["resolved"][row]), cleaned)
        found.append(json.dumps([[_text(begin), None if end == _NAT else _text(end)] for begin, end in kept]))
    return found


def _listed(text: str | None, row: int, place: Lines, column: str) -> list[tuple[str, str | None]]:
    """Return the pauses of a JSON cell."""
    if MISSING.get((text or "").strip().lower()):
        return []
    allowed = 'a JSON list of pairs, such as [["2027-03-01T08:00:00Z", null]]'
    try:
        pairs = json.loads(text or "")
    except (ValueError, RecursionError):
        pairs = None
    good = isinstance(pairs, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and (pair[1] is None or isinstance(pair[1], str))
        for pair in pairs
    )
    if not good or len(pairs) > _MOST_PAUSES or any(not _encodable(t) for pair in pairs for t in pair if t):
        raise place.problem(column, row, (text or "")[:120], allowed, "or columns paused_from and paused_until")
    return [(pair[0], pair[1]) for pair in pairs]


def _encodable(text: str) -> bool:
    """Tell whether a text can be written as UTF-8 (JSON may hold half a character)."""
    return not any(0xD800 <= ord(c) < 0xE000 for c in text)


def _paired(begins: str | None, ends: str | None, row: int, place: Lines, column: str) -> list[tuple[str, str | None]]:
    """Return the pauses of two cells of instants with semicolons between them; the last end may be missing."""
    first, last = (
        [] if MISSING.get((cell or "").strip().lower()) else [part.strip() for part in (cell or "").split(";")]
        for cell in (begins, ends)
    )
    if last and not last[-1] and len(last) == len(first):
        last.pop()
    if len(first) > _MOST_PAUSES or len(first) - len(last) not in (0, 1) or "" in first or "" in last:
        came = f"{len(first)} beginnings, {len(last)} ends"
        raise place.problem(column, row, came, "an end for each pause but the last", "correct the cells")
    return list(zip(first, [*last, None][: len(first)], strict=True))


def _within(spans: list[tuple[int, int]], opened: int, resolved: int, cleaned: dict[str, int]) -> list[tuple[int, int]]:
    """Return pauses in order, joined where they overlap, and cut to the ticket's life."""
    limit = np.iinfo(np.int64).max if resolved == _NAT else resolved
    joined = list[tuple[int, int]]()
    for begin, end in sorted((begin, limit if end == _NAT else end) for begin, end in spans):
        inside = max(begin, opened), min(end, limit)
        if inside != (begin, end):
            _count(cleaned, "pauses: cut to the time from opened to resolved")
        if inside[0] >= inside[1]:
            continue
        if joined and inside[0] <= joined[-1][1]:
            if inside[0] < joined[-1][1]:
                _count(cleaned, "pauses: overlapping, joined")
            joined[-1] = joined[-1][0], max(joined[-1][1], inside[1])
        else:
            joined.append(inside)
    return [(begin, _NAT if end == np.iinfo(np.int64).max else end) for begin, end in joined]


def _count(cleaned: dict[str, int], reason: str) -> None:
    """Count one more."""
    cleaned[reason] = cleaned.get(reason, 0) + 1


def _text(micros: int) -> str:
    """Return an instant as ISO text, with a fraction only where there is one."""
    return str(np.datetime64(micros, "us")).removesuffix(".000000") + "Z"
