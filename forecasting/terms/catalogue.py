"""The catalogue: services, objectives, agreements, resources and what drives demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from forecasting.terms.agreement import Agreement
from forecasting.terms.alerting import AlertPolicy, BurnRateCondition, NotificationTarget
from forecasting.terms.covariate import PlannedEvent
from forecasting.terms.hierarchy import DeclaredSum
from forecasting.terms.history import Metric
from forecasting.terms.measure import Measure
from forecasting.terms.scenario import HorizonDriver, Scenario
from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceCalendar


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service in the catalogue."""

    name: str
    display_name: str = ""
    description: str = ""
    tier: str = "standard"
    """Services of one tier lend each other history where their own is short."""
    depends_on: tuple[str, ...] = ()
    """Names of the services it needs."""
    zone: str = "UTC"
    """IANA zone of its local calendar."""
    country: str = ""
    """ISO 3166 code whose public holidays matter, or empty."""
    owner: str = ""


@dataclass(frozen=True, kw_only=True)
class DemandDriver:
    """The business quantity that causes a service's use."""

    name: str
    service: str
    metric: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class ErlangCModel:
    """Calls wait for one of c agents: service level = share answered within `answer_within_s`."""

    handling_time_s: Decimal
    answer_within_s: Decimal
    target: Decimal
    """Share to be answered in time, 0 to 1."""
    interval_minutes: int = 60
    """Length of the interval whose calls the demand metric counts."""
    occupancy_limit: Decimal | None = None
    """Largest share of their time that agents may be busy, above 0, at most 1; None = no limit of its own."""
    shrinkage: Decimal = Decimal(0)
    """Share of paid time in which an agent is not on line, 0 to below 1; units are then paid agents."""
    kind: Literal["erlang_c"] = "erlang_c"


@dataclass(frozen=True, kw_only=True)
class ErlangAModel:
    """Callers wait for one of c agents and some give up: M/M/c with exponential patience."""

    handling_time_s: Decimal
    patience_s: Decimal
    """Mean time a caller would wait before giving up."""
    answer_within_s: Decimal
    target: Decimal
    """Share of offered calls to be answered in time, 0 to 1."""
    interval_minutes: int = 60
    occupancy_limit: Decimal | None = None
    shrinkage: Decimal = Decimal(0)
    kind: Literal["erlang_a"] = "erlang_a"


@dataclass(frozen=True, kw_only=True)
class ErlangBModel:
    """Requests that find every unit taken are lost: lines, licences taken out for a while, parking places."""

    holding_time_s: Decimal
    """Mean time a unit is held."""
    target: Decimal
    """Share of requests to be served, 0 to 1 (1 − blocking)."""
    interval_minutes: int = 60
    kind: Literal["erlang_b"] = "erlang_b"


@dataclass(frozen=True, kw_only=True)
class QueueModel:
    """G/G/c: requests wait for one of c units; arrivals and service times of any variability (approximation)."""

    service_time_s: Decimal
    within_s: Decimal
    target: Decimal
    """Share of requests that wait at most `within_s`, 0 to 1."""
    arrival_cv: Decimal = Decimal(1)
    """Standard deviation ÷ mean of the time between arrivals, 0 or more; 1 = random (Poisson)."""
    service_cv: Decimal = Decimal(1)
    interval_minutes: int = 60
    kind: Literal["ggc"] = "ggc"


@dataclass(frozen=True, kw_only=True)
class ScalabilityModel:
    """Universal Scalability Law: throughput as a function of the number of units, with contention and crosstalk.

    Coefficients are given, or fitted on two metrics of the service that uses the resource.
    """

    gamma: Decimal | None = None
    """Throughput of one unit, metric units a slice."""
    alpha: Decimal | None = None
    """Contention, 0 to 1."""
    beta: Decimal | None = None
    """Crosstalk, 0 or more."""
    units_metric: str | None = None
    """Metric with the number of units in use per slice, for the fit."""
    throughput_metric: str | None = None
    """Metric with the throughput reached per slice, for the fit."""
    kind: Literal["usl"] = "usl"


