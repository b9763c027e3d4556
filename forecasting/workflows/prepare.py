"""From rows and catalogue to a prepared run: history on grids, events of every objective, windows, manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING

from forecasting.history.calendar import DAY, resample_days, zone_of
from forecasting.history.grid import build_history
from forecasting.history.quality import assess_quality
from forecasting.history.tickets import tickets_known
from forecasting.service_levels.breach.cut import JointSlices, joint_slices, simulated_slices
from forecasting.service_levels.breach.limits import Workload, workload_of
from forecasting.service_levels.breach.planned import PlannedTime, planned_time
from forecasting.service_levels.composite import component_of
from forecasting.service_levels.events import Events, counts_slices, events_of
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.agreement import Agreement
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.history import History, MetricKind, Series, SeriesQuality
from forecasting.terms.indicator import CompositeIndicator
from forecasting.terms.plan import RunManifest
from forecasting.terms.service_level import BudgetingMethod, Objective, Period
from forecasting.terms.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("numpy", "scipy", "pandas", "statsmodels", "prophet", "scikit-learn", "holidays")
"""Libraries whose version can change a number."""
LONGEST_AHEAD = timedelta(days=460)
"""Windows after the running one are stated as far as this: four quarters after the one that runs."""
BEYOND_HORIZON = timedelta(days=35)
"""By which the horizon is lengthened to the end of the windows: four months after the one that runs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Promise:
    """One objective with the agreement it belongs to, its events and its windows."""

    agreement: Agreement | None
    objective: Objective
    events: Events | Excuse
    coming: tuple[Period, ...]
    judged: Events | Excuse | None = None
    """What is simulated: time slices where the method counts them; None = the events themselves."""
    components: Mapping[str, tuple[Objective, Events]] | None = None
    """Of a composite: its components with their events; its own events are an excuse then."""
    joint: JointSlices | None = None
    """Of a composite of method Timeslices: its slices judged jointly, which are simulated."""
    parts: tuple[Promise, ...] = ()
    """Of a composite whose components are weighed: each component as the composite judges it, simulated by itself."""
    workload: Workload | Excuse | None = None
    """Demand beside what is simulated, where a workload limit changes what counts; an excuse without demand."""
    planned: PlannedTime | None = None
    """Time that counts by plan, where it differs from day to day."""

    @property
    def simulated(self) -> Events | Excuse:
        """Events whose badness is simulated, in the unit of the attainment."""
        return self.events if self.judged is None else self.judged

    @property
    def excuse(self) -> Excuse | None:
        """Why there are no data to judge; None where there are some."""
        if self.components is not None:
            return None
        return self.events if isinstance(self.events, Excuse) else None

    def asked(self, coming: tuple[Period, ...]) -> Promise:
        """Return the same promise, asked about other windows."""
        return replace(self, coming=coming, parts=tuple(part.asked(coming) for part in self.parts))

    @property
    def key(self) -> tuple[str, str, str]:
        """Identity: (service, agreement or empty, objective)."""
        return self.objective.service, self.agreement.id if self.agreement else "", self.objective.name


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """Everything that is known at the cut-off."""

    catalogue: Catalogue
    organisation: str
    currency: str
    zone: str
    """IANA zone of the organisation's calendar."""
    settings: Settings
    manifest: RunManifest
    history: History
    daily: Mapping[tuple[str, str], Series]
    """Every series per local day, by (service, metric)."""
    promises: tuple[Promise, ...]
    quality: tuple[SeriesQuality, ...]
    as_of: datetime
    horizon_end: datetime
    """End of the days that are planned for: demand and capacity are forecast so far."""

    @property
    def windows_end(self) -> datetime:
        """End of the last window that is stated; later than the horizon where windows are long (quarters)."""
        return max((p.coming[-1].end for p in self.promises if p.coming), default=self.horizon_end)


