"""The project file of a workspace: which files hold which metrics, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from forecasting.terms.history import Metric


@dataclass(frozen=True, kw_only=True)
class SourceSpec:
    """One file of metric rows."""

    name: str
    path: str
    """Path relative to the project file."""
    layout: Literal["long", "wide"] = "long"
    """long: one row per (service, metric, at); wide: one row per (service, at), a column per metric."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our column name → the file's, where they differ (service, metric, at, value)."""
    metrics: tuple[str, ...] = ()
    """wide: the metric columns to read; long: the metrics allowed (empty = every declared one)."""
    zone: str = "UTC"
    """IANA zone of timestamps that carry no offset."""
    duplicates: Literal["refuse", "last", "mean", "max"] = "refuse"
    """What to do with two different values for one (service, metric, at)."""


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
