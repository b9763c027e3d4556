"""Metric rows from a Parquet file, with its page checksums verified where it has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._cells import Place, in_range, read_names, read_times, refuse_infinite, to_utc
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._file_state import FileState
from forecasting.adapters._input_file import StableFile, inside, open_stable
from forecasting.adapters._rows import RawRows, check_metrics, declared_sha256, frames_of, raw_rows, whole_frame
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_ROWS = 1_000_000_000
_MOST_BYTES = 64 * 1024**3
_PART_CELLS = 1_000_000
_MOST_GROUP_BYTES = 2 * 1024**3


class ParquetFile:
    """History source: one Parquet file, long or wide.

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
    >>> import tempfile, pandas as pd
    >>> from forecasting.terms.history import MetricKind
    >>> folder = Path(tempfile.mkdtemp())
    >>> pd.DataFrame({"service": ["shop"], "at": pd.to_datetime(["2027-03-01"], utc=True), "orders": [12]}
    ...     ).to_parquet(folder / "a.parquet")
    >>> spec = SourceSpec(name="a", path="a.parquet", layout="wide", metrics=("orders",))
    >>> ParquetFile(spec, folder, {"orders": Metric(name="orders", kind=MetricKind.COUNT)}).read()[0]["value"].tolist()
    [12.0]
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
        """Return canonical rows and the cells cleaned by reason.

        Returns
        -------
        (DataFrame, mapping)
            service, metric, at (datetime64[us], naive UTC), value (NaN = missing), sorted, with the row of the file
            (from 1) as the index; and the number of cells counted as missing or as duplicates, by reason.

        Raises
        ------
        InputError
            For a damaged file, a missing column, a wrong type or an impossible value, with its row.
        """
        return whole_frame(self._parts(None), self.spec, self.metrics, self._place(), self._value())

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield canonical rows in parts of bounded size, and cells cleaned by reason; nothing for a known file.

        Parameters
        ----------
        state : str or None
            What `state` returned after the last ingest that was stored.

        Raises
        ------
        InputError
            As `read`; and once all is read, where the file changed meanwhile.
        """
        yield from frames_of(self._parts(state), self.spec, self.metrics, self._place(), self._value())

    def state(self) -> str:
        """Return what to remember: size and hash of the file; valid once the chunks are exhausted."""
        return self._state.text()

    def _place(self, first: int = 0) -> Place:
        """Return how to name the rows from one on."""
        return Place(file=self.file, unit="row", first=first + 1)

    def _value(self) -> str:
        """Return the file's name of the column of values."""
        return self.spec.columns.get("value", "value")

    def _parts(self, state: str | None) -> Iterator[RawRows]:
        """Yield the rows in parts, nothing where the state knows the file."""
        declared = declared_sha256(self.spec, self.metrics)
        known = FileState.of(state, declared)
        with open_stable(inside(self.root, self.spec.path), shown=self.file) as file:
            found = FileState(size=file.size, sha256=file.sha256(), declared=declared)
            if found == known:
                file.check_mark()
            else:
                first, seen = 0, dict[str, bool]()
                for columns, count in _batches(file, self._wanted(), self.file):
                    yield self._raw(columns, first, seen)
                    first += count
                file.check(found.sha256)
            self._state = found

    def _wanted(self) -> list[str]:
        """Return the columns to read: service, at, and metric and value or one for each metric."""
        columns = self.spec.columns
        others = ("metric", "value") if self.spec.layout == "long" else ()
        ours = [columns.get(name, name) for name in ("service", "at", *others)]
        return ours if others else [*ours, *self.spec.metrics]

    def _raw(self, columns: Mapping[str, Any], first: int, seen: dict[str, bool]) -> RawRows:
        """Turn Arrow columns, the first of them of a row of the file, into rows."""
        spec, cleaned, place = self.spec, dict[str, int](), self._place(first)
        service, at_name, *others = self._wanted()
        services = read_names(_text(columns[service], service, self.file), place, service)
        at = _times(columns[at_name], spec.zone, place, at_name, seen)
        if spec.layout == "long":
            metric, value = others
            names, codes = read_names(_text(columns[metric], metric, self.file), place, metric)
            check_metrics(names, codes, spec.metrics or tuple(self.metrics), place, metric)
            values = _numbers(columns[value], place, value, cleaned)
            return raw_rows(services, at, first, cleaned, long=((names, codes), values))
        wide = {name: _numbers(columns[name], place, name, cleaned) for name in sorted(spec.metrics)}
        return raw_rows(services, at, first, cleaned, wide=wide)


