"""What dated events did, and what the next ones of the same name will do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from forecasting.terms.covariate import Event

PRIOR = 0.5
"""Weight of "no effect", in events: one event says less than three."""


def instant(moment: datetime) -> np.int64:
    """UTC microseconds since the epoch."""
    offset = moment.utcoffset()
    assert offset is not None, "checked by Event"
    return np.datetime64(moment.replace(tzinfo=None) - offset, "us").astype(np.int64)


def slice_edges(at: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Starts of all slices and the end of the last one, UTC microseconds, shape (len(at) + 1,)."""
    starts = at.astype("datetime64[us]").astype(np.int64)
    length = starts[-1] - starts[-2] if len(starts) > 1 else 1
    return np.concatenate((starts, [starts[-1] + length]))


def shape_of(event: Event, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the full effect in every slice, 0 to 1: how much of it a pulse covers, or what of a ramp is reached."""
    start, end = instant(event.start), instant(event.end)
    a, b = edges[:-1], edges[1:]
    if event.kind == "ramp":
        return np.asarray(np.clip(((a + b) / 2 - start) / (end - start), 0.0, 1.0), dtype=np.float64)
    until = end if event.kind == "pulse" else max(edges[-1], end)
    overlap = np.minimum(b, until) - np.maximum(a, start)
    return np.asarray(np.clip(overlap / (b - a), 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one past event did: multiplier − 1 (additive kinds: the difference), and the noise of that."""

    effect: float
    noise: float


def seen_pulse(
    values: NDArray[np.float64],
    expected: NDArray[np.float64],
    shape: NDArray[np.float64],
    quiet: NDArray[np.bool_],
    *,
    multiplicative: bool,
) -> Seen | None:
    """Compare the slices of a past pulse with what was expected of them; None where nothing was observed.

    `quiet` marks slices without events: the noise is how far stretches of the same length lie from what was expected.
    """
    under = (shape > 0) & ~np.isnan(values) & ~np.isnan(expected)
    base = expected * shape if multiplicative else shape
    total = float(base[under].sum())
    if not under.any() or (multiplicative and total <= 0):
        return None
    effect = float((values[under] - expected[under]).sum()) / total
    length = int(under.sum())
    usable = quiet & ~np.isnan(values) & ~np.isnan(expected)
    rest, weight = (values - expected)[usable], (expected if multiplicative else np.ones(len(values)))[usable]
    chunks = len(rest) // length
    if chunks >= 5:
        below = weight[: chunks * length].reshape(chunks, length).sum(axis=1)
        ratio = rest[: chunks * length].reshape(chunks, length).sum(axis=1) / np.where(below > 0, below, np.inf)
        noise = 1.4826 * float(np.median(np.abs(ratio - np.median(ratio))))
    elif len(rest):
        noise = 2 * float(np.abs(rest).mean()) / max(float(weight.mean()), 1e-300) / np.sqrt(length)
    else:
        noise = abs(effect)
    return Seen(effect=max(effect, -1.0) if multiplicative else effect, noise=noise)


def seen_change(
    values: NDArray[np.float64], event: Event, edges: NDArray[np.int64], distance: int, *, multiplicative: bool
) -> Seen | None:
    """Compare the slices after a past step or ramp with the same phases before it; None where too few were observed."""
    n = len(values)
    first = int(np.searchsorted(edges[:-1], instant(event.start)))
    full = first if event.kind == "step" else int(np.searchsorted(edges[:-1], instant(event.end)))
    last = int(np.searchsorted(edges[:-1], instant(event.end))) if event.kind == "step" else full + distance
    length = max(last - full, distance)
    after = np.arange(full, min(full + length, n))
    back = distance * -(-int(full + length - first) // distance)
    pair = after[(after - back >= 0)]
    pair = pair[~np.isnan(values[pair]) & ~np.isnan(values[pair - back])]
    if len(pair) < max(distance // 2, 3):
        return None
    here, there = values[pair], values[pair - back]
    if not multiplicative:
        rest = here - there
        return Seen(effect=float(rest.mean()), noise=float(rest.std()) / np.sqrt(len(pair)))
    if there.sum() <= 0:
        return None
    factor = float(here.sum() / there.sum())
    noise = float(np.std(here - factor * there)) / float(there.mean()) / np.sqrt(len(pair))
    return Seen(effect=factor - 1, noise=noise)


def learnt(seen: list[Seen]) -> float:
    """Effect expected of the next: the median of the past ones, drawn to 0 by how few and how scattered they are."""
    effects = np.array([one.effect for one in seen])
    count = len(effects)
    centre = float(np.median(effects))
    scatter = float(np.var(effects, ddof=1)) if count > 1 else 0.0
    variance = max(scatter, float(np.mean([one.noise**2 for one in seen]))) / count
    if centre == 0:
        return 0.0
    return centre * count / (count + PRIOR) * centre**2 / (centre**2 + variance)
