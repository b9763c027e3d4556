"""Trend, season and straying of a daily level, learnt together from weekly means, and paths drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEEKS_READ = 209
"""Weeks of history looked at: four years."""
SEASON_WEEKS = 100
"""Weeks of history from which on a yearly season can be told from growth (two years, less a month)."""
BENDS = (26, 52, 78, 104)
"""Weeks before the end at which growth may have changed; at most one of them."""
YEAR_WEEKS = 365.25 / 7
Form = Literal["level", "relative", "factor"]
"""Straight in the level with deviations of one size; the same with deviations that grow with the level; straight in the
logarithm of the level."""
_WALKS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
_SWINGS = ((0.5, 0.5), (0.5, 2.0), (0.5, 10.0), (0.75, 0.5), (0.75, 2.0), (0.75, 10.0), (0.9, 0.5), (0.9, 2.0),
           (0.9, 10.0))  # fmt: skip
TEMPER = 0.5
"""Power of the weights of explanations: none of them is the whole truth, and full weights stated dates too surely.

Over 200 planted dates the 80 % interval held 79 to 84 % with it and 76 to 83 % without (tests/truths)."""
_KEPT = 40
"""Candidates kept, best first; the rest together weigh next to nothing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stray:
    """How weekly means stray from their trend: noise of variance 1, and a walk or swings in units of it."""

    walk: float = 0.0
    """Variance a week of shocks that stay."""
    memory: float = 0.0
    """Correlation of swings from one week to the next."""
    swing: float = 0.0
    """Variance of swings that pass slowly."""

    def covariance(self, one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of walk and swings between weeks counted from the first one, shape (len(one), len(other))."""
        walked = self.walk * np.minimum(one[:, None], other[None, :])
        if self.swing == 0:
            return np.asarray(walked, dtype=np.float64)
        return np.asarray(walked + self.swing * self.memory ** np.abs(one[:, None] - other[None, :]), dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """One explanation of history, with what it says of the weeks to come."""

    form: Form
    bend: int | None
    season: bool
    stray: Stray
    weight: float
    """Probability of the explanation given history, among those looked at."""
    noise: float
    """Standard deviation of a weekly mean's noise."""
    spare: int
    """Weeks less coefficients: degrees of freedom of the noise."""
    coefficients: NDArray[np.float64]
    factor: NDArray[np.float64]
    """Square root of the coefficients' covariance at noise 1."""
    last_state: float
    """Walk and swings in the last week at the fitted coefficients, and how they change with the coefficients."""
    last_slope: NDArray[np.float64]
    last_error: float
    """Standard error of the last week's walk and swings at noise 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Weekly:
    """Weekly means of a daily level, with the weekdays' effects taken out."""

    weeks: NDArray[np.float64]
    """Weeks counted from the first; the last one ends with the last day."""
    values: NDArray[np.float64]
    days: NDArray[np.float64]
    """Days with data in each."""
    weekday: NDArray[np.float64]
    """Shape (7,): effect of the day that lies k days after the last one, k = 0 .. 6, adding up to 0."""
    within: NDArray[np.float64]
    """Deviations of days from their week's mean."""
    scale: NDArray[np.float64]
    """Level by which values were divided, per week; 1 where they were not."""


def weekly(days: NDArray[np.int64], values: NDArray[np.float64], scale: NDArray[np.float64] | None = None) -> Weekly:
    """Return the weekly means of a daily level, weeks counted back from the last day.

    Parameters
    ----------
    days, values : ndarray
        Shape (n,): days as whole numbers in order, and the level on each.
    scale : ndarray, optional
        Shape (n,): what the values were divided by.

    Raises
    ------
    InputError
        For fewer than 14 days.

    Examples
    --------
    >>> found = weekly(np.arange(21), np.arange(21.0))
    >>> found.values.round(6), found.weeks
    (array([ 3., 10., 17.]), array([0., 1., 2.]))
    """
    back = days[-1] - days
    kept = back < 7 * WEEKS_READ
    back, values = back[kept], values[kept]
    if len(values) < 14:
        raise InputError(argument="values", came=len(values), allowed="at least 14 days", try_instead="more history")
    block = back // 7
    place = (block.max() - block).astype(np.int64)
    of_week = (-back) % 7
    count = np.bincount(place).astype(np.float64)
    effect = np.zeros(7)
    year = place >= place.max() - 52
    for _ in range(20 if count.min() < 7 else 3):
        plain = values - effect[of_week]
        mean = np.bincount(place, plain) / np.maximum(count, 1)
        # A trend within the week is no weekday's effect: the mean is moved along the straight line of its neighbours.
        slope = np.gradient(mean) if len(mean) > 2 else np.full(len(mean), mean[-1] - mean[0])
        gap = values - mean[place] - slope[place] * (3 - back % 7) / 7
        effect = np.array(
            [gap[year & (of_week == k)].mean() if (year & (of_week == k)).any() else 0.0 for k in range(7)]
        )
        effect -= effect.mean()
    full = count > 0
    return Weekly(
        weeks=np.flatnonzero(full).astype(np.float64),
        values=mean[full],
        days=count[full],
        weekday=effect,
        within=(gap - effect[of_week])[year],
        scale=np.ones(int(full.sum()))
        if scale is None
        else (np.bincount(place, scale[kept]) / np.maximum(count, 1))[full],
    )


def explanations(
    days: NDArray[np.int64], level: NDArray[np.float64]
) -> tuple[tuple[Candidate, ...], dict[Form, Weekly]]:
    """Weigh the explanations of a daily level against each other.

    Each is a straight line in the level (deviations of one size, or growing with it) or in its logarithm, with or
    without one bend and a yearly season of two waves,
    and weekly means stray from it by noise alone, by noise and shocks that stay (a random walk), or by noise and slow
    swings that pass. Lines are fitted by generalised least squares; an explanation weighs exp(log-likelihood −
    ½·coefficients·ln(weeks)), the approximation of Schwarz to the probability of its kind given history.

    Parameters
    ----------
    days, level : ndarray
        Shape (n,), n ≥ 14: days as whole numbers in order, and the level on each, 0 or more.

    Returns
    -------
    tuple
        The candidates, best first, with weights that add up to 1; and the weekly means they were fitted to, by whether
        they are logarithms.

    References
    ----------
    G. Schwarz (1978). Estimating the dimension of a model. Annals of Statistics 6.
    A. C. Harvey (1989). Forecasting, structural time series models and the Kalman filter, chapter 2.

    Examples
    --------
    >>> found, _ = explanations(np.arange(800), 500 * 1.001 ** np.arange(800))
    >>> found[0].form, found[0].bend, round(float(found[0].coefficients[1]) / 7, 5)
    ('factor', None, 0.001)
    """
    forms: dict[Form, Weekly] = {"level": weekly(days, level)}
    if level.min() > 0:
        smooth = _smooth(days, level)
        forms["relative"] = weekly(days, level / smooth, smooth)
        forms["factor"] = weekly(days, np.log(level))
    scored = [pair for name, form in forms.items() for pair in _fits(form, name)]
    scored.sort(key=lambda pair: -pair[0])
    best = scored[0][0]
    kept = scored[:_KEPT]
    weights = np.exp([TEMPER * (score - best) for score, _ in kept])
    weights /= weights.sum()
    return tuple(replace(c, weight=float(w)) for w, (_, c) in zip(weights, kept, strict=True)), forms


def design(weeks: NDArray[np.float64], last: float, bend: int | None, season: bool) -> NDArray[np.float64]:
    """Columns of the line at some weeks: level at the last week, growth a week, growth before the bend, two waves."""
    x = weeks - last
    columns = [np.ones_like(x), x]
    if bend is not None:
        columns.append(np.minimum(x + bend, 0.0))
    if season:
        turn = 2 * np.pi * x / YEAR_WEEKS
        columns += [np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)]
    return np.stack(columns, axis=1)