def _problem(file: str, argument: str, came: object, allowed: str, hint: str) -> InputError:
    """Shorthand for an error about the file or a column."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=file)


def _batches(file: StableFile, wanted: list[str], shown: str) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Yield the wanted columns as Arrow arrays, some rows at a time, after checks of size, schema and checksums."""
    import pyarrow as pa
    from pyarrow import parquet

    if not file.size:
        raise _problem(shown, "file", "an empty file", "a Parquet file with rows", "export it again")
    file.stream.seek(0)
    damages = (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError, MemoryError)
    try:
        opened = parquet.ParquetFile(file.stream)
        footer, names = opened.metadata, opened.schema_arrow.names
        # Only sizes of whole groups: asked for a column of a damaged footer, pyarrow ends the process.
        sizes = [footer.row_group(index).total_byte_size for index in range(footer.num_row_groups)]
    except damages as error:
        raise _damaged(shown, error) from error
    _check_footer(footer.num_rows, sum(sizes), names, wanted, shown)
    if max(sizes, default=0) > _MOST_GROUP_BYTES:
        allowed = f"at most {_MOST_GROUP_BYTES} bytes in a row group"
        raise _problem(shown, "size", f"a row group of {max(sizes)} bytes", allowed, "row_group_size=1000000")
    try:
        opened = parquet.ParquetFile(
            file.stream,
            # Text is kept as a dictionary: a small file may unpack to many copies of a long name.
            read_dictionary=wanted,
            # One row group at a time, unbuffered: a buffered reader trusts the sizes that damaged pages claim.
            pre_buffer=False,
            page_checksum_verification=True,
        )
    except KeyError as error:  # a column that is a struct or a list
        raise _problem(shown, "schema", f"column {error} of a nested type", "plain columns", "flatten it") from error
    except damages as error:
        raise _damaged(shown, error) from error
    found = 0
    batches = opened.iter_batches(batch_size=max(1, _PART_CELLS // max(1, len(wanted) - 3)), columns=wanted)
    while True:
        try:
            batch = next(batches, None)
            if batch is None:
                break
            batch.validate(full=True)
        except damages as error:
            raise _damaged(shown, error) from error
        found += batch.num_rows
        if set(batch.schema.names) != set(wanted):
            raise _problem(shown, "file", "other columns than declared", "an undamaged Parquet file", "copy it again")
        if batch.num_rows:
            yield {name: batch.column(batch.schema.names.index(name)) for name in wanted}, batch.num_rows
    if found != footer.num_rows:
        came = f"{found} of {footer.num_rows} rows"
        raise _problem(shown, "file", came, "an undamaged Parquet file", "export or copy it again")


def _check_footer(rows: int, size: int, names: list[str], wanted: list[str], file: str) -> None:
    """Refuse a file that is too large, has no rows or lacks a column."""
    if rows > _MOST_ROWS or size > _MOST_BYTES:
        came = f"{rows} rows, {size} bytes unpacked"
        raise _problem(file, "size", came, f"at most {_MOST_ROWS} rows and {_MOST_BYTES} bytes", "split the file")
    if not rows:
        raise _problem(file, "rows", "no rows", "at least one row", "export the file again")
    for name in wanted:
        if name in names:
            if names.count(name) > 1:
                raise _problem(file, "schema", name, "each column once", "remove or rename the second one")
            continue
        close = nearest(name, set(names) - set(wanted))
        hint = f"columns: {{{name}: {close}}} in forecasting.yaml" if close else "add the column or correct `columns:`"
        raise _problem(file, f"column {name}", listed(names, 20), f"a column named {name}", hint)


def _damaged(file: str, error: Exception) -> InputError:
    """Make the error for a file that is no Parquet, is cut off or has a wrong checksum."""
    came = (str(error).splitlines() or [type(error).__name__])[0]
    return _problem(file, "file", came, "an undamaged, complete Parquet file", "export or copy it again")


def _text(column: Any, name: str, file: str) -> Any:
    """Return a column of names as plain text."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise _problem(file, f"column {name}", str(column.type), "text", "write the names as text (007 is not 7)")
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.dictionary(column.type.index_type, pa.string()))
    return column.cast(pa.string())


def _times(column: Any, zone: str, place: Place, name: str, seen: dict[str, bool]) -> NDArray[np.int64]:
    """Return microseconds since 1970 UTC from timestamps, dates or ISO text."""
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise place.problem(name, row, None, "a time", "fill in the time or remove the row")
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return read_times(_text(column, name, place.file), zone, place, name, seen)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        allowed = "timestamps, dates or ISO 8601 text"
        hint = "convert the numbers to timestamps (seconds or milliseconds since 1970 are not guessed)"
        raise _problem(place.file, f"column {name}", str(kind), allowed, hint)
    micros = _micros(column, place, name)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return micros
    stamps = pd.DatetimeIndex(micros.view("datetime64[us]"))
    utc, wrong = to_utc(stamps, np.full(len(stamps), pa.types.is_date(kind)), zone)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        allowed = f"a local time that exists once in {zone} (the clocks change here)"
        raise place.problem(name, row, str(stamps[row]), allowed, "write timestamps in UTC")
    local = utc.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    return in_range(np.asarray(local, dtype=np.int64), place, name)


def _micros(column: Any, place: Place, name: str) -> NDArray[np.int64]:
    """Return the wall-clock microseconds of a timestamp or date column, each within 1990-2100."""
    import pyarrow as pa

    target = pa.timestamp("us", tz=getattr(column.type, "tz", None))
    try:
        exact = column.cast(target) if pa.types.is_timestamp(column.type) else column.cast(pa.timestamp("us"))
    except pa.ArrowInvalid as error:
        allowed = "times in whole microseconds between 1990 and 2100"
        raise _problem(place.file, f"column {name}", str(error)[:120], allowed, "round to microseconds") from error
    numbers = exact.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return in_range(np.asarray(numbers, dtype=np.int64), place, name)


def _numbers(column: Any, place: Place, name: str, cleaned: dict[str, int]) -> NDArray[np.float64]:
    """Return the numbers of a column, NaN where it has null or NaN."""
    import pyarrow as pa

    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not numeric and not pa.types.is_null(kind):
        raise _problem(place.file, f"column {name}", str(kind), "numbers", "write the column as numbers")
    empty = column.null_count
    values = np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    not_a_number = int(np.isnan(values).sum()) - empty
    for reason, count in (("null", empty), ("NaN", not_a_number)):
        if count:
            cleaned[reason] = cleaned.get(reason, 0) + count
    return refuse_infinite(values, place, name)
