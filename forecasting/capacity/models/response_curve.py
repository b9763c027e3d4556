"""Share of bad events as a rising function of load ÷ capacity, learnt from the service's own history.

What the curve can claim: in slices of this service that were busier than other slices *of the same hour of day*, this
share of events was bad. Comparing within the hour keeps apart what merely happens later in the day (delays pile up)
from what goes with load. What it cannot claim: that load alone is the cause. Whatever moves together with load inside
an hour (season, weekday, weather, a timetable that avoids bad days) is still in it, a busy slice also harms later
slices (which the curve does not follow), and capacity never changed in the data, so "more capacity acts like less
load" is an assumption. Below the observed range the curve stays level, so it never promises more than was ever seen;
above it, it goes on with its last slope on the logit scale and says so.

References
----------
R. E. Barlow et al. (1972). Statistical Inference under Order Restrictions (monotone regression with weights is the
maximum-likelihood fit of monotone rates). Alternating rates and hour effects: Deming and Stephan (1940).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.base import CapacityModel, positive, quantities, share
from forecasting.terms.catalogue import Resource, ResponseCurveModel
from forecasting.terms.errors import Excuse, InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MINIMUM_SLICES = 200
"""Slices with traffic below which no curve is fitted."""
MINIMUM_RELATION = 0.05
"""Rank correlation (within the hour) of load and bad share below which there is no relation worth using."""
BINS = 20
WEEK = 168
"""Slices of a block of the held-out comparison: a week of hours."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ResponseCurve:
    """A fitted curve: bad share at load ÷ capacity, non-decreasing and strictly inside 0 to 1.

    Load and capacity are in the same unit, the metric's per slice. See the module for what it can claim.

    Examples
    --------
    >>> curve = ResponseCurve(knots=np.array([0.5, 1.0]), logits=np.array([-3.0, -1.0]), slope=4.0, observed_low=0.4,
    ...     observed_high=1.1, slices=500, relation=0.3, log_loss=0.41, log_loss_without=0.43, hours_controlled=True)
    >>> curve.bad_share([30, 40, 60], 40.0).round(3)
    array([0.119, 0.269, 0.731])
    >>> curve.relief([30, 40], 40.0, 40.0)
    array([1., 1.])
    >>> curve.relief([30, 40], 40.0, 50.0).round(3)
    array([0.58 , 0.527])
    >>> curve.extrapolated([30, 60], 40.0)
    array([False,  True])
    """

    knots: NDArray[np.float64]
    """Shape (k,), k ≥ 2: load ÷ capacity, strictly rising."""
    logits: NDArray[np.float64]
    """Shape (k,): ln(bad ÷ good) at the knots, strictly rising."""
    slope: float
    """Slope of the logit beyond the last knot, above 0."""
    observed_low: float
    """Smallest and largest load ÷ capacity seen with traffic."""
    observed_high: float
    slices: int
    """Slices with traffic it was fitted on."""
    relation: float
    """Rank correlation of load and bad share, within the hour of day where that was given, −1 to 1."""
    log_loss: float
    """Held-out log loss per event with load …"""
    log_loss_without: float
    """… and without it (a constant share, per hour of day where that was given)."""
    hours_controlled: bool
    """True where slices were compared within the same hour of day."""
    interval: timedelta | None = None
    name: str = "response_curve"
    recurrent: bool = True

    def bad_share(self, load: ArrayLike, capacity: ArrayLike) -> NDArray[np.float64]:
        """Return the share of bad events, above 0 and below 1, never falling with load.

        Where slices were compared within the hour of day, this is the share at an hour of average effect (weighted
        by traffic); the ratio of two shares, as in `relief`, is the same at every hour.

        Parameters
        ----------
        load : array_like
            Load per slice, 0 or more, metric units.
        capacity : array_like
            Capacity in the same unit, above 0; broadcast against `load`.
        """
        x = self._x(load, capacity)
        inside = np.interp(x, self.knots, self.logits)
        beyond = np.maximum(x - self.knots[-1], 0.0) * self.slope
        # 30 on the logit scale is 1e-13 from certainty: enough, and finite.
        return np.asarray(1.0 / (1.0 + np.exp(-np.minimum(inside + beyond, 30.0))), dtype=np.float64)

    def extrapolated(self, load: ArrayLike, capacity: ArrayLike) -> NDArray[np.bool_]:
        """Return True where load ÷ capacity is above everything that was observed."""
        return np.asarray(self._x(load, capacity) > self.observed_high, dtype=np.bool_)

    def relief(self, load: ArrayLike, capacity_now: float, capacity_new: float) -> NDArray[np.float64]:
        """Return bad share with `capacity_new` ÷ bad share with `capacity_now`, per element of `load`.

        Exactly 1 where both are equal, above 0 and at most 1 where capacity is added, at least 1 where it is taken
        away; never rises with `capacity_new`.
        """
        if capacity_new == capacity_now:
            return np.ones_like(self._x(load, capacity_now))
        return self.bad_share(load, capacity_new) / self.bad_share(load, capacity_now)

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of good events, 0 to 1."""
        return 1.0 - self.bad_share(demand, capacity)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the capacity at which the share `target` is good; infinite where no observed load was that good."""
        x = self._highest(target)
        numbers = quantities("demand", demand)
        return numbers / x if x > 0 else np.where(numbers > 0, np.inf, 0.0)

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the largest load at which the share `target` is good; 0 where no observed load was that good."""
        return float(quantities("capacity", capacity)) * self._highest(target)

    @property
    def check(self) -> str:
        """The held-out comparison in words."""
        gain = 100 * (1 - self.log_loss / self.log_loss_without)
        rival = "the hour of day alone" if self.hours_controlled else "a constant share"
        return (
            f"held-out weeks: log loss {self.log_loss:.4f} with load against {self.log_loss_without:.4f} with {rival} "
            f"({gain:.1f} % lower); rank correlation {self.relation:.2f} over {self.slices} slices"
        )

    def _x(self, load: ArrayLike, capacity: ArrayLike) -> NDArray[np.float64]:
        """Load ÷ capacity, checked."""
        room = quantities("capacity", capacity)
        if not (room > 0).all():
            raise InputError(argument="capacity", came=0.0, allowed="above 0", try_instead="the units in place")
        return np.asarray(quantities("load", load) / room, dtype=np.float64)

    def _highest(self, target: float | None) -> float:
        """Largest load ÷ capacity at which the bad share is at most 1 − target."""
        if target is None:
            return 1.0
        bad = 1.0 - share("target", target)
        logit = float(np.log(bad / (1.0 - bad)))
        if logit < self.logits[0]:
            return 0.0
        if logit <= self.logits[-1]:
            return float(np.interp(logit, self.logits, self.knots))
        return float(self.knots[-1] + (logit - self.logits[-1]) / self.slope)


@dataclass(frozen=True, kw_only=True, eq=False)
class CurveModel:
    """Load against units with a usable limit; the curve, where there is one, says how good service is.

    Examples
    --------
    >>> runway = CurveModel(per_unit=1.0, usable_share=0.85)
    >>> runway.required(None, [34.0]), runway.supported(34.0, None)
    (array([34.]), 34.0)
    """

    per_unit: float = 1.0
    """Metric units that one capacity unit carries in a slice."""
    usable_share: float = 1.0
    """Usable limit as a share of the units in place, on which the curve is drawn."""
    curve: ResponseCurve | None = None
    interval: timedelta | None = None
    name: str = "response_curve"
    recurrent: bool = True

    def service_level(self, capacity: float, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the share of good events at `capacity` usable units; NaN without a curve or capacity."""
        numbers = quantities("demand", demand)
        if self.curve is None or capacity <= 0:
            return np.full_like(numbers, np.nan)
        return self.curve.service_level(capacity / self.usable_share * self.per_unit, numbers)

    def required(self, target: float | None, demand: ArrayLike) -> NDArray[np.float64]:
        """Return the usable units: demand ÷ per-unit at the usable limit, or by the curve for a target."""
        if target is None or self.curve is None:
            return quantities("demand", demand) / self.per_unit
        return self.curve.required(target, demand) / self.per_unit * self.usable_share

    def supported(self, capacity: float, target: float | None) -> float:
        """Return the load at the usable limit, or by the curve for a target."""
        if target is None or self.curve is None:
            return float(quantities("capacity", capacity)) * self.per_unit
        return self.curve.supported(capacity / self.usable_share * self.per_unit, target)


