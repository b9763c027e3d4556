"""What a target would mean: P(met), exposure, what is safe to offer, from the paths of coming windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels._reliance import Link, product_of
from forecasting.service_levels.breach.bar import missed_on_paths
from forecasting.service_levels.credits import credits_on_paths
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk
from forecasting.terms.errors import InputError
from forecasting.terms.negotiation import SafeTarget, SupplyLink, TargetPoint
from forecasting.terms.service_level import Objective

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCES = (0.80, 0.90, 0.95, 0.99)
"""Confidences at which a safe target is offered."""
TIE = 1e-12
"""Attainments of paths (binary numbers) closer than this are taken as equal."""


def whole_windows(risks: Sequence[BreachRisk]) -> tuple[BreachRisk, ...]:
    """Return the risks of windows that have not begun: new terms apply from the next window on."""
    return tuple(r for r in risks if r.period.start >= r.as_of)


def target_curve(
    risks: Sequence[BreachRisk],
    objective: Objective,
    agreement: Agreement | None,
    targets: Sequence[Decimal],
    *,
    windows_known: int,
    supply_ceiling: Fraction | None = None,
) -> tuple[TargetPoint, ...]:
    """Return the curve of targets: a stricter target is never likelier met, since all are judged on the same paths.

    Parameters
    ----------
    risks : sequence of BreachRisk
        Coming whole windows of the objective.
    objective : Objective
        Its rounding rule and rule on ties are kept.
    agreement : Agreement or None
        Its credit tiers move by as much as the target, at most to 1; its fee stays.
    targets : sequence of Decimal
        Shares above 0 and below 1, in any order.
    windows_known : int
        Closed windows behind the statement, for the interval.
    supply_ceiling : Fraction, optional
        What the agreements it relies on allow.

    Raises
    ------
    InputError
        Without windows, or for targets that are no shares.
    """
    _need(risks)
    for target in targets:
        checked_target(target)
    attained = np.concatenate([r.attainment_paths for r in risks])
    loss = np.concatenate([_loss(r, objective, agreement) for r in risks])
    found = []
    for target in sorted(set(targets)):
        judged = replace(objective, target=target)
        missed = missed_on_paths(judged, attained)
        each = missed.reshape(len(risks), -1)
        met = 1.0 - _rate(missed)
        low, high = beta_interval(met, min(float(each.shape[1]), windows_known + 1.0))
        credit = credits_on_paths(moved_tiers(agreement, objective, target), attained, objective=judged)
        exposure = credit + loss
        found.append(
            TargetPoint(
                target=target,
                probability_met=met,
                probability_low=low,
                probability_high=high,
                probability_all=(1 + int((~each).all(axis=0).sum())) / (each.shape[1] + 2),
                credit_mean=float(credit.mean()),
                credit_p95=float(np.quantile(credit, 0.95)),
                exposure_mean=float(exposure.mean()),
                exposure_p95=float(np.quantile(exposure, 0.95)),
                beyond_supply=supply_ceiling is not None and Fraction(target) > supply_ceiling,
            )
        )
    return tuple(found)


def safe_targets(
    risks: Sequence[BreachRisk],
    objective: Objective,
    confidences: Sequence[float] = CONFIDENCES,
    *,
    decimals: int | None = None,
) -> tuple[SafeTarget, ...]:
    """Return for each confidence the strictest target of a contract's precision that is met with it.

    A window counts as any of the coming whole ones, each alike. The target is rounded down, so that what is offered is
    at least as safe as stated; a target never lies above one of a lower confidence.

    Parameters
    ----------
    risks : sequence of BreachRisk
        Coming whole windows of the objective.
    objective : Objective
        Its present target says to how many decimals a contract names it.
    confidences : sequence of float
        Above 0 and below 1.
    decimals : int, optional
        Decimals of the percentage; None = those of the present target and at least 2.

    Raises
    ------
    InputError
        Without windows, or for a confidence that is none.
    """
    _need(risks)
    attained = np.sort(np.concatenate([r.attainment_paths for r in risks]))
    places = decimals if decimals is not None else max(2, _decimals(objective.target))
    found = []
    for confidence in sorted(confidences):
        if not 0 < confidence < 1:
            raise InputError(argument="confidence", came=confidence, allowed="above 0 and below 1", try_instead="0.95")
        # At most so many paths may miss that (1 + missed) / (paths + 2) is still 1 − confidence.
        worse = int((len(attained) + 2) * (1.0 - confidence) + 1e-9) - 1
        if worse < 0:
            found.append(SafeTarget(confidence=confidence, target=None, probability_met=0.0))
            continue
        level = Decimal(float(attained[min(worse, len(attained) - 1)]) + TIE)
        target = min(level, Decimal(1)).quantize(Decimal(1).scaleb(-places - 2), rounding=ROUND_FLOOR)
        if target >= 1:
            target = 1 - Decimal(1).scaleb(-places - 2)  # a promise of 100 % has no budget and is none
        met = 1.0 - _rate(missed_on_paths(replace(objective, target=target), attained)) if target > 0 else 0.0
        found.append(SafeTarget(confidence=confidence, target=target if target > 0 else None, probability_met=met))
    return tuple(found)


def default_targets(asked: Decimal, today: Decimal, safe: Sequence[SafeTarget]) -> tuple[Decimal, ...]:
    """Return targets worth looking at: today's, the one asked about, the safe ones and the steps of whole nines.

    Examples
    --------
    >>> [str(t) for t in default_targets(Decimal("0.9995"), Decimal("0.999"), ())]
    ['0.99', '0.995', '0.999', '0.9995', '0.9999']
    """
    near = {asked, today}
    for base in (Decimal("0.9"), Decimal("0.99"), Decimal("0.999"), Decimal("0.9999"), Decimal("0.99999")):
        half = base + (1 - base) / 2
        near |= {t for t in (base, half) if (1 - t) <= 10 * (1 - today) and (1 - t) >= (1 - max(today, asked)) / 5}
    low = min(asked, today)
    if low < Decimal("0.9"):
        near |= {t for k in range(-4, 5) if 0 < (t := low + k * Decimal("0.02")) < 1}
    near |= {s.target for s in safe if s.target is not None}
    return tuple(sorted(near))


def moved_tiers(agreement: Agreement | None, objective: Objective, target: Decimal) -> Agreement | None:
    """Return the agreement with its credit tiers moved by as much as the target, at most to 1.

    Examples
    --------
    >>> moved_tiers(None, None, Decimal("0.9")) is None
    True
    """
    if agreement is None or agreement.credits is None:
        return agreement
    by = target - objective.target
    tiers = tuple(replace(t, below=min(Decimal(1), t.below + by)) for t in agreement.credits.tiers if t.below + by > 0)
    return replace(agreement, credits=replace(agreement.credits, tiers=tiers))


def supply_of(links: Sequence[Link], target: Decimal) -> tuple[tuple[SupplyLink, ...], Fraction | None, bool]:
    """Return each link with what it would have to hold for `target`, the ceiling of all, and whether it is a product.

    Links whose failures were declared independent multiply; among others the weakest alone bounds the whole.

    Parameters
    ----------
    links : sequence of Link
    target : Decimal

    Returns
    -------
    tuple of (tuple of SupplyLink, Fraction or None, bool)
    """
    if not links:
        return (), None, False
    free = [k for k in links if k.independent]
    tied = [k for k in links if not k.independent]
    product = product_of([k.product for k in free])
    ceiling = min([product, *(k.ceiling for k in tied)])
    found = []
    for link in links:
        if link.independent:
            others = product / link.product if link.product else Fraction(0)
            others = min([others, *(k.ceiling for k in tied)])
            needed = None if others < Fraction(target) or not others else Fraction(target) / (product / link.product)
        else:
            rest = min([product, *(k.ceiling for k in tied if k is not link)], default=Fraction(1))
            needed = None if rest < Fraction(target) else Fraction(target)
        held = link.product if link.independent else link.ceiling
        found.append(
            SupplyLink(
                agreements=link.names, promised=_decimal(held), needed=None if needed is None else _decimal(needed)
            )
        )
    return tuple(found), ceiling, bool(free)


def checked_target(target: Decimal) -> Decimal:
    """Return a target that is a share above 0 and below 1.

    Raises
    ------
    InputError
        Where it is not.

    Examples
    --------
    >>> checked_target(Decimal("0.995"))
    Decimal('0.995')
    """
    if not (target.is_finite() and 0 < target < 1):
        percent = f"{target / 100:f}" if target.is_finite() and 1 <= target < 100 else "0.999"
        raise InputError(
            argument="target", came=str(target), allowed="a share above 0 and below 1", try_instead=percent
        )
    return target


def beta_interval(probability: float, evidence: float) -> tuple[float, float]:
    """Return the 90 % interval of a probability that rests on so many windows (Jeffreys).

    Examples
    --------
    >>> low, high = beta_interval(0.9, 36)
    >>> round(low, 2), round(high, 2)
    (0.79, 0.96)
    """
    from scipy.stats import beta

    a, b = probability * evidence + 0.5, (1 - probability) * evidence + 0.5
    low, high = (float(beta.ppf(q, a, b)) for q in (0.05, 0.95))
    return min(low, probability), max(high, probability)


def _rate(missed: NDArray[np.bool_]) -> float:
    """P(miss) by the rule of `BreachRisk.probability`."""
    return (1 + int(missed.sum())) / (missed.size + 2)


def _loss(risk: BreachRisk, objective: Objective, agreement: Agreement | None) -> NDArray[np.float64]:
    """Business loss on each path: the cost less the credits of today's terms."""
    if risk.cost_paths is None:
        return np.zeros(len(risk.attainment_paths))
    credit = credits_on_paths(agreement, risk.attainment_paths, objective=objective)
    return np.maximum(risk.cost_paths - credit, 0.0)


def _decimals(target: Decimal) -> int:
    """Decimals of a target written as a percentage."""
    exponent = (100 * target).normalize().as_tuple().exponent
    assert isinstance(exponent, int), "a target is finite"
    return max(0, -exponent)


def _decimal(share: Fraction) -> Decimal:
    """A share to ten decimals."""
    return (Decimal(share.numerator) / Decimal(share.denominator)).quantize(Decimal(1).scaleb(-10))


def _need(risks: Sequence[BreachRisk]) -> None:
    if not risks:
        raise InputError(
            argument="risks", came="none", allowed="at least one coming whole window", try_instead="a longer horizon"
        )
