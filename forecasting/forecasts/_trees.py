"""Gradient-boosted quantiles, learnt by scikit-learn and kept as plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.ensemble import HistGradientBoostingRegressor

ITERATIONS = 60
LEARNING_RATE = 0.07
LEAVES = 15
LEAST_LEAF = 60
RIDGE = 10.0
FEATURE_SHARE = 0.25
BINS = 63
CHUNK = 16_384
"""Rows predicted at once: what one feature of them needs stays in the processor's cache."""
_FIELDS = ("feature", "threshold", "left", "right", "missing_left", "leaf", "value")


_LARGEST = float(np.finfo(np.float32).max)
_FIRST: NDArray[np.uint8] = np.zeros(1 << 16, dtype=np.uint8)
for _bit in range(15, -1, -1):
    _FIRST[(1 << _bit) :: 1 << (_bit + 1)] = _bit  # numbers whose lowest set bit is this one
_FIRST.setflags(write=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trees:
    """One boosted ensemble of trees per quantile level, as arrays; no pickle is needed to keep it.

    Nodes of all trees stand one after the other; `roots[level, tree]` is the first node of a tree, or 0, an empty leaf,
    where an ensemble stopped earlier.
    """

    baseline: NDArray[np.float64]
    """Shape (Q,)."""
    roots: NDArray[np.int32]
    """Shape (Q, trees)."""
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    leaf: NDArray[np.bool_]
    value: NDArray[np.float64]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the quantiles of each row, shape (R, Q), not yet sorted.

        Every split is compared for all rows at once and strikes out the leaves it excludes; the first leaf left is the
        one reached (QuickScorer, Lucchese et al. 2015).
        """
        plans = [[_plan(self, root) for root in roots[roots > 0].tolist()] for roots in self.roots]
        found = np.empty((len(features), len(self.baseline)))
        for start in range(0, len(features), CHUNK):
            columns = np.ascontiguousarray(features[start : start + CHUNK].T)
            # An unknown value is never above a threshold and goes left; as infinity it always goes right.
            sides = (np.where(np.isnan(columns), np.float32(np.inf), columns), columns)
            count = columns.shape[1]
            above, gone = np.empty(count, dtype=np.bool_), np.empty(count, dtype=np.uint16)
            number, left = above.view(np.uint8), np.empty(count, dtype=np.uint16)
            for level, own in enumerate(plans):
                total = np.full(count, self.baseline[level])
                for nodes, values in own:
                    left.fill(0)
                    for feature, threshold, side, excluded in nodes:
                        np.greater(sides[side][feature], threshold, out=above)
                        np.multiply(number, excluded, out=gone, dtype=np.uint16)
                        np.bitwise_or(left, gone, out=left)
                    np.invert(left, out=left)
                    total += values.take(_FIRST.take(left))
                found[start : start + CHUNK, level] = total
        return found

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the plain arrays by name."""
        return {name: getattr(self, name) for name in ("baseline", "roots", *_FIELDS)}

    @staticmethod
    def of(arrays: Mapping[str, NDArray[np.generic]]) -> Trees:
        """Return the trees of `arrays`, as from `Trees.arrays`."""
        values: dict[str, Any] = {name: arrays[name] for name in ("baseline", "roots", *_FIELDS)}
        return Trees(**values)


def _below(threshold: float) -> np.float32:
    """The largest finite float32 not above `threshold`: finite float32 values are above both or neither.

    An infinite threshold, which parts what is known from what is not, becomes one that infinity is above.
    """
    near = np.float32(min(threshold, _LARGEST))
    return near if float(near) <= threshold else np.nextafter(near, np.float32(-np.inf))


def _plan(trees: Trees, root: int) -> tuple[list[tuple[int, np.float32, int, np.uint16]], NDArray[np.float64]]:
    """The splits of a tree with the leaves that each excludes when it fails, and the values of the leaves in order."""
    nodes: list[tuple[int, np.float32, int, np.uint16]] = []
    values: list[float] = []

    def visit(node: int) -> None:
        if trees.leaf[node]:
            values.append(float(trees.value[node]))
            return
        first = len(values)
        visit(int(trees.left[node]))
        gone = ((1 << len(values)) - 1) & ~((1 << first) - 1)
        side = int(trees.missing_left[node])
        nodes.append((int(trees.feature[node]), _below(float(trees.threshold[node])), side, np.uint16(gone)))
        visit(int(trees.right[node]))

    visit(root)
    if len(values) > 16:
        raise ValueError(f"a tree of {len(values)} leaves; 16 at most")
    return nodes, np.array(values + [0.0] * (16 - len(values)))


def fit_trees(
    features: NDArray[np.float32],
    target: NDArray[np.float64],
    levels: NDArray[np.float64],
    *,
    seed: int,
    iterations: int = ITERATIONS,
) -> Trees:
    """Learn the quantiles of `target` by gradient boosting with the pinball loss, one ensemble per level.

    Parameters
    ----------
    features : ndarray, shape (R, K)
        NaN where unknown: a direction of its own at each split.
    target : ndarray, shape (R,)
    levels : ndarray, shape (Q,)
        0 to 1.
    seed : int
        Of the choice of features at each split.
    iterations : int
        Trees per level, at most; with more than 10,000 rows a tenth of them decides when to stop.

    Source: Friedman (2001); Koenker and Bassett (1978); scikit-learn's histogram gradient boosting.

    Examples
    --------
    >>> x = np.repeat(np.array([[0.0], [1.0]], dtype=np.float32), 200, axis=0)
    >>> t = fit_trees(x, np.repeat([2.0, 5.0], 200), np.array([0.5]), seed=1)
    >>> t.predict(x[[0, -1]]).round(1).ravel()
    array([2., 5.])
    """
    varying = np.array([_varies(column) for column in features.T])
    used = np.flatnonzero(varying)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _FIELDS}
    baseline, roots, nodes = [], [], 1
    given = features[:, used].astype(np.float64) if len(used) else np.zeros((len(features), 1))
    regressor = _regressors(iterations if len(used) else 1, seed)
    for name in _FIELDS:
        parts[name].append(np.array([name == "leaf"], dtype=np.int64))
    for level in levels.tolist():
        model = regressor(level)
        model.fit(given, target)
        baseline.append(float(np.ravel(model._baseline_prediction)[0]))
        own = []
        for (tree,) in model._predictors:
            found = tree.nodes
            own.append(nodes)
            index = used if len(used) else np.zeros(1, dtype=np.int64)
            parts["feature"].append(index[found["feature_idx"].astype(np.int64).clip(0, len(index) - 1)])
            parts["threshold"].append(found["num_threshold"])
            parts["left"].append(found["left"].astype(np.int64) + nodes)
            parts["right"].append(found["right"].astype(np.int64) + nodes)
            parts["missing_left"].append(found["missing_go_to_left"].astype(np.bool_))
            parts["leaf"].append(found["is_leaf"].astype(np.bool_))
            parts["value"].append(found["value"])
            nodes += len(found)
        roots.append(own + [0] * (iterations - len(own)))
    kinds = {"threshold": np.float64, "value": np.float64, "missing_left": np.bool_, "leaf": np.bool_}
    arrays: dict[str, Any] = {name: np.concatenate(p).astype(kinds.get(name, np.int32)) for name, p in parts.items()}
    return Trees(baseline=np.array(baseline), roots=np.array(roots, dtype=np.int32), **arrays)