def build(resource: Resource, curve: CapacityModel | Excuse | None) -> CurveModel | Excuse:
    """Return the model of `resource`, or an excuse where it names another kind."""
    if not isinstance(resource.model, ResponseCurveModel):
        return Excuse(
            reason=f"{resource.name} has a {resource.model.kind} model",
            what_would_help="model: {kind: response_curve, good: ..., total: ...}",
        )
    return CurveModel(
        per_unit=positive("perUnit", float(resource.per_unit)),
        usable_share=share("usablePercent", float(resource.usable_share), one_allowed=True),
        curve=curve if isinstance(curve, ResponseCurve) else None,
    )


def fit_response_curve(
    load: NDArray[np.float64],
    bad: NDArray[np.float64],
    total: NDArray[np.float64],
    capacity: float,
    *,
    hour: NDArray[np.int64] | None = None,
) -> ResponseCurve | Excuse:
    """Fit the share of bad events as a non-decreasing function of load ÷ capacity.

    Slices fall into 20 bins of equal traffic by load. The rate of each bin and, where `hour` is given, the effect of
    each hour of day are fitted in turn (bad ≈ total × hour effect × rate of the bin) with the rates kept
    non-decreasing by isotonic regression weighted by traffic; then joined by straight lines on the logit scale.

    Parameters
    ----------
    load, bad, total : ndarray
        Shape (n,), one value per slice in order of time: load, bad events and all events; NaN = not observed.
    capacity : float
        Capacity in the unit of `load` per slice, above 0.
    hour : ndarray, optional
        Shape (n,): local hour of day of each slice. Give it whenever the slices are hours: it removes what is due to
        the time of day.

    Returns
    -------
    ResponseCurve or Excuse
        An excuse where there are fewer than 200 slices with traffic, load hardly varies, bad share does not rise with
        load, or load does not help to predict weeks that were held out.

    Raises
    ------
    InputError
        For arrays of different length, negative counts or more bad events than events.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> load = rng.integers(5, 40, 2000).astype(float)
    >>> bad = rng.binomial(load.astype(int), 1 / (1 + np.exp(4 - 0.1 * load))).astype(float)
    >>> curve = fit_response_curve(load, bad, load, 40.0)
    >>> curve.bad_share([10, 20, 30], 40.0).round(2)
    array([0.05, 0.11, 0.27])
    """
    capacity = positive("capacity", capacity)
    arrays = [np.asarray(v, dtype=np.float64) for v in (load, bad, total)]
    if any(v.ndim != 1 or len(v) != len(arrays[0]) for v in arrays) or (hour is not None and len(hour) != len(load)):
        raise InputError(
            argument="load, bad, total, hour",
            came=tuple(np.shape(v) for v in (load, bad, total, hour) if v is not None),
            allowed="one dimension and one length",
            try_instead="put them on one grid first",
        )
    known = np.isfinite(arrays[0]) & np.isfinite(arrays[1]) & (arrays[2] > 0)
    x, misses, events = (v[known] for v in arrays)
    x = x / capacity
    if len(x) and (x.min() < 0 or misses.min() < 0 or (misses > events).any()):
        raise InputError(
            argument="bad",
            came=(float(x.min()), float(misses.min()), float((misses - events).max())),
            allowed="load 0 or more, bad events between 0 and all events",
            try_instead="check which metric counts good, bad and all events",
        )
    if len(x) < MINIMUM_SLICES:
        return Excuse(
            reason=f"{len(x)} slices with traffic, {MINIMUM_SLICES} needed",
            what_would_help=f"{MINIMUM_SLICES - len(x)} more slices with load, bad and total observed",
        )
    group = np.zeros(len(x), dtype=np.int64) if hour is None else np.asarray(hour)[known].astype(np.int64)
    group = np.unique(group, return_inverse=True)[1]
    low, middle, high = np.quantile(x, (0.1, 0.5, 0.9))
    if high - low < 0.1 * max(middle, 1e-12):
        return Excuse(
            reason=f"load hardly varies: 10 % of slices below {low:.2f}, 90 % below {high:.2f} of capacity",
            what_would_help="history that includes busier and quieter slices",
        )
    if misses.sum() < 10 or (events - misses).sum() < 10:
        return Excuse(
            reason=f"{misses.sum():.0f} bad of {events.sum():.0f} events: no rate can be told apart",
            what_would_help="history with at least ten bad and ten good events",
        )
    relation = _rank_correlation(x, misses / events, events, group)
    where = "" if hour is None else " within the same hour of day"
    if relation < MINIMUM_RELATION or relation * np.sqrt(len(x) - 1) < 1.645:
        return Excuse(
            reason=f"bad share does not rise with load{where}: rank correlation {relation:.2f} over {len(x)} slices",
            what_would_help="another measure of load, or a cause other than load",
        )
    block = np.flatnonzero(known) // (WEEK if len(load) >= 4 * WEEK else max(len(load) // 8, 1))
    train = block % 2 == 0
    with_load, without = _held_out(x, misses, events, group, train)
    if not with_load < without:
        return Excuse(
            reason=f"load does not help to predict held-out weeks{where}: log loss {with_load:.4f} against "
            f"{without:.4f} without it",
            what_would_help="more history, or a cause other than load",
        )
    knots, rates, _ = _monotone_rates(x, misses, events, group, BINS)
    if len(knots) < 2:
        return Excuse(
            reason=f"one rate fits every load{where}", what_would_help="another measure of load, or more history"
        )
    edge = 0.5 / (events.sum() + 1)
    rates = np.clip(rates, edge, 1 - edge)
    logits = np.log(rates / (1 - rates))
    last = slice(-3, None)
    return ResponseCurve(
        knots=knots,
        logits=logits,
        slope=float(np.polyfit(knots[last], logits[last], 1)[0]),
        observed_low=float(x.min()),
        observed_high=float(x.max()),
        slices=len(x),
        relation=relation,
        log_loss=with_load,
        log_loss_without=without,
        hours_controlled=hour is not None,
    )


