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
        Text that begins with ``= + - @``, tab or a line end gets a leading apostrophe;
        instants are ISO 8601 in UTC, days are YYYY-MM-DD.

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
        elif dtype.kind == "M":
            safe.isetitem(position, _time_texts(frame.iloc[:, position]).to_numpy())
    safe.columns = [_neutral(str(name)) for name in frame.columns]
    return safe.to_csv(index=False, lineterminator="\n")


def _time_texts(times: pd.Series[Any]) -> Any:
    """Return instants as ISO 8601 in UTC, and times without a zone as days where all of them are."""
    if getattr(times.dtype, "tz", None) is not None:
        return times.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    days = bool((times.dropna() == times.dropna().dt.normalize()).all())
    return times.dt.strftime("%Y-%m-%d" if days else "%Y-%m-%dT%H:%M:%S")


def _neutral(value: Any) -> Any:
    """Put an apostrophe before text that a spreadsheet would run."""
    if not isinstance(value, str):
        return value
    live = value.startswith(_FORMULA) or value.lstrip(" \"'").startswith(_FORMULA)
    # A bare carriage return is not quoted by every writer and would start a new line in a spreadsheet.
    clean = value.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return "'" + clean if live else clean
