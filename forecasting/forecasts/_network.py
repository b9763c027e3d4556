"""A small neural network for all quantiles at once, in numpy: a second opinion beside the trees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 64
EPOCHS = 12
BATCH = 512
RATE = 2e-3
DECAY = 0.3
"""Decoupled weight decay (Loshchilov and Hutter 2019), times the learning rate."""
SQUASH = 3.0
"""Normalised features are squashed softly to this many spreads."""
ROWS = 1024
"""Rows normalised at once: they stay in the processor's cache."""
_NAMES = ("middle", "spread", "unit", "w0", "b0", "w1", "b1", "w2", "b2")


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Two hidden layers; plain arrays, so that it is kept without pickle."""

    middle: NDArray[np.float64]
    """Shape (K,): medians of the features."""
    spread: NDArray[np.float64]
    """Shape (K,): their spreads, positive."""
    unit: NDArray[np.float64]
    """Shape (1,): unit of the target."""
    w0: NDArray[np.float32]
    b0: NDArray[np.float32]
    w1: NDArray[np.float32]
    b1: NDArray[np.float32]
    w2: NDArray[np.float32]
    b2: NDArray[np.float32]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the quantiles of each row, shape (R, Q), not yet sorted."""
        first = np.maximum(normalised(features, self.middle, self.spread) @ self.w0 + self.b0, 0)
        second = np.maximum(first @ self.w1 + self.b1, 0)
        return np.asarray((second @ self.w2 + self.b2).astype(np.float64) * self.unit)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the plain arrays by name."""
        return {name: getattr(self, name) for name in _NAMES}

    @staticmethod
    def of(arrays: Mapping[str, NDArray[np.generic]]) -> Network:
        """Return the network of `arrays`, as from `Network.arrays`."""
        values: dict[str, Any] = {name: arrays[name] for name in _NAMES}
        return Network(**values)


NETWORK_ARRAYS = _NAMES
"""Names of the arrays of a network."""


def with_harmonics(features: NDArray[np.float32], labels: tuple[str, ...], season: int) -> NDArray[np.float32]:
    """Return the features and waves of the phase, the hour, the weekday and the month, which a network needs smooth.

    Examples
    --------
    >>> with_harmonics(np.ones((2, 1), dtype=np.float32), ("slices ahead",), 7).shape
    (2, 8)
    """
    ahead = features[:, labels.index("slices ahead")]
    extra = [np.log1p(ahead)]

    def waves(at: NDArray[np.float32], period: float, count: int) -> None:
        for order in range(1, count + 1):
            angle = 2 * np.pi * order * at / period
            extra.extend((np.sin(angle), np.cos(angle)))

    waves(ahead % season, max(season, 1), 3)
    for label, period in (("hour of the day", 24.0), ("time of the week", 7.0), ("month", 12.0)):
        if label in labels:
            at = features[:, labels.index(label)]
            if np.isfinite(at).any():
                waves(at, period, 1)
                if period == 7.0:
                    extra.append((at >= 5).astype(np.float32))
    return np.column_stack([features, *extra]).astype(np.float32)


def normalised(
    features: NDArray[np.float32], middle: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return features of like size, squashed softly; unknown ones are 0, the middle."""
    centre, factor = middle.astype(np.float32), (1 / (SQUASH * spread)).astype(np.float32)
    score = np.empty(features.shape, dtype=np.float32)
    for start in range(0, len(features), ROWS):
        part = score[start : start + ROWS]
        np.subtract(features[start : start + ROWS], centre, out=part)
        part *= factor
        np.tanh(part, out=part)
        part *= np.float32(SQUASH)
        part[np.isnan(part)] = 0.0
    return score


