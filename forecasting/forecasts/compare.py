"""Is one way of forecasting better than another, or was it chance?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.forecasts.scores import CLIP, bootstrap_means
from forecasting.terms.errors import InputError
from forecasting.terms.league import Comparison, League

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_SERIES = 5
"""Below this many series the bootstrap over series says too little to call one entry better."""


def compare_entries(
    league: League,
    first: str,
    second: str,
    *,
    score: Literal["sql", "mase"] = "sql",
    seed: int,
    draws: int = 10_000,
) -> Comparison:
    """Compare two entries of a league by the paired bootstrap over series.

    The paired difference is log(first's score ÷ second's) on each series, clipped as in the league; series are drawn
    with replacement (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). What holds for the
    series at hand is then claimed for series like them.

    Parameters
    ----------
    league : League
    first, second : str
        Names of two rows.
    score : {"sql", "mase"}
        Scaled quantile loss or MASE.
    seed : int
        Same seed, same draws.
    draws : int
        Bootstrap draws.

    Raises
    ------
    InputError
        If the league has no such row, or `score` is another.

    Examples
    --------
    >>> from forecasting.forecasts.league import Outcomes, EntryForecasts, naive_entry, score_league
    >>> from dataclasses import replace
    >>> rng = np.random.default_rng(1)
    >>> pasts = [[rng.normal(9, 1, 40)] for _ in range(30)]
    >>> naive, scales = naive_entry(pasts, [7] * 30, 7, 1)
    >>> o = Outcomes(series=tuple(("s", str(i)) for i in range(30)), strata=("",) * 30,
    ...     actual=rng.normal(9, 1, (30, 1, 7)), scales=scales)
    >>> better = replace(naive, name="mean", quantiles=(naive.quantiles + 2 * 9) / 3)
    >>> compare_entries(score_league(o, naive, [better], seed=1), "mean", "seasonal_naive_gaussian", seed=1).verdict
    'mean is better than seasonal_naive_gaussian: sql 13.8 % lower (ratio 0.862, 95 % interval 0.791 to 0.935, ...'
    """
    if score not in ("sql", "mase"):
        raise InputError(argument="score", came=score, allowed="sql or mase", try_instead="sql")
    rows = []
    for argument, name in (("first", first), ("second", second)):
        if name not in league.entries:
            raise InputError(
                argument=argument,
                came=name,
                allowed=", ".join(league.entries),
                try_instead="a name of the league, exactly written",
            )
        rows.append((league.sql if score == "sql" else league.mase)[league.entries.index(name)])
    ratio = _ratio(*rows)
    log_ratio = np.log(ratio)
    known = log_ratio[~np.isnan(log_ratio)]
    if not len(known):
        nothing = float("nan")
        return Comparison(
            first=first, second=second, score=score, series=0, ratio=nothing, low=nothing, high=nothing,
            first_better=nothing, wins=nothing, verdict="no series on which both have a score",
        )  # fmt: skip
    means = bootstrap_means(known, draws=draws, seed=seed)
    low, high = (float(x) for x in np.exp(np.quantile(means, [0.025, 0.975])))
    estimate = float(np.exp(known.mean()))
    better = float(np.mean(means < 0) + np.mean(means == 0) / 2)
    wins = float(np.mean(known < 0) + np.mean(known == 0) / 2)
    return Comparison(
        first=first,
        second=second,
        score=score,
        series=len(known),
        ratio=estimate,
        low=low,
        high=high,
        first_better=better,
        wins=wins,
        verdict=_verdict(first, second, score, len(known), estimate, low, high, better, wins),
    )


def _ratio(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """own ÷ other by series, clipped; 1 where both are 0, so that swapping the two inverts it; NaN where unknown."""
    positive = other > 0
    ratio = np.where(positive, own / np.where(positive, other, 1.0), np.where(own == 0, 1.0, np.inf))
    return np.where(np.isnan(own) | np.isnan(other), np.nan, np.clip(ratio, *CLIP))


def _verdict(
    first: str, second: str, score: str, series: int, ratio: float, low: float, high: float, better: float, wins: float
) -> str:
    """The answer in words."""

    change = f"{abs(1 - ratio):.1%} {'lower' if ratio < 1 else 'higher'}"
    counted = f"ratio {ratio:.3f}, 95% interval {low:.3f} to {high:.3f}, {series} series, better on {wins:.0%} of them"
    if series < FEW_SERIES:
        text = f"too few series to tell ({series}, {FEW_SERIES} needed): {score} of {first} is {change}"
    elif high < 1:
        text = f"{first} is better than {second}: {score} {change} ({counted})"
    elif low > 1:
        text = f"{first} is worse than {second}: {score} {change} ({counted})"
    else:
        text = f"no clear difference between {first} and {second}: {score} {change} ({counted}, P(better) {better:.2f})"
    return text.replace("%", " %")


def diebold_mariano(
    first: NDArray[np.float64], second: NDArray[np.float64], *, horizon: int = 1
) -> tuple[float, float]:
    """Return the statistic and the two-sided p-value of the Diebold–Mariano test on one series.

    With the small-sample correction and the t distribution of Harvey, Leybourne and Newbold (1997).

    Parameters
    ----------
    first, second : ndarray, shape (n,)
        Losses of two forecasts of the same outcomes in the order of time; NaN left out.
    horizon : int
        Steps ahead of the forecasts: their errors are taken to be correlated over horizon − 1 slices.

    Returns
    -------
    tuple of float
        Below 0: the first is better. NaN where there are fewer than two outcomes or `horizon`, or where the estimated
        variance is not positive.

    Examples
    --------
    >>> [round(x, 4) for x in diebold_mariano(np.array([1.0, 2.0, 1.0, 2.0]), np.array([2.0, 2.5, 2.0, 3.5]))]
    [-4.899, 0.0163]
    """
    from scipy.stats import t as student

    d = first - second
    d = d[~np.isnan(d)]
    n = len(d)
    if n < 2 or n < horizon or horizon < 1:
        return float("nan"), float("nan")
    centred = d - d.mean()
    covariances = [float(centred[k:] @ centred[: n - k]) / n for k in range(horizon)]
    variance = (covariances[0] + 2 * sum(covariances[1:])) / n
    if variance <= 0:
        return float("nan"), float("nan")
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = float(d.mean() / np.sqrt(variance) * np.sqrt(max(correction, 0.0)))
    return statistic, float(2 * student.sf(abs(statistic), n - 1))
