"""Turns columns of text into names, instants and numbers; every cell is used, counted as missing, or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MISSING = {
    "": "empty cell",
    "nan": "NaN",
    "null": "null",
    "-": "-",
    "#n/a": "#N/A",
    "n/a": "N/A",
    "na": "NA",
}
"""Cells that mean "not measured" (in any case of letters), with the reason they are counted under."""

TIME_ALLOWED = "an ISO 8601 time such as 2027-03-01T13:00:00Z between 1990 and 2100"

_FIRST_US = int(np.datetime64("1990-01-01", "us").astype(np.int64))
_END_US = int(np.datetime64("2100-01-01", "us").astype(np.int64))
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DATE_PATTERN = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK_PATTERN = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
_OFFSET_PATTERN = r"(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
_TIME = f"^{_DATE_PATTERN}([T ]{_CLOCK_PATTERN}{_OFFSET_PATTERN}?)?$"
_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Place:
    """How to name a row of a file in a message.

    Examples
    --------
    >>> print(Place(file="a.csv", unit="line", first=2).problem("value", 3, "x", "a number", "12.5"))
    a.csv:5: value: got 'x'; allowed: a number; try: 12.5
    """

    file: str
    unit: Literal["line", "row"]
    first: int
    """Number of the first row of data."""

    def problem(self, argument: str, row: int, came: object, allowed: str, try_instead: str) -> InputError:
        """Make the error for a cell of row `row`, counted from 0."""
        number = self.first + row
        if self.unit == "row":
            argument = f"{argument} (row {number})"
        line = number if self.unit == "line" else None
        return InputError(
            argument=argument, came=came, allowed=allowed, try_instead=try_instead, file=self.file, line=line
        )


def read_names(texts: Any, place: Place, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct names, sorted, and for each row the position of its name.

    Parameters
    ----------
    texts : pyarrow.Array
        Text, one a row, plain or dictionary-encoded; exactly the text is kept (``NA``, ``007`` and ``1e5`` are names
        like any other).
    place : Place
        For messages.
    column : str
        Name of the column in the file.

    Raises
    ------
    InputError
        For an empty name, one with spaces around it, control characters or more than 200 characters.

    Examples
    --------
    >>> import pyarrow as pa
    >>> names, codes = read_names(pa.array(["b", "NA", "b"]), Place(file="a", unit="line", first=2), "service")
    >>> names, codes.tolist()
    (['NA', 'b'], [1, 0, 1])
    """
    codes, distinct, empty = _encoded(texts)
    if empty is not None:
        raise place.problem(column, empty, None, "a name", "fill in the name or remove the row")
    found: list[str] = distinct.to_pylist()
    for index, name in enumerate(found):
        problem = _name_problem(name)
        if problem:
            row = int(np.flatnonzero(codes == index)[0])
            raise place.problem(column, row, name, "a name of 1 to 200 printable characters", problem)
    order = sorted(range(len(found)), key=found.__getitem__)
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found))
    return [found[i] for i in order], rank[codes] if len(found) else codes


def _encoded(texts: Any) -> tuple[NDArray[np.int64], Any, int | None]:
    """Return for each row the position of its text among those that occur, these, and the first row without one."""
    import pyarrow as pa

    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    if encoded.null_count:
        row = int(np.flatnonzero(np.asarray(encoded.is_null().to_numpy(zero_copy_only=False)))[0])
        return np.empty(0, dtype=np.int64), encoded.dictionary, row
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if encoded is not texts:
        return codes, encoded.dictionary, None
    # A dictionary from a file may hold texts that no row uses, and a text twice.
    distinct = encoded.dictionary.dictionary_encode()
    if distinct.null_count:
        holes = np.flatnonzero(np.asarray(distinct.is_null().to_numpy(zero_copy_only=False)))
        rows = np.flatnonzero(np.isin(codes, holes))
        if len(rows):
            return codes, distinct.dictionary, int(rows[0])
        distinct = distinct.fill_null(0)
    codes = distinct.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)[codes]
    used = np.flatnonzero(np.bincount(codes, minlength=len(distinct.dictionary)))
    place = np.zeros(len(distinct.dictionary), dtype=np.int64)
    place[used] = np.arange(len(used))
    return place[codes], distinct.dictionary.take(pa.array(used)), None


def _name_problem(name: str) -> str | None:
    """Return how to put a name right, or None where it is right."""
    if not name.strip():
        return "fill in the name or remove the row"
    if name != name.strip():
        return f"{name.strip()!r} without spaces around it"
    if len(name) > _LONGEST_NAME:
        return "a shorter name"
    if any(ord(c) < 32 or ord(c) == 127 for c in name):
        return "a name without control characters"
    return None


