"""The plan's tables as CSV files that a spreadsheet opens without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecasting.adapters._atomic import write_atomic
from forecasting.terms.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


class CsvFrames:
    """Report sink: one CSV file for each frame of the plan, in a folder of its own.

    Parameters
    ----------
    folder : Path
        Where to write; nothing is written outside of it.
    name : str
        Folder of the files below `folder`.

    Examples
    --------
    >>> CsvFrames(Path("out")).name
    'data'
    """

    def __init__(self, folder: Path, *, name: str = "data") -> None:
        self.folder, self.name = folder, name

    def write(self, plan: Plan) -> str:
        """Write the files and return their folder.

        Raises
        ------
        StoreError
            Where the folder cannot be written.
        """
        for title, frame in sorted(plan.frames().items()):
            write_atomic(self.folder, f"{title}.csv", safe_csv(frame), folder=self.name)
        return str(self.folder / self.name)


def safe_csv(frame: pd.DataFrame) -> str:
    """Return the frame as CSV in which no text can be taken for a formula; numbers stay numbers.

    Parameters
    ----------
    frame : DataFrame
        Any; the index is left out.

    Returns
    -------
    str
        Text that begins with ``= + - @``, tab or a line end gets a leading apostrophe; times are ISO 8601.

    Examples
    --------
    >>> import pandas as pd
    >>> print(safe_csv(pd.DataFrame({"name": ["=1+1", "shop"], "loss": [-2.5, 3.0]})).strip())
    name,loss
    '=1+1,-2.5
    shop,3.0
    """
    safe = frame.copy()
    for position, dtype in enumerate(frame.dtypes):
        if dtype.kind in "OSU":
            safe.isetitem(position, frame.iloc[:, position].astype(object).map(_neutral).to_numpy())
    safe.columns = [_neutral(str(name)) for name in frame.columns]
    return safe.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")


def _neutral(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run."""
    if not isinstance(value, str):
        return value
    return "'" + value if value.lstrip(" \"'").startswith(_FORMULA) or value.startswith(_FORMULA) else value
