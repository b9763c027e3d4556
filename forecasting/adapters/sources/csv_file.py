"""Metric rows from a CSV file: UTF-8, commas, a header, ISO 8601 times and decimal points."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from forecasting.adapters._cells import Place, read_names, read_numbers, read_times
from forecasting.adapters._csv_text import Block, Problems, blocks_of
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._file_state import FileState
from forecasting.adapters._input_file import StableFile, inside, open_stable
from forecasting.adapters._rows import RawRows, check_metrics, declared_sha256, frames_of, raw_rows, whole_frame
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd

_MOST_COLUMNS = 10_000
_PART_CELLS = 1_000_000


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
        self._state = FileState(size=0, sha256="", declared="")

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.spec.name

    @property
    def file(self) -> str:
        """Path of the file as declared, for messages."""
        return self.spec.path

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return everything as one frame, and all cells cleaned by reason.

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
        return whole_frame(self._parts(None), self.spec, self.metrics, self._place(), self._value())

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield canonical rows in parts of bounded size, and cells cleaned by reason.

        Parameters
        ----------
        state : str or None
            What `state` returned after the last ingest that was stored. Where the file is the same, nothing is
            yielded; where it only grew, the new lines are; otherwise everything is.

        Raises
        ------
        InputError
            As `read`; and once all is read, where the file changed meanwhile.
        """
        yield from frames_of(self._parts(state), self.spec, self.metrics, self._place(), self._value())

    def state(self) -> str:
        """Return what to remember: size, hash and lines of the file; valid once the chunks are exhausted."""
        return self._state.text()

    def _place(self) -> Place:
        """Return how to name the lines."""
        return Place(file=self.file, unit="line", first=2)

    def _value(self) -> str:
        """Return the file's name of the column of values."""
        return self.spec.columns.get("value", "value")

    def _parts(self, state: str | None) -> Iterator[RawRows]:
        """Yield the rows that the state does not know."""
        declared = declared_sha256(self.spec, self.metrics)
        known = FileState.of(state, declared)
        with open_stable(inside(self.root, self.spec.path), shown=self.file) as file:
            expected, start = None, None
            if known is not None:
                expected, part = file.sha256_with_part(known.size)
                if known.size == file.size and expected == known.sha256:
                    file.check_mark()
                    self._state = known
                    return
                grew = part == known.sha256 and known.size < file.size
                start = known if grew and known.open_end and self.spec.duplicates == "refuse" else None
            reader = _Reader(self.spec, self.metrics, self.file)
            yield from reader.parts(file, start)
            found = reader.sha256 if start is None else file.sha256()
            expected = file.sha256() if expected is None else expected
            if found != expected:
                raise file.changed()
            file.check_mark()
            self._state = FileState(
                size=file.size,
                sha256=expected,
                declared=declared,
                lines=reader.lines,
                open_end=reader.open_end,
                offsets=reader.offsets.get("offsets"),
            )


