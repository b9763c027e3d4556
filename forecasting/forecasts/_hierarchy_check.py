"""Refusing paths and errors that do not fit a hierarchy, and matching back-tests of many series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecasting.terms.hierarchy import NodeKey, NodeT


def checked_paths(
    paths: Mapping[NodeT, NDArray[np.float64]], nodes: Sequence[NodeKey]
) -> dict[NodeKey, NDArray[np.float64]]:
    """Return the paths of `nodes` as float arrays of one shape (n_paths, horizon), or raise InputError."""
    return _checked("paths", "(n_paths, horizon)", "a forecast of the same paths and horizon", paths, nodes)


def checked_errors(
    errors: Mapping[NodeT, NDArray[np.float64]], nodes: Sequence[NodeKey]
) -> dict[NodeKey, NDArray[np.float64]]:
    """Return the errors of `nodes` as float arrays of one shape (n_origins, k), or raise InputError."""
    return _checked("errors", "(n_origins, k)", "shared_errors, which keeps complete origins only", errors, nodes)


def shared_errors(
    origins: Mapping[NodeT, NDArray[np.int64]], errors: Mapping[NodeT, NDArray[np.float64]]
) -> dict[NodeT, NDArray[np.float64]]:
    """Return the errors of the origins that all series share and whose outcomes are all known.

    Parameters
    ----------
    origins : mapping of arrays of shape (n,)
        What identifies the origin of each row (an instant, or a slice number on a grid that all series share);
        no origin twice.
    errors : mapping of arrays of shape (n, k)
        Outcome − forecast; NaN = no outcome. Cut to the shortest k.

    Returns
    -------
    dict
        Arrays of one shape (n_shared, k), ascending by origin; n_shared may be 0.

    Raises
    ------
    InputError
        A series without origins, or with another number of origins than rows, or an origin twice.

    Examples
    --------
    >>> e = {"a": np.array([[1.0], [2.0], [3.0]]), "b": np.array([[4.0], [np.nan], [6.0]])}
    >>> o = {"a": np.array([10, 20, 30]), "b": np.array([10, 30, 40])}
    >>> {k: v.tolist() for k, v in shared_errors(o, e).items()}
    {'a': [[1.0]], 'b': [[4.0]]}
    """
    for node, rows in errors.items():
        if node not in origins or rows.ndim != 2 or origins[node].shape != (len(rows),):
            came = None if node not in origins else (origins[node].shape, rows.shape)
            raise _wrong(f"origins of {node!r}", came, "shapes (n,) and (n, k)", "one origin for each row of errors")
        if len(np.unique(origins[node])) != len(rows):
            raise _wrong(f"origins of {node!r}", origins[node].tolist(), "every origin once", "one row for each origin")
    if not errors:
        return {}
    k = min(rows.shape[1] for rows in errors.values())
    complete = [origins[node][np.isfinite(rows[:, :k]).all(axis=1)] for node, rows in errors.items()]
    common = np.sort(complete[0])
    for rest in complete[1:]:
        common = np.intersect1d(common, rest)
    picked: dict[NodeT, NDArray[np.float64]] = {}
    for node, rows in errors.items():
        order = np.argsort(origins[node], kind="stable")
        places = order[np.searchsorted(origins[node][order], common)]
        picked[node] = np.asarray(rows[places, :k], dtype=np.float64)
    return picked


def _checked(
    argument: str,
    shape: str,
    try_instead: str,
    given: Mapping[NodeT, NDArray[np.float64]],
    nodes: Sequence[NodeKey],
) -> dict[NodeKey, NDArray[np.float64]]:
    """Arrays of `nodes`, two-dimensional, finite and of one shape that is nowhere 0."""
    held = cast("Mapping[NodeKey, NDArray[np.float64]]", given)
    found: dict[NodeKey, NDArray[np.float64]] = {}
    expected: tuple[int, ...] | None = None
    for node in nodes:
        if node not in held:
            raise _wrong(argument, sorted(map(str, given)), f"an entry for {node!r}", "add it, or leave the node out")
        array = np.asarray(held[node])
        # No origin at all is a fact about the past that callers answer; an empty path is a mistake.
        if array.ndim != 2 or 0 in array.shape[argument == "errors" :] or array.dtype.kind not in "fiu":
            raise _wrong(
                f"{argument} of {node!r}", (array.shape, array.dtype), f"numbers of shape {shape}", try_instead
            )
        expected = expected or array.shape
        if array.shape != expected:
            raise _wrong(f"{argument} of {node!r}", array.shape, f"shape {expected} like the others", try_instead)
        if not np.isfinite(array).all():
            bad = array[~np.isfinite(array)][0]
            raise _wrong(f"{argument} of {node!r}", float(bad), "finite numbers", try_instead)
        found[node] = np.asarray(array, dtype=np.float64)
    if not found:
        raise _wrong(argument, {}, "at least one node", try_instead)
    return found


def _wrong(argument: str, came: object, allowed: str, try_instead: str) -> InputError:
    """Return the error."""
    return InputError(argument=argument, came=came, allowed=allowed, try_instead=try_instead)
