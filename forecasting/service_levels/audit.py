"""Audit of the catalogue: promises that are missing, that nothing underpins, or that nobody could judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final, Literal

from forecasting.history.calendar import as_utc, zone_of
from forecasting.service_levels._reliance import UNDERPINNING, Link, family, links_of, product_of
from forecasting.terms.agreement import Agreement, AgreementKind
from forecasting.terms.audit import CatalogueFinding
from forecasting.terms.catalogue import Catalogue
from forecasting.terms.indicator import metrics_of
from forecasting.terms.service_level import Objective

NOTICE_DAYS: Final = 90
"""An agreement that ends within these days should have a successor."""

Freshness = Mapping[tuple[str, str], datetime | None]


@dataclass(frozen=True, kw_only=True)
class _View:
    """The catalogue at an instant."""

    catalogue: Catalogue
    as_of: datetime
    freshness: Freshness | None

    def today(self, service: str) -> date:
        """Return the local day of a service."""
        known = self.catalogue.services.get(service)
        return self.as_of.astimezone(zone_of(known.zone if known is not None else "UTC")).date()

    def live(self) -> tuple[Agreement, ...]:
        """Return the agreements that have not expired."""
        return tuple(a for a in self.catalogue.agreements if not self.expired(a))

    def expired(self, agreement: Agreement) -> bool:
        """Tell whether an agreement's last day has passed."""
        return agreement.valid_until is not None and agreement.valid_until < self.today(agreement.service)

    def by_id(self) -> dict[str, Agreement]:
        """Return the agreements by id."""
        return {a.id: a for a in self.catalogue.agreements}

    def successor(self, agreement: Agreement) -> Agreement | None:
        """Return the agreement that follows one, by its own word or by kind, service, customer and provider."""
        last = agreement.valid_until
        for other in self.catalogue.agreements:
            if other.replaces == agreement.id:
                return other
            parties = (other.kind, other.service, other.customer, other.provider)
            same = parties == (agreement.kind, agreement.service, agreement.customer, agreement.provider)
            longer = last is not None and (other.valid_until is None or other.valid_until > last)
            promises = {family(o.indicator) for o in other.objectives} & {
                family(o.indicator) for o in agreement.objectives
            }
            if other.id != agreement.id and same and longer and promises:
                return other
        return None


Found = Iterator[tuple[str, str, str, str]]
"""Subject, message, evidence, what to try instead."""


def _without_agreement(view: _View) -> Found:
    covered = {a.service for a in view.live()}
    for name, service in view.catalogue.services.items():
        if name not in covered:
            slos = [o.name for o in view.catalogue.objectives if o.service == name]
            evidence = f"0 agreements in force, {len(slos)} SLO" + (f" ({', '.join(slos)})" if slos else "")
            yield name, f"no agreement covers {service.display_name or name}", evidence, "add an Agreement document"


def _without_underpinning(view: _View) -> Found:
    known = view.by_id()
    for sla in view.live():
        needs = view.catalogue.services[sla.service].depends_on if sla.service in view.catalogue.services else ()
        under = [key for key in sla.relies_on if key in known and known[key].kind in UNDERPINNING]
        if sla.kind is AgreementKind.SLA and needs and not under:
            message = f"{sla.id} promises {sla.service} to a customer, but no OLA or contract underpins it"
            evidence = f"{sla.service} depends on {', '.join(needs)}; reliesOn names 0 OLAs and 0 contracts"
            yield sla.id, message, evidence, "agree OLAs with the services it depends on and name them in reliesOn"


def _dependency_uncovered(view: _View) -> Found:
    known = view.by_id()
    for agreement in view.live():
        service = view.catalogue.services.get(agreement.service)
        covered = {known[key].service for key in agreement.relies_on if key in known}
        for need in service.depends_on if service is not None and agreement.kind is not AgreementKind.UC else ():
            if need not in covered:
                there = [a.id for a in view.catalogue.agreements if a.service == need]
                evidence = f"agreements of {need}: {', '.join(there) or 'none'}; reliesOn names none of them"
                message = f"{agreement.service} depends on {need}, but {agreement.id} relies on no agreement with it"
                yield agreement.id, message, evidence, f"agree an OLA with {need} and name it in reliesOn"


