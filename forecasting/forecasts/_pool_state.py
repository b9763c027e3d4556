"""What the pooled model learnt as JSON and plain arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.forecasts._marginals import LEARNT
from forecasting.forecasts._network import NETWORK_ARRAYS, Network
from forecasting.forecasts._trees import Trees
from forecasting.forecasts.pool import PoolLearned
from forecasting.terms.errors import InputError
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "forecasting/pool"
VERSION = 2
_ARRAYS = ("pooled", "width", "plain", "trajectories", "held")
_TREE_ARRAYS = ("baseline", "roots", "feature", "threshold", "left", "right", "missing_left", "leaf", "value")


def pack(groups: Mapping[timedelta, PoolLearned], *, about: Mapping[str, object]) -> Learned:
    """Return the state of every group (by step) as JSON and arrays.

    Examples
    --------
    >>> pack({}, about={"series": 0}).meta["version"]
    2
    """
    described: list[dict[str, object]] = []
    arrays: dict[str, NDArray[np.generic]] = {}
    for index, (step, one) in enumerate(sorted(groups.items())):
        described.append(
            {
                "step_seconds": int(step.total_seconds()),
                "members": list(one.names),
                "features": list(one.labels),
                "seasons": list(one.seasons),
                "horizon": one.horizon,
                "shrink": one.shrink,
                "mixture": one.mixture,
                "trees": one.trees is not None,
                "network": one.network is not None,
            }
        )
        arrays |= {f"{index}/{name}": getattr(one, name) for name in _ARRAYS}
        if one.trees is not None:
            arrays |= {f"{index}/trees/{name}": array for name, array in one.trees.arrays().items()}
        if one.network is not None:
            arrays |= {f"{index}/network/{name}": array for name, array in one.network.arrays().items()}
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "levels": [float(level) for level in LEARNT],
        "groups": described,
        **about,
    }
    return Learned(meta=meta, arrays=arrays)


def unpack(learned: Learned) -> dict[timedelta, PoolLearned]:
    """Return the groups of a state, every array checked: a state comes from a file, and files are damaged or forged.

    Raises
    ------
    InputError
        Where it is not a state of the pooled model of this version, or its parts do not fit each other.

    Examples
    --------
    >>> unpack(pack({}, about={}))
    {}
    """
    meta: Any = learned.meta
    came = (meta.get("format"), meta.get("version"), meta.get("levels"))
    if came != (FORMAT, VERSION, [float(level) for level in LEARNT]):
        raise _refused(f"{came[0]} version {came[1]}", f"{FORMAT} version {VERSION}")
    found: dict[timedelta, PoolLearned] = {}
    try:
        for index, group in enumerate(meta["groups"]):
            arrays: Any = {name: learned.arrays[f"{index}/{name}"] for name in _ARRAYS}
            trees = None
            if group["trees"]:
                trees = Trees.of({name: learned.arrays[f"{index}/trees/{name}"] for name in _TREE_ARRAYS})
            network = None
            if group["network"]:
                network = Network.of({name: learned.arrays[f"{index}/network/{name}"] for name in NETWORK_ARRAYS})
            one = PoolLearned(
                names=tuple(map(str, group["members"])),
                labels=tuple(map(str, group["features"])),
                seasons=tuple(int(s) for s in group["seasons"]),
                horizon=int(group["horizon"]),
                shrink=float(group["shrink"]),
                mixture=float(group["mixture"]),
                trees=trees,
                network=network,
                **arrays,
            )
            _check(one)
            found[timedelta(seconds=int(group["step_seconds"]))] = one
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _refused(f"{type(error).__name__}: {error}"[:200], "all parts of a state, of the right shapes") from error
    return found


def _check(one: PoolLearned) -> None:
    """Raise ValueError where parts do not fit: nothing read from a file may lead out of an array or in circles."""
    levels = len(LEARNT)
    shapes = {"pooled": (len(one.names),), "width": (levels,), "plain": (levels,), "held": (levels,)}
    for name, shape in shapes.items():
        array = getattr(one, name)
        if array.shape != shape or array.dtype != np.float64:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, not float64 {shape}")
        if name != "held" and not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
    if one.trajectories.ndim != 2 or not np.isfinite(one.trajectories).all():
        raise ValueError("trajectories are not a finite table")
    if not one.seasons or min(one.seasons) < 1 or max(one.seasons) > 100_000 or not 1 <= one.horizon <= 100_000:
        raise ValueError(f"seasons {one.seasons} or horizon {one.horizon}")
    if not (0 <= one.shrink <= 1 and 0 <= one.mixture <= 1):
        raise ValueError(f"shrink {one.shrink} or mixture {one.mixture}")
    if one.network is not None:
        _check_network(one.network)
    if one.trees is None:
        return
    trees, nodes = one.trees, len(one.trees.value)
    same = {len(getattr(trees, n)) for n in ("feature", "threshold", "left", "right", "missing_left", "leaf", "value")}
    if same != {nodes} or not nodes or trees.baseline.shape != (levels,) or trees.roots.ndim != 2:
        raise ValueError("trees whose arrays differ in length")
    if len(trees.roots) != levels or trees.roots.min(initial=0) < 0 or trees.roots.max(initial=0) >= nodes:
        raise ValueError("roots outside the trees")
    inner = ~trees.leaf
    place = np.arange(nodes)[inner]
    for child in (trees.left[inner], trees.right[inner]):
        if len(child) and ((child <= place).any() or (child >= nodes).any()):
            raise ValueError("a branch that leads back or out")
    if inner.any() and not 0 <= trees.feature[inner].min() <= trees.feature[inner].max() < len(one.labels):
        raise ValueError("a feature that is not there")
    if not (np.isfinite(trees.value).all() and np.isfinite(trees.baseline).all()):
        raise ValueError("values of trees are not finite")


def _check_network(network: Network) -> None:
    """Raise ValueError where the layers do not fit each other."""
    arrays = network.arrays()
    if not all(np.isfinite(array).all() for array in arrays.values() if array.dtype.kind == "f"):
        raise ValueError("the network is not finite")
    width, levels = network.w0.shape[1:], len(LEARNT)
    shapes = {
        "middle": network.w0.shape[:1],
        "spread": network.w0.shape[:1],
        "unit": (1,),
        "b0": width,
        "w1": (*width, network.w1.shape[-1]),
        "b1": network.w1.shape[1:],
        "w2": (network.w1.shape[-1], levels),
        "b2": (levels,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} of the network has the shape {arrays[name].shape}, not {shape}")


def _refused(came: str, allowed: str) -> InputError:
    return InputError(argument="learned", came=came, allowed=allowed, try_instead="learn again with this version")