class _Reader:
    """Turns the text of a file into rows, block by block."""

    def __init__(self, spec: SourceSpec, metrics: Mapping[str, Metric], file: str) -> None:
        self.spec, self.metrics, self.file = spec, metrics, file
        self.sha256, self.lines, self.open_end = "", 0, True
        self.offsets: dict[str, bool] = {}
        self.wanted = [spec.columns.get(ours, ours) for ours in ("service", "at")]
        if spec.layout == "long":
            self.wanted += [spec.columns.get(ours, ours) for ours in ("metric", "value")]
        else:
            self.wanted += spec.metrics

    def parts(self, file: StableFile, start: FileState | None) -> Iterator[RawRows]:
        """Yield the rows of the file, or those after the part that a state knows."""
        stream, digest = file.stream, hashlib.sha256()
        header: list[str] = []
        if start is not None:
            stream.seek(0)
            header = self._header(_first_line(stream))
            if start.offsets is not None:
                self.offsets["offsets"] = start.offsets
        stream.seek(0 if start is None else start.size)
        self.lines = 0 if start is None else start.lines
        problems = Problems(self.file)
        rows = 0
        for block in blocks_of(stream, digest, problems, lines=self.lines):
            self.lines, self.open_end, body = block.lines, block.open_end, block
            if not header:
                end = block.data.find(b"\n")
                header = self._header(block.data[:end].decode("utf-8"))
                body = Block(data=block.data[end + 1 :], first=2, lines=block.lines, open_end=block.open_end)
            if body.data:
                rows += 1
                yield from self._rows(body, header)
        if not rows and start is None:
            raise problems.at(1, "rows", "only a header", "at least one row", "export the file again")
        self.sha256 = digest.hexdigest()

    def _header(self, text: str) -> list[str]:
        """Return the checked names of the columns."""
        header = _header(text, self.file)
        _check_header(header, self.wanted, self.file, exact=self.spec.layout == "long")
        return header

    def _rows(self, block: Block, header: list[str]) -> Iterator[RawRows]:
        """Yield the rows of a block in parts of about a million cells."""
        table = _parse(block, header, self.wanted, self.file)
        size = table.num_rows if self.spec.layout == "long" else max(1, _PART_CELLS // max(1, len(self.spec.metrics)))
        for start in range(0, table.num_rows, size):
            part = table.slice(start, size)
            columns = {name: part.column(index).combine_chunks() for index, name in enumerate(self.wanted)}
            yield self._raw(columns, block.first + start)

    def _raw(self, columns: Mapping[str, Any], line: int) -> RawRows:
        """Turn columns of text, the first of them at a line, into rows."""
        spec, wanted, cleaned = self.spec, self.wanted, dict[str, int]()
        place = Place(file=self.file, unit="line", first=line)
        services = read_names(columns[wanted[0]], place, wanted[0])
        at = read_times(columns[wanted[1]], spec.zone, place, wanted[1], self.offsets)
        if spec.layout == "long":
            names, codes = read_names(columns[wanted[2]], place, wanted[2])
            check_metrics(names, codes, spec.metrics or tuple(self.metrics), place, wanted[2])
            values = read_numbers(columns[wanted[3]], place, wanted[3], cleaned)
            return raw_rows(services, at, line - 2, cleaned, long=((names, codes), values))
        wide = {name: read_numbers(columns[name], place, name, cleaned) for name in sorted(spec.metrics)}
        return raw_rows(services, at, line - 2, cleaned, wide=wide)


def _problem(file: str, line: int | None, argument: str, came: object, allowed: str, hint: str) -> InputError:
    """Shorthand for an error at a line."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=file, line=line)


def _header(first: str, file: str) -> list[str]:
    """Return the names of the columns."""
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


def _first_line(stream: BinaryIO) -> str:
    """Return the first line of a file that was read before."""
    return stream.readline().decode("utf-8").removeprefix("\ufeff").rstrip("\r\n")


def _parse(block: Block, header: list[str], wanted: list[str], file: str) -> Any:
    """Return the wanted columns as an Arrow table of text; every line must have as many cells as the header."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"c{index}" for index in range(len(header))]
    used = [names[header.index(name)] for name in wanted]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(block.data),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=8 << 20),
            parse_options=arrow_csv.ParseOptions(ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(used, pa.string()),
                include_columns=list(dict.fromkeys(used)),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _bad_line(block, len(header), file) from error
    return table.select(used)


def _bad_line(block: Block, width: int, file: str) -> InputError:
    """Find the line that has too many or too few cells."""
    for number, text in enumerate(block.data.decode("utf-8").split("\n")[:-1], start=block.first):
        try:
            cells = len(next(csv.reader([text]), []))
        except csv.Error:  # a cell above the limit of that module
            break
        if cells != width:
            allowed = f"{width} cells, as in the header"
            hint = "quote cells that contain a comma" if cells > width else "add the missing cells"
            return _problem(file, number, "cells", f"{cells} cells: {text[:80]}", allowed, hint)
    return _problem(file, None, "CSV", "lines that cannot be split", "lines below 8 MiB", "check the quotes")