def read_numbers(texts: Any, place: Place, column: str, cleaned: dict[str, int]) -> NDArray[np.float64]:
    """Return the numbers; cells that say "not measured" become NaN and are counted in `cleaned`.

    Raises
    ------
    InputError
        For anything else that is not a finite number with a decimal point.

    Examples
    --------
    >>> import pyarrow as pa
    >>> cleaned = {}
    >>> place = Place(file="a", unit="line", first=2)
    >>> read_numbers(pa.array(["1.5", "", "NaN"]), place, "value", cleaned).tolist(), cleaned
    ([1.5, nan, nan], {'empty cell': 1, 'NaN': 1})
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(texts)
    is_number = pc.match_substring_regex(trimmed, _NUMBER).fill_null(False)
    if not pc.all(is_number).as_py():
        others = np.flatnonzero(~is_number.to_numpy(zero_copy_only=False))
        for row in others:
            came = trimmed[row].as_py() or ""
            reason = MISSING.get(came.lower())
            if reason is None:
                allowed = "a finite number with a decimal point, or an empty cell where nothing was measured"
                raise place.problem(column, int(row), came, allowed, _number_hint(came))
            cleaned[reason] = cleaned.get(reason, 0) + 1
        trimmed = pc.if_else(is_number, trimmed, pa.scalar(None, pa.string()))
    try:
        values = pc.cast(trimmed, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    except pa.ArrowInvalid:  # a leading plus, or beyond the range of floats
        values = np.array([np.nan if t is None else float(t) for t in trimmed.to_pylist()], dtype=np.float64)
    return refuse_infinite(values, place, column)


def refuse_infinite(values: NDArray[np.float64], place: Place, column: str) -> NDArray[np.float64]:
    """Return the values (without negative zeros) if none of them is infinite, else raise InputError."""
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.flatnonzero(infinite)[0])
        raise place.problem(column, row, float(values[row]), "a finite number", "an empty cell where unknown")
    return np.asarray(values + 0.0, dtype=np.float64)


def _number_hint(text: str) -> str:
    """Say how to write the number that was probably meant."""
    if re.fullmatch(r"[+-]?(inf|infinity)", text, re.IGNORECASE):
        return "an empty cell where unknown"
    if re.fullmatch(r"[+-]?[0-9.]+\s*%", text):
        return f"{text.rstrip('%').strip()} in percent; a ratio is 0 to 1"
    if re.fullmatch(r"[+-]?[0-9]{1,3}([,' _][0-9]{3})+(\.[0-9]*)?", text):
        return re.sub(r"[,' _]", "", text) + " (no thousands separator; a decimal comma becomes a point)"
    if re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+", text):
        return text.replace(".", "").replace(",", ".") + " (a decimal point)"
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", text):
        return text.replace(",", ".") + " (a decimal point)"
    return "a number, or an empty cell where nothing was measured"


def read_times(
    texts: Any, zone: str, place: Place, column: str, seen: dict[str, bool] | None = None
) -> NDArray[np.int64]:
    """Return microseconds since 1970 UTC.

    Parameters
    ----------
    texts : pyarrow.Array
        ISO 8601 times, all with an offset or all without; a bare date is the beginning of that local day.
    zone : str
        IANA zone of times without an offset.
    place : Place
        For messages.
    column : str
        Name of the column in the file.
    seen : dict or None
        Whether the times of earlier parts of the file carry an offset (under ``offsets``); the first part sets it.

    Raises
    ------
    InputError
        For another format, a local time that does not exist or exists twice, and outside 1990-2100.

    Examples
    --------
    >>> import pyarrow as pa
    >>> place = Place(file="a", unit="line", first=2)
    >>> at = read_times(pa.array(["2027-03-01 01:00"]), "Europe/Berlin", place, "at")
    >>> at.astype("datetime64[us]").astype(str).tolist()
    ['2027-03-01T00:00:00.000000']
    """
    import pyarrow.compute as pc

    codes, distinct, empty = _encoded(texts)
    if empty is not None:
        raise place.problem(column, empty, None, TIME_ALLOWED, "fill in the time or remove the row")

    def refuse(wrong: NDArray[np.bool_], allowed: str, hint: str | None) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong[codes])[0])
            came = distinct[int(codes[row])].as_py()
            raise place.problem(column, row, came, allowed, hint or time_hint(came))

    well_formed = _flags(pc.match_substring_regex(distinct, _TIME))
    refuse(~well_formed, TIME_ALLOWED, None)
    aware = _flags(pc.match_substring_regex(distinct, _OFFSET_PATTERN + "$")) & _flags(
        pc.match_substring(distinct, ":")
    )
    before = None if seen is None else seen.get("offsets")
    if before is not None or (aware.any() and not aware.all()):
        usual = before if before is not None else bool(aware.mean() >= 0.5)
        refuse(aware != usual, "all times with an offset, or none", "add Z or the offset to every time, or to none")
    if seen is not None and len(aware):
        seen["offsets"] = bool(aware.any())
    stamps = _stamps(distinct, aware=bool(aware.any()))
    refuse(np.asarray(stamps.isna()), TIME_ALLOWED, "a day that exists")
    if not aware.any():
        bare = ~_flags(pc.match_substring(distinct, ":"))
        stamps, wrong = to_utc(stamps.tz_localize(None), bare, zone)
        refuse(
            wrong,
            f"a local time that exists once in {zone} (the clocks change here)",
            "write the time with its offset, such as 2027-10-31T02:30:00+02:00",
        )
    micros = stamps.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    refuse((micros < _FIRST_US) | (micros >= _END_US), TIME_ALLOWED, "correct the year")
    return np.asarray(micros[codes], dtype=np.int64)


def _stamps(texts: Any, *, aware: bool) -> Any:
    """Return well-formed texts as instants (without an offset: as if in UTC); NaT where a day does not exist."""
    import pandas as pd
    import pyarrow as pa

    try:  # ten times as fast, and refuses what it does not read exactly
        exact = texts.cast(pa.timestamp("us", tz="UTC" if aware else None)).cast(pa.int64())
    except pa.ArrowInvalid:
        return pd.to_datetime(pd.Index(texts.to_pylist(), dtype=object), format="ISO8601", utc=True, errors="coerce")
    return pd.DatetimeIndex(exact.to_numpy(zero_copy_only=False).view("datetime64[us]")).tz_localize("UTC")


def to_utc(stamps: Any, bare: NDArray[np.bool_], zone: str) -> tuple[Any, NDArray[np.bool_]]:
    """Return local times as UTC and which of them do not exist, or exist twice, in `zone`.

    A bare date is the first instant of its day, also where midnight does not exist or exists twice.
    """
    exact = stamps.tz_localize(zone, ambiguous="NaT", nonexistent="NaT")
    wrong = np.asarray(exact.isna()) & ~bare
    if bare.any():
        first = stamps.tz_localize(zone, ambiguous=np.ones(len(stamps), dtype=bool), nonexistent="shift_forward")
        exact = exact.where(~bare, first)
    return exact.tz_convert("UTC"), wrong


def in_range(micros: NDArray[np.int64], place: Place, column: str) -> NDArray[np.int64]:
    """Return the instants if all of them lie in 1990-2100, else raise InputError."""
    wrong = (micros < _FIRST_US) | (micros >= _END_US)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        came = str(np.datetime64(int(micros[row]), "us"))
        raise place.problem(column, row, came, TIME_ALLOWED, "correct the year or the unit of the timestamps")
    return micros


def _flags(mask: Any) -> NDArray[np.bool_]:
    """Return an Arrow mask as NumPy."""
    return np.asarray(mask.to_numpy(zero_copy_only=False), dtype=np.bool_)


def time_hint(text: str) -> str:
    """Say what a text that is not an ISO time looks like.

    Examples
    --------
    >>> time_hint("1362096000000")
    'looks like milliseconds since 1970: write ISO 8601 times'
    """
    bare = text.strip()
    if re.fullmatch(r"[0-9]{9,20}(\.[0-9]+)?", bare):
        digits = len(bare.split(".")[0])
        unit = next(
            u
            for n, u in ((11, "seconds"), (14, "milliseconds"), (17, "microseconds"), (99, "nanoseconds"))
            if digits < n
        )
        return f"looks like {unit} since 1970: write ISO 8601 times"
    if re.fullmatch(r"[0-9]{8}", bare):
        return f"{bare[:4]}-{bare[4:6]}-{bare[6:]}"
    if re.match(r"[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}", bare):
        return "year-month-day (3/4/2027 may be April or March)"
    if re.match(r"[0-9]{4}[/.][0-9]{1,2}[/.][0-9]{1,2}", bare):
        return bare.replace("/", "-")
    if "24:00" in bare or ":60" in bare:
        return "00:00 of the next day; seconds run from 00 to 59"
    return "2027-03-01T13:00:00Z" if bare else "fill in the time or remove the row"
