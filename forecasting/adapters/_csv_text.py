"""The text of a CSV file in blocks of whole lines: UTF-8, ``\\n`` line ends, nothing half-written or unclosed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from hashlib import _Hash

_BLOCK_BYTES = 32 << 20
_LONGEST_LINE = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Block:
    """Whole lines of a file."""

    data: bytes
    """Ends with ``\\n``, has no other line ends and no empty line."""
    first: int
    """Number of its first line."""
    lines: int
    """Lines of the file up to its end, empty ones at the end of the file included."""
    open_end: bool
    """False where empty lines follow: no row may come after them."""


class Problems:
    """Makes errors about lines of a file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def at(self, line: int | None, argument: str, came: object, allowed: str, hint: str) -> InputError:
        """Make the error for a line, counted from 1."""
        return InputError(argument=argument, came=came, allowed=allowed, try_instead=hint, file=self.file, line=line)


def blocks_of(stream: BinaryIO, digest: _Hash, problems: Problems, *, lines: int = 0) -> Iterator[Block]:
    """Yield the lines from where the stream stands; `lines` were before that; the digest gets what is read.

    Raises
    ------
    InputError
        For the first line that cannot be used.

    Examples
    --------
    >>> import hashlib, io
    >>> [block] = blocks_of(io.BytesIO(b"a,b\\r\\n1,2\\r\\n\\r\\n"), hashlib.sha256(), Problems("a.csv"))
    >>> block.data, block.first, block.lines, block.open_end
    (b'a,b\\n1,2\\n', 1, 3, False)
    """
    blank = 0
    for index, whole in enumerate(_whole_lines(stream, digest, problems)):
        first, data = lines + 1, whole
        if not lines and not index:
            if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
                raise problems.at(1, "encoding", "UTF-16", "UTF-8", "save the file as UTF-8")
            data = data.removeprefix(b"\xef\xbb\xbf")
        data = _plain_lines(data, first, problems)
        lines += data.count(b"\n")
        kept = data.rstrip(b"\n")
        if kept and blank:
            raise _empty_line(blank, problems)
        if kept:
            kept += b"\n"
            _check_lines(kept, first, problems)
        if len(kept) < len(data):
            blank = blank or first + kept.count(b"\n")
        if kept or blank:
            yield Block(data=kept, first=first, lines=lines, open_end=not blank)


def _whole_lines(stream: BinaryIO, digest: _Hash, problems: Problems) -> Iterator[bytes]:
    """Yield the bytes of the file, cut after line ends; only the last part may lack one."""
    rest, data, any_text = b"", stream.read(_BLOCK_BYTES), False
    while data:
        digest.update(data)
        after = stream.read(_BLOCK_BYTES)
        any_text = any_text or bool(data.strip())
        if not after:
            if any_text:
                yield rest + data
            break
        cut = data.rfind(b"\n") + 1
        if cut:
            yield rest + data[:cut]
            rest = data[cut:]
        else:
            rest += data
        if len(rest) > _LONGEST_LINE:
            raise problems.at(None, "CSV", "lines that cannot be split", "lines below 8 MiB", "check the quotes")
        data = after
    if not any_text:
        raise problems.at(None, "file", "an empty file", "a header and at least one row", "export it again")


def _plain_lines(data: bytes, first: int, problems: Problems) -> bytes:
    """Return UTF-8 text with ``\\n`` line ends, or refuse the file."""
    zero = data.find(b"\0")
    if zero >= 0:
        line = first + data.count(b"\n", 0, zero)
        raise problems.at(line, "encoding", "a NUL byte", "UTF-8 text", "save the file as UTF-8 text")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = first + data.count(b"\n", 0, error.start)
            came, hint = data[error.start : error.start + 4], "save the file as UTF-8 (it looks like Latin-1)"
            raise problems.at(line, "encoding", came, "UTF-8", hint) from error
    if not data.endswith((b"\n", b"\r")):
        line = first + data.count(b"\n")
        tail = data[-40:].rpartition(b"\n")[2].decode("utf-8", "replace")
        hint = "wait until the file is complete, or end the line"
        raise problems.at(line, "half-written file", tail, "a line end after the last line", hint)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        bare = data.find(b"\r")
        if bare >= 0:
            line = first + data.count(b"\n", 0, bare)
            raise problems.at(line, "line end", "a lone carriage return", "\\n or \\r\\n", "convert the line ends")
    return data


def _check_lines(data: bytes, first: int, problems: Problems) -> None:
    """Refuse empty lines, and lines with an odd number of quotes: an unclosed one would swallow the lines after it."""
    blank = 0 if data.startswith(b"\n") else data.find(b"\n\n") + 1
    if data[blank : blank + 1] == b"\n":
        raise _empty_line(first + data.count(b"\n", 0, blank), problems)
    if b'"' not in data:
        return
    raw = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    odd = np.bincount(np.searchsorted(ends, np.flatnonzero(raw == ord('"'))), minlength=len(ends)) % 2 == 1
    if odd.any():
        line = int(np.flatnonzero(odd)[0])
        begin = int(ends[line - 1]) + 1 if line else 0
        came = data[begin : int(ends[line])][:480].decode("utf-8", "replace")[:120]
        raise problems.at(first + line, "quote", came, "quotes that are closed on the same line", "close the quote")


def _empty_line(line: int, problems: Problems) -> InputError:
    """Make the error for an empty line that rows follow."""
    return problems.at(line, "line", "an empty line", "no empty line between rows", "remove the empty line")
