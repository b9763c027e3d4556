"""The negotiation desk of one objective: curve, safe targets, counter-offers and what suppliers would have to hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

import numpy as np

from forecasting.history.calendar import DAY, local_starts
from forecasting.ports import Executor
from forecasting.proposals.negotiation import (
    beta_interval,
    checked_target,
    default_targets,
    moved_tiers,
    safe_targets,
    supply_of,
    target_curve,
    whole_windows,
)
from forecasting.service_levels._reliance import family, links_of, product_of
from forecasting.service_levels.breach.bar import missed_on_paths
from forecasting.service_levels.credits import credits_on_paths
from forecasting.service_levels.masks import TimeMasks
from forecasting.service_levels.windows import coming_periods
from forecasting.terms.agreement import Agreement
from forecasting.terms.breach import BreachRisk
from forecasting.terms.errors import Excuse, InputError
from forecasting.terms.negotiation import CounterOffer, TermSheet
from forecasting.terms.proposal import Option
from forecasting.terms.service_level import CalendarWindow, Objective, Period
from forecasting.terms.service_time import LocalSpan, MaintenanceWindow, ServiceTime
from forecasting.workflows.capacity import LoadEffect, load_effects
from forecasting.workflows.composite_risk import Simulation, promise_risks
from forecasting.workflows.demand import Demand, forecast_demand
from forecasting.workflows.fleet import build_fleet
from forecasting.workflows.horizon import base_case, with_effects
from forecasting.workflows.outlook import prepared_fleet, windows_known
from forecasting.workflows.prepare import Prepared, Promise, promise_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

OFFERS = 3
"""Counter-offers that are shown."""
QUIET_HOURS = 4
"""Length of the weekly maintenance window that is offered as an exclusion."""
LIMIT_QUANTILE = 0.99
"""Quantile of last year's demand per slice that is offered as a workload limit."""
YEAR = timedelta(days=365)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Desk:
    """What every counter-offer is made from."""

    prepared: Prepared
    promise: Promise
    agreement: Agreement
    simulation: Simulation
    today: tuple[BreachRisk, ...]
    asked: Decimal
    known: int
    demand: Demand
    effects: tuple[LoadEffect, ...]

    @property
    def objective(self) -> Objective:
        return self.promise.objective


