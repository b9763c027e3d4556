"""Early warnings as JSON lines: one object a line, appended to a file or written to standard output."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

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
Row = dict[str, object]


class JsonLines:
    """Notifier that appends each notice to a file in the workspace, once: an id that is there is not written again.

    A notice is taken once its line is on the disk (fsync). One writer at a time; half a line of a run that was killed
    is cut off before the next one is written.

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
            _append_rows(path, [record(notice) for notice in notices], _notice_identity)
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
        return _append_rows(path, rows, _identity) if rows else 0
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


def _new(rows: list[Row], known: set[tuple[str, ...]], identity: Identity) -> list[Row]:
    """Return the rows that are not known, adding them to the known ones."""
    new = []
    for row in rows:
        if identity(row) not in known:
            known.add(identity(row))
            new.append(row)
    return new


def _append_rows(path: Path, rows: list[Row], identity: Identity) -> int:
    """Append the new rows under the lock of the file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with store_lock(path):
            return _append(path, rows, identity)
    except OSError as error:
        raise StoreError(
            argument="warnings",
            came=error.strerror or str(error),
            allowed="a file that can be written",
            try_instead="check permissions and free space",
            file=path.name,
        ) from error


def _append(path: Path, rows: list[Row], identity: Identity) -> int:
    """Append the new rows in one write; a half line of a killed run is cut off first."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        content = stream.readall()
        whole = content.rfind(b"\n") + 1
        known = {
            _read_line(line, number, path.name, identity)
            for number, line in enumerate(content[:whole].splitlines(), start=1)
        }
        if whole < len(content):
            os.ftruncate(descriptor, whole)
        new = _new(rows, known, identity)
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


def _read_line(line: bytes, number: int, file: str, identity: Identity) -> tuple[str, ...]:
    """Return the identity of a line that is there; anything else is not ours to write behind."""
    try:
        return identity(json.loads(line))
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(
            argument="warnings",
            came=line[:80].decode("utf-8", "replace"),
            allowed="one JSON object a line, as this file was begun",
            try_instead="move the file away",
            file=file,
            line=number,
        ) from error
