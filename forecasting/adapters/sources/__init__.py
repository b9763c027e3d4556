"""Where metric rows come from: one line for each kind of file, by suffix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from forecasting.adapters._rows import check_services, rows_sha256
from forecasting.adapters.sources.csv_file import CsvFile
from forecasting.adapters.sources.parquet_file import ParquetFile
from forecasting.ports import HistorySource
from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric
from forecasting.terms.project import SourceSpec

SOURCES: dict[str, Callable[[SourceSpec, Path, Mapping[str, Metric]], HistorySource]] = {
    ".csv": CsvFile,
    ".parquet": ParquetFile,
}
"""History sources by file suffix."""


def open_source(spec: SourceSpec, root: Path, metrics: Mapping[str, Metric]) -> HistorySource:
    """Return the source that reads what `spec` declares.

    Parameters
    ----------
    spec : SourceSpec
        One of the project's sources.
    root : Path
        The workspace.
    metrics : mapping
        The project's metrics by name.

    Raises
    ------
    InputError
        For a file of another kind.

    Examples
    --------
    >>> open_source(SourceSpec(name="a", path="a.csv"), Path("."), {}).name
    'a'
    """
    suffix = Path(spec.path).suffix.lower()
    if suffix not in SOURCES:
        raise InputError(
            argument="path",
            came=spec.path,
            allowed="a file ending in " + " or ".join(SOURCES),
            try_instead="convert it to CSV or Parquet",
        )
    return SOURCES[suffix](spec, root, metrics)


__all__ = ["SOURCES", "CsvFile", "ParquetFile", "check_services", "open_source", "rows_sha256"]
