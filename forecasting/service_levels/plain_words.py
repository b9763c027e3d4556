"""An agreement in plain English, with a worked example of what it allows in the next whole window."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from forecasting.history.calendar import local_midnight, zone_of
from forecasting.service_levels import _words as words
from forecasting.service_levels._worked_example import credit_example, worked_example
from forecasting.terms.agreement import Agreement, Credits
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.indicator import (
    AvailabilityIndicator,
    CompositeIndicator,
    DeadlineIndicator,
    QuantileIndicator,
    RatioIndicator,
    RawRatioIndicator,
    ThresholdIndicator,
)
from forecasting.terms.service_level import BudgetingMethod, Objective
from forecasting.terms.service_time import (
    CalendarVersion,
    ExclusionMode,
    MaintenanceWindow,
    ServiceCalendar,
    ServiceTime,
)

_KINDS = {"SLA": "service level agreement", "OLA": "operational level agreement", "UC": "underpinning contract"}
_OPS = {"lt": "below", "lte": "at most", "gt": "above", "gte": "at least"}
_MODES = {
    ExclusionMode.REMOVE: "is not part of the window",
    ExclusionMode.DROP_EVENTS: "counts neither way",
    ExclusionMode.COUNT_AS_GOOD: "counts as good",
}
_ROUNDING = {"half_up": "half up", "half_even": "half to even", "down": "down", "up": "up"}


def describe_agreement(agreement: Agreement, catalogue: Catalogue, *, today: date) -> tuple[str, ...]:
    """Say in plain English what an agreement promises, what counts, what it costs and what it allows.

    Parameters
    ----------
    agreement : Agreement
    catalogue : Catalogue
        Gives the names of services, customers and metrics, and the agreements it relies on.
    today : date
        The worked example is for the first whole window that begins after this day.

    Returns
    -------
    tuple of str
        One sentence or short paragraph each, in the order in which they are read.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from forecasting.terms.agreement import AgreementKind
    >>> from forecasting.terms.service_level import CalendarWindow
    >>> up = Objective(name="up", service="shop", indicator=AvailabilityIndicator(metric="up"), target=Decimal("0.999"),
    ...                window=CalendarWindow(unit="month", zone="Europe/Berlin"))
    >>> sla = Agreement(id="sla-shop", kind=AgreementKind.SLA, service="shop", customer="retail", provider="it",
    ...                 objectives=(up,), valid_from=date(2026, 1, 1), valid_until=None)
    >>> lines = describe_agreement(sla, Catalogue(name="c"), today=date(2027, 4, 10))
    >>> [line for line in lines if "For example" in line]
    ['For example: May 2027 has 31 days = 744 h of service time; 99.9 % leave 44 min 38.4 s of downtime.']
    """
    lines = [_parties(agreement, catalogue), _validity(agreement)]
    if agreement.promise:
        lines.append(f"In its own words: {agreement.promise}")
    for objective in agreement.objectives:
        lines.append(_objective(objective, catalogue))
        lines.append(_judging(objective))
    lines += _counting(agreement.time)
    if agreement.workload_limit is not None:
        lines.append(_workload(agreement, catalogue))
    lines += _money(agreement)
    lines.append(_underpinning(agreement, catalogue))
    lines += _upkeep(agreement)
    for objective in agreement.objectives:
        example = worked_example(objective, catalogue, as_of=_midnight(objective, today))
        if example:
            named = f" ({_name(objective)})" if len(agreement.objectives) > 1 else ""
            lines.append(f"For example{named}: {example}")
    credit = credit_example(agreement)
    if credit:
        lines.append(f"For example: {credit}")
    return tuple(lines)


def _midnight(objective: Objective, today: date) -> datetime:
    """Return the instant at which the day begins in the objective's zone."""
    return local_midnight(today, zone_of(objective.window.zone))


def _name(objective: Objective) -> str:
    return objective.display_name or objective.name


def _service(catalogue: Catalogue, name: str) -> str:
    found = catalogue.services.get(name)
    return found.display_name if found is not None and found.display_name else name


