"""OpenSLO documents without a workspace, for checking and converting them."""

from __future__ import annotations

from pathlib import Path

from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.catalogue import Catalogue


def load_documents(path: Path, *, strict: bool = False) -> Catalogue:
    """Load a folder or one file of OpenSLO documents; metrics need not be declared anywhere.

    Parameters
    ----------
    path : Path
        A folder with ``*.yaml``, ``*.yml`` or ``*.json``, or one such file.
    strict : bool
        By the reference rules alone; False turns what can be read into notices.

    Raises
    ------
    CatalogueError
        With every problem found.
    """
    return YamlFolder(path, None, name=path.stem or "documents", strict=strict).load()
