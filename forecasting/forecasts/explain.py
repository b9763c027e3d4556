"""Takes a median forecast apart into components that add up to it, and says in words what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.context import make_context, trim
from forecasting.history.gaps import fill_gaps
from forecasting.terms.errors import Excuse
from forecasting.terms.explanation import COMPONENTS, Explanation
from forecasting.terms.forecast import Forecast
from forecasting.terms.history import Series

if TYPE_CHECKING:
    from numpy.typing import NDArray

CYCLES = 8
"""Latest seasons that the profile is taken from."""
MEMBERS_TOLD = 5
"""Members named in a sentence; the others are counted."""
LEAST_FACTOR = 0.05
"""A holiday factor below it leaves nothing to divide: what an ordinary day would have been is then interpolated."""


def explain_components(
    median: NDArray[np.float64],
    *,
    history: NDArray[np.float64],
    season: int,
    seasons: Sequence[int] = (),
    holiday_factor: NDArray[np.float64] | None = None,
    effects: Mapping[str, NDArray[np.float64]] | None = None,
    anchor: NDArray[np.float64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Take a median forecast apart into parts that add up to it.

    What the learned correction adds to the anchor, the given effects and the holidays come off first. The rest is the
    ordinary course: the last level without season (mean of the last season, brought to its end by the median change
    from season to season), the smooth change from there (a polynomial of degree 1 to 3, fitted together with the
    profile of the recent history), and the season, which is the rest. After the decomposition by level, trend and
    season of Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd edition, chapter 3; the parts are an
    account of the forecast, not of the model that made it.

    Parameters
    ----------
    median : ndarray, shape (horizon,)
        The forecast of the slices right after `history`, finite.
    history : ndarray, shape (n,), n >= 1
        Ordinary days (`ForecastContext.regular`); NaN is filled from the same phase of other seasons.
    season : int
        Slices of the main season, 1 = none.
    seasons : sequence of int
        All seasons. Where a longer one is a multiple of a shorter one (a day in a week) they are told apart.
    holiday_factor : ndarray, shape (horizon,) or (n + horizon,)
        Expected value ÷ that of an ordinary slice; None = 1.
    effects : mapping of str to ndarray, shape (horizon,)
        ``events`` and ``covariates``: what they add to the anchor, in the metric's unit.
    anchor : ndarray, shape (horizon,), or None
        The median before the learned correction; None = there was none.

    Returns
    -------
    dict of str to ndarray, shape (horizon,)
        In the order of `COMPONENTS`: level and trend always, the others where there is something of the kind. The
        season is ``season``, or ``season_day`` and ``season_week`` apart. The sum is `median` up to rounding of floats.

    Examples
    --------
    >>> week = np.array([5.0, 9, 9, 9, 9, 7, 1])
    >>> parts = explain_components(np.tile(week, 2) + 2, history=np.tile(week, 9), season=7)
    >>> list(parts), parts["level"][0].round(6), parts["season"][:5].round(6)
    (['level', 'trend', 'season'], np.float64(7.0), array([-2.,  2.,  2.,  2.,  2.]))
    """
    median = np.asarray(median, dtype=np.float64)
    horizon, parts = len(median), {}
    base = median if anchor is None else np.asarray(anchor, dtype=np.float64)
    outside = {name: np.asarray(effect, dtype=np.float64) for name, effect in (effects or {}).items()}
    usual = base - np.sum(list(outside.values()), axis=0) if outside else base
    factor = np.ones(horizon) if holiday_factor is None else np.asarray(holiday_factor, dtype=np.float64)[-horizon:]
    cycles = _cycles(season, seasons, len(history))
    main = cycles[-1] if cycles else 1
    filled = fill_gaps(np.asarray(history, dtype=np.float64), main)[0]
    last, profile = _profile(filled, main)
    ahead = profile[(len(filled) + np.arange(horizon)) % main]
    ordinary = _ordinary(usual, factor, ahead)
    level = np.full(horizon, last)
    trend = ordinary - level if main == 1 else _smooth(ordinary - level, ahead, main)
    parts["level"], parts["trend"] = level, trend
    if main > 1:
        parts |= _split(ordinary - level - trend, profile, cycles, len(filled))
    if np.any(factor != 1):
        parts["calendar"] = usual - ordinary
    parts |= {name: effect for name, effect in outside.items() if np.any(effect != 0)}
    if anchor is not None:
        parts["learned"] = median - base
    order = {name: i for i, name in enumerate(COMPONENTS)}
    return dict(sorted(parts.items(), key=lambda part: order.get(part[0].split("_")[0], len(order))))


