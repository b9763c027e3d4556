"""The project file of a workspace: which files hold which metrics, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from forecasting.terms.history import Metric
from forecasting.terms.warning import Severity


@dataclass(frozen=True, kw_only=True)
class QuerySpec:
    """One query to a server and the metric its answer becomes."""

    metric: str
    query: str
    service: str = ""
    """Service of the values; empty = the value of `service_label`."""
    service_label: str = ""
    """Label of the answer that holds the service's name."""
    cumulative: bool = False
    """Whether the values are readings of running counters: each is then of the instant asked for, not of the slice that
    ends there."""


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One source of metric rows or tickets: a file, a database or a server."""

    name: str
    path: str = ""
    """Path relative to the project file (files only)."""
    kind: Literal["file", "tickets", "sql", "prometheus", "openmetrics"] = "file"
    """file, tickets, openmetrics: what is at `path` (by suffix); sql, prometheus: what a server answers."""
    url: str = ""
    """prometheus: base URL; its host is the only one that is asked. sql: SQLAlchemy URL without a password."""
    url_env: str = ""
    """sql, prometheus: environment variable that holds the URL (with its secrets) instead."""
    token_env: str = ""
    """prometheus: environment variable that holds a bearer token."""
    query: str = ""
    """sql: SELECT that gives the columns of the layout; may use :since and :until (UTC)."""
    queries: tuple[QuerySpec, ...] = ()
    """prometheus: what is asked; PromQL for query_range."""
    since: datetime | None = None
    """sql, prometheus: earliest instant asked for (UTC)."""
    overlap: timedelta = timedelta(hours=1)
    """sql, prometheus: how far before the latest stored row each ingest asks again, for late data."""
    corrections: Literal["refuse", "restate"] = "refuse"
    """What to do with another value for a stored (service, metric, at): refuse, or keep both, the later one valid."""
    layout: Literal["long", "wide"] = "long"
    """long: one row per (service, metric, at); wide: one row per (service, at), a column per metric."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column name → the file's, where they differ (service, metric, at, value; tickets: those of a ticket)."""
    metrics: tuple[str, ...] = ()
    """wide: the metric columns to read; long: the metrics allowed (empty = every declared one)."""
    zone: str = "UTC"
    """IANA zone of timestamps that carry no offset."""
    duplicates: Literal["refuse", "last", "mean", "max"] = "refuse"
    """What to do with two different values for one (service, metric, at)."""


@dataclass(frozen=True, kw_only=True)
class NotifierSpec:
    """One receiver of early warnings."""

    name: str
    kind: Literal["json_lines", "webhook", "smtp", "alertmanager"]
    url: str = ""
    """webhook, alertmanager: where to post; its host is the only one that is asked. smtp: smtp(s)://host:port."""
    url_env: str = ""
    """Environment variable that holds the URL (with its secrets) instead."""
    token_env: str = ""
    """webhook, alertmanager: environment variable with a bearer token. smtp: variable with the password."""
    user: str = ""
    """smtp: user name, where the server asks for one."""
    sender: str = ""
    """smtp: address in From."""
    to: tuple[str, ...] = ()
    """smtp: addresses in To."""
    path: str = ""
    """json_lines: file relative to the workspace."""
    payload: Literal["slack", "record"] = "slack"
    """webhook: a text with blocks as Slack takes it, or the whole record of the notice with a text."""
    at_least: Severity = Severity.INFO
    """Warnings below this severity are not told to this receiver."""
    repeat_every: timedelta = timedelta(minutes=1)
    """alertmanager: how often standing warnings are sent again."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """What `forecasting.yaml` says."""

    name: str
    organisation: str
    catalogue: str
    """Folder of catalogue documents, relative to the project file."""
    metrics: Mapping[str, Metric]
    sources: tuple[SourceSpec, ...]
    currency: str = "EUR"
    """Currency of the plan's totals; every agreement and resource must use it."""
    zone: str = "UTC"
    """IANA zone in which a date given as `--as-of` begins."""
    mode: Literal["lenient", "strict"] = "lenient"
    """How OpenSLO documents are read: by the reference rules, or the same with named warnings."""
    store_url_env: str = ""
    """Environment variable with the URL of a shared PostgreSQL for ledger and metrics; empty = workspace files."""
    notifiers: tuple[NotifierSpec, ...] = ()
    """Who is told of early warnings by `watch`."""
