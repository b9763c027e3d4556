"""Composites whose attainment weighs that of their components (methods Occurrences and RatioTimeslices)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.bar import bar_of, missed_on_paths
from forecasting.service_levels.breach.by_candidate import candidate_shares
from forecasting.service_levels.breach.rest import Rest
from forecasting.service_levels.breach.risk import exhaustion_dates, statement, whole_events
from forecasting.service_levels.breach.share_forecast import ShareForecast
from forecasting.service_levels.credits import loss_on_paths
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk, Cause
from forecasting.terms.indicator import CompositeIndicator
from forecasting.terms.service_level import Attainment, BudgetingMethod, Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BILLION = 1e9


@dataclass(frozen=True, kw_only=True, eq=False)
class ComponentRest:
    """One component of a composite in one window."""

    name: str
    objective: Objective
    """As the composite judges it (`component_of`)."""
    so_far: Attainment
    rest: Rest
    share: NDArray[np.float64] | None = None
    """Shape (n_paths,): share of bad of the rest as forecast, before load and workload limit; None = no forecast."""
    forecast: ShareForecast | None = None
    member: int = 0


def component_weights(objective: Objective, components: Sequence[Objective]) -> NDArray[np.float64]:
    """Return by how much a component's share of bad lowers the attainment: A = 1 − Σ weight × share of bad.

    RatioTimeslices: its weight, of a sum of 1. Occurrences: times the composite's budget ÷ the component's own.

    Parameters
    ----------
    objective : Objective
        With a `CompositeIndicator`.
    components : sequence of Objective
        In the order of the indicator's components.
    """
    indicator = objective.indicator
    assert isinstance(indicator, CompositeIndicator)
    weights = np.array([float(c.weight) for c in indicator.components])
    weights /= weights.sum()
    if objective.method is BudgetingMethod.OCCURRENCES:
        weights *= [float(objective.error_budget_share / c.error_budget_share) for c in components]
    return weights


def assess_weighted(
    objective: Objective,
    agreement: Agreement | None,
    so_far: Attainment,
    components: Sequence[ComponentRest],
    *,
    windows_known: int,
    basis: str,
) -> BreachRisk:
    """Judge one window of a composite on paths of its components, in the same worlds.

    Parameters
    ----------
    objective : Objective
        With a `CompositeIndicator`, method Occurrences or RatioTimeslices.
    agreement : Agreement or None
    so_far : Attainment
        Of the composite at the cut-off.
    components : sequence of ComponentRest
        In the order of the indicator's components.
    windows_known, basis
        As for `assess_risk`.
    """
    weights = component_weights(objective, [c.objective for c in components])
    totals = np.stack([c.so_far.total + np.rint(c.rest.all_total) for c in components])
    bads = np.stack([np.minimum(c.so_far.bad + whole_events(c.rest.all_bad, c.rest.draw), t)
                     for c, t in zip(components, totals, strict=True)])  # fmt: skip
    shares = _share(bads, totals)
    attainment = 1.0 - weights @ shares
    judged = _judged(objective, components, totals)
    lost = (weights[:, None] * shares).mean(axis=1)
    bar = bar_of(objective.target, objective.rounding, strict=objective.strict)
    budget = float(objective.error_budget_share)
    expected = totals.mean(axis=1)
    spent = sum(w * c.so_far.bad / t for w, c, t in zip(weights, components, expected, strict=True) if t > 0)
    known = sum(c.so_far.total / t / len(components) for c, t in zip(components, expected, strict=True) if t > 0)
    events = _events(objective, components, totals)
    return statement(
        objective,
        agreement,
        so_far,
        attainment=attainment,
        judged=judged,
        loss=loss_on_paths(agreement, (1.0 - attainment) * events, events, objective.target),
        time=None,
        remaining=1.0 - known,
        budget_spent=float(spent / budget) if budget > 0 else 0.0,
        exhaustion=_exhaustion(
            components, weights, totals, so_far, np.where(judged, float(1 - bar.share), np.inf), not bar.tie_meets
        ),
        fast=_matched_beta(1.0 - attainment[judged], float(1 - bar.share)),
        causes=_causes(components, lost, shares),
        windows_known=windows_known,
        basis=basis,
        candidates=_candidates(objective, components, weights, totals, judged),
    )


def _share(bad: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return bad ÷ total; a component in which nothing happens is good."""
    return np.divide(bad, total, out=np.zeros(bad.shape), where=total > 0)


