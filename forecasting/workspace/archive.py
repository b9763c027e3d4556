"""Copies of a run's inputs, kept by their content in the ledger, so that a past report can be made again anywhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from forecasting.ports import Ledger
from forecasting.terms.errors import InputError, StoreError

KIND = "input"
"""Kind of the ledger's rows that hold an input; their key is the sha256 of its bytes."""

_HEX = frozenset("0123456789abcdef")


class Archive:
    """The rows of a ledger that hold inputs: whoever can read the ledger can make its reports again.

    Parameters
    ----------
    ledger : Ledger
        Of the workspace, or shared by several; its hash chain covers the inputs too.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from forecasting.adapters.store import SqliteLedger
    >>> archive = Archive(SqliteLedger(Path(tempfile.mkdtemp()) / "ledger.db"))
    >>> keys = archive.keep({"forecasting.yaml": b"kind: Project"}, as_of=datetime(2027, 3, 1, tzinfo=UTC), run_id="r")
    >>> archive.get(keys["forecasting.yaml"])
    b'kind: Project'
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def keep(self, files: Mapping[str, bytes], *, as_of: datetime, run_id: str) -> dict[str, str]:
        """Keep copies and return their sha256 by name; what is kept already is not written again.

        Parameters
        ----------
        files : mapping of str to bytes
        as_of : datetime
            Cut-off of the run that read them.
        run_id : str
        """
        keys = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        rows = {keys[name]: _payload(data) for name, data in files.items()}
        self.ledger.record(KIND, list(rows.items()), as_of=as_of, run_id=run_id)
        return keys

    def get(self, key: str) -> bytes:
        """Return the copy with that sha256.

        Raises
        ------
        InputError
            For a key that is no sha256.
        StoreError
            Where it is missing or was changed.
        """
        if len(key) != 64 or not set(key) <= _HEX:
            raise InputError(
                argument="input", came=key, allowed="a sha256 in hex", try_instead="an entry of the ledger as it is"
            )
        found = self.ledger.entries(KIND, key=key)
        data = _bytes(found[-1].payload) if found else None
        if data is None or hashlib.sha256(data).hexdigest() != key:
            raise StoreError(
                argument="archived input",
                came=f"{key[:12]}, {'changed since it was kept' if found else 'missing'}",
                allowed="the copy of a run's input, unchanged",
                try_instead="forecasting ledger verify; restore the ledger from a backup",
            )
        return data


def _payload(data: bytes) -> dict[str, object]:
    """Return the row of an input: as text that an auditor can read, where it is one."""
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _bytes(payload: Mapping[str, object]) -> bytes | None:
    """Return the bytes of an input; None where the row holds none."""
    try:
        if "text" in payload:
            return str(payload["text"]).encode("utf-8")
        return base64.b64decode(str(payload.get("base64", "-")), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None


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
