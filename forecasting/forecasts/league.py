"""From the forecasts of several entries at the same rolling origins to a league table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from forecasting.forecasts.scores import (
    DECILES,
    exact_scale,
    geometric_interval,
    geometric_mean,
    horizon_buckets,
    interval_score,
    known_mean,
    owa,
    quantile_loss,
    relative_error,
    scaled_mean,
    symmetric_error,
)
from forecasting.history.gaps import fill_gaps
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.league import CoverageCell, League, LeagueRow

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE = "seasonal_naive_gaussian"
"""Name of the reference entry: the last season repeated, with Gaussian intervals that grow."""
LEAGUE_LEVELS: NDArray[np.float64] = np.array(
    [0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975]
)
"""Quantile levels that a league needs: deciles, and the ends of the 50, 80, 90 and 95 % intervals."""
LEAGUE_LEVELS.setflags(write=False)
COVERAGES = (0.5, 0.8, 0.9, 0.95)
"""Central intervals whose coverage is reported."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What came, at every origin of every series. S series, O origins, H steps."""

    series: tuple[tuple[str, str], ...]
    """(service, metric) of each series."""
    strata: tuple[str, ...]
    """Group of each series."""
    actual: NDArray[np.float64]
    """Shape (S, O, H); NaN where not observed, and where a series has fewer origins than others."""
    scales: NDArray[np.float64]
    """Shape (S, O): `exact_scale` of each training part."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EntryForecasts:
    """What one entry said, at every origin of every series."""

    name: str
    quantiles: NDArray[np.float64]
    """Shape (S, O, len(LEAGUE_LEVELS), H); NaN where it gave nothing."""
    cpu_seconds: NDArray[np.float64]
    """Shape (S, O): CPU seconds of each forecast."""
    fallback: NDArray[np.bool_]
    """Shape (S, O): whether another model than the chosen one had to answer, or nothing came."""
    answered_by: tuple[tuple[str, int], ...] = ()
    """Forecasts by model."""
    excuses: tuple[tuple[str, int], ...] = ()
    """Why it gave nothing, with how often."""


def rolling_origins(length: int, horizon: int, season: int, count: int) -> tuple[int, ...]:
    """Return `count` origins (slices known at each), ascending; fewer, or none, where the history is too short.

    The last origin leaves exactly `horizon` slices to score. Earlier ones lie near a horizon apart, closer where the
    history is short; the distance is not a multiple of the season, so that origins fall on different phases. Each
    leaves two seasons (8 slices at least) to learn from.

    Examples
    --------
    >>> rolling_origins(200, 28, 7, 3), rolling_origins(40, 28, 7, 3)
    ((118, 145, 172), ())
    """
    last, least = length - horizon, max(2 * season, 8)
    if last < least or count < 1:
        return ()
    step = max(min(horizon, (last - least) // max(count - 1, 1)), 1)
    if season > 1 and step % season == 0:
        step = step - 1 if step > 1 else step + 1
    return tuple(o for o in range(last - step * (count - 1), last + 1, step) if o >= least)


def gaussian_naive(
    values: NDArray[np.float64], horizon: int, season: int, levels: NDArray[np.float64] = LEAGUE_LEVELS
) -> NDArray[np.float64]:
    """Return the reference's quantiles: the last season repeated ± z · sigma · sqrt(seasons ahead).

    sigma is the root mean square of the seasonal differences (Hyndman and Athanasopoulos, Forecasting: Principles and
    Practice, 3rd edition, section 5.5). Not kept inside any bounds, as the public benchmarks have it. A history not
    longer than the season repeats its last value.

    Parameters
    ----------
    values : ndarray, shape (n,)
        History, one known value at least; NaN is filled from the same phase of other seasons.
    horizon, season : int
    levels : ndarray

    Returns
    -------
    ndarray, shape (len(levels), horizon)

    Examples
    --------
    >>> gaussian_naive(np.array([1.0, 5.0, 2.0, 5.0]), 3, 2, np.array([0.5]))
    array([[2., 5., 2.]])
    """
    m = season if len(values) > season else 1
    steps = values[m:] - values[:-m]
    steps = steps[~np.isnan(steps)]
    sigma = float(np.sqrt(np.mean(steps**2))) if len(steps) else 0.0
    filled = fill_gaps(values, m)[0] if np.isnan(values).any() else values
    ahead = np.arange(horizon)
    z = np.array([NormalDist().inv_cdf(level) for level in levels.tolist()])
    spread = sigma * np.sqrt(ahead // m + 1)
    return np.asarray(np.resize(filled[-m:], horizon)[None, :] + z[:, None] * spread[None, :], dtype=np.float64)


def naive_entry(histories: Sequence[Sequence[NDArray[np.float64]]], seasons: Sequence[int], horizon: int,
                origins: int) -> tuple[EntryForecasts, NDArray[np.float64]]:  # fmt: skip
    """Return the reference's forecasts, and the scale of every training part, shape (S, origins).

    Parameters
    ----------
    histories : sequence over series of sequences of ndarray
        Training part at each origin; a series with fewer origins has fewer, and they are its last ones.
    seasons : sequence of int
    horizon, origins : int

    Examples
    --------
    >>> entry, scales = naive_entry([[np.array([1.0, 5.0, 2.0, 5.0])]], [2], 3, 1)
    >>> entry.quantiles[0, 0, 7], scales
    (array([2., 5., 2.]), array([[0.5]]))
    """
    quantiles = np.full((len(histories), origins, len(LEAGUE_LEVELS), horizon), np.nan)
    scales = np.full((len(histories), origins), np.nan)
    for i, (parts, season) in enumerate(zip(histories, seasons, strict=True)):
        for j, part in enumerate(parts, start=origins - len(parts)):
            quantiles[i, j] = gaussian_naive(part, horizon, season)
            scales[i, j] = exact_scale(part, season)
    entry = EntryForecasts(
        name=REFERENCE,
        quantiles=quantiles,
        cpu_seconds=np.zeros_like(scales),
        fallback=np.zeros(scales.shape, dtype=np.bool_),
    )
    return entry, scales


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scored:
    """Scores of one entry by series, shape (S,) unless said otherwise."""

    entry: EntryForecasts
    """With the reference's numbers where it had none."""
    replaced: NDArray[np.bool_]
    """Shape (S, O)."""
    sql: NDArray[np.float64]
    mase: NDArray[np.float64]
    msis95: NDArray[np.float64]
    bias: NDArray[np.float64]
    smape: NDArray[np.float64]
    loss: NDArray[np.float64]
    """Quantile loss, not scaled."""
    size: NDArray[np.float64]
    """Mean |outcome|."""


