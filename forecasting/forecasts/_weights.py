"""Weights of members from their errors at earlier origins, drawn towards the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._windows import Windows

if TYPE_CHECKING:
    from numpy.typing import NDArray

POWER = 8.0
"""How strongly a smaller error counts: weight ∝ error to the power of −8."""
SHRINK = 3.0
"""Origins at which a series' own errors and the pool's count alike."""
HALF_LIFE = 8.0
"""Age in horizons at which an error counts half."""
ROWS = 512
"""Windows whose errors are computed at once, roughly."""
LEAST_ERROR = 1e-3
"""Errors below this share of the scale are not told apart."""


def past_errors(
    forecasts: NDArray[np.floating], outcomes: NDArray[np.float64], windows: Windows
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean absolute error of every member at the earlier origins of the same series.

    At an origin only what had come by then counts: of an earlier origin, the slices between the two.

    Parameters
    ----------
    forecasts : ndarray, shape (B, H, M)
    outcomes : ndarray, shape (B, H)
        NaN where unknown.
    windows : Windows

    Returns
    -------
    errors : ndarray, shape (B, M)
        In units of the scale, recency-weighted; NaN where nothing had come.
    count : ndarray, shape (B,)
        Earlier origins used.

    Examples
    --------
    >>> from forecasting.forecasts._windows import make_windows, outcomes_of
    >>> y = np.array([2.0, 4.0, 6.0, 8.0])
    >>> w = make_windows([y], [np.array([2, 3])], horizon=1, seasons=(1,))
    >>> past_errors(np.zeros((2, 1, 1)), outcomes_of([y], w), w)
    (array([[nan],
           [ 1.]]), array([0., 1.]))
    """
    errors = np.full((len(windows), forecasts.shape[2]), np.nan)
    count = np.zeros(len(windows))
    starts = np.flatnonzero(np.r_[True, np.diff(windows.owner) != 0, True])
    first = 0
    while first < len(starts) - 1:  # whole series, as many as stay in the processor's cache
        stop = max(int(np.searchsorted(starts, starts[first] + ROWS, side="right")) - 1, first + 1)
        part = slice(int(starts[first]), int(starts[stop]))
        _some_errors(forecasts[part], outcomes[part], windows.part(part), errors[part], count[part])
        first = stop
    return errors, count


def _some_errors(
    forecasts: NDArray[np.floating],
    outcomes: NDArray[np.float64],
    windows: Windows,
    errors: NDArray[np.float64],
    count: NDArray[np.float64],
) -> None:
    """Fill in the errors and the count of some whole series."""
    steps = windows.horizon
    known = np.isfinite(outcomes)
    size = np.abs(forecasts - np.where(known, outcomes, 0.0)[:, :, None].astype(forecasts.dtype))
    if not known.all():
        size[~known] = 0.0
    seen = np.cumsum(known, axis=1)
    rank = np.arange(len(windows)) - np.searchsorted(windows.owner, windows.owner)
    backs = []
    in_part = np.zeros(len(windows), dtype=np.bool_)
    for back in range(1, int(rank.max(initial=0)) + 1):
        row = np.flatnonzero(rank >= back)
        ago = windows.end[row] - windows.end[row - back]
        backs.append((back, row[ago >= max(1, steps // 4)], ago[ago >= max(1, steps // 4)]))
        in_part[row[ago < steps] - back] = True
    # Sums to every slice are needed only of origins of which some later one has seen a part; of most, the whole sum.
    sums = np.cumsum(size[in_part], axis=1, dtype=np.float64)
    place = np.cumsum(in_part) - 1
    whole = size.sum(axis=1, dtype=np.float64)
    top, bottom = np.zeros_like(errors), np.zeros(len(windows))
    for back, row, ago in backs:
        last = np.minimum(ago, steps) - 1
        number = seen[row - back, last]
        weight = np.exp2(-ago / (HALF_LIFE * steps))
        total = whole[row - back]
        cut = ago < steps
        total[cut] = sums[place[row[cut] - back], last[cut]]
        top[row] += weight[:, None] * total
        bottom[row] += weight * number
        count[row] += 1
    some = bottom > 0
    errors[some] = top[some] / bottom[some, None]
    count[~some] = 0


def pooled_errors(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean log error of every member over the pool, shape (M,); 0 where nothing is known."""
    logs = np.log(np.maximum(errors, LEAST_ERROR))
    known = np.isfinite(logs)
    return np.asarray(np.where(known, logs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def weights_of(
    errors: NDArray[np.float64], count: NDArray[np.float64], pooled: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weights of the members at every origin, shape (B, M), summing to 1.

    The log errors of a series, relative to its own mean over members, are drawn towards the pool's by the number of
    origins they rest on; the weight falls with the error to the power of `POWER`.

    Examples
    --------
    >>> weights_of(np.array([[1.0, 2.0], [np.nan, np.nan]]), np.array([3.0, 0.0]), np.log([1.0, 1.0])).round(2)
    array([[0.94, 0.06],
           [0.5 , 0.5 ]])
    """
    logs = np.log(np.maximum(errors, LEAST_ERROR))
    logs = np.where(np.isfinite(logs), logs, pooled[None, :])
    trust = (count / (count + SHRINK))[:, None]
    own = logs - logs.mean(axis=1, keepdims=True)
    mixed = trust * own + (1 - trust) * (pooled - pooled.mean())[None, :]
    weight = np.exp(-POWER * (mixed - mixed.min(axis=1, keepdims=True)))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))
