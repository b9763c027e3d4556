"""What has been read of a catalogue so far, and the names that must still be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from forecasting.adapters._fields import Fields
from forecasting.terms.agreement import Agreement
from forecasting.terms.catalogue import Covariate, DemandDriver, Resource, Service
from forecasting.terms.errors import ForecastingError
from forecasting.terms.history import Metric
from forecasting.terms.service_level import Objective


@dataclass(kw_only=True)
class Reference:
    """A name that must be declared somewhere."""

    kind: str
    """``service``, ``metric``, ``count metric``, ``SLO``, ``customer`` or ``agreement``."""
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
    references: list[Reference] = field(default_factory=list)

    def refer(self, kind: str, name: str, fields: Fields, key: str, line: int | None = None) -> None:
        """Remember that `name` must exist."""
        if name:
            at = fields.line(key) if line is None else line
            path = f"{fields.path}.{key}"
            self.references.append(Reference(kind=kind, name=name, file=fields.file, line=at, path=path))
