"""Reads an input file safely: a regular file inside the workspace that stays the same while it is read."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path, PurePosixPath, PureWindowsPath

from forecasting.terms.errors import InputError

MAX_INPUT_BYTES = 4 * 1024**3
"""Largest file that is read whole."""

MAX_STREAM_BYTES = 64 * 1024**3
"""Largest file that is read in parts."""

_HASH_BYTES = 1 << 20


def path_problem(path: str) -> str | None:
    """Return why `path` may not be used as a path inside a workspace, or None where it may.

    Examples
    --------
    >>> path_problem("data/metrics.csv") is None, path_problem("../x.csv")
    (True, 'a path without ".."')
    """
    if not path.strip() or "\0" in path or any(ord(c) < 32 for c in path):
        return "a file name"
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or "\\" in path:
        return "a relative path with forward slashes"
    return 'a path without ".."' if ".." in PurePosixPath(path).parts else None


def inside(root: Path, path: str, *, argument: str = "path", file: str | None = None, line: int | None = None) -> Path:
    """Return the path below `root`, refusing one that leads out of it, also by a symbolic link.

    Raises
    ------
    InputError
        Where the path is absolute, climbs or leads out.

    Examples
    --------
    >>> inside(Path("/data"), "a.csv").name
    'a.csv'
    """
    problem = path_problem(path)
    if problem is None:
        full = root / path
        try:
            within = full.resolve().is_relative_to(root.resolve())
        except (OSError, RuntimeError):  # a loop of links: RuntimeError up to Python 3.12
            within = False
        if within:
            return full
        problem = "a file inside the workspace, not a link out of it"
    raise InputError(
        argument=argument,
        came=path,
        allowed="a relative path inside the workspace",
        try_instead=problem,
        file=file,
        line=line,
    )


def read_stable(path: Path, *, shown: str, largest: int = MAX_INPUT_BYTES) -> bytes:
    """Return the bytes of a regular file, read twice to be sure that nobody was writing it.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        Its name in messages.
    largest : int
        Largest size in bytes.

    Raises
    ------
    InputError
        Where it is missing, not a regular file, unreadable, too large or changing.

    Examples
    --------
    >>> read_stable(Path(__file__), shown="this")[:3]
    b'\"\"\"'
    """
    with open_stable(path, shown=shown, largest=largest) as file:
        data = file.stream.read(file.size + 1)
        if len(data) != file.size:
            raise file.changed()
        file.check(hashlib.sha256(data).hexdigest())
    return data


class StableFile:
    """An open file that nobody may change until it has been read; made by `open_stable`."""

    def __init__(self, path: Path, stream: BufferedReader, status: os.stat_result, shown: str) -> None:
        self.path, self.stream, self.status, self.shown = path, stream, status, shown
        self.size = status.st_size

    def sha256(self) -> str:
        """Return the hash of the content as it is now."""
        self.stream.seek(0)
        return hashlib.file_digest(self.stream, "sha256").hexdigest()

    def sha256_with_part(self, length: int) -> tuple[str, str]:
        """Return the hash of the content and that of its first `length` bytes."""
        self.stream.seek(0)
        digest, left = hashlib.sha256(), length
        while left and (data := self.stream.read(min(left, _HASH_BYTES))):
            digest.update(data)
            left -= len(data)
        part = digest.hexdigest()
        while data := self.stream.read(_HASH_BYTES):
            digest.update(data)
        return digest.hexdigest(), part

    def check(self, sha256: str) -> None:
        """Raise InputError unless the file is still the one at its path, with the content of that hash."""
        if self.sha256() != sha256:
            raise self.changed()
        self.check_mark()

    def check_mark(self) -> None:
        """Raise InputError where size, time or place of the file are others than when it was opened."""
        if _mark(os.fstat(self.stream.fileno())) != _mark(self.status) or not _is_at(self.path, self.status):
            raise self.changed()

    def changed(self) -> InputError:
        """Make the error for a file that somebody writes."""
        return _problem(self.shown, "it changed while it was read", "a file that is complete", "try again when it is")


@contextmanager
def open_stable(path: Path, *, shown: str, largest: int = MAX_STREAM_BYTES) -> Iterator[StableFile]:
    """Open a regular file for reading in parts.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        Its name in messages.
    largest : int
        Largest size in bytes.

    Raises
    ------
    InputError
        Where it is missing, not a regular file, unreadable or too large.

    Examples
    --------
    >>> with open_stable(Path(__file__), shown="this") as file:
    ...     whole, part = file.sha256_with_part(file.size)
    ...     file.check(whole)
    >>> whole == part
    True
    """
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError as error:
        raise _problem(shown, "no such file", "an existing file", "correct the path or put the file there") from error
    except OSError as error:
        raise _problem(shown, error.strerror or str(error), "a readable file", "check its permissions") from error
    before = os.fstat(descriptor)
    if not stat.S_ISREG(before.st_mode) or before.st_size > largest:
        os.close(descriptor)
        if stat.S_ISREG(before.st_mode):
            raise _problem(shown, f"{before.st_size} bytes", f"at most {largest} bytes", "split the file")
        what = "a folder" if stat.S_ISDIR(before.st_mode) else "a device, pipe or socket"
        raise _problem(shown, what, "a regular file", "name the file itself")
    with os.fdopen(descriptor, "rb") as stream:
        yield StableFile(path, stream, before, shown)


def _mark(status: os.stat_result) -> tuple[int, int, int, int]:
    """Return what changes when a file is written."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _is_at(path: Path, status: os.stat_result) -> bool:
    """Tell whether the file is still the one at `path`."""
    try:
        return _mark(path.stat()) == _mark(status)
    except OSError:
        return False


def _problem(shown: str, came: str, allowed: str, try_instead: str) -> InputError:
    """Shorthand for an error about the file as a whole."""
    return InputError(argument="file", came=came, allowed=allowed, try_instead=try_instead, file=shown)
