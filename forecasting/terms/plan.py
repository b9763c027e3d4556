"""The whole result of a run: what the plan prints, and nothing it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from forecasting.terms.agreement import Agreement
from forecasting.terms.audit import CatalogueFinding
from forecasting.terms.breach import AlarmScore, BreachRisk, RiskScore
from forecasting.terms.capacity import Requirement
from forecasting.terms.catalogue import Service
from forecasting.terms.credit import CreditLine
from forecasting.terms.diagnosis import DriverRelation
from forecasting.terms.errors import Excuse
from forecasting.terms.forecast import Forecast, ModelChoice
from forecasting.terms.history import Series, SeriesQuality
from forecasting.terms.proposal import Proposal
from forecasting.terms.restatement import Restatement
from forecasting.terms.service_level import Attainment, Objective, Period
from forecasting.terms.warning import EarlyWarning

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """What a result was computed from; the same manifest gives the same numbers."""

    run_id: str
    """First 16 hex digits of the sha256 over the other fields."""
    as_of: datetime
    seed: int
    paths: int
    code_version: str
    catalogue_version: str
    """sha256 over the catalogue's documents."""
    data_version: str
    """sha256 over the rows read."""
    libraries: tuple[tuple[str, str], ...]
    """Versions of the libraries that compute."""
    settings: tuple[tuple[str, str], ...] = ()
    batch: int = 0
    """Last batch of the metric store that was read; where it was read, not what: no part of `run_id`."""
    sequence: int = 0
    """Last row of the ledger that was read; likewise no part of `run_id`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectiveOutlook:
    """One objective: what was delivered and what is to be expected."""

    agreement: Agreement | None
    objective: Objective
    attainments: tuple[Attainment, ...]
    """Closed windows, oldest first, and the running one last if there is one."""
    risks: tuple[BreachRisk, ...]
    """Running window first, then the next ones."""
    excuse: Excuse | None = None
    """Why there is no risk figure; None where there is one."""
    drivers: tuple[DriverRelation, ...] = ()
    """How past bad days went with weather, demand and the like, smallest p-value first; significant or not."""
    drivers_declined: tuple[tuple[str, Excuse], ...] = ()
    """Drivers that could not be judged, with the reason."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceOutlook:
    """Everything the plan says of one service."""

    service: Service
    demand: Series | None
    """Demand per local day, for the chart; None where the service has no demand driver."""
    forecast: Forecast | None
    choice: ModelChoice | None
    objectives: tuple[ObjectiveOutlook, ...]
    quality: tuple[SeriesQuality, ...]
    recommendation: str
    """One sentence."""
    excuse: Excuse | None = None
    """Why demand could not be forecast; None where it was."""


@dataclass(frozen=True, kw_only=True)
class PortfolioOutlook:
    """All agreements together in one period, with their dependence."""

    period: Period
    agreements: int
    probability_all_met: float
    """P(every objective of every agreement is met), from the joint paths."""
    expected_misses: float
    misses_p90: float
    expected_credit: float
    expected_loss: float
    loss_p95: float
    """95 % quantile of credits + losses over the joint paths."""
    currency: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Result of `forecasting.plan`: reports are drawn from this and from nothing else."""

    organisation: str
    manifest: RunManifest
    as_of: datetime
    horizon_end: datetime
    currency: str
    services: tuple[ServiceOutlook, ...]
    portfolio: tuple[PortfolioOutlook, ...]
    requirements: tuple[Requirement, ...]
    capacity_excuses: tuple[tuple[str, Excuse], ...]
    """Resources that could not be assessed, with the reason."""
    proposals: tuple[Proposal, ...]
    """Most valuable first."""
    warnings: tuple[EarlyWarning, ...]
    risk_score: RiskScore | None
    """Track record from replaying the past; None where there is too little of it."""
    alarm_score: AlarmScore | None
    assumptions: tuple[str, ...]
    data_first: date
    data_last: date
    restatements: tuple[Restatement, ...] = ()
    """Final attainments that were replaced in the last year, oldest first."""
    credits: tuple[CreditLine, ...] = ()
    """Credits of the closed windows, oldest first."""
    findings: tuple[CatalogueFinding, ...] = ()
    """What the audit of the catalogue found."""
    record: tuple[ObjectiveOutlook, ...] = ()
    """Every closed window of every promise, of ended agreements too: what the ledger keeps and credits come from.

    `services` hold the latest windows only, as they are printed."""

    def frames(self) -> Mapping[str, pd.DataFrame]:
        """Return the results as pandas frames: attainment, risks, choices, requirements, options, drivers."""
        from forecasting.terms.frames import plan_frames

        return plan_frames(self)