def explain_forecast(forecast: Forecast, series: Series, *, country: str = "") -> Explanation:
    """Return the explanation of a forecast: its own, or what can be said afterwards from its paths and its back-test.

    The components add up to the median of the paths. What the bounds and the drawing of paths changed of an explanation
    that the forecast brought is in its learned part.

    Parameters
    ----------
    forecast : Forecast
    series : Series
        The history it was made from.
    country : str
        ISO 3166 code whose public holidays were known to it, or empty.

    Raises
    ------
    InputError
        If the country is unknown.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> from forecasting.forecasts.engine import forecast_series
    >>> from forecasting.terms.history import Metric, MetricKind
    >>> s = Series(service="a", metric=Metric(name="m", kind=MetricKind.COUNT), start=datetime(2027, 3, 1, tzinfo=UTC),
    ...     step=timedelta(days=1), values=np.tile([5.0, 9, 9, 9, 9, 7, 3], 20))
    >>> f = forecast_series(s, 7, models=("seasonal_median",), n_paths=50, seed=1)
    >>> e = explain_forecast(f, s)
    >>> bool(np.allclose(e.total(), f.quantile(0.5))), sum(weight for _, weight in e.weights)
    (True, 1.0)
    """
    if forecast.explanation is not None:
        return _aligned(forecast.explanation, forecast.quantile(0.5))
    trimmed, stale = trim(series)
    reach = forecast.horizon + stale
    context = make_context(trimmed, reach, country)
    # Slices that nobody observed lie between the history and the forecast: the median is held over them.
    median = forecast.quantile(0.5)
    parts = explain_components(
        np.concatenate((np.full(stale, median[0]), median)),
        history=context.regular,
        season=context.season,
        seasons=context.seasons,
        holiday_factor=context.holiday_factor,
    )
    choice = forecast.choice
    score = None if choice is None else choice.score(choice.chosen)
    value_added, coverage = None, []
    if score is not None:
        value_added = 1 - score.sql_vs_naive if np.isfinite(score.sql_vs_naive) else None
        outcomes = score.origins * min(forecast.horizon, max(len(trimmed) // 3, 1))
        shares = ((0.8, score.coverage80), (0.95, score.coverage95))
        coverage = [(level, share, outcomes) for level, share in shares if np.isfinite(share)]
    return Explanation(
        components={name: values[stale:] for name, values in parts.items()},
        weights=((forecast.model, 1.0),),
        declined=() if choice is None else choice.declined,
        value_added=value_added,
        coverage=tuple(coverage),
        notes=() if forecast.fallback is None else (forecast.fallback,),
    )


def describe(explanation: Explanation, unit: str = "") -> str:
    """Return an explanation in plain words with its numbers, one sentence a line.

    Parameters
    ----------
    explanation : Explanation
    unit : str
        Unit of the metric in words.

    Examples
    --------
    >>> e = Explanation(components={"level": np.full(2, 50.0), "trend": np.array([0.0, 1.0])},
    ...     weights=(("theta", 0.7), ("ets", 0.3)), declined=(), value_added=0.21, coverage=((0.8, 0.79, 124),),
    ...     notes=())
    >>> print(describe(e, "calls"))
    The last level, without season, is 50 calls.
    The trend changes it by +1 calls until the last slice (+2.0 %).
    Made of theta 70 %; ets 30 %.
    Out of sample its quantile loss was 21 % below seasonal naive's.
    The 80 % interval held 79 % of 124 outcomes out of sample.
    """
    lines = []
    level = explanation.components.get("level")
    for name, values in explanation.components.items():
        line = _sentence(name, values, level, f" {unit}" if unit else "")
        if line:
            lines.append(line)
    if explanation.weights:
        first, others = explanation.weights[:MEMBERS_TOLD], explanation.weights[MEMBERS_TOLD:]
        shown = [f"{name} {100 * weight:.0f} %" for name, weight in first]
        shown += [f"and {len(others)} more {100 * sum(w for _, w in others):.0f} %"] if others else []
        lines.append(f"Made of {'; '.join(shown)}.")  # names of members have commas
    lines.append(value_sentence(explanation.value_added))
    lines += [coverage_sentence(*cell) for cell in explanation.coverage]
    lines += [
        f"{name} declined: {e.reason} (what would help: {e.what_would_help})." for name, e in explanation.declined
    ]
    lines += [f"Note: {note}." for note in explanation.notes]
    return "\n".join(lines)


def value_sentence(value_added: float | None) -> str:
    """Return in words what a forecast adds to seasonal naive.

    Examples
    --------
    >>> value_sentence(-0.04), value_sentence(None)
    ("Out of sample its quantile loss was 4 % above seasonal naive's.", "Not measured against seasonal naive's ...")
    """
    if value_added is None:
        return "Not measured against seasonal naive's quantile loss: too little history for a back-test."
    if abs(value_added) < 0.005:
        return "Out of sample its quantile loss was seasonal naive's."
    side = "below" if value_added > 0 else "above"
    return f"Out of sample its quantile loss was {abs(100 * value_added):.0f} % {side} seasonal naive's."


def coverage_sentence(level: float, share: float, outcomes: int) -> str:
    """Return in words how often an interval held.

    Examples
    --------
    >>> coverage_sentence(0.95, 0.94, 1240)
    'The 95 % interval held 94 % of 1,240 outcomes out of sample.'
    """
    return f"The {100 * level:g} % interval held {100 * share:.0f} % of {outcomes:,} outcomes out of sample."


def declined_sentence(name: str, excuse: Excuse) -> str:
    """Return in words why a member gave no forecast.

    Examples
    --------
    >>> declined_sentence("ets", Excuse(reason="9 observations, 14 needed", what_would_help="five more days"))
    'ets declined: 9 observations, 14 needed (what would help: five more days).'
    """
    return f"{name} declined: {excuse.reason} (what would help: {excuse.what_would_help})."


def _aligned(explanation: Explanation, median: NDArray[np.float64]) -> Explanation:
    """The explanation with components that add up to the median of the paths."""
    rest = median - explanation.total() if explanation.components else np.zeros(1)
    if np.max(np.abs(rest)) <= 1e-12 * max(float(np.max(np.abs(median))), 1e-300):
        return explanation
    parts = dict(explanation.components)
    parts["learned"] = parts.get("learned", 0.0) + rest
    return replace(explanation, components=parts)


def _cycles(season: int, seasons: Sequence[int], known: int) -> tuple[int, ...]:
    """The seasons told apart, shortest first: the main one and what divides or is a multiple of it, seen twice."""
    every = sorted({s for s in (season, *seasons) if s > 1 and known >= 2 * s})
    if season not in every:
        return ()
    nested = [season]
    for s in sorted((s for s in every if s < season), reverse=True):
        if nested[0] % s == 0:
            nested.insert(0, s)
    for s in (s for s in every if s > season):
        if s % nested[-1] == 0:
            nested.append(s)
    return tuple(nested)


def _profile(values: NDArray[np.float64], season: int) -> tuple[float, NDArray[np.float64]]:
    """The last level without season, and the profile by phase of the whole history; its mean is 0."""
    if season == 1:
        return float(values[-1]), np.zeros(1)
    count = min(len(values) // season, CYCLES)
    recent = values[len(values) - count * season :]
    slope = float(np.median(recent[season:] - recent[:-season])) / season
    straight = (recent - slope * np.arange(len(recent))).reshape(count, season)
    profile = np.median(straight - straight.mean(axis=1, keepdims=True), axis=0)
    profile = profile - profile.mean()
    # The mean of the last season lies half a season back.
    level = float(recent[-season:].mean()) + slope * (season - 1) / 2
    return level, np.roll(profile, (len(values) - count * season) % season)


def _ordinary(
    usual: NDArray[np.float64], factor: NDArray[np.float64], ahead: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The course without holidays."""
    known = factor >= LEAST_FACTOR
    result = np.where(known, usual / np.where(known, factor, 1.0), usual)
    if known.any() and not known.all():
        at = np.arange(len(usual))
        result[~known] = ahead[~known] + np.interp(at[~known], at[known], (result - ahead)[known])
    return result


def _smooth(change: NDArray[np.float64], ahead: NDArray[np.float64], season: int) -> NDArray[np.float64]:
    """The smooth course of a change beside its season: a polynomial, the straighter the shorter the horizon.

    The size of the profile is fitted with it, so that a season that the forecast does not have is not taken off; from
    less than one season on that could not be told from a trend.
    """
    horizon = len(change)
    degree = min(1 + horizon // (2 * season), 3, horizon - 1)
    at = np.linspace(-1.0, 1.0, horizon) if horizon > 1 else np.zeros(1)
    basis = np.polynomial.legendre.legvander(at, degree)
    size = float(np.abs(ahead).max())
    if horizon <= season or size == 0:
        return np.asarray(basis @ np.linalg.lstsq(basis, change - ahead, rcond=None)[0], dtype=np.float64)
    both = np.column_stack((basis, ahead / size))
    return np.asarray(basis @ np.linalg.lstsq(both, change, rcond=None)[0][:-1], dtype=np.float64)


def _split(
    season: NDArray[np.float64], profile: NDArray[np.float64], cycles: Sequence[int], known: int
) -> dict[str, NDArray[np.float64]]:
    """The season, or its day and its week: of the shorter cycle as much as the forecast has of its profile."""
    if len(cycles) == 1:
        return {"season": season}
    short = cycles[-2]
    within = profile.reshape(-1, short).mean(axis=0)
    within = within[(known + np.arange(len(season))) % short]
    power = float(within @ within)
    share = min(max(float(season @ within) / power, 0.0), 2.0) if power > 0 else 0.0
    names = ("season_day", "season_week") if cycles[-1] == 7 * short else ("season_short", "season_long")
    return {names[0]: share * within, names[1]: season - share * within}


def _sentence(name: str, values: NDArray[np.float64], level: NDArray[np.float64] | None, unit: str) -> str:
    """One component in words; empty where it changes nothing."""
    low, high = float(values.min()), float(values.max())
    last = float(values[-1])
    size = max(abs(low), abs(high))
    against = 0.0 if level is None else abs(float(level[0]))
    if name == "level":
        return f"The last level, without season, is {_number(last)}{unit}."
    if size <= 1e-9 * max(against, 1e-300):
        return ""
    if name == "trend":
        share = f" ({100 * last / against:+.1f} %)" if against > 0 else ""
        return f"The trend changes it by {_signed(last)}{unit} until the last slice{share}."
    if name.startswith("season"):
        cycle = {"season_day": "The time of day", "season_week": "The day of the week"}.get(name, "The season")
        return f"{cycle} moves it between {_signed(low)} and {_signed(high)}{unit}."
    touched = int(np.sum(np.abs(values) > 1e-9 * max(against, 1e-300)))
    largest = _signed(float(values[int(np.argmax(np.abs(values)))]))
    where = f"{touched} of {len(values)} slices, by {largest}{unit} at most"
    if name == "calendar":
        return f"Public holidays change {where}."
    if name == "events":
        return f"Known events change {where}."
    if name == "covariates":
        return f"Drivers known ahead change {where}."
    if name == "hierarchy":
        return f"Making total and parts add up changes {where}."
    if name == "learned":
        return f"What was learnt across series changes it by {_signed(low)} to {_signed(high)}{unit}."
    return f"{name} changes {where}."


def _number(value: float) -> str:
    """A number with three digits that count, thousands apart."""
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _signed(value: float) -> str:
    """The same with its sign."""
    text = _number(value)
    return text if text.startswith("-") else f"+{text}"
