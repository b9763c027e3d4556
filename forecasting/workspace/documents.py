"""OpenSLO documents without a workspace, for checking and converting them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from forecasting.adapters.catalogues import YamlFolder
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from forecasting.terms.audit import CatalogueFinding


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
    InputError
        Where there is no such folder or file.
    CatalogueError
        With every problem found.
    """
    if not path.exists():
        raise InputError(
            argument="documents",
            came=str(path),
            allowed="a folder of OpenSLO documents, or one file",
            try_instead="correct the path",
        )
    return YamlFolder(path, None, name=path.stem or "documents", strict=strict).load()


def audit_documents(catalogue: Catalogue, as_of: str | None) -> tuple[CatalogueFinding, ...]:
    """Return what the text of documents without a workspace shows; nothing where they hold no agreement.

    Parameters
    ----------
    catalogue : Catalogue
    as_of : str or None
        ISO date or instant (a date is its midnight in UTC); None is now.
    """
    from forecasting.adapters.clock import SystemClock
    from forecasting.service_levels.audit import audit
    from forecasting.workspace.workspace import utc_instant

    if not catalogue.agreements:
        return ()
    instant = SystemClock().now() if as_of is None else utc_instant(as_of, "UTC")
    return audit(catalogue, as_of=instant, freshness=None)
