"""What the bad days of every agreed objective had in common, on data before the cut-off."""

from __future__ import annotations

from collections.abc import Mapping

from forecasting.service_levels.diagnosis import Candidate, DailyDriver, covariates_of, daily_driver, diagnose
from forecasting.terms.diagnosis import Diagnosis
from forecasting.terms.errors import Excuse
from forecasting.workflows.outlook import Fleet, Part, part_of
from forecasting.workflows.prepare import Prepared


def diagnoses(prepared: Prepared, fleet: Fleet) -> Mapping[Part, Diagnosis]:
    """Relate the badness of every agreed objective to the covariates that act on its service and to its demand.

    Parameters
    ----------
    prepared : Prepared
        Its history ends at the cut-off, so nothing later is looked at.
    fleet : Fleet
        Badness at that cut-off; an objective without one has no diagnosis.
    """
    found: dict[Part, Diagnosis] = {}
    laid: dict[tuple[str, str, str, str, str], DailyDriver | Excuse] = {}
    for promise in prepared.promises:
        part = part_of(promise.objective)
        if promise.agreement is None or part in found or part not in fleet.members:
            continue
        badness = fleet.members[part]
        drivers: list[DailyDriver | tuple[str, Excuse]] = []
        for name, label, service, metric, known_ahead in _acting_on(prepared, promise.objective.service):
            series = prepared.history.get(service, metric)
            if series is None:
                excuse = Excuse(
                    reason=f"no data of metric {metric} for service {service} before the cut-off",
                    what_would_help=f"ingest rows of {metric} for {service}",
                )
                drivers.append((name, excuse))
                continue
            # Members of one zone share the day axis, so a covariate is laid on it once.
            key = (name, service, metric, part[2], f"{badness.first_day}+{badness.days}")
            if key not in laid:
                candidate = Candidate(name=name, label=label, series=series, known_ahead=known_ahead)
                laid[key] = daily_driver(candidate, badness, part[2])
            answer = laid[key]
            drivers.append((name, answer) if isinstance(answer, Excuse) else answer)
        found[part] = diagnose(badness, drivers, seed=prepared.settings.seed)
    return found


def _acting_on(prepared: Prepared, service: str) -> list[tuple[str, str, str, str, bool]]:
    """Return (name, label, service, metric, known ahead) of everything that may go with a service's bad days."""
    catalogue = prepared.catalogue
    acting = [
        (c.name, c.description or c.name, c.service, c.metric, c.known_ahead) for c in covariates_of(catalogue, service)
    ]
    demand = catalogue.drivers.get(service)
    if demand is not None:
        acting.append((demand.name, "Demand of the day", demand.service, demand.metric, True))
    return acting
