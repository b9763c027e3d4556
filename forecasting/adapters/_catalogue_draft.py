"""What has been read of a catalogue so far, and the names that must still be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forecasting.adapters._fields import Fields
from forecasting.adapters._strict_yaml import Node
from forecasting.terms.agreement import Agreement
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition, NotificationTarget
from forecasting.terms.catalogue import (
    Covariate,
    DataSource,
    DemandDriver,
    MetricQuery,
    Notice,
    Resource,
    Service,
)
from forecasting.terms.covariate import PlannedEvent
from forecasting.terms.errors import ForecastingError
from forecasting.terms.hierarchy import DeclaredSum
from forecasting.terms.history import Metric
from forecasting.terms.measure import Measure
from forecasting.terms.scenario import HorizonDriver, Scenario
from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceCalendar


@dataclass(kw_only=True)
class Reference:
    """A name that must be declared somewhere."""

    kind: str
    """``service``, ``metric``, ``count metric``, ``SLO``, ``customer``, ``agreement``, ``resource`` ..."""
    name: str
    file: str
    line: int
    path: str


@dataclass(kw_only=True)
class Draft:
    """What has been read so far."""

    metrics: Mapping[str, Metric]
    currency: str | None
    problems: list[ForecastingError] = field(default_factory=list)
    services: dict[str, Service] = field(default_factory=dict)
    objectives: dict[str, list[Objective]] = field(default_factory=dict)
    """Objectives by the name of their SLO document."""
    agreements: dict[str, Agreement] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    drivers: dict[str, DemandDriver] = field(default_factory=dict)
    covariates: dict[str, Covariate] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    calendars: dict[str, ServiceCalendar] = field(default_factory=dict)
    scenarios: dict[str, Scenario] = field(default_factory=dict)
    horizon_drivers: dict[str, HorizonDriver] = field(default_factory=dict)
    measures: dict[str, Measure] = field(default_factory=dict)
    events: dict[str, PlannedEvent] = field(default_factory=dict)
    hierarchies: dict[str, DeclaredSum] = field(default_factory=dict)
    indicators: dict[str, Node] = field(default_factory=dict)
    """Spec of each SLI document, read where an SLO or an Agreement refers to it."""
    used_indicators: set[str] = field(default_factory=set)
    """SLI documents that an SLO refers to."""
    data_sources: dict[str, DataSource] = field(default_factory=dict)
    alert_conditions: dict[str, BurnRateCondition] = field(default_factory=dict)
    alert_policies: dict[str, AlertPolicy] = field(default_factory=dict)
    notification_targets: dict[str, NotificationTarget] = field(default_factory=dict)
    queries: dict[tuple[str, str], MetricQuery] = field(default_factory=dict)
    """Queries to outside sources by service and name of the metric they become."""
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is asked for each of the outside metrics, so that one name never means two things."""
    outside_metrics: dict[str, Metric] = field(default_factory=dict)
    """Metrics that exist only through `queries`."""
    notices: list[Notice] = field(default_factory=list)
    strict: bool = False
    """Whether OpenSLO documents are read by the reference rules alone."""
    references: list[Reference] = field(default_factory=list)
    damaged: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name of documents with a problem: a reference to one is not a second problem."""
    compared: int = 0
    """Names that references were compared with so far."""
    implied: set[str] = field(default_factory=set)
    """Services that no document declares, made because an SLO names them."""
    left_out: dict[str, str] = field(default_factory=dict)
    """SLO documents without an objective that can be judged, with the reason."""
    places: dict[tuple[str, str], Fields] = field(default_factory=dict)
    """The `spec` of documents by kind and name, so that a check of the whole can say where."""

    def notice(self, rule: str, fields: Fields, key: str, message: str) -> None:
        """Note something that was read in a way that people should know."""
        where = f"{fields.path}.{key}" if fields.path and key else fields.path or key
        line = fields.line(key)
        self.notices.append(Notice(rule=rule, file=fields.file, line=line, message=f"{where}: {message}"))

    def refer(self, kind: str, name: str, fields: Fields, key: str, line: int | None = None) -> None:
        """Remember that `name` must exist."""
        if name:
            at = fields.line(key) if line is None else line
            path = f"{fields.path}.{key}"
            self.references.append(Reference(kind=kind, name=name, file=fields.file, line=at, path=path))
