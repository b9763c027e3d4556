"""Our own kinds as forecasting/v1 documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from decimal import Decimal

from forecasting.adapters.openslo.durations import shorthand_of
from forecasting.adapters.openslo.ours_plain import Plain, day, document, kept, length, percent
from forecasting.adapters.openslo.ours_planned import change_documents, resource_documents
from forecasting.terms.agreement import Agreement, Credits, Reliance
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.covariate import PlannedEvent
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    CompositeIndicator,
    DeadlineIndicator,
    Indicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
    TicketIndicator,
    metrics_of,
)
from forecasting.terms.service_level import BudgetingMethod, CalendarWindow, Objective, Window
from forecasting.terms.service_time import (
    WEEKDAYS,
    CalendarVersion,
    Exclusion,
    ExclusionMode,
    LocalSpan,
    MaintenanceWindow,
    ServiceCalendar,
)

Inline = Callable[[Indicator, str, str], Plain]
"""Writes an OpenSLO indicator in place: the indicator, the name of its owner, its service."""


def our_documents(catalogue: Catalogue, inline: Inline) -> list[Plain]:
    """Return agreements, calendars, resources, drivers, covariates, customers, scenarios, measures and planned events.

    Parameters
    ----------
    catalogue : Catalogue
        What was loaded.
    inline : callable
        Writes the indicators that ask outside sources.
    """
    found = [document("Customer", name, {"displayName": text}) for name, text in catalogue.customers.items()]
    found += [document("Calendar", one.name, _calendar(one)) for one in catalogue.calendars.values()]
    outside = {(query.service, query.metric) for query in catalogue.queries}
    for agreement in catalogue.agreements:
        found.append(document("Agreement", agreement.id, _agreement(agreement, outside, inline)))
    found += resource_documents(catalogue)
    for driver in catalogue.drivers.values():
        spec: Plain = {"service": driver.service, "metric": driver.metric, "description": driver.description}
        found.append(document("DemandDriver", driver.name, kept(spec)))
    for covariate in catalogue.covariates:
        spec = {"service": covariate.service, "metric": covariate.metric, "description": covariate.description}
        spec = kept(spec) | ({"knownAhead": True} if covariate.known_ahead else {})
        found.append(document("Covariate", covariate.name, spec))
    found += change_documents(catalogue)
    found += [document("PlannedEvent", event.name, _event(event), event.display_name) for event in catalogue.events]
    for one in catalogue.hierarchies:
        spec = {"description": one.description, "metric": one.metric, "total": one.total, "parts": list(one.parts)}
        found.append(document("Hierarchy", one.name, kept({**spec, "method": one.method})))
    return found


def _event(event: PlannedEvent) -> Plain:
    """Return the spec of a PlannedEvent."""
    found: Plain = {
        "description": event.description,
        "services": list(event.services),
        "metrics": list(event.metrics),
        "occurrences": [
            kept({"from": day(one.start), "until": day(one.end), "announced": day(one.announced)})
            for one in event.occurrences
        ],
    }
    if event.stated_percent is not None:
        found["effect"] = {"percent": event.stated_percent, "source": event.source}
    return kept(found)


def _clock(clock: time) -> str:
    """Return a local time of day."""
    return f"{clock:%H:%M}"


def _span(span: LocalSpan) -> str:
    """Return a span of local time; the midnight that ends a day is 24:00."""
    return f"{_clock(span.start)}-{'24:00' if span.end == time(0) else _clock(span.end)}"


def _calendar(calendar: ServiceCalendar) -> Plain:
    """Return the spec of a Calendar."""
    spec: Plain = {"description": calendar.description, "zone": calendar.zone}
    spec["versions"] = [_version(version) for version in calendar.versions]
    return kept(spec)


def _version(version: CalendarVersion) -> Plain:
    """Return the hours from a day on."""
    weekly = {name: [_span(span) for span in spans] for name, spans in zip(WEEKDAYS, version.weekly, strict=True)}
    found: Plain = {"validFrom": day(version.valid_from), "weekly": weekly}
    if version.country:
        holidays: Plain = {"country": version.country, "subdivision": version.subdivision}
        found["holidays"] = kept({**holidays, "hours": [_span(span) for span in version.holiday_hours]})
    found["dates"] = {date_.isoformat(): [_span(span) for span in spans] for date_, spans in version.dates.items()}
    return kept(found)


def _agreement(agreement: Agreement, outside: set[tuple[str, str]], inline: Inline) -> Plain:
    """Return the spec of an Agreement."""
    limit = agreement.workload_limit
    time_ = agreement.time
    spec: Plain = {
        "kind": agreement.kind.value,
        "version": agreement.version,
        "replaces": agreement.replaces,
        "service": agreement.service,
        "customer": agreement.customer,
        "provider": agreement.provider,
        "promise": agreement.promise,
        "validFrom": day(agreement.valid_from),
        "validUntil": day(agreement.valid_until),
        "currency": agreement.currency,
        "priceDate": day(agreement.price_date),
        "serviceHours": time_.hours.name if time_.hours is not None else None,
        "maintenance": [_maintenance(window) for window in time_.maintenance],
        "exclusions": [_exclusion(exclusion) for exclusion in time_.exclusions],
        "grace": length(agreement.grace),
        "reviewMonths": agreement.review_months,
        "lastReview": day(agreement.last_review),
        "budgetPolicy": agreement.budget_policy,
        "confidential": True if agreement.confidential else None,
        "objectives": [_objective(objective, outside, inline) for objective in agreement.objectives],
        "credits": _credits(agreement.credits) if agreement.credits is not None else None,
        "lossPerBadEvent": agreement.loss_per_bad_event or None,
        "workloadLimit": {"metric": limit.metric, "perSlice": limit.per_slice, "effect": limit.effect}
        if limit is not None
        else None,
        "reliesOn": [_reliance(link) for link in agreement.reliance] or list(agreement.relies_on),
        "owner": agreement.owner,
    }
    return kept(spec)


def _reliance(link: Reliance) -> object:
    """Return a link to an underpinning agreement."""
    if len(link.agreements) == 1 and link.required is None and not link.independent:
        return link.agreements[0]
    found: Plain = {"agreements": list(link.agreements), "required": link.required}
    return kept({**found, "independent": True if link.independent else None})


def _maintenance(window: MaintenanceWindow) -> Plain:
    """Return a maintenance window."""
    return kept(
        {
            "weekdays": [WEEKDAYS[number] for number in window.weekdays],
            "span": _span(window.span),
            "zone": window.zone,
            "nthOfMonth": list(window.nth_of_month),
            "validFrom": day(window.valid_from),
            "validUntil": day(window.valid_until),
            "reason": window.reason,
            "mode": None if window.mode is ExclusionMode.REMOVE else window.mode.value,
        }
    )


def _exclusion(exclusion: Exclusion) -> Plain:
    """Return an exclusion."""
    return kept(
        {
            "from": exclusion.start.isoformat(),
            "until": exclusion.end.isoformat(),
            "reason": exclusion.reason,
            "approvedBy": exclusion.approved_by,
            "evidence": exclusion.evidence,
            "mode": None if exclusion.mode is ExclusionMode.REMOVE else exclusion.mode.value,
        }
    )


def _objective(objective: Objective, outside: set[tuple[str, str]], inline: Inline) -> Plain:
    """Return an objective of an agreement."""
    indicator = objective.indicator
    asked = any((objective.service, metric) in outside for metric in metrics_of(indicator))
    sliced = objective.method is not BudgetingMethod.OCCURRENCES
    threshold = isinstance(indicator, ThresholdIndicator)
    found: Plain = {
        "name": objective.name,
        "displayName": objective.display_name,
        "description": objective.description,
        "indicator": inline(indicator, objective.name, objective.service) if asked else _indicator(indicator),
        "target": objective.target,
        "op": indicator.op if isinstance(indicator, ThresholdIndicator) else None,
        "window": _window(objective.window),
        "minimumEvents": objective.minimum_events or None,
        "method": objective.method.value if sliced else None,
        "sliceWindow": length(objective.slice_window) if sliced else None,
        "noTraffic": None if objective.no_traffic == "exclude" else objective.no_traffic,
        "noData": None if objective.no_data == "unknown" else objective.no_data,
        "strict": True if objective.strict else None,
        "alertPolicies": list(objective.alert_policies),
    }
    if threshold and isinstance(indicator, ThresholdIndicator):
        found["value"] = indicator.limit
    if objective.slice_target is not None:
        found["sliceTargetPercent"] = percent(objective.slice_target)
    if objective.minimum_coverage != Decimal("0.95"):
        found["minimumCoveragePercent"] = percent(objective.minimum_coverage)
    if objective.rounding is not None:
        found["rounding"] = {"decimals": objective.rounding.decimals, "mode": objective.rounding.mode}
    return kept(found)


def _window(window: Window) -> Plain:
    """Return the window of an agreement's objective."""
    if not isinstance(window, CalendarWindow):
        return {"rolling": shorthand_of(window.length), "zone": window.zone}
    found: Plain = {"calendar": window.unit, "zone": window.zone, "count": window.count if window.count > 1 else None}
    return kept({**found, "anchor": f"{window.anchor:%Y-%m-%d %H:%M:%S}" if window.anchor is not None else None})