def _parties(agreement: Agreement, catalogue: Catalogue) -> str:
    """Say who promises what to whom."""
    customer = catalogue.customers.get(agreement.customer) or agreement.customer
    kind, service = _KINDS[agreement.kind.value], _service(catalogue, agreement.service)
    follows = f" It follows {agreement.replaces}." if agreement.replaces else ""
    secret = " Its terms are confidential to the parties." if agreement.confidential else ""
    said = f"{agreement.id} ({kind}, version {agreement.version}): {agreement.provider} promises {customer}"
    return f"{said} a level of the service {service}.{follows}{secret}"


def _validity(agreement: Agreement) -> str:
    """Say from when to when."""
    if agreement.valid_until is None:
        return f"It applies from {agreement.valid_from} on, without an end."
    return f"It applies from {agreement.valid_from} to {agreement.valid_until}, both days included."


def _metric(catalogue: Catalogue, name: str | None) -> str:
    """Return a metric with its description."""
    found = catalogue.metrics.get(name or "")
    return f"{name} ({found.description})" if found is not None and found.description else str(name)


def _objective(objective: Objective, catalogue: Catalogue) -> str:
    """Say what is measured and what must be reached."""
    bound = "More than" if objective.strict else "At least"
    what = _good(objective, catalogue)
    text = f"{_name(objective)}: {bound.lower()} {words.percent(objective.target)} of {what}"
    if objective.method is not BudgetingMethod.OCCURRENCES and objective.slice_window is not None:
        slices = words.length(objective.slice_window)
        if objective.method is BudgetingMethod.TIMESLICES:
            share = ""
            if objective.slice_target is not None:
                share = f" in at least {words.percent(objective.slice_target)} of it"
            text = (
                f"{_name(objective)}: {bound.lower()} {words.percent(objective.target)} of the slices of {slices} are"
            )
            text += f" good; a slice is good with {what}{share}"
        else:
            text = f"{_name(objective)}: the mean over slices of {slices} of the share of {what} is"
            text += f" {bound.lower()} {words.percent(objective.target)}"
    return f"{text}, in {words.window_words(objective.window)}."


def _good(objective: Objective, catalogue: Catalogue) -> str:
    """Say what makes something good."""
    match objective.indicator:
        case RatioIndicator(total=total, good=good, bad=bad):
            part = f"being in {_metric(catalogue, good)}" if good else f"not being in {_metric(catalogue, bad)}"
            return f"the{_unit(catalogue, total) or ' events'} in {total} {part}"
        case RawRatioIndicator(metric=metric, counts=counts):
            return (
                f"{'' if counts == 'success' else 'one minus '}the share {_metric(catalogue, metric)}, sample by sample"
            )
        case ThresholdIndicator(metric=metric, op=op, limit=limit):
            return f"the samples of {_metric(catalogue, metric)} being {_OPS[op]} {limit:f}{_unit(catalogue, metric)}"
        case QuantileIndicator(metric=metric, quantile=q, op=op, limit=limit, slice=span):
            said = f"the {words.percent(q)} quantile of {_metric(catalogue, metric)}"
            return f"the slices of {words.length(span)} with {said} {_OPS[op]} {limit:f}{_unit(catalogue, metric)}"
        case AvailabilityIndicator(metric=metric) if metric is not None:
            return f"the service time up, by {_metric(catalogue, metric)}"
        case AvailabilityIndicator(outages=outages):
            return f"the service time without an outage (tickets of kind {words.joined(outages, 'or')})"
        case DeadlineIndicator(by=by, calendar=calendar):
            due = f"the days on which {calendar} is open" if calendar else "all days"
            return f"{due} having the job done by {words.clock(by)}"
        case CompositeIndicator(components=components, required=required):
            names = words.joined([c.objective for c in components])
            return f"{names} together" if required is None else f"at least {required} of {names}"
        case ticket:
            stage = "a response" if ticket.stage == "response" else "a resolution"
            clock = f" of {ticket.calendar}" if ticket.calendar else ""
            kinds = f" of kind {words.joined(ticket.kinds, 'or')}" if ticket.kinds else ""
            urgent = f" of priority {words.joined(ticket.priorities, 'or')}" if ticket.priorities else ""
            pauses = "pauses not counted" if ticket.pauses else "pauses counted"
            return f"the tickets{kinds}{urgent} having {stage} within {words.length(ticket.within)}{clock} ({pauses})"


def _unit(catalogue: Catalogue, metric: str) -> str:
    found = catalogue.metrics.get(metric)
    return f" {found.unit}" if found is not None and found.unit else ""


