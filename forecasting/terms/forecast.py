"""Forecasts as sample paths, the back-tests behind them and the choice of a model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from forecasting.terms.errors import Excuse
from forecasting.terms.explanation import Explanation
from forecasting.terms.history import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class BacktestScore:
    """Out-of-sample accuracy of one model on one series, over rolling origins.

    All errors are relative to the scale s = mean |y(t) − y(t−m)| of the training part (MASE, SQL), so that
    1.0 is roughly the one-season-ahead naive error; lower is better.
    """

    model: str
    origins: int
    """Rolling origins scored."""
    mase: float
    """Mean absolute scaled error of the median."""
    sql: float
    """Scaled quantile loss: mean over levels of 2·pinball ÷ s."""
    mase_vs_naive: float
    """MASE ÷ MASE of seasonal naive on the same origins."""
    sql_vs_naive: float
    """SQL ÷ SQL of seasonal naive (with its own conformal interval) on the same origins."""
    coverage80: float
    """Share of outcomes inside the 80 % interval, 0 to 1 (judged on origins not used to set the interval)."""
    coverage95: float
    bias: float
    """Mean (forecast − outcome) ÷ s."""
    cpu_seconds: float
    """CPU time of one fit and forecast."""


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """Why a series is forecast by this model."""

    service: str
    metric: str
    chosen: str
    scores: tuple[BacktestScore, ...]
    """Every model that ran, seasonal naive always among them, best first."""
    declined: tuple[tuple[str, Excuse], ...]
    """Models that did not run, with their excuses."""
    reason: str
    """The choice in one sentence with its numbers."""

    def score(self, model: str) -> BacktestScore | None:
        """Return the score of `model`, or None where it did not run."""
        return next((s for s in self.scores if s.model == model), None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast:
    """Sample paths of one metric of one service after the cut-off.

    Quantiles, sums and peaks are views of the paths: dependence between slices is in them.
    """

    service: str
    metric: Metric
    start: datetime
    """UTC start of the first forecast slice."""
    step: timedelta
    zone: str
    paths: NDArray[np.float64]
    """Shape (n_paths, horizon), finite, inside the metric's bounds."""
    model: str
    """Model whose forecast this is."""
    cut_off: datetime
    """UTC instant before which all used data lie."""
    seed: int
    choice: ModelChoice | None = None
    fallback: str | None = None
    """Why another model than the chosen one had to answer; None when nothing happened."""
    explanation: Explanation | None = None
    """Why it is what it is; None where nobody asked or nothing can be said."""

    @property
    def horizon(self) -> int:
        """Number of forecast slices."""
        return int(self.paths.shape[1])

    def quantile(self, level: float) -> NDArray[np.float64]:
        """Return the marginal quantile at `level` (0 to 1) per slice, shape (horizon,)."""
        import numpy as np

        return np.asarray(np.quantile(self.paths, level, axis=0), dtype=np.float64)

    def mean(self) -> NDArray[np.float64]:
        """Return the mean over paths per slice, shape (horizon,)."""
        import numpy as np

        return np.asarray(self.paths.mean(axis=0), dtype=np.float64)