def _expiring(view: _View) -> Found:
    for agreement in view.live():
        last, today = agreement.valid_until, view.today(agreement.service)
        if last is None or (last - today).days > NOTICE_DAYS or view.successor(agreement) is not None:
            continue
        message = f"{agreement.id} ends on {last} and nothing follows it"
        evidence = f"{(last - today).days} days from {today}; notice is {NOTICE_DAYS} days"
        yield agreement.id, message, evidence, f"agree the renewal and add it with replaces: {agreement.id}"


def _expired(view: _View) -> Found:
    for agreement in view.catalogue.agreements:
        if view.expired(agreement) and view.successor(agreement) is None:
            days = (view.today(agreement.service) - (agreement.valid_until or date.max)).days
            message = f"{agreement.id} has expired and nothing follows it"
            evidence = f"last day {agreement.valid_until}, {days} days ago"
            yield agreement.id, message, evidence, f"renew it with replaces: {agreement.id}, or remove the service"


def _expired_underpinning(view: _View) -> Found:
    known = view.by_id()
    for agreement in view.live():
        for key in agreement.relies_on:
            other = known.get(key)
            if other is not None and view.expired(other):
                follower = view.successor(other)
                hint = f"name {follower.id} in reliesOn" if follower is not None else f"renew {key}"
                message = f"{agreement.id} relies on {key}, which has expired"
                yield agreement.id, message, f"last day of {key}: {other.valid_until}", hint


def _above_weakest(view: _View) -> Found:
    for agreement, objective, links in _promises(view):
        weakest = min(links, key=lambda link: link.ceiling)
        if Fraction(objective.target) > weakest.ceiling:
            names = " and ".join(weakest.names)
            message = f"{agreement.id} promises {_percent(Fraction(objective.target))}, more than {names} allows"
            evidence = (
                f"{objective.name} {_percent(Fraction(objective.target))} > {_percent(weakest.ceiling)} of {names}"
            )
            hint = f"promise at most {_percent(weakest.ceiling)}, or agree more with {names}"
            yield agreement.id, message, evidence + "; in series no more than the weakest link can be kept", hint


def _above_product(view: _View) -> Found:
    for agreement, objective, links in _independent(view):
        product, target = product_of([link.product for link in links]), Fraction(objective.target)
        if product < target <= min(link.ceiling for link in links):
            message = f"{agreement.id} promises {_percent(target)}, more than the product of what it relies on"
            hint = f"promise at most {_percent(product)}, or agree more with one of them"
            yield agreement.id, message, f"product {_percent(product)}: {_factors(links, 'product')}", hint


def _topology(view: _View) -> Found:
    for agreement, objective, links in _independent(view):
        product, single = product_of([x.product for x in links]), product_of([x.as_one for x in links])
        target = Fraction(objective.target)
        if single < target <= product:
            groups = [" and ".join(link.names) for link in links if link.redundant]
            message = f"{agreement.id} keeps {_percent(target)} only if {', '.join(groups)} count as redundant"
            evidence = f"{_percent(single)} where each group counts as one ({_factors(links, 'as_one')}); "
            evidence += f"{_percent(product)} as declared ({_factors(links, 'product')})"
            yield (
                agreement.id,
                message,
                evidence,
                "prove the redundancy (separate paths, tested failover), or promise less",
            )


def _promises(view: _View) -> Iterator[tuple[Agreement, Objective, tuple[Link, ...]]]:
    """Yield each objective with the links that underpin promises of its family."""
    known = view.by_id()
    for agreement in view.live():
        for objective in agreement.objectives:
            links = links_of(agreement, known, family(objective.indicator))
            if links:
                yield agreement, objective, links