def _monotone_rates(
    x: NDArray[np.float64],
    bad: NDArray[np.float64],
    total: NDArray[np.float64],
    group: NDArray[np.int64],
    bins: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit bad ≈ total × effect of group × non-decreasing rate of x; return centres and rates of plateaus, effects."""
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(x, kind="stable")
    traffic = np.cumsum(total[order])
    inner = np.searchsorted(traffic, traffic[-1] * np.arange(1, bins) / bins)
    place = np.searchsorted(np.unique(x[order][inner]), x, side="left")
    place = np.unique(place, return_inverse=True)[1]
    mean = bad.sum() / total.sum()
    rate = np.full(int(place.max()) + 1, mean)
    step = np.inf
    for _ in range(500):
        # Effects first: rates before effects would start from what the hour of day makes of them, and may stay there.
        # One event at the mean rate is added to each hour, so that an hour without bad events keeps a finite effect.
        effect = (np.bincount(group, bad) + 1) / (np.bincount(group, total * rate[place]) + 1)
        effect = effect * (total.sum() / (total * effect[group]).sum())
        if step < 1e-6 * mean:
            break
        before = rate
        weight = np.bincount(place, total * effect[group])
        raw = np.bincount(place, bad) / weight
        rate = IsotonicRegression().fit_transform(np.arange(len(raw)), raw, sample_weight=weight)
        step = float(np.max(np.abs(rate - before)))
    # A plateau of the isotonic fit becomes one knot at its traffic-weighted centre, so that rates rise strictly.
    level = np.concatenate(([0], np.cumsum(np.diff(rate) > 1e-9 * mean)))
    slot = level[place]
    width = np.bincount(slot, total)
    centres = np.bincount(slot, total * x) / width
    rates = np.array([rate[level == j][0] for j in range(int(level.max()) + 1)])
    return centres, rates, effect


def _held_out(
    x: NDArray[np.float64],
    bad: NDArray[np.float64],
    total: NDArray[np.float64],
    group: NDArray[np.int64],
    train: NDArray[np.bool_],
) -> tuple[float, float]:
    """Log loss per event of each half predicted from the other, with load and without, both with group effects."""
    losses = {BINS: 0.0, 1: 0.0}
    for bins in losses:
        for learn in (train, ~train):
            knots, rates, seen = _monotone_rates(x[learn], bad[learn], total[learn], group[learn], bins)
            effect = np.ones(int(group.max()) + 1)
            effect[: len(seen)] = seen
            chance = np.interp(x[~learn], knots, rates) * effect[group[~learn]]
            chance = np.clip(chance, 1e-6, 1 - 1e-6)
            miss, all_events = bad[~learn], total[~learn]
            losses[bins] -= float((miss * np.log(chance) + (all_events - miss) * np.log1p(-chance)).sum())
    return losses[BINS] / float(total.sum()), losses[1] / float(total.sum())


def _rank_correlation(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], group: NDArray[np.int64]
) -> float:
    """Spearman-like correlation of ranks taken within each group, weighted by traffic."""
    from scipy.stats import rankdata

    ranks = np.zeros((2, len(x)))
    for g in np.unique(group):
        inside = group == g
        for row, values in enumerate((x, y)):
            ranks[row, inside] = (rankdata(values[inside]) - 0.5) / inside.sum()
            ranks[row, inside] -= np.average(ranks[row, inside], weights=weight[inside])
    spread = np.sqrt(np.average(ranks[0] ** 2, weights=weight) * np.average(ranks[1] ** 2, weights=weight))
    return float(np.average(ranks[0] * ranks[1], weights=weight) / spread) if spread > 0 else 0.0