def term_sheet(
    prepared: Prepared,
    *,
    service: str,
    objective: str | None = None,
    asked: Decimal | None = None,
    targets: Sequence[Decimal] = (),
    executor: Executor,
    timer: Callable[[], float],
    progress: Callable[[str], None],
    options: Sequence[Option] = (),
) -> TermSheet | Excuse:
    """Return the term sheet of one objective of an agreement.

    Parameters
    ----------
    prepared : Prepared
    service : str
        Service whose promise is negotiated.
    objective : str, optional
        Its name; needed where the service's agreements have several.
    asked : Decimal, optional
        Target that was asked for; None = today's.
    targets : sequence of Decimal
        Further targets of the curve.
    executor : Executor
    timer : callable
        CPU seconds, a module-level function.
    progress : callable
        Told the name of each stage as it begins.
    options : sequence of Option
        What could be done to make it safer, with P(miss) after.

    Raises
    ------
    InputError
        For a service or objective that is not promised, or a target that is no share.

    Examples
    --------
    >>> term_sheet.__name__
    'term_sheet'
    """
    promise = _promise(prepared, service, objective)
    agreement = promise.agreement
    assert agreement is not None
    wish = checked_target(promise.objective.target if asked is None else asked)
    progress("demand forecasts")
    plain = forecast_demand(prepared, executor=executor, timer=timer)
    demand = with_effects(plain, base_case(prepared), prepared.settings.seed)
    progress("breach risk")
    effects, _ = load_effects(prepared)
    simulation = Simulation(prepared_fleet(prepared, executor), demand=demand, effects=effects)
    known = windows_known(promise, as_of=prepared.as_of)
    made = promise_risks(promise, simulation, windows_known=known)
    if isinstance(made, Excuse):
        return made
    risks = whole_windows(made)
    if not risks:
        return Excuse(
            reason="new terms apply from the next window on, and none lies within the horizon",
            what_would_help="an agreement that goes on, or a longer horizon",
        )
    desk = _Desk(
        prepared=prepared, promise=promise, agreement=agreement, simulation=simulation, today=risks, asked=wish,
        known=known, demand=demand, effects=effects,
    )  # fmt: skip
    links = links_of(agreement, {a.id: a for a in prepared.catalogue.agreements}, family(promise.objective.indicator))
    supply, ceiling, independent = supply_of(links, wish)
    safe = safe_targets(risks, promise.objective)
    progress("counter-offers")
    offers, declined = _counter_offers(desk)
    as_one = product_of([link.as_one for link in links if link.independent]) if independent else None
    return TermSheet(
        service=service,
        agreement=agreement.id,
        objective=promise.objective.name,
        customer=prepared.catalogue.customers.get(agreement.customer, agreement.customer),
        as_of=prepared.as_of,
        asked=wish,
        today=promise.objective.target,
        windows=tuple(r.period.label for r in risks),
        currency=agreement.currency,
        curve=target_curve(
            risks,
            promise.objective,
            agreement,
            [*default_targets(wish, promise.objective.target, safe), *targets],
            windows_known=known,
            supply_ceiling=ceiling,
        ),
        safe=safe,
        offers=offers,
        declined=declined,
        supply=supply,
        supply_ceiling=None if ceiling is None else _ten(ceiling.numerator, ceiling.denominator),
        supply_independent=independent,
        supply_as_one=None if as_one is None else _ten(as_one.numerator, as_one.denominator),
        extra_cost=tuple((o.label, o.cost_over_horizon, o.probability_after) for o in options),
        basis=risks[0].basis,
    )


def _ten(numerator: int, denominator: int) -> Decimal:
    return (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1).scaleb(-10))


def _promise(prepared: Prepared, service: str, objective: str | None) -> Promise:
    """Find the promise that is negotiated."""
    if service not in prepared.catalogue.services:
        raise InputError(
            argument="service",
            came=service,
            allowed=", ".join(sorted(prepared.catalogue.services)),
            try_instead="a service of the catalogue",
        )
    own = [p for p in prepared.promises if p.agreement is not None and p.objective.service == service]
    names = ", ".join(p.objective.name for p in own) or "none: no agreement of it applies today"
    fitting = own if objective is None else [p for p in own if p.objective.name == objective]
    if len(fitting) != 1:
        raise InputError(
            argument="objective",
            came="none" if objective is None else objective,
            allowed=f"one of the objectives agreed for {service}: {names}",
            try_instead=own[0].objective.name if own else "an agreement in the catalogue",
        )
    return fitting[0]


def _counter_offers(desk: _Desk) -> tuple[tuple[CounterOffer, ...], tuple[tuple[str, Excuse], ...]]:
    """Ask every kind; keep the likeliest three."""
    offers: list[CounterOffer] = []
    declined: list[tuple[str, Excuse]] = []
    for kind, make in KINDS.items():
        answer = make(desk)
        if isinstance(answer, Excuse):
            declined.append((kind, answer))
        else:
            offers.append(answer)
    offers.sort(key=lambda o: (-o.probability_met, o.exposure_mean, o.kind))
    return tuple(offers[:OFFERS]), tuple(declined)


