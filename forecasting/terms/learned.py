"""What a stage learnt across many series, as plain numbers that can be written to JSON and npz."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Learned:
    """State of the pooled model: enough to forecast other or later series without learning again.

    Never pickled: `meta` holds what JSON holds (text, numbers, lists, mappings), `arrays` plain numeric arrays.
    """

    meta: Mapping[str, object]
    """Format, version, steps, horizons, names of members and features, levels, what was learnt from."""
    arrays: Mapping[str, NDArray[np.generic]]
    """Numeric arrays by name (letters, digits, ``_`` and ``/``), no object dtype."""
