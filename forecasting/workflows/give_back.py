"""What is left of a resource when units are given back: the last year's load, grown, on fewer units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.capacity.models import CAPACITY_MODELS
from forecasting.history.calendar import local_starts
from forecasting.proposals.base import Change, GiveBack
from forecasting.service_levels.breach.bar import bar_of
from forecasting.service_levels.breach.simulate import stable_seed
from forecasting.terms.breach import BreachRisk
from forecasting.terms.catalogue import Resource
from forecasting.terms.errors import Excuse
from forecasting.terms.history import Series
from forecasting.terms.service_level import Objective, ThresholdIndicator
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.outlook import windows_known

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from forecasting.workflows.plan import Outlooks
    from forecasting.workflows.prepare import Promise

YEAR = 364
"""Days of the replayed year: whole weeks, so that weekdays stay where they were."""
GROWTH_DAYS = 56
"""Days compared with the same days a year before."""
FEWEST_DAYS = 14
HELD_YEARS = 2
"""Years within which units given back must not be needed again."""
GROWTHS = 200
"""Growth factors that are looked at."""
KNOWN_BY_THEORY = ("erlang_c", "erlang_a", "erlang_b", "ggc", "time_varying")
"""Models that say what happens at any use, so that use beyond what was seen is no guess."""
RELATED = 0.3
"""Rank correlation from which a threshold metric counts as driven by load."""
HIGHEST_USE = 0.97
"""Use above which a queue no longer settles; load beyond it is as bad as load there."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Year:
    """The last year's use of a resource, and by how much it may be above it while units stay given back."""

    use: NDArray[np.float64]
    """Demand a slice, shape (slices,)."""
    month: NDArray[np.int64]
    """Month of the year of each slice, 0 to 11: the year's two ends make one whole month together."""
    growths: NDArray[np.float64]
    """Factor after `HELD_YEARS` on each path, shape (GROWTHS,)."""