def _indicator(indicator: Indicator) -> Plain:
    """Return an indicator of the workspace's own metrics."""
    match indicator:
        case RatioIndicator():
            ratio = {"total": indicator.total, "good": indicator.good, "bad": indicator.bad}
            return {"ratio": kept({**ratio, "cumulative": True if indicator.cumulative else None})}
        case RawRatioIndicator():
            return {"rawRatio": {"metric": indicator.metric, "counts": indicator.counts}}
        case ThresholdIndicator():
            return {"threshold": {"metric": indicator.metric}}
        case QuantileIndicator():
            return {
                "quantile": {
                    "metric": indicator.metric,
                    "quantilePercent": percent(indicator.quantile),
                    "op": indicator.op,
                    "value": indicator.limit,
                    "slice": shorthand_of(indicator.slice),
                }
            }
        case AvailabilityIndicator():
            if indicator.metric is not None:
                return {"availability": {"metric": indicator.metric, "measures": indicator.measures}}
            outages = {"outages": list(indicator.outages), "logMetric": indicator.log_metric}
            return {"availability": kept(outages)}
        case DeadlineIndicator():
            return {"deadline": _deadline(indicator)}
        case TicketIndicator():
            return {"ticket": _ticket(indicator)}
        case CompositeIndicator():
            components = [{"objective": part.objective, "weight": part.weight} for part in indicator.components]
            return {"composite": kept({"required": indicator.required, "components": components})}