def _offer(
    desk: _Desk,
    kind: str,
    label: str,
    risks: Sequence[BreachRisk],
    *,
    agreement: Agreement | None,
    windows_in_one: int = 1,
    note: str,
) -> CounterOffer:
    """State an offer from the risks of its windows, at the target asked for."""
    objective = replace(desk.objective, target=desk.asked)
    attained = np.concatenate([r.attainment_paths for r in risks])
    missed = missed_on_paths(objective, attained)
    met = 1.0 - (1 + int(missed.sum())) / (missed.size + 2)
    paths = len(risks[0].attainment_paths)
    low, high = beta_interval(met, min(float(paths), desk.known / windows_in_one + 1.0))
    credit = credits_on_paths(agreement, attained, objective=objective)
    cost = (credit + _losses(desk, risks)) / windows_in_one
    return CounterOffer(
        kind=kind,
        label=label,
        target=desk.asked,
        probability_met=met,
        probability_low=low,
        probability_high=high,
        exposure_mean=float(cost.mean()),
        exposure_p95=float(np.quantile(cost, 0.95)) if windows_in_one == 1 else None,
        note=note,
    )


def _losses(desk: _Desk, risks: Sequence[BreachRisk]) -> NDArray[np.float64]:
    """Business loss on each path of all windows: cost less credits, by the terms the risks were judged by."""
    parts = []
    for risk in risks:
        if risk.cost_paths is None:
            parts.append(np.zeros(len(risk.attainment_paths)))
            continue
        credit = credits_on_paths(desk.agreement, risk.attainment_paths, objective=desk.objective)
        parts.append(np.maximum(risk.cost_paths - credit, 0.0))
    return np.concatenate(parts)


def _longer_window(desk: _Desk) -> CounterOffer | Excuse:
    """Judge by the quarter instead of the month (or week)."""
    window = desk.objective.window
    if not isinstance(window, CalendarWindow) or window.unit not in {"week", "month"} or window.count != 1:
        return Excuse(
            reason="the window is a quarter or longer already, or has boundaries of its own",
            what_would_help="another kind of offer",
        )
    times = 3 if window.unit == "month" else 4
    longer = replace(window, unit="quarter") if window.unit == "month" else replace(window, unit="month")
    word = "quarter" if window.unit == "month" else "month"
    objective = replace(desk.objective, window=longer, time=_unlimited(desk.objective.time))
    coming = coming_periods(longer, as_of=desk.prepared.as_of, ahead=2)
    risks = _elsewhere(desk, objective, coming)
    if isinstance(risks, Excuse):
        return risks
    judged = replace(desk.objective, target=desk.asked)
    singles = [~missed_on_paths(judged, r.attainment_paths) for r in desk.today[:times]]
    beside = (1 + int(np.all(singles, axis=0).sum())) / (len(singles[0]) + 2)
    terms = moved_tiers(desk.agreement, desk.objective, desk.asked)
    if terms is not None and terms.credits is not None:
        terms = replace(terms, credits=replace(terms.credits, fee_per_period=times * terms.credits.fee_per_period))
    return _offer(
        desk,
        "window",
        f"the same target by the {word} instead of the {window.unit}",
        risks,
        agreement=terms,
        windows_in_one=times,
        note=f"one statement for {times} {window.unit}s, where {len(singles)} single ones are all met with "
        f"{100 * beside:.0f} %; fee and credits of a {word} count {times} times",
    )


def _service_hours(desk: _Desk) -> CounterOffer | Excuse:
    """Promise only within the hours of a calendar of the catalogue."""
    if desk.objective.time.hours is not None:
        return Excuse(reason="it is promised in service hours already", what_would_help="another kind of offer")
    calendars = [desk.prepared.catalogue.calendars[k] for k in sorted(desk.prepared.catalogue.calendars)]
    if not calendars:
        return Excuse(
            reason="the catalogue has no service calendar", what_would_help="a ServiceCalendar with the hours of use"
        )
    best: CounterOffer | None = None
    refused: Excuse | None = None
    for calendar in calendars:
        objective = replace(desk.objective, time=replace(_unlimited(desk.objective.time), hours=calendar))
        risks = _elsewhere(desk, objective, tuple(r.period for r in desk.today))
        if isinstance(risks, Excuse):
            refused = risks
            continue
        made = _offer(
            desk,
            "service_hours",
            f"the same target within the hours of {calendar.name} only",
            risks,
            agreement=moved_tiers(desk.agreement, desk.objective, desk.asked),
            note="what happens outside these hours does not count",
        )
        if best is None or made.probability_met > best.probability_met:
            best = made
    assert best is not None or refused is not None
    return best if best is not None else refused or Excuse(reason="", what_would_help="")