@dataclass(frozen=True, kw_only=True)
class RedundancyModel:
    """k of n: enough of the n units must be up; k follows from the demand and what one unit carries (`per_unit`)."""

    unit_availability: Decimal
    """Share of time that one unit is up, 0 to 1."""
    target: Decimal
    """Share of time that enough units are up, 0 to 1."""
    common_cause: Decimal = Decimal(0)
    """Beta factor: share of a unit's unavailability that takes all units of its failure domain down together."""
    domains: int = 1
    """Failure domains over which units are spread evenly (racks, zones, circuits)."""
    kind: Literal["redundancy"] = "redundancy"


@dataclass(frozen=True, kw_only=True)
class BacklogModel:
    """Work that waits: tickets or overload; a unit works off `per_unit` a local day of its calendar."""

    within: timedelta
    """Age by which an item is to be done."""
    target: Decimal
    """Share of items done by then, 0 to 1."""
    calendar: str = ""
    """Service calendar on whose open days work is done and age counts, each as one day; empty = every day."""
    kind: Literal["backlog"] = "backlog"


@dataclass(frozen=True, kw_only=True)
class StaffingModel:
    """Callers wait for one of c(t) agents over a day whose load changes faster than a stationary queue settles."""

    handling_time_s: Decimal
    answer_within_s: Decimal
    target: Decimal
    interval_minutes: int = 60
    """Length of a period with one number of agents."""
    patience_s: Decimal | None = None
    """Mean patience; None = callers wait for ever."""
    occupancy_limit: Decimal | None = None
    shrinkage: Decimal = Decimal(0)
    kind: Literal["time_varying"] = "time_varying"


@dataclass(frozen=True, kw_only=True)
class ResponseCurveModel:
    """Share of bad events as a rising function of load ÷ capacity, fitted on the service's own history."""

    good: str | None
    """Metric counting good events per slice (or None when `bad` is given)."""
    bad: str | None
    total: str
    kind: Literal["response_curve"] = "response_curve"


@dataclass(frozen=True, kw_only=True)
class GrowingStockModel:
    """A stock that grows until it passes a usable limit: disk, licences, a commitment."""

    kind: Literal["growing_stock"] = "growing_stock"


CapacityModel = (
    ErlangCModel
    | ErlangAModel
    | ErlangBModel
    | QueueModel
    | ScalabilityModel
    | RedundancyModel
    | BacklogModel
    | StaffingModel
    | ResponseCurveModel
    | GrowingStockModel
)


@dataclass(frozen=True, kw_only=True)
class LeadStep:
    """One step between the wish for more capacity and its use; its length is triangular.

    Examples
    --------
    >>> LeadStep(name="delivery", low=timedelta(weeks=8), mode=timedelta(weeks=10), high=timedelta(weeks=16)).low.days
    56
    """

    name: str
    low: timedelta
    mode: timedelta
    high: timedelta
    before_order: bool = False
    """True for steps before the order goes out (decision, tender, approval): they separate decide-by from order-by."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something finite that a service uses, with what more of it costs and how long it takes."""

    name: str
    services: tuple[str, ...]
    """Services that use it."""
    metric_service: str
    """Service whose metric measures its use."""
    metric: str
    """Metric of its use (or of the demand on it) per slice."""
    model: CapacityModel
    unit: str
    """Unit of capacity, such as ``agents`` or ``TB``."""
    units_now: Decimal
    """Units in place."""
    per_unit: Decimal = Decimal(1)
    """Metric units that one capacity unit carries in a slice (1 where the units are the same)."""
    usable_share: Decimal = Decimal(1)
    """Usable limit as a share of the capacity (the policy or the knee), above 0, at most 1."""
    step_units: Decimal = Decimal(1)
    """Smallest increase that can be bought."""
    max_units: Decimal | None = None
    """Largest number of units that can be had, or None."""
    capex_per_unit: Decimal = Decimal(0)
    cost_per_unit_month: Decimal = Decimal(0)
    currency: str = "EUR"
    price_date: date | None = None
    lead_time: timedelta = timedelta(0)
    """From order to use."""
    description: str = ""
    lead_steps: tuple[LeadStep, ...] = ()
    """The lead time step by step, in order; empty = `lead_time` as a known length."""
    redundant_units: Decimal = Decimal(0)
    """Units that must stay free for failures (the k of N+k); not counted as usable."""
    min_units: Decimal = Decimal(0)
    """Fewest units that may be kept when capacity is given back."""
    lease_months: int = 0
    """Months for which added units are paid at least; 0 = they can be given back at any time."""
    kwh_per_unit_month: Decimal = Decimal(0)
    co2_kg_per_unit_month: Decimal = Decimal(0)
    order_cost: Decimal = Decimal(0)
    """Paid once an order, whatever its size (project, installation, negotiation)."""


