"""The audit finds every gap that was planted in the demo organisation, and nothing else of its kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from forecasting.adapters.catalogues import YamlFolder, load_project
from forecasting.service_levels._reliance import Link
from forecasting.service_levels.audit import RULES, audit
from forecasting.terms.agreement import Agreement, AgreementKind, Credits, Reliance
from forecasting.terms.audit import CatalogueFinding
from forecasting.terms.catalogue import Catalogue, Service
from forecasting.terms.history import Metric, MetricKind
from forecasting.terms.indicator import AvailabilityIndicator, metrics_of
from forecasting.terms.service_level import CalendarWindow, Objective

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
AS_OF = datetime(2026, 11, 21, 23, tzinfo=UTC)
MONTH = CalendarWindow(unit="month", zone="UTC")


def example(name: str) -> Catalogue:
    project = load_project(EXAMPLES / name)
    return YamlFolder(EXAMPLES / name / "catalogue", project.metrics, currency=project.currency).load()


def fresh(catalogue: Catalogue, as_of: datetime) -> dict[tuple[str, str], datetime | None]:
    found: dict[tuple[str, str], datetime | None] = {}
    for _, objective in catalogue.all_objectives():
        names = [*metrics_of(objective.indicator), *([objective.workload_metric] if objective.workload_metric else [])]
        found |= {(objective.service, name): as_of for name in names}
    return found


def gaps(found: tuple[CatalogueFinding, ...]) -> dict[tuple[str, str], CatalogueFinding]:
    return {(f.rule, f.subject): f for f in found if f.severity == "gap"}


def test_exactly_the_planted_gaps_of_the_demo_organisation_are_found() -> None:
    catalogue = example("meridian")
    seen = fresh(catalogue, AS_OF) | {("wan-link", "wan_latency_p95_ms"): AS_OF - timedelta(days=9)}
    found = gaps(audit(catalogue, as_of=AS_OF, freshness=seen))
    assert set(found) == {
        ("target-needs-redundancy", "sla-web-shop"),  # T7
        ("target-above-weakest-link", "sla-email"),  # T8
        ("service-without-agreement", "gift-cards"),  # T12
        ("metric-stale", "wan-latency"),  # T13
        ("agreement-expiring", "sla-payments-api"),  # T14
        ("sla-without-underpinning", "sla-service-desk"),  # T14
        ("dependency-without-agreement", "sla-service-desk"),  # T14
    }
    topology = found["target-needs-redundancy", "sla-web-shop"]
    assert "99.83 % where each group counts as one" in topology.evidence
    assert "99.9299 % as declared" in topology.evidence
    assert "99.95 % > 99.9 % of uc-email-supplier" in found["target-above-weakest-link", "sla-email"].evidence
    stale = found["metric-stale", "wan-latency"]
    assert "wan_latency_p95_ms of wan-link has been silent for 9 days" in stale.message
    assert "2026-11-12" in stale.evidence
    assert "2026-12-31" in found["agreement-expiring", "sla-payments-api"].message
    assert "depends on wan-link" in found["dependency-without-agreement", "sla-service-desk"].message
    assert all(f.try_instead and f.evidence for f in found.values())


def test_the_airports_have_no_gap_that_was_not_planted() -> None:
    catalogue = example("airports")
    as_of = datetime(2013, 10, 1, 4, tzinfo=UTC)
    found = gaps(audit(catalogue, as_of=as_of, freshness=fresh(catalogue, as_of)))
    assert {rule for rule, _ in found} <= {"sla-without-underpinning", "dependency-without-agreement"}


def objective(target: str = "0.999", service: str = "a") -> Objective:
    return Objective(
        name=f"{service}-up", service=service, indicator=AvailabilityIndicator(metric="up"), target=Decimal(target),
        window=MONTH,
    )  # fmt: skip


def agreement(name: str, service: str = "a", target: str = "0.999", **more: Any) -> Agreement:
    links: tuple[Reliance, ...] = more.pop("reliance", ())
    return Agreement(
        id=name, kind=more.pop("kind", AgreementKind.SLA), service=service, customer="c", provider="p",
        objectives=(objective(target, service),), valid_from=date(2020, 1, 1),
        valid_until=more.pop("valid_until", None), reliance=links,
        relies_on=tuple(key for link in links for key in link.agreements), **more,
    )  # fmt: skip


def catalogue(*agreements: Agreement, depends: tuple[str, ...] = ()) -> Catalogue:
    services = {name: Service(name=name) for name in {a.service for a in agreements}}
    services["a"] = Service(name="a", depends_on=depends)
    return Catalogue(
        name="c", services=services, agreements=agreements,
        metrics={"up": Metric(name="up", kind=MetricKind.NON_NEGATIVE, step=timedelta(hours=1))},
    )  # fmt: skip


def rules(found: Catalogue, **more: Any) -> set[tuple[str, str]]:
    as_of = more.pop("as_of", AS_OF)
    return set(gaps(audit(found, as_of=as_of, freshness=more.pop("freshness", None))))


OLA: dict[str, Any] = {"kind": AgreementKind.OLA}


def test_the_weakest_link_bounds_without_any_assumption_and_nothing_is_multiplied_undeclared() -> None:
    parts = (agreement("o1", "b", "0.999", **OLA), agreement("o2", "c", "0.999", **OLA))
    series = (Reliance(agreements=("o1",)), Reliance(agreements=("o2",)))
    assert rules(catalogue(agreement("s", target="0.999", reliance=series), *parts)) == set()
    above = catalogue(agreement("s", target="0.9991", reliance=series), *parts)
    assert rules(above) == {("target-above-weakest-link", "s")}
    declared = (Reliance(agreements=("o1", "o2"), independent=True),)
    assert rules(catalogue(agreement("s", target="0.999", reliance=declared), *parts)) == {
        ("target-above-product", "s")
    }
    assert rules(catalogue(agreement("s", target="0.998", reliance=declared), *parts)) == set()
    pair = (Reliance(agreements=("o1", "o2"), required=1, independent=True),)
    assert rules(catalogue(agreement("s", target="0.9999", reliance=pair), *parts)) == {
        ("target-needs-redundancy", "s")
    }
    undeclared = (Reliance(agreements=("o1", "o2"), required=1),)
    assert rules(catalogue(agreement("s", target="0.9999", reliance=undeclared), *parts)) == set()


def test_k_of_n_is_the_sum_over_all_states() -> None:
    targets = (Fraction(99, 100), Fraction(9, 10), Fraction(999, 1000))
    for required in (1, 2, 3):
        link = Link(names=("x", "y", "z"), targets=targets, required=required, independent=True)
        wanted = Fraction(0)
        for state in product((True, False), repeat=3):
            if sum(state) >= required:
                share = Fraction(1)
                for up, target in zip(state, targets, strict=True):
                    share *= target if up else 1 - target
                wanted += share
        assert link.product == wanted
        assert link.product <= link.ceiling <= 1


@pytest.mark.parametrize(
    ("until", "wanted"),
    [
        (date(2026, 11, 21), "agreement-expired"), (date(2026, 11, 22), "agreement-expiring"),
        (date(2027, 2, 20), "agreement-expiring"), (date(2027, 2, 21), None), (None, None),
    ],
)  # fmt: skip
def test_expiry_counts_local_days(until: date | None, wanted: str | None) -> None:
    one = catalogue(agreement("s", valid_until=until))
    as_of = datetime(2026, 11, 22, tzinfo=UTC)
    found = {rule for rule, _ in rules(one, as_of=as_of)} - {"service-without-agreement"}
    assert found == ({wanted} if wanted else set())


def test_a_successor_silences_the_end_of_an_agreement() -> None:
    old = agreement("s", valid_until=date(2026, 12, 31))
    assert rules(catalogue(old)) == {("agreement-expiring", "s")}
    follows = replace(agreement("s2", replaces="s"), valid_from=date(2027, 1, 1), provider="q")
    assert rules(catalogue(old, follows)) == set()
    same = replace(agreement("s3"), valid_from=date(2027, 1, 1))
    assert rules(catalogue(old, same)) == set()
    other = replace(agreement("s4"), valid_from=date(2027, 1, 1), provider="q")
    assert rules(catalogue(old, other)) == {("agreement-expiring", "s")}


def test_dependencies_need_an_agreement_each() -> None:
    b, c = agreement("o1", "b", **OLA), agreement("o2", "c", **OLA)
    link = (Reliance(agreements=("o1",)),)
    bare = catalogue(agreement("s"), b, c, depends=("b", "c"))
    assert rules(bare) == {("sla-without-underpinning", "s"), ("dependency-without-agreement", "s")}
    assert rules(catalogue(agreement("s", reliance=link), b, c, depends=("b", "c"))) == {
        ("dependency-without-agreement", "s")
    }
    assert rules(catalogue(agreement("s", reliance=link), b, c, depends=("b",))) == set()
    gone = replace(b, valid_until=date(2026, 1, 1))
    found = rules(catalogue(agreement("s", reliance=link), gone, replace(b, id="o3"), c, depends=("b",)))
    assert found == {("underpinning-expired", "s")}


def test_data_are_stale_after_two_steps_and_at_least_a_day() -> None:
    one = catalogue(agreement("s"))
    for hours, wanted in ((0, set()), (24, set()), (25, {("metric-stale", "a-up")})):
        assert rules(one, freshness={("a", "up"): AS_OF - timedelta(hours=hours)}) == wanted
    daily = replace(one, metrics={"up": Metric(name="up", kind=MetricKind.NON_NEGATIVE, step=timedelta(days=1))})
    assert rules(daily, freshness={("a", "up"): AS_OF - timedelta(hours=48)}) == set()
    assert rules(daily, freshness={("a", "up"): AS_OF - timedelta(hours=49)}) == {("metric-stale", "a-up")}
    assert rules(one, freshness={}) == rules(one, freshness={("a", "up"): None}) == {("metric-without-data", "a-up")}
    assert rules(one, freshness=None) == set()


def test_hints_are_not_gaps() -> None:
    terms = Credits(fee_per_period=Decimal(1), tiers=(), cap_share=Decimal(1), per_hour_share=Decimal("0.1"))
    overdue = agreement("s", review_months=3, last_review=date(2026, 8, 31))
    known = catalogue(overdue, agreement("u", "b", kind=AgreementKind.UC, credits=terms))
    known = replace(known, objectives=(replace(objective(), target=Decimal("0.999")),))
    due = datetime(2026, 12, 1, tzinfo=UTC)
    found = audit(known, as_of=due, freshness=None)
    assert {(f.rule, f.subject) for f in found} == {
        ("slo-not-stricter", "s"), ("no-workload-limit", "s"), ("no-maintenance", "s"), ("no-claim-deadline", "u"),
        ("review-overdue", "s"),
    }  # fmt: skip
    assert {f.severity for f in found} == {"hint"}
    early = audit(known, as_of=datetime(2026, 11, 30, 12, tzinfo=UTC), freshness=None)
    assert "review-overdue" not in {f.rule for f in early}


def test_rules_have_names_of_their_own_and_come_in_their_order() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    found = audit(example("meridian"), as_of=AS_OF, freshness=None)
    order = [rule.name for rule in RULES]
    assert [f.rule for f in found] == sorted((f.rule for f in found), key=order.index)