def fit_network(
    features: NDArray[np.float32], target: NDArray[np.float64], levels: NDArray[np.float64], *, seed: int
) -> Network:
    """Learn the quantiles of `target` by the pinball loss with Adam (Kingma and Ba 2015) and a falling rate.

    Parameters
    ----------
    features : ndarray, shape (R, K)
        With harmonics; NaN where unknown.
    target : ndarray, shape (R,)
    levels : ndarray, shape (Q,)
    seed : int
        Of the first weights and the order of rows.

    Examples
    --------
    >>> x = np.random.default_rng(1).normal(size=(2000, 1)).astype(np.float32)
    >>> n = fit_network(x, 3.0 * x[:, 0], np.array([0.5]), seed=1)
    >>> bool(abs(n.predict(np.array([[1.0]], dtype=np.float32))[0, 0] - 3) < 0.5)
    True
    """
    rng = np.random.default_rng(seed)
    sample = np.clip(features[:20_000].astype(np.float64), -1e6, 1e6)
    known = np.isfinite(sample)
    sample[:, ~known.any(axis=0)] = 0.0
    middle = np.nanmedian(sample, axis=0)
    low, high = np.nanquantile(sample, [0.1, 0.9], axis=0)
    spread = (high - low) / 2.56
    spread = np.where(spread > 1e-6, spread, np.nanstd(sample, axis=0) + 1e-6)
    unit = float(np.quantile(np.abs(target), 0.8)) or 1.0
    x, y = normalised(features, middle, spread), (target / unit).astype(np.float32)
    tau = levels.astype(np.float32)

    def first(rows: int, columns: int) -> NDArray[np.float32]:
        return np.asarray((rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32))

    weights: list[NDArray[np.float32]] = [
        first(x.shape[1], WIDTH),
        np.zeros(WIDTH, dtype=np.float32),
        first(WIDTH, WIDTH),
        np.zeros(WIDTH, dtype=np.float32),
        first(WIDTH, len(tau)) * np.float32(0.1),
        np.quantile(y, tau).astype(np.float32),
    ]
    # All weights lie one after the other in `flat`, so that one step of Adam is one operation; `weights` shows it.
    shapes, cuts = [w.shape for w in weights], np.cumsum([0, *(w.size for w in weights)]).tolist()
    flat = np.concatenate([w.ravel() for w in weights])
    weights = [flat[a:b].reshape(s) for a, b, s in zip(cuts, cuts[1:], shapes, strict=False)]
    decay = np.concatenate([np.full(w.size, DECAY if i % 2 == 0 else 0.0, np.float32) for i, w in enumerate(weights)])
    mean, square = np.zeros_like(flat), np.zeros_like(flat)
    size = min(BATCH, len(x))
    batches = len(x) // size
    total = EPOCHS * batches
    done = 0
    for _ in range(EPOCHS):
        order = rng.permutation(len(x))
        for batch in range(batches):
            pick = order[batch * size : (batch + 1) * size]
            gradient = _gradient(weights, x[pick], y[pick], tau)
            done += 1
            rate = np.float32(RATE * 0.5 * (1 + np.cos(np.pi * done / total)) + 1e-5)
            change = np.concatenate([part.ravel() for part in gradient])
            mean = np.float32(0.9) * mean + np.float32(0.1) * change
            square = np.float32(0.999) * square + np.float32(0.001) * change**2
            move = mean / np.float32(1 - 0.9**done)
            move /= np.sqrt(square / np.float32(1 - 0.999**done)) + np.float32(1e-8)
            move += decay * flat
            flat -= rate * move
    names = ("w0", "b0", "w1", "b1", "w2", "b2")
    return Network(
        middle=middle,
        spread=spread,
        unit=np.array([unit]),
        **dict(zip(names, (w.copy() for w in weights), strict=True)),
    )


def _gradient(
    weights: list[NDArray[np.float32]],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    tau: NDArray[np.float32],
) -> list[NDArray[np.float32]]:
    """Gradient of the mean pinball loss of one batch."""
    w0, b0, w1, b1, w2, b2 = weights
    a = x @ w0 + b0
    first = np.maximum(a, 0)
    b = first @ w1 + b1
    second = np.maximum(b, 0)
    out = second @ w2 + b2
    off = np.where(y[:, None] > out, -tau, 1 - tau).astype(np.float32) / np.float32(len(x))
    back = (off @ w2.T) * (b > 0)
    front = (back @ w1.T) * (a > 0)
    return [x.T @ front, front.sum(axis=0), first.T @ back, back.sum(axis=0), second.T @ off, off.sum(axis=0)]