def prepare(
    catalogue: Catalogue,
    rows: pd.DataFrame,
    *,
    organisation: str,
    currency: str,
    zone: str,
    as_of: datetime,
    settings: Settings,
    code_version: str,
    tickets: pd.DataFrame | None = None,
) -> Prepared:
    """Lay out what is known before `as_of`; nothing at or after it is looked at.

    Parameters
    ----------
    catalogue : Catalogue
    rows : DataFrame
        Canonical rows (service, metric, at naive UTC, value), at least all before `as_of`.
    organisation, currency, zone : str
        As the project file says.
    as_of : datetime
        UTC instant.
    settings : Settings
    code_version : str
        Version of this package, for the manifest.
    tickets : DataFrame, optional
        Ticket rows (columns of `terms.ticket.TICKET_COLUMNS`); what happened at or after `as_of` is not looked at.

    Raises
    ------
    InputError
        Without any row before `as_of`, or for rows that break a rule.
    """
    zones = {name: service.zone for name, service in catalogue.services.items()}
    known = rows[rows["service"].isin(list(zones)) & rows["metric"].isin(list(catalogue.metrics))]
    history = build_history(known, catalogue.metrics, zones, as_of)
    if tickets is not None and len(tickets):
        history = replace(history, tickets=tickets_known(tickets[tickets["service"].isin(list(zones))], as_of))
    if not history.series and history.tickets is None:
        raise InputError(
            argument="as_of",
            came=as_of.isoformat(),
            allowed="an instant after the first ingested row",
            try_instead="forecasting ingest, then a later --as-of",
        )
    masks = TimeMasks()
    promises = tuple(
        promise_of(catalogue, history, agreement, objective, _coming(agreement, objective, as_of, settings), masks)
        for agreement, objective in catalogue.all_objectives()
        if agreement is None or _valid(agreement, as_of)
    )
    return Prepared(
        catalogue=catalogue,
        organisation=organisation,
        currency=currency,
        zone=zone,
        settings=settings,
        manifest=_manifest(catalogue, history, as_of, settings, code_version),
        history=history,
        daily={key: _by_day(series) for key, series in history.series.items()},
        promises=promises,
        quality=tuple(assess_quality(series, as_of) for _, series in sorted(history.series.items())),
        as_of=as_of,
        horizon_end=_horizon_end(promises, as_of, settings),
    )


def _horizon_end(promises: Sequence[Promise], as_of: datetime, settings: Settings) -> datetime:
    """Return the end of the last window that lies near, or runs; windows further ahead have the traffic of then."""
    near = as_of + timedelta(days=settings.horizon_days) + BEYOND_HORIZON
    ends = [p.end for promise in promises for k, p in enumerate(promise.coming) if k == 0 or p.end <= near]
    return max(ends, default=as_of + timedelta(days=settings.horizon_days))


def _by_day(series: Series) -> Series:
    """Return a series per local day; of a slice of several days each has an equal part, or the same level."""
    if series.step <= DAY:
        return resample_days(series)
    import numpy as np

    days = series.step // DAY
    each = series.values / days if series.metric.kind is MetricKind.COUNT else series.values
    return replace(series, step=DAY, values=np.repeat(each, days))


def promise_of(
    catalogue: Catalogue,
    history: History,
    agreement: Agreement | None,
    objective: Objective,
    coming: tuple[Period, ...],
    masks: TimeMasks,
) -> Promise:
    """Count the events of one promise, and of its components where it is a composite."""
    parts = components_of(catalogue, history, objective, masks)
    if isinstance(parts, Excuse):
        return Promise(agreement=agreement, objective=objective, events=parts, coming=coming)
    events = events_of(objective, history, calendars=catalogue.calendars, masks=masks)
    if parts is not None:
        made = Promise(agreement=agreement, objective=objective, events=events, coming=coming, components=parts)
        return _composite(made, catalogue, history, masks)
    return _counted(
        Promise(agreement=agreement, objective=objective, events=events, coming=coming), catalogue, history, masks
    )


def _composite(promise: Promise, catalogue: Catalogue, history: History, masks: TimeMasks) -> Promise:
    """Judge the slices of a composite jointly, or prepare each component by itself."""
    assert promise.components is not None
    if promise.objective.method is BudgetingMethod.TIMESLICES:
        joint = joint_slices(promise.objective, promise.components, as_of=history.cut_off, masks=masks)
        return replace(promise, joint=joint, judged=joint.events)
    indicator = promise.objective.indicator
    assert isinstance(indicator, CompositeIndicator)
    named = (promise.components[c.objective] for c in indicator.components)
    return replace(
        promise,
        parts=tuple(
            _counted(
                Promise(
                    agreement=None, objective=component_of(promise.objective, part), events=events,
                    coming=promise.coming,
                ),
                catalogue, history, masks,
            )
            for part, events in named
        ),
    )  # fmt: skip


