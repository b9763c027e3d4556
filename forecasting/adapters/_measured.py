"""What sources that are no tables need for every value they deliver: names, bounds and the frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.errors import InputError
from forecasting.terms.history import Metric, MetricKind

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_NOISE = 1e-9
"""Arithmetic on a server leaves values this far (relatively) beside the ones meant."""
_FIRST_US = int(np.datetime64("1990-01-01", "us").astype(np.int64))
_END_US = int(np.datetime64("2100-01-01", "us").astype(np.int64))


def settle(values: NDArray[np.float64], metric: Metric) -> tuple[NDArray[np.float64], int]:
    """Return values without the noise of arithmetic, and the first position that the metric's kind forbids (or -1).

    A value within 1e-9 of a bound is the bound; a count within 1e-9 of a whole number is that number.

    Examples
    --------
    >>> calls = Metric(name="calls", kind=MetricKind.COUNT)
    >>> settle(np.array([2.9999999999, -1e-15, 2.5]), calls)
    (array([3. , 0. , 2.5]), -1)
    >>> settle(np.array([1.0, -3.0]), calls)[1]
    1
    """
    low, high = metric.kind.bounds
    settled = values + 0.0
    if metric.kind is MetricKind.COUNT:
        whole = np.rint(settled)
        settled = np.where(np.abs(settled - whole) <= _NOISE * np.maximum(np.abs(whole), 1.0), whole + 0.0, settled)
    wrong = np.zeros(len(values), dtype=bool)
    if low is not None:
        settled = np.where((settled < low) & (settled >= low - _NOISE), low, settled)
        wrong |= settled < low
    if high is not None:
        settled = np.where((settled > high) & (settled <= high + _NOISE), high, settled)
        wrong |= settled > high
    return settled, int(np.argmax(wrong)) if wrong.any() else -1


def bounds_hint(metric: Metric, value: float) -> tuple[str, str]:
    """Return what is allowed for a metric and what to try instead of `value`.

    Examples
    --------
    >>> bounds_hint(Metric(name="share", kind=MetricKind.RATIO), 99.5)
    ('0 to 1 (share is a ratio)', 'divide by 100 (looks like percent)')
    """
    if metric.kind is MetricKind.RATIO:
        hint = "divide by 100 (looks like percent)" if 1 < value <= 100 else "another kind if it is no share"
        return f"0 to 1 ({metric.name} is a ratio)", hint
    return f"0 or more ({metric.name} is of kind {metric.kind.value})", "kind: real if it may be negative"


def name_problem(name: str) -> str | None:
    """Return what is wrong with a service's name out of a label, or None.

    Examples
    --------
    >>> name_problem("web-shop") is None, name_problem(" a")
    (True, 'spaces around it')
    """
    if not name.strip():
        return "empty"
    if name != name.strip():
        return "spaces around it"
    if len(name) > 200:
        return "longer than 200 characters"
    return None if name.isprintable() else "control characters"


def frame(
    services: Sequence[str], metric: str, at: NDArray[np.int64], values: NDArray[np.float64], index: pd.Index
) -> pd.DataFrame:
    """Return canonical rows of one metric, sorted by service and time.

    Parameters
    ----------
    services : sequence of str
        One a row.
    metric : str
    at : array of shape (n,)
        Microseconds since 1970 UTC.
    values : array of shape (n,)
    index : Index
        Row or line that each came from.

    Raises
    ------
    InputError
        For times outside 1990-2100.

    Examples
    --------
    >>> import pandas as pd
    >>> frame(["b", "a"], "m", np.array([10**15, 10**15]), np.ones(2), pd.Index([1, 2], name="row"))["service"].tolist()
    ['a', 'b']
    """
    import pandas as pd

    if len(at) and not (at.min() >= _FIRST_US and at.max() < _END_US):
        wrong = at[(at < _FIRST_US) | (at >= _END_US)][0]
        raise InputError(
            argument=f"time of {metric}",
            came=str(np.datetime64(int(wrong), "us")),
            allowed="a time between 1990 and 2100",
            try_instead="correct the year or the unit of the timestamps",
        )
    names = pd.Index(list(services), dtype=object)
    codes, distinct = pd.factorize(names, sort=True)
    order = np.lexsort((at, codes))
    return pd.DataFrame(
        {
            "service": pd.Index([str(name) for name in distinct]).take(codes[order]).to_numpy() if len(at) else [],
            "metric": metric,
            "at": at[order].view("datetime64[us]"),
            "value": values[order],
        },
        index=index[order],
    )


def empty_frame() -> pd.DataFrame:
    """Return canonical rows without any row.

    Examples
    --------
    >>> list(empty_frame())
    ['service', 'metric', 'at', 'value']
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "service": pd.Series(dtype=str),
            "metric": pd.Series(dtype=str),
            "at": pd.Series(dtype="datetime64[us]"),
            "value": pd.Series(dtype=float),
        }
    )
