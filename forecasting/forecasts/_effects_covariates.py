"""The effects of covariates on one history: chosen out of fold, then estimated on all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts._effects_basis import Usable
from forecasting.forecasts._effects_choose import FIRST_PENALTY, Choice, block_edges, choose, fit, make_design
from forecasting.forecasts._effects_expected import around, deviations, expected_values, offset_of
from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

FAR = 2.5
"""Usual distances (robust standard deviations) from which a slice counts less."""
REFITS = 2
"""Times the expected values are found anew without the effects found so far."""
SAME = 0.999
"""Share of a covariate explained by those before it from which it is declined as a repetition."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CovariateEffects:
    """What the covariates kept do; `parts` are logs of factors or differences, shape (n + H,) each."""

    parts: dict[str, NDArray[np.float64]]
    declined: dict[str, Excuse]
    choice: Choice | None
    shapes: dict[str, str]


def covariate_effects(
    values: NDArray[np.float64],
    touched: NDArray[np.bool_],
    usable: list[Usable],
    *,
    distance: int,
    season: int,
    multiplicative: bool,
) -> CovariateEffects:
    """Choose covariates on `values` (NaN missing, `touched` not compared) and estimate their effects."""
    n = len(values)
    declined: dict[str, Excuse] = {}
    offset = offset_of(values) if multiplicative else 0.0
    expected = expected_values(values, touched, distance, season)
    z, weights = deviations(values, expected, multiplicative=multiplicative, offset=offset)
    weights = np.where(touched, 0.0, weights)
    if not usable or not (weights > 0).any() or not z[weights > 0].any():
        for one in usable:
            declined[one.name] = Excuse(reason="the metric never departs from its season", what_would_help="nothing")
        return CovariateEffects(parts={}, declined=declined, choice=None, shapes={})
    edges = block_edges(n, int((weights > 0).sum()))
    rows, owners = [], []
    for j, one in enumerate(usable):
        past = one.columns[:, :n]
        rows.append(past - around(past, distance, robust=one.flag))
        owners += [j] * len(past)
    starts = np.searchsorted(owners, np.arange(len(usable)))
    deseasoned_all = np.concatenate(rows)
    lines = make_design(z, deseasoned_all[starts], weights, edges)
    trust = _trust(lines.z - fit(lines, list(range(len(starts))), FIRST_PENALTY) @ lines.columns, weights)
    design = make_design(z, deseasoned_all, weights * trust, edges)
    tried: list[int] = []
    for j, one in enumerate(usable):
        excuse = _no_news(design.gram.sum(axis=0), j, starts, tried, one, usable)
        if excuse is None:
            tried.append(j)
        else:
            declined[one.name] = excuse
    options = [[tuple(int(starts[j]) + c for c in shape) for shape in usable[j].shapes] for j in tried]
    choice = choose(design, options)
    for i, j in enumerate(tried):
        if i not in choice.kept:
            gain, noise = choice.gains[i]
            declined[usable[j].name] = Excuse(
                reason=f"saves {gain:.1%} of the error out of fold, more than {noise:.1%} needed"
                if np.isfinite(noise)
                else "too few blocks of history with errors to compare",
                what_would_help="more history, if it does move the metric",
            )
    if not choice.kept:
        return CovariateEffects(parts={}, declined=declined, choice=choice, shapes={})
    use = sorted(column for i in choice.kept for column in choice.shapes[i])
    columns = np.concatenate([one.columns for one in usable])[use]
    deseasoned = deseasoned_all[use]
    everything = list(range(len(use)))
    beta = fit(design, use, choice.penalty)
    for _ in range(REFITS):
        effect = beta @ columns[:, :n]
        clean = values / np.exp(effect) if multiplicative else values - effect
        expected = expected_values(clean, touched, distance, season)
        rest, weights = deviations(clean, expected, multiplicative=multiplicative, offset=offset)
        weights = np.where(touched, 0.0, weights)
        weights *= _trust(rest, weights)
        again = make_design(rest + beta @ deseasoned, deseasoned, weights, edges)
        beta = fit(again, everything, choice.penalty)
    if offset > 0:
        effect = beta @ columns[:, :n]
        expected = expected_values(values / np.exp(effect), touched, distance, season)
        beta = beta * _rescale(np.where(touched, np.nan, values), expected + offset, effect)
    place = {column: k for k, column in enumerate(use)}
    parts, shapes = {}, {}
    for i in choice.kept:
        own = [place[column] for column in choice.shapes[i]]
        name = usable[tried[i]].name
        parts[name] = beta[own] @ columns[own]
        shapes[name] = ("line", "parabola", "line with two bends")[len(own) - 1]
    return CovariateEffects(parts=parts, declined=declined, choice=choice, shapes=shapes)


def _trust(rest: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Huber's weights: slices that nothing explains count as if they lay `FAR` usual distances away."""
    size = np.abs(rest)
    usual = 1.4826 * float(np.median(size[weights > 0]))
    if usual <= 0:
        return np.ones(len(rest))
    return np.asarray(FAR * usual / np.maximum(size, FAR * usual), dtype=np.float64)


def _rescale(values: NDArray[np.float64], expected: NDArray[np.float64], effect: NDArray[np.float64]) -> float:
    """Factor on log effects of a metric with zeros, whose logarithms exaggerate them: a Poisson line.

    Fits values = expected · exp(a + s · effect) and returns s, 0 to 1.5 (Poisson pseudo-likelihood: Gourieroux, Monfort
    and Trognon 1984); right for the mean, whatever the spread.
    """
    use = ~np.isnan(values)
    y, x = values[use], np.stack((np.ones(int(use.sum())), effect[use]))
    if not y.any() or np.ptp(x[1]) == 0:
        return 1.0
    start = np.log(y.sum() / (expected[use] * np.exp(x[1])).sum())
    ab = np.array([start, 1.0])
    for _ in range(6):
        mean = expected[use] * np.exp(np.clip(ab @ x, -20, 20))
        step = np.linalg.solve((x * mean) @ x.T + 1e-12 * mean.sum() * np.eye(2), x @ (y - mean))
        ab = ab + np.clip(step, -0.5, 0.5)
    return float(np.clip(ab[1], 0.0, 1.5))


def _no_news(
    gram: NDArray[np.float64],
    j: int,
    starts: NDArray[np.int64],
    before: list[int],
    one: Usable,
    usable: list[Usable],
) -> Excuse | None:
    """Why a covariate says nothing beside the season and those before it, or None."""
    at = int(starts[j])
    own = float(gram[at, at])
    if own <= 1e-12 * float(np.sum(one.columns[0] ** 2)):
        return Excuse(
            reason="repeats itself with the season exactly, so that its effect is part of the season",
            what_would_help="nothing: the season covers it",
        )
    others = [int(starts[i]) for i in before]
    if not others:
        return None
    cross = gram[others, at]
    block = gram[np.ix_(others, others)]
    weight = np.linalg.lstsq(block, cross, rcond=None)[0]
    if float(cross @ weight) < SAME * own:
        return None
    alike = max(before, key=lambda i: (gram[int(starts[i]), at] ** 2 / gram[int(starts[i]), int(starts[i])], -i))
    return Excuse(
        reason=f"collinear: says the same as {usable[alike].name} and others before it"
        if len(before) > 1
        else f"collinear: says the same as {usable[alike].name}",
        what_would_help="one of the two",
    )
