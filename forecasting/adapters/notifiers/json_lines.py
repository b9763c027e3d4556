"""Early warnings as JSON lines: one object a line, appended to a file or written to standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from forecasting.adapters._plain import plain
from forecasting.adapters._writer_lock import store_lock
from forecasting.terms.errors import StoreError
from forecasting.terms.warning import EarlyWarning

SCHEMA_VERSION = 1


class JsonLines:
    """Notifier that appends each warning once: the same id, as-of instant and state are never written again.

    Parameters
    ----------
    path : Path or None
        The file; None writes to standard output, where only this object's own past is known.

    Examples
    --------
    >>> JsonLines(None).send([])
    0
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._sent: set[tuple[str, str, str]] = set()

    def send(self, warnings: Sequence[EarlyWarning]) -> int:
        """Append the warnings that are new and return how many were.

        Raises
        ------
        StoreError
            Where the file cannot be written.
        """
        rows = [{"schema_version": SCHEMA_VERSION, **_row(warning)} for warning in warnings]
        if self.path is None:
            return self._write_out(rows)
        if not rows:
            return 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with store_lock(self.path):
                return _append(self.path, rows)
        except OSError as error:
            raise StoreError(
                argument="warnings",
                came=error.strerror or str(error),
                allowed="a file that can be written",
                try_instead="check permissions and free space",
                file=self.path.name,
            ) from error

    def _write_out(self, rows: list[dict[str, object]]) -> int:
        """Write the new ones to standard output."""
        new = _new(rows, self._sent)
        sys.stdout.write("".join(_line(row) for row in new))
        sys.stdout.flush()
        return len(new)


def warning_lines(warnings: Sequence[EarlyWarning]) -> str:
    """Return warnings as JSON lines, as `JsonLines` writes them to a new file.

    Examples
    --------
    >>> warning_lines([])
    ''
    """
    return "".join(_line(row) for row in _new([_row(warning) for warning in warnings], set()))


def _row(warning: EarlyWarning) -> dict[str, object]:
    """Return a warning as plain values."""
    row = plain(warning)
    assert isinstance(row, dict)
    return row


def _line(row: dict[str, object]) -> str:
    """Return one line of JSON; other than ASCII is escaped, so that no name can hold a line end."""
    return json.dumps(row, sort_keys=True, allow_nan=False) + "\n"


def _identity(row: dict[str, object]) -> tuple[str, str, str]:
    """Return what makes a warning the same one."""
    return str(row.get("id")), str(row.get("raised_at")), str(row.get("state"))


def _new(rows: list[dict[str, object]], known: set[tuple[str, str, str]]) -> list[dict[str, object]]:
    """Return the rows that are not known, adding them to the known ones."""
    new = []
    for row in rows:
        identity = _identity(row)
        if identity not in known:
            known.add(identity)
            new.append(row)
    return new


def _append(path: Path, rows: list[dict[str, object]]) -> int:
    """Append the new rows in one write; a half line of a killed run is cut off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as stream:
        content = stream.readall()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(descriptor, whole)
        known = set()
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                known.add(_identity(json.loads(line)))
            except (ValueError, AttributeError, RecursionError) as error:
                raise StoreError(
                    argument="warnings",
                    came=line[:80].decode("utf-8", "replace"),
                    allowed="one JSON object a line",
                    try_instead="move the file away",
                    file=path.name,
                    line=number,
                ) from error
        new = _new(rows, known)
        data = "".join(_line(row) for row in new).encode()
        written = os.write(descriptor, data) if data else 0
        if written < len(data):
            os.ftruncate(descriptor, whole)
            raise OSError(28, "no space left for the warnings")
        os.fsync(descriptor)
    return len(new)
