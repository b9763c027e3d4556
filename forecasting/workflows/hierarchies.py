"""Forecasts that add up where the catalogue says that services do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.context import main_season, seasons_of
from forecasting.forecasts.engine import ForecastTask, forecast_quantiles, learn
from forecasting.forecasts.hierarchy import MIN_ORIGINS, forecast_hierarchy, shared_errors
from forecasting.forecasts.pooled import LEAST_LEARNT, POOLED
from forecasting.history.calendar import series_end
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse
from forecasting.terms.explanation import Explanation
from forecasting.terms.forecast import Forecast, ModelChoice
from forecasting.terms.hierarchy import DeclaredTree, Hierarchy, Reconciliation, trees_of
from forecasting.terms.history import Series
from forecasting.workflows.planned_events import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

Key = tuple[str, str]
Answers = dict[Key, Forecast | Excuse]
BOTTOM_UP = "bottom_up"
"""Model of a total that is the sum of its parts' forecasts."""
MOST_ORIGINS = 24
"""Past origins at which all series of a tree are forecast, at most, so as to see how they err together."""
MOST_REFITS = 8
"""The same where every origin means fitting models anew."""
MOST_PAST = 4000
"""Forecasts at past origins of all series of a tree, about; large trees make do with fewer origins."""
PAST_PATHS = 200
"""Paths of a forecast at a past origin, of which only the median is looked at."""


def trees_with(catalogue: Catalogue, keys: Iterable[Key]) -> tuple[DeclaredTree, ...]:
    """Return the declared trees that any of the series belongs to.

    Examples
    --------
    >>> trees_with(Catalogue(name="c"), [("shop", "orders")])
    ()
    """
    if not catalogue.hierarchies:
        return ()
    wanted = set(keys)
    return tuple(tree for tree in trees_of(catalogue.hierarchies) if wanted & set(tree.keys))


def add_up(
    answers: Mapping[Key, Forecast | Excuse],
    trees: Sequence[DeclaredTree],
    *,
    series: Mapping[Key, Series],
    task: ForecastTask,
    countries: Mapping[str, str],
) -> Answers:
    """Return the answers with every tree adding up, path by path, and saying so.

    A total without a forecast of its own is made from its parts. Where a part has none, or the slices are not the
    same, a tree is left as it was, and every forecast of it says why.

    Parameters
    ----------
    answers : mapping of (service, metric) to Forecast or Excuse
        Not changed. Series without an entry count as without a forecast.
    trees : sequence of DeclaredTree
    series : mapping of (service, metric) to Series
        Histories of those that were forecast.
    task : ForecastTask
        How they were forecast: its models, horizon, events, seed and paths hold for the past origins too.
    countries : mapping of str to str
        ISO 3166 code by service.
    """
    found: Answers = dict(answers)
    for tree in trees:
        found |= _add_up(found, tree, series, task, countries)
    return found


