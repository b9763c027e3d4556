"""Attainments of a large catalogue in bounded memory: services are read and judged group by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, TypeVar

from forecasting.terms.errors import InputError

T = TypeVar("T")

if TYPE_CHECKING:
    import pandas as pd

    from forecasting.workflows.delivered import Delivered
    from forecasting.workspace.workspace import Workspace

GROUP_ROWS = 3_000_000
"""Rows read at once; a single service may have more."""


def read_delivered(
    workspace: Workspace,
    as_of: str | date | datetime | None,
    *,
    services: Sequence[str] | None,
    each: Callable[[Delivered], T],
    progress: Callable[[str], None],
) -> tuple[T, ...]:
    """Return what `each` makes of every promise of the services: by service, then as the catalogue has them.

    The slices behind a promise are let go once it was looked at, so that memory holds one group at a time.
    """
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
    _need_rows_before(workspace, tickets, instant)
    known_tickets = tickets_known(tickets, instant) if len(tickets) else None
    zones = {name: service.zone for name, service in catalogue.services.items()}
    wanted = sorted({o.service for _, o in catalogue.all_objectives() if services is None or o.service in services})
    found: list[T] = []
    progress("reading")
    for group in _groups(workspace, wanted):
        needed = services_needed(catalogue, group)
        rows = workspace.metrics.read(
            until=instant, services=needed, metrics=metrics_needed(workspace, needed), batch=batch
        )
        rows = rows[rows["metric"].isin(list(catalogue.metrics))]
        history = build_history(rows, catalogue.metrics, zones, instant)
        if known_tickets is not None:
            history = History(cut_off=history.cut_off, series=history.series, tickets=known_tickets)
        found += [each(one) for one in delivered(catalogue, history, as_of=instant, services=group)]
    return tuple(found)


def _need_rows_before(workspace: Workspace, tickets: pd.DataFrame, instant: datetime) -> None:
    """Refuse a cut-off of which nothing, or nothing of the year before it, is known: mostly a mistyped date."""
    from forecasting.workspace.workspace import LONGEST_SILENCE

    begins = [first.to_pydatetime().replace(tzinfo=UTC) for first in workspace.metrics.extent()["first"]]
    ends = list(freshness(workspace, None).values())
    for name in ("opened", "resolved"):
        known = tickets[name].dropna()
        begins += [at.to_pydatetime().replace(tzinfo=UTC) for at in (known.min(),) if len(known)]
        ends += [at.to_pydatetime().replace(tzinfo=UTC) for at in (known.max(),) if len(known)]
    if begins and instant <= min(begins):
        raise InputError(
            argument="as_of", came=instant.isoformat(),
            allowed=f"an instant after the first row, of {min(begins):%Y-%m-%d}",
            try_instead="a later --as-of, or ingest older data",
        )  # fmt: skip
    if ends and instant - max(ends) > LONGEST_SILENCE:
        raise InputError(
            argument="as_of", came=instant.isoformat(),
            allowed=f"at most {LONGEST_SILENCE.days} days after the last row, of {max(ends):%Y-%m-%d}",
            try_instead="ingest newer data, or an earlier --as-of",
        )  # fmt: skip


def _groups(workspace: Workspace, services: Sequence[str]) -> list[list[str]]:
    """Cut the services into groups whose rows fit in memory together."""
    extent = workspace.extent(None)
    used = extent[extent["metric"].isin(metrics_needed(workspace, services))]
    rows = used.groupby("service", observed=True)["rows"].sum().to_dict()
    groups: list[list[str]] = []
    room = 0
    for service in services:
        size = int(rows.get(service, 0))
        if not groups or size > room:
            groups.append([])
            room = GROUP_ROWS
        groups[-1].append(service)
        room -= size
    return groups


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
    extent = workspace.extent(as_of)
    steps = {name: metric.step for name, metric in workspace.catalogue.metrics.items()}
    return {
        (str(service), str(metric)): last.to_pydatetime().replace(tzinfo=UTC) + steps[str(metric)]
        for service, metric, last in zip(extent["service"], extent["metric"], extent["last"], strict=True)
        if str(metric) in steps
    }
