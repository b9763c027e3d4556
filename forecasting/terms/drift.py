"""Whether a forecast still errs as it did when its model was chosen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DriftKind = Literal["coverage", "bias", "scale", "none"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ErrorRecord:
    """Errors of forecasts in the order of time, out of fold: no outcome was known to the forecast it judges.

    Examples
    --------
    >>> import numpy as np
    >>> r = ErrorRecord(errors=np.array([0.5, -0.5, 1.0, np.nan]), inside=np.array([True, True, False, False]))
    >>> r.known, round(r.bias, 3), round(r.coverage80, 3)
    (3, 0.333, 0.667)
    """

    errors: NDArray[np.float64]
    """Shape (n,): outcome − median forecast, all in the same unit (such as the training part's naive scale); NaN where
    the outcome is unknown."""
    inside: NDArray[np.bool_]
    """Shape (n,): whether the outcome was inside the 80 % interval; of no meaning where the error is NaN."""

    @property
    def known(self) -> int:
        """Outcomes known."""
        return int((self.errors == self.errors).sum())

    @property
    def bias(self) -> float:
        """Mean error; above 0 = outcomes were higher than forecast; NaN without outcomes."""
        known = self.errors[self.errors == self.errors]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def scale(self) -> float:
        """Mean absolute error; NaN without outcomes."""
        known = self.errors[self.errors == self.errors]
        return float(abs(known).mean()) if len(known) else float("nan")

    @property
    def coverage80(self) -> float:
        """Share of outcomes inside the 80 % interval, 0 to 1; NaN without outcomes."""
        known = self.inside[self.errors == self.errors]
        return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, kw_only=True)
class DriftFinding:
    """Whether to refit, and why.

    Examples
    --------
    >>> DriftFinding(kind="none", statistic=1.2, limit=60.0, since=None, found=None, what_to_do="keep the model",
    ...     false_alarm_rate=0.05).drifted
    False
    """

    kind: DriftKind
    """What changed: share inside the 80 % interval, mean error, or size of the errors; ``none`` = nothing shown."""
    statistic: float
    """Largest evidence against "nothing changed" so far (a betting score: how many times one unit of capital grew)."""
    limit: float
    """Evidence from which it is called drift."""
    since: int | None
    """Slice (counted from 0 after the recorded errors) from which the evidence grew; None without drift."""
    found: int | None
    """Slice at which the limit was first passed; None without drift."""
    what_to_do: str
    """The advice in words, with the numbers."""
    false_alarm_rate: float
    """Largest chance that a series without change is ever called drifted, however often it is checked."""
    since_at: datetime | None = None
    """`since` as a time, where the times were given."""

    @property
    def drifted(self) -> bool:
        """Whether the model should be refitted."""
        return self.kind != "none"
