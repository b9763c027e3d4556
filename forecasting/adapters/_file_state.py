"""What a file source remembers from one ingest to the next: size and hash of the file, and how it was read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class FileState:
    """A file as it was read last.

    Examples
    --------
    >>> state = FileState(size=12, sha256="ab", declared="cd")
    >>> FileState.of(state.text(), "cd") == state, FileState.of(state.text(), "other"), FileState.of("?", "cd")
    (True, None, None)
    """

    size: int
    """Bytes."""
    sha256: str
    """Of these bytes."""
    declared: str
    """Identity of the declaration it was read by."""
    lines: int = 0
    """Lines in it (text files)."""
    open_end: bool = False
    """True where rows may follow (text files that do not end with an empty line)."""
    offsets: bool | None = None
    """True where its times carry an offset, False where none does."""

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str | None, declared: str) -> FileState | None:
        """Return the state of a text, or None where there is none for this declaration, or one of another kind."""
        try:
            found = cls(**json.loads(text)) if text else None
        except (TypeError, ValueError):  # a state of another source or release: everything is read again
            return None
        return found if found is not None and found.declared == declared else None
