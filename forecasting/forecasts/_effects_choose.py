"""Which covariates lower the error out of fold, in which shape, and with which penalty."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PENALTIES = (0.0, 0.03, 0.3)
"""Ridge penalties tried, as a share of the columns' own weight; "no effect at all" is tried too."""
FIRST_PENALTY = 0.03
"""Penalty while shapes and covariates are chosen."""
LEAST_BLOCK = 12
"""Slices of a block at least, where the history allows four blocks."""
MOST_BLOCKS = 12
CURVED = 0.005
"""Share of the error that each column beyond a line must save, so that bends are not fitted to noise."""
LEAST_GAIN = 0.003
"""Share of the error out of fold that a covariate must save at least."""
# One-sided 5 % limits of Student's t for 2, 3, ... degrees of freedom.
_LIMITS = (2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796)


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """Everything that folds are computed from; p columns, n slices, K blocks of time."""

    z: NDArray[np.float64]
    """Shape (n,): deviations, centred within blocks."""
    columns: NDArray[np.float64]
    """Shape (p, n): columns, centred within blocks, of unit size."""
    weights: NDArray[np.float64]
    """Shape (n,)."""
    edges: NDArray[np.int64]
    """Shape (K + 1,): first slice of every block."""
    gram: NDArray[np.float64]
    """Shape (K, p, p): weighted products of columns, by block."""
    moment: NDArray[np.float64]
    """Shape (K, p): weighted products with `z`."""


