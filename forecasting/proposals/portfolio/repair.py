"""A choice made to keep its limits, and then made better, one service at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecasting.proposals.portfolio.model import Choice, Model


def excess_after_swaps(model: Model, choice: Choice) -> NDArray[np.float64]:
    """Return by how much limits would be broken if one service took another option, for every option.

    Parameters
    ----------
    model : Model
    choice : Choice

    Returns
    -------
    NDArray[np.float64]
        As `Model.excess`, shape (options,); 0 = the choice with that option keeps every limit.
    """
    after = (model.used(choice) - model.most)[:, None] + model.take - model.take[:, choice][:, model.owner]
    shares = np.where(after > model.room[:, None], after / model.scale[:, None], 0.0).sum(axis=0)
    return np.asarray(shares + _broken_after_swaps(model, choice))


def _broken_after_swaps(model: Model, choice: Choice) -> NDArray[np.float64]:
    """Return how many reliances would be broken if one service took another option, for every option."""
    count = np.zeros(len(model.options), dtype=np.float64)
    if not len(model.edges):
        return count
    broken = model.broken(choice)
    own = np.bincount(model.edges[broken].ravel(), minlength=len(model.services)).astype(np.float64)
    for side in (0, 1):
        mine, other = model.edges[:, side], model.edges[:, 1 - side]
        sizes = model.start[mine + 1] - model.start[mine]
        edge = np.repeat(np.arange(len(mine)), sizes)
        option = model.start[mine][edge] + np.arange(len(edge)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        held = choice[other][edge]
        breaks = (
            model.promised[option] > model.delivered[held]
            if side == 0
            else model.promised[held] > model.delivered[option]
        )
        count += np.bincount(option[breaks], minlength=len(count))
    return count + float(broken.sum()) - own[model.owner]


def repaired(model: Model, choice: Choice, reduced: NDArray[np.float64]) -> Choice:
    """Return a choice that breaks its limits less, by the swaps that cost least for what they put right.

    Parameters
    ----------
    model : Model
    choice : Choice
    reduced : NDArray[np.float64]
        Worth of each option at the prices of the limits: what a swap costs.

    Returns
    -------
    Choice
        One that keeps every limit where swaps of one service lead there; otherwise no such swap makes it better.
    """
    now = choice.copy()
    for _ in range(8 * len(model.services)):
        excess = model.excess(now)
        if excess == 0.0:
            break
        gain = excess - excess_after_swaps(model, now)
        gain[now] = 0.0
        useful = np.flatnonzero(gain > 1e-12)
        if not len(useful):
            break
        cost = np.maximum(reduced[useful] - reduced[now][model.owner[useful]], 0.0)
        cost += 1e-9 * (1.0 + np.abs(reduced[useful]))
        pick = useful[np.argmin(cost / gain[useful])]
        now[model.owner[pick]] = pick
    return now


def improved(model: Model, choice: Choice) -> Choice:
    """Return a choice that no swap of one service makes better without breaking limits more.

    Parameters
    ----------
    model : Model
    choice : Choice

    Returns
    -------
    Choice
        Of an objective that is not larger, and no more broken.
    """
    now = choice.copy()
    while True:
        excess = model.excess(now)
        saves = model.worth[now][model.owner] - model.worth
        clear = saves > 1e-9 * np.maximum(1.0, np.abs(model.worth))
        good = np.flatnonzero(clear & (excess_after_swaps(model, now) <= excess))
        if not len(good):
            return now
        changed = False
        used = model.used(now)
        for pick in good[np.argsort(-saves[good], kind="stable")]:
            service = model.owner[pick]
            held = now[service]
            if model.worth[pick] >= model.worth[held]:
                continue
            after = used + model.take[:, pick] - model.take[:, held]
            if (after > np.maximum(model.most + model.room, used)).any():
                continue
            now[service] = pick
            if model.excess(now) <= excess:
                used, changed = model.used(now), True
            else:
                now[service] = held
        if not changed:
            return now