def _deadline(indicator: DeadlineIndicator) -> Plain:
    """Return a deadline indicator."""
    found: Plain = {"metric": indicator.metric, "by": _clock(indicator.by), "calendar": indicator.calendar}
    if indicator.start is not None:
        before = "previous" if indicator.start_day_offset == -1 else "same"
        found |= {"start": _clock(indicator.start), "startDay": before}
    return kept(found)


def _ticket(indicator: TicketIndicator) -> Plain:
    """Return a ticket indicator."""
    found: Plain = {"stage": indicator.stage, "within": shorthand_of(indicator.within), "calendar": indicator.calendar}
    found |= {"kinds": list(indicator.kinds), "priorities": list(indicator.priorities)}
    return kept({**found, "countedAt": indicator.counted_at}) | ({} if indicator.pauses else {"pauses": False})


def _credits(credits_: Credits) -> Plain:
    """Return the service credits."""
    tiers = [
        {"belowPercent": percent(tier.below)}
        | ({"amount": tier.amount} if tier.amount is not None else {"creditPercent": percent(tier.share_of_fee)})
        for tier in credits_.tiers
    ]
    found: Plain = {
        "feePerPeriod": credits_.fee_per_period,
        "capPercent": percent(credits_.cap_share),
        "capPerYear": credits_.cap_per_year,
        "tiers": tiers,
        "perHourPercent": percent(credits_.per_hour_share) if credits_.per_hour_share else None,
        "proration": None if credits_.proration == "time" else credits_.proration,
        "claimWithin": length(credits_.claim_within),
        "joint": True if credits_.joint else None,
    }
    if credits_.repeat is not None:
        repeat: Plain = {"multiplier": credits_.repeat.multiplier, "within": credits_.repeat.within}
        found["repeat"] = repeat | ({"compounding": True} if credits_.repeat.compounding else {})
    if credits_.earn_back is not None:
        back = credits_.earn_back
        earned: Plain = {"windows": back.windows, "reachPercent": percent(back.reach)}
        found["earnBack"] = {**earned, "sharePercent": percent(back.share)}
    if credits_.termination is not None:
        found["termination"] = {"misses": credits_.termination.misses, "within": credits_.termination.within}
    return kept(found)
