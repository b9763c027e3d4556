"""Where the catalogue comes from: one line for each kind of place."""

from pathlib import Path

from forecasting.adapters.catalogues.project import read_project
from forecasting.adapters.catalogues.yaml_folder import YamlFolder
from forecasting.adapters.notifiers import NOTIFIERS
from forecasting.terms.project import Project

CATALOGUES = {"yaml_folder": YamlFolder}
"""Catalogue sources by name."""

__all__ = ["CATALOGUES", "YamlFolder", "load_project"]


def load_project(path: Path, *, suffixes: tuple[str, ...] | None = None) -> Project:
    """Read the project file.

    Parameters
    ----------
    path : Path
        ``forecasting.yaml``, or the folder it is in (the workspace).
    suffixes : tuple of str or None
        Endings of the files that a source can be; None leaves that to the sources.

    Returns
    -------
    Project
        With paths relative to the file's folder, none of them leading out of it.

    Raises
    ------
    CatalogueError
        With every problem found.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "forecasting.yaml").write_text('''
    ... apiVersion: forecasting/v1
    ... kind: Project
    ... metadata: {name: shop}
    ... spec:
    ...   organisation: Shop
    ...   currency: EUR
    ...   catalogue: catalogue
    ...   metrics: {orders: {kind: count, unit: orders, step: 1h}}
    ...   sources: [{name: orders, path: orders.csv}]
    ... ''')
    >>> load_project(folder).sources[0].layout
    'long'
    """
    forms = {kind: notifier.form for kind, notifier in NOTIFIERS.items()}
    return read_project(path, suffixes=suffixes, forms=forms)
