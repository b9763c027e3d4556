"""Copies of a run's inputs, kept by their content, so that a past report can be made again."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from forecasting.adapters._atomic import publish
from forecasting.terms.errors import InputError, StoreError

_HEX = frozenset("0123456789abcdef")


class Archive:
    """A folder of files named by the sha256 of what is in them.

    Parameters
    ----------
    folder : Path
        Made by the first `keep`.

    Examples
    --------
    >>> archive = Archive(Path(tempfile.mkdtemp()) / "inputs")
    >>> key = archive.keep(b"kind: Project")
    >>> archive.get(key), archive.keep(b"kind: Project") == key
    (b'kind: Project', True)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, data: bytes) -> str:
        """Keep a copy and return its sha256; what is kept already is not written again."""
        key = hashlib.sha256(data).hexdigest()
        target = self.folder / key
        if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == key:
            return key
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=self.folder, prefix=".draft.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
            publish(Path(draft), target)
        finally:
            Path(draft).unlink(missing_ok=True)
        return key

    def get(self, key: str) -> bytes:
        """Return the copy with that sha256.

        Raises
        ------
        StoreError
            Where it is missing or was changed.
        """
        if len(key) != 64 or not set(key) <= _HEX:
            raise InputError(
                argument="input", came=key, allowed="a sha256 in hex", try_instead="an entry of the ledger as it is"
            )
        target = self.folder / key
        data = target.read_bytes() if target.is_file() else None
        if data is None or hashlib.sha256(data).hexdigest() != key:
            raise StoreError(
                argument="archived input",
                came="missing" if data is None else "changed since it was kept",
                allowed="the copy of a run's input, unchanged",
                try_instead="restore the workspace's .forecasting folder from a backup",
                file=target.name,
            )
        return data


def input_files(root: Path, project_file: str, catalogue: str) -> Mapping[str, bytes]:
    """Return the project file and the catalogue's documents by their path in the workspace.

    Parameters
    ----------
    root : Path
        The workspace.
    project_file : str
        Name of the project file.
    catalogue : str
        The catalogue's folder, relative to `root`.
    """
    folder = root / catalogue
    names = [
        p.relative_to(root).as_posix() for p in sorted(folder.rglob("*")) if p.suffix in (".yaml", ".yml", ".json")
    ]
    return {name: (root / name).read_bytes() for name in (project_file, *names) if (root / name).is_file()}