def year_of(series: Series, daily: Series, *, seed: int) -> _Year | Excuse:
    """Return the last year of use, and its growth: the last eight weeks against the same weeks a year before.

    The growth is uncertain by as much as it differed from week to week.

    Parameters
    ----------
    series : Series
        Use at its own step.
    daily : Series
        The same per local day.
    seed : int
    """
    values = daily.values
    days = min(GROWTH_DAYS, len(values) - YEAR) // 7 * 7
    if days < FEWEST_DAYS:
        return Excuse(
            reason=f"{len(values)} days of use, {YEAR + FEWEST_DAYS} needed to know a year and its growth",
            what_would_help=f"{YEAR + FEWEST_DAYS - len(values)} more days of history",
        )
    now = values[len(values) - days :].reshape(-1, 7)
    then = values[len(values) - YEAR - days : len(values) - YEAR].reshape(-1, 7)
    known = np.isfinite(now) & np.isfinite(then) & (then > 0)
    sums = [np.where(known, x, 0.0).sum(axis=1) for x in (now, then)]
    weeks = (sums[0] > 0) & (sums[1] > 0)
    if weeks.sum() < 2:
        return Excuse(reason="no use a year ago to compare with", what_would_help="a year of history with use in it")
    steps = np.log(sums[0][weeks] / sums[1][weeks])
    spread = float(steps.std(ddof=1)) / float(np.sqrt(weeks.sum()))
    random = np.random.default_rng(stable_seed(seed, "growth", series.service, series.metric.name))
    overall = float(np.log(sums[0][weeks].sum() / sums[1][weeks].sum()))
    growths = np.exp(HELD_YEARS * overall + np.sqrt(HELD_YEARS) * spread * random.standard_normal(GROWTHS))
    starts = local_starts(series)
    recent = starts > starts[-1] - np.timedelta64(YEAR, "D")
    month = starts[recent].astype("datetime64[M]").astype(np.int64)
    return _Year(
        use=np.nan_to_num(series.values[recent], nan=0.0),
        month=month % 12,
        growths=np.maximum(growths, 1.0),  # units are not given back because less is hoped for
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class SaturationLaw:
    """A metric that rises with use as a queue does: floor + slope × u ÷ (1 − u), and what is left scatters.

    Examples
    --------
    >>> law = SaturationLaw(floor=90.0, slope=210.0, ratios=np.ones(10), highest=0.3)
    >>> law.above(np.array([0.5, 0.6]), 350.0)
    array([0., 1.])
    """

    floor: float
    slope: float
    ratios: NDArray[np.float64]
    """Observed ÷ expected, sorted."""
    highest: float
    """Highest use that was observed."""
    slope_error: float = 0.0
    """Standard error of the slope, as weeks differ from each other; the line turns about its middle."""
    middle: float = 0.0
    """Mean of u ÷ (1 − u) in the history."""

    def above(self, use: NDArray[np.float64], limit: float, error: float = 0.0) -> NDArray[np.float64]:
        """Return P(metric ≥ limit) at each use, 0 to 1, with the slope `error` standard errors steeper."""
        u = np.minimum(use, HIGHEST_USE)
        x = u / (1.0 - u)
        expected = self.floor + self.slope * x + error * self.slope_error * (x - self.middle)
        expected = np.maximum(expected, self.floor)
        found = np.searchsorted(self.ratios, limit / expected, side="left")
        return np.asarray(1.0 - found / len(self.ratios), dtype=np.float64)


def saturation_law(use: NDArray[np.float64], values: NDArray[np.float64]) -> SaturationLaw | Excuse:
    """Fit how a metric rises with use, by least squares on u ÷ (1 − u); an excuse where it does not.

    Source: waiting grows as u ÷ (1 − u) in a single-server queue (Gross et al., Fundamentals of Queueing Theory, 2).
    """
    from scipy.stats import spearmanr

    known = np.isfinite(use) & np.isfinite(values) & (use < HIGHEST_USE) & (use >= 0) & (values > 0)
    if known.sum() < 200:
        return Excuse(reason=f"{known.sum()} slices with use and metric, 200 needed", what_would_help="more history")
    u, y = use[known], values[known]
    relation = float(spearmanr(u, y).statistic)
    x = u / (1.0 - u)
    slope, floor = (float(c) for c in np.polyfit(x, y, 1))
    if not relation >= RELATED or slope <= 0 or floor + slope * x.min() <= 0:
        return Excuse(
            reason=f"it does not rise with use: rank correlation {relation:.2f} over {len(u)} slices",
            what_would_help="another measure of load",
        )
    return SaturationLaw(floor=floor, slope=slope, ratios=np.sort(y / (floor + slope * x)), highest=float(u.max()))


class GivingBack:
    """Answers what is left of the resources of a run when units are given back; each answer is kept."""

    def __init__(self, run: Outlooks) -> None:
        self._run = run
        self._known: dict[tuple[str, Decimal], GiveBack | Excuse] = {}
        self._years: dict[str, _Year | Excuse] = {}
        self._laws: dict[tuple[str, str, str], SaturationLaw | Excuse] = {}

    def __call__(self, resource: Resource, units: Decimal) -> GiveBack | Excuse:
        """Return what is left of a resource when units are given back.

        Beside the units given back one purchase step is counted as down, or the units that are kept free for failures
        where these are declared. An objective counts by P(met) in its hardest window: of metrics that rise with load
        by the replayed year on what is left; of ratios with a response curve by the simulation of the coming windows
        without the units; of the others by the simulation as it stands.
        """
        key = (resource.name, units)
        if key not in self._known:
            self._known[key] = self._tried(resource, units)
        return self._known[key]

    def _tried(self, resource: Resource, units: Decimal) -> GiveBack | Excuse:
        run = self._run
        year = self._year(resource)
        if isinstance(year, Excuse):
            return year
        build = CAPACITY_MODELS.get(resource.model.kind)
        if build is None:
            return Excuse(reason=f"no model {resource.model.kind}", what_would_help="another model")
        curve = next((e.curve for e in run.effects if e.resource.name == resource.name), None)
        model = build(resource, curve)
        if isinstance(model, Excuse):
            return model
        spare = resource.redundant_units or resource.step_units
        left = resource.units_now - units
        usable = (left - spare) * resource.usable_share
        if usable <= 0:
            return Excuse(
                reason=f"nothing would be left of {resource.units_now.normalize():f} {resource.unit} with "
                f"{spare.normalize():f} down",
                what_would_help="fewer units given back",
            )
        peaks = year.use.max() * year.growths
        enough = float((peaks < model.supported(float(usable), None)).mean())
        peak = float(model.required(None, [float(np.quantile(peaks, 0.99))])[0])
        found = [
            (f"a peak of {peak:.4g} of {usable.normalize():f} usable {resource.unit}", enough),
            *self._objectives(resource, units, float(left - spare), year),
        ]
        met = min((p for _, p in found[1:]), default=1.0)
        binding = min(found, key=lambda item: item[1])
        return GiveBack(
            units=units,
            spare=spare,
            probability_met=met,
            probability_enough=enough,
            peak_use=peak,
            usable=usable,
            binding=f"{binding[0]}: P = {binding[1]:.1%}",
            unseen=self._unseen(resource, float(left), peak),
            modelled=self._modelled(resource),
        )

    def _year(self, resource: Resource) -> _Year | Excuse:
        if resource.name not in self._years:
            prepared = self._run.prepared
            use = prepared.history.get(resource.metric_service, resource.metric)
            daily = prepared.daily.get((resource.metric_service, resource.metric))
            self._years[resource.name] = (
                Excuse(reason=f"no data of {resource.metric}", what_would_help=f"ingest {resource.metric}")
                if use is None or daily is None
                else year_of(use, daily, seed=prepared.settings.seed)
            )
        return self._years[resource.name]

    def _objectives(self, resource: Resource, units: Decimal, left: float, year: _Year) -> list[tuple[str, float]]:
        """Return P(met) of every objective of the services that the resource serves, with its name."""
        found = []
        for promise, outlook in self._run.promises:
            objective = promise.objective
            if objective.service not in resource.services or not outlook.risks:
                continue
            name = f"{objective.service} {objective.name} at {(100 * objective.target).normalize():f} %"
            by_law = self._by_law(objective, resource, left, year)
            if by_law is not None:
                found.append((name, by_law))
                continue
            found.append(
                (name, 1.0 - max(r.probability for r in self._without(promise, outlook.risks, resource, units)))
            )
        return found

    def _without(
        self, promise: Promise, risks: tuple[BreachRisk, ...], resource: Resource, units: Decimal
    ) -> Sequence[BreachRisk]:
        """Return the coming windows without the units, where a response curve says what they do."""
        run = self._run
        acts = [e for e in run.effects if e.resource.name == resource.name]
        if not any(e.acts_on(promise.objective.service, promise.objective.indicator) for e in acts):
            return risks
        change = Change(resource=resource, units=-units, in_use_from=_today(run, promise.objective))
        simulation = Simulation(run.fleet, demand=run.demand, effects=run.effects, extra=change)
        known = windows_known(promise, as_of=run.prepared.as_of)
        again = promise_risks(promise, simulation, windows_known=known, basis="with fewer units on the same paths")
        return risks if isinstance(again, Excuse) else again

    def _by_law(self, objective: Objective, resource: Resource, left: float, year: _Year) -> float | None:
        """Return P(every month of the replayed year is met), lowest month; None where load does not drive it."""
        indicator = objective.indicator
        if not isinstance(indicator, ThresholdIndicator) or indicator.op not in {"lt", "lte"}:
            return None
        key = (resource.name, objective.service, indicator.metric)
        if key not in self._laws:
            self._laws[key] = self._fitted(resource, objective.service, indicator.metric)
        law = self._laws[key]
        if isinstance(law, Excuse):
            return None
        capacity = left * float(resource.per_unit)
        bar = bar_of(objective.target)
        months = np.unique(year.month)
        met = np.ones((len(months), len(year.growths)))
        seed = stable_seed(self._run.prepared.settings.seed, "law", *key)
        errors = np.random.default_rng(seed).standard_normal(len(year.growths))
        for k, (growth, error) in enumerate(zip(year.growths, errors, strict=True)):
            above = law.above(year.use * growth / capacity, float(indicator.limit), float(error))
            met[:, k] = [not bool(bar.missed(np.array([1.0 - above[year.month == m].mean()]))[0]) for m in months]
        return float(met.mean(axis=1).min())

    def _fitted(self, resource: Resource, service: str, metric: str) -> SaturationLaw | Excuse:
        history = self._run.prepared.history
        use, values = history.get(resource.metric_service, resource.metric), history.get(service, metric)
        if use is None or values is None or use.step != values.step:
            return Excuse(reason="no data at one step", what_would_help="use and metric at one step")
        first = max(use.start, values.start)
        skip = [(first - s.start) // s.step for s in (use, values)]
        length = min(len(use) - skip[0], len(values) - skip[1])
        if length <= 0:
            return Excuse(reason="no common slices", what_would_help="use and metric of the same time")
        a, b = use.values[skip[0] : skip[0] + length], values.values[skip[1] : skip[1] + length]
        return saturation_law(a / float(resource.units_now * resource.per_unit), b)

    def _modelled(self, resource: Resource) -> bool:
        """Say whether it is known what use beyond what was seen does to any promise."""
        return (
            resource.model.kind in KNOWN_BY_THEORY
            or any(e.resource.name == resource.name for e in self._run.effects)
            or any(key[0] == resource.name and isinstance(law, SaturationLaw) for key, law in self._laws.items())
        )

    def _unseen(self, resource: Resource, left: float, peak: float) -> str:
        """Say where fewer units would be used more than was ever observed, and no relation with bad events is known."""
        if any(e.resource.name == resource.name for e in self._run.effects):
            return ""
        year = self._year(resource)
        if isinstance(year, Excuse):
            return ""
        seen = float(year.use.max()) / float(resource.per_unit * resource.units_now)
        coming = peak / left
        if coming <= seen:
            return ""
        return (
            f"use would reach {coming:.0%} where at most {seen:.0%} was seen; bad events showed no relation with load "
            "up to there"
        )


def _today(run: Outlooks, objective: Objective) -> date:
    from forecasting.history.calendar import zone_of

    return run.prepared.as_of.astimezone(zone_of(objective.window.zone)).date()
