"""Metric rows from a CSV file: UTF-8, commas, a header, ISO 8601 times and decimal points."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._cells import Place, read_names, read_numbers, read_times
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._rows import canonical_rows, check_metrics
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd

_MOST_COLUMNS = 10_000


class CsvFile:
    """History source: one CSV file, long or wide.

    Parameters
    ----------
    spec : SourceSpec
        What the project file says of it.
    root : Path
        The workspace; the file must be inside.
    metrics : mapping
        The project's metrics by name.

    Examples
    --------
    >>> import tempfile
    >>> from forecasting.terms.history import MetricKind
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.csv").write_text("service,metric,at,value\\nshop,orders,2027-03-01T00:00Z,12\\n")
    >>> orders = Metric(name="orders", kind=MetricKind.COUNT)
    >>> rows, cleaned = CsvFile(SourceSpec(name="a", path="a.csv"), folder, {"orders": orders}).read()
    >>> rows["value"].tolist(), cleaned
    ([12.0], {})
    """

    def __init__(self, spec: SourceSpec, root: Path, metrics: Mapping[str, Metric]) -> None:
        self.spec, self.root, self.metrics = spec, root, metrics

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Path of the file as declared, for messages."""
        return self.spec.path

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return canonical rows and the cells cleaned by reason.

        Returns
        -------
        (DataFrame, mapping)
            service, metric, at (datetime64[us], naive UTC), value (NaN = missing), sorted, with the line of the file
            as the index; and the number of cells counted as missing or as duplicates, by reason.

        Raises
        ------
        InputError
            For the first cell, line or file that cannot be used, with its line.
        """
        spec = self.spec
        data = _text_bytes(read_stable(inside(self.root, spec.path), shown=self.file), self.file)
        header = _header(data, self.file)
        wanted = [spec.columns.get(ours, ours) for ours in ("service", "at")]
        if spec.layout == "long":
            wanted += [spec.columns.get(ours, ours) for ours in ("metric", "value")]
        else:
            wanted += spec.metrics
        _check_header(header, wanted, self.file, exact=spec.layout == "long")
        table = _parse(data, header, self.file)
        place = Place(file=self.file, unit="line", first=2)
        columns = {name: table.column(header.index(name)).combine_chunks() for name in wanted}
        return self._rows(columns, wanted, place)

    def _rows(
        self, columns: Mapping[str, Any], wanted: list[str], place: Place
    ) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Turn columns of text into rows."""
        spec, cleaned = self.spec, dict[str, int]()
        services = read_names(columns[wanted[0]], place, wanted[0])
        at = read_times(columns[wanted[1]], spec.zone, place, wanted[1])
        row = np.arange(len(at))
        if spec.layout == "long":
            allowed = spec.metrics or tuple(self.metrics)
            names, codes = read_names(columns[wanted[2]], place, wanted[2])
            check_metrics(names, codes, allowed, place, wanted[2])
            values = read_numbers(columns[wanted[3]], place, wanted[3], cleaned)
            titles = dict.fromkeys(names, wanted[3])
        else:
            names, width = sorted(spec.metrics), len(spec.metrics)
            values = np.concatenate([read_numbers(columns[name], place, name, cleaned) for name in names])
            codes = np.repeat(np.arange(width), len(row))
            services = services[0], np.tile(services[1], width)
            at, row, titles = np.tile(at, width), np.tile(row, width), {}
        frame = canonical_rows(
            services=services,
            metrics=(names, codes),
            at=at,
            values=values,
            rows=row,
            columns=titles,
            known=self.metrics,
            duplicates=spec.duplicates,
            cleaned=cleaned,
            place=place,
        )
        return frame, cleaned


