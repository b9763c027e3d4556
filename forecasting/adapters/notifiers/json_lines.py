"""Early warnings as JSON lines: one object a line, appended to a file or written to standard output."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, ClassVar

from forecasting.adapters._input_file import inside
from forecasting.adapters._notice_text import record
from forecasting.adapters._notifier_parts import Form, Place, failed
from forecasting.adapters._plain import plain
from forecasting.adapters._writer_lock import store_lock
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.notice import Notice
from forecasting.terms.project import NotifierSpec
from forecasting.terms.warning import EarlyWarning

SCHEMA_VERSION = 1
_OURS = re.compile(rb'\{"at": "[0-9TZ:.+-]+", "id": "([^"\\]+)", "kind": "')
"""How each line of notices begins, its keys being sorted."""
Row = dict[str, object]


class JsonLines:
    """Notifier that appends each notice to a file in the workspace, once: an id that is there is not written again.

    A notice is taken once its line is on the disk (fsync). One writer at a time; half a line of a run that was killed
    is cut off before the next one is written. The whole file is looked at once for each notifier, afterwards only what
    came behind.

    Parameters
    ----------
    spec : NotifierSpec
        path.
    place : Place
        The workspace.

    Examples
    --------
    >>> import tempfile
    >>> from forecasting.testing.notifier import make_notice
    >>> folder = Path(tempfile.mkdtemp())
    >>> notifier = JsonLines(NotifierSpec(name="file", kind="json_lines", path="notices.jsonl"), Place(root=folder))
    >>> sorted(notifier.send([make_notice()]) | notifier.send([make_notice()]))
    ['w1:raised:1']
    >>> len((folder / "notices.jsonl").read_text().splitlines())
    1
    """

    form: ClassVar[Form] = Form(fields=("path",), required=("path",), suffixes=(".jsonl", ".ndjson"))

    def __init__(self, spec: NotifierSpec, place: Place) -> None:
        self.spec, self._place = spec, place
        self._index = Index(_notice_identity, _OURS)

    @property
    def name(self) -> str:
        """Name of the receiver in the project."""
        return self.spec.name

    @property
    def repeat_every(self) -> timedelta | None:
        """None: what was written stays."""
        return None

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Append the notices that are not in the file and return the ids of all.

        Raises
        ------
        NotifierError
            Where the file cannot be written, is in use for too long, or holds something else.
        """
        if not notices:
            return frozenset()
        try:
            path = inside(self._place.root, self.spec.path)  # again: a link may have come since the project was read
            _append_rows(path, [record(notice) for notice in notices], self._index)
        except (StoreError, InputError) as error:
            place = f"{self.spec.path}{f':{error.line}' if error.line else ''}"
            raise failed(self.spec, f"{place}: {error.came}", error.try_instead, allowed=error.allowed) from error
        return frozenset(notice.id for notice in notices)

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Do nothing: a file remembers."""


def append_warnings(path: Path | None, warnings: Sequence[EarlyWarning]) -> int:
    """Append each warning of a run once: the same id, as-of instant and state are never written again.

    Parameters
    ----------
    path : Path or None
        The file; None writes to standard output, where only these warnings are known.
    warnings : sequence of EarlyWarning

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    StoreError
        Where the file cannot be written.

    Examples
    --------
    >>> append_warnings(None, [])
    0
    """
    rows = [{"schema_version": SCHEMA_VERSION, **_row(warning)} for warning in warnings]
    if path is not None:
        return _append_rows(path, rows, Index(_identity)) if rows else 0
    new = _new(rows, set(), _identity)
    sys.stdout.write("".join(_line(row) for row in new))
    sys.stdout.flush()
    return len(new)


def warning_lines(warnings: Sequence[EarlyWarning]) -> str:
    """Return warnings as JSON lines, each once.

    Examples
    --------
    >>> warning_lines([])
    ''
    """
    return "".join(_line(row) for row in _new([_row(warning) for warning in warnings], set(), _identity))


def _row(warning: EarlyWarning) -> Row:
    """Return a warning as plain values."""
    row = plain(warning)
    assert isinstance(row, dict)
    return row


def _line(row: Row) -> str:
    """Return one line of JSON; other than ASCII is escaped, so that no name can hold a line end."""
    return json.dumps(row, sort_keys=True, allow_nan=False) + "\n"


def _identity(row: Row) -> tuple[str, ...]:
    """Return what makes a warning of a run the same one."""
    return str(row.get("id")), str(row.get("raised_at")), str(row.get("state"))


def _notice_identity(row: Row) -> tuple[str, ...]:
    """Return what makes a notice the same one."""
    return (str(row["id"]),)


Identity = Callable[[Row], tuple[str, ...]]


class Index:
    """Identities of the whole lines of one file; what was read once is not read again, only what came behind it.

    Parameters
    ----------
    identity : callable
        Returns what makes a row the same one; raises where a line is none of ours.
    prefix : bytes pattern or None
        How the lines of this program begin, with the identity as its only group: such a line is not parsed.
    """

    def __init__(self, identity: Identity, prefix: re.Pattern[bytes] | None = None) -> None:
        self.identity, self._prefix = identity, prefix
        self.known: set[tuple[str, ...]] = set()
        self._file, self._end, self._lines = (0, 0), 0, 0

    def follow(self, stream: BinaryIO, name: str) -> int:
        """Read on where the last reading ended and return the end of the last whole line."""
        found = os.fstat(stream.fileno())
        if self._file != (found.st_dev, found.st_ino) or found.st_size < self._end:
            self.known, self._file, self._end, self._lines = set(), (found.st_dev, found.st_ino), 0, 0
        stream.seek(self._end)
        for line in stream:
            if not line.endswith(b"\n"):
                break
            self.known.add(self._read_line(line, self._lines + 1, name))
            self._end, self._lines = self._end + len(line), self._lines + 1
        return self._end

    def _read_line(self, line: bytes, number: int, file: str) -> tuple[str, ...]:
        """Return the identity of a line that is there; anything else is not ours to write behind."""
        hit = self._prefix.match(line) if self._prefix is not None else None
        if hit is not None and line.endswith(b"}\n"):
            return (hit[1].decode("ascii"),)
        try:
            return self.identity(json.loads(line))
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
            raise StoreError(
                argument="warnings",
                came=line[:80].decode("utf-8", "replace").rstrip("\n"),
                allowed="one JSON object a line, as this file was begun",
                try_instead="move the file away",
                file=file,
                line=number,
            ) from error


def _new(rows: list[Row], known: set[tuple[str, ...]], identity: Identity) -> list[Row]:
    """Return the rows that are not known, each once."""
    new: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if identity(row) not in known:
            new.setdefault(identity(row), row)
    return list(new.values())


def _append_rows(path: Path, rows: list[Row], index: Index) -> int:
    """Append the new rows under the lock of the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(path):
            return _append(path, rows, index)
    except OSError as error:
        raise StoreError(
            argument="warnings",
            came=error.strerror or str(error),
            allowed="a file that can be written",
            try_instead="check permissions and free space",
            file=path.name,
        ) from error


def _append(path: Path, rows: list[Row], index: Index) -> int:
    """Append the new rows in one write; a half line of a killed run is cut off first."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        whole = index.follow(stream, path.name)
        if whole < os.fstat(descriptor).st_size:
            os.ftruncate(descriptor, whole)
        new = _new(rows, index.known, index.identity)
        data = "".join(_line(row) for row in new).encode()
        written = os.write(descriptor, data) if data else 0
        if written < len(data):
            os.ftruncate(descriptor, whole)
            raise OSError(errno.ENOSPC, "no space left for the warnings")
        os.fsync(descriptor)
    if is_new:  # the name of a new file is in its folder, which has to reach the disk too
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return len(new)
