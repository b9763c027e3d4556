"""Turns the documents of a catalogue into terms, one function for each kind; see `catalogues.yaml_folder`."""

from __future__ import annotations

from collections.abc import Callable

from forecasting.adapters._agreement_parts import read_agreement
from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._catalogue_fields import fields_of
from forecasting.adapters._driver_parts import read_horizon_driver, read_scenario
from forecasting.adapters._fields import Fields
from forecasting.adapters._measure_parts import read_measure
from forecasting.adapters._planned_parts import read_event, read_hierarchy
from forecasting.adapters._resource_parts import read_resource
from forecasting.adapters._service_time_parts import read_calendar
from forecasting.adapters.openslo import (
    read_condition,
    read_data_source,
    read_policy,
    read_service,
    read_sli,
    read_slo,
    read_target,
)
from forecasting.terms.catalogue import Covariate, DemandDriver

Reader = Callable[[Draft, str, str, Fields, Fields], None]


def read_driver(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a DemandDriver; a service has at most one."""
    spec = top.mapping("spec", fields_of("DemandDriver"), required=True)
    if spec is None:
        return
    service, metric = spec.name("service"), spec.text("metric", required=True)
    draft.refer("service", service, spec, "service")
    draft.refer("metric", metric, spec, "metric")
    if service in draft.drivers:
        other = draft.drivers[service].name
        spec.note("service", service, f"one DemandDriver a service ({other} is there already)", "remove one of them")
        return
    text = spec.text("description") or display
    draft.drivers[service] = DemandDriver(name=name, service=service, metric=metric, description=text)


def read_covariate(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Covariate; a metric of a service is one at most once."""
    spec = top.mapping("spec", fields_of("Covariate"), required=True)
    if spec is None:
        return
    service, metric = spec.name("service"), spec.text("metric", required=True)
    draft.refer("service", service, spec, "service")
    draft.refer("metric", metric, spec, "metric")
    known_ahead = spec.flag("knownAhead", default=False)
    other = next((c for c in draft.covariates.values() if (c.service, c.metric) == (service, metric)), None)
    if other is not None and metric:
        allowed = f"one Covariate a metric of a service ({other.name} is there already)"
        spec.note("metric", metric, allowed, "remove one of them")
        return
    text = spec.text("description") or display
    draft.covariates[name] = Covariate(
        name=name, service=service, metric=metric, known_ahead=known_ahead, description=text
    )


def read_customer(draft: Draft, name: str, display: str, metadata: Fields, top: Fields) -> None:
    """Read a Customer."""
    spec = top.mapping("spec", fields_of("Customer"))
    draft.customers[name] = (spec.text("displayName") if spec else "") or display or name


READERS: dict[tuple[str, str], Reader] = {
    ("forecasting/v1", "Customer"): read_customer,
    ("openslo/v1", "Service"): read_service,
    ("forecasting/v1", "Calendar"): read_calendar,
    ("openslo/v1", "DataSource"): read_data_source,
    ("openslo/v1", "AlertNotificationTarget"): read_target,
    ("openslo/v1", "AlertCondition"): read_condition,
    ("openslo/v1", "AlertPolicy"): read_policy,
    ("openslo/v1", "SLI"): read_sli,
    ("openslo/v1", "SLO"): read_slo,
    ("forecasting/v1", "Agreement"): read_agreement,
    ("forecasting/v1", "Resource"): read_resource,
    ("forecasting/v1", "DemandDriver"): read_driver,
    ("forecasting/v1", "Covariate"): read_covariate,
    ("forecasting/v1", "HorizonDriver"): read_horizon_driver,
    ("forecasting/v1", "Scenario"): read_scenario,
    ("forecasting/v1", "Measure"): read_measure,
    ("forecasting/v1", "PlannedEvent"): read_event,
    ("forecasting/v1", "Hierarchy"): read_hierarchy,
}
"""Kinds in the order in which they are read: an Agreement needs the SLOs and calendars, an SLO needs the services,
a Scenario the horizon drivers, a Measure the agreements."""