def _judging(objective: Objective) -> str:
    """Say how ties, rounding and missing data are treated."""
    rule = (
        "an attainment equal to the target is a miss"
        if objective.strict
        else "an attainment equal to the target is met"
    )
    if objective.rounding is None:
        parts = [f"It is compared unrounded; {rule}"]
    else:
        how, decimals = _ROUNDING[objective.rounding.mode], words.counted(objective.rounding.decimals, "decimal")
        parts = [f"It is first rounded {how} to {decimals} of the percentage; {rule}"]
    missing = {
        "unknown": "Missing data widen the result to an interval and never count as good",
        "exclude": "Missing data are left out",
        "good": "Missing data count as good",
        "bad": "Missing data count as bad",
    }[objective.no_data]
    parts.append(f"{missing}; below {words.percent(objective.minimum_coverage)} of the data only the interval decides")
    if objective.method is not BudgetingMethod.OCCURRENCES:
        empty = {"exclude": "is left out", "good": "is good", "bad": "is bad", "carry": "is as the one before"}
        parts.append(f"A slice without traffic {empty[objective.no_traffic]}")
    if objective.minimum_events:
        parts.append(f"A window with fewer than {objective.minimum_events:,} in total is not judged")
    return ". ".join(parts) + "."


def _counting(time: ServiceTime) -> list[str]:
    """Say which time counts."""
    lines = ["It counts round the clock."] if time.hours is None else _hours(time.hours)
    lines += [_maintenance(window) for window in time.maintenance]
    for one in sorted(time.exclusions, key=lambda e: (e.start, e.end)):
        who = f", approved by {one.approved_by}" if one.approved_by else ""
        proof = f", {one.evidence}" if one.evidence else ""
        when = f"{one.start:%Y-%m-%d %H:%M} to {one.end:%Y-%m-%d %H:%M} UTC"
        lines.append(f"Excluded: {when} ({one.reason}{who}{proof}) {_MODES[one.mode]}.")
    if not time.maintenance and not time.exclusions:
        lines.append("No maintenance and no exclusion is agreed.")
    return lines


def _hours(calendar: ServiceCalendar) -> list[str]:
    """Say the service hours of a calendar, version by version."""
    lines = []
    for version in calendar.versions:
        since = f" from {version.valid_from} on" if version.valid_from is not None else ""
        lines.append(f"It counts in the hours of {calendar.name} ({calendar.zone}){since}: {_version(version)}.")
    return lines


def _version(version: CalendarVersion) -> str:
    """Say the hours of a week, of holidays and of single days."""
    runs: list[tuple[int, int]] = []
    for day in range(7):
        if runs and version.weekly[runs[-1][0]] == version.weekly[day]:
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    names = words.WEEKDAY_NAMES
    parts = [
        f"{names[first] if first == last else f'{names[first]} to {names[last]}'} {words.spans(version.weekly[first])}"
        for first, last in runs
    ]
    if version.country:
        where = version.country + (f"-{version.subdivision}" if version.subdivision else "")
        parts.append(f"public holidays ({where}) {words.spans(version.holiday_hours)}")
    parts += [f"{day} {words.spans(found)}" for day, found in sorted(version.dates.items())]
    return "; ".join(parts)


def _maintenance(window: MaintenanceWindow) -> str:
    """Say a recurring maintenance window."""
    days = words.joined([words.WEEKDAY_NAMES[day] for day in window.weekdays])
    which = (
        f"the {words.joined([words.ordinal(n) for n in window.nth_of_month])} {days} of a month"
        if window.nth_of_month
        else f"every {days}"
    )
    since = f" from {window.valid_from}" if window.valid_from is not None else ""
    until = f" until {window.valid_until}" if window.valid_until is not None else ""
    said = f"Maintenance ({window.reason}) on {which}, {words.spans([window.span])} {window.zone}{since}{until}"
    return f"{said}, {_MODES[window.mode]}."


def _workload(agreement: Agreement, catalogue: Catalogue) -> str:
    """Say up to which demand the target holds."""
    limit = agreement.workload_limit
    assert limit is not None
    effect = {
        "target suspended": "what happens above it is not counted",
        "target scaled": "above it only the share of what is bad that the limit explains counts",
        "priced": "above it the target holds, at another price",
    }.get(limit.effect, limit.effect)
    known = catalogue.metrics.get(limit.metric)
    per = f" in {words.length(known.step)}" if known is not None else " in a slice"
    unit = _unit(catalogue, limit.metric)
    return f"The target holds up to {limit.per_slice:,f}{unit} of {_metric(catalogue, limit.metric)}{per}; {effect}."


