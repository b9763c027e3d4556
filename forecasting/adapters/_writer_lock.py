"""One writer at a time: an advisory lock on a file beside the store, with the owner's process id in it."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forecasting.terms.errors import StoreError

_PAUSE_SECONDS = 0.02


@contextmanager
def store_lock(store: Path, *, shared: bool = False, wait_seconds: float = 30.0) -> Iterator[None]:
    """Hold the lock of a store: exclusive for a writer, shared for a reader.

    The operating system frees the lock when its owner ends, so that the lock of a killed process is taken over at once.

    Parameters
    ----------
    store : Path
        The store's file; the lock is ``<store>.lock`` beside it.
    shared : bool
        True for a reader.
    wait_seconds : float
        How long to wait for another process.

    Raises
    ------
    StoreError
        Where another process still holds it after that time (with its process id), or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with store_lock(Path(tempfile.mkdtemp()) / "a.db"):
    ...     pass
    """
    import fcntl

    path = store.with_name(store.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if shared and error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            yield  # a reader of a read-only workspace: nobody can write there
            return
        raise StoreError(
            argument="store",
            came=error.strerror or str(error),
            allowed="a folder that can be written",
            try_instead="check permissions and free space",
            file=path.name,
        ) from error
    try:
        _wait(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, store, wait_seconds)
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, kind: int, store: Path, wait_seconds: float) -> None:
    """Take the lock, trying again until the time is up."""
    import fcntl

    end = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
                raise StoreError(
                    argument="store",
                    came=f"in use by process {owner}",
                    allowed="one writer at a time",
                    try_instead=f"wait until it ends (waited {wait_seconds:g} s), or stop process {owner}",
                    file=store.name,
                ) from None
            time.sleep(_PAUSE_SECONDS)
