"""PostgreSQL's binary COPY format for rows of fixed width, straight from and to NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from psycopg import Connection
    from psycopg.abc import Params

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_EPOCH_US = int(np.datetime64("2000-01-01", "us").astype(np.int64))
"""PostgreSQL counts microseconds since 2000."""
_BLOCK_BYTES = 16 * 1024**2
_WIDTHS = {"i4": 4, "i8": 8, "f8": 8}


def _record(fields: Sequence[str]) -> np.dtype[Any]:
    """Return the layout of one row: the number of fields, then width and value of each, big-endian."""
    parts: list[tuple[str, str]] = [("n", ">i2")]
    for index, kind in enumerate(fields):
        parts += [(f"w{index}", ">i4"), (f"v{index}", f">{kind}")]
    return np.dtype(parts)


def encode(columns: Sequence[NDArray[Any]], fields: Sequence[str], *, at: int) -> bytes:
    """Return rows as one whole COPY text.

    Parameters
    ----------
    columns : sequence of arrays
        One array for each field.
    fields : sequence of str
        ``i4``, ``i8`` or ``f8``: int, bigint or timestamp, double precision.
    at : int
        Position of the field that holds microseconds since 1970.

    Examples
    --------
    >>> data = encode([np.array([7]), np.array([0]), np.array([1.5])], ("i4", "i8", "f8"), at=1)
    >>> [column.tolist() for column in decode([data], ("i4", "i8", "f8"), at=1)]
    [[7], [0], [1.5]]
    """
    rows = np.zeros(len(columns[0]), dtype=_record(fields))
    rows["n"] = len(fields)
    for index, (kind, column) in enumerate(zip(fields, columns, strict=True)):
        rows[f"w{index}"] = _WIDTHS[kind]
        rows[f"v{index}"] = column - _EPOCH_US if index == at else column
    return _SIGNATURE + rows.tobytes() + _END


def blocks(data: Iterator[bytes] | Sequence[bytes], fields: Sequence[str], *, at: int) -> Iterator[list[NDArray[Any]]]:
    """Yield the columns of a COPY text in blocks of some hundred thousand rows."""
    layout = _record(fields)
    kept, begun = bytearray(), False
    for part in data:
        kept += part
        if not begun and len(kept) >= len(_SIGNATURE):
            del kept[: len(_SIGNATURE)]
            begun = True
        if len(kept) > _BLOCK_BYTES:
            # The end mark may be in here already; it is shorter than a row.
            whole = (len(kept) - len(_END)) // layout.itemsize * layout.itemsize
            yield _columns(bytes(kept[:whole]), layout, fields, at)
            del kept[:whole]
    if bytes(kept[-len(_END) :]) != _END or (len(kept) - len(_END)) % layout.itemsize:
        raise ValueError("an incomplete COPY from the server")
    yield _columns(bytes(kept[: -len(_END)]), layout, fields, at)


def decode(data: Iterator[bytes] | Sequence[bytes], fields: Sequence[str], *, at: int) -> list[NDArray[Any]]:
    """Return the columns of a whole COPY text."""
    parts = list(blocks(data, fields, at=at))
    return [np.concatenate([part[index] for part in parts]) for index in range(len(fields))]


def _columns(data: bytes, layout: np.dtype[Any], fields: Sequence[str], at: int) -> list[NDArray[Any]]:
    """Return the columns of whole rows, in the machine's byte order."""
    rows = np.frombuffer(data, dtype=layout)
    if (rows["n"] != len(fields)).any() or any((rows[f"w{i}"] != _WIDTHS[k]).any() for i, k in enumerate(fields)):
        raise ValueError("a COPY with other columns or empty cells")
    columns = [rows[f"v{index}"].astype(kind) for index, kind in enumerate(fields)]
    columns[at] += _EPOCH_US
    return columns


def copy_in(connection: Connection, table: str, data: bytes) -> None:
    """Copy one COPY text into a table of ours."""
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:
        for start in range(0, len(data), _BLOCK_BYTES):
            copy.write(data[start : start + _BLOCK_BYTES])


def copy_out(connection: Connection, query: str, values: Params | None = None) -> Iterator[bytes]:
    """Yield the parts of a COPY text with the answer of a query of ours; `values` are its parameters."""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)", values) as copy,
    ):
        for part in copy:
            yield bytes(part)