def _problem(file: str, line: int | None, argument: str, came: object, allowed: str, hint: str) -> InputError:
    """Shorthand for an error at a line."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=file, line=line)


def _text_bytes(data: bytes, file: str) -> bytes:
    """Return UTF-8 text with ``\\n`` line ends and without byte order mark, or refuse the file."""
    if not data.strip():
        raise _problem(file, None, "file", "an empty file", "a header and at least one row", "export it again")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _problem(file, 1, "encoding", "UTF-16", "UTF-8", "save the file as UTF-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise _problem(file, line, "encoding", "a NUL byte", "UTF-8 text", "save the file as UTF-8 text")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        came = data[error.start : error.start + 4]
        raise _problem(
            file, line, "encoding", came, "UTF-8", "save the file as UTF-8 (it looks like Latin-1)"
        ) from error
    if not data.endswith((b"\n", b"\r")):
        line = data.count(b"\n") + 1
        tail = data[-40:].rpartition(b"\n")[2].decode("utf-8", "replace")
        allowed = "a line end after the last line"
        raise _problem(
            file, line, "half-written file", tail, allowed, "wait until the file is complete, or end the line"
        )
    data = data.replace(b"\r\n", b"\n")
    bare = data.find(b"\r")
    if bare >= 0:
        line = data.count(b"\n", 0, bare) + 1
        raise _problem(file, line, "line end", "a lone carriage return", "\\n or \\r\\n", "convert the line ends")
    data = data.rstrip(b"\n") + b"\n"
    blank = 0 if data.startswith(b"\n") else data.find(b"\n\n") + 1
    if data[blank : blank + 1] == b"\n":
        line = data.count(b"\n", 0, blank) + 1
        raise _problem(file, line, "line", "an empty line", "no empty line between rows", "remove the empty line")
    _check_quotes(data, file)
    return data


def _check_quotes(data: bytes, file: str) -> None:
    """Refuse a line with an odd number of quotes: an unclosed one would swallow the lines after it."""
    if b'"' not in data:
        return
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    odd = np.bincount(np.searchsorted(ends, np.flatnonzero(raw == ord('"'))), minlength=len(ends)) % 2 == 1
    if odd.any():
        line = int(np.flatnonzero(odd)[0]) + 1
        came = _line(data, line)
        raise _problem(file, line, "quote", came, "quotes that are closed on the same line", "close the quote")


def _line(data: bytes, number: int) -> str:
    """Return a line of the file, cut to 120 characters."""
    start = 0
    for _ in range(number - 1):
        start = data.find(b"\n", start) + 1
    return data[start : data.find(b"\n", start)][:480].decode("utf-8", "replace")[:120]


def _header(data: bytes, file: str) -> list[str]:
    """Return the names of the columns."""
    first = data[: data.find(b"\n")].decode("utf-8")
    try:
        header = next(csv.reader(io.StringIO(first), strict=True), [])
    except csv.Error as error:
        raise _problem(file, 1, "header", first, "column names separated by commas", str(error)) from error
    if len(header) > _MOST_COLUMNS:
        came = f"{len(header)} columns"
        raise _problem(file, 1, "header", came, f"at most {_MOST_COLUMNS} columns", "use the long layout")
    return [name.strip() for name in header]


def _check_header(header: list[str], wanted: list[str], file: str, *, exact: bool) -> None:
    """Refuse missing and doubled columns, and in the long layout also others."""
    twice = next((name for name in header if header.count(name) > 1), None) if len(set(header)) < len(header) else None
    if twice is not None:
        raise _problem(file, 1, "header", twice, "each column once", "remove or rename the second one")
    for name in wanted:
        if name in header:
            continue
        separator = next((s for s in (";", "\t", "|") if len(header) == 1 and s in header[0]), None)
        if separator:
            shown = "a tab" if separator == "\t" else repr(separator)
            hint = f"commas between the columns (this file uses {shown})"
            raise _problem(file, 1, "separator", header[0], "columns separated by commas", hint)
        close = nearest(name, set(header) - set(wanted))
        hint = f"columns: {{{name}: {close}}} in forecasting.yaml" if close else "add the column or correct `columns:`"
        raise _problem(file, 1, f"column {name}", listed(header, 20), f"a column named {name}", hint)
    extra = [name for name in header if name not in wanted] if exact else []
    if extra:
        allowed = "only " + ", ".join(wanted) + " in the long layout"
        raise _problem(file, 1, "header", extra[0], allowed, "remove the column, or declare layout: wide")


def _parse(data: bytes, header: list[str], file: str) -> Any:
    """Return the rows as an Arrow table of text; every line must have as many cells as the header."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"c{index}" for index in range(len(header))]
    body = data[data.find(b"\n") + 1 :]
    if not body:
        raise _problem(file, 1, "rows", "only a header", "at least one row", "export the file again")
    try:
        return arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=8 << 20),
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _bad_line(data, len(header), file) from error


def _bad_line(data: bytes, width: int, file: str) -> InputError:
    """Find the line that has too many or too few cells."""
    for number, text in enumerate(data.decode("utf-8").split("\n")[:-1], start=1):
        cells = len(next(csv.reader([text]), []))
        if cells != width:
            allowed = f"{width} cells, as in the header"
            hint = "quote cells that contain a comma" if cells > width else "add the missing cells"
            return _problem(file, number, "cells", f"{cells} cells: {text[:80]}", allowed, hint)
    return _problem(file, None, "CSV", "lines that cannot be split", "lines below 8 MiB", "check the quotes")
