"""Gaps in a series, and a fill that is used to fit models and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_gaps(values: NDArray[np.float64]) -> tuple[tuple[int, int], ...]:
    """Return the runs of NaN as (first index, length).

    Examples
    --------
    >>> find_gaps(np.array([1.0, np.nan, np.nan, 4.0, np.nan]))
    ((1, 2), (4, 1))
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], np.isnan(values), [False])).astype(np.int8)))
    return tuple((int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _interpolate(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight line between known neighbours, constant beyond the first and last."""
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known])


def fill_gaps(values: NDArray[np.float64], season: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fill gaps from the same phase of neighbouring seasons, ONLY to fit models, never to judge attainment.

    A missing slice gets the straight line between the nearest known slices of the same phase (same weekday for
    ``season=7`` on days); a phase never observed gets the straight line through its neighbours.

    Parameters
    ----------
    values : ndarray, shape (n,)
        With NaN for missing; not changed.
    season : int
        Slices per season; 1 means none.

    Returns
    -------
    filled : ndarray, shape (n,)
        Without NaN, unless every value is NaN.
    missing : ndarray of bool, shape (n,)
        True where a value was filled.

    Examples
    --------
    >>> fill_gaps(np.array([1.0, 5.0, 1.0, np.nan, 1.0, 7.0]), 2)[0]
    array([1., 5., 1., 6., 1., 7.])
    """
    missing = np.isnan(values)
    filled = np.array(values, dtype=np.float64)
    if not missing.any() or missing.all():
        return filled, missing
    if season > 1:
        for phase in range(min(season, len(filled))):
            column = filled[phase::season]
            if np.isnan(column).any() and not np.isnan(column).all():
                filled[phase::season] = _interpolate(column)
    return (_interpolate(filled) if np.isnan(filled).any() else filled), missing
