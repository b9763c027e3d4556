"""What the work with trained models gives back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from forecasting.forecasts.compare import FEW_SERIES
from forecasting.terms.drift import DriftFinding
from forecasting.terms.errors import Excuse
from forecasting.terms.league import Comparison, LeagueRow
from forecasting.terms.registry import ModelVersion


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A challenger beside the champion, on the same origins."""

    champion: ModelVersion
    challenger: ModelVersion
    comparison: Comparison
    """Challenger ÷ champion."""
    rows: tuple[LeagueRow, ...]
    horizon: int
    origins: int
    data_sha256: str

    @property
    def safe(self) -> bool:
        """Whether the interval excludes that the challenger is worse, on enough series to say so."""
        return self.comparison.series >= FEW_SERIES and self.comparison.high <= 1


@dataclass(frozen=True, kw_only=True)
class Promoted:
    """A version that is in force from now on."""

    version: ModelVersion
    over: ModelVersion | None
    because: str


@dataclass(frozen=True, kw_only=True)
class SeriesDrift:
    """Whether the errors on one series are still what they were."""

    service: str
    metric: str
    finding: DriftFinding | Excuse
    outcomes: int
    """Known outcomes since the model was trained."""
    gone: bool = False
    """Whether the series is not in the data any more."""


@dataclass(frozen=True, kw_only=True)
class ModelDrift:
    """Whether a model has to be refitted."""

    version: ModelVersion
    trained: datetime
    series: tuple[SeriesDrift, ...]

    @property
    def drifted(self) -> tuple[SeriesDrift, ...]:
        """Series with drift."""
        return tuple(one for one in self.series if isinstance(one.finding, DriftFinding) and one.finding.drifted)

    @property
    def checked(self) -> int:
        """Series that could be checked on some outcome."""
        return sum(1 for one in self.series if isinstance(one.finding, DriftFinding) and one.outcomes > 0)

    @property
    def advice(self) -> str:
        """What to do, in words."""
        if self.drifted:
            return f"refit: {len(self.drifted)} of {self.checked} series drifted; forecasting models log, then promote"
        if not self.checked:
            return "nothing to judge by yet: no series with outcomes since the model was trained"
        return f"keep {self.version.name} version {self.version.version}: no drift in {self.checked} series"