def _independent(view: _View) -> Iterator[tuple[Agreement, Objective, tuple[Link, ...]]]:
    """Yield those whose links were all declared independent: nothing else is ever multiplied."""
    for agreement, objective, links in _promises(view):
        if all(link.independent for link in links):
            yield agreement, objective, links


def _percent(share: Fraction) -> str:
    """Return a share as a percentage with up to 4 decimals, cut so that it never looks better than it is."""
    ten_thousandths = int(share * 1_000_000)
    return f"{ten_thousandths // 10_000}.{ten_thousandths % 10_000:04d}".rstrip("0").rstrip(".") + " %"


def _factors(links: tuple[Link, ...], which: Literal["product", "as_one"]) -> str:
    """Return the factors of a product in words."""
    parts = []
    for link in links:
        share = link.product if which == "product" else link.as_one
        names = " × ".join(link.names) if not link.redundant else f"{link.required} of {' and '.join(link.names)}"
        parts.append(f"{names} {_percent(share)}")
    return ", ".join(parts)


def _watched(view: _View) -> Iterator[tuple[str, str, str]]:
    """Yield each metric that an objective needs, once: service, metric, name of the objective."""
    live = {a.id for a in view.live()}
    seen = set()
    for agreement, objective in view.catalogue.all_objectives():
        if agreement is not None and agreement.id not in live:
            continue
        names = [*metrics_of(objective.indicator)]
        names += [objective.workload_metric] if objective.workload_metric is not None else []
        for name in names:
            if (objective.service, name) not in seen:
                seen.add((objective.service, name))
                yield objective.service, name, objective.name


def _no_data(view: _View) -> Found:
    for service, metric, objective in _watched(view) if view.freshness is not None else ():
        assert view.freshness is not None
        if view.freshness.get((service, metric)) is None:
            message = f"{objective} cannot be judged: {metric} of {service} has no data"
            yield objective, message, f"0 values of {metric} up to {view.as_of:%Y-%m-%d}", "connect the metric's source"


def _stale(view: _View) -> Found:
    for service, metric, objective in _watched(view) if view.freshness is not None else ():
        assert view.freshness is not None
        latest = view.freshness.get((service, metric))
        if latest is None:
            continue
        silent = view.as_of - as_utc(latest)
        known = view.catalogue.metrics.get(metric)
        allowed = max(2 * known.step if known is not None else timedelta(0), timedelta(days=1))
        if silent > allowed:
            days = silent / timedelta(days=1)
            message = f"{metric} of {service} has been silent for {days:.3g} days, so {objective} is not judged"
            evidence = f"last value ends {as_utc(latest):%Y-%m-%d %H:%M} UTC, {days:.3g} days before the cut-off"
            yield (
                objective,
                message,
                evidence + f"; stale after {allowed / timedelta(days=1):g} days",
                "mend its source",
            )


def _no_workload_limit(view: _View) -> Found:
    for sla in view.live():
        if sla.kind is AgreementKind.SLA and sla.workload_limit is None:
            message = f"{sla.id} promises its target at any demand"
            yield sla.id, message, "workloadLimit is not agreed (ISO/IEC 20000-1, 8.3.3)", "agree a workloadLimit"


def _no_exclusions(view: _View) -> Found:
    for sla in view.live():
        if sla.kind is AgreementKind.SLA and not sla.time.maintenance and not sla.time.exclusions:
            message = f"{sla.id} leaves no time for maintenance"
            yield sla.id, message, "0 maintenance windows, 0 exclusions", "agree maintenance windows"


def _slo_not_stricter(view: _View) -> Found:
    for sla in view.live():
        for objective in sla.objectives if sla.kind is AgreementKind.SLA else ():
            inner = [
                o
                for o in view.catalogue.objectives
                if o.service == sla.service and family(o.indicator) == family(objective.indicator)
            ]
            best = max(inner, key=lambda o: o.target, default=None)
            if best is not None and best.target <= objective.target:
                message = f"no SLO of {sla.service} warns before {sla.id} is missed"
                evidence = (
                    f"{best.name} {_percent(Fraction(best.target))} against {_percent(Fraction(objective.target))}"
                )
                yield sla.id, message, evidence, "an SLO stricter than the agreement"


