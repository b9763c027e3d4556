"""Reads a whole input file safely: a regular file inside the workspace that stays the same while it is read."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

from forecasting.terms.errors import InputError

MAX_INPUT_BYTES = 4 * 1024**3


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
        data = stream.read(before.st_size + 1)
        stream.seek(0)
        again = hashlib.file_digest(stream, "sha256").digest()
        after = os.fstat(descriptor)
    same = hashlib.sha256(data).digest() == again and _mark(before) == _mark(after) and len(data) == before.st_size
    if not same or not _is_at(path, before):
        raise _problem(shown, "it changed while it was read", "a file that is complete", "try again when it is")
    return data


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
