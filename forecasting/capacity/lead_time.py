"""From the decision to use: how long an order takes, and by when it has to be decided."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.capacity import LeadStage
from forecasting.terms.catalogue import LeadStep, Resource

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE = 0.9
"""Share of cases in which a chain of steps is done within the days that are planned for it."""
_DRAWS = 20_000


def chain_days(steps: Sequence[LeadStep], quantile: float = SURE) -> int:
    """Return the days within which a chain of steps is done with a probability, each step by its own triangle.

    Parameters
    ----------
    steps : sequence of LeadStep
        One after the other, independent of each other.
    quantile : float
        Probability, above 0 and below 1.

    Returns
    -------
    int
        Whole days, rounded up; 0 without steps.

    Examples
    --------
    >>> week = LeadStep(name="delivery", low=timedelta(7), mode=timedelta(7), high=timedelta(7))
    >>> chain_days([week, week])
    14
    """
    total = np.zeros(_DRAWS)
    for k, step in enumerate(steps):
        low, mode, high = (x / timedelta(days=1) for x in (step.low, step.mode, step.high))
        if high > low:
            seed = int.from_bytes(hashlib.sha256(f"{k}\x1f{step.name}".encode()).digest()[:8], "big")
            total += np.random.default_rng(seed).triangular(low, min(max(mode, low), high), high, _DRAWS)
        else:
            total += low
    return math.ceil(float(np.quantile(total, quantile)) - 1e-9)


def before_order_days(resource: Resource) -> int:
    """Return the days of the steps before the order goes out (decision, tender, approval), nine times in ten."""
    return chain_days([s for s in resource.lead_steps if s.before_order])


def lead_days(resource: Resource) -> int:
    """Return the days from the decision to use, nine times in ten; a part of a day counts as the next."""
    if resource.lead_steps:
        return chain_days(resource.lead_steps)
    return -(-resource.lead_time // timedelta(days=1))


def as_one_lead(resource: Resource) -> Resource:
    """Return the resource with the whole chain as its lead time, so that bill and simulation begin on one day."""
    return replace(resource, lead_time=timedelta(days=lead_days(resource))) if resource.lead_steps else resource


def in_use_from(resource: Resource, decided: date) -> date:
    """Return the first day on which what is decided on `decided` serves."""
    return decided + timedelta(days=lead_days(resource))


def dated_steps(resource: Resource, decided: date) -> tuple[tuple[str, date], ...]:
    """Return each step with the day on which it has to be done, scaled so that the last ends with the chain.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> week, ten = timedelta(7), timedelta(10)
    >>> link = Resource(name="link", services=("s",), metric_service="s", metric="gbps", model=GrowingStockModel(),
    ...     unit="Gbps", units_now=Decimal(10), lead_steps=(
    ...     LeadStep(name="approval", low=week, mode=week, high=week, before_order=True),
    ...     LeadStep(name="delivery", low=ten, mode=ten, high=ten)))
    >>> [(name, day.isoformat()) for name, day in dated_steps(link, date(2027, 3, 1))]
    [('approval', '2027-03-08'), ('delivery', '2027-03-18')]
    """
    if not resource.lead_steps:
        return (("order delivered", in_use_from(resource, decided)),)
    whole, found = lead_days(resource), []
    ends = np.cumsum([chain_days([s]) for s in resource.lead_steps])
    for step, end in zip(resource.lead_steps, ends.tolist(), strict=True):
        days = round(whole * end / ends[-1]) if ends[-1] else 0
        found.append((step.name, decided + timedelta(days=days)))
    return tuple(found)


def days_after_order(resource: Resource) -> int:
    """Return the days from the order to use, nine times in ten."""
    if resource.lead_steps:
        return chain_days([s for s in resource.lead_steps if not s.before_order])
    return -(-resource.lead_time // timedelta(days=1))


def lead_draws(resource: Resource, count: int, seed: int) -> NDArray[np.float64]:
    """Return the days from the decision to use in `count` cases, shape (count,).

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> link = Resource(name="link", services=("s",), metric_service="s", metric="gbps", model=GrowingStockModel(),
    ...     unit="Gbps", units_now=Decimal(10), lead_time=timedelta(days=140))
    >>> lead_draws(link, 2, 1)
    array([140., 140.])
    """
    if not resource.lead_steps:
        return np.full(count, resource.lead_time / timedelta(days=1))
    rng = np.random.default_rng((seed, 0x1EAD))
    total = np.zeros(count)
    for step in resource.lead_steps:
        low, mode, high = (x / timedelta(days=1) for x in (step.low, step.mode, step.high))
        total += rng.triangular(low, min(max(mode, low), high), high, count) if high > low else low
    return total


def lead_stages(resource: Resource, need_by: date) -> tuple[LeadStage, ...]:
    """Return the steps laid back from the day on which more has to serve, each with the day by which to start it.

    Steps start so early that what is left of the chain is done with 90 %.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.catalogue import GrowingStockModel
    >>> week, ten = timedelta(7), timedelta(10)
    >>> link = Resource(name="link", services=("s",), metric_service="s", metric="gbps", model=GrowingStockModel(),
    ...     unit="Gbps", units_now=Decimal(10), lead_steps=(
    ...     LeadStep(name="approval", low=week, mode=week, high=week, before_order=True),
    ...     LeadStep(name="delivery", low=ten, mode=ten, high=ten)))
    >>> [(s.name, s.start_by.isoformat()) for s in lead_stages(link, date(2027, 3, 18))]
    [('approval', '2027-03-01'), ('delivery', '2027-03-08')]
    """
    steps = resource.lead_steps
    return tuple(
        LeadStage(
            name=step.name,
            days_p50=chain_days([step], 0.5),
            days_p90=chain_days([step]),
            start_by=need_by - timedelta(days=chain_days(steps[k:])),
        )
        for k, step in enumerate(steps)
    )