def _exclusion(desk: _Desk) -> CounterOffer | Excuse:
    """Agree on a weekly maintenance window in the quietest hours.

    The hours are chosen by demand, not by where outages happened to fall: those would be chosen for their luck.
    """
    if desk.objective.time.maintenance:
        return Excuse(reason="a maintenance window is agreed already", what_would_help="another kind of offer")
    quiet = _quietest(desk)
    if isinstance(quiet, Excuse):
        return quiet
    weekday, hour, share = quiet
    span = LocalSpan(start=time(hour), end=time((hour + QUIET_HOURS) % 24))
    agreed = MaintenanceWindow(weekdays=(weekday,), span=span, zone=desk.objective.window.zone)
    objective = replace(desk.objective, time=replace(_unlimited(desk.objective.time), maintenance=(agreed,)))
    risks = _elsewhere(desk, objective, tuple(r.period for r in desk.today))
    if isinstance(risks, Excuse):
        return risks
    name = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[weekday]
    end = f"{(hour + QUIET_HOURS) % 24:02d}:00"
    return _offer(
        desk,
        "exclusion",
        f"a maintenance window each {name} {hour:02d}:00 to {end} ({desk.objective.window.zone})",
        risks,
        agreement=moved_tiers(desk.agreement, desk.objective, desk.asked),
        note=f"the quietest {QUIET_HOURS} hours of the week, with {100 * share:.1f} % of its demand; what happens in "
        "them does not count",
    )


def _quietest(desk: _Desk) -> tuple[int, int, float] | Excuse:
    """Return weekday, hour and share of the week's demand of the quietest hours of the last year."""
    driver = desk.prepared.catalogue.drivers.get(desk.objective.service)
    total = getattr(desk.objective.indicator, "total", None)
    metrics = [m for m in (None if driver is None else driver.metric, total) if m is not None]
    for metric in metrics:
        series = desk.prepared.history.get(desk.objective.service, metric)
        if series is None or series.step > timedelta(hours=1):
            continue
        local = local_starts(series)
        recent = (local >= local[-1] - np.timedelta64(365, "D")) & np.isfinite(series.values)
        day = local.astype("datetime64[D]")
        weekday = (day.astype(np.int64) + 3) % 7
        hour = ((local - day) / np.timedelta64(1, "h")).astype(np.int64)
        use = np.zeros(7 * 24)
        np.add.at(use, (weekday * 24 + hour)[recent], series.values[recent])
        if use.sum() <= 0:
            continue
        blocks = {
            (d, h): use[d * 24 + h : d * 24 + h + QUIET_HOURS].sum() for d in range(7) for h in range(25 - QUIET_HOURS)
        }
        (d, h), least = min(blocks.items(), key=lambda item: (item[1], item[0]))
        return d, h, float(least / use.sum())
    return Excuse(
        reason="no demand by the hour is known, which would tell quiet hours",
        what_would_help="the demand driver's metric every hour or finer",
    )


