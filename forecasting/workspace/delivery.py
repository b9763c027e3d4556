"""Attainments of a large catalogue in bounded memory: services are read and judged group by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from forecasting.workflows.delivered import Delivered
    from forecasting.workspace.workspace import Workspace

GROUP = 25
"""Services read at once: a few million rows of a year of minutes."""


def read_delivered(
    workspace: Workspace,
    as_of: str | date | datetime | None,
    *,
    services: Sequence[str] | None,
    progress: Callable[[str], None],
) -> tuple[Delivered, ...]:
    """Return what was delivered in every window of every promise of the services."""
    from forecasting.history.grid import build_history
    from forecasting.history.tickets import tickets_known
    from forecasting.terms.history import History
    from forecasting.workflows.delivered import delivered, services_needed

    catalogue = workspace.catalogue
    for name in services or ():
        if name not in catalogue.services:
            from forecasting.adapters._fields import listed, nearest

            raise InputError(
                argument="service",
                came=name,
                allowed=f"a service of the catalogue ({listed(catalogue.services)})",
                try_instead=nearest(name, catalogue.services) or "forecasting catalogue check",
            )
    workspace.need_rows()
    instant = workspace.instant(as_of)
    batch = workspace.position()[0]
    tickets = workspace.metrics.read_tickets(batch=batch)
    known_tickets = tickets_known(tickets, instant) if len(tickets) else None
    zones = {name: service.zone for name, service in catalogue.services.items()}
    wanted = sorted({o.service for _, o in catalogue.all_objectives() if services is None or o.service in services})
    found: list[Delivered] = []
    progress("reading")
    for first in range(0, len(wanted), GROUP):
        group = wanted[first : first + GROUP]
        needed = services_needed(catalogue, group)
        rows = workspace.metrics.read(
            until=instant, services=needed, metrics=metrics_needed(workspace, needed), batch=batch
        )
        rows = rows[rows["metric"].isin(list(catalogue.metrics))]
        history = build_history(rows, catalogue.metrics, zones, instant)
        if known_tickets is not None:
            history = History(cut_off=history.cut_off, series=history.series, tickets=known_tickets)
        found += delivered(catalogue, history, as_of=instant, services=group)
    order = {key: k for k, key in enumerate(_keys(workspace))}
    return tuple(sorted(found, key=lambda d: order[d.agreement.id if d.agreement else "", d.objective.name]))


def _keys(workspace: Workspace) -> list[tuple[str, str]]:
    return [(a.id if a else "", o.name) for a, o in workspace.catalogue.all_objectives()]


def metrics_needed(workspace: Workspace, services: Sequence[str]) -> tuple[str, ...]:
    """Return the metrics that the objectives of the services read."""
    from forecasting.terms.indicator import metrics_of

    names = {
        name
        for _, o in workspace.catalogue.all_objectives()
        if o.service in services
        for name in (*metrics_of(o.indicator), *((o.workload_metric,) if o.workload_metric else ()))
    }
    return tuple(sorted(names))


def freshness(workspace: Workspace, as_of: datetime | None) -> dict[tuple[str, str], datetime]:
    """Return the end of the last slice of every (service, metric) that has rows before the cut-off."""
    extent = workspace.metrics.extent(until=as_of, batch=workspace.position()[0])
    steps = {name: metric.step for name, metric in workspace.catalogue.metrics.items()}
    return {
        (str(service), str(metric)): last.to_pydatetime().replace(tzinfo=UTC) + steps[str(metric)]
        for service, metric, last in zip(extent["service"], extent["metric"], extent["last"], strict=True)
        if str(metric) in steps
    }
