"""Service level and staffing where demand itself is uncertain.

Because service level falls with demand, P(SL(c, A) ≥ s) ≥ p exactly when c is at least what the p-quantile of A needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, kw_only=True)
class UncertainLevel:
    """A service level under uncertain demand."""

    at_the_mean: float
    """Service level at the mean demand: what a plan without uncertainty says."""
    demand_weighted: float
    """E[A·SL] ÷ E[A]: the share of all customers that is served well."""
    probability_met: float
    """P(SL ≥ target)."""


def uncertain_level(
    model: CapacityModel, capacity: float, demand: ArrayLike, *, target: float, weights: ArrayLike | None = None
) -> UncertainLevel:
    """Return the service level of a capacity over draws (or quadrature points) of demand.

    Parameters
    ----------
    model : CapacityModel
    capacity : float
        Usable units.
    demand : array_like
        Draws, shape (n,).
    target : float
        Service level asked for, above 0 and below 1.
    weights : array_like, optional
        Weights of the draws, adding up to 1; equal where left out.

    Raises
    ------
    InputError
        For draws that are negative, all 0, or no draws.
    """
    draws = quantities("demand", demand)
    if draws.size == 0 or draws.sum() <= 0:
        raise InputError(argument="demand", came=draws.size, allowed="draws above 0", try_instead="sample paths")
    w = np.full(draws.shape, 1.0 / draws.size) if weights is None else quantities("weights", weights)
    levels = model.service_level(capacity, draws)
    mean = float((w * draws).sum())
    return UncertainLevel(
        at_the_mean=float(model.service_level(capacity, [mean])[0]),
        demand_weighted=float((w * draws * levels).sum() / mean),
        probability_met=float((w * (levels >= share("target", target) - 1e-12)).sum()),
    )


def required_at(
    model: CapacityModel, demand: ArrayLike, confidence: ArrayLike, *, target: float | None = None
) -> NDArray[np.float64]:
    """Return the usable units at which the target is reached with each confidence.

    Parameters
    ----------
    model : CapacityModel
    demand : array_like
        Draws of demand, shape (n,).
    confidence : array_like
        Probabilities, above 0 and below 1.
    target : float, optional
        None = the model's own.

    Notes
    -----
    The quantile is an order statistic (no value between two draws), so that the identity holds to the draw.
    """
    draws = np.sort(quantities("demand", demand))
    wanted = [share("confidence", float(p)) for p in np.atleast_1d(np.asarray(confidence, dtype=np.float64))]
    places = [min(int(np.ceil(p * len(draws) - 1e-9)), len(draws)) - 1 for p in wanted]
    return model.required(target, draws[places])


def newsvendor(mean: float, spread: float, *, short: float, over: float) -> tuple[float, float]:
    """Return the capacity that costs least against normal demand, and that cost: q = F⁻¹(cu ÷ (cu + co)).

    Parameters
    ----------
    mean, spread : float
        Mean and standard deviation of demand; spread above 0.
    short, over : float
        Cost of a unit too few (cu) and of one too many (co), above 0.

    References
    ----------
    K. J. Arrow, T. Harris, J. Marschak (1951). Optimal inventory policy. Econometrica 19.

    Examples
    --------
    >>> [round(x, 4) for x in newsvendor(100.0, 15.0, short=9.0, over=1.0)]
    [119.2233, 26.3247]
    """
    from statistics import NormalDist

    cu, co = positive("short", short), positive("over", over)
    z = NormalDist().inv_cdf(cu / (cu + co))
    sigma = positive("spread", spread)
    return mean + z * sigma, (cu + co) * sigma * NormalDist().pdf(z)


def newsvendor_on_draws(demand: ArrayLike, *, short: float, over: float) -> tuple[float, float]:
    """Return the same over draws of any distribution: capacity and its mean cost.

    Examples
    --------
    >>> newsvendor_on_draws([80.0, 90.0, 100.0, 130.0], short=3.0, over=1.0)
    (100.0, 30.0)
    """
    draws = np.sort(quantities("demand", demand))
    cu, co = positive("short", short), positive("over", over)
    place = min(int(np.ceil(len(draws) * cu / (cu + co) - 1e-9)), len(draws)) - 1
    q = float(draws[max(place, 0)])
    cost = cu * np.maximum(draws - q, 0.0) + co * np.maximum(q - draws, 0.0)
    return q, float(cost.mean())
