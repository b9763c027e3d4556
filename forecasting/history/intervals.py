"""Interval algebra: stretches of time as sorted, disjoint, half-open intervals of microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecasting.history.calendar import as_utc
from forecasting.terms.errors import InputError

Intervals: TypeAlias = NDArray[np.int64]
"""Shape (k, 2): [start, end) in microseconds since 1970 UTC; sorted, disjoint, not touching, none empty."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_FAR = 2**62
"""Beyond every instant of a datetime; sums and differences with real instants stay inside int64."""


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970 UTC (a naive one is taken as UTC).

    Examples
    --------
    >>> micros(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    60000000
    """
    return (as_utc(instant) - _EPOCH) // _MICRO


def from_micros(micro: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970.

    Examples
    --------
    >>> from_micros(60_000_000).isoformat()
    '1970-01-01T00:01:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=int(micro))


def none() -> Intervals:
    """Return no interval at all, shape (0, 2).

    Examples
    --------
    >>> length(none())
    0
    """
    return np.empty((0, 2), np.int64)


def normalise(pairs: ArrayLike) -> Intervals:
    """Return pairs of any order, overlapping or touching, as intervals; empty ones are dropped.

    Parameters
    ----------
    pairs : array_like of int, shape (n, 2)
        Start and end of each, microseconds since 1970 UTC.

    Raises
    ------
    InputError
        If a pair ends before it begins.

    Examples
    --------
    >>> normalise([[5, 7], [0, 2], [2, 3], [6, 9], [4, 4]]).tolist()
    [[0, 3], [5, 9]]
    """
    array = np.asarray(pairs, np.int64).reshape(-1, 2)
    wrong = array[:, 1] < array[:, 0]
    if wrong.any():
        first = array[np.argmax(wrong)]
        raise InputError(
            argument="interval",
            came=f"{first[0]} to {first[1]} (microseconds since 1970 UTC)",
            allowed="an end at or after the start",
            try_instead="exchange start and end",
        )
    array = array[array[:, 1] > array[:, 0]]
    if not len(array):
        return none()
    array = array[np.argsort(array[:, 0], kind="stable")]
    reach = np.maximum.accumulate(array[:, 1])
    opens = np.flatnonzero(np.concatenate(([True], array[1:, 0] > reach[:-1])))
    closes = np.concatenate((opens[1:], [len(array)])) - 1
    return np.stack((array[opens, 0], reach[closes]), axis=1)


def union(a: Intervals, b: Intervals) -> Intervals:
    """Return the time that lies in `a` or in `b`.

    Examples
    --------
    >>> union(np.array([[0, 2]]), np.array([[1, 3], [5, 6]])).tolist()
    [[0, 3], [5, 6]]
    """
    return normalise(np.concatenate((a, b)))


def intersect(a: Intervals, b: Intervals) -> Intervals:
    """Return the time that lies in both.

    Examples
    --------
    >>> intersect(np.array([[0, 4], [6, 9]]), np.array([[3, 7]])).tolist()
    [[3, 4], [6, 7]]
    """
    if not len(a) or not len(b):
        return none()
    first = np.searchsorted(b[:, 1], a[:, 0], side="right")
    after = np.searchsorted(b[:, 0], a[:, 1], side="left")
    counts = np.maximum(after - first, 0)
    left = np.repeat(np.arange(len(a)), counts)
    begun = np.cumsum(counts) - counts
    right = np.arange(len(left)) - begun[left] + first[left]
    return np.stack((np.maximum(a[left, 0], b[right, 0]), np.minimum(a[left, 1], b[right, 1])), axis=1)


def subtract(a: Intervals, b: Intervals) -> Intervals:
    """Return the time of `a` that does not lie in `b`.

    Examples
    --------
    >>> subtract(np.array([[0, 10]]), np.array([[2, 3], [8, 12]])).tolist()
    [[0, 2], [3, 8]]
    """
    starts = np.concatenate(([-_FAR], b[:, 1]))
    ends = np.concatenate((b[:, 0], [_FAR]))
    return intersect(a, np.stack((starts, ends), axis=1))


def clip(a: Intervals, start: int, end: int) -> Intervals:
    """Return the time of `a` inside [start, end).

    Examples
    --------
    >>> clip(np.array([[0, 4], [6, 9]]), 3, 7).tolist()
    [[3, 4], [6, 7]]
    """
    return intersect(a, np.array([[start, end]], np.int64)) if end > start else none()


def length(a: Intervals) -> int:
    """Return the length of all intervals together, in microseconds.

    Examples
    --------
    >>> length(np.array([[0, 3], [5, 9]]))
    7
    """
    return int((a[:, 1] - a[:, 0]).sum())


def _before(a: Intervals, instants: NDArray[np.int64]) -> NDArray[np.int64]:
    """Length of `a` before each instant."""
    whole = np.concatenate(([0], np.cumsum(a[:, 1] - a[:, 0])))
    begun = np.searchsorted(a[:, 0], instants, side="right")
    last_end = np.concatenate(([-_FAR], a[:, 1]))[begun]
    return np.asarray(whole[begun] - np.maximum(last_end - instants, 0), np.int64)


def measure(a: Intervals, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how much of `a` lies in each slice [starts, ends), in microseconds.

    Parameters
    ----------
    a : Intervals
    starts, ends : ndarray of int64, shape (n,)
        Slices in any order, also overlapping ones; 0 where a slice ends at or before its start.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> measure(np.array([[0, 4], [6, 9]]), np.array([0, 3]), np.array([3, 7])).tolist()
    [3, 2]
    """
    starts, ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
    return np.asarray(np.maximum(_before(a, ends) - _before(a, starts), 0), np.int64)


def inside(a: Intervals, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which slices [starts, ends) lie wholly in `a` (an empty slice does).

    Examples
    --------
    >>> inside(np.array([[0, 4], [6, 9]]), np.array([0, 3]), np.array([4, 7])).tolist()
    [True, False]
    """
    return np.asarray(measure(a, starts, ends) == np.maximum(np.asarray(ends) - np.asarray(starts), 0), np.bool_)


def overlaps(a: Intervals, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which slices [starts, ends) have time in common with `a` (an empty slice has none).

    Examples
    --------
    >>> overlaps(np.array([[0, 4]]), np.array([3, 4]), np.array([5, 5])).tolist()
    [True, False]
    """
    return np.asarray(measure(a, starts, ends) > 0, np.bool_)


def contains(a: Intervals, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which instants lie in `a`; a start does, an end does not.

    Examples
    --------
    >>> contains(np.array([[0, 4]]), np.array([0, 3, 4])).tolist()
    [True, True, False]
    """
    instants = np.asarray(instants, np.int64)
    begun = np.searchsorted(a[:, 0], instants, side="right")
    return np.asarray(np.concatenate(([-_FAR], a[:, 1]))[begun] > instants, np.bool_)
