"""How far the level of badness carries: the share of bad of a coming span, regressed on past levels of the group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecasting.service_levels.breach.shares import KNOWN_SHARE, ShareHistory, Span, count_odds, share_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_LIVES = (0.25, 1.0, 3.0, 9.0)
"""Half-lives of the past levels, in lengths of the window; the level of all history stands beside them."""
MEMORY = 4.0
"""Age of an origin, in lengths of the window, at which it counts half."""
MOST_ORIGINS = 160
_STRIDES = 8
_FEWEST_ORIGINS = 4
_PRIOR_SPANS = 10.0
"""Spans with which the spread of all services counts beside a service's own."""
_OWN_SPANS = 8.0
"""Own spans at which a service's own errors count as much as those of the group."""
_PRIOR_ERRORS = 50.0
"""Independent errors with which a normal distribution counts beside the errors seen."""
_PRIOR_BIAS = 100.0
"""Independent errors at which half of their mean is believed."""
_WORSE = 0.5
"""How much worse than the worst span so far a span can be, log-odds."""
_ENOUGH_SPANS = 12.0
"""Past spans from which on the worst of them says how bad a span can be; with fewer, two spreads do where they are
more."""
_KERNEL = 0.08
"""Width of the logistic kernel that smooths the errors, in standard deviations."""
_QUANTILES = 200
_SUPPORT = 65
_REACH = 6.0
"""Spreads on either side of the centre within which the distribution is held."""
_UNKNOWN_SCALE = 1.0
"""Scale of the logistic distribution around the long-run log-odds where nothing can be learnt yet."""


@dataclass(frozen=True, kw_only=True)
class Regression:
    """How the levels are combined."""

    bounded: bool
    """True: weights of the levels are not negative and sum to at most 1, so that nothing is extrapolated. False: free
    weights of the differences between levels (a trend may go on)."""
    penalty: float
    """Ridge penalty, in independent observations."""
    prior: float
    """Weight of the shortest level before anything is learnt."""