def _counted(promise: Promise, catalogue: Catalogue, history: History, masks: TimeMasks) -> Promise:
    """Return a promise with what is simulated of it: slices as they count, without its workload limit."""
    objective, events = promise.objective, promise.events
    if isinstance(events, Excuse):
        return promise
    plain, judged = events, None
    limited = objective.workload_metric is not None
    if limited:
        # What happens does not depend on a limit; the objectives of a service with and without one share it.
        free = replace(objective, workload_metric=None, workload_limit=None)
        found = events_of(free, history, calendars=catalogue.calendars, masks=masks)
        if isinstance(found, Excuse):
            return promise
        plain = judged = found
    if counts_slices(objective):
        judged = simulated_slices(objective, plain, as_of=history.cut_off, masks=masks)
    workload = None
    if limited and judged is not None:
        as_limited = simulated_slices(objective, events, as_of=history.cut_off, masks=masks)
        workload = workload_of(objective, history, plain, judged, as_limited)
    end = max((p.end for p in promise.coming), default=history.cut_off)
    return replace(
        promise,
        judged=judged,
        workload=workload,
        planned=planned_time(objective, plain, until=end, masks=masks),
    )


def components_of(
    catalogue: Catalogue, history: History, objective: Objective, masks: TimeMasks
) -> Mapping[str, tuple[Objective, Events]] | Excuse | None:
    """Return the components of a composite with their events, counted as the composite judges them.

    Returns
    -------
    mapping of str to (Objective, Events), Excuse or None
        None for an objective that is no composite; an excuse where a component is unknown or has no data.
    """
    if not isinstance(objective.indicator, CompositeIndicator):
        return None
    by_name = {o.name: o for _, o in reversed(catalogue.all_objectives())}
    parts: dict[str, tuple[Objective, Events]] = {}
    for component in objective.indicator.components:
        part = by_name.get(component.objective)
        if part is None:
            return Excuse(
                reason=f"component {component.objective} of {objective.name} is not in the catalogue",
                what_would_help=f"an SLO named {component.objective}",
            )
        events = events_of(component_of(objective, part), history, calendars=catalogue.calendars, masks=masks)
        if isinstance(events, Excuse):
            return events
        parts[component.objective] = (part, events)
    return parts


def _coming(
    agreement: Agreement | None, objective: Objective, as_of: datetime, settings: Settings
) -> tuple[Period, ...]:
    """Return the running window and the next ones inside the horizon and the agreement's validity."""
    periods = coming_periods(objective.window, as_of=as_of, ahead=settings.windows_ahead)
    limit = as_of + max(LONGEST_AHEAD, timedelta(days=settings.horizon_days))
    until = agreement.valid_until if agreement else None
    zone = zone_of(objective.window.zone)
    return periods[:1] + tuple(
        p for p in periods[1:] if p.end <= limit and (until is None or p.start.astimezone(zone).date() <= until)
    )


def _valid(agreement: Agreement, as_of: datetime) -> bool:
    """Say whether an agreement applies on the day of `as_of`."""
    today = as_of.date()
    return agreement.valid_from <= today and (agreement.valid_until is None or today <= agreement.valid_until)


def _manifest(
    catalogue: Catalogue, history: History, as_of: datetime, settings: Settings, code_version: str
) -> RunManifest:
    """Hash what the result depends on."""
    data = hashlib.sha256()
    for (service, metric), series in sorted(history.series.items()):
        data.update(f"{service}\x1f{metric}\x1f{series.start.isoformat()}\x1f{series.step}".encode())
        data.update(series.values.tobytes())
    if history.tickets is not None:
        data.update(history.tickets.to_csv(index=False).encode())
    knobs = tuple((name, str(value)) for name, value in sorted(asdict(settings).items()) if name != "jobs")
    libraries = tuple((name, version(name)) for name in LIBRARIES)
    fields = [
        as_of.isoformat(),
        code_version,
        catalogue.version,
        data.hexdigest(),
        [list(pair) for pair in libraries],
        [list(pair) for pair in knobs],
    ]
    return RunManifest(
        run_id=hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16],
        as_of=as_of,
        seed=settings.seed,
        paths=settings.paths,
        code_version=code_version,
        catalogue_version=catalogue.version,
        data_version=data.hexdigest(),
        libraries=libraries,
        settings=knobs,
    )
