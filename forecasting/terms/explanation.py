"""Why a forecast is what it is: its components, the members behind it, and how well it did out of sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COMPONENTS = ("level", "trend", "season", "calendar", "events", "covariates", "learned", "hierarchy")
"""Names of the components that an explanation may have, in the order in which they are told."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Why a forecast is what it is; the components add up to the median exactly.

    Examples
    --------
    >>> import numpy as np
    >>> e = Explanation(components={"level": np.full(2, 5.0), "trend": np.array([0.0, 1.0])},
    ...     weights=(("seasonal_naive", 1.0),), declined=(), value_added=0.2, coverage=((0.8, 0.79, 124),), notes=())
    >>> e.total()
    array([5., 6.])
    """

    components: Mapping[str, NDArray[np.float64]]
    """Name, one of `COMPONENTS`, or ``season_day`` and ``season_week`` where both are told apart -> shape (horizon,),
    in the metric's unit."""
    weights: tuple[tuple[str, float], ...]
    """Member -> weight in the anchor, largest first; the weights add up to 1."""
    declined: tuple[tuple[str, Excuse], ...]
    """Members that did not answer, with their excuses."""
    value_added: float | None
    """1 − quantile loss ÷ that of seasonal naive, out of fold on this series: 0 = as good; None = not measured."""
    coverage: tuple[tuple[float, float, int], ...]
    """(nominal share, share achieved out of fold, outcomes it was measured on) of each central interval."""
    notes: tuple[str, ...]
    """What else is worth knowing, such as ``held at the last level beyond 90 slices``."""

    def total(self) -> NDArray[np.float64]:
        """Return the sum of the components, shape (horizon,): the median forecast."""
        import numpy as np

        return np.asarray(np.sum(np.stack(list(self.components.values())), axis=0), dtype=np.float64)