def _no_claim_deadline(view: _View) -> Found:
    for uc in view.live():
        if uc.kind is AgreementKind.UC and uc.credits is not None and uc.credits.claim_within is None:
            message = f"{uc.id} does not say until when credits must be claimed"
            yield uc.id, message, "credits without claimWithin", "look it up in the contract and write claimWithin"


def _review_overdue(view: _View) -> Found:
    for agreement in view.live():
        months, last = agreement.review_months, agreement.last_review
        if months is None or last is None:
            continue
        index = last.month - 1 + months
        month_end = date(last.year + (index + 1) // 12, (index + 1) % 12 + 1, 1) - timedelta(days=1)
        due = min(month_end, month_end.replace(day=min(last.day, month_end.day)))
        today = view.today(agreement.service)
        if due < today:
            message = f"the review of {agreement.id} is overdue"
            evidence = f"last on {last}, every {months} months, due on {due}, {(today - due).days} days ago"
            yield agreement.id, message, evidence, "review it and write lastReview"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the audit."""

    name: str
    severity: Literal["gap", "hint"]
    check: Callable[[_View], Found]


RULES: Final[tuple[Rule, ...]] = (
    Rule(name="service-without-agreement", severity="gap", check=_without_agreement),
    Rule(name="sla-without-underpinning", severity="gap", check=_without_underpinning),
    Rule(name="dependency-without-agreement", severity="gap", check=_dependency_uncovered),
    Rule(name="agreement-expired", severity="gap", check=_expired),
    Rule(name="agreement-expiring", severity="gap", check=_expiring),
    Rule(name="underpinning-expired", severity="gap", check=_expired_underpinning),
    Rule(name="target-above-weakest-link", severity="gap", check=_above_weakest),
    Rule(name="target-above-product", severity="gap", check=_above_product),
    Rule(name="target-needs-redundancy", severity="gap", check=_topology),
    Rule(name="metric-without-data", severity="gap", check=_no_data),
    Rule(name="metric-stale", severity="gap", check=_stale),
    Rule(name="slo-not-stricter", severity="hint", check=_slo_not_stricter),
    Rule(name="no-workload-limit", severity="hint", check=_no_workload_limit),
    Rule(name="no-maintenance", severity="hint", check=_no_exclusions),
    Rule(name="no-claim-deadline", severity="hint", check=_no_claim_deadline),
    Rule(name="review-overdue", severity="hint", check=_review_overdue),
)
"""Every rule, gaps first; findings come in this order."""


def audit(catalogue: Catalogue, *, as_of: datetime, freshness: Freshness | None) -> tuple[CatalogueFinding, ...]:
    """Look for what is missing or contradicts itself in a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
    as_of : datetime
        Instant of the audit; a naive one is UTC.
    freshness : mapping of (service, metric) to datetime or None, or None
        End of the latest slice with a value, in UTC; None or no entry = no data at all. None instead of a mapping
        leaves the rules about data out: only the text of the catalogue is looked at.

    Returns
    -------
    tuple of CatalogueFinding
        In the order of `RULES`, then of the catalogue. Availabilities are multiplied only where every link was
        declared `independent`; otherwise only the weakest link in series bounds a promise, which needs no assumption.

    Examples
    --------
    >>> from forecasting.terms.catalogue import Service
    >>> lonely = Catalogue(name="c", services={"shop": Service(name="shop")})
    >>> [(f.rule, f.subject) for f in audit(lonely, as_of=datetime(2027, 1, 1), freshness={})]
    [('service-without-agreement', 'shop')]
    """
    view = _View(catalogue=catalogue, as_of=as_utc(as_of).astimezone(UTC), freshness=freshness)
    return tuple(
        CatalogueFinding(
            rule=rule.name,
            severity=rule.severity,
            subject=subject,
            message=message,
            evidence=evidence,
            try_instead=hint,
        )
        for rule in RULES
        for subject, message, evidence, hint in rule.check(view)
    )