def score_league(
    outcomes: Outcomes,
    reference: EntryForecasts,
    entries: Sequence[EntryForecasts],
    *,
    seed: int,
    draws: int = 2000,
    excluded: Sequence[tuple[tuple[str, str], Excuse]] = (),
    paths: int = 0,
    data_sha256: str = "",
) -> League:
    """Score every entry against the reference on the same outcomes.

    A slice for which an entry has no finite quantiles is scored with the reference's and counted, so that declining a
    hard series does not pay (as GIFT-Eval and fev-bench do). Each series counts the same: errors are averaged over the
    steps and origins of a series first.

    Parameters
    ----------
    outcomes : Outcomes
    reference : EntryForecasts
        What relative errors are relative to; it gets a row of its own.
    entries : sequence of EntryForecasts
    seed : int
        Of the bootstrap over series.
    draws : int
        Bootstrap draws, 1 or more.
    excluded, paths, data_sha256
        Kept in the league as they are.

    Raises
    ------
    InputError
        If an entry's shape does not fit the outcomes, or a name comes twice.

    Examples
    --------
    >>> past, came = np.tile([1.0, 5.0, 3.0, 9.0], 3) + np.arange(12.0), np.array([13.0, 18, 17, 24])
    >>> naive, scales = naive_entry([[past]], [4], 4, 1)
    >>> o = Outcomes(series=(("web", "requests"),), strata=("",), actual=came[None, None], scales=scales)
    >>> score_league(o, naive, (), seed=1).rows[0].gm_sql
    1.0
    """
    names = [reference.name, *(e.name for e in entries)]
    shape = (*outcomes.actual.shape[:2], len(LEAGUE_LEVELS), outcomes.actual.shape[2])
    for entry in (reference, *entries):
        if entry.quantiles.shape != shape or names.count(entry.name) > 1:
            raise InputError(
                argument=f"entry {entry.name}",
                came=f"{entry.quantiles.shape}, {names.count(entry.name)} of that name",
                allowed=f"each name once, quantiles of shape {shape}",
                try_instead="one array of quantiles at LEAGUE_LEVELS for each entry",
            )
    base = _score(reference, reference, outcomes)
    scored = [base, *(_score(entry, reference, outcomes) for entry in entries)]
    made = [(_row(one, base, outcomes, seed, draws), one) for one in scored]
    made.sort(key=lambda pair: (np.isnan(pair[0].gm_sql), pair[0].gm_sql))
    return League(
        rows=tuple(row for row, _ in made),
        reference=reference.name,
        series=outcomes.series,
        strata=outcomes.strata,
        sql=np.stack([one.sql for _, one in made]),
        mase=np.stack([one.mase for _, one in made]),
        msis95=np.stack([one.msis95 for _, one in made]),
        coverage80=np.stack([known_mean(_inside(one.entry, outcomes.actual, 0.8), (1, 2)) for _, one in made]),
        bias=np.stack([one.bias for _, one in made]),
        horizon=outcomes.actual.shape[2],
        origins=outcomes.actual.shape[1],
        seed=seed,
        excluded=tuple(excluded),
        paths=paths,
        data_sha256=data_sha256,
    )