@dataclass(frozen=True, kw_only=True)
class Covariate:
    """A series from outside that acts on a service and on all that depend on it, such as weather or a campaign.

    Examples
    --------
    >>> Covariate(name="jfk-wind", service="jfk", metric="wind_speed_kmh").known_ahead
    False
    """

    service: str
    """Service at which it is measured."""
    metric: str
    known_ahead: bool = False
    """Whether its future values are known (a calendar, a plan); observed weather is not."""
    name: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """A place that metrics can be asked of (OpenSLO kind)."""

    name: str
    kind: str
    """``Prometheus``, ``Datadog`` ... as written."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Connection details as written; never a secret."""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class MetricQuery:
    """How the values of a metric are asked of a data source: made from a `metricSource` that is not ours."""

    metric: str
    """Name the values get inside the workspace."""
    service: str
    source_kind: str
    """``Prometheus``, ``Datadog`` ... as written; empty where it is not said."""
    source: str
    """Name of the DataSource; empty where it is not said."""
    query: str
    """The query text, or the source's fields as JSON where there is no single one."""
    cumulative: bool = False
    """Whether its values are readings of running counters (`ratioMetric.counter`)."""
    details: str = ""
    """Other fields of the source than its query, as JSON; empty where there are none."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something in a document that was read with a named warning, or converted."""

    rule: str
    """Name of the rule, such as ``op-with-ratio-metric``."""
    file: str
    line: int | None
    message: str
    """What was found and how it was read."""


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything the organisation has promised and what it runs on.

    Examples
    --------
    >>> Catalogue(name="empty").services
    {}
    """

    name: str
    services: dict[str, Service] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()
    """SLOs outside agreements."""
    agreements: tuple[Agreement, ...] = ()
    resources: tuple[Resource, ...] = ()
    drivers: dict[str, DemandDriver] = field(default_factory=dict)
    """Demand driver by service."""
    customers: dict[str, str] = field(default_factory=dict)
    """Customer display name by id."""
    covariates: tuple[Covariate, ...] = ()
    version: str = ""
    """sha256 over its documents."""
    calendars: Mapping[str, ServiceCalendar] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    alert_policies: Mapping[str, AlertPolicy] = field(default_factory=dict)
    alert_conditions: Mapping[str, BurnRateCondition] = field(default_factory=dict)
    """Every condition by name, those that no policy refers to among them."""
    notification_targets: Mapping[str, NotificationTarget] = field(default_factory=dict)
    data_sources: Mapping[str, DataSource] = field(default_factory=dict)
    queries: tuple[MetricQuery, ...] = ()
    """Metrics of indicators that are asked of outside sources."""
    notices: tuple[Notice, ...] = ()
    """What was read with a warning (lenient mode)."""
    events: tuple[PlannedEvent, ...] = ()
    """Dated events, past and future."""
    measures: tuple[Measure, ...] = ()
    """What could be done beside buying more units."""
    horizon_drivers: tuple[HorizonDriver, ...] = ()
    """The driver register: what may change demand, prices or supply."""
    hierarchies: tuple[DeclaredSum, ...] = ()
    """Services whose metric is the sum of that of others."""

    def all_objectives(self) -> tuple[tuple[Agreement | None, Objective], ...]:
        """Return each objective with the agreement it belongs to (None for a plain SLO), agreements first."""
        promised = tuple((a, o) for a in self.agreements for o in a.objectives)
        return promised + tuple((None, o) for o in self.objectives)