def _regressors(iterations: int, seed: int) -> Callable[[float], HistGradientBoostingRegressor]:
    """Maker of regressors for different levels of the same rows: the first bins the features for all of them.

    They learn exactly what `HistGradientBoostingRegressor(loss="quantile")` does, in two thirds of its time. Where
    another version of scikit-learn knows nothing of `_bin_data`, each bins for itself.
    """
    from sklearn._loss.loss import PinballLoss
    from sklearn.ensemble import HistGradientBoostingRegressor

    class Pinball(PinballLoss):  # type: ignore[misc]
        """Pinball loss with a quantile that costs a fifth of `np.percentile`, which is asked for every leaf."""

        def fit_intercept_only(self, y_true: NDArray[np.float64], sample_weight: None = None) -> np.float64:
            return _quantile(y_true, 100 * self.closs.quantile / 100)

    class Sharing(HistGradientBoostingRegressor):  # type: ignore[misc]
        """Takes over the bins of another level."""

        def _bin_data(self, values: NDArray[np.float64], *weights: None, is_training_data: bool) -> NDArray[np.uint8]:
            if is_training_data not in bins:
                binned = super()._bin_data(values, *weights, is_training_data=is_training_data)
                bins[is_training_data] = self._bin_mapper, binned
            mapper, binned = bins[is_training_data]
            self._bin_mapper: object = mapper
            return np.asarray(binned)

    bins: dict[bool, tuple[object, NDArray[np.uint8]]] = {}

    def regressor(level: float) -> HistGradientBoostingRegressor:
        return Sharing(
            loss=Pinball(quantile=level),
            max_iter=iterations,
            learning_rate=LEARNING_RATE,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=LEAST_LEAF,
            l2_regularization=RIDGE,
            max_features=FEATURE_SHARE,
            max_bins=BINS,
            early_stopping="auto",
            random_state=seed,
        )

    return regressor


def _quantile(values: NDArray[np.float64], level: float) -> np.float64:
    """Return what `np.quantile` returns for finite values."""
    at = level * (len(values) - 1)
    below = int(at)
    above = min(below + 1, len(values) - 1)
    ordered = np.partition(values, (below, above))
    low, high, share = ordered[below], ordered[above], at - below
    value = high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share
    return np.float64(value)


def _varies(column: NDArray[np.float32]) -> bool:
    """Whether a feature has two different values; scikit-learn cannot bin one that has not."""
    known = column[np.isfinite(column)]
    return len(known) > 1 and bool(known.min() < known.max())