def _add_up(
    answers: Answers, tree: DeclaredTree, series: Mapping[Key, Series], task: ForecastTask, countries: Mapping[str, str]
) -> Answers:
    """The answers of one tree."""
    own = {key: answer for key in tree.keys if isinstance(answer := answers.get(key), Forecast)}
    problem = _problem(answers, own, tree)
    if problem is not None:
        return _left(answers, own, tree, problem)
    count = min(len(one.paths) for one in own.values())  # where the pool declined, the simple models drew more
    own = {key: replace(one, paths=one.paths[:count]) if len(one.paths) > count else one for key, one in own.items()}
    tops = [(node, parts) for node, parts in zip(tree.hierarchy.aggregates, tree.hierarchy.members, strict=True)
            if node in own]  # fmt: skip
    plain = Hierarchy(
        bottom=tree.hierarchy.bottom,
        aggregates=tuple(node for node, _ in tops),
        members=tuple(parts for _, parts in tops),
    )
    mint = tree.method == "mint" and bool(tops)
    needed = tuple(own) if mint else tuple(key for key in own if key in tree.hierarchy.bottom)
    past = past_errors({key: series[key] for key in needed}, task, countries)
    enough = len(past) == len(needed) and len(past[needed[0]]) >= MIN_ORIGINS
    done = forecast_hierarchy(
        tuple(own.values()),
        plain,
        method="mint_shrink" if mint and enough else "bottom_up",
        errors=past if enough else None,
        seed=task.seed,
    )
    why = done.reconciliation.fallback if enough else f"fewer than {MIN_ORIGINS} past origins with a forecast of all"
    whole = forecast_hierarchy(
        [one for key, one in done.forecasts.items() if key in tree.hierarchy.bottom], tree.hierarchy, align=False
    )
    sums = _sums(tree)
    how = _how(done.reconciliation, why if mint else None)
    named = f"hierarchy {', '.join(tree.names)}"
    made: Answers = {}
    for key, one in done.forecasts.items():
        bottom_up = done.reconciliation.method == "bottom_up" and key in sums
        paths = whole.forecasts[key].paths if key in sums else one.paths
        was = own[key]
        new = replace(was, paths=paths, model=BOTTOM_UP if bottom_up else was.model)
        said = f"{sums[key]}, on every path: {how} ({named})" if key in sums else f"{how} ({named})"
        made[key] = say(_explained(new, was), said, brief=f"adds up with {named}")
    for key in sums.keys() - own.keys():
        was = whole.forecasts[key]
        reason = f"{sums[key]}, on every path; it has no history to forecast from by itself: {how} ({named})"
        choice = ModelChoice(service=key[0], metric=key[1], chosen=BOTTOM_UP, scores=(), declined=(), reason=reason)
        parts = [own[part] for part in _bottom_of(tree, key)]
        made[key] = replace(was, choice=choice, explanation=_sum_of_parts(was, parts, reason))
    return made


def _problem(answers: Mapping[Key, Forecast | Excuse], own: Mapping[Key, Forecast], tree: DeclaredTree) -> str | None:
    """Why a tree cannot be made to add up; None = it can."""
    for service, metric in tree.keys[len(tree.hierarchy.aggregates) :]:
        if (service, metric) not in own:
            answer = answers.get((service, metric))
            reason = answer.reason if isinstance(answer, Excuse) else "it was not asked for"
            return f"{metric} of its part {service} cannot be forecast ({reason})"
    first = next(iter(own.values()))
    for one in own.values():
        if (one.start, one.step, one.horizon) != (first.start, first.step, first.horizon):
            return (
                f"the slices of {one.service} are not those of {first.service} (from {one.start.isoformat()} in "
                f"{one.zone}, from {first.start.isoformat()} in {first.zone})"
            )
    return None


def _left(answers: Answers, own: Mapping[Key, Forecast], tree: DeclaredTree, problem: str) -> Answers:
    """A tree as it was, saying why it does not add up."""
    said = f"does not add up by hierarchy {', '.join(tree.names)}: {problem}"
    found: Answers = {key: say(one, said) for key, one in own.items()}
    for key in _sums(tree):
        answer = answers.get(key)
        if isinstance(answer, Excuse):
            found[key] = replace(answer, reason=f"{answer.reason}; nor can it be added up: {problem}")
    return found


def _sums(tree: DeclaredTree) -> dict[Key, str]:
    """What each total is the sum of, in words."""
    found = {}
    for node in tree.hierarchy.aggregates:
        if not isinstance(node, str):
            parts = [service for service, _ in _bottom_of(tree, node)]
            shown = " + ".join(parts) if len(parts) <= 6 else f"the sum of {len(parts)} parts"
            found[node] = f"{node[0]} = {shown}"
    return found


def _bottom_of(tree: DeclaredTree, key: Key) -> list[Key]:
    """The parts at the bottom under a total."""
    row = tree.hierarchy.members[tree.hierarchy.aggregates.index(key)]
    return [part for part in row if not isinstance(part, str)]


def _how(done: Reconciliation, why: str | None) -> str:
    """How it was made to add up, in words; `why` not as was asked."""
    if done.method == "mint_shrink":
        return (
            f"reconciled by mint with their errors at {done.origins} past origins "
            f"(correlations shrunk by {100 * (done.shrinkage or 0.0):.0f} %)"
        )
    said = "added up bottom-up, " + (
        f"together as they erred at {done.origins} past origins"
        if done.dependence == "back_test_errors"
        else "parts taken as independent of each other"
    )
    return said if why is None else f"{said}; instead of mint: {why}"


