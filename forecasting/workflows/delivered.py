"""What was delivered in every window of every promise: attainments, error budgets and credits, without forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from forecasting.history.calendar import is_local_days
from forecasting.service_levels.attainment import attainments
from forecasting.service_levels.burn import alerts, burn_rates
from forecasting.service_levels.composite import composite_attainments
from forecasting.service_levels.credit_statement import credit_statement
from forecasting.service_levels.events import Events, events_of
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.windows import closed_periods, coming_periods, local_midnight
from forecasting.terms.agreement import Agreement
from forecasting.terms.alerting import Alert, BurnRate
from forecasting.terms.budget import ErrorBudget
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.credit import CreditLine
from forecasting.terms.errors import Excuse
from forecasting.terms.history import History
from forecasting.terms.indicator import CompositeIndicator
from forecasting.terms.plan import ObjectiveOutlook
from forecasting.terms.service_level import Attainment, Objective, Period, RollingWindow
from forecasting.workflows.prepare import components_of

LOOKBACKS = (timedelta(hours=1), timedelta(hours=6), timedelta(days=1), timedelta(days=3))
"""Over which burn rates are shown (the long windows of the SRE workbook's alerts)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivered:
    """One promise: what was delivered in every window."""

    agreement: Agreement | None
    objective: Objective
    events: Events | Excuse | None
    """Good and total per slice; an excuse without data, and for composites; None where they were let go."""
    attainments: tuple[Attainment, ...]
    """Closed windows, oldest first, and the running one last; a rolling window that ends now is both."""
    excuse: Excuse | None = None
    """Why there is no attainment; None where there is one."""


def services_needed(catalogue: Catalogue, services: Sequence[str]) -> tuple[str, ...]:
    """Return the services whose history is needed to judge the promises of `services`: composites reach further.

    Examples
    --------
    >>> services_needed(Catalogue(name="empty"), ["shop"])
    ('shop',)
    """
    wanted = set(services)
    by_name = {o.name: o for _, o in catalogue.all_objectives()}
    for _, objective in catalogue.all_objectives():
        if objective.service in services and isinstance(objective.indicator, CompositeIndicator):
            parts = (by_name.get(c.objective) for c in objective.indicator.components)
            wanted |= {part.service for part in parts if part is not None}
    return tuple(sorted(wanted))


def delivered(
    catalogue: Catalogue, history: History, *, as_of: datetime, services: Sequence[str] | None = None
) -> tuple[Delivered, ...]:
    """Return what was delivered against every objective of the services.

    Parameters
    ----------
    catalogue : Catalogue
    history : History
        Up to `as_of`, of the services and of the components of their composites.
    as_of : datetime
        UTC instant.
    services : sequence of str or None
        None takes all.
    """
    masks = TimeMasks()
    found = []
    for agreement, objective in catalogue.all_objectives():
        if services is not None and objective.service not in services:
            continue
        if agreement is not None and agreement.valid_from > as_of.date():
            continue
        found.append(_one(catalogue, history, agreement, objective, as_of, masks))
    return tuple(sorted(found, key=lambda one: one.objective.service))  # within a service as the catalogue has them


def _one(
    catalogue: Catalogue,
    history: History,
    agreement: Agreement | None,
    objective: Objective,
    as_of: datetime,
    masks: TimeMasks,
) -> Delivered:
    """Judge one promise."""
    events = events_of(objective, history, calendars=catalogue.calendars, masks=masks)
    grace = agreement.grace if agreement is not None else timedelta(0)
    name = agreement.id if agreement is not None else None
    parts = components_of(catalogue, history, objective, masks)
    if parts is not None:
        if isinstance(parts, Excuse):
            return Delivered(agreement=agreement, objective=objective, events=events, attainments=(), excuse=parts)
        since = min(_first(part) for _, part in parts.values())
        periods = _periods(objective, since, as_of)
        judged = composite_attainments(objective, parts, periods, as_of=as_of, agreement=name, grace=grace, masks=masks)
    elif isinstance(events, Excuse):
        return Delivered(agreement=agreement, objective=objective, events=events, attainments=(), excuse=events)
    else:
        periods = _periods(objective, _first(events), as_of)
        judged = attainments(objective, events, periods, as_of=as_of, agreement=name, grace=grace, masks=masks)
    kept = tuple(a for a in judged if a.planned_slices)  # a window wholly outside the agreement's validity has none
    return Delivered(agreement=agreement, objective=objective, events=events, attainments=kept)


def _first(events: Events) -> datetime:
    """Return the instant from which windows are looked at."""
    start = events.series.start
    # A daily slice of another zone may begin within the window's first day.
    return start - timedelta(hours=26) if is_local_days(events.series.step) else start


def _periods(objective: Objective, since: datetime, as_of: datetime) -> tuple[Period, ...]:
    """Return the closed windows and the one whose error budget is being spent at `as_of`.

    Of a rolling window that is the one that looks back the whole length: it ends now, or at the next midnight. The one
    that a forecast is made for ends some days later, and has forgotten the first days already.
    """
    window = objective.window
    closed = closed_periods(window, since=since, as_of=as_of)
    if not isinstance(window, RollingWindow):
        return (*closed, *coming_periods(window, as_of=as_of, ahead=0))
    if closed and closed[-1].end == as_of:
        return closed
    until = _midnight(as_of + timedelta(days=1), window.zone)
    return (*closed, closed_periods(window, since=until - window.length, as_of=until)[-1])


def _is_running(a: Attainment, objective: Objective, as_of: datetime) -> bool:
    """Tell whether the budget of a window is being spent at `as_of`."""
    return a.period.end > as_of or (isinstance(objective.window, RollingWindow) and a.period.end == as_of)


def _midnight(at: datetime, zone: str) -> datetime:
    return local_midnight(at.astimezone(ZoneInfo(zone)).date(), zone)


def budgets(catalogue: Catalogue, found: Sequence[Delivered], *, as_of: datetime) -> tuple[ErrorBudget, ...]:
    """Return the error budget of every running window, with burn rates and the alerts that hold.

    Of a rolling window it is that of the whole length up to now (its end: the local midnight now or next).

    Parameters
    ----------
    catalogue : Catalogue
        For the alert policies.
    found : sequence of Delivered
    as_of : datetime
    """
    made = []
    for one in found:
        running = [a for a in one.attainments if _is_running(a, one.objective, as_of)]
        if not running:
            continue
        a = running[0]
        allowed = _allowed(a)
        rates = () if not isinstance(one.events, Events) else _rates(one.objective, one.events, as_of)
        hold = () if not isinstance(one.events, Events) else _alerts(catalogue, one.objective, one.events, as_of)
        budget = allowed if allowed is not None else a.budget_events
        made.append(
            ErrorBudget(
                attainment=a,
                allowed=allowed,
                allowed_so_far=a.budget_events,
                spent=a.bad,
                spent_share=float(a.bad / budget) if budget else None,
                burn=rates,
                alerts=hold,
            )
        )
    return tuple(made)


def _allowed(a: Attainment) -> Decimal | None:
    """Return what may be bad in the whole window, where it does not depend on events to come."""
    share = 1 - a.target
    if a.unit == "microseconds":
        return share * (a.planned_time // timedelta(microseconds=1))
    if a.unit in ("slices", "samples", "days"):
        return share * a.planned_slices
    return share * a.planned_slices * 10**9 if a.unit == "billionths" else None


def _rates(objective: Objective, events: Events, as_of: datetime) -> tuple[BurnRate, ...]:
    return tuple(rate for lookback in LOOKBACKS for rate in burn_rates(objective, events, lookback, (as_of,)))


def _alerts(catalogue: Catalogue, objective: Objective, events: Events, as_of: datetime) -> tuple[Alert, ...]:
    policies = (catalogue.alert_policies.get(name) for name in objective.alert_policies)
    return tuple(
        alert
        for policy in policies
        if policy is not None
        for alert in alerts(objective, events, policy, as_of=as_of)
        if alert.end is None
    )


def credits_of(found: Sequence[Delivered | ObjectiveOutlook], *, as_of: datetime) -> tuple[CreditLine, ...]:
    """Return the credits of every agreement that has some, agreement by agreement, oldest window first.

    Parameters
    ----------
    found : sequence
        Objectives with their agreement and attainments.
    as_of : datetime
        Instant from which earn-backs and claim deadlines are seen.
    """
    by_agreement: dict[str, tuple[Agreement, list[Attainment]]] = {}
    for one in found:
        if one.agreement is not None and one.agreement.credits is not None:
            by_agreement.setdefault(one.agreement.id, (one.agreement, []))[1].extend(one.attainments)
    return tuple(
        line
        for agreement, attained in by_agreement.values()
        for line in credit_statement(agreement, attained, as_of=as_of)
    )
