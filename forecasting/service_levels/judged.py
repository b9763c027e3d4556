"""What an indicator says about every slice of its grid, before windows and methods are applied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.history import Series
from forecasting.terms.service_level import Unit

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """Good and total of one objective per slice, with what is known, planned and dropped.

    All arrays have shape (n,); slices are sorted and do not overlap.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> grid = Series(service="a", metric=Metric(name="calls", kind=MetricKind.COUNT),
    ...               start=datetime(2027, 3, 1, tzinfo=UTC), step=timedelta(hours=1), values=np.array([np.nan]))
    >>> at = np.array(["2027-03-01T00", "2027-03-01T01"], "datetime64[us]")
    >>> one = Judged(series=grid, starts=at[:1], ends=at[1:], good=np.array([9]), total=np.array([10]),
    ...              known=np.array([True]), eligible=np.array([True]), dropped=np.array([False]), unit="events")
    >>> len(one)
    1
    """

    series: Series
    """Gives the grid: service, start, step and zone (its values are not used)."""
    starts: NDArray[np.datetime64]
    """UTC start of each slice, naive datetime64[us]."""
    ends: NDArray[np.datetime64]
    """UTC end of each slice, naive datetime64[us]."""
    good: NDArray[np.int64]
    """Good in the slice, in `unit`; 0 where unknown or not eligible."""
    total: NDArray[np.int64]
    """All in the slice, in `unit`; 0 where unknown, not eligible or wholly dropped."""
    known: NDArray[np.bool_]
    """Whether the slice was observed; a dropped one is known, with 0 of 0."""
    eligible: NDArray[np.bool_]
    """Whether the slice is planned: it is part of what was promised (hours, validity, nothing removed)."""
    dropped: NDArray[np.bool_]
    """Eligible slices whose events (or some of whose time or tickets) an exclusion or the workload limit dropped."""
    unit: Unit
    """What `good` and `total` count."""
    observed: NDArray[np.bool_] | None = None
    """Where there were data, whatever the service time made of it; None = where known."""

    def __len__(self) -> int:
        return len(self.starts)
