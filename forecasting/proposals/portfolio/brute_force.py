"""Every choice, one after the other: for small problems, where it is exact in ties and regret too."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from forecasting.proposals.portfolio.milp import EXCESS_ROOM
from forecasting.proposals.portfolio.model import Model

MOST_CHOICES = 4096
"""Largest number of choices that is enumerated."""
Choices = NDArray[np.intp]
"""One choice a row, shape (choices, services)."""


def choices_of(model: Model) -> int:
    """Return how many choices there are: the product of the options of each service."""
    return prod(np.diff(model.start).tolist())


def every_choice(model: Model) -> Choices:
    """Return every choice.

    Parameters
    ----------
    model : Model
        Of `MOST_CHOICES` choices or a few times more.

    Returns
    -------
    Choices
        In the order of the options' keys, the last service's fastest.
    """
    sizes = tuple(np.diff(model.start).tolist())
    picks = np.unravel_index(np.arange(prod(sizes)), sizes)
    return np.stack([first + pick for first, pick in zip(model.start[:-1], picks, strict=True)], axis=1).astype(np.intp)


def excesses(model: Model, choices: Choices) -> NDArray[np.float64]:
    """Return `Model.excess` of many choices; 0 = keeps every limit."""
    total = np.zeros(len(choices))
    for row, most, room, scale in zip(model.take, model.most, model.room, model.scale, strict=True):
        over = row[choices].sum(axis=1) - most
        total += np.where(over > room, over / scale, 0.0)
    for a, b in model.edges:
        total += model.promised[choices[:, a]] > model.delivered[choices[:, b]]
    return total


def best_choices(model: Model, choices: Choices) -> Choices:
    """Return the choices of the smallest objective among those that keep the limits, or else break them least.

    Parameters
    ----------
    model : Model
    choices : Choices
        All of them.

    Returns
    -------
    Choices
        One or more of equal objective, in the order that came.

    Examples
    --------
    >>> from forecasting.proposals.portfolio.model import as_model
    >>> from forecasting.terms.portfolio import PortfolioProblem, ServiceOption
    >>> now = ServiceOption(service="shop", key="now", label="", cost=(0.0,), expected_penalty=(9.0,), today=True)
    >>> more = ServiceOption(service="shop", key="more", label="", cost=(4.0,), expected_penalty=(1.0,))
    >>> model = as_model(PortfolioProblem(options=(now, more), periods=1, currency="EUR", budget=(4.0,)))
    >>> [[model.options[i].key for i in choice] for choice in best_choices(model, every_choice(model))]
    [['more']]
    """
    excess = excesses(model, choices)
    within = choices[excess <= excess.min() + EXCESS_ROOM] if excess.min() > 0 else choices[excess == 0]
    objective = model.worth[within].sum(axis=1)
    least = objective.min()
    return np.asarray(within[objective <= least + 1e-9 * max(1.0, abs(least))])