def _money(agreement: Agreement) -> list[str]:
    """Say what a miss costs."""
    terms, currency = agreement.credits, agreement.currency
    lines = []
    if terms is None:
        lines.append("No service credit is agreed.")
    else:
        lines += _credits(terms, currency)
    if agreement.loss_per_bad_event:
        loss = words.money(agreement.loss_per_bad_event, currency)
        lines.append(f"Beyond the budget each bad event costs the customer about {loss}.")
    return lines


def _credits(terms: Credits, currency: str) -> list[str]:
    """Say the ladder, its caps and conditions."""
    fee = words.money(terms.fee_per_period, currency)
    if terms.per_hour_share:
        ladder = f"{words.percent(terms.per_hour_share)} for each begun hour of bad time beyond the budget"
    else:
        steps = [
            f"{words.money(t.amount, currency) if t.amount is not None else words.percent(t.share_of_fee)}"
            f" below {words.percent(t.below)}"
            for t in terms.tiers
        ]
        ladder = ", ".join(steps)
    caps = f"at most {words.percent(terms.cap_share)} of the fee of a window"
    if terms.cap_per_year is not None:
        caps += f" and {words.money(terms.cap_per_year, currency)} a calendar year"
    lines = [f"Credits on a fee of {fee} a window: {ladder}; {caps}."]
    if terms.repeat is not None:
        rule = terms.repeat
        again = ", again for each further one" if rule.compounding else ""
        back = "the window before" if rule.within == 1 else f"one of the {rule.within} windows before"
        lines.append(f"A miss after a miss in {back} costs {rule.multiplier:f} times as much{again}.")
    if terms.earn_back is not None:
        back_rule = terms.earn_back
        wait = (
            "the next window reaches" if back_rule.windows == 1 else f"the next {back_rule.windows} windows all reach"
        )
        lines.append(
            f"{words.percent(back_rule.share)} of a credit is given back where {wait} {words.percent(back_rule.reach)}."
        )
    if terms.claim_within is None:
        lines.append("Credits are due without a claim.")
    else:
        lines.append(f"Credits must be claimed within {words.length(terms.claim_within)} after the end of the window.")
    if terms.termination is not None:
        misses, within = terms.termination.misses, words.counted(terms.termination.within, "window")
        many = "a miss" if misses == 1 else f"{misses} misses"
        lines.append(f"After {many} within {within} the customer may end the agreement.")
    if terms.proration == "none":
        lines.append("The fee of a window that is covered in part is not cut.")
    if terms.joint:
        lines.append("Of several missed objectives the worst one gives the one credit of a window.")
    return lines


def _underpinning(agreement: Agreement, catalogue: Catalogue) -> str:
    """Say what underpins it."""
    known = {other.id: other for other in catalogue.agreements}

    def named(key: str) -> str:
        other = known.get(key)
        if other is None:
            return key
        target = max((o.target for o in other.objectives), default=None)
        return f"{key} ({other.kind.value}, {_service(catalogue, other.service)}" + (
            f", {words.percent(target)})" if target else ")"
        )

    links = [
        words.joined([named(key) for key in link.agreements])
        if link.required in (None, len(link.agreements))
        else f"at least {link.required} of {words.joined([named(key) for key in link.agreements])}"
        for link in agreement.reliance
    ] or [named(key) for key in agreement.relies_on]
    return f"It relies on {'; '.join(links)}." if links else "It relies on no other agreement."


def _upkeep(agreement: Agreement) -> list[str]:
    """Say how it is looked after."""
    lines = []
    if agreement.grace > timedelta(0):
        lines.append(
            f"Late data are taken for {words.length(agreement.grace)} after a window; then the result is final."
        )
    if agreement.budget_policy:
        lines.append(f"When the error budget runs out: {agreement.budget_policy}")
    if agreement.review_months is not None:
        last = f", last on {agreement.last_review}" if agreement.last_review is not None else ""
        lines.append(f"It is reviewed every {words.counted(agreement.review_months, 'month')}{last}.")
    if agreement.owner:
        lines.append(f"Owner: {agreement.owner}.")
    return lines