def block_edges(n: int, observed: int) -> NDArray[np.int64]:
    """Return the first slices of 4 to 12 blocks of equal length, and n."""
    blocks = int(np.clip(observed // LEAST_BLOCK, 4, MOST_BLOCKS))
    return np.linspace(0, n, blocks + 1).astype(np.int64)


def centre(rows: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Take the weighted mean of every block out of every row, shape (p, n): levels of blocks are not at stake."""
    total = np.add.reduceat(weights, edges[:-1])
    means = np.add.reduceat(rows * weights, edges[:-1], axis=1) / np.where(total > 0, total, 1.0)
    return rows - np.repeat(means, np.diff(edges), axis=1)


def make_design(
    z: NDArray[np.float64], columns: NDArray[np.float64], weights: NDArray[np.float64], edges: NDArray[np.int64]
) -> Design:
    """Centre within blocks and collect what the folds need."""
    z = centre(z[None, :], weights, edges)[0]
    columns = centre(columns, weights, edges)
    weighted = columns * weights
    spans = list(pairwise(edges))
    return Design(
        z=z,
        columns=columns,
        weights=weights,
        edges=edges,
        gram=np.stack([weighted[:, a:b] @ columns[:, a:b].T for a, b in spans]),
        moment=np.stack([weighted[:, a:b] @ z[a:b] for a, b in spans]),
    )


def solve(
    gram: NDArray[np.float64], moment: NDArray[np.float64], penalty: float, size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Ridge coefficients with a penalty as a share of `size`; a vanishing one keeps equal columns from exploding."""
    ridge = np.maximum(penalty, 1e-8) * size + 1e-12 * max(float(size.max(initial=0.0)), 1e-300)
    return np.asarray(np.linalg.solve(gram + np.diag(ridge), moment), dtype=np.float64)


def fit(design: Design, use: list[int], penalty: float) -> NDArray[np.float64]:
    """Coefficients of the columns in `use` on all blocks."""
    gram = design.gram[:, use][:, :, use].sum(axis=0)
    return solve(gram, design.moment[:, use].sum(axis=0), penalty, np.diag(gram))


def fold_errors(design: Design, use: list[int], penalty: float) -> NDArray[np.float64]:
    """Mean absolute error of every tested block, from what came before it; shape (tested blocks,).

    The first quarter of the blocks (at least one) is only learnt from. A forecast finds the level anew, so that a
    constant shift of a whole block does not count as an error: everything is centred by block.
    """
    blocks = len(design.edges) - 1
    first = max(blocks // 4, 1)
    errors = np.zeros(blocks - first)
    gram = design.gram[:, use][:, :, use].cumsum(axis=0)
    moment = design.moment[:, use].cumsum(axis=0)
    # The penalty stands for the same amount of data in every fold, so that it counts most where little is known.
    size = np.diag(gram[-1])
    for k in range(first, blocks):
        a, b = design.edges[k], design.edges[k + 1]
        w = design.weights[a:b]
        rest = design.z[a:b]
        if use:
            rest = rest - solve(gram[k - 1], moment[k - 1], penalty, size) @ design.columns[use, a:b]
        total = float(w.sum())
        if total > 0:
            errors[k - first] = float(w @ np.abs(rest)) / total
    return errors


def gain_of(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """Share of the error saved, mean over the tested blocks, and the noise that it must exceed."""
    tested = before > 0
    if tested.sum() < 3:
        return 0.0, np.inf
    saved = 1 - after[tested] / before[tested]
    count = len(saved)
    spread = float(np.std(saved, ddof=1)) / np.sqrt(count)
    return float(saved.mean()), max(_LIMITS[min(count - 3, len(_LIMITS) - 1)] * spread, LEAST_GAIN)


@dataclass(frozen=True, kw_only=True, eq=False)
class Choice:
    """What forward selection came to."""

    kept: tuple[int, ...]
    """Covariates kept, best first."""
    shapes: tuple[tuple[int, ...], ...]
    """Columns of every covariate's best shape, kept or not."""
    gains: tuple[tuple[float, float], ...]
    """(share of the error saved beside those kept before it, noise it had to exceed) of every covariate."""
    penalty: float
    error: tuple[float, float]
    """Mean absolute error out of fold without and with the kept ones."""


def choose(design: Design, shapes: list[list[tuple[int, ...]]]) -> Choice:
    """Pick the shape of every covariate, then covariates one at a time while each saves more than its noise.

    `shapes` holds, for every covariate, the alternative sets of columns.
    """
    nothing = fold_errors(design, [], 0.0)
    best: list[tuple[int, ...]] = []
    alone: list[NDArray[np.float64]] = []
    for options in shapes:
        by_shape = [fold_errors(design, list(columns), FIRST_PENALTY) for columns in options]
        handicap = [1 + CURVED * (len(columns) - 1) for columns in options]
        first = int(np.argmin([float(e.sum()) * h for e, h in zip(by_shape, handicap, strict=True)]))
        best.append(options[first])
        alone.append(by_shape[first])
    gains = [gain_of(nothing, errors) for errors in alone]
    kept: list[int] = []
    current = nothing
    open_ones = list(range(len(shapes)))
    while open_ones:
        tried = {
            j: alone[j] if not kept else fold_errors(design, _columns(best, [*kept, j]), FIRST_PENALTY)
            for j in open_ones
        }
        for j in open_ones:
            gains[j] = gain_of(current, tried[j])
        good = [j for j in open_ones if gains[j][0] > gains[j][1]]
        if not good:
            break
        winner = min(good, key=lambda j: (float(tried[j].sum()), j))
        kept.append(winner)
        current = tried[winner]
        open_ones.remove(winner)
    penalty = 0.0
    if kept:
        use = _columns(best, kept)
        losses = [float(fold_errors(design, use, p).sum()) for p in PENALTIES]
        penalty = PENALTIES[int(np.argmin(losses))]
        current = fold_errors(design, use, penalty)
    return Choice(
        kept=tuple(kept),
        shapes=tuple(best),
        gains=tuple(gains),
        penalty=penalty,
        error=(float(nothing.mean()), float(current.mean())),
    )


def _columns(shapes: list[tuple[int, ...]], kept: list[int]) -> list[int]:
    """Columns of the kept covariates, in the order of the design."""
    return sorted(column for j in kept for column in shapes[j])
