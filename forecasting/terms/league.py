"""A league table: how well each way of forecasting did on the same series at the same origins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecasting.terms.errors import Excuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class CoverageCell:
    """How often outcomes fell into the central interval of a level.

    Examples
    --------
    >>> CoverageCell(level=0.8, share=0.77, outcomes=1200, first_step=1, last_step=12).stratum
    ''
    """

    level: float
    """Nominal share, such as 0.8."""
    share: float
    """Share inside, 0 to 1: of each series, then averaged over series; NaN without outcomes."""
    outcomes: int
    """Known outcomes behind it."""
    first_step: int
    """First and last step ahead that count, from 1."""
    last_step: int
    stratum: str = ""
    """Group of series; empty = all."""


@dataclass(frozen=True, kw_only=True)
class LeagueRow:
    """One entry of a league table; lower is better unless said otherwise.

    Relative errors are the entry's ÷ the reference's on the same series, clipped to [0.01, 100]; gm is their geometric
    mean over series, with a 95 % bootstrap interval over series.
    """

    entry: str
    """A model's name, ``default`` for the stage's own choice, or the reference."""
    series: int
    """Series forecast."""
    scored: int
    """Series whose scale and reference error allow a relative error."""
    gm_sql: float
    """Relative scaled quantile loss."""
    gm_sql_low: float
    gm_sql_high: float
    gm_mase: float
    """Relative MASE of the median."""
    gm_mase_low: float
    gm_mase_high: float
    sql: float
    """Mean over series of the scaled quantile loss: mean over deciles of 2 · pinball ÷ s."""
    mase: float
    """Mean over series of the mean absolute scaled error."""
    msis95: float
    """Mean over series of the mean scaled interval score of the 95 % interval."""
    wql: float
    """Weighted quantile loss: sum over series of the quantile loss ÷ sum of |outcome|."""
    smape: float
    """Symmetric mean absolute percentage error, 0 to 200 %."""
    owa: float
    """Mean of the ratios of sMAPE and of MASE to the reference's (M4's definition; its reference was Naive2)."""
    bias: float
    """Mean over series of (median forecast − outcome) ÷ s; above 0 = forecasts too much."""
    worse_than_naive: float
    """Share of the scored series whose quantile loss is above the reference's, 0 to 1."""
    coverage: tuple[CoverageCell, ...]
    """50, 80, 90 and 95 %: overall, by horizon bucket, by stratum."""
    calibration: tuple[tuple[float, float], ...]
    """(level, share of outcomes at or below the quantile of that level)."""
    cpu_seconds: float
    """CPU seconds of one forecast (one series at one origin, its own back-tests included)."""
    fallback_rate: float
    """Share of forecasts that another model than the chosen one had to answer, or the reference, 0 to 1."""
    replaced_rate: float
    """Share of forecasts that gave no number and were replaced by the reference's, 0 to 1 (among the fallbacks)."""
    answered_by: tuple[tuple[str, int], ...] = ()
    """Forecasts by the model that answered, most frequent first."""
    excuses: tuple[tuple[str, int], ...] = ()
    """Why the entry gave no forecast, with how often, most frequent first (ten at most)."""

    @property
    def skill(self) -> float:
        """1 − relative scaled quantile loss: 0 = as good as the reference, 1 = perfect."""
        return 1 - self.gm_sql

    @property
    def calibration_error(self) -> float:
        """Mean over levels of |share at or below the quantile − level|."""
        return sum(abs(share - level) for level, share in self.calibration) / max(len(self.calibration), 1)

    def coverage_at(self, level: float) -> float:
        """Return the overall coverage at `level`, NaN where it was not computed."""
        return next((c.share for c in self.coverage if c.level == level), float("nan"))


@dataclass(frozen=True, kw_only=True, eq=False)
class League:
    """A league table with the scores of every series behind it.

    E is the number of entries and S that of series; arrays are in the order of `rows` and `series`.
    """

    rows: tuple[LeagueRow, ...]
    """Best relative quantile loss first; the reference is among them."""
    reference: str
    """Entry that the others are relative to."""
    series: tuple[tuple[str, str], ...]
    """(service, metric) of each series scored."""
    strata: tuple[str, ...]
    """Group of each series."""
    sql: NDArray[np.float64]
    """Shape (E, S): scaled quantile loss; NaN where the series cannot be scaled."""
    mase: NDArray[np.float64]
    """Shape (E, S)."""
    msis95: NDArray[np.float64]
    """Shape (E, S)."""
    coverage80: NDArray[np.float64]
    """Shape (E, S): share of outcomes inside the 80 % interval."""
    bias: NDArray[np.float64]
    """Shape (E, S): mean (median forecast − outcome) ÷ s."""
    horizon: int
    """Slices scored at each origin."""
    origins: int
    """Rolling origins asked for; a short series may have fewer."""
    seed: int
    excluded: tuple[tuple[tuple[str, str], Excuse], ...] = ()
    """Series that were too short to be scored, with the reason."""
    paths: int = 0
    """Sample paths of each forecast; 0 = not known."""
    data_sha256: str = ""
    """Over the names, times and values of all series, excluded ones too; empty = not known."""

    @property
    def entries(self) -> tuple[str, ...]:
        """Names in the order of `rows`."""
        return tuple(row.entry for row in self.rows)

    def row(self, entry: str) -> LeagueRow | None:
        """Return the row of `entry`, or None where there is none."""
        return next((row for row in self.rows if row.entry == entry), None)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two entries compared on the same series.

    Examples
    --------
    >>> c = Comparison(first="a", second="b", score="sql", series=40, ratio=0.9, low=0.85, high=0.95,
    ...     first_better=0.99, wins=0.7, verdict="a is better than b")
    >>> c.ratio < 1
    True
    """

    first: str
    second: str
    score: str
    """``sql`` or ``mase``."""
    series: int
    """Series on which both have the score."""
    ratio: float
    """Geometric mean over series of first's score ÷ second's; below 1 = first is better."""
    low: float
    """95 % interval of `ratio`, bootstrap over series."""
    high: float
    first_better: float
    """P(ratio < 1): share of the bootstrap draws, half of the ties, 0 to 1."""
    wins: float
    """Share of the series on which first is better, half of the ties, 0 to 1."""
    verdict: str
    """The answer in words, with its numbers."""
