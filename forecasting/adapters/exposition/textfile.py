"""Metrics as a file for the textfile collector of node_exporter."""

from __future__ import annotations

from pathlib import Path

from forecasting.adapters._atomic import slug, write_atomic
from forecasting.terms.errors import InputError


def write_textfile(path: Path, text: str) -> Path:
    """Write the exposition so that the collector reads the old file or the new one, never a part.

    Parameters
    ----------
    path : Path
        Its name must end in ``.prom``: the collector reads no other files, the temporary one neither.
    text : str
        From `metrics_text`.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InputError
        Where the name does not end in ``.prom`` or has characters that would have to be changed.
    StoreError
        Where it cannot be written; the old file, if any, is untouched.

    Examples
    --------
    >>> import tempfile
    >>> write_textfile(Path(tempfile.mkdtemp()) / "forecasting.prom", "up 1\\n").read_text()
    'up 1\\n'
    """
    check_textfile(path)
    return write_atomic(path.parent, path.name, text)


def check_textfile(path: Path) -> None:
    """Refuse a name that the collector would not read, before there is anything to write.

    Raises
    ------
    InputError
        As `write_textfile`.

    Examples
    --------
    >>> check_textfile(Path("forecasting.prom"))
    """
    if path.suffix != ".prom" or slug(path.stem) != path.stem:
        raise InputError(
            argument="textfile",
            came=path.name,
            allowed="a name of plain letters, digits, dots and hyphens that ends in .prom, as the collector asks for",
            try_instead="forecasting.prom",
        )
