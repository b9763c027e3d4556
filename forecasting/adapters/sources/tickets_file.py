"""Tickets from an ITSM tool's export: CSV or Parquet, one row a ticket as it stands now."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._cells import in_range, to_utc
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._ticket_cells import OPTIONAL, REQUIRED, TIMES, Lines, read_optional_times, ticket_rows
from forecasting.terms.errors import InputError
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_BYTES = 512 * 1024**2
_MOST_UNPACKED = 4 * 1024**3
_MOST_COLUMNS = 2_000
_LONGEST_CELL = 1 << 20
_NAT = int(np.iinfo(np.int64).min)


class TicketsCsv:
    """Ticket source: a CSV file with a header; cells may hold line breaks in quotes, further columns are ignored.

    Parameters
    ----------
    spec : SourceSpec
        path, columns (ours → the file's), zone of times without an offset.
    root : Path
        The workspace; the file must be inside.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "desk.csv").write_text("number,service,opened,resolved\\nINC007,shop,2027-03-01T08:00Z,\\n")
    >>> spec = SourceSpec(name="desk", kind="tickets", path="desk.csv", columns={"ticket": "number"})
    >>> rows, cleaned = TicketsCsv(spec, folder).read_tickets()
    >>> rows["ticket"].tolist(), rows["pauses"].tolist(), cleaned
    (['INC007'], ['[]'], {'resolved: empty cell': 1})
    """

    def __init__(self, spec: SourceSpec, root: Path) -> None:
        self.spec, self.root = spec, root

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Path of the file as declared, for messages."""
        return self.spec.path

    def read_tickets(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return rows with the columns of `terms.ticket.TICKET_COLUMNS`, and cells cleaned by reason.

        Returns
        -------
        (DataFrame, mapping)
            Sorted by service and ticket, with the line at which each record begins as the index.

        Raises
        ------
        InputError
            For the first cell, line or file that cannot be used, with its line.
        """
        data = read_stable(inside(self.root, self.spec.path), shown=self.file, largest=_MOST_BYTES)
        header, records, numbers = _records(data, self.file)
        names = _columns(header, self.spec, self.file, line=1)
        where = {ours: header.index(theirs) for ours, theirs in names.items()}
        texts = {ours: [record[index] for record in records] for ours, index in where.items()}
        place, cleaned = Lines(file=self.file, unit="line", first=2, numbers=numbers), dict[str, int]()
        times = {
            ours: read_optional_times(
                texts.pop(ours), self.spec.zone, place, names[ours], cleaned, required=ours == "opened"
            )
            if ours in texts
            else np.full(len(records), _NAT, dtype=np.int64)
            for ours in TIMES
        }
        return ticket_rows(texts, times, names, self.spec.zone, place, cleaned), cleaned


class TicketsParquet:
    """Ticket source: a Parquet file; times are timestamps or ISO text, further columns are ignored.

    Parameters
    ----------
    spec : SourceSpec
        path, columns (ours → the file's), zone of times without an offset.
    root : Path
        The workspace; the file must be inside.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> folder = Path(tempfile.mkdtemp())
    >>> at = pd.to_datetime(["2027-03-01T08:00"])
    >>> pd.DataFrame({"number": [7], "service": "shop", "opened": at, "resolved": at}).to_parquet(folder / "d.parquet")
    >>> spec = SourceSpec(name="desk", kind="tickets", path="d.parquet", columns={"ticket": "number"})
    >>> TicketsParquet(spec, folder).read_tickets()[0]["ticket"].tolist()
    ['7']
    """

    def __init__(self, spec: SourceSpec, root: Path) -> None:
        self.spec, self.root = spec, root

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Path of the file as declared, for messages."""
        return self.spec.path

    def read_tickets(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return rows with the columns of `terms.ticket.TICKET_COLUMNS`, and cells cleaned by reason.

        Raises
        ------
        InputError
            For a damaged file, a missing column, a wrong type or an impossible value, with its row.
        """
        data = read_stable(inside(self.root, self.spec.path), shown=self.file, largest=_MOST_BYTES)
        names, table = _table(data, self.spec, self.file)
        count, cleaned = table.num_rows, dict[str, int]()
        place = Lines(file=self.file, unit="row", first=1, numbers=np.arange(1, count + 1, dtype=np.int64))
        times, texts = dict[str, "NDArray[np.int64]"](), dict[str, Sequence[str | None]]()
        for ours, theirs in names.items():
            column = table.column(theirs).combine_chunks()
            if ours in TIMES:
                times[ours] = self._times(column, place, theirs, cleaned, required=ours == "opened")
            else:
                texts[ours] = _texts(column, theirs, self.file)
        times.setdefault("responded", np.full(count, _NAT, dtype=np.int64))
        return ticket_rows(texts, times, names, self.spec.zone, place, cleaned), cleaned

    def _times(
        self, column: Any, place: Lines, name: str, cleaned: dict[str, int], *, required: bool
    ) -> NDArray[np.int64]:
        """Return microseconds since 1970 UTC of a column of timestamps or ISO text."""
        import pandas as pd
        import pyarrow as pa

        kind = column.type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            if pa.types.is_null(kind):
                column = column.cast(pa.string())
            elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                hint = "convert the column (numbers since 1970 are not guessed)"
                raise _problem(self.file, f"column {name}", str(kind), "timestamps, dates or ISO 8601 text", hint)
            return read_optional_times(column.to_pylist(), self.spec.zone, place, name, cleaned, required=required)
        try:
            exact = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)))
        except pa.ArrowInvalid as error:
            allowed = "times in whole microseconds"
            raise _problem(self.file, f"column {name}", str(error)[:120], allowed, "round to microseconds") from error
        empty = np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)
        if empty.any():
            if required:
                row = int(np.argmax(empty))
                raise place.problem(name, row, None, "a time", "fill in the time or remove the ticket")
            cleaned[f"{name}: null"] = int(empty.sum())
        rows = np.flatnonzero(~empty)
        found = np.full(len(empty), _NAT, dtype=np.int64)
        inner = place.of(rows)
        micros = exact.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False)
        micros = in_range(np.array(micros, dtype=np.int64), inner, name)
        if getattr(kind, "tz", None) is None:
            stamps = pd.DatetimeIndex(micros.view("datetime64[us]"))
            utc, wrong = to_utc(stamps, np.full(len(stamps), pa.types.is_date(kind)), self.spec.zone)
            if wrong.any():
                row = int(np.argmax(wrong))
                allowed = f"a local time that exists once in {self.spec.zone} (the clocks change here)"
                raise inner.problem(name, row, str(stamps[row]), allowed, "write timestamps in UTC")
            micros = utc.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
            micros = in_range(np.asarray(micros, dtype=np.int64), inner, name)
        found[rows] = micros
        return found


def _problem(file: str, argument: str, came: object, allowed: str, hint: str, line: int | None = None) -> InputError:
    """Shorthand for an error about the file, a line or a column."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=file, line=line)


def _columns(header: Sequence[str], spec: SourceSpec, file: str, *, line: int | None) -> dict[str, str]:
    """Return the file's name of each of our columns that it has; a required or a declared one must be there."""
    unknown = next((name for name in spec.columns if name not in (*REQUIRED, *OPTIONAL)), None)
    if unknown is not None:
        known = ", ".join((*REQUIRED, *OPTIONAL))
        hint = nearest(unknown, (*REQUIRED, *OPTIONAL)) or "remove it"
        raise _problem(file, "columns", unknown, known, hint)
    found = dict[str, str]()
    for ours in (*REQUIRED, *OPTIONAL):
        theirs = spec.columns.get(ours, ours)
        if theirs in header:
            if list(header).count(theirs) > 1:
                raise _problem(file, "header", theirs, "each column once", "remove or rename the second one", line)
            found[ours] = theirs
        elif ours in REQUIRED or ours in spec.columns:
            separator = next((s for s in (";", "\t", "|") if len(header) == 1 and s in header[0]), None)
            if separator is not None:
                shown = "a tab" if separator == "\t" else repr(separator)
                hint = f"commas between the columns (this file uses {shown})"
                raise _problem(file, "separator", header[0], "columns separated by commas", hint, line)
            close = nearest(theirs, header)
            hint = f"columns: {{{ours}: {close}}} in forecasting.yaml" if close else "add it, or correct `columns:`"
            raise _problem(file, f"column {theirs}", listed(header, 40), f"a column named {theirs}", hint, line)
    if "pauses" not in found and ("paused_from" in found) != ("paused_until" in found):
        one = "paused_from" if "paused_from" in found else "paused_until"
        raise _problem(file, "columns", one, "paused_from and paused_until together", "add the other one", line)
    return found


def _records(data: bytes, file: str) -> tuple[list[str], list[list[str]], NDArray[np.int64]]:
    """Return header, records and the line at which each record begins."""
    text = _decoded(data, file)
    previous = csv.field_size_limit(_LONGEST_CELL)
    records, numbers, blank = list[list[str]](), list[int](), 0
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begin = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(header) > _MOST_COLUMNS:
            raise _problem(file, "header", f"{len(header)} columns", f"at most {_MOST_COLUMNS}", "fewer columns", 1)
        begin = reader.line_num + 1
        for record in reader:
            if not record:
                blank = blank or begin
            elif blank:
                raise _problem(file, "line", "an empty line", "no empty line between rows", "remove it", blank)
            elif len(record) != len(header):
                came = f"{len(record)} cells: {','.join(record)[:80]}"
                hint = "quote cells with a comma, a quote or a line break"
                raise _problem(file, "cells", came, f"{len(header)} cells, as in the header", hint, begin)
            else:
                records.append(record)
                numbers.append(begin)
            begin = reader.line_num + 1
    except csv.Error as error:
        hint = "close the quotes, and double a quote inside of quotes"
        raise _problem(file, "CSV", str(error), "cells separated by commas", hint, begin) from error
    finally:
        csv.field_size_limit(previous)
    if not records:
        raise _problem(file, "rows", "only a header", "at least one ticket", "export the file again", 1)
    return header, records, np.array(numbers, dtype=np.int64)


def _decoded(data: bytes, file: str) -> str:
    """Return the text of the file, or refuse it."""
    if not data.strip():
        raise _problem(file, "file", "an empty file", "a header and at least one ticket", "export it again")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _problem(file, "encoding", "UTF-16", "UTF-8", "save the file as UTF-8", 1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.find(b"\0")) + 1
        raise _problem(file, "encoding", "a NUL byte", "UTF-8 text", "save the file as UTF-8 text", line)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, came = data.count(b"\n", 0, error.start) + 1, data[error.start : error.start + 4]
        raise _problem(file, "encoding", came, "UTF-8", "save the file as UTF-8", line) from error
    if not text.endswith("\n"):
        tail = text[-40:].rpartition("\n")[2]
        allowed, hint = "a line end after the last line", "wait until the file is complete, or end the line"
        raise _problem(file, "half-written file", tail, allowed, hint, text.count("\n") + 1)
    return text


def _table(data: bytes, spec: SourceSpec, file: str) -> tuple[dict[str, str], Any]:
    """Return the file's names of our columns and the table of them, after checks of size and checksums."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        opened = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        footer, header = opened.metadata, opened.schema_arrow.names
        size = sum(footer.row_group(index).total_byte_size for index in range(footer.num_row_groups))
        if size > _MOST_UNPACKED:
            raise _problem(file, "size", f"{size} bytes unpacked", f"at most {_MOST_UNPACKED}", "split the file")
        names = _columns(header, spec, file, line=None)
        table = opened.read(columns=list(dict.fromkeys(names.values())))
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        came = (str(error).splitlines() or [type(error).__name__])[0]
        raise _problem(file, "file", came, "an undamaged, complete Parquet file", "export it again") from error
    if table.num_rows != footer.num_rows or not table.num_rows:
        came = f"{table.num_rows} of {footer.num_rows} rows"
        raise _problem(file, "rows", came, "at least one ticket, and all of them", "export it again")
    return names, table


def _texts(column: Any, name: str, file: str) -> list[str | None]:
    """Return a column of names or whole numbers as text."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    if not (text or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise _problem(file, f"column {name}", str(column.type), "text or whole numbers", "convert the column to text")
    found: list[str | None] = column.cast(kind).cast(pa.string()).to_pylist()
    return found