def _explained(new: Forecast, was: Forecast) -> Forecast:
    """The forecast with an explanation that says what adding up changed of its median."""
    if new.explanation is None:
        return new
    rest = new.quantile(0.5) - was.quantile(0.5)
    if not np.any(np.abs(rest) > 1e-9 * max(float(np.abs(was.paths).max()), 1.0)):
        return new
    return replace(
        new, explanation=replace(new.explanation, components={**new.explanation.components, "hierarchy": rest})
    )


def _sum_of_parts(total: Forecast, parts: Sequence[Forecast], reason: str) -> Explanation | None:
    """The explanation of a total without a history: its parts' components added up."""
    known = [part.explanation for part in parts if part.explanation is not None]
    if len(known) < len(parts):
        return None
    components: dict[str, NDArray[np.float64]] = {}
    for explanation in known:
        for name, values in explanation.components.items():
            components[name] = components.get(name, np.zeros(total.horizon)) + values
    components["hierarchy"] = total.quantile(0.5) - np.sum(list(components.values()), axis=0)
    return Explanation(
        components=components,
        weights=((BOTTOM_UP, 1.0),),
        declined=(),
        value_added=None,
        coverage=(),
        notes=(reason,),
    )


def past_errors(
    series: Mapping[Key, Series], task: ForecastTask, countries: Mapping[str, str]
) -> dict[Key, NDArray[np.float64]]:
    """Forecast series from past origins that they share and return outcome − median, shape (origins, k) each.

    The pooled model learns once, from what was known at the earliest origin; every forecast is made with that and what
    was known at its own origin, so that nothing comes from later.

    Sums need them whatever the method: on 14 made-up trees of three parts that share half their noise, the 80 %
    interval of a total held 79 % of its days (mint: 82 %), and 67 % where the parts were taken as independent.

    Parameters
    ----------
    series : mapping of (service, metric) to Series
        Ending at the same instant, with the same step.
    task : ForecastTask
        How they are forecast now.
    countries : mapping of str to str
        ISO 3166 code by service.

    Returns
    -------
    dict
        Origins at which every series has all its outcomes, oldest first; empty arrays or an empty dict where there are
        none.
    """
    if not series:
        return {}
    keys = sorted(series)
    shortest = min(len(series[key]) for key in keys)
    first = series[keys[0]]
    if any(series_end(series[key]) != series_end(first) for key in keys):
        return {}
    season = main_season(first.values, seasons_of(first.step))
    k = max(min(task.horizon, shortest // 4), 1)
    nearest = -(-k // season) * season  # whole seasons back, so that a step ahead is the same phase as it is now
    room = (shortest - nearest - max(shortest // 3, 3 * season, LEAST_LEARNT)) // season
    if room < MIN_ORIGINS - 1:
        return {}
    most = MOST_ORIGINS if POOLED in task.models else MOST_REFITS
    most = max(min(most, MOST_PAST // len(keys)), MIN_ORIGINS)
    apart = max(room // (most - 1), 1) * season
    behind = [nearest + j * apart for j in range(most) if j * apart <= room * season][::-1]
    country = tuple(countries.get(service, "") for service, _ in keys)
    past = replace(task, horizon=k, backtest_horizon=None, n_paths=PAST_PATHS, covariates=(), explain=False,
                   timer=None, learned=None)  # fmt: skip
    if POOLED in task.models:
        lesson = learn(replace(past, series=tuple(_known(series[key], behind[0]) for key in keys), countries=country))
        if isinstance(lesson, Excuse):
            return {}
        past = replace(past, learned=lesson)
    pairs = [(key, back) for back in behind for key in keys]
    medians = forecast_quantiles(
        replace(past, series=tuple(_known(series[key], back) for key, back in pairs), countries=country * len(behind)),
        [0.5],
    )
    rows: dict[Key, list[NDArray[np.float64]]] = {key: [] for key in keys}
    for (key, back), median in zip(pairs, medians, strict=True):
        values = series[key].values
        actual = values[len(values) - back :][:k]
        rows[key].append(actual - median[:, 0] if not isinstance(median, Excuse) else np.full(k, np.nan))
    errors = {key: np.stack(found) for key, found in rows.items()}
    return shared_errors({key: np.arange(len(behind)) for key in keys}, errors)


def _known(series: Series, back: int) -> Series:
    """The series without its last slices: a copy, behind which nothing of the future can be found."""
    values = series.values[: len(series) - back].copy()
    values.setflags(write=False)
    return replace(series, values=values)