def _workload_limit(desk: _Desk) -> CounterOffer | Excuse:
    """Let the target hold up to a demand that is rarely passed."""
    if desk.objective.workload_metric is not None:
        return Excuse(reason="a workload limit is agreed already", what_would_help="another limit, asked by what-if")
    driver = desk.prepared.catalogue.drivers.get(desk.objective.service)
    series = None if driver is None else desk.prepared.history.get(driver.service, driver.metric)
    if driver is None or series is None:
        return Excuse(reason="the service has no demand driver with data", what_would_help="a DemandDriver for it")
    slices = max(1, int(YEAR / series.step)) if series.step <= DAY else len(series.values)
    recent = series.values[-slices:]
    recent = recent[np.isfinite(recent)]
    if len(recent) < 100:
        return Excuse(
            reason=f"{len(recent)} slices of demand are known, 100 needed for a limit that one in a hundred passes",
            what_would_help="more history of the demand",
        )
    limit = _round_up(float(np.quantile(recent, LIMIT_QUANTILE)))
    objective = replace(
        desk.objective, workload_metric=driver.metric, workload_limit=limit, time=_unlimited(desk.objective.time)
    )
    risks = _elsewhere(desk, objective, tuple(r.period for r in desk.today))
    if isinstance(risks, Excuse):
        return risks
    return _offer(
        desk,
        "workload_limit",
        f"the target holds up to {limit:f} {driver.metric} a slice",
        risks,
        agreement=moved_tiers(desk.agreement, desk.objective, desk.asked),
        note=f"{100 * float((recent > float(limit)).mean()):.1f} % of last year's slices lay above it; above it the "
        "target is suspended",
    )


def _tier(desk: _Desk) -> CounterOffer | Excuse:
    """Promise the target, and pay credits only below today's."""
    if desk.asked <= desk.objective.target:
        return Excuse(
            reason="the target asked for is not stricter than today's", what_would_help="a stricter target to answer"
        )
    if desk.agreement.credits is None or not desk.agreement.credits.tiers:
        return Excuse(reason="no credit tiers are agreed", what_would_help="nothing; a miss costs no credit as it is")
    return _offer(
        desk,
        "tier",
        f"credits only below {100 * desk.objective.target.normalize():f} %",
        desk.today,
        agreement=desk.agreement,
        note="the stricter target is promised and reported; the credit ladder stays as it is",
    )


KINDS: dict[str, Callable[[_Desk], CounterOffer | Excuse]] = {
    "window": _longer_window,
    "service_hours": _service_hours,
    "workload_limit": _workload_limit,
    "exclusion": _exclusion,
    "tier": _tier,
}
"""Kinds of counter-offer."""


def _elsewhere(desk: _Desk, objective: Objective, coming: Sequence[Period]) -> tuple[BreachRisk, ...] | Excuse:
    """Judge changed terms on a fleet of the service's tier, where they stand in for today's."""
    prepared, catalogue = desk.prepared, desk.prepared.catalogue
    periods = tuple(coming)
    changed = promise_of(
        catalogue,
        prepared.history,
        desk.agreement,
        objective,
        periods,
        TimeMasks(),
    )
    tier = catalogue.services[objective.service].tier
    others = tuple(
        p
        for p in prepared.promises
        if catalogue.services[p.objective.service].tier == tier and p.objective.service != objective.service
    )
    fleet = build_fleet(
        (changed, *others),
        catalogue,
        as_of=prepared.as_of,
        until=max(p.end for p in changed.coming),
        settings=prepared.settings,
        paths=prepared.settings.paths,
    )
    simulation = Simulation(fleet, demand=desk.demand, effects=desk.effects)
    known = windows_known(changed, as_of=prepared.as_of)
    made = promise_risks(changed, simulation, windows_known=known)
    if isinstance(made, Excuse):
        return made
    found = whole_windows(made)
    return found or Excuse(reason="no such window lies within the horizon", what_would_help="a longer horizon")


def _unlimited(service_time: ServiceTime) -> ServiceTime:
    """Other terms are new terms: they are judged whatever the validity of today's."""
    return replace(service_time, valid_from=None, valid_until=None)


def _round_up(value: float) -> Decimal:
    """Round up to two significant digits, as a contract would."""
    if value <= 0:
        return Decimal(1)
    step = Decimal(10) ** (math.floor(math.log10(value)) - 1)
    return (Decimal(value) / step).to_integral_value(rounding=ROUND_CEILING) * step
