"""Metric rows from a Parquet file, with its page checksums verified where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._cells import Place, in_range, read_names, read_times, refuse_infinite, to_utc
from forecasting.adapters._fields import listed, nearest
from forecasting.adapters._input_file import inside, read_stable
from forecasting.adapters._rows import canonical_rows, check_metrics
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_MOST_ROWS = 100_000_000
_MOST_BYTES = 8 * 1024**3


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
        spec, cleaned = self.spec, dict[str, int]()
        service, at_name = (spec.columns.get(ours, ours) for ours in ("service", "at"))
        metric, value = (spec.columns.get(ours, ours) for ours in ("metric", "value"))
        long = spec.layout == "long"
        wanted = [service, at_name, *((metric, value) if long else spec.metrics)]
        data = read_stable(inside(self.root, spec.path), shown=self.file)
        columns = _columns(data, wanted, self.file)
        place = Place(file=self.file, unit="row", first=1)
        services = read_names(_text(columns[service], service, self.file), place, service)
        at = _times(columns[at_name], spec.zone, place, at_name)
        row, titles = np.arange(len(at)), dict[str, str]()
        if long:
            names, codes = read_names(_text(columns[metric], metric, self.file), place, metric)
            check_metrics(names, codes, spec.metrics or tuple(self.metrics), place, metric)
            values = _numbers(columns[value], place, value, cleaned)
            titles = dict.fromkeys(names, value)
        else:
            names, width = sorted(spec.metrics), len(spec.metrics)
            values = np.concatenate([_numbers(columns[name], place, name, cleaned) for name in names])
            codes = np.repeat(np.arange(width), len(row))
            services = services[0], np.tile(services[1], width)
            at, row = np.tile(at, width), np.tile(row, width)
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


def _problem(file: str, argument: str, came: object, allowed: str, hint: str) -> InputError:
    """Shorthand for an error about the file or a column."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=file)


def _columns(data: bytes, wanted: list[str], file: str) -> Mapping[str, Any]:
    """Return the wanted columns as Arrow arrays after checks of size, schema and checksums."""
    import pyarrow as pa
    from pyarrow import parquet

    if not data:
        raise _problem(file, "file", "an empty file", "a Parquet file with rows", "export it again")
    try:
        opened = parquet.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        footer, names = opened.metadata, opened.schema_arrow.names
        size = sum(footer.row_group(index).total_byte_size for index in range(footer.num_row_groups))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(file, error) from error
    if footer.num_rows > _MOST_ROWS or size > _MOST_BYTES:
        came = f"{footer.num_rows} rows, {size} bytes unpacked"
        raise _problem(file, "size", came, f"at most {_MOST_ROWS} rows and {_MOST_BYTES} bytes", "split the file")
    if not footer.num_rows:
        raise _problem(file, "rows", "no rows", "at least one row", "export the file again")
    for name in wanted:
        if name in names:
            if names.count(name) > 1:
                raise _problem(file, "schema", name, "each column once", "remove or rename the second one")
            continue
        close = nearest(name, set(names) - set(wanted))
        hint = f"columns: {{{name}: {close}}} in forecasting.yaml" if close else "add the column or correct `columns:`"
        raise _problem(file, f"column {name}", listed(names, 20), f"a column named {name}", hint)
    try:
        table = opened.read(columns=wanted)
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _damaged(file, error) from error
    if table.num_rows != footer.num_rows or set(table.column_names) != set(wanted):
        came = f"{table.num_rows} of {footer.num_rows} rows"
        raise _problem(file, "file", came, "an undamaged Parquet file", "export or copy it again")
    return {name: _whole(table.column(name)) for name in wanted}


def _whole(column: Any) -> Any:
    """Return a chunked column as one array."""
    import pyarrow as pa

    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined


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
    return column.cast(pa.string())


def _times(column: Any, zone: str, place: Place, name: str) -> NDArray[np.int64]:
    """Return microseconds since 1970 UTC from timestamps, dates or ISO text."""
    import pandas as pd
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise place.problem(name, row, None, "a time", "fill in the time or remove the row")
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return read_times(column.cast(pa.string()), zone, place, name)
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