BOUNDED = Regression(bounded=True, penalty=2.0, prior=0.8)
TREND = Regression(bounded=False, penalty=30.0, prior=0.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ShareFit:
    """Predictive distribution of the share of bad of a span, of every member."""

    center: NDArray[np.float64]
    """Shape (members,): log-odds predicted."""
    spread: NDArray[np.float64]
    """Shape (members,): standard deviation of the error, log-odds."""
    total: NDArray[np.float64]
    """Shape (members,): events expected in the span."""
    own_errors: NDArray[np.float64]
    """Shape (members, origins): past errors ÷ spread."""
    own_mass: NDArray[np.float64]
    """Shape (members, origins): their weights, each row summing to 1 (or 0)."""
    own_weight: NDArray[np.float64]
    """Shape (members,): weight of a member's own errors against the group's, 0 to 1."""
    errors: NDArray[np.float64]
    """Quantiles of the errors of the group at even levels; empty = nothing could be learnt."""
    bias: float
    """Mean of the errors: below 0 where most spans are better than the long run and a few far worse."""
    width: float
    """Standard deviation of the errors around their mean."""
    worst: NDArray[np.float64]
    """Shape (members,): log-odds that are never exceeded."""
    independent: float
    """How many independent errors they stand for."""
    spans: float
    """Past spans without overlap."""

    def exceed(self, share: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return P(share of bad of the span > `share`), shape (members, n) as `share`; it never rises with `share`."""
        total = self.total[:, None]
        away = count_odds(np.clip(share, 0.0, 1.0) * total, total) - self.center[:, None]
        if not len(self.errors):
            return _beyond(share, 1.0 - _logistic(away / _UNKNOWN_SCALE))
        from scipy.special import ndtr

        q = away / self.spread[:, None]
        seen = 1.0 - _logistic((q[..., None] - self.errors) / _KERNEL)
        group = (self.independent * seen.mean(axis=-1) + _PRIOR_ERRORS * ndtr((self.bias - q) / self.width)) / (
            self.independent + _PRIOR_ERRORS
        )
        own = np.empty_like(q)
        for k in range(q.shape[1]):  # one threshold at a time, to keep the arrays small
            own[:, k] = ((1.0 - _logistic((q[:, k, None] - self.own_errors) / _KERNEL)) * self.own_mass).sum(axis=1)
        weight = self.own_weight[:, None]
        mixed = weight * own + (1.0 - weight) * group
        mixed = np.where(q * self.spread[:, None] + self.center[:, None] >= self.worst[:, None], 0.0, mixed)
        return _beyond(share, mixed)

    def support(self) -> NDArray[np.float64]:
        """Return shares between which the distribution may be taken as straight, shape (members, points)."""
        total = self.total[:, None]
        shape = np.sinh(np.linspace(-3.0, 3.0, _SUPPORT)) / np.sinh(3.0) * _REACH
        around = share_at(self.center[:, None] + self.spread[:, None] * shape, total)
        limit = share_at(np.minimum(self.worst, 30.0)[:, None] + np.array([-1e-6, 0.0]), total)
        return np.concatenate((around, limit), axis=1)


def fit_shares(history: ShareHistory, span: Span, how: Regression) -> ShareFit:
    """Learn the distribution of the share of bad of a span from every past origin of all members together.

    At each origin the log-odds of the span that lay as far ahead and was as long are regressed on the levels known
    then: recency-weighted ones at four half-lives, the share of the same time a year before and the group's means of
    these, all relative to the long-run level. Services whose level varies more weigh less. Members share weights, not
    levels. The errors left over, each in units of its service's spread, are the distribution: those of the group with
    the service's own, and a normal one as far as the errors of the group are few or common to all. Half as bad
    again as the worst span so far is the limit.

    Parameters
    ----------
    history : ShareHistory
    span : Span
    how : Regression

    Returns
    -------
    ShareFit

    Notes
    -----
    Ridge regression towards a prior: Hoerl and Kennard, Technometrics 12 (1970) 55-67; non-negative weights: Lawson
    and Hanson, Solving Least Squares Problems (1974), ch. 23. The number of independent errors is that of the spans
    times the design effect of the services (Kish, Survey Sampling, 1965).

    Examples
    --------
    >>> n = 400
    >>> total = np.full((1, n), 100.0)
    >>> steady = ShareHistory(bad=np.full((1, n), 5.0), total=total, known=total > 0, year=364, week=7, block=3,
    ...                       full=365)
    >>> fit = fit_shares(steady, Span(elapsed=0, gap=0, length=28), BOUNDED)
    >>> fit.exceed(np.array([[0.02, 0.10]])).round(2).tolist()
    [[1.0, 0.0]]
    """
    known = history.sums[2]
    now, window = history.slices, span.window
    ahead = span.gap + span.length
    first = max(2, min(window, now // 4))
    stride = max(1, window // _STRIDES)
    origins = np.arange(now - ahead, first, -stride)[:MOST_ORIGINS]
    expected = history.coming(span).sum(axis=1)
    levels = _levels(history, window)
    here = np.array([now])
    if len(origins) < _FEWEST_ORIGINS:
        return _unlearnt(levels[-1], here, expected)
    inputs, base = _inputs(history, span, levels, origins)
    later = _span_odds(history, origins + span.gap, span.length)
    y = later - base
    there = known[:, origins + ahead] - known[:, origins + span.gap]
    enough = there >= KNOWN_SHARE * span.length * history.usual[:, None]
    enough &= known[:, origins] >= max(2, min(window, 14 if history.week > 1 else 6))
    weight = enough * 0.5 ** ((origins[0] - origins) / (MEMORY * window))[None, :]
    if weight.sum() <= 0:
        return _unlearnt(levels[-1], here, expected)
    spans = max(1.0, len(origins) * stride / max(span.length, stride))
    own_spans = weight.sum(axis=1) * stride / max(span.length, stride)
    spread = _spread(weight, y, own_spans)
    scaled = weight * (weight * y**2).sum() / weight.sum() / spread[:, None] ** 2
    members = max(1.0, float((weight > 0).sum(axis=0).mean()))
    beta = _solve(inputs, y, scaled, how, spans, _independent(spans, members, scaled, y, weight))
    error = y - inputs @ beta
    own = _spread(weight, error, own_spans)
    newest, base_now = _inputs(history, span, levels, here)
    errors = error / own[:, None]
    mass = weight.sum(axis=1, keepdims=True)
    independent = _independent(spans, members, scaled, error, weight)
    # The mean of a few errors is mostly chance: it is drawn to 0.
    bias = float((weight * errors).sum() / weight.sum()) * independent / (independent + _PRIOR_BIAS)
    width = float(np.sqrt((weight * (errors - bias) ** 2).sum() / weight.sum()))
    return ShareFit(
        center=base_now[:, 0] + (newest @ beta)[:, 0],
        spread=own,
        total=expected,
        own_errors=errors,
        own_mass=np.divide(weight, mass, out=np.zeros_like(weight), where=mass > 0),
        own_weight=own_spans / (own_spans + _OWN_SPANS),
        errors=_weighted_quantiles(errors.ravel(), weight.ravel()),
        bias=bias,
        width=max(width, 0.1),
        worst=_worst(np.where(enough, later, -np.inf).max(axis=1), base_now[:, 0], own, spans),
        independent=independent,
        spans=spans,
    )


def _unlearnt(
    long_run: tuple[NDArray[np.float64], NDArray[np.float64]], here: NDArray[np.int64], expected: NDArray[np.float64]
) -> ShareFit:
    """Return the long-run level with a wide spread: too short a past."""
    center = count_odds(long_run[0][:, here[0]], long_run[1][:, here[0]])
    none = np.zeros((len(center), 0))
    return ShareFit(
        center=center,
        spread=np.ones_like(center),
        total=expected,
        own_errors=none,
        own_mass=none,
        own_weight=np.zeros_like(center), errors=np.zeros(0), bias=0.0, width=1.0,
        worst=np.full_like(center, np.inf), independent=0.0, spans=0.0,
    )  # fmt: skip


def _worst(
    seen: NDArray[np.float64], base: NDArray[np.float64], spread: NDArray[np.float64], spans: float
) -> NDArray[np.float64]:
    """Return the log-odds that a span does not exceed."""
    reach = base + 2.0 * spread
    known = np.where(np.isfinite(seen), seen, reach)
    return np.asarray((known if spans >= _ENOUGH_SPANS else np.maximum(known, reach)) + _WORSE, dtype=np.float64)


def _levels(history: ShareHistory, window: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return recency-weighted bad and total before each slice, shortest memory first, all of history last."""
    bad, total, _ = history.sums
    return [*(history.faded(half_life * window) for half_life in HALF_LIVES), (bad, total)]


def _span_odds(history: ShareHistory, start: NDArray[np.int64], length: int) -> NDArray[np.float64]:
    """Return the log-odds over [start, start + length), shape (members, starts)."""
    bad, total, _ = history.sums
    return count_odds(bad[:, start + length] - bad[:, start], total[:, start + length] - total[:, start])


def _inputs(
    history: ShareHistory,
    span: Span,
    levels: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    origins: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is known at origins, shape (members, origins, inputs), and the long-run log-odds.

    First each level relative to the long run, then last year's same span, then the group's means of all of these.
    """
    base = count_odds(levels[-1][0][:, origins], levels[-1][1][:, origins])
    found = [count_odds(bad[:, origins], total[:, origins]) - base for bad, total in levels[:-1]]
    # Of a span that ends more than a year ahead, the last one known at the origin.
    years = -(-(span.gap + span.length) // history.year)
    then = origins + span.gap - years * history.year
    there = np.maximum(then, 0)
    long_run = count_odds(levels[-1][0][:, there], levels[-1][1][:, there])
    found.append(np.where(then >= 0, _span_odds(history, there, span.length) - long_run, 0.0))
    if history.members > 2:
        has = history.sums[2][:, origins] > 0
        count = np.maximum(has.sum(axis=0), 1)
        found += [np.broadcast_to(np.where(has, x, 0.0).sum(axis=0) / count, x.shape) for x in found]
    return np.stack(found, axis=-1), base


def _spread(
    weight: NDArray[np.float64], error: NDArray[np.float64], own_spans: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return each member's root mean square error, drawn to that of the group."""
    squares = (weight * error**2).sum(axis=1)
    group = max(float(squares.sum() / weight.sum()), 1e-6)
    own = squares / np.maximum(weight.sum(axis=1), 1e-9)
    drawn = (own * own_spans + _PRIOR_SPANS * group) / (own_spans + _PRIOR_SPANS)
    return np.asarray(np.sqrt(drawn), dtype=np.float64)


def _independent(
    spans: float,
    members: float,
    weight: NDArray[np.float64],
    error: NDArray[np.float64],
    judged: NDArray[np.float64],
) -> float:
    """Return how many independent errors there are: spans × members ÷ (1 + (members − 1) × what is common)."""
    if members <= 1:
        return spans
    column = weight.sum(axis=0)
    mean = np.divide((weight * error).sum(axis=0), column, out=np.zeros_like(column), where=column > 0)
    whole = float((weight * error**2).sum() / max(weight.sum(), 1e-12))
    common = float((column * mean**2).sum() / max(column.sum(), 1e-12))
    alone = 1.0 / max(1.0, float((judged > 0).sum(axis=0).mean()))  # what the mean of independent errors varies
    share = float(np.clip((common / max(whole, 1e-12) - alone) / (1.0 - alone + 1e-9), 0.0, 1.0))
    return spans * members / (1.0 + (members - 1.0) * share)


def _solve(
    inputs: NDArray[np.float64],
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    how: Regression,
    spans: float,
    independent: float,
) -> NDArray[np.float64]:
    """Return the weights of the inputs, shape (inputs,)."""
    count = inputs.shape[-1]
    # A group's means move once a span however many services it has, so that they are held tighter.
    own = count if count == len(HALF_LIVES) + 1 else count // 2
    turn = np.eye(count)
    if not how.bounded:  # differences of neighbouring levels instead of the levels themselves
        for part in range(count // own):
            at = part * own
            for k in range(len(HALF_LIVES) - 1):
                turn[at + k + 1, at + k] = -1.0
    x = (inputs @ turn).reshape(-1, count)
    w, target = weight.ravel(), y.ravel()
    scale = np.sqrt((w[:, None] * x**2).sum(axis=0) / w.sum()) + 1e-9
    x = x / scale
    gram = (x * w[:, None]).T @ x / w.sum()
    moment = (x * w[:, None]).T @ target / w.sum()
    strength = (np.trace(gram) / count + 1e-9) * np.concatenate(
        (np.full(own, how.penalty / independent), np.full(count - own, how.penalty / spans))
    )
    prior = np.zeros(count)
    prior[0] = how.prior * scale[0]
    gram = gram + np.diag(strength)
    moment = moment + strength * prior
    if not how.bounded:
        return np.asarray(turn @ (np.linalg.solve(gram, moment) / scale), dtype=np.float64)
    from scipy.optimize import nnls

    root = np.linalg.cholesky(gram + 1e-9 * np.eye(count))
    beta = nnls(root.T, np.linalg.solve(root, moment))[0] / scale
    return np.asarray(beta / max(1.0, float(beta.sum())), dtype=np.float64)


def _weighted_quantiles(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return quantiles at even levels."""
    order = np.argsort(values, kind="stable")
    mass = np.cumsum(weight[order])
    at = np.searchsorted(mass, np.linspace(0.0025, 0.9975, _QUANTILES) * mass[-1])
    return np.asarray(values[order][np.minimum(at, len(values) - 1)], dtype=np.float64)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))), dtype=np.float64)


def _beyond(share: NDArray[np.float64], probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return P(> share): certain below 0, impossible from 1 on."""
    return np.asarray(np.where(share < 0, 1.0, np.where(share >= 1, 0.0, probability)), dtype=np.float64)
