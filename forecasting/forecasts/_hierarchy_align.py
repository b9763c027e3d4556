"""Reordering paths of many series so that they rise and fall together as their past errors did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._hierarchy_check import checked_errors, checked_paths
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.hierarchy import NodeT


def align_paths(
    paths: Mapping[NodeT, NDArray[np.float64]], errors: Mapping[NodeT, NDArray[np.float64]], *, seed: int = 0
) -> dict[NodeT, NDArray[np.float64]]:
    """Return the paths with values of every slice reordered over paths by the ranks of past errors (Schaake shuffle).

    Every path follows one back-test origin, the same for all series: where a series' error was among the highest, its
    value on that path is among the highest (Clark et al. 2004). The values of a slice stay the same, so every marginal
    quantile does; sums over series and slices get the spread of the past. Between paths of one origin the order that
    came is kept. Beyond the length of the errors another origin follows.

    Parameters
    ----------
    paths : mapping of arrays of shape (n_paths, horizon)
        Finite.
    errors : mapping of arrays of shape (n_origins, k)
        Outcome − forecast of the same origins for every series, finite; a row is an origin, a column a step ahead.
    seed : int
        Which path follows which origin; same seed, same result.

    Raises
    ------
    InputError
        Shapes that differ, values that are not finite, a series without errors.

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> paths = {"a": rng.normal(size=(400, 1)), "b": rng.normal(size=(400, 1))}
    >>> e = rng.normal(size=(50, 1))
    >>> together = align_paths(paths, {"a": e, "b": 2 * e})
    >>> bool(np.corrcoef(together["a"][:, 0], together["b"][:, 0])[0, 1] > 0.95)
    True
    """
    given = checked_paths(paths, tuple(paths))
    past = checked_errors(errors, tuple(paths))
    shape = next(iter(past.values())).shape
    if not shape[0]:
        raise InputError(
            argument="errors", came=shape, allowed="at least one origin", try_instead="back-test the series together"
        )
    origins, steps = template(shape, next(iter(given.values())).shape, seed)
    return {node: reordered(given[node], past[node][origins, steps]) for node in paths}


def template(past: tuple[int, ...], ahead: tuple[int, ...], seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Origin (n_paths, horizon) and step (horizon,) that each path follows at each slice."""
    (n_origins, k), (n_paths, horizon) = past, ahead
    rng = np.random.default_rng(seed)
    # Every origin leads as many paths as any other; a new block draws anew, so that blocks are not tied to each other.
    blocks = [rng.permutation(n_paths) % n_origins for _ in range(-(-horizon // k))]
    origins = np.repeat(np.stack(blocks, axis=1), k, axis=1)[:, :horizon]
    return origins.astype(np.int64), (np.arange(horizon) % k).astype(np.int64)


def reordered(values: NDArray[np.float64], pattern: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of each column in the order of the pattern's ranks; ties keep the order of the values (a new array)."""
    order = np.lexsort((values, pattern), axis=0)
    out = np.empty_like(values)
    np.put_along_axis(out, order, np.sort(values, axis=0), axis=0)
    return out
