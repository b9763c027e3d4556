"""Writes a whole file or nothing: temporary file in the same folder, fsync, replace, fsync of the folder."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from pathlib import Path

from forecasting.terms.errors import InputError, StoreError

_SUFFIX = re.compile(r"\.[a-z]{1,8}")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def slug(name: str) -> str:
    """Return a file name for `name`: plain letters, with a hash where anything had to be changed.

    Parameters
    ----------
    name : str
        Any text.

    Returns
    -------
    str
        1 to 89 characters of ``A-Z a-z 0-9 . _ -``, not beginning with a dot or hyphen.

    Examples
    --------
    >>> slug("plan"), slug("../../etc/passwd")
    ('plan', 'etc-passwd-3754d6cb')
    """
    folded = unicodedata.normalize("NFKC", name)
    plain = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", folded)).strip("-._")[:80].rstrip("-._")
    if plain and plain == name and plain.split(".")[0].lower() not in _RESERVED:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain and plain.split(".")[0].lower() not in _RESERVED else f"x-{digest}"


def write_atomic(root: Path, name: str, text: str, *, folder: str = "") -> Path:
    """Write `text` to ``root/folder/name`` so that a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    root : Path
        Folder that nothing is written outside of; made if missing.
    name : str
        File name with its suffix; unusual characters are replaced (see `slug`).
    text : str
        The content, written as UTF-8 with ``\\n`` line ends.
    folder : str
        A folder below `root`, slugged as well; empty for `root` itself.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InputError
        Where the folder is a link that leads out of `root`, or the name is that of a folder.
    StoreError
        Where writing fails; the old file, if any, is untouched.

    Examples
    --------
    >>> write_atomic(Path(tempfile.mkdtemp()), "plan.html", "<p>").name
    'plan.html'
    """
    place = root / slug(folder) if folder else root
    suffix = Path(name).suffix
    target = place / (slug(name.removesuffix(suffix)) + suffix if _SUFFIX.fullmatch(suffix) else slug(name))
    temporary = ""
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not place.resolve().is_relative_to(root.resolve()) or target.is_dir():
            raise InputError(
                argument="output",
                came=str(target.relative_to(root)),
                allowed="a file inside the output folder",
                try_instead="remove the link or folder of that name",
            )
        descriptor, temporary = tempfile.mkstemp(dir=place, prefix=f".{target.name[:60]}.", suffix=".tmp")
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o644)
            # A lone surrogate in a name must not stop a report.
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
        temporary = ""
        _sync_folder(place)
    except OSError as error:
        raise _not_written("output", error, target) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
    return target


def publish(draft: Path, target: Path) -> None:
    """Put a finished file in the place of another: on disk first, then under its name.

    Parameters
    ----------
    draft : Path
        The finished file, closed, in the target's folder.
    target : Path
        Its place; an older file of that name goes.

    Raises
    ------
    StoreError
        Where that fails; the old file, if any, is untouched.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.new").write_text("new")
    >>> publish(folder / "a.new", folder / "a")
    >>> (folder / "a").read_text(), (folder / "a.new").exists()
    ('new', False)
    """
    try:
        descriptor = os.open(draft, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(draft, target)
        _sync_folder(target.parent)
    except OSError as error:
        raise _not_written("store", error, target) from error


def _not_written(argument: str, error: OSError, target: Path) -> StoreError:
    """Make the error for a file that could not be written."""
    return StoreError(
        argument=argument,
        came=error.strerror or str(error),
        allowed="a folder that can be written, with free space",
        try_instead="check permissions and free space",
        file=target.name,
    )


def _sync_folder(folder: Path) -> None:
    """Make the new name in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