def _judged(
    objective: Objective, components: Sequence[ComponentRest], totals: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Say on which paths the composite would be judged: something happens, and enough of it."""
    scale = np.array([_BILLION if c.so_far.unit == "billionths" else 1.0 for c in components])[:, None]
    counts = totals / scale
    spent = objective.method is BudgetingMethod.OCCURRENCES
    enough = counts.sum(axis=0) if spent else counts.min(axis=0)
    return np.asarray((totals > 0).any(axis=0) & (enough >= objective.minimum_events), dtype=np.bool_)


def _events(
    objective: Objective, components: Sequence[ComponentRest], totals: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what the composite counts in all, for the loss: the events of its components, or its mean slices."""
    units = {"billionths": _BILLION, "microseconds": 60e6}
    scale = np.array([units.get(c.so_far.unit, 1.0) for c in components])[:, None]
    counts = totals / scale
    return np.asarray(
        counts.sum(axis=0) if objective.method is BudgetingMethod.OCCURRENCES else counts.mean(axis=0),
        dtype=np.float64,
    )


def _exhaustion(
    components: Sequence[ComponentRest],
    weights: NDArray[np.float64],
    totals: NDArray[np.float64],
    so_far: Attainment,
    allowed: NDArray[np.float64],
    tie_gone: bool,
) -> tuple[datetime | None, datetime | None]:
    """Return the early and the middle day on which the weighed budgets are gone."""
    days = sorted({day for c in components for day in c.rest.days})
    spent = np.zeros((len(allowed), len(days)))
    for c, weight, total in zip(components, weights, totals, strict=True):
        own = np.cumsum(c.rest.bad, axis=1) + c.rest.unseen_bad[:, None]
        bad = np.concatenate(
            (
                np.broadcast_to(c.so_far.bad + c.rest.unseen_bad[:, None], (len(own), 1)),
                c.so_far.bad + whole_events(own, c.rest.draw[:, None]),
            ),
            axis=1,
        )
        at = np.searchsorted(np.array([d.timestamp() for d in c.rest.days]), [d.timestamp() for d in days], "right")
        spent += weight * _share(bad[:, at], np.broadcast_to(total[:, None], spent.shape))
    return exhaustion_dates(spent, allowed, days, so_far, tie_gone=tie_gone)


def _matched_beta(lost: NDArray[np.float64], allowed: float) -> float:
    """Return P(loss > allowed) of a beta distribution with the mean and variance of the paths."""
    from scipy.stats import beta

    if not len(lost):
        return 0.0
    mean, variance = float(lost.mean()), float(lost.var())
    if variance <= 1e-18 or not 0 < mean < 1:
        return float(mean > allowed)
    size = mean * (1 - mean) / variance - 1.0
    if size <= 0:
        return float((lost > allowed).mean())
    return float(beta.sf(allowed, mean * size, (1 - mean) * size))


def _causes(
    components: Sequence[ComponentRest], lost: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[Cause, ...]:
    """Split what the composite is expected to lose among its components."""
    whole = float(lost.sum())
    if whole <= 0:
        return ()
    causes = [
        Cause(
            name=f"component {c.name}",
            share=float(part) / whole,
            evidence=f"{_percent(float(share.mean()))} of it bad by the window's end on the mean path, "
            f"{_so_far(c.so_far)} so far; its own target allows {_percent(float(c.objective.error_budget_share))}",
        )
        for c, part, share in zip(components, lost, shares, strict=True)
    ]
    return tuple(sorted((c for c in causes if c.share > 1e-9), key=lambda c: -c.share))


def _so_far(attainment: Attainment) -> str:
    """Return the share of bad so far for a sentence."""
    return _percent(attainment.bad / attainment.total) if attainment.total else "nothing"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _candidates(
    objective: Objective,
    components: Sequence[ComponentRest],
    weights: NDArray[np.float64],
    totals: NDArray[np.float64],
    judged: NDArray[np.bool_],
) -> tuple[tuple[str, float], ...]:
    """Return P(miss) by each of the models that forecast all components."""
    forecasts = [c.forecast for c in components if c.forecast is not None]
    if len(forecasts) < len(components) or len({f.names for f in forecasts}) > 1:
        return ()
    names, n = forecasts[0].names, totals.shape[1]
    attainment = np.ones((len(names), n))
    for c, weight, total in zip(components, weights, totals, strict=True):
        assert c.forecast is not None
        assert c.share is not None
        said = candidate_shares(c.forecast, c.member, c.share)
        bad = c.rest.all_bad
        reach = np.where(c.share > 0, np.divide(bad, c.share, out=np.zeros(n), where=c.share > 0), c.rest.all_total)
        coming = whole_events(said * reach, c.rest.draw)
        attainment -= weight * _share(np.minimum(c.so_far.bad + coming, total), np.broadcast_to(total, said.shape))
    return tuple(
        (name, (1 + int((missed_on_paths(objective, a) & judged).sum())) / (n + 2))
        for name, a in zip(names, attainment, strict=True)
    )
