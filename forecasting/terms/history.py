"""What was measured: one metric of one service on a regular grid, and the collection of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


class MetricKind(StrEnum):
    """The physical kind of a metric: it decides the bounds of every forecast of it.

    Examples
    --------
    >>> MetricKind.RATIO.bounds
    (0.0, 1.0)
    """

    COUNT = "count"
    """Events in a slice: 0 or more; slices add up."""
    RATIO = "ratio"
    """A share, 0 to 1; slices do not add up."""
    NON_NEGATIVE = "non_negative"
    """A level, duration or size: 0 or more; slices are averaged."""
    REAL = "real"
    """Any number, such as a temperature; slices are averaged."""

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Smallest and largest possible value; None where there is none."""
        if self is MetricKind.RATIO:
            return 0.0, 1.0
        return (None, None) if self is MetricKind.REAL else (0.0, None)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a metric's numbers mean.

    Examples
    --------
    >>> Metric(name="calls", kind=MetricKind.COUNT, unit="calls").kind.bounds
    (0.0, None)
    """

    name: str
    """The metric's name inside the workspace, such as ``scheduled_departures``."""
    kind: MetricKind
    """Its physical kind."""
    unit: str = ""
    """Unit in words, such as ``flights`` or ``ms``."""
    step: timedelta = timedelta(hours=1)
    """Length of a slice as ingested; whole days are local calendar days."""
    description: str = ""
    """One sentence for reports."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One metric of one service on a regular grid.

    A step of whole days counts local calendar days in `zone` (which have 23, 24 or 25 hours);
    a shorter step counts elapsed time in UTC.
    """

    service: str
    """Service the metric belongs to."""
    metric: Metric
    """What the numbers mean."""
    start: datetime
    """UTC instant at which the first slice begins."""
    step: timedelta
    """Length of a slice."""
    values: NDArray[np.float64]
    """Shape (n,); NaN marks a slice that was not observed (never a zero)."""
    zone: str = "UTC"
    """IANA zone of the service's local calendar."""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """All series of a workspace up to a cut-off."""

    cut_off: datetime
    """UTC instant; nothing at or after it is in here."""
    series: Mapping[tuple[str, str], Series] = field(default_factory=dict)
    """Series by (service, metric name)."""
    tickets: pd.DataFrame | None = None
    """Ticket rows (columns of `terms.ticket.TICKET_COLUMNS`) with nothing that happened at or after the cut-off; None =
    no ticket was ever ingested."""

    def get(self, service: str, metric: str) -> Series | None:
        """Return the series of `service` and `metric`, or None where there is none."""
        return self.series.get((service, metric))


@dataclass(frozen=True, kw_only=True)
class SeriesQuality:
    """What is wrong or remarkable in the data of one series."""

    service: str
    metric: str
    rows: int
    """Slices on the grid from first to last observation."""
    missing: int
    """Slices without a value."""
    longest_gap: int
    """Longest run of missing slices."""
    first: datetime
    """UTC start of the first observed slice."""
    last: datetime
    """UTC start of the last observed slice."""
    stale_slices: int
    """Slices between the last observation and the cut-off."""
    notes: tuple[str, ...] = ()
    """Findings in words, such as ``constant for 31 days``."""

    @property
    def coverage(self) -> float:
        """Observed share of the slices, 0 to 1."""
        return 1.0 - self.missing / self.rows if self.rows else 0.0