def draw(
    found: tuple[Candidate, ...],
    forms: dict[Form, Weekly],
    *,
    first: int,
    horizon: int,
    paths: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw paths of the daily level, shape (paths, horizon), from day `first` after the last one on.

    Every path follows one explanation (drawn by its weight) with coefficients, noise and today's straying drawn from
    what history leaves open, and goes on straying as history did.
    """
    chosen = np.sort(rng.choice(len(found), size=paths, p=[c.weight for c in found]))
    result = np.empty((paths, horizon))
    ahead = np.arange(1, first + horizon)
    for number in np.unique(chosen):
        rows = np.flatnonzero(chosen == number)
        result[rows] = _paths(found[number], forms[found[number].form], ahead, len(rows), rng)[:, first - 1 :]
    return result[rng.permutation(paths)]


def _strays() -> Iterator[Stray]:
    """Return the ways to stray that are compared."""
    yield Stray()
    for walk in _WALKS:
        yield Stray(walk=walk)
    for memory, swing in _SWINGS:
        yield Stray(memory=memory, swing=swing)


def _smooth(days: NDArray[np.int64], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a parabola through a level, kept above a tenth of its mean: by how much deviations may grow with it."""
    x = (days - days[0]) / max(float(days[-1] - days[0]), 1.0)
    return np.asarray(np.maximum(np.polyval(np.polyfit(x, level, 2), x), 0.1 * float(level.mean())), dtype=np.float64)


def _fits(form: Weekly, name: Form) -> Iterator[tuple[float, Candidate]]:
    """Return each explanation with its score."""
    y, weeks = form.values, form.weeks
    n, last = len(y), float(weeks[-1])
    # What floating-point arithmetic leaves of an exact line is no straying.
    floor = 1e-18 * max(float(np.mean(y**2)), 1e-300)
    jacobian = float(np.sum(y)) if name == "factor" else float(np.log(form.scale).sum())
    shapes = [
        (bend, season, design(weeks, last, bend, season) / form.scale[:, None])
        for bend in (None, *(b for b in BENDS if last - b >= 26))
        for season in ((False, True) if last + 1 >= SEASON_WEEKS else (False,))
    ]
    # A kind of straying is as likely beforehand as another, however many sizes of it are tried.
    prior = {"noise": 0.0, "walk": -np.log(len(_WALKS)), "swing": -np.log(len(_SWINGS))}
    for stray in _strays():
        covariance = np.diag(7.0 / form.days) + stray.covariance(weeks, weeks)
        root = np.linalg.cholesky(covariance)
        log_det = 2 * float(np.log(np.diag(root)).sum())
        kind = "walk" if stray.walk else "swing" if stray.swing else "noise"
        white_y = np.linalg.solve(root, y)
        cross = np.linalg.solve(root, stray.covariance(weeks, weeks[-1:]))[:, 0]
        state_error = float(np.sqrt(max(stray.covariance(weeks[-1:], weeks[-1:])[0, 0] - cross @ cross, 0.0)))
        for bend, season, columns in shapes:
            white = np.linalg.solve(root, columns)
            p = white.shape[1]
            if n - p < 8:
                continue
            q, r = np.linalg.qr(white)
            coefficients = np.linalg.solve(r, q.T @ white_y)
            rest = white_y - white @ coefficients
            variance = max(float(rest @ rest) / n, floor)
            score = -0.5 * n * np.log(variance) - 0.5 * log_det - jacobian - 0.5 * p * np.log(n) + prior[kind]
            yield (
                float(score),
                Candidate(
                    form=name,
                    bend=bend,
                    season=season,
                    stray=stray,
                    weight=0.0,
                    noise=float(np.sqrt(variance * n / (n - p))),
                    spare=n - p,
                    coefficients=coefficients,
                    factor=np.linalg.inv(r),
                    last_state=float(cross @ rest),
                    last_slope=-(cross @ white),
                    last_error=state_error,
                ),
            )


def _paths(
    one: Candidate, form: Weekly, ahead: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Paths of one explanation, `ahead` days (1, 2, ...) after the last one, in the unit of the level."""
    noise = one.noise * np.sqrt(one.spare / rng.chisquare(one.spare, size=count))[:, None]
    off = (rng.standard_normal((count, len(one.coefficients))) @ one.factor.T) * noise
    state = one.last_state + off @ one.last_slope + one.last_error * noise[:, 0] * rng.standard_normal(count)
    last = float(form.weeks[-1])
    # The last weekly mean stands for the middle of its week, three days before the last day.
    columns = design(last + (ahead + 3) / 7, last, one.bend, one.season)
    mean = (one.coefficients + off) @ columns.T
    gaps = np.diff(np.concatenate(([-3], ahead))) / 7.0
    off_trend = np.zeros(mean.shape)
    stray = one.stray
    if stray.walk:
        off_trend += state[:, None] + np.cumsum(
            noise * np.sqrt(stray.walk * gaps) * rng.standard_normal((count, len(ahead))), axis=1
        )
    elif stray.swing:
        now = state[:, None] * stray.memory ** gaps[0]
        fade = stray.memory ** (1 / 7)
        shocks = noise * np.sqrt(stray.swing * (1 - fade**2)) * rng.standard_normal((count, len(ahead)))
        for k in range(len(ahead)):
            now = now[:, 0:1] * (fade if k else 1.0) + shocks[:, k : k + 1]
            off_trend[:, k] += now[:, 0]
    off_trend += form.weekday[ahead % 7]
    off_trend += _daily_noise(one, form, noise, (count, len(ahead)), rng)
    if one.form == "relative":
        return np.asarray(mean + np.maximum(mean, 0.0) * off_trend, dtype=np.float64)
    return np.exp(mean + off_trend) if one.form == "factor" else mean + off_trend


def _daily_noise(
    one: Candidate, form: Weekly, noise: NDArray[np.float64], shape: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.float64]:
    """What passes: deviations of days within their week as in the last year, and what weeks add to them."""
    spread = float(np.mean(form.within**2)) * 7 / 6
    # Shocks and swings move within the week, too; what they explain there is in the paths already.
    daily = one.stray.walk / 7 + 2 * one.stray.swing * (1 - one.stray.memory ** (1 / 7) if one.stray.swing else 0.0)
    left = max(spread - 4 / 3 * daily * one.noise**2 * 7 / 6, 0.0)
    drawn = form.within[rng.integers(0, len(form.within), size=shape)] * np.sqrt(7 / 6)
    result = drawn * np.sqrt(left / spread) if spread > 0 else np.zeros(shape)
    weeks = -(-shape[1] // 7)
    more = np.sqrt(np.maximum(noise**2 - left / 7, 0.0)) * rng.standard_normal((shape[0], weeks))
    return np.asarray(result + np.repeat(more, 7, axis=1)[:, : shape[1]], dtype=np.float64)