def _at(entry: EntryForecasts, level: float) -> NDArray[np.float64]:
    """Quantile forecasts at one of the league's levels, shape (S, O, H)."""
    return entry.quantiles[:, :, int(np.argmin(np.abs(LEAGUE_LEVELS - level))), :]


def _inside(entry: EntryForecasts, actual: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """1 where the outcome is inside the central interval, 0 where outside, NaN where unknown, shape (S, O, H)."""
    low, high = _at(entry, (1 - level) / 2), _at(entry, (1 + level) / 2)
    return np.where(np.isnan(actual), np.nan, (actual >= low) & (actual <= high))


def _score(entry: EntryForecasts, reference: EntryForecasts, outcomes: Outcomes) -> _Scored:
    """Scores of one entry; what it left out is the reference's."""
    actual, scales = outcomes.actual, outcomes.scales
    gone = np.asarray(~np.isfinite(entry.quantiles).all(axis=2), dtype=np.bool_)
    if gone.any():
        entry = replace(entry, quantiles=np.where(gone[:, :, None, :], reference.quantiles, entry.quantiles))
    median, lower, upper = _at(entry, 0.5), _at(entry, 0.025), _at(entry, 0.975)
    picked = [int(np.argmin(np.abs(LEAGUE_LEVELS - level))) for level in DECILES.tolist()]
    loss = quantile_loss(actual, entry.quantiles[:, :, picked, :], DECILES)
    return _Scored(
        entry=entry,
        replaced=np.asarray((gone & ~np.isnan(actual)).any(axis=2), dtype=np.bool_),
        sql=scaled_mean(loss, scales),
        mase=scaled_mean(np.abs(actual - median), scales),
        msis95=scaled_mean(interval_score(actual, lower, upper), scales),
        bias=scaled_mean(median - actual, scales),
        smape=known_mean(known_mean(symmetric_error(actual, median), 2), 1),
        loss=known_mean(known_mean(loss, 2), 1),
        size=known_mean(known_mean(np.abs(actual), 2), 1),
    )


def _row(one: _Scored, base: _Scored, outcomes: Outcomes, seed: int, draws: int) -> LeagueRow:
    """The row of one entry."""
    entry, actual = one.entry, outcomes.actual
    asked = ~np.isnan(actual).all(axis=2)
    forecasts = max(int(asked.sum()), 1)
    sql, mase = relative_error(one.sql, base.sql), relative_error(one.mase, base.mase)
    sql_low, sql_high = geometric_interval(sql, draws=draws, seed=seed)
    mase_low, mase_high = geometric_interval(mase, draws=draws, seed=seed)
    usable = ~np.isnan(sql)
    worse = float(np.mean(one.sql[usable] > base.sql[usable] * (1 + 1e-12))) if usable.any() else float("nan")
    smapes, mases = float(known_mean(one.smape)), float(known_mean(one.mase))
    naive = (float(known_mean(base.smape)), float(known_mean(base.mase)))
    total = float(np.nansum(one.size))
    return LeagueRow(
        entry=entry.name,
        series=len(outcomes.series),
        scored=int(usable.sum()),
        gm_sql=geometric_mean(sql),
        gm_sql_low=sql_low,
        gm_sql_high=sql_high,
        gm_mase=geometric_mean(mase),
        gm_mase_low=mase_low,
        gm_mase_high=mase_high,
        sql=float(known_mean(one.sql)),
        mase=mases,
        msis95=float(known_mean(one.msis95)),
        wql=float(np.nansum(one.loss)) / total if total > 0 else float("nan"),
        smape=smapes,
        owa=owa(smapes, mases, *naive) if min(naive) > 0 else float("nan"),
        bias=float(known_mean(one.bias)),
        worse_than_naive=worse,
        coverage=_coverage(entry, outcomes),
        calibration=tuple(
            (level, float(known_mean(known_mean(_below(entry, actual, i), (1, 2)))))
            for i, level in enumerate(LEAGUE_LEVELS.tolist())
        ),
        cpu_seconds=float(entry.cpu_seconds[asked].sum()) / forecasts,
        fallback_rate=float((entry.fallback | one.replaced)[asked].sum()) / forecasts,
        replaced_rate=float(one.replaced[asked].sum()) / forecasts,
        answered_by=entry.answered_by,
        excuses=entry.excuses,
    )


def _below(entry: EntryForecasts, actual: NDArray[np.float64], i: int) -> NDArray[np.float64]:
    """1 where the outcome is at or below the i-th quantile, 0 above, NaN where unknown."""
    return np.where(np.isnan(actual), np.nan, actual <= entry.quantiles[:, :, i, :])


def _coverage(entry: EntryForecasts, outcomes: Outcomes) -> tuple[CoverageCell, ...]:
    """Coverage overall, by horizon bucket and by stratum."""
    horizon = outcomes.actual.shape[2]
    strata = np.array(outcomes.strata, dtype=object)
    groups = list(dict.fromkeys(outcomes.strata)) if len(set(outcomes.strata)) > 1 else []
    buckets = horizon_buckets(horizon) if horizon > 1 else ()
    cells: list[CoverageCell] = []
    for level in COVERAGES:
        inside = _inside(entry, outcomes.actual, level)
        views = [("", 1, horizon, inside)]
        views += [("", first, last, inside[:, :, first - 1 : last]) for first, last in buckets]
        views += [(group, 1, horizon, inside[strata == group]) for group in groups]
        for stratum, first, last, view in views:
            cells.append(
                CoverageCell(
                    level=level,
                    share=float(known_mean(known_mean(view, (1, 2)))),
                    outcomes=int((~np.isnan(view)).sum()),
                    first_step=first,
                    last_step=last,
                    stratum=stratum,
                )
            )
    return tuple(cells)


def most_frequent(names: Sequence[str], most: int = 10) -> tuple[tuple[str, int], ...]:
    """Return names with how often they came, most frequent first (ties by name), `most` at most.

    Examples
    --------
    >>> most_frequent(["b", "a", "b"])
    (('b', 2), ('a', 1))
    """
    return tuple(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0]))[:most])
